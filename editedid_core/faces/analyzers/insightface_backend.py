"""Faces with insightface packs (SCRFD detector, ArcFace recogniser, dense landmarks where the pack has them).

Works with insightface 0.7 and 1.x to 2.x: each ONNX file is opened by itself, and the detection size is given when
the detector is prepared (in 2.x setting `input_size` on it does nothing).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from ...geometry.landmarks import MIRRORED
from ...records import Face
from .faults import AnalyzerError, cause, in_words, is_installed, is_memory, is_provider, require_readable
from .licences import pack_licence
from .search import Found, look_harder, upright_points

INSTALL = "pip install insightface onnxruntime"
DEVICE_VARIABLE = "EDITEDID_FACE_DEVICE"
"""Set to "cpu", it keeps insightface off the graphics card."""

# insightface aligns faces to 112 pixels without a low-pass: larger ones are made smaller first
_LARGEST_FACE = 256
_LEAST_SCORE = 0.1  # asked of the detector; callers ask for more. Not calibrated
_ZOOMS = (1.0, 0.92, 1.08)  # of the box in which dense landmarks are looked for (drawn people)

# a small picture is enlarged about twice and no more: beyond that the points get less exact, and it takes longer
_SMALL_SIDES = (256, 384, 512)


def insightface_available() -> bool:
    """Whether insightface and onnxruntime are installed. Imports neither."""
    return is_installed("insightface", "onnxruntime")


def providers() -> list[str]:
    """CUDA where the installed onnxruntime offers it and the operator lets it, and always the CPU."""
    import onnxruntime

    if os.environ.get(DEVICE_VARIABLE, "").lower() == "cpu":
        return ["CPUExecutionProvider"]
    offered = onnxruntime.get_available_providers()
    return [name for name in ("CUDAExecutionProvider", "CPUExecutionProvider") if name in offered]


def _device(chosen: list[str]) -> str:
    return "the graphics card" if "CUDAExecutionProvider" in chosen else "the CPU"


def _elsewhere(chosen: list[str]) -> str:
    """The other ways, in words."""
    on_cpu = f"start ComfyUI with {DEVICE_VARIABLE}=cpu to use the CPU, or "
    return (on_cpu if "CUDAExecutionProvider" in chosen else "") + "choose the backend dlib"


class InsightFaceAnalyzer:
    """FaceAnalyzer over the ONNX files of one folder.

    pack: name shown to the user. folder: where its .onnx files lie. detection_size: side of the detector's square
    input in pixels, rounded up to a multiple of 32.
    Raises AnalyzerError with the remedy when insightface, a file or a needed network is missing or damaged.
    """

    def __init__(self, pack: str, folder: Path, detection_size: int = 640) -> None:
        if not insightface_available():
            raise AnalyzerError(f"The face analyzer insightface is not installed: run `{INSTALL}` in ComfyUI's Python.")
        from insightface.app.common import Face as Record  # all that may fail to start does so here

        self._record: Any = Record
        self._pack = pack
        self._side = -(-detection_size // 32) * 32
        models: dict[str, Any] = {}
        self._providers = providers()
        for file in sorted(file for file in folder.glob("*.onnx") if not file.name.startswith(".")):
            model = _open(file, self._providers)
            if model is not None:
                models.setdefault(model.taskname, model)
        for task, what in (("detection", "detection"), ("recognition", "recognition")):
            if task not in models:
                raise AnalyzerError(
                    f"The face model pack '{pack}' in {folder} has no {what} network: download the pack again and "
                    "unzip all of its .onnx files there."
                )
        self._detector: Any = models["detection"]
        self._recogniser: Any = models["recognition"]
        self._landmarks: Any = next((m for task, m in models.items() if task.startswith("landmark_2d_")), None)
        with in_words(f"The face analyzer {self.name}", "opening", _device(self._providers),
                      _elsewhere(self._providers)):
            self._detector.prepare(0, input_size=(self._side, self._side), det_thresh=_LEAST_SCORE)

    @property
    def name(self) -> str:
        return f"insightface {self._pack}"

    @property
    def licence(self) -> str:
        known = pack_licence(self._pack)
        return f"{known.vendor}: {known.terms}"

    def find(self, image: NDArray[np.uint8], threshold: float = 0.5) -> list[Face]:
        """See FaceAnalyzer.find."""

        def upright(picture: NDArray[np.uint8]) -> list[Found]:
            return [found for found in self._upright(picture) if found[2] >= threshold]

        chosen = self._providers
        with in_words(f"The face analyzer {self.name}", "finding faces", _device(chosen), _elsewhere(chosen)):
            found = upright(image) or look_harder(image, upright, longest=2 * self._side)
            return [self._face(image, box, points, score) for box, points, score in found]

    def embed(self, image: NDArray[np.uint8], face: Face) -> NDArray[np.float32]:
        """See FaceRecogniser.embed. Only the face's five points are used."""
        where = np.asarray(face.points, dtype=np.float64)
        # the box is about twice as large as what the five points span; it only tells the size
        seen, factor = _reduced(image, 2 * float(np.ptp(where, axis=0).max()) / _LARGEST_FACE)
        record = self._record(kps=_diminished(where, factor).astype(np.float32))
        chosen = self._providers
        with in_words(f"The face analyzer {self.name}", "recognising a face", _device(chosen), _elsewhere(chosen)):
            self._recogniser.get(np.ascontiguousarray(seen[..., ::-1]), record)
        embedding = np.asarray(record.embedding, dtype=np.float32)
        return embedding / max(float(np.linalg.norm(embedding)), 1e-9)

    def _upright(self, picture: NDArray[np.uint8]) -> list[Found]:
        seen, factor = _reduced(picture, max(picture.shape[:2]) / (2 * self._side))
        if min(seen.shape[:2]) * self._side < max(seen.shape[:2]):  # the detector would shrink it to nothing
            return []
        side = next((side for side in _SMALL_SIDES if 2 * max(seen.shape[:2]) <= side < self._side), self._side)
        boxes, points = self._detector.detect(np.ascontiguousarray(seen[..., ::-1]), input_size=(side, side))
        if points is None:
            return []
        found: list[Found] = []
        for box, five in zip(boxes, points):
            if upright_points(five):
                found.append((_enlarged(box[:4].reshape(2, 2), factor).ravel(), _enlarged(five, factor), float(box[4])))
        return found

    def _face(self, image: NDArray[np.uint8], box: NDArray[np.float64], points: NDArray[np.float64],
              score: float) -> Face:
        seen, factor = _reduced(image, float((box[2:] - box[:2]).max()) / _LARGEST_FACE)
        bgr = np.ascontiguousarray(seen[..., ::-1])
        record = self._record(bbox=_diminished(box.reshape(2, 2), factor).ravel().astype(np.float32),
                        kps=_diminished(points, factor).astype(np.float32), det_score=score)
        self._recogniser.get(bgr, record)
        embedding = np.asarray(record.embedding, dtype=np.float32)
        dense = None
        if self._landmarks is not None:
            dense = _enlarged(self._dense(bgr, record.bbox), factor).astype(np.float32)
        return Face(
            box=box.astype(np.float32), points=points.astype(np.float32), score=min(1.0, score),
            embedding=embedding / max(float(np.linalg.norm(embedding)), 1e-9), dense=dense, frame=0,
            image_size=(image.shape[0], image.shape[1]),
        )

    def _dense(self, bgr: NDArray[np.uint8], box: NDArray[np.float32]) -> NDArray[np.float64]:
        """Landmarks (K, 2), the mean of several looks at the face: one look alone is off by a seventh more."""
        mirror = np.ascontiguousarray(bgr[:, ::-1])
        last = bgr.shape[1] - 1
        looks = []
        for zoom in _ZOOMS:
            looks.append(self._look(bgr, _zoomed(box, zoom)))
            if len(looks[0]) == len(MIRRORED):
                seen = self._look(mirror, _zoomed(np.array([last - box[2], box[1], last - box[0], box[3]]), zoom))
                looks.append((seen * [-1, 1] + [last, 0])[MIRRORED])
        return np.asarray(np.mean(looks, 0))

    def _look(self, bgr: NDArray[np.uint8], box: NDArray[np.float64]) -> NDArray[np.float64]:
        record = self._record(bbox=box.astype(np.float32))
        self._landmarks.get(bgr, record)
        return np.asarray(record[self._landmarks.taskname], dtype=np.float64)


def _zoomed(box: NDArray[Any], zoom: float) -> NDArray[np.float64]:
    """A box x1, y1, x2, y2 about its own middle."""
    middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
    return np.concatenate([middle - zoom * half, middle + zoom * half])


def _open(file: Path, chosen: list[str]) -> Any:
    """One network, or None where insightface does not know its kind."""
    from google.protobuf.message import DecodeError
    from insightface import model_zoo
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    require_readable(file, "download its pack again")
    damage = (DecodeError, state.InvalidProtobuf, state.InvalidGraph, state.Fail, state.NoSuchFile,
              state.InvalidArgument, state.NoModel, IndexError, TypeError)
    with in_words(f"The model file {file}", "opening", _device(chosen), _elsewhere(chosen)):
        try:
            return model_zoo.get_model(str(file), providers=chosen, sess_options=_session_options())
        except PermissionError as error:
            raise AnalyzerError(f"The model file {file} cannot be read: let ComfyUI's user read it.") from error
        except damage as error:
            if is_memory(error) or is_provider(error):
                raise
            raise AnalyzerError(
                f"The model file {file} is damaged or not a face model: download its pack again. ({cause(error)})"
            ) from error


def _session_options() -> Any:
    """As many threads as PyTorch uses: onnxruntime does not read OMP_NUM_THREADS, and its threads wait by spinning."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return options


def _reduced(picture: NDArray[np.uint8], wanted: float) -> tuple[NDArray[np.uint8], int]:
    """The picture made smaller by the largest power of two up to `wanted`, by averaging; and that factor."""
    factor = 1
    while factor * 2 <= wanted:
        factor *= 2
    if factor == 1:
        return picture, 1
    return np.asarray(Image.fromarray(picture).reduce(factor)), factor


def _enlarged(points: NDArray[np.floating], factor: int) -> NDArray[np.float64]:
    return (np.asarray(points, dtype=np.float64) + 0.5) * factor - 0.5


def _diminished(points: NDArray[np.float64], factor: int) -> NDArray[np.float64]:
    return (points + 0.5) / factor - 0.5
