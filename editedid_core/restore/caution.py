"""Warns about pairs of faces that are hard to restore; `bench robustness` shows where results break."""

from __future__ import annotations

import numpy as np

from ..faces.similarity import pose_distance
from ..geometry.affine import scale_of
from ..records import Face, FaceCrop, FacePair

SMALLEST = 20.0
"""Pixels between the eyes."""

MOST_TURNED = 0.09
"""Pose distance in eye distances: about 35 degrees of yaw between the lab's pictures, or a wide smile."""

MOST_COVERED = 0.5
"""Share of the face that stays the edit's because it is covered or differs too much."""

LEAST_LIKE = 0.3
"""Likeness (cosine) below which recognisers hardly take two faces for one person."""

MOST_SPREAD = 0.2
"""Uncertainty of a small face's place, in eye distances, above which its features may sit wrong (drawn)."""

LEAST_ROOM = 0.5
"""Pixels of the picture for one of the crop, below which the picture has no room for what the crop holds."""


def cautions(pair: FacePair, covered: float = 0.0) -> tuple[str, ...]:
    """One sentence with a remedy for each difficulty; empty if there is none.

    covered: share of the edited face under glasses, hair or a hand, or unlike the photo, 0 to 1.
    """
    found = []
    edit, photo = eye_distance(pair.edited), eye_distance(pair.original)
    if edit < SMALLEST:
        found.append(f"The face in the edit is small ({edit:.0f} pixels between the eyes): enlarge the edited picture "
                     "first.")
    if photo < SMALLEST:
        found.append(f"The face in the photo is small ({photo:.0f} pixels between the eyes): use a larger photo.")
    if pose_distance(pair.original, pair.edited) > MOST_TURNED:
        found.append("Photo and edit show the face from different sides or with different expressions: use a photo in "
                     "a similar pose, or several photos.")
    if covered > MOST_COVERED:
        found.append(f"About {covered:.0%} of the face is covered in the edit, or too different from the photo to be "
                     "mixed with it: that part stays the edit's. Use a photo that looks more alike.")
    if pair.similarity is not None and pair.similarity < LEAST_LIKE:
        found.append(f"The face in the edit hardly resembles the person any more (likeness {pair.similarity:.2f}): "
                     "check that it is meant to be this person.")
    if pair.rival is not None:
        found.append(f"Who is who is doubtful: another face is as like ({pair.rival.likeness:.2f} against "
                     f"{pair.similarity:.2f}). Look at the face map, and name the pair in pairs.")
    return tuple(found)


def small_cautions(pair: FacePair, crop: FaceCrop) -> tuple[str, ...]:
    """One sentence with a remedy for each difficulty of a super-resolution; empty if there is none."""
    found = []
    if scale_of(crop.to_image) < LEAST_ROOM:
        times = 1 / scale_of(crop.to_image)
        found.append(f"The picture has too few pixels for what the face's crop holds: enlarge the picture first, up to "
                     f"{times:.0f} times.")
    placement = pair.placement
    if placement is not None and placement.margin is None and pair.edited.embedding is None:
        found.append("So few pixels do not tell whether this is the person of the photos: check it yourself.")
    elif placement is not None and placement.margin is not None and placement.margin < 0:
        found.append("The small face looks like another person's than the photos': check that they show this person, "
                     "at about this age, and draw a box round the face.")
    if placement is not None and pair.edited.embedding is None and placement.spread > MOST_SPREAD:
        found.append(f"The place of the face is uncertain (by {placement.spread:.2f} eye distances): draw a box round "
                     "it, from the forehead to the chin.")
    if len(pair.originals) == 1:
        found.append("Only one photo shows the person: its expression and its light stay. Two to five photos are "
                     "better.")
    return tuple(found)


def eye_distance(face: Face) -> float:
    """Pixels between the eyes."""
    return float(np.linalg.norm(face.points[1] - face.points[0]))
