"""A person's face back from a handful of pixels, after IDFSR (arXiv 2508.10937; an interpretation, for only the
abstract could be had): photos laid over the small face, its own trusted bands, and a model for what lies between."""
