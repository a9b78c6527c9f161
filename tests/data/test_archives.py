"""Files in zip archives, and the noise made of a data set's own texts."""

import json
import zipfile

import pytest

from leadline.data import published
from leadline.data.noise import open_noise
from leadline.data.published import read, rows_of
from leadline.nouns import UserError


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "data.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name in ("data/trec.jsonl", "data/trec_e.jsonl", "other/lcc.json", "data/notes.txt", "__MACOSX/data/trec.jsonl"):
            row = {"input": name, "context": "Text.", "answers": ["A"]}
            file.writestr(name, json.dumps([row] if name.endswith(".json") else row))
    return path


@pytest.mark.parametrize(
    ("member", "held"),
    [
        ("data/trec.jsonl", "data/trec.jsonl"),
        ("trec.jsonl", "data/trec.jsonl"),
        ("trec", "data/trec.jsonl"),
        ("data/trec_e", "data/trec_e.jsonl"),
        ("lcc", "other/lcc.json"),
    ],
)
def test_a_member_is_found_by_its_path_or_the_end_of_it(archive, member, held):
    (row,) = read(f"{archive}/{member}")
    assert row.question == held


def test_a_member_on_the_hub(archive, monkeypatch):
    asked = []
    monkeypatch.setattr(published, "_fetched", lambda *told: asked.append(told) or archive)
    assert [row["input"] for _, row in rows_of("owner/name/sub/data.zip/trec@v1")] == ["data/trec.jsonl"]
    assert asked == [("owner/name", "sub/data.zip", "v1")]


def test_what_is_wrong_with_an_archive_is_said(archive, tmp_path):
    with pytest.raises(
        UserError, match="holds no file 'nothing.jsonl'; it holds: data/trec.jsonl, data/trec_e.jsonl, other/lcc.json"
    ):
        list(rows_of(f"{archive}/nothing.jsonl"))
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("more/trec.jsonl", "{}")
    with pytest.raises(UserError, match="more than one file 'trec'"):
        list(rows_of(f"{archive}/trec"))
    (tmp_path / "bad.zip").write_text("no archive")
    with pytest.raises(UserError, match="cannot be read as a zip archive"):
        list(rows_of(f"{tmp_path}/bad.zip/trec.jsonl"))


def test_a_data_sets_own_texts_as_noise(tmp_path):
    path = tmp_path / "rows.jsonl"
    long = "\n\n".join(f"Part {i}. " + "Words of it. " * 60 for i in range(4))
    rows = [{"context": "Short one."}, {"context": "Short one."}, {"context": "Another."}, {"context": long}]
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    spec = f"rows(data='{path}')"
    found = open_noise(spec, 1).take(100)
    assert len(found) == 6 and {"Short one.", "Another."} < set(found), "each text once, long ones by their paragraphs"
    assert open_noise(spec, 1).take(2) == found[:2] and sorted(open_noise(spec, 2).take(100)) == sorted(found)
    for wrong, says in [
        (f"rows(data='{path}', column=text)", "line 1 has no text 'text'"),
        ("rows(column=context)", "write rows\\(data=FILE\\)"),
        (f"rows(data='{path}', unit=sentence)", "write rows\\(data=FILE\\)"),
    ]:
        with pytest.raises(UserError, match=says):
            open_noise(wrong).take(1)
