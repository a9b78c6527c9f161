"""Cuts of a group's records: by what tasks declare, by computed coordinates, by facets, and figures beside the score."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from leadline.nouns import Record
from leadline.scoring.slices import Point, mean_curve, ordered
from leadline.scoring.summary import summarise

LENGTHS = (1024, 4096, 16384)


def record(task: str, item: int, length: int, score: float | None, **more: object) -> Record:
    values = {
        "cell": f"{task}{length}",
        "model": "m",
        "task": task,
        "length": length,
        "base": length == 1024,
        "item": f"i{item}",
        "cluster": "",
        "prompt": f"{task}/i{item}@{length}",
        "sha": "x",
        "tokens": length,
        "score": score,
        "audit": "answered" if score is not None else "provider error",
    }
    return Record(**values | more)  # type: ignore[arg-type]


def run() -> list[Record]:
    """Two retrieval tasks that hold to 4k and one of counting that falls at once; half the items are in Chinese."""
    rows = []
    for task, ability, diffusion, reach in (
        ("a", "retrieval", "low", 5000),
        ("b", "retrieval", "high", 5000),
        ("c", "counting", "high", 2000),
    ):
        for i in range(30):
            for length in LENGTHS:
                right = float(length < reach and not (i % 2 and task == "a" and length == 4096))
                rows.append(
                    record(task, i, length, right, ability=ability, levels={"diffusion": diffusion, "scope": "low"}, diffusion=0.4 if task == "a" else 0.7,
                           scope=0.2, facets={"language": ("en", "zh")[i % 2]} if task == "a" else {}, parts={"coverage": i / 29} if task == "c" else {})
                )  # fmt: skip
    return rows


def test_tasks_are_grouped_by_what_they_declare() -> None:
    group = summarise(run()).groups[0]
    got = {(s.by, s.value): s for s in group.slices}
    assert list(got) == [
        ("ability", "counting"),
        ("ability", "retrieval"),
        ("diffusion", "low"),
        ("diffusion", "high"),
        ("scope", "low"),
    ]
    retrieval = got["ability", "retrieval"]
    assert retrieval.tasks == ("a", "b") and retrieval.n == 2 * 30 * 3
    assert retrieval.score == pytest.approx((1.5 + 2) / 6)
    assert [p.score for p in retrieval.points] == [1.0, 0.75, 0.0]
    alone = summarise([r for r in run() if r.ability == "retrieval"]).groups[0]
    assert retrieval.longscore == alone.longscore and retrieval.breakdown == alone.breakdown
    assert got["ability", "counting"].longscore == group.longscore_tasks["c"]
    assert got["ability", "counting"].breakdown == group.breakdown_tasks["c"]
    assert got["scope", "low"].breakdown == group.breakdown and got["scope", "low"].longscore == group.longscore
    assert got["diffusion", "high"].diffusion == pytest.approx(0.7)


def test_computed_coordinates_part_the_samples() -> None:
    group = summarise(run()).groups[0]
    low, high = sorted(group.quadrants, key=lambda q: q.diffusion, reverse=True)
    assert (low.diffusion, low.scope, low.n) == ("low", "low", 90) and low.score == pytest.approx(0.5)
    assert (high.diffusion, high.n) == ("high", 180) and high.low < high.score < high.high
    assert {c.task: c.diffusion for c in group.cells} == {
        "a": pytest.approx(0.4),
        "b": pytest.approx(0.7),
        "c": pytest.approx(0.7),
    }
    bare = summarise([replace(r, diffusion=0.0, scope=0.0, levels={}, ability="") for r in run()]).groups[0]
    assert not bare.quadrants and not bare.slices and bare.cells[0].diffusion is None


def test_facets_have_scores_with_intervals_for_each_value_and_length() -> None:
    rows = run()
    rows[0] = replace(rows[0], score=None, audit="provider error")
    facets = summarise(rows).groups[0].facets
    assert [(f.task, f.facet, f.value, f.length) for f in facets] == [
        ("a", "language", v, n) for v in ("en", "zh") for n in LENGTHS
    ]
    at = {(f.value, f.length): f for f in facets}
    assert at["en", 1024].n == 14 and at["zh", 1024].n == 15
    assert at["en", 4096].score == 1.0 and at["zh", 4096].score == 0.0
    assert at["en", 4096].low is not None and at["en", 4096].low < 0.85
    lost = [replace(r, score=None, audit="refused") if r.facets.get("language") == "zh" else r for r in rows]
    gone = next(f for f in summarise(lost).groups[0].facets if f.value == "zh")
    assert (gone.n, gone.score, gone.low) == (0, None, None)


def test_samples_of_one_document_widen_a_facets_interval() -> None:
    rows = [replace(r, score=float(int(r.item[1:]) // 10 % 2)) for r in run() if r.task == "a"]
    apart = summarise(rows).groups[0].facets[0]
    together = summarise([replace(r, cluster=f"d{int(r.item[1:]) // 10}") for r in rows]).groups[0].facets[0]
    assert apart.score == together.score and together.high - together.low > apart.high - apart.low  # type: ignore[operator]


def test_parts_are_means_by_task_and_length() -> None:
    parts = summarise(run()).groups[0].parts
    assert [(p.task, p.part, p.length, p.n) for p in parts] == [("c", "coverage", n, 30) for n in LENGTHS]
    assert all(p.mean == pytest.approx(0.5) for p in parts)


def test_json_gains_keys_and_loses_none() -> None:
    got = summarise(run()).to_json()
    assert json.loads(json.dumps(got)) == got
    assert {"cells", "longscore", "breakdown", "by", "facets", "parts"} <= set(got)
    assert set(got["by"]) == {"ability", "diffusion", "scope", "computed"}
    first = got["by"]["ability"][0]
    assert first["value"] == "counting" and {"tasks", "n", "score", "lengths", "longscore", "breakdown", "computed"} <= set(
        first
    )
    assert first["lengths"][0] == {
        "length": 1024,
        "score": 1.0,
        "low": pytest.approx(0.886, abs=0.01),
        "high": 1.0,
        "n": 30,
        "complete": True,
    }


def test_values_stand_in_an_order_that_reads() -> None:
    assert ordered(["high", "low", "middle"]) == ["low", "middle", "high"]
    assert ordered(["10", "9", "2"]) == ["2", "9", "10"]
    assert ordered(["turn 10", "turn 9", "Zh", "en"]) == ["en", "turn 9", "turn 10", "Zh"]
    assert ordered(["1-2", "0.5", "hard", "low", "10"]) == ["low", "0.5", "1-2", "10", "hard"]


def test_a_mean_says_where_tasks_are_missing() -> None:
    points = mean_curve({"a": [Point(1, 1.0, 0.8, 1.0, 5), Point(2, 0.5, 0.3, 0.7, 5)], "b": [Point(1, 0.0, 0.0, 0.2, 5)]})
    assert points[0] == Point(1, 0.5, 0.4, 0.6, 10) and not points[1].complete
