"""What Inspect finds when it looks for leadline: our provider, and every task of the catalog as one of its own.

So `inspect eval leadline/needle --model openai/... -T length=4k -T tokenizer=PATH` runs with Inspect's own provider,
its prompts in the log. Knows nothing of runs; tasks are imported when they are asked for, not to be listed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig
from inspect_ai.scorer import Score, Target, accuracy, scorer, stderr
from inspect_ai.solver import Generate, TaskState, solver

from leadline import catalog
from leadline.catalog import Spec
from leadline.runs.plan import parse_length
from leadline.runs.provider import chat, leadline
from leadline.runs.replies import answer_of

__all__ = ["leadline"]


def build(
    name: str,
    length: int | str,
    tokenizer: str,
    samples: int = 50,
    seed: int = 0,
    noise: str | None = None,
    prefill: str = "auto",
    thinking: int = 0,
    **settings: Any,
) -> Task:
    """One of our tasks at one length, as Inspect runs it by itself.

    Args:
        name: of the task.
        length: as in `4096` or `4k` [tokens].
        tokenizer: of the tested model: a folder, a file or a hub id.
        samples: how many.
        seed: of items and haystacks.
        noise: in place of prose.
        prefill: `auto`, `on` or `off`.
        thinking: room for thinking, on top of `length` [tokens].
        settings: of the task.

    Raises:
        UserError: unknown settings; a length that is too short; no such tokenizer.
    """
    from leadline.data.haystack import ANYWHERE, Builder
    from leadline.data.tokens import load_tokenizer
    from leadline.runs.prompts import build_all

    made = catalog.make(Spec(name, settings), "tasks")
    builder = Builder(load_tokenizer(tokenizer), noise=noise, prefill=prefill, seed=seed)  # type: ignore[arg-type]
    size = parse_length(str(length))
    items = {item.id: item for item in made.items(samples, seed)}
    prompts = {p.item: p for p in build_all(builder, made, samples, size, seed, ANYWHERE)}
    if made.grows:
        # They are scored by what they were composed of.
        items = {i: dataclasses.replace(item, meta=prompts[i].meta) for i, item in items.items()}

    @solver(name="leadline/answer")
    def answer() -> Any:
        async def solve(state: TaskState, generate: Generate) -> TaskState:
            prompt = prompts[str(state.sample_id)]
            return await generate(state, max_tokens=prompt.answer_tokens + thinking, stop_seqs=list(prompt.stop) or None)

        return solve

    @scorer(metrics=[accuracy(), stderr()], name="leadline/score")
    def score() -> Any:
        async def judge(state: TaskState, target: Target) -> Score:
            item, prompt = items[str(state.sample_id)], prompts[str(state.sample_id)]
            found = made.score(prompt.answers, item, answer_of(state.output))
            if found.value is None:
                return Score.unscored(reason=found.audit, explanation=found.audit)
            return Score(value=found.value, answer=found.extracted, explanation=found.audit, metadata={"audit": found.audit})

        return judge

    dataset = [
        Sample(
            id=i,
            input=chat(p.messages, p.prefill),
            target=list(p.answers),
            metadata={"length": p.length, "tokens": p.tokens, "depths": p.depths, "question": p.question},
        )
        for i, p in prompts.items()
    ]
    return Task(
        dataset=MemoryDataset(dataset, name=f"{made.spec}@{size}"),
        solver=answer(),
        scorer=score(),
        config=GenerateConfig(temperature=0.0, reasoning_tokens=thinking or None),
        version=made.version,
    )


def _register(name: str) -> Callable[..., Task]:
    def make(length: int | str, tokenizer: str, samples: int = 50, seed: int = 0, **settings: Any) -> Task:
        return build(name, length, tokenizer, samples, seed, **settings)

    return task(name=name)(make)


for _entry in catalog.entries("tasks").values():
    if not _entry.members:
        _register(_entry.id)
