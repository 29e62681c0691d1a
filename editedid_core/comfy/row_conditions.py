"""Each picture of a run sees its own conditioning: guidance, reference pictures, and what stands beside the noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import comfy.conds
import torch
from torch import Tensor

from ..engines.edited_id.trajectory import Rows
from .family_profile import Profile

OWN = "editedid_pictures"
"""Marks the entries of a conditioning whose references or pictures beside the noise are those of this run."""
GUIDANCE, REFERENCES, BESIDE = "guidance", "ref_latents", "c_concat"
ORIGINAL, EDITED, FIRST_OTHER = 0, 1, 2


def with_pictures(conditioning: Any, profile: Profile | None, pictures: Tensor, references: bool,
                  beside: Tensor | None, mask: Tensor) -> Any:
    """The host's conditioning with a run's own pictures, as far as the model was trained with such.

    `pictures` (P, C, ..., h, w): latents of the original, the edit and further photos. `references`: give them to a
    model that takes references, unless the prompt brings its own. `beside` (P, C, ..., h, w): what its input takes
    beside the noise, else `pictures`; `mask` (H, W): what is to be painted anew.
    """
    if profile is None or not (profile.concat or (profile.references and references)):
        return conditioning
    given = []
    for tokens, options in conditioning:
        own: dict[str, Any] = {}
        if profile.references and references and options.get("reference_latents") is None:
            own["reference_latents"] = [pictures, pictures]
            if profile.method:
                own["reference_latents_method"] = profile.method
        if profile.concat:
            own["concat_latent_image"] = pictures if beside is None else beside
        if profile.concat == "masked picture":
            own["concat_mask"] = mask[None, None]
        given.append([tokens, {**options, **own, OWN: tuple(own)}])
    return given


def places(rows: Rows, other: int) -> tuple[list[int], list[int]]:
    """Of each row, the picture that its first reference shows and that of its second: a source sees itself twice, so
    that all rows hold as many tokens, the target the original and then the edit. `other`: which further photo."""
    if rows is Rows.OTHER:
        return [FIRST_OTHER + other], [FIRST_OTHER + other]
    first = {"original": ORIGINAL, "edited": EDITED, "target": ORIGINAL}
    second = {**first, "target": EDITED}
    return [first[name] for name in rows.value], [second[name] for name in rows.value]


class RowConditions:
    """Gives every evaluation the guider's conditionings as its rows are to see them.

    `guider`: running, its conditionings made by the host for the pictures of `with_pictures`. `guidance`: embedded
    guidance of the sources and of the target, None where the model reads none; a prompt's own is the target's.
    """

    def __init__(self, guider: Any, guidance: tuple[float, float] | None) -> None:
        self._guider, self._guidance = guider, guidance

    def before(self, rows: Rows, other: int = 0) -> None:
        """Call before an evaluation of `rows`."""
        conds = self._guider.conds
        self._guider.conds = {name: entries and [self._entry(entry, rows, other) for entry in entries]
                              for name, entries in conds.items()}

    def _entry(self, entry: Mapping[str, Any], rows: Rows, other: int) -> Mapping[str, Any]:
        kept = entry.get(OWN + "_made")
        made = entry["model_conds"] if kept is None else kept
        changed = {}
        if self._guidance is not None and GUIDANCE in made:
            told = entry.get("guidance")
            sources, target = self._guidance[0], self._guidance[1] if told is None else float(told)
            each = [target if name == "target" else sources for name in rows.value]
            changed[GUIDANCE] = comfy.conds.CONDRegular(torch.tensor(each))
        own = entry.get(OWN, ())
        first, second = places(rows, other)
        if "reference_latents" in own and REFERENCES in made:
            one, two = made[REFERENCES].cond
            changed[REFERENCES] = comfy.conds.CONDList([one[first], two[second]])
        if "concat_latent_image" in own and BESIDE in made:
            changed[BESIDE] = comfy.conds.CONDNoiseShape(made[BESIDE].cond[second])
        if not changed:
            return entry
        # what another part of the run changed since, such as a fitted null-text embedding, is kept
        return {**entry, "model_conds": {**entry["model_conds"], **changed}, OWN + "_made": made}
