"""Keyword replacement and confusing facts for short questions, as LV-Eval has them.

Knows nothing of items or prompts.
"""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Collection, Sequence
from functools import cached_property

from leadline.data import chinese, prose
from leadline.data.noise import sentences
from leadline.scoring.words import english

_LEFT_OUT = frozenset("yes no true false unanswerable none both neither a b c d 是 否 有 没有 对 错 不是".split())


def swap(text: str, old: str, new: str, language: str) -> str:
    """A text with one string in place of another; in English as whole words, in any case."""
    if language == "zh":
        return text.replace(old, new)
    return re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", lambda _: new, text, flags=re.I)


def holds(text: str, word: str, language: str) -> bool:
    """Whether a text holds a string (in English as whole words, in any case)."""
    return bool(word) and (word in text if language == "zh" else swap(text, word, "\0", language) != text)


def keyword(candidates: Sequence[str], context: str, language: str) -> str:
    """The first candidate that can be replaced: it stands in the context, and is more than a yes or no; '' for none."""
    bare = [c.strip().rstrip(".。") for c in candidates]
    fit = [c for c in bare if c.lower() not in _LEFT_OUT and (len(c) > 1 or c.isdigit())]
    return next((c for c in fit if holds(context, c, language)), "")


def stranger(old: str, taken: str, language: str, rng: random.Random) -> str:
    """Something to stand in its place: of wholly other words (characters in Chinese, digits in numbers), and not in `taken`."""
    for _ in range(1000):
        if re.fullmatch(r"[\d.,]+", old):
            others = [d for d in "123456789" if d not in old] or list("123456789")
            new = "".join(rng.choice(others) if c.isdigit() else c for c in old)
        elif language == "zh":
            new = (chinese.name if len(old) < 4 else chinese.town)(rng.randrange(1 << 30))
        else:
            new = prose.key(rng.randrange(1 << 30))
            new = new.title() if any(c.isupper() for c in old) else new
        shared = set(new) & set(old) if language == "zh" else set(english(new)) & set(english(old))
        if new != old and not holds(taken, new, language) and (not shared or re.fullmatch(r"[\d.,]+", old)):
            return new
    raise AssertionError(f"nothing to stand for {old!r}")


class Confusers:
    """Sentences of many documents, from which those that look most like a question are found."""

    def __init__(self, documents: Sequence[str], language: str) -> None:
        self.language = language
        self.found: list[tuple[str, str, frozenset[str]]] = []
        """(document, sentence, its words)"""
        for document in dict.fromkeys(documents):
            for paragraph in document.split("\n"):
                for sentence in sentences(paragraph):
                    if 8 <= len(sentence) <= 400:
                        self.found.append((document, sentence, self.words(sentence)))

    def words(self, text: str) -> frozenset[str]:
        """Words without their final s, or pairs of characters of Chinese."""
        if self.language == "zh":
            return frozenset(a + b for a, b in zip(text, text[1:], strict=False) if a.isalnum() and b.isalnum())
        return frozenset(w[:-1] if w.endswith("s") and len(w) > 3 else w for w in english(text))

    @cached_property
    def rarity(self) -> dict[str, float]:
        """How much a word tells, by how few sentences hold it."""
        seen = Counter(word for _, _, words in self.found for word in words)
        return {word: math.log((1 + len(self.found)) / (1 + count)) for word, count in seen.items()}

    def nearest(self, question: str, own: str, without: Collection[str], count: int) -> list[str]:
        """The sentences of other documents that share most with a question, and none of the strings with the answer."""
        asked = self.words(question)
        scored = []
        for place, (document, sentence, words) in enumerate(self.found):
            if document != own and (same := asked & words) and not any(holds(sentence, w, self.language) for w in without):
                scored.append((-sum(self.rarity[w] for w in same), place, sentence))
        return list(dict.fromkeys(sentence for _, _, sentence in sorted(scored)))[:count]
