"""Photographs: triples with truth, ready-made or made by morphing, and what judges a restored face in them.

``python run.py bench photos FOLDER`` runs `bench.py`. Nothing here learns, and nothing that it reads or writes belongs
into the repository: pictures, results and judges stay in FOLDER and in the cache.
"""
