"""When a face on a photograph counts as restored whole, and how much of a lost likeness came back."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .ghost import FEATURE_LIMIT, LIMIT

RECOVERED = 0.5
"""Recovery that the judges find on average."""
LANDMARK_SLACK = 0.015
"""Face units that the landmarks may be further from the truth's than the edit's are."""
PSNR_SLACK = 1.5
"""Decibels under the edit's, which is a morph of the truth and so near to it in every pixel."""
LEAST_GAP = 0.05
"""Likeness that the edit has lost at least: of less, recovery would tell nothing but noise."""
DECIDING = 2
"""Judges, the first of the list, whose mean decides."""


def recovery(output: float, edit: float, ideal: float) -> float:
    """Share of the likeness between the edit's and the ideal's that came back; below 0 for a face further away."""
    return (output - edit) / max(ideal - edit, LEAST_GAP)


def recovered(row: Mapping[str, Any]) -> float | None:
    """Mean recovery by the deciding judges; None where none of them knows."""
    found = [row[name] for name in (f"recovery_{k}" for k in range(1, DECIDING + 1)) if row.get(name) is not None]
    return sum(found) / len(found) if found else None


def failures(row: Mapping[str, Any], edit: Mapping[str, Any]) -> tuple[str, ...] | None:
    """What keeps a row from being whole, in words; empty where it is. None where no truth is known.

    row, edit: figures by name, of an output and of the edit that it was made of.
    """
    gained = recovered(row)
    if gained is None or row.get("psnr") is None:
        return None
    reasons = []
    if gained < RECOVERED:
        reasons.append("recovery")
    if row["landmarks"] > edit["landmarks"] + LANDMARK_SLACK:
        reasons.append("landmarks")
    if row["psnr"] < edit["psnr"] - PSNR_SLACK:
        reasons.append("psnr")
    if row["ghosts"] > LIMIT or row["feature_ghosts"] > FEATURE_LIMIT:
        reasons.append("ghosts")
    return tuple(reasons)


def further(row: Mapping[str, Any], edit: Mapping[str, Any], judges: int) -> bool | None:
    """Whether all deciding judges find the output less like the person than the edit; None where none knows."""
    names = [f"near_{k}" for k in range(1, min(judges, DECIDING) + 1)]
    pairs = [(row[name], edit[name]) for name in names if row.get(name) is not None and edit.get(name) is not None]
    return all(own < before - 1e-6 for own, before in pairs) if pairs else None


def verdict(reasons: Sequence[str] | None, accepted: bool | None) -> str:
    """A word or two for a contact sheet."""
    refused = "refused, " if accepted is False else ""
    if reasons is None:
        return refused.rstrip(", ")
    return refused + ("whole" if not reasons else "not: " + ", ".join(reasons))
