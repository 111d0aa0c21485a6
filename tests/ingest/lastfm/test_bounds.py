"""A bad server ends the fetch soon, with the cause; moderate trouble does not.

Each bound has a control: the same server with the bound out of reach.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from ingest import landing
from ingest.lastfm.breaker import Breaker
from ingest.lastfm.client import Client, RetryPolicy, Timeouts
from ingest.lastfm.fetch import (
    FetchCancelled,
    FetchResult,
    FetchStopped,
    _Workers,
    fetch,
)
from ingest.lastfm.limiter import Limiter
from ingest.lastfm.plan import FetchPlan
from ingest.lastfm.step import retry_policy
from local_lastfm import Fault, LocalLastfm
from warehouse.settings import load_settings

DAY = date(2026, 11, 22)
END = int(datetime(2026, 11, 22, 23, 59, 59, tzinfo=UTC).timestamp())
PLAN = FetchPlan(
    listeners=("trouble", "calm"), tags=("trouble",), track_infos=60, album_infos=10
)
PENALTY = 0.1
# A second of waiting at most, in proportion to the penalty as in production.
BOUNDED = RetryPolicy(
    first_seconds=0.02, max_seconds=0.2, wait_seconds=1.0, wait_share=2 * PENALTY / 30
)
UNBOUNDED = replace(BOUNDED, wait_seconds=1e9, floor=10**9, outage_calls=10**9)
FEW = 60


@pytest.fixture(scope="module")
def lastfm() -> Iterator[LocalLastfm]:
    with LocalLastfm(world="trouble", today=DAY) as server:
        yield server


@pytest.fixture
def bad(lastfm: LocalLastfm) -> Iterator[LocalLastfm]:
    lastfm.clear_faults()
    lastfm.requests.clear()
    yield lastfm
    lastfm.clear_faults()


def run(
    engine: Engine,
    root: Path,
    url: str,
    policy: RetryPolicy = BOUNDED,
    seconds: float = 60.0,
    read: float = 5.0,
    **options: Any,
) -> FetchResult:
    """Fetch the day; cancelled after `seconds`, a silence of `read` is a failure."""
    cancel = threading.Event()
    timer = threading.Timer(seconds, cancel.set)
    timer.start()
    try:
        (result,) = fetch(
            [(DAY, "full")],
            plan=PLAN,
            client=Client(url, "key", Timeouts(connect=2.0, read=read, total=10.0)),
            engine=engine,
            landing_root=root,
            run_id="run",
            rate=400.0,
            policy=policy,
            cancel=cancel,
            now=lambda: END,
            limiter=Limiter(engine, url, 400.0, penalty_seconds=PENALTY),
            **options,
        )
    finally:
        timer.cancel()
    return result


def landed(engine: Engine, root: Path) -> int:
    with engine.begin() as connection:
        parts = landing.list_parts(connection)
    assert landing.verify(root, parts) == []
    return sum(1 for part in parts for _ in landing.read_part(root, part))


BAD = {
    "502 for ever": ([Fault("html", status=502)], "does not answer.*502"),
    "resets for ever": ([Fault("reset")], "does not answer.*no answer"),
    "hanging": ([Fault("latency", seconds=9.0)], "does not answer.*no answer"),
    "error 11 for ever": ([Fault("error", code=11)], "does not answer.*error 11"),
    "error 29 for ever": ([Fault("error", code=29)], "wants rest.*error 29"),
    "a 429 in three": (
        [Fault("error", code=29, probability=0.33)],
        "wants rest.*error 29",
    ),
    "an hour of rest": ([Fault("error", code=29, retry_after=3600)], "3,600 s of"),
    "503 and an hour of rest": (
        [Fault("error", code=16, retry_after=3600)],
        "3,600 s of",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_server_ends_the_fetch_after_few_requests_with_the_cause(
    bad: LocalLastfm, engine: Engine, tmp_path: Path, case: str
) -> None:
    faults, said = BAD[case]
    bad.set_faults([replace(fault, after=30) for fault in faults])
    started = time.monotonic()
    with pytest.raises(FetchStopped, match=said) as stopped:
        run(engine, tmp_path, bad.url, read=1.0 if case == "hanging" else 5.0)
    assert stopped.value.exit_code == 3
    assert time.monotonic() - started < 30
    assert len(bad.requests) < 30 + FEW
    assert landed(engine, tmp_path) >= 30, "what was answered is landed"
    # It is mended: the next run goes on from there.
    asked = len(bad.requests)
    bad.clear_faults()
    with engine.begin() as connection:
        connection.exec_driver_sql("update fetch_limits set blocked_until = 0")
        connection.exec_driver_sql("update fetch_limits set next_slot = 0")
    again = run(engine, tmp_path, bad.url)
    assert again.completeness == 1.0
    assert len(bad.requests) - asked <= again.planned - 20


@pytest.mark.parametrize(
    "case", ["502 for ever", "error 29 for ever", "a 429 in three"]
)
def test_without_the_bounds_it_goes_on(
    bad: LocalLastfm, engine: Engine, tmp_path: Path, case: str
) -> None:
    faults, _ = BAD[case]
    bad.set_faults(faults)
    policy = replace(UNBOUNDED, tries=10**6)
    with pytest.raises(FetchCancelled):
        run(engine, tmp_path, bad.url, policy, seconds=4.0)
    if case == "502 for ever":
        assert len(bad.requests) > 30 + FEW


def test_an_outage_shorter_than_the_patience_is_waited_for(
    bad: LocalLastfm, engine: Engine, tmp_path: Path
) -> None:
    bad.set_faults([Fault("html", status=503, after=30)])
    threading.Timer(0.6, bad.clear_faults).start()
    result = run(engine, tmp_path, bad.url)
    assert result.completeness == 1.0
    assert result.retries < FEW


@pytest.mark.parametrize(
    "fault",
    [
        Fault("error", code=29, probability=0.05, retry_after=0),
        Fault("error", code=29, probability=0.05),
        Fault("html", status=502, probability=0.05),
        Fault("error", code=8, probability=0.1),
    ],
    ids=["429 that say when", "429", "502", "error 8"],
)
def test_moderate_trouble_is_borne(
    bad: LocalLastfm, engine: Engine, tmp_path: Path, fault: Fault
) -> None:
    bad.set_faults([fault])
    result = run(engine, tmp_path, bad.url)
    assert result.completeness == 1.0
    assert fault.hits > 5


def test_failing_calls_of_a_server_that_is_up_use_up_the_retries(
    bad: LocalLastfm, engine: Engine, tmp_path: Path
) -> None:
    fault = Fault("error", code=8, probability=0.5)
    bad.set_faults([fault])
    with pytest.raises(FetchStopped, match=r"keeps failing .* \(LASTFM_RETRIES\)"):
        run(engine, tmp_path, bad.url, replace(BOUNDED, floor=20))
    # Retries are counted as answers are landed, a second of requests at a time.
    assert len(bad.requests) < 20 + 400
    again = run(engine, tmp_path, bad.url, replace(UNBOUNDED, tries=100))
    assert again.completeness == 1.0, "the control"
    assert again.retries > 20 + again.requests / 4


@pytest.mark.parametrize("code", [10, 26])
def test_a_refused_key_is_used_for_no_more_than_the_calls_in_flight(
    bad: LocalLastfm,
    engine: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
) -> None:
    workers = 8
    refused = Fault("error", code=code, after=60)
    bad.set_faults([refused, Fault("latency", seconds=0.02)])
    with pytest.raises(FetchStopped, match=rf"error {code} .*check LASTFM_API_KEY"):
        run(engine, tmp_path, bad.url, max_workers=workers)
    assert 1 <= refused.hits <= workers

    # The control: workers that hear of it only when the batch has landed.
    def late(_self: _Workers) -> list[Any]:
        time.sleep(0.5)
        return []

    monkeypatch.setattr(_Workers, "_take_heed", lambda *_: None)
    monkeypatch.setattr(_Workers, "last_outcomes", late)
    bad.set_faults([replace(refused, hits=0), Fault("latency", seconds=0.02)])
    with pytest.raises(FetchStopped):
        run(engine, tmp_path, bad.url, max_workers=workers)
    assert bad.service.faults.rules[0].hits > workers


def test_a_rest_of_an_earlier_run_counts_before_the_first_request(
    bad: LocalLastfm, engine: Engine, tmp_path: Path
) -> None:
    Limiter(engine, bad.url, 400.0).slow_down(time.monotonic(), 900.0)
    with pytest.raises(FetchStopped, match="a rest of an earlier run"):
        run(engine, tmp_path, bad.url)
    assert len(bad.requests) == 0


def test_the_settings_say_when_a_fetch_gives_up() -> None:
    policy = retry_policy(
        load_settings({"lastfm_retries": 7, "lastfm_wait_seconds": 90.0})
    )
    assert policy.budget(100) == 7 + 25
    assert policy.patience(10) == 90 + 20


# The breaker by itself -------------------------------------------------------------


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def breaker(clock: Clock) -> Breaker:
    return Breaker(3, 1.0, 8.0, now=clock)


def test_calls_and_not_requests_open_the_breaker() -> None:
    one = breaker(Clock())
    for _ in range(20):
        one.failed("deep page")
    assert not one.is_open and one.admits("other")
    one.failed("second")
    one.answered()
    one.failed("third")
    one.failed("fourth")
    assert not one.is_open, "not in a row"
    one.failed("fifth")
    assert one.is_open and not one.admits("sixth")


def test_one_probe_at_a_time_asks_after_waits_that_double() -> None:
    clock = Clock()
    one = breaker(clock)
    for call in ("a", "b", "c"):
        one.failed(call)
    waits = []
    for _ in range(6):
        before = clock.now
        while not one.admits("probe"):
            clock.now += 0.5
        waits.append(clock.now - before)
        assert not one.admits("other"), "one at a time"
        one.failed("late one")  # was under way when it opened
        assert not one.admits("other")
        one.failed("probe")
    assert waits == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    assert one.seconds_open == sum(waits)
    while not one.admits("probe"):
        clock.now += 0.5
    one.answered()
    assert one.admits("x") and one.admits("y")
    clock.now += 50
    assert one.seconds_open == sum(waits) + 8.0


def test_a_stopped_breaker_lets_its_threads_go() -> None:
    one = Breaker(1, 1000.0, 1000.0)
    one.failed("a")
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(one.wait()))
    thread.start()
    time.sleep(0.05)
    one.stop()
    thread.join(timeout=5)
    assert found == [False]
