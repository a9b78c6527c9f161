"""What a record keeps of its sample, and that files keep it."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

from leadline.data.haystack import Builder
from leadline.nouns import MARKS, Answer, Score
from leadline.runs import records
from leadline.runs.asking import record_of
from leadline.runs.plan import Plan, cells, parse_tasks, task_of


def test_a_record_has_the_facets_the_parts_and_the_declared_levels(tokenizer, tmp_path: Path) -> None:
    plan = Plan(models=("minnow",), tasks=parse_tasks("multi-doc-qa"), lengths=(1024,), base=(), samples=1)
    cell = cells(plan)[0]
    task = task_of(cell.task)
    item = replace(task.items(1)[0], facets={"language": "en"})
    prompt = Builder(tokenizer).build(item, 1024)
    given = Score(value=1.0, audit="answered", parts={"coverage": 0.5})
    record = record_of(plan, cell, item, prompt, Answer(text=task.gold(prompt.answers, item)), given)
    assert record.ability == task.ability and record.levels == {"diffusion": task.diffusion, "scope": task.scope}
    assert record.facets == {"language": "en"} and record.parts == {"coverage": 0.5}
    assert [e.split(MARKS[0])[1].split(MARKS[1])[0] for e in record.evidence] == list(item.evidence)
    records.write(tmp_path / "r.parquet", [record])
    assert records.read(tmp_path / "r.parquet") == [record]
    row = json.loads(json.dumps(asdict(record)))
    assert records.record(row) == record
    # Records written before there were levels have none.
    del row["levels"]
    assert records.record(row) == replace(record, levels={})
