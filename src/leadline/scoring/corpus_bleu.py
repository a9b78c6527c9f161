"""BLEU of a whole corpus (Papineni et al. 2002), on words as WMT's mteval-v13a and sacrebleu's Chinese tokenizer part them.

No smoothing: a corpus without one common run of four words scores 0. Knows nothing of tasks.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

ORDER = 4
"""Longest n-grams."""
_ESCAPED = (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))
_APART = re.compile(r"([!-&(-+/:-@\[-`{-~ ])")
"""ASCII punctuation that is a word of its own: all but the apostrophe, comma, hyphen and full stop."""
_HAN = re.compile(
    "([\u2001-\u2a6d\u2e80-\u2fdf\u2ff0-\u303f\u3100-\u312f\u31a0-\u31bf\u31c0-\u31ef\u3200-\u4db5\u4e00-\u9fbb"
    "\uf900-\ufa2d\ufa30-\ufa6a\ufa70-\ufad9\ufe10-\ufe1f\ufe30-\ufe4f\uff00-\uffef])"
)
"""Characters that are words of their own in Chinese; with the original's slip, by which U+2001 to U+2A6D are among them."""


def words(text: str, chinese: bool = False) -> list[str]:
    """The words of a sentence."""
    if chinese:
        text = _HAN.sub(r" \1 ", text.strip())
    else:
        text = text.replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
        for name, sign in _ESCAPED:
            text = text.replace(name, sign)
        text = f" {text} "
    text = _APART.sub(r" \1 ", text)
    # Commas and full stops stay with the digits around them, hyphens leave a digit before them.
    text = re.sub(r"([^0-9])([.,])", r"\1 \2 ", text)
    text = re.sub(r"([.,])([^0-9])", r" \1 \2", text)
    return re.sub(r"([0-9])(-)", r"\1 \2 ", text).split()


def bleu(pairs: Iterable[tuple[str, Sequence[str]]], chinese: bool = False) -> float:
    """BLEU of replies against their references [0 to 1].

    Args:
        pairs: each reply with its references, of which the shortest counts for the length.
        chinese: whether they are in Chinese.
    """
    said = meant = 0
    hits, tries = [0] * ORDER, [0] * ORDER
    for reply, references in pairs:
        own, others = words(reply, chinese), [words(r, chinese) for r in references]
        said, meant = said + len(own), meant + min(map(len, others))
        for n in range(1, ORDER + 1):
            allowed: Counter[tuple[str, ...]] = Counter()
            for other in others:
                allowed |= _grams(other, n)
            hits[n - 1] += (_grams(own, n) & allowed).total()
            tries[n - 1] += max(0, len(own) - n + 1)
    if not said or min(hits) == 0:
        return 0.0
    mean = math.exp(sum(math.log(h / t) for h, t in zip(hits, tries, strict=True)) / ORDER)
    return mean * min(1.0, math.exp(1 - meant / said))


def _grams(tokens: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(tokens[i:] for i in range(n)), strict=False))
