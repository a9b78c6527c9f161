"""SCBench: twelve tasks of several questions over one context, for methods that change the cache (arXiv:2412.10319).

A suite: its name stands for the twelve, each a `scbench-set`. `scbench(mode=multi-request)` asks each question alone over a
context that was read before, `scbench(history=own)` leaves the model's own replies in the conversation. Li, Jiang, Wu, Luo,
Ahn, Zhang, Abdi, Li, Gao, Yang, Qiu: "SCBench: A KV Cache-Centric Analysis of Long-Context Methods", ICLR 2025.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

id = "scbench"
members = (
    "scbench-set(kind=kv)",
    "scbench-set(kind=prefix-suffix)",
    "scbench-set(kind=vt)",
    "scbench-set(kind=repoqa)",
    "scbench-set(kind=qa-eng)",
    "scbench-set(kind=qa-chn)",
    "scbench-set(kind=choice-eng)",
    "scbench-set(kind=many-shot)",
    "scbench-set(kind=mf)",
    "scbench-set(kind=summary)",
    "scbench-set(kind=summary-with-needles)",
    "scbench-set(kind=repoqa-and-kv)",
)


def check(lab: Any) -> Any:
    """Both modes share the cache, and a method that keeps what the first question needs fails the later ones."""
    length, turns, n = 480, 3, 36
    modes = ("multi-turn", "multi-request")
    tasks = {mode: lab.task(f"scbench-set(keys=words, turns={turns}, mode={mode})") for mode in modes}

    def asked(mode: str, share: bool, in_turns: bool = True) -> tuple[list[float], list[str], int]:
        """Mean score of each turn, the replies, and prompt tokens computed."""
        task, model, prompts = tasks[mode], lab.minnow, lab.prompts(str(tasks[mode].spec), length, n)
        heads = [{"turns": p.turns} if in_turns else {"shared_chars": 0} for p in prompts]
        requests = [replace(lab.request(p), **head) for p, head in zip(prompts, heads, strict=True)]
        model.forget()
        model.share_prefix, before = share, model.prefilled
        answers = [a for i in range(0, n, turns) for a in model.generate(requests[i : i + turns])]
        model.share_prefix, fed = True, model.prefilled - before
        items = {item.id: item for item in task.items(n)}
        scores = [task.score(p.answers, items[p.item], a).value or 0.0 for p, a in zip(prompts, answers, strict=True)]
        return [sum(scores[k::turns]) * turns / n for k in range(turns)], [a.text for a in answers], fed

    full = {mode: (asked(mode, True), asked(mode, False)) for mode in tasks}
    with lab.applied(lab.minnow, "snapkv(budget=64)"):
        cut, apart = asked("multi-turn", True), asked("multi-turn", False)
        whole = asked("multi-turn", True, in_turns=False)
    pairs = {**full, "SnapKV": (cut, apart)}
    gains = {name: shared[2] / alone[2] for name, (shared, alone) in pairs.items()}
    same = all(shared[1] == alone[1] for shared, alone in pairs.values())

    def falls(means: Sequence[float]) -> bool:
        return means[0] >= 0.9 and max(means[1:]) <= 0.3

    def told(means: Sequence[float]) -> str:
        return ", ".join(f"{m:.2f}" for m in means)

    return lab.finding(
        holds=same
        and min(x for one, _ in full.values() for x in one[0]) >= 0.9
        and max(gains.values()) < 0.5
        and falls(cut[0]),
        figure=f"{turns} turns over {length} tokens, score by turn: full cache {told(full['multi-turn'][0][0])}, requests "
        f"{told(full['multi-request'][0][0])}, SnapKV at 64 entries {told(cut[0])}; prompt tokens computed, shared over apart: "
        f"{', '.join(f'{name} {gain:.2f}' for name, gain in gains.items())}; {'the same' if same else 'OTHER'} replies",
        control=f"SnapKV with each prompt read anew, so that it sees every question: {told(whole[0])}",
        control_holds=falls(whole[0]),
    )
