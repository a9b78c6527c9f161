"""M4LE's scorers, quirks and all (KwanWaiChung/M4LE, MIT: evaluation.py).

Each metric takes (prediction, answers, the row's extras as keywords) and gives 0 to 1. A reply ends at the task's end tokens,
one after the other. ROUGE is recall alone, so long replies are not punished. BLEU is of a bucket's replies together there; a
single reply gets its own, which is 0 without a run of four words in common, and `FIGURES` has that of each cell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from leadline.nouns import Record
from leadline.scoring.corpus_bleu import bleu
from leadline.scoring.figures import Figure, points
from leadline.scoring.rouge_scores import common
from leadline.scoring.words import _common, _sentences, cut


def ended(reply: str, ends: Sequence[str]) -> str:
    """The reply up to each of the end tokens in turn."""
    for end in ends:
        reply = reply.split(end)[0].strip()
    return reply.strip()


def acc(said: str, answers: Sequence[str]) -> float:
    """1 where any answer stands in the reply, in any case and inside words too."""
    return float(any(answer.lower() in said.lower() for answer in answers))


def exact(said: str, answers: Sequence[str]) -> float:
    """1 where the reply is one of the answers, in any case."""
    return float(any(answer.lower().strip() == said.lower().strip() for answer in answers))


def listed(said: Sequence[str], wanted: Sequence[str]) -> float:
    """F1 of two lists as sets; an empty reply is a list of one empty entry."""
    right, given, meant = len(set(said) & set(wanted)), len(set(said)), len(set(wanted))
    return 2 * right / (given + meant)


def recall_english(said: str, truth: str) -> float | None:
    """ROUGE-L recall of PyPI `rouge` 1.0.1: words of the union of common subsequences over different words of the truth.

    None where either has no sentence, on which the package stops with an error.
    """
    given, meant = _sentences(said), _sentences(truth)
    if not given or not meant:
        return None
    union = {word for reference in meant for sentence in given for word in _common(reference, sentence)}
    return len(union) / len({word for sentence in meant for word in sentence})


def recall_chinese(said: str, truth: str) -> float | None:
    """ROUGE-L recall of PyPI `rouge-chinese` 1.0.3 on jieba's words: the longest common subsequence over the truth's words."""
    given, meant = (_chinese_words(" ".join(cut(text))) for text in (said, truth))
    return common(meant, given) / len(meant) if given and meant else None


_BREAKS = (
    (re.compile(r"([。！？?])([^”’])"), r"\1\n\2"),
    (re.compile(r"(\.{6}|…{2})([^”’])"), r"\1\n\2"),
    (re.compile(r"([。！？?][”’])([^，。！？?])"), r"\1\n\2"),
)
"""Where that package begins a new sentence."""


def _chinese_words(text: str) -> list[str]:
    """Words of the sentences; one of blanks alone is an empty word, as there."""
    for pattern, broken in _BREAKS:
        text = pattern.sub(broken, text)
    return [word for line in text.rstrip().split("\n") if line for word in " ".join(line.split()).split(" ")]


@dataclass(frozen=True)
class Rule:
    """How a task's replies are read and scored."""

    metric: str
    """acc, exact, rouge, rouge-zh, ids, ids-zh, bleu or bleu-zh."""
    ends: tuple[str, ...] = ()
    answer_ends: str = ""
    """Where the answer ends. Where it says nothing but answers end in a full stop, as those of online-shopping, the last
    number of a list can never be right."""
    quoted: bool = False
    """Whether only what stands in the first quotes counts."""

    def __call__(self, prediction: str, answers: Sequence[str], **_: Any) -> float:  # noqa: D102
        if self.quoted and '"' in prediction:
            prediction = prediction.split('"')[1].strip()
        said = ended(prediction, self.ends)
        if self.answer_ends:
            answers = [answers[0].split(self.answer_ends)[0]]
        if self.metric in ("ids", "ids-zh"):
            stop, comma = (".", ",") if self.metric == "ids" else ("。", "，")
            wanted = [part.strip() for part in answers[0].split(comma)]
            return listed([part.strip() for part in said.split(stop)[0].strip().split(comma)], wanted)
        if self.metric in ("acc", "exact"):
            return {"acc": acc, "exact": exact}[self.metric](said, answers)
        if self.metric in ("bleu", "bleu-zh"):
            return bleu([(said, answers)], self.metric == "bleu-zh")
        one = recall_english if self.metric == "rouge" else recall_chinese
        found = [one(said, answer) for answer in answers if answer]
        # One reference without a sentence makes the whole row worth nothing there.
        return 0.0 if None in found else max(filter(None, found), default=0.0)


def _named(names: str, rule: Rule) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


RULES: dict[str, Rule] = {
    **_named("arxiv pubmed booksum cnnnews wikihow bigpatent_global_sum", Rule("rouge", ("\n",))),
    **_named("cnewsum clts+", Rule("rouge-zh", ("\n", "新闻"))),
    **_named("cepsum lcsts ncls", Rule("rouge-zh", ("\n",))),
    "news2016": Rule("rouge-zh", ("\n",), quoted=True),
    **_named("triviaqa newsqa duorc nq-open hotpotqa", Rule("acc", ("\n", "."))),
    **_named("c3 dureader drcd_semantic-single", Rule("acc", ("\n", "。"))),
    "wow": Rule("acc", (",", "\n")),
    "drcd_explicit-single": Rule("acc", ("，", "\n")),
    "bigpatent_global_cls": Rule("acc", (":",)),
    "wikitext-103": Rule("exact", (".",)),
    "wiki2019zh": Rule("exact", ("。",)),
    **_named("mnds-news_explicit-single thucnews_explicit-single", Rule("exact")),
    "mnds-news_semantic-multiple": Rule("exact", (".",), "."),
    "thucnews_semantic-multiple": Rule("exact", ("。",), "。"),
    "marc": Rule("ids", (), "."),
    "mnds-news_explicit-multiple": Rule("ids"),
    **_named("online-shopping thucnews_explicit-multiple", Rule("ids-zh")),
    **_named("open-subtitles-en2zh news-commentary-en2zh tedtalks-en2zh", Rule("bleu-zh")),
    **_named("open-subtitles-zh2en news-commentary-zh2en tedtalks-zh2en", Rule("bleu")),
}
"""By the names of the data set's configurations."""


def _metric(name: str, rule: Rule) -> Callable[..., float]:
    def metric(prediction: str, answers: Sequence[str], **extras: Any) -> float:
        return rule(prediction, answers, **extras)

    kinds = {"acc": "holds an answer", "exact": "is an answer", "ids": "F1 of numbers", "ids-zh": "F1 of numbers"}
    kinds |= {"bleu": "has this BLEU", "bleu-zh": "has this BLEU on characters"}
    metric.__doc__ = f"M4LE {name}: the reply up to its end token {kinds.get(rule.metric, 'has this ROUGE-L recall')}."
    return metric


METRICS: dict[str, Callable[..., float]] = {f"m4le/{name}": _metric(name, rule) for name, rule in RULES.items()}
"""By the name that `leadline score --metric` takes."""


_TRANSLATED = re.compile(r"(?:open-subtitles|news-commentary|tedtalks)-(?:en2zh|zh2en)")


def _figure(records: Sequence[Record]) -> Figure | None:
    """BLEU of the replies of each translation task and bucket together, as the benchmark has it."""
    cells: dict[tuple[str, int, str], list[Record]] = {}
    for record in records:
        if record.score is not None and (name := _TRANSLATED.search(record.task)):
            bucket = record.facets.get("bucket", "")
            cells.setdefault((name[0], int(bucket) if bucket.isdigit() else 0, bucket), []).append(record)
    rows = []
    for (name, _, bucket), some in sorted(cells.items()):
        value = bleu([(r.extracted, r.answers) for r in some], RULES[name].metric == "bleu-zh")
        rows.append((name, bucket, points(value), f"{len(some):,}"))
    if not rows:
        return None
    return Figure(
        "BLEU of translations",
        "Of all replies of a task and bucket together, points of 100 (M4LE, arXiv:2310.19240); scores elsewhere are means of "
        "each reply's own.",
        ("task", "bucket", "BLEU", "replies"),
        tuple(rows),
    )


FIGURES = (_figure,)
