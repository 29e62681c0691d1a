"""Run every template on a server, with the lab's models and pictures in the place of the user's.

    python run.py bench templates [WORD]    # those whose name holds WORD; two minutes on two cores
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import av
import numpy as np

from door.server import Rejected, Server, from_environment
from lab.demo_pictures import triple_pictures, write_pictures
from lab.train import text
from lab.workflow import nodes_of, to_api

TEMPLATES = Path(__file__).resolve().parents[2] / "example_workflows"
PICTURES = {"Group": ("person_1", "person_2", "person_3", "group"), "Small": ("small", "photo_1", "photo_2")}
"""Of the lab, by the first word of a template's name, in the order in which it loads them."""
PAIR = ("original", "edited")
VIDEO, FOLDER = "editedid_frames.mp4", "edits"
LOADED = {"UNETLoader": ("dit", 0), "VAELoader": ("dit", 2)}
"""Loaders of single files, and the output of the lab's transformer that stands for each."""


def prepare(base: Path) -> None:
    """The lab's pictures, a folder of edits, a video and a text encoder, where a server of this base finds them."""
    folder = base / "input"
    write_pictures(folder)
    (folder / FOLDER).mkdir(exist_ok=True)
    shutil.copy(folder / "editedid_edited.png", folder / FOLDER)
    write_video(folder / VIDEO)
    encoders = base / "models" / "text_encoders"
    encoders.mkdir(parents=True, exist_ok=True)
    if not (encoders / text.FILE).exists():
        text.write_file(encoders / text.FILE)


def write_video(file: Path, frames: int = 4) -> None:
    """Write the drawn edit, moving down a little, as a video without sound."""
    edit = np.asarray(triple_pictures()[1])
    with av.open(str(file), "w") as made:
        stream = made.add_stream("mpeg4", rate=8)
        stream.height, stream.width = edit.shape[:2]
        stream.pix_fmt, stream.bit_rate = "yuv420p", 4_000_000
        for number in range(frames):
            made.mux(stream.encode(av.VideoFrame.from_ndarray(np.roll(edit, number, axis=0), "rgb24")))
        made.mux(stream.encode())


def with_the_labs(name: str, prompt: Mapping[str, Any]) -> dict[str, Any]:
    """A template's prompt with the lab's files. Raises KeyError where a template loads what is not known here."""
    done = {key: {**node, "inputs": dict(node["inputs"])} for key, node in prompt.items()}
    done["dit"] = {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "dit_lab.safetensors"}}
    done["text"] = {"class_type": "CLIPLoader", "inputs": {"clip_name": text.FILE, "type": "stable_diffusion"}}
    swapped: dict[tuple[str, int], list[Any] | None] = {}
    for key in nodes_of(prompt, "CheckpointLoaderSimple"):
        done[key]["inputs"]["ckpt_name"] = "unet_lab.safetensors"
        swapped[key, 1] = ["text", 0]  # the lab's checkpoints hold no text encoder
    for kind, (source, output) in LOADED.items():
        swapped |= {(key, 0): [source, output] for key in nodes_of(prompt, kind)}
    swapped |= {(key, 0): None for kind in ("CLIPLoader", "DualCLIPLoader") for key in nodes_of(prompt, kind)}
    for node in done.values():
        wires = {one: swapped.get(tuple(value), value) if isinstance(value, list) else value
                 for one, value in node["inputs"].items()}
        node["inputs"] = {one: value for one, value in wires.items() if value is not None or
                          not isinstance(node["inputs"][one], list)}
    for key in {key for key, _ in swapped} - set(nodes_of(prompt, "CheckpointLoaderSimple")):
        del done[key]
    pictures = iter(PICTURES.get(name.split()[0], PAIR))
    for key in nodes_of(done, "LoadImage"):
        done[key]["inputs"]["image"] = f"editedid_{next(pictures)}.png"
    for key in nodes_of(done, "LoadVideo"):
        done[key]["inputs"]["file"] = VIDEO
    for key in nodes_of(done, "EditedIDLoadEditFromFolder"):
        done[key]["inputs"]["folder"] = FOLDER
    return done


def run(server: Server, name: str) -> list[dict[str, str]]:
    """The files that a template saves. Raises Rejected with the host's reason where it does not run."""
    workflow = json.loads((TEMPLATES / f"{name}.json").read_text(encoding="utf-8"))
    prompt = with_the_labs(name, to_api(workflow, server.get("/object_info")))
    saves = [key for kind in ("SaveImage", "SaveVideo") for key in nodes_of(prompt, kind)]
    shown = server.run(prompt)
    return [file for key in saves for file in shown[key]["images"]]


def main(word: str = "") -> int:
    """Run those whose name holds `word`; the number of those that failed."""
    failed = 0
    with from_environment(log_name="templates.log") as server:
        prepare(server.base)
        for file in sorted(one for one in TEMPLATES.glob("*.json") if word in one.stem):
            start = time.monotonic()
            try:
                files = run(server, file.stem)
                words = ", ".join(one["filename"] for one in files) or "FAILED: nothing was saved"
            except Rejected as fault:
                files, words = [], f"FAILED: {fault}"
            failed += not files
            print(f"{time.monotonic() - start:5.1f} s  {file.stem}: {words}", flush=True)
    return failed
