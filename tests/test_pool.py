"""Threads that share the work of a call: the same bits for any number of them, which sleep between calls."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import fastbp

COUNTS = (1, 2, 3, 8)
# Networks whose rows are cut into pieces, each with its own gradient: narrow ones, whose samples stand along the lanes
# in long batches, and two that are too large for small blocks; others, whose one gradient is cut; a single output; a
# matrix wider than a product packs at a time; fewer rows than groups of them for eight threads.
PROBLEMS = [
    *[((2, 3, 1), m, "identity", "squared_error") for m in (1000, 10000, 30001)],
    *[((20, 50, 1), m, "identity", "squared_error") for m in (1000, 2000, 10000)],
    *[((4, 32, 16, 4), m, "tanh", "log_cosh") for m in (1000, 3333, 10000)],
    ((50, 50, 50, 10), 1610, "identity", "squared_error"),
    ((9,) * 24, 1610, "identity", "squared_error"),
    ((96, 80, 3), 1110, "identity", "squared_error"),
    ((64, 64, 64, 1), 1601, "tanh", "huber"),
    ((300, 120, 10), 555, "softmax", "cross_entropy"),
    ((200, 700, 5), 97, "sigmoid", "binary_cross_entropy"),
]
# In a child: what is run there prints what is compared, or fails.
LARGE = """
import os, sys, threading, time
import numpy as np
import fastbp
X, T = np.random.default_rng(1).random((2000, 64)), np.random.default_rng(2).random((2000, 4))
net = fastbp.Network([64, 128, 4], "tanh", seed=1)
def tasks():
    return os.listdir("/proc/self/task")
def states():
    return {open(f"/proc/self/task/{task}/stat").read().rpartition(")")[2].split()[0]
            for task in tasks() if int(task) != os.getpid()}
"""
linux = pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="threads are counted in /proc")


def child(code, **env):
    done = subprocess.run([sys.executable, "-c", LARGE + code], capture_output=True, text=True, timeout=120,
                          env=os.environ | env)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def problem(sizes, m, output, dtype):
    rng = np.random.default_rng(1986)
    X, T = rng.uniform(-1, 1, (m, sizes[0])).astype(dtype), rng.uniform(0, 1, (m, sizes[-1])).astype(dtype)
    return X, T / T.sum(axis=1, keepdims=True) if output == "softmax" else T


@pytest.mark.parametrize(("sizes", "m", "output", "loss"), PROBLEMS, ids=str)
def test_bits_do_not_depend_on_the_number_of_threads(sizes, m, output, loss, dtype, isa):
    X, T = problem(sizes, m, output, dtype)
    weights = np.linspace(0.5, 2, m)

    def everything(threads):
        net = fastbp.Network(sizes, "tanh", output, loss=loss, dtype=dtype, reduction="mean", seed=1)
        yield net.predict(X, threads=threads).tobytes()
        for sample_weight in (None, weights):
            error, gradient = net.gradient(X, T, sample_weight=sample_weight, threads=threads)
            yield error, gradient.tobytes()
        for optimizer, batch in (("adam", "full"), (fastbp.SGD(0.01, momentum=0.9, nesterov=True), m // 2 - 3),
                                 (fastbp.Adam(0.01, l2=1e-3, clip_norm=1.0), m // 3), ("rprop", "full")):
            history = net.fit(X, T, epochs=2, batch_size=batch, optimizer=optimizer, seed=2, threads=threads,
                              validation_data=(X[::2], T[::2]))
            yield history.error.tobytes(), history.rms.tobytes(), history.validation_error.tobytes()
            yield net.params.tobytes()

    alone = [*everything(1)]
    for threads in COUNTS[1:]:
        assert [*everything(threads)] == alone


@pytest.mark.parametrize("sizes", [(20, 50, 1), (9,) * 24, (50, 50, 50, 10), (64, 128, 4)], ids=str)
def test_cuts_of_a_prediction_of_any_length(sizes, dtype, isa):
    X, _ = problem(sizes, 1700, "identity", dtype)
    net = fastbp.Network(sizes, "tanh", dtype=dtype, seed=1)
    for m in (*range(1000, 1050, 7), 1151, 1279, 1535, 1700):
        alone = net.predict(X[:m], threads=1)
        for threads in COUNTS[1:]:
            np.testing.assert_array_equal(net.predict(X[:m], threads=threads), alone)


def test_labels_and_batches_that_are_read(dtype):
    X, T = problem((300, 120, 10), 1200, "softmax", dtype)
    labels = T.argmax(axis=1)

    def trained(threads):
        net = fastbp.Network([300, 120, 10], "relu", "softmax", loss="cross_entropy", dtype=dtype, seed=1)
        net.fit(lambda: [(X[:700], labels[:700]), (X[700:], labels[700:])], epochs=2, threads=threads)
        return net.params

    for threads in COUNTS[1:]:
        np.testing.assert_array_equal(trained(threads), trained(1))


def test_dropout_and_losses_in_python_are_for_one_thread():
    X, T = problem((64, 128, 4), 1000, "identity", "float64")

    def trained(threads):
        net = fastbp.Network([64, 128, 4], "tanh", loss=lambda Y, T: (float(((Y - T)**2).sum() / 2), Y - T), seed=1)
        net.fit(X, T, epochs=1, batch_size=500, learning_rate=1e-3, dropout=0.2, seed=1, threads=threads)
        return net.params

    np.testing.assert_array_equal(trained(3), trained(1))


def test_numbers_agree_with_those_of_single_rows():
    X, T = problem((64, 128, 4), 600, "identity", "float64")
    net = fastbp.Network([64, 128, 4], "tanh", seed=1)
    total = sum(net.gradient(x, t)[1] for x, t in zip(X, T, strict=True))
    np.testing.assert_allclose(net.gradient(X, T, threads=3)[1], total, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(net.predict(X, threads=3), [net.predict(x) for x in X], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("sizes", [(20, 50, 1), (64, 128, 4)])
def test_a_refused_update_changes_nothing(sizes):
    X, T = problem(sizes, 3000, "identity", "float32")
    net = fastbp.Network(sizes, "identity", dtype="float32", seed=1)
    before = net.params
    with pytest.raises(fastbp.DivergenceError):
        net.fit(X * np.float32(1e18), T, epochs=1, batch_size="full", learning_rate=1e10, threads=3)
    np.testing.assert_array_equal(net.params, before)
    net.fit(X, T, epochs=1, batch_size="full", learning_rate=1e-6, threads=3)
    assert np.isfinite(net.params).all()


def test_calls_at_once_and_predictions_beside_training():
    X, T = problem((64, 128, 4), 2000, "identity", "float64")
    nets = [fastbp.Network([64, 128, 4], "tanh", seed=seed) for seed in range(4)]
    alone = [net.copy() for net in nets]
    training = threading.Event()

    def train(net, threads):
        net.fit(X, T, epochs=10, batch_size=500, learning_rate=1e-5, seed=1, threads=threads)

    def predict():
        while not training.is_set():
            assert np.isfinite(nets[0].predict(X[:200], threads=2)).all()

    for net in alone:
        train(net, 1)
    jobs = [threading.Thread(target=train, args=(net, 3)) for net in nets]
    beside = threading.Thread(target=predict)
    for thread in (*jobs, beside):
        thread.start()
    for thread in jobs:
        thread.join()
    training.set()
    beside.join()
    for net, expected in zip(nets, alone, strict=True):
        np.testing.assert_array_equal(net.params, expected.params)


def test_the_number_of_the_process():
    assert fastbp.get_num_threads() == 1
    fastbp.set_num_threads(3)
    try:
        assert fastbp.get_num_threads() == 3
    finally:
        fastbp.set_num_threads(1)
    for wrong in (0, -1, 257):
        with pytest.raises(ValueError, match=rf"^n must be at (least|most) \d+, got {wrong}$"):
            fastbp.set_num_threads(wrong)
    with pytest.raises(TypeError, match="n must be an integer, got float"):
        fastbp.set_num_threads(1.5)
    net = fastbp.Network([1, 1], seed=1)
    for call in (lambda: net.predict([[1.0]], threads=0), lambda: net.gradient([[1.0]], [[1.0]], threads=0),
                 lambda: net.fit([[1.0]], [[1.0]], threads=0)):
        with pytest.raises(ValueError, match=r"^threads must be at least 1, got 0$"):
            call()


def test_the_environment():
    assert child("print(fastbp.get_num_threads())", FASTBP_NUM_THREADS="3") == ["3"]
    for wrong in ("0", "many"):
        done = subprocess.run([sys.executable, "-c", "import fastbp"], capture_output=True, text=True,
                              env=os.environ | {"FASTBP_NUM_THREADS": wrong})
        assert "ImportError: FASTBP_NUM_THREADS: " in done.stderr


def test_threadpoolctl_sees_and_limits_it():
    pytest.importorskip("threadpoolctl")
    code = """
from threadpoolctl import threadpool_info, threadpool_limits
fastbp.set_num_threads(4)
print(*[info["num_threads"] for info in threadpool_info() if info["user_api"] == "fastbp"])
with threadpool_limits(limits=2):
    print(fastbp.get_num_threads())
print(fastbp.get_num_threads())
"""
    assert child(code) == ["4", "2", "4"]
    assert child("from threadpoolctl import threadpool_info\n"
                 "print([info['user_api'] for info in threadpool_info()].count('fastbp'))",
                 FASTBP_NUM_THREADS="2") == ["1"]


@linux
def test_threads_are_started_by_the_first_work_that_needs_them():
    code = """
print(len(tasks()))
small = fastbp.Network([4, 16, 3], seed=1)
small.fit(X[:, :4], T[:, :3], epochs=2, batch_size=32, threads=8)
small.predict(X[:, :4], threads=8)
net.predict(X[0], threads=8)
print(len(tasks()))
for _ in range(20):
    net.fit(X, T, epochs=2, batch_size=500, learning_rate=1e-5, threads=2)
    net.predict(X, threads=3)
print(len(tasks()))
"""
    few = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    assert child(code, **few) == ["1", "1", "3"]


@linux
def test_threads_sleep_between_calls():
    code = """
net.fit(X, T, epochs=2, batch_size=500, learning_rate=1e-5, threads=4)
deadline = time.monotonic() + 30
while states() != {"S"} and time.monotonic() < deadline:
    time.sleep(0.01)
before = time.process_time()
time.sleep(0.3)
print(*states(), time.process_time() - before < 0.15)
"""
    assert child(code) == ["S", "True"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
@pytest.mark.parametrize("beside", [False, True])
def test_a_child_starts_threads_of_its_own(beside):
    code = f"""
import warnings
warnings.simplefilter("ignore")     # a fork beside threads
expected = net.predict(X, threads=3).tobytes()
busy = threading.Event()
def train():
    other = net.copy()
    while not busy.is_set():
        other.fit(X, T, epochs=1, batch_size=500, learning_rate=1e-5, threads=3)
thread = threading.Thread(target=train)
if {beside}:
    thread.start()
    time.sleep(0.1)
for _ in range(10):
    pid = os.fork()
    if pid == 0:
        same = net.predict(X, threads=3).tobytes() == expected
        net.fit(X, T, epochs=2, batch_size=500, learning_rate=1e-5, threads=4)
        os._exit(0 if same else 1)
    print(os.waitpid(pid, 0)[1])
busy.set()
print(net.predict(X, threads=3).tobytes() == expected)
"""
    assert child(code) == ["0"] * 10 + ["True"]


def test_the_process_may_end_in_the_middle_of_a_call():
    code = """
def train():
    while True:
        net.fit(X, T, epochs=10, batch_size=500, learning_rate=1e-6, threads=3)
threading.Thread(target=train, daemon=True).start()
time.sleep(0.2)
print("ends")
"""
    assert child(code) == ["ends"]


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_joblib(backend):
    joblib = pytest.importorskip("joblib")
    X, T = problem((64, 128, 4), 1000, "identity", "float64")

    def errors(jobs):
        return joblib.Parallel(n_jobs=jobs, backend=backend)(joblib.delayed(error_of)(seed, X, T) for seed in range(4))

    assert errors(2) == errors(1)


def error_of(seed, X, T):
    net = fastbp.Network([64, 128, 4], "tanh", seed=seed)
    return net.fit(X, T, epochs=3, batch_size=250, learning_rate=1e-5, threads=2).error.tolist()
