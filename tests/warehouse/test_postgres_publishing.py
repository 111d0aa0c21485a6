"""Publishing on PostgreSQL: a reader sees one whole day, whatever happens meanwhile."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, text

from tests.warehouse.small_marts import (
    DAY,
    QUESTIONS,
    answers,
    begin_run,
    fill,
    make_settings,
    publish_day,
    read_all,
    version_of,
)
from warehouse import mart_store, ops, store
from warehouse.errors import PublishFailed
from warehouse.postgres_store import PostgresStore
from warehouse.settings import Settings

pytestmark = pytest.mark.postgres
PUBLISHES = 50


@pytest.fixture
def settings(postgres_url: str, tmp_path: Path) -> Settings:
    return make_settings(postgres_url, tmp_path / "data", keep_versions=2)


@pytest.fixture
def readers(postgres_url: str) -> Iterator[Engine]:
    engine = create_engine(postgres_url, pool_size=10)
    yield engine
    engine.dispose()


def ask_in_one_statement(connection: Connection, schema: str) -> dict[str, Any]:
    rows = [
        f"(select array[{', '.join('a' + str(n) for n in range(3))}] from"
        f" ({question.format(schema)}) as q(a0, a1, a2)) as {name}"
        for name, question in QUESTIONS.items()
    ]
    row = connection.execute(text(f"select {', '.join(rows)}")).one()
    return {name: tuple(row._mapping[name]) for name in QUESTIONS}


def ask_in_a_transaction(connection: Connection, schema: str) -> dict[str, Any]:
    found = {}
    for name, question in QUESTIONS.items():
        found[name] = tuple(connection.execute(text(question.format(schema))).one())
        time.sleep(0.01)
    return found


class Readers:
    """Readers in threads, and how often their answers were of one day or not."""

    def __init__(self, engine: Engine, schema: str) -> None:
        self.engine = engine
        self.schema = schema
        self.seen: Counter[str] = Counter()
        self.odd: list[str] = []
        self._stop = threading.Event()
        self._right = {tuple(answers(day).items()) for day in range(PUBLISHES + 1)}
        self._threads: list[threading.Thread] = []

    def _read(self, ask: Callable[[Connection, str], dict[str, Any]]) -> None:
        while not self._stop.wait(0.005):
            try:
                with self.engine.connect().execution_options(
                    isolation_level="REPEATABLE READ"
                ) as connection:
                    found = ask(connection, self.schema)
                whole = tuple(found.items()) in self._right
                self.seen["whole" if whole else "mixed"] += 1
                if not whole:
                    self.odd.append(str(found))
            except Exception as error:
                self.seen["missing"] += 1
                self.odd.append(f"{type(error).__name__}: {error}"[:300])

    def __enter__(self) -> Readers:
        for ask in (ask_in_one_statement, ask_in_a_transaction) * 2:
            thread = threading.Thread(target=self._read, args=(ask,), daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=30)


@pytest.mark.parametrize(
    "publishes", [6, pytest.param(PUBLISHES, marks=pytest.mark.chaos)]
)
def test_readers_never_see_a_mixed_day_during_many_publishes(
    settings: Settings, readers: Engine, publishes: int
) -> None:
    publish_day(settings, 0)
    with Readers(readers, "marts") as reading:
        for day in range(1, publishes + 1):
            publish_day(settings, day)
    assert not reading.odd, reading.odd[:3]
    assert reading.seen["whole"] > 2 * publishes
    with readers.connect() as connection:
        assert read_all(connection) == answers(publishes)


def test_control_tables_swapped_in_place_do_show_mixed_days(
    settings: Settings, readers: Engine
) -> None:
    publish_day(settings, 0)
    with Readers(readers, "marts_build") as reading:
        for day in range(1, PUBLISHES + 1):
            for name in QUESTIONS:  # table by table, as dbt commits them
                with readers.begin() as connection:
                    connection.execute(text("create schema if not exists spare"))
                    fill(connection, "spare", day)
                    connection.execute(text(f"drop table marts_build.{name}"))
                    connection.execute(
                        text(f"alter table spare.{name} set schema marts_build")
                    )
    assert reading.seen["mixed"] + reading.seen["missing"] > 0


def test_a_long_transaction_keeps_its_day_after_that_day_was_dropped(
    settings: Settings, readers: Engine
) -> None:
    publish_day(settings, 0)
    with readers.connect().execution_options(
        isolation_level="REPEATABLE READ"
    ) as connection:
        first = connection.execute(text(QUESTIONS["totals"].format("marts"))).one()
        for day in range(1, 6):
            publish_day(settings, day)
        assert tuple(first) == answers(0)["totals"]
        assert read_all(connection) == answers(0)
    with readers.connect() as connection:
        assert read_all(connection) == answers(5)
        kept = {v.fence for v in store.kept_versions(ops_connection(connection))}
        oldest = connection.execute(
            text("select min(_to_fence) from marts_store.dim_artists")
        ).scalar_one()
    assert len(kept) == 2 and oldest > min(kept), "nothing of dropped versions is left"


def ops_connection(connection: Connection) -> Connection:
    return connection.execution_options(schema_translate_map={None: "ops"})


def test_dropping_old_versions_waits_for_no_reader_and_no_reader_for_it(
    settings: Settings, readers: Engine
) -> None:
    publish_day(settings, 0)
    with readers.connect().execution_options(
        isolation_level="REPEATABLE READ"
    ) as connection:
        read_all(connection)  # holds its locks until the transaction ends
        started = time.monotonic()
        for day in range(1, 4):
            publish_day(settings, day)
        assert time.monotonic() - started < 20


def test_a_further_day_writes_only_what_changed(
    settings: Settings, readers: Engine
) -> None:
    publish_day(settings, 0)
    publish_day(settings, 1)
    with readers.connect() as connection:
        written = dict(
            connection.execute(
                text(
                    "select 'fct_scrobbles', count(*) from marts_store.fct_scrobbles"
                    " where _from_fence = 2 union all"
                    " select 'dim_artists', count(*) from marts_store.dim_artists"
                    " where _from_fence = 2"
                )
            ).all()
        )
    # Ten came and one went; the other play of the day of one that went stays.
    assert written == {"fct_scrobbles": 10, "dim_artists": 200}


def test_a_rollback_shows_the_older_day_and_the_next_run_goes_on(
    settings: Settings, readers: Engine
) -> None:
    for day in range(3):
        publish_day(settings, day)
    engine = ops.open_ops(settings)
    before, after = store.roll_back(PostgresStore(settings, engine), engine, None)
    engine.dispose()
    assert (before.fence, after.fence) == (3, 2)
    with readers.connect() as connection:
        assert read_all(connection) == answers(1)
    publish_day(settings, 4)
    with readers.connect() as connection:
        assert read_all(connection) == answers(4)


def change_columns(settings: Settings, name: str, *statements: str) -> None:
    """Publish marts_build of day 9 after changing a mart."""
    engine = ops.open_ops(settings)
    run = begin_run(settings, engine, name)
    warehouse = PostgresStore(settings, engine)
    builder = create_engine(str(run.target.url))
    with builder.begin() as connection:
        fill(connection, "marts_build", 9)
        for statement in statements:
            connection.execute(text(statement))
    builder.dispose()
    try:
        warehouse.publish(run, version_of(run, warehouse.seal(run)))
    finally:
        warehouse.discard(run)
        run.lease.release()
        engine.dispose()


def test_columns_come_go_and_change_type_and_a_rollback_brings_them_back(
    settings: Settings, readers: Engine
) -> None:
    publish_day(settings, 0)
    with readers.begin() as connection:
        connection.execute(text("drop role if exists mart_reader"))
        connection.execute(text("create role mart_reader"))
        connection.execute(text("grant select on marts.totals to mart_reader"))
    change_columns(
        settings,
        "changed",
        "alter table marts_build.dim_artists add column stage text default 'new'",
        "alter table marts_build.totals alter scrobbles type text",
        "alter table marts_build.fct_scrobbles drop column built_day",
    )
    ask = text(
        "select max(stage), (select max(scrobbles) from marts.totals),"
        " (select count(*) from information_schema.columns where table_schema = 'marts'"
        "   and table_name = 'fct_scrobbles'),"
        " has_table_privilege('mart_reader', 'marts.totals', 'select')"
        " from marts.dim_artists"
    )
    with readers.begin() as connection:
        assert tuple(connection.execute(ask).one()) == ("new", "1081", 4, True)
    engine = ops.open_ops(settings)
    store.roll_back(PostgresStore(settings, engine), engine, None)
    engine.dispose()
    with readers.begin() as connection:
        assert read_all(connection) == answers(0)
    publish_day(settings, 1)
    with readers.begin() as connection:
        assert read_all(connection) == answers(1)
        connection.execute(text("drop owned by mart_reader; drop role mart_reader"))


def test_a_view_that_people_built_upon_is_not_dropped_from_under_them(
    settings: Settings, readers: Engine
) -> None:
    publish_day(settings, 0)
    with readers.begin() as connection:
        connection.execute(
            text("create view public.mine as select scrobbles from marts.totals")
        )
    with pytest.raises(PublishFailed, match=r"marts\.totals .*public\.mine|mine"):
        change_columns(
            settings,
            "blocked",
            "alter table marts_build.totals rename scrobbles to plays",
        )
    with readers.connect() as connection:
        assert read_all(connection) == answers(0)


def test_a_mart_that_is_no_longer_built_goes_and_comes_back_with_a_rollback(
    settings: Settings, readers: Engine
) -> None:
    publish_day(settings, 0)
    change_columns(settings, "less", "drop table marts_build.totals")
    views = text("select count(*) from pg_views where schemaname = 'marts'")
    with readers.connect() as connection:
        assert connection.execute(views).scalar_one() == 2
    engine = ops.open_ops(settings)
    store.roll_back(PostgresStore(settings, engine), engine, None)
    engine.dispose()
    with readers.connect() as connection:
        assert read_all(connection) == answers(0)


def test_marts_that_changed_after_the_check_are_not_published(
    settings: Settings, readers: Engine
) -> None:
    publish_day(settings, 0)
    engine = ops.open_ops(settings)
    run = begin_run(settings, engine, "late")
    warehouse = PostgresStore(settings, engine)
    version = version_of(run, warehouse.seal(run))
    with readers.begin() as connection:
        connection.execute(text("delete from marts_build.dim_artists"))
    with pytest.raises(PublishFailed, match="dim_artists has 0 rows, but 200"):
        warehouse.publish(run, version)
    warehouse.discard(run)
    run.lease.release()
    engine.dispose()
    with readers.connect() as connection:
        assert read_all(connection) == answers(0)


def test_a_question_about_a_month_reads_that_month_only(
    settings: Settings, readers: Engine
) -> None:
    publish_day(settings, 0)
    with readers.connect() as connection:
        months = connection.execute(
            text(
                "select count(*) from pg_inherits"
                " where inhparent = 'marts_store.fct_scrobbles'::regclass"
            )
        ).scalar_one()
        plan = "\n".join(
            connection.execute(
                text(
                    "explain select count(*) from marts.fct_scrobbles"
                    " where scrobbled_date between '2025-02-01' and '2025-02-28'"
                )
            ).scalars()
        )
    assert months == 17
    assert plan.count("fct_scrobbles__") == plan.count("fct_scrobbles__202502") > 0


def test_publishing_vacuums_the_months_it_wrote_to(
    settings: Settings, readers: Engine
) -> None:
    def vacuums() -> dict[str, int]:
        with readers.connect() as reader:
            rows = reader.execute(
                text(
                    "select relname, vacuum_count from pg_stat_user_tables"
                    r" where relname like 'fct\_scrobbles\_\_%'"
                )
            )
            return {str(month): int(count) for month, count in rows}

    publish_day(settings, 0)
    first = vacuums()
    publish_day(settings, 1)
    second = vacuums()
    # One play of January 2025 went, ten of May 2026 came.
    assert {month for month in first if second[month] > first[month]} == {
        "fct_scrobbles__202501",
        "fct_scrobbles__202605",
    }
    # June begins, and all months together are looked at again.
    publish_day(settings, 4)
    third = vacuums()
    assert "fct_scrobbles__202606" in third.keys() - second.keys()
    assert all(third[month] > second[month] for month in second)


def test_an_unfinished_build_and_a_later_day_cannot_be_built_upon(
    settings: Settings,
) -> None:
    engine = ops.open_ops(settings)
    warehouse = PostgresStore(settings, engine)
    first = begin_run(settings, engine, "first")
    assert first.target.rebuild, "nothing was built here yet"
    first.lease.release()
    second = begin_run(settings, engine, "second")
    assert second.target.rebuild, "the first build was never finished"
    warehouse.seal(second)
    second.lease.release()
    third = begin_run(settings, engine, "third")
    assert not third.target.rebuild
    third.as_of_date = DAY.replace(day=9)
    warehouse.open_candidate(third, None)
    warehouse.seal(third)
    third.lease.release()
    fourth = begin_run(settings, engine, "fourth")
    assert fourth.target.rebuild, "marts_build is of a later day"
    fourth.lease.release()
    for run in (first, second, third, fourth):
        warehouse.discard(run)
    engine.dispose()


def test_an_unchanged_mart_is_written_once(settings: Settings, readers: Engine) -> None:
    publish_day(settings, 0)
    publish_day(settings, 0)
    with readers.connect() as connection:
        assert read_all(connection) == answers(0)
        for name in mart_store.mart_names(connection, "marts_store"):
            fences = connection.execute(
                text(f"select distinct _from_fence from marts_store.{name}")
            ).scalars()
            assert list(fences) == [1]
