"""One of M4LE's five ways to find something in a long context made of short texts.

Kwan, Zeng, Wang, Sun, Li, Shang, Liu, Wong 2024, "M4LE: A Multi-Ability Multi-Range Multi-Task Multi-Domain Long-Context
Evaluation Benchmark for Large Language Models" (ACL), arXiv:2310.19240; code KwanWaiChung/M4LE, MIT. Spans are pointed at by an
ID (explicit) or by what they say (semantic), one or several of them, or the whole counts (global). Any short data set of
questions or of classes is converted, in English or Chinese, or the invented world; the benchmark's own rows load as they are.
"""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from leadline.data.published import demand, rows_of
from leadline.nouns import Item, UserError
from leadline.scoring import extract, m4le_metrics
from leadline.tasks import _growth, _mixed, _spans
from leadline.tasks._mixed import PHRASES, Mixed
from leadline.tasks.base import PASSAGE, Task, share_found

KINDS = ("explicit-single", "semantic-single", "explicit-multiple", "semantic-multiple", "global")
INSTRUCTION = "Read the passages and answer the question at the end."
BEGUN = {"ids": "The numbers are", "id": "The number is", "count": "The number is", "texts": "Answers:", "published": ""}
PUBLISHED = {"instruction": str, "input": str, "answers": list}


@dataclass(frozen=True, kw_only=True)
class M4leSpan(Task):
    """Something to be found in many short texts.

    Attributes:
        kind: `explicit-single`, `semantic-single`, `explicit-multiple`, `semantic-multiple` or `global`.
        task: `questions` or `classes`; a data set has one of them, by its columns.
        data: a short data set of questions on texts, or of labelled texts; or rows of the benchmark, as in
            wckwan/M4LE:nq-open; empty for the invented world.
        columns: own names of the data's columns, as in 'text=review,label=stars' or 'context=story,question=ask,answer=gold'.
        language: of the questions that a data set is converted with, `en` or `zh`.
        peer: score as the benchmark's code does, quirks and all (its own rows always are).
    """

    kind: str = "semantic-single"
    task: str = "questions"
    data: str = ""
    columns: str = ""
    language: str = "en"
    peer: bool = False

    scope = "low"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("kind", KINDS)
        self.check("task", ("questions", "classes"))
        self.check("language", ("en", "zh"))
        if self.language == "zh" and not self.data:
            raise UserError(f"{self.id}: the invented world speaks English; give Chinese data with data=")

    @property
    def ability(self) -> str:  # type: ignore[override]
        return "classification" if self._classes else "qa"

    @property
    def diffusion(self) -> str:  # type: ignore[override]
        return {"explicit-single": "low", "semantic-single": "low", "explicit-multiple": "middle"}.get(self.kind, "high")

    @property
    def natural(self) -> bool:  # type: ignore[override]
        return bool(self.data) and _is_published(self.data)

    @property
    def grows(self) -> bool:  # type: ignore[override]
        return bool(self.data) and not self.natural

    @property
    def chance(self) -> float:  # type: ignore[override]
        if self.natural or not self._classes or self.kind in ("semantic-single", "explicit-multiple"):
            return 0.0
        if self.kind == "semantic-multiple":
            return 1 / _mixed.MOST
        if self.data:
            return 1 / len(_mixed.classes_of(self.data, self.columns, self.id))
        return 1 / 3

    @property
    def minimum(self) -> int:  # type: ignore[override]
        return 2048 if self.kind.endswith("multiple") else 1024

    @property
    def _classes(self) -> bool:
        if self.natural:
            return False
        return not _mixed.is_asked(self.data, self.columns) if self.data else self.task == "classes"

    def items(self, n: int, seed: int = 0) -> list[Item]:
        if self.data:
            have = (
                len(_published(self.data)) if self.natural else _mixed.size(self.data, self.columns, not self._classes, self.id)
            )
            if n > have:
                raise UserError(f"{self.id}: {self.data} holds {have} rows to ask about; ask for at most that many")
        return super().items(n, seed)

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        if self.natural:
            return self._as_published(index, seed)
        if self.data:
            mixed = self._mixed(index, seed)
            told = PHRASES[self.language]["document" if self.kind == "global" else "instruction"]
            meta = {"index": index, "seed": seed, "reply": mixed.reply, **mixed.meta}
            return self._asked(mixed.question, mixed.answers, mixed.reply, instruction=told, noise="none", meta=meta)
        one = (_spans.on_classes if self._classes else _spans.on_questions)(self.kind, index, seed, rng)
        return self._asked(one.question, one.answers, one.reply, **one.fields)

    def _asked(self, question: str, answers: Sequence[str], reply: str, **more: object) -> Item:
        begun = "答案：" if self.language == "zh" else BEGUN.get(reply, "Answer:")
        fields = {"instruction": INSTRUCTION, "noise": "passages", "form": PASSAGE, "meta": {"reply": reply}, **more}
        fields.setdefault("prefill", begun)
        if self.data or self.kind == "global":
            fields["form"] = "{text}"
        return Item(
            id="",
            task="",
            question=question,
            answers=tuple(answers),
            answer_tokens=48 * len(answers) if reply == "texts" else 16 * len(answers) + 16 if reply == "ids" else 48,
            single_line=reply != "texts",
            facets={"kind": self.kind},
            **fields,  # type: ignore[arg-type]
        )

    def _mixed(self, index: int, seed: int) -> Mixed:
        rng = random.Random(f"m4le/{seed}/{index}")
        make = _mixed.on_classes if self._classes else _mixed.on_questions
        return make(self.data, self.columns, self.kind, self.language, index, seed, rng, self.id)

    def compose(self, item: Item, room: int, count: Callable[[str], int]) -> Item:
        """The targets and as many other texts of the set as fit, in a drawn order; what is left is prose without an ID."""
        mixed, rng = self._mixed(item.meta["index"], item.meta["seed"]), random.Random(item.id)
        article, free = PHRASES[self.language]["article"], self.kind == "global"

        def written(text: str, name: str) -> str:
            return text if free else article.format(id=name, text=text)

        targets = [written(text, name) for text, name in zip(mixed.targets, mixed.ids or mixed.targets, strict=True)]
        left = room - count("\n".join(targets))
        names = [n for n in _mixed.ids(len(mixed.fillers) + len(mixed.ids), rng) if n not in mixed.ids]
        fillers = mixed.fillers
        drawn = _growth.grown(lambda i: written(fillers[i], names[i]) if i < len(fillers) else None, left, count)
        if mixed.reply == "label" and free and len(drawn) % 2:
            drawn.pop()
        spare = room - count("\n".join([*targets, *drawn]))
        more = _growth.padding(spare, count, item.id, self.language) if spare > 4 else ""
        return dataclasses.replace(
            item,
            evidence=tuple(targets),
            distractors=tuple(dict.fromkeys([*drawn, *([more] if more else [])])),
            meta={**item.meta, "texts": len(targets) + len(drawn)},
        )

    def _as_published(self, index: int, seed: int) -> Item:
        row = _published(self.data)[
            random.Random(seed).sample(range(len(_published(self.data))), len(_published(self.data)))[index]
        ]
        head, _, tail = row["input"].rstrip().rpartition("\n")
        item = self._asked(tail, tuple(map(str, row["answers"])), "published", instruction=row["instruction"], noise="none")
        facets = {"bucket": str(row["length_bucket"])} if "length_bucket" in row else {}
        room = max(len(str(a)) for a in row["answers"])
        meta = {"reply": "published", "rule": _rule(self.data), "seed": seed}
        return dataclasses.replace(
            item, evidence=(head or tail,), answer_tokens=32 + room, single_line=False, meta=meta, facets=facets
        )

    def extract(self, text: str, item: Item) -> str | None:
        reply = item.meta["reply"]
        if reply in ("texts", "published") or self.peer:
            return extract.whole(text)
        if reply == "count":
            return extract.first_integer(text)
        if reply in ("id", "ids"):
            found = re.findall(
                r"(?<![0-9A-Za-z])[0-9A-F]{6}(?![0-9A-Za-z])" if self.data else r"(?<!\w)\d+(?!\w)", extract.plain(text)
            )
            return ", ".join(dict.fromkeys(found[:1] if reply == "id" else found)) or None
        if reply == "label":
            labels = item.meta.get("labels") or _mixed.classes_of(self.data, self.columns, self.id)
            line = extract.first_line(text) or ""
            exact = {name.lower(): name for name in labels}
            found = [name for name in labels if name in text] if self.language == "zh" else []
            return exact.get(line.lower()) or (max(found, key=len) if found else extract.label(tuple(labels))(text))
        return extract.first_line(text)

    def grade(self, found: str, answers: Sequence[str], item: Item) -> float:
        reply = item.meta["reply"]
        if reply == "published":
            return m4le_metrics.RULES[item.meta["rule"]](found, answers)
        if self.peer:
            return self._by_peer(found, answers, item)
        if reply in ("label", "id", "count"):
            return float(found.lower() == answers[0].lower())
        if reply == "ids":
            return m4le_metrics.listed(found.split(", "), answers)
        if reply == "texts":
            # Each answer on its line; a model that writes them on one line is searched as a whole.
            lines = [line for line in found.splitlines() if line.strip()]
            accepted: Sequence[Sequence[str]] = item.meta["accepted"]
            places = lines if len(lines) == len(accepted) else [found] * len(accepted)
            return sum(self._holds(line, names) for line, names in zip(places, accepted, strict=True)) / len(accepted)
        return self._holds(found, answers)

    def _holds(self, text: str, names: Sequence[str]) -> float:
        if self.language == "zh":
            return float(any(name.lower() in text.lower() for name in names))
        return max(share_found(text, [name]) for name in names)

    def _by_peer(self, found: str, answers: Sequence[str], item: Item) -> float:
        """The benchmark's rule for this kind of task."""
        stop, comma = ("。", "，") if self.language == "zh" else (".", ",")
        said = m4le_metrics.ended(found, ("\n", stop))
        if item.meta["reply"] == "ids":
            return m4le_metrics.listed([part.strip() for part in said.split(comma)], answers)
        if item.meta["reply"] == "texts":
            return sum(m4le_metrics.acc(found, names) for names in item.meta["accepted"]) / len(item.meta["accepted"])
        return (m4le_metrics.acc if item.meta["reply"] == "text" else m4le_metrics.exact)(said, answers)

    def gold(self, answers: Sequence[str], item: Item) -> str:
        reply = item.meta["reply"]
        if reply == "ids":
            return ("，" if self.language == "zh" and self.peer else ", ").join(answers)
        return "\n".join(answers) if reply == "texts" else answers[0]

    def wrong(self, answers: Sequence[str], item: Item, rng: random.Random) -> str:
        reply = item.meta["reply"]
        if reply == "label":
            labels = item.meta.get("labels") or _mixed.classes_of(self.data, self.columns, self.id)
            return rng.choice([name for name in labels if name != answers[0]])
        if reply == "count":
            return str(rng.choice([n for n in range(1, 9) if str(n) != answers[0]]))
        if reply in ("id", "ids"):
            return ", ".join(_mixed.ids(len(answers), rng)) if self.data else str(10**6 + rng.randrange(99))
        return "Nobody knows"


@lru_cache(maxsize=16)
def _is_published(data: str) -> bool:
    first = next((row for _, row in rows_of(data)), {})
    return isinstance(first, Mapping) and set(PUBLISHED) <= set(first)


@lru_cache(maxsize=4)
def _published(data: str) -> tuple[Mapping[str, Any], ...]:
    found = []
    for place, row in rows_of(data):
        demand(row, PUBLISHED, "M4LE", place)
        if not row["answers"]:
            raise UserError(f"{place}: M4LE's 'answers' must not be empty")
        found.append(dict(row))
    _rule(data)
    return tuple(found)


def _rule(data: str) -> str:
    """The benchmark's task whose rule scores the rows: the configuration, or the name of the file."""
    whole = data.partition("@")[0]
    name = whole.rpartition(":")[2] if ":" in whole else re.sub(r"\.(jsonl?|parquet)(\.gz)?$", "", whole.rpartition("/")[2])
    if name not in m4le_metrics.RULES:
        raise UserError(
            f"m4le-span: no rule scores rows of {name!r}; configurations and files are named {', '.join(m4le_metrics.RULES)} "
            "(the translations are scored by BLEU over a whole file, which is not done here)"
        )
    return name
