"""Figures that benchmarks state of a whole run: which there are, from which records, and nothing from others."""

from __future__ import annotations

from typing import Any

import pytest

from leadline.runs.bench import Bench
from leadline.scoring import figures as f
from leadline.scoring.safety import rates


@pytest.fixture(scope="module")
def lab() -> Bench:
    return Bench()


def records(lab: Bench, spec: str, say: Any, n: int, **more: Any) -> list[Any]:
    asked, scores = lab.asked(spec, n=n), lab.scores(spec, say, n=n, **more)
    return [lab.record(*one, score) for one, score in zip(asked, scores, strict=True)]


def test_the_folder_is_the_registry() -> None:
    assert {make.__module__.rpartition(".")[2] for make in f.makers()} == {"film_metrics", "safety"}
    assert f.figures([]) == []


def test_the_gap_between_positions(lab: Bench) -> None:
    """A program that reads the last half: the first parts hold nothing, the last everything."""

    def last_half(task: Any, item: Any, prompt: Any) -> str:
        return task.gold(prompt.answers, item) if prompt.depths[0] > 0.5 else "I do not know."

    (figure,) = f.figures(records(lab, "film-probe(kind=code)", last_half, 60))
    (row,) = figure.rows
    assert (
        row[0] == "film-probe(kind=code)" and row[3] == "100.0" and row[4].startswith("0.0 0.0 ") and row[4].endswith("100.0")
    )
    assert "2404.16811" in figure.why
    few = records(lab, "film-probe(kind=code)", "gold", 8)
    assert not f.figures(few), "too few samples in a part"


def test_safety_by_category(lab: Bench, tmp_path: Any) -> None:
    from tests.tasks.fixtures.longsafety_case import CATEGORIES, write

    write(tmp_path, n=6)
    rows = []
    for place in ("front", "end", "alone"):
        bad = {"front": {0}, "end": {0, 1}, "alone": set()}[place]

        def judge(text: str, bad: set[int] = bad) -> str:
            return "1" if any(f"gossip number {i} " in text for i in bad) else "0"

        spec = f"longsafety-case(data='{tmp_path}', place={place})"
        rows += records(lab, spec, lambda *_: "Here it is.", 6, helpers={"judge": judge})
    (figure,) = f.figures(rows)
    table = {row[0]: row[1:] for row in figure.rows}
    assert table["all"] == ("66.7", "83.3", "66.7", "100.0", "6")
    assert table[CATEGORIES[0]][0] == table[CATEGORIES[1]][0] == "50.0" and table[CATEGORIES[2]][0] == "100.0"
    assert rates(rows)[""].alone == 1.0
