"""LoCoBench: software engineering on a repository that is in the prompt, with answers that the repository itself gives.

Qiu, Liu, Liu and others (Salesforce) 2025, arXiv:2509.09614; code SalesforceAIResearch/LoCoBench, Apache-2.0, read at 97dfc72.
There 8,000 scenarios on generated projects in ten languages are asked with the names of their files, and replies are scored
by counts and keywords. Here a scenario of each of the eight categories is made from a repository of Python files, the user's
own or an invented one, whose files stand in the prompt; what is right follows from their syntax trees. Where code is asked for,
the benchmark's metrics and LCBS stand beside the score; they serve any file of replies as `locobench/...` metrics.
"""

from __future__ import annotations

import dataclasses
import json
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from leadline.data import prose
from leadline.nouns import Answer, Item, Score, UserError
from leadline.scoring import extract, locobench_metrics
from leadline.scoring.locobench_code import Scenario
from leadline.tasks import _scenarios as scenarios
from leadline.tasks._repositories import REPOSITORIES, files_of, invented, read
from leadline.tasks._scenarios import CATEGORIES
from leadline.tasks.base import Task

INSTRUCTION = "Below are files of a Python repository, each behind a line with its path. At the end there is a task on them."
LIST = 'Reply with a JSON object in a ```json block: {{"approach": "in a sentence or two", "answer": [{what}]}}.'
CODE = (
    'Reply with a JSON object in a ```json block: {"approach": "in a sentence or two", "files": {"path": "the whole file"}, '
    '"explanation": "in a sentence or two"}.'
)
LEAST_NOTES = 24
"""What is left of the room goes into a file of notes; at least so much [tokens]."""


@dataclass(frozen=True, kw_only=True)
class Locobench(Task):
    """A question on the code of a repository.

    Attributes:
        data: the folder of a repository with Python files; empty for an invented one, another for each item.
        category: one of the eight, as in bug-investigation; `all` takes them in turn.
        longest: most that the files which an item needs may hold together, of an own repository [characters].
    """

    data: str = ""
    category: str = "all"
    longest: int = 30_000

    ability = "code"
    diffusion = "middle"
    scope = "middle"
    grows = True
    minimum = 4096

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("category", ("all", *CATEGORIES))
        self.check_range("longest", 500, 2_000_000)
        if self.data:
            object.__setattr__(self, "minimum", max(4096, 1024 + self.longest // 2))

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        category = CATEGORIES[index % len(CATEGORIES)] if self.category == "all" else self.category
        for _ in range(60):
            number = rng.randrange(REPOSITORIES)
            repository = read(self.data) if self.data else invented(number, seed)
            asked = scenarios.make(category, repository, rng, self.longest)
            if asked is not None:
                break
        else:
            raise UserError(
                f"{self.id}: {self.data or 'an invented repository'} gives no scenario of {category} on at most {self.longest} "
                "characters of code: raise longest=, or ask for another category="
            )
        reply = CODE if asked.code else LIST.format(what=asked.what)
        return Item(
            id="",
            task="",
            instruction=INSTRUCTION,
            question=f"{asked.question}\n{reply}",
            answers=asked.answers,
            evidence=tuple(written(path, text) for path, text in asked.files.items()),
            noise="none",
            ordered=True,
            avoid=asked.avoid,
            prefill="```json",
            answer_tokens=768 if asked.code else 256,
            single_line=False,
            meta={
                "category": category,
                "needed": list(asked.files),
                "skip": sorted(asked.skip),
                "seed": rng.randrange(1 << 30),
                "invented": [number, seed],
                "code": dict(asked.code),
            },
            facets={"category": category},
        )

    def compose(self, item: Item, room: int, count: Callable[[str], int]) -> Item:
        """The files that are needed, others of the repository and then invented ones around them, and notes in what is left."""
        rng = random.Random(item.meta["seed"])
        left = room - sum(map(count, item.evidence))
        others = self._others(item, rng)
        taken, costs = list[str](), list[int]()
        misses = 0
        while left > 0 and misses < 20:
            text = next(others)
            cost = count(text)
            if cost > left:
                misses += 1
                continue
            taken.append(text)
            costs.append(cost)
            left -= cost
        while taken and left < LEAST_NOTES:
            taken.pop()
            left += costs.pop()
        notes = _notes(rng, left, count)
        return dataclasses.replace(item, distractors=(*taken, *([notes] if notes else [])))

    def _others(self, item: Item, rng: random.Random) -> Iterator[str]:
        """Files that neither answer the question nor look as if they did, in a drawn order; invented ones when all are used."""
        skip = {*item.meta["needed"], *item.meta["skip"]}
        number, seed = item.meta["invented"]
        own = read(self.data).files if self.data else files_of(number, seed)
        while True:
            some = sorted(own.items())
            rng.shuffle(some)
            for path, text in some:
                if path not in skip and not any(word in text for word in item.avoid):
                    yield written(path, text)
            number += 1
            own = files_of(number, seed)
            if self.data:
                own = {path.replace("src/", "vendor/", 1): text for path, text in own.items()}

    def gold(self, answers: Sequence[str], item: Item) -> str:
        if item.meta["code"]:
            files = {item.meta["code"]["path"]: item.meta["code"]["gold"]}
            return f"```json\n{json.dumps({'approach': 'as asked', 'files': files, 'explanation': ''})}\n```"
        return f"```json\n{json.dumps({'approach': 'as asked', 'answer': list(answers)})}\n```"

    def wrong(self, answers: Sequence[str], item: Item, rng: random.Random) -> str:
        if item.meta["code"]:
            other = {"files": {"other.py": "def nothing():\n    return 0"}}
            return f"```json\n{json.dumps(other)}\n```"
        return f"```json\n{json.dumps({'answer': [f'src/{rng.randrange(1000)}.py', 'nothing']})}\n```"

    def _taken(self, text: str, item: Item) -> str | None:
        # Completion models are given the block's beginning; said again or not, the object is looked for.
        return self.extract(text, item)

    def extract(self, text: str, item: Item) -> str | None:
        if item.meta["code"]:
            files, _ = locobench_metrics.solution(text)
            return json.dumps(dict(files)) if files else None
        found = _object(text)
        if isinstance(found, Mapping):
            found = found.get("answer")
        if isinstance(found, str):
            found = [found]
        return json.dumps([str(x) for x in found]) if isinstance(found, list) else None

    def grade(self, found: str, answers: Sequence[str], item: Item) -> float:
        return self._marks(found, answers, item)[0]

    def _marks(self, found: str, answers: Sequence[str], item: Item) -> tuple[float, dict[str, float]]:
        """The score, and what stands beside it: precision and recall of a list, the benchmark's figures of code."""
        if not item.meta["code"]:
            said = {_bare(x) for x in json.loads(found)}
            wanted = {_bare(a) for a in answers}
            precision, recall = len(said & wanted) / len(said) if said else 0.0, len(said & wanted) / len(wanted)
            f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
            return f1, {"precision": precision, "recall": recall}
        files = json.loads(found)
        met = scenarios.requirements_met(files, item.meta["code"])
        scenario = Scenario(item.question, item.meta["category"].replace("-", "_"), tuple(item.meta["needed"]))
        figures = locobench_metrics.measured(files, scenario, tests=met)
        return met, {name: figures[name] for name in ("lcbs", "se", "fc", "cq", "lcu")}

    def score(self, answers: Sequence[str], item: Item, answer: Answer) -> Score:
        """F1 of the list that was asked for, or the share of what the code has to do; the rest beside it."""
        found, audit = extract.judge(answer, lambda text: self._taken(text, item), single_line=item.single_line)
        if found is None:
            return super().score(answers, item, answer)
        value, parts = self._marks(found, answers, item)
        return Score(value=value, audit=audit, extracted=found, parts=parts)


def written(path: str, text: str) -> str:
    """A file as it stands in the prompt."""
    return f"=== {path} ===\n{text}\n"


def _bare(name: str) -> str:
    """A path or a function's name without what replies put around it."""
    name = re.sub(r"^[`'\"\s]+|[`'\"\s]+$|^\./", "", name)
    return name if name.endswith(".py") else re.split(r"::|\.", name.removesuffix("()"))[-1]


def _object(text: str) -> Any:
    """The last JSON object or list in a reply; None without one."""
    blocks = re.findall(r"```(?:json)?\s*\n?(.*?)```", text, re.S)
    rest = [text[text.find(sign) :] for sign in "{[" if sign in text]
    for some in (*blocks[::-1], *rest):
        try:
            found = json.JSONDecoder().raw_decode(some.strip())[0]
        except ValueError:
            continue
        if isinstance(found, Mapping | list):
            return found
    return None


@lru_cache(maxsize=4)
def _prose(seed: int) -> tuple[str, ...]:
    return tuple(" ".join(prose.sentences(4000, seed)).split(" "))


def _notes(rng: random.Random, room: int, count: Callable[[str], int]) -> str:
    """A file of notes of as many tokens as there is room; nothing where there is next to none."""
    some = _prose(rng.randrange(8))
    low, high = 0, min(len(some), max(0, room))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count(written("docs/notes.md", " ".join(some[:middle]))) <= room else (low, middle - 1)
    return written("docs/notes.md", " ".join(some[:low])) if low else ""


def check(lab: Any) -> Any:
    """Scenarios on a repository that is given, with answers that it holds itself; the metrics and LCBS as by hand."""
    files = {path: text + "\n" for number in range(3) for path, text in invented(number, 99).files.items()}
    own = f"locobench(data='{lab.written(files)}', longest=6000)"
    kinds = {item.facets["category"] for _, item, _ in lab.asked(own, n=8)}
    m = locobench_metrics
    good, slow = (m.Built(ok=True, seconds=s, binary=size, warnings=w) for s, size, w in ((2, 1000, 1), (9, 10**8, 0)))
    built = [good, slow, m.Built(ok=False, errors=2)]
    ours = [m.lcbs(1, 1, 1, 1), m.lcbs(0.5, 0.6, 0.7, 0.4), *map(m.compilation, built)]
    return lab.conclude(
        lab.build("locobench", own, lengths=("8k", "64k")),
        *(lab.replies(one, n=8) for one in ("locobench", own)),
        (len(kinds) == 8, f"{len(kinds)} categories of a repository"),
        lab.agree(ours, [5.0, 2.8, 0.95, 0.8, 0.3], "figures by hand"),
        lab.sound("locobench(category=bug-investigation)"),
        control=[lab.agree([5.0, 5 * 2.2 / 4], ours[:2], "of these, without weights,"),
                 lab.sound("locobench(category=bug-investigation)", blind=True)],
    )  # fmt: skip
