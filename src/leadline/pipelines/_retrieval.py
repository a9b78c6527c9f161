"""Cutting a text into pieces and ranking them by a query: by words, or by the vectors of an embedding model.

Knows nothing of prompts and models that answer.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from leadline.data.embeddings import vectors as embedded
from leadline.nouns import UserError

LETTERS = 4
"""Characters taken for a token."""
_BORDERS = ("\n\n", "\n", "(?<=[.!?])(?= )|(?<=[。！？])", "(?= )", "")


def listed(found: Sequence[str], lead: str) -> str:
    """What was found, numbered, under a line that says what it is; nothing where nothing was."""
    return "\n\n".join([lead, *(f"[{i}] {piece}" for i, piece in enumerate(found, 1))]) if found else ""


def check_pieces(name: str, chunk: int, overlap: int) -> None:
    """Refuse sizes of pieces that make no sense."""
    if not 16 <= chunk <= 100_000:
        raise UserError(f"{name}: chunk must be from 16 to 100000 tokens, got {chunk}")
    if not 0 <= overlap < chunk:
        raise UserError(f"{name}: overlap must be from 0 to less than a chunk ({chunk}), got {overlap}")


def check_kept(name: str, **kept: int) -> None:
    """Refuse numbers of pieces that are negative or beyond reason."""
    for what, n in kept.items():
        if not 0 <= n <= 1000:
            raise UserError(f"{name}: {what} must be from 0 (as the task says) to 1000, got {n}")


def paragraphs(text: str) -> list[str]:
    """What blank lines part."""
    return [p.strip() for p in re.split(r"\n\s*\n", text) if p.strip()]


def pieces(text: str, size: int, overlap: int) -> list[str]:
    """A text in pieces of at most `size` tokens of four characters, cut at the coarsest borders that allow it.

    Each piece begins with the end of the one before, up to `overlap` tokens of it.
    """
    out, now = list[str](), ""
    for part in _parts(text, size * LETTERS, 0):
        if now and len(now) + len(part) > size * LETTERS:
            out.append(now)
            tail = now[-overlap * LETTERS :] if overlap else ""
            # It begins with a whole word, and only where the next part then still fits.
            tail = tail[tail.find(" ") + 1 :] if " " in tail else tail
            now = tail if len(tail) + len(part) <= size * LETTERS else ""
        now += part
    return [piece.strip() for piece in (*out, now) if piece.strip()]


def _parts(text: str, most: int, level: int) -> list[str]:
    """Parts no longer than that, which run together give the text."""
    if len(text) <= most:
        return [text] if text else []
    border = _BORDERS[level]
    if not border:
        return [text[i : i + most] for i in range(0, len(text), most)]
    cuts = [m.end() for m in re.finditer(border, text)]
    bounds = [0, *(c for c in cuts if 0 < c < len(text)), len(text)]
    return [part for a, b in zip(bounds, bounds[1:], strict=False) for part in _parts(text[a:b], most, level + 1)]


def words(text: str) -> list[str]:
    """Words in lower case; every Chinese character is one."""
    return re.findall(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+", text.lower())


def scores(query: str, texts: Sequence[str], embedder: str = "") -> NDArray[np.float64]:
    """How well each text answers a query, (texts,): BM25 over these texts, or the product of vectors."""
    if embedder:
        vectors = embedded([query, *texts], embedder)
        return vectors[1:] @ vectors[0]
    counted = [Counter(words(text)) for text in texts]
    sizes = np.array([sum(c.values()) for c in counted], float)
    mean = sizes.mean() or 1.0
    out = np.zeros(len(texts))
    for word in dict.fromkeys(words(query)):
        found = np.array([c[word] for c in counted], float)
        n = np.count_nonzero(found)
        rare = math.log(1 + (len(texts) - n + 0.5) / (n + 0.5))
        out += rare * found * 2.2 / (found + 1.2 * (0.25 + 0.75 * sizes / mean))
    return out


def best(query: str, texts: Sequence[str], k: int, embedder: str = "") -> list[int]:
    """Places of the k texts that answer a query best, in the order of the text; all where there are no more."""
    if len(texts) <= k:
        return list(range(len(texts)))
    order = np.argsort(-scores(query, texts, embedder), kind="stable")
    return sorted(order[:k].tolist())


def oddest(texts: Sequence[str], k: int, embedder: str = "") -> list[int]:
    """Places of the k texts that are least like the others on average, the oddest first."""
    vectors = embedded(texts, embedder) if embedder else _counts(texts)
    alike = vectors @ vectors.T
    others = (alike.sum(1) - np.diag(alike)) / max(1, len(texts) - 1)
    return np.argsort(others, kind="stable")[:k].tolist()


def _counts(texts: Sequence[str]) -> NDArray[np.float64]:
    """Words of each text weighed by their rarity, as vectors of length 1, (texts, words)."""
    counted = [Counter(words(text)) for text in texts]
    known = {word: i for i, word in enumerate(dict.fromkeys(w for c in counted for w in c))}
    out = np.zeros((len(texts), max(1, len(known))))
    for row, count in enumerate(counted):
        for word, n in count.items():
            out[row, known[word]] = n
    out *= np.log(1 + len(texts) / np.maximum(1, np.count_nonzero(out, axis=0)))
    return out / np.maximum(1e-12, np.linalg.norm(out, axis=1, keepdims=True))
