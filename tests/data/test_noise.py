"""Noise comes by the unit, from what the user named, and mistakes are said clearly."""

import pytest

from leadline.data.noise import open_noise, read_text, sentences, units
from leadline.nouns import UserError


@pytest.mark.parametrize("spec", ["prose", "records", "passages", "prose-zh", "records-zh"])
def test_generated_streams_are_stable(spec):
    source = open_noise(spec, 3)
    assert source.take(700)[:20] == source.take(20) and len(source.take(700)) == 700
    assert open_noise(spec, 4).take(20) != source.take(20)


def test_sentences_are_cut_where_they_end():
    text = 'Mr. Smith came. "Did he?" asked J. Doe.  He\nsaid 3.5 and e.g. this! 今日は雨。明日は晴れ。'
    assert sentences(text) == [
        "Mr. Smith came.",
        '"Did he?" asked J. Doe.',
        "He said 3.5 and e.g. this!",
        "今日は雨。",
        "明日は晴れ。",
    ]


def test_long_units_are_cut():
    assert all(len(u) <= 1000 for u in units(["word " * 3000, "x" * 5000], "sentence"))
    assert "".join(units(["x" * 5000], "paragraph")) == "x" * 5000


def test_files_and_folders(tmp_path):
    (tmp_path / "a.txt").write_text("One here. Two\nthere.\n\nThree.")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/b.txt").write_text("Four.")
    assert open_noise(f"file(path={str(tmp_path / 'a.txt')!r})").take(9) == ["One here.", "Two there.", "Three."]
    assert open_noise(f"folder(path={str(tmp_path)!r})").take(9)[-1] == "Four."
    paragraphs = open_noise(f"file(path={str(tmp_path / 'a.txt')!r}, unit=paragraph)")
    assert paragraphs.take(9) == ["One here. Two\nthere.", "Three."] and paragraphs.join == "\n\n"


def test_real_text(shared):
    source = open_noise(f"file(path={str(shared / 'data/haystack-text/little-colonels-hero.txt.gz')!r})")
    found = source.take(10**6)
    assert 3000 < len(found) < 8000 and sum(map(len, found)) > 300_000


def test_hub_rows(monkeypatch):
    datasets = pytest.importorskip("datasets")
    asked = {}

    def load(name, config, **how):
        asked.update(how, name=name, config=config)
        return [{"text": "One. Two."}, {"text": "Three."}]

    monkeypatch.setattr(datasets, "load_dataset", load)
    assert open_noise("hub(name=owner/set, split=test, revision=r)").take(5) == ["One.", "Two.", "Three."]
    assert asked == {"name": "owner/set", "config": None, "split": "test", "revision": "r", "streaming": True}
    with pytest.raises(UserError, match="no text column 'body'; it has: text"):
        open_noise("hub(name=owner/set, column=body)")


def test_mistakes_are_named(tmp_path):
    for name, data, says in [("e.txt", b" \n", "empty"), ("b.txt", b"a\0b", "binary"), ("x.txt", b"\xff\xfe\x00", "not text")]:
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UserError, match=says):
            read_text(tmp_path / name)
    (tmp_path / "none").mkdir()
    wrong = {
        "pros": "did you mean 'prose'",
        "prose(x=1)": "no settings",
        "file": "path",
        "file(path=/missing.txt)": "no file",
        "file(path=/missing.txt, unit=word)": "sentence or paragraph",
        "file(pth=/missing.txt)": "pth",
        "folder(path=/missing)": "no folder",
        f"folder(path={str(tmp_path / 'none')!r})": "no file like",
    }
    for spec, says in wrong.items():
        with pytest.raises(UserError, match=says):
            open_noise(spec)
