"""Published data sets as questions on documents: LongBench's and L-Eval's formats, from a file or the hub.

Knows nothing of prompts, metrics or the tasks that ask the questions.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import logging
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from leadline.nouns import UserError

LONGBENCH = {"input": str, "context": str, "answers": list}
LEVAL = {"instructions": list, "outputs": list, "input": str}
"""Columns that a row must have, and their types; others may be there."""
SUFFIXES = (".jsonl", ".jsonl.gz", ".json", ".json.gz", ".parquet")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One question on one document."""

    id: str
    document: str
    question: str
    """Empty where the data set asks for nothing in particular, as for a summary."""
    answers: tuple[str, ...]
    classes: tuple[str, ...] = ()
    """Labels to choose from, where there are any."""
    cluster: str
    """The document's hash: questions on one document share it."""
    source: str = ""
    """Name of the data set as the row gives it."""
    language: str = "en"


@lru_cache(maxsize=16)
def read(spec: str) -> tuple[Row, ...]:
    """All questions of a published data set, in its order.

    Args:
        spec: A local file (.jsonl, .json, either with .gz, or .parquet); a file on the hub, `owner/name/path/to/file`; or a
            whole hub data set, `owner/name` or `owner/name:config` (its test split). Hub names may end in `@revision`.

    Raises:
        UserError: it cannot be found or read, or a row is of neither format, with file and line.
    """
    rows: list[Row] = []
    for place, raw in rows_of(spec):
        rows.extend(_rows(raw, place))
    if not rows:
        raise UserError(f"{spec!r} holds no rows")
    return tuple(rows)


def _rows(raw: Any, place: str) -> Iterator[Row]:
    """The questions of one row."""
    if not isinstance(raw, Mapping):
        raise UserError(f"{place}: a row must be a JSON object, it is {type(raw).__name__}")
    if "instructions" in raw:
        _demand(raw, LEVAL, "L-Eval", place)
        asked, given = list(raw["instructions"]), list(raw["outputs"])
        if len(asked) != len(given):
            raise UserError(f"{place}: {len(asked)} instructions but {len(given)} outputs; there must be one output for each")
        cluster = _hash(raw["input"])
        for i, (question, answer) in enumerate(zip(asked, given, strict=True)):
            name = f"{cluster}-{i}"
            source = str(raw.get("source") or "")
            yield Row(id=name, document=raw["input"], question=question, answers=(str(answer),), cluster=cluster, source=source)
        return
    _demand(raw, LONGBENCH, "LongBench", place)
    cluster = _hash(raw["context"])
    yield Row(
        id=str(raw.get("_id") or f"{cluster}-{_hash(raw['input'])}"),
        document=raw["context"],
        question=raw["input"],
        answers=tuple(map(str, raw["answers"])),
        classes=tuple(map(str, raw["all_classes"])) if raw.get("all_classes") is not None else (),
        cluster=cluster,
        source=str(raw.get("dataset") or ""),
        language=str(raw.get("language") or "en"),
    )


def demand(raw: Any, columns: Mapping[str, type | tuple[type, ...]], name: str, place: str) -> None:
    """Refuse a row that lacks a column of a published format, or has it in another type.

    Args:
        raw: the row.
        columns: names and types that it must have; it may have others.
        name: of the format, for the error.
        place: of the row, as `rows_of` gives it.

    Raises:
        UserError: says which.
    """
    if not isinstance(raw, Mapping):
        raise UserError(f"{place}: a row of {name} must be a JSON object, it is {type(raw).__name__}")
    for column, kind in columns.items():
        if column not in raw:
            raise UserError(f"{place}: no column {column!r}, which {name} has; this row has: {', '.join(raw) or 'none'}")
        if not isinstance(raw[column], kind):
            raise UserError(f"{place}: in {name} {column!r} cannot be {raw[column]!r:.60}")


def _demand(raw: Mapping[str, Any], columns: Mapping[str, type], name: str, place: str) -> None:
    have = ", ".join(raw) or "none"
    for column, kind in columns.items():
        if column not in raw:
            raise UserError(
                f"{place}: no column {column!r}; rows are read in LongBench's format ({', '.join(LONGBENCH)}) or "
                f"L-Eval's ({', '.join(LEVAL)}); this one has: {have}"
            )
        if not isinstance(raw[column], kind):
            raise UserError(f"{place}: in {name}'s format {column!r} must be a {kind.__name__}, it is {raw[column]!r:.60}")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def rows_of(spec: str) -> Iterator[tuple[str, Any]]:
    """Rows of a data set as they stand, each with its place for errors.

    Args:
        spec: as `read` takes it, or a file in a zip archive as in `data.zip/trec.jsonl`, local or on the hub: named by its
            whole path in the archive, by the end of it, or by that without its suffix.

    Raises:
        UserError: it cannot be found or read.
    """
    path = Path(spec).expanduser()
    if path.is_file():
        return _from_file(path, spec)
    head, inside, member = spec.partition(".zip/")
    if inside and (archive := Path(head + ".zip").expanduser()).is_file():
        return _from_zip(archive, member, spec)
    name, _, revision = spec.partition("@")
    name, _, config = name.partition(":")
    parts = name.split("/")
    if spec.startswith(("/", ".", "~")) or len(parts) < 2 or (len(parts) == 2 and name.endswith(SUFFIXES)):
        raise UserError(
            f"there is no data file {spec!r}: give a local file ({', '.join(SUFFIXES)}), a file on the hub "
            "(owner/name/path/to/file) or a hub data set (owner/name)"
        )
    if len(parts) > 2:
        head, inside, member = "/".join(parts[2:]).partition(".zip/")
        file = _fetched("/".join(parts[:2]), head + ".zip" if inside else head, revision)
        return _from_zip(file, member, spec) if inside else _from_file(file, spec)
    return _from_hub(name, config, revision)


def _quiet() -> None:
    """Let the hub's library say nothing of each try: what failed in the end is said once."""
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)


def _fetched(name: str, file: str, revision: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    _quiet()
    try:
        return Path(hf_hub_download(name, file, repo_type="dataset", revision=revision or None))
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise UserError(
            f"there is no local file {name}/{file}, and it could not be fetched from the hub "
            f"({next(iter(str(error).splitlines()), type(error).__name__)}): check name, file, revision and connection"
        ) from error


def _from_hub(name: str, config: str, revision: str) -> Iterator[tuple[str, Any]]:
    try:
        import datasets
    except ImportError:
        raise UserError(f"the hub data set {name!r} needs the datasets library: pip install datasets") from None
    _quiet()
    try:
        rows: Any = datasets.load_dataset(name, config or None, split="test", revision=revision or None)
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(
            f"hub data set {name!r} could not be read ({next(iter(str(error).splitlines()), type(error).__name__)}): "
            "check name, configuration (owner/name:config) and connection, or name one of its files (owner/name/path/to/file)"
        ) from error
    return ((f"{name} row {i}", row) for i, row in enumerate(rows))


def _from_zip(path: Path, member: str, spec: str) -> Iterator[tuple[str, Any]]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(SUFFIXES) and not name.startswith("__MACOSX")]
            bare = {name: next(name.removesuffix(s) for s in SUFFIXES if name.endswith(s)) for name in names}
            ends = [name for name in names if any(f"/{whole}".endswith(f"/{member}") for whole in (name, bare[name]))]
            found = [member] if member in names else ends
            if len(found) != 1:
                raise UserError(
                    f"{spec}: the archive holds {'no' if not found else 'more than one'} file {member!r}; "
                    f"it holds: {', '.join(names) or 'no data files'}"
                )
            data = archive.read(found[0])
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise UserError(f"{spec}: {path.name} cannot be read as a zip archive: {error}") from error
    yield from _parsed(found[0], data, spec)


def _from_file(path: Path, spec: str) -> Iterator[tuple[str, Any]]:
    if not path.name.endswith(SUFFIXES):
        raise UserError(f"{spec}: data files end in {', '.join(SUFFIXES)}, or lie in a zip archive (data.zip/file.jsonl)")
    yield from _parsed(path.name, path.read_bytes(), spec)


def _parsed(name: str, data: bytes, spec: str) -> Iterator[tuple[str, Any]]:
    """Rows of a file's content; its name says of which kind it is."""
    if name.endswith(".parquet"):
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            rows = pq.read_table(io.BytesIO(data)).to_pylist()
        except pa.ArrowInvalid as error:
            raise UserError(f"{spec} is not a Parquet file: {error}") from error
        yield from ((f"{spec} row {i}", row) for i, row in enumerate(rows))
        return
    try:
        text = (gzip.decompress(data) if name.endswith(".gz") else data).decode("utf-8-sig")
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError) as error:
        raise UserError(f"{spec} is not text: {error}") from error
    if not name.endswith((".jsonl", ".jsonl.gz")):
        whole = _json(text, spec)
        rows = whole.get("data", [whole]) if isinstance(whole, Mapping) else whole
        yield from ((f"{spec} row {i}", row) for i, row in enumerate(rows))
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield f"{spec} line {number}", _json(line, f"{spec} line {number}")


def _json(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UserError(f"{place}: not JSON ({error})") from error
