"""A network while it trains, as a moving picture."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.figure import Figure

from fastbp._checks import number, positive_integer
from fastbp.plot.network import NetworkDisplay

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fastbp.network import Network
    from fastbp.training.history import EpochState


class NetworkAnimation:
    """A callback for `Network.fit` that keeps a NetworkDisplay every few epochs, and shows them one after another.

    Parameters
    ----------
    x : array_like, shape (n_inputs,), optional
        As in `NetworkDisplay.from_network`.
    t : array_like, shape (n_outputs,), optional
        As in `NetworkDisplay.from_network`.
    every : int, default 1
        After how many epochs a picture is kept.

    Attributes
    ----------
    displays : list of NetworkDisplay
        The pictures so far.
    epochs : list of int
        After how many epochs each was taken.

    Raises
    ------
    ValueError, TypeError
        If `every` is not a positive integer.

    Examples
    --------
    >>> import fastbp
    >>> from fastbp.plot import NetworkAnimation
    >>> X, T = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> net = fastbp.Network([2, 3, 1], "tanh", "sigmoid", seed=3)
    >>> film = NetworkAnimation([1, 0], 1, every=100)
    >>> film.record(net, 0)
    >>> history = net.fit(X, T, epochs=100, learning_rate=0.5, callbacks=film)
    >>> film.epochs
    [0, 100]
    >>> film.save("xor.gif", neuron=1)
    """

    def __init__(self, x: ArrayLike | None = None, t: ArrayLike | None = None, every: int = 1) -> None:
        self.x, self.t, self.every = x, t, positive_integer("every", every)
        self.displays: list[NetworkDisplay] = []
        self.epochs: list[int] = []

    def on_epoch(self, state: EpochState) -> None:
        """Keep a picture if it is time for one; `Network.fit` calls this.

        Parameters
        ----------
        state : EpochState
        """
        if (state.epoch + 1) % self.every == 0:
            self.record(state.network, state.epoch + 1)

    def record(self, net: Network, epochs: int) -> None:
        """Keep a picture of the network as it is, for instance before training.

        Parameters
        ----------
        net : Network
        epochs : int
            After how many epochs that is.
        """
        self.displays.append(NetworkDisplay.from_network(net, self.x, self.t))
        self.epochs.append(epochs)

    def animate(self, *, neuron: int | None = None, max_neurons: int = 8,
                frames_per_second: float = 5.0) -> FuncAnimation:
        """The moving picture as Matplotlib has it, for ``to_jshtml`` in a notebook.

        Parameters
        ----------
        neuron, max_neurons
            As in `NetworkDisplay.plot`.
        frames_per_second : float, default 5.0

        Returns
        -------
        matplotlib.animation.FuncAnimation
            Lines have one scale in all pictures. The figure does not belong to pyplot, so no window opens.

        Raises
        ------
        ValueError, TypeError
            As `NetworkDisplay.plot`, or if no picture has been kept.
        """
        if not self.displays:
            raise ValueError("no epoch has been recorded: pass this to fit(callbacks=...), with `every` not above the "
                             "number of epochs")
        interval = 1000 / number("frames_per_second", frames_per_second, 0, np.inf)
        largest = max(np.abs(W).max() for display in self.displays for W in display.weights)
        figure = Figure(figsize=self.displays[0].size(max_neurons, titles=2), layout="constrained")
        ax = figure.add_subplot()

        def draw(frame):
            ax.clear()
            display = self.displays[frame].plot(ax, neuron=neuron, max_neurons=max_neurons, largest=largest)
            title = f"after {self.epochs[frame]:,} epochs"
            if display.trace is not None:
                title += f", E = {display.trace.error:.3g}"
            ax.set_title("\n".join(filter(None, [title, ax.get_title()])))

        draw(0)     # so that the layout of the first picture is that of all
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        return FuncAnimation(figure, draw, frames=len(self.displays), interval=interval)

    def save(self, path: str | os.PathLike[str], *, neuron: int | None = None, max_neurons: int = 8,
             frames_per_second: float = 5.0) -> None:
        """Write the moving picture as a GIF, or as a page of HTML with buttons.

        Parameters
        ----------
        path : str or os.PathLike
            Ends with .gif or .html.
        neuron, max_neurons
            As in `NetworkDisplay.plot`.
        frames_per_second : float, default 5.0

        Raises
        ------
        ValueError, TypeError
            As `animate`, or if the path has another ending.
        OSError
            If the file cannot be written.
        """
        path = Path(os.fsdecode(path))
        if path.suffix.lower() not in (".gif", ".html"):
            raise ValueError(f"path must end with .gif or .html, got {str(path)!r}")
        film = self.animate(neuron=neuron, max_neurons=max_neurons, frames_per_second=frames_per_second)
        if path.suffix.lower() == ".gif":
            film.save(path, writer=PillowWriter(fps=frames_per_second))
        else:
            path.write_text(film.to_jshtml(fps=frames_per_second, embed_frames=True), encoding="utf-8")
