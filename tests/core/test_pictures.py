"""The host's "nothing" as a mask."""

import pytest
import torch

from editedid_core.pictures import checked_element_mask, is_no_mask

EDIT = torch.zeros(2, 48, 80, 3)


@pytest.mark.parametrize("shape", [(64, 64), (1, 64, 64), (2, 64, 64), (1, 1, 64, 64)])
def test_the_placeholder_of_a_picture_without_alpha_is_no_mask(shape: tuple[int, ...]) -> None:
    assert is_no_mask(torch.zeros(shape))
    mask = checked_element_mask(torch.zeros(shape), EDIT)
    assert mask.shape[1:] == EDIT.shape[1:3] and not bool(mask.any())


def test_any_other_mask_of_another_size_is_refused() -> None:
    for mask in (torch.ones(1, 64, 64), torch.zeros(1, 10, 10)):
        with pytest.raises(ValueError, match="element_mask"):
            checked_element_mask(mask, EDIT)
