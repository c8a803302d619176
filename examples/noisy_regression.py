"""Regression of noisy measurements: the error on held-out data, and the slope of the learnt function.

The rate k of a reaction depends on temperature and concentration by Arrhenius' law; log k is measured with noise. The
network does not know the law. Its Jacobian gives d log k / dT, and the activation energy follows from that.
"""

import numpy as np

import fastbp

R, ENERGY = 8.314, 50_000.0     # J / (mol K), J / mol
NOISE = 0.1

rng = np.random.default_rng(0)
temperature = rng.uniform(280, 340, 600)        # K
concentration = rng.uniform(0.1, 2.0, 600)      # mol / l
log_k = 18 - ENERGY / (R * temperature) + 1.5 * np.log(concentration)
X = np.column_stack([temperature, concentration])
T = (log_k + rng.normal(0, NOISE, 600))[:, None]

# Networks learn best when inputs and targets are scaled to roughly -1 to 1. Only the training data decide how.
train, validation, test = slice(0, 350), slice(350, 450), slice(450, None)
x_mean, x_std = X[train].mean(axis=0), X[train].std(axis=0)
t_mean, t_std = T[train].mean(), T[train].std()
Xs, Ts = (X - x_mean) / x_std, (T - t_mean) / t_std

net = fastbp.Network([2, 16, 1], "tanh", "identity", reduction="mean", seed=0)
history = net.fit(Xs[train], Ts[train], epochs=2000, batch_size=32, optimizer=fastbp.Adam(0.003),
                  validation_data=(Xs[validation], Ts[validation]), patience=100)
print(f"{len(history)} epochs; the best was epoch {history.best_epoch}")

print(f"noise of the measurements    {NOISE:.3f}")
print(f"RMS error on the test data   {net.rms(Xs[test], Ts[test]) * t_std:.3f}")
print(f"predicting the mean          {np.sqrt(np.mean((T[test] - t_mean) ** 2)):.3f}")

# d log k / dT per kelvin: the Jacobian is that of the scaled function, so the chain rule scales it back.
slope = net.jacobian(Xs[test])[:, 0, 0] * t_std / x_std[0]
energy = slope * R * X[test, 0] ** 2            # for d/dT (-E / RT) = E / RT^2
print(f"activation energy            {np.median(energy) / 1000:.1f} kJ/mol; the true value is {ENERGY / 1000:.1f}")
