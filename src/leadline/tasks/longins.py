"""LongIns: an exam to be marked, a long list of answered questions of which about one in ten is answered wrongly.

Gavin, Zheng, Liu, Que, Wang, Yang, Zhang, Huang, Chen, Zhang 2024, "LongIns: A Challenging Long-context Instruction-based Exam
for LLMs", arXiv:2406.17588; code Ins-Bench/LongIns-Bench, without a licence. Three settings: one kind of question under one
instruction (GIST), one kind with the instruction in each (LIST), several kinds mixed, each with its own (LIMT). As there, one
in ten (rounded up) is wrong and pairs are numbered from 0. Naming every number is worth 2/11, above what some published
models reach at 16k tokens.
"""

from __future__ import annotations

import dataclasses
import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from leadline.data.published import rows_of
from leadline.nouns import Answer, Item, Score, UserError
from leadline.scoring import extract, longins_metrics
from leadline.tasks import _exercises, _growth
from leadline.tasks._exercises import Exercise, Pair
from leadline.tasks.base import Task

PER_ERROR = 8
"""Room for one number of the answer [tokens]."""
MARKER = "You are marking an exam. Below are many questions, each with the answer that somebody gave; some answers are wrong."
ASKED = (
    "Which of the questions above have a wrong answer? Give only the numbers of those, in brackets, as in: [2, 15, 31]. "
    "Do not give the numbers of right answers."
)


@dataclass(frozen=True, kw_only=True)
class Longins(Task):
    """The wrong answers in a list of answered questions.

    Attributes:
        kind: `gist` (one kind of question, its instruction once in front), `list` (the instruction in each question) or
            `limt` (several kinds mixed, each question with its instruction).
        data: instruction data sets with commas between them (Super-NaturalInstructions' or BIG-bench's files, rows of question
            and answer), or the benchmark's own file of a length; empty for invented questions.
        columns: own names of the data's columns, as in 'input=problem,answer=solution'.
        pairs: questions in the context, up to 200, with the rest prose (paired lengths); 0 for as many as the length holds.
        peer: score as the benchmark's code does: numbers inside quoted questions count too.
    """

    kind: str = "gist"
    data: str = ""
    columns: str = ""
    pairs: int = 0
    peer: bool = False

    ability = "reasoning"
    diffusion = "high"
    scope = "high"
    chance = 2 / 11

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("kind", ("gist", "list", "limt"))
        self.check_range("pairs", 0, 200)

    @property
    def natural(self) -> bool:  # type: ignore[override]
        return bool(self.data) and bool(_published(self.data))

    @property
    def grows(self) -> bool:  # type: ignore[override]
        return self.pairs == 0 and not self.natural

    @property
    def minimum(self) -> int:  # type: ignore[override]
        return 1024 if not self.pairs else 512 + (128 if self.kind == "gist" else 192) * self.pairs

    def items(self, n: int, seed: int = 0) -> list[Item]:
        if self.natural and n > len(_published(self.data)):
            raise UserError(f"{self.id}: {self.data} holds {len(_published(self.data))} exams; ask for at most that many")
        return super().items(n, seed)

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        if self.natural:
            return self._as_published(index, seed)
        exercises = self._exercises
        one = exercises[(index + seed) % len(exercises)]
        told = f"{MARKER}\nWhat was to be done in each: {one.instruction}" if self.kind == "gist" else MARKER
        item = self._asked(told, {"seed": seed, "exercise": one.name, "told": one.instruction, "first": index * 7919})
        item = dataclasses.replace(item, facets={"task": "mixed" if self.kind == "limt" else one.name} if not self.data else {})
        if self.grows:
            return item
        chosen = [p for i in range(self.pairs) if (p := self._drawn(item, i))]
        if len(chosen) < self.pairs:
            raise UserError(
                f"{self.id}: {self.data} has {len(chosen)} questions of the kind {one.name!r}; {self.pairs} are needed"
            )
        texts, errors = self._marked(item, chosen)
        return self._with(item, texts, errors, len(texts))

    @property
    def _exercises(self) -> tuple[Exercise, ...]:
        return _exercises.read(self.data, self.columns, self.id) if self.data else _exercises.INVENTED

    def _asked(self, told: str, meta: Mapping[str, Any]) -> Item:
        return Item(
            id="",
            task="",
            instruction=told,
            question=ASKED,
            answers=(),
            noise="prose" if self.pairs else "none",
            ordered=True,
            prefill="Wrong answers:",
            answer_tokens=64,
            single_line=False,
            meta=meta,
        )

    def _drawn(self, item: Item, i: int) -> tuple[Exercise, Pair] | None:
        """Question i: of the item's kind, or for LIMT of one drawn anew each time."""
        exercises, meta = self._exercises, item.meta
        # Exams of one kind draw from different places of an endless stream, and from one shuffled list of a data set.
        place = i if self.data else meta["first"] + i
        seed = f"{meta['seed']}/{meta['first']}" if self.data else meta["seed"]
        if self.kind == "limt":
            one = exercises[random.Random(f"{meta['seed']}/{meta['first']}/{i}").randrange(len(exercises))]
            place = place // len(exercises) if self.data else place
        else:
            one = next(e for e in exercises if (e.name, e.instruction) == (meta["exercise"], meta["told"]))
        pair = one.pair(place, seed)  # type: ignore[arg-type]
        return None if pair is None else (one, pair)

    def _written(self, i: int, one: Exercise, pair: Pair, answer: str) -> str:
        if self.kind == "gist":
            return f"[{i}: {pair.question} Answer: {answer}]"
        return f"[Question {i}. Instruction: {one.instruction} Input: {pair.question} Output: {answer}]"

    def _marked(self, item: Item, chosen: Sequence[tuple[Exercise, Pair]]) -> tuple[list[str], list[int]]:
        """The pairs as written, one in ten of them with its wrong answer, and the numbers of those."""
        able = [i for i, (_, pair) in enumerate(chosen) if pair.wrong]
        rng = random.Random(f"errors/{item.meta['seed']}/{item.meta['first']}/{item.meta['exercise']}/{len(chosen)}")
        errors = sorted(rng.sample(able, min(len(able), -(-len(chosen) // 10))))
        wrong = set(errors)
        texts = [self._written(i, one, p, p.wrong if i in wrong else p.right) for i, (one, p) in enumerate(chosen)]
        return texts, errors

    def _with(self, item: Item, texts: Sequence[str], errors: Sequence[int], n: int) -> Item:
        return dataclasses.replace(
            item,
            answers=tuple(map(str, errors)),
            evidence=tuple(texts),
            answer_tokens=item.answer_tokens + PER_ERROR * len(errors),
            meta={**item.meta, "errors": list(errors), "n": n},
        )

    def compose(self, item: Item, room: int, count: Callable[[str], int]) -> Item:
        """As many pairs as fit beside the room for the answer; what is left is prose."""
        drawn = _growth.grown(
            lambda i: self._written(i, *found, found[1].right) if (found := self._drawn(item, i)) else None,
            room,
            lambda text: count(text) + PER_ERROR * (1 + text.count("\n[")) // 10,
        )
        chosen = [found for i in range(max(2, len(drawn))) if (found := self._drawn(item, i))]
        while True:
            texts, errors = self._marked(item, chosen)
            spare = room - PER_ERROR * len(errors) - count("\n".join(texts))
            if spare >= 0 or len(chosen) <= 2:
                break
            # Wrong answers may be longer than right ones.
            chosen = chosen[: -max(1, -spare // 64)]
        more = _growth.padding(spare, count, item.id) if spare > 4 else ""
        return self._with(item, [*texts, more] if more else texts, errors, len(texts))

    def _as_published(self, index: int, seed: int) -> Item:
        name, exam = _published(self.data)[index]
        told = f"{MARKER}\nWhat was to be done in each: {exam['task_prompt']}" if exam.get("task_prompt") else MARKER
        item = self._asked(told, {"seed": seed, "exercise": name})
        item = dataclasses.replace(item, noise="none", id=name)
        return self._with(item, (exam["Data"].strip(),), exam["error"], len(exam["error"]) + len(exam.get("true_list", ())))

    def extract(self, text: str, item: Item) -> str | None:
        if self.peer:
            return extract.whole(text)
        clear = extract.plain(text)
        groups = re.findall(r"\[([^\[\]]*)\]", clear)
        # A quoted question counts by its number alone.
        heads = [re.match(r"\s*(?:question\s*)?(\d+)\s*[:.](?=\s*\D)", group, re.I) for group in groups]
        numbers = [
            n for head, group in zip(heads, groups, strict=True) for n in ([head[1]] if head else re.findall(r"\d+", group))
        ]
        return ", ".join(dict.fromkeys(numbers)) or ("none" if groups else None)

    def grade(self, found: str, answers: Sequence[str], item: Item) -> float:
        return longins_metrics.f1(self._said(found), map(int, answers))

    def _said(self, found: str) -> set[int]:
        return longins_metrics.bracketed(found) if self.peer else set(map(int, re.findall(r"\d+", found)))

    def score(self, answers: Sequence[str], item: Item, answer: Answer) -> Score:
        """F1; beside it precision, recall, and the recall of each third of the list."""
        score = super().score(answers, item, answer)
        if score.value is None or not answers:
            return score
        said, wrong = self._said(score.extracted), set(map(int, answers))
        parts = {"recall": len(said & wrong) / len(wrong)}
        if said:
            parts["precision"] = len(said & wrong) / len(said)
        for third, name in enumerate(("first", "middle", "last")):
            mine = {i for i in wrong if 3 * i // max(1, item.meta["n"]) == third}
            if mine:
                parts[f"recall, {name} third"] = len(said & mine) / len(mine)
        return dataclasses.replace(score, parts=parts)

    def gold(self, answers: Sequence[str], item: Item) -> str:
        return f"[{', '.join(answers)}]"

    def wrong(self, answers: Sequence[str], item: Item, rng: random.Random) -> str:
        right = [i for i in range(item.meta["n"]) if str(i) not in answers] or [10**6]
        return f"[{', '.join(str(rng.choice(right)) for _ in answers)}]"


@lru_cache(maxsize=8)
def _published(data: str) -> tuple[tuple[str, Mapping[str, Any]], ...]:
    """The exams of the benchmark's own file: a name, and its pairs as one text with the numbers of the wrong ones."""
    if "," in data or not data.endswith((".json", ".json.gz")):
        return ()
    row = next((row for _, row in rows_of(data)), None)
    exams = list(row.items()) if isinstance(row, Mapping) else []
    if not exams or not all(isinstance(exam, Mapping) and {"Data", "error"} <= set(exam) for _, exam in exams):
        return ()
    return tuple(exams)


def check(lab: Any) -> Any:
    """Three settings from generated questions and from any instruction data; one in ten is wrong, no other; F1 as by hand."""
    boats = [{"input": f"Boat {i} lies in bay {i}.", "output": [f"bay {i}"]} for i in range(600)]
    mills = [{"instruction": "Name the mill.", "input": f"Mill {i} is on hill {i}.", "output": f"mill {i}"} for i in range(600)]
    exam = {"Data": "[0:1+1 Answer: 3]\n\n[1:1+2 Answer: 3]\n\n", "error": [0], "true_list": [1], "task_prompt": "Add."}
    folder = lab.written(
        {
            "boats.json": json.dumps({"Definition": ["Name the bay."], "Instances": boats}),
            "mills.jsonl": mills,
            "256.json": json.dumps({f"task{i}": exam | {"Lenth": 256} for i in (1, 2)}),
        }
    )
    kinds = [f"longins(kind={kind}" for kind in ("gist", "list", "limt")]
    own = [f"{kind}, data='{folder}/boats.json,{folder}/mills.jsonl'" for kind in kinds]
    f1 = lab.metric("longins/f1")
    cases = {"[1] and [4, 9]": 2 / 3, "1, 4, 7": 0.0, "[1][4][7]": 1.0, str(list(range(30))): 2 * 3 / 33}

    def marked(shift: int = 0) -> tuple[bool, str]:
        """Whether a marker who reads the questions finds just the answers that are to be named, one in ten of them."""
        right, prompts = 0, [p for kind in own for *_, p in lab.asked(f"{kind})", n=4)]
        for prompt in prompts:
            told = re.findall(r"(?:bay|hill) (\d+)\. (?:Answer|Output): (?:bay|mill) (\d+)\]", prompt.text)
            wrong = [i for i, (asked, said) in enumerate(told) if asked != said]
            right += [str(i + shift) for i in wrong] == list(prompt.answers) and len(wrong) == -(-len(told) // 10) > 1
        return right == len(prompts), f"a marker finds the errors of {right} of {len(prompts)} exams"

    said = [*(lab.replies(f"{one})") for one in (*kinds, *own)), lab.replies(f"longins(data='{folder}/256.json')", n=2)]
    return lab.conclude(
        lab.build(*(f"{one})" for one in (*kinds, *own)), lengths=("2k", "16k")),
        (all(one.holds for one in said), f"{len(said)} settings: {max(said, key=lambda one: one.wrong)}"),
        marked(),
        lab.agree([f1(said, ["1", "4", "7"]) for said in cases], list(cases.values()), "F1 and those by hand"),
        lab.sound("longins(pairs=10)"),
        control=[
            lab.sound("longins(pairs=10)", blind=True),
            marked(shift=1),
            lab.agree([f1(said.replace("[", "").replace("]", ""), ["1", "4", "7"]) for said in cases], list(cases.values()),
                      "of these, without their brackets,"),
        ],
    )  # fmt: skip
