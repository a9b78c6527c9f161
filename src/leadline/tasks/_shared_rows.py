"""SCBench's published rows as sessions: one long context and its questions, turn by turn.

Columns as the authors' readme and code have them (microsoft/MInference, MIT, at fb56c91): `context` (`input` where there is
none; a list of numbers in math find) and `multi_turns` of `input` and `answer`, with `options` for choices, `name` for
functions and `task` where two tasks take turns; `lang` and `repo` for code. Knows nothing of conversations and prompts.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from leadline.data.published import SUFFIXES, demand, rows_of
from leadline.nouns import UserError
from leadline.tasks._shared_context import LETTERS, Ask, Session

HUB = "microsoft/SCBench"
COLUMNS = {"multi_turns": list}
TURN = {"input": str, "answer": (str, int, float, list)}
ROOMS = {
    "kv": 150, "prefix-suffix": 150, "vt": 64, "repoqa": 1024, "qa-eng": 40, "qa-chn": 40, "choice-eng": 40, "many-shot": 10,
    "mf": 16, "summary": 200, "passkey": 15,
}  # fmt: skip
"""Of an answer [tokens]; the authors' own, but for numbers (5) and variables (30), which they cut off."""
SAID: dict[str, str] = {
    "kv": "Below is a JSON object. Find the values of the keys that are asked for.",
    "prefix-suffix": "Below are many strings. Find the ones that are asked for.",
    "vt": "Read the text and follow the variables in it.",
    "repoqa": "Below is code. Find the functions that are described, and repeat each exactly as it stands there, in a code "
    "block between ```.",
    "qa-eng": "Read the book and answer the questions. Be as brief as you can.",
    "qa-chn": "请阅读下面的书，然后回答问题。",
    "choice-eng": "Read the book and answer the questions.",
    "many-shot": "Below are questions with their answers. Answer the questions that follow in the same way.",
    "mf": "Below is a long list of numbers.",
    "summary": "Below are several texts. You will be asked to summarize them one by one.",
    "summary-with-needles": "Below are several texts. You will be asked to summarize some of them, and for things hidden in "
    "them.",
    "repoqa-and-kv": "Below is code with pairs of keys and values in it. You will be asked to repeat functions exactly as they "
    "stand there, in a code block between ```, and for values.",
}
"""Before the context."""


def located(data: str, kind: str) -> str:
    """The data set of a kind as `published.read` takes it: in a folder or a hub data set, or the file that is named."""
    config = "scbench_" + kind.replace("-", "_")
    path = Path(data).expanduser()
    if path.is_dir():
        found = [path / name for suffix in SUFFIXES for name in (config + suffix, f"data/{config}{suffix}")]
        for file in found:
            if file.is_file():
                return str(file)
        raise UserError(f"{data!r} holds no file of {kind}: it must be named {config}{SUFFIXES[0]} or the like")
    hub = data.count("/") == 1 and data[0] not in "/.~" and ":" not in data and not data.endswith(SUFFIXES)
    return f"{data}:{config}" if hub else data


@lru_cache(maxsize=32)
def sessions(data: str, kind: str, turns: int, seed: int) -> tuple[Session, ...]:
    """The sessions of a kind in a drawn order, each with at most so many questions.

    Raises:
        UserError: the data cannot be read, or a row is of another format, with its place.
    """
    spec = located(data, kind)
    rows = list(rows_of(spec))
    functions: dict[str, dict[str, str]] = defaultdict(dict)
    for place, row in rows:
        demand(row, COLUMNS, "SCBench", place)
        for turn in row["multi_turns"]:
            demand(turn, TURN, "SCBench's multi_turns", place)
            if "repoqa" in _task(kind, turn, place):
                demand(turn, {"name": str}, "SCBench's repoqa", place)
                functions[str(row.get("repo"))][turn["name"]] = str(turn["answer"])
    found = [_session(kind, row, place, turns, functions[str(row.get("repo"))]) for place, row in rows]
    if not found:
        raise UserError(f"{spec!r} holds no rows")
    random.Random(seed).shuffle(found)
    return tuple(found)


def _task(kind: str, turn: Mapping[str, Any], place: str) -> str:
    """Which task a turn is of, where a kind mixes two."""
    if kind not in ("summary-with-needles", "repoqa-and-kv"):
        return kind
    demand(turn, {"task": str}, f"SCBench's {kind}", place)
    name = turn["task"].removeprefix("scbench_").replace("_", "-")
    if name not in ROOMS:
        raise UserError(f"{place}: {turn['task']!r} is no task of SCBench's {kind}")
    return name


def _session(kind: str, row: Mapping[str, Any], place: str, turns: int, functions: Mapping[str, str]) -> Session:
    context = row.get("context", row.get("input"))
    if not isinstance(context, str | list) or not context:
        raise UserError(f"{place}: no column 'context', which SCBench has; this row has: {', '.join(row)}")
    text = context if isinstance(context, str) else str(list(context))
    name = hashlib.sha256(text.encode()).hexdigest()[:12]
    mixed = kind in ("summary-with-needles", "repoqa-and-kv")
    asks = []
    for turn in row["multi_turns"][:turns]:
        task = _task(kind, turn, place)
        one = _ask(task, turn, place, {"functions": dict(functions), "language": str(row.get("lang", "")).lower()})
        asks.append(
            Ask(
                **one,
                evidence=(text,),
                part={"passkey": "needle"}.get(task, task) if mixed else "",
                room=ROOMS[task],
                single_line=task not in ("repoqa", "summary"),
            )
        )
    return Session(name=name, instruction=SAID[kind], asks=tuple(asks))


def _ask(task: str, turn: Mapping[str, Any], place: str, code: Mapping[str, Any]) -> dict[str, Any]:
    """Question, answers and what else a task needs of a turn."""
    asked, answer = turn["input"], turn["answer"]
    answers = tuple(map(str, answer)) if isinstance(answer, list) else (str(answer),)
    match task:
        case "choice-eng":
            demand(turn, {"options": list, "answer": str}, "SCBench's choices", place)
            options = list(map(str, turn["options"]))
            if answers[0] not in options:
                raise UserError(f"{place}: the answer {answers[0]!r:.60} is none of the options")
            letter = LETTERS[options.index(answers[0])]
            told = "\n".join(f"{x}. {text}" for x, text in zip(LETTERS, options, strict=False))
            return {
                "question": f"Question: {asked}\n{told}\nReply with the letter of the right option.",
                "answers": (letter,),
                "said": f"{letter}. {answers[0]}",
                "prefill": "The right option is",
                "choices": tuple("ABCD"),
                "meta": {"text": answers[0]},
            }
        case "qa-eng":
            return {"question": f"Question: {asked}", "answers": answers, "prefill": "Answer:"}
        case "qa-chn":
            return {"question": f"问题：{asked}", "answers": answers, "prefill": "答案："}
        case "mf":
            which = re.search(r"The (.+) is", asked)
            return {
                "question": f"What is the {which[1].lower()}? {asked}" if which else asked,
                "answers": answers,
                "meta": {"whole": not isinstance(answer, float) and "." not in answers[0]},
            }
        case "repoqa":
            return {"question": asked, "answers": answers, "meta": {**code, "name": turn["name"]}}
        case "many-shot":
            return {"question": asked, "answers": answers, "choices": tuple(LETTERS)}
        case _:
            return {"question": asked, "answers": answers}
