"""Bits that stay the same, instruction sets that agree, and numbers at the ends of their range."""

import contextlib
import hashlib
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from reference import ELEMENTWISE
from stress import STRESS
from test_activations import as_read, assert_within_ulps, one_neuron

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


def subnormals(dtype):
    info = np.finfo(dtype)
    return info.smallest_subnormal, np.nextafter(info.smallest_normal, 0, dtype=dtype)


@pytest.mark.parametrize("sizes", [[1, 1], [1, 40], [40, 1], [40, 40]], ids=str)
def test_subnormal_numbers_are_zero(isa, dtype, sizes):
    """They are 0 as inputs, results, gradients and updates; the smallest normal number is not."""
    least = np.finfo(dtype).smallest_normal
    net = fastbp.Network(sizes, "identity", dtype=dtype, init=[(np.eye(*sizes), np.zeros(sizes[1]))])
    n = min(sizes)
    for subnormal in subnormals(dtype):
        np.testing.assert_array_equal(net.predict(np.full((3, sizes[0]), subnormal)), 0)
        np.testing.assert_array_equal(net.predict(np.full(sizes[0], subnormal)), 0)
    np.testing.assert_array_equal(net.predict(np.full((3, sizes[0]), least))[:, :n], least)
    net.params = np.zeros(net.n_params)
    for m in (1, 2):
        X, T = np.ones((m, sizes[0])), np.full((m, sizes[1]), least)
        net.train_step(X, T, 0.25)
        np.testing.assert_array_equal(net.params, 0)
        assert not net.gradient(X, T / 2)[1].any()


def test_the_process_keeps_its_floating_point_mode(isa, dtype):
    """It does so in every call, however it ends, in a loss of the user's and in other threads."""
    seen = []

    def computes_with_them():
        small = np.array(subnormals(dtype), dtype)
        return bool((small * np.ones(2, dtype)).all()) and tiny * 1.0 != 0

    def loss(Y, T):
        seen.append(computes_with_them())
        if len(seen) == 3:
            raise KeyError
        return float(((Y - T) ** 2).sum()), 2 * (Y - T)

    tiny = 5e-324
    X, T = np.ones((3, 4), dtype), np.ones((3, 2), dtype)
    net, own = (fastbp.Network([4, 3, 2], "tanh", loss=kind, dtype=dtype, seed=1) for kind in ("squared_error", loss))
    bound = net.bind(X, T)
    calls = [lambda: net.predict(X), lambda: net.predict(X[0]), lambda: net.gradient(X, T), lambda: net.jacobian(X),
             lambda: net.backprop(X, T), lambda: net.input_gradient(X, T), lambda: net.train_step(X[0], T[0]),
             lambda: net.train_step(X, T, optimizer=fastbp.Adam()), lambda: net.fit(X, T, epochs=2), bound.predict,
             bound.step, lambda: own.gradient(X, T), lambda: own.train_step(X, T), lambda: own.backprop(X, T),
             lambda: net.copy().train_step(X, T, 1e300 if dtype == "float64" else 1e38)]
    for call in calls:
        with contextlib.suppress(KeyError, fastbp.DivergenceError):
            call()
        seen.append(computes_with_them())
    thread = threading.Thread(target=lambda: (net.predict(X), seen.append(computes_with_them())))
    thread.start()
    thread.join()
    assert len(seen) == len(calls) + 4 and all(seen)


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
                expected = ELEMENTWISE[activation][0](as_read(r).astype(np.float64))
            assert_within_ulps(predict(r), expected, 3.25)
