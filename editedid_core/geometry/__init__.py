"""Geometry: affine maps, resampling, smooth maps between landmarks, the person's face shape, the face in 3D."""
