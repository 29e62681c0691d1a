"""The nodes that ComfyUI shows."""

from . import attention, crops, faces, finish, parts, probe, restore, samples, sampling, words

ALL_NODES = [*faces.NODES, *crops.NODES, *attention.NODES, *sampling.NODES, *finish.NODES, *words.NODES, *restore.NODES,
             *parts.NODES, *probe.NODES, *samples.NODES]
