"""The contact sheet: every method beside each triple."""
from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Array = NDArray[np.float32]

LABEL = 14


def order(joint: NDArray[np.float64], recovered: NDArray[np.float64], rows: int) -> list[int]:
    """Triples for the sheet: the best half first, then the worst, by the joint rate and then by recovery."""
    whole = np.nan_to_num(joint)
    ranked = sorted(range(len(joint)), key=lambda i: (-whole[i], -np.nan_to_num(recovered[i], nan=-9.0), i))
    if len(ranked) <= rows:
        return ranked
    half = rows // 2
    return ranked[:rows - half] + ranked[len(ranked) - half:]


def draw(rows: list[tuple[str, dict[str, Array]]], file: Path) -> None:
    """One row a triple, ``(title, {column: picture (S, S, 3)})``, written as PNG or JPEG."""
    side = next(iter(rows[0][1].values())).shape[0]
    names = list(rows[0][1])
    sheet = Image.new("RGB", (side * len(names), LABEL + (side + LABEL) * len(rows)), "white")
    pen = ImageDraw.Draw(sheet)
    for column, name in enumerate(names):
        pen.text((column * side + 3, 1), name, fill="black")
    for row, (title, pictures) in enumerate(rows):
        top = LABEL + row * (side + LABEL)
        pen.text((3, top + 1), title, fill="black")
        for column, name in enumerate(names):
            picture = np.round(np.clip(pictures[name], 0, 1) * 255).astype(np.uint8)
            sheet.paste(Image.fromarray(picture), (column * side, top + LABEL))
    file.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(file)
