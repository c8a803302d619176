"""What `class_weight` asks for, as weights of the samples."""

from math import inf

import numpy as np

from fastbp._checks import number, one_of


def class_weights(net, T, class_weight):
    """`class_weight` as a weight for each sample; T has been checked."""
    if callable(net.loss):
        raise ValueError("class_weight cannot be used with a loss function of your own, which would not see it")
    labels = class_labels(net, T)
    n_classes = max(net.n_outputs, 2)
    if isinstance(class_weight, str):
        one_of("class_weight", class_weight, ("balanced",), "a dict from label to weight")
        counts = np.bincount(labels, minlength=n_classes)
        of_class = len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    elif isinstance(class_weight, dict):
        of_class = np.full(n_classes, np.nan)
        for label, weight in class_weight.items():
            if label not in range(n_classes):
                raise ValueError(f"class_weight must have labels from 0 to {n_classes - 1}, got {label!r}")
            of_class[int(label)] = number(f"class_weight[{label!r}]", weight, 0, inf, low_allowed=True)
        missing = np.isnan(of_class[labels])
        if missing.any():
            raise ValueError(f"class_weight must have a weight for every label in T, got none for {labels[missing][0]}")
    else:
        raise TypeError(f'class_weight must be a dict from label to weight or "balanced", got {class_weight!r}')
    return of_class[labels]


def class_labels(net, T):
    """The class of each sample: T itself, the position of the 1, or the single output's 0 or 1."""
    if net.loss == "cross_entropy" and T.ndim == 1:
        return T
    if net.n_outputs == 1:
        labels, one_of_them = T.reshape(len(T)), np.isin(T, (0, 1)).all()
    else:
        labels, one_of_them = T.argmax(axis=1), np.isin(T, (0, 1)).all() and (T.sum(axis=1) == 1).all()
    if not one_of_them:
        raise ValueError("class_weight needs targets that are classes: integer labels, rows with a single 1 among "
                         "zeros, or 0 and 1 of one output")
    return labels.astype(np.intp)
