"""The function of one or two inputs that a network has learnt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from fastbp._arrays import as_reals, labels
from fastbp._checks import came, kind
from fastbp.plot import _style
from fastbp.plot._slice import Slice

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

    from fastbp._types import Floats
    from fastbp.network import Network


class ResponseDisplay:
    """One output of a network as a curve over an input, or as a map over two.

    Parameters
    ----------
    grid : list of ndarray
        The values of each input that varies.
    outputs : ndarray, shape (len(grid[0]),) or (len(grid[1]), len(grid[0]))
        The output at each point.
    feature_names : list of str
        Names of the inputs that vary.
    output_name : str
        Name of the output.
    low, high : ndarray, shape as `outputs`, optional
        The ends of the interval around the output.
    points : ndarray, shape (M, len(grid)), optional
        The samples' values of the inputs that vary.
    targets : ndarray, shape (M,), optional
        The samples' targets for the output.

    Attributes
    ----------
    grid, outputs, feature_names, output_name, low, high, points, targets
        As above.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
        Where `plot` has drawn.

    See Also
    --------
    ResponseDisplay.from_network : makes one; has an example.
    """

    ax_: Axes
    figure_: Figure

    def __init__(self, grid: Sequence[Floats], outputs: Floats, *, feature_names: Sequence[str], output_name: str,
                 low: Floats | None = None, high: Floats | None = None, points: Floats | None = None,
                 targets: Floats | None = None) -> None:
        self.grid, self.outputs, self.feature_names, self.output_name = grid, outputs, feature_names, output_name
        self.low, self.high, self.points, self.targets = low, high, points, targets

    @classmethod
    def from_network(cls, net: Network, X: ArrayLike | None = None, T: ArrayLike | None = None, *,
                     features: int | Sequence[int] | None = None, output: int = 0, at: ArrayLike | None = None,
                     limits: ArrayLike | None = None, interval: Callable[[Any], tuple[Any, Any]] | None = None,
                     resolution: int | None = None, feature_names: Sequence[str] | None = None,
                     output_name: str | None = None) -> ResponseDisplay:
        """Compute one output of a network over one or two of its inputs.

        Parameters
        ----------
        net : Network
        X : array_like, shape (M, n_inputs), optional
            Samples to draw as points.
        T : array_like, shape (M,) or (M, n_outputs), optional
            Their targets; of a network with several outputs also integer labels, which stand for 1 at the output that
            they number, and for 0 at the others.
        features : int or sequence of one or two int, optional
            The columns of X that vary; by default all of one or two inputs.
        output : int, default 0
            Which output, from 0.
        at : array_like, shape (n_inputs,), optional
            The values of the other inputs; by default the means of X, or 0.
        limits : array_like, shape (2,) or (2, 2), optional
            Lowest and highest value of each input that varies. By default those of X and a tenth more, or from -1 to 1.
        interval : callable, optional
            An interval around the output: ``interval(X)`` gives (low, high), each of shape (M,) or (M, n_outputs).
        resolution : int, optional
            Points of the grid along each input; by default 300, or 100 for two inputs.
        feature_names : sequence of str, optional
            One for each input of the network.
        output_name : str, optional
            Name of the output.

        Returns
        -------
        ResponseDisplay

        Raises
        ------
        ValueError, TypeError
            If an argument has the wrong shape or length, or is out of range; or `interval` does not give two arrays of
            the right shape.

        Examples
        --------
        >>> import fastbp
        >>> from fastbp.plot import ResponseDisplay
        >>> net = fastbp.Network([1, 1], "tanh", init=[([[2.0]], [0.0])])
        >>> display = ResponseDisplay.from_network(net, interval=lambda X: (net.predict(X) - 0.1, net.predict(X) + 0.1))
        >>> display.plot().outputs.shape
        (300,)
        """
        if features is None:
            if net.n_inputs > 2:
                raise ValueError(f"features must name one or two of the {net.n_inputs} inputs, got None")
            features = range(net.n_inputs)
        features = [features] if isinstance(features, (int, np.integer)) else list(features)
        if len(features) not in (1, 2):
            raise ValueError(f"features must name one or two inputs, got {features}")
        if not isinstance(output, (int, np.integer)) or not 0 <= output < net.n_outputs:
            raise ValueError(f"output must be an integer from 0 to {net.n_outputs - 1}, got {came(output)}")
        if resolution is None:
            resolution = 300 if len(features) == 1 else 100
        plane = Slice(net, X, features, at, limits, resolution, feature_names)
        targets = None
        if T is not None:
            if X is None:
                raise ValueError("T needs X, the inputs of the same samples; got T alone")
            if net.n_outputs > 1 and np.ndim(T) == 1:
                targets = (labels(T, "T", len(plane.X), net.n_outputs) == output).astype(net.dtype)
            else:
                targets = column(as_reals(T, "T", net.dtype), "T", len(plane.X), net.n_outputs, output)

        def ends(inputs):
            pair = interval(inputs)
            if not isinstance(pair, (tuple, list)) or len(pair) != 2:
                raise TypeError(f"interval must return (low, high), got {kind(pair)}")
            return np.stack([column(np.asarray(end), "interval's ends", len(inputs), net.n_outputs, output)
                             for end in pair], axis=1)

        low = high = None
        if interval is not None:
            low, high = plane.evaluate(ends).T.reshape(2, *plane.shape)
        if output_name is None:
            output_name = "output" if net.n_outputs == 1 else f"output {output + 1}"
        return cls(plane.axes, plane.evaluate(net.predict)[:, output].reshape(plane.shape), points=plane.points,
                   feature_names=plane.names, output_name=_style.plain(output_name), low=low, high=high,
                   targets=targets)

    def plot(self, ax: Axes | None = None) -> ResponseDisplay:
        """Draw the curve or the map, and the samples.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default in a new figure.

        Returns
        -------
        ResponseDisplay
            Itself.
        """
        if len(self.grid) == 1:
            ax = _style.axes(ax, figsize=(5.6, 3.8))
            self._draw_curve(ax)
        else:
            ax = _style.axes(ax, figsize=(5.6, 4.2))
            self._draw_map(ax)
        ax.set_xlabel(self.feature_names[0])
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw_curve(self, ax):
        x, = self.grid
        if self.low is not None:
            ax.fill_between(x, self.low, self.high, color=_style.CYCLE[4], alpha=0.35, linewidth=0, label="interval")
        if self.targets is not None:
            ax.plot(self.points[:, 0], self.targets, linestyle="", marker="o", markersize=3.5, color=_style.GREY,
                    alpha=max(0.3, min(1.0, 200 / len(self.targets))), label="data", zorder=2)
        ax.plot(x, self.outputs, color=_style.POSITIVE, linewidth=2, label="network", zorder=3)
        ax.set_xlim(x[0], x[-1])
        ax.set_ylabel(self.output_name)
        if self.low is not None or self.targets is not None:
            ax.legend(frameon=False)

    def _draw_map(self, ax):
        values = [self.outputs] if self.targets is None else [self.outputs, self.targets]
        low, high = min(v.min() for v in values), max(v.max() for v in values)
        levels = MaxNLocator(14).tick_values(low, high)
        filled = ax.contourf(*self.grid, self.outputs, levels=levels, cmap="viridis")
        ax.figure.colorbar(filled, ax=ax, label=self.output_name)
        if self.targets is not None:
            # In the colours of the map: a sample that the network has learnt vanishes in it but for its rim.
            ax.scatter(*self.points.T, c=self.targets, cmap=filled.cmap, norm=filled.norm, edgecolor="black",
                       linewidth=0.6, s=26, zorder=3)
        if self.low is not None:
            self._draw_widths(ax)
        ax.set_xlim(self.grid[0][0], self.grid[0][-1])
        ax.set_ylim(self.grid[1][0], self.grid[1][-1])
        ax.set_ylabel(self.feature_names[1])

    def _draw_widths(self, ax):
        """Lines where half the width of the interval is a round number."""
        half = (self.high - self.low) / 2
        levels = [level for level in MaxNLocator(3).tick_values(half.min(), half.max())
                  if half.min() < level < half.max()]
        if levels:
            # Named in a legend: labels on the lines would lie on the points, or be cut off at the edges.
            styles = [_style.LINE_STYLES[k % 4] for k in range(len(levels), 0, -1)]
            ax.contour(*self.grid, half, levels=levels, colors="black", linewidths=1.1, linestyles=styles, zorder=2)
            lines = [Line2D([], [], color="black", linewidth=1.1, linestyle=style, label=f"±{level:.3g}")
                     for level, style in zip(levels, styles, strict=True)]
        else:
            lines = [Line2D([], [], linestyle="", label=f"±{half.mean():.3g}")]
        ax.legend(handles=lines, title=f"interval around the {self.output_name}", loc="lower center", frameon=False,
                  bbox_to_anchor=(0.5, 1.0), ncols=len(lines), borderaxespad=0.2)



def column(array, argument, n_samples, n_outputs, output):
    """One output's numbers of an array with a number, or a row of them, for each sample."""
    if array.shape == (n_samples, n_outputs):
        return array[:, output]
    if array.shape == (n_samples,) and n_outputs == 1:
        return array
    raise ValueError(f"{argument} must have the shape ({n_samples}, {n_outputs}), got {array.shape}")
