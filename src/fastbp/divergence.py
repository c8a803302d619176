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


def of_an_update(net, epoch, sample, samples, learning_rate, size):
    """The exception for an update that was refused; `samples` has the inputs and the targets by their names."""
    for name, array in samples.items():
        if where := place_of_nonfinite(array):
            return NotFiniteError(epoch, sample, f"{name} must be finite, got {array[where]} at index {where}")
    for name, arrays in (("weights", net.weights), ("biases", net.biases)):
        for l, array in enumerate(arrays):
            if where := place_of_nonfinite(array):
                return NotFiniteError(epoch, sample, "the network's parameters must be finite to be trained, got "
                                      f"{array[where]} at net.{name}[{l}]{list(where)}; set them anew")
    return DivergenceError(epoch, sample, "the error or its gradient is no longer finite. The network's parameters are "
                           f"finite. {likely_causes(net, *samples.values(), learning_rate, size)}")


def of_an_epoch(net, epoch, first, rms, samples, optimizer):
    """The exception for an epoch whose error is too large; `samples` holds the inputs, the targets and the size of an
    update."""
    x, t, size = samples
    rate = optimizer.learning_rate / (size if optimizer.divided and net.reduction == "sum" else 1)
    return DivergenceError(epoch, None, f"the RMS error has grown from {first:.3g} in the first epoch to {rms:.3g}. "
                           f"{likely_causes(net, x, t, rate, size)}")


def place_of_nonfinite(array):
    """The index of the first number that is not finite, as plain integers; () if there is none."""
    places = np.argwhere(~np.isfinite(array))
    return tuple(places[0].tolist()) if len(places) else ()


def likely_causes(net, x, t, learning_rate, size):
    """What the user may change, as sentences."""
    causes = [f"The learning rate, {learning_rate:.3g}, may be too large"]
    if net.reduction == "sum" and size > 1 and learning_rate * size > 0.1:
        causes.append(f"the gradient is a sum over {size} samples: divide the rate by {size}, or make the network with "
                      "reduction='mean'")
    for name, array in (("inputs", x), ("targets", t)):
        if array.dtype == net.dtype and (largest := float(np.max(np.abs(array)))) > 10:     # no integer labels
            causes.append(f"{name} are as large as {largest:.3g}: scale them to about -1 to 1")
    return "; ".join(causes) + "."
