"""Models in roles, seen working end to end: a judge, a sage and the tested model are three names on a real local server."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from leadline import catalog, cli
from leadline.nouns import UserError
from leadline.runs import records
from leadline.runs.execute import run
from leadline.runs.plan import Plan, cells, parse_tasks
from leadline.scoring.safety import rates
from tests.tasks.fixtures.longemotion_part import write as write_longemotion
from tests.tasks.fixtures.longsafety_case import write as write_longsafety

from .server import Server

JUDGE = "openai-api/court/judge-1"
FULL = '{"coverage": "FULL_COVERAGE", "bullet_id": 1}'


class Cast(Server):
    """Each model says what its lines give for a prompt; a number instead is an error of that status."""

    def __init__(self, **lines: Callable[[str], str | int] | str | int) -> None:
        super().__init__("play")
        self.lines = lines
        self.heard: list[tuple[str, str]] = []
        """Who was asked what."""

    def do_play(self, handler: Any, body: Any, prompt: str) -> None:
        who = body["model"]
        self.heard.append((who, prompt))
        line = self.lines[who.replace("-", "_")]
        said = line(prompt) if callable(line) else line
        if isinstance(said, int):
            self.error(handler, said, "no")
        else:
            self.complete(handler, body, said)

    def count(self, who: str) -> int:
        return sum(name == who for name, _ in self.heard)


@pytest.fixture
def cast(serve, monkeypatch):
    """Start a cast; the roles' services are at the same address, told by their own variables."""
    import contextlib

    stack = contextlib.ExitStack()

    def start(**lines: Any) -> Cast:
        server = stack.enter_context(Cast(**lines))
        for service in ("COURT", "CLOISTER"):
            monkeypatch.setenv(f"{service}_BASE_URL", server.url)
            monkeypatch.setenv(f"{service}_API_KEY", f"sk-{service.lower()}-0123456789")
        return server

    with stack:
        yield start


def planned(server: Server, tasks: str, **changes: Any) -> Plan:
    settings: dict[str, Any] = {
        "models": ("openai-api/toy/m",),
        "tasks": parse_tasks(tasks),
        "lengths": (1400,),
        "samples": 2,
        "tokenizer": "minnow",
        "base_url": server.url,
        "max_connections": 4,
        "max_retries": 1,
        "timeout_s": 20,
    }
    return Plan(**settings | changes)


def test_a_judge_scores(cast, tmp_path):
    """The tested model says one bullet that cites document 1; the judge finds every insight in it."""
    server = cast(m="- They speak of carts [1].", judge_1=FULL)
    plan = planned(server, "summhay(insights=2, documents=2)", roles={"judge": JUDGE})
    result = run(plan, tmp_path / "run")
    assert [r.audit for r in result] == ["answered"] * 2 and not any(r.error for r in result)
    for r in result:
        assert r.roles == {"judge": JUDGE} and r.model == "openai-api/toy/m"
        held = [{int(n) for n in answer.replace("]", " ").split("[")[1:]} for answer in r.answers]
        joint = [2 * (1 in h) / (1 + len(h)) for h in held]
        assert r.parts["coverage"] == 1 and r.score == pytest.approx(sum(joint) / 2) == pytest.approx(r.parts["citation"])
        assert r.prompt_tokens == 100, "what the judge reads is not the tested model's"
    assert server.count("m") == 2 and server.count("judge-1") == 4
    asked = [text for who, text in server.heard if who == "judge-1"]
    assert all("They speak of carts [1]." in text for text in asked)
    assert sorted(sum((text.count(i) for text in asked), 0) for r in result for i in [r.answers[0].rpartition(" ")[0]]) == [
        1,
        1,
    ]
    assert records.load(tmp_path / "run") == result
    assert json.loads((tmp_path / "run/run.json").read_text())["plan"]["roles"] == {"judge": JUDGE}


def test_nothing_is_asked_again_but_by_another_judge(cast, tmp_path):
    server = cast(m="- a [1].", judge_1=FULL, judge_2='{"coverage": "NO_COVERAGE", "bullet_id": "NA"}')
    plan = planned(server, "summhay(insights=2, documents=2)", roles={"judge": JUDGE})
    run(plan, tmp_path / "run")
    run(plan, tmp_path / "run")
    assert server.count("m") == 2 and server.count("judge-1") == 4
    other = planned(server, "summhay(insights=2, documents=2)", roles={"judge": "openai-api/court/judge-2"})
    assert {c.key for c in cells(other)}.isdisjoint(c.key for c in cells(plan))
    assert [r.score for r in run(other, tmp_path / "run")] == [0.0, 0.0] and server.count("judge-2") == 4
    bare = planned(server, "summhay(insights=2, documents=2)")
    assert all(not r.roles for r in run(bare, tmp_path / "run")) and server.count("judge-2") == 4, (
        "scored exactly, without a judge"
    )


@pytest.mark.parametrize("line", [500, "I would rather not say."])
def test_a_judge_that_fails_is_no_score_and_is_asked_again_later(cast, tmp_path, line):
    server = cast(m="- a [1].", judge_1=line)
    plan = planned(server, "summhay(insights=2, documents=2)", roles={"judge": JUDGE})
    result = run(plan, tmp_path / "run")
    assert [(r.score, r.audit, r.stop) for r in result] == [(None, "provider error", "stop")] * 2
    assert all("judge openai-api/court/judge-1" in r.error for r in result)
    notes = json.loads((tmp_path / "run/run.json").read_text())["notes"]
    assert any("2 of 2 samples: provider error" in n and "judge-1" in n for n in notes)
    server.lines["judge_1"] = FULL
    again = run(plan, tmp_path / "run")
    assert [r.audit for r in again] == ["answered"] * 2 and all(not r.error for r in again)
    assert server.count("m") == 4, "the sample is asked anew"


def test_the_tested_models_fault_reaches_no_judge(cast, tmp_path):
    server = cast(m=500, judge_1=FULL)
    plan = planned(server, "summhay(insights=2, documents=2)", roles={"judge": JUDGE})
    assert [r.audit for r in run(plan, tmp_path / "run")] == ["provider error"] * 2
    assert server.count("judge-1") == 0


def test_judged_alone(cast, tmp_path):
    """LongSafety in its three places: unsafe where the request stands in front of the context, by the script."""
    write_longsafety(tmp_path)

    def judge(text: str) -> str:
        if "[Judgment]" not in text:
            return "Nothing much."
        return "1" if "from the front" in text else "0"

    def tested(text: str) -> str:
        return "from the front" if text.startswith("Based on the following long context") else "from elsewhere"

    server = cast(m=tested, judge_1=judge)
    tasks = f"longsafety(data={tmp_path})"
    with pytest.raises(UserError, match="--role judge=MODEL"):
        run(planned(server, tasks, lengths=(8192,)), tmp_path / "run")
    result = run(planned(server, tasks, lengths=(8192,), samples=6, roles={"judge": JUDGE}), tmp_path / "run")
    assert Counter(r.audit for r in result) == {"answered": 18}
    got = rates(result, "category")
    assert (got[""].front, got[""].end, got[""].alone, got[""].both, got[""].n) == (0, 1, 1, 0, 6)
    assert {"Bias", "Toxicity", "Privacy & Property"} & set(got)
    assert server.count("judge-1") == 6 * (3 + 3 + 2)


def test_a_sage_helps_a_pipeline(cast, tmp_path):
    write_longemotion(tmp_path)
    server = cast(m='{"Emotion": "Joy"}', sage="She is glad of it.")
    tasks = f"longemotion-part(data={tmp_path})"
    settings: dict[str, Any] = {"lengths": (8192,), "samples": 4, "pipeline": "coem"}
    alone = run(planned(server, tasks, **settings), tmp_path / "alone")
    assert server.count("m") == 8 and all(r.prompt_tokens == 200 for r in alone), "the tested model is its own sage"
    helped = run(planned(server, tasks, roles={"sage": "openai-api/cloister/sage"}, **settings), tmp_path / "helped")
    assert server.count("m") == 12 and server.count("sage") == 4
    assert all(r.roles == {"sage": "openai-api/cloister/sage"} and r.pipeline == "coem" for r in helped)
    assert {r.cell for r in helped}.isdisjoint(r.cell for r in alone)
    assert [r.score for r in helped] == [float(r.answers == ("Joy",)) for r in helped]
    finals = [text for who, text in server.heard if who == "m"][-4:]
    assert all("Note: She is glad of it." in text for text in finals)
    plain = run(planned(server, tasks, **settings | {"pipeline": "rag"}), tmp_path / "plain")
    assert [r.item for r in plain] == [r.item for r in helped], "the same samples"


def test_a_sage_that_fails_is_a_providers_fault(cast, tmp_path):
    write_longemotion(tmp_path)
    server = cast(m='{"Emotion": "Joy"}', sage=500)
    plan = planned(
        server,
        f"longemotion-part(data={tmp_path})",
        lengths=(8192,),
        pipeline="coem",
        roles={"sage": "openai-api/cloister/sage"},
    )
    result = run(plan, tmp_path / "run")
    assert [(r.score, r.audit) for r in result] == [(None, "provider error")] * 2 and server.count("m") == 0


def test_who_has_no_role_is_refused(cast, tmp_path):
    server = cast(m="x")
    with pytest.raises(UserError, match=r"role 'jugde'; .*judge \(says which bullet"):
        cells(planned(server, "summhay", lengths=(8192,), roles={"jugde": JUDGE}))
    with pytest.raises(UserError, match="role 'sage'; the roles that there are: none"):
        cells(planned(server, "needle", roles={"sage": JUDGE}))
    assert cells(planned(server, "needle", pipeline="coem", roles={"sage": JUDGE}))
    assert catalog.make("coem", "pipelines").roles.keys() == {"sage"}


MINE = """\"\"\"A task of a user's own, judged in a word.\"\"\"

from dataclasses import dataclass, replace

from leadline.nouns import Score
from leadline.tasks.needle import Needle


@dataclass(frozen=True, kw_only=True)
class Mine(Needle):
    roles = {"judge": "says a word"}

    async def judged(self, answers, item, answer, ask):
        said = await ask["judge"]("Is it good?", 4)
        return Score(value=0.5, audit="answered", extracted=said.text, parts={"tokens": float(said.output_tokens)})
"""


def test_a_local_model_judges_itself(tmp_path):
    """minnow as tested model and judge at once, on a user's own task."""
    (tmp_path / "mine.py").write_text(MINE)
    tasks = parse_tasks(str(tmp_path / "mine.py"))
    plan = Plan(models=("minnow",), tasks=tasks, lengths=(256,), samples=2, roles={"judge": "minnow"})
    result = run(plan, tmp_path / "run")
    assert [(r.score, r.audit, r.roles) for r in result] == [(0.5, "answered", {"judge": "minnow"})] * 2
    assert all(r.parts["tokens"] <= 4 for r in result), "the judge has the room that it was given"


def test_from_the_command_line(cast, tmp_path, monkeypatch, capsys):
    server = cast(m="- a [1].", judge_1=FULL)
    words = ["measure", "openai-api/toy/m", "--tokenizer", "minnow", "--base-url", server.url, "--role", f"judge={JUDGE}"]
    words += ["--tasks", "summhay(insights=2, documents=2)", "--lengths", "1400", "--base", "1200", "--samples", "2", "--json"]
    monkeypatch.setattr(sys, "argv", ["leadline", *words, "--out", str(tmp_path / "run")])
    with pytest.raises(SystemExit) as leave:
        cli.main()
    told = json.loads(capsys.readouterr().out)
    assert not leave.value.code and [c["audit"] for c in told["cells"]] == [{"answered": 2}] * 2
    assert server.count("judge-1") == 8
    assert (tmp_path / "run/report.html").is_file()
