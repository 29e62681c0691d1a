"""What nodes show and hand on: pictures in a form that every node of the host takes, and previews that fail softly."""

from __future__ import annotations

import logging
import re
from functools import partial
from typing import Any

import torch
from comfy_api.latest import ui

from ..editedid_core.comfy.progress import stop_if_asked
from ..editedid_core.config import MatchConfig
from ..editedid_core.faces.face_map import face_map
from ..editedid_core.faces.preview import thumbnail
from ..editedid_core.pictures import to_rgb
from ..editedid_core.records import Face, Matching
from ..editedid_core.restore.report import Restoration
from ..editedid_core.restore.sheet import result_sheets

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


def result_view(edited: torch.Tensor, image: torch.Tensor, lines: list[str], cautions: list[str],
                cls: Any) -> dict[str, Any]:
    """What Restore Identity shows: the pictures before and after, a line for each face, and what was hard.

    web/js/result.js draws it; without it the front end shows the pictures after.
    """
    shown: dict[str, Any] = {"editedid_lines": lines, "editedid_cautions": cautions}
    after, before = preview(image, cls), preview(edited, cls)
    if after is not None and before is not None:
        shown.update(after.as_dict(), editedid_before=before.as_dict()["images"])
    return shown


def report_picture(edited: torch.Tensor, done: Restoration) -> torch.Tensor:
    """Edit and result of every picture side by side, with numbered faces and their lines."""
    sheets = result_sheets(edited, done, stop_if_asked)
    return torch.stack([torch.from_numpy(sheet.copy()).float() / 255 for sheet in sheets])


def swap_hint(hidden: Any) -> str | None:
    """A sentence where the names of the loaded files say that original and edited are swapped, else None."""
    prompt, node = (getattr(hidden, name, None) for name in ("prompt", "unique_id"))
    if not isinstance(prompt, dict) or node not in prompt:
        return None
    original, edited = (_file_name(prompt, prompt[node]["inputs"].get(name)) for name in ("original", "edited"))
    if re.search(r"edit|after", original) and re.search(r"orig|photo|before", edited):
        return (f"original takes '{original}' and edited takes '{edited}': if the two are swapped, swap the wires; "
                "edited is the picture that keeps everything but its faces.")
    return None


def _file_name(prompt: dict[str, Any], link: Any) -> str:
    """The file that the node behind a link loads; empty where it loads none."""
    source = prompt.get(str(link[0]), {}) if isinstance(link, list) and link else {}
    name = source.get("inputs", {}).get("image", "")
    return name.lower() if isinstance(name, str) else ""


def match_map(found: Matching, config: MatchConfig, original: torch.Tensor | None = None,
              edited: torch.Tensor | None = None) -> dict[str, Any]:
    """What web/face_map.js shows: who is who, in a sequence a face for each person. `original`, `edited`: the pictures
    of the faces, where the faces bring no thumbnails."""
    of_edit, of_photos = (_own if image is None else partial(thumbnail, image) for image in (edited, original))
    if found.people is not None:
        found, of_edit = found.people, _own
    return {FACE_MAP: [face_map(found, config.pairs, config.same_person, of_edit, of_photos)]}


def _own(face: Face) -> Any:
    return face.thumbnail
