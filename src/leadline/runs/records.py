"""Records on disk: the Parquet file of a run, from which all statistics and reports are made.

Knows nothing of how records come about; `journal` is what it falls back to for a run that was cut short.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from leadline.nouns import SCHEMA, Record, UserError
from leadline.runs import journal

FILE = "records.parquet"
_FIELDS = {f.name: f for f in dataclasses.fields(Record)}


def _schema() -> Any:
    import pyarrow as pa

    kinds = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
    lists = {"tuple[str, ...]": pa.list_(pa.string()), "tuple[float, ...]": pa.list_(pa.float64())}
    maps = {"Mapping[str, str]": pa.map_(pa.string(), pa.string()), "Mapping[str, float]": pa.map_(pa.string(), pa.float64())}
    types = kinds | {f"{name} | None": kind for name, kind in kinds.items()} | lists | maps
    return pa.schema([(name, types[str(f.type)]) for name, f in _FIELDS.items()])


def write(path: Path, records: Sequence[Record], journal_bytes: int = 0) -> None:
    """Write records to a Parquet file in one step: a reader sees the old file or the new one, whole.

    Args:
        path: the file.
        records: in the order they are to have.
        journal_bytes: length of the journal they were taken from, by which a reader knows whether it has grown since.

    Raises:
        UserError: the disk is full or the folder cannot be written to.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {
        name: [list(v.items()) if isinstance(v := getattr(r, name), Mapping) else v for r in records] for name in _FIELDS
    }
    table = pa.table(columns, schema=_schema())
    metadata = {"leadline_schema": str(SCHEMA), "leadline_journal_bytes": str(journal_bytes)}
    part = path.with_name(path.name + ".part")
    try:
        pq.write_table(table.replace_schema_metadata(metadata), part, compression="zstd")
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise UserError(f"cannot write {path}: {error.strerror or error}; make room and run the same command again") from error


def read(path: Path) -> list[Record]:
    """Read a Parquet file of records.

    Raises:
        UserError: it is no such file, or one of a later version of leadline.
    """
    import pyarrow.parquet as pq

    schema = int(_metadata(path).get(b"leadline_schema", b"0"))
    if not 0 < schema <= SCHEMA:
        raise UserError(f"{path} has schema {schema or 'none'}, this leadline reads up to {SCHEMA}: upgrade leadline")
    return [record(row) for row in pq.ParquetFile(path).read().to_pylist()]


def _metadata(path: Path) -> dict[bytes, bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_schema(path).metadata or {}
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path} is not a file of records: {str(error).splitlines()[0]}") from error


def record(row: dict[str, Any]) -> Record:
    """A record from a row of JSON or Parquet values; fields that the row lacks take their defaults."""
    return Record(**{name: _plain(str(_FIELDS[name].type), value) for name, value in row.items() if name in _FIELDS})


def _plain(kind: str, value: Any) -> Any:
    """A value as the record has it: Parquet gives maps as pairs, and both give tuples as lists."""
    if kind.startswith("Mapping"):
        return dict(value or ())
    return tuple(value) if isinstance(value, list) else value


def folders(roots: Iterable[str | Path]) -> list[Path]:
    """Run folders as given.

    Raises:
        UserError: one of them holds no run.
    """
    found = [Path(root) for root in roots]
    for folder in found:
        if not any((folder / name).is_file() for name in (FILE, journal.FILE)):
            raise UserError(f"{folder} holds no run: give the folder that `leadline measure` wrote ({FILE}, {journal.FILE})")
    return found


def load(*roots: str | Path) -> list[Record]:
    """All records of one run folder or several, of the cells in their plans.

    A run that was killed is read from its journal, without changing it.

    Raises:
        UserError: a folder holds no run, or its files cannot be read.
    """
    return [r for folder in folders(roots) for r in _load(folder)]


def _load(folder: Path) -> list[Record]:
    parquet, lines = folder / FILE, folder / journal.FILE
    if parquet.is_file():
        known = int(_metadata(parquet).get(b"leadline_journal_bytes", b"-1"))
        if not lines.is_file() or lines.stat().st_size == known:
            return read(parquet)
    finished, _, _ = journal.read(lines)
    plan = json.loads((folder / "run.json").read_text(encoding="utf-8")) if (folder / "run.json").is_file() else {}
    return compact(finished.values(), {c["key"]: c["base"] for c in plan["cells"]} if "cells" in plan else None)


def compact(records: Iterable[Record], bases: dict[str, bool] | None) -> list[Record]:
    """The records that count: those of the plan's cells, with the answers asked without context moved to `prior`.

    Args:
        records: as the journal holds them; those of length 0 were asked without context.
        bases: whether each cell of the plan (by key) is at a base length; None takes all cells as they are.
    """
    kept = [r for r in records if bases is None or r.cell in bases]
    prior = {(r.model, r.method, r.task, r.item): r.score for r in kept if r.length == 0}
    result = []
    for r in kept:
        if r.length:
            base = r.base if bases is None else bases[r.cell]
            known = prior.get((r.model, r.method, r.task, r.item), r.prior)
            result.append(dataclasses.replace(r, base=base, prior=known))
    return sorted(result, key=lambda r: (r.model, r.method, r.pipeline, r.task, r.length, r.item))
