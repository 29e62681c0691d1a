"""An interrupted run goes on where it stopped: what was restored before is not restored again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from ..config import RestoreConfig
from ..engines.protocol import Engine, FaceJob, FaceResult

MOST_BYTES = 1 << 30
"""Memory that the restored faces of one run may take."""


class FinishedFaces:
    """The faces that a run has restored, until it is at its end. They serve a second run with the same configuration on
    the same models alone, and there the very same crops."""

    def __init__(self) -> None:
        self._config: RestoreConfig | None = None
        self._models: Sequence[object] = ()  # held, so that no other model can take their identity
        self._faces: dict[bytes, FaceResult] = {}

    def engine(self, engine: Engine, config: RestoreConfig, models: Sequence[object]) -> Engine:
        """The engine, which runs only on faces that are not finished. models: all that its results depend on."""
        same = len(models) == len(self._models) and all(one is other for one, other in zip(models, self._models))
        if config != self._config or not same:
            self.close()
            self._config, self._models = config, tuple(models)
        return _Resuming(engine, self._faces)

    def close(self) -> None:
        """Forget everything: the run is at its end, or another one begins."""
        self._config, self._models, self._faces = None, (), {}


@dataclass(frozen=True, eq=False)
class _Resuming:
    """Looks a face up before it runs the engine."""

    engine: Engine
    faces: dict[bytes, FaceResult]

    def run(self, job: FaceJob) -> FaceResult:
        key = _digest(job)
        if key not in self.faces:
            done = self.engine.run(job)
            kept = sum(one.crop.nbytes for one in self.faces.values())
            if kept + done.crop.nbytes > MOST_BYTES:
                return done
            self.faces[key] = done
        return self.faces[key]


def _digest(job: FaceJob) -> bytes:
    """What a job's result depends on, in short."""
    found = hashlib.sha256(repr((job.pose, job.drift, None if job.place is None else (
        job.place.to_image.tolist(), job.place.frame))).encode())
    for tensor in (job.original, job.edited, job.others, job.face_mask, job.element_mask):
        found.update(repr(tuple(tensor.shape)).encode())
        found.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return found.digest()
