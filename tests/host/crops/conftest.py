"""The lab's UNet in a real host, two pictures of one drawn person, and their crops."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
from torch import Tensor

from lab.checkpoints import FILES
from lab.demo_pictures import default_triple
from lab.inprocess import Host


@pytest.fixture(scope="module")
def core(host: Host) -> Any:
    """A module of the core, by its name, as the loaded nodes use it."""
    nodes = host.node("EditedIDRestoreIdentity").__module__
    return lambda module: sys.modules[nodes.replace(".nodes.restore", f".editedid_core.{module}")]


@pytest.fixture(scope="module")
def models(host: Host) -> tuple[Any, Any]:
    model, _, vae = host.node("CheckpointLoaderSimple")().load_checkpoint(FILES["unet"])[:3]
    return model, vae


@pytest.fixture(scope="module")
def analyzer(host: Host) -> Any:
    return host.node("EditedIDLoadFaceAnalyzer").execute("insightface", "lab", 320).result[0]


@pytest.fixture(scope="module")
def pictures() -> tuple[Tensor, Tensor]:
    triple = default_triple()
    photo, edit = (torch.from_numpy(shot.image).float()[None] for shot in (triple.original, triple.drifted))
    return photo, edit


@pytest.fixture(scope="module")
def call(host: Host) -> Any:
    """A node at its defaults but for what is given; its outputs."""

    def run(name: str, **given: Any) -> Any:
        node = host.node(f"EditedID{name}")
        values = {i.id: i.default for i in node.define_schema().inputs if getattr(i, "default", None) is not None}
        with torch.inference_mode():
            return node.execute(**{**values, **given}).result

    return run


@pytest.fixture(scope="module")
def pairs(call: Any, analyzer: Any, pictures: tuple[Tensor, Tensor]) -> Any:
    """The pictures' faces, matched."""
    faces = [call("DetectFaces", image=image, analyzer=analyzer)[0] for image in pictures]
    return call("MatchFaces", original=faces[0], edited=faces[1])[0]


@pytest.fixture(scope="module")
def crops(call: Any, pairs: Any, pictures: tuple[Tensor, Tensor]) -> Any:
    """Crop Face Pairs of the pictures, at a size."""
    return lambda **given: call("CropFacePairs", original_image=pictures[0], edited_image=pictures[1], pairs=pairs,
                                **given)
