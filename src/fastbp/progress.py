"""What `fit` prints while it trains."""

import sys
import time


def make(verbose, epochs):
    """What `verbose` asks for, or None."""
    if not isinstance(verbose, str):
        return Lines(epochs) if verbose else None
    if verbose != "tqdm":
        raise ValueError(f'verbose must be True, False or "tqdm", got {verbose!r}')
    try:
        from tqdm.auto import tqdm
    except ImportError:
        raise ImportError('verbose="tqdm" needs tqdm: pip install "fastbp[progress]"') from None
    return Bar(tqdm, epochs)


class Lines:
    """A line that is rewritten on a terminal, else ten lines in all."""

    def __init__(self, epochs):
        self.epochs = epochs
        self.terminal = sys.stdout.isatty()
        self.next = 0.0
        self.width = 0

    def start(self, done):
        """Training begins, and `done` epochs are behind it."""
        self.done, self.started, self.samples = done, time.perf_counter(), 0
        if not self.terminal:
            self.next = done + (self.epochs - done) / 10

    def show(self, epoch, samples, error, rms, validation):
        """`epoch` epochs are done; the last went through so many samples."""
        now = time.perf_counter()
        self.samples += samples
        if epoch < self.epochs and (now if self.terminal else epoch) < self.next:
            return
        self.next = now + 0.1 if self.terminal else epoch + (self.epochs - self.done) / 10
        seconds = now - self.started
        left = seconds / (epoch - self.done) * (self.epochs - epoch)
        line = f"epoch {epoch}/{self.epochs}  {figures(error, rms, validation)}"
        line += f"  {self.samples / seconds:,.0f} samples/s"
        line += f"  {clock(left)} left" if epoch < self.epochs else ""
        self.width = max(self.width, len(line))  # a shorter line must cover the longer one before it
        print(f"\r{line:<{self.width}}" if self.terminal else line, end="" if self.terminal else "\n", flush=True)

    def end(self):
        if self.terminal and self.width:
            print()


class Bar:
    """The same with tqdm, which counts the epochs and the time."""

    def __init__(self, tqdm, epochs):
        self.tqdm, self.epochs, self.bar = tqdm, epochs, None

    def start(self, done):
        self.bar = self.tqdm(total=self.epochs, initial=done, unit="epoch")

    def show(self, epoch, samples, error, rms, validation):
        self.bar.set_postfix_str(figures(error, rms, validation), refresh=False)
        self.bar.update()

    def end(self):
        if self.bar is not None:
            self.bar.close()


def figures(error, rms, validation):
    return f"E {error:.6g}  RMS {rms:.6f}" + (f"  validation E {validation:.6g}" if validation is not None else "")


def clock(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
