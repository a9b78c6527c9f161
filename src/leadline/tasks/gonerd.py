"""GoNERD: the named entities of long contexts.

No paper or code was found under this name, so everything here is our own design. Few-NERD's form in LongICLBench
(arXiv:2404.02060, MIT) was the neighbour to follow: pairs of mention and type, each counted once. From any NER data set,
or invented: short documents about people, towns, festivals and companies, of which every name is known. The documents lie
in prose without names (paired lengths), or more and more documents fill the length.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from leadline.data import lexicon, prose
from leadline.data.world import World
from leadline.nouns import Answer, Item, Score, UserError
from leadline.tasks import _entities, _growth, _ner
from leadline.tasks._ner import Annotated
from leadline.tasks.base import Task

MEANING = {
    "person": "a human being, by the full name",
    "town": "a place where people live",
    "event": "a festival",
    "company": "a firm, named after two families",
}
TOLD = (
    "{person} came from {town} and worked for {company}.",
    "In {town}, {person} opened the {event}.",
    "{company} sold {product} in {town}.",
    "{person} wrote a letter to {other}.",
    "{company} paid for the {event}.",
    "The {event} was over when {person} left {town}.",
    "Nobody in {town} had heard of {company}.",
    "{person} won a prize at the {event}.",
)
PER_PAIR = 16
"""Room for one line of the answer [tokens]."""
INSTRUCTION = "Read the text to its end. Somewhere in it, entities are named that you are asked to list."
QUESTION = (
    "List every entity {where}that is one of these types:\n{types}\n"
    "Write one entity a line as its name, a tab and its type, each only once, with the full name as it stands in the text. "
    "List nothing of other types; write None if there is nothing to list."
)


@dataclass(frozen=True, kw_only=True)
class Gonerd(Task):
    """All entities of a context, with their types.

    Attributes:
        data: an NER data set (CoNLL columns; rows of tokens and ner_tags; rows of sentence and entities); empty for the
            invented documents.
        types: the only types asked for, as in 'person,town'; empty for all.
        documents: annotated documents in the context, 1 to 64.
        grow: fill the whole length with annotated documents instead, so that there is more to list in longer contexts.
        one: ask only for the entities of one of the documents, which are then marked with numbers.
        abstain: percent of the items in which nothing of the type asked for is named, 0 to 50.
        match: `strict` (name and type) or `relaxed` (the type and a word of the name).
        case: whether upper and lower case count.
    """

    data: str = ""
    types: str = ""
    documents: int = 6
    grow: bool = False
    one: bool = False
    abstain: int = 10
    match: str = "strict"
    case: bool = True

    ability = "extraction"
    diffusion = "high"
    scope = "high"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_range("documents", 1, 64)
        self.check_range("abstain", 0, 50)
        self.check("match", ("strict", "relaxed"))
        if self.one and (self.grow or self.documents < 2):
            raise UserError(f"{self.id}: one asks for one of several documents, so it needs documents=2 or more and no grow")
        if not self.data and (other := set(self._wanted) - set(MEANING)):
            raise UserError(f"{self.id}: invented types are {', '.join(MEANING)}; got {', '.join(sorted(other))}")

    @property
    def grows(self) -> bool:  # type: ignore[override]
        return self.grow

    @property
    def minimum(self) -> int:  # type: ignore[override]
        return 1024 if self.grow else 512 + 256 * self.documents

    @property
    def _wanted(self) -> tuple[str, ...]:
        return tuple(filter(None, (part.strip() for part in self.types.split(","))))

    def items(self, n: int, seed: int = 0) -> list[Item]:
        have = len(_ner.read(self.data)) // self.documents if self.data and not self.grow else n
        if n > have:
            raise UserError(
                f"{self.id}: {self.data} makes {have} items of {self.documents} documents; ask for at most that many"
            )
        return super().items(n, seed)

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        kinds = self._wanted or _kinds(self.data)
        if self.grow:
            first = index * 997 if self.data else rng.randrange(1 << 20)
            return self._asked((), kinds, {"first": first, "seed": seed, "kinds": kinds})
        chosen = [self._document(index * self.documents + i, seed) for i in range(self.documents)]
        absent = [k for k in kinds if all(k != kind for one in chosen for _, kind in one.pairs)]
        if not self.data and rng.randrange(100) < self.abstain:
            # Nothing but sentences that name no company.
            chosen, absent = [_without(index * self.documents + i, seed, "company") for i in range(self.documents)], ["company"]
            kinds = ("company",) if "company" in kinds else kinds
        elif absent and rng.randrange(100) < self.abstain:
            kinds = (rng.choice(absent),)
        return self._asked(tuple(chosen), kinds, {"seed": seed}, rng.randrange(self.documents))

    def _document(self, number: int, seed: int) -> Annotated:
        if not self.data:
            return _invented(number, seed)
        found = _shuffled(self.data, seed)
        return found[number % len(found)]

    def _asked(self, chosen: Sequence[Annotated], kinds: Sequence[str], meta: dict[str, object], which: int = 0) -> Item:
        asked = [chosen[which]] if self.one else chosen
        pairs = [[m, k] for m, k in dict.fromkeys(p for one in asked for p in one.pairs) if k in kinds]
        named = {name for one in chosen for name, _ in one.pairs}
        types = "\n".join(f"- {k}: {MEANING[k]}" if not self.data else f"- {k}" for k in kinds)
        texts = [
            f"[Document {i}] {one.text} [End of document {i}]" if self.one else one.text for i, one in enumerate(chosen, 1)
        ]
        return Item(
            id="",
            task="",
            instruction=INSTRUCTION,
            question=QUESTION.format(where=f"in document {which + 1} " if self.one else "", types=types),
            answers=tuple(f"{m}\t{k}" for m, k in pairs) or ("None",),
            evidence=tuple(texts),
            noise="none" if self.grow else "prose",
            ordered=self.grow,
            avoid=tuple(sorted(name for name in named if len(name) > 3)) if not self.grow else (),
            prefill="Entities:",
            answer_tokens=64 + PER_PAIR * len(pairs),
            single_line=False,
            meta={**meta} if self.grow else {**meta, "gold": [[m, k] for m, k in pairs]},
            facets={} if self.grow else {"entities": "some" if pairs else "none"},
        )

    def compose(self, item: Item, room: int, count: Callable[[str], int]) -> Item:
        """Documents until the next one and the lines that list it would not fit; the rest is prose."""
        meta, kinds = item.meta, set(item.meta["kinds"])
        chosen, known, left = list[Annotated](), dict[tuple[str, str], int](), room
        limit = len(_shuffled(self.data, meta["seed"])) if self.data else 1 << 30
        while len(chosen) < limit:
            one = self._document(meta["first"] + len(chosen), meta["seed"])
            fresh = [p for p in dict.fromkeys(one.pairs) if p[1] in kinds and p not in known]
            cost = count(one.text) + PER_PAIR * len(fresh)
            if cost > left:
                break
            known |= dict.fromkeys(fresh, len(chosen))
            chosen.append(one)
            left -= cost
        texts = [one.text for one in chosen]
        spare = room - PER_PAIR * len(known) - (count("\n".join(texts)) if texts else 0)
        if spare > 4 and (more := _growth.padding(spare, count, item.id)):
            texts.append(more)
        gold = [[m, k, 3 * at // len(chosen)] for (m, k), at in known.items()]
        return dataclasses.replace(
            item,
            answers=tuple(f"{m}\t{k}" for m, k in known) or ("None",),
            evidence=tuple(texts),
            answer_tokens=item.answer_tokens + PER_PAIR * len(known),
            meta={**meta, "gold": gold},
        )

    def extract(self, text: str, item: Item) -> str | None:
        pairs = _entities.read(text)
        if pairs is not None:
            return "\n".join(f"{m}\t{k}" for m, k in pairs)
        return "None" if _entities.says_none(text) else None

    def grade(self, found: str, answers: Sequence[str], item: Item) -> float:
        right, said, wanted = self._counts(found, item)
        return 2 * right / (said + wanted) if said + wanted else 1.0

    def _counts(self, found: str, item: Item) -> tuple[int, int, int]:
        said = _entities.folded(_entities.read(found) or (), self.case)
        if "gold" not in item.meta:
            # Asked without its context a growing item was never composed: nothing can be right.
            return 0, len(said), 1
        wanted = _entities.folded((pair[:2] for pair in item.meta["gold"]), self.case)
        right = len(said & wanted) if self.match == "strict" else _entities.relaxed(said, wanted)
        return right, len(said), len(wanted)

    def score(self, answers: Sequence[str], item: Item, answer: Answer) -> Score:
        """F1; beside it precision, recall, the counts whose sums give the pooled F1, the share of names given that stand in no
        document (fixed form), and the recall of each third of the context (growing form).
        """  # noqa: D205
        score = super().score(answers, item, answer)
        if score.value is None or "gold" not in item.meta:
            return score
        right, said, wanted = self._counts(score.extracted, item)
        parts = {"right": float(right), "said": float(said), "wanted": float(wanted)}
        if said:
            parts["precision"] = right / said
        if wanted:
            parts["recall"] = right / wanted
        given = _entities.folded(_entities.read(score.extracted) or (), self.case)
        if said and not self.grow:
            whole = _entities.bare(" ".join(item.evidence))
            whole = whole if self.case else whole.lower()
            parts["invented"] = sum(name not in whole for name, _ in given) / said
        for third, name in enumerate(("first", "middle", "last")) if self.grow else ():
            mine = _entities.folded((g[:2] for g in item.meta["gold"] if g[2] == third), self.case)
            if mine:
                parts[f"recall, {name} third"] = len(mine & given) / len(mine)
        return dataclasses.replace(score, parts=parts)

    def gold(self, answers: Sequence[str], item: Item) -> str:
        return "\n".join(answers)

    def wrong(self, answers: Sequence[str], item: Item, rng: random.Random) -> str:
        return "\n".join(f"{name}\tsomething else" for name, *_ in item.meta["gold"]) or "Nobody\tperson"


@lru_cache(maxsize=8)
def _kinds(data: str) -> tuple[str, ...]:
    return tuple(sorted({k for one in _ner.read(data) for _, k in one.pairs})) if data else tuple(MEANING)


@lru_cache(maxsize=8)
def _shuffled(data: str, seed: int) -> tuple[Annotated, ...]:
    found = _ner.read(data)
    return tuple(random.Random(seed).sample(found, len(found)))


def _invented(number: int, seed: int) -> Annotated:
    return _written(number, seed, TOLD)


def _without(number: int, seed: int, kind: str) -> Annotated:
    return _written(number, seed, tuple(t for t in TOLD if f"{{{kind}}}" not in t))


@lru_cache(maxsize=4096)
def _written(number: int, seed: int, told: tuple[str, ...]) -> Annotated:
    """A document of three sentences with names, among sentences without."""
    world, rng = World(seed), random.Random(f"gonerd/{seed}/{number}")
    names = {
        "person": world.name("person", 2 * number),
        "other": world.name("person", 2 * number + 1),
        "town": rng.choice(lexicon.TOWNS),
        "event": f"{rng.choice(lexicon.PREFIXES)} {rng.choice(lexicon.FESTIVALS).capitalize()} Festival",
        "company": " and ".join(rng.sample(lexicon.SURNAMES, 2)),
    }
    lines, pairs = list[str](), dict[tuple[str, str], None]()
    for template in rng.sample(told, 3):
        lines.append(template.format(product=rng.choice(lexicon.PRODUCTS), **names))
        for slot, name in names.items():
            if f"{{{slot}}}" in template:
                pairs[(name, "person" if slot == "other" else slot)] = None
    for _ in range(2):
        lines.insert(rng.randrange(len(lines) + 1), prose.sentence(rng))
    return Annotated(" ".join(lines), tuple(pairs))


def check(lab: Any) -> Any:
    """Long recognition from sets of three formats and from generated documents; F1 of entities by hand and on damaged lists."""
    names = [(f"Falk{i}", f"Port Holm{i}") for i in range(60)]
    files = {
        "rows.jsonl": [{"sentence": f"{a} came to {b} at noon.", "entities": {a: "PER", b: "LOC"}} for a, b in names],
        "tags.jsonl": [{"tokens": f"{a} came to {b} at noon.".split(), "ner_tags": "B-PER O O B-LOC I-LOC O O".split()}
                       for a, b in names],
        # After O an I- begins an entity too.
        "columns.conll": "".join(f"{a} N I-PER\ncame V O\nto T O\nPort N B-LOC\n{b.split()[1]} N I-LOC\n\n" for a, b in names),
    }  # fmt: skip
    folder = lab.written(files)
    sets = [f"gonerd(data='{folder}/{name}', documents=4)" for name in files]
    read = [{pair for one in _ner.read(f"{folder}/{name}") for pair in one.pairs} for name in files]
    wanted = {pair for a, b in names for pair in ((a, "PER"), (b, "LOC"))}
    task = lab.task("gonerd")

    def counts(said: Sequence[tuple[str, str]], gold: Sequence[tuple[str, str]]) -> Score:
        """The score of a list where others are to be listed."""
        item = dataclasses.replace(task.items(1)[0], meta={"gold": gold})
        return task.score((), item, Answer(text="\n".join("\t".join(pair) for pair in said) or "None"))

    def first(task: Any, item: Item, prompt: Any) -> str:
        """The first half of the entities."""
        return "\n".join(prompt.answers[: len(prompt.answers) // 2])

    gold, hand = [("Paris", "LOC"), ("Bob", "PER")], {(("Paris", "LOC"), ("Bob", "LOC"), ("Bob", "PER")): 0.8}
    hand |= {(("Eve", "PER"),): 0.0, (("Bob", "PER"), ("Paris", "LOC")): 1.0}
    sizes = [len(prompt.answers) for *_, prompt in lab.asked("gonerd(abstain=0)")]
    half = [score.value for score in lab.scores("gonerd(abstain=0)", first)]
    said = [lab.replies(one) for one in ("gonerd", "gonerd(grow=true)", *sets)]

    def damaged(coded: bool) -> tuple[bool, str]:
        """LongICLBench's counts of damaged lists; names as numbers, for there a blank behind a name makes another one."""
        told = lab.json("longiclbench/fewnerd_predictions.damaged.json")
        right = [row["entities"] for row in lab.released("longiclbench/fewnerd_test.0000-0899.jsonl.gz")[:300]]
        number = {name: str(i) for i, name in enumerate(sorted({n for one in (*told["predictions"], *right) for n in one}))}
        both = [
            [[(number[n] if coded else n, k) for n, k in one.items()] for one in some] for some in (told["predictions"], right)
        ]
        parts = [counts(*pair).parts for pair in zip(*both, strict=True)]
        found = [sum(part.get(name, 0) for part in parts) for name in ("right", "said", "wanted")]
        peer = [told["peer"][f"total_{name}_cnt"] for name in ("correct", "pred", "label")]
        how = "compared exactly" if coded else "without the blanks and quotes around them"
        return (
            found == peer,
            f"of damaged lists {found[0]:.0f} of {found[1]:.0f} names {how} are right, LongICLBench says {peer[0]}",
        )

    return lab.conclude(
        lab.build("gonerd", "gonerd(grow=true)", *sets, lengths=("8k", "64k")),
        (all(one == wanted for one in read), f"{len(sets)} formats read alike"),
        (all(one.holds for one in said), f"{len(said)} settings: each {max(said, key=lambda one: one.wrong)}"),
        lab.agree([counts(one, gold).value for one in hand], list(hand.values()), "scores and those by hand"),
        lab.agree(half, [2 * (n // 2) / (n + n // 2) for n in sizes], "scores of half of the entities and those reckoned"),
        *([damaged(coded=True)] if lab.peers else []),
        lab.sound("gonerd"),
        control=[
            lab.sound("gonerd", blind=True),
            lab.agree([float(list(one) == gold) for one in hand], list(hand.values()), "of these, by plain equality,"),
            *([damaged(coded=False)] if lab.peers else []),
        ],
    )
