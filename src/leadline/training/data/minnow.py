"""minnow's reading matter: prompts of the project's own kinds with their answers, at any length, without end.

Seen wordings only, and worlds whose seeds no task uses. Knows nothing of models, or of the tasks it
prepares for.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import replace

from leadline.data import lexicon, phrasings, prose
from leadline.data.phrasings import Kind
from leadline.data.world import World
from leadline.training.data.reader import AFTER, ANSWER, COPY, EXAMPLE, TEXT, Question, Reader, Span
from leadline.training.vocabulary import EOS

Build = Callable[[Reader, random.Random, int], list[Span]]
FIRST_WORLD = 1_000_000
"""Training worlds have seeds from this on."""


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
    if length >= 256 and rng.random() < 0.1:
        return _passages(reader, rng, length, kind, planted, questions, rng.random() < 0.3)
    return reader.document(kind, rng, length, planted, questions, lambda: prose.sentence(rng), " ")


def _others(rng: random.Random) -> Callable[[], str]:
    """Passages one after another, as noise has them: neighbours in the world have similar names."""
    world, places = World(FIRST_WORLD + rng.randrange(10**6)), itertools.count(rng.randrange(10**5))
    return lambda: world.background(next(places)).text


def _passages(reader: Reader, rng: random.Random, length: int, kind: Kind, planted: list[str],
              questions: list[Question], numbered: bool = True) -> list[Span]:  # fmt: skip
    """Passages with the planted ones among them; plain prose where there is no room for passages."""
    filler = _others(rng) if length >= 200 else lambda: prose.sentence(rng)
    asking = replace(reader, bare=0.0)
    room = length - 6 * (length // 80 + 1) if numbered else length
    spans = asking.document(kind, rng, room, planted, questions, filler, "\n\n")
    if not numbered:
        return spans
    head, *parts = spans[0][0].split("\n\n")
    return [("\n\n".join([head, *(f"Passage {i}:\n{part}" for i, part in enumerate(parts, 1))]), TEXT), *spans[1:]]


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
    if length >= 256 and rng.random() < 0.6:
        return _passages(reader, rng, length, kind, planted, questions, rng.random() < 0.3)
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
    n = max(1, min(3, length // 170))
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
    return _passages(reader, rng, length, kind, planted, questions, length >= 200 and rng.random() < 0.8)


def few_shot(reader: Reader, rng: random.Random, length: int) -> list[Span]:
    """Examples of a labelling by a hidden rule: a word of the text decides the label."""
    labels = rng.sample(lexicon.COLORS + lexicon.PRODUCTS, rng.randint(2, 6))
    inputs = [rng.sample(lexicon.NOUNS, 4) for _ in labels]
    first, second = rng.choice((("Text", "Label"), ("Input", "Output"), ("Question", "Answer"), ("Word", "Label")))
    spans: list[Span] = [("Label the last text as the examples do.\n", TEXT)] if rng.random() < 0.5 else []
    used = sum(reader.size(text) for text, _ in spans)
    seen: set[int] = set()
    while True:
        which = rng.randrange(len(labels))
        text = f"\n{first}: the {rng.choice(lexicon.ADJECTIVES)} {rng.choice(inputs[which])}\n{second}:"
        used += reader.size(text) + 2
        if used > length:
            return spans
        spans += [(text, TEXT), (f" {labels[which]}", EXAMPLE if which in seen else TEXT), ("\n", TEXT)]
        seen.add(which)


def needles(reader: Reader, rng: random.Random, length: int) -> list[Span]:
    """Several needles asked for in one question."""
    kind = phrasings.NEEDLE
    n = rng.randint(2, 6)
    made = [(key, prose.value(rng)) for key in _keys(rng, n)]
    planted = [kind.statement(rng, reader.wording).format(key=k, value=v) for k, v in made]
    asked = rng.sample(made, rng.randint(2, min(4, n)))
    together, values = _listed([k for k, _ in asked]), _listed([v for _, v in asked])
    question = Question(f"What are the codes of {together}?", f"The codes of {together} are", f"{values}.")
    return reader.document(kind, rng, length, planted, [question], lambda: prose.sentence(rng), " ")


def _listed(parts: list[str]) -> str:
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def hops(reader: Reader, rng: random.Random, length: int) -> list[Span]:
    """A fact about somebody's teacher, who is named in another document."""
    world = World(FIRST_WORLD + rng.randrange(10**6))
    index = rng.randrange(10**4)
    path, asked = world.chain(index, 2)
    documents = [world.document(world.taught(index, step), "person", must=f.relation).text for step, f in enumerate(path)]
    if length < 350:
        documents = [f.text for f in path]
    rng.shuffle(documents)
    question = Question(
        phrasings.QA.question(rng, reader.wording).format(question=asked.question), asked.prefill, f"{asked.value}."
    )
    return _passages(reader, rng, length, phrasings.QA, documents, [question])


def stars(reader: Reader, rng: random.Random, length: int) -> list[Span]:
    """Which list gives the counts of the text in their order."""
    kind = phrasings.STARS
    name = f"the {_key(rng)}"
    *true, spare = rng.sample(range(1, 101), 5)
    lists = [true]
    while len(lists) < 3:
        i, j = rng.sample(range(4), 2)
        swapped = list(true)
        swapped[i], swapped[j] = true[j], true[i]
        if swapped not in lists:
            lists.append(swapped)
    redrawn = list(true)
    redrawn[rng.randrange(4)] = spare
    lists.append(redrawn)
    rng.shuffle(lists)
    options = ["The text does not say", *(", ".join(map(str, one)) for one in lists)]
    listed = "\n".join(f"{i}. {text}" for i, text in enumerate(options, 1))
    question = Question(kind.question(rng).format(name=name, options=listed), kind.prefill, f"{lists.index(true) + 2}.")
    planted = [kind.statement(rng).format(name=name, value=v) for v in true]
    asking = replace(reader, bare=0.0)
    return asking.document(kind, rng, length, planted, [question], lambda: prose.sentence(rng), " ",
                           kind.instruction.format(name="somebody"))  # fmt: skip


def summary(reader: Reader, rng: random.Random, length: int) -> list[Span]:
    """What the passages say about one subject, in their own words."""
    kind = phrasings.SUMMARY
    world = World(FIRST_WORLD + rng.randrange(10**6))
    document = world.document(rng.randrange(10**5))
    told = sorted(document.facts, key=lambda f: document.text.index(f.text))
    question = kind.question(rng).format(subject=document.subject, sentences=len(told))
    answer = Question(question, kind.prefill, " ".join(f.text for f in told))
    spans = _passages(reader, rng, length, kind, [document.text], [answer])
    return [(text, COPY if weight == ANSWER else weight) for text, weight in spans]


def count(reader: Reader, rng: random.Random, length: int) -> list[Span]:
    """How many of the passages are different."""
    kind = phrasings.COUNT
    world = World(FIRST_WORLD + rng.randrange(10**6))
    room, texts, different, first = length - 48, list[str](), 0, rng.randrange(10**5)
    while True:
        text = world.document(first + different).text if length >= 400 else prose.sentence(rng)
        size = reader.size(text) + 6
        if room < size:
            break
        fits = min(rng.randint(1, 3), room // size)
        texts += [text] * fits
        room -= size * fits
        different += 1
    rng.shuffle(texts)
    lines = [f"Passage {i}:\n{text}" for i, text in enumerate(texts, 1)]
    tail: list[Span] = [("\n\n" + kind.question(rng, reader.wording) + "\n" + kind.prefill, TEXT), (f" {different}.", ANSWER)]
    return [(kind.instruction + "\n\n" + "\n\n".join(lines), TEXT), *tail, ("\n", AFTER), (EOS, AFTER)]


def retrieve(reader: Reader, rng: random.Random, length: int) -> list[Span]:
    """Which passage a summary was made of."""
    kind = phrasings.RETRIEVE
    world = World(FIRST_WORLD + rng.randrange(10**6))
    first = rng.randrange(10**5)
    documents = [world.document(first + i) for i in range(max(1, (length - 80) // 90))]
    which = rng.randrange(len(documents))
    lines = [f"Passage {i}:\n{d.text}" for i, d in enumerate(documents, 1)]
    question = kind.question(rng, reader.wording).format(summary=documents[which].summary)
    tail: list[Span] = [("\n\n" + question + "\n" + kind.prefill, TEXT), (f" {which + 1}.", ANSWER)]
    return [(kind.instruction + "\n\n" + "\n\n".join(lines), TEXT), *tail, ("\n", AFTER), (EOS, AFTER)]


def copy(reader: Reader, rng: random.Random, length: int) -> list[Span]:
    """Words that come again after a period drawn anew each time, so that distance alone cannot tell."""
    words = [rng.choice(lexicon.NOUNS + lexicon.ADJECTIVES) for _ in range(rng.randint(8, length // 2))]
    spans: list[Span] = [("Words: " + " ".join(words), TEXT)]
    used = len(words) + 2
    while used + 20 < length:
        start = rng.randrange(len(words) - 4)
        part = words[start : start + rng.randint(4, 16)]
        spans += [("\nAgain: " + " ".join(part[:2]), TEXT), ("".join(f" {w}" for w in part[2:]), COPY)]
        used += len(part) + 3
    return spans


BUILDERS: dict[str, Build] = {
    "records": records, "needle": needle, "needles": needles, "link": link, "variable": variable, "qa": qa,
    "few-shot": few_shot, "count": count, "retrieve": retrieve, "hops": hops, "stars": stars, "summary": summary, "copy": copy,
}  # fmt: skip


def mixture(reader: Reader, shares: dict[str, float]) -> Callable[[random.Random, int], tuple[str, list[Span]]]:
    """Draws documents of several kinds in the given shares."""
    names, weights = list(shares), list(shares.values())

    def draw(rng: random.Random, length: int) -> tuple[str, list[Span]]:
        name = rng.choices(names, weights)[0]
        return name, BUILDERS[name](reader, rng, length)

    return draw
