"""The four scenarios of Spinning the Golden Thread: what their plans ask for, section by section (arXiv:2409.02076).

Knows nothing of prompts and replies.
"""

from __future__ import annotations

import datetime
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from leadline.data import prose
from leadline.data.lexicon import FIRST_NAMES, SURNAMES

Checks = dict[str, dict[int, str]]
"""What must stand in which section, by kind: once, range, periodic."""
KINDS = ("once", "range", "periodic")


@dataclass(frozen=True)
class Plan:
    """The sections of one document and what they must hold."""

    scenario: str
    title: str
    """What a section is headed with, before its number."""
    sections: int
    lines: tuple[str, ...]
    """The plan as it is told, a line for each demand."""
    checks: Checks = field(hash=False)


@dataclass(frozen=True)
class Scenario:
    """One kind of document. `brief` and `long` give titles; the events' last words make them tell apart."""

    intro: str
    brief: str
    long: str
    sections: tuple[int, int]
    """In the 16K and in the 32K plans."""
    words: tuple[int, int]
    """At least, in a section of those."""
    once: tuple[str, ...]
    range: tuple[str, ...]
    periodic: tuple[str, ...]


_CALENDAR = (
    "It begins on Monday, January 1, 2018: week 1 is January 1 to January 7, week 2 is January 8 to January 14, and so on; day "
    "1 is January 1, day 2 is January 2, and so on."
)
SCENARIOS = {
    "diary": Scenario(
        f"You write the diary of a family, one entry for each {{unit}}. {_CALENDAR} The entries also tell of the weather, of "
        "work and of family life.",
        "Week", "Day", (52, 365), (200, 100), ("birthday",),
        ("boat trip", "walking tour", "mountain holiday", "music course"),
        ("chess evening", "dancing lesson", "book circle", "fishing contest"),
    ),
    "menu": Scenario(
        f"You plan the menus of a restaurant, one menu for each {{unit}}. {_CALENDAR} Each menu has starters, main courses, "
        "side dishes, desserts and drinks.",
        "Menu Week", "Menu Day", (52, 365), (200, 100), ("roast", "pie", "soup", "cake", "salad"),
        ("season platter", "harvest stew", "grill plate"), ("house noodles", "fish supper", "bean pot"),
    ),
    "skyscraper": Scenario(
        "You design a tower of {sections} floors and describe each floor: what it is for, how it is built and what is special "
        "about it.",
        "Floor", "Floor", (100, 300), (150, 100), ("library", "pharmacy", "cinema", "dance studio", "law office"),
        ("research institute", "apartments", "hospital"), ("sky garden", "coffee bar", "terrace"),
    ),
    "city": Scenario(
        "You design a city on a grid of {side} by {side} blocks and describe each block: what it is for, how it is built and "
        "what it gives to the city. Block (x, y) lies x steps from the left and y steps from the top, both counted from 0. The "
        "blocks are numbered from left to right and from top to bottom, from 1 to {sections}.",
        "Block", "Block", (100, 361), (150, 100), ("museum", "school", "farm", "fire station", "theater"),
        ("shopping district", "campus", "workshop quarter"), ("bus station", "kiosk", "fountain"),
    ),
}  # fmt: skip


def side(sections: int) -> int:
    """Blocks along one side of a city."""
    return math.isqrt(sections)


def fitting(scenario: str, sections: int) -> int:
    """The number of sections that a document can have, at most so many: a city is a square."""
    return side(sections) ** 2 if scenario == "city" else sections


def draw(scenario: str, sections: int, long: bool, rng: random.Random) -> Plan:
    """A plan; numbers and spans are those of the authors' generators where there is room for them.

    Args:
        scenario: one of `SCENARIOS`.
        sections: as `fitting` gives it, 4 or more.
        long: drawn as for the 32K plans, with days for weeks.
        rng: generator.
    """
    kind = SCENARIOS[scenario]
    title = kind.long if long else kind.brief
    names = rng.sample(range(20_000), 8)
    events = {
        k: [f"{prose.key(names.pop()).title()} {rng.choice(words)}" for _ in range(n)]
        for k, words, n in (("once", kind.once, 5), ("range", kind.range, 1), ("periodic", kind.periodic, 1))
    }
    if scenario == "diary":
        events["once"] = [f"birthday of {a} {rng.choice(SURNAMES)}" for a in rng.sample(FIRST_NAMES, 5)]
    n = sections
    singles = rng.sample(range(2, n + 1), min(5, max(1, n // 5)))
    start, every, first, length = _spans(scenario, n, long, rng)
    if scenario == "city":
        return _city(n, title, events, singles, rng)
    span, rounds = list(range(start, start + length)), list(range(first, n + 1, every))
    checks = {
        "once": dict(zip(singles, events["once"], strict=False)),
        "range": dict.fromkeys(span, events["range"][0]),
        "periodic": dict.fromkeys(rounds, events["periodic"][0]),
    }
    unit = title.lower().rpartition(" ")[2]
    steps = 7 if unit == "week" else 1
    if scenario == "skyscraper":
        lines = [f"{title} {s} must have the {e}." for s, e in checks["once"].items()]
        lines.append(f"{_runs(unit, span).capitalize()} must have the {events['range'][0]}.")
    else:
        verb = "must tell of" if scenario == "diary" else "must offer"
        dates = [datetime.date(2018, 1, 1) + datetime.timedelta(steps * (s - 1) + rng.randrange(steps)) for s in singles]
        told = zip(dates, checks["once"].values(), strict=True)
        lines = [f"On {d:%B} {d.day}, {d.year}, the {scenario} {verb} the {e}." for d, e in told]
        lines.append(f"In {_runs(unit, span)} the {scenario} {verb} the {events['range'][0]}.")
    there = {"skyscraper": "there must be", "diary": "the diary must tell of", "menu": "the menu must offer"}[scenario]
    lines.append(f"Every {every} {unit}s, starting with {unit} {first}, {there} the {events['periodic'][0]}.")
    return Plan(scenario, title, n, tuple(lines), checks)


def _runs(unit: str, span: Sequence[int]) -> str:
    return f"{unit}s {span[0]} to {span[-1]}" if len(span) > 1 else f"{unit} {span[0]}"


def _spans(scenario: str, n: int, long: bool, rng: random.Random) -> tuple[int, int, int, int]:
    """Start of the range, interval, start of the period, length of the range."""
    every = {
        "diary": (30, 40, 60) if long else (3, 4, 5),
        "menu": (14, 14, 14, 21, 30) if long else (2, 3, 3, 4, 4, 5),
        "skyscraper": (15, 20, 25, 30),
        "city": (2, 4),
    }[scenario]
    length = {"diary": (2, 7) if long else (2, 2), "menu": (7, 14) if long else (1, 4), "skyscraper": (3, 7), "city": (2, 4)}[
        scenario
    ]
    size = max(min(2, length[0]), min(rng.randint(*length), n // 4))
    gap = min(rng.choice(every), max(2, n // 3))
    low, high = {
        "diary": (30, n - gap) if long else (10, 19),
        "menu": (1, n - gap if long else 30 - gap),
        "skyscraper": (20 + gap, 20 + gap),
        "city": (1, 1),
    }[scenario]
    first = rng.randint(low, max(low, high))
    if first > n // 2 and not long:
        first = rng.randint(2, max(2, n // 3))
    return rng.randint(2, max(2, n - size + 1)), gap, min(first, n), size


def _city(n: int, title: str, events: dict[str, list[str]], singles: Sequence[int], rng: random.Random) -> Plan:
    wide = side(n)
    place = {y * wide + x + 1: f"({x}, {y})" for y in range(wide) for x in range(wide)}
    length, across = min(rng.randint(2, 4), wide), rng.random() < 0.5
    fixed, low = rng.randrange(wide), rng.randrange(wide - length + 1)
    span = [(low + i, fixed) if across else (fixed, low + i) for i in range(length)]
    every, row = min(rng.choice((2, 4)), max(2, wide - 1)), rng.randrange(wide)
    rounds = [(x, row) for x in range(0, wide, every)]
    number = {text: k for k, text in place.items()}
    checks = {
        "once": dict(zip(singles, events["once"], strict=False)),
        "range": {number[str(p)]: events["range"][0] for p in span},
        "periodic": {number[str(p)]: events["periodic"][0] for p in rounds},
    }
    lines = [f"Block {place[s]} must have the {e}." for s, e in checks["once"].items()]
    lines.append(f"All blocks from {span[0]} to {span[-1]} must have the {events['range'][0]}.")
    lines.append(
        f"Along the row from (0, {row}) to ({wide - 1}, {row}), each block whose x is divided by {every} without remainder "
        f"must have the {events['periodic'][0]}."
    )
    return Plan("city", title, n, tuple(lines), checks)
