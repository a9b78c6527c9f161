"""Small functions with a description in words, as people search for code: what one does, and never what it is called.

Each line of a function is one step that can be said exactly, so a description fits one function alone. Knows nothing of
prompts.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from leadline.data import prose

_VERBS = "adjust balance blend derive estimate fold gauge grade measure merge rate reckon scale settle tally weigh".split()
_NAMES = "alpha base bonus count delta extra factor gain level limit margin offset part quota ratio score share step".split()
_STEPS = (
    ("{new} = {a} * {k} + {b}", "takes {a} times {k} plus {b} as {new}"),
    ("{new} = max({a}, {b} - {k})", "sets {new} to the larger of {a} and {b} less {k}"),
    ("{new} = min({a} + {k}, {b})", "sets {new} to the smaller of {a} plus {k} and {b}"),
    ("{new} = {k} if {a} > {b} else {a}", "lets {new} be {k} where {a} is above {b}, and {a} otherwise"),
    ("{new} = abs({a} - {k}) // {j}", "divides the distance of {a} from {k} by {j}, without remainder, into {new}"),
    ("{new} = ({a} + {b}) % {k}", "keeps in {new} the remainder of {a} plus {b} divided by {k}"),
)
"""A line of code and the same in words."""
_ENDS = (
    ("return {a} + {b}", "returns the sum of {a} and {b}"),
    ("return {a} - {b}", "returns {a} less {b}"),
    ("return [{a}, {b}]", "returns {a} and {b} as a list"),
)


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function and what it does."""

    name: str
    text: str
    said: str
    """What it does, in one sentence without its name."""


def function(index: int, seed: int = 0) -> Function:
    """An invented Python function of five lines and its description; each index gives another."""
    rng = random.Random(f"described/{seed}/{index}")
    name = f"{rng.choice(_VERBS)}_{prose.key(index, seed).replace(' ', '_')}"
    names = rng.sample(_NAMES, 5)
    given, have = names[:2], names[:2]
    code, told = [], []
    for new in names[2:]:
        line, words = rng.choice(_STEPS)
        a, b = rng.sample(have, 2)
        parts = {"new": new, "a": a, "b": b, "k": rng.randint(10, 999), "j": rng.randint(2, 9)}
        code.append(line.format(**parts))
        told.append(words.format(**parts))
        have.append(new)
    line, words = rng.choice(_ENDS)
    ends = {"a": have[-1], "b": rng.choice(have[:-1])}
    body = "\n".join(f"    {line}" for line in [*code, line.format(**ends)])
    first, *rest = told
    steps = "; then it ".join([first, *rest, words.format(**ends)])
    return Function(
        name=name,
        text=f"def {name}({', '.join(given)}):\n{body}",
        said=f"It takes {given[0]} and {given[1]} and first {steps}.",
    )
