"""Questions to be asked many at a time: invented sums, and rows of published question sets.

Knows nothing of prompts and replies.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from leadline.data.lexicon import FIRST_NAMES
from leadline.data.published import rows_of
from leadline.nouns import UserError

THINGS = "apples baskets boxes bricks candles coins cups eggs feathers lamps nails pears plates ribbons shells stamps".split()
LETTERS = "ABCDEFGH"


@dataclass(frozen=True)
class Question:
    """One question; its answer is a number, the letter of an option, or a few words (any of several)."""

    text: str
    answers: tuple[str, ...]
    labels: str = ""
    """Letters of the options; empty where there are none."""
    number: bool = False
    reason: str = ""
    """How to find the answer, for invented ones."""


def invented(rng: random.Random, choice: bool) -> Question:
    """A sum in two to four steps, with four options where it is a choice."""
    who, things = rng.choice(FIRST_NAMES), rng.choice(THINGS)
    have = rng.randint(5, 90)
    told, reason = [f"{who} has {have} {things}."], []
    for _ in range(rng.randint(2, 4)):
        kind, n, m = (
            rng.choice(("more", "packs", "twice", "away") if have > 9 else ("more", "packs", "twice")),
            rng.randint(3, 60),
            rng.randint(2, 9),
        )
        before = have
        if kind == "more":
            have, text, step = have + n, f"{who} finds {n} more.", f"{before} + {n}"
        elif kind == "packs":
            have, text, step = have + n * m, f"{who} buys {m} packs of {n} {things} each.", f"{before} + {m} * {n}"
        elif kind == "away":
            n = rng.randint(1, have - 1)
            have, text, step = have - n, f"{who} gives {n} of them away.", f"{before} - {n}"
        else:
            have, text, step = 2 * have, f"Then {who} gets as many {things} again as {who} has.", f"2 * {before}"
        told.append(text)
        reason.append(f"{step} = {have}.")
    text, answer = f"{' '.join(told)} How many {things} does {who} have now?", str(have)
    if not choice:
        return Question(text, (answer,), number=True, reason="\n".join(reason))
    others = rng.sample([have + d for d in (-20, -10, -7, -3, -2, -1, 1, 2, 3, 5, 10, 12) if have + d >= 0], 3)
    options = [have, *others]
    rng.shuffle(options)
    return Question(
        f"{text}\n{listed(map(str, options))}", (LETTERS[options.index(have)],), LETTERS[:4], reason="\n".join(reason)
    )


def listed(options: Any) -> str:
    """Options with their letters."""
    return " ".join(f"({letter}) {option}" for letter, option in zip(LETTERS, options, strict=False))


@lru_cache(maxsize=8)
def published(spec: str) -> tuple[Question, ...]:
    """The questions of a published set, all of one kind.

    Args:
        spec: as `leadline.data.published.rows_of` takes it: GSM8K's format (answers that end in "#### 5"), MMLU's ("choices"
            and the place of the right one), CommonsenseQA's ("choices" with "label" and "text", "answerKey"), or any rows with
            "question" (or "input") and "answer" (or "answers").

    Raises:
        UserError: a row is of none of these, or they are of several kinds.
    """
    found = tuple(_question(raw, place) for place, raw in rows_of(spec))
    if not found:
        raise UserError(f"{spec!r} holds no questions")
    if len({(q.number, bool(q.labels)) for q in found}) > 1:
        raise UserError(f"{spec!r} holds questions of several kinds (numbers, options, words): give one kind")
    return found


def _question(raw: Any, place: str) -> Question:
    if not isinstance(raw, Mapping):
        raise UserError(f"{place}: a row must be a JSON object, it is {type(raw).__name__}")
    text = next((str(raw[k]).strip() for k in ("question", "input") if raw.get(k)), "")
    choices = raw.get("choices")
    answer = next((raw[k] for k in ("answerKey", "answer", "answers") if raw.get(k) is not None), None)
    if not text or answer is None or answer in ("", []):
        raise UserError(
            f"{place}: a row needs 'question' and 'answer' (GSM8K, MMLU and CommonsenseQA are read as they are published; the "
            f"test split of the last has no answers); this one has: {', '.join(raw) or 'nothing'}"
        )
    if choices is not None:
        labels = list(choices["label"]) if isinstance(choices, Mapping) else list(LETTERS[: len(choices)])
        options = list(choices["text"]) if isinstance(choices, Mapping) else list(choices)
        right = LETTERS[answer] if isinstance(answer, int) else str(answer).strip()
        if right not in labels or len(labels) != len(options) or "".join(labels) != LETTERS[: len(labels)]:
            raise UserError(f"{place}: the answer {answer!r} is none of the options {', '.join(map(str, labels))}")
        return Question(f"{text}\n{listed(options)}", (right,), "".join(labels))
    if isinstance(answer, str) and "####" in answer:
        return Question(text, (answer.rpartition("####")[2].strip(),), number=True)
    answers = tuple(str(a).strip() for a in (answer if isinstance(answer, list | tuple) else [answer]))
    number = all(re.fullmatch(r"[-−]?\$?\d[\d,]*(?:\.\d+)?", a) for a in answers)
    return Question(text, answers, number=number)
