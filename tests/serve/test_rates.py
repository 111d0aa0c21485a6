"""Counts of requests: right in their window, gone after it, no thread for each."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from serve import rates
from serve.rates import Counts, caller
from serve.settings import load_serve_settings
from tests.serve.conftest import bearer
from warehouse.errors import SettingsError
from warehouse.settings import Settings

PROXIES = [ip_network("127.0.0.1"), ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


def test_a_count_begins_anew_after_its_window(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = Counts()
    now = rates.time.time()
    assert [counts.incr("a", 60), counts.incr("a", 60), counts.get("a")] == [1, 2, 2]
    monkeypatch.setattr(rates.time, "time", lambda: now + 61)
    assert counts.incr("a", 60) == 1


def test_counts_of_callers_who_left_are_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts = Counts()
    now = rates.time.time()
    for number in range(100):
        counts.incr(f"caller {number}", 30)
    monkeypatch.setattr(rates.time, "time", lambda: now + 61)
    counts.incr("another", 30)
    assert counts.get("another") == 1
    assert [counts.get(f"caller {number}") for number in (0, 99)] == [0, 0]


def test_workers_of_one_service_count_together(tmp_path: Path) -> None:
    one, other = (Counts(tmp_path / "counts.sqlite") for _ in range(2))
    found = [store.incr("a", 60) for _ in range(3) for store in (one, other)]
    assert found == [1, 2, 3, 4, 5, 6]
    alone = Counts()
    assert alone.incr("a", 60) == 1, "the control: one of its own"


def test_who_cannot_count_lets_the_request_pass(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    counts = Counts(tmp_path / "counts.sqlite")
    holder = sqlite3.connect(tmp_path / "counts.sqlite", isolation_level=None)
    holder.execute("begin exclusive")
    assert counts.incr("a", 60) == 0
    assert "was not counted" in caplog.text
    holder.close()
    assert counts.incr("a", 60) == 1


def test_a_computed_answer_starts_no_thread(
    service: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = service.test_client()
    client.get("/api/v1/tags?limit=9")  # what starts once has started
    started: list[str] = []
    start = threading.Thread.start

    def noted(thread: threading.Thread) -> None:
        started.append(thread.name)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", noted)
    for limit in range(1, 6):
        assert client.get(f"/api/v1/tags?limit={limit}").status_code == 200
    assert started == []


@pytest.mark.parametrize(
    ("connected", "forwarded", "counted"),
    [
        ("127.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", ["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", ["198.51.100.1", "203.0.113.7, 10.1.2.3"], "203.0.113.7"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.7, unknown"], "127.0.0.1"),
        ("fd00::1", ["2001:db8:1:2:3:4:5:6"], "2001:db8:1:2::/64"),
        # Nobody else is believed.
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("203.0.113.9", ["127.0.0.1"], "203.0.113.9"),
        ("2001:db8:1:2::9", ["127.0.0.1"], "2001:db8:1:2::/64"),
        (None, [], "unknown"),
    ],
)
def test_the_caller_is_whom_the_trusted_proxies_name(
    connected: str | None, forwarded: list[str], counted: str
) -> None:
    assert caller(connected, forwarded, PROXIES) == counted


def statuses(client: FlaskClient, times: int, **headers: str) -> list[int]:
    """Of different answers, so that none is ready."""
    statuses.asked = getattr(statuses, "asked", 0)  # type: ignore[attr-defined]
    found = []
    for _ in range(times):
        statuses.asked += 1  # type: ignore[attr-defined]
        path = f"/api/v1/search?q=x{statuses.asked}"  # type: ignore[attr-defined]
        found.append(client.get(path, headers=headers).status_code)
    return found


def test_people_behind_one_proxy_do_not_share_a_limit(
    make_service: Callable[..., Flask],
) -> None:
    given = {"rate_limit": "2 per day", "trusted_proxies": ("127.0.0.1",)}
    client = make_service(**given).test_client()
    one = {"X-Forwarded-For": "203.0.113.1"}
    assert statuses(client, 3, **one) == [200, 200, 429]
    assert statuses(client, 1, **{"X-Forwarded-For": "203.0.113.2"}) == [200]
    # Whoever says to be another is still who the proxy says.
    liar = {"X-Forwarded-For": "198.51.100.1, 203.0.113.1"}
    assert statuses(client, 1, **liar) == [429]
    # The control: without a trusted proxy all are one, whatever they say.
    client = make_service(rate_limit="2 per day").test_client()
    assert statuses(client, 2, **one) == [200, 200]
    assert statuses(client, 1, **{"X-Forwarded-For": "203.0.113.2"}) == [429]


def test_each_account_has_a_limit_of_its_own_and_an_address_one_of_many(
    make_service: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates, "_ACCOUNTS_OF_AN_ADDRESS", 3)
    app = make_service(rate_limit="3 per day")
    client = app.test_client()
    # Making a token asks other routes.
    anna, bert = bearer(app, "Anna", "read"), bearer(app, "Bert", "read")
    assert statuses(client, 4, **anna) == [200, 200, 200, 429]
    assert statuses(client, 3, **bert) == [200, 200, 200]
    assert statuses(client, 3) == [200, 200, 200]
    assert statuses(client, 1, **bert) == [429]
    # Nine with a secret from one address, right or wrong ones; a wrong one is no
    # reason to refuse what is for everybody.
    wrong = {"Authorization": "Bearer swt_wrong"}
    assert statuses(client, 1, **wrong) == [429]
    app = make_service(rate_limit="3 per day")
    assert statuses(app.test_client(), 4, **wrong) == [200, 200, 200, 429]


def test_a_proxy_that_is_no_address_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match=r"'proxy\.example' is no address"):
        load_serve_settings(Settings(), {"trusted_proxies": "127.0.0.1,proxy.example"})
