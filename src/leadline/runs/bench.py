"""What the check of a task or a scorer is given: prompts to build, replies to score, a simulated reader, peers' released rows.

Stays in the text half, but where a check asks for the embedded model (`Lab`). Knows nothing of any plugin.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import math
import os
import random
import shutil
import tempfile
import weakref
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from leadline import catalog
from leadline.data.haystack import Builder, Layout
from leadline.data.tokens import Tokenizer, load_tokenizer
from leadline.nouns import Answer, Item, Prompt, Record, Score
from leadline.runs import outside, simulated
from leadline.runs.asking import record_of
from leadline.runs.lab import Finding, Lab
from leadline.runs.plan import Plan, cells, parse_length
from leadline.runs.prompts import build_all, builder_of

FULL = 0.99
"""Least share of the asked length that a prompt takes."""
Say = str | Callable[[Any, Item, Prompt], str]
"""What is replied: `gold`, `wrong`, `empty`, or a function of task, item and prompt."""


@dataclass(frozen=True)
class Built:
    """Prompts built, and how well they keep to their lengths."""

    prompts: tuple[Prompt, ...]
    fills: tuple[float, ...]
    """Share of the asked length that each takes."""

    @property
    def holds(self) -> bool:
        """Whether none is over its length and none under 99 % of it."""
        return FULL <= min(self.fills) and max(self.fills) <= 1

    def __str__(self) -> str:
        """As in `24 prompts to 1,048,576 tokens 99.1 to 100.0 % full`."""
        low, high = (100 * f(self.fills) for f in (min, max))
        return f"{len(self.prompts)} prompts to {max(p.length for p in self.prompts):,} tokens {low:.1f} to {high:.1f} % full"


@dataclass(frozen=True)
class Agreement:
    """How many of our figures are those of a peer, or as reckoned by hand."""

    what: str
    equal: int
    of: int
    differ: tuple[int, ...]
    """Places of those that are not."""

    @property
    def holds(self) -> bool:
        """Whether every one is, and there is one."""
        return self.equal == self.of > 0

    def __str__(self) -> str:
        """As in `983 of 983 exam replies agree`."""
        return f"{self.equal:,} of {self.of:,} {self.what} agree"


@dataclass(frozen=True)
class Sounding:
    """What a report says of a reader whose window is known."""

    spec: str
    truth: int | None
    """Where it really loses the evidence of the first item [tokens]."""
    tokens: int | None
    low: int | None
    high: int | None
    holds: bool
    """Whether the estimated interval holds the truth."""

    def __str__(self) -> str:
        """As in `a reader that loses needle at 10,256 breaks down at 10,216 (9,950-11,500)`."""
        told = [f"{x:,}" if x is not None else "?" for x in (self.truth, self.tokens, self.low, self.high)]
        return f"a reader that loses {self.spec} at {told[0]} breaks down at {told[1]} ({told[2]}-{told[3]})"


@dataclass(frozen=True)
class Replies:
    """Mean scores of right, wrong and empty replies to the same prompts [0 to 1]."""

    n: int
    gold: float
    wrong: float
    empty: float
    chance: float
    """The highest that a task's guess scores."""

    @property
    def holds(self) -> bool:
        """Whether right ones score full, empty ones nothing, and wrong ones of the right form at most chance and a tenth."""
        return self.gold == 1 and self.empty == 0 and self.wrong <= self.chance + 0.1

    def __str__(self) -> str:
        """As in `48 right replies 1.00, wrong .02, empty 0.00`."""
        return f"{self.n} right replies {self.gold:.2f}, wrong {self.wrong:.2f}, empty {self.empty:.2f}"


def _asking(program: Callable[[str], str]) -> Callable[..., Awaitable[Answer]]:
    async def ask(text: str, max_tokens: int = 0) -> Answer:
        return Answer(text=program(text))

    return ask


class Bench(Lab):
    """A place to check tasks and scorers in."""

    NO_PEERS = (None, "not shown: released predictions are not here (name their folder in LEADLINE_PEERS)")
    """The clause of a check that stands on them."""

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The embedded model's."""
        return load_tokenizer("minnow")

    @cached_property
    def _folders(self) -> str:
        folder = tempfile.mkdtemp(prefix="leadline-check-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return folder

    def written(self, files: Mapping[str, Any]) -> Path:
        """A new folder with files in a published format, gone with the lab.

        Args:
            files: by name; a list of rows becomes JSON lines (one JSON array where the name ends in `.json`), text stays text.
        """
        folder = Path(tempfile.mkdtemp(dir=self._folders))
        for name, content in files.items():
            if not isinstance(content, str):
                rows = [json.dumps(row, ensure_ascii=False) for row in content]
                content = f"[{', '.join(rows)}]" if name.endswith(".json") else "\n".join(rows) + "\n"
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content, encoding="utf-8")
        return folder

    @cached_property
    def peers(self) -> Path | None:
        """The folder with peers' released predictions and scores, or None: a check that stands on them then says so.

        It is named by $LEADLINE_PEERS, else `shared/data` beside the source tree.
        """
        path = Path(os.environ.get("LEADLINE_PEERS") or catalog.ROOT.parents[2] / "shared" / "data")
        return path if path.is_dir() else None

    def released(self, name: str) -> list[dict[str, Any]]:
        """Rows of one of the peers' files (JSON lines, packed or not)."""
        assert self.peers, "ask for `peers` first"
        file = self.peers / name
        data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        return [json.loads(line) for line in data.decode("utf-8").split("\n") if line.strip()]

    def json(self, name: str) -> Any:
        """One of the peers' files that is one JSON document."""
        assert self.peers, "ask for `peers` first"
        return json.loads((self.peers / name).read_text(encoding="utf-8"))

    @staticmethod
    def conclude(*clauses: Any, control: Any) -> Finding:
        """What a check returns: it holds where every clause does.

        Args:
            clauses: what was shown; each is something with `holds` that prints as its figures, or such a pair. One that is
                None was not shown here, and neither then is the whole.
            control: the same of something sabotaged, or a list of such.
        """

        def pair(clause: Any) -> tuple[bool | None, str]:
            return clause if isinstance(clause, tuple) else (clause.holds, str(clause))

        shown = [pair(clause) for clause in clauses]
        against = [pair(one) for one in (control if isinstance(control, list) else [control])]
        verdicts = [holds for holds, _ in shown]
        return Finding(
            holds=False if False in verdicts else None if None in verdicts else True,
            figure="; ".join(words if holds is not False else f"NOT MET: {words}" for holds, words in shown),
            control="; ".join(words for _, words in against),
            control_holds=any(holds for holds, _ in against),
        )

    @staticmethod
    def agree(
        ours: Sequence[float | None], theirs: Sequence[float | None], what: str = "cases", within: float = 1e-6
    ) -> Agreement:
        """How many of our figures are a peer's, or reckoned by hand, in the same unit; None equals None alone."""
        pairs = list(zip(ours, theirs, strict=True))
        same = [a is b if a is None or b is None else math.isclose(a, b, rel_tol=0, abs_tol=within) for a, b in pairs]
        return Agreement(what, sum(same), len(same), tuple(i for i, s in enumerate(same) if not s))

    def widened(self, window: int) -> Path:
        """A copy of the embedded model's checkpoint that says another window; gone with the lab."""
        return outside.widened(self.written({}), window)

    def measured(self, models: str, tasks: str, *more: str) -> tuple[list[dict[str, Any]], str]:
        """Cells of `leadline measure`, as users start it, with one sample each; and '' or what went wrong."""
        return outside.measured(models, tasks, self.written({}) / "run", *more)

    def served(self, program: Callable[[str], str], tasks: str, *more: str) -> tuple[list[dict[str, Any]], str, str]:
        """The same of a program behind an address, and the report's page."""
        out = self.written({}) / "run"
        with outside.endpoint(program) as url:
            named = ("--base-url", url, "--tokenizer", "minnow")
            cells, why = outside.measured(outside.SERVED, tasks, out, *named, *more)
        return cells, why, (out / "report.html").read_text(encoding="utf-8") if cells else ""

    @staticmethod
    def metric(name: str) -> Any:
        """A metric by the name that `leadline score --metric` takes."""
        from leadline.scoring.metrics import metric

        return metric(name)

    @staticmethod
    def task(spec: str) -> Any:
        """A task with its settings."""
        return catalog.make(spec, "tasks")

    @staticmethod
    def every() -> list[str]:
        """All tasks that are made from nothing and can be scored here, suites' members with their settings, each once."""
        return [spec for spec in simulated.constructive() if not simulated.why_not(spec)]

    def specs(self, spec: str) -> list[str]:
        """A suite's members, or the task itself."""
        return [str(one) for one in catalog.expand(catalog.parse(spec), "tasks")]

    def build(
        self,
        *specs: str,
        lengths: Sequence[str | int] = ("4k", "64k"),
        n: int = 2,
        seed: int = 0,
        depth: float | None = None,
    ) -> Built:
        """Prompts of tasks or suites at lengths, for the embedded model's tokenizer; naturally long ones at their own.

        Lengths under a task's minimum become the minimum.
        """
        builder, prompts = Builder(self.tokenizer, seed=seed), list[Prompt]()
        for one in (one for spec in specs for one in self.specs(spec)):
            task = self.task(one)
            if task.natural:
                prompts += [prompt for _, prompt in self._natural(task, n, seed)]
                continue
            asked = {max(task.minimum, parse_length(str(length))) for length in lengths}
            for length in sorted(asked):
                prompts += build_all(builder, task, n, length, seed, Layout(depth=depth))
        return Built(tuple(prompts), tuple(p.tokens / p.length for p in prompts))

    def _natural(self, task: Any, n: int, seed: int) -> list[tuple[Item, Prompt]]:
        builder, items = Builder(self.tokenizer, seed=seed), task.items(n, seed)
        return [(item, builder.build(item, builder.minimum(item))) for item in items]

    def asked(self, spec: str, n: int = 12, length: str | int = "4k", seed: int = 0) -> list[tuple[Any, Item, Prompt]]:
        """Tasks (a suite's members one after the other), items as they are asked, and prompts."""
        found = []
        for one in self.specs(spec):
            task = self.task(one)
            if task.natural:
                found += [(task, item, prompt) for item, prompt in self._natural(task, n, seed)]
                continue
            prompts = build_all(
                Builder(self.tokenizer, seed=seed), task, n, max(2 * task.minimum, parse_length(str(length))), seed, Layout()
            )
            items = task.items(n, seed)
            # A growing item's answers are those of what it was composed of.
            shown = [replace(i, meta=p.meta) if task.grows else i for i, p in zip(items, prompts, strict=True)]
            found += [(task, item, prompt) for item, prompt in zip(shown, prompts, strict=True)]
        return found

    def scores(
        self,
        spec: str,
        say: Say = "gold",
        n: int = 12,
        length: str | int = "4k",
        seed: int = 0,
        helpers: Mapping[str, Callable[[str], str]] | None = None,
    ) -> list[Score]:
        """Scores of a reply to each prompt of a task, or of all members of a suite.

        Args:
            spec: of the task.
            say: what is replied.
            n: prompts of each task.
            length: of the prompts; at least twice a task's minimum.
            seed: of items and layouts.
            helpers: programs in the roles of models that help to score, by role: text to reply.
        """
        found = []
        for task, item, prompt in self.asked(spec, n, length, seed):
            if callable(say):
                text = say(task, item, prompt)
            elif say == "wrong":
                text = task.wrong(prompt.answers, item, random.Random(prompt.id))
            else:
                text = {"gold": task.gold(prompt.answers, item), "empty": ""}[say]
            if helpers:
                asks = {role: _asking(program) for role, program in helpers.items()}
                found.append(asyncio.run(task.judged(prompt.answers, item, Answer(text=text), asks)))
            else:
                found.append(task.score(prompt.answers, item, Answer(text=text)))
        return found

    def piped(self, pipeline: str, spec: str, program: Callable[[str], str], n: int = 6, length: str | int = "8k") -> float:
        """Mean score of a program in a model's place, under a pipeline ('' asks it itself) [0 to 1].

        Args:
            pipeline: spec of the pipeline.
            spec: of the task.
            program: what is said to a text, by the model and by whoever helps.
            n: prompts.
            length: of the prompts; at least twice the task's minimum.
        """

        async def ask(prompt: Prompt | str, max_tokens: int | None = None, role: str = "") -> Answer:
            return Answer(text=program(prompt if isinstance(prompt, str) else prompt.text), prompt_tokens=1, output_tokens=1)

        values = []
        for task, item, prompt in self.asked(spec, n, length):
            made = catalog.make(pipeline, "pipelines").answer if pipeline else lambda prompt, ask: ask(prompt)
            values.append(task.score(prompt.answers, item, asyncio.run(made(prompt, ask))).value or 0.0)
        return math.fsum(values) / len(values)

    def says(self, spec: str, say: Say = "gold", n: int = 12, length: str | int = "4k", seed: int = 0) -> float:
        """Mean score of a reply to each prompt [0 to 1]; those that do not count are left out."""
        known = [score.value for score in self.scores(spec, say, n, length, seed) if score.value is not None]
        return math.fsum(known) / len(known)

    @staticmethod
    def record(task: Any, item: Item, prompt: Prompt, score: Score) -> Record:
        """The record of a prompt that was answered and scored."""
        spec = catalog.parse(task.spec)
        roles = dict.fromkeys(task.roles, simulated.NAME)
        settings: Any = {"base": (), "samples": 1, "tokenizer": "minnow", "roles": roles}
        plan = Plan(models=(simulated.NAME,), tasks=(spec,), lengths=(prompt.length,), **settings)
        return record_of(plan, cells(plan)[0], item, prompt, Answer(text=score.extracted), score)

    def replies(self, spec: str, n: int = 12, length: str | int = "4k", seed: int = 0) -> Replies:
        """Right, wrong and empty replies to the prompts of a task, or of all members of a suite."""
        chance = max(self.task(one).chance for one in self.specs(spec))
        gold, wrong, empty = (self.says(spec, how, n, length, seed) for how in ("gold", "wrong", "empty"))
        return Replies(n * len(self.specs(spec)), gold, wrong, empty, chance)

    def sound(
        self,
        spec: str,
        window: int = 10_240,
        lengths: Sequence[int] = (4096, 6144, 8192, 12_288, 16_384, 24_576),
        n: int = 8,
        blind: bool = False,
    ) -> Sounding:
        """What the breakdown length of a task says of a simulated reader.

        Args:
            spec: of one task.
            window: last tokens that the reader reads; evidence lies at the start, so that it is lost first.
            lengths: the first is the base; those under the task's minimum are left out.
            n: samples.
            blind: let the reader read nothing at all: the control.
        """
        from leadline.scoring.summary import summarise

        parsed = catalog.parse(spec)
        least = self.task(spec).minimum
        kept = tuple(x for x in lengths if x >= least)
        plan = Plan(
            models=(simulated.NAME,), tasks=(parsed,), lengths=kept[1:], base=kept[:1], samples=n, tokenizer="minnow", depth=0.0
        )
        builder = builder_of(plan, simulated.NAME)
        reader = simulated.Reader(builder.tokenizer, window, distraction=0.05)
        true = simulated.truth(reader, plan, builder, spec)
        records = simulated.read(replace(reader, window=0) if blind else reader, plan, builder)
        found = summarise(records).groups[0].breakdown
        return Sounding(spec, true, found.tokens, found.low, found.high, simulated.holds(found, true, max(kept)))
