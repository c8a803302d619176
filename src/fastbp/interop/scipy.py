"""Batch learning with SciPy's L-BFGS: fastbp computes the loss and its gradient."""

try:
    from scipy import optimize
except ImportError as error:
    raise ImportError(f'fastbp.interop.scipy needs SciPy: pip install "fastbp[scipy]" ({error})') from error
from math import inf

import numpy as np

from fastbp._checks import number, positive_integer


def minimize(net, X, T, *, l2=0.0, sample_weight=None, max_iter=200, tol=1e-5):
    """Let SciPy find the parameters with the lowest loss over all samples, by L-BFGS.

    Parameters
    ----------
    net : fastbp.Network
        The search starts from its parameters and replaces them by the best ones found, also where Ctrl-C or an
        exception ends it.
    X : array_like, shape (M, n_inputs)
        Inputs, finite; at least one sample.
    T : array_like, shape (M, n_outputs)
        Targets, as `Network.gradient` takes them.
    l2 : float, default 0.0
        ``l2 / 2 sum w**2`` over the weights is added to the loss; biases are exempt. At least 0.
    sample_weight : array_like, shape (M,), optional
        A factor for each sample's error.
    max_iter : int, default 200
        The largest number of iterations; each takes one or a few passes over the samples.
    tol : float, default 1e-5
        Stop when no component of the gradient is larger, or the loss falls by no more than rounding; at least 0.

    Returns
    -------
    scipy.optimize.OptimizeResult
        `fun` is the loss with the penalty, `nit` the number of iterations, `message` why it stopped.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range, or has the wrong shape, length or type; the network has not changed then.

    Examples
    --------
    >>> import fastbp
    >>> from fastbp.interop.scipy import minimize
    >>> net = fastbp.Network([1, 1], "identity", seed=1)
    >>> result = minimize(net, [[1.0], [2.0]], [[3.0], [5.0]])
    >>> net.predict([10.0]).round(3)
    array([21.])
    """
    number("l2", l2, 0, inf, low_allowed=True)
    number("tol", tol, 0, inf, low_allowed=True)
    positive_integer("max_iter", max_iter)
    parts = [(W.size, b.size) for W, b in zip(net.weights, net.biases, strict=True)]
    decay = np.concatenate([np.repeat([l2, 0.0], sizes) for sizes in parts])
    net.gradient(X, T, sample_weight=sample_weight)     # an error of an argument comes before anything changes
    start = net.params
    best = [inf, start]

    def loss(params):
        net.params = params
        error, gradient = net.gradient(X, T, sample_weight=sample_weight)
        error += decay @ params**2 / 2
        if error < best[0]:
            best[:] = error, params.copy()
        return error, gradient + decay * params

    try:
        return optimize.minimize(loss, start.astype(np.float64), jac=True, method="L-BFGS-B",
                                 options={"maxiter": max_iter, "gtol": tol, "ftol": np.finfo(net.dtype).eps})
    finally:
        net.params = best[1]
