"""For `run.py serve` alone: the front end opens on the pack's first template. See web/opening.js."""

WEB_DIRECTORY = "./web"
NODE_CLASS_MAPPINGS: dict[str, type] = {}
