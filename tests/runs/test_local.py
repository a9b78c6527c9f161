"""Local models in a run: batches are full, times come back, their own faults stop the run."""

from __future__ import annotations

import itertools
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from leadline.nouns import Answer, UserError
from leadline.runs.execute import Run, run
from leadline.runs.plan import Plan, parse_tasks

from .server import find


class Toy:
    """Answers needle questions; keeps what it was asked at once."""

    batch_tokens = 8192
    device = SimpleNamespace(type="cpu")

    def __init__(self) -> None:
        self.batches: list[list[Any]] = []
        self.threads: set[str] = set()

    def generate(self, requests: list[Any]) -> list[Answer]:
        self.batches.append(list(requests))
        self.threads.add(threading.current_thread().name)
        time.sleep(0.02)
        head = [r.text.rpartition("\n\n")[0] + "\n" + r.text.rpartition("\n\n")[2].split("\n")[0] for r in requests]
        costs = {"prompt_tokens": 11, "output_tokens": 3, "cached_tokens": 5, "seconds": 0.5, "ttft_s": 0.25}
        return [Answer(text=find(h), token_s=0.125, peak_bytes=1000, cache_bytes=100, **costs) for h in head]


@pytest.fixture
def toy(monkeypatch) -> Toy:
    """Stands in for minnow."""
    engine = Toy()
    monkeypatch.setattr(Run, "_engine", lambda self, stack, name, method: engine)
    return engine


def plan(**changes: Any) -> Plan:
    """Several cells for minnow."""
    settings = {"models": ("minnow",), "tasks": parse_tasks("needle"), "lengths": (512, 1024), "base": (256,), "samples": 16}
    return Plan(**settings | changes)


def test_batches_and_figures(toy, tmp_path):
    result = run(plan(), tmp_path / "run")
    assert len(result) == 48 and {(r.score, r.audit) for r in result} == {(1.0, "answered")}
    sizes = [len(b) for b in toy.batches]
    # 28,672 tokens in batches of 8,192 at most, cells together.
    assert sum(sizes) == 48 and len(sizes) <= 8 and max(sizes) >= 16
    one = result[0]
    figures = (one.prompt_tokens, one.output_tokens, one.cached_tokens, one.seconds, one.ttft_s, one.token_s)
    assert figures == (11, 3, 5, 0.5, 0.25, 0.125) and (one.peak_bytes, one.cache_bytes) == (1000, 100)
    assert "MainThread" not in toy.threads
    assert len(list((tmp_path / "run/logs").iterdir())) == 1


def test_sampling_and_room_reach_the_model(toy, tmp_path):
    run(plan(lengths=(512,), base=(), samples=2, temperature=0.7, seed=3, max_output=24, thinking=8), tmp_path / "run")
    request = toy.batches[0][0]
    assert (request.temperature, request.seed, request.max_tokens, request.stop) == (0.7, 3, 32, ("\n",))
    assert request.text.endswith(" is")


def test_the_turns_of_a_conversation_reach_the_model_and_its_records(toy, tmp_path):
    result = run(
        plan(tasks=parse_tasks("scbench-set(keys=words, turns=3)"), lengths=(512,), base=(), samples=5), tmp_path / "run"
    )
    asked = sorted((r for batch in toy.batches for r in batch), key=lambda r: (r.text, len(r.turns)))
    assert sorted(len(r.turns) for r in asked) == [0, 0, 1, 1, 2]
    for request in asked:
        heads = [other.text for other in asked if other is not request and request.text.startswith(other.text)]
        assert request.turns == tuple(map(len, sorted(heads, key=len)))
        # What the next turn reads again is hinted at: all of it, but at the last.
        assert (request.shared_chars == len(request.text)) == (len(request.turns) < 2)
    assert sorted(r.facets["turn"] for r in result) == ["1", "1", "2", "2", "3"]
    assert len({r.cluster for r in result}) == 2
    # Nothing is asked again, and a larger run goes on in the same sessions.
    more = run(
        plan(tasks=parse_tasks("scbench-set(keys=words, turns=3)"), lengths=(512,), base=(), samples=6), tmp_path / "run"
    )
    assert len(more) == 6 and sum(map(len, toy.batches)) == 6


def test_what_a_model_could_not_answer_is_in_the_audit(toy, tmp_path, monkeypatch):
    def generate(requests: list[Any]) -> list[Answer]:
        return [Answer(stop="window", error="over the window of 512", prompt_tokens=600) for _ in requests]

    monkeypatch.setattr(toy, "generate", generate)
    result = run(plan(samples=2), tmp_path / "a")
    assert {(r.score, r.audit, r.error) for r in result} == {(None, "over the window", "over the window of 512")}
    monkeypatch.setattr(toy, "generate", lambda requests: [Answer(stop="error", error="out of memory") for _ in requests])
    result = run(plan(samples=2), tmp_path / "b")
    assert {(r.score, r.audit, r.error) for r in result} == {(None, "provider error", "out of memory")}


def test_a_models_own_fault_stops_the_run(toy, tmp_path, monkeypatch):
    def generate(requests: list[Any]) -> list[Answer]:
        raise ArithmeticError("a bug in a method")

    monkeypatch.setattr(toy, "generate", generate)
    with pytest.raises(ArithmeticError, match="a bug in a method"):
        run(plan(), tmp_path / "run")


def test_thinking_in_tags(toy, tmp_path, monkeypatch):
    # In turn, however the two samples fall into batches.
    texts = itertools.cycle(["<think>123456?</think> 7", "<think>123456"])

    def generate(requests: list[Any]) -> list[Answer]:
        return [Answer(text=next(texts), stop="length", prompt_tokens=1, output_tokens=1) for _ in requests]

    monkeypatch.setattr(toy, "generate", generate)
    result = run(plan(samples=2, lengths=(512,), base=()), tmp_path / "run")
    assert sorted((r.answer, r.thinking, r.audit) for r in result)[0] == ("", "123456", "thinking ran out")
    assert sorted((r.answer, r.thinking) for r in result)[1] == ("7", "123456?")


def test_in_a_running_loop(toy, tmp_path):
    import asyncio

    async def notebook() -> int:
        return len(run(plan(samples=2), tmp_path / "run"))

    assert asyncio.run(notebook()) == 6


def test_minnow_itself(tmp_path):
    pytest.importorskip("torch")
    result = run(plan(lengths=(512,), samples=4), tmp_path / "run")
    assert len(result) == 8 and {r.audit for r in result} <= {"answered", "cut off", "format not found", "empty"}
    assert all(r.tokens - 16 - 2 <= r.prompt_tokens <= r.tokens and r.ttft_s and r.peak_bytes and r.cache_bytes for r in result)
    again = run(plan(lengths=(512,), samples=4), tmp_path / "run")
    assert again == result


def test_methods_are_compared_on_the_same_prompts(tmp_path):
    pytest.importorskip("torch")
    methods = ("", "streaming-llm(recent=60)", "self-extend(group=2, window=64) + kivi(bits=4)")
    result = run(plan(lengths=(512,), base=(), samples=3, methods=methods), tmp_path / "run")
    assert {r.method for r in result} == set(methods) and len({r.cell for r in result}) == 3
    assert len({(r.item, r.sha) for r in result}) == 3
    with pytest.raises(UserError, match="no setting 'budget'"):
        run(plan(methods=("", "streaming-llm(budget=64)")), tmp_path / "wrong")
    assert not (tmp_path / "wrong").exists()
    held = {r.method: r.cache_bytes for r in result}
    assert held["streaming-llm(recent=60)"] < held[""] / 2
