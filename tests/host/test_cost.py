"""What a restoration costs, by count: evaluations, memory at full size, and what the benchmarks measure."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lab.bench import count, memory_run, published, runs, speed
from lab.bench.sizes import SIZES, Subject, make, tiny
from lab.inprocess import Host

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def subject(host: Host) -> Subject:
    return make(tiny(SIZES["sd15"]), CPU, torch.float32)


@pytest.mark.parametrize(("name", "kind"), [("sd15", "unet"), ("flux", "transformer")])
def test_the_default_keeps_to_its_number_of_evaluations(host: Host, name: str, kind: str) -> None:
    subject = make(tiny(SIZES[name]), CPU, torch.float32)
    gated = runs.gated(subject.model)
    asked = runs.batches(subject, gated)
    assert sum(n for n, _ in asked) == runs.ours(subject, gated).evaluations <= speed.MOST_EVALUATIONS[kind]


@pytest.mark.parametrize("steps", [2, 6])
def test_the_published_pattern_asks_for_as_many_evaluations_as_it_says(subject: Subject, steps: int) -> None:
    seen: list[int] = []
    network = subject.model.model.diffusion_model
    hook = network.register_forward_pre_hook(lambda module, given: seen.append(len(given[0])))
    result = published.run(subject, steps)
    hook.remove()
    assert sum(seen) == published.evaluations(steps) and max(seen) == 6
    assert torch.isfinite(result).all()
    assert published.evaluations(50) == 400 and published.evaluations(6) == 48


def test_explicit_matrices_give_the_attention_of_the_fused_kernel(subject: Subject) -> None:
    from torch.nn.functional import scaled_dot_product_attention

    q, k, v = torch.randn(3, 1, 2, 9, 8)
    out = published.explicit_attention(subject)(None, q, k, v, 2, skip_reshape=True, skip_output_reshape=True)
    torch.testing.assert_close(out, scaled_dot_product_attention(q, k, v))


def test_speed_is_measured_in_ratios(subject: Subject) -> None:
    found = speed.measure(subject, 1, steps=3, published_steps=1)
    assert found.evaluations == 3 * runs.levels() and found.within_count and found.mode == "replay"
    assert 0.5 < found.overhead_vs_plain < 2 and found.speedup_vs_published_50 > found.speedup_vs_published_6 > 0.5
    assert f"| {found.evaluations} |" in speed.table([found])


def test_a_patched_model_with_nothing_to_act_on_launches_nothing_more(subject: Subject) -> None:
    def operators(model: Any) -> int:
        with Operators() as seen:
            runs.stock(subject, model)
        return seen.number

    operators(subject.model)  # the first run loads
    assert operators(runs.gated(subject.model)) == operators(subject.model) > 100


class Operators(TorchDispatchMode):
    """Counts PyTorch's operators."""

    number = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.number += 1
        return func(*args, **(kwargs or {}))


def test_sd15_at_512_keeps_to_its_memory(host: Host) -> None:
    found = count.Memory.of(SIZES["sd15"])
    # what is recorded lives in our peak, but the plain model's own peak falls at another moment
    assert 0 < found.record < found.ours and 0 < found.extra <= 250
    assert found.memory_ratio_published_50 >= 3
    assert found.lock_step < found.plain * 3


def test_flux_at_1024_keeps_to_its_memory(host: Host) -> None:
    few = SIZES["flux"].reduced(depth=2, depth_single_blocks=4)  # memory beyond the weights does not grow with blocks
    found = count.Memory.of(few)
    assert found.mode == "lock-step" and found.record == 0
    assert 0 < found.extra <= 600


def test_a_real_run_needs_the_memory_that_was_counted(host: Host) -> None:
    size = tiny(SIZES["flux"]).at(256)
    plain, ours = (memory_run.peak(side, size) for side in memory_run.SIDES)
    assert ours.beyond(plain).counted > 0.8 and ours.seconds > 0
    for side in (plain, ours):
        assert side.living == pytest.approx(side.counted, abs=0.05)  # MiB; a table of noise levels is copied
