"""Lands what a version newly says, as one part, entered with the version itself.

What `scrobble fit` chose is landed the same way, as a part of its own.

Owns which models of the build hold the news, and the shape of the landed bodies: an
object ``published`` with a list for each table of :mod:`ingest.published.tables`. The
part is written and fsynced before the version is published and counts only when the
publishing transaction has entered it: exactly once, under the run's fence. The next
run loads it like any answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import orjson
from sqlalchemy import Connection, Engine, create_engine, text

from ingest import landing
from ingest.landing import PartWriter, Record, enter_part, finish_part, write_part
from ingest.published.tables import METHOD
from warehouse import ops
from warehouse.run import Run, Target
from warehouse.store import Enter, Version

# Rows of a body: some megabytes at most.
BODY_ROWS = 5000

_PLACES = """
    select
        places.chart, places.scope, places.period, places.issue_date as issued_on,
        issues.revision, places.position, places.rank, places.entity_id,
        places.entity_name as entity, places.artist_id, places.artist_name as artist,
        places.scrobbles, places.scrobbles_flagged, places.scrobbles_counted,
        places.listeners, places.listeners_counted, places.minutes,
        places.minutes_counted, places.share_pct, places.previous_rank,
        places.movement, places.peak_rank, places.issues_on_chart
    from intermediate.int_new_chart_issues as issues
    inner join intermediate.int_chart_histories as places
        on places.chart = issues.chart and places.scope = issues.scope
        and places.period = issues.period and places.issue_date = issues.issue_date
    order by places.chart, places.scope, places.period, places.issue_date,
        places.position
"""
NEWS: dict[str, str] = {
    "restatements": """
        select
            version, edition, subject, entity_type, entity_id, entity_name as entity,
            restated_date as restated_on, plays, old_value, new_value, reason,
            charts_changed, issues_changed
        from intermediate.int_new_restatements
        order by subject, entity_type, entity_id, restated_date
    """,
    "issues": """
        select
            version, edition, chart, scope, period, issue_date as issued_on, revision,
            finality, places, changed_places, first_before, first_now
        from intermediate.int_new_chart_issues
        order by chart, scope, period, issue_date
    """,
    "places": _PLACES,
}
"""What each list of a body is made of, asked from the sealed candidate."""

_OWN = f"""
    select
        (select coalesce(max(edition), 0) + 1 from raw.published__versions) as edition,
        max(fetched_at) as answered_through
    from raw.lastfm__answers where method <> '{METHOD}'
"""


@contextmanager
def land(run: Run, version: Version) -> Iterator[Enter]:
    """Write the part of a version; gives the function that enters it.

    A file that was never entered is deleted, or swept when its day is fetched again if
    nobody could tell; no load ever reads it.
    """
    ops.ensure_tables(run.engine, landing.metadata)
    lines = [record.to_line() for record in records(run.target, run.run_id, version)]
    with PartWriter(run.landing_dir, run.as_of_date, run.run_id) as writer:
        length = writer.append(lines)

        def enter(connection: Connection) -> None:
            enter_part(connection, writer, length, len(lines))
            finish_part(connection, writer.part)
            # Before the commit: a file too many does no harm, a lost one would.
            writer.recorded(length, len(lines))

        yield enter


def land_constants(
    engine: Engine,
    landing_dir: Path,
    run_id: str,
    as_of_date: date,
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Land the constants of one fit (columns as in `published__constants`)."""
    ops.ensure_tables(engine, landing.metadata)
    now = ops.utcnow()
    record = Record(
        call_id=f"{METHOD} constants {run_id}",
        run_id=run_id,
        as_of_date=as_of_date,
        method=METHOD,
        params={"constants": run_id},
        fetched_at=now,
        body=orjson.dumps({METHOD: {"constants": [_plain(dict(row)) for row in rows]}}),
    )
    write_part(landing_dir, as_of_date, run_id, [record], engine)


def records(target: Target, run_id: str, version: Version) -> Iterator[Record]:
    """The landing records of a version: its own row first, then what it newly says."""
    with _candidate(target) as ask:
        (facts,) = ask(_OWN)
        own = {
            "version": version.version,
            "published_at": version.published_at,
            **facts,
        }
        rows = [("versions", own)]
        for name, query in NEWS.items():
            rows += [(name, row) for row in ask(query)]
    for start in range(0, len(rows), BODY_ROWS):
        lists: dict[str, list[dict[str, Any]]] = {"versions": []}
        for name, row in rows[start : start + BODY_ROWS]:
            lists.setdefault(name, []).append(_plain(row))
        yield Record(
            call_id=f"{METHOD} {version.version} {start // BODY_ROWS + 1:05d}",
            run_id=run_id,
            as_of_date=version.as_of_date,
            method=METHOD,
            params={"version": version.version},
            fetched_at=version.published_at,
            body=orjson.dumps({METHOD: lists}),
        )


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Without what is null; days and times as text."""
    return {
        name: value.isoformat() if isinstance(value, date | datetime) else value
        for name, value in row.items()
        if value is not None
    }


@contextmanager
def _candidate(target: Target) -> Iterator[Any]:
    """A function that asks the sealed candidate and returns rows by column."""
    if target.duckdb_path is not None:
        with duckdb.connect(str(target.duckdb_path), read_only=True) as connection:

            def ask(query: str) -> list[dict[str, Any]]:
                cursor = connection.execute(query)
                names = [column[0] for column in cursor.description]
                return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

            yield ask
        return
    engine = create_engine(str(target.url))
    try:
        with engine.connect() as connection_:
            yield lambda query: [
                dict(row) for row in connection_.execute(text(query)).mappings()
            ]
    finally:
        engine.dispose()
