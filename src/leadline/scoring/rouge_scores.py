"""ROUGE as the `rouge_score` package computes it, without its stemmer: L-Eval's and others' (0.1.2).

Words are runs of a-z and 0-9 in lower case, so that only English is scored. Not the ROUGE of PyPI `rouge` (`words.rouge_l`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence


def tokens(text: str) -> list[str]:
    """The words that count."""
    return re.findall(r"[a-z0-9]+", text.lower())


def _f(same: int, said: int, meant: int) -> float:
    precision, recall = same / max(said, 1), same / max(meant, 1)
    return 2 * precision * recall / (precision + recall) if same else 0.0


def rouge_n(prediction: str, truth: str, n: int) -> float:
    """F1 of two bags of n-grams."""
    said, meant = (Counter(zip(*(words[i:] for i in range(n)), strict=False)) for words in (tokens(prediction), tokens(truth)))
    return _f((said & meant).total(), said.total(), meant.total())


def rouge_l(prediction: str, truth: str) -> float:
    """F1 of the longest common subsequence of two whole texts, line breaks or not."""
    said, meant = tokens(prediction), tokens(truth)
    return _f(common(meant, said), len(said), len(meant))


def common(a: Sequence[str], b: Sequence[str]) -> int:
    """Length of the longest common subsequence; a row of the table is one integer (Hyyro 2004)."""
    places: dict[str, int] = {}
    for i, word in enumerate(a):
        places[word] = places.get(word, 0) | 1 << i
    whole = row = (1 << len(a)) - 1
    for word in b:
        hit = row & places.get(word, 0)
        row = ((row + hit) | (row - hit)) & whole
    return len(a) - row.bit_count()
