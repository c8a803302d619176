"""The command line: ``fastbp`` or ``python -m fastbp``, with one of the commands demo, info, export, bench."""

import argparse
import os
import sys

import numpy as np

from fastbp import bench, demo, load, show_config

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
        be read, written or exported, or if nobody reads the output, 130 after Ctrl-C. Wrong arguments end the process
        with 2, as argparse does.

    Examples
    --------
    >>> from fastbp.cli import main
    >>> main(["demo", "threshold"])  # doctest: +ELLIPSIS
    A line between 42 points...
    0
    """
    parser = argparse.ArgumentParser(prog="python -m fastbp", description="Small neural networks, compiled.")
    commands = parser.add_subparsers(dest="command", title="commands", metavar="COMMAND")
    demo_parser = commands.add_parser("demo", help="watch small networks learn")
    demo_parser.add_argument("part", nargs="?", choices=demo.PARTS, help="one part only; without it, all but 'worked'")
    commands.add_parser("info", help="print version, instruction set, compiler and NumPy")
    export_parser = commands.add_parser("export", help="write a network as a C header; docs/embedding.md has more")
    export_parser.add_argument("network", help="the file that Network.save wrote")
    export_parser.add_argument("header", help="the file to write")
    export_parser.add_argument("--name", help="what names in C begin with; by default that of the header")
    export_parser.add_argument("--jacobian", action="store_true", help="derivatives by the inputs, too")
    export_parser.add_argument("--libm", action="store_true", help="call the C library's exp, tanh and so on")
    export_parser.add_argument("--int16", metavar="CSV", help="in 16-bit integers; the file has samples of the inputs, "
                               "one a line, and nothing but numbers")
    bench_parser = commands.add_parser("bench", help="compare with NumPy and what else is installed, in two minutes")
    bench_parser.add_argument("workload", nargs="*", default=bench.QUICK, help="groups or beginnings of names, such as "
                              f"W1 or 'W3 8-32'; by default {', '.join(bench.QUICK)}")
    arguments = parser.parse_args(argv)
    if arguments.command == "bench":
        try:
            workloads = bench.named(arguments.workload)
        except ValueError as error:
            bench_parser.error(str(error))

    learnt = True
    try:
        if arguments.command == "demo":
            learnt = demo.run(arguments.part)
        elif arguments.command == "info":
            show_config()
        elif arguments.command == "export":
            return export(arguments)
        elif arguments.command == "bench":
            bench.main(workloads)
        else:
            parser.print_help()
        print(end="", flush=True)   # here, because at exit nobody could catch the error of a reader that has left
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)  # a terminal has just written ^C
        return INTERRUPTED
    except BrokenPipeError:
        # The reader left, as `| head` does. Point stdout at nothing, or Python complains when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0 if learnt else 1


def export(arguments):
    """A network's file as a C header."""
    try:
        samples = arguments.int16
        if samples is not None:
            samples = np.loadtxt(samples, delimiter=",", ndmin=2)
        error = load(arguments.network).to_c(arguments.header, arguments.name, arguments.jacobian, libm=arguments.libm,
                                             int16=samples)
    except (OSError, ValueError) as problem:
        print(f"fastbp export: {problem}", file=sys.stderr)
        return 1
    if error is not None:
        print("largest error of each output at the samples:", *(f"{e:.2g}" for e in error))
    return 0
