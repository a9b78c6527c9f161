"""LongBench v2: 503 questions with four choices on documents of 8,000 to 2 million words.

Bai, Tu, Zhang, Peng, Wang, Lv, Cao, Xu, Hou, Dong, Tang, Li 2024, arXiv:2412.15204; official code THUDM/LongBench (MIT), read
at 2e00731. The authors sample at temperature 0.1, ask for reasoning in a second run of two calls, and leave failed calls out of
the denominator; here a reply is read once, and a provider's failure does not count either.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from leadline.data.published import demand, rows_of
from leadline.nouns import Item, UserError
from leadline.scoring import extract
from leadline.tasks._longdocs import Asked, LongDocuments, located

COLUMNS = {name: str for name in ("context", "question", "choice_A", "choice_B", "choice_C", "choice_D", "answer")}


@dataclass(frozen=True, kw_only=True)
class LongbenchV2(LongDocuments):
    """A choice among four answers about a long document.

    Attributes:
        difficulty: `easy` or `hard` questions only; empty for both.
        bucket: `short`, `medium` or `long` documents only, as the data mark them; empty for all.
        peer: read replies as the authors' script does, which finds only "The correct answer is (X)" or "... is X".
    """

    difficulty: str = ""
    bucket: str = ""
    peer: bool = False

    ability = "reasoning"
    scope = "high"
    chance = 0.25

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_given("difficulty", ("easy", "hard"))
        self.check_given("bucket", ("short", "medium", "long"))

    @property
    def place(self) -> str:
        """The one file."""
        return located(self.data, "THUDM/LongBench-v2/data.json", ["data"])

    def asked(self) -> Sequence[Asked]:
        return [
            a
            for a in _read(self.place)
            if a.raw.get("difficulty") == (self.difficulty or a.raw.get("difficulty"))
            and a.raw.get("length") == (self.bucket or a.raw.get("length"))
        ]

    def written(self, asked: Asked) -> Item:
        row = asked.raw
        choices = "\n".join(f"({letter}) {row[f'choice_{letter}'].strip()}" for letter in "ABCD")
        return Item(
            id="",
            task="",
            instruction="Read the text and answer the question below it.",
            question=f"Which is the right answer to this question?\n{row['question'].strip()}\n\nChoices:\n{choices}\n\n"
            'Reply in this form: "The correct answer is (X)", with the letter of your choice.',
            answers=(row["answer"],),
            evidence=(asked.document,),
            noise="none",
            prefill="The correct answer is",
            answer_tokens=128,
            single_line=False,
            choices=tuple("ABCD"),
            meta={"row": str(row.get("_id") or "")},
            facets={
                "difficulty": str(row.get("difficulty") or ""),
                "documents": str(row.get("length") or ""),
                "domain": str(row.get("domain") or ""),
            },
        )

    def _taken(self, text: str, item: Item) -> str | None:
        # What was given of the answer belongs to the form that is looked for.
        head = text.lstrip()
        if item.prefill and not head.lower().startswith(item.prefill.lower()) and re.match(r"\(?[A-D]\b", head):
            text = f"{item.prefill} {head}"
        return self.extract(text, item)

    def extract(self, text: str, item: Item) -> str | None:
        if not self.peer:
            return extract.letter()(text)
        bare = text.replace("*", "")
        found = re.search(r"The correct answer is \(([A-D])\)", bare) or re.search(r"The correct answer is ([A-D])", bare)
        return found[1] if found else None

    def marks(self, found: str, answers: Sequence[str], item: Item) -> tuple[float, dict[str, float]]:
        return float(found == answers[0]), {}

    def gold(self, answers: Sequence[str], item: Item) -> str:
        return f"The correct answer is ({answers[0]})"

    def wrong(self, answers: Sequence[str], item: Item, rng: random.Random) -> str:
        return self.gold([rng.choice([letter for letter in "ABCD" if letter != answers[0]])], item)


@lru_cache(maxsize=4)
def _read(spec: str) -> tuple[Asked, ...]:
    found = []
    for place, row in rows_of(spec):
        demand(row, COLUMNS, "LongBench v2", place)
        if row["answer"] not in tuple("ABCD"):
            raise UserError(f"{place}: the answer must be A, B, C or D, it is {row['answer']!r}")
        found.append(Asked(document=row["context"].strip(), raw=row))
    return tuple(found)
