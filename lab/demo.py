"""The demo: the template for SD 1.5, run on a real server; started by `python run.py demo`.

Without a checkpoint its model is left out, so that Restore Identity puts the photo's face into the edit without
diffusion. One of the lab's tiny models restores the drawn people that it was trained on.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont, ImageOps

from door.failure import Failure
from door.paths import ROOT
from door.server import Rejected, Server, from_environment
from lab.checkpoints import CROPS, FILES
from lab.demo_pictures import sample_pictures, triple_pictures
from lab.workflow import nodes_of, to_api

WORKFLOW = ROOT / "example_workflows" / "Restore a face - SD 1.5.json"
REPORT = "report"
"""Id of the node that hands out the report."""

PANEL = 384
"""Side of a panel of before_after.png."""


def main(words: list[str] | None = None) -> int:
    """Run the demo; returns 0 when it has written its three files."""
    options = _options(words)
    original, edited = _pictures(options)
    started = time.monotonic()
    try:
        print(f"The face is restored {_way(options)}.", flush=True)
        with from_environment(gpu=options.gpu, log_name="server-demo.log") as server:
            restored, report = restore(server, original, edited, options)
    except (Failure, Rejected) as failure:
        print(f"\nThe demo could not be run: {failure}")
        return 1
    report["seconds"] = round(time.monotonic() - started, 1)
    options.out.mkdir(parents=True, exist_ok=True)
    restored.save(options.out / "restored.png")
    before_after(original, edited, restored, report).save(options.out / "before_after.png")
    (options.out / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    for face in report["faces"]:
        print(f"likeness to the person: {_score(face['id_similarity_before'])} before, "
              f"{_score(face['id_similarity_after'])} after{'' if face['accepted'] else ' (kept the edit)'}")
    print(f"pixels changed outside the faces: {report['outside_pixels_changed']}")
    print(f"Look at {options.out / 'before_after.png'}")
    return 0


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="lab.demo")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--original", type=Path)
    parser.add_argument("--edited", type=Path)
    parser.add_argument("--checkpoint")
    parser.add_argument("--model-family", choices=tuple(FILES))
    parser.add_argument("--gpu", action="store_true")
    return parser.parse_args(words)


def _pictures(options: argparse.Namespace) -> tuple[Image.Image, Image.Image]:
    """The user's pair, a drawn pair for the lab's own models, or the first of the pack's rendered samples; of a person
    that no model has met."""
    if options.original:
        opened = (ImageOps.exif_transpose(Image.open(path)) for path in (options.original, options.edited))
        original, edited = (picture.convert("RGB") for picture in opened)
        return original, edited
    return triple_pictures() if options.model_family else sample_pictures()


def _way(options: argparse.Namespace) -> str:
    """What restores the face, in words."""
    if _checkpoint(options):
        return f"with the model {_checkpoint(options)}"
    return "without a diffusion model, from the photo alone (--comfyui PATH --checkpoint NAME use one of yours)"


def _checkpoint(options: argparse.Namespace) -> str | None:
    """The user's model, the lab's of a family, or none."""
    return options.checkpoint or FILES.get(options.model_family)


def restore(server: Server, original: Image.Image, edited: Image.Image,
            options: argparse.Namespace) -> tuple[Image.Image, dict[str, Any]]:
    """Run the template on the two pictures; returns the restored picture and the report."""
    prompt = to_api(json.loads(WORKFLOW.read_text(encoding="utf-8")), server.get("/object_info"))
    checkpoint = _checkpoint(options)
    (restorer,) = nodes_of(prompt, "EditedIDRestoreIdentity")
    inputs = prompt[restorer]["inputs"]
    for socket, picture in (("original", original), ("edited", edited)):
        name = f"editedid_demo_{socket}.png"
        picture.save(server.base / "input" / name)
        prompt[inputs[socket][0]]["inputs"]["image"] = name
    if checkpoint:
        prompt[inputs["model"][0]]["inputs"]["ckpt_name"] = checkpoint
    else:
        del prompt[inputs["model"][0]]
        for socket in ("model", "vae", "clip"):
            del inputs[socket]
    for family, file in FILES.items():
        if checkpoint == file:
            inputs["crop_size"] = CROPS[family]
    prompt[REPORT] = {"class_type": "PreviewAny", "inputs": {"source": [restorer, 4]}}
    outputs = server.run(prompt)
    (saved,) = nodes_of(prompt, "SaveImage")
    restored = Image.open(io.BytesIO(server.image(outputs[saved]["images"][0]))).convert("RGB")
    report = {
        "host_version": server.get("/system_stats")["system"]["comfyui_version"],
        "checkpoint": checkpoint,
        "model_family": options.model_family,
        **json.loads(outputs[REPORT]["text"][0]),
    }
    return restored, report


def before_after(original: Image.Image, edited: Image.Image, restored: Image.Image,
                 report: Mapping[str, Any]) -> Image.Image:
    """The three pictures side by side, with their likeness to the person under them."""
    font = ImageFont.load_default(size=20)
    faces = report["faces"]
    before = ", ".join(_score(face["id_similarity_before"]) for face in faces)
    after = ", ".join(_score(face["id_similarity_after" if face["accepted"] else "id_similarity_before"])
                      for face in faces)
    captions = ("original: the person", f"edited: likeness {before}", f"restored: likeness {after}")
    sheet = Image.new("RGB", (3 * PANEL + 40, PANEL + 60), "white")
    draw = ImageDraw.Draw(sheet)
    for column, (picture, caption) in enumerate(zip((original, edited, restored), captions)):
        left = 10 + column * (PANEL + 10)
        sheet.paste(ImageOps.pad(picture, (PANEL, PANEL), Image.Resampling.BICUBIC, color="white"), (left, 10))
        draw.text((left + PANEL // 2, PANEL + 22), caption, "black", font, anchor="ma")
    return sheet


def _score(similarity: float | None) -> str:
    return "?" if similarity is None else f"{similarity:.2f}"


if __name__ == "__main__":
    sys.exit(main())
