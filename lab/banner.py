"""Draw the banner for the registry of ComfyUI: the title beside the photo and the restored edit of a rendered person.

    python -m lab.banner web/banner.png
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from lab.templates.thumbnails import panels

SIZE = (1260, 540)
"""21:9, as the registry shows it."""
MARGIN, PICTURE = 60, 420
GROUND, INK, SOFT = (27, 29, 38), (245, 245, 248), (168, 172, 190)
TITLE, LINES = "EditedID", ("Your own face,", "back in your edit.")


def banner() -> Image.Image:
    """The banner, RGB."""
    canvas = Image.new("RGB", SIZE, GROUND)
    draw = ImageDraw.Draw(canvas)
    photo, _, restored = panels(1)
    for place, picture in enumerate((restored, photo)):  # from the right
        side = PICTURE if place == 0 else round(0.62 * PICTURE)
        small = picture.resize((side, side), Image.Resampling.LANCZOS)
        x = SIZE[0] - MARGIN - PICTURE - (0 if place == 0 else side + MARGIN // 2)
        canvas.paste(small, (x, SIZE[1] - MARGIN - side))
    draw.text((MARGIN, MARGIN), TITLE, fill=INK, font=ImageFont.load_default(96))
    for number, line in enumerate(LINES):
        draw.text((MARGIN, MARGIN + 130 + 48 * number), line, fill=SOFT, font=ImageFont.load_default(36))
    return canvas


def main(words: list[str] | None = None) -> int:
    """Write the banner to the file that is named."""
    (file,) = map(Path, sys.argv[1:] if words is None else words)
    banner().save(file, optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
