"""Saving, loading, pickling, copying; and every file that must be refused."""

import copy
import json
import os
import pickle
import stat
import threading
import tracemalloc

import numpy as np
import pytest

import fastbp
from fastbp import io
from fastbp.training import checkpoint


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


def save(path):
    fastbp.Network([2, 1]).save(path)


def save_checkpoint(path):
    fastbp.Network([2, 1]).fit([[0, 1]], [[1]], epochs=1, checkpoint=path)


WRITERS = pytest.mark.parametrize("write", [save, save_checkpoint])


@WRITERS
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o755])
def test_mode_of_the_file_is_kept(tmp_path, write, mode):
    path = tmp_path / "net.fastbp"
    path.touch()
    path.chmod(mode)
    write(path)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert path.stat().st_size > 0


@WRITERS
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_mode_of_a_new_file_is_that_of_the_umask(tmp_path, write, umask):
    before = os.umask(umask)
    try:
        write(tmp_path / "net.fastbp")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "net.fastbp").stat().st_mode) == 0o666 & ~umask


def test_nobody_reads_the_new_file_who_may_not_read_the_old_one(tmp_path, monkeypatch):
    path, modes, fsync = tmp_path / "net.fastbp", [], os.fsync
    path.touch()
    path.chmod(0o600)

    def look(descriptor):
        # The temporary file is complete now and has not yet taken the place of the old one.
        modes.extend(stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", look)
    save(path)
    assert modes == [0o600, 0o600]


def test_a_link_stays_a_link(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    save(link)
    assert link.is_symlink()
    assert fastbp.load(target).layer_sizes == (2, 1)


@pytest.mark.parametrize("name", ["missing/net.fastbp", "file/net.fastbp", "n" * 300, "link/net.fastbp"])
def test_what_cannot_be_written_is_named_as_the_user_named_it(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(OSError, match=r"^[^']*path cannot be written: [^']*: '[^']*'$") as caught:
        save(name)
    assert caught.value.filename == name
    assert ".tmp" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before
    kinds = {"missing/net.fastbp": FileNotFoundError, "file/net.fastbp": NotADirectoryError}
    assert type(caught.value) is kinds.get(name, type(caught.value))


def test_directory_is_not_replaced(tmp_path):
    with pytest.raises(FileExistsError, match=r"path: .* is not a regular file"):
        save(tmp_path)


@pytest.mark.parametrize("name", ["missing/net", "link/net", "directory"])
def test_a_checkpoint_that_cannot_be_written_is_named_as_the_user_named_it(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "directory").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    net = fastbp.Network([1, 1], seed=1)
    before = net.params
    with pytest.raises(OSError, match=rf"^checkpoint: .*'{name}'"):
        net.fit([[1.0]], [[0.0]], epochs=1, checkpoint=name)
    np.testing.assert_array_equal(net.params, before)


# --------------------------------------------------------------------------------- files that are more than they seem


class Endless:
    """A file that never ends, as /dev/zero; it counts what is read of it."""

    def __init__(self, content):
        self.content, self.read_so_far = content, 0

    def read(self, size):
        assert 0 <= size < 2**30
        piece = self.content[self.read_so_far:self.read_so_far + size].ljust(size, b"\0")
        self.read_so_far += size
        return piece

    def fileno(self):
        return self.zero.fileno()

    def __enter__(self):
        self.zero = open("/dev/zero", "rb")
        return self

    def __exit__(self, *_):
        self.zero.close()


LOADERS = {
    "load": (io.NETWORK, fastbp.load),
    "resume": (checkpoint.KIND, lambda path: fastbp.Network([2, 1]).fit([[0, 1]], [[1]], resume=path)),
}
LOADERS = pytest.mark.parametrize(("kind", "load"), LOADERS.values(), ids=LOADERS)


@LOADERS
def test_endless_device(kind, load):
    with pytest.raises(fastbp.FormatError, match=f"/dev/zero: not a fastbp {kind.name}"):
        load("/dev/zero")


@LOADERS
@pytest.mark.parametrize("sizes", [(10, 20), (0, 0), (100_000, 1_000_000)])
def test_no_more_is_read_than_the_prefix_promises(monkeypatch, kind, load, sizes):
    file = Endless(io.PREFIX.pack(kind.magic, kind.version, *sizes))
    monkeypatch.setattr(io, "open", lambda *_, **__: file, raising=False)
    with pytest.raises(fastbp.FormatError, match="trailing data"):
        load("endless")
    assert file.read_so_far == io.PREFIX.size + sum(sizes) + io.CHECKSUM.size + 1


@LOADERS
@pytest.mark.parametrize("sizes", [(10, 2**60), (2**32 - 1, 2**64 - 1)])
def test_no_more_is_allocated_than_is_there(tmp_path, kind, load, sizes):
    path = tmp_path / "promising"
    path.write_bytes(io.PREFIX.pack(kind.magic, kind.version, *sizes) + bytes(1000))
    tracemalloc.start()
    try:
        with pytest.raises(fastbp.FormatError, match="truncated: 1024 bytes"):
            load(path)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_pipe(tmp_path, net):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=[io.dumps(net)])
    writer.start()
    try:
        assert fastbp.load(path).params.tobytes() == net.params.tobytes()
    finally:
        writer.join()


# Written by the first version of fastbp. The files of version 1 stay readable, and are what is still written.
OLD = (
    b"\x89FASTBP\n\x01\x00\x00\x00\x80\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00"
    b'{"layer_sizes": [1, 1], "activations": ["tanh"], "loss": "huber", "loss_parameter": 0.5, "reduction": "sum", '
    b'"dtype": "float32"}\x00\x00\xc0?\x00\x00\x80\xbe%\x8a\xa3\xd0'
)


def test_old_file(tmp_path):
    path = tmp_path / "old.fastbp"
    path.write_bytes(OLD)
    net = fastbp.load(path)
    assert (net.layer_sizes, net.activations, net.loss) == ((1, 1), ("tanh",), fastbp.Huber(0.5))
    assert net.params.tolist() == [1.5, -0.25]
    assert io.dumps(net) == OLD


def test_description_is_what_was_saved(net):
    description = io.loads(io.dumps(net))
    assert io.dumps(description) == io.dumps(net)
    for name in io.Description._fields[:-1]:
        assert getattr(description, name) == getattr(net, name)
    assert description.params.tobytes() == net.params.tobytes()
    with pytest.raises(ValueError, match="read-only"):
        description.params[0] = 1


def test_attributes_beside_a_network(net, tmp_path, refused):
    attributes, path = {"plan": [1, {"of": "any kind"}, None]}, tmp_path / "net.fastbp"
    path.write_bytes(io.dumps(net, attributes))
    description, kept = io.read_network(path)
    assert kept == attributes
    assert fastbp.load(path).params.tobytes() == description.params.tobytes() == net.params.tobytes()
    net.save(path)
    assert io.read_network(path)[1] is None
    with pytest.raises(ValueError, match="JSON compliant"):
        io.dumps(net, {"loss": float("nan")})
    assert "attributes must be a dict, got 1" in refused(io.dumps(net, 1))
    with pytest.raises(fastbp.FormatError, match="truncated"):
        path.write_bytes(path.read_bytes()[:-1])
        io.read_network(path)


def test_subclass_is_made_of_a_description(net):
    class Mine(fastbp.Network):
        pass

    assert type(Mine.from_description(io.loads(io.dumps(net)))) is Mine


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


@pytest.mark.parametrize(("version", "age"), [(0, "an older"), (2, "a newer"), (2**32 - 1, "a newer")])
def test_other_version(net, monkeypatch, refused, version, age):
    with monkeypatch.context() as other:
        other.setattr(io, "NETWORK", io.NETWORK._replace(version=version))
        content = io.dumps(net)
    assert f"version {version}, written by {age} fastbp" in refused(content)


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
    refused(io.NETWORK.magic + pickle.dumps(Bomb()))
    assert not Bomb.exploded


def forged(header, params):
    """A file with the right checksum and false content."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return io.pack(io.NETWORK, text, params)


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
    {"loss": "huber"},
    {"loss": "huber", "loss_parameter": True},
    {"loss": "quantile", "loss_parameter": False},
    {"loss": "quantile", "loss_parameter": 1.0},
    {"loss": "huber", "loss_parameter": 10**400},
    {"loss": "huber", "loss_parameter": {}},
    {"loss": "cross_entropy"},
    {"loss": "\ud800"},
    {"activations": ["linear"]},
    {"activations": ["logistic"]},
    {"activations": ["tan\ud800"]},
    {"activations": [True]},
    {"loss": "huber", "loss_parameter": -1.0},
    {"reduction": "median"},
    # Spellings that users may write, but no network has.
    {"activations": ["Tanh"]},
    {"loss": "Squared-Error"},
    {"loss": "Huber"},
    {"reduction": "Sum"},
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


TEXT = json.dumps(HONEST)
HUBER = json.dumps(HONEST | {"loss": "huber", "loss_parameter": "HERE"})


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        *((TEXT.encode(encoding), "not JSON in UTF-8")
          for encoding in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")),
        (TEXT.replace("tanh", "\ud800").encode("utf-8", "surrogatepass"), "not JSON in UTF-8"),
        (TEXT.replace("{", '{"dtype": "float64", ').encode(), "key appears twice"),
        (TEXT.replace("{", '{"dtype": "float32", ').encode(), "key appears twice"),
        (TEXT.replace('"tanh"', '{"a": 1, "a": 1}').encode(), "key appears twice"),
        *((HUBER.replace('"HERE"', constant).encode(), f"{constant} is not a number")
          for constant in ("NaN", "Infinity", "-Infinity")),
        (HUBER.replace('"HERE"', "1e999").encode(), "delta must be above 0 and finite"),
    ],
)
def test_header_that_only_python_would_take(refused, header, reason):
    assert reason in refused(forged(header, bytes(24)))


def test_spaces_and_order_in_the_header_are_free():
    header = json.dumps(dict(reversed(HONEST.items())), indent=3)
    assert io.loads(forged(header.encode(), bytes(24))).layer_sizes == (2, 1)


@pytest.mark.parametrize("size", [0, 23, 25, 32])
def test_wrong_number_of_parameters(refused, size):
    refused(forged(HONEST, bytes(size)))
