"""Adaptive Mixing Sampler as a node: batches, masks, the curve, and every refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from lab.inprocess import Host

pytestmark = pytest.mark.every_host


@pytest.fixture(scope="module")
def sample(host: Host, tiny_model: Any, latents: Any) -> Callable[..., Any]:
    node = host.node("EditedIDAdaptiveMixingSampler")
    values = {i.id: i.default for i in node.define_schema().inputs if getattr(i, "default", None) is not None}
    model = tiny_model("sd15")
    original, edited = latents("sd15")

    def run(first: Any = original, second: Any = edited, face: Any = None, **changes: Any) -> Any:
        face = torch.ones(1, 64, 96) if face is None else face
        arguments = {**values, "steps": 3, **changes}
        with torch.inference_mode():
            return node.execute(model=model, original_latent={"samples": first}, edited_latent={"samples": second},
                                face_mask=face, **arguments).result

    return run


def test_each_crop_of_a_batch_gets_what_it_gets_alone(sample: Any, latents: Any) -> None:
    original, edited = latents("sd15")
    alone = sample()[0]["samples"]
    masks = torch.stack([torch.ones(64, 96), torch.zeros(64, 96)])
    both, curve = sample(original.repeat(2, 1, 1, 1), edited.repeat(2, 1, 1, 1), masks)
    torch.testing.assert_close(both["samples"][:1], alone)
    assert torch.equal(both["samples"][1:], edited)
    assert curve.shape[-1] == 3 and 0 <= curve.min() and curve.max() <= 1


def test_the_noise_pattern_is_the_result(sample: Any) -> None:
    face = torch.ones(1, 64, 96)
    face[..., 48:] = 0
    first = sample(face=face)[0]["samples"]
    assert torch.equal(first, sample(face=face)[0]["samples"])
    assert not torch.equal(first, sample(face=face, noise_pattern=1)[0]["samples"])


@pytest.mark.parametrize(("changes", "words"), [
    ({"first": torch.zeros(2, 4, 8, 12)}, "original_latent holds 2 crops and edited_latent 1"),
    ({"first": torch.zeros(0, 4, 8, 12), "second": torch.zeros(0, 4, 8, 12)}, "edited_latent: the batch is empty"),
    ({"face": torch.ones(3, 64, 96)}, "face_mask holds 3 masks for 1 crops"),
    ({"face": torch.ones(1, 64, 64)}, "face_mask is 64x64 pixels"),
    ({"element_mask": torch.ones(1, 32, 48)}, "element_mask is .* and face_mask"),
    ({"solver_start": 0.8, "solver_end": 0.2}, "solver_end"),
    ({"second": torch.full((1, 4, 8, 12), float("nan"))}, "edited_latent: the latent holds NaN"),
    ({"first": torch.zeros(1, 16, 8, 12)}, "original_latent: the latent has 16 channels"),
])
def test_what_does_not_fit_gets_one_sentence(sample: Any, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as error:
        sample(**changes)
    assert "\n" not in str(error.value)
