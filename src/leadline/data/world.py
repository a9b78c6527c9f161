"""The invented world: people, towns and events with exact facts, and documents about them.

Nobody was trained on it, so no model knows an answer beforehand. Everything is a function of (seed,
kind, index): person 7 of world 1 is the same in every run and on every machine, and there are tens of
thousands of each kind. Each fact has one value, a sentence that states it, a question and the beginning
of its answer. Knows nothing of tokenizers, prompts or tasks.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from leadline.data import lexicon as words
from leadline.data import prose
from leadline.nouns import UserError

KindOfSubject = Literal["person", "town", "event"]

BACKGROUND = 1_000_000
"""Subjects from this index on are only met in noise; questions are about those before it."""
_POOL = 90_000
"""Different names of each kind, for questions and for noise."""
_TEACHER = 40_000
"""How far a teacher's index lies from the pupil's: outside what questions draw from."""


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One exact statement about one subject."""

    subject: str
    relation: str
    value: str
    text: str
    """The sentence that states it."""
    question: str
    prefill: str
    """How the answer begins; the value follows."""

    def covered(self, summary: str) -> bool:
        """Whether a summary states it: one of its sentences holds the value as a whole word."""
        return bool(re.search(rf"(?<!\w){re.escape(self.value.lower())}(?!\w)", summary.lower()))


@dataclass(frozen=True, kw_only=True)
class Document:
    """A short text about one subject, and the facts that it states."""

    id: str
    subject: str
    text: str
    facts: tuple[Fact, ...]
    summary: str
    """One sentence, without the name, from which the document can be told from all others."""


@dataclass(frozen=True)
class Relation:
    """How one kind of fact is drawn, stated, asked for and summarised; {n} is the subject, {v} the value."""

    name: str
    pool: tuple[str, ...] | Literal["year", "number", "person"]
    statement: str
    question: str
    prefill: str
    about: str = ""
    """Its part in a summary that hides the subject's name; empty where it would name somebody."""


RELATIONS: dict[str, tuple[Relation, ...]] = {
    "person": (
        Relation("town", words.TOWNS, "{n} was born in {v}.", "Where was {n} born?", "{n} was born in", "somebody born in {v}"),
        Relation("year", "year", "{n} moved there in {v}.", "In which year did {n} move there?", "{n} moved there in", "the year {v}"),
        Relation("job", words.PROFESSIONS, "{n} works as a {v}.", "What does {n} work as?", "{n} works as a", "a {v}"),
        Relation("teacher", "person", "{n} learned the trade from {v}.", "Who taught {n} the trade?", "{n} learned the trade from"),
        Relation("pet", words.ANIMALS, "{n} keeps a {v}.", "Which animal does {n} keep?", "{n} keeps a", "a {v}"),
        Relation("instrument", words.INSTRUMENTS, "{n} plays the {v}.", "Which instrument does {n} play?", "{n} plays the", "the {v}"),
        Relation("color", words.COLORS, "{n} painted the door {v}.", "Which color is the door of {n}?", "{n} painted the door", "a {v} door"),
        Relation("office", "number", "{n} has room {v} in the guild house.", "Which room does {n} have?", "{n} has room", "room {v}"),
    ),
    "town": (
        Relation("founded", "year", "{n} was founded in {v}.", "When was {n} founded?", "{n} was founded in", "a town founded in {v}"),
        Relation("mayor", "person", "The mayor of {n} is {v}.", "Who is the mayor of {n}?", "The mayor of {n} is"),
        Relation("product", words.PRODUCTS, "{n} is known for its {v}.", "What is {n} known for?", "{n} is known for its", "its {v}"),
        Relation("houses", "number", "{n} has {v} houses.", "How many houses does {n} have?", "{n} has", "{v} houses"),
        Relation("fair", words.MONTHS, "The fair of {n} is in {v}.", "In which month is the fair of {n}?", "The fair of {n} is in", "a fair in {v}"),
        Relation("animal", words.ANIMALS, "The sign of {n} shows a {v}.", "Which animal does the sign of {n} show?", "The sign of {n} shows a", "the sign of a {v}"),
        Relation("color", words.COLORS, "The roofs of {n} are {v}.", "Which color are the roofs of {n}?", "The roofs of {n} are", "{v} roofs"),
    ),
    "event": (
        Relation("month", words.MONTHS, "The {n} began in {v}.", "In which month did the {n} begin?", "The {n} began in", "something that began in {v}"),
        Relation("winner", "person", "The {n} was won by {v}.", "Who won the {n}?", "The {n} was won by"),
        Relation("prize", words.PRODUCTS, "The prize of the {n} was {v}.", "What was the prize of the {n}?", "The prize of the {n} was", "a prize of {v}"),
        Relation("guests", "number", "The {n} had {v} guests.", "How many guests did the {n} have?", "The {n} had", "{v} guests"),
        Relation("music", words.INSTRUMENTS, "The {n} opened with the {v}.", "Which instrument opened the {n}?", "The {n} opened with the", "the {v}"),
        Relation("host", words.PROFESSIONS, "The host of the {n} was a {v}.", "What was the host of the {n}?", "The host of the {n} was a", "a host who was a {v}"),
        Relation("color", words.COLORS, "The flag of the {n} was {v}.", "Which color was the flag of the {n}?", "The flag of the {n} was", "a {v} flag"),
    ),
}  # fmt: skip
KINDS: tuple[KindOfSubject, ...] = ("person", "town", "event")


@dataclass(frozen=True)
class World:
    """One invented world.

    Attributes:
        seed: which world.
        language: language of its documents; `en` is the one there is.

    Raises:
        UserError: the world does not speak the language.
    """

    seed: int = 0
    language: str = "en"

    def __post_init__(self) -> None:
        if self.language != "en":
            raise UserError(f"the invented world has no documents in {self.language!r}; there are: en")

    def name(self, kind: KindOfSubject, index: int) -> str:
        """Name of a subject: different for every index of a kind, as far as there are names (90,000)."""
        number = index % BACKGROUND % _POOL * 2 + (index >= BACKGROUND)
        if kind == "person":
            place = prose.spread(number, len(words.FIRST_NAMES) * len(words.SURNAMES) * 26, self.seed)
            rest, initial = divmod(place, 26)
            first, last = divmod(rest, len(words.SURNAMES))
            return f"{words.FIRST_NAMES[first]} {chr(65 + initial)}. {words.SURNAMES[last]}"
        towns, prefixes = words.TOWNS, words.PREFIXES
        if kind == "town":
            others = len(towns) - 1
            place = prose.spread(number, len(towns) * others * len(prefixes) * len(_SIDES), self.seed)
            rest, prefix = divmod(place, len(prefixes) * len(_SIDES))
            far, step = divmod(rest, others)
            near = towns[(far + 1 + step) % len(towns)]
            return f"{prefixes[prefix % len(prefixes)]} {towns[far]} {_SIDES[prefix // len(prefixes)]} {near}"
        place = prose.spread(number, len(prefixes) * len(words.FESTIVALS) * len(towns) * 200, self.seed)
        rest, year = divmod(place, 200)
        rest, town = divmod(rest, len(towns))
        prefix, feast = divmod(rest, len(words.FESTIVALS))
        return f"{prefixes[prefix]} {words.FESTIVALS[feast].capitalize()} Festival of {1800 + year} in {towns[town]}"

    def facts(self, kind: KindOfSubject, index: int) -> tuple[Fact, ...]:
        """All facts about a subject."""
        return _facts(self, kind, index)

    def document(self, index: int, kind: KindOfSubject | None = None, must: str = "") -> Document:
        """A short text about a subject: five of its facts in a drawn order, among sentences of plain prose.

        Args:
            index: which subject.
            kind: of which kind; by default the kinds take turns.
            must: relation that has to be among the facts told.
        """
        kind = kind or KINDS[index % 3]
        rng = random.Random(f"document/{self.seed}/{kind}/{index}")
        known = self.facts(kind, index)
        chosen = rng.sample(known, 5)
        if must and all(f.relation != must for f in chosen):
            chosen[rng.randrange(5)] = next(f for f in known if f.relation == must)
        return self._written(f"{self.seed}/{kind}/{index}", kind, chosen, rng)

    def documents(self, index: int, parts: int, kind: KindOfSubject | None = None) -> list[Document]:
        """Several texts about one subject, which share its facts out among them."""
        kind = kind or KINDS[index % 3]
        rng = random.Random(f"documents/{self.seed}/{kind}/{index}")
        known = list(self.facts(kind, index))
        rng.shuffle(known)
        name = f"{self.seed}/{kind}/{index}"
        return [self._written(f"{name}/{part}", kind, known[part::parts], rng) for part in range(parts)]

    def _written(self, name: str, kind: KindOfSubject, chosen: list[Fact], rng: random.Random) -> Document:
        lines = [f.text for f in chosen]
        for _ in range(2):
            lines.insert(rng.randrange(1, len(lines) + 1), prose.sentence(rng))
        told = [a for f in chosen if (a := _about(kind, f))][:3]
        return Document(
            id=name,
            subject=chosen[0].subject,
            text=" ".join(lines),
            facts=tuple(chosen),
            summary=f"It is about {', '.join(told[:-1])} and {told[-1]}." if len(told) > 1 else f"It is about {told[0]}.",
        )

    def background(self, index: int) -> Document:
        """A document for noise, about somebody that no question asks for."""
        return self.document(BACKGROUND + index)

    def taught(self, index: int, times: int) -> int:
        """Index of the person's teacher, the teacher's teacher and so on."""
        for _ in range(times):
            index = _teacher(index)
        return index

    def chain(self, index: int, hops: int) -> tuple[list[Fact], Fact]:
        """A question over several documents: who taught whom, then a fact about the last teacher.

        Returns:
            The facts that must be read, in order of use, and the question as a fact of its own, which
            names only the first person.
        """
        path: list[Fact] = []
        start = who = self.name("person", index)
        for _ in range(hops - 1):
            path.append(next(f for f in self.facts("person", index) if f.relation == "teacher"))
            index, who = _teacher(index), f"the teacher of {who}"
        rng = random.Random(f"chain/{self.seed}/{start}")
        last = rng.choice([f for f in self.facts("person", index) if f.relation in {"town", "job", "instrument", "office"}])
        path.append(last)
        return path, Fact(
            subject=start,
            relation=last.relation,
            value=last.value,
            text=last.text,
            question=last.question.replace(last.subject, who),
            prefill=last.prefill.replace(last.subject, "That person"),
        )


_SIDES = ("near", "above", "below", "behind", "beside", "beyond")


def _teacher(index: int) -> int:
    return index + _TEACHER if index % BACKGROUND < _TEACHER else index + 1


def _about(kind: str, fact: Fact) -> str:
    relation = next(r for r in RELATIONS[kind] if r.name == fact.relation)
    return relation.about.format(v=fact.value)


@lru_cache(maxsize=4096)
def _facts(world: World, kind: KindOfSubject, index: int) -> tuple[Fact, ...]:
    rng = random.Random(f"{kind}/{world.seed}/{index}")
    name = world.name(kind, index)
    facts = []
    for r in RELATIONS[kind]:
        if r.pool == "person":
            value = world.name("person", _teacher(index))
        elif r.pool == "year":
            value = str(rng.randrange(1720, 1990))
        elif r.pool == "number":
            value = str(rng.randrange(100, 1000))
        else:
            value = rng.choice(r.pool)
        statement, question, prefill = (t.format(n=name, v=value) for t in (r.statement, r.question, r.prefill))
        facts.append(Fact(subject=name, relation=r.name, value=value, text=statement, question=question, prefill=prefill))
    return tuple(facts)


def coverage(summary: str, facts: Sequence[Fact]) -> float:
    """Share of the facts that a summary states, 0 to 1."""
    return sum(f.covered(summary) for f in facts) / len(facts) if facts else 0.0
