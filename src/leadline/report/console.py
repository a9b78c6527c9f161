"""A run's result as plain text for a terminal of 100 columns. Knows nothing about HTML or figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from leadline.nouns import Record
from leadline.report import view, words
from leadline.scoring.longscore import LongScore
from leadline.scoring.slices import Part
from leadline.scoring.summary import Summary

WIDTH = 100
"""Columns of a terminal that nothing goes beyond."""
NAME = 23
"""Widest name of a task or group; longer ones are cut."""

LAST = 11
"""Width of the column of breakdown lengths."""
MOST = 24
"""Values of a facet that are shown."""
HEAD = "score, 95 % interval"
Row = tuple[str, Mapping[int, Any], str]
"""Name, what there is at each length (`Cell`, `Point`, `Facet`, `Part`), and where it breaks down."""


def table(summary: Summary, records: Sequence[Record] = ()) -> str:
    """LongScore and breakdown length, scores by task and length, what went wrong, and what it cost.

    Args:
        summary: of the run.
        records: those the summary was made of, for cost and time; that line is left out without them.

    Returns:
        Lines of at most 100 columns, ending with a newline.
    """
    many = view.series(summary, records)
    if not many:
        return "no samples yet\n"
    blocks = [_headline(one) + _scores(one) + _audit(one) + _cost(one) for one in many]
    if len(many) > 1:
        blocks.append(_comparisons(summary, many))
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _headline(one: view.Series) -> list[str]:
    found = one.group.breakdown
    # Without a number the note is the sentence; censored, the sentence says as much as the note.
    said_all = not found.note or found.tokens is None or (found.censored and ";" not in found.note)
    return [
        *_wrap(one.name),
        *_wrap(f"LongScore  {_longscore(one.group.longscore)}"),
        *_wrap(f"Breakdown  {words.fall(found)}"),
        *([] if said_all else _wrap(f"Note       {found.note}")),
        "",
    ]


def _longscore(longscore: LongScore) -> str:
    if longscore.value is None:
        return f"none: {longscore.note}"
    between = words.changes(longscore.low, longscore.high)
    said = f"{words.change(longscore.value)} of the base score at long lengths (95 %: {between})"
    if longscore.base is not None:
        said += f"; base {words.score(longscore.base)}"
    if longscore.ratios_first is not None and longscore.ratios_first.value is not None:
        said += f"; ratios first {words.change(longscore.ratios_first.value)}"
    return f"{said}; {longscore.note}" if longscore.note else said


def _scores(one: view.Series) -> list[str]:
    """The tasks, groups of tasks, facets of the items and figures beside the score, each by length."""
    cells: dict[str, dict[int, Any]] = {task: {} for task in one.curves}
    for c in one.group.cells:
        cells[c.task][c.length] = c
    rows: list[Row] = [(task, cells[task], words.bound(one.group.breakdown_tasks[task])) for task in cells]
    if len(rows) > 1:
        rows.append(("mean", {p.length: p for p in one.curve if p.complete}, words.bound(one.group.breakdown)))
    blocks: list[tuple[str, list[Row]]] = [(HEAD, rows)]
    for by, slices in view.groupings(one):
        blocks.append(
            (
                f"by {by} (tasks)",
                [
                    (f"{s.value} ({len(s.tasks)})", {p.length: p for p in s.points if p.complete}, words.bound(s.breakdown))
                    for s in slices
                ],
            )
        )
    width = min(NAME, max(len(name) for head, rows in blocks for name in (head, *(row[0] for row in rows))))
    lines = [line for head, rows in blocks for line in ["", *_grid(head, rows, one, width)]][1:]
    lines += ["* base"] if one.base else []
    for task, facet, values in view.facets(one):
        lines += ["", *_wrap(f"{task}, by {facet}")]
        lines += _grid("", [(f"  {value or '-'}", at, "") for value, at in list(values.items())[:MOST]], one, width)
        if len(values) > MOST:
            lines.append(f"  and {len(values) - MOST} more, in the report")
    for task, figures in view.parts(one):
        lines += ["", *_wrap(f"{task}, means beside the score")]
        lines += _grid("", [(f"  {name}", at, "") for name, at in figures.items()], one, width)
    return lines


def _grid(head: str, rows: Sequence[Row], one: view.Series, name: int) -> list[str]:
    """Rows by length, and where each breaks down; lengths that do not fit into the width go into a further block."""
    width = 11
    falls = any(fall for _, _, fall in rows)
    lengths = one.lengths
    fit = (WIDTH - name - LAST) // width
    lines: list[str] = []
    for start in range(0, len(lengths), fit):
        some = lengths[start : start + fit]
        names = "".join(f"{words.length(n) + ('*' if n in one.base else ''):>{width}}" for n in some)
        lines.append(f"{head:{name}}{names}{'breaks at' if falls and not start else '':>{LAST}}".rstrip())
        for row, at, fall in rows:
            line = f"{_cut(row, name):{name}}" + "".join(f"{_said(at.get(n)):>{width}}" for n in some)
            lines.append(f"{line}{'' if start else fall:>{LAST}}".rstrip())
        lines.append("")
    return lines[:-1]


def _said(found: Any) -> str:
    """A score with its interval, or a mean."""
    if found is None:
        return "-"
    if isinstance(found, Part):
        return words.figure(found.mean)
    return "-" if found.score is None else f"{words.score(found.score)} {words.span(found.low, found.high):>6}"


def _audit(one: view.Series) -> list[str]:
    total: dict[str, int] = {}
    for c in one.group.cells:
        for audit, n in c.audit.items():
            total[audit] = total.get(audit, 0) + n
    tried = sum(total.values())
    other = {a: n for a, n in total.items() if a != "answered" and n}
    said = ", ".join(f"{n:,} {a}" for a, n in sorted(other.items(), key=lambda x: -x[1]))
    return [
        "",
        *_wrap(f"Audit      {total.get('answered', 0):,} of {tried:,} samples answered" + (f"; {said}" if said else "")),
    ]


def _cost(one: view.Series) -> list[str]:
    found = view.costs(one.records)
    if not found:
        return []
    c = found[-1]
    parts = [f"{c.tokens:,} tokens read" + (f", {c.output:,} written" if c.output is not None else "")]
    if c.seconds is not None:
        parts.append(f"{words.duration(c.seconds)} a sample")
    if c.ttft_s is not None:
        parts.append(f"first token {words.duration(c.ttft_s)}")
    if c.token_s is not None:
        parts.append(f"then {words.duration(c.token_s)} each")
    if c.peak_bytes is not None:
        parts.append(f"peak {words.amount(c.peak_bytes)}")
    if c.cache_bytes is not None:
        parts.append(f"cache {words.amount(c.cache_bytes)}")
    if c.cost is not None:
        parts.append(words.money(c.cost))
    return _wrap(f"Cost       {'; '.join(parts)}")


def _comparisons(summary: Summary, many: list[view.Series]) -> list[str]:
    labels = {one.group.key: one.label for one in many}
    rows = [c for c in summary.comparisons if c.task == "all"] or list(summary.comparisons)
    if not rows:
        return []
    name = min(40, max(len(labels[c.a]) for c in rows))
    lines = _wrap(f"Against {labels[rows[0].b]}, on the same samples (points of 100; p by Holm)")
    for c in rows:
        task = "" if c.task == "all" else f"  {_cut(c.task, NAME)}"
        lines.append(
            f"{_cut(labels[c.a], name):{name}}  {100 * c.difference:+6.1f}  "
            f"({100 * c.low:+.1f} to {100 * c.high:+.1f})  p {c.p:.3f}{task}"
        )
    return lines


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _wrap(text: str) -> list[str]:
    """Break at spaces, further lines set in under the text that follows the first word's column."""
    lines = [""]
    for word in text.split(" "):
        if len(lines[-1]) + len(word) + 1 > WIDTH and lines[-1].strip():
            lines.append(" " * 11)
        lines[-1] += word if not lines[-1] or lines[-1] == " " * 11 else f" {word}"
    return [line[:WIDTH] for line in lines]
