"""FANN 2, Debian's libfann2, through ctypes: on-line learning by fann_train, prediction by fann_run.

Every argument is converted beforehand, so that a call costs what ctypes itself costs.
"""

import ctypes
import ctypes.util

import numpy as np

from fastbp.bench.peers import loop

NAME = "FANN"
# From fann_data.h.
LINEAR, SIGMOID, SIGMOID_SYMMETRIC = 0, 3, 5
TRAIN_INCREMENTAL, ERRORFUNC_LINEAR = 0, 0
# FANN's functions of a steepness s: sigmoid 1 / (1 + exp(-2 s r)), symmetric tanh(s r), linear s r.
ACTIVATIONS = {"sigmoid": (SIGMOID, 0.5), "tanh": (SIGMOID_SYMMETRIC, 1.0), "identity": (LINEAR, 1.0)}
LIBRARIES = {"float32": "floatfann", "float64": "doublefann"}


def library(dtype):
    path = ctypes.util.find_library(LIBRARIES[dtype])
    if path is None:
        raise ImportError(f"lib{LIBRARIES[dtype]} is not installed (Debian's package libfann2)")
    try:
        return ctypes.CDLL(path)
    except OSError as error:
        raise ImportError(f"{path} cannot be loaded: {error}") from None     # it is for another C library, say


def version():
    library("float32")
    return "2.2"


def prepare(workload, layers, X, T):
    names = {workload.hidden, workload.output}
    if not names <= set(ACTIVATIONS) or workload.job == "predict" or workload.batch > 1:
        return None
    fann = library(workload.dtype)
    real = np.ctypeslib.as_ctypes_type(np.dtype(workload.dtype))
    fann.fann_create_standard_array.restype = ctypes.c_void_p
    sizes = (ctypes.c_uint * len(workload.sizes))(*workload.sizes)
    net = ctypes.c_void_p(fann.fann_create_standard_array(len(sizes), sizes))
    for setter in ("hidden", "output"):
        name, steepness = ACTIVATIONS[getattr(workload, setter)]
        getattr(fann, f"fann_set_activation_function_{setter}")(net, name)
        # Steepnesses are of the network's own type.
        getattr(fann, f"fann_set_activation_steepness_{setter}")(net, real(steepness))
    fann.fann_set_training_algorithm(net, TRAIN_INCREMENTAL)
    fann.fann_set_train_error_function(net, ERRORFUNC_LINEAR)
    fann.fann_set_learning_rate(net, ctypes.c_float(workload.learning_rate))
    # Neurons are numbered through, each layer but the last ending with its bias neuron.
    first, starts = 0, []
    for size in workload.sizes:
        starts.append(first)
        first += size + 1
    fann.fann_get_total_connections.restype = ctypes.c_uint

    class Connection(ctypes.Structure):
        _fields_ = [("start", ctypes.c_uint), ("end", ctypes.c_uint), ("weight", real)]

    connections = (Connection * fann.fann_get_total_connections(net))()
    places = {}
    offset = 0
    for l, (W, b) in enumerate(layers):
        for i in range(len(W) + 1):
            for j in range(len(b)):
                places[starts[l] + i, starts[l + 1] + j] = offset + i * len(b) + j
        offset += W.size + b.size
    values = np.concatenate([np.ravel(part) for layer in layers for part in layer])
    fann.fann_get_connection_array(net, connections)
    for connection in connections:
        connection.weight = values[places[connection.start, connection.end]]
    fann.fann_set_weight_array(net, connections, len(connections))

    x = np.ascontiguousarray(X)
    t = np.ascontiguousarray(T)
    inputs = [ctypes.c_void_p(x[i].ctypes.data) for i in range(len(x))]
    targets = [ctypes.c_void_p(t[i].ctypes.data) for i in range(len(t))]
    if workload.job == "calls":
        fann.fann_run.restype = ctypes.POINTER(real)

        def outputs(pointer):
            return np.array(fann.fann_run(net, pointer)[:workload.sizes[-1]])

        return loop(fann.fann_run, [(net, pointer) for pointer in inputs]), lambda: [outputs(p) for p in inputs]

    def result():
        fann.fann_get_connection_array(net, connections)
        values = np.empty(len(connections), workload.dtype)
        for connection in connections:
            values[places[connection.start, connection.end]] = connection.weight
        return values

    if workload.job == "steps":
        return loop(fann.fann_train, [(net, *pair) for pair in zip(inputs, targets, strict=True)]), result
    rows = ctypes.POINTER(ctypes.POINTER(real))

    class TrainData(ctypes.Structure):
        """struct fann_train_data."""

        _fields_ = [("error", ctypes.c_int), ("log", ctypes.c_void_p), ("message", ctypes.c_void_p),
                    ("rows", ctypes.c_uint), ("inputs", ctypes.c_uint), ("outputs", ctypes.c_uint),
                    ("input", rows), ("output", rows)]

    fann.fann_create_train.restype = ctypes.POINTER(TrainData)
    data = fann.fann_create_train(len(x), workload.sizes[0], workload.sizes[-1])
    for own, given in ((data.contents.input, x), (data.contents.output, t)):
        for i in range(len(x)):
            ctypes.memmove(own[i], given[i].ctypes.data, given[i].nbytes)
    return lambda: fann.fann_train_epoch(net, data), result
