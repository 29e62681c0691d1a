"""The quality benchmark of small faces: ``python run.py bench quality --task super-resolution --scale 8,16,32``.

A face is reduced, damaged and enlarged again; five photos of the person and the framing of a box are given, and nothing
of the truth. All methods but bicubic place the face by the same registration. Likeness is that to three photos which no
method has seen.
"""
from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .. import portraits
from ..portraits.small_faces import SmallFace, make_small_face, reduced
from . import measures, sheet, table
from .diffusion import DiffusionMethods
from .judges import Judges
from .quality import MODELS
from .rivals import Case, laid, relit, warped

Array = NDArray[np.float32]

OURS: dict[str, dict[str, Any]] = {
    "bands_full_trust": {"super_resolution.trust": 1.0},
    "bands": {},
    "default": {},
}
"""Super-Resolve Face by the values that differ from its preset; all but the last without a model."""

RIVALS = ("bicubic", "reference_paste", "lanczos_relit_paste", "img2img_0.7")
NAMES = (*RIVALS, *OURS)
COLUMNS = ("identity_a", "identity_b", "face_psnr", "face_ssim", "landmark_error", "realism_error", "light_error",
           "consistency", "joint_rate", "spread", "evaluations", "seconds")
SEARCHED_AT = 256
"""Side at which the detector sees the pictures, twice theirs."""
LIKE = 0.6
"""Likeness by recogniser B that the joint rate asks for."""
PLACED = {8: 0.08, 16: 0.10, 32: 0.10}
"""Landmark errors, in eye distances, that the joint rate allows."""
RATHER = 0.5
"""Share of the reference paste's mean realism error that the joint rate allows."""


@dataclass(frozen=True, eq=False)
class Result:
    """One face: figures by method and measure, and the pictures."""

    seed: int
    figures: dict[str, dict[str, float]]
    pictures: dict[str, Array]


class Methods:
    """A host with the lab's UNet, and the pack's own stages for placing faces."""

    def __init__(self, models: Path, family: str = "unet") -> None:
        from editedid_core.faces.analyzers.insightface_backend import InsightFaceAnalyzer

        self.host = DiffusionMethods(family, models)
        self.analyzer = InsightFaceAnalyzer("lab", models / "insightface" / "lab", SEARCHED_AT)
        self._small = self.host.pack("editedid_core.restore.small_face")
        self._photos = self.host.pack("editedid_core.restore.reference_photos")
        self._preset = self.host.pack("editedid_core.config").SMALL_FACE.changed({"crop.size": self.host.crop_size})

    def place(self, face: SmallFace) -> Case:
        """What a rival starts from: the photo that explains the face best, and the face's points."""
        with torch.inference_mode():
            photos, image = stacked([one.image for one in face.photos]), stacked([face.small])
            seen = self._photos.find_person(photos, self.analyzer, self._preset.find)
            here = self._small.find_small(image, self.analyzer, self._preset.find)
            pair = self._small.pair_small(photos, image, seen, here, self._preset).pairs[0]
        return Case(face.photos[pair.original.frame].image, face.small, pair.original.points, pair.edited.points,
                    face.seed)

    def run(self, name: str, face: SmallFace, case: Case) -> tuple[Array, dict[str, float]]:
        """The picture of a method, and its spread over the photos, network evaluations and seconds."""
        started = time.perf_counter()
        self.host.evaluations, spread = 0, float("nan")
        if name in OURS:
            picture, spread = self._ours(name, face)
        elif name == "bicubic":
            picture = face.small
        elif name == "reference_paste":
            picture = laid(case, warped(case))
        elif name == "lanczos_relit_paste":
            sharp = Case(case.original, lanczos(face), case.original_points, case.edited_points, case.seed)
            picture = laid(sharp, relit(sharp))
        else:
            picture = self._image_to_image(case, float(name.rsplit("_", 1)[1]))
        return picture, {"spread": spread, "evaluations": float(self.host.evaluations),
                         "seconds": time.perf_counter() - started}

    def _ours(self, name: str, face: SmallFace) -> tuple[Array, float]:
        config = self._preset.changed(OURS[name])
        model, vae = (None, None) if name.startswith("bands") else (self.host.model, self.host.vae)
        with torch.inference_mode():
            done, _ = self.host.pack("nodes.run").run_restoration(
                config, stacked([one.image for one in face.photos]), stacked([face.small]), model, vae,
                self.analyzer)
        spread = done.faces[0].spread
        return done.image[0].float().numpy(), float("nan") if spread is None else spread

    def _image_to_image(self, case: Case, strength: float) -> Array:
        with torch.inference_mode():
            latent = self.host._encode(case.edited)
            mask = torch.ones(case.edited.shape[:2])
            done = self.host._image_to_image(latent, mask, strength, case.seed)
            return self.host.vae.decode(done)[0, ..., :3].float().numpy().clip(0, 1)


def stacked(pictures: list[Array]) -> torch.Tensor:
    return torch.from_numpy(np.stack(pictures).astype(np.float32))


def lanczos(face: SmallFace) -> Array:
    """The small face enlarged by Lanczos instead."""
    from PIL import Image

    from ..portraits.small_faces import enlarged

    return enlarged(reduced(face.small, face.factor), face.small.shape[0], Image.Resampling.LANCZOS)


def judge(out: Array, face: SmallFace, gallery: list[Array], judges: Judges) -> dict[str, float]:
    """All measures of one picture but the joint rate and the costs."""
    truth = face.truth
    points = judges.points(out, truth.landmarks)
    seen = truth.landmarks if points is None else points
    found = judges.identity(out, seen)
    eyes = float(np.linalg.norm(truth.landmarks[1] - truth.landmarks[0]))
    mask = truth.masks.face
    error = float(np.mean((reduced(out, face.factor) - reduced(face.small, face.factor)) ** 2))
    return {
        "identity_a": measures.cosine(found[0], gallery[0]), "identity_b": measures.cosine(found[1], gallery[1]),
        "face_psnr": measures.face_psnr(out, truth.image, mask),
        "face_ssim": measures.face_ssim(out, truth.image, mask),
        "landmark_error": measures.landmark_error(points, truth.landmarks),
        "realism_error": judges.damage(out, seen),
        "light_error": measures.light_error(out, truth.image, mask, eyes),
        "consistency": float(-10 * np.log10(max(error, 1e-6))),
    }


def run_face(seed: int, factor: int, names: list[str], methods: Methods, judges: Judges, keep: bool) -> Result:
    """Every method on one face, judged."""
    face = make_small_face(seed, factor)
    seen = [judges.identity(shot.image, shot.landmarks) for shot in face.gallery]
    gallery = [np.mean([one[i] / np.linalg.norm(one[i]) for one in seen], axis=0).astype(np.float32) for i in (0, 1)]
    case = methods.place(face)
    figures, pictures = {}, {"truth": face.truth.image}
    for name in names:
        picture, costs = methods.run(name, face, case)
        figures[name] = judge(picture, face, gallery, judges) | costs
        pictures[name] = picture
    pictures["photo"] = face.photos[0].image
    return Result(seed, figures, pictures if keep else {})


def with_joint_rate(results: list[Result], factor: int) -> None:
    """Add the joint rate: like the person by B, features in place, and looking twice as real as the reference paste."""
    pasted = [one.figures["reference_paste"]["realism_error"] for one in results if "reference_paste" in one.figures]
    limit = RATHER * float(np.mean(pasted)) if pasted else float("nan")
    for result in results:
        for found in result.figures.values():
            good = found["identity_b"] >= LIKE and found["landmark_error"] <= PLACED.get(factor, 0.10)
            found["joint_rate"] = float("nan") if np.isnan(limit) else float(good and found["realism_error"] <= limit)


def text(values: dict[str, dict[str, NDArray[np.float64]]]) -> str:
    """A Markdown table, one row a method."""
    lines = ["| method | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    digits = {"face_psnr": 1, "consistency": 1, "evaluations": 0, "seconds": 1}
    for name, figures in values.items():
        cells = []
        for column in COLUMNS:
            mean, low, high = table.interval(figures[column])
            d = digits.get(column, 3)
            cells.append("-" if np.isnan(mean) else f"{mean:.{d}f} ± {(high - low) / 2:.{d}f}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def calibration(values: dict[str, dict[str, NDArray[np.float64]]]) -> str:
    """A line for each method that tells its spread: how well it foretells the error of the face, and what one must be
    multiplied with to be the other."""
    lines = []
    for name, figures in values.items():
        error, spread = 10 ** (-figures["face_psnr"] / 20), figures["spread"]
        known = np.isfinite(error) & np.isfinite(spread)
        if known.sum() > 2:
            ranks = [np.argsort(np.argsort(x[known])) for x in (error, spread)]
            lines.append(f"{name}: rank correlation of spread and error {np.corrcoef(*ranks)[0, 1]:.2f}, the error is "
                         f"{float(np.median(error[known] / spread[known])):.1f} times the spread")
    return "\n".join(lines)


def summary(values: dict[str, dict[str, NDArray[np.float64]]]) -> dict[str, Any]:
    """Per method and measure mean, low, high; undefined becomes None."""
    return {name: {column: dict(zip(("mean", "low", "high"), (None if np.isnan(v) else v for v in
                                                              table.interval(figures[column]))))
                   for column in COLUMNS} for name, figures in values.items()}


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench quality --task super-resolution", description=__doc__)
    parser.add_argument("--task", choices=("super-resolution",), default="super-resolution")
    parser.add_argument("--scale", default="8,16,32", help="reductions, with commas between")
    parser.add_argument("--split", choices=("tune", "held-out"), default="tune")
    parser.add_argument("--methods", default=",".join(NAMES), help="names with commas between")
    parser.add_argument("--family", choices=("unet", "dit"), default="unet")
    parser.add_argument("--n", type=int, default=50, help="number of people")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--sheet", type=Path, help="write contact sheets here, the scale before the suffix")
    parser.add_argument("--rows", type=int, default=24, help="faces on a contact sheet, in the order of their seeds")
    parser.add_argument("--models", type=Path, default=MODELS, help="the lab's models")
    options = parser.parse_args(arguments)
    os.environ.setdefault("TQDM_DISABLE", "1")
    names = options.methods.split(",")
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        parser.error(f"unknown method {unknown[0]!r}: choose from {', '.join(NAMES)}")
    judges, methods = Judges.open(options.models), Methods(options.models, options.family)
    content: dict[str, Any] = {"task": options.task, "split": options.split, "family": options.family, "n": options.n,
                               "scales": {}}
    for factor in (int(one) for one in options.scale.split(",")):
        results: list[Result] = []
        for i, seed in enumerate(portraits.triple_split(options.split, options.n)):
            keep = options.sheet is not None and i < options.rows
            results.append(run_face(seed, factor, names, methods, judges, keep))
            print(f"  {factor}x {seed}", file=sys.stderr, flush=True)
            values = gathered(results, names, factor)
            content["scales"][str(factor)] = {"done": len(results), "methods": summary(values)}
            if options.json:  # after every face, so that a run that is broken off leaves its figures
                options.json.parent.mkdir(parents=True, exist_ok=True)
                options.json.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
            if keep:
                file = options.sheet.with_name(f"{options.sheet.stem}_{factor}{options.sheet.suffix}")
                sheet.draw([(f"{one.seed}", one.pictures) for one in results if one.pictures], file)
        head = f"{factor}x, {options.split}, {len(results)} people"
        print(f"\n{head}\n\n{text(values)}\n\n{calibration(values)}", flush=True)


def gathered(results: list[Result], names: list[str], factor: int) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Values (N,) by method and measure."""
    with_joint_rate(results, factor)
    return {name: {column: np.array([one.figures[name][column] for one in results], np.float64) for column in COLUMNS}
            for name in names}
