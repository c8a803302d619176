"""A network in 16-bit integers as C, for processors without a floating-point unit.

Every number is an integer times a power of two, given by its bits: value = integer * 2**-bits. The bits of inputs, net
inputs and outputs follow from the largest values among samples of the user's, for each input and neuron by itself where
an activation does not couple them; what is larger later is cut off. The weights of a neuron have as many bits as leave
32 enough for its sum, whatever the inputs are: no sum can overflow. An activation is a table of 513 entries with
straight lines in between.

`Layer.outputs` computes with NumPy what the C computes, bit for bit; so the C's error is known before it is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from fastbp.c_source.functions import count, numbers

LARGEST = 2**15 - 1
SUM = 2**31 - 2**29 - 1     # what a sum may come to: the rounding of its last shift is added
SHIFT = 30
ENTRIES, STEP = 513, 7      # of a table, 2**STEP net inputs apart

# Beyond this the activation has reached its limit to 16 bits; larger net inputs may be cut off.
REACH = {"sigmoid": 16.0, "tanh": 8.0, "gaussian": 4.0, "softmax": 16.0}
# g(c r) = c g(r) for c > 0: needs no table, and its neurons need not have the same bits.
SCALED = {"identity": "r[j]", "relu": "(int16_t)(r[j] > 0 ? r[j] : 0)",
          "leaky_relu": "(int16_t)(r[j] > 0 ? r[j] : ((int32_t)r[j] * 5243) >> 19)"}


def bits(largest):
    """How many bits below 1 leave room for the largest value."""
    return np.clip(np.floor(np.log2(LARGEST / np.where(largest > 0, largest, 1.0))), -60, 60).astype(int)


def scaled(values, bits):
    """The integers nearest to the values."""
    return np.rint(np.ldexp(np.asarray(values, float), bits)).astype(np.int64)


def shifted(sums, shift):
    """A right shift that rounds, and cuts off what 16 bits do not hold."""
    return np.clip((sums + (1 << shift >> 1)) >> shift, -LARGEST - 1, LARGEST)


@dataclass
class Layer:
    """One layer in integers."""

    activation: str
    W: np.ndarray           # (n_out, n_in)
    b: np.ndarray           # (n_out,)
    shift: np.ndarray       # (n_out,): of the sum
    table: np.ndarray | None
    bits: np.ndarray        # (n_out,): of the outputs

    def outputs(self, x):
        """For rows of inputs, in integers of 64 bits."""
        r = shifted(x @ self.W.T + self.b, self.shift)
        if self.activation == "relu":
            return np.maximum(r, 0)
        if self.activation == "leaky_relu":
            return np.where(r > 0, r, (r * 5243) >> 19)
        if self.activation == "threshold":
            return np.where(r >= 0, 1 << self.bits, 0)
        if self.activation == "softmax":
            powers = self.lookup(np.maximum(r - r.max(axis=1, keepdims=True), -LARGEST - 1))
            total = powers.sum(axis=1, keepdims=True)
            return ((powers << 14) + (total >> 1)) // total
        return r if self.table is None else self.lookup(r)

    def lookup(self, r):
        place = r + LARGEST + 1
        low, high = self.table[place >> STEP], self.table[(place >> STEP) + 1]
        return low + (((high - low) * (place & (2**STEP - 1)) + 2 ** (STEP - 1)) >> STEP)


def layer(W, b, activation, x_bits, r, activate):
    """A layer for inputs of these bits, whose net inputs r at the samples say how large they get."""
    W = np.ldexp(W.T.astype(float), -x_bits)
    w_bits = bits(abs(W).max(axis=1))
    # The sum of the sizes of all terms decides; a bit at a time, because the terms are rounded.
    for neuron in range(len(b)):
        while (abs(scaled(W[neuron], w_bits[neuron])).sum() * (LARGEST + 1)
               + abs(scaled(b[neuron], w_bits[neuron])) > SUM):
            w_bits[neuron] -= 1
    largest = abs(r).max(axis=0)
    if activation not in SCALED:
        size = np.ptp(r, axis=1).max() if activation == "softmax" else 0.0
        largest = np.full(len(b), min(max(largest.max(), size), REACH.get(activation, np.inf)))
    # Sums are shifted to the right only, by SHIFT at most: the bits of weights that small are not needed.
    r_bits = np.minimum(bits(largest), w_bits if activation in SCALED else w_bits.min())
    w_bits = np.minimum(w_bits, r_bits + SHIFT)
    table, out_bits = None, r_bits if activation in SCALED else np.full(len(b), 14)
    if activation not in SCALED and activation != "threshold":
        table, table_bits = tabulated(activation, r_bits[0], activate)
        out_bits = np.full(len(b), table_bits)
    return Layer(activation, scaled(W, w_bits[:, None]), scaled(b, w_bits), w_bits - r_bits, table, out_bits)


def tabulated(activation, r_bits, activate):
    """The table of an activation, and the bits of its entries. That of a softmax is exp up to 0, where it is 1."""
    r = np.ldexp(np.arange(ENTRIES) * 2.0**STEP - LARGEST - 1, -r_bits)
    values = activate("exp", np.minimum(r, 0)) if activation == "softmax" else activate(activation, r)
    value_bits = int(bits(abs(values).max()))
    return scaled(values, value_bits), value_bits


def layers_for(net, X, activate):
    """The layers in integers, the bits of the inputs, and the largest error of each output at the samples."""
    x_bits = bits(abs(X).max(axis=0).astype(float))
    result, bits_before, a = [], x_bits, X
    integers = np.clip(scaled(X, x_bits), -LARGEST - 1, LARGEST)
    for W, b, activation, outputs in zip(net.weights, net.biases, net.activations, net.layer_outputs(X), strict=True):
        r = a.astype(float) @ W.astype(float) + b
        result.append(layer(W, b, activation, bits_before, r, activate))
        integers, a, bits_before = result[-1].outputs(integers), outputs, result[-1].bits
    return result, x_bits, abs(np.ldexp(integers.astype(float), -bits_before) - a).max(axis=0)


PRELUDE = """\
#include <stdint.h>

#define NAME_N_INPUTS $N_INPUTS
#define NAME_N_OUTPUTS $N_OUTPUTS

/* Parameters stay in flash, which AVR's processors read by instructions of its own. */
#ifdef __AVR__
#include <avr/pgmspace.h>
#define NAME_FLASH PROGMEM
#define NAME_READ_8(p) ((int8_t)pgm_read_byte(p))
#define NAME_READ_16(p) ((int16_t)pgm_read_word(p))
#define NAME_READ_32(p) ((int32_t)pgm_read_dword(p))
#else
#define NAME_FLASH
#define NAME_READ_8(p) (*(p))
#define NAME_READ_16(p) (*(p))
#define NAME_READ_32(p) (*(p))
#endif

/* r = x W + b, each sum shifted to the bits of its neuron, rounded, and cut off where 16 bits do not hold it. */
static inline void NAME_affine(int n_in, int n_out, const int16_t *x, const int16_t *W, const int32_t *b,
    const int8_t *shift, int16_t *r)
{
    for (int j = 0; j < n_out; j++) {
        const int8_t s = NAME_READ_8(shift + j);
        int32_t sum = NAME_READ_32(b + j);
        for (int i = 0; i < n_in; i++, W++) sum += (int32_t)x[i] * NAME_READ_16(W);
        sum = (sum + (((int32_t)1 << s) >> 1)) >> s;
        r[j] = (int16_t)(sum > 32767 ? 32767 : sum < -32768 ? -32768 : sum);
    }
}

"""
LOOKUP = """\
/* A table of 513 entries from -32768 to 32768, and straight lines in between. */
static inline int16_t NAME_lookup(const int16_t *table, int16_t r)
{
    const int32_t place = (int32_t)r + 32768;
    const int32_t low = NAME_READ_16(table + (place >> 7)), high = NAME_READ_16(table + (place >> 7) + 1);
    return (int16_t)(low + (((high - low) * (place & 127) + 64) >> 7));
}

"""
SOFTMAX = """\
    int16_t largest{l} = r{l}[0];
    int32_t sum{l} = 0;
    for (int j = 1; j < {n}; j++) largest{l} = r{l}[j] > largest{l} ? r{l}[j] : largest{l};
    for (int j = 0; j < {n}; j++) {{
        const int32_t below = (int32_t)r{l}[j] - largest{l};
        a{l}[j] = NAME_lookup(NAME_table{l}, (int16_t)(below < -32768 ? -32768 : below));
        sum{l} += a{l}[j];
    }}
    for (int j = 0; j < {n}; j++) a{l}[j] = (int16_t)((((int32_t)a{l}[j] << 14) + (sum{l} >> 1)) / sum{l});
"""


def header(net, name, X, activate):
    """The whole header, and the largest error of each output at the samples X."""
    layers, x_bits, error = layers_for(net, X, activate)
    text = PRELUDE.replace("$N_INPUTS", str(net.n_inputs)).replace("$N_OUTPUTS", str(net.n_outputs))
    if any(layer.table is not None for layer in layers):
        text += LOOKUP
    text += ("/* An input is x[i] times 2 to the power of -NAME_x_bits[i], an output y[k] times 2 to that of "
             f"-NAME_y_bits[k]. */\nstatic const int8_t NAME_x_bits[{net.n_inputs}] = {numbers(x_bits)};\n"
             f"static const int8_t NAME_y_bits[{net.n_outputs}] = {numbers(layers[-1].bits)};\n\n")
    for l, (layer, (n_in, n_out)) in enumerate(zip(layers, pairwise(net.layer_sizes), strict=True), 1):
        text += (f"/* Layer {l}: {count(n_in, 'input')}, {count(n_out, 'output')}, {layer.activation}. Row B of W{l} "
                 "holds the weights of output B. */\n"
                 f"static const int16_t NAME_W{l}[{n_out}][{n_in}] NAME_FLASH = {numbers(layer.W)};\n"
                 f"static const int32_t NAME_b{l}[{n_out}] NAME_FLASH = {numbers(layer.b)};\n"
                 f"static const int8_t NAME_shift{l}[{n_out}] NAME_FLASH = {numbers(layer.shift)};\n")
        if layer.table is not None:
            text += f"static const int16_t NAME_table{l}[{ENTRIES}] NAME_FLASH = {numbers(layer.table)};\n"
        text += "\n"
    text += ("/* y = the outputs of the network for the inputs x, in integers. */\n"
             "static inline void NAME_predict(const int16_t *x, int16_t *y)\n{\n"
             + "".join(step(l, layer) for l, layer in enumerate(layers, 1))
             + f"    for (int k = 0; k < {net.n_outputs}; k++) y[k] = a{len(layers)}[k];\n}}\n")
    return text.replace("NAME_", f"{name}_"), error


def step(l, layer):
    """The lines of one layer."""
    n_out, n_in = layer.W.shape
    x = "x" if l == 1 else f"a{l - 1}"
    lines = (f"    int16_t r{l}[{n_out}], a{l}[{n_out}];\n"
             f"    NAME_affine({n_in}, {n_out}, {x}, NAME_W{l}[0], NAME_b{l}, NAME_shift{l}, r{l});\n")
    if layer.activation == "softmax":
        return lines + SOFTMAX.format(l=l, n=n_out)
    formula = SCALED.get(layer.activation, f"NAME_lookup(NAME_table{l}, r[j])").replace("r[j]", f"r{l}[j]")
    if layer.activation == "threshold":
        formula = f"(int16_t)(r{l}[j] >= 0 ? 16384 : 0)"
    return lines + f"    for (int j = 0; j < {n_out}; j++) a{l}[j] = {formula};\n"
