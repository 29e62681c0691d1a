"""ComfyUI's face of the pack."""

from . import attention, faces, probe, restore, sampling

ALL_NODES = [*faces.NODES, *attention.NODES, *sampling.NODES, *restore.NODES, *probe.NODES]
