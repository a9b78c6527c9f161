"""Giraffe's tasks: lines, answers in all places, altered numbers, and the published scores."""

import json
import re

import pytest

from leadline import catalog
from leadline.data.altered import number, occurrences
from leadline.data.haystack import Builder, Layout
from leadline.nouns import Answer, UserError
from leadline.scoring.needle_metrics import first_number, presence


def task(spec):
    return catalog.make(spec, "tasks")


def said(one, item, text, **how):
    return one.score(item.answers, item, Answer(text=text, **how))


def test_lines_have_names_and_numbers_of_their_own(tokenizer_of):
    one = task("longchat-lines")
    for item in one.items(2):
        content = Builder(tokenizer_of("bytes-plain")).build(item, 30_000).messages[-1]["content"]
        lines = re.findall(r"(?m)^line (\S+): REGISTER_CONTENT is <(\d+)>$", content)
        assert len(lines) > 900 and len({name for name, _ in lines}) == len(lines)
        assert [name for name, value in lines if value == item.answers[0]] == [re.search(r"of line (\S+)\?", item.question)[1]]
        assert all(1 <= int(v) < 100_000 for _, v in lines)
        rest = content.removeprefix(item.instruction).removesuffix(item.question).strip().split("\n")
        assert all(line.startswith(("line ", "(")) for line in rest) and len(rest) - len(lines) <= 1, "a line was cut"


def test_lines_at_their_depths(tokenizer_of):
    item = task("longchat-lines").items(1)[0]
    for depth in (0, 0.5, 1):
        assert Builder(tokenizer_of("bytes-plain")).build(item, 8192, Layout(depth)).depths[0] == pytest.approx(depth, abs=0.02)


def test_line_scores():
    assert first_number("The content is <1234>", ["1234"]) == 1
    assert first_number("line 5 is 1234", ["1234"]) == 0, "the first number counts"
    assert first_number("01234", ["1234"]) == 1 and first_number("no idea", ["1234"]) == 0 and first_number("", ["-1"]) == 1
    assert first_number("12,340", ["12340"]) == 0
    with pytest.raises(UserError, match="whole number"):
        first_number("1", ["one"])
    own, peer = task("longchat-lines"), task("longchat-lines(peer=true)")
    item = own.items(1)[0]
    value = int(item.answers[0])
    assert said(own, item, f"It is <{value}>.").value == said(peer, item, f"It is <{value}>.").value == 1
    assert value > 999 and said(own, item, f"{value:,}").value == 1 and said(peer, item, f"{value:,}").value == 0
    assert said(own, item, "no idea").audit == "format not found" and said(peer, item, "no idea").value == 0


def test_published_lines(tmp_path):
    prompt = "Remember.\nline a-b: REGISTER_CONTENT is <12>\nline c-d: REGISTER_CONTENT is <7>\nWhat is c-d?"
    rows = [{"prompt": prompt.replace("12", str(i)), "expected_number": 7, "num_lines": 2, "token_size": 48} for i in range(3)]
    path = tmp_path / "lines.json"
    path.write_text(json.dumps(rows))
    item = task(f"longchat-lines(data={str(path)!r})").items(3)[0]
    assert (item.instruction, item.question, item.answers, item.facets) == ("Remember.", "What is c-d?", ("7",), {"lines": "2"})
    assert item.evidence[0].count("line ") == 2
    with pytest.raises(UserError, match="holds 3 rows"):
        task(f"longchat-lines(data={str(path)!r})").items(4)
    path.with_name("bad.json").write_text('[{"prompt": "x"}]')
    with pytest.raises(UserError, match="expected_number"):
        task(f"longchat-lines(data={str(path.with_name('bad.json'))!r})").items(1)


def test_six_versions_of_each_question(tokenizer_of):
    builder = Builder(tokenizer_of("bytes-plain"))
    items = task("wiki-qa").items(12, seed=2)
    for first in (0, 6):
        six = items[first : first + 6]
        assert len({i.cluster for i in six}) == 1 and len({i.evidence for i in six}) == 1 and len({i.answers for i in six}) == 1
        assert [i.facets["answer"] for i in six] == ["start", "start", "random", "random", "end", "end"]
        assert [i.facets["question"] for i in six] == ["end", "start"] * 3
        for item in six:
            prompt = builder.build(item, 12_000)
            low, high = {"start": (0, 0.1), "random": (0.1, 0.9), "end": (0.9, 1)}[item.facets["answer"]]
            assert low - 0.02 <= prompt.depths[0] <= high + 0.02
            content = prompt.messages[-1]["content"]
            asked = six[0].question
            assert content.startswith("Answer from the text") == (item.facets["question"] == "start")
            assert content.count(asked) == 1 and item.answers[0] in item.evidence[0]
    fixed = task("wiki-qa(answer=end, question=start)").items(3)
    assert len({i.cluster for i in fixed}) == 3 and {i.facets["answer"] for i in fixed} == {"end"}


def test_altered_numbers_of_the_world(tokenizer_of):
    plain = {i.meta["version"]: i for i in task("wiki-qa").items(6)}
    builder = Builder(tokenizer_of("bytes-plain"))
    for item in task("wiki-qa(altered=true)").items(24, seed=1)[::3]:
        old, new = number(item.avoid[-1]), number(item.answers[0])
        assert old != new and len(str(old)) == len(str(new))
        assert abs(old - new) <= 10 or not 1000 <= old <= 2100
        content = builder.build(item, 4096).messages[-1]["content"]
        assert not occurrences(old).search(content), "the former number is still there"
        assert occurrences(new).search(item.evidence[0])
    assert len(plain) == 6


def test_altering_any_data_set(tmp_path):
    filler = " ".join(f"word{i}" for i in range(400))
    rows = [
        {
            "input": f"When did it open, in {1900 + i}?",
            "context": f"{filler} It opened in {1900 + i}. {filler}",
            "answers": [str(1900 + i)],
        }
        for i in range(5)
    ]
    rows += [
        {"input": "Who?", "context": "Nobody.", "answers": ["Ann"]},
        {"input": "Who?", "context": "Ben.", "answers": ["Ben"]},
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    altered = task(f"wiki-qa(altered=true, data={str(path)!r}, around=60)")
    for item in altered.items(30)[::6]:
        old = number(item.avoid[0])
        assert len(item.evidence[0].split()) == 60 and item.answers[0] in item.evidence[0]
        assert not occurrences(old).search(item.evidence[0] + item.question + item.instruction)
        assert abs(old - number(item.answers[0])) <= 10
    with pytest.raises(UserError, match="5 questions whose answer is a number .* at most 30"):
        altered.items(31)
    free = task(f"wiki-qa(data={str(path)!r})")
    assert {i.answers[0] for i in free.items(36)} == {*(str(1900 + i) for i in range(5)), "Ben"}


def test_published_conversations(tmp_path):
    rows = [
        {
            "conversations": [
                {"from": "human", "value": f"Long document.\nWhat {i}?", "tok_len": 9},
                {"from": "gpt", "value": f"a{i} "},
            ]
        }
        for i in range(12)
    ]
    path = tmp_path / "2k.json"
    path.write_text(json.dumps(rows))
    one = task(f"wiki-qa(data={str(path)!r})")
    assert one.natural
    for item in one.items(12):
        row = item.meta["row"]
        assert (item.question, item.answers, item.evidence) == (f"What {row}?", (f"a{row}",), ("Long document.",))
        assert item.facets == {"answer": ["start", "random", "end"][row % 6 // 2], "question": ["end", "start"][row % 2]}
    path.with_name("bad.json").write_text('[{"conversations": [{"value": 3}]}]')
    with pytest.raises(UserError, match="prompt and an answer"):
        task(f"wiki-qa(data={str(path.with_name('bad.json'))!r})").items(1)


def test_presence():
    assert presence("born in 1987.", ["7"]) == 1, "part of a number"
    assert presence("born in Paris", [" Paris "]) == 1 and presence("born in paris", ["Paris"]) == 0
    own, peer = task("wiki-qa(altered=true)"), task("wiki-qa(altered=true, peer=true)")
    item = own.items(1)[0]
    value = item.answers[0]
    for one, part in ((own, 0), (peer, 1)):
        assert said(one, item, f"It is {value}, as the text says.").value == 1
        assert said(one, item, f"It is 1{value}.").value == part
        assert said(one, item, "I do not know.").value == 0
        assert said(one, item, f"It is {value} and then a lot more that was cut", stop="length").value == 1, (
            "whole once more follows"
        )
        assert said(one, item, "It was so long that it was cut", stop="length").audit == "cut off"
    free = task("wiki-qa")
    item = next(i for i in free.items(60) if number(i.answers[0]) is None)
    assert said(free, item, item.answers[0].upper()).value == 1


def test_settings_are_checked():
    for spec in ("wiki-qa(answer=middle)", "wiki-qa(question=middle)", "wiki-qa(around=3)", "wiki-qa(data=/nowhere.jsonl)"):
        with pytest.raises(UserError):
            task(spec)
    assert [str(m) for m in catalog.expand(catalog.parse("giraffe-tasks"), "tasks")] == [
        "longchat-lines",
        "wiki-qa",
        "wiki-qa(altered=True)",
    ]
