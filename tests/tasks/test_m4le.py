"""M4LE: its rules for replies, the conversion of three toy sets and of the invented world over five abilities."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from leadline import catalog
from leadline.data import lexicon
from leadline.data.haystack import Builder
from leadline.nouns import Answer, UserError
from leadline.scoring import m4le_metrics
from leadline.tasks import _mixed
from leadline.tasks.m4le_span import KINDS

from .conftest import specs_of


@pytest.mark.parametrize(
    ("task", "reply", "answers", "worth"),
    [
        ("nq-open", "it is paris indeed\nno", ["Paris"], 1),
        ("nq-open", "I do not know. Paris", ["Paris"], 0),
        ("nq-open", "nothing", ["no"], 1),
        ("wow", "A1B2C3, or another", ["a1b2c3"], 1),
        ("mnds-news_semantic-multiple", "3 articles", ["3."], 0),
        ("mnds-news_semantic-multiple", "3.", ["3."], 1),
        ("thucnews_semantic-multiple", "3。共三篇", ["3。"], 1),
        ("marc", "A1, C3, D4.", ["A1,B2,C3."], 2 / 3),
        ("mnds-news_explicit-multiple", "A1, B2. These two", ["A1, B2"], 1),
        ("mnds-news_explicit-multiple", "A1, B2", ["A1, B2."], 0.5),
        ("thucnews_explicit-multiple", "A1，B2。", ["A1，B2"], 1),
        # As released, the answers of this set end in a full stop that is not cut off.
        ("online-shopping", "A1，B2。", ["A1，B2。"], 0.5),
        ("wikitext-103", "c29bd6.", ["C29BD6"], 1),
        ("bigpatent_global_cls", "3: chemistry", ["3"], 1),
        ("arxiv", "a b c d e f", ["a b x"], 2 / 3),
        ("arxiv", "a a b", ["a a c"], 0.5),
        ("arxiv", "a b\nc", ["c"], 0),
        ("arxiv", "a b", ["a b", "."], 0),
        ("news2016", '他说"北京很长"对', ["北京很长"], 1),
    ],
)
def test_rules(task, reply, answers, worth):
    assert m4le_metrics.METRICS[f"m4le/{task}"](reply, answers) == pytest.approx(worth)


def test_english_recall_equals_the_package():
    rouge = pytest.importorskip("rouge").Rouge()
    for said, truth in (("the cat sat. on a mat", "a cat sat on the mat. it sat"), ("b a c a", "a b a"), ("x. y", "y. x. y")):
        wanted = rouge.get_scores(hyps=said, refs=truth)[0]["rouge-l"]["r"]
        assert m4le_metrics.recall_english(said, truth) == pytest.approx(wanted)


def built(spec, tokenizer, length=3000, n=3, seed=3):
    task = catalog.make(spec, "tasks")
    for item in task.items(n, seed=seed):
        prompt = Builder(tokenizer).build(item, length, compose=task.compose if task.grows else None)
        yield task, replace(item, meta=prompt.meta), prompt, prompt.messages[-1]["content"]


def data_of(name):
    spec = next(s for s in specs_of("m4le-span") if f"{name}.jsonl" in s)
    path = Path(re.search(r"data='(.+?)'", spec)[1])
    return path, [json.loads(line) for line in path.read_text().splitlines()]


def articles(content):
    return dict(re.findall(r"(?m)^Article ([0-9A-F]{6}): (.+)$", content))


@pytest.mark.parametrize("kind", KINDS)
def test_classes_of_a_labelled_set(kind, tokenizer):
    path, rows = data_of("topics")
    label = {row["text"]: row["label"] for row in rows}
    for task, item, prompt, content in built(f"m4le-span(kind={kind}, data={str(path)!r})", tokenizer, n=4):
        texts = articles(content)
        asked = content.rpartition("\n\n")[2]
        if kind == "global":
            parts = [label[line] for line in content.splitlines() if line in label]
            counts = {one: parts.count(one) for one in set(parts)}
            assert max(counts, key=counts.get) == prompt.answers[0] and counts[prompt.answers[0]] * 2 == len(parts) + 1
        elif kind == "explicit-single":
            named = re.search(r"article ([0-9A-F]{6})", asked)[1]
            assert label[texts[named]] == prompt.answers[0]
            assert len(texts) == prompt.meta["texts"] > 20
        elif kind == "semantic-single":
            head = re.search(r"text ends: (.+)", asked)[1]
            assert f"{head} {texts[prompt.answers[0]]}" in label
        elif kind == "explicit-multiple":
            wanted = re.search(r"class '(\w+)'", asked)[1]
            assert {i for i, text in texts.items() if label[text] == wanted} == set(prompt.answers)
            assert len(prompt.answers) == 3
        else:
            wanted = re.search(r"class '(\w+)'", asked)[1]
            assert sum(label[text] == wanted for text in texts.values()) == int(prompt.answers[0])
        assert task.score(prompt.answers, item, Answer(text=task.gold(prompt.answers, item))).value == 1


@pytest.mark.parametrize("kind", KINDS)
def test_questions_of_a_set(kind, tokenizer):
    path, _ = data_of("boxes")
    for task, item, prompt, content in built(f"m4le-span(kind={kind}, data={str(path)!r})", tokenizer):
        asked = content.rpartition("\n\n")[2]
        boxes = re.findall(r"box (\d+) hold\?", asked)
        assert len(boxes) == (3 if "multiple" in kind else 1)
        for i, box in enumerate(boxes):
            assert content.count(f"The box {box} holds {1000 + int(box)} coins.") == 1
            assert prompt.answers[i] == str(1000 + int(box))
        if kind.startswith("explicit"):
            for name, box in re.findall(r"article ([0-9A-F]{6}) .*?box (\d+) hold", asked):
                assert f"box {box} holds" in articles(content)[name]
        assert ("Article" in content) == (kind != "global")
        assert task.score(prompt.answers, item, Answer(text=task.gold(prompt.answers, item))).value == 1


def test_several_answers_are_graded_line_by_line(tokenizer):
    path, _ = data_of("boxes")
    task, item, prompt, _ = next(built(f"m4le-span(kind=explicit-multiple, data={str(path)!r})", tokenizer))
    one, two, three = prompt.answers
    for reply, worth in (
        (f"1. {one}\n2. {two} coins\n3. {three}", 1),
        (f"{two}\n{one}\n{three}", 1 / 3),
        (f"{one}, {two}", 2 / 3),
        ("nothing", 0),
    ):
        assert task.score(prompt.answers, item, Answer(text=reply)).value == pytest.approx(worth)


def test_lists_of_ids_are_sets(tokenizer):
    path, _ = data_of("topics")
    task, item, prompt, _ = next(built(f"m4le-span(kind=explicit-multiple, data={str(path)!r})", tokenizer))
    one, two, three = prompt.answers
    for reply, worth in ((f"{three}, {one} and **{two}**.", 1), (f"{one}, {two}, AB12CD", 2 / 3), (f"{one} {one}", 0.5)):
        assert task.score(prompt.answers, item, Answer(text=reply)).value == pytest.approx(worth)
    assert task.score(prompt.answers, item, Answer(text="none of them")).audit == "format not found"
    peer = replace(task, peer=True)
    assert peer.score(prompt.answers, item, Answer(text=f"{three}, {one} and {two}.")).value == pytest.approx(0.4)


def test_chinese(tokenizer):
    path, rows = data_of("zh")
    label = {row["text"]: row["label"] for row in rows}
    for kind in KINDS:
        for task, item, prompt, content in built(
            f"m4le-span(kind={kind}, data={str(path)!r}, language=zh)", tokenizer, length=6000, n=2
        ):
            texts = dict(re.findall(r"(?m)^文章([0-9A-F]{6})：(.+)$", content))
            if kind == "semantic-multiple":
                wanted = re.search(r"属于“(.+?)”类", content.rpartition("\n\n")[2])[1]
                assert sum(label[text] == wanted for text in texts.values()) == int(prompt.answers[0])
            assert not re.search("[A-Za-z]{7}", content)
            gold = task.gold(prompt.answers, item)
            reply = f"答案是：{gold}。" if kind != "semantic-multiple" else gold
            assert task.score(prompt.answers, item, Answer(text=reply)).value == 1


def test_halves():
    assert _mixed.halves("One is here. Two is there. Three.") in (
        ("One is here.", "Two is there. Three."),
        ("One is here. Two is there.", "Three."),
    )
    assert _mixed.halves("one two three four") == ("one two", "three four")
    assert _mixed.halves("天气好。下雨了。") == ("天气好。", "下雨了。")
    assert "".join(_mixed.halves("天气很好")) == "天气很好"


def passages(content):
    return dict(re.findall(r"(?ms)^Passage (\d+):\n(.+?)(?=\n\n)", content))


def test_the_invented_world_over_five_abilities(tokenizer):
    for *_, prompt, content in built("m4le-span(kind=explicit-multiple, task=classes)", tokenizer, n=4):
        job = re.search(r"works as a (\w+), with commas", content)[1]
        assert {n for n, text in passages(content).items() if f"works as a {job}" in text} == set(prompt.answers)
    for *_, prompt, content in built("m4le-span(kind=semantic-multiple, task=classes)", tokenizer, n=6):
        job = re.search(r"works as a (\w+)\? Answer", content)[1]
        assert sum(f"works as a {job}." in text for text in passages(content).values()) == int(prompt.answers[0])
    for _, item, prompt, content in built("m4le-span(kind=semantic-single, task=classes)", tokenizer, n=4):
        assert passages(content)[prompt.answers[0]] == item.evidence[0]
    for _, item, prompt, content in built("m4le-span(kind=global, task=classes)", tokenizer, n=6):
        words = re.findall(r"\w+", content.rpartition("\n\n")[0])
        counts = {name: words.count(name) for name in item.meta["labels"]}
        assert sorted(counts.values()) == [2, 3, 5] and counts[prompt.answers[0]] == 5
        assert set(counts) <= set(lexicon.ANIMALS)
    for *_, prompt, content in built("m4le-span(kind=explicit-single)", tokenizer, n=6):
        number = re.search(r"Passage (\d+) is about an? (\w+)\.", content)[1]
        assert re.search(rf"(?<!\w){re.escape(prompt.answers[0])}(?!\w)", passages(content)[number])


def test_the_benchmarks_own_rows(tokenizer):
    path, rows = data_of("nq-open")
    for task, item, prompt, content in built(f"m4le-span(data={str(path)!r})", tokenizer, length=400):
        (row,) = [r for r in rows if f"is {r['answers'][0]}." in content]
        assert content.replace("\n\n", "\n") == f"{row['instruction']}\n{row['input']}"
        assert item.facets == {"bucket": "1000"}
        assert task.natural and not task.grows
        assert task.score(prompt.answers, item, Answer(text=f"It is {row['answers'][0]} I think\nno")).value == 1


def test_the_suite_stands_for_ten():
    members = catalog.expand(catalog.parse("m4le"), "tasks")
    assert len({str(m) for m in members}) == 10
    assert {catalog.make(m, "tasks").kind for m in members} == set(KINDS)


def test_chance_follows_the_classes():
    path, _ = data_of("topics")
    data = f"data={str(path)!r}"
    assert catalog.make(f"m4le-span(kind=explicit-single, {data})", "tasks").chance == 1 / 5
    assert catalog.make(f"m4le-span(kind=semantic-single, {data})", "tasks").chance == 0


@pytest.mark.parametrize(
    ("name", "text", "more", "says"),
    [
        ("a.jsonl", '{"review": "x", "stars": 1}', "", "no text was found|no label was found"),
        ("a.jsonl", '{"text": "x", "label": 1}', "", "holds one row"),
        ("a.jsonl", '{"text": "x", "label": 1}', ", columns='words=x'", "columns are written as in"),
        ("odd.jsonl", '{"instruction": "a", "input": "b", "answers": ["c"]}', "", "no rule scores rows of 'odd'"),
        ("arxiv.jsonl", '{"instruction": "a", "input": "b", "answers": []}', "", "must not be empty"),
    ],
)
def test_data_that_are_wrong(tmp_path, name, text, more, says):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(UserError, match=says):
        catalog.make(f"m4le-span(data={str(path)!r}{more})", "tasks").items(1)


def test_settings_that_are_wrong():
    with pytest.raises(UserError, match="speaks English"):
        catalog.make("m4le-span(language=zh)", "tasks")
    with pytest.raises(UserError, match="explicit-single, semantic-single"):
        catalog.make("m4le-span(kind=explicit)", "tasks")
