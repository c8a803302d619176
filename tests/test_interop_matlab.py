"""fastbp.interop.matlab: files as MATLAB would write them, by SciPy, and what genFunction's code would compute."""

import zlib
from pathlib import Path

import numpy as np
import pytest
from interop import refused

import fastbp

scipy_io = pytest.importorskip("scipy.io")
from fastbp.interop import matlab  # noqa: E402
from fastbp.interop.mat_file import Mat  # noqa: E402

RNG = np.random.default_rng(0)
X = RNG.uniform([10, -5, 1000], [20, 5, 1010], (9, 3))


def cell(*values, shape=None):
    array = np.empty(len(values), object)
    array[:] = values
    return array.reshape(shape or (1, len(values)))


def mapminmax(x, ymin=-1.0):
    gain = 2 / np.ptp(x, axis=0)
    return {"name": "mapminmax", "xoffset": x.min(axis=0)[:, None], "gain": gain[:, None], "ymin": ymin,
            "no_change": 0.0}


NOTHING = cell(shape=(1, 0))
NOTHING_REMOVED = {"name": "removeconstantrows", "remove": np.empty((1, 0)), "keep": np.arange(1.0, 4)[None]}
T = np.stack([X.sum(axis=1), X[:, 0] * 1e-3]).T


def variables(sizes=(3, 5, 2), transfer=("tansig", "purelin")):
    """The properties of a network, as the page has MATLAB save them."""
    n = len(sizes) - 1
    LW = cell(*[np.empty((0, 0))] * n * n, shape=(n, n))
    IW = cell(*[np.empty((0, 0))] * n, shape=(n, 1))
    IW[0, 0] = RNG.normal(size=(sizes[1], sizes[0]))
    for l in range(1, n):
        LW[l, l - 1] = RNG.normal(size=(sizes[l + 1], sizes[l]))
    return {
        "IW": IW, "LW": LW, "b": cell(*(RNG.normal(size=(size, 1)) for size in sizes[1:]), shape=(n, 1)),
        "transferFcn": cell(*transfer, shape=(n, 1)),
        "inputFcns": cell("removeconstantrows", "mapminmax"), "inputSettings": cell(NOTHING_REMOVED, mapminmax(X)),
        "outputFcns": cell("removeconstantrows", "mapminmax"), "outputSettings": cell(NOTHING_REMOVED, mapminmax(T)),
    }


FUNCTIONS = {
    "purelin": lambda n: n, "hardlim": lambda n: (n >= 0) * 1.0, "hardlims": lambda n: (n >= 0) * 2.0 - 1,
    "logsig": lambda n: 1 / (1 + np.exp(-n)), "tansig": lambda n: 2 / (1 + np.exp(-2 * n)) - 1,
    "poslin": lambda n: np.maximum(n, 0), "elliotsig": lambda n: n / (1 + abs(n)), "radbas": lambda n: np.exp(-n**2),
    "softmax": lambda n: np.exp(n) / np.exp(n).sum(axis=0),
}


def as_matlab(values, X):
    """What the function that genFunction writes does to columns."""
    def settings(name):
        return values[name].flat[-1]

    a = X.T
    if values["inputFcns"].size:
        a = (a - settings("inputSettings")["xoffset"]) * settings("inputSettings")["gain"] - 1
    for l, name in enumerate(values["transferFcn"].flat):
        W = values["IW"][0, 0] if l == 0 else values["LW"][l, l - 1]
        a = FUNCTIONS[name](W @ a + values["b"].flat[l])
    if values["outputFcns"].size:
        a = (a + 1) / settings("outputSettings")["gain"] + settings("outputSettings")["xoffset"]
    return a.T


def written(path, values, compressed=True):
    scipy_io.savemat(path, values, do_compression=compressed)
    return path


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("transfer", FUNCTIONS)
def test_network_computes_what_matlab_does(tmp_path, transfer, compressed):
    for sizes in [(3, 2), (3, 5, 2), (3, 5, 4, 2)]:
        values = variables(sizes, [transfer] * (len(sizes) - 2) + ["purelin"])
        net = matlab.load(written(tmp_path / "net.mat", values, compressed))
        assert net.dtype == "float64"
        assert net.layer_sizes == sizes
        np.testing.assert_allclose(net.predict(X), as_matlab(values, X), rtol=1e-10, atol=1e-10)


def test_a_pattern_network_has_probabilities(tmp_path):
    values = variables((3, 5, 2), ["tansig", "softmax"])
    values |= {"outputFcns": NOTHING, "outputSettings": NOTHING}
    net = matlab.load(written(tmp_path / "net.mat", values))
    assert net.activations == ("tanh", "softmax")
    np.testing.assert_allclose(net.predict(X), as_matlab(values, X), rtol=1e-10)


def test_weights_without_scaling_are_bit_exact(tmp_path):
    values = variables() | dict.fromkeys(("inputFcns", "inputSettings", "outputFcns", "outputSettings"), NOTHING)
    net = matlab.load(written(tmp_path / "net.mat", values))
    np.testing.assert_array_equal(net.weights[0], values["IW"][0, 0].T)
    np.testing.assert_array_equal(net.weights[1], values["LW"][1, 0].T)
    np.testing.assert_array_equal(net.biases[1], values["b"][1, 0][:, 0])


def test_mapstd_and_scaled_outputs_of_a_tansig(tmp_path):
    values = variables(transfer=("logsig", "tansig"))
    values["inputFcns"] = cell("mapstd")
    values["inputSettings"] = cell({"xmean": X.mean(axis=0)[:, None], "xstd": X.std(axis=0)[:, None], "ymean": 0.5,
                                    "ystd": 2.0})
    net = matlab.load(written(tmp_path / "net.mat", values))
    assert net.layer_sizes == (3, 5, 2, 2)
    x = (X - X.mean(axis=0)) / X.std(axis=0) * 2 + 0.5
    np.testing.assert_allclose(net.predict(X), as_matlab(values | {"inputFcns": NOTHING}, x), rtol=1e-9)


def test_no_bias(tmp_path):
    values = variables()
    values["b"][0, 0] = np.empty((0, 0))
    values |= {"inputFcns": NOTHING, "inputSettings": NOTHING}
    assert not matlab.load(written(tmp_path / "net.mat", values)).biases[0].any()


def changed(**changes):
    values = {**variables(), **changes}
    return {name: value for name, value in values.items() if value is not None}


BAD = {
    "no weights": (changed(IW=None), "must have the variable IW"),
    "no scaling": (changed(outputFcns=None), "must have the variable outputFcns"),
    "no cell": (changed(b=np.ones((2, 1))), "b must be a cell array"),
    "no names": (changed(transferFcn=cell(1.0, 2.0)), "cell array of names"),
    "transfer": (changed(transferFcn=cell("tribas", "purelin")), "layer 1 has the transfer function 'tribas'"),
    "few names": (changed(transferFcn=cell("tansig")), "of 1 names"),
    "two inputs": (changed(IW=cell(*[np.ones((5, 3))] * 4, shape=(2, 2))), "one input"),
    "cascade": (changed(IW=cell(np.ones((5, 3)), np.ones((2, 3)), shape=(2, 1))), "layer 2 must have weights"),
    "recurrent": (changed(LW=cell(*[np.ones((5, 5)), np.empty((0, 0)), np.ones((2, 5)), np.empty((0, 0))],
                                  shape=(2, 2))), "layer 1 must have weights"),
    "sizes": (changed(b=cell(np.ones((4, 1)), np.ones((2, 1)))), r"biases must have the shape \(5,\)"),
    "complex": (changed(b=cell(np.ones((5, 1)) * 1j, np.ones((2, 1)))), "b must be matrices of real numbers"),
    "texts": (changed(b=cell("a", "b")), "b must be matrices of real numbers"),
    "processing": (changed(inputFcns=cell("processpca"), inputSettings=cell({"a": 1.0})), "inputFcns has 'processpca'"),
    "removed": (changed(outputSettings=cell(NOTHING_REMOVED | {"remove": np.ones((1, 1))}, mapminmax(T))),
                "removed rows"),
    "no settings": (changed(inputSettings=cell(1.0, 2.0)), "must be a struct with the field"),
    "few settings": (changed(inputSettings=cell(1.0)), "inputSettings must be 2"),
    "field": (changed(outputSettings=cell(NOTHING_REMOVED, {"gain": 1.0})), "the field ymin"),
    "scaling of another size": (changed(inputSettings=cell(NOTHING_REMOVED, mapminmax(X[:, :2]))), "of 3 values"),
}


@pytest.mark.parametrize("name", BAD)
def test_other_networks_are_refused(tmp_path, name):
    values, message = BAD[name]
    refused(matlab.load, tmp_path, written(tmp_path / "net.mat", values).read_bytes(), message)


@pytest.mark.parametrize("content", [b"", b"MATLAB 5.0", bytes(128), bytes(124) + b"\0\1IX", b"\x89HDF" + bytes(600)])
def test_what_is_no_mat_file_is_refused(tmp_path, content):
    refused(matlab.load, tmp_path, content, "not a .mat file")


def test_other_versions_are_refused(tmp_path):
    content = bytearray(written(tmp_path / "net.mat", variables()).read_bytes())
    content[124:126] = b"\0\2"
    refused(matlab.load, tmp_path, bytes(content), "version 2; save it with -v7")


@pytest.mark.parametrize("compressed", [False, True])
def test_truncations_are_refused(tmp_path, compressed):
    content = written(tmp_path / "net.mat", variables(), compressed).read_bytes()
    for size in range(0, len(content), 7):
        refused(matlab.load, tmp_path, content[:size], "")


def test_what_would_be_huge_uncompressed_is_refused(tmp_path):
    bomb = zlib.compress(bytes(2**24), 9)
    content = written(tmp_path / "net.mat", variables()).read_bytes()[:128]
    content += (15).to_bytes(4, "little") + len(bomb).to_bytes(4, "little") + bomb
    refused(matlab.load, tmp_path, content, "many times as large")


def test_big_endian(tmp_path):
    # As an old Macintosh wrote it: only the header is looked at before SciPy is.
    content = b"MATLAB 5.0".ljust(124) + b"\1\0MI" + (14).to_bytes(4, "big") + (99).to_bytes(4, "big")
    refused(matlab.load, tmp_path, content, "truncated: an element of 99 bytes")


def test_devices_are_refused():
    with pytest.raises(fastbp.FormatError, match="regular file"):
        matlab.load("/dev/zero")


# ------------------------------------------------------------------------- the format, in files that MATLAB wrote

DATA = Path(scipy_io.__file__).parent / "matlab" / "tests" / "data"
KINDS = ("double", "matrix", "minus", "multi", "cell", "cellnest", "emptycell", "onechar", "string", "struct",
         "scalarcell")
FILES = [path for kind in KINDS for path in sorted(DATA.glob(f"test{kind}_[5-9]*.mat"))]


def same(value, expected):
    """Whether a value is what SciPy reads, where it is of a kind that a network's file has."""
    if expected.dtype.names:
        return all(same(value[name], expected[name].item()) for name in expected.dtype.names)
    if expected.dtype == object:
        return value.shape == expected.shape and all(map(same, value.flat, expected.flat))
    if np.iscomplexobj(expected):
        return value is None
    return value == expected.item() if isinstance(value, str) else np.array_equal(value, expected)


@pytest.mark.skipif(not FILES, reason="this SciPy came without its tests' data")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_of_matlab(path):
    expected = {name: value for name, value in scipy_io.loadmat(path).items() if not name.startswith("__")}
    values = Mat(path.read_bytes()).variables(expected)
    assert values.keys() == expected.keys()
    assert all(same(values[name], expected[name]) for name in expected)


@pytest.mark.parametrize("name", ["testsparse_7.4_GLNX86", "testcomplex_7.4_GLNX86", "testfunc_7.4_GLNX86",
                                  "testobject_7.4_GLNX86"])
def test_what_no_network_needs_is_none(name):
    path = DATA / f"{name}.mat"
    if not path.exists():
        pytest.skip("this SciPy came without its tests' data")
    names = [name for name, *_ in scipy_io.whosmat(path)]
    assert Mat(path.read_bytes()).variables(names) == dict.fromkeys(names)


def test_cells_in_cells_have_an_end(tmp_path):
    value = cell(1.0)
    for _ in range(20):
        value = cell(value)
    refused(matlab.load, tmp_path, written(tmp_path / "net.mat", {"IW": value}).read_bytes(), "not be in more than 8")


def test_a_variable_that_stands_twice_is_refused(tmp_path):
    content = written(tmp_path / "net.mat", {"b": cell(1.0)}).read_bytes()
    refused(matlab.load, tmp_path, content + content[128:], "the variable b stands twice")
