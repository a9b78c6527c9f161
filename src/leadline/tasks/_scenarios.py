"""Scenarios on a repository in LoCoBench's eight categories: what is asked, what is right, which files it needs."""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from leadline.data import prose
from leadline.tasks._repositories import Function, Repository

CATEGORIES = (
    "architectural-understanding",
    "cross-file-refactoring",
    "feature-implementation",
    "bug-investigation",
    "multi-session-development",
    "code-comprehension",
    "integration-testing",
    "security-analysis",
)
MOST = 6
"""Files or names that an answer lists, at most."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One scenario."""

    question: str
    answers: tuple[str, ...]
    what: str = ""
    """What the list of the answer holds, as the question says it."""
    files: Mapping[str, str]
    """The files that it needs, in the order in which they stand in the prompt."""
    avoid: tuple[str, ...] = ()
    """What no other file may hold."""
    skip: frozenset[str] = frozenset()
    """Files of the repository that must not be shown."""
    code: Mapping[str, Any] = field(default_factory=dict)
    """Where a file is to be written: its path, what it has to do, and one that does."""


def make(category: str, repository: Repository, rng: random.Random, longest: int) -> Asked | None:
    """A scenario; None where the repository, as it was drawn, gives none on so little code.

    Args:
        category: one of CATEGORIES.
        repository: what it is about.
        rng: draws it.
        longest: most characters of the files that it needs.
    """
    asked = _MAKERS[category](repository, rng, longest)
    return asked if asked and sum(map(len, asked.files.values())) <= longest else None


def _shown(repository: Repository, paths: Sequence[str], rng: random.Random) -> dict[str, str]:
    """Files in a drawn order."""
    some = list(dict.fromkeys(paths))
    rng.shuffle(some)
    return {path: repository.files[path] for path in some}


def _size(repository: Repository, paths: Sequence[str]) -> int:
    return sum(len(repository.files[path]) for path in dict.fromkeys(paths))


def _module(repository: Repository, rng: random.Random, longest: int) -> tuple[str, tuple[str, ...]] | None:
    """A file and those that import it or from it, where no import of another file could be taken for one of it."""
    some = [
        (path, tuple(sorted(users)))
        for path, users in sorted(repository.importers.items())
        if 2 <= len(users) <= MOST and not path.endswith("__init__.py") and _size(repository, [path, *users]) <= longest
    ]
    rng.shuffle(some)
    for path, users in some[:20]:
        stem = PurePosixPath(path).stem
        near = rf"(?m)^\s*(?:from|import)\b.*\b{re.escape(stem)}\b"
        if not any(re.search(near, text) for p, text in repository.files.items() if p not in users and stem in text):
            return path, users
    return None


def _function(repository: Repository, rng: random.Random, longest: int) -> tuple[Function, tuple[str, ...]] | None:
    """A function and the files that import it."""
    some = [
        (function, users)
        for function, users in repository.shared
        if len(users) <= MOST and _size(repository, [function.path, *users]) <= longest
    ]
    return rng.choice(some) if some else None


def architecture(repository: Repository, rng: random.Random, longest: int) -> Asked | None:
    found = _module(repository, rng, longest)
    if not found:
        return None
    path, users = found
    return Asked(
        question=f"Which of the files above import the file {path}, or anything from it? Name all of them.",
        what='"path", ...',
        answers=users,
        files=_shown(repository, [path, *users], rng),
    )


def refactoring(repository: Repository, rng: random.Random, longest: int) -> Asked | None:
    found = _function(repository, rng, longest)
    if not found:
        return None
    function, users = found
    name = f"{function.name}_{rng.choice(('now', 'anew', 'twice', 'plain'))}"
    return Asked(
        question=f"The function {function.name} of {function.path} is to be called {name} from now on. "
        "Which of the files above have to be changed for that? Name all of them.",
        what='"path", ...',
        answers=(function.path, *users),
        files=_shown(repository, [function.path, *users], rng),
        avoid=(function.name,),
    )


def feature(repository: Repository, rng: random.Random, longest: int) -> Asked | None:
    some = [f for f, _ in repository.shared if 0 <= f.required <= f.most]
    first = rng.choice(some) if some else None
    others = [f for f in some if first and f.path != first.path and _size(repository, [f.path, first.path]) <= longest]
    if not first or not others:
        return None
    pair = (first, rng.choice(others))
    folder = PurePosixPath(first.path).parent
    path, name = str(folder / f"{prose.key(rng.randrange(1 << 20)).replace(' ', '_')}.py"), "run_both"
    calls = "\n".join(
        f"    {'first' if i == 0 else 'second'} = {f.name}({', '.join(['1'] * f.required)})" for i, f in enumerate(pair)
    )
    lines = [f"from {_import(f.path)} import {f.name}" for f in pair]
    gold = "\n".join(lines) + f"\n\n\ndef {name}():\n{calls}\n    return first, second\n"
    needs = [{"path": f.path, "name": f.name, "required": f.required, "most": f.most} for f in pair]
    return Asked(
        question=f"Write the new file {path} with a function {name} that takes no arguments, calls {pair[0].name} and "
        f"{pair[1].name}, and returns both results. Import each from the file that defines it, and give a value by position "
        "for every parameter that has no default. Change no other file.",
        answers=(gold,),
        files=_shown(repository, [f.path for f in pair], rng),
        code={"path": path, "function": name, "needs": needs, "gold": gold},
    )


def _import(path: str) -> str:
    """The dotted name of a file, as from inside its source folder."""
    parts = list(PurePosixPath(path).with_suffix("").parts)
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    return ".".join(parts[1:] if parts[0] in ("src", "lib") and len(parts) > 1 else parts)


def requirements_met(files: Mapping[str, str], code: Mapping[str, Any]) -> float:
    """Share of what a new file has to do: the function, two imports from the right places, two calls that fit."""
    text = files.get(code["path"])
    if text is None:
        # A reply that writes one file may have put it elsewhere by name alone.
        text = next((t for p, t in files.items() if PurePosixPath(p).name == PurePosixPath(code["path"]).name), None)
    try:
        tree = ast.parse(text or "")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return 0.0
    functions = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == code["function"]]
    if not functions:
        return 0.0
    imports = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    calls = [n for n in ast.walk(functions[-1]) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
    met = [not functions[-1].args.args]
    for need in code["needs"]:
        local = {
            a.asname or a.name
            for n in imports
            if _same(n, need["path"], code["path"])
            for a in n.names
            if a.name == need["name"]
        }
        met.append(bool(local))
        fits = [c for c in calls if isinstance(c.func, ast.Name) and c.func.id in local and not c.keywords]
        met.append(any(need["required"] <= len(c.args) <= need["most"] for c in fits))
    return sum(met) / len(met)


def _same(node: ast.ImportFrom, path: str, here: str) -> bool:
    """Whether an import means a file: by any of its dotted names, or relative to the file that imports."""
    parts = PurePosixPath(path).with_suffix("").parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    said = (node.module or "").split(".") if node.module else []
    if node.level:
        base = PurePosixPath(here).parent.parts
        base = base[: len(base) - (node.level - 1)] if node.level > 1 else base
        return (*base, *said) == parts
    # A shown folder may be a part of a package, so that an import may name folders above it.
    if len(said) > len(parts):
        return tuple(said[-len(parts) :]) == parts
    return bool(said) and tuple(said) == parts[-len(said) :] and (len(said) > 1 or len(parts) <= 2)


def bug(repository: Repository, rng: random.Random, longest: int) -> Asked | None:
    some = [
        (function, user)
        for function, users in repository.shared
        for user in users
        if _size(repository, [function.path, user]) <= longest
    ]
    if not some:
        return None
    function, user = rng.choice(some)
    # What the file imports and calls is another name now, which nothing defines.
    name = re.sub(
        r"^[a-z]+", lambda m: rng.choice([v for v in ("load", "store", "merge", "check") if v != m[0]]), function.name
    )
    if name == function.name or name in repository.words:
        name = f"{function.name}s"
    spoilt = re.sub(rf"\b{re.escape(function.name)}\b", name, repository.files[user])
    unsound = repository.unsound() - {user}
    if spoilt == repository.files[user] or user in repository.unsound() or function.path in unsound:
        return None
    files = _shown(repository, [function.path, user], rng)
    return Asked(
        question="One of the files above cannot be imported: it asks another file, which is shown too, for a name that is not "
        "defined there. Which file has that mistake?",
        what='"path"',
        answers=(user,),
        files={path: spoilt if path == user else text for path, text in files.items()},
        avoid=(name,),
        skip=unsound,
    )


def sessions(repository: Repository, rng: random.Random, longest: int) -> Asked | None:
    found = [f for f, _ in repository.shared]
    places = sorted(repository.modules)
    if len(found) < 3 or len(places) < 3:
        return None
    asked, *others = rng.sample(found, 3)
    names = [f"{rng.choice(('swift', 'plain', 'quiet', 'spare'))}_{f.name}" for f in (asked, *others)]
    target = rng.choice([p for p in places if p != asked.path])
    last = f"{rng.choice(('final', 'steady', 'double'))}_{names[0]}"
    first, second = others
    notes = [
        [f"{asked.name} of {asked.path} is called {names[0]} now.", f"{first.name} of {first.path} got tests."],
        [f"{names[0]} was moved to {target}.", f"{second.name} of {second.path} is called {names[2]} now."],
        [f"{names[0]} is called {last} now.", f"{first.name} is called {names[1]} now."],
    ]
    files = {}
    for number, lines in enumerate(notes, 1):
        rng.shuffle(lines)
        files[f"docs/session_{number}.md"] = f"# Session {number}\n\n" + "\n".join(f"- {line}" for line in lines)
    return Asked(
        question=f"The files docs/session_1.md to docs/session_3.md tell of work on the code after the state shown. What is "
        f"the function {asked.name} of {asked.path} called after all three sessions, and in which file is it then?",
        what='"name", "path"',
        answers=(last, target),
        files=files,
        avoid=(last, names[0]),
    )


def comprehension(repository: Repository, rng: random.Random, longest: int) -> Asked | None:
    found = _function(repository, rng, longest)
    if not found:
        return None
    function, users = found
    callers: list[str] = []
    for path in (function.path, *users):
        for owner, names in repository.modules[path].calls.items():
            if function.name in names:
                callers.append(owner)
    # What an alias calls would be missed, and what stands outside of functions has no name.
    aliased = any(re.search(rf"\b{function.name}\s+as\b", repository.files[path]) for path in users)
    if not callers or "" in callers or aliased or len(set(callers)) < len(callers) or len(callers) > MOST:
        return None
    return Asked(
        question=f"Which functions or methods in the files above call the function {function.name} of {function.path}? "
        "Name all of them, by their names alone.",
        what='"name", ...',
        answers=tuple(callers),
        files=_shown(repository, [function.path, *users], rng),
        avoid=(function.name,),
    )


def testing(repository: Repository, rng: random.Random, longest: int) -> Asked | None:
    found = _module(repository, rng, longest)
    if not found:
        return None
    path, users = found
    own = {f.name for f in repository.modules[path].functions}
    used = sorted({name for user in users for where, name in repository.modules[user].imports if where == path and name in own})
    whole = any(where == path and not name for user in users for where, name in repository.modules[user].imports)
    if not used or whole or len(used) > MOST or len(used) == len(own):
        return None
    return Asked(
        question=f"Tests of how the files work together are to be written for {path}. Which of the functions that it defines "
        "are imported by other files above? Name all of them.",
        what='"name", ...',
        answers=tuple(used),
        files=_shown(repository, [path, *users], rng),
    )


FLAWS = (
    ("runs a shell command that somebody typed in", 'os.system("ls " + input())', "os.system("),
    ("runs text from outside as code", "eval(input())", "eval("),
    ("has a password written into the code", 'password = "{secret}"', "password ="),
    ("switches the check of certificates off", "verify_certificates = False", "verify_certificates"),
)


def security(repository: Repository, rng: random.Random, longest: int) -> Asked | None:
    some = [f for m in repository.modules.values() for f in m.functions if len(repository.files[m.path]) < longest]
    if not some:
        return None
    function = rng.choice(some)
    what, line, mark = rng.choice(FLAWS)
    lines = repository.files[function.path].split("\n")
    if mark in repository.files[function.path]:
        return None
    secret = f"{prose.key(rng.randrange(1 << 20)).replace(' ', '-')}-{rng.randrange(100, 1000)}"
    lines.insert(function.line - 1, " " * function.indent + line.format(secret=secret))
    text = "\n".join(lines)
    try:
        ast.parse(text)
    except SyntaxError:
        return None
    return Asked(
        question=f"One function in the files above {what}. Which function is it, and in which file?",
        what='"name", "path"',
        answers=(function.name, function.path),
        files={function.path: text},
        avoid=(mark,),
    )


_MAKERS: dict[str, Callable[[Repository, random.Random, int], Asked | None]] = dict(
    zip(CATEGORIES, (architecture, refactoring, feature, bug, sessions, comprehension, testing, security), strict=True)
)
