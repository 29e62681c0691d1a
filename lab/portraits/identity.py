"""Who a person is: the parameters of a face that no edit should change."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

LIMIT = 2.0
"""Every parameter stays within ±LIMIT standard deviations, so that each face is plausible."""

UNIFORM = ("skin_tone", "iris_hue", "mole_x", "mole_y", "mole2_x", "mole2_y")
"""Parameters spread evenly over their range instead of around a common value."""

HELD = {"skin_tone": 0.4, "skin_hue": 0.6, "iris_hue": 0.8}
"""Editing models keep colours better than shapes: these drift by that share of the others."""

PULL = 0.3
"""Share of a drift that goes towards the average face, as editing models beautify."""


@dataclass(frozen=True)
class Identity:
    """One person. Every field is a standardised parameter: mean 0, deviation about 1, range ±2.

    Positive means more of what the name says (wider, longer, higher above the eye, darker, …).
    Tilts: positive raises the outer end. `iris_hue` runs from brown over green to blue. Asymmetries: positive
    moves the image-right side up (or the tip to the image-right).
    """

    face_width: float = 0.0
    face_length: float = 0.0
    cheekbones: float = 0.0
    cheek_fullness: float = 0.0
    jaw_width: float = 0.0
    jaw_square: float = 0.0
    chin_size: float = 0.0
    forehead: float = 0.0
    eye_spacing: float = 0.0
    eye_size: float = 0.0
    eye_open: float = 0.0
    eye_tilt: float = 0.0
    eye_depth: float = 0.0
    iris_hue: float = 0.0
    iris_light: float = 0.0
    lid_fold: float = 0.0
    brow_thickness: float = 0.0
    brow_height: float = 0.0
    brow_arch: float = 0.0
    brow_tilt: float = 0.0
    brow_dark: float = 0.0
    brow_gap: float = 0.0
    nose_length: float = 0.0
    nose_width: float = 0.0
    nose_bridge: float = 0.0
    nose_tip: float = 0.0
    nose_crook: float = 0.0
    mouth_width: float = 0.0
    mouth_height: float = 0.0
    upper_lip: float = 0.0
    lower_lip: float = 0.0
    cupid_bow: float = 0.0
    lip_colour: float = 0.0
    mouth_slant: float = 0.0
    skin_tone: float = 0.0
    skin_hue: float = 0.0
    blush: float = 0.0
    freckles: float = 0.0
    mole: float = 0.0
    mole_x: float = 0.0
    mole_y: float = 0.0
    mole2: float = 0.0
    mole2_x: float = 0.0
    mole2_y: float = 0.0
    ear_size: float = 0.0
    ear_out: float = 0.0
    eye_slant: float = 0.0
    age_lines: float = 0.0
    eye_bags: float = 0.0
    stubble: float = 0.0

    def vector(self) -> np.ndarray:
        """The parameters as float32 (D,), standardised over the people of this world."""
        return np.array([getattr(self, name) for name in names()], np.float32)


def names() -> tuple[str, ...]:
    """The names of the D identity parameters in the order of `Identity.vector`."""
    return tuple(field.name for field in fields(Identity))


def from_vector(vector: np.ndarray) -> Identity:
    """The person with these standardised parameters, (D,), each clipped to the allowed range."""
    return Identity(*(float(np.clip(value, -LIMIT, LIMIT)) for value in vector))


def sample_identity(rng: np.random.Generator) -> Identity:
    """Draw a person: normal parameters cut at ±2, those of `UNIFORM` even over ±1.73 (the root of 3)."""
    values = rng.standard_normal(len(names()))
    even = rng.uniform(-np.sqrt(3.0), np.sqrt(3.0), len(names()))
    chosen = [e if name in UNIFORM else v for name, v, e in zip(names(), values, even)]
    return from_vector(np.array(chosen))


YOUNGER = {
    "face_length": -1.2, "cheekbones": -0.8, "cheek_fullness": 1.2, "jaw_width": -0.8, "jaw_square": -1.2,
    "chin_size": -1.0, "forehead": 1.2, "eye_size": 1.3, "eye_open": 0.5, "eye_depth": -0.5, "brow_thickness": -1.0,
    "brow_dark": -0.5, "nose_length": -1.2, "nose_width": -0.6, "nose_bridge": -1.2, "nose_tip": 0.6,
    "mouth_width": -0.6, "age_lines": -2.5, "eye_bags": -2.0, "stubble": -4.0,
}
"""What a child's face has less or more of."""


def younger(identity: Identity) -> Identity:
    """The person as a child: colours, tilts and spacing stay, the face is rounder and shorter, its eyes are larger."""
    changed = {name: float(np.clip(getattr(identity, name) + more, -LIMIT, LIMIT)) for name, more in YOUNGER.items()}
    return replace(identity, **changed)


def identity_distance(first: Identity, second: Identity) -> float:
    """Root mean square difference of the standardised parameters; strangers are about 1.37 apart."""
    return float(np.sqrt(np.mean((first.vector() - second.vector()) ** 2)))


def drift_identity(identity: Identity, distance: float, rng: np.random.Generator) -> Identity:
    """Move a person by `distance` (as `identity_distance` measures it, 0 to 1.5) in a random direction.

    The direction is random noise plus a pull towards the average face; colours move less (`HELD`).
    Raises ValueError where the distance is negative or cannot be reached within the allowed range.
    """
    if distance < 0:
        raise ValueError(f"drift distance must not be negative, got {distance}")
    if distance == 0:
        return replace(identity)
    start = identity.vector().astype(np.float64)
    weights = np.array([HELD.get(name, 1.0) for name in names()])
    direction = weights * (rng.standard_normal(len(start)) - PULL * start)

    def moved(step: float) -> np.ndarray:
        return np.clip(start + step * direction, -LIMIT, LIMIT)

    low, high = 0.0, 8.0
    if np.sqrt(np.mean((moved(high) - start) ** 2)) < distance:
        raise ValueError(f"drift distance {distance} leaves the range of plausible faces; ask for less (below 1.5)")
    for _ in range(40):
        middle = 0.5 * (low + high)
        if np.sqrt(np.mean((moved(middle) - start) ** 2)) < distance:
            low = middle
        else:
            high = middle
    return from_vector(moved(high))
