"""What the tests of fastbp.interop share."""

import numpy as np
import pytest

import fastbp


def assert_same(net, other):
    """The same layers, and parameters bit for bit."""
    assert net.layer_sizes == other.layer_sizes
    assert net.activations == other.activations
    assert net.dtype == other.dtype
    assert np.asarray(net.params).tobytes() == np.asarray(other.params).tobytes()


def refused(load, directory, content, message):
    """Assert that a file of this content is a FormatError that names the file."""
    path = directory / "bad.file"
    path.write_bytes(content)
    with pytest.raises(fastbp.FormatError, match=f"(?s)^{path}: .*{message}"):
        load(path)


KERAS_ACTIVATIONS = ["sigmoid", "tanh", "relu", "elu", "softplus", "silu", "gelu", "softsign", "exponential", "linear"]
