"""One sub-task of L-Eval: exact match, F1 or ROUGE, or a judge that compares with another model's answer.

An et al. 2023, arXiv:2307.11088; OpenLMLab/LEval (GPL-3.0) was read at cd34b05 for facts, nothing was taken over. The authors
cut documents over the window by words, and ask the second question of sci_fi (is it so in the real world?) in the same chat as
the first; here it is an item of its own on the same document.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from leadline.data.published import LEVAL, demand, rows_of
from leadline.nouns import Answer, Item, Score, UserError
from leadline.scoring import extract
from leadline.scoring.leval_metrics import METRICS, choice_meant, exact_match, truth_said, truths
from leadline.tasks._longdocs import Asked, LongDocuments, located, told
from leadline.tasks.base import Ask

ROOM = 512
"""Tokens of an answer, for every sub-task."""
_EXAM = "Reply with the letter alone, such as A."
_DOCUMENT = "Below is a long document. Do what is asked after it."


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the benchmark fixes for one sub-task."""

    kind: str
    """What is asked for: choice, choices, number, output, contains, truth, f1 or rouge."""
    ability: str
    before: str = _DOCUMENT
    after: str = "{input}"
    cue: str = ""
    chance: float = 0.0
    whole: bool = False
    """Whether other text around the document would make another task of it."""


_CHOICE = Facts(
    kind="choice",
    ability="qa",
    before=f"Below is a long document. Exactly one of the choices after it is right. {_EXAM}",
    after=f"{{input}}\n\n{_EXAM}",
    cue="Answer:",
    chance=0.25,
)
_F1 = Facts(kind="f1", ability="qa", cue="Answer:")
_ROUGE = Facts(kind="rouge", ability="summarisation")
SETS: dict[str, Facts] = {
    "coursera": replace(
        _CHOICE,
        kind="choices",
        before="Below is a long document. One or several of the choices after it are right. "
        "Reply with the letters alone, such as A or AB.",
        after="{input}\n\nReply with the letters of all right choices alone, such as A or AB.",
    ),
    "quality": _CHOICE,
    "tpo": _CHOICE,
    "gsm100": Facts(
        kind="number",
        ability="reasoning",
        before='Below are questions with worked answers. Answer the last one in the same way, and end with "The answer is" and '
        "the number.",
        whole=True,
    ),
    "codeU": Facts(
        kind="output",
        ability="code",
        before="Below is a code base of many functions with comments. Some of them are called at the end: read them with care "
        "and answer the question.",
        whole=True,
    ),
    "topic_retrieval_longchat": Facts(
        kind="contains",
        ability="retrieval",
        before="Below is the record of our conversation on many topics; you are the ASSISTANT, I am the USER. At the beginning "
        "of each topic I say what I would like to discuss. Remember the topics in their order, for I will ask for one.",
        whole=True,
    ),
    "sci_fi": Facts(
        kind="truth",
        ability="qa",
        before="Below is a science fiction story. Answer what is asked after it with True or False.",
        after="{input}\n\nReply with True or False alone.",
        cue="Answer:",
        chance=0.5,
    ),
    **dict.fromkeys(
        ("financial_qa", "legal_contract_qa", "multidoc_qa", "narrative_qa", "natural_question", "scientific_qa"), _F1
    ),
    **dict.fromkeys(
        ("gov_report_summ", "meeting_summ", "news_summ", "paper_assistant", "patent_summ", "review_summ", "tv_show_summ"),
        _ROUGE,
    ),
}
CLOSED = ("coursera", "quality", "tpo", "gsm100", "codeU", "topic_retrieval_longchat", "sci_fi")
_LETTERS = re.compile(r"(?<![\w'])(?!A (?!and\b|or\b)[a-z])([A-D]{1,4})(?![\w'])")
_NUMBER = r"-?\d[\d,]*(?:\.\d+)?"
_BY_THE_STORY = re.compile(r"based on the world described in the document\.?")


@dataclass(frozen=True, kw_only=True)
class LEvalSet(LongDocuments):
    """A sub-task of L-Eval.

    Attributes:
        subset: one of the 20, as `quality`.
        rows: `scored` for the rows with an exact or n-gram metric; `LLM` or `human` for those kept for judges and people.
        hint: whether open questions tell about how many words the reference has (the benchmark's length instruction).
        peer: take letters and numbers out of replies as the authors' script does, which reads "A" where it finds none.
        baseline: JSON lines of another model's answers as the authors release them (`query`, `gt`, `..._pred`); with it a judge
            compares each reply with that one's, twice, in both orders.
    """

    subset: str = "quality"
    rows: str = "scored"
    hint: bool = True
    peer: bool = False
    baseline: str = ""

    column = "input"
    without_roles = "exact match, token F1 or ROUGE-L with the reference"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("subset", tuple(SETS))
        self.check("rows", ("scored", "LLM", "human"))
        if not self.natural and self.facts.whole:
            raise UserError(f"{self.id}: {self.subset} cannot lie among other text, which would change its answer: noise=none")

    @property
    def facts(self) -> Facts:
        """What the benchmark fixes for the sub-task."""
        return SETS[self.subset]

    @property
    def ability(self) -> str:
        """As the sub-task's kind."""
        return self.facts.ability

    @property
    def chance(self) -> float:
        """Of a guess among the choices."""
        return self.facts.chance

    @property
    def roles(self) -> Mapping[str, str]:
        """A judge, where there are answers to compare with."""
        return {"judge": "says which of two answers is the better"} if self.baseline else {}

    @property
    def place(self) -> str:
        """The sub-task's file, in the folder of its group on the hub."""
        part = "Exam" if self.subset in CLOSED else "Generation"
        return located(self.data, f"L4NLP/LEval/LEval/{part}/{self.subset}.jsonl", [self.subset])

    def asked(self) -> Sequence[Asked]:
        kept = [
            a for a in _read(self.place, self.subset) if (a.raw["evaluation"] in ("LLM", "human")) == (self.rows != "scored")
        ]
        if self.rows != "scored":
            kept = [a for a in kept if a.raw["evaluation"] == self.rows]
        if self.baseline:
            others = _answers(self.baseline)
            kept = [a for a in kept if (a.raw["query"], a.raw["gold"]) in others]
        return kept

    def written(self, asked: Asked) -> Item:
        row, facts = asked.raw, self.facts
        question = facts.after.replace("{input}", row["query"])
        if facts.kind in ("f1", "rouge") and self.hint:
            question += f"\n\nWrite about {len(row['gold'].split())} words."
        against = {"against": _answers(self.baseline)[(row["query"], row["gold"])]} if self.baseline else {}
        return Item(
            id="",
            task="",
            instruction=facts.before,
            question=question,
            answers=(row["answer"],),
            evidence=(asked.document,),
            noise="none",
            prefill=facts.cue,
            answer_tokens=ROOM,
            single_line=False,
            choices=tuple("ABCD") if facts.kind in ("choice", "choices") else (),
            cluster=asked.cluster,
            meta={"query": row["query"], **against},
            facets=row["facets"],
        )

    def extract(self, text: str, item: Item) -> str | None:
        kind = self.facts.kind
        if kind == "truth":
            found = truth_said(text)
            return found if found != "<error>" else None
        if self.peer or kind not in ("choice", "choices", "number"):
            return extract.whole(text)
        if kind == "choice":
            return extract.letter()(text)
        clear = extract.plain(text)
        if kind == "number":
            said = re.findall(rf"(?i)answer is\D{{0,20}}?({_NUMBER})", clear) or re.findall(_NUMBER, clear)
            return said[-1].replace(",", "") if said else None
        leads = list(extract.LEAD.finditer(clear))
        letters = _LETTERS.findall(clear[leads[-1].end() :] if leads else clear) or _LETTERS.findall(clear)
        return "".join(sorted(set("".join(letters)))) or None

    def marks(self, found: str, answers: Sequence[str], item: Item) -> tuple[float, dict[str, float]]:
        kind, truth = self.facts.kind, answers[0]
        if kind == "rouge":
            return METRICS["leval/rougeL"](found, answers), {
                name: METRICS[f"leval/{name}"](found, answers) for name in ("rouge1", "rouge2")
            }
        if kind == "truth":
            return exact_match(found, truth), {}
        if kind in ("choice", "choices") and not self.peer:
            return exact_match(found, choice_meant(truth)), {}
        if kind == "number" and not self.peer:
            wanted = re.findall(_NUMBER, truth)
            return float(bool(wanted) and float(found) == float(wanted[-1].replace(",", ""))), {}
        return METRICS[f"leval/{kind}"](found, answers), {}

    def gold(self, answers: Sequence[str], item: Item) -> str:
        kind = self.facts.kind
        if kind in ("choice", "choices"):
            return choice_meant(answers[0])
        return f"The answer is {answers[0]}" if kind == "number" else answers[0]

    def wrong(self, answers: Sequence[str], item: Item, rng: random.Random) -> str:
        if self.facts.kind == "truth":
            return "false" if answers[0] == "true" else "true"
        return super().wrong(answers, item, rng)

    async def judged(self, answers: Sequence[str], item: Item, answer: Answer, ask: Mapping[str, Ask]) -> Score:
        plain = self.score(answers, item, answer)
        other = item.meta.get("against")
        if other is None or "judge" not in ask or not plain.value and not plain.extracted:
            return plain
        points = []
        for mine in ("A", "B"):
            both = (plain.extracted, other) if mine == "A" else (other, plain.extracted)
            text = VERDICT.format(query=item.meta["query"], reference=answers[0], first=both[0], second=both[1])
            won = await told(ask["judge"], text, _verdict, 2048)
            if won is not None:
                points.append(0.5 if won == "C" else float(won == mine))
        parts = {**plain.parts, self.facts.kind: plain.value or 0.0}
        if not points:
            return Score(value=None, audit="provider error", extracted=plain.extracted, parts=parts)
        return replace(plain, value=sum(points) / len(points), parts=parts)


VERDICT = """You are a fair judge of two assistants' answers to a question about a long document. You are given the question, \
an answer written by a person, and the two answers. First compare each of them with the person's answer. What that answer does \
not mention is no advantage; a fact that contradicts it is the worst fault; then comes how well the question is met. Order, \
length and names must not count. Explain yourself, and end with your verdict: [[A]] if assistant A is better, [[B]] if \
assistant B is better, [[C]] if neither is.

[Question]
{query}

[Answer of a person]
{reference}

[Assistant A]
{first}

[Assistant B]
{second}"""


def _verdict(reply: str) -> str | None:
    return next((letter for letter in "ABC" if f"[[{letter}]]" in reply), None)


@lru_cache(maxsize=32)
def _read(spec: str, subset: str) -> tuple[Asked, ...]:
    found = []
    for place, row in rows_of(spec):
        demand(row, LEVAL, "L-Eval", place)
        if len(row["instructions"]) != len(row["outputs"]):
            raise UserError(f"{place}: {len(row['instructions'])} instructions but {len(row['outputs'])} outputs")
        rows = str(row.get("evaluation") or "exam")
        for i, (query, gold) in enumerate(zip(row["instructions"], row["outputs"], strict=True)):
            base: dict[str, Any] = {
                "evaluation": rows,
                "query": str(query),
                "gold": str(gold),
                "answer": str(gold),
                "facets": {},
            }
            if subset == "topic_retrieval_longchat":
                base["facets"] = {"topic": ("first", "second", "third")[i % 3]}
            each = [base]
            if subset == "sci_fi":
                story, world = truths(str(gold))
                real = _BY_THE_STORY.sub("by what is known of the real world, not by the story.", str(query))
                each = [
                    base | {"answer": story, "facets": {"by": "story"}},
                    base | {"answer": world, "facets": {"by": "world"}, "query": real},
                ]
            found.extend(Asked(document=row["input"], raw=raw) for raw in each)
    return tuple(found)


@lru_cache(maxsize=8)
def _answers(spec: str) -> dict[tuple[str, str], str]:
    """Another model's answers by question and reference."""
    found = {}
    for place, row in rows_of(spec):
        demand(row, {"query": str, "gt": str}, "L-Eval's predictions", place)
        said = next((row[key] for key in row if key.endswith("_pred")), None)
        if not isinstance(said, str):
            raise UserError(f"{place}: no column that ends in _pred; this row has: {', '.join(row)}")
        found[(row["query"], row["gt"])] = said
    return found
