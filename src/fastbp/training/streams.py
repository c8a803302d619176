"""Random numbers for each network of a population, of which there are too many for a Generator each."""

import numpy as np

from fastbp._checks import came


def is_one_each(seed):
    """Whether it is a sequence of seeds and not one for all."""
    return hasattr(seed, "__len__") and not isinstance(seed, (str, bytes))


def generator(argument, seed):
    """The generator that a seed stands for."""
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{argument} must be None, a non-negative integer, a numpy.random.Generator or a sequence of "
                          f"one integer for each network, got {came(seed)}") from None


def seed_of_each(argument, seed, n):
    """The seeds that a sequence of them holds, checked."""
    seeds = list(seed)
    if len(seeds) != n:
        raise ValueError(f"{argument} must hold one seed for each of the {n} networks, got {len(seeds)}")
    for i, one in enumerate(seeds):
        if not isinstance(one, (int, np.integer)) or isinstance(one, bool) or one < 0:
            raise TypeError(f"{argument}[{i}] must be a non-negative integer, got {came(one)}")
    return seeds


def streams(argument, seed, n):
    """The number by which each network's stream of random numbers begins (random.h), as uint64.

    With one seed for all, network i has word i of the seed's ``numpy.random.SeedSequence``, whatever n is; with one
    seed each, it has word 0 of its own.
    """
    if is_one_each(seed):
        return np.array([np.random.SeedSequence(one).generate_state(1, np.uint64)[0]
                         for one in seed_of_each(argument, seed, n)], np.uint64)
    if seed is None or isinstance(seed, np.random.Generator):
        seed = int(generator(argument, seed).integers(2**63))
    else:
        generator(argument, seed)       # refuses what is no seed
    return np.random.SeedSequence(seed).generate_state(n, np.uint64)


def uniforms(argument, seed, n, length):
    """Numbers from 0 to 1, a row of this length for each network: row i does not depend on n."""
    if is_one_each(seed):
        return np.array([np.random.default_rng(one).random(length) for one in seed_of_each(argument, seed, n)])
    return generator(argument, seed).random((n, length))
