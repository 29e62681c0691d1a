"""Engines: what makes a restored crop out of a pair of crops. They know neither the host nor the rest of a picture."""
