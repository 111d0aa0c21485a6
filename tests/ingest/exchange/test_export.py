"""From the exchange's tables through raw into the marts, on real databases."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from exchange import schema
from exchange.database import Database
from ingest.exchange.export import SOURCES, export
from ingest.lastfm.recipes import TABLES
from tests.dbt_project.project import RawWarehouse
from tests.exchange.conftest import (
    new_database,
    new_postgres,
    new_sqlite,
    postgres_template,
    sqlite_template,
)
from tests.exchange.game import Game, values
from warehouse.run import Target

__all__ = [
    "new_database",
    "new_postgres",
    "new_sqlite",
    "postgres_template",
    "sqlite_template",
]


def unfenced(_: Any) -> None:
    """Nobody else writes here."""


@pytest.fixture
def game(new_database: Callable[[], str]) -> Game:
    game = Game(Database(new_database(), sync="OFF")).opened()
    ann = game.join("ann")
    game.trade(ann, "buy", 10)
    game.next_day()
    game.next_day(values(110, surprise_milli=1000))
    game.trade(ann, "sell", 4)
    game.next_day()
    return game


def copy(game: Game, folder: Path) -> dict[str, int]:
    url = game.database.url.render_as_string(hide_password=False)
    target = Target(duckdb_path=folder / "warehouse.duckdb")
    return export(target, url, "run-1", folder / "work", unfenced)


def count(folder: Path, table: str) -> int:
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        found = connection.execute(f"select count(*) from raw.{table}").fetchone()
    assert found is not None
    return int(found[0])


def test_every_record_is_copied_once_however_often_one_copies(
    game: Game, tmp_path: Path
) -> None:
    first = copy(game, tmp_path)
    assert first == {
        "exchange__trades": 2,
        "exchange__prices": 4 * 5,
        "exchange__account_days": 3,
        "exchange__dividends": 1,
        "exchange__economy_days": 4,
        "exchange__holdings": 1,
    }
    assert set(copy(game, tmp_path).values()) == {0}
    ann = game.rows(schema.players)[0].player_id
    game.trade(ann, "buy", 1, "Can")
    assert copy(game, tmp_path)["exchange__trades"] == 1
    game.next_day()
    assert copy(game, tmp_path)["exchange__prices"] == 5
    assert count(tmp_path, "exchange__trades") == 3


def test_what_is_copied_is_what_the_exchange_has(game: Game, tmp_path: Path) -> None:
    copy(game, tmp_path)
    path = tmp_path / "warehouse.duckdb"
    for name, source in SOURCES.items():
        if "select *" not in source.query:
            continue
        table = schema.metadata.tables[f"exchange.{name.removeprefix('exchange__')}"]
        columns = [c for c in TABLES[name].column_names if c != "load_id"]
        with duckdb.connect(str(path), read_only=True) as connection:
            copied = connection.execute(
                f"select {', '.join(columns)} from raw.{name}"
            ).fetchall()
        kept = [tuple(getattr(row, c) for c in columns) for row in game.rows(table)]
        assert sorted(copied, key=str) == sorted(kept, key=str), name


def test_a_place_without_an_exchange_copies_nothing(tmp_path: Path) -> None:
    target = Target(duckdb_path=tmp_path / "warehouse.duckdb")
    url = f"sqlite:///{tmp_path / 'none.sqlite'}"
    assert export(target, url, "run-1", tmp_path / "work", unfenced) == {}
    assert count(tmp_path, "exchange__trades") == 0


def test_only_players_with_a_last_fm_account_show_what_they_hold(
    game: Game, tmp_path: Path
) -> None:
    with game.database.write() as connection:
        connection.execute(schema.players.update().values(listener_id="ann"))
    assert copy(game, tmp_path)["exchange__holdings"] == 1


def test_the_records_come_out_in_the_marts(game: Game, tmp_path: Path) -> None:
    warehouse = RawWarehouse(tmp_path)
    copy(game, tmp_path)
    marts = ("fct_trades", "fct_artist_prices", "fct_account_days", "economy_days")
    models = "path:models/staging/exchange"
    warehouse.build(*(f"+{mart}" for mart in marts), models)
    generic = (f"{selected},test_type:generic" for selected in (*marts, models))
    warehouse.build(*generic, command="test")
    trades = warehouse.rows("marts.fct_trades", "traded_at")
    assert [(row["side"], row["shares"]) for row in trades] == [
        ("buy", 10),
        ("sell", 4),
    ]
    days = warehouse.rows("marts.fct_account_days", "account_date")
    assert {day["account_date"]: day["worth_units"] for day in days} == {
        row.account_date: row.worth_units for row in game.rows(schema.account_days)
    }
    assert days[0]["return_pct"] == pytest.approx(
        100 * (days[0]["worth_units"] / 200_000_000 - 1)
    )
    assert len(warehouse.rows("marts.fct_artist_prices", "price_date")) == 20
    economy = warehouse.rows("marts.economy_days", "economy_date")
    assert [day["trades"] for day in economy] == [0, 1, 0, 1]
