"""Any sequence of calls, on a network and on the oracle: hypothesis looks for one after which they differ."""

import contextlib
import copy
import pickle
import tempfile
from pathlib import Path

import numpy as np
import reference
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from stress import times

import fastbp

SEEDS = st.integers(0, 2**32)
ROWS = st.one_of(st.integers(1, 20), st.sampled_from([1, 2, 511, 512, 513, 1100]))
SMOOTH = st.sampled_from(["tanh", "sigmoid", "identity", "softplus", "gelu", "sin"])
OPTIMIZERS = {"SGD": (0.01,), "momentum": (0.01, 0.9), "nesterov": (0.01, 0.9, True), "Adam": (0.01,),
              "Nadam": (0.01,), "RMSprop": (0.01,), "Adagrad": (0.01,), "Rprop": (0.01,)}
FOLDER = tempfile.TemporaryDirectory()


def both(name):
    """fastbp's optimizer and the oracle's."""
    kind = "SGD" if name in ("momentum", "nesterov") else name
    return getattr(fastbp, kind)(*OPTIMIZERS[name]), getattr(reference, kind)(*OPTIMIZERS[name])


class Machine(RuleBasedStateMachine):
    @initialize(layer_sizes=st.lists(st.integers(1, 20), min_size=2, max_size=4), data=st.data(),
                dtype=st.sampled_from(["float32", "float64"]), reduction=st.sampled_from(["sum", "mean"]), seed=SEEDS)
    def construct(self, layer_sizes, data, dtype, reduction, seed):
        layers, _, _ = reference.random_problem(np.random.default_rng(seed), layer_sizes, 1)
        self.net = fastbp.Network(layer_sizes, [data.draw(SMOOTH) for _ in layer_sizes[1:]], dtype=dtype,
                                  reduction=reduction, init=layers)
        self.eps = np.finfo(dtype).eps
        self.oracle = reference.Reference.of(self.net)
        self.use("SGD")
        self.bound = None

    def samples(self, rows, seed):
        rng = np.random.default_rng(seed)
        X, T = rng.uniform(-1, 1, (rows, self.net.n_inputs)), rng.uniform(-1, 1, (rows, self.net.n_outputs))
        if self.net.reduction == "sum":
            X, T = X[:20], T[:20]       # the gradient of a thousand samples would leave the numbers of size 1
        return X.astype(self.net.dtype), T.astype(self.net.dtype)

    def flat(self):
        layers = zip(self.net.weights, self.net.biases, strict=True)
        return np.concatenate([part.ravel() for layer in layers for part in layer])

    def close(self, actual, expected, factor=1.0, beside=0.0):
        scale = max(1.0, np.max(np.abs(expected), initial=0.0))
        off = np.abs(np.subtract(actual, expected, dtype=np.float64))
        assert np.all(off <= 300 * factor * self.eps * scale + beside), f"off by up to {np.max(off)}"

    def use(self, name):
        self.name, (self.optimizer, self.oracles_optimizer) = name, both(name)

    @rule(rows=ROWS, seed=SEEDS)
    def predict(self, rows, seed):
        X, _ = self.samples(rows, seed)
        self.close(self.net.predict(X), self.oracle.predict(X))
        out = np.empty((len(X), self.net.n_outputs), self.net.dtype)
        assert self.net.predict(X, out) is out
        self.close(out, self.oracle.predict(X))

    @rule(rows=ROWS, seed=SEEDS)
    def gradient(self, rows, seed):
        X, T = self.samples(rows, seed)
        error, gradient = self.net.gradient(X, T)
        expected, slopes = self.oracle.gradient(X, T)
        self.close(gradient, slopes)
        self.close(error, expected)

    @rule(seed=SEEDS, layer=st.integers(0, 10))
    def write_into_views(self, seed, layer):
        rng, l = np.random.default_rng(seed), layer % len(self.net.weights)
        W, b = self.net.weights[l], self.net.biases[l]
        W[rng.integers(len(W)), :] = rng.uniform(-0.3, 0.3, W.shape[1])
        b[...] = rng.uniform(-0.3, 0.3, b.shape)
        self.oracle.params = self.flat()

    @rule(seed=SEEDS)
    def set_params(self, seed):
        params = np.random.default_rng(seed).uniform(-0.3, 0.3, self.net.n_params).astype(self.net.dtype)
        self.net.params = self.oracle.params = params

    def descend(self, rows, seed, step):
        X, T = self.samples(rows, seed)
        error, gradient = self.oracle.gradient(X, T)
        self.close(step(X, T), error)
        return gradient

    @rule(rows=ROWS, seed=SEEDS, name=st.sampled_from([None, *sorted(OPTIMIZERS)]))
    def train(self, rows, seed, name):
        if name is not None:        # else it goes on with the state that it has
            self.use(name)
        gradient = self.descend(rows, seed, lambda X, T: self.net.train_step(X, T, optimizer=self.optimizer))
        expected = self.oracles_optimizer.step(self.oracle.params, gradient)
        # What divides by the size of g divides its rounding too, which is that of the largest: a step of h by Adam is
        # off by it up to 1 / sqrt(1 - beta_2), some 32, times. Where it may have turned the sign, nothing is known.
        adapts = self.name not in ("SGD", "momentum", "nesterov")
        rounding = 300 * self.eps * max(1.0, abs(gradient).max()) / np.maximum(abs(gradient), 1e-300) * adapts
        sure = rounding < 0.01
        self.close(self.net.params[sure], expected[sure], beside=0.01 * 32 * rounding[sure])
        self.oracle.params = self.net.params
        if not sure.all():
            self.use(self.name)         # the oracle's state may differ from now on

    @rule(rows=ROWS, seed=SEEDS)
    def bind_and_step(self, rows, seed):
        def step(X, T):
            self.bound = self.net.bind(X, T, learning_rate=0.01)
            return self.bound.step()

        gradient = self.descend(rows, seed, step)
        self.close(self.net.params, self.oracle.params - 0.01 * gradient)
        self.oracle.params = self.net.params
        self.close(self.bound.predict(), self.oracle.predict(self.bound.x))

    @rule(seed=SEEDS, batch_size=st.integers(1, 7))
    def fit(self, seed, batch_size):
        X, T = self.samples(15, seed)
        self.net.fit(X, T, epochs=1, batch_size=batch_size, learning_rate=0.01, shuffle=False)
        for start in range(0, len(X), batch_size):
            batch = slice(start, start + batch_size)
            self.oracle.params = self.oracle.params - 0.01 * self.oracle.gradient(X[batch], T[batch])[1]
        self.close(self.net.params, self.oracle.params)
        self.oracle.params = self.net.params

    @rule(way=st.sampled_from(["copy", "pickle", "save"]))
    def go_on_with_a_twin(self, way):
        old, path = self.net, Path(FOLDER.name) / "net.fastbp"
        if way == "copy":
            self.net = old.copy()
        elif way == "pickle":
            self.net = pickle.loads(pickle.dumps(old))
        else:
            old.save(path)
            self.net = fastbp.load(path)
        assert self.net.params.tobytes() == old.params.tobytes()
        for part in (*old.weights, *old.biases):
            part[...] = np.nan          # what is left of it must not matter

    @rule(way=st.sampled_from([copy.copy, copy.deepcopy, lambda optimizer: pickle.loads(pickle.dumps(optimizer))]))
    def go_on_with_a_copy_of_the_optimizer(self, way):
        old, self.optimizer = self.optimizer, way(self.optimizer)
        old.reset()                     # what is left of it must not matter

    @rule(rows=ROWS, seed=SEEDS, name=st.sampled_from([None, *sorted(OPTIMIZERS)]),
          size=st.sampled_from(["max", "tiny"]))
    def diverge_or_vanish(self, rows, seed, name, size):
        """Numbers at either end of the dtype; whatever comes of them, the oracle goes on from parameters of size 1."""
        X, T = self.samples(rows, seed)
        if name is not None:
            self.use(name)
        before = self.net.params
        self.net.params = np.full(self.net.n_params, getattr(np.finfo(self.net.dtype), size))
        with np.errstate(all="ignore"):
            for call in (lambda: self.net.train_step(X, T, optimizer=self.optimizer), lambda: self.net.gradient(X, T),
                         lambda: self.net.fit(X, T, epochs=1, learning_rate=0.1), lambda: self.net.jacobian(X),
                         lambda: self.net.predict(X), lambda: self.net.error(X, T)):
                with contextlib.suppress(fastbp.DivergenceError):
                    call()
                assert np.isfinite(self.net.params).all()
        self.use(self.name)             # of its state nothing is known
        self.net.params = self.oracle.params = before

    @rule(bad=st.sampled_from([None, "x", np.zeros((2, 99)), np.full((1, 1), np.nan)]))
    def be_refused(self, bad):
        before = self.net.params.tobytes()
        for call in (self.net.train_step, self.net.gradient, self.net.fit):
            try:
                call(bad, bad)
            except (TypeError, ValueError):
                pass
            else:
                raise AssertionError("it was taken")
        assert self.net.params.tobytes() == before

    @invariant()
    def views_and_params_agree(self):
        if hasattr(self, "net"):
            np.testing.assert_array_equal(self.flat(), self.net.params)
            self.close(self.net.params, self.oracle.params, 0)


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=times(40), stateful_step_count=30, deadline=None, database=None,
                                derandomize=times(1) == 1)
