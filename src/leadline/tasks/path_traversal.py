"""Path traversal: follow one-way lines from city to city and write down every step.

One of LongProc's six procedures (arXiv:2501.05414; princeton-pli/LongProc, Apache-2.0): each city has one line out of it, so
that there is one route, and the reply is that route. 49 lines and 24 to 39 steps at 0.5k as in the authors' file; four and
sixteen times as many at 2k and 8k, where theirs were not at hand. The lines lie in noise, each in a sentence of its own.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from leadline.nouns import Item
from leadline.scoring.longproc_metrics import Marks, mark_route
from leadline.tasks._procedures import SIZES, Procedure, towns

MEANS = ("bus", "train", "plane", "ferry")
_TASK = """In an invented country each city has exactly one line out of it, by bus, train, plane or ferry, to one other city. \
The lines run one way only: a line from A to B does not take you from B to A. The text below tells all the lines, among other \
things and in no order. You will be asked for the route from one city to another. There is only one: start at the first city, \
look up where its line goes, go on from there, and so on until you arrive.

Write the route between <Route> and </Route>, one line of text for each step and nothing else, like this (with other cities):
<Route>
From Ashby, take a train to Moreford.
From Moreford, take a ferry to Senwick.
</Route>"""


@dataclass(frozen=True, kw_only=True)
class PathTraversal(Procedure):
    """A route of many steps, each told somewhere."""

    minima = (4096, 12288, 49152)
    columns = {"context_nl": str, "question_repr": (list, tuple), "answer_nl": str}

    def generated(self, index: int, seed: int, rng: random.Random) -> Item:
        times = 4 ** SIZES.index(self.output)
        steps = rng.randint(24 * times, 39 * times)
        names = towns(rng, 49 * times)
        route, others = names[: steps + 1], names[steps + 1 :]
        links = [(a, rng.choice(MEANS), b) for a, b in zip(route, route[1:], strict=False)]
        # The other lines lead anywhere, often onto the route, but none away from it; the last city has one too.
        spare = [(a, rng.choice(MEANS), next(x for x in rng.sample(names, 2) if x != a)) for a in (*others, route[-1])]
        return self._asked(
            [_told(*link) for link in links],
            [_told(*link) for link in spare],
            (route[0], route[-1]),
            "\n".join(f"From {a}, take a {means} to {b}." for a, means, b in links),
        )

    def published(self, row: Mapping[str, Any], place: str) -> Item:
        start, end = row["question_repr"]
        return self._asked(row["context_nl"].strip().split("\n"), [], (start, end), row["answer_nl"].strip(), ordered=True)

    def _asked(self, links: list[str], others: list[str], ends: tuple[str, str], route: str, ordered: bool = False) -> Item:
        return self.made(
            instruction=_TASK,
            evidence=links,
            distractors=others,
            ordered=ordered,
            question=f"Give the route from {ends[0]} to {ends[1]}, step by step, between <Route> and </Route> in the "
            "form shown at the beginning.",
            reference=self.wrapped(route),
            avoid=("You can travel from",),
        )

    def wrapped(self, reference: str) -> str:
        return f"<Route>\n{reference.strip()}\n</Route>"

    def marks(self, reply: str, reference: str, item: Item) -> Marks:
        return mark_route(reply, reference, peer=self.peer)


def _told(a: str, means: str, b: str) -> str:
    return f"You can travel from {a} to {b} by {means}."
