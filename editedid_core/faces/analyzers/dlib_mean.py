"""The mean of dlib's face descriptor, and the embedding that is made with it.

Measured with dlib_backend's own pipeline: half from 100 people of Labeled Faces in the Wild (the subset that
scikit-image ships), half from 60 drawn portraits. Only the mean is kept; no single face can be read from it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MEAN_DESCRIPTOR = np.array([
    -0.082, 0.049, 0.066, -0.054, -0.105, -0.023, -0.027, -0.115, 0.123, -0.100, 0.170, -0.064,
    -0.231, -0.035, -0.043, 0.157, -0.122, -0.132, -0.091, -0.058, 0.021, 0.069, 0.020, 0.027,
    -0.120, -0.296, -0.066, -0.085, 0.031, -0.069, 0.011, 0.104, -0.181, -0.011, 0.023, 0.074,
    -0.043, -0.067, 0.199, 0.027, -0.206, 0.006, 0.055, 0.232, 0.194, -0.032, 0.030, -0.077,
    0.089, -0.245, 0.008, 0.134, 0.120, 0.067, 0.042, -0.132, 0.016, 0.118, -0.192, 0.069,
    0.060, -0.093, -0.033, -0.028, 0.181, 0.080, -0.099, -0.148, 0.178, -0.162, -0.055, 0.095,
    -0.115, -0.154, -0.269, 0.002, 0.347, 0.117, -0.169, 0.029, -0.081, -0.009, 0.023, 0.066,
    -0.047, -0.029, -0.075, 0.027, 0.208, -0.054, -0.020, 0.226, 0.025, -0.010, 0.007, 0.038,
    -0.083, -0.030, -0.108, -0.043, 0.020, -0.072, 0.025, 0.126, -0.176, 0.169, -0.030, -0.027,
    0.005, 0.008, -0.063, -0.027, 0.156, -0.212, 0.171, 0.165, 0.017, 0.106, 0.061, 0.072,
    -0.014, -0.020, -0.138, -0.085, 0.050, -0.015, 0.023, 0.041,
])
MEAN_DESCRIPTOR.setflags(write=False)


def centred(views: NDArray[np.floating]) -> NDArray[np.float32]:
    """The embedding (128,) of length 1 of one face from the descriptors of its views (N, 128)."""
    away = views.mean(0, dtype=np.float64) - MEAN_DESCRIPTOR
    return np.asarray(away / max(float(np.linalg.norm(away)), 1e-9), dtype=np.float32)
