"""`leadline.fit`: let a method learn what it needs for a model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from leadline import catalog
from leadline.methods.base import Fitted, Method
from leadline.models.local import LocalModel


def fit(model: Any, method: str | Method, batches: Iterable[Any], seed: int = 0, **settings: Any) -> Fitted:
    """Let a method learn from batches what it needs for a model; the model stays as it is.

    Args:
        model: a `LocalModel` or a transformers causal language model.
        method: as in `cskv(keys=0.2)`.
        batches: in the form that the method's own `fit` takes: token ids (batch, tokens) for most.
        seed: of all that is drawn.
        settings: further arguments of the method's own `fit`.

    Returns:
        The method with what it learnt, ready to be applied, and figures of how well it went.

    Raises:
        UserError: a method that learns nothing; unknown or wrong settings.
    """
    made = method if isinstance(method, Method) else catalog.make(method, "methods")
    return made.fit(model.module if isinstance(model, LocalModel) else model, batches, seed, **settings)
