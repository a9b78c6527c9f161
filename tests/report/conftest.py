"""Synthetic runs that look like real ones: several models and methods, tasks and lengths, hostile text in them."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from leadline.nouns import MARKS, Record

SCRIPT = "document.documentElement.dataset.hacked='1'"
HOSTILE = f"""</script><script>{SCRIPT}</script><!--<script><img src=x onerror="{SCRIPT}"><svg onload="{SCRIPT}">"""
DECLARED = {
    "needle": ("retrieval", "low", "low"),
    "kv-retrieval": ("retrieval", "low", "low"),
    "single-doc-qa": ("qa", "low", "low"),
    "multi-doc-qa": ("qa", "middle", "low"),
    "variable-tracking": ("tracking", "low", "low"),
    "passage-count": ("counting", "middle", "high"),
}
"""Ability, diffusion and scope."""
TASKS = {
    # name: (pieces of evidence, diffusion, scope, base score, where it has half fallen, how steeply)
    "needle": (1, 0.21, 0.33, 0.97, 1.3, 6.0),
    "kv-retrieval": (1, 0.44, 0.36, 0.95, 0.9, 5.0),
    "single-doc-qa": (1, 0.48, 0.41, 0.88, 1.0, 4.0),
    "multi-doc-qa": (2, 0.63, 0.45, 0.80, 0.9, 4.0),
    "variable-tracking": (4, 0.71, 0.52, 0.74, 0.7, 3.0),
    "passage-count": (6, 0.55, 0.83, 0.60, 0.6, 2.0),
}
LENGTHS = (128, 256, 512, 1024, 2048, 4096)
AROUND = ("the harbour was quiet that evening, and the boats came in one by one. ", " Beyond the point a bell was heard ")


def make(
    models: Sequence[str] = ("minnow",),
    methods: Sequence[str] = ("",),
    *,
    samples: int = 60,
    lengths: Sequence[int] = LENGTHS,
    tasks: Sequence[str] = tuple(TASKS),
    reach: float = 1100,
    seed: int = 0,
) -> list[Record]:
    """Records of a run; the first sample of every cell is hostile.

    Args:
        reach: where the first model's scores have half fallen without a method [tokens].
    """
    rng = random.Random(seed)
    found = []
    for m, model in enumerate(models):
        for k, method in enumerate(methods):
            for task in tasks:
                for length in lengths:
                    middle = reach * TASKS[task][4] * (1 + 1.6 * k + 1.1 * m)
                    found += [_record(rng, model, method, task, length, middle, i, k, max(lengths)) for i in range(samples)]
    return found


def _record(
    rng: random.Random, model: str, method: str, task: str, length: int, middle: float, i: int, k: int, longest: int
) -> Record:
    pieces, diffusion, scope, base, _, steep = TASKS[task]
    depths = tuple(sorted(round(rng.random(), 4) for _ in range(pieces)))
    sag = 1 - 0.35 * math.sin(math.pi * depths[0]) * min(1.0, length / middle)
    right = rng.random() < base / (1 + (length / middle) ** steep) * sag
    name, number = rng.choice(["Marlow", "Idris", "Tamsin", "Oriel", "Bexley"]), rng.randrange(1000, 9999)
    got = number if right else rng.randrange(1000, 9999)
    octaves = math.log2(length / 128)
    ability, *levels = DECLARED.get(task, ("", "", ""))
    facets = {"turn": str(1 + i % 3)} if task == "kv-retrieval" else {}
    if task.endswith("-qa"):
        facets = {"language": ("en", "zh")[i % 2], "hops": str(1 + i % 2)}
    record = Record(
        cell=hashlib.sha256(f"{model}{method}{task}{length}".encode()).hexdigest()[:16],
        model=model,
        method=method,
        task=task,
        ability=ability,
        levels=dict(zip(("diffusion", "scope"), filter(None, levels), strict=False)),
        facets=facets,
        parts={"coverage": rng.random() * right, "words": rng.randrange(20, 90)} if task == "multi-doc-qa" else {},
        length=length,
        base=length <= 256,
        item=f"{task}-{i}",
        cluster="",
        prompt=f"{task}/{task}-{i}@{length}",
        sha=f"{rng.getrandbits(64):016x}",
        tokens=length - rng.randrange(1 + length // 100),
        prompt_tokens=length - 32,
        output_tokens=rng.randrange(4, 20),
        depths=depths,
        diffusion=diffusion + 0.01 * octaves,
        scope=scope - 0.04 * octaves,
        question=f"What is the number of the lighthouse that {name} keeps?",
        answers=(str(number),),
        evidence=tuple(
            f"{AROUND[0]}{MARKS[0]}{name} keeps the lighthouse number {number}.{MARKS[1]}{AROUND[1]}{length}/{j}"
            for j in range(pieces)
        ),
        answer=f"The number is {got}.",
        thinking="First I look for the keeper.\nThen for the number." if i % 7 == 0 else "",
        extracted=str(got),
        score=float(right),
        audit="answered",
        stop="stop",
        seconds=0.02 + length / 9000 * (1 - 0.12 * k),
        ttft_s=0.01 + length / 12000 * (1 - 0.1 * k),
        token_s=0.0031 + 0.0002 * k,
        peak_bytes=int(2e6 + length * 3100 / (1 + k)),
        cache_bytes=int(length * 2048 / (1 + 1.5 * k)),
        date="2026-11-22T22:41:00Z",
    )
    if i == 0:
        said = record.answer + HOSTILE
        return replace(record, question=record.question + f" <b>really</b> & \u2028 {HOSTILE}", answer=said, thinking=HOSTILE)
    if not right and rng.random() < 0.05:
        audit, stop = rng.choice([("cut off", "length"), ("format not found", "stop"), ("empty", "stop")])
        return replace(record, audit=audit, stop=stop, extracted="", answer="" if audit == "empty" else record.answer)
    if length == longest and rng.random() < 0.02:
        return replace(
            record, audit="provider error", score=None, stop="error", error="HTTP 500 <oops>", answer="", extracted=""
        )
    return record


@pytest.fixture(scope="session")
def records() -> Callable[..., list[Record]]:
    """The maker of synthetic records."""
    return make


@pytest.fixture(scope="session")
def hostile() -> str:
    """Text that tries to run a script, as some answers and questions hold it."""
    return HOSTILE
