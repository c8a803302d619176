"""ONNX Runtime, which predicts only: a graph of Gemm and activation nodes, its input and output bound once."""

import numpy as np
import onnx
import onnxruntime

from fastbp.bench.peers import loop

NAME = "ONNX Runtime"
OPERATORS = {"sigmoid": "Sigmoid", "tanh": "Tanh", "relu": "Relu"}


def version():
    return onnxruntime.__version__


def prepare(workload, layers, X, T):
    if workload.job not in ("calls", "predict"):
        return None
    helper, nodes, weights, name = onnx.helper, [], [], "x"
    for l, (W, b) in enumerate(layers):
        weights += [onnx.numpy_helper.from_array(W, f"W{l}"), onnx.numpy_helper.from_array(b, f"b{l}")]
        nodes.append(helper.make_node("Gemm", [name, f"W{l}", f"b{l}"], [f"r{l}"]))
        name = f"r{l}"
        operator = OPERATORS.get(workload.hidden if l + 1 < len(layers) else workload.output)
        if operator:
            nodes.append(helper.make_node(operator, [name], [f"a{l}"]))
            name = f"a{l}"
    rows = 1 if workload.job == "calls" else len(X)
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(workload.dtype))
    graph = helper.make_graph(nodes, "net", [helper.make_tensor_value_info("x", kind, [rows, workload.sizes[0]])],
                              [helper.make_tensor_value_info(name, kind, [rows, workload.sizes[-1]])], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    feeds = [{"x": x[None]} for x in X] if workload.job == "calls" else [{"x": X}]

    def result():
        return np.concatenate([session.run(None, feed)[0] for feed in feeds])

    return loop(session.run, [(None, feed) for feed in feeds]), result
