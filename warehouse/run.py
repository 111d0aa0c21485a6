"""What a step of the daily run is given and gives back.

Owns the contract between the run and the steps that plug into it
(:class:`warehouse.hooks.StepHook`): each is a function of a :class:`Run` returning a
:class:`StepResult`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Engine

from warehouse.lease import Lease
from warehouse.marts import Mart
from warehouse.report import Reporter
from warehouse.settings import Settings


@dataclass(frozen=True)
class Target:
    """The database a run loads and builds in.

    Exactly one of `duckdb_path` (the run's private file) and `url` (PostgreSQL) is set.
    What writes to `url` begins each transaction with :func:`warehouse.fence.guard` and
    `fence`. `rebuild`: what is there cannot be built upon.
    """

    duckdb_path: Path | None = None
    url: str | None = None
    fence: int = 0
    rebuild: bool = False

    @property
    def is_open(self) -> bool:
        """Whether there is a database yet: a fetch has none."""
        return self.duckdb_path is not None or self.url is not None


@dataclass
class Run:
    """One run: who it is, what it works on, and what it has found so far.

    `marts` are those that the build step made, by name; nothing else is published.
    `digest` is the hash of the file that was published, '' where there is none.
    `forgets` are the keys of the listeners of whom nothing may be left when it ends.
    """

    settings: Settings
    engine: Engine
    run_id: str
    as_of_date: date
    lease: Lease
    reporter: Reporter
    work_dir: Path
    last_published: date | None
    version: str = ""
    digest: str = ""
    target: Target = field(default_factory=Target)
    built_through: int = 0
    marts: dict[str, Mart] = field(default_factory=dict)
    details: dict[str, dict[str, Any]] = field(default_factory=dict)
    forgets: tuple[str, ...] = ()

    @classmethod
    def under(
        cls,
        lease: Lease,
        settings: Settings,
        as_of_date: date,
        last_published: date | None,
        reporter: Reporter,
    ) -> Self:
        """The run of a day whose lease this is."""
        return cls(
            settings=settings,
            engine=lease.engine,
            run_id=lease.run_id,
            as_of_date=as_of_date,
            lease=lease,
            reporter=reporter,
            work_dir=settings.data_dir / "work" / lease.run_id,
            last_published=last_published,
            version=f"{as_of_date:%Y%m%d}-{lease.fence:06d}",
        )

    @property
    def landing_dir(self) -> Path:
        """Where landing files are."""
        return self.settings.data_dir / "landing"


@dataclass(frozen=True)
class StepResult:
    """What a step says of itself: a sentence for people, counts for the journal."""

    text: str
    detail: dict[str, Any]


@dataclass(frozen=True)
class Recovery:
    """A journal being made again, in one transaction of `connection`.

    `newest` is the newest version's file; None where there is no version.
    """

    settings: Settings
    connection: Connection
    newest: Path | None


@dataclass(frozen=True)
class Recovered:
    """What a package brought back: a few words, and the newest fence it knows of."""

    text: str = ""
    fence: int = 0


Step = Callable[[Run], StepResult]
