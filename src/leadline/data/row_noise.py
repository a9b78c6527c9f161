"""Noise from a data set's own texts: the documents of other questions, whole where they are short.

Knows nothing of the questions.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from leadline.data.noise import LONGEST, Source, units
from leadline.data.published import rows_of
from leadline.nouns import UserError


def source(spec: str, seed: int, settings: Mapping[str, Any]) -> Source:
    """The source of `rows(data=..., column=context)`: different texts of the column, in an order drawn by the seed.

    Raises:
        UserError: no such data or column, or another setting.
    """
    other = set(settings) - {"data", "column"}
    if "data" not in settings or other:
        raise UserError(f"noise {spec!r}: write rows(data=FILE) or rows(data=FILE, column=NAME)")
    column = str(settings.get("column", "context"))
    texts: dict[str, None] = {}
    for place, row in rows_of(str(settings["data"])):
        if not isinstance(row, Mapping) or not isinstance(row.get(column), str):
            raise UserError(f"noise {spec!r}: {place} has no text {column!r}")
        texts.update(dict.fromkeys(pieces(row[column])))
    if not texts:
        raise UserError(f"noise {spec!r} holds no text")
    found = sorted(texts)
    random.Random(seed).shuffle(found)
    return Source(spec, "\n\n", lambda n: found[:n])


def pieces(text: str) -> list[str]:
    """A text as one unit, or by its paragraphs where it is long."""
    text = text.replace("\r\n", "\n").strip()
    return ([text] if text else []) if len(text) <= 2 * LONGEST else list(units([text], "paragraph"))
