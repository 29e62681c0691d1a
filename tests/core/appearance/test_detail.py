"""Detail that the autoencoder lost comes back where the result shows a source, and nowhere else."""

import torch

from editedid_core.appearance.detail import return_detail


def pictures() -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    original, edited = 0.3 + 0.4 * torch.rand(2, 1, 32, 32, 3, generator=generator)
    return original, edited, original * 0 + 0.5, edited * 0 + 0.4  # an autoencoder that keeps only the mean


def test_a_result_that_shows_a_source_becomes_that_source() -> None:
    original, edited, decoded_original, decoded_edited = pictures()
    weight = torch.zeros(32, 32)
    weight[:, :16] = 1
    shown = torch.where(weight[None, ..., None] > 0, decoded_original, decoded_edited)
    out = return_detail(shown, original, edited, decoded_original, decoded_edited, weight)
    torch.testing.assert_close(out[:, :, :16], original[:, :, :16])
    torch.testing.assert_close(out[:, :, 16:], edited[:, :, 16:])


def test_a_result_of_its_own_gets_no_foreign_detail() -> None:
    original, edited, decoded_original, decoded_edited = pictures()
    own = torch.full_like(original, 0.9)
    out = return_detail(own, original, edited, decoded_original, decoded_edited, torch.ones(32, 32))
    torch.testing.assert_close(out, own, atol=1e-3, rtol=0)


def test_strength_zero_changes_nothing() -> None:
    original, edited, decoded_original, decoded_edited = pictures()
    out = return_detail(decoded_original, original, edited, decoded_original, decoded_edited, torch.ones(32, 32), 0.0)
    assert torch.equal(out, decoded_original)
