"""Bands, regions and the engine without a model, on pictures made of numbers."""

from __future__ import annotations

import pytest
import torch

from editedid_core.engines.protocol import FaceJob
from editedid_core.engines.super_resolution.bands import (
    COARSEST,
    exchange,
    low_band,
    mean_by_fit,
    misfit,
    trusted_cells,
)
from editedid_core.engines.super_resolution.engine import Network, RegionTask, SuperResolutionEngine
from editedid_core.engines.super_resolution.regions import ColourProbe, TwoRegions
from editedid_core.engines.super_resolution.settings import SuperResolution

S = 64


def picture(seed: int, size: int = S) -> torch.Tensor:
    """Smooth noise (1, 3, S, S) in [0, 1]."""
    noise = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(seed))
    large = torch.nn.functional.interpolate(noise, size=(size, size), mode="bicubic")
    return (0.5 + 0.15 * large).clamp(0, 1)


@pytest.mark.parametrize("cells", [4, 7, 16])
def test_what_a_small_picture_holds_comes_back_when_it_is_reduced_again(cells: int) -> None:
    whole = picture(1)
    reduced = torch.nn.functional.adaptive_avg_pool2d(low_band(whole, cells), cells)
    assert (reduced - torch.nn.functional.adaptive_avg_pool2d(whole, cells)).abs().max() < 0.01
    assert torch.equal(low_band(whole, S), whole)


def test_an_exchange_has_the_small_pictures_cells_and_the_photos_detail() -> None:
    photo, small = picture(1), low_band(picture(2), 8)
    made = exchange(photo, small, 8)
    pool = torch.nn.functional.adaptive_avg_pool2d
    assert (pool(made, 8) - pool(small, 8)).abs().max() < 0.02
    kept, detail = made - low_band(made, 8), photo - low_band(photo, 8)
    assert torch.nn.functional.cosine_similarity(kept.flatten(), detail.flatten(), 0) > 0.95


def test_trust_goes_from_the_coarsest_light_to_all_pixels() -> None:
    assert trusted_cells(32, 0) == COARSEST
    assert trusted_cells(32, 1) == pytest.approx(32)
    assert COARSEST < trusted_cells(32, 0.3) < trusted_cells(32, 0.6) < 32
    assert trusted_cells(2, 1) == COARSEST


def test_the_photo_of_the_same_face_fits_best_in_any_light() -> None:
    small, weight = picture(1), torch.ones(S, S)
    own, other = misfit(0.6 * picture(1) + 0.2, small, weight, 16), misfit(picture(3), small, weight, 16)
    assert own < 0.2 * other
    mean = mean_by_fit(torch.cat([picture(1), picture(3)]), [own, other])
    assert (mean - picture(1)).abs().mean() < (mean - picture(3)).abs().mean()


def job(trust: float, pixels: float = 8.0) -> FaceJob:
    rows = [picture(seed).movedim(1, -1) for seed in (1, 2, 3)]
    face = torch.zeros(S, S)
    face[16:48, 16:48] = 1
    small = low_band(rows[1].movedim(-1, 1), pixels).movedim(1, -1).clamp(0, 1)
    return FaceJob(rows[0], small, rows[2], face, torch.zeros(S, S), 0.0, 1.0,
                   true_pixels=pixels, trust=trust)


def test_without_a_model_the_face_changes_and_nothing_else() -> None:
    given = job(1.0)
    done = SuperResolutionEngine(SuperResolution()).run(given)
    outside = given.face_mask == 0
    assert torch.equal(done.crop[0][outside], given.edited[0][outside])
    assert (done.crop - given.edited)[0][~outside].abs().mean() > 0.01
    assert done.evaluations == 0
    lowest = SuperResolutionEngine(SuperResolution(trust=0.0)).run(given)
    assert not torch.allclose(done.crop, lowest.crop)


def test_a_sharp_face_that_is_trusted_stays() -> None:
    given = job(1.0, float(S))
    assert torch.allclose(SuperResolutionEngine(SuperResolution()).run(given).crop, given.edited, atol=1e-5)


@pytest.mark.parametrize("photos", ["best", "mean"])
def test_photos_are_chosen_by_how_they_explain_the_face(photos: str) -> None:
    given = job(0.0)
    same = FaceJob(picture(9).movedim(1, -1), given.edited, picture(2).movedim(1, -1), given.face_mask,
                   given.element_mask, 0.0, 1.0, true_pixels=8.0, trust=0.0)
    crop = SuperResolutionEngine(SuperResolution(photos=photos)).run(same).crop  # type: ignore[arg-type]
    inside, truth = same.face_mask > 0, picture(2).movedim(1, -1)
    assert (crop - truth)[0][inside].abs().mean() < 0.5 * (given.edited - truth)[0][inside].abs().mean()


def test_the_face_is_held_to_its_start_and_the_surroundings_to_the_small_pictures_colours() -> None:
    generator = torch.Generator().manual_seed(0)
    mix = torch.randn(4, 3, generator=generator)
    latents = torch.randn(2, 4, 8, 8, generator=generator)
    pictures = torch.einsum("nchw,ck->nkhw", latents, mix).repeat_interleave(8, 2).repeat_interleave(8, 3)
    probe = ColourProbe.fitted(latents, pictures)
    assert (probe.colours(latents) - pictures[:, :, ::8, ::8]).abs().max() < 0.05
    face = torch.zeros(1, 1, 8, 8)
    face[..., 2:6, 2:6] = 1
    goal = torch.rand(1, 3, 8, 8, generator=generator)
    regions = TwoRegions(latents[:1], face, 0.3, probe, goal, 4.0, 0.5, True)
    seen = latents[1:]
    early, late = regions.hold(seen, 0.2), regions.hold(seen, 0.9)
    inside = face.bool().expand_as(seen)
    expected = 0.7 * latents[:1] + 0.3 * seen
    assert torch.allclose(early[inside], expected[inside], atol=1e-5)
    assert torch.allclose(late[~inside], seen[~inside], atol=1e-5)
    outside = TwoRegions(latents[:1], torch.zeros_like(face), 0.3, probe, goal, 4.0, 0.5, True)
    pool = torch.nn.functional.adaptive_avg_pool2d
    assert (pool(probe.colours(outside.hold(seen, 0.2)), 4) - pool(goal, 4)).abs().max() < 0.05
    kept = TwoRegions(latents[:1], face, 0.3, probe, goal, 4.0, 0.5, False)
    assert torch.allclose(kept.hold(seen, 0.2)[~inside], latents[:1][~inside])


def test_with_a_model_what_the_autoencoder_loses_in_the_face_is_not_lost() -> None:
    given = job(1.0)

    def sample(task: RegionTask) -> tuple[torch.Tensor, int, tuple[str, ...]]:
        assert task.cells == 8.0 and task.pictures.shape[0] == 2
        return task.start, 7, ("a part is left out",)

    rough = Network(lambda x: (x * 8).round() / 8, lambda z: z, sample)
    alone = SuperResolutionEngine(SuperResolution()).run(given).crop
    done = SuperResolutionEngine(SuperResolution(), rough).run(given)
    inside = given.face_mask > 0
    assert torch.allclose(done.crop[0][inside], alone[0][inside], atol=1e-5)
    assert done.evaluations == 7 and done.mode == "two regions" and done.notes == ("a part is left out",)
    kept = SuperResolutionEngine(SuperResolution(surroundings="keep"), rough).run(given)
    assert torch.equal(kept.crop[0][~inside], given.edited[0][~inside])
