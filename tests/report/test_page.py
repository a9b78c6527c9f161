import json
import re
from collections import Counter
from dataclasses import replace

import pytest

from leadline.nouns import UserError
from leadline.report import reader
from leadline.report.page import page, write
from leadline.report.svg import spread
from leadline.scoring.summary import Summary, summarise

INFO = {
    "run": "runs/demo",
    "plan": {"seed": 0, "tasks": ["needle"]},
    "versions": {"leadline": "0.1"},
    "notes": ["No template."],
}


def _data(html: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="samples">(.*?)</script>', html, re.S)[1])


def _samples(html: str) -> list[dict]:
    data = _data(html)
    return [dict(zip(data["fields"], row, strict=True)) for row in data["rows"]]


@pytest.fixture(scope="module")
def demo(records) -> str:
    rows = records()
    return page(rows, summarise(rows), INFO)


def test_a_demo_run_is_small_and_whole(demo) -> None:
    assert len(demo.encode()) < 3_000_000
    assert len(_samples(demo)) == 6 * 6 * 60
    for said in (
        "reads reliably to about",
        "LongScore",
        "Score by length",
        "Score by depth",
        "diffusion and scope",
        "Audit",
        "Cost and time",
    ):
        assert said in demo
    assert "No template." in demo


def test_nothing_is_loaded_from_anywhere(demo) -> None:
    assert "default-src 'none'" in demo
    assert not re.findall(r"""(?:src|href|action)\s*=\s*["'](?!#|data:)""", demo.split('id="samples"')[0])
    assert not re.search(r"https?://|@import|url\(", demo.split('id="samples"')[0])
    assert demo.count("<script") == 2


def test_hostile_text_stays_text(demo, hostile) -> None:
    assert hostile not in demo
    assert "<img src=x" not in demo and "<svg onload" not in demo
    data = _data(demo)
    assert sum(hostile in s for s in data["strings"]) > 6


def test_hostile_names_stay_text(records, hostile) -> None:
    rows = [
        replace(r, model=f"evil/{hostile}", method=hostile, task=f"t{hostile}") for r in records(samples=3, tasks=["needle"])
    ]
    rows += [replace(r, method=f"other{hostile}", cell="x" + r.cell) for r in rows]
    html = page(rows, summarise(rows), {"run": hostile, "notes": [hostile], hostile: {hostile: [hostile]}})
    assert hostile not in html
    assert html.count("<script") == 2


def test_control_characters_and_half_surrogates_can_be_written(records, tmp_path) -> None:
    rows = [replace(r, answer="a\ud800\x00b\\\udfff", task="x\x00y\ud800") for r in records(samples=2, tasks=["needle"])]
    path = write(rows, summarise(rows), {}, tmp_path / "r.html")
    assert "a\ud800\x00b\\\udfff" in _data(path.read_text(encoding="utf-8"))["strings"]
    assert "\x00" not in path.read_text(encoding="utf-8")


def test_too_many_samples_are_drawn_fairly(records, monkeypatch) -> None:
    monkeypatch.setattr(reader, "READER_BYTES", 60_000)
    rows = records(samples=100, tasks=["needle", "kv-retrieval"], lengths=(128, 1024, 4096))
    html = page(rows, summarise(rows), INFO)
    data, shown = _data(html), _samples(html)
    assert 50 < len(shown) < len(rows)
    assert f"{len(shown):,} of {len(rows):,} samples fit" in html
    counts = Counter((data["strings"][s["task"]], s["length"]) for s in shown)
    assert max(counts.values()) - min(counts.values()) <= 1 and len(counts) == 6
    items = [
        {data["strings"][s["item"]] for s in shown if s["length"] == n and data["strings"][s["task"]] == "needle"}
        for n in (128, 1024, 4096)
    ]
    assert len(items[0] ^ items[1]) <= 1 and len(items[0] ^ items[2]) <= 1


def test_long_texts_lose_their_middle_and_say_so(records) -> None:
    rows = [replace(r, thinking="x" * 20_000 + "end") for r in records(samples=1, tasks=["needle"], lengths=(128, 512))]
    strings = _data(page(rows, summarise(rows), INFO))["strings"]
    cut = next(s for s in strings if s.startswith("xxx"))
    assert len(cut) < 6_300 and "14,003 characters left out" in cut and "leadline show" in cut and cut.endswith("end")


def test_commands_name_the_sample_and_its_run(records) -> None:
    rows = records(samples=1, tasks=["needle"], lengths=(128, 512))
    html = page(
        rows,
        summarise(rows),
        {"runs": {"my runs/a": {"cells": [{"key": rows[0].cell}]}, "b": {"cells": [{"key": rows[1].cell}]}}},
    )
    commands = [_data(html)["strings"][s["command"]] for s in _samples(html)]
    assert commands == ["leadline show 'my runs/a#needle/needle-0@128'", "leadline show 'b#needle/needle-0@512'"]


def test_several_models_stand_side_by_side(records) -> None:
    rows = records(models=["minnow", "local/other"], methods=["", "kivi(bits=2)"], samples=10)
    html = page(rows, summarise(rows), INFO)
    for said in (
        "4 models and methods compared",
        "Against minnow · plain, sample by sample",
        "Quality against cost",
        "local/other · kivi(bits=2)",
    ):
        assert said in html


def test_groups_facets_and_figures_are_shown(demo) -> None:
    groups = demo.split('<section id="groups">')[1].split("</section>")[0]
    assert all(f">{name} <small" in groups for name in ("retrieval", "qa", "counting", "tracking", "middle", "high"))
    assert 'class="fill on" style="--v:0.' in groups and "tasks, at 0." in groups
    within = demo.split('<section id="within">')[1].split("</section>")[0]
    for said in (">turn<", ">language<", ">hops<", "means beside the score", ">coverage<"):
        assert said in within


def test_groups_of_several_methods_stand_side_by_side(records) -> None:
    rows = records(methods=["", "kivi(bits=2)"], samples=6)
    html = page(rows, summarise(rows), INFO)
    groups = html.split('<section id="groups">')[1].split("</section>")[0]
    assert groups.count("<details") == 2 and ">plain</th>" in groups and ">kivi(bits=2)</th>" in groups
    within = html.split('<section id="within">')[1].split("</section>")[0]
    assert "zh · kivi(bits=2)" in within and "zh · plain" in within


def test_one_task_of_a_kind_has_no_groups_and_no_facets(records) -> None:
    rows = records(samples=4, tasks=["needle"])
    html = page(rows, summarise(rows), INFO)
    assert 'id="groups"' not in html and 'id="within"' not in html


def test_hostile_groups_and_facets_stay_text(records, hostile) -> None:
    rows = [
        replace(r, ability=r.task + hostile, facets={hostile: hostile}, parts={hostile: 1.0})
        for r in records(samples=3, tasks=["needle", "kv-retrieval"])
    ]
    html = page(rows, summarise(rows), INFO)
    assert hostile not in html and html.count("<script") == 2


def test_many_tasks_wait_for_a_click(records, monkeypatch) -> None:
    rows = [
        replace(r, task=f"{r.task}-{n}", cell=f"{r.cell}{n}")
        for n in range(8)
        for r in records(samples=3, tasks=["needle", "kv-retrieval"])
    ]
    html = page(rows, summarise(rows), INFO)
    assert "By task, 16 charts" in html and "By task, 16 maps" in html and "hold one evidence (16)" in html


def test_prior_knowledge_is_told(records) -> None:
    rows = [replace(r, prior=float(r.item.endswith("1"))) for r in records(samples=10, tasks=["needle"])]
    html = page(rows, summarise(rows), INFO)
    assert "the same questions score 10 of 100" in html and "54 of 60 samples" in html


def test_lengths_that_the_provider_counts_otherwise_are_approximate(records) -> None:
    rows = [replace(r, prompt_tokens=round(1.07 * r.tokens)) for r in records(samples=3, tasks=["needle"])]
    assert "the provider counted 7\u00a0% more tokens" in page(rows, summarise(rows), INFO)
    rows = records(samples=3, tasks=["needle"])
    assert "approximate" not in page(rows, summarise(rows), INFO)


def test_nothing_measured_is_a_page_too(records) -> None:
    assert "No samples yet" in page([], Summary(()), {})
    rows = [replace(r, score=None, audit="refused", answer="") for r in records(samples=2, tasks=["needle"])]
    assert "has no breakdown length" in page(rows, summarise(rows), INFO)


def test_writing(records, tmp_path) -> None:
    rows = records(samples=1, tasks=["needle"], lengths=(128, 512))
    summary = summarise(rows)
    assert write(rows, summary, INFO, tmp_path) == tmp_path / "report.html"
    assert write(rows, summary, INFO, tmp_path / "deep" / "r.html").is_file()
    assert not list(tmp_path.rglob("*.part"))
    other = tmp_path / "data.parquet"
    other.write_bytes(b"precious")
    with pytest.raises(UserError, match="does not end in .html"):
        write(rows, summary, INFO, other)
    assert other.read_bytes() == b"precious"
    with pytest.raises(UserError, match="cannot write"):
        write(rows, summary, INFO, other / "r.html")
    (tmp_path / "x.html").mkdir()
    assert write(rows, summary, INFO, tmp_path / "x.html") == tmp_path / "x.html" / "report.html"


def test_labels_are_spread() -> None:
    placed = spread([50, 50, 51, 0], 10, 0, 100)
    assert sorted(placed) == placed[3:] + placed[:3]
    assert all(b - a >= 10 for a, b in zip(sorted(placed), sorted(placed)[1:], strict=False))
    assert max(spread([100, 100, 100], 10, 0, 100)) <= 100


def test_figures_that_authors_state(records) -> None:
    """Of tasks with one piece of evidence, the gap over positions, for each group; none where nobody states any."""
    rows = records(samples=60, methods=["", "kivi(bits=2)"], tasks=["needle", "passage-count"])
    stated = page(rows, summarise(rows), INFO).split('<section id="stated">')[1].split("</section>")[0]
    assert "Robustness over positions" in stated and stated.count("<table>") == 2 and "kivi(bits=2)" in stated
    assert "needle" in stated and "passage-count" not in stated, "it has several pieces of evidence"
    others = records(samples=60, tasks=["passage-count"])
    assert 'id="stated"' not in page(others, summarise(others), INFO)


def test_many_notes_wait_for_a_click(records) -> None:
    rows = records(samples=1, tasks=["needle"], lengths=(128, 512))
    few, many = (page(rows, summarise(rows), INFO | {"notes": [f"note {i}" for i in range(n)]}) for n in (4, 5))
    head = many.split("<header>")[1].split("</header>")[0]
    assert "<details><summary>5 notes</summary>" in head and head.count('class="notice"') == 5
    assert "<details" not in few.split("<header>")[1].split("</header>")[0]
