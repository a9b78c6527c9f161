"""From records to a summary."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from leadline.nouns import Record
from leadline.scoring.summary import compare, prior_rate, summarise, without_prior

LENGTHS = [1024, 2048, 4096, 8192, 16384, 32768]


def records(
    model: str = "m", method: str = "", tau: float = 9000, n: int = 40, tasks: tuple[str, ...] = ("a", "b")
) -> list[Record]:
    out = []
    for task in tasks:
        rng = np.random.default_rng([len(task), ord(task[0])])
        for i in range(n):
            luck = rng.random()
            for length in LENGTHS:
                right = luck < (0.95 if length < tau else 0.3)
                out.append(
                    Record(
                        cell=f"{method}{task}{length}",
                        model=model,
                        method=method,
                        task=task,
                        length=length,
                        base=length == 1024,
                        item=f"i{i}",
                        cluster=f"d{i // 2}",
                        prompt=f"{task}/i{i}@{length}",
                        sha="x",
                        tokens=length,
                        score=float(right),
                        audit="answered",
                    )  # fmt: skip
                )
    return out


def test_one_group_is_the_command_lines_json() -> None:
    got = summarise(records()).to_json()
    assert json.loads(json.dumps(got)) == got
    assert len(got["cells"]) == 2 * len(LENGTHS)
    assert {"task", "length", "n", "score", "low", "high", "audit"} <= set(got["cells"][0])
    assert got["cells"][0]["audit"] == {"answered": 40}
    assert {"value", "low", "high"} <= set(got["longscore"]["all"]) and set(got["longscore"]["tasks"]) == {"a", "b"}
    assert got["longscore"]["all"]["low"] < got["longscore"]["all"]["value"] < got["longscore"]["all"]["high"] < 0
    assert {"tokens", "low", "high", "censored"} <= set(got["breakdown"])
    assert 8192 * 0.8 < got["breakdown"]["tokens"] < 16384 and set(got["breakdown"]["tasks"]) == {"a", "b"}


def test_own_faults_count_and_provider_faults_do_not() -> None:
    rows = records(tasks=("a",))
    rows = [replace(r, score=0.0, audit="cut off") if r.item == "i0" else r for r in rows]
    rows = [replace(r, score=None, audit="provider error") if r.item == "i1" else r for r in rows]
    cell = summarise(rows).cells[0]
    assert cell.n == 39 and cell.audit == {"answered": 38, "cut off": 1, "provider error": 1}
    assert cell.score is not None and cell.score_answered is not None and cell.score_answered > cell.score


def test_over_the_window_censors() -> None:
    rows = [replace(r, score=None, audit="over the window") if r.length > 4096 else r for r in records(tasks=("a",))]
    summary = summarise(rows)
    assert summary.cells[-1].score is None and summary.cells[-1].n == 0
    found = summary.groups[0].breakdown
    assert found.censored and found.tokens == 4096 and "over the window at 8192" in found.note
    assert "no scores at 8192" in summary.groups[0].longscore.note


def test_two_methods_are_compared_on_the_same_samples() -> None:
    summary = summarise(records() + records(method="kivi", tau=3000))
    got = summary.to_json()
    assert len(got["groups"]) == 2 and [row["task"] for row in got["comparisons"]] == ["a", "b", "all"]
    total = summary.comparisons[-1]
    assert total.a == ("m", "kivi", "") and total.n == 2 * 40 * len(LENGTHS)
    assert total.high < 0 and total.p < 0.01


def test_a_repeated_sample_counts_once() -> None:
    rows = records(tasks=("a",))
    assert summarise(rows + rows).cells == summarise(rows).cells


def test_prior_knowledge() -> None:
    rows = records(tasks=("a",)) + records(model="other", tasks=("a",))
    rows = [replace(r, prior=float(r.item == "i3" and r.model == "other")) for r in rows]
    kept = without_prior(rows)
    assert len(kept) == len(rows) - 2 * len(LENGTHS) and prior_rate(rows) == 1 / 80
    assert prior_rate(records()) is None


def test_nothing_shared_nothing_compared() -> None:
    assert compare(records(tasks=("a",)), records(tasks=("b",))) == []
    assert summarise([]).to_json()["cells"] == []


def test_a_few_samples_of_several_tasks_have_a_breakdown_too() -> None:
    """A perfect base of four samples a task is no base too low to divide by."""
    rows = [replace(r, score=float(r.length < 9000)) for r in records(n=4)]
    found = summarise(rows).groups[0].breakdown
    assert found.tokens is not None and 8192 * 0.9 < found.tokens <= 16384


def test_a_task_without_a_base_does_not_take_the_breakdown_of_all() -> None:
    rows = [r for r in records(tasks=("a", "b", "c")) if r.task != "c" or r.length > 2048]
    found, alone = summarise(rows).groups[0].breakdown, summarise(records()).groups[0].breakdown
    assert found.tokens == alone.tokens and "left out for want of base scores: c" in found.note
    assert summarise([r for r in rows if r.task == "c"]).groups[0].breakdown.tokens is None
