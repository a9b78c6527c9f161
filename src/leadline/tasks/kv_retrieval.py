"""KV retrieval: the value of a key, where other keys and values look the same.

As in 100-LongBench (arXiv:2505.19293): a chain k0 -> k1 -> k2 -> k3 in three statements among passages, of
which the value of k0 is asked, so that the rest of the chain misleads. With `haystack=records` the whole
context is records of one form, as in InfiniteBench and RULER's third multi-key task.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from leadline.data import prose
from leadline.data.phrasings import LINK, RECORD
from leadline.nouns import Item
from leadline.scoring import extract
from leadline.tasks.base import Task


@dataclass(frozen=True, kw_only=True)
class KvRetrieval(Task):
    """The value of one key.

    Attributes:
        haystack: `passages` (a misleading chain among passages) or `records` (nothing but records).
        keys: `words` (two words) or `uuid` (as in the paper; not with records).
    """

    haystack: str = "passages"
    keys: str = "words"

    ability = "retrieval"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("haystack", ("passages", "records"))
        self.check("keys", ("words", "uuid") if self.haystack == "passages" else ("words",))
        if self.keys == "uuid":
            object.__setattr__(self, "minimum", 512)

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        if self.haystack == "records":
            first = rng.randrange(1 << 30)
            key, value, attribute = prose.key(first, seed), prose.value(rng), rng.choice(prose.ATTRIBUTES)
            fill = {"key": key, "attribute": attribute}
            return Item(
                id="",
                task="",
                instruction=RECORD.instruction,
                question=RECORD.question(rng, self.wordings).format(**fill),
                answers=(value,),
                evidence=(RECORD.statement(rng, self.wordings).format(value=value, **fill),),
                noise="records",
                avoid=(f"{attribute} of {key}", value),
                prefill=RECORD.prefill.format(**fill),
                answer_tokens=16,
            )
        keys = [prose.key(place, seed) for place in rng.sample(range(20_000), 4)]
        if self.keys == "uuid":
            keys = [str(uuid.UUID(int=rng.getrandbits(128), version=4)) for _ in range(4)]
        links = [LINK.statement(rng, self.wordings).format(key=a, value=b) for a, b in zip(keys, keys[1:], strict=False)]
        return Item(
            id="",
            task="",
            instruction=LINK.instruction,
            question=LINK.question(rng, self.wordings).format(key=keys[0]),
            answers=(keys[1],),
            evidence=(links[0],),
            distractors=tuple(links[1:]),
            noise="passages",
            avoid=tuple(keys),
            prefill=LINK.prefill.format(key=keys[0]),
            answer_tokens=16 if self.keys == "words" else 64,
            meta={"keys": keys},
        )

    def extract(self, text: str, item: Item) -> str | None:
        if self.haystack == "records":
            return extract.first_integer(text)
        line = text.strip().partition("\n")[0]
        return extract.label(item.meta.get("keys", item.answers), which=-1)(line) or extract.first_line(text)

    def grade(self, found: str, answers: Sequence[str], item: Item) -> float:
        return float(found.lower() == answers[0].lower())
