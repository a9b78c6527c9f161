"""The seven laws of the design, on every method of the folder and eight families of models, before its author tests it."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
t = pytest.importorskip("transformers")

from leadline import applied, catalog  # noqa: E402
from leadline.methods._stack import Stack  # noqa: E402
from leadline.methods.base import SEAMS, Codec, Method, Policy, about  # noqa: E402
from leadline.models.memory import tensor_bytes  # noqa: E402
from leadline.models.seams.store import end_prompt  # noqa: E402
from leadline.models.seams.tape import SPARE  # noqa: E402
from leadline.nouns import UserError  # noqa: E402

from .conftest import FAMILIES, feed, generated, words  # noqa: E402

IDS = list(catalog.entries("methods"))
CLOSE = {"atol": 2e-4, "rtol": 1e-4}
"""Float noise of logits whose spread is about 1, in float32."""
REFUSED = {("kivi", "mistral"), ("cskv", "mistral")}
"""Pairs that a method refuses."""
SIZE = 4
"""Bytes of a float."""


def kind(name: str) -> type[Method]:
    return catalog.load(name, "methods")


def with_trial(name: str) -> Method:
    return kind(name)(**kind(name).trial)


def excused(name: str, law: int) -> str | None:
    return kind(name).excepts.get(law)


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=IDS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def model(tiny: Any, family: str, name: str) -> Any:
    model = tiny(family)
    if (name, family) in REFUSED:
        with pytest.raises(UserError), applied(model, with_trial(name)):
            pass
        pytest.skip(f"{name} refuses {family}, with the reason")
    return model


def close(a: Any, b: Any) -> None:
    torch.testing.assert_close(a, b, **CLOSE)


# ------------------------------------------------------------------ the laws


def test_1_neutral_settings_give_the_plain_model(model: Any, name: str) -> None:
    prompt, after = words(40), [words(4, seed=1)]
    plain = feed(model, [prompt], after=after)[0]
    plain_text = generated(model, prompt)
    with applied(model, kind(name)(**kind(name).neutral)):
        close(feed(model, [prompt], after=after)[0], plain)
        assert generated(model, prompt) == plain_text
    assert torch.equal(feed(model, [prompt], after=after)[0], plain), "not restored"


def test_trial_settings_act(model: Any, name: str, family: str) -> None:
    """Else the other laws would hold of nothing."""
    prompt, after = words(40), [words(4, seed=1)]
    plain = feed(model, [prompt], after=after)[0]
    with applied(model, with_trial(name)) as stack:
        changed = not torch.allclose(feed(model, [prompt], after=after)[0], plain, atol=1e-3)
    assert changed or stack.plan.drafter is not None or kind(name).exact


def test_2_a_padded_row_gives_what_it_gives_alone(model: Any, name: str) -> None:
    rows = [words(40, 1), words(23, 2), words(37, 3), words(5, 4)]
    after = [words(4, 10 + i) for i in range(4)]
    with applied(model, with_trial(name)):
        together = feed(model, rows, after=after)[0]
        for i, row in enumerate(rows):
            close(together[i : i + 1], feed(model, [row], after=[after[i]])[0])


def test_3_a_second_turn_feeds_only_what_is_new(model: Any, name: str) -> None:
    first, said, second, after = words(40), words(4, 1), words(9, 2), [words(3, 3)]
    with applied(model, with_trial(name)):
        _, cache, mask = feed(model, [first], after=[said])
        if excused(name, 3) and Stack((with_trial(name),)).plan.context is not None:
            with pytest.raises(UserError, match="second turn"):
                feed(model, [second], past=(cache, mask))
            return
        assert cache.get_seq_length() == 44
        turn = feed(model, [second], after=after, past=(cache, mask))[0]
        assert cache.get_seq_length() == 56
        if excused(name, 3):
            assert turn.isfinite().all()
        else:
            close(turn, feed(model, [first + said + second], after=after)[0])


def test_3_generate_goes_on_from_its_cache(tiny: Any, name: str) -> None:
    model, first, second = tiny("llama"), words(40), words(9, 2)
    fed: list[int] = []
    with applied(model, with_trial(name)) as stack:
        if stack.plan.context is not None:
            pytest.skip("a second turn is refused")
        out = model.generate(torch.tensor([first]), max_new_tokens=4, do_sample=False, return_dict_in_generate=True)
        ids = torch.cat([out.sequences, torch.tensor([second])], -1)
        hook = model.register_forward_pre_hook(lambda m, a, k: fed.append(k["input_ids"].shape[1]), with_kwargs=True)
        model.generate(ids, past_key_values=out.past_key_values, max_new_tokens=2, do_sample=False)
        hook.remove()
    # The last token that was said had not been fed yet.
    assert fed[0] == len(second) + 1, fed


def test_4_chunks_give_what_one_prefill_gives(model: Any, name: str) -> None:
    rows, after = [words(40, 1), words(31, 2)], [words(3, 3), words(3, 4)]
    with applied(model, with_trial(name)) as stack:
        if excused(name, 4) and stack.plan.context is not None:
            with pytest.raises(UserError, match="prefill_chunk_size"):
                feed(model, rows, pieces=(20, 20))
            return
        chunked = feed(model, rows, pieces=(17, 13, 10), after=after)[0]
        if excused(name, 4):
            assert chunked.isfinite().all()
        else:
            close(chunked, feed(model, rows, after=after)[0])


def test_5_the_budget_is_kept_in_bytes(model: Any, name: str) -> None:
    method, prompt, steps = with_trial(name), words(60), 5
    if not isinstance(method, Policy | Codec):
        pytest.skip("keeps everything")
    config = model.config
    heads, dim = config.num_key_value_heads, config.head_dim
    windows = [getattr(layer, "sliding_window", None) for layer in t.DynamicCache(config=config).layers]
    mixed = any(windows) and not all(windows)
    with applied(model, method):
        cache = feed(model, [prompt], after=[words(steps, 1)])[1]
        end_prompt(cache)
    place, allowed = 0, 0
    governed = sum(1 for w in windows if not (mixed and w))
    for window in windows:
        entries = len(prompt) + steps if window is None else window
        if not (mixed and window):
            if isinstance(method, Policy):
                entries = min(entries, method.bound(len(prompt), steps, place, governed))
            else:
                allowed += method.bound(entries, dim, SIZE, heads) - heads * 2 * entries * dim * SIZE
                # Spare room of tapes: plain keys and values, codes, scales and minima, sketches.
                allowed += heads * SPARE * 8 * dim * SIZE
            place += 1
        # Keys and values, spare room; slack of a policy that evicts by position; positions and notes.
        allowed += heads * ((entries + 2 * SPARE) * 2 * dim * SIZE + 2 * (entries + SPARE) * SIZE)
    full = len(windows) * heads * (len(prompt) + steps) * 2 * dim * SIZE
    held = tensor_bytes(cache)
    assert held <= allowed, (held, allowed)
    if isinstance(method, Policy) and not any(windows):
        assert held < 0.8 * full, (held, full)


def test_6_a_naive_reference_stands_beside_it(name: str) -> None:
    wanted = f"def naive_{name.replace('-', '_')}("
    assert any(wanted in path.read_text() for path in Path(__file__).parent.glob("test_*.py")), wanted


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("self-extend + lm-infinite", "which positions"),
        ("streaming-llm + self-extend", "which positions"),
        ("yarn + linear", "RoPE frequencies"),
        ("yarn + dynamic-ntk", "RoPE frequencies"),
        ("a-shape + vertical-slash", "read in prefill"),
        ("self-extend + a-shape", "several views"),
        ("h2o + kivi", "coded together"),
        ("tova + prompt-lookup", "guesses"),
        ("streaming-llm + kivi", "coded together"),
        ("snapkv + snapkv", "twice"),
    ],
)
def test_7_what_cannot_compose_is_refused_with_the_reason(spec: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        Stack.read(spec)


# ------------------------------------------------------------------ what a user's mistake gets


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("yran(factor=4)", "yarn"),
        ("yarn(faktor=4)", "factor"),
        ("yarn(factor=0.5)", "1 or more"),
        ("yarn(attention_factor=much)", "Factor of cos and sin"),
        ("gem-filter(layer=first)", "0 the lowest"),
        ("yarn(factor=four)", "must be float"),
        ("snapkv(budget=16)", "budget"),
        ("snapkv(pooling=median)", "average or max"),
        ("kivi(bits=3)", "2, 4 or 8"),
        ("kivi(residual=100)", "multiple of the group"),
        ("yarn(factor=4", "bracket"),
        ("", "no method"),
    ],
)
def test_a_wrong_spec_says_what_is_allowed(spec: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        Stack.read(spec)


@pytest.mark.parametrize(
    ("spec", "family", "says"),
    [
        ("kivi(group=16)", "llama", "groups of 16"),
        ("kivi(group=8, residual=8)", "mistral", "window of 24"),
        ("gem-filter(layer=2)", "llama", "layers 0 to 1"),
    ],
)
def test_a_model_that_does_not_fit_is_left_alone(tiny: Any, spec: str, family: str, says: str) -> None:
    model = tiny(family)
    before = state(model)
    with pytest.raises(UserError, match=says), applied(model, spec):
        pass
    assert state(model) == before


# ------------------------------------------------------------------ coming and going


def state(model: Any) -> dict[str, Any]:
    """All that a method could have left behind."""
    return {
        "attention": (model.config._attn_implementation, model.model.config._attn_implementation),
        "hooks": [(n, len(m._forward_hooks), len(m._forward_pre_hooks)) for n, m in model.named_modules()],
        "own": sorted(vars(model)),
        "rotary": (id(model.model.rotary_emb), {n: b.tolist() for n, b in model.model.rotary_emb.named_buffers()}),
        "weights": {n: (id(p), p._version) for n, p in model.named_parameters()},
        "config": model.config.to_dict(),
        "generation": model.generation_config.to_dict(),
        "layers": [id(layer) for layer in model.model.layers],
    }


def test_everything_is_as_before_on_leaving(model: Any, name: str) -> None:
    before = state(model)
    with applied(model, with_trial(name)):
        feed(model, [words(40)], after=[words(2)])
    assert state(model) == before
    with pytest.raises(RuntimeError, match="in the middle"), applied(model, with_trial(name)):
        raise RuntimeError("in the middle")
    assert state(model) == before


def test_a_model_is_held_once(tiny: Any) -> None:
    model = tiny("llama")
    with applied(model, "yarn"):
        with pytest.raises(UserError, match="join them with"), applied(model, "snapkv"):
            pass
        # The refusal took nothing away from the one that stands.
        with pytest.raises(UserError), applied(model, "linear"):
            pass


def test_specs_read_back(name: str) -> None:
    for settings in ({}, kind(name).neutral, kind(name).trial):
        method = kind(name)(**settings)
        assert catalog.make(str(method), "methods") == method
        assert Stack.read(str(method)).methods == (method,)
    assert str(Stack.read("yarn(factor=4)  +snapkv( budget=64 )")) == "yarn + snapkv(budget=64)"


def test_it_is_told_in_six_lines(name: str) -> None:
    """The catalogue of methods, the README's table and the bibliography are made of these."""
    cls = kind(name)
    lines = inspect.cleandoc(cls.__doc__ or "").splitlines()
    lines = [line for line in lines if line]
    heads = [line.partition(":")[0] for line in lines if not line.startswith(" ")]
    assert heads[1:] == ["Paper", "Claims", "Differs", "Shapes", "Cost"], heads
    title = catalog.entries("methods")[name].title
    assert lines[0].startswith(title.split(":")[0] + ": ") and lines[0].endswith(".")
    text = " ".join(line.strip() for line in lines)
    assert re.search(r"arXiv:\d{4}\.\d{4,5}|https://", text)
    phase = re.search(r"phase: (prefill and decode|prefill|decode)\.$", text)
    assert phase, text
    assert {f.name for f in dataclasses.fields(cls)} <= set(about(cls)), "a setting without a word"
    assert any(issubclass(cls, seam) for seam in SEAMS)
    assert set(cls.excepts) <= {1, 2, 3, 4, 5, 6}


def test_plugins_do_not_import_each_other(name: str) -> None:
    tree = ast.parse(catalog.entries("methods")[name].path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("leadline.methods."):
            last = node.module.split(".")[-1]
            assert last == "base" or last.startswith("_"), node.module
