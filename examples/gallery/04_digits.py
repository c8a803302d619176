"""
Handwritten digits
==================

The network learns from 1500 of the digits that come with fastbp and reads the other 297. A part of the 1500 is held out
to stop the training in time.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastbp
from fastbp.data import load_digits

pixels, labels = load_digits()
X = pixels / 16
train, test = slice(0, 1500), slice(1500, None)

net = fastbp.Network([64, 40, 10], "tanh", "softmax", loss="cross_entropy", reduction="mean", seed=0)
history = net.fit(X[train], labels[train], epochs=200, batch_size=32, optimizer="adam", learning_rate=0.003,
                  validation_fraction=0.15, patience=15, dropout=0.2)
probabilities = net.predict(X[test])
answers = probabilities.argmax(axis=1)
wrong = np.flatnonzero(answers != labels[test])
print(f"{len(history)} epochs in {history.seconds[-1]:.2f} s; the best was epoch {history.best_epoch}")
print(f"{1 - len(wrong) / len(answers):.1%} of the digits that it has never seen are read correctly")

# %%
# These are the misread digits of which the network was most certain, each with its answer and the truth.
worst = wrong[np.argsort(-probabilities[wrong].max(axis=1))][:12]
fig, axes = plt.subplots(2, 6, figsize=(9, 3.8), layout="constrained")
for ax in axes.flat:
    ax.set_axis_off()
for ax, i in zip(axes.flat, worst, strict=False):
    ax.imshow(pixels[test][i].reshape(8, 8), cmap="gray_r")
    ax.set_title(f"{answers[i]}, {probabilities[i].max():.0%}\nis {labels[test][i]}", fontsize=11)
fig.suptitle("Misread: the answer, its probability, and the truth")
plt.show()
