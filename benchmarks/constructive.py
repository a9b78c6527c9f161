"""One prompt of each constructive task at a length, on one thread: seconds for each and in all.

    python benchmarks/constructive.py [--length 128k] [--tokenizer minnow] [--tasks NAMES] [--most 60]

Each task is timed from its settings to a finished prompt: items, noise and its tokens (made once for each kind of noise, by
the first task that asks for it), and the layout. Suites stand for their members. Prints one JSON document; exit code 1 where all
together take more than `--most` seconds of CPU, which other work on the machine does not change as it does the clock.
"""

from __future__ import annotations

import os

# Before anything is imported that starts threads.
for name in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import argparse  # noqa: E402
import json  # noqa: E402
import platform  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402

from leadline import catalog  # noqa: E402
from leadline.data.haystack import Builder  # noqa: E402
from leadline.data.tokens import load_tokenizer  # noqa: E402
from leadline.nouns import UserError  # noqa: E402
from leadline.runs.plan import parse_length  # noqa: E402


def main() -> int:
    """Build and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--length", default="128k")
    parser.add_argument("--tokenizer", default="minnow")
    parser.add_argument("--tasks", default="")
    parser.add_argument("--most", type=float, default=60.0)
    args = parser.parse_args()
    length, builder = parse_length(args.length), Builder(load_tokenizer(args.tokenizer))
    names = [str(s) for one in args.tasks.split(";") for s in catalog.parse_list(one)] or list(catalog.entries("tasks"))
    specs = {str(s): s for name in names for s in catalog.expand(catalog.parse(name), "tasks")}
    rows: dict[str, dict[str, float]] = {}
    left_out: dict[str, str] = {}
    whole, whole_cpu = time.perf_counter(), time.process_time()
    for name, spec in specs.items():
        task = catalog.make(spec, "tasks")
        if task.natural:
            left_out[name] = "comes at its own length"
            continue
        begun, cpu = time.perf_counter(), time.process_time()
        try:
            item = task.items(1)[0]
        except UserError as error:
            left_out[name] = str(error)
            continue
        prompt = builder.build(item, length, compose=task.compose if task.grows else None)
        rows[name] = {
            "seconds": round(time.perf_counter() - begun, 3),
            "cpu_s": round(time.process_time() - cpu, 3),
            "full": round(prompt.tokens / length, 5),
        }
        print(f"{name:72} {rows[name]['seconds']:8.3f} s {rows[name]['cpu_s']:8.3f} s CPU", file=sys.stderr)
    took, spent = time.perf_counter() - whole, time.process_time() - whole_cpu
    result = {
        "length": length,
        "tokenizer": args.tokenizer,
        "machine": platform.machine(),
        "threads": 1,
        "tasks": rows,
        "left_out": left_out,
        "number": len(rows),
        "seconds": round(took, 2),
        "cpu_s": round(spent, 2),
        "load": os.getloadavg()[0],
    }
    print(json.dumps(result, indent=1))
    return 0 if spent <= args.most else 1


if __name__ == "__main__":
    sys.exit(main())
