"""The run journal: what each run did, step by step, and what it left behind.

Owns the rows of ``runs`` and ``run_steps``. States of a run: ``running``, ``done``,
``failed`` (the error says why) and ``abandoned`` (it died; found by the next run).
Times are the database's: runs of several machines are in one order.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, delete, func, insert, select, update

from warehouse import ops
from warehouse.lease import host_name
from warehouse.redact import redact


@dataclass(frozen=True)
class StepRecord:
    """One step of a run as the journal has it."""

    step: str
    state: str
    started_at: datetime
    finished_at: datetime | None
    detail: dict[str, Any]


class Journal:
    """Writes the journal of one run."""

    def __init__(self, engine: Engine, run_id: str) -> None:
        self.engine = engine
        self.run_id = run_id

    def open(self, fence: int, command: str, as_of_date: date) -> None:
        """Enter the run."""
        with self.engine.begin() as connection:
            connection.execute(
                insert(ops.runs).values(
                    run_id=self.run_id,
                    fence=fence,
                    command=command,
                    as_of_date=as_of_date,
                    state="running",
                    host=host_name(),
                    pid=os.getpid(),
                    started_at=ops.database_time(connection),
                )
            )

    def start(self, step: str) -> None:
        """Enter the start of a step."""
        with self.engine.begin() as connection:
            connection.execute(
                update(ops.runs)
                .where(ops.runs.c.run_id == self.run_id)
                .values(step=step)
            )
            connection.execute(
                insert(ops.run_steps).values(
                    run_id=self.run_id,
                    step=step,
                    state="running",
                    started_at=ops.database_time(connection),
                )
            )

    def finish(self, step: str, detail: dict[str, Any], state: str = "done") -> None:
        """Enter the end of a step with its counts."""
        with self.engine.begin() as connection:
            connection.execute(
                update(ops.run_steps)
                .where(
                    ops.run_steps.c.run_id == self.run_id, ops.run_steps.c.step == step
                )
                .values(
                    state=state,
                    finished_at=ops.database_time(connection),
                    detail=redact(json.dumps(detail, default=str)),
                )
            )

    def close(
        self, state: str, version: str | None = None, error: str | None = None
    ) -> None:
        """Enter the end of the run."""
        with self.engine.begin() as connection:
            connection.execute(
                update(ops.runs)
                .where(ops.runs.c.run_id == self.run_id, ops.runs.c.state == "running")
                .values(
                    state=state,
                    finished_at=ops.database_time(connection),
                    version=version,
                    error=redact(error) if error else None,
                )
            )


def abandon_dead_runs(engine: Engine, fence: int) -> list[str]:
    """Close the entries of older runs that never finished; a sentence for each.

    One that died after it had published did its day.
    """
    said = []
    with engine.begin() as connection:
        dead = connection.execute(
            select(ops.runs.c.run_id, ops.runs.c.step, ops.versions.c.version)
            .outerjoin(ops.versions, ops.versions.c.run_id == ops.runs.c.run_id)
            .where(ops.runs.c.state == "running", ops.runs.c.fence < fence)
        ).all()
        for run_id, step, version in dead:
            where = f"died or froze in step {step or 'start'}"
            if version is None:
                said.append(
                    f"run {run_id} (in {step or 'start'}) did not finish; its work is"
                    " discarded"
                )
            else:
                said.append(f"run {run_id} died after it had published {version}")
            connection.execute(
                update(ops.runs)
                .where(ops.runs.c.run_id == run_id)
                .values(
                    state="abandoned" if version is None else "done",
                    finished_at=ops.database_time(connection),
                    version=version,
                    error=where if version is None else None,
                )
            )
    return said


def forget_old_runs(engine: Engine, days: int) -> int:
    """Delete what runs did more than so many days before the newest; returns how many.

    The oldest run stays (see :func:`first_day`), those of kept versions, which know
    their file's hash, and the newest that settled: whether an exchange must be there.
    """
    runs, steps = ops.runs.c, ops.run_steps.c
    kept = select(ops.versions.c.run_id).where(ops.versions.c.dropped_at.is_(None))
    with engine.begin() as connection:
        newest = connection.execute(select(func.max(runs.started_at))).scalar()
        if newest is None:
            return 0
        before = newest - timedelta(days=days)
        ends = [
            select(runs.run_id).order_by(runs.as_of_date, runs.fence).limit(1),
            select(steps.run_id)
            .where(steps.step == "settle", steps.state == "done")
            .order_by(steps.started_at.desc())
            .limit(1),
        ]
        stay = set[str]()
        for query in ends:
            stay.update(connection.execute(query).scalars())
        old = set[str](
            connection.execute(
                select(runs.run_id).where(
                    runs.started_at < before,
                    runs.state != "running",
                    runs.run_id.not_in(kept),
                    runs.run_id.not_in(stay),
                )
            ).scalars()
        )
        for table in (ops.run_steps, ops.runs):
            connection.execute(delete(table).where(table.c.run_id.in_(old)))
        connection.execute(
            delete(ops.versions).where(ops.versions.c.dropped_at < before)
        )
    return len(old)


def first_day(engine: Engine) -> date | None:
    """The oldest day a run was for; None before the first run."""
    with engine.connect() as connection:
        found: date | None = connection.execute(
            select(func.min(ops.runs.c.as_of_date))
        ).scalar()
    return found


def last_runs(engine: Engine, count: int) -> list[dict[str, Any]]:
    """The newest runs, newest first, each with its steps (keys as the columns)."""
    with engine.connect() as connection:
        rows = connection.execute(
            select(ops.runs).order_by(ops.runs.c.fence.desc()).limit(count)
        ).mappings()
        found = [dict(row) for row in rows]
        for run in found:
            steps = connection.execute(
                select(ops.run_steps)
                .where(ops.run_steps.c.run_id == run["run_id"])
                .order_by(ops.run_steps.c.started_at)
            ).mappings()
            run["steps"] = [
                StepRecord(
                    step=row["step"],
                    state=row["state"],
                    started_at=row["started_at"],
                    finished_at=row["finished_at"],
                    detail=json.loads(row["detail"] or "{}"),
                )
                for row in steps
            ]
    return found
