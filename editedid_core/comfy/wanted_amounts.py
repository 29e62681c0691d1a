"""How much a run on a ComfyUI model does where nobody says: by its profile, a distilled model by its own steps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import comfy.samplers

from ..engines.edited_id.noise_grid import SIGMA_FLOOR, strength_of_own
from ..engines.edited_id.noise_space import NoiseSpace
from ..engines.edited_id.settings import Mode
from ..engines.edited_id.wanted import DISTILLED, LARGE, Wanted
from .model_profile import noise_space, own_steps, profile_of


def own_sigmas(sampling: Any, space: NoiseSpace, steps: int) -> list[float]:
    """The levels that a distilled model was taught to step between, and 0."""
    scheduler = "simple" if space.flow else "sgm_uniform"
    return comfy.samplers.calculate_sigmas(sampling, scheduler, steps).tolist()


def steps_of_run(model: Any, mode: Mode) -> int:
    """Own steps of a distilled MODEL, where the mode leaves the run to it; else 0."""
    return own_steps(model) if mode == "auto" else 0


def wanted_by(model: Any, mode: Mode, sigma_floor: float = SIGMA_FLOOR) -> Wanted:
    """What a MODEL wants in a mode. A model that the table does not have counts as large."""
    steps, profile = steps_of_run(model, mode), profile_of(model)
    if not steps:
        return LARGE if profile is None else profile.wanted
    space, sampling = noise_space(model), model.get_model_object("model_sampling")
    strength = strength_of_own(space, own_sigmas(sampling, space, steps), DISTILLED.own_share, sigma_floor)
    return replace(DISTILLED, strength=strength)
