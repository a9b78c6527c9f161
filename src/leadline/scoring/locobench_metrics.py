"""LoCoBench's one score over four dimensions of 17 metrics (arXiv:2509.09614), as the released evaluator computes it.

SalesforceAIResearch/LoCoBench at 97dfc72, Apache-2.0; the counts behind it are in `locobench_code`. LCBS = 5 (0.4 SE + 0.3 FC +
0.2 CQ + 0.1 LCU). Where the evaluator compiles in a temporary folder, Python is parsed here and other languages need the
compiler's result from the caller; its unit tests are one fixed Go stub, so that their share is the caller's too, 0 without one.
Its three metrics of code quality reduce to two figures, and that of security is always 0.8, for it reads a field that is not
there. Knows nothing of tasks and prompts.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leadline.nouns import UserError
from leadline.scoring.locobench_code import METRICS as METRICS_OF_CODE
from leadline.scoring.locobench_code import Files, Scenario, bounded, mean, tree_of


@dataclass(frozen=True)
class Built:
    """What compiling gave."""

    ok: bool
    errors: int = 0
    warnings: int = 0
    seconds: float = 0.0
    binary: int | None = None
    """Size of what was built [bytes]; None where nothing was."""


WEIGHTS = {"se": 0.4, "fc": 0.3, "cq": 0.2, "lcu": 0.1}
OTHERS = ("compilation", "tests", "integration", "idc", "quality", "security", "icu", "mmr")
SE = ("acs", "dta", "cfrd", "sts", "rs", "cs", "is", "ses")
"""Software engineering: architectural coherence, dependency traversal, cross-file reasoning, system thinking, robustness,
comprehensiveness, innovation, elegance; one eighth each."""


def lcbs(se: float, fc: float, cq: float, lcu: float) -> float:
    """The one score of four dimensions in 0 to 1 [0 to 5]."""
    return 5 * (WEIGHTS["se"] * se + WEIGHTS["fc"] * fc + WEIGHTS["cq"] * cq + WEIGHTS["lcu"] * lcu)


def band(score: float) -> str:
    """The published word for an LCBS; from `fair` on it passes."""
    return "excellent" if score >= 4 else "good" if score >= 3 else "fair" if score >= 2 else "poor"


def measured(files: Files, scenario: Scenario, built: Built | None = None, tests: float = 0.0) -> dict[str, float]:
    """All metrics, the four dimensions and LCBS.

    Args:
        files: the solution's.
        scenario: what was asked for.
        built: what compiling gave; by default Python files are parsed, and others count as not compiled.
        tests: share of the unit tests that passed.
    """
    if not files:
        return dict.fromkeys((*SE, *OTHERS, *WEIGHTS, "lcbs"), 0.0)
    with warnings.catch_warnings():
        # Odd code of a model's makes the parser warn.
        warnings.simplefilter("ignore")
        out = {name: METRICS_OF_CODE[name](files, scenario) for name in (*SE, "idc", "icu", "mmr")}
        out["compilation"] = compilation(built or parsed(files))
    out |= {"tests": tests, "integration": integration(files), "quality": quality(files), "security": 0.8}
    out["se"] = sum(out[name] for name in SE) / len(SE)
    out["fc"] = 0.3 * out["compilation"] + 0.3 * out["tests"] + 0.2 * out["integration"] + 0.2 * out["idc"]
    out["cq"] = 0.7 * out["quality"] + 0.3 * out["security"]
    out["lcu"] = 0.5 * out["icu"] + 0.5 * out["mmr"]
    return out | {"lcbs": lcbs(out["se"], out["fc"], out["cq"], out["lcu"])}


def compilation(built: Built) -> float:
    """0.8 for what compiles, 0.1 more if quickly and if small, 0.05 less a warning; a little for few errors."""
    if not built.ok:
        return 0.3 if built.errors <= 2 else 0.1 if built.errors <= 5 else 0.0
    score = 0.8 + 0.1 * (built.seconds < 5) - 0.05 * built.warnings
    return bounded(score + 0.1 * bool(built.binary and built.binary < 10_000_000))


def parsed(files: Files) -> Built:
    """Python read as far as its syntax; a file of another language counts as an error."""
    bad = sum(tree_of(code) is None for name, code in files.items() if name.endswith(".py"))
    bad += sum(not name.endswith(".py") for name in files)
    return Built(ok=not bad, errors=bad)


def integration(files: Files) -> float:
    """By the number of files alone, and a tenth more where over two of them import something."""
    importing = sum("import" in code or "from" in code for code in files.values())
    return min(1.0, (0.7 if len(files) > 1 else 0.3) + 0.1 * (importing > 2))


def quality(files: Files) -> float:
    """Comments, a moderate length and any function, file by file."""

    def one(code: str) -> float:
        lines = code.split("\n")
        comments = sum(line.strip().startswith(("#", "//")) for line in lines)
        some = max(1, sum(bool(line.strip()) for line in lines))
        functions = "func " in code or "def " in code
        return min(1.0, 0.5 + 0.2 * (comments / some > 0.1) + 0.2 * (50 <= len(lines) <= 500) + 0.1 * functions)

    return mean(one(code) for code in files.values())


def solution(reply: str) -> tuple[Files, str]:
    """The files of a reply in the asked form, {"files": {name: code}} in a ```json block; and its other words.

    Returns:
        No files where the form is not there.
    """
    blocks = re.findall(r"```(?:json)?\s*\n(.*?)```", reply, re.S)
    for text in (*blocks[::-1], reply[reply.find("{") :] if "{" in reply else ""):
        try:
            found = json.JSONDecoder().raw_decode(text.strip())[0]
        except ValueError:
            continue
        if isinstance(found, Mapping) and isinstance(found.get("files"), Mapping):
            files = {str(k): v if isinstance(v, str) else json.dumps(v, indent=2) for k, v in found["files"].items()}
            return files, " ".join(str(found.get(key, "")) for key in ("approach", "explanation"))
    return {}, ""


def _by_name(name: str) -> Callable[..., float]:
    def metric(prediction: str, answers: Sequence[str], **row: Any) -> float:
        if "task_prompt" not in row:
            raise UserError(
                "LoCoBench's metrics need the scenario: give 'task_prompt', 'task_category' and 'context_files' in each row"
            )
        task = row["task_prompt"]
        if isinstance(task, Mapping):
            task = " ".join(str(task[key]) for key in sorted(task) if isinstance(task[key], str))
        category, description = (str(row.get(key, "")) for key in ("task_category", "description"))
        scenario = Scenario(str(task), category, tuple(row.get("context_files") or ()), description)
        value = measured(solution(prediction)[0], scenario)[name]
        return value / 5 if name == "lcbs" else value

    fifth = ", a fifth of it" if name == "lcbs" else ""
    metric.__doc__ = f"LoCoBench's {name.upper()} of the files in a reply{fifth}; rows hold the scenario."
    return metric


METRICS = {f"locobench/{name}": _by_name(name) for name in ("lcbs", *WEIGHTS, *SE, "idc", "icu", "mmr")}
"""By the name that `leadline score --metric` takes."""
