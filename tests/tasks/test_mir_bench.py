"""MIR-Bench: functions that run exactly, examples that nest, wrong ones that are wrong, and the authors' judge row by row."""

import json
import random
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from leadline import catalog
from leadline.data.haystack import Builder
from leadline.nouns import Answer, UserError
from leadline.scoring import mir_metrics as m
from leadline.tasks import _functions as functions

from .fixtures.mir_bench import specs


def make(spec):
    return catalog.make(spec, "tasks")


def built(spec, length, tokenizer, n=3):
    task = make(spec)
    for item in task.items(n, seed=2):
        yield item, Builder(tokenizer).build(item, length, compose=task.compose if task.grows else None)


def examples(prompt):
    content = prompt.messages[-1]["content"]
    texts = [content[a:b].removeprefix("Input: ").partition("\nOutput: ") for a, b in prompt.evidence]
    return [(given, shown) for given, _, shown in texts]


def function_of(meta):
    return functions.Function(meta["takes"], tuple(tuple(step) for step in meta["chain"]))


@pytest.mark.parametrize(
    ("step", "parameter", "given", "gives"),
    [
        ("in base", 2, 10, "1010"),
        ("in base", 3, 0, "0"),
        ("digits reversed", 0, 120, 21),
        ("halve or triple", 1, 7, 22),
        ("running sums", 0, [1, -2, 5], [1, -1, 4]),
        ("running maxima", 0, [1, -2, 5, 3], [1, 1, 5, 5]),
        ("rotated", 2, [1, 2, 3], [3, 1, 2]),
        ("alternating sum", 0, [5, 3, 2], 4),
        ("cells", 90, [0, 1, 0, 0], [1, 0, 1, 0]),
        ("shifted", 1, "az b", "ba c"),
        ("doubled letters", 2, "abc", "aabcc"),
        ("every other capital", 1, "abcd", "aBcD"),
        ("count of first letters", 0, ["ox", "owl", "ant"], {"a": 1, "o": 2}),
        ("names by count", 0, {"b": 2, "a": 2, "c": 9}, ["c", "a", "b"]),
        ("turned", 0, [[1, 0], [0, 0]], [[0, 1], [0, 0]]),
        ("one step of life", 0, [[0, 1, 0], [0, 1, 0], [0, 1, 0]], [[0, 0, 0], [1, 1, 1], [0, 0, 0]]),
    ],
)
def test_steps(step, parameter, given, gives):
    found = next(s for s in functions.STEPS if s.name == step and isinstance(given, {"ints": list, "grid": list, "int": int, "text": str, "words": list, "counts": dict}[s.takes]) and (s.takes != "grid" or isinstance(given[0], list)))  # fmt: skip
    assert found.run(given, parameter) == gives


def test_a_chain_runs_its_steps_in_turn():
    number = {s.name + s.takes: i for i, s in enumerate(functions.STEPS)}
    chain = ((number["each reversedwords"], 0), (number["joinedwords"], 0), (number["without vowelstext"], 0))
    made = functions.Function("words", chain)
    assert made(["comet", "rare"]) == "tmc-rr"
    assert made.name == "each reversed, joined, without vowels"
    assert made.gives == "text"


def test_functions_tell_something_and_run_again_the_same():
    rng = random.Random(1)
    for steps in (1, 2, 3):
        for _ in range(40):
            function = functions.drawn(rng, steps)
            assert len(function.chain) == steps
            inputs = [functions.given(function.takes, rng) for _ in range(40)]
            before = repr(inputs)
            assert [function(x) for x in inputs] == [function(x) for x in inputs]
            assert repr(inputs) == before, "an input was changed"
            assert len({repr(function(x)) for x in inputs}) > 1


@pytest.mark.parametrize("spec", ["mir-bench", "mir-bench(errors=0.25)", "mir-bench(shots=128, errors=0.5)"])
def test_examples_are_what_they_say(tokenizer, spec):
    for item, prompt in built(spec, 16384, tokenizer):
        function, shots = function_of(prompt.meta), examples(prompt)
        assert len({given for given, _ in shots}) == len(shots) == prompt.meta["shots"]
        asked = prompt.question.rpartition("Input: ")[2]
        assert asked not in {given for given, _ in shots}
        assert repr(function(m._read(asked)[0])) == prompt.answers[0]
        bad = sum(repr(function(m._read(given)[0])) != shown for given, shown in shots)
        assert bad == prompt.meta["bad"]
        share = 0.0 if "errors" not in spec else float(spec.partition("errors=")[2].rstrip(")"))
        assert abs(bad / len(shots) - share) < 0.05
        assert make(spec).score(prompt.answers, item, Answer(text="Output: " + prompt.answers[0])).value == 1


def test_more_examples_begin_with_the_fewer(tokenizer):
    for (_, short), (_, long) in zip(built("mir-bench", 2048, tokenizer), built("mir-bench", 8192, tokenizer), strict=True):
        some = examples(short)[:-16]
        assert some
        assert examples(long)[: len(some)] == some


def test_the_same_functions_for_any_number_of_examples():
    for few, many in zip(make("mir-bench(shots=8)").items(3), make("mir-bench(shots=64)").items(3), strict=True):
        assert few.question == many.question
        assert many.evidence[:8] == few.evidence


def test_what_is_told_of_errors(tokenizer):
    for _, prompt in built("mir-bench(errors=0.5, told=count)", 4096, tokenizer):
        assert f"Of the {prompt.meta['shots']} outputs shown, {prompt.meta['bad']} are wrong." in prompt.messages[-1]["content"]
    for _, prompt in built("mir-bench(shots=64, errors=0.015625, told=some)", 16384, tokenizer):
        assert "Some of the outputs shown are wrong." in prompt.messages[-1]["content"]
        assert prompt.meta["bad"] == 1


def test_shots_stand_beside_the_score(tokenizer):
    task = make("mir-bench(errors=0.5)")
    item, prompt = next(built("mir-bench(errors=0.5)", 4096, tokenizer))
    import dataclasses

    score = task.score(prompt.answers, dataclasses.replace(item, meta=prompt.meta), Answer(text="Output: 0"))
    assert score.parts == {"shots": prompt.meta["shots"], "wrong shots": prompt.meta["bad"]}


def test_the_authors_judge(shared):
    rows = json.loads((shared / "data/metric-vectors/ada_mir.json").read_text())["mir_judge"]
    assert len(rows) == 60
    task = make("mir-bench(shots=4, peer=true)")
    item = task.items(1)[0]
    for row in rows:
        assert m.exact(row["prediction"], [row["gt"]]) == row["peer_score"], row
        assert task.score([row["gt"]], item, Answer(text=row["prediction"])).value == row["peer_score"], row
        assert m.literal(row["prediction"], [row["gt"]]) >= row["peer_score"], row


@pytest.mark.parametrize(
    ("reply", "answer", "peer", "ours"),
    [
        ("Output: 3", "3", 1, 1),
        ("**Output:** 3", "3", 1, 1),
        ("Output: 3.", "3", 0, 1),
        ("Output: {'ans': 3}", "3", 0, 1),
        ("Output: {3}", "3", 0, 1),
        ("3", "3", 0, 1),
        ("Output: 3\nInput: 5\nOutput: 6", "3", 0, 0),
        ("Output: 3.0", "3", 0, 0),
        ("Output: True", "1", 0, 0),
        ("Output: [1,2]", "[1, 2]", 0, 1),
        ("Output: (1, 2)", "[1, 2]", 0, 0),
        ("Output: {'b': 1, 'a': 2}", "{'a': 2, 'b': 1}", 0, 1),
        ('Output: "abc"', "'abc'", 0, 1),
        ("Output: abc", "'abc'", 0, 1),
        ("Output: 'abd'", "'abc'", 0, 0),
        ("Output: {'k': 'v'}", "{'k': 'v'}", 1, 1),
        ("The output is: ```python\n[1, 2]\n```", "[1, 2]", 0, 1),
        ("Output: [[1, 0],\n [0, 1]]", "[[1, 0], [0, 1]]", 0, 1),
        ("Analysis: it sorts.\nOutput: [3]\nThat is it.", "[3]", 0, 1),
        ("I cannot tell", "3", 0, 0),
        ("Output: 1+2", "3", 0, 0),
        ("Output: __import__('os')", "3", 0, 0),
    ],
)
def test_reading_of_replies(reply, answer, peer, ours):
    assert m.exact(reply, [answer]) == peer
    assert m.literal(reply, [answer]) == ours


def test_published_rows(tmp_path):
    spec = specs(tmp_path)[-1]
    items = make(spec).items(14)
    assert all(i.facets["shots"] == "4" and i.evidence[0].count("Input:") == 4 for i in items)
    assert all(i.question.startswith("Input:{'x': 5") or "6" in i.question for i in items)
    assert len({i.cluster for i in items}) == 14
    with pytest.raises(UserError, match="holds 14 rows"):
        make(spec).items(15)
    with pytest.raises(UserError, match="no rows of 8 shots"):
        make(spec.replace("shots=4", "shots=8")).items(1)
    pq.write_table(pa.Table.from_pylist([{"prompt": "x", "num_shots": 1}]), tmp_path / "bad.parquet")
    with pytest.raises(UserError, match="no column 'answer'"):
        make(f"mir-bench(data='{tmp_path / 'bad.parquet'}')").items(1)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("mir-bench(errors=1.5)", "from 0 to 0.9"),
        ("mir-bench(noise=prose)", "give shots="),
        ("mir-bench(mode=quiet)", "free, forced, direct"),
        ("mir-bench(data=x.parquet, steps=2)", "only shots and peer"),
    ],
)
def test_bad_settings(spec, says):
    with pytest.raises(UserError, match=says):
        make(spec)


def test_suite_by_number_of_shots():
    shots = [s.settings["shots"] for s in catalog.expand(catalog.parse("mir-shots"), "tasks")]
    assert shots == [2**k for k in range(2, 12)]


def test_examples_that_repeat(tokenizer):
    """The first four in turn, at every length; the same ones as without repeats."""
    once, again = (catalog.make(f"mir-bench(shots=12{more})", "tasks").items(1)[0] for more in ("", ", distinct=4"))
    assert again.evidence == once.evidence[:4] * 3 and len(set(once.evidence)) == 12
    task = catalog.make("mir-bench(distinct=4)", "tasks")
    (item,) = task.items(1)
    prompt = Builder(tokenizer).build(item, 4096, compose=task.compose)
    examples = re.findall(r"Input: ?(.+)\nOutput", prompt.text)
    assert len(examples) > 20 and len(set(examples[:-1])) == 4, "the last is what is asked"
