"""What administrators decide about artists' names, on its way into the warehouse.

Owns the raw table and the landed body: an object ``correction`` with a list ``artist``
of a name and the name that is right. The newest decision about a name stands before
last.fm's own corrections; a name that is its own right name is an artist of its own.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import orjson
from sqlalchemy import Connection, Engine

from ingest import landing
from ingest.landing import Record, write_part
from warehouse import ops

METHOD = "correction"
TABLE = "corrections__artists"
DESCRIPTION = "One row per decision of an administrator about what an artist's name is."
COLUMNS = "requested_name! artist_name!"
RUN = "correction-"
"""How the names of runs begin whose landing parts are corrections."""


def land(
    engine: Engine,
    landing_dir: Path,
    requested: str,
    artist: str,
    now: datetime,
    check: Callable[[Connection], None],
) -> None:
    """Land a decision; complete when this returns.

    Args:
        requested: the name that is meant.
        artist: the artist that it is.
        now: the database's time (UTC), whose day the decision is of.
        check: raises when the caller may no longer write (``Lease.check``).

    Raises:
        LeaseLost: a run has taken over; nothing is landed.
    """
    ops.ensure_tables(engine, landing.metadata)
    run_id = f"{RUN}{secrets.token_hex(8)}"
    item = {"requested_name": requested, "artist_name": artist}
    record = Record(
        call_id=run_id,
        run_id=run_id,
        as_of_date=now.date(),
        method=METHOD,
        params={"artist": requested},
        fetched_at=now,
        body=orjson.dumps({METHOD: {"artist": [item]}}),
    )
    write_part(landing_dir, now.date(), run_id, [record], engine, check)
