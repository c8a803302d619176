"""What `fit` returns, and what it gives callbacks on the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from fastbp._core import Optimizer
    from fastbp._types import Floats
    from fastbp.network import Network
    from fastbp.whole_batch import WholeBatch


COLUMNS = "error", "rms", "learning_rate", "seconds", "validation_error", "validation_rms"
OWN = "mu", "alpha", "beta", "effective_parameters"     # of LevenbergMarquardt


class History:
    """What happened in a `Network.fit`, which returns it.

    Parameters
    ----------
    records : list of float
        Entries of the arrays below, epoch after epoch.
    width : int
        The number of entries for each epoch: 4, or 6 with validation, and those of the optimizer.
    stop_reason : str
        As below.
    own : tuple of str
        The names of what the optimizer adds to the entries of each epoch.

    Attributes
    ----------
    error, rms : ndarray of float64, shape (epochs,)
        The error E, which training makes smaller, and the RMS error of each epoch. Each sample's error is taken before
        the update that it takes part in; with "lm" and "lbfgs", after the epoch's step.
    stop_reason : str
        "interrupted" (Ctrl-C), "desired_error" (reached), "patience" (no improvement), "epochs" (all done),
        "time_limit", "min_gradient" (it has all but vanished), "no_progress" (no step makes the error smaller) or
        "callback"; the first of them that holds, in this order. Two of them are for "lm" and "lbfgs" only.
    validation_error, validation_rms : ndarray of float64, shape (epochs,)
        The same for the validation data after each epoch; empty where there are none.
    learning_rate, seconds : ndarray of float64, shape (epochs,)
        The optimizer's rate in each epoch, and the time from the beginning of the training to the end of the epoch.
    mu, alpha, beta, effective_parameters : ndarray of float64, shape (epochs,)
        With `LevenbergMarquardt`: the damping with which the next step begins. If it is Bayesian: the factors of E_W
        and E_D in this step, and the number of parameters that the data determine. Otherwise they are empty.
    best_epoch : int or None
        The epoch with the lowest validation error, from 0.
    epochs : int
        The number of epochs; ``len`` gives it too.
    """

    error: NDArray[np.float64]
    rms: NDArray[np.float64]
    stop_reason: str
    validation_error: NDArray[np.float64]
    validation_rms: NDArray[np.float64]
    learning_rate: NDArray[np.float64]
    seconds: NDArray[np.float64]
    mu: NDArray[np.float64]
    alpha: NDArray[np.float64]
    beta: NDArray[np.float64]
    effective_parameters: NDArray[np.float64]
    best_epoch: int | None

    def __init__(self, records: Sequence[float], width: int, stop_reason: str, own: tuple[str, ...] = ()) -> None:
        self.stop_reason, self._records, self._width, self._own = stop_reason, records, width, own

    def __getattr__(self, name):
        # The arrays are made when one is asked for: in a training of microseconds they would be the longest part.
        if name not in COLUMNS and name not in OWN and name != "best_epoch":
            raise AttributeError(f"'History' object has no attribute {name!r}")
        columns = np.array(self._records, np.float64).reshape(-1, self._width).T.copy()
        made = {name: np.empty(0) for name in (*COLUMNS, *OWN)}
        made |= zip((*COLUMNS[:self._width - len(self._own)], *self._own), columns, strict=True)
        errors = made["validation_error"]
        self.__dict__ |= made | {"best_epoch": int(np.nanargmin(errors)) if (errors < inf).any() else None}
        return self.__dict__[name]

    def __dir__(self):
        return [*super().__dir__(), *COLUMNS, *OWN, "best_epoch"]

    @property
    def epochs(self) -> int:
        return len(self)

    def __len__(self) -> int:
        return len(self._records) // self._width

    def __repr__(self):
        last = f", RMS {self.rms[-1]:.6g}" if len(self) else ""
        if self.best_epoch is not None:
            last += (f", validation E {self.validation_error[-1]:.6g}"
                     f" (lowest {self.validation_error[self.best_epoch]:.6g} in epoch {self.best_epoch})")
        return f"History({len(self)} epoch{'s' * (len(self) != 1)}{last}, stop_reason={self.stop_reason!r})"

    def _repr_html_(self):
        from fastbp import notebook
        return notebook.of_history(self)

    def to_dict(self) -> dict[str, Any]:
        """All of it in plain lists and numbers, as JSON takes them.

        Returns
        -------
        dict
        """
        return {"epochs": len(self), "stop_reason": self.stop_reason, "best_epoch": self.best_epoch,
                **{name: getattr(self, name).tolist() for name in (*COLUMNS, *self._own)}}


@dataclass(frozen=True, eq=False)
class EpochState:
    """What a callback is given at the end of an epoch, by `Network.fit` and by `fastbp.interop.sklearn` alike.

    Attributes
    ----------
    epoch : int
        From 0.
    network : Network
        As it is after the epoch. It may be read, saved and changed.
    optimizer : optimizer
        The one that trains.
    error, rms, validation_error, learning_rate, seconds : float
        This epoch's entries in the History; validation_error is None without validation data. In an estimator they are
        measured in the same way: `error` is that of its network, without the penalty `alpha`.
    last_batch : callable
        Returns (X, T) of the epoch's last batch, copied in the network's dtype; a batch of an iterable is returned as
        it came.
    estimator : MLPClassifier or MLPRegressor of fastbp.interop.sklearn, or None
        The estimator whose `fit` or `partial_fit` trains; None in `Network.fit`.
    """

    epoch: int
    network: Network
    optimizer: Optimizer | WholeBatch
    error: float
    rms: float
    validation_error: float | None
    learning_rate: float
    seconds: float
    last_batch: Callable[[], tuple[NDArray[Any], NDArray[Any]]] = field(repr=False)
    estimator: Any = None

    def error_signals(self) -> list[Floats]:
        """The error signals e = dE/da of each layer for the samples of the epoch's last batch.

        They are computed by this call, so with the parameters that the network has after the epoch.

        Returns
        -------
        list of ndarray, shape (M, n_out)
            As `Trace.error_signals`.
        """
        return self.network.backprop(*self.last_batch()).error_signals
