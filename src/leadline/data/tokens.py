"""Tokenizers and chat templates as the tested model has them, without transformers.

Counts what a model would read, to the token. Knows nothing of prompts, tasks or noise.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
from numpy.typing import NDArray

from leadline.nouns import UserError

FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")
"""All that is read of a checkpoint."""

Starts = NDArray[np.int64]
"""Character at which each token of a text starts, (tokens,)."""

_CHUNK = 32_768
_OVERLAP = 512


@dataclass(frozen=True, eq=False)
class Tokenizer:
    """A tokenizer with its chat template. Made by `load_tokenizer`."""

    name: str
    core: tokenizers.Tokenizer = field(repr=False)
    template: str | None
    """Jinja source of the chat template; None for a model that only completes text."""
    named: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Special tokens by role, as templates ask for them (`bos_token`, ...)."""
    today: datetime | None = None
    """The day that templates are told; None for the real one, with which prompts change from day to day."""

    @cached_property
    def identity(self) -> str:
        """16 hex digits that change when the tokenizer or the template changes."""
        return hashlib.sha256(f"{self.core.to_str()}\0{self.template}".encode()).hexdigest()[:16]

    @cached_property
    def special(self) -> int:
        """Tokens added around a text that no template rendered (BOS, [CLS], ...); a template writes its own."""
        return self.core.num_special_tokens_to_add(False) if self.template is None else 0

    def count(self, text: str) -> int:
        """Tokens of a piece of text, no special tokens added."""
        return self.counts([text])[0]

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each of several texts."""
        if sum(map(len, texts)) < _CHUNK:  # waking the thread pool takes longer
            return [len(self.core.encode(text, add_special_tokens=False)) for text in texts]
        return [len(e) for e in self.core.encode_batch_fast(list(texts), add_special_tokens=False)]

    def encode(self, text: str) -> tuple[NDArray[np.int32], Starts]:
        """Token ids and the character at which each starts, no special tokens added; shapes (tokens,)."""
        coded = self.core.encode(text, add_special_tokens=False)
        return np.array(coded.ids, np.int32), _starts(coded)

    def starts(self, texts: Sequence[str]) -> list[Starts]:
        """Where the tokens of each of several texts start."""
        if sum(map(len, texts)) < _CHUNK:
            return [_starts(self.core.encode(text, add_special_tokens=False)) for text in texts]
        return [_starts(e) for e in self.core.encode_batch(list(texts), add_special_tokens=False)]

    def long_starts(self, text: str) -> Starts:
        """Where the tokens of a long text start: as `encode` has it, but cut into overlapping chunks.

        Chunks keep memory small and use all cores. Neighbours are joined at a token border that both have in the
        middle of their overlap; a text in which there is none is encoded whole.
        """
        if len(text) <= 2 * _CHUNK:
            return self.encode(text)[1]
        places = range(0, len(text) - _OVERLAP, _CHUNK)
        parts = [p + s for p, s in zip(places, self.starts([text[p : p + _CHUNK + _OVERLAP] for p in places]), strict=True)]
        kept, begin = [], 0
        for place, left, right in zip(places[1:], parts, parts[1:], strict=False):
            border = meeting(left, right, place + _OVERLAP // 4, place + 3 * _OVERLAP // 4)
            if border is None:
                return self.encode(text)[1]
            kept.append(left[np.searchsorted(left, begin) : np.searchsorted(left, border)])
            begin = border
        return np.concatenate([*kept, parts[-1][np.searchsorted(parts[-1], begin) :]])

    def ids(self, text: str) -> list[int]:
        """What a model reads for a whole prompt: text that a template rendered as it is, other text with BOS and the like."""
        return self.core.encode_batch_fast([text], add_special_tokens=self.template is None)[0].ids

    def ends(self, text: str) -> Starts:
        """Where each token that `ids` gives for a text ends [characters], (tokens,); 0 for BOS and the like."""
        coded = self.core.encode(text, add_special_tokens=self.template is None)
        return np.fromiter(chain.from_iterable(coded.offsets), np.int64, 2 * len(coded))[1::2]

    def render(self, messages: Sequence[Mapping[str, str]], prefill: str = "") -> str:
        """Chat messages as text, ready for the answer; equal to transformers' `apply_chat_template`.

        Without a template: the contents with blank lines between them, and answers and the prefill on a line of their own.

        Raises:
            UserError: the template does not accept these messages.
        """
        if self.template is None:
            said = ["\n" * (2 - (m["role"] == "assistant")) + m["content"] for m in messages]
            return "".join(said)[2:] + ("\n" + prefill if prefill else "")
        import jinja2

        try:
            text = _compile(self.template).render(
                messages=[dict(m) for m in messages],
                tools=None,
                documents=None,
                add_generation_prompt=True,
                strftime_now=lambda form: (self.today or datetime.now()).strftime(form),
                **self.named,
            )
        except jinja2.TemplateError as error:
            raise UserError(f"the chat template of {self.name} does not accept this: {error}") from error
        return text + prefill


def meeting(left: Starts, right: Starts, low: int, high: int) -> int | None:
    """First place within [low, high] at which a token starts in both tokenisations; None where there is none.

    Left of a common border one of them holds, right of it the other: that is how tokenisations are spliced.
    """
    a = left[np.searchsorted(left, low) : np.searchsorted(left, high, "right")]
    b = right[np.searchsorted(right, low) : np.searchsorted(right, high, "right")]
    common = np.intersect1d(a, b)
    return int(common[0]) if len(common) else None


def _starts(coded: tokenizers.Encoding) -> Starts:
    return np.fromiter(chain.from_iterable(coded.offsets), np.int64, 2 * len(coded))[::2]


@lru_cache(maxsize=16)
def _compile(template: str) -> Any:
    """Compile in a sandbox with the helpers that templates expect; none of them can reach files or Python."""
    import jinja2
    import jinja2.ext
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(jinja2.ext.Extension):
        """`{% generation %}` marks the assistant's part for training; here its content just passes through."""

        tags = {"generation"}

        def parse(self, parser: Any) -> Any:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    def raise_exception(message: str) -> None:
        raise jinja2.TemplateError(message)

    def tojson(value: Any, ensure_ascii: bool = False, **how: Any) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, **how)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols, Generation]
    )
    environment.filters["tojson"] = tojson
    environment.globals.update(raise_exception=raise_exception)
    try:
        return environment.from_string(template)
    except jinja2.TemplateSyntaxError as error:
        raise UserError(f"the chat template cannot be read: {error}") from error


def load_tokenizer(spec: str, today: datetime | None = None) -> Tokenizer:
    """The tokenizer of a checkpoint.

    Args:
        spec: `minnow`, a folder with a tokenizer.json, such a file itself, or a hub id (`owner/name`, `owner/name@revision`).
        today: The day that chat templates are told; None for the real one.

    Raises:
        UserError: there is none, it cannot be reached or cannot be read.
    """
    if spec == "minnow":
        folder = Path(str(resources.files("leadline"))) / "models" / "minnow_weights"
        return _read(folder / "tokenizer.json", spec, today)
    path = Path(spec).expanduser()
    if path.is_file():
        return _read(path, spec, today)
    if path.is_dir():
        return _read(path / "tokenizer.json", spec, today)
    if spec.startswith((".", "/", "~")) or spec.count("/") != 1 or spec.endswith(".json"):
        raise UserError(
            f"there is no tokenizer at {spec!r}: give a folder that holds tokenizer.json, the file itself, "
            "a hub id (owner/name), or minnow"
        )
    return _read(_download(spec) / "tokenizer.json", spec, today)


def _download(spec: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    name, _, revision = spec.partition("@")
    try:
        return Path(snapshot_download(name, revision=revision or None, allow_patterns=list(FILES)))
    except HFValidationError as error:
        raise UserError(f"{spec!r} is neither a path that exists nor a hub id: {error}") from error
    except (HfHubHTTPError, OSError) as error:
        raise UserError(
            f"the tokenizer of {spec!r} could not be fetched ({_line(error)}): check the name, the connection and, for a gated "
            "model, `hf auth login`; or give a folder that holds its tokenizer.json"
        ) from error


def _line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _read(path: Path, name: str, today: datetime | None) -> Tokenizer:
    if not path.is_file():
        raise UserError(
            f"{name!r} has no tokenizer.json ({path}): load it once with transformers' AutoTokenizer and `save_pretrained` it "
            "there"
        )
    try:
        core = tokenizers.Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:  # the Rust side raises plain Exception for whatever is wrong with the file
        raise UserError(f"{path} is not a tokenizer.json that can be read: {_line(error)}") from error
    core.no_truncation()
    core.no_padding()
    config = _json(path.with_name("special_tokens_map.json")) | _json(path.with_name("tokenizer_config.json"))
    known = core.get_added_tokens_decoder()
    keys = ("content", "lstrip", "normalized", "rstrip", "single_word", "special")
    core.add_special_tokens(
        [
            tokenizers.AddedToken(**{k: token[k] for k in keys if k in token})
            for index, token in sorted(config.get("added_tokens_decoder", {}).items(), key=lambda pair: int(pair[0]))
            if int(index) not in known and token.get("special")
        ]
    )
    named = {}
    for key, value in config.items():
        if key.endswith("_token") and value:
            named[key] = value["content"] if isinstance(value, Mapping) else value
    named = {k: v for k, v in named.items() if isinstance(v, str)}
    file = path.with_name("chat_template.jinja")
    template = file.read_text(encoding="utf-8") if file.is_file() else config.get("chat_template")
    if isinstance(template, list):
        template = {t["name"]: t["template"] for t in template}.get("default")
    return Tokenizer(name, core, template, named, today)


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise UserError(f"{path} must hold a JSON object, it holds {type(value).__name__}")
    return value
