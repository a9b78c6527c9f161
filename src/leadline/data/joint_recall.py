"""Joint recall as sequences of tokens, for training: values of keys that depend on a context, told once and asked once.

Zhan, Zhao, Zhu, Tang 2025, arXiv:2507.00449 (DeepGraphLearning/HAX, no licence file). A table of contexts by keys, values
drawn with replacement; the sequence is begin, the table, separator, the table again in another order. Knows nothing of models.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from leadline.nouns import UserError

BEGIN, PAD, SEPARATOR = 1, 3, 4
FIRST = 10
"""Token of value 0; keys come behind the values, contexts behind the keys, 16 places each by default."""


def table(contexts: int, keys: int, values: int, rng: random.Random) -> list[list[int]]:
    """Values of keys, one row a context."""
    return [[rng.randrange(values) for _ in range(keys)] for _ in range(contexts)]


def sequence(
    values: Sequence[Sequence[int]], rng: random.Random, *, places: int = 16, length: int | None = None
) -> tuple[list[int], list[int]]:
    """Inputs and mask of a table; the mask is 1 where the next token is to be recalled: at the keys of the second half.

    Args:
        values: of the keys, one row a context; below `places`.
        rng: orders contexts, and keys in each, anew in each half.
        places: tokens kept for values, and as many for keys and for contexts.
        length: pad to so many tokens.
    """
    inputs, mask = [BEGIN], [0]
    for asked in (0, 1):
        for c in rng.sample(range(len(values)), len(values)):
            inputs.append(FIRST + 2 * places + c)
            mask.append(0)
            for k in rng.sample(range(len(values[c])), len(values[c])):
                inputs += [FIRST + places + k, FIRST + values[c][k]]
                mask += [asked, 0]
        if not asked:
            inputs.append(SEPARATOR)
            mask.append(0)
    room = 0 if length is None else length - len(inputs)
    return inputs + [PAD] * room, mask + [0] * room


def sequences(n: int, contexts: int, keys: int, seed: int = 0, values: int = 16) -> Iterator[tuple[list[int], list[int]]]:
    """The first n different sequences of a size; train, validation and test are cut from one stream and so share none.

    Raises:
        UserError: there seem to be fewer: a thousand in a row were there before.
    """
    rng, seen = random.Random(f"joint-recall/{seed}/{contexts}/{keys}/{values}"), set[tuple[int, ...]]()
    again = 0
    while len(seen) < n:
        one = sequence(table(contexts, keys, values, rng), rng, places=max(16, values, contexts, keys))
        if (name := tuple(one[0])) not in seen:
            seen.add(name)
            again = 0
            yield one
        elif (again := again + 1) > 1000:
            raise UserError(f"a table of {contexts} by {keys} has about {len(seen)} different sequences; {n} were asked for")
