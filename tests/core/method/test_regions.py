"""Regions, tokens, block lists and windows of the gates, on plain tensors."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from editedid_core.engines.edited_id.attention.blocks import Layer, detail_blocks, parse_blocks, structure_blocks
from editedid_core.engines.edited_id.attention.gates import agreement, move_towards
from editedid_core.engines.edited_id.attention.regions import Regions
from editedid_core.engines.edited_id.attention.settings import Disentangle, Entangle, make_plan
from editedid_core.engines.edited_id.attention.tokens import find_tokens

UNET = {"down": [1, 2, 4], "mid": [0], "up": [3, 4, 5]}
DIT = {"double": range(4), "single": range(2)}


def test_regions_always_sum_to_one_and_average_areas() -> None:
    face, element = torch.rand(32, 32), torch.rand(32, 32)
    w1, w2 = Regions(face, element).on_grid(4, 4, face)
    assert ((w1 >= 0) & (w2 >= 0) & (w1 + w2 <= 1 + 1e-6)).all()
    half = torch.zeros(32, 32)
    half[:, :12] = 1
    w1, _ = Regions(half, torch.zeros(32, 32)).on_grid(4, 4, face)
    torch.testing.assert_close(w1.view(4, 4)[0], torch.tensor([1.0, 0.5, 0.0, 0.0]))
    w1, _ = Regions(half, torch.zeros(32, 32), "hard").on_grid(4, 4, face)
    assert set(w1.tolist()) == {0.0, 1.0}


def test_block_lists_are_read_and_wrong_ones_named() -> None:
    auto = structure_blocks(UNET)
    assert Layer("down", 4) in auto and Layer("up", 3) not in auto
    assert Layer("up", 3) in detail_blocks(UNET)
    assert Layer("single", 1) in detail_blocks(DIT) and Layer("double", 0) not in detail_blocks(DIT)
    chosen = parse_blocks("mid, up.3-4", UNET, auto, "detail_blocks")
    assert chosen.blocks == {("mid", 0), ("up", 3), ("up", 4)}
    assert parse_blocks("auto", UNET, auto, "x") is auto
    for bad in ("double.1", "up.9", "up.", "7"):
        with pytest.raises(ValueError, match="detail_blocks.*up.3,4,5"):
            parse_blocks(bad, UNET, auto, "detail_blocks")


def test_gates_act_by_the_position_in_the_run() -> None:
    plan = make_plan(Entangle(structure=1, structure_window=(0.0, 0.5), structure_blocks="double"), Disentangle(), DIT)
    assert plan.structure.at(Layer("double", 3), 0.2) and plan.structure.at(Layer("double", 3), 0.5)
    assert not plan.structure.at(Layer("double", 3), 0.6)
    assert not plan.structure.at(Layer("single", 0), 0.2)


def test_a_token_moves_by_its_share() -> None:
    target, donor = torch.full((1, 2, 1), 1.0), torch.full((1, 2, 1), 5.0)
    assert move_towards(target, donor, torch.tensor([1.0, 0.25]), 1).flatten().tolist() == [4.0, 1.0]


def test_tokens_of_a_grid_start_where_the_picture_starts() -> None:
    face, element = torch.zeros(16, 16), torch.zeros(16, 16)
    face[:, :6] = 1  # column 1 of the 4 x 4 grid is half covered
    element[12:] = 1
    found = find_tokens(Regions(face, element), (4, 4), 3, 3, torch.device("cpu"))
    assert found.face.positions.tolist() == [3, 4, 7, 8, 11, 12]
    assert found.face.weights.tolist() == [1.0, 0.5] * 3
    assert found.face.keys.tolist() == [3, 4, 7, 8, 11, 12]
    assert found.element.positions.tolist() == [15, 16, 17, 18]
    assert find_tokens(Regions(face * 0, face * 0), (4, 4), 3, 3, torch.device("cpu")).empty


def test_agreement_opens_for_like_tokens_and_closes_for_unlike() -> None:
    own = F.normalize(torch.randn(1, 6, 16), dim=-1)
    gate = agreement(own, torch.cat([own[:, :3], -own[:, 3:]], 1), 0.0, 10.0, 1)
    assert (gate[:3] > 0.99).all() and (gate[3:] < 0.01).all()
    heads = own.view(1, 6, 2, 8).transpose(1, 2)
    torch.testing.assert_close(agreement(heads, heads, 0.5, 10.0, 2), agreement(own, own, 0.5, 10.0, 1))


@pytest.mark.parametrize(("masks", "boost", "expected"), [
    ("hard", (1.0, 1.0), [1.0, 0.5, 0.5, 1.0]), ("hard", (0.0, 2.0), [0.0, 1.0, 1.0, 2.0])])
def test_boost_scales_the_masks_and_nothing_switches_one_off(masks: Any, boost: Any, expected: list[float]) -> None:
    face, element = torch.zeros(8, 8), torch.zeros(8, 8)
    face[:, :6], element[:, 2:] = 1, 1
    w1, w2 = Regions(face, element, masks, 0.5, boost).on_grid(4, 4, face)
    assert torch.maximum(w1, w2).view(4, 4)[0].tolist() == expected


def test_masks_are_averaged_or_interpolated() -> None:
    spot = torch.zeros(16, 16)
    spot[1:3, 1:3] = 1  # where a token of 4 x 4 pixels is looked up; a quarter of its area
    nothing = torch.zeros(16, 16)
    found = {kind: float(Regions(spot, nothing, kind).on_grid(4, 4, spot)[0][0])
             for kind in ("soft", "hard", "bilinear hard")}
    assert found == {"soft": 0.25, "hard": 0.0, "bilinear hard": 1.0}


def test_early_blocks_are_the_way_down_or_the_first_half() -> None:
    assert parse_blocks("early", UNET).blocks == {("down", 1), ("down", 2), ("down", 4)}
    assert parse_blocks("early", DIT).blocks == {("double", 0), ("double", 1), ("double", 2)}
