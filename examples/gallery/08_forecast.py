"""
A time series, one step ahead
=============================

The equation of Mackey and Glass (1977) for the number of blood cells makes a chaotic series, of which every sixth value
is taken. From four values the network forecasts the next one. It learns from the first half of the series and is tested
on the rest.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastbp

TENTHS, DELAY = 10, 170             # a step is ten small ones; the equation looks back by 17 steps
fine = np.full(DELAY + 30_000, 1.2)
for i in range(DELAY, len(fine) - 1):
    late = fine[i - DELAY]
    fine[i + 1] = fine[i] + (0.2 * late / (1 + late**10) - 0.1 * fine[i]) / TENTHS
series = fine[DELAY::TENTHS] + np.random.default_rng(0).normal(0, 0.01, 3000)

X = np.column_stack([series[lag:lag - 24] for lag in (0, 6, 12, 18)])
t = series[24:]                     # X[i] ends at i + 18, t[i] is six steps later
middle, spread = series[:1500].mean(), series[:1500].std()
X, t = (X - middle) / spread, (t - middle) / spread
train, test = slice(0, 1476), slice(1500, None)

net = fastbp.Network([4, 20, 10, 1], "tanh", "identity", seed=0)
history = net.fit(X[train], t[train], epochs=400, batch_size=16, optimizer="adam", learning_rate=0.005,
                  schedule="cosine")
forecast = net.predict(X[test])[:, 0]
missed = (forecast - t[test]) * spread
print(f"RMS error {np.sqrt(np.mean(missed**2)):.3f}; the noise alone is 0.01, and "
      f"'as it was six steps ago' has {np.sqrt(np.mean((X[test][:, 3] - t[test]) ** 2)) * spread:.3f}")

# %%
# Above is a part of the test data with the forecasts, below how far they are off.
shown = slice(0, 350)
fig, (upper, lower) = plt.subplots(2, 1, figsize=(9, 5), sharex=True, height_ratios=[2.2, 1], layout="constrained")
upper.plot(t[test][shown] * spread + middle, color="black", label="measured")
upper.plot(forecast[shown] * spread + middle, color="tab:orange", linestyle="--", label="forecast six steps before")
upper.set(ylabel="value", ylim=(0.3, 1.7))
upper.legend(ncols=2, loc="upper right")
lower.axhspan(-0.02, 0.02, color="tab:blue", alpha=0.2, linewidth=0, label="twice the noise")
lower.plot(missed[shown], color="tab:orange")
lower.set(xlabel="step of the test", ylabel="forecast - measured")
lower.legend(loc="upper right")
plt.show()
