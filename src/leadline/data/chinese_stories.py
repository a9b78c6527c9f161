"""Generated Chinese stories: what befell one invented person, event by event, each with one exact value.

As with the invented world, nobody was trained on them, and story 7 of seed 1 is the same everywhere. Events stand in the order
in which they came about; the prose between them is a haystack's business. Knows nothing of tokenizers, prompts and tasks.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

from leadline.data import chinese

Value = Literal["person", "town", "key"]
PLOT: tuple[tuple[str, Value], ...] = (
    ("{n}出生在{v}。", "town"),
    ("{n}小时候跟着{v}学会了写字。", "person"),
    ("{n}从祖母手里得到了一件名叫“{v}”的宝物。", "key"),
    ("{n}离开家乡，去了{v}谋生。", "town"),
    ("{n}在船上结识了{v}，从此成了好朋友。", "person"),
    ("{n}和朋友合开了一家茶楼，取名“{v}”。", "key"),
    ("{n}的货船在{v}附近触礁沉没。", "town"),
    ("{n}不得不向{v}借钱还债。", "person"),
    ("{n}买下了一匹叫“{v}”的马，靠它运货翻了身。", "key"),
    ("{n}在{v}的一场大火里救出了三个孩子。", "town"),
    ("{n}后来和{v}成了亲。", "person"),
    ("{n}写了一本书，书名是《{v}》。", "key"),
    ("{n}被人诬告，在{v}坐了一年牢。", "town"),
    ("{n}收了{v}做徒弟，把手艺传了下去。", "person"),
    ("{n}雇了一条叫“{v}”的船出海远游。", "key"),
    ("{n}晚年在{v}定居下来。", "town"),
    ("{n}临终前把全部家产留给了{v}。", "person"),
)
"""What may happen to {n}, first to last, and what kind of name {v} is."""


@dataclass(frozen=True, kw_only=True)
class Story:
    """A life in sentences."""

    person: str
    events: tuple[str, ...]
    """One sentence each, in the order in which they came about."""
    values: tuple[str, ...]
    """What each event alone says; no two alike, and none is the person's name."""


def story(index: int, events: int, seed: int = 0) -> Story:
    """A story of so many events, 1 to `len(PLOT)`; which ones is drawn."""
    rng = random.Random(f"story-zh/{seed}/{index}")
    chosen = [PLOT[i] for i in sorted(rng.sample(range(len(PLOT)), events))]
    first = rng.randrange(1 << 30)
    make = {"person": chinese.name, "town": chinese.town, "key": chinese.key}
    person = chinese.name(first, seed)
    values = [make[kind](first + i, seed) for i, (_, kind) in enumerate(chosen, 1)]
    told = tuple(text.format(n=person, v=value) for (text, _), value in zip(chosen, values, strict=True))
    return Story(person=person, events=told, values=tuple(values))


def sentences(text: str) -> list[str]:
    """The sentences of a Chinese text; a line break ends one too."""
    marked = "".join(f"{c}\n" if c in "。！？!?" else c for c in text)
    return [part.strip() for part in marked.split("\n") if part.strip()]
