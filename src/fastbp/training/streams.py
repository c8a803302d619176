"""Random numbers for each network of a population, of which there are too many for a Generator each."""

from collections.abc import Sequence

import numpy as np

from fastbp._checks import came


class SeedOfEach:
    """The seeds of a population's networks, of which each `fit` without a seed of its own takes new streams."""

    def __init__(self, seeds):
        self.seeds, self.fits = seeds, 0

    def next_fit(self):
        """A SeedSequence for each network, of which no other call has one."""
        self.fits += 1
        return [np.random.SeedSequence(seed, spawn_key=(self.fits - 1,)) for seed in self.seeds]


def is_one_each(seed):
    """Whether it is a sequence of seeds and not one for all."""
    return getattr(seed, "ndim", isinstance(seed, Sequence) and not isinstance(seed, (str, bytes))) > 0


def of_population(seed, n):
    """What a population draws from: a Generator, or seeds of its networks."""
    return SeedOfEach(seed_of_each(seed, n)) if is_one_each(seed) else generator(seed)


def of_fit(seed, n):
    """What the orders of one `fit` follow from: SeedSequences of the networks, one SeedSequence, or a Generator.

    It is checked here, and nothing is drawn yet.
    """
    if is_one_each(seed):
        return [np.random.SeedSequence(one) for one in seed_of_each(seed, n)]
    if isinstance(seed, np.random.SeedSequence):
        return seed
    return np.random.SeedSequence(seed) if isinstance(seed, (int, np.integer)) and seed >= 0 else generator(seed)


def generator(seed):
    """The generator that a seed stands for."""
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError) as error:
        raise type(error)("seed must be None, a non-negative integer, a numpy.random.Generator or a sequence of one "
                          f"integer for each network, got {came(seed)}") from None


def seed_of_each(seed, n):
    """The seeds that a sequence of them holds, checked."""
    seeds = list(seed)
    if len(seeds) != n:
        raise ValueError(f"seed must hold one seed for each of the {n} networks, got {len(seeds)}")
    for i, one in enumerate(seeds):
        if not isinstance(one, (int, np.integer)) or isinstance(one, bool):
            raise TypeError(f"seed[{i}] must be a non-negative integer, got {came(one)}")
        if one < 0:
            raise ValueError(f"seed[{i}] must be a non-negative integer, got {came(one)}")
    return seeds


def streams(source, n):
    """The number by which each network's stream of random numbers begins (random.h), as uint64.

    With one seed for all, network i has word i of the seed's ``numpy.random.SeedSequence``, whatever n is; with one
    seed each, it has word 0 of its own.
    """
    if isinstance(source, SeedOfEach):
        source = source.next_fit()
    if isinstance(source, list):
        return np.array([one.generate_state(1, np.uint64)[0] for one in source], np.uint64)
    if isinstance(source, np.random.Generator):
        source = np.random.SeedSequence(int(source.integers(2**63)))
    return source.generate_state(n, np.uint64)


def uniforms(source, n, length):
    """Numbers from 0 to 1 for a population, a row of this length for each network: row i does not depend on n."""
    if isinstance(source, SeedOfEach):
        return np.array([np.random.default_rng(seed).random(length) for seed in source.seeds])
    return source.random((n, length))
