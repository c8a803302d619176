"""Checkpoints: all that a training needs to continue bit for bit as if it had never been interrupted.

docs/file-format.md describes the file. As with networks, nothing in it is executed and no size in it is trusted.
"""

import json
import os
import re
import zlib
from math import inf, isclose, isfinite

import numpy as np

from fastbp import io
from fastbp.training import random_states

KIND = io.Kind("checkpoint", b"\x89FBPCKP\n", 2)
HEADER_TYPES = {"network": dict, "optimizer": dict, "training": dict, "data": dict, "epochs": int, "steps": int,
                "learning_rate": float, "random_start": dict, "random": dict, "arrays": list}
# Parameters and state, the history, the order of the samples.
STORED_DTYPES = {"float32": "<f4", "float64": "<f8", "uint32": "<u4"}
OF_THE_OPTIMIZER = "mean", "square"
OF_PARAMETERS = "params", "best", *(f"state.{name}" for name in OF_THE_OPTIMIZER)
ARRAYS = *OF_PARAMETERS, "history", "order"


def write(path, run):
    """Write the state of the run at the end of an epoch."""
    state = run.optimizer._state()
    arrays = {
        "params": run.net.params,
        "history": np.array(run.records, np.float64),
        "best": run.best_params,
        "order": None if run.source.order is None else run.source.order.astype(np.uint32),
        **{f"state.{name}": state[name] for name in OF_THE_OPTIMIZER},
    }
    arrays = {name: array for name, array in arrays.items() if array is not None}
    header = {
        **run.identity,
        "epochs": run.stopping.epochs,
        "steps": state["steps"],
        "learning_rate": run.optimizer.learning_rate,
        "random_start": run.random_start,
        "random": random_states.state_of(run.rng),
        "arrays": [[name, array.dtype.name, array.size] for name, array in arrays.items()],
    }
    body = b"".join(array.astype(STORED_DTYPES[array.dtype.name], copy=False).tobytes() for array in arrays.values())
    io.write(path, io.pack(KIND, json.dumps(header).encode(), body), "checkpoint")


def identity(run):
    """What a resumed run must have in common with the one that it continues, taken when a run begins.

    The conditions for stopping are not part of it, because they change nothing of what happens before. The data are
    compared by CRC-32, for which they are read once.
    """
    arguments, optimizer, source = run.net._arguments(), run.optimizer, run.source
    samples, validation = source.samples, run.validation
    return {
        "network": {**arguments, "loss": described(arguments["loss"]), "layer_sizes": list(arguments["layer_sizes"]),
                    "activation": list(arguments["activation"])},
        "optimizer": {"name": type(optimizer).__name__, "learning_rate": optimizer.learning_rate,
                      "divided": optimizer.divided,
                      **{name: described(value) for name, value in vars(optimizer).items()}},
        "training": {
            "samples": source.size, "batch_size": source.batch, "shuffle": source.rng is not None,
            "dropout": None if source.dropout is None else list(source.dropout.rates),
            "schedule": described(run.options.schedule), "patience": run.stopping.patience < inf,
        },
        "data": {
            "X": None if samples is None else checksum(samples.x),
            "T": None if samples is None else checksum(samples.t),
            "weights": None if samples is None or samples.weights is None else checksum(samples.weights),
            "validation X and T": None if validation is None else [checksum(array) for array in validation],
        },
    }


def described(value):
    """A value as another process can compare it: of an object the repr, without its address in memory."""
    if value is None or isinstance(value, (str, int)) or (isinstance(value, float) and isfinite(value)):
        return value
    return re.sub(" at 0x[0-9a-fA-F]+", "", repr(value))


def checksum(array):
    return f"CRC-32 {zlib.crc32(np.ascontiguousarray(array)):08x}"


def read(path):
    """The header and the arrays of a checkpoint, with their types and sizes checked."""
    with io.naming(f"resume: {os.fsdecode(path)}"):
        header, body = io.read(KIND, path)
        if not isinstance(header, dict) or header.keys() != HEADER_TYPES.keys():
            raise io.FormatError(f"the header must hold exactly {', '.join(HEADER_TYPES)}")
        for key, kind in HEADER_TYPES.items():
            if type(header[key]) is not kind:   # isinstance() would take true for an int
                raise io.FormatError(f"header: {key} must be a {kind.__name__}, got {header[key]!r:.80}")
        for key in ("random_start", "random"):
            random_states.check(f"header: {key}", header[key])
        return header, arrays_of(header["arrays"], body)


def arrays_of(entries, body):
    arrays, start = {}, 0
    for entry in entries:
        if not is_entry(entry) or entry[0] in arrays:
            raise io.FormatError(f"header: arrays must hold [name, dtype, size] once for each of {', '.join(ARRAYS)}, "
                                 f"got {entry!r:.80}")
        name, dtype, size = entry
        stored = np.dtype(STORED_DTYPES[dtype])
        stop = start + size * stored.itemsize
        if stop > len(body):
            raise io.FormatError(f"header: the array {name} does not fit into the {len(body)} bytes that are there")
        arrays[name], start = np.frombuffer(body[start:stop], stored).astype(dtype), stop
    if start != len(body):
        raise io.FormatError(f"header: arrays must take all of the {len(body)} bytes that are there, got {start}")
    if not {"params", "history"} <= arrays.keys():
        raise io.FormatError(f"header: arrays must hold params and history, got {', '.join(arrays) or 'none'}")
    return arrays


def is_entry(entry):
    if not isinstance(entry, list) or len(entry) != 3:
        return False
    name, dtype, size = entry
    return name in ARRAYS and dtype in tuple(STORED_DTYPES) and type(size) is int and size >= 0


def apply(saved, run):
    """Bring a new run to where the saved one was; if it does not fit, the network and the optimizer do not change."""
    header, arrays = saved
    demand_the_same(header, run.identity)
    demand_arrays(arrays, run)
    rng = random_states.generator_at(run.rng, header["random"])
    demand_rate(header["learning_rate"], run.net.dtype)
    replay(arrays["history"], header["epochs"], run)
    state = {"steps": header["steps"], **{name: arrays.get(f"state.{name}") for name in OF_THE_OPTIMIZER},
             "own": run.records[-len(run.own):] if run.own else []}
    try:
        run.optimizer._restore(run.net, state)
    except ValueError as error:
        raise io.FormatError(f"resume: the checkpoint's state of the optimizer does not fit: {error}") from error
    if not run.own:
        # A callback may have changed it; a schedule will set it anew.
        run.optimizer.learning_rate = header["learning_rate"]
    run.net.params = arrays["params"]
    run.best_params = arrays.get("best")
    run.rng.bit_generator.state = rng.bit_generator.state
    run.random_start = header["random_start"]
    if run.source.order is not None:
        run.source.order[:] = arrays["order"]


def demand_the_same(header, ours):
    for part, facts in ours.items():
        theirs = header[part]
        for key in {**facts, **theirs}:
            if theirs.get(key) != facts.get(key):
                raise ValueError(f"resume: the checkpoint was made with {theirs.get(key)!r:.80} as {key} of the "
                                 f"{part}, but this training has {facts.get(key)!r:.80}")


def demand_arrays(arrays, run):
    """The arrays that this run needs, each of its dtype and size."""
    net, source = run.net, run.source
    n_records = arrays["history"].size // run.width * run.width
    wanted = {**dict.fromkeys(OF_PARAMETERS, (net.dtype, net.n_params)), "history": (np.dtype(np.float64), n_records),
              "order": (np.dtype(np.uint32), source.size)}
    for name, array in arrays.items():
        if (array.dtype, array.size) != wanted[name]:
            dtype, size = wanted[name]
            raise io.FormatError(f"resume: the checkpoint's {name} must hold {size} numbers of {dtype}, got "
                                 f"{array.size} of {array.dtype}")
        if name in OF_PARAMETERS and not np.isfinite(array).all():
            raise io.FormatError(f"resume: the checkpoint's {name} must be finite")
        if name == "state.square" and (array < 0).any():
            raise io.FormatError(f"resume: the checkpoint's {name} must hold no negative number, got {array.min()}")
    if ("order" in arrays) != (source.order is not None):
        raise io.FormatError("resume: the checkpoint must hold the order of the samples if they are shuffled, and only "
                             "then")
    if source.order is not None and not np.array_equal(np.sort(arrays["order"]), np.arange(source.size)):
        raise io.FormatError(f"resume: the checkpoint's order must hold each number below {source.size} once")
    if "best" in arrays and run.stopping.patience == inf:
        raise io.FormatError("resume: the checkpoint must not hold best parameters, because it was made without "
                             "patience")


def demand_rate(rate, dtype):
    limits = np.finfo(dtype)
    if not float(limits.smallest_subnormal) <= rate <= float(limits.max):
        raise io.FormatError(f"resume: the checkpoint's learning_rate must be positive and finite in {dtype}, got "
                             f"{rate!r}")


def replay(history, epochs, run):
    """Go through the epochs of the checkpoint; the schedule must have the same rates for them.

    A schedule may depend on `epochs`, which may have changed: training continues only if the new number would have
    given the same rates so far.
    """
    done = history.size // run.width
    if run.stopping.epochs < done:
        raise ValueError(f"epochs must be at least the {done} that the checkpoint has done, got {run.stopping.epochs}")
    rates = run.replay(history.tolist())
    for epoch, (rate, earlier) in enumerate(zip(rates, history[2::run.width].tolist(), strict=False)):
        # Other processors and libraries may round a cosine or a power differently.
        if not isclose(rate, earlier, rel_tol=1e-9):
            raise ValueError(f"resume: the checkpoint was made with epochs={epochs} and had the learning rate "
                             f"{earlier!r} in epoch {epoch}, where schedule {run.options.schedule!r} now gives "
                             f"{rate!r} for epochs={run.stopping.epochs}")
