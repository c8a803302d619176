"""Bits that stay the same, instruction sets that agree, and numbers at the ends of their range."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from reference import ELEMENTWISE
from stress import STRESS
from test_activations import assert_within_ulps, one_neuron

import fastbp
from fastbp import _dispatch

OPTIMIZERS = {name: getattr(fastbp, name) for name in ("SGD", "Adagrad", "Adam", "AdamW", "Nadam", "RMSprop", "Rprop")}
CODE = """
import hashlib, numpy as np, fastbp
rng = np.random.default_rng(5)
X, T = rng.uniform(-1, 1, (300, 11)), rng.uniform(0, 1, (300, 3))
digest = hashlib.sha256()
for dtype in ("float32", "float64"):
    for sizes in ([11, 3], [11, 5, 3], [11, 70, 33, 3]):
        for activation in ("tanh", "gelu", "sin"):
            net = fastbp.Network(sizes, activation, dtype=dtype, seed=2)
            net.fit(X, T, epochs=2, batch_size=1, learning_rate=1e-3)
            net.fit(X, T, epochs=2, batch_size=37, optimizer="adam", dropout=0.1 * (len(sizes) > 2))
            digest.update(net.params.tobytes() + net.predict(X).tobytes() + net.gradient(X, T)[1].tobytes())
"""


def digest():
    names = {}
    exec(CODE, names)
    return names["digest"].hexdigest()


def test_the_same_bits_again(isa):
    here = digest()
    assert here == digest()
    # Not the same memory, addresses or hashes.
    printed = subprocess.run([sys.executable, "-c", CODE + "print(digest.hexdigest())"], check=True, text=True,
                             capture_output=True, env={**os.environ, "FASTBP_ISA": isa, "PYTHONHASHSEED": "7"})
    assert printed.stdout.strip() == here
    assert len(here) == 2 * hashlib.sha256().digest_size


# After one epoch of 300 samples; what rounding adds up to is some ten of it, a wrong index makes 1e10.
@pytest.mark.parametrize("batch_size", [1, 37])
@pytest.mark.parametrize("sizes", [[11, 3], [11, 5, 3], [11, 70, 33, 3]], ids=str)
def test_instruction_sets_agree(dtype, sizes, batch_size, rng):
    X, T = rng.uniform(-1, 1, (300, 11)), rng.uniform(0, 1, (300, 3))
    params = []
    for level in _dispatch.available():
        before = _dispatch.use(level)
        net = fastbp.Network(sizes, "tanh", dtype=dtype, seed=2)
        net.fit(X, T, epochs=1, batch_size=batch_size, learning_rate=1e-2)
        params.append(net.params)
        _dispatch.use(*before)
    for other in params[1:]:
        np.testing.assert_allclose(other, params[0], rtol=0, atol=200 * np.finfo(dtype).eps)


@pytest.mark.parametrize("sizes", [[1, 1], [1, 40], [40, 1], [40, 40]], ids=str)
def test_subnormal_numbers_are_numbers(isa, dtype, sizes):
    """Nothing flushes them to zero: neither a flag of the processor nor a kernel."""
    least = np.finfo(dtype).smallest_subnormal
    net = fastbp.Network(sizes, "identity", dtype=dtype, init=[(np.eye(*sizes), np.zeros(sizes[1]))])
    X = np.full((3, sizes[0]), 3 * least)
    expected = np.zeros((3, sizes[1]), dtype)
    expected[:, :min(sizes)] = 3 * least
    np.testing.assert_array_equal(net.predict(X), expected)
    np.testing.assert_array_equal(net.predict(X[0]), expected[0])
    # As a gradient and as an update, from a weight of 0 on.
    net.params = np.zeros(net.n_params)
    net.train_step(np.ones((1, sizes[0])), np.full((1, sizes[1]), 8 * least), 0.5)
    np.testing.assert_array_equal(net.params, np.full(net.n_params, 4 * least, dtype))


def test_one_sample_that_is_no_number_spoils_no_other(isa, dtype):
    net = fastbp.Network([5, 20, 20, 3], "tanh", dtype=dtype, seed=1)
    X = np.random.default_rng(1).uniform(-1, 1, (60, 5))
    expected = net.predict(X)
    for bad in (np.nan, np.inf, -np.inf):
        for row in (0, 7, 59):
            spoiled = X.copy()
            spoiled[row, 2] = bad
            result = net.predict(spoiled)
            others = np.arange(60) != row
            np.testing.assert_array_equal(result[others], expected[others])
            assert np.isnan(result[row]).all() == np.isnan(bad)


RATES = [5e-324, 1e-300, 1e-45, 1e-38, 1e-10, 1.0, 1e5, 1e10, 1e15, 1e20, 1e38, 3.4e38, 1e100, 1e300, 1.7e308]
TINY = [5e-324, 1e-300, 1e-45, 1e-38, 1e-20]


@pytest.mark.parametrize("layer_rates", [None, (1.0, 1e20)], ids=str)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_no_rate_makes_a_parameter_infinite(isa, dtype, name, layer_rates, rng):
    """Any optimizer at any rate: the parameters stay finite, and what cannot be done is refused."""
    X, T = rng.uniform(-1, 1, (20, 3)), rng.uniform(0, 1, (20, 2))
    X[:, 0] = 0         # a gradient of 0, which some divide by its size
    kinds = [{}] + [{"max_norm": value} for value in (5e-324, 1e308)] + [{"clip_norm": 5e-324}]
    if name in ("Adam", "AdamW", "Nadam", "RMSprop", "Adagrad"):
        kinds += [{"epsilon": value} for value in TINY]
    if name in ("Adam", "Nadam"):
        kinds += [{"epsilon": 5e-324, "beta_2": 0.0}, {"epsilon": 5e-324, "beta_1": 1 - 2**-53}]
    if name == "Rprop":
        kinds += [{"largest": 1e308}, {"grow": 1e308, "shrink": 5e-324, "least": 5e-324}]
    trained = 0
    for rate in RATES:
        for kind in kinds:
            net = fastbp.Network([3, 4, 2], "identity", dtype=dtype, seed=1)
            try:
                optimizer = OPTIMIZERS[name](rate, layer_rates=layer_rates, **kind)
                for _ in range(12):
                    net.train_step(X, T, optimizer=optimizer)
                trained += 1
            except (ValueError, fastbp.DivergenceError):
                pass
            assert np.isfinite(net.params).all(), (rate, kind)
    assert trained > 3


# Every 40,009th float32, a prime: 107,351 of them, of every exponent; FASTBP_STRESS=40009 takes all.
STRIDE = max(1, int(40_009 / STRESS))


@pytest.mark.parametrize("activation", ELEMENTWISE)
def test_float32_from_end_to_end(isa, activation):
    predict, _ = one_neuron(activation, "float32")
    part = 2**22 * min(STRIDE, 2**9)
    for start in range(0, 2**32, part):
        bits = np.arange(start + -start % STRIDE, min(start + part, 2**32), STRIDE, dtype=np.uint64).astype(np.uint32)
        r = bits.view(np.float32)
        r = r[np.isfinite(r)]
        if r.size:
            with np.errstate(all="ignore"):
                expected = ELEMENTWISE[activation][0](r.astype(np.float64))
            assert_within_ulps(predict(r), expected, 3.25)
