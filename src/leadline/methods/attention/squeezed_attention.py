"""Squeezed attention: cluster the keys of a fixed context, and read those of the clusters that matter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from leadline.methods.attention._kmeans import kmeans
from leadline.methods.attention._row import Row, by_row
from leadline.methods.base import Attention, Method, Step, Store

NOTE = "squeezed-attention"
"""Where a store keeps each key's cluster, counted from 1 (0 is always read), and the clusters."""
WINDOW = "squeezed-attention-window"
"""Where a store keeps the last queries of the context, and whether it is known to have ended."""


@dataclass(frozen=True, kw_only=True)
class SqueezedAttention(Method, Attention):
    """Squeezed attention: cluster the keys of a fixed context, and read those of the clusters that matter.

    Paper: Hooper et al., ACL 2025, arXiv:2411.09688, section 4; official code
      https://github.com/SqueezeAILab/SqueezedAttention@4a50c64, Apache-2.0.
    Claims: 3.1 times fewer keys without noticeable loss, 8 times at half a point (LongBench).
    Differs: the fixed context is the first prompt fed to a cache, read densely and clustered when it has ended (the code
      loads clusters from files); one level of clusters; grouped heads and batches; the observed tokens are always
      read; where one prompt holds context and question, the question is among the observed; plain PyTorch, no kernel.
    Shapes: centroids (batch, kv_heads, clusters, head_dim) -> clusters read (batch, heads, clusters).
    Cost: k-means once, O(clusters * keys) per round; then O(clusters + keep * keys) per token, in memory the centroids
      and 4 bytes for each key; phase: prefill and decode.
    """

    keep: float = 0.3
    """Share of the context's keys that is read, on average over layers and heads (0 to 1); the paper has 0.3 and 0.1."""
    clusters: float = 0.05
    """Clusters for each key of the context (more than 0, at most 1)."""
    observed: int = 100
    """Last tokens of the context that the threshold is set by, and that are always read (1 or more) [tokens]."""

    neutral = {"keep": 1.0, "observed": 4}
    trial = {"keep": 0.3, "clusters": 0.4, "observed": 4}
    phases = frozenset({"prefill", "decode"})
    excepts = {3: "a later turn reads the first prompt by its clusters, one long prompt reads itself in full"}

    def __post_init__(self) -> None:
        self.require(keep=0 <= self.keep <= 1, clusters=0 < self.clusters <= 1, observed=self.observed >= 1)

    def attend(self, step: Step, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        store = step.store
        if store is None:
            return step.dense(v)
        if NOTE not in store.notes:
            ended = WINDOW in store.state and (not step.prefill or store.state[WINDOW][1])
            if not ended:
                self._remember(store, step)
                return step.dense(v)
            self._squeeze(step)
        return by_row(step, q, k, v, lambda row: self._row(step, store, row))

    def _remember(self, store: Store, step: Step) -> None:
        """Keep the last queries of the context so far, whatever pieces it comes in."""
        if not step.prefill:
            return
        pos = step.q_pos if step.valid is None else step.q_pos.masked_fill(~step.valid, -1)
        q = step.q
        if WINDOW in store.state:
            (q_before, pos_before), _ = store.state[WINDOW]
            q, pos = torch.cat([q_before, q], 2), torch.cat([pos_before, pos], 1)
        # Padding goes to the left, so that the newest queries of all rows stand together.
        order = (pos >= 0).byte().sort(dim=-1, stable=True).indices[:, -self.observed :]
        q = q.gather(2, order[:, None, :, None].expand(-1, q.shape[1], -1, q.shape[3]))
        store.state[WINDOW] = (q, pos.gather(1, order)), step.complete

    def _squeeze(self, step: Step) -> None:
        """Cluster the context in all layers at once, since they share the threshold."""
        assert step.store is not None
        stores = [store for store in step.store.ledger.stores if WINDOW in store.state]
        batch, none = step.look.batch, [0] * step.look.batch
        fresh = [step.look.queries] * batch if step.valid is None else step.valid.sum(-1).tolist()
        # Only this layer's store has the new tokens already.
        parts = [self._cluster(store, fresh if store is step.store else none) for store in stores]
        rows = [np.concatenate([part[b] for part in parts]) for b in range(batch)]
        tau = [np.quantile(row, 1 - self.keep) if len(row) and self.keep < 1 else -np.inf for row in rows]
        for store in stores:
            centroids, sizes = store.state[NOTE]
            store.state[NOTE] = centroids, sizes, centroids.new_tensor(tau)

    def _cluster(self, store: Store, fresh: list[int]) -> list[np.ndarray]:
        """Cluster one layer's keys but the newest `fresh` of each row and the observed ones.

        Returns:
            For each row, the estimated weight of each key for each head, the mean over the observed queries.
        """
        (q, pos), _ = store.state.pop(WINDOW)
        q, k = store.look(q, pos.clamp(min=0), pos >= 0).placed[0]
        batch, kv_heads, length, dim = k.shape
        groups, labels = q.shape[1] // kv_heads, torch.zeros(k.shape[:3], dtype=torch.int32, device=k.device)
        first = (store.pos[:, 0] < 0).sum(-1).tolist()
        last = [length - new - n for new, n in zip(fresh, (pos >= 0).sum(-1).tolist(), strict=True)]
        counts = [round(max(b - a, 0) * self.clusters) or int(b > a) for a, b in zip(first, last, strict=True)]
        centroids = k.new_zeros(batch, kv_heads, max(counts), dim, dtype=torch.float)
        sizes, found = centroids.new_zeros(centroids.shape[:3]), []
        for b, (start, end, count) in enumerate(zip(first, last, counts, strict=True)):
            if not count:
                found.append(np.empty(0))
                continue
            for h, keys in enumerate(k[b, :, start:end].float()):
                own = kmeans(keys, count)
                labels[b, h, start:end] = own + 1
                sizes[b, h] = torch.bincount(own, minlength=max(counts))
                centroids[b, h].index_add_(0, own, keys)
            centroids[b] /= sizes[b].clamp(min=1)[..., None]
            asked = q[b, :, q.shape[2] - int((pos[b] >= 0).sum()) :]
            shares = estimate(asked, centroids[b], sizes[b], store.layer.scaling).mean(1)
            own = labels[b, :, start:end].long().repeat_interleave(groups, 0) - 1
            found.append(shares.gather(1, own).flatten().cpu().numpy())
        store.notes[NOTE], store.state[NOTE] = labels, (centroids, sizes)
        return found

    def _row(self, step: Step, store: Store, row: Row) -> Tensor:
        centroids, sizes, tau = (x[row.index] for x in store.state[NOTE])
        labels = store.notes[NOTE][row.index, :, store.length - row.k.shape[1] :].long()[row.heads_of]
        queries = row.q.shape[1]
        shares = estimate(row.q, centroids, sizes, row.layer.scaling)
        # A question is looked up as one; what is generated, token by token, guesses included.
        size, out = queries if step.prefill else 1, []
        for a in range(0, queries, size):
            kept = pad(shares[:, a : a + size].mean(1) > tau, (1, 0), value=True)
            out.append(row.read(a, a + size, kept.gather(1, labels)))
        return torch.cat(out, 1)


def estimate(q: Tensor, centroids: Tensor, sizes: Tensor, scaling: float) -> Tensor:
    """What a key of each cluster is expected to weigh in the softmax over the context (equation 2).

    Args:
        q: (heads, queries, head_dim).
        centroids: (kv_heads, clusters, head_dim).
        sizes: keys of each cluster (kv_heads, clusters); 0 for none.
        scaling: factor of the logits.

    Returns:
        (heads, queries, clusters), float32; 0 for empty clusters.
    """
    logits = (q.float().unflatten(0, (len(centroids), -1)).flatten(1, 2) @ centroids.transpose(-1, -2)) * scaling
    logits = logits.masked_fill(sizes[:, None] == 0, -torch.inf)
    weights = torch.softmax(logits + sizes[:, None].log(), -1) / sizes[:, None].clamp(min=1)
    return weights.nan_to_num(0.0).view(*q.shape[:2], -1)


def check(lab: Any) -> Any:
    """A third of the keys without loss; keys chosen by no similarity are the control."""
    spec = "squeezed-attention(keep={}, clusters=0.1, observed=24)"
    plain = lab.ask(length=512, n=48)
    ours, less = lab.ask(spec.format(0.33), length=512, n=48), lab.ask(spec.format(0.1), length=512, n=48)
    control = lab.ask(spec.format(0.0), length=512, n=48)
    times = [lab.ask(one, length=4096, n=3, timed=True).token_s for one in ("", spec.format(0.33))]
    return lab.finding(
        holds=ours.score >= plain.score - 0.02,
        figure=f"needle at 512: a third of the keys {ours}, a tenth {less}, all {plain}; a token at 4k takes "
        f"{times[1] / times[0]:.1f} times the plain one in plain PyTorch",
        control=f"no cluster read {control}",
        control_holds=control.score >= plain.score - 0.02,
    )
