"""How far the error signals reach: their sizes, layer by layer, while a network trains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib
import numpy as np

from fastbp._checks import one_of, positive_integer
from fastbp.plot import _style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

    from fastbp.network import Trace
    from fastbp.training.history import EpochState


class GradientFlowDisplay:
    """A callback for `Network.fit` that records how large error signals and gradients are in each layer.

    Signals that fade on their way back leave the first layers without anything to learn from; signals that grow make
    training diverge. Each epoch costs a `Network.backprop`.

    Parameters
    ----------
    X : array_like, shape (M, n_inputs), optional
    T : array_like, shape (M, n_outputs), optional
        The samples to measure on, after each epoch; by default those of the epoch's last batch.
    every : int, default 1
        After how many epochs to measure.

    Attributes
    ----------
    epochs : list of int
        The epochs that were measured, from 0.
    error_signal_norms : ndarray of float64, shape (len(epochs), n_layers)
        ``sqrt(sum(e**2) / M)`` of each layer: the norm of a sample's error signals, as the root mean square over the
        samples. The first layer comes first.
    gradient_norms : ndarray of float64, shape (len(epochs), n_layers)
        The Euclidean norm of the gradient of E by all weights and biases of each layer. It is as `Network.gradient`
        has it, so with ``reduction="sum"`` it grows with the number of samples.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
        Where `plot` has drawn.

    Raises
    ------
    ValueError, TypeError
        If only one of X and T is given, or `every` is not a positive integer.

    Examples
    --------
    >>> import fastbp
    >>> from fastbp.plot import GradientFlowDisplay
    >>> X, T = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> net = fastbp.Network([2, 4, 4, 4, 1], seed=0)
    >>> flow = GradientFlowDisplay(X, T)
    >>> history = net.fit(X, T, epochs=20, callbacks=flow)
    >>> flow.error_signal_norms.shape
    (20, 4)
    >>> display = flow.plot()
    """

    ax_: Axes
    figure_: Figure

    def __init__(self, X: ArrayLike | None = None, T: ArrayLike | None = None, every: int = 1) -> None:
        if (X is None) != (T is None):
            raise ValueError(f"X and T belong together; got {'T' if X is None else 'X'} alone")
        self.X, self.T, self.every = X, T, positive_integer("every", every)
        self.epochs: list[int] = []
        self._norms: list[tuple[list[float], list[float]]] = []

    def on_epoch(self, state: EpochState) -> None:
        """Measure; `Network.fit` calls this.

        Parameters
        ----------
        state : EpochState
        """
        if (state.epoch + 1) % self.every == 0:
            X, T = state.last_batch() if self.X is None else (self.X, self.T)
            trace = state.network.backprop(X, T)
            self.epochs.append(state.epoch)
            self._norms.append(norms(trace))

    @property
    def error_signal_norms(self) -> NDArray[np.float64]:
        return np.array([of_signals for of_signals, _ in self._norms])

    @property
    def gradient_norms(self) -> NDArray[np.float64]:
        return np.array([of_gradients for _, of_gradients in self._norms])

    def plot(self, ax: Axes | None = None, *, quantity: str = "error_signals") -> GradientFlowDisplay:
        """Draw a line for each layer.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default in a new figure.
        quantity : {"error_signals", "gradients"}, default "error_signals"
            Which of the norms.

        Returns
        -------
        GradientFlowDisplay
            Itself.

        Raises
        ------
        ValueError, TypeError
            If `quantity` is something else, or nothing has been measured.
        """
        quantity = one_of("quantity", quantity, ("error_signals", "gradients"))
        if not self.epochs:
            raise ValueError("no epoch has been measured: pass this to fit(callbacks=...), with `every` not above the "
                             "number of epochs")
        lines = self.error_signal_norms if quantity == "error_signals" else self.gradient_norms
        ax = _style.axes(ax, figsize=(5.6, 3.8))
        # Layers have an order, so they go from dark to light; the lightest tenths would not be seen on white.
        colors = matplotlib.colormaps["viridis"](np.linspace(0, 0.85, lines.shape[1]))
        for l, color in enumerate(colors):
            # A norm of 0 has no place on a logarithmic axis.
            ax.plot(self.epochs, np.where(lines[:, l] > 0, lines[:, l], np.nan), color=color,
                    linestyle=_style.LINE_STYLES[l % 4], linewidth=1.6, label=f"layer {l + 1}",
                    marker="o" if len(self.epochs) == 1 else "")
        if (lines > 0).any():
            ax.set_yscale("log")
        ax.set_xlabel("epoch")
        ax.xaxis.set_major_locator(_style.whole_numbers())
        ax.set_ylabel("norm of a sample's error signals" if quantity == "error_signals" else "norm of the gradient")
        ax.grid(alpha=0.3, linewidth=0.6)
        legend(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self


def norms(trace: Trace) -> tuple[list[float], list[float]]:
    """Of the error signals and of the gradient, layer by layer."""
    signals = [np.atleast_2d(e).astype(float) for e in trace.error_signals]
    return ([float(np.sqrt(np.sum(e**2) / len(e))) for e in signals],
            [float(np.hypot(np.linalg.norm(W), np.linalg.norm(b)))
             for W, b in zip(trace.weight_gradients, trace.bias_gradients, strict=True)])


def legend(ax):
    """The layers' names beside the axes, from the last on, as signals go; of many layers, the last and the first."""
    handles, labels = (items[::-1] for items in ax.get_legend_handles_labels())
    if len(handles) > 10:
        handles, labels = [handles[0], *handles[-8:]], [f"{labels[0]} ...", *labels[-8:]]
    ax.legend(handles, labels, loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0, frameon=False,
              handlelength=2.6)
