"""Asks what a plan says, through Inspect, and keeps what comes back: killed at any moment, it goes on where it was.

Inspect brings providers, retries, limits on requests and the log viewer; the prompts travel by reference, every
finished sample goes to the journal at once, and no figure is taken from Inspect's own metrics. Knows nothing of
statistics and reports.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import errno
import json
import os
import platform
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import leadline
from leadline import catalog
from leadline.nouns import NOT_ASKED, Answer, Item, Prompt, Record, Score, TooLong, UserError
from leadline.runs import prompts
from leadline.runs import records as files
from leadline.runs.asking import Asker, now, record_of, unasked
from leadline.runs.journal import Journal
from leadline.runs.limits import Spent
from leadline.runs.plan import (
    Cell,
    Plan,
    cells,
    done,
    haystack_of,
    identity,
    is_local,
    items_of,
    pipeline_roles,
    price,
    task_of,
)

if TYPE_CHECKING:
    from inspect_ai.model import Model

    from leadline.data.haystack import Builder

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
RUN = "run.json"
LOGS = "logs"
LOCAL_SAMPLES = 512
"""Samples of a local model that wait at a time, so that batches are full."""
CPU_BATCH = 16_384
"""Most tokens asked of a local model at once where it runs on a processor."""


@dataclass(frozen=True)
class Progress:
    """Where a run stands."""

    done: int
    total: int
    """Samples of this call of `ask`, finished before included."""
    record: Record | None = None
    """What has just been finished."""
    note: str = ""
    """Something the user should know."""


Watch = Callable[[Progress], None]


def run(plan: Plan, folder: str | Path, progress: Watch | None = None) -> list[Record]:
    """Ask everything in a plan and write the run folder.

    Args:
        plan: what to ask.
        folder: the run's; where it holds a run, that goes on: what is finished is not asked again (what failed by the
            provider's fault is), and cells that the plan no longer has stay in the journal but are not returned.
        progress: called after every sample and with every note.

    Returns:
        The records of the plan's cells, also those finished earlier; `run.json` holds what else there is to say.

    Raises:
        UserError: a mistake in the plan; the folder is in use or full; the endpoint accepts no key or knows no model.
    """
    with Run(plan, folder, progress) as work:
        work.ask({cell: plan.samples for cell in work.cells})
        return work.finish()


class Run:
    """A run folder at work. `run` is what most need; `search` asks round by round.

    Attributes:
        cells: of the plan.
        notes: what happened that a user should know.
    """

    def __init__(self, plan: Plan, folder: str | Path, progress: Watch | None = None) -> None:
        self.plan, self.folder = plan, Path(folder)
        self.cells = cells(plan)
        _check_plugins(plan)
        self.notes: list[str] = []
        self.watch: Watch = progress or (lambda _: None)
        self.fault: BaseException | None = None
        """What stopped the run before its end, to be raised when Inspect has wound down."""
        self.failed: set[tuple[str, str]] = set()
        """Samples that failed in this very run, and are not asked yet again."""
        self.spent = Spent(plan)
        self.builders: dict[str, Builder] = {}
        self._total = self._finished = 0
        self._places = asyncio.Semaphore(1)
        self._talks: dict[tuple[str, int], asyncio.Lock] = {}
        """Conversations with the model's own replies, by cell and first place: one of its turns is asked at a time."""
        self._roles: dict[str, Model] = {}
        """Models that help to score, while some are asked."""
        self._one_thread = ThreadPoolExecutor(1, "leadline-build")
        self.journal = Journal(self.folder)
        self._known: dict[str, Cell] = {}
        for record in self.journal.records.values():
            self.spent.add(record)
        for note in self.journal.notes:
            self.note(note)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._one_thread.shutdown()
        self.journal.close()

    def note(self, text: str) -> None:
        """Tell the user something, now and in run.json."""
        self.notes.append(text)
        self.watch(Progress(self._finished, self._total, note=text))

    def records(self, cell: Cell) -> list[Record]:
        """What is finished of a cell."""
        return [r for (key, _), r in self.journal.records.items() if key == cell.key]

    def first(self, cell: Cell, n: int) -> list[Record | None]:
        """The records of a cell's first n samples, in the order of the task's items; None where one is not finished."""
        return [self.journal.records.get((cell.key, item.id)) for item in items_of(self.plan, cell.task, n)[:n]]

    def ask(self, wanted: Mapping[Cell, int]) -> None:
        """Ask the samples of some cells that are not finished yet.

        Args:
            wanted: number of samples of each cell, those finished included.

        Raises:
            UserError: as `run`.
        """
        from leadline.runs.replies import one_line

        self._known |= {cell.key: cell for cell in wanted}
        self._write_run("running")
        todo = {cell: left for cell, n in wanted.items() if (left := self._left(cell, n))}
        self._total = sum(wanted.values())
        self._finished = self._total - sum(map(len, todo.values()))
        groups: dict[tuple[str, str], list[Cell]] = {}
        for cell in todo:
            groups.setdefault((cell.model, cell.method), []).append(cell)
        for (model, method), group in groups.items():
            for cell in group:
                self._same_prompts(cell, wanted[cell])
            with self._model(model, method) as asked, self._helpers(group):
                local = is_local(model)
                places = LOCAL_SAMPLES if local else self.plan.max_connections
                self._places, self._talks = asyncio.Semaphore(places), {}
                # Cells of a local model go together so that its batches are full; an endpoint's have a log each.
                parts = [group] if local else [[cell] for cell in group]
                logs = self._evaluate([self._inspect_task(asked, part, todo) for part in parts], asked, places)
            if self.fault is not None:
                self._write_run("stopped", one_line(self.fault))
                raise self.fault
            # Interrupted, Inspect returns what it has, or nothing.
            if len(logs) < len(parts) or any(log.status == "cancelled" for log in logs):
                self._write_run("interrupted")
                raise KeyboardInterrupt
            for log in logs:
                if log.status == "error":
                    self._write_run("stopped", log.error.message if log.error else "")
                    raise RuntimeError(
                        f"Inspect stopped: {log.error.message if log.error else 'no reason given'}; see {log.location}"
                    )
        if self.spent.refused:
            self.note(f"{self.spent.refused} samples were not asked: {self.spent.limit}; a higher limit lets the run go on")

    def _evaluate(self, tasks: list[Any], model: Model, places: int) -> list[Any]:
        """Let Inspect run its tasks, in an event loop that ends with them, and close the model's connections."""
        from inspect_ai import eval_async
        from inspect_ai.util import display_type

        # The first look at it settles it for the process; otherwise `eval_async` would print to standard output.
        os.environ["INSPECT_DISPLAY"] = "none"
        display_type()

        async def work() -> list[Any]:
            try:
                return await eval_async(
                    tasks,
                    model=model,
                    log_dir=str(self.folder / LOGS),
                    log_level="error",
                    log_model_api=False,
                    log_realtime=False,
                    score_display=False,
                    fail_on_error=True,
                    max_samples=places,
                    max_tasks=4,
                    ctl_server=False,
                )
            finally:
                for one in (model, *self._roles.values()):
                    await one.api.aclose()

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            try:
                return asyncio.run(work())
            except OSError as error:
                if error.errno not in FULL:
                    raise
                raise UserError(f"cannot write to {self.folder / LOGS}: {error.strerror}; make room, run this again") from error
        # A notebook has a loop of its own, in which nothing can be waited for.
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(asyncio.run, work()).result()

    def finish(self) -> list[Record]:
        """Write records.parquet and the last word in run.json; return the records of the plan's cells."""
        result = files.compact(self.journal.records.values(), {c.key: c.base for c in self._known.values()})
        unasked = [r for r in result if r.audit in NOT_ASKED]
        for audit in sorted({r.audit for r in unasked}):
            some = [r for r in unasked if r.audit == audit]
            self.note(f"{len(some)} of {len(result)} samples: {audit} (such as: {some[0].error})")
        files.write(self.folder / files.FILE, result, self.journal.size)
        self._write_run("limit reached" if self.spent.refused else "finished")
        return result

    def _left(self, cell: Cell, n: int) -> list[tuple[int, Item]]:
        """Items of a cell that are still to be asked, with their places among the task's items."""
        least = task_of(cell.task).minimum
        if 0 < cell.length < least:
            self.note(f"{cell}: not asked, for {cell.task} needs {least} tokens or more")
            return []
        finished = self.journal.records
        places = enumerate(items_of(self.plan, cell.task, n)[:n])
        return [(p, i) for p, i in places if not done(finished.get((cell.key, i.id))) and (cell.key, i.id) not in self.failed]

    def _same_prompts(self, cell: Cell, n: int) -> None:
        """Refuse to go on where the same items no longer give the same prompts."""
        known = {record.item: record.sha for record in self.records(cell) if record.sha}
        seen = ((place, item.id) for place, item in enumerate(items_of(self.plan, cell.task, n)) if item.id in known)
        place, item = next(seen, (0, ""))
        if known and (not item or self._build(cell, place).sha != known[item]):
            raise UserError(
                f"{cell}: prompts are no longer built as when the run in {self.folder} began (leadline or its data changed): "
                "start a new run with another --out"
            )

    def _build(self, cell: Cell, place: int) -> Prompt:
        """The prompt of an item, by its place among the task's items."""
        if cell.model not in self.builders:
            self.builders[cell.model] = prompts.builder_of(self.plan, cell.model)
        replies = self.journal.records
        return prompts.build(self.plan, self.builders[cell.model], cell, place, lambda item: replies[cell.key, item].answer)

    @contextlib.contextmanager
    def _model(self, name: str, method: str, role: str = "") -> Iterator[Model]:
        """The model as Inspect asks it, with its method applied for as long as it is used; one in a role is asked greedily."""
        from inspect_ai.model import GenerateConfig, get_model

        from leadline.runs import provider

        plan = self.plan
        greedy = GenerateConfig(temperature=0.0)
        common = (
            greedy
            if role
            else GenerateConfig(temperature=plan.temperature, top_p=plan.top_p, seed=plan.seed if plan.temperature else None)
        )
        if not is_local(name):
            config = common.merge(
                GenerateConfig(
                    max_connections=plan.max_connections,
                    max_retries=plan.max_retries,
                    attempt_timeout=plan.timeout_s,
                    reasoning_tokens=None if role else plan.thinking or None,
                )
            )
            with _user_errors():
                # Inspect logs the address that it is given, and it may hold a password.
                provider.address = (not role and plan.base_url) or None
                model = get_model(f"leadline/{name}", config=config, memoize=False)
            yield model
            return
        with contextlib.ExitStack() as stack:
            engine = self._engine(stack, name, method)
            title = (f"{name} + {method}" if method else name) + (f" as {role}" if role else "")
            provider.engines[title] = engine.generate
            stack.callback(provider.engines.pop, title)
            config = common.merge(GenerateConfig(max_connections=LOCAL_SAMPLES, max_retries=0))
            # A processor gains nothing from great batches, and what is finished is written down sooner from small ones.
            batch = min(engine.batch_tokens, CPU_BATCH) if engine.device.type == "cpu" else engine.batch_tokens
            yield get_model(f"leadline/{title}", config=config, memoize=False, batch_tokens=batch)

    @contextlib.contextmanager
    def _helpers(self, group: Sequence[Cell]) -> Iterator[None]:
        """The models in the roles that some cells' tasks and the pipeline have, for as long as they are used."""
        known = {role for cell in group for role in task_of(cell.task).roles} | {*pipeline_roles(self.plan.pipeline)}
        wanted = known & {*self.plan.roles}
        with contextlib.ExitStack() as stack:
            for role in sorted(wanted):
                self._roles[role] = stack.enter_context(self._model(self.plan.roles[role], "", role))
            try:
                yield
            finally:
                self._roles.clear()

    def _engine(self, stack: contextlib.ExitStack, name: str, method: str) -> Any:
        from leadline.models import local

        plan = self.plan
        engine = local.load(name, dtype=plan.dtype, device=plan.device, trust_remote_code=plan.trust_remote_code)
        if method:
            from leadline.methods._stack import applied

            stack.enter_context(applied(engine, method))
        return engine

    def _inspect_task(self, model: Model, part: Sequence[Cell], todo: Mapping[Cell, Sequence[tuple[int, Item]]]) -> Any:
        """Some cells as one Inspect task, whose samples are references."""
        from inspect_ai import Task
        from inspect_ai.dataset import MemoryDataset, Sample
        from inspect_ai.solver import solver

        from leadline.runs.provider import SCHEME

        work: dict[str, tuple[Cell, Item, int]] = {}
        samples = []
        for cell in part:
            for place, item in todo[cell]:
                name = f"{cell.task}@{cell.length}/{item.id}"
                work[name] = (cell, item, place)
                samples.append(Sample(input=f"{SCHEME}{cell.key}/{item.id}", id=name, metadata={"cell": cell.key}))

        @solver(name="leadline")
        def asking() -> Any:
            async def solve(state: Any, generate: Any) -> Any:
                if self.fault is None:
                    async with self._places:
                        try:
                            state.output = await self._sample(model, *work[str(state.sample_id)]) or state.output
                        # Kept and raised again by `ask`: Inspect would make a log entry of it and go on.
                        except Exception as error:
                            self.fault = self.fault or error
                            raise
                return state

            return solve

        cell = part[0]
        title = str(cell.task) + (f"@{cell.length}" if len(part) == 1 else "")
        return Task(
            dataset=MemoryDataset(samples, name=title),
            solver=asking(),
            name=_file_name(title if len(part) == 1 else "leadline"),
            version=task_of(cell.task).version,
            metadata={"cells": {c.key: str(c) for c in part}},
        )

    async def _sample(self, model: Model, cell: Cell, item: Item, place: int) -> Any:
        """Ask one sample; None where a limit forbids to ask. Whoever comes first asks the turns on whose replies it stands."""
        if not (cell.length and task_of(cell.task).own_history):
            return await self._ask(model, cell, item, place)
        first, output, records = haystack_of(self.plan, cell.task, place).start, None, self.journal.records
        async with self._talks.setdefault((cell.key, first), asyncio.Lock()):
            for at, turn in enumerate(items_of(self.plan, cell.task, place + 1)[first : place + 1], first):
                key = (cell.key, turn.id)
                if key not in self.failed and not done(records.get(key)):
                    try:
                        output = await self._ask(model, cell, turn, at)
                    except TooLong as error:
                        if at == first:
                            raise
                        self._keep(unasked(self.plan, cell, turn, str(error)))
                if key not in records:
                    return None
                if at < place and records[key].stop in ("window", "filter", "error"):
                    why = f"an earlier turn has no reply: {records[key].error}"
                    self._keep(unasked(self.plan, cell, item, why, records[key].stop))
                    return None
        return output

    async def _ask(self, model: Model, cell: Cell, item: Item, place: int) -> Any:
        """Build, ask, score and write down one sample; None where a limit forbids to ask."""
        if self.fault is not None:
            return None
        plan = self.plan
        prompt, task = None, task_of(cell.task)
        if task.grows:
            # It is scored by what it was composed of, and only then is known how long its answer may be.
            prompt = await self._prompt(cell, place)
            item = dataclasses.replace(item, meta=prompt.meta, answer_tokens=prompt.answer_tokens)
        with self.spent.room(cell, item) as allowed:
            if not allowed:
                return None
            try:
                prompt = prompt or await self._prompt(cell, place)
            except TooLong as error:
                if not task.natural:
                    raise
                self._keep(unasked(plan, cell, item, str(error)))
                return None
            asker = Asker(model, plan, cell, prompt, local=is_local(cell.model))
            if plan.pipeline:
                asker.helpers = self._askers(pipeline_roles(plan.pipeline), cell, prompt)
                answer = await catalog.make(plan.pipeline, "pipelines").answer(prompt, asker.ask)
            else:
                answer = await asker.ask(prompt)
            if plan.prices and answer.cost is None and answer.prompt_tokens is not None:
                answer = dataclasses.replace(answer, cost=price(plan, answer.prompt_tokens, answer.output_tokens or 0))
            self._keep(record_of(plan, cell, item, prompt, answer, await self._judged(cell, item, prompt, answer)))
        return asker.output

    async def _prompt(self, cell: Cell, place: int) -> Prompt:
        """A cell's prompt, built beside the loop."""
        return await asyncio.get_running_loop().run_in_executor(self._one_thread, self._build, cell, place)

    async def _judged(self, cell: Cell, item: Item, prompt: Prompt, answer: Answer) -> Score | None:
        """The score that a task gives with the help of other models; None where none was given to it."""
        task = task_of(cell.task)
        askers = self._askers(task.roles, cell, prompt)
        if not askers or answer.stop in ("error", "window", "filter") or not (cell.length or task.knowable(prompt.answers)):
            return None
        return await task.judged(prompt.answers, item, answer, {role: asker.ask for role, asker in askers.items()})

    def _askers(self, roles: Collection[str], cell: Cell, prompt: Prompt) -> dict[str, Asker]:
        """Who is asked in some roles for a sample, as far as somebody was given for them."""
        plan = self.plan
        mine = {role: model for role, model in self._roles.items() if role in roles}
        return {role: Asker(model, plan, cell, prompt, is_local(plan.roles[role]), role) for role, model in mine.items()}

    def _keep(self, record: Record) -> None:
        """Write a finished sample down."""
        self.journal.append(record)
        self.spent.add(record)
        if record.audit == "provider error":
            self.failed.add((record.cell, record.item))
        self._finished += 1
        self.watch(Progress(self._finished, self._total, record))

    def _write_run(self, status: str, why: str = "") -> None:
        """Write run.json in one step."""
        tasks = {str(cell.task): task_of(cell.task) for cell in self._known.values()}
        content = {
            "status": status,
            "why": why,
            "notes": self.notes,
            "plan": self.plan.to_json(),
            "cells": [
                {"key": c.key, "model": c.model, "method": c.method, "task": str(c.task), "length": c.length, "base": c.base}
                for c in self._known.values()
            ],
            "models": {model: identity(self.plan, model) for model in self.plan.models},
            "tasks": {name: {"version": t.version, "data": getattr(t, "revision", "")} for name, t in tasks.items()},
            "versions": _versions(),
            "date": now(),
        }
        path = self.folder / RUN
        part = path.with_name(RUN + ".part")
        try:
            part.write_text(json.dumps(content, indent=1), encoding="utf-8")
            os.replace(part, path)
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror}; make room and run the same command again") from error


def _check_plugins(plan: Plan) -> None:
    """Refuse wrong settings before anything is asked."""
    if plan.pipeline:
        catalog.make(plan.pipeline, "pipelines")
    for method in filter(None, plan.methods):
        from leadline.methods._stack import Stack

        Stack.read(method)


@contextlib.contextmanager
def _user_errors() -> Iterator[None]:
    """Inspect's complaints about a user's set-up as ours."""
    from leadline.runs.replies import one_line

    try:
        yield
    # Each provider has its own way to say that a package, a key or a name is missing.
    except Exception as error:
        raise UserError(one_line(str(getattr(error, "message", error)))) from error


def _file_name(text: str) -> str:
    return "".join(c if c.isalnum() or c in "-@." else "-" for c in text).strip("-")


def _versions() -> dict[str, str]:
    # Only what took part: a run on an endpoint loads no torch.
    took_part = ["inspect_ai", *(name for name in ("torch", "transformers") if name in sys.modules)]
    known = {name: metadata.version(name) for name in took_part}
    return {"leadline": leadline.__version__, "python": platform.python_version()} | known
