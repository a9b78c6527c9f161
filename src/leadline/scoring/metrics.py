"""Metrics by name, and the scoring of a file of predictions.

Knows nothing about what a metric computes (`peers.py`) or where predictions come from.
"""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from leadline.catalog import nearest
from leadline.nouns import NOT_ASKED, Answer, Score, UserError
from leadline.scoring.peers import Metric

Row = Mapping[str, Any]
Scorer = Callable[[Row], Score]
"""Scores one row of a file, as read by `read_rows`."""

ALIASES: dict[str, tuple[str, ...]] = {
    "prediction": ("pred", "output", "response"),
    "answers": ("answer", "ground_truth", "label", "target", "outputs", "refs", "gt"),
    "classes": ("all_classes",),
    "keyword": ("gold_ans", "answers_keyword", "answers_keywords", "answer_keywords"),
    "question": ("input",),
}
"""Other names under which published files hold the same; the first that a row has is read."""


@cache
def _every() -> dict[str, Metric]:
    """All metrics by name: the `METRICS` of `peers.py` and of each `..._metrics.py` beside it."""
    here = Path(__file__).parent
    names = ["peers", *sorted(path.stem for path in here.glob("*_metrics.py"))]
    found: dict[str, Metric] = {}
    for name in names:
        more = getattr(import_module(f"leadline.scoring.{name}"), "METRICS", {})
        assert not found.keys() & more.keys(), f"two metrics of one name in {name}"
        found |= more
    return found


def metric(name: str) -> Metric:
    """The metric of that name: (prediction, answers, row's extras as keywords) -> 0 to 1.

    Raises:
        UserError: there is none, with the nearest name.
    """
    every = _every()
    if name not in every:
        raise UserError(f"unknown metric {name!r}; {nearest(name, every)}")
    return every[name]


def metrics() -> dict[str, str]:
    """All metrics with one line of help each."""
    return {name: (f.__doc__ or "").strip().splitlines()[0] for name, f in _every().items()}


def score_file(path: str | Path, scorer: str | Metric | Scorer, *, rows: bool = False) -> dict[str, Any]:
    """Score a file of predictions.

    Args:
        path: JSON lines {"prediction", "answers": [...], "id"?, "task"?, "length"?, "classes"?, "question"?, "keyword"?,
            "model"?, "stop"?}; other names in `ALIASES` are read too. A row with "stop" other than "stop" is judged by it
            only where the scorer is a task's own.
        scorer: a metric's name, a metric, or (with `rows`) a function from a row to its Score, as tasks have.
        rows: whether `scorer` takes whole rows.

    Returns:
        {"score": mean over rows that count (None where none does), "n", "rows": [{"score", "audit", "id"?}]}.

    Raises:
        UserError: the file cannot be read, or a line of it, with its number.
    """
    name = Path(path).name
    one: Any = metric(scorer) if isinstance(scorer, str) else scorer
    out: list[dict[str, Any]] = []
    for number, row in read_rows(path):
        try:
            got = one(row) if rows else _by_metric(one, row)
        except UserError as error:
            raise UserError(f"{name}, line {number}: {error}") from None
        out.append({"score": got.value, "audit": got.audit, **({"id": row["id"]} if "id" in row else {})})
    values = [row["score"] for row in out if row["score"] is not None]
    return {"score": math.fsum(values) / len(values) if values else None, "n": len(values), "rows": out}


def _by_metric(one: Metric, row: Row) -> Score:
    """Metrics score whatever was said; only an empty reply is named as such (and a provider's fault, where the row has it)."""
    extras = {k: v for k, v in row.items() if k not in {"prediction", "answers"}}
    value = float(one(row["prediction"], row["answers"], **extras))
    audit: Any = "answered" if row["prediction"].strip() else "empty"
    ended = {"error": "provider error", "filter": "refused", "window": "over the window"}.get(str(row.get("stop", "stop")))
    if ended in NOT_ASKED:
        return Score(value=None, audit=ended)  # type: ignore[arg-type]
    return Score(value=value, audit=audit, extracted=row["prediction"])


def answer_of(row: Row) -> Answer:
    """A row's prediction as an answer, for scorers of tasks; `stop` and `thinking` are read where the row has them."""
    return Answer(text=row["prediction"], thinking=str(row.get("thinking", "")), stop=row.get("stop", "stop"))


def read_rows(path: str | Path) -> list[tuple[int, dict[str, Any]]]:
    """The rows of a file of predictions with their line numbers, under the names of `ALIASES`; blank lines are passed over.

    Raises:
        UserError: no such file, or a line that is no such row.
    """
    path = Path(path)
    if not path.exists() or path.is_dir():
        raise UserError(f"there is no file {str(path)!r}: give JSON lines with 'prediction' and 'answers'")
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        # Not `splitlines`: a reply may hold other signs that end a line, which JSON lets stand.
        lines = data.decode("utf-8-sig").split("\n")
    except (UnicodeDecodeError, OSError, EOFError, zlib.error) as error:
        why = f"byte {error.start}" if isinstance(error, UnicodeDecodeError) else str(error)
        raise UserError(f"{path.name} is not UTF-8 text ({why}): give JSON lines, plain or packed as .gz") from None
    out = [(number, _row(line, f"{path.name}, line {number}")) for number, line in enumerate(lines, 1) if line.strip()]
    if not out:
        raise UserError(f"{path.name} is empty: give JSON lines with 'prediction' and 'answers'")
    return out


def _row(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise UserError(f"{where}: not JSON ({error.msg} at column {error.colno}); each line must be one JSON object") from None
    if not isinstance(row, dict):
        raise UserError(f"{where}: a JSON object is needed, got {type(row).__name__}")
    for key, others in ALIASES.items():
        other = next((o for o in others if o in row), None)
        if key not in row and other is not None:
            row[key] = row[other]
    for key in ("prediction", "answers"):
        if key not in row:
            raise UserError(f"{where}: no {key!r} (nor {', '.join(ALIASES[key])}); it has: {', '.join(row) or 'nothing'}")
    if not isinstance(row["prediction"], str):
        raise UserError(f"{where}: 'prediction' must be text, got {json.dumps(row['prediction'])[:40]}")
    answers = row["answers"] if isinstance(row["answers"], list) else [row["answers"]]
    if not answers or not all(isinstance(a, str | int | float) and not isinstance(a, bool) for a in answers):
        raise UserError(f"{where}: 'answers' must be a list of texts, and not empty, got {json.dumps(row['answers'])[:40]}")
    row["answers"] = [str(a) for a in answers]
    return row
