"""100-LongBench: eight length-controllable tasks in four kinds (arXiv:2505.19293).

A suite: its name stands for the eight tasks wherever a task is named. Yang, Jin, Zhong, Jiang, Wang,
Chaudhary, Han: "100-LongBench: Are de facto Long-Context Benchmarks Literally Evaluating Long-Context
Ability?", Findings of ACL 2025.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from leadline.nouns import Score
from leadline.scoring.summary import without_prior

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
    """Eight tasks from 1k to 1M tokens, right and wrong answers told apart, a window found, known answers left out."""
    short = lab.build("100-longbench", lengths=("1k", "4k", "64k"), n=3)
    long = lab.build("100-longbench", lengths=("1m",), n=1)
    sounded = [lab.sound(one) for one in lab.specs("100-longbench")]
    missed = [one for one in sounded if not one.holds]
    asked = [one for spec in lab.specs("100-longbench") for one in lab.asked(spec, n=2)]
    known = [lab.record(*one, Score(value=1.0, audit="answered")) for one in asked]
    left = without_prior([replace(r, prior=float(i % 2)) for i, r in enumerate(known)])
    return lab.conclude(
        short,
        long,
        lab.replies("100-longbench"),
        (not missed, f"a reader of 10,240 tokens found by {len(sounded) - len(missed)} of {len(sounded)} tasks"),
        (len(left) == len(known) // 2, f"of {len(known)} samples, half known without their context, {len(left)} are left"),
        control=[lab.sound(one, blind=True) for one in ("kv-retrieval", "multi-doc-qa")],
    )
