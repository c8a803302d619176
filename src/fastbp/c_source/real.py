"""A network in floating point as C."""

from __future__ import annotations

from itertools import pairwise

from fastbp.c_source import functions
from fastbp.c_source.functions import ACTIVATIONS, FUNCTIONS, LIBM, Function, count, in_dtype, loop, numbers


def header(net, name, jacobian, libm):
    """The whole header."""
    dtype = net.dtype.name
    reverse = jacobian and is_reverse_cheaper(net.layer_sizes)
    body = [*parameters(net, reverse), predict(net, not libm)]
    if jacobian:
        body.append((by_reverse if reverse else by_forward)(net, not libm))
    return in_dtype("".join([*prelude(net, jacobian, libm), *body]), dtype, name)


def is_reverse_cheaper(sizes):
    """Whether the Jacobian takes fewer multiplications from the outputs to the inputs than the other way.

    Forwards, a row for each input goes through every layer but the first, of which it is a row; backwards, a row for
    each output through every layer but the last (Griewank and Walther 2008, "Evaluating Derivatives", chapter 3).
    """
    products = [n_in * n_out for n_in, n_out in pairwise(sizes)]
    return sum(products[:-1]) * sizes[-1] < sum(products[1:]) * sizes[0]


def prelude(net, jacobian, libm):
    """What stands before the network."""
    yield "#include <float.h>\n#include <stdint.h>\n" if not libm else "#include <math.h>\n"
    yield "#include <stddef.h>\n#include <string.h>\n\n"
    yield f"#define NAME_N_INPUTS {net.n_inputs}\n#define NAME_N_OUTPUTS {net.n_outputs}\n\n"
    yield functions.FLASH
    if libm:
        text = "".join(applied(net, jacobian, vectors=False)) + functions.PLAIN_AFFINE
        for ours, theirs in LIBM.items():
            if isinstance(theirs, str):
                text = text.replace(f"NAME_{ours}(", f"{theirs}(")
        if "NAME_select(" in text:
            yield "#define NAME_select(where, a, b) ((where) ? (a) : (b))\n#define NAME_all(x) (x)\n\n"
        yield text.replace("NAME_vec", "double").replace("NAME_PADDED", "")
    else:
        wide = max(net.layer_sizes) * net.dtype.itemsize >= 4 * 64
        yield functions.VECTORS.replace("$LEVELS", functions.WIDE if wide else functions.NARROW)
        yield from applied(net, jacobian, vectors=True)
        yield functions.AFFINE


def applied(net, jacobian, vectors):
    """The activations over whole layers, and the functions that they call."""
    used = [name for name in ACTIVATIONS if name in net.activations]
    calls = {call for name in used for call in ACTIVATIONS[name].calls}
    if jacobian:
        calls.update(call for name in used for call in ACTIVATIONS[name].slope_calls)
    if "softmax" in net.activations:
        calls.add("exp")
    for _ in FUNCTIONS:     # as deep as calls can be
        calls.update(call for name in [*calls] for call in one(name, vectors).calls)
    yield from (one(name, vectors).code + "\n" for name in FUNCTIONS if name in calls and one(name, vectors).code)
    for name in used:
        formula = ACTIVATIONS[name]
        body = loop(vectors, "output", formula.output, r="net_input")
        yield functions.APPLY.replace("$ACTIVATION", name).replace("$LOOP", body)
        if jacobian:
            body = loop(vectors, "slope", formula.slope, r="net_input", a="output")
            unused = "".join(f"    (void){array};\n" for array in ("net_input", "output") if array not in body)
            yield functions.SLOPE.replace("$ACTIVATION", name).replace("$UNUSED", unused).replace("$LOOP", body)
    if "softmax" in net.activations:
        exponential = loop(vectors, "output", f"NAME_exp(r - {'NAME_all(largest)' if vectors else 'largest'})",
                           r="net_input")
        yield functions.SOFTMAX.replace("$LOOP", exponential)
        if jacobian:
            yield functions.SOFTMAX_SLOPE
    if jacobian and used:
        yield functions.MULTIPLY.replace("$LOOP", loop(vectors, "row", "t * s", t="row", s="slope"))


def one(name, vectors):
    if vectors or name not in LIBM:
        return FUNCTIONS[name]
    return LIBM[name] if isinstance(LIBM[name], Function) else Function((), "")


def parameters(net, reverse):
    for l, (W, b, activation) in enumerate(zip(net.weights, net.biases, net.activations, strict=True), 1):
        n_in, n_out = W.shape
        yield (f"/* Layer {l}: {count(n_in, 'input')}, {count(n_out, 'output')}, {activation}. Row A of W{l} leads "
               "from input A, column B to output B. */\n"
               f"static const double NAME_W{l}[{n_in}][{n_out}] NAME_FLASH = {numbers(W)};\n"
               f"static const double NAME_b{l}[{n_out}] NAME_FLASH = {numbers(b)};\n")
        if reverse:
            yield (f"/* The same weights, column by column, for the way back. */\n"
                   f"static const double NAME_W{l}_transposed[{n_out}][{n_in}] NAME_FLASH = {numbers(W.T)};\n")
        yield "\n"


def forward(net, vectors, slopes, y):
    """The lines that take x through the layers; the last outputs come to `y`."""
    for l, (W, activation) in enumerate(zip(net.weights, net.activations, strict=True), 1):
        n_in, n_out = W.shape
        x = "x" if l == 1 else f"a{l - 1}"
        last = l == len(net.weights)
        # Activations write whole vectors, and read them: only net inputs need zeros behind their end.
        array = f"[NAME_PADDED({n_out})]" if vectors else f"[{n_out}]"
        zeros = " = {0}" if vectors else ""
        if activation == "identity":
            a = y if last else f"a{l}"
            if not last:
                yield f"    double a{l}{array};\n"
            yield f"    NAME_affine({n_in}, {n_out}, {x}, NAME_W{l}[0], NAME_b{l}, {a});\n"
            continue
        of_slope = f", s{l}{array}" if slopes and activation != "softmax" else ""
        yield f"    double r{l}{array}{zeros}, a{l}{array}{of_slope};\n"
        yield f"    NAME_affine({n_in}, {n_out}, {x}, NAME_W{l}[0], NAME_b{l}, r{l});\n"
        yield f"    NAME_apply_{activation}({n_out}, r{l}, a{l});\n"
        if of_slope:
            yield f"    NAME_slope_{activation}({n_out}, r{l}, a{l}, s{l});\n"
        if last:
            yield f"    memcpy({y}, a{l}, {n_out} * sizeof(double));\n"


def predict(net, vectors):
    return ("/* y = the outputs of the network for the inputs x; the two may not overlap. */\n"
            "static inline void NAME_predict(const double *x, double *y)\n{\n"
            + "".join(forward(net, vectors, False, "y")) + "}\n")


def through(net, l, t, indent="        "):
    """The line that takes a row of derivatives through the activation of layer l, either way."""
    activation = net.activations[l - 1]
    if activation == "identity":
        return ""
    n = net.layer_sizes[l]
    return indent + (f"NAME_through_softmax({n}, a{l}, {t});\n" if activation == "softmax"
                     else f"NAME_multiply({n}, s{l}, {t});\n")


ABOUT_JACOBIAN = "\n/* y, and the derivatives of the outputs by the inputs, row-major {} x {}, {}. */\n"
SIGNATURE = "static inline void NAME_jacobian(const double *x, double *y, double *jacobian)\n{\n"


def by_forward(net, vectors):
    """For each input a row t = da/dx, which goes from layer to layer as x does."""
    sizes, last = net.layer_sizes, len(net.weights)
    lines = [ABOUT_JACOBIAN.format(net.n_outputs, net.n_inputs, "input by input on the way forward"), SIGNATURE,
             "    const double one = 1.0;\n", *forward(net, vectors, True, "y"),
             f"    for (int i = 0; i < {net.n_inputs}; i++) {{\n"]
    for l in range(1, last + 1):
        array = f"[NAME_PADDED({sizes[l]})] = {{0}}" if vectors else f"[{sizes[l]}]"
        lines.append(f"        double t{l}{array};\n")
        before = "1, {}, &one, NAME_W1[i]" if l == 1 else f"{sizes[l - 1]}, {{}}, t{l - 1}, NAME_W{l}[0]"
        lines += [f"        NAME_affine({before.format(sizes[l])}, NULL, t{l});\n", through(net, l, f"t{l}")]
    lines.append(f"        for (int k = 0; k < {net.n_outputs}; k++) jacobian[k * {net.n_inputs} + i] = t{last}[k];\n")
    return "".join([*lines, "    }\n}\n"])


def by_reverse(net, vectors):
    """For each output a row t = dy/da, which goes from layer to layer as the error does."""
    sizes, last = net.layer_sizes, len(net.weights)
    lines = [ABOUT_JACOBIAN.format(net.n_outputs, net.n_inputs, "output by output on the way back"), SIGNATURE,
             *forward(net, vectors, True, "y"),
             f"    for (int k = 0; k < {net.n_outputs}; k++) {{\n"]

    def array(n):
        return f"[NAME_PADDED({n})] = {{0}}" if vectors else f"[{n}]"

    lines += [f"        double t{last}[{f'NAME_PADDED({sizes[last]})' if vectors else sizes[last]}] = {{0}};\n",
              f"        t{last}[k] = 1.0;\n", through(net, last, f"t{last}")]
    for l in range(last, 0, -1):
        of_one = l == last and net.activations[-1] != "softmax"
        before = (f"1, {sizes[l - 1]}, &t{l}[k], NAME_W{l}_transposed[k]" if of_one
                  else f"{sizes[l]}, {sizes[l - 1]}, t{l}, NAME_W{l}_transposed[0]")
        to = f"t{l - 1}" if l > 1 else f"jacobian + k * {sizes[0]}"
        if l > 1:
            lines.append(f"        double t{l - 1}{array(sizes[l - 1])};\n")
        lines += [f"        NAME_affine({before}, NULL, {to});\n", through(net, l - 1, f"t{l - 1}") if l > 1 else ""]
    return "".join([*lines, "    }\n}\n"])
