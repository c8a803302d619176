"""The learning rate of each epoch, where there is a schedule."""

from math import inf

import numpy as np

from fastbp import schedules
from fastbp._checks import number
from fastbp.optimizers import Rprop


class Rates:
    """The optimizer's own rate times the factors of the schedule."""

    def __init__(self, schedule, optimizer, dtype, epochs):
        if isinstance(optimizer, Rprop):
            raise ValueError("schedule cannot be used with Rprop, whose learning rate is only the first step; got "
                             f"{schedule!r}")
        schedules.check("schedule", schedule)
        self.factors = schedules.factors(schedule, epochs)
        self.own, self.dtype, self.epochs = optimizer.learning_rate, dtype, epochs

    def next(self, epoch, error):
        """The rate of this epoch; `error` is E of the one before, or None.

        A rate that is too small for the network's dtype is raised to its smallest normal number, which does no harm;
        one that is too large is refused.
        """
        try:
            factor = next_factor(self.factors, error)
        except StopIteration:
            raise ValueError(f"schedule must give a factor for each of the {self.epochs} epochs, got {epoch}") from None
        rate = self.own * number(f"schedule: the factor of epoch {epoch}", factor, 0, inf)
        limits = np.finfo(self.dtype)
        if rate > float(limits.max):
            raise ValueError(f"schedule: the factor of epoch {epoch} must keep the learning rate finite in "
                             f"{self.dtype}, got {factor!r} times {self.own!r}")
        return max(rate, float(limits.tiny))


def next_factor(factors, error):
    """The next of the factors; a generator is sent the error.

    No other iterator is, nor a generator that is in a ``yield from`` one, which could not take it.
    """
    listener = factors
    while (delegate := getattr(listener, "gi_yieldfrom", None)) is not None:
        listener = delegate
    return factors.send(error) if hasattr(listener, "send") else next(factors)
