"""What of a face is the person's and what the edit's, feature by feature and each as a whole.

Frames of glasses and strands of hair stay the edit's, and the person's eyes lie behind them. Places that the photo
does not show, hidden by its pose or by a strand of hair, are the edit's. A beard goes with the mouth: it is the
person's where both pictures show one, else the edit's, unless it is so weak in the edit that it came with the drift. A
feature stays the edit's where the photo cannot be bent to its state, and so do the cheeks where the photo alone laughs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from ..geometry.frontal import GridInPicture, frontal_grid
from ..geometry.mean_mesh import eye_distance
from ..geometry.resample import blur
from ..geometry.visibility import shown_map
from .beard import beard_area, cheek_area
from .elements import largest_around
from .glasses_mask import GlassesMasks, glasses_masks
from .parts import FaceParts
from .reading import FaceReading
from .strands import strands

# Differences of state, as `geometry.states` measures them, beyond which bending the photo does not help: an iris would
# have to be painted, teeth or a closed lid invented. Set by eye on photographs, 2026-11.
_GAZE, _LIDS, _MOUTH = 0.16, 0.13, 0.13
_OPAQUE = 0.75  # log of how much darker than the cheeks a lens is that shows no eye
_CROSSED = 0.3  # share of a lens that the photo's own frame covers; above it the eyes behind are the edit's
# Score of a beard from which an edit's over a bare photo was asked for; below it, it is a shadow or a drift's stubble.
# Four such pairs of photographs score 0.56 to 0.64, and their likeness to held-out photos rises; 2026-11
_BEARDED = 0.7
# How much more of a smile, or of an open mouth, the photo shows, up to which its cheeks are the edit's too, and from
# which they fold. Three pairs of photographs that a laugh had moved away from the person are refused or are no longer
# moved; 2026-11
_SOBER, _LAUGHING = 0.08, 0.12
_FOLDS_SOFT = 0.1  # eye distances, of the border of the cheeks that fold
_SHAVEN = 0.3  # score of a beard below which an edit shows none that could be the person's: it was taken off
_CHEEK = 0.2  # eye distances that a beard reaches up the cheeks over its usual place
_HIDDEN = 0.35  # share of a part that the photo does not show, above which all of it is the edit's


Worn = tuple[GlassesMasks | None, GlassesMasks | None]
"""The glasses of the photo and of the edit."""


@dataclass(frozen=True, eq=False)
class Decision:
    """(S, S) float32 in [0, 1] each. edit: what stays the edit's in any case. person: what is the person's however much
    the two pictures differ there. hair: the lower face where one of the two carries hair, else 0. bent: the parts that
    may differ, since photo and edit are in one state or bent to it. things: glasses and strands of hair that stay the
    edit's. shaved: where hair of the edit's makes way for the person's bare skin. glasses: whether the edit wears some.
    read: whether the faces were read; else nothing is known but `bent`."""

    edit: torch.Tensor
    person: torch.Tensor
    hair: torch.Tensor
    bent: torch.Tensor
    things: torch.Tensor
    shaved: torch.Tensor
    glasses: bool = False
    read: bool = True

    def at(self, size: int) -> Decision:
        """The same masks at another size, (size, size)."""
        masks = torch.stack([self.edit, self.person, self.hair, self.bent, self.things, self.shaved])[None]
        larger = F.interpolate(masks, size=(size, size), mode="bilinear", align_corners=False)[0]
        edit, person, hair, bent, things, shaved = larger
        return Decision(edit, person, hair, bent, things, shaved, self.glasses, self.read)


def undecided(bent: torch.Tensor) -> Decision:
    """Of faces without a mesh: nothing is anybody's beforehand."""
    nobody = torch.zeros_like(bent)
    return Decision(nobody, nobody, nobody, bent, nobody, nobody, read=False)


def decide(photo: FaceReading, edit: FaceReading, laid: NDArray[np.float64], parts: FaceParts) -> Decision:
    """laid: (478, 3), where the photo's points lie in the crop. edit: read in the crop."""
    size = parts.nose.shape[0]
    unit = eye_distance(edit.mesh[:, :2])
    here, there = (GridInPicture(frontal_grid(), mesh, size, size) for mesh in (edit.mesh, laid))
    worn = (_worn(photo), _worn(edit))
    things, person = _glasses(photo, edit, worn, here, there)
    eyes, mouth = _states(photo, edit)
    unseen = 1 - _in_crop(shown_map(photo.mesh, edit.mesh), here, 1.0)
    photos, edits = _hair(photo, edit, worn, here, there)
    unseen, things = torch.maximum(unseen, photos), torch.maximum(things, edits)
    person = person * (1 - edits)
    stays = torch.maximum(things, unseen)
    both_eyes = torch.maximum(parts.left_eye, parts.right_eye)
    if not eyes or _share(unseen, both_eyes) > _HIDDEN:
        stays, person = torch.maximum(stays, both_eyes), person * (1 - both_eyes)
    if not mouth or _share(unseen, parts.mouth) > _HIDDEN:
        stays = torch.maximum(stays, parts.mouth)
    if _share(unseen, parts.nose) > _HIDDEN:
        stays = torch.maximum(stays, parts.nose)
    laughs = _laughs(photo, edit)
    if laughs > 0:
        folds = blur(_in_crop(cheek_area(), here)[None, None], _FOLDS_SOFT * unit)[0, 0]
        stays = torch.maximum(stays, laughs * folds)
    hair = shaved = torch.zeros(size, size)
    if photo.beard.present or edit.beard.present:
        hair = _in_crop(beard_area(), here)
        around = _grown(hair, _CHEEK * unit)
        if (not photo.beard.present and edit.beard.score >= _BEARDED) or edit.beard.score < _SHAVEN:
            stays = torch.maximum(stays, torch.maximum(around, parts.mouth))
        elif not photo.beard.present:
            shaved = around * (1 - stays.clamp(0, 1))
    bent = torch.stack([parts.left_eye * float(eyes), parts.right_eye * float(eyes), parts.nose,
                        parts.mouth * float(mouth)]).amax(0)
    return Decision(stays.clamp(0, 1), person * (1 - unseen), hair, bent, things, shaved,
                    edit.glasses)


def _worn(reading: FaceReading) -> GlassesMasks | None:
    """Where a face's glasses lie, if it wears some."""
    return glasses_masks(reading.face) if reading.glasses else None


def _hair(photo: FaceReading, edit: FaceReading, worn: Worn, here: GridInPicture, there: GridInPicture
          ) -> tuple[torch.Tensor, torch.Tensor]:
    """Strands of hair that hang over the photo's face alone, and over the edit's alone. here, there: where the edit's
    face and the photo's lie in the crop."""
    covers = [np.maximum(one.frame, one.lenses) for one in worn if one is not None]
    rims = np.max(covers, axis=0) if covers else None
    pair = ((photo.face, edit.face, there), (edit.face, photo.face, here))
    found = [(strands(face, other, rims), where) for face, other, where in pair]
    photos, edits = (_in_crop(hair, where) if hair.any() else torch.zeros(where.height, where.width)
                     for hair, where in found)
    return photos, edits


def _states(photo: FaceReading, edit: FaceReading) -> tuple[bool, bool]:
    """Whether eyes and mouth of the photo can be bent to the edit's state."""
    a, b = photo.states, edit.states
    if not (a.seen and b.seen):
        return True, True
    gaze = abs(float(np.mean(a.gaze_x)) - float(np.mean(b.gaze_x)))
    lids = abs(float(np.mean(a.lids)) - float(np.mean(b.lids)))
    looking = not (a.eyes_open and b.eyes_open and a.fine and b.fine) or gaze <= _GAZE
    return looking and a.eyes_open == b.eyes_open and lids <= _LIDS, abs(a.mouth - b.mouth) <= _MOUTH


def _laughs(photo: FaceReading, edit: FaceReading) -> float:
    """How much more the photo laughs than the edit, 0 to 1: its cheeks then have folds that the edit's do not."""
    more = max(photo.states.smile - edit.states.smile, photo.states.mouth - edit.states.mouth)
    return float(np.clip((more - _SOBER) / (_LAUGHING - _SOBER), 0, 1))


def _glasses(photo: FaceReading, edit: FaceReading, worn: Worn, here: GridInPicture, there: GridInPicture
             ) -> tuple[torch.Tensor, torch.Tensor]:
    """What of glasses and eyes stays the edit's, and where the person's eyes lie behind the edit's lenses. here, there:
    as of _hair()."""
    stays, person = torch.zeros(here.height, here.width), torch.zeros(here.height, here.width)
    of_photo, of_edit = worn
    if of_edit is not None:
        frame, lenses = (_tensor(m) for m in of_edit.in_picture(here))
        opaque = _darkness(edit, of_edit) > _OPAQUE
        stays = torch.maximum(frame, lenses) if opaque else frame
        person = torch.zeros_like(lenses) if opaque else lenses * (1 - frame)
    if of_photo is not None:
        frame, lenses = (_tensor(m) for m in of_photo.in_picture(there))
        crossed = edit.glasses and _share(frame, person) < _CROSSED and _darkness(photo, of_photo) <= _OPAQUE
        kept = frame if crossed else torch.maximum(frame, lenses)
        stays, person = torch.maximum(stays, kept), person * (1 - kept)
    return stays, person


def _darkness(reading: FaceReading, worn: GlassesMasks) -> float:
    """Log of how much darker the lenses are than the cheeks."""
    lenses = worn.lenses > 0.5
    cheeks = [reading.face.place(50, 205), reading.face.place(280, 425)]
    light = [reading.face.light[int(y) - 4:int(y) + 5, int(x) - 4:int(x) + 5] for x, y in cheeks]
    return float(np.median(light) - np.median(reading.face.light[lenses])) if lenses.any() else 0.0


def _in_crop(grid: NDArray[np.floating], where: GridInPicture, outside: float = 0.0) -> torch.Tensor:
    """A mask of the frontal grid as it lies in the crop, (size, size); `outside`: its value beside the face."""
    return _tensor(where.show(np.asarray(grid, dtype=np.float32) - outside)) + outside


def _grown(mask: torch.Tensor, radius: float) -> torch.Tensor:
    """The mask reaching `radius` pixels further, soft there."""
    reach = max(1, round(radius / 2))
    wide = largest_around(mask[None, None], reach)
    return torch.maximum(blur(wide, reach / 1.5)[0, 0], mask)


def _tensor(mask: NDArray[np.float32]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(mask))


def _share(mask: torch.Tensor, part: torch.Tensor) -> float:
    inside = part > 0.5
    return float(mask[inside].mean()) if bool(inside.any()) else 0.0
