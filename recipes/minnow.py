"""Train minnow, and write on its card what it reads of the project's own tasks.

`python recipes/minnow.py --profile cpu-512 --out DIR` takes an hour on one CPU thread; an interrupted
training goes on. `--tasks-only` only asks the tasks again. The answer's value must be what greedy decoding
gives, token by token.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch
from transformers import LlamaForCausalLM

from leadline import catalog
from leadline.data.haystack import Builder
from leadline.data.tokens import load_tokenizer
from leadline.scoring.stats import wilson
from leadline.training.examine import right
from leadline.training.recipes.minnow import PROFILES, Minnow

TASKS = ("needle", "kv-retrieval(haystack=records)", "kv-retrieval", "single-doc-qa", "passage-retrieval", "multi-doc-qa")
BEYOND = TASKS[:3]
"""Tasks that are asked beyond the trained length too."""
SEED = 4242


def ask(folder: Path, spec: str, length: int, n: int) -> dict:
    """Exact match of a task's prompts at a length, with its 95 % interval."""
    tokenizer = load_tokenizer(str(folder))
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    builder, hits = Builder(tokenizer), 0
    for item in catalog.make(spec, "tasks").items(n, SEED):
        prompt = builder.build(item, length)
        ids = tokenizer.ids(prompt.text)
        whole = tokenizer.ids(f"{prompt.text} {prompt.answers[0]}")
        hits += right(model, ids, whole[len(ids) :])
    low, high = wilson(hits / n, n, 1.96)
    row = {"task": spec, "length": length, "n": n, "score": round(hits / n, 4), "low": round(low, 4), "high": round(high, 4)}
    print(row, file=sys.stderr, flush=True)
    return row


def unseen(spec: str) -> str:
    """The task with wordings that the training never showed."""
    return str(catalog.Spec((parsed := catalog.parse(spec)).name, {**parsed.settings, "wording": "unseen"}))


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", choices=sorted(PROFILES), default="cpu-512")
    parser.add_argument("--out", type=Path, required=True, help="folder to write; an interrupted training there goes on")
    parser.add_argument("--minutes", type=float, default=0.0, help="wall-clock limit [min]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n", type=int, default=400, help="prompts of each task up to 4 times the trained length")
    parser.add_argument("--tasks-only", action="store_true")
    args = parser.parse_args()
    if not args.tasks_only:
        Minnow(out=str(args.out), profile=args.profile, minutes=args.minutes, seed=args.seed).run()
    file = args.out / "card.json"
    card = json.loads(file.read_text(encoding="utf-8"))
    window = card["window"]
    rows = [ask(args.out, spec, window, args.n) for spec in (*TASKS, *map(unseen, TASKS))]
    rows += [
        ask(args.out, spec, window * factor, args.n if factor < 8 else args.n // 4) for factor in (2, 4, 8) for spec in BEYOND
    ]
    card = {key: value for key, value in card.items() if key != "curve"} | {"tasks": rows, "curve": card["curve"]}
    file.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
