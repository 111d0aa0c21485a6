"""Every sample of an export gives exactly the plays it should, and says why not."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import ijson
import pytest

from ingest.exports import plays
from ingest.exports import source as sources
from ingest.exports.plays import Aside, Taken
from ingest.exports.reading import Reading, read, readings
from warehouse.errors import ImportRefused

NOW = datetime(2026, 11, 29)


@dataclass(frozen=True)
class Expected:
    """What a sample gives; the times are those that stand in it."""

    format: str
    taken: int
    aside: dict[str, int] = field(default_factory=dict)
    duplicates: int = 0
    times: tuple[str, str] | None = None


# The manifest leaves a choice for four: a header without a user's name is refused, as
# nothing says what its times are; a NUL in a name sets the row aside; plays a second
# apart are two; the video file is read by its content, as every file is.
SAMPLES: dict[str, Expected | str] = {
    "lastfm_csv/ghan_recenttracks_200.csv": Expected(
        "lastfm_csv", 200, {}, 0, ("2024-07-07T10:14:20", "2024-07-11T09:07:32")
    ),
    "lastfm_csv/benfoxall_old_200.csv": Expected(
        "lastfm_csv_minute",
        200,
        {"no time": 1},
        0,
        ("2024-07-07T10:14:00", "2024-07-11T09:07:00"),
    ),
    "lastfm_csv/benfoxall_new_bom_200.csv": Expected(
        "lastfm_csv_minute", 200, {}, 0, ("2024-07-07T10:14:00", "2024-07-11T09:07:00")
    ),
    "lastfm_csv/rocksky_lastfm-sample.csv": Expected(
        "lastfm_csv", 4, {}, 0, ("2026-05-17T12:47:30", "2026-05-17T12:54:56")
    ),
    "lastfm_csv/r_scrobbler_200.csv": Expected(
        "lastfm_csv", 200, {}, 0, ("2020-04-07T21:16:28", "2020-04-13T05:01:31")
    ),
    "lastfm_csv/semicolon_track_album_artist_165.csv": Expected(
        "lastfm_csv_semicolons",
        150,
        {"field count not 5": 15},
        0,
        ("2009-02-09T20:17:05", "2009-02-13T09:34:16"),
    ),
    "lastfm_tsv/lastexport_160.tsv": Expected(
        "lastfm_export_tsv", 160, {}, 0, ("2015-08-21T15:03:00", "2015-08-25T21:26:04")
    ),
    "lastfm_tsv/lastexport_old_100.tsv": Expected(
        "lastfm_export_tsv", 100, {}, 0, ("2015-08-21T15:03:00", "2015-08-23T18:45:17")
    ),
    "lastfm_tsv/lastfm_archive_2014_scrobbles_CONSTRUCTED.tsv": Expected(
        "lastfm_archive_tsv", 1, {}, 0, ("2008-12-10T16:19:27", "2008-12-10T16:19:27")
    ),
    "lastfmstats/lastfmstats-demo.csv": Expected(
        "lastfmstats_csv", 19, {}, 0, ("2025-09-11T22:33:25", "2025-09-13T07:42:43")
    ),
    "lastfmstats/lastfmstats-demo-bom.csv": Expected(
        "lastfmstats_csv", 19, {}, 0, ("2025-09-11T22:33:25", "2025-09-13T07:42:43")
    ),
    "lastfmstats/lastfmstats-demo.json": Expected(
        "lastfmstats_json", 4, {}, 0, ("2025-09-10T14:23:24", "2025-09-19T02:02:39")
    ),
    "lastfmstats/mismatch_delimiter.csv": "no listening history in a known format",
    "lastfmstats/no_username.csv": Expected("lastfmstats_csv", 0),
    "lastfmstats/wrong_header.csv": "no listening history in a known format",
    "lastfmstats/valid_data.csv": Expected(
        "lastfmstats_csv", 1, {}, 0, ("2020-07-12T06:24:42", "2020-07-12T06:24:42")
    ),
    "lastfm_json/recenttracks_flat.json": Expected(
        "lastfm_json",
        2,
        {"no time (now playing)": 1},
        0,
        ("2026-05-17T12:49:57", "2026-05-17T12:54:56"),
    ),
    "listenbrainz/listenbrainz_user_export.zip": Expected(
        "listenbrainz", 19, {}, 0, ("2013-10-12T08:14:16", "2013-10-12T09:32:48")
    ),
    "listenbrainz/listenbrainz_listens.jsonl": Expected(
        "listenbrainz", 2, {}, 0, ("2025-06-03T15:22:47", "2025-06-03T16:25:54")
    ),
    "listenbrainz/listenbrainz_mixed_validity.jsonl": Expected(
        "listenbrainz",
        3,
        {plays.UNNAMED: 2},
        0,
        ("2025-06-03T16:25:54", "2025-06-03T16:25:58"),
    ),
    "listenbrainz/listenbrainz_all_invalid.jsonl": Expected(
        "listenbrainz", 0, {plays.UNNAMED: 3}
    ),
    "listenbrainz/valid_import.json": Expected(
        "listenbrainz_body", 2, {}, 0, ("2017-02-07T11:29:06", "2017-02-07T11:29:52")
    ),
    "listenbrainz/timestamp_in_ns.json": Expected(
        "listenbrainz_body", 0, {"time out of range": 1}
    ),
    "listenbrainz/listen_having_unicode_null.json": Expected(
        "listenbrainz_body", 0, {"NUL character in a name": 1}
    ),
    "listenbrainz/timestamp_before_lfm_founding.json": Expected(
        "listenbrainz_body", 0, {"time out of range": 1}
    ),
    "listenbrainz/same_batch_duplicates.json": Expected(
        "listenbrainz_body", 1, {}, 2, ("2017-02-07T11:29:06", "2017-02-07T11:29:06")
    ),
    "listenbrainz/invalid_listen_nan_in_json.json": "this is no JSON",
    "librefm/librefm.csv": Expected(
        "librefm", 3, {}, 0, ("2023-07-26T05:06:00", "2024-01-01T00:00:00")
    ),
    "librefm/librefm_no_album_column.csv": Expected(
        "librefm", 2, {}, 0, ("2021-01-01T00:00:00", "2025-11-11T15:20:00")
    ),
    "librefm/librefm_no_header.csv": "no listening history in a known format",
    "maloja/maloja.json": Expected(
        "maloja", 2, {}, 0, ("2025-10-15T12:50:13", "2025-10-15T12:54:15")
    ),
    "maloja/maloja_malformed.json": Expected("maloja", 0, {plays.UNNAMED: 3}),
    "maloja/maloja_legacy.tsv": Expected(
        "maloja_tsv", 2, {}, 0, ("2021-05-09T21:07:52", "2021-05-09T21:07:53")
    ),
    "pano/panoscrobbler.jsonl": Expected(
        "pano_jsonl", 2, {}, 0, ("2025-11-11T15:20:00", "2025-11-12T14:31:38")
    ),
    "pano/panoscrobbler_CONSTRUCTED.csv": Expected(
        "pano_csv",
        2,
        {"event is not a play (love)": 1},
        1,
        ("2025-11-11T15:20:00", "2025-11-12T14:31:38"),
    ),
    "koito/koito_export_test.json": Expected(
        "koito", 13, {}, 0, ("2022-01-08T22:32:08", "2025-03-23T17:22:03")
    ),
    "spotify_extended/spotify_streaming_2023.json": Expected(
        "spotify_extended",
        4,
        {plays.SHORT: 1},
        0,
        ("2023-03-19T18:20:49", "2023-03-19T18:31:37"),
    ),
    "spotify_extended/spotify_streaming_endsong_0.json": Expected(
        "spotify_extended",
        4,
        {plays.SHORT: 1},
        0,
        ("2010-12-01T10:28:44", "2021-05-10T11:03:21"),
    ),
    "spotify_extended/spotify_skipped_tracks.json": Expected(
        "spotify_extended",
        1,
        {plays.SHORT: 14},
        0,
        ("2021-05-10T11:03:21", "2021-05-10T11:03:21"),
    ),
    "spotify_extended/rocksky_spotify-sample.json": Expected(
        "spotify_extended",
        2,
        {plays.NOT_A_TRACK: 1, plays.SHORT: 1},
        0,
        ("2022-05-22T17:20:57", "2022-05-22T17:21:41"),
    ),
    "spotify_extended/Streaming_History_Audio_2023_8.extract200.json": Expected(
        "spotify_extended",
        114,
        {plays.NOT_A_TRACK: 8, plays.SHORT: 78},
        0,
        ("2023-09-15T07:52:35", "2023-09-18T17:37:32"),
    ),
    "spotify_short/StreamingHistory1.extract.json": Expected(
        "spotify_short",
        121,
        {plays.SHORT: 82},
        0,
        ("2023-09-15T07:52:00", "2023-09-18T17:37:00"),
    ),
    "spotify_short/StreamingHistory_music_0.extract150.json": Expected(
        "spotify_short",
        143,
        {plays.SHORT: 7},
        0,
        ("2022-07-09T17:19:00", "2023-12-14T10:39:00"),
    ),
    "spotify_short/StreamingHistory_podcast_0.extract.json": Expected(
        "spotify_short", 0, {plays.NOT_A_TRACK: 2}
    ),
    "spotify_extended/Streaming_History_Video.extract60.json": Expected(
        "spotify_extended", 0, {plays.NOT_A_TRACK: 10, plays.SHORT: 50}
    ),
    "apple_music/Apple Music Play Activity.csv": Expected(
        "apple_music",
        60,
        {
            "event is not a play (LYRIC_DISPLAY)": 1,
            "negative play duration": 8,
            "not a song (AD)": 4,
            "not a song (AGGREGATE_NON_CATALOG_PLAY_TIME)": 16,
            "not a song (Music Video VIDEO)": 16,
            "not a song (NON_SONG_CLIP)": 2,
            "not a song (STREAM)": 2,
            plays.SHORT: 80,
        },
        0,
        ("2015-07-04T02:16:31", "2018-06-25T07:46:40"),
    ),
    "youtube_takeout/watch-history.music200.json": Expected(
        "youtube_takeout", 200, {}, 0, ("2022-04-20T21:52:18", "2022-04-25T18:09:04")
    ),
    "youtube_takeout/watch-history.video6.json": Expected(
        "youtube_takeout", 0, {"not YouTube Music (header)": 6}
    ),
    "deezer/deezer-data_extract.xlsx": Expected(
        "deezer",
        130,
        {"listening time unknown": 8, plays.SHORT: 58},
        3,
        ("2013-12-24T13:04:24", "2025-10-06T14:34:03"),
    ),
    "other/spinitron_sample.csv": Expected(
        "librefm",
        3,
        {plays.UNNAMED: 1, "no time that can be read": 1},
        0,
        ("2024-09-05T07:54:34", "2024-09-05T08:03:07"),
    ),
    "scrobbler_log/listenbrainz.scrobbler.log": Expected(
        "scrobbler_log",
        2,
        {plays.UNNAMED: 1, "rated as skipped": 1},
        0,
        ("2020-01-01T00:00:00", "2020-01-01T01:00:00"),
    ),
    "scrobbler_log/ipod.scrobbler.log": Expected(
        "scrobbler_log",
        94,
        {"rated as skipped": 41},
        0,
        ("2025-04-24T12:05:12", "2025-05-03T00:03:14"),
    ),
    "scrobbler_log/no_header_bom.scrobbler.log": Expected(
        "scrobbler_log",
        197,
        {"rated as skipped": 3},
        0,
        ("2017-07-23T12:23:16", "2017-08-05T22:52:08"),
    ),
    "scrobbler_log/all_skipped.scrobbler.log": Expected(
        "scrobbler_log", 0, {"rated as skipped": 6}
    ),
    "itunes_xml/Library.extract80.xml": "80 things, 60 with a count, 572 plays in all",
    "foobar_xml/playback_statistics_fixture.xml": (
        "1 things, 1 with a count, 14 plays in all"
    ),
    "jellyfin_tsv/PlaybackReportingBackup_CONSTRUCTED.tsv": Expected(
        "jellyfin",
        2,
        {"field count not 9": 1, "not Audio (Movie)": 1, plays.SHORT: 1},
        0,
        ("2022-08-01T20:34:33", "2022-08-01T22:00:00"),
    ),
}


def taken_from(
    path: Path, zone: tzinfo = UTC, now: datetime = NOW
) -> tuple[Reading, list[Taken], list[Aside]]:
    """What is read of one file."""
    (reading,) = readings([path], zone)
    rows = [found.row for found in read(reading, now)]
    return (
        reading,
        [row for row in rows if isinstance(row, Taken)],
        [row for row in rows if isinstance(row, Aside)],
    )


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_gives_the_plays_that_its_manifest_expects(
    shared_dir: Path, name: str
) -> None:
    path = shared_dir / "datasets" / "exports" / name
    expected = SAMPLES[name]
    if isinstance(expected, str):
        with pytest.raises(ImportRefused) as refused:
            taken_from(path)
        assert expected in str(refused.value)
        return
    reading, found, _ = taken_from(path)
    tally = reading.tally
    assert reading.files[0].format.name == expected.format
    assert len(found) == tally.taken == expected.taken
    assert dict(tally.aside) == expected.aside
    assert tally.duplicates == expected.duplicates
    assert tally.rows == tally.taken + tally.duplicates + tally.aside.total()
    if expected.times:
        first, last = (
            datetime.fromisoformat(t).replace(tzinfo=UTC).timestamp()
            for t in expected.times
        )
        assert (tally.first, tally.last) == (first, last)


def test_the_manifest_has_no_sample_that_is_not_expected(shared_dir: Path) -> None:
    manifest = shared_dir / "datasets" / "exports" / "MANIFEST.tsv"
    named = [line.split("\t")[0] for line in manifest.read_text().splitlines()[1:]]
    assert sorted(named) == sorted(SAMPLES)


def test_the_name_of_a_file_says_nothing(shared_dir: Path, tmp_path: Path) -> None:
    folder = shared_dir / "datasets" / "exports"
    for number, (name, expected) in enumerate(SAMPLES.items()):
        if isinstance(expected, Expected):
            copy = tmp_path / f"{number}.bin"
            copy.write_bytes((folder / name).read_bytes())
            reading, found, _ = taken_from(copy)
            assert reading.files[0].format.name == expected.format, name
            assert len(found) == expected.taken, name


def spotify(rows: Sequence[dict[str, object]]) -> str:
    """Rows of an extended history."""
    names = {
        "master_metadata_track_name": "Fly",
        "master_metadata_album_artist_name": "Low",
    }
    return json.dumps([{**names, **row} for row in rows])


def test_an_end_is_not_taken_for_a_start_and_a_private_session_is_left_out(
    tmp_path: Path,
) -> None:
    path = tmp_path / "history.json"
    end = int(datetime(2024, 1, 1, 12, 0, 0, tzinfo=UTC).timestamp())
    row = {"ts": "2024-01-01T12:00:00Z", "ms_played": 200_000}
    noted = {"ts": "2024-01-01T13:00:00Z", "ms_played": 200_000}
    path.write_text(
        spotify(
            [
                row,
                {**noted, "offline_timestamp": (end + 3000) * 1000},
                {**row, "ts": "2024-01-01T14:00:00Z", "incognito_mode": True},
                {**row, "ts": "2024-01-01T15:00:00Z", "offline_timestamp": 1},
            ]
        )
    )
    reading, found, _ = taken_from(path)
    assert [play.started for play in found] == [
        end - 200,
        end + 3000,
        end + 3 * 3600 - 200,
    ]
    assert [play.stamp for play in found] == ["end"] * 3
    assert reading.tally.aside == {"private session": 1}


def test_what_was_heard_for_longer_than_a_day_or_began_too_early_is_no_play(
    tmp_path: Path,
) -> None:
    path = tmp_path / "history.json"
    row, day = {"ts": "2024-01-01T12:00:00Z"}, 86_400_000
    path.write_text(
        spotify(
            [
                {**row, "ms_played": day},
                {**row, "ms_played": day + 1},
                {**row, "ms_played": 2e12},
                {"ts": "2002-10-01T00:01:00Z", "ms_played": 60_000},
                {"ts": "2002-10-01T00:01:00Z", "ms_played": 61_000},
            ]
        )
    )
    reading, found, _ = taken_from(path)
    assert [play.line for play in found] == [1, 4]
    assert reading.tally.aside == {plays.LONG: 2, plays.OUT_OF_RANGE: 1}


def test_numbers_beyond_all_bounds_and_empty_lists_cost_a_row_alone(
    tmp_path: Path,
) -> None:
    path = tmp_path / "history.json"
    row = {"ts": "2024-01-01T12:00:00Z"}
    many = [{**row, "ms_played": 200_000}]
    for number in (2.0**63, 1e300, -1e300, "9" * 20, "-" + "9" * 20):
        many += [{**row, "ms_played": number}]
        many += [{**many[0], "ts": "2024-02-01T12:00:00Z", "offline_timestamp": number}]
    path.write_text(spotify(many))
    reading, found, _ = taken_from(path)
    assert (len(found), reading.tally.duplicates) == (2, 4)
    assert reading.tally.aside == {plays.LONG: 3, plays.SHORT: 2}
    path.write_text(spotify([*many, {**row, "ms_played": 2**63}]))
    with pytest.raises(ImportRefused, match="integer overflow"):
        taken_from(path)
    watched = {"header": "YouTube Music", "products": ["YouTube"], "title": "Fly"}
    video = {**watched, "time": "2024-01-01T12:00:00Z", "subtitles": [{"name": "Low"}]}
    path.write_text(json.dumps([{**video, "subtitles": []}, video]))
    reading, found, _ = taken_from(path)
    assert [play.artist for play in found] == ["Low"]
    assert reading.tally.aside == {plays.UNNAMED: 1}


def test_local_times_are_of_the_zone_at_their_date(tmp_path: Path) -> None:
    path = tmp_path / "log"
    stamps = [datetime(2024, month, 1, 12, tzinfo=UTC).timestamp() for month in (1, 7)]
    lines = [f"Low\tThings\tFly\t1\t200\tL\t{stamp:.0f}\t" for stamp in stamps]
    header = "#AUDIOSCROBBLER/1.1\n#TZ/UNKNOWN\n"
    path.write_text(header + "\n".join(lines))
    _, found, _ = taken_from(path, ZoneInfo("Europe/Berlin"))
    assert [play.stamped for play in found] == [stamps[0] - 3600, stamps[1] - 7200]
    path.write_text(header.replace("UNKNOWN", "UTC") + "\n".join(lines))
    _, found, _ = taken_from(path, ZoneInfo("Europe/Berlin"))
    assert [play.stamped for play in found] == stamps, "the file says its zone"
    path.write_text(header.replace("UNKNOWN", "UTC+2") + "\n".join(lines))
    _, found, _ = taken_from(path, ZoneInfo("Europe/Berlin"))
    assert [play.stamped for play in found] == [stamp - 7200 for stamp in stamps]


def test_a_row_that_cannot_be_read_is_kept_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "plays.csv"
    rows = ["uts,artist,album,track", "1700000000,Low,Things,Fly", "1700000300,Low"]
    path.write_bytes("\n".join(rows).encode() + b"\n1700000600,L\xf6w,Things,Fly\n")
    reading, found, kept = taken_from(path)
    assert [play.line for play in found] == [2]
    assert [(row.line, row.reason, row.text) for row in kept] == [
        (3, "not the columns of the header", "1700000300,Low")
    ]
    assert reading.tally.aside == {
        "not the columns of the header": 1,
        "not UTF-8": 1,
    }


def test_equal_minutes_are_counted_and_equal_seconds_are_one_play(
    tmp_path: Path,
) -> None:
    path = tmp_path / "plays.csv"
    path.write_text("Low,Things,Fly,20 Nov 2020 09:35\n" * 3)
    _, found, _ = taken_from(path)
    assert [play.copy for play in found] == [1, 2, 3]
    path.write_text("Low,Things,Fly,1605864900\nLOW,Things,FLY,1605864900\n")
    reading, found, _ = taken_from(path)
    assert (len(found), reading.tally.duplicates) == (1, 1)


def test_json_is_read_as_deep_as_services_write_it_and_no_deeper(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "history.json"
    row = {"ts": "2024-01-01T12:00:00Z", "ms_played": 200_000}
    # Brackets in texts are none, whatever stands before the quotes.
    names = ['[[[{{{"]', "\\", '\\"{', "\\\\{[", "é[{\\u005b"] * 20
    texts = [{**row, "master_metadata_track_name": name} for name in names]

    def nested(levels: int) -> str:
        more = "[" * levels + "]" * levels
        return spotify(texts)[:-1] + f', {{"ts": 1, "x": {more}}}]'

    for size in (1, 7, 65536):
        monkeypatch.setattr(ijson, "items", partial(ijson.items, buf_size=size))
        path.write_text(nested(48))
        reading, found, _ = taken_from(path)
        assert (len(found), reading.tally.rows) == (5, 101)
        for levels in (49, 2000):
            path.write_text(nested(levels))
            with pytest.raises(ImportRefused, match=r"history.json: .* 50 levels"):
                taken_from(path)
        monkeypatch.undo()


def test_an_archive_is_read_within_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"ts": "2024-01-01T12:00:00Z", "ms_played": 200_000}
    inner = tmp_path / "inner.zip"
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("Audio_1.json", spotify([row]))
        archive.writestr("readme.txt", "nothing to be heard")
    outer = tmp_path / "outer.zip"
    with zipfile.ZipFile(outer, "w") as archive:
        archive.writestr("answer/Audio_0.json", spotify([row, row]))
        archive.write(inner, "answer/inner.zip")
    reading, found, _ = taken_from(outer)
    assert len(found) == 1, "the two files overlap"
    assert reading.tally.duplicates == 2
    assert reading.ignored == ["outer.zip/answer/inner.zip/readme.txt"]
    for name, bound in (("MOST_MEMBERS", 1), ("MEMBER_BYTES", 50), ("ALL_BYTES", 50)):
        with monkeypatch.context() as smaller:
            smaller.setattr(sources, name, bound)
            with pytest.raises(ImportRefused):
                taken_from(outer)


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "answer.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.json", spotify([{"ts": "", "ms_played": 1}]))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ImportRefused, match="damaged"):
        taken_from(path)
