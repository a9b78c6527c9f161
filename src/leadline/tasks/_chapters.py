"""A long document of chapters about people of the invented world, and which of its facts a text tells."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from leadline.data import prose
from leadline.data.world import Fact, World

RANKS = {5: 1, 10: 2, 20: 4}
"""Facts of a chapter that belong to a summary of so many percent, the most important first."""
WORDS = 200
"""Words of a chapter, about."""
_TOLD = ("town", "job", "pet", "instrument", "color", "office")


@dataclass(frozen=True)
class Chapter:
    """One chapter: what it says, and its facts in the order of their importance."""

    text: str
    facts: tuple[Fact, ...]

    def summary(self, level: int) -> str:
        """Its facts of a level, as they stand in the text."""
        return " ".join(fact.text for fact in self.facts[: RANKS[level]])


@lru_cache(maxsize=8192)
def chapter(number: int, seed: int) -> Chapter:
    """Chapter of that number: four facts about one person, with much between them that does not matter."""
    rng = random.Random(f"chapter/{seed}/{number}")
    known = {fact.relation: fact for fact in World(seed).facts("person", number)}
    facts = [known[name] for name in rng.sample(_TOLD, 4)]
    lines = [fact.text for fact in facts]
    words = sum(len(line.split()) for line in lines)
    while words < WORDS:
        # The first fact opens the chapter.
        line = prose.sentence(rng)
        lines.insert(rng.randrange(1, len(lines) + 1), line)
        words += len(line.split())
    return Chapter(" ".join(lines), tuple(facts))


def told(text: str, facts: Sequence[Fact]) -> list[bool]:
    """Which facts a text tells: a sentence has the value and names the subject, or follows one that did.

    A subject may be named without the initial, or by the last name alone, where nobody else is named so.
    """
    spelt: dict[str, set[str]] = {}
    for name in dict.fromkeys(fact.subject for fact in facts):
        first, initial, last = re.findall(r"\w+", name.lower())
        for form in (f"{first} {initial} {last}", f"{first} {last}", last):
            spelt.setdefault(form, set()).add(name)
    names = {form: subjects.pop() for form, subjects in spelt.items() if len(subjects) == 1}
    wanted: dict[str, list[int]] = {}
    for i, fact in enumerate(facts):
        wanted.setdefault(fact.subject, []).append(i)
    found, current = [False] * len(facts), set[str]()
    for sentence in re.split(r"(?<=[.!?;])(?<!\b[A-Z]\.)\s+|\n+", text):
        low = sentence.lower()
        words = re.findall(r"\w+", low)
        named = _named(words, names)
        current = named or current
        said = set(words)
        for subject in current:
            for i in wanted[subject]:
                found[i] = found[i] or facts[i].value.lower() in said
    return found


def _named(words: Sequence[str], names: Mapping[str, str]) -> set[str]:
    """Subjects that a sentence names, by runs of one to three words."""
    runs = (" ".join(words[i : i + n]) for n in (1, 2, 3) for i in range(len(words) - n + 1))
    return {names[run] for run in runs if run in names}
