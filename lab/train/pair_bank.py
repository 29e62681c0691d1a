"""Pairs for a model that restores: crops of a person, and of each crop the twin that an editing model would make of it.

Drawing processes write blocks of latents into a folder, training processes read them as they appear.
"""
from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .. import models_io
from ..people3d.edits import jittered
from ..people3d.triples import drift
from .autoencoder import Decoder, Encoder
from .loop import placed
from .text import TextEncoder
from .world_bank import PROMPTS, TUNE, Picked, mixed, some_prompt, unit

SHOTS = 3
"""Crops of each person in a block."""
DRIFT = (0.15, 0.95)
"""How far a twin goes towards another person; 1 is the other one."""
SELF, TRUE = 0.15, 0.15
"""Shares of the steps with two references that show the picture itself twice, or another photo and the picture itself:
what a source sees in a restoration, and an edit without drift."""
ENCODED = 24
"""Pictures that are encoded at once."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """crops, twins uint8 (P*SHOTS,3,S,S), a person's side by side; words of each crop."""

    crops: Tensor
    twins: Tensor
    words: list[list[str]]


class Rendered:
    """Pairs of the world in three dimensions; `part` tells drawing processes apart."""

    def __init__(self, device: str, size: int, part: int, chunk: int = 20) -> None:
        from ..people3d import World

        self.world, self.size, self.chunk = World(device, seed=part), size, chunk
        self.generator = torch.Generator().manual_seed(1_000_003 * (part + 1))

    def draw(self, persons: int) -> Pairs:
        """Random persons; a quarter of them look like others of the block."""
        quarter = persons // 4
        own = self.world.people(persons - quarter, self.generator)
        share = torch.rand(quarter, generator=self.generator) * 0.5 + 0.2
        return self._pairs(type(own).cat([own, own[:quarter].blend(own[quarter : 2 * quarter], share)]))

    def unseen(self, persons: int) -> Pairs:
        """Persons of the tune split, always the same."""
        self.generator.manual_seed(5)
        return self._pairs(self.world.people_of(range(TUNE, TUNE + persons)))

    def _pairs(self, people: Any) -> Pairs:
        each = people[torch.arange(len(people)).repeat_interleave(SHOTS)]
        scenes = self.world.scenes(len(each), self.generator, each, framing="crop")
        share = torch.rand(len(each), generator=self.generator) * (DRIFT[1] - DRIFT[0]) + DRIFT[0]
        other = drift(each, torch.randint(TUNE, (len(each),), generator=self.generator).tolist(), share)
        crops = self._drawn(each, scenes)
        twins = self._drawn(other, jittered(scenes, self.generator), (each, scenes))  # what stands behind stays there
        return Pairs(_bytes(crops.pictures), _bytes(twins.pictures), crops.words)

    def _drawn(self, people: Any, scenes: Any, framed: Any = None) -> Any:
        while True:
            try:
                return self.world.draw(people, scenes, size=self.size, chunk=self.chunk, framed=framed)
            except torch.OutOfMemoryError:
                if self.chunk < 8:
                    raise
                self.chunk //= 2
                torch.cuda.empty_cache()


class Noise:
    """Pairs of noise, for tests."""

    def __init__(self, device: str, size: int, part: int) -> None:
        self.device, self.size = device, size
        self.generator = torch.Generator().manual_seed(part)

    def draw(self, persons: int) -> Pairs:
        coarse = torch.rand(2 * persons * SHOTS, 3, 8, 8, generator=self.generator).to(self.device)
        fine = _bytes(nn.functional.interpolate(coarse, (self.size, self.size), mode="bicubic"))
        return Pairs(*fine.chunk(2), [["glasses", "turned left"]] * (persons * SHOTS))

    unseen = draw


WORLDS: dict[str, type[Rendered] | type[Noise]] = {"people3d": Rendered, "noise": Noise}


def _bytes(pictures: Tensor) -> Tensor:
    return (pictures.clamp(0, 1) * 255 + 0.5).to(torch.uint8)


def shipped_autoencoder(packed: Path, device: str) -> tuple[Encoder, Decoder]:
    """The TAESD pair inside a packed checkpoint of the rendered world."""
    tensors, _ = models_io.read(packed)
    state = {k.removeprefix("vae.taesd_"): torch.from_numpy(v.astype(np.float32)) for k, v in tensors.items()
             if k.startswith("vae.taesd_")}
    channels = len(state["encoder.14.bias"])
    pair = Encoder(channels), Decoder(channels)
    for name, part in zip(("encoder", "decoder"), pair):
        part.load_state_dict({k.removeprefix(f"{name}."): v for k, v in state.items() if k.startswith(name)})
    return placed(pair[0], torch.device(device)), placed(pair[1], torch.device(device))


@torch.no_grad()
def encoded(encoder: Encoder, pictures: Tensor) -> Tensor:
    """float16 (N,2,C,h,w): latents of pictures and of their mirror images."""
    parts = []
    for part in pictures.split(ENCODED):
        x = unit(part)
        with mixed(x):
            parts.append(torch.stack([encoder(side.contiguous(memory_format=torch.channels_last)).half()
                                      for side in (x, x.flip(3))], 1))
    return torch.cat(parts)


def write_block(pairs: Pairs, encoder: Encoder, rng: np.random.Generator, file: Path) -> None:
    """Latents, prompts and pictures of a block, in one move."""
    text = TextEncoder()
    prompts = np.array([[[text.rows(some_prompt(words, rng, mirrored)) for _ in range(PROMPTS)]
                         for mirrored in (False, True)] for words in pairs.words])
    part = file.with_suffix(f".{os.getpid()}")
    torch.save({"crops": encoded(encoder, pairs.crops).cpu(), "twins": encoded(encoder, pairs.twins).cpu(),
                "prompts": torch.from_numpy(prompts), "pictures": pairs.crops.cpu()}, part)
    os.replace(part, file)


class PairBank:
    """Up to `capacity` crops at hand, on the device. `pictures`: keep their pictures too, for an autoencoder."""

    def __init__(self, folder: Path, device: str, capacity: int, pictures: bool = False) -> None:
        self.folder, self.device, self.capacity, self.filled = folder, device, capacity, 0
        self.text = TextEncoder(device)
        self.empty = torch.from_numpy(self.text.rows([])).to(device)
        self._kept = ("crops", "twins", "prompts", *(("pictures",) if pictures else ()))
        self._read: set[str] = set()
        self._rows: dict[str, Tensor] = {}

    def refresh(self, most: int) -> bool:
        """Take in up to so many new blocks; whether there was one."""
        new = sorted(file for file in self.folder.glob("block_*.pt") if file.name not in self._read)[:most]
        for file in new:
            self._read.add(file.name)
            block = torch.load(file, map_location="cpu", weights_only=True)
            stop = self.filled + len(block["crops"])
            if stop > self.capacity:
                return False
            for name in self._kept:
                if name not in self._rows:
                    self._rows[name] = block[name].new_empty(self.capacity, *block[name].shape[1:], device=self.device)
                self._rows[name][self.filled : stop] = block[name].to(self.device)
            self.filled = stop
        return bool(new)

    @property
    def pictures(self) -> Tensor:
        """uint8 (N,3,S,S)."""
        return self._rows["pictures"][: self.filled]

    def pick(self, count: int, references: int, channels: int, kept: float) -> Picked:
        """Latents and texts of random crops; a share `kept` of the texts is said, with two references half of it.

        One reference: a crop of the same person, in one case of eight the picture itself. Two: another crop of the
        person, then the picture's twin, but for the shares SELF and TRUE.
        """
        n, device, block = count, self.device, self._rows
        person, shot, mirrored = (torch.randint(k, (n,), device=device) for k in (self.filled // SHOTS, SHOTS, 2))
        row = person * SHOTS + shot
        other = person * SHOTS + (shot + torch.randint(1, SHOTS, (n,), device=device)) % SHOTS
        latents = block["crops"][row, mirrored].float()
        chance = torch.rand(n, device=device)
        first = torch.where(chance < (0.125 if references == 1 else SELF), row, other)
        shown = [block["crops"][first, mirrored].float()] if references else []
        if references > 1:
            twin = block["twins"][row, mirrored].float()
            shown.append(torch.where((chance < SELF + TRUE)[:, None, None, None], latents, twin))
        prompt = block["prompts"][row, mirrored, torch.randint(PROMPTS, (n,), device=device)]
        said = torch.rand(n, device=device) < (kept / 2 if references > 1 else kept)
        context, pooled = self.text(torch.where(said[:, None], prompt, self.empty))
        return Picked(latents, shown, context, pooled)


    def shown(self, persons: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
        """Latents of each person's first crop, its twin, and another crop: (P,C,h,w) each."""
        block = self._rows
        row = torch.tensor([SHOTS * person for person in persons], device=self.device)
        return block["crops"][row, 0].float(), block["twins"][row, 0].float(), block["crops"][row + 1, 0].float()
