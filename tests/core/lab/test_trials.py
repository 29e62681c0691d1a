"""What the ablation and the robustness curves keep, and what they write."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest

from editedid_core.config import RestoreConfig
from editedid_core.engines.edited_id.wanted import SMALL
from lab.bench import plot, section, trial
from lab.bench.ablation import report
from lab.bench.conditions import Condition
from lab.bench.robustness import CURVES, own
from lab.bench.switches import Change
from lab.bench.variants import Group, Variant, groups
from lab.checkpoints import of_the_lab


def a_plan(folder: Path, variants: list[Variant], n: int = 3, state: str = "one") -> trial.Plan:
    return trial.Plan("unet", folder, tuple(range(n)), tuple(variants), folder, state, of_the_lab("unet"))


def test_a_key_follows_what_is_run_and_not_what_it_is_called(tmp_path: Path) -> None:
    plan = a_plan(tmp_path, [])
    base = Variant("a", Change({"sampling.steps": 4, "sampling.cfg": 1.0}))
    assert plan.key(base) == plan.key(Variant("b", Change({"sampling.cfg": 1.0, "sampling.steps": 4})))
    others = [Variant("a", Change({"sampling.steps": 5, "sampling.cfg": 1.0})), Variant("a", Change({"crop.size": 4})),
              Variant("a", base.change, Condition(noise=0.01)), Variant("a", base.change, rival="paste"),
              Variant("a", Change(base.change.values, half=True))]
    assert len({plan.key(v) for v in (base, *others)}) == 6
    assert plan.key(base) != a_plan(tmp_path, [], state="other code").key(base)


def test_what_is_known_is_not_run_again_and_a_torn_line_is(tmp_path: Path) -> None:
    variant = Variant("default")
    plan = a_plan(tmp_path, [variant], n=2)
    row = {"key": plan.key(variant), "variant": "default", "figures": {"joint_rate": 1.0}, "problem": ""}
    for seed in plan.seeds:
        plan.file(seed).parent.mkdir(exist_ok=True)
        plan.file(seed).write_text('{"key": "torn\n' + json.dumps(row) + "\n", encoding="utf-8")
    found = trial.run(plan, workers=1)  # nothing is missing: no host is opened
    assert [result.figures for result in found[plan.key(variant)]] == [{"joint_rate": 1.0}] * 2


def figures(joint: float, recovery: float, seconds: float = 1.0) -> dict[str, float]:
    return {"joint_rate": joint, "recovery_b": recovery, "evaluations": 21.0, "seconds": seconds,
            "recovery_a": float("nan")}


def test_the_reading_calls_better_and_worse_only_what_is_sure(tmp_path: Path) -> None:
    names = ("better", "worse", "alike", "unsure", "slight")
    rows = [Variant(name, Change({"sampling.steps": 30 + i})) for i, name in enumerate(names)]
    rows.append(Variant("as shipped", Change({"crop.relight": RestoreConfig().crop.relight})))
    plan = a_plan(tmp_path, [], n=20)
    results = {plan.key(Variant("default")): [trial.Result(i, figures(i % 2, 0.5)) for i in range(20)]}
    for row in rows:
        results[plan.key(row)] = [
            trial.Result(i, {"better": figures(1, 0.8), "worse": figures(0, 0.2), "alike": figures(i % 2, 0.5, 2.0),
                             "unsure": figures((i + 1) % 2, 0.5), "slight": figures(i % 2, 0.503),
                             "as shipped": figures(i % 2, 0.5)}[row.name])
            for i in range(20)
        ]
    text = report([Group("g", "A choice", "What it is.", tuple(rows))], results, plan)
    assert "Better than the default: better (whole and recovery)." in text
    assert "Worse: worse (whole and recovery)." in text
    assert "The default itself: as shipped." in text
    assert "or a trade: unsure; slight." in text
    # another configuration, the same figures
    assert "Inert: alike." in text
    lines = {line.split(" | ")[0]: line for line in text.splitlines()}
    assert lines["| alike"].count("inert") == 2 and "inert" not in lines["| slight"]
    assert "inert" not in lines["| as shipped"] and lines["| as shipped"].count("as the default") == 2


def test_a_row_that_could_not_run_says_why(tmp_path: Path) -> None:
    row = Variant("gone", Change({"crop.no_such": 1}))
    plan = a_plan(tmp_path, [], n=12)
    results = {plan.key(Variant("default")): [trial.Result(i, figures(1, 1)) for i in range(12)],
               plan.key(row): [trial.Result(i, {}, "The configuration has no field crop.no_such") for i in range(12)]}
    text = report([Group("g", "A choice", "What it is.", (row,))], results, plan)
    assert "| gone | not run: The configuration has no field crop.no_such |" in text


@pytest.mark.parametrize("family", ["unet", "dit"])
def test_every_change_of_the_catalogue_fits_the_configuration(family: str) -> None:
    def known(config: RestoreConfig) -> RestoreConfig:
        return replace(config, sampling=config.sampling.as_wanted(SMALL), entangle=config.entangle.as_wanted(SMALL))

    shipped = known(RestoreConfig())
    for group in groups(family):
        for variant in group.variants:
            changed = known(RestoreConfig().changed(variant.change.values))
            assert variant.change.is_none == (changed == shipped and not variant.change.half)


@pytest.mark.parametrize("family", ["unet", "dit"])
def test_every_row_of_the_catalogue_has_a_name_of_its_own(family: str) -> None:
    catalogue = groups(family)
    names = [variant.name for group in catalogue for variant in group.variants]
    assert len(names) == len(set(names)) > 60
    assert len({group.key for group in catalogue}) == len(catalogue)


def test_a_family_is_written_without_touching_the_other(tmp_path: Path) -> None:
    document = tmp_path / "docs" / "A.md"
    section.write(document, "# Head\n", "dit", "Transformer", "first")
    section.write(document, "# Head\n", "unet", "UNet", "second")
    section.write(document, "# New head\n", "unet", "UNet", "third")
    text = document.read_text(encoding="utf-8")
    assert text.startswith("# New head") and "second" not in text
    assert text.index("third") < text.index("first")
    assert text.count("## UNet") == text.count("## Transformer") == 1


def test_the_chart_is_a_picture_with_every_curve(tmp_path: Path) -> None:
    panels = [plot.Panel(curve.title, curve.axis, tuple(label for label, _ in curve.points),
                         (plot.Line("default", tuple((0.5, 0.4, 0.6) for _ in own(curve))),
                          plot.Line("rival", tuple((float("nan"),) * 3 for _ in own(curve))))) for curve in CURVES]
    plot.write(panels, tmp_path / "chart.svg")
    root = ElementTree.parse(tmp_path / "chart.svg").getroot()
    circles = root.findall(".//{http://www.w3.org/2000/svg}circle")
    assert len(circles) == sum(len(curve.points) for curve in CURVES)
