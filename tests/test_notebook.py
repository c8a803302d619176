"""What notebooks show of a Network, a History and a Trace."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

import fastbp

X, T = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
EVIL = '<script>alert("1")</script>&\'<img src=x onerror=alert(2)>'


def trained(**options):
    net = fastbp.Network([2, 3, 1], "tanh", "sigmoid", seed=0)
    return net, net.fit(X, T, learning_rate=0.5, **options)


def shown():
    net, history = trained(epochs=20, validation_data=(X, T))
    wide = fastbp.Network([784, 1000, 10], "relu", "softmax", loss="cross_entropy", seed=0)
    deep = fastbp.Network([5] * 200, loss=fastbp.Huber(0.3), dtype="float32", seed=0)
    yield "network", net
    yield "wide", wide
    yield "deep", deep
    yield "history", history
    yield "short history", trained(epochs=1)[1]
    yield "long history", trained(epochs=5000)[1]
    yield "trace", net.backprop(X, T)
    yield "trace of one sample", net.backprop([0, 1], 1)
    yield "wide trace", wide.backprop(np.ones((3, 784)), [1, 2, 3])
    yield "deep trace", deep.backprop(np.ones(5), np.ones(5))


@pytest.mark.parametrize("thing", [pytest.param(thing, id=name) for name, thing in shown()])
def test_html_is_short_well_formed_and_harmless(thing):
    html = thing._repr_html_()
    tree = ElementTree.fromstring(html)
    assert {element.tag for element in tree.iter()} <= {
        "div", "b", "table", "tr", "th", "td", "br", "svg", "g", "path", "circle", "polyline", "text"}
    assert not [name for element in tree.iter() for name in element.attrib if name.startswith("on") or "href" in name]
    assert "url(" not in html
    # Colours come from the text around it, so it is legible on any background.
    assert set(re.findall(r'(?:stroke|fill|color)[=:]"?([\w#]+)', html)) <= {"currentColor", "none", "inherit"}
    assert len(html.encode()) < 5000


def text_of(thing):
    return " ".join(ElementTree.fromstring(thing._repr_html_()).itertext())


def test_network_says_what_it_is():
    text = text_of(fastbp.Network([784, 300, 10], "relu", "softmax", loss="cross_entropy", reduction="mean"))
    for words in ("784 inputs", "300 relu", "10 softmax", "235,500 parameters", "3,010 parameters",
                  "238,510 parameters", "float64", "cross_entropy (mean)"):
        assert words in text


def test_each_weight_has_a_line():
    html = fastbp.Network([2, 3, 1])._repr_html_()
    assert html.count("<circle") == 6
    assert html.count("M") == 2 * 3 + 3 * 1


def test_deep_network_says_how_many_layers_are_left_out():
    text = text_of(fastbp.Network([5] * 200))
    assert "194 more layers" in text
    assert text.count("5 sigmoid") == 5     # the first four and the last


def test_names_of_a_user_are_escaped():
    def loss(Y, T):
        return 0.5 * np.sum((Y - T) ** 2), Y - T

    loss.__name__ = EVIL
    cls = type(EVIL, (fastbp.Network,), {})
    html = cls([1, 1], loss=loss)._repr_html_()
    assert "<script" not in html
    assert "<img" not in html
    text = " ".join(ElementTree.fromstring(html).itertext())
    assert EVIL[:20] in text        # as text; what is longer than a name should be is cut off
    assert EVIL not in text


def test_history_has_its_numbers():
    _, history = trained(epochs=30, validation_data=(X, T))
    text = text_of(history)
    for value in (history.rms[0], history.rms[-1], history.rms.min(), history.validation_rms.min()):
        assert f"{value:.4g}" in text
    assert "30 epochs" in text
    assert f"epoch {history.best_epoch}" in text


def test_curve_of_a_history():
    history = fastbp.History([1.0, 8.0, 0.1, 0.0, 1.0, np.nan, 0.1, 0.1, 1.0, 2.0, 0.1, 0.2], 4, "epochs")
    points = re.search(r'points="(.*?)"', history._repr_html_()).group(1).split()
    assert [tuple(map(float, point.split(","))) for point in points] == [(5, 5), (315, 75)]     # the first is highest
    empty = fastbp.History([], 4, "callback")._repr_html_()
    assert "0 epochs" in empty
    assert "svg" not in empty


def test_trace_has_few_numbers_or_their_size():
    net, _ = trained(epochs=5)
    trace = net.backprop([0, 1], 1)
    text = text_of(trace).replace("\N{MINUS SIGN}", "-")
    for value in [*trace.net_inputs[0], *trace.error_signals[1], *trace.weight_gradients[1].ravel()]:
        assert f"{value:.4g}" in text
    assert f"rms {np.sqrt(np.mean(trace.weight_gradients[0] ** 2)):.3g}" in text
    assert f"E = {trace.error:.6g}" in text
    assert "one sample" in text


@pytest.mark.parametrize("lowest", [1e300, 1e308, 1.7e308])
def test_a_curve_of_errors_near_the_largest_float(lowest):
    history = fastbp.History([1.0, 1.7e308, 0.1, 0.0, 1.0, lowest, 0.1, 0.1], 4, "epochs")
    y = [float(point.split(",")[1]) for point in re.search('points="(.*?)"', history._repr_html_())[1].split()]
    assert y == ([40.0, 40.0] if lowest == 1.7e308 else [5.0, 75.0])
