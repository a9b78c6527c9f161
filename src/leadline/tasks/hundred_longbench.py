"""100-LongBench: eight length-controllable tasks in four kinds (arXiv:2505.19293).

A suite: its name stands for the eight tasks wherever a task is named. Yang, Jin, Zhong, Jiang, Wang,
Chaudhary, Han: "100-LongBench: Are de facto Long-Context Benchmarks Literally Evaluating Long-Context
Ability?", Findings of ACL 2025.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

id = "100-longbench"
members = (
    "kv-retrieval",
    "counting-stars",
    "passage-retrieval",
    "passage-count",
    "single-doc-qa",
    "multi-doc-qa",
    "single-doc-sum",
    "multi-doc-sum",
)


def check(lab: Any) -> Any:
    """Eight tasks from 1k to 1M tokens, a window found, known answers left out, and three kinds of models asked."""
    specs = lab.specs(id)
    short, long = lab.build(id, lengths=("1k", "4k", "64k"), n=3), lab.build(id, lengths=("1m",), n=1)
    each = Counter((p.task, p.length) for p in (*short.prompts, *long.prompts))
    wanted = {(one, 1 << k): n for one in specs for k, n in ((10, 3), (12, 3), (16, 3), (20, 1))}
    missed = [one for one in map(lab.sound, specs) if not one.holds]
    stars = [set(item.meta["options"]) for item in lab.task("counting-stars").items(200)]
    hand = [
        lab.says("kv-retrieval", lambda _, item, p: f"{item.meta['keys'][1]}, so {item.meta['keys'][2]}"),
        lab.says("kv-retrieval", lambda _, item, p: f"{item.meta['keys'][2]}, so {item.meta['keys'][1]}"),
        lab.says("passage-count", lambda _, item, p: f"{p.answers[0]} of 400"),
    ]
    asked = [one for spec in specs for length in ("2k", "3k") for one in lab.asked(spec, n=1, length=length)]
    gold = {prompt.messages[-1]["content"]: task.gold(prompt.answers, item) for task, item, prompt in asked}
    known = {
        item.question: task.gold(p.answers, item) for task, item, p in asked if task.id in ("kv-retrieval", "single-doc-qa")
    }

    def knowing(text: str) -> str:
        """Answers every prompt, and two of the tasks without their context; elsewhere it guesses a number."""
        return gold.get(text) or next((answer for question, answer in known.items() if question in text), "7")

    return lab.conclude(
        short,
        long,
        (each == wanted, f"{len(specs)} tasks at 1k, 4k, 64k, 1m"),
        lab.replies(id),
        (all(len(one) == 5 for one in stars), f"no two options of {len(stars)} counts of stars are equal"),
        lab.agree(hand, [0, 1, 1], "scores and those by hand"),
        (not missed, f"a reader of 10,240 tokens found by {len(specs) - len(missed)} of {len(specs)} tasks"),
        _local(lab),
        _served(lab, knowing),
        control=[*(lab.sound(one, blind=True) for one in ("kv-retrieval", "multi-doc-qa")), _served(lab, lambda text: "7")],
    )


def _local(lab: Any) -> tuple[bool | None, str]:
    """Whether the embedded model and a copy of it with a wider window, loaded as any checkpoint, are asked and score alike."""
    if not find_spec("torch"):
        return None, 'not shown: models run here with pip install ".[local]"'
    copy = lab.widened(4096)
    cells, why = lab.measured(f"minnow,local/{copy}", id, "--base", "1k", "--lengths", "2k")
    scores = [
        {(c["task"], c["length"]): c["score"] for c in cells if c["model"].startswith(name)} for name in ("minnow", "local")
    ]
    counted = len(cells) == 32 and all(c["n"] == 1 for c in cells)
    return counted and scores[0] == scores[1], why or "minnow and the same weights as local/FOLDER answer alike in all 16 cells"


def _served(lab: Any, program: Callable[[str], str]) -> tuple[bool, str]:
    """Whether a program behind an address answers all, and what it knows without the context is left out of the report."""
    cells, why, page = lab.served(program, id, "--prior", "--base", "2k", "--lengths", "3k")
    right = sum(c["score"] == 1 for c in cells)
    left = re.search(r"models knew: (\d+ of \d+) samples", page)
    kept = left[1] if left else "no"
    told = f"an endpoint is right in {right} of 16 cells, {kept} samples were not known without their context"
    return right == len(cells) == 16 and kept == "12 of 16", why or told
