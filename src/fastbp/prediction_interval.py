"""Intervals in which new targets will lie, by the delta method."""

from __future__ import annotations

from math import inf, isfinite, lgamma, log, pi, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from fastbp._arrays import as_reals, place
from fastbp._checks import came, number
from fastbp._core import Core, NormalEquations
from fastbp.divergence import place_of_nonfinite
from fastbp.levenberg_marquardt import demand_memory, effective_parameters

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fastbp._types import Floats
    from fastbp.network import Network

BLOCK = 2**20       # numbers of a block of rows of the Jacobian
HIGHEST = 0.9999    # level beyond which the quantile of few degrees of freedom loses digits


class PredictionInterval:
    """Intervals for new targets of a network that was trained by least squares (De Veaux et al. 1998).

    A target at x has the standard error ``s sqrt(1 + g^T (H + k I)^-1 H (H + k I)^-1 g)``, where g = dy/dparams at x,
    H = J^T J of the data that the network was trained on, and s that of the residuals. The interval is as many of them
    long on either side as Student's t distribution says.

    Parameters
    ----------
    net : fastbp.Network
        Trained by the squared error, best to the end (``optimizer=fastbp.LevenbergMarquardt(bayesian=True)``); it is
        copied.
    X : array_like, shape (M, n_inputs)
        The inputs that it was trained on, finite.
    T : array_like, shape (M, n_outputs)
        Their targets, finite; with one output also (M,).
    level : float, default 0.95
        The probability that a new target lies in its interval; above 0, below 0.9999.

    Attributes
    ----------
    level : float
    noise : ndarray, shape (n_outputs,)
        s, the standard deviation of the targets about the network's outputs, of each output.
    effective_parameters : float
        How many parameters the data determine: ``sum l / (l + k)`` over the eigenvalues l of H that are not mere
        rounding. The rest of the residuals are degrees of freedom.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range, or has the wrong shape, length or type; if the loss is not the squared error; if
        there are no more residuals than effective parameters; or if residuals or derivatives are too large.
    MemoryError
        If the matrices of n_params**2 numbers do not fit into memory.

    Notes
    -----
    The noise must be independent, normal and as large for every x, and the network must be able to fit the curve. k
    stands for what has kept the weights small in training: it is the one of largest evidence for these weights (MacKay
    1992), with which most networks that are larger than needed still have an H + k I that can be inverted. Several
    outputs have one H and each its own s.

    Examples
    --------
    >>> import fastbp, numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = np.linspace(-1, 1, 60)[:, None]
    >>> T = np.sin(3 * X) + rng.normal(0, 0.1, X.shape)
    >>> net = fastbp.Network([1, 6, 1], "tanh", "identity", seed=1)
    >>> history = net.fit(X, T, optimizer=fastbp.LevenbergMarquardt(bayesian=True))
    >>> low, high = fastbp.PredictionInterval(net, X, T)([[0.0], [0.5]])
    >>> low.shape, bool((low < np.sin(3 * np.array([[0.0], [0.5]]))).all())
    ((2, 1), True)
    """

    def __init__(self, net: Network, X: ArrayLike, T: ArrayLike, level: float = 0.95) -> None:
        if not isinstance(net, Core):
            raise TypeError(f"net must be a fastbp.Network, got {came(net)}")
        self.level = number("level", level, 0, HIGHEST)
        if net.loss != "squared_error":
            raise ValueError(f"net must have the loss 'squared_error', got {net.loss!r}")
        samples = net._samples(X, T)
        if samples.single:
            raise ValueError(f"X must be a set of samples of shape (M, {net.n_inputs}), got one sample")
        demand_memory(net.n_params, "PredictionInterval", "a network with fewer needs less")
        self._net = net.copy()
        equations = NormalEquations(net)
        if not isfinite(equations.add_up(net, samples)):
            raise ValueError("net must have residuals and derivatives whose squares are finite for X and T")
        eigenvalues, axes = np.linalg.eigh(equations.matrix)
        rounding = len(eigenvalues) * np.finfo(np.float64).eps * eigenvalues[-1]
        determined = eigenvalues > rounding
        eigenvalues, axes = eigenvalues[determined], axes[:, determined]
        residuals = net.predict(samples.x).astype(np.float64) - samples.t.reshape(samples.m, net.n_outputs)
        squares = np.sum(residuals**2, axis=0)
        damping = self._fit_damping(eigenvalues, squares.sum(), residuals.size)
        free = residuals.size - self.effective_parameters
        if not free >= 1:
            raise ValueError(f"X must hold more samples: {residuals.size} residuals leave no degree of freedom beside "
                             f"{self.effective_parameters:.1f} effective parameters")
        # Each output has its share of the degrees of freedom.
        self.noise = np.sqrt(squares / (free / net.n_outputs))
        # Its square is (H + k I)^-1 H (H + k I)^-1.
        self._root = axes * (np.sqrt(eigenvalues) / (eigenvalues + damping))
        self._reach = student_quantile(self.level, free) * self.noise

    def _fit_damping(self, eigenvalues, squares, n):
        """alpha / beta of largest evidence for the weights as they are, which are at a minimum already.

        It is the k at which gamma(k) / (n - gamma(k)) * ratio equals k. The former only falls where k rises, so one is
        too large where the other is too small, and there is a single solution.
        """
        w = self._net.params.astype(np.float64)
        size = float(w @ w)
        ratio = float(squares) / size if size else inf

        def evidence(damping):
            self.effective_parameters = gamma = effective_parameters(eigenvalues, damping)
            return gamma / max(n - gamma, 1e-3 * n) * ratio

        if ratio == inf:        # weights of 0 say that nothing has been learnt from the data
            self.effective_parameters = 0.0
            return inf
        high = evidence(0.0)
        low = evidence(high)
        while 0 < low < (1 - 1e-12) * high:
            middle = sqrt(low) * sqrt(high)
            if evidence(middle) > middle:
                low = middle
            else:
                high = middle
        evidence(high)
        return high

    def __call__(self, X_new: ArrayLike) -> tuple[Floats, Floats]:
        """The intervals at these inputs.

        Parameters
        ----------
        X_new : array_like, shape (n_inputs,) or (M, n_inputs)
            Inputs, finite.

        Returns
        -------
        low, high : ndarray, shape (n_outputs,) or (M, n_outputs)
            The interval of each output.

        Raises
        ------
        ValueError, TypeError
            If X_new has the wrong shape, length or dtype, or is not finite.
        """
        net = self._net
        rows = as_reals(X_new, "X_new", net.dtype)
        if rows.ndim not in (1, 2) or rows.shape[-1] != net.n_inputs:
            raise ValueError(f"X_new must have the shape ({net.n_inputs},) or (M, {net.n_inputs}), got {rows.shape}")
        if not np.isfinite(rows).all():
            where = place_of_nonfinite(rows)
            raise ValueError(f"X_new must be finite, got {rows[where]}{place(where, X_new)} (as {net.dtype})")
        y = net.predict(rows)
        rows = np.atleast_2d(rows)
        half = np.empty((len(rows), net.n_outputs))
        block = max(1, BLOCK // (net.n_params * net.n_outputs))
        for start in range(0, len(rows), block):
            g = net.param_jacobian(rows[start:start + block]) @ self._root
            half[start:start + block] = self._reach * np.sqrt(1 + np.sum(g**2, axis=-1))
        half = half.reshape(y.shape)
        return (y - half).astype(net.dtype), (y + half).astype(net.dtype)

    def __repr__(self):
        return (f"{type(self).__name__}({self._net!r}, level={self.level!r}, noise={self.noise.round(6).tolist()}, "
                f"{self.effective_parameters:.1f} effective parameters)")


def student_quantile(level, freedom):
    """t with P(-t < T < t) = level for Student's T, whose degrees of freedom need not be a whole number.

    SciPy has it, but twenty lines do without. With T = sqrt(freedom) tan(angle) the probability is the integral of
    cos(angle)^(freedom - 1), which is smooth. Newton's method begins at the normal distribution's quantile, which is
    too small; there the probability is concave, so each iterate is nearer, and none too large.
    """
    nodes, weights = np.polynomial.legendre.leggauss(100)
    # The gamma functions' logarithms cancel where they are large; Stirling's series gives their difference.
    log_ratio = (lgamma((freedom + 1) / 2) - lgamma(freedom / 2) if freedom < 1e4
                 else 0.5 * log(freedom / 2) - 0.25 / freedom)
    log_norm = log_ratio - 0.5 * log(pi)
    t, before = NormalDist().inv_cdf((1 + level) / 2), inf
    while abs(t - before) > 1e-12 * t:
        angle = np.arctan(t / sqrt(freedom))
        powers = np.exp((freedom - 1) * np.log(np.cos(angle / 2 * (nodes + 1))) + log_norm)
        probability = angle * (weights @ powers)
        density = 2 * np.exp(log_norm - (freedom + 1) / 2 * np.log1p(t * t / freedom)) / sqrt(freedom)
        before, t = t, t + (level - probability) / density
        if t <= before:     # rounding has the last word
            break
    return float(t)
