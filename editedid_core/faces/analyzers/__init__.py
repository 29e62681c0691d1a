"""Analyzers: find faces in a picture and recognise them. One protocol, two optional backends."""
