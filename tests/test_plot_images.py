"""The displays look as they did when somebody looked at them: pictures of fixed numbers against tests/baseline.

Letters are left out, because each release of FreeType draws them differently; test_plot.py knows what they say.

``nox -s plot`` compares them, by the Matplotlib that drew them. After a change that is meant, run ``nox -s plot --
--mpl-generate-path=tests/baseline`` and look at each picture, in grey, too, before it is committed.
"""

from itertools import pairwise

import numpy as np
import pytest

import fastbp

matplotlib = pytest.importorskip("matplotlib")
pytest.importorskip("pytest_mpl")
matplotlib.use("Agg")

from matplotlib.figure import Figure  # noqa: E402
from matplotlib.text import Text  # noqa: E402

from fastbp.plot import (  # noqa: E402
    DecisionDisplay,
    GradientFlowDisplay,
    HiddenSpaceDisplay,
    HistoryDisplay,
    NetworkDisplay,
    ResponseDisplay,
    WeightsDisplay,
)


def compared(tolerance):
    """Compare within a root mean square of the differences (of 255) that is a quarter more than what there is between
    Matplotlib 3.10 with FreeType 2.6.1 and 3.11 with 2.14.3, and at least 1.5."""
    return pytest.mark.mpl_image_compare(tolerance=tolerance, style="default", savefig_kwargs={"dpi": 60})


@pytest.fixture(autouse=True)
def only_if_asked(request):
    if not request.config.getoption("--mpl"):
        pytest.skip("pytest --mpl compares the pictures")


def axes(width=5.2, height=3.8, **options):
    # In a fixed place: a layout that makes room for letters would move all lines with the release of FreeType.
    return Figure(figsize=(width, height)).add_axes((0.14, 0.14, 0.6, 0.74), **options)


def lines_of(display):
    """The figure with nothing written into it."""
    for text in display.figure_.findobj(Text):
        text.set_visible(False)
    return display.figure_


def waves(*shape):
    """Numbers of both signs that depend on no generator."""
    return np.sin(1.3 * np.arange(1, np.prod(shape) + 1) ** 1.5).reshape(shape)


def network(*sizes, size=2.0, activation="tanh", output_activation=None, **options):
    layers = [(size * waves(a, b), size / 2 * waves(b)) for a, b in pairwise(sizes)]
    return fastbp.Network(sizes, activation, output_activation, init=layers, **options)


@compared(5)
def test_network():
    net = network(3, 12, 4, 2, size=0.7)
    display = NetworkDisplay.from_network(net, [0.5, -1.0, 2.0], [1.0, 0.0])
    return lines_of(display.plot(axes(8, 8), neuron=5, max_neurons=5))


@compared(1.5)
def test_decision():
    net = network(2, 5, 3, output_activation="softmax", loss="cross_entropy")
    return lines_of(DecisionDisplay.from_network(net, 2 * waves(30, 2), np.arange(30) % 3).plot(axes()))


@compared(1.5)
def test_hidden_space():
    net = network(2, 3, 1, output_activation="sigmoid")
    X = waves(40, 2)
    return lines_of(HiddenSpaceDisplay.from_network(net, X, net.predict(X) >= 0.5).plot(axes(projection="3d")))


@compared(9)
def test_history():
    epochs = np.arange(60)
    training, validation = np.exp(-epochs / 15) + 0.01, np.exp(-epochs / 12) + epochs / 300
    records = np.column_stack([training**2, training, 0 * epochs + 0.1, epochs / 60, validation**2, validation])
    return lines_of(HistoryDisplay.from_history(fastbp.History(records.ravel().tolist(), 6, "epochs")).plot(axes()))


@compared(8)
def test_weights():
    return lines_of(WeightsDisplay.from_network(network(4, 3, 1)).plot(axes(4.2, 3)))


@compared(14)
def test_receptive_fields():
    return lines_of(WeightsDisplay.from_network(network(16, 6, 1), image_shape=(4, 4)).plot(axes(4.2, 3)))


@compared(1.5)
def test_gradient_flow():
    flow = GradientFlowDisplay()
    net = network(2, 3, 3, 3, 1, activation="sigmoid")
    net.fit(waves(8, 2), waves(8) > 0, epochs=20, learning_rate=0.5, batch_size="full", callbacks=flow)
    return lines_of(flow.plot(axes()))


@compared(2.5)
def test_response():
    net = network(1, 4, 1)
    X = np.linspace(-1, 1, 25)[:, None]

    def interval(X):
        return net.predict(X) - 0.2 - X**2 / 4, net.predict(X) + 0.2 + X**2 / 4

    display = ResponseDisplay.from_network(net, X, net.predict(X)[:, 0] + 0.2 * waves(25), interval=interval)
    return lines_of(display.plot(axes()))


@compared(12)
def test_response_of_two_inputs():
    net = network(2, 4, 1, size=1.0)
    X = waves(20, 2)

    def interval(X):
        return net.predict(X) - 0.2 - X[:, :1] ** 2 / 4, net.predict(X) + 0.2 + X[:, :1] ** 2 / 4

    return lines_of(ResponseDisplay.from_network(net, X, net.predict(X), interval=interval).plot(axes()))
