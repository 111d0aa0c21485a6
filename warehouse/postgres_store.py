"""The server engine: every published version in one place, told apart by fences.

dbt builds in schema ``marts_build``, which nobody reads. Publishing is one transaction:
it compares each mart with what is published, segment by segment, ends the rows that
went from those that changed (``_to_fence``), inserts those that came (``_from_fence``)
and moves the row in ``ops.published``. The views in ``marts`` show the rows whose
fences hold the published one, so a statement, or a transaction that keeps its snapshot,
sees one whole day; a killed publish leaves nothing; a rollback moves one row; and
removing an old version is a plain delete, which waits for no reader and no reader for
it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import (
    Column,
    Connection,
    Date,
    Engine,
    MetaData,
    String,
    Table,
    create_engine,
    delete,
    insert,
    select,
    text,
)
from sqlalchemy.exc import SQLAlchemyError

from warehouse import fence, mart_store, ops
from warehouse.errors import PublishFailed
from warehouse.lease import clear_dead_work
from warehouse.mart_store import Layout
from warehouse.project import project_hash
from warehouse.run import Run, Target
from warehouse.settings import Settings
from warehouse.store import Audit, Enter, Version, record_version

# The order in which a run fills them; marts_store holds what the views in marts show.
SCHEMAS = ("raw", "staging", "intermediate", "marts_build", "marts_store", "marts")
metadata = MetaData()

workbench = Table(
    "workbench",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("project_hash", String(64), nullable=False, doc="'' while being rebuilt"),
    Column("as_of_date", Date, nullable=False, doc="last day that was built for"),
)


class PostgresStore:
    """Versions as fenced rows in schema ``marts_store``."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        assert settings.warehouse_url is not None
        self.settings = settings
        self.engine = engine
        self.url = settings.warehouse_url
        self._engines: dict[int, Engine] = {}
        ops.ensure_tables(engine, metadata)

    def repair(self) -> list[str]:
        """Remove dead runs' work.

        In the database there is nothing to mend: what a run does before its one
        publishing transaction is done again.
        """
        return clear_dead_work(self.settings.data_dir)

    def open_candidate(self, run: Run, base: Version | None) -> Target:
        """End what older runs still do and note what `marts_build` will hold.

        The workbench tells whether `marts_build` can be built upon: it was left by
        this project, whole, and not for a later day than this run's.
        """
        run.work_dir.mkdir(parents=True, exist_ok=True)
        with self.engine.begin() as connection:
            if ended := fence.dismiss(connection, run.lease.fence):
                run.reporter.line(
                    f"mended:   ended {ended} connections of runs that lost the lock"
                )
        with self._writing(run) as connection:
            for schema in SCHEMAS:
                ensure_schema(connection, schema)
            mart_store.ensure_bookkeeping(connection)
            bench = connection.execute(select(workbench)).first()
            rebuild = (
                bool(run.forgets)
                or bench is None
                or bench.project_hash != project_hash()
                or bench.as_of_date > run.as_of_date
            )
            self._note_bench(connection, run, "" if rebuild else project_hash())
        url = fence.named(self.url, run.lease.fence)
        return Target(url=url, fence=run.lease.fence, rebuild=rebuild)

    def seal(self, run: Run) -> Audit:
        """Count every mart; from here on `marts_build` can be built upon."""
        with self._writing(run) as connection:
            self._note_bench(connection, run, project_hash())
            counts = {
                name: int(
                    connection.execute(
                        text(f'select count(*) from marts_build."{name}"')
                    ).scalar_one()
                )
                for name in mart_store.mart_names(connection, "marts_build")
                if name in run.marts
            }
            size: int = connection.execute(
                text(
                    "select coalesce(sum(pg_total_relation_size(oid)), 0) from pg_class"
                    " where relkind = 'r'"
                    " and relnamespace = to_regnamespace('marts_build')"
                )
            ).scalar_one()
            return Audit(counts, _max_load_id(connection), int(size))

    def publish(self, run: Run, version: Version, enter: Enter | None = None) -> None:
        """Store what changed and move the pointer, in one transaction.

        Raises:
            PublishFailed: a mart is not what was checked, or a view stays in use.
            LeaseLost: another run has taken over.
        """
        after: dict[str, Layout] = {}
        with self._writing(run) as connection:
            names = mart_store.mart_names(connection, "marts_build")
        marts = [run.marts[name] for name in names if name in run.marts]
        for mart in marts:
            with self._writing(run) as connection:
                after[mart.name] = mart_store.prepare_table(connection, mart)
        changed: list[str] = []
        with self._writing(run) as connection:
            before = mart_store.shown_layouts(connection)
            for mart in marts:
                written = mart_store.write_changed_rows(
                    connection, mart, after[mart.name], version.fence
                )
                checked = version.row_counts.get(mart.name, 0)
                if written.rows != checked:
                    raise PublishFailed(
                        f"mart {mart.name} has {written.rows:,} rows, but"
                        f" {checked:,} were checked"
                    )
                changed += written.written_to
            for name in mart_store.mart_names(connection, "marts_store"):
                if name not in after:
                    mart_store.end_mart(connection, name, version.fence)
            mart_store.record_layouts(connection, version.fence, after)
            mart_store.replace_views(connection, before, after)
            # From here to the commit nobody can take the lease over.
            run.lease.check(connection)
            record_version(connection, version)
            if enter is not None:
                enter(connection)
        self._vacuum(run, changed)

    def repoint(self, connection: Connection, version: Version) -> None:
        """Give the views the columns and descriptions they had in an older version."""
        before = mart_store.shown_layouts(connection)
        mart_store.replace_views(
            connection, before, mart_store.layouts_of(connection, version.fence)
        )

    def broken(self, version: Version) -> str | None:
        """None: the server vouches for its tables."""
        return None

    def drop(self, version: Version) -> None:
        """Delete the rows that no kept version shows; readers are not waited for."""
        with self.engine.begin() as connection:
            names = mart_store.mart_names(connection, "marts_store")
        for name in names:
            with self.engine.begin() as connection:
                mart_store.delete_dropped_versions(connection, name)
        with self.engine.begin() as connection:
            mart_store.delete_dropped_layouts(connection)

    def discard(self, run: Run) -> None:
        """Delete the run's work folder; `marts_build` is where the next run begins."""
        shutil.rmtree(run.work_dir, ignore_errors=True)
        if run.lease.fence in self._engines:
            self._engines.pop(run.lease.fence).dispose()

    @contextmanager
    def _writing(self, run: Run) -> Iterator[Connection]:
        """A transaction of this run that cannot commit after a takeover."""
        with self._engine(run).begin() as connection:
            fence.guard(connection, run.lease.fence)
            yield connection

    def _engine(self, run: Run) -> Engine:
        """Connections that bear the run's fence as their name."""
        if run.lease.fence not in self._engines:
            self._engines[run.lease.fence] = create_engine(
                fence.named(self.url, run.lease.fence),
                pool_size=1,
                pool_pre_ping=True,
                execution_options={"schema_translate_map": {None: "ops"}},
            )
        return self._engines[run.lease.fence]

    def _note_bench(self, connection: Connection, run: Run, hash_: str) -> None:
        connection.execute(delete(workbench))
        connection.execute(
            insert(workbench).values(
                name="marts_build", project_hash=hash_, as_of_date=run.as_of_date
            )
        )

    def _vacuum(self, run: Run, names: list[str]) -> None:
        """Give closed rows' room back and the planner fresh figures; never in the way.

        The version is published by now, so nothing here may fail the run.
        """
        engine = self._engine(run).execution_options(isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                for name in names:
                    connection.exec_driver_sql(
                        f'vacuum (analyze, skip_locked) marts_store."{name}"'
                    )
        except SQLAlchemyError as error:
            run.reporter.line(f"vacuum:   left to autovacuum ({type(error).__name__})")


def ensure_schema(connection: Connection, name: str) -> None:
    """Create a schema that is missing.

    `create schema if not exists` would ask for the right to create one even where it is
    there already.
    """
    found = connection.execute(text("select to_regnamespace(:name)"), {"name": name})
    if found.scalar_one() is None:
        connection.execute(text(f"create schema {name}"))


def _max_load_id(connection: Connection) -> int:
    found: object = connection.execute(
        text("select to_regclass('raw.loads')")
    ).scalar_one()
    if found is None:
        return 0
    sql = "select coalesce(max(load_id), 0) from raw.loads"
    return int(connection.execute(text(sql)).scalar_one())
