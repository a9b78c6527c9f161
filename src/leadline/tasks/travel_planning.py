"""Travel planning: order cities by length of stay, fixed dates and direct flights, and write the whole search down.

One of LongProc's six procedures (arXiv:2501.05414; princeton-pli/LongProc, Apache-2.0), on trips as in Natural Plan
(arXiv:2406.04520): day by day, a city that is fixed on that day or else the free ones in order; dropped without a direct flight
from the last city or where it ends after the next fixed date. Generated trips have one plan. 2k means traces of under 2,048
tokens and 8k 4,096 to 8,192 as in the authors' file; 0.5k, which they do not have, trips to three cities, some 700 tokens.
The facts lie in noise.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from typing import Any

from leadline.nouns import Item, UserError
from leadline.scoring.longproc_metrics import Marks, mark_trip
from leadline.tasks._procedures import SIZES, Procedure, towns

LENGTHS = ((0, 3400), (3400, 8000), (17_000, 33_000))
"""Characters of the trace, counted as about 4 to a token."""
CITIES = ((3, 3), (4, 6), (6, 9))
"""Fewest and most cities."""
_RULES = """You will plan a trip to several cities. The text tells how many days to stay in each of them, which stays are on \
fixed days, and between which cities there are direct flights, among other things. Only direct flights are taken, and they go \
one way only. Any city can be the first. The day of arrival and the day of departure both count: who arrives on Day 3 and \
stays for 4 days leaves on Day 6, and arrives in the next city on Day 6.

Search for the plan like this, and write the search down as in the example:
- List the cities with their durations in the order in which the text tells them, then those that are fixed (by their days), \
then the others.
- Start on Day 1. If a city is fixed to begin on the current day, it is the only option. Otherwise the options are the other \
cities that are not in the plan yet, in order.
- Drop an option if there is no direct flight to it from the last city ("No. Drop this branch."), or if it ends later than \
the next fixed city begins.
- Otherwise go on from it on the day of its departure. If no option is left, write "Fail to arrange any option on day X in \
the current arrangement. Drop this branch." at the depth of the options, and go back to the last choice.
- When all cities are arranged, write the plan between <Plan> and </Plan>."""


@dataclass(frozen=True)
class Trip:
    """Cities in the order told, each with its days and, where it is fixed, its first and last day; and the flights."""

    days: dict[str, int]
    fixed: dict[str, tuple[int, int]]
    flights: frozenset[tuple[str, str]]
    log: list[str] = field(default_factory=list, compare=False)

    def plans(self) -> Iterator[list[tuple[str, int, int]]]:
        """All plans in the order of the search, which is written to the log as it goes."""
        self.log.clear()
        say = self.log.append
        say("Read the requirements and identify the cities that have fixed schedules and the cities that need to be arranged.")
        for city, days in self.days.items():
            first, last = self.fixed.get(city, (0, 0))
            say(f"* City: {city}, Duration: {days} days{f', Fixed Schedule: Day {first} - {last}' if first else ''}.")
        by_day = sorted(self.fixed, key=lambda city: self.fixed[city])
        free = [city for city in self.days if city not in self.fixed]
        say("")
        say(
            "Cities that have fixed schedules (sorted by their arrival days):"
            if by_day
            else "Cities that have fixed schedules: None."
        )
        for city in by_day:
            say(f"* City: {city}, Fixed Schedule: Day {self.fixed[city][0]} - {self.fixed[city][1]}.")
        say("")
        say("Cities needing arrangement:" if free else "Cities needing arrangement: None.")
        for city in free:
            say(f"* City: {city}, Duration: {self.days[city]} days.")
        say("")
        yield from self._from(1, [], free)

    def _from(self, day: int, plan: list[tuple[str, int, int]], free: list[str]) -> Iterator[list[tuple[str, int, int]]]:
        depth = 2 * len(plan)
        say = self._teller(depth)
        say(f"Current day: {day}. Current plan: [{', '.join(stop[0] for stop in plan)}].")
        if len(plan) == len(self.days):
            say(f"All {len(plan)} cities are arranged. Complete plan is found!")
            yield plan
            return
        say(f"Check whether the city with an arrival day of Day {day} - is fixed.")
        due = next((city for city, span in self.fixed.items() if span[0] == day), None)
        after = min((city for city in self.fixed if self.fixed[city][0] > day), key=lambda c: self.fixed[c], default=None)
        if due:
            say(f"Yes. The city with an arrival day of Day {day} - is fixed: {due}.")
        else:
            say(
                f"No. Consider possible options from cities needing arrangement: [{', '.join(free)}] and explore these options "
                "in order."
            )
        say, last = self._teller(depth + 1), plan[-1][0] if plan else "the starting point"
        for city in [due] if due else free:
            days = self.fixed[city][1] - self.fixed[city][0] + 1 if due else self.days[city]
            end = day + days - 1
            say(f"Try arranging to visit {city} from Day {day}. Duration: {days} days. Schedule: Day {day} - {end}.")
            say(f"Check for direct flight from {last} to {city}.")
            if plan and (last, city) not in self.flights:
                say("No. Drop this branch.")
                continue
            say("Yes.")
            check = f"Check whether this arrangement is compatible with the next fixed schedule after Day {day}:"
            if after is None:
                say(f"{check} None.")
                say("No following fixed schedules. This arrangement is compatible.")
            else:
                first, final = self.fixed[after]
                say(f"{check} {after} (Day {first} - {final}).")
                told = f"The departure day of {city} is Day {end}. The arrival day of {after} is Day {first}. Day {end} is"
                if first < end:
                    say(f"{told} later than (>) Day {first}. This arrangement is incompatible. Drop this branch.")
                    continue
                say(f"{told} not later than (<=) Day {first}. This arrangement is compatible.")
            say("This arrangement is feasible for now. Continue to arrange the rest of the plan.")
            yield from self._from(end, [*plan, (city, day, end)], [c for c in free if c != city])
        say(f"Fail to arrange any option on day {day} in the current arrangement. Drop this branch.")

    def _teller(self, level: int) -> Any:
        indent = " " * level + "|- " if level else ""
        return lambda text: self.log.append(indent + text)

    def trace(self) -> str:
        """The search up to the first plan, and the plan, in LongProc's form.

        Raises:
            LookupError: there is no plan.
        """
        plan = next(self.plans(), None)
        if plan is None:
            raise LookupError
        search = "\n".join(self.log)
        ending = f"Output the plan in the required format:\n<Plan>\n{_written(plan)}\n</Plan>"
        return f"<Solving Procedure>\n{search}\n</Solving Procedure>\n\n{ending}"

    def facts(self) -> list[str]:
        """What the text tells, in its order."""
        total = sum(self.days.values()) - len(self.days) + 1
        told = [f"The trip goes to {len(self.days)} European cities for {total} days."]
        for city, days in self.days.items():
            when = "from day {} to day {}".format(*self.fixed[city]) if city in self.fixed else ""
            told.append(f"The stay in {city} is for {days} days{f', and it is fixed: {when}' if when else ''}.")
        return told + [f"There is a direct flight from {a} to {b}." for a, b in sorted(self.flights)]


def _written(plan: Sequence[tuple[str, int, int]]) -> str:
    lines = []
    for i, (city, first, last) in enumerate(plan):
        visit = f"Visit {city}" if i else f"Arriving in {city} and visit {city}"
        lines.append(f"**Day {first}-{last}:** {visit} for {last - first + 1} days.")
        if i + 1 < len(plan):
            lines.append(f"**Day {last}:** Fly from {city} to {plan[i + 1][0]}.")
    return "\n".join(lines)


@dataclass(frozen=True, kw_only=True)
class TravelPlanning(Procedure):
    """A search for a trip that is written out."""

    minima = (6144, 10240, 24576)
    columns = {"constraints": (list, tuple), "connected_cities": (list, tuple), "disambig_question_text": str}

    def generated(self, index: int, seed: int, rng: random.Random) -> Item:
        size = SIZES.index(self.output)
        low, high = LENGTHS[size]
        while True:
            trip = _drawn(rng, rng.randint(*CITIES[size]))
            if low <= len(trip.trace()) < high and len(list(islice(trip.plans(), 2))) == 1:
                return self._asked(trip, trip.facts())

    def published(self, row: Mapping[str, Any], place: str) -> Item:
        days = {c["city"]: int(c["num_days"]) for c in row["constraints"] if c["type"] == "duration"}
        fixed = {c["city"]: (int(c["start_day"]), int(c["end_day"])) for c in row["constraints"] if c["type"] == "fixed"}
        trip = Trip(days, fixed, frozenset((a, b) for a, b in row["connected_cities"]))
        try:
            return self._asked(trip, [row["disambig_question_text"].strip()])
        except LookupError:
            raise UserError(f"{place}: there is no plan for this trip") from None

    def kept(self, row: Mapping[str, Any]) -> bool:
        """The authors keep all sizes in one file, with the tokens that they estimate."""
        tokens = row.get("estimated_output_tokens")
        return tokens is None or (tokens < 2048 if self.output != "8k" else 4096 <= tokens < 8192)

    def _asked(self, trip: Trip, facts: Sequence[str]) -> Item:
        return self.made(
            instruction=_instruction(),
            evidence=facts,
            ordered=True,
            question="Plan the trip that the text above tells of. Write the search between <Solving Procedure> and "
            "</Solving Procedure> in the form of the example, and then the plan between <Plan> and </Plan> in its form too.",
            reference=trip.trace(),
            avoid=("direct flight", "European", *trip.days) if len(facts) > 1 else (),
        )

    def marks(self, reply: str, reference: str, item: Item) -> Marks:
        return mark_trip(reply, reference, peer=self.peer)


def _drawn(rng: random.Random, n: int) -> Trip:
    """A trip that has a plan, with flights that lead astray."""
    cities = towns(rng, n)
    stays, first = {}, 1
    for city in cities:
        stays[city] = (first, first := first + rng.randint(2, 7) - 1)
    pinned = rng.sample(cities, rng.randint(1, max(1, n // 3)))
    flights = set(zip(cities, cities[1:], strict=False))
    others = [(a, b) for a in cities for b in cities if a != b and (a, b) not in flights]
    flights.update(rng.sample(others, min(len(others), rng.randint(n // 2, 2 * n))))
    told = rng.sample(cities, n)
    return Trip(
        {c: stays[c][1] - stays[c][0] + 1 for c in told}, {c: stays[c] for c in told if c in pinned}, frozenset(flights)
    )


@cache
def _instruction() -> str:
    trip = Trip(
        {"Marbury": 3, "Selton": 6, "Dalcott": 2},
        {"Marbury": (2, 4)},
        frozenset({("Dalcott", "Marbury"), ("Marbury", "Selton")}),
    )
    return f"{_RULES}\n\n# Example\n{' '.join(trip.facts())}\n\n{trip.trace()}\n\n# Text"
