"""A network as nodes and lines, and the way of the error signal back through it."""

from __future__ import annotations

from itertools import pairwise, product
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, FancyArrowPatch
from matplotlib.patheffects import withStroke

from fastbp._checks import positive_integer
from fastbp.plot import _style
from fastbp.plot._style import DASHES, GREY, MARKED, NEGATIVE, POSITIVE, short, signed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

    from fastbp._types import Floats
    from fastbp.network import Network, Trace

# In units of the axes: layers stand ACROSS apart, neurons DOWN apart.
ACROSS, DOWN, RADIUS = 2.8, 1.4, 0.38
INCHES = 0.62   # of a unit, in a figure of our own
MOST_LAYERS = 11    # of which a picture on paper or a screen is still legible


class NetworkDisplay:
    """A network as a picture: nodes in layers, weights as lines between them.

    A line's colour and dashes tell the sign of the weight, and its width the size. With a sample, the nodes show their
    outputs. With the sample's target, `plot` can show the way on which one neuron's error signal came.

    Parameters
    ----------
    weights : sequence of ndarray, shape (n_in, n_out)
        As `Network.weights`.
    activations : sequence of str
        As `Network.activations`.
    x : ndarray, shape (n_inputs,), optional
        The inputs of a sample.
    outputs : sequence of ndarray, shape (n_out,), optional
        The outputs of each layer for it.
    t : ndarray, shape (n_outputs,), optional
        Its targets.
    trace : Trace, optional
        What backpropagation computes for it.

    Attributes
    ----------
    weights, activations, x, outputs, t, trace
        As above.
    layer_sizes : tuple of int
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
        Where `plot` has drawn.

    See Also
    --------
    NetworkDisplay.from_network : makes one; has an example.
    """

    ax_: Axes
    figure_: Figure

    def __init__(self, weights: Sequence[Floats], activations: Sequence[str], *, x: Floats | None = None,
                 outputs: Sequence[Floats] | None = None, t: Floats | None = None, trace: Trace | None = None) -> None:
        self.weights, self.activations = list(weights), tuple(activations)
        self.x, self.outputs, self.t, self.trace = x, outputs, t, trace
        self.layer_sizes = (self.weights[0].shape[0], *(W.shape[1] for W in self.weights))

    @classmethod
    def from_network(cls, net: Network, x: ArrayLike | None = None, t: ArrayLike | None = None) -> NetworkDisplay:
        """The display of a network as it is now; later training does not change it.

        Parameters
        ----------
        net : Network
        x : array_like, shape (n_inputs,), optional
            One sample, whose outputs stand in the nodes.
        t : array_like, shape (n_outputs,), optional
            Its targets, for the error signals: as `Network.backprop` takes them for one sample.

        Returns
        -------
        NetworkDisplay

        Raises
        ------
        ValueError, TypeError
            If x is not one sample, t comes without x, or either is not what `Network.backprop` takes.

        Examples
        --------
        >>> import fastbp
        >>> from fastbp.plot import NetworkDisplay
        >>> net = fastbp.Network([2, 2, 2, 1], seed=1)
        >>> display = NetworkDisplay.from_network(net, [1.0, 0.5], [1.0]).plot(neuron=1)
        >>> bool(abs(display.terms(1).sum() - display.trace.error_signals[0][0]) < 1e-15)
        True
        """
        weights = [W.copy() for W in net.weights]
        if x is None:
            if t is not None:
                raise ValueError("t needs x, the inputs of the same sample; got t alone")
            return cls(weights, net.activations)
        x = np.array(x, dtype=net.dtype)
        if x.ndim != 1:
            raise ValueError(f"x must be one sample of shape ({net.n_inputs},), got the shape {x.shape}")
        if t is None:
            return cls(weights, net.activations, x=x, outputs=net.layer_outputs(x))
        trace = net.backprop(x, t)
        is_label = net.loss == "cross_entropy" and np.ndim(t) == 0
        t = np.eye(net.n_outputs)[t] if is_label else np.atleast_1d(np.array(t, dtype=net.dtype))
        return cls(weights, net.activations, x=x, outputs=trace.outputs, t=t, trace=trace)

    # ------------------------------------------------------------------------------------------------ numbers

    def place(self, neuron: int) -> tuple[int, int]:
        """The layer of a neuron, from 1, and its index there, from 0.

        Parameters
        ----------
        neuron : int
            Its number. Neurons are numbered from 1, through all layers, as in docs/method.md.

        Returns
        -------
        tuple of int

        Raises
        ------
        ValueError, TypeError
            If there is no such neuron.
        """
        index = positive_integer("neuron", neuron) - 1
        for l, size in enumerate(self.layer_sizes[1:], 1):
            if index < size:
                return l, index
            index -= size
        raise ValueError(f"neuron must be a number from 1 to {sum(self.layer_sizes[1:])}, got {neuron}")

    def terms(self, neuron: int) -> Floats:
        """What each neuron of the next layer contributes to this one's error signal: e_A = sum_B d_B w_{A,B}.

        Parameters
        ----------
        neuron : int
            The number of A, as for `place`.

        Returns
        -------
        ndarray, shape (size of the next layer,)
            d_B w_{A,B} for each B; empty for an output neuron, whose error signal is dE/dy.

        Raises
        ------
        ValueError, TypeError
            If there is no such neuron, or the display has no sample with its target.
        """
        self._need_trace("neuron")
        l, A = self.place(neuron)
        if l == len(self.weights):
            return np.empty(0, self.weights[0].dtype)
        return self.trace.deltas[l] * self.weights[l][A]

    def _need_trace(self, argument):
        if self.trace is None:
            raise ValueError(f"{argument} shows error signals, so the display needs a sample and its target: "
                             "NetworkDisplay.from_network(net, x, t)")

    def _number(self, l, i):
        return sum(self.layer_sizes[1:l]) + i + 1

    # ------------------------------------------------------------------------------------------------ pictures

    def plot(self, ax: Axes | None = None, *, neuron: int | None = None, max_neurons: int = 8,
             largest: float | None = None) -> NetworkDisplay:
        """Draw the network.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default in a new figure.
        neuron : int, optional
            The number of a neuron whose error signal is explained: arrows come from the later neurons that it is the
            sum of, each with its term d_B w_{A,B}; the title has the sum.
        max_neurons : int, default 8
            Of a wider layer the first neurons and the last are drawn, with dots for those left out. Of more than eleven
            layers the first and the last are drawn, and those about `neuron`, with dots between them.
        largest : float, optional
            The size of a weight that has the widest line; by default that of the largest.

        Returns
        -------
        NetworkDisplay
            Itself.

        Raises
        ------
        ValueError, TypeError
            If there is no such neuron, or no sample with its target to explain it by; or max_neurons is below 3.
        """
        if positive_integer("max_neurons", max_neurons) < 3:
            raise ValueError(f"max_neurons must be at least 3, got {max_neurons}")
        where = None
        if neuron is not None:
            self._need_trace("neuron")
            where = self.place(neuron)
        picture = _Picture(self, where, max_neurons)
        width, height = picture.size
        ax = _style.axes(ax, figsize=(width, height + 0.3 * (neuron is not None)))
        picture.draw(ax, largest)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def size(self, max_neurons: int = 8, titles: int = 0) -> tuple[float, float]:
        """Width and height of a figure in which a picture of the network is easy to read.

        Parameters
        ----------
        max_neurons : int, default 8
            As in `plot`.
        titles : int, default 0
            Lines of a title.

        Returns
        -------
        tuple of float
            In inches.
        """
        width, height = _Picture(self, None, max_neurons).size
        return width, height + 0.3 * titles

    def plot_way_back(self, neurons: Sequence[int] | None = None, *, max_neurons: int = 8) -> NetworkDisplay:
        """Draw the error signal's way back, a picture for each neuron, from the outputs to the first layer.

        Parameters
        ----------
        neurons : sequence of int, optional
            Their numbers; by default all, or if there are more than nine, the first of each layer that `plot` draws.
        max_neurons : int, default 8
            As in `plot`.

        Returns
        -------
        NetworkDisplay
            Itself; `ax_` is an array of the pictures' axes.

        Raises
        ------
        ValueError, TypeError
            As `plot`, or if there are no `neurons`.
        """
        self._need_trace("plot_way_back")
        if neurons is None:
            sizes = self.layer_sizes[1:]
            few = sum(sizes) <= 9
            layers = sorted(columns_of(len(sizes) + 1, None).keys() - {0}, reverse=True)
            neurons = [self._number(l, i) for l in layers for i in range(sizes[l - 1] if few else 1)]
        if len(neurons) == 0:
            raise ValueError("neurons must hold the number of at least one neuron, got none")
        for neuron in neurons:
            self.place(neuron)      # or there would be a figure before the error
        import matplotlib.pyplot as plt
        columns = min(len(neurons), 2)
        rows = ceil(len(neurons) / columns)
        width, height = self.size(max_neurons, titles=1)
        figure, axes = plt.subplots(rows, columns, squeeze=False, layout="constrained",
                                    figsize=(0.85 * width * columns, 0.85 * height * rows))
        for ax, neuron in zip(axes.flat, neurons, strict=False):
            self.plot(ax, neuron=neuron, max_neurons=max_neurons)
        for ax in axes.flat[len(neurons):]:
            ax.set_axis_off()
        self.ax_, self.figure_ = axes.ravel()[:len(neurons)], figure
        return self


class _Picture:
    """One drawing of a display: which neurons are shown, where they stand, and what is said about them."""

    def __init__(self, display, neuron, max_neurons):
        self.display, self.neuron = display, neuron
        self.slots = [slots(size, max_neurons, neuron[1] if neuron and neuron[0] == l else None)
                      for l, size in enumerate(display.layer_sizes)]
        self.columns = columns_of(len(self.slots), neuron[0] if neuron else None)
        rows = max(len(self.slots[l]) for l in self.columns)
        last = max(self.columns.values())
        # Left, right, bottom and top.
        self.box = (-0.9, ACROSS * last + (0.9 if display.t is None else 1.6),
                    -DOWN * (rows - 1) / 2 - 1.3, DOWN * (rows - 1) / 2 + 1.5)
        self.at = {(l, i): (ACROSS * column, DOWN * ((len(self.slots[l]) - 1) / 2 - row))
                   for l, column in self.columns.items() for row, i in enumerate(self.slots[l])}

    def draw(self, ax, largest):
        ax.set_axis_off()
        ax.set_aspect("equal")
        ax.axis(self.box)
        self.ax, self.unit = ax, _style.points_per_unit(ax)
        self.around = [withStroke(linewidth=0.1 * self.unit, foreground=ax.get_facecolor())]
        self.heads()
        self.gaps()
        self.lines(largest)
        if self.neuron is not None:
            self.way_back()
        for (l, i), (x, y) in self.at.items():
            if i is None:
                self.dots(x, y)
            else:
                self.node(l, i, x, y)

    def text(self, x, y, text, size=0.26, **options):
        """Text whose size is in units of the axes, so that it fits whatever the size of the figure."""
        options = {"ha": "center", "va": "center", "zorder": 6} | options
        return self.ax.text(x, y, text, fontsize=size * self.unit, **options)

    @property
    def size(self):
        """Width and height of a figure of our own, in inches."""
        left, right, bottom, top = self.box
        return INCHES * (right - left), INCHES * (top - bottom)

    def heads(self):
        display, last = self.display, len(self.slots) - 1
        for l, column in self.columns.items():
            size = display.layer_sizes[l]
            what = "output" if l == last else "neuron"
            head = f"{size} input{'s' * (size > 1)}" if l == 0 else (
                f"{size} {what}{'s' * (size > 1)}\n{_style.plain(display.activations[l - 1])}")
            y = max(self.at[l, i][1] for i in self.slots[l])
            self.text(ACROSS * column, y + 0.78, head, 0.24, va="bottom", color=GREY, linespacing=1.1)

    def gaps(self):
        """Dots, and how many there are, in the place of layers left out."""
        for before, after in pairwise(self.columns):
            if after > before + 1:
                x = ACROSS * (self.columns[before] + 1)
                self.ax.plot(x + np.array([-0.22, 0, 0.22]), [0] * 3, linestyle="", marker="o",
                             markersize=0.08 * self.unit, color=GREY, zorder=3)
                self.text(x, 0.3, f"{after - before - 1} more\nlayers", 0.24, va="bottom", color=GREY, linespacing=1.1)

    def dots(self, x, y):
        self.ax.plot([x] * 3, y + np.array([-0.22, 0, 0.22]), linestyle="", marker="o", markersize=0.08 * self.unit,
                     color=GREY, zorder=3)

    # --------------------------------------------------------------------------------------------- nodes

    def node(self, l, i, x, y):
        display = self.display
        marked, involved = (l, i) == self.neuron, self.is_involved(l)
        face = MARKED if marked else "white"
        width = 0.07 if marked else 0.045 if involved else 0.025
        self.ax.add_patch(Circle((x, y), RADIUS, facecolor=face, edgecolor="black", linewidth=width * self.unit,
                                 zorder=4))
        name = f"$x_{{{i + 1}}}$" if l == 0 else str(display._number(l, i))
        outputs = None if display.outputs is None else [display.x, *display.outputs][l]
        if outputs is None:
            self.text(x, y, name, color="black")
        else:
            self.text(x, y, short(outputs[i]), 0.215, color="black")
            self.text(x, y + RADIUS + 0.06, name, 0.22, va="bottom", color=GREY)
        if l == len(self.slots) - 1 and display.t is not None:
            self.text(x + RADIUS + 0.1, y, f"t = {short(display.t[i])}", 0.22, ha="left")
        if marked:
            # To the left, because arrows come from the right; below, they go to the left.
            self.text(x + 0.3, y - RADIUS - 0.08, f"e = {signed(display.trace.error_signals[l - 1][i])}", 0.23,
                      va="top", ha="right", weight="bold", path_effects=self.around)
        elif involved:
            self.text(x - 0.22, y - RADIUS - 0.08, f"d = {signed(display.trace.deltas[l - 1][i])}", 0.23,
                      va="top", ha="left", path_effects=self.around)

    def is_involved(self, l):
        """Whether the marked neuron's error signal is a sum over the neurons of layer l."""
        return self.neuron is not None and l == self.neuron[0] + 1

    # --------------------------------------------------------------------------------------------- lines

    def lines(self, largest):
        weights = self.display.weights
        if largest is None:
            largest = max(np.abs(W[np.isfinite(W)]).max(initial=0.0) for W in weights)
        faint = 1.0 if self.neuron is None else 0.25
        for negative in (False, True):
            segments, widths = [], []
            for l, W in enumerate(weights):
                if l not in self.columns or l + 1 not in self.columns:
                    continue
                for A in self.slots[l]:
                    for B in self.slots[l + 1]:
                        if A is not None and B is not None and (W[A, B] < 0) == negative:
                            segments.append(between(self.at[l, A], self.at[l + 1, B], RADIUS))
                            widths.append(abs(W[A, B]) / largest if largest and abs(W[A, B]) < largest else
                                          float(W[A, B] != 0))
            color = to_rgb(NEGATIVE if negative else POSITIVE)
            self.ax.add_collection(LineCollection(
                segments, linewidths=[self.unit * (0.012 + 0.1 * width) for width in widths], zorder=1,
                colors=[(*color, faint * (0.35 + 0.65 * width)) for width in widths],
                linestyles=[DASHES] if negative else "solid"))
        handles = [Line2D([], [], color=POSITIVE, linewidth=0.06 * self.unit, label="$w > 0$"),
                   Line2D([], [], color=NEGATIVE, linewidth=0.06 * self.unit, linestyle=DASHES, label="$w < 0$"),
                   Line2D([], [], color=GREY, linewidth=0.112 * self.unit, label=f"$|w|$ = {short(largest)}")]
        self.ax.legend(handles=handles, loc="lower center", ncols=3, frameon=False, fontsize=0.22 * self.unit,
                       handlelength=2.5, borderaxespad=0)

    def way_back(self):
        display, (l, A) = self.display, self.neuron
        number = display._number(l, A)
        error_signal = display.trace.error_signals[l - 1][A]
        if l == len(display.weights):
            self.title(rf"$e_{{{number}}} = dE/dy$ = {signed(error_signal)}")
            return
        terms = display.terms(number)
        largest = np.abs(terms).max()
        # The way of the later errors themselves, without numbers, where arrows can be told apart.
        for later in range(l + 1, len(display.weights)):
            if later not in self.columns or later + 1 not in self.columns:
                continue
            pairs = [*product(self.slots[later], self.slots[later + 1])]
            if len(pairs) <= 16:
                for B, C in pairs:
                    self.arrow(self.at[later + 1, C], self.at[later, B], GREY, 0.025)
        left_out = terms.sum()
        for B in self.slots[l + 1]:
            if B is not None:
                left_out -= terms[B]
                self.term(self.at[l + 1, B], terms[B], largest)
        if None in self.slots[l + 1]:
            self.term(self.at[l + 1, None], left_out, largest, "the others\n")
        names = [rf"d_{{{display._number(l + 1, B)}}} w_{{{number},{display._number(l + 1, B)}}}"
                 for B in range(len(terms))]
        total = " + ".join(names) if len(terms) <= 3 else rf"\sum_B d_B w_{{{number},B}}"
        self.title(rf"$e_{{{number}}} = {total}$ = {signed(error_signal)}")

    def title(self, text):
        self.ax.set_title(text, fontsize=0.3 * self.unit)

    def term(self, source, value, largest, about=""):
        """An arrow with a term of the sum, from the neuron that contributes it to the marked one."""
        target = self.at[self.neuron]
        color, share = (NEGATIVE if value < 0 else POSITIVE), abs(value) / largest if largest else 0.0
        self.arrow(source, target, color, 0.03 + 0.07 * min(share, 1.0), value < 0)
        x, y = np.array(source) + 0.38 * (np.array(target) - source)
        self.text(x, y, about + signed(value), 0.23, bbox={
            "boxstyle": "round,pad=0.12", "facecolor": "white", "edgecolor": color, "linewidth": 0.02 * self.unit},
            color="black")

    def arrow(self, source, target, color, width, dashed=False):
        self.ax.add_patch(FancyArrowPatch(
            *between(source, target, RADIUS + 0.05), arrowstyle="-|>", mutation_scale=0.36 * self.unit, color=color,
            linewidth=width * self.unit, linestyle=DASHES if dashed else "solid", shrinkA=0, shrinkB=0, zorder=3))


def columns_of(count, wanted):
    """The layers to show, inputs included, and the column of each; a column is left free where some are left out."""
    if count <= MOST_LAYERS:
        return {l: l for l in range(count)}
    shown = {0, 1, 2, 3, count - 3, count - 2, count - 1}
    if wanted is not None:      # with its error signal's origin
        shown |= {wanted, min(wanted + 1, count - 1)}
    # A single layer takes no more room than the dots in its place would.
    shown |= {l for l in range(count) if l - 1 in shown and l + 1 in shown}
    columns, column = {}, 0
    for l in sorted(shown):
        column += l > 0 and l - 1 not in shown
        columns[l] = column
        column += 1
    return columns


def slots(size, most, wanted):
    """The indices to show of a layer, from the top; None stands for those left out."""
    if size <= most:
        return list(range(size))
    first = most - 2
    return [*range(first), None, size - 1 if wanted is None or wanted < first else wanted]


def between(source, target, margin):
    """The line from one node to another, without what lies in them."""
    source, target = np.array(source), np.array(target)
    step = margin * (target - source) / np.hypot(*(target - source))
    return source + step, target - step
