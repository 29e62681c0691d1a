"""The EditedID method in torch and numpy, importable without ComfyUI (only `comfy` needs it)."""
