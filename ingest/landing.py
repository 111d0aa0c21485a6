"""Landing files: every answer once, as it came, compressed, before anything parses it.

Owns the format of a landing record, the writing and reading of landing parts, and the
table that says how many bytes of each part count. Must not know what an answer means.

A part is ``<as_of>/<run>-<nnnn>.jsonl.gz`` under the landing folder: gzip members one
after the other, a member for each batch of answers, one JSON object a line (see
:class:`Record`). A batch is written and fsynced first; then one transaction of the ops
database records the new length together with what the batch means. Bytes past the
recorded length are what a killed process left and are cut off.
"""

from __future__ import annotations

import base64
import binascii
import errno
import gzip
import io
import os
import re
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    Engine,
    Integer,
    MetaData,
    Row,
    Select,
    String,
    Table,
    Text,
    insert,
    select,
    update,
)

from warehouse.errors import DiskFull, LeaseLost

metadata = MetaData()

landing_parts = Table(
    "landing_parts",
    metadata,
    Column("part", Text, primary_key=True, doc="relative to the landing folder"),
    Column("run_id", String(64), nullable=False),
    Column("as_of_date", Date, nullable=False, index=True),
    Column("bytes", BigInteger, nullable=False, doc="how much of the file counts"),
    Column("answers", Integer, nullable=False),
    Column("is_complete", Boolean, nullable=False, doc="nothing will be added"),
    Column("created_at", DateTime, nullable=False),
    Column("removed_at", DateTime, doc="when retention deleted the file"),
)

# Level 1 costs a third of level 6 and gives files a fifth larger.
COMPRESSION = 1
# A part is parsed as a whole; unpacked it is about 30 times as large.
PART_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Record:
    """One answer. `params` never hold the key; `body` is the answer byte for byte.

    `verdict` is what the fetch made of it: ``data``, or why it is none (``error 6``,
    ``html``, ``truncated``, ``wrong user``, ``status 500``). Only ``data`` may become
    rows. A call has at most one final answer; what was retried stands before it.
    """

    call_id: str
    run_id: str
    as_of_date: date
    method: str
    params: Mapping[str, str]
    fetched_at: datetime
    body: bytes
    context: Mapping[str, Any] | None = None
    attempt: int = 1
    status: int = 200
    verdict: str = "data"

    @property
    def is_data(self) -> bool:
        """Whether the body answers the call, rather than saying why it cannot."""
        return self.verdict == "data"

    def to_line(self) -> bytes:
        """The record as one line of a landing part."""
        try:
            encoding, body = "utf-8", self.body.decode("utf-8")
        except UnicodeDecodeError:
            encoding, body = "base64", base64.b64encode(self.body).decode("ascii")
        return orjson.dumps(
            {
                "call_id": self.call_id,
                "run_id": self.run_id,
                "as_of_date": self.as_of_date,
                "method": self.method,
                "params": self.params,
                "context": self.context,
                "attempt": self.attempt,
                "fetched_at": f"{self.fetched_at:%Y-%m-%dT%H:%M:%S.%f}Z",
                "status": self.status,
                "verdict": self.verdict,
                "encoding": encoding,
                "body": body,
            },
            option=orjson.OPT_APPEND_NEWLINE,
        )

    @classmethod
    def from_line(cls, line: bytes) -> Record:
        """The record of one line.

        Raises:
            ValueError: the line is no landing record.
        """
        try:
            found = orjson.loads(line)
            body = found["body"]
            return cls(
                call_id=found["call_id"],
                run_id=found["run_id"],
                as_of_date=date.fromisoformat(found["as_of_date"]),
                method=found["method"],
                params=found["params"],
                context=found["context"],
                attempt=found["attempt"],
                fetched_at=datetime.fromisoformat(found["fetched_at"]).replace(
                    tzinfo=None
                ),
                status=found["status"],
                verdict=found["verdict"],
                body=base64.b64decode(body)
                if found["encoding"] == "base64"
                else body.encode("utf-8"),
            )
        except (KeyError, TypeError, AttributeError, binascii.Error) as error:
            raise ValueError(f"not a landing record: {error!r}") from error


@dataclass(frozen=True)
class Part:
    """One landing file and how much of it counts."""

    part: str
    run_id: str
    as_of_date: date
    bytes: int
    answers: int
    is_complete: bool


@dataclass(frozen=True)
class LandingSize:
    """What the landing folder holds."""

    parts: int
    bytes: int
    answers: int
    oldest: date | None
    newest: date | None


class PartWriter:
    """Appends batches of records to one new part; the caller records the length."""

    def __init__(self, root: Path, as_of: date, run_id: str) -> None:
        self.as_of = as_of
        self.run_id = run_id
        folder = root / as_of.isoformat()
        folder.mkdir(parents=True, exist_ok=True)
        safe = re.sub(r"[^A-Za-z0-9_.]+", "_", run_id)
        number = 1
        while True:
            self.path = folder / f"{safe}-{number:04d}.jsonl.gz"
            try:
                self._file = self.path.open("xb", buffering=0)
            except FileExistsError:
                number += 1
            else:
                break
        self.part = self.path.relative_to(root).as_posix()
        self.bytes = 0
        self.answers = 0
        for place in (folder, root):  # the names must survive a power cut as well
            _sync_folder(place)

    def append(self, lines: Iterable[bytes]) -> int:
        """Write one member with these lines, fsync it, return the file's length.

        Raises:
            DiskFull: there is no room; the file is as long as before.
        """
        rest = memoryview(packed(lines))
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            self.cut(self.bytes)
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull(
                    f"no room left for landing files in {self.path.parent.parent};"
                    " free some space and run again: the fetch goes on where it was"
                ) from error
            raise
        return self._file.tell()

    def recorded(self, length: int, answers: int) -> None:
        """The ops database now says that `length` bytes count."""
        self.bytes = length
        self.answers += answers

    def cut(self, length: int) -> None:
        """Forget what stands behind `length`."""
        self._file.truncate(length)
        self._file.seek(length)

    def close(self) -> None:
        """Close the file; one that nothing was recorded of is deleted."""
        self._file.close()
        if self.bytes == 0:
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> PartWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def packed(lines: Iterable[bytes]) -> bytes:
    """These lines as one member of a part."""
    press = zlib.compressobj(COMPRESSION, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    pieces = [press.compress(line) for line in lines]
    pieces.append(press.flush())
    return b"".join(pieces)


def write_part(
    root: Path,
    as_of: date,
    run_id: str,
    records: Iterable[Record],
    engine: Engine,
    check: Callable[[Connection], None] = lambda connection: None,
) -> Part:
    """Write one complete part with these records and enter it.

    Args:
        check: raises when the caller may no longer write (``Lease.check``): a run that
            has taken over may have swept away a file that no row knew.
    """
    lines = [record.to_line() for record in records]
    with PartWriter(root, as_of, run_id) as writer:
        length = writer.append(lines)
        with engine.begin() as connection:
            check(connection)
            enter_part(connection, writer, length, len(lines))
            finish_part(connection, writer.part)
        writer.recorded(length, len(lines))
    return Part(writer.part, run_id, as_of, length, len(lines), True)


def enter_part(
    connection: Connection, writer: PartWriter, length: int, answers: int
) -> None:
    """Record in the caller's transaction that the part has grown to `length`.

    Raises:
        LeaseLost: somebody else has changed the part's row meanwhile.
    """
    if writer.bytes == 0:
        connection.execute(
            insert(landing_parts).values(
                part=writer.part,
                run_id=writer.run_id,
                as_of_date=writer.as_of,
                bytes=length,
                answers=answers,
                is_complete=False,
                created_at=datetime.now(UTC).replace(tzinfo=None),
            )
        )
        return
    grown = connection.execute(
        update(landing_parts)
        .where(
            landing_parts.c.part == writer.part,
            landing_parts.c.bytes == writer.bytes,
            landing_parts.c.is_complete.is_(False),
        )
        .values(bytes=length, answers=writer.answers + answers)
    )
    if grown.rowcount != 1:
        raise LeaseLost(
            f"landing part {writer.part} was closed by another run; this one stops"
        )


def finish_part(connection: Connection, part: str) -> None:
    """Record that nothing will be added to the part."""
    connection.execute(
        update(landing_parts)
        .where(landing_parts.c.part == part)
        .values(is_complete=True)
    )


def list_parts(
    connection: Connection, as_of: date | None = None, *, complete_only: bool = False
) -> list[Part]:
    """The parts that retention has not removed, oldest day first, in writing order."""
    query = _parts().where(landing_parts.c.removed_at.is_(None))
    if as_of is not None:
        query = query.where(landing_parts.c.as_of_date == as_of)
    if complete_only:
        query = query.where(landing_parts.c.is_complete.is_(True))
    return [_part(row) for row in connection.execute(query)]


def removed_parts(connection: Connection) -> list[Part]:
    """The parts that retention has removed, in the same order."""
    query = _parts().where(landing_parts.c.removed_at.is_not(None))
    return [_part(row) for row in connection.execute(query)]


def _parts() -> Select[Any]:
    columns = landing_parts.c
    return select(landing_parts).order_by(
        columns.as_of_date, columns.created_at, columns.part
    )


def _part(row: Row[Any]) -> Part:
    return Part(
        row.part, row.run_id, row.as_of_date, row.bytes, row.answers, row.is_complete
    )


def read_part(root: Path, part: Part) -> Iterator[Record]:
    """The records of a part, up to its recorded length.

    Raises:
        FileNotFoundError: the part is not on this machine.
        ValueError: a line is no landing record, or the file is shorter than recorded.
    """
    for line in read_lines(root, part):
        yield Record.from_line(line)


def read_lines(root: Path, part: Part) -> Iterator[bytes]:
    """The lines of a part, unread (see :func:`read_part`)."""
    path = root / part.part
    with path.open("rb") as file:
        packed = file.read(part.bytes)
    if len(packed) < part.bytes:
        raise ValueError(
            f"landing part {part.part} has {len(packed)} bytes,"
            f" {part.bytes} are recorded"
        )
    with gzip.GzipFile(fileobj=io.BytesIO(packed)) as lines:
        try:
            yield from lines
        except (EOFError, OSError, zlib.error) as error:
            raise ValueError(f"landing part {part.part} is damaged: {error}") from error


def verify(root: Path, parts: Iterable[Part]) -> list[str]:
    """What is wrong with these parts, a sentence each; empty when all can be read."""
    wrong = []
    for part in parts:
        try:
            answers = sum(1 for _ in read_part(root, part))
        except FileNotFoundError:
            wrong.append(f"landing part {part.part} is missing")
        except ValueError as error:
            wrong.append(str(error))
        else:
            if answers != part.answers:
                wrong.append(
                    f"landing part {part.part} holds {answers} answers,"
                    f" {part.answers} are recorded"
                )
    return wrong


def repair(root: Path, parts: Iterable[Part]) -> tuple[list[Part], list[Part]]:
    """Cut parts to their recorded length; return those still there and those lost.

    A part is lost when this machine does not have it or has less of it than recorded.
    """
    there, lost = [], []
    for part in parts:
        path = root / part.part
        size = path.stat().st_size if path.exists() else -1
        if size < part.bytes:
            lost.append(part)
            continue
        if size > part.bytes:
            os.truncate(path, part.bytes)
        there.append(replace(part, is_complete=True))
    return there, lost


def sweep(root: Path, as_of: date, recorded: Collection[str]) -> list[str]:
    """Delete the day's files that the ops database knows nothing of; return them.

    They hold a batch that was written but never recorded.
    """
    swept = []
    for path in sorted((root / as_of.isoformat()).glob("*.jsonl.gz")):
        part = path.relative_to(root).as_posix()
        if part not in recorded:
            path.unlink(missing_ok=True)
            swept.append(part)
    return swept


def size(connection: Connection) -> LandingSize:
    """How much is landed (in compressed bytes)."""
    parts = list_parts(connection)
    days = [part.as_of_date for part in parts]
    return LandingSize(
        parts=len(parts),
        bytes=sum(part.bytes for part in parts),
        answers=sum(part.answers for part in parts),
        oldest=min(days, default=None),
        newest=max(days, default=None),
    )


def expire(
    root: Path, engine: Engine, before: date, loaded: Collection[str]
) -> list[Part]:
    """Delete the loaded parts of days before `before`; return them.

    A part that is not among `loaded` stays, whatever its age. The row stays and says
    that the file was removed on purpose, so its calls are not fetched again.
    """
    with engine.connect() as connection:
        parts = [
            part
            for part in list_parts(connection)
            if part.as_of_date < before and part.part in loaded
        ]
    for part in parts:
        with engine.begin() as connection:
            connection.execute(
                update(landing_parts)
                .where(landing_parts.c.part == part.part)
                .values(removed_at=datetime.now(UTC).replace(tzinfo=None))
            )
        path = root / part.part
        path.unlink(missing_ok=True)
        if path.parent.is_dir() and not any(path.parent.iterdir()):
            path.parent.rmdir()
    return parts


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
