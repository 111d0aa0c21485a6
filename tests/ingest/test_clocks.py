"""A day's counters get the right day, whatever the clock of this machine says."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx2
import pytest

from ingest import clocks
from warehouse import ops
from warehouse.errors import FetchFailed, SettingsError
from warehouse.settings import Settings

NOON = datetime(2026, 3, 29, 12)


@contextmanager
def server(now: Callable[[], str | None]) -> Iterator[httpx2.URL]:
    """A server on loopback whose clock says what `now` does."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response_only(400)
            if (said := now()) is not None:
                self.send_header("Date", said)
            self.end_headers()

    httpd = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    try:
        yield httpx2.URL(f"http://127.0.0.1:{httpd.server_port}/2.0/")
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


def later(seconds: float) -> Callable[[], str]:
    return lambda: format_datetime(
        datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True
    )


@pytest.mark.parametrize("ahead", [121, 3600, 86_400])
def test_a_clock_ahead_is_refused(tmp_path: Path, ahead: int) -> None:
    engine = ops.open_ops(Settings(data_dir=tmp_path))
    with server(later(-ahead)) as url, pytest.raises(SettingsError, match="ahead"):
        clocks.check(url, engine)
    with server(later(-ahead - 1)) as url, pytest.raises(SettingsError) as refused:
        clocks.check(url, engine)
    assert "a day that has not begun would be published" in str(refused.value)
    assert "127.0.0.1" in str(refused.value)
    engine.dispose()


@pytest.mark.parametrize("off", [-60, 0, 60])
def test_the_control_a_clock_that_is_right_or_nearly_is_taken(
    tmp_path: Path, off: int
) -> None:
    engine = ops.open_ops(Settings(data_dir=tmp_path))
    with server(later(off)) as url:
        clocks.check(url, engine)
    with server(lambda: None) as url:
        clocks.check(url, engine)
    with server(lambda: "yesterday") as url:
        clocks.check(url, engine)
    engine.dispose()


def test_a_clock_a_day_behind_is_refused_and_one_that_means_the_same_day_is_not() -> (
    None
):
    wrong = clocks.disagreement(NOON - timedelta(days=1), NOON)
    assert wrong is not None
    assert "counters of 2026-03-29 would be taken for those of 2026-03-28" in wrong
    assert clocks.disagreement(NOON - timedelta(hours=3), NOON) is None
    midnight = datetime(2026, 3, 29, 0, 1)
    assert clocks.disagreement(midnight - timedelta(seconds=90), midnight) is None
    assert clocks.disagreement(midnight - timedelta(minutes=10), midnight) is not None


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles", "UTC"])
def test_no_time_zone_moves_the_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        engine = ops.open_ops(Settings(data_dir=tmp_path))
        with engine.connect() as connection:
            ours = ops.database_time(connection)
        assert abs(ours - datetime.now(UTC).replace(tzinfo=None)) < timedelta(minutes=1)
        with server(later(0)) as url:
            clocks.check(url, engine)
            said = clocks.server_time(url)
        assert said is not None and abs(said - ours) < timedelta(minutes=1)
        engine.dispose()
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()


def test_the_hour_that_summer_time_skips_or_doubles_is_no_disagreement(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Berlin, 2026-03-29 01:30 UTC: the local clock goes from 02:00 to 03:00."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        for moment in (datetime(2026, 3, 29, 1, 30), datetime(2026, 10, 25, 0, 30)):
            said = format_datetime(moment.replace(tzinfo=UTC), usegmt=True)
            with server(lambda said=said: said) as url:  # type: ignore[misc]
                assert clocks.server_time(url) == moment
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()


def test_a_server_that_cannot_be_reached_is_tried_thrice_and_named() -> None:
    with pytest.raises(FetchFailed, match=r"127\.0\.0\.1 cannot be reached.*market"):
        clocks.server_time(httpx2.URL("http://127.0.0.1:9/2.0/"), wait=0.01)
