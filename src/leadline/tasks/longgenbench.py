"""LongGenBench: many questions answered in one long reply, against asking them one at a time.

Liu, Dong, Hu, Chu: "LongGenBench: Long-context Generation Benchmark", Findings of EMNLP 2024, arXiv:2410.04199;
Dominic789654/LongGenBench, no licence file: nothing of theirs is here but numbers and the form of the answers ("Answer_9:").
Any question set will do; without one, questions are invented sums. By default there are as many questions as the length has
room for, 128 tokens for each answer, so that a task's least length asks one: the paper's control, and LongScore is its
degradation. `questions=1` asks all questions of a set singly. Given the tested model as the role `single`, each question of a
reply is also asked by itself, and `degradation` is what the reply lost on these same questions. Answers are told apart by
their numbers, and a missing one is wrong; the authors' reading, by order, is `peer`. (The other LongGenBench is `sgt`.)
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from leadline.nouns import NOT_ASKED, Answer, Item, Score, UserError
from leadline.scoring import extract
from leadline.tasks._batches import Question, invented, published
from leadline.tasks._long_replies import said
from leadline.tasks.base import Ask, Task

ROOM = 128
"""Room for each answer [tokens]; the authors have 4,096 for 35."""
STREAM = 100_000
"""How far the questions of two items lie apart where the length decides how many there are."""
_TASK = (
    "Answer each question step by step in the form of the examples. Begin each answer with 'Answer_' and the number of its "
    "question, and end it with 'The answer is' and the answer. Do not repeat the questions. Answer all of them, however many "
    "there are."
)
_NUMBER = r"[-−]?\$?(?:\d[\d,]*(?:\.\d+)?|\.\d+)"


@dataclass(frozen=True, kw_only=True)
class LongGenBench(Task):
    """Many questions in one prompt, all answered in one reply.

    Attributes:
        questions: questions in a prompt; 0 for as many as the length has room for, 1 for each by itself.
        form: of invented questions: `number` (a sum) or `choice` (one of four options).
        examples: worked examples before the questions, 1 to 8; invented sums.
        data: a question set instead of invented sums: GSM8K's, MMLU's or CommonsenseQA's format, or any rows with question and
            answer; a path or a place on the hub.
        peer: read replies as the authors' scripts do: answers by order, numbers without sign, what is missing left out of the
            mean of numbers. What they ask again is not asked again.
    """

    questions: int = 0
    form: str = "number"
    examples: int = 4
    data: str = ""
    peer: bool = False

    ability = "long generation"
    scope = "high"
    roles = {"single": "answers each question by itself: the tested model, so that the degradation is reported"}
    without_roles = "the answers in the one reply, without the degradation against single asking"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_range("questions", 0, 1000)
        self.check_range("examples", 1, 8)
        self.check("form", ("number", "choice"))
        object.__setattr__(self, "grows", not self.questions)
        object.__setattr__(self, "natural", bool(self.questions))
        object.__setattr__(self, "minimum", 512 + ROOM + 160 * self.examples)

    @property
    def chance(self) -> float:  # type: ignore[override]
        """Of a guess: one of the options, where there are any."""
        if self.data:
            labels = published(self.data)[0].labels
            return 1 / len(labels) if labels else 0.0
        return 0.25 if self.form == "choice" else 0.0

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        count = self.questions or 1
        start = index * (self.questions or STREAM)
        if self.data:
            size = len(published(self.data))
            start = start % size if self.questions else index * 37 % size
        return self._asked(
            [self._question(start + j, seed) for j in range(count)], {"start": start, "seed": seed}, count * ROOM
        )

    def items(self, n: int, seed: int = 0) -> list[Item]:
        if self.data and n * (self.questions or 1) > len(published(self.data)):
            have = len(published(self.data))
            raise UserError(
                f"{self.id}: {self.data} holds {have} questions, enough for {have // (self.questions or 1)} samples"
            )
        return super().items(n, seed)

    def _question(self, place: int, seed: int) -> Question:
        if not self.data:
            return _invented(self.form == "choice", seed, place)
        rows = published(self.data)
        return rows[_order(len(rows), seed)[place % len(rows)]]

    def _asked(self, asked: Sequence[Question], meta: Mapping[str, Any], room: int) -> Item:
        first = self.examples + 1
        last = first + len(asked) - 1
        all_ = (
            f"all {len(asked)} questions, Question_{first} to Question_{last}, in their order"
            if len(asked) > 1
            else "the question"
        )
        return Item(
            id="",
            task="",
            instruction=f"{_TASK}\n\nExamples:\n\n{_examples(self.examples, bool(asked[0].labels))}\n\nQuestions:",
            question=f"Answer {all_}.",
            answers=tuple(" | ".join(q.answers) for q in asked),
            evidence=tuple(f"Question_{i}:\n{q.text}\n" for i, q in enumerate(asked, first)),
            noise="none",
            ordered=True,
            prefill=f"Answer_{first}:",
            answer_tokens=room,
            single_line=False,
            meta={**meta, "first": first, "labels": asked[0].labels, "number": asked[0].number},
        )

    def compose(self, item: Item, room: int, count: Callable[[str], int]) -> Item:
        """As many questions as there is room for with their answers; what is over is room for the reply too."""
        room += item.answer_tokens
        most, first = len(published(self.data)) if self.data else STREAM, item.meta["first"]
        # The question behind them is a little longer for several than for one.
        asked, used, spare = list[Question](), 0, 32
        while len(asked) < most:
            question = self._question(item.meta["start"] + len(asked), item.meta["seed"])
            cost = count(f"Question_{first + len(asked)}:\n{question.text}\n")
            if asked and used + cost + spare + (len(asked) + 1) * ROOM > room:
                break
            asked.append(question)
            used += cost
        meta = {"start": item.meta["start"], "seed": item.meta["seed"]}
        grown = self._asked(asked, meta, ROOM)
        left = room - used - count(grown.question) + count(item.question)
        return replace(grown, id=item.id, task=item.task, cluster=item.cluster, answer_tokens=max(ROOM, left))

    def grade(self, found: str, answers: Sequence[str], item: Item) -> float:
        return self._marked(found, answers, item)[0]

    def score(self, answers: Sequence[str], item: Item, answer: Answer) -> Score:
        reply, audit = said(answer)
        if audit in NOT_ASKED:
            return Score(value=None, audit=audit)
        if self.peer and reply:
            # Blank lines at the end count there.
            reply = extract.without_thinking(answer.text) or ""
        value, right, there = self._marked(reply, answers, item)
        if audit == "answered" and not any(there):
            audit = "format not found"
        parts = {"missing": 1 - sum(there) / len(answers)}
        for quarter in range(4 if len(answers) > 3 else 0):
            mine = [r for i, r in enumerate(right) if i * 4 // len(right) == quarter]
            parts[f"quarter {quarter + 1}"] = sum(mine) / len(mine)
        return Score(value=value, audit=audit, extracted=reply, parts=parts)

    def _marked(self, reply: str, answers: Sequence[str], item: Item) -> tuple[float, list[bool], list[bool]]:
        """The value, and of each question whether it was answered rightly, and whether at all."""
        first, n = int(item.meta.get("first", 1)), len(answers)
        if self.peer:
            told = _by_order(reply)[:n]
            right = [self._peer_right(i, text, answers[i], item) for i, text in enumerate(told)] + [False] * (n - len(told))
            # Numbers that are missing are not counted there, letters are.
            out_of = n if item.meta.get("labels") else len(told)
            return sum(right) / max(1, out_of), right, [i < len(told) for i in range(n)]
        found = _by_number(reply, first, n)
        right = [bool(text := found.get(first + i)) and _right(text, answers[i], item) for i in range(n)]
        return sum(right) / n, right, [first + i in found for i in range(n)]

    def _peer_right(self, i: int, text: str, answer: str, item: Item) -> bool:
        # Their script writes this before each answer and then searches in both.
        told, labels = f"A_model:Q_{i}\n{text}\n", item.meta.get("labels")
        if labels:
            return re.findall(f"[{labels}]", told)[-1] == answer
        digits = re.compile(r"\d*\.?\d+")
        return digits.findall(told.replace(",", ""))[-1:] == digits.findall(answer)[-1:]

    async def judged(self, answers: Sequence[str], item: Item, answer: Answer, ask: Mapping[str, Ask]) -> Score:
        mine = self.score(answers, item, answer)
        if mine.value is None:
            return mine
        start, seed = int(item.meta["start"]), int(item.meta["seed"])
        asked = [self._question(start + j, seed) for j in range(len(answers))]
        replies = await asyncio.gather(*(ask["single"](self._alone(q), ROOM) for q in asked))
        _, together, _ = self._marked(mine.extracted, answers, item)
        pairs: list[tuple[bool, float]] = []
        for q, reply, there in zip(asked, replies, together, strict=True):
            if reply.stop in ("stop", "length"):
                alone = self._asked([q], {}, ROOM)
                pairs.append((there, self.score(alone.answers, alone, reply).value or 0.0))
        if not pairs:
            return mine
        single = sum(value for _, value in pairs) / len(pairs)
        lost = single - sum(there for there, _ in pairs) / len(pairs)
        return replace(mine, parts={**mine.parts, "single": single, "degradation": lost})

    def _alone(self, question: Question) -> str:
        """The prompt that asks one question, as `questions=1` builds it."""
        item = self._asked([question], {}, ROOM)
        return f"{item.instruction}\n\n{item.evidence[0]}\n\n{item.question}"

    def gold(self, answers: Sequence[str], item: Item) -> str:
        return _written(answers, item)

    def wrong(self, answers: Sequence[str], item: Item, rng: random.Random) -> str:
        """Each answer a guess."""
        labels = item.meta["labels"]
        return _written([rng.choice(labels) if labels else f"{rng.randint(100_000, 999_999)} or so" for _ in answers], item)


def _written(answers: Sequence[str], item: Item) -> str:
    first = int(item.meta.get("first", 1))
    return "\n\n".join(f"Answer_{i}:\nThe answer is {a.partition(' | ')[0]}." for i, a in enumerate(answers, first))


@lru_cache(maxsize=1 << 14)
def _invented(choice: bool, seed: int, place: int) -> Question:
    return invented(random.Random(f"longgenbench/{choice}/{seed}/{place}"), choice)


@lru_cache(maxsize=16)
def _order(size: int, seed: int) -> tuple[int, ...]:
    return tuple(random.Random(seed).sample(range(size), size))


@lru_cache(maxsize=32)
def _examples(n: int, choice: bool) -> str:
    made = [invented(random.Random(f"longgenbench/example/{choice}/{i}"), choice) for i in range(n)]
    asked = "\n\n".join(f"Question_{i}:\n{q.text}" for i, q in enumerate(made, 1))
    return (
        asked + "\n\n" + "\n\n".join(f"Answer_{i}:\n{q.reason}\nThe answer is {q.answers[0]}." for i, q in enumerate(made, 1))
    )


def _by_number(reply: str, first: int, n: int) -> dict[int, str]:
    """Answers by the number of their question; the first of a number counts.

    What stands before the first heading goes on behind that of the first question, which stood in the prompt; a single answer
    needs no heading.
    """
    found: dict[int, str] = {}
    head, *rest = re.split(r"Answer[_ ]*(\d+)\W*?[:.\n]", reply, flags=re.I)
    for number, text in zip(rest[::2], rest[1::2], strict=True):
        if text.strip():
            found.setdefault(int(number), text)
    if head.strip() and (rest or n == 1):
        found.setdefault(first, head)
    return found


def _by_order(reply: str) -> list[str]:
    joined = "\n".join(reply.split("Answer_"))
    return [text.strip() for text in re.findall(r"(?<=:\n)(.*?)(?=\n\n|$)", joined, re.DOTALL)]


def _right(text: str, answer: str, item: Item) -> bool:
    """Whether an answer says what it should: the same number, letter or words."""
    if labels := item.meta.get("labels"):
        return extract.letter(labels)(text) == answer
    found = list(extract.LEAD.finditer(clear := extract.plain(text)))
    end = clear[found[-1].end() :] if found else clear
    if item.meta.get("number"):
        numbers = [m[0] for part in (end, clear) for m in re.finditer(_NUMBER, part)]
        # Behind "the answer is" the first number counts, without it the last.
        said_ = (re.findall(_NUMBER, end)[:1] if found else []) or numbers[-1:]
        return bool(said_) and _value(said_[0]) == _value(answer)
    low = end.lower()
    return any(re.search(rf"(?<!\w){re.escape(one.lower())}(?!\w)", low) for one in answer.split(" | "))


def _value(number: str) -> float:
    return float(number.replace(",", "").replace("$", "").replace("−", "-").strip() or "nan")


def check(lab: Any) -> Any:
    """Any question set becomes one long reply; what a reader loses against being asked singly is told exactly."""
    # So many that guesses at options come near their chance.
    sets = {
        "gsm8k": [{"question": f"A boat has {i} crates and {i + 2} more. How many?", "answer": f"Sum.\n#### {2 * i + 2}"}
                  for i in range(320)],
        "mmlu": [{"question": f"What is {i} + 1?", "choices": [str(i + k) for k in range(4)], "answer": 1} for i in range(320)],
        "csqa": [{"question": f"Where is cup {i}?", "choices": {"label": list("ABCDE"), "text": [str(k + i) for k in range(5)]},
                  "answerKey": "ABCDE"[i % 5]} for i in range(320)],
        "qa": [{"input": f"Which town lies at milestone {i}?", "answers": [f"Town{i}"]} for i in range(320)],
        "debt": [{"question": "What is left of nothing when five are paid?", "answer": "-5"}],
    }  # fmt: skip
    folder = lab.written({f"{name}.jsonl": rows for name, rows in sets.items()})
    own = {name: f"longgenbench(questions=8, data='{folder}/{name}.jsonl')" for name in sets if name != "debt"}
    sums = {q.text: q.answers[0] for q in published(f"{folder}/gsm8k.jsonl")}

    def alone(text: str) -> str:
        """What answers any one question."""
        return f"The answer is {next(answer for asked, answer in sums.items() if asked in text)}."

    def forgetful(task: Any, item: Item, prompt: Any) -> str:
        """Answers all but the last quarter of the questions."""
        return _written(prompt.answers[: len(prompt.answers) * 3 // 4], item)

    def lost(single: Callable[[str], str]) -> tuple[bool, str]:
        """Degradation of a program that answers all and of one that drops a quarter, against asking singly."""
        parts = [
            [s.parts for s in lab.scores(own["gsm8k"], say, n=3, helpers={"single": single})] for say in ("gold", forgetful)
        ]
        exact, forgot = (sum(p["degradation"] for p in some) / len(some) for some in parts)
        last = [part["quarter 4"] for part in parts[1]]
        told = f"{exact:.2f} for a program that answers all, {forgot:.2f} for one that drops a quarter"
        return exact == 0 and forgot == 0.25 and not any(last), f"degradation against asking singly {told}"

    def third(task: Any, item: Item, prompt: Any) -> str:
        """The third of four answers is left out."""
        parts = _written(prompt.answers, item).split("\n\n")
        return "\n\n".join([*parts[:2], parts[3]])

    four, debt = (
        f"longgenbench(questions=4, data='{folder}/gsm8k.jsonl'",
        f"longgenbench(questions=1, data='{folder}/debt.jsonl'",
    )
    hand = [lab.scores(f"{four}{peer})", third, n=1)[0].value for peer in ("", ", peer=true")]
    hand += [lab.says(f"{debt}{peer})", lambda *_: "Answer_5:\nThe answer is 5.", n=1) for peer in ("", ", peer=true")]
    grown = lab.build("longgenbench", "longgenbench(form=choice)", lengths=("4k", "32k"))
    questions = [prompt.text.count("\nQuestion_") for prompt in grown.prompts]
    said = [lab.replies("longgenbench"), *(lab.replies(one, n=40) for one in own.values())]
    return lab.conclude(
        grown,
        (max(questions) > 4 * min(questions), f"{min(questions)} to {max(questions)} questions in a prompt"),
        (all(one.holds for one in said), f"sums and sets of {len(own)} formats: {max(said, key=lambda one: one.wrong)}"),
        lost(alone),
        lab.agree(hand, [3 / 4, 2 / 3, 0, 1], "replies read by number and by order, and those by hand"),
        control=[
            lost(lambda text: ""),
            lab.agree([hand[i] for i in (1, 0, 3, 2)], [3 / 4, 2 / 3, 0, 1], "of these, each by the other reading,"),
        ],
    )
