"""Several machines before one warehouse: shared answers and counts, a standby."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import create_engine, text

from serve import app as application
from serve import shared_cache
from serve.shared_cache import Answer, SharedCache
from serve.store import open_store
from serve.store.contract import Store, StoreUnavailable
from tests.serve.conftest import bearer, make_settings, shared
from tests.serve.marts import World, publish, version_path
from tests.system import PostgresServer, free_port, redis_server, streaming_standby

PATH = "/api/v1/tags?limit=3"
STATE = ("v1", "")


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with redis_server(free_port()) as url:
        yield url


@pytest.fixture
def cache_url(redis_url: str) -> Iterator[str]:
    """An empty server."""
    with redis.Redis.from_url(redis_url) as server:
        server.flushall()
    yield redis_url


def counts(app: Flask) -> dict[str, int]:
    return dict(shared(app).cache.counts)


def test_what_one_machine_answered_another_need_not_compute(
    make_service: Callable[..., Flask], cache_url: str
) -> None:
    one, other = (make_service(cache_url=cache_url) for _ in range(2))
    made = one.test_client().get(PATH)
    found = other.test_client().get("/api/v1/tags?limit=3&")
    assert found.data == made.data and found.headers["ETag"] == made.headers["ETag"]
    assert found.headers["Cache-Control"] == made.headers["Cache-Control"]
    assert counts(other).get("misses", 0) == 0 and counts(other)["shared_hits"] == 1
    alone = make_service()
    assert alone.test_client().get(PATH).status_code == 200
    assert counts(alone)["misses"] == 1, "the control: nothing is shared without it"


def test_nothing_that_is_a_persons_is_shared(
    make_service: Callable[..., Flask], cache_url: str
) -> None:
    app = make_service(cache_url=cache_url)
    head = bearer(app, "anna", "read")
    for path in ("/api/v1/account", "/api/v1/listeners/anna"):
        assert app.test_client().get(path, headers=head).status_code == 200
    with redis.Redis.from_url(cache_url) as server:
        assert list(server.scan_iter("scrobble:answer:*")) == []
        app.test_client().get(PATH)
        assert len(list(server.scan_iter("scrobble:answer:*"))) == 1, "the control"


def test_another_version_generation_release_or_address_shares_nothing(
    cache_url: str,
) -> None:
    cache = SharedCache(cache_url, "release 1")
    answer = Answer('"a"', [("ETag", '"a"')], b"body\nof two lines")
    cache.put(STATE, "/a", answer)
    assert cache.get(STATE, "/a") == answer
    assert cache.get(("v2", ""), "/a") is None
    assert cache.get(("v1", "later"), "/a") is None
    assert cache.get(STATE, "/b") is None
    assert SharedCache(cache_url, "release 2").get(STATE, "/a") is None
    assert SharedCache(cache_url, "release 1").get(STATE, "/a") == answer


def test_a_publish_and_an_invalidation_drop_what_is_shared(
    make_service: Callable[..., Flask], cache_url: str, data_dir: Path, world: World
) -> None:
    def asked() -> dict[str, int]:
        app = make_service(cache_url=cache_url)
        assert app.test_client().get(PATH).status_code == 200
        return counts(app)

    assert asked()["misses"] == 1
    assert "misses" not in asked()
    shared(make_service()).store.invalidate()
    assert asked()["misses"] == 1
    assert "misses" not in asked()
    newer = version_path(data_dir, "20260315-000002")
    newer.write_bytes(version_path(data_dir, "20260314-000001").read_bytes())
    publish(data_dir, "20260315-000002", world.as_of)
    assert asked()["misses"] == 1


def test_only_an_administrator_asks_past_the_caches(
    make_service: Callable[..., Flask], cache_url: str
) -> None:
    app = make_service(cache_url=cache_url, admins="anna")
    fresh = {"Cache-Control": "no-cache"}

    def misses(head: dict[str, str]) -> int:
        before = counts(app).get("misses", 0)
        assert app.test_client().get(PATH, headers=head).status_code == 200
        return counts(app).get("misses", 0) - before

    admin = bearer(app, "anna", "read", "admin")
    reader = bearer(app, "bert", "read")
    app.test_client().get(PATH)
    assert misses(fresh) == 0
    assert misses({**fresh, **reader}) == 0
    assert misses(admin) == 0
    assert misses({**fresh, **admin}) == 1


def test_a_server_that_goes_away_does_no_harm(
    make_service: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_cache, "PAUSE", 0.5)
    port = free_port()

    def asked(client: FlaskClient, limit: int) -> float:
        began = time.monotonic()
        answer = client.get(f"/api/v1/tags?limit={limit}")
        assert answer.status_code == 200, answer.text
        return time.monotonic() - began

    with redis_server(port) as url:
        app = make_service(cache_url=url)
        client = app.test_client()
        asked(client, 1)
    # Gone: the first who asks finds out, the others do not ask for a while.
    for limit in (2, 3, 4):
        assert asked(client, limit) < 5
    with redis_server(port) as url:
        time.sleep(0.6)
        asked(client, 5)
        asked(make_service(cache_url=url).test_client(), 5)
        with redis.Redis.from_url(url) as server:
            assert len(list(server.scan_iter("scrobble:answer:*"))) == 1


def test_machines_count_requests_together_and_alone_without_the_server(
    make_service: Callable[..., Flask],
) -> None:
    port = free_port()
    given = {"rate_limit": "3 per minute"}

    def statuses(apps: list[Flask]) -> list[int]:
        return [
            app.test_client().get("/api/v1/freshness?x=1").status_code
            for _ in range(2)
            for app in apps
        ]

    with redis_server(port) as url:
        apps = [make_service(cache_url=url, **given) for _ in range(2)]
        assert statuses(apps) == [422, 422, 422, 429]
    assert statuses(apps) == [422, 422, 422, 422], "each alone: two of three"
    apps = [make_service(**given) for _ in range(2)]
    assert statuses(apps) == [422, 422, 422, 422], "the control: not shared"


def test_the_release_is_every_line_of_the_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("exchange", "serve", "warehouse"):
        (tmp_path / package).mkdir()
    file = tmp_path / "serve" / "x.py"
    file.write_text("1")
    monkeypatch.setattr(shared_cache, "__file__", str(tmp_path / "serve" / "y.py"))
    before = shared_cache.release_of_code()
    assert shared_cache.release_of_code() == before
    file.write_text("2")
    assert shared_cache.release_of_code() != before


# A standby --------------------------------------------------------------------


@pytest.fixture(scope="module")
def servers(postgres_server: PostgresServer) -> Iterator[tuple[str, PostgresServer]]:
    """A database with a version, and the standby that follows its server."""
    url = postgres_server.new_database()
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in (
            "create schema ops",
            "create schema marts",
            "create table ops.published (name text, version text, as_of_date date,"
            " published_at timestamp)",
            "insert into ops.published values"
            " ('current', '1', '2026-01-01', '2026-01-01 10:00')",
            "create table marts.numbers as select 1 as version",
        ):
            connection.execute(text(statement))
    engine.dispose()
    with streaming_standby(postgres_server) as standby:
        yield url, standby
    postgres_server.drop_database(url)


@pytest.fixture
def store(servers: tuple[str, PostgresServer], tmp_path: Path) -> Iterator[Store]:
    url, standby = servers
    database = url.rsplit("/", 1)[1]
    settings = make_settings(
        tmp_path,
        pointer_seconds=0,
        read_url=standby.url(database),
        warehouse={"warehouse_url": url},
    )
    store = open_store(settings)
    yield store
    store.close()


def read(store: Store) -> tuple[str, int, bool]:
    """The version an answer carries, the one its rows are of, and whether a standby
    gave them."""
    with store.read() as reader:
        row = reader.query(
            "select version, pg_is_in_recovery() as is_standby from marts.numbers"
        ).rows[0]
        return reader.published.version, int(row[0]), bool(row[1])


def published_next(url: str) -> int:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("update marts.numbers set version = version + 1"))
        connection.execute(
            text(
                "update ops.published set version = (select version from marts.numbers)"
            )
        )
        number = connection.execute(text("select version from marts.numbers")).scalar()
    engine.dispose()
    return int(number or 0)


def level(store: Store) -> None:
    """Wait until the standby has what the primary has."""
    until = time.monotonic() + 30
    while not read(store)[2]:
        assert time.monotonic() < until, "the standby does not follow"
        time.sleep(0.05)


def test_reads_go_to_the_standby_and_never_behind_what_was_announced(
    servers: tuple[str, PostgresServer], store: Store
) -> None:
    url, standby = servers
    level(store)
    standby.run_sql("select pg_wal_replay_pause()")
    try:
        number = published_next(url)
        assert store.state()[0] == str(number)
        # The standby is behind: the primary answers.
        assert read(store) == (str(number), number, False)
        direct = create_engine(standby.url(url.rsplit("/", 1)[1]))
        with direct.connect() as connection:
            old = connection.execute(text("select version from marts.numbers")).scalar()
        direct.dispose()
        assert old == number - 1, "the control: alone it would be older"
    finally:
        standby.run_sql("select pg_wal_replay_resume()")
    level(store)
    assert read(store) == (str(number), number, True)


def test_a_standby_that_cannot_be_reached_is_left_out(
    servers: tuple[str, PostgresServer], tmp_path: Path
) -> None:
    settings = make_settings(
        tmp_path,
        pointer_seconds=0,
        read_url=f"postgresql://nobody@127.0.0.1:{free_port()}/nothing",
        warehouse={"warehouse_url": servers[0]},
    )
    store = open_store(settings)
    try:
        version, number, is_standby = read(store)
        assert (version, is_standby) == (str(number), False)
    finally:
        store.close()


def test_without_the_primary_the_standby_answers_what_was_announced(
    servers: tuple[str, PostgresServer],
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    level(store)

    def away(*_: object) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(store._primary, "published", away)  # type: ignore[attr-defined]
    assert read(store)[2] is True
    monkeypatch.setattr(store, "_announced", None)
    with pytest.raises(StoreUnavailable):
        read(store)


def test_accounts_and_the_exchange_are_never_the_standbys(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is written opens the warehouse's URL; only the store knows the other."""
    root = Path(application.__file__).parents[1]
    readers = [
        str(path.relative_to(root))
        for package in ("exchange", "serve", "ingest", "warehouse")
        for path in (root / package).rglob("*.py")
        if "read_url" in path.read_text(encoding="utf-8")
    ]
    assert sorted(readers) == ["serve/settings.py", "serve/store/__init__.py"]
