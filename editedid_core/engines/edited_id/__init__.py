"""Noise space, sigma grids, inversion, mixing and the loop that joins them.

Knows no model: it receives a `Denoise` callable and never touches attention or pictures.
"""
