"""A history that is hard to get right, from last.fm's answers to the marts."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from ingest.lastfm.client import Client
from ingest.lastfm.fetch import fetch
from ingest.lastfm.plan import FetchPlan
from local_lastfm import LocalLastfm
from tests.daily_runs import Daily, make_daily
from warehouse import ops
from warehouse.settings import Settings

# Yesterday: all of its plays lie in the past, so a walk can see them.
pytestmark = pytest.mark.long
DAY = datetime.now(UTC).date() - timedelta(days=1)
PLAN = FetchPlan(listeners=("trouble",), top_artists=10, track_infos=0, album_infos=0)
Play = tuple[int, str, str, str]


def fetch_day(daily: Daily, lastfm: LocalLastfm, day: date) -> None:
    """Land one day as the fetch of a daily run does."""
    end = datetime.combine(day, time(23, 59, 59), UTC)
    engine = ops.open_ops(Settings(data_dir=daily.data_dir))
    (result,) = fetch(
        [(day, "full")],
        plan=PLAN,
        client=Client(lastfm.as_of_url, "local"),
        engine=engine,
        landing_root=daily.data_dir / "landing",
        run_id=f"run-{day}",
        rate=1000.0,
        now=lambda: int(end.timestamp()),
    )
    engine.dispose()
    assert result.completeness == 1.0, result


def plays(daily: Daily) -> Counter[Play]:
    with daily.open_published() as connection:
        return Counter(
            connection.execute(
                "select epoch(scrobbled_at)::bigint, dim_artists.artist_name,"
                " track_name, coalesce(album_name, '') from marts.fct_scrobbles"
                " join marts.dim_artists using (artist_id)"
                " join marts.dim_tracks using (track_id)"
                " left join marts.dim_albums using (album_id)"
            ).fetchall()
        )


def truth(lastfm: LocalLastfm, day: date) -> Counter[Play]:
    return Counter(
        (play.uts, play.artist_name, play.track_name, play.album_name)
        for play in lastfm.truth("trouble", day)
    )


def test_a_messy_history_is_exactly_right_in_the_marts(
    tmp_path: Path,
) -> None:
    """Row by row: the row playing now, repeats in a second, plays without a time,
    edits, deletions and pages that drift; built in two loads."""
    with LocalLastfm(world="trouble", today=DAY) as lastfm:
        daily = make_daily(tmp_path / "data", lastfm.as_of_url, ("trouble",))
        for back in (2, 1):
            lastfm.set_faults("trouble")  # what it changes is tomorrow's to find
            fetch_day(daily, lastfm, DAY - timedelta(days=back))
        daily.run("publish", "--as-of", str(DAY - timedelta(days=1)))
        before = plays(daily)
        lastfm.set_faults("none")
        fetch_day(daily, lastfm, DAY)
        daily.run("publish", "--as-of", str(DAY))
        expected = truth(lastfm, DAY)
        assert plays(daily) == expected
        assert max(expected.values()) == 1 and len(expected) > 1000
        seconds = Counter(play[0] for play in expected)
        assert max(seconds.values()) > 1, "there are repeats in one second"
        assert before - expected, "some of it was deleted or edited meanwhile"
    with daily.open_published() as connection:
        (playing, timeless, counted) = connection.execute(
            "select count(*) filter (is_now_playing),"
            " count(*) filter (scrobbled_uts = 0), count(*)"
            " from raw.lastfm__user_recent_tracks"
        ).fetchall()[0]
    assert playing > 0 and timeless > 0 and counted > sum(expected.values())
