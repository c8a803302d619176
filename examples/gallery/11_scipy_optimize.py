"""
SciPy's optimizers on a network's gradient
==========================================

``net.gradient`` returns E and dE/dw, one vector, which is all that ``scipy.optimize.minimize`` asks for. On small data,
methods that model the curvature get further with each gradient than gradient descent does. For L-BFGS there is
``fastbp.interop.scipy.minimize``.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import minimize

import fastbp

plt.style.use("tableau-colorblind10")
rng = np.random.default_rng(0)
X = rng.uniform(-2, 2, (200, 2))
T = np.sin(2 * X[:, :1]) * np.cos(X[:, 1:]) + rng.normal(0, 0.05, (200, 1))


def train(method):
    """E after each gradient that the method has asked for."""
    net = fastbp.Network([2, 12, 1], "tanh", "identity", seed=0)
    errors = []

    def error_and_gradient(params):
        net.params = params
        error, gradient = net.gradient(X, T)
        errors.append(error)
        return error, gradient

    minimize(error_and_gradient, net.params, jac=True, method=method, options={"maxiter": 1000})
    return errors[:1000]


curves = {method: train(method) for method in ("BFGS", "L-BFGS-B", "CG")}
for name, optimizer in (("fit, Adam", fastbp.Adam(0.02)), ("fit, gradient descent", fastbp.SGD(0.002, momentum=0.9))):
    net = fastbp.Network([2, 12, 1], "tanh", "identity", seed=0)
    curves[name] = net.fit(X, T, epochs=1000, batch_size="full", optimizer=optimizer).error
for name, errors in curves.items():
    print(f"{name:22} E = {errors[min(len(errors), 300) - 1]:7.4f} after 300 gradients, {errors[-1]:7.4f} at the end")

# %%
# The noise alone has E = 200 * 0.05**2 / 2 = 0.25; a network that goes below begins to learn it by heart.
fig, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
for (name, errors), style in zip(curves.items(), ["-", "-", "-", "--", "--"], strict=True):
    ax.loglog(np.arange(1, len(errors) + 1), np.minimum.accumulate(errors), style, label=name)
ax.axhline(0.25, color="black", linestyle=":", linewidth=1)
ax.set(xlabel="gradients", ylabel="E, the lowest so far")
ax.legend(loc="lower left")
plt.show()
