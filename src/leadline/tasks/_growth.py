"""Filling a budget with texts of a stream: how many of them fit, and what closes the gap that is left."""

from __future__ import annotations

import random
from collections.abc import Callable

from leadline.data import chinese, prose

Count = Callable[[str], int]
"""Tokens of one text with what joins it to the next."""


def grown(draw: Callable[[int], str | None], room: int, count: Count, join: str = "\n") -> list[str]:
    """The first texts of a stream that together take at most `room` tokens.

    Texts are counted in runs that shorten as the room closes, for tokens of neighbours add up nearly and long
    texts are counted faster than many short ones.

    Args:
        draw: text number i of the stream, the same each time; None where there is no more.
        room: tokens at most.
        count: tokens of a text with its join.
        join: what stands between two texts.
    """
    texts: list[str] = []
    used, step = 0, 8
    while step:
        fresh = [text for i in range(step) if (text := draw(len(texts) + i)) is not None]
        if not fresh:
            break
        cost = count(join.join(fresh))
        if used + cost > room:
            step = len(fresh) // 2
            continue
        texts += fresh
        used += cost
        step = max(1, int(0.9 * (room - used) * len(texts) / used))
    return texts


def cut(text: str, room: int, count: Count, end: str = ".") -> str:
    """The longest beginning of a text that takes at most `room` tokens, cut between words (in Chinese between
    characters) and ended with a full stop; empty where not even one word fits.
    """  # noqa: D205
    han = " " not in text
    words = list(text) if han else text.split(" ")
    gap = "" if han else " "

    def first(n: int) -> str:
        return gap.join(words[:n]).rstrip(" .,;:!?，。；：！？") + end

    low, high, guess = 0, len(words), min(len(words), 2 * max(room, 1))
    while low < high:
        middle = min(high, max(low + 1, guess))
        taken = count(first(middle))
        low, high = (middle, high) if taken <= room else (low, middle - 1)
        # By the tokens of a word so far; halved where that would not move.
        guess = middle * room // max(taken, 1)
        guess = guess if low < guess <= high else (low + high + 1) // 2
    return first(low) if low else ""


def padding(room: int, count: Count, name: str, language: str = "en") -> str:
    """Plain prose that says nothing and takes at most `room` tokens, few less; the same for the same name."""
    rng = random.Random(f"padding/{name}")
    if language == "zh":
        text = "".join(chinese.sentences(max(1, room // 4), rng.randrange(1 << 30)))
        return cut(text, room, count, "。")
    return cut(" ".join(prose.sentence(rng) for _ in range(1 + room // 4)), room, count)
