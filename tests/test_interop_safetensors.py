"""fastbp.interop.safetensors: a network in, the same bits out; files that PyTorch can read."""

import json
import subprocess
import sys

import numpy as np
import pytest
from interop import assert_same, refused

import fastbp
from fastbp import io

safetensors = pytest.importorskip("safetensors.numpy")
bridge = pytest.importorskip("fastbp.interop.safetensors")


@pytest.mark.parametrize("loss", ["squared_error", fastbp.Huber(0.25)])
def test_round_trip_is_bit_exact(tmp_path, dtype, loss):
    net = fastbp.Network([3, 5, 1, 2], ["gelu", "sin", "identity"], loss=loss, reduction="mean", dtype=dtype, seed=1)
    net.weights[0][0, :2] = -0.0, np.nan
    bridge.save(net, tmp_path / "net.safetensors")
    again = bridge.load(tmp_path / "net.safetensors")
    assert_same(again, net)
    assert (again.loss, again.reduction) == (net.loss, net.reduction)


def test_tensors_are_those_of_pytorch(tmp_path, dtype):
    pytest.importorskip("torch")
    from safetensors.torch import load_file

    from fastbp.interop.torch import from_torch, to_torch

    net = fastbp.Network([3, 5, 2], "tanh", dtype=dtype, seed=1)
    bridge.save(net, tmp_path / "net.safetensors")
    module = to_torch(fastbp.Network([3, 5, 2], "tanh", dtype=dtype, seed=2))
    module.load_state_dict(load_file(tmp_path / "net.safetensors"))
    assert_same(from_torch(module), net)


def test_a_loss_of_ones_own_is_refused(tmp_path):
    with pytest.raises(ValueError, match="function of your own"):
        bridge.save(fastbp.Network([1, 1], loss=lambda Y, T: (0.0, Y)), tmp_path / "net")
    assert not [*tmp_path.iterdir()]


NET = fastbp.Network([2, 3, 1], seed=1)
TENSORS = {"0.weight": NET.weights[0].T.copy(), "0.bias": NET.biases[0].copy(), "2.weight": NET.weights[1].T.copy(),
           "2.bias": NET.biases[1].copy()}
HEADER = json.loads(io.header_of(NET))


def content(tensors=TENSORS, about=None, **changes):
    return safetensors.save(tensors, {"fastbp": json.dumps(HEADER | changes)} if about is None else about)


BAD = {
    "empty": (b"", "header too small"),
    "junk": (bytes(range(100)), ""),
    "header too long": ((2**60).to_bytes(8, "little") + b"{}", ""),
    "no metadata": (content(about={"a": "b"}), "must have the metadata 'fastbp'"),
    "no JSON": (content(about={"fastbp": "{"}), "the header is not JSON"),
    "a list": (content(about={"fastbp": "[]"}), "for each of the layers"),
    "a tensor is missing": (content({name: TENSORS[name] for name in ("0.weight", "0.bias", "2.weight")}), "each of"),
    "other names": (content({f"layer.{name}": tensor for name, tensor in TENSORS.items()}), "each of the layers"),
    "other sizes": (content(layer_sizes=[2, 4, 1]), r"layer 0 must be of the sizes \(4, 2\)"),
    "huge sizes": (content(layer_sizes=[2**40, 2**40, 1]), "layer 0 must be of the sizes"),
    "no sizes": (content(layer_sizes=["a", "b", "c"]), "layer 0 must be of the sizes"),
    "other dtype": (content(dtype="float32"), "the dtype 'float32'"),
    "half": (content({name: tensor.astype("f2") for name, tensor in TENSORS.items()}, dtype="float16"), "dtype"),
    "activation": (content(activations=["tanh", "gelo"]), "Did you mean 'gelu'"),
    "more keys": (content(more=1), "exactly"),
    "loss": (content(loss="cross_entropy"), "needs output_activation"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused(tmp_path, name):
    refused(bridge.load, tmp_path, *BAD[name])


def test_truncations_and_longer_files_are_refused(tmp_path):
    good = content()
    for size in range(len(good)):
        refused(bridge.load, tmp_path, good[:size], "")
    refused(bridge.load, tmp_path, good + b"\0", "")


def test_without_safetensors_the_extra_is_named():
    code = "import sys; sys.modules['safetensors'] = None; import fastbp.interop.safetensors"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert 'needs safetensors: pip install "fastbp[safetensors]"' in result.stderr.splitlines()[-1]
