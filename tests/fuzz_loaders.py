"""A fuzzer for what reads files: `python tests/fuzz_loaders.py CORPUS...` with atheris's (libFuzzer's) options.

Every input is tried as it is and, because a checksum guards the rest, as the header and body of a container that is
sound otherwise. test_corpus.py runs the inputs in tests/corpus without atheris.
"""

import contextlib
import os
import struct
import sys
import tempfile

import numpy as np

import fastbp
from fastbp import io
from fastbp.training import checkpoint, sources
from fastbp.training import fit as training

LENGTH = struct.Struct("<H")  # of the header, before header and body
NETWORK, CHECKPOINT, RAW = range(3)
X, T = np.linspace(-1, 1, 12).reshape(6, 2), np.linspace(0, 1, 6)
FILE = os.path.join(tempfile.gettempdir(), f"fastbp-fuzz-{os.getpid()}")
if os.path.isdir("/dev/shm"):
    FILE = f"/dev/shm/fastbp-fuzz-{os.getpid()}"


def fit(**how):
    net = fastbp.Network([2, 3, 1], "tanh", seed=1)
    return net, net.fit(X, T, batch_size=4, validation_data=(X, T), patience=9, optimizer=fastbp.Adam(0.01), **how)


def container(magic, data):
    (length,) = LENGTH.unpack_from(data)
    return io.pack(magic, data[2:2 + length], data[2 + length:])


def one_input(data):
    """Nothing but FormatError, and ValueError where a checkpoint does not fit; what is loaded works."""
    data = bytes(data)
    kind, data = data[0] % 3 if data else RAW, data[1:]
    if kind != RAW and len(data) < LENGTH.size:
        return
    if kind == CHECKPOINT or (kind == RAW and data.startswith(checkpoint.MAGIC)):
        with open(FILE, "wb") as file:
            file.write(data if kind == RAW else container(checkpoint.MAGIC, data))
        try:
            with contextlib.suppress(io.FormatError):
                checkpoint.read(FILE)
            with contextlib.suppress(ValueError, fastbp.DivergenceError):
                net, history = fit(epochs=4, resume=FILE)
                assert len(history) <= 4
                net.predict(X)
        finally:
            os.unlink(FILE)
        return
    with contextlib.suppress(io.FormatError):
        net = io.loads(data if kind == RAW else container(io.MAGIC, data))
        assert io.loads(io.dumps(net)).params.tobytes() == net.params.tobytes()
        if net.n_inputs < 1000:
            net.predict(np.zeros(net.n_inputs))


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
    try:
        fit(epochs=3, checkpoint=FILE)
        with open(FILE, "rb") as file:
            content = file.read()
        yield "checkpoint", unpacked(CHECKPOINT, content)
        yield "raw checkpoint", bytes([RAW]) + content
    finally:
        os.unlink(FILE)


if __name__ == "__main__":
    import atheris

    for module in (io, checkpoint, sources, training, fastbp.network):
        for function in list(vars(module).values()):
            if getattr(function, "__module__", None) == module.__name__ and hasattr(function, "__code__"):
                atheris.instrument_func(function)
    corpus = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), None)
    if corpus:
        os.makedirs(corpus, exist_ok=True)
        for name, content in seeds():
            with open(os.path.join(corpus, name), "wb") as file:
                file.write(content)
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
