"""Joint recall, learnt from nothing by attention and by a state-space model of the same size.

Zhan, Zhao, Zhu, Tang 2025, arXiv:2507.00449 (DeepGraphLearning/HAX, no licence file). Attention is a Llama, the state-space
model a Mamba-2, both transformers' own; both learn from sequences of `leadline.data.joint_recall`, with the loss where a value
is to be said. Differs: tables grow as they are learnt, by one rule for both, so that minutes do in place of the paper's 400,000
steps; and attention is whole, theirs sparse.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, Mamba2Config, Mamba2ForCausalLM

from leadline.catalog import nearest
from leadline.data.joint_recall import BEGIN, FIRST, PAD, sequence, table
from leadline.nouns import UserError
from leadline.scoring.stats import mean_interval

VALUES = PLACES = 16
CONTEXTS = range(FIRST + 2 * PLACES, FIRST + 3 * PLACES)
"""Tokens that name contexts."""
VOCABULARY = 64
ENOUGH = 0.95
"""Accuracy at which a size is learnt, and the next one comes."""
EARLIER = 0.3
"""Share of the steps on sizes that were learnt before."""
KINDS = ("attention", "state-space")


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Sizes of the models, of the tables and of the training."""

    hidden: int
    layers: int
    state: int
    sizes: tuple[tuple[int, int], ...]
    """Contexts and keys of the tables, in the order in which they are learnt."""
    steps: int
    tokens: int
    """Of a step."""
    rate: float = 2e-3
    """Learning rate, the paper's, for both models, after a warm-up."""
    warmup: int = 200
    held_out: int = 128
    """Sequences of each size that nothing is learnt from."""
    device: str = "cpu"


PROFILES = {
    "smoke": Profile(hidden=32, layers=2, state=4, sizes=((1, 2), (2, 2)), steps=12, tokens=512, warmup=4, held_out=16),
    "cpu": Profile(
        hidden=64, layers=4, state=16, steps=1100, tokens=8192,
        sizes=((1, 2), (2, 2), (2, 3), (3, 3), (3, 4), (4, 4), (4, 5), (5, 5), (5, 6), (6, 6), (6, 7), (7, 7)),
    ),
    "paper": Profile(
        hidden=256, layers=4, state=128, steps=400_000, tokens=32_768, warmup=5000, held_out=1000, device="cuda",
        sizes=tuple((c, k) for c in range(5, 17) for k in range(5, 17)),
    ),
}  # fmt: skip


def model(kind: str, profile: Profile, seed: int) -> Any:
    """An untrained model; the two kinds have about the same number of parameters."""
    torch.manual_seed(seed)
    h = profile.hidden
    known: dict[str, Any] = {
        "vocab_size": VOCABULARY, "hidden_size": h, "num_hidden_layers": profile.layers, "tie_word_embeddings": True,
        "bos_token_id": BEGIN, "pad_token_id": PAD, "eos_token_id": None,
    }  # fmt: skip
    if kind == "attention":
        heads = max(2, h // 16)
        return LlamaForCausalLM(LlamaConfig(**known, intermediate_size=h, num_attention_heads=heads, num_key_value_heads=heads))
    return Mamba2ForCausalLM(
        Mamba2Config(**known, expand=2, head_dim=16, num_heads=h // 8, n_groups=1, state_size=profile.state, chunk_size=32)
    )


@dataclass(frozen=True, kw_only=True)
class JointRecall:
    """Trains both on the same sequences and says what each recalls.

    Attributes:
        out: folder for results.json and both models; empty keeps nothing.
        profile: smoke, cpu (a quarter of an hour on one thread) or paper (sizes and steps of the paper, for a GPU).
        seed: of sequences and models.
    """

    out: str = ""
    profile: str = "cpu"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.profile not in PROFILES:
            raise UserError(f"unknown profile {self.profile!r}; {nearest(self.profile, PROFILES)}")

    def run(self) -> Path:
        """Train, measure and write; the folder written to.

        Raises:
            UserError: no folder was named.
        """
        if not self.out:
            raise UserError("joint-recall writes results.json and two models: name a folder with out=")
        folder = Path(self.out)
        folder.mkdir(parents=True, exist_ok=True)
        found = self.measure()
        for kind, one in found.items():
            one.pop("model").save_pretrained(folder / kind)
        done = {"profile": asdict(PROFILES[self.profile]), "seed": self.seed, "torch": torch.__version__, "models": found}
        (folder / "results.json").write_text(json.dumps(done, indent=1) + "\n", encoding="utf-8")
        return folder

    def measure(self) -> dict[str, dict[str, Any]]:
        """Both models trained, by kind.

        Returns:
            Of each: `model`, `parameters`, `state` (numbers that it keeps of a sequence, by size of the table), `accuracy` (by
            size: value, low, high), `learnt` (the step at which each size was), `steps`, `seconds`.
        """
        profile = PROFILES[self.profile]
        kept = {
            size: list(_drawn(size, profile.held_out, f"held out/{self.seed}", set())) for size in dict.fromkeys(profile.sizes)
        }
        known = {tuple(ids) for rows in kept.values() for ids, _ in rows}
        found = {}
        for kind in KINDS:
            made = model(kind, profile, self.seed).to(profile.device)
            begun = time.perf_counter()
            learnt = _train(made, profile, self.seed, known)
            took = time.perf_counter() - begun
            found[kind] = {
                "model": made,
                "parameters": sum(p.numel() for p in made.parameters()),
                "state": {_name(s): _state(made, kind, len(kept[s][0][0])) for s in kept},
                "accuracy": {_name(s): accuracy(made, rows) for s, rows in kept.items()},
                "learnt": {_name(s): step for s, step in learnt.items()},
                "steps": profile.steps,
                "seconds": round(took, 1),
            }
        return found


def _name(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _state(made: Any, kind: str, length: int) -> int:
    """Numbers that a model keeps of a sequence: keys and values of every token, or a state of one size."""
    cfg = made.config
    if kind == "attention":
        return 2 * cfg.num_hidden_layers * cfg.hidden_size * length
    return cfg.num_hidden_layers * cfg.num_heads * cfg.head_dim * cfg.state_size


def _drawn(size: tuple[int, int], n: int, stream: str, known: set[tuple[int, ...]]) -> Iterator[tuple[list[int], list[int]]]:
    """So many sequences of a size that are not known."""
    rng = random.Random(f"joint-recall/{stream}/{size}")
    while n:
        ids, mask = sequence(table(*size, VALUES, rng), rng, places=PLACES)
        if tuple(ids) not in known:
            n -= 1
            yield ids, mask


def _tensors(rows: list[tuple[list[int], list[int]]], device: str) -> tuple[Tensor, Tensor]:
    """Token ids and mask, (rows, tokens) each."""
    ids, mask = (torch.tensor(column, device=device) for column in zip(*rows, strict=True))
    return ids, mask.bool()


def _recalled(made: Any, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Loss [nats], and whether each value asked for is the likeliest (rows, values asked for)."""
    logits = made(input_ids=ids, use_cache=False).logits[:, :-1][mask[:, :-1]]
    wanted = ids[:, 1:][mask[:, :-1]]
    return F.cross_entropy(logits, wanted), (logits.argmax(-1) == wanted).view(len(ids), -1)


def _train(made: Any, profile: Profile, seed: int, known: set[tuple[int, ...]]) -> dict[tuple[int, int], int]:
    """Train in place; the step at which each size was learnt."""
    optimizer = torch.optim.AdamW(made.parameters(), lr=profile.rate, betas=(0.9, 0.99), weight_decay=0.0)
    rng, stage, lately = random.Random(seed), 0, 0.0
    learnt: dict[tuple[int, int], int] = {}
    made.train()
    for step in range(profile.steps):
        for group in optimizer.param_groups:
            group["lr"] = profile.rate * min(1.0, (step + 1) / profile.warmup)
        newest = rng.random() >= EARLIER
        size = profile.sizes[stage if newest else rng.randrange(stage + 1)]
        rows = max(8, profile.tokens // (2 * size[0] * (2 * size[1] + 1) + 2))
        ids, mask = _tensors(list(_drawn(size, rows, f"{seed}/{step}", known)), profile.device)
        loss, right = _recalled(made, ids, mask)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(made.parameters(), 1.0)
        optimizer.step()
        if size == profile.sizes[stage]:
            lately = 0.9 * lately + 0.1 * right.float().mean().item()
        if lately > ENOUGH and size not in learnt:
            learnt[profile.sizes[stage]] = step + 1
            stage, lately = min(stage + 1, len(profile.sizes) - 1), 0.0
    made.eval()
    return learnt


def accuracy(made: Any, rows: list[tuple[list[int], list[int]]], contexts: bool = True) -> dict[str, float]:
    """Share of the values recalled, mean over sequences with its interval.

    Args:
        made: the model.
        rows: ids and masks of sequences of one size.
        contexts: whether they are named; else all are called the same, and no reader can tell them apart.
    """
    ids, mask = _tensors(rows, str(made.device))
    if not contexts:
        ids = torch.where((ids >= CONTEXTS.start) & (ids < CONTEXTS.stop), CONTEXTS.start, ids)
    with torch.no_grad():
        shares = torch.cat(
            [_recalled(made, i, m)[1].float().mean(1) for i, m in zip(ids.split(32), mask.split(32), strict=True)]
        )
    got = mean_interval(shares.tolist())
    return {"value": round(got.value, 4), "low": round(got.low, 4), "high": round(got.high, 4)}


def check(lab: Any) -> Any:
    """Attention learns tables that the state-space model, with as many parameters and steps, does not."""
    study = JointRecall()
    found = study.measure()
    sizes = ["2x2", "4x4", "5x5", "6x6", "7x7"]
    shares = {kind: [one["accuracy"][size] for size in sizes] for kind, one in found.items()}
    rows = list(_drawn((7, 7), 64, "hidden", set()))
    hidden = accuracy(found["attention"]["model"], rows, contexts=False)

    def told(kind: str) -> str:
        values = ", ".join(f"{share['value']:.2f}" for share in shares[kind])
        return f"{kind} ({found[kind]['parameters']:,} parameters) {values}"

    attention, other = shares["attention"], shares["state-space"]
    return lab.finding(
        holds=attention[-1]["low"] >= 0.9
        and other[-1]["high"] < attention[-1]["low"]
        and other[-1]["value"] < other[0]["value"] - 0.1,
        figure=f"recall after {PROFILES[study.profile].steps:,} steps on tables of {', '.join(sizes)}: {told('attention')}; "
        f"{told('state-space')}; chance {1 / VALUES:.2f}",
        control=f"attention with contexts that bear one name {hidden['value']:.2f}",
        control_holds=hidden["low"] >= 0.9,
    )
