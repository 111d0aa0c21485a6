"""Who is who: names with a plus, two pages under one key, corrections; from a server
to the marts, on a world that is made of the cases in the shared folder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from local_lastfm import LocalLastfm, api
from local_lastfm.catalogue import DAY_SECONDS, Artist, Track
from local_lastfm.world import World, day_number
from tests.daily_runs import SECOND_DAY, Daily, make_daily
from warehouse.names import name_key

LISTENERS_A_DAY = {"ABCDEF": 480, "ＡＢＣＤＥＦ": 6}


def artist_id(name: str) -> str:
    return hashlib.md5(name_key(name).encode()).hexdigest()


class CaseWorld(World):
    """The artists of the cases; nobody listens."""

    name = "cases"

    def __init__(self, sizes: dict[str, tuple[int, int]], hidden: set[str]) -> None:
        super().__init__(SECOND_DAY)
        self.sizes = sizes
        self.hidden = hidden
        for name in sizes:
            artist = Artist(len(self.artists), name, tags=(("case", 100),))
            self.artists.append(artist)
            self.artist_names[name.casefold()] = artist.index
            track = Track(len(self.tracks), f"Song of {name}", artist.index)
            self.tracks.append(track)
            artist.tracks.append(track.index)

    def chart_artists(self, now: int) -> list[int]:
        """In another order every day; the wrong page is on no chart."""
        shown = [a.index for a in self.artists if a.name not in self.hidden]
        return shown if now // DAY_SECONDS % 2 else shown[::-1]

    def artist_counters(self, index: int, now: int) -> tuple[int, int]:
        name = self.artists[index].name
        days = now // DAY_SECONDS - day_number(SECOND_DAY) + 10
        listeners, playcount = self.sizes[name]
        growth = LISTENERS_A_DAY.get(name, 50)
        return listeners + growth * days, playcount + 9 * growth * days

    def track_counters(self, index: int, now: int) -> tuple[int, int]:
        return self.artist_counters(self.tracks[index].artist, now)

    def similar_artists(self, artist: int, now: int) -> list[tuple[int, float]]:
        others = [a.index for a in self.artists if a.index != artist]
        return [(index, 1 - 0.1 * place) for place, index in enumerate(others)]


@pytest.fixture(scope="module")
def cases(shared_dir: Path) -> dict[str, Any]:
    folder = shared_dir / "cases"
    return {
        path.name[:2]: json.loads(path.read_text(encoding="utf-8"))
        for path in (
            folder / "01-plus-decoded-twice.json",
            folder / "02-one-key-two-pages.json",
        )
    }


@pytest.fixture(scope="module")
def world(cases: dict[str, Any]) -> CaseWorld:
    plus = cases["01"]["world"]["artists"]
    pages = cases["02"]["day_1"]["artists"]["artist"]
    sizes = {
        each["name"]: (int(each["listeners"]), int(each["playcount"]))
        for each in (*plus, *pages)
    }
    return CaseWorld(sizes, {each["name"] for each in plus if "note" in each})


@pytest.fixture(scope="module")
def daily(
    world: CaseWorld, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Daily]:
    """Three days: two missed ones, of which only the charts are asked, and a whole."""
    with LocalLastfm(world=world) as server:
        daily = make_daily(tmp_path_factory.mktemp("cases"), server.as_of_url, ())
        daily.run("daily", "--as-of", str(SECOND_DAY))
        yield daily


@pytest.fixture
def published(daily: Daily) -> Iterator[duckdb.DuckDBPyConnection]:
    with daily.open_published() as connection:
        yield connection


def test_the_local_lastfm_has_the_fault(
    world: CaseWorld, cases: dict[str, Any]
) -> None:
    request = dict(cases["01"]["request"])
    method, asked = request.pop("method"), request
    understood = api.decoded_again(method, asked)
    answer = api.answer(api.Call(world, method, understood, world.now()))
    assert answer["artist"]["name"] == cases["01"]["answer"]["artist"]["name"]
    right = api.answer(api.Call(world, method, asked, world.now()))
    assert right["artist"]["name"] == asked["artist"], "the control: decoded once"


@pytest.mark.parametrize("name", ["Anna + The Engine", "+55"])
def test_a_name_with_a_plus_has_its_own_counters_and_lists(
    published: duckdb.DuckDBPyConnection, world: CaseWorld, name: str
) -> None:
    key = [artist_id(name)]
    index = world.artist_names[name.casefold()]
    found = published.execute(
        "select listeners, playcount from marts.fct_artist_snapshots"
        f" where artist_id = ? and snapshot_date = date '{SECOND_DAY}'",
        key,
    ).fetchall()
    assert found == [world.artist_counters(index, world.as_of(SECOND_DAY))]
    tracks = published.execute(
        "select name from marts.artist_top_tracks where artist_id = ?", key
    ).fetchall()
    assert tracks == [(f"Song of {name}",)]
    similar = published.execute(
        "select count(*) from marts.artist_similar where artist_id = ?", key
    ).fetchall()
    assert similar[0][0] > 1


def test_no_alias_and_no_artist_comes_of_a_name_with_a_plus(
    published: duckdb.DuckDBPyConnection,
) -> None:
    aliases = "select * from marts.dim_artist_aliases"
    assert published.execute(aliases).fetchall() == []
    tracked = published.execute(
        "select artist_name from marts.dim_artists where is_tracked"
        " and artist_name like 'Anna%'"
    ).fetchall()
    assert tracked == [("Anna + The Engine",)]


def test_an_artist_of_two_pages_has_the_larger_one_s_counters_every_day(
    published: duckdb.DuckDBPyConnection, cases: dict[str, Any]
) -> None:
    first = int(cases["02"]["day_1"]["artists"]["artist"][0]["listeners"])
    found = published.execute(
        "select snapshot_date, listeners, new_listeners_per_day, listeners_correction"
        " from marts.fct_artist_snapshots where artist_id = ? order by snapshot_date",
        [artist_id("ABCDEF")],
    ).fetchall()
    days = [SECOND_DAY - timedelta(days=back) for back in (2, 1, 0)]
    expected = [first + 480 * number for number in (8, 9, 10)]
    assert [row[0] for row in found] == days
    assert [row[1] for row in found] == expected
    assert [row[2] for row in found[1:]] == [480.0, 480.0]
    assert all(row[3] is None for row in found)
    name = published.execute(
        "select artist_name from marts.dim_artists where artist_id = ?",
        [artist_id("ABCDEF")],
    ).fetchall()
    assert name == [("ABCDEF",)], "and the larger one's name"
