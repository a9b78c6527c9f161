"""Methods on local models: the package's own decode loop goes through the same seams as transformers' `generate`."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import leadline  # noqa: E402
from leadline.models.batches import Request  # noqa: E402
from leadline.models.local import LocalModel, load  # noqa: E402
from leadline.nouns import Answer  # noqa: E402

SPECS = [
    "yarn(factor=2, beta_fast=8)",
    "dynamic-ntk(factor=2, trained=100)",
    "self-extend(group=3, window=64)",
    "streaming-llm(start=4, recent=60)",
    "snapkv(budget=64, window=16)",
    "pyramid-kv(budget=64, beta=4)",
    "h2o(budget=64, recent=32)",
    "tova(budget=64)",
    "kivi(group=16, residual=32)",
    "a-shape(first=8, local=48)",
    "vertical-slash(vertical=40, slash=60, near=20)",
    "gem-filter(topk=80, layer=2)",
    "snapkv(budget=64, window=16) + kivi(group=16, residual=32)",
    "prompt-lookup",
]


@pytest.fixture(scope="module")
def minnow() -> LocalModel:
    return load("minnow", device="cpu")


@pytest.fixture(scope="module")
def requests() -> list[Request]:
    text = "".join(chr(97 + (i * i) % 26) + (" " if i % 5 == 4 else "") for i in range(900))
    return [Request(text[a : a + n], 10) for a, n in [(0, 700), (40, 350), (11, 500), (5, 60)]]


def texts(answers: list[Answer]) -> list[str]:
    return [a.text for a in answers]


def by_transformers(model: LocalModel, request: Request) -> str:
    ids = torch.tensor([model.tokenizer.ids(request.text)])
    out = model.module.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=request.max_tokens)
    return model.tokenizer.core.decode(out[0, ids.shape[1] :].tolist(), skip_special_tokens=True)


@pytest.mark.parametrize("spec", SPECS)
def test_a_batch_answers_as_its_rows_and_as_transformers(minnow: LocalModel, requests: list[Request], spec: str) -> None:
    plain = texts(minnow.generate(requests))
    with leadline.applied(minnow, spec) as stack:
        together = minnow.generate(requests)
        assert texts(together) == [minnow.generate([r])[0].text for r in requests]
        assert texts(together) == [by_transformers(minnow, r) for r in requests]
        assert all(a.cache_bytes for a in together)
        if stack.plan.drafter is not None:
            assert texts(together) == plain
    assert texts(minnow.generate(requests)) == plain


@pytest.mark.parametrize("spec", [s for s in SPECS if "vertical" not in s])
def test_chunks_change_nothing(minnow: LocalModel, requests: list[Request], spec: str) -> None:
    """Dynamic NTK and the filter too: our own loop knows where the prompt ends."""
    with leadline.applied(minnow, spec):
        whole = texts(minnow.generate(requests))
        before, minnow.chunk_tokens = minnow.chunk_tokens, 4 * 37
        try:
            assert texts(minnow.generate(requests)) == whole
        finally:
            minnow.chunk_tokens = before


def test_evicting_is_seen_in_the_cache_bytes(minnow: LocalModel, requests: list[Request]) -> None:
    def held(spec: str | None) -> int:
        if spec is None:
            return minnow.generate(requests[:1])[0].cache_bytes or 0
        with leadline.applied(minnow, spec):
            return minnow.generate(requests[:1])[0].cache_bytes or 0

    full = held(None)
    assert held("snapkv(budget=64, window=16)") < 0.5 * full
    assert held("kivi(group=16, residual=32)") < 0.5 * full


def test_a_local_model_is_as_before(minnow: LocalModel, requests: list[Request]) -> None:
    def state() -> dict[str, Any]:
        own = {k: v for k, v in vars(minnow).items() if k not in {"_kept", "identity"}}
        return {k: (v if isinstance(v, int | str | bool | None) else id(v)) for k, v in own.items() if k != "make_cache"}

    before, made, fed = state(), minnow.make_cache, minnow.prefilled
    with leadline.applied(minnow, "self-extend(window=100) + snapkv(budget=64)"):
        minnow.generate(requests[:1])
        inside = minnow.prefilled
        assert inside > fed
    assert state() == before and minnow.make_cache == made and minnow.prefilled == inside


def test_names_are_lazy() -> None:
    import subprocess
    import sys

    code = "import sys, leadline; assert 'torch' not in sys.modules; leadline.load; assert not hasattr(leadline, 'lod')"
    subprocess.run([sys.executable, "-c", code], check=True)
