"""Key answers in free replies: by rules, by a model, and compared with the right answer.

What xFinder (Yu, Zheng, Song, Li, Xiong, Tang, Chen 2024, arXiv:2405.11874) does with a model of its own in place of regular
expressions, for its four kinds of answer; its code is CC BY-NC-ND, so nothing of it is here, nor its prompt. Every extractor
has one contract: (reply, kind, range, question) gives the answer as the range spells it, or NONE where the reply gives none,
gives several and decides for none, or gives one outside the range.

Kinds and their ranges: `option`, pairs of letter and text; `short text` and `label`, the candidates; `math`, nothing.
Knows nothing of tasks.
"""

from __future__ import annotations

import ast
import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from leadline.nouns import Answer, UserError
from leadline.scoring import extract, key_rules

id = "xfinder"
Kind = Literal["option", "short text", "label", "math"]
KINDS: tuple[Kind, ...] = ("option", "short text", "label", "math")
NONE = "[No valid answer]"
Range = Sequence[Any]


def require(kind: str, range_: Range) -> None:
    """Refuse what is no kind, or a kind without its range.

    Raises:
        UserError: says which.
    """
    if kind not in KINDS:
        raise UserError(f"the kind of answer must be one of {', '.join(KINDS)}; got {kind!r}")
    if kind == "option" and not (range_ and all(isinstance(o, Sequence) and len(o) == 2 for o in range_)):
        raise UserError("answers of kind option need a range of pairs, as in [['A', 'first text'], ['B', 'second text']]")
    if kind in ("short text", "label") and not range_:
        raise UserError(f"answers of kind {kind} need a range: the list of candidates")


def rules(reply: str, kind: Kind, range_: Range = (), question: str = "") -> str:
    """The key answer by rules (`key_rules`).

    Raises:
        UserError: the kind is unknown, or needs a range and has none.
    """
    require(kind, range_)
    if not reply.strip():
        return NONE
    if kind == "math":
        return key_rules.value(reply, question) or NONE
    if kind == "option":
        return key_rules.option(reply, [(str(letter), str(words)) for letter, words in range_]) or NONE
    return key_rules.candidate(reply, [str(c) for c in range_], question) or NONE


def first_match(reply: str, kind: Kind, range_: Range = (), question: str = "") -> str:
    """The plainest of regular expressions: the first capital of an option, the first candidate, the first number."""
    require(kind, range_)
    if kind == "math":
        m = re.search(r"-?\d+(?:\.\d+)?", reply)
        return m[0] if m else NONE
    if kind == "option":
        m = re.search(f"[{''.join(str(o[0]) for o in range_)}]", reply)
        return m[0] if m else NONE
    m = re.search("|".join(re.escape(str(c)) for c in range_), reply, re.I)
    return next(str(c) for c in range_ if str(c).lower() == m[0].lower()) if m else NONE


def usual(reply: str, kind: Kind, range_: Range = (), question: str = "") -> str:
    """As evaluation programs do: what follows "answer is", else the first lone letter, the last candidate, the last number."""
    require(kind, range_)
    if kind == "math":
        m = re.findall(r"\\boxed\{([^}]*)\}", reply) or re.findall(r"(?:####|answer is:?)\s*\$?(-?[\d.,/]+)", reply, re.I)
        m = m or re.findall(r"-?\d+(?:,\d{3})*(?:\.\d+)?", reply)
        return m[-1].rstrip(".,") if m else NONE
    if kind == "option":
        some = "".join(str(o[0]) for o in range_)
        m = re.findall(rf"answer(?: is)?:?\s*\(?([{some}])\b", reply, re.I) or re.findall(rf"\(([{some}])\)", reply)
        m = m or re.findall(rf"\b([{some}])\b", reply)
        return m[0].upper() if m else NONE
    m = re.findall("|".join(re.escape(str(c)) for c in sorted(range_, key=len, reverse=True)), reply, re.I)
    return next(str(c) for c in range_ if str(c).lower() == m[-1].lower()) if m else NONE


ASKED = """Somebody answered a question. Say which answer was given; do not judge whether it is right.

Question:
{question}

Reply:
{reply}

{among}
Where the reply corrects itself, its last word counts. Write {none} where it gives no answer, gives several without deciding \
for one, or gives one that cannot be chosen. Write the answer and nothing else."""


def asked(reply: str, kind: Kind, range_: Range, question: str) -> str:
    """What a model is asked."""
    if kind == "option":
        among = "It had to be one of these; write its letter:\n" + "\n".join(f"{letter}. {words}" for letter, words in range_)
    elif kind == "math":
        among = (
            "It had to be a number, set, vector, matrix, interval, expression, function, equation or inequality; write that."
        )
    else:
        among = "It had to be one of these; write it as it is spelt here:\n" + "\n".join(map(str, range_))
    return ASKED.format(question=question.strip() or "(not known)", reply=reply.strip(), among=among, none=NONE)


EXTRACTORS: Mapping[str, Callable[..., str]] = {"first match": first_match, "usual regex": usual, "rules": rules}


async def by_model(
    ask: Callable[..., Awaitable[Any]], reply: str, kind: Kind, range_: Range = (), question: str = ""
) -> str | None:
    """The key answer by a model, with the contract of `rules`; None where the model failed, which is not the reply's fault.

    Args:
        ask: the role `extractor`: `await ask(text, max_tokens)` gives an Answer; asked once more where it cannot be read.
        reply: what was said.
        kind: of the answer.
        range_: as the kind has it.
        question: what was asked.
    """
    require(kind, range_)
    for _ in range(2):
        answer = await ask(asked(reply, kind, range_, question), 128)
        if answer.stop in ("stop", "length"):
            found = read(answer.text, kind, range_)
            if found is not None:
                return found
    return None


def read(text: str, kind: Kind, range_: Range) -> str | None:
    """What a model that extracts has written, as the range spells it; None where it is nothing of it."""
    said = extract.tidy(extract.without_thinking(text) or "")
    if "no valid answer" in said.lower():
        return NONE
    if kind == "math":
        return (key_rules.boxed(said) or said).strip("$ ").strip() or None
    if kind == "option":
        spelt = {str(words).lower(): str(letter) for letter, words in range_} | {str(o[0]).lower(): str(o[0]) for o in range_}
        return spelt.get(said.strip(" ().*").lower()) or spelt.get(said[:2].strip(".) ").lower())
    return {str(c).lower(): str(c) for c in range_}.get(said.strip(" .*").lower())


def agrees(extracted: str, right: str, kind: Kind, range_: Range = ()) -> bool:
    """Whether an extracted answer is the right one; the text of an option does for its letter.

    Args:
        extracted: as an extractor gave it.
        right: the right answer, or NONE.
        kind: of the answer.
        range_: the options, where there are any.
    """
    if NONE in (extracted, right):
        return extracted == right
    if kind == "math":
        return key_rules.compared(extracted) == key_rules.compared(right)

    def bare(text: str) -> str:
        return text.strip().rstrip(".").strip().lower()

    texts = {bare(str(letter)): bare(str(words)) for letter, words in range_} if kind == "option" else {}
    return bare(extracted) in {bare(right), texts.get(bare(right), bare(right))}


@dataclass(frozen=True)
class Labelled:
    """A reply with the answer that a careful reader takes from it."""

    kind: Kind
    question: str
    range: Range
    reply: str
    answer: str


REPLIES = Path(__file__).parent / "replies.jsonl"
"""Replies in many phrasings, written for this project, each with the answer that a careful reader takes from it."""


def labelled(half: str) -> list[Labelled]:
    """Our own labelled replies: those on which rules were made (`develop`), or those that nothing was made on (`report`)."""
    groups = map(json.loads, REPLIES.read_text(encoding="utf-8").splitlines())
    return [
        Labelled(g["kind"], g["question"], g["range"], one["reply"], one["answer"])
        for g in groups
        for one in g["replies"]
        if one["half"] == half
    ]


def accuracy(rows: Sequence[Labelled], extracted: Sequence[str | None]) -> dict[str, tuple[int, int]]:
    """Right extractions and their number, by kind and over all; where an extractor failed (None), the row does not count."""
    out: dict[str, tuple[int, int]] = {}
    for row, found in zip(rows, extracted, strict=True):
        if found is not None:
            right = agrees(found, row.answer, row.kind, row.range)
            for name in (row.kind, "all"):
                hits, n = out.get(name, (0, 0))
                out[name] = (hits + right, n + 1)
    return out


TYPES: dict[str, Kind] = {
    "alphabet option": "option",
    "categorical label": "label",
    "short text": "short text",
    "math": "math",
}
"""Kinds as KAF's rows name them, with blanks or underscores."""


def from_kaf(row: Mapping[str, Any], place: str) -> Labelled:
    """A row in the format of the KAF data set, which is the user's own download.

    Raises:
        UserError: a column is missing, or type or range cannot be read.
    """
    for column in ("key_answer_type", "question", "llm_output", "standard_answer_range", "gold_label"):
        if column not in row:
            raise UserError(f"{place}: no column {column!r}, which KAF rows have; this row has: {', '.join(row) or 'none'}")
    kind = TYPES.get(str(row["key_answer_type"]).replace("_", " ").lower())
    if kind is None:
        raise UserError(f"{place}: the type {row['key_answer_type']!r} is none of KAF's: {', '.join(TYPES)}")
    range_: Any = () if kind == "math" else row["standard_answer_range"]
    if isinstance(range_, str):
        try:
            range_ = ast.literal_eval(range_)
        except (ValueError, SyntaxError):
            raise UserError(f"{place}: the range cannot be read: {range_!r:.60}") from None
    return Labelled(kind, str(row["question"]), range_, str(row["llm_output"]), str(row["gold_label"]))


def check(lab: Any) -> Any:
    """Rules and a model find more key answers than plain regular expressions do, on replies that no rule was made on."""
    rows = labelled("report")

    def share(found: Sequence[str | None]) -> float:
        right, n = accuracy(rows, found)["all"]
        return right / n

    known = {asked(r.reply, r.kind, r.range, r.question): r.answer for r in rows}

    async def model(text: str, max_tokens: int) -> Answer:
        """A program that knows the answers in the place of an extracting model; it thinks and writes in bold, as they do."""
        return Answer(text=f"<think>One of these.</think>\n**{known[text]}**")

    async def asked_all() -> list[str | None]:
        return [await by_model(model, r.reply, r.kind, r.range, r.question) for r in rows]

    found = {name: [f(r.reply, r.kind, r.range, r.question) for r in rows] for name, f in EXTRACTORS.items()}
    plain = {name: share(some) for name, some in found.items()}
    by_kind = {name: accuracy(rows, some) for name, some in found.items()}
    beaten = [kind for kind in KINDS if by_kind["rules"][kind][0] > by_kind["usual regex"][kind][0]]
    modelled = share(asyncio.run(asked_all()))
    hand = {
        ("1/2", "\\frac{1}{2}"): 1,
        ("50%", "50"): 1,
        ("x=4", "4"): 1,
        ("0.5", "\\frac{1}{2}"): 0,
        ("-1", "1"): 0,
        ("1,000", "1000"): 1,
        ("3.0", "3"): 1,
        ("9 dollars", "9"): 1,
    }
    choice, spots = [[c, f"choice {c.lower()}"] for c in "ABCD"], ["Location", "Person"]
    taken = [
        rules("B. No wait, C", "option", choice) == "C",
        rules("Option A is the correct choice, for it stands there.", "option", choice) == "A",
        rules("The entity would be a Location.", "label", spots) == "Location",
        rules("$45 / $5 = 9. So Mike could buy 9 5 dollar games", "math") == "9",
        agrees("choice b", "B", "option", choice) and agrees("B.", "B", "option", choice),
    ]
    return lab.conclude(
        (
            plain["rules"] > 0.9 and plain["rules"] > plain["usual regex"] + 0.1,
            f"of {len(rows)} replies rules find {plain['rules']:.3f}, "
            f"the usual regular expressions {plain['usual regex']:.3f}, the first match {plain['first match']:.3f}",
        ),
        (len(beaten) == len(KINDS), f"more than the usual ones for {', '.join(beaten)}"),
        (modelled > 0.95, f"a program that knows, asked as a model is, {modelled:.3f}"),
        (all(taken), f"{sum(taken)} of {len(taken)} replies by hand"),
        lab.agree([float(agrees(a, b, "math")) for a, b in hand], list(map(float, hand.values())), "comparisons by hand"),
        control=(plain["usual regex"] > 0.9, f"the usual regular expressions {plain['usual regex']:.3f}"),
    )
