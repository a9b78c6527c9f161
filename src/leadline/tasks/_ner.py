"""Annotated documents of any NER data set: CoNLL columns, rows of tokens and tags, rows of a sentence and its entities."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from leadline.data.noise import read_text
from leadline.data.published import rows_of
from leadline.nouns import UserError

COLUMNS = (".conll", ".bio", ".iob", ".txt")
"""Ends of files that hold a token and its tag a line."""
_HAN = re.compile("[\u3040-\u30ff\u3400-\u9fff]")


@dataclass(frozen=True)
class Annotated:
    """A text and its entities, each pair of mention and type once."""

    text: str
    pairs: tuple[tuple[str, str], ...]


def joined(tokens: Sequence[str]) -> str:
    """Tokens as text: with blanks between them, Chinese ones without."""
    return ("" if _HAN.search("".join(tokens)) else " ").join(tokens)


def spans(tokens: Sequence[str], tags: Sequence[str]) -> list[tuple[str, str]]:
    """Mentions with their types from BIO or IOB tags; an I- that continues nothing of its type begins a new one."""
    found: list[tuple[list[str], str]] = []
    last = "O"
    for token, tag in zip(tokens, tags, strict=True):
        head, _, kind = tag.partition("-")
        if not kind:
            # Tags without a prefix, as in Few-NERD's columns: neighbours of one type are one entity.
            head, kind = ("O", "") if tag == "O" else ("B" if tag != last else "I", tag)
        if head in ("B", "S", "U") or (head in ("I", "E", "L") and last != kind):
            found.append(([token], kind))
        elif head in ("I", "E", "L"):
            found[-1][0].append(token)
        last = kind if head != "O" else "O"
    return [(joined(words), kind) for words, kind in found]


@lru_cache(maxsize=8)
def read(spec: str) -> tuple[Annotated, ...]:
    """The documents of a data set in its order; of a column file those between -DOCSTART- lines, else its sentences.

    Raises:
        UserError: it cannot be read, or a row is of none of the formats, with its place.
    """
    found = _from_columns(spec) if spec.endswith(COLUMNS) else [_row(row, place) for place, row in rows_of(spec)]
    if not any(one.pairs for one in found):
        raise UserError(f"{spec!r} holds no entities")
    return tuple(one for one in found if one.text)


def _from_columns(spec: str) -> list[Annotated]:
    documents: list[list[tuple[list[str], list[str]]]] = [[]]
    text = read_text(Path(spec).expanduser())
    whole = "-DOCSTART-" in text
    tokens, tags = list[str](), list[str]()
    for number, line in enumerate([*text.splitlines(), ""], 1):
        fields = line.split()
        if fields and fields[0] != "-DOCSTART-":
            if len(fields) < 2:
                raise UserError(f"{spec} line {number}: a token and its tag are needed, got {line!r:.60}")
            tokens.append(fields[0])
            tags.append(fields[-1])
            continue
        if tokens:
            documents[-1].append((tokens, tags))
            tokens, tags = [], []
        if (fields and whole) or not whole:
            documents.append([])
    return [_annotated(sentences) for sentences in documents if sentences]


def _annotated(sentences: Iterable[tuple[Sequence[str], Sequence[str]]]) -> Annotated:
    sentences = list(sentences)
    pairs = [pair for tokens, tags in sentences for pair in spans(tokens, tags)]
    return Annotated(joined([joined(tokens) for tokens, _ in sentences]), tuple(dict.fromkeys(pairs)))


def _row(row: Any, place: str) -> Annotated:
    if not isinstance(row, Mapping):
        raise UserError(f"{place}: a row must be a JSON object, it is {type(row).__name__}")
    text = next((row[name] for name in ("sentence", "text") if isinstance(row.get(name), str)), None)
    if text is not None and "entities" in row:
        entities = row["entities"]
        listed = entities.items() if isinstance(entities, Mapping) else [_entity(e, text, place) for e in entities]
        return Annotated(text, tuple(dict.fromkeys((str(m), str(k)) for m, k in listed)))
    tags = next((row[name] for name in ("ner_tags", "tags", "labels", "fine_ner_tags") if name in row), None)
    if isinstance(row.get("tokens"), Sequence) and tags is not None:
        if any(not isinstance(tag, str) for tag in tags):
            raise UserError(f"{place}: tags must be words as in B-PER, they are numbers here: give a file with their names")
        if len(tags) != len(row["tokens"]):
            raise UserError(f"{place}: {len(row['tokens'])} tokens but {len(tags)} tags")
        return _annotated([(row["tokens"], tags)])
    raise UserError(
        f"{place}: rows are read as sentence (or text) with entities, or as tokens with ner_tags (tags, labels); "
        f"this one has: {', '.join(row) or 'none'}"
    )


def _entity(entity: Any, text: str, place: str) -> tuple[str, str]:
    """One entity of a list: an object with its words and type, or its span of characters and type."""
    if isinstance(entity, Mapping):
        kind = next((entity[n] for n in ("label", "type", "entity_type", "category") if n in entity), None)
        words = next((entity[n] for n in ("mention", "text", "word", "name", "entity") if n in entity), None)
        if words is None and "start" in entity and "end" in entity:
            words = text[int(entity["start"]) : int(entity["end"])]
        if words is not None and kind is not None:
            return str(words), str(kind)
    elif isinstance(entity, Sequence) and len(entity) == 3 and not isinstance(entity, str):
        return text[int(entity[0]) : int(entity[1])], str(entity[2])
    raise UserError(f"{place}: an entity needs its mention (or start and end) and its type, got {entity!r:.60}")
