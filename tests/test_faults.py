"""What a crash, a full disk, Ctrl-C and a lack of memory leave behind: docs/reliability.md has the record.

All of it happens in children. `FASTBP_STRESS=50` makes 200 of the 4 times that the suite tries each (stress.py).
"""

import errno
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from stress import run, times

import fastbp
from fastbp.training import checkpoint

posix_only = pytest.mark.skipif(os.name != "posix", reason="signals and limits of POSIX")
linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_AS means something else elsewhere")
pytestmark = posix_only


def killed(code, path, most):
    """Start the code, wait until it has printed a line, and kill it up to so many seconds later."""
    with subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE) as child:
        assert child.stdout.readline()
        time.sleep(random.uniform(0, most))
        child.kill()
    assert child.returncode == -signal.SIGKILL
    # What was cut off stays behind under another name.
    leftovers = [name for name in os.listdir(os.path.dirname(path)) if name.endswith(".tmp")]
    for name in leftovers:
        os.unlink(os.path.join(os.path.dirname(path), name))
    return len(leftovers)


def test_killed_while_saving(tmp_path):
    path, cut_off = tmp_path / "net.fastbp", 0
    nets = {size: fastbp.Network([500, size], seed=size).params for size in (300, 700)}
    code = """
import sys, fastbp
nets = [fastbp.Network([500, size], seed=size) for size in (300, 700)]
nets[0].save(sys.argv[1])
print("saved", flush=True)
while True:
    for net in nets:
        net.save(sys.argv[1])
"""
    for _ in range(times(4)):
        cut_off += killed(code, path, 0.05)
        loaded = fastbp.load(path)
        np.testing.assert_array_equal(loaded.params, nets[loaded.n_outputs])
    print(f"killed while saving {times(4)} times, {cut_off} of them in the middle of the file")


TRAINING = """
import numpy as np, fastbp
rng = np.random.default_rng(3)
X, T = rng.uniform(-1, 1, (40, 30)), rng.uniform(0, 1, (40, 2))
def fit(epochs, **how):
    net = fastbp.Network([30, 400, 2], "tanh", seed=1)
    history = net.fit(X, T, epochs=epochs, batch_size=10, optimizer=fastbp.Adam(1e-3), **how)
    return net, history
"""


def test_killed_while_writing_a_checkpoint(tmp_path):
    path, cut_off = tmp_path / "training.checkpoint", 0
    code = TRAINING + """
import sys
class Say:
    def on_epoch(self, state):
        if state.epoch == 1:
            print("a checkpoint is there", flush=True)
fit(10**6, checkpoint=sys.argv[1], callbacks=[Say()])
"""
    training = {}
    exec(TRAINING, training)
    for _ in range(times(4)):
        cut_off += killed(code, path, 0.05)
        done = checkpoint.read(path)[1]["history"].size // 4
        assert done >= 1
        net, history = training["fit"](done + 1, resume=path)
        expected, of_all = training["fit"](done + 1)
        assert net.params.tobytes() == expected.params.tobytes()
        np.testing.assert_array_equal(history.rms, of_all.rms)
        path.unlink()
    print(f"killed while writing a checkpoint {times(4)} times, {cut_off} of them in the middle of the file")


FULL = """
import os, resource, sys, fastbp
path, limit = sys.argv[1:]
old, new = fastbp.Network([2, 3, 1], seed=1), fastbp.Network([200, 300, 10], seed=1)
old.save(path)
if int(limit):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), resource.RLIM_INFINITY))
for i in range({times}):
    try:
        if i % 2:
            new.save(path)
        else:
            new.fit([[0.5] * 200], [[0.0] * 10], epochs=1, checkpoint=path)
    except OSError as error:
        if error.errno != {errno}:
            raise
    else:
        raise AssertionError("it fitted")
    assert fastbp.load(path).params.tobytes() == old.params.tobytes()
    assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]
"""


@pytest.mark.parametrize("limit", [1, 100, 4096, 65536])
def test_a_file_that_may_not_grow(tmp_path, limit):
    run(FULL.format(times=times(4), errno=errno.EFBIG), tmp_path / "net.fastbp", limit)


@linux_only
def test_a_full_disk(tmp_path):
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", tmp_path]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a small disk can only be mounted by root")
    try:
        run(FULL.format(times=times(4), errno=errno.ENOSPC), tmp_path / "net.fastbp", 0)
    finally:
        subprocess.run(["umount", tmp_path], check=True)


CTRL_C = """
import os, random, signal, sys, threading
import numpy as np, fastbp

signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background jobs ignore
rng = np.random.default_rng(3)
X, T = rng.uniform(-1, 1, (300, 20)), rng.uniform(0, 1, (300, 2))
class Look:
    def on_epoch(self, state):
        state.network.predict(X)
def squared(Y, T):
    return ((Y - T)**2).sum() / 2, Y - T
WAYS = [  # layer sizes, loss, arguments of fit
    ([20, 5, 2], "squared_error", {}),
    ([20, 5, 2], "squared_error", {"callbacks": [Look()]}),
    ([20, 300, 300, 2], "squared_error", {"batch_size": 50}),
    ([20, 50, 2], squared, {"batch_size": 50}),
    ([20, 30, 2], "squared_error", {"batch_size": 20, "validation_data": (X, T)}),
    ([20, 30, 2], "squared_error", {"optimizer": "rmsprop", "schedule": "cosine"}),
]
interrupted = escaped = epochs = 0
for i in range(int(sys.argv[1])):
    sizes, loss, how = WAYS[i % len(WAYS)]
    optimizer = how.get("optimizer", "sgd")
    how = {"shuffle": False, "epochs": 100_000, "learning_rate": 1e-3, **how}
    make = lambda: fastbp.Network(sizes, "tanh", loss=loss, seed=i)
    net, history = make(), None
    timer = threading.Timer(random.uniform(0, 0.06), os.kill, (os.getpid(), signal.SIGINT))
    try:
        timer.start()
        history = net.fit(X, T, **how)
    except KeyboardInterrupt:
        escaped += 1
    timer.join()
    if history is not None:
        assert history.stop_reason == "interrupted", history
        interrupted += 1
        n = len(history)
        epochs += n
        validated = n if "validation_data" in how else 0
        assert [len(history.error), len(history.learning_rate), len(history.seconds)] == [n] * 3
        assert [len(history.validation_error), len(history.validation_rms)] == [validated] * 2
        assert (np.diff(history.seconds) > 0).all()
        if n and how.get("schedule") is None:
            # What it says of n epochs is what n epochs give.
            again = make().fit(X, T, **{**how, "epochs": n})
            assert (again.rms == history.rms).all() and (again.error == history.error).all()
    assert np.isfinite(net.params).all()
    twin = fastbp.Network(sizes, "tanh", loss=loss, init=net.params)
    assert (net.predict(X) == twin.predict(X)).all()
    assert len(net.fit(X, T, **{**how, "epochs": 2})) == 2
print(f"Ctrl-C {interrupted + escaped} times: {interrupted} Histories of {epochs} epochs, {escaped} KeyboardInterrupts")
assert interrupted > escaped
"""


def test_ctrl_c(tmp_path):
    run(CTRL_C, times(12))


NO_MEMORY = """
import os, pickle, random, resource, sys, tempfile
import numpy as np, fastbp
from fastbp import io

path = os.path.join(sys.argv[2], "net.fastbp")
random.seed(1)
net = fastbp.Network([50, 300, 20], "tanh", seed=1)
net.save(path)
X, T = np.zeros((5000, 50)), np.zeros((5000, 20))
before = net.params.tobytes()
CALLS = {
    "Network": lambda: fastbp.Network([random.randrange(1, 3000), random.randrange(1, 3000), 1]),
    "predict": lambda: net.predict(X), "error": lambda: net.error(X, T), "gradient": lambda: net.gradient(X, T),
    "backprop": lambda: net.backprop(X, T), "jacobian": lambda: net.jacobian(X),
    "input_gradient": lambda: net.input_gradient(X, T), "train_step": lambda: net.train_step(X, T, 1e-9),
    "adam": lambda: net.train_step(X, T, optimizer=fastbp.Adam()), "bind": lambda: net.bind(X, T).predict(),
    "fit": lambda: net.fit(X, T, epochs=1, batch_size=500, learning_rate=1e-9),
    "lists": lambda: net.predict(X.tolist()),
    "load": lambda: fastbp.load(path), "save": lambda: net.save(path), "copy": lambda: net.copy(),
    "pickle": lambda: pickle.loads(pickle.dumps(net)), "params": lambda: setattr(net, "params", net.params),
}
refused = done = 0
for i in range(int(sys.argv[1])):
    for name, call in CALLS.items():
        seed = random.random()
        # Each in a process of its own, for what one has freed the next would use.
        child = os.fork()
        if child == 0:
            random.seed(seed)
            with open("/proc/self/statm") as file:
                size = int(file.read().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (size + int(2 ** random.uniform(12, 25)), resource.RLIM_INFINITY))
            code = 3
            try:
                call()
                code = 0
            except MemoryError:
                code = 1
            except BaseException as error:
                os.write(2, f"{name}: {error!r}".encode())
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            if code and net.params.tobytes() != before:
                os.write(2, f"{name} has changed the network".encode())
                code = 4
            if code == 1:
                call()  # with memory it works
            if fastbp.load(path).params.tobytes() != before:
                code = 5
            os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code in (0, 1), (name, code)
        refused += code
        done += 1 - code
print(f"{refused} calls without memory, {done} with enough")
assert refused
"""


@linux_only
def test_no_memory(tmp_path):
    run(NO_MEMORY, times(4), tmp_path)


FORK = """
import os, threading
import numpy as np, fastbp

X, T = np.ones((500, 30)), np.zeros((500, 2))
net = fastbp.Network([30, 300, 2], "tanh", seed=1)
net.fit(X, T, epochs=1, learning_rate=1e-4)
expected = net.predict(X)

def in_child():
    child = os.fork()
    if child:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        return
    try:
        ok = np.isfinite(net.predict(X)).all() and net.fit(X, T, epochs=1, learning_rate=1e-4).epochs == 1
        os._exit(0 if ok else 1)
    finally:
        os._exit(2)

for _ in range({times}):
    in_child()
assert (net.predict(X) == expected).all()

if {while_training}:
    # A thread that trains is not there in the child, which must not wait for it.
    stop = threading.Event()
    class Stop:
        def on_epoch(self, state):
            return stop.is_set()
    thread = threading.Thread(target=net.fit, args=(X, T), kwargs=dict(
        epochs=10**6, batch_size=100, learning_rate=1e-9, callbacks=[Stop()]))
    thread.start()
    try:
        for _ in range({times}):
            in_child()
    finally:
        stop.set()
    thread.join()
"""


@linux_only
@pytest.mark.parametrize("while_training", [False, True])
def test_fork(while_training):
    # Python warns of forks beside threads, of which this is one, from 3.12 on.
    code = "import warnings; warnings.simplefilter('ignore', DeprecationWarning)\n" + FORK
    run(code.format(times=times(4), while_training=while_training))


SPAWN = """
import multiprocessing, sys
import numpy as np, fastbp

if __name__ == "__main__":
    X = np.ones((500, 30))
    net = fastbp.Network([30, 300, 2], "tanh", seed=1)
    net.fit(X, np.zeros((500, 2)), epochs=1, learning_rate=1e-4)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        for _ in range(int(sys.argv[1])):
            assert (pool.apply(net.predict, (X,)) == net.predict(X)).all()
"""


def test_spawn(tmp_path):
    script = tmp_path / "spawn.py"
    script.write_text(SPAWN)
    subprocess.run([sys.executable, script, str(times(4))], check=True)
