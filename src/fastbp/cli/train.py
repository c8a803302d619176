"""``fastbp train``: from a table to a model in a file."""

import contextlib
import json
import os
import sys

import numpy as np

from fastbp import io, losses, optimizers
from fastbp._checks import one_of
from fastbp._version import __version__
from fastbp.cli import reports, training_data
from fastbp.cli.columns import NumberColumn, Plan, scaling
from fastbp.cli.training_data import PARTS
from fastbp.interop.scaling import fold
from fastbp.network import Network
from fastbp.whole_batch import WholeBatch

# Options of the command that are keywords of Network.fit by the same name.
FIT = ("epochs", "batch_size", "desired_error", "min_delta", "time_limit", "schedule", "dropout", "class_weight",
       "threads")
OF_OPTIMIZERS = "learning_rate", "momentum", "l2"
FAR = 1000      # scales from 0, beyond which weights in float32 round too coarsely (docs/interop.md)


def train(arguments):
    """Run the command; returns False where Ctrl-C ended it, after the model has been saved."""
    if not os.path.isdir(os.path.dirname(io.replaceable(arguments.out, "--out"))):
        raise FileNotFoundError(f"--out: there is no directory to write {arguments.out!r} in")
    rng, teacher = np.random.default_rng(arguments.seed), optimizer(arguments)
    # What can be wrong with the network is found before a large table is read.
    network([NumberColumn("x")], [NumberColumn("y")], "squared_error", "identity", arguments, 0)
    data = training_data.read(arguments)
    task = training_data.decide_task(data, arguments)
    if not arguments.quiet:
        say(f"{task} of {', '.join(repr(column.name) for column in data.targets)} from {len(data.inputs)} columns, "
            f"{len(data.T):,} rows")
    parts = training_data.split(data.T[:, 0] if task == "classification" else None, len(data.T), arguments, rng)
    if arguments.missing in ("mean", "median"):
        training_data.fill_categories(data, parts)
    X = training_data.assemble(data, parts)
    inputs, targets = training_data.standardise_inputs(X, data, arguments.missing, arguments.dtype), data.targets
    T, data.T = [data.T[parts == part] for part in range(3)], None

    loss = arguments.loss or ("cross_entropy" if task == "classification" else "squared_error")
    output_activation = losses.TABLE[one_of("loss", loss, losses.TABLE)].activation
    if task == "classification":
        if output_activation != "softmax":
            raise ValueError(f"--loss must be cross_entropy for labels, got {loss}; --task regression takes others")
        T = [t[:, 0] for t in T]
    elif output_activation is None:     # otherwise the loss is defined for the targets as they are
        targets = training_data.standardise_targets(T, data, X[0].dtype, arguments.dtype)
    net = network(inputs, targets, loss, output_activation or "identity", arguments, rng)
    history = fit(net, X, T, teacher, arguments, rng)
    if not len(history):
        raise KeyboardInterrupt     # in the first epoch: there is nothing to save

    net = whole(net, inputs, targets, arguments)
    plan = Plan(task, data.table.names, data.table.has_header, inputs, targets, {
        "fastbp": __version__, "table": os.path.basename(arguments.table), "seed": arguments.seed,
        "rows": {name: len(x) for name, x in zip(PARTS, X, strict=True)}, "options": options_of(arguments),
        "epochs": len(history), "stop_reason": history.stop_reason, "best_epoch": history.best_epoch,
        "quality": {name: reports.quality(net, x, t, inputs, targets) for name, x, t in zip(PARTS, X, T, strict=True)
                    if len(x)},
        "history": reports.history_to_json(history)})
    io.write(arguments.out, io.dumps(net, {"plan": plan.to_attributes()}), "--out")
    if history.stop_reason == "interrupted":
        say(f"interrupted in epoch {len(history) + 1}; {arguments.out} has what was learnt until then")
    print(json.dumps(reports.summary(net, plan)) if arguments.json else reports.table_of_quality(plan))
    return history.stop_reason != "interrupted"


def say(message):
    """Standard output is for results."""
    print(message, file=sys.stderr)


def network(inputs, targets, loss, output_activation, arguments, seed):
    """A new network, for standardised numbers."""
    hidden, activations = arguments.hidden, arguments.activation
    if len(activations) == 1:
        activations = activations * len(hidden)
    if len(activations) != len(hidden):
        raise ValueError(f"--activation must be one name, or one for each of the {len(hidden)} hidden layers, got "
                         f"{len(activations)}")
    sizes = [sum(column.width for column in inputs), *hidden, sum(column.width for column in targets)]
    return Network(sizes, [*activations, output_activation], loss=loss, reduction="mean",
                   dtype=arguments.dtype or "float32", init=arguments.init, seed=seed)


def fit(net, X, T, teacher, arguments, rng):
    """Train; progress goes to standard error."""
    keywords = {name: value for name in FIT if (value := getattr(arguments, name)) is not None}
    if len(X[1]):
        keywords |= {"validation_data": (X[1], T[1]), "patience": arguments.patience}
    with contextlib.redirect_stdout(sys.stderr):
        return net.fit(X[0], T[0], optimizer=teacher, verbose=not arguments.quiet, seed=rng, **keywords)


def optimizer(arguments):
    """The optimizer that `fit` takes."""
    options = {name: value for name in OF_OPTIMIZERS if (value := getattr(arguments, name)) is not None}
    made = optimizers.make(arguments.optimizer, None)
    if options and isinstance(made, WholeBatch):
        raise ValueError(f"--{next(iter(options)).replace('_', '-')} cannot be used with --optimizer "
                         f"{arguments.optimizer}, which has no such number")
    try:
        return type(made)(**options) if options else made
    except TypeError as error:
        raise ValueError(f"--optimizer {arguments.optimizer}: {error}") from None


def options_of(arguments):
    """The options that training depends on, for those who look at the model later."""
    names = (*FIT, *OF_OPTIMIZERS, "hidden", "activation", "loss", "optimizer", "init", "dtype", "patience", "missing",
             "validation_fraction", "test_fraction")
    return {name: value for name in names if (value := getattr(arguments, name)) is not None}


def whole(net, inputs, targets, arguments):
    """The network that takes numbers as they stand in a table, and gives targets in their own units."""
    dtype = arguments.dtype
    if dtype is None:
        beyond = [column for column in [*inputs, *targets] if column.kind == "number"
                  and not (abs(column.mean / column.scale) <= FAR and training_data.is_held(column.scale, "float32"))]
        dtype = "float64" if beyond else "float32"
        if beyond and not arguments.quiet:
            say(f"The model is in float64, because column {beyond[0].name!r} varies by {beyond[0].scale:.2g} about "
                f"{beyond[0].mean:.8g}.")
    net = Network(net.layer_sizes, net.activations, loss=net.loss, reduction=net.reduction, dtype=dtype,
                  init=net.params)
    mean, scale = scaling(inputs)
    output_mean, output_scale = scaling(targets)
    with np.errstate(over="ignore", invalid="ignore"):      # `reports.quality` finds it
        return fold(net, input_mean=mean, input_scale=scale, output_mean=output_mean, output_scale=output_scale)
