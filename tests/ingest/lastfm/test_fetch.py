"""Fetching days: everything asked once, everything landed, going on after a kill."""

from __future__ import annotations

import itertools
import json
import logging
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, func, select, text

from ingest import landing
from ingest.landing import Record
from ingest.lastfm.client import Client, RetryPolicy, Timeouts
from ingest.lastfm.fetch import (
    FetchCancelled,
    FetchResult,
    FetchStopped,
    Progress,
    _Workers,
    fetch,
)
from ingest.lastfm.limiter import Limiter
from ingest.lastfm.plan import FetchPlan
from ingest.lastfm.queue import (
    Queue,
    fetch_calls,
    fetch_days,
    fetch_listeners,
    finished_days,
)
from tests.ingest.lastfm.small_world import SmallWorld
from tests.ingest.lastfm.tiny_lastfm import (
    Answers,
    Reply,
    TinyLastfm,
    error_reply,
    json_reply,
)
from warehouse import ops
from warehouse.errors import LeaseLost
from warehouse.settings import load_settings

DAY = date(2026, 11, 22)
NOON = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp())
KEY = "0123456789abcdef0123456789abcdef"
PLAN = FetchPlan(
    listeners=("RJ", "eve"),
    countries=("Spain",),
    tags=("jazz",),
    track_infos=5,
    album_infos=5,
)
FAST = RetryPolicy(first_seconds=0.002, max_seconds=0.01)


def scrobbles(
    count: int, last: int = NOON - 86_400, gap: int = 240
) -> list[tuple[int, str, str]]:
    return [
        (last - gap * number, f"Artist {number % 7}", f"Track {number % 11}")
        for number in range(count)
    ]


def world(**changes: Any) -> SmallWorld:
    return SmallWorld(
        scrobbles={"RJ": scrobbles(2300), "eve": scrobbles(40)}, **changes
    )


def run(
    engine: Engine,
    root: Path,
    url: str,
    *,
    plan: FetchPlan = PLAN,
    day: date = DAY,
    now: int = NOON,
    **options: Any,
) -> FetchResult:
    options = {"rate": 2000.0, "policy": FAST, **options}
    mode = options.pop("mode", "full")
    (result,) = fetch(
        [(day, mode)],
        plan=plan,
        client=Client(url, KEY, Timeouts(connect=2, read=2, total=4)),
        engine=engine,
        landing_root=root,
        run_id=options.pop("run_id", "run"),
        now=lambda: now,
        **options,
    )
    return result


def landed(engine: Engine, root: Path, day: date | None = None) -> list[Record]:
    with engine.begin() as connection:
        parts = landing.list_parts(connection, day)
    assert landing.verify(root, parts) == []
    return [record for part in parts for record in landing.read_part(root, part)]


def finals(records: list[Record]) -> Counter[str]:
    return Counter(record.call_id for record in records if record.is_data)


def heard(records: list[Record], user: str) -> Counter[tuple[int, str, str]]:
    """Each walk's rows, of the walks that a listener's pages make complete."""
    pages: dict[str, list[Record]] = {}
    for record in records:
        walk_id = (record.context or {}).get("walk_id")
        if record.is_data and walk_id and record.params["user"] == user:
            pages.setdefault(walk_id, []).append(record)
    rows: Counter[tuple[int, str, str]] = Counter()
    for walk in pages.values():
        contexts = [record.context or {} for record in walk]
        totals = {page_total(record) for record in walk}
        if len(walk) == contexts[0]["pages"] and totals == {contexts[0]["total"]}:
            for record in walk:
                rows.update(
                    (int(r["date"]["uts"]), r["artist"]["#text"], r["name"])
                    for r in json.loads(record.body)["recenttracks"]["track"]
                    if "date" in r
                )
    return rows


def page_total(record: Record) -> int:
    return int(json.loads(record.body)["recenttracks"]["@attr"]["total"])


def listener(engine: Engine, name: str) -> Any:
    with engine.connect() as connection:
        return connection.execute(
            select(fetch_listeners).where(fetch_listeners.c.listener_id == name)
        ).one()


# A day -----------------------------------------------------------------------------


def test_a_day_is_fetched_whole_and_landed_once(engine: Engine, tmp_path: Path) -> None:
    with TinyLastfm(world()) as server:
        result = run(engine, tmp_path, server.url)
    assert result.completeness == 1.0
    assert result.failed == 0 and result.retries == 0
    assert result.requests == result.answers == result.planned == len(server.forms)
    assert result.skipped == 2, "neither listener has friends"
    assert max(server.requests.values()) == 1
    records = landed(engine, tmp_path)
    assert len(records) == result.answers
    assert max(finals(records).values()) == 1
    assert result.methods["artist.getInfo"] == 12
    assert result.methods["track.getInfo"] == 5
    assert heard(records, "RJ") == Counter(scrobbles(2300))
    assert heard(records, "eve") == Counter(scrobbles(40))
    assert result.incomplete_walks == ()
    assert finished_days(engine) == [DAY]


def test_a_finished_day_asks_for_nothing(engine: Engine, tmp_path: Path) -> None:
    with TinyLastfm(world()) as server:
        first = run(engine, tmp_path, server.url)
        again = run(engine, tmp_path, server.url, run_id="again")
    assert again.was_finished and again.requests == 0
    assert (again.done, again.skipped, again.planned) == (
        first.done,
        first.skipped,
        first.planned,
    )


def test_the_next_day_asks_only_for_the_new_part_of_a_history(
    engine: Engine, tmp_path: Path
) -> None:
    small = world(now_playing=True)
    with TinyLastfm(small) as server:
        run(engine, tmp_path, server.url)
        new = scrobbles(30, last=NOON + 80_000)
        small.scrobbles["RJ"] += new
        tomorrow = DAY + timedelta(days=1)
        result = run(
            engine, tmp_path, server.url, day=tomorrow, now=NOON + 86_400, run_id="2"
        )
    walked = heard(landed(engine, tmp_path, tomorrow), "RJ")
    assert walked == Counter(new)
    assert result.methods["user.getRecentTracks"] == 2 * 4
    assert result.methods.get("track.getInfo", 0) == 5, "five more, the next ones"
    assert listener(engine, "rj").watermark_uts == NOON + 86_400
    assert listener(engine, "rj").counted_scrobbles == 2330


def test_a_deleted_old_scrobble_has_the_whole_history_walked(
    engine: Engine, tmp_path: Path
) -> None:
    small = world()
    with TinyLastfm(small) as server:
        run(engine, tmp_path, server.url)
        del small.scrobbles["RJ"][1000]
        tomorrow = DAY + timedelta(days=1)
        run(engine, tmp_path, server.url, day=tomorrow, now=NOON + 86_400, run_id="2")
    walked = heard(landed(engine, tmp_path, tomorrow), "RJ")
    assert walked == Counter(small.scrobbles["RJ"])
    assert listener(engine, "rj").counted_scrobbles == 2299


def test_missed_days_get_snapshots_only(engine: Engine, tmp_path: Path) -> None:
    paths: set[str] = set()
    small = world()

    def answers(method: str, params: Mapping[str, str], path: str) -> Reply:
        paths.add(path)
        return small(method, params, path)

    with TinyLastfm(answers) as server:
        url = server.url.replace("/2.0/", "/at/{as_of}/2.0/")
        past = DAY - timedelta(days=1)
        result = run(engine, tmp_path, url, day=past, mode="snapshot")
        assert paths == {"/at/2026-11-21/2.0/"}
        full = run(engine, tmp_path, url, day=past, run_id="later")
    assert {method.partition(".")[0] for method in result.methods} == {
        "chart",
        "geo",
        "tag",
    }
    assert full.mode == "full", "a snapshot day can be made a full one"
    assert "chart.getTopArtists" not in full.methods, "and keeps what it has"


def test_progress_ends_at_everything(engine: Engine, tmp_path: Path) -> None:
    seen: list[Progress] = []
    with TinyLastfm(world()) as server:
        result = run(engine, tmp_path, server.url, progress=seen.append)
    last = seen[-1]
    assert last.done + last.skipped + last.failed == last.planned == result.planned
    assert last.requests == result.requests and last.bytes == result.bytes


# Listeners that make trouble -------------------------------------------------------


def spoilt(small: SmallWorld, spoil: Callable[..., Reply | None]) -> Answers:
    """The world, where `spoil` may answer first; it gets the call's number, too."""
    seen: Counter[tuple[str, str]] = Counter()
    lock = threading.Lock()

    def answers(method: str, params: Mapping[str, str], path: str) -> Reply:
        key = (method, json.dumps(dict(params), sort_keys=True))
        with lock:
            seen[key] += 1
            number = seen[key]
        found = spoil(method, params, number)
        return small(method, params, path) if found is None else found

    return answers


def test_another_listeners_rows_are_asked_for_again_and_never_data(
    engine: Engine, tmp_path: Path
) -> None:
    small = world()

    def spoil(method: str, params: Mapping[str, str], number: int) -> Reply | None:
        if method == "user.getRecentTracks" and number == 1:
            wrong = {**params, "user": "eve" if params["user"] == "RJ" else "RJ"}
            return small(method, wrong, "")
        return None

    with TinyLastfm(spoilt(small, spoil)) as server:
        result = run(engine, tmp_path, server.url)
    records = landed(engine, tmp_path)
    assert result.errors["wrong user"] == 6
    assert sum(1 for r in records if r.verdict == "wrong user") == 6
    assert heard(records, "RJ") == Counter(scrobbles(2300))
    assert heard(records, "eve") == Counter(scrobbles(40))


def test_pages_that_drift_are_walked_anew(engine: Engine, tmp_path: Path) -> None:
    small = world()
    late = [(NOON - 100_000, "Late", "Arrival")]

    def spoil(method: str, params: Mapping[str, str], number: int) -> Reply | None:
        if params.get("page") == "2" and params.get("user") == "RJ" and late:
            small.scrobbles["RJ"].append(late.pop())
        return None

    with TinyLastfm(spoilt(small, spoil)) as server:
        result = run(engine, tmp_path, server.url)
    assert heard(landed(engine, tmp_path), "RJ") == Counter(small.scrobbles["RJ"])
    assert len(small.scrobbles["RJ"]) == 2301
    assert result.incomplete_walks == ()
    assert listener(engine, "rj").counted_scrobbles == 2301


def test_a_total_that_never_settles_leaves_the_watermark_alone(
    engine: Engine, tmp_path: Path
) -> None:
    small = world()

    def spoil(method: str, params: Mapping[str, str], number: int) -> Reply | None:
        if method == "user.getRecentTracks" and params["user"] == "RJ":
            small.scrobbles["RJ"].append((NOON - 1000, "More", "And more"))
        return None

    with TinyLastfm(spoilt(small, spoil)) as server:
        result = run(engine, tmp_path, server.url)
    assert len(result.incomplete_walks) == 1
    assert result.incomplete_walks[0].startswith("rj-0-")
    assert listener(engine, "rj").watermark_uts is None
    assert not listener(engine, "rj").is_history_complete
    assert listener(engine, "eve").is_history_complete
    assert result.methods["user.getRecentTracks"] < 30


def test_deep_pages_that_keep_failing_are_made_smaller(
    engine: Engine, tmp_path: Path
) -> None:
    def spoil(method: str, params: Mapping[str, str], number: int) -> Reply | None:
        if (
            method == "user.getRecentTracks"
            and params["user"] == "RJ"
            and int(params["limit"]) > 200
            and int(params["page"]) > 1
        ):
            return error_reply(8, 500)
        return None

    with TinyLastfm(spoilt(world(), spoil)) as server:
        result = run(engine, tmp_path, server.url)
    assert result.completeness == 1.0
    records = landed(engine, tmp_path)
    assert heard(records, "RJ") == Counter(scrobbles(2300))
    pages = [r.params for r in records if r.method == "user.getRecentTracks"]
    assert {page["limit"] for page in pages} == {"1", "1000", "500", "200"}
    assert any("pages of 200" in note for note in result.notes)


def test_a_private_listener_is_skipped_and_remembered(
    engine: Engine, tmp_path: Path
) -> None:
    def spoil(method: str, params: Mapping[str, str], number: int) -> Reply | None:
        if method == "user.getRecentTracks" and params["user"] == "RJ":
            return error_reply(17, 403)
        return None

    with TinyLastfm(spoilt(world(), spoil)) as server:
        result = run(engine, tmp_path, server.url)
        assert result.private_listeners == ("RJ",)
        assert listener(engine, "rj").is_private
        assert result.completeness == 1.0
        run(
            engine,
            tmp_path,
            server.url,
            day=DAY + timedelta(days=1),
            now=NOON + 86_400,
            run_id="2",
        )
        asked = [f for f in server.forms if f.get("user") == "RJ"]
    assert sum(1 for f in asked if f["method"] == "user.getRecentTracks") == 1
    assert heard(landed(engine, tmp_path), "eve") == Counter(scrobbles(40))


def test_an_unknown_artist_is_skipped_with_all_that_is_left_of_it(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.lastfm.fetch.FLUSH_SECONDS", 0.01)

    refused = threading.Event()
    queue = Queue(engine, tmp_path)

    def spoil(method: str, params: Mapping[str, str], number: int) -> Reply | None:
        if params.get("artist") == "Artist 3" and method == "artist.getInfo":
            refused.set()
            return error_reply(6, 404)
        deadline = time.monotonic() + 3
        while refused.is_set() and time.monotonic() < deadline and not is_recorded():
            time.sleep(0.01)
        return None

    def is_recorded() -> bool:
        return any(
            one.method == "artist.getInfo" and one.state == "skipped"
            for one in queue.states(DAY)
        )

    with TinyLastfm(spoilt(world(), spoil)) as server:
        # One worker, whose next request waits until the refusal is recorded.
        result = run(engine, tmp_path, server.url, max_workers=1)
    asked = [f["method"] for f in server.forms if f.get("artist") == "Artist 3"]
    assert asked == ["artist.getInfo"]
    assert any("Artist 3" in note for note in result.notes)
    assert result.completeness == 1.0


def test_one_listener_with_error_3_does_not_end_the_day(
    engine: Engine, tmp_path: Path
) -> None:
    def spoil(method: str, params: Mapping[str, str], number: int) -> Reply | None:
        gone = method == "user.getTopTracks" and params["user"] == "eve"
        return error_reply(3, 400) if gone else None

    with TinyLastfm(spoilt(world(), spoil)) as server:
        result = run(engine, tmp_path, server.url)
    assert result.lacking == ()
    assert result.left_out == {"user.getTopTracks": 1}
    assert any("user='eve'" in note for note in result.notes)


@pytest.mark.parametrize(
    ("method", "reply", "said"),
    [
        (
            "chart.getTopArtists",
            Reply(b"<html>no</html>", 403),
            "chart.getTopArtists lacks 1 of 1 answers",
        ),
        (
            "geo.getTopTracks",
            Reply(b"<html>no</html>", 403),
            "geo.getTopTracks of Spain lacks 1 of 1 answers",
        ),
        ("chart.getTopArtists", error_reply(27, 400), "chart.getTopArtists lacks"),
        (
            "artist.getInfo",
            error_reply(6, 404),
            "artist.getInfo: last.fm knows nothing of",
        ),
        ("artist.getInfo", error_reply(27, 400), "artist.getInfo lacks"),
    ],
)
def test_a_lost_list_is_named_however_complete_the_day_is(
    engine: Engine, tmp_path: Path, method: str, reply: Reply, said: str
) -> None:
    def spoil(asked: str, params: Mapping[str, str], number: int) -> Reply | None:
        return reply if asked == method else None

    with TinyLastfm(spoilt(world(), spoil)) as server:
        result = run(engine, tmp_path, server.url)
    assert any(one.startswith(said) for one in result.lacking), result.lacking


@pytest.mark.parametrize("method", ["artist.getInfo", "track.getInfo"])
def test_what_nobody_can_believe_is_asked_again_and_not_remembered(
    engine: Engine, tmp_path: Path, method: str
) -> None:
    broken = [True]

    def spoil(asked: str, params: Mapping[str, str], number: int) -> Reply | None:
        return error_reply(6, 404) if asked == method and broken[0] else None

    with TinyLastfm(spoilt(world(), spoil)) as server:
        first = run(engine, tmp_path, server.url)
        assert any(one.startswith(method) for one in first.lacking)
        with engine.connect() as connection:
            known = connection.execute(
                text("select count(*) from fetch_known where method = :m"),
                {"m": method},
            ).scalar_one()
        assert known == 0, "the next day asks again, too"
        still = run(engine, tmp_path, server.url, run_id="still")
        assert still.lacking == first.lacking and still.methods[method] > 0
        broken[0] = False
        mended = run(engine, tmp_path, server.url, run_id="mended")
    assert mended.lacking == () and mended.completeness == 1.0
    # "No friends" is said in the same way, once of each listener.
    assert mended.skipped == len(PLAN.listeners)


def test_a_list_that_is_answered_late_lets_its_artists_be_asked_about(
    engine: Engine, tmp_path: Path
) -> None:
    broken = [True]

    def spoil(asked: str, params: Mapping[str, str], number: int) -> Reply | None:
        lost = asked == "chart.getTopArtists" and broken[0]
        return Reply(b"<html>no</html>", 403) if lost else None

    with TinyLastfm(spoilt(world(), spoil)) as server:
        first = run(engine, tmp_path, server.url)
        assert first.lacking
        broken[0] = False
        mended = run(engine, tmp_path, server.url, run_id="mended")
    elsewhere = ops.open_ops(load_settings({"data_dir": tmp_path / "whole"}))
    with TinyLastfm(world()) as server:
        whole = run(elsewhere, tmp_path / "whole", server.url)
    elsewhere.dispose()
    assert mended.lacking == () and mended.planned == whole.planned > first.planned


# When things go wrong --------------------------------------------------------------


@pytest.mark.parametrize("code", [2, 5, 7, 10, 13, 26])
def test_what_no_repeat_can_mend_stops_at_once_and_can_go_on_later(
    engine: Engine, tmp_path: Path, code: int
) -> None:
    broken = [True]

    def spoil(method: str, params: Mapping[str, str], number: int) -> Reply | None:
        stops = method == "artist.getSimilar" and broken[0]
        return error_reply(code, 403) if stops else None

    with TinyLastfm(spoilt(world(), spoil)) as server:
        with pytest.raises(FetchStopped, match=rf"error {code}"):
            run(engine, tmp_path, server.url)
        # Others may be: a busy machine lets a request time out.
        stopping = {
            call: n for call, n in server.requests.items() if "getSimilar" in call[0]
        }
        assert max(stopping.values()) == 1, "never asked again"
        names = [thread.name for thread in threading.enumerate()]
        assert not [name for name in names if name.startswith("fetch-")]
        broken[0] = False
        asked = len(server.forms)
        result = run(engine, tmp_path, server.url, run_id="again")
    assert result.completeness == 1.0
    assert result.requests == len(server.forms) - asked < result.planned
    assert max(finals(landed(engine, tmp_path)).values()) == 1


def test_a_server_that_is_down_stops_the_fetch_within_its_budget(
    engine: Engine, tmp_path: Path
) -> None:
    policy = replace(FAST, floor=30, share=0.1)
    with TinyLastfm(lambda *_: error_reply(11, 503)) as server:
        with pytest.raises(FetchStopped, match="keeps failing"):
            run(engine, tmp_path, server.url, policy=policy)
        assert len(server.forms) < 120


def test_a_call_that_keeps_failing_is_given_up_and_tried_again_by_the_next_run(
    engine: Engine, tmp_path: Path
) -> None:
    broken = [True]

    def spoil(method: str, params: Mapping[str, str], number: int) -> Reply | None:
        fails = method == "geo.getTopTracks" and broken[0]
        return Reply(b"<html>", 200) if fails else None

    with TinyLastfm(spoilt(world(), spoil)) as server:
        result = run(engine, tmp_path, server.url)
        assert result.failed == 1 and result.completeness < 1
        assert result.retries == FAST.tries - 1
        assert any("geo.getTopTracks" in note for note in result.notes)
        broken[0] = False
        again = run(engine, tmp_path, server.url, run_id="again")
    assert again.requests == 1 and again.completeness == 1.0
    attempts = [
        (record.attempt, record.verdict)
        for record in landed(engine, tmp_path)
        if record.method == "geo.getTopTracks"
    ]
    tries = range(1, FAST.tries + 1)
    assert attempts == [(n, "html") for n in tries] + [(FAST.tries + 1, "data")]


def test_a_rate_limit_error_is_waited_out_and_the_call_repeated(
    engine: Engine, tmp_path: Path
) -> None:
    def spoil(method: str, params: Mapping[str, str], number: int) -> Reply | None:
        limited = method == "artist.getInfo" and number == 1
        return error_reply(29, 429) if limited else None

    with TinyLastfm(spoilt(world(), spoil)) as server:
        limiter = Limiter(engine, "tiny", 2000.0, penalty_seconds=0.3)
        result = run(engine, tmp_path, server.url, limiter=limiter)
        times = sorted(server.times)
    assert result.completeness == 1.0
    assert max(b - a for a, b in itertools.pairwise(times)) >= 0.29


def test_a_lost_lease_leaves_nothing_behind(engine: Engine, tmp_path: Path) -> None:
    checks = [0]

    def check(connection: Connection) -> None:
        checks[0] += 1
        if checks[0] == 2:
            raise LeaseLost("another run has taken over")

    with TinyLastfm(world()) as server:
        with pytest.raises(LeaseLost):
            run(engine, tmp_path, server.url, check=check)
        with engine.begin() as connection:
            (part,) = landing.list_parts(connection)
        assert (tmp_path / part.part).stat().st_size == part.bytes
        result = run(engine, tmp_path, server.url, run_id="again")
    assert result.completeness == 1.0
    assert max(finals(landed(engine, tmp_path)).values()) == 1


def test_a_second_fetch_of_the_same_calls_records_nothing(
    engine: Engine, tmp_path: Path
) -> None:
    """Without a lease: the queue itself refuses the slower of two fetches."""
    slow = threading.Event()
    is_second = threading.Event()

    def spoil(method: str, params: Mapping[str, str], number: int) -> Reply | None:
        if not is_second.is_set():
            slow.wait(10)
        return None

    errors: list[BaseException] = []

    def first() -> None:
        try:
            run(engine, tmp_path, server.url, run_id="first")
        except BaseException as error:
            errors.append(error)

    with TinyLastfm(spoilt(world(), spoil)) as server:
        thread = threading.Thread(target=first)
        thread.start()
        deadline = time.monotonic() + 10
        while len(server.forms) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        is_second.set()
        result = run(engine, tmp_path, server.url, run_id="second")
        slow.set()
        thread.join(timeout=20)
    assert [type(error) for error in errors] == [LeaseLost]
    assert result.completeness == 1.0
    assert max(finals(landed(engine, tmp_path)).values()) == 1


def test_a_cancelled_fetch_keeps_what_was_answered(
    engine: Engine, tmp_path: Path
) -> None:
    cancel = threading.Event()

    def spoil(method: str, params: Mapping[str, str], number: int) -> Reply | None:
        if method.startswith("artist."):
            cancel.set()
        return None

    with TinyLastfm(spoilt(world(), spoil)) as server:
        with pytest.raises(FetchCancelled):
            run(engine, tmp_path, server.url, cancel=cancel)
        kept = len(landed(engine, tmp_path))
        assert kept > 20
        asked = len(server.forms)
        result = run(engine, tmp_path, server.url, run_id="again")
        assert len(server.forms) - asked == result.planned - kept
    assert max(finals(landed(engine, tmp_path)).values()) == 1


def test_calls_whose_part_is_gone_are_asked_again_but_not_after_retention(
    engine: Engine, tmp_path: Path
) -> None:
    with TinyLastfm(world()) as server:
        first = run(engine, tmp_path, server.url)
        with engine.begin() as connection:
            (part,) = landing.list_parts(connection)
        (tmp_path / part.part).unlink()
        kept = run(engine, tmp_path, server.url, run_id="2", loaded_parts={part.part})
        assert kept.requests == 0, "it is loaded, the file is not needed"
        again = run(engine, tmp_path, server.url, run_id="3")
        assert again.requests == first.planned
        with engine.begin() as connection:
            names = {p.part for p in landing.list_parts(connection)}
        landing.expire(tmp_path, engine, DAY + timedelta(days=1), names)
        assert run(engine, tmp_path, server.url, run_id="4").requests == 0


def test_old_finished_days_are_forgotten(engine: Engine, tmp_path: Path) -> None:
    with TinyLastfm(world()) as server:
        run(engine, tmp_path, server.url)
    queue = Queue(engine, tmp_path)
    assert queue.prune(DAY) == 0
    assert queue.prune(DAY + timedelta(days=1)) > 100
    assert queue.counts(DAY) == {}


@pytest.mark.parametrize(
    ("rate", "most", "fewest", "at_most"),
    [(50.0, 64, 8, 24), (50.0, 1, 1, 1), (4.0, 64, 1, 4)],
    ids=["fast", "one worker, the control", "as last.fm allows"],
)
def test_workers_are_as_many_as_latency_asks_for(
    engine: Engine,
    tmp_path: Path,
    rate: float,
    most: int,
    fewest: int,
    at_most: int,
) -> None:
    """Requests under way = rate × latency: 50 a second × 0.2 s are 10."""
    under_way, peak = 0, 0
    lock = threading.Lock()
    small = world(artists=10 if most > 1 and rate > 4 else 1)

    def answers(method: str, params: Mapping[str, str], path: str) -> Reply:
        nonlocal under_way, peak
        with lock:
            under_way += 1
            peak = max(peak, under_way)
        time.sleep(0.2)
        with lock:
            under_way -= 1
        return small(method, params, path)

    plan = replace(PLAN, listeners=(), most_used_tags=0)
    with TinyLastfm(answers) as server:
        run(engine, tmp_path, server.url, rate=rate, plan=plan, max_workers=most)
    assert fewest <= peak <= at_most


def test_a_hanging_request_is_made_up_for_by_another_worker() -> None:
    """At a local server's rate the best latency counts, however busy all are."""

    class Rate:
        rate = 5000.0

    workers = _Workers(  # type: ignore[arg-type]
        None, Rate(), None, "run", 64, lambda _: False
    )
    assert workers.wanted() == 4
    for seconds in [0.002, *[0.08] * 40]:
        workers._measure(seconds)
    assert workers.wanted() == 5, "1,000 a second × 2 ms × 1.5, and two"
    workers._started = {1: time.monotonic() - 60, 2: time.monotonic()}
    assert workers.wanted() == 6
    Rate.rate = 100.0
    assert workers.wanted() == 15, "100 a second × 80 ms × 1.5, two, one that hangs"


# Secrets ---------------------------------------------------------------------------


def test_the_key_stands_in_no_log_message_landing_file_or_database(
    engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    kinds: list[Reply | None] = [
        Reply(f"<html>api_key={KEY}</html>".encode(), 503),
        json_reply({"error": 8, "message": f"bad key {KEY}"}, 500),
        Reply(b'{"x": "yyyyyyyyyy"}', cut=3),
        json_reply({"error": 6, "message": f"no such thing for {KEY}"}, 404),
    ]

    def spoil(method: str, params: Mapping[str, str], number: int) -> Reply | None:
        return kinds[number - 1] if number <= 4 and method != "user.getInfo" else None

    seen: list[Progress] = []
    with TinyLastfm(spoilt(world(), spoil)) as server:
        result = run(engine, tmp_path, server.url, progress=seen.append)
    assert result.errors["error 6"] > 5
    engine.dispose()
    texts = [repr(result), repr(seen), caplog.text]
    assert not any(KEY in each for each in texts)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 2
    for path in files:
        data = path.read_bytes()
        assert KEY.encode() not in data, path
    for record in landed(engine, tmp_path):
        assert KEY.encode() not in record.to_line()
    broken = b"".join(r.body for r in landed(engine, tmp_path) if not r.is_data)
    assert b"api_key=***" in broken, "the control: the server did say it"


# Kill -9 ---------------------------------------------------------------------------

FETCHING = """
    import sys
    from datetime import date
    from pathlib import Path
    from ingest.lastfm import fetch as module
    from ingest.lastfm.client import Client, RetryPolicy
    from ingest.lastfm.plan import FetchPlan
    from warehouse import ops
    from warehouse.settings import load_settings
    url, root, run_id, now = sys.argv[1:5]
    module.FLUSH_SECONDS, module.FLUSH_ANSWERS = 0.03, 5
    engine = ops.open_ops(load_settings({"data_dir": root}))
    module.fetch(
        [(date(2026, 11, 22), "full")],
        plan=FetchPlan(("RJ", "eve"), ("Spain",), ("jazz",), track_infos=5,
                       album_infos=5),
        client=Client(url, "0123456789abcdef0123456789abcdef"),
        engine=engine, landing_root=Path(root), run_id=run_id, rate=400.0,
        policy=RetryPolicy(first_seconds=0.002, max_seconds=0.01),
        now=lambda: int(now),
    )
    print("finished")
"""


def killed_until_done(
    root: Path, url: str, kills: int, draw: random.Random
) -> tuple[int, int]:
    """Start fetches and kill them at random moments, then let one finish."""
    command = [sys.executable, "-c", textwrap.dedent(FETCHING), url, str(root)]
    ended = 0
    for number in range(kills):
        process = subprocess.Popen(
            [*command, f"run{number}", str(NOON)], stdout=subprocess.PIPE
        )
        # Half a second is the interpreter's start; the fetch takes about as long.
        time.sleep(draw.uniform(0.45, 1.0))
        os.kill(process.pid, signal.SIGKILL)
        ended += b"finished" in process.communicate()[0]
    subprocess.run([*command, "last", str(NOON)], check=True, timeout=60)
    return kills, ended


def check_nothing_lost_or_doubled(root: Path, engine: Engine) -> None:
    records = landed(engine, root, DAY)
    with engine.connect() as connection:
        rows = connection.execute(select(fetch_calls)).all()
        states = {row.call_id: row.state for row in rows}
        day = connection.execute(select(fetch_days)).one()
    assert day.phase == 2 and day.finished_at is not None
    done = {call for call, state in states.items() if state == "done"}
    assert set(states.values()) == {"done", "skipped"}
    assert finals(records) == Counter(done), "one final answer for each call"
    assert {record.call_id for record in records} <= states.keys()
    assert heard(records, "RJ") == Counter(scrobbles(2300))
    assert heard(records, "eve") == Counter(scrobbles(40))
    assert len(done) > 100


def kill_trials(root: Path, trials: int, seed: int) -> None:
    draw = random.Random(seed)
    print(f"seed {seed}")
    unfinished = 0
    with TinyLastfm(world()) as server:
        for trial in range(trials):
            place = root / str(trial)
            kills, ended = killed_until_done(place, server.url, 2, draw)
            unfinished += kills - ended
            engine = ops.open_ops(load_settings({"data_dir": place}))
            try:
                check_nothing_lost_or_doubled(place, engine)
            finally:
                engine.dispose()
    assert unfinished, "the control: some fetches were really killed"


def test_a_fetch_killed_at_random_moments_loses_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    kill_trials(tmp_path, trials=3, seed=20261122)


@pytest.mark.chaos
def test_a_fetch_killed_at_many_random_moments_loses_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    kill_trials(tmp_path, trials=40, seed=random.randrange(10**6))


def test_a_batch_that_was_written_but_not_recorded_is_asked_for_again(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The narrowest moment of a kill: between the file's fsync and the commit."""

    class Killed(BaseException):
        pass

    def die(*_: object) -> list[str]:
        raise Killed

    with TinyLastfm(world()) as server:
        with monkeypatch.context() as patch:
            patch.setattr(Queue, "record", die)
            # A kill runs no clean-up: neither the cut nor the close.
            patch.setattr(landing.PartWriter, "cut", lambda *_: None)
            patch.setattr(landing.PartWriter, "close", lambda self: self._file.close())
            with pytest.raises(Killed):
                run(engine, tmp_path, server.url)
        left = list(tmp_path.rglob("*.jsonl.gz"))
        assert len(left) == 1 and left[0].stat().st_size > 0
        result = run(engine, tmp_path, server.url, run_id="again")
    assert result.completeness == 1.0
    assert not left[0].exists()
    check_nothing_lost_or_doubled(tmp_path, engine)


# PostgreSQL ------------------------------------------------------------------------


@pytest.mark.postgres
def test_the_queue_works_on_postgresql_as_it_does_on_sqlite(
    postgres_engine: Engine, tmp_path: Path
) -> None:
    small = world()
    with TinyLastfm(small) as server:
        result = run(postgres_engine, tmp_path, server.url)
        assert result.completeness == 1.0 and result.failed == 0
        again = run(postgres_engine, tmp_path, server.url, run_id="again")
        assert again.was_finished
        small.scrobbles["RJ"] += scrobbles(30, last=NOON + 80_000)
        next_day = run(
            postgres_engine,
            tmp_path,
            server.url,
            day=DAY + timedelta(days=1),
            now=NOON + 86_400,
            run_id="2",
        )
    assert next_day.completeness == 1.0
    assert listener(postgres_engine, "rj").counted_scrobbles == 2330
    records = landed(postgres_engine, tmp_path, DAY)
    assert heard(records, "RJ") == Counter(scrobbles(2300))
    with postgres_engine.connect() as connection:
        tables = connection.execute(
            text(
                "select count(*) from information_schema.tables"
                " where table_schema = 'ops' and table_name like 'fetch_%'"
            )
        ).scalar_one()
        calls = connection.execute(
            select(func.count()).select_from(fetch_calls)
        ).scalar_one()
    assert tables == 7 and calls > 200
