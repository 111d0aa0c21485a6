"""Behind a transaction pooler: each transaction may find another session."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from tests.system import PostgresServer, SystemLacks, transaction_pooler
from tests.warehouse.small_marts import (
    answers,
    begin_run,
    make_settings,
    publish_day,
    read_all,
)
from warehouse import ops, postgres_store
from warehouse.errors import Busy
from warehouse.settings import Settings

pytestmark = pytest.mark.postgres


def shown(url: str) -> dict[str, tuple[int, ...]]:
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        found = read_all(connection)
    engine.dispose()
    return found


def test_nothing_depends_on_what_the_transaction_before_left_in_its_session(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fresh_each_time(url: str, **options: object) -> sqlalchemy.Engine:
        options.pop("pool_size", None)
        options.pop("pool_pre_ping", None)
        return create_engine(url, poolclass=NullPool, **options)

    for module in (ops, postgres_store):
        monkeypatch.setattr(module, "create_engine", fresh_each_time)
    settings = make_settings(postgres_url, tmp_path / "data", keep_versions=2)
    for day in range(3):
        publish_day(settings, day)
        assert shown(postgres_url) == answers(day)


@pytest.fixture
def pooled_url(postgres_server: PostgresServer, postgres_url: str) -> Iterator[str]:
    """The database through PgBouncer."""
    try:
        with transaction_pooler(postgres_server) as port:
            url = make_url(postgres_url).set(port=port)
            yield url.render_as_string(hide_password=False)
    except SystemLacks as lacks:
        pytest.skip(str(lacks))


def pooled(url: str, folder: Path) -> Settings:
    return make_settings(url, folder, lease_seconds=2, keep_versions=2)


def test_publishing_and_takeover_work_through_a_transaction_pooler(
    pooled_url: str, postgres_url: str, tmp_path: Path
) -> None:
    settings = pooled(pooled_url, tmp_path / "data")
    for day in range(3):
        publish_day(settings, day)
        assert shown(postgres_url) == answers(day)
    engine = ops.open_ops(settings)
    slow = begin_run(settings, engine, "slow")
    with pytest.raises(Busy):
        publish_day(settings, 3)
    writer = create_engine(str(slow.target.url))
    with writer.connect() as connection:
        postgres_store.fence.guard(connection, slow.lease.fence)
        slow.lease._stop.set()  # it stops renewing, as a frozen run does
        time.sleep(2.5)
        publish_day(settings, 3)
        with pytest.raises(sqlalchemy.exc.DBAPIError):
            connection.execute(text("create table marts_build.late as select 1"))
        connection.invalidate()
    slow.lease.release()
    writer.dispose()
    engine.dispose()
    assert shown(postgres_url) == answers(3)
