"""What a pipeline is: a way to use any model without touching its insides, by what it is asked.

A pipeline is one frozen dataclass in one file. It is given a built prompt and a way to ask, asks as often as it needs, and
gives one answer, which carries what all of its questions cost. It sees what the model would see: never the evidence's places
nor the accepted answers. Knows nothing of providers, tasks and scores.

A task may say how its material is best looked up, in `meta["retrieval"]` of its items; all of it may be left out:

    queries   what to look for, a list; the question, if not said
    enrich    what to ask of a helper about each piece
    how       `each` piece is enriched by itself; `together`, with the enrichment as the second query; `odd`, the paragraphs
              that are least like the others are kept
    first     pieces kept by the first ranking, second by the second one, plain where there is one ranking only
    stages    what to ask in turn, each time with all that was said before: then pieces are taken from that
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from leadline.nouns import Answer, Prompt

Ask = Callable[..., Awaitable[Answer]]
"""`await ask(prompt or text, max_tokens, role=...)`; in a role that nobody was given for, the tested model answers itself."""
How = Literal["each", "together", "odd"]
FAULTS = ("error", "window", "filter")
"""Ends of an answer after which there is no use in asking on."""


@dataclass(frozen=True, kw_only=True)
class Pipeline(ABC):
    """One way to use a model."""

    roles: ClassVar[Mapping[str, str]] = {}
    """Models that help, and what for: {"sage": "enriches what was found"}; given with `--role sage=MODEL`."""

    @abstractmethod
    async def answer(self, prompt: Prompt, ask: Ask) -> Answer:
        """Answer a prompt by asking, once or often."""


@dataclass(frozen=True, kw_only=True)
class Hints:
    """How a task's material is best looked up, see the head of this file."""

    queries: tuple[str, ...]
    enrich: str = ""
    how: How = "each"
    first: int = 8
    second: int = 4
    plain: int = 8
    stages: tuple[str, ...] = ()


def hints(prompt: Prompt) -> Hints:
    """What a prompt's task says of looking things up, or what goes for any other."""
    told = dict(prompt.meta.get("retrieval", {}))
    for name in ("queries", "stages"):
        told[name] = tuple(told.get(name, ()))
    told["queries"] = told["queries"] or (prompt.question.strip(),)
    return Hints(**told)


def parted(prompt: Prompt) -> tuple[str, str]:
    """What the user says, as the context with what stands before it, and the question."""
    first, *rest = [m["content"] for m in prompt.messages]
    if rest:
        # A conversation: what came after the context is the question.
        return first, "\n\n".join(f"{m['role'].capitalize()}: {m['content']}" for m in prompt.messages[1:])
    question = prompt.question.strip()
    return first.removesuffix(question).rstrip(), question


def text_of(prompt: Prompt, context: str, found: str, question: str) -> str:
    """One text to ask: context, what was found in it, question, and the answer's beginning where the prompt gives it."""
    said = "\n\n".join(part.strip() for part in (context, found, question) if part.strip())
    return f"{said}\n{prompt.prefill}" if prompt.prefill else said


def total(last: Answer, asked: Sequence[Answer]) -> Answer:
    """An answer that costs what all of the questions cost; `asked` holds the last one too."""

    def summed(name: str) -> float | None:
        values = [value for one in asked if (value := getattr(one, name)) is not None]
        return sum(values) if values else None

    names = ("prompt_tokens", "output_tokens", "cached_tokens", "seconds", "cost")
    figures = {name: summed(name) for name in names}
    for name in ("peak_bytes", "cache_bytes"):
        figures[name] = max((value for one in asked if (value := getattr(one, name)) is not None), default=None)
    return replace(last, **figures)  # type: ignore[arg-type]
