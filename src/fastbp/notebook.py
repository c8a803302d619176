"""What a notebook shows of a Network, a History and a Trace.

HTML and SVG without scripts, style sheets or anything to be fetched; lines and letters have the colour of the text
around them, so they are legible on dark themes. Notebooks that are not trusted lose the SVG and keep its texts, each of
which can be read alone. Whatever a user may have named is escaped.
"""

from html import escape
from math import log10

import numpy as np

LONGEST = 40        # characters of a name
MOST_LAYERS, MOST_NEURONS, MOST_POINTS = 7, 5, 100


def of_network(net):
    """The architecture as a drawing, and the numbers that belong to it."""
    loss = net.loss if isinstance(net.loss, str) else getattr(net.loss, "__name__", repr(net.loss))
    facts = [f"{net.n_params:,} parameters", f"{net.dtype.name}", f"loss: {text(loss)} ({text(net.reduction)})"]
    return block(f"<b>{text(type(net).__name__)}</b>: {', '.join(facts)}", architecture(net))


def of_history(history):
    """Why training stopped, its errors, and the RMS errors as a line."""
    epochs = len(history)
    head = f"<b>History</b>: {epochs:,} epoch{'s' * (epochs != 1)}, stop_reason: {text(history.stop_reason)}"
    if not epochs:
        return block(head)
    columns = ["", "first", "last", "lowest"]
    rows = [["RMS error", *spread(history.rms)]]
    if len(history.validation_rms):
        rows.append(["validation", *spread(history.validation_rms)])
    if history.best_epoch is not None:
        head += f", lowest validation error in epoch {history.best_epoch:,}"
    return block(head, table(columns, rows), curve(history.rms, "RMS error"))


def of_trace(trace):
    """What stands in the trace, layer by layer: the numbers where they are few, otherwise their root mean square."""
    columns = {"r": trace.net_inputs, "a": trace.outputs, "g'(r)": trace.slopes, "e": trace.error_signals,
               "d": trace.deltas, "dE/dW": trace.weight_gradients, "dE/db": trace.bias_gradients}
    rows = [[f"{l}", f"{arrays[0].shape[-1]:,}", *map(numbers, arrays)]
            for l, arrays in enumerate(zip(*columns.values(), strict=True), 1)]
    if len(rows) > 2 * MOST_LAYERS:
        rows[MOST_LAYERS:-MOST_LAYERS] = [["&#8230;"] * len(rows[0])]
    samples = f"{len(trace.outputs[0]):,} samples" if trace.outputs[0].ndim == 2 else "one sample"
    return block(f"<b>Trace</b> of {len(trace.outputs):,} layers and {samples}, E = {trace.error:.6g}",
                 table(["layer", "neurons", *columns], rows),
                 "For more than four numbers, rms is their root mean square.")


# ------------------------------------------------------------------------------------------------------ drawings


def architecture(net):
    """Neurons as circles in columns, and below each column what it is."""
    layers = [*range(len(net.layer_sizes))]
    if len(layers) > MOST_LAYERS:
        layers = [*layers[:MOST_LAYERS - 2], None, layers[-1]]
    across, down = 118, 22
    height = down * (min(max(net.layer_sizes), MOST_NEURONS) - 1) + 30
    middle = height / 2
    circles, lines, texts, before = [], [], [], []
    for column, l in enumerate(layers):
        x = 60 + across * column
        if l is None:
            circles += dots(x + np.array([-10, 0, 10]), [middle] * 3)
            texts.append(label(x, height + 12, f"{len(net.layer_sizes) - MOST_LAYERS + 1} more layers"))
            before = []
            continue
        size = net.layer_sizes[l]
        shown = min(size, MOST_NEURONS)
        ys = [middle + down * (row - (shown - 1) / 2) for row in range(shown)]
        if size > shown:    # the last circle but one becomes three dots
            y = ys.pop(-2)
            circles += dots([x] * 3, y + np.array([-5, 0, 5]))
        circles += [f'<circle cx="{x}" cy="{y:g}" r="7"/>' for y in ys]
        lines += [f"M{x - across + 7} {a:g}L{x - 7} {b:g}" for a in before for b in ys]
        before = ys
        if l == 0:
            what = [f"{size:,} input{'s' * (size > 1)}"]
        else:
            count = net.weights[l - 1].size + net.biases[l - 1].size
            what = [f"{size:,} {text(net.activations[l - 1], 14)}", f"{count:,} parameters"]
        texts += [label(x, height + 12 + 15 * row, line) for row, line in enumerate(what)]
    return svg(across * len(layers), height + 34, "the layers of the network",
               f'<path d="{"".join(lines)}" stroke-opacity="0.35"/>' + "".join(circles), "\n".join(texts))


def curve(values, what):
    """A line of the values, on a logarithmic scale where they differ much."""
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return ""
    values = values[np.linspace(0, len(values) - 1, min(len(values), MOST_POINTS)).round().astype(int)]
    low, high = values.min(), values.max()
    scale = "linear"
    if high / 20 > low > 0:
        values, low, high, scale = np.log10(values), log10(low), log10(high), "logarithmic"
    x = np.linspace(5, 315, len(values))
    y = 75 - 70 * ((values - low) / (high - low)) if high > low else np.full(len(values), 40.0)
    points = " ".join(f"{a:.0f},{b:.1f}" for a, b in zip(x, y, strict=True))
    return svg(320, 95, f"{what} over the epochs", f'<polyline points="{points}"/>',
               label(160, 92, f"{what} over the epochs, {scale} scale"))


def svg(width, height, name, shapes, texts):
    return (f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" aria-label="{name}" '
            f'style="max-width:100%"><g fill="none" stroke="currentColor">{shapes}</g>\n'
            f'<g fill="currentColor" font-size="11" font-family="sans-serif" text-anchor="middle">{texts}</g></svg>')


def dots(xs, ys):
    return [f'<circle cx="{x:g}" cy="{y:g}" r="1.5" fill="currentColor"/>' for x, y in zip(xs, ys, strict=True)]


def label(x, y, line):
    return f'<text x="{x}" y="{y}">{line}</text>'


# ------------------------------------------------------------------------------------------------------ texts


def text(given, longest=LONGEST):
    """A user's text, cut where it is long, with nothing in it that HTML would take for its own."""
    given = str(given)
    return escape(given if len(given) <= longest else given[:longest - 1] + "\N{HORIZONTAL ELLIPSIS}")


def block(*parts):
    return "<div>" + "\n".join(f"<div>{part}</div>" for part in parts if part) + "</div>"


def table(head, rows):
    """Cells are HTML already."""
    lines = ["".join(f"<th>{cell}</th>" for cell in head)]
    lines += ["".join(f"<td>{cell}</td>" for cell in row) for row in rows]
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    return f'<table style="color:inherit;white-space:nowrap">{body}</table>'


def spread(values):
    """First, last and lowest; fmin takes a number rather than NaN."""
    return [f"{value:.4g}" for value in (values[0], values[-1], np.fmin.reduce(values))]


def numbers(array):
    """One below the other where there are few."""
    if array.size <= 4:
        return "<br/>".join(f"{value:.4g}" for value in array.ravel()).replace("-", "\N{MINUS SIGN}")
    return f"rms {np.sqrt(np.mean(np.square(array, dtype=float))):.3g}"
