"""Random formal regular expressions, and records that name them: noise for questions about one of many.

As in the pool of RegexPSPACE (arXiv:2510.09227): trees of a bounded depth over letters a to d, with `+` for union, `*` and
`?`. Knows nothing of what the expressions denote.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from leadline.data import prose
from leadline.data.noise import Source
from leadline.nouns import UserError

LETTERS = "abcd"
SINGLE = "Expression {key}: `{one}`"
PAIR = "Pair {key}: `{one}` and `{two}`"


def drawn(rng: random.Random, letters: Sequence[str] = LETTERS, depth: int = 3) -> str:
    """A random expression whose tree is at most so deep."""
    return _drawn(rng, letters, depth)[0]


def _drawn(rng: random.Random, letters: Sequence[str], depth: int) -> tuple[str, str]:
    """The text and its outermost operator; a letter has none."""
    pick = rng.random()
    if depth == 0 or pick < 0.08 * (4 - depth):
        return rng.choice(letters), ""
    if pick < 0.5:
        (left, outer), (right, outer2) = _drawn(rng, letters, depth - 1), _drawn(rng, letters, depth - 1)
        return (f"({left})" if outer == "+" else left) + (f"({right})" if outer2 == "+" else right), "."
    if pick < 0.75:
        left, right = _drawn(rng, letters, depth - 1)[0], _drawn(rng, letters, depth - 1)[0]
        return f"{left}+{right}", "+"
    inner, outer = _drawn(rng, letters, depth - 1)
    sign = "*" if pick < 0.9 else "?"
    return (f"({inner})" if outer in {"+", "."} else inner) + sign, sign


def record(rng: random.Random, key: str, kind: str) -> str:
    """A record that names one expression (`single`) or two over the same letters (`pair`)."""
    letters = rng.sample(LETTERS, rng.choice((2, 3, 3)))
    texts = list[str]()
    while len(texts) < 2:
        text = drawn(rng, letters)
        texts += [text] if len(text) > 4 else []
    return PAIR.format(key=key, one=texts[0], two=texts[1]) if kind == "pair" else SINGLE.format(key=key, one=texts[0])


def source(spec: str, seed: int, settings: Mapping[str, Any]) -> Source:
    """The noise `expressions(kind=single)` or `expressions(kind=pair)`.

    Raises:
        UserError: another setting or kind.
    """
    kind = settings.get("kind", "single")
    if set(settings) - {"kind"} or kind not in ("single", "pair"):
        raise UserError(f"noise {spec!r}: expressions take kind=single or kind=pair and nothing else")

    def take(n: int) -> list[str]:
        rng = random.Random(f"expressions/{kind}/{seed}")
        first = rng.randrange(1 << 20)
        return [record(rng, prose.key(first + i, seed), str(kind)) for i in range(n)]

    return Source(spec, "\n", take)
