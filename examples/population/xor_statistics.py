"""How often XOR is learnt: ``python xor_statistics.py 100000`` initial weights for networks of two and more neurons.

With two hidden neurons, the fewest that can compute it, a part of all initial weights leads to a local minimum where
some of the four answers are wrong. Each line counts the networks whose answers are all within 0.1, after more and more
epochs of on-line learning, in its own random order for each network. A hundred thousand networks take about a minute.
"""

import sys

import numpy as np

import fastbp

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32")
T = np.array([0, 1, 1, 0], "float32")
networks = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
epochs = [125, 250, 500, 1000, 2000]

print(f"share of {networks:,} networks that have learnt XOR, after so many epochs")
print("hidden neurons  " + "".join(f"{n:>8}" for n in epochs))
for hidden in (2, 3, 4, 8):
    pop = fastbp.Population(networks, [2, hidden, 1], "tanh", "sigmoid", dtype="float32", seed=hidden)
    shares, done = [], 0
    for n in epochs:
        pop.fit(X, T, epochs=n - done, learning_rate=0.5)
        done = n
        answers = pop.predict(X)[:, :, 0]
        shares.append((abs(answers - T) < 0.1).all(axis=1).mean())
    print(f"{hidden:>14}  " + "".join(f"{share:>8.1%}" for share in shares), flush=True)
