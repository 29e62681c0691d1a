"""Several trainings on one device, in turns, inside a fixed time by the clock.

Every job names how many seconds it wants. The jobs take turns of a fraction of a second, the one that has had the
least of its wish first (a job in haste counts its time less); wishes stretch or shrink so that
together they end at the deadline, and each job learns how far it is, so that its learning rate falls to zero in time.
A job that fails three times is left out and the others share its time.
"""
from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch

FAILURES = 3
TURN = 0.4
"""Seconds of one turn, so that waiting for the device at its end costs little."""


class Job(Protocol):
    """One training."""

    name: str
    wish: float
    haste: float

    def ready(self) -> bool:
        """Whether it can begin (its data are there)."""

    def step(self, progress: float) -> None:
        """One step at a share of its time, 0 to 1."""

    def told(self) -> str:
        """What to report."""


class Shares:
    """The jobs and the clock. `events`: (share of the time, what to do then)."""

    def __init__(self, jobs: Sequence[Job], begun: float, wall: float, device: str,
                 events: Sequence[tuple[float, Callable[[], Any]]] = ()) -> None:
        self.jobs, self.begun, self.wall = list(jobs), begun, wall
        self.cuda = torch.device(device).type == "cuda"
        self.used = {job.name: 0.0 for job in jobs}
        self.steps = {job.name: 0 for job in jobs}
        self.failures: dict[str, list[str]] = {}
        self.events = sorted(events, key=lambda event: event[0])
        self._pace: dict[str, float] = {}

    def passed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.begun

    def progress(self, job: Job) -> float:
        """Share of what this job will have had at the deadline."""
        return min(1.0, self.used[job.name] / job.wish)

    def alive(self) -> list[Job]:
        return [job for job in self.jobs if len(self.failures.get(job.name, ())) < FAILURES
                and self.used[job.name] < job.wish]

    def run(self, report_every: float = 10.0) -> None:
        """Take turns until the deadline."""
        reported = self.passed()
        while (now := self.passed()) < self.wall:
            while self.events and now >= self.events[0][0] * self.wall:
                self._guarded("event", self.events.pop(0)[1])
            waiting = [job for job in self.alive() if job.ready()]
            if not waiting:
                if not self.alive():
                    return
                time.sleep(0.05)
                continue
            self.turn(min(waiting, key=lambda job: self.used[job.name] / (job.wish * job.haste)))
            if self.passed() - reported > report_every:
                reported = self.passed()
                self.report()

    def turn(self, job: Job) -> None:
        """Some steps of one job, and a wait for the device."""
        before = time.monotonic()
        count = max(1, min(200, int(TURN / self._pace.get(job.name, TURN))))
        left = sum(j.wish - self.used[j.name] for j in self.alive())
        stretch = left / max(self.wall - self.passed(), 1e-3)  # wishes and clock run out together

        def steps() -> None:
            for _ in range(count):
                job.step(self.progress(job))
            if self.cuda:
                torch.cuda.synchronize()

        self._guarded(job.name, steps)
        spent = time.monotonic() - before
        if self._pace.get(job.name) is not None or spent < 2:  # the first turn compiles
            self._pace[job.name] = spent / count
        if self.steps[job.name]:  # the first turn prepares: it costs the clock, not the job
            self.used[job.name] += spent * stretch
        self.steps[job.name] += count

    def _guarded(self, name: str, call: Callable[[], Any]) -> None:
        try:
            call()
        except Exception:  # noqa: BLE001 one failing job must not take the others with it
            text = traceback.format_exc()
            self.failures.setdefault(name, []).append(text)
            print(f"{self.passed():.0f} s: {name} FAILED\n{text}", flush=True)

    def report(self) -> None:
        """One line a job."""
        for job in self.jobs:
            if self.steps[job.name]:
                pace = self._pace.get(job.name, float("nan"))
                used, wish = self.used[job.name], job.wish
                print(f"{self.passed():4.0f} s {job.name:12s} {self.steps[job.name]:6d} steps "
                      f"{used:5.1f} of {wish:.0f} s {pace * 1000:6.1f} ms/step {job.told()}", flush=True)
