"""The benchmark's adapters compute what they are timed for; nothing here is timed."""

from dataclasses import replace

import numpy as np
import pytest
from reference import SGD, Adam, Reference

from fastbp import bench, cli
from fastbp.bench import peers
from fastbp.bench.workloads import BETA_1, BETA_2, EPSILON, MOMENTUM, WORKLOADS


def small(workload):
    """The same work on narrower layers and fewer rows."""
    batch = min(workload.batch, 16)
    sizes = tuple(min(size, 20) for size in workload.sizes)
    return replace(workload, sizes=sizes, batch=batch, samples=batch if workload.batch == workload.samples else 40,
                   shuffle=False)


SMALL = [small(workload) for workload in WORKLOADS]


def oracle(workload):
    layers, X, T = workload.problem()
    activations = [workload.hidden] * (len(layers) - 1) + [workload.output]
    net = Reference(layers, activations, loss=workload.loss, reduction="mean")
    if workload.job in ("calls", "predict"):
        return net.predict(X)
    h = workload.learning_rate
    optimizer = {"sgd": SGD(h), "momentum": SGD(h, MOMENTUM), "adam": Adam(h, BETA_1, BETA_2, EPSILON)}
    for start in range(0, len(X), workload.batch):
        rows = slice(start, start + workload.batch)
        gradient = net.gradient(X[rows], T[rows])[1]
        net.params = optimizer[workload.optimizer].step(net.params, gradient)
    return net.params


@pytest.mark.parametrize("peer", ["numpy", "fastbp", "fastbp_bind", "fann"])
@pytest.mark.parametrize("workload", SMALL, ids=lambda workload: workload.name)
def test_adapters_give_the_oracles_answer(workload, peer):
    try:
        adapter = peers.load(peer)
    except ImportError as error:
        pytest.skip(str(error))
    expected = oracle(workload)
    supported = bench.check(workload, adapter, expected)
    if peer in ("numpy", "fastbp"):
        assert supported
    np.testing.assert_allclose(bench.answer_in_float64(workload), expected, rtol=1e-6, atol=1e-9)


class Wrong:
    NAME = "wrong"

    @staticmethod
    def prepare(workload, layers, X, T):
        return lambda: None, lambda: np.zeros((len(X), workload.sizes[-1]))


def test_a_wrong_answer_gets_no_number():
    workload = next(workload for workload in SMALL if workload.job == "predict")
    with pytest.raises(bench.WrongAnswer, match="off by"):
        bench.check(workload, Wrong, oracle(workload))


def test_the_table_shows_losses_spreads_and_who_has_no_number():
    workload = WORKLOADS[0]
    steady, restless = [1e-4] * bench.ROUNDS, [3e-4] * bench.ROUNDS + [2e-4] * bench.ROUNDS
    lines = bench.table(workload, {"fastbp": restless, "other": steady}, 0.2, {"wrong": "wrong answer: off by 1.0"})
    assert lines[1].split() == ["other", "100", "ns", "+0", "%", "0.50", "x", "fastbp's"]
    assert lines[2].split() == ["fastbp", "200", "ns", "+25", "%", "(has", "not", "settled)"]
    assert "had the processor for 20% of the time" in lines[3]
    assert "wrong answer" in lines[4]


@pytest.mark.parametrize(("seconds", "settled"), [([1.0, 2.0, 2.0, 1.0], True), ([1.0, 1.2, 1.2, 1.2], False),
                                                  ([1.2, 1.2, 1.0, 1.2], False), ([1.0, 1.0], False)])
def test_a_time_has_settled_where_both_halves_agree_on_the_least(monkeypatch, seconds, settled):
    monkeypatch.setattr(bench, "ROUNDS", 4)
    assert bench.has_settled(seconds) == settled


def test_rounds_go_on_until_all_have_settled(monkeypatch):
    turns = []
    monkeypatch.setattr(bench, "TURN", 0)
    monkeypatch.setattr(bench, "has_settled", lambda values: len(values) >= 3)
    seconds, waited = bench.measured({"one": lambda: turns.append(1), "two": lambda: turns.append(2)}, shortest=0)
    assert 0 <= waited <= 1
    assert [len(values) for values in seconds.values()] == [3, 3]
    assert turns == [1, 1, 2, 2] + [1, 2] * 3


def test_a_name_means_a_group_or_the_beginning_of_a_name():
    assert {workload.group for workload in bench.named(["W1"])} == {"W1"}
    assert [workload.optimizer for workload in bench.named(["W3 8-32"])] == ["momentum", "adam"]


def test_an_unknown_workload_is_refused_by_its_name(capsys):
    with pytest.raises(SystemExit) as error:
        cli.main(["bench", "W2", "W99"])
    assert error.value.code == 2
    assert "no workload is called 'W99'; there are W1 2-2-1 f32, " in capsys.readouterr().err


@pytest.mark.parametrize(("words", "rows"), [(["W7 16"], ["W7 16-64-64-8 f32"]), ([], bench.QUICK)])
def test_the_command_prints_a_table(monkeypatch, capsys, words, rows):
    monkeypatch.setattr(bench, "QUICK_PEERS", ("fastbp", "numpy"))
    monkeypatch.setattr(bench, "measured", lambda runs: ({name: [0.001, 0.001] for name in runs}, 0))
    monkeypatch.setattr(peers, "one_thread", lambda: None)
    assert cli.main(["bench", *words]) == 0
    printed = capsys.readouterr().out
    assert all(row in printed for row in rows)
    assert "NumPy" in printed
    assert "1.00 x fastbp's" in printed
