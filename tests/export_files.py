"""Plays written as each format that can be imported, the way its service writes them.

Owns :data:`WRITERS`, format -> writer, and what a format cannot say of a play. Written
from what the formats' descriptions say, not with the project's readers.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import openpyxl

HEARD_SECONDS = 35


class Played(NamedTuple):
    """A play: when it began (Unix seconds), and the names; album '' where none is."""

    began: int
    artist: str
    track: str
    album: str


Plays = Sequence[Played]


def _at(seconds: int, pattern: str) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime(pattern)


def _table(rows: Iterable[Sequence[Any]], delimiter: str = ",") -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows(rows)
    return out.getvalue().encode()


def _plain(rows: Iterable[Sequence[Any]], delimiter: str = "\t") -> bytes:
    """Rows of fields without any quoting."""
    return "".join(f"{delimiter.join(map(str, row))}\n" for row in rows).encode()


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _lines(values: Iterable[Any]) -> bytes:
    return b"".join(_json(value) + b"\n" for value in values)


def _deezer(plays: Plays) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "10_listeningHistory"
    names = ("Song Title", "Artist", "ISRC", "Album Title", "IP Address")
    sheet.append((*names, "Listening Time", "Platform Name", "Platform Model", "Date"))
    for play in plays:
        when = _at(play.began, "%Y-%m-%d %H:%M:%S")
        row = (play.track, play.artist, "", play.album, "", HEARD_SECONDS, "", "", when)
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _listens(plays: Plays) -> list[dict[str, Any]]:
    return [
        {
            "listened_at": play.began,
            "track_metadata": {
                "artist_name": play.artist,
                "track_name": play.track,
                **({"release_name": play.album} if play.album else {}),
            },
        }
        for play in plays
    ]


def _spotify_extended(plays: Plays) -> bytes:
    return _json(
        [
            {
                "ts": _at(play.began + HEARD_SECONDS, "%Y-%m-%dT%H:%M:%SZ"),
                "ms_played": 1000 * HEARD_SECONDS,
                "master_metadata_track_name": play.track,
                "master_metadata_album_artist_name": play.artist,
                "master_metadata_album_album_name": play.album or None,
                "incognito_mode": False,
            }
            for play in plays
        ]
    )


def _spotify_short(plays: Plays) -> bytes:
    return _json(
        [
            {
                "endTime": _at(play.began + HEARD_SECONDS, "%Y-%m-%d %H:%M"),
                "artistName": play.artist,
                "trackName": play.track,
                "msPlayed": 1000 * HEARD_SECONDS,
            }
            for play in plays
        ]
    )


def _maloja(plays: Plays) -> bytes:
    scrobbles = [
        {
            "time": play.began,
            "track": {
                "artists": [play.artist],
                "title": play.track,
                "album": {"albumtitle": play.album} if play.album else None,
            },
            "duration": None,
        }
        for play in plays
    ]
    return _json({"maloja": {"export_time": 1}, "scrobbles": scrobbles})


def _named(name: str) -> dict[str, Any]:
    return {"aliases": [{"alias": name, "is_primary": True}]}


def _koito(plays: Plays) -> bytes:
    listens = [
        {
            "listened_at": _at(play.began, "%Y-%m-%dT%H:%M:%SZ"),
            "track": _named(play.track),
            "album": _named(play.album),
            "artists": [_named(play.artist) | {"is_primary": True}],
        }
        for play in plays
    ]
    return _json({"version": "1", "exported_at": "", "user": "", "listens": listens})


_PANO = ("timeHuman", "timeMs", "artist", "track", "album", "albumArtist")
_PANO += ("durationMs", "mediaPlayerPackage", "mediaPlayerName", "version", "event")


def _pano(plays: Plays) -> list[dict[str, Any]]:
    return [
        {
            **dict.fromkeys(_PANO, ""),
            "timeMs": play.began * 1000,
            "artist": play.artist,
            "track": play.track,
            "album": play.album,
            "event": "scrobble",
        }
        for play in plays
    ]


def _lastfm_tracks(plays: Plays) -> list[dict[str, Any]]:
    return [
        {
            "artist": {"mbid": "", "#text": play.artist},
            "name": play.track,
            "album": {"mbid": "", "#text": play.album},
            "date": {"uts": str(play.began), "#text": ""},
        }
        for play in plays
    ]


def _youtube(plays: Plays) -> bytes:
    return _json(
        [
            {
                "header": "YouTube Music",
                "title": f"Watched {play.track}",
                "titleUrl": "https://music.youtube.com/watch?v=x",
                "subtitles": [{"name": f"{play.artist} - Topic"}],
                "time": _at(play.began, "%Y-%m-%dT%H:%M:%S.000Z"),
                "products": ["YouTube"],
            }
            for play in plays
        ]
    )


def _scrobbler_log(plays: Plays) -> bytes:
    head = "#AUDIOSCROBBLER/1.1\n#TZ/UTC\n#CLIENT/A player 1.0\n"
    return head.encode() + _plain(
        (play.artist, play.album, play.track, "", 200, "L", play.began, "")
        for play in plays
    )


def _jellyfin(plays: Plays) -> bytes:
    def item(play: Played) -> str:
        return f"{play.artist} - {play.track}" + (play.album and f" ({play.album})")

    return _plain(
        (
            _at(play.began, "%Y-%m-%d %H:%M:%S.1234567"),
            *("user", "id", "Audio", item(play), "DirectPlay", "client", "device"),
            HEARD_SECONDS,
        )
        for play in plays
    )


def _apple_music(plays: Plays) -> bytes:
    names = ("Event Start Timestamp", "Play Duration Milliseconds", "Event Type")
    names += ("Song Name", "Container Artist Name", "Album Name", "Media Type")
    return _table(
        [
            names,
            *(
                (
                    _at(play.began, "%Y-%m-%dT%H:%M:%S.000Z"),
                    *(1000 * HEARD_SECONDS, "PLAY_END"),
                    *(play.track, play.artist, play.album, "AUDIO"),
                )
                for play in plays
            ),
        ]
    )


def _minute(play: Played) -> str:
    return _at(play.began, "%d %b %Y %H:%M")


WRITERS: dict[str, Callable[[Plays], bytes]] = {
    "deezer": _deezer,
    "spotify_extended": _spotify_extended,
    "spotify_short": _spotify_short,
    "listenbrainz_body": lambda plays: _json(
        {"listen_type": "import", "payload": _listens(plays)}
    ),
    "listenbrainz_list": lambda plays: _json(_listens(plays)),
    "listenbrainz": lambda plays: _lines(_listens(plays)),
    "maloja": _maloja,
    "maloja_tsv": lambda plays: _plain(
        (play.began, play.artist, play.track, play.album or "-", 200) for play in plays
    ),
    "koito": _koito,
    "pano_csv": lambda plays: _table(
        [_PANO, *(tuple(row.values()) for row in _pano(plays))]
    ),
    "pano_jsonl": lambda plays: _lines(_pano(plays)),
    "lastfmstats_csv": lambda plays: _table(
        [
            ("Artist", "Album", "AlbumId", "Track", "Date#somebody"),
            *((p.artist, p.album, "", p.track, p.began * 1000) for p in plays),
        ],
        ";",
    ),
    "lastfmstats_json": lambda plays: _json(
        {
            "username": "somebody",
            "scrobbles": [
                {
                    "track": play.track,
                    "artist": play.artist,
                    "album": play.album,
                    "date": play.began * 1000,
                }
                for play in plays
            ],
        }
    ),
    "youtube_takeout": _youtube,
    "lastfm_json_pages": lambda plays: _json([{"track": _lastfm_tracks(plays)}]),
    "lastfm_json": lambda plays: _json(_lastfm_tracks(plays)),
    "scrobbler_log": _scrobbler_log,
    "jellyfin": _jellyfin,
    "lastfm_export_tsv": lambda plays: _plain(
        (play.began, play.track, play.artist, play.album, "", "", "") for play in plays
    ),
    "lastfm_archive_tsv": lambda plays: _plain(
        [
            ("ISO time", "unixtime", "track name", "artist name", "album name"),
            *((_minute(p), p.began, p.track, p.artist, p.album) for p in plays),
        ]
    ),
    "apple_music": _apple_music,
    "lastfm_csv_minute": lambda plays: _table(
        (play.artist, play.album, play.track, _minute(play)) for play in plays
    ),
    "lastfm_csv_uts": lambda plays: _table(
        (play.artist, play.album, play.track, play.began) for play in plays
    ),
    "lastfm_csv_semicolons": lambda plays: _plain(
        (
            (p.track, p.album, p.artist, _at(p.began, "%d %b %Y, %H:%M"), p.began)
            for p in plays
        ),
        ";",
    ),
    "lastfm_csv_headed_minute": lambda plays: _table(
        [
            ("artist", "album", "track", "date"),
            *((play.artist, play.album, play.track, _minute(play)) for play in plays),
        ]
    ),
    "lastfm_csv": lambda plays: _table(
        [
            ("uts", "utc_time", "artist", "album", "track"),
            *((p.began, _minute(p), p.artist, p.album, p.track) for p in plays),
        ]
    ),
    "librefm": lambda plays: _table(
        [
            ("user", "somebody"),
            ("Time", "Artist", "Track", "Album", "MBID"),
            *((play.began, play.artist, play.track, play.album, "") for play in plays),
        ]
    ),
}
#: What a format knows no album of.
WITHOUT_ALBUMS = {"spotify_short", "youtube_takeout"}


def can_say(name: str, play: Played) -> bool:
    """Whether a format can tell this play from every other.

    A file without quoting ends a name at its delimiter; Jellyfin's has artist, title
    and album in one text.
    """
    if name == "lastfm_csv_semicolons":
        return ";" not in "".join(play[1:])
    if name == "jellyfin":
        is_split = " - " not in play.artist
        return is_split and (bool(play.album) or not play.track.endswith(")"))
    return True
