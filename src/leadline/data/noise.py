"""What fills a haystack: generated text, or the user's own files and data sets, in units that may be left out.

A unit is a sentence, a paragraph, a record or a passage. Knows nothing of tokenizers or questions.
"""

from __future__ import annotations

import gzip
import importlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from leadline import catalog
from leadline.data import chinese, prose
from leadline.nouns import UserError

LONGEST = 1000
"""Units longer than this are cut at a space, so that evidence can be laid nearly anywhere [characters]."""


MADE = {
    "rows": "leadline.data.row_noise",
    "expressions": "leadline.data.expressions",
    "strings": "leadline.data.strings",
    "pieces": "leadline.data.pieces",
    "minutes": "leadline.data.minutes",
    "clinic": "leadline.data.clinic",
}
"""Sources that tasks of one kind need, in modules of their own: each has `source(spec, seed, settings)`."""


@dataclass(frozen=True, eq=False)
class Source:
    """Noise by the unit."""

    spec: str
    join: str
    """What stands between two units."""
    take: Callable[[int], list[str]]
    """The first n units; fewer where the source holds no more."""
    tail: tuple[str, str] = ("", "")
    """What stands around the words that fill the rest, where part of a unit would break the form."""


@lru_cache(maxsize=32)
def open_noise(spec: str, seed: int = 0) -> Source:
    """The source that a spec names.

    Args:
        spec: `prose` (sentences), `records` (lines), `passages` (paragraphs of the invented world), `prose-zh` and
            `records-zh` (the same in Chinese), `uuids` (pairs as in JSON), `registers` (lines), or the user's own text:
            `file(path=...)`, `folder(path=...)`, `hub(name=..., config=..., split=train, column=text, revision=...)`, these
            with `unit=sentence` or `unit=paragraph`.
        seed: Changes what is generated; files are read as they are.

    Raises:
        UserError: unknown source or setting; a file that is missing, empty or not text.
    """
    parsed = catalog.parse(spec)
    generated = {
        "prose": (prose.sentences, " "),
        "records": (prose.records, "\n"),
        "passages": (prose.passages, "\n\n"),
        "prose-zh": (chinese.sentences, chinese.JOIN),
        "records-zh": (chinese.records, "\n"),
        "uuids": (prose.uuids, ", "),
        "registers": (prose.registers, "\n"),
    }
    owned = {"file": _file, "folder": _folder, "hub": _hub}
    if parsed.name in MADE:
        return importlib.import_module(MADE[parsed.name]).source(spec, seed, parsed.settings)
    if parsed.name in generated:
        if parsed.settings:
            raise UserError(f"noise {parsed.name!r} has no settings; {spec!r} gives {', '.join(parsed.settings)}")
        make, join = generated[parsed.name]
        return Source(spec, join, lambda n: make(n, seed), _TAILS.get(parsed.name, ("", "")))
    if parsed.name not in owned:
        raise UserError(f"unknown noise {parsed.name!r}; {catalog.nearest(parsed.name, [*generated, *owned, *MADE])}")
    settings = dict(parsed.settings)
    unit = settings.pop("unit", "sentence")
    if unit not in ("sentence", "paragraph"):
        raise UserError(f"noise {spec!r}: unit must be sentence or paragraph, got {unit!r}")
    try:
        texts = owned[parsed.name](**{k: str(v) for k, v in settings.items()})
    except TypeError as error:
        raise UserError(f"noise {spec!r}: {str(error).partition('() ')[2]}") from None
    take = _Growing(spec, units(texts, unit)).take
    return Source(spec, "\n\n" if unit == "paragraph" else "" if unspaced(take(1)[0]) else " ", take)


_TAILS = {"uuids": ('"note": "', '"'), "registers": ("(", ")")}


class _Growing:
    """The units read so far; more are read when more are asked for."""

    def __init__(self, spec: str, more: Iterator[str]) -> None:
        self.spec, self.more, self.have = spec, more, list[str]()

    def take(self, n: int) -> list[str]:
        self.have.extend(islice(self.more, max(0, n - len(self.have))))
        if not self.have:
            raise UserError(f"noise {self.spec!r} holds no text")
        return self.have[:n]


def units(texts: Iterable[str], unit: str) -> Iterator[str]:
    """Cut texts into sentences (line breaks inside become spaces) or paragraphs (kept as they are)."""
    for text in texts:
        for paragraph in re.split(r"\n\s*\n", text.replace("\r\n", "\n")):
            pieces = [paragraph.strip()] if unit == "paragraph" else sentences(paragraph)
            for piece in pieces:
                while len(piece) > LONGEST:
                    cut = piece.rfind(" ", 1, LONGEST)
                    cut = cut if cut > 0 else LONGEST
                    yield piece[:cut].rstrip()
                    piece = piece[cut:].lstrip()
                if piece:
                    yield piece


_ABBREVIATION = "".join(rf"(?<!\b{w}\.)" for w in ("Mr", "Mrs", "Ms", "Dr", "St", "No", "vs", "Prof", "[A-Z]"))
_END = re.compile(rf"([.!?…]{_ABBREVIATION}[\"'”’)\]]*) (?=[^a-z])|([。！？][」』”’）]*)")


def sentences(text: str) -> list[str]:
    """Sentences of one paragraph, with single spaces inside."""
    return [s for s in _END.sub(lambda m: (m[1] or m[2]) + "\n", " ".join(text.split())).split("\n") if s]


_LETTERS = re.compile(r"[^\W\d_]")
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff]")


def unspaced(text: str) -> bool:
    """Whether a text is mostly in a script without spaces between words, as Chinese is."""
    return 2 * len(_UNSPACED.findall(text)) > len(_LETTERS.findall(text))


def read_text(path: Path) -> str:
    """A text file, plain or gzipped.

    Raises:
        UserError: missing, empty, or not UTF-8 text.
    """
    if not path.is_file():
        raise UserError(f"there is no file {str(path)!r} to take noise from")
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        text = data.decode("utf-8-sig")
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError) as error:
        raise UserError(f"{str(path)!r} is not text ({error}): noise is read from UTF-8 text files, plain or .gz") from None
    if "\0" in text:
        raise UserError(f"{str(path)!r} is a binary file: noise is read from UTF-8 text files, plain or .gz")
    if not text.strip():
        raise UserError(f"{str(path)!r} is empty: noise needs text")
    return text


def _file(*, path: str) -> Iterable[str]:
    return [read_text(Path(path).expanduser())]


def _folder(*, path: str, pattern: str = "*.txt*") -> Iterable[str]:
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise UserError(f"there is no folder {path!r} to take noise from")
    found = sorted(p for p in folder.rglob(pattern) if p.is_file())
    if not found:
        raise UserError(f"folder {path!r} holds no file like {pattern!r}: give another pattern=")
    return (read_text(p) for p in found)


def _hub(*, name: str, config: str = "", split: str = "train", column: str = "text", revision: str = "") -> Iterable[str]:
    try:
        import datasets
    except ImportError:
        raise UserError("noise from the hub needs the datasets library: pip install datasets") from None
    try:
        rows: Any = datasets.load_dataset(name, config or None, split=split, revision=revision or None, streaming=True)
        first = next(iter(rows), None)
    except (OSError, ValueError) as error:
        raise UserError(
            f"data set {name!r} (config {config or 'default'}, split {split}) could not be read: {error}"
        ) from error
    if first is None or not isinstance(first.get(column), str):
        raise UserError(f"data set {name!r} has no text column {column!r}; it has: {', '.join(first or ()) or 'no rows'}")
    return (row[column] for row in rows)
