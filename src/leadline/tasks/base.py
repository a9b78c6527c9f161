"""What a task is: a source of items and a judge of answers. It never makes a prompt.

A task is one frozen dataclass in one file. It says what it measures (`ability`, `diffusion`, `scope`),
writes one item from a generator (`item`), and takes the answer out of a reply (`extract`) and grades it
(`grade`). The builder turns items into prompts of any length. Knows nothing of tokenizers and models.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import random
import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal

from leadline.catalog import Spec
from leadline.data.phrasings import Wording
from leadline.nouns import NOT_ASKED, Answer, Item, Score, UserError
from leadline.scoring import extract as extraction

Level = Literal["low", "middle", "high"]
Ask = Callable[..., Awaitable[Answer]]
"""`await ask(text, max_tokens)` asks a model in a role; what goes wrong is in the answer's `stop` and `error`."""
PASSAGE = "Passage {number}:\n{text}"
"""The form of numbered passages."""


@dataclass(frozen=True, kw_only=True)
class Task(ABC):
    """One benchmark.

    Attributes:
        wording: `seen` or `unseen`: wordings that the embedded model was trained on, or that it never saw.
    """

    wording: str = "seen"

    ability: ClassVar[str]
    """What is needed: retrieval, tracking, counting, qa, summarisation, ..."""
    diffusion: ClassVar[Level] = "low"
    """How hard the needed information is to find."""
    scope: ClassVar[Level] = "low"
    """How much of it there is."""
    chance: ClassVar[float] = 0.0
    """Score of a guess that keeps to the form."""
    grows: ClassVar[bool] = False
    """Whether the evidence grows with the length, so that lengths are not paired."""
    minimum: ClassVar[int] = 256
    """Least length that every common tokenizer can build [tokens]."""
    together: ClassVar[bool] | bool = False
    """Whether items belong to one haystack, as the turns of a conversation do: `haystack` says which."""
    own_history: ClassVar[bool] | bool = False
    """Whether the model's own replies stand in a conversation in place of the right answers of its earlier turns, once they are
    known. `answer_tokens` is then the room for the replies to all turns so far, so that no length is passed."""
    natural: ClassVar[bool] | bool = False
    """Whether items come at the length that they were published with, without noise: a cell's length is then the most that
    they may take, and those that need more are reported as over the window."""
    roles: ClassVar[Mapping[str, str]] = {}
    """Models that help to score, and what for: {"judge": "rates the answer"}; given with `--role judge=MODEL`."""
    without_roles: ClassVar[str] = ""
    """What the score is where they are not given; empty where there is none, and the task is then refused."""
    runs_code: ClassVar[bool] = False
    """Whether scoring runs code that the model wrote, for which a sandbox must be there."""
    version: ClassVar[int] = 1
    """Raised when the same settings and seed give other items or scores than before."""

    def __post_init__(self) -> None:
        self.check("wording", ("seen", "unseen"))

    @abstractmethod
    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        """Item number `index`; `rng` is drawn from (task, seed, index) and from nothing else."""

    def haystack(self, place: int, seed: int) -> range:
        """Of a task whose items belong together, the places of those that lie in one haystack with that of a place."""
        return range(place, place + 1)

    def extract(self, text: str, item: Item) -> str | None:
        """The answer in a reply, or None where the asked form is not there."""
        return extraction.first_line(text)

    @abstractmethod
    def grade(self, found: str, answers: Sequence[str], item: Item) -> float:
        """What an extracted answer is worth, 0 to 1; `answers` as the prompt resolved them."""

    async def judged(self, answers: Sequence[str], item: Item, answer: Answer, ask: Mapping[str, Ask]) -> Score:
        """As `score`, with the models of its roles to ask; called where at least one of them was given."""
        return self.score(answers, item, answer)

    def gold(self, answers: Sequence[str], item: Item) -> str:
        """A reply that scores full: what the laws and simulated readers say where they know the answer."""
        return ", ".join(answers) + "."

    def wrong(self, answers: Sequence[str], item: Item, rng: random.Random) -> str:
        """A wrong reply of the right form, as a guess would give it; what another item's answer would be, if not said."""
        other = self.item(1_000_000 + rng.randrange(1_000_000), rng.randrange(1 << 30), rng)
        return self.gold([re.sub(r"\{number\d+\}", lambda _: str(rng.randint(1, 99)), a) for a in other.answers], other)

    def compose(self, item: Item, room: int, count: Callable[[str], int]) -> Item:
        """For tasks that grow: the item with evidence that fills at most `room` tokens."""
        raise NotImplementedError

    def items(self, n: int, seed: int = 0) -> list[Item]:
        """The first n items; a longer list begins with the shorter one.

        Raises:
            UserError: n is not positive, or the task's data hold fewer items.
        """
        if n < 1:
            raise UserError(f"the number of samples must be 1 or more, got {n}")
        found: dict[str, Item] = {}
        for i in range(n):
            for attempt in range(100):
                # By chance an item may be drawn that was there before: it is drawn again.
                again = f"/{attempt}" if attempt else ""
                item = self._signed(self.item(i, seed, random.Random(f"{self.id}/{seed}/{i}{again}")))
                if item.id not in found:
                    break
            else:
                raise UserError(f"{self.spec} has only {len(found)} different items; ask for at most that many samples")
            found[item.id] = item
        return list(found.values())

    def score(self, answers: Sequence[str], item: Item, answer: Answer) -> Score:
        """The score of an answer with its audit."""
        take = partial(self._taken, item=item)
        return extraction.score(answer, take, lambda found: self.grade(found, answers, item), single_line=item.single_line)

    @staticmethod
    def knowable(answers: Sequence[str]) -> bool:
        """Whether an item that is asked without its context still has its answers."""
        return bool(answers) and not any(re.search(r"\{number\d+\}", answer) for answer in answers)

    def prior(self, answers: Sequence[str], item: Item, answer: Answer) -> Score:
        """The score of an answer that was given without the context.

        Nothing is known beforehand where what is right comes with the context alone: passages' numbers, evidence that grows.
        """
        if self.knowable(answers):
            return self.score(answers, item, answer)
        found, audit = extraction.judge(answer, extraction.whole, single_line=False)
        return Score(value=None if audit in NOT_ASKED else 0.0, audit=audit, extracted=found or "")

    def _taken(self, text: str, item: Item) -> str | None:
        # A model that was given the beginning of the answer may say it again.
        head = text.lstrip()
        if item.prefill and head.lower().startswith(item.prefill.lower()):
            text = head[len(item.prefill) :]
        return self.extract(text, item)

    @property
    def id(self) -> str:
        """Name of the task: that of its file."""
        return type(self).__module__.rpartition(".")[2].replace("_", "-")

    @property
    def spec(self) -> str:
        """The task as it is written on the command line: its name and the settings that are not the default."""
        changed = {f.name: v for f in dataclasses.fields(self) if (v := getattr(self, f.name)) != f.default}
        return str(Spec(self.id, changed))

    @property
    def wordings(self) -> Wording:
        """The wording as the phrasings spell it."""
        return "unseen" if self.wording == "unseen" else "seen"

    def check(self, name: str, allowed: Sequence[Any]) -> None:
        """Refuse a setting that is none of the allowed values."""
        value = getattr(self, name)
        if value not in allowed:
            raise UserError(f"{self.id}: {name} must be one of {', '.join(map(str, allowed))}; got {value!r}")

    def check_range(self, name: str, low: int, high: int) -> None:
        """Refuse a number outside low..high."""
        value = getattr(self, name)
        if not low <= value <= high:
            raise UserError(f"{self.id}: {name} must be from {low} to {high}; got {value}")

    def _signed(self, item: Item) -> Item:
        """The item with its task and an id that changes whenever its content does."""
        content = dataclasses.asdict(item) | {"id": "", "task": self.spec, "version": self.version}
        for name in ("depths", "turns", "apart"):
            if not content[name]:  # so that items are still named as they were before there were these
                del content[name]
        digest = hashlib.sha256(json.dumps(content, sort_keys=True, default=list).encode()).hexdigest()[:12]
        return dataclasses.replace(item, id=digest, task=self.spec, cluster=item.cluster or digest)


def share_found(found: str, answers: Sequence[str]) -> float:
    """Share of the accepted answers that stand in a text as whole words, in any case."""
    low = found.lower()
    hits = sum(bool(re.search(rf"(?<!\w){re.escape(a.lower())}(?!\w)", low)) for a in answers)
    return hits / len(answers)
