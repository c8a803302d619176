"""Saving, loading, pickling, copying; and every file that must be refused."""

import copy
import json
import pickle
import zlib

import numpy as np
import pytest

import fastbp
from fastbp import io


@pytest.fixture
def net(dtype):
    return fastbp.Network([2, 3, 1], ["gelu", "identity"], reduction="mean", dtype=dtype, seed=4)


def saved_and_loaded(net, path):
    net.save(path)
    return fastbp.load(path)


WAYS = {
    "save": saved_and_loaded,
    "save, path as str": lambda net, path: saved_and_loaded(net, str(path)),
    **{
        f"pickle protocol {protocol}": lambda net, path, protocol=protocol: pickle.loads(pickle.dumps(net, protocol))
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)
    },
    "copy": lambda net, path: net.copy(),
    "copy.copy": lambda net, path: copy.copy(net),
    "copy.deepcopy": lambda net, path: copy.deepcopy(net),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_twin_is_equal_and_independent(net, tmp_path, way):
    net.weights[0][0, 0] = -0.0  # bit for bit
    twin = way(net, tmp_path / "net.fastbp")
    for name in ["layer_sizes", "activations", "loss", "reduction", "dtype"]:
        assert getattr(twin, name) == getattr(net, name)
    assert twin.params.tobytes() == net.params.tobytes()

    before = net.params
    twin.train_step([1, 2], [3])
    assert (twin.params != before).any()
    np.testing.assert_array_equal(net.params, before)


def test_saving_replaces_the_file(tmp_path):
    path = tmp_path / "net.fastbp"
    fastbp.Network([50, 50]).save(path)
    fastbp.Network([2, 1]).save(path)
    assert fastbp.load(path).layer_sizes == (2, 1)
    assert list(tmp_path.iterdir()) == [path]


def test_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        fastbp.load(tmp_path / "nothing.fastbp")


# ------------------------------------------------------------------------------------------------------ bad files


@pytest.fixture
def refused(tmp_path):
    """refused(content) expects that load refuses a file of these bytes, naming the file, and returns the message."""

    def check(content):
        path = tmp_path / "bad.fastbp"
        path.write_bytes(content)
        with pytest.raises(fastbp.FormatError) as caught:
            fastbp.load(path)
        assert isinstance(caught.value, ValueError)
        assert str(path) in str(caught.value)
        return str(caught.value)

    return check


@pytest.fixture
def content(net):
    return io.dumps(net)


def test_truncated_at_every_length(content, refused):
    for length in range(len(content)):
        refused(content[:length])


def test_every_byte_damaged(content, refused):
    for position in range(len(content)):
        for flip in (0x01, 0x80, 0xFF):
            damaged = bytearray(content)
            damaged[position] ^= flip
            refused(bytes(damaged))


def test_something_behind_the_end(content, refused):
    refused(content + b"\0")
    refused(content + content)


@pytest.mark.parametrize("version", [io.FORMAT_VERSION + 1, 2**32 - 1])
def test_future_version(net, monkeypatch, refused, version):
    with monkeypatch.context() as future:
        future.setattr(io, "FORMAT_VERSION", version)
        content = io.dumps(net)
    assert f"version {version}" in refused(content)


class Bomb:
    """Unpickling it leaves a trace."""

    exploded = False

    def __reduce__(self):
        return setattr, (Bomb, "exploded", True)


FOREIGN = {
    "empty": b"",
    "text": b"layer_sizes: 2, 3, 1\n",
    "png": b"\x89PNG\r\n\x1a\n" + bytes(64),
    "npy": b"\x93NUMPY\x01\x00" + bytes(64),
    "zeros": bytes(4096),
    "pickle": pickle.dumps(Bomb()),
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_foreign_file(refused, content):
    assert "not a fastbp network" in refused(content)


def test_a_pickle_is_not_executed(refused):
    refused(pickle.dumps(Bomb()))
    refused(io.MAGIC + pickle.dumps(Bomb()))
    assert not Bomb.exploded


def forged(header, params):
    """A file whose checksum is right and whose content lies."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    body = io.PREFIX.pack(io.MAGIC, io.FORMAT_VERSION, len(text), len(params)) + text + params
    return body + io.CHECKSUM.pack(zlib.crc32(body))


HONEST = {
    "layer_sizes": [2, 1],
    "activations": ["tanh"],
    "loss": "squared_error",
    "loss_parameter": None,
    "reduction": "sum",
    "dtype": "float64",
}
LIES = [
    {"layer_sizes": [2, 2]},
    {"layer_sizes": [10**18, 10**18]},
    {"layer_sizes": [2, 0]},
    {"layer_sizes": [-2, -1]},
    {"layer_sizes": [2.0, 1]},
    {"layer_sizes": [True, 1, 1]},
    {"layer_sizes": [3]},
    {"layer_sizes": []},
    {"layer_sizes": "21"},
    {"layer_sizes": None},
    {"activations": ["tanh", "tanh"]},
    {"activations": ["os.system"]},
    {"activations": [["tanh"]]},
    {"activations": "tanh"},
    {"loss": "absolute"},
    {"loss": []},
    {"loss_parameter": 1.0},
    {"loss_parameter": "1"},
    {"loss": "huber", "loss_parameter": -1.0},
    {"reduction": "median"},
    {"dtype": "float32"},
    {"dtype": "object"},
    {"dtype": {}},
    {"extra": 1},
]


def test_forgery_is_good_enough(tmp_path):
    # What the next tests refuse is refused for its lie.
    path = tmp_path / "honest.fastbp"
    path.write_bytes(forged(HONEST, np.arange(3.0).tobytes()))
    np.testing.assert_array_equal(fastbp.load(path).params, [0, 1, 2])


@pytest.mark.parametrize("lie", LIES, ids=str)
def test_lying_header(refused, lie):
    refused(forged(HONEST | lie, bytes(24)))


@pytest.mark.parametrize("header", [b"", b"{}", b"[]", b"null", b"{", b"\xff", b"[" * 100_000, b"9" * 5000])
def test_header_that_is_none(refused, header):
    refused(forged(header, bytes(24)))


@pytest.mark.parametrize("size", [0, 23, 25, 32])
def test_wrong_number_of_parameters(refused, size):
    refused(forged(HONEST, bytes(size)))
