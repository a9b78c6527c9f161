"""LV-Eval: the same short questions at every length, made hard by confusing facts and protected by replaced keywords.

Yuan, Ning, Zhou, Yang, ..., Wang 2024, arXiv:2402.05136; official code infinigence/LVEval (MIT), read at 63e7ae9. The authors
build five levels of 16k to 256k words; here any number of tokens. Their confusing facts are drafted by GPT-4 and corrected by
people, and their keywords are replaced by people: here the invented world states the same relation of a subject of nearly the
same name with another value, and needs no replacement; a data set's rows bring their own facts (`confusing_facts`) or get the
sentences of other documents that share most with the question, and the answer (`answer_keywords`, else the reference) is
replaced everywhere by something of other words. The published levels themselves are `lv-eval-published`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from leadline.catalog import Spec
from leadline.data import prose
from leadline.data.published import LONGBENCH, demand, rows_of
from leadline.data.row_noise import pieces
from leadline.data.world import KINDS, Fact, World
from leadline.nouns import Item, UserError
from leadline.scoring.metrics import metric
from leadline.tasks._longdocs import WholeReply
from leadline.tasks._replaced import Confusers, holds, keyword, stranger, swap

ROOM = 64
"""Tokens of an answer."""
FORM = "### Passage {number}\n{text}"
ASK = {
    "en": (
        "Answer the question at the end from the passages below. Only some of them matter for it.",
        "Answer this question from the passages above, of which only some matter. Give the answer alone, without "
        "explanation.\n\nQuestion: {question}",
        "Answer:",
    ),
    "zh": (
        "请根据下面的文章回答最后的问题，问题只与其中一部分文章有关。",
        "请根据上面的文章回答问题，只写出答案，不要解释。\n\n问题：{question}",
        "回答：",
    ),
}
"""What is said before the passages and after them, and how the answer begins."""
METRICS = {"en": "lveval/qa-f1", "zh": "lveval/qa-f1-zh"}


@dataclass(frozen=True, kw_only=True)
class LvEval(WholeReply):
    """A short question among passages that confuse.

    Attributes:
        hops: passages of the invented world that must be read, 1 to 4.
        confusing: confusing facts, 0 to 8.
        data: short questions in LongBench's format (`input`, `context`, `answers`; `answer_keywords`, `confusing_facts` and
            `language` where there are any); empty for the invented world.
        replace: whether the answer's keyword is replaced in rows of `data`.
        noise: what fills the rest; by default passages of the invented world, or the other documents of `data`.
    """

    hops: int = 1
    confusing: int = 2
    data: str = ""
    replace: bool = True
    noise: str = ""

    ability = "qa"
    diffusion = "middle"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_range("hops", 1, 4)
        self.check_range("confusing", 0, 8)
        if self.data and self.hops != 1:
            raise UserError(f"{self.id}: hops={self.hops} is for the invented world; rows of data have the hops they have")

    @property
    def minimum(self) -> int:
        """By the passages that are there at every length."""
        return 1024 if not self.data and self.hops == 1 and self.confusing <= 3 else 2048 if self.hops < 4 else 3072

    @property
    def scope(self) -> str:
        """By the passages that must be read."""
        return "low" if self.hops == 1 else "middle"

    def items(self, n: int, seed: int = 0) -> list[Item]:
        if self.data and n > len(_rows(self.data)):
            raise UserError(
                f"{self.id}: {self.data} holds {len(_rows(self.data))} questions; ask for at most that many samples"
            )
        return super().items(n, seed)

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        return self._row(index, seed, rng) if self.data else self._invented(index, seed, rng)

    def _invented(self, index: int, seed: int, rng: random.Random) -> Item:
        world = World(seed)
        if self.hops == 1:
            kind = KINDS[index % 3]
            asked = rng.choice([f for f in world.facts(kind, index) if f.relation != "year"])
            path, documents = [asked], [world.document(index, kind, must=asked.relation)]
        else:
            kind = "person"
            path, asked = world.chain(index, self.hops)
            documents = [world.document(world.taught(index, step), kind, must=fact.relation) for step, fact in enumerate(path)]
        taken = [f.value for f in path]
        # The last of the chain is what is asked for, so it is confused first.
        names: set[str] = set()
        facts = [_confused(world, kind, path[-1 - i % len(path)], taken, names, rng) for i in range(self.confusing)]
        return self._asked(
            question=asked.question,
            answer=asked.value,
            evidence=tuple(d.text for d in documents),
            distractors=tuple(f"{prose.sentence(rng)} {fact} {prose.sentence(rng)}" for fact in facts),
            avoid=tuple(f.subject for f in path),
            keyword=asked.value,
            cue=asked.prefill,
            noise=self.noise or "passages",
            facets={"hops": str(self.hops)},
        )

    def _row(self, index: int, seed: int, rng: random.Random) -> Item:
        rows = _drawn(self.data, seed)
        row = rows[index % len(rows)]
        language, context, question = row["language"], row["context"], row["input"]
        answers = [str(a) for a in row["answers"]]
        known = str(row.get("answer_keywords") or "")
        old = keyword([known, *answers] if known else answers, context, language) if self.replace else ""
        given = row.get("confusing_facts") or []
        given = [given] if isinstance(given, str) else list(given)
        near = _confusers(self.data, language).nearest(question, context, [a for a in (old, *answers) if a], self.confusing)
        facts = [*map(str, given), *near][: self.confusing]
        new = stranger(old, "\n".join([context, question, *facts]), language, rng) if old else ""

        def told(text: str) -> str:
            return swap(text, old, new, language) if old else text

        # Its own document must not come again as noise, nor what was replaced.
        heads = [unit[:60] for unit in pieces(context)]
        words = [w for w in (old, *(() if old else answers[:1])) if len(w) >= (2 if language == "zh" else 4)]
        word = new if old else known or answers[0]
        return self._asked(
            question=told(question),
            answer=told(answers[0]),
            evidence=(told(context),),
            distractors=tuple(f for f in map(told, facts) if not holds(f, word, language)),
            avoid=(*heads, *words),
            keyword=told(known) if known else new if old and language == "zh" else "",
            language=language,
            noise=self.noise or str(Spec("rows", {"data": self.data})),
            facets={"language": language, "replaced": "yes" if old else "no"},
            # Items of two seeds have two names, as those of generated tasks do.
            meta={"row": str(row.get("_id") or ""), "old": old, "new": new, "seed": seed},
        )

    def _asked(
        self, *, question: str, answer: str, keyword: str, language: str = "en", cue: str = "", meta: Any = None, **told: Any
    ) -> Item:
        before, after, begins = ASK[language]
        return Item(
            id="",
            task="",
            instruction=before,
            question=after.format(question=question),
            answers=(answer,),
            form=FORM,
            prefill=cue or begins,
            answer_tokens=ROOM,
            single_line=False,
            hops=self.hops,
            meta={"keyword": keyword, **(meta or {})},
            **told,
        )

    def marks(self, found: str, answers: Sequence[str], item: Item) -> tuple[float, dict[str, float]]:
        name = METRICS["zh" if item.facets.get("language") == "zh" else "en"]
        return metric(name)(found, answers, keyword=item.meta.get("keyword") or None), {}


def _confused(world: World, kind: Any, fact: Fact, taken: list[str], names: set[str], rng: random.Random) -> str:
    """The same relation of a subject of nearly the same name, with another value; no name and no value twice."""
    near = next((n for _ in range(64) if (n := _near(fact.subject, kind, rng)) not in names), "")
    while True:
        other = next(f for f in world.facts(kind, rng.randrange(1 << 20)) if f.relation == fact.relation)
        name = near or other.subject
        if name not in names and other.subject != fact.subject and not any(holds(other.text, v, "en") for v in taken):
            names.add(name)
            taken.append(other.value)
            return other.text.replace(other.subject, name)


_SIDES = ("near", "above", "below", "behind", "beside", "beyond")


def _near(name: str, kind: str, rng: random.Random) -> str:
    """Another name by one letter, one word or some years."""
    if kind == "person":
        return re.sub(r" ([A-Z])\. ", lambda m: f" {rng.choice(_LETTERS.replace(m[1], ''))}. ", name, count=1)
    if kind == "town":
        return re.sub(rf" ({'|'.join(_SIDES)}) ", lambda m: f" {rng.choice([s for s in _SIDES if s != m[1]])} ", name)
    return re.sub(r"\d{4}", lambda m: str(int(m[0]) + rng.choice((-1, 1)) * rng.randint(1, 9)), name)


_LETTERS = "ABCDEFGHIJKLMNOPRSTVW"


@lru_cache(maxsize=4)
def _rows(data: str) -> tuple[dict[str, Any], ...]:
    found = []
    for place, row in rows_of(data):
        demand(row, LONGBENCH, "LongBench", place)
        if not row["answers"]:
            raise UserError(f"{place}: 'answers' is empty")
        found.append({**row, "language": "zh" if row.get("language") == "zh" else "en"})
    if not found:
        raise UserError(f"{data!r} holds no rows")
    return tuple(found)


@lru_cache(maxsize=8)
def _drawn(data: str, seed: int) -> tuple[dict[str, Any], ...]:
    rows = list(_rows(data))
    random.Random(seed).shuffle(rows)
    return tuple(rows)


@lru_cache(maxsize=4)
def _confusers(data: str, language: str) -> Confusers:
    return Confusers([row["context"] for row in _rows(data) if row["language"] == language], language)


SHORT = (
    ("Annika Holm", "Did Annika Holm keep the boat?", "Annika Holm keeps the boat.", "Pelle Strand keeps a boat.", "en"),
    ("Karin Falk", "Did Karin Falk keep the mill?", "Karin Falk keeps the mill.", "Pelle Strand keeps a mill.", "en"),
    ("北原山", "青河从北原山流出吗？", "青河从北原山流出，流向大海。", "黑河从西坡湖流出。", "zh"),
    ("南岭村", "白河从南岭村流出吗？", "白河从南岭村流出，流向大海。", "金河从西坡湖流出。", "zh"),
)
"""Keyword, question, document, confusing fact and language."""


def check(lab: Any) -> Any:
    """Five levels of the same questions with confusing facts, keywords replaced everywhere, the metric on the peer's cases."""
    columns = ("answer_keywords", "input", "context", "confusing_facts", "language")
    rows = [dict(zip(columns, told, strict=True)) | {"answers": [told[0]], "_id": told[0]} for told in SHORT]
    own = f"lv-eval(data='{lab.written({'short.jsonl': rows})}/short.jsonl'"
    built = lab.build("lv-eval", "lv-eval(hops=3, confusing=4)", lengths=("16k", "32k", "64k", "128k", "256k"))
    asked = {p.item: {(q.question, q.answers, q.length) for q in built.prompts if q.item == p.item} for p in built.prompts}
    same = all(len(levels) == 5 and len({a[:2] for a in levels}) == 1 for levels in asked.values())

    def replaced(spec: str) -> tuple[bool, str]:
        """Whether the prompts of converted questions have a new keyword in place of the old one, and their confusing fact."""
        asked = [(item, p.text) for _, item, p in lab.asked(spec, n=4, length="8k")]
        kept = sum(item.meta["row"] in text for item, text in asked)
        new = sum(bool(item.meta["new"]) and item.meta["new"] in text for item, text in asked)
        facts = sum(len(item.distractors) == 1 and item.distractors[0] in text for item, text in asked)
        told = f"of 4 converted questions {kept} keep their keyword, {new} have another, {facts} a fact"
        return (kept, new, facts) == (0, 4, 4), told

    def confused(spec: str) -> tuple[bool, str]:
        """Whether four facts stand in each prompt, none with the answer."""
        good = [len(i.distractors) == 4 and all(d in p.text and i.answers[0] not in d for d in i.distractors)
                for _, i, p in lab.asked(spec, n=6)]  # fmt: skip
        return all(good), f"{sum(good)} of 6 prompts hold four confusing facts without the answer"

    # Metric, reply, reference, keyword, score: where the keyword is missed, nothing else that is said counts.
    cases: list[Any] = [
        ("qa_f1", "Martin began to sell books then.", "Martin began to sell books in 2020.", "2020", 0.0),
        ("qa_f1", "He keeps a small boat", "He keeps a red boat", "red boat", 0.75),
        ("qa_f1_zh", "他去了南京", "他去了北京", "北京", 0.0),
        ("qa_f1_zh", "他去了北京", "北京", None, 0.4),
    ]
    if lab.peers:
        names = ("metric", "prediction", "ground_truth", "gold_ans", "peer_score")
        released = lab.released("metric-vectors/vectors.jsonl.gz")
        cases += [tuple(row.get(name) for name in names) for row in released if row["suite"] == "lveval"]
        for case in lab.json("lveval/metric_cases.json")["cases"]:
            known = case.get("answers_keyword") or case["answers_keywords"]
            kind = next(name for name in case if name.startswith("qa_f1"))
            cases.append((kind, case["pred"], case["answers"][0], known, case["recomputed"]["with_gold_ans"]))

    def figures(suite: str) -> Any:
        """Of the cases by the metrics of a suite; LongBench's know nothing of keywords and ignored words."""
        kinds = ["rouge-zh" if "rouge" in name else "qa-f1-zh" if "_zh" in name else "qa-f1" for name, *_ in cases]
        metrics = [lab.metric(f"{suite}/{kind}") for kind in kinds]
        ours = [m(said, [gold], keyword=known) for m, (_, said, gold, known, _) in zip(metrics, cases, strict=True)]
        return lab.agree(ours, [case[-1] for case in cases], f"scores by {suite}'s metrics and those of the peer or its rule")

    return lab.conclude(
        built,
        (same and len(asked) == 4, f"{len(asked)} questions the same at five levels"),
        lab.replies("lv-eval"),
        lab.replies(f"{own})", n=4),
        confused("lv-eval(confusing=4)"),
        replaced(f"{own}, confusing=1)"),
        figures("lveval"),
        lab.sound("lv-eval"),
        control=[
            confused("lv-eval(confusing=3)"),
            replaced(f"{own}, confusing=1, replace=false)"),
            figures("longbench"),
            lab.sound("lv-eval", blind=True),
        ],
    )
