"""What the daily run asks of a warehouse engine.

Owns the protocol both engines answer to and the rows of ``versions`` and ``published``
they share. Must not hold SQL of one engine.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from sqlalchemy import Connection, Engine, delete, insert, select, update

from warehouse import ops
from warehouse.errors import PublishFailed
from warehouse.run import Run, Target


@dataclass(frozen=True)
class Version:
    """A published version of the marts."""

    version: str
    fence: int
    run_id: str
    as_of_date: date
    published_at: datetime
    built_through: int
    project_hash: str
    bytes: int
    row_counts: dict[str, int]


Enter = Callable[[Connection], None]
"""Enters what a version landed of itself, in the transaction that publishes it."""


@dataclass(frozen=True)
class Audit:
    """What a finished candidate holds, read after it was closed and reopened."""

    row_counts: dict[str, int]
    built_through: int
    bytes: int


class Store(Protocol):
    """A warehouse engine as the daily run sees it."""

    def repair(self) -> list[str]:
        """Mend what a dead run left; one sentence for each thing mended."""

    def open_candidate(self, run: Run, base: Version | None) -> Target:
        """Make the place this run loads and builds in, starting from `base`."""

    def seal(self, run: Run) -> Audit:
        """Close the candidate and read back what it holds."""

    def publish(self, run: Run, version: Version, enter: Enter | None = None) -> None:
        """Make the sealed candidate what readers see, all at once, fence checked.

        `enter` is called last in the same transaction.
        """

    def repoint(self, connection: Connection, version: Version) -> None:
        """Make an older version what readers see (rollback).

        Called in the transaction on the journal that moves its row.
        """

    def broken(self, version: Version) -> str | None:
        """Why a kept version cannot be read; None where it can."""

    def drop(self, version: Version) -> None:
        """Remove a version nobody reads any more."""

    def discard(self, run: Run) -> None:
        """Remove the candidate of a run that will not publish."""


def published_version(connection: Connection, *, hold: bool = False) -> Version | None:
    """The version readers see now; `hold` keeps it from moving in this transaction."""
    query = select(ops.published.c.version)
    query = query.with_for_update() if hold else query
    name = connection.execute(query).scalar_one_or_none()
    return find_version(connection, name) if name is not None else None


def find_version(
    connection: Connection, name: str, *, is_dropped: bool = False
) -> Version | None:
    """A version by name: one that is still kept, or (`is_dropped`) one that was."""
    dropped_at = ops.versions.c.dropped_at
    row = connection.execute(
        select(ops.versions).where(
            ops.versions.c.version == name,
            dropped_at.is_not(None) if is_dropped else dropped_at.is_(None),
        )
    ).first()
    return _version(row) if row is not None else None


def kept_versions(connection: Connection) -> list[Version]:
    """All versions that can be read or rolled back to, newest first."""
    rows = connection.execute(
        select(ops.versions)
        .where(ops.versions.c.dropped_at.is_(None))
        .order_by(ops.versions.c.fence.desc())
    )
    return [_version(row) for row in rows]


def record_version(connection: Connection, version: Version) -> None:
    """Enter a version and make it the published one."""
    enter_version(connection, version)
    point_to(connection, version)


def enter_version(connection: Connection, version: Version) -> None:
    """Enter a version among those that are kept."""
    connection.execute(
        insert(ops.versions).values(
            version=version.version,
            fence=version.fence,
            run_id=version.run_id,
            as_of_date=version.as_of_date,
            published_at=version.published_at,
            built_through=version.built_through,
            project_hash=version.project_hash,
            bytes=version.bytes,
            row_counts=json.dumps(version.row_counts, sort_keys=True),
        )
    )


def point_to(connection: Connection, version: Version) -> None:
    """Make `version` the published one."""
    values = {
        "version": version.version,
        "fence": version.fence,
        "as_of_date": version.as_of_date,
        "published_at": version.published_at,
    }
    # Moved rather than replaced: a rollback beside a publish waits instead of failing.
    moved = connection.execute(update(ops.published).values(**values))
    if not moved.rowcount:
        connection.execute(insert(ops.published).values(name="current", **values))


def point_to_nothing(connection: Connection) -> None:
    """Nothing is published any more: the next run begins anew."""
    connection.execute(delete(ops.published))


def forget_version(connection: Connection, version: Version) -> None:
    """Take a version out of those that can be read or rolled back to."""
    connection.execute(
        update(ops.versions)
        .where(ops.versions.c.version == version.version)
        .values(dropped_at=ops.database_time(connection))
    )


def keep_again(connection: Connection, version: Version) -> None:
    """Enter a version that was lost among those that are kept."""
    connection.execute(
        update(ops.versions)
        .where(ops.versions.c.version == version.version)
        .values(dropped_at=None)
    )


def is_accounted_for(connection: Connection, name: str) -> bool:
    """Whether the journal knows what became of a version that is not kept.

    It was dropped, or its run is known and has published nothing by this name.
    """
    if connection.execute(
        select(ops.versions.c.version).where(ops.versions.c.version == name)
    ).first():
        return True
    fence = name.rpartition("-")[2]
    return fence.isdigit() and bool(
        connection.execute(
            select(ops.runs.c.run_id).where(ops.runs.c.fence == int(fence))
        ).first()
    )


def digest_of(connection: Connection, version: Version) -> str | None:
    """The hash of a version's file as its run noted it; None where it did not."""
    found = connection.execute(
        select(ops.run_steps.c.detail).where(
            ops.run_steps.c.run_id == version.run_id, ops.run_steps.c.step == "publish"
        )
    ).scalar()
    digest = json.loads(found or "{}").get("digest")
    return str(digest) if digest else None


def roll_back(store: Store, engine: Engine, to: str | None) -> tuple[Version, Version]:
    """Point readers to an older version; returns (from, to).

    Raises:
        PublishFailed: nothing is published, or there is no such version to go to.
    """
    with engine.begin() as connection:
        current = published_version(connection, hold=True)
        if current is None:
            raise PublishFailed("nothing is published yet; run `make daily` first")
        older = [
            version
            for version in kept_versions(connection)
            if (version.version == to if to else version.fence < current.fence)
        ]
        if not older:
            known = ", ".join(v.version for v in kept_versions(connection))
            raise PublishFailed(
                f"there is no {f'version {to}' if to else 'older version'} to roll back"
                f" to; kept versions: {known}"
            )
        target = older[0]
        store.repoint(connection, target)
        point_to(connection, target)
    return current, target


def drop_old_versions(
    store: Store, engine: Engine, choose: Callable[[list[Version]], list[Version]]
) -> list[Version]:
    """Remove the versions that `choose` leaves out of the kept ones, newest first.

    The published one always stays.
    """
    with engine.begin() as connection:
        current = published_version(connection, hold=True)
        kept = kept_versions(connection)
        stay = {version.version for version in choose(kept)}
        if current is not None:
            stay.add(current.version)
        old = [version for version in kept if version.version not in stay]
        for version in old:
            forget_version(connection, version)
    for version in old:
        store.drop(version)
    return old


def _version(row: object) -> Version:
    values = dict(row._mapping)  # type: ignore[attr-defined]
    values.pop("dropped_at")
    values["row_counts"] = json.loads(values["row_counts"])
    return Version(**values)
