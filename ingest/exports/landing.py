"""Lands an import: the plays of a file as pages of one form, like an answer.

Owns the shape of the landed pages and their names. All parts of a file are entered in
one transaction, under the lease: a file is in whole or not at all. The same file for
the same listener has the same name, so it is known again while its parts are there.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, select

from ingest import landing
from ingest.exports.plays import Taken
from ingest.exports.reading import Found, Reading
from ingest.exports.tables import METHOD
from ingest.landing import PART_BYTES, PartWriter, Record, landing_parts
from warehouse import ops
from warehouse.names import name_key

# Rows of a body: some 200 kB, and never much more than the bytes.
PAGE_ROWS = 1000
PAGE_BYTES = 1_000_000
# Pages that are written and fsynced at a time: some twenty.
BATCH_BYTES = 4_000_000
RUN = "import-"
"""How the names of runs begin whose landing parts are imports."""


@dataclass(frozen=True)
class Landed:
    """What was written of one file."""

    parts: int
    pages: int
    bytes: int


def run_of(listener: str, reading: Reading) -> str:
    """How the run's name begins under which a file is landed for a listener."""
    whole = f"{name_key(listener)} {reading.digest}".encode()
    return f"{RUN}{hashlib.sha256(whole).hexdigest()[:24]}-"


def is_landed(engine: Engine, listener: str, reading: Reading) -> bool:
    """Whether the same file was landed for the listener, and is still kept."""
    ops.ensure_tables(engine, landing.metadata)
    with engine.connect() as connection:
        found = connection.execute(
            select(landing_parts.c.part).where(
                landing_parts.c.run_id.startswith(run_of(listener, reading)),
                landing_parts.c.answers > 0,
            )
        ).first()
    return found is not None


def landed_zone(
    engine: Engine, root: Path, listener: str, reading: Reading
) -> str | None:
    """The time zone that the same file was landed with.

    None where that is not known: retention has removed what was landed, or it was
    landed before zones were noted (until 2026-11-30).
    """
    with engine.connect() as connection:
        parts = landing.list_parts(connection, complete_only=True)
    for part in parts:
        if part.run_id.startswith(run_of(listener, reading)):
            return next(landing.read_part(root, part)).params.get("zone")
    return None


def land(
    engine: Engine,
    root: Path,
    listener: str,
    reading: Reading,
    rows: Iterable[Found],
    *,
    as_of: date,
    now: datetime,
    check: Callable[[Connection], None],
) -> Landed:
    """Land the rows of one file for a listener.

    Args:
        rows: as read; they are taken one by one, so that the file may be of any size.
        check: raises when the caller may no longer write (``Lease.check``).

    Raises:
        ImportRefused: the file turned out to be none; nothing of it is landed.
        LeaseLost: a run has taken over; nothing of the file is landed.
    """
    ops.ensure_tables(engine, landing.metadata)
    run_id = run_of(listener, reading) + secrets.token_hex(3)
    written: list[tuple[PartWriter, int, int]] = []
    pages = 0
    with ExitStack() as stack:
        for batch in _batches(_records(listener, reading, rows, run_id, as_of, now)):
            if not written or written[-1][1] >= PART_BYTES:
                writer = stack.enter_context(PartWriter(root, as_of, run_id))
                written.append((writer, 0, 0))
            writer, _, answers = written[-1]
            length = writer.append(batch)
            written[-1] = (writer, length, answers + len(batch))
            pages += len(batch)
        with engine.begin() as connection:
            check(connection)
            for writer, length, answers in written:
                landing.enter_part(connection, writer, length, answers)
                landing.finish_part(connection, writer.part)
        for writer, length, answers in written:
            writer.recorded(length, answers)
    return Landed(len(written), pages, sum(length for _, length, _ in written))


def _batches(records: Iterable[Record]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for record in records:
        batch.append(record.to_line())
        size += len(batch[-1])
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _records(
    listener: str,
    reading: Reading,
    rows: Iterable[Found],
    run_id: str,
    as_of: date,
    now: datetime,
) -> Iterator[Record]:
    """The pages; each names the file and says of whom it is, as an answer does."""
    for number, items in enumerate(_pages(rows), start=1):
        yield Record(
            call_id=f"{run_of(listener, reading)}{number:06d}",
            run_id=run_id,
            as_of_date=as_of,
            method=METHOD,
            params={
                "user": listener,
                "file": reading.digest,
                "zone": str(reading.zone),
                "page": str(number),
            },
            fetched_at=now,
            body=b'{"%b":{"play":[%b]}}' % (METHOD.encode(), b",".join(items)),
        )


def _pages(rows: Iterable[Found]) -> Iterator[list[bytes]]:
    """The rows as JSON, by the page."""
    page: list[bytes] = []
    size = 0
    for found in rows:
        page.append(orjson.dumps(item_of(found)))
        size += len(page[-1])
        if len(page) == PAGE_ROWS or size >= PAGE_BYTES:
            yield page
            page, size = [], 0
    if page:
        yield page


def item_of(found: Found) -> dict[str, Any]:
    """A row as it lands: a play by the columns of its table, or what was no play."""
    row = found.row
    if not isinstance(row, Taken):
        # Without a name it fits no row: the load keeps it as a dead letter, whole.
        return {"line": row.line, "reason": row.reason, "row": row.text}
    item: dict[str, Any] = {
        "format": found.format,
        "line": row.line,
        "artist_name": row.artist,
        "track_name": row.track,
        "stamp": row.stamp,
        "stamped_uts": row.stamped,
        "started_uts": row.started,
        "copy": row.copy,
    }
    if row.album:
        item["album_name"] = row.album
    if row.played_ms is not None:
        item["played_ms"] = row.played_ms
    return item
