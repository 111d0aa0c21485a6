"""Roles by duty: the grant matrix, new tables, repeated and partial set-ups."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from exchange import audit, leagues, orders, players, schema
from exchange.database import Database
from serve.accounts import database as accounts
from serve.accounts import store
from serve.settings import ServeSettings
from tests.exchange.game import Game
from tests.warehouse.small_marts import (
    answers,
    make_settings,
    publish_day,
    read_all,
)
from warehouse.db_cli import db
from warehouse.errors import SettingsError, WarehouseError
from warehouse.roles import DUTIES, SCHEMAS, Login, bring_about, parse_login
from warehouse.settings import Settings

pytestmark = pytest.mark.postgres
VERBS = ("select", "insert", "update", "delete", "truncate")

# s select, i insert, u update, d delete, t truncate; `owner` may do what the writing
# duties may.
MATRIX = {
    "raw.lastfm__user_recent_tracks": {"ingest": "si", "transform": "s", "job": "sud"},
    "raw.lastfm__chart_top_artists": {"ingest": "si", "transform": "s", "job": "sud"},
    "raw.loads": {"ingest": "si", "transform": "s", "job": "sud"},
    "staging.stg_lastfm__scrobbles": {"transform": "siudt"},
    "intermediate.int_artists": {"transform": "siudt"},
    "marts_build.totals": {"transform": "siudt", "job": "s"},
    "marts_store.totals": {"job": "siud"},
    "marts.totals": {"job": "s", "serve": "s", "analyst": "s"},
    "ops.runs": {"job": "siudt", "serve": "s"},
    "ops.lease": {"job": "siudt", "ingest": "s", "transform": "s"},
    "ops.published": {"job": "siudt", "serve": "s"},
    "ops.versions": {"job": "siudt", "serve": "s"},
    "exchange.holdings": {"serve": "siu", "job": "siud", "ingest": "s"},
    "exchange.listings": {"serve": "su", "job": "siud", "ingest": "s"},
    "exchange.trades": {"serve": "si", "job": "si", "ingest": "s"},
    "exchange.postings": {"serve": "si", "job": "si", "ingest": "s"},
    "exchange.prices": {"serve": "s", "job": "si", "ingest": "s"},
    "exchange.settlements": {"serve": "s", "job": "si", "ingest": "s"},
    "exchange.account_tokens": {"serve": "siud", "job": "siud", "ingest": "s"},
}
# After a set-up has given the tables to their duties: nobody gains but the owner.
OWNING = {
    table: {
        **rights,
        **{
            duty: "siudt"
            for duty in (SCHEMAS[table.split(".")[0]].writer,)
            if duty != "owner"
        },
    }
    for table, rights in MATRIX.items()
}
OWNING["marts.totals"]["job"] = "siud"  # a view
COLUMNS = {
    "raw.lastfm__user_recent_tracks": "load_id",
    "raw.lastfm__chart_top_artists": "load_id",
    "raw.loads": "load_id",
    "exchange.holdings": "shares",
    "exchange.listings": "net_shares",
    "exchange.trades": "shares",
    "exchange.postings": "amount",
    "exchange.prices": "surprise_milli",
    "exchange.settlements": "fence",
    "exchange.account_tokens": "name",
}
OWNED = {  # each made by the login that would make it
    "daily": [
        "create table {} (n integer)",
        ("staging", "stg_lastfm__scrobbles"),
        ("intermediate", "int_artists"),
        ("marts_build", "totals"),
        ("marts_store", "totals"),
    ],
}


@pytest.fixture
def admin(postgres_url: str) -> Iterator[Engine]:
    engine = create_engine(postgres_url)
    yield engine
    with engine.begin() as connection:
        for login in ("daily", "web", "ana", "second"):
            if connection.execute(text(f"select to_regrole('{login}')")).scalar():
                connection.execute(text(f"drop owned by {login} cascade"))
                connection.execute(text(f"drop role {login}"))
    engine.dispose()


def set_up(admin: Engine) -> None:
    logins = [
        Login("daily", ("ingest", "transform", "job")),
        Login("web", ("serve",)),
        Login("ana", ("analyst",)),
    ]
    with admin.begin() as connection:
        bring_about(connection, logins)


def become(connection: Connection, role: str) -> None:
    connection.execute(text(f"set local role {role}"))


def make_tables(admin: Engine) -> None:
    for login, (statement, *schemas) in OWNED.items():
        with admin.begin() as connection:
            become(connection, login)
            for schema, *tables in schemas:
                for table in tables:
                    connection.execute(text(statement.format(f"{schema}.{table}")))
            if login == "daily":
                connection.execute(
                    text("create view marts.totals as select n from marts_store.totals")
                )


def may(admin: Engine, role: str, table: str, verb: str) -> bool:
    """Whether the role really can, by doing it to no row."""
    column = {"ops": "fence"}.get(table.split(".")[0], "n")
    column = COLUMNS.get(table, column)
    statement = {
        "select": f"select {column} from {table} limit 0",
        "insert": f"insert into {table} ({column}) select 1 where false",
        "update": f"update {table} set {column} = {column} where false",
        "delete": f"delete from {table} where false",
        "truncate": f"truncate {table}",  # taken back with the transaction
    }[verb]
    with admin.connect() as connection:
        become(connection, role)
        try:
            connection.execute(text(statement))
        except DBAPIError as error:
            refusals = ("permission denied", "is not a table")
            assert any(words in str(error.orig) for words in refusals), error.orig
            return False
        return True


def found_matrix(admin: Engine) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for table in MATRIX:
        for duty in set(DUTIES) - {"owner"}:
            verbs = "".join(
                verb[0] for verb in VERBS if may(admin, f"scrobble_{duty}", table, verb)
            )
            if verbs:
                found.setdefault(table, {})[duty] = verbs
    return found


def test_every_role_may_do_with_every_table_what_its_duty_needs(admin: Engine) -> None:
    set_up(admin)
    make_tables(admin)
    assert found_matrix(admin) == MATRIX
    for table, rights in MATRIX.items():
        most = max(rights.values(), key=len)
        for verb in VERBS:
            if verb[0] in most:
                assert may(admin, "scrobble_owner", table, verb), (table, verb)


def test_who_loads_appends_and_only_a_deletion_takes_out(admin: Engine) -> None:
    set_up(admin)
    make_tables(admin)
    allowed = {
        "scrobble_owner": set(VERBS),
        "scrobble_ingest": {"insert"},
        "scrobble_job": {"update", "delete"},
    }
    for login in ("web", "ana", *(f"scrobble_{duty}" for duty in DUTIES)):
        for verb in VERBS[1:]:
            found = may(admin, login, "raw.lastfm__user_recent_tracks", verb)
            assert found == (verb in allowed.get(login, ())), (login, verb)


@pytest.mark.parametrize(
    "attack",
    [
        "truncate raw.lastfm__user_recent_tracks",
        "drop table raw.lastfm__user_recent_tracks",
        "alter table raw.loads add column mine integer",
        "create table raw.mine (n integer)",
        "create or replace function raw.analyze_table(name text, is_whole boolean)"
        " returns void language sql as 'select null'",
        "select raw.analyze_table('loads; drop table raw.loads', true)",
    ],
)
def test_the_daily_login_neither_empties_nor_changes_what_was_loaded(
    admin: Engine, attack: str
) -> None:
    set_up(admin)
    with admin.begin() as connection:
        become(connection, "daily")
        connection.execute(text("select raw.analyze_table('loads', true)"))
        connection.execute(text("select raw.analyze_table('loads', false)"))
    with admin.connect() as connection, pytest.raises(DBAPIError):
        become(connection, "daily")
        connection.execute(text(attack))
    with admin.begin() as connection:
        become(connection, "scrobble_owner")
        connection.execute(text("truncate raw.lastfm__user_recent_tracks"))


def test_control_a_right_too_many_is_seen_and_taken_away(admin: Engine) -> None:
    set_up(admin)
    make_tables(admin)
    with admin.begin() as connection:
        connection.execute(
            text("grant select, update on raw.loads to scrobble_analyst")
        )
        connection.execute(text("grant usage on schema raw to scrobble_analyst"))
    assert found_matrix(admin) != MATRIX
    with admin.begin() as connection:
        said = [change.text for change in bring_about(connection)]
    assert "revoked select, update on tables of raw from scrobble_analyst" in said
    assert found_matrix(admin) == OWNING


def test_tables_made_anew_keep_their_rights(admin: Engine) -> None:
    set_up(admin)
    make_tables(admin)
    with admin.begin() as connection:
        become(connection, "daily")
        connection.execute(text("drop view marts.totals"))
        connection.execute(text("drop table marts_build.totals"))
        connection.execute(text("create table marts_build.totals as select 1 as n"))
        connection.execute(
            text("create view marts.totals as select n from marts_store.totals")
        )
    assert found_matrix(admin) == MATRIX


def test_a_second_set_up_changes_nothing(admin: Engine) -> None:
    with admin.begin() as connection:
        first = bring_about(connection, [parse_login("ana=analyst")])
    assert any("created schema marts_store" in change.text for change in first)
    assert [bool(change.secret) for change in first].count(True) == 1
    with admin.begin() as connection:
        assert bring_about(connection, [parse_login("ana=analyst")]) == []


def test_a_set_up_after_work_gives_it_to_the_duty_so_another_login_can_go_on(
    admin: Engine,
) -> None:
    set_up(admin)
    make_tables(admin)
    with admin.begin() as connection:
        said = [change.text for change in bring_about(connection)]
        assert "gave 1 tables of staging to scrobble_transform" in said
        assert bring_about(connection) == []
        bring_about(connection, [Login("second", ("ingest", "transform", "job"))])
        become(connection, "second")
        connection.execute(text("drop table marts_build.totals"))
        connection.execute(text("create table marts_build.totals as select 1 as n"))
    assert found_matrix(admin) == OWNING


def test_an_analyst_reads_marts_only_read_only_and_not_for_ever(
    postgres_url: str, admin: Engine, tmp_path: Path
) -> None:
    with admin.begin() as connection:
        changes = bring_about(
            connection,
            [parse_login("daily=ingest,transform,job"), Login("ana", ("analyst",))],
        )
    passwords = {
        change.text.split()[-1]: change.secret for change in changes if change.secret
    }
    daily = make_url(postgres_url).set(username="daily", password=passwords["daily"])
    settings = make_settings(
        daily.render_as_string(hide_password=False), tmp_path / "data"
    )
    publish_day(settings, 3)
    publish_day(settings, 4)
    ana = create_engine(
        make_url(postgres_url).set(username="ana", password=passwords["ana"])
    )
    with ana.connect() as connection:
        assert read_all(connection) == answers(4)
        shown = {
            name: connection.execute(text(f"show {name}")).scalar_one()
            for name in ("statement_timeout", "default_transaction_read_only")
        }
        assert shown == {
            "statement_timeout": "1min",
            "default_transaction_read_only": "on",
        }
        assert connection.execute(text("select count(*) from totals")).scalar_one() == 1
    for refused in (
        "select * from marts_store.totals",
        "select * from ops.published",
        "select * from raw.loads",
        "create temporary table mine as select 1",
        "create table marts.mine as select 1",
        "create table public.mine as select 1",
    ):
        with ana.connect() as connection, pytest.raises(DBAPIError) as caught:
            connection.execute(text("set transaction read write"))
            connection.execute(text(refused))
        assert "permission denied" in str(caught.value.orig), refused
    ana.dispose()


def test_the_commands_say_what_they_did_and_what_is_missing(
    postgres_url: str, admin: Engine
) -> None:
    runner = CliRunner()
    arguments = ["--admin-url", postgres_url]
    with pytest.raises(WarehouseError, match="not as they should be"):
        runner.invoke(db, ["check", *arguments], catch_exceptions=False)
    done = runner.invoke(db, ["init", *arguments, "--login", "ana=analyst"])
    assert done.exit_code == 0, done.output
    assert "created login ana\n  its password, shown this once: " in done.output
    again = runner.invoke(db, ["init", *arguments, "--login", "ana=analyst"])
    assert again.output == "nothing to change\n"
    fine = runner.invoke(db, ["check", *arguments])
    assert fine.output == "schemas, roles and rights are as they should be\n"
    with admin.begin() as connection:
        connection.execute(text("alter role ana set statement_timeout = '5h'"))
    worse = runner.invoke(db, ["check", *arguments])
    assert "set statement_timeout = 60s for ana" in worse.output
    assert isinstance(worse.exception, WarehouseError)


def test_an_admin_who_may_not_is_told_and_nothing_is_changed(
    postgres_url: str, admin: Engine
) -> None:
    with admin.begin() as connection:
        connection.execute(text("create role second login password 'second'"))
    url = make_url(postgres_url).set(username="second", password="second")
    result = CliRunner().invoke(
        db, ["init", "--admin-url", url.render_as_string(hide_password=False)]
    )
    assert isinstance(result.exception, WarehouseError)
    assert "nothing was changed" in str(result.exception)
    assert "second:***@" in str(result.exception)
    with admin.connect() as connection:
        assert (
            connection.execute(text("select to_regnamespace('raw')")).scalar() is None
        )


@pytest.mark.parametrize(
    "value", ["ana", "ana=", "ana=king", "A b=analyst", "=job", "scrobble_job=job"]
)
def test_a_login_that_cannot_be_is_refused(value: str) -> None:
    with pytest.raises(SettingsError):
        parse_login(value)


def test_every_schema_of_the_matrix_is_in_the_table_of_rights() -> None:
    assert {table.split(".")[0] for table in MATRIX} == set(SCHEMAS)


ATTACKS = (
    "alter table exchange.trades disable trigger user",
    "drop table exchange.trades",
    "truncate exchange.trades",
    "update exchange.trades set shares = 1",
    "delete from exchange.postings",
    "drop trigger postings_sealed on exchange.postings",
    "insert into exchange.prices select * from exchange.prices",
    "update exchange.prices set surprise_milli = 1",
    "delete from exchange.players",
    "insert into exchange.listings select * from exchange.listings",
    "update exchange.secrets set value = 'mine'",
    "update exchange.alembic_version set version_num = '0001'",
    "create table exchange.mine (n integer)",
    "create schema mine",
)


def refused(database: Database, statement: str) -> bool:
    try:
        with database.engine.begin() as connection:
            connection.execute(text(statement))
    except DBAPIError as error:
        said = str(error.orig)
        return "permission denied" in said or "must be owner" in said
    return False


def test_the_service_plays_a_whole_game_and_may_do_no_more(
    postgres_url: str, admin: Engine
) -> None:
    with admin.begin() as connection:
        changes = bring_about(
            connection,
            [parse_login("daily=ingest,transform,job"), parse_login("web=serve")],
        )
    secrets = iter([change.secret for change in changes if change.secret])
    daily, web = (
        Database(
            make_url(postgres_url)
            .set(username=name, password=next(secrets))
            .render_as_string(hide_password=False)
        )
        for name in ("daily", "web")
    )
    for database in (daily, web):
        database.upgrade()
    game = Game(daily).opened()
    game.database = web
    ann, bob = game.join("ann"), game.join("bob")
    assert game.trade(ann, "buy", 5).status == 200
    assert game.trade(ann, "sell", 2).status == 200
    assert game.order(bob, "buy", 3).status == 200
    placed = game.rows(schema.orders)[0].order_id
    for action in (
        lambda d: orders.cancel(d, game.clock, placed),
        lambda d: players.change_settings(d, game.clock, name="The Bobs"),
        lambda d: leagues.found_friends_league(d, game.clock, "ours"),
        lambda d: players.reset(d, game.clock, game.settings),
        lambda d: players.leave(d, game.clock),
    ):
        done = game.once(bob, {"operation": str(action)}, action)
        assert done.status == 200, done.body
    assert game.order(ann, "buy", 3).status == 200
    assert audit.look(web, game.clock, "watch") == []
    game.database = daily
    game.next_day()
    assert game.shares(ann) == 6
    assert [one for one in ATTACKS if not refused(web, one)] == []
    # The controls: the owner may, and the service may what it needs.
    with admin.begin() as connection:
        become(connection, "scrobble_owner")
        connection.execute(text(ATTACKS[0]))
    assert not refused(web, "update exchange.market set reason = 'x'")
    # Cash raised by the service's own login halts it.
    assert not refused(web, "update exchange.players set cash_units = cash_units + 1")
    assert audit.look(web, game.clock, "watch") != []
    for database in (daily, web):
        database.dispose()


def test_the_service_keeps_accounts_in_tables_it_may_not_make(
    postgres_url: str, admin: Engine
) -> None:
    with admin.begin() as connection:
        changes = bring_about(connection, [parse_login("web=serve")])
    (secret,) = [change.secret for change in changes if change.secret]
    url = make_url(postgres_url).set(username="web", password=secret)
    found = Settings(warehouse_url=url.render_as_string(hide_password=False))
    engine = accounts.open_accounts(ServeSettings(warehouse=found))
    accounts.ensure_tables(engine)
    assert store.log_in(engine, "Ann", days=1)
    engine.dispose()


def test_the_login_of_the_daily_run_works_on_an_exchange_it_may_not_create(
    postgres_url: str, admin: Engine
) -> None:
    with admin.begin() as connection:
        changes = bring_about(connection, [parse_login("daily=ingest,transform,job")])
    (secret,) = [change.secret for change in changes if change.secret]
    url = make_url(postgres_url).set(username="daily", password=secret)
    exchange = Database(url.render_as_string(hide_password=False))
    exchange.upgrade()
    assert exchange.is_current()
    with admin.begin() as connection:
        connection.execute(text("drop schema exchange cascade; create schema exchange"))
    with pytest.raises(WarehouseError, match=r"login daily may not .*scrobble db init"):
        exchange.upgrade()
    with admin.begin() as connection:
        bring_about(connection)
    exchange.upgrade()
    assert exchange.is_current()
    exchange.dispose()
