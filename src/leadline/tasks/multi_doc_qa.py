"""Multi-document QA: a question whose answer needs several documents, one leading to the next.

As in 100-LongBench (arXiv:2505.19293), on the invented world (who taught whom, then a fact about the
teacher) or on a published data set in LongBench's or L-Eval's format.
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
class MultiDocQa(DocumentTask):
    """A fact at the end of a chain of documents.

    Attributes:
        hops: documents that must be read, 2 to 4.
    """

    hops: int = 2

    ability = "qa"
    diffusion = "middle"
    metric = "longbench/qa-f1"
    minimum = 1024

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_range("hops", 2, 4)

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        if self.data:
            return self.published(index, seed, rng)
        world = World(seed)
        path, asked = world.chain(index, self.hops)
        documents = [world.document(world.taught(index, step), "person", must=fact.relation) for step, fact in enumerate(path)]
        return Item(
            id="",
            task="",
            instruction=QA.instruction,
            question=QA.question(rng, self.wordings).format(question=asked.question),
            answers=(asked.value,),
            evidence=tuple(d.text for d in documents),
            noise="passages",
            form=PASSAGE,
            avoid=tuple(d.subject for d in documents),
            prefill=asked.prefill,
            answer_tokens=24,
            hops=self.hops,
        )
