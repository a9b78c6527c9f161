"""Methods that change positions: formulas, transformers' own RoPE variants, pairwise oracles."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest

torch = pytest.importorskip("torch")
t = pytest.importorskip("transformers")

from leadline import applied, catalog  # noqa: E402
from leadline.models.local import load  # noqa: E402
from leadline.models.seams.parts import RopeFacts  # noqa: E402
from leadline.nouns import UserError  # noqa: E402

from .conftest import feed, words  # noqa: E402
from .oracles import by_pairs, spied  # noqa: E402


def facts(dim: int = 16, base: float = 1e4, trained: int = 64) -> RopeFacts:
    own = torch.tensor([base ** (-2 * i / dim) for i in range(dim // 2)])
    return RopeFacts(base=base, dim=dim, trained=trained, own=own, scale=1.0, kind="default")


# ------------------------------------------------------------------ frequencies


def naive_linear(dim: int, base: float, factor: float) -> list[float]:
    return [base ** (-2 * i / dim) / factor for i in range(dim // 2)]


def naive_ntk(dim: int, base: float, factor: float) -> list[float]:
    larger = base * factor ** (dim / (dim - 2))
    return [larger ** (-2 * i / dim) for i in range(dim // 2)]


def naive_dynamic_ntk(dim: int, base: float, factor: float, trained: int, length: int) -> list[float]:
    if length <= trained:
        return naive_linear(dim, base, 1)
    larger = base * (factor * length / trained - (factor - 1)) ** (dim / (dim - 2))
    return [larger ** (-2 * i / dim) for i in range(dim // 2)]


def naive_yarn(dim: int, base: float, factor: float, trained: int, fast: float, slow: float) -> list[float]:
    def pair(turns: float) -> float:
        return dim * math.log(trained / (2 * math.pi * turns)) / (2 * math.log(base))

    low, high = max(math.floor(pair(fast)), 0), min(math.ceil(pair(slow)), dim - 1)
    out = []
    for i in range(dim // 2):
        theta = base ** (-2 * i / dim)
        ramp = min(max((i - low) / (high - low if high != low else 0.001), 0), 1)
        out.append(theta / factor * ramp + theta * (1 - ramp))
    return out


def test_frequencies_are_the_formulas() -> None:
    def close(spec: str, wanted: list[float], length: int | None = None) -> float:
        rows = None if length is None else torch.tensor([[float(length)]])
        freq, scale = catalog.make(spec, "methods").inv_freq(facts(), rows)
        torch.testing.assert_close(freq.flatten(), torch.tensor(wanted), rtol=1e-5, atol=1e-9)
        return scale

    assert close("linear(factor=3)", naive_linear(16, 1e4, 3)) == 1
    assert close("ntk(factor=3)", naive_ntk(16, 1e4, 3)) == 1
    for length in (10, 64, 65, 200):
        assert close("dynamic-ntk(factor=2)", naive_dynamic_ntk(16, 1e4, 2, 64, length), length) == 1
    scale = close("yarn(factor=4, beta_fast=8)", naive_yarn(16, 1e4, 4, 64, 8, 1))
    assert scale == pytest.approx(0.1 * math.log(4) + 1)


def test_ntk_slows_the_slowest_pair_by_the_factor_and_the_fastest_not() -> None:
    freq, _ = catalog.make("ntk(factor=4)", "methods").inv_freq(facts(), None)
    assert (freq / facts().own)[[0, -1]].tolist() == pytest.approx([1, 1 / 4])


@pytest.mark.parametrize(
    ("dim", "base", "trained", "ends"),
    [(128, 1e4, 4096, (20, 46)), (128, 1e4, 2048, (16, 41)), (32, 1e4, 512, (1, 8)), (128, 5e5, 8192, (18, 35))],
)
def test_yarn_blends_between_the_papers_pairs(dim: int, base: float, trained: int, ends: tuple[int, int]) -> None:
    assert catalog.make("yarn", "methods").ends(dim, base, trained) == ends


def by_transformers(model: Any, **rope: Any) -> Any:
    """The same weights with transformers' own scaling."""
    config = copy.deepcopy(model.config)
    if "full_attention" in config.rope_parameters:
        config.rope_parameters["full_attention"] |= rope
    else:
        config.rope_parameters |= rope
    other = type(model)(config).eval()
    other.load_state_dict(model.state_dict())
    return other


@pytest.mark.parametrize("family", ["llama", "qwen3", "mistral", "gemma3", "phi3", "glm4", "smollm3"])
@pytest.mark.parametrize(
    ("spec", "rope"),
    [
        ("linear(factor=3)", {"rope_type": "linear", "factor": 3.0}),
        ("dynamic-ntk(factor=2)", {"rope_type": "dynamic", "factor": 2.0}),
        (
            "yarn(factor=4, beta_fast=8)",
            {"rope_type": "yarn", "factor": 4.0, "beta_fast": 8, "beta_slow": 1, "original_max_position_embeddings": 64},
        ),
    ],
)
def test_scaled_models_are_transformers_own(tiny: Any, family: str, spec: str, rope: dict[str, Any]) -> None:
    if family == "gemma3" and "dynamic" in spec:
        pytest.skip("transformers' dynamic RoPE per layer type keeps a length of its own for each")
    model = tiny(family)
    other = by_transformers(model, **rope)
    for length in (40, 90):
        prompt = words(length)
        with applied(model, spec):
            ours = feed(model, [prompt])[0]
        torch.testing.assert_close(ours, feed(other, [prompt])[0], atol=2e-4, rtol=1e-4)


def test_static_ntk_is_another_theta(tiny: Any) -> None:
    model = tiny("llama")
    dim, base = 8, model.config.rope_parameters["rope_theta"]
    other = by_transformers(model, rope_theta=base * 3 ** (dim / (dim - 2)))
    with applied(model, "ntk(factor=3)"):
        ours = feed(model, [words(40)])[0]
    torch.testing.assert_close(ours, feed(other, [words(40)])[0], atol=2e-4, rtol=1e-4)


def test_dynamic_ntk_comes_back_after_a_long_prompt(tiny: Any) -> None:
    model, short = tiny("llama"), words(30)
    plain = feed(model, [short])[0]
    with applied(model, "dynamic-ntk"):
        feed(model, [words(120, 1)])
        torch.testing.assert_close(feed(model, [short])[0], plain, atol=2e-4, rtol=1e-4)


def test_a_scaled_model_is_not_scaled_from_its_base_again(tiny: Any) -> None:
    model = by_transformers(tiny("llama"), rope_type="linear", factor=2.0)
    for spec in ("yarn", "ntk"):
        with pytest.raises(UserError, match="already scaled by 'linear'"), applied(model, spec):
            pass
    with applied(model, "linear(factor=3)"):
        ours = feed(model, [words(40)])[0]
    other = by_transformers(tiny("llama"), rope_type="linear", factor=6.0)
    torch.testing.assert_close(ours, feed(other, [words(40)])[0], atol=2e-4, rtol=1e-4)


# ------------------------------------------------------------------ positions


def naive_self_extend(i: int, j: int, group: int, window: int) -> tuple[float, float]:
    if i - j < window:
        return i, j
    return i // group + window - window // group, j // group


def naive_lm_infinite(i: int, j: int, n_local: int, n_global: int) -> tuple[float, float] | None:
    if i - j < n_local:
        return i, j
    return (n_local, 0) if j < n_global else None


def naive_streaming_llm(i: int, j: int, start: int, recent: int) -> tuple[float, float] | None:
    """Positions are ranks among what a cache of start + recent would hold when token i is fed."""
    held = [c for c in range(i + 1) if c < start or i - c < recent]
    return (held.index(i), held.index(j)) if j in held else None


def test_self_extends_toy_figure() -> None:
    rows = [[a - b for a, b in (naive_self_extend(i, j, 2, 4) for j in range(i + 1))] for i in range(10)]
    assert rows[-1] == [6, 6, 5, 5, 4, 4, 3, 2, 1, 0]
    method = catalog.make("self-extend(group=2, window=4)", "methods")
    pos = torch.arange(10)[None]
    near, far = method.views(None, pos, pos[:, None])
    for i in range(10):
        for j in range(i + 1):
            a, b = torch.tensor(i), torch.tensor(j)
            assert bool(near.where(a, b)) != bool(far.where(a, b))
            view = near if near.where(a, b) else far
            assert view.q[0, i] - view.k[0, 0, j] == rows[i][j]


@pytest.mark.parametrize(
    ("spec", "rule"),
    [
        ("self-extend(group=3, window=7)", lambda i, j: naive_self_extend(i, j, 3, 7)),
        ("self-extend(group=4, window=8)", lambda i, j: naive_self_extend(i, j, 4, 8)),
        ("lm-infinite(n_local=6, n_global=2)", lambda i, j: naive_lm_infinite(i, j, 6, 2)),
        ("streaming-llm(start=2, recent=6)", lambda i, j: naive_streaming_llm(i, j, 2, 6)),
        ("streaming-llm(start=0, recent=5)", lambda i, j: naive_streaming_llm(i, j, 0, 5)),
    ],
)
def test_attention_is_the_pairwise_definition(tiny: Any, spec: str, rule: Any) -> None:
    model = tiny("llama")
    inv_freq = model.model.rotary_emb.inv_freq.tolist()
    for length in (5, 6, 7, 19):
        with spied(model, spec) as (seen, outs):
            feed(model, [words(length)])
        for layer in range(2):
            s = seen[layer][0]
            oracle = by_pairs(s["q"][0], s["k"][0], s["v"][0], rule, s["scaling"], inv_freq)
            torch.testing.assert_close(outs[layer][0][0], oracle, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("spec", ["lm-infinite(n_local=6, n_global=2)", "streaming-llm(start=2, recent=6)"])
def test_token_by_token_is_at_once_and_the_cache_stays_small(tiny: Any, spec: str) -> None:
    model, prompt = tiny("llama"), words(50)
    with applied(model, spec):
        once = feed(model, [prompt])[0]
        single, cache, _ = feed(model, [prompt], pieces=(1,) * 50)
        assert all(layer.length <= 8 + 16 for layer in cache.layers)
    torch.testing.assert_close(single, once, atol=2e-4, rtol=1e-4)


def test_self_extends_log_scale_sharpens_beyond_the_trained_length(tiny: Any) -> None:
    model = tiny("llama")
    with applied(model, "self-extend(group=1, log_scale=true)"):
        short, long = feed(model, [words(60)])[0], feed(model, [words(120)])[0]
    torch.testing.assert_close(short, feed(model, [words(60)])[0], atol=2e-4, rtol=1e-4)
    assert not torch.allclose(long, feed(model, [words(120)])[0], atol=1e-2)


def test_a_window_says_how_far_a_local_model_reads() -> None:
    model = load("minnow")
    window = model.window
    for spec, reach in [
        ("yarn(factor=4)", 4 * window),
        ("self-extend(group=4, window=100)", (window - 100) * 4 + 100),
        ("streaming-llm", None),
        ("snapkv", window),
    ]:
        with applied(model, spec):
            assert model.window == reach
        assert model.window == window
