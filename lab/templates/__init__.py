"""The workflows that the front end offers as templates, built from one description; see `build.py`."""
