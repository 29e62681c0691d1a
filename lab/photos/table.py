"""Rows to means with bootstrap intervals, by group and method; JSON and a table for the console."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .records import GROUPS
from .rows import Row

PLAIN = ("whole", "landmarks", "psnr", "ghosts", "accepted", "feature_ghosts", "ssim", "light", "seam", "double_edges",
         "gaze", "beard", "further")
SHOWN = ("whole", "recovery", "landmarks", "psnr", "ssim", "ghosts", "accepted", "further", "likeness", "gain")
RESAMPLED = 2000
COVERED = 2.5, 97.5
"""Percentiles of the interval."""

Summary = dict[str, dict[str, dict[str, dict[str, float | None]]]]
"""By group, method and measure: mean, low, high."""


def summary(rows: Sequence[Row], judges: int) -> Summary:
    """Means of all groups that there are. People are drawn for the intervals, not pictures: two of one person tell less
    than two of two."""
    found: Summary = {}
    for group in GROUPS:
        own = [row for row in rows if row["group"] == group]
        for method in dict.fromkeys(row["method"] for row in own):
            of_method = [row for row in own if row["method"] == method]
            found.setdefault(group, {})[method] = {
                name: _interval(of_method, value) for name, value in _measures(judges).items()}
    return found


Terms = Callable[[Row], "tuple[float, float] | None"]
"""What a row adds to a figure's numerator and denominator; None where it has none of it."""


def _measures(judges: int) -> dict[str, Terms]:
    return {**{name: _mean_of(name) for name in PLAIN},
            **{f"recovery_{k}": _recovery(k) for k in range(1, judges + 1)},
            **{f"{what}_{k}": _mean_of(f"{what}_{k}") for k in range(1, judges + 1) for what in ("likeness", "gain")}}


def _mean_of(name: str) -> Terms:
    def terms(row: Row) -> tuple[float, float] | None:
        value = row.get(name)
        return None if value is None else (float(value), 1.0)

    return terms


def _recovery(k: int) -> Terms:
    """Recovery of a group is a ratio of sums: single ratios of small losses would drown it."""
    def terms(row: Row) -> tuple[float, float] | None:
        if not row["independent"] or row.get(f"near_{k}_ideal") is None or row.get(f"near_{k}") is None:
            return None
        edit = row[f"near_{k}_edit"]
        return row[f"near_{k}"] - edit, row[f"near_{k}_ideal"] - edit

    return terms


def _interval(rows: Iterable[Row], terms: Terms) -> dict[str, float | None]:
    by_person: dict[str, NDArray[np.float64]] = {}
    for row in rows:
        found = terms(row)
        if found is not None:
            by_person[row["person"]] = by_person.get(row["person"], np.zeros(2)) + found
    if not by_person:
        return {"mean": None, "low": None, "high": None}
    parts = np.stack(list(by_person.values()))
    drawn = np.random.default_rng(0).integers(len(parts), size=(RESAMPLED, len(parts)))
    sums = parts[drawn].sum(1)
    low, high = np.percentile(sums[:, 0] / np.where(sums[:, 1] == 0, np.nan, sums[:, 1]), COVERED)
    total = parts.sum(0)
    return {"mean": _rounded(total[0] / total[1]), "low": _rounded(low), "high": _rounded(high)}


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 5)


def halves(rows: Sequence[Row], tune: set[str]) -> tuple[list[Row], list[Row]]:
    """The rows of the people to tune on, and those of the others."""
    return [row for row in rows if row["person"] in tune], [row for row in rows if row["person"] not in tune]


def text(found: Summary, rows: Sequence[Row], judges: Sequence[str]) -> str:
    """A table for each group."""
    columns = _columns(len(judges))
    lines = []
    for group, methods in found.items():
        count = len({row["name"] for row in rows if row["group"] == group})
        used = [name for name in columns if any(values[name]["mean"] is not None for values in methods.values())]
        lines += [f"\n{group}, {count} pictures", _line("", [_title(name, judges) for name in used])]
        for method, values in methods.items():
            lines.append(_line(method, [_cell(name, values[name]) for name in used]))
    return "\n".join(lines)


def _columns(judges: int) -> list[str]:
    many = ("recovery", "likeness", "gain")
    return [name for shown in SHOWN for name in ([f"{shown}_{k}" for k in range(1, judges + 1)] if shown in many
                                                 else [shown])]


def _title(name: str, judges: Sequence[str]) -> str:
    what, _, number = name.rpartition("_")
    if not number.isdigit():
        return name
    judge = judges[int(number) - 1].removeprefix("onnx:").split(",")[0].rsplit("/", 1)[-1]
    return f"{ {'recovery': 'rec', 'likeness': 'like'}.get(what, what)} {judge}"[:12]


def _cell(name: str, value: dict[str, Any]) -> str:
    mean = value["mean"]
    if mean is None:
        return "–"
    if name == "whole":
        return f"{mean:.2f} {value['low']:.2f}–{value['high']:.2f}"
    return f"{mean:.1f}" if name == "psnr" else f"{mean:.3f}"


def _line(first: str, cells: Sequence[str]) -> str:
    return f"{first[:26]:26}" + "".join(f"{cell:>15}" if i == 0 else f"{cell:>12}" for i, cell in enumerate(cells))
