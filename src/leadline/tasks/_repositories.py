"""Repositories of Python files, read or invented: who imports what, who calls whom, what can be asked with one right answer."""

from __future__ import annotations

import ast
import os
import random
import re
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path, PurePosixPath

from leadline.data import lexicon, prose
from leadline.nouns import UserError

LONGEST = 60_000
"""Files longer than this are left out [characters]."""
HIDDEN = {".git", ".venv", "venv", "node_modules", "__pycache__", "build", "dist", ".tox", ".mypy_cache", "site-packages"}


@dataclass(frozen=True)
class Function:
    """A function at the top of a file."""

    path: str
    name: str
    required: int
    """Parameters without a default."""
    most: int
    """Parameters that can be given by position; a large number where any."""
    line: int
    """Of its first statement behind the docstring, from 1."""
    indent: int


@dataclass(frozen=True)
class Module:
    """A file, as far as its syntax tree tells."""

    path: str
    defined: frozenset[str]
    """Names at its top: what it defines, assigns and imports."""
    functions: tuple[Function, ...]
    imports: tuple[tuple[str, str], ...]
    """(path of a file of the repository, name taken from it); the name is "" where the file as a whole is imported."""
    open: bool
    """Whether names may come about otherwise: a star import, or `__getattr__`."""
    calls: Mapping[str, frozenset[str]]
    """Names called, by the function or method that calls; what is called outside of any stands under ""."""


class Repository:
    """Files by path, and what follows from their syntax trees.

    Args:
        files: paths, with slashes, and contents.
        above: names of the folders above them, for a folder may be a part of a package.
    """

    def __init__(self, files: Mapping[str, str], above: Sequence[str] = ()) -> None:
        self.files, self.above = dict(files), tuple(above)
        self._trees: dict[str, ast.Module] = {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for path, text in self.files.items():
                try:
                    self._trees[path] = ast.parse(text)
                except (SyntaxError, ValueError, RecursionError):
                    continue

    @cached_property
    def tops(self) -> dict[str, frozenset[str]]:
        """Names that each file defines at its top."""
        return {path: _top(tree) for path, tree in self._trees.items()}

    @cached_property
    def dotted(self) -> dict[str, str | None]:
        """Files by every dotted name that may mean them; None where several files may be meant."""
        found: dict[str, str | None] = {}
        for path in self._trees:
            parts = list(PurePosixPath(path).with_suffix("").parts)
            parts = [*self.above, *(parts[:-1] if parts[-1] == "__init__" else parts)]
            for start in range(len(parts)):
                name = ".".join(parts[start:])
                found[name] = path if name not in found else None
        return found

    def resolved(self, path: str, node: ast.ImportFrom | ast.Import) -> list[tuple[str, str]]:
        """What an import takes from files of the repository: (path, name)."""
        if isinstance(node, ast.Import):
            return [(found, "") for alias in node.names if (found := self.dotted.get(alias.name))]
        base = node.module or ""
        if node.level:
            here = PurePosixPath(path).parent.parts
            here = here[: len(here) - (node.level - 1)] if node.level > 1 else here
            base = ".".join([*here, *([base] if base else [])])
        out = []
        for alias in node.names:
            whole = self.dotted.get(f"{base}.{alias.name}" if base else alias.name)
            found = self.dotted.get(base)
            if whole and (found is None or alias.name not in self.tops[found]):
                out.append((whole, ""))
            elif found:
                out.append((found, alias.name))
        return out

    @cached_property
    def modules(self) -> dict[str, Module]:
        """Files that can be parsed, by path."""
        return {path: self._module(path, tree) for path, tree in self._trees.items()}

    def _module(self, path: str, tree: ast.Module) -> Module:
        nodes = list(ast.walk(tree))
        links = [link for n in nodes if isinstance(n, ast.ImportFrom | ast.Import) for link in self.resolved(path, n)]
        star = any(isinstance(n, ast.ImportFrom) and n.names[0].name == "*" for n in nodes)
        top = self.tops[path]
        calls: dict[str, set[str]] = defaultdict(set)
        for owner, body in _owners(tree):
            calls[owner] |= {n.func.id for n in body if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
        return Module(
            path=path,
            defined=top,
            functions=tuple(_function(path, n) for n in tree.body if isinstance(n, ast.FunctionDef)),
            imports=tuple(dict.fromkeys(links)),
            open=star or "__getattr__" in top,
            calls={owner: frozenset(names) for owner, names in calls.items()},
        )

    @cached_property
    def words(self) -> dict[str, frozenset[str]]:
        """Files by the identifiers that stand in them, in code or text."""
        found: dict[str, set[str]] = defaultdict(set)
        for path, text in self.files.items():
            for word in re.findall(r"[A-Za-z_]\w+", text):
                found[word].add(path)
        return {word: frozenset(paths) for word, paths in found.items()}

    @cached_property
    def importers(self) -> dict[str, frozenset[str]]:
        """Files by the files that import them or from them."""
        found: dict[str, set[str]] = defaultdict(set)
        for module in self.modules.values():
            for path, _ in module.imports:
                if path != module.path:
                    found[path].add(module.path)
        return {path: frozenset(users) for path, users in found.items()}

    @cached_property
    def shared(self) -> list[tuple[Function, tuple[str, ...]]]:
        """Functions with the files that import them by name, where their name stands in these files and its own alone."""
        users: dict[tuple[str, str], set[str]] = defaultdict(set)
        for module in self.modules.values():
            for path, name in module.imports:
                if name:
                    users[path, name].add(module.path)
        out = []
        for module in self.modules.values():
            for function in module.functions:
                using = users.get((module.path, function.name), set()) - {module.path}
                if using and len(function.name) > 3 and self.words[function.name] == {module.path, *using}:
                    out.append((function, tuple(sorted(using))))
        return out

    def unsound(self) -> frozenset[str]:
        """Files that import a name which the file named does not define; these may look like the one that is spoilt."""
        return frozenset(
            module.path
            for module in self.modules.values()
            for path, name in module.imports
            if name and name not in self.modules[path].defined and not self.modules[path].open
        )


def _top(tree: ast.Module) -> frozenset[str]:
    """Names at the top of a file, in branches too, but not inside functions and classes."""
    names = set[str]()
    queue: list[ast.AST] = list(tree.body)
    for node in queue:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        queue.extend(ast.iter_child_nodes(node))
    return frozenset(names)


def _owners(tree: ast.Module) -> Iterator[tuple[str, list[ast.AST]]]:
    """The outermost functions and the methods, with all that is inside; and what is in none of them, under ""."""
    outside: list[ast.AST] = []
    queue: list[ast.AST] = list(tree.body)
    for node in queue:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, list(ast.walk(node))
        elif isinstance(node, ast.ClassDef):
            queue.extend(node.body)
        else:
            outside.extend(ast.walk(node))
    yield "", outside


def _function(path: str, node: ast.FunctionDef) -> Function:
    a = node.args
    plain = [*a.posonlyargs, *a.args]
    keyword = sum(default is None for default in a.kw_defaults)
    body = node.body[1:] if ast.get_docstring(node, clean=False) is not None and len(node.body) > 1 else node.body
    # Parameters that must be named cannot be given by position, so that such a function takes no number of them.
    most = -1 if keyword else 1000 if a.vararg else len(plain)
    return Function(path, node.name, len(plain) - len(a.defaults), most, body[0].lineno, body[0].col_offset)


@lru_cache(maxsize=8)
def read(folder: str) -> Repository:
    """The Python files of a folder, hidden and built ones left out.

    Raises:
        UserError: there is no such folder, or there are none in it.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise UserError(f"there is no folder {folder!r}: give data= the folder of a repository")
    files = {}
    for place, folders, names in os.walk(root):
        folders[:] = sorted(d for d in folders if d not in HIDDEN and not d.startswith("."))
        for name in sorted(names):
            if name.endswith(".py"):
                path = Path(place) / name
                text = path.read_text(encoding="utf-8", errors="replace").rstrip()
                if text and len(text) <= LONGEST:
                    files[path.relative_to(root).as_posix()] = text
    if not files:
        raise UserError(f"folder {folder!r} holds no Python files of at most {LONGEST} characters: give another repository")
    return Repository(files, root.resolve().parts[1:])


# Invented repositories.

_VERBS = "load store merge count check render parse split join scan clean move sort filter measure adjust".split()
_NAMES = "amount items limit offset name total width rate level table record step price depth".split()


def _named(rng: random.Random, seed: int, index: int) -> str:
    return f"{rng.choice(_VERBS)}_{prose.key(index, seed).replace(' ', '_')}"


REPOSITORIES = 12_000
"""Invented repositories of one seed whose packages have names of their own."""


@lru_cache(maxsize=256)
def invented(index: int, seed: int) -> Repository:
    """A small invented repository."""
    return Repository(files_of(index, seed))


@lru_cache(maxsize=2048)
def files_of(index: int, seed: int) -> Mapping[str, str]:
    """Its files: two packages, files that import functions of one another, and a few lines of code in each."""
    rng = random.Random(f"repository/{seed}/{index % REPOSITORIES}")
    packages = [prose.key(2 * (index % REPOSITORIES) + i, seed).replace(" ", "_") for i in range(2)]
    stems = rng.sample(lexicon.NOUNS, 9)
    paths = [f"src/{packages[i % 2]}/{stem}.py" for i, stem in enumerate(stems)]
    first = rng.randrange(1 << 20)
    known: dict[str, list[tuple[str, int]]] = {}
    files = {}
    for number, path in enumerate(paths):
        own = [(_named(rng, seed, first + 3 * number + i), rng.randint(1, 3)) for i in range(3)]
        taken = [(p, rng.choice(known[p])) for p in rng.sample(sorted(known), min(len(known), rng.randint(1, 3)))]
        files[path] = _written(rng, stems[number], own, taken)
        known[path] = own
    return files


def _written(
    rng: random.Random, stem: str, own: Sequence[tuple[str, int]], taken: Sequence[tuple[str, tuple[str, int]]]
) -> str:
    lines = [f'"""{stem.capitalize()}: {prose.sentence(rng)[:-1].lower()}."""', ""]
    for path, (name, _) in sorted(taken):
        dotted = ".".join(PurePosixPath(path).with_suffix("").parts[1:])
        lines.append(f"from {dotted} import {name}")
    lines += [""] if taken else []
    rest = list(taken)
    for place, (name, count) in enumerate(own):
        names = rng.sample(_NAMES, count + 1)
        lines += ["", f"def {name}({', '.join(names[:count])}):", f'    """{prose.sentence(rng)}"""']
        a, b = names[0], names[count]
        lines.append(f"    {b} = {a} {rng.choice('+-*')} {rng.randint(2, 99)}")
        # What was imported is called, in one function or another.
        using = rest if place == len(own) - 1 else rest[:1] if rng.random() < 0.6 else []
        for _, (other, needs) in list(using):
            lines.append(
                f"    {b} = {b} + {other}({', '.join(rng.choice((a, b, str(rng.randint(1, 9)))) for _ in range(needs))})"
            )
        rest = rest[len(using) :]
        lines += [f"    return {b}", ""]
    return "\n".join(lines).rstrip()
