"""What nodes show and hand on: pictures in a form that every node of the host takes, and previews that fail softly."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import torch
from comfy_api.latest import ui

from ..editedid_core.config import MatchConfig
from ..editedid_core.faces.face_map import face_map
from ..editedid_core.faces.preview import thumbnail
from ..editedid_core.pictures import to_rgb
from ..editedid_core.records import Face, Matching

FACE_MAP = "editedid_face_map"
"""The name by which the front end's face map finds its data in a node's output."""


def for_host(image: torch.Tensor) -> torch.Tensor:
    """Pictures (B, H, W, C) as the host's own nodes can show and save them: grey ones get three channels."""
    return to_rgb(image).contiguous() if image.shape[-1] == 1 else image


def preview(image: torch.Tensor, cls: Any) -> ui.PreviewImage | None:
    """The preview of a node, or None where it cannot be stored: a result is never lost for its preview."""
    try:
        return ui.PreviewImage(for_host(image), cls=cls)
    except OSError as error:
        logging.warning("EditedID: the preview of %s could not be stored (%s).", cls.__name__, error)
        return None


def match_map(found: Matching, config: MatchConfig, original: torch.Tensor | None = None,
              edited: torch.Tensor | None = None) -> dict[str, Any]:
    """What web/face_map.js shows: who is who. `original`, `edited`: the pictures of the faces, where the faces bring
    no thumbnails."""
    of_edit, of_photos = (_own if image is None else partial(thumbnail, image) for image in (edited, original))
    return {FACE_MAP: [face_map(found, config.pairs, config.same_person, of_edit, of_photos)]}


def _own(face: Face) -> Any:
    return face.thumbnail
