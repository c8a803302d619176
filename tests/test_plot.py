"""The displays of fastbp.plot: their numbers, and that these are what is drawn."""

import doctest
import importlib
import inspect
import pkgutil
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastbp

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")
from matplotlib.collections import LineCollection, PathCollection  # noqa: E402
from matplotlib.patches import Circle, FancyArrowPatch  # noqa: E402

from fastbp import plot  # noqa: E402
from fastbp.plot import (  # noqa: E402
    DecisionDisplay,
    GradientFlowDisplay,
    HiddenSpaceDisplay,
    HistoryDisplay,
    NetworkAnimation,
    NetworkDisplay,
    ResponseDisplay,
    WeightsDisplay,
    _style,
)

XOR = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=float), np.array([0, 1, 1, 0])
ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


@pytest.fixture(autouse=True)
def figures():
    """Pictures change nothing for others."""
    before, backend = dict(matplotlib.rcParams), matplotlib.get_backend()
    yield
    assert dict(matplotlib.rcParams) == before
    assert matplotlib.get_backend() == backend


def worked():
    """The network of docs/method.md and one sample."""
    net = fastbp.Network([2, 2, 2, 1], init=[
        ([[0.5, -0.4], [0.3, 0.8]], [0.1, -0.2]), ([[0.7, -0.6], [-0.5, 0.9]], [0.2, 0.1]), ([[1.2], [-0.8]], [-0.3])])
    return net, [1.0, 0.5], [1.0]


def texts(ax):
    return [text.get_text().replace("\N{MINUS SIGN}", "-") for text in ax.texts]


def on_arrows(ax):
    """Texts in frames."""
    return [text for text, artist in zip(texts(ax), ax.texts, strict=True) if artist.get_bbox_patch()]


def artists(ax, kind):
    return [artist for artist in ax.get_children() if type(artist) is kind]


def drawn(ax):
    """Draw the picture, which finds what matplotlib finds only then."""
    ax.figure.canvas.draw()


# ---------------------------------------------------------------------------- all of them


def all_displays():
    net, x, t = worked()
    history = net.copy().fit([x], [t], epochs=3)
    flow = GradientFlowDisplay()
    net.copy().fit([x], [t], epochs=3, callbacks=flow)
    return [
        NetworkDisplay.from_network(net, x, t), DecisionDisplay.from_network(net), WeightsDisplay.from_network(net),
        HiddenSpaceDisplay.from_network(net, *XOR), HistoryDisplay.from_history(history), flow,
        ResponseDisplay.from_network(net)]


@pytest.mark.parametrize("display", all_displays(), ids=lambda display: type(display).__name__)
def test_a_display_draws_where_it_is_told_to(display):
    figure, (left, right) = plt.subplots(1, 2)
    assert display.plot(ax=right) is display
    assert display.ax_ is right
    assert display.figure_ is figure
    assert not left.has_data()
    assert plt.get_fignums() == [figure.number]
    assert display.plot() is display
    assert display.figure_ is not figure
    drawn(display.ax_)


def test_every_display_is_tested_above():
    assert {type(display).__name__ for display in all_displays()} == set(plot.__all__) - {"NetworkAnimation"}


@pytest.mark.parametrize("name", plot.__all__)
def test_docstrings_name_every_argument(name):
    cls = getattr(plot, name)
    for thing in [cls, *(method for key, method in inspect.getmembers(cls, inspect.isroutine) if key[0] != "_")]:
        doc = inspect.getdoc(thing)
        documented = re.findall(r"^(\w+(?:, \w+)*)(?: :|$)", doc, re.MULTILINE)
        arguments = {name for group in documented for name in group.split(", ")}
        assert arguments >= set(inspect.signature(thing).parameters) - {"self"}, thing


@pytest.mark.parametrize("name", [name for _, name, _ in pkgutil.iter_modules(plot.__path__, "fastbp.plot.")])
def test_docstring_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_the_pages_with_pictures_run_and_make_them(tmp_path, monkeypatch):
    pytest.importorskip("PIL")
    monkeypatch.chdir(tmp_path)     # and back, whatever the tool does
    runpy.run_path(str(ROOT / "tools" / "draw_pictures.py"))["draw"](tmp_path)
    shown = {name for page in DOCS.glob("*.md")
             for name in re.findall(r"\(pictures/(.*?)\)", page.read_text(encoding="utf-8"))}
    assert {path.name for path in tmp_path.iterdir()} == shown
    assert {path.name for path in (DOCS / "pictures").iterdir()} == shown
    assert max(path.stat().st_size for path in (DOCS / "pictures").iterdir()) < 60_000


def test_without_matplotlib_the_error_names_the_extra():
    code = """
import sys
sys.modules["matplotlib"] = None
import fastbp
assert "fastbp.plot" not in sys.modules
try:
    fastbp.plot
except ImportError as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'pip install "fastbp[plot]"' in result.stdout


def test_drawing_into_axes_needs_no_pyplot():
    code = """
import io, sys, fastbp
from matplotlib.figure import Figure
net = fastbp.Network([2, 2, 1], seed=1)
display = fastbp.plot.NetworkDisplay.from_network(net).plot(Figure().add_subplot())
display.figure_.savefig(io.BytesIO(), format="png")
print("matplotlib.pyplot" in sys.modules)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"


# ---------------------------------------------------------------------------- numbers as text


@pytest.mark.parametrize(("value", "text"), [
    (0.0, "0.00"), (0.4567, "0.46"), (-9.994, "-9.99"), (12.34, "12.3"), (-123.4, "-123"), (0.00321, "3e-3"),
    (-1e-12, "-1e-12"), (54321.0, "5e4"), (np.nan, "nan"), (np.inf, "inf")])
def test_short_numbers(value, text):
    assert _style.short(value).replace("\N{MINUS SIGN}", "-") == text
    assert len(text) <= 6


def test_signed_numbers():
    assert _style.signed(0.04) == "+0.0400"
    assert _style.signed(-123.0) == "\N{MINUS SIGN}123"


def test_ink_is_legible():
    assert _style.ink_on("#F0E442") == "black"
    assert _style.ink_on("#00204c") == "white"


# ---------------------------------------------------------------------------- NetworkDisplay


@pytest.mark.parametrize("options", [
    {"activation": "tanh", "loss": "huber"}, {"activation": "relu", "dtype": "float32"},
    {"activation": "tanh", "output_activation": "softmax", "loss": "cross_entropy"}])
def test_terms_add_up_to_the_error_signals_of_the_trace(options, rng):
    net = fastbp.Network([4, 6, 5, 3], seed=1, **options)
    x, t = rng.normal(size=4), [0.0, 1.0, 0.0]
    display = NetworkDisplay.from_network(net, x, t)
    trace = net.backprop(x, t)
    for neuron in range(1, 12):
        l, A = display.place(neuron)
        assert display.terms(neuron).shape == ((5, 3)[l - 1],)
        assert display.terms(neuron).sum() == pytest.approx(trace.error_signals[l - 1][A], rel=1e-5, abs=1e-7)
    assert display.place(12) == (3, 0)
    assert len(display.terms(12)) == 0


def test_nodes_show_outputs_and_targets():
    net, x, t = worked()
    ax = NetworkDisplay.from_network(net, x, t).plot().ax_
    values = [*x, *np.concatenate(net.layer_outputs(x))]
    assert {f"{value:.2f}" for value in values} <= set(texts(ax))
    assert "t = 1.00" in texts(ax)
    assert len(artists(ax, Circle)) == 7


def test_lines_are_the_weights():
    net, *_ = worked()
    ax = NetworkDisplay.from_network(net).plot().ax_
    positive, negative = artists(ax, LineCollection)
    sizes = {}
    for sign, lines in ((1, positive), (-1, negative)):
        of_sign = [abs(w) for W in net.weights for w in W.ravel() if sign * w > 0]
        assert len(lines.get_segments()) == len(of_sign)
        sizes |= dict(zip(of_sign, lines.get_linewidths(), strict=True))
        assert matplotlib.colors.same_color(lines.get_colors()[0][:3],
                                            _style.POSITIVE if sign > 0 else _style.NEGATIVE)
    widths = [sizes[size] for size in sorted(sizes)]
    assert widths == sorted(widths)
    assert widths[0] < widths[-1]
    assert positive.get_linestyle()[0][1] is None       # solid
    assert negative.get_linestyle()[0][1] is not None   # dashed


def test_arrows_carry_the_terms_of_the_trace():
    net, x, t = worked()
    trace = net.backprop(x, t)
    display = NetworkDisplay.from_network(net, x, t)
    ax = display.plot(neuron=1).ax_
    terms = trace.deltas[1] * net.weights[1][0]
    assert [float(text) for text in on_arrows(ax)] == pytest.approx(terms, rel=0.005)
    assert f"e = {trace.error_signals[0][0]:+.3g}" in texts(ax)
    assert [text for text in texts(ax) if text.startswith("d")] == [f"d = {d:+.3g}" for d in trace.deltas[1]]
    title = ax.get_title().replace("\N{MINUS SIGN}", "-")
    assert title == f"$e_{{1}} = d_{{3}} w_{{1,3}} + d_{{4}} w_{{1,4}}$ = {trace.error_signals[0][0]:+.3g}"
    # Two arrows from the output to 3 and 4, and those two from there to 1, which end beside it.
    arrows = artists(ax, FancyArrowPatch)
    assert len(arrows) == 4
    marked, = (node for node in artists(ax, Circle) if node.get_facecolor()[:3] != (1, 1, 1))
    for arrow in arrows[2:]:
        source, target = arrow._posA_posB
        assert np.hypot(*np.subtract(target, marked.center)) < 1.3 * marked.radius
        assert source[0] > target[0]
        assert matplotlib.colors.same_color(arrow.get_edgecolor(), _style.NEGATIVE)     # as both terms are


def test_an_output_neuron_is_explained_by_the_loss():
    net, x, t = worked()
    ax = NetworkDisplay.from_network(net, x, t).plot(neuron=5).ax_
    assert ax.get_title().startswith("$e_{5} = dE/dy$")
    assert artists(ax, FancyArrowPatch) == []


@pytest.mark.parametrize("neuron", [1, 5, 250])
def test_wide_layers_are_abbreviated_and_nothing_is_lost(neuron, rng):
    net = fastbp.Network([784, 300, 200, 10], "tanh", "softmax", loss="cross_entropy", seed=0)
    x = rng.normal(size=784)
    display = NetworkDisplay.from_network(net, x, 3)
    ax = display.plot(neuron=neuron, max_neurons=6).ax_
    assert len(artists(ax, Circle)) == 4 * 5
    assert str(neuron) in texts(ax)
    heads = " ".join(texts(ax))
    assert "784 inputs" in heads
    assert "300 neurons\ntanh" in heads
    assert "10 outputs\nsoftmax" in heads
    values = [float(text.removeprefix("the others\n")) for text in on_arrows(ax)]
    assert len(values) == 6
    assert sum(values) == pytest.approx(net.backprop(x, 3).error_signals[0][neuron - 1], rel=0.05)


@pytest.mark.parametrize(("neuron", "left_out"), [
    (None, [94]), (1, [94]), (50, [46, 46]), (4, [92]), (5, [91]), (100, [94])])
def test_many_layers_are_abbreviated(neuron, left_out):
    net = fastbp.Network([1] * 101, "identity", seed=0)
    display = NetworkDisplay.from_network(net, [1.0], [0.0]).plot(neuron=neuron)
    shown = 101 - sum(left_out)
    assert len(artists(display.ax_, Circle)) == shown
    gaps = [text for text in texts(display.ax_) if "more\nlayers" in text]
    assert gaps == [f"{count} more\nlayers" for count in left_out]
    assert {"98", "99", "100"} <= set(texts(display.ax_))
    assert max(display.figure_.get_size_inches()) < 25
    assert sum(len(lines.get_segments()) for lines in artists(display.ax_, LineCollection)) == (
        shown - 1 - len(left_out))


def test_a_label_stands_for_its_row_of_targets():
    net = fastbp.Network([1, 3], "softmax", loss="cross_entropy", seed=0)
    assert NetworkDisplay.from_network(net, [1.0], 2).t.tolist() == [0, 0, 1]


def test_a_display_keeps_the_network_of_its_moment():
    net, x, t = worked()
    display = NetworkDisplay.from_network(net, x, t)
    weights = [W.copy() for W in display.weights]
    net.fit([x], [t], epochs=10)
    assert all(map(np.array_equal, display.weights, weights))


def test_way_back_has_a_picture_for_each_neuron():
    net, x, t = worked()
    display = NetworkDisplay.from_network(net, x, t).plot_way_back()
    assert [re.match(r"\$e_\{(\d)\}", ax.get_title())[1] for ax in display.ax_] == ["5", "3", "4", "1", "2"]
    wide = NetworkDisplay.from_network(fastbp.Network([3, 20, 20, 1], seed=0), np.ones(3), 0.0).plot_way_back()
    assert [re.match(r"\$e_\{(\d+)\}", ax.get_title())[1] for ax in wide.ax_] == ["41", "21", "1"]
    deep = NetworkDisplay.from_network(fastbp.Network(101 * [2], seed=0), np.ones(2), np.ones(2)).plot_way_back()
    assert [re.match(r"\$e_\{(\d+)\}", ax.get_title())[1] for ax in deep.ax_] == ["199", "197", "195", "5", "3", "1"]
    chosen = display.plot_way_back([1])
    assert len(chosen.ax_) == 1


@pytest.mark.parametrize("weight", [0.0, np.nan, np.inf, 1e300])
def test_any_weight_can_be_drawn(weight):
    net = fastbp.Network([1, 1], "identity", init=[weight, 0.0])
    drawn(NetworkDisplay.from_network(net, [1.0]).plot().ax_)


def test_errors_of_network_displays():
    net, x, t = worked()
    display = NetworkDisplay.from_network(net, x, t)
    with pytest.raises(ValueError, match="neuron must be a number from 1 to 5, got 6"):
        display.plot(neuron=6)
    with pytest.raises(TypeError, match="neuron must be an integer"):
        display.plot(neuron=1.5)
    with pytest.raises(ValueError, match="max_neurons must be at least 3, got 2"):
        display.plot(max_neurons=2)
    with pytest.raises(ValueError, match=r"needs a sample and its target: NetworkDisplay.from_network\(net, x, t\)"):
        NetworkDisplay.from_network(net, x).plot(neuron=1)
    with pytest.raises(ValueError, match="t needs x"):
        NetworkDisplay.from_network(net, t=t)
    with pytest.raises(ValueError, match=r"x must be one sample of shape \(2,\), got the shape \(1, 2\)"):
        NetworkDisplay.from_network(net, [x], t)
    with pytest.raises(ValueError, match="neuron must be a number from 1 to 5, got 9"):
        display.plot_way_back([1, 9])
    with pytest.raises(ValueError, match="neurons must hold the number of at least one neuron"):
        display.plot_way_back([])
    with pytest.raises(ValueError, match="plot_way_back shows error signals"):
        NetworkDisplay.from_network(net).plot_way_back()
    assert plt.get_fignums() == []


# ---------------------------------------------------------------------------- NetworkAnimation


def film_of_training():
    net = fastbp.Network([2, 3, 1], "tanh", "sigmoid", seed=3)
    film = NetworkAnimation([1, 0], 1, every=15)
    film.record(net, 0)
    net.fit(*XOR, epochs=30, learning_rate=0.5, callbacks=film)
    return net, film


def test_film_as_gif(tmp_path):
    image = pytest.importorskip("PIL.Image")
    net, film = film_of_training()
    assert film.epochs == [0, 15, 30]
    assert all(map(np.array_equal, film.displays[-1].weights, net.weights))
    film.save(tmp_path / "film.gif", neuron=1)
    with image.open(tmp_path / "film.gif") as gif:
        assert gif.n_frames == 3
    assert plt.get_fignums() == []


def test_film_as_html(tmp_path):
    _, film = film_of_training()
    film.save(tmp_path / "film.html")
    assert (tmp_path / "film.html").read_text(encoding="utf-8").count("data:image/png;base64") == 3


def test_frames_have_one_scale(monkeypatch):
    _, film = film_of_training()
    largest = []
    monkeypatch.setattr(NetworkDisplay, "plot", lambda self, ax, **options: largest.append(options["largest"]) or self)
    animation = film.animate()
    for frame in range(3):
        animation._func(frame)
    assert set(largest) == {max(np.abs(W).max() for display in film.displays for W in display.weights)}
    animation._draw_was_started = True      # no warning that nobody has looked at it


def test_errors_of_films(tmp_path):
    with pytest.raises(ValueError, match="no epoch has been recorded"):
        NetworkAnimation().animate()
    with pytest.raises(ValueError, match="every must be at least 1"):
        NetworkAnimation(every=0)
    _, film = film_of_training()
    with pytest.raises(ValueError, match=r"path must end with .gif or .html, got .*film.avi"):
        film.save(tmp_path / "film.avi")
    with pytest.raises(ValueError, match="frames_per_second must be above 0"):
        film.save(tmp_path / "film.gif", frames_per_second=0)
    assert not [*tmp_path.iterdir()]


# ---------------------------------------------------------------------------- DecisionDisplay


@pytest.mark.parametrize(("activation", "level", "constant"), [
    ("threshold", None, -1.5), ("sigmoid", None, -1.5), ("sigmoid", 0.75, -1.5 - np.log(3)), ("tanh", None, -1.5),
    ("identity", None, -2.0), ("softsign", 0.5, -2.5)])
def test_line_of_one_neuron(activation, level, constant):
    net = fastbp.Network([2, 1], activation, init=[([[1.0], [2.0]], [-1.5])])
    display = DecisionDisplay.from_network(net, level=level, limits=[(0, 1), (0, 2)]).plot()
    w, c = display.line
    assert w.tolist() == [1, 2]
    assert c == pytest.approx(constant)
    # The line that is drawn is that line.
    contour, = (artist for artist in display.ax_.get_children() if isinstance(artist, matplotlib.contour.ContourSet))
    vertices = contour.get_paths()[0].vertices
    assert len(vertices) > 2
    assert vertices @ w + c == pytest.approx(0, abs=1e-3)
    assert display.ax_.get_title().startswith("1.00 $x_{1}$ + 2.00 $x_{2}$ \N{MINUS SIGN} ")


def test_line_of_a_softmax_of_two():
    net = fastbp.Network([2, 2], "softmax", loss="cross_entropy", init=[([[1.0, 2.0], [0.0, 3.0]], [0.5, 0.0])])
    w, c = DecisionDisplay.from_network(net).line
    assert (w.tolist(), c) == ([1, 3], -0.5)


@pytest.mark.parametrize("sizes", [[2, 5, 1], [4, 5, 3]])
def test_classes_over_any_two_inputs(sizes, rng):
    net = fastbp.Network(sizes, "tanh", seed=1)
    X = rng.normal(size=(20, sizes[0]))
    features = (1, 0) if sizes[0] == 2 else (3, 1)
    display = DecisionDisplay.from_network(net, X, features=features, resolution=7)
    assert display.line is None
    for i, x in enumerate(display.across):
        for j, y in enumerate(display.up):
            inputs = X.mean(axis=0)
            inputs[list(features)] = x, y
            outputs = net.predict(inputs)
            assert display.outputs[j, i] == pytest.approx(outputs, abs=1e-12)
            assert display.classes[j, i] == (outputs[0] >= 0 if sizes[-1] == 1 else outputs.argmax())
    image, = display.plot().ax_.images
    shown = np.asarray(image.get_array())
    for k in range(max(2, sizes[-1])):
        assert (shown[display.classes == k] == _style.tint(_style.CYCLE[k], 0.28)).all()
    assert display.ax_.get_xlabel() == f"$x_{{{features[0] + 1}}}$"


def test_the_other_inputs_are_where_one_wants_them(rng):
    net = fastbp.Network([3, 1], "identity", init=[([[1.0], [2.0], [4.0]], [8.0])])
    display = DecisionDisplay.from_network(net, features=(0, 2), at=[9, 5, 9], level=0.0)
    w, c = display.line
    assert (w.tolist(), c) == ([1, 4], 18)      # 2 * 5 + 8


def test_a_wide_network_is_computed_block_by_block(monkeypatch):
    monkeypatch.setattr("fastbp.plot._slice.AT_ONCE", 100)
    net = fastbp.Network([40, 3, 2], seed=1)
    display = DecisionDisplay.from_network(net, features=(5, 7), resolution=6)
    inputs = np.zeros(40)
    inputs[[5, 7]] = display.across[4], display.up[2]
    assert display.outputs[2, 4] == pytest.approx(net.predict(inputs))


@pytest.mark.parametrize("T", [[0, 1, 2, 1], np.eye(3)[[0, 1, 2, 1]]])
def test_points_of_classes(T, rng):
    net = fastbp.Network([2, 3], "softmax", loss="cross_entropy", seed=1)
    X = rng.normal(size=(4, 2))
    display = DecisionDisplay.from_network(net, X, T, class_names=["cat", "do$g$", "cow"],
                                           feature_names=["a_b", "$"]).plot()
    ax = display.ax_
    assert [points.get_offsets().tolist() for points in artists(ax, PathCollection)] == [
        [X[0].tolist()], X[[1, 3]].tolist(), [X[2].tolist()]]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["cat", r"do\$g\$", "cow"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("a_b", r"\$")
    drawn(ax)


@pytest.mark.parametrize("T", [[-1, 1, -1], [0, 1, 0], [[-0.9], [0.1], [-1.0]], [False, True, False]])
def test_targets_and_labels_of_a_tanh(T, rng):
    net = fastbp.Network([2, 1], "tanh", seed=1)
    X = rng.normal(size=(3, 2))
    assert DecisionDisplay.from_network(net, X, T).labels.tolist() == [0, 1, 0]


@pytest.mark.parametrize(("arguments", "message"), [
    ({"features": (0, 0)}, "features must hold different columns of X from 0 to 2, got"),
    ({"features": (0, 3)}, "features must hold different columns"),
    ({"features": (0,)}, "features must hold two columns of X, got"),
    ({"at": [1.0]}, r"at must have the shape \(3,\), got \(1,\)"),
    ({"limits": [(0, 1)]}, "limits must hold a lowest and a higher value"),
    ({"limits": [(0, 1), (1, 1)]}, "limits must hold a lowest and a higher value"),
    ({"resolution": 1}, "resolution must be at least 2, got 1"),
    ({"feature_names": "abc"}, "feature_names must hold 3 names, got str 'abc'"),
    ({"class_names": ["a"]}, "class_names must hold 2 names, got list"),
    ({"X": [[1.0, 2.0]]}, r"X must have the shape \(M, 3\) with M at least 1, got \(1, 2\)"),
    ({"X": np.empty((0, 3))}, r"with M at least 1, got \(0, 3\)"),
    ({"X": [[1.0, 2.0, np.nan]]}, "X must be finite"),
    ({"T": [1]}, "T needs X"),
    ({"X": np.ones((2, 3)), "T": [1]}, r"T must have an integer label or a row of 2 numbers .* shape \(1,\)"),
    ({"X": np.ones((2, 3)), "T": ["a", "b"]}, "T must have an integer label .* dtype <U1"),
    ({"X": np.ones((2, 3)), "T": [0, 2]}, "T must hold integer labels from 0 to 1"),
    ({"X": np.ones((2, 3)), "T": [0, 0.5]}, "T must hold integer labels from 0 to 1"),
])
def test_errors_of_decision_displays(arguments, message):
    with pytest.raises(ValueError, match=message):
        DecisionDisplay.from_network(fastbp.Network([3, 2], seed=0), **arguments)


# ---------------------------------------------------------------------------- HiddenSpaceDisplay


@pytest.mark.parametrize("width", [1, 2, 3])
def test_space_of_a_narrow_layer_is_shown_as_it_is(width, rng):
    net = fastbp.Network([2, width, 1], "tanh", "sigmoid", seed=1)
    X = rng.normal(size=(50, 2))
    display = HiddenSpaceDisplay.from_network(net, X, np.arange(50) % 2)
    assert np.array_equal(display.points, net.layer_outputs(X)[0])
    w, c = display.separator
    assert np.array_equal(display.points @ w + c >= 0, net.predict(X)[:, 0] >= 0.5)
    assert display.last_layer.predict(display.points) == pytest.approx(net.predict(X))
    # All that a tanh can give fits, whatever has been learnt, so pictures from before and after can be compared.
    assert display.limits == pytest.approx(np.tile([-1.2, 1.2], (width, 1)))
    drawn(display.plot().ax_)


def test_principal_axes_of_a_wide_layer(rng):
    net = fastbp.Network([4, 9, 1], "tanh", "sigmoid", seed=1)
    X = rng.normal(size=(60, 4))
    display = HiddenSpaceDisplay.from_network(net, X, np.arange(60) % 2)
    outputs = net.layer_outputs(X)[0]
    variances = np.linalg.eigvalsh(np.cov(outputs.T))[::-1]
    assert display.points.var(axis=0, ddof=1) == pytest.approx(variances[:2])
    assert display.points.mean(axis=0) == pytest.approx(0, abs=1e-12)
    assert display.directions.T @ display.directions == pytest.approx(np.eye(2), abs=1e-12)
    assert display.axis_names[0] == f"principal axis 1 ({variances[0] / variances.sum():.0%} of the variance)"
    # The line is where the output layer changes its mind, in the plane of the picture.
    w, c = display.separator
    z = -c * w / (w @ w) + np.outer([-1, 0, 1], [-w[1], w[0]])
    last = fastbp.Network([9, 1], "sigmoid", init=[(net.weights[1], net.biases[1])])
    assert last.predict(display.origin + z @ display.directions.T) == pytest.approx(0.5)
    assert last.predict(display.origin + [[0.3, -0.2]] @ display.directions.T) == pytest.approx(
        display.last_layer.predict([[0.3, -0.2]]))


def test_fewer_samples_than_neurons(rng):
    net = fastbp.Network([2, 30, 1], seed=1)
    for count in (1, 2):
        display = HiddenSpaceDisplay.from_network(net, rng.normal(size=(count, 2)), [1] * count, dimensions=3)
        assert display.points.shape == (count, 3)
        drawn(display.plot().ax_)


def test_only_the_last_hidden_layer_has_a_line(rng):
    net = fastbp.Network([2, 2, 2, 1], seed=1)
    display = HiddenSpaceDisplay.from_network(net, *XOR, layer=1)
    assert display.separator is None
    assert not display.plot().ax_.images
    assert display.ax_.get_xlabel() == "output of neuron 1"
    assert HiddenSpaceDisplay.from_network(net, *XOR).plot().ax_.get_xlabel() == "output of neuron 3"
    assert display.ax_ is not None


def test_the_separating_plane_is_cut_at_the_box():
    from fastbp.plot.hidden import cut
    box = np.array([[-1.0, 1.0], [-2.0, 2.0], [0.0, 3.0]])
    for w, c, count in [([1, 0, 0], -0.5, 4), ([1, 1, 1], -1.1, 6), ([1, 1, 1], 2.9, 3), ([1, 1, 1], 9, 0)]:
        w = np.array(w, dtype=float)
        corners = cut(w, c, box)
        assert len(corners) == count
        assert corners @ w + c == pytest.approx(0, abs=1e-12)
        assert np.all((box[:, 0] - 1e-12 <= corners) & (corners <= box[:, 1] + 1e-12))
        # In order: the polygon does not cross itself, so all its turns are to one side.
        edges = np.roll(corners, -1, axis=0) - corners
        turns = np.cross(edges, np.roll(edges, -1, axis=0)) @ w
        assert np.all(turns > 0) or np.all(turns < 0)


def test_regions_of_many_classes(rng):
    net = fastbp.Network([3, 12, 10], "tanh", "softmax", loss="cross_entropy", seed=1)
    X = rng.normal(size=(100, 3))
    display = HiddenSpaceDisplay.from_network(net, X, np.arange(100) % 10).plot()
    assert len(display.ax_.get_legend().get_texts()) == 10
    assert display.separator is None
    drawn(display.ax_)


@pytest.mark.parametrize(("sizes", "weight", "message"), [
    ([2, 2, 1], np.nan, "net must have finite parameters"), ([2, 5, 1], np.inf, "net must have finite parameters"),
    ([2, 5, 1], 1e308, "net must have finite outputs of layer 1")])
def test_a_hidden_space_that_is_not_finite_is_refused(sizes, weight, message):
    net = fastbp.Network(sizes, ["identity", "sigmoid"], seed=0)
    net.weights[0][:] = weight
    with pytest.raises(ValueError, match=message):
        HiddenSpaceDisplay.from_network(net, [[0, 0], [0, 1], [1, 0], [1, 1]], XOR[1])


def test_errors_of_hidden_space_displays():
    net = fastbp.Network([2, 3, 1], seed=0)
    for arguments, message in [({"layer": 2}, "layer must be the number of a hidden layer, from 1 to 1, got 2"),
                               ({"dimensions": 4}, "dimensions must be at most 3, got 4")]:
        with pytest.raises(ValueError, match=message):
            HiddenSpaceDisplay.from_network(net, *XOR, **arguments)
    with pytest.raises(ValueError, match="net must have a hidden layer"):
        HiddenSpaceDisplay.from_network(fastbp.Network([2, 1]), *XOR)
    with pytest.raises(ValueError, match="ax must have three dimensions"):
        HiddenSpaceDisplay.from_network(net, *XOR).plot(plt.subplots()[1])
    with pytest.raises(ValueError, match="ax must have two dimensions"):
        HiddenSpaceDisplay.from_network(net, *XOR, dimensions=2).plot(plt.figure().add_subplot(projection="3d"))


# ---------------------------------------------------------------------------- HistoryDisplay


@pytest.mark.parametrize("quantity", ["rms", "error"])
@pytest.mark.parametrize("over", ["epochs", "seconds"])
def test_errors_over_a_training(quantity, over):
    net = fastbp.Network([2, 3, 1], "tanh", "sigmoid", seed=0)
    history = net.fit(*XOR, epochs=30, learning_rate=0.5, validation_data=XOR)
    ax = HistoryDisplay.from_history(history).plot(quantity=quantity, over=over).ax_
    training, validation, _, best = ax.lines
    x = np.arange(30) if over == "epochs" else history.seconds
    assert np.array_equal(training.get_xdata(), x)
    assert np.array_equal(training.get_ydata(), getattr(history, quantity))
    assert np.array_equal(validation.get_ydata(), getattr(history, f"validation_{quantity}"))
    assert best.get_xydata()[0] == pytest.approx(
        [x[history.best_epoch], getattr(history, f"validation_{quantity}")[history.best_epoch]])
    assert best.get_marker() == "o"
    assert ax.get_yscale() == "linear"


@pytest.mark.parametrize(("last", "scale", "drawn_as"), [
    (0.1, "auto", "linear"), (0.01, "auto", "log"), (0.0, "auto", "linear"), (0.01, "linear", "linear"),
    (0.1, "log", "log")])
def test_logarithmic_where_errors_differ_much(last, scale, drawn_as):
    history = fastbp.History([1.0, 1.0, 0.1, 0.0, 1.0, last, 0.1, 0.1], 4, "epochs")
    ax = HistoryDisplay.from_history(history).plot(scale=scale).ax_
    assert ax.get_yscale() == drawn_as
    assert ax.get_legend() is None


def test_short_histories_can_be_drawn():
    for records in ([], [1.0, 1.0, 0.1, 0.0], [1.0, np.inf, 0.1, 0.0, 1.0, 2.0, 0.1, 0.1]):
        drawn(HistoryDisplay.from_history(fastbp.History(records, 4, "epochs")).plot().ax_)


def test_errors_of_history_displays():
    display = HistoryDisplay.from_history(fastbp.History([1.0, 1.0, 0.1, 0.0], 4, "epochs"))
    for argument in ("quantity", "over", "scale"):
        with pytest.raises(ValueError, match=f"{argument} must be one of"):
            display.plot(**{argument: "x"})


# ---------------------------------------------------------------------------- WeightsDisplay


def test_a_small_matrix_has_its_numbers():
    net = fastbp.Network([3, 4, 2], seed=1)
    display = WeightsDisplay.from_network(net, layer=2).plot()
    image, = display.ax_.images
    assert np.array_equal(image.get_array(), np.vstack([net.weights[1], net.biases[1]]))
    numbers = [float(text) for text in texts(display.ax_)]
    assert numbers == pytest.approx([*net.weights[1].ravel(), *net.biases[1]], abs=0.005)
    assert image.norm.vmin == -image.norm.vmax      # so 0 is in the middle of the colours
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == [
        "$a_{1}$", "$a_{2}$", "$a_{3}$", "$a_{4}$", "bias"]
    assert [label.get_text() for label in display.ax_.get_xticklabels()] == ["5", "6"]


def test_a_large_matrix_has_round_ticks():
    net = fastbp.Network([100, 60, 50], seed=1)
    display = WeightsDisplay.from_network(net, layer=2).plot()
    image, = display.ax_.images
    shown = image.get_array()
    assert np.array_equal(shown[:60], net.weights[1])
    assert np.array_equal(shown[-1], net.biases[1])
    ticks = dict(zip(display.ax_.get_xticks(), [label.get_text() for label in display.ax_.get_xticklabels()],
                     strict=True))
    assert ticks[0] == "61"
    assert ticks[9] == "70"
    assert texts(display.ax_) == []


def test_receptive_fields_are_images_of_weights():
    net = fastbp.Network([12, 5, 2], seed=1)
    display = WeightsDisplay.from_network(net, image_shape=(3, 4)).plot()
    image, = display.ax_.images
    sheet = np.ma.filled(image.get_array(), np.nan)
    # Three images in a row, with a pixel between them.
    for i in range(5):
        top, left = i // 3 * 4, i % 3 * 5
        assert np.array_equal(sheet[top:top + 3, left:left + 4], net.weights[0][:, i].reshape(3, 4))
        assert np.array_equal(display.image(i), net.weights[0][:, i].reshape(3, 4))
    assert np.isnan(sheet[3]).all()
    assert display.ax_.get_title() == "weights into neurons 1 to 5"


def test_many_receptive_fields_are_cut():
    net = fastbp.Network([4, 50, 1], seed=1)
    display = WeightsDisplay.from_network(net, image_shape=(2, 2)).plot(max_images=4)
    assert display.ax_.get_title() == "weights into neurons 1 to 4, of 50 in this layer"
    assert np.isfinite(np.ma.filled(display.ax_.images[0].get_array(), np.nan)).sum() == 4 * 4


@pytest.mark.parametrize("image_shape", [None, (2, 3)])
@pytest.mark.parametrize("weight", [np.nan, -np.inf])
def test_colours_are_those_of_the_finite_weights(weight, image_shape):
    net = fastbp.Network([6, 2], seed=0)
    net.weights[0][:] = 3.0
    net.weights[0][4, 1] = weight
    display = WeightsDisplay.from_network(net, image_shape=image_shape).plot()
    drawn(display.ax_)
    assert display.ax_.images[0].get_clim() == (-3.0, 3.0)


def test_errors_of_weights_displays():
    net = fastbp.Network([6, 2], seed=0)
    for arguments, message in [
            ({"layer": 2}, "layer must be from 1 to 1, got 2"),
            ({"image_shape": (2, 2)}, "image_shape must have as many pixels as the layer has inputs, 6, got 2 x 2"),
            ({"image_shape": (6,)}, "image_shape must hold a number of rows and one of columns")]:
        with pytest.raises(ValueError, match=message):
            WeightsDisplay.from_network(net, **arguments)


# ---------------------------------------------------------------------------- GradientFlowDisplay


def test_norms_are_those_of_the_trace():
    net = fastbp.Network([2, 4, 3, 1], seed=0)
    flow = GradientFlowDisplay(*XOR, every=5)
    net.fit(*XOR, epochs=20, callbacks=flow)
    assert flow.epochs == [4, 9, 14, 19]
    trace = net.backprop(*XOR)      # the network is as it was after the last epoch
    for l in range(3):
        assert flow.error_signal_norms[-1, l] == pytest.approx(np.linalg.norm(trace.error_signals[l]) / 2)
        assert flow.gradient_norms[-1, l] == pytest.approx(
            np.linalg.norm([*trace.weight_gradients[l].ravel(), *trace.bias_gradients[l]]))
    for quantity, norms in (("error_signals", flow.error_signal_norms), ("gradients", flow.gradient_norms)):
        ax = flow.plot(quantity=quantity).ax_
        assert np.array_equal(np.transpose([line.get_ydata() for line in ax.lines]), norms)
        assert np.array_equal(ax.lines[0].get_xdata(), flow.epochs)
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["layer 3", "layer 2", "layer 1"]


def test_by_default_the_last_batch_is_measured():
    net = fastbp.Network([2, 3, 1], seed=0)
    flow, batches = GradientFlowDisplay(), []
    net.fit(*XOR, epochs=2, batch_size=3, callbacks=[flow, lambda state: batches.append(state.last_batch())])
    assert len(batches[-1][0]) == 1
    e = net.backprop(*batches[-1]).error_signals[-1]
    assert flow.error_signal_norms[-1, -1] == pytest.approx(np.linalg.norm(e))


def test_a_signal_of_zero_leaves_a_gap():
    net = fastbp.Network([1, 1, 1], "relu", "identity", init=[-1.0, 0.0, 0.0, 0.0])
    flow = GradientFlowDisplay()
    net.fit([[1.0]], [[2.0]], epochs=3, callbacks=flow)
    assert np.isnan(flow.plot().ax_.lines[0].get_ydata()[0])
    drawn(flow.ax_)


def test_many_layers_have_a_short_legend():
    net = fastbp.Network([1] * 20, "tanh", seed=0)
    flow = GradientFlowDisplay()
    net.fit([[1.0]], [[0.5]], epochs=2, callbacks=flow)
    assert len(flow.plot().ax_.lines) == 19
    assert len(flow.ax_.get_legend().get_texts()) == 9


def test_errors_of_gradient_flow_displays():
    with pytest.raises(ValueError, match="X and T belong together; got X alone"):
        GradientFlowDisplay([[1.0]])
    with pytest.raises(ValueError, match="no epoch has been measured"):
        GradientFlowDisplay().plot()
    with pytest.raises(ValueError, match="quantity must be one of error_signals, gradients"):
        GradientFlowDisplay().plot(quantity="x")


# ---------------------------------------------------------------------------- ResponseDisplay


@pytest.mark.parametrize("flat", [True, False])
def test_curve_with_its_interval_and_data(flat, rng):
    net = fastbp.Network([1, 5, 1], "tanh", seed=1)
    X, T = rng.normal(size=(30, 1)), rng.normal(size=30)

    def interval(X):
        y = net.predict(X)
        low, high = y - 1 - X**2, y + 2
        return (low[:, 0], high[:, 0]) if flat else (low, high)

    display = ResponseDisplay.from_network(net, X, T, interval=interval, resolution=50)
    x, = display.grid
    assert x[0] < X.min() < X.max() < x[-1]
    y = net.predict(x[:, None])[:, 0]
    assert np.array_equal(display.outputs, y)
    assert display.low == pytest.approx(y - 1 - x**2)
    assert display.high == pytest.approx(y + 2)
    ax = display.plot().ax_
    data, curve = ax.lines
    assert np.array_equal(curve.get_xydata(), np.column_stack([x, y]))
    assert np.array_equal(data.get_xydata(), np.column_stack([X[:, 0], T]))
    band = ax.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == pytest.approx(display.low.min())
    assert band[:, 1].max() == pytest.approx(display.high.max())


def test_map_over_two_of_many_inputs(rng):
    net = fastbp.Network([4, 5, 2], "tanh", "identity", seed=1)
    X, T = rng.normal(size=(10, 4)), rng.normal(size=(10, 2))
    display = ResponseDisplay.from_network(net, X, T, features=(3, 0), output=1, resolution=9,
                                           interval=lambda X: (net.predict(X) - X[:, 3:], net.predict(X) + X[:, 3:]),
                                           output_name="force")
    inputs = X.mean(axis=0)
    inputs[[3, 0]] = display.grid[0][6], display.grid[1][2]
    assert display.outputs[2, 6] == pytest.approx(net.predict(inputs)[1])
    assert display.high[2, 6] - display.low[2, 6] == pytest.approx(2 * display.grid[0][6])
    assert np.array_equal(display.targets, T[:, 1])
    ax = display.plot().ax_
    points, = artists(ax, PathCollection)
    assert np.array_equal(points.get_offsets(), X[:, [3, 0]])
    assert np.array_equal(points.get_array(), T[:, 1])
    # Half the interval's width is the input that goes across, so its lines stand upright there.
    _, widths = (artist for artist in ax.get_children() if isinstance(artist, matplotlib.contour.ContourSet))
    for level, path in zip(widths.levels, widths.get_paths(), strict=True):
        assert path.vertices[:, 0] == pytest.approx(level)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [f"±{level:.3g}" for level in widths.levels]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("$x_{4}$", "$x_{1}$")
    drawn(ax)


def test_a_constant_function_can_be_drawn():
    net = fastbp.Network([2, 1], "identity", init="zeros")
    drawn(ResponseDisplay.from_network(net, interval=lambda X: (net.predict(X), net.predict(X))).plot().ax_)
    drawn(ResponseDisplay.from_network(net, features=1).plot().ax_)


def test_labels_stand_for_targets_of_an_output(rng):
    X, labels = rng.normal(size=(30, 1)), rng.integers(3, size=30)
    net = fastbp.Network([1, 3], "softmax", loss="cross_entropy", seed=0)
    for output in range(3):
        by_label, by_row = (ResponseDisplay.from_network(net, X, T, output=output) for T in (labels, np.eye(3)[labels]))
        assert by_label.targets.tolist() == by_row.targets.tolist()
    with pytest.raises(ValueError, match="T must hold"):
        ResponseDisplay.from_network(net, X, labels + 1)


def test_errors_of_response_displays():
    net = fastbp.Network([3, 2], seed=0)
    X = np.ones((4, 3))
    for error, arguments, message in [
            (ValueError, {}, "features must name one or two of the 3 inputs, got None"),
            (ValueError, {"features": (0, 1, 2)}, "features must name one or two inputs"),
            (ValueError, {"features": 3}, "features must hold different columns of X from 0 to 2"),
            (ValueError, {"features": 0, "output": 2}, "output must be an integer from 0 to 1, got int 2"),
            (ValueError, {"features": 0, "limits": (1, 0)}, "limits must hold a lowest and a higher value"),
            (ValueError, {"features": 0, "resolution": 0}, "resolution must be at least 1, got 0"),
            (ValueError, {"features": 0, "T": X}, "T needs X"),
            (ValueError, {"features": 0, "X": X, "T": X}, r"T must have the shape \(4, 2\), got \(4, 3\)"),
            (TypeError, {"features": 0, "interval": lambda X: X}, r"interval must return \(low, high\), got ndarray"),
            (ValueError, {"features": 0, "interval": lambda X: (X, X)}, r"interval's ends must have the shape")]:
        with pytest.raises(error, match=message):
            ResponseDisplay.from_network(net, **arguments)
