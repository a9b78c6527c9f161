"""Alters a number in a question's document, so that who answers from memory is wrong.

The construction of Giraffe's AlteredNumericQA (Pal et al. 2023, arXiv:2308.10882, abacusai/Long-Context, Apache-2.0), for any
question with a number for an answer: the answer and all its occurrences become one other number. Knows nothing of tasks.
"""

from __future__ import annotations

import random
import re

YEARS = range(1000, 2101)
"""Numbers written without a comma that count as years; they move by at most ten, so that dates keep making sense."""
_NUMBER = re.compile(r"\d+(?:,\d{3})+|\d+")


def number(text: str) -> int | None:
    """The value of a text that is nothing but a whole number, with or without commas; None for any other."""
    text = text.strip()
    return int(text.replace(",", "")) if _NUMBER.fullmatch(text) else None


def occurrences(value: int) -> re.Pattern[str]:
    """Where a number stands for itself: with or without commas, not as a part of a longer number or of a decimal."""
    return re.compile(rf"(?<!\d)(?<!\d[.,])(?:{value}|{value:,})(?!\d)(?![.,]\d)")


def alter(document: str, question: str, answer: str, rng: random.Random) -> tuple[str, str, str] | None:
    """Document, question and answer with another number in the answer's place.

    Returns:
        None where the answer is no number, stands nowhere in the document, or has no other number to become.
    """
    old = number(answer)
    if old is None or not occurrences(old).search(document):
        return None
    digits = len(str(old))
    if old in YEARS and "," not in answer:
        pool = [n for n in range(old - 10, old + 11) if n != old]
    elif digits == 1:
        pool = [n for n in range(10) if n != old]
    else:
        low = 10 ** (digits - 1)
        pool = [n for n in (rng.randrange(low, 10 * low) for _ in range(64)) if n != old]
    rng.shuffle(pool)
    text = f"{document}\n{question}"
    new = next((n for n in pool if not occurrences(n).search(text)), None)
    if new is None:
        return None

    def written(match: re.Match[str]) -> str:
        return f"{new:,}" if "," in match[0] else str(new)

    changed = [occurrences(old).sub(written, text) for text in (document, question)]
    return changed[0], changed[1], f"{new:,}" if "," in answer else str(new)
