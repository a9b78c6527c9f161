"""LongIns: its scorer, exams whose wrong answers are wrong and of the right kind, data sets of several formats."""

import json
import math
import re
from dataclasses import replace

import pytest

from leadline import catalog
from leadline.data.haystack import Builder
from leadline.nouns import Answer, Item, UserError
from leadline.scoring import longins_metrics
from leadline.tasks import _exercises

from .conftest import specs_of


@pytest.mark.parametrize(
    ("reply", "errors", "peer", "ours"),
    [
        ("[1] and [4, 9]", [1, 4, 7], 2 / 3, 2 / 3),
        ("1, 4, 7", [1, 4, 7], 0, 0),
        ("[1][4][7]", [1, 4, 7], 1, 1),
        (str(list(range(30))), [3, 14, 25], 2 * 3 / 33, 2 * 3 / 33),
        ("[1, 4,\n7]", [1, 4, 7], 0, 1),
        ("[1: 2 + 2 Answer: 5]", [1], 2 * 1 / (1 + 3), 1),
        ("[Question 4. Instruction: add 7 Output: 9]", [4], 0.5, 1),
        ("**[1, 4, 7]**", [1, 4, 7], 1, 1),
        ("[-1]", [1], 1, 1),
        ("[]", [1], 0, 0),
        ("", [1], 0, 0),
    ],
)
def test_f1(reply, errors, peer, ours):
    answers = list(map(str, errors))
    assert longins_metrics.longins(reply, answers) == pytest.approx(peer)
    item = Item(id="x", task="", instruction="", question="", answers=tuple(answers), meta={"n": 30}, single_line=False)
    for setting, worth in (("", ours), ("(peer=true)", peer)):
        score = catalog.make(f"longins{setting}", "tasks").score(answers, item, Answer(text=reply))
        assert score.value == pytest.approx(worth)


def test_no_brackets_are_told_from_an_empty_list():
    task = catalog.make("longins", "tasks")
    item = Item(id="x", task="", instruction="", question="", answers=("1",), meta={"n": 30}, single_line=False)
    assert task.score(["1"], item, Answer(text="1 and 2")).audit == "format not found"
    assert task.score(["1"], item, Answer(text="[]")).audit == "answered"


def exam(spec, tokenizer, length=4096, n=3):
    task = catalog.make(spec, "tasks")
    for item in task.items(n, seed=5):
        prompt = Builder(tokenizer).build(item, length, compose=task.compose if task.grows else None)
        content = prompt.messages[-1]["content"].rpartition("\n\n")[0]
        if task.kind == "gist":
            found = re.findall(r"\[(\d+): (.+?) Answer: (.+?)\]", content, re.S)
            pairs = [(int(i), item.meta["told"], asked, said) for i, asked, said in found]
        else:
            found = re.findall(r"\[Question (\d+)\. Instruction: (.+?) Input: (.+?) Output: (.+?)\]", content, re.S)
            pairs = [(int(i), told, asked, said) for i, told, asked, said in found]
        yield task, replace(item, meta=prompt.meta), prompt, pairs


def solve(instruction, question):
    """What each invented kind asks for, worked out from its words alone."""
    name = next(n for n, (told, _) in _exercises.KINDS.items() if told == instruction)
    from leadline.data import lexicon

    sorts = {"animal": lexicon.ANIMALS, "instrument": lexicon.INSTRUMENTS, "color": lexicon.COLORS, "job": lexicon.PROFESSIONS}
    if name == "classification":
        return next(kind for kind, words in sorts.items() if re.search(r'"(.+?)"', question)[1] in words)
    if name == "dates":
        day, month, year = question.split()
        return f"{year}-{lexicon.MONTHS.index(month) + 1:02}-{int(day):02}"
    if name == "common sense":
        words = question.split(", ")
        return next(w for w in words if sum(w in s and v in s for s in sorts.values() for v in words) == 1)
    if name == "reasoning":
        return max(question.split("; "), key=lambda part: int(part.split()[1])).split()[0]
    if name == "inference":
        known, claim = re.fullmatch(r"It is known: (.+) Claim: (.+)", question).groups()
        return "yes" if known == claim else "no" if known.split()[:5] == claim.split()[:5] else "not said"
    if name == "names":
        return ", ".join(re.findall(r"[A-Z]\w+ [A-Z]\. [A-Z]\w+", question))
    return None


@pytest.mark.parametrize("kind", ["gist", "list", "limt"])
def test_just_the_named_answers_are_wrong(kind, tokenizer):
    seen = set()
    for task, _, prompt, pairs in exam(f"longins(kind={kind})", tokenizer, n=14 if kind == "gist" else 5):
        errors = set(map(int, prompt.answers))
        assert [i for i, *_ in pairs] == list(range(prompt.meta["n"]))
        assert len(errors) == math.ceil(len(pairs) / 10)
        kinds = {told for _, told, _, _ in pairs}
        assert len(kinds) == 1 or task.kind == "limt"
        for i, told, asked, said in pairs:
            right = solve(told, asked)
            if right is not None:
                seen.add(told)
                assert (said != right) == (i in errors), (told, asked, said)
    assert len(seen) == 6 if kind != "list" else seen
    if kind == "limt":
        assert len(kinds) == 7


def test_reading_pairs_are_answered_by_their_text():
    reading = _exercises.INVENTED[0]
    for i in range(200):
        pair = reading.pair(i, 1)
        assert pair.right in pair.question and pair.wrong != pair.right
        assert not re.search(rf"\b{re.escape(pair.wrong)}\b", pair.question) or len(pair.wrong.split()) == 1


def test_data_sets_of_four_formats(tmp_path, tokenizer):
    numbers = [{"input": f"{a} plus {b}", "output": [str(a + b), f"{a + b}.0"]} for a in range(9) for b in range(9)]
    (tmp_path / "task1.json").write_text(json.dumps({"Definition": ["Add."], "Instances": numbers}))
    big = {
        "description": "Double.",
        "examples": [{"input": str(i), "target_scores": {str(2 * i): 1, str(i): 0}} for i in range(1, 40)],
    }
    (tmp_path / "double.json").write_text(json.dumps(big))
    rows = [{"instruction": "Halve.", "input": str(2 * i), "output": str(i)} for i in range(40)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    asked = [{"context": f"Bob has {i} hens.", "question": "How many?", "answers": {"text": [str(i)]}} for i in range(40)]
    (tmp_path / "qa.jsonl").write_text("\n".join(map(json.dumps, asked)))
    data = ",".join(str(tmp_path / n) for n in ("task1.json", "double.json", "rows.jsonl", "qa.jsonl"))
    task = catalog.make(f"longins(data={data!r}, kind=limt, pairs=20)", "tasks")
    assert [e.instruction for e in task._exercises] == ["Add.", "Double.", "Halve.", "Answer the question."]
    item = task.items(1)[0]
    assert len(item.answers) == 2
    for text in item.evidence:
        m = re.match(r"\[Question (\d+)\. Instruction: (.+?) Input: (.+) Output: (.+)\]$", text, re.S)
        number = [int(n) for n in re.findall(r"\d+", m[3])]
        right = {"Add.": sum(number), "Double.": 2 * number[0], "Halve.": number[0] / 2}.get(m[2], number[0])
        assert (float(m[4]) != right) == (m[1] in item.answers)


def test_the_benchmarks_own_file(tokenizer):
    spec = next(s for s in specs_of("longins") if "256.json" in s)
    task = catalog.make(spec, "tasks")
    item = task.items(1)[0]
    assert task.natural and item.meta["n"] == 5
    number = int(item.meta["exercise"].removeprefix("task"))
    assert item.answers == (str(number % 5),)
    assert "Give the sum." in item.instruction
    assert item.evidence[0].startswith(f"[0:{number}+0 Answer: ")


def test_parts_by_place():
    task = catalog.make("longins", "tasks")
    item = Item(id="x", task="", instruction="", question="", answers=("1", "29"), meta={"n": 30}, single_line=False)
    assert task.score(item.answers, item, Answer(text="[1, 5]")).parts == {
        "recall": 0.5,
        "precision": 0.5,
        "recall, first third": 1,
        "recall, last third": 0,
    }


def test_naming_all_is_worth_the_chance_level(tokenizer):
    for task, item, prompt, pairs in exam("longins", tokenizer, length=16_384, n=1):
        score = task.score(prompt.answers, item, Answer(text=str([i for i, *_ in pairs])))
        assert score.value == pytest.approx(task.chance, abs=0.01)


def test_exams_stay_the_same_at_every_length(tokenizer):
    task = catalog.make("longins(pairs=10)", "tasks")
    item = task.items(1)[0]
    short, long = (Builder(tokenizer).build(item, length) for length in (2048, 9000))
    assert short.answers == long.answers and len(long.evidence) == 10


@pytest.mark.parametrize(
    ("rows", "more", "says"),
    [
        (
            [{"question": "a", "answer": "x"}, {"question": "b", "answer": "X"}],
            "",
            "no kind of question with two different answers",
        ),
        ([{"problem": "a"}], "", "no input was found"),
        ([{"problem": "a", "solution": "b"}], ", columns='input=problem, answer=sol'", "no column 'sol' for the answer"),
        (
            [{"question": str(i), "answer": str(i)} for i in range(4)],
            ", pairs=10",
            "has 4 questions of the kind 'a'; 10 are needed",
        ),
    ],
)
def test_data_that_are_wrong(tmp_path, rows, more, says):
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(UserError, match=says):
        catalog.make(f"longins(data={str(path)!r}{more})", "tasks").items(1)
