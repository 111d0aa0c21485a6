"""Which landing files may go, and whether a run lacks what went.

Owns the rule that nothing goes of which this is the last copy. With the embedded engine
the rows live in files, one a version: a landing file may go when the candidate and the
newest versions hold it, at least two of them and proved whole. PostgreSQL has one raw.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from ingest import landing
from ingest.corrections import RUN as CORRECTION_RUN
from ingest.exports.landing import RUN as IMPORT_RUN
from ingest.landing import Part
from ingest.load.promote import loaded_parts
from warehouse.duckdb_store import version_path
from warehouse.errors import Damaged, LoadFailed
from warehouse.plurals import plural
from warehouse.run import Run
from warehouse.store import Version, digest_of, kept_versions
from warehouse.version_file import digest, reading

LEAST_COPIES = 2
_OWN_RUNS = (IMPORT_RUN, CORRECTION_RUN)
_HELD = "select part, bytes, answers from raw.load_parts"


def expire_landing(run: Run) -> None:
    """Delete landing files older than the settings say, where others hold their rows.

    A rollback to one of the newest versions loads what came after it from landing
    again, so all of these must hold a file before it goes.
    """
    days = run.settings.keep_landing_days
    if not days:
        return
    before = run.as_of_date - timedelta(days=days)
    with run.engine.begin() as connection:
        # What people brought can be asked of nobody again: it stays.
        old = [
            part
            for part in landing.list_parts(connection)
            if part.as_of_date < before and not part.run_id.startswith(_OWN_RUNS)
        ]
        kept = kept_versions(connection)[: run.settings.keep_versions]
        written = {
            version.version: digest_of(connection, version)
            for version in kept[:LEAST_COPIES]
        }
    if not old:
        return
    held = loaded_parts(run.target)
    old = [part for part in old if held.get(part.part) == (part.bytes, part.answers)]
    if not run.settings.is_postgres:
        old = _held_by(run, kept, written, old)
    gone = landing.expire(run.landing_dir, run.engine, before, {p.part for p in old})
    if gone:
        size = sum(part.bytes for part in gone) / 1e6
        run.reporter.line(
            f"expired:  {plural(len(gone), 'loaded landing file')} ({size:,.1f} MB)"
            f" over {plural(days, 'day')} old"
        )


def _held_by(
    run: Run,
    kept: list[Version],
    written: dict[str, str | None],
    parts: list[Part],
) -> list[Part]:
    """Those of the parts that each of these versions holds as they were recorded."""
    if len(kept) < LEAST_COPIES:
        return []
    for version in kept:
        if not parts:
            return []
        path = version_path(run.settings.data_dir, version.version)
        wanted = written.get(version.version)
        try:
            with reading(path) as file:
                held = set(file.execute(_HELD).fetchall())
            if wanted is not None and digest(path) != wanted:
                return []
        except (Damaged, OSError):
            return []
        parts = [p for p in parts if (p.part, p.bytes, p.answers) in held]
    return parts


def require_history(run: Run) -> None:
    """Refuse to go on from a version that lacks rows whose landing files are gone.

    After a rollback over a long time the next version would lose those days.

    Raises:
        LoadFailed: naming the days and the way out.
    """
    with run.engine.begin() as connection:
        gone = landing.removed_parts(connection)
        kept = kept_versions(connection)
    if not gone:
        return
    if run.last_published is None:
        # `repair --from-landing`: no version was whole, there is no way back.
        run.reporter.line(f"lost:     {_days(gone)}, which only lost versions held")
        return
    held = loaded_parts(run.target)
    lacking = [part for part in gone if part.part not in held]
    if lacking:
        raise LoadFailed(
            f"the published version lacks {_days(lacking)}, whose landing files are"
            f" gone; only newer versions have them: `scrobble rollback --to"
            f" {kept[0].version}` goes on from the newest"
        )


def _days(parts: Iterable[Part]) -> str:
    days = sorted({part.as_of_date for part in parts})
    if len(days) == 1:
        return f"day {days[0]}"
    return f"{len(days)} days from {days[0]} to {days[-1]}"
