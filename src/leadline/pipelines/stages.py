"""Stages: a task that has several steps is asked step by step, each time with all that was said before.

As LongEmotion asks for emotion expression in one chat (arXiv:2509.07403); here the chat is told anew in one message. A task
without stages is asked as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from leadline.nouns import Answer, Prompt
from leadline.pipelines._staged import staged
from leadline.pipelines.base import Ask, Pipeline, hints


@dataclass(frozen=True, kw_only=True)
class Stages(Pipeline):
    """Ask step by step."""

    async def answer(self, prompt: Prompt, ask: Ask) -> Answer:
        """Ask every stage, or the prompt as it is."""

        async def nothing(stage: str, so_far: str, number: int) -> str:
            return ""

        return await staged(prompt, ask, nothing, []) if hints(prompt).stages else await ask(prompt)
