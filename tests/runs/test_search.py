"""A search over a server whose model breaks down at a known length; and what Inspect and the harness run."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from leadline.nouns import UserError
from leadline.runs.search import search
from leadline.scoring.breakdown import SHARE


def test_a_search_finds_the_breakdown_and_costs_little(serve, plan, tmp_path):
    def behave(prompt: str, times: int) -> str:
        words = len(prompt.split())
        return "ok" if random.Random(prompt).random() < (0.97 if words < 1500 else 0.1) else "wrong"

    server = serve(behave)
    p = plan(server, base=(256,), lengths=(512, 4096), samples=8)
    result = search(p, tmp_path / "run", width=2.0, share=SHARE)
    asked = sorted({r.length for r in result})
    assert asked[0] == 256 and len(asked) > 3 and all(512 <= n <= 4096 for n in asked[1:])
    assert all(r.base == (r.length == 256) for r in result)
    # Half of the samples are around the place where it breaks.
    near = [r for r in result if 900 < r.length < 3600]
    assert len(near) > 0.4 * len(result)
    before = server.asked.total()
    assert search(p, tmp_path / "run", width=2.0) == result and server.asked.total() == before


def test_a_search_whose_prompts_are_over_the_window_ends_and_tells(serve, plan, tmp_path):
    server = serve(lambda prompt, times: "ok" if len(prompt) < 4000 else "over")
    result = search(plan(server, lengths=(512, 8192), samples=4), tmp_path / "run")
    assert {r.audit for r in result} == {"answered", "over the window"}
    notes = json.loads((tmp_path / "run/run.json").read_text())["notes"]
    assert any("the search ends here" in note for note in notes)


def test_a_search_that_was_stopped_goes_on(serve, plan, tmp_path):
    server = serve()
    p = plan(server, lengths=(512, 2048), samples=4)

    class Stop(Exception):
        pass

    def watch(progress):
        if len(server.asked) >= 10:
            raise Stop

    with pytest.raises(Stop):
        search(p, tmp_path / "run", watch)
    held = len((tmp_path / "run/journal.jsonl").read_text().splitlines())
    assert held >= 10 - 4
    result = search(p, tmp_path / "run")
    calm = search(p, tmp_path / "calm")
    assert [(r.prompt, r.score) for r in result] == [(r.prompt, r.score) for r in calm]


def test_a_search_needs_lengths(serve, plan, tmp_path):
    with pytest.raises(UserError, match="base lengths"):
        search(plan(serve(), base=()), tmp_path / "run")
    with pytest.raises(UserError, match="at least two"):
        search(plan(serve(), lengths=(256, 512)), tmp_path / "run")


def test_inspects_own_command_line(serve, tmp_path):
    """Needs leadline to be installed, for Inspect finds it by its entry point."""
    from importlib.metadata import entry_points

    if not any(e.name == "leadline" for e in entry_points(group="inspect_ai")):
        pytest.skip("leadline is not installed here")
    server = serve(lambda prompt, times: "ok" if len(server.asked) % 2 else "over")
    command = [
        sys.executable,
        "-m",
        "inspect_ai",
        "eval",
        "leadline/needle",
        "--model",
        "openai-api/toy/m",
        "--display",
        "none",
    ]
    command += [
        "-T",
        "length=512",
        "-T",
        "tokenizer=minnow",
        "-T",
        "samples=4",
        "-T",
        "distractors=2",
        "--log-dir",
        str(tmp_path),
    ]
    env = os.environ | {"TOY_BASE_URL": server.url, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    from inspect_ai.log import read_eval_log

    log = read_eval_log(str(next(tmp_path.glob("*.eval"))))
    assert log.status == "success" and log.results and log.results.scores[0].metrics["accuracy"].value == 1.0
    assert log.results.scores[0].unscored_samples == 2
    assert log.eval.task == "leadline/needle" and log.eval.task_args["distractors"] == 2


def test_what_the_harness_is_given(tmp_path):
    from leadline import catalog
    from leadline.data.haystack import Builder, Layout
    from leadline.data.tokens import load_tokenizer
    from leadline.runs.harness import export, judge
    from leadline.runs.prompts import build_all

    task = catalog.make("needle(distractors=2)", "tasks")
    prompts = build_all(Builder(load_tokenizer("minnow")), task, 3, 512, 0, Layout())
    names = sorted(p.name for p in export(prompts, tmp_path / "out"))
    assert names == ["leadline_needle_distractors_2.jsonl", "leadline_needle_distractors_2.yaml", "utils.py"]
    docs = [json.loads(line) for line in (tmp_path / "out" / names[0]).read_text().splitlines()]
    # As the harness joins them: text, delimiter, prefill.
    assert [d["text"] + "\n" + d["prefill"] for d in docs] == [p.text for p in prompts]
    assert judge(docs[0], f" {docs[0]['target']}.") == {"score": 1.0, "answered": 1.0}
    assert judge(docs[0], " nothing") == {"score": 0.0, "answered": 0.0}
    assert str((tmp_path / "out" / names[0]).resolve()) in (tmp_path / "out" / names[1]).read_text()
    with pytest.raises(UserError, match="no prompts"):
        export([], tmp_path)
    with pytest.raises(UserError, match="cannot write"):
        export(prompts, Path(__file__))
