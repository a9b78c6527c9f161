"""Needle in a haystack: exact facts hidden in prose, among facts of the same form.

The one-needle form draws length by depth; with several, all of them are asked for. Kamradt 2023,
LLMTest_NeedleInAHaystack (MIT); several needles, keys and values as in RULER (arXiv:2404.06654).
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from leadline.data import prose
from leadline.data.phrasings import NEEDLE
from leadline.nouns import Item
from leadline.scoring import extract
from leadline.tasks.base import Task, share_found


@dataclass(frozen=True, kw_only=True)
class Needle(Task):
    """One or several codes hidden in prose; the noise may be any text.

    Attributes:
        needles: facts asked for at once, 1 to 16.
        distractors: facts of the same form about other keys, 0 to 64.
        values: `number` (six digits) or `uuid`.
    """

    needles: int = 1
    distractors: int = 3
    values: str = "number"

    ability = "retrieval"

    @property
    def minimum(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Least length that every common tokenizer can build [tokens]."""
        return 256 + (96 if self.values == "number" else 224) * (self.needles - 1) + (0 if self.values == "number" else 128)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_range("needles", 1, 16)
        self.check_range("distractors", 0, 64)
        self.check("values", ("number", "uuid"))

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        count = self.needles + self.distractors
        first = rng.randrange(1 << 30)
        keys = [prose.key(first + i, seed) for i in range(count)]
        values = [self._value(rng) for _ in keys]
        facts = [NEEDLE.statement(rng, self.wordings).format(key=k, value=v) for k, v in zip(keys, values, strict=True)]
        asked = keys[: self.needles]
        several = self.needles > 1
        together = f"{', '.join(asked[:-1])} and {asked[-1]}" if several else asked[0]
        question = f"What are the codes of {together}?" if several else NEEDLE.question(rng, self.wordings).format(key=asked[0])
        return Item(
            id="",
            task="",
            instruction=NEEDLE.instruction,
            question=question,
            answers=tuple(values[: self.needles]),
            evidence=tuple(facts[: self.needles]),
            distractors=tuple(facts[self.needles :]),
            avoid=(*keys, *values),
            prefill=f"The codes of {together} are" if several else NEEDLE.prefill.format(key=asked[0]),
            answer_tokens=(16 if self.values == "number" else 48) * self.needles,
        )

    def _value(self, rng: random.Random) -> str:
        return prose.value(rng) if self.values == "number" else str(uuid.UUID(int=rng.getrandbits(128), version=4))

    def extract(self, text: str, item: Item) -> str | None:
        if self.needles > 1:
            return extract.whole(text)
        return extract.first_integer(text) if self.values == "number" else extract.first_uuid(text)

    def grade(self, found: str, answers: Sequence[str], item: Item) -> float:
        return share_found(found, answers)
