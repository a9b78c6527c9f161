"""What the six procedures of LongProc share: sizes, published rows, and how a reply is marked (arXiv:2501.05414).

A procedure tells how to find an answer step by step and wants every step in the reply, so that the reply is long and there is
one right one. Knows nothing of the single procedures.
"""

from __future__ import annotations

import json
import random
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar

from leadline.data.published import demand, rows_of
from leadline.nouns import NOT_ASKED, Answer, Item, Score, UserError
from leadline.scoring.longproc_metrics import Marks
from leadline.tasks._long_replies import said
from leadline.tasks.base import Task

SIZES = ("0.5k", "2k", "8k")
CHARS = 2
"""Characters of a trace for which a token is reserved; the authors' countdown traces have 2.8 to a token."""
HUB = {"input_prompt": str, "reference_output": str}
"""Columns of the rows that the authors put on the hub: whole prompts and their traces."""
_HEADS = (
    "Al Bar Bel Bir Bran Cal Car Clay Cor Dal Dun Ed El Fal Fen Gar Gil Grim Hal Har Hel Hol Ing Kel Ken Kir Lan Lin Lor Mal "
    "Mar Mel Mor Nor Or Os Pel Pen Quar Ram Ros Sal Sel Stan Tal Tor Ul Val Ver Wal War Wes Win Wor Yar"
).split()
_TAILS = (
    "bourne bridge burgh bury by combe cott dale den don field ford gate ham haven hurst leigh mere minster mouth ness ston "
    "thorpe ton vale well wick worth"
).split()


def towns(rng: random.Random, n: int) -> list[str]:
    """Names of n towns that are not, one word each, all different; there are some 1,500."""
    return [_HEADS[k % len(_HEADS)] + _TAILS[k // len(_HEADS)] for k in rng.sample(range(len(_HEADS) * len(_TAILS)), n)]


@dataclass(frozen=True, kw_only=True)
class Procedure(Task):
    """A procedure that is carried out in the reply, step by step.

    Attributes:
        output: how long a reply the items need: `0.5k`, `2k` or `8k` tokens, about.
        data: items of LongProc instead of generated ones: one of its JSON files, or a configuration of PrincetonPLI/LongProc on
            the hub (owner/name:config).
        noise: text among the facts, as in `prose` or `file(path=...)`, or `none`; by default prose for generated items, and
            none for published ones, which are then asked at their own length.
        peer: count to the digit as the authors' code does, quirks and all.
    """

    output: str = "0.5k"
    data: str = ""
    noise: str = ""
    peer: bool = False

    ability = "procedure"
    diffusion = "middle"
    scope = "high"
    minima: ClassVar[tuple[int, int, int]]
    """Least length for each size of the output [tokens]."""
    columns: ClassVar[Mapping[str, type | tuple[type, ...]]]
    """Columns of the authors' file."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("output", SIZES)
        object.__setattr__(self, "minimum", self.minima[SIZES.index(self.output)])
        object.__setattr__(self, "natural", self.surroundings == "none")

    @property
    def surroundings(self) -> str:
        """Spec of the noise."""
        return self.noise or ("none" if self.data else "prose")

    @abstractmethod
    def generated(self, index: int, seed: int, rng: random.Random) -> Item:
        """An item of our own."""

    @abstractmethod
    def published(self, row: Mapping[str, Any], place: str) -> Item:
        """A row of the authors' file as an item."""

    @abstractmethod
    def marks(self, reply: str, reference: str, item: Item) -> Marks:
        """The figures of a reply."""

    def wrapped(self, reference: str) -> str:
        """A published trace as a reply gives it."""
        return reference.strip()

    def kept(self, row: Mapping[str, Any]) -> bool:
        """Whether a row of the file belongs to the size that is asked for; files of one size keep all."""
        return True

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        if not self.data:
            return self.generated(index, seed, rng)
        rows = self._rows(seed)
        number, place, row = rows[index % len(rows)]
        item = self._of_row(row, place)
        # The authors' files hold some rows twice.
        return replace(item, meta={**item.meta, "row": number})

    def _of_row(self, row: Any, place: str) -> Item:
        if isinstance(row, Mapping) and "input_prompt" in row:
            demand(row, HUB, "LongProc on the hub", place)
            meta = _metadata(row)
            if self.runs_code and not meta:
                raise UserError(f"{place}: its metadata hold no test cases: give the authors' JSON file as data=")
            return self.made(question=row["input_prompt"], reference=self.wrapped(row["reference_output"]), meta=meta)
        demand(row, self.columns, f"LongProc's {self.id}", place)
        try:
            return self.published(row, place)
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{place}: this row is not in the format of LongProc's {self.id} ({error!r})") from error

    def items(self, n: int, seed: int = 0) -> list[Item]:
        if self.data and n > len(self._rows(seed)):
            raise UserError(f"{self.id}: {self.data} holds {len(self._rows(seed))} items; ask for at most that many samples")
        return super().items(n, seed)

    def _rows(self, seed: int) -> list[tuple[int, str, Any]]:
        rows = [
            (i, place, row) for i, (place, row) in enumerate(_read(self.data)) if not isinstance(row, Mapping) or self.kept(row)
        ]
        random.Random(seed).shuffle(rows)
        return rows

    def made(
        self,
        *,
        question: str,
        reference: str,
        instruction: str = "",
        evidence: Sequence[str] = (),
        distractors: Sequence[str] = (),
        ordered: bool = False,
        avoid: Sequence[str] = (),
        meta: Mapping[str, Any] | None = None,
    ) -> Item:
        """An item whose answer is a reference trace, with room for it."""
        return Item(
            id="",
            task="",
            instruction=instruction,
            question=question,
            answers=(reference,),
            evidence=tuple(evidence),
            distractors=tuple(distractors),
            noise=self.surroundings,
            ordered=ordered,
            avoid=tuple(avoid),
            answer_tokens=len(reference) // CHARS + 64,
            single_line=False,
            meta=meta or {},
            facets={"output": self.output},
        )

    def score(self, answers: Sequence[str], item: Item, answer: Answer) -> Score:
        reply, audit = said(answer)
        if audit in NOT_ASKED:
            return Score(value=None, audit=audit)
        marks = self.marks(reply, answers[0], item) if reply else {}
        if audit == "answered" and not marks["extraction_rate"]:
            audit = "format not found"
        value = marks.pop("f1", None) if "f1" in marks else marks.pop("accuracy", 0.0)
        return Score(value=value, audit=audit, extracted=reply, parts=marks)

    def grade(self, found: str, answers: Sequence[str], item: Item) -> float:
        marks = self.marks(found, answers[0], item)
        return marks.get("f1", marks.get("accuracy", 0.0))

    def gold(self, answers: Sequence[str], item: Item) -> str:
        return answers[0]


@lru_cache(maxsize=8)
def _read(spec: str) -> tuple[tuple[str, Any], ...]:
    rows = tuple(rows_of(spec))
    if not rows:
        raise UserError(f"{spec!r} holds no rows")
    return rows


def _metadata(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a row of the hub says beside prompt and trace, as far as scorers may need it."""
    told = row.get("metadata") or "{}"
    try:
        told = json.loads(told) if isinstance(told, str) else dict(told)
    except ValueError:
        return {}
    return {"testcases": told["testcases"]} if isinstance(told, dict) and "testcases" in told else {}
