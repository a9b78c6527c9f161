"""What a plugin's own check is given: the embedded model, tiny random ones, tasks, and a clock.

A plugin's file may hold `check(lab)`, which returns `lab.finding(...)`; it imports nothing for it. Knows nothing of any
plugin.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Any

from leadline import catalog
from leadline.nouns import Prompt

BATCH = 12
"""Samples asked together."""


@dataclass(frozen=True)
class Finding:
    """What a check found."""

    holds: bool | None
    """Whether what the catalogue asks of the system was seen; None where this machine cannot show it."""
    figure: str
    """The figures, in one line."""
    control: str
    """Those of the same measurement on something sabotaged."""
    control_holds: bool
    """Whether the sabotaged one would have passed too: then the check shows nothing."""


@dataclass(frozen=True)
class Seen:
    """What came of asking a model for some prompts."""

    score: float
    """Mean, 0 to 1."""
    low: float
    high: float
    scores: tuple[float, ...]
    cache_bytes: float
    """Median over samples, as the rest."""
    peak_bytes: float
    ttft_s: float
    token_s: float

    def __str__(self) -> str:
        """As in `.96 (.80-.99)`."""
        value, low, high = (f"{x:.2f}".removeprefix("0") for x in (self.score, self.low, self.high))
        return f"{value} ({low}-{high})"


class Lab:
    """A place to check plugins in; what is asked twice is answered once."""

    def __init__(self, device: str = "cpu") -> None:
        """Args: device: as torch spells it."""
        self.device = device
        self.gpu = device != "cpu"
        self._asked: dict[tuple[Any, ...], Seen] = {}

    @staticmethod
    def finding(*, holds: bool | None, figure: str, control: str, control_holds: bool) -> Finding:
        """What a check returns; the fields of `Finding`."""
        return Finding(None if holds is None else bool(holds), figure, control, bool(control_holds))

    @cached_property
    def minnow(self) -> Any:
        """The embedded model, as a `LocalModel` on this lab's device."""
        from leadline.models.local import load

        return load("minnow", device=self.device)

    def tiny(self, seed: int = 5, **sizes: Any) -> Any:
        """A random Llama: 2 layers, 4 heads of 8 channels, 2 kv-heads, vocabulary 97, trained to 64; `sizes` change that."""
        import torch
        from transformers import LlamaConfig, LlamaForCausalLM

        # Random models of the usual spread attend to everything alike; wider ones choose.
        usual: dict[str, Any] = {
            "vocab_size": 97, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
            "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 64, "bos_token_id": 0, "eos_token_id": None,
            "pad_token_id": 2, "initializer_range": 0.3,
        }  # fmt: skip
        torch.manual_seed(seed)
        return LlamaForCausalLM(LlamaConfig(**usual | sizes)).eval().to(self.device)  # pyright: ignore[reportArgumentType]

    def words(self, n: int, seed: int = 0, vocabulary: int = 97) -> list[int]:
        """Token ids without sense."""
        import torch

        return torch.randint(3, vocabulary, (n,), generator=torch.Generator().manual_seed(seed)).tolist()

    @contextmanager
    def applied(self, model: Any, spec: Any) -> Iterator[Any]:
        """Methods on a model, as a spec or made; '' for none. As `leadline.applied`."""
        from leadline.methods._stack import applied

        with applied(model, spec) if spec else nullcontext() as stack:
            yield stack

    def logits(self, model: Any, spec: str, ids: Sequence[int], after: Sequence[int] = ()) -> Any:
        """Logits (1 + tokens after, vocabulary) of a prompt's last token and of the tokens that follow, one at a time."""
        import torch

        outs, cache = [], None
        with self.applied(model, spec), torch.no_grad():
            for piece in (list(ids), *([token] for token in after)):
                out = model(torch.tensor([piece], device=self.device), past_key_values=cache, use_cache=True)
                outs.append(out.logits[0, -1])
                cache = out.past_key_values
        return torch.stack(outs)

    def prompts(
        self, task: str = "needle", length: int = 512, n: int = 24, seed: int = 0, depth: float | None = None
    ) -> list[Prompt]:
        """Prompts of a task for the embedded model."""
        from leadline.data.haystack import Builder, Layout
        from leadline.runs.prompts import build_all

        made = catalog.make(task, "tasks")
        return build_all(Builder(self.minnow.tokenizer, seed=seed), made, n, length, seed, Layout(depth=depth))

    def ids(self, prompt: Prompt) -> tuple[list[int], list[tuple[int, int]]]:
        """Token ids of a prompt, and where its evidence lies among them."""
        from bisect import bisect_left, bisect_right

        at = prompt.text.index(prompt.messages[-1]["content"][:200])
        ids, starts = self.minnow.tokenizer.encode(prompt.text)
        begins = [int(s) for s in starts]
        special = len(self.minnow.tokenizer.ids(prompt.text)) - len(begins)
        spans = [(max(0, bisect_right(begins, at + a) - 1), bisect_left(begins, at + b)) for a, b in prompt.evidence]
        return self.minnow.tokenizer.ids(prompt.text), [(special + a, special + b) for a, b in spans]

    def ask(
        self,
        spec: Any = "",
        task: str = "needle",
        length: int = 512,
        n: int = 24,
        seed: int = 0,
        depth: float | None = None,
        timed: bool = False,
    ) -> Seen:
        """Ask the embedded model under methods.

        Args:
            spec: of the methods, or a method; '' for none.
            task: spec of the task.
            length: of the prompts [tokens].
            n: samples.
            seed: of items and haystacks; the same prompts for all methods.
            depth: where the evidence lies, 0 to 1; None draws it.
            timed: whether samples are asked one by one, so that times and bytes are a sample's own; else in batches.
        """
        key = (spec, task, length, n, seed, depth, timed)
        if key not in self._asked:
            self._asked[key] = self._ask(spec, task, self.prompts(task, length, n, seed, depth), seed, timed)
        return self._asked[key]

    def _ask(self, spec: Any, task: str, prompts: list[Prompt], seed: int, timed: bool) -> Seen:
        from leadline.scoring.stats import mean_interval

        made = catalog.make(task, "tasks")
        items = {item.id: item for item in made.items(len(prompts), seed)}
        requests = [self.request(prompt) for prompt in prompts]
        with self.applied(self.minnow, spec):
            size = 1 if timed else BATCH
            parts = [self.minnow.generate(requests[at : at + size]) for at in range(0, len(requests), size)]
        answers = [answer for part in parts for answer in part]
        scores = [float(made.score(p.answers, items[p.item], a).value or 0) for p, a in zip(prompts, answers, strict=True)]
        got = mean_interval(scores)

        def middle(name: str) -> float:
            return float(median([getattr(a, name) or 0 for a in answers]))

        costs = [middle(name) for name in ("cache_bytes", "peak_bytes", "ttft_s", "token_s")]
        return Seen(got.value, got.low, got.high, tuple(scores), *costs)

    @staticmethod
    def request(prompt: Prompt) -> Any:
        """A prompt as a `LocalModel` is asked it."""
        from leadline.models.batches import Request

        return Request(text=prompt.text, max_tokens=prompt.answer_tokens, stop=prompt.stop, shared_chars=prompt.shared_chars)

    def text(self, tokens: int, n: int, seed: int = 0) -> list[Any]:
        """Generated prose as token ids for the embedded model: n tensors (1, tokens)."""
        import torch

        from leadline.data import prose

        ids = self.minnow.tokenizer.ids(" ".join(prose.sentences(40 + n * tokens // 8, 1_000_003 + seed)))
        assert len(ids) >= n * tokens
        return [torch.tensor([ids[i * tokens : (i + 1) * tokens]], device=self.device) for i in range(n)]

    def loss(self, spec: str, tokens: int, n: int = 4, bucket: int = 512, chunk: int = 512) -> list[float]:
        """How surprised the embedded model is by generated prose, mean of each bucket of its length [nats per token]."""
        import torch

        model = self.minnow.module
        losses = torch.zeros(tokens)
        for ids in self.text(tokens, n, seed=7):
            with self.applied(self.minnow, spec), torch.no_grad():
                cache = self.minnow.make_cache()
                for at in range(0, tokens, chunk):
                    piece = ids[:, at : at + chunk]
                    out = model(piece, past_key_values=cache, use_cache=True).logits[0].log_softmax(-1)
                    after = ids[0, at + 1 : at + 1 + piece.shape[1]]
                    losses[at + 1 : at + 1 + len(after)] -= out[: len(after)].gather(1, after[:, None])[:, 0].cpu() / n
        return [float(losses[max(a, 1) : a + bucket].mean()) for a in range(0, tokens, bucket)]

    def peak(self, work: Callable[[], Any]) -> int:
        """Most memory that some work takes beyond what was held before [bytes]."""
        from leadline.models.memory import Peak

        peak = Peak(self.minnow.device)
        work()
        return peak.bytes() or 0

    def seconds(self, work: Callable[[], Any], repeats: int = 5) -> float:
        """Median wall time of some work, after one run that does not count [s]."""
        import torch

        times = []
        for _ in range(repeats + 1):
            if self.gpu:
                torch.cuda.synchronize()
            begun = time.perf_counter()
            work()
            if self.gpu:
                torch.cuda.synchronize()
            times.append(time.perf_counter() - begun)
        return median(times[1:])
