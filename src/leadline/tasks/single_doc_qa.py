"""Single-document QA: a question about one document among others of its kind.

As in 100-LongBench (arXiv:2505.19293), on the invented world or on a published data set in LongBench's or
L-Eval's format; the gold passage is not named unless `named` asks for the peer's form.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from leadline.data.phrasings import QA
from leadline.data.world import World
from leadline.nouns import Item
from leadline.tasks._documents import DocumentTask
from leadline.tasks.base import PASSAGE


@dataclass(frozen=True, kw_only=True)
class SingleDocQa(DocumentTask):
    """One fact of one document.

    Attributes:
        named: say the number of the passage in the question, as the peer's prompts do.
    """

    named: bool = False

    ability = "qa"
    metric = "longbench/qa-f1"
    minimum = 512

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        if self.data:
            return self.published(index, seed, rng)
        document = World(seed).document(index)
        fact = rng.choice(document.facts)
        question = QA.question(rng, self.wordings).format(question=fact.question)
        return Item(
            id="",
            task="",
            instruction=QA.instruction,
            question=f"Look at passage {{number0}}. {question}" if self.named else question,
            answers=(fact.value,),
            evidence=(document.text,),
            noise="passages",
            form=PASSAGE,
            avoid=(document.subject,),
            prefill=fact.prefill,
            answer_tokens=24,
        )
