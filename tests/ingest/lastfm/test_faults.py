"""The fetch against the whole local last.fm: every fault, and a troubled history."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Engine, select

from ingest import landing
from ingest.landing import Record
from ingest.lastfm.client import ERRORS, Client, RetryPolicy, Timeouts
from ingest.lastfm.fetch import FetchResult, FetchStopped, fetch
from ingest.lastfm.limiter import Limiter
from ingest.lastfm.plan import FetchPlan
from ingest.lastfm.queue import fetch_calls
from local_lastfm import Fault, LocalLastfm

DAY = date(2026, 11, 22)
KEY = "feedfacefeedfacefeedfacefeedface"
TIMES = 50
PLAN = FetchPlan(
    listeners=("trouble", "calm"), tags=("trouble",), track_infos=60, album_infos=10
)
# First repeats come after every call had its first try, so no call is hit twice.
# Faults that end after so many calls are no outage, which ends after so long.
POLICY = RetryPolicy(first_seconds=0.3, max_seconds=1.0, outage_calls=1000)

RETRIED = {
    **{f"error {code}": Fault("error", code=code) for code in (8, 11, 16, 29)},
    **{
        f"error {code} in a good answer": Fault("error", code=code, status=200)
        for code in (8, 11, 16, 29)
    },
    "html with 503": Fault("html"),
    "html with 502": Fault("html", status=502),
    "html with 200": Fault("html", status=200),
    "truncated": Fault("truncated"),
    "cut": Fault("cut"),
    "reset": Fault("reset"),
    "drip": Fault("drip", seconds=0.8),
    "latency beyond patience": Fault("latency", seconds=0.8),
}
SKIPPED = {
    **{f"error 6 with {s}": Fault("error", code=6, status=s) for s in (200, 400, 404)},
    **{f"error 17 with {s}": Fault("error", code=17, status=s) for s in (403, 400)},
    **{f"error {code}": Fault("error", code=code) for code in (4, 9, 14, 15)},
}
STOPPED = [2, 5, 7, 10, 13, 26]
LEFT_OUT = [3, 27]


@pytest.fixture(scope="module")
def lastfm() -> Iterator[LocalLastfm]:
    with LocalLastfm(world="trouble", today=DAY) as server:
        yield server
    gc.collect()


@pytest.fixture
def faulty(lastfm: LocalLastfm) -> Iterator[LocalLastfm]:
    lastfm.clear_faults()
    lastfm.requests.clear()
    yield lastfm
    lastfm.clear_faults()


def run(
    engine: Engine, root: Path, url: str, day: date = DAY, **options: Any
) -> FetchResult:
    end = datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=UTC)
    patience = options.pop("patience", 10.0)
    timeouts = Timeouts(connect=5.0, read=patience, total=patience)
    (result,) = fetch(
        [(day, "full")],
        plan=options.pop("plan", PLAN),
        client=Client(url, KEY, timeouts),
        engine=engine,
        landing_root=root,
        run_id=f"run-{day}",
        rate=400.0,
        policy=POLICY,
        now=lambda: int(end.timestamp()),
        limiter=Limiter(engine, url, 400.0, penalty_seconds=0.05),
        **options,
    )
    return result


def landed(engine: Engine, root: Path, day: date | None = None) -> list[Record]:
    with engine.begin() as connection:
        parts = landing.list_parts(connection, day)
    assert landing.verify(root, parts) == []
    return [record for part in parts for record in landing.read_part(root, part)]


def asked(lastfm: LocalLastfm, method: str) -> Counter[str]:
    return Counter(
        orjson.dumps(request.params, option=orjson.OPT_SORT_KEYS).decode()
        for request in lastfm.requests.recent
        if request.method == method
    )


def check_nothing_leaked(engine: Engine, root: Path, log: str, *said: object) -> None:
    engine.dispose()
    assert KEY not in log
    assert not any(KEY in repr(each) for each in said)
    for path in root.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


def check_data_is_data(records: list[Record]) -> None:
    for record in records:
        if record.is_data:
            assert record.status == 200
            assert "error" not in orjson.loads(record.body)


def test_every_code_of_the_table_is_tried_here() -> None:
    faults = [*RETRIED.values(), *SKIPPED.values()]
    tried = {fault.code for fault in faults if fault.kind == "error"}
    assert tried | {*STOPPED, *LEFT_OUT} == ERRORS.keys()


@pytest.mark.parametrize("name", RETRIED)
def test_a_passing_fault_is_repeated_until_it_is_gone(
    faulty: LocalLastfm,
    engine: Engine,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    caplog.set_level("DEBUG")
    fault = RETRIED[name]
    rule = Fault(**{**fault.as_dict(), "method": "track.getInfo", "count": TIMES})
    faulty.set_faults([rule])
    patience = 0.4 if fault.kind in ("drip", "latency") else 10.0
    result = run(engine, tmp_path, faulty.url, patience=patience)
    assert rule.hits == TIMES
    assert result.completeness == 1.0 and result.failed == 0
    assert result.retries >= TIMES
    if patience == 10.0:  # otherwise a busy machine may add some of its own
        assert result.retries == TIMES
    calls = asked(faulty, "track.getInfo")
    assert sum(calls.values()) >= 60 + TIMES
    assert max(calls.values()) <= POLICY.tries, "within the call's budget"
    records = landed(engine, tmp_path)
    check_data_is_data(records)
    spoilt = [record for record in records if not record.is_data]
    has_answer = name not in ("cut", "reset", "drip", "latency beyond patience")
    assert len([r for r in spoilt if r.method == "track.getInfo"]) == (
        TIMES if has_answer else 0
    )
    check_nothing_leaked(engine, tmp_path, caplog.text, result)


@pytest.mark.parametrize("name", SKIPPED)
def test_what_a_repeat_cannot_mend_is_asked_once(
    faulty: LocalLastfm, engine: Engine, tmp_path: Path, name: str
) -> None:
    fault = SKIPPED[name]
    rule = Fault(**{**fault.as_dict(), "method": "track.getInfo", "count": TIMES})
    faulty.set_faults([rule])
    result = run(engine, tmp_path, faulty.url)
    assert rule.hits == TIMES
    assert result.retries == 0 and result.failed == 0
    calls = asked(faulty, "track.getInfo")
    assert set(calls.values()) == {1} and len(calls) == 60
    records = landed(engine, tmp_path)
    check_data_is_data(records)
    assert sum(1 for r in records if r.verdict == f"error {fault.code}") >= TIMES
    with engine.connect() as connection:
        states = connection.execute(
            select(fetch_calls.c.state, fetch_calls.c.error_code).where(
                fetch_calls.c.method == "track.getInfo"
            )
        ).all()
    # So many "not found" of one list are not believed: a later run asks again.
    ended = ("pending", None) if fault.code == 6 else ("skipped", fault.code)
    assert Counter(tuple(row) for row in states) == {ended: TIMES, ("done", None): 10}
    check_nothing_leaked(engine, tmp_path, "", result)


@pytest.mark.parametrize("code", LEFT_OUT)
def test_a_method_that_is_no_more_is_left_out_and_asked_again(
    faulty: LocalLastfm, engine: Engine, tmp_path: Path, code: int
) -> None:
    faulty.set_faults([Fault("error", code=code, method="track.getInfo")])
    result = run(engine, tmp_path, faulty.url)
    assert result.lacking == ()
    assert result.left_out == {"track.getInfo": result.failed}
    assert set(asked(faulty, "track.getInfo").values()) == {1}, "no call asked twice"
    faulty.clear_faults()
    again = run(engine, tmp_path, faulty.url)
    assert (again.left_out, again.completeness) == ({}, 1.0)
    check_nothing_leaked(engine, tmp_path, "", result)


@pytest.mark.parametrize("code", STOPPED)
def test_our_own_fault_or_the_keys_stops_at_once(
    faulty: LocalLastfm, engine: Engine, tmp_path: Path, code: int
) -> None:
    rule = Fault("error", code=code, method="track.getInfo", count=TIMES)
    faulty.set_faults([rule])
    with pytest.raises(FetchStopped, match=f"error {code}") as caught:
        run(engine, tmp_path, faulty.url, max_workers=4)
    assert set(asked(faulty, "track.getInfo").values()) == {1}, "no call asked twice"
    # What is under way when it happens may still come: the answers of one batch.
    assert 1 <= rule.hits <= TIMES
    check_data_is_data(landed(engine, tmp_path))
    check_nothing_leaked(engine, tmp_path, "", caught.value)


@pytest.mark.parametrize(
    ("kind", "method"),
    [
        ("now_playing", "user.getRecentTracks"),
        ("stall", "chart.*"),
        ("step_back", "artist.getInfo"),
    ],
)
def test_what_only_looks_odd_is_data(
    faulty: LocalLastfm, engine: Engine, tmp_path: Path, kind: str, method: str
) -> None:
    rule = Fault(kind, method=method, count=TIMES)
    faulty.set_faults([rule])
    result = run(engine, tmp_path, faulty.url)
    assert rule.hits > 0
    assert result.completeness == 1.0 and result.retries == 0
    assert {record.verdict for record in landed(engine, tmp_path)} <= {
        "data",
        "error 6",
    }


def test_the_rows_of_another_listener_never_come_through(
    faulty: LocalLastfm, engine: Engine, tmp_path: Path
) -> None:
    pages = "user.getRecentTracks"
    rule = Fault("wrong_user", method=pages, params={"limit": "1000"}, count=3)
    faulty.set_faults([rule])
    result = run(engine, tmp_path, faulty.url)
    assert rule.hits == 3 and result.errors["wrong user"] == 3
    for record in landed(engine, tmp_path):
        if record.is_data and record.method == pages:
            answer = orjson.loads(record.body)["recenttracks"]
            assert answer["@attr"]["user"].casefold() == record.params["user"]


# A listener's whole troubled history ------------------------------------------------

Row = tuple[int, str, str, str]


def rows_of(record: Record) -> list[Row]:
    found = orjson.loads(record.body)["recenttracks"]["track"]
    rows = found if isinstance(found, list) else [found]
    return [
        (
            int(row["date"]["uts"]),
            row["artist"]["#text"],
            row["name"],
            row["album"]["#text"],
        )
        for row in rows
        if "date" in row
    ]


class Histories:
    """What complete walks say, one after the other: a walk replaces its window."""

    def __init__(self) -> None:
        self.rows: dict[tuple[int, str, str], str] = {}

    def apply(self, records: list[Record]) -> None:
        walks: dict[str, list[Record]] = {}
        for record in records:
            walk_id = (record.context or {}).get("walk_id")
            if record.is_data and walk_id and record.params["user"] == "trouble":
                walks.setdefault(walk_id, []).append(record)
        for pages in walks.values():
            context = pages[0].context or {}
            totals = {
                int(orjson.loads(page.body)["recenttracks"]["@attr"]["total"])
                for page in pages
            }
            if len(pages) != context["pages"] or totals != {context["total"]}:
                continue
            start, end = context["walk_from"], context["walk_to"]
            self.rows = {
                key: album
                for key, album in self.rows.items()
                if not start <= key[0] <= end
            }
            for page in pages:
                for uts, artist, track, album in rows_of(page):
                    self.rows[(uts, artist, track)] = album

    def plays(self) -> set[Row]:
        return {(*key, album) for key, album in self.rows.items() if key[0] > 0}


def truth(lastfm: LocalLastfm) -> set[Row]:
    return {
        (play.uts, play.artist_name, play.track_name, play.album_name)
        for play in lastfm.truth("trouble")
        if play.uts > 0
    }


@pytest.mark.parametrize(
    ("world", "faults", "full_walk_days"),
    [
        ("trouble", None, 0),
        ("trouble", "flaky", 0),
        ("trouble", "trouble", 5),
        ("trouble:deep", None, 0),
        ("trouble:deep", None, 5),
    ],
)
def test_a_troubled_history_comes_out_exactly_right(
    engine: Engine,
    tmp_path: Path,
    world: str,
    faults: str | None,
    full_walk_days: int,
) -> None:
    """Day after day, with plays that go, come late, and change under our feet."""
    histories = Histories()
    plan = FetchPlan(
        listeners=("trouble",),
        track_infos=0,
        album_infos=0,
        full_walk_days=full_walk_days,
    )
    with LocalLastfm(world=world, today=DAY) as lastfm:
        for back in range(5, -1, -1):
            day = DAY - timedelta(days=back)
            # The last day is calm: what changes after it was read is tomorrow's.
            is_faulty = faults == "flaky" or back > 0
            lastfm.set_faults(faults if faults and is_faulty else "none")
            result = run(engine, tmp_path, lastfm.as_of_url, day, plan=plan)
            assert result.completeness == 1.0, result
            histories.apply(landed(engine, tmp_path, day))
        expected = truth(lastfm)
    found = histories.plays()
    if world == "trouble:deep" and not full_walk_days:
        # The number of old scrobbles tells that some went, but nothing tells that an
        # album of long ago was renamed: only another walk over everything does.
        assert {row[:3] for row in found} == {row[:3] for row in expected}
    else:
        assert found == expected
    assert len(expected) > 1000


def test_running_again_changes_nothing(engine: Engine, tmp_path: Path) -> None:
    plan = FetchPlan(listeners=("trouble",), track_infos=0, album_infos=0)
    with LocalLastfm(world="trouble", today=DAY) as lastfm:
        first = run(engine, tmp_path, lastfm.as_of_url, plan=plan)
        before = [record.to_line() for record in landed(engine, tmp_path)]
        again = run(engine, tmp_path, lastfm.as_of_url, plan=plan)
    assert first.requests > 50 and again.requests == 0
    assert [record.to_line() for record in landed(engine, tmp_path)] == before
