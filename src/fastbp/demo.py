"""What ``python -m fastbp demo`` shows: small networks that learn before the reader's eyes.

Each part prints what it does and returns whether the network learnt as it should. All seeds are fixed, so that only the
times differ from one run to the next. Nothing is printed but lines of at most 80 characters, one after another; on a
terminal they come slowly enough to be watched.
"""

import sys
import time
from math import ceil

import numpy as np

from fastbp.data import load_digits
from fastbp.network import Network

INTRODUCTION = """\
Three small networks learn while you watch, for a few seconds. Ctrl-C ends it.

  1. Seven neurons learn exclusive or, which a single neuron cannot learn.
  2. One neuron finds a line that separates two kinds of points.
  3. A network learns to read handwritten digits, and is shown some that it has
     never seen.

An epoch is one pass over all the samples that a network learns from.
"""
WHAT_NEXT = """\
What to type next:

  python -m fastbp demo worked   every number of backpropagation for one sample
  python -m fastbp bench         the speed on this machine, compared with NumPy
  python -m fastbp info          the version, the compiler, the instruction set

or, in Python, the first of these networks:

  import fastbp
  X, T = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
  net = fastbp.Network([2, 6, 1], "tanh", "sigmoid", seed=0)
  net.fit(X, T, epochs=2000, learning_rate=0.5)
  net.predict(X)
  help(net)
"""


def run(part=None):
    """Run one part of the demo, or the whole of it with an introduction.

    Parameters
    ----------
    part : str, optional
        A key of `PARTS`. By default those of `WATCHED` run, one after another.

    Returns
    -------
    bool
        Whether every network learnt as it should. After one that did not, the others still run.
    """
    if part is not None:
        return PARTS[part]()
    show(INTRODUCTION, pause=1)
    learnt = []
    for number, name in enumerate(WATCHED, 1):
        show(f"--- {number} of {len(WATCHED)} ".ljust(80, "-"))
        learnt.append(PARTS[name]())
        show()
    if not all(learnt):
        show("A network has learnt less than it should. Please report this, with what\n"
             "python -m fastbp info prints.\n")
    show(WHAT_NEXT.rstrip())
    return all(learnt)


def xor():
    """Exclusive or, which no single neuron computes."""
    X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=float)
    T = np.array([[0], [1], [1], [0]], dtype=float)
    show("Exclusive or: 1 where one of two inputs is 1, and 0 where both or neither are.\n"
         "Six hidden neurons and an output neuron learn it from its four cases. The error\n"
         "is the root mean square of the differences between outputs and targets.\n", pause=0.5)

    net = Network([2, 6, 1], "tanh", "sigmoid", seed=0)
    for epoch in range(0, 401, 25):
        if epoch > 0:
            train(net, X, T, epochs=25, learning_rate=0.5)
        error = net.rms(X, T)
        show(f"  epoch {epoch:3}   error {error:.3f}  {bar(error)}", pause=0.04)
    train(net, X, T, epochs=2000 - 400, learning_rate=0.5)

    show(f"\nAfter epoch 2000 the error is {net.rms(X, T):.3f}:\n")
    Y = net.predict(X)
    for (x_1, x_2), (t,), (y,) in zip(X, T, Y, strict=True):
        show(f"  {x_1:.0f} xor {x_2:.0f} is {t:.0f}, the network says {y:.2f}", pause=0.07)
    return bool(np.all(np.abs(Y - T) < 0.1))


def threshold():
    """Two kinds of points in the plane, separated by one neuron that learns by the perceptron rule."""
    rng = np.random.default_rng(1)
    X = rng.uniform(-1, 1, (100, 2))
    side = X @ [1.0, 2.0] - 0.3
    apart = np.abs(side) > 0.15     # the rule ends only where a line separates the kinds: keep a gap between them
    X, T = X[apart], (side[apart] > 0).astype(float)
    show(f"A line between {np.count_nonzero(T == 1)} points of kind x and {np.count_nonzero(T == 0)} of kind o. "
         "One neuron finds it by\nthe perceptron rule: after each point that it gets wrong, the line moves.\n",
         pause=0.5)

    net = Network([2, 1], activation="threshold", init=[([[0.0], [0.0]], [0.0])], seed=1)
    for epoch in range(100):
        wrong = np.count_nonzero(net.predict(X)[:, 0] != T)
        show(f"  epoch {epoch:2}   {wrong:2} wrong  {bar(wrong / len(X))}", pause=0.07)
        if wrong == 0:
            break
        train(net, X, T, epochs=1, learning_rate=0.1, shuffle=False)

    show("\nDots mark the side on which the neuron says x:\n")
    columns, rows = 63, 15
    plane = np.stack(np.meshgrid(np.linspace(-1, 1, columns), np.linspace(1, -1, rows)), axis=-1)
    picture = np.where(net.predict(plane.reshape(-1, 2)).reshape(rows, columns) == 1, ".", " ")
    across, down = (np.round((X * [1, -1] + 1) / 2 * [columns - 1, rows - 1]).astype(int)).T
    picture[down, across] = np.where(T == 1, "x", "o")
    for row in picture:
        show("  |" + "".join(row) + "|", pause=0.03)
    return wrong == 0


def digits():
    """Handwritten digits: learn from three quarters of them, read the rest.

    Over 20 seeds of split and network, between 2.2 and 7.3 % of the rest were misread, 4.3 % on average. The same 13
    people wrote both parts; the handwriting of a fourteenth would be harder to read.
    """
    pixels, labels = load_digits()
    order = np.random.default_rng(0).permutation(len(labels))
    X, labels = pixels[order] / 16.0, labels[order].astype(int)
    seen, new = slice(0, 1347), slice(1347, None)
    show(f"Handwritten digits of 8 x 8 pixels. A network with 32 hidden neurons learns from\n"
         f"{len(labels[seen]):,} of them, at a low rate so that it can be watched. It is tested on\n"
         f"the other {len(labels[new])}.\n", pause=0.5)

    net = Network([64, 32, 10], "tanh", "softmax", loss="cross_entropy", seed=0)
    seconds = 0.0
    for epoch in range(0, 25, 2):
        if epoch > 0:
            seconds += train(net, X[seen], labels[seen], epochs=2, learning_rate=0.002).seconds[-1]
        misread = np.mean(net.predict(X[new]).argmax(axis=1) != labels[new])
        show(f"  epoch {epoch:2}   misread {misread:6.1%}  {bar(misread)}", pause=0.07)
    show(f"\nAll {epoch} epochs took {seconds:.2f} seconds of computing, "
         f"{epoch * len(labels[seen]) / seconds:,.0f} digits a second.\n"
         "Unseen digits that the network reads correctly:\n", pause=0.5)

    Y = net.predict(X[new])
    right = Y.argmax(axis=1) == labels[new]
    for kind in (right, ~right):
        draw(X[new][kind][:4], Y[kind][:4], labels[new][kind][:4])
        if kind is right:
            show("and incorrectly:\n", pause=0.3)
    return bool(misread < 0.06)


def worked():
    """The 2-2-2-1 network that docs/method.md works through: one sample forward, its error signals back."""
    # Weights with few digits, so that a reader can follow on paper.
    net = Network(
        [2, 2, 2, 1],
        init=[
            ([[0.5, -0.4], [0.3, 0.8]], [0.1, -0.2]),
            ([[0.7, -0.6], [-0.5, 0.9]], [0.2, 0.1]),
            ([[1.2], [-0.8]], [-0.3]),
        ],
    )
    x, t = np.array([1.0, 0.5]), np.array([1.0])
    trace = net.backprop(x, t)
    (r1, r2), (r3, r4), (r5,) = trace.net_inputs
    (a1, a2), (a3, a4), (y,) = trace.outputs
    (e1, e2), (e3, e4), (e5,) = trace.error_signals
    slope3, slope4, slope5 = (a * (1 - a) for a in (a3, a4, y))  # of the sigmoid
    _, W2, W3 = net.weights

    print("A network of 2 inputs and layers of 2, 2 and 1 sigmoid neurons, one sample")
    print(f"  x = ({x[0]}, {x[1]}), t = {t[0]}")
    print("Forward: net input r = sum of a w, plus b; output a = g(r)")
    for layer, neurons in [(1, [(1, r1, a1), (2, r2, a2)]), (2, [(3, r3, a3), (4, r4, a4)]), (3, [(5, r5, y)])]:
        for B, r, a in neurons:
            print(f"  layer {layer}   r_{B} = {r:+.6f}   g(r_{B}) = {a:.6f}   g'(r_{B}) = {a * (1 - a):.6f}")
    print("Backward: error signal e = dE/da, where E = (y - t)^2 / 2")
    print("  layer 3   e_5 = y - t")
    print(f"                = {y:.6f} - {t[0]:.6f} = {e5:+.6f}")
    for A, w, e in [(3, W3[0, 0], e3), (4, W3[1, 0], e4)]:
        print(f"  layer 2   e_{A} = e_5 g'(r_5) w_{{{A},5}}")
        print(f"                = {e5:+.6f} * {slope5:.6f} * {w:+.1f} = {e:+.6f}")
    for A, (w3, w4), e in [(1, W2[0], e1), (2, W2[1], e2)]:
        print(f"  layer 1   e_{A} = e_3 g'(r_3) w_{{{A},3}} + e_4 g'(r_4) w_{{{A},4}}")
        print(f"                = {e3:+.6f} * {slope3:.6f} * {w3:+.1f} {e4:+.6f} * {slope4:.6f} * {w4:+.1f} = {e:+.6f}")
    print("The gradient of a weight: error signal times slope times input")
    gradient = trace.weight_gradients[2][0, 0]
    print(f"  dE/dw_{{3,5}} = e_5 g'(r_5) g(r_3) = {gradient:+.6f}")

    by_hand = [e5 * slope5 * W3[0, 0], e5 * slope5 * W3[1, 0], *(W2 @ [e3 * slope3, e4 * slope4]), e5 * slope5 * a3]
    return np.allclose(by_hand, [e3, e4, e1, e2, gradient], rtol=1e-12, atol=0)


def train(net, X, T, **options):
    """`Network.fit`, but Ctrl-C ends the whole demo and not this call alone."""
    history = net.fit(X, T, **options)
    if history.stop_reason == "interrupted":
        raise KeyboardInterrupt
    return history


def show(text="", pause=0.0):
    """Print; on a terminal, then wait for `pause` seconds."""
    print(text, flush=True)
    if sys.stdout is not None and sys.stdout.isatty():
        time.sleep(pause)


def shades():
    """Five characters from paper to ink: blocks, or ASCII where the encoding of standard output has no blocks."""
    blocks = " \N{LIGHT SHADE}\N{MEDIUM SHADE}\N{DARK SHADE}\N{FULL BLOCK}"
    try:
        blocks.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        return " .+x#"
    return blocks


def bar(fraction):
    """A bar of characters, 40 of them for a whole and at least one for more than nothing."""
    return shades()[-1] * ceil(40 * fraction)


def draw(images, Y, labels):
    """Digits side by side, with what the network says about each, and what it should say where that differs."""
    ink = np.array(list(shades()))[np.round(images.reshape(-1, 8, 8) * 4).astype(int)]
    lines = [["".join(np.repeat(image[row], 2)) for image in ink] for row in range(8)]
    lines.append([f"says {y.argmax()}, {y.max():.0%} sure" for y in Y])
    lines.append([f"but is {t}" if t != y.argmax() else "" for t, y in zip(labels, Y, strict=True)])
    for line in lines:
        show(("  " + "   ".join(f"{cell:17}" for cell in line)).rstrip(), pause=0.04)


PARTS = {"xor": xor, "threshold": threshold, "digits": digits, "worked": worked}
WATCHED = ("xor", "threshold", "digits")    # "worked" is a page to read, for those who ask for it
