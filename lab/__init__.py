"""A world with ground truth: procedural portraits, tiny models in stock formats, benchmarks."""
