"""Needles and threads among pairs of random UUIDs, as in Needle Threading.

Roberts, Han, Albanie 2025, arXiv:2411.05000; project page's schematic and jonathan-roberts1/needle-threading (data, no
generator; MIT). There the haystack is one JSON object of 25 pairs for 2,000 characters; here the pairs stand the same way
without the outer braces, as many as fill the length. Of branched threads, which the paper adds and its data lack, its text was
not at hand; others' summaries of it say that several keys equal each value and that the longest chain counts. Here all but one
of the pairs with a key break off at once, the thread's last key stands in one pair, and the values that break off lie anywhere.
"""

from __future__ import annotations

import ast
import hashlib
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from leadline.data import prose
from leadline.data.published import demand, rows_of
from leadline.nouns import Answer, Item, Score, UserError
from leadline.scoring import extract
from leadline.scoring.needle_metrics import literal
from leadline.tasks.base import Task

KINDS = {
    "single": "Single_Needle",
    "multiple": "Multiple_Needles",
    "conditional": "Conditional_Needles",
    "thread": "Single_Threads",
    "threads": "Multi_Threads",
    "branched": "",
}
"""Kinds, and the files of the published data that hold them."""
ARCHIVE = "jonathan-roberts1/needle-threading/json_data.zip"
COLUMNS: dict[str, type | tuple[type, ...]] = {"haystack": str, "keys": (str, list), "values": (str, list), "question": str}
_MARKS = ("*", "&")
_NAME = re.compile(extract.UUID)
_INSTRUCTION = 'Below are pairs of a JSON object, each written as "key": "value".'


@dataclass(frozen=True, kw_only=True)
class NeedleThreads(Task):
    """Values of keys among pairs of random UUIDs, and threads of values that are keys again.

    Attributes:
        kind: `single` (the value of a key), `multiple` (of several keys), `conditional` (of all keys that hold a character),
            `thread` (follow values that are keys in turn, answer with the last value), `threads` (several at once) or
            `branched` (a thread whose keys stand in several pairs each, of which one goes on).
        needles: keys asked for together, 1 to 25 (multiple, conditional).
        placement: `random` or `clustered`, side by side (multiple, conditional).
        steps: pairs of a thread, 1 to 25 (thread, threads, branched; there from 2).
        direction: where the next pair of a thread stands: `forward` (further on), `backward` or `random` (thread, threads,
            branched).
        threads: threads at once, 2 to 16 (threads).
        branches: pairs with each key but the last, 2 to 10 (branched).
        data: empty for generated pairs, `hub` for the published rows of this kind, or a file in their format.
        peer: score as the released snippet does: the reply as a Python literal, cut to the length of the gold text, compared.
            A bare UUID is no literal.
    """

    kind: str = "single"
    needles: int = 5
    placement: str = "random"
    steps: int = 5
    direction: str = "forward"
    threads: int = 2
    branches: int = 2
    data: str = ""
    peer: bool = False

    ability = "retrieval"
    minimum = 512

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("kind", tuple(KINDS))
        self.check("placement", ("random", "clustered"))
        self.check("direction", ("forward", "backward", "random"))
        self.check_range("needles", 1, 25)
        self.check_range("steps", 1, 25)
        self.check_range("threads", 2, 16)
        self.check_range("branches", 2, 10)
        if self.data == "hub" and not KINDS[self.kind]:
            raise UserError(f"{self.id}: the published data hold no {self.kind} threads; leave data out, or give a file")
        if self.kind == "branched":
            self.check_range("steps", 2, 25)
        threaded = {
            "thread": self.steps,
            "threads": self.steps * self.threads,
            "branched": 1 + (self.steps - 1) * self.branches,
        }
        many = threaded.get(self.kind, 1 if self.kind == "single" else self.needles)
        asked = {"single": 1, "thread": 1, "threads": self.threads, "branched": 1}.get(self.kind, self.needles)
        object.__setattr__(self, "minimum", 512 + 192 * many + 256 * asked)
        object.__setattr__(self, "natural", bool(self.data))
        if self.kind != "single":
            object.__setattr__(self, "diffusion", "high" if self.kind in threaded and self.steps > 2 else "middle")
            object.__setattr__(self, "scope", "middle")

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        if self.data:
            return self._published(index, seed)
        if self.kind in ("thread", "threads", "branched"):
            return self._threads(rng)
        keys, values = zip(*(prose.uuid_pair(rng) for _ in range(1 if self.kind == "single" else self.needles)), strict=True)
        facets = {}
        if self.kind == "conditional":
            mark = rng.choice(_MARKS)
            keys = tuple(_marked(key, mark, rng) for key in keys)
            question = f'Give the values of all keys that hold the character "{mark}", one a line.'
        elif self.kind == "single":
            question = f'What is the value of the key "{keys[0]}"?'
        else:
            question = "Give the values of these keys in their order, one a line:\n" + "\n".join(f'"{key}"' for key in keys)
        pairs = [f'"{key}": "{value}"' for key, value in zip(keys, values, strict=True)]
        if self.kind != "single":
            facets = {"placement": self.placement, "needles": str(self.needles)}
            pairs = [", ".join(pairs)] if self.placement == "clustered" else pairs
        return self._asked(question, values, pairs, facets)

    def _threads(self, rng: random.Random) -> Item:
        count = self.threads if self.kind == "threads" else 1
        threads = [[prose.uuid_pair(rng)[0] for _ in range(self.steps + 1)] for _ in range(count)]
        links = [[f'"{a}": "{b}"' for a, b in zip(thread, thread[1:], strict=False)] for thread in threads]
        if self.direction != "random":
            # Each thread keeps its order in the context; how threads lie among one another is drawn.
            turns = [i for i in range(count) for _ in range(self.steps)]
            rng.shuffle(turns)
            rest = [iter(one if self.direction == "forward" else one[::-1]) for one in links]
            pairs = [next(rest[i]) for i in turns]
        else:
            pairs = [link for one in links for link in one]
        starts = "\n".join(f'"{thread[0]}"' for thread in threads)
        how = "The value of a key may be a key itself. Start with"
        end = "and go on from value to key until a value is no key of any pair"
        question = (
            f"{how} the key {starts}, {end}. What is that last value?"
            if count == 1
            else f"{how} each of these keys, {end}. Give the last value of each, in their order, one a line:\n{starts}"
        )
        facets = {"direction": self.direction, "steps": str(self.steps)} | ({"threads": str(count)} if count > 1 else {})
        item = self._asked(question, [t[-1] for t in threads], pairs, facets, hops=self.steps)
        if self.kind != "branched":
            return item
        dead = [f'"{key}": "{prose.uuid_pair(rng)[1]}"' for key in threads[0][:-2] for _ in range(self.branches - 1)]
        question = (
            "A key may stand in several pairs, each with a value of its own, and a value may be a key itself. Chains of pairs "
            f"that go on from value to key begin with the key {starts}. What is the last value of the longest of them?"
        )
        return replace(item, question=question, distractors=tuple(dead), facets={**facets, "branches": str(self.branches)})

    def _asked(
        self, question: str, values: Sequence[str], pairs: Sequence[str], facets: Mapping[str, str], hops: int = 1
    ) -> Item:
        return Item(
            id="",
            task="",
            instruction=_INSTRUCTION,
            question=question,
            answers=tuple(values),
            evidence=tuple(pairs),
            noise="uuids",
            ordered=hops > 1 and self.direction != "random",
            prefill="The value is" if len(values) == 1 and not self.peer else "",
            answer_tokens=96 * len(values),
            single_line=len(values) == 1,
            hops=hops,
            facets=facets,
        )

    def _published(self, index: int, seed: int) -> Item:
        rows = _rows(f"{ARCHIVE}/{KINDS[self.kind]}.json" if self.data == "hub" else self.data, seed)
        if index >= len(rows):
            raise UserError(f"{self.id}: {self.data} holds {len(rows)} rows; ask for at most that many samples")
        row = rows[index]
        values = _listed(row["values"])
        named = {"placement": "needle_placement", "direction": "thread_direction", "steps": "thread_length"}
        return Item(
            id="",
            task="",
            instruction="",
            question=row["question"],
            answers=tuple(values),
            evidence=(row["haystack"],),
            noise="none",
            answer_tokens=96 * len(values),
            single_line=len(values) == 1,
            hops=int(row.get("thread_length") or 1),
            cluster=hashlib.sha256(row["haystack"].encode()).hexdigest()[:12],
            # Items of two seeds have two names, as those of generated tasks do.
            meta={"seed": seed},
            facets={name: str(row[column]) for name, column in named.items() if column in row},
        )

    def gold(self, answers: Sequence[str], item: Item) -> str:
        if self.peer:
            return repr(answers[0] if len(answers) == 1 else list(answers))
        return "\n".join(answers)

    def wrong(self, answers: Sequence[str], item: Item, rng: random.Random) -> str:
        return self.gold([prose.uuid_pair(rng)[1] for _ in answers], item)

    def extract(self, text: str, item: Item) -> str | None:
        if self.peer:
            return text.strip()
        found = [m[0].lower() for m in _NAME.finditer(extract.plain(text))]
        return "\n".join(found) if found else None

    def grade(self, found: str, answers: Sequence[str], item: Item) -> float:
        """Share of the asked values that the reply names; of one value, whether the first UUID is it."""
        if self.peer:
            return literal(found, answers)
        said = found.split("\n")
        return float(said[0] == answers[0]) if len(answers) == 1 else sum(a in said for a in answers) / len(answers)

    def score(self, answers: Sequence[str], item: Item, answer: Answer) -> Score:
        base = super().score(answers, item, answer)
        if len(answers) == 1 or self.peer or base.audit != "answered":
            return base
        said = set(base.extracted.split("\n"))
        right = len(said & set(answers))
        parts = {"precision": right / len(said), "recall": right / len(answers), "F1": 2 * right / (len(said) + len(answers))}
        return Score(value=base.value, audit=base.audit, extracted=base.extracted, parts=parts)


def _marked(key: str, mark: str, rng: random.Random) -> str:
    """A key with one of its digits replaced."""
    at = rng.choice([i for i, c in enumerate(key) if c != "-"])
    return key[:at] + mark + key[at + 1 :]


def _listed(value: str | list[Any]) -> list[str]:
    """One UUID, a list of them, or either written out."""
    if isinstance(value, list):
        return [str(v) for v in value]
    if value.lstrip().startswith(("[", "(")):
        try:
            return [str(v) for v in ast.literal_eval(value)]
        except (ValueError, SyntaxError):
            pass
    return _NAME.findall(value) or [value]


@lru_cache(maxsize=8)
def _rows(spec: str, seed: int) -> tuple[Mapping[str, Any], ...]:
    rows = []
    for place, raw in rows_of(spec):
        demand(raw, COLUMNS, "needle-threading", place)
        rows.append(raw)
    random.Random(seed).shuffle(rows)
    return tuple(rows)
