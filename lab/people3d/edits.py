"""Scenes as an editing model changes them: the photo's, the edit's of each kind, and the hard half's."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .expressions import EXPRESSIONS, expression
from .people import People
from .scenes import LIGHTS, STYLES, Scenes, sample_scenes

SHOWN = 3.4
"""Eye distances that the picture of a small face shows below the face's middle."""
POSE = ("yaw", "pitch", "roll", "azimuth", "elevation", "distance")
LIGHT = (
    "light",
    "key_direction",
    "key_size",
    "key_colour",
    "sky",
    "ground",
    "fill_direction",
    "fill_colour",
    "rim_direction",
    "rim_colour",
    "panes",
)
CAMERA = ("exposure", "warmth", "grain", "contrast", "saturation", "soft")
WORN = (
    "hat",
    "hat_colour",
    "hat_second",
    "hat_tilt",
    "glasses",
    "sunglasses",
    "rim_square",
    "rim_width",
    "rim_height",
    "rim_thick",
    "rim_paint",
    "tint",
    "earring",
    "scarf",
    "scarf_colour",
)
FACE = ("expression", "units", "gaze")
HAIR = ("style", "mirror", "length", "messy")
CLOTHING = ("clothes", "cloth_colour", "cloth_second", "pattern")


def _each(n: int, generator: torch.Generator, low: float, high: float) -> torch.Tensor:
    return torch.rand(n, generator=generator) * (high - low) + low


def original_scenes(people: People, generator: torch.Generator) -> Scenes:
    """Scene A: a photo that shows the face."""
    n = len(people)
    scenes = sample_scenes(n, generator, people, "crop")
    bare = torch.rand(n, generator=generator) > 0.08
    glasses = scenes.glasses & ~bare
    return scenes.replace(
        hat=torch.zeros_like(scenes.hat),
        glasses=glasses,
        sunglasses=torch.zeros_like(scenes.sunglasses),
        scarf=torch.zeros_like(scenes.scarf),
        yaw=scenes.yaw.clamp(-25, 25),
    )


def edited_scenes(
    first: Scenes, people: People, kinds: Sequence[str], keeps: torch.Tensor, generator: torch.Generator
) -> Scenes:
    """Scene B of each kind: what changes is drawn anew, the rest stays but for small jitter."""
    n = len(first)
    fresh = sample_scenes(n, generator, people, "crop")
    changed: dict[str, torch.Tensor] = {}

    def take(fields: Sequence[str], where: torch.Tensor) -> None:
        for name in fields:
            old = changed.get(name, first.values[name])
            changed[name] = torch.where(where.view(-1, *[1] * (old.dim() - 1)), fresh.values[name], old)

    is_kind = lambda *names: torch.tensor([k in names for k in kinds])  # noqa: E731 - six short uses
    take(POSE, ~keeps)
    take(FACE, ~keeps | is_kind("expression", "everything"))
    take(LIGHT, is_kind("light", "everything", "background"))
    take(("backdrop", "blur"), is_kind("background", "everything", "light"))
    take(HAIR, is_kind("hair", "everything"))
    take(CLOTHING, is_kind("everything", "background", "accessory"))
    take(CAMERA, torch.ones(n, dtype=torch.bool))
    take(("seed", "shift", "frame"), ~keeps)
    scenes = first.replace(**changed)
    return adorned(scenes, fresh, is_kind("accessory", "everything"), generator)


def adorned(scenes: Scenes, fresh: Scenes, where: torch.Tensor, generator: torch.Generator) -> Scenes:
    """The scenes with a hat, glasses or a scarf in plain sight where asked for."""
    n = len(scenes)
    pick = torch.multinomial(torch.tensor([0.42, 0.40, 0.18]), n, replacement=True, generator=generator)
    also = torch.rand(n, generator=generator) < 0.25
    hat = torch.where(
        where & ((pick == 0) | (also & (pick != 0))), torch.randint(1, 4, (n,), generator=generator), scenes.hat
    )
    glasses = torch.where(where & ((pick == 1) | (also & (pick == 2))), torch.ones(n, dtype=torch.bool), scenes.glasses)
    scarf = torch.where(where & (pick == 2), torch.ones(n, dtype=torch.bool), scenes.scarf)
    looks = {
        name: torch.where(
            where.view(-1, *[1] * (fresh.values[name].dim() - 1)), fresh.values[name], scenes.values[name]
        )
        for name in WORN
        if name not in ("hat", "glasses", "sunglasses", "scarf")
    }
    dark = torch.where(where, glasses & (torch.rand(n, generator=generator) < 0.12), scenes.sunglasses)
    return scenes.replace(hat=hat, glasses=glasses, sunglasses=dark, scarf=scarf, **looks)


def hard_scenes(first: Scenes, people: People, kinds: Sequence[str], generator: torch.Generator) -> Scenes:
    """Scene B of the hard half: everything around changes, and the one thing that the kind names."""
    n = len(first)
    scenes = edited_scenes(first, people, ["everything"] * n, torch.zeros(n, dtype=torch.bool), generator)
    is_kind = lambda name: torch.tensor([k == name for k in kinds])  # noqa: E731 - six short uses
    keep = lambda new, old, where: torch.where(where.view(-1, *[1] * (old.dim() - 1)), new, old)  # noqa: E731
    side = torch.where(torch.rand(n, generator=generator) < 0.5, -1.0, 1.0)
    by = side * _each(n, generator, 15, 45)
    nod = torch.rand(n, generator=generator) < 0.3
    yaw = torch.where(nod, first.yaw, torch.where((first.yaw + by).abs() < 52, first.yaw + by, first.yaw - by))
    pitch = torch.where(nod, first.pitch + 0.6 * by.clamp(-36, 36), scenes.pitch)
    turned = is_kind("turned")
    near = lambda old, spread: old + spread * torch.randn(n, generator=generator)  # noqa: E731 - two uses
    scenes = scenes.replace(
        yaw=torch.where(turned, yaw, near(first.yaw, 4.0)),
        pitch=torch.where(turned, pitch.clamp(-30, 30), near(first.pitch, 2.5)),
    )
    names = [n_ for n_ in EXPRESSIONS if n_ in ("laugh", "surprise", "frown", "pout", "talk", "smile")]
    chosen = torch.randint(len(names), (n,), generator=generator)
    units = torch.stack([expression(names[int(k)], 1.0) for k in chosen])
    kind_number = torch.tensor([list(EXPRESSIONS).index(names[int(k)]) for k in chosen])
    base = scenes.units.clone()
    moved = is_kind("expression")
    scenes = scenes.replace(
        units=keep(base * 0.5 + units, base, moved), expression=torch.where(moved, kind_number, scenes.expression)
    )
    fresh = sample_scenes(n, generator, people, "crop")
    bare = scenes.replace(hat=first.hat, glasses=first.glasses, sunglasses=first.sunglasses, scarf=first.scarf)
    scenes = adorned(bare, fresh, is_kind("covered"), generator)
    fringe = torch.tensor([STYLES.index("bob"), STYLES.index("short quiff"), STYLES.index("short cropped")])
    scenes = scenes.replace(
        style=torch.where(is_kind("fringe"), fringe[torch.randint(3, (n,), generator=generator)], scenes.style)
    )
    dark = is_kind("low light")
    scenes = scenes.replace(
        light=torch.where(dark, LIGHTS.index("night"), scenes.light),
        sky=keep(0.08 + 0 * scenes.sky, scenes.sky, dark),
        ground=keep(0.04 + 0 * scenes.ground, scenes.ground, dark),
        grain=torch.where(dark, 0.03, scenes.grain),
        exposure=torch.where(dark, -0.5 + scenes.exposure, scenes.exposure),
    )
    small, frame = is_kind("small"), _each(n, generator, 0.06, 0.09)
    low = torch.stack([scenes.shift[:, 0], SHOWN * frame - 0.5], -1)  # the body ends below the chest
    return scenes.replace(
        frame=torch.where(small, frame, scenes.frame), shift=torch.where(small[:, None], low, scenes.shift)
    )


def jittered(scenes: Scenes, generator: torch.Generator) -> Scenes:
    """Scene B as the editing model repaints it: pose, colours and details moved a little."""
    n = len(scenes)
    normal = lambda spread, *shape: spread * torch.randn(n, *shape, generator=generator).clamp(-2, 2)  # noqa: E731
    seed = torch.randint(1 << 30, (n,), generator=generator).int()
    return scenes.replace(
        yaw=scenes.yaw + normal(1.3),
        pitch=scenes.pitch + normal(0.9),
        roll=scenes.roll + normal(0.6),
        shift=scenes.shift + normal(0.004, 2),
        frame=scenes.frame * (1 + normal(0.012)),
        units=(scenes.units * (1 + normal(0.08, scenes.units.shape[1]))).clamp(min=0),
        gaze=scenes.gaze + normal(1.2, 2),
        seed=seed,
        key_colour=scenes.key_colour * (1 + normal(0.03))[:, None],
        cloth_colour=(scenes.cloth_colour * (1 + normal(0.02, 3))).clamp(0, 1),
        length=scenes.length + normal(0.012),
    )
