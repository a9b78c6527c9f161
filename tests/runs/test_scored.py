"""Predictions made elsewhere: a suite scores each row as the member it names, and what a row lacks is said."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from leadline import catalog
from leadline.data.haystack import Builder
from leadline.nouns import UserError
from leadline.runs.scored import scorer_of
from leadline.scoring.metrics import score_file


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def test_a_suite_scores_each_row_as_its_member(tmp_path: Path, tokenizer: Any) -> None:
    """Rows as `leadline build` writes them, right and wrong ones."""
    rows = []
    for spec in map(str, catalog.expand(catalog.parse("needlebench"), "tasks")):
        task = catalog.make(spec, "tasks")
        item = task.items(1)[0]
        prompt = Builder(tokenizer).build(item, 4096, compose=task.compose if task.grows else None)
        kept = {"task": prompt.task, "answers": list(prompt.answers), "meta": dict(prompt.meta), "prefill": prompt.prefill}
        rows += [kept | {"prediction": said} for said in (task.gold(prompt.answers, item), "It does not say.")]
    got = score_file(written(tmp_path / "p.jsonl", rows), scorer_of("needlebench"), rows=True)
    assert [row["score"] for row in got["rows"]] == [1.0, 0.0] * 4


def test_rows_of_published_data_need_no_data(tmp_path: Path) -> None:
    """The member by the value of its setting, other column names, packed, and a line separator inside a reply."""
    rows = [
        {"task": "quality", "pred": "The answer is (B) ...", "gt": "(B) the sea"},
        {"task": "multidoc_qa", "pred": "the old\u2028harbour", "gt": "old harbour"},
    ]
    got = score_file(written(tmp_path / "p.jsonl.gz", rows), scorer_of("l-eval"), rows=True)
    assert [row["score"] for row in got["rows"]] == [1.0, 1.0]


@pytest.mark.parametrize(
    ("row", "says"),
    [({}, "no 'task'"), ({"task": "qualty"}, "did you mean 'quality'"), ({"task": "needle"}, "stands for several tasks")],
)
def test_a_row_that_names_no_member(tmp_path: Path, row: dict[str, Any], says: str) -> None:
    path = written(tmp_path / "p.jsonl", [{"prediction": "A", "answers": ["A"]} | row])
    with pytest.raises(UserError, match=f"line 1: .*{says}"):
        score_file(path, scorer_of("l-eval"), rows=True)


def test_a_row_without_what_its_task_needs(tmp_path: Path) -> None:
    path = written(tmp_path / "p.jsonl", [{"prediction": "1. red", "answers": ["red"]}])
    with pytest.raises(UserError, match="line 1: joint-recall needs more .* 'meta'"):
        score_file(path, scorer_of("joint-recall"), rows=True)


def test_what_is_packed_and_broken(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl.gz"
    path.write_bytes(b"\x1f\x8bnothing")
    with pytest.raises(UserError, match="packed as .gz"):
        score_file(path, scorer_of("needle"), rows=True)
