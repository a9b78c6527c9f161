"""Pieces of HTML that sections of the page share: tables, prose, keys. Escapes all text that it is given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from leadline.report import svg, view, words
from leadline.report.svg import esc
from leadline.scoring.breakdown import Breakdown
from leadline.scoring.longscore import LongScore


class Shown(NamedTuple):
    """What stands in a cell of a table: a value, its interval, and ready-made HTML before both."""

    value: str
    small: str = ""
    html: str = ""
    fill: float | None = None
    """A score that the cell is filled with as a heat map is [0 to 1]."""


def cell(value: object, small: str = "", html: str = "", fill: float | None = None) -> Shown:
    """A cell from whatever prints; all but `html` is escaped when the table is made."""
    return Shown(str(value), small, html, fill)


def table(
    head: Sequence[str], rows: Iterable[Sequence[Shown]], label: str, *, total: bool = False, wordy: Sequence[int] = ()
) -> str:
    """A table. A row of one cell heads those below it; columns in `wordy` hold sentences; `total` sets the last row apart."""
    rows = list(rows)
    kinds = [' class="words"' if i in wordy else "" for i in range(len(head))]
    # Intervals of a column get one width, so that the values before them stand under one another.
    room = [max((len(row[i].small) for row in rows if i < len(row)), default=0) for i in range(len(head))]

    def box(i: int, c: Shown) -> str:
        small = f' <small style="min-width:{0.9 * room[i]:.1f}ch">{esc(c.small)}</small>' if room[i] else ""
        fill = "" if c.fill is None else f' class="fill {svg.ink(c.fill)}" style="--v:{c.fill:.2f}"'
        return f"<td{fill or kinds[i]}>{c.html}{esc(c.value)}{small}</td>"

    def line(row: Sequence[Shown], last: bool) -> str:
        if len(row) == 1 and len(head) > 1:
            return f'<tr class="group"><th scope="rowgroup" colspan="{len(head)}">{row[0].html}{esc(row[0].value)}</th></tr>'
        return f"<tr{' class=total' if total and last else ''}>{''.join(box(i, c) for i, c in enumerate(row))}</tr>"

    body = "".join(line(row, row is rows[-1]) for row in rows)
    tops = "".join(f'<th scope="col"{kind}>{esc(name)}</th>' for kind, name in zip(kinds, head, strict=True))
    region = f'<div class="scroll" tabindex="0" role="region" aria-label="{esc(label)}">'
    return f"{region}<table><thead><tr>{tops}</tr></thead><tbody>{body}</tbody></table></div>"


def details(name: str, content: str, opened: bool = False) -> str:
    """A part that opens at a click."""
    return f"<details{' open' if opened else ''}><summary>{esc(name)}</summary>{content}</details>"


def score(found: Any, fill: bool = False) -> Shown:
    """A score with its interval (of a `Cell`, `Point` or `Facet`), or a dash."""
    if found is None or found.score is None:
        return Shown("–")
    return Shown(words.score(found.score), words.span(found.low, found.high), fill=found.score if fill else None)


def long(longscore: LongScore | None) -> Shown:
    """A LongScore with its interval."""
    if longscore is None or longscore.value is None:
        return Shown("–")
    return Shown(words.change(longscore.value), words.changes(longscore.low, longscore.high))


def fall(found: Breakdown | None) -> Shown:
    """A breakdown length with its interval."""
    return Shown("–") if found is None else Shown(words.bound(found), "" if found.censored else words.reach(found))


def prose(text: str) -> str:
    """Escaped, with per cent signs kept to their numbers."""
    return esc(text).replace(" %", "\u00a0%")


def why(text: str) -> str:
    """The sentence under a heading, or nothing."""
    return f'<p class="why">{prose(text)}</p>' if text else ""


def key(index: int) -> str:
    """The dot in a series' colour before its name."""
    return f'<span class="key {svg.colour(index)}" aria-hidden="true"></span>'


def heading(index: int, one: view.Series, dot: bool = True) -> list[Shown]:
    """A group's name at the head of its rows, or at the beginning of its row."""
    return [cell(one.label, html=key(index) if dot else "")]
