"""Pictures and masks of the whole edit that a MODEL carries: cut to a crop, or left out and said."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from editedid_core.comfy.crop_patches import crop_patches
from editedid_core.comfy.held_pictures import EditSize
from editedid_core.crops.cut import cut_crops
from editedid_core.records import FaceCrop, PasteRecord

from .conftest import EDIT, SIDE

LATENT = (EDIT[0] // 8, EDIT[1] // 8)


class ZImageControlPatch:
    """As the host's: pictures that are encoded, and a mask of five axes."""

    def __init__(self, **values: Any) -> None:
        vars(self).update(values)


class WanUni3CCnetPatch(ZImageControlPatch):
    """As the host's: a film that is encoded at the size of the run."""


class Model:
    """A MODEL with patches and with what packs put beside them."""

    def __init__(self, patches: dict[str, list[Any]], **more: Any) -> None:
        self.model_options = {"transformer_options": {"patches": patches}, **more}
        self.wrappers: dict[str, Any] = {}

    def clone(self) -> Model:
        clone = Model({})
        clone.model_options, clone.wrappers = self.model_options, self.wrappers
        return clone

    @property
    def patches(self) -> dict[str, list[Any]]:
        return self.model_options["transformer_options"]["patches"]


def cut(picture: Tensor, crop: FaceCrop) -> Tensor:
    return cut_crops(picture, PasteRecord((crop,), torch.ones(1, SIDE, SIDE), EDIT, 1))


def test_the_pictures_of_a_model_s_own_controls_are_cut_as_the_edit_is(place: Callable[..., FaceCrop]) -> None:
    crop, generator = place(17.0, scale=1.2), torch.Generator().manual_seed(2)
    picture, inpaint, mask = (torch.rand(1, *EDIT, n, generator=generator) for n in (3, 3, 1))
    control = ZImageControlPatch(image=picture, inpaint_image=inpaint, mask=mask.movedim(-1, 1)[:, :, None],
                                 encoded_image="encoded", encoded_image_size=EDIT, strength=0.5)
    reader, other = SimpleNamespace(patch=control), SimpleNamespace(strength=0.5)
    film = WanUni3CCnetPatch(render_video=picture.repeat(2, 1, 1, 1), prepared_render="encoded")
    model = Model({"double_block": [other, control, film], "attn1_patch": [reader]})
    done = crop_patches(model, crop).patches
    first, made, made_film = done["double_block"]
    assert first is other and done["attn1_patch"][0].patch is made
    assert torch.equal(made.image, cut(picture, crop)) and torch.equal(made.inpaint_image, cut(inpaint, crop))
    assert made.mask.shape == (1, 1, 1, SIDE, SIDE) and made.strength == 0.5
    assert made.encoded_image_size == (0, 0)  # the host encodes anew what has another size
    assert torch.equal(made_film.render_video, cut(picture, crop)) and made_film.prepared_render is None
    assert control.image is picture and reader.patch is control and model.patches["double_block"][1] is control
    assert crop_patches(model, None) is model
    plain = Model({"double_block": [other]})
    assert crop_patches(plain, crop) is plain


class Hinted:
    """A patch of two parts that hold a latent of the edit."""

    def __init__(self) -> None:
        self.hint = torch.zeros(1, 4, *LATENT)

    def before(self, x: Tensor) -> Tensor:
        return x + self.hint

    def after(self, x: Tensor) -> Tensor:
        return x - self.hint


def from_closure(held: Any) -> Callable[[Tensor], Tensor]:
    def patch(x: Tensor) -> Tensor:
        return x + held

    return patch


def test_a_patch_that_holds_a_picture_of_the_edit_is_left_out_and_said(place: Callable[..., FaceCrop]) -> None:
    hinted, said = Hinted(), list[str]()
    picture, other = torch.rand(1, *EDIT, 3), from_closure(torch.rand(1, 77, 768))
    model = Model({"input": [hinted.before, other], "output": [(Hinted, hinted.after)]},
                  sampler_post_cfg_function=[from_closure({"at": [picture]}), other],
                  model_function_wrapper=functools.partial(from_closure(1.0), picture))
    model.wrappers = {"diffusion_model": {"pack": [from_closure(picture.movedim(-1, 1))], "own": [other]}}
    done = crop_patches(model, place(), note=said.append)
    assert done.patches == {"input": [other], "output": []}
    assert done.model_options["sampler_post_cfg_function"] == [other]
    assert "model_function_wrapper" not in done.model_options
    assert done.wrappers == {"diffusion_model": {"pack": [], "own": [other]}}
    assert len(model.patches["input"]) == 2 and "model_function_wrapper" in model.model_options
    assert set(said) == {f"{name} on the MODEL keeps a picture that cannot be cut to a face, and is left out."
                         for name in ("Hinted", "from_closure")}


class Attention:
    """A replacement of attention with masks where packs keep them."""

    def __init__(self, mask: Tensor, weight: float) -> None:
        self.kwargs = [{"mask": mask, "weight": weight}, {"mask": None}]

    def __call__(self, x: Tensor) -> Tensor:
        return x


def test_masks_of_other_packs_are_cut_as_the_edit_is(place: Callable[..., FaceCrop]) -> None:
    crop, said = place(25.0, scale=0.8), list[str]()
    masks = torch.zeros(2, *EDIT)
    masks[0, 30:60, 40:60], masks[1, 30:60, 60:75] = 1, 1
    steps = [0]

    def with_cells() -> Callable[[], list[int]]:
        mask, own = masks > 0, 0

        def patch() -> Any:
            nonlocal own
            own, steps[0] = own + 1, steps[0] + 1
            return mask, own

        return patch

    attention, function = Attention(masks[:1], 0.7), with_cells()
    model = Model({"attn2_patch": [function]})
    model.model_options["transformer_options"]["patches_replace"] = {"attn2": {("input", 1): attention}}
    model.model_options["transformer_options"]["regions_mask"] = masks
    done = crop_patches(model, crop, note=said.append)
    options = done.model_options["transformer_options"]
    expected = torch.cat([cut(mask[None, ..., None], crop)[..., 0] for mask in masks])
    made = options["patches_replace"]["attn2"]["input", 1]
    assert said == [] and isinstance(made, Attention)
    assert made.kwargs[0]["weight"] == 0.7 and made.kwargs[1] == {"mask": None}
    assert float((made.kwargs[0]["mask"] - expected[:1]).abs().mean()) < 0.01
    assert float((options["regions_mask"] - expected).abs().mean()) < 0.01 and options["regions_mask"].shape[0] == 2
    seen, own = done.patches["attn2_patch"][0]()
    assert seen.dtype == torch.bool and float((seen.float() - expected).abs().mean()) < 0.02
    assert steps == [1] and own == 1 and function()[1] == 2  # what it counts is shared, as between clones of a MODEL
    assert attention.kwargs[0]["mask"].shape == (1, *EDIT)


class Shy(Attention):
    """Neither answers when it is asked for what it lacks, nor lets itself be copied."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("not now")

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("not me")


def test_a_patch_that_cannot_be_copied_is_left_out_and_said(place: Callable[..., FaceCrop]) -> None:
    said = list[str]()
    model = Model({"attn2_patch": [Shy(torch.ones(1, *EDIT), 1.0), Shy(torch.ones(1, 3, 3), 1.0)]})
    done = crop_patches(model, place(), note=said.append)
    assert done.patches["attn2_patch"] == model.patches["attn2_patch"][1:]
    assert len(said) == 1 and said[0].startswith("Shy on the MODEL")


@pytest.mark.parametrize(("edit", "shape", "name", "kind"), [
    ((96, 144), (1, 96, 144, 3), "image", "picture"), ((96, 144), (1, 4, 12, 18), "latent", "picture"),
    ((96, 144), (1, 16, 1, 12, 18), "latent", "picture"), ((96, 144), (1, 192, 288, 3), "hint", "picture"),
    ((100, 150), (1, 4, 12, 18), "latent", "picture"), ((96, 144), (96, 144), "mask", "mask"),
    ((96, 144), (1, 48, 72), "region_mask", "mask"), ((96, 144), (1, 1, 96, 144), "mask", "mask"),
    ((96, 144), (1, 77, 768), "embeds", ""), ((96, 144), (96, 144), "weight", ""),
    ((96, 144), (64, 96, 3, 3), "conv", ""),
    ((96, 144), (1, 64, 96), "attn_mask", ""), ((512, 512), (1, 4, 64, 64), "latent", "picture"),
    ((512, 512), (1, 1152, 27, 27), "features", ""),
    ((512, 512), (1, 8, 77, 77), "mask", ""),
    ((512, 512), (512, 512), "weight", ""), ((512, 512), (256, 256), "attention_mask", ""),
    # of a size of its own: by name, or rounded as networks want it
    ((96, 144), (1, 128, 128, 3), "hint", "picture"), ((512, 512), (1, 3, 320, 448), "control_image", "picture"),
    ((96, 144), (1, 16, 16, 16), "depth_latent", "picture"), ((512, 512), (1, 3, 224, 224), "image", ""),
    ((512, 512), (1, 512, 320), "control_embeds", ""), ((512, 512), (320, 4, 3, 3), "control_model.weight", ""),
    ((1000, 1333), (1, 992, 1328, 3), "image", "picture"), ((1000, 1000), (1, 3, 1024, 1024), "image", "picture"),
    ((1000, 1000), (1, 8, 1024, 1024), "bias", ""), ((1000, 1000), (1, 3, 768, 768), "image", ""),
])
def test_sizes_tell_a_picture_and_names_a_mask(edit: tuple[int, int], shape: tuple[int, ...], name: str,
                                               kind: str) -> None:
    size, tensor = EditSize(*edit), torch.zeros(shape)
    found = "mask" if size.is_mask(tensor, name) else "picture" if size.is_picture(tensor, name) else ""
    assert found == kind
