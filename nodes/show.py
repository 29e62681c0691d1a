"""What nodes show and hand on: pictures in a form that every node of the host takes, and previews that fail softly."""

from __future__ import annotations

import logging
from typing import Any

import torch
from comfy_api.latest import ui

from ..editedid_core.pictures import to_rgb


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
