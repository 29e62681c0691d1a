"""The host's "nothing" as a mask, and the pack's own files."""

from pathlib import Path

import pytest
import torch

from editedid_core.geometry.face_model import MODEL
from editedid_core.own_files import read_own
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


def test_a_file_of_the_pack_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(MODEL.read_bytes()[:1000])
    for file in (cut, tmp_path / "missing.safetensors", tmp_path):
        with pytest.raises(ValueError, match="pack's own file .* cannot be read .*install the pack again") as told:
            read_own(file)
        assert "\n" not in str(told.value)
    assert set(read_own(MODEL)) == {"mean", "person", "axes", "spread"}
