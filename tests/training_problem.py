"""What tests share: the small network of those of `fit`, whose samples conftest.py has; an optimizer of each kind."""

import fastbp

SIZES = [3, 5, 2]
M = 10


def network(seed=3, **options):
    return fastbp.Network(SIZES, "tanh", seed=seed, **options)


OPTIMIZERS = {
    "SGD": lambda **how: fastbp.SGD(0.05, **how),
    "momentum": lambda **how: fastbp.SGD(0.05, 0.9, **how),
    "Nesterov": lambda **how: fastbp.SGD(0.05, 0.9, nesterov=True, **how),
    **{name: lambda name=name, **how: getattr(fastbp, name)(0.01, **how)
       for name in ("Adam", "AdamW", "Nadam", "RMSprop", "Adagrad", "Rprop")},
}
