"""LongBench-Write: does a model write as much as it is asked to, and how well.

Bai, Zhang, Lv, Zheng, Zhu, Hou, Dong, Tang, Li: "LongWriter: Unleashing 10,000+ Word Generation from Long Context LLMs", ICLR
2025, arXiv:2408.07055; THUDM/LongWriter, Apache-2.0. The length score is theirs to the digit; quality is judged in six
dimensions from 1 to 5, (mean - 1) x 25 each as theirs, and the value is the mean of both. Requests are invented ones of their
seven types with the length that the cell has room for, or their files longbench_write.jsonl and longwrite_ruler.jsonl, asked
alone. Where they ask the judge up to five times this asks twice.

`documents` gives the model something to read first, at any length: a report of the words asked for over documents of the
invented world among others. Then the share of their facts that the report states stands where the judged quality does.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import cycle, islice
from statistics import fmean
from typing import Any

from leadline.data import chinese, lexicon
from leadline.data.published import demand, rows_of
from leadline.data.world import World
from leadline.nouns import NOT_ASKED, Answer, Item, Score, UserError
from leadline.scoring.writing_metrics import length_score, written
from leadline.tasks._judging import json_object, verdict
from leadline.tasks._long_replies import said
from leadline.tasks.base import PASSAGE, Ask, Task, share_found

TOKENS = 2.0
"""Tokens reserved for each word or character that is asked for, where the length follows the room."""
MOST = 32_768
"""Room for a reply to a published request, as the authors give [tokens]."""
SHORTEST = 50
STATED = 64
"""Words in which the facts of one document can be stated, at most."""
COLUMNS = {"prompt": str, "length": int}
DIMENSIONS = ("Relevance", "Accuracy", "Coherence", "Clarity", "Breadth and Depth", "Reading Experience")
TYPES = (
    (
        "literature",
        "Write a story about {person}, who comes to {town} one winter.",
        "写一个故事，讲{person}在一个冬天来到{town}之后的事。",
    ),
    (
        "academic",
        "Write a chapter of a monograph on the {product} trade of {town}.",
        "写一章专著，论{town}的地方经济及其变迁。",
    ),
    (
        "popular science",
        "Explain to curious readers how a {animal} lives and what it needs.",
        "写一篇科普文章，介绍{town}一带的河流和气候。",
    ),
    (
        "functional",
        "Write a letter in which {person} applies to be {town}'s {job}.",
        "替{person}写一封应聘{town}小学教师的信。",
    ),
    ("news", "Write a news report on the {festival} festival in {town}.", "写一篇新闻报道，讲{town}刚刚举行的灯会。"),
    ("forum", "Write a post that recommends three days in {town} to travelers.", "写一篇帖子，向旅行者推荐{town}的三日游。"),
    ("education", "Write a lesson for children about {person}, a {job} in {town}.", "写一份教案，给孩子们讲{town}的历史。"),
)
_ASK = {
    "en": "Write about {words} words, and nothing but the text itself.",
    "zh": "请写约{words}字，只写正文。",
}
_REPORT = "Write a report on {subjects}. Bring together everything that the passages say about {them}. "
_JUDGE = """You are an expert in the quality of texts and as strict as can be. Rate an assistant's response to a request \
for writing in six dimensions, each with a whole number from 1 (worst) to 5 (best):
1. Relevance: from irrelevant or useless to fully to the point of the request.
2. Accuracy: from full of errors and misleading to without any error of fact.
3. Coherence: from disorganized to clear in structure, each part following from the last.
4. Clarity: from confusing and poor in detail to clear, rich in detail and easy to understand.
5. Breadth and Depth: from little information to broad and deep.
6. Reading Experience: from boring and hard to read to engaging and easy.

<request>
{request}
</request>

<response>
{response}
</response>

Do not consider whether the response has the length that was asked for. Analyze it first, then give the scores, all in one \
JSON object with exactly these keys: {{"Analysis": "...", "Relevance": n, "Accuracy": n, "Coherence": n, "Clarity": n, \
"Breadth and Depth": n, "Reading Experience": n}}"""


@dataclass(frozen=True, kw_only=True)
class LongbenchWrite(Task):
    """A text of a length that is asked for.

    Attributes:
        words: words (in Chinese: characters) to ask for, 50 to 100000; 0 for as many as the length has room for.
        language: `en` or `zh`, of invented requests; of published ones it keeps those in that language.
        data: the authors' file instead of invented requests.
        documents: documents to report on, 1 to 16, among others that fill the length; 0 for requests that are asked alone.
    """

    words: int = 0
    language: str = "en"
    data: str = ""
    documents: int = 0

    ability = "long generation"
    scope = "low"
    minimum = 768
    roles = {"judge": "rates the quality of what was written in six dimensions"}
    without_roles = "the length score alone"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("language", ("en", "zh"))
        if self.words:
            self.check_range("words", SHORTEST, 100_000)
        fills = not self.data and not self.words
        object.__setattr__(self, "grows", fills)
        object.__setattr__(self, "natural", not fills and not self.documents)
        self.check_range("documents", 0, 16)
        if not self.documents:
            return
        if self.data or self.language != "en":
            raise UserError(f"{self.id}: documents are of the invented world, in English: leave data and language out")
        if self.words < STATED * self.documents:
            raise UserError(
                f"{self.id}: a report on {self.documents} documents needs words={STATED * self.documents} or more to state all "
                f"their facts; got words={self.words}"
            )
        object.__setattr__(self, "minimum", 768 + 640 * self.documents + round(2 * TOKENS * self.words))
        object.__setattr__(self, "diffusion", "middle")
        object.__setattr__(self, "scope", "middle")
        # Nothing is left to a judge.
        object.__setattr__(self, "roles", {})

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        if self.data:
            rows = self._rows(seed)
            number, place, row = rows[index % len(rows)]
            demand(row, COLUMNS, "LongBench-Write", place)
            if row["length"] < 1:
                raise UserError(f"{place}: the length must be 1 or more, got {row['length']}")
            room = min(MOST, round(4 * TOKENS * row["length"]) + 256)
            item = self._asked(row["length"], room, question=row["prompt"], kind=str(row.get("type") or ""))
            return replace(item, meta={**item.meta, "row": number})
        if self.documents:
            return self._report(index, seed)
        kind, *texts = TYPES[index % len(TYPES)]
        fill = {
            "product": rng.choice(lexicon.PRODUCTS),
            "animal": rng.choice(lexicon.ANIMALS),
            "job": rng.choice(lexicon.PROFESSIONS),
        }
        fill["festival"], number, world = rng.choice(lexicon.FESTIVALS), rng.randrange(30_000), World(seed)
        fill["person"] = world.name("person", number) if self.language == "en" else chinese.name(number, seed)
        fill["town"] = world.name("town", number) if self.language == "en" else chinese.town(number, seed)
        request, words = texts[self.language == "zh"].format(**fill), self.words or SHORTEST
        return self._asked(words, round((2 if self.words else 1) * TOKENS * words), request=request, kind=kind)

    def _report(self, index: int, seed: int) -> Item:
        """A report over documents, each on a subject of its own."""
        told = [World(seed).document(index * self.documents + i) for i in range(self.documents)]
        *most, last = [document.subject for document in told]
        subjects = f"{', '.join(most)} and {last}" if most else last
        question = _REPORT.format(subjects=subjects, them="them" if most else "it") + _ASK["en"].format(words=self.words)
        facts = [fact for document in told for fact in document.facts]
        return replace(
            self._asked(self.words, round(2 * TOKENS * self.words), question=question, kind="report"),
            instruction="Read the passages. You will be asked for a report on what some of them say.",
            evidence=tuple(document.text for document in told),
            noise="passages",
            form=PASSAGE,
            avoid=(*most, last),
            meta={"facts": [fact.value for fact in facts], "stated": " ".join(fact.text for fact in facts)},
        )

    def _asked(self, words: int, room: int, *, request: str = "", question: str = "", kind: str = "") -> Item:
        """A request with its length: in one where it is published, else the length last."""
        size = next((f"under {n:,}" for n in (500, 2000, 4000, 20_000) if words < n), "20,000 and more")
        return Item(
            id="",
            task="",
            instruction="",
            question=question or _ASK[self.language].format(words=words),
            answers=(str(words),),
            evidence=(request,) if request else (),
            noise="none",
            answer_tokens=room,
            single_line=False,
            meta={"request": question or f"{request} {_ASK[self.language].format(words=words)}", "text": request, "type": kind},
            # What a cell is made of when the length follows the room is no facet.
            facets={"type": kind} | ({"asked for": size} if question else {}),
        )

    def items(self, n: int, seed: int = 0) -> list[Item]:
        if self.data and n > len(self._rows(seed)):
            raise UserError(
                f"{self.id}: {self.data} holds {len(self._rows(seed))} requests in {self.language!r}; ask for at most that many"
            )
        return super().items(n, seed)

    def _rows(self, seed: int) -> list[tuple[int, str, Any]]:
        rows = [(i, p, r) for i, (p, r) in enumerate(_read(self.data)) if (_chinese(r)) == (self.language == "zh")]
        if not rows:
            raise UserError(f"{self.id}: {self.data} holds no requests in {self.language!r}; give another language=")
        random.Random(seed).shuffle(rows)
        return rows

    def compose(self, item: Item, room: int, count: Callable[[str], int]) -> Item:
        """As many words as there is room for, rounded down to two digits."""
        room += item.answer_tokens - count(item.meta["text"])
        words = max(SHORTEST, int(room / TOKENS))
        step = max(1, 10 ** (len(str(words)) - 2))
        words = max(SHORTEST, words // step * step)
        grown = self._asked(words, max(room, item.answer_tokens), request=item.meta["text"], kind=item.meta["type"])
        return replace(grown, id=item.id, task=item.task, cluster=item.cluster)

    def grade(self, found: str, answers: Sequence[str], item: Item) -> float:
        return length_score(float(answers[0]), written(found))

    def score(self, answers: Sequence[str], item: Item, answer: Answer) -> Score:
        reply, audit = said(answer)
        if audit in NOT_ASKED:
            return Score(value=None, audit=audit)
        parts = {
            "length_score": self.grade(reply, answers, item),
            "written": float(written(reply)),
            "asked for": float(answers[0]),
        }
        value = parts["length_score"]
        if "facts" in item.meta:
            # A copy of much of the context would cover a lot: what the length score and the room for the answer are there for.
            parts["coverage"] = share_found(reply, item.meta["facts"])
            value = (value + parts["coverage"]) / 2
        return Score(value=value, audit=audit, extracted=reply, parts=parts)

    async def judged(self, answers: Sequence[str], item: Item, answer: Answer, ask: Mapping[str, Ask]) -> Score:
        mine = self.score(answers, item, answer)
        if mine.value is None or not mine.extracted:
            return mine
        text = _JUDGE.format(request=item.meta["request"], response=mine.extracted)
        marks = await verdict(ask["judge"], text, _marks, 1024)
        if marks is None:
            return replace(mine, value=None, audit="provider error")
        quality = fmean(marks.values())
        parts = {**mine.parts, "quality": quality, **{name.lower(): mark for name, mark in marks.items()}}
        return replace(mine, value=(mine.value + quality) / 2, parts=parts)

    def gold(self, answers: Sequence[str], item: Item) -> str:
        stated = item.meta.get("stated", "")
        return f"{stated} {self._text(int(answers[0]) - written(stated))}".strip()

    def wrong(self, answers: Sequence[str], item: Item, rng: random.Random) -> str:
        """A fourth of what was asked for."""
        return self._text(int(answers[0]) // 4)

    def _text(self, words: int) -> str:
        if self.language == "zh":
            return "".join(islice(cycle("那一年冬天来得早"), words))
        return " ".join(islice(cycle("one winter the rain came early and it stayed".split()), words))


def _chinese(row: Any) -> bool:
    return isinstance(row, Mapping) and any("\u4e00" <= c <= "\u9fff" for c in str(row.get("prompt")))


def _marks(text: str) -> dict[str, float] | None:
    """The six marks as shares, 0 to 1; None where one is missing or no number from 1 to 5."""
    told = json_object(text)
    if told is None:
        return None
    try:
        marks = {name: float(told[name]) for name in DIMENSIONS}
    except (KeyError, TypeError, ValueError):
        return None
    return {name: (mark - 1) / 4 for name, mark in marks.items()} if all(1 <= m <= 5 for m in marks.values()) else None


@lru_cache(maxsize=4)
def _read(spec: str) -> tuple[tuple[str, Any], ...]:
    rows = tuple(rows_of(spec))
    if not rows:
        raise UserError(f"{spec!r} holds no rows")
    return rows


def check(lab: Any) -> Any:
    """The length score is the formula's, quality a judge's; published rows load; of reports the coverage of facts counts."""
    hand = {(1000, 1000): 100, (1000, 2000): 66.667, (1000, 4000): 0, (1000, 500): 50, (1000, 334): 0.2994, (500, 400): 87.5}
    asked = [(*pair, score) for pair, score in hand.items()]
    if lab.peers:
        asked += [(c["required"], c["produced"], c["S_l"]) for c in lab.json("longbench-write/length_score.json")["cases"]]
    metric = lab.metric("longbench-write/length")
    ours = [100 * metric("word " * produced, [str(required)]) for required, produced, _ in asked]
    plain = [100 * min(1, produced / required) for required, produced, _ in asked]
    wanted = [score for *_, score in asked]

    def quality(mark: int) -> float:
        """Mean quality where the judge gives the same mark in every dimension."""
        reply = json.dumps({"Analysis": "So it is."} | dict.fromkeys(DIMENSIONS, mark))
        scores = lab.scores("longbench-write(words=200)", n=2, helpers={"judge": lambda text: reply})
        return sum(s.parts["quality"] for s in scores) / len(scores)

    marks = [quality(mark) for mark in (1, 3, 5)]
    row = {"prompt": "Write about 300 words on boats.", "type": "news", "length": 300}
    rows = [row, row | {"prompt": "Write 200 words on mills.", "length": 200}]
    own = f"longbench-write(data='{lab.written({'rows.jsonl': rows})}/rows.jsonl')"
    report = "longbench-write(documents=3, words=300)"

    def one_of_three(task: Any, item: Any, prompt: Any) -> str:
        """A report of the length asked for that states the facts of the first document alone."""
        facts = item.meta["facts"]
        return " ".join(["so"] * (300 - written(" ".join(facts[:5]))) + facts[:5])

    third = lab.says(report, one_of_three)
    return lab.conclude(
        lab.build("longbench-write", "longbench-write(language=zh)", report, lengths=("4k", "32k")),
        *(lab.replies(one, n=2) for one in ("longbench-write", "longbench-write(language=zh)", own, report)),
        lab.agree(ours, wanted, "length scores", within=0.001),
        (marks == [0, 0.5, 1], f"all ones, threes, fives of a judge: quality {', '.join(f'{m:.2f}' for m in marks)}"),
        (0.6 < third < 0.8, f"a report on one document of three {third:.2f}"),
        lab.sound(report),
        control=[lab.agree(plain, wanted, "of these, as a plain share,", within=0.001), lab.sound(report, blind=True)],
    )
