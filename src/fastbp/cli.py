"""The command line: ``python -m fastbp`` with one of the commands demo, info, bench."""

import argparse
import os
import sys

from fastbp import bench, demo, show_config

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
        The exit code: 0 if all went well, 1 if a network of the demo has learnt less than it should or if nobody reads
        the output, 130 after Ctrl-C. Wrong arguments end the process with 2, as argparse does.

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
