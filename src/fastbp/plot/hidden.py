"""The space that a hidden layer maps the samples into."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator
from mpl_toolkits.mplot3d.art3d import Poly3DCollection

from fastbp import activations
from fastbp._checks import came, positive_integer
from fastbp.network import Network
from fastbp.plot import _style
from fastbp.plot._classes import class_names as class_names_of
from fastbp.plot._classes import (
    draw_legend,
    draw_points,
    draw_regions,
    labels_of,
    level_of,
    separator,
    without_threshold,
)
from fastbp.plot._slice import samples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

    from fastbp._types import Floats

RESOLUTION = 200    # of the regions; the lines between them are straight


class HiddenSpaceDisplay:
    """The samples in the space of a hidden layer's outputs, where the next layer tells the classes apart.

    A layer of two or three neurons is shown as it is, a wider one along its principal axes: the directions in which
    the samples differ most. Of the last hidden layer, the line or plane that parts the classes is shown, too. Along
    principal axes it is the cut of the picture with that plane.

    Parameters
    ----------
    points : ndarray, shape (M, dimensions)
        The outputs of the layer for each sample, or their coordinates along the principal axes.
    labels : ndarray of int, shape (M,)
        The classes of the samples.
    axis_names, class_names : list of str
        Names of the dimensions and of the classes.
    origin : ndarray, shape (n_neurons,)
        The outputs of the layer that the origin of the picture stands for.
    directions : ndarray, shape (n_neurons, dimensions)
        The directions of the picture's axes: the outputs at a point z of it are ``origin + directions @ z``.
    last_layer : Network, optional
        The layer behind, if it is the last of the network, as a function of the picture's coordinates.
    level : float, default 0.5
        The value from which on a single output of it means class 1.
    limits : ndarray, shape (dimensions, 2), optional
        Lowest and highest coordinates that can be; by default there are none.

    Attributes
    ----------
    points, labels, axis_names, class_names, origin, directions, last_layer, level
        As above.
    limits : ndarray, shape (dimensions, 2)
        Lowest and highest coordinates of the picture. They hold the points, and all that can be where this is finite,
        so pictures of a layer before and after training have the same axes.
    separator : tuple (ndarray of shape (dimensions,), float) or None
        (w, c) of the line or plane ``w @ z + c = 0`` that parts the two classes in the picture.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
        Where `plot` has drawn.

    See Also
    --------
    HiddenSpaceDisplay.from_network : makes one; has an example.
    """

    ax_: Axes
    figure_: Figure

    def __init__(self, points: Floats, labels: NDArray[np.intp], *, axis_names: Sequence[str],
                 class_names: Sequence[str], origin: Floats, directions: Floats, last_layer: Network | None = None,
                 level: float = 0.5, limits: ArrayLike | None = None) -> None:
        self.points, self.labels, self.axis_names, self.class_names = points, labels, axis_names, class_names
        self.origin, self.directions, self.last_layer, self.level = origin, directions, last_layer, level
        low, high = points.min(axis=0), points.max(axis=0)
        if limits is not None:
            low, high = np.minimum(low, limits[:, 0]), np.maximum(high, limits[:, 1])
        margin = np.where(high > low, 0.1 * (high - low), 0.1)
        self.limits = np.stack([low - margin, high + margin], axis=1)
        self.separator = None if last_layer is None else separator(
            last_layer.weights[0], last_layer.biases[0], last_layer.activations[0], level)

    @classmethod
    def from_network(cls, net: Network, X: ArrayLike, T: ArrayLike, *, layer: int | None = None,
                     dimensions: int | None = None, level: float | None = None,
                     class_names: Sequence[str] | None = None) -> HiddenSpaceDisplay:
        """Compute where the samples are in the space of a hidden layer.

        Parameters
        ----------
        net : Network
            As it is before training, after it, or in between: each has a display of its own.
        X : array_like, shape (M, n_inputs)
            Samples.
        T : array_like, shape (M,) or (M, n_outputs)
            Their classes: integer labels, or targets as `Network.fit` takes them.
        layer : int, optional
            Which hidden layer, from 1; by default the last.
        dimensions : {1, 2, 3}, optional
            Of the picture; by default as many as the layer has neurons, or 2 if these are more than 3.
        level : float, optional
            The value from which on a single output means class 1; by default the middle of the outputs' range, or 0.5
            where there is none.
        class_names : sequence of str, optional
            One for each class.

        Returns
        -------
        HiddenSpaceDisplay

        Raises
        ------
        ValueError, TypeError
            If an argument has the wrong shape or length, or is out of range; or the network has parameters or outputs
            of the layer that are not finite.

        Examples
        --------
        >>> import fastbp
        >>> from fastbp.plot import HiddenSpaceDisplay
        >>> X, T = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
        >>> net = fastbp.Network([2, 2, 1], "tanh", "sigmoid", seed=3)
        >>> history = net.fit(X, T, epochs=2000, learning_rate=0.5)
        >>> display = HiddenSpaceDisplay.from_network(net, X, T).plot()
        >>> w, c = display.separator
        >>> (display.points @ w + c > 0).tolist()
        [False, True, True, False]
        """
        last = len(net.weights) - 1
        layer = last if layer is None else positive_integer("layer", layer)
        if not 1 <= layer <= last:
            raise ValueError(f"layer must be the number of a hidden layer, from 1 to {last}, got {layer}" if last else
                             "net must have a hidden layer")
        size = net.layer_sizes[layer]
        dimensions = (size if size <= 3 else 2) if dimensions is None else positive_integer("dimensions", dimensions)
        if dimensions > min(3, size):
            raise ValueError(f"dimensions must be at most {min(3, size)}, got {dimensions}")
        level, X = level_of(net, level), samples(net, X)
        labels = labels_of(T, len(X), net.n_outputs, level)
        if not np.isfinite(net.params).all():
            raise ValueError("net must have finite parameters, for its hidden space to be drawn")
        outputs, limits = net.layer_outputs(X)[layer - 1], None
        if not np.isfinite(outputs).all():
            raise ValueError(f"net must have finite outputs of layer {layer} for X, to be drawn")
        if dimensions == size:
            first = sum(net.layer_sizes[1:layer]) + 1   # numbered through the layers, as in docs/method.md
            names = [f"output of neuron {first + i}" for i in range(size)]
            origin, directions = np.zeros(size, net.dtype), np.eye(size, dtype=net.dtype)
            row = activations.TABLE.get(net.activations[layer - 1], activations.Activation())
            if np.isfinite([row.low, row.high]).all():
                limits = np.tile([row.low, row.high], (size, 1))
        else:
            origin, directions, shares = principal_axes(outputs, dimensions)
            names = [f"principal axis {i + 1} ({share:.0%} of the variance)" for i, share in enumerate(shares)]
        last_layer = None
        if layer == last:
            W, b = net.weights[-1], net.biases[-1]
            last_layer = Network([dimensions, net.n_outputs], net.activations[-1], dtype=net.dtype,
                                 init=[(directions.T @ W, b + origin @ W)])
            last_layer, level = without_threshold(last_layer, level)
        return cls((outputs - origin) @ directions, labels, axis_names=names,
                   class_names=class_names_of(class_names, net.n_outputs), origin=origin, directions=directions,
                   last_layer=last_layer, level=level, limits=limits)

    def plot(self, ax: Axes | None = None, *, legend: bool = True) -> HiddenSpaceDisplay:
        """Draw the samples, and what parts their classes.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw, made with ``projection="3d"`` for three dimensions; by default in a new figure.
        legend : bool, default True
            Whether to name the classes.

        Returns
        -------
        HiddenSpaceDisplay
            Itself.

        Raises
        ------
        ValueError
            If the display has three dimensions and the axes have two, or the other way round.
        """
        dimensions = self.points.shape[1]
        flat = dimensions < 3
        if ax is not None and (ax.name == "3d") == flat:
            wanted = "two dimensions" if flat else "three dimensions, as with projection='3d',"
            raise ValueError(f"ax must have {wanted} for a display of {dimensions}, got {came(ax)}")
        ax = _style.axes(ax, figsize=(5.2, 4.0), subplot_kw={} if flat else {"projection": "3d"})
        if dimensions == 1:
            self._draw_line(ax)
        elif dimensions == 2:
            self._draw_plane(ax)
        else:
            self._draw_space(ax)
        ax.set_xlabel(self.axis_names[0])
        if legend and dimensions > 1:
            draw_legend(ax, self.class_names, self.labels)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw_line(self, ax):
        """One dimension: the classes stand above one another, so that their points do not cover each other."""
        draw_points(ax, np.column_stack([self.points[:, 0], self.labels]), self.labels, self.class_names)
        ax.set_yticks(range(len(self.class_names)), self.class_names)
        ax.set_xlim(self.limits[0])
        ax.set_ylim(-0.5, len(self.class_names) - 0.5)
        if self.separator is not None and self.separator[0][0] != 0:
            (w,), c = self.separator
            ax.axvline(-c / w, color=ax.xaxis.label.get_color(), linewidth=1.2)

    def _draw_plane(self, ax):
        if self.last_layer is not None:
            across, up = np.linspace(*self.limits.T, RESOLUTION, dtype=self.points.dtype).T
            z = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
            outputs = self.last_layer.predict(z).reshape(RESOLUTION, RESOLUTION, -1)
            draw_regions(ax, across, up, outputs, self.level)
        ax.set_xlim(self.limits[0])
        ax.set_ylim(self.limits[1])
        draw_points(ax, self.points, self.labels, self.class_names)
        ax.set_ylabel(self.axis_names[1])

    def _draw_space(self, ax):
        if self.separator is not None:
            corners = cut(*self.separator, self.limits)
            if len(corners):
                ax.add_collection3d(Poly3DCollection([corners], facecolor=_style.GREY, edgecolor="black",
                                                     linewidth=0.8, alpha=0.3))
        draw_points(ax, self.points, self.labels, self.class_names)
        for axis, limits in zip((ax.xaxis, ax.yaxis, ax.zaxis), self.limits, strict=True):
            # The usual number of ticks would overlap, and so would those at the corners.
            axis.set_major_locator(MaxNLocator(5, prune="both"))
            getattr(ax, f"set_{axis.axis_name}lim")(limits)
        ax.set_ylabel(self.axis_names[1])
        ax.set_zlabel(self.axis_names[2])
        ax.set_box_aspect(None, zoom=0.85)      # or the label of the vertical axis is cut off


def cut(w, c, limits):
    """The corners of the polygon in which the plane w z + c = 0 cuts the box, in order; none if it passes by."""
    corners = []
    for k in range(3):      # the edges along each axis
        if w[k] == 0:
            continue
        others = [i for i in range(3) if i != k]
        for ends in product(*limits[others]):
            z = np.empty(3)
            z[others] = ends
            z[k] = -(c + w[others] @ ends) / w[k]
            if limits[k, 0] <= z[k] <= limits[k, 1]:
                corners.append(z)
    if len(corners) < 3:
        return np.empty((0, 3))
    corners = np.array(corners)
    around = corners - corners.mean(axis=0)
    # Angles in the plane, between two directions in it.
    first = around[np.abs(around).sum(axis=1).argmax()]
    second = np.cross(w, first)
    return corners[np.argsort(np.arctan2(around @ second / np.linalg.norm(second),
                                         around @ first / np.linalg.norm(first)))]


def principal_axes(outputs, count):
    """(mean, the directions of largest variance as columns, their shares of all variance)."""
    mean = outputs.mean(axis=0)
    apart = (outputs - mean).astype(float)
    variances, directions = np.linalg.eigh(apart.T @ apart)
    variances, directions = np.maximum(variances[::-1], 0), directions[:, ::-1][:, :count]
    # A direction's sign is arbitrary: the largest entry is made positive, so that pictures can be repeated.
    largest = np.take_along_axis(directions, np.abs(directions).argmax(axis=0)[None], axis=0)
    shares = variances[:count] / (variances.sum() or 1.0)
    return mean, (directions * np.where(largest < 0, -1, 1)).astype(outputs.dtype), shares
