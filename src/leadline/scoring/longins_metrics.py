"""LongIns' scorer (Ins-Bench/LongIns-Bench, eval.py; no licence: written anew): F1 over the numbers that stand in brackets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any


def bracketed(reply: str) -> set[int]:
    """All whole numbers inside any [...] on one line, those inside quoted pairs too; signs and points part them."""
    return {int(number) for inner in re.findall(r"\[(.*?)\]", reply) for number in re.findall(r"\d+", inner)}


def f1(said: Iterable[int], wrong: Iterable[int]) -> float:
    """F1 of two sets of numbers; 0 where either is empty."""
    given, wanted = set(said), set(wrong)
    return 2 * len(given & wanted) / (len(given) + len(wanted)) if given and wanted else 0.0


def longins(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """F1 of the numbers in brackets with the numbers of the wrong pairs (the answers)."""
    return f1(bracketed(prediction), map(int, answers))


METRICS: dict[str, Callable[..., float]] = {"longins/f1": longins}
"""By the name that `leadline score --metric` takes."""
