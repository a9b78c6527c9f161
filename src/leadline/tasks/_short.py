"""Short rows of any data set, labelled texts or questions, under the column names that are in use or that a user gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from leadline.data.published import rows_of
from leadline.nouns import UserError

NAMES: dict[str, tuple[str, ...]] = {
    "text": ("text", "sentence", "content", "review", "article", "comment", "utterance", "query", "document", "news"),
    "label": ("label_text", "label_name", "intent", "category", "class", "relation", "emotion", "topic", "label", "labels"),
    "context": ("context", "passage", "paragraph", "document", "article", "story"),
    "question": ("question", "query", "input"),
    "answer": ("answers", "answer", "output", "outputs", "target", "targets"),
    "instruction": ("instruction", "definition", "Definition", "task_prompt", "prompt"),
    "input": ("input", "inputs", "question", "text"),
}
"""Columns that each thing is looked for in; the first that a row has is read."""


@dataclass(frozen=True)
class Labelled:
    """A text and its class."""

    text: str
    label: str


@dataclass(frozen=True)
class Asked:
    """A question on a short text."""

    context: str
    question: str
    answers: tuple[str, ...]


def columns_of(text: str, known: Sequence[str], task: str) -> dict[str, str]:
    """A user's own column names, as in `text=review,label=stars`.

    Raises:
        UserError: it is not written so, or names a thing that the task has no use for.
    """
    found: dict[str, str] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        thing, sep, column = (p.strip() for p in part.partition("="))
        if not sep or not column or thing not in known:
            raise UserError(
                f"{task}: columns are written as in columns='{known[0]}=NAME', for {', '.join(known)}; got {part!r} in {text!r}"
            )
        found[thing] = column
    return found


def pick(row: Any, thing: str, place: str, given: Mapping[str, str], names: Mapping[str, Sequence[str]] = NAMES) -> Any:
    """What a row holds of a thing; None where it has no column for it.

    Raises:
        UserError: the row is no object, or lacks the column that the user named.
    """
    if not isinstance(row, Mapping):
        raise UserError(f"{place}: a row must be a JSON object, it is {type(row).__name__}")
    if thing in given:
        if given[thing] not in row:
            raise UserError(f"{place}: no column {given[thing]!r} for the {thing}; this row has: {', '.join(row) or 'none'}")
        return row[given[thing]]
    return next((row[name] for name in names[thing] if row.get(name) is not None), None)


def need(row: Any, thing: str, place: str, given: Mapping[str, str]) -> Any:
    """As `pick`, where the thing must be there."""
    found = pick(row, thing, place, given)
    if found is None:
        raise UserError(
            f"{place}: no {thing} was found (looked for {', '.join(NAMES[thing])}); this row has: {', '.join(row) or 'none'}: "
            f"name its column, as in columns='{thing}=NAME'"
        )
    return found


def texts_of(value: Any) -> tuple[str, ...]:
    """Accepted answers of any of the usual shapes: a text, a list, or SQuAD's {"text": [...]}; empty ones left out."""
    if isinstance(value, Mapping):
        value = value.get("text", ())
    if isinstance(value, str | int | float):
        value = (value,)
    return tuple(dict.fromkeys(text for v in value if (text := str(v).strip())))


@lru_cache(maxsize=16)
def labelled(spec: str, columns: str, task: str) -> tuple[Labelled, ...]:
    """Texts with their classes; of several labels the first counts, equal texts are kept once.

    Raises:
        UserError: it cannot be read, or a row has no text or label, with its place.
    """
    given = columns_of(columns, ("text", "label"), task)
    rows: dict[str, Labelled] = {}
    for place, raw in rows_of(spec):
        if isinstance(raw, Mapping) and "label" not in given and {"sentence1", "sentence2", "label"} <= set(raw):
            text, label = f"{raw['sentence1']} ( ) {raw['sentence2']}", raw["label"]
        elif isinstance(raw, Mapping) and not given and {"sentence", "relation", "subject_entity", "object_entity"} <= set(raw):
            text = f"{raw['sentence']} Subject: {raw['subject_entity']}. Object: {raw['object_entity']}."
            label = raw["relation"]
        else:
            text, label = need(raw, "text", place, given), need(raw, "label", place, given)
        names = texts_of(label)
        if str(text).strip() and names:
            rows.setdefault(str(text), Labelled(" ".join(str(text).split()), names[0]))
    if not rows:
        raise UserError(f"{task}: {spec!r} holds no labelled texts")
    return tuple(rows.values())


@lru_cache(maxsize=16)
def asked(spec: str, columns: str, task: str) -> tuple[Asked, ...]:
    """Questions on short texts; rows without an answer are left out.

    Raises:
        UserError: it cannot be read, or a row has no context, question or answer, with its place.
    """
    given = columns_of(columns, ("context", "question", "answer"), task)
    rows = [
        Asked(str(need(raw, "context", place, given)), str(need(raw, "question", place, given)), answers)
        for place, raw in rows_of(spec)
        if (answers := texts_of(need(raw, "answer", place, given)))
    ]
    if not rows:
        raise UserError(f"{task}: {spec!r} holds no questions with an answer")
    return tuple(rows)
