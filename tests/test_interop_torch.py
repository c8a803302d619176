"""fastbp.interop.torch: equal outputs, equal gradients, equal bits."""

import subprocess
import sys

import numpy as np
import pytest
from interop import assert_same

import fastbp
from fastbp.activations import TABLE

torch = pytest.importorskip("torch")
bridge = pytest.importorskip("fastbp.interop.torch")
from torch import nn  # noqa: E402

X = np.random.default_rng(0).uniform(-1, 1, (9, 3))
T = np.random.default_rng(1).uniform(0.1, 0.9, (9, 2))


@pytest.mark.parametrize("activation", TABLE)
def test_outputs_and_gradients_are_those_of_the_network(activation, dtype):
    net = fastbp.Network([3, 5, 4, 2], activation, dtype=dtype, seed=1)
    module, x, t = bridge.to_torch(net), X.astype(dtype), T.astype(dtype)
    y = module(torch.from_numpy(x))
    assert str(y.dtype) == f"torch.{dtype}"
    tolerance = 1e-12 if dtype == "float64" else 1e-4
    np.testing.assert_allclose(y.detach().numpy(), net.predict(x), rtol=tolerance)
    ((y - torch.from_numpy(t)) ** 2 / 2).sum().backward()
    expected = net.backprop(x, t)
    for l, layer in enumerate(module[::2]):
        for got, of_ours in ((layer.weight.grad.numpy().T, expected.weight_gradients[l]),
                             (layer.bias.grad.numpy(), expected.bias_gradients[l])):
            np.testing.assert_allclose(got, of_ours, rtol=tolerance, atol=tolerance * max(1, np.abs(of_ours).max()))


@pytest.mark.parametrize("activation", TABLE)
def test_round_trip_is_bit_exact(activation, dtype):
    net = fastbp.Network([3, 5, 4, 2], activation, dtype=dtype, seed=1)
    net.weights[0][0, 0] = -0.0
    assert_same(bridge.from_torch(bridge.to_torch(net)), net)


def test_module_and_network_share_nothing():
    net = fastbp.Network([2, 1], seed=1)
    module = bridge.to_torch(net)
    before = net.params
    with torch.no_grad():
        module[0].weight += 1
    assert_same(bridge.from_torch(bridge.to_torch(net)), net)
    np.testing.assert_array_equal(net.params, before)


@pytest.mark.parametrize("double", [False, True])
def test_parts_that_are_left_out_and_nested(double):
    module = nn.Sequential(nn.Flatten(), nn.Linear(3, 4, bias=False), nn.Sequential(nn.ReLU(), nn.Dropout(0.9)),
                           nn.Linear(4, 4), nn.Linear(4, 2), nn.Identity(), nn.Softmax(dim=1)).eval()
    module = module.double() if double else module
    net = bridge.from_torch(module)
    assert net.activations == ("relu", "identity", "softmax")
    x = X.astype(net.dtype)
    np.testing.assert_allclose(net.predict(x), module(torch.from_numpy(x)).detach().numpy(), rtol=1e-5)


def test_a_single_layer():
    assert bridge.from_torch(nn.Linear(3, 2)).layer_sizes == (3, 2)


@pytest.mark.parametrize(("module", "message"), [
    (nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.LeakyReLU(0.2))),
     r"module\[1\]\[0\]: LeakyReLU must have negative_slope=0.01, got 0.2"),
    (nn.Sequential(nn.Linear(2, 2), nn.GELU("tanh")), r"module\[1\]: GELU must have approximate='none', got 'tanh'"),
    (nn.Sequential(nn.Linear(2, 2), nn.Softmax(dim=0)), "dim=-1, got 0"),
    (nn.Sequential(nn.Linear(2, 2), nn.Softplus(threshold=1)), "threshold=20.0, got 1"),
    (nn.Sequential(nn.Flatten(0), nn.Linear(2, 2)), "start_dim=1, got 0"),
    (nn.Sequential(nn.Conv1d(1, 1, 1)), r"module\[0\]: must be a Linear layer .*got Conv1d"),
    (nn.Sequential(nn.Linear(2, 2), nn.LogSoftmax(dim=-1)), "LogSoftmax"),
    (nn.Sequential(nn.Linear(2, 3), nn.Linear(2, 2)), r"module\[1\]: weights must have 3 rows"),
    (nn.Sequential(nn.ReLU(), nn.Linear(2, 2)), r"module\[0\]: the first part must be a layer"),
    (nn.Sequential(nn.Linear(2, 2).double(), nn.Linear(2, 2)), "float32 or of float64"),
    (nn.Linear(2, 2).half(), "float32 or of float64.*torch.float16"),
    (nn.ReLU(), r"float32 or of float64; .*got \[\]"),
])
def test_other_modules_are_refused(module, message):
    with pytest.raises(ValueError, match=message):
        bridge.from_torch(module)


def test_subclasses_may_compute_something_else():
    class Twice(nn.Linear):
        def forward(self, x):
            return 2 * super().forward(x)

    with pytest.raises(ValueError, match="got Twice"):
        bridge.from_torch(Twice(2, 2))


def test_without_pytorch_the_extra_is_named():
    code = "import sys; sys.modules['torch'] = None; import fastbp.interop.torch"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert 'fastbp.interop.torch needs PyTorch: pip install "fastbp[torch]"' in result.stderr.splitlines()[-1]
