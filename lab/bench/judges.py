"""The networks that judge: the pack's detector, both recognisers and the critic, as onnx files on one CPU thread."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from editedid_core.geometry.affine import crop_frame

MODELS = Path(__file__).resolve().parent.parent / "models"
ALIGNED = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float32
)
"""insightface's five points in its 112 px crop."""
CRITIC_SIZE = 96
DETECTOR_SIDE = 384

Array = NDArray[np.float32]


def open_network(file: Path) -> onnxruntime.InferenceSession:
    """An onnx file on one thread, so that every run gives the same digits."""
    if not file.is_file():
        raise RuntimeError(f"The lab's judge {file} is missing: restore it from the repository or train it again.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def as_bytes(picture: Array) -> NDArray[np.uint8]:
    return np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class Judges:
    """The judges, opened once a process."""

    detector: Any
    recogniser_a: onnxruntime.InferenceSession
    recogniser_b: onnxruntime.InferenceSession
    critic: onnxruntime.InferenceSession
    floor: float

    @classmethod
    def open(cls, models: Path = MODELS) -> Judges:
        from insightface.model_zoo.scrfd import SCRFD

        pack = models / "insightface" / "lab"
        detector = SCRFD(str(pack / "detector.onnx"), open_network(pack / "detector.onnx"), static_shape_sessions=False)
        detector.prepare(0, input_size=(DETECTOR_SIDE, DETECTOR_SIDE), det_thresh=0.3)
        critic = open_network(models / "judge" / "critic.onnx")
        floor = float(critic.get_modelmeta().custom_metadata_map["floor"])
        recogniser_a = open_network(pack / "recogniser.onnx")
        recogniser_b = open_network(models / "judge" / "recogniser_b.onnx")
        return cls(detector, recogniser_a, recogniser_b, critic, floor)

    def points(self, picture: Array, near: Array | None = None) -> Array | None:
        """Five points (5, 2) of the face closest to ``near`` (5, 2), or of the surest one; None without a face."""
        boxes, found = self.detector.detect(np.ascontiguousarray(as_bytes(picture)[..., ::-1]))
        if len(boxes) == 0:
            return None
        place = 0 if near is None else int(np.abs(found - near).mean((1, 2)).argmin())
        return found[place].astype(np.float32)

    def identity(self, picture: Array, points: Array) -> tuple[Array, Array]:
        """Embeddings of the face at ``points`` by recogniser A and by recogniser B."""
        from insightface.utils.face_align import norm_crop

        crop = norm_crop(as_bytes(picture), np.asarray(points, np.float32))
        blob = ((crop.astype(np.float32) - 127.5) / 127.5).transpose(2, 0, 1)[None]
        return self.recogniser_a.run(None, {"input": blob})[0][0], self.recogniser_b.run(None, {"input": blob})[0][0]

    def damage(self, picture: Array, points: Array) -> float:
        """How damaged the face at ``points`` looks, 0 to 1; never under the floor that true pictures reach too."""
        frame = crop_frame(points, CRITIC_SIZE)
        crop = cv2.warpAffine(
            np.ascontiguousarray(picture), frame, (CRITIC_SIZE, CRITIC_SIZE),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE,
        )
        score = self.critic.run(None, {"input": np.clip(crop, 0, 1).transpose(2, 0, 1)[None]})[0]
        return max(float(np.ravel(score)[0]), self.floor)
