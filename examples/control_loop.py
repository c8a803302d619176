"""A controller that learns the inverse of its plant while it runs.

A valve at position u heats a tank of temperature y; its curve and its gain are unknown. In the first thousand ticks u
is random, to excite the plant. From then on the network predicts which u takes y to the reference of the next tick.
After every tick it sees the y that this u has really led to, and learns from that: even if y is not the reference, u is
the right answer for this pair of temperatures. Half-way through, the valve clogs, and the network adapts.

`bind` holds the buffers of the loop, so that a tick costs little more than the network's arithmetic.
"""

import numpy as np

import fastbp

rng = np.random.default_rng(0)
net = fastbp.Network([2, 12, 1], "tanh", "identity", seed=0)

x, t = np.zeros(2), np.zeros(1)
loop = net.bind(x, t, learning_rate=0.05)


def plant(y, u, gain):
    return y + 0.2 * (gain * np.tanh(1.5 * u) - y) + rng.normal(0, 0.002)


ticks = np.arange(40_000)
reference = 0.5 * np.sin(ticks / 25) + 0.2 * np.sin(ticks / 7)
gain = np.where(ticks < 20_000, 2.0, 1.4)
missed = np.zeros(len(ticks))
y = 0.0
for k in ticks[:-1]:
    if k < 1000:
        u = rng.uniform(-1, 1)
    else:
        x[:] = y, reference[k + 1]
        u = np.clip(loop.predict()[0] + rng.normal(0, 0.01), -1, 1)     # a little noise, to learn something new

    y_next = plant(y, u, gain[k])
    missed[k] = y_next - reference[k + 1]

    x[:], t[:] = (y, y_next), u
    loop.step()
    y = y_next

print("RMS of temperature minus reference")
for what, first in [("u at random", 0), ("learnt", 19_000), ("valve clogged", 20_000), ("learnt again", 38_900)]:
    print(f"  {what:13}  ticks {first:6,} to {first + 999:6,}  {np.sqrt(np.mean(missed[first:first + 1000] ** 2)):.4f}")
