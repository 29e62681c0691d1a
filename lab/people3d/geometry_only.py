"""Landmarks of people in scenes without drawing: thousands a second, for models of shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch

from .camera import Camera, crop_matrix, five_points
from .edits import edited_scenes, jittered, original_scenes
from .expressions import UNITS
from .geometry import rotate, rotation_vector
from .head import load_head
from .people import People, people_of
from .scenes import Scenes
from .surface import FrontView, Points
from .triples import DRIFTS, SHARE, drift
from .truth import SLIDE, Landmarks, outline_share


@dataclass(frozen=True, eq=False)
class LandmarkModel:
    """The landmarks' own rows of the mesh: base (R, 3), targets of identity and of expression, share of the turn (R,).

    Rows: 68 landmarks, then the jaw's candidates.
    """

    base: torch.Tensor
    shape_targets: torch.Tensor
    unit_targets: torch.Tensor
    identity: torch.Tensor
    turn: torch.Tensor
    pivot: torch.Tensor

    @staticmethod
    def load() -> LandmarkModel:
        """Takes the rows out of the head once."""
        head = load_head()
        marks = Landmarks(FrontView(head))

        def rows(points: Points) -> sp.csr_matrix:
            count = len(points.corners)
            return sp.csr_matrix(
                (points.weights.ravel(), (np.repeat(np.arange(count), 3), points.corners.ravel())),
                (count, len(head.turn)),
            )

        pick = sp.vstack([rows(marks.points), rows(marks.slide)])
        matrix = pick @ head.matrix[: len(head.turn)]
        targets = np.stack([matrix @ t for t in head.targets]).astype(np.float32)
        identity = [k for k, name in enumerate(head.names) if "-" in name]
        units = [head.names.index(u) for u in UNITS]
        to = lambda a: torch.as_tensor(np.asarray(a), dtype=torch.float32)  # noqa: E731 - five casts
        return LandmarkModel(
            to(matrix @ head.base),
            to(targets[identity]).reshape(len(identity), -1),
            to(targets[units]).reshape(len(units), -1),
            torch.tensor(identity),
            to(pick @ head.turn),
            to(head.pivot),
        )

    def landmarks(self, people: People, scenes: Scenes, size: int = 256) -> torch.Tensor:
        """(n, 68, 2) landmarks in pixels, as `World.draw` gives them."""
        n = len(people)
        weights = people.shape[:, self.identity] @ self.shape_targets + scenes.units @ self.unit_targets
        face = self.base + weights.reshape(n, -1, 3)
        vector = rotation_vector(scenes.yaw, scenes.pitch, scenes.roll)
        posed = rotate(face - self.pivot, vector, self.turn.expand(n, -1)) + self.pivot
        centre = rotate(torch.tensor([0.0, 7.1, 0.7]).expand(n, 1, 3) - self.pivot, vector, 1.0)[:, 0] + self.pivot
        a, e = torch.deg2rad(scenes.azimuth), torch.deg2rad(scenes.elevation)
        back = torch.stack([torch.sin(a) * torch.cos(e), torch.sin(e), torch.cos(a) * torch.cos(e)], -1)
        eye = centre + back * scenes.distance[:, None]
        right = torch.nn.functional.normalize(
            torch.linalg.cross(torch.tensor([0.0, 1.0, 0.0]).expand_as(back), back), dim=-1
        )
        up = torch.linalg.cross(back, right)
        still = Camera(eye, right, up, -back, torch.eye(3)[:2].expand(n, 2, 3))
        choice = posed[:, 68:].reshape(n, 17, len(SLIDE), 3)
        share = outline_share(still.plane(choice)[..., :2])
        marks = torch.cat([(choice * share[..., None]).sum(2), posed[:, 17:68]], 1)
        out = still.plane(marks)[..., :2]
        frame = crop_matrix(five_points(out), size, scenes.frame, scenes.shift, scenes.cropped)
        return (out - frame[:, None, :, 2]) @ torch.linalg.inv(frame[:, :, :2]).transpose(1, 2)


def landmark_triples(
    seeds: Sequence[int], generator: torch.Generator, kind: str = "expression", model: LandmarkModel | None = None
) -> torch.Tensor:
    """(n, 3, 68, 2): original, drifted and ideal landmarks of triples, half of them with the pose kept.

    seeds decide the people, `generator` the scenes and drifts; kind: what the edit changes, see `triples.KINDS`.
    """
    model = model or LandmarkModel.load()
    people, n = people_of(seeds), len(seeds)
    first = original_scenes(people, generator)
    keeps = torch.rand(n, generator=generator) < 0.5
    second = edited_scenes(first, people, [kind] * n, keeps, generator)
    third = jittered(second, generator)
    share = torch.tensor([SHARE[d] for d in DRIFTS])[torch.randint(len(DRIFTS), (n,), generator=generator)]
    moved = drift(people, seeds, share)
    return torch.stack(
        [model.landmarks(people, first), model.landmarks(moved, third), model.landmarks(people, second)], 1
    )
