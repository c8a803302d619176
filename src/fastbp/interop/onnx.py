"""Networks to ONNX files and back.

An activation is a small expression of ONNX's operators. The same expression is written by `export` and found by
`load`, which knows some more: those that other exporters write.
"""

from itertools import permutations
from math import isclose, sqrt
from operator import methodcaller
from pathlib import Path
from typing import NamedTuple

import numpy as np

try:
    import onnx
except ImportError as error:
    raise ImportError(f'fastbp.interop.onnx needs onnx: pip install "fastbp[onnx]" ({error})') from error
from google.protobuf.message import DecodeError
from onnx import TensorProto, external_data_helper, helper, numpy_helper

from fastbp import io
from fastbp._version import __version__
from fastbp.interop.chain import Chain, file_content, reading

OPSET = 13          # the first whose Softmax is that of rows; no operator below is newer
IR_VERSION = 8
KINDS = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}
DTYPES = {kind: np.dtype(name) for name, kind in KINDS.items()}


class Node(NamedTuple):
    """An operator on other nodes, numbers and "x"; its attributes are pairs of a name and a value."""

    operator: str
    inputs: tuple = ()
    attributes: tuple = ()
    domain: str = ""


def node(operator, *inputs, **attributes):
    return Node(operator, inputs, tuple(attributes.items()))


X = "x"
COMMUTATIVE = {"Add", "Mul", "Max", "Min"}

# Phi(-a) exp(a**2 / 2) = (1 + a P(a) / Q(a)) / (2 + 2 a), as in _kernels/vecmath.h: ONNX Runtime has no Erf for
# doubles.
GELU_P = ["0x1.9deeb30af263bp-3", "0x1.712dc46d15efep-3", "0x1.c577ec3704e94p-5", "-0x1.d9de142863fdap-8",
          "-0x1.9a6434c625c71p-7", "-0x1.567957125db4cp-8", "-0x1.4a619fbf85592p-10", "-0x1.947d023e59df0p-13",
          "-0x1.2d2373f81c49dp-16", "-0x1.b2d7415f65811p-21"]
GELU_Q = ["0x1.0000000000000p+0", "0x1.2ecfc456f8903p+1", "0x1.4d222aba9c9d1p+1", "0x1.c2129181163adp+0",
          "0x1.9ecb5a19c388fp-1", "0x1.118b0ea62e586p-2", "0x1.06b6cae04eee7p-4", "0x1.6d19932e3deecp-7",
          "0x1.6249316e69121p-10", "0x1.b6d61f55cb824p-14", "0x1.0cee555c42c2fp-18"]


def polynomial(a, coefficients):
    *lower, total = map(float.fromhex, coefficients)
    for coefficient in reversed(lower):
        total = node("Add", node("Mul", total, a), coefficient)
    return total


def gelu_of_doubles():
    a = node("Min", node("Abs", X), 39.0)       # beyond, exp(-a**2 / 2) is 0
    fraction = node("Div", node("Mul", a, polynomial(a, GELU_P)), polynomial(a, GELU_Q))
    tail = node("Div", node("Add", fraction, 1.0), node("Add", node("Mul", a, 2.0), 2.0))
    density = node("Exp", node("Mul", node("Mul", a, a), -0.5))
    return node("Sub", node("Max", X, 0.0), node("Mul", a, node("Mul", tail, density)))


def expm1_of_negatives():
    # 2 t / (1 - t) with t = tanh(r / 2): no difference of what is nearly equal.
    t = node("Tanh", node("Mul", node("Min", X, 0.0), 0.5))
    return node("Div", node("Mul", t, 2.0), node("Sub", 1.0, t))


GELU = node("Mul", node("Mul", X, 0.5), node("Add", node("Erf", node("Div", X, sqrt(2))), 1.0))

WRITTEN = {
    "threshold": node("Cast", node("GreaterOrEqual", X, 0.0), to=TensorProto.FLOAT),
    "sigmoid": node("Sigmoid", X),
    "tanh": node("Tanh", X),
    "relu": node("Relu", X),
    "leaky_relu": node("LeakyRelu", X, alpha=0.01),
    "elu": node("Elu", X, alpha=1.0),
    "softplus": node("Softplus", X),
    "silu": node("Mul", X, node("Sigmoid", X)),
    "gelu": GELU,
    "softsign": node("Softsign", X),
    "gaussian": node("Exp", node("Neg", node("Mul", X, X))),
    "sin": node("Sin", X),
    "exp": node("Exp", X),
    "softmax": node("Softmax", X, axis=-1),
}
# ONNX Runtime lacks these operators for doubles (1.32).
WRITTEN_FOR_DOUBLES = WRITTEN | {
    "threshold": node("Cast", node("GreaterOrEqual", X, 0.0), to=TensorProto.DOUBLE),
    "leaky_relu": node("Max", X, node("Mul", X, 0.01)),
    "elu": node("Add", node("Max", X, 0.0), expm1_of_negatives()),
    "softplus": node("Add", node("Max", X, 0.0),
                     node("Log", node("Add", node("Exp", node("Neg", node("Abs", X))), 1.0))),
    "gelu": gelu_of_doubles(),
    "softsign": node("Div", X, node("Add", node("Abs", X), 1.0)),
}
# What else is read, longer expressions before those that they contain.
READ = [
    *(("gelu", gelu) for gelu in (
        node("Gelu", X, approximate=b"none"),
        node("Mul", node("Mul", X, node("Add", node("Erf", node("Div", X, sqrt(2))), 1.0)), 0.5),
        node("Mul", X, node("Mul", node("Add", node("Erf", node("Div", X, sqrt(2))), 1.0), 0.5)))),
    ("softplus", node("Where", node("Greater", X, 20.0), X, node("Softplus", X))),      # PyTorch's
    *WRITTEN_FOR_DOUBLES.items(),
    *WRITTEN.items(),
    ("softmax", node("Softmax", X, axis=1)),
]


def export(net, path):
    """Write a network as an ONNX file, for opset 13: a Gemm and an activation for each layer.

    Parameters
    ----------
    net : fastbp.Network
        Its input is called "x" there, of shape (N, n_inputs) and the network's dtype, its output "y", of shape
        (N, n_outputs). N is free. Loss and reduction are not part of the file.
    path : str or os.PathLike
        An existing file is replaced once the new one is complete on disk.

    Raises
    ------
    ValueError
        If the model takes 2 GiB or more, which ONNX does not allow.
    OSError
        If it cannot be written; an existing file is then what it was.

    Notes
    -----
    Activations that ONNX lacks, or ONNX Runtime for doubles, are built from its operators: threshold, silu, gelu and
    gaussian; for doubles also leaky_relu, elu, softplus and softsign. Infinities take no limits there, and a threshold
    makes 0 of NaN.

    Examples
    --------
    >>> import fastbp
    >>> from fastbp.interop import onnx
    >>> onnx.export(fastbp.Network([2, 3, 1], "tanh", seed=1), "net.onnx")
    >>> onnx.load("net.onnx")
    Network([2, 3, 1], ['tanh', 'tanh'], float64, 13 parameters)
    """
    kind = KINDS[net.dtype.name]
    written = WRITTEN if net.dtype == np.float32 else WRITTEN_FOR_DOUBLES
    nodes, initializers, constants = [], [], {}

    def add(expression, x, name, done):
        """The name of the tensor that an expression of x gives."""
        if expression == X:
            return x
        if isinstance(expression, float):
            if expression not in constants:
                constants[expression] = f"c{len(constants)}"
                initializers.append(helper.make_tensor(constants[expression], kind, [], [expression]))
            return constants[expression]
        if expression not in done:      # what occurs twice is computed once
            inputs = [add(part, x, "", done) for part in expression.inputs]
            done[expression] = name or f"{x}_{len(done)}"
            nodes.append(helper.make_node(expression.operator, inputs, [done[expression]],
                                          **dict(expression.attributes)))
        return done[expression]

    x = "x"
    for l, (W, b, activation) in enumerate(zip(net.weights, net.biases, net.activations, strict=True), 1):
        initializers += [numpy_helper.from_array(np.ascontiguousarray(W), f"W{l}"),
                         numpy_helper.from_array(np.ascontiguousarray(b), f"b{l}")]
        a = "y" if l == len(net.weights) else f"a{l}"
        r = a if activation == "identity" else f"r{l}"
        nodes.append(helper.make_node("Gemm", [x, f"W{l}", f"b{l}"], [r]))
        x = r if activation == "identity" else add(written[activation], r, a, {})
    graph = helper.make_graph(
        nodes, "fastbp", [helper.make_tensor_value_info("x", kind, ["N", net.n_inputs])],
        [helper.make_tensor_value_info("y", kind, ["N", net.n_outputs])], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION,
                              producer_name="fastbp", producer_version=__version__)
    onnx.checker.check_model(model)
    io.write(path, model.SerializeToString())


def load(path, output=None):
    """Read the fully connected network that an ONNX file holds.

    Parameters
    ----------
    path : str or os.PathLike
        Of a file that PyTorch, Keras, skl2onnx, `export` or another exporter wrote. Weights in a second file beside
        it, as PyTorch leaves them, are read too.
    output : str, optional
        Name of the tensor that the network is to end with. By default that of the model's only output that is not one
        of labels.

    Returns
    -------
    Network
        With the dtype of the weights, or float64 where inputs are scaled, and the default loss: the file has none.

    Raises
    ------
    FormatError
        If the file is not ONNX, is for a newer opset than the installed onnx knows, is damaged, or holds anything but
        a chain of Gemm, MatMul, Add, Sub, Mul and Div with constants and of activations; the first node that is
        something else is named. It is a ValueError.
    OSError
        If the file cannot be read.

    Notes
    -----
    Scalings by constants are folded into the layers beside them; dropouts, flattenings and casts of inputs are left
    out. Of skl2onnx's classifiers the network gives the probabilities, and of two classes that of the second.

    See Also
    --------
    export : has an example.
    """
    with reading(path, DecodeError, ValueError, TypeError, OverflowError, onnx.checker.ValidationError) as name:
        model = onnx.load_model_from_string(file_content(path))
        newest = onnx.defs.onnx_opset_version()
        for opset in model.opset_import:
            if opset.domain in ("", "ai.onnx") and opset.version > newest:
                raise io.FormatError(f"is for the opset {opset.version}, and the installed onnx knows none after "
                                     f'{newest}: pip install -U "fastbp[onnx]"')
        if not model.graph.node:
            raise io.FormatError("is not an ONNX model: it has no graph of nodes")
        load_external(model, Path(name).parent)
        onnx.checker.check_model(model)     # nodes have the inputs, outputs and attributes of their operators, in order
        return Reader(model.graph).network(output)


def load_external(model, directory):
    """Read what PyTorch has put into a file beside the model; onnx refuses one elsewhere."""
    announced, tensors = {}, [tensor for tensor in model.graph.initializer
                              if tensor.data_location == TensorProto.EXTERNAL]
    for tensor in tensors:
        about = {entry.key: entry.value for entry in tensor.external_data}
        if not {"location", "length"} <= about.keys() or int(about["length"]) < 0:
            raise io.FormatError(f"the tensor {tensor.name!r} must have the location and the length of its data")
        location = about["location"]
        announced[location] = announced.get(location, 0) + int(about["length"])
    for location, size in announced.items():
        file = directory / location
        if not file.is_file() or file.stat().st_size < size:
            raise io.FormatError(f"the {size} bytes of weights in {location!r} are not there")
    for tensor in tensors:
        external_data_helper.load_external_data_for_tensor(tensor, str(directory))
        tensor.data_location = TensorProto.DEFAULT
        del tensor.external_data[:]


class Reader:
    """Goes from the output of a graph back to its input; what does not lie on the way is not looked at."""

    def __init__(self, graph):
        self.graph = graph
        self.producers = {name: node for node in graph.node for name in node.output}
        self.initializers = {tensor.name: tensor for tensor in graph.initializer}
        self.constants = {}     # those that were asked for: arrays, and the names of the tensors that they are of
        self.used = set()       # such names

    def network(self, output):
        inputs = [value.name for value in self.graph.input if value.name not in self.initializers]
        if len(inputs) != 1:
            raise io.FormatError(f"the graph must have one input, got {inputs}")
        tensor, parts = self.end() if output is None else output, {}    # by what they make, the last first
        while tensor != inputs[0]:
            parts[tensor], tensor = self.part_before(tensor)
        chain = Chain()
        for tensor, part in reversed(parts.items()):
            try:
                part(chain)
            except ValueError as error:
                raise io.FormatError(f"{described(self.producers[tensor])}: {error}") from error
        return chain.network()

    def end(self):
        """The output that is not one of labels."""
        ends = [value.name for value in self.graph.output
                if not value.type.HasField("tensor_type") or value.type.tensor_type.elem_type in DTYPES]
        if len(ends) != 1:
            raise io.FormatError(f"output must name one of the model's outputs {ends}")
        return ends[0]

    def part_before(self, tensor):
        """What makes the tensor, as a function of a Chain, and the tensor that it makes it of."""
        node = self.producers.get(tensor)
        if node is None:
            raise io.FormatError(f"nothing in the graph makes the tensor {tensor!r}")
        for name, expression in READ:
            for x in self.matches(expression, tensor, None):
                return methodcaller("activation", name), x
        if node.op_type in PARTS and node.domain in ("", "ai.onnx.ml"):
            found = PARTS[node.op_type](self, node)
            if found:
                return found
        for expression in CLASSIFIERS:
            for x in self.matches(expression, tensor, None):
                return leave_out, x
        raise io.FormatError(self.unsupported(node))

    def unsupported(self, node):
        """The first node of the graph that nobody could read, which is a better name than where the way back ended."""
        known = {*PARTS, "Constant", "Transpose", *operators(READ)}
        first = next((n for n in self.graph.node if n.op_type not in known), node)
        return (f"the {described(first)} is not one of a fully connected network: Gemm, MatMul, constants that are "
                "added or multiplied, or an activation that fastbp has")

    # ---------------------------------------------------------------- constants

    def constant(self, name):
        """The array that a tensor holds whatever the input is, or None."""
        if name not in self.constants:
            self.constants[name] = self.compute_constant(name)
        return self.constants[name][0]

    def compute_constant(self, name):
        changes, nothing = [], (None, None)
        while name in self.producers:
            node = self.producers[name]
            if node.op_type == "Constant":
                break
            if node.op_type not in ("Identity", "Transpose", "Cast"):
                return nothing
            changes.append(node)
            name = node.input[0]
        tensor = self.initializers.get(name)
        if tensor is None and name in self.producers:
            tensor = next((a.t for a in self.producers[name].attribute if a.name == "value"), None)
        if tensor is None:
            return nothing
        if tensor.data_location == TensorProto.EXTERNAL:
            raise io.FormatError(f"the tensor {name!r} must not have its data in another file")
        if tensor.data_type not in (*DTYPES, TensorProto.INT64):     # of weights, and of the shapes of Reshape
            raise io.FormatError(f"the tensor {name!r} must hold floats or doubles, got the type {tensor.data_type}")
        array = numpy_helper.to_array(tensor)
        for node in reversed(changes):
            if node.op_type == "Transpose":
                array = np.transpose(array, attribute(node, "perm"))
            elif node.op_type == "Cast":
                array = array.astype(DTYPES.get(attribute(node, "to"), array.dtype))
        return array, name

    def floats(self, name):
        """A constant of floats, or None; exporters let layers share biases that are equal."""
        array = self.constant(name)
        if array is not None and array.dtype not in DTYPES.values():
            raise io.FormatError(f"the tensor {name!r} must hold floats or doubles, got {array.dtype}")
        return array

    def weights(self, name):
        """The matrix of a layer, or None; a network shares none, and a small file could use one many times."""
        array = self.floats(name)
        if array is not None:
            _, source = self.constants[name]
            if source in self.used:
                raise io.FormatError(f"the weights {source!r} must belong to one layer only")
            self.used.add(source)
        return array

    def operand(self, node):
        """(the tensor, the constant, whether the constant comes first) of a node of two inputs, or None."""
        if len(node.input) != 2:
            return None
        first, second = node.input
        for tensor, constant, is_first in ((first, second, False), (second, first, True)):
            values = self.floats(constant)
            if values is not None:
                return tensor, values, is_first
        return None

    # ---------------------------------------------------------------- activations

    def matches(self, expression, tensor, x):
        """Each tensor that "x" can stand for where the expression makes the tensor; `x` is it where that is known."""
        if expression == X:
            if x in (None, tensor):
                yield tensor
        elif isinstance(expression, float):
            value = self.constant(tensor)
            if value is not None and value.size == 1 and isclose(value.item(), expression, rel_tol=1e-6):
                yield x
        else:
            node = self.producers.get(tensor)
            if (node is None or (node.op_type, node.domain) != (expression.operator, expression.domain)
                    or len(node.input) != len(expression.inputs)
                    or not all(is_attribute(node, *pair) for pair in expression.attributes)):
                return
            for inputs in permutations(node.input) if node.op_type in COMMUTATIVE else [node.input]:
                yield from self.all_match(expression.inputs, inputs, x)

    def all_match(self, expressions, tensors, x):
        if not expressions:
            yield x
            return
        for found in self.matches(expressions[0], tensors[0], x):
            yield from self.all_match(expressions[1:], tensors[1:], found)


# ------------------------------------------------------------------------- the rest of what a chain is made of
# Each makes a part of a node: a function of a Chain, and the tensor before it; or None where the node is of another
# use.


def leave_out(chain):
    """For what changes nothing."""


def gemm(reader, node):
    W = reader.weights(node.input[1])
    b = reader.floats(node.input[2]) if len(node.input) > 2 and node.input[2] else None
    if W is None or (b is None and len(node.input) > 2) or attribute(node, "transA"):
        return None
    alpha, beta = attribute(node, "alpha"), attribute(node, "beta")
    W = W.T if attribute(node, "transB") else W

    def part(chain):
        chain.affine(W if alpha == 1 else alpha * W)
        if b is not None:
            chain.scaling(1, vector(b) * beta)
    return part, node.input[0]


def matmul(reader, node):
    W = reader.weights(node.input[1])
    return W if W is None else (lambda chain: chain.affine(W), node.input[0])


def arithmetic(change):
    """For a node that a constant c changes x by: `change` makes a factor and an offset of c and whether it is first."""
    def read(reader, node):
        found = reader.operand(node)
        if found is None:
            return None
        tensor, c, is_first = found
        scaling = change(vector(c).astype(np.float64), is_first)
        return scaling and (lambda chain: chain.scaling(*scaling), tensor)
    return read


def scaler(reader, node):
    offset, scale = (np.array(attribute(node, name) or default) for name, default in (("offset", 0.0), ("scale", 1.0)))

    def part(chain):
        chain.scaling(1.0, -offset)
        chain.scaling(scale)
    return part, node.input[0]


def unchanged(reader, node):
    return leave_out, node.input[0]


def cast(reader, node):
    return (leave_out, node.input[0]) if attribute(node, "to") in DTYPES else None


def flatten(reader, node):
    return (leave_out, node.input[0]) if attribute(node, "axis") == 1 else None


def reshape(reader, node):
    shape = reader.constant(node.input[1])
    if shape is None or len(shape) != 2 or shape[0] not in (-1, 0):
        return None

    def part(chain):
        if chain.width not in (None, shape[1]) and tuple(shape) != (0, -1):
            raise ValueError(f"rows of {chain.width} values must stay rows, and the shape is {shape.tolist()}")
    return part, node.input[0]


PARTS = {
    "Gemm": gemm,
    "MatMul": matmul,
    "Add": arithmetic(lambda c, is_first: (1.0, c)),
    "Sub": arithmetic(lambda c, is_first: (-1.0, c) if is_first else (1.0, -c)),
    "Mul": arithmetic(lambda c, is_first: (c, 0.0)),
    "Div": arithmetic(lambda c, is_first: None if is_first else (1 / c, 0.0)),
    "Scaler": scaler,       # of ai.onnx.ml, which skl2onnx writes for floats
    "Identity": unchanged,
    "Dropout": unchanged,
    "Cast": cast,
    "Flatten": flatten,
    "Reshape": reshape,
}
# What skl2onnx's classifiers do with probabilities: those of both classes, and a dictionary of them.
CLASSIFIERS = [node("Concat", node("Sub", 1.0, X), X, axis=1), Node("ZipMap", (X,), domain="ai.onnx.ml")]


def vector(array):
    """A constant that is added to rows, or multiplied with them, as a vector."""
    if array.size != (array.shape[-1] if array.ndim else 1):
        raise ValueError(f"a constant must be a number or a row, got the shape {array.shape}")
    return array.ravel()


def attribute(node, name):
    """An attribute of a node, or its default."""
    found = next((a for a in node.attribute if a.name == name), None)
    if found is None:
        schema = onnx.defs.get_schema(node.op_type, node.domain)
        found = schema.attributes[name].default_value if name in schema.attributes else None
    return None if found is None else helper.get_attribute_value(found)


def is_attribute(node, name, value):
    found = attribute(node, name)
    return isclose(found, value, rel_tol=1e-6) if isinstance(found, float) else found == value


def described(node):
    return f"node {node.name!r} ({node.op_type})" if node.name else f"{node.op_type} that makes {[*node.output]}"


def operators(expressions):
    """The operators of pairs of a name and an expression."""
    for _, expression in expressions:
        if isinstance(expression, Node):
            yield expression.operator
            yield from operators((None, part) for part in expression.inputs)
