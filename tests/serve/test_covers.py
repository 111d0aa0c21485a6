"""Covers: fetched by the service alone, from one host, in bounds, never waited for."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import duckdb
import pytest
from flask import Flask

from local_lastfm.covers import picture
from local_lastfm.login import demo_login
from serve import covers
from serve.app import create_app
from serve.covers import FOLDER, Covers
from tests.serve.conftest import close, log_in, make_settings
from tests.serve.marts import key
from warehouse import ops
from warehouse.settings import Settings

ALBUM, COVER = key("Artist 00\x1fAlbum"), key("Artist 00\x1fcover")
BARE = key("Artist 01\x1fAlbum")
UNKNOWN = "0" * 32
PNG = picture(COVER, 16)
FOREVER = "public, max-age=31536000, immutable"
ALBUM_CHART = """
    insert into marts.fct_chart_positions
    select positions.* replace (
        'panel_albums' as chart, albums.album_id as entity_id,
        albums.album_name as entity_name
    )
    from marts.fct_chart_positions as positions
    inner join marts.dim_albums as albums on albums.artist_id = positions.entity_id
    where positions.chart = 'panel_artists';
    insert into marts.chart_issues
    select issues.* replace ('panel_albums' as chart)
    from marts.chart_issues as issues
    where issues.chart = 'panel_artists';
"""


@dataclass
class Host:
    """A host of pictures that answers as it is told, and notes what it is asked."""

    url: str = ""
    status: int = 200
    body: bytes = PNG
    asked: list[str] = field(default_factory=list)
    #: Cleared: an answer stops in the middle until it is set.
    goes_on: threading.Event = field(default_factory=threading.Event)
    at_once: int = 0
    most_at_once: int = 0


@pytest.fixture
def host() -> Iterator[Host]:
    told = Host()
    told.goes_on.set()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.asked.append(self.path)
            told.at_once += 1
            told.most_at_once = max(told.most_at_once, told.at_once)
            self.send_response(told.status)
            self.send_header("Location", f"{told.url}/elsewhere")
            self.send_header("Content-Type", "image/png")
            self.end_headers()
            self.wfile.write(told.body[:20])
            self.wfile.flush()
            told.goes_on.wait(60)
            told.at_once -= 1
            self.wfile.write(told.body[20:])

        def log_message(self, *_: object) -> None:
            """Quiet: the tests ask what was asked."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield told
    told.goes_on.set()
    server.shutdown()
    thread.join(timeout=10)
    server.server_close()


@pytest.fixture
def make_pages(data_dir: Path, host: Host) -> Iterator[Callable[..., Flask]]:
    """Makes services with pages that fetch their covers from the host."""
    made: list[Flask] = []

    def make(**given: object) -> Flask:
        url = f"{host.url}/i/{{id}}.png"
        settings = make_settings(data_dir, **{"covers_url": url, **given})
        made.append(create_app(settings, parts=("serve.pages",)))
        return made[-1]

    yield make
    for app in made:
        close(app)


def until(is_so: Callable[[], object]) -> None:
    """Wait for what a thread beside the requests does."""
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)


def test_a_cover_is_fetched_once_beside_the_requests_and_kept_for_all_workers(
    make_pages: Callable[..., Flask], host: Host, data_dir: Path
) -> None:
    client = make_pages().test_client()
    first = client.get(f"/covers/{COVER}")
    assert (first.status_code, first.headers["Cache-Control"]) == (204, "no-store")
    assert int(first.headers["Retry-After"]) > 0
    until((data_dir / FOLDER / COVER).exists)
    found = client.get(f"/covers/{COVER}")
    assert (found.status_code, found.data, found.mimetype) == (200, PNG, "image/png")
    assert found.headers["Cache-Control"] == FOREVER
    assert found.headers["X-Content-Type-Options"] == "nosniff"
    assert "img-src 'self'" in found.headers["Content-Security-Policy"]
    again = client.get(
        f"/covers/{COVER}", headers={"If-None-Match": found.headers["ETag"]}
    )
    assert (again.status_code, again.data) == (304, b"")
    # Another worker asks nobody: its host does not even exist.
    other = make_pages(covers_url="http://127.0.0.1:9/{id}").test_client()
    assert other.get(f"/covers/{COVER}").data == PNG
    assert host.asked == [f"/i/{COVER}.png"]
    assert [path.name for path in (data_dir / FOLDER).iterdir()] == [COVER]


@pytest.mark.parametrize(
    "cover_id",
    [UNKNOWN, "x", COVER.upper(), COVER + "a", f"{COVER}.png", f"..%2f{COVER}", "%00"],
)
def test_the_host_is_asked_for_covers_of_published_albums_only(
    make_pages: Callable[..., Flask], host: Host, cover_id: str
) -> None:
    client = make_pages().test_client()
    assert client.get(f"/covers/{cover_id}").status_code == 404
    # The control comes after it through the same threads: this one is asked for.
    assert client.get(f"/covers/{COVER}").status_code == 204
    until(lambda: host.asked)
    assert host.asked == [f"/i/{COVER}.png"]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html><script>alert(1)</script></html>"),
        (200, b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
        (200, b""),
        (200, PNG + bytes(1_000_000)),
        (302, PNG),
        (404, PNG),
    ],
)
def test_what_is_no_picture_of_a_fair_size_is_refused_and_not_asked_for_again(
    make_pages: Callable[..., Flask],
    host: Host,
    data_dir: Path,
    status: int,
    body: bytes,
) -> None:
    host.status, host.body = status, body
    client = make_pages().test_client()
    assert client.get(f"/covers/{COVER}").status_code == 204
    until(lambda: client.get(f"/covers/{COVER}").status_code == 404)
    assert client.get(f"/covers/{COVER}").headers["Cache-Control"] != FOREVER
    assert host.asked == [f"/i/{COVER}.png"]
    assert not (data_dir / FOLDER / COVER).exists()


def test_no_request_waits_for_a_slow_host_and_few_fetches_run_at_once(
    host: Host, tmp_path: Path
) -> None:
    host.goes_on.clear()
    kept = Covers(tmp_path, f"{host.url}/{{id}}", 10**9)
    started = time.monotonic()
    states = {kept.get(f"{number:032x}").state for number in range(200)}
    states |= {kept.get(f"{number:032x}").state for number in range(200)}
    # One that waited would wait for as long as the host is silent.
    assert time.monotonic() - started < covers._SILENCE
    assert states == {"soon"}
    until(lambda: len(host.asked) == covers._FETCHERS)
    host.goes_on.set()
    until(lambda: len(list(tmp_path.iterdir())) == 200)
    assert host.most_at_once <= covers._FETCHERS
    # The control: what was fetched at last is here, each asked for once.
    assert kept.get(f"{7:032x}").body == PNG
    assert len(host.asked) == len(set(host.asked)) == 200


def test_more_than_may_wait_is_put_off(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However slow this machine is, the silent host does not come to be left alone.
    monkeypatch.setattr(covers, "_SILENCE", 60.0)
    monkeypatch.setattr(covers, "_SECONDS", 60.0)
    host.goes_on.clear()
    kept = Covers(tmp_path, f"{host.url}/{{id}}", 10**9)
    # Each thread has one that the host does not give; so all the others wait.
    for number in range(covers._FETCHERS):
        assert kept.get(f"{number:032x}").state == "soon"
        until(lambda taken=number + 1: len(host.asked) == taken)
    most = covers._FETCHERS + covers._WAITING
    states = [
        kept.get(f"{number:032x}").state
        for number in range(covers._FETCHERS, most + 20)
    ]
    assert states == ["soon"] * covers._WAITING + ["later"] * 20


@pytest.mark.parametrize("failure", ["500", "silent", "closed"])
def test_a_host_that_fails_is_left_alone_for_a_while(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: str
) -> None:
    monkeypatch.setattr(covers, "_SILENCE", 0.2)
    now = [1000.0]
    url = "http://127.0.0.1:9" if failure == "closed" else host.url
    kept = Covers(tmp_path, f"{url}/{{id}}", 10**9, lambda: now[0])
    if failure == "500":
        host.status = 500
    if failure == "silent":
        host.goes_on.clear()
    kept.get(COVER)
    until(lambda: kept.get(UNKNOWN).state == "later")
    asked = len(host.asked)
    assert 0 < kept.get(COVER).retry_seconds <= covers._REST + 1
    assert len(host.asked) == asked
    host.status = 200
    host.goes_on.set()
    now[0] += covers._REST + 1
    assert kept.get(COVER).state == "soon"

    def is_here() -> bool:
        # A busy machine is silent too: what failed once more rests once more.
        cover = kept.get(COVER)
        now[0] += covers._REST + 1 if cover.state == "later" else 0
        return cover.state == "here"

    if failure != "closed":
        until(is_here)


def test_the_folder_stays_within_its_bound_and_keeps_what_was_used_last(
    host: Host, tmp_path: Path
) -> None:
    host.body = PNG + bytes(10_000 - len(PNG))
    limit = 200_000
    kept = Covers(tmp_path, f"{host.url}/{{id}}", limit)
    # What an earlier process left is too much, and one of it was used just now.
    for number in range(30):
        file = tmp_path / f"{number:032x}"
        file.write_bytes(host.body)
        os.utime(file, (1e9 + number, 1e9 + number))
    assert kept.get(f"{3:032x}").state == "here"
    asked = [f"{number:032x}" for number in range(100, 140)]
    for cover_id in asked:
        kept.get(cover_id)
        until(lambda cover_id=cover_id: cover_id not in kept._wanted)
        held = sum(file.stat().st_size for file in tmp_path.iterdir())
        assert held <= limit
    names = {file.name for file in tmp_path.iterdir()}
    # By now even it has made room, but only after all that was older than it.
    assert names <= set(asked) and asked[-1] in names
    assert len(names) >= 0.8 * limit / 10_000


def test_a_picture_that_is_used_outlives_one_that_is_not(
    host: Host, tmp_path: Path
) -> None:
    host.body = PNG + bytes(10_000 - len(PNG))
    for number in range(18):
        file = tmp_path / f"{number:032x}"
        file.write_bytes(host.body)
        os.utime(file, (1e9 + number, 1e9 + number))
    kept = Covers(tmp_path, f"{host.url}/{{id}}", 190_000)
    assert kept.get(f"{0:032x}").state == "here"
    for number in range(100, 105):
        kept.get(f"{number:032x}")
        until(lambda: not kept._wanted)
    names = {file.name for file in tmp_path.iterdir()}
    assert f"{0:032x}" in names
    assert f"{1:032x}" not in names


def test_a_folder_that_cannot_be_written_is_no_reason_to_ask_again_and_again(
    host: Host, tmp_path: Path
) -> None:
    (tmp_path / FOLDER).write_text("a file where the folder should be")
    kept = Covers(tmp_path / FOLDER, f"{host.url}/{{id}}", 10**9)
    assert kept.get(COVER).state == "soon"
    until(lambda: not kept._wanted)
    assert kept.get(COVER).state == "later"
    assert len(host.asked) == 1


def test_the_demo_shows_the_pictures_of_the_local_lastfm(tmp_path: Path) -> None:
    engine = ops.open_ops(Settings(data_dir=tmp_path))
    with demo_login(engine) as environment:
        kept = Covers(tmp_path, environment["SERVE_COVERS_URL"], 10**9)
        kept.get(COVER)
        until(lambda: not kept._wanted)
        assert kept.get(COVER).body == picture(COVER, 174)
    engine.dispose()


@pytest.mark.parametrize(
    "off",
    [
        {"covers_mb": 0},
        {"public_url": "https://example.org"},
        {"trusted_proxies": ("127.0.0.1",)},
        {"host": IPv4Address("0.0.0.0")},
    ],
    ids=str,
)
def test_switched_off_or_before_strangers_no_page_has_a_cover_and_nobody_is_asked(
    make_pages: Callable[..., Flask], host: Host, data_dir: Path, off: dict[str, Any]
) -> None:
    client = make_pages(**off).test_client()
    for path in (f"/albums/{ALBUM}", "/charts/panel_albums"):
        page = client.get(path)
        assert page.status_code == 200
        assert "/covers/" not in page.text
    assert client.get(f"/covers/{COVER}").status_code == 404
    assert (host.asked, (data_dir / FOLDER).exists()) == ([], False)


def images(page: str) -> list[str]:
    return re.findall(r"<img [^>]*>", page)


def test_pages_show_covers_lazily_in_places_of_fixed_size(
    make_pages: Callable[..., Flask], host: Host
) -> None:
    client = make_pages().test_client()
    (large,) = images(client.get(f"/albums/{ALBUM}").text)
    assert large == (
        f'<img src="/covers/{COVER}" alt="" loading="lazy" width="160" height="160">'
    )
    # An artist is shown by an album's cover, and by a letter where none has one.
    artist = client.get(f"/artists/{key('Artist 00')}").text
    assert f"/covers/{COVER}" in artist
    for path in (f"/albums/{BARE}", f"/artists/{key('Artist 01')}"):
        page = client.get(path).text
        assert images(page) == []
        assert 'data-initial="A"' in page
    # A name is text, whatever it says.
    hostile = client.get(f"/artists/{key('<script>alert(1)</script>')}").text
    assert 'data-initial="S"' in hostile
    # Showing a page asks for nothing.
    assert host.asked == []


def test_lists_of_albums_have_a_tile_in_every_row(
    make_pages: Callable[..., Flask], data_dir: Path
) -> None:
    (version,) = (data_dir / "versions").glob("*.duckdb")
    with duckdb.connect(str(version)) as connection:
        connection.execute(ALBUM_CHART)
    app = make_pages()
    anna = log_in(app, "anna")
    for path in (
        "/charts/panel_albums?period=week",
        "/listeners/anna/top/albums",
        "/listeners/anna?from=2026-01-05&to=2026-03-01",
        "/listeners/anna/reports/2026",
    ):
        page = anna.get(path).text
        assert 1 < len(images(page)) < page.count('class="cover"'), path
        for image in images(page):
            assert re.fullmatch(
                r'<img src="/covers/[0-9a-f]{32}" alt="" loading="lazy" width="40"'
                r' height="40">',
                image,
            )
    # The controls: no other list has tiles, and nobody else sees hers.
    for path in ("/listeners/anna/top/artists", "/charts/panel_artists?period=week"):
        assert 'class="cover"' not in anna.get(path).text
    visitor = app.test_client().get("/listeners/anna/top/albums")
    assert images(visitor.text) == []


def test_a_version_of_an_older_release_has_no_covers_and_all_its_pages(
    make_pages: Callable[..., Flask], data_dir: Path
) -> None:
    (version,) = (data_dir / "versions").glob("*.duckdb")
    with duckdb.connect(str(version)) as connection:
        connection.execute("alter table marts.dim_albums drop column cover_id")
    client = make_pages().test_client()
    for path in (f"/albums/{ALBUM}", "/charts/panel_albums"):
        page = client.get(path)
        assert (page.status_code, images(page.text)) == (200, [])
    assert client.get(f"/artists/{key('Artist 00')}").status_code == 200
    assert client.get(f"/covers/{COVER}").status_code == 404
