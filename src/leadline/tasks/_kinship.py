"""Chains of kinship: who is whose father or grandmother, stated in many ways, in English and Chinese.

As in NeedleBench's second version (arXiv:2407.11963): every statement joins two neighbours of one chain, so that its ends
can only be joined through all of them. Sexes and family names of the invented people mean nothing, and the prompts say so.
"""

from __future__ import annotations

import random
import re

from leadline.data import chinese
from leadline.data.world import World
from leadline.scoring.needle_metrics import boxed

LANGUAGES = ("en", "zh")
GENERATIONS: dict[str, dict[str, int]] = {
    "en": {
        "father": 1, "mother": 1, "dad": 1, "mom": 1, "grandfather": 2, "grandmother": 2, "maternal grandmother": 2,
        "maternal grandfather": 2, "paternal grandfather": 2, "paternal grandmother": 2,
    },
    "zh": {"父亲": 1, "母亲": 1, "爸爸": 1, "妈妈": 1, "爷爷": 2, "奶奶": 2, "姥姥": 2, "姥爷": 2, "外公": 2, "外婆": 2},
}  # fmt: skip
"""How many generations each word spans."""
STATEMENTS: dict[str, tuple[str, ...]] = {
    "en": (
        "{a} is the {r} of {b}.",
        "The {r} of {b} is {a}.",
        "{b} was brought up by {a}, who is the {r} of {b}.",
        "{a}, who is the {r} of {b}, taught {b} to read.",
        "To {b}, {a} is not only a {r} but also a good friend.",
        "{a} is the {r} of {b}, and {b} wants to become like {a}.",
        "In the childhood of {b}, {a} was there as the {r} and as the guardian of {b}.",
    ),
    "zh": (
        "{a}是{b}的{r}。",
        "{b}的{r}是{a}。",
        "{a}身为{b}的{r}，一直照看着{b}。",
        "{a}既是{b}的{r}，也是{b}的老师。",
        "对{b}来说，{a}是{r}，也是知心的朋友。",
        "在{b}小的时候，{a}不只是{b}的{r}，也是{b}最敬佩的人。",
    ),
}
RULES: dict[str, str] = {
    "en": (
        "Go by the text alone: any name may be that of any parent, and family names mean nothing. Father, mother, dad and mom "
        "are one generation away; every kind of grandfather and grandmother is two generations away."
    ),
    "zh": (
        "只以文中所写为准：名字看不出性别，姓氏也不代表亲缘。父亲、母亲、爸爸、妈妈相隔一代；"
        "爷爷、奶奶、姥姥、姥爷、外公、外婆相隔两代。"
    ),
}  # fmt: skip


class Chain:
    """A chain of people from the youngest up, as long as it is asked for; a longer one begins with the shorter one.

    Args:
        rng: draws people, words and wordings.
        language: `en` or `zh`.
        seed: of the names.
    """

    def __init__(self, rng: random.Random, language: str, seed: int) -> None:
        self._rng, self._used = random.Random(rng.getrandbits(64)), set[int]()
        self._name = World(seed).name if language == "en" else None
        self._language, self._seed = language, seed
        self.people = [self._person()]
        self.statements: list[str] = []
        self.sums = [0]
        """Generations from the youngest to each of the people."""

    def _person(self) -> str:
        """Somebody who is not in the chain yet; drawn, for neighbours among the world's people may share a family name."""
        while (place := self._rng.randrange(90_000)) in self._used:
            pass
        self._used.add(place)
        return self._name("person", place) if self._name else chinese.name(place, self._seed)

    def grow(self, n: int) -> None:
        """Make the chain n statements long."""
        words, ways = list(GENERATIONS[self._language].items()), STATEMENTS[self._language]
        while len(self.statements) < n:
            younger, elder = self.people[-1], self._person()
            (word, generations), way = self._rng.choice(words), self._rng.choice(ways)
            self.statements.append(way.format(a=elder, b=younger, r=word))
            self.people.append(elder)
            self.sums.append(self.sums[-1] + generations)


def in_box(text: str) -> str | None:
    r"""What the last `\boxed{}` holds; a completion that goes on behind `\boxed{` closes the box that the prompt opened."""
    if "\\boxed" in text:
        found = boxed(text)
        return None if found == "None" else found.strip()
    m = re.match(r"\s*([^{}\n]+)\}", text)
    return m[1].strip() if m else None
