"""Spinning the Golden Thread: a long document whose sections carry given events once, over a range, and at intervals.

Wu, Hee, Hu, Lee: "LongGenBench: Benchmarking Long-Form Generation in Long Context LLMs", ICLR 2025, arXiv:2409.02076;
mozhu621/LongGenBench, no licence file: nothing of theirs is here but numbers. Four scenarios; 16K and 32K plans have their
numbers of sections. Completion is the share of the sections that were written; STIC-1 the share of the checks that hold among
those whose section exists, STIC-2 among all; the value is completion times STIC-2, their weighted average. They pool checks
over prompts, while means of a report are over prompts; `checks` and `existing`, the numbers of checks, let one pool. They ask
a sampled Llama-3.1-8B whether an event is in a section; here events are invented names and the check is exact, or a judge is
asked.
"""

from __future__ import annotations

import asyncio
import random
import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from leadline.data.published import demand, rows_of
from leadline.nouns import NOT_ASKED, Answer, Item, Score, UserError
from leadline.tasks._judging import UNJUDGED, verdict
from leadline.tasks._long_replies import said
from leadline.tasks._threads import KINDS, SCENARIOS, Plan, draw, fitting, side
from leadline.tasks.base import Ask, Task

MARK = "#*#"
END = "*** finished"
TOKENS = 1.6
"""Tokens reserved for a word."""
HEADING = 24
"""Tokens reserved for a heading."""
PLANS = {"16k": 16_000, "32k": 32_000}
"""Tokens for the reply, as the authors give."""
COLUMNS = {
    "prompt": str,
    "checks_once": dict,
    "checks_range": dict,
    "checks_periodic": dict,
    "type": str,
    "prefix": str,
    "number": int,
}
_RULES = "The plan tells what must stand in which section. Name each thing in its section in the words of the plan."
_STOP = frozenset("in on at of for and with to from by".split())


@dataclass(frozen=True, kw_only=True)
class Sgt(Task):
    """A document of many sections, written to a plan.

    Attributes:
        scenario: `diary`, `menu`, `skyscraper`, `city`, or `all` by turns.
        plan: `fill` (as many sections as the length has room for), `16k` or `32k` (the authors' numbers of sections and room
            for the reply), or a number of sections.
        words: least words of a section; 0 for the authors' number with `16k` and `32k`, and for 100 with others.
        noise: text in which the plan lies, as `prose`; `none` for the plan alone. Not with `fill`.
        data: the authors' Dataset_short.json or Dataset_long.json instead of generated plans; its events are common words, so
            give it a judge.
    """

    scenario: str = "all"
    plan: str = "fill"
    words: int = 0
    noise: str = "none"
    data: str = ""

    ability = "long generation"
    diffusion = "middle"
    scope = "high"
    roles = {"judge": "says whether a section holds what the plan asks for"}
    without_roles = "an event counts where its words stand in the section, all in one sentence"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("scenario", ("all", *SCENARIOS))
        if self.plan not in ("fill", *PLANS) and not (self.plan.isdecimal() and 4 <= int(self.plan) <= 5000):
            raise UserError(f"{self.id}: plan must be fill, 16k, 32k or a number of sections from 4 to 5000; got {self.plan!r}")
        self.check_range("words", 0, 2000)
        if self.plan == "fill" and self.noise != "none":
            raise UserError(f"{self.id}: with noise the plan has a fixed size: give plan=16k, plan=32k or a number of sections")
        fills = self.plan == "fill" and not self.data
        least = 4 if fills else int(self.plan) if self.plan.isdecimal() else 0
        room = PLANS.get(self.plan) or least * self._section(self.words or 100)
        object.__setattr__(self, "grows", fills)
        object.__setattr__(self, "natural", bool(self.data) or (not fills and self.noise == "none"))
        object.__setattr__(self, "minimum", room + 1280)

    def _section(self, words: int) -> int:
        return round(TOKENS * words) + HEADING

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        if self.data:
            return self._published(index, seed)
        name = self.scenario if self.scenario != "all" else list(SCENARIOS)[index % 4]
        kind, number = SCENARIOS[name], rng.randrange(1 << 30)
        if self.plan in PLANS:
            long = self.plan == "32k"
            plan = draw(name, kind.sections[long], long, random.Random(number))
            return self._asked(plan, self.words or kind.words[long], PLANS[self.plan], number)
        sections = fitting(name, int(self.plan) if self.plan.isdecimal() else 4)
        plan = self._drawn(name, sections, number)
        return self._asked(plan, self.words or 100, sections * self._section(self.words or 100), number)

    def _drawn(self, name: str, sections: int, number: int) -> Plan:
        return draw(name, sections, sections > SCENARIOS[name].sections[0], random.Random(f"{number}/{sections}"))

    def _asked(self, plan: Plan, words: int, room: int, number: int) -> Item:
        unit = plan.title.lower().rpartition(" ")[2]
        intro = SCENARIOS[plan.scenario].intro.format(unit=unit, sections=plan.sections, side=side(plan.sections))
        return Item(
            id="",
            task="",
            instruction=f"{intro} {_RULES}\n\nTHE PLAN",
            question=f"Write all {plan.sections} sections in their order, from {plan.title} 1 to {plan.title} {plan.sections}. "
            f"Begin each one with its heading on a line of its own, as in '{MARK} {plan.title} 1:', and write at least {words} "
            f"words in each. Leave none out and do not shorten. Write '{END}' when all are done.",
            answers=tuple(dict.fromkeys(e for kind in KINDS for e in plan.checks[kind].values())),
            evidence=plan.lines,
            noise=self.noise,
            ordered=True,
            avoid=tuple(dict.fromkeys(e for kind in KINDS for e in plan.checks[kind].values())),
            prefill=f"{MARK} {plan.title} 1:",
            answer_tokens=room,
            single_line=False,
            meta={
                "scenario": plan.scenario,
                "draw": number,
                "title": plan.title,
                "sections": plan.sections,
                "checks": {kind: {str(s): e for s, e in plan.checks[kind].items()} for kind in KINDS},
            },
            facets={"scenario": plan.scenario},
        )

    def _published(self, index: int, seed: int) -> Item:
        rows = self._rows(seed)
        number, place, row = rows[index % len(rows)]
        demand(row, COLUMNS, "Spinning the Golden Thread", place)
        name = {"Week": "diary", "Day": "diary", "Floor": "skyscraper", "Block": "city"}.get(row["type"], "menu")
        checks = {kind: {str(int(s)): e for s, e in row[f"checks_{kind}"].items()} for kind in KINDS}
        return Item(
            id="",
            task="",
            instruction="",
            question=row["prompt"],
            answers=tuple(dict.fromkeys(e for kind in KINDS for e in checks[kind].values())),
            noise="none",
            prefill=row["prefix"],
            answer_tokens=PLANS["32k" if row["number"] > 100 else "16k"],
            single_line=False,
            meta={"scenario": name, "title": row["type"], "sections": row["number"], "checks": checks, "row": number},
            facets={"scenario": name},
        )

    def items(self, n: int, seed: int = 0) -> list[Item]:
        if self.data and n > len(self._rows(seed)):
            raise UserError(f"{self.id}: {self.data} holds {len(self._rows(seed))} plans; ask for at most that many samples")
        return super().items(n, seed)

    def _rows(self, seed: int) -> list[tuple[int, str, Any]]:
        rows = [(i, *row) for i, row in enumerate(_read(self.data))]
        random.Random(seed).shuffle(rows)
        return rows

    def compose(self, item: Item, room: int, count: Callable[[str], int]) -> Item:
        """As many sections as the reply has room for; what is over is room for the reply too."""
        words, name = self.words or 100, item.meta["scenario"]
        # What the four sections took that the item was made with is there again.
        room += item.answer_tokens
        sections = room // self._section(words)
        while True:
            sections = fitting(name, max(4, sections))
            plan = self._drawn(name, sections, item.meta["draw"])
            left = room - sum(map(count, plan.lines))
            if left >= sections * self._section(words) or sections == 4:
                return replace(
                    self._asked(plan, words, max(left, item.answer_tokens), item.meta["draw"]), id=item.id, task=item.task
                )
            sections -= max(1, (sections * self._section(words) - left) // self._section(words))

    def grade(self, found: str, answers: Sequence[str], item: Item) -> float:
        return self._scored(found, item, _holds)[0]

    def score(self, answers: Sequence[str], item: Item, answer: Answer) -> Score:
        return self._score(item, answer, _holds)

    def _score(self, item: Item, answer: Answer, holds: Callable[[str, str], bool | None]) -> Score:
        reply, audit = said(answer)
        if audit in NOT_ASKED:
            return Score(value=None, audit=audit)
        if audit == "answered" and not blocks(reply, item):
            audit = "format not found"
        value, parts = self._scored(reply, item, holds)
        return Score(value=value, audit=audit, extracted=reply, parts=parts)

    def _scored(self, reply: str, item: Item, holds: Callable[[str, str], bool | None]) -> tuple[float, dict[str, float]]:
        """The value and its parts; checks that nothing can be said of are left out."""
        written, total = blocks(reply, item), int(item.meta["sections"])
        complete = sum(1 for n in written if 1 <= n <= total) / total
        told: list[tuple[str, int, bool, bool]] = []
        for kind in KINDS:
            for section, event in item.meta["checks"][kind].items():
                there = int(section) in written
                held = holds(event, written[int(section)]) if there else False
                if held is not None:
                    told.append((kind, int(section), there, held))
        share = sum(held for *_, held in told) / len(told) if told else 0.0
        existing = [held for *_, there, held in told if there]
        parts = {
            "completion": complete,
            "stic1": sum(existing) / len(existing) if existing else 0.0,
            "stic2": share,
            "checks": float(len(told)),
            "existing": float(len(existing)),
        }
        for kind in KINDS:
            mine = [held for k, *_, held in told if k == kind]
            if mine:
                parts[kind] = sum(mine) / len(mine)
        for quarter in range(4):
            mine = [held for _, n, _, held in told if (n - 1) * 4 // total == quarter]
            if mine:
                parts[f"quarter {quarter + 1}"] = sum(mine) / len(mine)
        parts["words"] = float(len(reply.split()))
        return complete * share, parts

    async def judged(self, answers: Sequence[str], item: Item, answer: Answer, ask: Mapping[str, Ask]) -> Score:
        reply, audit = said(answer)
        written = blocks(reply, item) if audit not in NOT_ASKED else {}
        pairs = {
            (event, written[int(section)])
            for kind in KINDS
            for section, event in item.meta["checks"][kind].items()
            if int(section) in written
        }
        keys = sorted(pairs)
        found = await asyncio.gather(*(verdict(ask["judge"], _question(*key), _yes, 64) for key in keys))
        if keys and all(one is None for one in found):
            return UNJUDGED
        told = dict(zip(keys, found, strict=True))
        return self._score(item, answer, lambda event, block: told[(event, block)])

    def gold(self, answers: Sequence[str], item: Item) -> str:
        checks = item.meta["checks"]
        return self._written(item, lambda n: [e for kind in KINDS if (e := checks[kind].get(str(n)))])

    def wrong(self, answers: Sequence[str], item: Item, rng: random.Random) -> str:
        """All sections, without what the plan asks for."""
        return self._written(item, lambda n: [])

    def _written(self, item: Item, events: Callable[[int], Sequence[str]]) -> str:
        title, total = item.meta["title"], int(item.meta["sections"])
        told = [f"{MARK} {title} {n}:\nThere is {' and '.join(events(n)) or 'nothing new'}." for n in range(1, total + 1)]
        return "\n".join([*told, END])


@lru_cache(maxsize=4)
def _read(spec: str) -> tuple[tuple[str, Any], ...]:
    rows = tuple(rows_of(spec))
    if not rows:
        raise UserError(f"{spec!r} holds no rows")
    return rows


def blocks(reply: str, item: Item) -> dict[int, str]:
    """The sections of a reply by number; a block belongs to the first number that it names, and the first block of one counts.

    A heading with nothing behind it is no section. The reply may go on behind the heading of section 1, which stood in the
    prompt.
    """
    title = re.compile(rf"{re.escape(item.meta['title'])} (\d+)", re.I)
    found: dict[int, str] = {}
    head, *rest = reply.partition(END)[0].split(MARK)
    for block in (head, *rest):
        if (m := title.search(block)) and re.search(r"\w", block[: m.start()] + block[m.end() :]):
            found.setdefault(int(m[1]), block)
    if found and head.strip():
        found.setdefault(1, head)
    return found


def _bare(text: str) -> list[str]:
    """Words in lower case, without punctuation, possessives and articles."""
    text = re.sub(r"['’]s\b", "", text.lower()).translate(str.maketrans("", "", string.punctuation + "’"))
    return [w for w in text.split() if w not in ("a", "an", "the")]


def _holds(event: str, block: str) -> bool:
    """Whether a section has the event in its words, or all its content words within one sentence; several events each."""
    return all(_one(part, block) for part in event.split(", "))


def _one(event: str, block: str) -> bool:
    words = _bare(event)
    if f" {' '.join(words)} " in f" {' '.join(_bare(block))} ":
        return True
    content = set(words) - _STOP
    return any(content <= set(_bare(sentence)) for sentence in re.split(r"[.!?\n]+", block))


def _question(event: str, block: str) -> str:
    return (
        f"Here is one section of a longer document:\n\n{block.strip()}\n\nDoes this section contain the following: {event}? "
        "Answer with yes or no only."
    )


def _yes(text: str) -> bool | None:
    """The authors count a reply that holds `yes` anywhere."""
    low = text.lower()
    return True if "yes" in low else False if re.search(r"\bno\b", low) else None


def check(lab: Any) -> Any:
    """Four scenarios and both plans of the authors' sizes; documents written to their plans, halved, and one section late."""
    kinds = [f"sgt(scenario={name}, plan={plan})" for plan in PLANS for name in SCENARIOS]
    metas = [lab.asked(kind, n=1)[0][1].meta for kind in kinds]
    sections = [meta["sections"] for meta in metas]
    drawn = [lab.task(f"sgt(plan={plan})").items(400) for plan in PLANS]
    checks = [sum(len(held) for item in items for held in item.meta["checks"].values()) / 400 for items in drawn]

    def late(task: Any, item: Item, prompt: Any) -> str:
        """What each section should tell stands in the next one."""
        _, *parts = task.gold(prompt.answers, item).split(MARK)
        told = zip([" :\n", *parts[:-1]], parts, strict=True)
        return MARK.join(["", *(head.partition(":")[0] + ":" + before.partition(":")[2] for before, head in told)])

    def half(task: Any, item: Item, prompt: Any) -> str:
        """The first half of the sections."""
        _, *parts = task.gold(prompt.answers, item).split(MARK)
        return MARK.join(["", *parts[: len(parts) // 2]])

    def means(say: Any) -> list[float]:
        scores = [s for kind in kinds for s in lab.scores(kind, say, n=1)]
        return [sum(s.parts[name] for s in scores) / 8 for name in ("completion", "stic1", "stic2", "once", "periodic")]

    there = [[int(n) <= m["sections"] // 2 for held in m["checks"].values() for n in held] for m in metas]
    expected = [sum(n // 2 / n for n in sections) / 8, 1, sum(sum(one) / len(one) for one in there) / 8]
    # 40 of 52 sections; ten checks, of which the sections of eight are there and four hold.
    once = {n: f"Amber Falcon {n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 45, 50)}
    row = {"prompt": "Write.", "prefix": f"{MARK} Week 1:", "checks_once": once, "checks_range": {}, "checks_periodic": {}}
    own = f"sgt(data='{lab.written({'short.json': [row | {'type': 'Week', 'number': 52}]})}/short.json')"
    told = "".join(f"{MARK} Week {n}: {once[n] if n < 5 else 'rain'}.\n" for n in range(1, 41))
    score = lab.scores(own, lambda *_: told, n=1)[0]
    found = [*(score.parts[name] for name in ("completion", "stic1", "stic2")), score.value]
    gold, shifted, first = means("gold"), means(late), means(half)
    sizes = sections == [52, 52, 100, 100, 365, 365, 300, 361] and abs(checks[0] - 15.5) < 1 and abs(checks[1] - 20.5) < 1
    return lab.conclude(
        lab.build("sgt", "sgt(plan=40, noise=prose)", *kinds, lengths=("8k", "64k")),
        lab.replies("sgt"),
        (sizes, f"plans of {sections} sections; 16k and 32k plans have {checks[0]:.1f} and {checks[1]:.1f} checks each"),
        (gold == [1] * 5, f"completion, STIC-1, STIC-2 of {len(kinds)} documents {gold[:3]}"),
        lab.agree(first[:3], expected, "figures of half of each and those counted from the plans"),
        lab.agree(found, [40 / 52, 0.5, 0.4, 16 / 52], "figures of a published row and those by hand"),
        (shifted[3] == shifted[4] == 0, "events of once and periodic ones that come one section late do not hold"),
        control=[
            (shifted == [1] * 5, f"STIC-2 of documents one section late {shifted[2]:.2f}"),
            lab.agree(gold[:3], expected, "figures of whole documents in place of the halves"),
        ],
    )
