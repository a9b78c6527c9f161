"""CNNSum: both requests of each excerpt, ROUGE-L on words by jieba."""

import json

import pytest

from leadline import catalog
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


def test_what_is_wrong_is_said(tmp_path):
    with pytest.raises(UserError, match="scale must be one of L, XL"):
        catalog.make("cnnsum(scale=M)", "tasks")
    with pytest.raises(UserError, match="noise must be one of none"):
        catalog.make("cnnsum(noise=prose-zh)", "tasks")
    with pytest.raises(UserError, match="line 1: no column 'summary'"):
        make(tmp_path, [{"context": json.dumps("x")}]).items(1)
