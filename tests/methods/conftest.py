"""Tiny random models of eight families, and one way to feed them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

torch = pytest.importorskip("torch")
t = pytest.importorskip("transformers")

SIZES: dict[str, Any] = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 64,
    "bos_token_id": 0,
    "eos_token_id": None,
    "pad_token_id": 2,
    # Random models of the usual spread attend to everything alike; wider ones choose.
    "initializer_range": 0.3,
}


def config(family: str, **changes: Any) -> Any:
    sizes = SIZES | changes
    layers = sizes["num_hidden_layers"]
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
            kinds = [("sliding_attention", "full_attention")[i % 2] for i in range(layers)]
            return t.Gemma3TextConfig(**sizes, sliding_window=12, layer_types=kinds, query_pre_attn_scalar=8)
        case "phi3":
            return t.Phi3Config(**sizes, original_max_position_embeddings=sizes["max_position_embeddings"])
        case "glm4":
            return t.Glm4Config(**sizes, partial_rotary_factor=0.5)
        case "smollm3":
            return t.SmolLM3Config(**sizes, no_rope_layers=[(1, 0)[i % 2] for i in range(layers)])
    raise AssertionError(family)


FAMILIES = ["llama", "qwen2", "qwen3", "mistral", "gemma3", "phi3", "glm4", "smollm3"]


@cache
def _model(family: str, changes: tuple[tuple[str, Any], ...]) -> Any:
    torch.manual_seed(5)
    return t.AutoModelForCausalLM.from_config(config(family, **dict(changes))).eval()


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What methods learn in tests does not go to the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def tiny() -> Callable[..., Any]:
    """A tiny model of a family: `tiny("llama", num_hidden_layers=3)`; the same one at every call."""
    return lambda family, **changes: _model(family, tuple(sorted(changes.items())))


def words(n: int, seed: int = 0) -> list[int]:
    """Token ids without sense."""
    return torch.randint(3, 97, (n,), generator=torch.Generator().manual_seed(seed)).tolist()


def left_padded(rows: list[list[int]]) -> tuple[Any, Any]:
    width = max(map(len, rows))
    ids = torch.tensor([[2] * (width - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    return ids, mask


def feed(
    model: Any, rows: list[list[int]], *, pieces: tuple[int, ...] = (), after: list[list[int]] | None = None, past: Any = None
):
    """Feed prompts, in pieces if said, then one token of `after` at a time.

    Returns:
        Logits (batch, 1 + tokens after, vocabulary) of the prompt's last token and the following ones; the cache; and
        the mask so far, which a further call takes in `past`.
    """
    ids, mask = left_padded(rows)
    cache, before = past or (t.DynamicCache(config=model.config), mask[:, :0])
    mask = torch.cat([before, mask], -1)
    start = before.shape[1]
    outs = []
    cuts = [sum(pieces[:i]) for i in range(1, len(pieces) + 1)] or [ids.shape[1]]
    assert cuts[-1] == ids.shape[1]
    with torch.no_grad():
        at = 0
        for end in cuts:
            out = forward(model, ids[:, at:end], mask[:, : start + end], cache)
            at = end
        outs.append(out[:, -1])
        for step in range(len(after[0]) if after else 0):
            mask = torch.cat([mask, torch.ones_like(mask[:, :1])], -1)
            outs.append(forward(model, torch.tensor([[row[step]] for row in after]), mask, cache)[:, -1])
    return torch.stack(outs, 1), cache, mask


def forward(model: Any, ids: Any, mask: Any, cache: Any) -> Any:
    pos = (mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :]
    return model(input_ids=ids, attention_mask=mask, position_ids=pos, past_key_values=cache, use_cache=True).logits


def generated(model: Any, ids: list[int], new: int = 8, **kwargs: Any) -> list[int]:
    inputs = torch.tensor([ids])
    out = model.generate(inputs, attention_mask=torch.ones_like(inputs), max_new_tokens=new, do_sample=False, **kwargs)
    return out[0, len(ids) :].tolist()
