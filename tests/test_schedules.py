"""Learning rates epoch by epoch: the schedules, functions and objects of one's own, and what `fit` does with them."""

import decimal
import fractions
import math
import sys

import numpy as np
import pytest
from training_problem import network

import fastbp
from fastbp import schedules
from fastbp.training.rates import Rates, next_factor


def rates(schedule, epochs, errors=None):
    """The factors of so many epochs; `errors` are those of training."""
    factors = schedules.factors(schedule, epochs)
    return [next_factor(factors, errors[epoch - 1] if epoch and errors else None) for epoch in range(epochs)]


SCHEDULES = [
    (None, [1, 1, 1]),
    ("constant", [1, 1, 1]),
    ("invscaling", [1, 1 / math.sqrt(2), 1 / math.sqrt(3), 1 / 2]),
    (schedules.InvScaling(power=2), [1, 1 / 4, 1 / 9]),
    ("step", [1] * 10 + [0.5] * 10 + [0.25]),
    (schedules.Step(every=2, factor=3.0), [1, 1, 3, 3, 9]),
    ("cosine", [1, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2]),
    (schedules.Cosine(final=0.5), [1, 0.75]),
    ("warmup", [0.2, 0.4, 0.6, 0.8, 1, 1, 1]),
    (schedules.Warmup(2, then="step"), [0.5, 1] + [1] * 10 + [0.5]),
    (schedules.Warmup(2, then=schedules.Cosine()), [0.5, 1, 1, 0.5]),
    (lambda epoch: epoch + 1, [1, 2, 3]),
    (schedules.Warmup(1, then=lambda epoch: epoch + 1), [1, 1, 2, 3]),
]


@pytest.mark.parametrize(("schedule", "expected"), SCHEDULES, ids=lambda value: str(value).partition(" at ")[0][:30])
def test_schedule(schedule, expected):
    np.testing.assert_allclose(rates(schedule, len(expected)), expected, rtol=1e-12)


def test_adaptive():
    schedule = schedules.Adaptive(factor=0.5, patience=2, tol=0.1, minimum=0.2)
    #         improves, by too little, by too little -> halved, improves, not, not -> halved, not, not -> the minimum
    errors = [5.0, 4.0, 3.95, 3.9, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0]
    expected = [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2]
    assert rates(schedule, len(errors), errors) == expected
    # What counts is the least error so far, not the one before.
    assert rates(schedule, 4, [1.0, 9.0, 8.0, 0.0]) == [1, 1, 1, 0.5]


def test_schedule_sets_the_rate_and_gives_it_back(data):
    net, by_hand = network(), network()
    optimizer = fastbp.SGD(0.2)
    history = net.fit(*data, epochs=3, optimizer=optimizer, shuffle=False, schedule=schedules.Step(every=1))
    assert history.learning_rate.tolist() == [0.2, 0.1, 0.05]
    assert optimizer.learning_rate == 0.2
    for rate in (0.2, 0.1, 0.05):
        by_hand.fit(*data, epochs=1, learning_rate=rate, shuffle=False)
    np.testing.assert_array_equal(net.params, by_hand.params)


@pytest.mark.parametrize("options", [{}, {"validation_fraction": 0.4}], ids=str)
def test_schedule_is_told_the_error_of_the_epoch_before(data, options):
    told = []

    class Listener:
        def factors(self, epochs):
            for _ in range(epochs):
                told.append((yield 1.0))

    history = network().fit(*data, epochs=4, schedule=Listener(), **options)
    assert told == history.error[:3].tolist()


def test_rate_is_given_back_after_an_error(data):
    optimizer = fastbp.SGD(0.2)
    net, params = network(), []

    def schedule(epoch):
        params.append(net.params)
        return [1.0, 0.5, 0.0][epoch]

    with pytest.raises(ValueError, match=r"schedule.*epoch 2.*0\.0"):
        net.fit(*data, epochs=5, optimizer=optimizer, schedule=schedule)
    assert optimizer.learning_rate == 0.2
    np.testing.assert_array_equal(net.params, params[2])


class Factors:
    """A schedule object that gives what it is told to, in one of the forms that factors may have."""

    def __init__(self, form, factors):
        self.form, self.given = form, factors

    def factors(self, epochs):
        return self.form(self.given)


def generator(factors):
    yield from factors


def refused_by_schedule(error, match, data, schedule, *, epochs_done, dtype="float64", learning_rate=0.2):
    """The error comes before the epoch that it names; rate and parameters are those of the epoch before."""
    net, same, optimizer = network(dtype=dtype), network(dtype=dtype), fastbp.SGD(learning_rate)
    with pytest.raises(error, match=match):
        net.fit(*data, epochs=4, optimizer=optimizer, schedule=schedule)
    assert optimizer.learning_rate == learning_rate
    if epochs_done:
        same.fit(*data, epochs=epochs_done, learning_rate=learning_rate)
    np.testing.assert_array_equal(net.params, same.params)


FORMS = [generator, list, iter, np.array, lambda factors: map(float, factors)]


@pytest.mark.parametrize("form", FORMS, ids=["generator", "list", "iterator", "array", "map"])
def test_forms_of_factors(data, form):
    optimizer = fastbp.SGD(0.2)
    for schedule in (Factors(form, [1.0, 0.5, 0.25]), schedules.Warmup(1, then=Factors(form, [0.5, 0.25]))):
        history = network().fit(*data, epochs=3, optimizer=optimizer, schedule=schedule)
        assert history.learning_rate.tolist() == [0.2, 0.1, 0.05]
    refused_by_schedule(ValueError, "schedule must give a factor for each of the 4 epochs, got 2", data,
                        Factors(form, [1.0, 1.0]), epochs_done=2)
    refused_by_schedule(ValueError, "schedule must give a factor for each of the 4 epochs, got 2", data,
                        schedules.Warmup(1, then=Factors(form, [1.0])), epochs_done=2)


@pytest.mark.parametrize("form", FORMS, ids=["generator", "list", "iterator", "array", "map"])
def test_factors_go_on_when_training_is_resumed(data, form, tmp_path):
    whole, resumed = network(), network()
    options = {"schedule": Factors(form, [1.0, 0.5, 0.25, 0.125]), "learning_rate": 0.2}
    whole.fit(*data, epochs=4, **options)
    network().fit(*data, epochs=4, checkpoint=tmp_path / "checkpoint", callbacks=lambda state: state.epoch == 1,
                  **options)
    history = resumed.fit(*data, epochs=4, resume=tmp_path / "checkpoint", **options)
    assert history.learning_rate.tolist() == [0.2, 0.1, 0.05, 0.025]
    np.testing.assert_array_equal(resumed.params, whole.params)


@pytest.mark.parametrize("given", [None, 0.5])
def test_factors_that_are_none(data, given):
    refused_by_schedule(TypeError, "schedule must have a method factors", data, Factors(lambda _: given, []),
                        epochs_done=0)


BAD_FACTORS = [0, 0.0, -0.5, math.nan, math.inf, -math.inf, 10**400, None, "0.5", b"1", 1j, [0.5], np.ones(2)]


@pytest.mark.parametrize("factor", BAD_FACTORS, ids=lambda factor: repr(factor)[:10])
@pytest.mark.parametrize("kind", ["function", "generator", "list", "warmup"])
def test_bad_factor_is_refused_in_its_epoch(data, factor, kind):
    factors = [1.0, 1.0, factor, 1.0]
    schedule = {
        "function": factors.__getitem__, "generator": Factors(generator, factors), "list": Factors(list, factors),
        "warmup": schedules.Warmup(1, then=lambda epoch: factors[epoch + 1]),
    }[kind]
    refused_by_schedule((ValueError, TypeError), "schedule: the factor of epoch 2 must be", data, schedule,
                        epochs_done=2)


@pytest.mark.parametrize("factor", [True, 1, np.float32(1), np.array(1.0), fractions.Fraction(1), decimal.Decimal(1)],
                         ids=repr)
def test_any_real_number_is_a_factor(data, factor):
    net, plain = network(), network()
    history = net.fit(*data, epochs=2, learning_rate=0.3, schedule=lambda epoch: factor)
    plain.fit(*data, epochs=2, learning_rate=0.3)
    assert history.learning_rate.tolist() == [0.3, 0.3]
    np.testing.assert_array_equal(net.params, plain.params)


@pytest.mark.parametrize(
    "schedule",
    [schedules.Step(every=1, factor=1e-200), schedules.InvScaling(power=2000), schedules.InvScaling(power=10**300),
     schedules.Adaptive(factor=1e-300, patience=1, tol=1e9, minimum=5e-324), lambda epoch: 5e-324],
    ids=["step", "invscaling", "integer", "adaptive", "function"],
)
def test_rate_that_underflows_is_the_least_normal_number(dtype, data, schedule):
    least, optimizer = float(np.finfo(dtype).tiny), fastbp.SGD(0.1)
    net = network(dtype=dtype)
    history = net.fit(*data, epochs=6, optimizer=optimizer, schedule=schedule)
    assert history.learning_rate.min() == history.learning_rate[-1] == least
    assert optimizer.learning_rate == 0.1
    # An epoch at such a rate changes nothing.
    assert history.error[-1] == pytest.approx(history.error[-2], rel=1e-6)


def test_cosine_ends_above_0(monkeypatch):
    # Where there are hundreds of millions of epochs, the cosine of the last one is -1.
    monkeypatch.setattr(schedules, "cos", lambda angle: -1.0)
    assert rates(schedules.Cosine(), 2) == [sys.float_info.min] * 2


@pytest.mark.parametrize(
    ("schedule", "dtype", "learning_rate"),
    [
        (schedules.Step(every=2, factor=1e200), "float64", 1e-300),     # epoch 2: 1e-100
        (lambda epoch: 1e39 if epoch == 2 else 1.0, "float32", 1.0),
        (lambda epoch: 1e308 if epoch == 2 else 1.0, "float64", 100.0),
        (lambda epoch: 10**38 * 10 if epoch == 2 else 1, "float32", 1.0),
    ],
)
def test_rate_that_overflows_names_schedule_epoch_and_factor(data, schedule, dtype, learning_rate):
    net, optimizer = network(dtype=dtype), fastbp.SGD(learning_rate)
    with pytest.raises(ValueError, match=r"schedule: the factor of epoch [24] must"):
        net.fit(*data, epochs=6, optimizer=optimizer, schedule=schedule)
    assert optimizer.learning_rate == learning_rate


def test_rate_may_be_the_largest_number(dtype):
    largest = float(np.finfo(dtype).max)
    assert Rates(lambda epoch: largest, fastbp.SGD(1.0), np.dtype(dtype), 1).next(0, None) == largest


def test_what_a_schedule_raises_goes_through(data):
    class Mine(Exception):
        pass

    def schedule(epoch):
        if epoch == 2:
            raise Mine("in epoch 2")
        return 1.0

    refused_by_schedule(Mine, "in epoch 2", data, schedule, epochs_done=2)


def test_without_a_schedule_the_rate_is_the_callers(data):
    class Slower:
        def on_epoch(self, state):
            state.optimizer.learning_rate /= 2

    history = network().fit(*data, epochs=3, learning_rate=0.4, callbacks=[Slower()])
    assert history.learning_rate.tolist() == [0.4, 0.2, 0.1]


def test_rprop_has_no_schedule(data):
    with pytest.raises(ValueError, match=r"schedule .*Rprop"):
        network().fit(*data, optimizer="rprop", schedule="step")
