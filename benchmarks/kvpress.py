"""Cache eviction beside NVIDIA's kvpress: what is kept, padding, second turns, chunks, bytes and time, in one run.

Both sides load the same weights (random Llamas made from a seed, and minnow) and get the same prompts and budgets, one
thread each; the peer answers from a process of its own environment, which runs the same measurements
(`_kvpress_side.py`). Times are taken in turns, a block of tokens on this side and one on that; their ratios are the
figures to keep. Every difference in what is kept is told with its cause, checked by computing the peer's rule.

    python -m venv PEER && PEER/bin/pip install "kvpress==0.5.5" "transformers==5.2.0" torch
    python benchmarks/kvpress.py --peer PEER/bin/python
    python benchmarks/kvpress.py --peer PEER/bin/python --record tests/methods/kvpress_selections.json
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from types import SimpleNamespace
from typing import Any

import torch
import transformers

from leadline import applied
from leadline.models.seams.store import end_prompt

sys.path.insert(0, str(Path(__file__).parent))
import _kvpress_side as sides

MINNOW = Path(__file__).parents[1] / "src" / "leadline" / "models" / "minnow_weights"
SNAPKV = {"method": "snapkv", "budget": 64, "window": 8, "kernel": 5}
PYRAMID = {"method": "pyramid-kv", "budget": 64, "window": 8, "kernel": 5, "beta": 4}
STREAMING = {"method": "streaming-llm", "budget": 64, "start": 4}
TOVA = {"method": "tova", "budget": 64}
OBSERVED = {"method": "observed", "budget": 64}
KNORM = {"method": "knorm", "budget": 64}
METHODS = [SNAPKV, PYRAMID, STREAMING, TOVA, OBSERVED, KNORM]
SETTINGS = [
    SNAPKV,
    {"method": "snapkv", "budget": 41, "window": 16, "kernel": 7},
    {"method": "snapkv", "budget": 90, "window": 1, "kernel": 1},
    PYRAMID,
    {"method": "pyramid-kv", "budget": 60, "window": 4, "kernel": 3, "beta": 10},
    STREAMING,
    {"method": "streaming-llm", "budget": 33, "start": 0},
    TOVA,
    {"method": "tova", "budget": 12},
    OBSERVED,
    KNORM,
]
RECORDED = [(spec, 200, 11) for spec in SETTINGS if spec is not KNORM]
"""Settings, tokens and seed of the prompts that the test suite checks without the peer: `tests/methods/test_kvpress.py`."""
PROMPTS = [(200, 11), (163, 12), (251, 13)]
"""Tokens and seed of the prompts whose selections are compared."""


def stack(spec: dict[str, Any]) -> str | None:
    """Our methods with the settings that equal the peer's; None where we have none."""
    budget = spec["budget"]
    match spec["method"]:
        case "plain":
            return ""
        case "snapkv":
            return f"snapkv(budget={budget}, window={spec['window']}, kernel={spec['kernel']})"
        case "pyramid-kv":
            return (
                f"pyramid-kv(budget={budget}, window={spec['window']}, kernel={spec['kernel']}, pooling=average, "
                f"beta={steepness(spec)})"
            )
        case "streaming-llm":
            # Ours counts the next query among the recent ones.
            return f"streaming-llm(start={spec['start']}, recent={budget - spec['start'] + 1})"
        case "tova":
            return f"tova(budget={budget})"
        case "observed":
            return f"h2o(budget={budget}, recent=0)"
    return None


def steepness(spec: dict[str, Any]) -> int:
    """The beta of ours that gives the peer's pyramid: its formula counts the window among what layers share out."""
    budget, window = spec["budget"], spec["window"]
    low = budget / spec["beta"]
    if low < window:
        raise ValueError("the peer falls back to the same budget for all layers")
    beta = (budget - window) / (low - window)
    if beta != int(beta):
        raise ValueError(f"no whole beta of ours gives that pyramid: {beta}")
    return int(beta)


class Ours(sides.Side):
    """leadline."""

    @contextmanager
    def method(self, spec: dict[str, Any], tokens: int):
        """Ours, applied."""
        methods = stack(spec)
        if not methods:
            yield SimpleNamespace(moves=False)
            return
        with applied(self.model, methods) as made:
            yield SimpleNamespace(moves=made.plan.positions is not None)

    def end_prompt(self, cache: Any) -> None:
        """What was put off until the prompt's end happens now."""
        end_prompt(cache)

    def aside(self, cache: Any) -> Any:
        """Tables of cosines and sines, of methods that turn keys when they are read."""
        stores = [layer.layer for layer in cache.layers if hasattr(layer, "tapes")]
        return [vars(layer.turn) for layer in stores if layer.turn is not None]

    def kept(self, cache: Any, full: list[torch.Tensor]) -> list[list[list[int]]]:
        """Positions held."""
        heads = self.model.config.num_key_value_heads
        return [layer.pos[0].expand(heads, -1).tolist() for layer in cache.layers]


class Remote:
    """The peer's side, in a process of its environment."""

    def __init__(self, python: str) -> None:
        pinned = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}
        self.process = subprocess.Popen(
            [python, str(Path(sides.__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | pinned,
            text=True,
        )

    def ask(self, what: str, **given: Any) -> Any:
        """What the measurement gives.

        Raises:
            RuntimeError: what the peer raised.
        """
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps({"do": what, "with": given}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit("the peer's process ended; what it said stands above")
        reply = json.loads(line)
        if "error" in reply:
            raise RuntimeError(reply["error"])
        return reply["ok"]


class Local:
    """Our side, asked the same way."""

    def __init__(self) -> None:
        self.side, self.sessions = Ours(), {}

    def ask(self, what: str, **given: Any) -> Any:
        """What the measurement gives."""
        return sides.answer(self.side, self.sessions, {"do": what, "with": given})


def tried(side: Any, what: str, **given: Any) -> Any:
    """What a measurement gives, or the failure as text."""
    try:
        return side.ask(what, **given)
    except RuntimeError as error:
        side.ask("forget")
        return str(error)


# ------------------------------------------------------------------ what is kept


def sums(side: Ours, ids: list[int]) -> torch.Tensor:
    """Attention that each entry of a prompt got (layers, kv_heads, tokens), summed over queries and heads."""
    with applied(side.model, f"h2o(budget={len(ids)}, recent=0)"):
        cache = transformers.DynamicCache(config=side.model.config)
        side.forward(ids, cache)
        return torch.stack([layer.notes["h2o"][0] for layer in cache.layers])


def cause(side: Ours, spec: dict[str, Any], ids: list[int], mine: list[list[list[int]]], theirs: list[list[list[int]]]) -> str:
    """Why selections differ, if computing the peer's rule shows it; else `unexplained`."""
    pairs = [(a, b) for x, y in zip(mine, theirs, strict=True) for a, b in zip(x, y, strict=True) if a != b]
    last = len(ids) - 1
    if spec["method"] == "tova" and all(last in b and last not in a and len(set(a) - set(b)) == 1 for a, b in pairs):
        return "always keeps the last token"
    if spec["method"] == "observed":
        mean = sums(side, ids) / torch.arange(len(ids), 0, -1)
        top = mean.topk(spec["budget"]).indices.sort(-1).values.tolist()
        return "divides each sum by the queries that could see the entry" if top == theirs else "unexplained"
    return "unexplained"


def selections(ours: Local, peer: Remote, name: str, prompts: list[list[int]], methods: list[dict[str, Any]]) -> list[str]:
    """Rows of the table of what is kept."""
    rows = []
    for spec in methods:
        equal = total = shared = 0
        causes = set()
        for ids in prompts:
            theirs = peer.ask("select", spec=spec, ids=ids)
            if stack(spec) is None:
                continue
            mine = ours.ask("select", spec=spec, ids=ids)
            pairs = [(set(a), set(b)) for x, y in zip(mine, theirs, strict=True) for a, b in zip(x, y, strict=True)]
            equal += sum(a == b for a, b in pairs)
            shared += sum(len(a & b) / len(b) for a, b in pairs)
            total += len(pairs)
            if mine != theirs:
                causes.add(cause(ours.side, spec, ids, mine, theirs))
        told = f"{equal} of {total} | {100 * shared / total:.1f} %" if total else "not ours | -"
        rows.append(f"| {name} | {spec_text(spec)} | `{stack(spec) or '-'}` | {told} | {'; '.join(sorted(causes)) or '-'} |")
    return rows


def spec_text(spec: dict[str, Any]) -> str:
    return spec["method"] + " " + ", ".join(f"{k}={v}" for k, v in spec.items() if k != "method")


def pyramids(peer: Remote) -> list[str]:
    """Both sides' entries by layer where the same settings give other pyramids."""
    from leadline import catalog

    rows = []
    for tokens, budget, window, beta in ((200, 50, 2, 5), (8192, 1024, 64, 20), (8192, 2048, 64, 20)):
        spec = {"method": "pyramid-kv", "budget": budget, "window": window, "kernel": 5, "beta": beta}
        theirs = peer.ask("pyramid", spec=spec, tokens=tokens, layers=4)
        method: Any = catalog.make(f"pyramid-kv(budget={budget}, window={window}, beta={beta})", "methods")
        mine = [entries + window for entries in method.budgets(tokens, 4)]
        rows.append(f"| {tokens}, {budget}, {window}, {beta} | {mine} | {theirs} |")
    return rows


def record(peer: Remote, scratch: Path, file: Path) -> None:
    """Write the peer's selections of the tiny model for the test suite; refuses calls so close that noise decides them."""
    seed, found = 1, []
    for which, noise in enumerate((0.0, 1e-5, 1e-5)):
        peer.ask("load", folder=str(sides.save(scratch / f"record-{which}", sides.TINY, seed, noise, which)))
        found.append(
            [peer.ask("select", spec=spec, ids=sides.words(tokens, sides.TINY["vocab"], own)) for spec, tokens, own in RECORDED]
        )
    cases = []
    for (spec, tokens, own), kept, *shaken in zip(RECORDED, *found, strict=True):
        if any(other != kept for other in shaken):
            sys.exit(
                f"{spec_text(spec)}: weights that differ by 1e-5 keep other entries; choose another prompt than seed {own}"
            )
        case = {"spec": spec, "leadline": stack(spec), "tokens": tokens, "seed": own}
        cases.append(json.dumps(case | {"kept": [[sides.ranges(head) for head in layer] for layer in kept]}))
    about = {"command": "python benchmarks/kvpress.py --peer PEER/bin/python --record FILE", "peer": peer.ask("versions")}
    head = json.dumps(about | {"sizes": sides.TINY, "seed": seed})
    file.write_text(head[:-1] + ',\n"cases": [\n' + ",\n".join(cases) + "\n]}\n")


# ------------------------------------------------------------------ how it behaves


def number(x: Any, digits: str = ".3g") -> str:
    return x if isinstance(x, str) else "-" if x is None else format(x, digits)


def against(mine: Any, theirs: Any) -> str:
    """Ours over theirs."""
    if isinstance(mine, str) or isinstance(theirs, str) or mine is None or not theirs:
        return "-"
    return f"{mine / theirs:.2g}"


def short(error: str) -> str:
    return "fails: " + error.split("\n")[0][:60]


def behaviour(ours: Local, peer: Remote, name: str, text: list[int], vocab: int) -> list[str]:
    """Rows on padding, second turns and chunks."""
    rows = []
    long, brief = text[:200], text[200:337]
    forced = [text[340:346], text[350:356]]
    first, say, question = text[:200], text[340:344], text[400:406]

    def both(what: str, methods: list[dict[str, Any]], label: str, field: str, **given: Any) -> None:
        for spec in methods:
            mine = tried(ours, what, spec=spec, **given) if stack(spec) is not None else "-"
            theirs = tried(peer, what, spec=spec, **given)
            a = mine.get(field) if isinstance(mine, dict) else mine
            b = theirs.get(field) if isinstance(theirs, dict) else short(theirs)
            if isinstance(theirs, dict) and theirs.get("problem"):
                b = short(theirs["problem"])
            if isinstance(mine, dict) and mine.get("problem"):
                a = short(mine["problem"])
            rows.append(f"| {name} | {label} | {spec['method']} | {number(a)} | {number(b)} | {against(a, b)} |")

    for hand, label in ((False, "padded row, `generate`"), (True, "padded row, fed by hand, no mask")):
        both("padded", METHODS, label, "relative", rows=[long, brief], forced=forced, hand=hand)
    turn = {"first": first, "say": say, "question": question}
    both("second_turn", METHODS, f"second turn, tokens fed (new: {len(question) + 1})", "fed", **turn)
    both("second_turn", METHODS, "second turn, `generate`: error", "relative", **turn)
    both("second_turn", METHODS, "second turn, fed by hand: error", "by_hand", **turn)
    chunk = {"ids": long, "chunk": 80, "forced": say}
    both("chunked", METHODS, "prompt in chunks of 80: entries held (64 asked)", "chunked", **chunk)
    both("chunked", METHODS, "prompt in chunks of 80: logit error against at once", "relative", **chunk)
    steady = {"ids": long, "after": sides.words(20, vocab, 77)}
    both(
        "windowed",
        [STREAMING | {"steady": True}],
        "evicting as it decodes, 20 tokens: share of the window held",
        "share",
        **steady,
    )
    return rows


# ------------------------------------------------------------------ bytes and time


def decoding(
    ours: Local, peer: Remote, name: str, ids: list[int], budget: int, window: int, rounds: int, block: int
) -> list[str]:
    """Rows on bytes and milliseconds."""
    observed = ids[: len(ids) // 2]
    plans: list[tuple[str, dict[str, Any], list[int]]] = [
        ("plain transformers, whole context", {"method": "plain", "budget": 0}, ids),
        (f"plain transformers, {budget} tokens", {"method": "plain", "budget": 0}, ids[:budget]),
        ("snapkv, nothing evicted", SNAPKV | {"budget": len(ids), "window": window}, ids),
        ("snapkv", SNAPKV | {"budget": budget, "window": window}, ids),
        ("pyramid-kv", PYRAMID | {"budget": budget, "window": window}, ids),
        ("streaming-llm", STREAMING | {"budget": budget}, ids),
        ("streaming-llm, evicting as it decodes", STREAMING | {"budget": budget, "steady": True}, ids),
        ("tova", TOVA | {"budget": budget}, ids),
        ("tova, evicting as it decodes", TOVA | {"budget": budget, "steady": True}, ids),
        (f"h2o / observed attention ({len(observed)} tokens)", OBSERVED | {"budget": budget}, observed),
    ]
    rows = []
    for label, spec, prompt in plans:
        opened = [side.ask("open", spec=spec, ids=prompt) for side in (ours, peer)]
        # For both sides, block by block: CPU and clock.
        blocks: list[list[list[float]]] = [[[], []], [[], []]]
        for i in range(rounds + 1):
            for which in (0, 1) if i % 2 else (1, 0):
                spent = (ours, peer)[which].ask("steps", count=block)
                # The first round warms up.
                for kind in (0, 1) if i else ():
                    blocks[kind][which].append(median(s[kind] for s in spent))
        held = [side.ask("held") for side in (ours, peer)]
        for side in (ours, peer):
            side.ask("close")
        told = []
        for kind, what in enumerate(("ms a token, CPU", "ms a token, clock")):
            mine, theirs = blocks[kind]
            ratios = [a / b for a, b in zip(mine, theirs, strict=True)]
            low, middle, high = quantiles(ratios, n=4)
            told.append((what, f"{median(mine):.2f}", f"{median(theirs):.2f}", f"{middle:.2f} ({low:.2f} to {high:.2f})"))
        later = f"KiB {(rounds + 1) * block} tokens later"
        for what, pair in (("KiB after the prompt", opened), (later, held)):
            told.append((what, *(f"{s['bytes'] / 1024:,.0f}" for s in pair), f"{pair[0]['bytes'] / pair[1]['bytes']:.3f}"))
        if held[0]["aside"]:
            told.append(
                ("KiB of tables beside the cache", f"{held[0]['aside'] / 1024:,.0f}", f"{held[1]['aside'] / 1024:,.0f}", "-")
            )
        spent = [o["prefill"] for o in opened]
        told.append(("prefill s, CPU, once", *(f"{s:.2f}" for s in spent), f"{spent[0] / spent[1]:.2f}"))
        for what, a, b, ratio in told:
            rows.append(f"| {name} | {what} | {label} | {a} | {b} | {ratio} |")
        print("\n".join(rows[-len(told) :]), flush=True)
    return rows


def minnow_ids(tokens: int) -> list[int]:
    """Prose in minnow's own tokens."""
    from leadline.data import prose
    from leadline.data.tokens import load_tokenizer

    ids = load_tokenizer(str(MINNOW)).ids(" ".join(prose.sentences(tokens // 4)))
    assert len(ids) >= tokens, len(ids)
    return ids[:tokens]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", required=True, help="Python that has kvpress installed")
    parser.add_argument("--context", type=int, default=8192, help="tokens before those that are timed")
    parser.add_argument("--budget", type=int, default=512, help="entries kept of them")
    parser.add_argument("--rounds", type=int, default=16, help="blocks of tokens timed on each side, in turns")
    parser.add_argument("--block", type=int, default=8, help="tokens in a block")
    parser.add_argument("--record", type=Path, metavar="FILE", help="only write the peer's selections for the test suite")
    parser.add_argument("--skip-times", action="store_true", help="only what is kept and how it behaves")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    ours, peer = Local(), Remote(args.peer)
    with tempfile.TemporaryDirectory() as scratch:
        if args.record:
            record(peer, Path(scratch), args.record)
            return
        tiny = sides.save(Path(scratch) / "tiny", sides.TINY, 1)
        small = sides.save(Path(scratch) / "small", sides.SMALL, 2)
        print(f"ours {ours.ask('versions')}\npeer {peer.ask('versions')}\nload before {os.getloadavg()}\n", flush=True)
        random_text, prose_text = sides.words(420, sides.TINY["vocab"], 10), minnow_ids(args.context)
        models = [
            ("tiny", tiny, [sides.words(n, sides.TINY["vocab"], seed) for n, seed in PROMPTS], random_text),
            ("minnow", MINNOW, [prose_text[i * 300 : i * 300 + n] for i, (n, _) in enumerate(PROMPTS)], prose_text[1000:1420]),
        ]
        print("| model | kvpress | leadline | sets equal | shared | cause of what differs |\n|---|---|---|---|---|---|")
        for name, folder, prompts, _ in models:
            for side in (ours, peer):
                side.ask("load", folder=str(folder))
            print("\n".join(selections(ours, peer, name, prompts, SETTINGS)), flush=True)
        print("\n| pyramid of four layers: tokens, budget, window, beta | leadline | kvpress |\n|---|---|---|")
        print("\n".join(pyramids(peer)))
        print("\n| model | | method | leadline | kvpress | ratio |\n|---|---|---|---|---|---|")
        for name, folder, _, text in models:
            for side in (ours, peer):
                side.ask("load", folder=str(folder))
            print("\n".join(behaviour(ours, peer, name, text, sides.TINY["vocab"])), flush=True)
        if not args.skip_times:
            for name, folder, ids in (
                ("small", small, sides.words(args.context, sides.SMALL["vocab"], 20)),
                ("minnow", MINNOW, prose_text),
            ):
                for side in (ours, peer):
                    side.ask("load", folder=str(folder))
                decoding(ours, peer, name, ids, args.budget, 32, args.rounds, args.block)
        print(f"\nload after {os.getloadavg()}")


if __name__ == "__main__":
    main()
