"""One HTML file that says everything about a run: works offline, asks no address for anything, prints.

Whatever came from a model or a data set goes in as text: escaped in the tables and charts, and for the
reader of samples as JSON that the page's script writes out with text nodes. Knows nothing about how runs are made.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from leadline.nouns import MARKS, NOT_ASKED, Record, UserError
from leadline.report import svg, view, words
from leadline.report.svg import esc
from leadline.scoring.breakdown import SHARE, Breakdown
from leadline.scoring.longscore import LongScore
from leadline.scoring.summary import Cell, Comparison, Summary, prior_rate, summarise, without_prior

READER_BYTES = 2_200_000
"""Room for the samples in the page [bytes]; more samples than fit are drawn fairly, and the page says so."""
LONGEST = 6_000
"""Longest text of a sample that is shown whole [characters]; of a longer one the middle is left out, and said to be."""
MOST_CELLS = 400
"""Cell keys that are listed."""
CSP = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
COSTS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "seconds": ("time of a sample, median", words.duration),
    "ttft_s": ("time to first token, median", words.duration),
    "token_s": ("time per further token, median", words.duration),
    "peak_bytes": ("peak memory beyond the weights", words.amount),
    "cache_bytes": ("key-value cache, mean", words.amount),
    "cost": ("cost", words.money),
}


def page(records: Sequence[Record], summary: Summary, info: Mapping[str, Any]) -> str:
    """The report as one HTML document.

    Args:
        records: finished samples of one run or several.
        summary: what `summarise` made of them.
        info: the run's identity, shown as it is (plan, seed, versions, revisions, hardware, ...). Read besides: `run`, the
            run's folder, and `runs`, folders by cell key, both for the commands that print a prompt; `trained`, trained
            length by model [tokens]; `notes`, sentences that a reader must know; `share`, of the base, that
            breakdown lengths were taken at.
    """
    many = view.series(summary, records)
    title = f"leadline: {', '.join(dict.fromkeys(one.group.model for one in many)) or 'no samples yet'}"
    sections = [
        ("summary", "Summary", "", "", True),
        ("lengths", "Score by length", *_lengths(many, info)),
        ("depth", "Score by depth and length", *_depth(many)),
        ("difficulty", "Score by diffusion and scope", *_difficulty(many)),
        ("trade", "Quality against cost", *_trade(many)),
        ("audit", "Audit", *_audit(many)),
        ("prior", "Prior knowledge", *_prior(records)),
        ("cost", "Cost and time", *_cost(many)),
        ("identity", "What was run", *_identity(records, info)),
        ("samples-section", "Samples", *_reader(records, many, info)),
    ]
    shown = [s for s in sections if s[4]]
    links = "".join(f'<li><a href="#{key}">{esc(name)}</a></li>' for key, name, *_ in shown)
    body = "".join(
        f'<section id="{key}"><h2>{esc(name)}</h2>{_why(why)}{content}</section>' for key, name, why, content, _ in shown[1:]
    )
    document = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{CSP}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        # Without an icon of its own a page has browsers ask for one.
        '<link rel="icon" href="data:,"><meta name="referrer" content="no-referrer">'
        f"<title>{esc(title)}</title><style>{_part('page.css')}</style></head><body>"
        '<a class="skip" href="#samples-section">Skip to the samples</a>'
        f'<header id="summary">{_headline(many, records, info)}</header><nav aria-label="Sections"><ul>{links}</ul></nav>'
        f"<main>{_results(many, summary)}{body}</main>"
        f"<footer>Made by leadline{esc(_version(info))}. Intervals are 95 %. This file asks no address for anything.</footer>"
        f"<script>{_part('page.js')}</script></body></html>\n"
    )
    # Models do write half surrogates, which no file can hold; in JSON the escape is what it says.
    return document.encode("utf-8", "backslashreplace").decode()


def write(records: Sequence[Record], summary: Summary, info: Mapping[str, Any], out: Path) -> Path:
    """Write the page whole or not at all.

    Args:
        records: as `page` takes them, as are summary and info.
        summary: what `summarise` made of them.
        info: the run's identity.
        out: the file, or a folder that gets `report.html`.

    Returns:
        The file written.

    Raises:
        UserError: `out` is a file of another kind, or cannot be written.
    """
    target = out / "report.html" if out.is_dir() else out
    if target.is_dir():
        raise UserError(f"{target} is a folder: name another file for the report")
    if target.suffix.lower() not in {".html", ".htm"}:
        raise UserError(f"{target} does not end in .html: give a folder, or a file that does")
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(page(records, summary, info), encoding="utf-8")
        part.replace(target)
    except OSError as error:
        if target.parent.is_dir():
            part.unlink(missing_ok=True)
        raise UserError(f"cannot write {target}: {error.strerror or error}; nothing was written") from error
    return target


def sample_id(record: Record) -> str:
    """What names a sample in its run: the key of its cell and its item."""
    return f"{record.cell}/{record.item}"


def _part(name: str) -> str:
    return resources.files("leadline.report").joinpath(name).read_text(encoding="utf-8")


def _version(info: Mapping[str, Any]) -> str:
    versions = info.get("versions")
    return f" {versions['leadline']}" if isinstance(versions, Mapping) and "leadline" in versions else ""


def _headline(many: Sequence[view.Series], records: Sequence[Record], info: Mapping[str, Any]) -> str:
    dates = sorted({r.date[:10] for r in records if r.date})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}" if dates else ""
    facts = [str(info.get("run", "")), when, f"{len(records):,} samples"]
    eyebrow = f'<p class="eyebrow"><b>leadline</b> · {esc(" · ".join(f for f in facts if f))}</p>'
    if not many:
        return f"{eyebrow}<h1>No samples yet</h1>"
    notes = "".join(f'<p class="notice">{_prose(n)}</p>' for n in [*info.get("notes", ()), *_approximate(many)])
    gauge = svg.gauge(
        [(i, one.label, one.group.breakdown) for i, one in enumerate(many)], sorted({n for o in many for n in o.lengths})
    )
    if len(many) > 1:
        kinds = [len({one.group.key[i] for one in many}) for i in range(3)]
        what = " and ".join(w for w, k in zip(("models", "methods", "pipelines"), kinds, strict=True) if k > 1) or "groups"
        whose = f"{many[0].group.model}: " if kinds[0] == 1 else ""
        lede = "How far each reads reliably: the full line, to the plumb; the paler part is its 95 % interval."
        return f'{eyebrow}<h1>{esc(whose)}{len(many)} {what} on the same samples</h1><p class="lede">{_prose(lede)}</p>{gauge}{notes}'
    one, fall = many[0], many[0].group.breakdown
    said = words.fall(fall)
    # the number itself is set apart
    number = words.about(fall.tokens) if fall.tokens and not fall.censored else words.length(fall.tokens) if fall.tokens else ""
    said_html = esc(said)
    if number:
        head, _, tail = said.partition(f"{number} tokens")
        tail, _, between = tail.partition(" (")
        said_html = f"{esc(head)}<em>{esc(number)} tokens</em>{esc(tail)}"
        aside = f"{between.rstrip(')')}. " if between else ""
    else:
        aside = ""
    method = " · ".join(filter(None, one.group.key[1:]))
    share = info.get("share", SHARE)
    lede = f"{aside}Beyond it the score falls under {100 * share:g} % of what the same questions score at short lengths."
    if fall.censored or not fall.tokens:
        lede = f"{aside}{fall.note.capitalize()}." if fall.note and fall.tokens else ""
    return (
        f"{eyebrow}<h1>{esc(one.group.model)} {said_html}</h1>"
        + (f'<p class="lede">with {esc(method)}</p>' if method else "")
        + (f'<p class="lede">{_prose(lede)}</p>' if lede else "")
        + gauge
        + _tiles(one)
        + notes
    )


def _tiles(one: view.Series) -> str:
    g = one.group
    tried = sum(sum(c.audit.values()) for c in g.cells)
    counted = sum(c.n for c in g.cells)
    tiles = [
        ("LongScore", words.change(g.longscore.value), _interval(g.longscore) or g.longscore.note),
        ("Base score", words.score(g.longscore.base), f"of 100, at {', '.join(map(words.length, one.base)) or 'no'} tokens"),
        ("Breakdown", words.bound(g.breakdown), words.reach(g.breakdown) or g.breakdown.note),
        ("Samples", f"{counted:,}", "all count" if tried == counted else f"that count, of {tried:,}"),
    ]
    return f'<dl class="tiles">{"".join(f"<div><dt>{k}</dt><dd>{esc(v)}<small>{esc(s)}</small></dd></div>" for k, v, s in tiles)}</dl>'


def _approximate(many: Sequence[view.Series]) -> list[str]:
    """Says where a provider counted otherwise than the tokenizer that lengths were measured with."""
    notes = []
    for model in dict.fromkeys(one.group.model for one in many):
        rows = [
            r for one in many if one.group.model == model for r in one.records if r.prompt_tokens is not None and not r.method
        ]
        # the room for the answer, which providers do not count, matters least at the longest length
        longest = [r.prompt_tokens / r.tokens for r in rows if r.length == max(x.length for x in rows) and r.prompt_tokens]
        if longest and not 0.9 <= (ratio := statistics.median(longest)) <= 1.005:
            notes.append(
                f"{model}: the provider counted {100 * abs(ratio - 1):.0f} % {'more' if ratio > 1 else 'fewer'} tokens than the tokenizer given, so its lengths are approximate."
            )
    return notes


def _interval(longscore: LongScore) -> str:
    return f"95 %: {words.changes(longscore.low, longscore.high)}" if longscore.low is not None else ""


class Shown(NamedTuple):
    """What stands in a cell of a table: a value, its interval, and ready-made HTML before both."""

    value: str
    small: str = ""
    html: str = ""


def _cell(value: object, small: str = "", html: str = "") -> Shown:
    return Shown(str(value), small, html)


def _table(
    head: Sequence[str], rows: Iterable[Sequence[Shown]], label: str, *, total: bool = False, wordy: Sequence[int] = ()
) -> str:
    """A table. A row of one cell heads those below it; columns in `wordy` hold sentences; `total` sets the last row apart."""
    rows = list(rows)
    kinds = [' class="words"' if i in wordy else "" for i in range(len(head))]
    # Intervals of a column get one width, so that the values before them stand under one another.
    room = [max((len(row[i].small) for row in rows if i < len(row)), default=0) for i in range(len(head))]

    def cell(i: int, c: Shown) -> str:
        small = f' <small style="min-width:{0.9 * room[i]:.1f}ch">{esc(c.small)}</small>' if room[i] else ""
        return f"<td{kinds[i]}>{c.html}{esc(c.value)}{small}</td>"

    def line(row: Sequence[Shown], last: bool) -> str:
        if len(row) == 1 and len(head) > 1:
            return f'<tr class="group"><th scope="rowgroup" colspan="{len(head)}">{row[0].html}{esc(row[0].value)}</th></tr>'
        return f"<tr{' class=total' if total and last else ''}>{''.join(cell(i, c) for i, c in enumerate(row))}</tr>"

    body = "".join(line(row, row is rows[-1]) for row in rows)
    tops = "".join(f'<th scope="col"{kind}>{esc(name)}</th>' for kind, name in zip(kinds, head, strict=True))
    region = f'<div class="scroll" tabindex="0" role="region" aria-label="{esc(label)}">'
    return f"{region}<table><thead><tr>{tops}</tr></thead><tbody>{body}</tbody></table></div>"


def _prose(text: str) -> str:
    """Escaped, with per cent signs kept to their numbers."""
    return esc(text).replace(" %", "\u00a0%")


def _heading(index: int, one: view.Series) -> list[Shown]:
    """The row of a table that heads a group's rows."""
    return [_cell(one.label, html=_key(index))]


def _why(text: str) -> str:
    return f'<p class="why">{_prose(text)}</p>' if text else ""


def _key(index: int) -> str:
    return f'<span class="key {svg.colour(index)}" aria-hidden="true"></span>'


def _long(longscore: LongScore | None) -> Shown:
    if longscore is None or longscore.value is None:
        return _cell("–")
    return _cell(words.change(longscore.value), words.changes(longscore.low, longscore.high))


def _fall(breakdown: Breakdown | None) -> Shown:
    return (
        _cell("–")
        if breakdown is None
        else _cell(words.bound(breakdown), words.reach(breakdown) if not breakdown.censored else "")
    )


def _results(many: Sequence[view.Series], summary: Summary) -> str:
    """LongScore and breakdown of every group, by task, and paired differences."""
    if not many:
        return ""
    rows = []
    for i, one in enumerate(many):
        g, total = one.group, one.group.longscore
        notes = "; ".join(dict.fromkeys(n for n in (total.note, g.breakdown.note) if n))
        rows.append(
            [
                _cell(one.label, html=_key(i) if len(many) > 1 else ""), _cell(words.score(g.score)), _cell(words.score(total.base)),
                _long(total), _cell(words.change(total.raw) if total.raw is not None else "–"),
                _long(total.ratios_first), _fall(g.breakdown), _cell(notes),
            ]
        )  # fmt: skip
    head = ["", "score", "base", "LongScore", "chance left in", "ratios first", "breakdown [tokens]", ""]
    if all(one.group.longscore.raw is None for one in many):
        head, rows = head[:4] + head[5:], [r[:4] + r[5:] for r in rows]
    if not any(one.group.longscore.note or one.group.breakdown.note for one in many):
        head, rows = head[:-1], [r[:-1] for r in rows]
    why = (
        "LongScore is how much of the score at base lengths is lost or won at long ones: 0 % nothing lost, −100 % all. "
        "The breakdown length is where the score falls under a share of the base."
    )
    content = _table(head, rows, "LongScore and breakdown", wordy=[len(head) - 1] if head[-1] == "" else [])
    tasks = list(dict.fromkeys(t for one in many for t in one.curves))
    by_task = _table(
        [
            "task",
            *(f"{'' if len(many) == 1 else one.label + ': '}{what}" for one in many for what in ("LongScore", "breakdown")),
        ],
        [
            [
                _cell(t),
                *(
                    c
                    for one in many
                    for c in (_long(one.group.longscore_tasks.get(t)), _fall(one.group.breakdown_tasks.get(t)))
                ),
            ]
            for t in tasks
        ],
        "LongScore and breakdown by task",
    )
    opened = " open" if len(many) == 1 else ""
    content += f"<details{opened}><summary>By task</summary>{by_task}</details>" if len(tasks) > 1 else ""
    content += _differences(many, summary)
    return f'<section id="scores"><h2>LongScore and breakdown length</h2>{_why(why)}{content}</section>'


def _differences(many: Sequence[view.Series], summary: Summary) -> str:
    if not summary.comparisons:
        return ""
    labels = {one.group.key: (i, one.label) for i, one in enumerate(many)}

    def row(c: Comparison, first: Shown) -> list[Shown]:
        signed = [f"{100 * v:+.1f}".replace("-", "−") for v in (c.difference, c.low, c.high)]
        p = f"{c.p:.3f}" if c.p >= 0.001 else "< 0.001"
        return [first, _cell(signed[0], f"{signed[1]} to {signed[2]}"), _cell(p), _cell(f"{c.n:,}")]

    def name(c: Comparison) -> Shown:
        return _cell(labels[c.a][1], html=_key(labels[c.a][0]))

    whole = [row(c, name(c)) for c in summary.comparisons if c.task == "all"]
    each: list[list[Shown]] = []
    for a, some in groupby((c for c in summary.comparisons if c.task != "all"), key=lambda c: c.a):
        rows = [row(c, _cell(c.task)) for c in some]
        each += [[_cell(labels[a][1], html=_key(labels[a][0]))], *rows]
    first = labels[summary.comparisons[0].b][1]
    head = ["", "difference [points of 100]", "p (Holm)", "samples that both have"]
    content = _table(head, whole, "Differences") if whole else ""
    by_task = _table(["task", *head[1:]], each, "Differences by task") if each else ""
    if content and by_task:
        by_task = f"<details><summary>By task</summary>{by_task}</details>"
    return f"<h3>Against {esc(first)}, sample by sample</h3>{content}{by_task}"


def _trained(info: Mapping[str, Any], one: view.Series) -> int | None:
    trained = info.get("trained")
    return trained.get(one.group.model) if isinstance(trained, Mapping) else None


def _lengths(many: Sequence[view.Series], info: Mapping[str, Any]) -> tuple[str, str, bool]:
    if not any(one.curve for one in many):
        return "", "", False
    only = many[0] if len(many) == 1 else None
    lengths = {_trained(info, one) for one in many}
    trained = lengths.pop() if len(lengths) == 1 else None
    lines = [(i, one.label, one.curve) for i, one in enumerate(many)]
    base = sorted({n for one in many for n in one.base})
    content = svg.curves(
        lines,
        title="Mean score over the tasks by length",
        base=base,
        breakdown=only.group.breakdown if only else None,
        trained=trained,
        width=1000,
    )
    tasks = list(dict.fromkeys(t for one in many for t in one.curves))
    figures = []
    for task in tasks if len(tasks) > 1 else []:
        own = [(i, one.label, one.curves.get(task, ())) for i, one in enumerate(many)]
        fall = only.group.breakdown_tasks.get(task) if only else None
        small = svg.curves(
            own, title=f"Score by length, {task}", base=base, breakdown=fall, trained=trained, width=330, height=190, small=True
        )
        aside = f"<small>{esc(words.bound(fall))}</small>" if fall is not None and fall.tokens else ""
        figures.append(f"<figure><figcaption>{esc(task)}{aside}</figcaption>{small}</figure>" if small else "")
    content += f'<h3>By task</h3><div class="grid">{"".join(figures)}</div>' if figures else ""
    columns = sorted({n for one in many for n in one.lengths})
    rows = []
    for i, one in enumerate(many):
        cells = {(c.task, c.length): c for c in one.group.cells}
        rows += [] if only else [_heading(i, one)]
        rows += [[_cell(task), *(_score(cells.get((task, n))) for n in columns)] for task in one.curves]
    content += (
        f"<details><summary>All scores</summary>{_table(['', *map(words.length, columns)], rows, 'All scores')}</details>"
    )
    incomplete = any(not p.complete for one in many for p in one.curve)
    why = "Points of 100, mean over the tasks, with 95 % intervals; the shaded lengths are the base." + (
        " Open dots: not all tasks reach that length." if incomplete else ""
    )
    return why, content, True


def _score(cell: Cell | None) -> Shown:
    return _cell("–") if cell is None or cell.score is None else _cell(words.score(cell.score), words.span(cell.low, cell.high))


def _depth(many: Sequence[view.Series]) -> tuple[str, str, bool]:
    found = [(one, view.heats(one)) for one in many]
    if not any(maps for _, maps in found):
        return "", "", False
    content = ""
    for one, maps in found:
        # With several groups one map each keeps them comparable at a glance.
        shown = maps if len(many) == 1 else maps[:1]
        several = len(maps) > 1
        for m in shown:
            name = f"{one.label}: {m.title}" if len(many) > 1 and not several else one.label if len(many) > 1 else m.title
            if len(many) == 1 and m.title == "together":
                name = f"{len(maps) - 1} tasks together"
            content += f"<figure><figcaption>{esc(name)}</figcaption>{svg.heat(m)}</figure>"
    tasks = next(", ".join(m.title for m in maps if m.title != "together") for _, maps in found if maps)
    why = f"Tasks whose prompts hold one evidence ({tasks}): how deep it lay, 0 % at the start of the context, and how often it was found."
    return why, f'<div class="grid">{content}</div>', True


def _difficulty(many: Sequence[view.Series]) -> tuple[str, str, bool]:
    figures = []
    for one in many:
        found = view.places(one.records)
        if found:
            width = 640 if len(many) == 1 else 400
            chart = svg.scatter(found, view.quadrants(one.records), f"Score by diffusion and scope, {one.label}", width)
            figures.append(f"<figure>{f'<figcaption>{esc(one.label)}</figcaption>' if len(many) > 1 else ''}{chart}</figure>")
    why = (
        "Where each task lies: how hard its evidence is to find, and how much of it there is. One dot a length, larger for longer; "
        "the fuller the colour, the better the score. In the corners the mean of each quarter."
    )
    return why, f'<div class="{"grid wide" if len(figures) > 1 else ""}">{"".join(figures)}</div>', bool(figures)


def _trade(many: Sequence[view.Series]) -> tuple[str, str, bool]:
    index = {id(one): i for i, one in enumerate(many)}
    found = view.trades(many)
    figures = "".join(
        f"<figure><figcaption>{esc(COSTS[name][0])}</figcaption>"
        f"{svg.trade([(index[id(s)], s.label, cost, score) for s, cost, score in rows], *COSTS[name])}</figure>"
        for name, rows in found.items()
    )
    why = "Mean score beyond the base lengths against what it costs at the longest length that all have. Up and to the left is better."
    return why, f'<div class="grid">{figures}</div>', bool(found)


def _audit(many: Sequence[view.Series]) -> tuple[str, str, bool]:
    kinds = Counter(a for one in many for c in one.group.cells for a, n in c.audit.items() for _ in range(n))
    others = [k for k, _ in kinds.most_common() if k != "answered"]
    rows = []
    for i, one in enumerate(many):
        rows += [_heading(i, one)] if len(many) > 1 else []
        by_task: dict[str, list[Cell]] = defaultdict(list)
        for c in one.group.cells:
            by_task[c.task].append(c)
        for task, cells in by_task.items():
            audit = sum((Counter(c.audit) for c in cells), Counter())
            headline = _weighted((c.score, c.n) for c in cells)
            answered = _weighted((c.score_answered, c.audit.get("answered", 0)) for c in cells)
            tried = f"{sum(audit.values()):,}"
            counts = [f"{audit.get(k, 0):,}" if audit.get(k) else "·" for k in ["answered", *others]]
            rows.append([*map(_cell, [task, words.score(headline), words.score(answered), tried, *counts])])
    out = [k for k in others if k in NOT_ASKED]
    why = (
        "In the headline score a model's own failures (empty, cut off, thinking ran out, format not found) count as wrong. "
        "The other reading is the mean over samples that were answered."
        + (f" {_either(out)}: never part of a score." if out else "")
    )
    head = ["task", "headline score", "answered only", "tried", "answered", *others]
    return why, _table(head, rows, "Audit"), bool(rows)


def _weighted(pairs: Iterable[tuple[float | None, int]]) -> float | None:
    """Mean of values that stand for so many samples each."""
    known = [(value, n) for value, n in pairs if value is not None and n]
    return sum(value * n for value, n in known) / sum(n for _, n in known) if known else None


def _either(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names).capitalize()


def _prior(records: Sequence[Record]) -> tuple[str, str, bool]:
    rate = prior_rate(records)
    if rate is None:
        return "", "", False
    left = without_prior(records)
    rest = view.series(summarise(left)) if left else []
    rows = [
        [_cell(o.label), _cell(words.score(o.group.score)), _long(o.group.longscore), _fall(o.group.breakdown)] for o in rest
    ]
    content = _table(["items that no model knew", "score", "LongScore", "breakdown [tokens]"], rows, "Without what was known")
    why = (
        f"Asked without their context, the same questions score {words.score(rate)} of 100. Below, only the items that none of the "
        f"compared models knew: {len(left):,} of {len(records):,} samples."
    )
    return why, content, True


def _cost(many: Sequence[view.Series]) -> tuple[str, str, bool]:
    found = [view.costs(one.records) for one in many]
    fields = [name for name in COSTS if any(getattr(c, name) is not None for costs in found for c in costs)]
    head = ["samples", "tokens read", "tokens written", *(COSTS[name][0] for name in fields)]

    def row(first: Shown, c: view.Cost) -> list[Shown]:
        values = [getattr(c, name) for name in fields]
        said = [COSTS[name][1](v) if v is not None else "–" for name, v in zip(fields, values, strict=True)]
        return [first, *map(_cell, (f"{c.n:,}", f"{c.tokens:,}", words.count(c.output), *said))]

    def by_length(costs: list[view.Cost]) -> list[list[Shown]]:
        return [row(_cell("all" if c.length is None else words.length(c.length)), c) for c in costs]

    why = "As measured while the samples were asked, without those that were not asked. Compare times only from one machine."
    if len(many) == 1:
        return why, _table(["length", *head], by_length(found[0]), "Cost and time", total=True), bool(found[0])
    pairs = [(_heading(i, one), costs) for i, (one, costs) in enumerate(zip(many, found, strict=True)) if costs]
    together = [row(*name, costs[-1]) for name, costs in pairs]
    each = [r for name, costs in pairs for r in [name, *by_length(costs[:-1])]]
    lengths = f"<details><summary>By length</summary>{_table(['length', *head], each, 'Cost and time by length')}</details>"
    return why, _table(["", *head], together, "Cost and time") + lengths, bool(together)


def _identity(records: Sequence[Record], info: Mapping[str, Any]) -> tuple[str, str, bool]:
    shown = {k: v for k, v in info.items() if k not in {"notes", "runs"}}
    cells = list(dict.fromkeys((r.cell, r.model, r.method, r.pipeline, r.task, r.length) for r in records))
    counts = Counter(r.cell for r in records)
    rows = [
        [
            _cell("", html=f"<code>{esc(c[0])}</code>"),
            *map(_cell, c[1:5]),
            _cell(words.length(c[5])),
            _cell(f"{counts[c[0]]:,}"),
        ]
        for c in cells[:MOST_CELLS]
    ]
    table = _table(["cell", "model", "method", "pipeline", "task", "length", "samples"], rows, "Cells", wordy=[1, 2, 3, 4])
    more = _why(f"The first {MOST_CELLS:,} of {len(cells):,} cells.") if len(cells) > MOST_CELLS else ""
    content = f"{_list(shown)}<details><summary>{len(cells):,} cells and their keys</summary>{more}{table}</details>"
    why = "A cell's key is the hash of all that could change its answers: weights, method, task, length, tokenizer, sampling, seed."
    return why, content, bool(records or info)


def _list(values: Mapping[str, Any]) -> str:
    return f'<dl class="identity">{"".join(f"<dt>{esc(k)}</dt><dd>{_value(v)}</dd>" for k, v in values.items())}</dl>'


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return _list(value) if value else "–"
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        plain = all(isinstance(v, str | int | float) for v in value)
        return esc(", ".join(map(str, value)) or "–") if plain else "\n".join(map(_value, value))
    return "–" if value is None or value == "" else esc(value)


FIELDS = (
    "group", "task", "length", "score", "audit", "item", "question", "answers", "answer", "thinking",
    "extracted", "evidence", "depths", "tokens", "error", "seconds", "prior", "command",
)  # fmt: skip
"""Of a sample in the page, in this order; texts as places in one list of strings, for most recur at every length."""


def _reader(records: Sequence[Record], many: Sequence[view.Series], info: Mapping[str, Any]) -> tuple[str, str, bool]:
    if not records:
        return "", "", False
    groups = {one.group.key: i for i, one in enumerate(many)}
    strings: dict[str, int] = {"": 0}
    rows, room = [], READER_BYTES
    for r in (ordered := _fair(records)):
        before = len(strings)
        row = _row(r, groups[r.model, r.method, r.pipeline], strings, info)
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
    text = (
        json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        .replace("<", "\\u003c")
        .replace("\u2028", "\\u2028")
        .replace("\u2029", "\\u2029")
    )
    why = "Everything that was asked and answered, as it was. Arrow keys move through the list."
    if len(rows) < len(ordered):
        why = (
            f"{len(rows):,} of {len(ordered):,} samples fit into this page: the same items in every cell, drawn by the hash of their names "
            "and not by how they went. All are in the run's folder. Arrow keys move through the list."
        )
    select = lambda key, name, every: f'<label>{name}<select id="f-{key}"><option value="">{every}</option></select></label>'  # noqa: E731
    filters = (
        select("group", "model, method", "all")
        + select("task", "task", "all tasks")
        + select("length", "length", "all lengths")
        + select("verdict", "verdict", "right and wrong")
        + select("audit", "audit", "all")
        + '<label class="grow">search<input id="f-search" type="search" autocomplete="off" spellcheck="false"></label>'
    )
    content = (
        f'<noscript><p class="notice">The samples need scripts, which this browser has switched off.</p></noscript><div class="filters">{filters}</div>'
        '<p class="count" id="count" role="status"></p><div class="reader"><div class="list"><ol id="list" aria-label="Samples"></ol></div>'
        '<div class="sample" id="sample" tabindex="0" role="region" aria-label="The chosen sample" aria-live="polite"></div></div>'
        f'<script type="application/json" id="samples">{text}</script>'
    )
    return why, content, True


def _fair(records: Sequence[Record]) -> list[Record]:
    """An order of which every beginning holds the same items in every cell, whatever their scores."""
    at: Counter[str] = Counter()
    ranked = []
    for r in sorted(records, key=lambda r: hashlib.sha256(r.item.encode("utf-8", "backslashreplace")).digest()):
        ranked.append((at[r.cell], r))
        at[r.cell] += 1
    return [r for _, r in sorted(ranked, key=lambda pair: pair[0])]


def _row(r: Record, group: int, strings: dict[str, int], info: Mapping[str, Any]) -> list[Any]:
    def place(text: str) -> int:
        return strings.setdefault(text, len(strings))

    folder = info.get("runs", {}).get(r.cell) or info.get("run") or "RUN"
    command = f"leadline show {shlex.quote(f'{folder}#{sample_id(r)}')}"
    cut = replace(
        r, **{name: _shorten(getattr(r, name), command) for name in ("answer", "thinking", "question", "extracted", "error")}
    )
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
    return (
        f"{text[:half]}\n\n[… {len(text) - 2 * half:,} characters left out here; `{command}` prints them …]\n\n{text[-half:]}"
    )
