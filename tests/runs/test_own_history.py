"""Conversations with the model's own replies: each turn stands on what was said to those before it, asked once, resumed, limited."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import threading
from collections import Counter
from typing import Any

import pytest

from leadline import catalog
from leadline.data.haystack import Builder
from leadline.nouns import Turn, UserError
from leadline.runs import prompts
from leadline.runs.execute import run
from leadline.runs.plan import cells, items_of, parse_tasks
from tests.tasks.fixtures.scbench_set import write

from .server import Server

TASK = "scbench-set(keys=words, turns=3, history=own)"


class Talker(Server):
    """Says something else to every conversation, and keeps what was said to it."""

    def __init__(self, behave: Any = "talk") -> None:
        super().__init__(behave)
        self.talks: list[list[dict[str, str]]] = []
        self.guard = threading.Lock()

    def do_talk(self, handler: Any, body: Any, prompt: str) -> None:
        with self.guard:
            self.talks.append(body["messages"])
        self.complete(handler, body, reply(body["messages"]))

    def do_long(self, handler: Any, body: Any, prompt: str) -> None:
        self.complete(handler, body, "much more than was asked for " * 60)


def reply(messages: list[dict[str, str]]) -> str:
    return hashlib.sha256(json.dumps([m["content"] for m in messages]).encode()).hexdigest()[:12]


@pytest.fixture
def own(plan):
    """A plan of one task with own replies."""
    return lambda server, **changes: plan(
        server,
        **{"tasks": parse_tasks(TASK), "lengths": (512, 1024), "base": (), "samples": 7, "prefill": "off", **changes},
    )


def turn(prompt: str) -> int:
    """Which turn a request is, 0 on; of a joined prompt of user messages."""
    return prompt.count("\nWhat is the ") - 1


def test_each_turn_stands_on_the_replies_before(own, tmp_path):
    with Talker() as server:
        result = run(own(server), tmp_path / "run")
    assert Counter((r.length, r.facets["turn"], r.audit) for r in result) == {
        (n, t, "answered"): 3 if t == "1" else 2 for n in (512, 1024) for t in "123"
    }
    assert len(server.talks) == 14, "every turn is asked once"
    assert Counter(map(len, server.talks)) == {1: 6, 3: 4, 5: 4}
    for talk in server.talks:
        assert [m["role"] for m in talk] == ["user", "assistant", "user", "assistant", "user"][: len(talk)]
        for i in range(1, len(talk), 2):
            assert talk[i]["content"] == reply(talk[:i]), "a reply that was given to another prompt"
    by_item = {(r.length, r.item): r for r in result}
    for record in result:
        assert record.answer not in record.answers and record.score == 0
        text = prompts.whole(tmp_path / "run", record.prompt)
        items = catalog.make(TASK, "tasks").items(9)
        item = next(i for i in items if i.id == record.item)
        session = [i for i in items if i.cluster == item.cluster]
        for before, said in zip(session, item.turns, strict=False):
            assert by_item[record.length, before.id].answer in text and f"\n{said.answer}" not in text
        assert record.tokens <= record.length


def test_what_failed_takes_the_turns_after_it_along_and_is_asked_again(own, tmp_path):
    # The second turn of every conversation fails.
    with Talker(lambda prompt, times: "500" if turn(prompt) == 1 else "talk") as server:
        result = run(own(server, lengths=(512,), samples=6, max_retries=0), tmp_path / "run")
        assert Counter((r.facets["turn"], r.audit) for r in result) == {
            ("1", "answered"): 2, ("2", "provider error"): 2, ("3", "provider error"): 2
        }  # fmt: skip
        assert all(r.error.startswith("an earlier turn has no reply: ") for r in result if r.facets["turn"] == "3")
        assert server.asked.total() == 4
        server.behave = "talk"
        again = run(own(server, lengths=(512,), samples=6, max_retries=0), tmp_path / "run")
    assert {r.audit for r in again} == {"answered"} and server.asked.total() == 8
    assert {r.answer for r in result if r.facets["turn"] == "1"} == {r.answer for r in again if r.facets["turn"] == "1"}
    for talk in server.talks:
        assert all(talk[i]["content"] == reply(talk[:i]) for i in range(1, len(talk), 2)), "from the journal"


def test_limits_refuse_each_sample_once(own, tmp_path):
    with Talker() as server:
        some = run(own(server, lengths=(512,), samples=6, max_connections=1, max_tokens_total=700), tmp_path / "run")
        asked = len(some)
        assert asked == 2, "each takes 107 tokens, and 512 are held for the next"
        notes = json.loads((tmp_path / "run/run.json").read_text())["notes"]
        assert f"{6 - asked} samples were not asked" in notes[0]
        assert len(run(own(server, lengths=(512,), samples=6, max_connections=1), tmp_path / "run")) == 6
    assert server.asked.total() == 6


def test_replies_of_any_kind(own, tmp_path):
    with Talker(lambda prompt, times: "long" if turn(prompt) == 0 else "talk") as server:
        result = run(own(server, lengths=(512,), samples=3), tmp_path / "long")
    assert [r.audit for r in sorted(result, key=lambda r: r.facets["turn"])] == ["answered", *["over the window"] * 2]
    assert any("one was longer than its room" in r.error for r in result)
    with Talker(lambda prompt, times: "empty" if turn(prompt) == 0 else "talk") as server:
        run(own(server, lengths=(512,), samples=3), tmp_path / "empty")
    assert [talk[1]["content"] for talk in server.talks] == [prompts.NOTHING] * 2
    with Talker() as server:
        run(own(server, lengths=(512,), samples=3, max_output=9), tmp_path / "room")
    assert {body["max_tokens"] for body in server.bodies} == {9}


def test_a_length_too_short_is_told_before_anything_is_asked(own, tmp_path):
    write(tmp_path)
    # Published contexts among passages have no minimum of their own that holds for all.
    spec = f"scbench-set(kind=repoqa, history=own, noise=passages, data={str(tmp_path)!r})"
    with Talker() as server, pytest.raises(UserError, match="was asked for at 2048"):
        run(own(server, tasks=parse_tasks(spec), lengths=(2048,), samples=3), tmp_path / "run")
    assert not server.talks


@pytest.mark.parametrize(
    "name", ["minnow", "bytes-plain", "bytes-chatml", "pieces-plain", "pieces-headers", "unigram-brackets", "merges-chatml"]
)
def test_prompts_are_those_of_a_conversation_that_went_so(name, tokenizer, tokenizer_of, tmp_path):
    """Against the slow way: the item with the replies for its turns, built anew over a context that nothing fills."""
    write(tmp_path)
    task = catalog.make(f"scbench-set(kind=kv, turns=4, history=own, data={str(tmp_path)!r})", "tasks")
    builder = Builder(tokenizer if name == "minnow" else tokenizer_of(name))
    items = task.items(4, seed=2)
    built = builder.build_shared(items, 20_000)
    said = ["some\nlines of reply", "no", "a much longer reply than any right one would be, " * 3]
    rooms = [b.answer_tokens - a.answer_tokens for a, b in zip([dataclasses.replace(built[0], answer_tokens=0), *built], built)]  # noqa: B905
    assert rooms == [150] * 4
    for k in range(4):
        got = prompts.talked(builder, built[: k + 1], said[:k])
        turns = tuple(Turn(t.question, s.strip(), t.prefill) for t, s in zip(items[k].turns, said, strict=False))
        want = builder.build(dataclasses.replace(items[k], turns=turns, answer_tokens=150), 20_000)
        assert (got.messages, got.text, got.turns, got.tokens) == (want.messages, want.text, want.turns, want.tokens)
        assert got.sha == want.sha and got.evidence == want.evidence
        # What a later turn reads again ends with this one's question.
        if k < 3:
            after = prompts.talked(builder, built[: k + 2], said[: k + 1])
            assert got.shared_chars == after.turns[-1] and got.text[: got.shared_chars] == after.text[: got.shared_chars]
        else:
            assert got.shared_chars == built[3].shared_chars


def test_room_is_kept_for_all_replies(plan, serve):
    for max_output, room in ((None, 24), (10, 10)):
        one = plan(serve(), tasks=parse_tasks(TASK), max_output=max_output)
        assert [i.answer_tokens for i in items_of(one, one.tasks[0], 4)] == [room, 2 * room, 3 * room] * 2
    gold = plan(serve(), tasks=parse_tasks("scbench-set(keys=words, turns=3)"))
    assert {i.answer_tokens for i in items_of(gold, gold.tasks[0], 3)} == {24}
    cell = cells(one)[0]
    built = prompts.build(one, prompts.builder_of(one, cell.model), cell, 2)
    assert "no reply" not in built.text and len(built.turns) == 2, "without replies the right answers stand there"


def test_minnow_goes_on_from_its_own_replies(tmp_path):
    pytest.importorskip("torch")
    from leadline.runs.plan import Plan

    own = Plan(
        models=("minnow",), tasks=parse_tasks(TASK), lengths=(480,), samples=12, methods=("", "snapkv(budget=64)"), device="cpu"
    )
    result = run(own, tmp_path / "run")
    means = {
        (method, t): sum(r.score for r in result if (r.method, r.facets["turn"]) == (method, t)) / 4
        for method in own.methods
        for t in "123"
    }
    assert all(means["", t] >= 0.75 for t in "123"), means
    assert means["snapkv(budget=64)", "1"] >= 0.75 and max(means["snapkv(budget=64)", t] for t in "23") <= 0.5, means
