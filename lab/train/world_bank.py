"""Pictures of people on the device that trains: drawn in blocks, kept as bytes, overwritten oldest first.

A block holds some persons with a few shots of each, the last one wider than the face crop; a quarter of the persons
are look-alikes, blended from the block's first ones. Three worlds give blocks: `Rendered` (lab.people3d), `Drawn`
(lab.portraits) and `Noise`, which tests and the compiling ahead of time use.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from .text import MIRRORED, WORDS, TextEncoder, prompt_ids

SHOTS = 4
PROMPTS = 4
"""Prompts kept of each picture and of its mirror image."""
SURVEYED, IDENTITY = 1024, 64
"""People that the ways in which people differ are measured on, and how many of these ways are kept."""
OPENINGS = ("", "", "a photo of a", "portrait of a")
TUNE = 10_000_000
"""Persons of the tune split, whose pictures measure; training has none of them."""


@dataclass(frozen=True, eq=False)
class Block:
    """pictures uint8 (P*S,3,H,W), points float32 (P*S,68,2) in pixels, words of each; a person's shots side by side.

    identity: (P, D) the strongest ways in which people of the world differ, of mean square about one.
    """

    pictures: Tensor
    points: Tensor
    words: list[list[str]]
    identity: Tensor


class World(Protocol):
    """What gives blocks. `size`: side of the pictures; a look-alike of person i < q is person P - q + i, q = P // 4."""

    size: int

    def block(self, persons: int) -> Block: ...

    def unseen(self, count: int) -> Tensor: ...


class Rendered:
    """The world in three dimensions."""

    def __init__(self, device: str, size: int, seed: int) -> None:
        from ..people3d import World as People3d

        self.world: Any = People3d(device, seed=seed)
        self.size, self.generator = size, torch.Generator().manual_seed(seed)
        known = _coefficients(self.world.people(SURVEYED, torch.Generator().manual_seed(seed + 1)))
        self.mean, self.deviation = known.mean(0), known.std(0).clamp(min=1e-6)
        axes = torch.linalg.svd((known - self.mean) / self.deviation, full_matrices=False)
        self.axes = axes.Vh[:IDENTITY].T * (SURVEYED / axes.S[:IDENTITY].square().mean()) ** 0.5

    def block(self, persons: int) -> Block:
        world, quarter = self.world, persons // 4
        own = world.people(persons - quarter, self.generator)
        share = torch.rand(quarter, generator=self.generator) * 0.5 + 0.2
        alike = own[:quarter].blend(own[quarter : 2 * quarter], share)
        people = type(own).cat([own, alike])
        parts: list[Any] = []
        for shots, framing in ((SHOTS - 1, "crop"), (1, "portrait")):
            each = people[torch.arange(persons).repeat_interleave(shots)]
            scenes = world.scenes(persons * shots, self.generator, each, framing=framing)
            drawn = world.draw(each, scenes, size=self.size)
            parts.append((_bytes(drawn.pictures), drawn.landmarks68.float(), drawn.words, shots))
        pictures, points = (torch.cat([p[i].unflatten(0, (persons, p[3])) for p in parts], 1).flatten(0, 1)
                            for i in (0, 1))
        words = [line for person in range(persons) for _, _, lines, shots in parts
                 for line in lines[person * shots : (person + 1) * shots]]
        identity = (_coefficients(people) - self.mean) / self.deviation @ self.axes
        return Block(pictures, points, words, identity.to(pictures.device))

    def unseen(self, count: int) -> Tensor:
        """uint8 (count,3,H,W): crops of tune people."""
        people = self.world.people_of(range(TUNE, TUNE + count))
        scenes = self.world.scenes(count, torch.Generator().manual_seed(5), people, framing="crop")
        return _bytes(self.world.draw(people, scenes, size=self.size).pictures)


def _coefficients(people: Any) -> Tensor:
    """(P, K): everything that the world knows of who they are, marks' seeds aside."""
    return torch.cat((people.shape, people.values), 1).float()


class Drawn:
    """The drawn world behind the same calls; slow, for tests."""

    def __init__(self, device: str, size: int, seed: int) -> None:
        self.device, self.size, self.seed, self.made = device, size, seed, 0

    def block(self, persons: int) -> Block:
        from .. import portraits

        rng = np.random.default_rng([self.seed, self.made])
        self.made += 1
        quarter = persons // 4
        people = [portraits.sample_identity(rng) for _ in range(persons - quarter)]
        people += [portraits.drift_identity(person, 0.5, rng) for person in people[:quarter]]
        shots = [portraits.render(person, portraits.crop_scene(rng), size=self.size)
                 for person in people for _ in range(SHOTS)]
        words = [["smiling", "turned left"] if rng.random() < 0.5 else ["person"] for _ in shots]
        points = torch.tensor(np.stack([shot.dense for shot in shots]), dtype=torch.float32)
        identity = torch.tensor(np.stack([person.vector() for person in people]), dtype=torch.float32)
        return Block(self._bytes(shots), points.to(self.device), words, identity.to(self.device))

    def unseen(self, count: int) -> Tensor:
        from .. import portraits

        rng = np.random.default_rng([TUNE, self.seed])
        return self._bytes([portraits.render(portraits.sample_identity(rng), portraits.crop_scene(rng), size=self.size)
                            for _ in range(count)])

    def _bytes(self, shots: Sequence[Any]) -> Tensor:
        return _bytes(torch.tensor(np.stack([shot.image for shot in shots])).permute(0, 3, 1, 2)).to(self.device)


def _bytes(pictures: Tensor) -> Tensor:
    return (pictures.clamp(0, 1) * 255 + 0.5).to(torch.uint8)


def some_prompt(words: Sequence[str], rng: np.random.Generator, mirrored: bool) -> list[int]:
    """Token ids of a prompt that says part of what a picture shows, in any order; tags without an entry stay out."""
    words = [MIRRORED.get(word, word) if mirrored else word for word in words]
    known = [word for word in words if word in WORDS]
    said = [word for word in known if rng.random() < rng.choice((0.3, 0.6, 0.9))]
    rng.shuffle(said)
    return prompt_ids(said, str(rng.choice(OPENINGS)) if said else "")


class Bank:
    """The pictures at hand; `filled` of `capacity` rows are real. Rows come in whole blocks."""

    def __init__(self, world: World, capacity: int, persons: int, device: str, seed: int) -> None:
        self.world, self.persons, self.device = world, persons, device
        self.rows = persons * SHOTS
        self.capacity = max(1, capacity // self.rows) * self.rows
        self.filled = self.drawn = 0
        size = world.size
        self.pictures = torch.zeros(self.capacity, 3, size, size, dtype=torch.uint8, device=device)
        self.points = torch.zeros(self.capacity, 68, 2, device=device)
        self.prompts = torch.zeros(self.capacity, 2, PROMPTS, 77, dtype=torch.uint8, device=device)
        self.identity: Tensor | None = None
        self.text = TextEncoder(device)
        self.empty = torch.from_numpy(self.text.rows([])).to(device)
        self.latents: dict[int, Tensor] = {}
        self._encoders: dict[int, Any] = {}
        self._rng = np.random.default_rng(seed)

    def draw(self) -> slice:
        """Draw one block over the oldest rows."""
        block = self.world.block(self.persons)
        start = self.drawn % self.capacity
        place = slice(start, start + self.rows)
        self.pictures[place], self.points[place] = block.pictures, block.points
        prompts = [[[self.text.rows(some_prompt(words, self._rng, mirrored)) for _ in range(PROMPTS)]
                    for mirrored in (False, True)] for words in block.words]
        self.prompts[place] = torch.from_numpy(np.array(prompts)).to(self.device)
        if self.identity is None:
            self.identity = torch.zeros(self.capacity // SHOTS, block.identity.shape[1], device=self.device)
        self.identity[start // SHOTS : start // SHOTS + self.persons] = block.identity
        self.drawn += self.rows
        self.filled = min(self.capacity, self.drawn)
        for channels in self._encoders:
            self._encode(channels, place)
        return place

    def encode_all(self, channels: int, encoder: Any) -> None:
        """From now on keep the latents of every picture and of its mirror image by a fixed encoder."""
        cells = self.world.size // 8
        self._encoders[channels] = encoder
        self.latents[channels] = torch.zeros(self.capacity, 2, channels, cells, cells, dtype=torch.float16,
                                             device=self.device)
        for start in range(0, self.filled, self.rows):
            self._encode(channels, slice(start, start + self.rows))

    @torch.no_grad()
    def _encode(self, channels: int, place: slice, batch: int = 16) -> None:
        for start in range(place.start, place.stop, batch):
            stop = min(start + batch, place.stop)
            x = unit(self.pictures[start:stop])
            for mirrored, part in enumerate((x, x.flip(3))):
                with mixed(x):
                    latents = self._encoders[channels](part.contiguous(memory_format=torch.channels_last))
                self.latents[channels][start:stop, mirrored] = latents.half()

    def pick(self, count: int, references: int, channels: int, kept: float) -> Picked:
        """Latents and texts of random crops; a share `kept` of the texts is not emptied. References: the same person.

        One reference in eight is the picture itself.
        """
        n, device = count, self.device
        person = torch.randint(self.filled // SHOTS, (n,), device=device)
        mirrored = torch.randint(2, (n,), device=device)
        shot = torch.randint(SHOTS - 1, (1 + references, n), device=device)
        shot[1:] = torch.where(shot[1:] == shot[0], torch.where(torch.rand(shot[1:].shape, device=device) < 0.4,
                                                                shot[1:], (shot[1:] + 1) % (SHOTS - 1)), shot[1:])
        rows = person * SHOTS + shot
        latents = self.latents[channels][rows, mirrored].float()
        prompt = self.prompts[rows[0], mirrored, torch.randint(PROMPTS, (n,), device=device)]
        said = torch.rand(n, device=device) < kept
        prompt = torch.where(said[:, None], prompt, self.empty)
        context, pooled = self.text(prompt)
        return Picked(latents[0], list(latents[1:]), context, pooled)


@dataclass(frozen=True, eq=False)
class Picked:
    """A batch for a diffusion model: latents (B,C,h,w), references alike, context (B,77,768), pooled (B,768)."""

    latents: Tensor
    references: list[Tensor]
    context: Tensor
    pooled: Tensor


def mixed(like: Tensor) -> torch.autocast:
    """bfloat16 on a GPU; a CPU computes as it is."""
    return torch.autocast(like.device.type, torch.bfloat16, enabled=like.is_cuda)


def unit(pictures: Tensor) -> Tensor:
    """Bytes (N,3,H,W) to float32 in [0,1], channels last."""
    return (pictures.float() / 255).contiguous(memory_format=torch.channels_last)


class Noise:
    """Blocks of noise with plausible points: what compiling ahead and quick tests need."""

    def __init__(self, device: str, size: int, seed: int) -> None:
        self.device, self.size = device, size
        self.generator = torch.Generator(device).manual_seed(seed)

    def _pictures(self, count: int) -> Tensor:
        coarse = torch.rand(count, 3, 8, 8, generator=self.generator, device=self.device)
        return _bytes(torch.nn.functional.interpolate(coarse, (self.size, self.size), mode="bicubic"))

    def block(self, persons: int) -> Block:
        count = persons * SHOTS
        points = torch.rand(count, 68, 2, generator=self.generator, device=self.device) * 0.1 - 0.05
        for first, last, x, y in ((36, 42, 0.38, 0.42), (42, 48, 0.62, 0.42), (27, 36, 0.5, 0.55), (48, 54, 0.4, 0.7),
                                  (54, 68, 0.6, 0.7)):
            points[:, first:last] = points[:, first:last] * 0.2 + torch.tensor((x, y), device=self.device)
        identity = torch.randn(persons, 12, generator=self.generator, device=self.device)
        return Block(self._pictures(count), points * self.size, [["glasses", "turned left"]] * count, identity)

    def unseen(self, count: int) -> Tensor:
        return self._pictures(count)


WORLDS: dict[str, type[Rendered] | type[Drawn] | type[Noise]] = {
    "people3d": Rendered, "drawn": Drawn, "noise": Noise}
