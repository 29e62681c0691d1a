"""Regions on token grids, gates between rows of a batch, and the record of source features.

Pure torch: the host part hands in an `AttentionCall` and a callable that attends.
"""
