"""Evolution strategies: a population of 64 networks learns to balance a pole on a cart, without any gradient.

Each generation tries 64 variations of the parameters, all of them in one call a step, and moves the parameters towards
those that balanced longer (Salimans et al. 2017). The cart-pole is that of Barto, Sutton and Anderson 1983.
"""

import sys

import numpy as np

import fastbp

generations = int(sys.argv[1]) if len(sys.argv) > 1 else 40
pop = fastbp.Population(64, [4, 16, 1], "tanh", dtype="float32", init="zeros")
rng = np.random.default_rng(0)
STEPS, SIGMA, RATE = 500, 0.5, 2.0
SCALE = np.array([2.4, 2.0, 0.21, 2.0])         # of position, speed, angle and its speed


def move(state, push):
    """20 ms of the physics: carts of 1 kg, poles of 0.1 kg and 1 m, pushed by up to 10 N."""
    x, v, angle, spin = state.T
    swing = (10 * push + 0.05 * spin**2 * np.sin(angle)) / 1.1
    spin_rate = (9.8 * np.sin(angle) - np.cos(angle) * swing) / (0.5 * (4 / 3 - 0.1 * np.cos(angle) ** 2 / 1.1))
    acceleration = swing - 0.05 * spin_rate * np.cos(angle) / 1.1
    return np.stack([x + 0.02 * v, v + 0.02 * acceleration, angle + 0.02 * spin, spin + 0.02 * spin_rate], axis=1)


def balance():
    """For how many steps each network's pole has stayed up, from an attitude of its own."""
    state = rng.uniform(-0.05, 0.05, (len(pop), 4))
    steps, up = np.zeros(len(pop)), np.full(len(pop), True)
    for _ in range(STEPS):
        push = pop.predict((state / SCALE)[:, None].astype("float32"))[:, 0, 0]     # each network sees its own cart
        state = move(state, push)
        up &= (abs(state[:, 0]) < 2.4) & (abs(state[:, 2]) < 0.21)
        steps += up
        if not up.any():
            break
        state[~up] = 0
    return steps


center = np.zeros(pop.n_params)
for generation in range(generations):
    noise = rng.normal(size=(len(pop) // 2, pop.n_params))
    noise = np.concatenate([noise, -noise])         # in pairs, so that the mean is exactly the center
    pop.params = center + SIGMA * noise
    steps = balance()
    center += RATE * ((steps.argsort().argsort() / (len(pop) - 1) - 0.5) @ noise) / (len(pop) * SIGMA)
    if generation % 5 == 4:
        print(f"generation {generation + 1:>3}: the poles stay up for {steps.mean():.0f} of {STEPS} steps")
pop.params = np.tile(center, (len(pop), 1))
print(f"at the end, from 64 attitudes: {balance().mean():.0f} of {STEPS} steps")
