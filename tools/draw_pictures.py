"""Draws the pictures of docs/ into a directory, by running the pages that draw them."""

import os
import re
import sys
from pathlib import Path

import matplotlib
from PIL import Image

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES = [DOCS / f"{name}.md" for name in ("pictures", "levenberg_marquardt", "population")]
COLORS = 96     # of a PNG: with more of them, files are three times as large


def draw(directory):
    """Run the blocks of each page in this directory, in order, as a reader would type them."""
    os.chdir(directory)
    for page in PAGES:
        namespace = {"__name__": "__main__"}
        blocks = re.findall(r"^```py(?:thon)?\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
        for number, block in enumerate(blocks, 1):
            exec(compile(block, f"{page.name}, block {number}", "exec"), namespace)
    for path in Path().glob("*.png"):
        with Image.open(path) as image:
            reduced = image.convert("RGB").quantize(COLORS, dither=Image.Dither.NONE)
        reduced.save(path, optimize=True)


if __name__ == "__main__":
    matplotlib.use("Agg")
    draw(sys.argv[1])
