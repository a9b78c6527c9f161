"""The registry is the folder, and a spec has one spelling."""

import sys

import pytest

from leadline import catalog
from leadline.catalog import Spec, parse, parse_list
from leadline.nouns import UserError


@pytest.mark.parametrize(
    "text", ["a", "a(x=1)", "a(x=0.5, y=word)", "a(path=/some/where.txt)", "a(s='two words', t=None)", "a-b(c=[1, 2])"]
)
def test_spelling_reads_back(text):
    assert str(parse(str(parse(text)))) == str(parse(text))


def test_words_and_numbers_are_told_apart():
    assert parse("a(x=1, y=1.5, z=true, w=word, v='1')").settings == {"x": 1, "y": 1.5, "z": True, "w": "word", "v": "1"}
    assert str(Spec("a", {"v": "1"})) == "a(v='1')"


def test_lists_split_outside_brackets():
    assert [s.name for s in parse_list("a(x=1,y=2), b")] == ["a", "b"]
    assert [s.name for s in parse_list("a(x='p+q') + b", "+")] == ["a", "b"]


@pytest.mark.parametrize("text", ["", "a(", "a(x)", "a(x=1", "a(x=1, x=2)", "a)b", "(x=1)"])
def test_nonsense_is_refused(text):
    with pytest.raises(UserError):
        parse(text)


def test_listing_imports_nothing():
    before = set(sys.modules)
    catalog.entries.cache_clear()
    assert "needle" in catalog.entries("tasks")
    new = {m for m in set(sys.modules) - before if m.startswith("leadline.tasks")}
    assert not new


def test_a_users_own_file_is_a_plugin(tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text(
        '"""My own task."""\nfrom dataclasses import dataclass\nfrom leadline.tasks.needle import Needle\n\n'
        "@dataclass(frozen=True, kw_only=True)\nclass Mine(Needle):\n    extra: int = 1\n"
    )
    task = catalog.make(f"{mine}(extra=2)", "tasks")
    assert task.extra == 2
    assert len(task.items(3)) == 3
    with pytest.raises(UserError, match="no file"):
        catalog.make("./nowhere.py", "tasks")


def test_unknown_names_get_the_nearest():
    with pytest.raises(UserError, match="did you mean 'needle'"):
        catalog.make("neddle", "tasks")
    with pytest.raises(UserError, match="no room"):
        catalog.entries("kitchen")


def test_the_readmes_task_works(tmp_path, tokenizer):
    from pathlib import Path

    from leadline.data.haystack import Builder
    from leadline.nouns import Answer

    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    file = tmp_path / "opening_hours.py"
    file.write_text(readme.partition("```python\n")[2].partition("```")[0])
    task = catalog.make(str(file), "tasks")
    for item in task.items(5):
        prompt = Builder(tokenizer).build(item, 512)
        assert task.score(prompt.answers, item, Answer(text=f"At {prompt.answers[0]} o'clock.")).value == 1
