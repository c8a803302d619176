"""The activations: what Python has to know about each. Numbers and formulas are in _kernels/activations.h."""

from math import inf
from typing import NamedTuple


class Activation(NamedTuple):
    """One row of `TABLE`."""

    low: float = -inf  # the outputs lie between low and high
    high: float = inf
    aliases: tuple[str, ...] = ()
    # It lets through about half of a symmetric net input, so the initial weights follow He, not Glorot.
    halves: bool = False
    # It bends or rises within net inputs from -active to active, and is flat far outside; 0 where that is not so.
    active: float = 0.0


TABLE = {
    "identity": Activation(aliases=("linear",)),
    "threshold": Activation(0, 1, aliases=("step",)),
    "sigmoid": Activation(0, 1, aliases=("logistic",), active=2),
    "tanh": Activation(-1, 1, active=1),
    "relu": Activation(0, inf, halves=True),
    "leaky_relu": Activation(halves=True),
    "elu": Activation(-1, inf, halves=True),
    "softplus": Activation(0, inf, halves=True),
    "silu": Activation(-0.2784645427610738, inf, aliases=("swish",), halves=True),
    "gelu": Activation(-0.16997120747990369, inf, halves=True),
    "softsign": Activation(-1, 1, active=1),
    "gaussian": Activation(0, 1, active=0.5),
    "sin": Activation(-1, 1),
    "exp": Activation(0, inf),
    "softmax": Activation(0, 1),
}
ALIASES = {alias: name for name, row in TABLE.items() for alias in row.aliases}
