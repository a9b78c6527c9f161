"""Tiny random checkpoints of several families, saved as files and loaded as a user's are."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

WORDS = [f"{a}{b}{c}" for a in "bdfgklmnprstvz" for b in "aeiou" for c in ("", "n", "r")]

SIZES = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 512,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
    # Random models of the usual spread say one word for ever; wider ones say something.
    "initializer_range": 0.2,
}


def prose(words: int, seed: int = 0) -> str:
    """Words without sense, with full stops."""
    rng = random.Random(seed)
    return " ".join(rng.choice(WORDS) + ("." if i % 9 == 8 else "") for i in range(words))


def _config(family: str, **changes: object) -> object:
    import transformers as t

    sizes = SIZES | changes
    match family:
        case "llama":
            return t.LlamaConfig(**sizes)
        case "qwen2":
            return t.Qwen2Config(**sizes)
        case "qwen3":
            return t.Qwen3Config(**sizes)
        case "mistral":
            return t.MistralConfig(**sizes, sliding_window=24)
        case "gemma3":
            layers = ["sliding_attention", "sliding_attention", "full_attention"]
            return t.Gemma3TextConfig(**sizes, sliding_window=24, layer_types=layers, query_pre_attn_scalar=16)
        case "phi3":
            return t.Phi3Config(**sizes)
    raise AssertionError(family)


def save_tokenizer(folder: Path) -> int:
    """Train a byte-level BPE on the words, with <bos> in front of prompts; returns its size."""
    import json

    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=["<bos>", "<eos>", "<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([prose(4000)], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 0)])
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>"}
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 512, **names}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return tokenizer.get_vocab_size()


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes a checkpoint of a family: `checkpoint("llama", num_hidden_layers=2)` is a folder."""
    made: dict[str, Path] = {}

    def make(family: str, **changes: object) -> Path:
        import torch
        from transformers import AutoModelForCausalLM

        key = f"{family}{sorted(changes.items())}"
        if key not in made:
            folder = tmp_path_factory.mktemp(family)
            size = save_tokenizer(folder)
            torch.manual_seed(7)
            AutoModelForCausalLM.from_config(_config(family, vocab_size=size, **changes)).save_pretrained(folder)
            made[key] = folder
        return made[key]

    return make


@pytest.fixture(autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes are kept in a folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
