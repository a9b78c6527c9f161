"""Prompt building beside lm-evaluation-harness' RULER builder: whole-process seconds, fullness, and our cost per token.

Both processes get the same tokenizer and the same text, one thread each, and make the same kind of prompt (one needle in
prose, 128 tokens of room for the answer). The peer's text loader is replaced in its process, for its own needs the network;
where its sentence splitter's data (punkt) are missing a cheaper regular expression stands in, in the peer's favour.

    python -m venv PEER && PEER/bin/pip install "lm_eval==0.4.13" transformers wonderwords nltk datasets
    python benchmarks/building.py --text FILE --peer PEER/bin/python
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ANSWER = 128


def make_inputs(source: Path, folder: Path, tokens: int) -> tuple[Path, Path]:
    """A text long enough for the peer, which cannot repeat it, and a byte-level BPE trained on it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    from leadline.data import prose

    raw = gzip.decompress(source.read_bytes()) if source.suffix == ".gz" else source.read_bytes()
    text = raw.decode()
    text += "\n\n" + " ".join(prose.sentences(max(1000, (6 * tokens - len(text)) // 50)))
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    core.train_from_iterator(
        text.split("\n\n"), trainers.BpeTrainer(vocab_size=32_000, initial_alphabet=alphabet, show_progress=False)
    )
    core.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
    file = folder / "text.txt"
    file.write_text(text)
    return folder, file


def ours(tokenizer: str, text: str, length: int, n: int) -> list[int]:
    """Token counts of our prompts."""
    from leadline.data.haystack import Builder
    from leadline.data.tokens import load_tokenizer

    builder = Builder(load_tokenizer(tokenizer), noise=f"file(path={text!r})", seed=42)
    return [builder.build(item(i), length).tokens for i in range(n)]


def item(i: int):
    from leadline.nouns import Item

    key, value = f"amber-{i:04d}", str(1_000_000 + 7919 * i)
    return Item(
        id=f"needle-{i}",
        task="needle",
        instruction="A special magic number is hidden within the following text. Make sure to memorize it. "
        "I will quiz you about the number afterwards.",
        question=f"What is the special magic number for {key} mentioned in the provided text?",
        answers=(value,),
        evidence=(f"One of the special magic numbers for {key} is: {value}.",),
        prefill=f"The special magic number for {key} mentioned in the provided text is",
        avoid=(key, value),
        answer_tokens=ANSWER,
    )


def peer(tokenizer: str, text: str, length: int, n: int) -> list[int]:
    """Token counts of lm-evaluation-harness' prompts (niah_single_2)."""
    import datasets
    import nltk

    try:
        nltk.data.find("tokenizers/punkt_tab")
    except LookupError:
        nltk.download = lambda *a, **k: None
        nltk.sent_tokenize = lambda s: re.split(r"(?<=[.!?])\s+", s)
    datasets.load_dataset = lambda *a, **k: {"text": [Path(text).read_text()]}
    from lm_eval.tasks.ruler import niah_utils, prepare_niah
    from lm_eval.tasks.ruler.common_utils import get_tokenizer

    samples = prepare_niah.generate_samples(
        prepare_niah.get_haystack(type_haystack="essay"),
        max_seq_length=length,
        template=niah_utils.TEMPLATE,
        type_haystack="essay",
        type_needle_k="words",
        type_needle_v="numbers",
        num_samples=n,
        tokens_to_generate=ANSWER,
        TOKENIZER=get_tokenizer(tokenizer),
    )
    return [s["length"] for s in samples]


def timed(python: str, who: str, tokenizer: Path, text: Path, length: int, n: int) -> dict[str, float]:
    """Run one side in a process of its own."""
    pinned = {"OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
    command = [python, __file__, "--worker", who, "--tokenizer", str(tokenizer), "--text", str(text)]
    before, start = os.times(), time.perf_counter()
    done = subprocess.run(
        [*command, "--length", str(length), "--prompts", str(n)], env=os.environ | pinned, capture_output=True, text=True
    )
    wall, after = time.perf_counter() - start, os.times()
    if done.returncode:
        sys.exit(f"{who} failed:\n{done.stderr[-3000:]}")
    used = json.loads(done.stdout.splitlines()[-1])
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    full = [u / length for u in used]
    return {"wall": wall, "cpu": cpu, "n": len(used), "mean": sum(full) / len(full), "least": min(full), "most": max(full)}


def cost_per_token(tokenizer: Path) -> list[tuple[int, float, float]]:
    """For each length: milliseconds a prompt and nanoseconds a token, CPU time, noise already tokenised."""
    from leadline.data.haystack import Builder
    from leadline.data.tokens import load_tokenizer

    builder = Builder(load_tokenizer(str(tokenizer)), seed=42)
    rows = []
    for length, n in ((4096, 100), (32_768, 100), (131_072, 50), (1 << 20, 10)):
        for i in range(n):  # what has to be tokenised once for this length
            builder.build(item(i), length)
        start = time.process_time()
        for i in range(n):
            builder.build(item(i), length)
        spent = (time.process_time() - start) / n
        rows.append((length, 1e3 * spent, 1e9 * spent / length))
    return rows


def exact(tokenizer: Path, text: Path, length: int) -> bool:
    """Whether whole prompts, tokenised anew, have the lengths that splicing found."""
    from leadline.data.haystack import Builder
    from leadline.data.tokens import load_tokenizer

    core = load_tokenizer(str(tokenizer))
    builder = Builder(core, noise=f"file(path={str(text)!r})", seed=42)
    return all(len(core.ids(p.text)) + ANSWER == p.tokens for p in (builder.build(item(i), length) for i in range(10)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--text", required=True, help="text to hide the needle in, .txt or .txt.gz")
    parser.add_argument("--peer", help="Python that has lm_eval installed; left out, only ours runs")
    parser.add_argument("--length", type=int, default=131_072)
    parser.add_argument("--prompts", type=int, default=100)
    parser.add_argument("--worker", choices=("ours", "peer"), help=argparse.SUPPRESS)
    parser.add_argument("--tokenizer", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        build = {"ours": ours, "peer": peer}[args.worker]
        print(json.dumps(build(args.tokenizer, args.text, args.length, args.prompts)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer, text = make_inputs(Path(args.text), Path(scratch), args.length)
        sides = {"leadline": timed(sys.executable, "ours", tokenizer, text, args.length, args.prompts)}
        if args.peer:
            sides["lm_eval RULER"] = timed(args.peer, "peer", tokenizer, text, args.length, args.prompts)
        print(
            f"{args.prompts} prompts of {args.length:,} tokens, whole process, one thread, {text.stat().st_size:,} bytes of text\n"
        )
        print("| builder | wall s | CPU s | prompts | full, mean | least | most |\n|---|---|---|---|---|---|---|")
        for name, s in sides.items():
            shares = " | ".join(f"{100 * s[k]:.2f} %" for k in ("mean", "least", "most"))
            print(f"| {name} | {s['wall']:.2f} | {s['cpu']:.2f} | {s['n']:.0f} | {shares} |")
        if args.peer:
            a, b = sides.values()
            print(f"\n{b['wall'] / a['wall']:.1f} times as fast by wall clock, {b['cpu'] / a['cpu']:.1f} by CPU time.")
        print(f"Counts equal full tokenisation: {exact(tokenizer, text, args.length)}\n")
        print("| length | ms a prompt | ns a token |\n|---|---|---|")
        for length, ms, ns in cost_per_token(tokenizer):
            print(f"| {length:,} | {ms:.2f} | {ns:.1f} |")


if __name__ == "__main__":
    main()
