"""Built prompts as a folder that lm-evaluation-harness runs: one YAML and one JSON-lines file for each task, one `utils.py`.

The prompts go as they are (`doc_to_text`), the harness's own metrics are not used: `process_results` asks our scorer,
so a score there is a score here. Knows nothing of models; leadline must be installed where the harness runs.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from leadline import catalog
from leadline.nouns import Answer, Prompt, UserError

UTILS = '''"""Written by leadline: scores answers with leadline's own scorers."""

from leadline.runs.harness import judge


def process_results(doc, results):
    """The score of one answer, and whether it counts as answered."""
    return judge(doc, results[0])
'''


def task_name(spec: str) -> str:
    """How the harness calls a task: `needle(needles=4)` is `leadline_needle_needles_4`."""
    return "leadline_" + re.sub(r"\W+", "_", spec).strip("_")


def export(prompts: Sequence[Prompt], folder: Path) -> list[Path]:
    """Write a folder for `lm_eval --include_path FOLDER --tasks NAME`.

    Args:
        prompts: of any tasks; the prompts of one task become one task of the harness.
        folder: created where it is not there.

    Returns:
        The files written.

    Raises:
        UserError: no prompts, or the folder cannot be written to.
    """
    if not prompts:
        raise UserError("there are no prompts to export: build one or more")
    if talk := next((p for p in prompts if len(p.messages) > 1), None):
        raise UserError(f"{talk.task}: a conversation of {len(talk.messages)} messages is no prompt of the harness")
    files: dict[str, str] = {"utils.py": UTILS}
    for spec in dict.fromkeys(p.task for p in prompts):
        mine = [p for p in prompts if p.task == spec]
        name = task_name(spec)
        files[f"{name}.jsonl"] = "".join(json.dumps(_document(p), ensure_ascii=False) + "\n" for p in mine)
        files[f"{name}.yaml"] = _yaml(name, spec, mine, (folder / f"{name}.jsonl").resolve())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror}; give another folder with --out") from error
    return [folder / name for name in files]


def _document(p: Prompt) -> dict[str, object]:
    text = "\n\n".join(m["content"] for m in p.messages)
    known = {"answers": list(p.answers), "meta": json.dumps(dict(p.meta)), "prefill": p.prefill}
    return {"id": p.id, "task": p.task, "length": p.length, "text": text, "target": p.answers[0] if p.answers else "", **known}


def _yaml(name: str, spec: str, prompts: Sequence[Prompt], data: Path) -> str:
    stop = sorted({s for p in prompts for s in p.stop})
    room = max(p.answer_tokens for p in prompts)
    made = catalog.make(spec, "tasks")
    # As we write prompts without a template: the prefill begins a line of its own.
    prefill = 'gen_prefix: "{{prefill}}"\ntarget_delimiter: "\\n"\n' if all(p.prefill for p in prompts) else ""
    return f"""task: {name}
dataset_path: json
dataset_kwargs:
  data_files:
    test: {json.dumps(str(data))}
test_split: test
output_type: generate_until
doc_to_text: "{{{{text}}}}"
doc_to_target: "{{{{target}}}}"
{prefill}process_results: !function utils.process_results
generation_kwargs:
  until: {json.dumps(stop)}
  max_gen_toks: {room}
  do_sample: false
  temperature: 0.0
metric_list:
  - metric: score
    aggregation: mean
    higher_is_better: true
  - metric: answered
    aggregation: mean
    higher_is_better: true
metadata:
  version: {made.version}
"""


def judge(doc: Mapping[str, Any], reply: str) -> dict[str, float]:
    """Score a reply to an exported document, as the harness's `process_results` wants it."""
    task = catalog.make(doc["task"], "tasks")
    meta = json.loads(doc["meta"]) if isinstance(doc["meta"], str) else doc["meta"]
    answers = tuple(doc["answers"])
    item = dataclasses.replace(task.items(1)[0], answers=answers, prefill=doc["prefill"], meta=meta)
    score = task.score(answers, item, Answer(text=reply))
    return {"score": score.value or 0.0, "answered": float(score.audit == "answered")}
