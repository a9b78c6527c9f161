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


def rouge_lsum(prediction: str, truth: str) -> float:
    """F1 of the union of longest common subsequences of each true line with all lines said."""
    said, meant = ([words for line in text.split("\n") if (words := tokens(line))] for text in (prediction, truth))
    left = [Counter(word for line in lines for word in line) for lines in (said, meant)]
    total = [counts.total() for counts in left]
    hits = 0
    for line in meant:
        for place in sorted(set().union(*(_places(line, other) for other in said))) if said else ():
            word = line[place]
            if left[0][word] > 0 and left[1][word] > 0:
                hits += 1
                left[0][word] -= 1
                left[1][word] -= 1
    precision, recall = hits / max(total[0], 1), hits / max(total[1], 1)
    return 2 * precision * recall / (precision + recall) if hits else 0.0


def _places(line: Sequence[str], other: Sequence[str]) -> list[int]:
    """Places in a line of its longest common subsequence with another; of equals the one that `rouge_score` takes."""
    table = [[0] * (len(other) + 1) for _ in range(len(line) + 1)]
    for i, a in enumerate(line, 1):
        row, above = table[i], table[i - 1]
        for j, b in enumerate(other, 1):
            row[j] = above[j - 1] + 1 if a == b else max(above[j], row[j - 1])
    found, i, j = [], len(line), len(other)
    while i and j:
        if line[i - 1] == other[j - 1]:
            found.append(i - 1)
            i, j = i - 1, j - 1
        elif table[i][j - 1] > table[i - 1][j]:
            j -= 1
        else:
            i -= 1
    return found
