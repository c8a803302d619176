"""The optimizers: small classes that hold numbers; the loops are in _kernels/update.pxi.

An optimizer's state begins at the first step and belongs to one network's architecture; `reset` forgets it. All take
the keywords that `SGD` explains.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from fastbp._checks import number, one_of, suggestion
from fastbp._core import Optimizer
from fastbp.whole_batch import WholeBatch

if TYPE_CHECKING:
    from typing import Unpack

    from fastbp._types import Common


COMMON = {"l1", "l2", "clip_norm", "max_norm", "layer_rates"}


def _share(name, value):
    return number(name, value, 0, 1, low_allowed=True)


class _Regularised(Optimizer):
    """The keywords that all optimizers take; `numbers` are the method's own, and decay."""

    l1 = l2 = 0.0
    clip_norm = max_norm = layer_rates = None

    def __init__(self, method, learning_rate, numbers, common):
        if common:
            for name in common.keys() - COMMON:
                known = [*vars(self), "learning_rate", *sorted(COMMON)]
                raise TypeError(f"{type(self).__name__} takes no argument {name!r}{suggestion('keyword', name, known)}")
            numbers = numbers | self._take(**common)
        super().__init__(method, learning_rate, **numbers)

    def _take(self, l1=0.0, l2=0.0, clip_norm=None, max_norm=None, layer_rates=None):
        """Keep the keywords and give them the core's names."""
        self.l1, self.l2 = (number(name, value, 0, inf, low_allowed=True) for name, value in (("l1", l1), ("l2", l2)))
        self.clip_norm = None if clip_norm is None else number("clip_norm", clip_norm, 0, inf)
        self.max_norm = None if max_norm is None else number("max_norm", max_norm, 0, inf)
        try:
            rates = None if layer_rates is None else tuple(layer_rates)
        except TypeError:
            raise TypeError(f"layer_rates must be a sequence of numbers, got {layer_rates!r}") from None
        self.layer_rates = rates and tuple(
            number(f"layer_rates[{l}]", rate, 0, inf, low_allowed=True) for l, rate in enumerate(rates))
        return {"l1": self.l1, "l2": self.l2, "clip": self.clip_norm or 0.0, "max_norm": self.max_norm or 0.0,
                "rates": self.layer_rates}

    def __repr__(self):
        numbers = {name: value for name, value in vars(self).items()
                   if name not in COMMON or value != getattr(_Regularised, name)}
        if not self.divided or self.learning_rate != 0.1:
            numbers = {"learning_rate": self.learning_rate, **numbers}
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in numbers.items())})"


class SGD(_Regularised):
    """Gradient descent, ``w <- w - h g``, optionally with momentum: ``v <- mu v - h g, w <- w + v``.

    Parameters
    ----------
    learning_rate : float, optional
        h; positive and finite. By default 0.1, divided by the number of samples in an update where the reduction is
        "sum", so that a sum and a mean take the same steps. With l1, l2, clip_norm or sample weights they differ,
        because a sum weighs the penalty less, is clipped earlier, and does not divide by the weights.
    momentum : float, default 0.0
        mu; at least 0, below 1.
    nesterov : bool, default False
        Nesterov's form of the momentum, ``w <- w + mu v - h g`` with the new v (Sutskever et al. 2013).
    **common : float or sequence
        The keywords below, which every optimizer takes.
    l1, l2 : float, default 0.0
        ``l1 sum |w| + l2 / 2 sum w**2`` over all weights is added to the loss, but not to the error E that training
        reports; biases are exempt. At least 0.
    clip_norm : float, optional
        The Euclidean norm, over all parameters, to which a larger gradient is scaled down (Pascanu et al. 2013).
    max_norm : float, optional
        The Euclidean norm to which larger weights into a neuron are scaled down after an update (Srebro et al. 2004).
    layer_rates : sequence of float, optional
        A factor of the learning rate for each layer; 0 freezes a layer.

    Raises
    ------
    ValueError, TypeError
        If a number is out of range, or nesterov is asked for without momentum.

    Examples
    --------
    >>> import fastbp
    >>> net = fastbp.Network([2, 1], seed=1)
    >>> optimizer = fastbp.SGD(0.5, momentum=0.9, l2=1e-4)
    >>> for _ in range(3):
    ...     E = net.train_step([0.0, 1.0], [1.0], optimizer=optimizer)
    >>> optimizer.steps
    3
    """

    def __init__(self, learning_rate: float | None = None, momentum: float = 0.0, nesterov: bool = False,
                 **common: Unpack[Common]) -> None:
        self.momentum, self.nesterov = _share("momentum", momentum), bool(nesterov)
        if nesterov and momentum == 0:
            raise ValueError("nesterov needs a momentum above 0, got momentum=0.0")
        super().__init__("nesterov" if nesterov else "momentum" if momentum else "sgd",
                         0.1 if learning_rate is None else learning_rate,
                         {"divided": learning_rate is None, **({"momentum": self.momentum} if momentum else {})},
                         common)


class _Moments(_Regularised):
    """What Adam and its kin share: running means of the gradient and of its square."""

    method = "adam"

    def __init__(self, learning_rate, beta_1, beta_2, epsilon, decay, common):
        self.beta_1, self.beta_2 = _share("beta_1", beta_1), _share("beta_2", beta_2)
        self.epsilon = number("epsilon", epsilon, 0, inf)
        super().__init__(self.method, learning_rate, {
            "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon, "decay": decay}, common)


class Adam(_Moments):
    """Adam (Kingma and Ba 2015, algorithm 1): steps scaled by running means of the gradient and its square.

    Parameters
    ----------
    learning_rate : float, default 0.001
        Positive and finite.
    beta_1, beta_2 : float, default 0.9 and 0.999
        Decay of the means of the gradient and of its square; at least 0, below 1.
    epsilon : float, default 1e-8
        Added to the root of the mean square; positive and finite.
    **common : float or sequence
        l1, l2, clip_norm, max_norm and layer_rates, as for `SGD`.

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

    def __init__(self, learning_rate: float = 0.001, beta_1: float = 0.9, beta_2: float = 0.999,
                 epsilon: float = 1e-8, **common: Unpack[Common]) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, 0.0, common)


class Nadam(_Moments):
    """Adam with Nesterov's momentum (Dozat 2016, algorithm 2, at a constant beta_1).

    Parameters
    ----------
    learning_rate, beta_1, beta_2, epsilon : float
        As for `Adam`.
    **common : float or sequence
        l1, l2, clip_norm, max_norm and layer_rates, as for `SGD`.

    Raises
    ------
    ValueError, TypeError
        If a number is out of range.

    Examples
    --------
    >>> import fastbp
    >>> net = fastbp.Network([2, 3, 1], seed=1)
    >>> history = net.fit([[0, 0], [1, 1]], [[0], [1]], epochs=50, optimizer=fastbp.Nadam(0.05))
    >>> bool(history.rms[-1] < history.rms[0])
    True
    """

    method = "nadam"

    def __init__(self, learning_rate: float = 0.001, beta_1: float = 0.9, beta_2: float = 0.999,
                 epsilon: float = 1e-8, **common: Unpack[Common]) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, 0.0, common)


class AdamW(_Moments):
    """Adam with weight decay apart from the gradient, ``w <- w - h decay w`` (Loshchilov and Hutter 2019).

    Parameters
    ----------
    learning_rate, beta_1, beta_2, epsilon : float
        As for `Adam`.
    decay : float, default 0.01
        Decay of the weights, not of the biases; at least 0, and below 1 / learning_rate.
    **common : float or sequence
        l1, l2, clip_norm, max_norm and layer_rates, as for `SGD`.

    Raises
    ------
    ValueError, TypeError
        If a number is out of range.

    Examples
    --------
    >>> import fastbp
    >>> net = fastbp.Network([2, 3, 1], seed=1)
    >>> history = net.fit([[0, 0], [1, 1]], [[0], [1]], epochs=50, optimizer=fastbp.AdamW(0.05, decay=0.1))
    >>> bool(history.rms[-1] < history.rms[0])
    True
    """

    def __init__(self, learning_rate: float = 0.001, beta_1: float = 0.9, beta_2: float = 0.999,
                 epsilon: float = 1e-8, decay: float = 0.01, **common: Unpack[Common]) -> None:
        rate = number("learning_rate", learning_rate, 0, inf)
        self.decay = number("decay", decay, 0, inf, low_allowed=True)
        if not self.decay < 1 / rate:
            raise ValueError(f"decay must be at least 0 and below 1 / learning_rate, {1 / rate:.6g}, got {decay!r} "
                             f"beside learning_rate={learning_rate!r}")
        super().__init__(rate, beta_1, beta_2, epsilon, self.decay, common)


class RMSprop(_Regularised):
    """``w <- w - h g / (sqrt(s) + e)``, s a running mean of the gradient's square (Tieleman and Hinton 2012).

    Parameters
    ----------
    learning_rate : float, default 0.001
        h; positive and finite.
    rho : float, default 0.9
        Decay of the mean: ``s <- rho s + (1 - rho) g**2``; at least 0, below 1.
    epsilon : float, default 1e-8
        e; positive and finite.
    **common : float or sequence
        l1, l2, clip_norm, max_norm and layer_rates, as for `SGD`.

    Raises
    ------
    ValueError, TypeError
        If a number is out of range.

    Examples
    --------
    >>> import fastbp
    >>> net = fastbp.Network([2, 3, 1], seed=1)
    >>> history = net.fit([[0, 0], [1, 1]], [[0], [1]], epochs=50, optimizer=fastbp.RMSprop(0.05))
    >>> bool(history.rms[-1] < history.rms[0])
    True
    """

    def __init__(self, learning_rate: float = 0.001, rho: float = 0.9, epsilon: float = 1e-8,
                 **common: Unpack[Common]) -> None:
        self.rho, self.epsilon = _share("rho", rho), number("epsilon", epsilon, 0, inf)
        super().__init__("rmsprop", learning_rate, {"rho": self.rho, "epsilon": self.epsilon}, common)


class Adagrad(_Regularised):
    """``w <- w - h g / (sqrt(s) + e)``, s the sum of the gradient's squares (Duchi, Hazan and Singer 2011).

    Parameters
    ----------
    learning_rate : float, default 0.01
        h; positive and finite.
    epsilon : float, default 1e-10
        e; positive and finite.
    **common : float or sequence
        l1, l2, clip_norm, max_norm and layer_rates, as for `SGD`.

    Raises
    ------
    ValueError, TypeError
        If a number is out of range.

    Examples
    --------
    >>> import fastbp
    >>> net = fastbp.Network([2, 3, 1], seed=1)
    >>> history = net.fit([[0, 0], [1, 1]], [[0], [1]], epochs=50, optimizer=fastbp.Adagrad(0.5))
    >>> bool(history.rms[-1] < history.rms[0])
    True
    """

    def __init__(self, learning_rate: float = 0.01, epsilon: float = 1e-10, **common: Unpack[Common]) -> None:
        self.epsilon = number("epsilon", epsilon, 0, inf)
        super().__init__("adagrad", learning_rate, {"epsilon": self.epsilon}, common)


class Rprop(_Regularised):
    """Resilient backpropagation, iRprop- (Igel and Huesken 2000), for batch learning, where it needs no tuning.

    Each parameter moves by a step of its own against the sign of its gradient. The step grows while the sign stays the
    same and shrinks where it changes. Mini-batches make signs noisy: use ``batch_size="full"``.

    Parameters
    ----------
    learning_rate : float, default 0.1
        The first step of every parameter; positive and finite.
    grow, shrink : float, default 1.2 and 0.5
        Factors of a step: above 1, and below 1.
    least, largest : float, default 1e-6 and 50.0
        The smallest and the largest step.
    **common : float or sequence
        l1, l2, clip_norm, max_norm and layer_rates, as for `SGD`.

    Raises
    ------
    ValueError, TypeError
        If a number is out of range.

    Examples
    --------
    >>> import fastbp
    >>> net = fastbp.Network([2, 3, 1], "tanh", "sigmoid", seed=1)
    >>> X, T = [[0, 0], [0, 1], [1, 0], [1, 1]], [[0], [1], [1], [0]]
    >>> history = net.fit(X, T, epochs=200, batch_size="full", optimizer=fastbp.Rprop())
    >>> bool(history.rms[-1] < 0.1)
    True
    """

    def __init__(self, learning_rate: float = 0.1, grow: float = 1.2, shrink: float = 0.5, least: float = 1e-6,
                 largest: float = 50.0, **common: Unpack[Common]) -> None:
        self.grow, self.shrink = number("grow", grow, 1, inf), number("shrink", shrink, 0, 1)
        self.least, self.largest = number("least", least, 0, inf), number("largest", largest, 0, inf)
        if not least <= largest:
            raise ValueError(f"least must not be above largest, got least={least!r} and largest={largest!r}")
        super().__init__("rprop", learning_rate, {
            "grow": self.grow, "shrink": self.shrink, "least": self.least, "largest": self.largest}, common)


NAMES = {"sgd": SGD, "rprop": Rprop, "rmsprop": RMSprop, "adagrad": Adagrad, "adam": Adam, "adamw": AdamW,
         "nadam": Nadam}


# Those of `fit` alone, each in a module of its own, which few programs need.
WHOLE_BATCH = "lm", "lbfgs"


def make(optimizer, learning_rate):
    """The optimizer that `fit` was asked for: a new one by name, or the object itself."""
    if isinstance(optimizer, WholeBatch):
        return optimizer
    if isinstance(optimizer, Optimizer):
        if learning_rate is not None:
            raise ValueError("learning_rate cannot be given together with an optimizer object, which has its own; got "
                             f"{learning_rate}")
        return optimizer
    name = one_of("optimizer", optimizer, (*NAMES, *WHOLE_BATCH), "an optimizer object")
    if name == "lm":
        from fastbp.levenberg_marquardt import LevenbergMarquardt
        return LevenbergMarquardt()
    if name == "lbfgs":
        from fastbp.lbfgs import LBFGS
        return LBFGS()
    make = NAMES[name]
    return make() if learning_rate is None else make(learning_rate)
