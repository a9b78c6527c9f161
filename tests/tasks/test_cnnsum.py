"""CNNSum: both requests of each excerpt, ROUGE-L on words by jieba, stories made here event by event."""

import json

import pytest

from leadline import catalog
from leadline.data.chinese_stories import PLOT, sentences, story
from leadline.data.haystack import Builder
from leadline.nouns import Answer, UserError
from leadline.tasks.cnnsum import Cnnsum

from .fixtures._rows import write


def make(tmp_path, rows=({"context": "从前有一个人。", "summary": "他去了上海"},), name="cnnsum_L_16k.jsonl", **settings):
    write(tmp_path / name, rows)
    return Cnnsum(data=str(tmp_path), **settings)


@pytest.mark.parametrize(
    ("reply", "score"),
    [("他去了上海", 1.0), ("他去了北京", 0.75), ("上海了去他", 0.25), ("", 0.0), ("...", 0.0), ("无关", 0.0)],
)
def test_replies(tmp_path, reply, score):
    task = make(tmp_path)
    item = task.items(1)[0]
    assert task.score(item.answers, item, Answer(text=reply)).value == pytest.approx(score)


def test_each_excerpt_is_asked_both_ways(tmp_path, tokenizer):
    rows = [{"context": f"从前有{i}个人。", "summary": f"{i}"} for i in range(3)]
    items = make(tmp_path, rows).items(6)
    assert sorted(item.facets["request"] for item in items) == ["after"] * 3 + ["before"] * 3
    assert len({item.cluster for item in items}) == 3, "statistics resample excerpts"
    for item in items:
        content = Builder(tokenizer).build(item, 2000).messages[-1]["content"]
        request, excerpt, cue = content.index("写出"), content.index("从前有"), content.index("摘要：")
        assert (request < excerpt) == (item.facets["request"] == "before") and excerpt < cue and content.endswith("摘要：")
    assert {i.facets["request"] for i in make(tmp_path, rows, request="before").items(3)} == {"before"}


def test_scales_by_either_name(tmp_path):
    for name, scale, room in (("XXL_64k", "2XL", 500), ("2XL_64k", "2XL", 500), ("XL_32k", "XL", 400)):
        folder = tmp_path / name
        folder.mkdir()
        (item, _) = make(folder, name=f"cnnsum_{name}.jsonl", scale=scale).items(2)
        assert item.answer_tokens == room
    with pytest.raises(UserError, match="holds no cnnsum_XXXL_128k or cnnsum_3XL_128k"):
        Cnnsum(data=str(tmp_path), scale="3XL").items(1)


def test_a_story_made_here_is_checked_event_by_event():
    task = Cnnsum(data="made")
    item = task.items(1)[0]
    values, reference = item.meta["values"], item.answers[0]
    assert len(values) == 8 and all(value in event for value, event in zip(values, item.evidence, strict=True))

    def said(text):
        score = task.score(item.answers, item, Answer(text=text))
        return score.value, score.parts.get("ROUGE-L")

    assert said(reference) == (1, pytest.approx(1))
    assert said("".join(reversed(item.evidence)))[0] == 1, "in any order"
    assert said(f"他先到了{values[0]}，又见了{values[3]}。")[0] == 2 / 8, "in other words"
    assert said("很久以前。" * 8 + reference)[0] == 0, "sentences beyond those asked for do not count"
    assert said("很久以前。\n" * 4 + reference)[0] == 4 / 8
    assert said("很久以前。") == (0, pytest.approx(0, abs=0.2))
    half = said("".join(item.evidence[:4]))
    assert half[0] == 0.5 and 0.4 < half[1] < 0.8


def test_a_story_keeps_its_order_at_any_length(tokenizer):
    items = Cnnsum(data="made").items(20)
    assert len({i.answers for i in items}) == 10 and len({i.cluster for i in items}) == 10, "each story both ways"
    assert items[0].instruction != items[1].instruction and items[0].evidence == items[1].evidence
    for item in items[:4]:
        for length in (4096, 30_000):
            prompt = Builder(tokenizer).build(item, length)
            content = prompt.messages[-1]["content"]
            places = [content.index(event) for event in item.evidence]
            assert places == sorted(places) and 0.99 * length <= prompt.tokens <= length
            assert all(content.count(value) == 1 for value in item.meta["values"]), "said once"
            assert content.endswith("摘要：") and "最多8句话" in content


def test_values_of_a_story_differ():
    for index in range(300):
        told = story(index, len(PLOT), seed=3)
        assert len({told.person, *told.values}) == len(PLOT) + 1
        assert not any(a in b for a in told.values for b in told.values if a != b)
        assert all(event.startswith(told.person) for event in told.events)
    assert story(7, 4, 1) == story(7, 4, 1) != story(7, 4, 2)
    assert sentences("一。二！\n三？四") == ["一。", "二！", "三？", "四"]


def test_what_is_wrong_is_said(tmp_path):
    for settings, says in (
        ({"data": "made", "scale": "XL"}, "scale and longest are for published"),
        ({"data": "made", "events": 18}, "from 1 to 17"),
    ):
        with pytest.raises(UserError, match=says):
            Cnnsum(**settings)
    with pytest.raises(UserError, match="scale must be one of L, XL"):
        catalog.make("cnnsum(scale=M)", "tasks")
    with pytest.raises(UserError, match="noise must be one of none"):
        catalog.make("cnnsum(noise=prose-zh)", "tasks")
    with pytest.raises(UserError, match="line 1: no column 'summary'"):
        make(tmp_path, [{"context": json.dumps("x")}]).items(1)
