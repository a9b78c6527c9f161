"""What is to be asked: a plan, its cells, and what they will cost before anything is asked.

Knows nothing of Inspect, torch and how a question travels.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

from leadline import catalog
from leadline.catalog import Spec
from leadline.nouns import UserError

UNITS = {"": 1, "k": 1024, "m": 1024 * 1024}


def parse_length(text: str) -> int:
    """A length in tokens: `512`, `4k` (4,096), `1.5k`, `1m` (1,048,576).

    Raises:
        UserError: it is written otherwise, or is no whole number of tokens above 0.
    """
    m = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([km]?)", text.strip().lower())
    tokens = float(m[1]) * UNITS[m[2]] if m else 0.0
    if not m or tokens < 1 or tokens != int(tokens):
        raise UserError(f"cannot read the length {text!r}: write 512, 4k (4,096 tokens) or 1m")
    return int(tokens)


def parse_lengths(text: str) -> tuple[int, ...]:
    """Several lengths, as in `1k,4k,16k`, in order and each once."""
    return tuple(sorted({parse_length(part) for part in text.split(",") if part.strip()}))


def parse_tasks(text: str) -> tuple[Spec, ...]:
    """Tasks, as in `needle(needles=4),100-longbench`, suites expanded, each once.

    Raises:
        UserError: an unknown task, or one that cannot be read.
    """
    specs = [member for spec in catalog.parse_list(text) for member in catalog.expand(spec, "tasks")]
    return tuple({str(spec): spec for spec in specs}.values())


def is_local(model: str) -> bool:
    """Whether a model runs in this process; all others are endpoints, named as Inspect names them."""
    return model == "minnow" or model.startswith("local/")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything a run is told. Two equal plans ask the same questions in the same way."""

    models: tuple[str, ...]
    """`minnow`, `local/<folder or hub id>`, or an endpoint as Inspect names it."""
    tasks: tuple[Spec, ...]
    lengths: tuple[int, ...]
    """[tokens]"""
    base: tuple[int, ...] = ()
    """Short lengths whose mean score is the base [tokens]."""
    samples: int = 50
    """Per cell."""
    seed: int = 0
    """Of the items, the haystacks, and sampling."""
    methods: tuple[str, ...] = ("",)
    """Method specs, compared on the same samples; '' is the plain model."""
    pipeline: str = ""
    """Spec of the pipeline; '' asks the model itself."""
    roles: Mapping[str, str] = field(default_factory=dict)
    """Models that help tasks to score, by their role: {"judge": "openai/gpt-5"}."""
    temperature: float = 0.0
    top_p: float | None = None
    max_output: int | None = None
    """Room for the answer in place of the task's own [tokens]."""
    thinking: int = 0
    """Room for thinking, on top of `length` and of the answer's room [tokens]."""
    tokenizer: str = ""
    """Of an endpoint's model: a folder, a file or a hub id. Local models bring their own."""
    noise: str | None = None
    """Spec of the noise in place of prose."""
    prefill: Literal["auto", "on", "off"] = "auto"
    questions: int = 1
    """Questions asked over each haystack."""
    depth: float | None = None
    """Where the evidence lies, 0 (start) to 1 (end); None draws it for each item."""
    spread: Literal["random", "even", "clustered"] = "random"
    prior: bool = False
    """Whether each item is also asked without its context."""
    dtype: str = "auto"
    """Of local models."""
    device: str | None = None
    trust_remote_code: bool = False
    base_url: str = ""
    """Of an endpoint, where its environment variable does not say."""
    max_tokens_total: int | None = None
    """Tokens that the run may spend, prompts and answers together; kept by not asking what could pass it."""
    max_cost: float | None = None
    """[USD]; needs `prices`."""
    prices: tuple[float, float] | None = None
    """Of a million prompt tokens and a million output tokens [USD]."""
    max_connections: int = 10
    """Requests to an endpoint at a time."""
    max_retries: int = 5
    """Of a request that failed by the provider's fault."""
    timeout_s: int = 600
    """For one attempt [s]."""

    def __post_init__(self) -> None:
        for name in ("models", "tasks", "lengths", "methods"):
            if not getattr(self, name):
                raise UserError(f"no {name} given: give one or more")
        for name in ("samples", "questions", "max_connections", "timeout_s"):
            if getattr(self, name) < 1:
                raise UserError(f"{name.replace('_', ' ')} must be 1 or more, got {getattr(self, name)}")
        for name in ("thinking", "max_retries"):
            if getattr(self, name) < 0:
                raise UserError(f"{name.replace('_', ' ')} must not be negative, got {getattr(self, name)}")
        if not 0 <= self.temperature <= 2:
            raise UserError(f"temperature must be from 0 to 2, got {self.temperature}")
        if self.max_output is not None and self.max_output < 1:
            raise UserError(f"the room for an answer must be 1 token or more, got {self.max_output}")
        if self.depth is not None and not 0 <= self.depth <= 1:
            raise UserError(f"depth must be from 0 (start of the context) to 1 (its end), got {self.depth}")
        if self.max_cost is not None and self.prices is None:
            raise UserError("a limit on cost needs prices: give those of a million prompt tokens and a million output tokens")
        # One spelling, whatever spaces were typed: it is part of a cell's key and the label of a plot.
        specs = [catalog.parse_list(method, "+") for method in self.methods]
        object.__setattr__(self, "methods", tuple(" + ".join(map(str, stack)) for stack in specs))
        for spec in (spec for stack in specs for spec in stack):
            catalog.find(spec.name, "methods")
        if self.pipeline:
            catalog.find(catalog.parse(self.pipeline).name, "pipelines")
        for model in (*self.models, *self.roles.values()):
            if not is_local(model) and "/" not in model:
                raise UserError(
                    f"unknown model {model!r}: write minnow, local/<folder or hub id>, or an endpoint as Inspect names it, "
                    "such as openai/<model>, anthropic/<model>, vllm/<model> or openai-api/<service>/<model>"
                )
        for model in self.models:
            if not is_local(model) and not self.tokenizer:
                raise _no_tokenizer(model)
            if not is_local(model) and any(self.methods):
                raise UserError(
                    f"methods change the insides of a model, and {model!r} is an endpoint: use local/... or a pipeline"
                )

    def to_json(self) -> dict[str, Any]:
        """The plan as run.json keeps it; a password in the URL is left out."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return values | {"tasks": [str(t) for t in self.tasks], "base_url": without_password(self.base_url)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Plan:
        """The plan that `to_json` wrote."""
        known = {f.name for f in dataclasses.fields(cls)}
        tuples: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k in known}
        tuples["tasks"] = tuple(catalog.parse(t) for t in values["tasks"])
        return cls(**tuples)


def _no_tokenizer(model: str) -> UserError:
    return UserError(f"{model!r} is an endpoint: give its tokenizer with --tokenizer (a folder, a file or a hub id)")


def without_password(url: str) -> str:
    """A URL without what stands before its host and after its path, where keys are."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


@dataclass(frozen=True)
class Cell:
    """One model with one method on one task at one length; `key` tells cells apart whose answers could differ."""

    model: str
    method: str
    task: Spec
    length: int
    """[tokens]; 0 for items asked without their context."""
    base: bool
    key: str = field(repr=False)

    def __str__(self) -> str:
        name = f"{self.model} + {self.method}" if self.method else self.model
        return f"{name}, {self.task}, {self.length or 'no context'}"


@cache
def task_of(spec: Spec) -> Any:
    """The task that a spec names, made once."""
    return catalog.make(spec, "tasks")


def haystack_of(plan: Plan, task: Spec, place: int) -> range:
    """Places of the items that lie in one haystack with that of a place: as the plan says, or the task where it has a say."""
    made = task_of(task)
    if made.together:
        return made.haystack(place, plan.seed)
    first = place // plan.questions * plan.questions
    return range(first, first + plan.questions)


def own_questions(task: Any) -> str:
    """Why the number of questions over a haystack cannot be said for a task that has its own."""
    return f"{task.spec} asks several questions over each context by itself: leave the number of questions out"


@cache
def pipeline_roles(spec: str) -> dict[str, str]:
    """Models that help a pipeline, and what for."""
    return dict(getattr(catalog.make(spec, "pipelines"), "roles", {})) if spec else {}


def _check_shared(plan: Plan) -> None:
    for task in map(task_of, plan.tasks) if plan.questions > 1 else ():
        if task.together:
            raise UserError(own_questions(task))
    growing = [str(task) for task in plan.tasks if task_of(task).grows]
    if plan.questions > 1 and growing:
        raise UserError(f"several questions over one haystack need evidence that does not grow: leave out {', '.join(growing)}")


def _check_needs(plan: Plan) -> None:
    """Refuse roles that no task has, and tasks that cannot be scored without what is not there."""
    from leadline.scoring import sandbox

    made = {str(task): task_of(task) for task in plan.tasks}
    known = {role: what for task in made.values() for role, what in task.roles.items()} | pipeline_roles(plan.pipeline)
    for role in plan.roles:
        if role not in known:
            allowed = ", ".join(f"{name} ({what})" for name, what in known.items()) or "none"
            raise UserError(f"no task and no pipeline asks a model in the role {role!r}; the roles that there are: {allowed}")
    for name, task in made.items():
        missing = [role for role in task.roles if role not in plan.roles]
        if missing and not task.without_roles and len(missing) == len(task.roles):
            told = "; ".join(f"--role {role}=MODEL ({task.roles[role]})" for role in missing)
            raise UserError(f"{name} has no score without a model that helps: give {told}, or leave the task out")
        if task.runs_code:
            sandbox.require(name)


def lengths_of(plan: Plan) -> list[tuple[int, bool]]:
    """Each length of a plan once, with whether it is a base length."""
    return [(length, length in plan.base) for length in sorted({*plan.base, *plan.lengths})]


def cells(plan: Plan, lengths: Iterable[tuple[int, bool]] | None = None) -> list[Cell]:
    """The cells of a plan, for its own lengths or for others.

    Raises:
        UserError: an unknown task, model or tokenizer, or wrong settings.
    """
    _check_shared(plan)
    _check_needs(plan)
    wanted = list(lengths_of(plan) if lengths is None else lengths)
    if plan.prior:
        wanted = [(0, False), *wanted]
    found = [
        Cell(model, method, task, length, base, _key(plan, model, method, task, length))
        for model in plan.models
        for method in plan.methods
        for task in plan.tasks
        for length, base in wanted
    ]
    # `needle` and `needle(needles=1)` are one cell.
    return list({cell.key: cell for cell in reversed(found)}.values())[::-1]


def cell_at(plan: Plan, cell: Cell, length: int) -> Cell:
    """The same model, method and task at another length."""
    key = _key(plan, cell.model, cell.method, cell.task, length)
    return dataclasses.replace(cell, length=length, base=length in plan.base, key=key)


def _key(plan: Plan, model: str, method: str, task: Spec, length: int) -> str:
    made = task_of(task)
    parts = {
        "model": identity(plan, model),
        "method": [method, *_sources(method, "methods", "+"), *_helpers("methods", bool(method))],
        "pipeline": [plan.pipeline, *_sources(plan.pipeline, "pipelines", "+"), *_helpers("pipelines", bool(plan.pipeline))],
        "task": [str(made.spec), made.version, *_sources(str(task), "tasks", "+", own=False)],
        "length": length,
        "noise": plan.noise,
        "haystack": [plan.questions, plan.depth, plan.spread, plan.prefill],
        "roles": {role: plan.roles[role] for role in sorted({*made.roles, *pipeline_roles(plan.pipeline)} & {*plan.roles})},
        "generation": [plan.temperature, plan.top_p, plan.max_output, plan.thinking],
        "seed": plan.seed,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


@cache
def _sources(specs: str, room: str, separator: str, own: bool = True) -> tuple[str, ...]:
    """Hashes of the plugins' files and of files that settings name, as what a method learnt.

    Without `own`, of the plugins' files only those outside the package, which carry no version.
    """
    parsed = catalog.parse_list(specs, separator)
    paths = [catalog.find(spec.name, room).path for spec in parsed]
    chosen = [path for path in paths if own or not path.is_relative_to(catalog.ROOT)]
    named = (Path(value).expanduser() for spec in parsed for value in spec.settings.values() if isinstance(value, str))
    chosen += [path for path in named if path.is_file()]
    return tuple(hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in chosen)


@cache
def _helpers(room: str, asked: bool) -> tuple[str, ...]:
    """Hashes of what the plugins of a room share, where one is asked for."""
    folder = catalog.ROOT / catalog.ROOMS[room]
    paths = sorted({*folder.rglob("_*.py"), folder / "base.py"}) if asked else []
    return tuple(hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in paths)


def identity(plan: Plan, model: str) -> str:
    """What makes a model's answers its own: weights and dtype, or an endpoint's name and address; and its tokenizer."""
    return _identity(model, plan.dtype, plan.tokenizer, plan.base_url)


@cache
def _identity(model: str, dtype: str, tokenizer: str, base_url: str) -> str:
    own = f"{_fingerprint(model)} {dtype}" if is_local(model) else without_password(base_url)
    return f"{model} {own} {tokenizer_of(model, tokenizer).identity}"


def _fingerprint(model: str) -> str:
    from leadline.models import weights

    return weights.fingerprint(weights.locate(model))


@cache
def tokenizer_of(model: str, tokenizer: str) -> Any:
    """The tokenizer of a local model, or the one given for an endpoint, loaded once."""
    from leadline.data.tokens import load_tokenizer

    if not is_local(model):
        if not tokenizer:
            raise _no_tokenizer(model)
        return load_tokenizer(tokenizer)
    from leadline.models import weights

    return load_tokenizer("minnow" if model == "minnow" else str(weights.locate(model)))


@dataclass(frozen=True)
class Estimate:
    """What a cell would cost if it were asked now."""

    cell: Cell
    samples: int
    """Still to be asked."""
    tokens: int
    """Prompts and answers' full room together."""
    cost: float | None
    """[USD]; None where no prices were given."""


def dry_run(plan: Plan, folder: Path | None = None) -> list[Estimate]:
    """What each cell would cost, from above, without asking anything.

    Nothing is built but the first sample of a task that grows: only then is known how long its answers may be.

    Args:
        plan: the plan.
        folder: a run folder whose finished samples are not counted.
    """
    from leadline.runs import journal

    finished = journal.read(folder / journal.FILE)[0] if folder else {}
    estimates = []
    for cell in cells(plan):
        items = items_of(plan, cell.task, plan.samples)[: plan.samples]
        left = [i for i in items if not done(finished.get((cell.key, i.id)))]
        if cell.length and cell.length < task_of(cell.task).minimum:
            left = []
        room = sum((plan.max_output or i.answer_tokens) for i in left)
        if left and cell.length and plan.max_output is None and task_of(cell.task).grows:
            room = max(room, len(left) * _grown(plan, cell))
        # Without context there is little more than the question; its size in characters is surely above its tokens.
        read = cell.length * len(left) - room if cell.length else sum(len(i.question) + len(i.instruction) for i in left)
        written = room + plan.thinking * len(left)
        estimates.append(Estimate(cell, len(left), max(0, read) + written, price(plan, max(0, read), written)))
    return estimates


def _grown(plan: Plan, cell: Cell) -> int:
    """Room for the answer of a growing task's first sample at a length [tokens]."""
    from leadline.runs.prompts import build, builder_of

    return build(plan, builder_of(plan, cell.model), cell, 0).answer_tokens


def price(plan: Plan, read: int, written: int) -> float | None:
    """What tokens cost [USD], None where no prices were given."""
    return (read * plan.prices[0] + written * plan.prices[1]) / 1e6 if plan.prices else None


def done(record: Any) -> bool:
    """Whether a sample need not be asked again: it was answered and scored, or will never be."""
    return record is not None and record.audit != "provider error"


_made: dict[tuple[Spec, int], Sequence[Any]] = {}


def _items(spec: Spec, n: int, seed: int) -> Sequence[Any]:
    """The first n items of a task, made once: a longer list begins with the shorter one."""
    if len(_made.get((spec, seed), ())) < n:
        _made[spec, seed] = task_of(spec).items(n, seed)
    return _made[spec, seed][:n]


def items_of(plan: Plan, task: Spec, n: int) -> Sequence[Any]:
    """The first n items of a task, up to a whole haystack, with the room for the answer that the plan asks for.

    In a conversation with the model's own replies that is the room for the replies to all turns so far.
    """
    whole = _items(task, haystack_of(plan, task, n - 1).stop, plan.seed)
    if plan.max_output is None:
        return whole
    turns = [1 + i - haystack_of(plan, task, i).start if task_of(task).own_history else 1 for i in range(len(whole))]
    return [dataclasses.replace(item, answer_tokens=n * plan.max_output) for item, n in zip(whole, turns, strict=True)]
