"""Letters of an invented hospital: patients with dated visits, and questions of five options about what the letters say.

Illnesses and examinations have their usual names, medicines have made-up ones; none of it is medical knowledge, and nobody
was trained on it. Everything is a function of (seed, index). Knows nothing of prompts.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from leadline.data import lexicon as words
from leadline.data import prose
from leadline.data.noise import Source
from leadline.nouns import UserError

Kind = Literal["extraction", "negation", "sorting"]
KINDS: tuple[Kind, ...] = ("extraction", "negation", "sorting")
VISITS = 6
BACKGROUND = 1_000_000
"""Patients from this index on are only met in noise."""

ILLNESSES = (
    "asthma|anemia|gout|migraine|bronchitis|appendicitis|hepatitis|arthritis|cataract|diabetes|eczema|epilepsy|gastritis|"
    "glaucoma|measles|meningitis|pneumonia|psoriasis|sinusitis|tonsillitis|tuberculosis|vertigo|sciatica|shingles"
).split("|")
DRUGS = (
    "Abelin|Bravadin|Cortaxil|Dolvaren|Emtosan|Falvorin|Gavitrex|Helcidin|Iborax|Jentavil|Kelvadon|Lumeprin|Mavocet|Nervidan|"
    "Oxavelin|Pelmitor|Quentisal|Rovadex|Selmarin|Tivorpan|Ulvacin|Vendrolin|Wexamol|Xanverol|Yorvatin|Zelmadex"
).split("|")
EXAMINATIONS = (
    "an X-ray of the chest|a scan of the head|an ultrasound of the heart|a test of the hearing|a biopsy of the skin|"
    "a test of the lungs|a scan of the spine|an X-ray of the knee|an examination of the eyes|a scan of the liver|"
    "an endoscopy of the stomach|a test of the nerves|an ultrasound of the kidneys|a test for allergies|"
    "an operation on the hand|an operation on the shoulder|a stress test|a test of the sleep"
).split("|")
VALUES = (
    ("hemoglobin", "g/l", 90, 180),
    ("sodium", "mmol/l", 120, 155),
    ("glucose", "mg/dl", 60, 260),
    ("platelet count", "thousand", 100, 450),
)
WARDS = "first|second|third|fourth|northern|southern|eastern|western".split("|")
_NOTES = (
    "The night was quiet|The patient slept well|Breakfast was eaten with appetite|The dressing was changed without trouble|"
    "A walk in the garden was possible|Visitors came in the afternoon|The patient asked for a second blanket|"
    "Temperature was normal all day|The doctor on duty came by in the evening|Sleep was light but without pain|"
    "The patient read for most of the day|There was a little dizziness on getting up, which soon passed|"
    "The window was kept open on request|Tea was preferred to coffee|The physiotherapist practiced the stairs with the patient|"
    "No complaints were heard|The patient spoke with the family on the telephone|The room was changed because of noise"
).split("|")


@dataclass(frozen=True)
class Visit:
    """What one letter tells."""

    year: int
    month: int
    """1 to 12."""
    day: int
    illness: str
    drug: str
    dose: int
    """[mg]"""
    examination: str
    values: tuple[tuple[str, int, str], ...]
    """Name, figure and unit."""

    @property
    def date(self) -> str:
        """As letters write it."""
        return f"{self.day} {words.MONTHS[self.month - 1]} {self.year}"


@dataclass(frozen=True)
class Question:
    """A question of five options; which letters answer it."""

    kind: Kind
    text: str
    options: tuple[str, ...]
    correct: int
    letters: tuple[int, ...]


@dataclass(frozen=True)
class Patient:
    """An invented patient."""

    name: str
    born: str
    visits: tuple[Visit, ...]
    """First to last."""

    def letter(self, number: int) -> str:
        """The letter on one visit."""
        visit = self.visits[number]
        rng = random.Random(f"{self.name}/{self.born}/{number}")
        values = ", ".join(f"{name} {figure} {unit}" for name, figure, unit in visit.values)
        lines = [
            f"We diagnosed {visit.illness}.",
            f"On this visit we did {visit.examination}, which was borne well.",
            f"The blood showed {values}.",
            f"We gave {visit.drug}, {visit.dose} mg a day.",
        ]
        rng.shuffle(lines)
        for _ in range(2):
            lines.insert(rng.randrange(1, len(lines) + 1), f"{rng.choice(_NOTES)}.")
        head = f"Letter on {self.name}, born on {self.born}, who was with us in the {rng.choice(WARDS)} ward on {visit.date}."
        return " ".join([head, *lines, f"With kind regards, Dr. {rng.choice(words.SURNAMES)}."])


def patient(index: int, seed: int = 0) -> Patient:
    """A patient: of six visits, each with an illness, a medicine and an examination that no other has."""
    rng = random.Random(f"patient/{seed}/{index}")
    names = len(words.FIRST_NAMES) * len(words.SURNAMES) * 26
    first, rest = divmod(prose.spread(index % BACKGROUND * 2 + (index >= BACKGROUND), names, seed), len(words.SURNAMES) * 26)
    name = f"{words.FIRST_NAMES[first]} {chr(65 + rest % 26)}. {words.SURNAMES[rest // 26]}"
    moments = sorted(rng.sample(range(2009 * 12, 2024 * 12), VISITS))
    told = zip(moments, rng.sample(ILLNESSES, VISITS), rng.sample(DRUGS, VISITS), rng.sample(EXAMINATIONS, VISITS), strict=True)
    visits = tuple(
        Visit(
            moment // 12,
            moment % 12 + 1,
            rng.randrange(1, 29),
            illness,
            drug,
            rng.randrange(10, 200) * 5,
            examination,
            tuple((value, rng.randrange(low, high), unit) for value, unit, low, high in rng.sample(VALUES, 2)),
        )
        for moment, illness, drug, examination in told
    )
    born = f"{rng.randrange(1, 29)} {rng.choice(words.MONTHS)} {rng.randrange(1930, 1995)}"
    return Patient(name, born, visits)


def question(who: Patient, kind: Kind, rng: random.Random) -> Question:
    """A question about a patient."""
    if kind == "extraction":
        return _extraction(who, rng)
    if kind == "negation":
        return _negation(who, rng)
    chosen = sorted(rng.sample(range(VISITS), 3))
    things = [who.visits[n].examination for n in chosen]
    orders: list[list[str]] = [things]
    while len(orders) < 5:
        other = rng.sample(things, 3)
        if other not in orders:
            orders.append(other)
    options = [", then ".join(order) for order in orders]
    text = f"In which order were these done to {who.name}, born on {who.born}? The earliest stands first."
    return _shuffled("sorting", text, options, chosen, rng)


def _extraction(who: Patient, rng: random.Random) -> Question:
    number = rng.randrange(VISITS)
    visit, others = who.visits[number], [v for n, v in enumerate(who.visits) if n != number]
    about = rng.choice(("dose", "drug", "illness", "examination", "value"))
    if about == "dose":
        text = f"How much {visit.drug} a day was given to {who.name} on {visit.date}?"
        right, wrong = f"{visit.dose} mg", [f"{v.dose} mg" for v in others]
    elif about == "value":
        name, figure, unit = rng.choice(visit.values)
        text = f"What was the {name} of {who.name} on {visit.date}?"
        # The right one is as often the least or the greatest as it is between the others.
        below = rng.randrange(5)
        steps = [-s for s in rng.sample(range(4, 24), below)] + rng.sample(range(4, 24), 4 - below)
        right, wrong = f"{figure} {unit}", [f"{figure + step} {unit}" for step in steps]
    else:
        asked = {"drug": "Which medicine was given to", "illness": "What was diagnosed in", "examination": "What was done to"}
        text = f"{asked[about]} {who.name} on {visit.date}?"
        right, wrong = getattr(visit, about), [getattr(v, about) for v in others]
    wrong = [w for w in dict.fromkeys(wrong) if w != right]
    while len(wrong) < 4:
        wrong.append(f"{rng.randrange(10, 200) * 5} mg")
        wrong = [w for w in dict.fromkeys(wrong) if w != right]
    return _shuffled("extraction", text, [right, *rng.sample(wrong, 4)], [number], rng)


def _negation(who: Patient, rng: random.Random) -> Question:
    about, asked, pool = rng.choice(
        (
            ("drug", "Which of these medicines was never given to", DRUGS),
            ("illness", "Which of these was never diagnosed in", ILLNESSES),
            ("examination", "Which of these was never done to", EXAMINATIONS),
        )
    )
    chosen = sorted(rng.sample(range(VISITS), 4))
    had = {getattr(v, about) for v in who.visits}
    never = rng.choice([thing for thing in pool if thing not in had])
    options = [never, *(getattr(who.visits[n], about) for n in chosen)]
    return _shuffled("negation", f"{asked} {who.name}, born on {who.born}?", options, chosen, rng)


def _shuffled(kind: Kind, text: str, options: Sequence[str], letters: Sequence[int], rng: random.Random) -> Question:
    order = rng.sample(range(5), 5)
    return Question(kind, text, tuple(options[i] for i in order), order.index(0), tuple(letters))


def letters(n: int, seed: int = 0) -> list[str]:
    """The first n letters of a stream, on patients whom no question is about."""
    out: list[str] = []
    for block in range(-(-n // prose.BLOCK)):
        rng = random.Random(f"letters/{seed}/{block}")
        people = [patient(BACKGROUND + block * 100 + i, seed) for i in range(100)]
        pages = [(who, number) for who in people for number in range(VISITS)]
        out.extend(who.letter(number) for who, number in rng.sample(pages, prose.BLOCK))
    return out[:n]


def notes(n: int, seed: int = 0) -> list[str]:
    """The first n notes of a ward's days, which say nothing of illnesses, medicines and examinations."""

    def one(rng: random.Random) -> str:
        when = f"{rng.randrange(1, 29)} {rng.choice(words.MONTHS)} {rng.randrange(2009, 2024)}"
        return f"Note of the ward, {when}. " + " ".join(f"{line}." for line in rng.sample(_NOTES, 5))

    out: list[str] = []
    for block in range(-(-n // prose.BLOCK)):
        rng = random.Random(f"notes/{seed}/{block}")
        out.extend(one(rng) for _ in range(prose.BLOCK))
    return out[:n]


def source(spec: str, seed: int, settings: Mapping[str, Any]) -> Source:
    """The noise `clinic(of=letters)`, on other patients, or `clinic(of=notes)`, on nobody in particular.

    Raises:
        UserError: another setting or kind.
    """
    made = {"letters": letters, "notes": notes}
    of = settings.get("of", "letters")
    if set(settings) - {"of"} or of not in made:
        raise UserError(f"noise {spec!r}: clinic takes of=letters or of=notes and nothing else")
    return Source(spec, "\n\n", lambda n: made[of](n, seed))
