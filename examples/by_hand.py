"""Backpropagation to follow on paper, on the network of Matt Mazur's "A Step by Step Backpropagation Example".

Two inputs, two hidden neurons, two outputs, all sigmoid. Each layer has

    net inputs     r = sum of a w, plus b        error signals  e = dE/da
    outputs        a = g(r)                      deltas         d = dE/dr = e g'(r)

where E is half the sum of the squared errors. The gradient of a weight is the output that enters it times the delta
that it leads to. At the end every gradient is compared with the difference quotient (E(w + h) - E(w - h)) / 2h, which
does not use backpropagation.
"""

import numpy as np

import fastbp

# (W, b) of each layer; row A and column B of W hold the weight from A to B.
net = fastbp.Network([2, 2, 2], "sigmoid", init=[
    ([[0.15, 0.25], [0.20, 0.30]], [0.35, 0.35]),
    ([[0.40, 0.50], [0.45, 0.55]], [0.60, 0.60]),
])
x, t = np.array([0.05, 0.10]), np.array([0.01, 0.99])

trace = net.backprop(x, t)
print(f"E = {trace.error:.9f}")
for l, layer in enumerate(["hidden layer", "output layer"]):
    print(layer)
    print("  net inputs     r =", trace.net_inputs[l])
    print("  outputs        a =", trace.outputs[l])
    print("  error signals  e =", trace.error_signals[l])
    print("  deltas         d =", trace.deltas[l])
    print("  gradients of the weights, the outer product of the layer's inputs and d")
    print(trace.weight_gradients[l])

# The same in NumPy: first the output layer, then the error goes back through its weights.
hidden, y = trace.outputs
d_output = (y - t) * y * (1 - y)
d_hidden = (net.weights[1] @ d_output) * hidden * (1 - hidden)
assert np.allclose(trace.deltas[1], d_output, rtol=1e-12) and np.allclose(trace.deltas[0], d_hidden, rtol=1e-12)
assert np.allclose(trace.weight_gradients[0], np.outer(x, d_hidden), rtol=1e-12)

h = 1e-5
params = net.params
_, gradient = net.gradient(x, t)
quotients = np.zeros_like(gradient)
for i in range(len(params)):
    step = h * (np.arange(len(params)) == i)
    net.params = params + step
    above = net.error(x, t)
    net.params = params - step
    quotients[i] = (above - net.error(x, t)) / (2 * h)
net.params = params
print(f"largest difference from the quotients: {abs(gradient - quotients).max():.0e}")

net.train_step(x, t, learning_rate=0.5)
print(f"E after one update at the rate 0.5: {net.error(x, t):.9f} (0.291027774 if biases do not change, as in Mazur's)")
