"""Values that are not numbers are refused where they arise, before the guard sees another face in them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from editedid_core.engines.edited_id.engine import EditedIDEngine, Sampled
from editedid_core.engines.edited_id.settings import SampleSettings
from editedid_core.engines.protocol import FaceJob

SIZE = 32


def job() -> FaceJob:
    picture, mask = torch.full((1, SIZE, SIZE, 3), 0.5), torch.ones(SIZE, SIZE)
    return FaceJob(picture, picture, torch.zeros(0, SIZE, SIZE, 3), mask, torch.zeros(SIZE, SIZE), 0.0, 0.1)


def engine(broken: str, value: float) -> EditedIDEngine:
    """An engine that hands its pictures through, with one value spoilt at one stage."""

    def spoilt(x: Tensor, stage: str) -> Tensor:
        x = x.clone(memory_format=torch.contiguous_format)
        if stage == broken:
            x.view(-1)[7] = value
        return x

    def sample(original: Tensor, edited: Tensor, face_mask: Tensor, element_mask: Tensor, settings: SampleSettings,
               others: Tensor | None) -> Sampled:
        return Sampled(spoilt(edited, "sample"), 1, "given")

    return EditedIDEngine(lambda picture: spoilt(picture.movedim(-1, 1), "encode"), sample,
                          lambda latent: spoilt(latent.movedim(1, -1), "decode"), SampleSettings())


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("stage", "words"), [
    ("encode", "encoded crop.*fp32-vae"), ("sample", "restored latent.*fp32 or bf16"),
    ("decode", "decoded crop.*fp32-vae"),
])
def test_every_stage_refuses_what_is_not_a_number(stage: str, words: str, value: float) -> None:
    with pytest.raises(ValueError, match=words) as told:
        engine(stage, value).run(job())
    assert "\n" not in str(told.value)


def test_an_engine_with_numbers_alone_runs() -> None:
    assert engine("nowhere", 0.0).run(job()).crop.shape == (1, SIZE, SIZE, 3)
