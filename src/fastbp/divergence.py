"""The errors for training that leaves the finite numbers, with the likely causes."""

import numpy as np

# Training whose RMS error has grown by this factor since its first epoch is taken to have diverged.
RUNAWAY = 1e6


class DivergenceError(ArithmeticError):
    """Training left the finite numbers, or was about to; the network keeps finite parameters.

    After `Network.fit` with `patience` they are those of the epoch with the lowest validation error, otherwise the last
    finite ones. If the samples or the parameters were not finite beforehand, the error is a ValueError too.

    Attributes
    ----------
    epoch : int
        Epoch in which it happened, from 0.
    sample : int or None
        Row of X with which the refused update began, from 0; None where the error of a whole epoch was too large.
    what : str
        What happened, and the likely causes.
    """

    def __init__(self, epoch: int, sample: int | None,
                 what: str = "the error or its gradient is no longer finite") -> None:
        super().__init__(epoch, sample, what)
        self.epoch, self.sample, self.what = epoch, sample, what

    def __str__(self):
        at = "" if self.sample is None else f" at sample {self.sample}"
        return f"training diverged in epoch {self.epoch}{at}: {self.what}"


class NotFiniteError(DivergenceError, ValueError):
    """An update was refused because the samples or the parameters had not been finite before it."""

    def __str__(self):
        return self.what


def of_an_update(net, epoch, sample, samples, learning_rate, size, descends):
    """The exception for an update of `size` samples that was refused.

    `samples` has the inputs and the targets by their names; `descends` says whether steps grow with the gradient.
    """
    for name, array in samples.items():
        if (where := place_of_nonfinite(array)) is not None:
            at = f" at index {where}" if where else ""
            return NotFiniteError(epoch, sample, f"{name} must be finite, got {array[where]}{at}")
    for name, arrays in (("weights", net.weights), ("biases", net.biases)):
        for l, array in enumerate(arrays):
            if (where := place_of_nonfinite(array)) is not None:
                return NotFiniteError(epoch, sample, "the network's parameters must be finite to be trained, got "
                                      f"{array[where]} at net.{name}[{l}]{list(where)}; set them anew")
    causes = likely_causes(net, *samples.values(), learning_rate, size, descends)
    return DivergenceError(epoch, sample, "the error or its gradient is no longer finite. The network keeps its last "
                           f"finite parameters, which may fit nothing. {causes}")


def refuse_runaway(net, epoch, first, rms, samples, optimizer):
    """Raise the exception for an epoch, if its error is too large in view of that of the first epoch, or in the first
    epoch in view of the samples. `samples` holds the inputs, the targets and the size of an update."""
    x, t, size = samples
    if rms <= RUNAWAY * max(1.0, *[magnitude(net, x), magnitude(net, t)] if first is None else [first]):
        return
    rate = optimizer.learning_rate / (size if optimizer.divided and net.reduction == "sum" else 1)
    grown = f"in the first epoch to {rms:.3g}" if first is None else f"from {first:.3g} in the first epoch to {rms:.3g}"
    raise DivergenceError(epoch, None, f"the RMS error has grown {grown}. "
                          f"{likely_causes(net, x, t, rate, size, optimizer.descends)}")


def place_of_nonfinite(array):
    """The index of the first number that is not finite, as plain integers; None if there is none."""
    places = np.argwhere(~np.isfinite(array))
    return tuple(places[0].tolist()) if len(places) else None


def magnitude(net, array):
    """The largest absolute value; integer labels stand for 0 and 1."""
    return float(np.max(np.abs(array))) if array.dtype == net.dtype else 1.0


def likely_causes(net, x, t, learning_rate, size, descends):
    """What the user may change, as sentences."""
    causes = [] if learning_rate is None else [f"The learning rate, {learning_rate:.3g}, may be too large"]
    # By rounding, the default rate times its divisor may come out a little above 0.1.
    if descends and net.reduction == "sum" and size > 1 and learning_rate * size > 0.1001:
        causes.append(f"the gradient is a sum over {size} samples: divide the rate by {size}, or make the network with "
                      "reduction='mean'")
    for name, array in (("inputs", x), ("targets", t)):
        if (largest := magnitude(net, array)) > 10:
            causes.append(f"{name} are as large as {largest:.3g}: scale them to about -1 to 1")
    if callable(net.loss):
        causes.append("the loss function may have returned numbers that are not finite")
    if descends:
        causes.append("optimizer='adam' takes steps that do not grow with the gradient")
    text = "; ".join(causes or ["the parameters may be too large"])
    return f"{text[0].upper()}{text[1:]}."
