"""Generated noise: plain prose, one-line records and short passages, any amount, without a download.

Prose says nothing exact: no digits, no names of the invented world's people, nothing that answers a
question. Every stream is cut into blocks with a seed of their own, so that a longer stream begins with
the shorter one. Knows nothing of tokenizers or questions.
"""

from __future__ import annotations

import random
import re
import uuid
from collections.abc import Callable, Iterator

from leadline.data import lexicon

BLOCK = 512

_PLACES = (
    "the hill|the river|the old bridge|the market square|the harbor|the station|the edge of the forest|the mill|the school|"
    "the garden wall|the lake|the main road|the church|the library|the north gate|the town hall|the orchard|the stone tower"
).split("|")
_TIMES = (
    "In the morning|Late in the evening|After lunch|Before sunrise|Most of the time|On some days|At noon|In early spring|"
    "Toward the end of the summer|When the rain stopped|Once a week|During the winter|As usual|Not long after that|"
    "Every now and then|By the time the bells rang"
).split("|")
_PEOPLE = (
    "the children|an old man|two travelers|a young woman|the neighbors|a group of students|the visitors|some of the workers|"
    "the postman|a stranger|the guests|a few sailors|the whole family|the shopkeeper|nobody|almost everyone"
).split("|")
_ACTS = (
    "walked slowly past {place}|talked about the weather|sat down near {place}|waited for the next train|sang an old song|"
    "carried baskets to {place}|looked at the {adj} sky|slept a little longer than planned|told stories about the {adj} {noun}|"
    "went back to {place}|painted the fence|counted the boats on the water|read the newspaper without a word|"
    "shared a pot of soup|listened to the wind|closed the shutters|swept the floor|watched a {noun} cross {place}|"
    "laughed at the same joke|forgot about the time|asked for a cup of coffee|looked for a lost {noun}|"
    "agreed that nothing had changed|found the path to {place} again"
).split("|")
_THINGS = (
    "The {adj} light over {place} did not last long|A {adj} {noun} stood near {place}|The road to {place} was narrow and {adj}|"
    "There was a smell of fresh bread near {place}|The water was {adj} and the boats moved gently|"
    "The houses around {place} had small windows and {adj} doors|It was a {adj} day, and the streets were almost empty|"
    "The garden was full of {noun} shapes cut from {adj} paper|Nothing about the {adj} {noun} seemed new|"
    "Leaves gathered in front of {place}|The wind turned and brought {adj} clouds|"
    "Somewhere behind {place} a dog barked for a while|The letters on the sign were hard to read|"
    "The windows were open, and music came from {place}|The bench by {place} had been repaired more than once|"
    "Smoke rose from the chimneys and drifted toward {place}"
).split("|")

_ARTICLE = re.compile(r"\b([Aa]) (?=[aeiou])")
_COMPILED: dict[str, tuple[str, tuple[int, ...]]] = {}
_SLOTS = ("{place}", "{adj}", "{noun}")
_FILLS: tuple[tuple[str, ...], ...] = (tuple(_PLACES), lexicon.ADJECTIVES, lexicon.NOUNS)


def _blocks(n: int, seed: int, kind: str, one: Callable[[random.Random], str]) -> list[str]:
    """The first n texts of a stream, block by block, each block from its own generator."""
    out: list[str] = []
    for block in range(-(-n // BLOCK)):
        rng = random.Random(f"{kind}/{seed}/{block}")
        out.extend(one(rng) for _ in range(BLOCK))
    return out[:n]


def _fill(rng: random.Random, template: str) -> str:
    """Fill the slots of a template; templates are taken apart once, for this is the hot loop."""
    if template not in _COMPILED:
        slots = sorted((template.index(s), i) for i, s in enumerate(_SLOTS) if s in template)
        shape = template
        for s in _SLOTS:
            shape = shape.replace(s, "%s")
        _COMPILED[template] = (shape, tuple(i for _, i in slots))
    shape, slots_ = _COMPILED[template]
    pick = rng.random
    return _ARTICLE.sub(r"\1n ", shape % tuple(_FILLS[i][int(pick() * len(_FILLS[i]))] for i in slots_))


def sentence(rng: random.Random) -> str:
    """One sentence of plain prose."""
    pick = rng.random
    kind = pick()
    if kind < 0.35:
        return _fill(rng, _THINGS[int(pick() * len(_THINGS))]) + "."
    who = _PEOPLE[int(pick() * len(_PEOPLE))]
    act = _fill(rng, _ACTS[int(pick() * len(_ACTS))])
    if kind < 0.75:
        return f"{_TIMES[int(pick() * len(_TIMES))]}, {who} {act}."
    if kind < 0.9:
        return f"{who[0].upper()}{who[1:]} {act}."
    other = _fill(rng, _ACTS[int(pick() * len(_ACTS))])
    return f"{who[0].upper()}{who[1:]} {act} and {other}."


def sentences(n: int, seed: int = 0) -> list[str]:
    """The first n sentences of plain prose."""
    return _blocks(n, seed, "prose", sentence)


ATTRIBUTES = ("code", "number", "price", "weight", "rank")
_KEYS = len(lexicon.ADJECTIVES) * len(lexicon.NOUNS)


def spread(index: int, size: int, seed: int) -> int:
    """A different place below `size` for each index below it: indices wander, none meets another."""
    step = int(size * 0.6180339887) | 1
    while _gcd(step, size) != 1:
        step += 2
    return (index * step + seed * 7919) % size


def _gcd(a: int, b: int) -> int:
    while b:
        a, b = b, a % b
    return a


def key(index: int, seed: int = 0) -> str:
    """Two words such as `amber falcon`; different for each index up to some thirty thousand."""
    place = spread(index % _KEYS, _KEYS, seed)
    return f"{lexicon.ADJECTIVES[place // len(lexicon.NOUNS)]} {lexicon.NOUNS[place % len(lexicon.NOUNS)]}"


def value(rng: random.Random) -> str:
    """Six digits."""
    return str(rng.randrange(100_000, 1_000_000))


def records(n: int, seed: int = 0) -> list[str]:
    """The first n one-line records, as in `The code of amber falcon is 482193`.

    No two share attribute and key, up to about 150,000 of them.
    """
    rng = random.Random(f"records/{seed}")
    first = rng.randrange(_KEYS)

    def lines() -> Iterator[str]:
        for i in range(n):
            attribute = ATTRIBUTES[(i + i // _KEYS) % len(ATTRIBUTES)]
            yield f"The {attribute} of {key(first + i, seed)} is {value(rng)}."

    return list(lines())


def uuid_pair(rng: random.Random) -> tuple[str, str]:
    """A key and a value: 128 random bits each, key first, without a version's bits (as Needle Threading draws them)."""
    return str(uuid.UUID(int=rng.getrandbits(128))), str(uuid.UUID(int=rng.getrandbits(128)))


def uuids(n: int, seed: int = 0) -> list[str]:
    """The first n pairs of a JSON object, as in `"247a8333-...": "1759edc3-..."`."""
    rng = random.Random(seed)
    return ['"{}": "{}"'.format(*uuid_pair(rng)) for _ in range(n)]


def register(key: str, value: int) -> str:
    """A line of LMSYS's line retrieval, with a key of two words."""
    return f"line {key.replace(' ', '-')}: REGISTER_CONTENT is <{value}>"


def registers(n: int, seed: int = 0) -> list[str]:
    """The first n lines of the same form as `register`, all with different keys: of three words where two do not suffice."""
    rng = random.Random(f"registers/{seed}")
    first = rng.randrange(_KEYS)
    ends = ["", *(f" {noun}" for noun in lexicon.NOUNS)]
    return [register(key(first + i, seed) + ends[i // _KEYS % len(ends)], rng.randrange(1, 100_000)) for i in range(n)]


def passages(n: int, seed: int = 0) -> list[str]:
    """The first n short passages: documents of the invented world about people nobody asks for."""
    from leadline.data.world import World  # the world's documents end in prose, so it imports this file

    world = World(seed)
    return [world.background(i).text for i in range(n)]
