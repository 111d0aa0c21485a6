"""Which days a run fetches, and what it says of them."""

from __future__ import annotations

from datetime import date, timedelta

from ingest.lastfm.fetch import FetchResult, Progress
from ingest.lastfm.plan import FetchPlan
from ingest.lastfm.step import Server, days_to_fetch, share_done, summarise

DAY = date(2026, 11, 22)


def test_the_first_run_backfills_where_the_server_has_a_clock() -> None:
    days = days_to_fetch(DAY, None, 90, has_clock=True)
    assert len(days) == 90
    assert days[0] == (DAY - timedelta(days=89), "snapshot")
    assert days[-1] == (DAY, "full")
    assert [mode for _, mode in days].count("full") == 1


def test_a_server_without_a_clock_is_asked_for_the_day_itself_only() -> None:
    assert days_to_fetch(DAY, None, 90, has_clock=False) == [(DAY, "full")]
    long_ago = DAY - timedelta(days=9)
    assert days_to_fetch(DAY, long_ago, 90, has_clock=False) == [(DAY, "full")]


def test_missed_days_are_made_good_oldest_first() -> None:
    days = days_to_fetch(DAY, DAY - timedelta(days=3), 90, has_clock=True)
    assert days == [
        (DAY - timedelta(days=2), "snapshot"),
        (DAY - timedelta(days=1), "snapshot"),
        (DAY, "full"),
    ]
    assert days_to_fetch(DAY, DAY, 90, has_clock=True) == [(DAY, "full")]
    assert len(days_to_fetch(DAY, DAY - timedelta(days=400), 90, has_clock=True)) == 90


def test_a_server_never_shows_its_key() -> None:
    server = Server("0123456789abcdef", FetchPlan(), "http://x.test/at/{as_of}/2.0/")
    assert "0123456789abcdef" not in repr(server)
    assert server.has_clock and not Server("k", FetchPlan()).has_clock


def result(day: date, requests: int, planned: int, done: int) -> FetchResult:
    return FetchResult(
        as_of=day,
        mode="full",
        requests=requests,
        answers=requests,
        bytes=requests * 1000,
        landed_bytes=requests * 100,
        retries=1,
        planned=planned,
        done=done,
        skipped=1,
        failed=planned - done - 1,
        duration_seconds=1.0,
        methods={"artist.getInfo": requests},
        errors={"error 6": 1},
        notes=("a note",),
        private_listeners=("rj",),
    )


def test_days_are_summed_up_for_people_and_for_the_gates() -> None:
    days = [result(DAY, 2000, 10, 9), result(DAY, 3000, 20, 15)]
    said = summarise(days)
    assert said.text == (
        "5,000 requests for 2 days, 5.0 MB answered, 0.5 MB landed, 2 retries,"
        " 2 skipped, 4 failed"
    )
    assert said.detail["planned"] == 30
    assert said.detail["answered"] == 26
    assert said.detail["methods"] == {"artist.getInfo": 5000}
    assert said.detail["private_listeners"] == ["rj"]
    assert days[1].completeness == 16 / 20


def test_the_bar_runs_once_over_all_days() -> None:
    days = days_to_fetch(DAY, None, 4, has_clock=True)

    def now(as_of: date, done: int, planned: int) -> Progress:
        return Progress(as_of, done, planned, 0, 0, 0, 0, 0)

    said = [
        share_done(days, now(as_of, done, 10))[0]
        for as_of, _ in days
        for done in (0, 5, 10)
    ]
    assert said == sorted(said) and said[0] == 0 and said[-1] == 4000
    assert share_done(days, now(days[1][0], 5, 10)) == (1500, 4000)
    # The plan grows while answers ask for more, and may still be empty.
    assert share_done(days, now(days[0][0], 0, 0)) == (0, 4000)
