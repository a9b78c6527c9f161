"""What published benchmarks of long documents share: where they lie, questions in a drawn order, the worth of a reply.

Knows nothing of any one benchmark.
"""

from __future__ import annotations

import hashlib
import random
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from leadline.catalog import Spec
from leadline.data.published import SUFFIXES
from leadline.data.row_noise import pieces
from leadline.nouns import NOT_ASKED, Answer, Item, Score, UserError
from leadline.scoring import extract as extraction
from leadline.tasks.base import Ask, Task

T = TypeVar("T")

FORMS = {"en": "Document {number}:\n{text}", "zh": "文档{number}：\n{text}"}
"""How documents are told apart where others fill the prompt."""
NAMED = {
    "en": "What follows is about document {number0} alone.\n\n",
    "zh": "以下内容只与文档{number0}有关。\n\n",
}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One question of a benchmark on one document."""

    document: str
    language: str = "en"
    raw: Mapping[str, Any]
    """The row, or what of it the task needs."""

    @property
    def cluster(self) -> str:
        """The document's hash: questions on one document share it."""
        return hashlib.sha256(self.document.encode()).hexdigest()[:12]

    @property
    def size(self) -> int:
        """Words, or characters of Chinese."""
        return len("".join(self.document.split())) if self.language == "zh" else len(self.document.split())


@dataclass(frozen=True, kw_only=True)
class WholeReply(Task):
    """A task that takes replies as they are.

    A reply that ran out of room is scored by what there is of it, as the benchmarks do, and its audit says "cut off".
    """

    def marks(self, found: str, answers: Sequence[str], item: Item) -> tuple[float, dict[str, float]]:
        """What a reply is worth, 0 to 1, and the figures beside it."""
        raise NotImplementedError

    def extract(self, text: str, item: Item) -> str | None:
        return extraction.whole(text)

    def grade(self, found: str, answers: Sequence[str], item: Item) -> float:
        return self.marks(found, answers, item)[0]

    def score(self, answers: Sequence[str], item: Item, answer: Answer) -> Score:
        take = partial(self._taken, item=item)
        found, audit = extraction.judge(answer, take, single_line=item.single_line)
        if audit == "cut off":
            found, _ = extraction.judge(replace(answer, stop="stop"), take, single_line=item.single_line)
        if found is None:
            return Score(value=None if audit in NOT_ASKED else 0.0, audit=audit)
        value, parts = self.marks(found, answers, item)
        # ROUGE-L of PyPI `rouge` gives 0.999999995 for the reference itself.
        return Score(value=round(value, 7), audit=audit, extracted=found, parts=parts)

    def gold(self, answers: Sequence[str], item: Item) -> str:
        return answers[0]


@dataclass(frozen=True, kw_only=True)
class LongDocuments(WholeReply):
    """A published benchmark on documents that are long already.

    Attributes:
        data: where the data lie, if not at their published place: a file, a place on the hub, or a folder or zip archive
            that holds the file under its published name.
        noise: `none` leaves each document as it was published, and a cell's length is the most it may take; any other noise
            (`others` for the other documents of the data, `passages`, `prose-zh`, `file(path=...)`) fills the prompt to the
            length, with the document among it by number.
        longest: leave out documents of more words (characters of Chinese) than this; 0 keeps all. Filled prompts of one
            length need it, for the longest document must fit.
    """

    data: str = ""
    noise: str = "none"
    longest: int = 0

    diffusion = "middle"
    scope = "middle"
    minimum = 2048
    column: ClassVar[str] = "context"
    """Of the rows, that holds the document."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_range("longest", 0, 1 << 30)

    def check_given(self, name: str, allowed: Sequence[str]) -> None:
        """Refuse a setting that is neither empty nor one of the allowed values."""
        if getattr(self, name):
            self.check(name, allowed)

    @property
    def natural(self) -> bool:
        """Whether documents stand alone, at their own length."""
        return self.noise == "none"

    @property
    @abstractmethod
    def place(self) -> str:
        """Where the rows are read from."""

    @abstractmethod
    def asked(self) -> Sequence[Asked]:
        """All questions, in the published order; read once."""

    @abstractmethod
    def written(self, asked: Asked) -> Item:
        """A question as an item whose evidence is the document."""

    def items(self, n: int, seed: int = 0) -> list[Item]:
        have = len(_drawn(self, seed))
        if n > have:
            kept = f" on documents of at most {self.longest} words" if self.longest else ""
            raise UserError(f"{self.spec} holds {have} questions{kept}; ask for at most that many samples")
        return super().items(n, seed)

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        drawn = _drawn(self, seed)
        asked = drawn[index % len(drawn)]
        item = self.written(asked)
        # Items of two seeds have two names, as those of generated tasks do.
        item = replace(item, cluster=item.cluster or asked.cluster, meta={**item.meta, "seed": seed})
        if self.natural:
            return item
        language = asked.language
        question = (NAMED[language] if len(item.evidence) == 1 else "") + item.question
        form = item.form if item.form != "{text}" else FORMS[language]
        noise, avoid = self.noise, item.avoid
        if noise == "others":
            noise = str(Spec("rows", {"data": self.place, "column": self.column}))
            # Its own text must not come again.
            avoid = (*avoid, *(unit[:60] for unit in pieces(asked.document)))
        return replace(item, noise=noise, form=form, question=question, avoid=avoid)

    def wrong(self, answers: Sequence[str], item: Item, rng: random.Random) -> str:
        drawn = _drawn(self, 0)
        for _ in range(100):
            other = self.written(rng.choice(drawn))
            if other.answers != item.answers:
                break
        numbers = {f"{{number{i}}}": str(rng.randint(100, 999)) for i in range(len(other.evidence))}
        told = [answer if "{" not in answer else _filled(answer, numbers) for answer in other.answers]
        return self.gold(told, other)


def _filled(text: str, numbers: Mapping[str, str]) -> str:
    for key, number in numbers.items():
        text = text.replace(key, number)
    return text


@lru_cache(maxsize=16)
def _drawn(task: LongDocuments, seed: int) -> tuple[Asked, ...]:
    kept = [a for a in task.asked() if not task.longest or a.size <= task.longest]
    if not kept:
        longest = f"; longest={task.longest} may leave none" if task.longest else ""
        raise UserError(f"{task.spec} holds no questions{longest}")
    random.Random(seed).shuffle(kept)
    return tuple(kept)


async def told(ask: Ask, text: str, read: Callable[[str], T | None], max_tokens: int) -> T | None:
    """What a helping model says, as `read` understands it; asked once more where it does not, and None where it never does."""
    for _ in range(2):
        answer = await ask(text, max_tokens)
        reply = extraction.without_thinking(answer.text) if answer.stop in ("stop", "length") else None
        found = read(reply) if reply else None
        if found is not None:
            return found
    return None


def located(data: str, published: str, names: Sequence[str]) -> str:
    """Where to read a file of a benchmark.

    Args:
        data: the task's setting.
        published: where the file is published, for no setting.
        names: under which the file may lie in a folder or an archive, without suffix.

    Raises:
        UserError: the folder holds none of them.
    """
    if not data:
        return published
    if data.endswith(".zip"):
        return f"{data}/{names[0]}"
    folder = Path(data).expanduser()
    if not folder.is_dir():
        return data
    for name in names:
        for suffix in SUFFIXES:
            if (folder / (name + suffix)).is_file():
                return str(folder / (name + suffix))
    raise UserError(f"folder {data!r} holds no {' or '.join(names)} ({', '.join(SUFFIXES)})")
