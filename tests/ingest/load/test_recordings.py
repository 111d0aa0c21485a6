"""Every recorded answer goes through landing and load, and nothing gets lost."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import pytest

from ingest.landing import Record
from ingest.lastfm.recipes import RECIPES, TABLES
from ingest.load.recipes import recipes_of
from tests.ingest.load.landing_files import Landing, Recording, answer, recordings

METHODS = {recipe.method for recipe in RECIPES}


def count_in_json(body: bytes, steps: str) -> int:
    (node,) = json.loads(body.decode("utf-8-sig")).values()
    for step in filter(None, steps.split("/")):
        node = node.get(step) if isinstance(node, dict) else None
    if node is None or isinstance(node, str):
        return 0
    return len(node) if isinstance(node, list) else 1


def count_in_xml(body: bytes, steps: str) -> int:
    return len(ET.fromstring(body).findall("/".join(filter(None, ("*", steps)))))


def expected_items(recording: Recording) -> Counter[str]:
    """Items by raw table, counted the slow way, where the recipes say they lie."""
    count = count_in_xml if recording.path.suffix == ".xml" else count_in_json
    found = Counter[str]()
    for recipe in recipes_of(recording.method):
        found[recipe.table] += count(recording.body, recipe.items)
    return found


def landed(recording: Recording) -> Record:
    """The recording as an answer to a call that names what older answers leave out."""
    name = "/".join(recording.path.parts[-2:])
    return answer(
        name,
        recording.method,
        recording.body,
        {
            "user": "asked",
            "artist": "Asked",
            "country": "Asked",
            "tag": "asked",
            "period": "overall",
        },
        status=recording.status,
    )


@pytest.fixture(scope="module")
def known(shared_dir: Path) -> list[Recording]:
    return [
        each
        for each in recordings(shared_dir)
        if each.parses and each.method in METHODS
    ]


@pytest.fixture(scope="module")
def loaded(known: list[Recording], tmp_path_factory: pytest.TempPathFactory) -> Landing:
    landing = Landing(tmp_path_factory.mktemp("recordings"))
    landing.write([landed(each) for each in known])
    landing.load()
    return landing


def test_every_item_of_every_recording_is_one_row_or_one_dead_letter(
    known: list[Recording], loaded: Landing
) -> None:
    tables = {recipe.table for recipe in RECIPES}
    found = Counter[tuple[str, str]]()
    for table in sorted(tables):
        for call_id, rows in loaded.rows(
            f"select call_id, count(*) from raw.{table} group by all"
        ):
            found[call_id, table] += rows
    for call_id, table, letters in loaded.rows(
        "select call_id, table_name, count(*) from raw.dead_letters group by all"
    ):
        found[call_id, table] += letters
    expected = Counter(
        {
            ("/".join(each.path.parts[-2:]), table): items
            for each in known
            for table, items in expected_items(each).items()
        }
    )
    assert +found == +expected
    assert sum(expected.values()) > 1_500
    # None of the recordings of a method we keep has an item that does not fit.
    assert loaded.dead_letters() == []


def test_every_answer_says_how_many_items_it_had(
    known: list[Recording], loaded: Landing
) -> None:
    found = dict(loaded.rows("select call_id, items from raw.lastfm__answers"))
    expected = {
        "/".join(each.path.parts[-2:]): sum(expected_items(each).values())
        for each in known
    }
    assert found == expected
    assert loaded.rows(
        "select count(*) from raw.lastfm__answers where items <> loaded + dead"
        " or outcome = 'error' or (outcome = 'empty') <> (items = 0)"
    ) == [(0,)]


def test_no_required_column_of_any_row_is_empty(loaded: Landing) -> None:
    for table in {recipe.table for recipe in RECIPES}:
        for column in TABLES[table].columns:
            if column.required and column.kind == "text":
                assert loaded.rows(
                    f"select count(*) from raw.{table} where \"{column.name}\" = ''"
                ) == [(0,)], (table, column.name)


@pytest.mark.parametrize(
    ("table", "columns", "call", "where", "expected"),
    [
        (
            "chart_top_artists",
            "position, artist_name, artist_mbid, listeners, playcount",
            "chart.getTopArtists/jrichocean+Elixirfm__chart_ok_top_artists_response.json",
            "item_index = 0",
            (
                1,
                "The Weeknd",
                "c8b03190-306c-4120-bb0b-6f2ebfc06ea9",
                1624995,
                127089375,
            ),
        ),
        (
            "geo_top_tracks",
            "country, position, track_name, artist_name, artist_mbid,"
            " duration_seconds, listeners",
            "geo.getTopTracks/pylast+pylast__test_geo_get_top_tracks__0.xml",
            "true",
            (
                "United Kingdom",
                1,
                "WHERE IS MY HUSBAND!",
                "RAYE",
                None,
                None,
                17143,
            ),
        ),
        (
            "artist_infos",
            "requested_name, artist_name, artist_mbid, listeners, playcount",
            "artist.getInfo/pylast+pylast__test_artist_mbid__0.xml",
            "true",
            (
                "Asked",
                "MusicBrainz Test Artist",
                "7e84f845-ac16-41fe-9ff8-df12eb32af55",
                89,
                252,
            ),
        ),
        (
            "artist_corrections",
            "requested_name, artist_name, artist_mbid",
            "artist.getCorrection/pylast+pylast__test_artist_get_correction__0.xml",
            "true",
            ("Asked", "Guns N' Roses", None),
        ),
        (
            "album_tracks",
            "album_name, artist_name, position, track_name, track_artist_name,"
            " duration_seconds",
            "album.getInfo/pylast+pylast__test_album_tracks__0.xml",
            "true",
            ("Test", "Test Artist", 1, "TEST", "Test Artist", 210),
        ),
        (
            "album_tags",
            "album_name, artist_name, position, tag_name",
            "album.getInfo/inflatablefriends+lastfm__AlbumGetInfoSuccess.json",
            "item_index = 0",
            ("Ray of Light", "Madonna", 1, "albums i own"),
        ),
        (
            "track_infos",
            "track_name, artist_name, album_name, duration_seconds, listeners,"
            " playcount",
            "track.getInfo/pylast+pylast__test_track_get_album__0.xml",
            "true",
            ("Lithium", "Nirvana", "Nevermind", 311, 2701887, 24119339),
        ),
        (
            "track_tags",
            "track_name, artist_name, position, tag_name",
            "track.getInfo/pylast+pylast__test_track_get_album__0.xml",
            "item_index = 0",
            ("Lithium", "Nirvana", 1, "Grunge"),
        ),
        (
            "user_infos",
            "listener_name, country, playcount, artists, tracks, albums,"
            " registered_uts",
            "user.getInfo/pylast+pylast__test_get_image__0.xml",
            "true",
            ("RJ", "United Kingdom", 149018, 12711, 56817, 26565, 1037793040),
        ),
        (
            "user_infos",
            "listener_name, country, playcount, artists, registered_uts",
            "user.getInfo/youpy+ruby-lastfm__user_get_info.xml",
            "true",
            ("RJ", "UK", 54189, None, 1037793040),
        ),
        (
            "user_recent_tracks",
            "listener_name, scrobbled_uts, is_now_playing, artist_name, artist_mbid,"
            " track_name, album_name",
            "user.getRecentTracks/inflatablefriends+lastfm__"
            "UserGetRecentTracksExtended.json",
            "true",
            (
                "asked",
                1530117136,
                False,
                "Republika",
                "116a9ec8-148e-4b3d-8fb9-3d995cc4159e",
                "Tak Dlugo Czekam (Cialo) (live)",
                "Koncerty w Trojce - Republika",
            ),
        ),
        (
            "user_recent_tracks",
            "listener_name, scrobbled_uts, is_now_playing, artist_name, track_name,"
            " album_name",
            "user.getRecentTracks/jammus+lastfm-to-sqlite__"
            "sample_recent_tracks_dump_with_nowplaying.json",
            "item_index = 0",
            ("jammus", None, True, "DJ Shadow", "Nobody Speak", None),
        ),
        (
            "user_recent_tracks",
            "scrobbled_uts, is_now_playing, artist_name, artist_mbid, track_name,"
            " album_name",
            "user.getRecentTracks/pylast+pylast__test_get_recent_tracks_from_to__0.xml",
            "item_index = 0",
            (
                None,
                True,
                "Crazy Frog",
                "3df914b9-e0bc-493c-875a-c412f84ecdad",
                "Axel F",
                "Crazy Frog Presents Crazy Hits",
            ),
        ),
        (
            "user_personal_tags",
            "listener_name, tag_name, tagging_type, item_name, artist_name, mbid",
            "user.getPersonalTags/pylast+pylast__test_user_tagged_tracks__1.xml",
            "true",
            (
                "REDACTED_USER",
                "tracktagola",
                "track",
                "Test Title",
                "Test Artist",
                None,
            ),
        ),
    ],
)
def test_a_recorded_value_arrives_as_it_was_answered(
    loaded: Landing,
    table: str,
    columns: str,
    call: str,
    where: str,
    expected: tuple[object, ...],
) -> None:
    found = loaded.rows(
        f"select {columns} from raw.lastfm__{table}"
        f" where call_id = '{call}' and {where}"
    )
    assert found == [expected]


def test_the_tracks_a_listener_heard_come_with_their_lengths(loaded: Landing) -> None:
    heard = loaded.table("lastfm__user_top_tracks", "track_name", "duration_seconds")
    assert heard[0] == ("Sultans of Swing", 798)


def test_a_column_that_raw_lacks_is_added_and_is_null_in_old_rows(
    tmp_path: Path,
) -> None:
    landing = Landing(tmp_path)
    tracks = [{"name": "x", "artist": {"name": "A"}, "playcount": 1, "duration": 7}]
    body = {"toptracks": {"track": tracks, "@attr": {"user": "ana"}}}
    landing.write([answer("a", "user.getTopTracks", body)])
    landing.load()
    landing.rows("alter table raw.lastfm__user_top_tracks drop column duration_seconds")
    landing.write([answer("b", "user.getTopTracks", body)], "run-2")
    landing.load("run-2")
    lengths = landing.table("lastfm__user_top_tracks", "call_id", "duration_seconds")
    assert lengths == [("a", None), ("b", 7)]


def test_recorded_errors_never_become_rows(shared_dir: Path, tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    errors = [each for each in recordings(shared_dir) if each.method == "errors"]
    landing.write(
        [
            answer(each.path.name, "user.getTopArtists", each.body, status=each.status)
            for each in errors
        ]
    )
    result = landing.load()
    assert (result.rows, result.dead, result.errors) == (0, 0, len(errors))
    found = landing.rows(
        "select outcome, error_code, error_message is null, count(*)"
        " from raw.lastfm__answers group by all order by all"
    )
    assert found == [
        ("error", 4, False, 2),
        ("error", 6, False, 20),
        ("error", 10, False, 1),
    ]


def test_recordings_of_methods_without_a_recipe_are_kept_as_dead_letters(
    shared_dir: Path, tmp_path: Path
) -> None:
    landing = Landing(tmp_path)
    others = [
        each
        for each in recordings(shared_dir)
        if each.method not in METHODS and each.method != "errors"
    ]
    landing.write([landed(each) for each in others])
    result = landing.load()
    assert (result.items, result.rows, result.dead) == (len(others), 0, len(others))
    found = landing.rows("select distinct error from raw.dead_letters order by 1")
    # The unbound prefix of the XML searches and a comma too many do not stop us.
    assert found == [("there is no recipe for this method",)]
