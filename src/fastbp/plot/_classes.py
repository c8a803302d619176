"""Which class a network puts a sample into, and how classes are drawn.

With one output the classes are 0, where the output is below a level, and 1; with several, that of the largest output.
"""

from math import inf

import numpy as np
from matplotlib.patches import Patch

from fastbp import activations
from fastbp._checks import came, number
from fastbp.network import Network
from fastbp.plot import _style


def level_of(net, level):
    """The level that was asked for, or the middle of the output's range, or 0.5 where it has no end."""
    if level is not None:
        return number("level", level, -inf, inf)
    row = activations.TABLE.get(net.activations[-1], activations.Activation())
    return (row.low + row.high) / 2 if -inf < row.low and row.high < inf else 0.5


def class_names(given, n_outputs):
    return _style.names("class_names", given, [f"class {k}" for k in range(max(2, n_outputs))])


def classes_of(outputs, level):
    return (outputs[..., 0] >= level).astype(int) if outputs.shape[-1] == 1 else outputs.argmax(axis=-1)


def margins(outputs, level):
    """By how much each class is ahead of the next best, shape (..., classes)."""
    if outputs.shape[-1] == 1:
        ahead = outputs[..., 0] - level
        return np.stack([-ahead, ahead], axis=-1)
    ordered = np.sort(outputs, axis=-1)
    best, second = ordered[..., -1:], ordered[..., -2:-1]
    return outputs - np.where(outputs == best, second, best)


def labels_of(T, n_samples, n_outputs, level):
    """The classes that T means: integer labels, or targets as `fit` takes them.

    With a single output, numbers that are all 0 or 1 are labels, also where the level is that of a tanh.
    """
    T = np.asarray(T)
    if T.shape not in ((n_samples,), (n_samples, n_outputs)) or T.dtype.kind not in "biuf":
        raise ValueError(f"T must have an integer label or a row of {n_outputs} numbers for each of the {n_samples} "
                         f"samples, got an array of shape {T.shape} and dtype {T.dtype}")
    if n_outputs == 1:
        T = T.reshape(-1, 1)
        return T[:, 0].astype(int) if np.isin(T, (0, 1)).all() else classes_of(T, level)
    if T.ndim == 2:
        return T.argmax(axis=1)
    if T.dtype.kind not in "iu" or not 0 <= T.min() <= T.max() < n_outputs:
        raise ValueError(f"T must hold integer labels from 0 to {n_outputs - 1}, got {came(T)}")
    return T.astype(int)


# ------------------------------------------------------------------------------------------------------ lines

# The net input at which an activation has a value, of the activations for which there is one such net input.
INVERSES = {
    "identity": lambda y: y,
    "sigmoid": lambda y: np.log(y) - np.log1p(-y),
    "tanh": np.arctanh,
    "softsign": lambda y: y / (1 - abs(y)),
}


def without_threshold(net, level):
    """The network and its level, with net inputs in place of outputs that are but 0 and 1: the lines between classes
    are found where outputs cross the level."""
    if net.activations[-1] != "threshold":
        return net, level
    layers = [*zip(net.weights, net.biases, strict=True)]
    return Network(net.layer_sizes, [*net.activations[:-1], "identity"], dtype=net.dtype, init=layers), 0.0


def separator(W, b, activation, level):
    """(w, c) of the line or plane w a + c = 0 between the two classes of a last layer; None where there is none."""
    if W.shape[1] == 2 and activation in ("softmax", *INVERSES):
        return W[:, 1] - W[:, 0], float(b[1] - b[0])
    if W.shape[1] == 1 and activation in INVERSES:
        with np.errstate(invalid="ignore", divide="ignore"):
            c = float(b[0] - INVERSES[activation](level))
        return (W[:, 0].copy(), c) if np.isfinite(c) else None
    return None


def equation(w, c, names):
    """The equation of a line, as text."""
    text = ""
    for value, name in [*zip(w, names, strict=True), (c, "")]:
        sign = "\N{MINUS SIGN}" if value < 0 else "+" if text else ""
        text += f" {sign} {_style.short(abs(value))} {name}".rstrip() if text else (
            f"{sign}{_style.short(abs(value))} {name}")
    return f"{text} = 0"


# ------------------------------------------------------------------------------------------------------ pictures


def color(k):
    return _style.CYCLE[k % len(_style.CYCLE)]


def draw_points(ax, points, labels, names):
    """The points (M, dimensions), each class with a colour and a marker of its own."""
    for k, name in enumerate(names):
        of_class = points[labels == k]
        if len(of_class) == 0:
            continue
        if len(names) <= len(_style.MARKERS):
            ax.scatter(*of_class.T, marker=_style.MARKERS[k], color=color(k), edgecolor="black", linewidth=0.5, s=30,
                       zorder=3, label=name)
        else:   # than there are markers: their numbers mark them, in darker colours to be legible on the regions
            ax.scatter(*of_class.T, marker=f"${k}$", color=_style.shade(color(k), 0.6), linewidth=0.2, s=36, zorder=3,
                       label=name)


def draw_regions(ax, across, up, outputs, level):
    """The regions of the classes over a grid, and the lines between them; outputs (len(up), len(across), n)."""
    ahead = margins(outputs, level)
    tints = np.array([_style.tint(color(k), 0.28) for k in range(ahead.shape[-1])])
    half = [(values[1] - values[0]) / 2 for values in (across, up)]
    ax.imshow(tints[classes_of(outputs, level)], origin="lower", aspect="auto", interpolation="nearest", zorder=0,
              extent=(across[0] - half[0], across[-1] + half[0], up[0] - half[1], up[-1] + half[1]))
    for k in range(1, ahead.shape[-1]):
        if ahead[..., k].min() < 0 < ahead[..., k].max():
            ax.contour(across, up, ahead[..., k], levels=[0], colors="black", linewidths=1.2, zorder=1)
    ax.set_xlim(across[0], across[-1])
    ax.set_ylim(up[0], up[-1])


def draw_legend(ax, names, labels):
    """Names of the classes, beside the axes, where they hide nothing."""
    place = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0), "borderaxespad": 0, "frameon": False}
    if ax.name == "3d":     # its corners are free
        del place["bbox_to_anchor"]
    if labels is not None:
        ax.legend(**place)
    else:
        ax.legend(handles=[Patch(facecolor=_style.tint(color(k), 0.28), edgecolor="black", label=name)
                           for k, name in enumerate(names)], **place)
