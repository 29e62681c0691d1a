"""Who says whether a face is the person's: recognisers that see every picture in the same way.

A judge should be nothing that the pack was tuned on or decides with. `named` opens one by what the command line says.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from editedid_core.faces.analyzers.protocol import FaceAnalyzer
from editedid_core.geometry.affine import crop_frame, fit_similarity

from ..bench.judges import ALIGNED, open_network
from .records import Array, Picture

SIZES = (112, 128, 160)
"""Sides in pixels that a recogniser's input may have where its file does not say."""


class Judge(Protocol):
    """Turns faces into embeddings. `centred`: whether the mean of all photos is to be taken off before comparing."""

    @property
    def name(self) -> str: ...

    @property
    def centred(self) -> bool: ...

    def embed(self, picture: Picture, points: NDArray[Any]) -> Array:
        """(D,) of length 1 of the face whose five points (5, 2) are given."""


def aligned(picture: Picture, points: NDArray[Any], size: int = 112, zoom: float = 1.0) -> Array:
    """The face in the recognisers' usual frame (ArcFace's five places), (size, size, 3) in 0 to 255.

    zoom: under 1 shows more around the face.
    """
    goal = ((ALIGNED - 56) * zoom + 56) * (size / 112)
    to_crop = fit_similarity(points, goal)
    seen = picture.astype(np.float32)
    shrunk = float(np.sqrt(abs(np.linalg.det(to_crop[:, :2]))))
    if shrunk < 1:  # else a large face would be read in dots
        seen = cv2.GaussianBlur(seen, (0, 0), max(0.5 * np.sqrt(1 / shrunk**2 - 1), 0.1))
    return np.asarray(cv2.warpAffine(seen, to_crop, (size, size), flags=cv2.INTER_LINEAR,
                                     borderMode=cv2.BORDER_REPLICATE))


def unit(vectors: Array) -> Array:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


@dataclass(frozen=True, eq=False)
class CropJudge:
    """A network on aligned crops. network: (N, S, S, 3) float32, prepared, to (N, D).

    mean, scale: the network sees (value - mean) / scale of 0 to 255. mirrored: the crop and its mirror image are
    added up, which steadies a recogniser. bgr: channels in OpenCV's order.
    """

    name: str
    network: Callable[[Array], Array]
    size: int = 112
    zoom: float = 1.0
    mean: float = 127.5
    scale: float = 127.5
    mirrored: bool = True
    bgr: bool = False
    centred: bool = False

    def embed(self, picture: Picture, points: NDArray[Any]) -> Array:
        crop = aligned(picture, points, self.size, self.zoom)
        crop = crop[..., ::-1] if self.bgr else crop
        views = [crop, crop[:, ::-1]] if self.mirrored else [crop]
        seen = np.ascontiguousarray((np.stack(views) - self.mean) / self.scale, np.float32)
        return unit(unit(self.network(seen)).sum(0)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class AnalyzerJudge:
    """An analyzer of the pack; it looks for the face in an upright crop and takes the one in its middle."""

    analyzer: FaceAnalyzer
    centred: bool = False

    @property
    def name(self) -> str:
        return self.analyzer.name

    def embed(self, picture: Picture, points: NDArray[Any]) -> Array:
        size = 320
        frame = crop_frame(points, size)
        crop = cv2.warpAffine(picture, frame, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                              borderMode=cv2.BORDER_REPLICATE)
        faces = [face for face in self.analyzer.find(crop, 0.0) if face.embedding is not None]
        nearest = min(faces, key=lambda face: float(np.linalg.norm(face.centre - size / 2)), default=None)
        if nearest is None or nearest.embedding is None:
            return np.full(1, np.nan, np.float32)
        return nearest.embedding


def onnx_judge(text: str) -> CropJudge:
    """`FILE[,size=112][,mean=127.5][,scale=127.5][,zoom=1][,bgr][,once]`: a face recognition network as onnx.

    The input is (1 or N, 3, S, S) or (1 or N, S, S, 3); S is 112, 128 or 160 unless the file says another. Values come
    as (v - mean) / scale of RGB 0 to 255: InsightFace and ArcFace want 127.5 and 127.5, FaceNet 127.5 and 128. bgr: the
    network wants blue first. once: without the mirror image. zoom: how large the face is in its crop.
    """
    file, *words = text.split(",")
    if not Path(file).is_file():
        raise ValueError(f"The judge onnx:{file} is not there.")
    settings: dict[str, Any] = {"bgr": "bgr" in words, "mirrored": "once" not in words}
    for word in words:
        name, mark, value = word.partition("=")
        if mark and name in ("size", "mean", "scale", "zoom"):
            settings[name] = int(value) if name == "size" else float(value)
        elif word not in ("bgr", "once"):
            raise ValueError(f"onnx:{file}: {word!r} is no option; size=, mean=, scale=, zoom=, bgr and once are.")
    session = open_network(Path(file))
    entry = session.get_inputs()[0]
    first = entry.shape[-1] != 3
    side = entry.shape[2 if first else 1]
    settings["size"] = side if isinstance(side, int) and side > 0 else settings.get("size", SIZES[0])

    def network(seen: Array) -> Array:
        views = seen.transpose(0, 3, 1, 2) if first else seen
        rows = [session.run(None, {entry.name: np.ascontiguousarray(view[None])})[0] for view in views]
        return np.concatenate([row.reshape(1, -1) for row in rows])

    return CropJudge(Path(file).stem, network, **settings)
