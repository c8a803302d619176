"""The fifteen activations and their slopes, each to 3 ulp, at every instruction set and in both dtypes.

A neuron with weight 1 and bias 0 hands r = x to its activation, so that predict gives g(x) and the Jacobian g'(x).
"""

from pathlib import Path

import numpy as np
import pytest
from reference import ACTIVATIONS, ELEMENTWISE, softmax

import fastbp
from fastbp import activations

# The truth is computed with at least 11 more bits, so that its own rounding is within a quarter ulp; where longdouble
# is only another name for float64 (MSVC, macOS on arm64) it may be off by 2.
EXTENDED = np.finfo(np.longdouble).nmant > np.finfo(np.float64).nmant
WIDER = {"float32": np.float64, "float64": np.longdouble}
ALLOWED = {"float32": 3.25, "float64": 3.25 if EXTENDED else 5}

SIGN_KEEPING = ["identity", "tanh", "leaky_relu", "elu", "silu", "gelu", "softsign", "sin"]
LIMITS = {  # g(-inf), g(inf)
    "identity": (-np.inf, np.inf),
    "threshold": (0, 1),
    "sigmoid": (0, 1),
    "tanh": (-1, 1),
    "relu": (0, np.inf),
    "leaky_relu": (-np.inf, np.inf),
    "elu": (-1, np.inf),
    "softplus": (0, np.inf),
    "silu": (0, np.inf),
    "gelu": (0, np.inf),
    "softsign": (-1, 1),
    "gaussian": (0, 0),
    "sin": (np.nan, np.nan),
    "exp": (0, np.inf),
}


def sample(dtype):
    """Net inputs densely where the functions bend, sparsely out to the ends of the dtype, and at awkward places."""
    info = np.finfo(dtype)
    exponents = np.arange(info.minexp - info.nmant, info.maxexp)
    magnitudes = np.concatenate(
        [
            np.linspace(0, 10, 40_001),
            np.linspace(10, 1.05 * np.log(float(info.max)), 2001),  # past the overflow and the underflow of exp
            np.arange(1, 400) * np.pi / 4,  # the zeros of sin, where its argument reduction shows
            np.ldexp(1.0, exponents),  # from the smallest denormal up
            np.ldexp(1.7, exponents[:-1]),
            [info.smallest_normal, np.nextafter(info.smallest_normal, 0, dtype=dtype), info.max],
        ]
    ).astype(dtype)
    return np.concatenate([-magnitudes, magnitudes])


def as_read(r):
    """r as the kernels read it: subnormal numbers are 0."""
    return np.where(abs(r) < np.finfo(r.dtype).smallest_normal, np.copysign(r.dtype.type(0), r), r)


def truth(activation, r):
    """g(r) and g'(r) in the wider dtype, and the r that they are for."""
    if activation == "gelu" and r.dtype == np.float64:
        lines = Path(__file__).with_name("gelu.txt").read_text().splitlines()
        table = np.array([line.split() for line in lines if not line.startswith("#")])
        return table[:, 0].astype(float), *table[:, 1:].astype(np.longdouble).T
    g, slope = ELEMENTWISE[activation]
    wide = as_read(r).astype(WIDER[r.dtype.name])
    with np.errstate(all="ignore"):
        return r, g(wide), slope(wide)


def one_neuron(activation, dtype):
    """The narrow path: one neuron, all of r as its samples. Returns the functions r -> g(r) and r -> g'(r)."""
    net = fastbp.Network([1, 1], activation, dtype=dtype, init=[1, 0])
    return lambda r: net.predict(r[:, None])[:, 0], lambda r: net.jacobian(r[:, None])[:, 0, 0]


def row_of_neurons(activation, dtype):
    """The wide path: sixteen neurons, each of which sees one input, so that a vector's lanes hold different r."""
    net = fastbp.Network([16, 16], activation, dtype=dtype, init=[(np.eye(16), np.zeros(16))])

    def rows(r):
        return np.resize(r, (-(-r.size // 16), 16))

    def slopes(r):
        return np.diagonal(net.jacobian(rows(r)), axis1=1, axis2=2).ravel()[: r.size]

    return lambda r: net.predict(rows(r)).ravel()[: r.size], slopes


def assert_within_ulps(actual, expected, allowed):
    """Distances are counted in units of the last place of the rounded truth; overflow must be where rounding has it.
    No result is subnormal, and what was so on the way to it has been 0: two least normal numbers of error count for
    nothing."""
    least = np.finfo(actual.dtype).smallest_normal
    assert not np.any((actual != 0) & (abs(actual) < least))
    with np.errstate(invalid="ignore"):
        expected = np.where(abs(actual - expected) <= 2 * least, actual, expected)
    with np.errstate(over="ignore"):
        rounded = expected.astype(actual.dtype)
    finite = np.isfinite(rounded)
    np.testing.assert_array_equal(actual[~finite], rounded[~finite])
    ulp = np.spacing(np.minimum(abs(rounded[finite]), np.finfo(rounded.dtype).max / 2))  # above, spacing overflows
    error = abs(actual[finite] - expected[finite]) / ulp.astype(expected.dtype)
    assert error.max(initial=0) <= allowed, f"{error.max()} ulp at sample {error.argmax()}"


@pytest.mark.parametrize("path", [one_neuron, row_of_neurons])
@pytest.mark.parametrize("activation", ELEMENTWISE)
def test_values_and_slopes(isa, dtype, activation, path):
    r, value, slope = truth(activation, sample(dtype))
    predict, slope_at = path(activation, dtype)
    assert_within_ulps(predict(r), value, ALLOWED[dtype])

    # A slope may be a difference (1 - a^2): it is held to 3 eps of max(|slope|, 1).
    # An infinite one would spoil its neighbours in the Jacobian, as 0 * inf.
    finite = abs(slope) < np.finfo(dtype).max
    r, slope = r[finite], slope[finite]
    error = abs(slope_at(r) - slope) / np.maximum(abs(slope), 1)
    assert error.max() <= ALLOWED[dtype] * np.finfo(dtype).eps, f"at r = {r[error.argmax()]!r}"


@pytest.mark.parametrize("width", [1, 16])
@pytest.mark.parametrize("activation", ELEMENTWISE)
def test_nan_and_infinities(isa, dtype, activation, width):
    net = fastbp.Network([1, width], activation, dtype=dtype, init=[(np.ones((1, width)), np.zeros(width))])
    a = net.predict([[np.nan], [-np.inf], [np.inf], [0.5]])
    expected = [np.nan, *LIMITS[activation]]
    np.testing.assert_array_equal(a[:3], np.tile(np.c_[expected], width))
    assert np.isfinite(a[3]).all()


@pytest.mark.parametrize("activation", SIGN_KEEPING)
def test_negative_zero_keeps_its_sign(isa, dtype, activation):
    net = fastbp.Network([1, 16], activation, dtype=dtype, init=[(np.ones((1, 16)), np.full(16, -0.0))])
    a = net.predict([[-0.0], [0.0]])
    np.testing.assert_array_equal(a, 0)
    np.testing.assert_array_equal(np.signbit(a), [[True] * 16, [False] * 16])


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_range_of_the_outputs(activation):
    net = fastbp.Network([2, 2], activation, init=[(np.eye(2), np.zeros(2))])
    r = np.append(sample("float64"), [-np.inf, np.inf])
    outputs = net.predict(np.c_[r, np.zeros_like(r)])
    row = activations.TABLE[activation]
    assert (row.low, row.high) == pytest.approx((np.nanmin(outputs), np.nanmax(outputs)), rel=1e-7)


@pytest.mark.parametrize("width", [2, 7, 8, 16, 33, 1000])
def test_softmax(isa, dtype, rng, width):
    r = np.concatenate([rng.normal(0, scale, (20, width)) for scale in (0.01, 1, 10, 1e4)]).astype(dtype)
    net = fastbp.Network([width, width], "softmax", dtype=dtype, init=[(np.eye(width), np.zeros(width))])
    y = net.predict(r)
    np.testing.assert_allclose(y.sum(axis=1), 1, rtol=width * np.finfo(dtype).eps)
    # r - max(r) is rounded before it is an exponent, where half a unit of it counts; the sum of the powers adds
    # at most one rounding for each.
    wide = r.astype(WIDER[dtype])
    allowed = (wide.max(axis=1, keepdims=True) - wide + width + 8) * np.finfo(dtype).eps
    assert (abs(y - softmax(wide)) <= allowed * softmax(wide) + np.finfo(dtype).smallest_normal).all()


def test_softmax_of_non_finite_rows(isa, dtype):
    net = fastbp.Network([3, 3], "softmax", dtype=dtype, init=[(np.eye(3), np.zeros(3))])
    big = np.finfo(dtype).max / 4
    y = net.predict([[big, big, -big], [np.nan, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(y[0], [0.5, 0.5, 0])
    assert np.isnan(y[1]).all()
    np.testing.assert_allclose(y[2], 1 / 3, rtol=4 * np.finfo(dtype).eps)


def test_every_activation_of_the_list_is_known():
    assert {fastbp.Network([1, 2], name).activations for name in ACTIVATIONS} == {(name,) for name in ACTIVATIONS}
