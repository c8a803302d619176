"""Exclusive or by a 2-2-1 sigmoid network, one sample at a time."""

import fastbp

X = [[0, 0], [0, 1], [1, 0], [1, 1]]
T = [[0], [1], [1], [0]]

net = fastbp.Network([2, 2, 1], init=fastbp.uniform(-1, 1), seed=5)
history = net.fit(X, T, epochs=10_000, learning_rate=1.0, desired_error=0.02)

print(f"RMS error {history.rms[0]:.3f} in the first epoch, {history.rms[-1]:.3f} in epoch {len(history.rms)}")
for x, y in zip(X, net.predict(X), strict=True):
    print(x, "->", round(float(y[0]), 3))
