"""A simulated reader with a known window goes through every constructive task of the folder, and its window is recovered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from leadline import catalog
from leadline.data.haystack import Builder, Layout
from leadline.runs import simulated
from leadline.runs.plan import Plan, parse_tasks
from leadline.scoring.summary import summarise

from .conftest import SPECS, label


def constructive() -> list[str]:
    return [spec for spec in SPECS if not catalog.make(spec, "tasks").natural]


def plan_of(spec: str, lengths: tuple[int, ...], **more: Any) -> Plan:
    return Plan(
        models=(simulated.NAME,), tasks=parse_tasks(spec), lengths=lengths[1:], base=lengths[:1], tokenizer="minnow", depth=0.0, **more
    )  # fmt: skip


@pytest.mark.parametrize("spec", constructive(), ids=label)
def test_a_task_is_answered_within_the_window_and_not_beyond(spec: str, tokenizer) -> None:
    """Two items at three lengths: the window lies between the second and the third."""
    if reason := simulated.why_not(spec):
        pytest.skip(reason)
    task = catalog.make(spec, "tasks")
    base, builder = max(1024, task.minimum), Builder(tokenizer)
    while not simulated.fits(plan_of(spec, (base, 2 * base), samples=2), builder):
        base *= 2
    reader = simulated.Reader(tokenizer, 3 * base)
    plan = plan_of(spec, (base, 2 * base, 4 * base), samples=2)
    scores: dict[int, list[float]] = {}
    for record in simulated.read(reader, plan, builder):
        scores.setdefault(record.length, []).append(record.score or 0.0)
        assert record.ability == task.ability and record.levels["scope"] == task.scope
        assert record.evidence, "no evidence recorded"
    assert scores[base] == scores[2 * base] == [1.0, 1.0]
    assert sum(scores[4 * base]) / 2 <= task.chance + 0.65, scores


@pytest.mark.parametrize("spec", ["needle", "multi-doc-qa", "passage-count", "scbench-set(keys=words, turns=3)"])
def test_the_window_is_recovered_as_the_breakdown_length(spec: str, tokenizer) -> None:
    reader = simulated.Reader(tokenizer, 3000, distraction=0.1)
    plan = plan_of(spec, (1024, 1536, 2048, 2560, 3584, 4096, 6144), samples=12)
    builder = Builder(tokenizer)
    records = simulated.read(reader, plan, builder)
    true = simulated.truth(reader, plan, builder, spec)
    assert true is not None and abs(true - 3000) < 80
    group = summarise(records).groups[0]
    found = group.breakdown
    assert found.low is not None and found.high is not None and found.low <= true <= found.high
    assert found.high / found.low < 2
    assert (
        simulated.holds(found, true, 6144) and not simulated.holds(found, 1500, 6144) and not simulated.holds(found, None, 6144)
    )
    base = next(c for c in group.cells if c.length == 1024)
    assert base.score is not None and 0.7 <= base.score < 1, "distracted at its rate"


def test_who_reads_the_ends_loses_the_middle(tokenizer) -> None:
    plan = plan_of("needle", (1024, 2048, 4096), samples=1)
    builder, task = Builder(tokenizer), catalog.make("needle", "tasks")
    item = task.items(1)[0]
    reader = simulated.Reader(tokenizer, 1000, first=500)
    seen = {depth: reader.sees(builder.build(item, 4096, Layout(depth=depth))) for depth in (0.0, 0.05, 0.5, 0.9, 1.0)}
    assert seen == {0.0: True, 0.05: True, 0.5: False, 0.9: True, 1.0: True}
    assert not simulated.Reader(tokenizer, 1000).sees(builder.build(item, 4096, Layout(depth=0.0)))
    assert simulated.truth(reader, plan, builder, str(task.spec)) is None, "at depth 0 it is among the first tokens for ever"
    assert abs((simulated.truth(reader, replace(plan, depth=0.5), builder, str(task.spec)) or 0) - 2000) < 120


@pytest.mark.parametrize("depth", [0.0, 0.37, 1.0])
def test_what_is_seen_is_counted_in_tokens(tokenizer, depth: float) -> None:
    """Against a slow, obvious reference: the tokens of what comes before the evidence."""
    item = catalog.make("needle", "tasks").items(1)[0]
    prompt = Builder(tokenizer).build(item, 2048, Layout(depth=depth))
    content = prompt.messages[0]["content"]
    start = prompt.text.index(content) + prompt.evidence[0][0]
    before = len(tokenizer.ids(prompt.text[:start]))
    left = prompt.tokens - before
    assert simulated.Reader(tokenizer, left + 2).sees(prompt) and not simulated.Reader(tokenizer, left - 2).sees(prompt)
