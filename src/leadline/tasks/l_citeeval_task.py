"""L-CiteEval, one task: an answer to a question on numbered passages that cites those it rests on.

Tang, Zhou, Li, Ji, Hou and Zhang 2024, arXiv:2410.02115; ZetangForward/L-CITEEVAL (no licence; data Jonaszky123/L-CiteEval,
Apache-2.0 as the hub says). The score is the F1 of the citations, with recall, precision and correctness beside it. What the
passages are asked to entail is said by a model in the role `entailment`, there by deberta-base-long-nli; for the needle, the
stars and the generated questions the passages to be cited are known, and no model is needed. The worked example before the
passages is our own. `dataset=world` asks about the invented world; `noise` makes any length of the published rows.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from leadline.data.noise import open_noise
from leadline.data.published import SUFFIXES, demand, rows_of
from leadline.data.world import World
from leadline.nouns import Answer, Item, Score, UserError
from leadline.scoring import extract
from leadline.scoring.citing import (
    Cited,
    answer_parts,
    entailed,
    found,
    needle,
    numbers,
    rouge_1,
    star_counts,
    stars_right,
    summary_rouge,
    without,
)
from leadline.tasks._judging import UNJUDGED, verdict, yes_or_no
from leadline.tasks.base import Ask, Task

SUBSETS = {"main": "L-CiteEval-Data", "length": "L-CiteEval-Length", "hardness": "L-CiteEval-Hardness"}
BOUNDS = {"main": (8, 16, 24, 32, 40, 48), "length": (8, 16, 32)}
"""Upper ends of the bins by length, in thousands of the tokens that rows count."""
QUESTIONS = ("narrativeqa", "natural_questions", "hotpotqa", "2wikimultihopqa", "locomo", "dialsim")
SUMMARIES = ("gov_report", "multi_news", "qmsum")
EXACT = ("niah", "counting_stars", "world")
SMALL = ("narrativeqa", "hotpotqa", "gov_report", "locomo", "counting_stars")
"""Datasets of the two smaller subsets."""
CITE = (
    "At the end of every sentence cite the {things} it rests on, at least one and at most three, each number in brackets of "
    "its own, as in [4][9]. Cite no more of them than the sentence needs."
)
ASK = {
    "question": "Answer the question from the {things} above alone, exactly and in short, in a neutral tone; some of them have "
    "nothing to do with it. " + CITE,
    "summary": "Write a short summary of the {things} above, in a neutral tone. " + CITE,
    "stars": "In some of the passages the little penguin counts stars. Give all its counts, in their order, and the numbers of "
    'the passages that tell of them, as JSON and nothing else: {{"little_penguin": [5, 31], "passage_id": [4, 9]}}. Do not add '
    "the counts up.",
}
EXAMPLE = {
    "question": (
        ("The mill on the Tarn was built by Orla Venn.", "Bread was dear that year.", "Orla Venn came from Halden."),
        "Question: Where was the builder of the mill from?\nAnswer: The builder of that mill was from Halden [1][3].",
    ),
    "summary": (
        ("The bridge was closed in March for repairs.", "The ferry ran twice as often.", "It opened again in June."),
        "Summary: The bridge was closed from March to June [1][3]. In that time there were more ferries [2].",
    ),
    "stars": (
        ("The little penguin counted 5 ★", "The sea was calm.", "The little penguin counted 31 ★"),
        'Answer: {"little_penguin": [5, 31], "passage_id": [1, 3]}',
    ),
}
ENTAILS = """Premise:
{premise}

Claim:
{claim}

Does the premise by itself show that the whole claim is true? Say yes or no, and nothing else."""


@dataclass(frozen=True, kw_only=True)
class LCiteevalTask(Task):
    """Answers with citations.

    Attributes:
        dataset: narrativeqa, natural_questions, hotpotqa, 2wikimultihopqa, gov_report, multi_news, qmsum, locomo, dialsim,
            niah, counting_stars; or world, which is generated.
        subset: `main`, or `length` (the same questions at 8k, 16k and 32k) or `hardness` (easy, medium, hard), for
            narrativeqa, hotpotqa, gov_report, locomo and counting_stars.
        data: the hub data set, a folder with L-CiteEval-Data/hotpotqa.json and so on, or one file.
        noise: `none` takes rows at their own length; a kind of noise (`passages`, `file(...)`) puts more between their
            passages, up to any length. The needle's passage then lies at the depth that is asked for.
        peer: count as the original: a star count said twice counts twice.
    """

    dataset: str = "hotpotqa"
    subset: str = "main"
    data: str = "Jonaszky123/L-CiteEval"
    noise: str = "none"
    peer: bool = False

    ability = "citation"
    diffusion = "middle"
    scope = "middle"
    minimum = 2048

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("dataset", (*QUESTIONS, *SUMMARIES, *EXACT))
        self.check("subset", tuple(SUBSETS))
        if self.subset != "main":
            self.check("dataset", SMALL)
        if self.dataset not in EXACT:
            role = {"entailment": "says whether the passages that are cited entail a sentence: yes or no"}
            told = "correctness alone (token F1, for summaries ROUGE-L), for citations need a model that says what entails what"
            object.__setattr__(self, "roles", role)
            object.__setattr__(self, "without_roles", told)
        object.__setattr__(self, "natural", self.dataset != "world" and self.noise == "none")
        if self.noise != "none":
            open_noise(self.noise)

    @property
    def kind(self) -> str:
        """What is asked for: question, summary or stars."""
        return "summary" if self.dataset in SUMMARIES else "stars" if self.dataset == "counting_stars" else "question"

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        if self.dataset == "world":
            return self._generated(index, seed)
        row = _rows(self._source(), self.dataset, seed)[index]
        docs = [_text(doc) for doc in row["docs"]]
        gold, answers = self._gold(row, docs)
        told, rest = docs, list[str]()
        if self.dataset in EXACT and not self.natural:
            told, rest = [docs[g] for g in gold], [d for i, d in enumerate(docs) if i not in gold]
            gold = list(range(len(gold)))
        marks = "".join(f"[{{number{g}}}]" for g in (gold if self.dataset in EXACT else range(len(docs))))
        if self.dataset == "counting_stars":
            ids = ", ".join(f"{{number{g}}}" for g in gold)
            answers = [json.dumps({"little_penguin": row["answer"]})[:-1] + f', "passage_id": [{ids}]}}']
        elif self.dataset == "niah":
            answers = [f"{answers[0]} {marks}"]
        elif not self.natural:
            # The last one says which numbers the row's own passages got among the others.
            answers = [*answers, f"Passages: {marks}"]
        question = str(row.get("question") or "").replace("{", "(")
        item = self._asked(question, answers, told, str(row.get("role") or ""))
        titles = [doc["title"] if isinstance(doc, Mapping) and doc.get("title") else "" for doc in row["docs"]]
        return replace(
            item,
            distractors=tuple(rest),
            noise=self.noise,
            ordered=True,
            facets=self._facets(row, docs),
            cluster=f"{self.dataset}/{question}" if self.subset == "length" and question else "",
            meta={"titles": titles, "seed": seed},
        )

    def _generated(self, index: int, seed: int) -> Item:
        world = World(seed)
        path, asked = world.chain(index, 2)
        documents = [world.document(world.taught(index, step), "person", must=fact.relation) for step, fact in enumerate(path)]
        item = self._asked(asked.question, [f"{asked.value} [{{number0}}][{{number1}}]"], [d.text for d in documents], "")
        return replace(item, noise="passages", avoid=tuple(d.subject for d in documents), hops=2)

    def _asked(self, question: str, answers: Sequence[str], docs: Sequence[str], role: str) -> Item:
        talk = self.dataset in ("locomo", "dialsim")
        label, things = ("Conversation", "conversations") if talk else ("Passage", "passages")
        told, end = EXAMPLE[self.kind]
        example = "".join(f"{label} [{i}]: {text}\n" for i, text in enumerate(told, 1))
        rule = ASK[self.kind].format(things=things)
        before = f"You are {role}. " if role else ""
        after = {"question": f"\n\nQuestion: {question}", "summary": f"\n\nQuery: {question}" if question else "", "stars": ""}
        return Item(
            id="",
            task="",
            instruction=f"An example of what is to be done:\n\n{example}\n{rule}\n\n{end}\n\nNow the {things} that matter:",
            question=f"{before}{rule}{after[self.kind]}",
            answers=tuple(answers),
            evidence=tuple(docs),
            form=f"{label} [{{number}}]: {{text}}",
            prefill="Summary:" if self.kind == "summary" else "Answer:",
            answer_tokens={"question": 200, "summary": 800, "stars": 192}[self.kind],
            single_line=self.kind == "question",
        )

    def _gold(self, row: Mapping[str, Any], docs: Sequence[str]) -> tuple[list[int], list[str]]:
        """Passages that must be cited, where they are known, and the accepted answers."""
        given = row["answer"] if isinstance(row["answer"], list) else [row["answer"]]
        answers = [str(a).replace("{", "(") for a in given]
        if self.dataset == "niah":
            gold = [i for i, doc in enumerate(docs) if str(given[0]) in doc][:1]
        elif self.dataset == "counting_stars":
            gold = [i for i, doc in enumerate(docs) if "The little penguin counted" in doc]
        else:
            return [], answers
        if not gold or (self.kind == "stars" and len(gold) != len(given)):
            raise UserError(
                f"{self.id}: row {row.get('id')!r} of {self.data} does not hold its answer {row['answer']!r} in its passages"
            )
        return gold, answers

    def _facets(self, row: Mapping[str, Any], docs: Sequence[str]) -> dict[str, str]:
        facets = {}
        if self.subset == "hardness" or row.get("hardness"):
            facets["hardness"] = str(row.get("hardness") or "unknown")
        if isinstance(row.get("length"), int | float) and self.subset in BOUNDS:
            bounds = BOUNDS[self.subset]
            facets["length"] = f"{next((b for b in bounds if row['length'] < 1000 * b), bounds[-1])}k"
        if self.dataset == "niah":
            place = next(i for i, doc in enumerate(docs) if str(row["answer"]) in doc) / len(docs)
            facets["position"] = ("start", "middle", "end")[int(3 * place)]
        return facets

    def items(self, n: int, seed: int = 0) -> list[Item]:
        if self.dataset != "world" and n > (have := len(_rows(self._source(), self.dataset, seed))):
            raise UserError(f"{self.spec}: {self._source()} holds {have} rows; ask for at most that many")
        return super().items(n, seed)

    def _source(self) -> str:
        folder = Path(self.data).expanduser()
        if folder.is_dir():
            places = [folder / SUBSETS[self.subset] / self.dataset, folder / self.dataset]
            files = [p.with_name(p.name + s) for p in places for s in SUFFIXES]
            found = next((f for f in files if f.is_file()), None)
            if found is None:
                raise UserError(f"{self.id}: there is no {SUBSETS[self.subset]}/{self.dataset}.json in {self.data}")
            return str(found)
        if self.data.endswith(SUFFIXES) or folder.is_file() or self.data.startswith(("/", ".", "~")):
            return self.data
        name, at, revision = self.data.partition("@")
        return f"{name}:{SUBSETS[self.subset]}_{self.dataset}{at}{revision}"

    def extract(self, text: str, item: Item) -> str | None:
        return extract.whole(text)

    def grade(self, found: str, answers: Sequence[str], item: Item) -> float:
        exact = self._exact(found, answers)
        return exact.f1 if exact else next(iter(self._correct(found, answers).values()))

    def score(self, answers: Sequence[str], item: Item, answer: Answer) -> Score:
        plain = super().score(answers, item, answer)
        if plain.audit != "answered":
            return plain
        exact = self._exact(plain.extracted, answers)
        return replace(plain, parts={**(exact.parts() if exact else {}), **self._correct(plain.extracted, answers)})

    async def judged(self, answers: Sequence[str], item: Item, answer: Answer, ask: Mapping[str, Ask]) -> Score:
        found, audit = extract.judge(answer, partial(self._taken, item=item), single_line=item.single_line)
        if found is None:
            return Score(value=0.0, audit=audit)

        async def entails(premise: str, claim: str) -> bool | None:
            return await verdict(ask["entailment"], ENTAILS.format(premise=premise, claim=claim), yes_or_no, 64)

        got = await entailed(found, partial(self._passage, answers, item), entails)
        if got is None:
            return replace(UNJUDGED, extracted=found)
        return Score(value=got.f1, audit=audit, extracted=found, parts={**got.parts(), **self._correct(found, answers)})

    def _passage(self, answers: Sequence[str], item: Item, number: int) -> str | None:
        """Text of a passage as premises have it; passages of noise say nothing."""
        if not self.natural:
            places = numbers(answers[-1])
            place = places.index(number) if number in places else -1
        else:
            place = number - 1 if 1 <= number <= len(item.evidence) else -1
        if place < 0:
            return None if self.natural or number < 1 else ""
        title = item.meta["titles"][place]
        return (f"Title: {title}\n" if title else "") + f"Passage: {item.evidence[place]}"

    def _exact(self, reply: str, answers: Sequence[str]) -> Cited | None:
        if self.dataset == "niah":
            return needle(reply, numbers(answers[0])[0])
        if self.dataset == "counting_stars":
            said = (star_counts(reply) or {}).get("passage_id", [])
            return found({n for n in said if isinstance(n, int)}, json.loads(answers[0])["passage_id"])
        return found(dict.fromkeys(numbers(reply)), numbers(answers[0])) if self.dataset == "world" else None

    def _correct(self, reply: str, answers: Sequence[str]) -> dict[str, float]:
        """Figures of correctness, the chief one first."""
        if self.dataset == "counting_stars":
            said = (star_counts(reply) or {}).get("little_penguin", [])
            return {"counts": stars_right(said, json.loads(answers[0])["little_penguin"], peer=self.peer)}
        if self.dataset == "niah":
            return {"rouge-1": rouge_1(reply, [without(answers[0])])}
        accepted = answers if self.natural else answers[:-1]
        if self.kind == "summary":
            # The guard against 0/0 in the original shows in the eighth digit.
            return {"rouge-l": round(summary_rouge(reply, accepted), 7)}
        return answer_parts(reply, [without(answers[0])] if self.dataset == "world" else accepted)

    def gold(self, answers: Sequence[str], item: Item) -> str:
        return answers[0]

    def wrong(self, answers: Sequence[str], item: Item, rng: random.Random) -> str:
        if self.dataset == "world":
            return super().wrong(answers, item, rng)
        rows = _rows(self._source(), self.dataset, item.meta["seed"])
        others = [row for row in rows if str(row["answer"]) not in answers[0]]
        other = rng.choice(others or rows)["answer"]
        if self.kind == "stars":
            return json.dumps({"little_penguin": other, "passage_id": [rng.randrange(1, 100) for _ in other]})
        return f"{other[0] if isinstance(other, list) else other} [{rng.randrange(1, 100)}]"


def _text(doc: Any) -> str:
    """A passage without its title at the head."""
    if isinstance(doc, str):
        return doc
    return doc["text"].strip("\n").removeprefix(f"{doc.get('title') or ''}\n")


@lru_cache(maxsize=8)
def _rows(source: str, dataset: str, seed: int) -> tuple[dict[str, Any], ...]:
    """The rows, shuffled."""
    columns: dict[str, Any] = {"answer": (str, int, list), "docs": list}
    if dataset in (*QUESTIONS, "niah", "qmsum"):
        columns["question"] = str
    if dataset == "dialsim":
        columns["role"] = str
    rows = []
    for place, row in rows_of(source):
        demand(row, columns, "L-CiteEval", place)
        for number, doc in enumerate(row["docs"], 1):
            if not isinstance(doc, str):
                demand(doc, {"text": str}, "a passage of L-CiteEval", f"{place}, passage {number}")
        rows.append(row)
    random.Random(seed).shuffle(rows)
    return tuple(rows)
