"""A deep ensemble with uncertainty: ``python ensemble.py 50`` networks learn one curve, each from its own bootstrap.

Where there were samples, the networks agree; where there were none, they disagree, and their standard deviation says
so (Lakshminarayanan, Pritzel and Blundell 2017; the bootstrap is Breiman's bagging, 1996).
"""

import sys

import numpy as np

import fastbp

networks = int(sys.argv[1]) if len(sys.argv) > 1 else 50
rng = np.random.default_rng(0)
x = np.concatenate([rng.uniform(-3, -1, 60), rng.uniform(1, 3, 60)])      # a gap from -1 to 1, nothing beyond 3
t = np.sin(2 * x) + rng.normal(0, 0.1, x.size)

# How often each network's bootstrap has drawn each sample.
drawn = rng.multinomial(x.size, np.full(x.size, 1 / x.size), networks)
pop = fastbp.Population(networks, [1, 24, 1], "tanh", "identity", reduction="mean", seed=1)
history = pop.fit(x[:, None], t, epochs=1500, batch_size=20, optimizer=fastbp.Adam(0.01), sample_weight=drawn, seed=2)
print(f"{networks} networks, mean RMS error {history.rms[:, -1].mean():.3f}; the noise has 0.1")

places = np.linspace(-5, 5, 21)
mean, std = pop.mean_and_std(places[:, None])
print("     x   sin(2x)     mean      std")
for at, truth, m, s in zip(places, np.sin(2 * places), mean[:, 0], std[:, 0], strict=True):
    samples = "" if 1 <= abs(at) <= 3 else "   no samples here"
    print(f"{at:6.1f} {truth:9.2f} {m:8.2f} {s:8.2f}{samples}")

has_samples = (abs(places) >= 1) & (abs(places) <= 3)
print(f"mean std where there are samples {std[has_samples].mean():.3f}, elsewhere {std[~has_samples].mean():.3f}")
