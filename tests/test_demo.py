"""The demo as people meet it: on a terminal, in a pipe, without blocks to draw with, cut short."""

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from fastbp import cli, demo

COMMAND = [sys.executable, "-m", "fastbp"]


@pytest.fixture
def pauses(monkeypatch):
    """The pauses that the demo asks for, which the tests do not wait for."""
    pauses = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    return pauses


def without_times(text):
    return re.sub(r"took .* a second\.", "", text)


@pytest.mark.parametrize("part", demo.PARTS)
def test_every_part_learns(isa, part, capsys):
    assert cli.main(["demo", part]) == 0
    assert capsys.readouterr().out


def test_it_says_what_it_shows_and_what_to_type_next(capsys, pauses):
    assert cli.main(["demo"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Three small networks learn while you watch, for a few seconds. Ctrl-C ends it."
    assert [line for line in lines if line.startswith("---")] == [f"--- {n} of 3 ".ljust(80, "-") for n in (1, 2, 3)]
    assert "What to type next:" in lines
    assert max(map(len, lines)) <= 80
    assert all(line.isprintable() for line in lines)    # no escapes
    assert not pauses


def test_what_to_type_next_runs():
    _, in_python = demo.WHAT_NEXT.split("these networks:\n")
    namespace = {"help": lambda thing: None}
    exec(textwrap.dedent(in_python), namespace)
    Y = namespace["net"].predict(namespace["X"])
    assert Y.round().ravel().tolist() == namespace["T"]


def test_an_encoding_without_blocks_gets_ascii():
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0",
                   "PYTHONIOENCODING": "ascii"}
    ascii_ = subprocess.run([*COMMAND, "demo"], capture_output=True, env=environment, check=True).stdout.decode("ascii")
    environment["PYTHONIOENCODING"] = "utf-8"
    blocks = subprocess.run([*COMMAND, "demo"], capture_output=True, env=environment, check=True).stdout.decode("utf-8")
    assert "\N{FULL BLOCK}" in blocks
    assert "  epoch 100   error 0.1" in ascii_
    translation = str.maketrans("\N{LIGHT SHADE}\N{MEDIUM SHADE}\N{DARK SHADE}\N{FULL BLOCK}", ".+x#")
    assert without_times(blocks).translate(translation) == without_times(ascii_)


def test_bars():
    assert [len(demo.bar(fraction)) for fraction in (0, 0.001, 0.5, 1)] == [0, 1, 20, 40]


def test_a_digit_that_is_misread_says_what_it_is(capsys):
    images, Y = np.zeros((2, 64)), np.array([[0.75, 0.25], [0.9, 0.1]])
    images[0, :2] = 1
    demo.draw(images, Y, np.array([1, 0]))
    first, *paper, says, is_ = capsys.readouterr().out.splitlines()
    assert first == "  " + 4 * "\N{FULL BLOCK}"
    assert paper == 7 * [""]
    assert says == "  says 0, 75% sure    says 0, 90% sure"
    assert is_ == "  but is 1"


def test_a_network_that_learns_too_little_is_told(capsys, monkeypatch):
    monkeypatch.setitem(demo.PARTS, "threshold", lambda: False)
    assert cli.main(["demo"]) == 1
    assert "A network has learnt less than it should." in capsys.readouterr().out


@pytest.fixture
def terminal():
    """A pair of ends: what is written into the second as into a terminal is read from the first."""
    pty = pytest.importorskip("pty")
    ends = pty.openpty()
    yield ends
    for end in ends:
        with contextlib.suppress(OSError):  # the test has closed it
            os.close(end)


def read(end):
    """What is there by now, at least one byte; b"" when nobody can write any more."""
    select.select([end], [], [], 60)
    try:
        return os.read(end, 65536)
    except OSError:     # Linux says so when the other end is closed
        return b""


def test_a_terminal_shows_the_same(terminal):
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    outside, inside = terminal
    process = subprocess.Popen([*COMMAND, "demo"], stdin=subprocess.DEVNULL, stdout=inside, env=environment)
    os.close(inside)
    shown = b""
    while data := read(outside):
        shown += data
    assert process.wait() == 0
    piped = subprocess.run([*COMMAND, "demo"], capture_output=True, env=environment, check=True).stdout
    assert without_times(shown.decode("utf-8").replace("\r\n", "\n")) == without_times(piped.decode("utf-8"))


def test_a_terminal_is_given_time(monkeypatch, capsys, pauses):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert cli.main(["demo"]) == 0
    assert len(pauses) > 60
    assert 3 < sum(pauses) < 9


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent in another way there")
def test_ctrl_c_ends_it(terminal):
    outside, inside = terminal
    # A shell that runs the tests in the background has them ignore Ctrl-C, and the child would inherit that.
    process = subprocess.Popen([*COMMAND, "demo"], stdin=subprocess.DEVNULL, stdout=inside, stderr=subprocess.PIPE,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    read(outside)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert errors.strip() == b"interrupted"
    assert process.returncode == 130


def test_ctrl_c_in_a_training_ends_it(monkeypatch, capsys):
    class Interrupted:
        stop_reason = "interrupted"     # what fit returns after Ctrl-C

    monkeypatch.setattr(demo.Network, "fit", lambda *arguments, **options: Interrupted())
    assert cli.main(["demo"]) == 130
    assert capsys.readouterr().err.strip() == "interrupted"


@pytest.mark.skipif(os.name != "posix", reason="a pipe without a reader is another error there")
@pytest.mark.parametrize("command", ["demo", "demo worked", "info", ""])
def test_a_reader_that_leaves_is_no_error(command):
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run([*COMMAND, *command.split()], stdout=writer, stderr=subprocess.PIPE,
                            env={**os.environ, "PYTHONUNBUFFERED": ""})     # what is written breaks when it is flushed
    os.close(writer)
    assert result.stderr == b""
    assert result.returncode == 1


@pytest.mark.skipif(os.name != "posix", reason="there is no sh")
def test_head():
    result = subprocess.run(f"{sys.executable} -m fastbp demo | head -3", shell=True, capture_output=True)
    assert len(result.stdout.splitlines()) == 3
    assert result.stderr == b""
