"""FreeFormQA and AlteredNumericQA: short answers in long documents, with answer and question in all places.

Giraffe's WikiQA, arXiv:2308.10882 (abacusai/Long-Context, Apache-2.0): six versions of each question, the answer in the first
tenth, the last or between, the question before or after the document. Altered: the answer and all its occurrences become
another number, a year one at most ten years off. Here from the invented world or from any questions on documents, with other
documents around; the published rows load too.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from leadline.data.altered import alter, number, occurrences
from leadline.data.published import demand, read, rows_of
from leadline.data.world import World
from leadline.nouns import Item, UserError
from leadline.scoring import extract
from leadline.scoring.needle_metrics import presence
from leadline.tasks.base import Task

PLACES = ("start", "random", "end")
_ABOVE, _ASK = "Answer from the text below in a few words: {question}", "Answer the question that was asked before the text."
_READ = "Read the text and answer the question at the end from it, in a few words."


@dataclass(frozen=True, kw_only=True)
class WikiQa(Task):
    """A short answer that stands in one place of a long text.

    Attributes:
        altered: only questions with a number for an answer, which is altered throughout.
        answer: where the answer lies: `start` (first tenth), `random` (between), `end` (last tenth), or `any` (in turn).
        question: where the question stands: `start`, `end`, or `any` (in turn).
        data: empty for the invented world; a data set in LongBench's or L-Eval's format; or a file of the published rows
            (`conversations`), which come at their own length.
        around: words of a data set's document that are kept around the answer, 20 to 100000.
        peer: score by presence as published: the answer stands in the reply, as part of a word or number too, and case counts.
    """

    altered: bool = False
    answer: str = "any"
    question: str = "any"
    data: str = ""
    around: int = 150
    peer: bool = False

    ability = "qa"
    scope = "middle"
    minimum = 1024

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("answer", (*PLACES, "any"))
        self.check("question", ("start", "end", "any"))
        self.check_range("around", 20, 100_000)
        object.__setattr__(self, "natural", bool(self.data) and _published(self.data))
        if self.data:
            object.__setattr__(self, "minimum", 1024 + 4 * self.around)

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        if self.natural:
            return self._row(index, seed)
        places = PLACES if self.answer == "any" else (self.answer,)
        sides = ("end", "start") if self.question == "any" else (self.question,)
        which, version = divmod(index, len(places) * len(sides))
        document, asked, answer, old, subject = self._asked(which, seed, len(places) * len(sides))
        place, before = places[version // len(sides)], sides[version % len(sides)] == "start"
        depth = {"start": 0.1, "random": 0.8, "end": 0.1}[place] * rng.random()
        depth += {"start": 0.0, "random": 0.1, "end": 0.9}[place]
        return Item(
            id="",
            task="",
            instruction=_ABOVE.format(question=asked) if before else _READ,
            question=_ASK if before else asked,
            answers=(answer,),
            evidence=(document,),
            noise="passages",
            depths=(depth,),
            avoid=tuple(filter(None, (subject, old))),
            prefill="Answer:",
            answer_tokens=64,
            single_line=True,
            cluster=f"{self.id}/{seed}/{which}",
            facets={"answer": place, "question": "start" if before else "end"},
            meta={"version": version, "seed": seed},
        )

    def _asked(self, which: int, seed: int, versions: int) -> tuple[str, str, str, str, str]:
        """Document, question, answer, the number that it was before, and what no other document may be about."""
        if self.data:
            rows = _questions(self.data, self.altered, self.around, seed)
            if which >= len(rows):
                raise UserError(
                    f"{self.id}: {self.data} has {len(rows)} questions whose answer {'is a number that ' * self.altered}stands "
                    f"in the document; each makes {versions} samples, so ask for at most {versions * len(rows)}"
                )
            return *rows[which], ""
        world = World(seed)
        document = world.document(which)
        rng = random.Random(f"wiki-qa/{seed}/{which}")
        facts = [f for f in document.facts if not self.altered or number(f.value) is not None]
        while not facts:
            which += 50_000
            document = world.document(which)
            facts = [f for f in document.facts if number(f.value) is not None]
        fact = rng.choice(facts)
        if not self.altered:
            return document.text, fact.question, fact.value, "", document.subject
        changed = alter(document.text, fact.question, fact.value, rng)
        assert changed is not None
        return *changed, fact.value, document.subject

    def _row(self, index: int, seed: int) -> Item:
        rows = _conversations(self.data, seed)
        if index >= len(rows):
            raise UserError(f"{self.id}: {self.data} holds {len(rows)} rows; ask for at most that many samples")
        place, prompt, answer = rows[index]
        head, _, tail = prompt.strip().rpartition("\n")
        return Item(
            id="",
            task="",
            instruction="",
            question=tail,
            answers=(answer,),
            evidence=(head,) if head else (),
            noise="none",
            answer_tokens=64,
            facets={"answer": PLACES[place % 6 // 2], "question": "start" if place % 2 else "end"},
            meta={"seed": seed, "row": place},
        )

    def wrong(self, answers: Sequence[str], item: Item, rng: random.Random) -> str:
        value = number(answers[0])
        return "none of them." if value is None else f"{value + rng.randint(11, 99)}."

    def extract(self, text: str, item: Item) -> str | None:
        """The answer where it stands in the reply, else the reply: an answer that more words follow was given in whole."""
        for answer in item.answers:
            if self._present(answer, text):
                return answer
        return extract.whole(text)

    def grade(self, found: str, answers: Sequence[str], item: Item) -> float:
        return presence(found, answers) if self.peer else float(any(self._present(answer, found) for answer in answers))

    def _present(self, answer: str, text: str) -> bool:
        if self.peer:
            return answer.strip() in text
        if (value := number(answer)) is not None:
            return bool(occurrences(value).search(text))
        return bool(re.search(rf"(?<!\w){re.escape(answer.strip().lower())}(?!\w)", text.lower()))


@lru_cache(maxsize=8)
def _published(spec: str) -> bool:
    """Whether a data set has the published form."""
    first = next(iter(rows_of(spec)), None)
    return first is not None and isinstance(first[1], Mapping) and "conversations" in first[1]


@lru_cache(maxsize=8)
def _conversations(spec: str, seed: int) -> tuple[tuple[int, str, str], ...]:
    """Place, prompt and answer of each published row."""
    rows = []
    for i, (place, raw) in enumerate(rows_of(spec)):
        demand(raw, {"conversations": list}, "Giraffe's WikiQA", place)
        said: list[Any] = raw["conversations"]
        if len(said) < 2 or not all(isinstance(turn, Mapping) and isinstance(turn.get("value"), str) for turn in said[:2]):
            raise UserError(f"{place}: in Giraffe's WikiQA 'conversations' holds a prompt and an answer, each with a 'value'")
        rows.append((i, said[0]["value"], said[1]["value"].strip()))
    random.Random(seed).shuffle(rows)
    return tuple(rows)


@lru_cache(maxsize=8)
def _questions(spec: str, altered: bool, around: int, seed: int) -> tuple[tuple[str, str, str, str], ...]:
    """Document, question, answer and former answer of the questions whose answer stands in their document."""
    found = []
    for i, row in enumerate(read(spec)):
        answer = next((a.strip() for a in row.answers if a.strip() and a.strip() in row.document), "")
        if not answer or not row.question:
            continue
        changed = (row.document, row.question, answer)
        if altered:
            changed = alter(row.document, row.question, answer, random.Random(f"wiki-qa/{spec}/{i}"))
            if changed is None:
                continue
        document, question, new = changed
        found.append((_cut(document, new, around), question, new, answer if altered else ""))
    random.Random(seed).shuffle(found)
    return tuple(found)


def _cut(document: str, answer: str, around: int) -> str:
    """So many words of a document as there are, or are asked for, with the answer's first place in their middle."""
    at = document.find(answer)
    if (value := number(answer)) is not None and (m := occurrences(value).search(document)):
        at = m.start()
    words = [m.span() for m in re.finditer(r"\S+", document)]
    middle = next(i for i, (_, end) in enumerate(words) if end > at)
    first = max(0, min(middle - around // 2, len(words) - around))
    last = min(len(words), first + max(around, middle - first + len(answer.split()))) - 1
    return document[words[first][0] : words[last][1]]
