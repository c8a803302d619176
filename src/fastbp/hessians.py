"""Second derivatives of a network's outputs with respect to its inputs: `Network.hessian`."""

import numpy as np

# How many second derivatives within the network a block of rows may hold: 64 MB.
BLOCK = 2**23
ROOT = np.sqrt(2 / np.pi)

# g''(r) from the net input r, the output a and the slope s = g'(r). Activations that lack one somewhere are missing.
SECOND = {
    "identity": lambda r, a, s: np.zeros_like(r),
    "sigmoid": lambda r, a, s: s * (1 - 2 * a),
    "tanh": lambda r, a, s: -2 * a * s,
    "softplus": lambda r, a, s: s * (1 - s),
    "silu": lambda r, a, s: second_of_silu(r),
    "gelu": lambda r, a, s: ROOT / 2 * np.exp(-r * r / 2) * (2 - r * r),
    "gaussian": lambda r, a, s: (4 * r * r - 2) * a,
    "sin": lambda r, a, s: -a,
    "exp": lambda r, a, s: a,
    "softmax": None,    # not a function of a single r
}


def second_of_silu(r):
    share = 0.5 + 0.5 * np.tanh(r / 2)
    return share * (1 - share) * (2 + r * (1 - 2 * share))


def hessian(net, X):
    """(n_outputs, n_inputs, n_inputs) for a sample, (M, n_outputs, n_inputs, n_inputs) for M of them."""
    for l, activation in enumerate(net.activations):
        if activation not in SECOND:
            raise ValueError(f"hessian needs activations with a second derivative ({', '.join(SECOND)}), got "
                             f"{activation!r} in layer {l + 1}")
    single, *layers = net._layers(X, finite=True)
    n, m = net.n_inputs, len(layers[0][0])
    second = np.empty((m, net.n_outputs, n, n), net.dtype)
    rows = max(1, BLOCK // (max(net.layer_sizes) * n * n))
    for start in range(0, m, rows):
        block = slice(start, start + rows)
        second[block] = of_rows(net, *([array[block].astype(float) for array in arrays] for arrays in layers))
    return second[0] if single else second


def of_rows(net, r, a, s):
    """The second derivatives for rows whose net inputs, outputs and slopes are known, all in float64."""
    J, H = np.eye(net.n_inputs), np.zeros((net.n_inputs, net.n_inputs, net.n_inputs))
    for l, (W, activation) in enumerate(zip(net.weights, net.activations, strict=True)):
        J, H = W.T @ J, np.tensordot(W.T, H, (1, -3)) if l == 0 else np.einsum("jk,mjpq->mkpq", W, H)
        if activation == "softmax":
            J, H = through_softmax(a[l], J, H)
        else:
            curved = SECOND[activation](r[l], a[l], s[l])
            H = s[l][..., None, None] * H + curved[..., None, None] * outer(J)
            J = s[l][..., None] * J
    return H


def outer(J):
    return J[..., :, None] * J[..., None, :]


def through_softmax(a, J, H):
    """The same for y = softmax(r): dy_i = y_i (dr_i - m) with m = sum over j of y_j dr_j, differentiated once more."""
    y = a[..., None]
    centred = J - np.sum(y * J, axis=-2, keepdims=True)
    second = H + outer(centred)
    y = y[..., None]
    return a[..., None] * centred, y * (second - np.sum(y * second, axis=-3, keepdims=True))
