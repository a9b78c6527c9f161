"""END against the plain model's hidden states, its probe against another solver, and what the probe learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from leadline import applied  # noqa: E402
from leadline.methods._stack import Stack  # noqa: E402
from leadline.methods.context.early_noise_drop import EarlyNoiseDrop, logistic  # noqa: E402
from leadline.nouns import UserError  # noqa: E402

from .conftest import generated, words  # noqa: E402

CUT = {"chunk": 8, "overlap": 2, "question": 4, "head": 1}
MARK = [5, 6, 7]
"""A run whose presence is all that the probe is to find."""


def marked(count: int, seed: int) -> list[tuple[list[int], list[tuple[int, int]]]]:
    """Prompts of 40 tokens with one question, of which three are MARK, with where they are."""
    found = []
    for i in range(count):
        ids = [w + 5 if w in MARK else w for w in words(36, 1000 * seed + i)] + words(4, 9)
        at = 1 + int(torch.randint(33, (1,), generator=torch.Generator().manual_seed(1000 * seed + i)))
        ids[at : at + 3] = MARK
        found.append((ids, [(at, at + 3)]))
    return found


@pytest.fixture(scope="module")
def trained(tiny: Any) -> tuple[Path, dict[str, Any]]:
    fitted = EarlyNoiseDrop(**CUT).fit(tiny("llama"), marked(150, 1), layers=[0, 1])
    return Path(fitted.method.learnt), dict(fitted.figures)


def naive_early_noise_drop(model: Any, path: Path, layer: int, ids: list[int], theta: float) -> list[int]:
    """Kept tokens, piece by piece, from the whole model's hidden states."""
    from safetensors.torch import load_file

    probe = load_file(path)
    starts = [*range(1, len(ids) - 4 - 8, 6), len(ids) - 12]
    chances = []
    for a in starts:
        with torch.no_grad():
            row = torch.tensor([ids[:1] + ids[a : a + 8] + ids[-4:]])
            caught: list[Any] = []
            # The last hidden state that transformers returns is normalised; the layer's own output is not.
            hook = model.model.layers[layer].register_forward_hook(lambda m, a, out, caught=caught: caught.append(out))
            model(row)
            hook.remove()
        x = caught[0][0, -1].tolist()
        z = sum(a * b for a, b in zip(x, probe["weight"].tolist(), strict=True)) + float(probe["bias"])
        chances.append(float(torch.sigmoid(torch.tensor(z))))
    kept = {a for a, p in zip(starts, chances, strict=True) if p >= theta} or {starts[chances.index(max(chances))]}
    return [t for j, t in enumerate(ids) if j < 1 or j >= len(ids) - 4 or any(a <= j < a + 8 for a in kept)]


def test_it_answers_as_the_plain_model_on_what_it_keeps(tiny: Any, trained: Any) -> None:
    model, (path, told) = tiny("llama"), trained
    lengths = set()
    for ids, _ in marked(4, 2):
        for theta in (0.3, 0.9999):
            kept = naive_early_noise_drop(model, path, told["layer"], ids, theta)
            lengths.add(len(kept))
            wanted = generated(model, kept)
            with applied(
                model, f"early-noise-drop(learnt={str(path)!r}, theta={theta}, chunk=8, overlap=2, question=4, head=1)"
            ):
                assert generated(model, ids) == wanted
    assert max(lengths) < 40


def test_the_probe_finds_what_it_was_trained_for_and_chance_does_not(tiny: Any, trained: Any) -> None:
    assert max(trained[1]["auc"].values()) > 0.85
    mixed = [(ids, evidence) for (ids, _), (_, evidence) in zip(marked(150, 1), marked(150, 3), strict=True)]
    told = EarlyNoiseDrop(**CUT).fit(tiny("llama"), mixed, layers=[0, 1]).figures
    assert max(told["auc"].values()) < 0.7, told


def test_a_higher_threshold_never_adds(tiny: Any, trained: Any) -> None:
    from leadline.models.seams.hold import Hold, Reader

    ids, kept = torch.tensor(marked(1, 4)[0][0]), None
    for theta in (0.0, 0.1, 0.5, 0.9, 0.999, 1.0):
        method = EarlyNoiseDrop(learnt=str(trained[0]), theta=theta, **CUT)
        hold = Hold(tiny("llama"), Stack((method,)).plan, "end")
        hold.install()
        with torch.no_grad():
            now = method.chosen(Reader(hold), ids)
        hold.remove()
        assert kept is None or not (now & ~kept).any()
        kept = now


def test_the_solver_reaches_the_least_loss() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(60, 5, generator=generator, dtype=torch.float64)
    y = (x[:, 0] + 0.5 * torch.randn(60, generator=generator, dtype=torch.float64) > 0.7).double()
    w = logistic(x, y, 2.0).requires_grad_()
    counts = torch.where(y > 0, 30 / y.sum(), 30 / (60 - y.sum())) / 60 * 1.0
    z = x @ w[:-1] + w[-1]
    # Balanced classes: each has half of the weight, in all 1.
    loss = (counts / counts.sum() * torch.nn.functional.binary_cross_entropy_with_logits(z, y, reduction="none")).sum()
    (60 * loss + 0.25 * (w[:-1] ** 2).sum()).backward()
    assert w.grad is not None and w.grad.abs().max() < 1e-6
    # Nothing to learn: no weight, and a bias that says even odds.
    assert logistic(torch.zeros(9, 2, dtype=torch.float64), torch.tensor([1.0] + [0.0] * 8).double(), 1.0).abs().max() < 1e-6


def test_layers_above_the_probe_are_not_run_on_what_is_dropped(tiny: Any) -> None:
    model, ran = tiny("llama", num_hidden_layers=5), []
    hooks = [
        block.register_forward_pre_hook(lambda m, a, i=i: ran.append((i, a[0].shape[0], a[0].shape[1])))
        for i, block in enumerate(model.model.layers)
    ]
    with applied(model, "early-noise-drop(learnt=random, theta=1.0, chunk=8, overlap=2, question=4, head=1)"):
        generated(model, words(41), 1)
    for hook in hooks:
        hook.remove()
    assert ran == [(i, 6, 13) for i in range(3)] + [(i, 1, 13) for i in range(5)]


def test_probes_that_do_not_fit_are_refused(tiny: Any, trained: Any) -> None:
    path, cut = str(trained[0]), "chunk=8, overlap=2, question=4, head=1"
    for spec, model, says in [
        ("early-noise-drop", tiny("llama"), "needs a probe"),
        ("early-noise-drop(learnt=nowhere)", tiny("llama"), "there is no file"),
        (f"early-noise-drop(learnt={path!r})", tiny("llama"), "settings 'chunk=8"),
        (f"early-noise-drop(learnt={path!r}, {cut})", tiny("llama", hidden_size=16), "other weights"),
        (f"early-noise-drop(learnt={path!r}, {cut})", tiny("qwen2"), "other weights"),
    ]:
        with pytest.raises(UserError, match=says), applied(model, spec):
            generated(model, words(40))
    with pytest.raises(UserError, match="theta"):
        Stack.read("early-noise-drop(theta=1.5)")
    with pytest.raises(UserError, match="more prompts"):
        EarlyNoiseDrop(**CUT).fit(tiny("llama"), marked(1, 1))
