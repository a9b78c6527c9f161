"""One sample: what is asked of a model, and the record that comes of it.

Knows nothing of journals and of other samples.
"""

from __future__ import annotations

import dataclasses
import datetime
from typing import TYPE_CHECKING, Any

from leadline.nouns import MARKS, Answer, Item, Prompt, Record, Score, UserError
from leadline.runs.plan import Cell, Plan, pipeline_roles, task_of, tokenizer_of

if TYPE_CHECKING:
    from inspect_ai.model import Model

    from leadline.runs.provider import Asked

AROUND = 80
"""Characters kept on both sides of a piece of evidence, for reading."""
ROLE_TOKENS = 1024
"""Room for the answer of a model that helps to score, where the task does not say [tokens]."""
EXCERPTS, EXCERPT = 16, 1200
"""Pieces of evidence kept of a sample, and characters of each: `leadline show` has the prompt whole."""


class Asker:
    """Asks one model for one sample: what a pipeline is given."""

    def __init__(self, model: Model, plan: Plan, cell: Cell, prompt: Prompt, local: bool, role: str = "") -> None:
        """What is asked of whom; `role` is that of a model that helps to score."""
        self.model, self.plan, self.cell, self.prompt, self.local, self.role = model, plan, cell, prompt, local, role
        self.helpers: dict[str, Asker] = {}
        """Who is asked in the roles that a pipeline has; where nobody is, the tested model itself."""
        self.output: Any = None
        """The last output, for Inspect's log."""
        self._count = 0

    async def ask(self, prompt: Prompt | str, max_tokens: int | None = None, role: str = "") -> Answer:
        """Ask something and wait for the answer; what goes wrong on the provider's side is in the answer.

        Args:
            prompt: a built prompt, or what the user says.
            max_tokens: room for the answer, the prompt's own if not said.
            role: of a model that helps a pipeline.
        """
        if role in self.helpers:
            return await self.helpers[role].ask(prompt, max_tokens)
        from inspect_ai.model import ChatMessageUser, GenerateConfig

        from leadline.runs import provider, replies

        asked = self._asked(prompt, max_tokens)
        who = f"{self.role}/" if self.role else ""
        reference = f"{provider.SCHEME}{who}{self.cell.key}/{self.prompt.item}/{self._count}#{self.prompt.sha}"
        self._count += 1
        # A local model has its stop strings from the request; an endpoint whose answer goes on from a prefill, from here.
        config = GenerateConfig(max_tokens=asked.max_tokens, stop_seqs=list(asked.stop) or None)
        provider.references[reference] = asked
        try:
            self.output = await self.model.generate([ChatMessageUser(content=reference)], config=config)
        except UserError:
            raise
        # All that an endpoint, its SDK and Inspect's time limits raise ends in the audit; a local model's faults are ours.
        except Exception as error:
            if self.local:
                raise
            return Answer(stop="error", error=replies.one_line(error))
        finally:
            del provider.references[reference]
        return replies.answer_of(self.output)

    def _asked(self, prompt: Prompt | str, max_tokens: int | None) -> Asked:
        from leadline.runs.provider import Asked

        room = self.plan.thinking
        if isinstance(prompt, Prompt):
            room += max_tokens or prompt.answer_tokens
            tokens = prompt.tokens + self.plan.thinking
            heads = (prompt.shared_chars, prompt.turns)
            return Asked(prompt.messages, prompt.text, prompt.prefill, tokens, room, prompt.stop, *heads)
        messages = ({"role": "user", "content": prompt},)
        if self.role and not self.local:
            # An endpoint takes messages as they are and counts for itself.
            return Asked(messages, prompt, "", 0, max_tokens or ROLE_TOKENS)
        room = max_tokens or ROLE_TOKENS if self.role else room + (max_tokens or self.prompt.answer_tokens)
        name = self.plan.roles[self.role] if self.role else self.cell.model
        tokenizer = tokenizer_of(name, self.plan.tokenizer)
        text = tokenizer.render(messages)
        return Asked(messages, text, "", tokenizer.count(text) + room, room)


def unasked(plan: Plan, cell: Cell, item: Item, error: str, stop: Any = "window") -> Record:
    """The record of an item that is longer than its cell's length, or cannot be asked for another reason."""
    prompt = Prompt(
        id=f"{item.task}/{item.id}@{cell.length}",
        length=cell.length,
        tokens=0,
        messages=({"role": "user", "content": ""},),
        text="",
        item=item.id,
        evidence=(),
        depths=(),
        diffusion=0.0,
        scope=0.0,
        sha="",
        **{name: getattr(item, name) for name in ("task", "prefill", "answers", "question", "answer_tokens", "cluster")},
    )
    return record_of(plan, cell, item, prompt, Answer(stop=stop, error=error))


def record_of(plan: Plan, cell: Cell, item: Item, prompt: Prompt, answer: Answer, given: Score | None = None) -> Record:
    """The record of a finished sample; scored by its task, where the score is not given."""
    task = task_of(cell.task)
    score = given or (task.score if cell.length else task.prior)(prompt.answers, item, answer)
    if score.audit == "provider error" and not answer.error:
        helpers = ", ".join(f"{role} {plan.roles[role]}" for role in task.roles if role in plan.roles)
        answer = dataclasses.replace(answer, error=f"no score could be had of {helpers}")
    content = prompt.messages[0]["content"]
    return Record(
        cell=cell.key,
        model=cell.model,
        method=cell.method,
        pipeline=plan.pipeline,
        task=str(cell.task),
        ability=task.ability,
        length=cell.length,
        base=cell.base,
        chance=task.chance,
        grows=task.grows,
        item=item.id,
        cluster=prompt.cluster,
        prompt=prompt.id,
        sha=prompt.sha,
        tokens=prompt.tokens,
        depths=tuple(prompt.depths),
        diffusion=prompt.diffusion,
        scope=prompt.scope,
        question=prompt.question,
        answers=tuple(prompt.answers),
        evidence=tuple(_excerpt(content, a, b) for a, b in prompt.evidence[:EXCERPTS]),
        answer=answer.text,
        extracted=score.extracted,
        score=score.value,
        audit=score.audit,
        parts=dict(score.parts),
        facets=dict(item.facets),
        levels={"diffusion": task.diffusion, "scope": task.scope},
        roles={role: plan.roles[role] for role in (*task.roles, *pipeline_roles(plan.pipeline)) if role in plan.roles},
        date=now(),
        **{
            name: getattr(answer, name)
            for name in (
                "thinking",
                "stop",
                "error",
                "prompt_tokens",
                "output_tokens",
                "cached_tokens",
                "seconds",
                "ttft_s",
                "token_s",
                "peak_bytes",
                "cache_bytes",
                "cost",
            )
        },
    )


def _excerpt(content: str, a: int, b: int) -> str:
    """A piece of evidence between its marks, with the text around it; the middle of a long one is left out."""
    piece = content[a:b] if b - a <= EXCERPT else f"{content[a : a + EXCERPT // 2]} [...] {content[b - EXCERPT // 2 : b]}"
    return content[max(0, a - AROUND) : a] + MARKS[0] + piece + MARKS[1] + content[b : b + AROUND]


def now() -> str:
    """The moment, as records and run.json write it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
