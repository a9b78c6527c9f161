"""What M4LE asks of the invented world: numbered passages about people, towns and events, and one document of many animals."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from leadline.data import lexicon, prose
from leadline.data.world import RELATIONS, Document, World
from leadline.tasks import _mixed
from leadline.tasks._mixed import PHRASES

WHOLE = "Read the document and answer the question at the end."
SEEN = "{who} saw a {x} near {place}.|A {x} slept in front of {place}.|{who} drew a {x} on the wall of {place}.".split("|")


@dataclass(frozen=True)
class Asked:
    """A question with its answers, how a reply to it is read, and the other fields of its item."""

    question: str
    answers: tuple[str, ...]
    reply: str
    fields: Mapping[str, Any] = field(default_factory=dict)


def asked_as(question: str, answers: Sequence[str], reply: str, **fields: Any) -> Asked:
    """The same with its fields written out."""
    return Asked(question, tuple(answers), reply, fields)


def on_questions(kind: str, index: int, seed: int, rng: random.Random) -> Asked:
    """Facts about subjects of the invented world: named by the number of their passage, or by their name."""
    world = World(seed)
    if kind == "semantic-multiple":
        path, last = world.chain(index, 2)
        told = [world.document(world.taught(index, i), "person", must=f.relation) for i, f in enumerate(path)]
        return asked_as(
            f"Answer in a few words: {last.question}",
            (last.value,),
            "text",
            **_documents(told),
            prefill=last.prefill,
            hops=2,
        )
    told = [world.document(3 * index + i) for i in range(3 if kind == "explicit-multiple" else 1)]
    facts = [rng.choice(document.facts) for document in told]
    if kind == "global":
        place = {**_documents(told), "instruction": WHOLE, "prefill": facts[0].prefill}
        return asked_as(f"Answer in a few words: {facts[0].question}", (facts[0].value,), "text", **place)
    if kind == "semantic-single":
        place = {**_documents(told), "prefill": facts[0].prefill}
        return asked_as(f"Answer in a few words: {facts[0].question}", (facts[0].value,), "text", **place)
    asks = []
    for i, (document, fact) in enumerate(zip(told, facts, strict=True)):
        sort = document.id.split("/")[1]
        relation = next(r for r in RELATIONS[sort] if r.name == fact.relation)
        told_of = "event" if sort == "event" else f"that {sort}"
        asks.append(f"Passage {{number{i}}} is about {_a(sort)}. {relation.question.format(n=told_of)}")
    values = tuple(fact.value for fact in facts)
    if len(asks) == 1:
        return asked_as(f"Answer in a few words: {asks[0]}", values, "text", **_documents(told))
    listed = "\n".join(f"{i}. {ask}" for i, ask in enumerate(asks, 1))
    meta = {"reply": "texts", "accepted": [[value] for value in values]}
    return asked_as(PHRASES["en"]["several"].format(questions=listed), values, "texts", **_documents(told), meta=meta)


def on_classes(kind: str, index: int, seed: int, rng: random.Random) -> Asked:
    """Sorts of subjects, people of one profession, what goes on, the animal that is met most."""
    world = World(seed)
    if kind == "explicit-single":
        told = world.document(index)
        meta = {"reply": "label", "labels": ["person", "town", "event"]}
        question = "What is passage {number0} about: a person, a town or an event? Answer with that word alone."
        return asked_as(question, (told.id.split("/")[1],), "label", **_documents([told]), meta=meta)
    if kind == "semantic-single":
        told = world.document(index)
        head, tail = _mixed.halves(told.text)
        question = f"One of the passages goes on where this text ends: {head}\nWhich one is it? Answer with its number alone."
        return asked_as(question, ("{number0}",), "id", evidence=(tail,), avoid=(told.subject,))
    if kind == "global":
        most, *rest = rng.sample(lexicon.ANIMALS, 3)
        met = rng.sample([most] * 5 + [rest[0]] * 3 + [rest[1]] * 2, 10)
        lines = [rng.choice(SEEN).format(x=x, who=rng.choice(prose._PEOPLE), place=rng.choice(prose._PLACES)) for x in met]
        lines = [f"{line[0].upper()}{line[1:]}" for line in lines]
        meta = {"reply": "label", "labels": [most, *rest]}
        names = ", ".join(sorted((most, *rest)))
        question = f"Which animal does the document name most often: {names}? Answer with that word alone."
        avoid = tuple(f" {x} " for x in (most, *rest))
        return asked_as(
            question, (most,), "label", instruction=WHOLE, noise="prose", evidence=tuple(lines), avoid=avoid, meta=meta
        )
    many = 3 if kind == "explicit-multiple" else 1 + rng.randrange(_mixed.MOST)
    job = next(f.value for f in world.facts("person", index) if f.relation == "job")
    told, who = list[Document](), index
    while len(told) < many:
        if ("job", job) in {(f.relation, f.value) for f in world.facts("person", who)}:
            told.append(world.document(who, "person", must="job"))
        who = (who + 1) % 30_000
    place = {**_documents(told), "avoid": (f"works as a {job}", f"was a {job}", *(d.subject for d in told))}
    if kind == "semantic-multiple":
        question = f"How many of the passages are about somebody who works as a {job}? Answer with one number."
        return asked_as(question, (str(many),), "count", **place)
    question = f"Give the numbers of all passages about somebody who works as a {job}, with commas between them."
    return asked_as(question, tuple(f"{{number{i}}}" for i in range(many)), "ids", **place)


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _documents(told: Sequence[Document]) -> dict[str, Any]:
    return {"evidence": tuple(d.text for d in told), "avoid": tuple(d.subject for d in told)}
