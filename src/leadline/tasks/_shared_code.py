"""Contexts of code with several questions: functions to be found by what they do, alone and in turn with pairs.

In the manner of RepoQA in SCBench (arXiv:2412.10319), whose descriptions a model wrote; here they are exact. Knows nothing of
conversations, prompts and tokenizers.
"""

from __future__ import annotations

import random
from dataclasses import replace

from leadline.data import described
from leadline.tasks._shared_context import Ask, Session, pairs

NEAR = 8
"""Other functions in every context, to be told from those that are asked for."""
FORM = "{text}\n"


def _ask(index: int, seed: int, candidates: dict[str, str]) -> Ask:
    one = described.function(index, seed)
    return Ask(
        question=f"Which function of the code above does this? {one.said} Repeat it exactly as it stands there, in a code "
        "block between ```, and nothing else.",
        answers=(one.text,),
        said=f"```\n{one.text}\n```",
        room=320,
        evidence=(one.text,),
        part="repoqa",
        single_line=False,
        meta={"name": one.name, "functions": candidates, "language": "python"},
    )


def functions(name: str, place: int, seed: int, turns: int, rng: random.Random, keys: str) -> Session:
    """Functions among others, each asked for by what it does."""
    found = [described.function(place + i, seed) for i in range(turns + NEAR)]
    candidates = {f.name: f.text for f in found}
    return Session(
        name=name,
        instruction="Below is code. Find the functions that are described, and repeat each exactly as it stands there.",
        asks=tuple(replace(_ask(place + i, seed, candidates), part="") for i in range(turns)),
        noise="pieces(kind=code)",
        form=FORM,
        distractors=tuple(f.text for f in found[turns:]),
        avoid=tuple(candidates),
    )


def functions_and_pairs(name: str, place: int, seed: int, turns: int, rng: random.Random, keys: str) -> Session:
    """Functions and values of keys in turn."""
    code, store = (make(name, place, seed, turns, rng, keys) for make in (functions, pairs))
    asks = [
        replace(code.asks[i], part="repoqa") if i % 2 == 0 else replace(store.asks[i], part="kv", prefill="")
        for i in range(turns)
    ]
    return replace(
        code,
        instruction="Below is code with pairs of keys and values in it. You will be asked to repeat functions exactly as they "
        "stand there, and for values.",
        asks=tuple(asks),
        distractors=(*code.distractors, *store.distractors),
        avoid=(*code.avoid, *store.avoid),
    )
