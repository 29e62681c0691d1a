"""The rings of tests: lint, core (no host), host (ComfyUI in the test's process), server (and a browser)."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from .environment import Environment
from .hosts import Host, child_environment, keep_bytecode, one_thread, prepare_base
from .paths import ROOT, RUN
from .process import say

RINGS = ("lint", "core", "host", "server")
MOST_WORKERS = 4
"""Each worker of the host ring holds a host and its models: 1 to 2 GB."""

Part = tuple[str, Callable[[], bool]]
"""What is run, and the work; True when it passed."""


@dataclass(frozen=True)
class Suite:
    """The rings, to be run in `environment`; host and server rings once per host."""

    environment: Environment
    hosts: Sequence[Host]
    pytest_arguments: Sequence[str]

    def run(self, rings: Sequence[str]) -> int:
        """Run the rings in order, all of them even if one fails; returns 0 when every one passed."""
        summary: list[tuple[str, bool, float]] = []
        for ring in rings:
            parts = self._parts(ring)
            # a server and its browser mostly wait for each other, so all hosts' are tested side by side
            with ThreadPoolExecutor(len(parts) if ring == "server" else 1) as pool:
                summary += pool.map(_timed, parts)
        say("")
        for title, passed, seconds in summary:
            say(f"{'passed' if passed else 'FAILED'}  {title} ({seconds:.0f} s)")
        return 0 if all(passed for _, passed, _ in summary) else 1

    def _parts(self, ring: str) -> list[Part]:
        if ring == "lint":
            return [("ruff", self._ruff), ("mypy", self._mypy), ("imports", self._imports)]
        if ring == "core":
            env = self._environment_without_host()
            return [("core", partial(self._pytest, "core", env, self._workers()))]
        return [
            (
                f"{ring}, ComfyUI {host.path.name}",
                partial(self._pytest, ring, self._environment_with(host), self._arguments(ring, host)),
            )
            for host in self.hosts
        ]

    def _arguments(self, ring: str, host: Host) -> list[str]:
        if ring == "server":  # one server and one browser for all of its tests
            return []
        # what is the same on all hosts runs on the newest
        return self._workers() + ([] if host is self.hosts[0] else ["-m", "every_host"])

    def _environment_with(self, host: Host) -> dict[str, str]:
        """Environment of the tests with this host, over a new base directory."""
        base = RUN / f"base-test-{host.path.name}"
        shutil.rmtree(base, ignore_errors=True)
        prepare_base(base)
        return child_environment(host, base)

    def _workers(self) -> list[str]:
        """A worker for each core, and the tests of a file on the same one; pytest arguments may say otherwise."""
        return ["-n", str(min(os.cpu_count() or 1, MOST_WORKERS)), "--dist", "loadfile"]

    def _pytest(self, ring: str, env: dict[str, str], only: Sequence[str] = ()) -> bool:
        scratch = RUN / "scratch"  # not the clone: pytest's start would put it first on sys.path,
        scratch.mkdir(parents=True, exist_ok=True)  # where our `nodes` hides the host's
        arguments = [
            "-c",
            str(ROOT / "tests" / "pytest.ini"),
            *only,
            *(self.pytest_arguments or ()),
            str(ROOT / "tests" / ring),
        ]
        return self._python(["-m", "pytest", *arguments], scratch, one_thread(env), at_end=ring == "server")

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
        layout = self._pack_as_package()
        config = ["--config-file", str(ROOT / "pyproject.toml"), "--no-incremental"]
        return self._python(["-m", "mypy", *config, "-p", "editedid_pack"], layout)

    def _imports(self) -> bool:
        layout = self._pack_as_package()
        code = "import sys; sys.path.insert(0, ''); from importlinter.cli import lint_imports_command as c; c()"
        return self._python(["-c", code, "--config", str(ROOT / "pyproject.toml"), "--no-cache"], layout)

    def _pack_as_package(self) -> Path:
        """The pack as a package of its own name: a clone's folder may have one that Python cannot import."""
        layout = RUN / "lint"
        package = layout / "editedid_pack"
        shutil.rmtree(package, ignore_errors=True)
        package.mkdir(parents=True)
        shutil.copy2(ROOT / "__init__.py", package)
        for part in ("nodes", "editedid_core"):
            shutil.copytree(ROOT / part, package / part, ignore=shutil.ignore_patterns("__pycache__"))
        return layout

    def _python(
        self, arguments: Sequence[str], cwd: Path, env: dict[str, str] | None = None, at_end: bool = False
    ) -> bool:
        """Whether it succeeds. `at_end`: what it prints is shown when it has ended, and not among others' lines."""
        command = [str(self.environment.python), *arguments]
        shown = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
        done = subprocess.run(
            command, cwd=cwd, env=env or self._environment_without_host(), **(shown if at_end else {})
        )
        if at_end:
            say(done.stdout)
        return done.returncode == 0


def _timed(part: Part) -> tuple[str, bool, float]:
    title, work = part
    say(f"\n== {title}")
    start = time.monotonic()
    passed = work()
    return title, passed, time.monotonic() - start
