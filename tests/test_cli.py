"""fastbp train, predict, info and plot, as they are typed."""

import csv
import io as text_io
import json
import os
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import fastbp
from fastbp import cli, io
from fastbp.cli import tables, training_data

LABELS = ["ash", "birch", 'cherry, "wild"']
COLOURS = ["red", "green", "blue"]


def write_table(path, header, rows, delimiter=","):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerows([header, *rows] if header else rows)
    return str(path)


@pytest.fixture
def trees(tmp_path):
    """A table whose label is told by the height but for the red ones, which are cherries."""
    rng = np.random.default_rng(1)
    heights, colours = rng.uniform(100, 120, 300), rng.integers(0, 3, 300)
    labels = np.where(colours == 0, 2, (heights > 110).astype(int))
    return write_table(tmp_path / "trees.csv", ["height", "colour", "tree"], [
        [f"{h:.3f}", COLOURS[c], LABELS[k]] for h, c, k in zip(heights, colours, labels, strict=True)])


@pytest.fixture
def numbers(tmp_path):
    """A table of two targets that are linear in two of its columns, far from 0."""
    a, b = np.random.default_rng(2).normal(size=(2, 200)) * [[3], [0.01]] + [[1000], [5]]
    return write_table(tmp_path / "numbers.csv", ["a", "b", "sum", "product"], zip(
        a.tolist(), b.tolist(), (a + b).tolist(), (2e5 - 7 * a).tolist(), strict=True))


def run(capsys, *arguments):
    """What a command wrote to standard output; it must succeed and say nothing else."""
    code = cli.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    return out


def fails(capsys, *arguments):
    """What a command said that must fail, in one line."""
    assert cli.main([str(argument) for argument in arguments]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"fastbp {arguments[0]}: ")
    assert err.count("\n") == 1
    return err


def train(capsys, table, target, model, *options):
    return run(capsys, "train", table, "--target", target, "--out", model, "--quiet", *options)


def rows_of(text):
    return list(csv.reader(text_io.StringIO(text)))


FAST = "--optimizer", "rprop", "--activation", "tanh"


@pytest.fixture
def model(trees, tmp_path, capsys):
    train(capsys, trees, "tree", tmp_path / "trees.fastbp", "--hidden", "8,4", *FAST)
    return str(tmp_path / "trees.fastbp")


# ------------------------------------------------------------------------------------------------------ in real life


def test_in_a_shell(trees, tmp_path):
    """As in docs/command_line.md: pipes, gzip and exit codes."""
    def shell(command):
        command = command.replace("fastbp", f"{sys.executable} -m fastbp")
        return subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, encoding="utf-8")

    trained = shell("fastbp train trees.csv --target tree --hidden 16,8 --optimizer rprop --out model")
    assert trained.returncode == 0
    assert "classification of 'tree' from 2 columns, 300 rows\nepoch " in trained.stderr
    assert "accuracy" in trained.stdout
    predicted = shell("gzip < trees.csv | fastbp predict model - | head -2")
    assert predicted.stdout.startswith('tree,P(ash),P(birch),"P(cherry, ""wild"")"\n')
    assert predicted.stderr == ""
    wrong = shell("sed '18s/^[^,]*/abc/' trees.csv | fastbp predict model -")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr == "fastbp predict: standard input, line 18: row 17, column 'height': 'abc' is not a number\n"
    assert shell("fastbp train trees.csv --out model").returncode == 2
    # A terminal without the letters of a label, which a CSV has all the same.
    assert shell("sed s/birch/Bucheß/ trees.csv > other.csv").returncode == 0
    trained = shell("PYTHONIOENCODING=ascii fastbp train other.csv --target tree --epochs 1 --out other")
    assert trained.returncode == 0
    assert r"Buche\xdf" in trained.stdout
    assert "P(Bucheß)" in shell("PYTHONIOENCODING=ascii fastbp predict other other.csv").stdout


@pytest.mark.parametrize(("command", "code", "out", "err"), [
    ("predict model - <&-", 1, "", "fastbp predict: standard input is closed\n"),
    ("predict model trees.csv >&-", 1, "", "fastbp: standard output is closed\n"),
    ("predict model trees.csv 2>&-", 0, "tree,", ""),
    ("train trees.csv --target tree --epochs 1 --out other 2>&- | head -1", 0, " ", ""),     # no progress among results
    ("info none 2>&-", 1, "", ""),
    ("--frob 2>&-", 2, "", ""),
    ("info none >&- 2>&- <&-", 1, "", ""),
    ("predict model trees.csv >/dev/full", 1, "", "fastbp predict: [Errno 28] No space left on device\n"),
    ("--help >/dev/full", 1, "", "fastbp: [Errno 28] No space left on device\n"),
])
def test_streams_that_are_not_there(trees, model, tmp_path, command, code, out, err):
    if "/dev/full" in command and not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    (tmp_path / "trees.fastbp").rename(tmp_path / "model")
    done = subprocess.run(f"{sys.executable} -m fastbp {command}", shell=True, cwd=tmp_path, capture_output=True,
                          encoding="utf-8", env={name: value for name, value in os.environ.items()
                                                 if name != "PYTHONUNBUFFERED"})
    assert (done.returncode, done.stdout[:len(out)], done.stderr) == (code, out, err)
    assert bool(done.stdout) == bool(out)


@pytest.mark.parametrize("epochs", [3, 0])
def test_ctrl_c_saves_what_was_learnt(trees, tmp_path, capsys, monkeypatch, epochs):
    def interrupt(state):
        if state.epoch == epochs - 1:
            raise KeyboardInterrupt

    def fit(self, *arguments, **keywords):
        if epochs == 0:     # before the first epoch has ended
            return fastbp.History([], 4, "interrupted")
        return original(self, *arguments, callbacks=interrupt, **keywords)

    original = fastbp.Network.fit
    monkeypatch.setattr(fastbp.Network, "fit", fit)
    model = tmp_path / "model"
    assert cli.main(["train", trees, "--target", "tree", "--out", str(model)]) == 130
    out, err = capsys.readouterr()
    assert model.exists() == (epochs > 0)
    if epochs:
        assert err.endswith(f"\ninterrupted in epoch 4; {model} has what was learnt until then\n")
        assert "accuracy" in out
        assert json.loads(run(capsys, "info", model, "--json"))["training"]["epochs"] == 3
    else:
        assert err.endswith("\n\ninterrupted\n")


# ------------------------------------------------------------------------------------------------ training, predicting


def test_classification(trees, model, tmp_path, capsys):
    header, *rows = rows_of(run(capsys, "predict", model, trees))
    assert header == ["tree", *(f"P({label})" for label in LABELS)]
    truth = rows_of(Path(trees).read_text(encoding="utf-8"))[1:]
    assert np.mean([row[0] == true[-1] for row, true in zip(rows, truth, strict=True)]) > 0.95
    P = np.array([row[1:] for row in rows], float)
    np.testing.assert_allclose(P.sum(axis=1), 1, rtol=1e-5)
    assert [row[0] for row in rows] == [LABELS[k] for k in P.argmax(axis=1)]
    # The file is that of a plain network, which takes the numbers of the table; colours in order of appearance.
    net = fastbp.load(model)
    colours = list(dict.fromkeys(true[1] for true in truth))
    X = [[float(true[0]), *(true[1] == colour for colour in colours)] for true in truth]
    np.testing.assert_allclose(net.predict(X), P, atol=1e-6)
    assert net.layer_sizes == (4, 8, 4, 3)
    assert (net.loss, net.dtype) == ("cross_entropy", "float32")


def test_regression_of_several_targets(numbers, tmp_path, capsys):
    model = tmp_path / "model"
    said = train(capsys, numbers, "sum,product", model, "--hidden", "0", "--dtype", "float64", "--epochs", "300", *FAST)
    assert [line.split()[2:4:2] + line.split()[-1:] for line in said.splitlines()[1:]] == 3 * [
        ["sum", "1.0000"], ["product", "1.0000"]]
    header, *rows = rows_of(run(capsys, "predict", model, numbers))
    assert header == ["sum", "product"]
    truth = np.loadtxt(numbers, delimiter=",", skiprows=1)[:, 2:]
    np.testing.assert_allclose(np.array(rows, float), truth, rtol=1e-4)


def test_columns_are_found_by_name(trees, model, tmp_path, capsys):
    expected = run(capsys, "predict", model, trees)
    truth = rows_of(Path(trees).read_text(encoding="utf-8"))[1:]
    other = write_table(tmp_path / "other.csv", ["colour", "note", "height"], [
        [colour, "a text", height] for height, colour, _ in truth], ";")
    assert run(capsys, "predict", model, other) == expected
    assert run(capsys, "predict", model, other, "--out", tmp_path / "out.csv") == ""
    assert (tmp_path / "out.csv").read_bytes().decode() == expected
    without = write_table(tmp_path / "without.csv", ["height", "color"], [["1", "red"]])
    assert "the model needs 'colour', which the table lacks\n" in fails(capsys, "predict", model, without)


def test_a_table_without_names(numbers, tmp_path, capsys):
    rows = rows_of(Path(numbers).read_text())[1:]
    plain = write_table(tmp_path / "plain.csv", None, rows)
    inputs = write_table(tmp_path / "inputs.csv", None, [row[:2] + row[3:] for row in rows])
    other = write_table(tmp_path / "other.csv", None, [row[:1] for row in rows])
    model = tmp_path / "model"
    train(capsys, plain, "3", model, *FAST)
    expected = run(capsys, "predict", model, plain)
    assert expected.startswith("3\n")
    assert run(capsys, "predict", model, inputs) == expected    # without the target
    assert "must have the 4 columns that the model was trained on, or the 3 without targets; got 1" in fails(
        capsys, "predict", model, other)
    train(capsys, numbers, "-2", model, *FAST)      # the same column from the end, with names
    assert "lacks; --no-header if its first row is not names" in fails(capsys, "predict", model, inputs)
    assert run(capsys, "predict", model, inputs, "--no-header") == expected.replace("3\n", "sum\n", 1)
    assert run(capsys, "predict", model, numbers) == expected.replace("3\n", "sum\n", 1)


def test_an_npz(tmp_path, capsys):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(200, 2))
    np.savez(tmp_path / "data.npz", X=X, y=X @ [1, 2])
    model = tmp_path / "model"
    assert "0.99" in train(capsys, tmp_path / "data.npz", "y", model, *FAST)
    predicted = run(capsys, "predict", model, tmp_path / "data.npz")
    table = write_table(tmp_path / "data.csv", ["X.2", "X.1"], X[:, ::-1].tolist())
    assert run(capsys, "predict", model, table) == predicted


def test_few_whole_numbers_are_labels(tmp_path, capsys):
    x = np.arange(60)
    y = 10 * (x // 20) - 10
    table = write_table(tmp_path / "table.csv", ["x", "y"], zip(x.tolist(), y.tolist(), strict=True))
    model = tmp_path / "model"
    train(capsys, table, "y", model, *FAST)
    header, *rows = rows_of(run(capsys, "predict", model, table))
    assert header == ["y", "P(-10)", "P(0)", "P(10)"]
    assert {row[0] for row in rows} == {"-10", "0", "10"}
    train(capsys, table, "y", model, "--task", "regression", *FAST)
    assert run(capsys, "predict", model, table).startswith("y\n")
    train(capsys, table, "x", model, *FAST)
    assert run(capsys, "predict", model, table).startswith("x\n")
    assert "has 60 different numbers, too many for labels" in fails(
        capsys, "train", table, "--target", "x", "--out", model, "--task", "classification", "--max-categories", "50")
    train(capsys, table, "x", model, "--categories", "y", *FAST)
    assert fastbp.load(model).n_inputs == 3


def test_categories_that_are_numbers(tmp_path, capsys):
    code, model = np.arange(60) % 3, tmp_path / "model"
    table = write_table(tmp_path / "t.csv", ["code", "y"], zip(code.tolist(), (code == 1).tolist(), strict=True))
    train(capsys, table, "y", model, "--categories", "code", *FAST)
    expected = run(capsys, "predict", model, table)
    np.savez(tmp_path / "t.npz", code=code.astype(float))
    assert run(capsys, "predict", model, tmp_path / "t.npz") == expected
    table = write_table(tmp_path / "t.csv", ["code"], [[f"{c}.0"] for c in code])
    assert run(capsys, "predict", model, table) == expected


@pytest.mark.parametrize("form", ["csv", "npz"])
def test_labels_beyond_float64(tmp_path, capsys, form):
    x, y = np.arange(60.0), 2**53 + np.arange(60) // 30
    path, model = tmp_path / f"table.{form}", tmp_path / "model"
    if form == "csv":
        write_table(path, ["x", "y"], zip(x.tolist(), y.tolist(), strict=True))
    else:
        np.savez(path, x=x, y=y)
    for options in ([], ["--task", "classification"]):
        assert "labels beyond 2**53, which as numbers cannot be told apart; --categories y takes them" in fails(
            capsys, "train", path, "--target", "y", "--out", model, "--quiet", *options)
    train(capsys, path, "y", model, "--categories", "y", *FAST)
    predicted = rows_of(run(capsys, "predict", model, path))
    assert predicted[0] == ["y", f"P({2**53})", f"P({2**53 + 1})"]
    assert [int(row[0]) for row in predicted[1:]] == y.tolist()


def test_missing_values(tmp_path, capsys):
    rng = np.random.default_rng(4)
    x = rng.normal(size=100)
    rows = [[f"{value:.4f}", "red" if i % 3 else "blue", f"{2 * value:.4f}"] for i, value in enumerate(x)]
    whole = write_table(tmp_path / "whole.csv", ["x", "colour", "y"], rows)
    for i in range(0, 100, 10):
        rows[i] = ["", rows[i][1], rows[i][2]] if i % 20 else [rows[i][0], "NA", rows[i][2]]
    holes, model = write_table(tmp_path / "holes.csv", ["x", "colour", "y"], rows), tmp_path / "model"
    error = fails(capsys, "train", holes, "--target", "y", "--out", model)
    assert "line 2: row 1, column 'colour': the value is missing; --missing mean or median fills it in" in error
    for policy in ("mean", "median"):
        train(capsys, holes, "y", model, "--missing", policy, *FAST)
        plan = json.loads(run(capsys, "info", model, "--json"))
        number, category = plan["inputs"]
        assert category["fill"] == "red"
        assert abs(number["fill"] - getattr(np, policy)(x)) < 0.3
        predicted = rows_of(run(capsys, "predict", model, holes))
        filled = [[row[0] or str(number["fill"]), row[1].replace("NA", "red"), row[2]] for row in rows]
        table = write_table(tmp_path / "filled.csv", ["x", "colour", "y"], filled)
        np.testing.assert_allclose(np.array(predicted[1:], float),
                                   np.array(rows_of(run(capsys, "predict", model, table))[1:], float), atol=1e-5)
    train(capsys, holes, "y", model, "--missing", "drop", *FAST)
    assert sum(json.loads(run(capsys, "info", model, "--json"))["training"]["rows"].values()) == 90
    assert "the model was trained without missing values" in fails(capsys, "predict", model, holes)
    assert len(rows_of(run(capsys, "predict", model, whole))) == 101
    rows[5][1:] = "purple", ""      # a label of no other row
    table = write_table(tmp_path / "table.csv", ["x", "y", "colour"], [[row[0], row[2], row[1]] for row in rows])
    train(capsys, table, "colour", model, "--missing", "drop", *FAST)
    assert run(capsys, "predict", model, whole).startswith("colour,P(blue),P(red)\n")
    rows[3][2] = "?"
    holes = write_table(tmp_path / "holes.csv", ["x", "colour", "y"], rows)
    assert "column 'y': the value is missing; targets are not filled in" in fails(
        capsys, "train", holes, "--target", "y", "--out", model, "--missing", "mean")


def test_a_seed_decides_everything(trees, tmp_path, capsys):
    contents = []
    for seed in (0, 0, 1):
        train(capsys, trees, "tree", tmp_path / "model", "--seed", seed, "--dropout", "0.1", *FAST)
        contents.append((tmp_path / "model").read_bytes())
    assert contents[0] == contents[1] != contents[2]


class Fractions:
    validation_fraction, test_fraction = 0.2, 0.1


def test_labels_are_divided_in_proportion():
    labels = np.repeat([0, 1, 2], [100, 20, 1])
    parts = training_data.split(labels, 121, Fractions, np.random.default_rng(0))
    counts = np.array([np.bincount(parts[labels == k], minlength=3) for k in range(3)])
    assert abs(counts[:2] - np.outer([100, 20], [0.7, 0.2, 0.1])).max() <= 1
    assert counts[2, 0] == 1      # the only one is trained on
    counts = np.bincount(training_data.split(None, 1000, Fractions, np.random.default_rng(0)))
    assert counts.tolist() == [700, 200, 100]


def test_large_numbers_with_small_differences(tmp_path, capsys):
    """Times in seconds since 1970, which float32 would round to two minutes."""
    seconds = 1.7e9 + np.arange(500.0)
    table = write_table(tmp_path / "table.csv", ["time", "y"], zip(
        seconds.tolist(), np.sin(seconds / 80).tolist(), strict=True))
    model = tmp_path / "model"
    assert cli.main(["train", table, "--target", "y", "--out", str(model), *FAST]) == 0
    err = capsys.readouterr().err
    assert err.splitlines()[-1].startswith("The model is in float64, because column 'time' varies by ")
    predicted = np.array(rows_of(run(capsys, "predict", model, table))[1:], float)[:, 0]
    assert np.sqrt(np.mean((predicted - np.sin(seconds / 80))**2)) < 0.3
    assert fastbp.load(model).dtype == "float64"


def test_constant_columns(tmp_path, capsys):
    table = write_table(tmp_path / "table.csv", ["x", "c", "y", "k"], [[i, 0.1, 2 * i, 0.1] for i in range(101)])
    model = tmp_path / "model"
    said = train(capsys, table, "y,k", model, *FAST)
    assert [len(line.split()) for line in said.splitlines()[1:]] == 3 * [5, 4]     # there is no R² of k
    k = np.array(rows_of(run(capsys, "predict", model, table))[1:], float)[:, 1]
    np.testing.assert_allclose(k, 0.1, atol=0.05)


def test_a_loss_for_counts(tmp_path, capsys):
    x = np.random.default_rng(5).uniform(0, 2, 300)
    table = write_table(tmp_path / "table.csv", ["x", "n"], zip(
        x.tolist(), np.random.default_rng(6).poisson(np.exp(x)).tolist(), strict=True))
    model = tmp_path / "model"
    train(capsys, table, "n", model, "--loss", "poisson", "--task", "regression", *FAST)
    assert fastbp.load(model).activations[-1] == "exp"
    predicted = np.array(rows_of(run(capsys, "predict", model, table))[1:], float)[:, 0]
    assert np.corrcoef(predicted, np.exp(x))[0, 1] > 0.95


@pytest.mark.parametrize(("options", "message"), [
    (["--target", "wood"], "there is no column 'wood'; there are 'height', 'colour', 'tree'"),
    (["--target", "4"], "there is no column '4'"),
    (["--target", "tree", "--target", "-1"], "a column is named twice"),
    (["--target", "tree,height"], "several targets must be numbers, but column 'tree' has labels"),
    (["--target", "tree", "--ignore", "tree"], "cannot be the target and be ignored"),
    (["--target", "tree", "--ignore", "height,colour"], "no column beside the target"),
    (["--target", "tree", "--task", "regression"], "row 1, column 'tree': "),
    (["--target", "tree", "--max-categories", "2"], "there are more than 2 categories; --ignore"),
    (["--target", "tree", "--loss", "squared_error"], "--loss must be cross_entropy for labels"),
    (["--target", "tree", "--loss", "mse"], "Did you mean 'squared_error'"),
    (["--target", "tree", "--activation", "tansig"], "Did you mean 'tanh'?"),
    (["--target", "tree", "--activation", "tanh,relu"], "one for each of the 1 hidden layers, got 2"),
    (["--target", "tree", "--hidden", "-3"], "layer_sizes[1] must be at least 1"),
    (["--target", "tree", "--optimizer", "sdg"], "Did you mean 'sgd'?"),
    (["--target", "tree", "--optimizer", "sdg", "--l2", "1"], "Did you mean 'sgd'?"),
    (["--target", "tree", "--optimizer", "adam", "--momentum", "0.9"], "Adam takes no argument 'momentum'"),
    (["--target", "height", "--optimizer", "lm", "--l2", "1"], "--l2 cannot be used with --optimizer lm"),
    (["--target", "height", "--optimizer", "lm", "--momentum", "0.9"], "--momentum cannot be used with --optimizer lm"),
    (["--target", "height", "--optimizer", "lm", "--learning-rate", "1"], "--learning-rate cannot be used with --opt"),
    (["--target", "tree", "--epochs", "0"], "epochs must be at least 1"),
    (["--target", "tree", "--test-fraction", "1.5"], "--test-fraction must be at least 0 and below 1"),
    (["--target", "tree", "--test-fraction", "0.9"], "must leave rows to train on"),
    (["--target", "tree", "--test-fraction", "1e-9"], "finds no row to hold out of 300"),
    (["--target", "height", "--learning-rate", "1e6"], "training diverged in epoch 0"),
    (["--target", "tree", "--encoding", "utf-7000"], "unknown encoding"),
])
def test_a_training_that_cannot_be(trees, tmp_path, capsys, options, message):
    model = tmp_path / "model"
    assert message in fails(capsys, "train", trees, "--out", model, "--quiet", *options)
    assert not model.exists()


def test_tables_that_cannot_be_trained_on(tmp_path, capsys):
    def error(header, rows, *options):
        table = write_table(tmp_path / "table.csv", header, rows)
        return fails(capsys, "train", table, "--target", "y", "--out", tmp_path / "model", "--quiet", *options)

    assert "there are no rows" in error(["x", "y"], [])
    assert "column 'y' has one label only, 'a'" in error(["x", "y"], 9 * [[1, "a"]])
    assert "column 'x' has numbers such as '1,5'; --decimal ," in error(["x", "y"], 9 * [["1,5", "2"]])
    assert "column 'x' has no values in the training rows" in error(["x", "y"], [["", i] for i in range(20)],
                                                                    "--missing", "mean")
    assert "column 'x' has no values" in error(["x", "y"], [["", i] for i in range(20)], "--missing", "mean",
                                               "--categories", "x")
    assert "values that float32 cannot hold; --ignore x leaves it out, --dtype float64 may hold them" in error(
        ["x", "y"], [[1e99 if i > 1000 else 1, i] for i in range(1500)])
    assert "column 'x' has no values in the training rows, or values that float64 cannot hold; --ignore x" in error(
        ["x", "y"], [[(-1)**i * 1e308, i] for i in range(20)], "--dtype", "float64")
    assert "No such file or directory" in fails(capsys, "train", tmp_path / "none", "--target", "y", "--out", "model")
    assert "there is no directory" in fails(capsys, "train", tmp_path / "table.csv", "--target", "y", "--out",
                                            tmp_path / "none" / "model")
    assert "is not a regular file" in fails(capsys, "train", tmp_path / "table.csv", "--target", "y", "--out", tmp_path)


def test_predictions_replace_a_file_as_a_whole(trees, model, tmp_path, capsys):
    out = tmp_path / "out.csv"
    out.write_text("old")
    wrong = write_table(tmp_path / "wrong.csv", ["height", "colour"], [["1", "red"], ["x", "red"]])
    assert "line 3: row 2, column 'height': 'x' is not a number" in fails(capsys, "predict", model, wrong, "--out", out)
    assert out.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "trees.csv", "trees.fastbp", "wrong.csv"]
    none = write_table(tmp_path / "none.csv", ["height", "colour"], [])
    assert rows_of(run(capsys, "predict", model, none)) == [["tree", *(f"P({label})" for label in LABELS)]]


def test_predictions_take_no_more_memory_for_a_longer_table(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(tables, "AT_ONCE", 2**13)
    rows = [[f"{i / 7:.6f}", COLOURS[i % 3], i % 10] for i in range(1000)]
    model, peaks = tmp_path / "model", []
    train(capsys, write_table(tmp_path / "t.csv", ["x", "colour", "y"], rows), "y", model, "--epochs", "1", *FAST)
    for times in (4, 12):
        table = write_table(tmp_path / "t.csv", ["x", "colour", "y"], times * rows)
        tracemalloc.start()
        try:
            run(capsys, "predict", model, table, "--out", tmp_path / "out.csv")
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 12_001


# ------------------------------------------------------------------------------------------------- the file of a model


def test_info(trees, model, tmp_path, capsys):
    said = run(capsys, "info", model)
    assert "task: classification of tree\nlayers: 4 - 8 - 4 - 3 (tanh, tanh, softmax)\n" in said
    for line in ("height", "colour +3 categories: ", "tree +3 categories: ash, birch, cherry", "rows, training: 210",
                 "options, optimizer: rprop", "quality, test, accuracy: "):
        assert any(re.match(line, row) for row in said.splitlines())
    plain = tmp_path / "plain"
    fastbp.Network([2, 1]).save(plain)
    assert "columns: unknown" in run(capsys, "info", plain)
    assert json.loads(run(capsys, "info", plain, "--json"))["network"]["layer_sizes"] == [2, 1]
    assert "does not say which columns the inputs are" in fails(capsys, "predict", plain, trees)
    assert "not a fastbp network" in fails(capsys, "info", trees)
    assert run(capsys, "info").startswith("fastbp ")
    assert json.loads(run(capsys, "info", "--json"))["fastbp"] == fastbp.__version__


def test_results_as_json(trees, tmp_path, capsys):
    result = json.loads(train(capsys, trees, "tree", tmp_path / "model", "--json", *FAST))
    assert result == json.loads(run(capsys, "info", tmp_path / "model", "--json"))
    quality = result["training"]["quality"]["test"]
    confusion = np.array(quality["confusion"])
    assert quality["accuracy"] == np.trace(confusion) / confusion.sum()
    assert confusion.sum() == result["training"]["rows"]["test"] == 45
    assert len(result["training"]["history"]["rms"]) == result["training"]["epochs"]


def test_version(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"fastbp {fastbp.__version__}\n"


def test_a_model_becomes_c(model, tmp_path, capsys):
    run(capsys, "export", model, tmp_path / "trees.h")
    assert "trees_predict" in (tmp_path / "trees.h").read_text()


def test_samples_for_integers_are_a_table(tmp_path, capsys):
    net, model, header = fastbp.Network([2, 3, 1], "tanh", "identity", seed=0), tmp_path / "model", tmp_path / "m.h"
    net.save(model)
    X = np.random.default_rng(11).uniform(-1, 1, (50, 2))
    expected = net.to_c(header, int16=X)
    for name, delimiter in ((None, ","), (["a", "b"], ";")):
        table = write_table(tmp_path / "samples.csv", name, X.tolist(), delimiter)
        assert run(capsys, "export", model, header, "--int16", table) == (
            f"largest error of each output at the samples: {expected[0]:.2g}\n")
    header.unlink()
    for content, message in {
        "1,2\n3,x\n": "samples.csv, line 2: row 2, column '2': 'x' is not a number",
        "1,2\n3,\n": "column '2': the value is missing",
        "1,2,3\n": "must be samples of the inputs, of shape (M, 2)",
        "a,b\n": "must be samples of the inputs",
        "": "samples.csv: the table is empty",
    }.items():
        (tmp_path / "samples.csv").write_text(content)
        assert message in fails(capsys, "export", model, header, "--int16", tmp_path / "samples.csv")
    assert not header.exists()


@pytest.mark.parametrize(("option", "message"), [
    (["--seed", "-1"], "argument --seed: must be at least 0, got -1"),
    (["--delimiter", "::"], "argument --delimiter: must be one character, got '::'"),
])
def test_options_of_the_wrong_form(capsys, option, message):
    with pytest.raises(SystemExit) as ended:
        cli.main(["train", "table.csv", "--target", "y", "--out", "model", *option])
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"fastbp train: error: {message}"


@pytest.mark.parametrize("options", [[], ["--history"]])
def test_plot(model, tmp_path, capsys, options):
    plot = pytest.importorskip("fastbp.plot", exc_type=ImportError)
    if options and not hasattr(plot, "HistoryDisplay"):
        pytest.skip("there is no HistoryDisplay")
    run(capsys, "plot", model, tmp_path / "picture.svg", *options)
    assert b"<svg" in (tmp_path / "picture.svg").read_bytes()


@pytest.mark.parametrize("picture", ["q", ".", "..", "pictures/", ".png", "q."])
def test_a_picture_without_an_ending(model, tmp_path, capsys, monkeypatch, picture):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    assert f"needs a name with an ending that says what it becomes, such as .png or .svg, got {picture!r}" in fails(
        capsys, "plot", model, picture)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pictures", "trees.csv", "trees.fastbp"]


def test_pictures_that_cannot_be_written(trees, model, tmp_path, capsys, monkeypatch):
    pytest.importorskip("fastbp.plot", exc_type=ImportError)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "directory.png").mkdir()
    (tmp_path / "old.doc").write_text("old")
    assert "the picture: 'directory.png' exists and is not" in fails(capsys, "plot", model, "directory.png")
    assert "none/q.png: the picture cannot be written: No such file" in fails(capsys, "plot", model, "none/q.png")
    assert "Format 'doc' is not supported" in fails(capsys, "plot", model, "old.doc")
    assert (tmp_path / "old.doc").read_text() == "old"
    monkeypatch.setenv("PATH", "")
    assert "'xelatex' not found" in fails(capsys, "plot", model, "q.pgf")


def test_a_window_that_cannot_be_opened_is_no_matter(model, tmp_path):
    pytest.importorskip("fastbp.plot", exc_type=ImportError)
    done = subprocess.run([sys.executable, "-m", "fastbp", "plot", model, "q.png"], cwd=tmp_path, capture_output=True,
                          encoding="utf-8", env=os.environ | {"MPLBACKEND": "module://none"})
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "q.png").read_bytes().startswith(b"\x89PNG")


def test_a_file_is_named_once(trees, tmp_path, capsys):
    for command in (["info", trees], ["plot", trees, tmp_path / "q.png"], ["predict", trees, trees],
                    ["export", trees, tmp_path / "q.h"]):
        assert fails(capsys, *command).count("trees.csv") == 1


def test_a_history_that_is_not_there(tmp_path, capsys):
    plain = tmp_path / "plain"
    fastbp.Network([2, 1]).save(plain)
    assert "the file has no history" in fails(capsys, "plot", plain, tmp_path / "picture.png", "--history")


DAMAGE = {
    "version": lambda plan: plan.update(version=2),
    "another part": lambda plan: plan.update(more=1),
    "a part is missing": lambda plan: plan.pop("task"),
    "task": lambda plan: plan.update(task="clustering"),
    "task and targets": lambda plan: plan.update(task="regression"),
    "columns": lambda plan: plan.update(columns=["a", 1]),
    "columns twice": lambda plan: plan.update(columns=2 * plan["columns"]),
    "other columns": lambda plan: plan.update(columns=["height", "tree"]),
    "has_header": lambda plan: plan.update(has_header=1),
    "training": lambda plan: plan.update(training=[]),
    "no inputs": lambda plan: plan.update(inputs=[]),
    "inputs": lambda plan: plan.update(inputs={}),
    "an input": lambda plan: plan["inputs"].append(1),
    "an input twice": lambda plan: plan["inputs"].append(plan["inputs"][0]),
    "fewer inputs": lambda plan: plan["inputs"].pop(),
    "kind": lambda plan: plan["inputs"][0].update(kind=["number"]),
    "name": lambda plan: plan["inputs"][0].update(name=1),
    "more of a column": lambda plan: plan["inputs"][0].update(more=1),
    "mean": lambda plan: plan["inputs"][0].update(mean="1"),
    "infinite mean": lambda plan: plan["inputs"][0].update(mean=10**400),
    "scale": lambda plan: plan["inputs"][0].update(scale=0.0),
    "fill": lambda plan: plan["inputs"][0].update(fill=True),
    "categories": lambda plan: plan["inputs"][1].update(categories="red"),
    "no categories": lambda plan: plan["inputs"][1].update(categories=[]),
    "categories twice": lambda plan: plan["inputs"][1].update(categories=["red", "red", "blue"]),
    "another fill": lambda plan: plan["inputs"][1].update(fill="violet"),
    "labels": lambda plan: plan["targets"][0].update(categories=["ash"]),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_plan_is_refused(trees, model, tmp_path, capsys, damage):
    description, attributes = io.read_network(model)
    DAMAGE[damage](attributes["plan"])
    (tmp_path / "damaged").write_bytes(io.dumps(description, attributes))
    for command in (["predict", tmp_path / "damaged", trees], ["info", tmp_path / "damaged"]):
        assert "damaged: the plan of columns " in fails(capsys, *command)
    assert fastbp.load(tmp_path / "damaged").params.tobytes() == fastbp.load(model).params.tobytes()


@pytest.mark.parametrize("plan", [1, [], "plan"])
def test_what_is_no_plan(trees, model, tmp_path, capsys, plan):
    (tmp_path / "damaged").write_bytes(io.dumps(io.read_network(model)[0], {"plan": plan}))
    assert "the plan of columns is " in fails(capsys, "predict", tmp_path / "damaged", trees)


def test_names_do_not_move_the_cursor(tmp_path, capsys):
    table = write_table(tmp_path / "table.csv", ["x\x1b[2J", "y"], [[i, i] for i in range(20)])
    train(capsys, table, "y", tmp_path / "model", *FAST)
    assert "\x1b" not in run(capsys, "info", tmp_path / "model")


def test_labels_with_ends_of_lines(tmp_path, capsys):
    rows = [[i, "two\nlines" if i > 50 else "plain"] for i in range(100)]
    table, model = write_table(tmp_path / "t.csv", ["x", "y"], rows), tmp_path / "m.fastbp"
    assert cli.main(["train", table, "--target", "y", "--out", str(model), "--epochs", "30", "--quiet"]) == 0
    capsys.readouterr()
    (tmp_path / "new.csv").write_text("x\n10\n90\n")
    out = run(capsys, "predict", model, tmp_path / "new.csv")
    assert [row[0] for row in csv.reader(text_io.StringIO(out, newline=""))] == ["y", "plain", "two\nlines"]


def test_a_model_of_a_table_without_a_header_predicts_every_row(tmp_path, capsys):
    rows = [["red", "s", "no"], ["green", "m", "yes"], ["blue", "s", "no"], ["red", "m", "yes"]] * 30
    table, model = write_table(tmp_path / "t.csv", None, rows), tmp_path / "m.fastbp"
    assert cli.main(["train", table, "--target", "3", "--no-header", "--out", str(model), "--epochs", "30",
                     "--quiet"]) == 0
    capsys.readouterr()
    (tmp_path / "new.csv").write_text("red,s\ngreen,m\n")
    assert len(run(capsys, "predict", model, tmp_path / "new.csv").splitlines()) == 3


def test_far_targets_are_kept_exactly(tmp_path, capsys):
    a, b = np.random.default_rng(3).normal(size=(2, 200))
    rows = list(zip(a.tolist(), b.tolist(), (1.7e9 + 100 * a).tolist(), strict=True))
    table, model = write_table(tmp_path / "t.csv", ["a", "b", "y"], rows), tmp_path / "m.fastbp"
    assert cli.main(["train", table, "--target", "y", "--out", str(model), "--json", "--quiet"]) == 0
    capsys.readouterr()
    predicted = np.loadtxt(run(capsys, "predict", model, table).splitlines()[1:])
    rms = np.sqrt(np.mean((predicted - [row[2] for row in rows])**2))
    assert rms < 50
    assert fastbp.load(model).dtype == "float64"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_quality_is_that_of_the_model_that_is_written(tmp_path, capsys, dtype):
    """Far from 0 float32 rounds a folded network so coarsely that it has little in common with the one trained."""
    x = 1e6 + np.random.default_rng(7).normal(size=400)
    table = write_table(tmp_path / "t.csv", ["x", "y"], zip(x.tolist(), (x - 1e6).tolist(), strict=True))
    model = tmp_path / "model"
    said = json.loads(train(capsys, table, "y", model, "--dtype", dtype, "--json", "--hidden", "0", *FAST,
                            "--validation-fraction", "0", "--test-fraction", "0"))["training"]["quality"]["training"]
    predicted = np.array(rows_of(run(capsys, "predict", model, table))[1:], float)[:, 0]
    rms = np.sqrt(np.mean((predicted - (x - 1e6))**2))
    np.testing.assert_allclose(said["rms"], [rms], rtol=1e-3)
    np.testing.assert_allclose(said["r2"], [1 - rms**2 / np.var(x)], rtol=1e-3)


@pytest.mark.parametrize("scale", [1e39, 1e200, 1e-40, 1e-200])
@pytest.mark.parametrize("column", ["x", "y"])
def test_columns_that_float32_cannot_hold(tmp_path, capsys, column, scale):
    x = np.random.default_rng(8).normal(size=200)
    scales = np.where(np.array(["x", "y"]) == column, scale, 1.0)
    table = write_table(tmp_path / "t.csv", ["x", "y"], (x[:, None] * scales).tolist())
    model = tmp_path / "model"
    assert cli.main(["train", table, "--target", "y", "--out", str(model), *FAST]) == 0
    out, err = capsys.readouterr()
    assert err.splitlines()[-1].startswith(f"The model is in float64, because column {column!r} varies by ")
    assert float(out.splitlines()[-1].split()[-1]) > 0.9
    predicted = np.array(rows_of(run(capsys, "predict", model, table))[1:], float)[:, 0]
    np.testing.assert_allclose(predicted / scales[1], x, atol=0.5)
    assert f"column {column!r} has values that float32 cannot hold; --dtype float64" in fails(
        capsys, "train", table, "--target", "y", "--out", model, "--dtype", "float32", "--quiet")


def test_a_model_whose_outputs_are_not_finite_is_refused(tmp_path, capsys):
    """Each scale alone can be held, but not a weight with both."""
    x = np.random.default_rng(10).normal(size=200)
    table = write_table(tmp_path / "t.csv", ["x", "y"], zip((x * 1e-25).tolist(), (x * 1e25).tolist(), strict=True))
    model = tmp_path / "model"
    assert "outputs that float32 cannot hold; try --dtype float64" in fails(
        capsys, "train", table, "--target", "y", "--out", model, "--hidden", "0", "--quiet", *FAST)
    assert not model.exists()
    train(capsys, table, "y", model, "--hidden", "0", "--dtype", "float64", *FAST)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_predictions_have_all_digits(numbers, tmp_path, capsys, dtype):
    model = tmp_path / "model"
    train(capsys, numbers, "sum,product", model, "--dtype", dtype, "--epochs", "3", *FAST)
    net, inputs = fastbp.load(model), np.loadtxt(numbers, delimiter=",", skiprows=1)[:, :2]
    predicted = np.array(rows_of(run(capsys, "predict", model, numbers))[1:]).astype(dtype)
    assert predicted.tobytes() == net.predict(inputs).tobytes()
