"""LIConBench: classification with very many labels, each learnt from demonstrations in a long context.

Li, Zhang, Do, Yue, Chen 2024, "Long-context LLMs Struggle with Long In-context Learning" (TMLR 2025), arXiv:2404.02060;
code TIGER-AI-Lab/LongICLBench, MIT. A round holds one demonstration of each class, in the order in which the classes first
appear; the length decides how many rounds there are, and the last one may be partial. All items of a seed share their
demonstrations. Built from any labelled data set (the benchmark's six in their formats among them), or invented: a text
tells of an animal of some color, and each pair of both has a made-up word as its label.
"""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leadline.data import lexicon, prose
from leadline.nouns import Answer, Item, Score, UserError
from leadline.scoring import extract, longicl_metrics
from leadline.tasks import _entities, _growth
from leadline.tasks._shots import FORMS, Source
from leadline.tasks.base import Task

INSTRUCTION = "Learn from the examples, and then do the same for what comes after them. Use only labels that the examples have."
INVENTED = (
    "Each text below tells of one animal and its color. Texts with the same animal in the same color have the same label, all "
    "others have another one. " + INSTRUCTION
)


@dataclass(frozen=True, kw_only=True)
class LiconBench(Task):
    """The label of a text, among many.

    Attributes:
        data: labelled texts to ask about, or rows in the format of one of the benchmark's sets; empty for the invented ones.
        demos: the same for the demonstrations; empty to take every second row of each label of `data` for them.
        columns: own names of the data's columns, as in 'text=review,label=stars'.
        classes: invented classes, 2 to 210.
        rounds: demonstrations of each class; 0 for as many as the length holds. With a number the rest is noise and lengths
            are paired.
        order: `rounds` (classes take turns) or `grouped` (all of a class together), for rounds=0.
        listed: name all labels before the examples.
        peer: score as the benchmark's code does, quirks and all.
    """

    data: str = ""
    demos: str = ""
    columns: str = ""
    classes: int = 28
    rounds: int = 0
    order: str = "rounds"
    listed: bool = False
    peer: bool = False

    ability = "classification"
    diffusion = "middle"
    scope = "high"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_range("classes", 2, len(lexicon.COLORS) * 15)
        self.check_range("rounds", 0, 20)
        self.check("order", ("rounds", "grouped"))
        if self.demos and not self.data:
            raise UserError(f"{self.id}: demos={self.demos} needs data= to ask about")

    @property
    def _source(self) -> Source:
        return Source(self.data, self.demos, self.columns, self.classes)

    @property
    def grows(self) -> bool:  # type: ignore[override]
        return self.rounds == 0

    @property
    def chance(self) -> float:  # type: ignore[override]
        return 1 / len(self._source.labels(0))

    @property
    def minimum(self) -> int:  # type: ignore[override]
        """One round of the longest demonstrations of each class, by what the poorest tokenizers take."""
        longest: dict[str, int] = {}
        for shot in self._source.demonstrations(0)[: 4 * len(self._source.labels(0))]:
            longest[shot.label] = max(longest.get(shot.label, 0), len(shot.shown.encode()))
        names = sum(map(len, longest)) if self.listed else 0
        return 512 + max(1, self.rounds) * (sum(longest.values()) // 3 + 24 * len(longest)) + names

    def items(self, n: int, seed: int = 0) -> list[Item]:
        if self.data and n > len(self._source.queries(seed)):
            raise UserError(
                f"{self.id}: {self.data} holds {len(self._source.queries(seed))} texts to ask about; ask for at most that many"
            )
        return super().items(n, seed)

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        labels = self._source.labels(seed)
        if self.data:
            shot = self._source.queries(seed)[index]
        else:
            asked = prose.spread(index % self.classes, self.classes, seed)
            shot = self._source.invented(asked, seed, f"query/{index}/{rng.random()}")
        _, question, prefill = FORMS[shot.kind]
        instruction = INSTRUCTION if self.data else INVENTED
        place = labels.index(shot.label) if shot.label in labels else 0
        several = shot.kind != "label"
        item = Item(
            id="",
            task="",
            instruction=f"{instruction} The labels are: {', '.join(labels)}." if self.listed else instruction,
            question=question.format(text=shot.text),
            answers=(shot.answer,),
            noise="none",
            ordered=True,
            prefill=prefill,
            answer_tokens=24 if not several else 32 + 20 * (shot.answer.count("\n") + shot.answer.count(",") + 1),
            single_line=shot.kind != "entities",
            choices=labels,
            meta={"seed": seed, "kind": shot.kind, "text": shot.text, "labels": labels, "label": shot.label},
            facets={
                "label place": ("first third", "middle third", "last third")[3 * place // len(labels)],
                "order": self.order,
            },
        )
        if self.grows:
            return item
        shots = self._source.demonstrations(seed)[: self.rounds * len(labels)]
        return dataclasses.replace(
            item,
            evidence=tuple(s.shown for s in shots if s.label == shot.label),
            distractors=tuple(s.shown for s in shots if s.label != shot.label),
            noise="passages",
            form="Entry {number}:\n{text}",
            avoid=() if self.data else labels,
            facets={},
        )

    def compose(self, item: Item, room: int, count: Callable[[str], int]) -> Item:
        """Whole rounds and as much of one more as fits, its first classes; what is left is filled with plain prose."""
        shots, labels = self._source.demonstrations(item.meta["seed"]), item.meta["labels"]
        drawn = _growth.grown(lambda i: shots[i].shown if i < len(shots) else None, room, count)
        used = list(range(max(len(drawn), min(len(labels), len(shots)))))
        if self.order == "grouped":
            place = {label: i for i, label in enumerate(labels)}
            used.sort(key=lambda i: place[shots[i].label])
        shown = [shots[i].shown for i in used]
        spare = room - count("\n".join(shown))
        # At the end, so that the demonstrations stay a head that all prompts share.
        more = _growth.padding(spare, count, item.id) if spare > 4 else ""
        last = {shots[i].label: (at + 1) / len(used) for at, i in enumerate(used)}
        meta = {**item.meta, "shots": len(used), "rounds": len(used) / len(labels), "last": last}
        return dataclasses.replace(item, evidence=(*shown, more) if more else tuple(shown), meta=meta)

    def extract(self, text: str, item: Item) -> str | None:
        if self.peer or item.meta["kind"] == "entities":
            return extract.whole(text)
        if item.meta["kind"] == "dialogue":
            return extract.first_line(text)
        line = extract.first_line(text) or ""
        exact = {name.lower(): name for name in item.choices or item.meta["labels"]}
        return exact.get(line.lower()) or extract.label(tuple(exact.values()))(text)

    def grade(self, found: str, answers: Sequence[str], item: Item) -> float:
        kind = item.meta["kind"]
        if kind != "label":
            return longicl_metrics.row_f1(self._counts(found, answers, item))
        if self.peer:
            metric = longicl_metrics.discovery if " ( ) " in item.meta["text"] else longicl_metrics.banking77
            return metric(found, answers, question=item.meta["text"])
        return float(found.lower() == answers[0].lower())

    def _counts(self, found: str, answers: Sequence[str], item: Item) -> longicl_metrics.Counts:
        """Right, said and wanted: of pairs of entity and type, or of relations."""
        if item.meta["kind"] == "dialogue":
            if self.peer:
                return longicl_metrics.relation_counts(found.split("\n")[0], answers[0], item.meta["labels"])
            said, wanted = ([part.strip().lower() for part in text.split(",")] for text in (found, answers[0]))
            known = {label.lower() for label in item.meta["labels"]}
            hits = sum(a == b for a, b in zip(said, wanted, strict=False))
            return hits, sum(name in known or name in wanted for name in said), len(wanted)
        if self.peer:
            wanted = longicl_metrics.entities(answers[0])
            return longicl_metrics.entity_counts(longicl_metrics.entities(found, item.meta["text"]), wanted)
        said = _entities.folded(_entities.read(found) or (), case=True)
        wanted = _entities.folded(_entities.read(answers[0]) or (), case=True)
        return len(said & wanted), len(said), len(wanted)

    def score(self, answers: Sequence[str], item: Item, answer: Answer) -> Score:
        """Beside the value: for lists right, said and wanted (their sums give the pooled F1); for a label whether it is one of
        the examples', and how far back in the context a wrong one was last seen (0 the start, 1 the end; 0.5 is unbiased).
        """  # noqa: D205
        score = super().score(answers, item, answer)
        if score.value is None:
            return score
        if item.meta["kind"] != "label":
            counts = self._counts(score.extracted, answers, item) if score.extracted else (0, 0, 0)
            return dataclasses.replace(score, parts=dict(zip(("right", "said", "wanted"), map(float, counts), strict=True)))
        known = score.extracted in item.meta["labels"]
        parts = {"known label": float(known)}
        last: Mapping[str, float] = item.meta.get("last", {})
        if known and not score.value and score.extracted in last:
            parts["place of a wrong label"] = last[score.extracted]
        return dataclasses.replace(score, parts=parts)

    def gold(self, answers: Sequence[str], item: Item) -> str:
        return answers[0]

    def wrong(self, answers: Sequence[str], item: Item, rng: random.Random) -> str:
        if item.meta["kind"] == "entities":
            return "\n".join(f"{m}: something else" for m, _ in _entities.read(answers[0]) or ())
        others = [label for label in item.meta["labels"] if label not in answers[0].split(", ")]
        return ", ".join(rng.choice(others) for _ in answers[0].split(", "))


def check(lab: Any) -> Any:
    """Any labelled set by rounds of demonstrations, where wrong labels come from, and figures of the peer's code."""
    rows = [
        {"text": f"My {thing} number {i} is lost.", "label": thing} for i in range(12) for thing in ("boat", "mill", "lamp")
    ]
    own = f"licon-bench(data='{lab.written({'rows.jsonl': rows})}/rows.jsonl')"

    def rounds(spec: str) -> bool:
        """Whether the demonstrations name all labels in turn, and in each round once."""
        _, item, prompt = lab.asked(spec, n=1, length="8k")[0]
        shots, k = re.findall(r"^Label: (.+)$", prompt.messages[0]["content"], re.M), len(item.meta["labels"])
        turns = [shots[i : i + k] for i in range(0, len(shots), k)]
        return len(turns) > 2 and all(turn == list(item.meta["labels"])[: len(turn)] for turn in turns)

    def places(place: int) -> tuple[float, float]:
        """What a program that says the first or the last label scores, and where its wrong labels are said to come from."""
        scores = lab.scores("licon-bench(order=grouped)", lambda task, item, prompt: item.meta["labels"][place], n=28)
        found = [s.parts["place of a wrong label"] for s in scores if not s.value]
        return sum(s.value or 0 for s in scores), sum(found) / len(found)

    (right, early), (_, late) = places(0), places(-1)
    fewnerd, dialogre = lab.metric("longicl/fewnerd"), lab.metric("longicl/dialogre")
    hand = [fewnerd("Paris: GPE\nEve: person", ["Paris: GPE\nBob: person"]), dialogre("per:pet, per:age", ["per:age, per:pet"])]
    shown, controls = list[Any](), [(rounds("licon-bench(order=grouped)"), "demonstrations grouped by label are no rounds")]
    if lab.peers:
        damaged = lab.json("longiclbench/fewnerd_predictions.damaged.json")
        gold = [r["entities"] for r in lab.released("longiclbench/fewnerd_test.0000-0899.jsonl.gz")]
        said, peer = damaged["predictions"], [damaged["peer"][name] for name in ("precision", "recall", "f1")]
        true, next_ = (
            longicl_metrics.micro(longicl_metrics.entity_counts(s, w) for s, w in zip(said, some, strict=True))
            for some in (gold[: len(said)], gold[1 : len(said) + 1])
        )
        shown = [lab.agree(true, peer, f"figures of {len(said)} damaged replies")]
        controls += [lab.agree(next_, peer, "of these, each beside the next row,")]
    return lab.conclude(
        lab.build("licon-bench", "licon-bench(classes=174)", own, lengths=("8k", "32k")),
        *(lab.replies(one) for one in ("licon-bench", own)),
        (rounds("licon-bench") and rounds(own), "rounds hold each label once, in turn, of invented and of own rows"),
        (
            right == 1 and early < 0.1 and late > 0.9,
            f"a program that says one label is right for {right:.0f} of 28; wrong labels are told to come from {early:.2f} of "
            f"the context for the first label, {late:.2f} for the last",
        ),
        lab.agree(hand, [0.5, 0], "replies by hand"),
        *shown,
        lab.sound("licon-bench(classes=8, rounds=2)"),
        control=controls,
    )
