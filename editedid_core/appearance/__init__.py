"""Appearance: light, skin tone, sharpness, and the detail that an autoencoder loses."""
