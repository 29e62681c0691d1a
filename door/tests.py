"""The rings of tests: lint, core (no host), host (ComfyUI in the test's process), server (and a browser)."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from .environment import Environment
from .hosts import Host, child_environment, one_thread, prepare_base
from .paths import ROOT, RUN
from .process import keep_bytecode, say

RINGS = ("lint", "core", "host", "server")
MOST_AT_ONCE = 4
"""A part of the host ring holds a host and its models: 2 to 4 GB."""

Part = tuple[str, Callable[[], bool]]
"""What is run, and the work; True when it passed."""
Done = tuple[str, bool, float]
"""What was run, whether it passed, and the seconds that it took."""


@dataclass(frozen=True)
class Suite:
    """The rings, to be run in `environment`; host and server rings once per host. more: parts after them, for the core
    that is done first. live: show what is said as it comes, and not when a part has ended."""

    environment: Environment
    hosts: Sequence[Host]
    pytest_arguments: Sequence[str]
    more: Sequence[Part] = ()
    live: bool = False

    def run(self, rings: Sequence[str]) -> int:
        """Run the rings, all of them even if one fails; returns 0 when every one passed.

        Each core takes a part, and the next one when it is done, so that none is idle; a part is one process, which
        starts a host and opens models once. Where there are fewer parts than cores, core and host rings take several.
        """
        chains = list(self._chains(rings))
        if len(chains) == 1:
            chains = list(replace(self, live=True)._chains(rings))
        with ThreadPoolExecutor(min(_cores(), len(chains))) as pool:
            summary = [done for chain in pool.map(_in_order, chains) for done in chain]
        say("")
        for done in summary:
            say(_line(done))
        return 0 if all(passed for _, passed, _ in summary) else 1

    def _chains(self, rings: Sequence[str]) -> Iterator[list[Part]]:
        """Parts that follow each other; the longest first. What is the same on all hosts runs on the newest."""
        newest, older = self.hosts[:1], self.hosts[1:]
        of_host = [ring for ring in ("host", "server") if ring in rings]
        count = len({"lint", "core"} & set(rings)) + len(of_host) * len(self.hosts)
        workers = self._workers(max(1, _cores() // max(1, count)))
        if "host" in rings:
            yield [self._hosted("host", host, workers) for host in newest]
        if "lint" in rings:
            yield [("ruff", self._ruff), ("mypy", self._mypy), ("imports", self._imports)]
        if "core" in rings:
            yield [("core", partial(self._pytest, "core", self._environment_without_host(), workers))]
        if "server" in rings:
            yield [self._hosted("server", host) for host in newest]
        for ring in of_host:
            for host in older:
                yield [self._hosted(ring, host, ("-m", "every_host", *(workers if ring == "host" else ())))]
        for part in self.more:
            yield [part]

    def _hosted(self, ring: str, host: Host, only: Sequence[str] = ()) -> Part:
        title = f"{ring}, ComfyUI {host.path.name}"
        return title, lambda: self._pytest(ring, self._environment_with(host, ring), only)

    def _environment_with(self, host: Host, ring: str) -> dict[str, str]:
        """Environment of the ring's tests with this host, over a new base directory."""
        base = RUN / f"base-{ring}-{host.path.name}"
        shutil.rmtree(base, ignore_errors=True)
        prepare_base(base)
        return child_environment(host, base)

    def _workers(self, number: int) -> list[str]:
        """So many processes for a ring; the tests of a file follow each other in one, but for what a process without
        work takes over from another, so that none waits for the longest file. Pytest arguments may say otherwise."""
        return ["-n", str(number), "--dist", "worksteal"] if number > 1 else []

    def _pytest(self, ring: str, env: dict[str, str], only: Sequence[str]) -> bool:
        arguments = [
            "-c",
            str(ROOT / "tests" / "pytest.ini"),
            *only,
            *(self.pytest_arguments or ()),
            str(ROOT / "tests" / ring),
        ]
        return self._python(["-m", "pytest", *arguments], _scratch(), one_thread(env))

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

    def _python(self, arguments: Sequence[str], cwd: Path, env: dict[str, str] | None = None) -> bool:
        """Run it, show what it says, and return whether it succeeded."""
        command, env = [str(self.environment.python), *arguments], env or self._environment_without_host()
        if self.live:
            return subprocess.run(command, cwd=cwd, env=env).returncode == 0
        done = subprocess.run(command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace")
        say(done.stdout)
        return done.returncode == 0


def _cores() -> int:
    return min(os.cpu_count() or 1, MOST_AT_ONCE)


def _scratch() -> Path:
    """Where pytest starts: not in the clone, which it puts first on sys.path, where our `nodes` hides the host's."""
    scratch = RUN / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    return scratch


def _in_order(parts: Sequence[Part]) -> list[Done]:
    return [_timed(part) for part in parts]


def _timed(part: Part) -> Done:
    title, work = part
    say(f"\n== {title}")
    start = time.monotonic()
    done = title, work(), time.monotonic() - start
    say(f"== {_line(done)}")
    return done


def _line(done: Done) -> str:
    title, passed, seconds = done
    return f"{'passed' if passed else 'FAILED'}  {title} ({seconds:.0f} s)"
