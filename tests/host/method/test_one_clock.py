"""One clock: gates act in the same part of the run at any strength, on every family, and every number has a say."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from editedid_core.engines.edited_id.mixing import Mixing
from editedid_core.engines.edited_id.noise_grid import step_position
from lab import toys
from lab.inprocess import Host
from lab.toys import TOYS

STRENGTHS = (0.2, 0.5, 0.8, 1.0)
AT_EACH_STRENGTH = ("sd15", "zimage")
"""A UNet and a transformer that are watched at each."""


@pytest.fixture
def gate_steps(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[int]]:
    """Steps in which each gate wrote into the target, watched where it writes."""
    run = importlib.import_module("editedid_core.engines.edited_id.attention.run").AttentionRun
    seen: dict[str, set[int]] = {"structure": set(), "detail": set()}
    structure, detail = run._structure, run._detail

    def watched_structure(self: Any, *args: Any) -> None:
        seen["structure"].add(self.step)
        structure(self, *args)

    def watched_detail(self: Any, *args: Any) -> None:
        seen["detail"].add(self.step)
        detail(self, *args)

    monkeypatch.setattr(run, "_structure", watched_structure)
    monkeypatch.setattr(run, "_detail", watched_detail)
    return seen


def steps_in(window: tuple[float, float], steps: int) -> int:
    """How many steps of a run of so many lie in a window."""
    return sum(window[0] <= step_position(step, steps) <= window[1] for step in range(1, steps + 1))


@pytest.mark.parametrize("kind", list(TOYS))
def test_both_gates_act_on_a_third_of_the_steps_at_the_defaults(
        host: Host, core: Any, tiny_model: Any, gate_steps: dict[str, set[int]], kind: str) -> None:
    """Watched in a run of the default strength, of each on some; a gate acts in all steps of its window, so that the
    levels alone tell how many those are at another strength."""
    toy, defaults = TOYS[kind], core.Entangle()
    own_steps = importlib.import_module("editedid_core.comfy.model_profile").own_steps
    run = importlib.import_module(host.node("EditedIDRestoreIdentity").__module__.removesuffix("restore") + "run")
    model = tiny_model(kind).clone()
    options = model.model_options["transformer_options"]
    options[core.ENTANGLE_KEY], options[core.DISENTANGLE_KEY] = defaults, core.Disentangle()
    assert run.with_gates(tiny_model(kind), run.RestoreConfig()).model_options["transformer_options"].keys() >= {
        core.ENTANGLE_KEY, core.DISENTANGLE_KEY}  # as the everyday node sets them
    face = torch.zeros(64, 96)
    face[:, :56] = 1
    prompt, (original, edited) = toys.conditioning(toy), toys.latents(toy)
    for strength in STRENGTHS:
        settings, own = core.SampleSettings(strength=strength), own_steps(model)
        whole = core.PairSampler(settings, "replay", None, None, None, own).noise_grid(model).steps
        assert 1 <= whole <= own if own else whole == round(settings.steps * strength)
        acting = {gate: steps_in(getattr(defaults, f"{gate}_window"), whole) for gate in gate_steps}
        for gate, steps in acting.items():
            assert steps >= whole / 3, f"{gate} gate at strength {strength}: {steps} of {whole} steps"
        if strength != core.SampleSettings().share and kind not in AT_EACH_STRENGTH:
            continue
        for seen in gate_steps.values():
            seen.clear()
        with torch.inference_mode():
            done = core.sample_pair(model, prompt, prompt, original, edited, face, torch.zeros(64, 96), settings)
        assert len(done.curve) == whole
        assert {gate: len(steps) for gate, steps in gate_steps.items()} == acting, f"at strength {strength}"


@pytest.mark.parametrize("shift", [1.0, 3.0, 8.0])
def test_a_models_shift_moves_no_window(host: Host, core: Any, tiny_model: Any, shift: float) -> None:
    model = tiny_model("sd3")
    node = importlib.import_module("comfy_extras.nodes_model_advanced").ModelSamplingSD3
    shifted = node().patch(model, shift)[0]
    grids = [core.PairSampler(core.SampleSettings(), "replay", None, None, None).noise_grid(m)
             for m in (model, shifted)]
    assert grids[0] == grids[1]


def analytic(host: Host, kind: str) -> tuple[Any, Any]:
    """A MODEL whose denoised answer is the same function of (y, rho) whatever it is trained to predict; its prompt."""
    base, sampling = importlib.import_module("comfy.model_base"), importlib.import_module("comfy.model_sampling")
    forms: dict[str, tuple[Any, ...]] = {
        "eps": (sampling.ModelSamplingContinuousEDM, sampling.EPS),
        "v": (sampling.ModelSamplingContinuousV, sampling.V_PREDICTION),
        "flow": (sampling.ModelSamplingDiscreteFlow, sampling.CONST)}
    form = type(kind, forms[kind], {})
    model = toys.make(TOYS["sd15"])
    clock = form()
    if kind != "flow":
        clock.set_parameters(0.002, 14.6, 1.0)
    means = torch.randn(4, 4, 8, 12, generator=torch.Generator().manual_seed(9))

    class Network(torch.nn.Module):
        dtype = torch.float32

        def forward(self, x: Tensor, timesteps: Tensor, *args: Any, **kwargs: Any) -> Tensor:
            sigma = float(clock.sigma(timesteps[:1]))
            rho = sigma / (1 - sigma) if kind == "flow" else sigma
            y = x * (1 + rho) if kind == "flow" else x * math.sqrt(1 + rho**2)
            variance = 0.25 + rho**2
            share = torch.softmax(-(y[:, None] - means).flatten(2).square().sum(-1) / (2 * variance), 1)
            answer = (share[..., None, None, None] * (means + 0.25 / variance * (y[:, None] - means))).sum(1)
            noise = (y - answer) / rho
            if kind == "eps":
                return noise
            return noise - answer if kind == "flow" else (noise - rho * answer) / math.sqrt(1 + rho**2)

    assert isinstance(model.model, base.BaseModel)
    model.model.diffusion_model = Network()
    model.add_object_patch("model_sampling", clock)
    return model, toys.conditioning(TOYS["sd15"])


def test_eps_v_and_flow_forms_of_one_denoiser_give_the_same_picture(host: Host, core: Any) -> None:
    original, edited = toys.latents(TOYS["sd15"])
    face = torch.zeros(64, 96)
    face[:, :56] = 1
    made = {}
    for kind in ("eps", "v", "flow"):
        model, prompt = analytic(host, kind)
        top = 49.0 if kind == "flow" else 14.6
        share = math.log(14.6 / 0.05) / math.log(top / 0.05)  # the same levels: flow models reach further up
        settings = core.SampleSettings("replay", round(8 / share), share, freedom=1.0)
        with torch.inference_mode():
            made[kind] = core.sample_pair(model, prompt, None, original, edited, face, torch.zeros(64, 96), settings)
    curves = [torch.tensor(one.curve) for one in made.values()]
    assert all(len(curve) == 8 for curve in curves)
    for kind in ("v", "flow"):
        torch.testing.assert_close(made[kind].latent, made["eps"].latent, rtol=1e-3, atol=2e-3)
    torch.testing.assert_close(torch.stack(curves[1:]), torch.stack(curves[:1] * 2), rtol=1e-3, atol=1e-4)
    assert (made["eps"].latent - edited).abs().max() > 0.1


def test_zero_terminal_snr_starts_where_there_is_still_a_picture(host: Host, core: Any, tiny_model: Any) -> None:
    module = importlib.import_module("comfy_extras.nodes_model_advanced")
    model = module.ModelSamplingDiscrete().patch(tiny_model("sd2v"), "v_prediction", True)[0]
    assert float(model.get_model_object("model_sampling").sigma_max) > 1000
    for strength, most in ((1.0, 20.0 + 1e-6), (0.5, 2.0)):
        sampler = core.PairSampler(core.SampleSettings(strength=strength), "replay", None, None, None)
        assert sampler.noise_grid(model).rhos[-1] <= most


@pytest.fixture(scope="module")
def knobs(host: Host, core: Any, tiny_model: Any) -> Callable[..., Tensor]:
    """The default run on a toy, with elements, and any of its numbers changed."""
    model = tiny_model("sd15")
    original, edited = toys.latents(TOYS["sd15"])
    prompt, negative = toys.conditioning(TOYS["sd15"]), toys.conditioning(TOYS["sd15"], 2)
    face, element = torch.zeros(64, 96), torch.zeros(64, 96)
    face[:, :72], element[:16, 16:64] = 1, 1
    face[27:29, 27:29] = face[43:45, 27:29] = 0  # in the middle of a token: bilinear masks see it, averaged ones do not

    def run(settings: dict[str, Any], mixing: dict[str, Any], entangle: dict[str, Any],
            disentangle: dict[str, Any]) -> Tensor:
        clone = model.clone()
        options = clone.model_options["transformer_options"]
        paper = settings.get("mode") == "paper"
        gates = replace(core.Entangle(), structure=1.0) if paper else core.Entangle()
        options[core.ENTANGLE_KEY] = replace(gates, **entangle)
        options[core.DISENTANGLE_KEY] = replace(core.Disentangle(), **disentangle)
        chosen = replace(core.SampleSettings(pose=0.1), mixing=Mixing(**mixing), **settings)
        with torch.inference_mode():
            return core.sample_pair(clone, prompt, negative, original, edited, face, element, chosen).latent

    return run


PAPER = {"mode": "paper", "strength": 1.0, "steps": 6, "cfg": 3.0, "null_text": 0}  # fitting takes ten times as long
KNOBS: dict[str, SimpleNamespace] = {
    **{f"{name} {value}": SimpleNamespace(settings={name: value}) for name, value in (
        ("steps", 12), ("strength", 0.55), ("solver_window", (0.6, 1.0)), ("solver_window", (0.0, 0.4)),
        ("cfg", 2.0), ("noise_seed", 1), ("freedom", 0.35), ("sigma_floor", 0.06), ("inversion", "naive"),
        ("inversion", "fixed point"), ("hold_surroundings", False))},
    **{f"{name} {value}": SimpleNamespace(mixing={name: value}) for name, value in (
        ("init_weight", 0.1), ("rate", 0.1), ("final_steps", 2), ("spherical", False), ("low_band_blur", 1.0))},
    **{f"{name} {value}": SimpleNamespace(entangle={name: value}) for name, value in (
        ("structure", 0.6), ("detail", 0.9), ("donor", "original"), ("structure_window", (0.2, 0.5)),
        ("structure_window", (0.0, 0.2)), ("detail_window", (0.4, 1.0)), ("detail_window", (0.2, 0.8)),
        ("structure_blocks", "down"), ("detail_blocks", "up.0"), ("agreement", 0.8),
        ("sharpness", 1.0), ("pose", 0.2), ("masks", "hard"), ("boost", (0.5, 1.0)))},
    **{f"divide {name} {value}": SimpleNamespace(disentangle={name: value}) for name, value in (
        ("strength", 0.5), ("start", 0.5), ("end", 0.5))},
    **{f"paper, {name} {value}": SimpleNamespace(settings={**PAPER, name: value}) for name, value in (
        ("null_text", 1), ("cfg", 2.0), ("noise_seed", 1), ("solver_window", (0.5, 1.0)))},
    **{f"paper, {name} {value}": SimpleNamespace(settings=PAPER, mixing={name: value}) for name, value in (
        ("init_weight", 0.1), ("final_steps", 1))},
    **{f"paper, {name} {value}": SimpleNamespace(settings=PAPER, entangle={name: value}) for name, value in (
        ("overlap", 0.2), ("masks", "bilinear hard"), ("gated_half", "negative"), ("structure_blocks", "early"),
        ("structure_window", (0.0, 0.2)))},
}


EMPTY: dict[str, dict[str, Any]] = {"settings": {}, "mixing": {}, "entangle": {}, "disentangle": {}}


@pytest.fixture(scope="module")
def unchanged(knobs: Callable[..., Tensor]) -> dict[bool, Tensor]:
    """The default run, and by True the paper's."""
    return {paper: knobs(**{**EMPTY, "settings": PAPER if paper else {}}) for paper in (False, True)}


@pytest.mark.parametrize("name", list(KNOBS))
def test_no_number_is_dead_at_the_defaults(
        knobs: Callable[..., Tensor], unchanged: dict[bool, Tensor], name: str) -> None:
    other = knobs(**{**EMPTY, **vars(KNOBS[name])})
    assert torch.isfinite(other).all()
    assert float((unchanged[name.startswith("paper")] - other).abs().max()) > 1e-4


def test_half_a_mask_is_the_same_blend_at_any_number_of_steps(core: Any, tiny_model: Any) -> None:
    original, edited = toys.latents(TOYS["sd15"])
    prompt, half, way = toys.conditioning(TOYS["sd15"]), torch.full((64, 96), 0.5), original - edited
    shares = []
    for steps in (5, 10, 50):
        settings = core.SampleSettings("replay", steps, 1.0, freedom=0.0)
        with torch.inference_mode():
            out = core.sample_pair(tiny_model("sd15"), prompt, None, original, edited, half, torch.zeros(64, 96),
                                   settings).latent
        shares.append(float(((out - edited) * way).sum() / way.square().sum()))
    assert max(shares) - min(shares) <= 0.02 and sum(shares) / 3 == pytest.approx(0.5, abs=0.03)
