"""The command line: ``fastbp`` or ``python -m fastbp``; docs/command_line.md describes the commands.

One file for each idea: `tables` reads tables in blocks, `fields` their numbers and categories, `columns` has the plan
of columns that a model's file keeps, `training_data` makes arrays of a table, `train` and `predict` are those commands,
`reports` says what is known of a model. argparse suffices for the options, and so NumPy stays the only thing that
fastbp needs.
"""

import argparse
import io
import json
import os
import sys
import warnings

import numpy as np

from fastbp import __version__, _dispatch, bench, demo, load, show_config
from fastbp.cli import fields, predict, reports, tables, train
from fastbp.divergence import DivergenceError
from fastbp.io import replacing

INTERRUPTED = 130  # 128 + SIGINT, what a shell reports for a program that Ctrl-C ended


def main(argv=None):
    """Run one command.

    Parameters
    ----------
    argv : list of str, optional
        The arguments; by default those of the process.

    Returns
    -------
    int
        The exit code: 0 if all went well, 1 if a network of the demo has learnt less than it should, if a file cannot
        be read, written, trained on or exported, or if nobody takes the output, 130 after Ctrl-C. Wrong arguments end
        the process with 2, as argparse does.

    Examples
    --------
    >>> from fastbp.cli import main
    >>> main(["demo", "threshold"])  # doctest: +ELLIPSIS
    A line between 42 points...
    0
    """
    if sys.stderr is None:      # closed by 2>&-; print would write to standard output instead
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - until the process ends
    if sys.stdout is None:
        print("fastbp: standard output is closed", file=sys.stderr)
        return 1
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")   # a label may have letters that a terminal lacks
    command = "fastbp"
    try:
        try:
            arguments = parser().parse_args(argv)
            command = f"fastbp {arguments.command}".rstrip()
            with warnings.catch_warnings():
                warnings.showwarning = lambda message, *where: print(f"fastbp: {message}", file=sys.stderr)
                return arguments.run(arguments) or 0
        finally:
            print(end="", flush=True)   # here, because at exit nobody could catch the error of a reader that has left
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)  # a terminal has just written ^C
        return INTERRUPTED
    except BrokenPipeError:     # the reader left, as `| head` does
        give_up_output()
        return 1
    except (OSError, ValueError, DivergenceError, MemoryError) as error:
        what = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else error
        print(f"{command}: {what or 'there is not enough memory'}", file=sys.stderr)
        give_up_output()
        return 1


def give_up_output():
    """Point standard output at nothing if it takes no more, or Python complains when it flushes at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def parser():
    """The parser of the command line; each command sets `run`, which returns the exit code, or None for 0."""
    whole = argparse.ArgumentParser(prog="fastbp", description="Small neural networks, compiled.",
                                    epilog="Exit codes: 0 if all went well, 1 if it did not (standard error says why), "
                                    "2 for wrong arguments, 130 after Ctrl-C.")
    whole.add_argument("--version", action="version", version=f"fastbp {__version__}")
    whole.set_defaults(run=lambda arguments: whole.print_help(), command="")
    commands = whole.add_subparsers(dest="command", title="commands", metavar="COMMAND")
    for add in (add_train, add_predict, add_info, add_plot, add_export, add_bench, add_demo):
        add(commands)
    return whole


# ---------------------------------------------------------------------------------------------------------- commands


def add_train(commands):
    command = commands.add_parser(
        "train", help="train a network on a table", description="Train a network on a table, and write it to a file "
        "with all that fastbp predict needs. Options have the names of Network and Network.fit.")
    command.set_defaults(run=lambda arguments: None if train.train(arguments) else INTERRUPTED)
    command.add_argument("table", help="a CSV, also compressed by gzip, or an npz; - for standard input")
    command.add_argument("--out", required=True, metavar="MODEL", help="the file to write")
    command.add_argument("--target", required=True, action="append", metavar="COLUMN",
                         help="what to predict: a column's name, or its number from 1, or from the end as -1; several "
                         "numbers to predict stand between commas")
    add_table_options(command)
    table = command.add_argument_group("columns")
    table.add_argument("--ignore", action="append", default=[], metavar="COLUMNS", help="leave these columns out")
    table.add_argument("--categories", action="append", default=[], metavar="COLUMNS",
                       help="columns of numbers that stand for categories; columns of texts are categories anyway")
    table.add_argument("--max-categories", type=int, default=100, metavar="N", help="refuse more in a column "
                       "(default: %(default)s)")
    table.add_argument("--missing", choices=("error", "mean", "median", "drop"), default="error",
                       help="where a value is missing: refuse the table, fill in the mean, the median (either way, the "
                       "most frequent category), or drop the row (default: %(default)s)")
    table.add_argument("--task", choices=("classification", "regression"), help="by default it is a classification if "
                       "the target has texts, or at most ten different whole numbers that recur")
    table.add_argument("--validation-fraction", type=float, default=0.15, metavar="F", help="part of the rows for "
                       "early stopping (default: %(default)s)")
    table.add_argument("--test-fraction", type=float, default=0.15, metavar="F", help="part of the rows on which the "
                       "result is tested (default: %(default)s)")
    table.add_argument("--seed", type=seed, default=0, metavar="N", help="of all that is random (default: %(default)s)")
    network = command.add_argument_group("network")
    network.add_argument("--hidden", type=sizes, default=[16], metavar="SIZES", help="neurons in each hidden layer, "
                         "such as 16,8; 0 for no hidden layer (default: 16)")
    network.add_argument("--activation", type=names, default=["sigmoid"], metavar="NAMES", help="of the hidden "
                         "layers, one or one for each (default: sigmoid)")
    network.add_argument("--loss", metavar="NAME", help="by default cross_entropy for labels, and squared_error for "
                         "numbers")
    network.add_argument("--dtype", choices=("float32", "float64"), help="by default float32")
    network.add_argument("--init", default="auto", metavar="NAME", help="the rule for initial parameters")
    training = command.add_argument_group("training")
    training.add_argument("--epochs", type=int, default=100, metavar="N", help="at most (default: %(default)s)")
    training.add_argument("--patience", type=int, default=20, metavar="N", help="stop when the validation error has "
                          "not fallen for so many epochs, and keep the best network (default: %(default)s)")
    training.add_argument("--min-delta", type=float, metavar="E", help="by which it must fall")
    training.add_argument("--batch-size", type=batch_size, metavar="N", help="rows of an update, or full "
                          "(default: 1, on-line learning; full for rprop)")
    training.add_argument("--optimizer", default="sgd", metavar="NAME", help="sgd, adam or another of "
                          "fastbp's (default: %(default)s)")
    training.add_argument("--learning-rate", type=float, metavar="H", help="by default the optimizer's own")
    training.add_argument("--momentum", type=float, metavar="MU", help="of sgd")
    training.add_argument("--l2", type=float, metavar="L", help="penalty of the weights")
    training.add_argument("--schedule", metavar="NAME", help="of the learning rate")
    training.add_argument("--dropout", type=float, metavar="P", help="of the hidden layers")
    training.add_argument("--class-weight", choices=("balanced",), help="weigh rare labels more")
    training.add_argument("--desired-error", type=float, metavar="RMS", help="stop at this RMS error")
    training.add_argument("--time-limit", type=float, metavar="SECONDS", help="stop after this time")
    training.add_argument("--threads", type=int, metavar="N", help="that may share a batch")
    command.add_argument("--quiet", action="store_true", help="no progress on standard error")
    command.add_argument("--json", action="store_true", help="the result as JSON")


def add_predict(commands):
    command = commands.add_parser("predict", help="predict each row of a table with a model of fastbp train",
                                  description="Write a CSV with a row for each row of a table: the label and the "
                                  "probability of each label, or the predicted numbers.")
    command.set_defaults(run=predict.predict)
    command.add_argument("model", help="the file that fastbp train wrote")
    command.add_argument("table", help="with the columns of inputs that the model was trained on, in any order")
    command.add_argument("--out", metavar="CSV", help="the file to write; by default standard output")
    add_table_options(command)


def add_table_options(command):
    """How a table is read."""
    group = command.add_argument_group("table", "What is not given is guessed.")
    header = group.add_mutually_exclusive_group()
    header.add_argument("--header", action="store_true", default=None, help="the first row has names")
    header.add_argument("--no-header", dest="header", action="store_false", help="it has none")
    group.add_argument("--delimiter", type=delimiter, metavar="C", help="between fields; tab for a tabulator")
    group.add_argument("--decimal", choices=(".", ","), default=".", help="in numbers (default: a point)")
    group.add_argument("--encoding", default="utf-8-sig", metavar="NAME", help="of the text (default: utf-8)")


def add_info(commands):
    command = commands.add_parser("info", help="print what a model is, or without one, version, instruction set, "
                                  "compiler and NumPy")
    command.set_defaults(run=info)
    command.add_argument("model", nargs="?", help="a file that fastbp train or Network.save wrote")
    command.add_argument("--json", action="store_true", help="as JSON, with the history of the training")


def info(arguments):
    if arguments.model is not None:
        net, plan = predict.load_model(arguments.model)
        print(json.dumps(reports.summary(net, plan)) if arguments.json else reports.describe(net, plan))
    elif arguments.json:
        print(json.dumps({"fastbp": __version__, "instruction_sets": _dispatch.chosen(),
                          "available": _dispatch.available(), "numpy": np.__version__}))
    else:
        show_config()


def add_plot(commands):
    command = commands.add_parser("plot", help="draw a network, or how its training went; needs fastbp[plot]")
    command.set_defaults(run=plot)
    command.add_argument("model", help="a file that fastbp train or Network.save wrote")
    command.add_argument("picture", help="the file to write; its ending, such as .png or .svg, says what it becomes")
    command.add_argument("--history", action="store_true", help="the errors of each epoch in place of the network")


def plot(arguments):
    ending = os.path.splitext(arguments.picture)[1][1:]
    if not ending:
        raise ValueError("the picture needs a name with an ending that says what it becomes, such as .png or .svg, got "
                         f"{arguments.picture!r}")
    net, plan = predict.load_model(arguments.model)
    if arguments.history and plan is None:
        raise ValueError(f"{arguments.model}: the file has no history; fastbp train writes one")
    os.environ["MPLBACKEND"] = "agg"    # a file needs no window, so it does not matter what cannot open one
    try:
        from fastbp.plot import HistoryDisplay, NetworkDisplay
        display = (HistoryDisplay.from_history(reports.history_from_json(plan.training)) if arguments.history
                   else NetworkDisplay.from_network(net))
        with replacing(arguments.picture, "the picture") as file:
            display.plot().figure_.savefig(file, format=ending)
    except (ImportError, RuntimeError) as error:    # there is no Matplotlib, or not what it needs for this format
        raise ValueError(str(error)) from error


def add_export(commands):
    command = commands.add_parser("export", help="write a network as a C header; docs/embedding.md has more")
    command.set_defaults(run=export)
    command.add_argument("network", help="the file that Network.save or fastbp train wrote")
    command.add_argument("header", help="the file to write")
    command.add_argument("--name", help="what names in C begin with; by default that of the header")
    command.add_argument("--jacobian", action="store_true", help="derivatives by the inputs, too")
    command.add_argument("--libm", action="store_true", help="call the C library's exp, tanh and so on")
    command.add_argument("--int16", metavar="TABLE", help="in 16-bit integers; the table has samples of the "
                         "inputs, in their order, and no other columns")


def export(arguments):
    """A network's file as a C header."""
    net, samples = load(arguments.network), None
    if arguments.int16 is not None:
        with tables.opened(arguments.int16) as table:
            columns = [fields.Numbers(name, "samples must be whole") for name in table.names]
            samples = np.concatenate([np.empty((0, len(columns))), *table.blocks(columns)])
    error = net.to_c(arguments.header, arguments.name, arguments.jacobian, libm=arguments.libm, int16=samples)
    if error is not None:
        print("largest error of each output at the samples:", *(f"{e:.2g}" for e in error))


def add_bench(commands):
    command = commands.add_parser("bench", help="compare with NumPy and what else is installed, in two minutes")
    command.set_defaults(run=lambda arguments: bench.main(arguments.workloads or bench.named(bench.QUICK)))
    command.add_argument("workloads", nargs="*", action=Workloads, metavar="workload",
                         help="groups or beginnings of names, such as W1 or 'W3 8-32'; by default "
                         f"{', '.join(bench.QUICK)}")


class Workloads(argparse.Action):
    """The workloads of the benchmark that names stand for."""

    def __call__(self, parser, namespace, values, option_string=None):
        try:
            namespace.workloads = bench.named(values)
        except ValueError as error:
            parser.error(str(error))


def add_demo(commands):
    command = commands.add_parser("demo", help="watch small networks learn")
    command.set_defaults(run=lambda arguments: 0 if demo.run(arguments.part) else 1)
    command.add_argument("part", nargs="?", choices=demo.PARTS, help="one part only; without it, all but 'worked'")


# --------------------------------------------------------------------------------------------------- types of options


def sizes(text):
    """Of hidden layers: 16,8 or 0 for none."""
    return [] if text == "0" else [int(size) for size in text.split(",")]


def names(text):
    return [name.strip() for name in text.split(",")]


def batch_size(text):
    return text if text == "full" else int(text)


def seed(text):
    if int(text) < 0:
        raise argparse.ArgumentTypeError(f"must be at least 0, got {text}")
    return int(text)


def delimiter(text):
    text = {"tab": "\t", "\\t": "\t"}.get(text, text)
    if len(text) != 1 or text in '"\n\r':
        raise argparse.ArgumentTypeError(f"must be one character, got {text!r}")
    return text
