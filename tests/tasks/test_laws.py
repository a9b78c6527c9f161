"""Laws that every task of the folder is held to, before its author writes a test."""

import dataclasses
import random
import shutil

import pytest

from leadline import catalog
from leadline.data.haystack import Builder
from leadline.nouns import Answer, UserError
from leadline.scoring import sandbox
from leadline.tasks.base import Task

from .conftest import SPECS, label

LENGTH = 2048


@pytest.fixture(params=SPECS, ids=label)
def task(request) -> Task:
    return catalog.make(request.param, "tasks")


def built(task: Task, tokenizer, n: int = 6, length: int = LENGTH):
    """Items with their prompts, at a length that they all fit into."""
    builder = Builder(tokenizer)
    compose = task.compose if task.grows else None
    length = max(length, 2 * task.minimum)
    items = task.items(n, seed=3)
    if task.natural:
        length = max(map(builder.minimum, items))
    return [(item, builder.build(item, length, compose=compose)) for item in items]


def grown(task: Task, item, prompt):
    """The item as it was asked: a growing one has what its prompt was composed of."""
    return dataclasses.replace(item, meta=prompt.meta) if task.grows else item


def skip_unscored(task: Task) -> None:
    """Skip tasks that cannot be scored here."""
    if task.roles and not task.without_roles:
        pytest.skip("scored by a model alone; its own test has one")
    if task.runs_code and not (sandbox.kind() == "docker" or (sandbox.kind() and shutil.which("g++"))):
        pytest.skip("no sandbox with a compiler to run code in")


def test_gold_scores_full_and_nothing_scores_nothing(task, tokenizer):
    skip_unscored(task)
    for item, prompt in built(task, tokenizer):
        item = grown(task, item, prompt)
        gold = task.gold(prompt.answers, item)
        assert task.score(prompt.answers, item, Answer(text=gold)).value == 1, gold
        if item.prefill:
            assert task.score(prompt.answers, item, Answer(text=f"{item.prefill} {gold}")).value == 1, "the prefill said again"
        empty = task.score(prompt.answers, item, Answer(text=" \n"))
        assert (empty.value, empty.audit) == (0, "empty")
        failed = task.score(prompt.answers, item, Answer(stop="error", error="500"))
        assert (failed.value, failed.audit) == (None, "provider error")


def test_another_items_gold_is_wrong(task, tokenizer):
    """A wrong answer of the right form scores at chance; by accident only some of six can be right."""
    skip_unscored(task)
    rng, values = random.Random(1), []
    for item, prompt in built(task, tokenizer):
        item = grown(task, item, prompt)
        values.append(task.score(prompt.answers, item, Answer(text=task.wrong(prompt.answers, item, rng))).value)
    assert sum(values) / len(values) <= task.chance + 0.4, values


def test_an_item_is_scored_without_its_context(task, tokenizer):
    """As prior knowledge is asked for: what grows was then never composed, and may lack its answers."""
    skip_unscored(task)
    for item in task.items(2, seed=3):
        prompt = Builder(tokenizer).bare(item)
        value = task.prior(prompt.answers, item, Answer(text="It is seven, I should think.")).value
        assert value is not None and 0 <= value <= 1


def test_evidence_lies_where_the_prompt_says(task, tokenizer):
    for item, prompt in built(task, tokenizer, n=3):
        content = prompt.messages[0]["content"]
        texts = [content[a:b] for a, b in prompt.evidence]
        assert texts or (task.natural and not item.evidence), "no evidence recorded"
        if not task.grows:
            assert sorted(texts) == sorted(item.evidence)
        assert prompt.tokens == len(tokenizer.ids(prompt.text)) + prompt.answer_tokens
        assert (0 if task.natural else 0.99) * prompt.length <= prompt.tokens <= prompt.length


def test_noise_holds_no_answer(task, tokenizer):
    """What must be avoided stands in the evidence, the distractors and the question alone."""
    for item, prompt in built(task, tokenizer, n=3):
        content = prompt.messages[0]["content"].removeprefix(item.instruction)
        for text in {*item.evidence, *item.distractors}:
            content = content.replace(text, "")
        context = content.rpartition(item.question.partition("{")[0])[0]
        for word in item.avoid:
            assert word not in context, word


def test_items_are_stable_and_named_by_content(task):
    first, again, other = task.items(8, seed=1), task.items(12, seed=1), task.items(8, seed=2)
    assert first == again[:8]
    assert len({i.id for i in again}) == 12, "two items of one name"
    # A published set has only so many rows, and another seed another order of them.
    assert task.natural or getattr(task, "data", "") or not {i.id for i in first} & {i.id for i in other}
    assert all(i.task == task.spec and i.cluster for i in first)


def test_spec_reads_back(task):
    assert catalog.make(task.spec, "tasks") == task


def test_the_same_item_at_every_length(task, tokenizer):
    if task.grows:
        pytest.skip("its evidence grows with the length, and it says so")
    if task.natural:
        pytest.skip("asked at its own length")
    builder = Builder(tokenizer)
    for item in task.items(2):
        short, long = (builder.build(item, max(length, n * task.minimum)) for length, n in ((2048, 2), (6000, 6)))
        assert short.question.split("passage")[-1][-20:] == long.question.split("passage")[-1][-20:]
        assert len(short.evidence) == len(long.evidence)
        assert all(abs(a - b) < 0.2 for a, b in zip(short.depths, long.depths, strict=True)), "the depth moved with the length"


def test_declares_itself(task):
    assert task.ability
    assert task.diffusion in {"low", "middle", "high"}
    assert task.scope in {"low", "middle", "high"}
    assert 0 <= task.chance < 1
    assert not task.natural or all(item.noise == "none" for item in task.items(2))
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
