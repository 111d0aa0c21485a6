"""The answers are right: each is counted again from the plays in plain Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from flask import Flask
from flask.testing import FlaskClient

from serve import visibility
from serve.app import create_app
from serve.queries import covers
from tests.serve.conftest import close, make_settings, shared
from tests.serve.marts import World, key, publish, version_path, write_postgres

ARTIST = key("Artist 00")


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def app(
    request: pytest.FixtureRequest,
    world: World,
    marts_file: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Flask]:
    """The same world behind both engines."""
    with served(request, request.param, world, marts_file, tmp_path_factory) as made:
        yield made


@contextmanager
def served(
    request: pytest.FixtureRequest,
    engine: str,
    world: World,
    marts_file: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Flask]:
    """A service on the world in one engine."""
    folder = tmp_path_factory.mktemp("questions")
    warehouse: dict[str, Any] = {}
    server = url = None
    if engine == "postgres":
        server = request.getfixturevalue("postgres_server")
        url = server.new_database()
        write_postgres(world, url)
        warehouse["warehouse_url"] = url
    else:
        path = version_path(folder, "20260314-000001")
        path.parent.mkdir(parents=True)
        path.symlink_to(marts_file)
        publish(folder, "20260314-000001", world.as_of)
    made = create_app(
        make_settings(folder, public_panel=True, warehouse=warehouse), parts=()
    )
    yield made
    close(made)
    if server is not None:
        server.drop_database(url)


@pytest.fixture
def ask(app: Flask) -> Any:
    """Asks one route and gives the body."""
    client: FlaskClient = app.test_client()

    def asked(path: str, **query: Any) -> Any:
        response = client.get(
            path,
            query_string={name.rstrip("_"): value for name, value in query.items()},
        )
        assert response.status_code == 200, response.text
        return response.get_json()

    return asked


def counted(world: World) -> list[dict[str, Any]]:
    """The plays that count."""
    return [play for play in world["fct_scrobbles"] if not play["is_flagged"]]


def told(plays: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of plays that pass a filter those of days on which enough listeners have one."""
    on_day: dict[date, set[str]] = {}
    for play in plays:
        on_day.setdefault(play["scrobbled_date"], set()).add(play["listener_id"])
    return [play for play in plays if len(on_day[play["scrobbled_date"]]) >= 5]


def within(world: World, first: date, last: date) -> list[dict[str, Any]]:
    """The plays of some days that count."""
    return [play for play in counted(world) if first <= play["scrobbled_date"] <= last]


def test_every_body_carries_version_and_as_of(ask: Any) -> None:
    for path in ("/api/v1/charts", f"/api/v1/artists/{ARTIST}", "/api/v1/tags"):
        body = ask(path)
        assert body["version"] == "20260314-000001"
        assert body["as_of"] == "2026-03-14"


def test_totals_of_any_days_are_those_of_the_plays(ask: Any, world: World) -> None:
    first, last = date(2026, 1, 5), date(2026, 2, 17)
    body = ask("/api/v1/insights/totals", from_=first, to=last)
    plays = within(world, first, last)
    assert body["data"]["scrobbles"] == len(plays)
    assert body["data"]["artists"] == len({play["artist_id"] for play in plays})
    assert body["data"]["listeners"] == len({play["listener_id"] for play in plays})
    assert body["from"] == first.isoformat()


def test_one_switch_counts_every_play_again(ask: Any, world: World) -> None:
    """The control of all that leave flagged days out."""
    plays = world["fct_scrobbles"]
    every, clean = len(plays), len(counted(world))
    assert every > clean
    for query, wanted in (({}, clean), ({"counted": "all"}, every)):
        total = ask("/api/v1/insights/totals", **query)["data"]
        assert total["scrobbles"] == wanted
        assert total["scrobbles_all"] == every
        assert total["scrobbles_flagged"] == every - clean
        days = ask("/api/v1/insights/totals", from_=date(2003, 1, 1), **query)["data"]
        assert days == total
        for path in ("trends/year", "trends/calendar", "trends/hour"):
            year = {"year": world.as_of.year} if path.endswith("calendar") else {}
            rows = ask(f"/api/v1/{path}", **query, **year)["data"]
            inside = [
                play
                for play in (plays if query else counted(world))
                if not year or play["scrobbled_date"].year == world.as_of.year
            ]
            column = "value" if path.endswith("year") else "scrobbles"
            assert sum(row[column] or 0 for row in rows) == len(inside), path
        ranked = ask("/api/v1/rankings/listeners", limit=100, **query)["data"]
        assert sum(row["scrobbles"] for row in ranked) == wanted
        top = ask("/api/v1/insights/top/artists", limit=1000, **query)["data"]
        assert sum(row["scrobbles_counted"] for row in top) == wanted
        assert sum(row["scrobbles"] for row in top) == every


def test_the_word_week_is_the_last_whole_week(ask: Any, world: World) -> None:
    body = ask("/api/v1/insights/totals", range="week")
    plays = within(world, date(2026, 3, 2), date(2026, 3, 8))
    assert body["data"]["scrobbles"] == len(plays)
    running = ask("/api/v1/insights/totals", range="this_week")
    assert running["data"]["scrobbles"] == len(
        within(world, date(2026, 3, 9), world.as_of)
    )


def test_totals_of_a_country_count_its_listeners_only(
    ask: Any, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = ask("/api/v1/insights/totals", country="norway")
    assert body["data"]["scrobbles"] == 0 and body["least_listeners"] == 5
    monkeypatch.setattr(visibility, "LEAST_LISTENERS", 1)
    body = ask("/api/v1/insights/totals", country="Norway")
    wanted = [play for play in counted(world) if play["listener_id"] < "c"]
    assert body["data"]["scrobbles"] == len(wanted) > 0


def test_top_artists_of_any_days_are_those_of_the_plays(ask: Any, world: World) -> None:
    first, last = date(2025, 12, 1), date(2026, 1, 31)
    body = ask("/api/v1/insights/top/artists", from_=first, to=last, limit=1000)
    plays = within(world, first, last)
    wanted = Counter(play["artist_id"] for play in plays)
    assert {r["entity_id"]: r["scrobbles_counted"] for r in body["data"]} == wanted
    assert sum(row["share_pct"] for row in body["data"]) == pytest.approx(100)
    ranks = [row["rank"] for row in body["data"]]
    assert ranks == sorted(ranks)


def test_the_mart_and_the_plays_give_the_same_top_list(ask: Any) -> None:
    by_word = ask("/api/v1/insights/top/artists", range="month", limit=1000)
    by_days = ask(
        "/api/v1/insights/top/artists", from_="2026-02-01", to="2026-02-28", limit=1000
    )
    assert by_word["data"] == by_days["data"]


def test_a_featured_artists_plays_count_for_the_primary_one(
    ask: Any, world: World
) -> None:
    body = ask("/api/v1/insights/top/primary_artists", limit=1000)
    found = {row["entity_name"]: row["scrobbles"] for row in body["data"]}
    both = {ARTIST, key("Artist 00 feat. Artist 01")}
    wanted = sum(play["artist_id"] in both for play in world["fct_scrobbles"])
    assert found["Artist 00"] == wanted
    assert "Artist 00 feat. Artist 01" not in found


def test_active_listeners_of_a_window_are_counted_exactly(
    ask: Any, world: World
) -> None:
    first, last = date(2026, 3, 10), date(2026, 3, 11)
    body = ask("/api/v1/trends/active-listeners", tag=key("rock"))
    tagged = {
        row["artist_id"] for row in world["artist_tags"] if row["tag_id"] == key("rock")
    }
    plays = [play for play in counted(world) if play["artist_id"] in tagged]
    wanted = {play["listener_id"] for play in told(plays)}
    assert body["data"]["active_listeners"] == len(wanted) > 0
    assert body["data"]["scrobbles"] == len(told(plays)) < len(plays)
    everyone = ask("/api/v1/trends/active-listeners", from_=first, to=last)
    assert everyone["data"]["active_listeners"] == len(
        {play["listener_id"] for play in within(world, first, last)}
    )


def test_a_filtered_trend_is_zero_filled_and_sums_to_the_plays(
    ask: Any, world: World
) -> None:
    tagged = {
        row["artist_id"] for row in world["artist_tags"] if row["tag_id"] == key("rock")
    }
    body = ask("/api/v1/trends/week", tag=key("rock"))
    weeks = [date.fromisoformat(row["period_start"]) for row in body["data"]]
    assert weeks == [weeks[0] + timedelta(weeks=n) for n in range(len(weeks))]
    wanted = told([play for play in counted(world) if play["artist_id"] in tagged])
    assert sum(row["value"] for row in body["data"]) == len(wanted)
    assert 0.0 in [row["value"] for row in body["data"]]


def test_a_range_that_cuts_a_period_counts_its_days_only(
    ask: Any, world: World
) -> None:
    first, last = date(2026, 1, 5), date(2026, 2, 17)
    plays = within(world, first, last)
    for grain in ("day", "week", "month", "year"):
        rows = ask(f"/api/v1/trends/{grain}", from_=first, to=last)["data"]
        assert sum(row["value"] for row in rows) == len(plays), grain


def test_whole_periods_from_the_mart_are_those_of_the_plays(
    ask: Any, world: World
) -> None:
    first, last = date(2026, 1, 1), date(2026, 2, 28)
    rows = ask("/api/v1/trends/month", from_=first, to=last)["data"]
    assert len(rows) == 2
    assert sum(row["value"] for row in rows) == len(within(world, first, last))


def test_weekdays_and_hours_add_up_to_all_plays(ask: Any, world: World) -> None:
    for path in ("weekday", "hour", "week-hours"):
        for query in ({}, {"tag": key("rock")}):
            rows = ask(f"/api/v1/trends/{path}", **query)["data"]
            tagged = {
                row["artist_id"]
                for row in world["artist_tags"]
                if not query or row["tag_id"] == query["tag"]
            }
            plays = [play for play in counted(world) if play["artist_id"] in tagged]
            wanted = told(plays) if query else plays
            assert sum(row["scrobbles"] for row in rows) == len(wanted)


def test_the_calendar_has_every_day_of_the_year(ask: Any, world: World) -> None:
    rows = ask("/api/v1/trends/calendar", year=2025)["data"]
    assert len(rows) == 365
    plays = within(world, date(2025, 1, 1), date(2025, 12, 31))
    assert sum(row["scrobbles"] for row in rows) == len(plays)
    assert rows[0]["week"] == 0 and rows[-1]["week"] == 52


@pytest.mark.parametrize(
    ("name", "item_id"),
    [
        ("tags", "tag_id"),
        ("similar", "artist_id"),
        ("tracks", "track_id"),
        ("albums", "album_id"),
    ],
)
def test_a_list_of_a_past_day_is_the_one_that_held_then(
    ask: Any, client: FlaskClient, world: World, name: str, item_id: str
) -> None:
    path = f"/api/v1/artists/{ARTIST}/{name}"
    held = {
        row["valid_to_date"]: row["item_id"]
        for row in world["artist_list_history"]
        if (row["artist_id"], row["list_name"]) == (ARTIST, name)
    }
    since = world.as_of - timedelta(days=30)
    assert held[None] != held[since]
    for on, expected in (
        (since - timedelta(days=1), held[since]),
        (since, held[None]),
        (world.as_of, held[None]),
    ):
        rows = ask(path, on=on)["data"]
        assert [(row["rank"], row[item_id]) for row in rows] == [(1, expected)], on
        # Nothing of today stands under a past day.
        assert rows[0].get("playcount") is None and rows[0].get("scrobbles") is None
    assert rows[0].keys() == ask(path)["data"][0].keys()
    first = min(row["valid_from_date"] for row in world["artist_list_history"])
    early = client.get(path, query_string={"on": str(first - timedelta(days=1))})
    assert early.status_code == 404 and str(first) in early.get_json()["detail"]
    late = client.get(path, query_string={"on": str(world.as_of + timedelta(days=1))})
    assert late.status_code == 404 and str(world.as_of) in late.get_json()["detail"]
    assert not ask(path, on=world.as_of, offset=5)["data"]


def test_mbids_are_listed_with_their_days(ask: Any, world: World) -> None:
    rows = ask(f"/api/v1/artists/{ARTIST}/mbids")["data"]
    assert [(row["mbid"], row["valid_to_date"]) for row in rows] == [
        ("new", None),
        ("old", str(world.as_of - timedelta(days=30))),
    ]


def test_a_series_marks_the_days_without_a_snapshot(ask: Any) -> None:
    rows = ask(f"/api/v1/artists/{ARTIST}/series", measure="listeners", limit=120)[
        "data"
    ]
    days = [date.fromisoformat(row["day"]) for row in rows]
    assert days == [days[0] + timedelta(days=n) for n in range(len(days))]
    gaps = [row for row in rows if row["is_gap"]]
    assert len(gaps) in (4, 5, 6) and all(row["value"] is None for row in gaps)


def test_a_series_turned_into_columns_holds_the_same(ask: Any) -> None:
    rows = ask(f"/api/v1/artists/{ARTIST}/series", limit=30)
    turned = ask(f"/api/v1/artists/{ARTIST}/series", limit=30, shape="columns")
    for name in ("day", "value", "is_gap"):
        assert turned["data"][name] == [row[name] for row in rows["data"]]
    assert len(turned["data"]["day"]) == 30


def test_following_next_of_a_series_gives_every_day_once(app: Flask, ask: Any) -> None:
    address = f"/api/v1/artists/{ARTIST}/series?limit=150"
    days: list[str] = []
    while address is not None:
        body = app.test_client().get(address).get_json()
        days = [row["day"] for row in body["data"]] + days
        address = body["next"]
    assert days == sorted(set(days)) and len(days) == 500


def test_panel_plays_as_a_series_have_zeros_not_gaps(ask: Any, world: World) -> None:
    rows = ask(
        f"/api/v1/artists/{ARTIST}/series", measure="panel_scrobbles", limit=3660
    )["data"]
    wanted = sum(play["artist_id"] == ARTIST for play in counted(world))
    assert sum(row["value"] for row in rows) == wanted
    assert not any(row["is_gap"] for row in rows)
    assert rows[-1]["day"] == world.as_of.isoformat()


def test_up_to_five_artists_are_compared(ask: Any, app: Flask) -> None:
    keys = [key(f"Artist {number:02}") for number in range(5)]
    rows = ask("/api/v1/artists/compare", artists=",".join(keys), measure="score")[
        "data"
    ]
    assert {row["artist_id"] for row in rows} == set(keys)
    six = ",".join([*keys, key("Artist 07")])
    refused = app.test_client().get(f"/api/v1/artists/compare?artists={six}")
    assert refused.status_code == 422
    one_unknown = f"{keys[0]},{'0' * 32}"
    missing = app.test_client().get(f"/api/v1/artists/compare?artists={one_unknown}")
    assert missing.status_code == 404 and "0" * 32 in missing.get_json()["detail"]


def test_search_finds_exact_names_before_parts(ask: Any) -> None:
    rows = ask("/api/v1/artists", q="ARTIST 00")["data"]
    assert [row["artist_name"] for row in rows] == [
        "Artist 00",
        "Artist 00 feat. Artist 01",
    ]
    assert ask("/api/v1/artists", q="100%_S")["data"][0]["artist_name"] == "100%_sure!"
    assert ask("/api/v1/artists", q="zzz")["data"] == []


def test_completion_and_correction_know_case_and_aliases(ask: Any) -> None:
    names = [
        row["artist_name"] for row in ask("/api/v1/artists/completion", q="BJÖ")["data"]
    ]
    assert names == ["Björk 🎧"]
    corrected = ask("/api/v1/artists/correction", name="  artist   ZERO ")["data"]
    assert corrected == {
        "artist_id": ARTIST,
        "artist_name": "Artist 00",
        "is_alias": True,
    }
    own = ask("/api/v1/artists/correction", name="artist 00")["data"]
    assert own["is_alias"] is False


def test_one_artist_has_counters_value_tags_and_ranks(ask: Any) -> None:
    artist = ask(f"/api/v1/artists/{key('artist zero')}")["data"]
    assert artist["artist_id"] == ARTIST
    assert artist["aliases"] == ["Artist Zero"]
    assert artist["value"]["trend_words"] == "no clear trend"
    assert artist["flow"]["plays_per_day"] > 0
    assert artist["tags"][0]["weight"] > 0
    assert {rank["chart"] for rank in artist["ranks"]} >= {"panel_artists"}
    assert artist["top_listeners"][0]["rank"] == 1


def test_the_last_issue_of_a_chart_is_whole_and_ordered(ask: Any) -> None:
    body = ask("/api/v1/charts/panel_artists", limit=1000)
    assert body["issue_date"] == "2026-03-09" and body["period"] == "week"
    assert [row["rank"] for row in body["data"]] == list(range(1, 21))
    below = ask("/api/v1/charts/panel_artists", bubbling_under="true")
    assert [row["rank"] for row in below["data"]] == list(range(21, 32))


def test_an_older_issue_is_found_by_any_of_its_days(ask: Any) -> None:
    body = ask("/api/v1/charts/panel_artists", issue="2026-02-12")
    assert body["issue_date"] == "2026-02-09"


def test_a_chart_is_shown_as_a_revision_or_a_version_had_it(
    ask: Any, app: Flask
) -> None:
    path, week = "/api/v1/charts/panel_artists", "2026-02-16"
    now = ask(path, issue=week)
    before = ask(path, issue=week, revision=1)
    assert (now["revision"], before["revision"]) == (2, 1)
    names = [[row["entity_name"] for row in body["data"][:3]] for body in (now, before)]
    assert names[0] != names[1] == [names[0][1], names[0][0], names[0][2]]
    # Versions of no change show what the one before them had.
    for version, revision in (
        ("20260301-000001", 1),
        ("20260312-000001", 1),
        ("20260313-000002", 2),
        ("20260314-000009", 2),
    ):
        body = ask(path, issue=week, as_of=version)
        assert body["revision"] == revision
        assert body["data"] == (now, before)[revision == 1]["data"]
    for wrong in ({"revision": 3}, {"as_of": "20260228-000001"}):
        asked = {"issue": week, **wrong}
        assert app.test_client().get(path, query_string=asked).status_code == 404
    malformed = app.test_client().get(path, query_string={"as_of": "yesterday"})
    assert malformed.status_code == 422
    listed = ask(f"{path}/revisions", issue=week)["data"]
    assert [(row["revision"], row["published_in"]) for row in listed] == [
        (2, "20260313-000002"),
        (1, "20260301-000001"),
    ]


def test_an_issue_says_whether_it_is_final_and_every_answer_through_when(
    ask: Any,
) -> None:
    body = ask("/api/v1/charts/panel_artists", issue="2026-03-02")
    assert (body["status"], body["final_through"]) == ("final", "2026-03-12")
    day = ask("/api/v1/charts/country_artists", scope="Japan")
    assert (day["issue_date"], day["status"]) == ("2026-03-14", "provisional")
    for path in ("/api/v1/tags", f"/api/v1/artists/{ARTIST}"):
        assert ask(path)["final_through"] == "2026-03-12"


def test_restatements_name_no_listener(ask: Any) -> None:
    rows = ask("/api/v1/restatements")["data"]
    assert [row["subject"] for row in rows] == ["came_late", "renamed"]
    late, renamed = rows
    # Of two listeners only: their plays of the day are nobody's business.
    assert (late["listeners"], late["plays"]) == (None, None)
    assert (late["old_value"], late["new_value"]) == (None, None)
    assert late["entity_id"] is None and late["entity_name"] is None
    assert renamed["entity_type"] == "artist"
    assert ask("/api/v1/restatements", subject="went")["data"] == []
    assert len(ask("/api/v1/restatements", from_="2026-02-16")["data"]) == 1


def test_a_chart_is_ranked_anew_by_a_measure_with_shared_places(ask: Any) -> None:
    rows = ask("/api/v1/charts/panel_artists", by="listeners", limit=1000)["data"]
    assert [row["listeners"] for row in rows] == sorted(
        (row["listeners"] for row in rows), reverse=True
    )
    ties = Counter(row["listeners"] for row in rows)
    assert len({row["rank"] for row in rows}) == len(ties)


def test_a_country_chart_needs_its_scope(ask: Any, app: Flask) -> None:
    assert len(ask("/api/v1/charts/country_artists", scope="Japan")["data"]) == 10
    missing = app.test_client().get("/api/v1/charts/country_artists")
    assert missing.status_code == 404
    assert missing.get_json()["code"] == "not_found"


def test_the_run_of_an_artist_has_one_row_per_issue(ask: Any, world: World) -> None:
    rows = ask(f"/api/v1/charts/panel_artists/runs/{ARTIST}", limit=1000)["data"]
    assert len(rows) == 61
    assert [row["issue_date"] for row in rows] == sorted(
        (row["issue_date"] for row in rows), reverse=True
    )


def test_year_over_year_puts_the_issue_of_a_year_before_beside(
    ask: Any, world: World
) -> None:
    rows = ask("/api/v1/charts/panel_artists/years", limit=1000)["data"]
    earlier = {
        row["entity_id"]: row["rank"]
        for row in world["fct_chart_positions"]
        if row["chart"] == "panel_artists" and row["issue_date"] == date(2025, 3, 3)
    }
    assert {row["entity_id"]: row["year_ago_rank"] for row in rows} == {
        row["entity_id"]: earlier[row["entity_id"]] for row in rows
    }


def test_the_feed_is_well_formed_and_holds_the_changes(app: Flask) -> None:
    response = app.test_client().get("/api/v1/charts/panel_artists/feed.atom?issues=60")
    assert response.mimetype == "application/atom+xml"
    feed = ElementTree.fromstring(response.data)
    space = "{http://www.w3.org/2005/Atom}"
    titles = [node.text for node in feed.iter(f"{space}title")]
    assert len(titles) > 60
    assert any("is new at" in (title or "") for title in titles)
    ids = [node.text for node in feed.iter(f"{space}id")]
    assert len(ids) == len(set(ids))


def test_listeners_are_ranked_by_any_measure_and_year(ask: Any, world: World) -> None:
    rows = ask("/api/v1/rankings/listeners", year=2025, sort="scrobbles")["data"]
    plays = within(world, date(2025, 1, 1), date(2025, 12, 31))
    wanted = Counter(play["listener_id"] for play in plays)
    assert [(r["listener_id"], r["scrobbles"]) for r in rows] == wanted.most_common()
    upwards = ask("/api/v1/rankings/listeners", direction="ascending")["data"]
    assert upwards[0]["rank"] == 1
    assert upwards[0]["scrobbles"] == min(row["scrobbles"] for row in upwards)


def test_pairs_are_named_once_and_the_largest_has_intensity_one(ask: Any) -> None:
    rows = ask("/api/v1/rankings/pairs", limit=1000)["data"]
    assert len(rows) == 15
    assert all(row["listener_id"] < row["neighbour_id"] for row in rows)
    assert max(row["intensity"] for row in rows) == 1.0
    affinities = [row["affinity"] for row in rows]
    assert affinities == sorted(affinities, reverse=True)


def test_tags_lead_to_artists_and_tracks(ask: Any, world: World) -> None:
    tag = ask("/api/v1/tags", q="ro")["data"][0]
    artists = ask(f"/api/v1/tags/{tag['tag_id']}/artists")["data"]
    wanted = {r["artist_id"] for r in world["artist_tags"] if r["tag_name"] == "rock"}
    assert {row["artist_id"] for row in artists} == wanted
    tracks = ask(f"/api/v1/tags/{tag['tag_id']}/tracks")["data"]
    assert {row["artist_id"] for row in tracks} <= wanted
    assert ask(f"/api/v1/artists/{artists[0]['artist_id']}/tracks")["data"]


def test_a_listeners_development_has_every_year(ask: Any, world: World) -> None:
    rows = ask("/api/v1/listeners/Anna/development")["data"]
    assert [row["year"] for row in rows] == [2024, 2025, 2026]
    mine = [p for p in world["fct_scrobbles"] if p["listener_id"] == "anna"]
    assert sum(row["scrobbles"] for row in rows) == len(mine)
    assert sum(row["new_artists"] for row in rows) == len(
        {p["artist_id"] for p in mine}
    )


def test_following_next_of_a_list_gives_every_row_once(app: Flask) -> None:
    client = app.test_client()
    address = "/api/v1/artists?limit=7&sort=name"
    names: list[str] = []
    while address is not None:
        body = client.get(address).get_json()
        names += [row["artist_id"] for row in body["data"]]
        address = body["next"]
    assert len(names) == len(set(names)) == 31


@pytest.mark.parametrize(
    ("path", "code", "status"),
    [
        (f"/api/v1/artists/{'0' * 32}", "not_found", 404),
        (f"/api/v1/artists/{'0' * 32}/tags", "not_found", 404),
        (f"/api/v1/artists/{'0' * 32}/tags?on=2026-01-01", "not_found", 404),
        (f"/api/v1/artists/{ARTIST}/tags?on=yesterday", "invalid_parameter", 422),
        (f"/api/v1/tags/{'0' * 32}/artists", "not_found", 404),
        ("/api/v1/artists/correction?name=nobody", "not_found", 404),
        # A private listener's answer, too: nobody learns who is on the panel.
        ("/api/v1/listeners/nobody", "unauthenticated", 401),
        ("/api/v1/charts/secret", "invalid_parameter", 422),
        ("/api/v1/charts?limit=0", "invalid_parameter", 422),
        ("/api/v1/charts?limit=1001", "invalid_parameter", 422),
        ("/api/v1/charts?limit=5&limit=6", "invalid_parameter", 422),
        ("/api/v1/charts?colour=red", "unknown_parameter", 422),
        ("/api/v1/insights/totals?from=2026-02-02&to=2026-01-01", "invalid_range", 400),
        ("/api/v1/insights/totals?range=week&to=2026-01-01", "invalid_range", 400),
        (f"/api/v1/artists/{ARTIST}.csv", "format_not_available", 404),
        ("/api/v1/nothing", "not_found", 404),
    ],
)
def test_what_cannot_be_answered_is_a_problem_with_a_code(
    app: Flask, path: str, code: str, status: int
) -> None:
    response = app.test_client().get(path)
    assert response.status_code == status, response.text
    assert response.mimetype == "application/problem+json"
    body = response.get_json()
    assert body["code"] == code and body["status"] == status
    meaning = app.test_client().get(body["type"]).get_json()
    assert meaning["data"]["title"] == body["title"]


def test_both_engines_give_the_same_bytes(
    request: pytest.FixtureRequest,
    world: World,
    marts_file: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    given = (world, marts_file, tmp_path_factory)
    with (
        served(request, "duckdb", *given) as one,
        served(request, "postgres", *given) as other,
    ):
        for path in PATHS:
            answer = one.test_client().get(path)
            assert answer.status_code == 200, path
            assert answer.data == other.test_client().get(path).data, path


PATHS = [
    *(
        f"/api/v1/artists/{ARTIST}/{name}?on=2026-01-01"
        for name in ("tags", "similar", "tracks", "albums")
    ),
    f"/api/v1/artists/{ARTIST}/mbids",
    "/api/v1/charts",
    "/api/v1/charts/panel_artists?by=minutes",
    "/api/v1/charts/panel_artists/years",
    f"/api/v1/artists/{ARTIST}",
    "/api/v1/artists?q=art&sort=score",
    "/api/v1/artists.csv?sort=value",
    f"/api/v1/artists/{ARTIST}/series.ndjson?measure=value",
    "/api/v1/insights/top/tracks?range=year&by=minutes",
    "/api/v1/insights/top/tags?from=2026-01-01",
    "/api/v1/rankings/listeners?sort=scrobbles_per_day",
    "/api/v1/rankings/pairs.csv",
    "/api/v1/trends/month?statistic=minutes",
    "/api/v1/trends/year?country=Japan&statistic=tracks",
]


def test_an_artists_anomalies_say_what_was_set_aside_and_why(ask: Any) -> None:
    path = f"/api/v1/artists/{key('Artist 00')}/anomalies"
    rows = ask(path)["data"]
    assert [(row["kind"], row["playcount_change"]) for row in rows] == [("merge", 9000)]
    assert rows[0]["other_artist_name"] == "<b>Artist</b>"


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ("count=5", "did you mean limit?"),
        ("limt=5", "did you mean limit?"),
        ("page=2", "did you mean offset?"),
        ("zzz=1", "not known; there are "),
    ],
)
def test_a_parameter_that_is_not_known_is_told_with_what_may_be_meant(
    client: FlaskClient, query: str, hint: str
) -> None:
    body = client.get(f"/api/v1/artists?{query}").get_json()
    assert body["code"] == "unknown_parameter"
    (refused,) = body["errors"]
    assert refused["name"] == query.partition("=")[0]
    assert refused["message"].startswith(hint)
    assert (hint in body["detail"]) == hint.endswith("?")
    # The control: a route without the parameter meant does not name it.
    nothing = client.get(f"/api/v1/freshness?{query}").get_json()
    assert nothing["errors"][0]["message"] == "not known; there are none here"


def test_covers_are_those_of_the_published_albums(app: Flask, world: World) -> None:
    albums = {row["album_id"]: row for row in world["dim_albums"]}
    expected = {
        album_id: row["cover_id"]
        for album_id, row in albums.items()
        if row.get("cover_id") is not None
    }
    assert 0 < len(expected) < len(albums)
    with shared(app).store.read() as reader:
        assert covers.are_kept(reader)
        assert covers.of_albums(reader, [*albums, "nobody's"]) == expected
        assert covers.of_albums(reader, []) == {}
        for album_id, row in albums.items():
            found = covers.of_artist(reader, row["artist_id"])
            assert found == expected.get(album_id)
        assert covers.is_published(reader, next(iter(expected.values())))
        assert not covers.is_published(reader, "0" * 32)
