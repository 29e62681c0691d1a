"""Running a long command with its output in a log file and one moving line of progress on the screen, and Python with
its bytecode kept."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from .paths import RUN


def say(text: str) -> None:
    print(text, flush=True)


def keep_bytecode(env: Mapping[str, str]) -> dict[str, str]:
    """`env` with Python's bytecode kept in .run: no `__pycache__` lies in the clone or in the user's ComfyUI, and no
    process compiles PyTorch anew, which takes 15 s, even where PYTHONDONTWRITEBYTECODE is set."""
    kept = {**env, "PYTHONPYCACHEPREFIX": str(RUN / "bytecode")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return kept


@contextmanager
def only_one(lock: Path) -> Iterator[None]:
    """Hold `lock` (a file): a second run.py waits here until the first has set up. A dead process holds nothing."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as file:
        if not _take(file.fileno()):
            say("Another run.py is setting up; waiting for it ...")
            while not _take(file.fileno()):
                time.sleep(0.5)
        yield


def _take(file: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


class Ticker:
    """One line that tells how long a step has run and what it does now (without a terminal: now and then)."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.start = time.monotonic()
        self.terminal = sys.stdout.isatty()
        self.next_line = 20.0

    def tick(self, doing: str) -> None:
        seconds = time.monotonic() - self.start
        if self.terminal:
            print(f"\r\x1b[K  {self.label} ({seconds:.0f} s) {doing[:60]}", end="", flush=True)
        elif seconds > self.next_line:
            say(f"  {self.label} ({seconds:.0f} s) {doing[:60]}")
            self.next_line = seconds + 20.0

    def done(self) -> None:
        say(f"{chr(13) + chr(27) + '[K' if self.terminal else ''}  {self.label}: {time.monotonic() - self.start:.0f} s")


def run_logged(command: Sequence[str], log: Path, label: str, env: Mapping[str, str], cwd: Path) -> tuple[int, str]:
    """Run `command`, append its output to `log`, show progress; returns (exit code, output)."""
    log.parent.mkdir(parents=True, exist_ok=True)
    ticker = Ticker(label)
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=dict(env),
        cwd=cwd,
    )
    assert process.stdout is not None
    lines: queue.Queue[str | None] = queue.Queue()

    def read(stream=process.stdout) -> None:
        for line in stream:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    output: list[str] = []
    try:
        with log.open("a", encoding="utf-8") as file:
            while True:
                try:
                    line = lines.get(timeout=1.0)
                except queue.Empty:
                    line = ""
                if line is None:
                    break
                if line:
                    file.write(line)
                    output.append(line)
                ticker.tick(output[-1].strip() if output else "")
        code = process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise
    ticker.done()
    return code, "".join(output)
