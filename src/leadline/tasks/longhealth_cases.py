"""LongHealth, one setting: questions of five options on hospital letters, with or without the letters that answer them.

Adams, Busch, Han, Excoffier, Ortala, Löser, Aerts, Kather, Truhn and Bressem 2024, arXiv:2401.14490; kbressem/LongHealth
(Apache-2.0, as a port says). The authors' scripts were not at hand: prompt, budget, settings and scoring are those of a script
that re-ran it and of a port. Ours: letters may be generated; replies are also read where the letter is not followed by a colon
(`strict` beside the score is the original's reading); abstentions are reported; documents are cut by characters, four to a
token, where the original asks the tested model's tokenizer.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

from leadline.data import clinic
from leadline.data.noise import open_noise
from leadline.data.published import demand, rows_of
from leadline.nouns import Answer, Item, Score, UserError
from leadline.scoring import extract
from leadline.tasks.base import Task

PATIENT = {"texts": dict, "questions": list}
QUESTION = {"question": str, "correct": str, **{f"answer_{c}": str for c in "abcde"}}
UNANSWERABLE = "The documents do not answer the question"
INSTRUCTION = (
    "You help doctors to read letters from hospitals. Read the documents and answer the question about them at the end: "
    "accurately, from what they say alone, and in short."
)
PHRASE = "The correct answer is"


class Case(NamedTuple):
    """A published question with its patient."""

    patient: str
    question: dict[str, Any]
    texts: dict[str, str]
    others: tuple[str, ...]
    """All texts of other patients."""


@dataclass(frozen=True, kw_only=True)
class LonghealthCases(Task):
    """Which of the options is right.

    Attributes:
        setting: 1 the patient's own letters; 2 those that answer, among other patients' letters; 3 other patients' letters
            alone, and the right option says that they do not answer. 2 and 3 have that option, 1 does not.
        data: path of the published file (benchmark_v5.json); empty generates patients.
        others: letters of other patients in settings 2 and 3 of the published form, 1 to 100.
        budget: of published documents, answers' first, cut where it is full; 0 cuts nothing [tokens of four characters].
        noise: of the published form: `none` takes the documents at their own length; a kind of noise (`clinic(of=letters)`,
            `passages`, `file(...)`) fills up with it.
    """

    setting: int = 1
    data: str = ""
    others: int = 10
    budget: int = 16_000
    noise: str = "none"

    ability = "extraction"
    diffusion = "middle"
    chance = 0.2
    minimum = 3072

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_range("setting", 1, 3)
        self.check_range("others", 1, 100)
        self.check_range("budget", 0, 10_000_000)
        if self.setting > 1:
            object.__setattr__(self, "chance", 1 / 6)
        if self.data:
            object.__setattr__(self, "natural", self.noise == "none")
        elif self.noise != "none":
            raise UserError(f"{self.id}: noise={self.noise} is for published data; generated letters bring their own")
        if self.noise != "none":
            open_noise(self.noise)

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        return self._published(index, seed, rng) if self.data else self._generated(index, seed, rng)

    def _generated(self, index: int, seed: int, rng: random.Random) -> Item:
        place = rng.randrange(1 << 30)
        who = clinic.patient(place % clinic.BACKGROUND, seed)
        asked = clinic.question(who, clinic.KINDS[index % 3], rng)
        told = [who.letter(n) for n in asked.letters]
        rest = [who.letter(n) for n in range(clinic.VISITS) if n not in asked.letters]
        if self.setting == 3:
            other = clinic.patient((place + 1) % clinic.BACKGROUND, seed)
            told = [other.letter(n) for n in asked.letters]
        item = self._asked(asked.text, asked.options, asked.correct, told, rest if self.setting == 1 else [])
        noise = "clinic(of=notes)" if self.setting == 1 else "clinic(of=letters)"
        return replace(item, noise=noise, avoid=(who.name,), facets={"kind": asked.kind})

    def _published(self, index: int, seed: int, rng: random.Random) -> Item:
        cases = _cases(self.data, seed)
        # Beyond the last question the first is asked again: with documents drawn and laid anew, as in the original's runs.
        case = cases[index % len(cases)]
        asked = case.question
        options = [asked[f"answer_{c}"] for c in "abcde"]
        answering = [case.texts[name] for name in asked.get("answer_location") or () if name in case.texts]
        own = [text for text in case.texts.values() if text not in answering]
        strange = rng.sample(case.others, min(self.others, len(case.others))) if self.setting > 1 else []
        rng.shuffle(own)
        told, rest = {
            1: (answering or own, own if answering else []),
            2: (answering or own, strange),
            3: (strange[:1], strange[1:]),
        }[self.setting]
        kept_told, kept_rest = self._cut(told, rest)
        item = self._asked(asked["question"], options, _right(options, asked["correct"]), kept_told, kept_rest)
        spread = "one document" if len(told) == 1 else "several documents"
        facets = {"evidence": "none" if self.setting == 3 else "cut" if kept_told != told else spread}
        meta = {**item.meta, "seed": seed, "run": index // len(cases)}
        return replace(item, noise=self.noise, facets=facets, cluster=case.patient, meta=meta)

    def _cut(self, told: Sequence[str], rest: Sequence[str]) -> tuple[list[str], list[str]]:
        """What the budget holds: whole documents in turn, and the head of the first that does not fit."""
        if not self.budget:
            return list(told), list(rest)
        left, kept = 4 * self.budget, list[str]()
        for text in (*told, *rest):
            if left <= 0:
                break
            kept.append(text[:left])
            left -= len(text)
        return kept[: len(told)], kept[len(told) :]

    def _asked(self, question: str, options: Sequence[str], right: int, told: Sequence[str], rest: Sequence[str]) -> Item:
        options = [*options, UNANSWERABLE] if self.setting > 1 else list(options)
        right = 5 if self.setting == 3 else right
        letters = "ABCDEF"[: len(options)]
        listed = "\n".join(f"{letter}: {text}" for letter, text in zip(letters, options, strict=True))
        text = (
            f"{question}\n{listed}\n"
            f"Answer with one sentence that begins with '{PHRASE}', then the letter, a colon and the option, "
            f"as in '{PHRASE} C: text of option C.'"
        )
        return Item(
            id="",
            task="",
            instruction=INSTRUCTION,
            question=text.replace("{", "("),
            answers=(f"{letters[right]}: {options[right]}".replace("{", "("),),
            evidence=tuple(told),
            distractors=tuple(rest),
            form="--- Document {number} ---\n{text}",
            prefill=PHRASE,
            answer_tokens=80,
            choices=tuple(letters),
            meta={"options": options},
        )

    def items(self, n: int, seed: int = 0) -> list[Item]:
        if self.data:
            _cases(self.data, seed)
        return super().items(n, seed)

    def extract(self, text: str, item: Item) -> str | None:
        letters = "".join(item.choices)
        told = re.findall(rf"(?i:answer|option|choice)(?i: is)?\s*:?\s*[\"'(\[]*([{letters}])(?![\w'])", extract.plain(text))
        # "The correct answer is a scan of the head" names an option, and no letter.
        named = [c for c, option in zip(item.choices, item.meta["options"], strict=True) if option.lower() in text.lower()]
        return told[-1] if told else named[0] if len(named) == 1 else extract.letter(letters)(text)

    def grade(self, found: str, answers: Sequence[str], item: Item) -> float:
        return float(found == answers[0][0])

    def score(self, answers: Sequence[str], item: Item, answer: Answer) -> Score:
        plain = super().score(answers, item, answer)
        if plain.audit != "answered":
            return plain
        # A model that went on from the phrase has said it.
        said = answer.text if PHRASE in answer.text else f"{item.prefill} {answer.text.lstrip()}"
        strict = re.search(rf"{PHRASE} (\w):", said)
        parts = {"strict": float(bool(strict) and strict[1] == answers[0][0])}
        if self.setting > 1:
            parts["abstained"] = float(plain.extracted == "F")
        return replace(plain, parts=parts)

    def gold(self, answers: Sequence[str], item: Item) -> str:
        return f"{PHRASE} {answers[0]}."

    def wrong(self, answers: Sequence[str], item: Item, rng: random.Random) -> str:
        other = rng.choice([c for c in item.choices if c != answers[0][0]])
        return f"{PHRASE} {other}: {item.meta['options'][item.choices.index(other)]}."


def _right(options: Sequence[str], correct: str) -> int:
    """Which option is the right one: that whose text is `correct`, else the last that holds it, as in the original."""
    if correct in options:
        return options.index(correct)
    return max(i for i, text in enumerate(options) if correct in text)


@lru_cache(maxsize=4)
def _cases(data: str, seed: int) -> tuple[Case, ...]:
    """All questions, shuffled."""
    found: list[Case] = []
    for place, whole in rows_of(data):
        if not isinstance(whole, dict) or not all(isinstance(p, dict) for p in whole.values()):
            raise UserError(f"{place}: LongHealth is one JSON object of patients, as in benchmark_v5.json")
        for name, patient in whole.items():
            demand(patient, PATIENT, "LongHealth", f"{data}, {name}")
        for name, patient in whole.items():
            others = tuple(text for other, p in whole.items() if other != name for text in p["texts"].values())
            for number, question in enumerate(patient["questions"]):
                where = f"{data}, {name}, question {number}"
                demand(question, QUESTION, "LongHealth", where)
                if not any(question["correct"] in question[f"answer_{c}"] for c in "abcde"):
                    raise UserError(f"{where}: no option is the correct answer {question['correct']!r}")
                found.append(Case(name, question, patient["texts"], others))
    random.Random(seed).shuffle(found)
    return tuple(found)
