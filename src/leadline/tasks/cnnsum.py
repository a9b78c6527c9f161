"""CNNSum: summaries of Chinese novels at four scales, against references that people wrote.

Wei, Yan, Lu, Zhu, Wang, Zhang 2024, arXiv:2412.02819; official code CxsGhost/CNNSum (CC0-1.0), read at
994a7f9; the data lie on the hub under CC-BY-4.0. Both of the authors' prompts are asked in our words, the request behind the
excerpt and before it; a scale's score is the mean over both. The authors prompt without a chat template, so that base models
can be compared; here every prompt goes through the tested model's own.

`data=made` downloads nothing: a generated story lies in Chinese prose of any length, its events in their order, and its summary
is worth the share of the events that it tells; ROUGE-L against the events stands beside it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from leadline.data.chinese_stories import PLOT, sentences, story
from leadline.data.published import demand, rows_of
from leadline.nouns import Item, UserError
from leadline.scoring.metrics import metric
from leadline.tasks._longdocs import Asked, LongDocuments, located
from leadline.tasks.base import Task

FILES = {
    "L": ("cnnsum_L_16k",),
    "XL": ("cnnsum_XL_32k",),
    "2XL": ("cnnsum_XXL_64k", "cnnsum_2XL_64k"),
    "3XL": ("cnnsum_XXXL_128k", "cnnsum_3XL_128k"),
}
"""Names of the files, the published one first; the authors' script looks for others."""
ROOMS = {"L": 400, "XL": 400, "2XL": 500, "3XL": 500}
"""Tokens of a summary."""
PROMPTS = {
    "after": ("以下是一部小说的节选。", "请在读完以上内容后写出它的摘要，除摘要外什么也不要写。"),
    "before": ("请阅读下面的小说节选，然后写出它的摘要，除摘要外什么也不要写。小说节选：", ""),
}
"""What stands before and after the excerpt, where the request comes after it (the authors' Prompt-IE) or before (Prompt-IB)."""
MADE = {
    "after": ("以下是一部小说的节选。", "请在读完以上内容后，用最多{n}句话概括{person}的经历，除摘要外什么也不要写。"),
    "before": ("请阅读下面的小说节选，然后用最多{n}句话概括{person}的经历，除摘要外什么也不要写。小说节选：", ""),
}
"""The same for stories made here."""


@dataclass(frozen=True, kw_only=True)
class Cnnsum(LongDocuments):
    """A summary of an excerpt of a Chinese novel.

    Attributes:
        data: as for other long documents, or `made` for stories made here, at any length.
        scale: L, XL, 2XL or 3XL: excerpts of about 16k, 32k, 64k or 128k tokens.
        request: `after` the excerpt, `before` it, or `both`, each excerpt once with each.
        events: of a story made here, 1 to 17.
    """

    scale: str = "L"
    request: str = "both"
    events: int = 8

    ability = "summarisation"
    scope = "high"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("noise", ("none",))
        self.check("scale", tuple(FILES))
        self.check("request", ("both", *PROMPTS))
        self.check_range("events", 1, len(PLOT))
        if self.made and (self.longest or self.scale != "L"):
            raise UserError(
                f"{self.id}: scale and longest are for published excerpts; stories made here have the length asked for"
            )
        if self.made:
            # As bytes, at worst.
            object.__setattr__(self, "minimum", 768 + 160 * self.events)
            object.__setattr__(self, "scope", "middle")

    @property
    def made(self) -> bool:
        """Whether stories are made here."""
        return self.data == "made"

    @property
    def natural(self) -> bool:
        """Published excerpts come at their own length."""
        return not self.made

    def items(self, n: int, seed: int = 0) -> list[Item]:
        return Task.items(self, n, seed) if self.made else super().items(n, seed)

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        if not self.made:
            return super().item(index, seed, rng)
        ways = tuple(MADE) if self.request == "both" else (self.request,)
        number, way = divmod(index, len(ways))
        told = story(number, self.events, seed)
        before, after = (text.format(n=self.events, person=told.person) for text in MADE[ways[way]])
        return Item(
            id="",
            task="",
            instruction=before,
            question=f"{after}\n\n摘要：".strip(),
            answers=("".join(told.events),),
            evidence=told.events,
            noise="prose-zh",
            ordered=True,
            avoid=(told.person, *told.values),
            answer_tokens=40 * self.events,
            single_line=False,
            cluster=f"{seed}/{number}",
            meta={"values": list(told.values)},
            facets={"request": ways[way]},
        )

    def wrong(self, answers: Sequence[str], item: Item, rng: random.Random) -> str:
        return Task.wrong(self, answers, item, rng) if self.made else super().wrong(answers, item, rng)

    @property
    def place(self) -> str:
        """The scale's file."""
        names = FILES[self.scale]
        return located(self.data, f"CxsGHost/CNNSum/{names[0]}.jsonl", names)

    def asked(self) -> Sequence[Asked]:
        return [a for a in _read(self.place) if self.request in ("both", a.raw["request"])]

    def written(self, asked: Asked) -> Item:
        before, after = PROMPTS[asked.raw["request"]]
        return Item(
            id="",
            task="",
            instruction=before,
            # The cue of the authors' prompts, which chat models are given too.
            question=f"{after}\n\n摘要：".strip(),
            answers=(asked.raw["summary"],),
            evidence=(asked.document,),
            noise="none",
            answer_tokens=ROOMS[self.scale],
            single_line=False,
            cluster=asked.cluster,
            facets={"request": asked.raw["request"]},
        )

    def marks(self, found: str, answers: Sequence[str], item: Item) -> tuple[float, dict[str, float]]:
        rouge = metric("longbench/rouge-zh")(found, answers)
        if not self.made:
            return rouge, {}
        # More sentences than asked for do not count: else copying the story would score full.
        kept = "\n".join(sentences(found)[: len(item.meta["values"])])
        share = sum(value in kept for value in item.meta["values"]) / len(item.meta["values"])
        return share, {"coverage": share, "ROUGE-L": rouge}


@lru_cache(maxsize=4)
def _read(spec: str) -> tuple[Asked, ...]:
    found = []
    for place, row in rows_of(spec):
        demand(row, {"context": str, "summary": str}, "CNNSum", place)
        for request in PROMPTS:
            raw = {"summary": row["summary"], "request": request}
            found.append(Asked(document=row["context"], language="zh", raw=raw))
    return tuple(found)


def check(lab: Any) -> Any:
    """Published scales load; ROUGE-L on words as jieba parts them, as the peer's; made stories are checked event by event."""
    told = ("他去了北京看病。", "雨下了三天三夜。", "孩子们学会唱歌。")
    rows = [{"context": text * 40, "summary": text} for text in told]
    folder = lab.written({f"{names[0]}.jsonl": rows for names in FILES.values()})
    specs = [f"cnnsum(scale='{scale}', request=after, data='{folder}')" for scale in FILES]
    rouge = lab.metric("longbench/rouge-zh")
    cases = [r for r in lab.released("metric-vectors/vectors.jsonl.gz") if r["metric"] == "rouge_zh_score"] if lab.peers else []
    theirs = [r["peer_score"] for r in cases]

    def half(task: Any, item: Any, prompt: Any) -> str:
        """Every second event of a story."""
        return "".join(item.evidence[::2])

    def copied(task: Any, item: Any, prompt: Any) -> str:
        """The whole context."""
        return prompt.messages[-1]["content"]

    parts, copy = lab.says("cnnsum(data=made)", half), lab.says("cnnsum(data=made)", copied, length="16k")
    scored = {s: (lab.says(one, n=3), lab.says(one, "empty", n=3)) for s, one in zip(FILES, specs, strict=True)}
    # The same on single characters, which blanks part.
    english = lab.metric("longbench/rouge")
    apart = [english(" ".join(r["prediction"]), [" ".join(r["ground_truth"])]) for r in cases]
    return lab.conclude(
        *(
            (pair == (1, 0), f"{scale}: the summary scores {pair[0]:.0f}, nothing {pair[1]:.0f}")
            for scale, pair in scored.items()
        ),
        lab.agree([rouge("他去了北京", ["他去了上海"]), rouge("", ["他去了上海"])], [0.75, 0.0], "replies by hand"),
        lab.agree([rouge(r["prediction"], [r["ground_truth"]]) for r in cases], theirs, "metric cases")
        if cases
        else lab.NO_PEERS,
        lab.build("cnnsum(data=made)", lengths=("4k", "128k")),
        lab.replies("cnnsum(data=made)"),
        (parts == 0.5 and copy < 0.1, f"every second event {parts:.2f}, the story copied {copy:.2f}"),
        lab.sound("cnnsum(data=made)"),
        control=[lab.agree(apart, theirs, "of these, by characters,"), lab.sound("cnnsum(data=made)", blind=True)],
    )
