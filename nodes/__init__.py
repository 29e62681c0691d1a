"""ComfyUI's face of the pack."""

from . import attention, faces, restore, sampling

ALL_NODES = [*faces.NODES, *attention.NODES, *sampling.NODES, *restore.NODES]
