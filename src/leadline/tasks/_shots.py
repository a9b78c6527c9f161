"""Demonstrations for learning in context: rows of a labelled data set in rounds, in LongICLBench's formats among others."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from leadline.data import lexicon, prose
from leadline.data.published import demand, rows_of
from leadline.nouns import UserError
from leadline.tasks import _short

FORMS = {
    "label": (
        "Text: {text}\nLabel: {answer}",
        "Which label does the last text have? Answer with its label alone.\nText: {text}",
        "Label:",
    ),
    "entities": (
        "Sentence: {text}\nEntities:\n{answer}",
        'Give the entities of the last sentence with their types, one "entity: type" a line as above.\nSentence: {text}',
        "",
    ),
    "dialogue": (
        "Dialogue: {text}\nRelations: {answer}",
        "Give the relation of each pair of the last dialogue, in the order of the pairs, with commas.\nDialogue: {text}",
        "Relations:",
    ),
}
"""By kind of row: a demonstration, the question, how the answer begins."""
SEEN = (
    "{time} {who} saw a {color} {animal}. {rest}", "{time} a {color} {animal} crossed the road in front of {who}. {rest}",
    "{rest} {time} {who} talked about a {color} {animal}.", "A {color} {animal} belonged to {who}. {rest}",
)  # fmt: skip


@dataclass(frozen=True)
class Shot:
    """A demonstration, or a query with its answer."""

    label: str
    """What rounds go by."""
    text: str
    answer: str
    kind: str = "label"

    @property
    def shown(self) -> str:
        """As it is written in the context."""
        return FORMS[self.kind][0].format(text=self.text, answer=self.answer) + "\n"


@lru_cache(maxsize=16)
def rows(spec: str, columns: str) -> tuple[Shot, ...]:
    """Rows of any of the formats, in their order."""
    first = next((row for _, row in rows_of(spec)), None)
    if isinstance(first, Mapping) and "entities" in first and not columns:
        shots = []
        for place, row in rows_of(spec):
            demand(row, {"sentence": str, "entities": Mapping}, "Few-NERD", place)
            pairs = {str(m): str(k) for m, k in row["entities"].items()}
            if pairs:
                told = "\n".join(f"{m}: {k}" for m, k in pairs.items())
                shots.append(Shot(next(iter(pairs.values())), row["sentence"], told, "entities"))
        return tuple(shots)
    if isinstance(first, Mapping) and "dialogue" in first and not columns:
        talks: dict[str, list[Mapping[str, str]]] = {}
        for place, row in rows_of(spec):
            demand(row, {"dialogue": str}, "DialogRE", place)
            for pair in row.get("relations") or [row]:
                demand(pair, {"relation": str, "subject_entity": str, "object_entity": str}, "DialogRE", place)
                talks.setdefault(row["dialogue"], []).append(pair)
        shots = []
        for dialogue, found in talks.items():
            asked = "; ".join(f"({p['subject_entity']}, {p['object_entity']})" for p in found)
            told = ", ".join(p["relation"] for p in found)
            shots.append(Shot(found[0]["relation"], f"{dialogue}\nPairs: {asked}", told, "dialogue"))
        return tuple(shots)
    return tuple(Shot(row.label, row.text, row.label) for row in _short.labelled(spec, columns, "licon-bench"))


@lru_cache(maxsize=8)
def split(data: str, demos: str, columns: str) -> tuple[tuple[Shot, ...], tuple[Shot, ...]]:
    """Demonstrations and queries; from one source every second row of each label is asked about."""
    if demos:
        return rows(demos, columns), rows(data, columns)
    seen: dict[str, int] = {}
    parts: tuple[list[Shot], list[Shot]] = ([], [])
    for shot in rows(data, columns):
        parts[seen.get(shot.label, 0) % 2].append(shot)
        seen[shot.label] = seen.get(shot.label, 0) + 1
    return tuple(parts[0]), tuple(parts[1])


def in_rounds(shots: Sequence[Shot]) -> list[Shot]:
    """One of each class in turn, in the order of the classes' first appearance; a class that has run out gives its turn to
    the next later one that has not.
    """  # noqa: D205
    piles: dict[str, list[Shot]] = {}
    for shot in reversed(shots):
        piles.setdefault(shot.label, []).append(shot)
    names, found = list(dict.fromkeys(s.label for s in shots)), list[Shot]()
    while len(found) < len(shots):
        for i in range(len(names)):
            name = next((n for n in names[i:] if piles[n]), None)
            if name is not None:
                found.append(piles[name].pop())
    return found


@dataclass(frozen=True)
class Source:
    """Where demonstrations and queries come from: data sets, or an endless invented one of so many classes."""

    data: str
    demos: str
    columns: str
    classes: int

    def labels(self, seed: int) -> tuple[str, ...]:
        """The classes in the order of their first demonstration."""
        return (
            tuple(dict.fromkeys(s.label for s in _round(self)))
            if self.data
            else tuple(c[0] for c in _classes(self.classes, seed))
        )

    def demonstrations(self, seed: int) -> Sequence[Shot]:
        """In the order of their rounds."""
        return _round(self) if self.data else _Endless(self, seed)

    def queries(self, seed: int) -> tuple[Shot, ...]:
        """Texts of the data to ask about, balanced over the classes: rounds of them, each shuffled."""
        return _queries(self, seed)

    def invented(self, which: int, seed: int, name: str) -> Shot:
        """A text of an invented class, the same for the same name."""
        label, color, animal = _classes(self.classes, seed)[which]
        return Shot(label, _text(color, animal, f"{name}/{seed}/{which}"), label)


class _Endless(Sequence[Shot]):
    """Invented demonstrations: class after class, round after round."""

    def __init__(self, source: Source, seed: int) -> None:
        self.source, self.seed = source, seed

    def __len__(self) -> int:
        return 1 << 24

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        return self.source.invented(at % self.source.classes, self.seed, f"demo/{at}")


@lru_cache(maxsize=1 << 16)
def _text(color: str, animal: str, name: str) -> str:
    rng = random.Random(name)
    filled = {"time": rng.choice(prose._TIMES) + ",", "who": rng.choice(prose._PEOPLE), "rest": prose.sentence(rng)}
    return rng.choice(SEEN).format(color=color, animal=animal, **filled)


@lru_cache(maxsize=16)
def _classes(n: int, seed: int) -> tuple[tuple[str, str, str], ...]:
    """Label, color and animal of each invented class."""
    rng = random.Random(f"classes/{seed}")
    pairs = rng.sample([(c, a) for c in lexicon.COLORS for a in lexicon.ANIMALS[:15]], n)
    labels: dict[str, None] = {}
    while len(labels) < n:
        word = "".join(rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(3)) + rng.choice("klmnrst")
        labels[word] = None
    return tuple((label, *pair) for label, pair in zip(labels, pairs, strict=True))


@lru_cache(maxsize=16)
def _round(source: Source) -> tuple[Shot, ...]:
    shots = in_rounds(split(source.data, source.demos, source.columns)[0])
    if len({s.label for s in shots}) < 2:
        raise UserError(f"licon-bench: {source.demos or source.data} holds demonstrations of fewer than two classes")
    return tuple(shots)


@lru_cache(maxsize=16)
def _queries(source: Source, seed: int) -> tuple[Shot, ...]:
    known = set(source.labels(seed))
    rounds = in_rounds([s for s in split(source.data, source.demos, source.columns)[1] if s.label in known])
    size = len({s.label for s in rounds})
    if not size:
        raise UserError(f"licon-bench: {source.data} holds no text to ask about with a label that the demonstrations have")
    rng, found = random.Random(seed), list[Shot]()
    for at in range(0, len(rounds), size):
        turn = rounds[at : at + size]
        found += rng.sample(turn, len(turn))
    return tuple(found)
