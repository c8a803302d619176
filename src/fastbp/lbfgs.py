"""`fit(optimizer="lbfgs")`: SciPy's L-BFGS-B has the loop, and calls back after each of its iterations."""

from __future__ import annotations

import numpy as np

from fastbp import divergence
from fastbp.whole_batch import WholeBatch

# Training stops if no component of the gradient is larger.
MIN_GRADIENT = 1e-7
UNLIMITED = 2**31 - 1


class LBFGS(WholeBatch):
    """L-BFGS (Liu and Nocedal 1989; SciPy's L-BFGS-B, Byrd et al. 1995) with ten pairs of differences.

    It is made by its name only, because it has no numbers to choose.
    """

    __slots__ = ()

    def __init__(self):
        super().__init__()
        try:
            from scipy import optimize  # noqa: F401
        except ImportError as error:
            raise ImportError(f'optimizer="lbfgs" needs SciPy: pip install "fastbp[scipy]" ({error})') from error

    def _check(self, net, options):
        super()._check(net, options)
        for name in ("checkpoint", "resume"):
            if getattr(options, name) is not None:
                self._refuse(name, "because SciPy does not give its state away")

    def _begin(self, source):
        return Search(self, source)


class Search:
    """One training."""

    def __init__(self, optimizer, source):
        self.optimizer, self.net, self.source = optimizer, source.net, source

    def run(self, follow):
        """Iterate until follow(E, sum of squares), called after each iteration, gives a reason to stop, or SciPy does.

        Returns the reason. However it ends, the network has the parameters of the last iteration, or those that a
        callback has given it after that; SciPy goes on from its own.
        """
        from scipy import optimize

        net = self.net
        start = net.params
        gradient = np.empty(net.n_params, net.dtype)
        measured = {}

        def loss(params):
            # SciPy asks anew for the start, and mostly for an iteration's end. Each answer is a pass over the samples.
            if not np.array_equal(params, measured.get("params")):
                measured["params"] = params.copy()
                measured["loss"] = self.source.loss(params, gradient)
            return measured["loss"][0], gradient.astype(np.float64)

        def after_iteration(params):
            loss(params)
            net.params = params     # not before, because other threads may predict meanwhile
            self.optimizer.steps += 1
            reason = follow(*measured["loss"])
            if reason is not None:
                raise Enough(reason)

        try:
            error, slopes = loss(start.astype(np.float64))
            if not np.isfinite(error + np.abs(slopes).sum()):
                x, t, size = self.source.of_an_update()
                raise divergence.of_an_update(net, 0, None, {"X": x, "T": t}, None, size, False)
            result = optimize.minimize(
                loss, start.astype(np.float64), jac=True, method="L-BFGS-B", callback=after_iteration,
                options={"maxiter": UNLIMITED, "maxfun": UNLIMITED, "gtol": MIN_GRADIENT,
                         "ftol": np.finfo(net.dtype).eps})
        except Enough as enough:
            return enough.args[0]
        return "min_gradient" if np.abs(result.jac).max() <= MIN_GRADIENT else "no_progress"


class Enough(Exception):
    """Ends SciPy's loop."""
