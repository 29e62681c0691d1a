"""Which of several tries at a face is the best: likeness less what moved and what shows at the rim (**ours**)."""

from __future__ import annotations

from torch import Tensor

from .report import FaceReport

MOVED, SEAM = 1.0, 1.0
"""How much a landmark error of one eye distance, and a mean difference of one at the rim, count against likeness."""


def rank(report: FaceReport, mask: Tensor, edited: Tensor, restored: Tensor) -> float:
    """A figure for a try, higher is better. `mask` (S, S): of the paste; `edited`, `restored`: (1, S, S, 3).

    A try that the guard refuses comes behind every other.
    """
    likeness = report.id_similarity_after if report.id_similarity_after is not None else -1.0
    figure = likeness - MOVED * (report.landmark_error or 0.0) - SEAM * seam(mask, edited, restored)
    return figure if report.accepted else figure - 10.0


def seam(mask: Tensor, edited: Tensor, restored: Tensor) -> float:
    """Mean difference of a try and the edit where the paste runs out, 0 to 1."""
    rim = (mask * (1 - mask)).to(restored)
    apart = (restored - edited.to(restored)).abs().mean(-1)[0]
    return float((apart * rim).sum() / rim.sum().clamp_min(1e-6))
