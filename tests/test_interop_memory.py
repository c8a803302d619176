"""What the readers of fastbp.interop take, by tracemalloc: a small multiple of the file's size, as SECURITY.md says."""

import importlib
import tracemalloc

import numpy as np
import pytest

import fastbp
from fastbp.interop import fann


def of_onnx(path):
    pytest.importorskip("fastbp.interop.onnx", exc_type=ImportError).export(NET, path)


def of_safetensors(path):
    pytest.importorskip("fastbp.interop.safetensors", exc_type=ImportError).save(NET, path)


def of_matlab(compressed):
    def write(path):
        pytest.importorskip("scipy.io")
        from test_interop_matlab import variables, written

        values = variables((3, 2000, 2))
        values["IW"][0, 0] = np.ones((2000, 3), np.uint8)       # a byte for each double
        written(path, values, compressed)
    return write


def of_fann(path):
    n = 300     # as few digits as a weight can have
    path.write_text(f"FANN_FLO_2.1\nconnection_rate=1\nnetwork_type=0\nlayer_sizes={n + 1} {n + 1}\nscale_included=0\n"
                    f"neurons (a)={'(0,0,0)' * (n + 1)}{f'({n + 1},0,1)' * n}(0,0,0)\nconnections (b)="
                    f"{''.join(f'({i},0)' for i in range(n + 1)) * n}\n")


NET = fastbp.Network([200, 300, 50], "tanh", seed=1)
FILES = {
    "onnx": ("onnx", "load", of_onnx),
    "safetensors": ("safetensors", "load", of_safetensors),
    "fann": ("fann", "load", of_fann),
    "data": ("fann", "read_data", lambda path: fann.write_data(path, np.zeros((5000, 20)), np.zeros(5000))),
    "matlab": ("matlab", "load", of_matlab(False)),
    "matlab, compressed": ("matlab", "load", of_matlab(True)),
}


@pytest.mark.parametrize("name", FILES)
def test_memory_is_a_small_multiple_of_the_files_size(name, tmp_path):
    module, reader, write = FILES[name]
    path = tmp_path / "file"
    write(path)
    load = getattr(importlib.import_module(f"fastbp.interop.{module}"), reader)
    load(path)      # imports what it needs
    tracemalloc.start()
    try:
        load(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 30 * path.stat().st_size + 2**16
