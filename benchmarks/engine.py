"""What the engine costs beside plain Inspect: CPU per sample at 1k tokens, log per sample and failures at 1M tokens.

Both sides run in this process, one after the other, on the same prompts and the same provider that answers at once
(ours wraps it by reference, plain Inspect has the prompts inline). Ratios are the figures to keep: times depend on the machine.

    python benchmarks/engine.py [--samples 200] [--big 8]
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BIG = 4_000_000
"""Characters of about a million tokens."""


def provider() -> None:
    """Register `instant/<name>`, which answers at once, or refuses with a status of 400 and the request in hand."""
    from inspect_ai.model import (
        ChatCompletionChoice,
        ChatMessageAssistant,
        ModelAPI,
        ModelCall,
        ModelOutput,
        ModelUsage,
        modelapi,
    )

    class Refused(Exception):
        status_code = 400

    class Instant(ModelAPI):
        async def generate(self, input: list[Any], tools: Any, tool_choice: Any, config: Any) -> Any:
            call = ModelCall.create({"messages": [{"role": m.role, "content": m.text} for m in input]}, None)
            if "fail" in self.model_name:
                return Refused("no"), call
            choice = ChatCompletionChoice(message=ChatMessageAssistant(content="1"), stop_reason="stop")
            call.set_response({"text": "1"})
            return ModelOutput(
                model="instant", choices=[choice], usage=ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
            ), call

        def should_retry(self, ex: BaseException) -> bool:
            return False

    modelapi(name="instant")(Instant)


def cost(work: Callable[[Path], object], samples: int) -> tuple[float, float, float]:
    """CPU seconds and wall seconds per sample, and bytes written per sample."""
    with tempfile.TemporaryDirectory() as folder:
        cpu, wall = time.process_time(), time.perf_counter()
        work(Path(folder))
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        size = sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file())
    return cpu / samples, wall / samples, size / samples


def ours(plan: Any, big: bool) -> Callable[[Path], object]:
    """Our engine; with `big`, each prompt has a million tokens more before it."""
    from leadline.runs import execute

    class Run(execute.Run):
        def _build(self, cell: Any, place: int) -> Any:
            prompt = super()._build(cell, place)
            if not big:
                return prompt
            text = filler(place)
            return dataclasses.replace(
                prompt, messages=({"role": "user", "content": text + prompt.messages[-1]["content"]},), text=""
            )

    def work(folder: Path) -> object:
        with Run(plan, folder) as one:
            one.ask({cell: plan.samples for cell in one.cells})
            return one.finish()

    return work


def inline(plan: Any, big: bool) -> Callable[[Path], object]:
    """Plain Inspect: the same prompts built before, in the samples, scored by the same scorer."""
    from inspect_ai import Task, eval
    from inspect_ai.dataset import Sample
    from inspect_ai.model import GenerateConfig
    from inspect_ai.scorer import Score, accuracy, scorer
    from inspect_ai.solver import generate

    from leadline.runs.plan import cells, items_of, task_of
    from leadline.runs.prompts import build, builder_of
    from leadline.runs.provider import chat
    from leadline.runs.replies import answer_of

    def work(folder: Path) -> object:
        builder = builder_of(plan, plan.models[0])
        cell = cells(plan)[0]
        items = {item.id: item for item in items_of(plan, cell.task, plan.samples)}
        task = task_of(cell.task)
        prompts = [build(plan, builder, cell, place) for place in range(plan.samples)]
        answers = {p.item: p.answers for p in prompts}

        @scorer(metrics=[accuracy()])
        def score() -> Any:
            async def judge(state: Any, target: Any) -> Score:
                found = task.score(answers[state.sample_id], items[state.sample_id], answer_of(state.output))
                return Score(value=found.value, answer=found.extracted)

            return judge

        samples = []
        for place, p in enumerate(prompts):
            content = (filler(place) if big else "") + p.messages[-1]["content"]
            samples.append(
                Sample(id=p.item, input=chat(({"role": "user", "content": content},), p.prefill), target=list(p.answers))
            )
        return eval(
            Task(
                dataset=samples, solver=generate(), scorer=score(), config=GenerateConfig(max_connections=plan.max_connections)
            ),
            model=plan.models[0],
            display="none",
            log_dir=str(folder),
            fail_on_error=False,
            max_samples=plan.max_connections,
            ctl_server=False,
        )

    return work


def filler(place: int) -> str:
    """Text of a million tokens that compresses as prose does, drawn from numbers of its own for each place."""
    import random

    rng = random.Random(place)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9))) for _ in range(20_000)]
    text = " ".join(rng.choices(words, k=BIG // 6))
    return text[:BIG] + "\n\n"


def main() -> None:
    """Run all and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--samples", type=int, default=200, help="at 1k tokens")
    parser.add_argument("--big", type=int, default=8, help="samples at 1M tokens")
    told = parser.parse_args()
    os.environ["INSPECT_DISPLAY"] = "none"
    logging.disable(logging.ERROR)

    from inspect_ai.util import display_type

    from leadline.runs.plan import Plan, parse_tasks

    display_type()
    provider()

    def plan(model: str, samples: int, length: int = 1024) -> Any:
        return Plan(
            models=(f"instant/{model}",), tasks=parse_tasks("needle"), lengths=(length,), samples=samples, tokenizer="minnow",
            max_retries=0, max_connections=4,
        )  # fmt: skip

    # Both sides once before, so that no one pays for imports and caches.
    for make in (ours, inline):
        cost(make(plan("warm", 3), False), 3)
    rows = []
    for name, what, model, samples, big in (
        ("CPU per sample, 1k tokens [ms]", 0, "ok", told.samples, False),
        ("log and records per sample, 1k tokens [kB]", 2, "ok", told.samples, False),
        ("CPU per sample, 1M tokens [ms]", 0, "ok", told.big, True),
        ("log and records per sample, 1M tokens [kB]", 2, "ok", told.big, True),
        ("wall per failing sample, 1M tokens [s]", 1, "fail", told.big, True),
        ("log and records per failing sample, 1M tokens [kB]", 2, "fail", told.big, True),
    ):
        scale = {0: 1e3, 1: 1.0, 2: 1e-3}[what]
        a, b = (cost(make(plan(model, samples), big), samples)[what] * scale for make in (ours, inline))
        rows.append(f"| {name} | {a:.3g} | {b:.3g} | {b / a:.2g} |")
    from importlib.metadata import version

    print(
        f"Inspect {version('inspect_ai')}, Python {platform.python_version()}, {os.cpu_count()} cores ({platform.machine()})\n"
    )
    print("| | leadline | Inspect inline | ratio |\n|---|---|---|---|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
