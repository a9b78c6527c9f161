"""minnow's documents: as long as asked, answered by their own text, and nothing of the tests in them."""

import random
import re

import numpy as np
import pytest

pytest.importorskip("torch")

from leadline.data import phrasings
from leadline.training.data.minnow import BUILDERS, FIRST_WORLD, mixture
from leadline.training.data.reader import ANSWER, Reader
from leadline.training.recipes.minnow import FIRST, MAIN
from leadline.training.vocabulary import EOS, Encoder

COPIED = sorted(set(BUILDERS) - {"count", "retrieve", "stars", "few-shot", "copy", "summary"})


@pytest.fixture(scope="module")
def words():
    from leadline.models import __path__ as models

    tokenizers = pytest.importorskip("tokenizers")
    return Encoder(tokenizers.Tokenizer.from_file(f"{models[0]}/minnow_weights/tokenizer.json"))


@pytest.mark.parametrize("kind", sorted(BUILDERS))
@pytest.mark.parametrize("length", [256, 512])
def test_length(kind, length, words):
    reader, rng = Reader(words), random.Random(1)
    for _ in range(10):
        spans = BUILDERS[kind](reader, rng, length)
        size = 1 + sum(1 if text == EOS else reader.size(text) for text, _ in spans)
        assert 0.4 * length < size <= length + 1


@pytest.mark.parametrize("kind", COPIED)
def test_the_context_holds_the_answer(kind, words):
    reader, rng = Reader(words, bare=0, single=1), random.Random(2)
    for _ in range(20):
        (context, _), *_, (answer, weight) = [s for s in BUILDERS[kind](reader, rng, 512) if s[0] not in {"\n", EOS}]
        assert weight == ANSWER
        for part in answer.strip(" .").replace(" and ", ", ").split(", "):
            assert part in context


def test_unseen_wordings_stay_unseen(words):
    reader, rng = Reader(words), random.Random(3)
    draw = mixture(reader, MAIN)
    text = "\n".join(part for _ in range(400) for part, _ in draw(rng, 256)[1])
    for kind in phrasings.KINDS.values():
        for wording in (*kind.unseen_statements, *kind.unseen_questions):
            longest = max((p for p in re.split(r"\{\w+\}", wording)), key=len)
            assert longest not in text


def test_shares_are_of_known_kinds():
    for shares in (FIRST, MAIN):
        assert set(shares) <= set(BUILDERS)
        assert sum(shares.values()) == pytest.approx(1)
    assert FIRST_WORLD >= 1_000_000


def test_batch(words):
    reader = Reader(words)
    one, two = (reader.batch(random.Random(4), mixture(reader, MAIN), 4, 128, 300) for _ in range(2))
    assert one.ids.shape == (4, 128) and len(one.positions) == len(one.targets) == len(one.weights) == 300
    assert np.array_equal(one.ids, two.ids) and np.array_equal(one.weights, two.weights)
    flat, inner = one.ids.ravel(), one.positions % 128 < 127
    learnt = (one.weights > 0) & inner
    assert np.array_equal(flat[one.positions[learnt] + 1], one.targets[learnt])
    few = reader.batch(random.Random(4), mixture(reader, MAIN), 4, 128, 30)
    assert (few.weights == ANSWER).sum() == min(30, (one.weights == ANSWER).sum())
