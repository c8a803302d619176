"""fastbp.interop.nnet beside R's nnet: what R has computed, and R itself where it is installed."""

import shutil
import subprocess

import numpy as np
import pytest

import fastbp
from fastbp.interop.nnet import from_nnet, to_nnet

X = np.array([[0.1, 0.8], [-0.5, 0.4], [0.7, -1.1], [1.2, 0.9], [-0.3, 0.2]])
# nnet 7.3-18, R 4.2.2: nnet(X, ..., size=3, linout=TRUE), its wts and its predictions.
WTS = [
    0.834164717640758502, 0.717796862346903985, -0.334426950775400633, -0.475164654021794475, 0.301723139322690681,
    -0.541942403157014807, -0.659564969616579622, 1.015680452313161286, 0.754855780634527518, -0.034044436589441694,
    0.077964378811634261, -0.896544168690920462, 1.705962574157423361, 0.212049615639824607, -0.047760777238386717,
    0.358993676715458343, -0.537115852445188668,
]
PREDICTED = [
    [0.626406390222102205, 0.011433879397832303], [0.247024539589312586, 0.133074812140611870],
    [0.046486223329812226, 0.211726326287617506], [1.033591935007210028, -0.115522911482903945],
    [0.236821322607249252, 0.137936946760755796],
]


def test_predictions_are_those_of_r():
    net = from_nnet([2, 3, 2], WTS, linout=True)
    assert net.activations == ("sigmoid", "identity")
    np.testing.assert_allclose(net.predict(X), PREDICTED, rtol=1e-14)
    assert to_nnet(net).tolist() == WTS


@pytest.mark.parametrize(("arguments", "output", "loss"), [
    ({}, "sigmoid", "squared_error"), ({"linout": True}, "identity", "squared_error"),
    ({"entropy": True}, "sigmoid", "binary_cross_entropy"), ({"softmax": True}, "softmax", "cross_entropy"),
])
@pytest.mark.parametrize("hidden", [0, 4])
def test_round_trip(arguments, output, loss, hidden):
    wts = np.random.default_rng(0).normal(size=4 * 3 + 3 * 5 if hidden else 3 * 3)
    net = from_nnet([2, hidden, 3], wts, **arguments)
    assert (net.activations[-1], net.loss, len(net.activations)) == (output, loss, 2 if hidden else 1)
    np.testing.assert_array_equal(to_nnet(net), wts)


@pytest.mark.parametrize(("n", "wts", "arguments", "message"), [
    ([2, 3], WTS, {}, "n must be"), ([2, -3, 2], WTS, {}, "n must be"), ([2, 2.5, 2], WTS, {}, "n must be"),
    ("abc", WTS, {}, "n must be"),
    ([2, 3, 2], WTS[1:], {}, r"wts must have the shape \(17,\) for n of \[2, 3, 2\], got \(16,\)$"),
    ([2, 3, 2], [*WTS, 1, 2, 3, 4], {}, "skip=TRUE"),
    ([0, 3, 2], WTS, {}, "wts must have|layer_sizes"),
    ([2, 3, 2], ["a"] * 17, {}, "wts must hold real numbers"),
    ([2, 3, 2], WTS, {"linout": True, "softmax": True}, "exclude each other"),
])
def test_what_is_no_such_network_is_refused(n, wts, arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        from_nnet(n, wts, **arguments)


@pytest.mark.parametrize("net", [fastbp.Network([2, 3, 3, 1]), fastbp.Network([2, 3, 1], "tanh", "identity"),
                                 fastbp.Network([2, 3, 1], "sigmoid", "exp")])
def test_networks_that_nnet_has_not(net):
    with pytest.raises(ValueError, match="one hidden layer"):
        to_nnet(net)


SCRIPT = """
library(nnet)
x <- matrix(scan("x", quiet=TRUE), ncol=2, byrow=TRUE)
wts <- scan("wts", quiet=TRUE)
model <- nnet(x, {targets}, size=3, Wts=wts, maxit=0, trace=FALSE{arguments})
cat(format(t(predict(model, x)), digits=17))
"""


@pytest.mark.parametrize(("output", "targets", "arguments"), [
    ("identity", "x", ", linout=TRUE"), ("sigmoid", "x > 0", ""), ("softmax", "class.ind(c(1, 2, 3, 1, 2))",
                                                                   ", softmax=TRUE")])
def test_r_predicts_from_the_weights_of_a_network(tmp_path, output, targets, arguments):
    if shutil.which("Rscript") is None:
        pytest.skip("R is not installed (Debian's r-base-core and r-cran-nnet)")
    n_outputs = 3 if output == "softmax" else 2
    net = fastbp.Network([2, 3, n_outputs], "sigmoid", output, seed=1)
    np.savetxt(tmp_path / "x", X, "%.17g")
    np.savetxt(tmp_path / "wts", to_nnet(net), "%.17g")
    script = SCRIPT.format(targets=targets, arguments=arguments)
    result = subprocess.run(["Rscript", "-e", script], cwd=tmp_path, capture_output=True, text=True)
    if "no package called" in result.stderr:
        pytest.skip("R's package nnet is not installed (Debian's r-cran-nnet)")
    assert result.returncode == 0, result.stderr
    np.testing.assert_allclose(np.array(result.stdout.split(), float).reshape(5, n_outputs), net.predict(X), rtol=1e-13)
