"""Passage count: how many different passages there are, when each stands there one to three times.

As in LongBench and 100-LongBench (arXiv:2505.19293). The passages are all evidence, so it grows with the
length and lengths are not paired.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from leadline.data import prose
from leadline.data.phrasings import COUNT
from leadline.data.world import World
from leadline.nouns import Item
from leadline.scoring import extract
from leadline.tasks.base import PASSAGE, Task


@dataclass(frozen=True, kw_only=True)
class PassageCount(Task):
    """The number of different passages.

    Attributes:
        repeats: how often a passage may stand there at most, 1 to 8.
    """

    repeats: int = 3

    ability = "counting"
    diffusion = "high"
    scope = "high"
    grows = True
    minimum = 512

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_range("repeats", 1, 8)

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        return Item(
            id="",
            task="",
            instruction=COUNT.instruction,
            question=COUNT.question(rng, self.wordings),
            answers=(),
            noise="none",
            form=PASSAGE,
            ordered=True,
            prefill=COUNT.prefill,
            answer_tokens=16,
            meta={"first": rng.randrange(80_000), "seed": seed},
        )

    def compose(self, item: Item, room: int, count: Callable[[str], int]) -> Item:
        """Draw passages, each with its repeats, until the next would not fit; then shuffle.

        The first stands there once, and is made longer to fill what room is left.
        """
        world, rng = World(item.meta["seed"]), random.Random(item.id)
        texts: list[str] = []
        different, left = 0, room
        while True:
            text = world.document(item.meta["first"] + different).text
            fits = min(
                rng.randint(1, self.repeats) if texts else 1, left // count(PASSAGE.format(number=len(texts) + 3, text=text))
            )
            if not fits:
                break
            texts += [text] * fits
            left -= fits * count(PASSAGE.format(number=len(texts), text=text))
            different += 1
        single = texts.pop(0) if texts else ""
        place = rng.randrange(len(texts) + 1)
        rng.shuffle(texts)
        texts.insert(place, single)
        spare = room - count("\n\n".join(PASSAGE.format(number=i, text=t) for i, t in enumerate(texts, 1)))
        more = " ".join(prose.sentence(rng) for _ in range(1 + spare // 6)).split(" ")
        low, high = 0, len(more)
        while low < high:
            middle = (low + high + 1) // 2
            fits = count(f"{single} {' '.join(more[:middle])}") - count(single) <= spare
            low, high = (middle, high) if fits else (low, middle - 1)
        texts[place] = f"{single} {' '.join(more[:low])}".strip()
        return dataclasses.replace(item, evidence=tuple(texts), answers=(str(different),))

    def extract(self, text: str, item: Item) -> str | None:
        return extract.first_integer(text)

    def grade(self, found: str, answers: Sequence[str], item: Item) -> float:
        # Asked without its context an item was never composed: nothing can be right.
        return float(found in answers)
