"""Crops: the upright pairs that the engines work on, and pasting them back."""
