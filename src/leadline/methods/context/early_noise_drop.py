"""END: an early layer tells informative pieces of a prompt from noise, and the noise is dropped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from leadline.methods.base import Facts, Fitted, Reader, UserError, keep, learnt
from leadline.methods.context._pieces import Piecewise, batches, states

CONTROL = "random"
"""The probe that knows nothing: a fixed random direction, to compare a trained one with."""


@dataclass(frozen=True, kw_only=True)
class EarlyNoiseDrop(Piecewise):
    """END: an early layer tells informative pieces of a prompt from noise, and the noise is dropped.

    Paper: Jin et al. 2025, arXiv:2502.18915; no public code.
    Claims: higher accuracy for less computation in RAG, table QA and in-context learning (no figures seen).
    Differs: which token is probed, how the probe is trained and whether kept pieces go on from the early layer were not
      to be had: here the last token's state, L2 logistic regression (`fit` in this file), and a fresh start; pieces are
      of equal length and overlap; if all are noise, the best one is kept.
    Shapes: ids (batch, tokens) -> columns (batch, kept).
    Cost: every token through the layers up to the probed one, in constant memory, then a prompt of the kept pieces;
      phase: prefill.
    """

    learnt: str = ""
    """File of the probe that `fit` trained for this model and these pieces; `random` for the control."""
    theta: float = 0.5
    """Probability of being informative below which a piece is dropped, 0 to 1; 0 drops none."""
    chunk: int = 128
    """Length of a piece [tokens]."""
    overlap: int = 32
    """What neighbouring pieces share; less than `chunk` [tokens]."""

    neutral = {"theta": 0.0}
    learns = ("chunk", "overlap", "question", "head")
    trial = {"learnt": CONTROL, "theta": 0.9, "chunk": 8, "overlap": 2, "question": 4, "head": 1}

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(theta=0 <= self.theta <= 1, chunk=self.chunk >= 1, overlap=0 <= self.overlap < self.chunk)

    def accept(self, model: Facts) -> None:
        if self.theta == 0 or self.learnt == CONTROL:
            return
        if not self.learnt:
            raise UserError(f"{self.id()} needs a probe trained for this model: learnt=FILE, which `leadline.fit` writes")
        learnt(self, model.model)

    def chosen(self, reader: Reader, ids: Tensor) -> Tensor:
        spans = self.windows(len(ids), self.chunk, self.overlap)
        if self.theta == 0 or len(spans) == 1:
            return torch.ones_like(ids, dtype=torch.bool)
        if self.learnt == CONTROL:
            (x,) = self.features(reader.decoder, ids, spans, [int(0.4 * reader.layers)])
            weight = torch.randn(x.shape[1], generator=torch.Generator().manual_seed(0)).to(x)
            chances = torch.sigmoid(torch.nn.functional.normalize(x) @ weight)
        else:
            tensors, told = learnt(self, reader.model)
            x = self.features(reader.decoder, ids, spans, [int(told["layer"])])[0]
            chances = torch.sigmoid(x @ tensors["weight"].to(x) + tensors["bias"].to(x))
        kept = (chances >= self.theta).tolist()
        kept[int(chances.argmax())] = True
        return self.spread(len(ids), [span for span, good in zip(spans, kept, strict=True) if good], ids)

    def features(self, decoder: Any, ids: Tensor, spans: Iterable[tuple[int, int]], layers: Sequence[int]) -> list[Tensor]:
        """For each layer, the last token's state after each piece with the question (pieces, hidden), float32."""
        rows = [self.asked(ids, ids[a:b]) for a, b in spans]
        found = [[x[:, -1].float() for x in states(decoder, *batch, layers)] for batch in batches(rows)]
        return [torch.cat(parts) for parts in zip(*found, strict=True)]

    def fit(
        self,
        model: Any,
        batches: Iterable[tuple[Sequence[int], Sequence[tuple[int, int]]]],
        seed: int = 0,
        *,
        layers: Sequence[int] | None = None,
        strength: float = 1.0,
    ) -> Fitted:
        """Train a probe; the model stays as it is.

        The last fifth of the shuffled prompts is held out; the layer that tells best there is taken.

        Args:
            model: a causal language model of transformers.
            batches: prompts: token ids of each with the spans of its evidence [tokens]; none that is evaluated later.
            seed: of the shuffling.
            layers: candidates, 0 the lowest; the lower half if not said.
            strength: inverse of the penalty of the weights, as in common libraries' C.

        Returns:
            Figures `layer`; `auc`, of each candidate on the held-out prompts; there, of the layer taken and for `theta`,
            `recall` of informative pieces and share of all pieces `kept`.

        Raises:
            UserError: no prompt whose evidence lies whole in a piece, or none held out.
        """
        prompts, decoder = list(batches), model.get_decoder()
        candidates = sorted(layers if layers is not None else range((len(decoder.layers) + 1) // 2))
        found: list[tuple[list[Tensor], Tensor]] = []
        with torch.no_grad():
            for at in torch.randperm(len(prompts), generator=torch.Generator().manual_seed(seed)).tolist():
                ids, evidence = torch.tensor(list(prompts[at][0]), device=model.device), prompts[at][1]
                spans = self.windows(len(ids), self.chunk, self.overlap)
                labels = torch.tensor([max((_share(span, e) for e in evidence), default=0.0) for span in spans])
                # A piece that holds a part of the evidence is neither.
                clear = ((labels == 0) | (labels == 1)).nonzero()[:, 0].tolist()
                x = self.features(decoder, ids, [spans[i] for i in clear], candidates) if clear else []
                found += [([one.cpu().double() for one in x], labels[clear].double())] if clear else []
        held = max(1, len(found) // 5)
        train, test = found[:-held], found[-held:]
        y, truth = (torch.cat([labels for _, labels in part] or [torch.empty(0)]) for part in (train, test))
        if not (0 < y.sum() < len(y) and 0 < truth.sum() < len(truth)):
            raise UserError(
                "a probe needs informative and other pieces, both to learn from and to be tried on: give more prompts"
            )
        auc, probes = {}, {}
        for place, layer in enumerate(candidates):
            x, tried = (torch.cat([xs[place] for xs, _ in part]) for part in (train, test))
            mean, scale = x.mean(0), x.std(0).clamp(min=1e-6)
            weight = logistic((x - mean) / scale, y, strength)
            w, bias = weight[:-1] / scale, weight[-1:] - weight[:-1] / scale @ mean
            probes[layer], auc[layer] = (w.float(), bias.float(), torch.sigmoid(tried @ w + bias)), _auc(tried @ w, truth)
        best = max(candidates, key=lambda layer: auc[layer])
        w, bias, chances = probes[best]
        method = keep(self, model, {"weight": w, "bias": bias}, prompts, seed, layer=str(best))
        kept = chances >= self.theta
        recall = float(kept[truth == 1].double().mean())
        return Fitted(method, {"layer": best, "auc": auc, "recall": recall, "kept": float(kept.double().mean())})


def logistic(x: Tensor, y: Tensor, strength: float) -> Tensor:
    """Weights and, last, the bias of a logistic regression whose two classes weigh alike (features + 1,), by Newton.

    Args:
        x: (samples, features), float64.
        y: (samples,), 0 or 1.
        strength: inverse of the penalty of the weights; the bias has none.
    """
    share = y.mean()
    counts = torch.where(y > 0, 0.5 / share, 0.5 / (1 - share))
    x = torch.cat([x, x.new_ones(len(x), 1)], 1)
    ridge = torch.full((x.shape[1],), 1 / strength, dtype=x.dtype)
    ridge[-1] = 0

    def loss(w: Tensor) -> Tensor:
        z = x @ w
        return (counts * (torch.nn.functional.softplus(z) - y * z)).sum() + 0.5 * (ridge * w * w).sum()

    w = x.new_zeros(x.shape[1])
    for _ in range(100):
        p = torch.sigmoid(x @ w)
        slope = x.T @ (counts * (p - y)) + ridge * w
        curve = (x.T * (counts * p * (1 - p))) @ x + torch.diag(ridge + 1e-9)
        step = torch.linalg.solve(curve, slope)
        # Far from the end a whole step may lead away.
        while loss(w - step) > loss(w) and step.abs().max() > 1e-10:
            step = step / 2
        w = w - step
        if step.abs().max() < 1e-8:
            break
    return w


def _share(span: tuple[int, int], evidence: tuple[int, int]) -> float:
    """How much of the evidence lies in a span, 0 to 1."""
    return max(0, min(span[1], evidence[1]) - max(span[0], evidence[0])) / (evidence[1] - evidence[0])


def _auc(scores: Tensor, labels: Tensor) -> float:
    """Chance that an informative piece scores above another one."""
    good, bad = scores[labels == 1], scores[labels == 0].sort().values
    below, upto = torch.searchsorted(bad, good), torch.searchsorted(bad, good, right=True)
    return float((below + upto).double().mean() / (2 * len(bad)))


def check(lab: Any) -> Any:
    """A probe trained on minnow tells pieces apart; with it the needle is read at 4x; a random probe is the control."""
    cut: dict[str, Any] = {"chunk": 96, "overlap": 32, "question": 24}
    train = [lab.ids(p) for length in (512, 1024) for p in lab.prompts(length=length, n=60, seed=99)]
    fitted = EarlyNoiseDrop(**cut).fit(lab.minnow.module, train, layers=[0, 1, 2])
    told = ", ".join(f"{name}={value}" for name, value in cut.items())
    spec = f"early-noise-drop(learnt={{}}, theta={{}}, {told})"
    learnt_file = repr(vars(fitted.method)["learnt"])
    ours = lab.ask(spec.format(learnt_file, 0.5), length=2048)
    plain, control = lab.ask(length=2048), lab.ask(spec.format(CONTROL, 0.5), length=2048)
    times = [lab.ask(one, length=4096, n=3, timed=True) for one in ("", spec.format(learnt_file, 0.5))]
    auc = max(fitted.figures["auc"].values())
    compute = times[1].ttft_s / times[0].ttft_s
    return lab.finding(
        holds=auc > 0.9 and ours.low > plain.high and compute < 1,
        figure=f"AUC {auc:.3f} on held-out prompts (layer {fitted.figures['layer']}, {fitted.figures['kept']:.2f} of pieces "
        f"kept); needle at 4x {ours}, plain {plain}; prefill of 4k takes {compute:.2f} of the plain time",
        control=f"random probe {control}",
        control_holds=control.low > plain.high,
    )
