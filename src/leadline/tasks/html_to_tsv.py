"""HTML to TSV: read the entries of a web page into a table, some of them only or all.

One of LongProc's six procedures (arXiv:2501.05414; princeton-pli/LongProc, Apache-2.0): a page, the properties to extract, at
times a rule which entries to take, and the output format. Generated pages are invented catalogs in several layouts, with
advertisements, missing properties and entities, of the lengths of table that 0.5k, 2k and 8k tokens hold; published ones are
read from the files beside the authors' JSON file. Noise stands between the entries of generated pages as text of the page.
"""

from __future__ import annotations

import html
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leadline.data import lexicon, prose
from leadline.nouns import Item, UserError
from leadline.scoring.longproc_metrics import Marks, mark_table
from leadline.tasks._procedures import SIZES, Procedure, towns

LENGTHS = ((700, 1400), (3000, 5500), (13_000, 22_000))
"""Characters of the table, counted as about 3 to a token."""
MISSING = 0.08
"""Share of the properties that an entry leaves out."""
_TASK = """Below is a web page in HTML. You will be asked to extract some properties of the entries that it lists into a \
table of tab-separated values (TSV).
- Go through all entries and keep their order. Where only some of them are asked for, leave the others out.
- Write N/A where a property is not given. Write the text as a reader sees it, without tags and entities, numbers and units \
as they stand. Join what stands on several lines, or in a list, on one line (a list with ", ").
- Advertisements, and text between the entries, are no entries."""
_FORM = """Write nothing but the table, a tab between two cells, like this:
```tsv
{header}
(one row for each entry)
```"""
Field = tuple[str, str]
"""A property: its name for the reader, and that of its class in the page."""
CATALOGS: dict[str, tuple[Field, ...]] = {
    "houses for rent": (("Street", "addr"), ("Town", "loc"), ("Rooms", "n"), ("Rent per month", "price"), ("Remark", "txt")),
    "second-hand goods": (("Article", "title"), ("Color", "clr"), ("Price", "price"), ("Seller", "by"), ("Remark", "txt")),
    "evening classes": (("Class", "course"), ("Teacher", "who"), ("Month", "when"), ("Fee", "price"), ("Remark", "txt")),
    "members of a guild": (("Name", "who"), ("Profession", "job"), ("Town", "loc"), ("Telephone", "tel"), ("Remark", "txt")),
}
RULES = {"Town": "town", "Color": "color", "Month": "month", "Profession": "profession"}
"""Properties that a rule may ask for, few values each."""


@dataclass(frozen=True, kw_only=True)
class HtmlToTsv(Procedure):
    """A web page made into a table."""

    minima = (14336, 49152, 196608)
    columns = {"html_path": str, "task_topic": str, "task_description": str, "gt": str, "tsv_header": str}

    def generated(self, index: int, seed: int, rng: random.Random) -> Item:
        topic = list(CATALOGS)[index % len(CATALOGS)]
        fields = CATALOGS[topic]
        names = [name for name, _ in fields]
        asked = [0, *sorted(rng.sample((1, 2, 3), rng.choice((1, 2)))), 4]
        pools = _pools(rng)
        rule = next(((i, rng.choice(pools[n])) for i, n in enumerate(names) if n in RULES and rng.random() < 0.5), None)
        layout, written, rows = rng.choice((_table, _card, _list)), list[str](), list[str]()
        header = "\t".join(names[i] for i in asked)
        low, high = LENGTHS[SIZES.index(self.output)]
        size, seen = rng.randint(low, high) - len(header), set[str]()
        while size > 0 or not rows:
            values = [_value(name, pools, rng) for name in names]
            if rule and rng.random() < 0.5:
                values[rule[0]] = rule[1]
            if values[0] in seen:
                continue
            seen.add(values[0])
            given = [v if not i or rng.random() > MISSING else None for i, v in enumerate(values)]
            written.append(layout(fields, given, len(written)))
            if rule is None or given[rule[0]] == rule[1]:
                rows.append("\t".join(given[i] or "N/A" for i in asked))
                size -= len(rows[-1]) + 1
        only = f"\nTake only the entries whose {RULES[names[rule[0]]]} is {rule[1]}." if rule else ""
        adverts = [_advert(fields, [_value(name, pools, rng) for name in names]) for _ in range(max(1, len(written) // 12))]
        told = "; ".join(f"({j}) {names[i]}" for j, i in enumerate(asked, 1))
        return self._asked(topic, told, only, header, [header, *rows], written, adverts)

    def published(self, row: Mapping[str, Any], place: str) -> Item:
        page = Path(self.data).expanduser().parent / row["html_path"]
        if not page.is_file():
            raise UserError(f"{place}: there is no page {str(page)!r}: keep LongProc's webpage folder beside its JSON file")
        only, text = str(row.get("filtering_instruction") or ""), page.read_text(encoding="utf-8", errors="replace")
        return self._asked(row["task_topic"], row["task_description"], only, row["tsv_header"], [row["gt"].strip()], [text], [])

    def _asked(
        self,
        topic: str,
        told: str,
        only: str,
        header: str,
        rows: Sequence[str],
        page: Sequence[str],
        adverts: Sequence[str],
    ) -> Item:
        return self.made(
            instruction=_TASK,
            evidence=page,
            distractors=adverts,
            ordered=True,
            question=f"From the page above about {topic}, extract these properties of each entry: {told}{only}\n\n"
            + _FORM.format(header=header),
            reference=self.wrapped("\n".join(rows)),
        )

    def wrapped(self, reference: str) -> str:
        return f"```tsv\n{reference.strip()}\n```"

    def marks(self, reply: str, reference: str, item: Item) -> Marks:
        return mark_table(reply, reference, peer=self.peer)


def _pools(rng: random.Random) -> dict[str, list[str]]:
    """Few values for the properties that rules ask for."""
    return {
        "Town": towns(rng, 4),
        "Color": rng.sample(lexicon.COLORS, 4),
        "Month": rng.sample(lexicon.MONTHS, 4),
        "Profession": rng.sample(lexicon.PROFESSIONS, 4),
    }


def _value(name: str, pools: Mapping[str, Sequence[str]], rng: random.Random) -> str:
    if name in pools:
        return rng.choice(pools[name])
    if name in ("Seller", "Teacher", "Name"):
        return f"{rng.choice(lexicon.FIRST_NAMES)} {rng.choice('ABCDEFGHIJKLM')}. {rng.choice(lexicon.SURNAMES)}"
    if name == "Remark":
        return prose.sentence(rng)
    if name == "Article":
        other = f" & {rng.choice(lexicon.NOUNS)}" if rng.random() < 0.15 else ""
        return f"{rng.choice(lexicon.ADJECTIVES)} {rng.choice(lexicon.NOUNS)}{other} no. {rng.randint(10, 999)}"
    if name == "Class":
        return f"{rng.choice(lexicon.INSTRUMENTS).capitalize()} & song, group {rng.randint(10, 9999)}"
    if name == "Street":
        return f"{rng.randint(1, 240)} {prose.key(rng.randrange(24_000)).title()} {rng.choice(('Road', 'Lane', 'Street'))}"
    if name == "Rooms":
        return str(rng.randint(1, 9))
    if name == "Telephone":
        return f"{rng.randint(200, 999)}-{rng.randint(1000, 9999)}"
    return (
        f"${rng.randint(1, 2)},{rng.randint(100, 999)}"
        if name == "Rent per month"
        else f"${rng.randint(4, 180)}.{rng.choice(('00', '50', '90'))}"
    )


Values = Sequence[str | None]


def _table(fields: Sequence[Field], values: Values, place: int) -> str:
    cells = "".join(
        f'<td class="{mark}">{html.escape(v) if v else ""}</td>' for (_, mark), v in zip(fields, values, strict=True)
    )
    return f'<table class="t"><tr class="{"odd" if place % 2 else "even"}">{cells}</tr></table>'


def _card(fields: Sequence[Field], values: Values, place: int) -> str:
    inner = "".join(
        f'<span class="lbl">{name}:</span> <b class="{mark}">{html.escape(v)}</b><br/>'
        for (name, mark), v in zip(fields, values, strict=True)
        if v
    )
    return f'<div class="card"><a href="/item/{place * 37 + 11}">{inner}</a></div>'


def _list(fields: Sequence[Field], values: Values, place: int) -> str:
    inner = "".join(
        f"<dt>{name}</dt>\n  <dd class='{mark}'>{html.escape(v)}</dd>\n"
        for (name, mark), v in zip(fields, values, strict=True)
        if v
    )
    return f"<dl class='entry'>\n{inner}</dl>"


def _advert(fields: Sequence[Field], values: Values) -> str:
    told = ", ".join(f"{name}: {html.escape(v)}" for (name, _), v in zip(fields, values, strict=True) if v)
    return f'<aside class="advert"><i>Advertisement</i> {told}</aside>'
