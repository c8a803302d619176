"""``fastbp predict``: a row of predictions for each row of a table, block by block."""

import contextlib
import csv
import io as text_io
import sys

from fastbp import io
from fastbp.cli import tables
from fastbp.cli.columns import plan_from
from fastbp.io import FormatError
from fastbp.network import Network


def load_model(path):
    """The network in a file, and its Plan or None."""
    description, attributes = io.read_network(path)
    with io.naming(path):
        net = Network.from_description(description)
        return net, plan_from(attributes["plan"], net) if attributes and "plan" in attributes else None


def predict(arguments):
    """Run the command."""
    net, plan = load_model(arguments.model)
    if plan is None:
        raise FormatError(f"{arguments.model}: the file does not say which columns the inputs are, because it was not "
                          "written by fastbp train; fastbp.load reads it in Python")
    header = plan.has_header if arguments.header is None else arguments.header
    # The table is opened last, so that its errors do not pass for those of the file that is written.
    with output(arguments.out) as write, tables.opened(arguments.table, delimiter=arguments.delimiter, header=header,
                                                       encoding=arguments.encoding) as table:
        places = plan.places(table)
        readers = [None] * len(table.names)
        for column, place in zip(plan.inputs, places, strict=True):
            readers[place] = column.reader(arguments.decimal)
        names, labels = [column.name for column in plan.targets], None
        if plan.task == "classification":
            labels = [quoted([label]) for label in plan.targets[0].categories]
            names += [f"P({label})" for label in plan.targets[0].categories]
        text = quoted(names) + "\n"
        # With so many digits a number of the dtype comes back unchanged.
        form = ",".join(["%.9g" if net.dtype == "float32" else "%r"] * net.n_outputs) + "\n"
        # A category has many inputs, so a block can be small beside what is made of it.
        for values in (chunk for block in table.blocks(readers) for chunk in tables.in_chunks(block)):
            Y = net.predict(plan.encode(values, places))
            rows = [form % tuple(row) for row in Y.tolist()]
            if labels is not None:
                rows = [f"{labels[label]},{row}" for label, row in zip(Y.argmax(axis=1).tolist(), rows, strict=True)]
            write(text + "".join(rows))
            text = ""
        write(text)     # of a table without rows


@contextlib.contextmanager
def output(path):
    """What writes text in UTF-8 to a file, which is there at the end as a whole; without a path, to standard output."""
    if path is None:
        if isinstance(sys.stdout, text_io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")
        yield sys.stdout.write
    else:
        with io.replacing(path, "--out") as file:
            yield lambda text: file.write(text.encode())


def quoted(fields):
    """A row of a CSV, without the end of its line."""
    row, end = text_io.StringIO(), "\r\n"
    csv.writer(row, lineterminator=end).writerow(fields)    # it quotes what has a character of these
    return row.getvalue().removesuffix(end)
