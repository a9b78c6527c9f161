"""Any causal language model of transformers on this machine, asked many things at once.

`load` finds the checkpoint (`minnow`, `local/<folder or hub id>`); `LocalModel.generate` answers requests in
batches within a token budget, reads shared prefixes once, and says what each answer cost. Knows nothing of
tasks, scores and methods; methods take hold of `module`, `make_cache`, `window` and `share_prefix`.
"""

from __future__ import annotations

import gc
import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadline.data.tokens import Tokenizer, load_tokenizer
from leadline.models.batches import LEAST, Group, Request, Row, batches, common, plan
from leadline.models.weights import fingerprint, locate
from leadline.nouns import Answer, UserError

if TYPE_CHECKING:
    import torch
    from transformers import Cache, PreTrainedModel

    from leadline.models.decode import Writer
    from leadline.models.sessions import Goes

DTYPES = ("auto", "float32", "bfloat16", "float16")


def load(spec: str, *, dtype: str = "auto", device: str | None = None, trust_remote_code: bool = False) -> LocalModel:
    """Load a checkpoint with its tokenizer.

    Args:
        spec: `minnow`, `local/<folder>` or `local/<hub id>[@revision]`.
        dtype: one of DTYPES; `auto` is as stored, and float32 for minnow, whose answers are then the same everywhere.
        device: as torch spells it; a GPU where there is one, if not said.
        trust_remote_code: whether code that comes with the checkpoint may run.

    Raises:
        UserError: torch or transformers are not installed; unknown spec, folder or hub id; no safetensors; a
            checkpoint that does not load; unknown dtype or device.
    """
    try:
        import torch
        import transformers
    except ImportError as error:
        raise UserError(
            f'{spec!r} needs {error.name}, which is not installed: pip install ".[local]" where leadline was cloned'
        ) from error
    if dtype not in DTYPES:
        raise UserError(f"unknown dtype {dtype!r}; there are: {', '.join(DTYPES)}")
    try:
        place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.empty(1, device=place)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"cannot use device {device!r}: {str(error).splitlines()[0]}") from error
    folder = locate(spec, code=trust_remote_code)
    tokenizer = load_tokenizer("minnow" if spec == "minnow" else str(folder))
    stored = "float32" if spec == "minnow" and dtype == "auto" else dtype
    try:
        loaded: Any = transformers.AutoModelForCausalLM.from_pretrained(
            folder,
            dtype="auto" if stored == "auto" else getattr(torch, stored),
            use_safetensors=True,
            trust_remote_code=trust_remote_code,
            local_files_only=True,
            output_loading_info=True,
        )
        module, report = loaded
        module = module.to(place).eval()
    # transformers and safetensors raise all of these, and others derived from them, for broken checkpoints.
    except Exception as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"cannot load {spec!r} with transformers {transformers.__version__}: {first}") from error
    if missing := sorted(report["missing_keys"]):
        raise UserError(
            f"{spec!r} lacks {len(missing)} of its weights, such as {missing[0]}: it is incomplete or of another kind"
        )
    return LocalModel(spec, folder, module, tokenizer)


class LocalModel:
    """A causal language model with its tokenizer. `generate` may be called from any thread; calls wait for one another."""

    def __init__(self, spec: str, folder: Path, module: PreTrainedModel, tokenizer: Tokenizer) -> None:
        import torch

        from leadline.models import memory
        from leadline.models.decode import Loop
        from leadline.models.sessions import Sessions

        self.spec, self.folder, self.module, self.tokenizer = spec, folder, module, tokenizer
        self.config = module.config.get_text_config(decoder=True)
        self.window: int | None = _window(self.config)
        """Longest prompt with its answer that the model was made for [tokens]; None if it has no limit."""
        self.enforce_window = spec != "minnow"
        """Whether longer prompts are refused; minnow is there to be asked beyond its window."""
        self.share_prefix = True
        """Whether prompts with the same head share its cache; only ever done with caches that `caches.fork` knows."""
        self.make_cache: Callable[[], Cache] = self._plain_cache
        """Makes an empty cache; a method puts its own here, and calls `forget` when it comes and goes."""
        self.chunk_tokens = 8192
        """Prompt tokens fed at once, all rows of a batch together."""
        self.batch_tokens = int(
            min(131_072, max(1, memory.free_bytes(self.device) // 2 // _token_bytes(self.config, self.dtype)))
        )
        """Most tokens in a batch, padding and answer room included; by default what half of the free memory can hold."""
        self.loop = Loop(module, self.chunk_tokens)
        self._ends = _end_ids(module)
        self._special = {t.content: i for i, t in tokenizer.core.get_added_tokens_decoder().items() if t.special}
        self._kept: tuple[list[int], Cache] | None = None
        self._sessions = Sessions()
        self._lock = threading.Lock()
        # The first forward of a process loads kernels; no answer's time and memory should hold that.
        with torch.no_grad():
            module(input_ids=torch.zeros(1, 1, dtype=torch.long, device=self.device), use_cache=False)

    @property
    def device(self) -> torch.device:
        """Where the prompts go."""
        return self.module.device

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights."""
        return self.module.dtype

    @cached_property
    def identity(self) -> str:
        """Hash of weights, configuration and dtype, 16 hex digits; the tokenizer has its own."""
        return hashlib.sha256(f"{fingerprint(self.folder)} {self.dtype}".encode()).hexdigest()[:16]

    @property
    def prefilled(self) -> int:
        """Prompt tokens computed since loading, padding included."""
        return self.loop.fed

    def forget(self) -> None:
        """Drop the kept prefix, so that the next prompts are read from their start."""
        self._kept = None
        self._sessions.forget()

    def generate(self, requests: Sequence[Request]) -> list[Answer]:
        """Answer requests, in their order.

        Greedy answers in float32 do not depend on what else is asked. Times are wall time since the request's
        batch began, so they hold what its neighbours cost; ask one by one to time one by one. `peak_bytes` and
        `cache_bytes` are the batch's, divided evenly among its rows.

        Raises:
            UserError: no room for an answer, a negative temperature, an empty prompt or stop string.
        """
        from leadline.models.decode import check

        rows = [Row(i, request, self.tokenizer.ids(request.text)) for i, request in enumerate(requests)]
        embeddings: Any = self.module.get_input_embeddings()
        for row in rows:
            check(row, embeddings.num_embeddings)
        answers: dict[int, Answer] = {}
        asked = []
        for row in rows:
            if self.enforce_window and self.window and len(row.ids) + row.request.max_tokens > self.window:
                over = f"{len(row.ids)} prompt tokens and room for {row.request.max_tokens} exceed the window of {self.window}"
                answers[row.index] = Answer(stop="window", error=over, prompt_tokens=len(row.ids))
            else:
                asked.append(row)
        with self._lock:
            asked, talks = self._talks(asked)
            for one in talks:
                answers.update(self._attempt([one.row], 0, one))
            for group in self._plan(asked):
                for batch in batches(group.rows, self.batch_tokens):
                    answers.update(self._attempt(batch, group.prefix))
        return [answers[i] for i in range(len(rows))]

    def _plain_cache(self) -> Cache:
        from leadline.models import caches

        return caches.plain(self.module.config)

    def _talks(self, rows: list[Row]) -> tuple[list[Row], list[Goes]]:
        """Part the rows that are read at once from those read in several goes, where that makes a difference."""
        from leadline.models import caches, sessions

        # The first turn of a conversation is an ordinary prompt, but for that all of it is gone on from.
        talks = [row for row in rows if row.request.turns or row.request.shared_chars == len(row.request.text)]
        if not talks or not self.loop.continues or caches.shareable(self.make_cache()):
            return rows, []
        rest = [row for row in rows if row not in talks]
        return rest, sessions.order([sessions.goes(row, self.tokenizer.ends) for row in talks])

    def _plan(self, rows: list[Row]) -> list[Group]:
        from leadline.models import caches

        if not self.share_prefix or not caches.shareable(self.make_cache()):
            return [Group(0, tuple(rows))] if rows else []
        groups = plan(rows, self._kept[0] if self._kept else ())
        # One prompt that shares nothing yet may say that others will follow: its head is kept for them.
        hinted = [row for group in groups if not group.prefix for row in group.rows if row.request.shared_chars]
        if hinted:
            row = max(hinted, key=lambda row: row.request.shared_chars)
            head = common(self.tokenizer.ids(row.request.text[: row.request.shared_chars]), row.ids[:-1])
            if head >= LEAST:
                groups = [g if g.prefix else Group(0, tuple(r for r in g.rows if r is not row)) for g in groups]
                groups = [g for g in groups if g.rows] + [Group(head, (row,))]
        return groups

    def _attempt(self, rows: list[Row], prefix: int, talk: Goes | None = None) -> dict[int, Answer]:
        """Answer a batch; where memory runs out, first without what was kept, then in halves."""
        from leadline.models import memory

        try:
            return self._answer(rows, prefix, talk)
        except (RuntimeError, MemoryError) as error:
            if not memory.ran_out(error):
                raise
            problem = f"out of memory: {str(error).splitlines()[0]}"
        # Outside the handler, whose traceback holds the batch's tensors.
        self._free()
        if len(rows) > 1:
            half = len(rows) // 2
            return self._attempt(rows[:half], prefix) | self._attempt(rows[half:], prefix)
        if prefix:
            return self._attempt(rows, 0)
        if talk is not None and talk.kept:
            return self._attempt(rows, 0, replace(talk, kept=0))
        return {rows[0].index: Answer(stop="error", error=problem, prompt_tokens=len(rows[0].ids))}

    def _free(self) -> None:
        import torch

        self.forget()
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _answer(self, rows: list[Row], prefix: int, talk: Goes | None = None) -> dict[int, Answer]:
        import torch

        from leadline.models import caches, memory
        from leadline.models.decode import Writer

        self.loop.chunk = self.chunk_tokens
        head = rows[0].ids[:prefix]
        warm = bool(prefix and self._kept and self._kept[0][:prefix] == head)
        held = memory.tensor_bytes(self._kept[1]) if warm and self._kept else 0
        held += memory.tensor_bytes(self._sessions.cache) if talk is not None else 0
        if prefix and not warm:
            self.forget()
        peak = memory.Peak(self.device)
        begun = time.perf_counter()
        length = max(len(row.ids) for row in rows)
        pads = [length - len(row.ids) for row in rows]
        with torch.no_grad():
            if talk is not None:
                logits, cache, there = self._sessions.read(talk, self.loop, self.make_cache, self.share_prefix)
                writers = [Writer(talk.row, self._row_ends(talk.row), self._decode, there)]
                self.loop.decode(logits, length, [0], cache, writers)
                return self._costed(writers, cache, begun, peak, held)
            cache = self.make_cache()
            if prefix:
                source = self._kept[1] if warm and self._kept else self._read(head)
                cache = caches.fork(source, prefix, pads, cache, spare=length - prefix + caches.STEP)
            ids = torch.tensor([[0] * pad + row.ids for pad, row in zip(pads, rows, strict=True)], device=self.device)
            writers = [
                Writer(row, self._row_ends(row), self._decode, max(0, prefix - pad))
                for pad, row in zip(pads, rows, strict=True)
            ]
            if prefix and not warm:
                # Someone has to pay for reading the head.
                writers[0].cached = 0
            logits = self.loop.prefill(ids, pads, cache)
            self.loop.decode(logits, length, pads, cache, writers)
        return self._costed(writers, cache, begun, peak, held)

    def _costed(self, writers: list[Writer], cache: Cache, begun: float, peak: Any, held: int) -> dict[int, Answer]:
        """The answers with what they cost."""
        from leadline.models import memory

        share, top = len(writers), peak.bytes()
        costs = {
            "peak_bytes": None if top is None else (top + held) // share,
            "cache_bytes": memory.tensor_bytes(cache) // share,
        }
        return {writer.row.index: _answer(writer, begun, costs) for writer in writers}

    def _read(self, head: list[int]) -> Cache:
        """Read a prefix and keep its cache."""
        import torch

        from leadline.models import caches

        cache = caches.whole(self.make_cache())
        self.loop.prefill(torch.tensor([head], device=self.device), [0], cache)
        self._kept = (head, cache)
        return cache

    def _row_ends(self, row: Row) -> frozenset[int]:
        """The model's end tokens, and special tokens among the stop strings: decoded text does not show those."""
        return self._ends | {self._special[s] for s in row.request.stop if s in self._special}

    def _decode(self, ids: list[int]) -> str:
        return self.tokenizer.core.decode(ids, skip_special_tokens=True)


def _answer(writer: Writer, begun: float, costs: dict[str, Any]) -> Answer:
    if writer.error:
        return Answer(stop="error", error=writer.error, prompt_tokens=len(writer.row.ids))
    first, last = writer.times
    return Answer(
        text=writer.text,
        stop="stop" if writer.stop == "stop" else "length",
        prompt_tokens=len(writer.row.ids),
        output_tokens=writer.taken,
        cached_tokens=writer.cached,
        seconds=last - begun,
        ttft_s=first - begun,
        token_s=(last - first) / (writer.taken - 1) if writer.taken > 1 else None,
        **costs,
    )


def _window(config: Any) -> int | None:
    """The window that a configuration states: as trained if it says so, as stretched by its RoPE scaling otherwise."""
    stated = getattr(config, "trained_window", None) or getattr(config, "max_position_embeddings", None)
    rope = getattr(config, "rope_parameters", None) or {}
    # Some configurations state the window before scaling (Qwen's YaRN), some after (Llama 3.1).
    stretched = (rope.get("original_max_position_embeddings") or 0) * (rope.get("factor") or 1)
    return int(max(stated, stretched)) if stated else None


def _end_ids(module: PreTrainedModel) -> frozenset[int]:
    """Every token id that ends an answer."""
    for config in (module.generation_config, module.config.get_text_config(decoder=True)):
        ids = getattr(config, "eos_token_id", None)
        if ids is not None:
            return frozenset(ids if isinstance(ids, list | tuple) else [ids])
    return frozenset()


def _token_bytes(config: Any, dtype: torch.dtype) -> int:
    """Bytes that one token takes in a full cache; 1 where the configuration does not say."""
    heads = getattr(config, "num_attention_heads", None) or 1
    width = getattr(config, "head_dim", None) or getattr(config, "hidden_size", 1) // heads
    kv_heads = getattr(config, "num_key_value_heads", None) or heads
    return max(1, 2 * getattr(config, "num_hidden_layers", 1) * kv_heads * width * dtype.itemsize)
