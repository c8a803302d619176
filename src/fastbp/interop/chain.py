"""A network in the making: the readers of other formats say what they come upon, from the inputs to the outputs.

A scaling has no place of its own in a network. It is folded into the layer beside it, which is exact but for
rounding: ``((x - mean) / scale) W + b = x (W / scale) + (b - (mean / scale) W)``, and alike for what comes out of a
layer before its activation (docs/interop.md has the reasons and the rounding).
"""

import contextlib
import os
import stat

import numpy as np

from fastbp.io import FormatError
from fastbp.network import Network

# The weights of all layers that only scale: one costs the square of its width, whatever a file takes to ask for it.
MOST_ON_DIAGONALS = 256**2


class Chain:
    """Layers that are added one after another; `network` makes a Network of them."""

    def __init__(self):
        self.layers = []        # [W, b, name of the activation or None while there is none]
        self.factor = None      # x * factor + offset is what the next layer takes
        self.offset = None
        self.dtype = None       # that of the weights, or float64 where inputs are scaled
        self.on_diagonals = 0   # weights of layers that only scale

    @property
    def width(self):
        """The number of values that the next part takes, or None before the first layer."""
        return self.layers[-1][0].shape[1] if self.layers else None

    def affine(self, W, b=None):
        """x W + b, with W of shape (n_in, n_out)."""
        W = np.asarray(W)
        if W.ndim != 2 or 0 in W.shape:
            raise ValueError(f"weights must have the shape (n_in, n_out), got {W.shape}")
        b = np.zeros(W.shape[1], W.dtype) if b is None else np.asarray(b)
        if b.shape != W.shape[1:]:
            raise ValueError(f"biases must have the shape {W.shape[1:]} beside weights of {W.shape}, got {b.shape}")
        if self.width not in (None, len(W)):
            raise ValueError(f"weights must have {self.width} rows after a layer of that width, got {W.shape}")
        if self.factor is not None:
            factor, offset = self._per_value(self.factor, len(W)), self._per_value(self.offset, len(W))
            W, b = factor[:, None] * W, b + offset @ W
            self.factor = None
        self.dtype = np.result_type(W, self.dtype or W)
        self.layers.append([W, b, None])

    def scaling(self, factor, offset=0.0):
        """x * factor + offset, numbers or vectors with one for each value."""
        factor, offset = np.asarray(factor, np.float64), np.asarray(offset, np.float64)
        if self._is_open():
            W, b, _ = self.layers[-1]
            factor, offset = self._per_value(factor, W.shape[1]), self._per_value(offset, W.shape[1])
            self.layers[-1][:2] = W * factor, b * factor + offset
        elif self.factor is None:
            self.factor, self.offset = factor, offset
        else:
            if 1 not in (factor.size, self.factor.size) and factor.size != self.factor.size:
                raise ValueError(f"a scaling must be of {self.factor.size} values, got {factor.size}")
            self.factor, self.offset = self.factor * factor, self.offset * factor + offset

    def activation(self, name):
        """One of fastbp's activations."""
        if not self._is_open():
            self._diagonal()
        self.layers[-1][2] = name

    def add(self, net):
        """The layers of a network."""
        for W, b, name in zip(net.weights, net.biases, net.activations, strict=True):
            self.affine(W, b)
            if name != "identity":      # whose outputs a scaling can still be folded into
                self.activation(name)

    def network(self, dtype=None, **loss):
        """What was added, as a network of the dtype, or its own, with the loss and reduction of `Network`."""
        if self.factor is not None:
            self._diagonal()
        if not self.layers:
            raise ValueError("a network must have a layer with weights, got none")
        sizes = [len(self.layers[0][0]), *(len(b) for _, b, _ in self.layers)]
        with np.errstate(over="ignore"):    # of float64 that float32 cannot hold: infinity
            return Network(sizes, [name or "identity" for *_, name in self.layers],
                           dtype=dtype or self.dtype, init=[(W, b) for W, b, _ in self.layers], **loss)

    def _is_open(self):
        """Whether the last layer has no activation yet, so that a scaling of its outputs is one of its weights."""
        return bool(self.layers) and self.layers[-1][2] is None

    def _diagonal(self):
        """A layer that does nothing but the scaling that is due, for there is no other beside it."""
        if self.width is None:
            raise ValueError("the first part must be a layer with weights, or a scaling before one")
        self.on_diagonals += self.width**2
        if self.on_diagonals > MOST_ON_DIAGONALS:
            raise ValueError("a scaling or a second activation behind an activation would need a layer of its own, of "
                             f"{self.width} by {self.width} weights; all of these must have at most "
                             f"{MOST_ON_DIAGONALS} together")
        self.affine(np.eye(self.width, dtype=self.dtype))

    @staticmethod
    def _per_value(values, width):
        if values.size not in (1, width):
            raise ValueError(f"a scaling must be of {width} values, got {values.size}")
        return np.broadcast_to(values.ravel(), width)


@contextlib.contextmanager
def reading(path, *errors):
    """Have what a library finds wrong with a file be a FormatError that begins with its name."""
    name = os.fsdecode(path)
    try:
        with np.errstate(all="ignore"):     # a scaling by 0 or infinity is what the file says
            yield name
    except FormatError as error:
        raise FormatError(f"{name}: {error}") from error
    except errors as error:
        raise FormatError(f"{name}: {error}") from error


def file_content(path):
    """The bytes of a regular file: of a device or a pipe nobody knows where it ends."""
    with open(path, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise FormatError("must be a regular file")
        return file.read()
