"""Random strings of letters and figures, one a line: noise that nothing can be told from but by its characters.

As in the list of SCBench's prefix-suffix task (arXiv:2412.10319). Knows nothing of questions.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from string import ascii_lowercase, digits
from typing import Any

from leadline.data.noise import Source
from leadline.nouns import UserError

SIGNS = ascii_lowercase + digits
BLOCK = 512


def drawn(rng: random.Random, size: int) -> str:
    """A random string of so many characters."""
    return "".join(rng.choices(SIGNS, k=size))


def source(spec: str, seed: int, settings: Mapping[str, Any]) -> Source:
    """The noise `strings`: 20 to 40 characters a line.

    Raises:
        UserError: it has no settings.
    """
    if settings:
        raise UserError(f"noise 'strings' has no settings; {spec!r} gives {', '.join(settings)}")

    def take(n: int) -> list[str]:
        found: list[str] = []
        for block in range(-(-n // BLOCK)):
            rng = random.Random(f"strings/{seed}/{block}")
            found += [drawn(rng, rng.randrange(20, 41)) for _ in range(BLOCK)]
        return found[:n]

    return Source(spec, "\n", take, ("(", ")"))
