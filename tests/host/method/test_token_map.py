"""The token map proven on every family: one latent pixel moved at a time, and the image token that moves is the one
that the map says."""

from __future__ import annotations

import importlib
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from lab import toys
from lab.inprocess import Host
from lab.toys import TOYS, Toy

pytestmark = pytest.mark.every_host

REFERENCES = [(6, 6), (7, 4)]
EVEN_REFERENCES = [(6, 6), (8, 4)]
UNETS = [kind for kind in TOYS if kind.startswith(("sd1", "sd2")) or kind == "sdxl"]
TRANSFORMERS = [kind for kind in TOYS if kind not in UNETS]


class Watch:
    """Stands where a run's gates would and keeps what each located call gets."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.latent_size = size
        self.seen: list[tuple[Any, Tensor]] = []

    def edit_projected(self, call: Any, out: Tensor) -> Tensor:
        return out

    def edit(self, call: Any, attend: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        self.seen.append((call, q.movedim(call.axis, 1).flatten(2).clone()))
        return attend(q, k, v)


def deaf(func: Any, *args: Any, **kwargs: Any) -> Tensor:
    """Attention that answers nothing: no token hears of another, so a change stays where it began in every layer."""
    return torch.zeros_like(func(*args, **kwargs))


def present(kind: str) -> Toy:
    if not toys.exists(TOYS[kind]):
        pytest.skip(f"this host has no {TOYS[kind].config}")
    return TOYS[kind]


def watch(toy: Toy, size: tuple[int, int], pixels: list[tuple[int, int]], references: list[tuple[int, int]] = (),
          tokens: int = 7, method: str = "", model: Any = None) -> list[tuple[Any, Tensor]]:
    """Located calls of one forward whose row 0 is a latent and whose other rows have one pixel of it moved."""
    hook = importlib.import_module("editedid_core.comfy.attention_hook")
    sample = importlib.import_module("comfy.sample")
    model = toys.make(toy) if model is None else model
    latent = toys.latents(toy, *size)[0]
    rows = latent.repeat(len(pixels) + 1, *[1] * (latent.ndim - 1))
    for row, (y, x) in enumerate(pixels):
        rows[row + 1, ..., y, x] += 1.0
    prompt = toys.conditioning(toy, tokens=tokens)
    if references:
        prompt[0][1]["reference_latents"] = [toys.latents(toy, *r, seed=i)[0] for i, r in enumerate(references)]
        if method:
            prompt[0][1]["reference_latents_method"] = method
    spy, clone = Watch(size), model.clone()
    clone.model_options["transformer_options"]["optimized_attention_override"] = deaf
    hook.install(clone, spy, lambda _: None)
    with torch.inference_mode():
        sample.sample(clone, torch.zeros_like(rows), 1, 1.0, "euler", "simple", prompt, prompt, rows,
                      disable_pbar=True, seed=1, sigmas=torch.tensor([0.5, 0.0]))
    return spy.seen


def one_pixel_a_token(size: tuple[int, int], grid: tuple[int, int]) -> list[tuple[int, int]]:
    """A latent pixel of every token, not always the same corner of it.

    Sides that do not divide are padded from the other end of the picture, so that a first pixel would move two tokens.
    """
    def pixel(token: int, side: int, tokens: int, other: int) -> int:
        patch = -(-side // tokens)
        inside = patch - 1 if side % tokens else (token + other) % patch
        return min(token * patch + inside, side - 1)

    return [(pixel(r, size[0], grid[0], c), pixel(c, size[1], grid[1], r))
            for r in range(grid[0]) for c in range(grid[1])]


def check_every_token(toy: Toy, size: tuple[int, int], **how: Any) -> list[Any]:
    """Assert the map for every image token in every located call; returns the layers."""
    grid = watch(toy, size, [], **how)[0][0].grid
    seen = watch(toy, size, one_pixel_a_token(size, grid), **how)
    for call, q in seen:
        assert call.grid == grid
        change = (q[1:] - q[:1]).norm(dim=-1)
        expected = call.start + torch.arange(grid[0] * grid[1])
        found = change.argmax(dim=1) == expected
        assert found.all(), f"{call.layer}: {int(found.sum())} of {len(found)} tokens"
    return [call.layer for call, _ in seen]


def sizes_of(toy: Toy, model: Any) -> list[tuple[int, int]]:
    """Two sizes that are not square, one of them with sides that the patch does not divide where the host can."""
    patch = patch_of(model)
    step = 1 if toy.multiple == 1 else patch
    return [(4 * patch, 6 * patch), (5 * patch - step, 3 * patch - step)]


def patch_of(model: Any) -> int:
    families = importlib.import_module("editedid_core.comfy.model_families")
    network = model.model.diffusion_model
    return families.patch_size(families.require_family(network), network)


def blocks_of(model: Any) -> set[tuple[str, int]]:
    found = importlib.import_module("editedid_core.comfy.model_profile").attention_blocks(model)
    return {(part, number) for part, numbers in found.items() for number in numbers}


@pytest.mark.parametrize("kind", TRANSFORMERS)
def test_every_image_token_is_found_in_every_layer(host: Host, kind: str) -> None:
    toy = present(kind)
    model = toys.make(toy)
    for size in sizes_of(toy, model):
        layers = check_every_token(toy, size, model=model)
        assert len(set(layers)) == len(layers)
        assert {(layer.part, layer.block) for layer in layers} == blocks_of(model)
    # by shape, as many text tokens as image tokens could not be told apart
    grid = watch(toy, size, [], model=model)[0][0].grid
    assert check_every_token(toy, size, tokens=grid[0] * grid[1], model=model) == layers


@pytest.mark.parametrize("kind", [kind for kind in TOYS if TOYS[kind].references])
def test_reference_latents_do_not_move_the_map(host: Host, kind: str) -> None:
    toy = present(kind)
    model = toys.make(toy)
    size = sizes_of(toy, model)[1]
    alone = check_every_token(toy, size, model=model)
    pictures = REFERENCES if toy.references == 1 else EVEN_REFERENCES
    for references in (pictures[:1], pictures):
        assert check_every_token(toy, size, references=references, model=model) == alone


@pytest.mark.parametrize("method", ["index", "index_timestep_zero"])
@pytest.mark.parametrize("kind", ["flux2", "qwen", "krea2"])
def test_ways_of_placing_references_do_not_move_the_map(host: Host, kind: str, method: str) -> None:
    toy = present(kind)
    if "guidance_embed" in toy.settings:  # the host has not thought of guidance beside a second timestep
        toy = replace(toy, settings={**toy.settings, "guidance_embed": False})
    model = toys.make(toy)
    size = sizes_of(toy, model)[1]
    layers = check_every_token(toy, size, references=REFERENCES, method=method, model=model)
    assert {(layer.part, layer.block) for layer in layers} == blocks_of(model)


@pytest.mark.parametrize("patch", [1, 4])
def test_the_patch_size_is_the_models_own(host: Host, patch: int) -> None:
    toy = replace(TOYS["sd3"], settings={**TOYS["sd3"].settings, "patch_size": patch})
    model = toys.make(toy)
    try:
        watch(toy, (8, 12), [], model=model)
    except RuntimeError as error:
        if patch != 1 or "must match" not in str(error):
            raise
        pytest.skip("this host counts one row of tokens too many at patch size 1 and cannot run such a model")
    assert patch_of(model) == patch
    check_every_token(toy, (8, 12), model=model)


@pytest.mark.parametrize("size", [(8, 12), (7, 11)])
@pytest.mark.parametrize("kind", UNETS)
def test_every_token_of_a_unet_is_found_in_every_layer(host: Host, kind: str, size: tuple[int, int]) -> None:
    toy = present(kind)  # with so many channels that a norm's groups do not spread the change
    toy = replace(toy, settings={**toy.settings, "model_channels": 64})
    model = toys.make(toy)
    with torch.no_grad():
        for layer in model.model.diffusion_model.modules():
            if isinstance(layer, torch.nn.Conv2d) and layer.kernel_size == (3, 3):
                centre = layer.weight[..., 1, 1].clone()
                layer.weight.zero_()
                layer.weight[..., 1, 1] = centre  # else convolutions spread the change before attention sees it
    pixels = [(y, x) for y in range(size[0]) for x in range(size[1])]
    seen = watch(toy, size, pixels, tokens=77, model=model)  # 7 x 11 is 77 as well
    layers = [call.layer for call, _ in seen]
    assert len(set(layers)) == len(layers)
    assert {(layer.part, layer.block) for layer in layers} == blocks_of(model)
    for call, q in seen:
        scale = -(-size[0] // call.grid[0])
        assert call.grid == (-(-size[0] // scale), -(-size[1] // scale))
        kept = [i for i, (y, x) in enumerate(pixels) if y % scale == x % scale == 0]  # the others are left out
        moved = (q[1:] - q[:1]).norm(dim=-1).argmax(dim=1)[kept]
        expected = torch.tensor([[pixels[i][0] // scale, pixels[i][1] // scale] for i in kept])
        found = torch.stack([moved // call.grid[1], moved % call.grid[1]], 1)
        if call.layer.part == "up":  # what comes up from the coarser level moves a cell of 2 x 2 tokens
            found, expected = found // 2, expected // 2
        right = (found == expected).all(dim=1)
        assert right.all(), f"{call.layer}: {int(right.sum())} of {len(right)} tokens"
