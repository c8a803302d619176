"""What `Population.fit` returns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Why a network stopped, by the number that the training has for it; TRAINING is not a reason.
REASONS = "", "diverged", "desired_error", "patience", "epochs", "time_limit", "interrupted"
TRAINING, DIVERGED, DESIRED_ERROR, PATIENCE, EPOCHS, TIME_LIMIT, INTERRUPTED = range(7)


class PopulationHistory:
    """What happened in a `Population.fit`, which returns it: a row for each network, a column for each epoch.

    Parameters
    ----------
    error, rms, validation_error, validation_rms, seconds, epochs, reasons : ndarray
        As below; `reasons` are indices of the names of reasons.

    Attributes
    ----------
    error, rms : ndarray of float64, shape (n, epochs)
        The error E and the RMS error, as `History` has them; NaN in epochs that a network has not completed.
    validation_error, validation_rms : ndarray of float64, shape (n, epochs)
        The same for the validation data after each epoch; of shape (n, 0) where there are none.
    seconds : ndarray of float64, shape (epochs,)
        The time from the beginning of the training to the end of the epoch. Where nothing is to be done between two
        epochs, many are trained at once, and their times are interpolated.
    epochs : ndarray of int, shape (n,)
        The number of epochs that each network has completed; its last errors are those of epoch ``epochs - 1``.
    stop_reason : ndarray of str, shape (n,)
        Why each network stopped: "diverged", "desired_error", "patience", "epochs", "time_limit" or "interrupted".
    diverged : ndarray of int
        The networks that diverged: their next update would have left the finite numbers, or their RMS error had grown a
        million times as large as their samples. They keep their last finite parameters.
    best_epoch : ndarray of int, shape (n,)
        The epoch with the lowest validation error; -1 where there is none.
    """

    def __init__(self, error: NDArray[np.float64], rms: NDArray[np.float64], validation_error: NDArray[np.float64],
                 validation_rms: NDArray[np.float64], seconds: NDArray[np.float64], epochs: NDArray[np.intp],
                 reasons: NDArray[np.intp]) -> None:
        self.error, self.rms, self.seconds, self.epochs = error, rms, seconds, epochs
        self.validation_error, self.validation_rms = validation_error, validation_rms
        self.stop_reason = np.array(REASONS)[reasons]
        self.diverged = np.flatnonzero(reasons == DIVERGED)
        self.best_epoch = np.full(len(error), -1)
        if validation_error.size:
            known = np.where(np.isnan(validation_error), np.inf, validation_error)
            self.best_epoch = np.where(known.min(axis=1) < np.inf, known.argmin(axis=1), -1)

    def __len__(self) -> int:
        return len(self.seconds)

    def __repr__(self):
        counts = ", ".join(f"{name} {count}" for name, count in zip(
            *np.unique(self.stop_reason, return_counts=True), strict=True))
        diverged = f", diverged: {self.diverged[:5].tolist()}" if len(self.diverged) else ""
        if len(self.diverged) > 5:
            diverged = f"{diverged[:-1]}, ...]"
        return f"PopulationHistory({len(self.error)} networks, {len(self)} epochs, stopped by {counts}{diverged})"
