"""The lab's two checkpoints: their file names and the crops that they were trained on."""

FILES = {"unet": "unet_lab.safetensors", "dit": "dit_lab.safetensors"}
"""By model family, the file in the host's models/checkpoints."""

CROPS = {"unet": 128, "dit": 256}
"""By model family, the side of a face crop in pixels."""
