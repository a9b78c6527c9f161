"""Published formats read as they are published."""

import gzip
import json

import pytest

from leadline.data.published import read
from leadline.nouns import UserError

LONGBENCH = {
    "input": "Who?",
    "context": "Long text.",
    "answers": ["A", "B"],
    "all_classes": ["x", "y"],
    "dataset": "d",
    "_id": "7",
}
LEVAL = {"instructions": ["One?", "Two?"], "outputs": ["1", "2"], "input": "Doc.", "source": "s", "evaluation": "f1"}


def test_longbench_rows(shared):
    rows = read(str(shared / "data/longbench/passage_retrieval_zh.0-7.jsonl.gz"))
    assert len(rows) == 8 and all(r.answers[0].startswith("段落") and r.language == "zh" for r in rows)
    assert all(len(r.document) > 1000 and r.question and r.id for r in rows)


def test_leval_rows_are_clustered_by_document(shared):
    rows = read(str(shared / "data/leval/data.quality.jsonl.gz"))
    assert len(rows) == 202 and len({r.cluster for r in rows}) == 15 and len({r.id for r in rows}) == 202


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.jsonl.gz", "a.parquet"])
def test_every_file_kind_reads_alike(tmp_path, name):
    path = tmp_path / name
    if name.endswith("parquet"):
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist([LONGBENCH]), path)
    elif name == "a.json":
        path.write_text(json.dumps([LONGBENCH]))
    elif name.endswith("gz"):
        path.write_bytes(gzip.compress((json.dumps(LONGBENCH) + "\n\n").encode()))
    else:
        path.write_text(json.dumps(LONGBENCH) + "\n")
    (row,) = read(str(path))
    assert (row.document, row.question, row.answers, row.classes) == ("Long text.", "Who?", ("A", "B"), ("x", "y"))


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"context": "x", "answers": []}, "line 2: no column 'input'"),
        ({"instructions": ["a"], "outputs": [], "input": "x"}, "line 2: 1 instructions but 0 outputs"),
        ({"input": "x", "context": 3, "answers": []}, "must be a str"),
        ([1], "must be a JSON object"),
    ],
)
def test_wrong_rows_are_named(tmp_path, row, says):
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps(LEVAL) + "\n" + json.dumps(row) + "\n")
    with pytest.raises(UserError, match=says):
        read(str(path))


def test_wrong_files_are_named(tmp_path):
    (tmp_path / "a.jsonl").write_text("{\n")
    (tmp_path / "b.jsonl").write_text("")
    (tmp_path / "c.csv").write_text("x")
    (tmp_path / "d.parquet").write_text("x")
    (tmp_path / "e.jsonl.gz").write_text("x")
    says = {
        "a.jsonl": "line 1: not JSON",
        "b.jsonl": "no rows",
        "c.csv": "end in",
        "d.parquet": "not a Parquet",
        "e.jsonl.gz": "not text",
    }
    for name, text in says.items():
        with pytest.raises(UserError, match=text):
            read(str(tmp_path / name))
    for spec in ("missing.jsonl", "./x/y.jsonl", "x/y.jsonl", "word"):
        with pytest.raises(UserError, match="no data file"):
            read(spec)


def test_hub_files_and_sets(tmp_path, monkeypatch):
    import huggingface_hub

    path = tmp_path / "f.jsonl"
    path.write_text(json.dumps(LEVAL))
    asked = []
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *a, **k: asked.append((a, k)) or str(path))
    assert len(read("owner/name/data/f.jsonl@abc")) == 2
    assert asked == [(("owner/name", "data/f.jsonl"), {"repo_type": "dataset", "revision": "abc"})]
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets, "load_dataset", lambda name, config, split, revision: [LONGBENCH])
    assert read("owner/other:part@r1")[0].source == "d"
