"""Minutes of an invented town's council: many documents on one subject, which repeat facts about its projects.

A project is a subtopic. Each of its facts is one sentence with one name and one value, independent of the others, and worded
anew in each document that repeats it. Everything is a function of (seed, index). Knows nothing of prompts and questions.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leadline.data import lexicon as words
from leadline.data import prose
from leadline.data.noise import Source
from leadline.nouns import UserError

_PROJECTS = 40
"""Projects that a block of generated minutes is about, so that facts come again in it."""
_FACTS = 6

FORMS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("person", (
        "{e} lent {v} crowns to {p}.",
        "It is to {e} that {p} owes a loan of {v} crowns.",
        "A loan of {v} crowns for {p} came from {e}.",
    )),
    ("town", (
        "{e} is to send {v} workers for {p}.",
        "For {p}, {v} workers will come from {e}.",
        "The council of {e} agreed to give {p} the help of {v} workers.",
    )),
    ("product", (
        "The first load of {e} for {p} was late by {v} days.",
        "For {v} days {p} had to wait for its {e}.",
        "There was a delay of {v} days in the delivery of {e} to {p}.",
    )),
    ("noun", (
        "A stone {e} was dug up at {p}, {v} feet below the road.",
        "At {p} they came upon a stone {e} at a depth of {v} feet.",
        "The diggers at {p} found, {v} feet down, a stone {e}.",
    )),
    ("profession", (
        "Every {e} in town was asked about {p}, and {v} of them were in favor.",
        "Of those who work as a {e}, {v} are in favor of {p}.",
        "In the vote on {p}, {v} times yes was said by a {e}.",
    )),
    ("animal", (
        "The work on {p} was stopped for {v} hours by a runaway {e}.",
        "A runaway {e} kept the people at {p} busy for {v} hours.",
        "Since a {e} had run away, {p} stood still for {v} hours.",
    )),
    ("instrument", (
        "When {p} was begun, {v} guests heard a concert for {e}.",
        "A concert for {e} drew {v} guests to the beginning of {p}.",
        "To mark the beginning of {p} there was music for {e}, before {v} guests.",
    )),
    ("color", (
        "The fence around {p} was painted {e}, which took {v} buckets.",
        "It took {v} buckets to paint the fence of {p} {e}.",
        "With {v} buckets of paint, the fence around {p} is now {e}.",
    )),
    ("festival", (
        "{v} tickets for the {e} festival were sold in aid of {p}.",
        "The {e} festival gave {p} the money of {v} tickets.",
        "In aid of {p}, people bought {v} tickets for the {e} festival.",
    )),
    ("month", (
        "Until {e}, {p} may use {v} carts of the mill.",
        "The mill lends {p} its {v} carts until {e}.",
        "{v} carts of the mill will serve {p} until {e}.",
    )),
)  # fmt: skip
"""Kind of name in a fact, and its wordings: {e} is the name, {v} the value, {p} the project."""
_SAID = {word.rstrip("s") for _, wordings in FORMS for text in wordings for word in re.findall(r"\w+", text.lower())} | {
    "march"
}
"""What every telling says, so that it tells no fact from another: no name is drawn from it."""
_NAMES: dict[str, tuple[str, ...]] = {
    kind: tuple(name for name in names if name.lower().rstrip("s") not in _SAID)
    for kind, names in (
        ("town", words.TOWNS),
        ("product", words.PRODUCTS),
        ("noun", words.NOUNS),
        ("profession", words.PROFESSIONS),
        ("animal", words.ANIMALS),
        ("instrument", words.INSTRUMENTS),
        ("color", words.COLORS),
        ("festival", words.FESTIVALS),
        ("month", words.MONTHS),
    )
}


@dataclass(frozen=True)
class Fact:
    """One fact about a project."""

    project: str
    entity: str
    value: str
    form: int

    def said(self, wording: int) -> str:
        """The fact as a sentence, in one of its wordings."""
        wordings = FORMS[self.form][1]
        text = wordings[wording % len(wordings)].format(e=self.entity, v=self.value, p=self.project)
        return text[0].upper() + text[1:]


def project(index: int, seed: int = 0) -> str:
    """Name of a project: different for each index up to some thirty thousand."""
    return f"the {prose.key(index, seed)} project"


def facts(index: int, seed: int = 0, count: int = _FACTS) -> tuple[Fact, ...]:
    """Facts about a project, at most ten; their names and values differ."""
    rng = random.Random(f"minutes/{seed}/{index}")
    name = project(index, seed)
    values = rng.sample(range(101, 1000), count)
    found: list[Fact] = []
    for form, value in zip(rng.sample(range(len(FORMS)), count), values, strict=True):
        entity = _entity(FORMS[form][0], rng)
        while entity in name or any(entity in fact.entity or fact.entity in entity for fact in found):
            entity = _entity(FORMS[form][0], rng)
        found.append(Fact(name, entity, str(value), form))
    return tuple(found)


def _entity(kind: str, rng: random.Random) -> str:
    return f"{rng.choice(words.FIRST_NAMES)} {rng.choice(words.SURNAMES)}" if kind == "person" else rng.choice(_NAMES[kind])


def document(told: Sequence[Fact], rng: random.Random) -> str:
    """Minutes of one session in which some facts are told, in this order, with a little talk between."""
    chair = f"{rng.choice(words.FIRST_NAMES)} {rng.choice(words.SURNAMES)}"
    lines = [f"Session of {rng.randrange(1, 29)} {rng.choice(words.MONTHS)}, led by {chair}."]
    lines += [fact.said(rng.randrange(3)) for fact in told]
    lines.insert(rng.randrange(2, len(lines) + 1), prose.sentence(rng))
    return " ".join(lines)


def minutes(n: int, seed: int = 0) -> list[str]:
    """The first n documents of a stream: in each, facts about two projects of some that come again and again."""
    out: list[str] = []
    for block in range(-(-n // prose.BLOCK)):
        rng = random.Random(f"minutes/{seed}/block/{block}")
        known = [facts(rng.randrange(1 << 30), seed) for _ in range(_PROJECTS)]
        for _ in range(prose.BLOCK):
            told = [fact for about in rng.sample(known, 2) for fact in rng.sample(about, 2)]
            rng.shuffle(told)
            out.append(document(told, rng))
    return out[:n]


def source(spec: str, seed: int, settings: Mapping[str, Any]) -> Source:
    """The noise `minutes`.

    Raises:
        UserError: it is given settings.
    """
    if settings:
        raise UserError(f"noise {spec!r}: minutes take no settings")
    return Source(spec, "\n\n", lambda n: minutes(n, seed))
