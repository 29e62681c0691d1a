"""Masks: a face's outline, its parts, what covers it, where two pictures disagree, glasses and beards."""
