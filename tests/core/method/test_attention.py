"""The gates on plain tensors: what they change, what they record, and in which half."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from editedid_core.engines.edited_id.attention.blocks import Layer
from editedid_core.engines.edited_id.attention.offload import order_of_use
from editedid_core.engines.edited_id.attention.record import FeatureRecord, SourceFeatures, in_half_precision
from editedid_core.engines.edited_id.attention.regions import Regions
from editedid_core.engines.edited_id.attention.run import AttentionCall, AttentionRun
from editedid_core.engines.edited_id.attention.settings import Disentangle, Entangle, make_plan

DIT = {"double": range(4), "single": range(2)}
TEXT, GRID, WIDTH = 3, (4, 4), 8
TOKENS = TEXT + GRID[0] * GRID[1]


def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, **where: Any) -> torch.Tensor:
    return F.scaled_dot_product_attention(q, k, v)


def make_run(rows: tuple[str, ...], face: torch.Tensor, budget: int = 1 << 30, divide: float = 1.0,
             **entangle: object) -> AttentionRun:
    setting = Entangle(**{"structure": 0.7, "detail": 0.9, "structure_window": (0, 1), "detail_window": (0, 1),
                          "structure_blocks": "double", "detail_blocks": "double", **entangle})
    plan = make_plan(setting, Disentangle(divide), DIT)
    element = torch.zeros_like(face)
    element[:4] = face[:4]
    return AttentionRun(plan, Regions(face, element), FeatureRecord(budget), (8, 8), rows, 3, 0.5)


def make_call(rows: int, chunks: int = 1, heads_first: bool = False) -> AttentionCall:
    axis = 2 if heads_first else 1
    return AttentionCall(Layer("double", 1), GRID, TEXT, TEXT, axis, axis, rows, HALVES[:chunks])


def qkv(batch: int, heads_first: bool, seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, 2, TOKENS, WIDTH) if heads_first else (batch, TOKENS, WIDTH)
    return [torch.randn(shape, generator=generator) for _ in range(3)]


ALL = ("original", "edited", "target")
HALVES = ("positive", "negative")


@pytest.mark.parametrize("heads_first", [False, True])
@pytest.mark.parametrize("chunks", [1, 2])
def test_only_the_targets_face_tokens_change(heads_first: bool, chunks: int) -> None:
    face = torch.zeros(16, 16)
    face[:, :8] = 1
    q, k, v = qkv(3 * chunks, heads_first)
    call = make_call(3, chunks, heads_first)
    plain = attend(q, k, v)
    out = make_run(ALL, face).edit(call, attend, q, k, v)
    moved = (out != plain).any(-1)
    moved = moved.any(1) if heads_first else moved
    expected = torch.zeros(3 * chunks, TOKENS, dtype=torch.bool)
    expected[2::3, TEXT:] = (torch.arange(16) % 4 < 2)
    assert torch.equal(moved, expected)


def test_zero_strength_and_empty_mask_change_nothing() -> None:
    q, k, v = qkv(3, False)
    plain = attend(q, k, v)
    full, none = torch.ones(16, 16), torch.zeros(16, 16)
    assert torch.equal(make_run(ALL, full, structure=0.0, detail=0.0).edit(make_call(3), attend, q, k, v), plain)
    assert torch.equal(make_run(ALL, none).edit(make_call(3), attend, q, k, v), plain)


@pytest.mark.parametrize("donor", ["original", "edited"])
def test_the_structure_gate_takes_the_donors_outputs(donor: str) -> None:
    face = torch.zeros(16, 16)
    face[8:] = 1  # below the rows that make_run gives to elements
    q, k, v = qkv(3, False)
    plain = attend(q, k, v)
    run = make_run(ALL, face, detail=0.0, donor=donor, agreement=None)
    out = run.edit(make_call(3), attend, q, k, v)[2, TEXT:]
    own, given = plain[2, TEXT:], plain[ALL.index(donor), TEXT:]
    torch.testing.assert_close(out[8:], torch.lerp(own[8:], given[8:], 0.7))
    assert torch.equal(out[:8], own[:8])


def test_replayed_features_give_the_joint_result() -> None:
    face = torch.ones(16, 16)
    q, k, v = qkv(3, False)
    joint = make_run(ALL, face).edit(make_call(3), attend, q, k, v)
    run = make_run(("original", "edited"), face)
    run.edit(make_call(2), attend, q[:2], k[:2], v[:2])
    run.rows = ("target",)
    replayed = run.edit(make_call(1), attend, q[2:], k[2:], v[2:])
    torch.testing.assert_close(replayed, joint[2:], rtol=0, atol=2e-3)  # kept in half precision
    assert run.record.used > 0


def test_disentangled_queries_do_not_see_the_other_source() -> None:
    """Changing the edit's keys under the face must not reach a face query, nor the original's an element query."""
    face = torch.ones(16, 16)
    q, k, v = qkv(3, False)

    def outputs(row: int, divide: float) -> torch.Tensor:
        keys, values = k.clone(), v.clone()
        keys[row, TEXT:], values[row, TEXT:] = 3.0, 7.0
        run = make_run(ALL, face, divide=divide, structure=0.0, agreement=None)
        return run.edit(make_call(3), attend, q, keys, values)[2, TEXT:]

    elements = torch.arange(16) < 4
    base = make_run(ALL, face, structure=0.0, agreement=None).edit(make_call(3), attend, q, k, v)[2, TEXT:]
    torch.testing.assert_close(outputs(1, 1.0)[~elements], base[~elements])
    torch.testing.assert_close(outputs(0, 1.0)[elements], base[elements])
    assert not torch.allclose(outputs(1, 1.0)[elements], base[elements])
    assert not torch.allclose(outputs(0, 0.0)[elements], base[elements])


def test_record_gives_up_past_its_budget() -> None:
    features, layer = SourceFeatures(torch.randn(1, 8, 8)), Layer("up", 0)
    record = FeatureRecord(budget=300)
    record.put(1, layer, features)
    assert record.get(1, layer) is features and not record.overflowed
    record.put(1, layer, features)
    assert record.used == 256  # a second conditioning's forward does not count again
    record.host_budget = 300
    record.put(2, layer, features)
    back = record.get(2, layer)
    assert back is not None and record.host_used == record.used == 256
    assert torch.equal(back.tensors()[0], features.tensors()[0])
    record.put(3, layer, features)
    assert record.overflowed and record.get(1, layer) is None


def test_the_record_holds_only_what_gates_read_in_half_precision() -> None:
    """Half of the picture is face: keys and values of the original's face tokens and what they are compared with."""
    face = torch.zeros(16, 16)
    face[8:] = 1
    q, k, v = qkv(2, False)
    run = make_run(("original", "edited"), face, structure=0.0)
    run.edit(make_call(2), attend, q, k, v)
    assert run.record.used == 3 * (8 * WIDTH) * 2
    run = make_run(("original", "edited"), face, structure=0.0, agreement=None)
    run.edit(make_call(2), attend, q, k, v)
    assert run.record.used == 2 * (8 * WIDTH) * 2


def test_half_precision_stays_finite() -> None:
    assert in_half_precision(torch.tensor([1e6, -1e6])).tolist() == [65504.0, -65504.0]
    assert in_half_precision(torch.ones(1, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_features_come_back_in_the_order_in_which_the_way_down_asks() -> None:
    a, b = Layer("up", 0), Layer("up", 1)
    following = order_of_use([(1, a), (1, b), (2, a), (2, b)])
    assert following == {(2, a): (2, b), (2, b): (1, a), (1, a): (1, b)}


def test_only_masked_rows_are_attended_again() -> None:
    """The detail gate asks for the face's queries alone, with the original's face keys added."""
    face = torch.zeros(16, 16)
    face[8:] = 1
    asked: list[tuple[int, int, int]] = []

    def counting(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, **where: Any) -> torch.Tensor:
        asked.append((q.shape[0], q.shape[1], k.shape[1]))
        return attend(q, k, v)

    make_run(ALL, face, structure=0.0).edit(make_call(3), counting, *qkv(3, False))
    assert asked == [(3, TOKENS, TOKENS), (1, 8, TOKENS + 8)]


def linear_projection(out: torch.Tensor) -> torch.Tensor:
    weight = torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(4))
    return out @ weight + 0.5


@pytest.mark.parametrize("replayed", [False, True])
def test_blending_after_a_linear_projection_is_blending_before_it(replayed: bool) -> None:
    """The weights of a token add up to one, so the projection's bias comes out once."""
    face = torch.ones(16, 16)
    q, k, v = qkv(3, False)
    results = []
    for after in (False, True):
        run = make_run(ALL, face, detail=0.0, agreement=None, after_projection=after)
        rows = ((("original", "edited"), slice(0, 2)), (("target",), slice(2, 3))) if replayed else ((ALL, slice(3)),)
        for names, part in rows:
            run.rows = names
            call = replace(make_call(len(names)), projection_follows=True)
            projected = linear_projection(run.edit(call, attend, q[part], k[part], v[part]))
            out = run.edit_projected(call, projected)
        results.append(out[-1])
        assert torch.equal(out[-1], projected[-1]) != after
    torch.testing.assert_close(*results, rtol=0, atol=2e-2 if replayed else 1e-5)  # recorded in half precision


def test_without_a_projection_to_come_the_gate_acts_before_it() -> None:
    face, (q, k, v) = torch.ones(16, 16), qkv(3, False)
    plain, asked = (make_run(ALL, face, after_projection=after).edit(make_call(3), attend, q, k, v)
                    for after in (False, True))
    assert torch.equal(plain, asked)


@pytest.mark.parametrize(("half", "changed"), [("both", [2, 5]), ("positive", [2]), ("negative", [5])])
def test_gates_act_on_the_half_that_is_asked_for(half: str, changed: list[int]) -> None:
    q, k, v = qkv(6, False)
    out = make_run(ALL, torch.ones(16, 16), gated_half=half).edit(make_call(3, 2), attend, q, k, v)
    assert (out != attend(q, k, v)).flatten(1).any(1).nonzero().flatten().tolist() == changed


def test_a_half_without_the_prompt_is_not_recorded() -> None:
    q, k, v = qkv(2, False)
    run = make_run(("original", "edited"), torch.ones(16, 16))
    run.edit(replace(make_call(2), halves=("negative",)), attend, q, k, v)
    assert run.record.used == 0
    both = qkv(4, False)
    run.edit(replace(make_call(2), halves=("negative", "positive")), attend, *both)
    found = run.record.get(3, Layer("double", 1))
    assert found is not None and found.face_keys is not None
    chosen = both[1][2:3, TEXT + 4 :].half()  # the original's row of the second half, below the elements
    torch.testing.assert_close(found.face_keys, chosen)


def test_of_features_met_twice_at_a_step_the_last_are_kept() -> None:
    """A fixed-point inversion evaluates each level twice, the second time at the better state."""
    first, last = SourceFeatures(torch.zeros(1, 8, 8)), SourceFeatures(torch.ones(1, 8, 8))
    for record in (FeatureRecord(budget=256), FeatureRecord(host_budget=256)):
        for features in (first, last):
            record.put(1, Layer("up", 0), features)
        found = record.get(1, Layer("up", 0))
        assert found is not None and not record.overflowed and torch.equal(found.tensors()[0], last.tensors()[0])
