"""Variable tracking: follow a chain of assignments through the text and name all its variables.

As in RULER (Hsieh et al. 2024, arXiv:2404.06654; Apache-2.0): `VAR a = 12345`, then `VAR b = VAR a`, in
order, among other chains; the score is the share of the chain's names in the reply.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from leadline.data.phrasings import VARIABLE
from leadline.nouns import Item
from leadline.scoring import extract
from leadline.tasks.base import Task, share_found


@dataclass(frozen=True, kw_only=True)
class VariableTracking(Task):
    """A chain of assignments.

    Attributes:
        hops: assignments of one variable to the next, 0 to 16 (RULER: 4).
        chains: chains of that length in the text, of which one is asked for, 1 to 8.
    """

    hops: int = 4
    chains: int = 2

    ability = "tracking"
    scope = "low"
    minimum = 512

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_range("hops", 0, 16)
        self.check_range("chains", 1, 8)

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        size = self.hops + 1
        names: dict[str, None] = {}
        while len(names) < size * self.chains:
            names["".join(rng.choices(ascii_uppercase, k=5))] = None
        chains = [list(names)[i * size : (i + 1) * size] for i in range(self.chains)]
        values = [str(v) for v in rng.sample(range(10_000, 100_000), self.chains)]
        lines = [
            [
                VARIABLE.statement(rng).format(name=name, value=f"VAR {chain[i - 1]}" if i else value)
                for i, name in enumerate(chain)
            ]
            for chain, value in zip(chains, values, strict=True)
        ]
        return Item(
            id="",
            task="",
            instruction=VARIABLE.instruction,
            question=VARIABLE.question(rng, self.wordings).format(value=values[0]),
            answers=tuple(chains[0]),
            evidence=tuple(lines[0]),
            distractors=tuple(line for chain in lines[1:] for line in chain),
            ordered=True,
            avoid=("VAR ",),
            prefill=VARIABLE.prefill.format(value=values[0]),
            answer_tokens=8 * size + 8,
            hops=size,
        )

    def extract(self, text: str, item: Item) -> str | None:
        return extract.whole(text.strip().partition("\n")[0])

    def grade(self, found: str, answers: Sequence[str], item: Item) -> float:
        return share_found(found, answers)
