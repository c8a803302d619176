"""Levenberg-Marquardt, and the Bayesian regularisation that comes with it.

Each step solves (J^T J + mu I) s = J^T e for the step s, J being the derivatives of the residuals e = y - t by the
parameters w (Levenberg 1944, Marquardt 1963; for networks Hagan and Menhaj 1994). With a small mu it is the step of
Gauss and Newton; with a large one a short step down the gradient. A step that makes E smaller is taken and mu falls;
otherwise mu rises and another step is tried. The core adds J^T J up block by block (_core/normal_equations.pxi).
"""

from __future__ import annotations

import os
from math import inf, isfinite, sqrt

import numpy as np

from fastbp import divergence
from fastbp._checks import check_flag, number
from fastbp._core import solve_factored
from fastbp.whole_batch import WholeBatch

# Matrices of n_params**2 numbers that there are at the same time: J^T J, the same with mu, and two of LAPACK's.
MATRICES = 4
LEAST = 1e-20       # mu falls no further: it must be able to rise again
ALMOST_ZERO = 1e-200    # sums below it are no divisors
SAID = "Levenberg-Marquardt", "optimizer='lbfgs' or 'adam' needs none of it"
FIRST_ALPHA = 0.01  # beside a beta of 1 for targets of size 1


class LevenbergMarquardt(WholeBatch):
    """Levenberg-Marquardt for `fit`: ``w <- w - (J^T J + mu I)^-1 J^T e`` (Hagan and Menhaj 1994).

    J has the derivatives of the residuals e = y - t with respect to the parameters w, for all samples and outputs. It
    is for small networks and the squared error, where it often needs a hundredth of the epochs of other methods and
    reaches errors near the rounding. An epoch is a step that makes E smaller; where training stops because there is
    none, or because the gradient is almost 0, the last epoch has changed nothing. An epoch takes some
    ``n_params**2 / 2`` multiplications for each sample and output, and memory for four matrices of n_params**2 float64.

    Parameters
    ----------
    mu : float, default 1e-3
        The damping with which the first step begins; positive and finite.
    mu_decrease : float, default 0.1
        What mu is multiplied by after a step that has made E smaller; above 0, below 1.
    mu_increase : float, default 10.0
        What mu is multiplied by otherwise, before another step is tried; above 1.
    mu_max : float, default 1e10
        Training stops if mu would have to be larger: then no step makes E smaller.
    min_gradient : float, default 1e-7
        Training stops if the Euclidean norm of the gradient, of beta E_D + alpha E_W where `bayesian`, is not above
        this; at least 0. It is an absolute number: let targets be of about size 1, or make it smaller.
    bayesian : bool, default False
        Bayesian regularisation (MacKay 1992; Foresee and Hagan 1997): the steps make ``beta E_D + alpha E_W`` smaller,
        where E_D is half the sum of squared residuals and E_W half the sum of all squared parameters. alpha and beta
        begin with 0.01 and one over the mean square of the targets, and become those of largest evidence whenever the
        steps have settled. The network then does not overfit, so it needs no validation data. E and `desired_error` do
        not include alpha E_W. Samples of weight 0 do not count.

    Attributes
    ----------
    steps : int
        Steps made so far.

    Raises
    ------
    ValueError, TypeError
        If a number is out of range.

    Notes
    -----
    The gradient and J^T J are those of E: sample weights multiply their samples' terms, and with the reduction "mean"
    all is divided by the number of samples, so that mu means more. With `bayesian` the terms are not divided.

    Where the parameters are float32, J is float32 too, but its products are added up in float64, and the steps are
    solved for in float64. Products in float32 would lose the small singular values of J, and mu could not fall.

    An object that is used again begins with the mu (and alpha and beta) that it had; `reset` forgets them. A change of
    `bayesian` takes effect when the next training begins.

    Examples
    --------
    >>> import fastbp, numpy as np
    >>> X = np.linspace(-1, 1, 50)
    >>> net = fastbp.Network([1, 5, 1], "tanh", "identity", seed=2)
    >>> history = net.fit(X[:, None], np.sin(3 * X), epochs=100, desired_error=1e-4, optimizer="lm")
    >>> history.stop_reason, bool(history.epochs < 50)
    ('desired_error', True)
    """

    __slots__ = ()

    def __init__(self, mu: float = 1e-3, mu_decrease: float = 0.1, mu_increase: float = 10.0, mu_max: float = 1e10,
                 min_gradient: float = 1e-7, bayesian: bool = False) -> None:
        check_flag("bayesian", bayesian)
        self.mu, self.mu_decrease = number("mu", mu, 0, inf), number("mu_decrease", mu_decrease, 0, 1)
        self.mu_increase = number("mu_increase", mu_increase, 1, inf)
        self.mu_max = number("mu_max", mu_max, 0, inf)
        self.min_gradient = number("min_gradient", min_gradient, 0, inf, low_allowed=True)
        self.bayesian = bool(bayesian)
        if self.mu > self.mu_max:
            raise ValueError(f"mu must not be above mu_max, got mu={mu!r} and mu_max={mu_max!r}")
        super().__init__()

    @property
    def _columns(self):
        return ("mu", "alpha", "beta", "effective_parameters") if self.bayesian else ("mu",)

    def _check(self, net, options):
        super()._check(net, options)
        if net.loss != "squared_error":
            self._refuse(f"loss {net.loss!r}", "which is for 'squared_error'")

    def _begin(self, source):
        """The steps of one training."""
        if self._learnt and not self.bayesian:
            self._learnt = self._learnt[:1]     # alpha and beta of a training before `bayesian` was changed
        return Descent(self, source)

    def _restore(self, net, state):
        """Take up the state of a checkpoint: the numbers that its History has of the last epoch, if there is one."""
        steps, own = state["steps"], state["own"]
        if type(steps) is not int or not 0 <= steps < 2**53:
            raise ValueError(f"steps must be a number of steps, got {steps!r:.80}")
        if state["mean"] is not None or state["square"] is not None:
            raise ValueError("there must be no arrays")
        if own and not (all(0 <= value < inf for value in own) and 0 < own[0] <= self.mu_max):
            raise ValueError(f"{', '.join(self._columns)} must be those of an epoch, got {own}")
        self.steps, self._learnt = steps, tuple(own) or None


class Descent:
    """The steps of one training."""

    def __init__(self, optimizer, source):
        self.optimizer, self.net, self.source = optimizer, source.net, source
        self.bayesian = optimizer.bayesian      # as the History's columns have it, whatever a callback does
        self.measured = None        # the parameters and what loss() gave for them
        self.residuals = source.counted * self.net.n_outputs
        # What E has been divided by, and the terms that are summed here.
        self.divisor = source.counted if self.net.reduction == "mean" else 1
        self.scale = 1.0 if self.bayesian else 1 / self.divisor
        n = self.net.n_params
        demand_memory(n, *SAID)
        try:
            self.add_up, self.damped = source.equations(), np.empty((n, n))
        except MemoryError:
            raise MemoryError(too_large(n, *SAID)) from None

    def step(self, epoch):
        """Make E smaller: E and the sum of squares after the step, and None; or as they are, and why there is none."""
        net, optimizer = self.net, self.optimizer
        params = net.params
        error, squares = self.loss(params)
        self.matrix, self.slopes, weighted = self.add_up()
        if not isfinite(error + weighted):
            x, t, size = self.source.of_an_update()
            raise divergence.of_an_update(net, epoch, None, {"X": x, "T": t}, None, size, False)
        w = params.view(np.ndarray).astype(np.float64)
        mu, *regularisation = optimizer._learnt or (optimizer.mu,)
        if self.bayesian:
            regularisation = self.evidence(weighted, w, regularisation)
        alpha, beta = regularisation[:2] or (0.0, self.scale)
        gradient = beta * self.slopes + alpha * w
        optimizer._learnt = mu, *regularisation
        if sqrt(gradient @ gradient) <= optimizer.min_gradient:
            return error, squares, "min_gradient"
        before = self.objective(error, w, alpha, beta)
        while mu <= optimizer.mu_max:
            move = self.solve(gradient, beta, alpha + mu)
            if move is not None:
                with np.errstate(over="ignore"):
                    params = (w - move).astype(net.dtype)
                error_after, squares_after = self.measure(params)
                if self.objective(error_after, params, alpha, beta) < before:
                    break
            mu *= optimizer.mu_increase
        else:
            optimizer._learnt = optimizer.mu_max, *regularisation
            return error, squares, "no_progress"
        net.params = params
        optimizer._learnt = max(mu * optimizer.mu_decrease, min(mu, LEAST)), *regularisation
        optimizer.steps += 1
        return error_after, squares_after, None

    def loss(self, params):
        """(E, sum of squares), which the step before has measured unless somebody has changed the network since."""
        if self.measured is None or not np.array_equal(self.measured[0], params):
            return self.measure(params)
        return self.measured[1]

    def measure(self, params):
        result = self.source.loss(params)
        self.measured = params, result
        return result

    def objective(self, error, params, alpha, beta):
        """What a step is to make smaller: beta E_D + alpha E_W, or E."""
        if alpha == 0:
            return error
        w = params.astype(np.float64)
        return beta * error * self.divisor + alpha / 2 * (w @ w)

    def solve(self, gradient, beta, damping):
        """(beta J^T J + damping I)^-1 gradient; None where rounding has made the matrix indefinite."""
        np.multiply(self.matrix, beta, out=self.damped)
        self.damped.flat[::len(gradient) + 1] += damping
        try:
            factor = np.linalg.cholesky(self.damped)    # reads the lower half
        except np.linalg.LinAlgError:
            return None
        return solve_factored(factor, gradient.copy())

    def evidence(self, squares, w, regularisation):
        """(alpha, beta, gamma) for the next step: MacKay 1992, section 4.

        gamma = sum of beta l / (beta l + alpha) over the eigenvalues l of J^T J is the effective number of parameters;
        alpha = gamma / sum w^2 and beta = (n - gamma) / sum e^2 for n residuals. This holds at a minimum of
        beta E_D + alpha E_W. Far from it alpha may become so large that the network never learns, so the factors
        stay until a whole step of Gauss and Newton would make the objective smaller by less than a hundredth.
        """
        n = self.residuals
        if not regularisation:
            size = self.source.squares_of_targets()
            return FIRST_ALPHA, n / size if size > ALMOST_ZERO else 1.0, float(len(w))
        alpha, beta, gamma = regularisation
        gradient = beta * self.slopes + alpha * w
        move = self.solve(gradient, beta, alpha)
        if move is None or move @ gradient > 0.01 * (beta * squares + alpha * (w @ w)):
            return alpha, beta, gamma
        gamma = effective_parameters(np.linalg.eigvalsh(self.matrix), alpha / beta)
        return gamma / max(w @ w, ALMOST_ZERO), max(n - gamma, 1e-3 * n) / max(squares, ALMOST_ZERO), gamma


def effective_parameters(eigenvalues, damping):
    """The sum of l / (l + damping) over the eigenvalues l of J^T J: how many parameters the data determine."""
    positive = eigenvalues[eigenvalues > 0]
    return float(np.sum(positive / (positive + damping)))


def demand_memory(n, name, advice):
    """A MemoryError where the matrices for n parameters would be more than all of this machine's memory."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return      # the allocation itself will tell
    if MATRICES * 8 * n * n > memory:
        raise MemoryError(f"{too_large(n, name, advice)}; this machine has {memory / 2**30:,.1f} GiB")


def too_large(n, name, advice):
    return (f"{name} needs {MATRICES * 8 * n * n / 2**30:,.1f} GiB for J^T J of {n:,} parameters and what is made of "
            f"it; {advice}")
