"""Documents with weights: a context, questions about it and their answers, cut to a length and put into batches.

A document is a list of spans, each with the weight that its tokens have in the loss. Knows nothing of what
the documents say.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from leadline.data.phrasings import Kind, Wording
from leadline.training.vocabulary import BOS, EOS, PAD, SPECIAL, Encoder

ANSWER, AFTER, EXAMPLE, COPY, TEXT = 1.0, 0.2, 0.5, 0.15, 0.1
"""Weight in the loss of answers, what ends them, labels of examples, copies, and plain text."""
SAMPLED = 0.15
"""Share of the plain text's positions that are learnt from."""
Span = tuple[str, float]


@dataclass(frozen=True)
class Question:
    """What is asked after a context, how the answer begins, and the answer with the sign that ends it."""

    text: str
    prefill: str
    answer: str


@dataclass(frozen=True)
class Reader:
    """Makes documents of about a length, and batches of them.

    Attributes:
        encode: text to token ids.
        bare: share of questions that are only the beginning of an answer.
        single: share of documents with one question, as prompts have it.
        wording: `seen` to train, `unseen` only to test.
    """

    encode: Encoder
    bare: float = 0.2
    single: float = 0.4
    wording: Wording = "seen"

    def size(self, text: str) -> int:
        """Length of a text [tokens]."""
        return len(self.encode(text))

    def document(self, kind: Kind, rng: random.Random, length: int, planted: list[str], questions: list[Question],
                 filler: Callable[[], str], joint: str, instruction: str = "") -> list[Span]:  # fmt: skip
        """Instruction, planted texts in filler up to the length, then the questions with their answers."""
        bare = rng.random() < self.bare
        tail: list[Span] = []
        for number, q in enumerate(questions):
            if bare:
                tail += [(("\n\n" if number == 0 else "\n") + q.prefill, TEXT), (f" {q.answer}", ANSWER)]
            else:
                tail += [("\n\n" + q.text + "\n" + q.prefill, TEXT), (f" {q.answer}", ANSWER)]
                tail += [("\n", AFTER)]
        tail += [(EOS, AFTER)] if not bare else [("\n", AFTER), (EOS, AFTER)]
        head = "" if bare and rng.random() < 0.5 else (instruction or kind.instruction) + "\n\n"
        room = length - 1 - self.size(head) - sum(self.size(text) if text != EOS else 1 for text, _ in tail)
        step = 1 if joint == "\n" else 2 if joint == "\n\n" else 0
        room -= sum(self.size(p) + step for p in planted)
        lines: list[str] = []
        while room > 0:
            line = filler()
            room -= self.size(line) + step
            if room >= 0:
                lines.append(line)
        places = sorted(rng.randrange(len(lines) + 1) for _ in planted)
        for place, text in zip(reversed(places), reversed(planted), strict=True):
            lines.insert(place, text)
        return [(head + joint.join(lines), TEXT), *tail]

    def batch(self, rng: random.Random, build: Callable[[random.Random, int], tuple[str, list[Span]]], rows: int, length: int,
              learnt: int) -> Batch:  # fmt: skip
        """A batch of documents, padded or cut to the length.

        Args:
            rng: source of all chance.
            build: draws a document: its kind's name and its spans.
            rows: documents.
            length: tokens of each.
            learnt: positions whose next token is learnt (the rest is not even computed); padded with weight 0.
        """
        pad, bos, eos = SPECIAL.index(PAD), SPECIAL.index(BOS), SPECIAL.index(EOS)
        ids = np.full((rows, length + 1), pad, np.int64)
        weights = np.zeros((rows, length), np.float32)
        kinds: list[str] = []
        for row in range(rows):
            kind, spans = build(rng, length)
            kinds.append(kind)
            line, weight = [bos], [0.0]
            for text, w in spans:
                part = [eos] if text == EOS else self.encode(text)
                line += part
                weight += [w] * len(part)
            line, weight = line[: length + 1], weight[: length + 1]
            ids[row, : len(line)] = line
            weights[row, : len(line) - 1] = weight[1:]
        source = np.random.default_rng(rng.getrandbits(64))
        plain = weights == np.float32(TEXT)
        weights[plain & (source.random(weights.shape) > SAMPLED)] = 0
        at = np.flatnonzero(weights)
        if len(at) > learnt:
            at = at[np.argsort(-(weights.ravel()[at] == ANSWER).astype(np.int8) - source.random(len(at)) * 0.9)[:learnt]]
        positions, flat = np.zeros(learnt, np.int64), np.zeros(learnt, np.float32)
        positions[: len(at)], flat[: len(at)] = at, weights.ravel()[at]
        return Batch(ids[:, :-1].copy(), positions, ids[:, 1:].ravel()[positions], flat, kinds)


@dataclass(frozen=True)
class Batch:
    """ids (rows, length); for each learnt position its place in the flat batch, its next token and its weight."""

    ids: np.ndarray
    positions: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    kinds: list[str]
