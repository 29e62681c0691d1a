"""The world: people, scenes, pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from .camera import crop_matrix, five_points
from .draw import Painter
from .people import People, people_of, sample_people
from .scenes import Scenes, sample_scenes
from .words import words

CHUNK = {"cpu": 2, "cuda": 24}
"""Pictures of 256 px drawn at once, by device."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """n pictures (n, 3, S, S) in 0..1, landmarks68 (n, 68, 2) in pixels, words; with truth: visibility (n, 68),
    masks (n, S, S) by name, depth (n, S, S) in decimetres, infinity behind everybody."""

    pictures: torch.Tensor
    landmarks68: torch.Tensor
    words: list[list[str]]
    visibility: torch.Tensor | None = None
    masks: dict[str, torch.Tensor] | None = None
    depth: torch.Tensor | None = None


class World:
    """Makes people and draws them on one device."""

    def __init__(self, device: str | torch.device = "cpu", seed: int = 0, samples: int = 2, children: int = 16) -> None:
        """samples: samples a pixel and side. children: strands to a guide, sixteen thousand strands by default."""
        self.device, self.samples, self.children = torch.device(device), samples, children
        self.generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            self.painter = Painter(self.device)

    def people(self, n: int, generator: torch.Generator | None = None) -> People:
        """n people at random, of a CPU generator."""
        return sample_people(n, generator or self.generator)

    def people_of(self, seeds: Sequence[int]) -> People:
        """The person of each seed."""
        return people_of(seeds)

    def scenes(
        self, n: int, generator: torch.Generator | None = None, people: People | None = None, framing: str = "mixed"
    ) -> Scenes:
        """n scenes at random, fitting the people."""
        return sample_scenes(n, generator or self.generator, people, framing)

    @torch.no_grad()
    def draw(
        self,
        people: People,
        scenes: Scenes,
        size: int = 256,
        truth: bool = False,
        chunk: int | None = None,
        framed: tuple[People, Scenes] | None = None,
    ) -> Drawn:
        """Draw people in scenes. framed: the camera frames each picture as it would these people in these scenes.

        Raises ValueError when their numbers differ.
        """
        if len(people) != len(scenes):
            raise ValueError(f"{len(people)} people cannot be drawn in {len(scenes)} scenes.")
        step = chunk or max(1, round(CHUNK[self.device.type] * (256 / size) ** 2))
        cuts = [slice(k, k + step) for k in range(0, len(people), step)]
        parts = [
            self.painter.draw(
                people[cut],
                scenes[cut],
                size,
                truth,
                self.samples,
                self.children,
                framed and (framed[0][cut], framed[1][cut]),
            )
            for cut in cuts
        ]
        pictures, landmarks = torch.cat([p.pictures for p in parts]), torch.cat([p.landmarks for p in parts])
        if not truth:
            return Drawn(pictures, landmarks, words(people, scenes))
        visible = torch.cat([p.visibility for p in parts if p.visibility is not None])
        depth = torch.cat([p.depth for p in parts if p.depth is not None])
        names = list(parts[0].masks or {})
        masks = {k: torch.cat([p.masks[k] for p in parts if p.masks is not None]) for k in names}
        return Drawn(pictures, landmarks, words(people, scenes), visible, masks, depth)


def crop(pictures: torch.Tensor, landmarks68: torch.Tensor, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The pack's face crop of pictures (n, C, H, W): crops (n, C, size, size) and the landmarks in them."""
    height, width = pictures.shape[-2:]
    matrix = crop_matrix(five_points(landmarks68), size)
    y, x = torch.meshgrid(*[torch.arange(size, device=pictures.device, dtype=torch.float32)] * 2, indexing="ij")
    place = torch.stack([x, y], -1).reshape(1, -1, 2) @ matrix[:, :, :2].transpose(1, 2) + matrix[:, None, :, 2]
    scale = torch.tensor([2 / width, 2 / height], device=pictures.device)
    grid = ((place + 0.5) * scale - 1).reshape(len(pictures), size, size, 2)
    cropped = torch.nn.functional.grid_sample(
        pictures, grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    inverse = torch.linalg.inv(matrix[:, :, :2])
    return cropped, (landmarks68 - matrix[:, None, :, 2]) @ inverse.transpose(1, 2)
