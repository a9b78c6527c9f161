"""LongEmotion: seven parts in the published format, a scripted judge, and its pipelines on the same samples."""

import asyncio
import json
import re
from collections import Counter

import pytest

from leadline import catalog
from leadline.data.haystack import Builder
from leadline.nouns import Answer, UserError
from leadline.pipelines import _retrieval as retrieval
from leadline.pipelines.base import parted
from leadline.tasks import _emotions as told
from leadline.tasks.longemotion_part import LongemotionPart

from .fixtures.longemotion_part import dialogue, report, segments, write


@pytest.fixture
def folder(tmp_path):
    write(tmp_path)
    return str(tmp_path)


class Judge:
    def __init__(self, *replies) -> None:
        self.replies, self.asked = list(replies), []

    async def __call__(self, text, max_tokens=None):
        self.asked.append(text)
        said = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return said if isinstance(said, Answer) else Answer(text=said if isinstance(said, str) else json.dumps(said))


def judged(task, item, text, judge):
    answer = text if isinstance(text, Answer) else Answer(text=text)
    return asyncio.run(task.judged(item.answers, item, answer, {"judge": judge}))


def scored(folder, part, reply, n=0):
    task = LongemotionPart(data=folder, part=part)
    item = task.items(n + 1)[n]
    return item, task.score(item.answers, item, Answer(text=reply(item) if callable(reply) else reply))


@pytest.mark.parametrize(
    ("reply", "value", "strict"),
    [
        ('{{"Emotion": "{right}"}}', 1, 1),
        ('Well.\n```json\n{{"Emotion": "{right}"}}\n```', 1, 1),
        ('{{"Emotion": "{low}."}}', 1, 0),
        ("{right}", 1, 0),
        ('{{"Emotion": "{other}"}}', 0, 0),
    ],
)
def test_classification(folder, reply, value, strict):
    for n in range(4):
        item, got = scored(
            folder,
            "emobench",
            lambda i: reply.format(
                right=i.answers[0], low=i.answers[0].lower(), other="Fear" if i.answers[0] != "Fear" else "Joy"
            ),
            n,
        )
        assert (got.value, got.parts) == (value, {"strict": strict}), item.answers
    assert scored(folder, "emobench", "I cannot tell.")[1].audit == "format not found"


def test_choices_come_as_lists_and_as_text(folder):
    items = LongemotionPart(data=folder).items(12)
    assert all("Choices: Joy, Anger, Fear, Pride & Joy" in i.question for i in items)
    assert all(i.meta["retrieval"]["queries"][0] in i.question for i in items)


def test_detection(folder, tokenizer):
    task = LongemotionPart(data=folder, part="detection")
    item = task.items(3)[2]
    builder = Builder(tokenizer)
    prompt = builder.build(item, builder.minimum(item))
    number = int(prompt.answers[0])
    content = prompt.messages[0]["content"]
    row = next(r for r in map(segments, range(14)) if " ".join(r["text"][0]["context"].split()) in content)
    assert number == row["ground_truth"] + 1, "numbered from 1"
    assert f"Text {number}:\n{item.evidence[number - 1]}" in content and content.count("\n\nText ") == 6
    for reply, value, strict in (
        (f'{{"index": {number}}}', 1, 1),
        (f'{{"index": "{number}"}}', 1, 0),
        (str(number), 1, 0),
        ('{"index": 99}', 0, 0),
    ):
        got = task.score(prompt.answers, item, Answer(text=reply))
        assert (got.value, got.parts["strict"]) == (value, strict), reply
    assert item.meta["retrieval"]["how"] == "odd" and item.instruction == ""


@pytest.mark.parametrize(
    ("said", "gold", "value"),
    [
        ("well-being", "well being", 1.0),
        ("the well-being", "Well being.", 1.0),
        ("being", "well-being", 2 / 3),
        ("x", "well-being", 0.0),
        ("it's", "it s", 1.0),
    ],
)
def test_questions_part_words_at_punctuation(said, gold, value):
    task = LongemotionPart(part="qa")
    assert task.grade(said, [gold], None) == pytest.approx(value)


POINTS = {a: {p: 5 for p in told.POINTS} | {"comment": "fine"} for a in told.ATTRIBUTES}


def test_summary(folder):
    """All fives but for a two: 4.8."""
    task = LongemotionPart(data=folder, part="summary")
    item = task.items(1)[0]
    given = json.loads(json.dumps(POINTS))
    given["causes"]["clarity"] = 2
    reply = json.dumps({"causes": "C", "symptoms": ["S1", "S2"], "treatment_process": "T"})
    judge = Judge(given)
    got = judged(task, item, f"Here:\n```json\n{reply}\n```", judge)
    assert got.parts == pytest.approx({"points": 4.8, "factual_consistency": 5, "completeness": 5, "clarity": 4.4})
    assert got.value == pytest.approx(0.96)
    case = item.answers[0].split("causes: causes of case ")[1].split("\n")[0]
    gold = report(int(case))
    assert all(gold[name] in judge.asked[0] for name in told.ATTRIBUTES)
    assert "causes: C\nsymptoms: S1\nS2\ntreatment_process: T\ncharacteristics_of_illness: \n" in judge.asked[0]
    judge = Judge(given)
    judged(task, item, "They were sad.", judge)
    assert "They were sad." in judge.asked[0], "what cannot be read as JSON is judged as it stands"
    assert [e.partition(":")[0] for e in item.evidence] == [
        "Case description",
        "Consultation process",
        "Experience and reflection",
    ]


@pytest.mark.parametrize(
    "bad",
    ["No.", {"causes": 5}, {**POINTS, "causes": {**POINTS["causes"], "clarity": 6}}, {**POINTS, "symptoms": {"clarity": 5}}],
)
def test_points_that_are_none(folder, bad):
    task = LongemotionPart(data=folder, part="summary")
    item = task.items(1)[0]
    judge = Judge(bad)
    got = judged(task, item, "x", judge)
    assert (got.value, got.audit) == (None, "provider error") and len(judge.asked) == 2
    assert judged(task, item, "x", Judge(bad, POINTS)).value == 1


def test_conversation(folder, tokenizer):
    task = LongemotionPart(data=folder, part="conversation")
    items = task.items(42)
    assert Counter(i.facets["point"] for i in items) == {"quarter": 14, "half": 14, "three quarters": 14}
    assert Counter(Counter(i.cluster for i in items).values()) == {3: 14}
    item = items[0]
    number = int(item.cluster.split()[1])
    turns = [t for s in dialogue(number)["stages"] for t in s["conversations"]]
    point = {"quarter": 2, "half": 4, "three quarters": 6}[item.facets["point"]]
    last = 3 * 16 + 2 * point
    assert item.evidence[0].split("\n") == [f"{t['role']}: {t['context']}" for t in turns[: last + 1]]
    assert item.evidence[0].split("\n")[-1].startswith("Client: ")
    assert item.meta["retrieval"]["queries"] == ["\n".join(item.evidence[0].split("\n")[-3:])]
    judge = Judge({"growth": 5, "meaning": 4, "autonomy": 3})
    got = judged(task, item, "You have come far.", judge)
    assert got.value == pytest.approx(0.8) and got.parts == {"points": 4, "growth": 5, "meaning": 4, "autonomy": 3}
    assert item.evidence[0] in judge.asked[0] and "You have come far." in judge.asked[0]
    every = LongemotionPart(data=folder, part="conversation", stage=0).items(14 * 12)
    assert Counter(i.facets["stage"] for i in every) == dict.fromkeys("1234", 42)
    first = next(i for i in every if i.facets["stage"] == "1")
    assert (
        judged(task, first, "Whatever you say is safe here.", Judge({"alliance": 5, "acceptance": 5, "assessment": 5})).value
        == 1
    )


def test_points_in_a_dialogue_of_twelve_client_turns(tmp_path):
    (tmp_path / "Emotion_Conversations.jsonl").write_text(json.dumps(dialogue(3, clients=12)))
    items = LongemotionPart(data=str(tmp_path), part="conversation").items(3)
    turns = {i.facets["point"]: len(i.evidence[0].split("\n")) - 3 * 24 for i in items}
    assert turns == {"quarter": 2 * 3 + 1, "half": 2 * 6 + 1, "three quarters": 2 * 9 + 1}


def test_expression(folder):
    task = LongemotionPart(data=folder, part="expression")
    items = task.items(24)
    assert Counter(i.facets["emotion"] for i in items) == {"Anger": 8, "Fear": 8, "Guilt": 8}
    item = items[0]
    assert all(step in item.question for step in told.STEPS) and item.meta["retrieval"]["stages"] == list(told.STEPS)
    judge = Judge({a.name: 90 - 10 * i for i, a in enumerate(told.EXPRESSION)})
    got = judged(task, item, "Interested: 4. Distressed: 5. " + "I was upset. " * 5, judge)
    assert got.value == pytest.approx(0.65) and got.parts["points"] == 65
    assert got.parts["rated"] == pytest.approx(15), "three of twenty feelings are named"
    assert item.evidence[0] in judge.asked[0]
    assert judged(task, item, "x", Judge({a.name: 101 for a in told.EXPRESSION})).value is None


def test_what_was_not_answered_is_not_judged(folder):
    task = LongemotionPart(data=folder, part="expression")
    item, judge = task.items(1)[0], Judge({})
    assert judged(task, item, " ", judge).audit == "empty" and not judge.asked
    assert judged(task, item, Answer(text="I was", stop="length"), judge).audit == "cut off"
    with pytest.raises(UserError, match="only a judge"):
        task.score(item.answers, item, Answer(text="x"))


class Script:
    """A tested model and a sage in one: says what it was asked for."""

    def __init__(self) -> None:
        self.asked = []

    async def __call__(self, prompt, max_tokens=None, role=""):
        text = prompt if isinstance(prompt, str) else prompt.text
        self.asked.append((role, text))
        return Answer(text="A note." if role else "Done.")


@pytest.mark.parametrize("part", ["emobench", "finentity", "detection", "qa", "summary", "conversation", "expression"])
def test_the_pipelines_run_on_the_same_samples(folder, part, tokenizer):
    """CoEM asks the sage as often, and hands on as many pieces, as the paper has it; plain retrieval asks no sage."""
    task, builder = LongemotionPart(data=folder, part=part), Builder(tokenizer, prefill="off")
    item = task.items(1)[0]
    prompt = builder.build(item, builder.minimum(item))
    n = len(retrieval.pieces(parted(prompt)[0], 16, 0))
    assert n > 4 or part in ("detection", "expression")
    asked = {"detection": 7, "qa": min(8, n), "summary": 5 * min(10, n), "conversation": 1, "expression": 4}.get(part, 1)
    kept = {
        "coem": {"detection": {7}, "qa": {4}, "summary": {*range(4, 21)}, "conversation": {5}, "expression": {1}}.get(
            part, {1}
        ),
        "rag": {"detection": {7}, "qa": {min(16, n)}, "summary": {*range(4, 21)}, "conversation": {4}, "expression": {1}}.get(
            part, {1}
        ),
    }
    for name in ("coem", "rag"):
        model = Script()
        got = asyncio.run(catalog.make(f"{name}(chunk=16, overlap=0)", "pipelines").answer(prompt, model))
        assert got.text == ("Done." if part != "expression" else "\n\n".join(["Done."] * 6))
        final = next(text for role, text in reversed(model.asked) if not role)
        question = told.STEPS[-1] if part == "expression" else prompt.question
        assert all(text in final for text in item.evidence) and final.endswith(question.strip())
        assert len(re.findall(r"(?m)^\[\d+\] ", final)) in kept[name], final
        roles = [role for role, _ in model.asked]
        assert roles.count("sage") == (asked if name == "coem" else 0)
        assert roles.count("") == (6 if part == "expression" else 1)
        assert all(text.startswith(told.ENRICH[part]) for role, text in model.asked if role)


def test_suite(folder):
    made = [catalog.make(m, "tasks") for m in catalog.expand(catalog.parse(f"longemotion(data={folder})"), "tasks")]
    assert len({m.part for m in made}) == 7 and [m.part for m in made if m.roles] == ["summary", "conversation", "expression"]
    assert all(m.items(2) for m in made)


def test_where_the_data_lie(folder, tmp_path):
    assert LongemotionPart(part="qa")._source() == "LongEmotion/LongEmotion/Emotion QA/Emotion_QA.jsonl"
    assert LongemotionPart(part="qa", data="a/b@v1")._source() == "a/b/Emotion QA/Emotion_QA.jsonl@v1"
    (tmp_path / "hub" / "Emotion QA").mkdir(parents=True)
    (tmp_path / "hub/Emotion QA/Emotion_QA.jsonl").write_text((tmp_path / "Emotion_QA.jsonl").read_text())
    assert LongemotionPart(part="qa", data=str(tmp_path / "hub")).items(3)
    with pytest.raises(UserError, match="no Emotion Detection/Emotion_Detection.jsonl"):
        LongemotionPart(part="detection", data=str(tmp_path / "hub")).items(1)
    with pytest.raises(UserError, match="holds 14 samples"):
        LongemotionPart(data=folder).items(15)


def test_bad_rows_are_named(tmp_path):
    def error(part, name, row):
        (tmp_path / name).write_text(json.dumps(row))
        with pytest.raises(UserError) as caught:
            LongemotionPart(data=str(tmp_path), part=part).items(1)
        return str(caught.value)

    assert "no column 'label'" in error(
        "emobench", "Emotion_Classification_Emobench.jsonl", {"content": "x", "subject": "y", "choices": ["z"]}
    )
    assert "no segment has the index 9" in error(
        "detection", "Emotion_Detection.jsonl", {"text": [{"index": 1, "context": "x"}], "ground_truth": 9}
    )
    assert "no column 'context'" in error(
        "conversation", "Emotion_Conversations.jsonl", {"stages": [{"conversations": [{"role": "Client"}]}]}
    )
    assert "stage 1" in error("conversation", "Emotion_Conversations.jsonl", {"stages": [{}]})


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("longemotion-part(part=ec)", "emobench, finentity"),
        ("longemotion-part(stage=5)", "0 to 4"),
        ("longemotion-part(part=detection, noise=prose)", "own length alone"),
        ("longemotion-part(noise=proze)", "prose"),
    ],
)
def test_what_is_wrong_is_said(spec, says):
    with pytest.raises(UserError, match=says):
        catalog.make(spec, "tasks")
