"""The sections of the page, each from the series of a summary to a sentence and its HTML.

A section that has nothing to say is empty, and then the page leaves it out. Knows nothing about files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from leadline.nouns import NOT_ASKED, Record
from leadline.report import svg, view, words
from leadline.report.parts import Shown, cell, details, fall, heading, key, long, score, table, why
from leadline.report.svg import esc
from leadline.scoring.figures import figures
from leadline.scoring.longscore import LongScore
from leadline.scoring.summary import Comparison, Summary, prior_rate, summarise, without_prior

Section = tuple[str, str]
"""What it shows, in a sentence, and its HTML; '' where it has nothing to show."""
MOST_CELLS = 400
"""Cell keys that are listed."""
MANY = 12
"""Tasks of whom each has a chart or a row of its own in plain sight; those of more wait for a click."""
COSTS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "seconds": ("time of a sample, median", words.duration),
    "ttft_s": ("time to first token, median", words.duration),
    "token_s": ("time per further token, median", words.duration),
    "peak_bytes": ("peak memory beyond the weights", words.amount),
    "cache_bytes": ("key-value cache, mean", words.amount),
    "cost": ("cost", words.money),
}


def interval(longscore: LongScore) -> str:
    """The interval of a LongScore in words, or nothing."""
    return f"95 %: {words.changes(longscore.low, longscore.high)}" if longscore.low is not None else ""


def scores(many: Sequence[view.Series], summary: Summary) -> Section:
    """LongScore and breakdown of every group, by task, and paired differences."""
    columns: list[tuple[str, Callable[[view.Series], Shown]]] = [
        ("score", lambda one: cell(words.score(one.group.score))),
        ("base", lambda one: cell(words.score(one.group.longscore.base))),
        ("LongScore", lambda one: long(one.group.longscore)),
        ("chance left in", lambda one: cell(words.change(one.group.longscore.raw))),
        ("ratios first", lambda one: long(one.group.longscore.ratios_first)),
        ("breakdown [tokens]", lambda one: fall(one.group.breakdown)),
        (
            "note",
            lambda one: cell("; ".join(dict.fromkeys(filter(None, (one.group.longscore.note, one.group.breakdown.note))))),
        ),
    ]
    # A column that no group has anything for says nothing.
    kept = [(name, say) for name, say in columns if any(say(one).value not in {"", "–"} for one in many)]
    rows = [[*heading(i, one, len(many) > 1), *(say(one) for _, say in kept)] for i, one in enumerate(many)]
    names = ["", *(name for name, _ in kept)]
    content = table(names, rows, "LongScore and breakdown", wordy=[i for i, name in enumerate(names) if name == "note"])
    tasks = list(dict.fromkeys(t for one in many for t in one.curves))
    if len(tasks) > 1:
        head = [f"{one.label + ': ' if len(many) > 1 else ''}{what}" for one in many for what in ("LongScore", "breakdown")]
        each = [
            [
                cell(t),
                *(c for one in many for c in (long(one.group.longscore_tasks.get(t)), fall(one.group.breakdown_tasks.get(t)))),
            ]
            for t in tasks
        ]
        content += details(
            "By task", table(["task", *head], each, "LongScore and breakdown by task"), len(many) == 1 and len(tasks) <= MANY
        )
    why = (
        "LongScore is how much of the score at base lengths is lost or won at long ones: 0 % nothing lost, −100 % all. "
        "The breakdown length is where the score falls under a share of the base."
    )
    return why, content + _differences(many, summary) if many else ""


def _differences(many: Sequence[view.Series], summary: Summary) -> str:
    if not summary.comparisons:
        return ""
    labels = {one.group.key: (i, one.label) for i, one in enumerate(many)}

    def row(c: Comparison, first: Shown) -> list[Shown]:
        signed = [f"{100 * v:+.1f}".replace("-", "−") for v in (c.difference, c.low, c.high)]
        p = f"{c.p:.3f}" if c.p >= 0.001 else "< 0.001"
        return [first, cell(signed[0], f"{signed[1]} to {signed[2]}"), cell(p), cell(f"{c.n:,}")]

    def name(c: Comparison) -> Shown:
        return cell(labels[c.a][1], html=key(labels[c.a][0]))

    whole = [row(c, name(c)) for c in summary.comparisons if c.task == "all"]
    each: list[list[Shown]] = []
    for a, some in groupby((c for c in summary.comparisons if c.task != "all"), key=lambda c: c.a):
        rows = [row(c, cell(c.task)) for c in some]
        each += [[cell(labels[a][1], html=key(labels[a][0]))], *rows]
    first = labels[summary.comparisons[0].b][1]
    head = ["", "difference [points of 100]", "p (Holm)", "samples that both have"]
    content = table(head, whole, "Differences") if whole else ""
    by_task = table(["task", *head[1:]], each, "Differences by task") if each else ""
    by_task = details("By task", by_task) if content and by_task else by_task
    return f"<h3>Against {esc(first)}, sample by sample</h3>{content}{by_task}"


def lengths(many: Sequence[view.Series], trained: Mapping[str, int]) -> Section:
    """Curves of the mean over the tasks and of each task, and all scores as a table."""
    if not any(one.curve for one in many):
        return "", ""
    only = many[0].group if len(many) == 1 else None
    at = {trained.get(one.group.model) for one in many}
    mark = next(iter(at)) if len(at) == 1 else None
    base = sorted({n for one in many for n in one.base})
    lines = [(i, one.label, one.curve) for i, one in enumerate(many)]
    broken = only.breakdown if only else None
    content = svg.curves(
        lines, title="Mean score over the tasks by length", base=base, breakdown=broken, trained=mark, width=1000
    )
    figures = []
    tasks = list(dict.fromkeys(t for one in many for t in one.curves))
    for task in tasks if len(tasks) > 1 else []:
        own = [(i, one.label, one.curves.get(task, ())) for i, one in enumerate(many)]
        broken = only.breakdown_tasks.get(task) if only else None
        chart = svg.curves(
            own, title=f"Score by length, {task}", base=base, breakdown=broken, trained=mark, width=330, height=190, small=True
        )
        aside = f"<small>{esc(words.bound(broken))}</small>" if broken is not None and broken.tokens else ""
        figures.append(f"<figure><figcaption>{esc(task)}{aside}</figcaption>{chart}</figure>" if chart else "")
    grid = f'<div class="grid">{"".join(figures)}</div>'
    if figures:
        content += f"<h3>By task</h3>{grid}" if len(figures) <= MANY else details(f"By task, {len(figures)} charts", grid)
    columns = sorted({n for one in many for n in one.lengths})
    rows = []
    for i, one in enumerate(many):
        cells = {(c.task, c.length): c for c in one.group.cells}
        rows += [] if only else [heading(i, one)]
        rows += [[cell(task), *(score(cells.get((task, n))) for n in columns)] for task in one.curves]
    content += details("All scores", table(["", *map(words.length, columns)], rows, "All scores"))
    incomplete = any(not p.complete for one in many for p in one.curve)
    why = "Points of 100, mean over the tasks, with 95 % intervals; the shaded lengths are the base." + (
        " Open dots: not all tasks have scores at that length." if incomplete else ""
    )
    return why, content


def depth(many: Sequence[view.Series]) -> Section:
    """Depth maps: of each task for one group, one a group for several."""
    found = [(one, maps) for one in many if (maps := view.heats(one))]
    if not found:
        return "", ""
    if len(many) == 1:
        named = [(m.title, m) for m in found[0][1]]
    else:
        named = [(one.label, maps[0]) for one, maps in found]
    figures = [f"<figure><figcaption>{esc(name)}</figcaption>{svg.heat(m)}</figure>" for name, m in named]
    tasks = [m.title for m in found[0][1] if m.title != view.TOGETHER]
    why = (
        f"Tasks whose prompts hold one evidence ({', '.join(tasks) if len(tasks) <= MANY else len(tasks)}): how deep it lay, "
        "0 % at the start of the context, and how it scored. The fuller the colour, the better."
    )
    if len(figures) <= MANY:
        return why, f'<div class="grid">{"".join(figures)}</div>'
    rest = details(
        f"{'By task' if len(many) == 1 else 'The others'}, {len(figures) - 1} maps",
        f'<div class="grid">{"".join(figures[1:])}</div>',
    )
    return why, f'<div class="grid">{figures[0]}</div>{rest}'


def difficulty(many: Sequence[view.Series]) -> Section:
    """Where the tasks lie by diffusion and scope, and how they scored there."""
    figures = []
    for one in many:
        found = view.places(one.records)
        if found:
            width = 640 if len(many) == 1 else 480
            chart = svg.scatter(found, one.group.quadrants, f"Score by diffusion and scope, {one.label}", width)
            figures.append(f"<figure>{f'<figcaption>{esc(one.label)}</figcaption>' if len(many) > 1 else ''}{chart}</figure>")
    why = (
        "Where each task lies: how hard its evidence is to find, and how much of it there is. One dot a length, larger for "
        "longer; the fuller the colour, the better the score. In the corners the mean of each quarter."
    )
    return why, f'<div class="{"grid wide" if len(figures) > 1 else ""}">{"".join(figures)}</div>' if figures else ""


def stated(many: Sequence[view.Series]) -> Section:
    """What benchmarks' authors give of a whole run, group by group."""
    found = [(one, figure) for one in many for figure in figures(one.records)]
    content, last = [], ""
    for one, figure in sorted(found, key=lambda pair: pair[1].title):
        head = f"<h3>{esc(figure.title)}</h3>{why(figure.why)}" if figure.title != last else ""
        name = f"<h4>{esc(one.label)}</h4>" if len(many) > 1 else ""
        shown = table(figure.head, [[cell(value) for value in row] for row in figure.rows], f"{figure.title}, {one.label}")
        content.append(f"{head}{name}{details(f'{len(figure.rows)} rows', shown) if len(figure.rows) > MANY else shown}")
        last = figure.title
    return "Figures of the benchmarks that their authors state over all samples.", "".join(content) if content else ""


def trade(many: Sequence[view.Series]) -> Section:
    """Quality against each cost that several groups have."""
    index = {id(one): i for i, one in enumerate(many)}
    figures = "".join(
        f"<figure><figcaption>{esc(COSTS[name][0])}</figcaption>"
        f"{svg.trade([(index[id(s)], s.label, spent, score) for s, spent, score in rows], *COSTS[name])}</figure>"
        for name, rows in view.trades(many).items()
    )
    why = "Mean score beyond the base against what it costs at the longest length that all have. Up and to the left is better."
    return why, f'<div class="grid">{figures}</div>' if figures else ""


def audit(many: Sequence[view.Series]) -> Section:
    """What became of the samples, and both readings of the score."""
    kinds = sum((Counter(c.audit) for one in many for c in one.group.cells), Counter())
    others = [k for k, _ in kinds.most_common() if k != "answered"]
    rows: list[list[Shown]] = []
    for i, one in enumerate(many):
        rows += [heading(i, one)] if len(many) > 1 else []
        for task in one.curves:
            cells = [c for c in one.group.cells if c.task == task]
            total = sum((Counter(c.audit) for c in cells), Counter())
            headline = _weighted((c.score, c.n) for c in cells)
            answered = _weighted((c.score_answered, c.audit.get("answered", 0)) for c in cells)
            counts = [f"{total[k]:,}" if total[k] else "·" for k in ["answered", *others]]
            rows.append([*map(cell, [task, words.score(headline), words.score(answered), f"{total.total():,}", *counts])])
    out = [k for k in others if k in NOT_ASKED]
    why = (
        "In the headline score a model's own failures (empty, cut off, thinking ran out, format not found) count as wrong. "
        "The other reading is the mean over samples that were answered."
        + (f" {_either(out)}: never part of a score." if out else "")
    )
    head = ["task", "headline score", "answered only", "tried", "answered", *others]
    return why, table(head, rows, "Audit") if rows else ""


def _weighted(pairs: Iterable[tuple[float | None, int]]) -> float | None:
    """Mean of values that stand for so many samples each."""
    known = [(value, n) for value, n in pairs if value is not None and n]
    return sum(value * n for value, n in known) / sum(n for _, n in known) if known else None


def _either(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names).capitalize()


def prior(records: Sequence[Record]) -> Section:
    """What was known without the context, and the results without it."""
    rate = prior_rate(records)
    if rate is None:
        return "", ""
    left = without_prior(records)
    rest = view.series(summarise(left)) if left else []
    rows = [[cell(o.label), cell(words.score(o.group.score)), long(o.group.longscore), fall(o.group.breakdown)] for o in rest]
    why = (
        f"Asked without their context, the same questions score {words.score(rate)} of 100. Below, only the items that none of "
        f"the compared models knew: {len(left):,} of {len(records):,} samples."
    )
    return why, table(["", "score", "LongScore", "breakdown [tokens]"], rows, "Without what was known")


def cost(many: Sequence[view.Series]) -> Section:
    """Tokens, times, memory and money, by length."""
    found = [view.costs(one.records) for one in many]
    fields = [name for name in COSTS if any(getattr(c, name) is not None for costs in found for c in costs)]
    head = ["samples", "tokens read", "tokens written", *(COSTS[name][0] for name in fields)]

    def row(first: Shown, c: view.Cost) -> list[Shown]:
        values = [getattr(c, name) for name in fields]
        said = [COSTS[name][1](v) if v is not None else "–" for name, v in zip(fields, values, strict=True)]
        return [first, *map(cell, (f"{c.n:,}", f"{c.tokens:,}", words.count(c.output), *said))]

    def by_length(costs: list[view.Cost]) -> list[list[Shown]]:
        return [row(cell("all" if c.length is None else words.length(c.length)), c) for c in costs]

    why = "As measured while the samples were asked, without those that were not asked. Compare times only from one machine."
    if len(many) == 1:
        return why, table(["length", *head], by_length(found[0]), "Cost and time", total=True) if found[0] else ""
    pairs = [(heading(i, one), costs) for i, (one, costs) in enumerate(zip(many, found, strict=True)) if costs]
    together = [row(name[0], costs[-1]) for name, costs in pairs]
    each = [r for name, costs in pairs for r in [name, *by_length(costs[:-1])]]
    lengths = details("By length", table(["length", *head], each, "Cost and time by length"))
    return why, table(["", *head], together, "Cost and time") + lengths if together else ""


def identity(records: Sequence[Record], info: Mapping[str, Any]) -> Section:
    """What was run, as the run itself tells it, and the keys of its cells."""
    cells = list(dict.fromkeys((r.cell, r.model, r.method, r.pipeline, r.task, words.length(r.length)) for r in records))
    counts = Counter(r.cell for r in records)
    rows = [
        [cell("", html=f"<code>{esc(c[0])}</code>"), *map(cell, c[1:]), cell(f"{counts[c[0]]:,}")] for c in cells[:MOST_CELLS]
    ]
    head = ["cell", "model", "method", "pipeline", "task", "length", "samples"]
    content = table(head, rows, "Cells", wordy=[1, 2, 3, 4])
    if len(cells) > MOST_CELLS:
        content += f"<p>The first {MOST_CELLS:,} of {len(cells):,} cells.</p>"
    why = "A cell's key is the hash of all that could change its answers: weights, method, task, length, tokenizer, sampling."
    # The cells of run.json are those of the table, and its notes stand at the top of the page.
    return why, _list(_without(info, {"notes", "cells"})) + details(f"{len(cells):,} cells and their keys", content)


def _without(values: Mapping[str, Any], left_out: set[str]) -> dict[str, Any]:
    """The values without some keys and without what is empty, at every depth of mappings."""
    kept = {k: _without(v, left_out) if isinstance(v, Mapping) else v for k, v in values.items() if k not in left_out}
    return {k: v for k, v in kept.items() if v not in (None, "", [], (), [""], {})}


def _list(values: Mapping[str, Any]) -> str:
    return f'<dl class="identity">{"".join(f"<dt>{esc(k)}</dt><dd>{_value(v)}</dd>" for k, v in values.items())}</dl>'


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return _list(value) if value else "–"
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        plain = all(isinstance(v, str | int | float) for v in value)
        return esc(", ".join(map(str, value)) or "–") if plain else "\n".join(map(_value, value))
    return "–" if value is None or value == "" else esc(value)
