from dataclasses import replace

from leadline.report.console import WIDTH, table
from leadline.scoring.summary import Summary, summarise


def test_fits_the_terminal_and_says_the_important_first(records) -> None:
    rows = records(
        methods=["", "self-extend(group=8, window=256) + kivi(bits=2, residual=128) + another-one(with=many, settings=here)"]
    )
    text = table(summarise(rows), rows)
    lines = text.splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert lines[1].startswith("LongScore  −")
    assert any(line.startswith("Breakdown  reads reliably to about ") for line in lines)
    said = " ".join(text.split())
    assert "provider error" in said and "format not found" in said
    assert "tokens read" in said and "first token" in said
    assert "Against plain" in text


def test_many_lengths_go_into_blocks(records) -> None:
    rows = records(samples=8, tasks=["needle", "passage-count"], lengths=[2**n for n in range(6, 20)])
    text = table(summarise(rows), rows)
    assert max(map(len, text.splitlines())) <= WIDTH
    assert all(f" {name}" in text for name in ("64*", "4k", "512k"))


def test_numbers_are_those_of_the_summary(records) -> None:
    rows = records(samples=20, tasks=["needle"])
    rows = [replace(r, score=float(r.item != "needle-1"), audit="answered") for r in rows]
    line = next(line for line in table(summarise(rows), rows).splitlines() if line.startswith("needle"))
    assert line.split()[1] == "95"
    assert "mean" not in table(summarise(rows), rows).split("Audit")[0].split("score,")[1]


def test_base_too_low_and_window_are_said(records) -> None:
    rows = [replace(r, score=0.0) for r in records(samples=5, tasks=["needle"])]
    text = table(summarise(rows), rows)
    assert "LongScore  none: base too low" in text
    assert "has no breakdown length: base too low" in text
    rows = records(samples=20, tasks=["needle"], reach=1e6)
    rows = [replace(r, score=None, audit="over the window", stop="window") if r.length == 4096 else r for r in rows]
    text = table(summarise(rows), rows)
    assert "at least 2k" in text and "over the window at 4096" in text and "20 over the window" in text
    assert next(line for line in text.splitlines() if line.startswith("needle")).split()[-3] == "-"


def test_groups_facets_and_figures_have_their_rows(records) -> None:
    rows = records(samples=30)
    text = table(summarise(rows), rows)
    assert max(map(len, text.splitlines())) <= WIDTH
    blocks = {block.splitlines()[0].split("  ")[0]: block.splitlines() for block in text.split("\n\n")}
    assert [line.split()[0] for line in blocks["by ability (tasks)"][1:]] == ["counting", "qa", "retrieval", "tracking"]
    assert [line.split()[0] for line in blocks["by diffusion (tasks)"][1:]] == ["low", "middle"]
    assert blocks["by ability (tasks)"][3].split()[-1].startswith(("~", "≥", "≤"))
    assert [line.split()[0] for line in blocks["kv-retrieval, by turn"][2:]] == ["1", "2", "3"]
    figures = {line.split()[0]: line.split()[1] for line in blocks["multi-doc-qa, means beside the score"][2:]}
    found = {p.part: p.mean for p in summarise(rows).groups[0].parts if p.length == 128}
    assert figures == {"coverage": f"{found['coverage']:.2f}", "words": f"{found['words']:.1f}"}
    alone = records(samples=8, tasks=["needle"])
    assert "by ability" not in table(summarise(alone), alone)


def test_a_facet_of_many_values_is_cut_and_says_so(records) -> None:
    rows = [replace(r, facets={"row": r.item.split("-")[-1]}) for r in records(samples=60, tasks=["needle"])]
    assert "and 36 more, in the report" in table(summarise(rows), rows)


def test_without_records_there_is_no_cost_line_and_without_samples_no_table(records) -> None:
    rows = records(samples=5, tasks=["needle"])
    assert "Cost" not in table(summarise(rows))
    assert table(Summary(())) == "no samples yet\n"
