"""L-BFGS by SciPy: an epoch is one of its iterations, which takes one or a few passes over the blocks."""

from math import nan

import numpy as np

from fastbp.training.fit import tell


class LBFGS:
    """What stands in the place of an optimizer; the search itself has the state."""

    learning_rate, divided, descends = nan, False, False


def refuse_beside(options):
    for name in ("learning_rate", "schedule", "checkpoint", "resume"):
        value = getattr(options, name)
        if value is not None:
            raise ValueError(f'{name} cannot be used with optimizer="lbfgs", got {value!r:.80}')


def train(run, callbacks, shown):
    """Run iterations until there is a reason to stop. The network has the parameters of the last one then."""
    try:
        from scipy import optimize
    except ImportError as error:
        raise ImportError(f'optimizer="lbfgs" needs SciPy: pip install "fastbp[scipy]" ({error})') from error
    net, source, stop_reason = run.net, run.source, None
    # The mean is minimised also where E is a sum, so that the number of samples does not say when it has converged.
    scale = 1 if net.reduction == "mean" else 1 / source.size
    reached = net.params

    def loss(params):
        net.params = params
        error, squares, gradient = source.error_and_gradient()
        source.known = net.params, error, squares
        return error * scale, gradient.astype(np.float64) * scale

    def iteration(intermediate_result):
        nonlocal reached, stop_reason
        net.params = intermediate_result.x
        stop_reason = run.epoch(run.done)
        reached = net.params
        if callbacks and tell(callbacks, run.state()):
            stop_reason = stop_reason or "callback"
        if stop_reason:
            raise StopIteration

    source.train = lambda epoch, threads: of_an_iterate(source)
    try:
        if shown:
            shown.start(run)
        optimize.minimize(loss, reached.astype(np.float64), jac=True, method="L-BFGS-B", callback=iteration,
                          options={"maxiter": run.stopping.epochs, "gtol": 1e-5, "ftol": np.finfo(net.dtype).eps})
        stop_reason = stop_reason or "converged"
    except KeyboardInterrupt:
        stop_reason = "interrupted"
    finally:
        net.params = reached
        run.end()
        if shown:
            shown.end()
    return run.history(stop_reason)


def of_an_iterate(source):
    """(E, sum of squares) at the network's parameters, most likely those that the search has just tried."""
    params, error, squares = source.known
    if np.array_equal(params, source.net.params):
        return error, squares
    return source.error_and_gradient()[:2]
