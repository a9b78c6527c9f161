"""The samples as the page's reader takes them: chosen fairly, as JSON in which nothing can end the script element.

Knows nothing of how they are shown: that is `page.js`.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from leadline.nouns import MARKS, Record
from leadline.report import view
from leadline.scoring.summary import key

READER_BYTES = 2_200_000
"""Room for the samples in the page [bytes]; more samples than fit are drawn fairly, and the page says so."""
LONGEST = 6_000
"""Longest text of a sample that is shown whole [characters]; of a longer one the middle is left out, and said to be."""
FIELDS = (
    "group", "task", "length", "score", "audit", "item", "question", "answers", "answer", "thinking",
    "extracted", "evidence", "depths", "tokens", "error", "seconds", "prior", "command",
)  # fmt: skip
"""Of a sample in the page, in this order; texts as places in one list of strings, for most recur at every length."""

FILTERS = (
    ("group", "model, method", "all"),
    ("task", "task", "all tasks"),
    ("length", "length", "all lengths"),
    ("verdict", "verdict", "right and wrong"),
    ("audit", "audit", "all"),
)
"""Id, label and first choice of each filter; the page's script adds the other choices."""


def samples(records: Sequence[Record], many: Sequence[view.Series], folders: Mapping[str, str]) -> tuple[str, str]:
    """The section with the reader: a sentence and its HTML.

    Args:
        records: all samples; as many as fit are taken.
        many: the groups they belong to.
        folders: run folder by cell key, for the commands that print a prompt.
    """
    if not records:
        return "", ""
    groups = {one.group.key: i for i, one in enumerate(many)}
    strings: dict[str, int] = {"": 0}
    rows, room = [], READER_BYTES
    for r in (ordered := _fair(records)):
        before = len(strings)
        row = _row(r, groups[key(r)], strings, folders)
        fresh = list(strings)[before:]
        room -= len(json.dumps([row, fresh], ensure_ascii=False).encode("utf-8", "backslashreplace"))
        if room < 0 and rows:
            break
        rows.append((r, row))
    rows.sort(key=lambda pair: (pair[1][0], pair[0].task, pair[0].length, pair[0].item))
    data = {
        "marks": MARKS,
        "groups": [one.label for one in many],
        "fields": FIELDS,
        "strings": list(strings),
        "rows": [row for _, row in rows],
    }
    # `<` is all that could end the script element or open a comment in it.
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    why = "Everything that was asked and answered, as it was. Arrow keys move through the list."
    if len(rows) < len(ordered):
        why = (
            f"{len(rows):,} of {len(ordered):,} samples fit into this page: the same items in every cell, drawn by the hash of "
            "their names and not by how they went. All are in the run's folder. Arrow keys move through the list."
        )
    content = (
        '<noscript><p class="notice">The samples need scripts, which this browser has switched off.</p></noscript>'
        f'<div class="filters">{"".join(_select(*names) for names in FILTERS)}'
        '<label class="grow">search<input id="f-search" type="search" autocomplete="off" spellcheck="false"></label></div>'
        '<p class="count" id="count" role="status"></p>'
        '<div class="reader"><div class="list"><ol id="list" aria-label="Samples"></ol></div>'
        '<div class="sample" id="sample" tabindex="0" role="region" aria-label="The chosen sample"></div></div>'
        f'<script type="application/json" id="samples">{text}</script>'
    )
    return why, content


def _select(name: str, said: str, every: str) -> str:
    return f'<label>{said}<select id="f-{name}"><option value="">{every}</option></select></label>'


def _fair(records: Sequence[Record]) -> list[Record]:
    """An order of which every beginning holds the same items in every cell, whatever their scores."""
    at: Counter[str] = Counter()
    ranked = []
    for r in sorted(records, key=lambda r: hashlib.sha256(r.item.encode("utf-8", "backslashreplace")).digest()):
        ranked.append((at[r.cell], r))
        at[r.cell] += 1
    return [r for _, r in sorted(ranked, key=lambda pair: pair[0])]


def _row(r: Record, group: int, strings: dict[str, int], folders: Mapping[str, str]) -> list[Any]:
    def place(text: str) -> int:
        return strings.setdefault(text, len(strings))

    where = f"{folders.get(r.cell, 'RUN')}#{r.prompt}"
    command = f"leadline show {shlex.quote(where)}"
    long = ("answer", "thinking", "question", "extracted", "error")
    cut = replace(r, **{name: _shorten(getattr(r, name), command) for name in long})
    values = {
        "group": group,
        "score": None if r.score is None else round(r.score, 4),
        "answers": [place(a) for a in r.answers],
        "evidence": [place(_shorten(e, command)) for e in r.evidence],
        "depths": [round(d, 3) for d in r.depths],
        "command": place(command),
    }
    plain = {"length", "tokens", "seconds", "prior"}
    return [values[f] if f in values else getattr(cut, f) if f in plain else place(getattr(cut, f)) for f in FIELDS]


def _shorten(text: str, command: str) -> str:
    if len(text) <= LONGEST:
        return text
    half = LONGEST // 2
    gap = f"[… {len(text) - 2 * half:,} characters left out here; `{command}` prints them …]"
    return f"{text[:half]}\n\n{gap}\n\n{text[-half:]}"
