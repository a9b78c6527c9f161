"""Figures for gradual summaries and their expansion, as named for LCFO: word ratio, overlap and repetition of n-grams.

The set's authors released no scorer. The names are those that the same group prints elsewhere; the formulas are ours. (Their
large_concept_model code, MIT, differs: it takes n-grams of 1 to 4 words at once, divides the overlap by those of the source,
and gives repetition as total over distinct less one.) Words are runs of a-z and 0-9 in lower case.
"""

from __future__ import annotations

from leadline.scoring.rouge_scores import tokens


def word_ratio(text: str, source_words: int) -> float:
    """WR: words of a text over those of its source."""
    return len(text.split()) / source_words if source_words else 0.0


def length_error(text: str, target: int) -> float:
    """How far a text's words are from the number asked for, over that number."""
    return abs(len(text.split()) - target) / target


def _grams(text: str, n: int) -> list[tuple[str, ...]]:
    words = tokens(text)
    return list(zip(*(words[i:] for i in range(n)), strict=False))


def overlap(text: str, source: str, n: int = 3) -> float:
    """OVL: share of a text's different n-grams that the source has too; 0 for a text without any."""
    said = set(_grams(text, n))
    return len(said & set(_grams(source, n))) / len(said) if said else 0.0


def repetition(text: str, n: int = 4) -> float:
    """REP: share of a text's n-grams that repeat an earlier one; 0 for a text without any."""
    grams = _grams(text, n)
    return 1 - len(set(grams)) / len(grams) if grams else 0.0
