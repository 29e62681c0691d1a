"""Whether another copy of the pack has brought its nodes: one from a clone, say, and one from a manager."""

from __future__ import annotations

import importlib
import logging


def tell_of_another(node_id: str, folder: str) -> None:
    """Warn where the host has the node `node_id` already, from a folder of another name than `folder`.

    The host lets the copy that it opens last take the place of the others, and their front ends stand in each other's
    way.
    """
    known = importlib.import_module("nodes").NODE_CLASS_MAPPINGS.get(node_id)
    other = str(getattr(known, "RELATIVE_PYTHON_MODULE", "")).partition(".")[2]
    if other and other != folder:
        logging.warning("EditedID is installed twice, in the folders %s and %s of custom_nodes: delete one of them and "
                        "start ComfyUI again.", other, folder)
