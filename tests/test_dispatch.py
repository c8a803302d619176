"""Which instruction set is used: the best by default, another on demand, never one that the CPU lacks."""

import os
import subprocess
import sys

import numpy as np
import pytest

import fastbp
from fastbp import _dispatch


def python(code, **environment):
    """A fresh interpreter without this process's FASTBP_ISA."""
    inherited = {name: value for name, value in os.environ.items() if name != "FASTBP_ISA"}
    return subprocess.run(
        [sys.executable, "-c", code], env=inherited | environment, capture_output=True, text=True, check=False
    )


LEVEL_IN_FORCE = "from fastbp import _dispatch; print(*_dispatch.chosen())"


def test_baseline_is_always_available():
    assert _dispatch.available()[0] == "baseline"


def test_the_best_is_the_default():
    assert python(LEVEL_IN_FORCE).stdout.split()[-1] == _dispatch.available()[-1]


def test_narrow_networks_take_the_narrower_vectors_of_the_two_in_force(rng):
    if len(_dispatch.automatic()) < 2:
        pytest.skip("this processor has one level above the baseline at most")
    X, init = rng.uniform(-1, 1, (5, 3)), np.arange(32 + 9) / 40

    def predictions(*levels):
        previous = _dispatch.use(*levels)
        try:
            return [fastbp.Network([3, width, 1], "tanh", init=init[: 5 * width + 1]).predict(X) for width in (4, 5)]
        finally:
            _dispatch.use(*previous)

    narrow, wide = predictions(*_dispatch.automatic())
    np.testing.assert_array_equal(narrow, predictions("x86_v3")[0])
    np.testing.assert_array_equal(wide, predictions("x86_v4")[1])


@pytest.mark.parametrize("level", _dispatch.available())
def test_environment_forces_a_level(level):
    assert python(LEVEL_IN_FORCE, FASTBP_ISA=level).stdout.strip() == level


@pytest.mark.parametrize("level", ["x86_v9", "avx512", "AVX2; rm", "../baseline"])
def test_impossible_level_is_refused_at_import(level):
    result = python("import fastbp", FASTBP_ISA=level)
    assert result.returncode != 0
    last_line = result.stderr.strip().splitlines()[-1]
    assert last_line.startswith("ImportError")
    for part in ["FASTBP_ISA", level, *_dispatch.available()]:
        assert part in last_line


def test_impossible_level_is_refused_later_and_changes_nothing():
    before = _dispatch.chosen()
    with pytest.raises(ImportError, match="x86_v9"):
        _dispatch.use("x86_v9")
    assert _dispatch.chosen() == before


def test_use_returns_the_level_that_was_in_force(isa):
    assert _dispatch.chosen() == (isa,)
    assert _dispatch.use("baseline") == (isa,)
    assert _dispatch.use(isa) == ("baseline",)


def test_a_network_keeps_the_level_it_was_made_with(rng):
    X = rng.uniform(-1, 1, (5, 3))
    net = fastbp.Network([3, 7, 2], "tanh", seed=0)
    before = net.predict(X)
    previous = _dispatch.use("baseline")
    try:
        np.testing.assert_array_equal(net.predict(X), before)
    finally:
        _dispatch.use(*previous)
