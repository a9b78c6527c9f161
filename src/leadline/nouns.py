"""The nouns that every room shares: what is asked, what was said, what it was worth.

Plain frozen dataclasses. Knows nothing about tokenizers, models, tasks or files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

SCHEMA = 1
"""Version of the record; raised when a field changes its meaning."""

Audit = Literal[
    "answered",
    "empty",
    "cut off",
    "thinking ran out",
    "format not found",
    "over the window",
    "refused",
    "provider error",
]
"""What became of a sample. Every score carries one."""

OWN_FAULTS: frozenset[str] = frozenset({"empty", "cut off", "thinking ran out", "format not found"})
"""The model's own failures: wrong in the headline score, left out of the other reading."""

NOT_ASKED: frozenset[str] = frozenset({"over the window", "refused", "provider error"})
"""Not the model's doing: never part of a score, always reported."""


MARKS = ("⟦", "⟧")
"""Stand around the evidence itself in `Record.evidence`, so that a reader can highlight it in the text around it."""


class UserError(ValueError):
    """A mistake of the user's: says what came, what is allowed and what to do. Shown without traceback."""


class TooLong(UserError):  # noqa: N818
    """An item that needs more tokens than it was asked for at."""


class Turn(NamedTuple):
    """A question and its answer, as they were said before."""

    question: str
    answer: str
    prefill: str = ""
    """How the answer began, where models are given that; put before `answer` then."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """A question with its evidence, from which a prompt of any length can be built.

    The same item is asked at every length; only the noise around its evidence grows.
    """

    id: str
    """Stable name, unique within the task and seed; changes when the content changes."""
    task: str
    """Spec of the task that made it, as in `needle(needles=4)`."""
    instruction: str
    """Said before the context; the same for all items of a task, so that prompts share a prefix."""
    question: str
    """Said after the context. May hold {number0}, {number1}: see `answers`."""
    turns: tuple[Turn, ...] = ()
    """What was asked and answered over the same context before, first to last; `question` is then said after it."""
    apart: bool = False
    """Whether the context is read on its own, before the question is known, as where requests share it: see `Prompt.turns`."""
    answers: tuple[str, ...]
    """Accepted answers. `{number0}` stands for the number that passage 0 of the evidence got in the layout."""
    evidence: tuple[str, ...] = ()
    """Texts that must be in the context, each in one piece, in this order where `ordered`."""
    distractors: tuple[str, ...] = ()
    """Texts that look like evidence and are not; in the context at every length."""
    noise: str = "prose"
    """Spec of the noise that fills the rest: `prose`, `records`, `passages`, `none`, ..."""
    form: str = "{text}"
    """How one passage is written, as in `Passage {number}:\\n{text}`; plain text runs on without it."""
    ordered: bool = False
    """Whether the evidence keeps its order in the context."""
    depths: tuple[float, ...] = ()
    """Where each piece of the evidence lies [share of the noise], where the task fixes that; a layout's depth moves them
    all with the first, at most to the end. Empty leaves it to the layout."""
    avoid: tuple[str, ...] = ()
    """Strings that no noise may contain, for they would answer the question or contradict it."""
    prefill: str = ""
    """How the answer begins; completion models are given it, chat models are not unless asked."""
    answer_tokens: int = 32
    """Room reserved for the answer [tokens of the tested model]."""
    single_line: bool = True
    """Whether the answer ends with its first line (completion models then stop at a newline)."""
    choices: tuple[str, ...] = ()
    """The labels to choose from, where there are any."""
    cluster: str = ""
    """Name of the document that several items share; statistics resample clusters, not items."""
    hops: int = 1
    """Steps of evidence that depend on one another."""
    meta: Mapping[str, Any] = field(default_factory=dict)
    """What the task's own scorer needs beside the answers (JSON values)."""
    facets: Mapping[str, str] = field(default_factory=dict)
    """What reports break scores down by, as in {"language": "zh", "difficulty": "hard"}; few values each."""


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """An item built to a length for one tokenizer."""

    id: str
    """`task/item@length`, unique in a cell."""
    item: str
    task: str
    length: int
    """The length asked for [tokens]: template, prompt and answer room together."""
    tokens: int
    """What is really used of it, answer room included [tokens]; 0.99 length <= tokens <= length."""
    messages: tuple[Mapping[str, str], ...]
    """Chat messages ({"role", "content"}); the first is the user's and holds the context, the last the question. They are one
    and the same but in a conversation."""
    text: str
    """What the model reads: messages through the template, or plain text, with the prefill."""
    prefill: str
    """The part at the end of `text` that begins the answer ('' where none was given)."""
    answers: tuple[str, ...]
    question: str
    """The question alone, for reports."""
    evidence: tuple[tuple[int, int], ...]
    """Where the evidence lies: character spans of the first message's content."""
    depths: tuple[float, ...]
    """Middle of each evidence span, 0 (start of the context) to 1 (its end)."""
    diffusion: float
    scope: float
    """Difficulty coordinates computed from the layout (diffusion-scope, 0 to 1)."""
    answer_tokens: int
    cluster: str
    sha: str
    """First 16 hex digits of the SHA-256 of `text`."""
    stop: tuple[str, ...] = ()
    """Strings that end the answer of a completion model."""
    shared_chars: int = 0
    """Length of the head of `text` that other prompts over the same haystack share [characters]."""
    turns: tuple[int, ...] = ()
    """Lengths of the heads of `text` that are read as prompts of their own before the rest is known: earlier turns, or the
    context alone [characters]. To a model that keeps all it reads they make no difference; one that evicts does so at each."""
    note: str = ""
    """What a reader should know about how it was built, as that noise had to be repeated."""
    meta: Mapping[str, Any] = field(default_factory=dict)
    """The item's, for scorers elsewhere."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back for a prompt, and what it cost."""

    text: str = ""
    thinking: str = ""
    stop: Literal["stop", "length", "window", "filter", "error"] = "stop"
    """Why it ended: by itself, out of answer room, prompt over the window, refused, failed."""
    error: str = ""
    """One line; empty unless `stop` is window, filter or error."""
    prompt_tokens: int | None = None
    """As the model or provider counted them."""
    output_tokens: int | None = None
    cached_tokens: int | None = None
    """Of the prompt, those read from a cache."""
    seconds: float | None = None
    ttft_s: float | None = None
    """Time to first token [s]."""
    token_s: float | None = None
    """Time per output token after the first [s]."""
    peak_bytes: int | None = None
    """Highest memory beyond the weights while answering [bytes]."""
    cache_bytes: int | None = None
    """Bytes the key-value cache held at the end."""
    cost: float | None = None
    """As billed by the provider [USD]."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """What an answer was worth."""

    value: float | None
    """0 to 1; None where the sample does not count (audit in NOT_ASKED)."""
    audit: Audit
    extracted: str = ""
    """What was taken from the reply as its answer."""
    parts: Mapping[str, float] = field(default_factory=dict)
    """Figures that stand beside the value, as in {"coverage": 0.5, "citation": 0.8}; reports show their means."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One finished sample: a row of the Parquet file from which all statistics and reports are made."""

    schema: int = SCHEMA
    cell: str
    """Key of the cell: hash of everything that could change the answer but the sample itself."""
    model: str
    method: str = ""
    pipeline: str = ""
    task: str
    ability: str = ""
    length: int
    base: bool
    """Whether `length` is one of the base lengths."""
    chance: float = 0.0
    grows: bool = False
    """Whether the task's evidence grows with length (then lengths are not paired)."""
    item: str
    cluster: str
    prompt: str
    """`Prompt.id`; with `sha` the reference by which the prompt is rebuilt."""
    sha: str
    tokens: int
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    depths: tuple[float, ...] = ()
    diffusion: float = 0.0
    scope: float = 0.0
    question: str = ""
    answers: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    """The text around each evidence span, for reading; the span itself stands between MARKS."""
    answer: str = ""
    thinking: str = ""
    extracted: str = ""
    score: float | None
    parts: Mapping[str, float] = field(default_factory=dict)
    """As `Score.parts`."""
    facets: Mapping[str, str] = field(default_factory=dict)
    """As `Item.facets`."""
    levels: Mapping[str, str] = field(default_factory=dict)
    """What the task declares of itself, as in {"diffusion": "middle", "scope": "low"}; the numbers are of the prompt."""
    roles: Mapping[str, str] = field(default_factory=dict)
    """Models that helped to score, by their role: {"judge": "openai/gpt-5"}."""
    audit: str
    stop: str = ""
    error: str = ""
    prior: float | None = None
    """Score of the same question asked without its context, where that was done."""
    seconds: float | None = None
    ttft_s: float | None = None
    token_s: float | None = None
    peak_bytes: int | None = None
    cache_bytes: int | None = None
    cost: float | None = None
    date: str = ""
