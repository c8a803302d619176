"""A network along one or two of its inputs, the others held."""

import numpy as np

from fastbp._arrays import as_reals
from fastbp._checks import came, positive_integer
from fastbp.plot import _style

AT_ONCE = 2**20     # numbers of a block of inputs: a grid over two inputs of a wide network would not fit into memory


class Slice:
    """A grid over some of a network's inputs.

    Attributes
    ----------
    X : ndarray, shape (M, n_inputs), or None
        The samples.
    points : ndarray, shape (M, len(features)), or None
        Their values of the inputs that vary.
    features : list of int
        The inputs that vary.
    axes : list of ndarray
        The values of each on the grid.
    at : ndarray, shape (n_inputs,)
        The values of the others; 0 for those that vary.
    names : list of str
        Of the inputs that vary.
    """

    def __init__(self, net, X, features, at, limits, resolution, feature_names):
        self.features = chosen(net, features)
        # Counted from 1, as in docs/method.md.
        names = _style.names("feature_names", feature_names, [f"$x_{{{i + 1}}}$" for i in range(net.n_inputs)])
        self.names = [names[i] for i in self.features]
        self.X = None if X is None else samples(net, X)
        self.points = None if X is None else self.X[:, self.features]
        if at is None:
            self.at = np.zeros(net.n_inputs, net.dtype) if X is None else self.X.mean(axis=0)
        else:
            self.at = as_reals(at, "at", net.dtype).copy()
            if self.at.shape != (net.n_inputs,):
                raise ValueError(f"at must have the shape ({net.n_inputs},), got {self.at.shape}")
        self.at[self.features] = 0
        if positive_integer("resolution", resolution) < 2:
            raise ValueError("resolution must be at least 2, got 1")
        limits = self.limits_of_points() if limits is None else checked(limits, len(self.features))
        self.axes = [np.linspace(low, high, resolution, dtype=net.dtype) for low, high in limits]

    def limits_of_points(self):
        """A tenth more than what the points take up."""
        if self.points is None:
            return [(-1.0, 1.0)] * len(self.features)
        low, high = self.points.min(axis=0), self.points.max(axis=0)
        margin = np.where(high > low, 0.1 * (high - low), 1.0)
        return np.stack([low - margin, high + margin], axis=1)

    def evaluate(self, function):
        """The function of inputs (M, n_inputs) at all points of the grid, block by block, shape (points, ...)."""
        grid = [values.ravel() for values in np.meshgrid(*self.axes)]
        step = max(1, AT_ONCE // len(self.at))
        results = []
        for first in range(0, len(grid[0]), step):
            block = slice(first, first + step)
            inputs = np.tile(self.at, (len(grid[0][block]), 1))
            for i, values in zip(self.features, grid, strict=True):
                inputs[:, i] = values[block]
            results.append(function(inputs))
        return np.concatenate(results)

    @property
    def shape(self):
        """Of results on the grid: rows go up, columns across, as in pictures."""
        return tuple(map(len, reversed(self.axes)))


def chosen(net, features):
    """Columns of X, as a list."""
    features = list(features)
    if net.n_inputs < len(features):
        raise ValueError(f"net must have {len(features)} inputs or more, got one with {net.n_inputs}")
    if len(set(features)) != len(features) or not all(
            isinstance(i, (int, np.integer)) and 0 <= i < net.n_inputs for i in features):
        raise ValueError(f"features must hold different columns of X from 0 to {net.n_inputs - 1}, got {features}")
    return [int(i) for i in features]


def samples(net, X):
    """X as an array of rows; with one input it may be 1-D."""
    X = as_reals(X, "X", net.dtype)
    if X.ndim == 1 and net.n_inputs == 1:
        X = X[:, None]
    if X.ndim != 2 or X.shape[1] != net.n_inputs or len(X) == 0:
        raise ValueError(f"X must have the shape (M, {net.n_inputs}) with M at least 1, got {X.shape}")
    if not np.isfinite(X).all():
        raise ValueError("X must be finite, to be drawn")
    return X


def checked(limits, count):
    values = as_reals(limits, "limits", np.dtype(float))
    if values.shape == (2,) and count == 1:
        values = values[None]
    if values.shape != (count, 2) or not np.isfinite(values).all() or not (values[:, 0] < values[:, 1]).all():
        raise ValueError(f"limits must hold a lowest and a higher value for each input that is shown, got "
                         f"{came(limits)}")
    return values
