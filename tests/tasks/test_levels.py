"""What a task declares of diffusion and scope is what its prompts have, for nine in ten of them.

A prompt is low below 0.5 of an axis and high from there on; `middle` tasks lie on both sides. Prompts of a length of their own
have all of their text for evidence and say nothing here.
"""

import pytest

from leadline import catalog
from leadline.data.haystack import Builder

from .conftest import SPECS, label

HELD = ("needlebench", "ancestral-trace", "needle-threads", "longchat-lines", "wiki-qa", "joint-recall", "kv-retrieval")
"""Tasks that are held to it."""


@pytest.mark.parametrize("spec", [s for s in SPECS if s.startswith(HELD) and not catalog.make(s, "tasks").natural], ids=label)
def test_prompts_are_as_declared(spec, tokenizer_of):
    task = catalog.make(spec, "tasks")
    builder = Builder(tokenizer_of("bytes-plain"))
    compose = task.compose if task.grows else None
    length = max(8192 if task.grows else 32_768, task.minimum)
    prompts = [builder.build(item, length, compose=compose) for item in task.items(4, seed=4)]
    for axis in ("diffusion", "scope"):
        declared = getattr(task, axis)
        agree = [declared == "middle" or (getattr(p, axis) >= 0.5) == (declared == "high") for p in prompts]
        assert sum(agree) >= 0.9 * len(agree), (axis, declared, [round(getattr(p, axis), 2) for p in prompts])
