"""Typical uses; mypy and pyright check them (tools/check_types.sh), nothing runs them."""

# pyright: reportUnnecessaryTypeIgnoreComment=error

from collections.abc import Iterator
from pathlib import Path
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import fastbp
from fastbp import schedules

X: NDArray[np.float64] = np.zeros((4, 2))
T = [[0.0], [1.0], [1.0], [0.0]]

net = fastbp.Network([2, 3, 1], "tanh", "sigmoid", dtype=np.float32, seed=1)
fastbp.Network((2, 1), ["identity"], loss=fastbp.Huber(0.5), init=[([[1.0], [2.0]], [0.0])])
fastbp.Network([2, 1], init=fastbp.uniform(-1, 1), seed=np.random.default_rng(1))
fastbp.Network([2, 1], rng=np.random.default_rng(1)).train_step([0.0, 1.0], 1.0)
fastbp.Network([2, 2, 2, 1], init=["he", fastbp.uniform(-1, 1), ([[1.0], [2.0]], [0.0])])
assert_type(net.n_params, int)
assert_type(net.layer_sizes, tuple[int, ...])
net.weights[0][...] = 0
net.params = np.zeros(net.n_params)
y: NDArray[np.floating] = net.predict([0.0, 1.0])
net.predict(X, out=y)
assert_type(net.train_step(X, T, optimizer=fastbp.Adam(0.01, l2=1e-4)), float)
error, gradient = net.gradient(X, T)
assert_type(error, float)
slopes: NDArray[np.floating] = net.input_gradient(X, T) + net.jacobian(X)[:, 0]
trace = net.backprop(X, T)
assert_type(trace, fastbp.Trace)
trace.deltas[0].sum()
bound = net.bind(X, np.array(T), learning_rate=0.5)
assert_type(bound.step(), float)


def squared(Y: NDArray[Any], T: NDArray[Any]) -> tuple[float, NDArray[Any]]:
    return float(((Y - T) ** 2).sum()) / 2, Y - T


class Patient:
    def on_epoch(self, state: fastbp.EpochState) -> bool:
        return state.epoch > 3 and state.network.rms(X, T) < 0.1 and state.rms < 0.1


def batches() -> Iterator[tuple[NDArray[np.float64], list[list[float]]]]:
    yield X, T


fastbp.Network([2, 1], loss=squared).fit(X, T)
history = net.fit(X, T, epochs=10, optimizer="adam", callbacks=[Patient()], schedule=schedules.Step(every=2),
                  validation_data=(X, T), patience=3, checkpoint=Path("training.ckpt"), dropout=[0.5])
assert_type(history, fastbp.History)
assert_type(history.rms, NDArray[np.float64])
assert_type(history.best_epoch, int | None)
net.fit(batches, schedule=lambda epoch: 1 / (epoch + 1))
net.fit([(X, T)], None, rng=1, optimizer=fastbp.SGD(0.1, momentum=0.9, clip_norm=1.0), class_weight={0: 1.0, 1: 2.0})
net.fit(X, T, epochs=10, callbacks=Patient())
net.fit(X, T, epochs=10, callbacks=lambda state: print(state.epoch, state.error))
net.fit(X, T, epochs=10, callbacks=[Patient(), lambda state: state.rms < 0.1])
net.save(Path("net.fastbp"))
assert_type(net.to_c(Path("net.h"), "net", jacobian=True, libm=True), NDArray[np.floating] | None)
assert_type(fastbp.load("net.fastbp"), fastbp.Network)
assert_type(fastbp.Network.from_description(fastbp.io.loads(fastbp.io.dumps(net))), fastbp.Network)
assert_type(net.copy(), fastbp.Network)
try:
    net.fit(X, T, learning_rate=1e30)
except fastbp.DivergenceError as divergence:
    assert_type(divergence.epoch, int)

# What must be refused: both complain of a comment that nothing needed.
fastbp.Network(2)  # type: ignore
net.fit(X, T, epoch=10)  # type: ignore
net.n_params = 3  # type: ignore
fastbp.Adam(momentum=0.9)  # type: ignore
net.fit(X, T, callbacks=[5])  # type: ignore
