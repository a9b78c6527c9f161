"""Runs against a server that misbehaves: no wrong score, all in the audit, the run ends and tells."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import time
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from leadline import catalog
from leadline.nouns import UserError
from leadline.runs import prompts, records
from leadline.runs.execute import Progress, Run, run
from leadline.runs.plan import cells, dry_run, parse_tasks

from .conftest import KEY


def everything(folder: Path) -> bytes:
    """All that a run wrote, logs unpacked."""
    text = b""
    for path in folder.rglob("*"):
        if path.suffix == ".eval":
            with zipfile.ZipFile(path) as pack:
                text += b"".join(pack.read(name) for name in pack.namelist())
        elif path.is_file():
            text += path.read_bytes()
    return text


def test_a_good_server(serve, plan, tmp_path):
    server = serve()
    seen: list[Progress] = []
    result = run(plan(server), tmp_path / "run", seen.append)
    assert not {r.error for r in result} - {""}
    assert Counter((r.length, r.score, r.audit) for r in result) == {(n, 1.0, "answered"): 4 for n in (256, 512, 1024)}
    assert [r.base for r in result if r.length != 512] == [True] * 4 + [False] * 4
    assert [p.done for p in seen] == list(range(1, 13)) and seen[-1].total == 12
    assert server.most_at_once <= 4 and set(server.asked.values()) == {1}
    assert server.bodies[0] == {"model": "m", "max_tokens": 16, "temperature": 0.0, "stop": ["\n"]}
    assert records.load(tmp_path / "run") == result
    one = result[0]
    assert one.prompt_tokens == 100 and one.output_tokens == 7 and one.seconds > 0
    assert one.answers[0] in one.evidence[0] and len(one.sha) == 16
    written = json.loads((tmp_path / "run/run.json").read_text())
    assert written["status"] == "finished" and written["notes"] == []
    assert written["tasks"]["needle"]["version"] == 1
    assert ("torch" in written["versions"]) == ("torch" in sys.modules), "an endpoint's run has no need of torch"


FAULTS = {
    "429": ("provider error", None, "RateLimitError", 3),
    "500": ("provider error", None, "InternalServerError", 3),
    "hung": ("provider error", None, "attempt_timeout", 3),
    "cut": ("provider error", None, "Connection error", 3),
    "garbage": ("provider error", None, "JSONDecodeError", 3),
    "notjson": ("provider error", None, "It works!", 3),
    "nochoices": ("provider error", None, "(3 attempts)", 3),
    "echo-400": ("provider error", None, "400", 1),
    "over": ("over the window", None, "maximum context length", 1),
    "over-vllm": ("over the window", None, "maximum context length", 1),
    "over-llamacpp": ("over the window", None, "context size", 1),
    "filter": ("refused", None, "filter", 1),
    "filter-400": ("refused", None, "filtered", 1),
    "empty": ("empty", 0.0, "", 1),
    "none": ("empty", 0.0, "", 1),
    "cut-off": ("cut off", 0.0, "", 1),
    "thinking": ("thinking ran out", 0.0, "", 1),
    "think-tags": ("thinking ran out", 0.0, "", 1),
    "wrong": ("answered", 0.0, "", 1),
    "slow": ("answered", 1.0, "", 1),
    "thought": ("answered", 1.0, "", 1),
    "surrogate": ("answered", 1.0, "", 1),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_every_second_answer(fault, serve, plan, tmp_path):
    audit, score, said, tries = FAULTS[fault]
    bad: dict[str, bool] = {}

    def behave(prompt: str, times: int) -> str:
        return fault if bad.setdefault(prompt, len(bad) % 2 == 0) else "ok"

    server = serve(behave)
    timeout = 1 if fault == "hung" else 20
    result = run(plan(server, lengths=(512,), base=(), timeout_s=timeout), tmp_path / "run")
    hit = [r for r in result if (r.score, r.audit) == (score, audit)]
    rest = [r for r in result if (r.score, r.audit) == (1.0, "answered")]
    if audit != "answered" or score == 0.0:
        assert len(hit) == len(rest) == 2
        assert sorted(server.asked.values()) == [1, 1, tries, tries]
        assert all(said in r.error and "\n" not in r.error and len(r.error) < 330 for r in hit)
        assert all(r.error for r in hit) == bool(said)
    else:
        assert len(hit) == 4
    notes = json.loads((tmp_path / "run/run.json").read_text())["notes"]
    assert (len(notes) == 1 and audit in notes[0]) if score is None else notes == []
    if "think" in fault:
        assert all("Let me think" in r.thinking and r.answer == "" for r in hit)
    if fault == "surrogate":
        assert sum("? half a character" in r.answer for r in result) == 2


def test_faults_that_pass_are_tried_again(serve, plan, tmp_path):
    server = serve(lambda prompt, times: "500" if times == 1 else "ok")
    result = run(plan(server, lengths=(512,), base=()), tmp_path / "run")
    assert [r.score for r in result] == [1.0] * 4 and set(server.asked.values()) == {2}


def test_what_failed_is_asked_again_by_the_next_run(serve, plan, tmp_path):
    server = serve(lambda prompt, times: "500" if times <= 3 and "1" in prompt[-9:] else "429" if times <= 3 else "ok")
    first = run(plan(server, lengths=(512,), base=()), tmp_path / "run")
    assert {r.audit for r in first} == {"provider error"}
    again = run(plan(server, lengths=(512,), base=()), tmp_path / "run")
    assert [r.score for r in again] == [1.0] * 4 and records.load(tmp_path / "run") == again


@pytest.mark.parametrize(("fault", "said"), [("401", "key was not accepted"), ("404", "no such model")])
def test_a_wrong_key_or_model_ends_the_run_at_once(fault, said, serve, plan, tmp_path):
    server = serve(fault)
    with pytest.raises(UserError, match=said):
        run(plan(server, samples=30), tmp_path / "run")
    assert server.asked.total() <= 8
    assert json.loads((tmp_path / "run/run.json").read_text())["status"] == "stopped"
    server.behave = "ok"
    assert {r.score for r in run(plan(server), tmp_path / "run")} == {1.0}


def test_a_missing_key_and_an_unknown_provider(serve, plan, tmp_path, monkeypatch):
    server = serve()
    with pytest.raises(UserError, match="nothere"):
        run(plan(server, models=("nothere/m",)), tmp_path / "a")
    monkeypatch.delenv("TOY_API_KEY")
    with pytest.raises(UserError, match="TOY_API_KEY"):
        run(plan(server), tmp_path / "b")


@pytest.mark.parametrize("fault", ["echo-500", "echo-400", "401", "ok"])
def test_no_key_is_written_anywhere(fault, serve, plan, tmp_path):
    server = serve(fault)
    url = server.url.replace("http://", "http://user:pass-9876-word@")
    with pytest.raises(UserError) if fault == "401" else open("/dev/null"):
        run(plan(server, base_url=url, lengths=(512,), base=(), samples=2), tmp_path / "run")
    assert KEY in server.headers[0].get("Authorization", server.headers[0].get("authorization", "")) or "user" in str(
        server.headers[0]
    )
    found = everything(tmp_path / "run")
    assert KEY.encode() not in found and b"pass-9876" not in found


@pytest.mark.parametrize(("fault", "audit"), [("500", "provider error"), ("echo-400", "provider error"), ("ok", "answered")])
def test_twenty_prompts_of_a_million_tokens_cost_little(fault, audit, serve, plan, tmp_path, monkeypatch):
    """The conformance test for a new Inspect: it once took 330 s and 239 MB of log, each failing prompt logged whole."""
    big = "It was a grey morning by the sea, and nobody was there. " * 75_000
    server = serve("wrong" if fault == "ok" else fault)
    built = Run._build

    def build(self, cell, place):
        prompt = built(self, cell, place)
        messages = ({"role": "user", "content": big + prompt.messages[0]["content"]},)
        return dataclasses.replace(prompt, messages=messages, text=big + prompt.text)

    monkeypatch.setattr(Run, "_build", build)
    begun = time.perf_counter()
    result = run(plan(server, lengths=(512,), base=(), samples=20, max_retries=1, timeout_s=60), tmp_path / "run")
    wall = time.perf_counter() - begun
    logs = sum(p.stat().st_size for p in (tmp_path / "run").rglob("*") if p.is_file())
    assert Counter(r.audit for r in result) == {audit: 20} and len(server.asked) == 20
    assert wall < 10 and logs < 200_000, (wall, logs)


def test_more_samples_and_more_lengths_top_up(serve, plan, tmp_path):
    server = serve()
    run(plan(server, samples=2, lengths=(512,)), tmp_path / "run")
    result = run(plan(server, samples=5, lengths=(512, 1024), base=(512,)), tmp_path / "run")
    assert set(server.asked.values()) == {1} and len(server.asked) == 2 + 5 + 5
    assert Counter((r.length, r.base) for r in result) == {(512, True): 5, (1024, False): 5}


def test_a_changed_plan_is_never_mixed_with_the_old_one(serve, plan, tmp_path):
    server = serve()
    run(plan(server), tmp_path / "run")
    for change in ({"seed": 1}, {"temperature": 0.5}, {"max_output": 20}, {"thinking": 64}, {"prefill": "on"}, {"depth": 0.5}):
        before = server.asked.total()
        result = run(plan(server, **change), tmp_path / "run")
        assert server.asked.total() == before + 12 and len(result) == 12
    assert len((tmp_path / "run/journal.jsonl").read_text().splitlines()) == 7 * 12
    assert records.load(tmp_path / "run") == result


def test_keys_hold_the_task_version(serve, plan, tmp_path, monkeypatch):
    p = plan(serve())
    before = {c.key for c in cells(p)}
    assert before == {c.key for c in cells(p)}
    monkeypatch.setattr(catalog.load("needle", "tasks"), "version", 99)
    assert not before & {c.key for c in cells(p)}


def test_prompts_that_changed_under_the_same_key_are_refused(serve, plan, tmp_path, monkeypatch):
    server = serve()
    run(plan(server, samples=2), tmp_path / "run")
    with Run(plan(server, samples=3), tmp_path / "run") as work:
        other = dataclasses.replace(work.plan, seed=5)
        work.builders["openai-api/toy/m"] = prompts.builder_of(other, "openai-api/toy/m")
        with pytest.raises(UserError, match="no longer built"):
            work.ask({cell: 3 for cell in work.cells})


def test_limits_are_kept_and_lifted(serve, plan, tmp_path):
    server = serve()
    result = run(plan(server, lengths=(512,), base=(), samples=10, max_tokens_total=1024 + 50), tmp_path / "run")
    # The first two hold 512 each while they are asked; what they really cost makes room for others.
    assert 2 <= len(result) < 10 and sum(r.prompt_tokens + r.output_tokens for r in result) <= 1074
    status = json.loads((tmp_path / "run/run.json").read_text())
    assert status["status"] == "limit reached" and "were not asked" in status["notes"][0]
    assert len(run(plan(server, lengths=(512,), base=(), samples=10), tmp_path / "run")) == 10
    assert set(server.asked.values()) == {1}


def test_cost(serve, plan, tmp_path):
    server = serve()
    with pytest.raises(UserError, match="prices"):
        plan(server, max_cost=1.0)
    priced = plan(server, lengths=(512,), base=(), samples=4, prices=(10.0, 40.0), max_cost=0.012)
    estimates = dry_run(priced)
    assert server.asked.total() == 0
    assert [(e.samples, e.tokens) for e in estimates] == [(4, 2048)]
    assert estimates[0].cost == pytest.approx((4 * (512 - 16) * 10 + 4 * 16 * 40) / 1e6)
    result = run(priced, tmp_path / "run")
    assert len(result) < 4 or sum(r.cost for r in result) <= 0.012
    assert all(r.cost == pytest.approx((100 * 10 + 7 * 40) / 1e6) for r in result)
    assert dry_run(priced, tmp_path / "run")[0].samples == 4 - len(result)


def test_cost_of_answers_that_grow_is_held(serve, plan, tmp_path):
    """A growing task's first item says 128 tokens of answer, its prompts of 8k over two thousand: no sample fits a limit between."""
    server = serve()
    grown = plan(
        server, tasks=parse_tasks("longgenbench"), lengths=(8192,), base=(), samples=2, prices=(0.0, 1.0), max_cost=0.001
    )
    assert run(grown, tmp_path / "run") == [] and server.asked.total() == 0


def test_a_length_under_the_tasks_minimum_is_told(serve, plan, tmp_path):
    server = serve()
    result = run(plan(server, base=(64,), lengths=(512,)), tmp_path / "run")
    assert {r.length for r in result} == {512}
    assert "needs 256 tokens" in json.loads((tmp_path / "run/run.json").read_text())["notes"][0]


def test_prior_knowledge(serve, plan, tmp_path):
    server = serve(lambda prompt, times: "ok" if len(prompt) > 400 else "wrong")
    result = run(plan(server, lengths=(512,), base=(256,), prior=True), tmp_path / "run")
    assert len(result) == 8 and len(server.asked) == 12
    assert {(r.score, r.prior) for r in result} == {(1.0, 0.0)}
    assert records.load(tmp_path / "run") == result


def test_several_questions_over_one_haystack(serve, plan, tmp_path):
    server = serve()
    result = run(plan(server, lengths=(1024,), base=(), samples=5, questions=3), tmp_path / "run")
    assert [r.score for r in result] == [1.0] * 5
    heads = Counter(prompt.rpartition("\n")[0] for prompt in server.asked)
    assert sorted(heads.values()) == [2, 3]
    run(plan(server, lengths=(1024,), base=(), samples=6, questions=3), tmp_path / "run")
    heads = Counter(prompt.rpartition("\n")[0] for prompt in server.asked)
    assert sorted(heads.values()) == [3, 3]


def test_a_users_mistakes_in_a_plan(serve, plan):
    server = serve()
    for change, said in [
        ({"models": ("gpt",)}, "unknown model 'gpt'"),
        ({"tokenizer": ""}, "--tokenizer"),
        ({"samples": 0}, "samples"),
        ({"lengths": ()}, "no lengths"),
        ({"temperature": 3.0}, "temperature"),
        ({"depth": 1.5}, "depth"),
        ({"pipeline": "nothing"}, "unknown pipeline"),
    ]:
        with pytest.raises(UserError, match=said):
            plan(server, **change)
    with pytest.raises(UserError, match="unknown task"):
        parse_tasks("neddle")


def test_an_endpoint_needs_no_torch(tmp_path):
    code = "import sys, leadline.runs.execute, leadline.runs.search; assert 'torch' not in sys.modules and 'inspect_ai' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_ours_to_answer_for_is_raised(serve, plan, tmp_path, monkeypatch):
    def broken(*args):
        raise ZeroDivisionError("a bug in a scorer")

    monkeypatch.setattr(catalog.load("needle", "tasks"), "grade", broken)
    with pytest.raises(ZeroDivisionError, match="a bug in a scorer"):
        run(plan(serve()), tmp_path / "run")


PIPELINE = '''
"""Asks about the first half, then about the whole."""
from dataclasses import dataclass

@dataclass(frozen=True, kw_only=True)
class Twice:
    times: int = 2

    async def answer(self, prompt, ask):
        first = await ask(f"Say a number. {prompt.question}", max_tokens=5)
        assert first.text
        return await ask(prompt)
'''


def test_a_pipeline_asks_as_often_as_it_likes(serve, plan, tmp_path):
    (tmp_path / "twice.py").write_text(PIPELINE)
    server = serve(lambda prompt, times: "wrong" if prompt.startswith("Say") else "ok")
    spec = f"{tmp_path / 'twice.py'}(times=3)"
    result = run(plan(server, lengths=(512,), base=(), pipeline=spec), tmp_path / "run")
    assert [r.score for r in result] == [1.0] * 4 and {r.pipeline for r in result} == {spec}
    assert server.asked.total() == 8
    assert {b["max_tokens"] for b in server.bodies} == {5, 16}
    with pytest.raises(UserError, match="no setting 'tmes'"):
        run(plan(server, pipeline=spec.replace("times", "tmes")), tmp_path / "other")
