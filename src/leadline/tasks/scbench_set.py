"""SCBench's tasks: several questions over one context, in one conversation or each on its own.

Li, Jiang, Wu et al., "SCBench: A KV Cache-Centric Analysis of Long-Context Methods", ICLR 2025, arXiv:2412.10319; the authors'
code, microsoft/MInference (MIT), folder scbench, was read at fb56c91. In a conversation the right answers of earlier turns
stand where the model's own would, as there unless its switch says otherwise, which here is `history=own`; `multi-request` has
the context read before any question is known. Under a method that evicts, each turn reads what the ones before it left in the
cache (`Prompt.turns`).

All twelve are made here at any length: from random strings, variables, numbers and shots, the invented world, generated code
and Chinese. Differs: each answer is scored whole, where the peer walks the characters of an answer that is a plain string
(many-shot, qa-chn), and variables are not rounded; `peer` scores its way. Its conversations say a choice's text without the
letter and variables as a Python list, which are said plainly here; over-long contexts are not cut.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

from leadline.nouns import NOT_ASKED, Answer, Item, Score, Turn, UserError
from leadline.scoring import extract as extraction
from leadline.scoring import scbench_metrics as metrics
from leadline.scoring.words import english, f1
from leadline.tasks import _shared_chinese as chinese
from leadline.tasks import _shared_code as code
from leadline.tasks import _shared_context as made
from leadline.tasks import _shared_rows as published
from leadline.tasks._shared_context import Session
from leadline.tasks.base import PASSAGE, Level, Task, share_found

Make = Callable[[str, int, int, int, random.Random, str], Session]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What is fixed for one of the twelve tasks."""

    ability: str
    diffusion: Level = "low"
    scope: Level = "low"
    make: Make
    """Draws a session."""
    least: int = 320
    """Of what is made here, for each turn [tokens]."""
    chance: float = 0.0
    grows: bool = False


KINDS: dict[str, Kind] = {
    "kv": Kind(ability="retrieval", make=made.pairs),
    "prefix-suffix": Kind(ability="retrieval", diffusion="middle", make=made.ends),
    "vt": Kind(ability="tracking", diffusion="middle", make=made.variables),
    "repoqa": Kind(ability="code", diffusion="middle", make=code.functions, least=900),
    "qa-eng": Kind(ability="qa", diffusion="middle", make=made.facts),
    "qa-chn": Kind(ability="qa", diffusion="middle", make=chinese.facts),
    "choice-eng": Kind(ability="qa", diffusion="middle", make=made.choices, chance=0.25, least=400),
    "many-shot": Kind(ability="in-context learning", scope="high", make=made.shots, chance=0.2, grows=True),
    "mf": Kind(ability="ordering", scope="high", make=made.numbers, grows=True),
    "summary": Kind(ability="summarisation", scope="middle", make=made.summaries, least=600),
    "summary-with-needles": Kind(ability="summarisation", scope="middle", make=made.summaries_and_needles, least=400),
    "repoqa-and-kv": Kind(ability="code", diffusion="middle", make=code.functions_and_pairs, least=900),
}
PEER: Mapping[str, Callable[..., float]] = {
    "vt": metrics.variables,
    "many-shot": metrics.any_character,
    "qa-chn": metrics.chinese_characters,
}
"""The peer's scorers that differ from ours."""


@dataclass(frozen=True, kw_only=True)
class ScbenchSet(Task):
    """Questions that share a context.

    Attributes:
        kind: one of the twelve: kv, prefix-suffix, vt, repoqa, qa-eng, qa-chn, choice-eng, many-shot, mf, summary,
            summary-with-needles, repoqa-and-kv.
        mode: `multi-turn` (one conversation) or `multi-request` (each question alone, the context read before it).
        history: what stands for the answers of earlier turns: `gold` (the right ones) or `own` (the model's own replies, for
            which the length keeps room; prompts that are built without asking hold the right ones).
        turns: questions over each context, 2 to 7; published rows may have fewer.
        data: the published data set: `hub` for microsoft/SCBench, a folder with files like scbench_kv.jsonl, or a file; empty
            for what is made here.
        noise: what published contexts lie in: `none`, or `passages` for any length.
        keys: of kv made here: `uuid`, or `words` for records that small models read.
        peer: score as the authors' code does, its slips included.
    """

    kind: str = "kv"
    mode: str = "multi-turn"
    history: str = "gold"
    turns: int = 5
    data: str = ""
    noise: str = "none"
    keys: str = "uuid"
    peer: bool = False

    together = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("kind", tuple(KINDS))
        self.check("mode", ("multi-turn", "multi-request"))
        self.check("history", ("gold", "own"))
        self.check("noise", ("none", "passages"))
        self.check("keys", ("uuid", "words"))
        self.check_range("turns", 2, 7)
        if self.own_history and self.mode != "multi-turn":
            raise UserError(f"{self.id}: history=own is for mode=multi-turn; requests have no history")
        if self.noise != "none" and self.made:
            raise UserError(f"{self.id}: noise={self.noise} is for published contexts; what is made here has noise of its own")
        if self.keys != "uuid" and not (self.made and self.kind == "kv"):
            raise UserError(f"{self.id}: keys={self.keys} is for kind=kv made here")

    @property
    def made(self) -> bool:
        """Whether sessions are drawn here."""
        return not self.data

    @property
    def own_history(self) -> bool:
        """Whether the model's own replies stand in the conversation."""
        return self.history == "own"

    @property
    def ability(self) -> str:
        """As the kind's."""
        return KINDS[self.kind].ability

    @property
    def diffusion(self) -> Level:
        """As the kind's."""
        return KINDS[self.kind].diffusion

    @property
    def scope(self) -> Level:
        """As the kind's."""
        return KINDS[self.kind].scope

    @property
    def chance(self) -> float:
        """As the kind's."""
        return KINDS[self.kind].chance

    @property
    def grows(self) -> bool:
        """Whether the context is evidence and nothing else, drawn to its length."""
        return self.made and KINDS[self.kind].grows

    @property
    def natural(self) -> bool:
        """Published contexts come as they are, but with noise."""
        return not self.made and self.noise == "none"

    @property
    def minimum(self) -> int:
        """Least length [tokens]."""
        if not self.made:
            # With noise they must fit first: published contexts are seldom shorter.
            return 256 if self.natural else 2048
        least = 72 if self.keys == "words" else KINDS[self.kind].least
        return self.turns * (least + (_room(self.kind, self.keys) if self.own_history else 0))

    # ---------------------------------------------------------------- items

    def _published(self, seed: int) -> tuple[Session, ...]:
        data = published.HUB if self.data == "hub" else self.data
        return published.sessions(data, self.kind, self.turns, seed)

    def haystack(self, place: int, seed: int) -> range:
        if self.made:
            first = place // self.turns * self.turns
            return range(first, first + self.turns)
        first = 0
        for session in self._published(seed):
            if place < first + len(session.asks):
                break
            first += len(session.asks)
        else:
            raise UserError(f"{self.spec} has only {first} questions; ask for at most that many samples")
        return range(first, first + len(session.asks))

    def _session(self, place: int, seed: int) -> tuple[Session, int]:
        """The session that an item belongs to, and its turn in it."""
        places = self.haystack(place, seed)
        if self.made:
            name = f"{self.spec}/{seed}/{places.start}"
            # Items far apart, as laws and wrong answers draw them, are still of different subjects.
            start = places.start % 80_000
            return KINDS[self.kind].make(name, start, seed, self.turns, random.Random(name), self.keys), place - places.start
        first, found = 0, self._published(seed)
        for session in found:
            if first == places.start:
                return session, place - first
            first += len(session.asks)
        raise AssertionError(places)

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        session, turn = self._session(index, seed)
        ask, talk = session.asks[turn], self.mode == "multi-turn"
        noise = session.noise if self.made else self.noise
        others = [e for a in session.asks if a is not ask for e in a.evidence if e not in ask.evidence]
        statistics = [a.meta["statistic"] for a in session.asks] if self.grows and self.kind == "mf" else []
        return Item(
            id="",
            task="",
            instruction=session.instruction,
            question=ask.question,
            turns=tuple(Turn(a.question, a.told, a.prefill) for a in session.asks[:turn]) if talk else (),
            apart=not talk,
            answers=ask.answers,
            evidence=ask.evidence,
            distractors=tuple(dict.fromkeys([*others, *session.distractors])),
            noise=noise,
            form=PASSAGE if not self.made and not self.natural else session.form,
            ordered=session.ordered,
            avoid=session.avoid,
            prefill=ask.prefill,
            answer_tokens=sum(a.room for a in session.asks[:turn]) + ask.room if self.own_history else ask.room,
            single_line=ask.single_line,
            choices=ask.choices,
            cluster=session.name,
            hops=ask.meta.get("hops", 1),
            meta={
                **ask.meta,
                **({"part": ask.part} if ask.part else {}),
                **({"statistics": statistics, "turn": turn} if statistics else {}),
            },
            facets={"turn": str(turn + 1), **({"part": ask.part} if ask.part else {}), **session.facets},
        )

    def compose(self, item: Item, room: int, count: Callable[[str], int]) -> Item:
        if self.kind == "many-shot":
            return replace(item, evidence=tuple(made.shown(item.cluster, item.facets["shots"], room, count)))
        rows = made.number_rows(item.cluster, room, count)
        values = sorted(int(n) for n in re.findall(r"\d+", " ".join(rows)))
        if len(values) < 3:
            return replace(item, evidence=tuple(rows))
        told = [f"{made.STATISTICS[which](values):g}" for which in item.meta["statistics"]]
        turn = item.meta["turn"]
        turns = tuple(t._replace(answer=answer) for t, answer in zip(item.turns, told, strict=False))
        meta = {**item.meta, "whole": "." not in told[turn]}
        return replace(item, evidence=tuple(rows), answers=(told[turn],), turns=turns, meta=meta)

    # ---------------------------------------------------------------- scores

    def gold(self, answers: Sequence[str], item: Item) -> str:
        if "name" in item.meta:
            return f"```\n{answers[0]}\n```"
        if self.kind in ("mf", "many-shot", "summary", "summary-with-needles", "qa-chn"):
            return answers[0]
        return super().gold(answers, item)

    def wrong(self, answers: Sequence[str], item: Item, rng: random.Random) -> str:
        if item.choices:
            letters = [c for c in item.choices if c != answers[0].strip("()")]
            return f"({rng.choice(letters)})"
        if self.grows:
            return str(10_000 + rng.randrange(10_000))
        if self.made:
            return super().wrong(answers, item, rng)
        others = [
            a for s in self._published(0) for a in s.asks if a.part == item.meta.get("part", "") and a.answers != tuple(answers)
        ]
        other = rng.choice(others) if others else None
        return self.gold(other.answers, replace(item, meta={**other.meta})) if other else "I cannot find it."

    def extract(self, text: str, item: Item) -> str | None:
        if item.choices and not (self.peer and self.kind == "many-shot"):
            if self.peer or len(item.choices) == 4 and text.strip() == item.meta.get("text"):
                return text.strip()
            return extraction.letter("".join(item.choices))(text)
        if self._task(item) == "mf" and not self.peer:
            found = re.search(r"[-−]?\d[\d,]*(?:\.\d+)?", text)
            return found[0].replace(",", "").replace("−", "-") if found else None
        if self._task(item) in ("passkey", "needle"):
            return extraction.first_digits(text)
        return extraction.whole(text)

    def _task(self, item: Item) -> str:
        """The task that an item is of, in a mixed kind that of its turn."""
        return item.meta.get("part") or self.kind

    def grade(self, found: str, answers: Sequence[str], item: Item) -> float:
        return self._marks(found, answers, item)[0]

    def _marks(self, found: str, answers: Sequence[str], item: Item) -> tuple[float, dict[str, float]]:
        task = self._task(item)
        if self.peer and task in PEER:
            return PEER[task](found, answers), {}
        match task:
            case "vt":
                return share_found(found, answers), {}
            case "mf":
                return metrics.first_number(found, answers) if not found.startswith("-") else 0.0, {}
            case "passkey" | "needle":
                return float(found == answers[0]), {}
            case "choice-eng":
                right = {answers[0], str(item.meta.get("text"))}
                return metrics.choice(found, tuple(right)) if self.peer else float(found in right), {}
            case "many-shot":
                return float(found == answers[0].strip("()")), {}
            case "qa-eng":
                words = max(f1(english(found), english(a)) for a in answers)
                return metrics.contained_any_case(found, answers), {"word F1": words}
            case "qa-chn":
                return metrics.chinese(found, answers), {}
            case "summary" if "facts" in item.meta:
                # More sentences than asked for do not count: else copying the context would score full.
                sentences = re.split(r"(?<=[.!?])(?<!\b[A-Z]\.)\s+", found)[: item.meta["sentences"]]
                return share_found(" ".join(sentences), item.meta["facts"]), {}
            case "summary":
                return metrics.summary(found, answers), {}
            case "repoqa":
                name, near = metrics.nearest(found, item.meta["functions"], item.meta["language"])
                own = metrics.function_bleu(metrics.written(found, item.meta["language"]), answers[0])
                return float(name == item.meta["name"] and near >= metrics.NEAR), {"BLEU": own}
            case _:
                return metrics.contained(found, answers), {}

    def score(self, answers: Sequence[str], item: Item, answer: Answer) -> Score:
        take: Any = partial(self._taken, item=item)
        found, audit = extraction.judge(answer, take, single_line=item.single_line)
        if audit == "cut off":
            # What there is of a reply that ran out of room is scored, as the authors do.
            found, _ = extraction.judge(replace(answer, stop="stop"), take, single_line=item.single_line)
        if found is None:
            return Score(value=None if audit in NOT_ASKED else 0.0, audit=audit)
        value, parts = self._marks(found, answers, item)
        return Score(value=value, audit=audit, extracted=found, parts=parts)


@lru_cache
def _room(kind: str, keys: str) -> int:
    """The longest room for an answer of what is made here [tokens]; two turns show both parts of a mixed kind."""
    return max(ask.room for ask in KINDS[kind].make("room", 0, 0, 2, random.Random(0), keys).asks)
