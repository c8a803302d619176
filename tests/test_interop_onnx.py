"""fastbp.interop.onnx: written files are run by ONNX Runtime, read ones come from three exporters."""

import io
import subprocess
import sys
from contextlib import redirect_stdout, suppress

import numpy as np
import pytest
from interop import KERAS_ACTIVATIONS, assert_same, refused

import fastbp
from fastbp.activations import TABLE

onnx = pytest.importorskip("onnx")
bridge = pytest.importorskip("fastbp.interop.onnx")
pytest.importorskip("sklearn")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from sklearn_pairs import DATA, recorded  # noqa: E402

X = np.vstack([np.linspace(-3, 3, 21), np.linspace(4, -40, 21), np.linspace(0, 1e-3, 21)]).T


def run(path, x):
    session = pytest.importorskip("onnxruntime").InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})


# ------------------------------------------------------------------------- export


@pytest.mark.parametrize("activation", TABLE)
def test_runtime_computes_what_predict_does(tmp_path, activation, dtype):
    net = fastbp.Network([3, 5, 4, 2], activation, dtype=dtype, seed=1)
    bridge.export(net, tmp_path / "net.onnx")
    model = onnx.load(tmp_path / "net.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 13)]
    x = X.astype(dtype)
    # ONNX Runtime's own functions of floats are within 2e-6; its sums round in another order.
    tolerance = 2e-6 if dtype == "float32" else 1e-13
    outputs, = run(tmp_path / "net.onnx", x)
    assert outputs.dtype == dtype
    np.testing.assert_allclose(outputs, net.predict(x), rtol=tolerance, atol=tolerance)
    for rows in (x[:1], x[:7]):     # the batch axis is free
        assert run(tmp_path / "net.onnx", rows)[0].shape == (len(rows), 2)


@pytest.mark.parametrize("activation", TABLE)
def test_round_trip_is_bit_exact(tmp_path, activation, dtype):
    net = fastbp.Network([3, 5, 4, 2], activation, dtype=dtype, seed=1)
    bridge.export(net, tmp_path / "net.onnx")
    assert_same(bridge.load(tmp_path / "net.onnx"), net)


def test_gelu_of_doubles(tmp_path):
    x = np.linspace(-12, 12, 4001)[:, None]
    net = fastbp.Network([1, 1], "gelu", init=[1.0, 0.0])
    bridge.export(net, tmp_path / "net.onnx")
    np.testing.assert_allclose(run(tmp_path / "net.onnx", x)[0], net.predict(x), rtol=0, atol=2e-15)


# ------------------------------------------------------------------------- exporters


MODULES = ["Identity", "Sigmoid", "Tanh", "ReLU", "LeakyReLU", "ELU", "Softplus", "SiLU", "GELU", "Softsign"]


@pytest.mark.parametrize("dynamo", [False, True])
@pytest.mark.parametrize("double", [False, True])
@pytest.mark.filterwarnings("ignore")
def test_from_pytorch(tmp_path, dynamo, double):
    torch = pytest.importorskip("torch")
    if dynamo:
        pytest.importorskip("onnxscript")
    layers = []
    for l, name in enumerate(MODULES):
        layers += [torch.nn.Linear(20, 20, bias=l != 3), getattr(torch.nn, name)(), torch.nn.Dropout(0.5)]
    module = torch.nn.Sequential(*layers, torch.nn.Linear(20, 3), torch.nn.Softmax(-1)).eval()
    module = module.double() if double else module
    x = torch.randn(7, 20, dtype=torch.float64 if double else torch.float32)
    with redirect_stdout(io.StringIO()):
        torch.onnx.export(module, (x,), str(tmp_path / "net.onnx"), dynamo=dynamo)
    net = bridge.load(tmp_path / "net.onnx")
    assert net.dtype == ("float64" if double else "float32")
    assert net.activations == ("identity", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "softplus", "silu", "gelu",
                               "softsign", "softmax")
    expected = module(x).detach().numpy()
    # Its softplus is the identity above 20, ours never.
    np.testing.assert_allclose(net.predict(x.numpy()), expected, rtol=1e-8 if double else 2e-5)
    weights = [p.detach().numpy() for p in module.parameters()]
    np.testing.assert_array_equal(net.weights[0], weights[0].T)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("name", ["binary", "multiclass", "regression"])
def test_from_scikit_learn(name, scaled, dtype, tmp_path):
    skl2onnx = pytest.importorskip("skl2onnx")
    from sklearn import neural_network
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, StandardScaler

    kind, x, y, more = DATA[name]
    estimator = getattr(neural_network, kind)(hidden_layer_sizes=(7, 4), random_state=1, max_iter=20, **more)
    if scaled:
        estimator = make_pipeline(StandardScaler(), MinMaxScaler(), estimator)
    recorded(lambda: estimator.fit(x, y))
    x = x.astype(dtype)
    (tmp_path / "net.onnx").write_bytes(skl2onnx.to_onnx(estimator, x[:1]).SerializeToString())
    outputs = bridge.load(tmp_path / "net.onnx").predict(x)
    expected = estimator.predict(x)[:, None] if name == "regression" else estimator.predict_proba(x)
    if name == "binary":
        expected = expected[:, 1:]
    np.testing.assert_allclose(outputs, expected, rtol=1e-9 if dtype == "float64" else 2e-4, atol=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_from_keras(tmp_path):
    pytest.importorskip("torch")    # Keras writes ONNX by way of PyTorch or TensorFlow
    keras = pytest.importorskip("keras")
    layers = keras.layers
    model = keras.Sequential([layers.Input((3,)), *(layers.Dense(5, name) for name in KERAS_ACTIVATIONS),
                              layers.LeakyReLU(0.01), layers.Dense(2, "softmax")])
    x = np.random.default_rng(1).normal(size=(9, 3)).astype(np.float32)
    expected = model.predict(x, verbose=0)
    with redirect_stdout(io.StringIO()):
        model.export(str(tmp_path / "net.onnx"), format="onnx", verbose=False)
    np.testing.assert_allclose(bridge.load(tmp_path / "net.onnx").predict(x), expected, rtol=1e-5)


# ------------------------------------------------------------------------- what is refused


def model_of(nodes, initializers=(), opset=13, inputs=("x",), outputs=("y",), domain=""):
    def value(name):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", None])
    tensors = [numpy_helper.from_array(np.asarray(array, np.float32), name) for name, array in initializers]
    graph = helper.make_graph(nodes, "g", [value(name) for name in inputs], [value(name) for name in outputs], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid(domain, opset)])


node = helper.make_node
W = ("W", [[1.0, 2.0], [3.0, 4.0]])
GEMM = node("Gemm", ["x", "W"], ["r"])
BAD = {
    "unsupported": (model_of([node("Conv", ["x", "W"], ["c"], name="first"), node("Resize", ["c"], ["y"])], [W]),
                    r"node 'first' \(Conv\)"),
    "unnamed": (model_of([GEMM, node("Selu", ["r"], ["y"])], [W]), r"the Selu that makes \['y'\]"),
    "alpha": (model_of([GEMM, node("LeakyRelu", ["r"], ["y"], alpha=0.2)], [W]), "LeakyRelu"),
    "newer opset": (model_of([GEMM], [W], opset=999), "opset 999.*pip install -U"),
    "circle": (model_of([node("Relu", ["y"], ["r"]), node("Relu", ["r"], ["y"])]), "sorted"),
    "constant circle": (model_of([node("Identity", ["b"], ["a"]), node("Identity", ["a"], ["b"]),
                                  node("Add", ["x", "a"], ["y"])]), "sorted"),
    "nothing makes it": (model_of([GEMM], [W]), "'y' is not an output of any node"),
    "two inputs": (model_of([GEMM], [W], inputs=("x", "z"), outputs=("r",)), "one input"),
    "two outputs": (model_of([GEMM, node("Relu", ["r"], ["y"])], [W], outputs=("y", "r")),
                    r"output must name one of .*'y', 'r'"),
    "no nodes": (model_of([]), "not an ONNX model"),
    "shared": (model_of([GEMM, node("Gemm", ["r", "W"], ["y"])], [W]), "'W' must belong to one layer"),
    "shared by another name": (model_of([node("Identity", ["W"], ["V"]), GEMM, node("Gemm", ["r", "V"], ["y"])], [W]),
                               "'W' must belong to one layer"),
    "sizes": (model_of([GEMM, node("Gemm", ["r", "V"], ["y"])], [W, ("V", np.ones((3, 1)))]), "2 rows"),
    "three axes": (model_of([node("MatMul", ["x", "V"], ["y"])], [("V", np.ones((2, 2, 2)))]), r"\(n_in, n_out\)"),
    "bias of another size": (model_of([GEMM, node("Add", ["r", "b"], ["y"])], [W, ("b", [1, 2, 3])]), "2 values"),
    "matrix is added": (model_of([GEMM, node("Add", ["r", "b"], ["y"])], [W, ("b", np.ones((2, 2)))]), "a row"),
    "activation first": (model_of([node("Relu", ["x"], ["r"]), node("Gemm", ["r", "W"], ["y"])], [W]), "first part"),
    "wide diagonal": (model_of([node("Gemm", ["x", "V"], ["r"]), node("Relu", ["r"], ["a"]),
                                node("Tanh", ["a"], ["y"])], [("V", np.ones((1, 3000)))]), "at most 65536"),
    "many diagonals": (model_of([node("Gemm", ["x", "V"], ["r0"]), *(
        node("Relu", [f"r{l}"], [f"r{l + 1}"]) for l in range(10)), node("Relu", ["r10"], ["y"])],
        [("V", np.ones((1, 100)))]), "at most 65536"),
    "rows change": (model_of([GEMM, node("Reshape", ["r", "s"], ["y"])], [W]), "Reshape"),
    "axis": (model_of([GEMM, node("Softmax", ["r"], ["y"], axis=0)], [W]), "Softmax"),
    "transposed samples": (model_of([node("Gemm", ["x", "W"], ["y"], transA=1)], [W]), "Gemm"),
    "one over x": (model_of([GEMM, node("Div", ["c", "r"], ["y"])], [W, ("c", 1.0)]), "Div"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_such_network_is_refused(name, tmp_path):
    model, message = BAD[name]
    refused(bridge.load, tmp_path, model.SerializeToString(), message)


def test_weights_that_are_not_floats_are_refused(tmp_path):
    model = model_of([node("MatMul", ["x", "V"], ["y"])])
    model.graph.initializer.append(numpy_helper.from_array(np.ones((2, 2), np.int8), "V"))
    refused(bridge.load, tmp_path, model.SerializeToString(), "floats or doubles, got the type 3")


def test_shapes_that_are_not_there_are_refused(tmp_path):
    model = model_of([node("MatMul", ["x", "W"], ["y"])], [W])
    model.graph.initializer[0].dims[:] = [2**31, 2**31]
    refused(bridge.load, tmp_path, model.SerializeToString(), "")


@pytest.mark.parametrize("location", ["../net.onnx", "/etc/passwd", "missing", "net.onnx"])
@pytest.mark.parametrize("length", ["16", str(2**60), "-16", "x", None])
def test_weights_elsewhere_are_refused(tmp_path, location, length):
    model = model_of([node("MatMul", ["x", "W"], ["y"])], [W])
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("length", length)):
        if value is not None:
            tensor.external_data.add(key=key, value=value)
    if (location, length) == ("net.onnx", "16"):
        (tmp_path / location).write_bytes(model.SerializeToString())
        assert bridge.load(tmp_path / location).layer_sizes == (2, 2)       # its own first bytes, as numbers
    else:
        refused(bridge.load, tmp_path, model.SerializeToString(), "")


def test_constants_elsewhere_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights").write_bytes(bytes(16))
    tensor = TensorProto(name="t", data_type=TensorProto.FLOAT, dims=[2, 2], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="weights")
    model = model_of([node("Constant", [], ["W"], value=tensor), node("MatMul", ["x", "W"], ["y"])])
    refused(bridge.load, tmp_path, model.SerializeToString(), "data")


def test_biases_may_be_shared(tmp_path):
    nodes = [node("Gemm", ["x", "W", "b"], ["r"]), node("Identity", ["b"], ["c"]), node("MatMul", ["r", "V"], ["s"]),
             node("Add", ["s", "c"], ["y"])]
    model = model_of(nodes, [W, ("V", W[1]), ("b", [5, 6])])
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    assert [b.tolist() for b in bridge.load(tmp_path / "net.onnx").biases] == [[5, 6], [5, 6]]


@pytest.mark.parametrize("content", [b"", b"\0", b"PK\3\4" * 10, b"\x08\x07" * 50, bytes(range(256))])
def test_what_is_not_onnx_is_refused(tmp_path, content):
    refused(bridge.load, tmp_path, content, "")


def test_every_truncation_is_refused_or_is_the_network(tmp_path):
    net = fastbp.Network([2, 3, 1], "silu", seed=1)
    bridge.export(net, tmp_path / "net.onnx")
    content = (tmp_path / "net.onnx").read_bytes()
    for size in range(len(content)):
        (tmp_path / "cut.onnx").write_bytes(content[:size])
        with suppress(fastbp.FormatError):
            assert_same(bridge.load(tmp_path / "cut.onnx"), net)    # what comes last is not needed


def test_devices_are_refused():
    with pytest.raises(fastbp.FormatError, match="/dev/zero: must be a regular file"):
        bridge.load("/dev/zero")


def test_without_onnx_the_extra_is_named():
    code = "import sys; sys.modules['onnx'] = None; import fastbp.interop.onnx"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert 'fastbp.interop.onnx needs onnx: pip install "fastbp[onnx]"' in result.stderr.splitlines()[-1]
