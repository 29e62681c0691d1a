"""Restoration: the stages from two pictures to one, the guard and the report."""
