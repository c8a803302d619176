"""Fixtures that several files share. (No hypothesis here: test_minimal.py runs without it.)"""

import numpy as np
import pytest

from fastbp import _dispatch


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
