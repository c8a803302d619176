"""
A curve to seven digits, by Levenberg-Marquardt
===============================================

Where a small network is to fit a curve as closely as it can, Levenberg-Marquardt goes on where methods that know only
the gradient stay behind: it uses the derivatives of every output with respect to every parameter. Three methods train
the same network from the same start for one second each, or until they get no further. The start matters: from others,
Levenberg-Marquardt ends at five or six digits.
"""

import matplotlib.pyplot as plt
import numpy as np
import scipy.optimize  # noqa: F401 - here, so that it is not imported in the time of L-BFGS

import fastbp

X = np.linspace(-1, 1, 500)[:, None]
T = np.sinc(10 * X / np.pi)     # sin(10 x) / (10 x)
METHODS = {"Levenberg-Marquardt": {"optimizer": fastbp.LevenbergMarquardt(min_gradient=1e-14)},
           "L-BFGS": {"optimizer": "lbfgs"},
           "Adam": {"optimizer": fastbp.Adam(0.005), "batch_size": 32}}

curves, nets = {}, {}
for name, options in METHODS.items():
    net = fastbp.Network([1, 25, 1], "tanh", "identity", init=[fastbp.uniform(-10, 10), "glorot"], seed=2)
    history = net.fit(X, T, epochs=100_000, time_limit=1, **options)
    curves[name], nets[name] = (history.seconds, np.minimum.accumulate(history.rms)), net
    print(f"{name:20} {len(history):5} epochs in {history.seconds[-1]:.2f} s, RMS error {history.rms[-1]:.1e}")

# %%
# On the left are the curve and the network that Levenberg-Marquardt has trained, on the right the errors over time.
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", width_ratios=[2, 3])
left.plot(X, T, color="black", linewidth=4, alpha=0.3, label="sin(10 x) / (10 x)")
left.plot(X, nets["Levenberg-Marquardt"].predict(X), label="the network")
left.set(xlabel="x", ylim=(-0.3, 1.35)), left.legend()
for (name, (seconds, rms)), style in zip(curves.items(), ["-", "--", ":"], strict=True):
    right.loglog(seconds, rms, style, linewidth=2, label=name)
right.set(xlabel="seconds", ylabel="RMS error, the lowest so far"), right.legend(loc="lower left")
plt.show()
