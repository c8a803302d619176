"""The work that is measured: networks, data and what one run does. No library is timed in here."""

from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

LEARNING_RATES = {"sgd": 0.1, "momentum": 0.01, "adam": 0.001}
MOMENTUM, BETA_1, BETA_2, EPSILON = 0.9, 0.9, 0.999, 1e-8


@dataclass(frozen=True)
class Workload:
    """One row of the benchmark.

    Attributes
    ----------
    group : str
        W1 .. W13, as docs/benchmark.md names them.
    job : {"steps", "train", "calls", "predict"}
        "steps": one training call a sample, the Python loop over the samples included. "train": one epoch in one
        call. "calls": one prediction a sample, loop included. "predict": all rows in one call.
    sizes : tuple of int
        Inputs, then neurons of each layer.
    hidden, output : str
        Activations.
    samples, batch : int
        Rows of data, and how many of them make an update.
    optimizer : {"sgd", "momentum", "adam"}
    shuffle : bool
        Whether each epoch is to take the rows in a new random order; peers may shuffle as suits them best.
    reach : float, optional
        How many times faster than the best peer fastbp is to be; None where the peak of the core is the measure.
    dtype : str
        float32 or float64.
    unit : str
        What the time is divided by: "sample", or "run" for the whole of it.
    learning_rate : float
        By default that of `LEARNING_RATES` for the optimizer.
    remark : str
        The end of the name, where all else is the same as another's.
    """

    group: str
    job: str
    sizes: tuple
    hidden: str
    output: str
    samples: int
    batch: int = 1
    optimizer: str = "sgd"
    shuffle: bool = False
    reach: float | None = None
    dtype: str = "float32"
    unit: str = "run"
    learning_rate: float | None = None
    remark: str = ""

    def __post_init__(self):
        if self.learning_rate is None:
            object.__setattr__(self, "learning_rate", LEARNING_RATES[self.optimizer])

    @property
    def loss(self):
        return "cross_entropy" if self.output == "softmax" else "squared_error"

    @property
    def name(self):
        """Group, widths of the layers (256x6 for six of them), dtype, and what else tells it from the others."""
        alike = [(width, len(list(widths))) for width, widths in groupby(self.sizes)]
        widths = (f"{width}x{count}" if count > 2 else "-".join([str(width)] * count) for width, count in alike)
        parts = [self.group, "-".join(widths), {"float32": "f32", "float64": "f64"}[self.dtype]]
        parts += [self.optimizer] * (self.job == "train" and self.optimizer != "sgd")
        return " ".join(parts + [self.remark] * bool(self.remark))

    def is_meant_by(self, name):
        """Whether `name` is the group or the beginning of the whole name; W1 means neither W1b nor W10."""
        return name.split(" ")[0] == self.group and self.name.startswith(name)

    def problem(self):
        """Layers, inputs and targets, the same at every call."""
        rng = np.random.default_rng(1986)
        X = rng.uniform(-1, 1, (self.samples, self.sizes[0])).astype(self.dtype)
        n_outputs = self.sizes[-1]
        if self.loss == "cross_entropy":
            T = np.eye(n_outputs, dtype=self.dtype)[rng.integers(n_outputs, size=self.samples)]
        else:
            T = rng.uniform(0.1, 0.9, (self.samples, n_outputs)).astype(self.dtype)
        layers = []
        for n_in, n_out in zip(self.sizes[:-1], self.sizes[1:], strict=True):
            bound = np.sqrt(6 / (n_in + n_out))
            W = rng.uniform(-bound, bound, (n_in, n_out)).astype(self.dtype)
            layers.append((W, rng.uniform(-0.1, 0.1, n_out).astype(self.dtype)))
        return layers, X, T

    def for_the_check(self):
        """The same work on a few batches in their given order, whose answer every peer must agree on."""
        return replace(self, samples=min(self.samples, 2 * self.batch + self.batch // 2 + 20), shuffle=False)


def _workloads():
    for reach_32, reach_64, sizes in ((2.2, 2.2, (2, 2, 1)), (2.7, 2.7, (4, 8, 3)), (3.5, 3.5, (16, 32, 8))):
        for dtype, reach in (("float32", reach_32), ("float64", reach_64)):
            yield Workload("W1", "steps", sizes, "sigmoid", "sigmoid", 1000, reach=reach, dtype=dtype, unit="sample")
    for reach_32, reach_64, sizes in ((1.7, 1.5, (2, 2, 1)), (2.2, 1.8, (4, 8, 3)), (4.5, 3.5, (16, 32, 8))):
        for dtype, reach in (("float32", reach_32), ("float64", reach_64)):
            yield Workload("W1b", "train", sizes, "sigmoid", "sigmoid", 10_000, reach=reach, dtype=dtype, unit="sample")
    for reach, sizes in ((3.3, (4, 16, 3)), (3.5, (16, 64, 64, 8)), (2.2, (64, 256, 256, 10))):
        yield Workload("W2", "calls", sizes, "tanh", "identity", 1000, reach=reach, unit="sample")
    for reach, optimizer in ((3.7, "momentum"), (3.1, "adam")):
        yield Workload("W3", "train", (8, 32, 32, 1), "tanh", "identity", 10_000, 32, optimizer, True, reach)
    yield Workload("W4", "train", (784, 256, 10), "relu", "softmax", 20_000, 128, "adam", True, 1.25)
    yield Workload("W5", "train", (1024, 2048, 2048, 10), "relu", "softmax", 4096, 512, "sgd", True, 1.03)
    for reach, dtype in ((2.3, "float32"), (2.4, "float64")):
        yield Workload("W6", "train", (20, 50, 1), "tanh", "identity", 10_000, 10_000, reach=reach, dtype=dtype)
    yield Workload("W7", "predict", (16, 64, 64, 8), "tanh", "identity", 10_000, reach=1.25)
    yield Workload("W7", "predict", (784, 256, 10), "relu", "identity", 10_000, reach=1.08)
    for reach, optimizer in ((3.7, "momentum"), (3.1, "adam")):
        yield Workload("W10", "train", (16, 64, 32, 3), "relu", "softmax", 2000, 32, optimizer, True, reach)
    for samples in (2, 8, 64, 512, 2048):
        for job, remark in (("predict", f"predict {samples}"), ("train", f"step {samples}")):
            # A larger rate would leave the finite numbers, step after step on the same samples.
            yield Workload("W11", job, (32, *[256] * 6, 10), "tanh", "identity", samples, samples, learning_rate=0.001,
                           remark=remark)
    # What SimpleChains' authors measured: 41 µs on 18 cores.
    yield Workload("W12", "train", (4, 32, 16, 4), "tanh", "identity", 10_000, 10_000, "adam")
    # Nielsen's network for MNIST.
    yield Workload("W13", "train", (784, 30, 10), "sigmoid", "sigmoid", 50_000, 32, "sgd", True, 1)


WORKLOADS = tuple(_workloads())


def flat(layers):
    """Parameters in the order of `fastbp.Network.params`."""
    return np.concatenate([np.ravel(part) for layer in layers for part in layer])
