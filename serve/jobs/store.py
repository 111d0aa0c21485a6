"""The table of jobs: one function a step of a job's life, one transaction each.

States: queued -> running -> done | failed | cancelled; running -> queued when a worker
died. Who is silent is told by the database's clock: those of two machines may differ.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Engine, and_, func, insert, or_, select, update

from serve.accounts.database import accounts, jobs, writing
from warehouse.ops import database_time

ACTIVE = ("queued", "running")
SILENT = timedelta(seconds=20)
MAX_ATTEMPTS = 3


class QuotaUsed(Exception):
    """The account has started as many jobs of a kind as it may in 24 hours."""


def create(
    engine: Engine,
    account_id: int,
    *,
    kind: str,
    listener_name: str,
    subject: str | None = None,
    most_a_day: int | None = None,
) -> tuple[dict[str, Any], bool]:
    """A new job, or the account's active one of that kind; True when it is new.

    Args:
        subject: what it is about; jobs of other subjects are others.
        most_a_day: so many of that kind may be started in 24 hours.

    Raises:
        QuotaUsed: there were so many.
    """
    with writing(engine).begin() as connection:
        now = database_time(connection)
        # The owner's row is the lock that two requests at once meet at.
        connection.execute(
            select(accounts.c.account_id)
            .where(accounts.c.account_id == account_id)
            .with_for_update()
        )
        row = connection.execute(
            select(jobs).where(
                jobs.c.account_id == account_id,
                jobs.c.kind == kind,
                jobs.c.subject.is_not_distinct_from(subject),
                jobs.c.state.in_(ACTIVE),
            )
        ).first()
        if row is not None:
            return _public(row), False
        if most_a_day is not None:
            begun: int = connection.execute(
                select(func.count()).where(
                    jobs.c.account_id == account_id,
                    jobs.c.kind == kind,
                    jobs.c.created_at > now - timedelta(days=1),
                )
            ).scalar_one()
            if begun >= most_a_day:
                raise QuotaUsed(kind)
        job_id = secrets.token_hex(16)
        connection.execute(
            insert(jobs).values(
                job_id=job_id,
                account_id=account_id,
                kind=kind,
                listener_name=listener_name,
                subject=subject,
                state="queued",
                attempts=0,
                done=0,
                counts="{}",
                is_cancel_requested=False,
                created_at=now,
            )
        )
        row = connection.execute(select(jobs).where(jobs.c.job_id == job_id)).one()
        return _public(row), True


def of_account(
    engine: Engine, account_id: int, *, limit: int, offset: int
) -> list[dict[str, Any]]:
    """The account's jobs, newest first."""
    with engine.begin() as connection:
        rows = connection.execute(
            select(jobs)
            .where(jobs.c.account_id == account_id)
            .order_by(jobs.c.created_at.desc(), jobs.c.job_id)
            .limit(limit)
            .offset(offset)
        ).all()
    return [_public(row) for row in rows]


def find(engine: Engine, account_id: int, job_id: str) -> dict[str, Any] | None:
    """One job of the account; None also when it is somebody else's."""
    with engine.begin() as connection:
        row = connection.execute(
            select(jobs).where(jobs.c.job_id == job_id, jobs.c.account_id == account_id)
        ).first()
    return None if row is None else _public(row)


def cancel(engine: Engine, account_id: int, job_id: str) -> dict[str, Any] | None:
    """Cancel a job: at once when it waits, at its next report when it runs."""
    with writing(engine).begin() as connection:
        now = database_time(connection)
        mine = (jobs.c.job_id == job_id) & (jobs.c.account_id == account_id)
        connection.execute(
            update(jobs)
            .where(mine, jobs.c.state == "queued")
            .values(state="cancelled", is_cancel_requested=True, finished_at=now)
        )
        connection.execute(
            update(jobs)
            .where(mine, jobs.c.state == "running")
            .values(is_cancel_requested=True)
        )
    return find(engine, account_id, job_id)


def claim(engine: Engine, job_id: str, worker: str) -> dict[str, Any] | None:
    """Take a queued job; None when another worker has it or it is over."""
    with writing(engine).begin() as connection:
        now = database_time(connection)
        taken = connection.execute(
            update(jobs)
            .where(jobs.c.job_id == job_id, jobs.c.state == "queued")
            .values(
                state="running",
                worker=worker,
                attempts=jobs.c.attempts + 1,
                started_at=func.coalesce(jobs.c.started_at, now),
                heartbeat_at=now,
            )
        )
        if taken.rowcount != 1:
            return None
        row = connection.execute(select(jobs).where(jobs.c.job_id == job_id)).one()
    return dict(row._mapping)


def _held(job_id: str, worker: str) -> ColumnElement[bool]:
    """Whether the job runs, and with this worker."""
    return and_(
        jobs.c.job_id == job_id, jobs.c.worker == worker, jobs.c.state == "running"
    )


def beat(
    engine: Engine,
    job_id: str,
    worker: str,
    *,
    done: int | None = None,
    total: int | None = None,
    counts: Mapping[str, int] | None = None,
) -> str:
    """Say that the job is alive, and how far: `go`, `cancel`, or `lost` (not ours)."""
    values: dict[str, Any] = {}
    if done is not None:
        values.update(done=done, total=total)
    if counts is not None:
        values["counts"] = json.dumps(dict(counts))
    with writing(engine).begin() as connection:
        values["heartbeat_at"] = database_time(connection)
        mine = _held(job_id, worker)
        if connection.execute(update(jobs).where(mine).values(values)).rowcount != 1:
            return "lost"
        is_cancelled: bool = connection.execute(
            select(jobs.c.is_cancel_requested).where(mine)
        ).scalar_one()
    return "cancel" if is_cancelled else "go"


def finish(
    engine: Engine,
    job_id: str,
    worker: str,
    state: str,
    *,
    counts: Mapping[str, int] | None = None,
    error: str | None = None,
) -> bool:
    """End a job that this worker holds."""
    values: dict[str, Any] = {"state": state, "error": error}
    if counts is not None:
        values["counts"] = json.dumps(dict(counts))
    with writing(engine).begin() as connection:
        values["finished_at"] = database_time(connection)
        ended = connection.execute(
            update(jobs).where(_held(job_id, worker)).values(values)
        )
        return ended.rowcount == 1


def give_back(engine: Engine, job_id: str, worker: str) -> None:
    """Put a job back as its worker ends in order: that is no attempt that failed."""
    with writing(engine).begin() as connection:
        connection.execute(
            update(jobs)
            .where(_held(job_id, worker))
            .values(state="queued", attempts=jobs.c.attempts - 1)
        )


def next_queued(engine: Engine) -> str | None:
    """The id of the job that has waited longest; None where none waits."""
    with engine.begin() as connection:
        return connection.execute(
            select(jobs.c.job_id)
            .where(jobs.c.state == "queued")
            .order_by(jobs.c.created_at, jobs.c.job_id)
            .limit(1)
        ).scalar()


def recover(engine: Engine) -> None:
    """Put jobs of silent workers back, or fail them after three attempts."""
    with writing(engine).begin() as connection:
        now = database_time(connection)
        is_silent = (jobs.c.state == "running") & or_(
            jobs.c.heartbeat_at.is_(None), jobs.c.heartbeat_at < now - SILENT
        )
        connection.execute(
            update(jobs)
            .where(is_silent, jobs.c.is_cancel_requested)
            .values(state="cancelled", finished_at=now)
        )
        connection.execute(
            update(jobs)
            .where(is_silent, jobs.c.attempts >= MAX_ATTEMPTS)
            .values(
                state="failed",
                finished_at=now,
                error=f"the worker died {MAX_ATTEMPTS} times",
            )
        )
        connection.execute(
            update(jobs).where(is_silent).values(state="queued", worker=None)
        )


def _public(row: Any) -> dict[str, Any]:
    total = row.total
    progress = None
    if row.state == "done":
        progress = 100.0
    elif total:
        progress = round(100.0 * min(row.done, total) / total, 1)
    return {
        "job_id": row.job_id,
        "kind": row.kind,
        "listener_name": row.listener_name,
        "subject": row.subject,
        "state": row.state,
        "progress_pct": progress,
        "done": row.done,
        "total": total,
        "counts": json.loads(row.counts),
        "error": row.error,
        "is_cancel_requested": bool(row.is_cancel_requested),
        "attempts": row.attempts,
        "created_at": row.created_at,
        "started_at": row.started_at,
        "finished_at": row.finished_at,
    }
