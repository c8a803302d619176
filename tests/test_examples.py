"""Every script in examples/ runs as its reader would run it, and learns what it says that it learns."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(name, *arguments, cwd, stdin=""):
    return subprocess.run([sys.executable, "-W", "error", EXAMPLES / name, *arguments], cwd=cwd, input=stdin,
                          capture_output=True, text=True, check=True).stdout


def numbers(pattern, text):
    """The numbers that the groups of the pattern find, of all places where it matches, one after another."""
    found = re.findall(pattern, text)
    assert found, f"{pattern!r} is not in:\n{text}"
    return [float(number) for match in found for number in ([match] if isinstance(match, str) else match)]


def test_xor(tmp_path):
    out = run("xor.py", cwd=tmp_path)
    assert [round(y) for y in numbers(r"-> (.*)", out)] == [0, 1, 1, 0]
    assert "learnt with 100 of 100 seeds" in out


def test_sklearn_swap(tmp_path):
    pytest.importorskip("sklearn")
    out = run("sklearn_swap.py", cwd=tmp_path)
    theirs, ours = out[:out.index("fastbp")].splitlines(), out[out.index("fastbp"):].splitlines()
    assert theirs[1:4] == ours[1:4]     # parameters and accuracies; a time follows
    assert min(numbers(r"on the test data +(.*)", out)) > 0.9


def test_control_loop(tmp_path):
    at_random, learnt, clogged, again = numbers(r"ticks .*  (\S+)\n", run("control_loop.py", cwd=tmp_path))
    assert learnt < at_random / 50
    assert again < clogged / 1.5
    assert max(learnt, again) < 0.01    # what is random in the loop makes 0.005 by itself


def test_noisy_regression(tmp_path):
    out = run("noisy_regression.py", cwd=tmp_path)
    error, of_mean = numbers(r"test data +(.*)", out) + numbers(r"predicting the mean +(.*)", out)
    assert 0.08 < error < 0.13 < of_mean    # the noise alone is 0.1
    assert numbers(r"energy +(\S+) kJ", out) == [pytest.approx(50, abs=5)]


def test_by_hand(tmp_path):
    out = run("by_hand.py", cwd=tmp_path)
    assert "E = 0.298371109\n" in out   # the digits that Mazur published
    assert "d = [ 0.13849856 -0.03809824]" in out
    assert numbers(r"quotients: (.*)", out)[0] < 1e-9
    before, after = numbers(r"^E = (.*)", out) + numbers(r"0\.5: (\S+)", out)
    assert after < before


def test_csv_model(tmp_path):
    data = (EXAMPLES / "battery.csv").read_text()
    out = run("csv_model.py", "train", EXAMPLES / "battery.csv", "battery.fastbp", cwd=tmp_path)
    error, of_mean = numbers(r"rows\): (.*); .* mean: (.*)", out)
    assert error < of_mean / 10

    voltages = np.loadtxt(data.splitlines()[1:], delimiter=",")[:, -1]
    without_voltages = "\n".join(line.rpartition(",")[0] for line in data.splitlines())
    for stdin in (data, without_voltages):
        said = run("csv_model.py", "predict", "battery.fastbp", cwd=tmp_path, stdin=stdin).split()
        assert np.sqrt(np.mean((np.array(said, dtype=float) - voltages) ** 2)) < of_mean / 10


def test_against_numpy(tmp_path):
    out = run("against_numpy.py", cwd=tmp_path)
    assert numbers(r"one epoch: (.*)", out)[0] < 1e-5
    assert "NumPy takes" in out


def test_each_example_has_a_test():
    assert {f"test_{path.stem}" for path in EXAMPLES.glob("*.py")} <= set(globals())


@pytest.mark.parametrize(("name", "needs"), [
    ("c_loop", None), ("cython_loop", "Cython"), ("numba_loop", "numba"), ("scipy_quad", "scipy"),
    ("cffi_loop", "cffi")])
def test_embedding(name, needs, tmp_path):
    if needs:
        pytest.importorskip(needs)
    if name in ("c_loop", "cython_loop") and shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    out = run(f"embedding/{name}.py", cwd=tmp_path)
    assert set(re.findall(r"status (\S+),", out)) <= {"0"}
    assert min(numbers(r"(\d+) ns a call", out)) > 0
    if name in ("c_loop", "cython_loop"):
        assert numbers(r"outputs: \[(\S+) +(\S+) +(\S+) +(\S+)\]", out) == pytest.approx([0, 1, 1, 0], abs=0.1)
    elif name == "numba_loop":
        assert numbers(r"RMS error: (.*)", out)[0] < 0.05
    elif name == "scipy_quad":
        assert numbers(r"from 0 to pi: (.*)", out) == pytest.approx([2], abs=0.05)
    else:
        assert "as predict says: True" in out


@pytest.mark.parametrize(("name", "size", "pattern", "expected"), [
    ("cart_pole", "12", r"from 64 attitudes: (\d+)", lambda steps: steps > 100),
    ("ensemble", "8", r"samples (\S+), elsewhere", lambda std: std < 0.15),
    ("sweep", "50", r"validation RMS error: (\d\.\d+)", lambda rms: rms < 0.5),
    ("xor_statistics", "100", r" 8  .* (\S+)%", lambda share: share > 90)])
def test_population(name, size, pattern, expected, tmp_path):
    out = run(f"population/{name}.py", size, cwd=tmp_path)
    (number,) = numbers(pattern, out)
    assert expected(number), out
