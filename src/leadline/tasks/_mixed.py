"""Rows of a short data set mixed into one long context, as M4LE does: targets to be found among others of the same set."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from leadline.data.published import rows_of
from leadline.nouns import UserError
from leadline.tasks import _short

MOST = 6
"""Members of a class at most, where they are to be counted."""
PHRASES: dict[str, dict[str, str]] = {
    "en": {
        "article": "Article {id}: {text}",
        "instruction": "Below are many short articles, each under an ID. Read them and do what is asked at the end.",
        "document": "Read the document and do what is asked at the end.",
        "classify": "To which class does article {id} belong? The classes are: {labels}. Answer with the class alone.",
        "members": "Give the IDs of all articles of the class {label!r}, with commas between them.",
        "count": "How many of the articles belong to the class {label!r}? Answer with one number.",
        "continues": "One of the articles goes on where this text ends: {text}\nWhich one is it? Answer with its ID alone.",
        "most": "To which class do most parts of the document belong? The classes are: {labels}. Answer with the class alone.",
        "named": "Answer by article {id} in a few words: {question}",
        "plain": "Answer in a few words: {question}",
        "several": "Answer these questions in a few words each, one answer a line, in their order:\n{questions}",
    },
    "zh": {
        "article": "文章{id}：{text}",
        "instruction": "下面有许多短文，每篇都有编号。请阅读它们，并回答最后的问题。",
        "document": "请阅读下面的文章，并回答最后的问题。",
        "classify": "编号为{id}的文章属于哪一类？类别有：{labels}。只回答类别。",
        "members": "请给出所有属于“{label}”类的文章的编号，用逗号分隔。",
        "count": "有多少篇文章属于“{label}”类？只回答一个数字。",
        "continues": "下面这段文字的后续是其中的一篇文章：{text}\n是哪一篇？只回答编号。",
        "most": "文章的大部分段落属于哪一类？类别有：{labels}。只回答类别。",
        "named": "请根据编号为{id}的文章简短回答：{question}",
        "plain": "请简短回答：{question}",
        "several": "请依次简短回答下列问题，每行一个答案：\n{questions}",
    },
}


@dataclass(frozen=True)
class Mixed:
    """What is asked, which texts must be there, and which others may."""

    question: str
    answers: tuple[str, ...]
    reply: str
    """How the answer is read: label, id, ids, count, text or texts."""
    targets: tuple[str, ...]
    fillers: tuple[str, ...]
    """In the order of their use."""
    ids: tuple[str, ...] = ()
    """Of the targets, in their order."""
    meta: Mapping[str, Any] = field(default_factory=dict)


def is_asked(data: str, columns: str) -> bool:
    """Whether a data set holds questions, by its first row or the columns that the user names."""
    if columns:
        return "question=" in columns.replace(" ", "")
    first = next((row for _, row in rows_of(data)), {})
    return isinstance(first, Mapping) and _short.pick(first, "question", data, {}) is not None and "label" not in first


def classes_of(data: str, columns: str, task: str) -> tuple[str, ...]:
    """The classes of a labelled data set, sorted."""
    return tuple(sorted({row.label for row in _short.labelled(data, columns, task)}))


def size(data: str, columns: str, asked: bool, task: str) -> int:
    """How many rows there are to ask about."""
    return len(_rows(data, columns, asked, task, 0))


def ids(n: int, rng: random.Random) -> list[str]:
    """Different six-digit hexadecimal IDs, upper case, with a letter and a digit in each."""
    found: dict[str, None] = {}
    while len(found) < n:
        one = f"{rng.randrange(1 << 24):06X}"
        if not one.isdigit() and not one.isalpha():
            found[one] = None
    return list(found)


@lru_cache(maxsize=8)
def _rows(data: str, columns: str, asked: bool, task: str, seed: int) -> tuple[Any, ...]:
    found: Sequence[Any] = _short.asked(data, columns, task) if asked else _short.labelled(data, columns, task)
    if len(found) < 2:
        raise UserError(f"{task}: {data} holds one row; others are needed to hide it among")
    return tuple(random.Random(seed).sample(found, len(found)))


def on_questions(
    data: str, columns: str, kind: str, language: str, index: int, seed: int, rng: random.Random, task: str
) -> Mixed:
    """A question (or three) on rows among the contexts of others."""
    rows, say = _rows(data, columns, True, task, seed), PHRASES[language]
    many = kind.endswith("multiple")
    chosen = [rows[(index + i * (len(rows) // 3 or 1)) % len(rows)] for i in range(3 if many else 1)]
    chosen = list({row.context: row for row in chosen}.values())
    names = ids(len(chosen), rng)
    asks = [
        say["named"].format(id=i, question=r.question) if kind.startswith("explicit") else r.question
        for i, r in zip(names, chosen, strict=True)
    ]
    if many:
        listed = "\n".join(f"{i}. {ask}" for i, ask in enumerate(asks, 1))
        question = say["several"].format(questions=listed)
    else:
        question = asks[0] if kind.startswith("explicit") else say["plain"].format(question=asks[0])
    held = {row.context for row in chosen}
    others = dict.fromkeys(row.context for row in rows if row.context not in held)
    return Mixed(
        question=question,
        answers=tuple(row.answers[0] for row in chosen) if many else chosen[0].answers,
        reply="texts" if many else "text",
        targets=tuple(row.context for row in chosen),
        fillers=tuple(rng.sample(list(others), len(others))),
        ids=tuple(names),
        meta={"accepted": [list(row.answers) for row in chosen]},
    )


def on_classes(
    data: str, columns: str, kind: str, language: str, index: int, seed: int, rng: random.Random, task: str
) -> Mixed:
    """A class, the members of a class, their number, or the article that goes on, among other rows."""
    rows, say = _rows(data, columns, False, task, seed), PHRASES[language]
    labels = classes_of(data, columns, task)
    comma = "、" if language == "zh" else ", "
    row = rows[index % len(rows)]
    mine, others = [r for r in rows if r.label == row.label], [r for r in rows if r.label != row.label]
    name = ids(1, rng)
    if kind == "explicit-single":
        question = say["classify"].format(id=name[0], labels=comma.join(labels))
        fillers = [r.text for r in rng.sample(rows, len(rows)) if r.text != row.text]
        return Mixed(question, (row.label,), "label", (row.text,), tuple(fillers), tuple(name))
    if kind == "semantic-single":
        head, tail = halves(row.text)
        fillers = [halves(r.text)[1] for r in rng.sample(rows, len(rows)) if r.text != row.text]
        return Mixed(say["continues"].format(text=head), (name[0],), "id", (tail,), tuple(fillers), tuple(name))
    if kind == "global":
        # Half of the parts and one more are of the class, the rest take turns.
        return Mixed(
            say["most"].format(labels=comma.join(labels)),
            (row.label,),
            "label",
            (row.text,),
            tuple(
                _in_turn(
                    [r.text for r in rng.sample(others, len(others))], [r.text for r in rng.sample(mine, len(mine)) if r != row]
                )
            ),
        )
    k = 1 + rng.randrange(min(MOST, len(mine))) if kind == "semantic-multiple" else min(3, len(mine))
    members = [row, *rng.sample([r for r in mine if r != row], k - 1)]
    names = ids(k, rng)
    fillers = [r.text for r in rng.sample(others, len(others))]
    if kind == "explicit-multiple":
        question = say["members"].format(label=row.label)
        return Mixed(question, tuple(names), "ids", tuple(r.text for r in members), tuple(fillers), tuple(names))
    question = say["count"].format(label=row.label)
    return Mixed(question, (str(k),), "count", tuple(r.text for r in members), tuple(fillers), tuple(names))


def _in_turn(one: Sequence[str], other: Sequence[str]) -> list[str]:
    """Two lists in turn, up to the end of the shorter one."""
    return [text for pair in zip(one, other, strict=False) for text in pair]


def halves(text: str) -> tuple[str, str]:
    """A text cut near its middle, between sentences where it has several, else between words or characters."""
    ends = [i + 1 for i, c in enumerate(text[:-1]) if c in "。！？" or (c in ".!?" and text[i + 1] == " ")]
    ends = ends or [i for i, c in enumerate(text) if c == " "] or list(range(1, len(text)))
    at = min(ends, key=lambda i: abs(i - len(text) / 2), default=len(text))
    return text[:at].strip(), text[at:].strip() or text
