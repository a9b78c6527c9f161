"""How often the key answer is taken rightly out of a reply: rules, and a model if one is named, beside plain regular expressions.

1. On 425 replies in many phrasings with the answer that a careful reader takes from them (scoring/replies.jsonl, written
   for this project): the rules were made on one half, the other half is what counts.
2. On rows in KAF's format, which are the user's own download (--kaf FILE).
3. On released predictions, where only the right answer and the peer's verdict are known: how often each judges as the peer does.
   Every second row is left out, for those were looked at when the rules were made (--looked-at shows them instead; of the
   others the first four of each benchmark that differed had been seen once before).

Usage: python benchmarks/xfinder.py [--model NAME] [--kaf FILE] [--data ../shared/data] [--show 0]
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from leadline.scoring import xfinder
from leadline.scoring.peers import BABILONG_LABELS
from leadline.scoring.xfinder import Labelled

ROOT = Path(__file__).parents[1]


async def asked(model: str, rows: Sequence[Labelled]) -> list[str | None]:
    """Extractions of a model, as Inspect names it."""
    from inspect_ai.model import GenerateConfig, get_model

    from leadline.nouns import Answer

    made = get_model(model)

    async def ask(text: str, max_tokens: int) -> Answer:
        try:
            output = await made.generate(text, config=GenerateConfig(max_tokens=max_tokens, temperature=0))
        except Exception as error:  # whatever an endpoint raises: the row then does not count
            return Answer(stop="error", error=str(error))
        return Answer(text=output.completion)

    return [await xfinder.by_model(ask, r.reply, r.kind, r.range, r.question) for r in rows]


def table(rows: Sequence[Labelled], model: str, show: int) -> None:
    print(f"| extractor | {' | '.join(xfinder.KINDS)} | all |")
    print("|---" * (len(xfinder.KINDS) + 2) + "|")
    for name, extract in xfinder.EXTRACTORS.items():
        started = time.perf_counter()
        found: list[str | None] = [extract(r.reply, r.kind, r.range, r.question) for r in rows]
        line(name, rows, found)
        if name == "rules" and show:
            print(f"\n({1e6 * (time.perf_counter() - started) / len(rows):.0f} µs a reply)")
            wrong = [(r, f) for r, f in zip(rows, found, strict=True) if not xfinder.agrees(f or "", r.answer, r.kind, r.range)]
            for r, f in wrong[:show]:
                print(f"  {r.kind}: {r.reply!r:.200} wanted {r.answer!r}, got {f!r}")
    if model:
        line(model, rows, asyncio.run(asked(model, rows)))


def line(name: str, rows: Sequence[Labelled], found: Sequence[str | None]) -> None:
    got = xfinder.accuracy(rows, found)
    counts = (got.get(kind, (0, 0)) for kind in (*xfinder.KINDS, "all"))
    cells = [f"{100 * hits / n:.1f} % of {n}" if n else "none came" for hits, n in counts]
    print(f"| {name} | {' | '.join(cells)} |")


def released(folder: Path) -> dict[str, list[tuple[Labelled, float]]]:
    """Released predictions with the peer's verdict, by benchmark."""
    found: dict[str, list[tuple[Labelled, float]]] = {}

    def read(name: str) -> list[dict[str, Any]]:
        return [json.loads(x) for x in gzip.open(folder / name, "rt", encoding="utf-8")]

    for r in read("leval/exam_eval.turbo-16k-0613.jsonl.gz"):
        pred, gold = str(r["pred"]), str(r["gt"])
        if r["task"] in ("tpo", "quality"):
            query = r.get("query") or ""
            texts = dict(re.findall(r"\(([A-D])\)\s*(.+?)\s*(?=\([A-D]\)|$)", query, re.S))
            row = Labelled(
                "option", query.partition("(A)")[0], [[c, texts.get(c, "")] for c in "ABCD"], pred, gold.strip("( ")[0]
            )
        elif r["task"] == "gsm100":
            row = Labelled("math", r["query"], (), pred, gold)
        else:
            continue
        found.setdefault(f"L-Eval {r['task']}", []).append((row, float(r["peer_score"] > 0)))
    for model in ("gpt4", "claude2"):
        for r in read(f"infinitebench/preds.{model}.jsonl.gz"):
            pred, label = str(r["pred"]), r["label"]
            if r["task"] in ("longbook_choice_eng", "code_debug"):
                # Only the right option's text is known, and to give that alone would lead to it.
                row = Labelled("option", "", [[c, ""] for c in "ABCD"], pred, label[1])
            elif r["task"] == "math_find":
                row = Labelled("math", "", (), pred, str(label))
            else:
                continue
            found.setdefault(f"InfiniteBench {r['task']} {model}", []).append((row, float(r["peer_score"])))
    for r in read("babilong/predictions.jsonl.gz"):
        labels = BABILONG_LABELS[r["task"]]
        if r["target"] in labels:
            row = Labelled("label", r["question"], labels, r["output"], r["target"])
            found.setdefault(f"BABILong {r['task']}", []).append((row, float(r["correct"])))
    return found


def verdicts(folder: Path, show: int, looked_at: bool) -> None:
    print(
        "| released predictions | n | peer right | "
        + " | ".join(f"{name}: right, as the peer" for name in xfinder.EXTRACTORS)
        + " |"
    )
    print("|---" * (len(xfinder.EXTRACTORS) + 3) + "|")
    differ: list[str] = []
    for name, every in released(folder).items():
        rows = every[0 if looked_at else 1 :: 2]
        cells = []
        for title, extract in xfinder.EXTRACTORS.items():
            right = [judged(extract, r) for r, _ in rows]
            same = sum(a == bool(p) for a, (_, p) in zip(right, rows, strict=True))
            cells.append(f"{100 * sum(right) / len(rows):.1f} %, {100 * same / len(rows):.1f} %")
            if title == "rules":
                some = [r for a, (r, p) in zip(right, rows, strict=True) if a != bool(p)]
                differ += [
                    f"  {name}: gold {r.answer!r}, rules {xfinder.rules(r.reply, r.kind, r.range, r.question)!r}: {r.reply!r:.300}"
                    for r in some[:show]
                ]
        print(f"| {name} | {len(rows)} | {100 * sum(p for _, p in rows) / len(rows):.1f} % | {' | '.join(cells)} |")
    print("\n".join(differ))


def judged(extract: Callable[..., str], row: Labelled) -> bool:
    return xfinder.agrees(extract(row.reply, row.kind, row.range, row.question), row.answer, row.kind, row.range)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="", help="a model as Inspect names it, to extract too")
    parser.add_argument("--kaf", default="", help="rows in KAF's format (.json, .jsonl)")
    parser.add_argument("--data", default=str(ROOT.parent / "shared" / "data"), help="folder of released predictions")
    parser.add_argument("--show", type=int, default=0, help="of what goes wrong, so many")
    parser.add_argument("--looked-at", action="store_true", help="the released rows that the rules were made on")
    args = parser.parse_args()
    for half in ("develop", "report"):
        rows = xfinder.labelled(half)
        print(
            f"\nOwn replies, the half {'on which the rules were made' if half == 'develop' else 'that nothing was made on'}:\n"
        )
        table(rows, args.model, args.show if half == "develop" else 0)
    if args.kaf:
        from leadline.data.published import rows_of

        print(f"\n{args.kaf}:\n")
        table([xfinder.from_kaf(row, place) for place, row in rows_of(args.kaf)], args.model, args.show)
    if Path(args.data).is_dir():
        print()
        verdicts(Path(args.data), args.show, args.looked_at)


if __name__ == "__main__":
    main()
