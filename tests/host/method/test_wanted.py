"""How much a run does where nobody says is what its model's profile wants; a number that the user set wins."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from editedid_core.engines.edited_id.noise_grid import step_position
from lab import toys
from lab.inprocess import Host
from lab.toys import TOYS

pytestmark = pytest.mark.every_host

ODD = SimpleNamespace(kind="odd", why="tried", strength=0.73, freedom=0.41, structure=0.34, detail=0.66, own_share=0.0)
NAMES = {4: "own_lightning_4steps.safetensors", 8: "own_lightning_8steps.safetensors"}


class Begun(Exception):
    """A run came as far as its sampler; holds its settings and its gates' strengths."""


@pytest.fixture
def begun(host: Host, core: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """(strength, freedom, structure, detail) that a run on a model begins with, gated as the everyday node does it."""
    made = core.PairSampler.__init__
    run = importlib.import_module(host.node("EditedIDRestoreIdentity").__module__.removesuffix("restore") + "run")

    def stop(self: Any, settings: Any, mode: str, weight: Any, support: Any, gates: Any, *rest: Any) -> None:
        made(self, settings, mode, weight, support, gates, *rest)
        raise Begun(settings.strength, settings.freedom, gates.plan.structure.strength, gates.plan.detail.strength)

    monkeypatch.setattr(core.PairSampler, "__init__", stop)

    def begin(kind: str, model: Any = None, settings: Any = None, gates: Any = None) -> Any:
        toy, config = TOYS[kind], run.RestoreConfig()
        gated = run.with_gates(model or toys.make(toy), replace(config, entangle=gates or config.entangle))
        with pytest.raises(Begun) as told:
            core.sample_pair(gated, None, None, *toys.latents(toy, 8, 16), torch.ones(64, 128), torch.zeros(64, 128),
                             settings or core.SampleSettings())
        return told.value.args

    return begin


@pytest.fixture
def amounts(core: Any) -> Any:
    return importlib.import_module("editedid_core.comfy.wanted_amounts")


@pytest.mark.parametrize("kind", list(TOYS))
def test_a_run_begins_with_what_its_profile_wants(core: Any, amounts: Any, begun: Any, kind: str,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    if not toys.exists(TOYS[kind]):
        pytest.skip(f"this host has no {TOYS[kind].config}")
    model = toys.make(TOYS[kind])
    wanted = amounts.wanted_by(model, "auto")
    assert 0 < wanted.strength <= 1 and wanted.why
    assert begun(kind, model) == (wanted.strength, wanted.freedom, wanted.structure, wanted.detail)
    known = amounts.profile_of
    monkeypatch.setattr(amounts, "profile_of", lambda model: replace(known(model), wanted=ODD))
    if not amounts.steps_of_run(model, "auto"):
        assert begun(kind, model) == (ODD.strength, ODD.freedom, ODD.structure, ODD.detail)
    mine = begun(kind, model, core.SampleSettings(strength=0.8, freedom=0.0), core.Entangle(structure=0.0, detail=0.9))
    assert mine == (0.8, 0.0, 0.0, 0.9)


def test_a_model_that_the_table_does_not_have_counts_as_large(amounts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(amounts, "profile_of", lambda model: None)
    assert amounts.wanted_by(toys.make(TOYS["sd15"]), "auto").kind == "large"


@pytest.mark.parametrize("steps", list(NAMES))
@pytest.mark.parametrize("kind", list(TOYS))
def test_a_distilled_model_runs_half_of_its_own_steps_and_the_gates_act(core: Any, amounts: Any, kind: str,
                                                                        steps: int) -> None:
    """At each strength each gate acts on at least a third of the steps that are run."""
    if not toys.exists(TOYS[kind]):
        pytest.skip(f"this host has no {TOYS[kind].config}")
    model = toys.make(TOYS[kind])
    model.cached_patcher_init = (None, (f"/models/{NAMES[steps]}",))
    own, wanted = amounts.steps_of_run(model, "auto"), amounts.wanted_by(model, "auto")
    assert own == (steps if kind not in ("schnell",) else 4) and wanted.kind == "distilled"
    assert amounts.steps_of_run(model, "lock-step") == 0 and amounts.wanted_by(model, "lock-step").kind != "distilled"

    def levels(strength: float) -> int:
        settings = core.SampleSettings(strength=strength)
        return core.PairSampler(settings, "lock-step", None, None, None, own).noise_grid(model).steps

    assert levels(wanted.strength) == math.ceil(levels(1.0) / 2)  # some levels of a schedule may be one
    for strength in (0.2, 0.5, 0.8, 1.0, wanted.strength):
        run, gates = levels(strength), core.Entangle()
        for start, end in (gates.structure_window, gates.detail_window):
            acting = sum(start <= step_position(step, run) <= end for step in range(1, run + 1))
            assert acting >= run / 3, f"strength {strength}: {acting} of {run}"


@pytest.fixture(scope="module")
def faults(host: Host) -> Callable[..., str]:
    """What the host's check of a graph says of the sampler in it, "" where all is well."""
    execution = importlib.import_module("execution")
    values = {i.id: i.default for i in host.node(SAMPLER).define_schema().inputs
              if getattr(i, "default", None) is not None}

    def check(**given: Any) -> str:
        prompt = {"1": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
                  "2": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "unet_lab.safetensors"}},
                  "3": {"class_type": "SolidMask", "inputs": {"value": 1.0, "width": 64, "height": 64}},
                  "4": {"class_type": "PrimitiveFloat", "inputs": {"value": 0.4}},
                  "5": {"class_type": SAMPLER, "inputs": {**values, "model": ["2", 0], "original_latent": ["1", 0],
                                                          "edited_latent": ["1", 0], "face_mask": ["3", 0], **given}},
                  "6": {"class_type": "PreviewImage", "inputs": {"images": ["5", 1]}}}
        told = host._loop.run_until_complete(execution.validate_prompt("x", prompt, None))[3]
        return "; ".join(one["details"] for one in told.get("5", {"errors": ()})["errors"])

    return check


SAMPLER = "EditedIDAdaptiveMixingSampler"


@pytest.mark.parametrize("value", [0.5, 0.15000000000000002, 1, "0.5", "half", "auto", ["4", 0]])
def test_old_workflows_keep_their_numbers_and_their_links(faults: Any, value: object) -> None:
    assert faults(strength=value, freedom=value) == ""


def test_what_cannot_be_linked_is_still_refused(faults: Any) -> None:
    assert "strength is LATENT: connect COMBO." in faults(strength=["1", 0])
    assert "face_mask is LATENT: connect MASK." in faults(face_mask=["1", 0])
    assert "strength is 2: choose auto or a number from 0.05 to 1." in faults(strength=2)


@pytest.mark.parametrize("value", [0.0, 1.01, -1, "much", "nan", True])
def test_what_is_no_amount_is_refused_in_one_sentence(host: Host, value: object) -> None:
    amounts = importlib.import_module(host.node(SAMPLER).__module__.removesuffix("sampling") + "amounts")
    with pytest.raises(ValueError, match=r"^strength is .*: choose auto or a number from 0.05 to 1\.$"):
        amounts.chosen_amount(value, "strength", 0.05)
    assert amounts.chosen_amount("auto", "strength") is None and amounts.chosen_amount("a lot", "strength") == 0.75
