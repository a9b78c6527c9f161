"""minnow's reading matter: prompts of the project's own kinds with their answers, at any length, without end.

Seen wordings only, and worlds whose seeds no task uses. A document is a list of spans, each with the
weight that its tokens have in the loss. Knows nothing of models, or of the tasks it prepares for.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from leadline.data import lexicon, phrasings, prose
from leadline.data.phrasings import Kind, Wording
from leadline.data.world import World
from leadline.training.vocabulary import BOS, EOS, PAD, SPECIAL, Encoder

ANSWER, AFTER, EXAMPLE, COPY, TEXT = 1.0, 0.2, 0.5, 0.15, 0.1
"""Weight in the loss of answers, what ends them, labels of examples, copies, and plain text."""
SAMPLED = 0.15
"""Share of the plain text's positions that are learnt from."""
FIRST_WORLD = 1_000_000
"""Training worlds have seeds from this on."""

Span = tuple[str, float]
Build = Callable[["Reader", random.Random, int], list[Span]]


@dataclass(frozen=True)
class Question:
    """What is asked after a context, how the answer begins, and the answer with the sign that ends it."""

    text: str
    prefill: str
    answer: str


@dataclass
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
    sizes: dict[str, int] = field(default_factory=dict)

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


def _questions(reader: Reader, rng: random.Random, length: int, most: int) -> int:
    return 1 if rng.random() < reader.single else rng.randint(1, max(1, min(most, length // 60)))


def _key(rng: random.Random) -> str:
    return f"{rng.choice(lexicon.ADJECTIVES)} {rng.choice(lexicon.NOUNS)}"


def _keys(rng: random.Random, n: int) -> list[str]:
    """Different keys; often some of them share a word, so that both words must be read."""
    keys: dict[str, None] = {}
    while len(keys) < n:
        adjective, noun = _key(rng).split()
        if keys and rng.random() < 0.3:
            near = rng.choice(list(keys)).split()
            adjective, noun = (near[0], noun) if rng.random() < 0.5 else (adjective, near[1])
        keys[f"{adjective} {noun}"] = None
    return list(keys)


def records(reader: Reader, rng: random.Random, length: int) -> list[Span]:
    """Key-value retrieval among records of the same form."""
    kind = phrasings.RECORD
    n = length // 9 + 2
    made = [(rng.choice(prose.ATTRIBUTES), key, prose.value(rng)) for key in _keys(rng, n)]
    asked = rng.sample(range(min(n, max(2, length // 16))), min(_questions(reader, rng, length, 10), max(1, length // 32)))
    lines = [kind.statement(rng).format(attribute=a, key=k, value=v) for a, k, v in made]
    questions = [
        Question(
            kind.question(rng, reader.wording).format(attribute=a, key=k), kind.prefill.format(attribute=a, key=k), f"{v}."
        )
        for a, k, v in (made[i] for i in asked)
    ]
    others = iter([line for i, line in enumerate(lines) if i not in asked])
    return reader.document(kind, rng, length, [lines[i] for i in asked], questions, lambda: next(others), "\n")


def needle(reader: Reader, rng: random.Random, length: int, most: int = 8) -> list[Span]:
    """One or several needles in prose."""
    kind = phrasings.NEEDLE
    n = rng.randint(1, max(1, min(most, length // 40)))
    made = [(key, prose.value(rng)) for key in _keys(rng, n)]
    planted = [kind.statement(rng, reader.wording).format(key=k, value=v) for k, v in made]
    asked = rng.sample(made, min(n, _questions(reader, rng, length, 8)))
    questions = [
        Question(kind.question(rng, reader.wording).format(key=k), kind.prefill.format(key=k), f"{v}.") for k, v in asked
    ]
    if length >= 256 and rng.random() < 0.15:
        return _among_passages(reader, rng, length, kind, planted, questions)
    return reader.document(kind, rng, length, planted, questions, lambda: prose.sentence(rng), " ")


def _among_passages(reader: Reader, rng: random.Random, length: int, kind: Kind, planted: list[str],
                    questions: list[Question]) -> list[Span]:  # fmt: skip
    """Facts inside numbered passages."""
    world = World(FIRST_WORLD + rng.randrange(10**6))
    number = 0
    texts = list(planted)

    def filler() -> str:
        return world.background(rng.randrange(10**6)).text

    inside = []
    for text in texts:
        before, after = prose.sentence(rng), prose.sentence(rng)
        inside.append(f"{before} {text} {after}")
    spans = reader.document(kind, rng, length - 3 * (length // 60 + len(texts)), inside, questions, filler, "\n\n",
                            phrasings.QA.instruction)  # fmt: skip
    if rng.random() < 0.3:
        return spans
    head, *parts = spans[0][0].split("\n\n")
    numbered = []
    for part in parts:
        number += 1
        numbered.append(f"Passage {number}:\n{part}")
    return [("\n\n".join([head, *numbered]), TEXT), *spans[1:]]


def link(reader: Reader, rng: random.Random, length: int) -> list[Span]:
    """Keys that open other things; what they open may be a key in its turn."""
    kind = phrasings.LINK
    n = rng.randint(1, max(1, min(12, length // 32)))
    keys = _keys(rng, 2 * n)
    made = [(keys[i], keys[i + 1] if rng.random() < 0.5 else keys[i + n]) for i in range(n)]
    planted = [kind.statement(rng, reader.wording).format(key=k, value=v) for k, v in made]
    rng.shuffle(planted)
    asked = rng.sample(made, min(n, _questions(reader, rng, length, 8)))
    questions = [
        Question(kind.question(rng, reader.wording).format(key=k), kind.prefill.format(key=k), f"{v}.") for k, v in asked
    ]
    if length >= 256 and rng.random() < 0.3:
        return _among_passages(reader, rng, length, kind, planted, questions)
    return reader.document(kind, rng, length, planted, questions, lambda: prose.sentence(rng), " ")


def variable(reader: Reader, rng: random.Random, length: int) -> list[Span]:
    """Variables that get a value, some of them through another variable."""
    kind = phrasings.VARIABLE
    chains = rng.randint(1, max(1, min(4, length // 100)))
    statements, asked = [], []
    for _ in range(chains):
        names = ["".join(rng.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(5)) for _ in range(rng.randint(1, 3))]
        value = str(rng.randrange(10_000, 100_000))
        sources = [value, *(f"VAR {name}" for name in names)]
        statements += [(i, kind.statement(rng).format(name=name, value=sources[i])) for i, name in enumerate(names)]
        asked.append((value, names))
    statements.sort(key=lambda pair: (pair[0], rng.random()))
    value, names = rng.choice(asked)
    question = Question(
        kind.question(rng, reader.wording).format(value=value), kind.prefill.format(value=value), ", ".join(names) + "."
    )
    return reader.document(kind, rng, length, [s for _, s in statements], [question], lambda: prose.sentence(rng), " ")


def qa(reader: Reader, rng: random.Random, length: int) -> list[Span]:
    """Questions about documents of an invented world."""
    kind = phrasings.QA
    world = World(FIRST_WORLD + rng.randrange(10**6))
    n = max(1, min(4, length // 120))
    documents = [world.document(rng.randrange(10**5)) for _ in range(n)]
    facts = [rng.choice(d.facts) for d in documents]
    if length < 200:
        planted = [f.text for d in documents for f in rng.sample(d.facts, 2)]
        facts = [f for d in documents for f in d.facts if f.text in planted]
    else:
        planted = [d.text for d in documents]
    asked = rng.sample(facts, min(len(facts), _questions(reader, rng, length, 6)))
    questions = [
        Question(kind.question(rng, reader.wording).format(question=f.question), f.prefill, f"{f.value}.") for f in asked
    ]
    filler = (lambda: world.background(rng.randrange(10**6)).text) if length >= 200 else (lambda: prose.sentence(rng))
    joint = "\n\n" if length >= 200 else " "
    numbered = length >= 200 and rng.random() < 0.6
    spans = reader.document(kind, rng, length - (4 * (length // 70) if numbered else 0), planted, questions, filler, joint)
    if numbered and spans[0][0].startswith(kind.instruction):
        head, *parts = spans[0][0].split("\n\n")
        text = "\n\n".join([head, *(f"Passage {i}:\n{part}" for i, part in enumerate(parts, 1))])
        spans[0] = (text, TEXT)
    return spans


def few_shot(reader: Reader, rng: random.Random, length: int) -> list[Span]:
    """Examples of a labelling by a hidden rule: a word of the text decides the label."""
    labels = rng.sample(lexicon.COLORS + lexicon.PRODUCTS, rng.randint(2, 6))
    inputs = [rng.sample(lexicon.NOUNS, 4) for _ in labels]
    first, second = rng.choice((("Text", "Label"), ("Input", "Output"), ("Question", "Answer"), ("Word", "Label")))
    spans: list[Span] = [("Label the last text as the examples do.\n", TEXT)] if rng.random() < 0.5 else []
    used = sum(self_size for self_size in (reader.size(t) for t, _ in spans))
    seen: set[int] = set()
    while True:
        which = rng.randrange(len(labels))
        text = f"\n{first}: the {rng.choice(lexicon.ADJECTIVES)} {rng.choice(inputs[which])}\n{second}:"
        used += reader.size(text) + 2
        if used > length:
            return spans
        spans += [(text, TEXT), (f" {labels[which]}", EXAMPLE if which in seen else TEXT), ("\n", TEXT)]
        seen.add(which)


def count(reader: Reader, rng: random.Random, length: int) -> list[Span]:
    """How many of the passages are different."""
    kind = phrasings.COUNT
    n = rng.randint(2, max(2, min(9, length // 24)))
    different = rng.randint(1, n)
    texts = [prose.sentence(rng) for _ in range(different)]
    texts += [rng.choice(texts) for _ in range(n - different)]
    rng.shuffle(texts)
    lines = [f"Passage {i}:\n{text}" for i, text in enumerate(texts, 1)]
    tail: list[Span] = [("\n\n" + kind.question(rng, reader.wording) + "\n" + kind.prefill, TEXT), (f" {different}.", ANSWER)]
    return [(kind.instruction + "\n\n" + "\n\n".join(lines), TEXT), *tail, ("\n", AFTER), (EOS, AFTER)]


def retrieve(reader: Reader, rng: random.Random, length: int) -> list[Span]:
    """Which passage a summary was made of."""
    kind = phrasings.RETRIEVE
    world = World(FIRST_WORLD + rng.randrange(10**6))
    documents = [world.document(rng.randrange(10**5)) for _ in range(max(1, (length - 80) // 90))]
    which = rng.randrange(len(documents))
    lines = [f"Passage {i}:\n{d.text}" for i, d in enumerate(documents, 1)]
    question = kind.question(rng, reader.wording).format(summary=documents[which].summary)
    tail: list[Span] = [("\n\n" + question + "\n" + kind.prefill, TEXT), (f" {which + 1}.", ANSWER)]
    return [(kind.instruction + "\n\n" + "\n\n".join(lines), TEXT), *tail, ("\n", AFTER), (EOS, AFTER)]


def copy(reader: Reader, rng: random.Random, length: int) -> list[Span]:
    """Words that come again after a period drawn anew each time, so that distance alone cannot tell."""
    words = [rng.choice(lexicon.NOUNS if rng.random() < 0.5 else lexicon.ADJECTIVES) for _ in range(rng.randint(8, length // 2))]
    spans: list[Span] = [("Words: " + " ".join(words), TEXT)]
    used = len(words) + 2
    while used < length:
        start = rng.randrange(len(words) - 4)
        part = words[start : start + rng.randint(4, 16)]
        spans += [("\nAgain: " + " ".join(part[:2]), TEXT), ("".join(f" {w}" for w in part[2:]), COPY)]
        used += len(part) + 3
    return spans


BUILDERS: dict[str, Build] = {
    "records": records, "needle": needle, "link": link, "variable": variable, "qa": qa, "few-shot": few_shot,
    "count": count, "retrieve": retrieve, "copy": copy,
}  # fmt: skip


@lru_cache
def _cumulative(shares: tuple[tuple[str, float], ...]) -> tuple[tuple[str, ...], tuple[float, ...]]:
    return tuple(k for k, _ in shares), tuple(w for _, w in shares)


def mixture(reader: Reader, shares: dict[str, float]) -> Callable[[random.Random, int], tuple[str, list[Span]]]:
    """Draws documents of several kinds in the given shares."""
    names, weights = _cumulative(tuple(shares.items()))

    def draw(rng: random.Random, length: int) -> tuple[str, list[Span]]:
        name = rng.choices(names, weights)[0]
        return name, BUILDERS[name](reader, rng, length)

    return draw
