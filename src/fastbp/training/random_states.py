"""The states of NumPy's generators as plain numbers, and complete checks of those that a file holds.

NumPy does not check a state: with a position far outside of its table it reads other memory, and from some states it
gives the same number for ever.
"""

import numpy as np

from fastbp.io import FormatError

# Each number of a state must be below the one that stands in its place.
WORD, LONG, WIDE = 2**32, 2**64, 2**128
HALF = {"has_uint32": 2, "uinteger": WORD}      # of a number of 64 bits, kept for the next draw of 32
FORMS = {
    "PCG64": {"state": {"state": WIDE, "inc": WIDE}, **HALF},
    "PCG64DXSM": {"state": {"state": WIDE, "inc": WIDE}, **HALF},
    "MT19937": {"state": {"key": [WORD] * 624, "pos": 625}},
    "Philox": {"state": {"counter": [LONG] * 4, "key": [LONG] * 2}, "buffer": [LONG] * 4, "buffer_pos": 5, **HALF},
    "SFC64": {"state": {"state": [LONG] * 4}, **HALF},
}


def state_of(rng):
    """The state of a generator in numbers, lists and dicts."""
    name(rng)
    return plain(rng.bit_generator.state)


def generator_at(rng, state):
    """A generator of this one's kind in the given state."""
    if state["bit_generator"] != name(rng):
        raise ValueError(f"resume: the checkpoint has the random state of {state['bit_generator']}, which does not fit "
                         f"seed, a generator with {name(rng)}")
    bit_generator = type(rng.bit_generator)()
    bit_generator.state = state
    return np.random.Generator(bit_generator)


def name(rng):
    """The name of its bit generator, which must be one whose states can be checked."""
    kind = type(rng.bit_generator)
    if kind is not getattr(np.random, kind.__name__, None) or kind.__name__ not in FORMS:
        raise ValueError(f"with checkpoint or resume, seed must be a generator with one of {', '.join(FORMS)}, got "
                         f"one with {kind.__name__}")
    return kind.__name__


def plain(value):
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def check(argument, state):
    """Refuse a state that no generator of NumPy's can reach."""
    kind = state.get("bit_generator")
    if kind not in tuple(FORMS):    # a tuple, because the kind may be unhashable
        raise FormatError(f"{argument} must be the state of one of {', '.join(FORMS)}, got {kind!r:.80}")
    if not fits(state, {**FORMS[kind], "bit_generator": kind}):
        raise FormatError(f"{argument} must hold the numbers of a state of {kind}, got {state!r:.200}")
    if kind.startswith("PCG") and state["state"]["inc"] % 2 == 0:
        raise FormatError(f"{argument}: inc must be odd in a state of {kind}, got {state['state']['inc']}")
    if kind == "Philox" and state["buffer_pos"] == 0:
        raise FormatError(f"{argument}: buffer_pos must be from 1 to 4 in a state of Philox, got 0")
    # Of the first word only the highest bit counts.
    if kind == "MT19937" and state["state"]["key"][0] < 2**31 and not any(state["state"]["key"][1:]):
        raise FormatError(f"{argument}: key must not be zero in a state of {kind}, from which only zeros follow")


def fits(value, form):
    if isinstance(form, dict):
        return isinstance(value, dict) and value.keys() == form.keys() and all(
            fits(value[key], form[key]) for key in form)
    if isinstance(form, list):
        return isinstance(value, list) and len(value) == len(form) and all(map(fits, value, form))
    if isinstance(form, str):
        return value == form
    return type(value) is int and 0 <= value < form     # isinstance() would take True for an int
