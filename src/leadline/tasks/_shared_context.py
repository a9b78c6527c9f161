"""Contexts with several questions, made from nothing: what SCBench draws from random strings, variables, numbers and shots.

A session says what is asked over one context, turn by turn, and where each answer lies. Knows nothing of conversations,
prompts and tokenizers; evidence that fills the context (numbers, shots) is drawn by name when its room is known.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import Any

from leadline.data import lexicon, prose, strings
from leadline.data.phrasings import NEEDLE, QA, RECORD, SUMMARY, VARIABLE
from leadline.data.world import KINDS, World
from leadline.tasks.base import PASSAGE


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One question over a context."""

    question: str
    answers: tuple[str, ...]
    room: int
    """For the answer [tokens]."""
    said: str = ""
    """The right answer as it stands in a conversation; the answers if empty."""
    prefill: str = ""
    evidence: tuple[str, ...] = ()
    part: str = ""
    """What it belongs to where a session mixes two tasks."""
    single_line: bool = True
    choices: tuple[str, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def told(self) -> str:
        """The right answer as it stands in a conversation."""
        return self.said or ", ".join(self.answers)


@dataclass(frozen=True, kw_only=True)
class Session:
    """A context and what is asked over it, in this order."""

    name: str
    instruction: str
    asks: tuple[Ask, ...]
    noise: str = "none"
    form: str = "{text}"
    ordered: bool = False
    distractors: tuple[str, ...] = ()
    """Beside the evidence of the other questions."""
    avoid: tuple[str, ...] = ()
    facets: Mapping[str, str] = field(default_factory=dict)


def pairs(name: str, place: int, seed: int, turns: int, rng: random.Random, keys: str) -> Session:
    """Values of keys: of a JSON object of random pairs, or in records that smaller models read."""
    if keys == "words":
        told = [(prose.key(place + i, seed), rng.choice(prose.ATTRIBUTES), prose.value(rng)) for i in range(turns)]
        asks = tuple(
            Ask(
                question=RECORD.questions[0].format(key=k, attribute=a),
                answers=(v,),
                said=f"{v}.",
                room=24,
                prefill=RECORD.prefill.format(key=k, attribute=a),
                evidence=(RECORD.statements[0].format(key=k, attribute=a, value=v),),
            )
            for k, a, v in told
        )
        avoid = tuple(word for k, a, v in told for word in (f"{a} of {k}", v))
        return Session(name=name, instruction=RECORD.instruction, asks=asks, noise="records", avoid=avoid)
    drawn = [prose.uuid_pair(rng) for _ in range(turns)]
    asks = tuple(
        Ask(
            question=f'Which value belongs to the key "{k}"?',
            answers=(v,),
            room=150,
            prefill="The value is",
            evidence=(f'"{k}": "{v}"',),
        )
        for k, v in drawn
    )
    told_of = "Below are the pairs of keys and values of a JSON object. Find the values of the keys that are asked for."
    return Session(name=name, instruction=told_of, asks=asks, noise="uuids", avoid=tuple(x for pair in drawn for x in pair))


def ends(name: str, place: int, seed: int, turns: int, rng: random.Random, keys: str) -> Session:
    """Strings that begin and end in a given way, among some that do only one of both."""
    asks, near = [], []
    for _ in range(turns):
        wanted = strings.drawn(rng, rng.randrange(20, 41))
        head, tail = wanted[:5], wanted[-5:]
        near += [head + strings.drawn(rng, rng.randrange(15, 36)) for _ in range(2)]
        near += [strings.drawn(rng, rng.randrange(15, 36)) + tail for _ in range(2)]
        asks.append(
            Ask(
                question=f'Which string of the list begins with "{head}" and ends with "{tail}"?',
                answers=(wanted,),
                room=150,
                prefill="The string is",
                evidence=(wanted,),
            )
        )
    told_of = "Below is a list of strings, one on each line. Find the strings that are asked for."
    avoid = tuple(a.answers[0][:5] for a in asks)
    return Session(
        name=name, instruction=told_of, asks=tuple(asks), noise="strings", distractors=tuple(near), avoid=avoid
    )  # fmt: skip


CHAIN = 4
"""Variables of a chain."""


def variables(name: str, place: int, seed: int, turns: int, rng: random.Random, keys: str) -> Session:
    """A chain of assignments for each question."""
    names: dict[str, None] = {}
    while len(names) < CHAIN * turns:
        names["".join(rng.choices(ascii_uppercase, k=5))] = None
    chains = [list(names)[i * CHAIN : (i + 1) * CHAIN] for i in range(turns)]
    values = rng.sample(range(10_000, 100_000), turns)
    asks = tuple(
        Ask(
            question=VARIABLE.questions[0].format(value=value),
            answers=tuple(chain),
            room=8 * CHAIN + 8,
            prefill=VARIABLE.prefill.format(value=value),
            evidence=tuple(
                VARIABLE.statements[0].format(name=x, value=f"VAR {chain[i - 1]}" if i else value) for i, x in enumerate(chain)
            ),
            meta={"hops": CHAIN},
        )
        for chain, value in zip(chains, values, strict=True)
    )
    return Session(
        name=name, instruction=VARIABLE.instruction, asks=asks, noise="prose", ordered=True, avoid=("VAR ",)
    )  # fmt: skip


STATISTICS: dict[str, Callable[[Sequence[int]], float]] = {
    "largest number": lambda x: x[-1],
    "second largest number": lambda x: x[-2],
    "third largest number": lambda x: x[-3],
    "smallest number": lambda x: x[0],
    "second smallest number": lambda x: x[1],
    "third smallest number": lambda x: x[2],
    "median": lambda x: x[len(x) // 2] if len(x) % 2 else (x[len(x) // 2 - 1] + x[len(x) // 2]) / 2,
}
"""Of sorted numbers, as often as they stand in the list."""


def numbers(name: str, place: int, seed: int, turns: int, rng: random.Random, keys: str) -> Session:
    """Statistics of a list of numbers that fills the context."""
    asks = tuple(
        Ask(
            question=f"What is the {which} in the list? Reply with the number alone.",
            answers=("0000",),
            room=24,
            prefill=f"The {which} in the list is",
            meta={"statistic": which},
        )
        for which in rng.sample(list(STATISTICS), turns)
    )
    told_of = "Below is a long list of numbers. Equal numbers count as often as they stand in it."
    return Session(name=name, instruction=told_of, asks=asks, ordered=True)


ROW = 20
"""Numbers on a line."""


def number_rows(name: str, room: int, count: Callable[[str], int]) -> list[str]:
    """Lines of numbers that fill `room` tokens nearly; the same ones whoever asks."""
    rng, drawn = random.Random(f"numbers/{name}"), list[int]()

    def line(i: int) -> str:
        while len(drawn) < (i + 1) * ROW:
            drawn.append(rng.randrange(1, 10_000))
        return ", ".join(map(str, drawn[i * ROW : (i + 1) * ROW])) + ","

    rows = filled(line, room, count)
    left = room - (count("\n".join(rows)) if rows else 0)
    more: list[str] = []
    for number in line(len(rows)).rstrip(",").split(", "):
        # Where a number no longer fits, a shorter one may.
        options = (", ".join([*more, n]) for n in (number, number[:1]))
        if not (fits := next((text for text in options if count(text) <= left), None)):
            break
        more = fits.split(", ")
    rows += [", ".join(more)] if more else []
    if rows:
        rows[-1] = rows[-1].rstrip(",")
    return rows


def filled(draw: Callable[[int], str], room: int, count: Callable[[str], int], join: str = "\n") -> list[str]:
    """As many texts as fit into `room` tokens, counted as one text a few times."""
    texts = [draw(i) for i in range(16)]
    each = count(join.join(texts)) / len(texts)
    n, best = int(room / each), 0
    for _ in range(8):
        if n <= best:
            break
        texts += [draw(i) for i in range(len(texts), n)]
        taken = count(join.join(texts[:n]))
        if taken <= room:
            best, n = n, n + int((room - taken) / each)
        else:
            n -= max(1, -int((room - taken) // each))
    return texts[:best]


LETTERS = "ABCDE"
_MONTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def _options(rng: random.Random, right: str, others: Sequence[str]) -> tuple[str, str]:
    """Five lettered options, and the letter of the right one."""
    listed = [right, *others]
    rng.shuffle(listed)
    told = " ".join(f"({letter}) {one}" for letter, one in zip(LETTERS, listed, strict=True))
    return told, LETTERS[listed.index(right)]


def swapped(rng: random.Random) -> tuple[str, str]:
    """Five people swap things: a question with its options, and the letter of the answer."""
    who = rng.sample(lexicon.FIRST_NAMES, 5)
    things = rng.sample(lexicon.COLORS, 5)
    has = dict(zip(who, things, strict=True))
    began = ", ".join(f"{p} a {c} one" for p, c in has.items())
    told = []
    for _ in range(rng.randrange(2, 5)):
        a, b = rng.sample(who, 2)
        has[a], has[b] = has[b], has[a]
        told.append(f"{a} and {b} swap balls.")
    asked = rng.choice(who)
    listed, letter = _options(rng, has[asked], [c for c in things if c != has[asked]])
    return f"Everyone holds a ball: {began}. {' '.join(told)} Which ball does {asked} hold at the end? {listed}", letter


def dated(rng: random.Random) -> tuple[str, str]:
    """A date some days away from another."""
    month, year = rng.randrange(12), rng.randrange(1900, 2000)
    day, away = rng.randrange(1, _MONTHS[month] + 1), rng.randrange(2, 25)

    def told(shift: int) -> str:
        d, m, y = day + shift, month, year
        while d > _MONTHS[m]:
            d, m = d - _MONTHS[m], m + 1
            m, y = m % 12, y + m // 12
        while d < 1:
            m, y = (m - 1) % 12, y - (m == 0)
            d += _MONTHS[m]
        return f"{d} {lexicon.MONTHS[m]} {y}"

    back = rng.random() < 0.5
    right = -away if back else away
    others = rng.sample([s for s in (-away - 1, -away, -away + 1, away - 1, away, away + 1, away + 7) if s != right], 4)
    listed, letter = _options(rng, told(right), [told(s) for s in others])
    way = "before" if back else "after"
    return f"In a calendar without leap days, which date is {away} days {way} {told(0)}? {listed}", letter


SHOTS = {"swapped balls": swapped, "dates": dated}
"""As in BIG-Bench Hard's shuffled objects and date understanding; in our own words."""


def shots(name: str, place: int, seed: int, turns: int, rng: random.Random, keys: str) -> Session:
    """Questions of one kind after many of the same kind with their answers, which fill the context."""
    kind = list(SHOTS)[place // turns % len(SHOTS)]
    asks = []
    for _ in range(turns):
        question, letter = SHOTS[kind](rng)
        asks.append(
            Ask(question=f"Question: {question}", answers=(f"({letter})",), room=24, prefill="Answer:", choices=tuple(LETTERS))
        )
    told_of = "Below are questions with their answers. Answer the questions that follow in the same way."
    return Session(name=name, instruction=told_of, asks=tuple(asks), ordered=True, facets={"shots": kind})


def shown(name: str, kind: str, room: int, count: Callable[[str], int]) -> list[str]:
    """Shots that fill `room` tokens nearly; a story before the first closes the gap."""

    def shot(i: int) -> str:
        question, letter = SHOTS[kind](random.Random(f"shots/{name}/{i}"))
        return f"Question: {question}\nAnswer: ({letter})\n"

    texts = filled(shot, room, count)
    if not texts:
        return []
    left = room - count("\n".join(texts))
    rng = random.Random(f"story/{name}")
    words = " ".join(prose.sentence(rng) for _ in range(1 + left // 6)).split()
    low, high = 0, len(words)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count(_story(words[:middle])) <= left else (low, middle - 1)
    if low:
        texts[0] = texts[0].replace("Question: ", f"Question: {_story(words[:low])} ", 1)
    return texts


def _story(words: Sequence[str]) -> str:
    return " ".join(words).rstrip(".,") + "."


def facts(name: str, place: int, seed: int, turns: int, rng: random.Random, keys: str) -> Session:
    """A fact of each of several documents, in free words."""
    asks, avoid = [], []
    for i in range(turns):
        document = World(seed).document(place + i)
        fact = rng.choice(document.facts)
        avoid.append(document.subject)
        asks.append(
            Ask(
                question=fact.question,
                answers=(fact.value,),
                said=f"{fact.value}.",
                room=40,
                prefill=fact.prefill,
                evidence=(document.text,),
            )
        )
    return Session(
        name=name, instruction=QA.instruction, asks=tuple(asks), noise="passages", form=PASSAGE, avoid=tuple(avoid)
    )  # fmt: skip


def choices(name: str, place: int, seed: int, turns: int, rng: random.Random, keys: str) -> Session:
    """The same with four options."""
    free = facts(name, place, seed, turns, rng, keys)
    asks = []
    for i, one in enumerate(free.asks):
        kind = KINDS[(place + i) % 3]
        known = World(seed).facts(kind, place + i)
        relation = next(f.relation for f in known if f.question == one.question)
        others: dict[str, None] = {}
        while len(others) < 3:
            drawn = next(f for f in World(seed).facts(kind, rng.randrange(80_000)) if f.relation == relation).value
            others |= {drawn: None} if drawn != one.answers[0] else {}
        listed = [one.answers[0], *others]
        rng.shuffle(listed)
        letter = LETTERS[listed.index(one.answers[0])]
        told = "\n".join(f"{x}. {text}" for x, text in zip(LETTERS, listed, strict=False))
        asks.append(
            Ask(
                question=f"{one.question}\n{told}\nReply with the letter of the right option.",
                answers=(letter,),
                said=f"{letter}.",
                room=40,
                prefill="The letter of the right option is",
                evidence=one.evidence,
                choices=tuple("ABCD"),
                meta={"text": one.answers[0]},
            )
        )
    return Session(
        name=name, instruction=QA.instruction, asks=tuple(asks), noise="passages", form=PASSAGE, avoid=free.avoid
    )  # fmt: skip


def _summary(place: int, seed: int) -> Ask:
    document = World(seed).document(place)
    told = " ".join(f.text for f in document.facts)
    return Ask(
        question=SUMMARY.questions[0].format(subject=document.subject, sentences=len(document.facts)),
        answers=(told,),
        room=32 * len(document.facts),
        prefill=SUMMARY.prefill,
        evidence=(document.text,),
        part="summary",
        single_line=False,
        meta={"facts": [f.value for f in document.facts], "sentences": len(document.facts), "subject": document.subject},
    )


def summaries(name: str, place: int, seed: int, turns: int, rng: random.Random, keys: str) -> Session:
    """Summaries of several documents, checked fact by fact."""
    asks = tuple(_summary(place + i, seed) for i in range(turns))
    avoid = tuple(a.meta["subject"] for a in asks)
    return Session(name=name, instruction=SUMMARY.instruction, asks=asks, noise="passages", form=PASSAGE, avoid=avoid)


def summaries_and_needles(name: str, place: int, seed: int, turns: int, rng: random.Random, keys: str) -> Session:
    """Summaries and codes in turn."""
    asks, avoid = [], []
    for i in range(turns):
        if i % 2 == 0:
            asks.append(_summary(place + i, seed))
            avoid.append(asks[-1].meta["subject"])
            continue
        key, value = prose.key(place + i, seed), prose.value(rng)
        avoid += [key, value]
        asks.append(
            Ask(
                question=NEEDLE.questions[0].format(key=key),
                answers=(value,),
                said=f"{value}.",
                room=24,
                prefill=NEEDLE.prefill.format(key=key),
                evidence=(NEEDLE.statements[0].format(key=key, value=value),),
                part="needle",
            )
        )
    told_of = "Read the passages. You will be asked to summarize some of them, and for codes that stand among them."
    return Session(
        name=name, instruction=told_of, asks=tuple(asks), noise="passages", form=PASSAGE, avoid=tuple(avoid)
    )  # fmt: skip
