"""A lost exchange is never taken for one that has not begun."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner
from sqlalchemy import Engine

from exchange import cli, daily_steps, market, recovery
from tests.exchange.game import Game
from tests.warehouse.test_duckdb_store import make_run, publish
from warehouse import ops
from warehouse.duckdb_store import DuckDBStore, published_path
from warehouse.errors import Damaged
from warehouse.journal import Journal
from warehouse.recovery import repair
from warehouse.run import Recovery
from warehouse.settings import Settings

DAY = date(2026, 1, 1)
LOSSES: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "another database": lambda path: (path.unlink(), duckdb.connect(str(path)).close()),
    "text": lambda path: path.write_text("no database at all"),
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    engine = ops.open_ops(settings)
    yield engine
    engine.dispose()


def settle(engine: Engine, version: str | None) -> None:
    """A journal that says a day was settled, in a run that published or did not."""
    now = ops.utcnow()
    with engine.begin() as connection:
        connection.execute(
            ops.runs.insert().values(
                run_id="r",
                fence=1,
                command="daily",
                as_of_date=DAY,
                state="done",
                host="h",
                pid=1,
                started_at=now,
                version=version,
            )
        )
        connection.execute(
            ops.run_steps.insert().values(
                run_id="r",
                step="settle",
                state="done",
                started_at=now,
                detail=json.dumps({"days": 1}),
            )
        )


@pytest.mark.parametrize("kind", LOSSES)
def test_a_lost_exchange_is_refused_where_days_were_settled(
    settings: Settings, engine: Engine, kind: str
) -> None:
    daily_steps.open_database(settings).dispose()
    settle(engine, "v")
    daily_steps.open_database(settings).dispose()
    for beside in settings.data_dir.glob("exchange.sqlite-*"):
        beside.unlink()
    LOSSES[kind](settings.data_dir / "exchange.sqlite")
    with pytest.raises(Damaged, match=r"exchange\.sqlite.*restore it from a backup"):
        daily_steps.open_database(settings)


def test_the_control_where_nothing_was_settled_an_exchange_is_founded(
    settings: Settings, engine: Engine
) -> None:
    settle(engine, None)
    daily_steps.open_database(settings).dispose()


def test_the_version_is_evidence_where_the_journal_is_lost(settings: Settings) -> None:
    folder = settings.data_dir / "versions"
    folder.mkdir(parents=True)
    with duckdb.connect(str(folder / "warehouse-20260101-000001.duckdb")) as file:
        file.execute("create schema raw")
        file.execute(
            f"create table raw.exchange__economy_days as select date '{DAY}'"
            " as economy_date"
        )
        file.execute("create table raw.exchange__trades as select 7 as session")
    pointer = {"file": "versions/warehouse-20260101-000001.duckdb", "version": "x"}
    (settings.data_dir / "published.json").write_text(json.dumps(pointer))
    with pytest.raises(Damaged, match="settled up to 2026-01-01"):
        daily_steps.open_database(settings)


@pytest.mark.parametrize("loss", ["missing", "empty", "text"])
def test_a_person_founds_a_new_exchange_past_the_sessions_of_the_lost_one(
    settings: Settings, loss: str
) -> None:
    test_the_version_is_evidence_where_the_journal_is_lost(settings)
    path = settings.data_dir / "exchange.sqlite"
    path.touch()
    LOSSES[loss](path)
    command = ["found", "--reason", "burnt", "--data-dir", str(settings.data_dir)]
    done = CliRunner().invoke(cli.market, command)
    assert done.exit_code == 0, done.output
    aside = list((settings.data_dir / "aside").glob("*-exchange.sqlite"))
    assert len(aside) == (loss != "missing")
    database = daily_steps.open_database(settings)
    with database.read() as connection:
        assert market.read_state(connection).session == 8
    database.dispose()
    again = CliRunner().invoke(cli.market, command)
    assert again.exit_code == 1
    assert "there is an exchange" in again.output


def test_repair_lets_orders_wait_where_a_dead_run_closed_the_market(
    settings: Settings, engine: Engine
) -> None:
    publish(DuckDBStore(settings, engine), make_run(settings, engine, "r1"), 1)
    database = daily_steps.found_database(settings)
    Journal(engine, "r2").open(5, "daily", DAY)  # and it died
    Game(database).opened().close(fence=5)
    said = repair(settings)
    with database.read() as connection:
        assert market.shown_state(market.read_state(connection)) == "orders only"
    assert any("takes orders only, on the prices of" in line for line in said)
    assert not any("takes orders only" in line for line in repair(settings))
    database.dispose()


def test_the_version_is_read_where_the_service_has_it_open_with_limits(
    settings: Settings, engine: Engine
) -> None:
    publish(DuckDBStore(settings, engine), make_run(settings, engine, "r1"), 1)
    path = published_path(settings.data_dir)
    with duckdb.connect(str(path), read_only=True, config={"threads": 1}):
        with pytest.raises(duckdb.ConnectionException):  # the control
            duckdb.connect(str(path), read_only=True)
        assert recovery.last_session(settings) == 0


def test_a_journal_made_again_gets_the_fence_of_the_market(
    settings: Settings, engine: Engine
) -> None:
    with engine.begin() as connection:
        recovering = Recovery(settings, connection, None)
        assert recovery.recover(recovering).fence == 0
        database = daily_steps.open_database(settings)
        market.close_market(
            database, ops.utcnow, daily_steps.load_exchange_settings(), fence=41
        )
        database.dispose()
        assert recovery.recover(recovering).fence == 41
