"""Single-document summarisation: what the passages say about one subject, checked fact by fact.

As in 100-LongBench (arXiv:2505.19293), without a judge: documents of the invented world state exact facts,
and the score is the share of them in as many sentences as were asked for. Published data sets in
LongBench's or L-Eval's format are scored by ROUGE-L.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from leadline.data.world import World
from leadline.nouns import Item
from leadline.tasks._documents import DocumentTask, summary_item


@dataclass(frozen=True, kw_only=True)
class SingleDocSum(DocumentTask):
    """A summary of one document among others."""

    ability = "summarisation"
    scope = "middle"
    metric = "longbench/rouge"
    minimum = 1024

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        if self.data:
            return self.published(index, seed, rng)
        return summary_item([World(seed).document(index)], rng)
