"""Passage retrieval: the number of the passage that a summary was made of.

As in LongBench and 100-LongBench (arXiv:2505.19293), on documents of the invented world: the summary gives
three facts without the name, so the passage has to be recognised. The number follows from the layout.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from leadline.data.phrasings import RETRIEVE
from leadline.data.world import World
from leadline.nouns import Item
from leadline.scoring import extract
from leadline.tasks.base import PASSAGE, Task


@dataclass(frozen=True, kw_only=True)
class PassageRetrieval(Task):
    """The number of one passage among many."""

    ability = "retrieval"
    minimum = 512

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        document = World(seed).document(index)
        question = RETRIEVE.question(rng, self.wordings).format(summary=document.summary)
        return Item(
            id="",
            task="",
            instruction=RETRIEVE.instruction,
            question=question,
            answers=("{number0}",),
            evidence=(document.text,),
            noise="passages",
            form=PASSAGE,
            avoid=(document.subject,),
            prefill=RETRIEVE.prefill,
            answer_tokens=16,
        )

    def extract(self, text: str, item: Item) -> str | None:
        return extract.passage_number(text)

    def grade(self, found: str, answers: Sequence[str], item: Item) -> float:
        return float(found == answers[0])
