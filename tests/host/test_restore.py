"""The whole way on the lab's people and models, in the real host."""

from __future__ import annotations

import gc
import importlib
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from lab.checkpoints import CROPS, FILES
from lab.demo_pictures import DEMO_SEED, default_triple
from lab.inprocess import Host
from lab.portraits import group_picture, make_triple, triple_split
from lab.train.autoencoder import enlarge

FAMILIES = list(CROPS)


def picture(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.asarray(image, dtype=np.float32))[None]


@pytest.fixture(scope="module")
def models(host: Host) -> Callable[[str], tuple[Any, Any]]:
    loaded: dict[str, tuple[Any, Any]] = {}

    def load(family: str) -> tuple[Any, Any]:
        if family not in loaded:
            model, _, vae = host.node("CheckpointLoaderSimple")().load_checkpoint(FILES[family])[:3]
            loaded[family] = model, vae
        return loaded[family]

    return load


@pytest.fixture(scope="module")
def analyzer(host: Host) -> Any:
    return host.node("EditedIDLoadFaceAnalyzer").execute("insightface", "lab", 320)[0]


@pytest.fixture(scope="module")
def restore(host: Host, models: Any, analyzer: Any) -> Callable[..., Any]:
    node = host.node("EditedIDRestoreIdentity")
    values = {i.id: i.default for i in node.define_schema().inputs if getattr(i, "default", None) is not None}

    def run(original: torch.Tensor, edited: torch.Tensor, family: str = "unet", **changes: Any) -> tuple[Any, ...]:
        model, vae = models(family)
        arguments = {**values, "crop_size": CROPS[family], "analyzer": analyzer, "model": model, "vae": vae, **changes}
        with torch.inference_mode():
            out = node.execute(original=original, edited=edited, **arguments)
        image, mask, before, after, report, *_ = out.result
        return image, mask, before, after, json.loads(report)

    return run


@pytest.mark.every_host
@pytest.mark.parametrize("family", FAMILIES)
def test_the_default_triple_gets_its_person_back(restore: Any, family: str) -> None:
    triple = default_triple()
    edited = picture(triple.drifted.image)
    image, mask, before, after, report, *_ = restore(picture(triple.original.image), edited, family)
    assert after >= before + 0.20
    assert report["outside_pixels_changed"] == 0
    assert report["faces"][0]["accepted"]
    assert torch.equal(image[mask == 0], edited[mask == 0])
    assert report["network_evaluations"] <= 24


def test_each_of_several_people_gets_their_own_face_and_a_stranger_is_left_alone(restore: Any) -> None:
    people = 4
    group = group_picture(DEMO_SEED + 4, people, stranger=True, drift="medium")
    photos = torch.cat([picture(photo.image) for photo in group.originals if photo is not None])
    edited = picture(group.edited.image)
    image, mask, before, after, report, *_ = restore(photos, edited, steps=4, crop_size=64)
    assert len(report["faces"]) == people - 1
    assert report["unmatched_edited"] == 1
    accepted = [face["accepted"] for face in report["faces"]]
    assert after > before
    assert any(accepted)
    stranger = torch.from_numpy(group.edited.people[-1].masks.face)
    assert torch.equal(image[0][stranger > 0], edited[0][stranger > 0])
    assert torch.equal(image[mask == 0], edited[mask == 0])
    for face, person in zip(report["faces"], group.edited.people, strict=False):
        x1, y1, x2, y2 = face["box"]
        assert x1 < person.landmarks[2][0] < x2 and y1 < person.landmarks[2][1] < y2


def test_a_batch_of_edits_is_worked_through(restore: Any) -> None:
    triple = default_triple()
    edited = picture(triple.drifted.image).repeat(2, 1, 1, 1)
    image, _, _, _, report, *_ = restore(picture(triple.original.image), edited, steps=2, crop_size=64)
    assert [face["frame"] for face in report["faces"]] == [0, 1]
    torch.testing.assert_close(image[0], image[1], atol=1e-3, rtol=0)


def test_a_person_restored_from_a_stranger_is_refused_by_the_guard(restore: Any) -> None:
    """The photo itself as the edit: nothing can be closer to the person, so the guard keeps it."""
    photo = picture(default_triple().original.image)
    image, _, before, after, report, *_ = restore(photo, photo, strength=1.0, steps=4, crop_size=64)
    assert before > 0.95
    assert after >= before
    if not report["faces"][0]["accepted"]:
        assert torch.equal(image, photo)
        assert "kept" in report["faces"][0]["note"]


def test_a_real_photograph_goes_all_the_way(host: Host, restore: Any) -> None:
    """The public-domain portrait in scikit-image; its turned, smaller, recoloured copy stands for the edit."""
    photo = Image.fromarray(skimage.data.astronaut()[:300, 80:380])
    turned = photo.rotate(12, Image.Resampling.BICUBIC, fillcolor=(90, 90, 90)).resize((260, 260))
    tinted = np.asarray(turned, dtype=np.float32) / 255 * [1.0, 0.88, 0.75]
    edited = picture(tinted)
    dlib = host.node("EditedIDLoadFaceAnalyzer").execute("dlib", "auto", 640)[0]
    original = picture(np.asarray(photo, dtype=np.float32) / 255)
    image, mask, before, _, report, *_ = restore(original, edited, analyzer=dlib, guard=False, steps=4, crop_size=64)
    (face,) = report["faces"]
    assert before > 0.6
    assert face["box"][0] < 130 < face["box"][2]
    assert report["outside_pixels_changed"] == 0
    assert mask.max() > 0.9 and (mask == 0).float().mean() > 0.6
    assert torch.equal(image[mask == 0], edited[mask == 0])
    assert not torch.equal(image, edited)


def test_a_users_numbers_win_and_the_report_says_so(restore: Any) -> None:
    triple = default_triple()
    given = picture(triple.original.image), picture(triple.drifted.image)
    told = restore(*given, steps=4, crop_size=64, strength=1.0, freedom="0.1")[4]
    assert told["amounts"].items() >= {"strength": 1.0, "freedom": 0.1, "structure": 0.5}.items()
    assert told["amounts"]["why"].startswith("set by hand: strength, freedom; the rest what a small model wants")
    assert told["network_evaluations"] == 12  # all four steps: both sources up, the target down
    paper = restore(*given, mode="paper 6 steps", crop_size=64)[4]
    assert paper["amounts"] == {"why": "all numbers are those of the mode paper 6 steps"}
    assert restore(*given, model=None)[4]["amounts"] == {}


def test_a_face_that_drifted_little_takes_less_of_the_run(restore: Any) -> None:
    triple = make_triple(DEMO_SEED, drift="small")
    given = picture(triple.original.image), picture(triple.drifted.image)
    same, less = (restore(*given, steps=6, crop_size=64, strength_by_drift=share)[4] for share in (0.0, 1.0))
    assert 0 < less["network_evaluations"] < same["network_evaluations"]
    assert less["faces"][0]["accepted"]
    stranger = picture(make_triple(DEMO_SEED + 1).drifted.image)
    short = {"guard": False, "min_similarity": -1.0, "steps": 4, "crop_size": 64}
    same, all_of_it = (restore(given[0], stranger, **short, strength_by_drift=share)[4] for share in (0.0, 1.0))
    assert 1 - same["faces"][0]["id_similarity_before"] > 0.5
    assert all_of_it == {**same, "seconds": all_of_it["seconds"]}


def test_skin_tone_brings_the_picture_nearer_to_the_truth(restore: Any) -> None:
    triple = make_triple(triple_split("tune", 46)[45], kind="background")
    photo, edited, truth = (picture(shot.image) for shot in (triple.original, triple.drifted, triple.ideal))
    plain, toned = (restore(photo, edited, model=None, vae=None, skin_tone=amount) for amount in (0.0, 1.0))
    off = [float((done[0] - truth).abs().mean()) for done in (plain, toned)]
    assert off[1] < 0.9 * off[0]
    assert toned[4]["outside_pixels_changed"] == 0
    assert bool((toned[1] > plain[1]).any())


def test_no_face_is_an_error_or_passes_through(restore: Any) -> None:
    photo, empty = picture(default_triple().original.image), torch.full((1, 96, 96, 3), 0.5)
    with pytest.raises(ValueError, match="edited: no face.*pass through"):
        restore(photo, empty)
    with pytest.raises(ValueError, match="original: no face"):
        restore(empty, photo)
    image, mask, _, _, report, *_ = restore(photo, empty, no_face="pass through")
    assert torch.equal(image, empty) and not mask.any() and report["faces"] == []


@pytest.mark.parametrize(("original", "edited", "words"), [
    (torch.zeros(0, 64, 64, 3), None, "original"),
    (None, torch.zeros(0, 64, 64, 3), "edited"),
    (torch.zeros(1, 1, 1, 3), None, "original: no face"),
])
def test_bad_pictures_get_one_sentence(restore: Any, original: Any, edited: Any, words: str) -> None:
    photo = picture(default_triple().original.image)
    with pytest.raises(ValueError, match=words) as error:
        restore(photo if original is None else original, photo if edited is None else edited)
    assert "\n" not in str(error.value)


def test_a_mask_of_another_size_is_named(restore: Any) -> None:
    triple = default_triple()
    with pytest.raises(ValueError, match="element_mask"):
        restore(picture(triple.original.image), picture(triple.drifted.image), element_mask=torch.zeros(1, 10, 10))


def test_grey_and_rgba_pictures_work_and_alpha_stays(restore: Any) -> None:
    triple = default_triple()
    edited = picture(triple.drifted.image)
    rgba = torch.cat([edited, torch.rand(*edited.shape[:3], 1)], -1)
    image = restore(picture(triple.original.image), rgba, steps=2, crop_size=64)[0]
    assert torch.equal(image[..., 3], rgba[..., 3])
    grey = picture(triple.original.image).mean(-1, keepdim=True)
    assert torch.isfinite(restore(grey, edited, steps=2, guard=False, crop_size=64)[0]).all()


def test_memory_comes_back_after_a_run(restore: Any) -> None:
    triple = default_triple()
    pictures = picture(triple.original.image), picture(triple.drifted.image)

    def live() -> int:
        gc.collect()
        return sum(1 for o in gc.get_objects() if isinstance(o, torch.Tensor))

    restore(*pictures, steps=2, crop_size=64)
    before = live()
    restore(*pictures, steps=2, crop_size=64)
    assert live() <= before


@pytest.mark.parametrize(("family", "steps"), [("unet", 10), ("dit", 12)])
def test_round_trip_error_is_half_of_naive_inversion(host: Host, models: Any, family: str, steps: int) -> None:
    sampling = importlib.import_module("editedid_core.comfy.sampling")
    inversion = importlib.import_module("editedid_core.engines.edited_id.inversion")
    info = importlib.import_module("editedid_core.comfy.model_profile")
    samplers = importlib.import_module("comfy.samplers")
    model, vae = models(family)
    triple = default_triple()
    with torch.inference_mode():
        parts = torch.cat([picture(p.image)[:, 48:112, 64:128] for p in (triple.original, triple.drifted)])
        pair = vae.encode(enlarge(parts.permute(0, 3, 1, 2), vae.latent_channels).permute(0, 2, 3, 1))
    errors: dict[str, float] = {}

    class RoundTrip(sampling.PairSampler):
        def sample(self, model_wrap: Any, sigmas: Any, extra_args: Any, callback: Any, noise: Any, latent_image: Any,
                   denoise_mask: Any = None, disable_pbar: bool = False) -> torch.Tensor:
            space, grid = info.noise_space(model_wrap.model_patcher), self.noise_grid(model_wrap.model_patcher)

            def denoise(x: torch.Tensor, sigma: float, rows: Any, step: int) -> torch.Tensor:
                return model_wrap(x, x.new_full((2,), sigma), model_options=extra_args["model_options"], seed=0)

            for kind in ("velocity reuse", "naive"):
                top = inversion.invert(denoise, space, latent_image, noise[:1], grid, kind=kind).top
                back = inversion.reconstruct(denoise, space, top, noise[:1], grid)
                errors[kind] = float((back - latent_image).square().mean().sqrt())
            return latent_image

    zero = torch.zeros(1, 1, 1, 1)
    sampler = RoundTrip(sampling.SampleSettings(steps=steps, strength=1.0), "replay", zero, zero, None)
    guider = samplers.CFGGuider(model)
    empty = info.empty_conditioning(model)
    guider.set_conds(empty, empty)
    noise = torch.randn(pair.shape[1:], generator=torch.Generator().manual_seed(0)).expand_as(pair)
    with torch.inference_mode():
        guider.sample(noise, pair, sampler, torch.linspace(1, 0, 3), disable_pbar=True)
    assert errors["velocity reuse"] <= 0.5 * errors["naive"]
