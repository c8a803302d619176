"""What `fit` prints while it trains."""

import sys
import time

from fastbp._checks import one_of


def make(verbose, epochs):
    """What `verbose` asks for, or None."""
    if not isinstance(verbose, str):
        return Lines(epochs) if verbose else None
    one_of("verbose", verbose, ("tqdm",), "True, False")
    try:
        from tqdm.auto import tqdm
    except ImportError:
        raise ImportError('verbose="tqdm" needs tqdm: pip install "fastbp[progress]"') from None
    return Bar(tqdm, epochs)


class Lines:
    """A line that is rewritten on a terminal, else ten lines in all."""

    def __init__(self, epochs):
        self.epochs = epochs
        self.terminal = sys.stdout is not None and sys.stdout.isatty()    # there is none under pythonw
        self.next = 0.0
        self.width = 0

    def start(self, run):
        """Training begins."""
        self.run, self.done, self.started, self.samples = run, run.done, time.perf_counter(), 0
        if not self.terminal:
            self.next = self.done + (self.epochs - self.done) / 10

    def on_epoch(self, state):
        epoch, now = state.epoch + 1, time.perf_counter()
        self.samples += self.run.source.terms // self.run.net.n_outputs
        if epoch < self.epochs and (now if self.terminal else epoch) < self.next:
            return
        self.next = now + 0.1 if self.terminal else epoch + (self.epochs - self.done) / 10
        seconds = now - self.started
        line = f"epoch {epoch}/{self.epochs}  {figures(state)}  {self.samples / seconds:,.0f} samples/s"
        if epoch < self.epochs:
            line += f"  {clock(seconds / (epoch - self.done) * (self.epochs - epoch))} left"
        self.width = max(self.width, len(line))  # a shorter line must cover the longer one before it
        print(f"\r{line:<{self.width}}" if self.terminal else line, end="" if self.terminal else "\n", flush=True)

    def end(self):
        if self.terminal and self.width:
            print()


class Bar:
    """The same with tqdm, which counts the epochs and the time."""

    def __init__(self, tqdm, epochs):
        self.tqdm, self.epochs, self.bar = tqdm, epochs, None

    def start(self, run):
        self.done = run.done
        self.bar = self.tqdm(total=self.epochs, initial=self.done, unit="epoch")

    def on_epoch(self, state):
        self.bar.set_postfix_str(figures(state), refresh=False)
        self.bar.update(state.epoch + 1 - self.done)    # a population has done many epochs at once
        self.done = state.epoch + 1

    def end(self):
        if self.bar is not None:
            self.bar.close()


def figures(state):
    validation = f"  validation E {state.validation_error:.6g}" if state.validation_error is not None else ""
    return f"E {state.error:.6g}  RMS {state.rms:.6f}{validation}"


def clock(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
