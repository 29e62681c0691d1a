"""The EditedID method in torch and numpy, importable without ComfyUI (only `host` needs it)."""
