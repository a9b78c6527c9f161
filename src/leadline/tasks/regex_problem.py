"""Regular expressions: do two denote one language, which is the smallest, and is one long union still the other.

RegexEQ and RegexMin of RegexPSPACE (Jin, Hahn, Han 2025, arXiv:2510.09227; code yonsei-toc/RegexPSPACE, no licence: nothing
of it is here): two PSPACE-complete problems over letters a to d. Problems are drawn, and every label comes from automata:
equivalence by walking both, minimality by having enumerated all smaller expressions; replies are judged the same way, never
as strings. What is asked stands among other expressions under names of their own; the published rows are asked alone.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from leadline.data import prose
from leadline.data.expressions import PAIR, SINGLE
from leadline.data.published import demand, rows_of
from leadline.nouns import Answer, Item, Score, UserError
from leadline.scoring.automata import Node, parse, show, size
from leadline.scoring.regex_metrics import expression, minimised, verdict
from leadline.tasks import _regexes as regexes
from leadline.tasks.base import Task

RULES = (
    "Below are formal regular expressions over the letters a, b, c and d. Letters side by side follow one another, x+y is "
    "either x or y, x* is x any number of times or not at all, x? is x once or not at all, and parentheses group."
)
QUESTIONS = {
    "eq": "Do the two expressions of the pair {key} match exactly the same words? Answer True or False in \\boxed{{}}.",
    "min": (
        "Find a smallest expression that matches exactly the same words as the expression {key}. Its size is the number of "
        "letters, of signs +, * and ?, and of concatenations; parentheses do not count. Answer in \\boxed{{}}."
    ),
    "union": (
        "Each of the two texts above is one expression, written line by line: every line stands for a word followed by an "
        "expression, and the whole matches what any of its lines matches. Do both match exactly the same words? "
        "Answer True or False in \\boxed{}."
    ),
}
COLUMNS: dict[str, type | tuple[type, ...]] = {
    "query": str,
    "minimized_regex": str,
    "equivalent_regex": str,
    "not_equivalent_regex": str,
}


@dataclass(frozen=True, kw_only=True)
class RegexProblem(Task):
    """Equivalence or minimisation of formal regular expressions.

    Attributes:
        kind: `eq` (are two equivalent), `min` (find a smallest), or `union` (are two long unions equivalent, of which at
            most one line differs; they fill the context).
        misses: what a pair that is not equivalent is made of: `far` (any two over the same letters, as published) or `near`
            (one small change).
        data: published rows, a path to RegexPSPACE.jsonl; empty for problems that are drawn.
        noise: `none` (asked alone), `expressions` (among others), or `auto`: none for published rows.
        peer: read replies as the authors' code does.
    """

    kind: str = "eq"
    misses: str = "far"
    data: str = ""
    noise: str = "auto"
    peer: bool = False

    ability = "reasoning"
    minimum = 1024

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("kind", tuple(QUESTIONS))
        self.check("misses", ("far", "near"))
        self.check("noise", ("auto", "none", "expressions"))
        if self.kind == "union" and (self.data or self.noise != "auto"):
            raise UserError(f"{self.id}: kind=union is drawn and fills the context by itself; leave out data and noise")
        alone = self.noise == "none" or (self.noise == "auto" and bool(self.data))
        kinds: dict[str, Any] = {"natural": alone, "grows": self.kind == "union", "chance": 0.0 if self.kind == "min" else 0.5}
        if self.kind == "union":
            kinds |= {"diffusion": "high", "scope": "high"}
        for name, value in kinds.items():
            object.__setattr__(self, name, value)

    def items(self, n: int, seed: int = 0) -> list[Item]:
        if self.data and n > (there := len(_rows(self.data)) * (2 if self.kind == "eq" else 1)):
            raise UserError(f"{self.id}: {self.data} holds {there} problems of this kind; ask for at most that many")
        return super().items(n, seed)

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        if self.kind == "union":
            return self._item("", "", str(rng.random() < 0.5), {"seed": f"{seed}/{index}/{rng.random()}"})
        key = prose.key(rng.randrange(1 << 20), seed)
        if self.kind == "eq":
            one, two, same = self._pair(index, seed, rng)
            return self._item(key, PAIR.format(key=key, one=one, two=two), str(same), {"query": one})
        query, label = self._published(index, seed) if self.data else map(show, regexes.minimal(rng))
        meta = {"query": query, "fewest": size(parse(label))}
        return self._item(key, SINGLE.format(key=key, one=query), label, meta)

    def _pair(self, index: int, seed: int, rng: random.Random) -> tuple[str, str, bool]:
        same = index % 2 == 0
        if not self.data:
            one, two = regexes.pair(rng, same, self.misses == "near")
            return show(one), show(two), same
        row = _rows(self.data)[_shuffled(len(_rows(self.data)), seed)[index // 2 % len(_rows(self.data))]]
        return row["query"], row["equivalent_regex" if same else "not_equivalent_regex"], same

    def _published(self, index: int, seed: int) -> tuple[str, str]:
        rows = _rows(self.data)
        row = rows[_shuffled(len(rows), seed)[index % len(rows)]]
        return row["query"], row["minimized_regex"]

    def _item(self, key: str, record: str, answer: str, meta: Mapping[str, Any]) -> Item:
        noise = (
            "none" if self.natural or self.kind == "union" else f"expressions(kind={'pair' if self.kind == 'eq' else 'single'})"
        )
        facets = {"truth": answer} if self.kind != "min" else {"smallest": f"{meta['fewest']} nodes"}
        return Item(
            id="",
            task="",
            instruction=RULES,
            question=QUESTIONS[self.kind].format(key=key) if key else QUESTIONS[self.kind],
            answers=(answer,),
            evidence=(record,) if record else (),
            noise=noise,
            ordered=True,
            avoid=(key,) if key else (),
            prefill="Answer:",
            answer_tokens=128 if self.kind == "min" else 64,
            choices=() if self.kind == "min" else ("True", "False"),
            meta=meta,
            facets=facets,
        )

    def compose(self, item: Item, room: int, count: Callable[[str], int]) -> Item:
        """Two unions of as many lines as fit; what room is left goes into a longer word in both."""
        seed, same, near = item.meta["seed"], item.answers[0] == "True", self.misses == "near"
        heads = sum(count(f"{name} expression:") for name in ("First", "Second"))
        costs: list[int] = []
        scale, lines, spare = 1.0, 2, 0
        for _ in range(3):
            while scale * (heads + sum(costs)) <= room:
                word, one, two = _parts(seed, len(costs) + 1)[-1]
                costs.append(count(f"{word}({one}) +") + count(f"{word}({two}) +"))
            while len(costs) > 2 and scale * (heads + sum(costs)) > room:
                costs.pop()
            lines = max(2, len(costs))
            used = sum(map(count, _unions(seed, lines, same, near)))
            scale, spare = used / max(1, heads + sum(costs)), room - used
        rng, tail, plain = random.Random(f"{seed}/tail"), "", _parts(seed, 1)[0][0]
        while spare > 0:
            longer = tail + rng.choice("abcd")
            if 2 * (count(plain + longer) - count(plain)) > spare:
                break
            tail = longer
        return dataclasses.replace(item, evidence=_unions(seed, lines, same, near, tail))

    def gold(self, answers: Sequence[str], item: Item) -> str:
        return f"\\boxed{{{answers[0]}}}"

    def wrong(self, answers: Sequence[str], item: Item, rng: random.Random) -> str:
        if self.kind != "min":
            return f"\\boxed{{{rng.choice(('True', 'False'))}}}"
        return f"\\boxed{{{item.meta['query']}}}"

    def extract(self, text: str, item: Item) -> str | None:
        if self.kind != "min":
            return verdict(text, peer=self.peer)
        found = expression(text, item.meta["query"], peer=self.peer)
        return None if found is None else show(found)

    def grade(self, found: str, answers: Sequence[str], item: Item) -> float:
        if self.kind != "min":
            return float(found == answers[0])
        return minimised(parse(found), parse(item.meta["query"]), item.meta["fewest"])["minimal"]

    def score(self, answers: Sequence[str], item: Item, answer: Answer) -> Score:
        """With the published figures of RegexMin beside it, for which an answer that is none counts as not equivalent."""
        plain = super().score(answers, item, answer)
        if plain.value is None or self.kind != "min":
            return plain
        found = parse(plain.extracted) if plain.audit == "answered" else None
        return dataclasses.replace(plain, parts=minimised(found, parse(item.meta["query"]), item.meta["fewest"]))


@lru_cache(maxsize=8)
def _rows(data: str) -> tuple[Mapping[str, str], ...]:
    rows = []
    for place, row in rows_of(data):
        demand(row, COLUMNS, "RegexPSPACE", place)
        for column in COLUMNS:
            try:
                parse(row[column])
            except ValueError as error:
                raise UserError(f"{place}: {column} is no expression ({error})") from error
        rows.append(row)
    if not rows:
        raise UserError(f"{data!r} holds no rows")
    return tuple(rows)


@lru_cache(maxsize=8)
def _shuffled(n: int, seed: int) -> tuple[int, ...]:
    return tuple(random.Random(seed).sample(range(n), n))


@lru_cache(maxsize=64)
def _unions(seed: str, lines: int, same: bool, near: bool, tail: str = "") -> tuple[str, str]:
    """Two unions over words that differ: the second in another order and other forms, and one line of it odd unless `same`.

    The words are of one length and differ, so that the unions are equal where what stands behind each word is.
    """
    parts = _parts(seed, lines)
    rng = random.Random(f"{seed}/{lines}")
    odd = -1 if same else rng.randrange(lines)
    texts: list[list[str]] = [[], []]
    for i, (word, one, two) in enumerate(parts):
        word += "" if i else tail
        texts[0].append(f"{word}({one})")
        texts[1].append(f"{word}({show(regexes.other(parse(one), rng, near)) if i == odd else two})")
    rng.shuffle(texts[1])
    first, second = (" +\n".join(some) for some in texts)
    return f"First expression:\n{first}", f"Second expression:\n{second}"


def _parts(seed: str, lines: int) -> list[tuple[str, str, str]]:
    """(word, expression, another expression of its language), line by line; more lines begin with the fewer."""
    have, words = _growing(seed)
    while len(have) < lines:
        rng = random.Random(f"{seed}/line/{len(have)}")
        word = "".join(rng.choices("abcd", k=8))
        while word in words:
            word = "".join(rng.choices("abcd", k=8))
        one, label = rng.choice(_stock())
        words.add(word)
        have.append((word, show(one), show(label)))
    return have[:lines]


@lru_cache(maxsize=16)
def _growing(seed: str) -> tuple[list[tuple[str, str, str]], set[str]]:
    return [], set()


@lru_cache(maxsize=1)
def _stock() -> list[tuple[Node, Node]]:
    rng = random.Random("stock")
    return [regexes.minimal(rng) for _ in range(256)]
