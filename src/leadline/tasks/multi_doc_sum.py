"""Multi-document summarisation: what several passages say about one subject, checked fact by fact.

As in 100-LongBench (arXiv:2505.19293), without a judge: three documents of the invented world share the
facts about a subject out among them. Published data sets in LongBench's or L-Eval's format are scored by
ROUGE-L.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from leadline.data.world import World
from leadline.nouns import Item
from leadline.tasks._documents import DocumentTask, summary_item


@dataclass(frozen=True, kw_only=True)
class MultiDocSum(DocumentTask):
    """A summary of several documents among others.

    Attributes:
        documents: documents about the subject, 2 to 4.
    """

    documents: int = 3

    ability = "summarisation"
    diffusion = "middle"
    scope = "middle"
    metric = "longbench/rouge"
    minimum = 1024

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_range("documents", 2, 4)

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        if self.data:
            return self.published(index, seed, rng)
        return summary_item(World(seed).documents(index, self.documents), rng)
