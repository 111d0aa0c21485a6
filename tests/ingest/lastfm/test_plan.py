"""What is asked for a day, and what an answer asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.lastfm import plan as planning
from ingest.lastfm.plan import (
    Call,
    Digest,
    FetchPlan,
    ListenerState,
    Notes,
    Situation,
    digest,
    follow,
)
from ingest.lastfm.queue import canonical
from warehouse.names import name_key

DAY = date(2026, 11, 22)
TO = int(datetime(2026, 11, 22, 1, tzinfo=UTC).timestamp())
PLAN = FetchPlan(listeners=("RJ",), countries=("Spain",), tags=("Jazz",))


def situation(plan: FetchPlan = PLAN, **changes: Any) -> Situation:
    empty = Situation(plan, "full", {}, Notes())
    return replace(empty, **changes)


def methods(calls: list[Call]) -> list[str]:
    return sorted({call.method for call in calls})


def test_a_full_day_begins_with_charts_countries_tags_and_listeners() -> None:
    calls = planning.first_phase(PLAN, DAY, "full", TO, {})
    assert methods(calls) == [
        "chart.getTopArtists",
        "chart.getTopTags",
        "chart.getTopTracks",
        "geo.getTopArtists",
        "geo.getTopTracks",
        "tag.getTopArtists",
        "tag.getTopTracks",
        "user.getFriends",
        "user.getInfo",
        "user.getLovedTracks",
        "user.getRecentTracks",
        "user.getTopAlbums",
        "user.getTopArtists",
        "user.getTopTags",
        "user.getTopTracks",
    ]


def test_a_snapshot_day_has_charts_countries_and_tags_only() -> None:
    calls = planning.first_phase(PLAN, DAY, "snapshot", TO, {})
    assert {method.partition(".")[0] for method in methods(calls)} == {
        "chart",
        "geo",
        "tag",
    }
    used = Notes(chart_tags={"jazz": "jazz"})
    found = planning.second_phase(PLAN, "snapshot", used, ["Low"], set(), canonical)
    assert found == []


def test_walks_end_now_or_with_the_last_second_of_a_past_day() -> None:
    now = int(datetime(2026, 11, 22, 8, 30, tzinfo=UTC).timestamp())
    assert planning.end_of_walks(DAY, now) == now
    past = planning.end_of_walks(date(2026, 11, 20), now)
    assert datetime.fromtimestamp(past, UTC).isoformat() == "2026-11-20T23:59:59+00:00"


# Charts ----------------------------------------------------------------------------


def chart_call(page: int = 1, limit: int = 1000) -> Call:
    return Call("chart.getTopArtists", {"limit": str(limit), "page": str(page)})


@pytest.mark.parametrize(
    ("wanted", "answer", "next_page"),
    [
        (1000, Digest(items=1000, total=3_521_196, page=1, per_page=1000), None),
        (2500, Digest(items=1000, total=3_521_196, page=1, per_page=1000), "2"),
        (1000, Digest(items=500, total=3_521_196, page=1, per_page=500), "2"),
        (1000, Digest(items=300, total=300, page=1, per_page=1000), None),
        (5000, Digest(items=0, total=None), None),
    ],
    ids=["enough", "more wanted", "short pages", "no more there", "empty"],
)
def test_a_chart_is_followed_to_the_top_n_by_counting(
    wanted: int, answer: Digest, next_page: str | None
) -> None:
    found = follow(
        chart_call(), answer, situation(replace(PLAN, top_artists=wanted))
    ).calls
    assert [call.params["page"] for call in found] == ([next_page] if next_page else [])


def test_a_snapshot_day_reads_the_chart_until_it_met_every_tracked_artist() -> None:
    answer = Digest(items=1000, total=9000, page=1, per_page=1000)
    notes = Notes(chart_artists={"low": "Low"})
    tracked = {"low": "Low", "can": "Can"}
    deep = situation(mode="snapshot", tracked=tracked, notes=notes)
    assert [c.params["page"] for c in follow(chart_call(), answer, deep).calls] == ["2"]
    assert follow(chart_call(), answer, replace(deep, mode="full")).calls == []
    met = replace(deep, tracked={"low": "Low"})
    assert follow(chart_call(), answer, met).calls == []
    last = chart_call(page=PLAN.snapshot_pages)
    assert follow(last, replace(answer, total=10**9), deep).calls == []


def test_artists_stay_tracked_and_the_bound_holds() -> None:
    notes = Notes()
    notes.take(chart_call(), Digest(2, names=(("Low",), ("Can",)), plays=(9, 8)))
    heard = Call("user.getTopArtists", {"user": "rj", "period": "overall"})
    notes.take(heard, Digest(2, names=(("Dirt",), ("LOW",)), plays=(5, 9)))
    assert planning.tracked(PLAN, notes, {}) == ["Low", "Can", "Dirt"]
    assert planning.tracked(PLAN, notes, {"can": "Can"}) == ["Low", "Dirt"]
    bound = replace(PLAN, max_tracked=2)
    assert planning.tracked(bound, notes, {"can": "Can"}) == ["Low"]
    assert planning.tracked(replace(PLAN, panel_artists=0), notes, {}) == ["Low", "Can"]


@pytest.mark.parametrize("names", [("ABC", "ＡＢＣ"), ("ＡＢＣ", "ABC")])
def test_of_two_pages_under_one_key_the_larger_one_is_followed(
    names: tuple[str, str],
) -> None:
    plays = {"ABC": 900, "ＡＢＣ": 30}
    notes = Notes()
    rows = Digest(
        2,
        names=tuple((name,) for name in names),
        plays=tuple(plays[name] for name in names),
    )
    notes.take(chart_call(), rows)
    assert planning.tracked(PLAN, notes, {}) == ["ABC"]


@pytest.mark.parametrize(
    ("asked_for", "answered_as", "asks"),
    [
        ("Anna + The Engine", "Anna The Engine", True),
        ("LOW", "Low", False),
        ("Low", "Ｌｏｗ", False),
    ],
)
def test_another_artist_s_answer_asks_for_the_correction(
    asked_for: str, answered_as: str, asks: bool
) -> None:
    call = Call("artist.getInfo", {"artist": asked_for})
    answer = digest("artist.getInfo", {"artist": {"name": answered_as, "stats": {}}})
    correction = Call("artist.getCorrection", {"artist": asked_for})
    assert follow(call, answer, situation()).calls == [correction] * asks


def test_every_tracked_artist_is_asked_for_six_things() -> None:
    calls = planning.second_phase(PLAN, "full", Notes(), ["Low"], set(), canonical)
    assert methods(calls) == [
        "artist.getCorrection",
        "artist.getInfo",
        "artist.getSimilar",
        "artist.getTopAlbums",
        "artist.getTopTags",
        "artist.getTopTracks",
    ]
    assert len(calls) == 6 and {call.entity for call in calls} == {"artist:Low"}


def test_the_most_used_tags_are_added_to_the_configured_ones_once() -> None:
    notes = Notes(chart_tags={"jazz": "jazz", "rock": "rock", "folk": "folk"})
    plan = replace(PLAN, most_used_tags=2)
    calls = planning.second_phase(plan, "full", notes, [], set(), canonical)
    assert [(call.method, call.params["tag"]) for call in calls] == [
        ("tag.getTopArtists", "rock"),
        ("tag.getTopTracks", "rock"),
    ]


def test_what_is_heard_most_and_not_known_yet_is_looked_up() -> None:
    notes = Notes()
    overall = {"user": "rj", "period": "overall"}
    rows = Digest(3, names=(("A", "x"), ("A", "y"), ("B", "z")), plays=(1, 5, 5))
    notes.take(Call("user.getTopTracks", overall), rows)
    known = {("track.getInfo", canonical({"artist": "A", "track": "y"}))}
    plan = replace(PLAN, track_infos=1)
    (call,) = planning.second_phase(plan, "full", notes, [], known, canonical)
    assert call == Call("track.getInfo", {"artist": "B", "track": "z"})


def test_tracks_that_no_list_measures_are_looked_up_first() -> None:
    rows = [
        {"name": name, "artist": {"name": "A"}, "playcount": plays, "duration": length}
        for name, plays, length in (("x", "9", "180"), ("y", "2", "0"), ("z", "1", ""))
    ]
    answer = digest("user.getTopTracks", {"toptracks": {"track": rows}})
    assert answer.measured == {("A", "x")}
    notes = Notes()
    notes.take(Call("user.getTopTracks", {"user": "rj", "period": "7day"}), answer)
    found = planning.second_phase(PLAN, "full", notes, [], set(), canonical)
    assert [call.params["track"] for call in found] == ["y", "z", "x"]


def test_slow_lists_are_due_again_each_at_an_age_of_its_own() -> None:
    names = [f"Artist {number}" for number in range(50)]
    first = planning.second_phase(PLAN, "full", Notes(), names, set(), canonical)
    slow = [
        (call.method, canonical(call.params))
        for call in first
        if call.method in planning.SLOW_LISTS
    ]
    assert len(slow) == 2 * len(names)
    answered = dict.fromkeys(slow, DAY)
    left = [
        len(planning.answered_lately(PLAN, DAY + timedelta(days=age), answered))
        for age in range(15)
    ]
    assert left[6] == len(slow) and left[13] == 0, "after a week, within two"
    due = [before - after for before, after in pairwise(left)]
    assert max(due) < len(slow) / 3, "not all on one day"
    again = planning.second_phase(PLAN, "full", Notes(), names, set(slow), canonical)
    assert [call for call in first if call.method not in planning.SLOW_LISTS] == again


def test_what_was_looked_up_is_looked_up_again_after_a_month() -> None:
    answered = {("track.getInfo", canonical({"artist": "A", "track": "x"})): DAY}
    for age, is_known in ((29, True), (30, False)):
        day = DAY + timedelta(days=age)
        assert bool(planning.answered_lately(PLAN, day, answered)) is is_known


# Listeners -------------------------------------------------------------------------


def test_personal_tags_are_asked_for_every_own_tag() -> None:
    call = Call("user.getTopTags", {"user": "RJ", "limit": "50"})
    answer = Digest(2, names=(("seen live",), ("folk",)))
    found = follow(call, answer, situation()).calls
    assert [(c.params["tag"], c.params["taggingtype"]) for c in found] == [
        ("seen live", "artist"),
        ("folk", "artist"),
    ]


def top_periods(state: ListenerState | None) -> list[tuple[str, str]]:
    calls = planning.first_phase(PLAN, DAY, "full", TO, {"rj": state} if state else {})
    return [
        (call.method.removeprefix("user.getTop"), call.params["period"])
        for call in calls
        if "period" in call.params
    ]


def test_a_first_day_asks_for_all_tracks_heard_and_later_ones_for_the_new() -> None:
    assert top_periods(None) == [
        ("Artists", "overall"),
        ("Albums", "overall"),
        ("Tracks", "overall"),
    ]
    for days, period in ((1, "7day"), (6, "7day"), (7, "1month"), (400, "overall")):
        state = replace(known_listener(), watermark_uts=TO - days * 86_400)
        assert top_periods(state)[1:] == [("Albums", period), ("Tracks", period)]
    unfinished = replace(known_listener(), is_history_complete=False)
    assert top_periods(unfinished) == top_periods(None)


def test_the_tracks_heard_are_followed_to_the_last_page() -> None:
    tracks = {"user": "RJ", "period": "overall", "limit": "1000", "page": "1"}
    call = Call("user.getTopTracks", tracks)
    found = follow(call, Digest(1000, pages=57), situation()).calls
    assert [c.params["page"] for c in found] == [str(page) for page in range(2, 58)]
    albums = Call("user.getTopAlbums", tracks)
    assert follow(albums, Digest(1000, pages=57), situation()).calls == []


def test_loved_tracks_are_followed_to_the_last_page() -> None:
    call = Call("user.getLovedTracks", {"user": "RJ", "limit": "1000", "page": "1"})
    found = follow(call, Digest(1000, pages=3), situation()).calls
    assert [c.params["page"] for c in found] == ["2", "3"]
    assert follow(found[0], Digest(1000, pages=3), situation()).calls == []
    assert len(follow(call, Digest(1, pages=10**8), situation()).calls) == 49


def test_a_private_listener_is_tried_again_after_a_week_only() -> None:
    state = ListenerState("RJ", is_private=True, private_since=date(2026, 11, 20))
    calls = planning.first_phase(PLAN, DAY, "full", TO, {"rj": state})
    assert [c.method for c in calls if c.entity] == ["user.getInfo"]
    state = replace(state, private_since=date(2026, 11, 15))
    calls = planning.first_phase(PLAN, DAY, "full", TO, {"rj": state})
    assert [c.method for c in calls if c.entity] == [
        "user.getRecentTracks",
        "user.getInfo",
    ]


# Walks -----------------------------------------------------------------------------


def probe_of(state: ListenerState | None) -> Call:
    states = {"rj": state} if state else {}
    calls = planning.first_phase(PLAN, DAY, "full", TO, states)
    (probe,) = [call for call in calls if call.method == "user.getRecentTracks"]
    return probe


def known_listener() -> ListenerState:
    return ListenerState(
        "RJ",
        watermark_uts=TO - 86_400,
        is_history_complete=True,
        counted_uts=TO - 86_400,
        counted_scrobbles=5000,
    )


def test_the_first_walk_asks_for_the_whole_history_last_page_first() -> None:
    probe = probe_of(None)
    assert probe.params == {"user": "RJ", "limit": "1", "page": "1", "to": str(TO)}
    pages = follow(probe, Digest(1, total=2500), situation()).calls
    assert [c.params["page"] for c in pages] == ["3", "2", "1"]
    assert [c.params["limit"] for c in pages] == ["1000"] * 3
    assert all("from" not in c.params and c.params["to"] == str(TO) for c in pages)
    context = pages[0].context
    assert context is not None
    assert (context["pages"], context["page"], context["total"]) == (3, 3, 2500)
    assert (context["walk_from"], context["walk_to"]) == (0, TO)
    assert len({c.walk_id for c in pages}) == 1


def test_a_later_walk_starts_three_hours_before_the_watermark() -> None:
    state = known_listener()
    probe = probe_of(state)
    (before,) = follow(probe, Digest(1, total=5100), situation()).calls
    assert before.params["to"] == str(state.counted_uts)
    (since,) = follow(before, Digest(1, total=5000), situation()).calls
    start = TO - 86_400 - 3 * 3600
    assert since.params["from"] == str(start) and since.params["to"] == str(TO)
    (page,) = follow(since, Digest(1, total=104), situation()).calls
    assert page.params["from"] == str(start) and page.params["limit"] == "1000"
    assert page.context is not None and page.context["history_total"] == 5100


def test_a_changed_count_of_old_scrobbles_walks_the_whole_history() -> None:
    (before,) = follow(
        probe_of(known_listener()), Digest(1, total=5100), situation()
    ).calls
    pages = follow(before, Digest(1, total=4999), situation()).calls
    assert len(pages) == 6 and all("from" not in c.params for c in pages)


def test_an_empty_window_is_one_page_that_says_so() -> None:
    (page,) = planning.walk("RJ", 100, TO, 0, 1000, 1, 7)
    assert page.context is not None and page.context["pages"] == 1


def test_a_walk_whose_total_changed_starts_again_at_most_three_times() -> None:
    pages = planning.walk("RJ", 0, TO, 1500, 1000, 1, 1500)
    seen = {pages[0].walk_id}
    total = 1500
    for _ in range(planning.REWALKS):
        total += 1
        found = follow(pages[0], Digest(500, total=total), situation())
        assert found.superseded == pages[0].walk_id
        pages = found.calls
        assert pages[0].walk_id not in seen
        seen.add(pages[0].walk_id)
        assert pages[0].context is not None and pages[0].context["total"] == total
    assert follow(pages[0], Digest(500, total=total + 1), situation()).calls == []
    assert follow(pages[0], Digest(500, total=total), situation()).calls == []


def test_failing_deep_pages_are_made_smaller_down_to_fifty() -> None:
    page: Call | None = planning.walk("RJ", 0, TO, 10_000, 1000, 1, 10_000)[0]
    limits = []
    while page is not None:
        limits.append(int(page.params["limit"]))
        assert page.context is not None
        assert page.context["pages"] == 10_000 // limits[-1]
        smaller = planning.smaller_pages(page)
        page = smaller.calls[0] if smaller else None
    assert limits == [1000, 500, 200, 100, 50]
    assert planning.smaller_pages(probe_of(None)) is None
    assert planning.smaller_pages(chart_call()) is None


# Shapes ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"artists": {"artist": {"name": "Low"}, "@attr": {"total": "1"}}}, 1),
        ({"artists": {"artist": [], "@attr": {"total": "0"}}}, 0),
        ({"artists": {"#text": "\n", "total": "0", "perPage": "20"}}, 0),
        ({"artists": "\n"}, None),
        ({"artists": {}}, None),
        ({}, None),
        ([], None),
    ],
)
def test_every_empty_and_single_shape_is_understood(
    payload: object, expected: int | None
) -> None:
    found = digest("chart.getTopArtists", payload)
    assert found.total == expected
    assert found.items == (1 if expected == 1 else 0)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["artist", "@attr", "name", "#text", "total"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    ),
    st.sampled_from(sorted(planning.FOLLOWED)),
)
def test_no_answer_whatever_its_shape_breaks_the_digest(
    payload: object, method: str
) -> None:
    digest(method, payload)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Sigur  Rós ", "sigur rós", True),
        ("ＡＢＣ", "abc", True),
        ("Straße", "STRASSE", True),
        ("Low", "Slow", False),
    ],
)
def test_spellings_of_one_name_have_one_key(one: str, other: str, same: bool) -> None:
    assert (name_key(one) == name_key(other)) is same


def test_entities_are_listeners_and_artists() -> None:
    def entity(method: str, params: Mapping[str, str]) -> str | None:
        return planning.entity(method, params)

    assert entity("user.getInfo", {"user": "RJ"}) == "user:rj"
    assert entity("artist.getInfo", {"artist": "Low"}) == "artist:Low"
    assert entity("track.getInfo", {"artist": "Low", "track": "x"}) is None
    assert entity("chart.getTopTags", {}) is None
