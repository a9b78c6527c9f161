"""LongEmotion, one part: classification, detection, questions, summary, conversation or expression of emotions in long text.

Liu, Xiong, Hu and others 2025, arXiv:2509.07403; LongEmotion/LongEmotion at 7149110 (no licence seen). Judged parts are scored
as the share of the most points (5, 5 and 100), with the points themselves beside the score. Differs: labels are compared
without case and punctuation, and numbers also where they are written as text (`strict` beside the score is the original's
reading); segments are numbered from 1, not from 0; a reply that cannot be read is not asked for again; expression is one reply
instead of a chat of six (--pipeline stages makes it one); the dialogue is asked at every length, one prompt for each point.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from leadline.data.noise import open_noise
from leadline.data.published import SUFFIXES, demand, rows_of
from leadline.nouns import Answer, Item, Score, UserError
from leadline.scoring import extract
from leadline.scoring.emotions import bare, qa_f1
from leadline.tasks import _emotions as told
from leadline.tasks._judging import UNJUDGED, json_object, verdict
from leadline.tasks.base import Ask, Task

FILES = {
    "emobench": "Emotion Classification/Emotion_Classification_Emobench.jsonl",
    "finentity": "Emotion Classification/Emotion_Classification_Finentity.jsonl",
    "detection": "Emotion Detection/Emotion_Detection.jsonl",
    "qa": "Emotion QA/Emotion_QA.jsonl",
    "summary": "Emotion Summary/Emotion_Summary.jsonl",
    "conversation": "Emotion Conversation/Emotion_Conversations.jsonl",
    "expression": "Emotion Expression/Emotion_Expression_Situations.json",
}
"""Where each part lies in the hub data set; in the repository's data folder the files lie side by side."""
PLAIN = (str, list)
COLUMNS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("emobench", "finentity"), {"content": str, "subject": str, "choices": PLAIN, "label": str}),
    "detection": {"text": list, "ground_truth": int},
    "qa": {"problem": str, "context": str, "answer": str},
    "summary": {
        **dict.fromkeys(("case_description", "consultation_process", "experience_and_reflection"), PLAIN),
        **dict.fromkeys(told.ATTRIBUTES, PLAIN),
    },
    "conversation": {"stages": list},
    "expression": {"emotions": list},
}
LOOKUP: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("emobench", "finentity"), {"first": 1, "second": 1, "plain": 1}),
    "detection": {"how": "odd", "second": 8, "plain": 8},
    "qa": {"first": 8, "second": 4, "plain": 16},
    "summary": {"first": 10, "second": 4, "plain": 4, "queries": list(told.QUERIES)},
    "conversation": {"how": "together", "first": 16, "second": 4, "plain": 4},
    "expression": {"stages": list(told.STEPS)},
}
"""How many pieces the paper's pipelines keep, see pipelines/base.py."""
ROOM = {"emobench": 64, "finentity": 64, "detection": 64, "qa": 128, "summary": 2048, "conversation": 1024, "expression": 8192}
JUDGED = ("summary", "conversation", "expression")
FIXED = ("detection", "expression")
"""Parts that no noise fits into: any segment more would be an answer, and a situation has no context."""


@dataclass(frozen=True, kw_only=True)
class LongemotionPart(Task):
    """One of the parts.

    Attributes:
        part: emobench or finentity (classification), detection, qa, summary, conversation, expression.
        data: the hub data set, a folder with its files (or with those of the repository's data), or one file.
        stage: of conversations, which is asked about: 1 to 4, or 0 for all; the paper reports the fourth.
        noise: `none` takes rows at their own length; a kind of noise (`prose`, `passages`, `file(...)`) grows around them.
    """

    part: str = "emobench"
    data: str = "LongEmotion/LongEmotion"
    stage: int = 4
    noise: str = "none"

    ability = "emotion"
    diffusion = "middle"
    minimum = 4096

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("part", tuple(FILES))
        self.check_range("stage", 0, 4)
        if self.part in JUDGED:
            object.__setattr__(self, "roles", {"judge": f"rates the {self.part}"})
            object.__setattr__(self, "scope", "high")
        if self.part == "finentity":
            object.__setattr__(self, "chance", 1 / 3)
        if self.part in FIXED and self.noise != "none":
            raise UserError(f"{self.id}: {self.part} comes at its own length alone, for noise would change what is asked")
        object.__setattr__(self, "natural", self.noise == "none")
        if self.noise != "none":
            open_noise(self.noise)

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        row = _rows(self._source(), self.part, self.stage, seed)[index]
        item: Item = getattr(self, f"_{self.part}")(row)
        lookup = LOOKUP[self.part] | {"enrich": told.ENRICH[self.part]} | item.meta.get("retrieval", {})
        return replace(
            item,
            noise=self.noise,
            answer_tokens=ROOM[self.part],
            single_line=self.part in ("emobench", "finentity", "detection", "qa"),
            ordered=True,
            meta={**item.meta, "retrieval": lookup, "seed": seed, "index": index},
        )

    def _emobench(self, row: Mapping[str, Any]) -> Item:
        choices = row["choices"]
        choices = json.loads(choices) if isinstance(choices, str) else choices
        question = told.CLASSIFY.format(subject=row["subject"], choices=", ".join(choices))
        meta = {"choices": list(choices), "retrieval": {"queries": [row["subject"]]}}
        return _item("Read the text.", question, (row["label"],), (row["content"],), prefill='{"Emotion": "', meta=meta)

    _finentity = _emobench

    def _detection(self, row: Mapping[str, Any]) -> Item:
        texts = [" ".join(str(segment["context"]).split()) for segment in row["text"]]
        place = next((i for i, segment in enumerate(row["text"]) if segment["index"] == row["ground_truth"]), None)
        if place is None:
            raise UserError(f"{self.id}: no segment has the index {row['ground_truth']} that is the answer in {self.data}")
        item = _item("", told.DETECT.format(count=len(texts)), (f"{{number{place}}}",), texts, prefill='{"index":')
        return replace(item, form="Text {number}:\n{text}")

    def _qa(self, row: Mapping[str, Any]) -> Item:
        question = told.ANSWER.format(question=row["problem"])
        meta = {"retrieval": {"queries": [row["problem"]]}}
        item = _item("Read the article.", question, (row["answer"],), (row["context"],), prefill="Answer:", meta=meta)
        return replace(item, cluster=str(row.get("source") or ""))

    def _summary(self, row: Mapping[str, Any]) -> Item:
        parts = ("case_description", "consultation_process", "experience_and_reflection")
        texts = [f"{name.replace('_', ' ').capitalize()}:\n{_flat(row[name])}" for name in parts]
        gold = "\n".join(f"{name}: {_flat(row[name])}" for name in told.ATTRIBUTES)
        return _item("Below is a report of a psychological counselling.", told.SUMMARIZE, (gold,), texts)

    def _conversation(self, row: Mapping[str, Any]) -> Item:
        history = [f"{turn['role']}: {turn['context']}" for turn in row["history"]]
        facets = {"stage": str(row["stage"]), "point": row["point"]}
        meta = {"stage": row["stage"], "retrieval": {"queries": ["\n".join(history[-3:])]}}
        item = _item("Below is a psychological counselling.", told.REPLY, ("a good reply",), ("\n".join(history),), meta=meta)
        return replace(item, cluster=f"dialogue {row['dialogue']}", facets=facets)

    def _expression(self, row: Mapping[str, Any]) -> Item:
        item = _item(told.IMAGINE, told.EXPRESS, (f"a good text on {row['emotion'].lower()}",), (row["situation"],))
        return replace(item, facets={"emotion": row["emotion"]})

    def items(self, n: int, seed: int = 0) -> list[Item]:
        if n > (have := len(_rows(self._source(), self.part, self.stage, seed))):
            raise UserError(f"{self.spec}: {self._source()} holds {have} samples; ask for at most that many")
        return super().items(n, seed)

    def _source(self) -> str:
        folder = Path(self.data).expanduser()
        if folder.is_dir():
            found = [p for p in (folder / FILES[self.part], folder / Path(FILES[self.part]).name) if p.is_file()]
            if not found:
                raise UserError(f"{self.id}: there is no {FILES[self.part]} in {self.data}")
            return str(found[0])
        if self.data.endswith(SUFFIXES):
            return self.data
        name, at, revision = self.data.partition("@")
        return f"{name}/{FILES[self.part]}{at}{revision}"

    def extract(self, text: str, item: Item) -> str | None:
        if self.part in ("emobench", "finentity"):
            said = (json_object(text) or {}).get("Emotion")
            return said if isinstance(said, str) else extract.label(item.meta["choices"])(text)
        if self.part == "detection":
            said = (json_object(text) or {}).get("index")
            return str(said).strip() if said is not None else extract.first_integer(text)
        return extract.whole(text)

    def grade(self, found: str, answers: Sequence[str], item: Item) -> float:
        if self.part in JUDGED:
            raise UserError(f"{self.spec}: only a judge can rate it; there is none here")
        if self.part == "qa":
            return qa_f1(found, answers)
        return float(bare(found) == bare(answers[0]))

    def score(self, answers: Sequence[str], item: Item, answer: Answer) -> Score:
        plain = super().score(answers, item, answer)
        if plain.audit == "answered" and self.part in ("emobench", "finentity", "detection"):
            said = json_object(answer.text) or {}
            right = said.get("Emotion") == answers[0] if self.part != "detection" else said.get("index") == int(answers[0])
            return replace(plain, parts={"strict": float(right)})
        return plain

    async def judged(self, answers: Sequence[str], item: Item, answer: Answer, ask: Mapping[str, Ask]) -> Score:
        found, audit = extract.judge(answer, partial(self._taken, item=item), single_line=False)
        if found is None:
            return Score(value=0.0, audit=audit)
        text, read, most = self._rating(found, answers, item)
        points = await verdict(ask["judge"], text, read, 1024)
        if points is None:
            return replace(UNJUDGED, extracted=found)
        mean = sum(points.values()) / len(points)
        if self.part == "summary":
            points = {p: sum(points[f"{a}/{p}"] for a in told.ATTRIBUTES) / len(told.ATTRIBUTES) for p in told.POINTS}
        elif self.part == "expression":
            points["rated"] = 100 * sum(name.lower() in found.lower() for name in told.PANAS) / len(told.PANAS)
        return Score(value=mean / most, audit=audit, extracted=found, parts={"points": mean, **points})

    def _rating(
        self, said: str, answers: Sequence[str], item: Item
    ) -> tuple[str, Callable[[str], dict[str, float] | None], int]:
        """What the judge is asked, how its reply is read, and the most points that there are."""
        if self.part == "summary":
            given = json_object(said) or {}
            if given.keys() & told.ATTRIBUTES.keys():
                said = "\n".join(f"{name}: {_flat(given.get(name) or '')}" for name in told.ATTRIBUTES)
            return told.RATE_SUMMARY.format(gold=answers[0], said=said), _fifteen, 5
        aspects = told.EXPRESSION if self.part == "expression" else told.STAGES[item.meta["stage"] - 1]
        listed = "\n".join(f"{aspect.name}: {aspect.about}" for aspect in aspects)
        form = json.dumps({aspect.name: 3 if self.part == "conversation" else 60 for aspect in aspects})
        names, context = [aspect.name for aspect in aspects], item.evidence[0]
        if self.part == "expression":
            text = told.RATE_EXPRESSION.format(aspects=listed, situation=context, said=said, form=form)
            return text, lambda reply: _points(json_object(reply), names, 0, 100), 100
        text = told.RATE_REPLY.format(aspects=listed, history=context, said=said, form=form)
        return text, lambda reply: _points(json_object(reply), names, 0, 5), 5

    def gold(self, answers: Sequence[str], item: Item) -> str:
        if self.part in ("emobench", "finentity"):
            return json.dumps({"Emotion": answers[0]}, ensure_ascii=False)
        return f'{{"index": {answers[0]}}}' if self.part == "detection" else answers[0]

    def wrong(self, answers: Sequence[str], item: Item, rng: random.Random) -> str:
        if self.part == "detection":
            return self.gold([str(rng.choice([n for n in range(1, len(item.evidence) + 1) if str(n) != answers[0]]))], item)
        if self.part == "qa":
            rows = _rows(self._source(), self.part, self.stage, item.meta["seed"])
            return rng.choice([row["answer"] for row in rows if row["answer"] != answers[0]])
        return self.gold([rng.choice([c for c in item.meta["choices"] if c != answers[0]])], item)


def _item(instruction: str, question: str, answers: Sequence[str], evidence: Sequence[str], **more: Any) -> Item:
    return Item(
        id="", task="", instruction=instruction, question=question, answers=tuple(answers), evidence=tuple(evidence), **more
    )


def _flat(text: Any) -> str:
    """A text of the published format, which may be a list of paragraphs."""
    return "\n".join(map(str, text)) if isinstance(text, list) else str(text)


def _points(given: Any, names: Sequence[str], low: int, high: int) -> dict[str, float] | None:
    """A judge's points, where it gave all of them and within bounds."""
    if not isinstance(given, Mapping):
        return None
    found = {name: given.get(name) for name in names}
    fits = (isinstance(n, int | float) and not isinstance(n, bool) and low <= n <= high for n in found.values())
    return {name: float(n) for name, n in found.items()} if all(fits) else None  # type: ignore[arg-type]


def _fifteen(reply: str) -> dict[str, float] | None:
    """Three points on each of the five attributes, under `attribute/point`."""
    given, out = json_object(reply) or {}, dict[str, float]()
    for attribute in told.ATTRIBUTES:
        points = _points(given.get(attribute), told.POINTS, 1, 5)
        if points is None:
            return None
        out |= {f"{attribute}/{name}": value for name, value in points.items()}
    return out


@lru_cache(maxsize=8)
def _rows(source: str, part: str, stage: int, seed: int) -> tuple[dict[str, Any], ...]:
    """What is asked about, shuffled: rows, points of dialogues, or situations."""
    found: list[dict[str, Any]] = []
    for number, (place, row) in enumerate(rows_of(source)):
        demand(row, COLUMNS[part], "LongEmotion", place)
        if part == "conversation":
            found.extend(_asked(row, place, number, stage))
        elif part == "expression":
            found.extend(_situations(row, place))
        else:
            for segment in row["text"] if part == "detection" else ():
                demand(segment, {"index": int, "context": str}, "a segment", place)
            found.append(row)
    random.Random(seed).shuffle(found)
    return tuple(found)


def _asked(row: Mapping[str, Any], place: str, number: int, stage: int) -> list[dict[str, Any]]:
    """The points of a dialogue at which the counsellor is asked: a quarter, half and three quarters through a stage."""
    found, before = [], list[Mapping[str, str]]()
    for which, told_ in enumerate(row["stages"], 1):
        demand(told_, {"conversations": list}, "a stage", f"{place}, stage {which}")
        turns = told_["conversations"]
        for turn in turns:
            demand(turn, {"role": str, "context": str}, "a turn", f"{place}, stage {which}")
        client = [i for i, turn in enumerate(turns) if turn["role"] == "Client"]
        n = len(client)
        points = {"quarter": n // 4, "half": n // 2, "three quarters": 3 * n // 4} if n and which <= 4 else {}
        for name, point in points.items():
            if stage in (0, which):
                history = [*before, *turns[: client[point] + 1]]
                found.append({"history": history, "stage": which, "point": name, "dialogue": row.get("id", number)})
        before += turns
    return found


def _situations(row: Mapping[str, Any], place: str) -> list[dict[str, Any]]:
    found = []
    for emotion in row["emotions"]:
        demand(emotion, {"name": str, "factors": list}, "an emotion", place)
        for factor in emotion["factors"]:
            demand(factor, {"scenarios": list}, "a factor", f"{place}, {emotion['name']}")
            found += [{"emotion": emotion["name"], "situation": str(situation)} for situation in factor["scenarios"]]
    return found
