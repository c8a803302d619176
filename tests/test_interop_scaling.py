"""Scalings folded into a network."""

import numpy as np
import pytest

import fastbp
from fastbp.interop.chain import Chain
from fastbp.interop.scaling import fold

X = np.linspace(-2, 3, 21).reshape(7, 3)
MEAN, SCALE = np.array([1.0, -20.0, 0.5]), np.array([0.5, 3.0, -2.0])


@pytest.mark.parametrize("output", ["identity", "sigmoid"])
def test_folded_network_takes_and_gives_the_unscaled(output, dtype):
    net = fastbp.Network([3, 5, 2], "tanh", output, dtype=dtype, loss="huber", reduction="mean", seed=1)
    folded = fold(net, input_mean=MEAN, input_scale=SCALE, output_mean=[3.0, 4.0], output_scale=10.0)
    expected = net.predict(((X - MEAN) / SCALE).astype(dtype)) * 10.0 + [3.0, 4.0]
    np.testing.assert_allclose(folded.predict(X), expected, rtol=1e3 * np.finfo(dtype).eps)
    assert (folded.dtype, folded.loss, folded.reduction) == (net.dtype, net.loss, net.reduction)
    assert folded.layer_sizes == ((3, 5, 2) if output == "identity" else (3, 5, 2, 2))


def test_nothing_to_fold_leaves_the_bits(dtype):
    net = fastbp.Network([3, 5, 2], "tanh", dtype=dtype, seed=1)
    net.biases[0][0] = -0.0
    assert np.asarray(fold(net).params).tobytes() == np.asarray(net.params).tobytes()


@pytest.mark.parametrize("ratio", [1, 100, 10_000])
def test_rounding_grows_with_the_mean_over_the_scale(ratio, dtype):
    """What docs/interop.md says: 6 epsilon times the ratio, or less."""
    rng = np.random.default_rng(ratio)
    for seed in range(10):
        net = fastbp.Network([8, 20, 3], "tanh", "identity", seed=seed)
        scale = rng.uniform(0.1, 10, 8)
        x = (ratio * scale + scale * rng.normal(size=(500, 8))).astype(dtype).astype("float64")
        expected = net.predict((x - ratio * scale) / scale)
        small = fastbp.Network(net.layer_sizes, net.activations, dtype=dtype, init=net.params)
        outputs = fold(small, input_mean=ratio * scale, input_scale=scale).predict(x.astype(dtype))
        np.testing.assert_allclose(outputs, expected, rtol=0, atol=(20 + 6 * ratio) * np.finfo(dtype).eps)


@pytest.mark.parametrize(("arguments", "message"), [
    ({"input_mean": [1.0, 2.0]}, r"input_mean must be a number or have the shape \(3,\), got \(2,\)"),
    ({"input_scale": [1.0, 0.0, 2.0]}, "input_scale must be finite and not 0"),
    ({"output_scale": 0}, "output_scale must be finite and not 0"),
    ({"output_mean": np.nan}, "output_mean must be finite"),
    ({"output_mean": "1"}, "output_mean must hold real numbers"),
])
def test_bad_scalings_are_refused(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        fold(fastbp.Network([3, 2]), **arguments)


def test_scaling_a_probability_is_refused_for_its_loss():
    net = fastbp.Network([3, 2], "softmax", loss="cross_entropy")
    with pytest.raises(ValueError, match="needs output_activation 'softmax'"):
        fold(net, output_scale=2.0)


def test_scalings_in_a_row_and_behind_activations():
    chain = Chain()
    chain.scaling(2.0)
    chain.scaling([1.0, 2.0, 3.0], 1.0)
    chain.affine(np.ones((3, 2)), [0.5, 1.5])
    chain.scaling(0.25, [1.0, 2.0])
    chain.activation("tanh")
    chain.scaling(3.0, -1.0)
    chain.activation("sin")
    chain.activation("exp")
    r = np.add((2 * X * [1, 2, 3] + 1).sum(axis=1, keepdims=True), [0.5, 1.5])
    a = np.tanh(r * 0.25 + [1, 2])
    net = chain.network()
    assert net.activations == ("tanh", "sin", "exp")
    np.testing.assert_allclose(net.predict(X), np.exp(np.sin(3 * a - 1)), rtol=1e-12)
