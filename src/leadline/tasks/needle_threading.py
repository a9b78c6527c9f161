"""Needle Threading: one, several and conditional needles, one thread, several and branched ones (arXiv:2411.05000).

A suite: its name stands for the six tasks. Roberts, Han, Albanie: "Needle Threading: Can LLMs Follow Threads through
Near-Million-Scale Haystacks?", ICLR 2025.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from leadline.data.noise import open_noise
from leadline.scoring.extract import UUID

members = (
    "needle-threads(kind=single)",
    "needle-threads(kind=multiple)",
    "needle-threads(kind=conditional)",
    "needle-threads(kind=thread)",
    "needle-threads(kind=threads)",
    "needle-threads(kind=branched)",
)


def check(lab: Any) -> Any:
    """Six tasks among UUID pairs; threads run as their direction says, branches break off, pairs are as published."""
    ways = ("forward", "backward", "random")
    threads = {way: lab.asked(f"needle-threads(kind=thread, steps=8, direction={way})", n=6) for way in ways}

    def followed(prompt: Any) -> list[str]:
        """Keys of a thread, from the one that is asked about on."""
        whole = prompt.messages[-1]["content"]
        pairs, at = dict(re.findall(rf'"({UUID})": "({UUID})"', whole)), re.findall(UUID, prompt.question)[:1]
        while at[-1] in pairs:
            at.append(pairs[at[-1]])
        return at

    def links(prompt: Any) -> int:
        """Steps of a thread that go forward in the text, of seven."""
        keys = followed(prompt)[:-1]
        return sum(a < b for a, b in pairwise(prompt.messages[-1]["content"].index(f'"{key}":') for key in keys))

    on = {way: [links(prompt) for _, _, prompt in asked] for way, asked in threads.items()}
    steps = f"{on['forward'][0]} of 7 forward, {on['backward'][0]} backward, {sum(on['random'])} of 42 random"
    right = set(on["forward"]) == {7} and set(on["backward"]) == {0} and 0 < sum(on["random"]) < 42

    def one_short(task: Any, item: Any, prompt: Any) -> str:
        """The value before the last of a thread."""
        return followed(prompt)[-2]

    def chains(prompt: Any) -> list[list[str]]:
        """All chains of keys and values that begin with the key asked about, the longest last."""
        pairs = re.findall(rf'"({UUID})": "({UUID})"', prompt.messages[-1]["content"])
        found, left = [], [[re.findall(UUID, prompt.question)[0]]]
        while left:
            chain = left.pop()
            on = [value for key, value in pairs if key == chain[-1]]
            left += [[*chain, value] for value in on]
            found += [] if on else [chain]
        return sorted(found, key=len)

    def broken_off(task: Any, item: Any, prompt: Any) -> str:
        """The end of the longest branch that is not the thread."""
        return chains(prompt)[-2][-1]

    branched = [chains(prompt) for _, _, prompt in lab.asked("needle-threads(kind=branched, steps=4, branches=3)", n=6)]
    sizes = sorted({(len(found), len(found[-1]), len(found[-2])) for found in branched})
    ends = lab.says("needle-threads(kind=branched)", lambda task, item, prompt: chains(prompt)[-1][-1])
    short = lab.says("needle-threads(kind=thread)", one_short)
    off = lab.says("needle-threads(kind=branched)", broken_off)
    clause: Any = lab.NO_PEERS
    if lab.peers:
        drawn = [part for pair in open_noise("uuids", 0).take(25) for part in re.findall(UUID, pair)]
        sample = lab.json("needle-threading/anchor.json")["first_50_draws"]
        clause = lab.agree(
            [float(a == b) for a, b in zip(drawn, sample, strict=True)], [1.0] * 50, "UUIDs of the published sample"
        )
    return lab.conclude(
        lab.build("needle-threading", lengths=("4k", "128k")),
        lab.replies("needle-threading"),
        (right, f"steps that go forward: {steps}"),
        (
            sizes == [(7, 5, 4)] and ends == 1,
            f"chains from a branched start, keys of the longest two: {sizes}, its end {ends:.2f}",
        ),
        clause,
        *(lab.sound(one) for one in lab.specs("needle-threading")),
        control=[
            (short > 0, f"the value before the last {short:.2f}"),
            (off > 0, f"the end of a branch {off:.2f}"),
            lab.sound("needle-threads(kind=thread)", blind=True),
        ],
    )
