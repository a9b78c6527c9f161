"""minnow, the embedded model: trained from nothing on generated text and retrieval work.

Writes a folder that transformers loads: config.json, model.safetensors, tokenizer.json,
tokenizer_config.json, generation_config.json and card.json. `cpu-512` is what the package ships.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import LlamaConfig, LlamaForCausalLM

from leadline.catalog import nearest
from leadline.data import lexicon, phrasings
from leadline.nouns import UserError
from leadline.training import vocabulary
from leadline.training.data.minnow import BUILDERS, mixture
from leadline.training.data.reader import Batch, Reader
from leadline.training.examine import digest, examine
from leadline.training.pretrain import Phase, Plan, train
from leadline.training.priming import prime

FIRST = {"records": 0.42, "needle": 0.22, "link": 0.1, "qa": 0.08, "few-shot": 0.08, "variable": 0.04, "copy": 0.06}
MAIN = {
    "records": 0.27, "needle": 0.23, "needles": 0.03, "link": 0.11, "qa": 0.15, "few-shot": 0.03, "variable": 0.04,
    "count": 0.02, "retrieve": 0.04, "hops": 0.03, "stars": 0.01, "summary": 0.02, "copy": 0.02,
}  # fmt: skip
"""Shares of the kinds of documents, in the first phase and after it."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Sizes of the model and of its training; everything else is the same for all profiles."""

    hidden: int
    layers: int
    inner: int
    head_dim: int
    plan: Plan


def _phases(*lengths: int, rows: int) -> tuple[Phase, ...]:
    ends = {1: (1.0,), 2: (0.2, 1.0), 3: (0.15, 0.4, 1.0)}[len(lengths)]
    return tuple(Phase(length=n, rows=max(1, rows // n), until=end, enough=0.95) for n, end in zip(lengths, ends, strict=True))


PROFILES = {
    "smoke": Profile(
        hidden=128, layers=2, inner=256, head_dim=64, plan=Plan(phases=_phases(128, rows=2048), tokens=1.2e6, minutes=4)
    ),
    "cpu-512": Profile(
        hidden=128, layers=4, inner=256, head_dim=64,
        plan=Plan(phases=_phases(128, 256, 512, rows=2048), tokens=40e6, minutes=52),
    ),
    "gpu": Profile(
        hidden=256, layers=6, inner=640, head_dim=64,
        plan=Plan(phases=_phases(128, 256, 512, rows=65536), tokens=2e9, minutes=25, lr=1.5e-3, learnt=16384, device="cuda"),
    ),
}  # fmt: skip


def samples(seed: int, count: int = 1500) -> Iterator[str]:
    """Documents of every kind from which the vocabulary is taken."""
    reader = Reader(vocabulary.Encoder(vocabulary.build([])))
    rng = random.Random(f"vocabulary/{seed}")
    for build in BUILDERS.values():
        for _ in range(count):
            yield "".join(text for text, _ in build(reader, rng, 700) if text != vocabulary.EOS)


def tokenizer(seed: int = 0) -> Tokenizer:
    """The tokenizer of the lexicon, the wordings and the generators."""
    words = [word for name, value in vars(lexicon).items() if name.isupper() for word in value]
    wordings = [text for kind in phrasings.KINDS.values() for field in vars(kind).values() for text in _texts(field)]
    return vocabulary.build([*samples(seed), *wordings * 3], words=words, least=3)


def _texts(value: str | tuple[str, ...]) -> tuple[str, ...]:
    """A wording, or several, without the names of their slots."""
    return tuple(re.sub(r"\{\w+\}", "", text) for text in ((value,) if isinstance(value, str) else value))


def new_model(profile: Profile, pieces: int, seed: int) -> LlamaForCausalLM:
    """An untrained model with the structured start."""
    config = LlamaConfig(
        vocab_size=pieces, hidden_size=profile.hidden, intermediate_size=profile.inner, num_hidden_layers=profile.layers,
        num_attention_heads=4, num_key_value_heads=2, head_dim=profile.head_dim, tie_word_embeddings=True, rms_norm_eps=1e-6,
        max_position_embeddings=profile.plan.phases[-1].length, rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        bos_token_id=vocabulary.SPECIAL.index(vocabulary.BOS), eos_token_id=vocabulary.SPECIAL.index(vocabulary.EOS),
        pad_token_id=vocabulary.SPECIAL.index(vocabulary.PAD),
    )  # fmt: skip
    torch.manual_seed(seed)
    model = LlamaForCausalLM(config)
    prime(model, seed=seed)
    return model


EXAMINED = ("needle", "records", "link", "needles", "qa", "retrieve", "hops", "variable", "stars", "count", "summary")
"""Kinds that the card tells of at the trained length."""
BEYOND = ("needle", "records", "link")
"""Kinds that it tells of at 2, 4 and 8 times that length too."""
UNSEEN = ("needle", "records", "link", "qa", "retrieve", "variable", "count")
"""Kinds that have wordings kept out of the training."""


@dataclass(frozen=True, kw_only=True)
class Minnow:
    """Trains minnow.

    Attributes:
        out: folder to write to; a training that was interrupted there goes on.
        profile: smoke, cpu-512 or gpu.
        minutes: wall-clock limit in place of the profile's, 0 keeps that [min].
        examined: prompts of each kind and length asked for the card, 0 to 10,000.
        seed: of everything.
    """

    out: str
    profile: str = "cpu-512"
    minutes: float = 0.0
    examined: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        if self.profile not in PROFILES:
            raise UserError(f"unknown profile {self.profile!r}; {nearest(self.profile, PROFILES)}")
        if self.minutes < 0 or not 0 <= self.examined <= 10_000:
            got = f"got {self.minutes} and {self.examined}"
            raise UserError(f"minutes must be at least 0 and examined 0 to 10,000, {got}; leave them out for the usual")

    def run(self) -> Path:
        """Train, write the checkpoint's folder, and the card that says what the model reads."""
        profile = PROFILES[self.profile]
        plan = replace(profile.plan, seed=self.seed, minutes=self.minutes or profile.plan.minutes)
        folder = Path(self.out)
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "tokenizer.json"
        made = Tokenizer.from_file(str(file)) if file.is_file() else tokenizer(self.seed)
        vocabulary.save(made, folder, window=plan.phases[-1].length)
        encode = vocabulary.Encoder(made)
        model = new_model(profile, made.get_vocab_size(), self.seed)

        def batches(rng: random.Random, number: int, phase: Phase) -> Batch:
            early = number == 0 and len(plan.phases) > 1
            reader = Reader(encode, bare=0.5 if early else 0.12, single=0.1 if early else 0.3)
            return reader.batch(rng, mixture(reader, FIRST if number == 0 else MAIN), phase.rows, phase.length, plan.learnt)

        curve = train(model, plan, batches, folder, note=lambda m, _: m.save_pretrained(folder))
        card = {
            "name": "minnow",
            "what": "A measuring instrument: its numbers say how methods behave, not how good any product is.",
            "profile": self.profile,
            "seed": self.seed,
            "commit": _commit(),
            "parameters": sum(p.numel() for p in model.parameters()),
            "pieces": made.get_vocab_size(),
            "window": plan.phases[-1].length,
            "tokens": curve[-1]["tokens"] if curve else 0,
            "seconds": curve[-1]["seconds"] if curve else 0.0,
            "machine": {"device": plan.device, "threads": torch.get_num_threads(), "torch": torch.__version__},
            "sha256": {name: digest(folder / name) for name in ("model.safetensors", "tokenizer.json", "config.json")},
            "examined": self.examine(model, encode, plan.phases[-1].length) if self.examined else [],
            "curve": curve,
        }
        (folder / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
        return folder

    def examine(self, model: LlamaForCausalLM, encode: vocabulary.Encoder, window: int) -> list[dict]:
        """What the model reads by kind, length and wording; fewer prompts where they are long."""
        rows = examine(model, encode, EXAMINED, [window], self.examined)
        rows += examine(model, encode, UNSEEN, [window], self.examined, "unseen")
        for factor in (2, 4, 8):
            rows += examine(model, encode, BEYOND, [window * factor], max(10, self.examined * 2 // factor))
        return rows


def _commit() -> str | None:
    """The commit of the source tree, where it is one."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None if done.returncode == 0 else None
