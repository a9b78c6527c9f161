"""`leadline verify`: plugins' own checks, run for real, and what is known of them.

A result is kept with a key of code, weights and versions; where the key is another one now, nothing is known until the
check is run again. Results that come with the package lie in `verified.json`, a user's own in the state folder.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import json
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadline import catalog
from leadline.nouns import UserError
from leadline.runs.asking import now

if TYPE_CHECKING:
    from leadline.runs.bench import Bench
    from leadline.runs.lab import Finding

SHIPPED = catalog.ROOT / "verified.json"
ENGINES = {"methods": ("torch", "transformers"), "training": ("torch", "transformers")}
"""Packages on which results of a room depend."""
BENCH = ("runs/bench.py", "runs/simulated.py", "runs/outside.py")
SOURCES = {
    "methods": ("methods/base.py", "methods/_*.py", "methods/*/_*.py", "models/*.py", "models/seams/*.py"),
    "tasks": ("tasks/base.py", "tasks/_*.py", "data/*.py", "scoring/*.py", *BENCH),
    "scoring": ("scoring/*.py", "data/*.py", *BENCH),
    "pipelines": ("pipelines/base.py", "pipelines/_*.py"),
    "training": ("training/*.py",),
}
"""Files beside a system's own, and those it imports from the package, on which its results depend."""
Name = tuple[str, str]
"""Room and id: a system of several parts has one id in several rooms."""


@dataclass(frozen=True)
class Result:
    """What a check found, and where."""

    id: str
    room: str
    holds: bool | None
    figure: str
    control: str
    hardware: str
    date: str
    seconds: float
    key: str


def state_file() -> Path:
    """Where a user's own results are (`$XDG_STATE_HOME/leadline/verified.json` or in `~/.local/state`)."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "leadline" / "verified.json"


@cache
def key(entry: catalog.Entry) -> str:
    """Hash of all that a result depends on: the plugin, what it stands on, minnow's weights, versions."""
    total = hashlib.sha256()
    found = {path for pattern in SOURCES[entry.room] for path in catalog.ROOT.glob(pattern)}
    # What a suite stands for is checked with it.
    found |= {catalog.find(catalog.parse(member).name, entry.room).path for member in entry.members}
    found |= _imported(entry.path) if entry.room == "training" else set()
    for path in [entry.path, *sorted(found), catalog.ROOT / "runs" / "lab.py"]:
        total.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    for name in ENGINES.get(entry.room, ()):
        try:
            total.update(f"{name} {metadata.version(name).partition('+')[0]}".encode())
        except metadata.PackageNotFoundError:
            total.update(f"{name} none".encode())
    return total.hexdigest()[:16]


def _imported(path: Path) -> set[Path]:
    """Files of the package that one imports itself."""
    nodes = [n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.ImportFrom) and n.module]
    files = {catalog.ROOT.parent.joinpath(*str(n.module).split(".")).with_suffix(".py") for n in nodes}
    return {file for file in files if file.is_file() and file.is_relative_to(catalog.ROOT)}


@cache
def known() -> dict[Name, Result]:
    """Results that still hold of this code, by room and id; a user's own before those that came with the package."""
    found: dict[Name, Result] = {}
    there = {(e.room, e.id): e for e in every()}
    for path in (SHIPPED, state_file()):
        for result in _read(path):
            name = (result.room, result.id)
            if name in there and key(there[name]) == result.key:
                found[name] = result
    return found


def every() -> Iterator[catalog.Entry]:
    """All systems of all rooms."""
    return (e for room in catalog.ROOMS for e in catalog.entries(room).values())


def _read(path: Path) -> list[Result]:
    if not path.is_file():
        return []
    try:
        return [Result(**row) for row in json.loads(path.read_text(encoding="utf-8"))]
    except (ValueError, TypeError):
        # A file of another version, or one that was cut short: it says nothing that can be relied on.
        return []


def checks() -> dict[str, list[catalog.Entry]]:
    """Systems that bring a check, by id: a list of their parts."""
    found: dict[str, list[catalog.Entry]] = {}
    for entry in every():
        if _has_check(entry.path):
            found.setdefault(entry.id, []).append(entry)
    return found


def _has_check(path: Path) -> bool:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef) and node.name == "check" for node in tree.body)


def verify(ids: Sequence[str], gpu: bool = False, watch: Callable[[str], None] = lambda _: None) -> list[Result]:
    """Run checks, all where no ids are given, and keep what they find.

    Args:
        ids: of plugins.
        gpu: whether to run them on a GPU, for those that need one.
        watch: is told what is done.

    Raises:
        UserError: unknown ids, plugins without a check, no GPU.
    """
    there = checks()
    for name in ids:
        if name not in there:
            if name in {e.id for e in every()}:
                raise UserError(f"{name} has no check yet: its file holds no `check(lab)`; those with one: {', '.join(there)}")
            raise UserError(f"unknown name {name!r}; {catalog.nearest(name, there)}")
    chosen = [entry for name in ids or list(there) for entry in there[name]]
    tensors = [entry.id for entry in chosen if entry.room in ENGINES]
    try:
        import torch
    except ImportError as error:
        if tensors or gpu:
            what = f"the checks of {', '.join(tensors)} run" if tensors else "a GPU is for checks that run"
            raise UserError(f'{what} models: pip install ".[local]" where leadline was cloned') from error
    else:
        if gpu and not torch.cuda.is_available():
            raise UserError("--gpu was asked for, and torch sees no GPU here")
    from leadline.runs.bench import Bench

    lab, results = Bench("cuda" if gpu else "cpu"), []
    for entry in chosen:
        watch(f"{entry.id} ...")
        begun = time.monotonic()
        finding = _found(entry, lab)
        holds, control = finding.holds, finding.control
        if finding.control_holds:
            holds, control = False, f"{control}: THE CONTROL PASSED TOO, so the check shows nothing"
        took = round(time.monotonic() - begun, 1)
        one = Result(entry.id, entry.room, holds, finding.figure, control, hardware(gpu), now(), took, key(entry))
        results.append(one)
        _keep(one)
        told = {True: "holds", False: "DOES NOT HOLD", None: "not shown here"}[holds]
        watch(f"{entry.id}: {told} ({took:.0f} s): {one.figure}; control: {control}")
    return results


def _found(entry: catalog.Entry, lab: Bench) -> Finding:
    """What a check finds; one that ends with an error holds nothing up but itself."""
    try:
        return catalog.module(entry).check(lab)
    except (UserError, ImportError) as error:
        return lab.finding(holds=None, figure=f"not shown here: {error}", control="not run", control_holds=False)
    except Exception as error:
        what = f"the check itself failed: {type(error).__name__}: {error}"
        return lab.finding(holds=False, figure=what, control="not run", control_holds=False)


def _keep(result: Result) -> None:
    """Add a result to the user's own, in place of an older one of the same system."""
    path = state_file()
    others = [r for r in _read(path) if (r.room, r.id) != (result.room, result.id)]
    part = path.with_name(path.name + f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps([dataclasses.asdict(r) for r in [*others, result]], indent=1), encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror}; set XDG_STATE_HOME to a folder that can be written to"
        ) from error
    known.cache_clear()


def hardware(gpu: bool) -> str:
    """What results were made on, in words."""
    if gpu:
        import torch

        return torch.cuda.get_device_name()
    return f"CPU, {platform.machine()}, {os.cpu_count()} cores"


def fields(entry: catalog.Entry) -> dict[str, Any]:
    """What lists show of a system: `holds`, `figure`, `date`, `hardware`; None where nothing is known."""
    result = known().get((entry.room, entry.id))
    return {name: getattr(result, name) if result else None for name in ("holds", "figure", "date", "hardware")}
