"""The guard: it refuses a restoration that is further from the person than the edit, or that has come apart.

METHOD §6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ..config import GuardConfig, PasteConfig
from ..crops.paste import as_pasted
from ..faces.analyzers.protocol import FaceAnalyzer
from ..faces.detect import central_faces, found_again_each
from ..faces.similarity import person_similarity, second_similarity
from ..geometry.affine import apply, inverse_affine, scale_of
from ..records import Face, FaceCrop, FacePair
from .ghosts import ghosts_in
from .report import Decision, FaceReport, box_of

_SHOWN = 0.6
"""Share of the gain that is asked for behind glasses. Two other recognisers found a face behind added glasses 0.16 and
0.13 nearer to the person where dlib had seen 0.035; one more pair of 46 is accepted, and it is whole (photographs,
2026-11)."""

_SECOND_GAIN = 0.02
"""Likeness that a second recogniser must see gained. With either of two others beside dlib, two of four faces that had
come out further from the person were refused, and none that was whole (46 pairs of photographs, 2026-11)."""


@dataclass(frozen=True, eq=False)
class Sight:
    """What the guard sees of a face: `before` in the edit's crop, `after` in what would be pasted, None where none is
    found; `pasted` (1, S, S, 3)."""

    before: Face | None
    after: Face | None
    pasted: Tensor


def look(faces: Sequence[tuple[FaceCrop, Tensor, Tensor, Tensor, Tensor]], analyzer: FaceAnalyzer, threshold: float,
         paste: PasteConfig) -> list[Sight]:
    """Look at several restored faces, which takes less time than one after another. faces: the first five arguments of
    judge()."""
    before = found_again_each([(shown, crop.to_image, crop.pair.as_found) for crop, _, shown, _, _ in faces], analyzer,
                              threshold)
    pasted = [as_pasted(edited[0], restored[0], mask, paste.feather, paste.colour)[None]
              for _, mask, _, edited, restored in faces]
    return [Sight(*seen) for seen in zip(before, central_faces(pasted, analyzer, threshold), pasted)]


def judge(crop: FaceCrop, mask: Tensor, as_edited: Tensor, edited: Tensor, restored: Tensor,
          analyzer: FaceAnalyzer, threshold: float, guard: GuardConfig, paste: PasteConfig,
          least_gain: float | None = None, sight: Sight | None = None) -> FaceReport:
    """Compare a face before (`as_edited`) and after, both seen in the same crop by the same analyzer.

    `as_edited`, `edited`, `restored`: (1, S, S, 3), the edit's crop as it came, in its new shape, and restored. The
    guard judges `restored` pasted into `edited` through `mask` (S, S), exactly as `paste` will do it. `least_gain`: the
    likeness that must be gained; None for the guard's own. A guard that is not enabled accepts every result. `sight`:
    what look() gave, None to look now.
    The report's likeness before is that of the face as found in the whole picture, one number with the matching. The
    guard itself compares crop with crop.
    """
    pair, found = crop.pair, crop.pair.as_found
    sight = sight or look([(crop, mask, as_edited, edited, restored)], analyzer, threshold, paste)[0]
    before, after, pasted = sight.before, sight.after, sight.pasted
    seen = before or found
    known = seen if found.embedding is None else found
    # a face too small to be recognised is like anybody
    similarity_before = 0.0 if seen.embedding is None else person_similarity(pair.originals, seen)
    as_found = 0.0 if known.embedding is None else person_similarity(pair.originals, known)
    box = box_of(found.box)
    if after is None:
        decision = Decision.KEPT_LOST if guard.enabled else Decision.UNSEEN
        return FaceReport(crop.frame, box, as_found, None, None, decision)
    similarity_after = person_similarity(pair.originals, after)
    error = None
    if before is not None:
        # the face's new shape moves its points on purpose
        shift = (pair.edited.points - found.points) / scale_of(crop.to_image)
        eye_distance = float(np.linalg.norm(before.points[1] - before.points[0]))
        away = np.linalg.norm(after.points - before.points - shift, axis=1).mean()
        error = float(away) / max(eye_distance, 1e-6)
    gain = needed_gain(guard, similarity_before, crop.glasses) if least_gain is None else least_gain
    decision = Decision.RESTORED
    if guard.enabled and (similarity_after < similarity_before + gain or _disputed(pair, before, after, gain)):
        decision = Decision.KEPT_NO_NEARER
    elif guard.enabled and error is not None and error > guard.most_moved:
        decision = Decision.KEPT_MOVED
    elif guard.enabled and not _clean(crop, edited[0], pasted[0]):
        decision = Decision.KEPT_GHOSTS
    return FaceReport(crop.frame, box, as_found, similarity_after, error, decision)


def _disputed(pair: FacePair, before: Face | None, after: Face, gain: float) -> bool:
    """Whether a second recogniser, where one is installed, does not see the face come nearer."""
    if before is None or gain <= 0:
        return False
    was, now = (second_similarity(pair.originals, face) for face in (before, after))
    return was is not None and now is not None and now < was + min(_SECOND_GAIN, gain)


def _clean(crop: FaceCrop, edited: Tensor, pasted: Tensor) -> bool:
    """Whether a face shows the person or the edit at each place, and not both at once; where the photo does not lie on
    the edit's mesh, nobody can tell."""
    if crop.photo is None:
        return True
    to_crop, face = inverse_affine(crop.to_image), crop.pair.edited
    dense = None if face.dense is None else apply(to_crop, face.dense)
    return ghosts_in(pasted, crop.photo, edited, apply(to_crop, face.points), dense).clean


def needed_gain(guard: GuardConfig, before: float, glasses: bool = False) -> float:
    """Likeness that a face must gain which had `before`: where little is missing, a share of that is enough, and behind
    glasses, which hide the eyes from a recogniser, a share of what is asked of others."""
    return min(guard.least_gain * (_SHOWN if glasses else 1.0), guard.enough * (1 - before))
