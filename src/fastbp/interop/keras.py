"""Networks from Keras 3 models, and models from networks, whatever Keras's backend."""

try:
    import keras
except ImportError as error:
    raise ImportError('fastbp.interop.keras needs Keras 3: pip install "fastbp[keras]", and a backend, whose name is '
                      f"in the environment variable KERAS_BACKEND unless it is TensorFlow ({error})") from error
import numpy as np
from keras import activations, layers, ops

from fastbp.interop.chain import Chain


@keras.saving.register_keras_serializable("fastbp")
def threshold(r):
    """1 where r >= 0, else 0; the slope is taken as 1, as in fastbp."""
    return ops.cast(r >= 0, r.dtype) + (r - ops.stop_gradient(r))


@keras.saving.register_keras_serializable("fastbp")
def gaussian(r):
    """exp(-r**2)."""
    return ops.exp(-r * r)


@keras.saving.register_keras_serializable("fastbp")
def sin(r):
    """sin r."""
    return ops.sin(r)


# leaky_relu is a layer of its own: the function has another slope.
FUNCTIONS = {
    "identity": activations.linear,
    "threshold": threshold,
    "sigmoid": activations.sigmoid,
    "tanh": activations.tanh,
    "relu": activations.relu,
    "elu": activations.elu,
    "softplus": activations.softplus,
    "silu": activations.silu,
    "gelu": activations.gelu,
    "softsign": activations.softsign,
    "gaussian": gaussian,
    "sin": sin,
    "exp": activations.exponential,
    "softmax": activations.softmax,
}
NAMES = {function: name for name, function in FUNCTIONS.items()}
# Layers that are an activation, with the numbers that they must have to be fastbp's.
LAYERS = {
    layers.ReLU: ("relu", {"max_value": None, "negative_slope": 0, "threshold": 0}),
    layers.LeakyReLU: ("leaky_relu", {"negative_slope": 0.01}),
    layers.ELU: ("elu", {"alpha": 1}),
    layers.Softmax: ("softmax", {"axis": -1}),
}
LEFT_OUT = layers.InputLayer, layers.Dropout, layers.Flatten, layers.Identity


def from_keras(model):
    """The network that a Keras model computes.

    Parameters
    ----------
    model : keras.Sequential
        Built, of Dense layers with activations that fastbp has, and of the layers Activation, ReLU, LeakyReLU of slope
        0.01, ELU of alpha 1 and Softmax. Another Sequential may be a part of it. Normalization and Rescaling are
        folded into the weights; InputLayer, Dropout, Flatten and Identity are left out.

    Returns
    -------
    Network
        With copies of the parameters, in their dtype, or in float64 where inputs are scaled; and the default loss.

    Raises
    ------
    ValueError
        If a layer is another one, or has other numbers; it is named. If its weights are neither float32 nor float64.

    Examples
    --------
    >>> import keras
    >>> from fastbp.interop.keras import from_keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, "tanh"), keras.layers.Dense(1)])
    >>> from_keras(model)
    Network([2, 3, 1], ['tanh', 'identity'], float32, 13 parameters)
    """
    chain = Chain()
    add(chain, model)
    return chain.network()


def add(chain, layer):
    """Add what a layer does to a chain."""
    if type(layer) is keras.Sequential:
        for part in layer.layers:
            try:
                add(chain, part)
            except ValueError as error:
                raise ValueError(f"{layer.name}, {error}" if type(part) is keras.Sequential
                                 else f"layer {part.name!r}: {error}") from error
    elif type(layer) is layers.Dense:
        values = arrays(layer.weights)
        if len(values) != 1 + layer.use_bias or any(value.dtype not in ("float32", "float64") for value in values):
            raise ValueError("must be built and have weights of float32 or float64, has "
                             f"{[value.dtype.name for value in values]}")
        chain.affine(*values)
        add_activation(chain, layer.activation)
    elif type(layer) is layers.Activation:
        add_activation(chain, layer.activation)
    elif type(layer) in LAYERS:
        name, numbers = LAYERS[type(layer)]
        for attribute, wanted in numbers.items():
            got = getattr(layer, attribute)
            if got != wanted and not (wanted and np.isclose(got, wanted, rtol=1e-6)):
                raise ValueError(f"{type(layer).__name__} must have {attribute}={wanted}, got {got}")
        chain.activation(name)
    elif type(layer) is layers.Normalization:
        mean, variance = (np.ravel(value).astype(np.float64) for value in arrays([layer.mean, layer.variance]))
        scale = np.maximum(np.sqrt(variance), keras.config.epsilon())
        chain.scaling(*((scale, mean) if layer.invert else (1 / scale, -mean / scale)))
    elif type(layer) is layers.Rescaling:
        chain.scaling(layer.scale, layer.offset)
    elif type(layer) not in LEFT_OUT:
        raise ValueError(f"must be a Dense layer or an activation that fastbp has, got {type(layer).__name__}")


def arrays(values):
    return [ops.convert_to_numpy(value) for value in values]


def add_activation(chain, function):
    name = NAMES.get(function)
    if name is None:
        raise ValueError(f"must have an activation that fastbp has, got {getattr(function, '__name__', function)}")
    if name != "identity":
        chain.activation(name)


def to_keras(net):
    """A Keras model that computes what a network does.

    Parameters
    ----------
    net : fastbp.Network

    Returns
    -------
    keras.Sequential
        Of a Dense layer for each of the network's, with copies of the parameters in its dtype. It is not compiled:
        optimizer and loss are for the caller to choose.

    Raises
    ------
    ValueError
        If the backend has no float64, as JAX without ``jax_enable_x64``, and the network is of it.

    Examples
    --------
    >>> import fastbp
    >>> from fastbp.interop.keras import to_keras
    >>> model = to_keras(fastbp.Network([2, 3, 1], "tanh", dtype="float32"))
    >>> [layer.units for layer in model.layers]
    [3, 1]
    """
    dtype = net.dtype.name
    model = keras.Sequential([keras.Input((net.n_inputs,), dtype=dtype)])
    for W, b, activation in zip(net.weights, net.biases, net.activations, strict=True):
        is_layer = activation == "leaky_relu"
        dense = layers.Dense(len(b), activations.linear if is_layer else FUNCTIONS[activation], dtype=dtype)
        model.add(dense)
        dense.set_weights([W, b])
        if arrays(dense.weights)[0].dtype != net.dtype:
            raise ValueError(f"net must be of float32, for Keras's backend {keras.backend.backend()} has no {dtype} "
                             "as it is set up")
        if is_layer:
            model.add(layers.LeakyReLU(0.01, dtype=dtype))
    return model
