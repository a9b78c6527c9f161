"""Eight questions over one haystack: what sharing its cache saves over asking them apart.

    python benchmarks/prefix.py [MODEL] [--tokens 8192] [--questions 8] [--answer 16]

MODEL is `minnow` or `local/<folder>`; without one, a random model of Llama's shape is made and thrown away. Prints
one JSON document. Exit code 1 where answers differ, or where tokens or time exceed a fifth of asking apart.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import sys
import tempfile
import time
from pathlib import Path

import torch

from leadline.models.batches import Request
from leadline.models.local import LocalModel, load

WORDS = [a + b + c for a in "bdfgklmnprstvz" for b in "aeiou" for c in ("na", "ri", "so")]


def tiny(folder: Path) -> str:
    """Save a random 2-million-parameter model with a word-level tokenizer; returns its spec."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM

    words = ["<pad>", "<bos>", "<eos>", "<unk>", *WORDS]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=5,
        num_attention_heads=6,
        num_key_value_heads=3,
        max_position_embeddings=32_768,
        # A spread at which random models do not say one word for ever.
        initializer_range=0.15,
        bos_token_id=1,
        eos_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return f"local/{folder}"


def prompts(model: LocalModel, tokens: int, questions: int) -> list[str]:
    """Prompts with one head of at least `tokens` tokens, and a question of its own length each."""
    rng = random.Random(0)

    def words(n: int) -> str:
        return " ".join(rng.choice(WORDS) for _ in range(n))

    head = words(tokens // 4)
    while len(model.tokenizer.ids(head)) < tokens:
        head += " " + words(tokens // 16)
    return [f"{head} {words(4 + 3 * i)}" for i in range(questions)]


def measure(model: LocalModel, batches: list[list[Request]]) -> tuple[list[str], int, float]:
    """Answers, prompt tokens computed (padding included) and seconds of asking batch after batch."""
    before, begun = model.prefilled, time.perf_counter()
    answers = [answer for batch in batches for answer in model.generate(batch)]
    seconds = time.perf_counter() - begun
    assert all(answer.stop in {"stop", "length"} for answer in answers), answers
    return [answer.text for answer in answers], model.prefilled - before, seconds


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?")
    parser.add_argument("--tokens", type=int, default=8192)
    parser.add_argument("--questions", type=int, default=8)
    parser.add_argument("--answer", type=int, default=16)
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = load(args.model or tiny(Path(folder)), dtype="float32")
        model.enforce_window = False
        requests = [Request(text, args.answer) for text in prompts(model, args.tokens, args.questions)]
        runs = []
        for _ in range(args.repeat):
            model.forget()
            together = measure(model, [requests])
            model.forget()
            model.share_prefix = False
            apart = measure(model, [[request] for request in requests])
            model.share_prefix = True
            runs.append((together, apart))
    seconds = [sorted(run[way][2] for run in runs)[len(runs) // 2] for way in (0, 1)]
    (said, fed, _), (expected, fed_apart, _) = runs[0]
    figures = {
        "model": args.model or "random Llama, 192 x 5",
        "device": torch.cuda.get_device_name() if model.device.type == "cuda" else platform.machine(),
        "threads": torch.get_num_threads(),
        "head_tokens": args.tokens,
        "questions": args.questions,
        "answer_tokens": args.answer,
        "same_answers": said == expected,
        "distinct_answers": len(set(expected)),
        "prefill_tokens": {"together": fed, "apart": fed_apart, "ratio": round(fed / fed_apart, 4)},
        "seconds": {
            "together": round(seconds[0], 3),
            "apart": round(seconds[1], 3),
            "ratio": round(seconds[0] / seconds[1], 4),
        },
        "seconds_are": f"medians of {args.repeat}",
    }
    print(json.dumps(figures, indent=2))
    holds = said == expected and fed <= fed_apart / 5 and seconds[0] <= seconds[1] / 5
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
