"""People in three dimensions, with exact truth; see README.md."""

from .people import SPLITS, People
from .scenes import Scenes
from .world import Drawn, World, crop

__all__ = ["SPLITS", "Drawn", "People", "Scenes", "World", "crop"]
