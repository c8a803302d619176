"""What is said of a model: how good it is, what it is made of, how it was trained."""

import json
from math import isfinite

import numpy as np

from fastbp.cli.columns import scaling
from fastbp.cli.tables import in_chunks
from fastbp.io import FormatError
from fastbp.training.history import COLUMNS, History

SHOWN = 20      # labels of a confusion matrix on a terminal


def quality(net, X, T, inputs, targets):
    """How near a model's outputs come to targets, in units of the targets.

    The model is what is measured, not the network that was trained: folding the scaling into weights rounds them.

    Parameters
    ----------
    net : Network
        The model, which takes numbers as they stand in a table.
    X : ndarray, shape (M, n_inputs)
        Inputs, standardised.
    T : ndarray, shape (M,) of int or (M, n_outputs)
        Labels, or targets, standardised.
    inputs, targets : list of CategoryColumn or NumberColumn
        With their scaling.

    Returns
    -------
    dict
        For labels "accuracy" and "confusion", whose rows are the true labels; otherwise "rms" and "r2" (1 less the
        squared error divided by that of the mean, or None where all targets are the same), one for each target.

    Raises
    ------
    ValueError
        If an output is not finite.
    """
    chunks = [*zip(in_chunks(X), in_chunks(T), strict=True)]
    mean, scale = scaling(inputs)

    def outputs(x):
        Y = net.predict(x * scale + mean)
        if not np.isfinite(Y).all():
            raise ValueError(f"the model has outputs that {net.dtype} cannot hold"
                             f"{'; try --dtype float64' if net.dtype == 'float32' else ''}")
        return Y

    if targets[0].kind == "category":
        n = targets[0].width
        confusion = sum(np.bincount(t * n + outputs(x).argmax(axis=1), minlength=n * n) for x, t in chunks)
        confusion = confusion.reshape(n, n)
        return {"accuracy": float(np.trace(confusion) / len(T)), "confusion": confusion.tolist()}
    center, unit = scaling(targets)
    square = sum(np.square((outputs(x) - center) / unit - t).sum(axis=0) for x, t in chunks) / len(T)
    mean_of_T = T.mean(axis=0, dtype=np.float64)
    variance = sum(np.square(t - mean_of_T).sum(axis=0) for _, t in chunks) / len(T) * (T.min(axis=0) < T.max(axis=0))
    return {"rms": [float(np.sqrt(s) * column.scale) for s, column in zip(square, targets, strict=True)],
            "r2": [1 - float(s / v) if v > 0 else None for s, v in zip(square, variance, strict=True)]}


def table_of_quality(plan):
    """The results of `quality`, to be read."""
    results, rows = plan.training["quality"], plan.training["rows"]
    last = list(results)[-1]
    if plan.task == "classification":
        lines = [["", "rows", "accuracy"], *([name, f"{rows[name]:,}", f"{result['accuracy']:.2%}"]
                                             for name, result in results.items())]
        labels = plan.targets[0].categories
        if len(labels) > SHOWN:
            return aligned(lines)
        matrix = [["is \\ predicted", *labels], *([label, *map(str, counts)] for label, counts in zip(
            labels, results[last]["confusion"], strict=True))]
        return f"{aligned(lines)}\n\nThe {last} rows, by their label and by what was predicted:\n{aligned(matrix)}"
    lines = [["", "rows", "target", "RMS error", "R\u00b2"]]
    for name, result in results.items():
        for column, rms, r2 in zip(plan.targets, result["rms"], result["r2"], strict=True):
            lines.append([name, f"{rows[name]:,}", column.name, f"{rms:.4g}", "" if r2 is None else f"{r2:.4f}"])
    return aligned(lines)


def aligned(lines):
    """Rows of texts as a table, the first column to the left, the others to the right."""
    lines = [[printable(text) for text in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
                     for line in lines)


def printable(text):
    """Text from a file, in which nothing moves a terminal's cursor."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def summary(net, plan):
    """A model as JSON: the network, and the plan of columns where there is one."""
    summary = {"network": {"layer_sizes": list(net.layer_sizes), "activations": list(net.activations),
                           "loss": str(net.loss), "dtype": net.dtype.name, "parameters": net.n_params}}
    if plan is not None:
        summary |= plan.to_attributes()
    return summary


def describe(net, plan):
    """The same to be read."""
    loss = printable(str(net.loss))
    lines = [f"layers: {' - '.join(map(str, net.layer_sizes))} ({', '.join(net.activations)})",
             f"parameters: {net.n_params:,} in {net.dtype.name}", f"loss: {loss}, {net.reduction}"]
    if plan is None:
        return "\n".join([*lines, "columns: unknown, because it was not made by fastbp train"])
    table = [["column", "", "mean", "scale", "if missing"], *map(row_of, plan.inputs), *map(row_of, plan.targets)]
    task = f"task: {plan.task} of {', '.join(column.name for column in plan.targets)}"
    return "\n".join([printable(task), *lines, "", aligned(table), "", *map(printable, flat("", plan.training))])


def flat(name, value):
    """Lines of names and values, of which no more is known than that they are JSON."""
    if isinstance(value, dict):
        for key, part in value.items():
            if key not in ("history", "confusion"):
                yield from flat(f"{name}, {key}" if name else key, part)
    else:
        yield f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"


def row_of(column):
    if column.kind == "category":
        return [column.name, f"{column.width} categories: {', '.join(column.categories):.60}", "", "",
                column.fill or ""]
    return [column.name, "number", f"{column.mean:.6g}", f"{column.scale:.6g}",
            "" if column.fill is None else f"{column.fill:.6g}"]


def history_to_json(history):
    """What a History has of each epoch, but for times, so that the same training makes the same file."""
    return {name: [value if isfinite(value) else None for value in getattr(history, name).tolist()]
            for name in COLUMNS if name != "seconds"}


def history_from_json(training):
    """The History in what a model's file says of its training; a FormatError where there is none."""
    try:
        stored = {"seconds": [0.0] * len(training["history"]["error"]), **training["history"]}
        width = 6 if stored["validation_error"] else 4
        records = np.array([stored[name] for name in COLUMNS[:width]], float).T
        return History(records.ravel().tolist(), width, str(training["stop_reason"]))
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise FormatError("the history of the training is damaged") from error
