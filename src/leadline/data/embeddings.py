"""Texts as vectors, by an embedding model that the user names and has the library for.

Loads nothing before it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leadline.nouns import UserError


def vectors(texts: Sequence[str], embedder: str) -> NDArray[np.float64]:
    """Embeddings of length 1, (texts, size).

    Args:
        texts: what to embed.
        embedder: a sentence-transformers model, a hub name or a path.

    Raises:
        UserError: the library is not installed, or it has no such model.
    """
    return np.asarray(_model(embedder).encode(list(texts), normalize_embeddings=True), float)


@lru_cache(maxsize=2)
def _model(name: str) -> Any:
    try:
        from sentence_transformers import SentenceTransformer  # type: ignore[import-not-found]
    except ImportError:
        raise UserError(
            f"the embedder {name!r} needs sentence-transformers: pip install sentence-transformers, or leave out embedder="
        ) from None
    try:
        return SentenceTransformer(name)
    except (OSError, ValueError) as error:
        why = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(f"no embedding model could be had at {name!r} ({why}): give a hub name or a path") from error
