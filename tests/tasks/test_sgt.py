import asyncio
import itertools
import json
import random
import re

import pytest

from leadline import catalog
from leadline.data.haystack import Builder
from leadline.nouns import Answer, Item, UserError
from leadline.tasks import _threads, sgt


def document(title, sections, tells):
    return "\n".join(f"#*# {title} {n}:\nToday {tells(n)}." for n in sections) + "\n*** finished"


def item_of(sections, checks, title="Week"):
    checks = {kind: {str(n): e for n, e in checks.get(kind, {}).items()} for kind in _threads.KINDS}
    return Item(
        id="x",
        task="sgt",
        instruction="",
        question="",
        answers=(),
        meta={"title": title, "sections": sections, "checks": checks, "scenario": "diary"},
    )


def score(reply, item, **settings):
    return sgt.Sgt(**settings).score(item.answers, item, Answer(text=reply))


def test_the_sheets_case():
    """52 sections of which 40 are written, 10 checks of which 8 sections exist and 4 hold."""
    event = {n: f"Amber Falcon {n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 45, 50)}
    got = score(document("Week", range(1, 41), lambda n: event[n] if n < 5 else "it rained"), item_of(52, {"once": event}))
    assert got.parts["completion"] == pytest.approx(40 / 52)
    assert (got.parts["stic1"], got.parts["stic2"], got.parts["checks"], got.parts["existing"]) == (0.5, 0.4, 10, 8)
    assert got.value == pytest.approx(0.3077, abs=1e-4)


def test_sections_that_come_one_late_hold_nothing():
    item = sgt.Sgt(plan="16k", scenario="skyscraper").items(1)[0]
    checks = item.meta["checks"]

    def late(n):
        return " and ".join(e for kind in ("once", "periodic") if (e := checks[kind].get(str(n - 1)))) or "nothing"

    got = score(document("Floor", range(1, 101), late), item)
    assert (got.parts["completion"], got.parts["once"], got.parts["periodic"]) == (1, 0, 0)


@pytest.mark.parametrize(
    ("event", "block", "holds"),
    [
        ("Amber Falcon library", "The amber  falcon, library opens.", True),
        ("Amber Falcon library", "A library named after the Amber Falcon.", True),
        ("Amber Falcon library", "A library. The Amber Falcon sings.", False),
        ("Amber Falcon library", "The Amber Falcons library.", False),
        ("birthday of Ada Brook", "Ada Brook’s birthday was today!", True),
        ("birthday of Ada Brook", "Ada's birthday at the brook of Ada", True),
        ("my wife birthday, my father birthday", "My wife's birthday! And the birthday of my father.", True),
        ("my wife birthday, my father birthday", "My wife's birthday!", False),
    ],
)
def test_events_are_found_exactly(event, block, holds):
    assert sgt._holds(event, block) is holds


def test_sections_are_told_apart():
    item = item_of(9, {})
    assert (
        sgt.blocks("#*# Week 1: a\n#*# Week 2: b (after Week 1)\n#*# Week 2: c", item)[2].strip() == "Week 2: b (after Week 1)"
    )
    assert set(sgt.blocks("it snowed\n#*# Week 2: b", item)) == {1, 2}, "behind the heading in the prompt"
    assert sgt.blocks("Here it is:\n#*# Week 1: a\n#*# Week 2: b", item)[1].strip() == "Week 1: a"
    assert set(sgt.blocks("#*# Week 1:\n#*# Week 2: b\n*** finished\n#*# Week 3: c", item)) == {2}, "empty and after the end"
    assert set(sgt.blocks("#*# **week 3** fog", item)) == {3}
    assert sgt.blocks("no sections", item) == {}
    none = score("no sections", item_of(9, {"once": {3: "x y"}}))
    assert (none.value, none.audit) == (0, "format not found")
    cut = sgt.Sgt().score((), item_of(2, {"once": {1: "fog bank"}}), Answer(text="#*# Week 1: a fog bank", stop="length"))
    assert (cut.value, cut.audit) == (0.5, "cut off")


def test_position_is_reported():
    checks = {"once": {n: f"Grey Owl {n}" for n in range(1, 9)}}
    got = score(document("Week", range(1, 9), lambda n: f"Grey Owl {n}" if n <= 2 else "rain"), item_of(8, checks))
    assert [got.parts[f"quarter {q}"] for q in (1, 2, 3, 4)] == [1, 0, 0, 0]


@pytest.mark.parametrize("scenario", _threads.SCENARIOS)
@pytest.mark.parametrize("long", [False, True])
def test_plans_say_what_is_checked(scenario, long):
    """The numbers of the sections are worked out from the lines alone."""
    import datetime

    for seed in range(25):
        n = _threads.SCENARIOS[scenario].sections[long] if seed % 2 else _threads.fitting(scenario, 4 + seed)
        plan = _threads.draw(scenario, n, long, random.Random(seed))
        unit = 7 if "Week" in plan.title else 1
        wide = _threads.side(n)
        found = {kind: {} for kind in _threads.KINDS}
        for line in plan.lines:
            event = re.search(r"(?:tell of|offer|have|must be) the (.+?)\.$", line)[1]
            if m := re.match(r"On (\w+ \d+, \d+),", line):
                day = (datetime.datetime.strptime(m[1], "%B %d, %Y").date() - datetime.date(2018, 1, 1)).days
                found["once"][day // unit + 1] = event
            elif m := re.match(r"Floor (\d+) ", line):
                found["once"][int(m[1])] = event
            elif m := re.match(r"(?:In )?(?:week|day|floor)s? (\d+)(?: to (\d+))?", line, re.I):
                found["range"] |= dict.fromkeys(range(int(m[1]), int(m[2] or m[1]) + 1), event)
            elif m := re.match(r"Every (\d+) \w+, starting with \w+ (\d+)", line):
                found["periodic"] |= dict.fromkeys(range(int(m[2]), n + 1, int(m[1])), event)
            elif m := re.match(r"Along the row from \(0, (\d+)\) to \((\d+), .* divided by (\d+) ", line):
                found["periodic"] |= {int(m[1]) * wide + x + 1: event for x in range(int(m[2]) + 1) if x % int(m[3]) == 0}
            else:
                pairs = [(int(x), int(y)) for x, y in re.findall(r"\((\d+), (\d+)\)", line)]
                (x0, y0), (x1, y1) = pairs[0], pairs[-1]
                kind = "once" if len(pairs) == 1 else "range"
                found[kind] |= {y * wide + x + 1: event for x, y in itertools.product(range(x0, x1 + 1), range(y0, y1 + 1))}
        assert found == plan.checks, plan.lines
        assert all(1 <= s <= n for kind in found.values() for s in kind)


def test_plans_have_the_papers_sizes():
    """Numbers of sections and mean numbers of checks, as counted in the authors' files."""
    means = {
        ("diary", False): (4.8, 2.0, 10.1), ("diary", True): (6.0, 4.6, 5.5), ("menu", False): (4.8, 2.5, 12.4),
        ("menu", True): (5.0, 10.0, 12.3), ("skyscraper", False): (5, 5.2, 3.5), ("skyscraper", True): (5, 5.0, 13.3),
        ("city", False): (5, 3.0, 3.9), ("city", True): (5, 3.0, 7.6),
    }  # fmt: skip
    for (scenario, long), paper in means.items():
        plans = [
            _threads.draw(scenario, _threads.SCENARIOS[scenario].sections[long], long, random.Random(i)) for i in range(200)
        ]
        mine = [sum(len(p.checks[kind]) for p in plans) / 200 for kind in _threads.KINDS]
        assert mine == pytest.approx(paper, abs=1.1), (scenario, long)
    for plan, sections in (("16k", (52, 52, 100, 100)), ("32k", (365, 365, 300, 361))):
        items = sgt.Sgt(plan=plan).items(4)
        assert tuple(item.meta["sections"] for item in items) == sections
        assert {item.answer_tokens for item in items} == {16_000 if plan == "16k" else 32_000}


def test_sections_grow_with_the_length(tokenizer):
    task, builder, sizes = sgt.Sgt(scenario="city"), Builder(tokenizer), []
    item = task.items(1)[0]
    for length in (2048, 8192, 65536):
        prompt = builder.build(item, length, compose=task.compose)
        sizes.append(prompt.meta["sections"])
        assert prompt.answer_tokens >= sizes[-1] * (160 + sgt.HEADING)
    assert sizes == sorted(set(sizes)) and all(_threads.side(n) ** 2 == n for n in sizes)


def judge(reply):
    async def ask(text, max_tokens=None):
        return reply(text) if callable(reply) else reply

    return {"judge": ask}


def test_a_judge_is_asked_for_each_section_that_exists():
    task, item = sgt.Sgt(), item_of(4, {"once": {1: "a red cup", 2: "a blue cup", 4: "tea"}})
    asked = []

    def reply(text):
        asked.append(text)
        return Answer(text="Yes." if "red" in text.split("following:")[1] else "No, it does not.")

    answer = Answer(text="#*# Week 1: crimson cups\n#*# Week 2: none\n#*# Week 3: none")
    got = asyncio.run(task.judged((), item, answer, judge(reply)))
    assert len(asked) == 2 and (got.parts["stic1"], got.parts["stic2"]) == (0.5, pytest.approx(1 / 3))
    unread = asyncio.run(
        task.judged((), item, answer, judge(lambda t: Answer(text="Yes." if "red" in t.split("following:")[1] else "?")))
    )
    assert (unread.parts["checks"], unread.parts["stic1"]) == (2, 1), "what could not be read is left out"
    failed = asyncio.run(task.judged((), item, answer, judge(Answer(stop="error", error="500"))))
    assert (failed.value, failed.audit) == (None, "provider error")
    empty = asyncio.run(task.judged((), item, Answer(text=""), judge(reply)))
    assert (empty.value, empty.audit) == (0, "empty")


def test_published_plans_are_read(tmp_path):
    row = {
        "prompt": "Write. #*# Day 1:", "checks_once": {"067": "my wife birthday"}, "checks_range": {}, "checks_periodic": {"366": "x"},
        "type": "Day", "prefix": "#*# Day 1:", "number": 365,
    }  # fmt: skip
    path = tmp_path / "plans.json"
    path.write_text(json.dumps([row]))
    task = catalog.make(f"sgt(data='{path}')", "tasks")
    item = task.items(1)[0]
    assert (item.question, item.prefill, item.answer_tokens, task.natural) == (row["prompt"], row["prefix"], 32_000, True)
    got = task.score((), item, Answer(text="#*# Day 67: The birthday of my wife. #*# Day 366: x"))
    assert got.parts["stic2"] == 1 and got.parts["completion"] == 1 / 365
    with pytest.raises(UserError, match="holds 1 plans"):
        task.items(2)
    other = tmp_path / "other.json"
    other.write_text(json.dumps([{k: v for k, v in row.items() if k != "type"}]))
    with pytest.raises(UserError, match="'type'"):
        catalog.make(f"sgt(data='{other}')", "tasks").items(1)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("plan=64k", "fill, 16k, 32k or a number"),
        ("plan=3", "from 4 to 5000"),
        ("scenario=opera", "diary, menu"),
        ("noise=prose", "fixed size"),
    ],
)
def test_bad_settings_are_said(spec, says):
    with pytest.raises(UserError, match=says):
        catalog.make(f"sgt({spec})", "tasks")
