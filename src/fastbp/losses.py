"""The losses: what Python has to know about each, and the classes of those with a parameter.

Their numbers are in _kernels/kernels.h, their formulas in _kernels/loss.pxi.
"""

from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from fastbp._checks import number, one_of


class Facts(NamedTuple):
    """One row of `TABLE`."""

    activation: str | None = None  # the one that the outputs must have, if any: with it the delta is y - t
    targets: tuple[float, float] = (-inf, inf)  # the range in which the loss is defined


TABLE = {
    "squared_error": Facts(),
    "absolute_error": Facts(),
    "huber": Facts(),
    "log_cosh": Facts(),
    "quantile": Facts(),
    "poisson": Facts("exp", (0, inf)),
    "binary_cross_entropy": Facts("sigmoid", (0, 1)),
    # A row of targets need not sum to 1: E = -sum t log y and its gradient y sum(t) - t hold for any weights t.
    "cross_entropy": Facts("softmax", (0, inf)),
}


@dataclass(frozen=True)
class Huber:
    """Squared error near the target, absolute error far from it (Huber 1964).

    ``(y - t)**2 / 2`` where ``|y - t| <= delta``, else ``delta (|y - t| - delta / 2)``.

    Parameters
    ----------
    delta : float, default 1.0
        Positive and finite.

    Raises
    ------
    ValueError, TypeError
        If delta is not positive and finite.

    Examples
    --------
    >>> import fastbp
    >>> net = fastbp.Network([1, 1], "identity", loss=fastbp.Huber(0.5), init=[([[1.0]], [0.0])])
    >>> net.error([[2.0]], [[0.0]])
    0.875
    """

    delta: float = 1.0
    kind = "huber"

    def __post_init__(self) -> None:
        number("delta", self.delta, 0, inf)

    @property
    def parameter(self) -> float:
        """delta."""
        return float(self.delta)


@dataclass(frozen=True)
class Quantile:
    """The loss whose expectation is least at a quantile of the targets (Koenker and Bassett 1978).

    ``q (t - y)`` where ``t > y``, else ``(1 - q) (y - t)``.

    Parameters
    ----------
    q : float, default 0.5
        Above 0, below 1. 0.5 gives the median.

    Raises
    ------
    ValueError, TypeError
        If q is not above 0 and below 1.

    Examples
    --------
    >>> import fastbp
    >>> net = fastbp.Network([1, 1], "identity", loss=fastbp.Quantile(0.9), init=[([[1.0]], [0.0])])
    >>> net.error([[2.0]], [[3.0]])
    0.9
    """

    q: float = 0.5
    kind = "quantile"

    def __post_init__(self) -> None:
        number("q", self.q, 0, 1)

    @property
    def parameter(self) -> float:
        """q."""
        return float(self.q)


DEFAULTS = {loss.kind: loss for loss in (Huber(), Quantile())}
WITH_PARAMETER = tuple(type(loss) for loss in DEFAULTS.values())


def to_header(loss):
    """A loss as a file holds it: its name, and its parameter or None."""
    if isinstance(loss, WITH_PARAMETER):
        return loss.kind, loss.parameter
    if callable(loss):
        raise ValueError(f"a network with a loss function of your own cannot be saved, got {loss!r}; pickle it instead")
    return loss, None


def from_header(name, parameter):
    """The loss that `to_header` described."""
    return name if parameter is None else type(DEFAULTS[one_of("loss", name, DEFAULTS)])(parameter)
