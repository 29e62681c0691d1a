"""What a process of `bench around` does: ``python around_run.py TREE MESH``, then a line of JSON for each line of it.

It imports the pack of TREE alone, so that one version can be measured beside another. A line that comes in is the file
of a scene (`around_scenes`), with a tab and "profile" where standard error is to show where the time goes. The line
that goes out: seconds of processor time, of each stage too; MiB over the pictures at the peak, None where the system
does not tell; faces, and those accepted.
"""
from __future__ import annotations

import contextlib
import gc
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

STAGES = ("find", "match", "shape_and_tone", "cut", "look", "judge", "paste")
"""Functions of the runner, and the names of their stages."""


class Clock:
    """Processor seconds by stage."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)

    def on(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **named: Any) -> Any:
            start = time.process_time()
            try:
                return work(*arguments, **named)
            finally:
                self.seconds[name] += time.process_time() - start
        return timed


def main(tree: str, mesh: str) -> None:
    """Answer until there is no line any more."""
    sys.path.insert(0, tree)
    import torch

    from editedid_core.faces.analyzers.registry import load_analyzer
    from editedid_core.restore import runner

    torch.set_num_threads(1)
    clock, analyzer = Clock(), load_analyzer("dlib", {}, mesh=Path(mesh))
    for name in (name for name in STAGES if hasattr(runner, name)):
        setattr(runner, name, clock.on(name, getattr(runner, name)))
    for line in sys.stdin:
        file, _, how = line.strip().partition("\t")
        answer = run(file, analyzer, clock, how == "profile")
        print(json.dumps(answer), flush=True)


def run(file: str, analyzer: Any, clock: Clock, profiled: bool) -> dict[str, Any]:
    """One restoration, without a diffusion model: the composite takes no time."""
    import numpy as np
    import torch

    from editedid_core.config import RestoreConfig
    from editedid_core.engines.composite import CompositeEngine
    from editedid_core.restore.runner import restore

    with np.load(file) as scene:
        original, edited = (torch.from_numpy(scene[name]).float().div_(255) for name in ("original", "edited"))
    config = RestoreConfig().changed({"engine": "composite"})
    gc.collect()
    clock.seconds.update(dict.fromkeys(STAGES, 0.0))
    with torch.inference_mode(), _profile() if profiled else contextlib.nullcontext():
        before = resident(forget=True)
        start = time.process_time()
        done = restore(original, edited, analyzer, CompositeEngine(), config)
        seconds = time.process_time() - start
        most = resident(peak=True)
    faces = {"faces": len(done.faces), "accepted": sum(face.accepted for face in done.faces)}
    memory = None if most is None or before is None else most - before
    return {"seconds": seconds, "stages": dict(clock.seconds), "mib": memory, **faces}


@contextlib.contextmanager
def _profile() -> Any:
    import cProfile
    import pstats

    with cProfile.Profile(time.process_time) as profile:
        yield
    pstats.Stats(profile, stream=sys.stderr).sort_stats("cumtime").print_stats(150)


def resident(peak: bool = False, forget: bool = False) -> float | None:
    """MiB of this process in memory: now, or at its peak since they were forgotten. None where the system cannot."""
    status, forgets = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    try:
        if forget:
            forgets.write_text("5", encoding="ascii")
        lines = dict(line.split(":", 1) for line in status.read_text(encoding="ascii").splitlines())
    except OSError:
        return None
    return int(lines["VmHWM" if peak else "VmRSS"].split()[0]) / 1024


if __name__ == "__main__":
    main(*sys.argv[1:3])
