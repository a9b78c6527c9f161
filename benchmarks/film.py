"""How evenly a model reads over the positions of its context: mean and robustness gap of a run, as FILM reports them.

Of every task whose prompts hold one piece of evidence, by length: the mean over spans of positions, the gap between the best
and the worst span, and both with chance taken out. FILM's probes sweep positions evenly (`film-val`); of other tasks, whose
depths are drawn, each span needs enough samples: their numbers stand beside it.

Usage: python benchmarks/film.py RUN [--spans 10]
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

from leadline.nouns import Record
from leadline.runs import records
from leadline.scoring.film_metrics import of_records
from leadline.scoring.summary import key


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a run")
    parser.add_argument("--spans", type=int, default=10, help="parts of the context")
    args = parser.parse_args()
    groups: dict[tuple[str, str, str], list[Record]] = defaultdict(list)
    for record in records.load(args.run):
        groups[key(record)].append(record)
    for name, rows in groups.items():
        print(f"\n{' '.join(filter(None, name))}\n")
        print("| task | length | mean | gap | mean, gap above chance | spans, start to end (samples) |")
        print("|---|---|---|---|---|---|")
        for (task, length), r in of_records(rows, args.spans).items():
            spans = " ".join("-" if m is None else f"{100 * m:.0f}" for m in r.spans)
            print(
                f"| {task} | {length} | {100 * r.mean:.1f} | {100 * r.gap:.1f} | {100 * r.corrected['mean']:.1f}, "
                f"{100 * r.corrected['gap']:.1f} | {spans} ({min(r.counts)} to {max(r.counts)}) |"
            )


if __name__ == "__main__":
    main()
