"""The nodes that ComfyUI shows."""

from . import attention, crops, faces, finish, fit, folder, parts, probe, restore, samples, sampling, small_faces, words

ALL_NODES = [*faces.NODES, *crops.NODES, *attention.NODES, *sampling.NODES, *finish.NODES, *words.NODES, *restore.NODES,
             *parts.NODES, *small_faces.NODES, *fit.NODES, *probe.NODES, *samples.NODES, *folder.NODES]
