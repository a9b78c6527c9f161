"""Joint recall's sequences as published: ids, masks, lengths, and no two alike."""

import random

import pytest

from leadline.data.joint_recall import sequence, sequences, table
from leadline.nouns import UserError


def test_a_small_table_by_hand():
    inputs, mask = sequence([[3, 7], [7, 3]], random.Random(0), length=30)
    assert len(inputs) == len(mask) == 30
    assert inputs[0] == 1 and inputs[11] == 4 and inputs[22:] == [3] * 8
    for half, asked in ((inputs[1:11], 0), (inputs[12:22], 1)):
        found = {}
        for at in (0, 5):
            context, *rest = half[at : at + 5]
            found |= {(context - 42, rest[i] - 26): rest[i + 1] - 10 for i in (0, 2)}
        assert found == {(0, 0): 3, (0, 1): 7, (1, 0): 7, (1, 1): 3}
        assert sum(mask[1:11] if not asked else mask[12:22]) == 4 * asked
    assert all(26 <= t < 42 for t, m in zip(inputs, mask, strict=True) if m), "asked at the keys"


def test_sizes():
    for contexts, keys in ((5, 5), (16, 16), (1, 3)):
        inputs, mask = next(sequences(1, contexts, keys, seed=1))
        assert len(inputs) == 2 * contexts * (2 * keys + 1) + 2 and sum(mask) == contexts * keys
    assert 2 * 16 * 33 + 2 == 1058


def test_sequences_differ_and_are_stable():
    with pytest.raises(UserError, match="about 16 different"):
        list(sequences(20, 1, 1))
    found = [tuple(i) for i, _ in sequences(300, 3, 3, seed=3)]
    assert len(set(found)) == 300
    assert found[:50] == [tuple(i) for i, _ in sequences(50, 3, 3, seed=3)]
    assert found[:50] != [tuple(i) for i, _ in sequences(50, 3, 3, seed=4)]


def test_readers():
    """One that ignores contexts is right no more often than the key's commonest value; the full reader always."""
    rng, blind, full, last, asked = random.Random(5), 0, 0, 0, 0
    for _ in range(200):
        values = table(6, 6, 16, rng)
        inputs, mask = sequence(values, rng)
        told, context, seen = {}, None, {}
        for i, token in enumerate(inputs[:-1]):
            if token >= 42:
                context = token
            elif token >= 26:
                if mask[i]:
                    asked += 1
                    full += told[context, token] == inputs[i + 1]
                    blind += seen[token] == inputs[i + 1]
                    last += inputs[i - 1] == inputs[i + 1]
                else:
                    told[context, token] = seen[token] = inputs[i + 1]
    assert full == asked == 200 * 36
    assert 0.15 < blind / asked < 0.29 and last / asked < 0.1
