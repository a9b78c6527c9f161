"""MIR-Bench: work out a function from up to thousands of examples, some of them wrong, and apply it.

Yan, Ling, Liu, Yang, Fan, Shen, Du, Chen 2025, arXiv:2502.09933; code KaiYan289/MIR-Bench, Apache-2.0. There the functions
come from coding sets; here they are chains of one to three steps over numbers, texts, lists, counts and tables, drawn and
run exactly, so that there are as many as wanted and nobody was trained on them. The examples fill the context (the more
tokens, the more examples), or are a fixed number, alone as published or spread in prose. The published rows load too.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from leadline.data.published import demand, rows_of
from leadline.nouns import Answer, Item, Score, UserError
from leadline.scoring.mir_metrics import agrees, output, taken
from leadline.tasks import _functions as functions
from leadline.tasks._functions import Function, Shot
from leadline.tasks.base import Task

INSTRUCTION = "Below are inputs of one function, each with its output. Find out what the function does."
ENDINGS = {
    "free": "End your reply with 'Output: ' and the output, written as a Python literal.",
    "forced": "First write 'Analysis: ' and what the function does, then 'Output: ' and the output as a Python literal.",
    "direct": "Reply with 'Output: ' and the output, written as a Python literal, and with nothing else.",
}
ROOM = {"free": 192, "forced": 512, "direct": 128}
COLUMNS: dict[str, type | tuple[type, ...]] = {"prompt": str, "answer": (str, list), "num_shots": int}
FILL = 8
"""Examples at the end that are chosen by their length, so that the context is full."""


@dataclass(frozen=True, kw_only=True)
class MirBench(Task):
    """The output of an unknown function.

    Attributes:
        shots: examples; 0 for as many as the length holds.
        noise: with a number of shots, what stands between them: `none` (as published) or `prose`.
        errors: share of the examples that have another input's output, 0 to 0.9 (paper: 1/64 to 3/4).
        told: what is said of wrong examples: `nothing`, `some` (there are some) or `count` (how many).
        distinct: different examples, which repeat in turn; 0 for no repeats (the paper's test of what repeating brings).
        steps: steps that the function is made of, 1 to 3; 0 for one, two and three in turn.
        mode: `free` (reply as you like), `forced` (an analysis first) or `direct` (the output alone).
        peer: compare text with text after the last "Output:", as the authors' code does, instead of objects.
        data: published rows, a path or hub file in MIR-Bench's Parquet format, as in
            kaiyan289/MIR-Bench/MIR-Core.parquet; `shots` then picks rows, and the other settings are the data's.
    """

    shots: int = 0
    noise: str = "none"
    errors: float = 0.0
    told: str = "nothing"
    distinct: int = 0
    steps: int = 0
    mode: str = "free"
    peer: bool = False
    data: str = ""

    ability = "in-context learning"
    diffusion = "low"
    scope = "high"
    minimum = 2048

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_range("shots", 0, 16384)
        self.check_range("steps", 0, 3)
        self.check_range("distinct", 0, 16384)
        self.check("noise", ("none", "prose"))
        self.check("told", ("nothing", "some", "count"))
        self.check("mode", tuple(ENDINGS))
        if not 0 <= self.errors <= 0.9:
            raise UserError(f"{self.id}: errors must be a share from 0 to 0.9; got {self.errors}")
        if self.noise != "none" and (self.data or not self.shots):
            raise UserError(f"{self.id}: noise=prose spreads a number of shots; give shots=16 or the like, and no data")
        if self.data and (self.errors or self.steps or self.distinct or self.told != "nothing" or self.mode != "free"):
            raise UserError(f"{self.id}: of published rows only shots and peer can be chosen; leave out the other settings")
        object.__setattr__(self, "grows", not self.data and not self.shots)
        object.__setattr__(self, "natural", bool(self.data) or (self.shots > 0 and self.noise == "none"))
        if self.shots and self.noise == "prose":
            object.__setattr__(self, "minimum", 1024 + 192 * self.shots)

    def items(self, n: int, seed: int = 0) -> list[Item]:
        if self.data and n > (there := len(_rows(self.data, self.shots, seed))):
            raise UserError(f"{self.id}: {self.data} holds {there} rows with such shots; ask for at most that many")
        return super().items(n, seed)

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        if self.data:
            rows = _rows(self.data, self.shots, seed)
            return self._published(rows[index % len(rows)], seed)
        steps = self.steps or index % 3 + 1
        function, name = functions.drawn(rng, steps), f"{seed}/{index}/{rng.random()}"
        asked = functions.fresh(function, random.Random(f"{name}/asked"), set())
        meta: dict[str, Any] = {
            "name": name,
            "takes": function.takes,
            "chain": function.chain,
            "asked": repr(asked),
            "shots": 0,
        }
        item = self._asked(
            repr(asked),
            repr(function(asked)),
            meta | {"function": function.name},
            {"steps": str(steps), "output": function.gives},
        )
        if not self.shots:
            return item
        stream = self._shots(item)
        return dataclasses.replace(
            self._with(item, [stream[self._place(i)] for i in range(self.shots)]),
            noise=self.noise,
            avoid=("Input:", "Output:") if self.noise != "none" else (),
        )

    def _asked(self, asked: str, answer: str, meta: Mapping[str, Any], facets: Mapping[str, str]) -> Item:
        forced = self.mode == "forced"
        return Item(
            id="",
            task="",
            instruction=INSTRUCTION,
            question=f"What is its output for the input below? {ENDINGS[self.mode]}\nInput: {asked}",
            answers=(answer,),
            noise="none",
            ordered=True,
            # The authors' reading needs the word in the reply itself.
            prefill="" if self.peer else "Analysis:" if forced else "Output:",
            answer_tokens=ROOM[self.mode],
            single_line=not forced,
            meta=meta,
            facets=facets,
        )

    def _shots(self, item: Item) -> functions.Stream:
        meta = item.meta
        function = Function(meta["takes"], tuple((i, k) for i, k in meta["chain"]))
        return functions.stream(function, meta["name"], self.errors, meta["asked"])

    def _place(self, i: int) -> int:
        """Which of the function's examples stands in place i."""
        return i % self.distinct if self.distinct else i

    def _said(self, shots: Sequence[Shot]) -> str:
        """What the reader is told of wrong examples."""
        bad = sum(s.shown != s.right for s in shots)
        count = f" Of the {len(shots)} outputs shown, {bad} are wrong."
        return {"nothing": "", "some": " Some of the outputs shown are wrong.", "count": count}[self.told]

    def _with(self, item: Item, shots: Sequence[Shot]) -> Item:
        meta = dict(item.meta) | {"shots": len(shots), "bad": sum(s.shown != s.right for s in shots)}
        instruction = INSTRUCTION + self._said(shots)
        return dataclasses.replace(item, instruction=instruction, evidence=tuple(s.text for s in shots), meta=meta)

    def compose(self, item: Item, room: int, count: Callable[[str], int]) -> Item:
        """Examples in turn until a few more would fill the room, then those of the next that fill it to the token."""
        stream, shots, used = self._shots(item), list[Shot](), 0
        # Behind another an example takes other tokens than alone.
        first = stream[0].text
        alone = count(first)

        def cost(shot: Shot) -> int:
            return count(f"{first}\n{shot.text}") - alone

        while used < room:
            shots.append(stream[self._place(len(shots))])
            used += cost(shots[-1])
        said = count(INSTRUCTION + self._said(shots)) - count(INSTRUCTION)
        del shots[max(0, len(shots) - FILL) :]
        left = room - said - count("\n".join(s.text for s in shots))
        more = [stream[self._place(len(shots) + i)] for i in range(40 * FILL)]
        return self._with(item, shots + [more[i] for i in _filling(map(cost, more), left)])

    def _published(self, row: Mapping[str, Any], seed: int) -> Item:
        """A row's prompt in three: what is said first, the examples, and the input that is asked for."""
        head, mark, rest = row["prompt"].partition("Input:")
        shots, mark2, asked = rest.rpartition("Input:")
        if not mark or not mark2:
            raise UserError(f"{self.data}: a prompt of MIR-Bench must hold examples and a question, each after 'Input:'")
        answer = row["answer"] if isinstance(row["answer"], str) else row["answer"][0]
        facets = {"shots": str(row["num_shots"])}
        facets |= {"difficulty": str(row["difficulty"])} if row.get("difficulty") is not None else {}
        facets |= {"wrong": f"{row['ER_rate']:.3g}"} if row.get("ER_rate") else {}
        return dataclasses.replace(
            self._asked("", str(answer), {"shots": row["num_shots"], "seed": seed}, facets),
            instruction=head.strip(),
            question=f"Input:{asked}".strip(),
            evidence=((mark + shots).strip(),),
            cluster=str(row.get("idx_train", "")),
        )

    def gold(self, answers: Sequence[str], item: Item) -> str:
        return f"Output: {answers[0]}"

    def extract(self, text: str, item: Item) -> str | None:
        return taken(text) if self.peer else output(text)

    def grade(self, found: str, answers: Sequence[str], item: Item) -> float:
        return float(found == answers[0].strip() if self.peer else agrees(found, answers[0]))

    def score(self, answers: Sequence[str], item: Item, answer: Answer) -> Score:
        """With the number of examples beside it, and of those that were wrong."""
        plain = super().score(answers, item, answer)
        parts = {"shots": float(item.meta.get("shots", 0))}
        parts |= {"wrong shots": float(item.meta["bad"])} if item.meta.get("bad") else {}
        return plain if plain.value is None else dataclasses.replace(plain, parts=parts)


def _filling(sizes: Iterable[int], room: int) -> list[int]:
    """Which of some pieces fill a room best, as near as can be from below; each is used once."""
    ways: dict[int, tuple[int, ...]] = {0: ()}
    for i, size in enumerate(sizes):
        if room in ways:
            break
        for total, way in list(ways.items()):
            if total + size <= room and total + size not in ways:
                ways[total + size] = (*way, i)
    return list(ways[max(ways)])


@lru_cache(maxsize=8)
def _rows(data: str, shots: int, seed: int) -> tuple[Mapping[str, Any], ...]:
    rows = []
    for place, row in rows_of(data):
        demand(row, COLUMNS, "MIR-Bench", place)
        if not shots or row["num_shots"] == shots:
            rows.append(row)
    if not rows:
        raise UserError(f"{data!r} holds no rows{f' of {shots} shots' if shots else ''}")
    random.Random(seed).shuffle(rows)
    return tuple(rows)


def check(lab: Any) -> Any:
    """Generated functions with exact answers and wrong examples, by the number of shots; replies read as the peer does."""
    kinds = ("mir-bench", "mir-bench(errors=0.25)", "mir-bench(shots=16, noise=prose)")
    asked = {errors: lab.asked(f"mir-bench(shots=64, errors={errors})", n=8) for errors in (0.0, 0.25)}
    pairs = [(a[1].evidence, b[1].evidence) for a, b in zip(asked[0.0], asked[0.25], strict=True)]
    changed = [sum(x != y for x, y in zip(a, b, strict=True)) for a, b in pairs]
    cases = lab.json("metric-vectors/ada_mir.json")["mir_judge"] if lab.peers else []
    theirs = [r["peer_score"] for r in cases]
    exact, plain = (
        [lab.metric(name)(r["prediction"], [r["gt"]]) for r in cases] for name in ("mirbench/exact", "mirbench/literal")
    )
    return lab.conclude(
        lab.build(*kinds, lengths=("4k", "32k")),
        *(lab.replies(one) for one in kinds),
        (set(changed) == {16}, f"{min(changed)} to {max(changed)} of 64 examples are wrong at a quarter"),
        lab.agree(exact, theirs, "extraction cases") if cases else lab.NO_PEERS,
        lab.sound("mir-bench(shots=16, noise=prose)"),
        control=lab.agree(plain, theirs, "of these, read as literals,"),
    )
