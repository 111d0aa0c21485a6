"""Cache, ETag and the move of the pointer: one answer is always of one version."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import psycopg2
import pytest
from flask import Flask
from flask.testing import FlaskClient

from serve.cache import Cache
from serve.store.contract import Published, StoreUnavailable
from tests.serve.conftest import bearer, log_in, make_settings, shared
from tests.serve.marts import publish, version_path, write_postgres

PATHS = (
    "/api/v1/insights/totals",
    "/api/v1/tags?limit=3",
    "/api/v1/charts/panel_artists?limit=100",
)


def copies(data_dir: Path, marts_file: Path, count: int) -> list[tuple[str, date]]:
    """Further versions, each of which says its own number in every fact asked for."""
    versions = []
    for number in range(1, count + 1):
        as_of = date(2026, 3, 14) + timedelta(days=number)
        version = f"{as_of:%Y%m%d}-{number + 1:06}"
        path = version_path(data_dir, version)
        shutil.copy(marts_file, path)
        with duckdb.connect(str(path)) as connection:
            connection.execute(f"update marts.dim_tags set reach = {number}")
            connection.execute(
                f"update marts.totals set scrobbles_clean = {number}"
                " where period = 'all_time'"
            )
            connection.execute(
                f"update marts.fct_chart_positions set scrobbles = {number}"
            )
        versions.append((version, as_of))
    return versions


def number_of(path: str, body: dict[str, Any]) -> set[int]:
    """The numbers of the versions the facts in a body come from."""
    if path == PATHS[0]:
        return {body["data"]["scrobbles"]}
    column = "reach" if path == PATHS[1] else "scrobbles"
    return {row[column] for row in body["data"]}


def serve_postgres(
    make_service: Callable[..., Flask], url: str, folder: Path, **given: Any
) -> Flask:
    """The service on the marts in PostgreSQL."""
    return make_service(
        data_dir=folder / "pg", warehouse={"warehouse_url": url}, **given
    )


def test_an_unchanged_answer_is_not_sent_again(client: FlaskClient) -> None:
    first = client.get(PATHS[1])
    etag = first.headers["ETag"]
    again = client.get(PATHS[1], headers={"If-None-Match": etag})
    assert again.status_code == 304 and again.data == b""
    assert again.headers["ETag"] == etag
    weak = client.get(PATHS[1], headers={"If-None-Match": f'"other", W/{etag}'})
    assert weak.status_code == 304
    assert client.get(PATHS[1], headers={"If-None-Match": '"other"'}).status_code == 200


def test_order_and_spelling_of_a_query_share_one_entry(
    service: Flask, client: FlaskClient
) -> None:
    one = client.get("/api/v1/artists?limit=3&q=art")
    two = client.get("/api/v1/artists?q=%61rt&limit=3")
    assert one.data == two.data
    counts = shared(service).cache.statistics()
    assert (counts["misses"], counts["hits"]) == (1, 1)
    assert counts["cache_entries"] == 1


def test_a_gzip_answer_is_the_same_and_has_an_etag_of_its_own(
    client: FlaskClient,
) -> None:
    import gzip

    plain = client.get(PATHS[2])
    packed = client.get(PATHS[2], headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert packed.headers["ETag"] != plain.headers["ETag"]
    again = client.get(PATHS[2], headers={"If-None-Match": packed.headers["ETag"]})
    assert again.status_code == 304


def test_private_answers_and_problems_are_never_kept(make_service: Any) -> None:
    app = make_service(public_panel=True)
    client = app.test_client()
    client.get("/api/v1/listeners/anna")
    client.get("/api/v1/nothing")
    client.get("/api/v1/tags?limit=0")
    bearer(app, "anna", "read")
    assert shared(app).cache.statistics()["cache_entries"] == 0


def test_a_publish_is_seen_at_once_and_old_etags_end(
    client: FlaskClient, data_dir: Path, marts_file: Path
) -> None:
    before = client.get(PATHS[1])
    ((version, as_of),) = copies(data_dir, marts_file, 1)
    publish(data_dir, version, as_of)
    after = client.get(PATHS[1], headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200
    assert after.get_json()["version"] == version
    assert after.headers["ETag"] != before.headers["ETag"]


def test_a_rollback_gives_the_old_answers_again(
    client: FlaskClient, data_dir: Path, marts_file: Path, world: Any
) -> None:
    before = client.get(PATHS[2])
    ((version, as_of),) = copies(data_dir, marts_file, 1)
    publish(data_dir, version, as_of)
    client.get(PATHS[2])
    publish(data_dir, "20260314-000001", world.as_of)
    after = client.get(PATHS[2])
    assert after.data == before.data


def test_twenty_publishes_under_load_mix_nothing_and_keep_no_stale_etag(
    service: Flask, data_dir: Path, marts_file: Path
) -> None:
    versions = copies(data_dir, marts_file, 20)
    numbers = {version: n for n, (version, _) in enumerate(versions, 1)}
    publish(data_dir, *versions[0])
    stop = threading.Event()
    wrong: list[str] = []
    answers = [0, 0]
    published = [versions[0][0]]

    def read(path: str) -> None:
        client = service.test_client()
        etag = ""
        known: dict[str, str] = {}
        while not stop.is_set():
            newest_before = published[-1]
            response = client.get(path, headers={"If-None-Match": etag})
            if response.status_code == 304:
                answers[1] += 1
                # Not modified must mean: of the version that is (or becomes) published.
                if known[etag] < newest_before:
                    wrong.append(f"stale 304 of {known[etag]} after {newest_before}")
                continue
            answers[0] += 1
            body = response.get_json()
            if response.status_code != 200:
                wrong.append(f"{response.status_code} {body}")
                continue
            if number_of(path, body) != {numbers[body["version"]]}:
                wrong.append(f"mixed {path} {body['version']}")
            if body["version"] < newest_before:
                wrong.append(f"stale {body['version']} after {newest_before}")
            etag = response.headers["ETag"]
            known[etag] = body["version"]

    threads = [threading.Thread(target=read, args=(path,)) for path in PATHS * 2]
    for thread in threads:
        thread.start()
    try:
        for version, as_of in versions[1:]:
            time.sleep(0.15)
            publish(data_dir, version, as_of)
            published.append(version)
        time.sleep(0.15)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert answers[0] >= 20 and answers[1] > 0
    store: Any = shared(service).store
    assert store._current.published.version == versions[-1][0]
    assert store._current.readers == 0


def test_the_load_test_sees_a_store_that_mixes_versions(
    service: Flask, data_dir: Path, marts_file: Path
) -> None:
    """The control: a store that takes version and data at two moments is caught."""
    versions = copies(data_dir, marts_file, 2)
    publish(data_dir, *versions[0])
    store: Any = shared(service).store
    client = service.test_client()
    assert number_of(PATHS[1], client.get(PATHS[1]).get_json()) == {1}
    current = store._current
    current.published = Published(versions[1][0], versions[1][1], None)  # type: ignore[arg-type]
    publish(data_dir, *versions[1])
    mixed = client.get(PATHS[1]).get_json()
    assert mixed["version"] == versions[1][0] and number_of(PATHS[1], mixed) == {1}


def test_old_versions_are_closed_when_their_last_reader_has_gone(
    service: Flask, data_dir: Path, marts_file: Path
) -> None:
    store: Any = shared(service).store
    ((version, as_of),) = copies(data_dir, marts_file, 1)
    with store.read() as reader:
        old = store._current
        publish(data_dir, version, as_of)
        with store.read() as fresh:
            assert fresh.published.version == version
        assert reader.query("select count(*) as n from marts.dim_tags").rows == [(3,)]
    with pytest.raises(duckdb.ConnectionException):
        old.connection.execute("select 1")


def test_dropping_the_cache_reaches_every_process(
    make_service: Callable[..., Flask],
) -> None:
    one, two = make_service(), make_service()
    for app in (one, two):
        app.test_client().get(PATHS[1])
    refused = one.test_client().post("/api/v1/cache/invalidate")
    assert refused.status_code == 401
    other = one.test_client().post(
        "/api/v1/cache/invalidate",
        headers=bearer(one, "bert", "read", "write", "trade"),
    )
    assert other.status_code == 403
    done = one.test_client().post(
        "/api/v1/cache/invalidate", headers=bearer(one, "anna", "admin")
    )
    assert done.status_code == 200
    for app in (one, two):
        app.test_client().get(PATHS[0])
        assert shared(app).cache.statistics()["cache_entries"] == 1


def test_memory_stays_bounded_whatever_is_asked(
    make_service: Callable[..., Flask],
) -> None:
    app = make_service(cache_bytes=300_000)
    client = app.test_client()
    for number in range(400):
        client.get(f"/api/v1/tags?limit={number % 200 + 1}&offset={number}")
    counts = shared(app).cache.statistics()
    assert counts["cache_bytes"] <= 300_000
    assert counts["evictions"] > 0


def test_a_cache_of_no_bytes_keeps_nothing_and_still_answers(
    make_service: Callable[..., Flask],
) -> None:
    app = make_service(cache_bytes=0)
    client = app.test_client()
    etag = client.get(PATHS[1]).headers["ETag"]
    answer = client.get(PATHS[1], headers={"If-None-Match": etag})
    assert answer.status_code == 304
    assert shared(app).cache.statistics()["hits"] == 0


def test_a_broken_warehouse_is_503_and_cached_answers_carry_their_age(
    service: Flask, client: FlaskClient, data_dir: Path
) -> None:
    kept = client.get(PATHS[1])
    (data_dir / "published.json").write_text("{")
    stale = client.get(PATHS[1])
    assert stale.status_code == 200 and stale.data == kept.data
    assert int(stale.headers["Age"]) >= 0 and "110" in stale.headers["Warning"]
    missing = client.get(PATHS[2])
    assert missing.status_code == 503
    assert missing.get_json()["code"] == "warehouse_unavailable"
    assert "pointer" in missing.get_json()["detail"]
    assert missing.headers["Retry-After"]
    assert client.get("/health").status_code == 200
    assert client.get("/ready").status_code == 503


def test_a_version_file_that_is_no_database_is_503_and_then_well_again(
    client: FlaskClient, data_dir: Path, world: Any
) -> None:
    path = version_path(data_dir, "20260315-000002")
    path.write_bytes(b"not a database" * 1000)
    publish(data_dir, "20260315-000002", world.as_of)
    answer = client.get(PATHS[2])
    assert answer.status_code == 503 and answer.get_json()["detail"]
    publish(data_dir, "20260314-000001", world.as_of)
    assert client.get(PATHS[2]).status_code == 200


def test_nothing_published_says_what_to_do(make_service: Any, tmp_path: Path) -> None:
    client = make_service(data_dir=tmp_path / "empty").test_client()
    answer = client.get("/api/v1/tags")
    assert answer.status_code == 503
    assert answer.get_json()["code"] == "nothing_published"
    assert "make daily" in answer.get_json()["detail"]


def test_a_mart_an_older_version_lacks_is_named(
    client: FlaskClient, data_dir: Path, marts_file: Path
) -> None:
    path = version_path(data_dir, "20260316-000003")
    shutil.copy(marts_file, path)
    with duckdb.connect(str(path)) as connection:
        connection.execute("drop table marts.dim_tags")
    publish(data_dir, "20260316-000003", date(2026, 3, 16))
    answer = client.get(PATHS[1])
    assert answer.status_code == 503
    assert answer.get_json()["code"] == "mart_missing"
    assert "dim_tags" in answer.get_json()["detail"]


def test_a_query_that_takes_too_long_is_stopped(make_service: Any) -> None:
    app = make_service(statement_seconds=0.2)
    began = time.monotonic()
    with (
        pytest.raises(StoreUnavailable, match="longer than"),
        shared(app).store.read() as reader,
    ):
        reader.query(
            "select count(*) from range(100000) as a(x), range(100000) as b(y)"
            " where (x * y) % 7 = 3"
        )
    assert time.monotonic() - began < 5


def test_a_reader_can_write_nothing_and_reach_no_other_file(
    service: Flask, marts_file: Path
) -> None:
    with shared(service).store.read() as reader:
        for sql in (
            "create table marts.x (a int)",
            f"attach '{marts_file}' as other",
            "select * from read_text('/etc/passwd')",
        ):
            with pytest.raises(duckdb.Error):
                reader.query(sql)


def test_postgres_down_is_503_and_cached_answers_carry_their_age(
    make_service: Any, postgres_server: Any, world: Any, tmp_path: Path
) -> None:
    url = postgres_server.new_database()
    write_postgres(world, url)
    app = serve_postgres(make_service, url, tmp_path, pointer_seconds=0)
    client = app.test_client()
    kept = client.get(PATHS[1])
    assert kept.status_code == 200
    postgres_server.drop_database(url)
    stale = client.get(PATHS[1])
    assert stale.status_code == 200 and stale.data == kept.data
    assert "110" in stale.headers["Warning"]
    missing = client.get(PATHS[2])
    assert missing.status_code == 503
    assert missing.get_json()["code"] == "warehouse_unavailable"
    assert postgres_server.password not in missing.text


def test_a_postgres_that_is_away_is_not_asked_at_every_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from serve.store.postgres import PostgresStore

    url = "postgresql+psycopg2://nobody@127.0.0.1:1/none"
    settings = make_settings(
        tmp_path, pointer_seconds=60, warehouse={"warehouse_url": url}
    )
    store = PostgresStore(settings, str(settings.database_url))
    asked = []
    connect = store._session
    monkeypatch.setattr(store, "_session", lambda: (asked.append(1), connect())[1])
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            store.state()
    assert asked == [1]
    store.close()


def test_postgres_reads_pointer_and_data_in_one_snapshot(
    make_service: Any, postgres_url: str, world: Any, tmp_path: Path
) -> None:
    write_postgres(world, postgres_url)
    app = serve_postgres(make_service, postgres_url, tmp_path, pointer_seconds=0)
    connection = psycopg2.connect(postgres_url.replace("+psycopg2", ""))
    with shared(app).store.read() as reader:
        assert reader.published.version == "20260314-000001"
        with connection, connection.cursor() as cursor:
            cursor.execute("update ops.published set version = '20260315-000002'")
            cursor.execute("update marts.dim_tags set reach = 7")
        assert {
            row[0] for row in reader.query("select reach from marts.dim_tags").rows
        } == {1000}
    connection.close()
    body = app.test_client().get("/api/v1/tags").get_json()
    assert body["version"] == "20260315-000002"
    assert {row["reach"] for row in body["data"]} == {7}


def move(url: str, number: int) -> str:
    """Publish a version in PostgreSQL that says its number in its facts."""
    version = f"20260315-{number:06}"
    connect = closing(psycopg2.connect(url.replace("+psycopg2", "")))
    with connect as connection, connection, connection.cursor() as cursor:
        cursor.execute("update ops.published set version = %s", (version,))
        cursor.execute("update marts.dim_tags set reach = %s", (number,))
        for mart, column in (
            ("fct_chart_positions", "scrobbles"),
            ("totals", "scrobbles_clean"),
        ):
            cursor.execute(f"update marts.{mart} set {column} = %s", (number,))
    return version


def test_an_answer_begun_on_the_version_before_is_made_anew(
    make_service: Any, postgres_url: str, world: Any, tmp_path: Path
) -> None:
    write_postgres(world, postgres_url)
    app = serve_postgres(make_service, postgres_url, tmp_path, pointer_seconds=60)
    client = app.test_client()
    assert client.get(PATHS[2]).get_json()["version"] == "20260314-000001"
    version = move(postgres_url, 5)
    # The pointer is not asked for a minute, so the question itself must notice.
    body = client.get(PATHS[1]).get_json()
    assert (body["version"], number_of(PATHS[1], body)) == (version, {5})
    body = client.get(PATHS[2]).get_json()
    assert (body["version"], number_of(PATHS[2], body)) == (version, {5})
    counts = shared(app).cache.statistics()
    assert (counts["answers_2xx"], counts["answers_5xx"]) == (3, 0)


def test_publishes_in_postgres_under_load_mix_nothing(
    make_service: Any, postgres_url: str, world: Any, tmp_path: Path
) -> None:
    write_postgres(world, postgres_url)
    move(postgres_url, 0)
    app = serve_postgres(
        make_service, postgres_url, tmp_path, pointer_seconds=0.3, cache_bytes=0
    )
    stop = threading.Event()
    wrong: list[Any] = []
    seen: set[int] = set()

    def read(path: str) -> None:
        client = app.test_client()
        while not stop.is_set():
            body = client.get(path).get_json()
            number = int(body.get("version", "-1")[-6:])
            seen.add(number)
            if number_of(path, body) != {number}:
                wrong.append(body)

    threads = [threading.Thread(target=read, args=(path,)) for path in PATHS]
    for thread in threads:
        thread.start()
    try:
        for number in range(1, 21):
            time.sleep(0.1)
            move(postgres_url, number)
        time.sleep(0.5)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert len(seen) > 5 and 20 in seen


def test_a_logged_in_browser_gets_the_cached_public_answer(service: Flask) -> None:
    browser = log_in(service, "anna")
    first = service.test_client().get(PATHS[1])
    second = browser.get(PATHS[1])
    assert second.data == first.data
    assert shared(service).cache.statistics()["hits"] == 1
    assert isinstance(shared(service).cache, Cache)


def test_a_foreign_host_header_leaves_no_trace_in_what_is_kept(
    client: FlaskClient,
) -> None:
    foreign = {"Host": "evil.example"}
    for path in ("/api/v1/charts/panel_artists/feed.atom", "/api/v1/artists?limit=2"):
        assert b"evil.example" not in client.get(path, headers=foreign).data
        assert b"evil.example" not in client.get(path).data
