"""The listener whose history is hard to get right, and its ground truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from local_lastfm import LocalLastfm
from local_lastfm.catalogue import DAY_SECONDS, Scrobble


def walked(caller: Any, **params: object) -> list[Scrobble]:
    rows = caller.scrobbles("trouble", limit=200, **params)
    found = [
        Scrobble(
            int(row["date"]["uts"]),
            row["artist"]["#text"],
            row["name"],
            row["album"]["#text"],
        )
        for row in rows
        if row["date"]["uts"] != "0"
    ]
    return sorted(found, key=lambda s: (s.uts, s.artist_name, s.track_name))


def truth(lastfm: LocalLastfm, day: Any) -> list[Scrobble]:
    return sorted(
        lastfm.truth("trouble", day),
        key=lambda s: (s.uts, s.artist_name, s.track_name),
    )


def test_a_walk_over_all_pages_gives_the_truth_of_each_day(
    trouble: LocalLastfm, ask_trouble: Any, today: Any
) -> None:
    for back in (12, 3, 1, 0):
        day = today - timedelta(days=back)
        found = walked(ask_trouble, as_of=day)
        assert found == truth(trouble, day)
        assert len(found) > 1000


def test_the_history_has_every_trouble(trouble: LocalLastfm, today: Any) -> None:
    day = today - timedelta(days=2)
    before = {(s.uts, s.artist_name, s.track_name): s for s in truth(trouble, day)}
    after = {
        (s.uts, s.artist_name, s.track_name): s
        for s in truth(trouble, day + timedelta(days=1))
    }
    midnight = trouble.world.as_of(day)
    assert any(key not in after for key in before), "deleted"
    assert any(key not in before and key[0] <= midnight for key in after), "late"
    edited = [k for k in before.keys() & after.keys() if before[k] != after[k]]
    assert edited, "albums edited"
    seconds = Counter(key[0] for key in after)
    assert sum(n > 1 for n in seconds.values()) > 50, "shared seconds"
    assert max(seconds.values()) >= 3


def test_what_changes_after_a_day_lies_within_three_hours_of_its_last_play(
    trouble: LocalLastfm, today: Any
) -> None:
    for back in range(2, 30):
        day = today - timedelta(days=back)
        before, after = truth(trouble, day), truth(trouble, day + timedelta(days=1))
        changed = set(before) ^ {s for s in after if s.uts <= before[-1].uts}
        last = max(s.uts for s in before)
        assert changed and all(last - s.uts < 3 * 3600 for s in changed)


def test_a_deep_world_changes_what_lies_weeks_back(today: Any) -> None:
    deep = LocalLastfm("trouble:deep", today=today)
    before, after = truth(deep, today - timedelta(days=25)), truth(deep, today)
    old = {s for s in before if s.uts < before[-1].uts - 3 * DAY_SECONDS}
    assert len(old - set(after)) > 5


def test_no_second_has_the_same_track_twice(trouble: LocalLastfm, today: Any) -> None:
    keys = [(s.uts, s.artist_name, s.track_name) for s in truth(trouble, today)]
    assert len(keys) == len(set(keys))


def test_imports_at_second_zero_are_counted_and_come_last(ask_trouble: Any) -> None:
    rows = ask_trouble.scrobbles("trouble", limit=1000)
    zeros = [row["date"]["uts"] == "0" for row in rows]
    assert sum(zeros) == 43 and all(zeros[-43:])
    since = ask_trouble.scrobbles("trouble", limit=1000, from_=1)
    assert len(since) == len(rows) - 43


@pytest.fixture
def live() -> Iterator[LocalLastfm]:
    with LocalLastfm("trouble") as lastfm:
        yield lastfm


def test_without_a_given_day_the_clock_runs(live: LocalLastfm) -> None:
    assert not live.world.is_frozen
    assert live.truth("calm")[-1].uts <= live.world.now()
