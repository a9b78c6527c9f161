"""Named entities in replies: pairs of mention and type read from lines or JSON, normalised, compared."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from leadline.scoring import extract

Pair = tuple[str, str]
"""Mention and type."""

_BULLET = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+")
_OUTER = " \t\"'“”‘’`*.,;:!?()[]"


def bare(text: str) -> str:
    """A mention or a type as it is compared: NFKC, single blanks, no punctuation or quotes around it."""
    return " ".join(unicodedata.normalize("NFKC", text).split()).strip(_OUTER)


def read(reply: str) -> list[Pair] | None:
    """The pairs of a reply, each once, in order: lines with a tab or "mention: type", or one JSON object or list.

    A line's last ": " parts it, so that mentions may hold one. None where no line has the form.
    """
    text = extract.plain(reply).strip()
    found = _from_json(text)
    if found is None:
        found = []
        for line in text.splitlines():
            row = _BULLET.sub("", line)
            mention, sep, kind = row.rpartition("\t" if "\t" in row.strip() else ": ")
            if sep and bare(mention) and bare(kind):
                found.append((bare(mention), bare(kind)))
    return list(dict.fromkeys(found)) or None


def _from_json(text: str) -> list[Pair] | None:
    if not text.startswith(("{", "[")):
        return None
    try:
        data = json.loads(text)
    except ValueError:
        return None
    rows = data.items() if isinstance(data, Mapping) else data if isinstance(data, list) else ()
    pairs = []
    for row in rows:
        values = tuple(row.values()) if isinstance(row, Mapping) else tuple(row) if isinstance(row, list | tuple) else ()
        if len(values) == 2 and all(isinstance(v, str) for v in values):
            pairs.append((bare(values[0]), bare(values[1])))
    return pairs


def says_none(reply: str) -> bool:
    """Whether a reply says that there is nothing to list."""
    return bool(
        re.fullmatch(
            r"\W*(?:none|nothing|no (?:named )?entit(?:y|ies)(?: (?:were )?found)?|empty|n/a|\[\s*\]|\{\s*\})\W*",
            reply.strip(),
            re.I,
        )
    ) or reply.strip() in ("[]", "{}")


def folded(pairs: Iterable[Sequence[str]], case: bool) -> set[Pair]:
    """Pairs as a set, in lower case unless case counts; types never mind it."""
    return {(bare(m) if case else bare(m).lower(), bare(k).lower()) for m, k in pairs}


def relaxed(said: set[Pair], wanted: set[Pair]) -> int:
    """Pairs of one type that share a word, each used once, the largest overlaps first."""

    def words(text: str) -> set[str]:
        return set(re.findall(r"\w+", text.lower())) - {"the", "of", "a", "an", "and", "in"}

    options = sorted(
        ((len(words(a[0]) & words(b[0])), a, b) for a in said for b in wanted if a[1] == b[1] and words(a[0]) & words(b[0])),
        key=lambda option: (-option[0], option[1:]),
    )
    used_said, used_wanted = set[Pair](), set[Pair]()
    for _, a, b in options:
        if a not in used_said and b not in used_wanted:
            used_said.add(a)
            used_wanted.add(b)
    return len(used_said)
