"""The local models: their answers are transformers' own, alone, padded, in chunks and from shared prefixes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from leadline.models.batches import Request  # noqa: E402
from leadline.models.local import LocalModel, load  # noqa: E402
from leadline.nouns import Answer, UserError  # noqa: E402

from .conftest import prose  # noqa: E402

Checkpoint = Callable[..., Path]
FAMILIES = ["llama", "qwen2", "qwen3", "mistral", "gemma3", "phi3"]


def local(folder: Path, **changes: object) -> LocalModel:
    model = load(f"local/{folder}", dtype="float32", device="cpu")
    for name, value in changes.items():
        setattr(model, name, value)
    return model


@pytest.fixture(scope="session")
def llama(checkpoint: Checkpoint) -> Path:
    return checkpoint("llama")


def by_transformers(model: LocalModel, request: Request) -> str:
    """The slow, obvious reference."""
    ids = torch.tensor([model.tokenizer.ids(request.text)])
    with torch.no_grad():
        out = model.module.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=request.max_tokens
        )
    return model._decode(out[0, ids.shape[1] :].tolist())


def mixed(lengths: tuple[int, ...] = (3, 70, 31, 12, 45), room: int = 12) -> list[Request]:
    return [Request(prose(n, seed=n), room) for n in lengths]


@pytest.mark.parametrize("family", FAMILIES)
def test_row_of_a_padded_batch_is_what_transformers_gives_alone(checkpoint: Checkpoint, family: str) -> None:
    model = local(checkpoint(family))
    requests = mixed()
    answers = model.generate(requests)
    assert [a.text for a in answers] == [by_transformers(model, r) for r in requests]
    assert [a.text for a in answers] == [model.generate([r])[0].text for r in requests]
    assert len({a.text for a in answers}) == len(answers), "a model that always says the same tests nothing"
    assert all(a.stop == "length" and a.output_tokens == 12 for a in answers)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_chunks_change_nothing(checkpoint: Checkpoint, family: str, chunk: int) -> None:
    requests = mixed((3, 40, 21), 6)
    at_once = local(checkpoint(family)).generate(requests)
    in_chunks = local(checkpoint(family), chunk_tokens=chunk).generate(requests)
    assert [a.text for a in in_chunks] == [a.text for a in at_once]


@pytest.mark.parametrize("family", FAMILIES)
def test_shared_prefix_changes_nothing_and_is_read_once(checkpoint: Checkpoint, family: str) -> None:
    head = prose(150, seed=1)
    requests = [Request(head + " " + prose(n, seed=n), 8) for n in (2, 30, 9, 5)]
    apart = local(checkpoint(family), share_prefix=False)
    shared = local(checkpoint(family))
    expected = apart.generate(requests)
    answers = shared.generate(requests)
    assert [a.text for a in answers] == [a.text for a in expected]
    tokens = len(shared.tokenizer.ids(head)) - 1
    assert [a.cached_tokens for a in expected] == [0] * 4
    assert sorted(a.cached_tokens or 0 for a in answers)[0] == 0
    assert all(tokens - 100 < (a.cached_tokens or 0) <= tokens + 1 for a in answers if a.cached_tokens)
    assert shared.prefilled < 0.6 * apart.prefilled
    again = shared.generate(requests[:1])[0]
    assert again.text == expected[0].text and (again.cached_tokens or 0) >= tokens


@pytest.mark.parametrize("family", ["llama", "mistral"])
def test_prefix_shorter_than_the_padding(checkpoint: Checkpoint, family: str) -> None:
    head = prose(60, seed=6)
    requests = [Request(head + " " + prose(n, seed=n), 6) for n in (1, 150, 4)]
    model = local(checkpoint(family))
    assert [a.text for a in model.generate(requests)] == [by_transformers(model, r) for r in requests]


def test_kept_head_serves_a_later_call(llama: Path) -> None:
    model = local(llama)
    head = prose(200, seed=3)
    first, second = (Request(f"{head}\n{q}", 6, shared_chars=len(head)) for q in ("what is ba?", "who is zor?"))
    tokens = len(model.tokenizer.ids(head))
    assert model.generate([first])[0].cached_tokens == 0
    before = model.prefilled
    answer = model.generate([second])[0]
    assert tokens - 2 <= (answer.cached_tokens or 0) <= tokens
    assert model.prefilled - before < 16
    assert answer.text == by_transformers(model, second)
    model.forget()
    assert model.generate([second])[0].cached_tokens == 0


def test_prompts_over_two_heads_in_any_order(llama: Path) -> None:
    heads = [prose(120, seed=8), prose(90, seed=9)]
    requests = [Request(heads[i % 2] + prose(4, seed=i), 5) for i in range(6)] + mixed((5, 20), 5)
    model, apart = local(llama), local(llama, share_prefix=False)
    assert [a.text for a in model.generate(requests)] == [a.text for a in apart.generate(requests)]
    assert model.prefilled < 0.7 * apart.prefilled


def test_the_same_prompt_twice(llama: Path) -> None:
    model = local(llama)
    request = Request(prose(100), 5)
    a, b = model.generate([request, request])
    assert a.text == b.text == by_transformers(model, request)


def test_stops_at_every_end_token_of_the_generation_config(llama: Path) -> None:
    model = local(llama)
    request = Request(prose(10, seed=4), 12)
    ids = torch.tensor([model.tokenizer.ids(request.text)])
    said = model.module.generate(ids, do_sample=False, max_new_tokens=12)[0, ids.shape[1] :].tolist()
    model._ends = frozenset({1, said[4]})
    answer = model.generate([request])[0]
    taken = said.index(said[4])
    assert (answer.stop, answer.text, answer.output_tokens) == ("stop", model._decode(said[:taken]), taken + 1)


def test_end_tokens_are_read_from_the_files(checkpoint: Checkpoint) -> None:
    assert local(checkpoint("llama", eos_token_id=[1, 5, 9]))._ends == {1, 5, 9}


def test_text_is_cut_before_the_first_stop_string(llama: Path) -> None:
    model = local(llama)
    request = Request(prose(10, seed=4), 12)
    whole = model.generate([request])[0].text
    stop = whole[9:12]
    answer = model.generate([replace(request, stop=("not said", stop))])[0]
    assert answer.text == whole[: whole.index(stop)] and answer.stop == "stop"
    assert (answer.output_tokens or 0) < 12
    assert model.generate([replace(request, stop=("not said",))])[0].text == whole


def test_special_tokens_can_be_stop_strings(llama: Path) -> None:
    model = local(llama)
    request = Request(prose(10, seed=4), 12)
    ids = torch.tensor([model.tokenizer.ids(request.text)])
    fourth = int(model.module.generate(ids, do_sample=False, max_new_tokens=4)[0, -1])
    model._special["<|done|>"] = fourth
    answer = model.generate([replace(request, stop=("<|done|>",))])[0]
    assert answer.stop == "stop" and (answer.output_tokens or 0) <= 4


def test_sampling_is_by_the_seed_of_each_request(llama: Path) -> None:
    model = local(llama)
    text = prose(20)
    requests = [Request(text, 12, temperature=1.5, seed=s) for s in (1, 2, 1)] + mixed()
    one, two, again, *_ = model.generate(requests)
    assert one.text == again.text != two.text
    assert model.generate([requests[1]])[0].text == two.text
    cold = replace(requests[0], temperature=1e-4)
    assert model.generate([cold])[0].text == model.generate([replace(cold, temperature=0.0)])[0].text


def test_prompt_over_the_window_is_not_asked(llama: Path) -> None:
    model = local(llama)
    assert model.window == 512
    long = Request(prose(600), 4)
    answer, fine = model.generate([long, Request("ba", 4)])
    assert answer.stop == "window" and "512" in answer.error and (answer.prompt_tokens or 0) > 512
    assert fine.stop in {"stop", "length"} and fine.text
    model.enforce_window = False
    assert model.generate([long])[0].stop in {"stop", "length"}


@pytest.mark.parametrize(
    ("changes", "window"),
    [
        ({}, 512),
        ({"trained_window": 128}, 128),
        (
            {
                "rope_parameters": {
                    "rope_type": "yarn",
                    "rope_theta": 1e4,
                    "factor": 4.0,
                    "original_max_position_embeddings": 512,
                }
            },
            2048,
        ),
    ],
)
def test_window(checkpoint: Checkpoint, changes: dict[str, object], window: int) -> None:
    assert local(checkpoint("llama", **changes)).window == window


def test_figures_of_an_answer(llama: Path) -> None:
    model = local(llama)
    request = Request(prose(100), 10)
    answer = model.generate([request])[0]
    tokens = len(model.tokenizer.ids(request.text))
    assert (answer.prompt_tokens, answer.output_tokens, answer.cached_tokens) == (tokens, 10, 0)
    assert answer.seconds and answer.ttft_s and answer.token_s
    assert answer.seconds == pytest.approx(answer.ttft_s + 9 * answer.token_s)
    # 3 layers, keys and values, 2 heads of 16, float32; the last token is never fed.
    one = 3 * 2 * 2 * 16 * 4
    assert answer.cache_bytes is not None and answer.peak_bytes is not None
    assert (tokens + 9) * one <= answer.cache_bytes <= (tokens + 9 + 16) * one
    batch = model.generate([request, Request(prose(90, seed=2), 10)])
    assert batch[0].cache_bytes == batch[1].cache_bytes
    assert batch[0].cache_bytes is not None and batch[0].cache_bytes >= (tokens + 9) * one


def test_sliding_layers_keep_only_their_window(checkpoint: Checkpoint) -> None:
    request = Request(prose(200), 4)
    full, sliding = (local(checkpoint(f)).generate([request])[0].cache_bytes or 0 for f in ("llama", "mistral"))
    assert sliding < full / 5


def test_peak_sees_large_tensors() -> None:
    from leadline.models.memory import Peak

    peak = Peak(torch.device("cpu"))
    if peak.bytes() is None:
        pytest.skip("peaks are measured on Linux only")
    held = torch.ones(64 * 2**20 // 4)
    del held
    assert 63 * 2**20 < (peak.bytes() or 0) < 96 * 2**20
    assert (Peak(torch.device("cpu")).bytes() or 0) < 32 * 2**20


class Crowded:
    """Runs out of memory whenever more than `rows` rows or `tokens` tokens are fed at once."""

    def __init__(self, model: LocalModel, rows: int, tokens: int = 10**9) -> None:
        self.inner, self.rows, self.tokens, self.seen = model.module.forward, rows, tokens, []

    def __call__(self, input_ids: torch.Tensor, **kwargs: object) -> object:
        self.seen.append(tuple(input_ids.shape))
        cache = kwargs.get("past_key_values")
        if input_ids.shape[0] > self.rows or cache.get_seq_length() + input_ids.shape[1] > self.tokens:  # type: ignore[union-attr]
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate more\nand so on")
        return self.inner(input_ids=input_ids, **kwargs)


def crowd(model: LocalModel, monkeypatch: pytest.MonkeyPatch, **limits: int) -> Crowded:
    crowded = Crowded(model, **limits)
    monkeypatch.setattr(model.module, "forward", crowded)
    return crowded


def test_out_of_memory_halves_the_batch(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = local(llama)
    requests = mixed()
    expected = [a.text for a in model.generate(requests)]
    crowded = crowd(model, monkeypatch, rows=2)
    assert [a.text for a in model.generate(requests)] == expected
    assert max(shape[0] for shape in crowded.seen) == 5
    head = prose(100, seed=5)
    shared = [Request(head + prose(3, seed=i), 4) for i in range(4)]
    assert [a.text for a in model.generate(shared)] == [by_transformers(model, r) for r in shared]


def test_row_that_does_not_fit_is_an_error_of_its_own(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = local(llama)
    crowd(model, monkeypatch, rows=9, tokens=60)
    short, long = model.generate([Request("ba de", 4), Request(prose(200), 4)])
    assert short.stop == "length"
    assert long.stop == "error" and long.error == "out of memory: CUDA out of memory. Tried to allocate more"


def test_other_errors_are_not_hidden(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = local(llama)

    def broken(**_: object) -> None:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(model.module, "forward", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        model.generate([Request("ba", 2)])


def test_output_that_is_no_number_is_an_error(llama: Path) -> None:
    model = local(llama)
    with torch.no_grad():
        model.module.model.norm.weight.fill_(float("nan"))
    assert model.generate([Request("ba", 2)])[0].stop == "error"


def test_a_cache_of_ones_own(llama: Path) -> None:
    from transformers import DynamicCache

    requests = mixed((4, 90, 90), 6)
    expected = [a.text for a in local(llama).generate(requests)]
    model = local(llama)
    made = []

    def make() -> DynamicCache:
        made.append(DynamicCache())
        return made[-1]

    model.make_cache = make
    assert [a.text for a in model.generate(requests)] == expected
    assert made


def test_identity(checkpoint: Checkpoint, llama: Path, tmp_path: Path) -> None:
    import shutil

    one = local(llama).identity
    assert one == local(llama).identity and len(one) == 16
    assert one != load(f"local/{llama}", dtype="bfloat16").identity
    assert one != local(checkpoint("llama", trained_window=128)).identity
    moved = tmp_path / "moved"
    shutil.copytree(llama, moved)
    assert local(moved).identity == one
    model = local(moved)
    with torch.no_grad():
        model.module.model.norm.weight += 1
    model.module.save_pretrained(moved)
    assert local(moved).identity != one


def test_hashes_are_kept_by_time_and_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import hashlib

    from leadline.models import weights

    file = tmp_path / "a"
    file.write_bytes(b"one")
    digest = weights.file_hash(file)
    assert digest == hashlib.sha256(b"one").hexdigest()
    monkeypatch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("hashed again"))
    assert weights.file_hash(file) == digest


def test_dtypes(checkpoint: Checkpoint) -> None:
    folder = checkpoint("llama", dtype="bfloat16")
    assert load(f"local/{folder}").dtype == torch.bfloat16
    assert load(f"local/{folder}", dtype="float32").dtype == torch.float32
    answer: Answer = load(f"local/{folder}").generate([Request("ba de", 3)])[0]
    assert answer.stop in {"stop", "length"}


def test_minnow_is_float32_and_asked_beyond_its_window(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    from leadline.models import local as module

    folder = checkpoint("llama", dtype="bfloat16")
    tokens = module.load_tokenizer
    monkeypatch.setattr(module, "locate", lambda spec, code: folder)
    monkeypatch.setattr(module, "load_tokenizer", lambda spec: tokens(str(folder)))
    model = load("minnow", device="cpu")
    assert model.dtype == torch.float32 and model.window == 512
    assert model.generate([Request(prose(600), 3)])[0].stop in {"stop", "length"}


@pytest.mark.parametrize(
    "request_",
    [Request("ba", 0), Request("ba", 3, temperature=-1.0), Request("ba", 3, stop=("",))],
)
def test_requests_that_make_no_sense(llama: Path, request_: Request) -> None:
    with pytest.raises(UserError):
        local(llama).generate([request_])


@pytest.mark.gpu
def test_on_a_gpu(checkpoint: Checkpoint) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    head = prose(150, seed=1)
    requests = mixed() + [Request(head + prose(n, seed=n), 8) for n in (2, 30, 9)]
    for family in FAMILIES:
        folder = checkpoint(family)
        here, there = local(folder), load(f"local/{folder}", dtype="float32", device="cuda")
        answers = there.generate(requests)
        assert [a.text for a in answers] == [a.text for a in here.generate(requests)]
        assert all(a.peak_bytes and a.cache_bytes and a.peak_bytes >= a.cache_bytes for a in answers)


def test_nothing_asked(llama: Path) -> None:
    assert local(llama).generate([]) == []
