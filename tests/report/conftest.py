"""Synthetic runs that look like real ones: several models and methods, tasks and lengths, hostile text in everything."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable, Sequence

import pytest

from leadline.nouns import Record

HOSTILE = """</script><script>document.documentElement.dataset.hacked='1'</script><img src=x onerror="document.documentElement.dataset.hacked='2'">"""
TASKS = {
    # name: (evidence, diffusion, scope, base score, half length, fall)
    "needle": (1, 0.21, 0.33, 0.97, 1.3, 6.0),
    "kv-retrieval": (1, 0.44, 0.36, 0.95, 0.9, 5.0),
    "single-doc-qa": (1, 0.48, 0.41, 0.88, 1.0, 4.0),
    "multi-doc-qa": (2, 0.63, 0.45, 0.80, 0.9, 4.0),
    "variable-tracking": (4, 0.71, 0.52, 0.74, 0.7, 3.0),
    "passage-count": (6, 0.55, 0.83, 0.60, 0.6, 2.0),
}
LENGTHS = (128, 256, 512, 1024, 2048, 4096)


def make(
    models: Sequence[str] = ("minnow",),
    methods: Sequence[str] = ("",),
    *,
    samples: int = 60,
    lengths: Sequence[int] = LENGTHS,
    seed: int = 0,
    hostile: bool = True,
    reach: float = 1100,
) -> list[Record]:
    """Records of a run. `reach` is where the plain model's scores have half fallen [tokens]."""
    rng = random.Random(seed)
    found = []
    for m, model in enumerate(models):
        for k, method in enumerate(methods):
            for task, (pieces, diffusion, scope, base, half, steep) in TASKS.items():
                for length in lengths:
                    middle = reach * half * (1 + 1.6 * k + 1.1 * m)
                    chance = base / (1 + (length / middle) ** steep)
                    for i in range(samples):
                        depths = tuple(sorted(round(rng.random(), 4) for _ in range(pieces)))
                        sag = 1 - 0.35 * math.sin(math.pi * depths[0]) * min(1.0, length / middle)
                        right = rng.random() < chance * sag
                        audit, value, stop = "answered", float(right), "stop"
                        if not right and rng.random() < 0.05:
                            audit, stop = rng.choice([("cut off", "length"), ("format not found", "stop"), ("empty", "stop")])
                        if length == max(lengths) and rng.random() < 0.02:
                            audit, value, stop = "provider error", None, "error"
                        name = rng.choice(["Marlow", "Idris", "Tamsin", "Oriel", "Bexley"])
                        number = rng.randrange(1000, 9999)
                        said = f"The number is {number if right else rng.randrange(1000, 9999)}."
                        question = f"What is the number of the lighthouse that {name} keeps? (item {i})"
                        if hostile and i == 0:
                            said += HOSTILE
                            question += " <b>bold?</b> & \u2028 ok"
                        found.append(
                            Record(
                                cell=hashlib.sha256(f"{model}{method}{task}{length}".encode()).hexdigest()[:16], model=model, method=method, task=task,
                                ability="retrieval", length=length, base=length <= 256, item=f"{task}-{seed}-{i}", cluster="",
                                prompt=f"{task}/{task}-{seed}-{i}@{length}", sha=f"{rng.getrandbits(64):016x}",
                                tokens=length - rng.randrange(1 + length // 100), prompt_tokens=length - 32, output_tokens=rng.randrange(4, 20),
                                depths=depths, diffusion=diffusion + 0.05 * math.log2(length / 128) / 5, scope=scope - 0.04 * math.log2(length / 128),
                                question=question, answers=(str(number),),
                                evidence=tuple(
                                    f"the harbour was quiet that evening, and the boats came in one by one. ⟦{name} keeps the lighthouse number {number}.⟧ "
                                    f"Beyond the point ({j}, {length}) a bell was heard; nobody knew whose it was."
                                    for j in range(pieces)
                                ),
                                answer="" if audit in {"empty", "provider error"} else said,
                                thinking="First I look for the keeper.\nThen for the number." if i % 7 == 0 else "",
                                extracted=said.split("is ")[1][:4] if audit == "answered" else "", score=value, audit=audit, stop=stop,
                                error="HTTP 500 <oops>" if audit == "provider error" else "",
                                seconds=0.02 + length / 9000 * (1 - 0.12 * k), ttft_s=0.01 + length / 12000 * (1 - 0.1 * k), token_s=0.0031 + 0.0002 * k,
                                peak_bytes=int(2e6 + length * 3100 / (1 + k)), cache_bytes=int(length * 2048 / (1 + 1.5 * k)),
                                date="2026-11-22T22:41:00Z",
                            )
                        )  # fmt: skip
    return found


@pytest.fixture(scope="session")
def records() -> Callable[..., list[Record]]:
    """The maker of synthetic records."""
    return make
