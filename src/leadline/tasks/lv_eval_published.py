"""LV-Eval's published contexts: 11 sets at five levels of 16k to 256k words, confusing facts and all.

Yuan et al. 2024, arXiv:2402.05136; official code infinigence/LVEval (MIT; the sets cmrc and lic are CC-BY-SA-4.0), read at
63e7ae9: metrics and answer rooms are its own, prompts say the same in our words. `lv-eval` builds such contexts at any length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from leadline.data.published import LONGBENCH, demand, rows_of
from leadline.nouns import Item
from leadline.scoring.metrics import metric
from leadline.tasks._longdocs import Asked, LongDocuments, located

EN, ZH = "lveval/qa-f1", "lveval/qa-f1-zh"
SETS: dict[str, tuple[str, str]] = {
    "loogle_SD_mixup": (EN, "single"),
    "cmrc_mixup": (ZH, "single"),
    "multifieldqa_en_mixup": (EN, "single"),
    "multifieldqa_zh_mixup": (ZH, "single"),
    "factrecall_en": ("longbench/qa-f1", "single"),
    "factrecall_zh": ("longbench/qa-f1-zh", "single"),
    "dureader_mixup": ("lveval/rouge-zh", "multi"),
    "loogle_CR_mixup": (EN, "multi"),
    "loogle_MIR_mixup": (EN, "multi"),
    "hotpotwikiqa_mixup": (EN, "multi"),
    "lic_mixup": (ZH, "multi"),
}
"""Metric and hops of each set."""
LEVELS = ("16k", "32k", "64k", "128k", "256k")
ASK = {
    "en": (
        "Answer the question at the end from the article below.",
        "Answer this question from the article above. Give the answer alone, without explanation or evidence.\n\n"
        "Question: {input}",
        "Answer:",
    ),
    "zh": (
        "请根据下面的文章回答最后的问题。",
        "请根据上面的文章回答问题，只写出答案，不要解释。\n\n问题：{input}",
        "回答：",
    ),
}


@dataclass(frozen=True, kw_only=True)
class LvEvalPublished(LongDocuments):
    """A level of one set of LV-Eval.

    Attributes:
        dataset: one of the 11, as `hotpotwikiqa_mixup`.
        level: 16k, 32k, 64k, 128k or 256k (words, or characters of Chinese).
    """

    dataset: str = "hotpotwikiqa_mixup"
    level: str = "16k"

    ability = "qa"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("noise", ("none",))
        self.check("dataset", tuple(SETS))
        self.check("level", LEVELS)

    @property
    def place(self) -> str:
        """The level's file; its hub repository keeps a set's levels in one archive."""
        name = f"{self.dataset}_{self.level}"
        return located(self.data, f"Infinigence/LVEval/{self.dataset}.zip/{name}", [name])

    def asked(self) -> Sequence[Asked]:
        return _read(self.place)

    def written(self, asked: Asked) -> Item:
        row, (name, hops) = asked.raw, SETS[self.dataset]
        language = "zh" if name.endswith("zh") else "en"
        before, after, cue = ASK[language]
        return Item(
            id="",
            task="",
            instruction=before,
            question=after.replace("{input}", row["input"]),
            answers=tuple(map(str, row["answers"])),
            evidence=(asked.document,),
            noise="none",
            prefill=cue,
            answer_tokens=16 if self.dataset.startswith("factrecall") else 64,
            single_line=False,
            # A document is met again at the other levels and in other rows; a question of factrecall is always the same.
            cluster=asked.cluster,
            meta={"keyword": str(row.get("answer_keywords") or "")},
            facets={"language": language, "hops": hops},
        )

    def marks(self, found: str, answers: Sequence[str], item: Item) -> tuple[float, dict[str, float]]:
        return metric(SETS[self.dataset][0])(found, answers, keyword=item.meta.get("keyword") or None), {}


@lru_cache(maxsize=8)
def _read(spec: str) -> tuple[Asked, ...]:
    found = []
    for place, row in rows_of(spec):
        demand(row, LONGBENCH, "LV-Eval", place)
        language = "zh" if row.get("language") == "zh" else "en"
        found.append(Asked(document=row["context"], language=language, raw={**row, "context": ""}))
    return tuple(found)
