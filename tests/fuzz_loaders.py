"""A fuzzer for what reads files: `python tests/fuzz_loaders.py CORPUS...` with atheris's (libFuzzer's) options.

Every input is tried as it is and, because a checksum guards the rest, as the header and body of a container that is
sound otherwise. The files of other libraries are those for which there is a reader in fastbp.interop and the library.
test_corpus.py runs the inputs in tests/corpus without atheris.
"""

import contextlib
import importlib
import io as bytes_io
import json
import os
import struct
import sys
import tempfile

import numpy as np

import fastbp
from fastbp import io
from fastbp.interop.chain import MOST_ON_DIAGONALS
from fastbp.training import checkpoint, random_states, run, sources
from fastbp.training import fit as training

LENGTH = struct.Struct("<H")  # of the header, before header and body
NETWORK, CHECKPOINT, RAW = range(3)
# Kinds of files from 3 on: the module of fastbp.interop, and its reader.
OTHERS = [("onnx", "load"), ("fann", "load"), ("fann", "read_data"), ("matlab", "load"), ("safetensors", "load")]
X, T = np.linspace(-1, 1, 12).reshape(6, 2), np.linspace(0, 1, 6)
FILE = os.path.join(tempfile.gettempdir(), f"fastbp-fuzz-{os.getpid()}")
if os.path.isdir("/dev/shm"):
    FILE = f"/dev/shm/fastbp-fuzz-{os.getpid()}"


def fit(generator="PCG64", **how):
    net = fastbp.Network([2, 3, 1], "tanh", seed=1)
    return net, net.fit(X, T, batch_size=4, validation_data=(X, T), patience=9, optimizer=fastbp.Adam(0.01),
                        schedule="step", dropout=0.1, seed=np.random.Generator(getattr(np.random, generator)(1)), **how)


def container(kind, data):
    (length,) = LENGTH.unpack_from(data)
    return io.pack(kind, data[2:2 + length], data[2 + length:])


def one_input(data):
    """Nothing but FormatError, and ValueError where a checkpoint does not fit; what is loaded works."""
    data = bytes(data)
    kind, data = data[0] % (3 + len(OTHERS)) if data else RAW, data[1:]
    if kind >= 3:
        other_file(*OTHERS[kind - 3], data)
        return
    if kind != RAW and len(data) < LENGTH.size:
        return
    if kind == CHECKPOINT or (kind == RAW and data.startswith(checkpoint.KIND.magic)):
        with open(FILE, "wb") as file:
            file.write(data if kind == RAW else container(checkpoint.KIND, data))
        try:
            try:
                generator = checkpoint.read(FILE)[0]["random"]["bit_generator"]
            except io.FormatError:
                return
            with contextlib.suppress(ValueError, fastbp.DivergenceError):
                net, history = fit(generator, epochs=4, resume=FILE)
                assert len(history) <= 4
                net.predict(X)
        finally:
            os.unlink(FILE)
        return
    with contextlib.suppress(io.FormatError):
        net = fastbp.Network.from_description(io.loads(data if kind == RAW else container(io.NETWORK, data)))
        assert io.loads(io.dumps(net)).params.tobytes() == net.params.tobytes()
        if net.n_inputs < 1000:
            net.predict(np.zeros(net.n_inputs))


def other_file(module, reader, data):
    """Nothing but FormatError; what is loaded works, and is no larger than what the file can say."""
    try:
        bridge = importlib.import_module(f"fastbp.interop.{module}")
    except ImportError:
        return
    with open(FILE, "wb") as file:
        file.write(data)
    try:
        with contextlib.suppress(io.FormatError):
            loaded = getattr(bridge, reader)(FILE)
            if reader == "read_data":
                assert sum(array.size for array in loaded) <= len(data)
            else:
                assert loaded.n_params <= 16 * len(data) + MOST_ON_DIAGONALS
                loaded.predict(np.zeros(loaded.n_inputs))
    finally:
        os.unlink(FILE)


def unpacked(kind, content):
    header, body = io.PREFIX.unpack_from(content)[2:]
    start = io.PREFIX.size
    return bytes([kind]) + LENGTH.pack(header) + content[start:start + header + body]


def seeds():
    """name: an input that is accepted."""
    yield "network", unpacked(NETWORK, io.dumps(fastbp.Network([2, 3, 1], seed=1)))
    huber = fastbp.Network([1, 2], "relu", loss=fastbp.Huber(2.0), dtype="float32", reduction="mean", seed=1)
    yield "huber", unpacked(NETWORK, io.dumps(huber))
    yield "raw", bytes([RAW]) + io.dumps(fastbp.Network([1, 1], seed=1))
    for generator in random_states.FORMS:
        content = saved(generator)
        yield f"checkpoint {generator}", unpacked(CHECKPOINT, content)
    yield "raw checkpoint", bytes([RAW]) + content
    for kind, (module, reader) in enumerate(OTHERS, 3):
        with contextlib.suppress(ImportError):
            importlib.import_module(f"fastbp.interop.{module}")
            yield f"{module} {reader}", bytes([kind]) + EXAMPLES[module, reader]()


def exported(module, write):
    """What a bridge writes of a network, which is of two layers and has an activation that ONNX lacks."""
    net = fastbp.Network([2, 3, 1], ["gelu", "identity"], seed=1)
    try:
        getattr(importlib.import_module(f"fastbp.interop.{module}"), write)(net, FILE)
        with open(FILE, "rb") as file:
            return file.read()
    finally:
        os.unlink(FILE)


def of_matlab():
    """A small network's properties, as MATLAB saves them."""
    from scipy.io import savemat

    def cell(*values, shape=None):
        array = np.empty(len(values), object)
        array[:] = values
        return array.reshape(shape or (1, len(values)))

    file, none = bytes_io.BytesIO(), np.empty((0, 0))
    scaling = {"xoffset": np.zeros((2, 1)), "gain": np.ones((2, 1)), "ymin": -1.0}
    savemat(file, {
        "IW": cell(np.eye(2), none, shape=(2, 1)), "LW": cell(none, none, np.ones((1, 2)), none, shape=(2, 2)),
        "b": cell(np.zeros((2, 1)), np.ones((1, 1)), shape=(2, 1)), "transferFcn": cell("tansig", "purelin"),
        "inputFcns": cell("mapminmax"), "inputSettings": cell(scaling), "outputFcns": cell(shape=(1, 0)),
        "outputSettings": cell(shape=(1, 0))})
    return file.getvalue()


EXAMPLES = {
    ("onnx", "load"): lambda: exported("onnx", "export"),
    ("fann", "load"): lambda: (
        b"FANN_FLO_2.1\nconnection_rate=1.0\nnetwork_type=0\nlayer_sizes=3 3 2\nscale_included=1\n"
        b"scale_mean_in=1 2\nscale_deviation_in=1 1\nscale_new_min_in=-1 -1\nscale_factor_in=1 1\n"
        b"scale_mean_out=0\nscale_deviation_out=1\nscale_new_min_out=0\nscale_factor_out=0.5\n"
        b"neurons (a)=(0, 0, 0) (0, 0, 0) (0, 0, 0) (3, 5, .5) (3, 5, .5) (0, 0, 0) (3, 10, .5) (0, 0, 0)\n"
        b"connections (b)=(0, 1) (1, 2) (2, 3) (0, -1) (1, -2) (2, 3) (3, 1) (4, 2) (5, 0)\n"),
    ("fann", "read_data"): lambda: b"2 2 1\n0.5 1\n-1\n1e3 -2\n1\n",
    ("matlab", "load"): of_matlab,
    ("safetensors", "load"): lambda: exported("safetensors", "save"),
}


def saved(generator):
    try:
        fit(generator, epochs=3, checkpoint=FILE)
        with open(FILE, "rb") as file:
            return file.read()
    finally:
        os.unlink(FILE)


# What makes a generator give the same number for ever, or read other memory.
STUCK = {"state": 0, "inc": 0}
HOSTILE = {
    "PCG64": [{"state": STUCK}, {"state": {"state": 1, "inc": 2}}, {"has_uint32": 2**31}, {"uinteger": -1}],
    "PCG64DXSM": [{"state": STUCK}, {"state": {"state": 2**128, "inc": 1}}],
    "MT19937": [{"state": {"key": [0] * 624, "pos": 0}}, {"state": {"key": [1] * 624, "pos": -2**30}},
                {"state": {"key": [1] * 624, "pos": 2**31 - 1}}, {"state": {"key": [1], "pos": 0}}],
    "Philox": [{"buffer_pos": -2**30}, {"buffer_pos": 2**30}, {"buffer": []}],
    "SFC64": [{"state": {"state": []}}, {"state": {"state": [-1] * 4}}],
}


def hostile():
    """name: an input that must be refused for the state of its generator."""
    for generator, states in HOSTILE.items():
        content = saved(generator)
        header_size = io.PREFIX.unpack_from(content)[2]
        body = content[io.PREFIX.size + header_size:-io.CHECKSUM.size]
        for number, state in enumerate(states):
            header = json.loads(content[io.PREFIX.size:io.PREFIX.size + header_size])
            header["random"].update(state)
            spoilt = io.pack(checkpoint.KIND, json.dumps(header).encode(), body)
            yield f"hostile-{generator}-{number}", unpacked(CHECKPOINT, spoilt)


if __name__ == "__main__":
    import atheris

    modules = [io, checkpoint, random_states, run, sources, training, fastbp.network]
    for name in {"chain", *(module for module, _ in OTHERS)}:
        with contextlib.suppress(ImportError):
            modules.append(importlib.import_module(f"fastbp.interop.{name}"))
    for module in modules:
        for thing in list(vars(module).values()):
            if getattr(thing, "__module__", None) == module.__name__:
                for function in [thing, *(vars(thing).values() if isinstance(thing, type) else ())]:
                    if hasattr(function, "__code__"):
                        atheris.instrument_func(function)
    corpus = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), None)
    if corpus:
        os.makedirs(corpus, exist_ok=True)
        for name, content in [*seeds(), *hostile()]:
            with open(os.path.join(corpus, name), "wb") as file:
                file.write(content)
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
