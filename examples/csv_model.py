"""Train a model from a CSV file, save it to a file, and predict with it, in the shell.

    python csv_model.py train battery.csv battery.fastbp
    python csv_model.py predict battery.fastbp < battery.csv

The CSV file begins with a line of names. The last column is predicted from the others; `predict` reads as many columns
as the model has inputs. battery.csv beside this script has simulated data: charge (0 to 1), temperature (degrees
Celsius), current (A) and voltage (V) of a cell.
"""

import sys

import numpy as np

import fastbp


def train(data, model):
    table = np.loadtxt(data, delimiter=",", skiprows=1)
    np.random.default_rng(0).shuffle(table)
    X, T = table[:, :-1], table[:, -1:]
    X_mean, X_std, T_mean, T_std = X.mean(axis=0), X.std(axis=0), T.mean(axis=0), T.std(axis=0)

    net = fastbp.Network([X.shape[1], 16, 1], "tanh", "identity", reduction="mean", seed=0)
    kept = len(X) // 4      # rows for validation, which choose the epoch with the best parameters
    Xs, Ts = (X - X_mean) / X_std, (T - T_mean) / T_std
    net.fit(Xs[kept:], Ts[kept:], epochs=2000, batch_size=16, optimizer="adam",
            validation_data=(Xs[:kept], Ts[:kept]), patience=100)

    # The scaling becomes part of the weights, so that the file holds all that a prediction needs.
    (W_1, W_2), (b_1, b_2) = net.weights, net.biases
    W_1 /= X_std[:, None]
    b_1 -= X_mean @ W_1
    W_2 *= T_std
    b_2 *= T_std
    b_2 += T_mean
    net.save(model)
    print(f"Validation RMS error ({kept} rows): {net.rms(X[:kept], T[:kept]):.4f}; "
          f"predicting the mean: {T[:kept].std():.4f}")


def predict(model):
    net = fastbp.load(model)
    X = np.loadtxt(sys.stdin, delimiter=",", skiprows=1, usecols=range(net.n_inputs), ndmin=2)
    np.savetxt(sys.stdout, net.predict(X), fmt="%.4f")


match sys.argv[1:]:
    case ["train", data, model]:
        train(data, model)
    case ["predict", model]:
        predict(model)
    case _:
        sys.exit(__doc__)
