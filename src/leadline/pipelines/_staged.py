"""Asking stage by stage, each time with all that was said before: what several pipelines share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from leadline.nouns import Answer, Prompt
from leadline.pipelines.base import FAULTS, Ask, hints, parted, text_of, total

Find = Callable[[str, str, int], Awaitable[str]]
"""What is put before a stage, from its text, from what was said so far, and from its number (the first is 0)."""
SAID = "These pieces of what was said so far seem to bear on what is asked next:"


async def staged(prompt: Prompt, ask: Ask, find: Find, asked: list[Answer]) -> Answer:
    """Ask the stages of a prompt's task; the answer is all replies together.

    Args:
        prompt: of a task that names stages.
        ask: asks the tested model.
        find: gives what is put before each stage.
        asked: all answers that were paid for; those of the stages are added.
    """
    stages, (context, _) = hints(prompt).stages, parted(prompt)
    said = list[Answer]()
    for number, stage in enumerate(stages):
        so_far = "\n\n".join(one.text.strip() for one in said)
        found = await find(stage, so_far, number)
        text = text_of(prompt, f"{context}\n\n{so_far}", found, stage)
        got = await ask(text, max(1, prompt.answer_tokens // len(stages)))
        asked.append(got)
        if got.stop in FAULTS:
            return total(got, asked)
        said.append(got)
    cut = next((one.stop for one in said if one.stop != "stop"), "stop")
    whole = replace(
        said[-1],
        text="\n\n".join(one.text.strip() for one in said),
        thinking="\n\n".join(one.thinking for one in said if one.thinking),
        stop=cut,
    )
    return total(whole, asked)
