"""The seams themselves: attention in blocks, caches whose rows differ, families beyond the usual, and refusals."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
t = pytest.importorskip("transformers")

from leadline import applied  # noqa: E402
from leadline.methods._stack import Stack  # noqa: E402
from leadline.models.seams import layer as layers  # noqa: E402
from leadline.models.seams.hold import Hold  # noqa: E402
from leadline.models.seams.parts import Plan, group_mean, stable_top  # noqa: E402
from leadline.models.seams.rotary import Turner, applier  # noqa: E402
from leadline.models.seams.store import Ledger, Store  # noqa: E402
from leadline.models.seams.tape import CodedTape, Tape, right_aligned  # noqa: E402
from leadline.nouns import UserError  # noqa: E402

SIZES: dict[str, Any] = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "bos_token_id": 0,
    "eos_token_id": None,
    "pad_token_id": 2,
    "initializer_range": 0.3,
}


def made(config: Any, **kwargs: Any) -> Any:
    torch.manual_seed(3)
    return t.AutoModelForCausalLM.from_config(config, **kwargs).eval()


@pytest.fixture(scope="module")
def llama() -> Any:
    return made(t.LlamaConfig(**SIZES))


def ids(n: int, seed: int = 0) -> Any:
    return torch.randint(3, 97, (1, n), generator=torch.Generator().manual_seed(seed))


def padded(*lengths: int) -> tuple[Any, Any]:
    width = max(lengths)
    rows = torch.cat([torch.nn.functional.pad(ids(n, n), (width - n, 0), value=2) for n in lengths])
    mask = torch.tensor([[0] * (width - n) + [1] * n for n in lengths])
    return rows, mask


# ------------------------------------------------------------------ families

OTHERS = {
    "gemma2": lambda: made(
        t.Gemma2Config(**SIZES, head_dim=8, sliding_window=12, query_pre_attn_scalar=8), attn_implementation="eager"
    ),
    "gpt-oss": lambda: made(
        t.GptOssConfig(**SIZES, head_dim=8, sliding_window=12, num_local_experts=2, num_experts_per_tok=1),
        attn_implementation="eager",
    ),
    "cohere2": lambda: made(t.Cohere2Config(**SIZES, sliding_window=12, sliding_window_pattern=2)),
    "olmo2": lambda: made(t.Olmo2Config(**SIZES)),
    "granite": lambda: made(t.GraniteConfig(**SIZES)),
    "qwen3-moe": lambda: made(
        t.Qwen3MoeConfig(**SIZES, head_dim=8, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16)
    ),
}


@pytest.mark.parametrize("family", OTHERS)
@pytest.mark.parametrize("spec", ["snapkv(budget=100)", "self-extend(group=1, window=9)"])
def test_other_families_keep_their_softcaps_sinks_windows_and_layers_without_rope(family: str, spec: str) -> None:
    model = OTHERS[family]()
    rows, mask = padded(40, 23)
    kwargs = {"attention_mask": mask, "max_new_tokens": 5, "do_sample": False}
    plain, logits = model.generate(rows, **kwargs), model(ids(40)).logits
    with applied(model, spec):
        assert torch.equal(model.generate(rows, **kwargs), plain)
        torch.testing.assert_close(model(ids(40)).logits, logits, atol=2e-4, rtol=1e-4)
    assert torch.equal(model(ids(40)).logits, logits)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: t.T5ForConditionalGeneration(t.T5Config(vocab_size=97, d_model=16, d_kv=4, d_ff=16, num_layers=1, num_heads=2)), "layers"),
        (lambda: made(t.GPT2Config(vocab_size=97, n_embd=16, n_layer=1, n_head=2)), "list of layers|self_attn"),
        (lambda: made(t.MambaConfig(vocab_size=97, hidden_size=16, num_hidden_layers=1)), "self_attn|decoder"),
        (
            lambda: made(
                t.DeepseekV3Config(
                    **SIZES | {"num_key_value_heads": 4}, n_routed_experts=2, num_experts_per_tok=1, n_group=1, topk_group=1,
                    q_lora_rank=8, kv_lora_rank=8, qk_rope_head_dim=4, v_head_dim=8, qk_nope_head_dim=4, first_k_dense_replace=2,
                )
            ),
            "MLA",
        ),
    ],
)  # fmt: skip
def test_what_the_seams_do_not_fit_is_refused(make: Any, says: str) -> None:
    with pytest.raises(UserError, match=says), applied(make(), "snapkv"):
        pass


# ------------------------------------------------------------------ attention in blocks


@pytest.mark.parametrize(
    "spec",
    ["self-extend(group=3, window=9)", "streaming-llm(start=3, recent=12)", "a-shape(first=3, local=9)", "h2o(budget=12, recent=4)", "kivi(group=8, residual=16)"],
)  # fmt: skip
def test_small_blocks_change_nothing(llama: Any, spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, mask = padded(40, 31)
    kwargs = {"attention_mask": mask, "max_new_tokens": 5, "do_sample": False}
    with applied(llama, spec):
        whole = llama.generate(rows, **kwargs)
        logits = llama(rows, attention_mask=mask).logits
        monkeypatch.setattr(layers, "BLOCK", 2 * 4 * 40 * 7)
        assert torch.equal(llama.generate(rows, **kwargs), whole)
        torch.testing.assert_close(llama(rows, attention_mask=mask).logits[:, -5:], logits[:, -5:], atol=1e-4, rtol=1e-4)


def test_log_sum_exp_merges_two_halves(llama: Any) -> None:
    hold = Hold(llama, Stack.read("self-extend(group=2, window=6)").plan, "test")
    hold.install()
    try:
        layer = hold.layers[0]
        layer.scaling = 8**-0.5
        q, k, v = (torch.randn(1, n, 20, 8) for n in (4, 2, 2))
        pos = torch.arange(20)[None]
        look = layers.Look(layer, q, pos, None, k, pos[:, None])
        whole, lse = look.read(v, lse=True)
        (a, la), (b, lb) = look.read(v, lambda i, j: j < 7, lse=True), look.read(v, lambda i, j: j >= 7, lse=True)
        share = torch.sigmoid(la - lb)[..., None]
        # Early queries read nothing of the second half.
        share = torch.where(lb.isinf()[..., None], 1.0, share)
        torch.testing.assert_close(share * a + (1 - share) * b, whole, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(torch.logaddexp(la, lb), lse)
        torch.testing.assert_close(look.weights(0, 20).sum(-1), torch.ones(1, 4, 20))
    finally:
        hold.remove()


def test_vectors_turn_to_positions_of_their_own(llama: Any) -> None:
    turn = Turner(llama.model.rotary_emb, None, applier(llama.model.layers[0].self_attn))
    x, pos = torch.randn(3, 2, 5, 8), torch.randint(0, 60, (3, 2, 5))
    turned = turn(x, pos)
    for b in range(3):
        for h in range(2):
            torch.testing.assert_close(turned[b, h], turn(x[b : b + 1, h : h + 1], pos[b, h][None])[0, 0])
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1))


# ------------------------------------------------------------------ caches


def test_beams_go_through(llama: Any) -> None:
    kwargs = {"num_beams": 3, "max_new_tokens": 6, "do_sample": False, "attention_mask": torch.ones(1, 30)}
    plain = llama.generate(ids(30), **kwargs)
    with applied(llama, "kivi(group=8, residual=64)"):
        assert torch.equal(llama.generate(ids(30), **kwargs), plain)
    with applied(llama, "kivi(group=8, residual=16) + snapkv(budget=24, window=4)"):
        assert llama.generate(ids(30), **kwargs).shape == plain.shape


def test_a_users_own_assistant_is_heard(llama: Any) -> None:
    kwargs = {"max_new_tokens": 9, "do_sample": False, "attention_mask": torch.ones(1, 30)}
    plain = llama.generate(ids(30), **kwargs)
    with applied(llama, "self-extend(group=1, window=9)"):
        assert torch.equal(llama.generate(ids(30), prompt_lookup_num_tokens=4, **kwargs), plain)


def test_an_assistant_is_refused_where_guesses_cannot_be_taken_back(llama: Any) -> None:
    for spec in ("h2o(budget=12, recent=4)", "kivi(group=8, residual=8)", "streaming-llm"):
        with applied(llama, spec), pytest.raises(UserError, match="such as prompt-lookup"):
            llama.generate(ids(30), prompt_lookup_num_tokens=4, max_new_tokens=9, do_sample=False)


def test_caches_of_others_are_refused(llama: Any) -> None:
    past = llama(ids(9)).past_key_values
    with applied(llama, "snapkv"):
        with pytest.raises(UserError, match="made elsewhere"):
            llama(ids(3), past_key_values=past)
        with pytest.raises(UserError, match="made elsewhere"):
            llama.generate(ids(9), max_new_tokens=2, cache_implementation="static")
        ours = llama(ids(9)).past_key_values
    with applied(llama, "tova"), pytest.raises(UserError, match="other methods"):
        llama(ids(3), past_key_values=ours)
    with pytest.raises(UserError, match="under `applied`"):
        llama(ids(3), past_key_values=ours)


def test_masks_and_positions_of_other_forms_are_refused(llama: Any) -> None:
    with applied(llama, "snapkv"):
        with pytest.raises(UserError, match="attention_mask"):
            llama(ids(4), attention_mask=torch.ones(1, 1, 4, 4))
        with pytest.raises(UserError, match="position_ids"):
            llama(ids(4), position_ids=torch.zeros(3, 1, 4, dtype=torch.long))


def test_positions_that_are_given_are_used(llama: Any) -> None:
    pos = torch.arange(12)[None] * 3
    cache = t.DynamicCache(config=llama.config)
    plain = llama(ids(12), position_ids=pos, past_key_values=cache).logits
    for spec in ("snapkv", "self-extend(group=1)"):
        with applied(llama, spec):
            torch.testing.assert_close(llama(ids(12), position_ids=pos).logits, plain, atol=2e-4, rtol=1e-4)


def test_padding_without_positions_is_placed_by_the_mask(llama: Any) -> None:
    rows, mask = padded(20, 11)
    with applied(llama, "self-extend(group=4, window=4)"):
        both = llama(rows, attention_mask=mask).logits
        alone = llama(rows[1:, 9:]).logits
    torch.testing.assert_close(both[1, 9:], alone[0], atol=2e-4, rtol=1e-4)


def test_without_a_cache_it_is_the_same(llama: Any) -> None:
    rows, mask = padded(20, 11)
    with applied(llama, "self-extend(group=4, window=4)"):
        a = llama(rows, attention_mask=mask, use_cache=False)
        b = llama(rows, attention_mask=mask)
    assert a.past_key_values is None
    torch.testing.assert_close(a.logits[0], b.logits[0])


def a_store(llama: Any, rows: int, lengths: list[int], heads: int = 2) -> Store:
    """A store filled by hand: entry p of row b is the number 100 * b + p everywhere."""
    layer = layers.Layer(Plan(), llama, 0, 0, 1, True, None, 64, None)
    store = Store(layer, Ledger(None))
    width = max(lengths)
    pos = torch.tensor([[-1] * (width - n) + list(range(n)) for n in lengths])
    put(store, pos)
    return store


def put(store: Store, pos: Any) -> None:
    valid = pos >= 0
    step = layers.Step(store.layer, pos.clamp(min=0), None if valid.all() else valid, True, False, store)
    store.begin(step)
    x = (pos + 100 * torch.arange(len(pos))[:, None]).float()[:, None, :, None].expand(-1, 2, -1, 4)
    store.update(x, -x)


def check(store: Store, wanted: list[list[int]]) -> None:
    """Each row holds these positions, padding first, and keys and values are theirs."""
    keys, values = store.read()
    assert store.rows == [len(row) for row in wanted]
    for b, row in enumerate(wanted):
        pos = store.pos[b, 0].tolist()
        assert pos == [-1] * (len(pos) - len(row)) + row
        for p, k, v in zip(pos, keys[b, 1, :, 0].tolist(), values[b, 0, :, 2].tolist(), strict=True):
            if p >= 0:
                assert k == 100 * b + p and v == -k


def test_rows_of_a_store_end_together_whatever_happens(llama: Any) -> None:
    store = a_store(llama, 3, [6, 4, 1])
    check(store, [[0, 1, 2, 3, 4, 5], [0, 1, 2, 3], [0]])
    # A second turn whose rows differ the other way round.
    put(store, torch.tensor([[-1, -1, 6], [-1, 4, 5], [1, 2, 3]]))
    check(store, [[0, 1, 2, 3, 4, 5, 6], [0, 1, 2, 3, 4, 5], [0, 1, 2, 3]])
    assert store.get_seq_length() == 9
    store.keep(torch.tensor([[[-1, 5, 8], [-1, 5, 8]], [[6, 7, 8], [6, 7, 8]], [[6, 7, 8], [6, 7, 8]]]))
    check(store, [[3, 6], [3, 4, 5], [1, 2, 3]])
    store.retract([0, 2, 1])
    check(store, [[3, 6], [3], [1, 2]])
    store.batch_select_indices(torch.tensor([2, 2, 0]))
    assert store.rows == [2, 2, 2]
    store.batch_repeat_interleave(2)
    assert store.rows == [2] * 6
    with pytest.raises(UserError, match="evicted"):
        store.retract([6] * 6)
    store.reset()
    assert store.length == 0 and store.get_seq_length() == 0


def test_first_and_newest_entries_are_each_rows_own(llama: Any) -> None:
    store = a_store(llama, 3, [9, 5, 2])
    store.keep_ends(2, 3)
    check(store, [[0, 1, 6, 7, 8], [0, 1, 2, 3, 4], [0, 1]])
    store.keep_newest(2)
    check(store, [[7, 8], [3, 4], [0, 1]])


def test_tapes_grow_in_place_and_free_what_goes() -> None:
    tape = Tape()
    for n in (5, 1, 30, 1):
        tape.append(torch.full((2, 3, n, 4), float(n)))
    assert tape.length == 37 and tape.view[0, 0, :, 0].tolist() == [5.0] * 5 + [1.0] + [30.0] * 30 + [1.0]
    tape.take(torch.tensor([[[0, 36]]]).expand(2, 1, 2))
    assert tape.room.numel() == 2 * 3 * 2 * 4
    tape.cut(1)
    tape.append(torch.full((2, 3, 1, 4), 9.0))
    assert tape.view[1, 2, :, 0].tolist() == [5.0, 9.0]


def test_coded_rows_may_differ() -> None:
    tape = CodedTape(2, lambda x, _: (x.unflatten(2, (-1, 2)),), lambda coded, like: coded[0].flatten(2, 3))
    full = torch.arange(2 * 8.0).view(2, 1, 8, 1)
    tape.push(full, None, [8, 5], [4, 2])
    tape.push(full[:, :, 4:], None, [4, 3], [2, 2])
    assert tape.counts == [6, 4]
    coded = tape.read(full)
    assert coded[0, 0, :6, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert coded[1, 0, :4, 0].tolist() == [11, 12, 13, 14]
    joined = right_aligned(coded, tape.counts, full[:, :, 6:], [2, 1])
    assert joined[:, 0, :, 0].tolist() == [[0, 1, 2, 3, 4, 5, 6, 7], [0, 0, 0, 11, 12, 13, 14, 15]]


def test_of_equals_the_earlier_is_chosen() -> None:
    scores = torch.tensor([[1.0, 3.0, 3.0, 3.0, 0.0], [5.0, 5.0, 5.0, 5.0, 5.0]])
    assert stable_top(scores, 2).tolist() == [[1, 2], [0, 1]]
    assert stable_top(scores, [3, 1]).tolist() == [[1, 2, 3], [-1, -1, 0]]
    assert group_mean(torch.tensor([[1.0, 3.0, 5.0, 9.0]]), 2).tolist() == [[2.0, 7.0]]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays_near(llama: Any, dtype: Any) -> None:
    model = made(t.LlamaConfig(**SIZES)).to(dtype)
    for spec in ("self-extend(group=1, window=16)", "snapkv(budget=100)", "kivi(group=8, residual=64)"):
        plain = model(ids(30)).logits.float()
        with applied(model, spec):
            ours = model(ids(30)).logits
        assert ours.dtype == dtype
        assert (ours.float() - plain).abs().max() < 0.05 * plain.std() * 4
