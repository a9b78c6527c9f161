"""LCFO: figures by hand, facts told and not told, targets and room at every length, published rows and the reader."""

import asyncio
import json
from dataclasses import replace

import pytest

from leadline import catalog
from leadline.data.haystack import Builder
from leadline.data.world import World
from leadline.nouns import Answer, UserError
from leadline.scoring import lcfo_metrics
from leadline.tasks import _chapters

from .conftest import specs_of


def test_figures_by_hand():
    assert lcfo_metrics.repetition("a b c d a b c d") == pytest.approx(0.2)
    assert lcfo_metrics.repetition("a b c") == 0
    source = "the cat sat on the mat and the dog slept"
    assert lcfo_metrics.overlap(source, source) == 1
    assert lcfo_metrics.overlap("the cat sat in the rain", source) == pytest.approx(1 / 4)
    text = " ".join(["word"] * 150)
    assert lcfo_metrics.word_ratio(text, 1000) == 0.15
    assert lcfo_metrics.length_error(text, 200) == 0.25


def test_facts_told():
    facts = [f for who in (1, 500) for f in World(0).facts("person", who) if f.relation in ("town", "pet")]
    (one, other) = (facts[0], facts[2])
    first, _, last = one.subject.split()
    for text, wanted in (
        (f"{one.text} {facts[1].text}", [True, True, False, False]),
        (f"{first} {last} came from {one.value}. There was also a {facts[1].value}.", [True, True, False, False]),
        (f"{last} was born in {one.value}; {other.subject} in {other.value}.", [True, False, True, False]),
        # The right values said of the wrong person.
        (f"{other.subject} was born in {one.value}.", [False, False, False, False]),
        (f"Somebody was born in {one.value}.", [False, False, False, False]),
        ("", [False, False, False, False]),
    ):
        assert _chapters.told(text, facts) == wanted, text


def test_chapters_tell_their_facts_in_order():
    for number in range(20):
        one = _chapters.chapter(number, 3)
        places = [one.text.find(fact.text) for fact in one.facts]
        assert places[0] == 0 and places == sorted(places)
        assert 200 <= len(one.text.split()) < 220
        for level, kept in _chapters.RANKS.items():
            assert len(one.summary(level).split()) <= 1.2 * level / 100 * 205 or level == 5
            assert one.summary(level).count(".") >= kept


def built(spec, tokenizer, length=6000, n=3):
    task = catalog.make(spec, "tasks")
    for item in task.items(n, seed=2):
        prompt = Builder(tokenizer).build(item, length, compose=task.compose if task.grows else None)
        yield task, replace(item, meta=prompt.meta, question=prompt.question), prompt


def test_targets_follow_the_length(tokenizer):
    targets = []
    for length in (2000, 4000, 16_000):
        for _, item, prompt in built("lcfo", tokenizer, length):
            words = len(prompt.messages[-1]["content"].rpartition("\n\n")[0].removeprefix(item.instruction).split())
            assert abs(words - item.meta["words"]) <= 1
            assert item.meta["target"] == round(item.meta["words"] * item.meta["level"] / 100)
            assert f"about {item.meta['target']} words" in prompt.question
            assert prompt.answer_tokens > 1.3 * item.meta["target"]
            targets.append(item.meta["target"])
    assert targets[0] > targets[1] > targets[2] and targets[8] > 3 * targets[5]


@pytest.mark.parametrize("level", [5, 10, 20])
def test_a_summary_is_worth_the_facts_of_its_level(level, tokenizer):
    task, item, prompt = next(built(f"lcfo(level={level})", tokenizer))
    n = item.meta["n"]
    chapters = [_chapters.chapter(item.meta["first"] + i, item.meta["seed"]) for i in range(n)]
    keys = " ".join(c.facts[0].text for c in chapters)
    score = task.score(prompt.answers, item, Answer(text=keys))
    assert score.value == pytest.approx(1 / _chapters.RANKS[level])
    assert score.parts["facts of 5 %"] == 1 and score.parts["facts of 20 %"] == pytest.approx(0.25)
    assert score.parts["overlap"] > 0.5 and score.parts["repetition"] < 0.2
    half = " ".join(c.summary(level) for c in chapters[: n // 2])
    assert task.score(prompt.answers, item, Answer(text=half)).value == pytest.approx((n // 2) / n)
    gold = task.score(prompt.answers, item, Answer(text=task.gold(prompt.answers, item)))
    assert gold.value == 1 and gold.parts["rouge-l"] == 1 and gold.parts["length error"] < 0.5


def test_copying_the_text_is_not_a_summary(tokenizer):
    task, item, prompt = next(built("lcfo(level=10)", tokenizer, length=8000))
    content = prompt.messages[-1]["content"].rpartition("\n\n")[0]
    score = task.score(prompt.answers, item, Answer(text=content))
    assert score.value < 0.3
    assert score.parts["word ratio"] == pytest.approx(1, abs=0.02) and score.parts["overlap"] > 0.98


def test_expansion_needs_facts_and_length(tokenizer):
    for task, item, prompt in built("lcfo(kind=expansion)", tokenizer, length=5000):
        summary = item.answers[0] or prompt.answers[0]
        assert item.meta["target"] == round(item.meta["words"] * 100 / item.meta["level"])
        short = task.score(prompt.answers, item, Answer(text=summary))
        assert short.value == pytest.approx(item.meta["level"] / 100, rel=0.05)
        assert short.parts[f"facts of {item.meta['level']} %"] == 1
        empty_words = " ".join(["so"] * item.meta["target"])
        assert task.score(prompt.answers, item, Answer(text=empty_words)).value == 0
        gold = task.gold(prompt.answers, item)
        assert task.score(prompt.answers, item, Answer(text=gold)).value == 1
        assert prompt.answer_tokens >= len(tokenizer.ids(gold))


def test_published_rows():
    spec = next(s for s in specs_of("lcfo") if "data" in s and "expansion" not in s)
    items = catalog.make(spec, "tasks").items(18)
    # Two of eight documents have no source; three levels of the others.
    assert len(items) == 18 and {i.facets["level"] for i in items} == {
        "20 %",
        "10 %",
        "5 %",
    }
    assert len({i.cluster for i in items}) == 6
    item = items[0]
    assert item.meta["target"] == round(len(item.evidence[0].split()) * item.meta["level"] / 100)
    assert bool(item.meta["questions"]) == (item.meta["level"] != 5)
    with pytest.raises(UserError, match="makes 18 items"):
        catalog.make(spec, "tasks").items(19)
    expansion = catalog.make(spec.replace(")", ", kind=expansion)"), "tasks").items(24)
    assert {i.meta["target"] > i.meta["words"] for i in expansion} == {True}
    bare = next(i for i in expansion if not i.meta["reference"])
    task = catalog.make(spec.replace(")", ", kind=expansion)"), "tasks")
    assert task.score(bare.answers, bare, Answer(text=bare.evidence[0])).value == 1


def reader(*replies):
    asked = []

    async def ask(text, max_tokens):
        asked.append(text)
        return replies[min(len(asked), len(replies)) - 1]

    return {"reader": ask}, asked


def judge(replies, questions=(("Who?", "Ada"), ("Where?", "Alder"))):
    spec = next(s for s in specs_of("lcfo") if "data" in s and "expansion" not in s)
    task = catalog.make(spec, "tasks")
    item = next(i for i in task.items(18) if i.meta["level"] == 20)
    item = replace(item, meta={**item.meta, "questions": [list(q) for q in questions]})
    ask, asked = reader(*replies)
    return asyncio.run(task.judged(item.answers, item, Answer(text="Ada was there."), ask)), asked


def test_the_reader_counts_answered_questions():
    score, asked = judge([Answer(text="Yes."), Answer(text="No, it cannot.")])
    assert (score.value, score.parts["questions answered"], score.parts["questions judged"]) == (0.5, 0.5, 1)
    assert "Question: Who?" in asked[0] and "Right answer: Alder" in asked[1]
    assert score.parts["rouge-l"] >= 0


def test_an_unreadable_reader_is_asked_again_and_then_left_out():
    score, asked = judge([Answer(text="hm"), Answer(text="yes"), Answer(text="hm")])
    assert len(asked) == 4
    assert (score.value, score.parts["questions judged"]) == (1, 0.5)
    score, asked = judge([Answer(stop="error", error="500")])
    assert (score.value, score.audit, len(asked)) == (None, "provider error", 4)
    score, asked = judge([Answer(text="yes")], questions=())
    assert score.value is not None and not asked


@pytest.mark.parametrize(
    ("row", "more", "says"),
    [
        ({"a": 1}, "", "neither a source nor a summary was found; this row has: a"),
        ({"source": "", "summary_5": "x"}, "", "1 of its rows have no source text"),
        ({"source": "x", "long": "y"}, ", columns='summary20=lang'", "no column 'lang' for the summary20"),
        ({"source": "x", "summary_5": "y", "questions": [{"q": 1}]}, "", "a question must be an object"),
        ({"source": "x", "summary_5": "y"}, ", level=20", "nothing to ask for in kind=summary, level=20"),
    ],
)
def test_data_that_are_wrong(tmp_path, row, more, says):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(row))
    with pytest.raises(UserError, match=says):
        catalog.make(f"lcfo(data={str(path)!r}{more})", "tasks").items(1)


def test_own_columns(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"body": "one two three four five", "short": "one two"}))
    task = catalog.make(f"lcfo(data={str(path)!r}, columns='source=body,summary20=short')", "tasks")
    item = task.items(1)[0]
    assert (item.evidence, item.answers, item.meta["target"]) == (("one two three four five",), ("one two",), 1)


def test_without_its_context_nothing_is_known(tokenizer):
    task = catalog.make("lcfo", "tasks")
    item = task.items(1)[0]
    prompt = Builder(tokenizer).bare(item)
    score = task.score(prompt.answers, item, Answer(text="Some words."))
    assert (score.value, dict(score.parts)) == (0, {})
