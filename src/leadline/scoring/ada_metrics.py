"""Ada-LEval's scorers, quirks and all (open-compass/Ada-LEval, ada_leval/dataset.py; no licence: written anew).

Each takes (prediction, answers, the row's extras as keywords) and gives 0 or 1; the benchmark prints their mean in percent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from itertools import permutations
from typing import Any

from leadline.nouns import UserError


def designation(prediction: str, num_choice: int) -> str | None:
    """The answer that the benchmark takes out of a reply: of A1 to An the highest that stands in it anywhere, without
    regard for word borders, so that "A21" of three answers is A2; where there is none, the same with bare numbers.
    """  # noqa: D205
    for lead in ("A", ""):
        for i in range(num_choice, 0, -1):
            if f"{lead}{i}" in prediction:
                return f"A{i}"
    return None


def best_answer(prediction: str, answers: Sequence[str], *, num_choice: int | None = None, **_: Any) -> float:
    """1 where the highest-numbered answer that the reply names is the right one; the row gives "num_choice"."""
    if num_choice is None:
        raise UserError("ada-leval/best-answer needs how many answers each row had to choose from: give 'num_choice'")
    return float(designation(prediction, num_choice) in answers)


def order(prediction: str) -> Any:
    """The order that the benchmark takes out of a reply: what follows the first "Answer:" as JSON, of whatever kind; else
    the one permutation of 1 to 4 whose digits stand in it in that order, where only one does; else four zeros.
    """  # noqa: D205
    parts = prediction.split("Answer:")
    text = parts[1].strip() if len(parts) > 1 else prediction
    try:
        return json.loads(text)
    except ValueError:
        found = [p for p in permutations((1, 2, 3, 4)) if _follow("".join(map(str, p)), text)]
        return list(found[0]) if len(found) == 1 else [0, 0, 0, 0]


def _follow(digits: str, text: str) -> bool:
    at = 0
    for digit in digits:
        at = text.find(digit, at) + 1
        if not at:
            return False
    return True


def tsort(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """1 where the order said agrees with "[3, 1, 4, 2]" as far as both go, even if empty; a bare number is wrong."""
    # For a bare number the peer stops with an error.
    said, right = order(prediction), json.loads(answers[0])
    return float(isinstance(said, Iterable) and all(a == b for a, b in zip(right, said, strict=False)))


METRICS: dict[str, Callable[..., float]] = {"ada-leval/best-answer": best_answer, "ada-leval/tsort": tsort}
"""By the name that `leadline score --metric` takes."""
