"""K-means of keys by their direction. No plugin."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

ROUNDS = 300
"""Most rounds."""


def kmeans(keys: Tensor, count: int) -> Tensor:
    """Clusters (keys,) of keys (keys, head_dim) by direction: k-means++ with seed 0, at most ROUNDS rounds."""
    x, draw = normalize(keys, dim=-1), torch.Generator().manual_seed(0)
    picks = [int(torch.randint(len(x), (1,), generator=draw))]
    far = torch.full_like(x[:, 0], torch.inf)
    while len(picks) < count:
        far = torch.minimum(far, (2 - 2 * x @ x[picks[-1]]).clamp(min=0))
        far[picks[-1]] = 0
        total = far.double().cumsum(0)
        at = torch.rand(1, generator=draw, dtype=torch.double).to(total.device) * total[-1]
        picks.append(min(int(torch.searchsorted(total, at, right=True)), len(x) - 1))
    centres, own = x[picks], None
    for _ in range(ROUNDS):
        bias = centres.square().sum(-1) / 2
        new = torch.cat([(part @ centres.T - bias).argmax(-1) for part in x.split(8192)])
        if own is not None and torch.equal(new, own):
            break
        own = new
        sums, sizes = torch.zeros_like(centres).index_add_(0, own, x), torch.bincount(own, minlength=count)
        centres = torch.where(sizes[:, None] > 0, sums / sizes.clamp(min=1)[:, None], centres)
    assert own is not None
    return own
