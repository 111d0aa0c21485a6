"""The exchange in the daily run and on the command line, and what it reads of marts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select, update

from exchange import cli, daily_steps, inputs, leagues, ledger, market, schema
from exchange.clock import utc_now
from exchange.database import Database, sqlite_url
from exchange.errors import Refusal
from exchange.settings import ExchangeSettings, load_exchange_settings
from exchange.views import boards
from exchange.views import market as market_views
from warehouse.errors import SettingsError, SettleFailed
from warehouse.run import Target
from warehouse.settings import Settings

DAY = date(2024, 3, 10)
ARTISTS = {"a" * 32: ("Low", 150.0), "b" * 32: ("Can", 50.0)}


def write_marts(path: Path, days: int, **changes: dict[str, Any]) -> None:
    """A version with two artists and the columns the exchange reads."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema if not exists marts")
        connection.execute(
            "create or replace table marts.dim_artists"
            " (artist_id text, artist_name text, top_tag text, listeners bigint)"
        )
        connection.execute(
            "create or replace table marts.dim_artist_aliases"
            " (alias_artist_id text, artist_id text)"
        )
        connection.execute(
            "create or replace table marts.fct_chart_positions (chart text,"
            " period text, issue_date date, rank integer, peak_first_date date,"
            " artist_id text)"
        )
        connection.execute(
            "create or replace table marts.fct_artist_values (artist_id text,"
            " value_date date, fundamental_price double, surprise_z double,"
            " is_listed boolean, plays_per_day double, flow_state integer,"
            " flow_reason text)"
        )
        for artist_id, (name, price) in ARTISTS.items():
            connection.execute(
                "insert into marts.dim_artists values (?, ?, 'slowcore', 1000)",
                [artist_id, name],
            )
            for back in range(days):
                day = DAY - timedelta(days=back)
                row: dict[str, Any] = {
                    "artist_id": artist_id,
                    "value_date": day,
                    "fundamental_price": price * (1 + 0.01 * (back * back % 7)),
                    "surprise_z": 0.5,
                    "is_listed": True,
                    "plays_per_day": 5000.0,
                    "flow_state": None,
                    "flow_reason": None,
                }
                if back == 0:
                    row |= changes.get(name, {})
                connection.execute(
                    "insert into marts.fct_artist_values"
                    " values (?, ?, ?, ?, ?, ?, ?, ?)",
                    list(row.values()),
                )
        connection.execute(
            "insert into marts.fct_chart_positions values"
            " ('global_artists', 'day', ?, 1, ?, ?)",
            [DAY, DAY, "a" * 32],
        )


@dataclass
class FakeLease:
    """The fence of a run; the lease itself is tested with the warehouse."""

    fence: int = 3


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Any]:
    """As much of a daily run as the exchange looks at."""
    marts = tmp_path / "warehouse.duckdb"
    write_marts(marts, 10)
    yield SimpleNamespace(
        settings=Settings(data_dir=tmp_path),
        target=Target(duckdb_path=marts),
        as_of_date=DAY,
        version="20240310-000003",
        lease=FakeLease(),
    )


@pytest.fixture(autouse=True)
def _no_cast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody trades by itself but where a test is about that."""
    monkeypatch.setenv("EXCHANGE_CAST_PLAYERS", "0")


def market_of(run: Any) -> Any:
    database = Database(sqlite_url(run.settings.data_dir))
    try:
        with database.read() as connection:
            return connection.execute(select(schema.market)).one()
    finally:
        database.dispose()


def test_a_run_closes_settles_and_opens(run: Any) -> None:
    daily_steps.close(run)
    assert market_of(run).state == "closed"
    result = daily_steps.settle(run)
    assert result.detail["days"] == 1
    daily_steps.open_market(run)
    state = market_of(run)
    assert (state.state, state.version) == ("open", "20240310-000003")
    daily_steps.close(run)
    assert daily_steps.settle(run).text == "2024-03-10 was settled before"


def test_missed_days_are_settled_in_order_and_rolled_where_they_have_no_values(
    run: Any,
) -> None:
    daily_steps.close(run)
    run.as_of_date = DAY - timedelta(days=5)
    daily_steps.settle(run)
    run.as_of_date = DAY + timedelta(days=1)
    result = daily_steps.settle(run)
    assert (result.detail["days"], result.detail["rolled"]) == (6, 1)
    assert market_of(run).last_settled_date == DAY + timedelta(days=1)


def test_a_run_that_fails_leaves_the_market_to_orders_on_the_prices_there_are(
    run: Any,
) -> None:
    daily_steps.close(run)
    daily_steps.settle(run)
    daily_steps.open_market(run)
    assert shown(run)["state"] == "open"
    run.lease = FakeLease(4)
    daily_steps.close(run)
    closed_at = market_of(run).closed_at
    assert shown(run)["state"] == "closed"
    day = market_of(run).last_settled_date
    text = daily_steps.failed(run).text
    assert f"takes orders only, on the prices of {day}" in text
    assert daily_steps.failed(run).text == "", "it is so already"
    assert shown(run)["state"] == "orders only"
    assert market_of(run).stale_since == closed_at
    said = f"since {closed_at:%Y-%m-%d %H:%M} UTC, on the prices of {day}"
    with pytest.raises(Refusal, match=said):
        market.require_open(market_of_joined(run))
    # The next run works on it, fails as well, and it is stale since the first.
    run.lease = FakeLease(5)
    daily_steps.close(run)
    assert shown(run)["state"] == "closed"
    daily_steps.failed(run)
    assert market_of(run).stale_since == closed_at
    assert command(run, "reopen", "--reason", "the prices are good").exit_code == 0
    assert shown(run)["state"] == "open"
    assert market_of(run).stale_since is None


def test_a_later_run_leaves_to_orders_what_a_dead_run_closed(run: Any) -> None:
    daily_steps.close(run)
    daily_steps.settle(run)
    daily_steps.open_market(run)
    run.lease = FakeLease(4)
    daily_steps.close(run)
    run.lease = FakeLease(5)
    assert "takes orders only" in daily_steps.failed(run).text
    assert shown(run)["state"] == "orders only"
    # What a person closed stays closed.
    assert command(run, "close").exit_code == 0
    run.lease = FakeLease(6)
    daily_steps.close(run)
    daily_steps.open_market(run)
    assert command(run, "close").exit_code == 0
    run.lease = FakeLease(7)
    assert daily_steps.failed(run).text == ""
    assert shown(run)["state"] == "closed"


def test_a_run_that_never_closed_the_market_leaves_it_as_it_is(run: Any) -> None:
    daily_steps.close(run)
    daily_steps.settle(run)
    daily_steps.open_market(run)
    run.lease = FakeLease(4)
    assert daily_steps.failed(run).text == ""
    assert shown(run)["state"] == "open"


def test_a_market_that_a_dead_run_left_is_opened_and_one_that_a_person_closed_is_not(
    run: Any,
) -> None:
    daily_steps.close(run)
    assert daily_steps.mend(run).text == "", "the day is not settled"
    daily_steps.settle(run)
    run.lease = FakeLease(4)
    assert "left closed by a run that died" in daily_steps.mend(run).text
    assert shown(run)["state"] == "open"
    assert daily_steps.mend(run).text == ""
    database = Database(sqlite_url(run.settings.data_dir))
    with database.write() as connection:
        connection.execute(update(schema.closing).values(is_closing=True))
    database.dispose()
    assert shown(run)["state"] == "closing"
    assert daily_steps.mend(run).text != ""
    assert shown(run)["state"] == "open"
    command(run, "close")
    assert daily_steps.mend(run).text == ""
    assert shown(run)["state"] == "closed"


def shown(run: Any) -> dict[str, Any]:
    return dict(json.loads(command(run, "status", "--json").output))


def market_of_joined(run: Any) -> Any:
    database = Database(sqlite_url(run.settings.data_dir))
    with database.read() as connection:
        row = market.read_state(connection)
    database.dispose()
    return row


def test_a_run_that_was_overtaken_cannot_open_the_market(run: Any) -> None:
    daily_steps.close(run)
    daily_steps.settle(run)
    late = SimpleNamespace(**{**vars(run), "lease": FakeLease(2)})
    with pytest.raises(SettleFailed, match="superseded"):
        daily_steps.open_market(late)


def test_the_marts_give_whole_numbers_and_new_number_ones(run: Any) -> None:
    found = inputs.load(run.target, DAY, "v", utc_now())
    low = found.artists[0]
    assert (low.artist_name, low.fundamental_price_units) == ("Low", 1_500_000)
    assert (low.surprise_milli, low.top_tag, low.listeners) == (500, "slowcore", 1000)
    prices = [150 * (1 + 0.01 * (back * back % 7)) for back in reversed(range(10))]
    assert low.sigma_ppm == inputs.sigma_ppm(prices) > 0
    assert found.new_number_ones == {"a" * 32}


def test_artists_below_the_floor_are_not_listed(run: Any) -> None:
    found = inputs.load(run.target, DAY, "v", utc_now(), floor_plays=5001)
    assert not any(one.is_listed for one in found.artists)
    found = inputs.load(run.target, DAY, "v", utc_now(), floor_plays=5000)
    assert all(one.is_listed for one in found.artists)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"surprise_z": 6.1}, "surprise"),
        ({"surprise_z": -6.1}, "surprise"),
        (
            {"flow_state": 6, "flow_reason": "a sudden step", "plays_per_day": None},
            "a sudden step",
        ),
    ],
)
def test_an_anomaly_halts_its_artist_only(
    run: Any, tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    write_marts(tmp_path / "warehouse.duckdb", 10, Low=change)
    low, can = inputs.load(run.target, DAY, "v", utc_now()).artists
    assert low.is_halted and reason in (low.halt_reason or "")
    assert not can.is_halted


@pytest.mark.parametrize(
    "change",
    [
        {"surprise_z": 6.1, "flow_reason": "confirmed"},
        {"flow_state": 2, "flow_reason": "a merge", "plays_per_day": None},
        {"surprise_z": 5.9},
    ],
)
def test_what_the_marts_explain_halts_nobody(
    run: Any, tmp_path: Path, change: dict[str, Any]
) -> None:
    write_marts(tmp_path / "warehouse.duckdb", 10, Low=change)
    artists = inputs.load(run.target, DAY, "v", utc_now()).artists
    assert not any(one.is_halted for one in artists)


def command(run: Any, *arguments: str) -> Result:
    return CliRunner().invoke(
        cli.market, [*arguments, "--data-dir", str(run.settings.data_dir)]
    )


def test_the_command_line_shows_closes_halts_and_reopens(run: Any) -> None:
    daily_steps.close(run)
    daily_steps.settle(run)
    daily_steps.open_market(run)

    def state() -> str:
        return str(json.loads(command(run, "status", "--json").output)["state"])

    assert state() == "open"
    command(run, "close")
    assert state() == "closed"
    command(run, "halt", "--reason", "odd")
    assert state() == "halted"
    daily_steps.open_market(run)
    assert state() == "halted"
    command(run, "reopen", "--reason", "fine")
    assert state() == "open"
    assert (
        "was never listed"
        in command(run, "halt", "--artist", "x", "--reason", "y").output
    )
    assert command(run, "halt", "--artist", "a" * 32, "--reason", "y").exit_code == 0
    assert json.loads(command(run, "status", "--json").output)["halted_artists"] == 1


def test_verify_halts_a_market_whose_books_are_wrong_and_reopen_refuses(
    run: Any,
) -> None:
    daily_steps.close(run)
    daily_steps.settle(run)
    daily_steps.open_market(run)
    assert command(run, "verify").exit_code == 0
    database = Database(sqlite_url(run.settings.data_dir))
    with database.write() as connection:
        connection.execute(update(schema.listings).values(house_cash_units=1))
    database.dispose()
    found = command(run, "verify")
    assert found.exit_code == 1
    assert "but the postings say 0" in found.output
    assert market_of(run).state == "halted"
    refused = command(run, "reopen", "--reason", "who cares")
    assert refused.exit_code == 1
    assert "the books do not add up" in refused.output


def test_settings_come_from_the_environment_and_are_checked() -> None:
    assert load_exchange_settings(environment={}) == ExchangeSettings()
    given = load_exchange_settings(environment={"EXCHANGE_BASE_FEE_PPM": "5000"})
    assert given == ExchangeSettings(base_fee_ppm=5000)
    with pytest.raises(SettingsError, match="EXCHANGE_BASE_FEE_PPM"):
        load_exchange_settings(environment={"EXCHANGE_BASE_FEE_PPM": "much"})


def test_an_invented_world_has_no_floor_and_last_fm_has(tmp_path: Path) -> None:
    rules = ExchangeSettings()
    local = "http://127.0.0.1:8080/2.0/"
    assert daily_steps.listing_floor(Settings(data_dir=tmp_path), rules) == 0
    assert daily_steps.listing_floor(Settings(lastfm_url=local), rules) == 0
    assert daily_steps.listing_floor(Settings(lastfm_api_key="k"), rules) == 3_098
    assert (
        daily_steps.listing_floor(Settings(), ExchangeSettings(listing_floor_plays=7))
        == 7
    )


def test_an_invented_world_begins_with_a_cast_that_has_traded(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EXCHANGE_CAST_PLAYERS")
    daily_steps.close(run)
    result = daily_steps.settle(run)
    # As many days as the world has prices of, each settled in its turn.
    assert (result.detail["days"], result.detail["rolled"]) == (10, 0)
    assert result.detail["players"] == 12
    assert result.detail["orders_filled"] > 10
    daily_steps.open_market(run)
    database = Database(sqlite_url(run.settings.data_dir))
    with database.read() as connection:
        board = boards.board(connection, None, "worth")
        assert board.players == 12 and all(row.is_simulated for row in board.rows)
        assert all(row.player_name.startswith("Sim ") for row in board.rows)
        assert market_views.artist_list(connection, "recent").artists
        assert sum(day.fees_units for day in market_views.economy(connection)) > 0
        assert leagues.simulated_code(connection) is not None
        assert ledger.violations(connection) == []
    database.dispose()


def test_the_cast_does_the_same_on_the_same_day(
    run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("EXCHANGE_CAST_PLAYERS")
    found = []
    for folder in ("one", "other"):
        run.settings = Settings(data_dir=tmp_path / folder)
        daily_steps.close(run)
        daily_steps.settle(run)
        database = Database(sqlite_url(run.settings.data_dir))
        with database.read() as connection:
            did = schema.trades.c
            rows = connection.execute(
                select(
                    schema.players.c.player_name,
                    did.artist_id,
                    did.side,
                    did.shares,
                ).join(schema.players, schema.players.c.player_id == did.player_id)
            ).all()
        database.dispose()
        found.append(sorted(tuple(row) for row in rows))
    assert found[0] == found[1] and len(found[0]) > 10


@pytest.mark.parametrize(
    "given",
    [
        {"lastfm_api_key": "ab" * 16},
        {"lastfm_url": "http://127.0.0.1:9/"},
    ],
)
def test_nobody_is_simulated_where_last_fm_is_somebody_else_s(
    given: dict[str, Any], tmp_path: Path
) -> None:
    rules = ExchangeSettings()
    settings = Settings(data_dir=tmp_path, **given)
    assert daily_steps.cast_players(settings, rules) == 0
    assert daily_steps.cast_players(Settings(data_dir=tmp_path), rules) == 12


def test_the_first_day_has_a_change_against_yesterday(run: Any) -> None:
    daily_steps.close(run)
    daily_steps.settle(run)
    database = Database(sqlite_url(run.settings.data_dir))
    with database.read() as connection:
        low = market_views.artist(connection, "a" * 32)
    database.dispose()
    # A day back the world has a price that is higher by one per cent.
    assert low.change_ppm == (1_500_000 - 1_515_000) * 1_000_000 // 1_515_000
