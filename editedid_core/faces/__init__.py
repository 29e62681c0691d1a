"""Faces: found once, matched between two pictures, compared."""
