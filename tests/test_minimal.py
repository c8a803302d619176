"""What every wheel runs, in seconds and with NumPy and pytest alone: it imports, computes, learns and is saved."""

import sys
import sysconfig

import numpy as np
import pytest

import fastbp

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
XOR = np.array([[0], [1], [1], [0]], float)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_predict_is_the_formula(dtype):
    net = fastbp.Network([2, 5, 3], "tanh", "sigmoid", dtype=dtype, seed=0)
    (W1, W2), (b1, b2) = net.weights, net.biases
    expected = 1 / (1 + np.exp(-(np.tanh(X @ W1 + b1) @ W2 + b2)))
    np.testing.assert_allclose(net.predict(X), expected, rtol=32 * np.finfo(dtype).eps)
    assert net.predict(X).dtype == dtype


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_xor_is_learned(dtype):
    # Explicit weights: whether two hidden neurons find XOR or a local minimum is decided where they start.
    init = [([[4, -4], [-4, 4]], [-1, -1]), ([[1], [1]], [0])]
    net = fastbp.Network([2, 2, 1], dtype=dtype, init=init)
    net.fit(X, XOR, epochs=2000, learning_rate=1.0, seed=0)
    np.testing.assert_array_equal(net.predict(X).round(), XOR)


def test_show_config_names_the_version_and_the_instruction_set(capsys):
    fastbp.show_config()
    printed = capsys.readouterr().out
    assert fastbp.__version__ in printed
    assert np.__version__ in printed
    for level in fastbp._dispatch.available():
        assert level in printed


def test_saved_network_comes_back(tmp_path):
    net = fastbp.Network([2, 3, 1], seed=0)
    net.save(tmp_path / "net.fastbp")
    np.testing.assert_array_equal(fastbp.load(tmp_path / "net.fastbp").predict(X), net.predict(X))


@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this Python has a GIL")
def test_a_free_threaded_python_stays_so():
    assert not sys._is_gil_enabled()
