"""The soak: ``python run.py bench soak``. 500 small restorations in one process, or with ``--server`` the everyday
workflow as often in a real server; memory and time must stay where they are after the 20th.
"""
from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import torch

from door.server import from_environment

from ..checkpoints import CROPS
from ..demo import WORKFLOW
from ..demo_pictures import triple_pictures
from ..workflow import nodes_of, to_api
from . import bare_host, runs, sizes
from .timing import seconds

MIB = 2**20
SETTLED = 20


@dataclass(frozen=True)
class Soak:
    """Memory of the process and of the card after the 20th restoration and at the end, and medians of the times of
    the first and the last quarter. `pace_growth`: the same of a fixed piece of work done beside every restoration; what
    else a machine does in the meantime slows both."""

    restorations: int
    resident_mib: float
    resident_mib_end: float
    resident_growth: float
    device_mib: float
    device_mib_end: float
    seconds_first: float
    seconds_last: float
    time_growth: float
    pace_growth: float


def soak(subject: sizes.Subject, number: int) -> Soak:
    """Restore the same face `number` times."""
    device = subject.model.load_device
    gated = runs.gated(subject.model)
    times, paces, resident, on_device = [], [], [], []
    for i in range(number):
        paces.append(_pace())
        times.append(seconds(lambda: runs.ours(subject, gated), device))
        if i + 1 in (SETTLED, number):
            gc.collect()
            resident.append(psutil.Process().memory_info().rss / MIB)
            on_device.append(torch.cuda.memory_reserved(device) / MIB if device.type == "cuda" else 0.0)
    return _found(times, paces, resident, on_device)


def soak_server(number: int) -> Soak:
    """The everyday workflow with the lab's UNet, queued `number` times with a new seed each, in a server of its own;
    processor seconds and memory of all of its processes."""
    times, paces, resident = [], [], []
    with from_environment(log_name="server-soak.log") as server:
        prompt = to_api(json.loads(WORKFLOW.read_text(encoding="utf-8")), server.get("/object_info"))
        (restorer,) = nodes_of(prompt, "EditedIDRestoreIdentity")
        inputs = prompt[restorer]["inputs"]
        for socket, picture in zip(("original", "edited"), triple_pictures()):
            name = f"editedid_soak_{socket}.png"
            picture.save(server.base / "input" / name)
            prompt[inputs[socket][0]]["inputs"]["image"] = name
        inputs["crop_size"] = CROPS["unet"]
        processes = psutil.Process().children(recursive=True)
        spent = _processor_seconds(processes)
        for i in range(number):
            inputs["noise_pattern"] = i
            paces.append(_pace())
            server.run(prompt)
            spent, before = _processor_seconds(processes), spent
            times.append(spent - before)
            if i + 1 in (SETTLED, number):
                resident.append(sum(process.memory_info().rss for process in processes) / MIB)
    return _found(times, paces, resident, [0.0, 0.0])


def _processor_seconds(processes: Sequence[psutil.Process]) -> float:
    return sum(process.cpu_times().user + process.cpu_times().system for process in processes)


def _pace() -> float:
    """Processor seconds of a fixed piece of work, about 50 ms of convolutions like a network's."""
    started = time.process_time()
    picture, weights = torch.ones(1, 64, 64, 64), torch.ones(64, 64, 3, 3)
    for _ in range(12):
        torch.nn.functional.conv2d(picture, weights, padding=1)
    return time.process_time() - started


def _found(times: Sequence[float], paces: Sequence[float], resident: Sequence[float],
           on_device: Sequence[float]) -> Soak:
    quarter = len(times) // 4
    first, last = statistics.median(times[:quarter]), statistics.median(times[-quarter:])
    pace = statistics.median(paces[-quarter:]) / statistics.median(paces[:quarter])
    return Soak(len(times), resident[0], resident[-1], resident[-1] / resident[0], on_device[0], on_device[-1], first,
                last, last / first, pace)


def main(arguments: Sequence[str]) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="bench soak", description=__doc__)
    parser.add_argument("--number", type=int, default=500)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    parser.add_argument("--gpu", action="store_true", help="use the graphics card")
    parser.add_argument("--server", action="store_true", help="in a real server, on the CPU, with the lab's UNet")
    options = parser.parse_args(arguments)
    if options.server:
        device = torch.device("cpu")
        found = soak_server(options.number)
    else:
        device = bare_host.start(options.gpu)
        dtype = torch.float16 if options.gpu else torch.float32
        found = soak(sizes.make(sizes.tiny(sizes.SIZES["sd15"]), device, dtype), options.number)
    print(f"On {bare_host.machine(device)}: " + ", ".join(f"{k} {v:.4g}" for k, v in asdict(found).items()))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps({"machine": bare_host.machine(device), **asdict(found)}, indent=1),
                                encoding="utf-8")
