"""The command line as scripts rely on it, and what nonsense gets: one or two lines, exit code 2, nothing half-written."""

import json
import sys

import pytest

from leadline import cli


@pytest.fixture
def leadline(monkeypatch, capsys):
    """Runs the command line in this process: (exit code, standard output, standard error)."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["leadline", *map(str, words)])
        with pytest.raises(SystemExit) as leave:
            cli.main()
        out, err = capsys.readouterr()
        return leave.value.code or 0, out, err

    return run


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A small finished run of the embedded model."""
    from leadline.catalog import parse
    from leadline.runs.execute import run
    from leadline.runs.plan import Plan

    folder = tmp_path_factory.mktemp("run") / "r"
    plan = Plan(models=("minnow",), tasks=(parse("needle"),), lengths=(768, 1024), base=(256,), samples=4)
    run(plan, folder)
    return folder


def test_list_is_one_document(leadline):
    code, out, err = leadline("list", "--room", "tasks", "--json")
    rows = json.loads(out)
    assert code == 0
    assert err == ""
    assert {"needle", "100-longbench"} <= {r["id"] for r in rows}
    assert {"id", "room", "title", "paper", "holds", "figure", "date", "hardware"} == set(rows[0])


def test_show_tells_settings(leadline):
    code, out, _ = leadline("show", "needle")
    assert code == 0
    assert "distractors=3" in out


def test_build_gives_json_lines(leadline, tmp_path):
    code, out, _ = leadline("build", "100-longbench", "--model", "minnow", "--length", "2k", "-n", "1")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert len(rows) == 8
    for row in rows:
        assert {"id", "messages", "tokens", "answers", "evidence"} <= set(row)
        assert 0.99 * 2048 <= row["tokens"] <= 2048
        assert all(row["messages"][-1]["content"][a:b] for a, b in row["evidence"])
    file = tmp_path / "deep" / "built.jsonl"
    code, out, _ = leadline("build", "needle", "--model", "minnow", "--length", "512", "-n", "2", "--out", file)
    assert (code, out, len(file.read_text().splitlines())) == (0, "", 2)


def test_built_prompts_are_scored_when_they_come_back(leadline, tmp_path):
    _, out, _ = leadline("build", "kv-retrieval", "--model", "minnow", "--length", "512", "-n", "4")
    rows = [json.loads(line) for line in out.splitlines()]
    for i, row in enumerate(rows):
        row["prediction"] = row["answers"][0] if i else "no idea"
    file = tmp_path / "predictions.jsonl"
    file.write_text("".join(json.dumps(r) + "\n" for r in rows))
    code, out, _ = leadline("score", "kv-retrieval", "--predictions", file, "--json")
    assert code == 0
    assert json.loads(out)["score"] == 0.75
    assert [r["score"] for r in json.loads(out)["rows"]] == [0, 1, 1, 1]


def test_measure_prints_one_document(leadline, tmp_path):
    words = ["measure", "minnow", "--tasks", "needle", "--base", "256", "--lengths", "512,768", "--samples", "3"]
    words += ["--out", tmp_path / "r", "--json"]
    code, out, err = leadline(*words)
    told = json.loads(out)
    assert code == 0
    assert {"run", "report", "cells", "longscore", "breakdown"} <= set(told)
    assert [c["length"] for c in told["cells"]] == [256, 512, 768]
    assert {"task", "length", "n", "score", "low", "high", "audit"} <= set(told["cells"][0])
    assert {"tokens", "low", "high", "censored"} <= set(told["breakdown"])
    assert {"value", "low", "high"} <= set(told["longscore"]["all"])
    assert "samples" in err
    again = leadline(*words)
    assert json.loads(again[1])["cells"] == told["cells"]


def test_compare_has_a_row_for_each_method(leadline, tmp_path):
    code, out, _ = leadline(
        "compare", "minnow", "--methods", "snapkv(budget=64); streaming-llm(recent=100)", "--tasks", "needle",
        "--base", "256", "--lengths", "512", "--samples", "3", "--out", tmp_path / "r", "--json",
    )  # fmt: skip
    rows = json.loads(out)["rows"]
    assert code == 0
    assert [r["method"] for r in rows] == ["", "snapkv(budget=64)", "streaming-llm(recent=100)"]
    assert {"score", "longscore", "breakdown", "ttft_s", "token_s", "peak_bytes", "cache_bytes", "tokens"} <= set(rows[0])
    assert rows[1]["cache_bytes"] < rows[0]["cache_bytes"] / 2


def test_dry_run_asks_nothing(leadline, tmp_path):
    code, out, _ = leadline("measure", "minnow", "--dry-run", "--prices", "1,2", "--out", tmp_path / "r", "--json")
    told = json.loads(out)
    assert code == 0
    assert told["tokens"] > 0
    assert told["cost"] > 0
    assert not (tmp_path / "r").exists()


def test_a_prompt_is_printed_whole(leadline, measured):
    from leadline.runs.records import load

    record = load(measured)[-1]
    code, out, _ = leadline("show", f"{measured}#{record.prompt}")
    assert code == 0
    assert record.question in out
    code, _, err = leadline("show", f"{measured}#nothing")
    assert code == 2
    assert "named like" in err


def test_report_of_a_run(leadline, measured, tmp_path):
    code, out, _ = leadline("report", measured, "--out", tmp_path / "page.html", "--plots", tmp_path / "plots", "--json")
    assert code == 0
    assert (tmp_path / "page.html").stat().st_size > 10_000
    assert {p.suffix for p in (tmp_path / "plots").iterdir()} == {".png", ".svg"}
    assert json.loads(out)["report"].endswith("page.html")


WRONG = {
    "unknown verb": (["mesure"], "No such command"),
    "unknown option": (["list", "--rooom", "tasks"], "--room"),
    "unknown room": (["list", "--room", "kitchen"], "there are:"),
    "unknown name": (["show", "nedle"], "did you mean 'needle'"),
    "unknown model": (["measure", "minow"], "write minnow"),
    "no such checkpoint": (["measure", "local/./nowhere"], "nowhere"),
    "unknown task": (["measure", "minnow", "--tasks", "needel"], "did you mean 'needle'"),
    "unknown setting": (["measure", "minnow", "--tasks", "needle(deph=1)"], "no setting"),
    "unknown method": (["measure", "minnow", "--method", "nothing-like-it"], "unknown method"),
    "methods that cannot go together": (["measure", "minnow", "--method", "kivi + h2o"], "kivi"),
    "no methods to compare": (["compare", "minnow", "--methods", " ; "], "semicolons"),
    "unknown pipeline": (["measure", "minnow", "--pipeline", "nothing-like-it"], "unknown pipeline"),
    "unreadable length": (["measure", "minnow", "--lengths", "4q"], "512, 4k"),
    "negative samples": (["measure", "minnow", "--samples", "-3"], "1 or more"),
    "endpoint without a tokenizer": (["measure", "openai/gpt-x"], "--tokenizer"),
    "length under the minimum": (["build", "needle", "--model", "minnow", "--length", "40"], "ask for more"),
    "neither model nor tokenizer": (["build", "needle", "--length", "1k"], "--model"),
    "prompts for an endpoint": (["build", "needle", "--model", "openai/gpt-x", "--length", "1k"], "--tokenizer"),
    "no such tokenizer": (["build", "needle", "--tokenizer", "./nope.json", "--length", "1k"], "nope.json"),
    "noise that is not there": (
        ["build", "needle", "--model", "minnow", "--length", "1k", "--noise", "file(path=/no/such.txt)"],
        "such.txt",
    ),
    "depth out of range": (["build", "needle", "--model", "minnow", "--length", "1k", "--depth", "3"], "0 to 1"),
    "share out of range": (["measure", "minnow", "--share", "2"], "between 0 and 1"),
    "search without room": (["measure", "minnow", "--search", "--base", "512", "--lengths", "1k"], "longer ones"),
    "unreadable prices": (["measure", "minnow", "--prices", "cheap", "--dry-run"], "2.5,10"),
    "no predictions": (["score", "needle"], "--predictions"),
    "predictions that are not there": (["score", "needle", "--predictions", "/no/such.jsonl"], "such.jsonl"),
    "unknown metric": (["score", "--metric", "longbench/qa", "--predictions", "/no/such.jsonl"], "longbench/qa-f1"),
    "no run": (["report", "/no/such/run"], "no run"),
    "table that is not there": (["score", "longscore", "--table", "/no/such.json"], "such.json"),
}


@pytest.mark.parametrize("what", WRONG)
def test_nonsense_gets_a_clear_error(what, leadline, monkeypatch, tmp_path):
    words, says = WRONG[what]
    monkeypatch.chdir(tmp_path)
    code, out, err = leadline(*words)
    assert code == 2, err
    assert out == ""
    assert says in err
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) <= 3, err
    assert not list(tmp_path.iterdir()), "something was left behind"


def test_output_that_is_a_file_stays_as_it_was(leadline, tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("mine")
    code, _, err = leadline("measure", "minnow", "--samples", "1", "--out", file)
    assert code == 2
    assert "is a file" in err
    assert file.read_text() == "mine"
    code, _, err = leadline("build", "needle", "--model", "minnow", "--length", "512", "--out", tmp_path)
    assert code == 2
    assert "is a folder" in err


@pytest.mark.parametrize(
    ("line", "says"), [("{", "line 2"), ('{"prediction": "x"}', "answers"), ("[1]", "line 2"), ("\x00", "line 2")]
)
def test_broken_predictions_name_the_line(leadline, tmp_path, line, says):
    file = tmp_path / "p.jsonl"
    file.write_text('{"prediction": "1", "answers": ["1"]}\n' + line + "\n")
    code, out, err = leadline("score", "needle", "--predictions", file)
    assert (code, out) == (2, "")
    assert says in err
    assert "p.jsonl" in err


def test_longscore_of_a_table(leadline, tmp_path):
    file = tmp_path / "table.json"
    file.write_text(
        json.dumps({"lengths": [2, 8, 16], "base": [2], "raw": {"a": {"m": [80, 60, 60]}, "b": {"m": [40, 30, 30]}}})
    )
    code, out, _ = leadline("score", "longscore", "--table", file, "--json")
    assert code == 0
    assert json.loads(out)["m"]["value"] == -25
    code, out, _ = leadline("score", "longscore", "--table", file)
    assert (code, "-25.00" in out) == (0, True)
