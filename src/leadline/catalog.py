"""What there is: a folder is a registry, a file name is a name, and listing imports nothing.

A plugin is one file with one public class that carries the file's name in CamelCase (or the only
class that names an `id`). Knows nothing of what plugins do; `Spec` is the one spelling of a plugin
with its settings: `needle(needles=4)`, and `a(x=1) + b` for several.
"""

from __future__ import annotations

import ast
import dataclasses
import difflib
import importlib
import importlib.util
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from leadline.nouns import UserError

ROOT = Path(__file__).parent
ROOMS: dict[str, str] = {
    "tasks": "tasks", "scoring": "scoring", "pipelines": "pipelines", "methods": "methods", "training": "training/recipes"
}  # fmt: skip
"""Rooms that hold systems, and their folders; folders inside a room are searched too."""
NAMED = {"scoring"}
"""Rooms where most files are no system of the catalogue: those that are one say their `id`."""
SUPPORT = {"base"}
"""File names that hold what plugins share; these and names starting with `_` are no plugins."""


def nearest(name: str, allowed: Iterable[str]) -> str:
    """A hint for errors: the nearest allowed name, or the whole list where nothing is near."""
    allowed = sorted(allowed)
    close = difflib.get_close_matches(name, allowed, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(allowed) or 'none'}"


@dataclass(frozen=True)
class Entry:
    """A plugin as the folder shows it, not yet imported."""

    id: str
    room: str
    path: Path
    title: str
    """First line of the file's docstring."""
    members: tuple[str, ...] = ()
    """Spec strings of the tasks that a suite stands for; empty for a plain plugin."""


@dataclass(frozen=True)
class Spec:
    """A plugin's name with its settings; `str()` gives the one spelling used everywhere."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        if not self.settings:
            return self.name
        return f"{self.name}({', '.join(f'{k}={_spell(v)}' for k, v in self.settings.items())})"

    def __hash__(self) -> int:
        return hash(str(self))


def _spell(value: Any) -> str:
    """Words without quotes where they read back as themselves."""
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z_][\w./-]*", value) and value not in {"True", "False", "None"}:
        return value
    return repr(value)


def _value(text: str) -> Any:
    text = text.strip()
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        if text.lower() in {"true", "false"}:
            return text.lower() == "true"
        if re.fullmatch(r"[^\s(),=+'\"]+", text):
            return text
        raise UserError(f"cannot read the value {text!r}: write a number, a word or a quoted string") from None


def _split(text: str, separator: str) -> list[str]:
    """Split at separators that stand outside brackets and quotes."""
    parts, depth, quote, last = [], 0, "", 0
    for i, c in enumerate(text):
        if quote:
            quote = "" if c == quote else quote
        elif c in "'\"":
            quote = c
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        elif c == separator and depth == 0:
            parts.append(text[last:i])
            last = i + 1
    if depth or quote:
        raise UserError(f"{text!r} has an unclosed {'quote' if quote else 'bracket'}: write name(setting=value, ...)")
    return [*parts, text[last:]]


def parse(text: str) -> Spec:
    """Read one spec.

    Raises:
        UserError: the text is not `name` or `name(setting=value, ...)`.
    """
    m = re.fullmatch(r"\s*([^\s(),=+]+)\s*(?:\((.*)\))?\s*", text, re.S)
    if not m:
        raise UserError(f"cannot read {text!r}: write name or name(setting=value, ...)")
    settings: dict[str, Any] = {}
    for part in _split(m[2], ",") if m[2] and m[2].strip() else []:
        key, sep, value = part.partition("=")
        key = key.strip()
        if not sep or not key.isidentifier():
            raise UserError(f"cannot read {part.strip()!r} in {text!r}: settings are written setting=value")
        if key in settings:
            raise UserError(f"{text!r} gives {key} twice: give it once")
        settings[key] = _value(value)
    return Spec(m[1], settings)


def parse_list(text: str, separator: str = ",") -> list[Spec]:
    """Read several specs: `a,b(x=1)` by default, `a + b` with separator '+'."""
    return [parse(part) for part in _split(text, separator) if part.strip()]


@cache
def entries(room: str) -> dict[str, Entry]:
    """All plugins of a room by id, read from file names and docstrings without importing."""
    if room not in ROOMS:
        raise UserError(f"there is no room {room!r}; {nearest(room, ROOMS)}")
    found: dict[str, Entry] = {}
    for path in sorted((ROOT / ROOMS[room]).rglob("*.py")):
        if path.stem.startswith("_") or path.stem in SUPPORT or "__pycache__" in path.parts:
            continue
        if room in NAMED and not re.search(r"^id = ", path.read_text(encoding="utf-8"), re.M):
            continue
        entry = _read(path, room)
        found[entry.id] = entry
    return found


def _read(path: Path, room: str) -> Entry:
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    title = (ast.get_docstring(tree) or path.stem).splitlines()[0].rstrip(".")
    literals: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in {"id", "members"}:
            literals[node.targets[0].id] = ast.literal_eval(node.value)
    name = literals.get("id", path.stem.replace("_", "-"))
    return Entry(name, room, path, title, tuple(literals.get("members", ())))


def find(name: str, room: str) -> Entry:
    """The plugin of that name, or a user's own file `./mine.py`.

    Raises:
        UserError: there is none, with the nearest name.
    """
    if name.endswith(".py"):
        path = Path(name).expanduser().resolve()
        if not path.is_file():
            raise UserError(f"there is no file {name!r}; a plugin outside the package is named by its path")
        return _read(path, room)
    known = entries(room)
    if name not in known:
        raise UserError(f"unknown {room.rstrip('s')} {name!r}; {nearest(name, known)}")
    return known[name]


def expand(spec: Spec, room: str) -> list[Spec]:
    """A suite's members, or the spec itself; a suite's settings go to each member."""
    entry = find(spec.name, room)
    if not entry.members:
        return [spec]
    return [Spec(m.name, {**m.settings, **spec.settings}) for m in map(parse, entry.members)]


@cache
def module(entry: Entry) -> ModuleType:
    """The plugin's module, run once: a user's own file too, or its class would be another at every look."""
    if entry.path.is_relative_to(ROOT):
        dotted = ".".join(("leadline", *entry.path.relative_to(ROOT).with_suffix("").parts))
        return importlib.import_module(dotted)
    name = f"leadline_plugin_{abs(hash(entry.path))}"
    spec = importlib.util.spec_from_file_location(name, entry.path)
    assert spec and spec.loader
    made = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def load(name: str, room: str) -> type:
    """The public class of a plugin: the one whose name is the file's in CamelCase, else the only one."""
    entry = find(name, room)
    found = module(entry)
    classes = {
        k: v for k, v in vars(found).items() if isinstance(v, type) and v.__module__ == found.__name__ and not k.startswith("_")
    }
    camel = entry.path.stem.replace("_", "").lower()
    for key, value in classes.items():
        if key.lower() == camel:
            return value
    if len(classes) != 1:
        raise UserError(
            f"{entry.path.name} must hold one public class named {camel!r}; it holds: {', '.join(classes) or 'none'}"
        )
    return next(iter(classes.values()))


def make(spec: Spec | str, room: str) -> Any:
    """A plugin with its settings.

    Raises:
        UserError: unknown plugin or setting, or a value of the wrong type or range.
    """
    spec = parse(spec) if isinstance(spec, str) else spec
    cls = load(spec.name, room)
    fields = {f.name: f for f in dataclasses.fields(cls) if f.init}
    for key in spec.settings:
        if key not in fields:
            raise UserError(f"{spec.name} has no setting {key!r}; {nearest(key, fields)}")
    values = {k: _fit(spec.name, fields[k], v) for k, v in spec.settings.items()}
    return cls(**values)


def _fit(name: str, f: dataclasses.Field[Any], value: Any) -> Any:
    """Convert a value to its field's plain type, or say what is wrong."""
    kind = str(f.type)
    fits = {
        "int": isinstance(value, int) and not isinstance(value, bool),
        "float": isinstance(value, int | float) and not isinstance(value, bool),
        "bool": isinstance(value, bool),
    }
    if kind in fits and not fits[kind]:
        raise UserError(f"{name}: {f.name} must be {kind}, got {value!r}")
    if kind == "str":
        return str(value)
    return float(value) if kind == "float" else value
