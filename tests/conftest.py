"""Fixtures that several files share. (No hypothesis here: test_minimal.py runs without it.)"""

import os
import sys

import numpy as np
import pytest
from reference import random_problem
from training_problem import SIZES, M

from fastbp import _dispatch

os.environ.setdefault("KERAS_BACKEND", "torch")     # read when Keras is imported first


@pytest.fixture(params=_dispatch.available())
def isa(request):
    """Each instruction set that this CPU has, in force while the test runs."""
    previous = _dispatch.use(request.param)
    yield request.param
    _dispatch.use(*previous)


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return request.param


@pytest.fixture
def rng():
    return np.random.default_rng(1986)


@pytest.fixture
def data(rng):
    """(X, T) for training_problem.network."""
    return random_problem(rng, SIZES, M)[1:]


@pytest.fixture(autouse=True)
def no_figures():
    """After a test there are no figures; examples in docstrings leave theirs open, as a notebook shows them."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
