"""Portraits of people who do not exist, drawn from parameters, so that the right answer of every edit is known."""

from .canvas import Masks
from .groups import GroupPicture, GroupTriple, group_picture
from .identity import Identity, drift_identity, identity_distance, sample_identity
from .render import PaintedPerson, Portrait, render
from .scene import Placement, Scene, crop_scene, sample_scene
from .triples import DRIFT_DISTANCE, DRIFTS, FACTORS, KINDS, Triple, degrade, make_triple, triple_identity, triple_split

__all__ = ["DRIFTS", "DRIFT_DISTANCE", "FACTORS", "GroupPicture", "GroupTriple", "Identity", "KINDS", "Masks",
           "PaintedPerson", "Placement", "Portrait", "Scene", "Triple", "crop_scene", "degrade", "drift_identity",
           "group_picture", "identity_distance", "make_triple", "render", "sample_identity", "sample_scene",
           "triple_identity", "triple_split"]
