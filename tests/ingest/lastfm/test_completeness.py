"""How much each list of a day may lack."""

from __future__ import annotations

import pytest

from ingest.lastfm.completeness import CallState, doubted, lacking, left_out


def calls(method: str, state: str, count: int, code: int | None = None) -> CallState:
    return CallState(method, '{"country":"Spain"}', state, code, count)


ORDINARY = [
    calls("chart.getTopArtists", "done", 1),
    calls("geo.getTopArtists", "done", 1),
    calls("user.getRecentTracks", "done", 40),
    calls("artist.getInfo", "done", 1000),
    calls("album.getInfo", "done", 150),
]


@pytest.mark.parametrize(
    "extra",
    [
        calls("artist.getInfo", "failed", 10),
        calls("artist.getInfo", "skipped", 100, 6),
        calls("album.getInfo", "skipped", 100, 6),
        calls("user.getRecentTracks", "failed", 1),
        calls("user.getRecentTracks", "skipped", 40, 17),
        calls("user.getFriends", "skipped", 40, 6),
        calls("chart.getTopTracks", "failed", 1, 27),
        calls("chart.getTopTracks", "superseded", 1),
        calls("tag.getTopArtists", "skipped", 1, 6),
    ],
    ids=str,
)
def test_what_a_day_may_lack(extra: CallState) -> None:
    assert lacking([*ORDINARY, extra]) == []
    assert doubted([*ORDINARY, extra]) == []


@pytest.mark.parametrize(
    "extra",
    [
        calls("chart.getTopTracks", "failed", 1),
        calls("chart.getTopTracks", "pending", 1),
        calls("chart.getTopArtists", "skipped", 1, 6),
        calls("chart.getTopArtists", "failed", 1, 27),
        calls("geo.getTopTracks", "failed", 1),
        calls("tag.getTopArtists", "skipped", 2, 6),
        calls("artist.getInfo", "failed", 12),
        calls("artist.getInfo", "failed", 12, 3),
        calls("artist.getInfo", "skipped", 130, 6),
        calls("artist.getSimilar", "skipped", 40, 6),
        calls("user.getRecentTracks", "failed", 3),
        calls("album.getInfo", "skipped", 200, 6),
    ],
    ids=str,
)
def test_what_a_day_may_not_lack(extra: CallState) -> None:
    (said,) = lacking([*ORDINARY, extra])
    assert said.startswith(extra.method)
    is_unknown = extra.state == "skipped"
    assert doubted([*ORDINARY, extra]) == ([extra.method] if is_unknown else [])


def test_what_is_left_out_is_counted_by_method() -> None:
    gone = calls("artist.getSimilar", "failed", 10, 27)
    assert left_out([*ORDINARY, gone, calls("artist.getInfo", "failed", 9, 27)]) == {
        "artist.getSimilar": 10
    }
