"""Counting stars: which list gives four counts that stand far apart, in their order.

As in 100-LongBench (arXiv:2505.19293): option 1 is "unanswerable", the others are the true list, two with
two counts swapped and one with a count redrawn. Counts within an item differ, so that no two options are
equal (in the paper's code they can be).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from leadline.data import prose
from leadline.data.phrasings import STARS
from leadline.nouns import Item
from leadline.scoring import extract
from leadline.tasks.base import Task


@dataclass(frozen=True, kw_only=True)
class CountingStars(Task):
    """A choice among five lists of counts.

    Attributes:
        counts: statements to be read, 3 to 16.
    """

    counts: int = 4

    ability = "counting"
    diffusion = "middle"
    chance = 0.2
    minimum = 512

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_range("counts", 3, 16)

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        name = "the " + prose.key(rng.randrange(1 << 30), seed)
        *true, spare = rng.sample(range(1, 101), self.counts + 1)
        lists = [true]
        while len(lists) < 3:
            i, j = rng.sample(range(self.counts), 2)
            swapped = list(true)
            swapped[i], swapped[j] = true[j], true[i]
            if swapped not in lists:
                lists.append(swapped)
        redrawn = list(true)
        redrawn[rng.randrange(self.counts)] = spare
        lists.append(redrawn)
        rng.shuffle(lists)
        options = ["The text does not say", *(", ".join(map(str, one)) for one in lists)]
        listed = "\n".join(f"{i}. {text}" for i, text in enumerate(options, 1))
        return Item(
            id="",
            task="",
            instruction=STARS.instruction.format(name="somebody"),
            question=STARS.question(rng).format(name=name, options=listed),
            answers=(str(lists.index(true) + 2),),
            evidence=tuple(STARS.statement(rng).format(name=name, value=v) for v in true),
            noise="passages",
            ordered=True,
            avoid=(name, "stars"),
            prefill=STARS.prefill,
            answer_tokens=16,
            choices=("1", "2", "3", "4", "5"),
            meta={"options": options},
        )

    def extract(self, text: str, item: Item) -> str | None:
        number = extract.first_integer(text)
        if number in {"1", "2", "3", "4", "5"}:
            return number
        line = text.strip().partition("\n")[0]
        named = [i for i, option in enumerate(item.meta.get("options", ()), 1) if option in line]
        return str(named[0]) if len(named) == 1 else None

    def grade(self, found: str, answers: Sequence[str], item: Item) -> float:
        return float(found == answers[0])
