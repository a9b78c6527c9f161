"""Joint recall: the value of a key, where each context gives every key another value.

Zhan, Zhao, Zhu, Tang 2025, arXiv:2507.00449 (DeepGraphLearning/HAX, no licence file): made to separate attention from
state-space models. Differs: their sequences of tokens, for training, are `leadline.data.joint_recall`; here the table is told
in sentences, among prose or with as many contexts as fill the length. A reader that ignores contexts finds the right key.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from leadline.data import lexicon
from leadline.data.joint_recall import sequences, table
from leadline.data.world import World
from leadline.nouns import Answer, Item, Score
from leadline.scoring import extract
from leadline.tasks.base import Task

VALUES = (*lexicon.COLORS, "orange", "yellow")
_COLOR = re.compile(rf"(?i)\b(?:{'|'.join(VALUES)})\b")
_NUMBERED = re.compile(rf"(?im)^\W*(\d+)[.):][^\n]*?\b({'|'.join(VALUES)})\b")


@dataclass(frozen=True, kw_only=True)
class JointRecall(Task):
    """Colors of things, each another in every town.

    Attributes:
        contexts: towns, 1 to 64; 0 for as many as fill the length.
        keys: things, the same in each town, 1 to 16.
        asked: pairs of town and thing asked for at once, 1 to 64; 0 for all (not with as many towns as fill the length).
        told: `whole` (one sentence a town) or `scattered` (one sentence a pair).
    """

    contexts: int = 8
    keys: int = 8
    asked: int = 1
    told: str = "scattered"

    ability = "retrieval"
    diffusion = "middle"
    chance = 1 / len(VALUES)
    minimum = 512

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_range("contexts", 0, 64)
        self.check_range("keys", 1, 16)
        self.check_range("asked", 0 if self.contexts else 1, 64)
        self.check("told", ("whole", "scattered"))
        if self.contexts and self.asked > self.contexts * self.keys:
            self.check_range("asked", 0, self.contexts * self.keys)
        object.__setattr__(self, "grows", not self.contexts)
        pairs = self._least * self.keys
        object.__setattr__(self, "minimum", 768 + 40 * pairs + 64 * (self.asked or pairs))
        if not self.asked:
            object.__setattr__(self, "scope", "middle")

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        plain = Item(
            id="",
            task="",
            instruction="The text below tells which color things have in several towns. A thing may differ from town to town.",
            question="Which color does it have?",
            answers=(),
            prefill="The color is" if self.asked == 1 else "",
            facets={"told": self.told},
            meta={"seed": rng.getrandbits(48), "world": seed},
        )
        return plain if self.grows else self._told(plain, self.contexts)

    def _town(self, item: Item, context: int) -> tuple[str, list[int]]:
        """Name and values of a town; the same however many there are."""
        rng = random.Random(f"{item.meta['seed']}/{context}")
        place = _wander(context, item.meta["seed"])
        return World(item.meta["world"]).name("town", place), table(1, self.keys, len(VALUES), rng)[0]

    def _sentences(self, item: Item, context: int) -> list[str]:
        """What is told of a town."""
        (town, values), things = self._town(item, context), self._things(item)
        facts = [f"the {thing} is {VALUES[v]}" for thing, v in zip(things, values, strict=True)]
        if self.told == "scattered":
            return [f"In {town}, {fact}." for fact in facts]
        random.Random(f"{item.meta['seed']}/{context}/order").shuffle(facts)
        return [f"In {town}, {', '.join(facts[:-1])}{' and ' if len(facts) > 1 else ''}{facts[-1]}."]

    def _things(self, item: Item) -> list[str]:
        return random.Random(item.meta["seed"]).sample(lexicon.NOUNS, self.keys)

    def _told(self, item: Item, contexts: int) -> Item:
        """The item with a table of so many towns; a larger one begins with the smaller one, and asks for the same."""
        there = self._least if self.grows else contexts
        pairs = [(c, k) for c in range(there) for k in range(self.keys)]
        asked = random.Random(item.meta["seed"] + 1).sample(pairs, self.asked or len(pairs))
        towns = [self._town(item, c) for c in range(contexts)]
        things = self._things(item)
        if len(asked) == 1:
            [(c, k)] = asked
            question = f"Which color does the {things[k]} in {towns[c][0]} have? Answer with the color."
        else:
            lines = [f"{i}. the {things[k]} in {towns[c][0]}" for i, (c, k) in enumerate(asked, 1)]
            question = "Which colors do these have? Answer with number and color, one a line.\n" + "\n".join(lines)
        whole = self.told == "whole"
        needed = {(c, 0 if whole else k) for c, k in asked}
        told = {(c, k): text for c in range(contexts) for k, text in enumerate(self._sentences(item, c))}
        others = [[VALUES[values[k]] for i, (_, values) in enumerate(towns) if i != c] for c, k in asked]
        return replace(
            item,
            question=question,
            answers=tuple(VALUES[towns[c][1][k]] for c, k in asked),
            evidence=tuple(text for at, text in told.items() if at in needed),
            distractors=tuple(text for at, text in told.items() if at not in needed),
            avoid=() if self.grows else tuple(town for town, _ in towns),
            answer_tokens=16 * len(asked),
            single_line=len(asked) == 1,
            meta={**item.meta, "others": [sorted(set(colors)) for colors in others]},
        )

    @property
    def _least(self) -> int:
        """Towns that are there at every length."""
        return self.contexts or max(4, -(-self.asked // self.keys))

    def compose(self, item: Item, room: int, count: Callable[[str], int]) -> Item:
        """As many towns as fit; a few words of prose fill what they leave."""
        least = self._told(item, self._least)
        room -= count(least.question) - count(item.question) + least.answer_tokens - item.answer_tokens + 16
        n = used = 0
        step = 8
        while step:
            cost = count(" ".join(text for c in range(n, n + step) for text in self._sentences(item, c)))
            if used + cost <= room:
                n, used = n + step, used + cost
            else:
                step //= 2
        return self._told(item, max(n, self._least))

    def gold(self, answers: Sequence[str], item: Item) -> str:
        return f"{answers[0]}." if len(answers) == 1 else "\n".join(f"{i}. {a}" for i, a in enumerate(answers, 1))

    def wrong(self, answers: Sequence[str], item: Item, rng: random.Random) -> str:
        return self.gold([rng.choice([v for v in VALUES if v != a]) for a in answers], item)

    def extract(self, text: str, item: Item) -> str | None:
        """A color for each pair that was asked for, by its number or else in their order, one a line; `-` for none."""
        count, clear = len(item.meta["others"]), extract.plain(text)
        found = [m[0].lower() for m in _COLOR.finditer(clear)]
        if not found:
            return None
        numbered = {int(m[1]): m[2].lower() for m in _NUMBERED.finditer(clear)}
        if count == 1 or not numbered:
            return "\n".join([*found, *["-"] * count][:count])
        return "\n".join(numbered.get(i, "-") for i in range(1, count + 1))

    def grade(self, found: str, answers: Sequence[str], item: Item) -> float:
        return sum(a == b for a, b in zip(found.split("\n"), answers, strict=True)) / len(answers)

    def score(self, answers: Sequence[str], item: Item, answer: Answer) -> Score:
        base = super().score(answers, item, answer)
        if base.audit != "answered":
            return base
        told = list(zip(base.extracted.split("\n"), answers, item.meta["others"], strict=True))
        elsewhere = sum(said != gold and said in others for said, gold, others in told)
        return replace(base, parts={"wrong town": elsewhere / len(told)})


def _wander(index: int, seed: int) -> int:
    """A place among 90,000: another for each index, and none near its neighbour's (a Feistel network on 300 by 300)."""
    rounds = _rounds(seed)
    left, right = divmod(index % 90_000, 300)
    for add in rounds:
        left, right = right, (left + add[right]) % 300
    return left * 300 + right


@lru_cache(maxsize=64)
def _rounds(seed: int) -> list[list[int]]:
    rng = random.Random(seed)
    return [[rng.randrange(300) for _ in range(300)] for _ in range(4)]


def check(lab: Any) -> Any:
    """Tables of any size told in sentences; a reader that knows the key and ignores the context is told apart."""
    specs = (
        "joint-recall",
        "joint-recall(contexts=0)",
        "joint-recall(asked=0, contexts=4, keys=4)",
        "joint-recall(told=whole)",
    )

    def elsewhere(task: Any, item: Item, prompt: Any) -> str:
        """The color of the same thing in another town, where there is one."""
        return f"{item.meta['others'][0][0]}."

    scores = lab.scores("joint-recall", elsewhere, n=40)
    wrong = [s.parts["wrong town"] for s in scores if s.value == 0]
    right = sum(s.value or 0 for s in scores) / len(scores)
    one = [values for values, mask in sequences(1, 2, 2) for values in [sum(mask)]]
    return lab.conclude(
        lab.build(*specs, lengths=("4k", "64k")),
        *(lab.replies(spec) for spec in specs),
        (
            right < 0.25 and wrong == [1.0] * len(wrong),
            f"the color in another town scores {right:.2f}, and {len(wrong)} of 40 replies are called so",
        ),
        (one == [4], f"a table of 2 by 2 asks for {one[0]} values in tokens"),
        lab.sound("joint-recall"),
        control=lab.sound("joint-recall", blind=True),
    )
