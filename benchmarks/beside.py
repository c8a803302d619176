"""`fit` beside a thread that predicts a sample every millisecond: ``python benchmarks/beside.py``.

The network and the mini-batches are those of W3. What the machine itself adds is shown by a twin of the network that
nobody trains, predicted with beside the same `fit`. Exits with 1 where `fit` takes more than 1.1 times as long as alone
and the predictions' own time, or where one prediction of a thousand waits for more than 200 us.
"""

import sys
import threading
from statistics import median
from time import perf_counter, sleep

import numpy as np

from fastbp.bench import named, peers

peers.one_thread()

from fastbp.bench.peers import fastbp_  # noqa: E402

EPOCHS, TURNS, PERIOD = 200, 30, 1e-3
SLOWDOWN, LATENCY = 1.1, 200e-6
(WORKLOAD,) = named(["W3 8-32-32-1 f32 momentum"])


def fit(net, X, T):
    """Seconds of a training."""
    optimizer = fastbp_.optimizer(WORKLOAD)
    started = perf_counter()
    net.fit(X, T, epochs=EPOCHS, batch_size=WORKLOAD.batch, optimizer=optimizer, shuffle=True)
    return perf_counter() - started


def fit_beside(predicts, net, X, T):
    """Seconds of a training of `net`, and of each prediction by `predicts` meanwhile."""
    waits, over, x = [], threading.Event(), X[0].copy()

    def predict_every_millisecond():
        while not over.is_set():
            sleep(PERIOD)
            started = perf_counter()
            predicts.predict(x)
            waits.append(perf_counter() - started)

    thread = threading.Thread(target=predict_every_millisecond)
    thread.start()
    try:
        return fit(net, X, T), waits
    finally:
        over.set()
        thread.join()


def alone(net, x, repeats=10_000):
    """Median seconds of a prediction that nobody is beside."""
    seconds = []
    for _ in range(repeats):
        started = perf_counter()
        net.predict(x)
        seconds.append(perf_counter() - started)
    return median(seconds)


def main():
    layers, X, T = WORKLOAD.problem()
    net, twin = (fastbp_.network(WORKLOAD, layers) for _ in range(2))
    fit(net, X, T)
    own = alone(net, X[0].copy())
    fits = {"alone": [], "beside predictions": [], "beside predictions by a twin": []}
    waits = {"by the network itself": [], "by a twin": []}
    for _ in range(TURNS):
        fits["alone"].append(fit(net, X, T))
        for predicts, which, whose in ((net, "beside predictions", "by the network itself"),
                                       (twin, "beside predictions by a twin", "by a twin")):
            seconds, these = fit_beside(predicts, net, X, T)
            fits[which].append(seconds)
            waits[whose] += these
    best = {which: min(seconds) for which, seconds in fits.items()}
    for which, seconds in fits.items():
        print(f"fit of {EPOCHS} epochs {which:<30}{best[which] * 1e3:9.1f} ms, median {median(seconds) * 1e3:9.1f} ms")
    print(f"a prediction alone {own * 1e6:.2f} us")
    for whose, seconds in waits.items():
        percents = "".join(f"   {p} %: {np.percentile(seconds, p) * 1e6:7.1f} us" for p in (50, 99, 99.9))
        print(f"{len(seconds)} predictions {whose:<24}{percents}")
    allowed = SLOWDOWN * best["alone"] + own * best["beside predictions"] / PERIOD
    slow, late = best["beside predictions"] > allowed, np.percentile(waits["by the network itself"], 99.9) > LATENCY
    print(f"{best['beside predictions'] / best['alone']:.3f} times as long as alone{'  TOO SLOW' * bool(slow)}"
          f"{'  TOO LATE' * bool(late)}")
    return int(slow or late)


if __name__ == "__main__":
    sys.exit(main())
