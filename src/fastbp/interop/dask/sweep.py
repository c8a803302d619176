"""Many networks: cases that joblib sends to processes, threads or a Dask cluster, and results that outlive a crash."""

import hashlib
import itertools
import json
import os
import tempfile
from collections.abc import Mapping

import numpy as np

from fastbp import io
from fastbp._checks import came, check_flag, kind, one_of
from fastbp.divergence import DivergenceError
from fastbp.interop.dask import cluster
from fastbp.interop.dask.rows import in_a_map, in_memory

PLAIN = np.typecodes["AllInteger"] + "?efdUO"    # dtypes of NumPy's that `tolist` makes Python's of
BACKENDS = "dask", "loky", "threading"


def map_networks(train, cases, *data, directory=None, backend=None, n_jobs=-1, verbose=False):
    """Train a network, or a few, for each of many cases, and put the results into one table.

    Parameters
    ----------
    train : callable
        ``train(*data, **case)`` returns the results of a case: a dict of numbers and strings, or a list of such dicts,
        for instance one for each network of a `Population`. With "loky" and "dask" it runs in other processes.
        Where it raises a `DivergenceError`, which a sweep over rates must expect, the case has that as its result
        "failure". Any other exception ends the sweep.
    cases : mapping or iterable of mappings
        Keywords for `train`. A mapping of sequences, such as ``{"width": [4, 8], "seed": range(10)}``, stands for all
        their combinations.
    *data : object
        What all cases have in common, sent to each process once.
    directory : str or os.PathLike, optional
        Where to keep the results, one file for each case as it ends; made if it is not there. If the program is killed
        and called again, the cases with a file are not trained again. It is for one `train` and one set of data. Each
        case must differ from the others in its numbers and strings, or in objects that pickle can tell apart. A tuple,
        a list and an array of the same elements are the same, here and for a later call; 1, 1.0 and True are not.
    backend : {"dask", "loky", "threading"}, optional
        joblib's. By default "dask" if there is a ``distributed.Client``, else "loky".
    n_jobs : int, default -1
        How many cases to work on at a time; -1 means one for each processor, and it is the cluster's threads with
        "dask". joblib puts short cases together into tasks of up to a second. A network trains with one thread
        unless `train` says otherwise.
    verbose : bool, default False
        Whether joblib prints the progress.

    Returns
    -------
    pandas.DataFrame
        A row for each result, in the order of the cases: the case's keywords, then what `train` returned.

    Raises
    ------
    ValueError, TypeError
        If an argument is wrong, or a result is not what JSON can hold; with `directory` also if two cases are alike, or
        pickle does not take an object of a case, as a lambda, by which it could be known again.
    OSError
        If the directory cannot be written to.
    FormatError
        If a file in the directory is not a result. This is a ValueError.

    Examples
    --------
    >>> import fastbp
    >>> from fastbp.interop.dask import map_networks
    >>> def train(X, T, width, seed):
    ...     net = fastbp.Network([2, width, 1], "tanh", "sigmoid", seed=seed)
    ...     history = net.fit(X, T, epochs=100, optimizer="rprop")
    ...     return {"rms": history.rms[-1]}
    >>> X, T = [[0, 0], [0, 1], [1, 0], [1, 1]], [[0], [1], [1], [0]]
    >>> table = map_networks(train, {"width": [2, 3], "seed": range(3)}, X, T, backend="threading")
    >>> table.shape, list(table.columns)
    ((6, 3), ['width', 'seed', 'rms'])
    """
    try:
        import joblib
        import pandas
    except ImportError as error:
        raise ImportError(f'map_networks needs joblib and pandas: pip install "fastbp[dask]" ({error})') from error
    if not callable(train):
        raise TypeError(f"train must be a function, got {kind(train)}")
    check_flag("verbose", verbose)
    if backend is None:
        backend = "loky" if cluster.current() is None else "dask"
    cases = combinations(cases)
    # Without files each case is known by its place, so that cases may be alike.
    cases = dict(enumerate(cases)) if directory is None else keyed(cases, joblib.hash)
    results = {} if directory is None else read(directory, cases)
    missing = [(key, case) for key, case in cases.items() if key not in results]
    if missing and directory is not None:
        demand_writable(directory)
    mapped = tuple(map(in_a_map, data))
    with joblib.parallel_config(one_of("backend", backend, BACKENDS), n_jobs=n_jobs):
        parallel = joblib.Parallel(verbose=10 * verbose, return_as="generator_unordered")
        for key, rows in parallel(joblib.delayed(of_a_case)(key, train, case, mapped, *data) for key, case in missing):
            if directory is not None:
                io.write(path_of(directory, key), json.dumps({"case": key, "rows": rows}).encode(), "directory")
            results[key] = rows
    return pandas.DataFrame([{**case, **row} for key, case in cases.items() for row in results[key]])


def combinations(cases):
    """The cases as dicts."""
    if isinstance(cases, Mapping):
        values = [[values] if isinstance(values, (str, bytes)) or not np.iterable(values) else list(values)
                  for values in cases.values()]
        return [dict(zip(cases, combination, strict=True)) for combination in itertools.product(*values)]
    try:
        return [dict(case) for case in cases]
    except (TypeError, ValueError):
        raise TypeError("cases must be a mapping of sequences, or an iterable of mappings, such as [{'seed': 1}], got "
                        f"{kind(cases)}") from None


def keyed(cases, checksum):
    """The cases by what tells each from the others, in this process and in another."""
    def plain(value):
        """What JSON tells apart: numbers and texts as they are, sequences by their elements, objects by a checksum."""
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, (np.generic, np.ndarray)) and value.dtype.char in PLAIN:
            return plain(value.tolist())
        if isinstance(value, (list, tuple)):
            return [plain(element) for element in value]
        if isinstance(value, dict):     # JSON would make texts of its keys
            return {"dict": sorted(([plain(key), plain(part)] for key, part in value.items()), key=json.dumps)}
        try:
            return {type(value).__qualname__: checksum(value)}
        except Exception as error:      # an object's own methods may raise anything
            raise TypeError(f"cases must hold numbers, strings and objects that pickle takes, if there is a directory, "
                            f"got {came(value)} ({error})") from None

    known = {}
    for case in cases:
        key = json.dumps({name: plain(value) for name, value in case.items()}, sort_keys=True)
        if key in known:
            raise ValueError("cases must differ from each other, if there is a directory with a file for each, got "
                             f"{known[key]} and {case}")
        known[key] = case
    return known


def demand_writable(directory):
    """Refuse a directory that no file can be made in before hours are spent on the first case."""
    try:
        tempfile.TemporaryFile(dir=directory).close()
    except OSError as error:
        raise OSError(error.errno, f"directory cannot be written: {error.strerror}", os.fsdecode(directory)) from None


def of_a_case(key, train, case, mapped, *data):
    """In a process of the backend: the key and the rows of results.

    `mapped` tells which data were memory maps from the first. joblib makes such of other large arrays, to hand them to
    processes, and a network refuses those that it would have to convert.
    """
    data = [values if before else in_memory(values) for values, before in zip(data, mapped, strict=True)]
    try:
        rows = train(*data, **case)
    except DivergenceError as error:
        rows = {"failure": str(error)}
    except Exception as error:
        error.add_note(f"This was raised for the case {case}.")
        raise
    rows = [rows] if isinstance(rows, Mapping) else rows
    if not isinstance(rows, (list, tuple)) or not all(isinstance(row, Mapping) for row in rows):
        raise TypeError(f"train must return a dict or a list of dicts, got {kind(rows)} for the case {case}")
    # Through JSON, so that a result is the same whether it has been in a file or not.
    try:
        return key, json.loads(json.dumps([dict(row) for row in rows], default=number_or_list))
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"train must return numbers, strings and lists of them, but its result for the case {case} "
                        f"has something else ({error})") from None


def number_or_list(value):
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"got {kind(value)}")


def path_of(directory, key):
    return os.path.join(os.fsdecode(directory), hashlib.sha256(key.encode()).hexdigest()[:32] + ".json")


def read(directory, cases):
    """The results that the directory has of these cases."""
    os.makedirs(directory, exist_ok=True)
    results = {}
    for key in cases:
        path = path_of(directory, key)
        if not os.path.exists(path):
            continue
        with open(path, "rb") as file:
            results[key] = rows_in(file.read(), key, path)
    return results


def rows_in(content, key, path):
    try:
        content = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise io.FormatError(f"{path}: the file is not JSON: {error}") from error
    if not isinstance(content, dict) or content.get("case") != key or not (
            isinstance(content.get("rows"), list) and all(isinstance(row, dict) for row in content["rows"])):
        raise io.FormatError(f"{path}: this is not a result of the case {key:.80}")
    return content["rows"]
