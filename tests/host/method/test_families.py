"""Every image family of the host: gated, or refused in one sentence; measured round trip and gating.

With EDITEDID_UPDATE=1 the figures are written into docs/FAMILIES.md.
"""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from editedid_core.engines.edited_id.mixing import Mixing
from lab import toys
from lab.family_table import Measured, write_table
from lab.inprocess import Host
from lab.toys import REFUSED, TOYS, Toy

pytestmark = pytest.mark.every_host


@dataclass
class Watched:
    """Image tokens of the target seen by the structure gate: how many, and how many held the original's output."""

    tokens: int = 0
    taken: int = 0
    strayed: int = 0


@pytest.fixture(scope="module")
def table(host: Host) -> Iterator[dict[str, Measured]]:
    """Figures by toy; written into the docs at the end when that is asked for."""
    measured: dict[str, Measured] = {}
    yield measured
    write_table(measured, host.version)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Compares each gated call with what plain attention gives, at full strength with the original as donor."""
    module = importlib.import_module("editedid_core.engines.edited_id.attention.run")
    count, edit = Watched(), module.AttentionRun.edit

    def compared(self: Any, call: Any, attend: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        before, after = attend(q, k, v), edit(self, call, attend, q, k, v)
        if len(self.rows) == 3 and self.plan.structure.at(call.layer, self.position):
            n = call.grid[0] * call.grid[1]
            plain, gated = (t.movedim(call.out_axis, 1).flatten(2) for t in (before, after))
            image = slice(call.start, call.start + n)
            inside = torch.arange(n) % call.grid[1] < call.grid[1] // 2  # the left half, as the mask below
            same = (gated[2, image] - plain[0, image]).abs().amax(-1) <= 1e-5 * plain[0, image].abs().amax()
            count.tokens += int(inside.sum())
            count.taken += int((same & inside).sum())
            outside = torch.cat([gated[2, : call.start], gated[2, image][~inside], gated[2, call.start + n :]])
            kept = torch.cat([plain[2, : call.start], plain[2, image][~inside], plain[2, call.start + n :]])
            count.strayed += int((outside != kept).sum()) + int((gated[:2] != plain[:2]).sum())
        return after

    monkeypatch.setattr(module.AttentionRun, "edit", compared)
    return count


def decibels(out: Tensor, wanted: Tensor, other: Tensor) -> float:
    """How far `out` is from `wanted`, against how far the two pictures are apart; 150 is exact."""
    error, range_ = (out - wanted).square().mean(), (other - wanted).square().mean()
    return min(150.0, 10 * math.log10(float(range_) / max(float(error), 1e-20)))


def pictures(toy: Toy) -> tuple[Tensor, Tensor]:
    """Sizes that every network takes and whose columns split in two halves at every level."""
    return toys.latents(toy, 8, 16)


@pytest.mark.parametrize("kind", list(TOYS))
def test_recorded_and_replayed_the_edit_and_the_original_come_back(
        core: Any, patched: Callable[..., Any], tiny_model: Any, table: dict[str, Measured], watched: Watched,
        kind: str) -> None:
    toy = TOYS[kind]
    model = tiny_model(kind)
    original, edited = pictures(toy)
    prompt = toys.conditioning(toy)
    everywhere, nothing = torch.ones(64, 128), torch.zeros(64, 128)

    def sample(gated: Any, face: Tensor, **settings: Any) -> Tensor:
        # a target that is shown both pictures is a third thing beside its sources
        values = {"mode": "replay", "steps": 2, "strength": 0.9, "references": False, **settings}
        with torch.inference_mode():
            return core.sample_pair(gated, prompt, prompt, original, edited, face, nothing,
                                    core.SampleSettings(**values)).latent

    # weight 0 with the edit's own features, weight 1 with the original's: nothing may change but by rounding
    still = Mixing(init_weight=0.0, rate=0.0, final_steps=0)
    kept = sample(patched(model, structure=1.0, detail=0.0, donor="edited"), everywhere, mixing=still)
    full = Mixing(init_weight=0.5)
    back = sample(patched(model, structure=1.0, detail=0.0, donor="original"), everywhere, mixing=full)
    trip = decibels(kept, edited, original), decibels(back, original, edited)

    half = torch.zeros(64, 128)
    half[:, :64] = 1
    every = ",".join(importlib.import_module("editedid_core.comfy.model_profile").attention_blocks(model))
    gated = patched(model, structure=1.0, detail=0.0, donor="original", structure_blocks=every)
    watched.tokens = watched.taken = watched.strayed = 0
    sample(gated, half, mode="lock-step", mixing=still)
    shared = sample(patched(model, structure=0.0, detail=1.0, detail_blocks=every), half, mode="lock-step",
                    mixing=still)
    table[kind] = Measured(*trip, watched.taken, watched.tokens)

    assert min(trip) > 60
    assert watched.tokens > 0 and watched.taken == watched.tokens and watched.strayed == 0
    change = (shared - edited)[..., :8].square().mean() / (original - edited)[..., :8].square().mean()
    assert torch.isfinite(shared).all() and float(change) > 1e-9  # the detail gate acts as well


def test_the_table_in_the_docs_has_every_family(host: Host) -> None:
    page = importlib.import_module("lab.family_table").PATH.read_text("utf8")
    families = importlib.import_module("editedid_core.comfy.model_families").FAMILIES
    for name in [toy.title for toy in TOYS.values()] + [f.name for f in families if f.refusal]:
        assert f"| {name} |" in page, f"{name} is missing; run with EDITEDID_UPDATE=1"


@pytest.mark.parametrize("kind", list(REFUSED))
def test_what_no_gate_reaches_is_told_when_the_node_is_queued(
        host: Host, core: Any, patched: Callable[..., Any], kind: str) -> None:
    toy = REFUSED[kind]
    if not toys.exists(toy):
        pytest.skip(f"this host has no {toy.config}")
    model = toys.make(toy)
    with pytest.raises(ValueError, match=f"model: {toy.title} cannot be gated, .*; use another model") as refusal:
        patched(model)
    assert "\n" not in str(refusal.value)
    # a setting that came in another way is refused by the sampler as well
    gated = model.clone()
    gated.model_options["transformer_options"][core.ENTANGLE_KEY] = core.Entangle()
    original, edited = toys.latents(toy)
    with pytest.raises(ValueError, match="cannot be gated"):
        core.sample_pair(gated, toys.conditioning(toy), toys.conditioning(toy), original, edited,
                         torch.ones(64, 96), torch.zeros(64, 96), core.SampleSettings(steps=2))


def test_a_model_the_pack_has_never_seen_is_refused_by_name(host: Host, patched: Callable[..., Any]) -> None:
    model = toys.make(TOYS["flux"])
    model.model.diffusion_model = torch.nn.Linear(2, 2)
    with pytest.raises(ValueError, match="model: Linear has no attention blocks that this pack knows; use another"):
        patched(model)


def test_every_network_in_the_table_is_one_of_the_hosts(host: Host) -> None:
    """A class that a host renames would fall out of the table without a word."""
    source = importlib.import_module("inspect").getsource(importlib.import_module("comfy.model_base"))
    if host.version.startswith("0.16"):
        pytest.skip("older hosts do not have all of them")
    for family in importlib.import_module("editedid_core.comfy.model_families").FAMILIES:
        other = ("MMDiT", "StageC", "StageB")  # imported under other names
        newer = ("QwenImage21Transformer2DModel",)  # of later hosts: test_newest_models.py
        if family.network and family.network not in other + newer:
            assert f".{family.network}" in source, family.network


@pytest.mark.parametrize("kind", list(TOYS))
def test_no_prompt_is_needed(core: Any, tiny_model: Any, kind: str) -> None:
    model, toy = tiny_model(kind), TOYS[kind]
    original, edited = pictures(toy)

    def sample() -> Any:
        with torch.inference_mode():
            return core.sample_pair(model, None, None, original, edited, torch.ones(64, 128), torch.zeros(64, 128),
                                    core.SampleSettings(steps=2))

    if kind == "hidream":  # four text encoders, one of them in layers
        with pytest.raises(ValueError, match="positive: this model needs a prompt; connect its text encoder to clip"):
            sample()
    else:
        out = sample()
        assert torch.isfinite(out.latent).all() and out.evaluations > 0


def test_no_other_file_names_a_family() -> None:
    root = importlib.import_module("lab.family_table").PATH.parent.parent
    names = re.compile(r"\b(sd ?[123](\.\d)?|sdxl|flux|kontext|chroma|qwen|z-?image|lumina|omnigen|hidream|hunyuan|wan|"
                       r"kandinsky|cosmos|anima|aura ?flow|pixart|krea|ideogram|cascade|boogu|ernie)\b", re.IGNORECASE)
    table = root / "editedid_core" / "comfy" / "model_families.py"
    assert names.search(table.read_text("utf8"))
    for path in [*(root / "editedid_core").rglob("*.py"), *(root / "nodes").glob("*.py")]:
        if path != table:
            assert not names.search(path.read_text("utf8")), path
