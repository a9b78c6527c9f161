"""Asking models that help to score: again where a reply cannot be read, and no score where nothing can be."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from leadline.nouns import Score
from leadline.scoring.extract import without_thinking
from leadline.tasks.base import Ask

T = TypeVar("T")
UNJUDGED = Score(value=None, audit="provider error")
"""What a sample is worth whose judge failed or said nothing that can be read."""
AGAIN = "\n\nGive the verdict in the form asked for, and nothing else."


async def verdict(ask: Ask, text: str, read: Callable[[str], T | None], max_tokens: int = 512) -> T | None:
    """What a judge says, as `read` understands it; None where it failed or could not be read twice.

    Args:
        ask: the judge.
        text: what it is asked.
        read: takes the verdict out of its reply, None where there is none.
        max_tokens: room for its reply.
    """
    for prompt in (text, text + AGAIN):
        answer = await ask(prompt, max_tokens)
        said = without_thinking(answer.text) if answer.stop in ("stop", "length") else None
        if said and (found := read(said)) is not None:
            return found
    return None


def json_object(text: str) -> dict[str, Any] | None:
    """The last JSON object in a text that holds anything, whatever stands around it; None where there is none."""
    found: dict[str, Any] | None = None
    at = text.find("{")
    while at >= 0:
        try:
            value, end = json.JSONDecoder().raw_decode(text, at)
        except ValueError:
            end = at + 1
        else:
            found = value or found
        at = text.find("{", end)
    return found


def yes_or_no(text: str) -> bool | None:
    """What a reply begins with; None where that is neither."""
    words = text.lower().replace("*", " ").replace('"', " ").split()
    first = words[0].strip(".,:;!") if words else ""
    return {"yes": True, "no": False}.get(first)
