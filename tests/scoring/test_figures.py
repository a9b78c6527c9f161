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
    assert {make.__module__.rpartition(".")[2] for make in f.makers()} == {"film_metrics", "m4le_metrics", "safety"}
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


def test_bleu_of_a_cell(lab: Bench, tmp_path: Any) -> None:
    """Of a bucket's replies together, as evaluation.py of the benchmark has it; 400 random corpora gave its figures offline."""
    import json

    rows = [
        {"instruction": "Translate.", "input": f"段落{i}\n问题\n答案:", "answers": [text], "length_bucket": bucket}
        for i, (text, bucket) in enumerate(
            [("The boat lies in the old harbour.", 1000), ("Nobody came to the mill that day.", 1000), ("It rained.", 2000)]
        )
    ]
    path = tmp_path / "tedtalks-zh2en.jsonl"
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    (figure,) = f.figures(records(lab, f"m4le-span(data='{path}')", lambda *_: "The boat lies in the old harbour.", 3))
    table = {row[1]: row for row in figure.rows}
    assert table["1000"][0] == "tedtalks-zh2en" and table["1000"][3] == "2" and table["2000"][2] == "0.0"
    # 10 of 16 words, 7 of 14 pairs, 6 of 12 and 5 of 10 longer runs are right, and as many words are said as meant.
    assert table["1000"][2] == f"{100 * (10 / 16 / 2**3) ** 0.25:.1f}" == "52.9"


@pytest.mark.parametrize(
    ("text", "chinese", "words"),
    [
        ("It's 3,000.5 or 5-6, U.S.", False, "It's 3,000.5 or 5 - 6 , U . S ."),
        ("&quot;a&amp;b&quot; (c/d)", False, '" a & b " ( c / d )'),
        ("他说：“ABC”12.5%。", True, "他 说 ： “ ABC ” 12.5 % 。"),
    ],
)
def test_words_of_bleu(text: str, chinese: bool, words: str) -> None:
    from leadline.scoring import corpus_bleu

    assert corpus_bleu.words(text, chinese) == words.split()
    assert corpus_bleu.bleu([(text, [text])], chinese) == pytest.approx(1)
    assert corpus_bleu.bleu([("", [text])], chinese) == 0
