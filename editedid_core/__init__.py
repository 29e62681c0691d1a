"""The method. Pure torch and numpy; nothing here but `host` imports ComfyUI."""
