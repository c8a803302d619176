"""Matt Mazur, "A Step by Step Backpropagation Example" (2015), to its published digits.

Not tested: his 0.291027924 for E after one update, a known slip (his own weights give 0.291027774).
"""

import numpy as np
import pytest

import fastbp

X, T = np.array([0.05, 0.10]), np.array([0.01, 0.99])
W1, B1 = np.array([[0.15, 0.25], [0.20, 0.30]]), np.array([0.35, 0.35])
W2, B2 = np.array([[0.40, 0.50], [0.45, 0.55]]), np.array([0.60, 0.60])


@pytest.fixture
def net():
    return fastbp.Network([2, 2, 2], "logistic", init=[(W1, B1), (W2, B2)])


def test_forward_pass(net):
    hidden, outputs = net.backprop(X, T).outputs
    np.testing.assert_allclose(hidden, [0.593269992, 0.596884378], atol=5e-10)
    np.testing.assert_allclose(outputs, [0.75136507, 0.772928465], atol=5e-9)
    assert net.error(X, T) == pytest.approx(0.298371109, abs=5e-10)


def test_backward_pass(net):
    trace = net.backprop(X, T)
    assert trace.deltas[1][0] == pytest.approx(0.138498562, abs=5e-10)
    assert trace.weight_gradients[1][0, 0] == pytest.approx(0.082167041, abs=5e-10)
    assert trace.weight_gradients[0][0, 0] == pytest.approx(0.000438568, abs=5e-10)


def test_first_update(net):
    assert net.train_step(X, T, learning_rate=0.5) == pytest.approx(0.298371109, abs=5e-10)
    w1, w3, w2, w4 = net.weights[0].flat
    w5, w7, w6, w8 = net.weights[1].flat
    np.testing.assert_allclose([w1, w2, w3, w4], [0.149780716, 0.19956143, 0.24975114, 0.29950229], atol=5e-9)
    np.testing.assert_allclose([w5, w6, w7, w8], [0.35891648, 0.408666186, 0.511301270, 0.561370121], atol=5e-9)


def test_ten_thousand_rounds(net):
    for _ in range(10_000):
        error = net.train_step(X, T, learning_rate=0.5)
        net.biases[0][:], net.biases[1][:] = B1, B2  # he leaves the biases as they were
    assert error == pytest.approx(0.0000351085, abs=5e-11)
