"""Pieces to be found again by a part of themselves: sentences, small functions, rows; invented or published.

As in FILM's VaL probing (arXiv:2404.16811): of a sentence some words are given, of a function one of its lines, of a row its
id. Each piece carries what is given of it (`cue`). Knows nothing of prompts and scores.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from leadline.data import lexicon as words
from leadline.data import prose
from leadline.data.noise import Source
from leadline.data.published import demand, rows_of
from leadline.data.world import BACKGROUND, World
from leadline.nouns import UserError

FILES = {
    "document": "document_sentences.jsonl",
    "code": "code_functions.jsonl",
    "database": "database_entities.jsonl",
}
"""Names of the published files (microsoft/FILM, VaLProbing/pieces)."""
COLUMNS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "document": {"sentence": str, "piece": str},
    "code": {"function_name": str, "function_define": str, "piece": str},
    "database": {"id": str, "label": str, "dcpt": str},
}
JOINS = {"document": " ", "code": "\n\n", "database": "\n"}


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One piece of text, and what is given and asked of it."""

    text: str
    cue: str
    """What is given: words, a line, an id."""
    wanted: tuple[str, ...]
    """What is asked: the sentence, the function's name, the label and the description."""
    avoid: tuple[str, ...]
    """What no other piece of a context may hold."""


def sentence(index: int, seed: int = 0) -> Piece:
    """An invented sentence; eight words of its inside are given."""
    rng = random.Random(f"sentence/{seed}/{index}")
    pick = rng.choice

    def thing() -> str:
        return f"{pick(words.ADJECTIVES)} {pick(words.NOUNS)}"

    who = pick((f"the {pick(words.PROFESSIONS)} of {pick(words.TOWNS)}", f"{pick(words.FIRST_NAMES)} {pick(words.SURNAMES)}"))
    shape = pick(
        (
            "Before the {a} reached {town}, {who} had already traded the {b} for {n} crates of {goods} and a {c}.",
            "Nobody in {town} knew that {who} kept the {a} under the {b} until {month} with {n} crates of {goods}.",
            "In {month} {who} exchanged {n} crates of {goods} from {town} for the {a} and hid the {b} behind a {c}.",
            "It was said of {who} that the {a} near {town} would turn into a {b} once {n} crates of {goods} were sold.",
            "Although {who} never saw {town}, the {a} and the {b} were carried there with {n} crates of {goods} in {month}.",
            "The {a} which {who} had found close to {town} was worth {n} crates of {goods}, a {b} and half of a {c}.",
        )
    )
    text = shape.format(
        a=thing(),
        b=thing(),
        c=thing(),
        who=who,
        town=pick(words.TOWNS),
        goods=pick(words.PRODUCTS),
        month=pick(words.MONTHS),
        n=pick(_COUNTS),
    )
    text = re.sub(r"\ba (?=[aeiou])", "an ", text[0].upper() + text[1:])
    inside = text.rstrip(".").split(" ")
    start = rng.randrange(2, len(inside) - 9)
    cue = " ".join(inside[start : start + 8]).strip(",")
    return Piece(text=text, cue=cue, wanted=(text,), avoid=(cue,))


_COUNTS = "two three four five six seven eight nine ten twelve twenty thirty forty fifty".split()
_VERBS = "load send merge count clear store check read write build open close split join sort scan".split()
_NAMES = "total size limit offset index width rate first last step margin scale base weight share".split()


def function(index: int, seed: int = 0) -> Piece:
    """An invented function of a few lines; one of them is given."""
    rng = random.Random(f"function/{seed}/{index}")
    name = f"{rng.choice(_VERBS)}_{prose.key(index, seed).replace(' ', '_')}"
    given = rng.sample(_NAMES, 2)
    have: list[str] = list(given)
    lines: list[str] = []
    for local in rng.sample([n for n in _NAMES if n not in given], 3):
        shape = rng.choice(
            (
                "{new} = {a} * {k} + {b}",
                "{new} = max({a}, {b} - {k})",
                "{new} = [{a} + i for i in range({k})][-1]",
                "{new} = {k} if {a} > {b} else {a}",
                "{new} = abs({a} - {k}) // {j}",
            )
        )
        a, b = rng.sample(have, 2)
        lines.append(shape.format(new=local, a=a, b=b, k=rng.randint(10, 999), j=rng.randint(2, 9)))
        have.append(local)
    cue = rng.choice(lines)
    body = "\n".join(f"    {line}" for line in [*lines, f"return {have[-1]} + {have[-2]}"])
    return Piece(text=f"def {name}({', '.join(given)}):\n{body}", cue=cue, wanted=(name,), avoid=(cue, f"def {name}("))


def row(index: int, seed: int = 0) -> Piece:
    """An invented row of id, label and description; the id is given."""
    world = World(seed)
    name = f"Q{10_000_000 + prose.spread(index % BACKGROUND, 80_000_000, seed)}"
    kind = ("person", "town", "event")[index % 3]
    facts = {f.relation: f.value for f in world.facts(kind, index)}
    if kind == "person":
        said = f"{facts['job']} from {facts['town']} who moved in {facts['year']} and plays the {facts['instrument']}"
    elif kind == "town":
        said = f"town of {facts['houses']} houses, founded in {facts['founded']}, known for its {facts['product']}"
    else:
        said = f"feast with {facts['guests']} guests in {facts['month']}, hosted by a {facts['host']}"
    return _row(name, world.name(kind, index), said)


def _row(name: str, label: str, said: str) -> Piece:
    return Piece(text=f"id: {name}, label: {label}, description: {said}", cue=name, wanted=(label, said), avoid=(name,))


MAKERS: dict[str, Callable[[int, int], Piece]] = {"document": sentence, "code": function, "database": row}


@lru_cache(maxsize=8)
def published(kind: str, data: str) -> tuple[Piece, ...]:
    """The published pieces of a kind, each text once.

    Args:
        kind: document, code or database.
        data: the folder of pieces, or one file of them, here or on the hub.

    Raises:
        UserError: it cannot be read, or is of another format.
    """
    folder, spec = Path(data).expanduser(), data
    if folder.is_dir():
        stem = FILES[kind].removesuffix(".jsonl")
        found = sorted(p for p in folder.iterdir() if stem in p.name)
        if not found:
            raise UserError(f"folder {data!r} holds no file named like {FILES[kind]}, as FILM's pieces are")
        spec = str(found[0])
    pieces: dict[str, Piece] = {}
    for place, raw in rows_of(spec):
        demand(raw, COLUMNS[kind], f"FILM's {kind} pieces", place)
        piece = _read(kind, raw)
        pieces.setdefault(piece.text, piece)
    if not pieces:
        raise UserError(f"{spec!r} holds no rows")
    return tuple(pieces.values())


def able(kind: str, data: str, index: int, seed: int) -> Piece | None:
    """The published piece number `index` of those that can be asked for, in an order that the seed shuffles.

    Asked for can be what stands nowhere else among the pieces, by what is given of it; None where there are not so many.
    """
    found, rest = _asked(kind, data, seed)
    while len(found) <= index:
        piece = next(rest, None)
        if piece is None:
            return None
        found.append(piece)
    return found[index]


@lru_cache(maxsize=8)
def _asked(kind: str, data: str, seed: int) -> tuple[list[Piece], Iterator[Piece]]:
    pieces = list(published(kind, data))
    random.Random(seed).shuffle(pieces)
    everything = "\0".join(p.text for p in pieces)
    return [], (p for p in pieces if all(everything.count(text) == 1 for text in p.avoid))


def _read(kind: str, raw: Mapping[str, Any]) -> Piece:
    if kind == "document":
        text = " ".join(raw["sentence"].split())
        return Piece(text=text, cue=raw["piece"], wanted=(text,), avoid=(raw["piece"],))
    if kind == "code":
        name, cue = raw["function_name"], raw["piece"]
        return Piece(text=f"def {name}():\n{raw['function_define']}", cue=cue, wanted=(name,), avoid=(cue, f"def {name}("))
    return _row(raw["id"], raw["label"], raw["dcpt"])


def source(spec: str, seed: int, settings: Mapping[str, Any]) -> Source:
    """The noise `pieces(kind=document)`, `pieces(kind=code)` or `pieces(kind=database)`, with `data=` the published ones.

    Raises:
        UserError: another setting or kind.
    """
    kind, data = str(settings.get("kind", "document")), str(settings.get("data", ""))
    if set(settings) - {"kind", "data"} or kind not in MAKERS:
        raise UserError(f"noise {spec!r}: pieces take kind={'|'.join(MAKERS)} and data=, and nothing else")
    if data:
        texts = [p.text for p in published(kind, data)]
        random.Random(seed).shuffle(texts)
        return Source(spec, JOINS[kind], lambda n: texts[:n])
    have = list[str]()

    def take(n: int) -> list[str]:
        have.extend(MAKERS[kind](BACKGROUND + i, seed).text for i in range(len(have), n))
        return have[:n]

    return Source(spec, JOINS[kind], take)
