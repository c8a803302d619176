"""Learning-rate schedules: small classes that say by what to multiply the optimizer's own rate in each epoch.

`factors` of each is a generator: it gives the factor of an epoch and is sent that epoch's training error E. A resumed
training finds its place in the schedule by sending the errors that are in the checkpoint. A user's schedule may give
anything: its factors are checked where they are used, in training/rates.py.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from itertools import count
from math import cos, inf, pi
from typing import TYPE_CHECKING

from fastbp._checks import number, one_of, positive_integer, refuse_class

if TYPE_CHECKING:
    from collections.abc import Generator

    from fastbp._types import Schedule


# The smallest factor: one that keeps falling stays here instead of reaching 0, which would be refused.
LEAST = sys.float_info.min


def power(base, exponent):
    """The factor ``base**exponent``; where it overflows, infinity, which the epoch that it is for refuses."""
    try:
        return max(float(base) ** float(exponent), LEAST)
    except OverflowError:
        return inf


@dataclass(frozen=True)
class InvScaling:
    """The factor is ``1 / k**power`` in the k-th epoch, counted from 1.

    Parameters
    ----------
    power : float, default 0.5
        Positive and finite.

    Examples
    --------
    >>> import fastbp
    >>> net = fastbp.Network([1, 1], "identity", seed=1)
    >>> schedule = fastbp.schedules.InvScaling(power=1)
    >>> net.fit([[1.0]], [[2.0]], epochs=4, learning_rate=0.5, schedule=schedule).learning_rate
    array([0.5       , 0.25      , 0.16666667, 0.125     ])
    """

    power: float = 0.5

    def __post_init__(self) -> None:
        number("power", self.power, 0, inf)

    def factors(self, epochs: int) -> Generator[float, float, None]:
        for k in count(1):
            yield power(k, -self.power)


@dataclass(frozen=True)
class Adaptive:
    """The rate is multiplied by `factor` whenever the training error has not fallen for a while.

    Parameters
    ----------
    factor : float, default 0.2
        Above 0, below 1.
    patience : int, default 10
        The number of epochs in a row in which the training error E did not fall more than `tol` below its lowest.
    tol : float, default 1e-4
        At least 0.
    minimum : float, default 1e-6
        The smallest that the optimizer's own rate is multiplied by; above 0, at most 1.
    """

    factor: float = 0.2
    patience: int = 10
    tol: float = 1e-4
    minimum: float = 1e-6

    def __post_init__(self) -> None:
        number("factor", self.factor, 0, 1)
        positive_integer("patience", self.patience)
        number("tol", self.tol, 0, inf, low_allowed=True)
        if number("minimum", self.minimum, 0, inf) > 1:
            raise ValueError(f"minimum must be at most 1, got {self.minimum!r}")

    def factors(self, epochs: int) -> Generator[float, float, None]:
        current, least, waited = 1.0, inf, 0
        while True:
            error = yield current
            waited = 0 if error < least - self.tol else waited + 1
            least = min(least, error)
            if waited == self.patience:
                current, waited = max(current * self.factor, self.minimum), 0


@dataclass(frozen=True)
class Step:
    """The rate is multiplied by `factor` after every `every` epochs.

    Parameters
    ----------
    every : int, default 10
    factor : float, default 0.5
        Positive and finite.
    """

    every: int = 10
    factor: float = 0.5

    def __post_init__(self) -> None:
        positive_integer("every", self.every)
        number("factor", self.factor, 0, inf)

    def factors(self, epochs: int) -> Generator[float, float, None]:
        for epoch in count():
            yield power(self.factor, epoch // self.every)


@dataclass(frozen=True)
class Cosine:
    """The factor falls along a cosine from 1 in the first epoch towards `final` (Loshchilov and Hutter 2017).

    Parameters
    ----------
    final : float, default 0.0
        The factor that the epoch after the last one would have; at least 0.
    """

    final: float = 0.0

    def __post_init__(self) -> None:
        number("final", self.final, 0, inf, low_allowed=True)

    def factors(self, epochs: int) -> Generator[float, float, None]:
        for epoch in range(epochs):
            yield max(self.final + (1 - self.final) * (1 + cos(pi * epoch / epochs)) / 2, LEAST)


@dataclass(frozen=True)
class Warmup:
    """The factor rises evenly to 1 over the first epochs, ``k / epochs`` in the k-th; then another schedule follows.

    Parameters
    ----------
    epochs : int, default 5
    then : str, schedule or callable, optional
        What follows, as `Network.fit` takes it; it begins at its own epoch 0. By default the factor stays 1.
    """

    epochs: int = 5
    then: Schedule | None = None

    def __post_init__(self) -> None:
        positive_integer("epochs", self.epochs)
        if self.then is not None:
            check("then", self.then)

    def factors(self, epochs: int) -> Generator[float, float, None]:
        for epoch in range(self.epochs):
            yield (epoch + 1) / self.epochs
        yield from factors(self.then, epochs - self.epochs)


NAMES = {"constant": None, "invscaling": InvScaling(), "adaptive": Adaptive(), "step": Step(), "cosine": Cosine(),
         "warmup": Warmup()}


def check(argument, schedule):
    """Refuse what is not a schedule."""
    if isinstance(schedule, str):
        one_of(argument, schedule, NAMES)
        return
    refuse_class(argument, schedule)
    if schedule is not None and not callable(getattr(schedule, "factors", schedule)):
        raise TypeError(f"{argument} must be one of {', '.join(NAMES)}, an object of fastbp.schedules or a function of "
                        f"the epoch, got {schedule!r}")


def factors(schedule, epochs):
    """The factors of the schedule, an iterator."""
    if isinstance(schedule, str):
        schedule = NAMES[one_of("schedule", schedule, NAMES)]
    if schedule is None:
        return (1.0 for _ in count())
    if not hasattr(schedule, "factors"):
        return map(schedule, count())
    given = schedule.factors(epochs)
    try:
        return iter(given)
    except TypeError:
        raise TypeError("schedule must have a method factors(epochs) that gives an iterable of factors, got "
                        f"{given!r:.80}") from None
