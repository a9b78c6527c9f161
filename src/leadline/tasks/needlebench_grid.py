r"""NeedleBench's grid of length by depth: one needle, eleven needles, or a chain of kinship among needles, in prose.

arXiv:2407.11963, second version (open-compass/opencompass, Apache-2.0). `--depth` sets where the (first) needle lies; eleven
needles lie one at each tenth of the context, those of a chain a tenth apart, and move with it. Scored as there: the keyword
stands in the reply; for a chain the content of the last `\boxed{}` is the name. Differs: the facts are of the invented
world (or of the published needles), lengths are the tested model's tokens and never leave the haystack empty.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from leadline.data import chinese, prose
from leadline.data.published import demand, rows_of
from leadline.data.world import World
from leadline.nouns import Answer, Item, Score, UserError
from leadline.scoring import extract
from leadline.scoring.needle_metrics import boxed_exact, keyword
from leadline.tasks._kinship import LANGUAGES, RULES, Chain, in_box
from leadline.tasks.base import Task

DEPTHS = tuple(i / 10 for i in range(11))
NEEDLES = "opencompass/NeedleBench/needles.jsonl"
COLUMNS = {"needle": str, "retrieval_question": str, "arg1": str, "arg2": str, "language": str}
_NAMES = {"en": "English", "zh": "Chinese"}
FACTS: dict[str, tuple[tuple[str, str], ...]] = {
    "en": (
        ("The treasure that lies buried in {a} is the {b}.", "Which treasure lies buried in {a}?"),
        ("The oldest painting in the museum of {a} shows the {b}.", "What does the oldest painting in the museum of {a} show?"),
        ("The password for the archive of {a} is {b}.", "What is the password for the archive of {a}?"),
        ("The best dish at the inn of {a} is called {b}.", "What is the best dish at the inn of {a} called?"),
        ("The ship that first sailed from {a} bore the name {b}.", "What name did the ship that first sailed from {a} bear?"),
        ("The secret society of {a} calls itself the {b}.", "What does the secret society of {a} call itself?"),
        ("The winning horse at the race in {a} was {b}.", "Which horse won the race in {a}?"),
        ("The bell in the tower of {a} is known as the {b}.", "What is the bell in the tower of {a} known as?"),
    ),
    "zh": (
        ("埋藏在{a}的宝物是{b}。", "埋藏在{a}的宝物是什么？"),
        ("{a}博物馆里最古老的画，画的是{b}。", "{a}博物馆里最古老的画，画的是什么？"),
        ("{a}档案室的口令是{b}。", "{a}档案室的口令是什么？"),
        ("{a}客栈最出名的菜叫作{b}。", "{a}客栈最出名的菜叫作什么？"),
        ("最早从{a}出航的船名叫{b}。", "最早从{a}出航的船名叫什么？"),
        ("{a}的秘密社团自称{b}。", "{a}的秘密社团自称什么？"),
        ("在{a}的比赛中获胜的马是{b}。", "在{a}的比赛中获胜的马是哪一匹？"),
        ("{a}钟楼上的大钟被称作{b}。", "{a}钟楼上的大钟被称作什么？"),
    ),
}  # fmt: skip
"""Statements of a fact about {a} and questions for {b}."""
_SAID = {
    "en": {
        "instruction": "Read the long text and answer what is asked at the end from it.",
        "single": "{questions} Answer in a few words.",
        "multiple": "Answer each of these questions in their order, one a line:\n{questions}",
        "reasoning": "{rules} In the text above, who is the eldest relative that {young} can be traced back to? "
        "Think it through, then give the name in a box at the end, as in \\boxed{{name}}.",
        "prefill": "The eldest relative is \\boxed{",
    },
    "zh": {
        "instruction": "请阅读下面的长文，并根据文中内容回答最后的问题。",
        "single": "{questions}请简短回答。",
        "multiple": "请依次回答下面的问题，每行写一个答案：\n{questions}",
        "reasoning": "{rules}在上面的文字中，从{young}往上追溯，辈分最高的亲人是谁？"
        "请先推理，最后把名字写在方框里，例如\\boxed{{名字}}。",
        "prefill": "辈分最高的亲人是\\boxed{",
    },
}


@dataclass(frozen=True, kw_only=True)
class NeedlebenchGrid(Task):
    """Needles in prose, by length and depth.

    Attributes:
        kind: `single` (one fact), `multiple` (eleven facts, all asked) or `reasoning` (a chain of kinship).
        needles: statements of the chain, 2 to 5; 0 for each of these numbers in turn (reasoning).
        language: `en` or `zh`, of facts, questions and noise.
        data: empty for invented facts, `hub` for the published needles, or a file in their format (single, multiple).
    """

    kind: str = "single"
    needles: int = 0
    language: str = "en"
    data: str = ""

    ability = "retrieval"
    minimum = 512

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("kind", ("single", "multiple", "reasoning"))
        self.check("language", LANGUAGES)
        if self.needles:
            self.check_range("needles", 2, 5)
        if self.data and self.kind == "reasoning":
            raise UserError(
                f"{self.id}: data holds facts for kind=single and kind=multiple; a chain of kinship is always generated"
            )
        minimum = {"single": 512, "multiple": 6144, "reasoning": 2560}[self.kind]
        object.__setattr__(self, "minimum", 2 * minimum if self.data else minimum)
        if self.kind == "reasoning":
            object.__setattr__(self, "ability", "reasoning")
        if self.kind != "single":
            object.__setattr__(self, "diffusion", "middle")
            object.__setattr__(self, "scope", "middle")

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        return self._chain(index, seed, rng) if self.kind == "reasoning" else self._facts(seed, rng)

    def _item(self, question: str, answers: Sequence[str], evidence: Sequence[str], **more: Any) -> Item:
        return Item(
            id="",
            task="",
            instruction=_SAID[self.language]["instruction"],
            question=question,
            answers=tuple(answers),
            evidence=tuple(evidence),
            noise="prose-zh" if self.language == "zh" else "prose",
            facets={"language": self.language} | more.pop("facets", {}),
            **more,
        )

    def _facts(self, seed: int, rng: random.Random) -> Item:
        count = 1 if self.kind == "single" else len(DEPTHS)
        drawn = self._published(count, rng) if self.data else self._invented(count, seed, rng)
        questions = [question for _, question, _, _ in drawn]
        listed = questions[0] if count == 1 else "\n".join(f"{i}. {q}" for i, q in enumerate(questions, 1))
        keywords = [word for _, _, _, word in drawn]
        return self._item(
            _SAID[self.language][self.kind].format(questions=listed),
            keywords,
            [needle for needle, _, _, _ in drawn],
            depths=DEPTHS if count > 1 else (),
            avoid=(*keywords, *(about for _, _, about, _ in drawn)),
            meta={"seed": seed},
            prefill="1." if count > 1 else "" if self.data else drawn[0][0].partition(keywords[0])[0].strip(),
            answer_tokens=128 if count == 1 else 64 * count,
            single_line=count == 1,
        )

    def _invented(self, count: int, seed: int, rng: random.Random) -> list[tuple[str, str, str, str]]:
        """Needles, questions, what they are about, and keywords; no two about the same place or of the same keyword."""
        first, then = rng.randrange(1 << 30), rng.randrange(1 << 30)
        zh, ways = self.language == "zh", FACTS[self.language]
        found = []
        for i, (needle, question) in enumerate(rng.sample(ways, 1) if count == 1 else rng.choices(ways, k=count)):
            about = chinese.town((first + i) % 3120, seed) if zh else World(seed).name("town", (first + i) % 90_000)
            word = chinese.key(then + i, seed) if zh else prose.key(then + i, seed)
            found.append((needle.format(a=about, b=word), question.format(a=about), about, word))
        return found

    def _published(self, count: int, rng: random.Random) -> list[tuple[str, str, str, str]]:
        rows = [r for r in _needles(NEEDLES if self.data == "hub" else self.data) if r["language"] == _NAMES[self.language]]
        found, seen = [], set()
        for row in rng.sample(rows, len(rows)):
            if not {row["arg1"], row["arg2"]} & seen:
                seen |= {row["arg1"], row["arg2"]}
                # With one needle the form of the answer is asked for as in the data; with several it would ask for too much.
                mark = "？" if self.language == "zh" else "?"
                question = row["retrieval_question"]
                question = question if count == 1 else question.partition(mark)[0] + mark
                found.append((row["needle"], question, row["arg1"], row["arg2"]))
            if len(found) == count:
                return found
        raise UserError(
            f"{self.id}: {self.data} holds only {len(found)} needles in {_NAMES[self.language]} with different arguments; "
            f"{count} are needed"
        )

    def _chain(self, index: int, seed: int, rng: random.Random) -> Item:
        n = self.needles or 2 + index % 4
        chain = Chain(rng, self.language, seed)
        chain.grow(n)
        first = rng.random() * (1 - 0.1 * (n - 1))
        said = _SAID[self.language]
        return self._item(
            said["reasoning"].format(rules=RULES[self.language], young=chain.people[0]),
            [chain.people[n]],
            rng.sample(chain.statements, n),
            depths=tuple(min(1.0, first + 0.1 * j) for j in range(n)),
            avoid=tuple(chain.people),
            prefill=said["prefill"],
            answer_tokens=512,
            hops=n,
            facets={"needles": str(n)},
            meta={"people": chain.people[:-1]},
        )

    def gold(self, answers: Sequence[str], item: Item) -> str:
        if self.kind == "reasoning":
            return f"{_SAID[self.language]['prefill']}{answers[0]}}}."
        return "\n".join(answers)

    def wrong(self, answers: Sequence[str], item: Item, rng: random.Random) -> str:
        if self.kind == "reasoning":
            return self.gold([rng.choice(item.meta["people"])], item)
        return super().wrong(answers, item, rng)

    def extract(self, text: str, item: Item) -> str | None:
        return in_box(text) if self.kind == "reasoning" else extract.whole(text)

    def grade(self, found: str, answers: Sequence[str], item: Item) -> float:
        return boxed_exact(f"\\boxed{{{found}}}", answers) if self.kind == "reasoning" else keyword(found, answers)

    def score(self, answers: Sequence[str], item: Item, answer: Answer) -> Score:
        base = super().score(answers, item, answer)
        if self.kind != "multiple" or base.value is None:
            return base
        parts = {f"depth {100 * d:.0f} %": float(a in base.extracted) for d, a in zip(DEPTHS, answers, strict=True)}
        return Score(value=base.value, audit=base.audit, extracted=base.extracted, parts=parts)


@lru_cache(maxsize=8)
def _needles(spec: str) -> tuple[Mapping[str, str], ...]:
    rows = []
    for place, raw in rows_of(spec):
        demand(raw, COLUMNS, "NeedleBench's needles", place)
        rows.append(raw)
    return tuple(rows)
