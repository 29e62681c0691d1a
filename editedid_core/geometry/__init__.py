"""Faces as shapes in space: head pose, what of a face can be seen, the state of its features."""
