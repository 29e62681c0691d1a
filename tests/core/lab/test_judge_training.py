"""The judges' training: batches do not depend on the workers, and a stopped run goes on where it was."""
from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lab.train import critic, detector, loop, recogniser
from lab.train.judge_data import bank, people
from lab.train.parallel import batches, spread

UNSEEN = 45_000_000
BUDGET = loop.Budget(seconds=30.0, warm_up=1)


@pytest.fixture(scope="module")
def draws(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a training step of each judge sees, from a handful of pictures."""
    cache = tmp_path_factory.mktemp("judges")
    persons = people(cache, 3, 2, seed=UNSEEN)
    pictures, points = critic.layer_set(cache, "few", [UNSEEN, UNSEEN + 1])
    return {"detector": detector.Draw(bank(cache, 2, UNSEEN).joined(persons), 2, 1),
            "recogniser_b": recogniser.Draw(None, persons, 2, 8, 1),
            "critic": critic.Draw(pictures, points, 4, 1)}


@pytest.mark.parametrize("judge", ["detector", "recogniser_b", "critic"])
def test_batches_are_the_same_with_workers_and_without(draws: dict[str, Any], judge: str) -> None:
    here, ahead = batches(draws[judge], 5, workers=0), batches(draws[judge], 5, workers=2)
    first, *_ = seen = [(next(here), next(ahead)) for _ in range(3)]
    for alone, spread_out in seen:
        for field in fields(alone):
            assert np.array_equal(getattr(alone, field.name), getattr(spread_out, field.name)), field.name
    name = fields(first[0])[0].name
    assert not np.array_equal(getattr(seen[0][0], name), getattr(seen[1][0], name)), "every step draws the same"


@pytest.mark.parametrize("workers", [0, 2])
def test_spread_work_comes_back_in_order(workers: int) -> None:
    assert spread(abs, [-3, 1, -2, 0], workers) == [3, 1, 2, 0]


class _Stopped(Exception):
    pass


def test_a_stopped_run_goes_on_from_its_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time is what the budget counts, so the clock ticks once a reading."""
    monkeypatch.setattr(loop, "SAVE_EVERY", 0.0)
    monkeypatch.setattr(loop.time, "process_time", iter(range(1000)).__next__)
    drawn: list[int] = []

    def draw(step: int) -> np.ndarray:
        drawn.append(step)
        return np.random.default_rng(step).standard_normal((4, 3), np.float32)

    def run(folder: str, stop: int | None = None) -> dict[str, torch.Tensor]:
        torch.manual_seed(0)
        network = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 1))

        def loss(batch: np.ndarray) -> torch.Tensor:
            if drawn[-1] == stop:
                raise _Stopped
            return network(torch.from_numpy(batch)).square().mean()

        assert loop.train(network, draw, loss, BUDGET, tmp_path / folder / "state.pt") == 30
        return network.state_dict()

    whole = run("whole")
    assert drawn == list(range(30))
    drawn.clear()
    with pytest.raises(_Stopped):
        run("parts", stop=11)
    assert drawn == list(range(12))
    drawn.clear()
    parts = run("parts")
    assert drawn == list(range(11, 30)), "the step that was broken off is done again, none before it"
    for name, value in whole.items():
        assert torch.equal(value, parts[name]), name
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["state.pt"]


def test_batch_norms_settle_and_nothing_else_does() -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 3, 1), torch.nn.BatchNorm2d(3), torch.nn.Dropout())
    loop.settle(network.train())
    assert [layer.training for layer in network] == [True, False, True]
