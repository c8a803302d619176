"""
An autoencoder and its code
===========================

The network learns to give back its input, a handwritten digit, through a layer of two neurons. What these two give is a
code of two numbers for 64 pixels. The network is never told which digit it sees.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastbp
from fastbp.data import load_digits

pixels, labels = load_digits()
X = pixels / 16

net = fastbp.Network([64, 50, 25, 2, 25, 50, 64], ["tanh", "tanh", "identity", "tanh", "tanh", "sigmoid"],
                     dtype="float32", reduction="mean", seed=3)
history = net.fit(X, X, epochs=250, batch_size=32, optimizer=fastbp.Adam(0.002, l2=1e-6), schedule="cosine")
code, restored = net.layer_outputs(X)[2], net.predict(X)
print(f"RMS error of a pixel {history.rms[-1]:.3f} after {history.seconds[-1]:.1f} s; "
      f"without the network, by the mean image, {((X - X.mean(axis=0)) ** 2).mean() ** 0.5:.3f}")

# %%
# Each point is an image, and its colour the digit that it shows, which stands at the middle of its points. Below are
# ten images, and what the network restores from their two numbers.
fig = plt.figure(figsize=(7, 7.5), layout="constrained")
top, bottom = fig.subfigures(2, 1, height_ratios=[3.4, 1])
ax = top.subplots()
ax.scatter(*code.T, c=labels, cmap="tab10", s=9)
for digit in range(10):
    ax.text(*np.median(code[labels == digit], axis=0), digit, size=15, weight="bold", bbox={"alpha": 0.7, "color": "w"})
ax.set(xlabel="first number of the code", ylabel="second number")
for column, (upper, lower) in enumerate(zip(*bottom.subplots(2, 10), strict=True)):
    for ax, image in ((upper, X[column]), (lower, restored[column])):
        ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        ax.set_axis_off()
plt.show()
