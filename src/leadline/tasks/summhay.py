"""Summary of a Haystack: bullets on what many documents repeat about one thing, each citing the documents that say so.

Laban, Fabbri, Xiong and Wu 2024, arXiv:2407.01370; code and data salesforce/summary-of-a-haystack (Apache-2.0). Scores as
there: coverage of the insights (all, a part, nothing), citation (F1 of the documents cited for a covered insight), and joint,
their product, which is the score. A haystack of a generated council's minutes needs no judge, for each insight is a name and
a value; the published haystacks do, as in the paper. Reports show means over queries, the paper pools insights: the same for
coverage and joint where queries have as many insights, while citation weighs queries by how many insights are covered.
"""

from __future__ import annotations

import dataclasses
import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from leadline.data import minutes
from leadline.data.noise import open_noise
from leadline.data.published import demand, rows_of
from leadline.nouns import Answer, Item, Score, UserError
from leadline.scoring import extract
from leadline.scoring.insights import COVERAGE, Insight, Verdict, bullets, citations, exact, figures, scored
from leadline.tasks._judging import UNJUDGED, json_object, verdict
from leadline.tasks.base import Ask, Task

TOPIC = {"topic": str, "subtopics": list, "documents": list}
SUBTOPIC = {"subtopic": str, "query": str, "insights": list}
INSTRUCTION = (
    "Below are numbered documents on one subject. Many of them say the same things. You will be asked for a summary of what "
    "they say about one matter, with the numbers of the documents that say it."
)
QUESTION = """{about}
Write a summary of exactly {count} bullet points, one line each, in at most 300 words. Each bullet point gives one insight \
that the documents hold about this: a single specific thing, with its names and numbers. End each bullet point with the \
numbers of all documents that say it, in square brackets, as in [2][7][11]. Write nothing but the bullet points."""
JUDGE = """Does one of the numbered bullet points below say what the reference insight says?

Reference insight: {insight}

Bullet points:
{bullets}

Say FULL_COVERAGE if a single bullet point says all of it, PARTIAL_COVERAGE if one says a part of it, and NO_COVERAGE if none \
does. Do not give the summary credit for what it does not say. Reply with JSON alone: {{"coverage": "FULL_COVERAGE", \
"bullet_id": 3}}, where bullet_id is the number of that bullet point, or "NA" if there is none."""


@dataclass(frozen=True, kw_only=True)
class Summhay(Task):
    """A summary of insights that stand in many documents, with citations.

    Attributes:
        insights: insights about the matter that is asked for, in a generated haystack, 2 to 10.
        documents: documents that hold each of them, 2 to 20.
        data: a haystack in the published format (topic.json), a folder of them, or a hub data set; empty generates one.
        noise: of a published haystack: `none` takes all its documents at their own length; a kind of noise (`minutes`,
            `passages`, `file(...)`) keeps those that hold the insights and fills up with it.
    """

    insights: int = 4
    documents: int = 6
    data: str = ""
    noise: str = "none"

    ability = "summarisation"
    diffusion = "high"
    scope = "high"
    minimum = 4096
    roles = {"judge": "says which bullet covers an insight, and how far"}
    without_roles = "exact: a bullet covers an insight as far as it holds its name and its value"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_range("insights", 2, 10)
        self.check_range("documents", 2, 20)
        if self.data:
            object.__setattr__(self, "without_roles", "")
            object.__setattr__(self, "natural", self.noise == "none")
        elif self.noise != "none":
            raise UserError(f"summhay: noise={self.noise} is for published haystacks; a generated one is filled with minutes")
        else:
            room = 100 + (60 + 6 * self.documents) * self.insights
            object.__setattr__(self, "minimum", max(1024, 450 + room + 220 * -(-self.insights * self.documents // 2)))
        if self.noise != "none":
            open_noise(self.noise)

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        return self._published(index, seed) if self.data else self._generated(seed, rng)

    def _generated(self, seed: int, rng: random.Random) -> Item:
        asked = rng.randrange(1 << 30)
        facts = minutes.facts(asked, seed, self.insights)
        # Two insights a document, each pair as often as any other, so that no document may be cited for all.
        told = [fact for fact in facts for _ in range(self.documents)]
        size = -(-len(told) // 2)
        order = _dealt(told, size, rng)
        texts = []
        for some in order:
            others = minutes.facts(rng.randrange(1 << 30), seed)[:1]
            lines = [*some, *others]
            rng.shuffle(lines)
            texts.append(minutes.document(lines, rng))
        holding = [[d for d, some in enumerate(order) if fact in some] for fact in facts]
        name = facts[0].project
        about = f"The question is about {name}: what happened there, who and what took part in it, and with which numbers?"
        checks = [[fact.entity, fact.value] for fact in facts]
        item = self._asked(about, [fact.said(0) for fact in facts], holding, texts, {"checks": checks})
        return dataclasses.replace(item, noise="minutes", avoid=(name,))

    def _published(self, index: int, seed: int) -> Item:
        topic, subtopic = _queries(self.data, seed)[index]
        documents = [d["document_text"] for d in topic["documents"]]
        insights = subtopic["insights"]
        holding = [
            [d for d, doc in enumerate(topic["documents"]) if i["insight_id"] in doc["insights_included"]] for i in insights
        ]
        if not self.natural:
            kept = sorted({d for some in holding for d in some})
            holding = [[kept.index(d) for d in some] for some in holding]
            documents = [documents[d] for d in kept]
        about = f"The documents are about: {topic['topic']}\nThe matter asked for: {subtopic['subtopic']}\n{subtopic['query']}"
        item = self._asked(about.replace("{", "("), [i["insight"] for i in insights], holding, documents, {})
        kind = "conversations" if (topic.get("topic_metadata") or {}).get("participants") else "news"
        return dataclasses.replace(item, noise=self.noise, ordered=True, facets={"domain": kind}, cluster=topic["topic"])

    def _asked(
        self, about: str, insights: list[str], holding: list[list[int]], documents: list[str], meta: dict[str, Any]
    ) -> Item:
        cited = ["".join(f"[{{number{d}}}]" for d in some) for some in holding]
        return Item(
            id="",
            task="",
            instruction=INSTRUCTION,
            question=QUESTION.format(about=about, count=len(insights)),
            answers=tuple(f"{text.replace('{', '(')} {numbers}" for text, numbers in zip(insights, cited, strict=True)),
            evidence=tuple(documents),
            form="Document {number}:\n{text}",
            answer_tokens=100 + (60 + 6 * max(map(len, holding))) * len(insights),
            single_line=False,
            meta={"insights": insights, **meta},
        )

    def items(self, n: int, seed: int = 0) -> list[Item]:
        if self.data and n > len(_queries(self.data, seed)):
            raise UserError(f"{self.id}: {self.data} holds {len(_queries(self.data, seed))} queries; ask for at most that many")
        return super().items(n, seed)

    def extract(self, text: str, item: Item) -> str | None:
        return extract.whole(text)

    def grade(self, found: str, answers: Sequence[str], item: Item) -> float:
        return figures(self._exact(found, answers, item))["joint"]

    def gold(self, answers: Sequence[str], item: Item) -> str:
        return "\n".join(f"- {answer}" for answer in answers)

    def score(self, answers: Sequence[str], item: Item, answer: Answer) -> Score:
        plain = super().score(answers, item, answer)
        return self._with(plain, self._exact(plain.extracted, answers, item)) if plain.audit == "answered" else plain

    async def judged(self, answers: Sequence[str], item: Item, answer: Answer, ask: Mapping[str, Ask]) -> Score:
        found, audit = extract.judge(answer, partial(self._taken, item=item), single_line=False)
        if found is None:
            return Score(value=0.0, audit=audit)
        lines = bullets(found)
        shown = json.dumps([{"bullet_id": i, "text": line} for i, line in enumerate(lines, 1)], ensure_ascii=False, indent=1)
        verdicts = [
            await verdict(ask["judge"], JUDGE.format(insight=insight, bullets=shown), partial(_said, count=len(lines)), 256)
            for insight in item.meta["insights"]
        ]
        some = [scored(v, lines, citations(gold)) for v, gold in zip(verdicts, answers, strict=True) if v is not None]
        if not some:
            return UNJUDGED
        done = self._with(Score(value=0.0, audit=audit, extracted=found), some)
        if len(some) < len(verdicts):
            done = dataclasses.replace(done, parts={**done.parts, "unjudged": 1 - len(some) / len(verdicts)})
        return done

    def _exact(self, found: str, answers: Sequence[str], item: Item) -> list[Insight]:
        if "checks" not in item.meta:
            raise UserError(f"{self.id}: published haystacks are scored by a judge; there is none here")
        lines, checks = bullets(found), item.meta["checks"]
        return [
            scored(exact(check[0], check[1], lines), lines, citations(gold))
            for check, gold in zip(checks, answers, strict=True)
        ]

    def _with(self, plain: Score, insights: Sequence[Insight]) -> Score:
        parts = figures(insights)
        return dataclasses.replace(plain, value=parts.pop("joint"), parts=parts)


def _dealt(told: Sequence[minutes.Fact], size: int, rng: random.Random) -> list[list[minutes.Fact]]:
    """Facts dealt out to so many documents, none twice to one."""
    while True:
        left = list(told)
        rng.shuffle(left)
        dealt = [left[i::size] for i in range(size)]
        if all(len(set(some)) == len(some) for some in dealt):
            return dealt


def _said(text: str, count: int) -> Verdict | None:
    """A judge's verdict; None where it is none, or names a bullet that is not there."""
    said = json_object(text) or {}
    label = str(said.get("coverage", "")).upper().replace(" ", "_")
    label = label if label in COVERAGE else f"{label}_COVERAGE"
    if label not in COVERAGE:
        return None
    if not COVERAGE[label]:
        return Verdict(0.0)
    named = said.get("bullet_id", "")
    number = str(named[0] if isinstance(named, list) and named else named).strip()
    return Verdict(COVERAGE[label], int(number)) if number.isdigit() and 1 <= int(number) <= count else None


@lru_cache(maxsize=4)
def _queries(data: str, seed: int) -> tuple[tuple[dict[str, Any], dict[str, Any]], ...]:
    """Each subtopic with its haystack, shuffled."""
    folder = Path(data).expanduser()
    files = [str(p) for p in sorted(folder.glob("*.json*"))] if folder.is_dir() else [data]
    if not files:
        raise UserError(f"summhay: there is no .json file in {data!r}: name the folder that holds the haystacks (topic_*.json)")
    found = []
    for place, topic in (row for file in files for row in rows_of(file)):
        demand(topic, TOPIC, "Summary of a Haystack", place)
        for number, document in enumerate(topic["documents"], 1):
            demand(document, {"document_text": str, "insights_included": list}, "a document", f"{place}, document {number}")
        for number, subtopic in enumerate(topic["subtopics"], 1):
            demand(subtopic, SUBTOPIC, "a subtopic", f"{place}, subtopic {number}")
            for insight in subtopic["insights"]:
                demand(insight, {"insight": str, "insight_id": str}, "an insight", f"{place}, subtopic {number}")
            found.append((topic, subtopic))
    random.Random(seed).shuffle(found)
    return tuple(found)


JOINT = {
    "prompted_gpt-4o": (0.593969, 0.059424, 0.034887), "prompted_claude3-haiku": (0.814165, 0.059032, 0.048356),
    "prompted_claude3-opus": (0.592567, 0.058206, 0.035283), "prompted_gemini-1.5-pro": (0.572230, 0.059169, 0.034154),
    "prompted_gpt3.5": (0.639551, 0.058775, 0.038866), "9fs_gpt-4o": (0.597475, 0.061446, 0.037031),
}  # fmt: skip
"""Coverage, citation and joint score that compute_single_sample_scores of the released code gives its judges' 4,278 verdicts.
The documents that hold an insight are not released with them: here the k-th of K is held by those whose number leaves k over K.
"""


def check(lab: Any) -> Any:
    """Haystacks whose insights stand in known documents; joint score by hand, and the peer's figures of released judgements."""
    hand = [
        scored(Verdict(1.0, 1), ["It says so [1][2]."], {1, 2, 3}),
        scored(Verdict(0.5, 1), ["It says so [4]."], {5}),
        scored(Verdict(0.0), [], {6}),
    ]
    joint = figures(hand)
    clauses, controls = [lab.NO_PEERS], [lab.sound("summhay", blind=True)]
    if lab.peers:
        rows = lab.released("summhay/eval_benchmark.000-099.jsonl.gz")
        given = lab.json("summhay/scores.json")["peer"]["citations_per_bullet"]
        ours = [float(citations(b) == set(w)) for row, want in zip(rows, given, strict=True)
                for b, w in zip(row["summary"], want, strict=True)]  # fmt: skip
        theirs = [x for three in JOINT.values() for x in three]
        clauses = [
            lab.agree(ours, [1.0] * len(ours), "released bullets, citations for citations,"),
            lab.agree(_released(rows), theirs, "coverages, citations and joint scores of 6 released judges"),
        ]
        controls = [lab.agree(_released(rows, 1), theirs, "of these, held by the documents of the next insight,")]

    def uncited(task: Any, item: Item, prompt: Any) -> str:
        """The right summary without its citations."""
        return re.sub(r"\s*\[[\d, ]+\]", "", task.gold(prompt.answers, item))

    bare = lab.scores("summhay", uncited)
    covered = sum(s.parts["coverage"] for s in bare) / len(bare)
    return lab.conclude(
        lab.build("summhay", lengths=("16k", "128k")),
        lab.replies("summhay"),
        lab.agree([joint["coverage"], joint["citation"], joint["joint"]], [0.5, 0.4, 0.8 / 3], "figures by hand"),
        *clauses,
        (covered == 1 and all(s.value == 0 for s in bare), f"without citations coverage {covered:.2f}, joint score 0"),
        lab.sound("summhay"),
        control=controls,
    )


def _released(rows: Sequence[Mapping[str, Any]], shift: int = 0) -> list[float]:
    """Our figures of the released verdicts, as JOINT has them; with the documents of another insight where shifted."""
    found = []
    for judge in JOINT:
        some = list[Insight]()
        for row in rows:
            names = [insight["insight_id"] for insight in row["reference_insights"]]
            for said in row[f"predictions_{judge}"]:
                k = (names.index(said["insight_id"]) + shift) % len(names)
                bullet = said["bullet_id"] if isinstance(said["bullet_id"], int) else None
                holding = {n for n in range(1, 101) if n % len(names) == k}
                some.append(scored(Verdict(COVERAGE[said["coverage"]], bullet), row["summary"], holding, peer=True))
        got = figures(some)
        found += [round(got[name], 6) for name in ("coverage", "citation", "joint")]
    return found
