"""The journal of a run: one line for every finished sample, written at once and never changed.

Knows nothing of plans and models. A process may be killed at any moment, the disk may fill up: what was
written whole stays, a torn last line is cut off, and the run goes on from there.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from leadline.nouns import SCHEMA, Record, UserError

FILE = "journal.jsonl"
SYNC_EVERY = 1.0
"""Longest that a finished sample waits to be safe from a power cut [s]; it is safe from a kill at once."""

Key = tuple[str, str]
"""Key of the cell, id of the item."""


def read(path: Path) -> tuple[dict[Key, Record], list[str], int]:
    """Read a journal without changing it.

    Returns:
        The records (the last one where a sample was asked again), notes about lines that cannot be read, and the
        length of the part that ends with a whole line [bytes].

    Raises:
        UserError: a record was written by a later version of leadline.
    """
    from leadline.runs import records

    data = path.read_bytes() if path.is_file() else b""
    whole = data.rfind(b"\n") + 1
    notes = [f"the last line of {path.name} was torn ({len(data) - whole} bytes): dropped"] if whole < len(data) else []
    found: dict[Key, Record] = {}
    for number, line in enumerate(data[:whole].splitlines(), 1):
        try:
            row = json.loads(line)
            if row["schema"] > SCHEMA:
                raise UserError(f"{path} was written by a later leadline (schema {row['schema']}): upgrade leadline")
            record = records.record(row)
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
            notes.append(f"line {number} of {path.name} cannot be read: its sample is asked again")
            continue
        found[record.cell, record.item] = record
    return found, notes, whole


class Journal:
    """The journal of one run folder, held by one process at a time.

    Attributes:
        records: what is finished, by cell and item.
        notes: what was found wrong when it was opened.
    """

    def __init__(self, folder: Path) -> None:
        """Open a folder's journal, or start one.

        Raises:
            UserError: another process has it, or it cannot be written to.
        """
        self.path = folder / FILE
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise UserError(f"cannot write to {folder}: {error.strerror}; give another folder with --out") from error
        try:
            self._lock()
            self.records, self.notes, self._end = read(self.path)
            os.ftruncate(self._fd, self._end)
        except BaseException:
            os.close(self._fd)
            raise
        self._synced = time.monotonic()

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:
            # Windows keeps no such locks; two runs on one folder are then the user's to avoid.
            return
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                f"another process is working on the run in {self.path.parent}: wait for it, or give another folder with --out"
            ) from error
        except OSError as error:
            # Some network file systems have no locks.
            if error.errno not in {errno.ENOLCK, errno.ENOTSUP}:
                raise

    @property
    def size(self) -> int:
        """Bytes of whole lines."""
        return self._end

    def append(self, record: Record) -> None:
        """Write a finished sample; when this returns, a kill cannot lose it.

        Raises:
            UserError: the disk is full; nothing of the line stays.
        """
        line = (json.dumps(dataclasses.asdict(record), separators=(",", ":")) + "\n").encode()
        try:
            written = 0
            while written < len(line):
                written += os.pwrite(self._fd, line[written:], self._end + written)
            if time.monotonic() - self._synced > SYNC_EVERY:
                os.fsync(self._fd)
                self._synced = time.monotonic()
        except OSError as error:
            os.ftruncate(self._fd, self._end)
            raise UserError(
                f"cannot write {self.path}: {error.strerror}. The {len(self.records)} samples finished so far are safe; "
                "make room and run the same command again"
            ) from error
        self._end += len(line)
        self.records[record.cell, record.item] = record

    def close(self) -> None:
        """Let go of the folder."""
        os.fsync(self._fd)
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
