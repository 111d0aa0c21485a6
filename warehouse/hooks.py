"""What may be plugged into the warehouse: one typed hook for each entry point group.

A package names its objects in its ``[project.entry-points."…"]``. Each group below says
what an entry must be, when it is called, and what it may raise; a test loads every
entry and compares its signature with the protocol. Errors that a person can act on are
:class:`warehouse.errors.WarehouseError`; anything else is a defect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path
from typing import Any, Protocol

import click
from sqlalchemy import Connection, Engine

from warehouse.plugins import Hook
from warehouse.run import Recovered, Recovery, Run, StepResult
from warehouse.settings import GROUPS, Settings
from warehouse.store import Enter, Version


class StepHook(Protocol):
    """A step of the daily run.

    ``fetch`` and ``load`` must be there. ``settle`` is called on the sealed candidate,
    ``forget`` and ``close`` before the fetch, ``open`` after the publishing, ``failed``
    when a run ended early, ``mend`` where the day turns out to be published already: it
    does what a run that died after publishing left undone. ``forget`` is called only
    where ``Run.forgets`` names listeners, and deletes what the package keeps of them.
    Called in the process that holds the lease; it must be safe to run again after a
    kill at any moment. Only ``ready`` is
    called before there is a lease: it refuses what cannot work and changes nothing.
    """

    def __call__(self, run: Run, /) -> StepResult: ...


class LandingHook(Protocol):
    """``published``: lands what a version newly says, so that it is a source itself.

    Called with the sealed candidate before it is published. Gives a function that is
    called in the publishing transaction; a file whose entry was not committed with it
    was never landed.
    """

    def __call__(
        self, run: Run, version: Version, /
    ) -> AbstractContextManager[Enter]: ...


class RecoveryHook(Protocol):
    """Brings back what a package keeps in the journal, from what else knows it.

    Called in the transaction that makes a lost journal of the embedded engine again;
    it enters what is missing and leaves what is there.
    """

    def __call__(self, recovery: Recovery, /) -> Recovered: ...


class FindingsHook(Protocol):
    """``constants``: lands what a command found out of a published version.

    Called while the command holds the lease. The rows are plain values by column; they
    are complete in landing when it returns, and the next run loads them.
    """

    def __call__(
        self,
        engine: Engine,
        landing_dir: Path,
        run_id: str,
        as_of_date: date,
        rows: Sequence[Mapping[str, Any]],
        /,
    ) -> None: ...


class TablesHook(Protocol):
    """Creates or upgrades a package's tables in PostgreSQL, for `scrobble db init`.

    Works in the transaction of the connection, without a commit of its own. Returns
    whether anything changed.
    """

    def __call__(self, connection: Connection, /) -> bool: ...


class LoginHook(Protocol):
    """``demo``: a server where people log in while there is no last.fm key.

    Gives the environment variables with which the service uses it; the server ends
    with the context.
    """

    def __call__(self, engine: Engine, /) -> AbstractContextManager[dict[str, str]]: ...


class JobLost(Exception):
    """Raised by `Job.report`: another worker has taken the job up meanwhile."""


class Job(Protocol):
    """What a running job is told, and whom it tells."""

    @property
    def job_id(self) -> str: ...

    @property
    def listener_name(self) -> str: ...

    @property
    def subject(self) -> str | None:
        """What the job is about, where that is not the listener: an artist's name."""

    @property
    def settings(self) -> Settings: ...

    def report(self, done: int, total: int | None, counts: dict[str, int], /) -> None:
        """Store the progress; raises when the owner has cancelled the job, or
        :class:`JobLost`.

        Args:
            done: parts done.
            total: parts in all; None: not known yet.
            counts: what has been counted so far.
        """

    def is_cancelled(self) -> bool: ...


class JobHook(Protocol):
    """A background job that a person starts; its name is the kind of the job.

    Must be safe to run again from the start: after a crash it is. May return counts.
    """

    def __call__(self, job: Job, /) -> Mapping[str, int] | None: ...


class LookHook(Protocol):
    """Looks whether what a package keeps can be used, for `scrobble doctor`.

    Returns a few words; raises a :class:`warehouse.errors.WarehouseError` that says
    what is wrong. Changes nothing.
    """

    def __call__(self, settings: Settings, /) -> str: ...


def _is_command(item: object) -> bool:
    return isinstance(item, click.Command)


def side_step(run: Run, name: str) -> str:
    """Call an optional side step; a few words of what it did, or none."""
    step = STEPS.find(name)
    return step(run).text if step is not None else ""


#: Subcommands of `scrobble`, by their name on the command line.
COMMANDS: Hook[click.Command] = Hook("scrobble.commands", _is_command)
#: Groups of settings, by the name of their table in the settings file.
SETTINGS = GROUPS
STEPS: Hook[StepHook] = Hook("scrobble.steps")
LANDINGS: Hook[LandingHook] = Hook("scrobble.landings")
RECOVERIES: Hook[RecoveryHook] = Hook("scrobble.recoveries")
FINDINGS: Hook[FindingsHook] = Hook("scrobble.findings")
TABLES: Hook[TablesHook] = Hook("scrobble.tables")
LOGINS: Hook[LoginHook] = Hook("scrobble.logins")
LOOKS: Hook[LookHook] = Hook("scrobble.looks")
JOBS: Hook[JobHook] = Hook("scrobble.jobs")
