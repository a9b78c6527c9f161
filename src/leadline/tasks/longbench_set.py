"""One data set of LongBench: its prompt, its answer room, its metric.

Bai et al. 2023, arXiv:2308.14508; official code THUDM/LongBench (MIT), read at 2e00731: which set has which metric, room and
first-line rule is its own, the prompts say the same in our words. The authors give trec, triviaqa, samsum, lsht, lcc and
repobench-p to chat models without a chat template (`SETS[...].chat` says so); here every prompt goes through the tested
model's own. They cut prompts over the window in the middle; here such items are reported as over the window.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from leadline.data.published import LONGBENCH, demand, rows_of
from leadline.nouns import Item, UserError
from leadline.scoring.metrics import metric
from leadline.tasks._longdocs import Asked, LongDocuments, located

EXTENDED = (
    "qasper multifieldqa_en hotpotqa 2wikimqa gov_report multi_news trec triviaqa samsum passage_count passage_retrieval_en "
    "lcc repobench-p"
).split()
"""The sets of LongBench-E, drawn evenly over three ranges of length."""
ABILITIES = {
    "single-document QA": "qa",
    "multi-document QA": "qa",
    "summarisation": "summarisation",
    "few-shot": "in-context learning",
    "retrieval": "retrieval",
    "counting": "counting",
    "code": "code",
}


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the benchmark fixes for one set."""

    category: str
    metric: str
    room: int
    """Most tokens of an answer."""
    before: str
    """Said before the context."""
    after: str = "{input}"
    """Said after it; {input} is the row's question."""
    cue: str = ""
    """How the answer begins."""
    language: str = "en"
    chat: bool = True
    """Whether the authors give it to chat models through their template."""
    first_line: bool = False
    """Whether only the first line of a reply counts."""
    forms: str = ""
    """A pattern that finds the passages in the context, where they may be laid among others."""


_BRIEF = "Reply with the answer alone, in as few words as possible."
_PASSAGES = f"Answer the question at the end from the passages below. {_BRIEF}"
_PAPER = (
    "Answer the question about the scientific article as briefly as you can, in a phrase or one sentence. If the article does "
    'not answer it, write "unanswerable". If it is a yes/no question, answer "yes", "no" or "unanswerable". Explain nothing.'
)
_QUESTION = "\n\nQuestion: {input}"


def _multi(room: int = 32) -> Facts:
    return Facts(
        category="multi-document QA",
        metric="longbench/qa-f1",
        room=room,
        before=_PASSAGES,
        after=f"Answer this question from the passages above. {_BRIEF}{_QUESTION}",
        cue="Answer:",
    )


def _report(what: str, of: str) -> Facts:
    return Facts(
        category="summarisation",
        metric="longbench/rouge",
        room=512,
        before=f"Below {what}. You will be asked to summarize {of} on one page.",
        after=f"Now summarize {of} on one page.",
        cue="Summary:",
    )


def _code(metric: str = "longbench/code-sim") -> Facts:
    return Facts(
        category="code",
        metric=metric,
        room=64,
        before="Continue the code below by one line.",
        after="The next line of code:",
        chat=False,
    )


SETS: dict[str, Facts] = {
    "narrativeqa": Facts(
        category="single-document QA",
        metric="longbench/qa-f1",
        room=128,
        before="Below is a story, a novel or the script of a film, and a question about it. "
        "Answer as briefly as you can, if possible with one phrase, and explain nothing.",
        after="Now answer the question about the story as briefly as you can, if possible with one phrase, "
        f"and explain nothing.{_QUESTION}",
        cue="Answer:",
    ),
    "qasper": Facts(
        category="single-document QA",
        metric="longbench/qa-f1",
        room=128,
        before=f"Below are a scientific article and a question. {_PAPER}",
        after=f"{_PAPER}{_QUESTION}",
        cue="Answer:",
    ),
    "multifieldqa_en": Facts(
        category="single-document QA",
        metric="longbench/qa-f1",
        room=64,
        before="Read the text and answer the question at the end briefly.",
        after=f"Now answer this question from the text above. {_BRIEF}{_QUESTION}",
        cue="Answer:",
    ),
    "multifieldqa_zh": Facts(
        category="single-document QA",
        metric="longbench/qa-f1-zh",
        room=64,
        before="请阅读下面的文章，并用中文简短地回答最后的问题。",
        after="请根据上文回答问题，只写出答案，不要写别的内容。\n\n问题：{input}",
        cue="回答：",
        language="zh",
    ),
    "hotpotqa": _multi(),
    "2wikimqa": _multi(),
    "musique": _multi(),
    "dureader": Facts(
        category="multi-document QA",
        metric="longbench/rouge-zh",
        room=128,
        before="请根据下面的文章回答最后的问题。",
        after="请根据上面的文章回答问题。\n\n问题：{input}",
        cue="回答：",
        language="zh",
    ),
    "gov_report": _report("is a report by a government agency", "the report"),
    "qmsum": Facts(
        category="summarisation",
        metric="longbench/rouge",
        room=512,
        before="Below are the transcript of a meeting and a question or an instruction. Respond in one or more sentences.",
        after="Now respond to this from the transcript above, in one or more sentences.\n\nQuery: {input}",
        cue="Answer:",
    ),
    "multi_news": _report("are several news articles", "all the news"),
    "vcsum": Facts(
        category="summarisation",
        metric="longbench/rouge-zh",
        room=512,
        before="下面是一份会议记录，请阅读后写一段话，总结会议的内容。",
        after="请写出会议总结。",
        cue="会议总结：",
        language="zh",
    ),
    "trec": Facts(
        category="few-shot",
        metric="longbench/classification",
        room=64,
        before="Say of which type the last question is. The questions before it are examples.",
        chat=False,
        first_line=True,
    ),
    "triviaqa": Facts(
        category="few-shot",
        metric="longbench/qa-f1",
        room=32,
        before=f"Answer the last question from its passage. {_BRIEF} Examples come first.",
        chat=False,
        first_line=True,
    ),
    "samsum": Facts(
        category="few-shot",
        metric="longbench/rouge",
        room=128,
        before="Sum up the last dialogue in a few short sentences. Examples come first.",
        chat=False,
        first_line=True,
    ),
    "lsht": Facts(
        category="few-shot",
        metric="longbench/classification",
        room=64,
        before="请判断最后一则新闻属于哪一类，前面的都是例子。",
        language="zh",
        chat=False,
        first_line=True,
    ),
    "passage_count": Facts(
        category="counting",
        metric="longbench/count",
        room=32,
        before="Below are paragraphs from Wikipedia, of which some may stand there more than once. "
        "Find out how many different paragraphs there are.",
        after="How many paragraphs are left when the repeated ones are taken away? Reply with the number alone.",
        cue="The number is",
    ),
    "passage_retrieval_en": Facts(
        category="retrieval",
        metric="longbench/retrieval",
        room=32,
        before="Below are paragraphs from Wikipedia, and at the end an abstract of one of them. Find the paragraph.",
        after='Abstract:\n\n{input}\n\nWhich paragraph is it of? Reply in the form of "Paragraph 1", with the right number.',
        cue="The answer is",
        forms=r"Paragraph (\d+): ?",
    ),
    "passage_retrieval_zh": Facts(
        category="retrieval",
        metric="longbench/retrieval-zh",
        room=32,
        before="下面有若干段文字，最后是其中一段的摘要。请找出摘要出自哪一段。",
        after="摘要：\n\n{input}\n\n这段摘要出自哪一段？请按“段落1”的格式回答，写出正确的编号。",
        cue="答案是：",
        language="zh",
        forms=r"段落(\d+)：",
    ),
    "lcc": _code(),
    "repobench-p": _code(),
}
_WHOLE = {"few-shot", "counting", "code"}
"""Categories that others' text would make another task: shots, a count, code that goes on."""


@dataclass(frozen=True, kw_only=True)
class LongbenchSet(LongDocuments):
    """A data set of LongBench.

    Attributes:
        dataset: one of the 21, as `hotpotqa`.
        extended: the set's form in LongBench-E, which 13 of them have.
    """

    dataset: str = "hotpotqa"
    extended: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("dataset", tuple(SETS))
        if self.extended and self.dataset not in EXTENDED:
            raise UserError(f"{self.id}: LongBench-E has no {self.dataset!r}; it has {', '.join(EXTENDED)}")
        if not self.natural and self.facts.category in _WHOLE:
            raise UserError(f"{self.id}: {self.dataset} cannot lie among other text, which would change its answer: noise=none")
        if self.noise == "others" and self.facts.forms:
            raise UserError(
                f"{self.id}: the documents of {self.dataset} number their own paragraphs: noise=passages, or another"
            )

    @property
    def facts(self) -> Facts:
        """What the benchmark fixes for the set."""
        return SETS[self.dataset]

    @property
    def ability(self) -> str:
        """As the set's category."""
        return ABILITIES[self.facts.category]

    @property
    def file(self) -> str:
        """Name of the published file."""
        return self.dataset + ("_e" if self.extended else "")

    @property
    def place(self) -> str:
        """The set's file; the loading script of its hub repository is no longer run by anybody, its archive is read."""
        return located(self.data, f"THUDM/LongBench/data.zip/{self.file}.jsonl", [self.file])

    def asked(self) -> Sequence[Asked]:
        return _read(self.place)

    def written(self, asked: Asked) -> Item:
        row, facts = asked.raw, self.facts
        evidence, answers, form = (asked.document,), tuple(map(str, row["answers"])), "{text}"
        if self.dataset == "repobench-p":
            # The code before the line goes on in the row's input, blanks and all.
            evidence = (asked.document + row["input"],)
        if facts.forms and not self.natural:
            evidence, answers, form = _apart(asked.document, answers, facts)
        length = int(row.get("length") or asked.size)
        return Item(
            id="",
            task="",
            instruction=facts.before,
            question=facts.after.replace("{input}", row["input"] if self.dataset != "repobench-p" else ""),
            answers=answers,
            evidence=evidence,
            noise="none",
            form=form,
            ordered=True,
            prefill=facts.cue,
            answer_tokens=facts.room,
            single_line=facts.first_line,
            choices=tuple(map(str, row.get("all_classes") or ())),
            cluster=asked.cluster,
            meta={"chat": facts.chat, "row": str(row.get("_id") or "")},
            facets={
                "category": facts.category,
                "language": facts.language if facts.category != "code" else "code",
                "words": "under 4,000" if length < 4000 else "4,000 to 7,999" if length < 8000 else "8,000 and more",
            },
        )

    def extract(self, text: str, item: Item) -> str | None:
        if not text.strip():
            return None
        return text.lstrip("\n").split("\n")[0] if self.facts.first_line else text

    def marks(self, found: str, answers: Sequence[str], item: Item) -> tuple[float, dict[str, float]]:
        return metric(self.facts.metric)(found, answers, classes=item.choices), {}


def _apart(document: str, answers: Sequence[str], facts: Facts) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """The paragraphs one by one, the answer as the number that the right one gets, and the form that numbers them."""
    starts = list(re.finditer(rf"(?m)^{facts.forms}", document))
    if not starts:
        raise UserError(f"a document of LongBench's retrieval sets has no numbered paragraphs: {document[:60]!r}")
    ends = [*(m.start() for m in starts[1:]), len(document)]
    texts = tuple(document[m.end() : end].strip() for m, end in zip(starts, ends, strict=True))
    numbers = [m[1] for m in starts]
    wanted = [re.sub(r"\d+", lambda m: f"{{number{numbers.index(m[0])}}}", answer, count=1) for answer in answers]
    return texts, tuple(wanted), "Paragraph {number}: {text}" if facts.language == "en" else "段落{number}：{text}"


@lru_cache(maxsize=32)
def _read(spec: str) -> tuple[Asked, ...]:
    found = []
    for place, row in rows_of(spec):
        demand(row, LONGBENCH, "LongBench", place)
        found.append(Asked(document=row["context"], language="zh" if row.get("language") == "zh" else "en", raw=row))
    return tuple(found)
