"""The tables the migrations make are those the program was written for."""

from __future__ import annotations

import re

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, select, text

from exchange import ledger, schema
from exchange.database import Database, alembic_config
from exchange.schema import SCHEMA, metadata, players


def test_migrations_make_exactly_the_tables_of_the_schema(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": not database.is_sqlite,
                "version_table_schema": None if database.is_sqlite else SCHEMA,
                "include_name": lambda name, kind, _: (
                    kind != "schema" or name == SCHEMA
                ),
            },
        )
        if database.is_sqlite:
            there = set(inspect(connection).get_table_names())
            assert {table.name for table in metadata.tables.values()} < there
            for table in metadata.tables.values():
                found = {c["name"] for c in inspect(connection).get_columns(table.name)}
                assert found == set(table.c.keys()), table.name
        else:
            assert compare_metadata(context, metadata) == []
    assert database.is_current()


def test_migrating_twice_changes_nothing(database: Database) -> None:
    database.upgrade()
    assert database.is_current()


def test_migrations_can_be_taken_back_and_made_again(database: Database) -> None:
    with database.engine.connect() as connection:
        command.downgrade(alembic_config(connection), "base")
    assert not database.is_current()
    database.upgrade()
    assert database.is_current()


def test_players_of_before_get_neutral_names_and_may_choose(
    database: Database,
) -> None:
    with database.engine.connect() as connection:
        command.downgrade(alembic_config(connection), "0002")
    last_fm = ["anna", "player-1000", "bert"]
    schema = "" if database.is_sqlite else f"{SCHEMA}."
    with database.write() as connection:
        for name in last_fm:
            connection.execute(
                text(
                    f"insert into {schema}players (player_id, account_id, player_name,"
                    " listener_id, joined_at)"
                    " values (:id, :id, :name, :name, '2024-03-01')"
                ),
                {"id": f"id of {name}", "name": name},
            )
        connection.execute(
            text(
                f"insert into {schema}players (player_id, joined_at, left_at)"
                " values ('gone', '2024-03-01', '2024-03-02')"
            )
        )
    database.upgrade()
    with database.read() as connection:
        rows = connection.execute(select(players)).all()
    there = [row for row in rows if row.player_id != "gone"]
    names = {row.player_name for row in there}
    assert len(names) == 3 and names.isdisjoint({"anna", "bert"})
    assert all(re.fullmatch(r"player-\d+", name) for name in names)
    assert {row.name_key for row in there} == names
    assert {row.named_at for row in rows} == {None}
    assert [row.player_name for row in rows if row.player_id == "gone"] == [None]


OLD_BOOKS = """
    insert into {s}market (market_id, state, session) values (1, 'open', 5);
    insert into {s}listings (artist_id, artist_name, fundamental_price_units,
        price_units, close_price_units, previous_close_units, net_shares,
        depth_shares, house_cash_units, listed_date)
        values ('low', 'Low', 2000000, 2013545, 2000000, 2013545, 27, 4000, 54000000,
            '2024-03-01');
    insert into {s}players (player_id, cash_units, joined_at)
        values ('ann', 800, '2024-03-01 02:00:00'), ('bob', 900, '2024-03-01 02:00:00');
    insert into {s}holdings (player_id, artist_id, shares, close_shares)
        values ('ann', 'low', 20, 10), ('bob', 'low', 7, 9);
    insert into {s}orders (order_id, player_id, artist_id, side, shares, state,
        placed_at) values ('o1', 'ann', 'low', 'buy', 5, 'queued',
            '2024-03-02 02:00:00');
    insert into {s}postings (transaction_id, line, account, asset, amount) values
        ('t0', 0, 'player:ann', 'cash', 800), ('t0', 1, 'player:bob', 'cash', 900),
        ('t0', 2, 'bank', 'cash', -54001700), ('t0', 3, 'house:low', 'cash', 54000000),
        ('t0', 4, 'player:ann', 'low', 10), ('t0', 5, 'player:bob', 'low', 7),
        ('t0', 6, 'house:low', 'low', -17),
        ('t1', 0, 'player:ann', 'low', 10), ('t1', 1, 'house:low', 'low', -10);
    insert into {s}transactions (transaction_id, kind, session, occurred_at) values
        ('t0', 'grant', 4, '2024-03-01 02:00:00'),
        ('t1', 'trade:now', 5, '2024-03-02 02:00:00');
    insert into {s}trades (trade_id, player_id, artist_id, side, shares, value_units,
        fee_units, price_units, kind, session, traded_at) values
        ('t1', 'ann', 'low', 'buy', 10, 21000000, 0, 2100000, 'now', 5,
            '2024-03-02 02:00:00')
"""


def test_books_of_before_get_the_basis_of_their_last_close(database: Database) -> None:
    with database.engine.connect() as connection:
        command.downgrade(alembic_config(connection), "0001")
    prefix = "" if database.is_sqlite else "exchange."
    with database.write() as connection:
        for statement in OLD_BOOKS.format(s=prefix).split(";"):
            connection.execute(text(statement))
    database.upgrade()
    with database.read() as connection:
        # Ann's ten new shares cost what ten and a half do at the fundamental price.
        assert {
            row.player_id: (row.basis_nanos, row.session_basis_nanos)
            for row in connection.execute(select(schema.holdings))
        } == {
            "ann": (20_500_000_000, 10_500_000_000),
            "bob": (7_000_000_000, 0),
        }
        listing = connection.execute(select(schema.listings)).one()
        assert listing.basis_nanos == 27_500_000_000
        order = connection.execute(select(schema.orders)).one()
        assert (order.state, order.reserved_units) == ("cancelled", 0)
        assert ledger.violations(connection) == []
    with database.engine.connect() as connection:
        command.downgrade(alembic_config(connection), "0001")
