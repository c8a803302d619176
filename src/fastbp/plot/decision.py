"""The line of one neuron, or the regions of classes, over two inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastbp.plot import _style
from fastbp.plot._classes import class_names as class_names_of
from fastbp.plot._classes import (
    classes_of,
    draw_legend,
    draw_points,
    draw_regions,
    equation,
    labels_of,
    level_of,
    separator,
    without_threshold,
)
from fastbp.plot._slice import Slice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

    from fastbp._types import Floats
    from fastbp.network import Network


class DecisionDisplay:
    """Which class a network puts each point of a plane of two inputs into.

    Parameters
    ----------
    across, up : ndarray, shape (resolution,)
        The values of the two inputs on the grid.
    outputs : ndarray, shape (resolution, resolution, n_outputs)
        The network's outputs there: ``outputs[j, i]`` belongs to ``up[j]`` and ``across[i]``. In place of a
        threshold's 0 and 1 they are its net inputs, whose level is 0.
    level : float
        The value from which on a single output means class 1.
    feature_names, class_names : list of str
        Names of the two inputs and of the classes.
    line : tuple (ndarray of shape (2,), float), optional
        (w, c) of the line ``w[0] x_1 + w[1] x_2 + c = 0`` between the two classes of a network of one layer.
    points : ndarray, shape (M, 2), optional
        The two inputs of the samples.
    labels : ndarray of int, shape (M,), optional
        The classes of the samples.

    Attributes
    ----------
    across, up, outputs, level, feature_names, class_names, line, points, labels
        As above.
    classes : ndarray of int, shape (resolution, resolution)
        The class: that of the largest output. With a single output, 1 where it is at least `level`, otherwise 0.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
        Where `plot` has drawn.

    See Also
    --------
    DecisionDisplay.from_network : makes one; has an example.
    """

    ax_: Axes
    figure_: Figure

    def __init__(self, across: Floats, up: Floats, outputs: Floats, *, level: float,
                 feature_names: Sequence[str], class_names: Sequence[str], line: tuple[Floats, float] | None = None,
                 points: Floats | None = None, labels: NDArray[np.intp] | None = None) -> None:
        self.across, self.up, self.outputs, self.level = across, up, outputs, level
        self.feature_names, self.class_names, self.line = feature_names, class_names, line
        self.points, self.labels = points, labels
        self.classes = classes_of(outputs, level)

    @classmethod
    def from_network(cls, net: Network, X: ArrayLike | None = None, T: ArrayLike | None = None, *,
                     features: Sequence[int] = (0, 1), at: ArrayLike | None = None,
                     limits: ArrayLike | None = None, level: float | None = None, resolution: int = 200,
                     feature_names: Sequence[str] | None = None,
                     class_names: Sequence[str] | None = None) -> DecisionDisplay:
        """Compute the network's outputs over a plane.

        Parameters
        ----------
        net : Network
        X : array_like, shape (M, n_inputs), optional
            Samples to draw as points.
        T : array_like, shape (M,) or (M, n_outputs), optional
            Their classes: integer labels, or targets as `Network.fit` takes them.
        features : sequence of two int, default (0, 1)
            The columns of X that span the plane.
        at : array_like, shape (n_inputs,), optional
            The values of the other inputs; by default the means of X, or 0.
        limits : array_like, shape (2, 2), optional
            Lowest and highest value of the two inputs. By default those of X and a tenth more, or from -1 to 1.
        level : float, optional
            See the attribute; by default the middle of the outputs' range, or 0.5 where there is none.
        resolution : int, default 200
            Points of the grid in each direction.
        feature_names : sequence of str, optional
            One for each input of the network.
        class_names : sequence of str, optional
            One for each class.

        Returns
        -------
        DecisionDisplay

        Raises
        ------
        ValueError, TypeError
            If an argument has the wrong shape or length, or is out of range.

        Examples
        --------
        >>> import fastbp
        >>> from fastbp.plot import DecisionDisplay
        >>> neuron = fastbp.Network([2, 1], "threshold", init=[([[1.0], [2.0]], [-1.5])])
        >>> display = DecisionDisplay.from_network(neuron, limits=[(0, 1), (0, 1)]).plot()
        >>> display.line
        (array([1., 2.]), -1.5)
        """
        features = list(features)
        if len(features) != 2:
            raise ValueError(f"features must hold two columns of X, got {features}")
        plane = Slice(net, X, features, at, limits, resolution, feature_names)
        names, level, labels, line = class_names_of(class_names, net.n_outputs), level_of(net, level), None, None
        if T is not None:
            if X is None:
                raise ValueError("T needs X, the inputs of the same samples; got T alone")
            labels = labels_of(T, len(plane.X), net.n_outputs, level)
        net, level = without_threshold(net, level)
        if len(net.weights) == 1:
            line = separator(net.weights[0], net.biases[0], net.activations[0], level)
        if line is not None:
            w, c = line
            line = w[features], float(c + plane.at @ w)
        outputs = plane.evaluate(net.predict).reshape(*plane.shape, -1)
        return cls(*plane.axes, outputs, level=level, feature_names=plane.names, class_names=names, line=line,
                   points=plane.points, labels=labels)

    def plot(self, ax: Axes | None = None, *, legend: bool = True) -> DecisionDisplay:
        """Draw the regions, the lines between them, and the samples.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default in a new figure.
        legend : bool, default True
            Whether to name the classes.

        Returns
        -------
        DecisionDisplay
            Itself.
        """
        ax = _style.axes(ax, figsize=(5.2, 4.0))
        draw_regions(ax, self.across, self.up, self.outputs, self.level)
        if self.labels is not None:
            draw_points(ax, self.points, self.labels, self.class_names)
        elif self.points is not None:
            ax.scatter(*self.points.T, color="black", s=14, zorder=3)
        ax.set_xlabel(self.feature_names[0])
        ax.set_ylabel(self.feature_names[1])
        if self.line is not None:
            ax.set_title(equation(*self.line, self.feature_names), fontsize="medium")
        if legend:
            draw_legend(ax, self.class_names, self.labels)
        self.ax_, self.figure_ = ax, ax.figure
        return self
