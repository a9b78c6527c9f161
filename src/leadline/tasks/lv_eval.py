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


def check(lab: Any) -> Any:
    """Five levels of the same questions with confusing facts, keywords replaced everywhere, the metric on the peer's cases."""
    rows = [
        {"_id": who, "input": f"Did {who} keep the boat of {place}, or who?", "context": f"{who} keeps the boat of {place}. " * 20,
         "answers": [who], "answer_keywords": who, "confusing_facts": [f"Pelle Strand keeps the boat of {other}."], "language": "en"}
        for who, place, other in (("Annika Holm", "Oslo", "Bergen"), ("Karin Falk", "Malmo", "Lund"))
    ]  # fmt: skip
    rows += [
        {"_id": town, "input": f"{river}从{town}流出吗？", "context": f"{river}从{town}流出，流向大海。" * 20, "answers": [town],
         "confusing_facts": [f"{other}从西坡湖流出。"], "language": "zh"}
        for town, river, other in (("北原山", "青河", "黑河"), ("南岭村", "白河", "金河"))
    ]  # fmt: skip
    own = f"data='{lab.written({'short.jsonl': rows})}/short.jsonl'"

    def kept(spec: str) -> tuple[int, int]:
        """Prompts with their row's own keyword anywhere, and those whose new one and confusing fact stand there."""
        told = [(str(item.meta["row"]), item, p.text) for _, item, p in lab.asked(spec, n=4)]
        new = sum(i.meta["new"] in text and len(i.distractors) >= 1 and all(d in text for d in i.distractors) for _, i, text in told)
        return sum(old in text for old, _, text in told), new

    built = lab.build("lv-eval", "lv-eval(hops=3, confusing=4)", lengths=("16k", "32k", "64k", "128k", "256k"))
    asked = {p.item: [(q.question, q.answers) for q in built.prompts if q.item == p.item] for p in built.prompts}

    def confused(spec: str) -> tuple[bool, str]:
        """Whether four facts stand in each prompt, none with the answer."""
        items = [(item, p) for _, item, p in lab.asked(spec, n=6)]
        good = [len(i.distractors) == 4 and all(d in p.text and i.answers[0] not in d for d in i.distractors) for i, p in items]
        return all(good), f"{sum(good)} of {len(good)} prompts of {spec} hold four confusing facts without the answer"

    gate, no_year = "Martin began to sell her books in 2020.", "Martin began to sell her books then."
    hand = {("lveval/qa-f1", no_year): 0.0, ("lveval/qa-f1", gate): 1.0}

    def by(suite: str) -> list[float]:
        return [lab.metric(f"{suite}/qa-f1")(said, [gate], keyword="2020") for _, said in hand]

    replaced, plain, wanted = kept(f"lv-eval({own})"), kept(f"lv-eval({own}, replace=false)"), list(hand.values())
    construction = [
        built,
        (len(asked) == 4 and all(len(a) == 5 and len(set(a)) == 1 for a in asked.values()), "the same questions at five levels"),
        *map(lab.replies, ("lv-eval", f"lv-eval({own})")[:1]),
        confused("lv-eval(confusing=4)"),
        (replaced == (0, 4), f"of 4 converted questions {replaced[0]} keep their keyword, {replaced[1]} have another and a fact"),
        lab.agree(by("lveval"), wanted, "replies by hand"),
        lab.sound("lv-eval"),
    ]
    control = [
        (plain == (0, 4), f"without replacing {plain[0]} keep it"),
        confused("lv-eval(confusing=3)"),
        lab.sound("lv-eval", blind=True),
        lab.agree(by("longbench"), wanted, "of the replies by hand, by plain F1,"),
    ]
    if not lab.peers:
        return lab.conclude(*construction, lab.NO_PEERS, control=control)
    names = {"qa_f1_score_with_gold_ans": "qa-f1", "qa_f1_zh_score_with_gold_ans": "qa-f1-zh"}
    cases = [r for r in lab.released("metric-vectors/vectors.jsonl.gz") if r["suite"] == "lveval"]
    cases += [{"prediction": c["pred"], "ground_truth": c["answers"][0], "gold_ans": c.get("answers_keyword") or c["answers_keywords"],
               "metric": "qa_f1_zh_score_with_gold_ans" if "qa_f1_zh_score" in c else "qa_f1_score_with_gold_ans",
               "peer_score": c["recomputed"]["with_gold_ans"]} for c in lab.json("lveval/metric_cases.json")["cases"]]  # fmt: skip

    def figures(suite: str) -> Any:
        """Of the cases by the metrics of a suite; LongBench's know nothing of keywords and ignored words."""
        metrics = [lab.metric(f"{suite}/{names.get(r['metric'], 'rouge-zh')}") for r in cases]
        ours = [m(r["prediction"], [r["ground_truth"]], keyword=r.get("gold_ans")) for m, r in zip(metrics, cases, strict=True)]
        return lab.agree(ours, [r["peer_score"] for r in cases], f"metric cases, by {suite}'s metrics,")

    return lab.conclude(*construction, figures("lveval"), control=[*control, figures("longbench")])
