"""The weights of a layer: as a matrix, or as one picture for each neuron."""

from __future__ import annotations

from math import ceil, sqrt
from typing import TYPE_CHECKING

import numpy as np

from fastbp._checks import came, positive_integer
from fastbp.plot import _style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fastbp._types import Floats
    from fastbp.network import Network

WRITTEN = 12    # rows and columns up to which each weight is written into its place


class WeightsDisplay:
    """The weights of one layer.

    As a matrix, each row is an input of the layer and each column a neuron; the row below has the biases. If the
    inputs are the pixels of an image, each neuron can have an image of its weights, its receptive field: it answers
    most to a picture that is light where the weights are.

    The colour of 0 is grey; darker and bluer is negative, lighter and yellower is positive, in a print in grey, too.

    Parameters
    ----------
    W : ndarray, shape (n_in, n_out)
    b : ndarray, shape (n_out,)
        Weights and biases of the layer.
    layer : int
        Its number, from 1.
    first_neuron : int
        The number of the layer's first neuron, counted through all layers, as in docs/method.md.
    image_shape : tuple of int, optional
        Rows and columns of the image that the inputs are; without it there is a matrix.

    Attributes
    ----------
    W, b, layer, first_neuron, image_shape
        As above.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
        Where `plot` has drawn.

    See Also
    --------
    WeightsDisplay.from_network : makes one; has an example.
    """

    ax_: Axes
    figure_: Figure

    def __init__(self, W: Floats, b: Floats, *, layer: int = 1, first_neuron: int = 1,
                 image_shape: tuple[int, int] | None = None) -> None:
        self.W, self.b, self.layer, self.first_neuron, self.image_shape = W, b, layer, first_neuron, image_shape

    @classmethod
    def from_network(cls, net: Network, *, layer: int = 1,
                     image_shape: Sequence[int] | None = None) -> WeightsDisplay:
        """The display of a layer as it is now; later training does not change it.

        Parameters
        ----------
        net : Network
        layer : int, default 1
            Which layer of neurons, from 1.
        image_shape : sequence of two int, optional
            Rows and columns of the image that the layer's inputs are, row by row, for receptive fields.

        Returns
        -------
        WeightsDisplay

        Raises
        ------
        ValueError, TypeError
            If there is no such layer, or an image of that shape has another number of pixels than the layer inputs.

        Examples
        --------
        >>> import fastbp
        >>> from fastbp.plot import WeightsDisplay
        >>> net = fastbp.Network([64, 30, 10], "tanh", seed=0)
        >>> display = WeightsDisplay.from_network(net, image_shape=(8, 8)).plot()
        >>> bool((display.image(3) == net.weights[0][:, 3].reshape(8, 8)).all())
        True
        """
        layer = positive_integer("layer", layer)
        if layer > len(net.weights):
            raise ValueError(f"layer must be from 1 to {len(net.weights)}, got {layer}")
        W, b = net.weights[layer - 1].copy(), net.biases[layer - 1].copy()
        if image_shape is not None:
            if len(image_shape) != 2:
                raise ValueError(f"image_shape must hold a number of rows and one of columns, got {came(image_shape)}")
            rows, columns = (positive_integer("image_shape", size) for size in image_shape)
            if rows * columns != len(W):
                raise ValueError(f"image_shape must have as many pixels as the layer has inputs, {len(W)}, got "
                                 f"{rows} x {columns}")
            image_shape = rows, columns
        return cls(W, b, layer=layer, first_neuron=1 + sum(net.layer_sizes[1:layer]), image_shape=image_shape)

    def image(self, i: int) -> Floats:
        """The weights into one neuron as an image.

        Parameters
        ----------
        i : int
            Its index in the layer, from 0.

        Returns
        -------
        ndarray, shape `image_shape`
        """
        return self.W[:, i].reshape(self.image_shape)

    def plot(self, ax: Axes | None = None, *, cmap: str = _style.SIGNED, max_images: int = 36) -> WeightsDisplay:
        """Draw the weights.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default in a new figure.
        cmap : str, default "cividis"
            A Matplotlib colour map, whose middle stands for 0.
        max_images : int, default 36
            Of more receptive fields, only this many are drawn, and a title says so.

        Returns
        -------
        WeightsDisplay
            Itself.

        Raises
        ------
        ValueError, TypeError
            If `max_images` is not a positive integer.
        """
        draw = self._draw_matrix if self.image_shape is None else self._draw_images
        image = draw(ax, cmap, positive_integer("max_images", max_images))
        self.ax_ = image.axes
        self.figure_ = self.ax_.figure
        self.figure_.colorbar(image, ax=self.ax_, label="weight", shrink=0.8)
        return self

    def _draw_matrix(self, ax, cmap, _):
        rows, columns = self.W.shape
        few = max(rows + 1, columns) <= WRITTEN
        ax = _style.axes(ax, figsize=(2.0 + 0.55 * columns, 1.0 + 0.4 * (rows + 1)) if few else (5.6, 4.2))
        below = max(1, round(rows / 25))    # how many rows high the biases are, to be seen
        shown = np.concatenate([self.W, np.tile(self.b, (below, 1))])
        largest = largest_of(shown)
        image = ax.imshow(shown, cmap=cmap, vmin=-largest, vmax=largest, aspect="auto", interpolation="nearest")
        ax.axhline(rows - 0.5, color=ax.get_facecolor(), linewidth=4)
        first, inputs = (1, "x") if self.layer == 1 else (self.first_neuron - rows, "a")
        if few:
            for (row, column), value in np.ndenumerate(shown):
                ax.text(column, row, _style.short(value), ha="center", va="center", fontsize=8,
                        color=_style.ink_on(image.cmap(image.norm(value))))
            from_ticks, names = range(rows), [f"${inputs}_{{{first + A}}}$" for A in range(rows)]
            to_ticks = range(columns)
            ax.set_ylabel("from")
        else:
            from_ticks, to_ticks = (numbered(start, count) for start, count in
                                    [(first, rows), (self.first_neuron, columns)])
            names = [str(first + A) for A in from_ticks]
            ax.set_ylabel("from input" if self.layer == 1 else f"from neuron (layer {self.layer - 1})")
        ax.set_yticks([*from_ticks, rows + (below - 1) / 2], [*names, "bias"])
        ax.set_xticks(to_ticks, [str(self.first_neuron + B) for B in to_ticks])
        ax.set_xlabel(f"to neuron (layer {self.layer})")
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        return image

    def _draw_images(self, ax, cmap, max_images):
        size = self.W.shape[1]
        count = min(size, max_images)
        columns = ceil(sqrt(count))
        rows = ceil(count / columns)
        height, width = self.image_shape
        # One picture, with a pixel or more between the images.
        gap = max(1, round(0.08 * max(height, width)))
        sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap), np.nan)
        places = [(i // columns * (height + gap), i % columns * (width + gap)) for i in range(count)]
        for i, (top, left) in enumerate(places):
            sheet[top:top + height, left:left + width] = self.image(i)
        largest = largest_of(sheet)
        ax = _style.axes(ax, figsize=(5.6, 0.5 + 4.3 * sheet.shape[0] / sheet.shape[1]))
        image = ax.imshow(sheet, cmap=cmap, vmin=-largest, vmax=largest, interpolation="nearest")
        ax.set_axis_off()
        ax.set_title(f"weights into neurons {self.first_neuron} to {self.first_neuron + count - 1}"
                     + f", of {size} in this layer" * (count < size), fontsize="medium")
        return image


def largest_of(weights):
    """What the ends of the colours stand for: the largest size of a weight; of a diverged layer, of a finite one."""
    return np.abs(weights[np.isfinite(weights)]).max(initial=0.0) or 1.0


def numbered(first, count):
    """The indices below count whose numbers, counted from the first, are round; and the first one."""
    ticks = [round(number) - first for number in _style.whole_numbers(7).tick_values(first, first + count - 1)]
    return [0, *(i for i in ticks if count / 20 < i < count)]
