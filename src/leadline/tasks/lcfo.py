"""LCFO: gradual summaries of a long text, in 20, 10 and 5 percent of its words, and the way back from a summary to the text.

Costa-jussa, Andrews, Coria Meglioli, Chen, Chuang, Dale, Ropers, Mourachko, Sanchez, Schwenk, Tran, Turkatenko, Wood 2024,
"LCFO: Long Context and Long Form Output Dataset and Benchmarking" (Findings of ACL 2025), arXiv:2412.08268; data on the hub
under CC-BY-NC-4.0, no code. People and models rate the outputs there; the scores here are ours. The invented document has
chapters that tell their facts in the order of importance, so many of them for each level, and a summary is worth the share
of its level's facts; the length is that of the source, or for expansion that of what is written. Published rows are worth
their ROUGE-L, or with a reader the share of the aligned questions that the output answers.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from leadline.data import prose
from leadline.data.published import rows_of
from leadline.data.world import Fact
from leadline.nouns import Answer, Item, Score, UserError
from leadline.scoring import extract, lcfo_metrics, rouge_scores
from leadline.tasks import _chapters, _growth, _short
from leadline.tasks._chapters import RANKS, chapter
from leadline.tasks.base import Ask, Task

ROOM = 1.5
"""Room for the answer beyond the words asked for."""
LEEWAY = 1.2
"""A summary is read up to so many times the words asked for, or copying the text would tell everything."""
COLUMNS: dict[str, tuple[str, ...]] = {
    "source": ("source", "source_text", "document", "text"),
    "summary20": ("summary_20", "summary20", "summary_20_percent", "summary_20p", "20_percent_summary"),
    "summary10": ("summary_10", "summary10", "summary_10_percent", "summary_10p", "10_percent_summary"),
    "summary5": ("summary_5", "summary5", "summary_05", "summary_5_percent", "summary_5p", "5_percent_summary"),
    "questions": ("questions", "qa", "qas", "qa_pairs", "question_answers"),
    "domain": ("domain", "genre", "source_type", "subset"),
}
"""Where things are looked for; of the published names only `source` is known to us."""
SUMMARY = (
    "Summarize the text above in about {words} words. {order}Write one continuous summary with full sentences and full names."
)
ORDER = (
    "Each of its paragraphs tells of one person and gives the facts in the order of their importance, the first being the most "
    "important; tell the most important ones of every paragraph. "
)
EXPANSION = (
    "The text above is a summary. Write the long text that it could be a summary of, in about {words} words. "
    "Keep everything that the summary says, with full names."
)
READ = (
    "Text:\n{text}\n\nQuestion: {question}\nRight answer: {answer}\n\n"
    "Can the question be answered rightly from this text alone? Say yes or no."
)


@dataclass(frozen=True, kw_only=True)
class Lcfo(Task):
    """A summary of a given size, or a text made from one.

    Attributes:
        kind: `summary` or `expansion`.
        level: size of the summary in percent of the text, 20, 10 or 5; 0 for the three in turn.
        data: facebook/LCFO:source_data or a file of that form; empty for the invented document.
        columns: own names of its columns, as in 'source=text,summary20=long,summary10=middle,summary5=short,questions=qa'.
    """

    kind: str = "summary"
    level: int = 0
    data: str = ""
    columns: str = ""

    diffusion = "high"
    scope = "high"
    minimum = 1024
    roles = {"reader": "says whether a published item's output answers the aligned questions"}
    without_roles = "invented: share of the level's facts; published: ROUGE-L against the reference"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("kind", ("summary", "expansion"))
        self.check("level", (0, 20, 10, 5))

    @property
    def ability(self) -> str:  # type: ignore[override]
        return "summarisation" if self.kind == "summary" else "long generation"

    @property
    def natural(self) -> bool:  # type: ignore[override]
        return bool(self.data)

    @property
    def grows(self) -> bool:  # type: ignore[override]
        return not self.data

    def items(self, n: int, seed: int = 0) -> list[Item]:
        if self.data and n > (have := len(_published(self.data, self.columns, self.kind, self.level))):
            raise UserError(f"{self.id}: {self.data} makes {have} items; ask for at most that many")
        return super().items(n, seed)

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        if self.data:
            return self._as_published(index, seed)
        level = self.level or (20, 10, 5)[index % 3]
        meta = {"seed": seed, "first": rng.randrange(20_000), "level": level}
        return self._asked(10**5, ORDER, meta, {"level": f"{level} %"}, noise="none")

    def _asked(self, words: int, order: str, meta: Mapping[str, Any], facets: Mapping[str, str], **more: object) -> Item:
        question = SUMMARY.format(words=words, order=order) if self.kind == "summary" else EXPANSION.format(words=words)
        return Item(
            id="",
            task="",
            instruction="Read the text and do what is asked at the end.",
            question=question,
            answers=("",),
            ordered=True,
            prefill="Summary:" if self.kind == "summary" else "Text:",
            answer_tokens=64,
            single_line=False,
            meta=meta,
            facets=facets,
            **more,  # type: ignore[arg-type]
        )

    def compose(self, item: Item, room: int, count: Callable[[str], int]) -> Item:
        """Chapters (or their summaries) that leave room for the answer that goes with them; the answer gets the rest."""
        meta = item.meta
        level, first, seed = meta["level"], meta["first"], meta["seed"]
        summary = self.kind == "summary"
        share = level / 100 if summary else 100 / level

        def text(i: int) -> str:
            one = chapter(first + i, seed)
            return one.text if summary else one.summary(level)

        # Answer tokens are those of the text times the share, for both have the same words.
        limit = int(room / (1 + ROOM * share))
        join = "\n" if summary else " "
        texts = _growth.grown(text, limit, count, join) or [text(0)]
        spare = limit - count(join.join(texts))
        more = _growth.padding(spare, count, item.id) if summary and spare > 4 else ""
        shown = [*texts, more] if more else texts
        shown = shown if summary else [" ".join(shown)]
        words = sum(len(one.split()) for one in shown)
        target = max(1, round(words * share))
        question = SUMMARY.format(words=target, order=ORDER) if summary else EXPANSION.format(words=target)
        left = room - count("\n".join(shown)) - max(0, count(question) - count(item.question))
        return dataclasses.replace(
            item,
            question=question,
            answers=(" ".join(chapter(first + i, seed).summary(level) for i in range(len(texts))),),
            evidence=tuple(shown),
            answer_tokens=item.answer_tokens + max(0, left),
            meta={**meta, "n": len(texts), "words": words, "target": target},
        )

    def _facts(self, item: Item) -> list[tuple[Fact, int]]:
        """The facts of an invented document with their rank in their chapter, from 0."""
        meta = item.meta
        kept = RANKS[20] if self.kind == "summary" else RANKS[meta["level"]]
        return [
            (f, rank) for i in range(meta["n"]) for rank, f in enumerate(chapter(meta["first"] + i, meta["seed"]).facts[:kept])
        ]

    def extract(self, text: str, item: Item) -> str | None:
        return extract.whole(text)

    def grade(self, found: str, answers: Sequence[str], item: Item) -> float:
        if self.data:
            return self._against(found, item)
        # Asked without its context an invented item was never composed, and nothing can be known of it.
        return self._parts(found, answers, item)["worth"] if "n" in item.meta else 0.0

    def _against(self, found: str, item: Item) -> float:
        """ROUGE-L with the reference; for an expansion whose source is missing, the share of the summary's words kept."""
        if item.meta["reference"]:
            return rouge_scores.rouge_l(found, item.meta["reference"])
        kept = set(rouge_scores.tokens(item.evidence[0]))
        return len(kept & set(rouge_scores.tokens(found))) / len(kept) if kept else 0.0

    def _parts(self, found: str, answers: Sequence[str], item: Item) -> dict[str, float]:
        """Length, overlap and repetition; facts told, for an invented document."""
        meta, target = item.meta, item.meta["target"]
        size = len(found.split())
        source = " ".join(item.evidence)
        if not self.data:
            chapters = [chapter(meta["first"] + i, meta["seed"]) for i in range(meta["n"])]
            source = "\n".join(c.text if self.kind == "summary" else c.summary(meta["level"]) for c in chapters)
        parts = {
            "word ratio": lcfo_metrics.word_ratio(found, meta["words"]),
            "length error": lcfo_metrics.length_error(found, target),
            "overlap": lcfo_metrics.overlap(found, source),
            "repetition": lcfo_metrics.repetition(found),
        }
        reference = answers[0] if not self.data else meta["reference"]
        if reference and self.kind == "summary":
            parts |= {f"rouge-{n}": rouge_scores.rouge_n(found, reference, n) for n in (1, 2)}
            parts["rouge-l"] = rouge_scores.rouge_l(found, reference)
        if self.data:
            return parts
        ranked = self._facts(item)
        read = " ".join(found.split(" ")[: math.ceil(LEEWAY * target)]) if self.kind == "summary" else found
        told = _chapters.told(read, [fact for fact, _ in ranked])
        for level, kept in RANKS.items():
            mine = [hit for hit, (_, rank) in zip(told, ranked, strict=True) if rank < kept]
            if level <= meta["level"] or self.kind == "summary":
                parts[f"facts of {level} %"] = sum(mine) / len(mine)
        parts["worth"] = parts[f"facts of {meta['level']} %"] * (1.0 if self.kind == "summary" else min(1.0, size / target))
        return parts

    def score(self, answers: Sequence[str], item: Item, answer: Answer) -> Score:
        """Worth, and what it is made of."""
        score = super().score(answers, item, answer)
        if score.value is None or "target" not in item.meta:
            return score
        parts = self._parts(score.extracted, answers, item)
        parts.pop("worth", None)
        return dataclasses.replace(score, parts=parts)

    async def judged(self, answers: Sequence[str], item: Item, answer: Answer, ask: Mapping[str, Ask]) -> Score:
        """The share of the aligned questions that the output answers, by the reader; unreadable replies do not count."""
        score = self.score(answers, item, answer)
        if score.audit != "answered" or not item.meta.get("questions"):
            return score
        found = list[float]()
        for question, right in item.meta["questions"]:
            asked = READ.format(text=score.extracted, question=question, answer=right)
            for _ in range(2):
                said = await ask["reader"](asked, 64)
                verdict = extract.yes_no(said.text) if said.stop not in ("error", "filter", "window") else None
                if verdict:
                    found.append(float(verdict == "yes"))
                    break
        if not found:
            return Score(value=None, audit="provider error", extracted=score.extracted, parts=score.parts)
        value = sum(found) / len(found)
        parts = {**score.parts, "questions answered": value, "questions judged": len(found) / len(item.meta["questions"])}
        return dataclasses.replace(score, value=value, parts=parts)

    def _as_published(self, index: int, seed: int) -> Item:
        found = _published(self.data, self.columns, self.kind, self.level)
        row = found[random.Random(seed).sample(range(len(found)), len(found))[index]]
        level, source, summary = row["level"], row["source"], row["summary"]
        shown = source if self.kind == "summary" else summary
        words = len(shown.split())
        target = round(words * level / 100) if self.kind == "summary" else len(source.split()) or round(words * 100 / level)
        meta = {
            "seed": seed,
            "level": level,
            "words": words,
            "target": max(1, target),
            "reference": summary if self.kind == "summary" else source,
            "questions": [list(q) for q in row["questions"]],
        }
        facets = {"level": f"{level} %", **({"domain": row["domain"]} if row["domain"] else {})}
        item = self._asked(max(1, target), "", meta, facets, noise="none", evidence=(shown,), cluster=row["cluster"])
        return dataclasses.replace(item, answers=(meta["reference"],), answer_tokens=max(64, int(2 * ROOM * target)))

    def gold(self, answers: Sequence[str], item: Item) -> str:
        if self.data:
            return item.meta["reference"] or item.evidence[0]
        if self.kind == "summary":
            return answers[0]
        rng, words = random.Random(1), answers[0].split(" ")
        while len(words) < item.meta["target"]:
            words += prose.sentence(rng).split(" ")
        return " ".join(words)

    def wrong(self, answers: Sequence[str], item: Item, rng: random.Random) -> str:
        return " ".join(prose.sentence(rng) for _ in range(4))


@lru_cache(maxsize=4)
def _published(data: str, columns: str, kind: str, level: int) -> tuple[dict[str, Any], ...]:
    """One entry for each level of each document; documents whose source is missing cannot be summarized."""
    given = _short.columns_of(columns, tuple(COLUMNS), "lcfo")
    found, missing = list[dict[str, Any]](), 0
    for place, row in rows_of(data):
        source = str(_short.pick(row, "source", place, given, COLUMNS) or "").strip()
        summaries = {p: _short.pick(row, f"summary{p}", place, given, COLUMNS) for p in (20, 10, 5)}
        if not any(summaries.values()) and not source:
            raise UserError(
                f"{place}: neither a source nor a summary was found; this row has: {', '.join(row)}: name the columns, as in "
                "columns='source=NAME,summary20=NAME,summary10=NAME,summary5=NAME,questions=NAME'"
            )
        missing += not source
        asked = _questions(_short.pick(row, "questions", place, given, COLUMNS), place)
        domain = str(_short.pick(row, "domain", place, given, COLUMNS) or "")
        for percent, summary in summaries.items():
            summary = str(summary or "").strip()
            if summary and (source or kind == "expansion") and level in (0, percent):
                mine = [(q, a) for q, a, levels in asked if not levels or percent in levels]
                cluster = hashlib.sha256((source or place).encode()).hexdigest()[:12]
                found.append(
                    {
                        "level": percent,
                        "source": source,
                        "summary": summary,
                        "questions": mine,
                        "domain": domain,
                        "cluster": cluster,
                    }
                )
    if not found:
        why = (
            f"{missing} of its rows have no source text (most domains must be rebuilt from their origin)"
            if missing
            else "no row"
        )
        raise UserError(f"lcfo: {data} holds nothing to ask for in kind={kind}, level={level}: {why}")
    return tuple(found)


def _questions(value: Any, place: str) -> list[tuple[str, str, tuple[int, ...]]]:
    """Questions with their answers and the levels whose summaries answer them (none named: all)."""
    out = []
    for one in value if isinstance(value, Sequence) and not isinstance(value, str) else ():
        if not isinstance(one, Mapping) or "question" not in one or "answer" not in one:
            raise UserError(f"{place}: a question must be an object with question and answer, got {one!r:.60}")
        levels = one.get("levels") or one.get("summaries") or ()
        out.append((str(one["question"]), str(one["answer"]), tuple(int(p) for p in levels)))
    return out


def check(lab: Any) -> Any:
    """Summaries at three levels and expansion, made and published; length, overlap, repetition and alignment as by hand."""

    def row(ship: str) -> dict[str, Any]:
        """1,000 words, the first half the same for all."""
        said = [f"{ship if i > 50 else 'Boat'} {i} came to harbour {i} in the year {1800 + i}." for i in range(100)]
        asked = [{"question": f"When came boat {i}?", "answer": str(1800 + i), "levels": [20, 10]} for i in range(4)]
        return {"source": " ".join(said), "questions": asked} | {f"summary_{p}": " ".join(said[:p]) for p in (20, 10, 5)}

    data = f"data='{lab.written({'rows.jsonl': [row('Boat'), row('Raft')]})}/rows.jsonl'"

    def reader(text: str) -> str:
        """Whether the right answer stands in the text."""
        return "yes" if text.rpartition("Right answer: ")[2].split()[0] in text.partition("\n\nQ")[0] else "no"

    def of(text: str, level: int) -> Score:
        """Of a text given as a summary."""
        return lab.scores(f"lcfo({data}, level={level})", lambda *_: text, n=1, helpers={"reader": reader})[0]

    three = " ".join(f"Boat {i} came in {1800 + i}." for i in range(3))
    aligned, unaligned, twice = of(three, 10), of(three, 5), of("a b c d a b c d", 20).parts
    copied = of(" ".join(row("Boat")["source"].split()[:150]), 20).parts
    hand = [aligned.value, *(copied[name] for name in ("word ratio", "length error", "overlap")), twice["repetition"]]
    targets = [lab.asked(f"lcfo({data}, level={level})", n=1)[0][1].meta["target"] for level in (20, 10, 5)]
    kinds = [f"lcfo({data}, kind={kind})" for kind in ("summary", "expansion")]
    loaded = [lab.says(one, say, n=6) for say in ("gold", "empty") for one in kinds]
    whole = lab.says("lcfo(level=5)", lambda task, item, prompt: " ".join(item.evidence) or prompt.text)
    return lab.conclude(
        lab.build("lcfo", "lcfo(level=5)", "lcfo(kind=expansion)", lengths=("4k", "32k")),
        *(lab.replies(one) for one in ("lcfo", "lcfo(kind=expansion)")),
        (loaded == [1, 1, 0, 0], f"12 published ones load: right replies {loaded[0]:.2f}, empty {loaded[2]:.2f}"),
        (targets == [200, 100, 50], f"1,000 published words are to become {', '.join(map(str, targets))}"),
        (
            lab.agree(hand, [0.75, 0.15, 0.25, 1, 0.2]).holds,
            "alignment .75, word ratio .15, length error .25, overlap 1, repetition .2 as by hand",
        ),
        ("questions answered" not in unaligned.parts, "a level without aligned questions is left out"),
        control=(whole > 0.5, f"the whole text in place of a summary of 5 % scores {whole:.2f}"),
    )
