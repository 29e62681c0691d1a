"""The rings of tests: lint, core (no host), host (ComfyUI in the test's process), server (and a browser)."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .environment import Environment
from .hosts import Host, child_environment, one_thread, prepare_base
from .paths import ROOT, RUN
from .process import say

RINGS = ("lint", "core", "host", "server")


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
            for title, work in self._parts(ring):
                say(f"\n== {title}")
                start = time.monotonic()
                passed = work()
                summary.append((title, passed, time.monotonic() - start))
        say("")
        for title, passed, seconds in summary:
            say(f"{'passed' if passed else 'FAILED'}  {title} ({seconds:.0f} s)")
        return 0 if all(passed for _, passed, _ in summary) else 1

    def _parts(self, ring: str):
        if ring == "lint":
            return [("ruff", self._ruff), ("mypy", self._mypy), ("imports", self._imports)]
        if ring == "core":
            return [("core", lambda: self._pytest("core", self._environment_without_host()))]
        return [
            (f"{ring}, ComfyUI {host.path.name}", lambda host=host: self._with_host(ring, host)) for host in self.hosts
        ]

    def _with_host(self, ring: str, host: Host) -> bool:
        base = RUN / f"base-test-{host.path.name}"
        shutil.rmtree(base, ignore_errors=True)
        prepare_base(base)
        # what is the same on all hosts runs on the newest
        only = () if ring != "host" or host is self.hosts[0] else ("-m", "every_host")
        return self._pytest(ring, one_thread(child_environment(host, base)), only)

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
        return self._python(["-m", "pytest", *arguments], scratch, env)

    def _environment_without_host(self) -> dict[str, str]:
        return {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("EDITEDID_HOST") and name != "PYTHONPATH"
        }

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

    def _python(self, arguments: Sequence[str], cwd: Path, env: dict[str, str] | None = None) -> bool:
        command = [str(self.environment.python), *arguments]
        return subprocess.run(command, cwd=cwd, env=env or self._environment_without_host()).returncode == 0
