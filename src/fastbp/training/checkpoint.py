"""Checkpoints: all that a training needs in order to go on bit for bit as if it had never been interrupted.

docs/file-format.md describes the file. As with networks, nothing in it is executed and no size in it is believed.
"""

import json
import os
from math import inf

import numpy as np

from fastbp import io

MAGIC = b"\x89FBPCKP\n"
# Parameters and state, the history, the order of the samples.
STORED_DTYPES = {"float32": "<f4", "float64": "<f8", "uint32": "<u4"}
HEADER_TYPES = {"network": dict, "optimizer": dict, "samples": int, "with": list, "state": dict, "random_start": dict,
                "random": dict, "arrays": list}


def write(path, run):
    """Keep the run as it stands at the end of an epoch."""
    state = run.optimizer._state()
    arrays = {
        "params": run.net.params,
        "history": np.array(run.records, np.float64),
        "best": run.best_params,
        "order": None if run.source.order is None else run.source.order.astype(np.uint32),
        **{f"state.{name}": value for name, value in state.items() if isinstance(value, np.ndarray)},
    }
    arrays = {name: array for name, array in arrays.items() if array is not None}
    header = {
        **identity(run),
        "state": {name: value for name, value in state.items() if f"state.{name}" not in arrays},
        "random_start": run.random_start,
        "random": random_state(run.rng),
        "arrays": [[name, array.dtype.name, array.size] for name, array in arrays.items()],
    }
    body = b"".join(array.astype(STORED_DTYPES[array.dtype.name], copy=False).tobytes() for array in arrays.values())
    io.write(path, io.pack(MAGIC, json.dumps(header).encode(), body), "checkpoint")


def identity(run):
    """What a run must have in common with the one that it continues."""
    arguments = run.net._arguments()
    loss = arguments["loss"]
    options = {"shuffle": run.source.rng is not None, "patience": run.stopping.patience < inf,
               "validation": run.validation}
    return {
        # A loss may be an object, told by its repr, or a function, told by its name.
        "network": {**arguments, "loss": loss if isinstance(loss, str) else getattr(loss, "__qualname__", repr(loss)),
                    "layer_sizes": list(arguments["layer_sizes"]), "activation": list(arguments["activation"])},
        "optimizer": {"name": type(run.optimizer).__name__,
                      **{name: repr(value) for name, value in vars(run.optimizer).items()}},
        "samples": run.source.size,
        "with": [name for name, value in options.items() if value],
    }


def read(path):
    """The header and the arrays of a checkpoint, of which types and sizes are known to be sound."""
    with open(os.fsdecode(path), "rb") as file:
        data = file.read()
    try:
        header, body = io.unpack(data, MAGIC, "checkpoint")
        if not isinstance(header, dict) or header.keys() != HEADER_TYPES.keys():
            raise io.FormatError(f"the header must hold exactly {', '.join(HEADER_TYPES)}")
        for key, kind in HEADER_TYPES.items():
            if not isinstance(header[key], kind):
                raise io.FormatError(f"header: {key} must be a {kind.__name__}, got {header[key]!r:.80}")
        return header, arrays_of(header["arrays"], body)
    except io.FormatError as error:
        raise io.FormatError(f"resume: {os.fsdecode(path)}: {error}") from error


def arrays_of(entries, body):
    arrays, start = {}, 0
    for entry in entries:
        try:
            name, dtype, size = entry
            stored = np.dtype(STORED_DTYPES[dtype])
            stop = start + size * stored.itemsize
            hash(name)
        except (KeyError, TypeError, ValueError):
            raise io.FormatError(f"header: arrays must hold [name, dtype, size], got {entry!r:.80}") from None
        if type(size) is not int or size < 0 or stop > len(body):
            raise io.FormatError(f"header: the array {name!r:.80} does not fit the {len(body)} bytes that are there")
        arrays[name], start = np.frombuffer(body[start:stop], stored).astype(dtype), stop
    if start != len(body) or not {"params", "history"} <= arrays.keys():
        raise io.FormatError("header: arrays do not fit the bytes that are there")
    return arrays


def apply(saved, run):
    """Put a new run to where the saved one was; nothing has changed if they do not fit."""
    header, arrays = saved
    for key, ours in identity(run).items():
        if header[key] != ours:
            raise ValueError(f"resume: the checkpoint has {key} {header[key]}, this training has {ours}")
    n_epochs, rest = divmod(arrays["history"].size, run.width)
    if rest or arrays["history"].dtype != np.float64:
        raise io.FormatError("resume: the history is none")
    if run.stopping.epochs < n_epochs:
        raise ValueError(f"epochs must be at least the {n_epochs} that the checkpoint has done, "
                         f"got {run.stopping.epochs}")
    generator_at(run.rng, header["random"])
    order = arrays.get("order")
    if (order is None) != (run.source.order is None) or (
            order is not None and not np.array_equal(np.sort(order), np.arange(run.source.size))):
        raise io.FormatError("resume: the order of the samples is none")
    params = {name: arrays[name] for name in ("params", "best") if name in arrays}
    if any(array.shape != (run.net.n_params,) for array in params.values()):
        raise io.FormatError("resume: the parameters do not fit the network")
    state = {**header["state"], **{name[6:]: array for name, array in arrays.items() if name.startswith("state.")}}
    try:
        run.optimizer._restore(run.net, state)
    except (KeyError, TypeError, ValueError) as error:
        raise io.FormatError(f"resume: the optimizer's state does not fit: {error!r}") from error
    run.net.params = params["params"]
    run.best_params = params.get("best")
    run.rng.bit_generator.state = header["random"]
    if order is not None:
        run.source.order[:] = order
    run.replay(arrays["history"].tolist())


def random_state(rng):
    """The state of a generator in numbers, lists and dicts, from which it can be set again."""
    return plain(rng.bit_generator.state)


def plain(value):
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def generator_at(rng, state):
    """A generator like this one that stands elsewhere."""
    bit_generator = type(rng.bit_generator)()
    try:
        bit_generator.state = state
    except (KeyError, TypeError, ValueError, OverflowError, IndexError) as error:
        raise ValueError(f"resume: the random state does not fit seed, a {type(bit_generator).__name__}: "
                         f"{error!r}") from None
    return np.random.Generator(bit_generator)
