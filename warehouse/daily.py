"""The daily run: fetch, load, build, check, settle, publish.

Owns the order of the steps, what is said at the end, and how a run ends. Every step is
in the journal; a run that dies leaves its fence behind, and the next run discards its
work and does the day again from what has been landed.
"""

from __future__ import annotations

import errno
import secrets
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

import duckdb
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from warehouse import forgetting, gates, hooks, marts_file, ops, storage, store
from warehouse.build import at_once
from warehouse.builder import Builder
from warehouse.duckdb_store import FILE
from warehouse.engines import open_store
from warehouse.errors import (
    BuildFailed,
    Busy,
    Damaged,
    DiskFull,
    GateRefused,
    LoadFailed,
    NotWritable,
    SettingsError,
    WarehouseError,
)
from warehouse.frozen import end_frozen_writer
from warehouse.interruption import interruptible, let_go
from warehouse.journal import (
    Journal,
    abandon_dead_runs,
    forget_old_runs,
)
from warehouse.lease import Lease
from warehouse.plurals import plural
from warehouse.project import project_hash
from warehouse.recovery import after_dead_run, recover
from warehouse.redact import redact
from warehouse.report import Reporter
from warehouse.run import Run, Step, StepResult, Target
from warehouse.settings import Settings

STEPS = ("fetch", "load", "build", "check", "settle", "publish")


@dataclass(frozen=True)
class Outcome:
    """How a run ended: the version published, or None with the reason in `text`."""

    version: str | None
    text: str


@dataclass(frozen=True)
class _Order:
    """What a run was asked to do (see :func:`daily`)."""

    as_of: date
    command: str
    steps: tuple[str, ...]
    accept: tuple[str, ...]
    force: bool
    full_refresh: bool


def daily(
    settings: Settings,
    *,
    as_of: date | None = None,
    command: str = "daily",
    steps: tuple[str, ...] = STEPS,
    accept: tuple[str, ...] = (),
    force: bool = False,
    full_refresh: bool = False,
    reporter: Reporter | None = None,
) -> Outcome:
    """Do one day, whole or not at all.

    Args:
        as_of: the UTC day to bring the warehouse up to; where it is None the day it is
            on the database's clock.
        steps: a subset of :data:`STEPS`; without ``publish`` readers see no change.
        accept: names of gates whose verdict the operator overrides.
        force: run although the day is published already.
        full_refresh: build every mart anew from schema raw.

    Raises:
        WarehouseError: the exit code tells the cause, the message the way out.
    """
    if unknown := sorted(set(accept) - set(gates.GATES)):
        known = ", ".join(gates.GATES)
        raise SettingsError(f"there is no gate {unknown[0]!r}; the gates are: {known}")
    with reporter or Reporter() as said, outages_said_clearly():
        if not settings.is_postgres:
            ended = end_frozen_writer(ops.journal_path(settings))
            if ended is not None:
                said.line(f"mended:   {ended}")
        engine = ops.open_ops(settings)
        try:
            order = _Order(
                _day(engine, as_of), command, steps, accept, force, full_refresh
            )
            for mended in recover(settings, engine):
                said.line(f"mended:   {mended}")
            if _has_to_forget(settings, engine, order):
                order = replace(order, force=True)
            done = None if order.force else _already_done(settings, engine, order, said)
            if done is not None:
                said.line(done.text)
                return done
            return _locked(settings, engine, order, said)
        finally:
            engine.dispose()


def _day(engine: Engine, as_of: date | None) -> date:
    """The day to do, held against the database's clock.

    Raises:
        SettingsError: it has not begun.
    """
    with engine.begin() as connection:
        today = ops.database_time(connection).date()
    if as_of is not None and as_of > today:
        raise SettingsError(f"--as-of {as_of} is in the future; today is {today} (UTC)")
    return as_of or today


def _has_to_forget(settings: Settings, engine: Engine, order: _Order) -> bool:
    """Whether the day that is published has to be done again without somebody."""
    current = _published(engine)
    return (
        "publish" in order.steps
        and current is not None
        and current.as_of_date == order.as_of
        and bool(forgetting.asked_for(settings, engine))
    )


def _published(engine: Engine) -> store.Version | None:
    with engine.begin() as connection:
        return store.published_version(connection)


def _already_done(
    settings: Settings, engine: Engine, order: _Order, said: Reporter
) -> Outcome | None:
    """Where the day is published: what a dead run left undone is done before."""
    done = _published_for(engine, order.as_of)
    if done is None:
        return None
    lease = _lease(settings, engine)
    try:
        with lease, interruptible():
            _mend(settings, engine, lease, said)
            mended = _published_for(engine, order.as_of)
            if mended is None:
                return None  # its file is lost: the day has to be done again
            done = mended
            if text_ := after_dead_run(settings, lease, done, said):
                said.line(f"mend:     {text_}")
    except Busy:
        pass  # the run at work mends what it finds
    text_ = (
        f"already done: {done.as_of_date} is published as version {done.version}"
        " (--force runs it again)"
    )
    return Outcome(done.version, text_)


def _published_for(engine: Engine, day: date) -> store.Version | None:
    """The published version, if it is of this day or a later one."""
    current = _published(engine)
    return current if current is not None and current.as_of_date >= day else None


def _lease(settings: Settings, engine: Engine) -> Lease:
    run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
    return Lease(engine, run_id, settings.data_dir / "alive", settings.lease_seconds)


def _mend(settings: Settings, engine: Engine, lease: Lease, said: Reporter) -> None:
    """Close the entries of dead runs and clear what they left."""
    for mended in abandon_dead_runs(engine, lease.fence):
        said.line(f"mended:   {mended}")
    for mended in open_store(settings, engine).repair():
        said.line(f"mended:   {mended}")
    _bring_marts_file(settings, said)


def _bring_marts_file(settings: Settings, said: Reporter) -> None:
    if trouble := marts_file.bring(settings):
        said.line(f"warning:  {trouble}")


def _run(
    lease: Lease,
    settings: Settings,
    as_of: date,
    base: store.Version | None,
    said: Reporter,
) -> Run:
    return Run.under(lease, settings, as_of, base.as_of_date if base else None, said)


def _locked(
    settings: Settings, engine: Engine, order: _Order, said: Reporter
) -> Outcome:
    """Do the day under the lease.

    What cannot work is refused before: it closes no market and is in no journal.
    """
    lease = _lease(settings, engine)
    base = _published(engine)
    if "fetch" in order.steps:
        _plugged(_run(lease, settings, order.as_of, base, said), "ready")
    with lease, interruptible():
        _mend(settings, engine, lease, said)
        base = _published(engine)
        # Two runs that started together: the second finds the day done by the first.
        if base is not None and base.as_of_date >= order.as_of and not order.force:
            return Outcome(base.version, "already done")
        journal = Journal(engine, lease.run_id)
        journal.open(lease.fence, order.command, order.as_of)
        warehouse = open_store(settings, engine)
        run = _run(lease, settings, order.as_of, base, said)
        if "publish" in order.steps:
            run.forgets = forgetting.asked_for(settings, engine)
        day = _Day(run, warehouse, journal, base, order.accept, order.full_refresh)
        try:
            outcome = day.walk(order.steps)
        except BaseException as error:
            said.fail()
            let_go(error)
            journal.close("failed", error=f"{type(error).__name__}: {error}")
            _plugged_after(run, "failed")
            if not isinstance(error, BuildFailed):
                warehouse.discard(run)  # a failed build is left to be looked at
            raise
        journal.close("done", outcome.version)
        return outcome


class _Day:
    """The steps of one run, in order."""

    def __init__(
        self,
        run: Run,
        warehouse: store.Store,
        journal: Journal,
        base: store.Version | None,
        accept: tuple[str, ...],
        full_refresh: bool,
    ) -> None:
        self.run = run
        self.warehouse = warehouse
        self.journal = journal
        self.base = base
        self.accept = accept
        self.full_refresh = full_refresh
        self.hash = project_hash()
        self.audit: store.Audit | None = None
        self.builder: Builder | None = None

    def walk(self, steps: tuple[str, ...]) -> Outcome:
        """Do the steps; dbt gets ready beside those that come before its own."""
        if "build" not in steps:
            return self._walk(steps)
        settings = self.run.settings
        kind = Target(url=settings.warehouse_url)
        if not settings.is_postgres:
            kind = Target(duckdb_path=self.run.work_dir / FILE)
        with Builder(kind, settings.parsed_dir) as self.builder:
            return self._walk(steps)

    def _walk(self, steps: tuple[str, ...]) -> Outcome:
        run = self.run
        said = run.reporter
        started = ops.utcnow()
        said.line(
            f"run:      {run.run_id}, day {run.as_of_date}, fence {run.lease.fence}"
        )
        if run.forgets:
            _plugged(run, "forget")
        # A day is settled on a closed market, whether or not this run fetches; where
        # nothing is settled, nothing would open it again.
        if "settle" in steps:
            _plugged(run, "close")
        if "fetch" in steps:
            self._step("fetch", _required("fetch"))
        if set(steps) <= {"fetch"}:
            return Outcome(None, "fetched")
        self._open()
        actions: dict[str, Step] = {
            "load": _required("load"),
            "build": self._build,
            "check": self._check,
            "settle": hooks.STEPS.find("settle") or _no_settlement,
            "publish": self._publish,
        }
        for name, action in actions.items():
            if name in steps:
                self._step(name, action)
        if "publish" not in steps:
            self.warehouse.discard(run)
            return Outcome(None, "tried out, not published")
        _plugged(run, "open")
        self.warehouse.discard(run)
        self._summarise(started, self._tidy())
        return Outcome(run.version, f"published version {run.version}")

    def _step(self, name: str, action: Step) -> None:
        run = self.run
        run.lease.check()
        self.journal.start(name)
        run.reporter.start(name)
        try:
            result = action(run)
        except BaseException as error:
            let_go(error)
            self.journal.finish(name, {"error": str(error)[:2000]}, state="failed")
            raise
        seconds = run.reporter.finish(result.text)
        run.details[name] = {**result.detail, "seconds": round(seconds, 2)}
        self.journal.finish(name, run.details[name])

    def _open(self) -> None:
        run, base = self.run, self.base
        run.target = self.warehouse.open_candidate(run, base)
        if (
            base is not None
            and base.project_hash == self.hash
            and not self.full_refresh
            and not run.forgets
            and not run.target.rebuild
        ):
            run.built_through = base.built_through

    def _build(self, run: Run) -> StepResult:
        assert self.builder is not None, "started where there is a build step"
        result = self.builder.build(
            run.reporter.advance,
            target=run.target,
            as_of_date=run.as_of_date,
            built_through=run.built_through,
            work_dir=run.work_dir,
            threads=at_once(run.target, run.settings.threads),
            version=run.version,
        )
        run.marts = result.marts
        how = "anew" if run.built_through == 0 else "what the new loads touch"
        return StepResult(
            f"{result.models} models ({how}), {result.tests} tests passed",
            {
                "models": result.models,
                "tests": result.tests,
                "full": run.built_through == 0,
                "seconds_starting": round(result.seconds_starting, 2),
                "slowest": result.slowest,
            },
        )

    def _check(self, run: Run) -> StepResult:
        self.audit = self.warehouse.seal(run)
        with run.engine.begin() as connection:
            # Without some listeners there are fewer rows, and nothing to compare with.
            earlier = [] if run.forgets else store.kept_versions(connection)[:14]
        days, ages = _evidence_of_marts(run)
        verdicts = gates.judge(
            gates.Evidence(
                steps=run.details,
                audit=self.audit,
                earlier=earlier,
                days=days,
                ages=ages,
                free_bytes=gates.free_bytes(run.settings.data_dir),
            )
        )
        refused = [g for g in verdicts if not g.passed and g.name not in self.accept]
        if refused:
            lines = "\n".join(f"  {gate.name}: {gate.message}" for gate in refused)
            names = " ".join(f"--accept {gate.name}" for gate in refused)
            raise GateRefused(
                f"{plural(len(refused), 'gate keeps', 'gates keep')} the last version"
                f" published:\n{lines}\n"
                f"  look at `scrobble status`; if it is right, run again with {names}"
            )
        accepted = [g.name for g in verdicts if not g.passed]
        return StepResult(
            f"{len(verdicts) - len(accepted)} gates passed"
            + (f", accepted by hand: {', '.join(accepted)}" if accepted else ""),
            {gate.name: gate.message for gate in verdicts},
        )

    def _publish(self, run: Run) -> StepResult:
        assert self.audit is not None, "the check step seals the candidate"
        with run.engine.begin() as connection:
            now = ops.database_time(connection)
        version = store.Version(
            version=run.version,
            fence=run.lease.fence,
            run_id=run.run_id,
            as_of_date=run.as_of_date,
            published_at=now,
            built_through=self.audit.built_through,
            project_hash=self.hash,
            bytes=self.audit.bytes,
            row_counts=self.audit.row_counts,
        )
        land = hooks.LANDINGS.find("published")
        with land(run, version) if land else nullcontext() as enter:
            self.warehouse.publish(run, version, enter)
        rows = sum(version.row_counts.values())
        return StepResult(
            f"version {version.version}: {len(version.row_counts)} marts,"
            f" {plural(rows, 'row')}",
            {
                "version": version.version,
                "rows": rows,
                "bytes": version.bytes,
                "digest": run.digest,
                "storage": dict(storage.measure(run.settings, run.engine).bytes),
            },
        )

    def _tidy(self) -> int:
        """Thin versions and journal; returns how many versions went.

        Where listeners were deleted every older version goes: they are in it.
        """
        run, settings = self.run, self.run.settings
        if run.forgets:
            marts_file.forget(settings)
        _bring_marts_file(settings, run.reporter)
        spare = storage.measure(settings, run.engine).spare_bytes
        dropped = store.drop_old_versions(
            self.warehouse,
            run.engine,
            lambda kept: [] if run.forgets else storage.chosen(settings, kept, spare),
        )
        if run.forgets:
            forgetting.finish(settings, run.engine, run.forgets)
            run.reporter.line(
                f"forgot:   {plural(len(run.forgets), 'listener')} who asked to be"
                f" deleted; {plural(len(dropped), 'older version')} with them"
            )
        forget_old_runs(run.engine, settings.keep_journal_days)
        return len(dropped)

    def _summarise(self, started: datetime, dropped: int) -> None:
        run = self.run
        # A figure that its step does not report is a mistake, one of a step that was
        # not asked for is none.
        nothing: dict[str, Any] = defaultdict(int)
        fetched = run.details.get("fetch", nothing)
        loaded = run.details.get("load", nothing)
        built, published = run.details["build"], run.details["publish"]
        seconds = (ops.utcnow() - started).total_seconds()
        stored = storage.measure(run.settings, run.engine)
        warning = stored.warning(run.settings)
        lines = [
            "",
            f"Published {run.as_of_date} as version {run.version} in {seconds:.1f} s",
            f"  requests      {fetched['requests']:,}"
            f" ({fetched['retries']:,} retries, {fetched['skipped']:,} skipped)",
            f"  bytes         {fetched['bytes']:,} as answered",
            f"  rows loaded   {loaded['rows']:,}",
            f"  dead letters  {loaded['dead_letters']:,}",
            f"  tests passed  {built['tests']}",
            f"  version size  {published['bytes'] / 1e6:,.1f} MB"
            + (f" ({dropped} old versions dropped)" if dropped else ""),
            "  seconds       "
            + ", ".join(f"{k} {v['seconds']:.1f}" for k, v in run.details.items()),
            f"  storage       {stored.summary()}",
            *([f"warning:  {warning}"] if warning else []),
            "",
            "Next: `make serve` for the pages · `make docs` for the tables ·"
            " `scrobble sql` to ask them · `scrobble status`",
        ]
        for line in lines:
            run.reporter.line(line)


def _required(name: str) -> Step:
    step = hooks.STEPS.find(name)
    if step is None:
        raise SettingsError(
            f"no installed package offers the step {name!r};"
            " install the project itself: `make install`"
        )
    return step


def _no_settlement(run: Run) -> StepResult:
    return StepResult("no exchange is installed", {})


def _plugged(run: Run, name: str) -> None:
    """Call an optional side step, which must not change how the run ends."""
    if text_ := hooks.side_step(run, name):
        run.reporter.line(f"{name + ':':<9} {text_}")


def _plugged_after(run: Run, name: str) -> None:
    """The same after an error, which is what has to be told whatever comes of this."""
    try:
        _plugged(run, name)
    except Exception as error:
        run.reporter.line(f"{name + ':':<9} {type(error).__name__}: {error}")


def _evidence_of_marts(run: Run) -> tuple[dict[str, float], list[gates.Age]]:
    """What the sealed candidate says for the gates: a day's counters, and ages."""
    schema = "marts" if run.target.duckdb_path is not None else "marts_build"
    days = ages = None
    with _rows_of(run.target) as ask:
        if counters := gates.counters_sql(schema, run.marts, run.as_of_date):
            days = ask(counters)
        if query := gates.ages_sql(schema, run.marts, run.as_of_date):
            ages = ask(query)
    return (
        {name: float(value) for row in days or () for name, value in row.items()},
        [gates.Age(*row.values()) for row in ages or ()],
    )


@contextmanager
def _rows_of(target: Target) -> Iterator[Callable[[str], list[dict[str, Any]]]]:
    """A function that asks a candidate and returns rows by column."""
    if target.duckdb_path is not None:
        with duckdb.connect(str(target.duckdb_path), read_only=True) as connection:

            def ask(sql: str) -> list[dict[str, Any]]:
                cursor = connection.execute(sql)
                names = [column[0] for column in cursor.description]
                return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

            yield ask
        return
    engine = create_engine(str(target.url))
    try:
        with engine.connect() as connection_:
            yield lambda sql: [
                dict(row) for row in connection_.execute(text(sql)).mappings()
            ]
    finally:
        engine.dispose()


@contextmanager
def outages_said_clearly() -> Iterator[None]:
    try:
        yield
    except WarehouseError as error:
        # dlt and dbt tell what the database said in words only.
        if isinstance(error, LoadFailed | BuildFailed) and _is_disk_full(error):
            raise _disk_full() from error
        raise
    except (OSError, duckdb.Error, sqlite3.Error, SQLAlchemyError) as error:
        if _is_disk_full(error):
            raise _disk_full() from error
        if isinstance(error, PermissionError) or _is_read_only(error):
            raise NotWritable(
                f"the data folder cannot be written ({redact(str(error))[:200]});"
                " nothing was published. Give this login the right to write there"
            ) from error
        if ops.is_damage(error):
            said = redact(str(error))[:200]
            raise Damaged(
                f"a SQLite file of the data folder is damaged ({said}); `scrobble"
                " repair` makes the journal again, an exchange comes from its backup"
            ) from error
        if ops.is_database_lost(error):
            raise ops.database_lost(error) from error
        raise


def _is_disk_full(error: Exception) -> bool:
    said = str(error).lower()
    is_full = isinstance(error, OSError) and error.errno == errno.ENOSPC
    return is_full or "no space left" in said or "disk is full" in said


def _disk_full() -> DiskFull:
    return DiskFull(
        "the disk is full; nothing was published and nothing landed is lost."
        " Free some space (`scrobble status` shows the sizes) and run again"
    )


def _is_read_only(error: Exception) -> bool:
    """Whether a database or file system refused a write as such."""
    said = str(error).lower()
    return "readonly database" in said or "read-only file system" in said
