"""The project's own Python environment: a wheelhouse in the cache, filled once, and a venv installed from it.

pip alone cannot work offline, because it asks the index even for what it has cached. So everything is first
collected as wheels (`pip wheel`, with the user's own index settings) and then installed from that folder, by uv where
there is one: pip unpacks one file after the other, which takes a minute of one core.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .failure import Failure, from_pip, require_space
from .paths import LOGS, ROOT, RUN, cache_dir
from .process import keep_bytecode, run_logged, say

CONSTRAINTS = ROOT / "door" / "constraints.txt"
DOWNLOAD_GB, INSTALLED_GB = 5.0, 8.0


@dataclass(frozen=True)
class Environment:
    """A venv in `folder` and the wheelhouse it is installed from."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")

    @property
    def stamp(self) -> Path:
        return self.folder / "editedid.json"

    @property
    def listing(self) -> Path:
        return self.folder / "requirements.txt"

    def installed(self) -> frozenset[str]:
        """Requirement lines that are known to be installed; empty for a venv that was never finished."""
        try:
            found = json.loads(self.stamp.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return frozenset()
        return frozenset(found["requirements"]) if found["python"] == sys.version else frozenset()

    def ensure(self, requirements: Iterable[str]) -> None:
        """Make the venv hold `requirements` (pip lines); does nothing when it does already."""
        wanted = frozenset(requirements) | {f"# constraints {_digest([CONSTRAINTS.read_text(encoding='utf-8')])}"}
        have = self.installed()
        if wanted <= have:
            return
        self.prepare()
        lines = sorted(wanted)
        self.stamp.unlink(missing_ok=True)  # an interrupted installation leaves no stamp: the venv is rebuilt
        listing = self.listing
        listing.write_text("\n".join(lines) + "\n", encoding="utf-8")
        wheels = wheelhouse()
        offline = any(wanted <= _lines(collected) for collected in wheels.glob("*.txt"))
        if not offline:
            self._collect(listing, wheels)
        code, output = self._install(listing, wheels)
        if code and offline:  # the cache was cleared by hand: fill it again, once
            self._collect(listing, wheels)
            code, output = self._install(listing, wheels)
        if code:
            raise from_pip(output, LOGS / "pip.log")
        self.stamp.write_text(
            json.dumps({"python": sys.version, "requirements": sorted(wanted | have)}), encoding="utf-8"
        )

    def prepare(self) -> None:
        """Make an empty venv, unless a whole one is there; one left half filled is made anew."""
        half_filled = self.listing.exists() and not self.installed()
        whole = self.folder / "made"
        if whole.exists() and not half_filled:
            return
        require_space(RUN, INSTALLED_GB)
        if self.folder.exists():
            shutil.rmtree(self.folder)
        say(f"Making a Python environment in {self.folder} ...")
        made = subprocess.run([sys.executable, "-m", "venv", str(self.folder)], capture_output=True, text=True)
        if made.returncode:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise Failure(
                "This Python cannot make environments: install its venv module "
                "(on Debian and Ubuntu: `sudo apt install python3-venv`) and run the same command again."
            )
        whole.touch()

    def pip(self, arguments: Iterable[str], label: str) -> tuple[int, str]:
        """Run the venv's pip with the user's own settings; returns (exit code, output)."""
        return self._python(["pip", *arguments, "--disable-pip-version-check", "--progress-bar", "off"], label)

    def _python(self, arguments: Iterable[str], label: str) -> tuple[int, str]:
        env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
        return run_logged([str(self.python), "-m", *arguments], LOGS / "pip.log", label, keep_bytecode(env), RUN)

    def _collect(self, listing: Path, wheels: Path) -> None:
        require_space(wheels, DOWNLOAD_GB)
        say(f"Collecting packages into {wheels} (the first time about 3 GB) ...")
        code, output = self.pip(
            [
                "wheel",
                "--use-pep517",  # older pips build sources with the venv's own tools, which lack `wheel`
                "--wheel-dir",
                str(wheels),
                "--find-links",
                str(wheels),
                "-c",
                str(CONSTRAINTS),
                "-r",
                str(listing),
            ],
            "downloading",
        )
        if code:
            raise from_pip(output, LOGS / "pip.log")
        part = wheels / "collected.part"
        shutil.copyfile(listing, part)
        part.replace(wheels / f"{_digest(_lines(listing))}.txt")

    def _install(self, listing: Path, wheels: Path) -> tuple[int, str]:
        from_wheels = ["--no-index", "--find-links", str(wheels), "-c", str(CONSTRAINTS), "-r", str(listing)]
        if self._has_uv(wheels):
            unpacked = RUN / "unpacked"  # on the venv's disk, so that its files are links to these
            uv = ["uv", "pip", "install", "--python", str(self.python), "--no-config", "--cache-dir", str(unpacked)]
            code, output = self._python([*uv, *from_wheels], "installing")
            shutil.rmtree(unpacked, ignore_errors=True)
            if not code:
                return code, output
        return self.pip(["install", "--no-compile", "--no-warn-script-location", *from_wheels], "installing")

    def _has_uv(self, wheels: Path) -> bool:
        """Whether the venv has uv, now that it was looked for among the wheels and, once, at the index."""
        install = ["install", "--no-compile", "--no-deps", "--no-index", "--find-links", str(wheels), "uv"]
        if self.pip(install, "uv")[0] == 0:
            return True
        fetch = ["wheel", "--no-deps", "--only-binary", ":all:", "--wheel-dir", str(wheels), "--retries", "0", "uv"]
        return self.pip(fetch, "downloading uv")[0] == 0 and self.pip(install, "uv")[0] == 0


def wheelhouse() -> Path:
    """Folder of wheels for this Python and machine."""
    tag = f"{sys.implementation.cache_tag}-{sys.platform}-{platform.machine().lower()}"
    folder = cache_dir() / "wheels" / tag
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def requirement_lines(file: Path, leave_out: Iterable[str] = ()) -> list[str]:
    """The requirements in `file` without comments and without the packages named in `leave_out`."""
    lines = (line.split("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not any(line.startswith(name) for name in leave_out)]


def _lines(file: Path) -> frozenset[str]:
    return frozenset(file.read_text(encoding="utf-8").splitlines())


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]
