"""Pose-dependent strength: what it takes from the gates, and what it leaves alone."""

from __future__ import annotations

import pytest
import torch

from editedid_core.engines.edited_id.attention.blocks import Layer
from editedid_core.engines.edited_id.attention.record import FeatureRecord
from editedid_core.engines.edited_id.attention.regions import Regions
from editedid_core.engines.edited_id.attention.run import AttentionCall, AttentionRun
from editedid_core.engines.edited_id.attention.settings import Disentangle, Entangle, make_plan

LAYER = Layer("down", 0)


def test_the_share_falls_with_pose_and_is_half_where_told() -> None:
    gate = Entangle(pose=0.2)
    assert gate.face_share(0.0) == 1.0
    assert gate.face_share(0.2) == pytest.approx(0.5)
    assert gate.face_share(0.1) > 0.75 > gate.face_share(0.3)
    assert Entangle().face_share(5.0) == 1.0


@pytest.mark.parametrize(("structure", "detail"), [(1.0, 0.0), (0.0, 1.0)])
def test_half_a_share_moves_the_face_half_as_far_and_elements_as_before(structure: float, detail: float) -> None:
    face, element = torch.zeros(4, 4), torch.zeros(4, 4)
    face[:2], element[3:] = 1, 1
    plan = make_plan(
        Entangle(structure=structure, detail=detail, donor="original", structure_window=(0, 1), detail_window=(0, 1),
                 structure_blocks="down", detail_blocks="down", agreement=None),
        Disentangle(), {"down": [0]})
    q, k, v = torch.randn(3, 3, 16, 8, generator=torch.Generator().manual_seed(0))

    def moved(share: float) -> torch.Tensor:
        run = AttentionRun(plan, Regions(face, element), FeatureRecord(), (4, 4), face_share=share)
        run.rows = ("original", "edited", "target")

        def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, **rows: object) -> torch.Tensor:
            return torch.softmax(q @ k.transpose(1, 2), -1) @ v

        call = AttentionCall(LAYER, (4, 4), 0, 0, 1, 1, 3)
        return (run.edit(call, attend, q, k, v) - attend(q, k, v))[2]  # type: ignore[arg-type]

    whole, half = moved(1.0), moved(0.5)
    assert whole[:8].abs().max() > 0.1 and whole[12:].abs().max() > 0.1
    torch.testing.assert_close(half[:8], 0.5 * whole[:8])
    torch.testing.assert_close(half[12:], whole[12:])
