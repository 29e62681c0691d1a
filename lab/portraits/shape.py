"""The measures of one face with one expression, in head units, and its landmarks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .camera import HUGE
from .identity import Identity
from .scene import Scene

WIDEST = 0.12
"""Height (v) at which the face is widest."""
CROWN = -1.55
"""Height of the top of the skull."""


@dataclass(frozen=True)
class Eye:
    """One eye. `side`: -1 image-left, 1 image-right; `tilt`: radians, positive raises the outer corner."""

    side: int
    u: float
    v: float
    half: float
    upper: float
    lower: float
    tilt: float

    def point(self, x: float, y: float) -> tuple[float, float]:
        """A point given in the eye's own frame (x outwards, y down)."""
        c, s = math.cos(self.tilt), math.sin(self.tilt)
        return self.u + self.side * (c * x + s * y), self.v - s * x + c * y


@dataclass(frozen=True)
class Brow:
    """One brow: inner end (x from the middle), length, height at the inner end, rise to the arch, slope outwards."""

    side: int
    inner: float
    length: float
    v: float
    arch: float
    slope: float
    thick: float

    def line(self, t: float) -> tuple[float, float]:
        """The middle line at t from 0 (inner) to 1 (outer)."""
        rise = self.arch * math.sin(math.pi * min(1.0, t) ** 1.3)
        return self.side * (self.inner + self.length * t), self.v - rise - self.slope * t


@dataclass(frozen=True)
class Face:
    """All measures of a face, head units."""

    width: float
    chin: float
    square: float
    taper: float
    jaw: float
    forehead_taper: float
    eyes: tuple[Eye, Eye]
    brows: tuple[Brow, Brow]
    nose_top: float
    nose_tip: float
    nose_u: float
    nose_half: float
    bridge: float
    ball: float
    mouth_u: float
    mouth_v: float
    mouth_half: float
    upper: float
    lower: float
    bow: float
    lift: float
    open: float
    slant: float
    hairline: float
    ear: float
    ear_out: float

    def level(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """The outline as a level function: below 1 inside, 1 on the outline."""
        down = v - WIDEST
        low = down.clip(0.0, HUGE) * (1.0 / (self.chin - WIDEST))
        high = down.clip(-HUGE, 0.0) * (1.0 / (WIDEST - CROWN))
        low2, high2 = low * low, high * high
        across = u / (self.width * (1.0 + low2 * (4.0 * self.jaw * (1.0 - low2.clip(0.0, 1.2)) - self.taper)
                                    - self.forehead_taper * high2).clip(0.3, 9.0))
        across2 = across * across
        return across2 + low2 + high2 - across2 * (self.square * low2.clip(0.0, 1.0) + 0.45 * high2.clip(0.0, 1.0))

    def outline(self, v: float) -> float:
        """Half width of the face at height v (0 below the chin)."""
        down = v - WIDEST
        t = down / (self.chin - WIDEST) if down > 0 else down / (WIDEST - CROWN)
        t2 = min(1.0, t * t)
        if down > 0:
            width, square = 1.0 + t2 * (4.0 * self.jaw * (1.0 - t2) - self.taper), self.square
        else:
            width, square = 1.0 - self.forehead_taper * t2, 0.45
        return self.width * max(width, 0.3) * math.sqrt(max(0.0, (1.0 - t2) / (1.0 - square * t2)))

    def mouth_line(self, t: float) -> float:
        """Height of the closed mouth's line at t from -1 to 1 (corner to corner)."""
        return self.mouth_v - self.lift * t * t - self.slant * t

    def five(self) -> np.ndarray:
        """Eyes, nose tip, mouth corners in head units, (5, 2)."""
        left, right = self.eyes
        return np.array([(left.u, left.v), (right.u, right.v), (self.nose_u, self.nose_tip),
                         (self.mouth_u - self.mouth_half, self.mouth_line(-1.0)),
                         (self.mouth_u + self.mouth_half, self.mouth_line(1.0))])

    def dense(self) -> np.ndarray:
        """68 points in head units (68, 2): jaw line 17, brows 5 + 5, nose 4 + 5, eyes 6 + 6, mouth 12 + 8."""
        points: list[tuple[float, float]] = []
        for k in range(17):
            angle = math.pi * k / 16
            v = WIDEST + (self.chin - WIDEST) * math.sin(angle)
            points.append((-math.copysign(self.outline(v), math.cos(angle)) if k != 8 else 0.0, v))
        points += [self.brows[0].line(t) for t in (1.0, 0.75, 0.5, 0.25, 0.0)]
        points += [self.brows[1].line(t) for t in (0.0, 0.25, 0.5, 0.75, 1.0)]
        points += [(self.nose_u * t, self.nose_top + (self.nose_tip - self.nose_top) * t)
                   for t in (0.1, 0.4, 0.7, 1.0)]
        base = self.nose_tip + 0.13
        points += [(self.nose_u + self.nose_half * t, base + 0.04 * (1 - abs(t))) for t in (-1.0, -0.5, 0.0, 0.5, 1.0)]
        for eye, order in ((self.eyes[0], (1.0, 0.4, -0.4, -1.0, -0.4, 0.4)),
                           (self.eyes[1], (-1.0, -0.4, 0.4, 1.0, 0.4, -0.4))):
            for k, t in enumerate(order):
                height = (-eye.upper if k in (1, 2) else eye.lower) * (1 - t * t)
                points.append(eye.point(t * eye.half, height))
        gap = 0.5 * self.open
        for t in (-1.0, -0.6, -0.2, 0.0, 0.2, 0.6, 1.0):
            points.append(self._mouth(t, -self.upper * lip_top(t, self.bow) - 0.4 * gap * (1 - t * t)))
        for t in (0.6, 0.25, 0.0, -0.25, -0.6):
            points.append(self._mouth(t, (self.lower + 1.6 * gap) * (1 - t * t)))
        for t in (-0.9, -0.3, 0.0, 0.3, 0.9):
            points.append(self._mouth(t, -0.4 * gap * (1 - t * t)))
        for t in (0.3, 0.0, -0.3):
            points.append(self._mouth(t, 1.6 * gap * (1 - t * t)))
        return np.array(points)

    def _mouth(self, t: float, y: float) -> tuple[float, float]:
        return self.mouth_u + t * self.mouth_half, self.mouth_line(t) + y


def lip_top(t: float, bow: float) -> float:
    """Relative height of the upper lip at t: two peaks beside a dip (the cupid's bow)."""
    return (1.0 - t * t) * (1.0 - bow * max(0.0, 1.0 - (t / 0.28) ** 2) ** 2)


def eye_distance(person: Identity) -> float:
    """Distance between the eyes in head units, 0.85 to 1.15."""
    return 1.0 + 0.076 * person.eye_spacing


def face_shape(person: Identity, scene: Scene) -> Face:
    """The face of a person with the scene's expression."""
    z = person
    smile, open_, raise_ = scene.smile, scene.mouth_open, scene.brow_raise
    spacing = 0.5 * eye_distance(z)
    half = 0.232 + 0.032 * z.eye_size
    aperture = (0.105 + 0.022 * z.eye_open + 0.006 * z.eye_size) * scene.lids
    squint = max(0.0, smile) * 0.18
    left, right = (Eye(side, side * spacing, 0.018 * -side * z.eye_slant, half, aperture * 1.12,
                       aperture * (0.72 - squint), 0.045 + 0.085 * z.eye_tilt) for side in (-1, 1))
    brow_v = -0.325 - 0.046 * z.brow_height - 0.07 * raise_
    inner = 0.19 + 0.026 * z.brow_gap
    left_brow, right_brow = (Brow(side, inner, 0.60 + 0.02 * z.eye_size, brow_v + 0.018 * -side * z.eye_slant,
                       0.075 + 0.038 * z.brow_arch + 0.02 * raise_, 0.0 + 0.054 * z.brow_tilt,
                       0.058 + 0.019 * z.brow_thickness) for side in (-1, 1))
    length = 0.70 + 0.084 * z.nose_length
    mouth_v = max(1.10 + 0.062 * z.mouth_height, length + 0.30)
    chin = max(1.74 + 0.095 * z.face_length, mouth_v + 0.46) + 0.14 * open_
    return Face(
        width=1.10 + 0.068 * z.face_width + 0.02 * z.cheekbones, chin=chin,
        square=min(0.82, max(0.0, 0.42 + 0.17 * z.jaw_square)),
        taper=0.24 - 0.072 * z.chin_size + 0.03 * z.cheekbones,
        jaw=0.02 + 0.055 * z.jaw_width + 0.02 * z.cheek_fullness, forehead_taper=0.06 - 0.015 * z.face_width,
        eyes=(left, right), brows=(left_brow, right_brow), nose_top=-0.05, nose_tip=length, nose_u=0.03 * z.nose_crook,
        nose_half=0.235 + 0.054 * z.nose_width, bridge=0.105 + 0.032 * z.nose_bridge, ball=0.135 + 0.034 * z.nose_tip,
        mouth_u=0.012 * z.nose_crook, mouth_v=mouth_v, mouth_half=0.40 + 0.058 * z.mouth_width + 0.05 * smile,
        upper=max(0.035, 0.085 + 0.030 * z.upper_lip - 0.012 * smile),
        lower=max(0.05, 0.115 + 0.034 * z.lower_lip - 0.010 * smile), bow=0.30 + 0.14 * z.cupid_bow,
        lift=0.02 + 0.085 * smile, open=0.20 * open_, slant=0.020 * z.mouth_slant,
        hairline=-0.98 - 0.075 * z.forehead, ear=0.30 + 0.045 * z.ear_size, ear_out=0.075 + 0.035 * z.ear_out)
