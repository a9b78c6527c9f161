"""The journal: torn lines, full disks, two processes; and the Parquet file made from it."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from leadline.nouns import Record, UserError
from leadline.runs import journal, records
from leadline.runs.journal import Journal


def record(item: str = "a", **changes: object) -> Record:
    """A record with something in every kind of field."""
    values = {
        "cell": "c", "model": "m", "task": "needle", "length": 512, "base": False, "item": item, "cluster": "x", "prompt": "p",
        "sha": "s", "tokens": 500, "score": 0.5, "audit": "answered", "depths": (0.25, 0.5), "answers": ("é", "\u4e2d"),
        "answer": "line\nline\u2028\x00 \U0001f600", "prompt_tokens": None, "seconds": 0.1,
    }  # fmt: skip
    return Record(**values | changes)


def test_what_is_written_is_read(tmp_path):
    with Journal(tmp_path) as one:
        for item in "abc":
            one.append(record(item))
        one.append(record("b", score=None, audit="provider error"))
    found, notes, size = journal.read(tmp_path / journal.FILE)
    assert notes == [] and size == one.size == (tmp_path / journal.FILE).stat().st_size
    assert [r.item for r in found.values()] == ["a", "b", "c"] and found["c", "b"].audit == "provider error"
    assert found["c", "a"] == record("a")


@pytest.mark.parametrize("cut", [1, 20, 150])
def test_a_torn_last_line_is_dropped_and_told(cut, tmp_path):
    with Journal(tmp_path) as one:
        one.append(record("a"))
        one.append(record("b"))
    path = tmp_path / journal.FILE
    path.write_bytes(path.read_bytes()[:-cut])
    with Journal(tmp_path) as two:
        assert list(two.records) == [("c", "a")] and "torn" in two.notes[0]
        two.append(record("z"))
    assert list(journal.read(path)[0]) == [("c", "a"), ("c", "z")] and journal.read(path)[1] == []


def test_a_line_that_cannot_be_read_is_told_and_the_rest_kept(tmp_path):
    with Journal(tmp_path) as one:
        one.append(record("a"))
        one.append(record("b"))
    path = tmp_path / journal.FILE
    path.write_bytes(b'{"schema": 1, "cell": 3}\n\xff\xfe\n' + path.read_bytes())
    found, notes, _ = journal.read(path)
    assert len(found) == 2 and len(notes) == 2 and "line 1" in notes[0]


def test_a_later_schema_is_refused(tmp_path):
    line = json.dumps(dataclasses.asdict(record()) | {"schema": 99})
    (tmp_path / journal.FILE).write_text(line + "\n")
    with pytest.raises(UserError, match="upgrade"):
        Journal(tmp_path)
    records.write(tmp_path / records.FILE, [record()])
    table = pq.read_table(tmp_path / records.FILE)
    pq.write_table(table.replace_schema_metadata({"leadline_schema": "99"}), tmp_path / records.FILE)
    with pytest.raises(UserError, match="upgrade"):
        records.read(tmp_path / records.FILE)


def test_one_process_at_a_time(tmp_path):
    code = (
        "import sys; from pathlib import Path; from leadline.runs.journal import Journal\n"
        f"Journal(Path({str(tmp_path)!r})); print('in', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdin is not None
        assert other.stdout.readline() == "in\n"
        with pytest.raises(UserError, match="another process"):
            Journal(tmp_path)
        other.stdin.close()
        other.wait()
    Journal(tmp_path).close()


def test_a_full_disk_tears_nothing(tmp_path):
    """The limit on a file's size stands for the end of the disk."""
    code = f"""
import resource
from pathlib import Path
from leadline.nouns import UserError
from leadline.runs.journal import Journal
from tests_record import record
with Journal(Path({str(tmp_path)!r})) as one:
    one.append(record("a"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (one.size * 5 // 2, one.size * 5 // 2))
    one.append(record("b"))
    try:
        one.append(record("c"))
    except UserError as error:
        print(error)
"""
    (tmp_path / "tests_record.py").write_text(Path(__file__).read_text(encoding="utf-8"), encoding="utf-8")
    paths = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": paths})
    assert "The 2 samples finished so far are safe" in done.stdout, done.stderr
    found, notes, _ = journal.read(tmp_path / journal.FILE)
    assert [item for _, item in found] == ["a", "b"] and notes == []


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        Journal(tmp_path / "file" / "run")


def test_parquet_keeps_every_field(tmp_path):
    rows = [record("a"), record("b", score=None, prompt_tokens=3, prior=0.0, depths=(), base=True)]
    records.write(tmp_path / records.FILE, rows, 7)
    assert records.read(tmp_path / records.FILE) == rows
    assert pq.read_schema(tmp_path / records.FILE).metadata[b"leadline_schema"] == b"1"


def test_loading_prefers_what_is_newer(tmp_path):
    with Journal(tmp_path) as one:
        one.append(record("a"))
        records.write(tmp_path / records.FILE, [record("a", date="parquet")], one.size)
        assert [r.date for r in records.load(tmp_path)] == ["parquet"]
        one.append(record("b"))
    assert [r.item for r in records.load(tmp_path)] == ["a", "b"]
    (tmp_path / journal.FILE).unlink()
    assert [r.date for r in records.load(tmp_path, tmp_path)] == ["parquet"] * 2
    with pytest.raises(UserError, match="holds no run"):
        records.load(tmp_path / "nothing")
    (tmp_path / records.FILE).write_text("no parquet")
    with pytest.raises(UserError, match="not a file of records"):
        records.load(tmp_path)


def test_compaction_joins_what_was_asked_without_context():
    rows = [record("a", cell="bare", length=0, score=1.0), record("a"), record("b"), record("a", cell="old")]
    got = records.compact(rows, {"c": True, "bare": False})
    assert [(r.item, r.prior, r.base) for r in got] == [("a", 1.0, True), ("b", None, True)]
