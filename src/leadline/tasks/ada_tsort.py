"""TSort: four shuffled segments of one text, to be put into order.

Wang, Duan, Zhang, Lin, Chen 2024, "Ada-LEval: Evaluating long-context LLMs with length-adaptable benchmarks" (NAACL),
arXiv:2404.06480; code open-compass/Ada-LEval, without a licence. Four neighbouring segments are cut between paragraphs and
grow with the length; the paragraphs before and after them are given. The paper cuts books; here the text is a journey
from inn to inn, each paragraph leaving the inn that the last one reached, or any text of the user's. A guess is right
once in 24.
"""

from __future__ import annotations

import dataclasses
import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from leadline.data import prose
from leadline.data.noise import read_text
from leadline.data.published import demand, rows_of
from leadline.nouns import Item, UserError
from leadline.scoring import ada_metrics, extract
from leadline.tasks import _growth
from leadline.tasks.base import Task

NEEDED = 6
"""Paragraphs at least: four segments, one before and one after."""
QUESTION = (
    "The four segments above stand in a mixed-up order. The opening comes before all of them and the ending after them. "
    "In which order do the segments belong? Give their four numbers as a list, as in: Answer: [2, 4, 1, 3]"
)


@dataclass(frozen=True, kw_only=True)
class AdaTsort(Task):
    """The order of four segments.

    Attributes:
        data: a text to cut (.txt, .txt.gz, or a data set with a column text, book or content), or the benchmark's own
            textsort_*.json; empty for the invented journey.
        noise: `none` (the segments grow with the length) or `prose` (four segments of one paragraph each, set into prose).
        peer: score as the benchmark's code does, quirks and all.
    """

    data: str = ""
    noise: str = "none"
    peer: bool = False

    ability = "ordering"
    diffusion = "high"
    scope = "high"
    chance = 1 / 24
    minimum = 1024

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("noise", ("none", "prose"))

    @property
    def grows(self) -> bool:  # type: ignore[override]
        return self.noise == "none" and not self.natural

    @property
    def natural(self) -> bool:  # type: ignore[override]
        return bool(self.data) and _is_published(self.data)

    def items(self, n: int, seed: int = 0) -> list[Item]:
        if self.natural and n > len(_published(self.data)):
            raise UserError(f"{self.id}: {self.data} holds {len(_published(self.data))} cases; ask for at most that many")
        return super().items(n, seed)

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        if self.natural:
            prompt, answer = _shuffled(self.data, seed)[index]
            head, _, tail = prompt.strip().rpartition("\n\n")
            # Items of two seeds have two names, as those that are invented have.
            return self._asked(tail, str(answer), evidence=(head or tail,), meta={"seed": seed})
        if self.data:
            _books(self.data)
        order = rng.sample((1, 2, 3, 4), 4)
        meta = {"first": rng.randrange(1 << 30), "seed": seed, "at": rng.random(), "order": order}
        item = self._asked(QUESTION, str(order), noise=self.noise, meta=meta)
        if self.grows:
            return item
        texts = sorted((i, text) for i in range(NEEDED) if (text := self._paragraph(item, i)))
        return dataclasses.replace(item, evidence=tuple(self._laid(item, [t for _, t in texts])))

    def _asked(self, question: str, answer: str, **more: object) -> Item:
        return Item(
            id="",
            task="",
            instruction="",
            question=question,
            answers=(answer,),
            ordered=True,
            prefill="Answer:",
            answer_tokens=32,
            hops=4,
            **{"noise": "none", **more},  # type: ignore[arg-type]
        )

    def _paragraph(self, item: Item, i: int) -> str | None:
        """Paragraph i in the order of drawing: onward from the start, then backward from it."""
        meta = item.meta
        if not self.data:
            here, there = (prose.key(meta["first"] + k, meta["seed"]) for k in (i, i + 1))
            rng = random.Random(f"journey/{meta['seed']}/{meta['first'] + i}")
            middle = " ".join(prose.sentence(rng) for _ in range(rng.randint(1, 4)))
            return f"From the inn of the {here} they went on. {middle} At night they reached the inn of the {there}."
        book = _book(self.data, meta["at"])
        place = _place(book, meta["at"], i)
        return None if place is None else book[place]

    def _laid(self, item: Item, texts: Sequence[str]) -> list[str]:
        """Opening, the four segments under the numbers that the answer puts into order, ending."""
        inner, order = texts[1:-1], item.meta["order"]
        borders = [round(j * len(inner) / 4) for j in range(5)]
        segments = {order[j]: "\n".join(inner[borders[j] : borders[j + 1]]) for j in range(4)}
        named = [("Opening", texts[0]), *((f"Segment {n}", segments[n]) for n in (1, 2, 3, 4)), ("Ending", texts[-1])]
        return [f"[{name}]\n{text}\n[End of {name.lower()}]\n" for name, text in named]

    def compose(self, item: Item, room: int, count: Callable[[str], int]) -> Item:
        """As many paragraphs as fit, shared out evenly among the segments; one of them is made longer to fill the rest."""
        frame = count("\n".join(self._laid(item, [""] * NEEDED)))
        drawn = _growth.grown(lambda i: self._paragraph(item, i), room - frame, count)
        drawn += [p for i in range(len(drawn), NEEDED) if (p := self._paragraph(item, i))]
        if len(drawn) < NEEDED:
            raise UserError(f"{self.id}: {self.data} has a text of {len(drawn)} paragraphs; {NEEDED} are needed")
        texts = self._sorted(item, drawn)
        spare = room - count("\n".join(self._laid(item, texts)))
        longer = random.Random(item.id).randrange(1, len(texts) - 1)
        more = _growth.padding(spare, count, item.id) if spare > 0 else ""
        texts[longer] = f"{texts[longer]} {more}".strip()
        return dataclasses.replace(item, evidence=tuple(self._laid(item, texts)))

    def _sorted(self, item: Item, drawn: list[str]) -> list[str]:
        """Drawn paragraphs in the order of the text."""
        if not self.data:
            return list(drawn)
        book = _book(self.data, item.meta["at"])
        places = [_place(book, item.meta["at"], i) for i in range(len(drawn))]
        return [text for _, text in sorted(zip(places, drawn, strict=True), key=lambda pair: pair[0] or 0)]

    def extract(self, text: str, item: Item) -> str | None:
        if self.peer:
            return extract.whole(text)
        clear = extract.plain(text)
        lists = re.findall(r"\[\s*(\d+(?:\s*,\s*\d+)+)\s*\]", clear)
        found = re.findall(r"\d+", lists[-1] if lists else extract.after_answer(clear) or "")
        return f"[{', '.join(found)}]" if lists or len(found) == 4 else None

    def grade(self, found: str, answers: Sequence[str], item: Item) -> float:
        if self.peer:
            return ada_metrics.tsort(found, answers)
        return float(json.loads(found) == json.loads(answers[0]))

    def gold(self, answers: Sequence[str], item: Item) -> str:
        return answers[0]

    def wrong(self, answers: Sequence[str], item: Item, rng: random.Random) -> str:
        return str(rng.sample((1, 2, 3, 4), 4))


def _is_published(data: str) -> bool:
    return not data.endswith((".txt", ".txt.gz")) and "para_offset" in _first(data)


@lru_cache(maxsize=16)
def _first(data: str) -> tuple[str, ...]:
    """Columns of the first row."""
    return next((tuple(row) if isinstance(row, dict) else () for _, row in rows_of(data)), ())


@lru_cache(maxsize=4)
def _published(data: str) -> tuple[tuple[str, list[int]], ...]:
    rows = []
    for place, row in rows_of(data):
        demand(row, {"prompt": str, "answer": list}, "Ada-LEval's TSort", place)
        rows.append((row["prompt"], [int(n) for n in row["answer"]]))
    return tuple(rows)


@lru_cache(maxsize=4)
def _shuffled(data: str, seed: int) -> tuple[tuple[str, list[int]], ...]:
    return tuple(random.Random(seed).sample(_published(data), len(_published(data))))


@lru_cache(maxsize=4)
def _books(data: str) -> tuple[tuple[str, ...], ...]:
    """The paragraphs of each text, its own marks of chapters and the like left out."""
    if data.endswith((".txt", ".txt.gz")):
        texts = [read_text(Path(data).expanduser())]
    else:
        column = next((name for name in ("text", "book", "content") if name in _first(data)), None)
        if column is None:
            raise UserError(
                f"ada-tsort: {data} has no column text, book or content to cut (nor Ada-LEval's prompt and para_offset); "
                f"it has: {', '.join(_first(data)) or 'none'}"
            )
        texts = [str(row[column]) for _, row in rows_of(data)]
    cut = (tuple(p for part in re.split(r"\n\s*\n", text) if len((p := " ".join(part.split())).split()) > 7) for text in texts)
    books = tuple(book for book in cut if len(book) >= NEEDED)
    if not books:
        raise UserError(f"ada-tsort: {data} holds no text of {NEEDED} paragraphs (with blank lines between them)")
    return books


def _book(data: str, at: float) -> tuple[str, ...]:
    """The text that a place in 0 to 1 lies in."""
    books = _books(data)
    left = at * sum(map(len, books))
    for book in books:
        if left < len(book):
            return book
        left -= len(book)
    return books[-1]


def _place(book: Sequence[str], at: float, i: int) -> int | None:
    """Which paragraph is drawn as number i."""
    start = int((at * 1_000_003) % 1 * len(book))
    onward = len(book) - start
    place = start + i if i < onward else start - 1 - (i - onward)
    return place if place >= 0 else None
