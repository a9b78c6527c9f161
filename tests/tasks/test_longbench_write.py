import asyncio
import gzip
import json

import pytest

from leadline import catalog
from leadline.data.haystack import Builder
from leadline.nouns import Answer, UserError
from leadline.scoring.writing_metrics import METRICS, length_score, written
from leadline.tasks import longbench_write
from leadline.tasks.longbench_write import DIMENSIONS, LongbenchWrite


def test_length_scores_equal_the_peers(shared):
    cases = json.loads((shared / "data/longbench-write/length_score.json").read_text())["cases"]
    assert len(cases) >= 40
    for case in cases:
        assert 100 * length_score(case["required"], case["produced"]) == pytest.approx(case["S_l"], abs=1e-6), case


@pytest.mark.parametrize(
    ("required", "produced", "percent"),
    [
        (1000, 1000, 100), (1000, 2000, 66.667), (1000, 4000, 0), (1000, 500, 50), (1000, 334, 0.2994), (1000, 333, 0),
        (200, 650, 25), (500, 400, 87.5), (10000, 5200, 53.846), (1000, 0, 0),
    ],
)  # fmt: skip
def test_length_scores_of_the_sheet(required, produced, percent):
    assert 100 * length_score(required, produced) == pytest.approx(percent, abs=1e-3)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("don't", 2), ("well-known", 2), ("COVID19 and 2024", 1), ("一二三", 3), ("写Word文", 2), ("写 Word 文", 3), ("", 0),
        ("snake_case", 0), ("a b\nc", 3),
    ],
)  # fmt: skip
def test_words_are_counted_as_the_authors_do(text, count):
    assert written(text) == count


def test_published_requests_load(shared):
    folder = shared / "data/longbench-write"
    rows = [json.loads(line) for line in gzip.open(folder / "longbench_write.jsonl.gz", "rt")]
    items = []
    # One Chinese request asks for an English text.
    for language, n in (("en", 59), ("zh", 61)):
        items += catalog.make(
            f"longbench-write(data='{folder / 'longbench_write.jsonl.gz'}', language={language})", "tasks"
        ).items(n)
    assert sorted(item.question for item in items) == sorted(row["prompt"] for row in rows)
    assert sorted(int(item.answers[0]) for item in items) == sorted(row["length"] for row in rows)
    assert all(item.evidence == () and item.instruction == "" for item in items), "asked alone"
    assert {item.facets["asked for"] for item in items} == {
        "under 500",
        "under 2,000",
        "under 4,000",
        "under 20,000",
        "20,000 and more",
    }
    ruler = catalog.make(f"longbench-write(data='{folder / 'longwrite_ruler.jsonl.gz'}')", "tasks").items(24)
    assert max(item.answer_tokens for item in ruler) == 32_768


def marks(mark, **changed):
    return json.dumps({"Analysis": "fine {text}", **dict.fromkeys(DIMENSIONS, mark), **changed})


def ask_with(*replies):
    left = list(replies)

    async def ask(text, max_tokens=None):
        ask.asked.append(text)
        return left.pop(0) if len(left) > 1 else left[0]

    ask.asked = []
    return {"judge": ask}


def judged(task, item, text, ask):
    return asyncio.run(task.judged(item.answers, item, Answer(text=text), ask))


@pytest.mark.parametrize(("mark", "quality"), [(5, 1), (3, 0.5), (1, 0)])
def test_quality_is_the_mean_of_six_marks(mark, quality):
    task = LongbenchWrite(words=100)
    item = task.items(1)[0]
    got = judged(task, item, "word " * 50, ask_with(Answer(text=f"```json\n{marks(mark)}\n```")))
    assert (got.parts["quality"], got.parts["length_score"], got.value) == (quality, 0.5, (0.5 + quality) / 2)
    assert got.parts["breadth and depth"] == quality and got.parts["written"] == 50


def test_a_judge_that_cannot_be_read_gives_no_score():
    task = LongbenchWrite(words=100)
    item = task.items(1)[0]
    text = "word " * 100
    gap = Answer(text=json.dumps({k: v for k, v in json.loads(marks(4)).items() if k != "Clarity"}))
    for bad in (
        gap,
        Answer(text=marks(6)),
        Answer(text="5 of 5"),
        Answer(text=marks(3, Clarity="good")),
        Answer(stop="error", error="500"),
    ):
        ask = ask_with(bad, Answer(text=marks(5)))
        assert judged(task, item, text, ask).value == 1 and len(ask["judge"].asked) == 2, "asked again"
        got = judged(task, item, text, ask_with(bad))
        assert (got.value, got.audit, got.parts["length_score"]) == (None, "provider error", 1)
    request = item.evidence[0]
    ask = ask_with(Answer(text=marks(5)))
    judged(task, item, text, ask)
    assert request in ask["judge"].asked[0] and text.strip() in ask["judge"].asked[0]
    empty = judged(task, item, " ", ask)
    assert (empty.value, empty.audit) == (0, "empty")


def test_the_length_asked_for_follows_the_room(tokenizer):
    for language in ("en", "zh"):
        task, builder, sizes = LongbenchWrite(language=language), Builder(tokenizer), []
        item = task.items(1)[0]
        for length in (1024, 4096, 32768):
            prompt = builder.build(item, length, compose=task.compose)
            sizes.append(int(prompt.answers[0]))
            assert str(sizes[-1]) in prompt.messages[-1]["content"]
            assert 0.8 * prompt.answer_tokens <= 2 * sizes[-1] <= prompt.answer_tokens
        assert sizes == sorted(set(sizes))


def test_requests_are_of_seven_types_in_two_languages():
    for language in ("en", "zh"):
        items = LongbenchWrite(words=200, language=language).items(7)
        assert len({item.facets["type"] for item in items}) == 7
        assert all(longbench_write._chinese({"prompt": item.evidence[0]}) == (language == "zh") for item in items)
    gold = LongbenchWrite(words=200, language="zh")
    item = gold.items(1)[0]
    assert written(gold.gold(item.answers, item)) == 200


def test_a_report_is_worth_its_length_and_the_facts_it_states(tokenizer):
    task = LongbenchWrite(documents=3, words=300)
    item = task.items(1)[0]
    facts = item.meta["facts"]
    assert (len(facts), len(item.evidence), task.roles, task.natural, task.grows) == (15, 3, {}, False, False)
    assert all(name in item.question for name in item.avoid) and "about 300 words" in item.question

    def said(text):
        return task.score(item.answers, item, Answer(text=text))

    gold = task.gold(item.answers, item)
    assert written(gold) == 300 and said(gold).value == 1
    five = said("so " * (300 - written(" ".join(facts[:5]))) + ", ".join(facts[:5]))
    assert (five.value, five.parts["coverage"], five.parts["length_score"]) == ((1 + 5 / 15) / 2, 5 / 15, 1)
    short = said(" ".join(facts))
    assert short.parts["coverage"] == 1 and short.value == (1 + short.parts["length_score"]) / 2 < 0.6
    assert said("so " * 300).value == 0.5 and said(" ").value == 0
    for length in (task.minimum, 20_000):
        prompt = Builder(tokenizer).build(item, length)
        assert all(text in prompt.messages[-1]["content"] for text in item.evidence)
        assert 0.99 * length <= prompt.tokens <= length and prompt.answers == ("300",)


def test_facts_of_a_report_fit_its_words():
    """`STATED` holds for every document drawn, so that a report can be right."""
    for item in LongbenchWrite(documents=16, words=1024).items(40, seed=5):
        assert written(item.meta["stated"]) <= 1024
    for item in LongbenchWrite(documents=1, words=64).items(200, seed=6):
        assert written(item.meta["stated"]) <= 64


def test_the_metric_and_bad_input(tmp_path):
    for settings, says in (
        ({"documents": 3, "words": 100}, "needs words=192 or more"),
        ({"documents": 3}, "got words=0"),
        ({"documents": 17, "words": 2000}, "from 0 to 16"),
        ({"documents": 1, "words": 200, "language": "zh"}, "in English"),
        ({"documents": 1, "words": 200, "data": "x.jsonl"}, "leave data"),
    ):
        with pytest.raises(UserError, match=says):
            LongbenchWrite(**settings)
    assert METRICS["longbench-write/length"]("one two", ["4"]) == 0.5
    with pytest.raises(UserError, match="above 0"):
        METRICS["longbench-write/length"]("one two", ["many"])
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"prompt": "Write.", "length": 0}))
    with pytest.raises(UserError, match="1 or more"):
        LongbenchWrite(data=str(path)).items(1)
    with pytest.raises(UserError, match="no requests in 'zh'"):
        LongbenchWrite(data=str(path), language="zh").items(1)
    with pytest.raises(UserError, match="from 50 to"):
        LongbenchWrite(words=10)
    with pytest.raises(UserError, match="en, zh"):
        LongbenchWrite(language="fr")
