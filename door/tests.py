"""The rings of tests: lint, core (no host), host (ComfyUI in the test's process), server (and a browser)."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from .environment import Environment
from .hosts import Host, child_environment, keep_bytecode, one_thread, prepare_base
from .paths import ROOT, RUN
from .process import say

RINGS = ("lint", "core", "host", "server")
LANES = 2
"""How many parts of one core each run side by side."""
MOST_WORKERS = 4
"""Each worker of the host ring holds a host and its models: 1 to 2 GB."""

Part = tuple[str, Callable[[], bool]]
"""What is run, and the work; True when it passed."""
Show = Literal["at once", "at end", "failure"]
"""When the output of a part is shown: as it comes, when it has ended (not among other lines), or only if it failed."""


@dataclass(frozen=True)
class Suite:
    """The rings, to be run in `environment`; host and server rings once per host."""

    environment: Environment
    hosts: Sequence[Host]
    pytest_arguments: Sequence[str]

    def run(self, rings: Sequence[str]) -> int:
        """Run the rings in order, all of them even if one fails; returns 0 when every one passed."""
        summary: list[tuple[str, bool, float]] = []
        for lanes, parts in self._waves(rings):
            with ThreadPoolExecutor(lanes) as pool:
                summary += pool.map(_timed, parts)
        say("")
        for title, passed, seconds in summary:
            say(f"{'passed' if passed else 'FAILED'}  {title} ({seconds:.0f} s)")
        return 0 if all(passed for _, passed, _ in summary) else 1

    def _waves(self, rings: Sequence[str]) -> Iterator[tuple[int, list[Part]]]:
        """Parts that run side by side, and how many at once: one that takes all cores, or LANES that take one each."""
        if "lint" in rings:
            # mypy leaves cores idle: they make the bytecode of what comes next
            first = [("collection", self._collection)] if "core" in rings else []
            yield LANES, [*first, ("ruff", self._ruff), ("mypy", self._mypy), ("imports", self._imports)]
        if "core" in rings:
            env = self._environment_without_host()
            yield 1, [("core", partial(self._pytest, "core", env, self._workers()))]
        if "host" in rings:
            yield 1, [self._hosted("host", host, self._workers(), "at once") for host in self.hosts[:1]]
        # a server and its browser mostly wait for each other, and what is the same on all hosts runs on the newest
        newest = [self._hosted("server", host) for host in self.hosts[:1] if "server" in rings]
        older = [self._hosted(ring, host, ("-m", "every_host")) for ring in ("host", "server") if ring in rings
                 for host in self.hosts[1:]]
        yield LANES, newest + older

    def _hosted(self, ring: str, host: Host, only: Sequence[str] = (), show: Show = "at end") -> Part:
        title = f"{ring}, ComfyUI {host.path.name}"
        return title, lambda: self._pytest(ring, self._environment_with(host, ring), only, show)

    def _environment_with(self, host: Host, ring: str) -> dict[str, str]:
        """Environment of the ring's tests with this host, over a new base directory."""
        base = RUN / f"base-{ring}-{host.path.name}"
        shutil.rmtree(base, ignore_errors=True)
        prepare_base(base)
        return child_environment(host, base)

    def _workers(self) -> list[str]:
        """A worker for each core; the tests of a file follow each other on one, but for what a worker without work
        takes over from another, so that none waits for the longest file. Pytest arguments may say otherwise."""
        return ["-n", str(min(os.cpu_count() or 1, MOST_WORKERS)), "--dist", "worksteal"]

    def _pytest(self, ring: str, env: dict[str, str], only: Sequence[str], show: Show = "at once") -> bool:
        arguments = [
            "-c",
            str(ROOT / "tests" / "pytest.ini"),
            *only,
            *(self.pytest_arguments or ()),
            str(ROOT / "tests" / ring),
        ]
        return self._python(["-m", "pytest", *arguments], _scratch(), one_thread(env), show)

    def _collection(self) -> bool:
        command = ["-c", str(ROOT / "tests" / "pytest.ini"), "--collect-only", "-qq", str(ROOT / "tests" / "core")]
        return self._python(["-m", "pytest", *command], _scratch(), show="failure")

    def _environment_without_host(self) -> dict[str, str]:
        return keep_bytecode(
            {
                name: value
                for name, value in os.environ.items()
                if not name.startswith("EDITEDID_HOST") and name != "PYTHONPATH"
            }
        )

    def _ruff(self) -> bool:
        return self._python(["-m", "ruff", "check", "--cache-dir", str(RUN / "ruff"), str(ROOT)], ROOT)

    def _mypy(self) -> bool:
        layout = self._pack_as_package("mypy")
        config = ["--config-file", str(ROOT / "pyproject.toml"), "--no-incremental"]
        return self._python(["-m", "mypy", *config, "-p", "editedid_pack"], layout)

    def _imports(self) -> bool:
        layout = self._pack_as_package("imports")
        code = "import sys; sys.path.insert(0, ''); from importlinter.cli import lint_imports_command as c; c()"
        return self._python(["-c", code, "--config", str(ROOT / "pyproject.toml"), "--no-cache"], layout)

    def _pack_as_package(self, user: str) -> Path:
        """The pack as a package of its own name: a clone's folder may have one that Python cannot import."""
        layout = RUN / "lint" / user
        package = layout / "editedid_pack"
        shutil.rmtree(package, ignore_errors=True)
        package.mkdir(parents=True)
        shutil.copy2(ROOT / "__init__.py", package)
        for part in ("nodes", "editedid_core"):
            shutil.copytree(ROOT / part, package / part, ignore=shutil.ignore_patterns("__pycache__"))
        return layout

    def _python(
        self, arguments: Sequence[str], cwd: Path, env: dict[str, str] | None = None, show: Show = "at once"
    ) -> bool:
        """Whether it succeeds."""
        command = [str(self.environment.python), *arguments]
        kept = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
        done = subprocess.run(
            command, cwd=cwd, env=env or self._environment_without_host(), **({} if show == "at once" else kept)
        )
        if show == "at end" or (show == "failure" and done.returncode):
            say(done.stdout)
        return done.returncode == 0


def _scratch() -> Path:
    """Where pytest starts: not in the clone, which it puts first on sys.path, where our `nodes` hides the host's."""
    scratch = RUN / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    return scratch


def _timed(part: Part) -> tuple[str, bool, float]:
    title, work = part
    say(f"\n== {title}")
    start = time.monotonic()
    passed = work()
    return title, passed, time.monotonic() - start
