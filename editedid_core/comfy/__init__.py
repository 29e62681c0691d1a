"""The only place that imports comfy, folder_paths, nodes or server."""
