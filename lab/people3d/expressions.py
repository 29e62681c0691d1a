"""Named expressions as weights of the face's units."""

from __future__ import annotations

import torch

EXPRESSIONS: dict[str, dict[str, float]] = {
    "neutral": {},
    "soft smile": {"mouthSmileLeft": 0.55, "mouthSmileRight": 0.53, "cheekSquintLeft": 0.15, "cheekSquintRight": 0.15},
    "smile": {
        "mouthSmileLeft": 0.92,
        "mouthSmileRight": 0.88,
        "cheekSquintLeft": 0.4,
        "cheekSquintRight": 0.4,
        "mouthUpperUpLeft": 0.15,
        "mouthUpperUpRight": 0.15,
        "eyeSquintLeft": 0.2,
        "eyeSquintRight": 0.2,
    },
    "laugh": {
        "mouthSmileLeft": 0.95,
        "mouthSmileRight": 0.95,
        "mouthUpperUpLeft": 0.6,
        "mouthUpperUpRight": 0.6,
        "mouthLowerDownLeft": 0.5,
        "mouthLowerDownRight": 0.5,
        "jawOpen": 0.12,
        "cheekSquintLeft": 0.45,
        "cheekSquintRight": 0.45,
        "eyeSquintLeft": 0.35,
        "eyeSquintRight": 0.35,
    },
    "talk": {"jawOpen": 0.16, "mouthFunnel": 0.12, "mouthLowerDownLeft": 0.1, "mouthLowerDownRight": 0.1},
    "frown": {
        "browDownLeft": 0.55,
        "browDownRight": 0.55,
        "mouthFrownLeft": 0.25,
        "mouthFrownRight": 0.25,
        "eyeSquintLeft": 0.15,
        "eyeSquintRight": 0.15,
    },
    "surprise": {
        "browInnerUp": 0.5,
        "browOuterUpLeft": 0.5,
        "browOuterUpRight": 0.5,
        "eyeWideLeft": 0.4,
        "eyeWideRight": 0.4,
        "jawOpen": 0.16,
    },
    "smirk": {"mouthSmileLeft": 0.55, "mouthDimpleLeft": 0.3, "browOuterUpLeft": 0.2},
    "sad": {"browInnerUp": 0.5, "mouthFrownLeft": 0.35, "mouthFrownRight": 0.35, "mouthShrugLower": 0.25},
    "pout": {"mouthPucker": 0.3, "mouthShrugUpper": 0.1},
}
EXPRESSION_ODDS = (0.3, 0.2, 0.13, 0.09, 0.1, 0.05, 0.03, 0.03, 0.04, 0.03)
UNITS = (
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "eyeBlinkLeft",
    "eyeBlinkRight",
    "eyeLookDownLeft",
    "eyeLookDownRight",
    "eyeLookUpLeft",
    "eyeLookUpRight",
    "eyeSquintLeft",
    "eyeSquintRight",
    "eyeWideLeft",
    "eyeWideRight",
    "jawForward",
    "jawLeft",
    "jawOpen",
    "jawRight",
    "mouthClose",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthFunnel",
    "mouthLeft",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthPucker",
    "mouthRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "noseSneerLeft",
    "noseSneerRight",
)


def expression(name: str, amount: float = 1.0) -> torch.Tensor:
    """(E,) unit weights of a named expression."""
    out = torch.zeros(len(UNITS))
    for unit, weight in EXPRESSIONS[name].items():
        out[UNITS.index(unit)] = weight * amount
    return out
