"""BestAnswer: the one of many answers that helps.

Wang, Duan, Zhang, Lin, Chen 2024, "Ada-LEval: Evaluating long-context LLMs with length-adaptable benchmarks" (NAACL),
arXiv:2404.06480; code open-compass/Ada-LEval, without a licence. A question from a forum with the answer that was accepted,
others to the same question and, as far as the length reaches, answers to other questions. In the invented world a
question asks for somebody with four properties: one answer has them all, others miss one each, and the noise is
answers about others. Of n answers a guess is right once in n, so chance falls with the length (about 1/23 at 2k tokens).
"""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from leadline.data import prose
from leadline.data.published import demand, rows_of
from leadline.data.world import RELATIONS, World
from leadline.nouns import Answer, Item, Score, UserError
from leadline.scoring import ada_metrics, extract
from leadline.tasks import _growth
from leadline.tasks.base import Task

FORM = "A{number}:\n{text}"
ASKED = ("pet", "instrument", "color", "office")
WANTS = {
    "pet": "keeps a {v}",
    "instrument": "plays the {v}",
    "color": "has a {v} door",
    "office": "has room {v} in the guild house",
}
INSTRUCTION = (
    "Below are many answers, each under its number (A1, A2, ...). At the end you are given a question; "
    "decide which one of the answers helps most with it."
)
QUESTION = "The question is: {question}\nWhich answer is the most helpful one? Give only its number, as in: Answer: A4"
TITLE = {"question_id": (int, str), "question": str, "answer": str, "all_answers": list}


@dataclass(frozen=True, kw_only=True)
class AdaBestAnswer(Task):
    """One answer among many.

    Attributes:
        data: the benchmark's stackselect_*.json, or rows of that format; empty for the invented world.
        fill: fill published cases to the length with answers to the data's other questions; else they come as published.
        near: invented answers that have all properties but one, 0 to 4.
        peer: score published cases as the benchmark's code does, quirks and all.
    """

    data: str = ""
    fill: bool = False
    near: int = 4
    peer: bool = False

    ability = "qa"
    diffusion = "middle"
    scope = "low"
    minimum = 2048

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_range("near", 0, 4)
        if (self.peer or self.fill) and not self.data:
            raise UserError(f"{self.id}: peer and fill are for published cases, give data=stackselect_4k.json or the like")

    @property
    def natural(self) -> bool:  # type: ignore[override]
        return bool(self.data) and not self.fill

    @property
    def grows(self) -> bool:  # type: ignore[override]
        return self.fill

    def items(self, n: int, seed: int = 0) -> list[Item]:
        if self.data and n > len(_cases(self.data)):
            raise UserError(f"{self.id}: {self.data} holds {len(_cases(self.data))} questions; ask for at most that many")
        return super().items(n, seed)

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        if self.data:
            case = _order(self.data, seed)[index]
            question, right, texts = _cases(self.data)[case]
            if self.fill:
                return self._asked(question, ("A{number0}",), noise="none", form=FORM, meta={"case": case, "seed": seed})
            framed = tuple(FORM.format(number=i, text=text) for i, text in enumerate(texts, 1))
            place = ("first third", "middle third", "last third")[3 * (right - 1) // len(texts)]
            meta, facets = {"choices": len(texts), "seed": seed}, {"right answer": place}
            return self._asked(question, (f"A{right}",), evidence=framed, noise="none", ordered=True, meta=meta, facets=facets)
        world = World(seed)
        facts = {f.relation: f.value for f in world.facts("person", index)}
        want = {name: facts[name] for name in ASKED}
        told = [WANTS[name].format(v=value) for name, value in want.items()]
        question = f"Who {', '.join(told[:-1])} and {told[-1]}?"
        answers = [_answer(world.name("person", index), facts, rng)]
        for missed in rng.sample(ASKED, self.near):
            who = index + 20_000 + len(answers) * 977
            other = {f.relation: f.value for f in world.facts("person", who)}
            pool = next(r.pool for r in RELATIONS["person"] if r.name == missed)
            spare = [str(v) for v in (range(100, 1000) if pool == "number" else pool) if str(v) != want[missed]]
            answers.append(_answer(world.name("person", who), {**other, **want, missed: rng.choice(spare)}, rng))
        return self._asked(
            question,
            ("A{number0}",),
            evidence=(answers[0],),
            distractors=tuple(answers[1:]),
            noise="passages",
            form=FORM,
            avoid=(f"room {want['office']} in",),
        )

    def _asked(self, question: str, answers: tuple[str, ...], **more: object) -> Item:
        return Item(
            id="",
            task="",
            instruction=INSTRUCTION,
            question=QUESTION.format(question=question),
            answers=answers,
            prefill="Answer: A",
            answer_tokens=16,
            **more,  # type: ignore[arg-type]
        )

    def compose(self, item: Item, room: int, count: Callable[[str], int]) -> Item:
        """The question's own answers, those to other questions until the next would not fit, and the beginning of one."""
        cases, case = _cases(self.data), item.meta["case"]
        _, right, own = cases[case]
        rng = random.Random(item.id)
        others = [text for i in rng.sample(range(len(cases)), len(cases)) if i != case for text in cases[i][2]]
        wrong = [text for i, text in enumerate(own, 1) if i != right]
        stream = list(dict.fromkeys([*wrong, *others]))

        def framed(text: str, number: int) -> str:
            # Which answer gets which number is up to the layout, but each number is there once.
            return FORM.format(number=number, text=text)

        left = room - count(framed(own[right - 1], 1))
        drawn = _growth.grown(lambda i: framed(stream[i], i + 2) if i < len(stream) else None, left, count, "\n\n")
        kept, spare = stream[: len(drawn)], left - count("\n\n".join(drawn)) if drawn else left

        def more(text: str) -> int:
            return count(framed(text, len(drawn) + 2))

        if len(drawn) < len(stream):
            last = _growth.cut(stream[len(drawn)], spare, more)
        else:
            # The data is used up.
            last = _growth.padding(spare, more, item.id)
        distractors = [*kept, last] if last and last not in kept else kept
        meta = {**item.meta, "choices": 1 + len(distractors)}
        return dataclasses.replace(item, evidence=(own[right - 1],), distractors=tuple(distractors), meta=meta)

    def extract(self, text: str, item: Item) -> str | None:
        if self.peer:
            return ada_metrics.designation(text, item.meta["choices"])
        # Given "Answer: A" a completion goes on with the number alone.
        bare = re.match(r"\s*(\d+)(?![\w.])", text) if not re.search(r"\bA\s?\d", text) else None
        found = re.findall(r"(?<!\w)A\s?(\d+)(?!\w)", extract.plain(text)) if bare is None else [bare[1]]
        if found:
            return f"A{int(found[-1])}"
        number = extract.pattern(r"(?i)\banswer\s*(?:is|:)?\s*(?:number|no\.?)?\s*:?\s*(\d+)")(text)
        return f"A{int(number)}" if number else None

    def grade(self, found: str, answers: Sequence[str], item: Item) -> float:
        return float(found == answers[0])

    def score(self, answers: Sequence[str], item: Item, answer: Answer) -> Score:
        """As usual; beside it what a guess would have been worth, where the number of answers is known."""
        score = super().score(answers, item, answer)
        guess = {"guess": 1 / item.meta["choices"]} if "choices" in item.meta and score.value is not None else {}
        return dataclasses.replace(score, parts=guess)

    def gold(self, answers: Sequence[str], item: Item) -> str:
        return answers[0]

    def wrong(self, answers: Sequence[str], item: Item, rng: random.Random) -> str:
        right = int(answers[0][1:])
        return f"A{rng.choice([n for n in range(1, right + 9) if n != right])}"


def _answer(name: str, facts: dict[str, str], rng: random.Random) -> str:
    """A document of the world's form about somebody with these properties."""
    told: list[str] = rng.sample(ASKED, len(ASKED))
    told.insert(rng.randrange(len(told)), "town")
    lines = [r.statement.format(n=name, v=facts[r.name]) for want in told for r in RELATIONS["person"] if r.name == want]
    for _ in range(2):
        lines.insert(rng.randrange(1, len(lines) + 1), prose.sentence(rng))
    return " ".join(lines)


@lru_cache(maxsize=4)
def _cases(data: str) -> tuple[tuple[str, int, tuple[str, ...]], ...]:
    """Question, number of the right answer, all answers."""
    cases = []
    for place, row in rows_of(data):
        demand(row, TITLE, "Ada-LEval's BestAnswer", place)
        right, texts = re.fullmatch(r"A(\d+)", row["answer"]), tuple(map(str, row["all_answers"]))
        if right is None or not 1 <= int(right[1]) <= len(texts):
            raise UserError(f"{place}: 'answer' must be one of A1 to A{len(texts)}, it is {row['answer']!r}")
        cases.append((row["question"], int(right[1]), texts))
    if not cases:
        raise UserError(f"ada-best-answer: {data} holds no questions")
    return tuple(cases)


@lru_cache(maxsize=4)
def _order(data: str, seed: int) -> tuple[int, ...]:
    n = len(_cases(data))
    return tuple(random.Random(seed).sample(range(n), n))
