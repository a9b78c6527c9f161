"""SCBench on a local model: accuracy by turn under methods that change the cache, and what reusing the cache saves.

    python benchmarks/scbench.py [MODEL] [--tasks "scbench-set(keys=words, turns=3)"] [--length 480] [--samples 36]
        [--methods "snapkv(budget=64); kivi(bits=4)"] [--reuse 8192] [--sessions 2]

Each task is asked in one conversation (multi-turn) and each question alone over a context that was read before
(multi-request). Answers are scored as `leadline measure` scores them. The reuse gain is prefill tokens and seconds of the same
sessions with the cache gone on from and with every prompt read anew, at a length of its own (--reuse). Prints one JSON
document. Exit code 1 where sharing changes an answer of the plain model, or saves nothing.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import torch

from leadline import catalog
from leadline.methods._stack import applied
from leadline.models.batches import Request
from leadline.models.local import LocalModel, load
from leadline.nouns import Answer, Prompt, Record
from leadline.runs import prompts
from leadline.runs.asking import record_of
from leadline.runs.plan import Cell, Plan, cells, haystack_of, items_of, parse_tasks, task_of
from leadline.scoring.summary import summarise

MODES = ("multi-turn", "multi-request")


def asked(prompt: Prompt) -> Request:
    """What a local model is asked for a prompt, as the provider asks it."""
    return Request(prompt.text, prompt.answer_tokens, prompt.stop, shared_chars=prompt.shared_chars, turns=prompt.turns)


def sessions(plan: Plan, cell: Cell, model: LocalModel) -> list[list[tuple[Any, Prompt]]]:
    """Items with their prompts, session by session."""
    builder, place, found = prompts.builder_of(plan, cell.model), 0, []
    while place < plan.samples:
        places = haystack_of(plan, cell.task, place)
        items = items_of(plan, cell.task, places.stop)[places.start : places.stop]
        found.append([(item, prompts.build(plan, builder, cell, p)) for item, p in zip(items, places, strict=True)])
        place = places.stop
    return found


def ask(model: LocalModel, talks: list[list[tuple[Any, Prompt]]], share: bool) -> tuple[list[list[Answer]], int, float]:
    """Answers of each session, prompt tokens computed, and seconds; each session is one call, as a batch has it."""
    model.forget()
    model.share_prefix = share
    before, begun = model.prefilled, time.perf_counter()
    answers = []
    for talk in talks:
        requests = [asked(prompt) for _, prompt in talk]
        answers.append(model.generate(requests) if share else [model.generate([r])[0] for r in requests])
    model.share_prefix = True
    return answers, model.prefilled - before, time.perf_counter() - begun


def records(plan: Plan, model: LocalModel) -> list[Record]:
    """Every cell's samples, answered under its method."""
    found = []
    for cell in cells(plan):
        with applied(model, cell.method) if cell.method else nullcontext():
            talks = sessions(plan, cell, model)
            for talk, answers in zip(talks, ask(model, talks, True)[0], strict=True):
                for (item, prompt), answer in zip(talk, answers, strict=True):
                    shown = replace(item, meta=prompt.meta) if task_of(cell.task).grows else item
                    found.append(record_of(plan, cell, shown, prompt, answer))
    return found


def by_turn(found: list[Record]) -> dict[str, dict[str, Any]]:
    """Score with its interval by method and turn [0 to 1]."""
    table: dict[str, dict[str, Any]] = {}
    for group in summarise(found).groups:
        rows = [f for f in group.facets if f.facet == "turn"]
        table[group.method or "plain"] = {
            f.value: {k: None if (v := getattr(f, k)) is None else round(v, 3) for k in ("score", "low", "high", "n")}
            for f in rows
        }
    return table


def reuse(plan: Plan, cell: Cell, model: LocalModel) -> dict[str, Any]:
    """The same sessions with the cache gone on from, and with every prompt read anew."""
    talks = sessions(plan, cell, model)
    (said, fed, took), (expected, fed_anew, took_anew) = ask(model, talks, True), ask(model, talks, False)
    same = [[a.text for a in s] for s in said] == [[a.text for a in s] for s in expected]
    return {
        "sessions": len(talks),
        "turns": len(talks[0]),
        "prompt_tokens": sum(p.tokens - p.answer_tokens for talk in talks for _, p in talk),
        "same_answers": same,
        "prefill_tokens": {"reused": fed, "anew": fed_anew, "ratio": round(fed / fed_anew, 4)},
        "seconds": {"reused": round(took, 3), "anew": round(took_anew, 3), "ratio": round(took / took_anew, 4)},
        "cached_tokens": [a.cached_tokens for a in said[0]],
    }


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default="minnow")
    parser.add_argument("--tasks", default="scbench-set(keys=words, turns=3)")
    parser.add_argument("--length", type=int, default=480)
    parser.add_argument("--samples", type=int, default=36)
    parser.add_argument(
        "--methods", default="snapkv(budget=64); h2o(budget=128, recent=64); streaming-llm(recent=124); kivi(bits=2)"
    )
    parser.add_argument("--reuse", type=int, default=8192)
    parser.add_argument("--sessions", type=int, default=2)
    args = parser.parse_args()
    model = load(args.model, dtype="float32" if args.model == "minnow" else "auto")
    model.enforce_window = False
    methods = ("", *(m.strip() for m in args.methods.split(";") if m.strip()))
    result: dict[str, Any] = {
        "model": args.model,
        "device": torch.cuda.get_device_name() if model.device.type == "cuda" else platform.machine(),
        "threads": torch.get_num_threads(),
        "length": args.length,
        "reuse_length": args.reuse,
        "tasks": {},
    }
    holds = True
    for spec in parse_tasks(args.tasks):
        for mode in MODES:
            task = catalog.Spec(spec.name, {**spec.settings, "mode": mode})
            turns = len(task_of(task).haystack(0, 0))
            plan = Plan(models=(args.model,), tasks=(task,), lengths=(args.length,), samples=args.samples, methods=methods)
            row: dict[str, Any] = {"score_by_turn": by_turn(records(plan, model)), "reuse": {}}
            longer = replace(plan, lengths=(args.reuse,), samples=args.sessions * turns)
            for cell in cells(longer):
                with applied(model, cell.method) if cell.method else nullcontext():
                    gain = row["reuse"][cell.method or "plain"] = reuse(longer, cell, model)
                holds &= gain["same_answers"] and gain["prefill_tokens"]["ratio"] < 1
            result["tasks"][str(task)] = row
            print(f"{task}: {json.dumps(row['score_by_turn'])}", file=sys.stderr)
    print(json.dumps(result, indent=1))
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
