"""Which of the 478 points of MediaPipe's face mesh are which. MediaPipe's own layout: nothing here is calibrated."""

from __future__ import annotations

POINTS = 478
SKIN = 468
"""The first points lie on skin, lips and lids; after them come the irises, which wander."""
LEFT_IRIS, RIGHT_IRIS = slice(468, 473), slice(473, 478)
"""Of the eyes at the left and at the right of an upright picture."""
OUTER_CORNERS, INNER_CORNERS = (33, 263), (133, 362)
"""Corners of the eyes, of the eye at the left of an upright picture first."""
EYES = tuple(zip(OUTER_CORNERS, INNER_CORNERS))
"""Outer and inner corner of each eye."""
