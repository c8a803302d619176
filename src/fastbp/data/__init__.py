"""The handwritten digits that ship with fastbp; README.md beside this file states their source and licence."""

from importlib.resources import files

import numpy as np


def load_digits():
    """The 1,797 digits of the UCI set "Optical Recognition of Handwritten Digits", test part.

    Returns
    -------
    pixels : ndarray of uint8, shape (1797, 64)
        One image of 8 x 8 pixels a row, row by row, each pixel from 0 (paper) to 16 (ink).
    labels : ndarray of uint8, shape (1797,)
        The digit that was written, 0 to 9.

    Examples
    --------
    >>> from fastbp.data import load_digits
    >>> pixels, labels = load_digits()
    >>> pixels.shape, int(pixels.max()), int(labels[0])
    ((1797, 64), 16, 0)
    """
    with (files(__package__) / "digits.npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return arrays["pixels"], arrays["labels"]
