"""Answers have the shapes of the recorded ones, in JSON and in XML."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from local_lastfm import LocalLastfm, api

METHODS = sorted(name for name, _ in api.HANDLERS.values())
USER = "Margor"


@pytest.fixture(scope="module")
def params(demo: LocalLastfm) -> dict[str, str]:
    """Parameters that suit every method."""
    world = demo.world
    artist = world.artists[3]
    listener = world.people[USER.casefold()]
    own = world.personal_tags(listener, world.now())
    tag = next(t.tag for t in own if t.kind == "artist")
    return {
        "user": USER,
        "artist": artist.name,
        "track": world.tracks[artist.tracks[0]].name,
        "album": world.albums[artist.albums[0]].name,
        "tag": tag,
        "country": "Brazil",
        "taggingtype": "artist",
        "limit": "4",
    }


def json_leaves(value: Any) -> Counter[str]:
    if isinstance(value, dict):
        return sum((json_leaves(v) for v in value.values()), Counter())
    if isinstance(value, list):
        return sum((json_leaves(v) for v in value), Counter())
    text = "" if value is None else str(value).strip()
    return Counter([text] if text else [])


def xml_leaves(element: ElementTree.Element) -> Counter[str]:
    found = Counter(value for value in element.attrib.values() if value.strip())
    if element.text and element.text.strip():
        found[element.text.strip()] += 1
    for child in element:
        found += xml_leaves(child)
    return found


@pytest.mark.parametrize("method", METHODS)
def test_json_and_xml_say_the_same(
    method: str, ask: Any, params: dict[str, str]
) -> None:
    tree = ask.json(method, **params)
    root = ask.xml(method, **params)
    assert root.get("status") == "ok"
    in_xml = xml_leaves(root) - Counter(["ok"])
    if method == "artist.getTopAlbums":  # its ranks are in the XML only
        in_xml -= Counter(str(row.get("rank")) for row in root.iter("album"))
    assert json_leaves(tree) == in_xml


def test_the_control_a_changed_answer_is_noticed(
    ask: Any, params: dict[str, str]
) -> None:
    one = json_leaves(ask.json("artist.getInfo", **params))
    other = json_leaves(ask.json("artist.getInfo", artist="Broken Motel"))
    assert one != other


def paths(value: Any, at: str = "") -> set[str]:
    """Every path of keys in an answer, lists left out."""
    if isinstance(value, list):
        return set().union(*(paths(item, at) for item in value)) if value else set()
    if not isinstance(value, dict):
        return {at}
    return set().union(*(paths(child, f"{at}/{key}") for key, child in value.items()))


# What we leave out on purpose, or what last.fm gives for some entities only.
LEFT_OUT = ("/image", "/wiki", "/bio", "/mbid", "/userplaycount", "/streamable")


def test_every_key_of_the_recordings_of_2020_and_later_is_there(
    shared_dir: Path, ask: Any, params: dict[str, str]
) -> None:
    compared = 0
    for file in sorted((shared_dir / "lastfm_api").glob("*/*.json")):
        method = file.parent.name
        is_recent = file.name.startswith(("jrichocean", "jammus"))
        if method not in METHODS or not is_recent or "no_image" in file.name:
            continue
        recorded = paths(json.loads(file.read_bytes()))
        asked = {**params, "artist": "Neon Antenna"}
        if method in ("album.getInfo", "album.getTopTags") or method.startswith(
            ("track.", "user.")
        ):
            asked = dict(params)
        if method == "artist.getCorrection":  # only a wrong name is corrected
            asked["artist"] = "neon antenna"
        ours = paths(ask.json(method, **asked))
        for tag in ("rock", "metal"):
            ours |= paths(ask.json(method, **{**asked, "tag": tag, "limit": "50"}))
        missing = {
            path
            for path in recorded - ours
            if not any(part in path for part in LEFT_OUT)
            and not path.endswith(("/nowplaying",))
        }
        assert missing == set(), (file.name, missing)
        compared += 1
    assert compared >= 25


def test_every_scrobble_comes_exactly_once_over_the_pages(
    demo: LocalLastfm, ask: Any
) -> None:
    truth = [(s.uts, s.artist_name, s.track_name) for s in demo.truth(USER)]
    assert len(truth) > 1000
    for limit in (61, 200, 1000):
        rows = ask.scrobbles(USER, limit=limit)
        got = [
            (int(row["date"]["uts"]), row["artist"]["#text"], row["name"])
            for row in rows
        ]
        assert got[::-1] == truth, limit


def test_windows_split_a_history_without_loss(demo: LocalLastfm, ask: Any) -> None:
    truth = demo.truth(USER)
    middle = truth[len(truth) // 2].uts
    newer = ask.scrobbles(USER, limit=1000, from_=middle)
    older = ask.scrobbles(USER, limit=1000, to=middle - 1)
    assert len(newer) + len(older) == len(truth)
    assert min(int(row["date"]["uts"]) for row in newer) == middle


def test_quick_pages_are_what_the_slow_way_gives(demo: LocalLastfm) -> None:
    world = demo.world
    for page in ("1", "2", "999"):
        asked = {"user": USER, "limit": "300", "page": page}
        call = api.Call(world, "user.getRecentTracks", asked, world.now())
        assert json.loads(api.recent_tracks_json(call)) == api.answer(call)


def test_the_row_playing_now_is_on_every_page_and_in_no_total(
    ask_trouble: Any, trouble: LocalLastfm
) -> None:
    total = len(trouble.truth("trouble")) + 43
    for page in (1, 2, 10, 500):
        root = ask_trouble.json(
            "user.getRecentTracks", user="trouble", limit=100, page=page
        )["recenttracks"]
        rows = root["track"] if isinstance(root["track"], list) else [root["track"]]
        assert rows[0]["@attr"] == {"nowplaying": "true"} and "date" not in rows[0]
        assert int(root["@attr"]["total"]) == total
        expected = min(100, max(0, total - 100 * (page - 1)))
        assert len(rows) - 1 == expected
    old = ask_trouble.json("user.getRecentTracks", user="trouble", from_=1, to=2)
    assert "nowplaying" in json.dumps(old)


def test_numbers_are_strings_and_one_row_is_an_object(ask: Any) -> None:
    chart = ask.json("chart.getTopArtists", limit=1)["artists"]
    assert isinstance(chart["artist"], list) and len(chart["artist"]) == 1
    assert isinstance(chart["artist"][0]["playcount"], str)
    assert chart["@attr"]["totalPages"] == "108588996"
    tops = ask.json("user.getTopArtists", user=USER, limit=1)["topartists"]
    assert isinstance(tops["artist"], dict)
    recent = ask.json("user.getRecentTracks", user=USER, limit=1)["recenttracks"]
    assert isinstance(recent["track"], dict)


def test_charts_carry_no_rank_and_geo_tracks_start_at_zero(ask: Any) -> None:
    chart = ask.json("chart.getTopTracks", limit=3)["tracks"]["track"]
    assert all("@attr" not in row for row in chart)
    tracks = ask.json("geo.getTopTracks", country="Brazil", limit=3)["tracks"]["track"]
    assert [row["@attr"]["rank"] for row in tracks] == ["0", "1", "2"]
    assert all("playcount" not in row for row in tracks)
    page = ask.json("geo.getTopArtists", country="Brazil", limit=2, page=2)
    ranks = [row["@attr"]["rank"] for row in page["topartists"]["artist"]]
    assert ranks == ["3", "4"]


def test_charts_are_ordered_by_what_is_popular_now(ask: Any) -> None:
    rows = ask.json("chart.getTopArtists", limit=300)["artists"]["artist"]
    plays = [int(row["playcount"]) for row in rows]
    assert plays != sorted(plays, reverse=True)


def test_empty_comes_in_several_shapes(ask: Any) -> None:
    nobody = ask.json("user.getRecentTracks", user="empty_shelf")["recenttracks"]
    assert nobody["#text"] == "\n" and nobody["total"] == "0"
    assert "track" not in nobody
    none = ask.json("user.getTopAlbums", user="empty_shelf")["topalbums"]
    assert none["#text"].startswith("\n") and none["type"] == "overall"
    past = ask.json("user.getRecentTracks", user=USER, page=9999)["recenttracks"]
    assert past["track"] == [] and int(past["@attr"]["total"]) > 0
    tags = ask.json("artist.getTopTags", artist="[unknown]")["toptags"]
    assert tags == {"#text": "\n", "artist": "[unknown]"}
    search = ask.json("artist.search", artist="zzzzqqqq")["results"]
    assert search["artistmatches"] == "\n"
    fix = ask.json("artist.getCorrection", artist="zzzzqqqq")["corrections"]
    assert isinstance(fix, str) and not fix.strip()
    chart = ask.json("chart.getTopArtists", page=5000)["artists"]
    assert chart["artist"] == []


@pytest.mark.parametrize("limit", ["0", "1001", "-3", "ten"])
def test_a_limit_out_of_bounds_is_error_6(limit: str, ask: Any) -> None:
    assert ask.error("user.getRecentTracks", user=USER, limit=limit) == (400, 6)
    assert ask.error("chart.getTopArtists", limit=limit) == (400, 6)


def test_refusals_have_the_codes_and_statuses_of_lastfm(ask: Any) -> None:
    assert ask.error("no.suchMethod") == (400, 3)
    assert ask.error("chart.getTopArtists", format="yaml") == (400, 5)
    assert ask.error("chart.getTopArtists", api_key="absent") == (403, 10)
    assert ask.error("chart.getTopArtists", api_key="invalid") == (403, 10)
    assert ask.error("chart.getTopArtists", api_key="suspended") == (403, 26)
    assert ask.error("user.getInfo", user="no such person") == (404, 6)
    assert ask.error("user.getInfo") == (400, 6)
    assert ask.error("artist.getInfo", artist="no such artist") == (200, 6)
    assert ask.error("album.getInfo", artist="Nan", album="none") == (404, 6)
    assert ask.error("track.getInfo", artist="Nan", track="none") == (404, 6)
    assert ask.error("geo.getTopArtists", country="Atlantis") == (400, 6)
    assert ask.error("user.getFriends", user=USER, page=77) == (400, 6)
    assert ask.error("user.getWeeklyArtistChart", user=USER, from_=1) == (400, 6)
    assert ask.error("user.getTopArtists", user=USER, period="2day") == (400, 6)


def test_private_listening_is_error_17(demo: LocalLastfm, ask: Any) -> None:
    private = [p.name for p in demo.world.people.values() if p.is_private]
    assert len(private) == 2
    for name in private:
        assert ask.error("user.getRecentTracks", user=name) == (403, 17)
        assert int(ask.json("user.getInfo", user=name)["user"]["playcount"]) > 0


def test_a_listener_without_friends_gets_no_such_page(
    demo: LocalLastfm, ask: Any
) -> None:
    lonely = [p.name for p in demo.world.people.values() if not p.friends]
    assert lonely
    answer = ask.get("user.getFriends", user=lonely[0])
    assert answer.status_code == 400
    assert answer.json()["message"] == "no such page"


def test_errors_are_xml_where_xml_was_asked_for(ask: Any) -> None:
    root = ask.xml("user.getInfo", user="no such person")
    error = root.find("error")
    assert root.get("status") == "failed"
    assert error is not None and error.get("code") == "6"


def test_methods_and_users_are_found_whatever_their_case(ask: Any) -> None:
    shout = ask.json("USER.GETINFO", user=USER.upper())
    assert shout["user"]["name"] == USER


def test_weeks_turn_on_sunday_noon_and_charts_count_them(
    demo: LocalLastfm, ask: Any
) -> None:
    weeks = ask.json("user.getWeeklyChartList", user=USER)["weeklychartlist"]["chart"]
    assert len(weeks) >= 13
    start, end = int(weeks[-1]["from"]), int(weeks[-1]["to"])
    assert (start - 302_400) % 604_800 == 0 and end - start == 604_800
    chart = ask.json("user.getWeeklyArtistChart", user=USER, from_=start, to=end)
    rows = chart["weeklyartistchart"]["artist"]
    counted = Counter(s.artist_name for s in demo.truth(USER) if start <= s.uts < end)
    assert {row["name"]: int(row["playcount"]) for row in rows} == counted
    latest = ask.json("user.getWeeklyArtistChart", user=USER)
    assert latest == chart


def test_tops_by_period_count_the_last_days(demo: LocalLastfm, ask: Any) -> None:
    now = demo.world.now()
    rows = ask.json("user.getTopTracks", user=USER, period="7day", limit=1000)
    counted = Counter(
        (s.artist_name, s.track_name)
        for s in demo.truth(USER)
        if now - 7 * 86_400 < s.uts <= now
    )
    got = {
        (row["artist"]["name"], row["name"]): int(row["playcount"])
        for row in rows["toptracks"]["track"]
    }
    assert got == counted
    assert rows["toptracks"]["@attr"]["user"] == USER


def test_track_lengths_are_seconds_except_in_track_info(
    ask: Any, params: dict[str, str]
) -> None:
    info = ask.json("track.getInfo", **params)["track"]
    similar = ask.json("album.getInfo", **params)["album"]["tracks"]["track"]
    one = next(row for row in similar if row["name"] == info["name"])
    assert int(info["duration"]) == 1000 * int(one["duration"])
