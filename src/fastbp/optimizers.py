"""The optimizers: small classes that hold numbers; the loops are in _kernels/update.pxi.

An optimizer's state begins at the first step and belongs to one network's architecture; `reset` forgets it.
"""

from math import inf

from fastbp._checks import number, one_of
from fastbp._core import Optimizer


class SGD(Optimizer):
    """Gradient descent, ``w <- w - h g``, on request with momentum: ``v <- mu v - h g, w <- w + v``.

    Parameters
    ----------
    learning_rate : float, default 0.1
        h; positive and finite.
    momentum : float, default 0.0
        mu; at least 0, below 1.
    nesterov : bool, default False
        Nesterov's form of the momentum, ``w <- w + mu v - h g`` with the new v (Sutskever et al. 2013).

    Raises
    ------
    ValueError, TypeError
        If a number is out of range, or nesterov is asked for without momentum.

    Examples
    --------
    >>> import fastbp
    >>> net = fastbp.Network([2, 1], seed=1)
    >>> optimizer = fastbp.SGD(0.5, momentum=0.9)
    >>> for _ in range(3):
    ...     E = net.train_step([0.0, 1.0], [1.0], optimizer=optimizer)
    >>> optimizer.steps
    3
    """

    def __init__(self, learning_rate=0.1, momentum=0.0, nesterov=False):
        self.momentum, self.nesterov = number("momentum", momentum, 0, 1, low_allowed=True), bool(nesterov)
        if nesterov and momentum == 0:
            raise ValueError("nesterov needs a momentum above 0, got momentum=0.0")
        super().__init__("nesterov" if nesterov else "momentum" if momentum else "sgd", learning_rate, self.momentum)

    def __repr__(self):
        return f"SGD({self.learning_rate}, momentum={self.momentum}, nesterov={self.nesterov})"


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, algorithm 1): steps scaled by running means of the gradient and its square.

    Parameters
    ----------
    learning_rate : float, default 0.001
        Positive and finite.
    beta_1, beta_2 : float, default 0.9 and 0.999
        Decay of the means of the gradient and of its square; at least 0, below 1.
    epsilon : float, default 1e-8
        Added to the root of the mean square; positive and finite.

    Raises
    ------
    ValueError, TypeError
        If a number is out of range.

    Examples
    --------
    >>> import fastbp
    >>> net = fastbp.Network([2, 3, 1], seed=1)
    >>> history = net.fit([[0, 0], [1, 1]], [[0], [1]], epochs=50, optimizer=fastbp.Adam(0.05))
    >>> bool(history.rms[-1] < history.rms[0])
    True
    """

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
        self.beta_1 = number("beta_1", beta_1, 0, 1, low_allowed=True)
        self.beta_2 = number("beta_2", beta_2, 0, 1, low_allowed=True)
        self.epsilon = number("epsilon", epsilon, 0, inf)
        super().__init__("adam", learning_rate, self.beta_1, self.beta_2, self.epsilon)

    def __repr__(self):
        return f"Adam({self.learning_rate}, beta_1={self.beta_1}, beta_2={self.beta_2}, epsilon={self.epsilon})"


NAMES = {"sgd": SGD, "adam": Adam}


def make(optimizer, learning_rate):
    """The optimizer that `fit` was asked for: a new one by name, or the object itself."""
    if isinstance(optimizer, Optimizer):
        if learning_rate is not None:
            raise ValueError(f"learning_rate must be None beside an optimizer, which has its own; got {learning_rate}")
        return optimizer
    make = NAMES[one_of("optimizer", optimizer, NAMES)]
    return make() if learning_rate is None else make(learning_rate)

