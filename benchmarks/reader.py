"""A simulated reader with a known window, through every constructive task: does the report recover how far it reads?

    python benchmarks/reader.py [--window 10240] [--first 0] [--distraction 0.05] [--depth 0] [--lengths 4k,6k,8k,9k,12k,14k,16k,24k]
        [--samples 8] [--tasks NAMES]

The reader is an honest program, no model: it answers right where all evidence lies among the last `window` tokens of the prompt
(answer room included) or among the first ones, wrong where some does not, and wrong by distraction at a known rate. Prompts,
records and statistics are those of every run. Beside each task's breakdown length stands the truth: the length at which the
reader loses the evidence of the task's first item, found by building it at more and more lengths. Prints one JSON document; exit
code 1 where fewer than nine of ten 95 % intervals hold the truth (one near a length of the grid lies at an interval's very end).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from typing import Any

from leadline import catalog
from leadline.nouns import Record
from leadline.runs.plan import Plan, parse_lengths, task_of
from leadline.runs.prompts import builder_of
from leadline.runs.simulated import NAME, Reader, constructive, holds, read, truth, why_not
from leadline.scoring.summary import summarise


def main() -> int:
    """Read and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--window", type=int, default=10_240)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--distraction", type=float, default=0.05)
    parser.add_argument("--depth", type=float, default=0.0)
    parser.add_argument("--lengths", default="4k,6k,8k,9k,12k,14k,16k,24k")
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--tokenizer", default="minnow")
    parser.add_argument("--tasks", default="")
    args = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    lengths = parse_lengths(args.lengths)
    names = [str(s) for one in args.tasks.split(";") for s in catalog.parse_list(one)] or list(constructive())
    rows: dict[str, Any] = {}
    left_out: dict[str, str] = {}
    records: list[Record] = []
    for spec in names:
        if reason := why_not(spec):
            left_out[spec] = reason
            continue
        begun, least = time.perf_counter(), task_of(catalog.parse(spec)).minimum
        own_lengths = [n for n in lengths if n >= least]
        if sum(n < args.window for n in own_lengths) < 2:
            left_out[spec] = f"needs {least} tokens at least, too near the window of {args.window}"
            continue
        plan = Plan(
            models=(NAME,), tasks=(catalog.parse(spec),), lengths=tuple(own_lengths[1:]), base=tuple(own_lengths[:1]),
            samples=args.samples, tokenizer=args.tokenizer, depth=args.depth,
        )  # fmt: skip
        builder = builder_of(plan, NAME)
        reader = Reader(builder.tokenizer, args.window, args.first, args.distraction)
        own = read(reader, plan, builder)
        # Together they have one base; tasks that need more than it stand alone.
        records += own if own_lengths[0] == lengths[0] else []
        group = summarise(own).groups[0]
        true = truth(reader, plan, builder, spec)
        found = group.breakdown
        rows[spec] = {
            "truth": true,
            "tokens": found.tokens, "low": found.low, "high": found.high, "note": found.note,
            "holds": holds(found, true, max(lengths)),
            "scores": {c.length: None if c.score is None else round(c.score, 3) for c in group.cells},
            "seconds": round(time.perf_counter() - begun, 2),
        }  # fmt: skip
        print(f"{spec:60} truth {true}  {found.tokens} ({found.low} to {found.high})  {rows[spec]['holds']}", file=sys.stderr)
    whole = summarise(records).groups[0]
    result = {
        "reader": {"window": args.window, "first": args.first, "distraction": args.distraction, "depth": args.depth},
        "tasks": rows,
        "left_out": left_out,
        "all": whole.breakdown.to_json(),
        "by_ability": {s.value: s.breakdown.to_json() for s in whole.slices if s.by == "ability"},
        "held": sum(row["holds"] for row in rows.values()),
        "of": len(rows),
    }
    print(json.dumps(result, indent=1))
    return 0 if result["held"] >= 0.9 * result["of"] else 1


if __name__ == "__main__":
    sys.exit(main())
