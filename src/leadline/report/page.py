"""One HTML file that says everything about a run: works offline, asks no address for anything, prints.

Whatever came from a model or a data set goes in as text: escaped in the tables and charts, and for the
reader of samples as JSON that the page's script writes out with text nodes. Knows nothing about how runs are made.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from leadline.nouns import Record, UserError
from leadline.report import groups, parts, reader, sections, svg, view, words
from leadline.report.svg import esc
from leadline.scoring.breakdown import SHARE
from leadline.scoring.summary import Summary

CSP = "; ".join(
    (
        "default-src 'none'",
        "img-src data:",
        "style-src 'unsafe-inline'",
        "script-src 'unsafe-inline'",
        "base-uri 'none'",
        "form-action 'none'",
    )
)
"""What the page may load: nothing but what it holds itself."""
MOST_NOTES = 4
"""Notes in plain sight; more wait for a click."""


def page(records: Sequence[Record], summary: Summary, info: Mapping[str, Any]) -> str:
    """The report as one HTML document.

    Args:
        records: finished samples of one run or several.
        summary: what `summarise` made of them.
        info: what there is to say of the run (plan, versions, tasks, hardware, date, ...), shown as it is; for several runs
            `runs`, that of each by its folder. Of it these are read besides: `run`, the run's folder; `cells`, a list of
            mappings with `key`; `notes`, sentences that a reader must know; `trained`, trained length by model [tokens];
            `share`, of the base, that breakdown lengths were taken at.
    """
    runs: Mapping[str, Any] = info.get("runs") or {str(info.get("run", "RUN")): info}
    folders = {c["key"]: folder for folder, run in runs.items() for c in run.get("cells", ())}
    if len(runs) == 1:
        folders |= {r.cell: next(iter(runs)) for r in records}
    notes = list(dict.fromkeys(n for run in [info, *runs.values()] for n in run.get("notes", ())))
    trained = {model: n for run in [info, *runs.values()] for model, n in run.get("trained", {}).items()}
    many = view.series(summary, records)
    chapters = [
        ("scores", "LongScore and breakdown length", sections.scores(many, summary)),
        ("lengths", "Score by length", sections.lengths(many, trained)),
        ("groups", "By ability, diffusion and scope", groups.groups(many)),
        ("depth", "Score by depth and length", sections.depth(many)),
        ("difficulty", "Where the prompts lie", sections.difficulty(many)),
        ("within", "Within the tasks", groups.within(many)),
        ("stated", "Figures of the benchmarks", sections.stated(many)),
        ("trade", "Quality against cost", sections.trade(many)),
        ("audit", "Audit", sections.audit(many)),
        ("prior", "Prior knowledge", sections.prior(records)),
        ("cost", "Cost and time", sections.cost(many)),
        ("identity", "What was run", sections.identity(records, info)),
        ("read", "Samples", reader.samples(records, many, folders)),
    ]
    shown = [(key, name, why, content) for key, name, (why, content) in chapters if content]
    links = "".join(f'<li><a href="#{key}">{name}</a></li>' for key, name, _, _ in shown)
    body = "".join(
        f'<section id="{key}"><h2>{name}</h2>{parts.why(why)}{content}</section>' for key, name, why, content in shown
    )
    title = f"leadline: {', '.join(dict.fromkeys(one.group.model for one in many)) or 'no samples yet'}"
    told = [f'<p class="notice">{parts.prose(n)}</p>' for n in [*notes, *_approximate(many)]]
    notices = parts.details(f"{len(told)} notes", "".join(told)) if len(told) > MOST_NOTES else "".join(told)
    script = f"<script>{_file('page.js')}</script>" if records else ""
    document = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{CSP}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        # Without an icon of its own a page has browsers ask for one.
        '<link rel="icon" href="data:,"><meta name="referrer" content="no-referrer">'
        f"<title>{esc(title)}</title><style>{_file('page.css')}</style></head><body>"
        '<a class="skip" href="#read">Skip to the samples</a>'
        f"<header>{_headline(many, records, list(runs), float(info.get('share', SHARE)))}"
        f"{notices}</header>"
        f'<nav aria-label="Sections"><ul>{links}</ul></nav><main>{body}</main>'
        "<footer>Made by leadline. Intervals are 95 %. This file asks no address for anything.</footer>"
        f"{script}</body></html>\n"
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


def _file(name: str) -> str:
    return resources.files("leadline.report").joinpath(name).read_text(encoding="utf-8")


def _headline(many: Sequence[view.Series], records: Sequence[Record], runs: Sequence[str], share: float) -> str:
    dates = sorted({r.date[:10] for r in records if r.date})
    when = " to ".join(dict.fromkeys([dates[0], dates[-1]])) if dates else ""
    where = runs[0] if len(runs) == 1 else f"{len(runs)} runs"
    facts = " · ".join(filter(None, (where, when, f"{len(records):,} samples")))
    eyebrow = f'<p class="eyebrow"><b>leadline</b> · {esc(facts)}</p>'
    if not many:
        return f"{eyebrow}<h1>No samples yet</h1>"
    lengths = sorted({n for one in many for n in one.lengths})
    gauge = svg.gauge([(i, one.label, one.group.breakdown) for i, one in enumerate(many)], lengths)
    said = f"the score falls under {100 * share:g} % of what the same questions score at short lengths."
    if len(many) > 1:
        kinds = [len({one.group.key[i] for one in many}) for i in range(3)]
        what = " and ".join(w for w, k in zip(("models", "methods", "pipelines"), kinds, strict=True) if k > 1)
        whose = f"{many[0].group.model}: " if kinds[0] == 1 else ""
        title = f"{esc(whose)}{len(many)} {what} compared"
        lede = f"How far each reads before {said} The plumb stands at the estimate, in the paler 95 % interval."
        return f'{eyebrow}<h1>{title}</h1><p class="lede">{parts.prose(lede)}</p>{gauge}'
    group = many[0].group
    what, number, sure = words.verdict(group.breakdown)
    title = f"{esc(group.model)} {esc(what)} {f'<em>{esc(number)}</em>' if number else ''}"
    method = " · ".join(filter(None, group.key[1:]))
    lede = [
        f"With {method}." if method else "",
        f"{sure[0].upper()}{sure[1:]}. Beyond its breakdown length {said}" if number else "",
    ]
    return f'{eyebrow}<h1>{title}</h1><p class="lede">{parts.prose(" ".join(filter(None, lede)))}</p>{gauge}{_tiles(many[0])}'


def _tiles(one: view.Series) -> str:
    g = one.group
    tried, counted = sum(sum(c.audit.values()) for c in g.cells), sum(c.n for c in g.cells)
    tiles = [
        ("LongScore", words.change(g.longscore.value), sections.interval(g.longscore) or g.longscore.note),
        ("Base score", words.score(g.longscore.base), f"of 100, at {', '.join(map(words.length, one.base)) or 'no'} tokens"),
        ("Breakdown", words.bound(g.breakdown), words.reach(g.breakdown) or g.breakdown.note),
        ("Samples", f"{counted:,}", "all count" if tried == counted else f"that count, of {tried:,}"),
    ]
    shown = "".join(f"<div><dt>{k}</dt><dd>{parts.prose(v)}<small>{parts.prose(s)}</small></dd></div>" for k, v, s in tiles)
    return f'<dl class="tiles">{shown}</dl>'


def _approximate(many: Sequence[view.Series]) -> list[str]:
    """Says where a provider counted otherwise than the tokenizer that lengths were measured with."""
    notes = []
    for model in dict.fromkeys(one.group.model for one in many):
        own = [r for one in many if one.group.model == model and not any(one.group.key[1:]) for r in one.records]
        counted = [r for r in own if r.prompt_tokens]
        # The room for the answer, which providers do not count, matters least at the longest length.
        longest = max((r.length for r in counted), default=0)
        ratios = [(r.prompt_tokens or 0) / r.tokens for r in counted if r.length == longest]
        if ratios and not 0.9 <= (ratio := statistics.median(ratios)) <= 1.005:
            many_or_few = "more" if ratio > 1 else "fewer"
            notes.append(
                f"{model}: the provider counted {100 * abs(ratio - 1):.0f} % {many_or_few} tokens than the tokenizer given, "
                "so its lengths are approximate."
            )
    return notes
