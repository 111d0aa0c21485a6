"""Makes a lost journal again from the versions, the pointer and what plugs in.

Owns the judgement whether the embedded engine's journal lacks what the data folder
shows, and the rows that bring it back. Deletes nothing. PostgreSQL keeps the journal
in one database with the versions, so neither can be lost alone.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from sqlalchemy import Connection, Engine, insert, select, update

from warehouse import hooks, ops, store
from warehouse.aside import move_aside
from warehouse.duckdb_store import DuckDBStore, pointed_version, version_path
from warehouse.engines import open_store
from warehouse.errors import Busy, Damaged
from warehouse.journal import abandon_dead_runs, last_runs
from warehouse.lease import NAME as LEASE
from warehouse.lease import Lease, is_alive
from warehouse.plurals import plural
from warehouse.report import Reporter
from warehouse.run import Recovery, Run
from warehouse.settings import Settings
from warehouse.version_file import NAME, About, read_about, reading


def recover(settings: Settings, engine: Engine, *, fully: bool = False) -> list[str]:
    """Enter what the journal lacks; one sentence for each thing done.

    Args:
        fully: also ask the plug-ins where the journal looks whole.
    """
    if settings.is_postgres:
        return []
    said = []
    with engine.begin() as connection:
        fence = connection.execute(
            select(ops.lease.c.fence).where(ops.lease.c.name == LEASE)
        ).scalar()
        lost = _lost_versions(settings, connection, fence)
        if fence is not None and not lost and not fully:
            return []
        found = []
        for path in lost:
            try:
                found.append(read_about(path))
            except Damaged as error:
                kept = move_aside(settings.data_dir, path)
                said.append(f"{error}; it is kept as {kept}")
        used = set[int](connection.execute(select(ops.runs.c.fence)).scalars())
        found = [about for about in found if about.version.fence not in used]
        for about in found:
            _enter(connection, about)
        _point(settings, connection, found)
        kept_now = store.kept_versions(connection)
        newest = _newest_whole(settings, kept_now)
        fences = [fence or 0, *(version.fence for version in kept_now)]
        texts = [plural(len(found), "version")] if found else []
        for plugged in hooks.RECOVERIES.all().values():
            back = plugged(Recovery(settings, connection, newest))
            fences.append(back.fence)
            texts += [back.text] if back.text else []
        _set_fence(connection, fence, max(fences))
        if texts:
            said.append(f"the journal lacked {', '.join(texts)}: entered again")
    return said


def repair(settings: Settings, *, from_landing: bool = False) -> list[str]:
    """Bring journal, versions, pointer and landing together; a sentence for each.

    Args:
        from_landing: give up a published version that is broken where no other is
            whole.

    Raises:
        Busy: a run is at work.
    """
    said = []
    path = ops.journal_path(settings)
    if not settings.is_postgres and (wrong := ops.sqlite_damage(path)):
        for alive in (settings.data_dir / "alive").glob("*.alive"):
            if is_alive(alive):
                raise Busy(f"run {alive.stem} is at work; repair when it has ended")
        for part in sorted(path.parent.glob(f"{path.name}*")):
            kept = move_aside(settings.data_dir, part)
            said.append(f"{part} is damaged ({wrong}); it is kept as {kept}")
    engine = ops.open_ops(settings)
    try:
        said += recover(settings, engine, fully=True)
        run_id = f"repair-{secrets.token_hex(6)}"
        alive_dir = settings.data_dir / "alive"
        with Lease(engine, run_id, alive_dir, settings.lease_seconds) as lease:
            said += abandon_dead_runs(engine, lease.fence)
            warehouse = open_store(settings, engine)
            if from_landing and isinstance(warehouse, DuckDBStore):
                said += warehouse.begin_from_landing()
            said += warehouse.repair()
            with engine.begin() as connection:
                current = store.published_version(connection)
            if current is not None:
                reporter = Reporter(quiet=True)
                text = after_dead_run(settings, lease, current, reporter)
                said += [text] if text else []
    finally:
        engine.dispose()
    return said


def after_dead_run(
    settings: Settings, lease: Lease, published: store.Version, reporter: Reporter
) -> str:
    """Let the plug-ins do what a dead run left undone; a few words of what they did.

    If the last run published, what came after is done now; if not, it failed.
    """
    day = published.as_of_date
    run = Run.under(lease, settings, day, day, reporter)
    last = last_runs(lease.engine, 1)
    has_published = bool(last) and last[0]["version"] == published.version
    run.version = published.version
    return hooks.side_step(run, "mend" if has_published else "failed")


def _lost_versions(
    settings: Settings, connection: Connection, fence: int | None
) -> list[Path]:
    """The version files that are newer than anything this journal has seen."""
    known = set[str](connection.execute(select(ops.versions.c.version)).scalars())
    return [
        path
        for path in sorted((settings.data_dir / "versions").glob("*.duckdb"))
        if (named := NAME.match(path.name))
        and named[1] not in known
        and (fence is None or int(named[3]) > fence)
    ]


def _newest_whole(settings: Settings, kept: list[store.Version]) -> Path | None:
    """The newest version's file that can be opened."""
    for version in kept:
        path = version_path(settings.data_dir, version.version)
        try:
            with reading(path):
                return path
        except Damaged:
            continue
    return None


def _enter(connection: Connection, about: About) -> None:
    """A version, and the run that made it, as far as its file tells."""
    version = about.version
    store.enter_version(connection, version)
    connection.execute(
        insert(ops.runs).values(
            run_id=version.run_id,
            fence=version.fence,
            command="daily",
            as_of_date=version.as_of_date,
            state="done",
            step="publish",
            host="entered again from the version",
            pid=0,
            started_at=version.published_at,
            finished_at=version.published_at,
            version=version.version,
        )
    )
    for step, detail in about.steps.items():
        connection.execute(
            insert(ops.run_steps).values(
                run_id=version.run_id,
                step=step,
                state="done",
                started_at=version.published_at,
                finished_at=version.published_at,
                detail=json.dumps(detail),
            )
        )


def _point(settings: Settings, connection: Connection, found: list[About]) -> None:
    """The published version is the pointer's; without one that can be read the newest.

    A journal that knows a version keeps its own word unless the pointer is newer.
    """
    if not found:
        return
    versions = {about.version.version: about.version for about in found}
    pointed = versions.get(pointed_version(settings.data_dir) or "")
    if pointed is not None or store.published_version(connection) is None:
        newest = max(versions.values(), key=lambda version: version.fence)
        store.point_to(connection, pointed or newest)


def _set_fence(connection: Connection, before: int | None, fence: int) -> None:
    if before is None:
        if fence:
            connection.execute(insert(ops.lease).values(name=LEASE, fence=fence))
    elif fence > before:
        connection.execute(
            update(ops.lease).where(ops.lease.c.name == LEASE).values(fence=fence)
        )
