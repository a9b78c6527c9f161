"""Exercises of an exam: pairs of question and answer of invented kinds or of any instruction data set, and wrong answers."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from leadline.data import lexicon
from leadline.data.published import rows_of
from leadline.data.world import RELATIONS, World
from leadline.nouns import UserError
from leadline.tasks import _short


@dataclass(frozen=True)
class Pair:
    """A question with its answer and a wrong one of the same kind."""

    question: str
    right: str
    wrong: str


@dataclass(frozen=True)
class Exercise:
    """Questions of one kind under one instruction."""

    name: str
    instruction: str
    pair: Callable[[int, int], Pair | None]
    """Pair number i of a seed; None where there is no more."""


def _another(rng: random.Random, pool: Any, *but: str) -> str:
    return rng.choice([str(v) for v in pool if str(v) not in but])


def _reading(rng: random.Random, world: World) -> Pair:
    facts = rng.sample(world.facts("person", rng.randrange(20_000)), 3)
    asked = rng.choice(facts)
    pool = next(r.pool for r in RELATIONS["person"] if r.name == asked.relation)
    named = {"year": range(1720, 1990), "number": range(100, 1000)}.get(pool, pool) if isinstance(pool, str) else pool
    if pool == "person":
        named = [world.name("person", rng.randrange(20_000)) for _ in range(2)]
    told = " ".join(f.text for f in facts)
    return Pair(f"{told} {asked.question}", asked.value, _another(rng, named, asked.value))


def _sorts(rng: random.Random, world: World) -> Pair:
    sorts = {"animal": lexicon.ANIMALS, "instrument": lexicon.INSTRUMENTS, "color": lexicon.COLORS, "job": lexicon.PROFESSIONS}
    kind = rng.choice(list(sorts))
    who = world.name("person", rng.randrange(20_000))
    said = rng.choice(('{who} wrote the word "{x}" on the wall.', '"{x}" was the first word that {who} learned.'))
    return Pair(said.format(who=who, x=rng.choice(sorts[kind])), kind, _another(rng, sorts, kind))


def _inference(rng: random.Random, world: World) -> Pair:
    one, other = rng.sample(
        [f for f in world.facts("person", rng.randrange(20_000)) if f.relation in ("town", "job", "pet", "color")], 2
    )
    label = rng.choice(("yes", "no", "not said"))
    relation = next(r for r in RELATIONS["person"] if r.name == one.relation)
    denied = relation.statement.format(n=one.subject, v=_another(rng, relation.pool, one.value))
    claim = {"yes": one.text, "no": denied, "not said": other.text}[label]
    return Pair(f"It is known: {one.text} Claim: {claim}", label, _another(rng, ("yes", "no", "not said"), label))


def _names(rng: random.Random, world: World) -> Pair:
    first, second, third = (world.name("person", i) for i in rng.sample(range(20_000), 3))
    town = rng.choice(lexicon.TOWNS)
    told = rng.choice(("{a} wrote to {b} from {t}.", "In {t}, {a} met {b}.", "{a} and {b} left {t} together."))
    wrong = rng.choice((f"{first}, {third}", f"{third}, {second}", f"{first}, {town}"))
    return Pair(told.format(a=first, b=second, t=town), f"{first}, {second}", wrong)


def _dates(rng: random.Random, world: World) -> Pair:
    day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(1720, 1989)

    def figures(d: int, m: int) -> str:
        return f"{year}-{m:02}-{d:02}"

    wrong = rng.choice((figures(day, month % 12 + 1), figures(day % 28 + 1, month)))
    return Pair(f"{day} {lexicon.MONTHS[month - 1]} {year}", figures(day, month), wrong)


def _odd(rng: random.Random, world: World) -> Pair:
    usual, other = rng.sample((lexicon.ANIMALS, lexicon.INSTRUMENTS, lexicon.COLORS, lexicon.PROFESSIONS), 2)
    odd, rest = rng.choice(other), rng.sample(usual, 3)
    words = rng.sample([odd, *rest], 4)
    return Pair(", ".join(words), odd, rng.choice(rest))


def _prices(rng: random.Random, world: World) -> Pair:
    things, prices = rng.sample(lexicon.PRODUCTS, 4), rng.sample(range(10, 100), 4)
    most = max(zip(prices, things, strict=True))[1]
    return Pair("; ".join(f"{t} {p}" for t, p in zip(things, prices, strict=True)), most, _another(rng, things, most))


KINDS: dict[str, tuple[str, Callable[[random.Random, World], Pair]]] = {
    "reading": ("Answer the question about the text in a word or a name.", _reading),
    "classification": ("Say what the word in quotes is: an animal, an instrument, a color or a job.", _sorts),
    "inference": ("Say whether the claim follows from what is known: yes, no or not said.", _inference),
    "names": ("List the names of the two people in the sentence, in their order, with a comma between them.", _names),
    "dates": ("Write the date in figures, year first, as in 1801-12-24.", _dates),
    "common sense": ("Say which of the four words does not belong with the others.", _odd),
    "reasoning": ("Say which of the four goods has the highest price.", _prices),
}
"""Invented kinds of exercise: what is to be done, and how a pair is made."""


def _maker(name: str) -> Callable[[int, int], Pair]:
    def pair(i: int, seed: int) -> Pair:
        return KINDS[name][1](random.Random(f"exam/{name}/{seed}/{i}"), World(seed))

    return pair


INVENTED = tuple(Exercise(name, KINDS[name][0], _maker(name)) for name in KINDS)


@lru_cache(maxsize=8)
def read(data: str, columns: str, task: str) -> tuple[Exercise, ...]:
    """The exercises of data sets: Super-NaturalInstructions' task files, BIG-bench's, or rows of question and answer with or
    without an instruction. A kind of exercise in which all answers are the same is left out.

    Args:
        data: files or hub data sets, with commas between them.
        columns: own names of columns, as in 'input=problem,answer=solution'.
        task: who asks, for errors.

    Raises:
        UserError: none of them can be examined, or a row lacks a column, with its place.
    """  # noqa: D205
    given = _short.columns_of(columns, ("instruction", "input", "answer", "context"), task)
    found: dict[tuple[str, str], dict[str, tuple[str, ...]]] = {}
    for spec in filter(None, map(str.strip, data.split(","))):
        stem = spec.rpartition("/")[2].partition(".")[0]
        for place, row in rows_of(spec):
            if isinstance(row, Mapping) and "Instances" in row:
                told = " ".join(_short.texts_of(row.get("Definition") or ""))
                cases = [(told, i["input"], _short.texts_of(i["output"])) for i in row["Instances"]]
            elif isinstance(row, Mapping) and isinstance(row.get("examples"), list):
                told = str(row.get("task_prefix") or row.get("description") or "")
                cases = [(told, e["input"], _bigbench(e)) for e in row["examples"]]
            else:
                told = str(_short.pick(row, "instruction", place, given) or "")
                context = _short.pick(row, "context", place, given) if "context" in given or "context" in row else None
                asked = str(_short.need(row, "input", place, given))
                answers = _short.texts_of(_short.need(row, "answer", place, given))
                cases = [(told, f"{context}\n{asked}" if context else asked, answers)]
            for told, asked, answers in cases:
                if answers:
                    found.setdefault((stem, told), {}).setdefault(" ".join(str(asked).split()), answers)
    exercises = tuple(
        Exercise(stem, told or "Answer the question.", _drawn(pairs, f"{stem}/{told}"))
        for (stem, told), pairs in found.items()
        if len({a[0].lower() for a in pairs.values()}) > 1
    )
    if not exercises:
        raise UserError(f"{task}: {data} holds no kind of question with two different answers, so no answer can be made wrong")
    return exercises


def _bigbench(example: Mapping[str, Any]) -> tuple[str, ...]:
    if "target_scores" in example:
        return tuple(str(k) for k, v in example["target_scores"].items() if v == 1)
    return _short.texts_of(example["target"])


def _drawn(pairs: Mapping[str, tuple[str, ...]], name: str) -> Callable[[int, int], Pair | None]:
    """Pairs in an order drawn by the seed; a wrong answer is that of another pair which this one does not accept."""
    asked, given = list(pairs), list(dict.fromkeys(a[0] for a in pairs.values()))

    def pair(i: int, seed: int) -> Pair | None:
        if i >= len(asked):
            return None
        question = asked[_order(len(asked), f"{name}/{seed}")[i]]
        accepted = {" ".join(a.lower().split()) for a in pairs[question]}
        rng = random.Random(f"wrong/{name}/{seed}/{i}")
        others = [a for a in rng.sample(given, min(len(given), 32)) if " ".join(a.lower().split()) not in accepted]
        others = others or [a for a in given if " ".join(a.lower().split()) not in accepted]
        # A pair that accepts all answers of its kind can only stay right.
        return Pair(question, pairs[question][0], others[0] if others else "")

    return pair


@lru_cache(maxsize=64)
def _order(n: int, name: str) -> tuple[int, ...]:
    return tuple(random.Random(name).sample(range(n), n))
