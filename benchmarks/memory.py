"""What methods cost on one random model: time to first token, time per token, peak memory and cache bytes, measured.

    python benchmarks/memory.py [--profile cpu|gpu] [--tokens 4096] [--batch 1] [--out FILE]

`cpu` is a model of 21 million parameters on one thread; `gpu` is of the shape of an 8B Llama in bfloat16 and asks 32k and 128k
tokens unless told otherwise. Beside transformers' own cache and attention, in one process, interleaved; ratios are to that.
Random weights: this measures costs, not quality. Prints one JSON document.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import statistics
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM

from leadline import applied
from leadline.models.memory import Peak, ran_out, tensor_bytes

SHAPES = {
    "cpu": {
        "hidden_size": 512,
        "intermediate_size": 1024,
        "num_hidden_layers": 8,
        "num_attention_heads": 8,
        "num_key_value_heads": 2,
    },
    "gpu": {
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
    },
}
METHODS = {
    "transformers": None,
    "kivi(bits=2)": "kivi(bits=2)",
    "snapkv(budget=1024)": "snapkv(budget=1024)",
    "gem-filter(topk=1024)": "gem-filter(topk=1024)",
    "anchor-attention": "anchor-attention",
    "cskv(keys=0.2, values=0.2)": "cskv(keys=0.2, values=0.2)",
}


def made(profile: str, device: str) -> Any:
    torch.manual_seed(0)
    head = {"head_dim": 64 if profile == "cpu" else 128, "vocab_size": 2048 if profile == "cpu" else 128_256}
    config = LlamaConfig(**SHAPES[profile], **head, max_position_embeddings=1 << 20, bos_token_id=0, eos_token_id=None)
    with torch.device(device):
        model = LlamaForCausalLM(config)
    return model.to(torch.float32 if profile == "cpu" else torch.bfloat16).eval()


def measured(model: Any, spec: str | None, ids: torch.Tensor, answer: int, chunk: int) -> dict[str, float]:
    """One prompt, or a batch, fed whole or in chunks, and `answer` tokens one at a time."""
    device = ids.device
    gc.collect()

    def wait() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    whole = spec is not None and any(name in spec for name in ("gem-filter", "anchor", "hydragen"))
    with applied(model, spec) if spec else nullcontext(), torch.no_grad():
        peak, begun = Peak(device), wait()
        cache = DynamicCache(config=model.config)
        size = ids.shape[1] if whole else chunk
        for at in range(0, ids.shape[1], size):
            out = model(ids[:, at : at + size], past_key_values=cache, use_cache=True, logits_to_keep=1)
        token = out.logits[:, -1].argmax(-1, keepdim=True)
        first, prefill_peak = wait() - begun, peak.bytes() or 0
        times = []
        for _ in range(answer):
            begun = wait()
            token = model(token, past_key_values=cache, use_cache=True).logits[:, -1].argmax(-1, keepdim=True)
            times.append(wait() - begun)
        held = tensor_bytes(cache)
    return {
        "ttft_s": first,
        "token_s": statistics.median(times),
        "peak": float(max(prefill_peak, peak.bytes() or 0)),
        "cache": float(held),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--profile", choices=list(SHAPES), default="cpu")
    parser.add_argument("--tokens", type=lambda t: [int(x) for x in t.split(",")])
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--answer", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--chunk", type=int, default=2048)
    parser.add_argument("--out", type=Path)
    told = parser.parse_args()
    device = "cuda" if told.profile == "gpu" else "cpu"
    torch.set_num_threads(1)
    model = made(told.profile, device)
    lengths = told.tokens or ([4096] if told.profile == "cpu" else [32_768, 131_072])
    methods = dict(METHODS)
    if told.batch > 1:
        methods = {"transformers": None, "hydragen": "hydragen"} | methods
    rows: dict[str, dict[str, Any]] = {}
    for tokens in lengths:
        head = torch.randint(3, model.config.vocab_size, (1, tokens - 32), generator=torch.Generator().manual_seed(1))
        tail = torch.randint(3, model.config.vocab_size, (told.batch, 32), generator=torch.Generator().manual_seed(2))
        ids = torch.cat([head.expand(told.batch, -1), tail], 1).to(device)
        found: dict[str, list[dict[str, float]]] = {name: [] for name in methods}
        for _ in range(told.repeats):
            # In turn, so that a busy minute hits all alike.
            for name, spec in methods.items():
                try:
                    found[name].append(measured(model, spec, ids, told.answer, told.chunk))
                except (RuntimeError, MemoryError) as error:
                    if not ran_out(error):
                        raise
                    found[name] = []
                    print(f"{name} at {tokens}: out of memory", file=sys.stderr)
        for name, runs in found.items():
            if runs:
                rows[f"{name} @ {tokens}"] = {k: statistics.median(run[k] for run in runs) for k in runs[0]}
        plain = rows.get(f"transformers @ {tokens}")
        for name in methods:
            row = rows.get(f"{name} @ {tokens}")
            if row and plain:
                row |= {f"{k} ratio": round(row[k] / plain[k], 3) for k in ("ttft_s", "token_s", "peak", "cache") if plain[k]}
    hardware = torch.cuda.get_device_name() if device == "cuda" else f"{platform.machine()} CPU, one thread"
    document = {"hardware": hardware, "torch": torch.__version__, "batch": told.batch, "rows": rows}
    text = json.dumps(document, indent=1)
    print(text)
    if told.out:
        told.out.write_text(text)


if __name__ == "__main__":
    main()
