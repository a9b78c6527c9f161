"""Every task of the folder meets every length to the token, whatever the tokenizer and the template."""

import pytest

from leadline import catalog
from leadline.data.haystack import Builder

from .conftest import SPECS, label

TASKS = [spec for spec in SPECS if not catalog.make(spec, "tasks").natural]
TOKENIZERS = ["minnow", "bytes-plain", "bytes-chatml", "pieces-plain", "pieces-headers", "unigram-brackets", "merges-chatml"]


def fill(task, tokenizer, length, n=1):
    builder = Builder(tokenizer, seed=5)
    for item in task.items(n, seed=5):
        prompt = builder.build(item, length, compose=task.compose if task.grows else None)
        assert len(tokenizer.ids(prompt.text)) + prompt.answer_tokens == prompt.tokens
        assert 0.99 * length <= prompt.tokens <= length, f"{prompt.tokens} of {length}"


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize("spec", TASKS, ids=label)
def test_length_is_met(spec, name, tokenizer, tokenizer_of):
    task = catalog.make(spec, "tasks")
    for length in sorted({task.minimum, 2 * task.minimum + 11, max(4096, task.minimum), max(16384, task.minimum)}):
        fill(task, tokenizer if name == "minnow" else tokenizer_of(name), length, n=2)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["minnow", "bytes-chatml", "pieces-headers"])
@pytest.mark.parametrize("spec", TASKS, ids=label)
def test_a_million_tokens(spec, name, tokenizer, tokenizer_of):
    fill(catalog.make(spec, "tasks"), tokenizer if name == "minnow" else tokenizer_of(name), 1 << 20)
