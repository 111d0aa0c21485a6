"""Retention deletes a landing file only where the newest versions hold its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import Engine

from ingest import landing, retention
from ingest.landing import Part, Record
from ingest.lastfm.recipes import create_raw_tables
from ingest.load.promote import open_raw
from ingest.recovery import recover
from ingest.retention import expire_landing, require_history
from warehouse import ops, storage, store
from warehouse.duckdb_store import DuckDBStore, version_path
from warehouse.errors import LoadFailed
from warehouse.journal import forget_old_runs
from warehouse.lease import Lease
from warehouse.report import Reporter
from warehouse.run import Recovery, Run, Target
from warehouse.settings import Settings

TODAY = date(2026, 3, 31)
AGES = (0, 5, 20, 40)


@dataclass
class Folder:
    """A data folder whose versions hold a counter a day and little else."""

    settings: Settings
    engine: Engine
    day: date = TODAY
    fence: int = 0
    said: list[str] = field(default_factory=list)

    @property
    def landing_dir(self) -> Path:
        return self.settings.data_dir / "landing"

    def land(self, day: date, answers: int = 1) -> Part:
        """A landing part of that day with a counter in each answer."""
        records = [
            Record(
                call_id=f"{day}-{number}",
                run_id="run",
                as_of_date=day,
                method="artist.getInfo",
                params={"artist": str(number)},
                context=None,
                attempt=1,
                fetched_at=datetime(day.year, day.month, day.day),
                status=200,
                body=b'{"listeners": %d}' % (day.toordinal() + number),
                verdict="data",
            )
            for number in range(answers)
        ]
        return landing.write_part(self.landing_dir, day, "run", records, self.engine)

    def load(self, path: Path, parts: list[Part]) -> None:
        """Into the raw of a file: the parts it lacks, and their counters."""
        with duckdb.connect(str(path)) as connection:
            connection.execute("create schema if not exists raw")
            connection.execute("create table if not exists counters (day date, n int)")
            create_raw_tables(connection, "duckdb")
            there = {
                name
                for (name,) in connection.execute(
                    "select part from raw.load_parts"
                ).fetchall()
            }
            for part in parts:
                if part.part in there:
                    continue
                connection.execute(
                    "insert into raw.load_parts (load_id, part, bytes, answers)"
                    " values (1, ?, ?, ?)",
                    [part.part, part.bytes, part.answers],
                )
                for record in landing.read_part(self.landing_dir, part):
                    connection.execute(
                        "insert into counters values (?, ?)",
                        [record.as_of_date, len(record.body)],
                    )

    def publish(self, day: date, path: Path) -> store.Version:
        """A version of this file."""
        self.fence += 1
        name = f"{day:%Y%m%d}-{self.fence:06d}"
        target = version_path(self.settings.data_dir, name)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(path.read_bytes())
        version = store.Version(
            version=name,
            fence=self.fence,
            run_id=f"run-{self.fence}",
            as_of_date=day,
            published_at=datetime(day.year, day.month, day.day, 12),
            built_through=1,
            project_hash="x",
            bytes=target.stat().st_size,
            row_counts={},
        )
        with self.engine.begin() as connection:
            store.record_version(connection, version)
        return version

    def run(self, candidate: Path, day: date = TODAY) -> Run:
        return Run(
            settings=self.settings,
            engine=self.engine,
            run_id="run",
            as_of_date=day,
            lease=Lease(
                self.engine, "run", self.settings.data_dir / "alive", seconds=60
            ),
            reporter=Reporter(quiet=True),
            work_dir=self.settings.data_dir / "work",
            last_published=day,
            target=Target(duckdb_path=candidate),
        )

    def landed(self, part: Part) -> bool:
        return (self.landing_dir / part.part).exists()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Callable[..., Folder]]:
    engines = []

    def make(**settings: int) -> Folder:
        made = Settings(data_dir=tmp_path, **settings)  # type: ignore[arg-type]
        engines.append(ops.open_ops(made))
        ops.ensure_tables(engines[-1], landing.metadata)
        return Folder(made, engines[-1])

    yield make
    for engine in engines:
        engine.dispose()


@pytest.mark.parametrize(
    ("keep_days", "newest", "before", "candidate", "left"),
    [
        (10, AGES, AGES, AGES, {0, 5}),
        (10, AGES, (0, 5, 20), AGES, {0, 5, 40}),
        (10, (0, 5, 40), AGES, AGES, {0, 5, 20}),
        (10, AGES, AGES, (0, 5, 20), {0, 5, 40}),
        (10, AGES, None, AGES, set(AGES)),
        (0, AGES, AGES, AGES, set(AGES)),
    ],
    ids=[
        "all hold all",
        "the version before lacks one",
        "the newest lacks one",
        "the candidate lacks one",
        "only one version",
        "none go",
    ],
)
def test_what_is_old_and_in_the_newest_versions_goes_and_nothing_else(
    folder: Callable[..., Folder],
    tmp_path: Path,
    keep_days: int,
    newest: tuple[int, ...],
    before: tuple[int, ...] | None,
    candidate: tuple[int, ...],
    left: set[int],
) -> None:
    made = folder(keep_landing_days=keep_days)
    parts = {age: made.land(TODAY - timedelta(days=age)) for age in AGES}
    for name, ages in (("b", before), ("a", newest), ("c", candidate)):
        if ages is not None:
            made.load(tmp_path / f"{name}.duckdb", [parts[age] for age in ages])
            if name != "c":
                made.publish(TODAY, tmp_path / f"{name}.duckdb")
    expire_landing(made.run(tmp_path / "c.duckdb"))
    assert {age for age in AGES if made.landed(parts[age])} == left


@pytest.mark.parametrize("harm", ["missing", "cut", "other bytes recorded", "none"])
def test_a_copy_that_is_not_proved_is_none(
    folder: Callable[..., Folder], tmp_path: Path, harm: str
) -> None:
    made = folder(keep_landing_days=10)
    part = made.land(TODAY - timedelta(days=40))
    path = tmp_path / "c.duckdb"
    made.load(path, [part])
    versions = [made.publish(TODAY, path) for _ in range(2)]
    file = version_path(tmp_path, versions[0].version)
    if harm == "missing":
        file.unlink()
    elif harm == "cut":
        file.write_bytes(file.read_bytes()[:20_000])
    elif harm == "other bytes recorded":
        with duckdb.connect(str(file)) as connection:
            connection.execute("update raw.load_parts set bytes = bytes - 1")
    expire_landing(made.run(path))
    assert made.landed(part) == (harm != "none")


@pytest.mark.postgres
def test_on_postgresql_what_raw_holds_goes(tmp_path: Path, postgres_url: str) -> None:
    settings = Settings(
        data_dir=tmp_path, warehouse_url=postgres_url, keep_landing_days=10
    )
    engine = ops.open_ops(settings)
    ops.ensure_tables(engine, landing.metadata)
    made = Folder(settings, engine)
    old, unlike, unloaded, new = (
        made.land(TODAY - timedelta(days=age), age) for age in (40, 39, 38, 1)
    )
    run = made.run(tmp_path)
    run.target = Target(url=settings.warehouse_url)
    with open_raw(run.target) as raw:
        for part, more in ((old, 0), (unlike, 1), (new, 0)):
            raw.run(
                "insert into raw.load_parts (load_id, part, bytes, answers) values"
                f" (1, '{part.part}', {part.bytes}, {part.answers + more})"
            )
    expire_landing(run)
    assert [made.landed(one) for one in (old, unlike, unloaded, new)] == [
        False,
        True,
        True,
        True,
    ]
    require_history(run)
    stored = storage.measure(settings, engine)
    assert stored.bytes["database"] > 1_000_000
    engine.dispose()


def test_a_file_that_is_not_what_was_published_is_no_copy(
    folder: Callable[..., Folder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = folder(keep_landing_days=10)
    part = made.land(TODAY - timedelta(days=40))
    path = tmp_path / "c.duckdb"
    made.load(path, [part])
    for _ in range(2):
        made.publish(TODAY, path)
    monkeypatch.setattr(retention, "digest_of", lambda *_: "of another file")
    expire_landing(made.run(path))
    assert made.landed(part)


def test_a_version_from_before_what_is_gone_is_not_gone_on_from(
    folder: Callable[..., Folder], tmp_path: Path
) -> None:
    made = folder(keep_landing_days=10, keep_versions=2)
    first, second = (made.land(TODAY - timedelta(days=age)) for age in (40, 39))
    old, new = tmp_path / "old.duckdb", tmp_path / "new.duckdb"
    made.load(old, [first])
    made.load(new, [first, second])
    made.publish(TODAY - timedelta(days=39), old)
    newest = [made.publish(TODAY, new) for _ in range(2)][-1]
    expire_landing(made.run(new))
    assert not made.landed(first) and not made.landed(second)
    require_history(made.run(new))
    with pytest.raises(LoadFailed, match=f"lacks day 2026-02-20.*{newest.version}"):
        require_history(made.run(old))
    begun_from_landing = made.run(tmp_path / "none.duckdb")
    begun_from_landing.last_published = None
    require_history(begun_from_landing)
    # A journal that is made again knows from the newest version what is gone.
    with made.engine.begin() as connection:
        connection.execute(landing.landing_parts.delete())
    require_history(made.run(old))
    with made.engine.begin() as connection:
        said = recover(Recovery(made.settings, connection, new)).text
    assert said == "2 landing files that had expired"
    require_history(made.run(new))
    with pytest.raises(LoadFailed, match="lacks day 2026-02-20"):
        require_history(made.run(old))


# Day by day ----------------------------------------------------------------------

ANSWERS = 5


@pytest.mark.parametrize(
    ("days", "budget_mb"),
    [(65, 15), pytest.param(400, 40, marks=pytest.mark.chaos)],
)
def test_day_after_day_stays_within_its_budget_and_has_the_counters_of_every_day(
    folder: Callable[..., Folder], tmp_path: Path, days: int, budget_mb: int
) -> None:
    """Retention, thinning and the journal's pruning as the daily run calls them."""
    made = folder(
        keep_landing_days=20,
        keep_journal_days=60,
        storage_budget_mb=budget_mb,
        keep_versions=3,
    )
    warehouse = DuckDBStore(made.settings, made.engine)
    candidate = tmp_path / "candidate.duckdb"
    first = TODAY - timedelta(days=days - 1)
    most = {"total": 0, "landing": 0, "runs": 0}
    for number in range(days):
        day = first + timedelta(days=number)
        part = made.land(day, ANSWERS)
        run = made.run(candidate, day)
        require_history(run)
        expire_landing(run)
        made.load(candidate, [part])
        _enter_run(made, day)
        version = made.publish(day, candidate)
        stored = storage.measure(made.settings, made.engine)
        store.drop_old_versions(warehouse, made.engine, _choice(made, stored))
        forget_old_runs(made.engine, made.settings.keep_journal_days)
        if number % 20 == 0 or number == days - 1:
            stored = storage.measure(made.settings, made.engine)
            assert stored.warning(made.settings) is None, stored.summary()
            with made.engine.begin() as connection:
                runs = connection.exec_driver_sql("select count(*) from runs").scalar()
                parts = landing.list_parts(connection)
            most["runs"] = max(most["runs"], runs or 0)
            most["landing"] = max(most["landing"], len(parts))
            most["total"] = max(most["total"], stored.total_bytes)
    assert most["landing"] <= 22 and most["runs"] <= 75
    with duckdb.connect(str(version_path(tmp_path, version.version))) as newest:
        counted = newest.execute("select day, count(*) from counters group by 1")
        found = dict(counted.fetchall())
    assert len(found) == days and set(found.values()) == {ANSWERS}
    with made.engine.begin() as connection:
        kept = store.kept_versions(connection)
    assert 3 <= len(kept) <= 3 + 4 + 3
    print(f"largest: {most}, kept: {[str(v.as_of_date) for v in kept]}")


def _choice(
    made: Folder, stored: storage.Storage
) -> Callable[[list[store.Version]], list[store.Version]]:
    return lambda kept: storage.chosen(made.settings, kept, stored.spare_bytes)


def _enter_run(made: Folder, day: date) -> None:
    at = datetime(day.year, day.month, day.day, 1)
    with made.engine.begin() as connection:
        connection.execute(
            ops.runs.insert().values(
                run_id=f"run-{made.fence + 1}",
                fence=made.fence + 1,
                command="daily",
                as_of_date=day,
                state="done",
                host="here",
                pid=1,
                started_at=at,
                finished_at=at,
            )
        )
        connection.execute(
            ops.run_steps.insert().values(
                run_id=f"run-{made.fence + 1}",
                step="fetch",
                state="done",
                started_at=at,
                detail="{}",
            )
        )
