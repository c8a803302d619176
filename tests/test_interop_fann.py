"""fastbp.interop.fann beside libfann itself, where Debian's libfann2 is installed."""

import ctypes
import ctypes.util

import numpy as np
import pytest
from interop import refused

import fastbp
from fastbp.interop import fann

NAMES = {"float32": ("floatfann", ctypes.c_float), "float64": ("doublefann", ctypes.c_double)}
X = np.random.default_rng(0).uniform(-1, 1, (9, 3))


class Library:
    """libfann of one dtype."""

    def __init__(self, dtype):
        name, self.real = NAMES[dtype]
        if ctypes.util.find_library(name) is None:
            pytest.skip(f"lib{name} is not installed (Debian's package libfann2)")
        self.dtype, self.handle = dtype, ctypes.CDLL(f"lib{name}.so.2")
        for function in ("create_standard_array", "create_sparse_array", "create_shortcut_array", "run",
                         "read_train_from_file", "create_from_file"):
            getattr(self.handle, f"fann_{function}").restype = ctypes.c_void_p

    def __getattr__(self, name):
        return getattr(self.handle, f"fann_{name}")

    def network(self, sizes, kind="standard", *rate):
        sizes = (ctypes.c_uint * len(sizes))(*sizes)
        net = ctypes.c_void_p(getattr(self, f"create_{kind}_array")(*rate, len(sizes), sizes))
        self.randomize_weights(net, self.real(-1), self.real(1))
        return net

    def outputs(self, net, x, n_outputs, scaled=False):
        rows = []
        for row in x:
            inputs = (self.real * len(row))(*row)
            if scaled:
                self.scale_input(net, inputs)
            outputs = ctypes.cast(ctypes.c_void_p(self.run(net, inputs)), ctypes.POINTER(self.real))
            if scaled:
                self.descale_output(net, outputs)
            rows.append(outputs[:n_outputs])
        return np.array(rows)


@pytest.fixture
def library(dtype):
    return Library(dtype)


TOLERANCE = {"float32": 2e-6, "float64": 1e-13}
READABLE = [number for number, row in enumerate(fann.ACTIVATIONS) if len(row) > 1]


@pytest.mark.parametrize("number", READABLE, ids=[fann.ACTIVATIONS[number][0] for number in READABLE])
@pytest.mark.parametrize("steepness", [0.5, 1.0, 0.3])
def test_outputs_are_those_of_libfann(library, dtype, number, steepness, tmp_path):
    net = library.network([3, 5, 4, 2])
    library.set_activation_function_hidden(net, number)
    library.set_activation_function_output(net, number)
    library.set_activation_steepness_hidden(net, library.real(steepness))
    library.set_activation_steepness_output(net, library.real(0.7))
    assert library.save(net, str(tmp_path / "net.net").encode()) == 0
    ours = fann.load(tmp_path / "net.net")
    assert ours.dtype == "float64"
    np.testing.assert_allclose(ours.predict(X), library.outputs(net, X, 2), rtol=0, atol=TOLERANCE[dtype])


def test_a_steepness_for_each_neuron(library, dtype, tmp_path):
    net = library.network([3, 4, 2])
    library.set_activation_function_hidden(net, 5)
    library.set_activation_function_output(net, 3)
    for neuron, steepness in enumerate([0.1, 0.5, 0.9, 2.0]):
        library.set_activation_steepness(net, library.real(steepness), 1, neuron)
    library.save(net, str(tmp_path / "net.net").encode())
    np.testing.assert_allclose(fann.load(tmp_path / "net.net").predict(X), library.outputs(net, X, 2), rtol=0,
                               atol=TOLERANCE[dtype])


@pytest.mark.parametrize("output", [0, 3])     # LINEAR and SIGMOID
def test_scaling_is_folded(library, dtype, output, tmp_path):
    x = X * [1, 10, 100] + [5, 0, 1000]
    t = np.stack([x @ [1, 2, 3], x @ [-1, 0, 0.1]]).T
    fann.write_data(tmp_path / "t.data", x, t)
    data = ctypes.c_void_p(library.read_train_from_file(str(tmp_path / "t.data").encode()))
    net = library.network([3, 5, 2])
    library.set_activation_function_hidden(net, 5)
    library.set_activation_function_output(net, output)
    assert library.set_scaling_params(net, data, *map(ctypes.c_float, (-1, 1, 0, 1))) == 0
    library.save(net, str(tmp_path / "net.net").encode())
    ours = fann.load(tmp_path / "net.net")
    # libfann keeps these parameters as floats, and writes six decimals of them.
    again = ctypes.c_void_p(library.create_from_file(str(tmp_path / "net.net").encode()))
    expected = library.outputs(again, x, 2, scaled=True)
    np.testing.assert_allclose(ours.predict(x), expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_libfann_reads_what_is_written_and_the_other_way_round(library, dtype, tmp_path):
    t = X[:, :2] ** 2 + 1e-30
    fann.write_data(tmp_path / "ours.data", X, t)
    data = ctypes.c_void_p(library.read_train_from_file(str(tmp_path / "ours.data").encode()))
    assert (library.length_train_data(data), library.num_input_train_data(data),
            library.num_output_train_data(data)) == (9, 3, 2)
    assert library.save_train(data, str(tmp_path / "theirs.data").encode()) == 0
    for mine, theirs in zip((X, t), fann.read_data(tmp_path / "theirs.data"), strict=True):
        np.testing.assert_allclose(theirs, mine, rtol=1e-5, atol=1e-20)    # libfann writes six digits or so


@pytest.mark.parametrize(("kind", "rate"), [("sparse", (ctypes.c_float(0.5),)), ("shortcut", ())])
def test_other_connections_are_refused(library, kind, rate, tmp_path):
    library.save(library.network([3, 5, 2], kind, *rate), str(tmp_path / "net.net").encode())
    with pytest.raises(fastbp.FormatError, match="type 0"):
        fann.load(tmp_path / "net.net")


# ------------------------------------------------------------------------- without libfann


def test_data_round_trip_is_bit_exact(tmp_path):
    x, t = np.random.default_rng(1).normal(size=(20, 3)) * 10.0 ** np.arange(-300, 300, 30)[:, None], np.arange(20.0)
    fann.write_data(tmp_path / "t.data", x, t)
    again = fann.read_data(tmp_path / "t.data")
    np.testing.assert_array_equal(again[0], x)
    np.testing.assert_array_equal(again[1], t[:, None])


def test_data_may_be_broken_into_lines_anywhere(tmp_path):
    (tmp_path / "t.data").write_bytes(b"2 2 1 1\r\n2 3\n4 5 \n\n 6")
    X, T = fann.read_data(tmp_path / "t.data")
    assert (X.tolist(), T.tolist()) == ([[1, 2], [4, 5]], [[3], [6]])


@pytest.mark.parametrize(("content", "message"), [
    (b"", "begin with the numbers"),
    (b"2 2", "begin with the numbers"),
    (b"-1 2 1\n1 2 3", "begin with the numbers"),
    (b"1.5 2 1\n1 2 3", "begin with the numbers"),
    (b"0 2 1\n", "announces 0, 2 and 1"),
    (b"2 2 1\n1 2 3 4 5", "2 samples of 2 and 1 numbers, holds 5"),
    (b"1 2 1\n1 2 3 4", "holds 4"),
    (b"999999999999999999 999999999999999999 1\n1", "holds 1 numbers"),
    (b"1 2 1\n1 2 x", "holds something else"),
    (b"1 2 1\n1 2,3 4", "holds something else"),
    (b"1 2 1\n1 2 3\0", "holds something else"),
    (b"\xff\xfe1 2 1", "begin with the numbers"),
])
def test_bad_data_are_refused(tmp_path, content, message):
    refused(fann.read_data, tmp_path, content, message)


@pytest.mark.parametrize(("X", "T", "message"), [
    ([1, 2], [1, 2], "shapes"), ([[1], [2]], [1], "shapes"), ([], [], "shapes"), ([[np.nan]], [1], "finite"),
    ([[1]], [np.inf], "finite"), ([["a"]], [1], "X must hold real numbers"),
])
def test_bad_data_are_not_written(tmp_path, X, T, message):
    with pytest.raises((ValueError, TypeError), match=message):
        fann.write_data(tmp_path / "t.data", X, T)
    assert not [*tmp_path.iterdir()]


# As fann_save writes it, without the lines that are FANN's training; y = tanh(0.5 (2 x - 1)).
GOOD = """FANN_FLO_2.1
num_layers=2
connection_rate=1.000000
network_type=0
layer_sizes=2 2
scale_included=0
neurons (num_inputs, activation_function, activation_steepness)=(0, 0, 0.0) (0, 0, 0.0) (2, 5, 5.0e-01) (0, 5, 0.0)
connections (connected_to_neuron, weight)=(0, 2.0) (1, -1.0)
"""


def test_a_network_by_hand(tmp_path):
    (tmp_path / "net.net").write_text(GOOD)
    net = fann.load(tmp_path / "net.net")
    assert net.activations == ("tanh",)
    assert net.params.tolist() == [1.0, -0.5]


@pytest.mark.parametrize(("old", "new", "message"), [
    ("FANN_FLO_2.1", "FANN_FIX_2.0", "must begin with 'FANN_FLO_2.1'.* begins with 'FANN_FIX_2.0'"),
    ("FANN_FLO_2.1", "FANN_FLO_3.0", "begins with 'FANN_FLO_3.0'"),
    ("FANN", "\xff", "ascii"),
    ("network_type=0", "network_type=1", "type 0"),
    ("connection_rate=1.0", "connection_rate=0.5", "connection_rate 1"),
    ("layer_sizes=2 2", "layer_sizes=2", "two or more"),
    ("layer_sizes=2 2", "layer_sizes=2 1", "integers above 1"),
    ("layer_sizes=2 2", "layer_sizes=2 2.5", "integers above 1"),
    ("layer_sizes=2 2", "layer_sizes=2 1e300", "neurons and"),
    ("layer_sizes=2 2", "layer_sizes=2 inf", "integers above 1"),
    ("layer_sizes=2 2", "layer_sizes=nan 2", "integers above 1"),
    ("layer_sizes=2 2", "layer_sizes=3 2", "must have 5 neurons and 3 connections"),
    ("layer_sizes", "sizes", "must have a line 'layer_sizes'"),
    ("(0, 2.0)", "(1, 2.0)", "layer 1 must be fully connected"),
    ("(2, 5,", "(1, 5,", "layer 1 must be fully connected"),
    ("(0, 2.0) ", "", "has 4 and 1"),
    ("(0, 2.0) ", "2.0 ", "must have 2 numbers each"),
    ("2.0)", "two)", "something else"),
    ("(2, 5,", "(2, 12,", "layer 1 has the activation FANN_LINEAR_PIECE, which fastbp has not"),
    ("(2, 5,", "(2, 99,", "from 0 to 17, got 99"),
    ("(2, 5,", "(2, nan,", "from 0 to 17, got nan"),
    ("scale_included=0", "scale_included=1", "must have a line 'scale_mean_in'"),
])
def test_bad_networks_are_refused(tmp_path, old, new, message):
    assert old in GOOD
    refused(fann.load, tmp_path, GOOD.replace(old, new).encode("latin-1"), message)


def test_what_fann_creates_is_refused_with_what_to_set(library, tmp_path):
    library.save(library.network([3, 5, 2]), str(tmp_path / "net.net").encode())
    with pytest.raises(fastbp.FormatError, match=r"FANN_SIGMOID_STEPWISE.*_layer sets FANN_SIGMOID,"):
        fann.load(tmp_path / "net.net")


def test_several_activations_in_a_layer_are_refused(tmp_path):
    content = (GOOD.replace("layer_sizes=2 2", "layer_sizes=2 3").replace("(2, 5, 5.0e-01)", "(2, 5, 0.5) (2, 3, 0.5)")
               .replace("(1, -1.0)", "(1, -1.0) (0, 1.0) (1, 1.0)"))
    refused(fann.load, tmp_path, content.encode(), r"same activation_function in all neurons, got \[3.0, 5.0\]")


def test_every_truncation_is_refused_or_is_the_network(tmp_path):
    for size in range(len(GOOD)):
        (tmp_path / "net.net").write_text(GOOD[:size])
        try:
            net = fann.load(tmp_path / "net.net")
        except fastbp.FormatError:
            continue
        assert size > GOOD.index("-1")      # FANN's text does not say where its last number ends
        assert net.layer_sizes == (1, 1)
