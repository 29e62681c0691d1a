"""Ghosts: a face that shows photo and edit at once is told from one that shows either at each place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from editedid_core.config import GuardConfig, PasteConfig, RestoreConfig
from editedid_core.faces.detect import detect
from editedid_core.faces.match import match_faces
from editedid_core.records import FaceCrop
from editedid_core.restore import stages
from editedid_core.restore.ghosts import ghosts_in
from editedid_core.restore.guard import judge
from editedid_core.restore.report import Decision
from lab import portraits

PACK = Path(__file__).resolve().parents[3] / "lab" / "models" / "insightface" / "lab"
SIDE = 256
POINTS = np.array([[96.0, 106], [160, 106], [128, 146], [104, 176], [152, 176]])


def textured(seed: int) -> Tensor:
    """A picture (S, S, 3) with structure of its own."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(SIDE, SIDE)), 2.5)
    light = 0.5 + 0.1 * noise / noise.std()
    return torch.from_numpy(np.repeat(light[..., None], 3, -1).clip(0, 1).astype(np.float32))


PHOTO, EDIT = textured(0), textured(1)


def beside() -> Tensor:
    """The photo at the left and the edit at the right."""
    return torch.where((torch.arange(SIDE) < 120)[None, :, None], PHOTO, EDIT)


@pytest.mark.parametrize(("made", "clean"), [
    (PHOTO, True), (EDIT, True), (beside(), True), (0.6 * PHOTO + 0.4 * EDIT, False), (0.9 * PHOTO + 0.1 * EDIT, True)])
def test_a_blend_of_both_is_a_ghost_and_one_beside_the_other_is_none(made: Tensor, clean: bool) -> None:
    found = ghosts_in(made, PHOTO, EDIT, POINTS)
    assert found.clean is clean
    assert found.share > 0.3 if not clean else found.share < 0.06


def test_a_ghost_of_one_feature_is_enough() -> None:
    mouth = torch.zeros(SIDE, SIDE, 1)
    mouth[158:196, 92:166] = 1
    found = ghosts_in(torch.lerp(PHOTO, EDIT, 0.45 * mouth), PHOTO, EDIT, POINTS)
    assert found.worst > 0.5 and not found.clean


def test_size_does_not_matter() -> None:
    def large(x: Tensor) -> Tensor:
        return x.repeat_interleave(2, 0).repeat_interleave(2, 1)

    blend = 0.5 * PHOTO + 0.5 * EDIT
    found = ghosts_in(large(blend), PHOTO, large(EDIT), (POINTS + 0.5) * 2 - 0.5)
    assert found.share == pytest.approx(ghosts_in(blend, PHOTO, EDIT, POINTS).share, abs=0.05)


def test_the_guard_keeps_the_edit_where_both_would_be_seen() -> None:
    """Of one pair: a blend is refused, the photo is not; neither where the photo does not lie on the edit's mesh, nor
    without a guard."""
    pytest.importorskip("insightface")
    from editedid_core.faces.analyzers.insightface_backend import InsightFaceAnalyzer

    analyzer = InsightFaceAnalyzer("lab", PACK, 384)
    triple = portraits.make_triple(portraits.triple_split("tune", 1)[0], None, "large", 192)
    photo, edit = (torch.from_numpy(getattr(triple, name).image)[None] for name in ("original", "drifted"))
    pairs = match_faces(detect(photo, analyzer), detect(edit, analyzer), -1.0, 0.25)
    crops = stages.cut(photo, stages.shape_and_tone(photo, edit, pairs, [0.0], 0.0, None),
                       RestoreConfig().changed({"crop.size": 128}))
    crop, other = crops.record.crops[0], torch.flip(crops.original, (2,))
    laid = replace(crop, photo=other[0])
    blend = 0.6 * other + 0.4 * crops.edited

    def decided(crop: FaceCrop, restored: Tensor, enabled: bool = True) -> Decision:
        return judge(crop, torch.ones(128, 128), crops.edited, crops.edited, restored, analyzer, 0.0,
                     GuardConfig(enabled=enabled, most_moved=9.0), PasteConfig(feather=0.0), least_gain=-2.0).decision

    assert decided(laid, blend) is Decision.KEPT_GHOSTS
    assert decided(crop, blend) is decided(laid, blend, enabled=False) is Decision.RESTORED
    assert decided(laid, crops.edited) is Decision.RESTORED
