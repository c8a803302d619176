"""What the displays share: colours, axes, numbers as text, checks.

The colours are those of Okabe and Ito (2008), which people with any of the common colour blindnesses can tell apart.
Where two of them have the same grey in print, something else differs, too: negative numbers are dashed, classes have
markers of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastbp._checks import came

try:
    import matplotlib
except ImportError as error:
    raise ImportError(f'fastbp.plot needs Matplotlib: pip install "fastbp[plot]" ({error})') from error

from matplotlib.ticker import MaxNLocator

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POSITIVE, NEGATIVE = "#0072B2", "#D55E00"   # blue and vermilion
DASHES = (0, (3, 1.6))                      # of what is negative
MARKED = "#F0E442"                          # yellow: the lightest, so what is written on it stays legible
GREY = "#767676"                            # legible on white and on black
# Of classes and curves; yellow comes last, because lines of it are hard to see on white.
CYCLE = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000", "#F0E442"]
MARKERS = ["o", "^", "s", "D", "v", "P", "X", "*"]
LINE_STYLES = ["-", "--", "-.", ":"]
# Blue, grey for 0, yellow: dark to light all the way, so the sign survives a printer without colours (Nunez, Anderton
# and Renslow 2018). The usual diverging maps are dark at both ends.
SIGNED = "cividis"


def axes(ax, **options):
    """The axes to draw into: those that were given, or those of a new figure, made with the options."""
    if ax is not None:
        return ax
    # Imported here, because it chooses a backend; who passes axes has chosen already.
    import matplotlib.pyplot as plt
    return plt.subplots(layout="constrained", **options)[1]


def points_per_unit(ax: Axes) -> float:
    """How many points of type make one unit of the vertical axis as the axes stand now."""
    ax.apply_aspect()
    height = ax.get_window_extent().height * 72 / ax.figure.dpi
    low, high = ax.get_ylim()
    return height / (high - low)


def signed(value, digits=3):
    """A number with its sign, for a label."""
    return _minus(f"{value:+#.{digits}g}".removesuffix("."))


def short(value):
    """A number of at most six characters, for a small place."""
    size = abs(value)
    if size == 0 or 0.005 <= size < 99.95:
        text = f"{value:.2f}" if size < 9.995 else f"{value:.1f}"
    elif 99.95 <= size < 9999.5:
        text = f"{value:.0f}"
    else:
        text = f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")
    return _minus(text)


def _minus(text):
    return text.replace("-", "\N{MINUS SIGN}")


def plain(text):
    """A user's text, which is not to be taken for mathematics."""
    return str(text).replace("$", r"\$")


def ink_on(color):
    """Black or white, whichever is easier to read on the colour; the luminance is that of ITU-R BT.709."""
    rgb = np.array(matplotlib.colors.to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return "black" if linear @ [0.2126, 0.7152, 0.0722] > 0.18 else "white"


def tint(color, share):
    """The colour mixed with white, of which there is 1 - share."""
    return tuple(1 - share * (1 - np.array(matplotlib.colors.to_rgb(color))))


def shade(color, share):
    """The colour mixed with black, of which there is 1 - share."""
    return tuple(share * np.array(matplotlib.colors.to_rgb(color)))


def whole_numbers(bins="auto"):
    """Where the ticks of epochs, neurons and inputs are."""
    return MaxNLocator(bins, integer=True, steps=[1, 2, 5, 10])


def names(argument, given, defaults):
    """The names that were given, as they may be drawn, or the defaults."""
    if given is None:
        return defaults
    if isinstance(given, str) or len(given) != len(defaults):
        raise ValueError(f"{argument} must hold {len(defaults)} names, got {came(given)}")
    return [plain(name) for name in given]
