"""Exclusive or, which a single neuron cannot learn, learnt by a network with six hidden neurons.

The network learns it with each of a hundred seeds. With two hidden neurons, the fewest that can compute it, some thirty
of a hundred seeds end in a local minimum where some of the four answers are wrong.
"""

import numpy as np

import fastbp

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
T = np.array([[0], [1], [1], [0]])


def learn(seed):
    net = fastbp.Network([2, 6, 1], "tanh", "sigmoid", seed=seed)
    return net, net.fit(X, T, epochs=2000, learning_rate=0.5)


net, history = learn(seed=0)
print(f"RMS error {history.rms[0]:.3f} in the first epoch, {history.rms[-1]:.3f} in the last")
for x, y in zip(X, net.predict(X), strict=True):
    print(x, "->", round(float(y[0]), 2))

nets = [learn(seed)[0] for seed in range(100)]
learnt = sum(np.all(abs(net.predict(X) - T) < 0.1) for net in nets)
print(f"learnt with {learnt} of 100 seeds")
