"""Errors over the epochs of a training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastbp._checks import one_of
from fastbp.plot import _style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from fastbp.training.history import History

LOGARITHMIC_FROM = 20   # the largest error as a multiple of the smallest


class HistoryDisplay:
    """The errors of each epoch, those of the validation data among them, with the best epoch marked.

    Parameters
    ----------
    errors : dict of str to ndarray, shape (epochs,)
        What to draw: "rms" and "error", and with validation data "validation_rms" and "validation_error".
    seconds : ndarray, shape (epochs,)
        The time from the beginning of the training to the end of each epoch.
    best_epoch : int or None
        The epoch with the lowest validation error, from 0.
    stop_reason : str
        As `History.stop_reason`.

    Attributes
    ----------
    errors, seconds, best_epoch, stop_reason
        As above.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
        Where `plot` has drawn.

    See Also
    --------
    HistoryDisplay.from_history : makes one; has an example.
    """

    ax_: Axes
    figure_: Figure

    def __init__(self, errors: dict[str, NDArray[np.float64]], seconds: NDArray[np.float64], best_epoch: int | None,
                 stop_reason: str) -> None:
        self.errors, self.seconds, self.best_epoch, self.stop_reason = errors, seconds, best_epoch, stop_reason

    @classmethod
    def from_history(cls, history: History) -> HistoryDisplay:
        """The display of what `Network.fit` returned.

        Parameters
        ----------
        history : History

        Returns
        -------
        HistoryDisplay

        Examples
        --------
        >>> import fastbp
        >>> from fastbp.plot import HistoryDisplay
        >>> net = fastbp.Network([1, 1], "identity", init=[0.0, 0.0])
        >>> history = net.fit([[1.0], [2.0]], [[3.0], [5.0]], epochs=50)
        >>> HistoryDisplay.from_history(history).plot().ax_.get_ylabel()
        'RMS error'
        """
        names = ["rms", "error"]
        if len(history.validation_error):
            names += ["validation_rms", "validation_error"]
        return cls({name: getattr(history, name) for name in names}, history.seconds, history.best_epoch,
                   history.stop_reason)

    def plot(self, ax: Axes | None = None, *, quantity: str = "rms", over: str = "epochs",
             scale: str = "auto") -> HistoryDisplay:
        """Draw the errors.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default in a new figure.
        quantity : {"rms", "error"}, default "rms"
            The RMS error, or E.
        over : {"epochs", "seconds"}, default "epochs"
            What goes across.
        scale : {"auto", "log", "linear"}, default "auto"
            Of the errors; "auto" is "log" where they differ by a factor of 20 or more and all are above 0.

        Returns
        -------
        HistoryDisplay
            Itself.

        Raises
        ------
        ValueError, TypeError
            If an argument is none of its choices.
        """
        quantity = one_of("quantity", quantity, ("rms", "error"))
        over = one_of("over", over, ("epochs", "seconds"))
        scale = one_of("scale", scale, ("auto", "log", "linear"))
        what = "RMS error" if quantity == "rms" else "error $E$"
        x = np.arange(len(self.seconds)) if over == "epochs" else self.seconds
        ax = _style.axes(ax, figsize=(5.6, 3.6))
        # A dark and a light colour; dashes would hide the lowest point of a curve that jumps.
        lines = [(quantity, "training", _style.CYCLE[0]), ("validation_" + quantity, "validation", _style.CYCLE[1])]
        shown = [line for line in lines if line[0] in self.errors]
        for name, label, color in shown:
            # A single epoch makes no line.
            ax.plot(x, self.errors[name], color=color, label=label, linewidth=1.6,
                    marker="o" if len(x) == 1 else "")
        if self.best_epoch is not None:
            at, lowest = x[self.best_epoch], self.errors["validation_" + quantity][self.best_epoch]
            ax.axvline(at, color=_style.GREY, linewidth=0.8, linestyle=":")
            ink = ax.xaxis.label.get_color()    # black, or white in a dark style
            ax.plot(at, lowest, marker="o", color=ink, linestyle="", markersize=6,
                    label=f"lowest validation error:\n{lowest:.3g} in epoch {self.best_epoch:,}")
        values = np.concatenate([self.errors[name] for name, *_ in shown])
        values = values[np.isfinite(values)]
        if scale == "log" or (scale == "auto" and values.size and
                              values.max() >= LOGARITHMIC_FROM * values.min() > 0):
            ax.set_yscale("log")
        ax.set_xlabel("epoch" if over == "epochs" else "seconds of training")
        if over == "epochs":
            ax.xaxis.set_major_locator(_style.whole_numbers())
        ax.set_ylabel(what)
        ax.grid(alpha=0.3, linewidth=0.6)
        if len(shown) > 1:
            ax.legend(frameon=False)
        self.ax_, self.figure_ = ax, ax.figure
        return self
