"""Chinese contexts with several questions: people of whom the prose tells a few things each.

Knows nothing of conversations, prompts and tokenizers.
"""

from __future__ import annotations

import random

from leadline.data import chinese
from leadline.tasks._shared_context import Ask, Session

NEAR = 8
"""Others of whom the same is told."""
TOLD = (
    ("{name}出生在{value}。", "{name}出生在哪里？", lambda i, seed: chinese.town(i, seed)),
    ("{name}最珍爱的东西叫{value}。", "{name}最珍爱的东西叫什么？", lambda i, seed: chinese.key(i, seed)),
    ("{name}的师傅是{value}。", "{name}的师傅是谁？", lambda i, seed: chinese.name(70_000 + i, seed)),
)
"""What is told, how it is asked for, and how it is drawn."""


def facts(name: str, place: int, seed: int, turns: int, rng: random.Random, keys: str) -> Session:
    """Questions on what is told of somebody among others."""

    def told(i: int) -> tuple[str, str, str, str]:
        says, asks, draw = TOLD[i % len(TOLD)]
        who, value = chinese.name(i % 70_000, seed), draw(i, seed)
        return who, value, says.format(name=who, value=value), asks.format(name=who)

    people = [told(place + i) for i in range(turns + NEAR)]
    asks = tuple(
        Ask(question=f"{question}只回答问题所问。", answers=(value,), room=40, prefill="答：", evidence=(statement,))
        for _, value, statement, question in people[:turns]
    )
    return Session(
        name=name,
        instruction="请阅读下面的文字，然后回答问题。",
        asks=asks,
        noise="prose-zh",
        distractors=tuple(statement for _, _, statement, _ in people[turns:]),
        avoid=tuple(who for who, *_ in people),
    )
