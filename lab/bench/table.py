"""Figures over triples: means with bootstrap intervals, differences of pairs, and the table a person reads."""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MEASURES = (
    "identity_a", "identity_b", "recovery_a", "recovery_b", "face_psnr", "face_ssim", "face_perceptual",
    "landmark_error", "light_error", "seam_error", "realism_error", "element_error", "outside_changed", "joint_rate",
    "evaluations", "seconds", "peak_mb",
)
"""Every measure of the benchmark, in the order of its table and of its JSON."""

GROUP_MEASURES = ("joint_rate", "recovery_b", "landmark_error", "light_error", "seam_error", "realism_error")

DRAWS = 2000

Values = NDArray[np.float64]


def interval(values: Values, draws: int = DRAWS) -> tuple[float, float, float]:
    """Mean and the 95 % bootstrap interval over triples, undefined values (NaN) left out; NaN when all are.

    The draws come from a fixed seed, the same for every method, so that equal figures have equal intervals.
    """
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return float("nan"), float("nan"), float("nan")
    rng = np.random.default_rng(0)
    means = known[rng.integers(len(known), size=(draws, len(known)))].mean(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(known.mean()), float(low), float(high)


def difference(first: Values, second: Values) -> tuple[float, float, float]:
    """Mean of first - second over the triples where both are defined, with its interval: the pairing is kept."""
    return interval(first - second)


def summary(results: dict[str, dict[str, Values]]) -> dict[str, dict[str, dict[str, float | None]]]:
    """Per method and measure ``{"mean", "low", "high"}``; undefined becomes None, JSON's null."""
    found: dict[str, dict[str, dict[str, float | None]]] = {}
    for method, measures in results.items():
        found[method] = {}
        for measure in MEASURES:
            numbers = interval(measures[measure])
            known = [None if np.isnan(number) else number for number in numbers]
            found[method][measure] = dict(zip(("mean", "low", "high"), known))
    return found


def text(results: dict[str, dict[str, Values]]) -> str:
    """A Markdown table, one row a method, and one of the joint rate's differences to the best rival of each row."""
    lines = ["| method | " + " | ".join(MEASURES) + " |", "|---" * (len(MEASURES) + 1) + "|"]
    for method, measures in results.items():
        cells = [_cell(measure, measures[measure]) for measure in MEASURES]
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    lines += ["", "Mean ± half of the 95 % bootstrap interval over triples."]
    return "\n".join(lines)


def pairs(results: dict[str, dict[str, Values]], measure: str = "joint_rate") -> str:
    """For each method the best other one by ``measure`` and the paired difference to it, with the interval."""
    lines = [f"| method | best other | difference in {measure} | 95 % interval |", "|---|---|---|---|"]
    means = {method: interval(measures[measure])[0] for method, measures in results.items()}
    for method in results:
        others = [other for other in results if other != method and not np.isnan(means[other])]
        if not others:
            continue
        best = max(others, key=lambda other: means[other])
        mean, low, high = difference(results[method][measure], results[best][measure])
        lines.append(f"| {method} | {best} | {mean:+.3f} | {low:+.3f} to {high:+.3f} |")
    return "\n".join(lines)


def part(results: dict[str, dict[str, Values]], within: NDArray[np.bool_]) -> dict[str, dict[str, Values]]:
    """The figures of some of the triples, those where ``within`` (N,) is true."""
    return {method: {m: values[within] for m, values in measures.items()} for method, measures in results.items()}


def by_group(results: dict[str, dict[str, Values]], groups: list[tuple[str, NDArray[np.bool_]]]) -> str:
    """Means of the measures that an artist asks for first, for each kind of edit, size of drift and so on."""
    lines = ["| group | triples | method | " + " | ".join(GROUP_MEASURES) + " |"]
    lines.append("|---" * (len(GROUP_MEASURES) + 3) + "|")
    for group, within in groups:
        for method, measures in part(results, within).items():
            cells = [f"{interval(measures[m])[0]:.3f}" for m in GROUP_MEASURES]
            lines.append(f"| {group} | {within.sum()} | {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(measure: str, values: Values) -> str:
    mean, low, high = interval(values)
    if np.isnan(mean):
        return "-"
    digits = {"face_psnr": 2, "evaluations": 0, "seconds": 2, "peak_mb": 0}.get(measure, 3)
    if measure in ("light_error", "seam_error", "element_error", "landmark_error", "outside_changed"):
        digits = 4
    return f"{mean:.{digits}f} ± {(high - low) / 2:.{digits}f}"
