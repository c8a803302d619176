"""The loaders on inputs that a fuzzer (fuzz_loaders.py) has found worth keeping, and on mutations of good ones."""

import random
from pathlib import Path

import pytest
from fuzz_loaders import CHECKPOINT, FILE, NETWORK, OTHERS, RAW, container, fit, hostile, one_input, seeds
from stress import times

import fastbp
from fastbp import io
from fastbp.training import checkpoint, random_states

CORPUS = sorted(Path(__file__).with_name("corpus").iterdir())
SEEDS, HOSTILE = dict(seeds()), dict(hostile())
# What stands in headers, to be put where it does not belong.
WORDS = [b"null", b"true", b"-1", b"0", b"1e999", b"NaN", b"18446744073709551616", b"[]", b"{}", b'""', b'"params"',
         b"[[[", b"\xff", b"\0", b'"float32"', b"1.5", b'["a"]', b"9" * 50]


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_corpus(path):
    one_input(path.read_bytes())


def test_seeds_are_accepted(monkeypatch):
    accepted, dumps = [], io.dumps
    monkeypatch.setattr(io, "dumps", lambda net: accepted.append(net) or dumps(net))
    for content in SEEDS.values():
        if content[0] in (NETWORK, RAW):
            one_input(content)
    assert len(accepted) >= 3


@pytest.mark.parametrize(("kind", "module", "reader"), [(kind, *other) for kind, other in enumerate(OTHERS, 3)])
def test_seeds_of_other_formats_are_accepted(module, reader, kind):
    bridge = pytest.importorskip(f"fastbp.interop.{module}", exc_type=ImportError)
    if module == "matlab":
        pytest.importorskip("scipy.io", reason="SciPy writes the seed")
    content = SEEDS[f"{module} {reader}"]
    assert content[0] == kind
    Path(FILE).write_bytes(content[1:])
    try:
        getattr(bridge, reader)(FILE)
    finally:
        Path(FILE).unlink()


@pytest.fixture
def file():
    yield Path(FILE)
    Path(FILE).unlink()


@pytest.mark.parametrize("generator", random_states.FORMS)
def test_checkpoints_among_the_seeds_are_resumed(file, generator):
    file.write_bytes(container(checkpoint.KIND, SEEDS[f"checkpoint {generator}"][1:]))
    _, history = fit(generator, epochs=4, resume=FILE)
    assert len(history) == 4


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_seeds_are_refused_for_the_state_of_their_generator(file, name):
    assert HOSTILE[name][0] == CHECKPOINT
    file.write_bytes(container(checkpoint.KIND, HOSTILE[name][1:]))
    with pytest.raises(fastbp.FormatError, match="header: random"):
        checkpoint.read(FILE)


@pytest.mark.parametrize("name", SEEDS)
@pytest.mark.filterwarnings("ignore")  # of NumPy, about the numbers that come out
def test_mutations(name):
    rng = random.Random(name)
    for _ in range(times(150)):
        data = bytearray(SEEDS[name])
        for _ in range(rng.choice([1, 1, 2, 4])):
            at = rng.randrange(len(data))
            stop = at + rng.choice([0, 1, 1, 4, 20])
            data[at:stop] = rng.choice([bytes([rng.randrange(256)]), rng.choice(WORDS), data[:rng.randrange(30)], b""])
        one_input(data)
