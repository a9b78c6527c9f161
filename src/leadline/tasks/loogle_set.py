"""One part of LooGLE: questions, masks to be filled in, or a summary of one long document.

Li et al. 2023, arXiv:2311.04939; official code bigai-nlco/LooGLE (MIT), read at 6734382. The authors say all of it as a system
message, cut prompts over the window in the middle, and report BLEU, ROUGE recall, METEOR, BERTScore and a judge; METEOR and
BERTScore are not computed here. Blanks at a reference's ends are taken away (to the authors' ROUGE they are a word). Events to
be put in order get Roman numerals, as in the authors' own run (the published rows number them 1, 2, 3, which dates in a reply
would be taken for); they are scored by how far they are from their places (`loogle/order`), beside the authors' four
deviations, whose script overwrites them by their maximum.
"""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from leadline.data.published import demand, rows_of
from leadline.nouns import Answer, Item, Score, UserError
from leadline.scoring import loogle_metrics as metrics
from leadline.tasks._longdocs import Asked, LongDocuments, located, told
from leadline.tasks.base import Ask

PARTS = ("shortdep_qa", "shortdep_cloze", "longdep_qa", "longdep_summarization")
ROOMS = {"shortdep_qa": 300, "longdep_qa": 500, "longdep_summarization": 500}
"""Tokens of an answer. The authors give 50 to cloze, too few for many masks; here it is 32 a mask."""
KINDS = ("comprehension_and_reasoning", "computation", "timeline_reorder", "multiple_information_retrieval")
"""Of the questions of longdep_qa."""


@dataclass(frozen=True, kw_only=True)
class LoogleSet(LongDocuments):
    """A part of LooGLE.

    Attributes:
        part: shortdep_qa, shortdep_cloze, longdep_qa or longdep_summarization.
        kind: of longdep_qa, only the questions of this kind, as `computation`; empty for all.
        peer: read masks as the authors' script does: the whole reply must be one Python dict.
    """

    part: str = "shortdep_qa"
    kind: str = ""
    peer: bool = False

    column = "input"
    without_roles = "ROUGE-L recall with the reference (masks filled, events in order where those are asked for)"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("part", PARTS)
        self.check_given("kind", KINDS)
        if self.kind and self.part != "longdep_qa":
            raise UserError(f"{self.id}: kind={self.kind} belongs to part=longdep_qa")

    @property
    def ability(self) -> str:
        """As the part's."""
        return {"shortdep_cloze": "extraction", "longdep_summarization": "summarisation"}.get(self.part, "qa")

    @property
    def scope(self) -> str:
        """Evidence of long dependency questions is spread over the document."""
        return "high" if self.part.startswith("longdep") else "low"

    @property
    def roles(self) -> Mapping[str, str]:
        """A judge, but for masks."""
        return {} if self.part == "shortdep_cloze" else {"judge": "says whether an answer means the same, or rates a summary"}

    @property
    def place(self) -> str:
        """The part's file; its hub repository keeps it in an archive."""
        return located(self.data, f"bigai-nlco/LooGLE/data.zip/{self.part}", [self.part])

    def asked(self) -> Sequence[Asked]:
        found = _read(self.place, self.part)
        return [a for a in found if a.raw["kind"] == self.kind] if self.kind else found

    def written(self, asked: Asked) -> Item:
        row, meta = asked.raw, {"kind": asked.raw["kind"], "query": asked.raw["query"]}
        item = Item(
            id="",
            task="",
            instruction="Read the text and answer the question at the end.",
            question=row["query"],
            answers=(row["answer"],),
            evidence=(asked.document,),
            noise="none",
            prefill="Answer:",
            answer_tokens=ROOMS.get(self.part, 0),
            single_line=False,
            cluster=asked.cluster,
            meta=meta,
            facets={"kind": row["kind"]} if self.part == "longdep_qa" else {},
        )
        if self.part == "longdep_summarization":
            return replace(
                item,
                instruction="Below is a paper. You will be asked to summarize it.",
                question="Write a summary of the paper.",
                prefill="Summary:",
            )
        if row["kind"] == "timeline_reorder":
            shape = "I, II, III" if row["answer"][:1].isalpha() else "1, 2, 3"
            return replace(item, question=f"{row['query']}\n\nGive the numbers alone in the right order, as in {shape}.")
        if self.part == "shortdep_cloze":
            masks = row["masks"]
            return replace(
                item,
                instruction="Read the text, and fill in the masks in the passage after it.",
                question="In this passage about the text, <mask-0>, <mask-1> and so on stand for a person, a place or an "
                f"organization each; the same mask stands for the same one.\n\n{row['query']}\n\nWhich are they? Reply with "
                'one JSON object, as in {"<mask-0>": "Bob", "<mask-1>": "Bethel Horizon"}.',
                answer_tokens=16 + 32 * len(masks),
            )
        return item

    def extract(self, text: str, item: Item) -> str | None:
        if self.part == "shortdep_cloze":
            said = metrics.masks_of(text, peer=self.peer)
            return None if said is None else str(said)
        if _ordered(item):
            known = _items(item.answers[0])
            said = metrics.numerals(text) if known[0].isalpha() else [n for n in re.findall(r"\d+", text) if n in known]
            return ",".join(said) or None
        return super().extract(text, item)

    def marks(self, found: str, answers: Sequence[str], item: Item) -> tuple[float, dict[str, float]]:
        if self.part == "shortdep_cloze":
            meant = metrics.masks_of(answers[0]) or {}
            exact, shared = metrics.masks_right(metrics.masks_of(found, peer=True), meant)
            return exact, {"partial": shared, "masks": float(len(meant))}
        if _ordered(item):
            said, meant = found.split(","), _items(answers[0])
            order = metrics.places(said, meant)
            parts = {name: float(f(order)) for name, f in metrics.DEVIATIONS.items()} if order is not None else {}
            return metrics.order_right(said, meant), parts
        parts = {name: max(f(found, a) for a in answers) for name, f in metrics.TEXT.items()}
        return parts.pop("rougeL"), parts

    def gold(self, answers: Sequence[str], item: Item) -> str:
        return ", ".join(_items(answers[0])) if _ordered(item) else answers[0]

    def wrong(self, answers: Sequence[str], item: Item, rng: random.Random) -> str:
        if _ordered(item):
            return ", ".join(_items(answers[0])[::-1])
        return super().wrong(answers, item, rng)

    async def judged(self, answers: Sequence[str], item: Item, answer: Answer, ask: Mapping[str, Ask]) -> Score:
        plain = self.score(answers, item, answer)
        exact = self.part == "shortdep_cloze" or _ordered(item)
        if exact or "judge" not in ask or not plain.extracted:
            return plain
        parts = {**plain.parts, "rougeL": plain.value or 0.0}
        if self.part == "longdep_summarization":
            text = RATE.format(reference=answers[0], reply=plain.extracted)
            value = await told(ask["judge"], text, _rated, 16)
        else:
            text = SAME.format(query=item.meta["query"], reference=answers[0], reply=plain.extracted)
            value = await told(ask["judge"], text, _same, 16)
        if value is None:
            return Score(value=None, audit="provider error", extracted=plain.extracted, parts=parts)
        return replace(plain, value=value, parts=parts)


SAME = """A question was answered. Say whether the answer means the same as the right one. Reply with True or False alone.

Question: {query}
Right answer: {reference}
Answer: {reply}"""
RATE = """Compare a summary of a paper, made by a machine, with the right one. Rate from 0 to 100 how complete and consistent \
it is and how well it is written. Reply with the number alone.

Right summary: {reference}

Summary: {reply}

Rating:"""


def _same(reply: str) -> float | None:
    found = re.findall(r"\b(?:true|false)\b", reply.lower())
    return float(found[0] == "true") if len(set(found)) == 1 else None


def _rated(reply: str) -> float | None:
    found = re.search(r"\d+(?:\.\d+)?", reply)
    return float(found[0]) / 100 if found and float(found[0]) <= 100 else None


def _ordered(item: Item) -> bool:
    return item.meta.get("kind") == "timeline_reorder"


def _items(answer: str) -> list[str]:
    return [part.strip() for part in answer.split(",")]


def _roman(number: int) -> str:
    return "X" * (number // 10) + ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")[number % 10]


def _lettered(query: str, answer: str) -> tuple[str, str]:
    """Events that are numbered 1., 2., 3. at the beginning of lines, and their order, with Roman numerals."""
    order, line = _items(answer), r"(?m)^(\d{1,2})(?=\s*[.．、])"
    if not all(n.isdigit() for n in order) or sorted(order, key=int) != re.findall(line, query):
        return query, answer
    return re.sub(line, lambda m: _roman(int(m[1])), query), ",".join(_roman(int(n)) for n in order)


@lru_cache(maxsize=8)
def _read(spec: str, part: str) -> tuple[Asked, ...]:
    found = []
    for place, row in rows_of(spec):
        demand(row, {"input": str, "qa_pairs": (str, list)}, "LooGLE", place)
        if part == "longdep_summarization":
            demand(row, {"output": str}, "LooGLE's summaries", place)
            raw: dict[str, Any] = {"query": "", "answer": row["output"].strip(), "kind": "summary"}
            found.append(Asked(document=row["input"], raw=raw))
            continue
        for pair in _pairs(row["qa_pairs"], place):
            demand(pair, {"Q": str, "A": dict if part == "shortdep_cloze" else (str, int, float)}, "LooGLE's pairs", place)
            kind = str(pair.get("type") or part)
            raw = {"query": pair["Q"], "answer": str(pair["A"]).strip(), "kind": kind}
            if kind == "timeline_reorder":
                raw["query"], raw["answer"] = _lettered(raw["query"], raw["answer"])
            if part == "shortdep_cloze":
                raw["masks"] = {str(key): str(value) for key, value in pair["A"].items()}
                raw["answer"] = str(raw["masks"])
            found.append(Asked(document=row["input"], raw=raw))
    return tuple(found)


def _pairs(told: Any, place: str) -> list[Any]:
    """The pairs, which are published as a Python literal in text."""
    try:
        pairs = ast.literal_eval(told) if isinstance(told, str) else told
    except (ValueError, SyntaxError) as error:
        raise UserError(f"{place}: in LooGLE 'qa_pairs' must be a Python list as text, it is {told!r:.60}") from error
    if not isinstance(pairs, list):
        raise UserError(f"{place}: in LooGLE 'qa_pairs' must be a list, it is {told!r:.60}; is this another part's file?")
    return pairs
