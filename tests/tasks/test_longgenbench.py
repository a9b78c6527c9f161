import asyncio
import json
import re

import pytest

from leadline import catalog
from leadline.data.haystack import Builder
from leadline.nouns import Answer, Item, UserError
from leadline.tasks import longgenbench


def make(**settings):
    return longgenbench.LongGenBench(**settings)


def item_of(answers, **meta):
    """An item with those answers, its questions numbered from 1."""
    meta = {"first": 1, "labels": "", "number": True, **meta}
    return Item(id="x", task="x", instruction="", question="", answers=tuple(answers), meta=meta)


def value(reply, answers, task=None, **meta):
    item = item_of(answers, **meta)
    return (task or make()).score(item.answers, item, Answer(text=reply))


def test_answers_are_told_apart_by_number():
    """The sheet's case: of four questions the third is left out."""
    reply = "Answer_1:\nThe answer is 4.\n\nAnswer_2:\nThe answer is 7.\n\nAnswer_4:\nThe answer is 9."
    got = value(reply, ["4", "7", "8", "9"])
    assert (got.value, got.parts["missing"]) == (0.75, 0.25)
    peer = value(reply, ["4", "7", "8", "9"], make(peer=True))
    assert (peer.value, peer.parts["missing"]) == (2 / 3, 0.25), (
        "by order, the fourth answer is the third, and one is not counted"
    )


@pytest.mark.parametrize(
    ("reply", "answer", "ours", "peers"),
    [
        ("The answer is −5.", "-5", True, True),
        ("The answer is 5.", "-5", False, True),
        ("The answer is 70,000.", "70,000", True, False),
        ("The answer is $1,250.50 in all.", "1250.50", True, True),
        ("Step 3 gives 12. The answer is 12 apples, and 3 packs.", "12", True, False),
        ("12 + 4 = 16.", "16", True, True),
        ("First 3.\n\nThe answer is 16.", "16", True, False),
        ("Sum:\n16", "16", True, True),
        ("no idea", "16", False, False),
    ],
)
def test_numbers_are_read(reply, answer, ours, peers):
    assert value(f"Answer_1:\n{reply}", [answer]).value == ours
    assert value(f"Answer_1:\n{reply}", [answer], make(peer=True)).value == peers


def test_the_peer_reads_its_own_question_number():
    """`A_model:Q_0` stands before each answer there, and the last number of both is taken."""
    assert value("Answer_1:\nno idea", ["0"], make(peer=True)).value == 1
    assert value("Answer_1:\nno idea", ["0"]).value == 0


def test_letters_are_read():
    item = {"labels": "ABCD", "number": False}
    assert value("Answer_1:\nA good guess is that the answer is (B).", ["B"], **item).value == 1
    assert value("Answer_1:\nB. A bus", ["B"], **item).value == 1
    assert value("Answer_1:\nB. A bus", ["B"], make(peer=True), **item).value == 0, "the article is the last capital"
    two = "Answer_1:\nThe answer is B."
    assert value(two, ["B", "C"], make(peer=True), **item).value == 0.5, "letters that are missing are wrong there too"


def test_words_are_read():
    item = {"labels": "", "number": False}
    assert value("Answer_1:\nThe answer is Oldport.", ["Oldport | Old Port"], **item).value == 1
    assert value("Answer_1:\nThe answer is the old port, I think.", ["Oldport | Old Port"], **item).value == 1
    assert value("Answer_1:\nThe answer is Oldports.", ["Oldport"], **item).value == 0


@pytest.mark.parametrize(
    ("reply", "read"),
    [
        ("Answer_1:\na\n\nAnswer_2:\nb", ["a", "b"]),
        ("Answer_1: a\n\nAnswer_2:\nb", ["b"]),
        ("Answer_1:\na\n\nmore\n\nAnswer_2:\nb", ["a", "b"]),
        ("Sum:\nx\n\nAnswer_1:\na", ["x", "a"]),
        ("Answer_1:\nx =:\n5\n\nAnswer_2:\nb", ["x =:\n5", "b"]),
        ("Answer_1:\na\n\nAnswer_2:\n", ["a", ""]),
        ("", []),
    ],
)
def test_the_peer_reads_by_order(reply, read):
    assert longgenbench._by_order(reply) == read


def test_position_and_form_are_reported():
    answers = [str(i) for i in range(8)]
    half = "\n\n".join(f"Answer_{i + 1}:\nThe answer is {i}." for i in range(4))
    got = value(half, answers)
    assert got.value == 0.5 and got.parts["missing"] == 0.5
    assert [got.parts[f"quarter {q}"] for q in (1, 2, 3, 4)] == [1, 1, 0, 0]
    cut = make().score(tuple(answers), item_of(answers), Answer(text=half, stop="length"))
    assert (cut.value, cut.audit) == (0.5, "cut off"), "marked as far as it went"
    assert value("I will not.", answers).audit == "format not found"
    assert value("It is 3. The answer is 3.", ["3"]).value == 1, "a single answer needs no heading"
    assert value("The answer is 0.\n\nAnswer_2:\nThe answer is 1.", ["0", "1"]).value == 1, "behind the heading in the prompt"


def test_invented_sums_are_right():
    """Against a reading of the text by rules of its own."""
    for item in make(questions=1).items(60) + make(questions=1, form="choice").items(60, seed=3):
        text = item.evidence[0]
        have = int(re.search(r"has (\d+)", text)[1])
        for told in re.findall(r"[^.]*\.", text.split(".", 1)[1]):
            if m := re.search(r"finds (\d+) more", told):
                have += int(m[1])
            elif m := re.search(r"(\d+) packs of (\d+)", told):
                have += int(m[1]) * int(m[2])
            elif m := re.search(r"gives (\d+) of them away", told):
                have -= int(m[1])
            elif "again" in told:
                have *= 2
        options = dict(re.findall(r"\(([A-D])\) (\d+)", text))
        assert have >= 0 and (options[item.answers[0]] if options else item.answers[0]) == str(have)
        assert not options or len(set(options.values())) == 4


def test_single_asking_asks_the_same_questions():
    together = [text for item in make(questions=5).items(4, seed=2) for text in item.evidence]
    singly = [item.evidence[0] for item in make(questions=1).items(20, seed=2)]
    assert [t.split("\n", 1)[1] for t in together] == [t.split("\n", 1)[1] for t in singly]


def test_questions_grow_with_the_length(tokenizer):
    task, builder, sizes = make(), Builder(tokenizer), []
    item = task.items(1)[0]
    for length in (1280, 4096, 16384):
        prompt = builder.build(item, length, compose=task.compose)
        sizes.append(len(prompt.answers))
        assert prompt.answer_tokens >= longgenbench.ROOM * len(prompt.answers)
        assert prompt.messages[-1]["content"].count("Question_") == len(prompt.answers) + 4 + (
            2 if len(prompt.answers) > 1 else 0
        )
    assert sizes[0] < 6 < sizes[1] < 30 < sizes[2]


def ask_with(reply):
    async def ask(text, max_tokens=None):
        return reply(text) if callable(reply) else reply

    return {"single": ask}


def test_degradation_is_reported_on_the_same_questions():
    task = make(questions=4)
    item = task.items(1)[0]
    gold = {q.text: q.answers[0] for q in (task._question(j, 0) for j in range(4))}

    def exact(text):
        assert text.count("Question_5:") == 1 and "Question_6:" not in text
        return Answer(text=f"Answer_5:\nThe answer is {gold[text.split('Question_5:')[1].split('Answer')[0].strip()]}.")

    whole = Answer(text=task.gold(item.answers, item))
    same = asyncio.run(task.judged(item.answers, item, whole, ask_with(exact)))
    assert (same.value, same.parts["single"], same.parts["degradation"]) == (1, 1, 0), "an exact reader loses nothing"
    half = Answer(text=whole.text.split("Answer_7")[0])
    lost = asyncio.run(task.judged(item.answers, item, half, ask_with(exact)))
    assert (lost.value, lost.parts["single"], lost.parts["degradation"]) == (0.5, 1, 0.5)
    broken = asyncio.run(task.judged(item.answers, item, half, ask_with(Answer(stop="error", error="500"))))
    assert "degradation" not in broken.parts and broken.value == 0.5
    failed = asyncio.run(task.judged(item.answers, item, Answer(stop="error"), ask_with(exact)))
    assert failed.value is None


def write(tmp_path, *rows):
    path = tmp_path / f"set{len(list(tmp_path.iterdir()))}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_published_sets_are_read(tmp_path):
    gsm = make(data=write(tmp_path, {"question": "How many?", "answer": "3 + 4 = <<3+4=7>>7\n#### 7"}), questions=1)
    assert (gsm.items(1)[0].answers, gsm.chance) == (("7",), 0)
    mmlu = make(data=write(tmp_path, {"question": "Which?", "choices": ["a", "b", "c", "d"], "answer": 2}), questions=1)
    assert (mmlu.items(1)[0].answers, mmlu.chance) == (("C",), 0.25)
    assert "(C) c" in mmlu.items(1)[0].evidence[0] and "(A)" in mmlu.items(1)[0].instruction, "examples of the same form"
    row = {"question": "Where?", "choices": {"label": list("ABCDE"), "text": list("vwxyz")}, "answerKey": "E"}
    assert make(data=write(tmp_path, row), questions=1).chance == 0.2
    free = make(data=write(tmp_path, {"input": "Who?", "answers": ["Ann", "Anna"]}), questions=1)
    assert free.items(1)[0].answers == ("Ann | Anna",)


def test_bad_input_is_said(tmp_path):
    good = {"question": "How many?", "answer": "#### 7"}
    for rows, says in [
        (({"text": "?"},), "needs 'question' and 'answer'"),
        (({"question": "?", "choices": {"label": list("AB"), "text": list("vw")}, "answerKey": ""},), "no answers"),
        (({"question": "?", "choices": ["a", "b"], "answer": 2},), "none of the options"),
        ((good, {"question": "Who?", "answer": "Ann"}), "several kinds"),
        ((good,), "holds 1 questions, enough for 0 samples"),
    ]:
        with pytest.raises(UserError, match=says):
            make(data=write(tmp_path, *rows), questions=2).items(1)
    for spec, says in [("questions=-1", "from 0 to 1000"), ("examples=0", "from 1 to 8"), ("form=word", "number, choice")]:
        with pytest.raises(UserError, match=says):
            catalog.make(f"longgenbench({spec})", "tasks")
