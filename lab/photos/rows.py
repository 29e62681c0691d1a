"""From what the judges saw to figures: a row for each example and method."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .evaluate import Embeddings, Evaluation, Seen, centre
from .judges import unit
from .whole import failures, further, recovery

TRUTH = "truth"
"""The row of the truth itself: what the measures say of a face with nothing wrong."""

Row = dict[str, Any]
"""Figures by name, with `name`, `group`, `person` and `method`. Of judge k: `likeness_k` to the photo, `near_k` to the
held-out photos (to the photo where there are none), `near_k_edit` and `near_k_ideal` of the edit and the truth, and
`recovery_k`; `independent`: whether there are held-out photos."""


def rows(evaluations: Sequence[Evaluation], judges: Sequence[str], centred: Sequence[bool]) -> list[Row]:
    """All rows, example for example."""
    known = [one for one in evaluations if not one.problem]
    off = [centre(known, judge) if shift and known else None for judge, shift in zip(judges, centred)]
    return [row for one in evaluations for row in _of_example(one, judges, off)]


def _of_example(one: Evaluation, judges: Sequence[str], off: Sequence[NDArray[np.float64] | None]) -> list[Row]:
    made = []
    outputs = one.outputs if one.ideal is None else {**one.outputs, TRUTH: one.ideal}
    for method, seen in outputs.items():
        row: Row = {"name": one.example.name, "group": one.example.group, "person": one.example.person,
                    "method": method, "independent": bool(one.held_out), "problem": one.problem, **seen.figures}
        if not one.problem:
            for k, (judge, shift) in enumerate(zip(judges, off), start=1):
                row |= _likeness(one, seen, judge, shift, k)
        made.append(row)
    edit = next((row for row in made if row["method"] == "edit"), None)
    for row in made:
        measured = edit is not None and not one.problem
        reasons = failures(row, edit) if measured and edit is not None else None
        row["failures"] = None if reasons is None else list(reasons)
        row["whole"] = None if reasons is None else float(not reasons)
        worse = further(row, edit, len(judges)) if measured and edit is not None else None
        row["further"] = None if worse is None else float(worse and row["accepted"] is not False)
        row["accepted"] = None if row["accepted"] is None else float(row["accepted"])
        row.pop("points", None)
    return made


def _likeness(one: Evaluation, seen: Seen, judge: str, off: NDArray[np.float64] | None, k: int) -> Row:
    def vector(embeddings: Embeddings) -> NDArray[np.float64]:
        value = np.array(embeddings[judge])
        return np.asarray(unit(value if off is None else value - off))

    photo, edit = vector(one.original.embeddings), vector(one.outputs["edit"].embeddings)
    others = [vector(other.embeddings) for other in one.held_out]
    reference = np.asarray(unit(np.sum(others, 0))) if others else photo
    own = vector(seen.embeddings)
    row: Row = {f"likeness_{k}": float(own @ photo), f"near_{k}": float(own @ reference),
                f"near_{k}_edit": float(edit @ reference), f"gain_{k}": float((own - edit) @ photo)}
    if one.ideal is not None:
        ideal = float(vector(one.ideal.embeddings) @ reference)
        row |= {f"near_{k}_ideal": ideal,
                f"recovery_{k}": recovery(row[f"near_{k}"], row[f"near_{k}_edit"], ideal)}
    return {name: None if isinstance(value, float) and np.isnan(value) else value for name, value in row.items()}
