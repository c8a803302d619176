"""fastbp.interop.dask: the same bits wherever sums are made, predictions, sweeps, and what a cluster may do wrong."""

import contextlib
import importlib
import operator
import os
import platform
import re
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import fastbp
from fastbp import _dispatch

bridge = pytest.importorskip("fastbp.interop.dask", exc_type=ImportError)
distributed, dask, da = (pytest.importorskip(name) for name in ("distributed", "dask", "dask.array"))
cluster, rows, sums = (importlib.import_module(f"fastbp.interop.dask.{name}") for name in ("cluster", "rows", "sums"))

pytestmark = [
    pytest.mark.filterwarnings("default"),     # of Dask's own, which come and go with its versions
    pytest.mark.filterwarnings("error:The workers"),
]
M, BLOCK = 2500, 512
QUIET = {"distributed.worker.profile.enabled": False, "distributed.admin.system-monitor.interval": "1s",
         "distributed.worker.memory.terminate": False}


@pytest.fixture(scope="module", autouse=True)
def scheduler_as_before():
    """A closed client may leave itself behind as Dask's scheduler, which other modules' tests would ask for."""
    before = dask.config.get("scheduler", None)
    yield
    dask.config.set(scheduler=before)


@pytest.fixture(scope="module")
def processes():
    """A cluster of two processes."""
    with (dask.config.set(QUIET),
          distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as two,
          distributed.Client(two, set_as_default=False) as client):
        yield client


@pytest.fixture
def client(processes):
    with processes.as_current():
        yield processes


@pytest.fixture
def here():
    """This process, without a cluster."""
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture
def samples():
    rng = np.random.default_rng(16)
    X = rng.normal(size=(M, 4))
    return X, np.sin(X[:, :2])


def network(**arguments):
    return fastbp.Network([4, 6, 2], "tanh", "identity", **{"seed": 1, **arguments})


def chunked(samples, chunks=(700, 2)):
    X, T = samples
    return da.from_array(X, chunks=chunks), da.from_array(T, chunks=(chunks[0], 1))


def trained(X, T, **arguments):
    """The bits of a short training."""
    net = network()
    history = bridge.fit(net, X, T, **{"epochs": 2, "optimizer": "adam", "block_rows": BLOCK, **arguments})
    return net.params.tobytes(), history.error.tobytes(), history.rms.tobytes()


class Sparse:
    """As much of a sparse matrix as has to be known to refuse one."""

    def __init__(self, array):
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim
        self.__array_function__ = None      # by which Dask knows that it is some kind of array

    def toarray(self):
        raise AssertionError("nobody asked for a dense array")

    def __getitem__(self, index):
        return self


def killing(block, mark):
    """The block; the first process to get here is killed."""
    try:
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return block
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("optimizer", ["adam", "lm"])
def test_bits_depend_neither_on_chunks_nor_on_workers_nor_on_their_death(samples, client, tmp_path, optimizer):
    def bits(X, T):
        return trained(X, T, optimizer=optimizer, epochs=2 if optimizer == "adam" else 1)

    X, T = samples
    expected = bits(X, T)
    chunkings = (700, 2), (333, 4), (M, 4)
    with dask.config.set(scheduler="synchronous"):
        assert bits(X, T) == expected
        assert all(bits(*chunked(samples, chunks)) == expected for chunks in chunkings)
    assert all(bits(*chunked(samples, chunks)) == expected for chunks in chunkings)
    with (distributed.LocalCluster(n_workers=3, threads_per_worker=1, processes=False, dashboard_address=None) as three,
          distributed.Client(three)):
        assert all(bits(*chunked(samples, chunks)) == expected for chunks in chunkings)
    mark = tmp_path / "killed"
    lazy, targets = chunked(samples)
    before = set(client.run(os.getpid).values())
    assert bits(lazy.map_blocks(killing, str(mark), dtype=X.dtype, meta=X[:0]), targets) == expected
    client.wait_for_workers(2)
    assert mark.exists()
    assert set(client.run(os.getpid).values()) != before


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("optimizer", [
    *sorted(fastbp.optimizers.NAMES),
    fastbp.SGD(1e-4, momentum=0.9, l1=1e-2, l2=1e-1, clip_norm=3.0, max_norm=1.0, layer_rates=[1.0, 0.5])])
def test_fit_learns_what_network_fit_learns(samples, optimizer, reduction):
    X, T = samples
    weights = np.random.default_rng(0).uniform(0.5, 2, M)
    weights[BLOCK:2 * BLOCK] = 0        # a whole block of no weight
    here, there = network(reduction=reduction), network(reduction=reduction)
    arguments = {"epochs": 5, "sample_weight": weights, "validation_data": (X[:100], T[:100])}
    copies = [optimizer if isinstance(optimizer, str) else optimizer.copy() for _ in range(2)]
    expected = here.fit(X, T, batch_size="full", optimizer=copies[0], **arguments)
    with dask.config.set(scheduler="synchronous"):
        history = bridge.fit(there, *chunked(samples), optimizer=copies[1], block_rows=BLOCK, **arguments)
    np.testing.assert_allclose(there.params, here.params, rtol=1e-10, atol=1e-13)
    for column in ("error", "rms", "validation_error", "validation_rms", "learning_rate"):
        np.testing.assert_allclose(getattr(history, column), getattr(expected, column), rtol=1e-11)


@pytest.mark.parametrize(("dtype", "reduction", "bayesian"), [("float64", "sum", False), ("float32", "mean", True)])
def test_levenberg_marquardt(samples, here, dtype, reduction, bayesian, tmp_path):
    X, T = samples
    weights = np.random.default_rng(0).uniform(0.5, 2, M)
    weights[BLOCK:2 * BLOCK] = 0
    arguments = {"epochs": 4, "sample_weight": weights, "validation_data": (X[:100], T[:100])}
    net, blockwise, resumed = (network(reduction=reduction, dtype=dtype) for _ in range(3))
    optimizer = fastbp.LevenbergMarquardt(bayesian=bayesian)
    expected = net.fit(X, T, optimizer=optimizer.copy(), **arguments)
    lazy, arguments["block_rows"] = chunked(samples), BLOCK
    history = bridge.fit(blockwise, *lazy, optimizer=optimizer.copy(), **arguments)
    # Rounding grows as small singular values are divided by.
    tolerance = 1e-7 if dtype == "float64" else 1e-3
    np.testing.assert_allclose(blockwise.params, net.params, rtol=tolerance, atol=tolerance)
    for column in ("error", "rms", "validation_error", "mu", *["alpha", "effective_parameters"] * bayesian):
        np.testing.assert_allclose(getattr(history, column), getattr(expected, column), rtol=tolerance)

    path = tmp_path / "state.checkpoint"
    bridge.fit(resumed, *lazy, optimizer=optimizer.copy(), checkpoint=path, **{**arguments, "epochs": 2})
    resumed.params = np.zeros(net.n_params)
    again = bridge.fit(resumed, *lazy, optimizer=optimizer.copy(), resume=path, **arguments)
    assert again.error.tobytes() == history.error.tobytes()
    assert resumed.params.tobytes() == blockwise.params.tobytes()


def test_a_step_that_fails_leaves_the_network_as_it_was(samples, here):
    X, T = samples
    net, read = network(), []

    def spoilt(block):
        read.append(len(block))
        return block if sum(read) <= 2 * M else block * np.nan      # in the third pass, when a step is tried

    before = net.params.tobytes()
    lazy = da.from_array(X, chunks=(BLOCK, 4)).map_blocks(spoilt, dtype=X.dtype, meta=X[:0])
    with pytest.raises(ValueError, match=r"X must be finite, got nan in row \d+, column 0"):
        bridge.fit(net, lazy, T, optimizer="lm", block_rows=BLOCK)
    assert net.params.tobytes() == before
    for message, arguments in {"learning_rate must be left out": {"learning_rate": 0.1},
                               "at least one positive": {"sample_weight": np.zeros(M)}}.items():
        with pytest.raises(ValueError, match=message):
            bridge.fit(net, X, T, optimizer="lm", **arguments)
    with pytest.raises(ValueError, match="absolute_error"):
        bridge.fit(network(loss="absolute_error"), X, T, optimizer="lm")


@pytest.mark.parametrize("loss", ["cross_entropy", "callable"])
def test_labels_and_losses_of_ones_own(samples, loss):
    X, T = samples
    arguments = {"output_activation": "softmax", "loss": loss}
    if loss == "cross_entropy":
        T = (T[:, 0] > 0).astype(np.int64)
    else:
        arguments = {"loss": lambda Y, T: (0.5 * ((Y - T)**2).sum(), Y - T)}
    here, there = (fastbp.Network([4, 6, 2], "tanh", **{"output_activation": "identity", **arguments}, seed=1)
                   for _ in range(2))
    here.fit(X, T, batch_size="full", epochs=3)
    with dask.config.set(scheduler="synchronous"):
        bridge.fit(there, da.from_array(X, chunks=999), da.from_array(T, chunks=500), epochs=3, block_rows=BLOCK)
    np.testing.assert_allclose(there.params, here.params, rtol=1e-10, atol=1e-13)


def test_lbfgs(samples):
    pytest.importorskip("scipy")
    X, T = samples
    net = network(dtype="float32")
    with dask.config.set(scheduler="synchronous"):
        history = bridge.fit(net, X, T, optimizer="L-BFGS", epochs=40, block_rows=BLOCK, desired_error=0.2,
                             validation_data=(X, T))
        assert history.stop_reason == "desired_error"
        assert 0.1 < net.rms(X, T) <= 0.2
        np.testing.assert_allclose(history.validation_rms, history.rms, rtol=1e-5)
        line = fastbp.Network([1, 1], "identity", seed=1)
        history = bridge.fit(line, [[1.0], [2.0]], [[3.0], [5.0]], optimizer="lbfgs")
        assert history.stop_reason in ("min_gradient", "no_progress")
        np.testing.assert_allclose(line.predict([10.0]), 21, rtol=1e-4)
        with pytest.raises(ValueError, match="schedule cannot be used"):
            bridge.fit(line, [[1.0]], [[3.0]], optimizer="lbfgs", schedule="step")


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_targets_out_of_reach_cause_one_warning_here(samples, client, activation):
    X, T = samples
    net = fastbp.Network([4, 2], activation)
    with pytest.warns(fastbp.UnreachableTargetsWarning, match=f"'{activation}' gives 0 to 1") as caught:
        bridge.fit(net, *chunked(samples), block_rows=BLOCK, epochs=2, validation_data=(X[:9], T[:9]))
    assert len(caught) == 1
    with dask.config.set(scheduler="synchronous"), warnings_as_errors():
        bridge.fit(net, X, T, block_rows=BLOCK, epochs=1)       # once per network
        bridge.fit(fastbp.Network([4, 2], activation), X, np.full(T.shape, 0.5), block_rows=BLOCK, epochs=1)
        with pytest.raises(ValueError, match=r"T must be finite, got nan in row 0, column 0"):
            bridge.fit(fastbp.Network([4, 2], activation), X, T * np.nan, block_rows=M)


@contextlib.contextmanager
def warnings_as_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_patience_gives_the_best_parameters_back(samples):
    X, T = samples
    net, best = network(), []

    def watch(state):
        best.append((state.validation_error, state.network.params))

    with dask.config.set(scheduler="synchronous"):
        history = bridge.fit(net, X, T, epochs=40, learning_rate=3e-3, patience=2, validation_data=(X[:9], T[:9]),
                             callbacks=watch, block_rows=1024)
    assert history.stop_reason == "patience"
    assert net.params.tobytes() == min(best, key=operator.itemgetter(0))[1].tobytes()


def test_resume_continues_bit_for_bit(samples, tmp_path):
    path = tmp_path / "state.checkpoint"
    X, T = samples
    with dask.config.set(scheduler="synchronous"):
        whole, net = network(), network()
        arguments = {"epochs": 6, "optimizer": "adam", "block_rows": BLOCK, "validation_data": (X[:50], T[:50])}
        expected = bridge.fit(whole, X, T, **arguments)

        def interrupt(state):
            if state.epoch == 2:
                raise KeyboardInterrupt

        history = bridge.fit(net, X, T, checkpoint=path, callbacks=interrupt, **arguments)
        assert (history.stop_reason, history.epochs) == ("interrupted", 3)
        net = network(seed=2)
        # Other chunks are no other data.
        history = bridge.fit(net, *chunked(samples), resume=path, **arguments)
        assert history.error.tobytes() == expected.error.tobytes()
        assert net.params.tobytes() == whole.params.tobytes()
        for name, changed in {"block_rows": {"block_rows": 256}, "validation": {"validation_data": (X[:51], T[:51])},
                              "X of the data": {}}.items():
            other = (X + 1, T) if not changed else (X, T)
            with pytest.raises(ValueError, match=f"resume: .*{name}"):
                bridge.fit(net, *other, resume=path, **{**arguments, **changed})
        with pytest.raises(ValueError, match="resume: "):
            net.fit(X, T, batch_size="full", resume=path, epochs=6, optimizer="adam", validation_data=(X[:50], T[:50]))


def test_frames(samples, here):
    frames, pandas = pytest.importorskip("dask.dataframe"), pytest.importorskip("pandas")
    X, T = samples
    frame = pandas.DataFrame(np.hstack([X, T]), columns=list("abcdtu"))
    mixed = frame.assign(a=frame.a > 0)
    assert trained(frames.from_pandas(mixed[list("abcd")], npartitions=2), T) == trained(mixed[list("abcd")], T)
    assert trained(mixed[list("abcd")].astype(float), T) == trained(mixed[list("abcd")], T)
    frame = frames.from_pandas(frame, npartitions=3)
    frame = frames.concat([frame, frame[frame.a > 100]])     # partitions of unknown length, some of them empty
    x, t = frame[list("abcd")], frame[["t", "u"]]
    assert trained(x, t) == trained(X, T)
    assert trained(x, t, block_rows=10**30) == trained(X, T, block_rows=M)
    net = network()
    predicted = bridge.predict(net, x)
    assert list(predicted.columns) == [0, 1]
    assert set(predicted.dtypes) == {np.dtype(np.float64)}
    computed = predicted.compute()
    np.testing.assert_allclose(computed.to_numpy(), net.predict(X), rtol=1e-13)
    assert (computed.index == np.arange(M)).all()
    with pytest.raises(TypeError, match="column 'a' has the dtype"):
        bridge.fit(net, x.assign(a=x.a.astype(str)), t)
    with pytest.raises(TypeError, match="in column 'a'"):
        bridge.predict(net, x.assign(a=x.a.astype(str)))
    with pytest.raises(TypeError, match="X must hold real numbers, got Int64 in column 'a'"):
        bridge.predict(net, x.assign(a=x.a.astype(int).astype("Int64")))


def test_predict_is_lazy_and_takes_the_network_as_it_is(samples):
    X, _ = samples
    net = network(dtype="float32")
    expected = net.predict(X)
    array = da.from_array(X, chunks=(700, 2))
    predicted = bridge.predict(net, array)
    net.params = np.zeros(net.n_params)
    assert predicted.chunks == ((700, 700, 700, 400), (2,))
    assert predicted.dtype == predicted._meta.dtype == np.float32
    assert sum(isinstance(getattr(task, "value", None), fastbp.Network)
               for task in predicted.__dask_graph__().values()) == 1
    with dask.config.set(scheduler="synchronous"):
        np.testing.assert_allclose(predicted.compute(), expected, rtol=1e-6, atol=1e-6)
        unknown = array[array[:, 0] > 0]
        assert bridge.predict(net, unknown).compute().shape == (np.count_nonzero(X[:, 0] > 0), 2)
    for bad, error in ((X, TypeError), (da.ones((3, 5)), ValueError), (da.ones(4), ValueError),
                       (da.ones((3, 4)).astype(str), TypeError)):
        with pytest.raises(error, match="X must"):
            bridge.predict(net, bad)


def test_a_wrong_argument_is_named_and_nothing_changes(samples):
    X, T = samples
    x, t = chunked(samples)
    net = network()
    before = net.params.tobytes()
    for message, arguments in {
        r"X must have the shape \(M, 4\), got \(2500, 2\)": (t, t),
        r"T must have the shape \(M, 2\), got \(2500, 4\)": (x, x),
        "T must have a row for each of the 2500 samples of X, got 9": (x, t[:9]),
        r"chunks of unknown sizes.*X\.compute_chunk_sizes": (x[x[:, 0] > 0], t),
        "at least one sample": (x[:0], t[:0]),
        "X must hold real numbers, got <U": (x.astype(str), t),
        "T must be a Dask array or DataFrame": (x, dask.delayed(T)),
        "X must have chunks that are NumPy arrays, got chunks of Sparse": (x.map_blocks(Sparse, meta=Sparse(X)), t),
        "X must be a dense array, got the sparse Sparse": (Sparse(X), t),
        "X must be a rectangular array": ([[1.0, 2.0], [3.0]], T),
        "X must hold real numbers, got None at index": ([[1.0, 2.0, None, 3.0]], T),
        "X must have one or two dimensions": (x[None], t),
    }.items():
        with pytest.raises((TypeError, ValueError), match=message):
            bridge.fit(net, *arguments)
    for message, keywords in {
        "block_rows must be at least 1": {"block_rows": 0},
        "patience needs validation_data": {"patience": 3},
        "validation_data must be a pair": {"validation_data": 3},
        "validation_data: T must have a row": {"validation_data": (X, T[:9])},
        "sample_weight must have the shape": {"sample_weight": X},
        "sample_weight must hold at least one positive": {"sample_weight": np.zeros(M)},
        "sample_weight must hold no negative": {"sample_weight": -np.ones(M)},
        "optimizer must be": {"optimizer": "lm9"},
    }.items():
        with pytest.raises((TypeError, ValueError), match=message), dask.config.set(scheduler="synchronous"):
            bridge.fit(net, x, t, block_rows=keywords.pop("block_rows", BLOCK), **keywords)
    for call in bridge.fit, bridge.predict:
        with pytest.raises(TypeError, match=r"net must be a fastbp\.Network, got int 3"):
            call(3, x, *[t] * (call is bridge.fit))
    with pytest.raises(TypeError, match="T must hold an integer label"):
        bridge.fit(fastbp.Network([4, 2], "softmax", loss="cross_entropy"), x, t[:, 0])
    assert net.params.tobytes() == before


@pytest.mark.parametrize(("spoil", "message"), [
    (lambda block: block[:-1], r"X must have as many rows as its chunks announce, got 511 of 512 \(in the block"),
    (lambda block: np.vstack([block, block]), "got 1024 of 512"),
    (lambda block: block[:, :2], r"X must have the shape .*got \(512, 2\) \(in the block of rows"),
    (lambda block: np.full(block.shape, "a"), r"X must hold real numbers, got .*'a'.*\(in the block of rows"),
])
def test_blocks_that_are_not_what_dask_was_told_are_refused(samples, here, spoil, message):
    X, T = (da.from_array(array[:BLOCK * 2], chunks=(BLOCK, -1)) for array in samples)
    net = network()
    before = net.params.tobytes()
    with pytest.raises((TypeError, ValueError), match=message):
        bridge.fit(net, X.map_blocks(spoil, dtype=X.dtype, meta=X._meta), T, block_rows=BLOCK)
    assert net.params.tobytes() == before


def test_a_number_that_is_not_finite_is_named_by_its_row():
    X, T = np.zeros((3000, 4)), np.zeros((3000, 2))
    X[2700, 3], net = np.nan, network()
    before = net.params.tobytes()
    with (pytest.raises(ValueError, match=r"X must be finite, got nan in row 2700, column 3"),
          dask.config.set(scheduler="synchronous")):
        bridge.fit(net, da.from_array(X, chunks=1000), T, block_rows=3)       # in the 901st block
    assert net.params.tobytes() == before


def test_what_was_in_memory_stays_with_the_workers(samples, client):
    X, T = samples
    weights, lists = np.ones(M), (X[:9].tolist(), T[:9].tolist())
    net = network()
    blocks = rows.Blocks(net, X, T, weights, 100)
    rows.optimize(blocks)
    held = {future.key for array in blocks.given for future in distributed.futures_of(array)}
    assert len(held) == 3 * 25
    arguments = {"sample_weight": weights, "validation_data": lists, "epochs": 3, "optimizer": "rprop"}
    with dask.config.set(scheduler="synchronous"):
        expected = trained(X, T, **arguments)
    assert trained(X, T, **arguments) == expected
    assert trained(X.tolist(), T.tolist(), **arguments) == expected


def test_a_key_means_the_same_in_each_pass(samples, tmp_path):
    """A scheduler that has not forgotten the one meaning yet would fail at the other."""
    meanings = {}

    def get(graph, keys, **options):
        tasks = graph.__dask_graph__()
        for key, task in tasks.items():
            meaning = type(task), dask.core.get_dependencies(tasks, key)
            assert meanings.setdefault(key, meaning) == meaning
        return dask.get(graph, keys)

    X, T = chunked(samples)
    X = X.map_blocks(np.negative, dtype=X.dtype, meta=np.empty((0, 0)))
    with dask.config.set(scheduler=get):
        trained(X, T, sample_weight=abs(T[:, 0]), validation_data=(X[:600], T[:600]), checkpoint=tmp_path / "state",
                callbacks=lambda state: state.last_batch())
    assert len(meanings) > 100


@pytest.mark.parametrize("number", [np.nan, np.inf])
@pytest.mark.parametrize("argument", ["X", "T"])
def test_validation_data_that_are_not_finite_are_refused_before_training(samples, here, number, argument):
    X, T = (array.copy() for array in samples)
    (X if argument == "X" else T)[700, 1] = number
    net = network()
    before = net.params.tobytes()
    with pytest.raises(ValueError, match=f"validation_data: {argument} must be finite, got {number} in row 700, col"):
        bridge.fit(net, *samples, validation_data=(X, T), block_rows=BLOCK)
    assert net.params.tobytes() == before


def test_masked_values_are_refused(samples, here):
    X, T = samples
    mask = np.zeros(X.shape, bool)
    mask[600, 1] = True
    masked = np.ma.array(X, mask=mask)
    lazy = da.from_array(masked, chunks=1000)
    net = network()
    before = net.params.tobytes()
    for arguments, options in (((masked, T), {}), ((lazy, T), {}), ((X, np.ma.array(T, mask=mask[:, :2])), {}),
                               ((X, T), {"validation_data": (lazy, T)}),
                               ((X, T), {"sample_weight": np.ma.array(np.ones(M), mask=mask[:, 1])})):
        with pytest.raises(ValueError, match="must hold no masked values, got 1"):
            bridge.fit(net, *arguments, block_rows=BLOCK, **options)
    with pytest.raises(ValueError, match="X must hold no masked values"):
        bridge.predict(net, lazy).compute()
    assert net.params.tobytes() == before
    assert trained(np.ma.array(X), T) == trained(X, T)


def test_a_training_that_diverges_says_why(samples):
    X, T = samples
    net = network()
    with dask.config.set(scheduler="synchronous"):
        with pytest.raises(fastbp.DivergenceError, match="divide the rate by 2500"):
            bridge.fit(net, X, T, learning_rate=1e6, epochs=9, block_rows=BLOCK)
        assert np.isfinite(net.params).all()
        net.params = np.full(net.n_params, np.nan)
        with pytest.raises(ValueError, match="parameters must be finite"):
            bridge.fit(net, X, T, block_rows=BLOCK)


class FakeClient:
    """A cluster whose processes report what a test wants."""

    scheduler = None

    def __init__(self, *workers, memory=None):
        self.workers, self.memory = workers, memory

    def get(self):
        pass

    def run_on_scheduler(self, report):
        return report()

    def run(self, report):
        return {f"tcp://{i}": {**report(), **worker} for i, worker in enumerate(self.workers)}

    def scheduler_info(self, n_workers):
        return {"workers": {"tcp://0": {"memory_limit": self.memory}}}


OLD = {"available": ("baseline", "x86_v3"), "chosen": ("x86_v3",)}
NEW = {"available": ("baseline", "x86_v3", "x86_v4"), "chosen": ("x86_v3", "x86_v4")}
TOLD = {"available": ("baseline", "x86_v3", "x86_v4"), "chosen": ("baseline",)}


@pytest.mark.parametrize(("workers", "message"), [
    ([{}, {"missing": "No module named 'fastbp'"}], "tcp://1 has no fastbp"),
    ([{}, {"version": "0.0.9"}], "tcp://1 has fastbp 0.0.9, but this process has"),
    ([{}, {"machine": "riscv"}], "processors of one kind"),
])
def test_workers_that_cannot_help_are_refused(samples, monkeypatch, workers, message):
    monkeypatch.setattr(cluster, "current", lambda: FakeClient(*workers))
    monkeypatch.setattr(rows, "as_array", lambda *arguments: pytest.fail("samples were sent"))
    net = network()
    before = net.params.tobytes()
    with pytest.raises(RuntimeError, match=message):
        bridge.fit(net, *samples)
    assert net.params.tobytes() == before


@pytest.mark.parametrize(("workers", "level"), [
    ([NEW, OLD], "x86_v3"), ([OLD, NEW], "x86_v3"), ([NEW, TOLD], "baseline")])
def test_the_best_common_instruction_set_is_used(monkeypatch, workers, level):
    monkeypatch.setattr(cluster, "current", lambda: FakeClient(*workers))
    with pytest.warns(UserWarning, match=f"The workers use different .* use {level}"):
        assert cluster.common_levels() == (level,)
    monkeypatch.setattr(cluster, "current", lambda: FakeClient(NEW, NEW))
    assert cluster.common_levels() == NEW["chosen"]
    monkeypatch.setattr(cluster, "current", lambda: FakeClient())
    with pytest.warns(UserWarning, match="no workers"):
        cluster.common_levels()


def test_a_worker_that_comes_later_must_be_like_the_others():
    from fastbp._version import __version__
    here = platform.machine()
    before = _dispatch.chosen()
    try:
        cluster.demand_likeness(__version__, here, ("baseline",))
        assert _dispatch.chosen() == ("baseline",)
    finally:
        _dispatch.use(*before)
    for arguments, message in (((__version__, here, ("x86_v9",)), "this worker's processor has"),
                               (("0.0.9", here, before), "this worker has fastbp"),
                               ((__version__, "riscv", before), "this worker has fastbp")):
        with pytest.raises(RuntimeError, match=message):
            cluster.demand_likeness(*arguments)


def test_blocks_too_large_for_a_worker_are_refused(samples, monkeypatch):
    monkeypatch.setattr(cluster, "current", lambda: FakeClient(memory=10_000))
    with pytest.raises(MemoryError, match="block_rows must be so small"):
        bridge.fit(network(), *samples)
    blocks = rows.Blocks(network(), *samples, None, 10**12)     # a block has no more rows than there are
    monkeypatch.setattr(cluster, "current", lambda: FakeClient(memory=M * 6 * 8))
    cluster.demand_memory(blocks)


def test_failures_of_a_cluster_have_names():
    lost = distributed.client.FutureCancelledError("x", "scheduler-connection-lost")
    for error, expected in ((lost, ConnectionError),
                            (distributed.client.FutureCancelledError("x", "lost dependencies"), RuntimeError),
                            (distributed.comm.CommClosedError("gone"), ConnectionError),
                            (distributed.KilledWorker("task", SimpleNamespace(address="tcp://1"), 3), RuntimeError)):
        with pytest.raises(expected) as raised, cluster.named_failures():
            raise error
        assert raised.value.__cause__ is error


def test_a_client_that_leaves_leaves_no_work_behind(client):
    code = """
import sys, os
import dask.array as da, distributed, fastbp
from fastbp.interop.dask import fit
client = distributed.Client(sys.argv[1])
X = da.ones((1000, 2), chunks=100).persist()
fit(fastbp.Network([2, 1]), X, X[:, :1], epochs=5, block_rows=100, callbacks=lambda state: os._exit(9))
"""
    result = subprocess.run([sys.executable, "-c", code, client.scheduler.address], check=False, capture_output=True)
    assert result.returncode == 9
    client.sync(no_tasks, client)
    assert trained(np.ones((9, 4)), np.ones((9, 2)))       # the cluster still works


def test_training_does_not_go_on_elsewhere_when_its_client_is_closed(samples, processes):
    """Without the check, Dask would use threads of this process."""
    for how, message in ((contextlib.nullcontext, "the Dask client .* was closed"),
                         (distributed.Client.as_current, "Dask cancelled the work, because the client was closed")):
        net, closing, known = network(), distributed.Client(processes.scheduler.address), []

        def close(state, closing=closing, known=known):
            known.append(state.network.params.tobytes())
            closing.close()

        with how(closing), pytest.raises(RuntimeError, match=message):
            bridge.fit(net, *chunked(samples), epochs=3, block_rows=BLOCK, callbacks=close)
        assert [net.params.tobytes()] == known


async def no_tasks(client):
    """Until the scheduler has noticed that the other client is gone."""
    import asyncio
    while await client.scheduler.ncores() and (await client.scheduler.identity())["total_threads"] and (
            await client._run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))):
        await asyncio.sleep(0.05)


def test_memory_maps_are_read_by_the_workers_and_block_by_block(samples, client, tmp_path):
    both = np.hstack(samples).astype(np.float32)
    path = tmp_path / "samples.npy"
    np.save(path, both)
    file = np.load(path, mmap_mode="r")
    x, t = file[:, :4], file[:, 4:]      # neither begins the file nor is contiguous
    expected = trained(both[:, :4].copy(), both[:, 4:].copy())
    assert trained(x, t) == expected
    assert trained(x[10:], t[10:]) == trained(both[10:, :4], both[10:, 4:])
    array = rows.as_array("X", x, BLOCK)
    assert not any(isinstance(getattr(task, "value", None), np.ndarray) for task in array.__dask_graph__().values())
    private = np.load(path, mmap_mode="c")
    with pytest.raises(TypeError, match=r'X must be a memory map of a file.*mode "c"'):
        bridge.fit(network(), private[:, :4], t)


def test_memory_maps_without_rows_and_of_files_that_were_cut(samples, here, tmp_path):
    X, T = samples
    path = tmp_path / "X.npy"
    np.save(path, X)
    mapped = np.load(path, mmap_mode="r")
    with pytest.raises(ValueError, match="X must hold at least one sample, got none"):
        bridge.fit(network(), mapped[:0], T[:0])
    lazy = rows.as_array("X", mapped, BLOCK)
    for length in (1000, 0):
        os.truncate(path, length)
        with pytest.raises(ValueError, match=r"X\.npy: the file is too short for the rows from 0 on"):
            lazy.blocks[0].compute()


def test_zarr_and_parquet(samples, client, tmp_path):
    zarr = pytest.importorskip("zarr")
    frames, pandas = pytest.importorskip("dask.dataframe"), pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    X, T = samples
    expected = trained(X, T)
    for name, values in (("x", X), ("t", T)):
        stored = zarr.create_array(tmp_path / name, shape=values.shape, chunks=(900, 2), dtype=values.dtype)
        stored[:] = values
    assert trained(*(zarr.open_array(tmp_path / name, mode="r") for name in "xt")) == expected
    frame = pandas.DataFrame(np.hstack([X, T]), columns=list("abcdtu"))
    frame[:1100].to_parquet(tmp_path / "0.parquet")
    frame[1100:].to_parquet(tmp_path / "1.parquet")
    frame = frames.read_parquet([tmp_path / "0.parquet", tmp_path / "1.parquet"])
    assert trained(frame[list("abcd")], frame[["t", "u"]]) == expected


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="peak memory is read from Linux's /proc")
def test_data_larger_than_memory_pass_through(tmp_path):
    """400 MB of float32 are 800 MB for the network; memory stays within two blocks and 200 MB."""
    code = """
import re, sys
import dask, numpy as np, fastbp
from fastbp.interop.dask import fit
file = np.memmap(sys.argv[1], np.float32, "w+", shape=(10_000_000, 10))     # a sparse file, of zeros
with dask.config.set(scheduler="threads", num_workers=1):
    fit(fastbp.Network([9, 1]), file[:, :9], file[:, 9], epochs=1)
print(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1])
"""
    result = subprocess.run([sys.executable, "-c", code, tmp_path / "large"], check=True, stdout=subprocess.PIPE)
    assert int(result.stdout) * 1024 < 2 * rows.BLOCK_BYTES + 200 * 2**20


def of_a_width(X, T, width, rate):
    net = fastbp.Network([4, width, 2], "tanh", "identity", seed=1)
    return {"rms": net.fit(X, T, batch_size="full", epochs=3, learning_rate=rate).rms[-1], "threads": threads()}


def threads():
    import threadpoolctl
    fastbp.set_num_threads(fastbp.get_num_threads())     # threadpoolctl sees fastbp then
    return max(entry["num_threads"] for entry in threadpoolctl.threadpool_info() if entry["user_api"] == "fastbp")


def test_a_sweep_has_the_same_results_anywhere(samples, client):
    pytest.importorskip("joblib"), pytest.importorskip("threadpoolctl")
    X, T = samples
    cases = {"width": [2, 3], "rate": [1e-5, 1e30]}
    tables = [bridge.map_networks(of_a_width, cases, X, T, backend=backend, n_jobs=2)
              for backend in ("dask", "loky", "threading")]
    first = tables[0]
    assert list(zip(first["width"], first["rate"], strict=True)) == [(2, 1e-5), (2, 1e30), (3, 1e-5), (3, 1e30)]
    assert first["failure"].notna().tolist() == [False, True, False, True]
    assert first["rms"][0] == of_a_width(X, T, 2, 1e-5)["rms"]
    assert (first["threads"].dropna() == 1).all()
    assert all(table.equals(first) for table in tables)


def of_large_data(X, frame, file, seed):
    net = fastbp.Network([4, 2], seed=seed, dtype="float32")
    return {"rms": [net.rms(X, X[:, :2]), net.rms(frame, frame[[0, 1]])], "file": type(file).__name__}


def test_large_data_of_a_sweep_are_no_memory_maps_in_its_processes(tmp_path):
    """joblib makes such of them, and a network of another dtype would refuse them."""
    pytest.importorskip("joblib")
    pandas = pytest.importorskip("pandas")
    X = np.random.default_rng(0).normal(size=(1_100_000, 4))        # 17.6 MB as float32; maps of 16 MiB are taken
    np.save(tmp_path / "X.npy", X[:9])
    file = np.load(tmp_path / "X.npy", mmap_mode="r")
    tables = [bridge.map_networks(of_large_data, {"seed": [1]}, X, pandas.DataFrame(X), file, backend=backend, n_jobs=2)
              for backend in ("threading", "loky")]
    assert tables[0].equals(tables[1])
    assert tables[0]["file"].tolist() == ["memmap"]


def test_a_sweep_that_was_killed_goes_on(tmp_path):
    pytest.importorskip("joblib")
    code = """
import os, signal, sys
from fastbp.interop.dask import map_networks
def train(seed):
    with open("trained", "a") as file:
        file.write(f"{seed}\\n")
    if seed == 3 and sys.argv[1] == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    return [{"network": i, "value": seed / 3, "none": float("nan")} for i in range(2)]
table = map_networks(train, {"seed": range(6)}, directory="results", backend="threading", n_jobs=1)
print(table.seed.tolist(), table.network.tolist(), (table.value == table.seed / 3).all())
"""
    outputs = [subprocess.run([sys.executable, "-c", code, how], cwd=tmp_path, stdout=subprocess.PIPE, text=True,
                              check=False) for how in ("die", "live", "live")]
    assert [output.returncode for output in outputs] == [-signal.SIGKILL, 0, 0]
    assert outputs[1].stdout.split("]")[0] == "[0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5"
    assert outputs[2].stdout == outputs[1].stdout
    assert outputs[1].stdout.rstrip().endswith("True")
    trained_seeds = (tmp_path / "trained").read_text().split()
    assert sorted(trained_seeds) == ["0", "1", "2", "3", "3", "4", "5"]
    damaged, = (path for path in (tmp_path / "results").iterdir() if '"seed\\": 4' in path.read_text())
    for content in ("[", "{}", "[" * 100_000):
        damaged.write_text(content)
        with pytest.raises(fastbp.FormatError, match=damaged.name):
            bridge.map_networks(dict, {"seed": range(6)}, directory=tmp_path / "results", backend="threading")


class Scale:
    """An object whose repr does not tell what it is."""

    def __init__(self, factor):
        self.factor = factor


def test_cases_that_look_alike_have_a_row_each(tmp_path):
    pytest.importorskip("joblib")

    def train(a):
        return {"kind": type(a).__name__, "value": a(1) if callable(a) else 0}

    like = [network(seed=1), network(seed=2), lambda x: x, lambda x: -x, (4, 4), [4, 4], 1, 1]
    table = bridge.map_networks(train, [{"a": a} for a in like], backend="threading")
    assert table["kind"].tolist() == ["Network", "Network", "function", "function", "tuple", "list", "int", "int"]
    assert table["value"].tolist()[2:4] == [1, -1]
    for pair in ([(4, 4), [4, 4]], [1, 1], [network(), network()]):
        with pytest.raises(ValueError, match="cases must differ from each other"):
            bridge.map_networks(dict, {"a": pair}, directory=tmp_path, backend="threading")
    with pytest.raises(TypeError, match="objects that pickle takes, if there is a directory, got function"):
        bridge.map_networks(dict, {"a": like[2:4]}, directory=tmp_path, backend="threading")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(("first", "others", "is_same"), [
    ((4, 4), [[4, 4], np.array([4, 4])], True),
    ([(4, 4), [1]], [((4, 4), (1,)), [np.array([4, 4]), np.array([1])]], True),
    ({1: (4, 4)}, [{1: [4, 4]}, {np.int64(1): np.array([4, 4])}], True),
    ({"a": 1, "b": (2,)}, [{"b": [2], "a": 1}], True),
    ({1: 4}, [{"1": 4}, {1.0: 4}, {1: "4"}, {"dict": [[1, 4]]}, {(1, 4): None}], False),
    ([4, 4], ["[4, 4]", [4, 4.0], [[4, 4]], [True, 4]], False),
    (0.5, [np.float64(0.5), np.float32(0.5), np.array(0.5)], True),
    (np.longdouble(1), [1.0, np.complex128(1)], False),     # are objects
    ("a", [np.str_("a")], True),
    (None, ["None", "null", 0, False, [], {}], False),
])
def test_a_later_sweep_finds_cases_whose_elements_are_the_same(tmp_path, first, others, is_same):
    pytest.importorskip("joblib")
    calls = []

    def train(a):
        calls.append(a)
        return {"call": len(calls)}

    for a in (first, *others, first):
        bridge.map_networks(train, [{"a": a}], directory=tmp_path, backend="threading", n_jobs=1)
    assert len(calls) == (1 if is_same else 1 + len(others))


def test_a_directory_knows_objects_by_what_they_hold(tmp_path):
    pytest.importorskip("joblib")
    calls = []

    def train(scale):
        calls.append(scale.factor)
        return {"factor": scale.factor}

    for factors in ([1, 2], [3], [2, 1]):
        table = bridge.map_networks(train, [{"scale": Scale(factor)} for factor in factors], directory=tmp_path,
                                    backend="threading", n_jobs=1)
        assert table["factor"].tolist() == factors
    assert calls == [1, 2, 3]
    nets = [network(seed=1), network(seed=2)]
    for _ in range(2):
        table = bridge.map_networks(lambda net: {"first": net.params[0]}, {"net": nets}, directory=tmp_path,
                                    backend="threading")
        assert table["first"].tolist() == [net.params[0] for net in nets]
        nets = [network(seed=3), network(seed=1)]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="needs a user who may not write everywhere")
def test_a_directory_that_cannot_be_written_to_is_refused_before_training(tmp_path):
    pytest.importorskip("joblib")
    bridge.map_networks(dict, {"a": [1]}, directory=tmp_path, backend="threading")
    tmp_path.chmod(0o555)
    try:
        assert len(bridge.map_networks(pytest.fail, {"a": [1]}, directory=tmp_path, backend="threading")) == 1
        with pytest.raises(PermissionError, match="directory cannot be written"):
            bridge.map_networks(pytest.fail, {"a": [1, 2]}, directory=tmp_path, backend="threading")
    finally:
        tmp_path.chmod(0o755)


def test_wrong_sweeps_are_refused():
    pytest.importorskip("joblib")
    for message, arguments in {
        "train must be a function": (3, {}), "cases must be a mapping": (len, 3),
        "train must return a dict or a list of dicts, got int for the case {'a': 1}": (lambda a: 3, {"a": [1]}),
        r"train must return numbers, .* for the case {.a.: .*} has something else \(got set\)":
            (lambda a: {"b": set()}, {"a": np.array(1)}),
        r"train must return numbers, .* \(keys must be str": (lambda a: {(1, 2): 3}, {"a": 1}),
        r"train must return numbers, .* \(Exceeds the limit": (lambda a: {"b": 10**5000}, {"a": 1}),
    }.items():
        with pytest.raises(TypeError, match=message):
            bridge.map_networks(*arguments, backend="threading")
    with pytest.raises(ValueError, match="backend must be one of"):
        bridge.map_networks(len, {}, backend="mpi")
    with pytest.raises(ZeroDivisionError) as raised:
        bridge.map_networks(lambda a: 1 / a, {"a": [0]}, backend="threading")
    assert "the case {'a': 0}" in raised.value.__notes__[0]


def test_scikit_learn_searches_have_the_same_scores(samples, client):
    estimators = pytest.importorskip("fastbp.interop.sklearn", exc_type=ImportError)
    joblib, selection = pytest.importorskip("joblib"), pytest.importorskip("sklearn.model_selection")
    X, T = samples
    scores = []
    for backend in ("dask", "loky", "threading"):
        estimator = estimators.MLPRegressor(hidden_layer_sizes=4, max_iter=3, random_state=1)
        search = selection.GridSearchCV(estimator, {"alpha": [0, 0.1]}, cv=2, n_jobs=2)
        with joblib.parallel_config(backend):
            search.fit(X[:300], T[:300])
        scores.append(search.cv_results_["mean_test_score"].tolist())
    assert scores[0] == scores[1] == scores[2]


def test_the_examples_of_the_guide_run(client, tmp_path, monkeypatch):
    pytest.importorskip("fastbp.interop.sklearn", exc_type=ImportError), pytest.importorskip("joblib")
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[1] / "docs" / "scale.md").read_text(encoding="utf-8")
    make_client, *blocks = re.findall(r"^```py\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert "client = Client(" in make_client        # the fixture's takes its place
    namespace = {"__name__": "__main__"}
    for block in blocks:
        exec(compile(block, "docs/scale.md", "exec"), namespace)
    assert namespace["history"].rms[-1] < namespace["history"].rms[0]
    assert namespace["table"].shape == (12, 5)
    together = namespace["together"]
    assert together.shape == (120, 4)
    assert together.groupby(["width", "rate", "seed"]).size().max() == 1
    assert together["rms"].nunique() == 120


def test_the_tree_is_binary_and_in_order():
    boxes = [sums.boxed(sums.Sums(f"{i}", "", "", ""), (1,)) for i in range(7)]

    class Traced(str):
        def __add__(self, other):
            return Traced(f"({self}{other})")

    boxes = [sums.boxed(sums.Sums(*[Traced(part) for part in box.item()]), (1,)) for box in boxes]
    assert sums.added(boxes, 0, False).item().error == "(((01)(23))((45)6))"
