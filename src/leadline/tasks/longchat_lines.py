"""LongChat-Lines: the number that one line among many of the same form registers.

LMSYS's line retrieval made longer for Giraffe, arXiv:2308.10882 (abacusai/Long-Context, Apache-2.0): there from 100 to 1,100
lines; here as many as fill the length. The asked number stands in no other line.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from leadline.data import prose
from leadline.data.published import demand, rows_of
from leadline.nouns import Item, UserError
from leadline.scoring import extract
from leadline.scoring.needle_metrics import first_number
from leadline.tasks.base import Task

COLUMNS: dict[str, type | tuple[type, ...]] = {"prompt": str, "expected_number": (int, str)}
_INSTRUCTION = (
    "Below is a record of lines. Each has a name and, as REGISTER_CONTENT, a number between < and >. "
    "Remember the number of each line, for you will be asked for one of them."
)


@dataclass(frozen=True, kw_only=True)
class LongchatLines(Task):
    """The number of one line.

    Attributes:
        data: empty for generated lines, or a file of abacusai/LongChat-Lines, local or on the hub: one a number of lines.
        peer: score by the first run of digits in the reply, as published; else a number may be written with commas.
    """

    data: str = ""
    peer: bool = False

    ability = "retrieval"
    minimum = 512

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "natural", bool(self.data))

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        if self.data:
            return self._published(index, seed)
        key, value = prose.key(rng.randrange(1 << 30), seed), rng.randrange(1, 100_000)
        name = key.replace(" ", "-")
        return Item(
            id="",
            task="",
            instruction=_INSTRUCTION,
            question=f"The record ends here. What is the REGISTER_CONTENT of line {name}? Answer with the number.",
            answers=(str(value),),
            evidence=(prose.register(key, value),),
            noise="registers",
            avoid=(f"line {name}:", f"<{value}>"),
            prefill=f"The REGISTER_CONTENT of line {name} is <",
            answer_tokens=35,
        )

    def _published(self, index: int, seed: int) -> Item:
        rows = _rows(self.data, seed)
        if index >= len(rows):
            raise UserError(f"{self.id}: {self.data} holds {len(rows)} rows; ask for at most that many samples")
        row = rows[index]
        lines = row["prompt"].split("\n")
        at = [i for i, line in enumerate(lines) if line.startswith("line ")]
        first, end = (at[0], at[-1] + 1) if at else (0, len(lines))
        return Item(
            id="",
            task="",
            instruction="\n".join(lines[:first]),
            question="\n".join(lines[end:]),
            answers=(str(row["expected_number"]),),
            evidence=("\n".join(lines[first:end]),),
            noise="none",
            answer_tokens=35,
            meta={"seed": seed},
            facets={"lines": str(row["num_lines"])} if "num_lines" in row else {},
        )

    def gold(self, answers: Sequence[str], item: Item) -> str:
        return f"{answers[0]}>."

    def wrong(self, answers: Sequence[str], item: Item, rng: random.Random) -> str:
        return self.gold([str(int(answers[0]) % 99_998 + rng.randint(1, 2))], item)

    def extract(self, text: str, item: Item) -> str | None:
        return extract.whole(text) if self.peer else extract.first_integer(text)

    def grade(self, found: str, answers: Sequence[str], item: Item) -> float:
        return first_number(found, answers) if self.peer else float(int(found) == int(answers[0]))


@lru_cache(maxsize=8)
def _rows(spec: str, seed: int) -> tuple[Mapping[str, Any], ...]:
    rows = []
    for place, raw in rows_of(spec):
        demand(raw, COLUMNS, "LongChat-Lines", place)
        rows.append(raw)
    random.Random(seed).shuffle(rows)
    return tuple(rows)
