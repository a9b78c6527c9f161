"""One side of `kvpress.py`: measurements on a transformers model, and the peer's answers to them as a process.

Both sides run this very code, ours in leadline's environment and the peer's in its own, so it imports neither: a `Side`
says how its methods are switched on and what their cache holds. Weights and prompts come from a seed in plain Python.

    python _kvpress_side.py      # in the peer's environment: reads a request a line, answers with a line
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import platform
import random
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import transformers
from transformers import DynamicCache, LogitsProcessor, LogitsProcessorList

TINY = {"hidden": 64, "inner": 96, "layers": 4, "heads": 4, "kv_heads": 2, "dim": 16, "vocab": 97}
SMALL = {"hidden": 256, "inner": 512, "layers": 4, "heads": 8, "kv_heads": 2, "dim": 64, "vocab": 1024}

# ------------------------------------------------------------------ weights and prompts, the same everywhere


def config(sizes: dict[str, int]) -> dict[str, Any]:
    """The configuration of a Llama with grouped queries, as both versions of transformers read it."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": sizes["vocab"],
        "hidden_size": sizes["hidden"],
        "intermediate_size": sizes["inner"],
        "num_hidden_layers": sizes["layers"],
        "num_attention_heads": sizes["heads"],
        "num_key_value_heads": sizes["kv_heads"],
        "head_dim": sizes["dim"],
        "max_position_embeddings": 32_768,
        "rms_norm_eps": 1e-6,
        "rope_parameters": {"rope_theta": 10_000.0, "rope_type": "default"},
        "tie_word_embeddings": False,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
        "dtype": "float32",
    }


def weights(sizes: dict[str, int], seed: int) -> dict[str, np.ndarray]:
    """Its weights: uniform, of a spread at which attention chooses; `random.random` is the same in every Python."""
    draw = random.Random(seed).random
    hidden, inner, q, kv = sizes["hidden"], sizes["inner"], sizes["heads"] * sizes["dim"], sizes["kv_heads"] * sizes["dim"]

    def matrix(rows: int, columns: int, gain: float) -> np.ndarray:
        flat = np.fromiter((draw() for _ in range(rows * columns)), np.float64, rows * columns)
        return ((flat - 0.5) * math.sqrt(12) * gain / math.sqrt(columns)).astype(np.float32).reshape(rows, columns)

    made = {"model.embed_tokens.weight": matrix(sizes["vocab"], hidden, math.sqrt(hidden))}
    for i in range(sizes["layers"]):
        at = f"model.layers.{i}."
        made |= {
            at + "self_attn.q_proj.weight": matrix(q, hidden, 1.6),
            at + "self_attn.k_proj.weight": matrix(kv, hidden, 1.6),
            at + "self_attn.v_proj.weight": matrix(kv, hidden, 1.6),
            at + "self_attn.o_proj.weight": matrix(hidden, q, 1.6),
            at + "mlp.gate_proj.weight": matrix(inner, hidden, 1.0),
            at + "mlp.up_proj.weight": matrix(inner, hidden, 1.0),
            at + "mlp.down_proj.weight": matrix(hidden, inner, 1.0),
            at + "input_layernorm.weight": np.ones(hidden, np.float32),
            at + "post_attention_layernorm.weight": np.ones(hidden, np.float32),
        }
    return made | {"model.norm.weight": np.ones(hidden, np.float32), "lm_head.weight": matrix(sizes["vocab"], hidden, 1.0)}


def save(folder: Path, sizes: dict[str, int], seed: int, noise: float = 0.0, again: int = 0) -> Path:
    """Write the model where both sides load it from; with `noise`, weights are off by about such a part of themselves."""
    from safetensors.numpy import save_file

    made = weights(sizes, seed)
    if noise:
        draw = np.random.default_rng(again)
        made = {name: (x * (1 + noise * draw.standard_normal(x.shape))).astype(np.float32) for name, x in made.items()}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(made, str(folder / "model.safetensors"), metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config(sizes)))
    return folder


def words(n: int, vocab: int, seed: int) -> list[int]:
    """Token ids without sense, none of them special."""
    draw = random.Random(seed).random
    return [3 + int(draw() * (vocab - 3)) for _ in range(n)]


def ranges(positions: list[int]) -> str:
    """Ascending positions as `3-10 13 20-24`."""
    out: list[list[int]] = []
    for p in positions:
        if out and p == out[-1][1] + 1:
            out[-1][1] = p
        else:
            out.append([p, p])
    return " ".join(f"{a}-{b}" if b > a else str(a) for a, b in out)


def listed(text: str) -> list[int]:
    """And back."""
    pairs = [part.split("-") for part in text.split()]
    return [p for pair in pairs for p in range(int(pair[0]), int(pair[-1]) + 1)]


# ------------------------------------------------------------------ a side


class Side:
    """A model with one library's methods."""

    model: Any

    def load(self, folder: str) -> None:
        """Load the model, float32, with PyTorch's attention."""
        self.model = transformers.LlamaForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="sdpa"
        ).eval()

    @contextmanager
    def method(self, spec: dict[str, Any], tokens: int):
        """Switch a method on for prompts of so many tokens; yields whatever it keeps beside the cache."""
        raise NotImplementedError
        yield

    def end_prompt(self, cache: Any) -> None:
        """What was put off until the prompt's end happens now."""

    def kept(self, cache: Any, full: list[torch.Tensor]) -> list[list[list[int]]]:
        """Positions held, ascending, of each layer and kv-head of the only row; `full` has all keys of the prompt."""
        raise NotImplementedError

    def aside(self, cache: Any) -> Any:
        """Tensors that the method made for the model, outside the cache."""

    def forward(self, ids: list[int], cache: Any, start: int = 0) -> torch.Tensor:
        """Feed tokens at positions from `start` on; logits (tokens, vocabulary)."""
        pos = torch.arange(start, start + len(ids))[None]
        return self.model(input_ids=torch.tensor([ids]), position_ids=pos, past_key_values=cache, use_cache=True).logits[0]


class Forced(LogitsProcessor):
    """Makes `generate` say given tokens."""

    def __init__(self, prompt: int, rows: list[list[int]]) -> None:
        self.prompt, self.rows = prompt, torch.tensor(rows)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        say = self.rows[:, input_ids.shape[1] - self.prompt]
        return torch.full_like(scores, -torch.inf).scatter(1, say[:, None], 0.0)


def said(side: Side, rows: list[list[int]], forced: list[list[int]], **kwargs: Any) -> Any:
    """Let `generate` read left-padded rows and say given tokens; `.logits` are (batch, steps, vocabulary)."""
    ids, mask = left_padded(rows)
    out = side.model.generate(
        ids,
        attention_mask=mask,
        max_new_tokens=len(forced[0]),
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
        logits_processor=LogitsProcessorList([Forced(ids.shape[1], forced)]),
        output_logits=True,
        return_dict_in_generate=True,
        **kwargs,
    )
    out.logits = torch.stack(out.logits, 1)
    return out


def left_padded(rows: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask (batch, tokens)."""
    width = max(map(len, rows))
    ids = [[0] * (width - len(row)) + row for row in rows]
    return torch.tensor(ids), torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])


def full_keys(side: Side, ids: list[int], eager: bool = False) -> list[torch.Tensor]:
    """Keys (kv_heads, tokens, head_dim) of each layer with no method applied."""
    cache = DynamicCache(config=side.model.config)
    with implementation(side.model, "eager") if eager else ExitStack():
        side.forward(ids, cache)
    return [layer.keys[0] for layer in cache.layers]


@contextmanager
def implementation(model: Any, name: str):
    """Another attention implementation for a while."""
    before = model.config._attn_implementation
    model.set_attn_implementation(name)
    yield
    model.set_attn_implementation(before)


# ------------------------------------------------------------------ what is measured


def select(side: Side, spec: dict[str, Any], ids: list[int]) -> list[list[list[int]]]:
    """What is kept of a prompt."""
    full = full_keys(side, ids, spec["method"] == "observed")
    with side.method(spec, len(ids)):
        cache = DynamicCache(config=side.model.config)
        side.forward(ids, cache)
        side.end_prompt(cache)
        return side.kept(cache, full)


def padded(side: Side, spec: dict[str, Any], rows: list[list[int]], forced: list[list[int]], hand: bool) -> dict[str, float]:
    """What padding changes of the shorter rows: greatest logit error of the tokens after the prompt, over their spread.

    A row alone keeps as many entries as in the batch. Through `generate`; or by hand, each token fed at its place in the
    text and without a mask, which makes all that is left visible.
    """
    width = max(map(len, rows))

    def run(rows: list[list[int]], forced: list[list[int]]) -> torch.Tensor:
        with side.method(spec, max(map(len, rows))):
            return (by_hand if hand else said)(side, rows, forced).logits

    together = run(rows, forced)
    error = spread = 0.0
    for i, row in enumerate(rows):
        if len(row) == width:
            continue
        alone = run([row], [forced[i]])[0]
        # The first logits are those of the prompt itself, which nothing was taken from yet.
        error = max(error, float((together[i, 1:] - alone[1:]).abs().max()))
        spread = max(spread, float(alone[1:].std()))
    return {"error": error, "spread": spread, "relative": error / spread}


def by_hand(side: Side, rows: list[list[int]], forced: list[list[int]]) -> Any:
    """As `said`, by forwards of our own."""
    ids, mask = left_padded(rows)
    pos = (mask.cumsum(-1) - 1).clamp(min=0)
    cache = DynamicCache(config=side.model.config)
    feed = {"past_key_values": cache, "use_cache": True}
    logits = [side.model(input_ids=ids, attention_mask=mask, position_ids=pos, **feed).logits[:, -1]]
    side.end_prompt(cache)
    for i, tokens in enumerate(list(zip(*forced, strict=True))[:-1]):
        at = mask.sum(-1, keepdim=True) + i
        logits.append(side.model(input_ids=torch.tensor(tokens)[:, None], position_ids=at, **feed).logits[:, -1])
    return SimpleNamespace(logits=torch.stack(logits, 1), past_key_values=cache)


def second_turn(side: Side, spec: dict[str, Any], first: list[int], say: list[int], question: list[int]) -> dict[str, Any]:
    """A second `generate` with the cache of the first: tokens fed, and the error of the answer's first logits.

    Against the plain model that hides what was evicted and deletes nothing, each entry at its place in the text.
    """
    fed: list[int] = []
    text = first + say + question
    with side.method(spec, len(first)):
        out = said(side, [first], [say])
        ids = torch.tensor([text])
        hook = side.model.register_forward_pre_hook(lambda m, a, k: fed.append(k["input_ids"].shape[1]), with_kwargs=True)
        try:
            turn = side.model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                past_key_values=out.past_key_values,
                max_new_tokens=1,
                do_sample=False,
                eos_token_id=None,
                pad_token_id=0,
                output_logits=True,
                return_dict_in_generate=True,
            ).logits[0][0]
            problem = ""
        except Exception as error:  # the peer's, to be told in the table
            turn, problem = None, f"{type(error).__name__}: {error}"
        finally:
            hook.remove()
    right, hand = _hidden(side, spec, first, say, question)
    spread = float(right.std())
    return {
        "fed": fed[0] if fed else None,
        "new": len(question) + 1,
        "relative": float((turn - right).abs().max()) / spread if turn is not None else None,
        "by_hand": float((hand - right).abs().max()) / spread,
        "problem": problem,
    }


def _hidden(side: Side, spec: dict[str, Any], first: list[int], say: list[int], question: list[int]) -> Any:
    """The answer's first logits by the plain model with masks, and by the method fed by hand with true positions."""
    eager = spec["method"] == "observed"
    full = full_keys(side, first, eager)
    pieces = [[token] for token in say[:-1]] + [say[-1:] + question]
    states = []
    with side.method(spec, len(first)) as beside:
        cache = DynamicCache(config=side.model.config)
        side.forward(first, cache)
        side.end_prompt(cache)
        at = len(first)
        for piece in pieces:
            states.append(side.kept(cache, full))
            hand = side.forward(piece, cache, at)[-1]
            at += len(piece)
        if getattr(beside, "moves", False):
            # Positions are those in the cache: the same text at once is the reference.
            return side.forward(first + say + question, DynamicCache(config=side.model.config))[-1], hand
    model, masks = side.model, [None] * side.model.config.num_hidden_layers
    groups = model.config.num_attention_heads // model.config.num_key_value_heads
    hooks = [
        layer.self_attn.register_forward_pre_hook(
            lambda m, a, k: (a, k | {"attention_mask": masks[m.layer_idx]}), with_kwargs=True
        )
        for layer in model.model.layers
    ]
    with implementation(model, "eager") if eager else ExitStack():
        cache = DynamicCache(config=model.config)
        # The prompt itself is read whole.
        masks[:] = [_causal(len(first), len(first), None, groups, model.config.num_key_value_heads)] * len(masks)
        side.forward(first, cache)
        at = len(first)
        for piece, state in zip(pieces, states, strict=True):
            total = at + len(piece)
            masks[:] = [_causal(len(piece), total, held, groups, len(held)) for held in state]
            right = side.forward(piece, cache, at)[-1]
            at = total
    for hook in hooks:
        hook.remove()
    return right, hand


def _causal(queries: int, keys: int, held: list[list[int]] | None, groups: int, kv_heads: int) -> torch.Tensor:
    """An additive mask (1, heads, queries, keys) that shows each kv-head what it held, and the new tokens."""
    seen = torch.arange(keys)[None] <= torch.arange(keys - queries, keys)[:, None]
    show = seen.expand(kv_heads, -1, -1).clone()
    if held is not None:
        old = torch.zeros(kv_heads, keys, dtype=torch.bool)
        old[:, keys - queries :] = True
        for head, positions in enumerate(held):
            old[head, positions] = True
        show &= old[:, None]
    bias = torch.zeros(show.shape).masked_fill_(~show, torch.finfo(torch.float32).min)
    return bias.repeat_interleave(groups, 0)[None]


def chunked(side: Side, spec: dict[str, Any], ids: list[int], chunk: int, forced: list[int]) -> dict[str, Any]:
    """`generate` with `prefill_chunk_size`: entries held and what that changes, against the prompt read at once."""
    held, logits, sets = [], [], []
    full = full_keys(side, ids, spec["method"] == "observed")
    for more in ({}, {"prefill_chunk_size": chunk}):
        with side.method(spec, len(ids)):
            cache = said(side, [ids], [forced[:1]], **more).past_key_values
            side.end_prompt(cache)
            # Only in the lowest layer are keys the same whatever was read before.
            sets.append(side.kept(cache, full)[0])
            held.append([lengths(layer) for layer in cache.layers])
            logits.append(said(side, [ids], [forced], **more).logits[0])
    return {
        "at_once": median(held[0]),
        "chunked": median(held[1]),
        "same_lowest": sets[0] == sets[1],
        "relative": float((logits[0] - logits[1]).abs().max() / logits[0].std()),
    }


def windowed(side: Side, spec: dict[str, Any], ids: list[int], after: list[int]) -> dict[str, float]:
    """Of the first and the newest entries that a window has to hold when more was said, the share that it does hold."""
    full = full_keys(side, ids)
    with side.method(spec, len(ids)):
        cache = DynamicCache(config=side.model.config)
        side.forward(ids, cache)
        side.end_prompt(cache)
        for i, token in enumerate(after):
            side.forward([token], cache, len(ids) + i)
        held = side.kept(cache, full)
    total = len(ids) + len(after)
    # The next query is the last of a window, which then has budget - 1 before it.
    due = {*range(spec["start"]), *range(total - (spec["budget"] - spec["start"] - 1), total)}
    return {"share": min(len(due & set(head)) / len(due) for layer in held for head in layer)}


def lengths(layer: Any) -> int:
    """Entries that a cache layer of either side holds of a row and kv-head."""
    return layer.length if hasattr(layer, "tapes") else layer.keys.shape[2]


def tensor_bytes(holder: Any) -> int:
    """Bytes of the storages that an object holds, by leadline's own count; the file stands alone."""
    path = Path(__file__).parents[1] / "src" / "leadline" / "models" / "memory.py"
    spec = importlib.util.spec_from_file_location("memory", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.tensor_bytes(holder)


class Session:
    """A prompt that was read, from which tokens are decoded in blocks."""

    def __init__(self, side: Side, spec: dict[str, Any], ids: list[int]) -> None:
        self.side, self.at = side, len(ids)
        self.stack = ExitStack()
        self.beside = self.stack.enter_context(side.method(spec, len(ids)))
        self.cache = DynamicCache(config=side.model.config)
        start = time.thread_time()
        pos = torch.arange(len(ids))[None]
        out = side.model(
            input_ids=torch.tensor([ids]), position_ids=pos, past_key_values=self.cache, use_cache=True, logits_to_keep=1
        )
        self.prefill = time.thread_time() - start
        self.token = out.logits[:, -1:].argmax(-1)
        side.end_prompt(self.cache)

    def steps(self, count: int) -> list[tuple[float, float]]:
        """Milliseconds of each of so many tokens, of this thread's CPU time (there is no other) and by the clock."""
        spent = []
        for _ in range(count):
            start, cpu = time.perf_counter(), time.thread_time()
            pos = torch.tensor([[self.at]])
            out = self.side.model(
                input_ids=self.token, position_ids=pos, past_key_values=self.cache, use_cache=True, logits_to_keep=1
            )
            self.token = out.logits[:, -1:].argmax(-1)
            spent.append((1e3 * (time.thread_time() - cpu), 1e3 * (time.perf_counter() - start)))
            self.at += 1
        return spent

    def held(self) -> dict[str, int]:
        """Bytes of the cache and of what the method keeps beside it, and entries by layer."""
        return {
            "bytes": tensor_bytes([self.cache, self.beside]),
            "aside": tensor_bytes([self.side.aside(self.cache)]),
            "entries": sum(lengths(layer) for layer in self.cache.layers),
        }

    def close(self) -> None:
        self.stack.close()


# ------------------------------------------------------------------ the peer


class Peer(Side):
    """kvpress."""

    def press(self, spec: dict[str, Any], tokens: int) -> Any:
        import kvpress

        # Its budgets are shares of the prompt, rounded down: half an entry more makes them exact.
        share = 0.0 if spec["budget"] >= tokens else 1 - (spec["budget"] + 0.5) / tokens
        window = {"window_size": spec.get("window"), "kernel_size": spec.get("kernel")}
        match spec["method"]:
            case "plain":
                return None
            case "snapkv":
                made = kvpress.SnapKVPress(share, **window)
            case "pyramid-kv":
                made = kvpress.PyramidKVPress(1 - spec["budget"] / tokens, **window, beta=spec["beta"])
            case "streaming-llm":
                made = kvpress.StreamingLLMPress(share, n_sink=spec["start"])
            case "tova":
                made = kvpress.TOVAPress(share)
            case "knorm":
                made = kvpress.KnormPress(share)
            case "observed":
                made = kvpress.ObservedAttentionPress(share)
            case other:
                raise ValueError(other)
        if spec.get("steady"):
            every = kvpress.DecodingPress(type(made)(), compression_interval=1, target_size=spec["budget"])
            made = kvpress.PrefillDecodingPress(made, every)
        return made

    @contextmanager
    def method(self, spec: dict[str, Any], tokens: int):
        press = self.press(spec, tokens)
        with ExitStack() as stack:
            if spec["method"] == "observed":
                stack.enter_context(implementation(self.model, "eager"))
            if press is not None:
                stack.enter_context(press(self.model))
            yield press

    def kept(self, cache: Any, full: list[torch.Tensor]) -> list[list[list[int]]]:
        found = []
        for layer, keys in zip(cache.layers, full, strict=True):
            heads = []
            for mine, whole in zip(layer.keys[0], keys, strict=True):
                distance, index = torch.cdist(mine, whole, compute_mode="donot_use_mm_for_euclid_dist").min(-1)
                old = distance < 1e-3 * whole.norm(dim=-1).mean()
                later = range(len(whole), len(whole) + int((~old).sum()))
                heads.append(sorted(index[old].tolist() + list(later)))
            found.append(heads)
        return found


def pyramid(spec: dict[str, Any], tokens: int, layers: int) -> list[int]:
    """Entries that the peer's PyramidKV keeps in each layer."""
    press, shape = Peer().press(spec, tokens), SimpleNamespace(num_hidden_layers=layers)
    return [press.get_layer_budget(SimpleNamespace(layer_idx=i, config=shape), tokens) for i in range(layers)]


def versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "torch": torch.__version__, "transformers": transformers.__version__}
    try:
        from importlib.metadata import version

        found["kvpress"] = version("kvpress")
    except Exception:  # ours has none
        pass
    return found | {"threads": str(torch.get_num_threads())}


def answer(side: Side, sessions: dict[str, Session], request: dict[str, Any]) -> Any:
    """Do what a request says."""
    what, given = request["do"], request["with"]
    match what:
        case "versions":
            return versions()
        case "load":
            return side.load(given["folder"])
        case "select":
            return select(side, **given)
        case "padded":
            return padded(side, **given)
        case "second_turn":
            return second_turn(side, **given)
        case "chunked":
            return chunked(side, **given)
        case "windowed":
            return windowed(side, **given)
        case "pyramid":
            return pyramid(**given)
        case "open":
            sessions["now"] = Session(side, **given)
            return {"prefill": sessions["now"].prefill} | sessions["now"].held()
        case "steps":
            return sessions["now"].steps(**given)
        case "held":
            return sessions["now"].held()
        case "close":
            return sessions.pop("now").close()
        case "forget":
            for session in sessions.values():
                session.close()
            return sessions.clear()
    raise ValueError(what)


def serve() -> None:
    """Answer requests until there are none."""
    # `kvpress.py` beside this file is not the peer.
    sys.path.remove(str(Path(__file__).parent))
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    side, sessions = Peer(), {}
    for line in sys.stdin:
        try:
            reply = {"ok": answer(side, sessions, json.loads(line))}
        except Exception as error:  # told to the one that asked
            import traceback

            reply = {"error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}
        out.write(json.dumps(reply) + "\n")
        out.flush()


if __name__ == "__main__":
    serve()
