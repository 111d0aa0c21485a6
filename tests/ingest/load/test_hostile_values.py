"""What does not fit goes to the dead letters, alone, with the place and the reason."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingest.load import item_sql, parse, promote
from tests.ingest.load.landing_files import (
    DAY,
    Landing,
    answer,
    scrobble,
    scrobbles,
)
from warehouse.errors import LoadFailed

RECENT = "user.getRecentTracks"
CHART = "chart.getTopArtists"


def artist(**changes: object) -> dict[str, Any]:
    return {
        "name": "Low",
        "mbid": "",
        "listeners": "12",
        "playcount": "34",
    } | changes


def unpackable(length: int) -> str:
    """A text that PostgreSQL cannot make shorter: what repeats hides its bounds."""
    digits = (hashlib.sha512(b"%d" % n).hexdigest() for n in range(length // 128 + 1))
    return "".join(digits)[:length]


def chart(*artists: object) -> dict[str, Any]:
    attributes = {"page": "1", "perPage": "50", "totalPages": "9", "total": "450"}
    return {"artists": {"artist": list(artists), "@attr": attributes}}


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path)


MISFITS: list[tuple[dict[str, object], str, str]] = [
    ({"listeners": "N/A"}, "listeners", "is no whole number: N/A"),
    ({"listeners": str(2**63)}, "listeners", f"is out of range: {2**63}"),
    ({"listeners": 2**63}, "listeners", f"is out of range: {2**63}"),
    ({"playcount": "1.5"}, "playcount", "is no whole number: 1.5"),
    ({"playcount": "1e3"}, "playcount", "is no whole number: 1e3"),
    ({"playcount": "0x1f"}, "playcount", "is no whole number: 0x1f"),
    ({"playcount": "1_000"}, "playcount", "is no whole number: 1_000"),
    ({"playcount": float("nan")}, "playcount", "is no whole number: NaN"),
    ({"playcount": None}, "playcount", "is missing"),
    ({"playcount": ""}, "playcount", "is missing"),
    ({"playcount": "\n"}, "playcount", "is missing"),
    ({"playcount": {"#text": "1"}}, "playcount", "is object, not a number"),
    ({"name": ""}, "name", "is missing"),
    ({"name": None}, "name", "is missing"),
    ({"name": ["Low"]}, "name", "is array, not text"),
    ({"name": {"first": "Low"}}, "name", "is object, not text"),
    ({"name": True}, "name", "is boolean, not text"),
    ({"name": "Lo\x00w"}, "name", "holds the character U+0000"),
    ({"mbid": "\x00"}, "mbid", "holds the character U+0000"),
    ({"name": unpackable(2601)}, "name", "is longer than 2600 bytes"),
]


def test_one_value_that_does_not_fit_costs_one_item(landing: Landing) -> None:
    landing.write(
        [
            answer(f"c{number:02}", CHART, chart(artist(), artist(**changes), artist()))
            for number, (changes, _path, _error) in enumerate(MISFITS)
        ]
    )
    result = landing.load()
    many = len(MISFITS)
    assert (result.items, result.rows, result.dead) == (3 * many, 2 * many, many)
    assert landing.dead_letters() == [
        (f"artists/artist/1/{path}", error) for _changes, path, error in MISFITS
    ]
    kept = landing.rows(
        "select item, item_index, table_name from raw.dead_letters order by call_id"
    )
    for (item, index, table), (changes, _path, _error) in zip(
        kept, MISFITS, strict=True
    ):
        assert (index, table) == (1, "lastfm__chart_top_artists")
        assert str(json.loads(item)) == str(artist(**changes))


UNUSUAL: list[dict[str, object]] = [
    {"name": unpackable(2600)},
    {"name": "🧑‍🎤 \u202egnol yrev\u202c"},
    {"name": "<script>alert('x')</script>"},
    {"name": "'; drop table raw.loads; --"},
    {"name": "[unknown]"},
    {"name": "(null)"},
    {"name": "null"},
    {"name": "{}"},
    {"name": "[]"},
    {"name": "true"},
    {"name": " padded "},
    {"name": "\u0001\u0007\u001b"},
    {"name": "505"},
    {"name": 1979},
    {"playcount": 9223372036854775807},
    {"playcount": "9223372036854775807"},
    {"playcount": "-7"},
    {"listeners": " 12\n"},
    {"listeners": 12},
    {"mbid": None},
    {"mbid": {}},
    {"url": "\x00 and \\u0000 in a place nobody reads"},
]


def test_unusual_values_that_fit_arrive_unchanged(landing: Landing) -> None:
    landing.write(
        [
            answer(f"c{number:02}", CHART, chart(artist(**changes)))
            for number, changes in enumerate(UNUSUAL)
        ]
    )
    assert landing.load().dead == 0
    wanted: list[dict[str, Any]] = [artist(**changes) for changes in UNUSUAL]
    assert landing.table(
        "lastfm__chart_top_artists",
        "position",
        "artist_name",
        "artist_mbid",
        "listeners",
        "playcount",
    ) == [
        (1, str(each["name"]), None, int(each["listeners"]), int(each["playcount"]))
        for each in wanted
    ]


ODD_SCROBBLES: list[dict[str, object]] = [
    {"name": "[unknown]", "artist": {"#text": "[]"}},
    {"name": "[\x00]"},
    {"name": "{\x00"},
    {"name": ["unknown"]},
    {"name": unpackable(2600)},
    {"name": unpackable(5000)},
    {"name": "{}"},
    {"name": "[]"},
    {"name": "true"},
    {"name": 1979},
    {"name": " \u202e "},
    {"name": {"a": 1}},
    {"name": ""},
    {"name": "\x00"},
    {"artist": "Low"},
    {"artist": {"name": "Low", "mbid": "m"}},
    {"artist": {"#text": ""}},
    {"artist": None},
    {"artist": []},
    {"album": "Things We Lost"},
    {"album": {"#text": {"x": 1}}},
    {"album": {}},
    {"date": None},
    {"date": {}},
    {"date": {"uts": "0"}},
    {"date": {"uts": 0}},
    {"date": {"uts": "-5"}},
    {"date": {"uts": "+5"}},
    {"date": {"uts": "007"}},
    {"date": {"uts": str(2**63)}},
    {"date": {"uts": "soon"}},
    {"date": None, "@attr": {"nowplaying": "true"}},
    {"date": None, "@attr": {"nowplaying": True}},
    {"date": None, "@attr": {"nowplaying": "false"}},
    {"@attr": {"nowplaying": "true"}},
    {"loved": "1"},
]


def odd_pages() -> list[dict[str, Any]]:
    """Each oddity among plain scrobbles and alone, pages in order and out of it."""
    pages: list[dict[str, Any]] = [
        scrobbles([scrobble(4)], user="Bea"),
        scrobbles([scrobble(6), None, "Low", [], 7]),
    ]
    for changes in ODD_SCROBBLES:
        pages.append(scrobbles([scrobble(1), scrobble(2, **changes), scrobble(3)]))
        pages.append({"recenttracks": {"track": scrobble(5, **changes)}})
    return pages


def test_the_fast_reading_of_scrobbles_gives_what_the_careful_one_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for way in ("fast", "careful"):
        landing = Landing(tmp_path / way)
        landing.write(
            [
                answer(f"c{number:03}", RECENT, page, {"user": "asked"})
                for number, page in enumerate(odd_pages())
            ]
        )
        monkeypatch.setattr(parse, "READ_PLAIN", way == "fast")
        landing.load()
        found.append(
            (
                landing.rows(
                    "select * from raw.lastfm__user_recent_tracks"
                    " order by call_id, item_index"
                ),
                landing.rows("select * from raw.dead_letters order by dead_letter_id"),
                landing.rows("select * from raw.lastfm__answers order by call_id"),
                landing.rows("select * from raw.lastfm__name_keys order by name"),
            )
        )
    assert found[0] == found[1]
    rows, letters, answers, _names = found[0]
    items = [1, 5] + [3, 1] * len(ODD_SCROBBLES)
    assert [row[-3] for row in answers] == items
    assert len(rows) + len(letters) == sum(items)
    assert len(letters) > 20


def test_a_byte_that_is_no_utf8_costs_only_the_item_that_holds_it(
    landing: Landing,
) -> None:
    body = json.dumps(chart(artist(name="Sigur R?s"), artist(), artist(url="R?s")))
    landing.write([answer("c", CHART, body.encode().replace(b"?", b"\xf3"))])
    result = landing.load()
    assert (result.rows, result.dead) == (2, 1)
    assert landing.dead_letters() == [("artists/artist/0/name", "is object, not text")]
    ((item,),) = landing.rows("select item from raw.dead_letters")
    assert json.loads(item)["name"] == {"text that is not Unicode": "Sigur R\\udcf3s"}


def test_half_a_surrogate_pair_costs_only_the_item_that_holds_it(
    landing: Landing,
) -> None:
    body = json.dumps(chart(artist(name="\ud83d"), artist(name="\U0001f600")))
    landing.write([answer("c", CHART, body)])
    assert landing.load().dead == 1
    assert landing.table("lastfm__chart_top_artists", "artist_name") == [
        ("\U0001f600",)
    ]


def test_a_byte_order_mark_changes_nothing(landing: Landing) -> None:
    landing.write([answer("c", CHART, "\ufeff" + json.dumps(chart(artist())))])
    assert landing.load().rows == 1


UNREADABLE: list[str | bytes] = [
    '{"artists": {"artist": [{"name": "Low", "mbid"',
    "",
    "   ",
    "Service Unavailable",
    "null",
    "[]",
    '"artists"',
    "12",
    "{}",
    '{"other": {}}',
    '{"artists": [{"name": "Low"}]}',
    '{"artists": "Low"}',
    '{"artists": {"people": [{"name": "Low"}]}}',
    "<lfm status='ok'><artists><artist>",
    "<?xml version='1.0'?><rss></rss>",
    "<!DOCTYPE lfm [<!ENTITY a 'b'>]><lfm>&a;</lfm>",
    "[" * 100_000,
    '{"a":' * 5_000 + "1" + "}" * 5_000,
    b"\xff\xfe\x00",
    "a raw \x00 and nothing else",
]


def test_an_answer_that_cannot_be_read_is_one_dead_letter_with_all_its_bytes(
    landing: Landing,
) -> None:
    landing.write(
        [answer(f"c{n:02}", CHART, body) for n, body in enumerate(UNREADABLE)]
        + [answer("good", CHART, chart(artist()))]
    )
    result = landing.load()
    many = len(UNREADABLE)
    assert (result.items, result.rows, result.dead) == (many + 1, 1, many)
    kept = landing.rows(
        "select item, encoding, table_name from raw.dead_letters order by call_id"
    )
    for (item, encoding, table), body in zip(kept, UNREADABLE, strict=True):
        wanted = body if isinstance(body, bytes) else body.encode()
        found = base64.b64decode(item) if encoding == "base64" else item.encode()
        assert (found, table) == (wanted, None)


NOTHING: list[object] = [
    {"#text": "\n", "user": "ana", "page": "0", "total": "0"},
    {"track": [], "@attr": {"user": "ana", "total": "0"}},
    {"track": "\n"},
    {"track": {}},
    {"track": None},
    "\n",
    "",
    [],
    {},
    None,
]


def test_every_way_of_saying_nothing_is_an_empty_answer(landing: Landing) -> None:
    landing.write(
        [
            answer(f"c{n:02}", RECENT, {"recenttracks": root}, {"user": "ana"})
            for n, root in enumerate(NOTHING)
        ]
    )
    result = landing.load()
    assert (result.items, result.rows, result.dead) == (0, 0, 0)
    assert landing.rows("select outcome from raw.lastfm__answers") == [
        ("empty",)
    ] * len(NOTHING)


def test_places_count_over_pages(landing: Landing) -> None:
    page = chart(artist(), artist())
    page["artists"]["@attr"] |= {"page": "3", "perPage": "50"}
    bare = {"artists": {"artist": [artist()]}}
    landing.write(
        [
            answer("a", CHART, page),
            answer("b", CHART, bare, {"page": "2", "limit": "10"}),
            answer("c", CHART, bare),
        ]
    )
    landing.load()
    assert landing.table("lastfm__chart_top_artists", "call_id", "position") == [
        ("a", 101),
        ("a", 102),
        ("b", 11),
        ("c", 1),
    ]


def test_a_duration_of_zero_is_unknown_and_milliseconds_become_seconds(
    landing: Landing,
) -> None:
    def info(duration: object) -> dict[str, Any]:
        return {
            "track": {
                "name": "Sunflower",
                "artist": {"name": "Low"},
                "duration": duration,
                "toptags": {"tag": []},
            }
        }

    given = ["240000", 0, "0", "", None, "1499", "1500", "-1", "FIXME", str(2**60)]
    landing.write(
        [answer(f"c{n}", "track.getInfo", info(each)) for n, each in enumerate(given)]
    )
    landing.load()
    assert landing.table("lastfm__track_infos", "duration_seconds") == [
        (240,),
        (None,),
        (None,),
        (None,),
        (None,),
        (1,),
        (2,),
        (None,),
    ]
    assert [error for _, error in landing.dead_letters()] == [
        "is no whole number: FIXME",
        f"is out of range: {2**60}",
    ]


def test_an_error_body_never_becomes_rows_whatever_the_status(
    landing: Landing,
) -> None:
    error = {"error": 6, "message": "The artist you supplied could not be found"}
    landing.write(
        [
            answer("a", CHART, error),
            answer("b", CHART, error | chart(artist())),
            answer("c", CHART, error, status=404),
            answer("d", CHART, chart(artist()), status=503),
            answer("e", CHART, "<html><body>Sorry</body></html>"),
            answer("f", CHART, " <!DOCTYPE HTML><title>500</title>", status=500),
            answer("g", CHART, chart(artist()), verdict="wrong user"),
            answer(
                "h", CHART, '<lfm status="failed"><error code="8">Odd</error></lfm>'
            ),
            answer("i", CHART, '{"artists": {"artist": [', verdict="truncated"),
            answer("j", CHART, {"error": "16", "message": ""}, status=503),
        ]
    )
    result = landing.load()
    assert (result.rows, result.dead, result.errors) == (0, 0, 10)
    assert landing.rows(
        "select call_id, error_code, error_message from raw.lastfm__answers"
        " where outcome = 'error' order by call_id"
    ) == [
        ("a", 6, error["message"]),
        ("b", 6, error["message"]),
        ("c", 6, error["message"]),
        ("d", None, "HTTP 503"),
        ("e", None, "an HTML page instead of an answer"),
        ("f", None, "an HTML page instead of an answer"),
        ("g", None, "wrong user"),
        ("h", 8, "Odd"),
        ("i", None, "truncated"),
        ("j", 16, None),
    ]


def test_only_the_last_good_answer_of_a_call_counts(landing: Landing) -> None:
    landing.write(
        [
            answer("a", CHART, '{"artists": {"art', attempt=1),
            answer("a", CHART, chart(artist(name="old")), attempt=2),
            answer("a", CHART, chart(artist(name="new"), artist()), attempt=3),
            answer("b", CHART, chart(artist(name="kept")), attempt=1),
            answer("b", CHART, "no JSON", attempt=2),
            answer("c", CHART, "no JSON", attempt=1),
            answer("c", CHART, {"error": 8, "message": "down"}, attempt=2),
            answer("d", CHART, "no JSON", attempt=1),
            answer("d", CHART, "none again", attempt=2),
        ]
    )
    result = landing.load()
    assert (result.items, result.rows, result.dead) == (4, 3, 1)
    assert landing.table("lastfm__chart_top_artists", "call_id", "artist_name") == [
        ("a", "new"),
        ("a", "Low"),
        ("b", "kept"),
    ]
    assert landing.rows("select call_id, item from raw.dead_letters") == [
        ("d", "none again")
    ]
    assert landing.rows(
        "select call_id, attempt, outcome from raw.lastfm__answers order by all"
    ) == [
        ("a", 1, "error"),
        ("a", 2, "error"),
        ("a", 3, "rows"),
        ("b", 1, "rows"),
        ("b", 2, "error"),
        ("c", 1, "error"),
        ("c", 2, "error"),
        ("d", 1, "error"),
        ("d", 2, "dead"),
    ]


def test_a_call_answered_in_an_earlier_load_is_not_loaded_again(
    landing: Landing,
) -> None:
    landing.write([answer("a", CHART, chart(artist()))])
    landing.load()
    landing.write([answer("a", CHART, chart(artist(), artist()))], "run-2")
    assert landing.load("run-2").rows == 0
    assert len(landing.table("lastfm__chart_top_artists", "call_id")) == 1


def test_a_walk_has_a_row_for_each_page_that_was_answered(landing: Landing) -> None:
    def walk(page: int) -> dict[str, Any]:
        return {
            "walk_id": "w1",
            "walk_from": 0,
            "walk_to": 1_700_000_000,
            "pages": 3,
            "page": page,
        }

    landing.write(
        [
            answer("a", RECENT, scrobbles([scrobble()], total=3), context=walk(1)),
            answer("b", RECENT, scrobbles([], total=3), context=walk(2)),
            answer(
                "c",
                RECENT,
                {"recenttracks": {"track": scrobble()}},
                {"user": "ana"},
                context=walk(3),
            ),
            answer("d", RECENT, {"error": 8, "message": "no"}, context=walk(3)),
            answer("e", RECENT, scrobbles([scrobble()]), context={"probe": "all"}),
            answer("f", RECENT, scrobbles([scrobble()])),
        ]
    )
    landing.load()
    assert landing.table(
        "lastfm__scrobble_walks",
        "call_id",
        "listener_name",
        "walk_id",
        "walk_from_uts",
        "walk_to_uts",
        "pages",
        "page",
        "total",
    ) == [
        ("a", "ana", "w1", 0, 1_700_000_000, 3, 1, 3),
        ("b", "ana", "w1", 0, 1_700_000_000, 3, 2, 3),
        ("c", "ana", "w1", 0, 1_700_000_000, 3, 3, None),
    ]


def test_a_bad_number_of_items_refuses_the_load(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing.write([answer("a", CHART, chart(artist(), artist(), artist()))])
    real = item_sql.parsed_sql
    monkeypatch.setattr(
        item_sql,
        "parsed_sql",
        lambda recipe: f"select * from ({real(recipe)}) where item_index <> 1",
    )
    with pytest.raises(LoadFailed, match="3 items, 2 rows, 0 dead letters"):
        landing.load()
    assert not (landing.root / "warehouse.duckdb").exists()


def test_a_damaged_landing_file_refuses_the_load(landing: Landing) -> None:
    part = landing.write([answer("a", CHART, chart(artist()))])
    path = landing.landing_dir / part.part
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    with pytest.raises(LoadFailed, match=f"{part.bytes} are recorded"):
        landing.load()
    path.write_bytes(whole[:20] + b"\x00" * (len(whole) - 20))
    with pytest.raises(LoadFailed, match="cannot read landing parts"):
        landing.load()
    path.unlink()
    with pytest.raises(LoadFailed, match="is not in"):
        landing.load()
    path.write_bytes(whole)
    assert landing.load().rows == 1


def test_bytes_behind_the_recorded_length_do_not_count(landing: Landing) -> None:
    part = landing.write([answer("a", CHART, chart(artist()))])
    path = landing.landing_dir / part.part
    path.write_bytes(path.read_bytes() * 2 + b"\x1f\x8b and a torn end")
    assert landing.load().rows == 1


def test_an_answer_of_forty_megabytes_is_kept_and_does_not_stop_the_day(
    landing: Landing,
) -> None:
    huge = chart(artist(url="x" * 40_000_000))
    landing.write([answer("a", CHART, huge), answer("b", CHART, chart(artist()))])
    result = landing.load()
    assert (result.rows, result.dead) == (1, 1)
    assert landing.rows("select strlen(item), error from raw.dead_letters") == [
        (len(json.dumps(huge)), f"is larger than {parse.BODY_BYTES} bytes")
    ]


def test_spellings_share_a_key_and_stand_in_the_table_once(landing: Landing) -> None:
    names = [
        "Björk",
        "BJÖRK",
        " bjo\u0308rk ",
        "ＢＪÖＲＫ",
        "Straße",
        "STRASSE",
        "\u3000",
    ]
    landing.write([answer("a", CHART, chart(*(artist(name=name) for name in names)))])
    landing.load()
    landing.write(
        [answer("b", CHART, chart(artist(name="Björk"), artist(name="Bjork")))], "run-2"
    )
    landing.load("run-2")
    keys = dict(landing.rows("select name, name_key from raw.lastfm__name_keys"))
    assert {keys[name] for name in names[:4]} == {"björk"}
    assert keys["Straße"] == keys["STRASSE"] == "strasse"
    assert keys["\u3000"] == "(blank name U+3000)"
    assert keys["Bjork"] == "bjork"
    assert landing.rows("select count(*) from raw.lastfm__name_keys") == [(8,)]


def test_names_that_an_older_load_left_without_a_key_get_one(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As before accounts and countries had keys: theirs are taken away."""
    first_page = {
        "walk_id": "w1",
        "walk_from": 0,
        "walk_to": 1_700_000_000,
        "pages": 1,
        "page": 1,
    }
    friend = {"name": "Ｂen", "country": "ÖSTERREICH", "playcount": "3"}
    friends = {"friends": {"user": [friend], "@attr": {"for": "Ana", "page": "1"}}}
    landing.write(
        [
            answer("a", RECENT, scrobbles([scrobble()], "Ana"), context=first_page),
            answer("b", "user.getFriends", friends, {"user": "Ana"}),
        ]
    )
    landing.load()
    with duckdb.connect(str(landing.target.duckdb_path)) as connection:
        connection.execute(
            "delete from raw.lastfm__name_keys where name not in"
            " ('Low', 'Sunflower', 'Things We Lost')"
        )

    def keys() -> dict[str, str]:
        return dict(
            landing.rows(
                "select name, name_key from raw.lastfm__name_keys where load_id > 1"
            )
        )

    # The control: without the step they stay without.
    with monkeypatch.context() as patched:
        patched.setattr(promote, "_key_older_names", lambda raw, load_id: None)
        landing.write([answer("c", CHART, chart(artist(name="Nico")))], "run-2")
        landing.load("run-2")
    assert keys() == {"Nico": "nico"}
    landing.write([answer("d", CHART, chart(artist(name="Nico")))], "run-3")
    landing.load("run-3")
    assert keys() == {
        "Nico": "nico",
        "Ana": "ana",
        "Ｂen": "ben",
        "ÖSTERREICH": "österreich",
    }
    assert landing.rows(
        "select count(*) - count(distinct name) from raw.lastfm__name_keys"
    ) == [(0,)]


def test_loading_the_same_landing_again_changes_nothing(landing: Landing) -> None:
    landing.write([answer("a", CHART, chart(artist()))])
    assert landing.load().load_id == 1
    assert landing.load("run-2").load_id is None
    landing.write([answer("b", CHART, chart(artist()))], "run-3")
    assert landing.load("run-3").load_id == 2
    assert landing.rows(
        "select load_id, run_id, as_of_date, answers, items, rows, dead"
        " from raw.loads order by load_id"
    ) == [(1, "run-1", DAY, 1, 1, 1, 0), (2, "run-3", DAY, 1, 1, 1, 0)]
    assert [row[1] for row in landing.rows("from raw.load_parts order by load_id")] == [
        part.part for part in landing.parts
    ]


COVER = "0123456789abcdef" * 2
ADDRESS = f"https://lastfm.freetls.fastly.net/i/u/34s/{COVER}.png"
PICTURES: list[tuple[object, str | None]] = [
    ([{"size": "small", "#text": ADDRESS}], COVER),
    ({"size": "small", "#text": ADDRESS}, COVER),
    ([{"#text": ADDRESS.replace(".png", ".jpg")}], COVER),
    ([{"#text": f"http://img2-ak.lst.fm/i/u/{COVER}.gif"}], COVER),
    ([{"#text": ADDRESS.replace(COVER, "2a96cbd8b46e442fc41c2b86b821562f")}], None),
    ([{"#text": ADDRESS.replace("lastfm.freetls.fastly.net", "example.org")}], None),
    ([{"#text": ADDRESS.replace("fastly.net", "fastly.net.example.org")}], None),
    ([{"#text": ADDRESS.replace(COVER, COVER.upper())}], None),
    ([{"#text": ADDRESS.replace(COVER, COVER[1:])}], None),
    ([{"#text": ADDRESS.replace(".png", ".svg")}], None),
    ([{"#text": ADDRESS + "\n"}], None),
    ([{"#text": ADDRESS + "?x=1"}], None),
    ([{"#text": f"https://lastfm.freetls.fastly.net/i/u/../{COVER}.png"}], None),
    ([{"#text": "http://userserve-ak.last.fm/serve/34s/86191845.png"}], None),
    ([{"#text": ADDRESS + "\x00"}], None),
    ([{"#text": {"#text": ADDRESS}}], None),
    ([{"#text": ""}], None),
    ([{"#text": 7}], None),
    ([], None),
    ("", None),
    (None, None),
]


def test_a_picture_gives_the_id_of_its_cover_and_nothing_else_fails_an_album(
    landing: Landing,
) -> None:
    albums = [
        {"name": f"album {number}", "playcount": 1, "image": image}
        for number, (image, _) in enumerate(PICTURES)
    ]
    albums.append({"name": "without", "playcount": 1})
    body = {"topalbums": {"album": albums, "@attr": {"artist": "Low"}}}
    info = {"name": "A", "artist": "Low", "image": PICTURES[0][0]}
    landing.write(
        [
            answer("a", "artist.getTopAlbums", body),
            answer("b", "album.getInfo", {"album": info}),
        ]
    )
    assert landing.load().dead == 0
    found = landing.table("lastfm__artist_top_albums", "cover_id")
    assert found == [(expected,) for _, expected in PICTURES] + [(None,)]
    assert landing.table("lastfm__album_infos", "cover_id") == [(COVER,)]


def test_recorded_albums_come_with_their_covers(
    shared_dir: Path, landing: Landing
) -> None:
    """The picture's id of each album as its recorded answer has it, JSON and XML."""
    folder = shared_dir / "lastfm_api" / "album.getInfo"
    files = sorted(file for file in folder.iterdir() if "/i/u/" in file.read_text())
    assert {file.suffix for file in files} >= {".json", ".xml"}
    landing.write(
        [answer(file.name, "album.getInfo", file.read_bytes()) for file in files]
    )
    landing.load()
    found = dict(landing.table("lastfm__album_infos", "call_id", "cover_id"))
    for file in files:
        ids = set(re.findall(r"/([0-9a-f]{32})\.", file.read_text()))
        assert found[file.name] in ids, file.name
