"""Counts of requests: right in their window, gone after it, no thread for each."""

from __future__ import annotations

import threading

import pytest
from flask import Flask

from serve import rates
from serve.rates import Counts


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
    assert list(counts.storage) == list(counts.expirations) == ["another"]


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
