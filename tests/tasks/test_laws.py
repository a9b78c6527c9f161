"""Laws that every task of the folder is held to, before its author writes a test."""

import dataclasses

import pytest

from leadline import catalog
from leadline.data.haystack import Builder
from leadline.nouns import Answer, UserError
from leadline.tasks.base import Task

SPECS = [e.id for e in catalog.entries("tasks").values() if not e.members] + [
    "needle(needles=4)",
    "needle(values=uuid, wording=unseen)",
    "kv-retrieval(haystack=records)",
    "kv-retrieval(keys=uuid)",
    "variable-tracking(hops=0, chains=1)",
    "multi-doc-qa(hops=3)",
    "single-doc-qa(named=true)",
]


@pytest.fixture(params=SPECS)
def task(request) -> Task:
    return catalog.make(request.param, "tasks")


def built(task: Task, tokenizer, n: int = 6, length: int = 2048):
    builder = Builder(tokenizer)
    compose = task.compose if task.grows else None
    return [(item, builder.build(item, length, compose=compose)) for item in task.items(n, seed=3)]


def test_gold_scores_full_and_nothing_scores_nothing(task, tokenizer):
    for item, prompt in built(task, tokenizer):
        gold = ", ".join(prompt.answers)
        assert task.score(prompt.answers, item, Answer(text=gold + ".")).value == 1, gold
        assert task.score(prompt.answers, item, Answer(text=f"{item.prefill} {gold}.")).value == 1, "the prefill said again"
        empty = task.score(prompt.answers, item, Answer(text=" \n"))
        assert (empty.value, empty.audit) == (0, "empty")
        failed = task.score(prompt.answers, item, Answer(stop="error", error="500"))
        assert (failed.value, failed.audit) == (None, "provider error")


def test_another_items_gold_is_wrong(task, tokenizer):
    """A wrong answer of the right form scores at chance; by accident only some of six can be right."""
    pairs = built(task, tokenizer)
    values = []
    for (item, prompt), (_, other) in zip(pairs, pairs[1:] + pairs[:1], strict=True):
        score = task.score(prompt.answers, item, Answer(text=", ".join(other.answers) + "."))
        values.append(score.value)
    assert sum(values) / len(values) <= max(0.4, task.chance + 0.4), values


def test_evidence_lies_where_the_prompt_says(task, tokenizer):
    for item, prompt in built(task, tokenizer, n=3):
        content = prompt.messages[-1]["content"]
        texts = [content[a:b] for a, b in prompt.evidence]
        assert texts, "no evidence recorded"
        if not task.grows:
            assert sorted(texts) == sorted(item.evidence)
        assert prompt.tokens == len(tokenizer.ids(prompt.text)) + item.answer_tokens
        assert 0.99 * prompt.length <= prompt.tokens <= prompt.length


def test_noise_holds_no_answer(task, tokenizer):
    """What must be avoided stands in the evidence, the distractors and the question alone."""
    for item, prompt in built(task, tokenizer, n=3):
        content = prompt.messages[-1]["content"].removeprefix(item.instruction)
        for text in {*item.evidence, *item.distractors}:
            content = content.replace(text, "")
        context = content.rpartition(item.question.partition("{")[0])[0]
        for word in item.avoid:
            assert word not in context, word


def test_items_are_stable_and_named_by_content(task):
    first, again, other = task.items(8, seed=1), task.items(12, seed=1), task.items(8, seed=2)
    assert first == again[:8]
    assert len({i.id for i in again}) == 12, "two items of one name"
    assert not {i.id for i in first} & {i.id for i in other}
    assert all(i.task == task.spec and i.cluster for i in first)


def test_spec_reads_back(task):
    assert catalog.make(task.spec, "tasks") == task


def test_the_same_item_at_every_length(task, tokenizer):
    if task.grows:
        pytest.skip("its evidence grows with the length, and it says so")
    builder = Builder(tokenizer)
    for item in task.items(2):
        short, long = (builder.build(item, length) for length in (2048, 6000))
        assert short.question.split("passage")[-1][-20:] == long.question.split("passage")[-1][-20:]
        assert len(short.evidence) == len(long.evidence)
        assert all(abs(a - b) < 0.2 for a, b in zip(short.depths, long.depths, strict=True)), "the depth moved with the length"


def test_declares_itself(task):
    assert task.ability
    assert task.diffusion in {"low", "middle", "high"}
    assert task.scope in {"low", "middle", "high"}
    assert 0 <= task.chance < 1
    for f in dataclasses.fields(task):
        assert f.name in type(task).__doc__ or any(f.name in (c.__doc__ or "") for c in type(task).__mro__), (
            f"{f.name} has no word"
        )


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("needle(needles=0)", "from 1 to 16"),
        ("needle(needels=2)", "needles"),
        ("needle(values=roman)", "number, uuid"),
        ("kv-retreival", "kv-retrieval"),
        ("kv-retrieval(haystack=records, keys=uuid)", "words"),
        ("needle(needles=", "write name"),
        ("needle(4)", "setting=value"),
        ("needle(needles=two)", "must be int"),
    ],
)
def test_what_is_wrong_is_said(spec, says):
    with pytest.raises(UserError, match=says):
        catalog.make(spec, "tasks")


def test_suite_stands_for_its_tasks():
    members = catalog.expand(catalog.parse("100-longbench(wording=unseen)"), "tasks")
    assert len(members) == 8
    assert all(catalog.make(m, "tasks").wording == "unseen" for m in members)
