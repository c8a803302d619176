"""fastbp.interop.keras, on the backend that KERAS_BACKEND names: equal outputs, equal steps, equal bits."""

import subprocess
import sys

import numpy as np
import pytest
from interop import KERAS_ACTIVATIONS, assert_same

import fastbp
from fastbp.activations import TABLE

keras = pytest.importorskip("keras")
from keras import layers  # noqa: E402

from fastbp.interop import keras as bridge  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")      # of Keras and NumPy 2
X = np.random.default_rng(0).uniform(-1, 1, (9, 3)).astype("float32")
T = np.random.default_rng(1).uniform(0.1, 0.9, (9, 2)).astype("float32")
DTYPES = ["float32", "float64"]
if keras.backend.backend() == "jax":
    import jax

    DTYPES = DTYPES if jax.config.jax_enable_x64 else ["float32"]


@pytest.fixture(params=DTYPES)
def dtype(request):
    """Also what Keras makes of samples first, and computes losses in, whatever the dtype of its layers."""
    before = keras.config.floatx()
    keras.config.set_floatx(request.param)
    yield request.param
    keras.config.set_floatx(before)


@pytest.mark.parametrize("activation", TABLE)
def test_outputs_and_steps_are_those_of_the_network(activation, dtype):
    net = fastbp.Network([3, 5, 4, 2], activation, reduction="mean", dtype=dtype, seed=1)
    model, x, t = bridge.to_keras(net), X.astype(dtype), T.astype(dtype)
    # On PyTorch, Keras 3.15 multiplies matrices of float64 in float32; on JAX, something of it shows in tanh and sin.
    tolerance = 1e-6 if dtype == "float64" and keras.backend.backend() == "jax" else 1e-4
    np.testing.assert_allclose(model.predict(x, verbose=0), net.predict(x), rtol=tolerance, atol=tolerance)
    assert_same(bridge.from_keras(model), net)
    model.compile(keras.optimizers.SGD(0.125), lambda t, y: keras.ops.sum((y - t) ** 2, axis=-1) / 2)
    model.train_on_batch(x, t)
    net.train_step(x, t, learning_rate=0.125)
    np.testing.assert_allclose(bridge.from_keras(model).params, net.params, rtol=tolerance, atol=tolerance)


def test_layers_of_keras():
    model = keras.Sequential([
        keras.Input((3,)), layers.Flatten(), *(layers.Dense(5, name) for name in KERAS_ACTIVATIONS),
        layers.Dense(4, use_bias=False), layers.ReLU(), layers.Dropout(0.5), layers.Dense(4),
        keras.Sequential([keras.Input((4,)), layers.ELU(), layers.Dense(4), layers.LeakyReLU(negative_slope=0.01)]),
        layers.Dense(3), layers.Activation("tanh"), layers.Dense(2), layers.Identity(), layers.Softmax()])
    net = bridge.from_keras(model)
    assert net.dtype == "float32"
    assert net.activations[-5:] == ("relu", "elu", "leaky_relu", "tanh", "softmax")
    np.testing.assert_allclose(net.predict(X), model.predict(X, verbose=0), rtol=1e-5)


def test_scalings_are_folded():
    x = (X * [1, 10, 100] + [5, 0, 1000]).astype("float32")
    first, last = layers.Normalization(), layers.Normalization(invert=True)
    first.adapt(x)
    last.adapt((100 + 10 * T).astype("float32"))
    model = keras.Sequential([keras.Input((3,)), first, layers.Rescaling(0.5, 0.25), layers.Dense(4, "tanh"),
                              layers.Dense(2), last])
    net = bridge.from_keras(model)
    assert (net.dtype, net.layer_sizes) == ("float64", (3, 4, 2))
    np.testing.assert_allclose(net.predict(x), model.predict(x, verbose=0), rtol=1e-4)


def test_a_saved_model_has_the_activations_that_keras_lacks(tmp_path):
    net = fastbp.Network([3, 4, 4, 4, 2], ["sin", "gaussian", "threshold", "leaky_relu"], dtype="float32", seed=1)
    bridge.to_keras(net).save(tmp_path / "net.keras")
    assert_same(bridge.from_keras(keras.saving.load_model(tmp_path / "net.keras")), net)


def sequential(*parts):
    return keras.Sequential([keras.Input((3,)), *parts])


@pytest.mark.parametrize(("model", "message"), [
    (sequential(layers.Dense(2, "selu", name="a")), "layer 'a': must have an activation that fastbp has, got selu"),
    (sequential(layers.Dense(2, "leaky_relu", name="a")), "layer 'a': .*got leaky_relu"),
    (sequential(layers.Dense(2), layers.LeakyReLU(name="b")), "layer 'b': .* negative_slope=0.01, got 0.3"),
    (sequential(layers.Dense(2), layers.ReLU(max_value=6)), "max_value=None, got 6"),
    (sequential(layers.Dense(2), layers.BatchNormalization(name="b")), "layer 'b': .*got BatchNormalization"),
    (sequential(layers.Activation("relu"), layers.Dense(2)), "the first part must be a layer"),
    (sequential(layers.Dense(2, dtype="float16")), "weights of float32 or float64, has .*float16"),
    (keras.Sequential([layers.Dense(2)]), "must be built"),
    (keras.Sequential(), "must have a layer with weights"),
    (keras.Model((x := keras.Input((3,))), layers.Dense(2)(x)), "got Functional"),
    (None, "got NoneType"),
])
def test_other_models_are_refused(model, message):
    with pytest.raises(ValueError, match=message):
        bridge.from_keras(model)


def test_without_keras_the_extra_is_named():
    code = "import sys; sys.modules['keras'] = None; import fastbp.interop.keras"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert 'needs Keras 3: pip install "fastbp[keras]"' in result.stderr.splitlines()[-1]
