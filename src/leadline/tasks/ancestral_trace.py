r"""Ancestral Trace Challenge: a chain of kinship whose every statement is needed to join its ends.

NeedleBench's information-dense task, arXiv:2407.11963, second version (open-compass/opencompass, Apache-2.0): n statements
over n + 1 names, shuffled; four questions about the ends of the chain, each with one answer, given in `\boxed{}`. Differs: the
examples in the peer's prompt are a sentence of rules here; statements stand apart by a space in English, without noise on
lines of their own.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from leadline.nouns import Item
from leadline.scoring.needle_metrics import boxed_exact
from leadline.tasks._kinship import LANGUAGES, RULES, Chain, in_box
from leadline.tasks.base import Task

QUESTIONS = ("eldest", "ancestor", "descendant", "distance")
_ASKED = {
    "en": {
        "eldest": "Who is the eldest relative that {young} can be traced back to?",
        "ancestor": "Who is the ancestor of {young} that is {n} generations above {young}?",
        "descendant": "Who is the descendant of {old} that is {n} generations below {old}?",
        "distance": "How many generations lie between {young} and {old}, counted along the chain from one to the other?",
    },
    "zh": {
        "eldest": "从{young}往上追溯，辈分最高的亲人是谁？",
        "ancestor": "比{young}高{n}代的祖先是谁？",
        "descendant": "比{old}低{n}代的后代是谁？",
        "distance": "{young}和{old}之间相隔多少代？",
    },
}
_INSTRUCTION = {
    "en": "Below, family relations of one chain of people are told in a shuffled order.",
    "zh": "下面以打乱的顺序讲述了一串人物之间的亲属关系。",
}
_HOW = {
    "en": " Think it through, then give {what} in a box at the end, as in \\boxed{{{shape}}}.",
    "zh": "请先推理，最后把{what}写在方框里，例如\\boxed{{{shape}}}。",
}
_WHAT = {"en": ("the name", "name", "the number", "5"), "zh": ("名字", "名字", "数字", "5")}
_PREFILL = {"en": "The answer is \\boxed{", "zh": "答案是\\boxed{"}


@dataclass(frozen=True, kw_only=True)
class AncestralTrace(Task):
    """One question about the two ends of a chain of kinship.

    Attributes:
        needles: statements, 2 to 512 as in the paper, or 0 for as many as fill the length.
        noise: what lies between a fixed number of statements: `prose` (in the language asked in), or `none` as in the paper;
            items then come at their own length.
        question: `any` (the four in turn), `eldest` ancestor, nth `ancestor`, nth `descendant` or `distance` in generations.
        language: `en` or `zh`.
    """

    needles: int = 0
    noise: str = "prose"
    question: str = "any"
    language: str = "en"

    ability = "reasoning"
    diffusion = "high"
    scope = "high"
    minimum = 1536

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("noise", ("prose", "none"))
        self.check("question", ("any", *QUESTIONS))
        self.check("language", LANGUAGES)
        if self.needles:
            self.check_range("needles", 2, 512)
        object.__setattr__(self, "grows", not self.needles)
        object.__setattr__(self, "natural", bool(self.needles) and self.noise == "none")
        object.__setattr__(self, "minimum", 1536 + 192 * self.needles)
        object.__setattr__(self, "scope", "high" if not self.needles or self.noise == "none" else "middle")

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        chain = Chain(rng, self.language, seed)
        kind = QUESTIONS[index % 4] if self.question == "any" else self.question
        zh = self.language == "zh"
        plain = Item(
            id="",
            task="",
            instruction=_INSTRUCTION[self.language],
            question=RULES[self.language],
            answers=(),
            noise="none" if self.natural else "prose-zh" if zh else "prose",
            prefill=_PREFILL[self.language],
            answer_tokens=512,
            facets={"question": kind, "language": self.language},
            meta={"question": kind, "chain": rng.getrandbits(64), "seed": seed},
        )
        if self.grows:
            return plain
        chain = self._chain(plain)
        chain.grow(self.needles)
        item = self._asked(plain, chain, self.needles)
        if not self.natural:
            return item
        # Without noise nothing else would shuffle them.
        shuffled = random.Random(item.meta["chain"]).sample(item.evidence, self.needles)
        return dataclasses.replace(item, evidence=tuple(shuffled), ordered=True)

    def _chain(self, item: Item) -> Chain:
        return Chain(random.Random(item.meta["chain"]), self.language, item.meta["seed"])

    def _asked(self, item: Item, chain: Chain, n: int) -> Item:
        """The item about the first n statements of a chain."""
        young, old, far = chain.people[0], chain.people[n], chain.sums[n]
        kind = item.meta["question"]
        answer = {"descendant": young, "distance": str(far)}.get(kind, old)
        name, shape, number, figure = _WHAT[self.language]
        how = _HOW[self.language].format(
            what=number if kind == "distance" else name, shape=figure if kind == "distance" else shape
        )
        asked = _ASKED[self.language][kind].format(young=young, old=old, n=far)
        gap = " " if self.language == "en" else ""
        return dataclasses.replace(
            item,
            question=f"{RULES[self.language]}{gap}{asked}{how}",
            answers=(answer,),
            evidence=tuple(chain.statements[:n]),
            avoid=() if self.grows else (young, old),
            hops=n,
            facets={**item.facets, **({"needles": str(n)} if self.needles else {})},
            meta={**item.meta, "needles": n, "people": [young, old, chain.people[n // 2]]},
        )

    def compose(self, item: Item, room: int, count: Callable[[str], int]) -> Item:
        """As many statements of the chain as fit; a few words of prose fill what they leave."""
        chain, gap = self._chain(item), " " if self.language == "en" else ""
        room -= count(self._asked(item, _grown(chain, 2), 2).question) - count(item.question) + 16
        n = used = 0
        step = 64
        while step:
            _grown(chain, n + step)
            cost = count(gap.join(chain.statements[n : n + step]))
            if used + cost <= room:
                n, used = n + step, used + cost
            else:
                step //= 2
        return self._asked(item, chain, max(n, 2))

    def gold(self, answers: Sequence[str], item: Item) -> str:
        return f"{_PREFILL[self.language]}{answers[0]}}}."

    def wrong(self, answers: Sequence[str], item: Item, rng: random.Random) -> str:
        if item.meta["question"] == "distance":
            return self.gold([str(int(answers[0]) + rng.randint(1, 9))], item)
        return self.gold([rng.choice([p for p in item.meta["people"] if p != answers[0]])], item)

    def extract(self, text: str, item: Item) -> str | None:
        return in_box(text)

    def grade(self, found: str, answers: Sequence[str], item: Item) -> float:
        return boxed_exact(f"\\boxed{{{found}}}", answers)


def _grown(chain: Chain, n: int) -> Chain:
    chain.grow(n)
    return chain
