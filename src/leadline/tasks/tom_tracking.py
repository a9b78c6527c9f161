"""Theory-of-mind tracking: where somebody is, where a thing is, and where that person believes it to be, step by step.

One of LongProc's six procedures (arXiv:2501.05414; princeton-pli/LongProc, Apache-2.0): two people move between two rooms and
move two things; a belief follows what the person sees and stays as it was otherwise. 10 steps at 0.5k and 40 at 2k as in the
authors' files; 160 at 8k, where theirs was not at hand. The steps lie in noise, in their order.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leadline.data.lexicon import FIRST_NAMES
from leadline.nouns import Item, UserError
from leadline.scoring.longproc_metrics import Marks, mark_beliefs
from leadline.tasks._procedures import SIZES, Procedure

STEPS = (10, 40, 160)
ROOMS = "attic basement kitchen pantry parlor workshop greenhouse nursery cloakroom bathroom playroom laundry".split()
PLACES = "shelf stool rack cabinet drawer chest table crate bench wardrobe".split()
THINGS = "thimble teaspoon flashlight notebook passport hairbrush screwdriver sponge corkscrew stapler yo-yo postcard".split()
_EXAMPLE = """Step 0: Nora is in the hall; Till is in the cellar; the whistle is on the hall's trunk; \
the ruler is on the cellar's trunk.
Step 1: Till moves the ruler to the cellar's dresser.
Step 2: Nora leaves the room.
Step 3: Till moves to the hall, and moves the ruler to the hall's trunk.
Step 4: Nora enters the cellar.
Step 5: Till moves the whistle to the hall's dresser.
Step 6: Nora moves to the hall."""
_APPROACH = """A story tells, in numbered steps, how people move between rooms and move things. You will be asked where one \
of them believes one thing to be. Track three things through all steps: where the person is, where the thing is, and what the \
person believes.
- At step 0 set down where both are. Somebody who does not see the thing at the start believes None.
- Somebody who leaves a room is in none (None) until entering one.
- Somebody in the room where the thing is sees it, and then believes what is true. Somebody who is elsewhere keeps the old \
belief.
Write one line for every step, exactly in the form of the example, and the final answer below. The steps of the story are \
told in their order, among sentences that have nothing to do with it."""


def _instruction() -> str:
    trace = solve(_EXAMPLE.split("\n"), "Nora", "whistle")
    return (
        f"{_APPROACH}\n\nEXAMPLE STORY\n{_EXAMPLE}\n\nEXAMPLE QUESTION\nWhere does Nora believe the whistle is?\n\n"
        f"EXAMPLE ANSWER\n{trace}\n\nTHE STORY"
    )


@dataclass(frozen=True, kw_only=True)
class TomTracking(Procedure):
    """A belief tracked through a story."""

    minima = (4096, 10240, 32768)
    columns = {"story": str, "question": str, "solution": str}

    def generated(self, index: int, seed: int, rng: random.Random) -> Item:
        people, things = rng.sample(FIRST_NAMES, 2), rng.sample(THINGS, 2)
        rooms, places = rng.sample(ROOMS, 2), rng.sample(PLACES, 2)
        told = _story(people, things, rooms, places, STEPS[SIZES.index(self.output)], rng)
        who, what = rng.choice(people), rng.choice(things)
        return self._asked(told, f"Where does {who} believe the {what} is?", solve(told, who, what), (*people, *things))

    def published(self, row: Mapping[str, Any], place: str) -> Item:
        return self._asked(row["story"].strip().split("\n"), row["question"], row["solution"].strip(), ())

    def _asked(self, story: Sequence[str], question: str, trace: str, avoid: Sequence[str]) -> Item:
        last = len(story) - 1
        return self.made(
            instruction=_instruction(),
            evidence=story,
            ordered=True,
            question=f"THE QUESTION\n{question}\n\nTrack it from step 0 to step {last} in the form of the example answer, one "
            "line for each step, then write 'Final Answer: ' and the place.",
            reference=trace,
            avoid=("Step ", *avoid),
        )

    def marks(self, reply: str, reference: str, item: Item) -> Marks:
        return mark_beliefs(reply, reference, peer=self.peer)


def _story(
    people: Sequence[str], things: Sequence[str], rooms: Sequence[str], places: Sequence[str], steps: int, rng: random.Random
) -> list[str]:
    """Step 0 and so many more; who left a room enters one when next to act."""
    spots = {room: [f"the {room}'s {place}" for place in places] for room in rooms}
    at: dict[str, str | None] = {person: rng.choice(rooms) for person in people}
    lies = {thing: rng.choice(spots[rng.choice(rooms)]) for thing in things}
    facts = [f"{p} is in the {at[p]}" for p in people] + [f"the {t} is on {lies[t]}" for t in things]
    story = [f"Step 0: {'; '.join(facts)}."]
    for step in range(1, steps + 1):
        who = rng.choice(people)
        room = at[who]
        if room is None:
            at[who] = rng.choice(rooms)
            story.append(f"Step {step}: {who} enters the {at[who]}.")
            continue
        other = next(r for r in rooms if r != room)
        here = [t for t in things if _room(lies[t]) == room]
        kind = rng.choice(("go", "leave", "carry", "move") if here else ("go", "go", "leave"))
        if kind == "leave":
            at[who] = None
            story.append(f"Step {step}: {who} leaves the room.")
        elif kind == "go":
            at[who] = other
            story.append(f"Step {step}: {who} moves to the {other}.")
        else:
            thing = rng.choice(here)
            lies[thing] = rng.choice([s for s in spots[other if kind == "carry" else room] if s != lies[thing]])
            if kind == "carry":
                at[who] = other
            walks = f"moves to the {other}, and " if kind == "carry" else ""
            story.append(f"Step {step}: {who} {walks}moves the {thing} to {lies[thing]}.")
    return story


def _room(place: str) -> str:
    return place.removeprefix("the ").partition("'s ")[0]


def solve(story: Sequence[str], who: str, what: str) -> str:
    """The trace of one person's belief about one thing, in LongProc's form, from a story in its form."""
    place: dict[str, str | None] = {}
    belief: str | None = None
    lines = [f"{who}'s belief on the {what}:"]
    for step, told in enumerate(story):
        before = dict(place)
        for part in re.split(r"[;,]", told.partition(": ")[2].rstrip(".")):
            if (m := re.search(rf"\b{re.escape(who)} is in the (.+)", part)) or (
                told.partition(": ")[2].startswith(who + " ") and (m := re.search(r"(?:moves to|enters) the (.+)", part))
            ):
                place[who] = m[1].strip()
            elif re.search(rf"\b{re.escape(who)} leaves\b", part):
                place[who] = None
            elif m := re.search(rf"the {re.escape(what)} (?:is on|to) the (.+)", part):
                place[what] = m[1].strip()
        if who not in place or what not in place:
            raise UserError(f"tom-tracking: step 0 does not tell where {who} and the {what} are: {told!r:.80}")
        sees = place[who] is not None and _room(str(place[what])) == place[who]
        belief = place[what] if sees else belief
        changed = ["changed" if before.get(x) != place[x] else "unchanged" for x in (who, what)]
        how = "initial state" if not step else f"{who} location {changed[0]}; {what} location {changed[1]}"
        lines.append(
            f"- Step {step}: ({how}) {{{who} location: {place[who]}; {what} location: {place[what]}; "
            f"{who} sees {what}: {sees}; {who}'s belief on {what}: {belief}}}"
        )
    return "\n".join([*lines, f"Final Answer: {'the ' + belief if belief else None}"])
