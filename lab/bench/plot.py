"""Small line charts side by side as one SVG file, all on the same scale from 0 to 1."""
from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from pathlib import Path

COLOURS = ("#0b62a4", "#b0563f", "#3f7f4f")
COLUMNS = 3
WIDTH, HEIGHT = 300, 220
LEFT, TOP, RIGHT, BOTTOM = 40, 30, 16, 62
HEAD = 26


@dataclass(frozen=True)
class Line:
    """One method. `values`: (mean, low, high) at each point, NaN where there is none."""

    name: str
    values: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class Panel:
    """One chart; `labels` name the points, which stand at equal distances."""

    title: str
    axis: str
    labels: tuple[str, ...]
    lines: tuple[Line, ...]


def write(panels: list[Panel], file: Path) -> None:
    """All panels and one legend; readable on light and dark pages."""
    rows = math.ceil(len(panels) / COLUMNS)
    width, height = COLUMNS * WIDTH, HEAD + rows * HEIGHT
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
             f'font-size="11"><rect width="{width}" height="{height}" fill="white"/>']
    for number, line in enumerate(panels[0].lines):
        x, colour = 12 + 140 * number, COLOURS[number]
        parts.append(f'<line x1="{x}" y1="14" x2="{x + 22}" y2="14" stroke="{colour}" stroke-width="2.5"/>'
                     f'<text x="{x + 28}" y="18">{escape(line.name)}</text>')
    for number, panel in enumerate(panels):
        x, y = number % COLUMNS * WIDTH, HEAD + number // COLUMNS * HEIGHT
        parts.append(f'<g transform="translate({x} {y})">{"".join(_panel(panel))}</g>')
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join([*parts, "</svg>", ""]), encoding="utf-8")


def _panel(panel: Panel) -> list[str]:
    across, down = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    step = across / max(1, len(panel.labels) - 1)

    def place(point: int, value: float) -> str:
        return f"{LEFT + point * step:.1f},{TOP + (1 - value) * down:.1f}"

    parts = [f'<text x="{LEFT}" y="{TOP - 10}" font-weight="bold">{escape(panel.title)}</text>']
    for tick in (0.0, 0.5, 1.0):
        y = TOP + (1 - tick) * down
        parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{LEFT + across}" y2="{y:.1f}" stroke="#d5d5d5"/>'
                     f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    crowded = max(len(label) for label in panel.labels) > 6
    for point, label in enumerate(panel.labels):
        x = LEFT + point * step
        turned = f' transform="rotate(-22 {x:.1f} {TOP + down + 12})" text-anchor="end"' if crowded else \
            ' text-anchor="middle"'
        size = "8" if crowded else "10"
        parts.append(f'<text x="{x:.1f}" y="{TOP + down + 14}" font-size="{size}"{turned}>{escape(label)}</text>')
    if not crowded:
        parts.append(f'<text x="{LEFT + across / 2:.1f}" y="{HEIGHT - 28}" text-anchor="middle" font-size="9" '
                     f'fill="#555">{escape(panel.axis)}</text>')
    for number, line in enumerate(panel.lines):
        known = [(point, value) for point, value in enumerate(line.values) if not math.isnan(value[0])]
        band = [place(point, value[2]) for point, value in known]
        band += [place(point, value[1]) for point, value in reversed(known)]
        parts.append(f'<polygon points="{" ".join(band)}" fill="{COLOURS[number]}" opacity="0.12"/>')
        path = " ".join(place(point, value[0]) for point, value in known)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{COLOURS[number]}" stroke-width="2"/>')
        for spot in path.split():
            across_at, down_at = spot.split(",")
            parts.append(f'<circle cx="{across_at}" cy="{down_at}" r="2.6" fill="{COLOURS[number]}"/>')
    return parts
