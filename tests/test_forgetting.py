"""Deleting deletes: nothing is left of a listener in any table, file or version."""

from __future__ import annotations

import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert

from exchange import schema
from local_lastfm import LocalLastfm
from serve.app import create_app
from serve.settings import ServeSettings
from tests.daily_runs import FIRST_DAY, SECOND_DAY, Daily, copy_of, make_daily
from tests.serve.conftest import KEY, close, csrf, log_in
from tests.traces import traces_in_files, traces_in_postgres
from warehouse.settings import Settings

pytestmark = pytest.mark.long

#: One with an account, one whom another's list of friends names, and one who stays.
LEAVES, FRIEND, STAYS = "martal-morning", "polwen42", "Margor"


@contextmanager
def service(data_dir: Path, url: str | None = None) -> Iterator[Flask]:
    """The whole service on a warehouse, with a panel that is public."""
    settings = ServeSettings(
        warehouse=Settings(data_dir=data_dir, warehouse_url=url),
        secret_key=KEY,
        rate_limit="1000000 per minute",
        public_panel=True,
    )
    app = create_app(settings)
    try:
        yield app
    finally:
        close(app)
        app.extensions["exchange"].database.dispose()


def list_artist(app: Flask) -> str:
    """Put an artist on the market: a panel this small has none that is worth it."""
    chart = app.test_client().get("/api/v1/charts/global_artists").get_json()
    artist_id = str(chart["data"][0]["entity_id"])
    price = dict.fromkeys(
        ("fundamental_price_units", "price_units", "close_price_units"), 1_000_000
    )
    with app.extensions["exchange"].database.write() as connection:
        connection.execute(
            insert(schema.listings).values(
                artist_id=artist_id,
                artist_name="Low",
                depth_shares=1000,
                listed_date=FIRST_DAY,
                previous_close_units=1_000_000,
                **price,
            )
        )
    return artist_id


def buy(browser: FlaskClient, artist_id: str) -> str:
    """Make one's lists public, become a player and buy; gives the player's key."""
    headers = csrf(browser)
    browser.patch("/api/v1/account", json={"is_public": True}, headers=headers)
    terms = {"artist_id": artist_id, "side": "buy", "shares": 3}
    own = browser.get("/api/v1/exchange/portfolio").get_json()["data"]
    quoted = browser.post("/api/v1/exchange/quotes", json=terms, headers=headers)
    assert quoted.status_code == 200, quoted.text
    done = browser.post(
        "/api/v1/exchange/trades",
        json={**terms, "quote": quoted.get_json()["data"]["quote"]},
        headers={**headers, "Idempotency-Key": "buy"},
    )
    assert done.status_code == 201, done.text
    return str(own["player_id"])


def schemas_of(places: Counter[str]) -> set[str]:
    """Where traces are, roughly: kinds of files, schemas of databases."""
    kinds = ("landing", "ops.sqlite", "accounts.sqlite", "exchange.sqlite")
    kinds += ("raw.", "staging.", "intermediate.", "marts.", "(bytes)")
    return {kind for kind in kinds if any(kind in place for place in places)}


def delete_account(browser: FlaskClient) -> None:
    deleted = browser.delete("/api/v1/account", headers=csrf(browser))
    assert deleted.status_code == 200, deleted.text


def sees(browser: FlaskClient, listener: str) -> bool:
    """Whether anybody is told of a listener: their page, and the rankings."""
    page = browser.get(f"/api/v1/listeners/{listener}")
    ranked = browser.get("/api/v1/rankings/listeners?limit=100")
    assert ranked.status_code == 200, ranked.text
    is_ranked = listener.casefold() in ranked.text.casefold()
    assert (page.status_code == 200) == is_ranked
    return is_ranked


def trades_of(books: Path, player: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(books)) as connection:
        return connection.execute(
            "select * from trades where player_id = ? order by trade_id", [player]
        ).fetchall()


@pytest.fixture
def first(demo: LocalLastfm, first_day: Path, tmp_path: Path) -> Daily:
    """A warehouse of the first day; its settings go on naming whom they named."""
    daily = copy_of(demo, first_day, tmp_path / "warehouse")
    # The copy for tools must not keep them either.
    daily.environment["MARTS_FILE"] = "1"
    daily.run("daily", "--as-of", str(FIRST_DAY))
    return daily


def test_nothing_stays_of_whoever_was_deleted_in_any_file(
    first: Daily, tmp_path: Path
) -> None:
    books = first.data_dir / "exchange.sqlite"
    with service(first.data_dir) as app:
        artist_id = list_artist(app)
        mine, other = log_in(app, LEAVES), log_in(app, STAYS)
        player, theirs = buy(mine, artist_id), buy(other, artist_id)
        # The control: all these places hold the listener, and the search finds them.
        before = traces_in_files(first.data_dir, LEAVES)
        assert len(schemas_of(before)) == 9, before
        assert {"landing", "raw.", "marts."} <= schemas_of(
            traces_in_files(first.data_dir, FRIEND)
        )
        their_trades = trades_of(books, theirs)
        visitor = app.test_client()
        assert sees(visitor, LEAVES) and sees(visitor, STAYS)
        delete_account(mine)
        assert not sees(visitor, LEAVES) and sees(visitor, STAYS)
        assert mine.get("/api/v1/account").status_code == 401
    said = first.run("forget", FRIEND)
    assert "2 listeners who asked to be deleted; 1 older version" in said
    for listener in (LEAVES, FRIEND):
        assert traces_in_files(first.data_dir, listener) == Counter()
    assert traces_in_files(first.data_dir, STAYS)
    # The books balance, under a number; nobody else's trades have changed.
    assert "the books add up" in first.run("market", "verify")
    assert len(trades_of(books, player)) == 2, "bought, and sold on leaving"
    assert trades_of(books, theirs) == their_trades
    first.run("backup", str(tmp_path / "backups"))
    for listener in (LEAVES, FRIEND):
        assert traces_in_files(tmp_path / "backups", listener) == Counter()

    # A further day asks nobody about them, whatever the settings and friends say.
    said = first.run("daily", "--as-of", str(SECOND_DAY))
    assert "left out: 1 listener of the panel who asked to be deleted" in said
    for listener in (LEAVES, FRIEND):
        assert traces_in_files(first.data_dir, listener) == Counter()
    # And what is built day by day is what is built as a whole.
    by_day = first.fingerprint()
    first.run("publish", "--as-of", str(SECOND_DAY), "--full-refresh")
    assert first.fingerprint() == by_day


@pytest.mark.chaos
@pytest.mark.parametrize("step", ["publish", "build"])
def test_a_run_killed_while_it_deletes_is_finished_by_the_next(
    first: Daily, step: str
) -> None:
    with service(first.data_dir) as app:
        delete_account(log_in(app, LEAVES))
    process = first.start("daily", "--as-of", str(FIRST_DAY))
    assert first.wait_for(step, process, after=1)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    # The control: it had not come to its end.
    assert traces_in_files(first.data_dir, LEAVES)
    assert "1 listener who asked to be deleted" in first.run(
        "daily", "--as-of", str(FIRST_DAY)
    )
    assert traces_in_files(first.data_dir, LEAVES) == Counter()
    # And the day is done: a deletion is carried out once.
    assert "already done" in first.run("daily", "--as-of", str(FIRST_DAY))


def test_who_was_deleted_and_comes_back_is_followed_again(first: Daily) -> None:
    from warehouse import forgetting, ops

    settings = Settings(data_dir=first.data_dir)
    engine = ops.open_ops(settings)
    with service(first.data_dir) as app:
        log_in(app, STAYS)
    is_left_out = forgetting.left_out(settings, engine)
    assert not is_left_out(LEAVES)
    forgetting.finish(settings, engine, [LEAVES])
    is_left_out = forgetting.left_out(settings, engine)
    assert is_left_out(LEAVES) and is_left_out(LEAVES.upper())
    assert not is_left_out(STAYS)
    forgetting.take_back(settings, engine, LEAVES)
    assert not forgetting.left_out(settings, engine)(LEAVES)
    engine.dispose()
    secret = first.data_dir / forgetting.SECRET
    assert secret.stat().st_mode & 0o077 == 0


@pytest.mark.chaos
@pytest.mark.postgres
def test_nothing_stays_of_whoever_was_deleted_in_postgres(
    demo: LocalLastfm, tmp_path: Path, postgres_url: str
) -> None:
    small = make_daily(tmp_path, demo.as_of_url, demo.world.listeners[:3])
    daily = replace(
        small, environment={**small.environment, "WAREHOUSE_URL": postgres_url}
    )
    daily.run("daily", "--as-of", str(FIRST_DAY))
    with service(daily.data_dir, postgres_url) as app:
        artist_id = list_artist(app)
        mine, other = log_in(app, LEAVES), log_in(app, STAYS)
        buy(mine, artist_id), buy(other, artist_id)
        before = traces_in_postgres(postgres_url, LEAVES)
        found = {place.partition(".")[0] for place in before}
        assert found == {
            *("raw", "staging", "intermediate", "marts_build", "marts_store"),
            *("ops", "exchange", "pg_statistic"),
        }
        delete_account(mine)
        assert not sees(app.test_client(), LEAVES)
    said = daily.run("daily", "--as-of", str(SECOND_DAY))
    assert "1 listener who asked to be deleted; 1 older version" in said
    assert traces_in_postgres(postgres_url, LEAVES) == Counter()
    assert traces_in_files(daily.data_dir, LEAVES) == Counter()
    assert traces_in_postgres(postgres_url, STAYS)
    assert "the books add up" in daily.run("market", "verify")
