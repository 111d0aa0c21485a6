"""The methods of the API 2.0: from a world and parameters to an answer tree.

Shapes follow recorded answers, oddities included: numbers as strings, one item as an
object where last.fm does that, three kinds of empty. No HTTP, no keys, no faults here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import quote_plus, unquote_plus

from local_lastfm.catalogue import DAY_SECONDS, Artist, Listener, Track, Variant
from local_lastfm.covers import cover_images
from local_lastfm.render import Tree, images, json_bytes
from local_lastfm.world import PERIOD_DAYS, World

T = TypeVar("T")

WEEK_SECONDS = 7 * DAY_SECONDS
WEEK_ORIGIN = 302_400  # weeks of charts turn on Sunday, 12:00 UTC
SITE = "https://www.last.fm"
# Quoting a name costs as much as the rest of a row.
URLS_KEPT = 65_536
MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"
# Totals of the global charts count everything anybody ever scrobbled.
CHART_TOTALS = {"artists": 108_588_996, "tracks": 943_405_001, "tags": 2_874_765}


class ApiError(Exception):
    """An answer of last.fm that says no: its code, HTTP status and message."""

    def __init__(self, code: int, status: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.message = message


@dataclass(slots=True)
class Call:
    """One request to a method, at one instant of one world."""

    world: World
    method: str
    params: dict[str, str]
    now: int
    as_xml: bool = False
    session_listener: str = ""
    now_playing: bool | None = None

    def need(self, *keys: str) -> str:
        """The first parameter, after making sure that all of them are there."""
        for key in keys:
            if not self.params.get(key):
                raise ApiError(
                    6,
                    400,
                    "Invalid parameters - Your request is missing the "
                    f"[{key}] parameter",
                )
        return self.params[keys[0]]

    def number(self, key: str, default: int, low: int, high: int) -> int:
        text = self.params.get(key)
        if text is None or text == "":
            return default
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise ApiError(6, 400, f"{key} param out of bounds ({low}-{high})")
        return value

    def uts(self, key: str) -> int | None:
        text = self.params.get(key)
        if text is None or text == "":
            return None
        try:
            return int(text)
        except ValueError:
            raise ApiError(6, 400, f"Invalid {key} parameter") from None


@dataclass(frozen=True, slots=True)
class Page:
    number: int
    limit: int

    def cut(self, rows: Sequence[T]) -> Sequence[T]:
        first = (self.number - 1) * self.limit
        return rows[first : first + self.limit]

    def first(self) -> int:
        return (self.number - 1) * self.limit

    def attributes(self, total: int, **others: str) -> Tree:
        return {
            **others,
            "page": str(self.number),
            "perPage": str(self.limit),
            "totalPages": str(-(-total // self.limit)),
            "total": str(total),
        }


Handler = Callable[[Call], Tree]
HANDLERS: dict[str, tuple[str, Handler]] = {}
# Answers which change only when a name or a release does, not from day to day.
STATIC: set[str] = set()
DECODED_TWICE = ("artist.getInfo", "artist.getSimilar", "artist.getTopTracks")


def method(name: str, *, static: bool = False) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        HANDLERS[name.lower()] = (name, handler)
        if static:
            STATIC.add(name)
        return handler

    return register


def canonical(name: str) -> str | None:
    """The method's name in last.fm's capitals, None if there is no such method."""
    found = HANDLERS.get(name.lower())
    return found[0] if found else None


def decoded_again(name: str, params: dict[str, str]) -> dict[str, str]:
    """The parameters as the method understands them: last.fm's fault with a plus.

    It decodes `artist` of three methods a second time, so that a plus sent as ``%2B``
    is a blank and another page answers; ``%252B`` is what brings a plus.
    """
    if name not in DECODED_TWICE or "artist" not in params:
        return params
    return {**params, "artist": " ".join(unquote_plus(params["artist"]).split())}


def answer(call: Call) -> Tree:
    """The answer tree; ApiError where last.fm answers with an error."""
    return HANDLERS[call.method.lower()][1](call)


# -- small pieces -----------------------------------------------------------
def _page(call: Call, default: int = 50) -> Page:
    return Page(
        call.number("page", 1, 1, 1_000_000), call.number("limit", default, 1, 1000)
    )


def _one(rows: list[Tree]) -> Any:
    """A single row stands alone, as in the answers that come from old XML."""
    return rows[0] if len(rows) == 1 else rows


@lru_cache(maxsize=URLS_KEPT)
def artist_url(name: str) -> str:
    return f"{SITE}/music/{quote_plus(name)}"


@lru_cache(maxsize=URLS_KEPT)
def track_url(artist: str, track: str) -> str:
    return f"{SITE}/music/{quote_plus(artist)}/_/{quote_plus(track)}"


@lru_cache(maxsize=URLS_KEPT)
def album_url(artist: str, album: str) -> str:
    return f"{SITE}/music/{quote_plus(artist)}/{quote_plus(album)}"


@lru_cache(maxsize=URLS_KEPT)
def tag_url(tag: str) -> str:
    return f"{SITE}/tag/{quote_plus(tag)}"


@lru_cache(maxsize=URLS_KEPT)
def user_url(name: str) -> str:
    return f"{SITE}/user/{quote_plus(name)}"


def date_text(uts: int) -> str:
    """The minute, as last.fm writes it: `22 Nov 2026, 13:05`."""
    day, second = divmod(uts, DAY_SECONDS)
    return f"{day_text(day)}{second // 3600:02d}:{second // 60 % 60:02d}"


_DAY_TEXTS: dict[int, str] = {}


def day_text(day: int) -> str:
    found = _DAY_TEXTS.get(day)
    if found is None:
        # Civil from days, Howard Hinnant's algorithm: right for any year.
        shifted = day + 719_468
        era, doe = divmod(shifted, 146_097)
        yoe = (doe - doe // 1460 + doe // 36_524 - doe // 146_096) // 365
        doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
        month = (5 * doy + 2) // 153
        number = doy - (153 * month + 2) // 5 + 1
        month = month + 3 if month < 10 else month - 9
        year = yoe + era * 400 + (month <= 2)
        found = f"{number:02d} {MONTHS[3 * month - 3 : 3 * month]} {year}, "
        _DAY_TEXTS[day] = found
    return found


def _artist(call: Call) -> Artist:
    if not call.params.get("artist") and call.params.get("mbid"):
        for artist in call.world.artists:
            if artist.mbid == call.params["mbid"] and artist.debut_day <= (
                call.now // DAY_SECONDS
            ):
                return artist
        raise ApiError(6, 200, "The artist you supplied could not be found")
    found = call.world.artist(call.need("artist"), call.now)
    if found is None:
        raise ApiError(6, 200, "The artist you supplied could not be found")
    return found


def _listener(call: Call) -> Listener:
    if not call.params.get("user") and call.session_listener:
        name = call.session_listener
    else:
        name = call.need("user")
    found = call.world.listener(name, call.now)
    if found is None:
        raise ApiError(
            6,
            404,
            "User not found"
            if call.method == "user.getInfo"
            else "No user with that name was found",
        )
    return found


def _public_listener(call: Call) -> Listener:
    listener = _listener(call)
    own = call.session_listener.casefold() == listener.name.casefold()
    if listener.is_private and not own:
        raise ApiError(17, 403, "Login: User required to be logged in")
    return listener


def _mbid_artist(world: World, index: int, now: int) -> Tree:
    name = world.artist_name(index, now)
    tree: Tree = {"name": name}
    if world.artists[index].mbid:
        tree["mbid"] = world.artists[index].mbid
    tree["url"] = artist_url(name)
    return tree


def _track(call: Call) -> Track:
    world = call.world
    if not call.params.get("track") and call.params.get("mbid"):
        for track in world.tracks:
            if track.mbid == call.params["mbid"]:
                return track
        raise ApiError(6, 404, "Track not found")
    call.need("artist", "track")
    artist = world.artist(call.params["artist"], call.now)
    found = artist and world.track(artist.index, call.params["track"], call.now)
    if not found:
        raise ApiError(6, 404, "Track not found")
    return found


# -- chart.* ----------------------------------------------------------------
def _chart_attributes(page: Page, kind: str) -> Tree:
    return page.attributes(CHART_TOTALS[kind])


@method("chart.getTopArtists")
def chart_top_artists(call: Call) -> Tree:
    page, world = _page(call), call.world
    rows = []
    for index in page.cut(world.chart_artists(call.now)):
        listeners, plays = world.artist_counters(index, call.now)
        name = world.artist_name(index, call.now)
        rows.append(
            {
                "name": name,
                "playcount": str(plays),
                "listeners": str(listeners),
                "mbid": world.artists[index].mbid,
                "url": artist_url(name),
                "streamable": "0",
            }
        )
    return {"artists": {"artist": rows, "@attr": _chart_attributes(page, "artists")}}


def _track_row(call: Call, number: int, *, counters: bool = False) -> Tree:
    world = call.world
    track = world.tracks[number]
    artist = world.artist_name(track.artist, call.now)
    tree: Tree = {"name": track.name, "duration": str(track.duration_seconds)}
    if counters:
        listeners, plays = world.track_counters(number, call.now)
        tree |= {"playcount": str(plays), "listeners": str(listeners)}
    tree |= {
        "mbid": track.mbid,
        "url": track_url(artist, track.name),
        "streamable": {"#text": "0", "fulltrack": "0"},
        "artist": {
            "name": artist,
            "mbid": world.artists[track.artist].mbid,
            "url": artist_url(artist),
        },
    }
    return tree


@method("chart.getTopTracks")
def chart_top_tracks(call: Call) -> Tree:
    page = _page(call)
    rows = [
        _track_row(call, number, counters=True)
        for number in page.cut(call.world.chart_tracks(call.now))
    ]
    return {"tracks": {"track": rows, "@attr": _chart_attributes(page, "tracks")}}


@method("chart.getTopTags")
def chart_top_tags(call: Call) -> Tree:
    page = _page(call)
    rows = [
        {
            "name": tag,
            "url": tag_url(tag),
            "reach": str(reach),
            "taggings": str(taggings),
            "streamable": "1",
            "wiki": {},
        }
        for tag, reach, taggings in page.cut(call.world.chart_tags(call.now))
    ]
    return {"tags": {"tag": rows, "@attr": _chart_attributes(page, "tags")}}


# -- geo.* ------------------------------------------------------------------
@method("geo.getTopArtists")
def geo_top_artists(call: Call) -> Tree:
    country, page = call.need("country"), _page(call)
    found = call.world.geo_artists(country, call.now)
    if found is None:
        raise ApiError(6, 400, "country param invalid")
    rows = []
    for place, (index, listeners) in enumerate(page.cut(found), page.first() + 1):
        name = call.world.artist_name(index, call.now)
        rows.append(
            {
                "name": name,
                "listeners": str(listeners),
                "mbid": call.world.artists[index].mbid,
                "url": artist_url(name),
                "streamable": "0",
                "@attr": {"rank": str(place)},
            }
        )
    attributes = page.attributes(len(found), country=country)
    return {"topartists": {"artist": rows, "@attr": attributes}}


@method("geo.getTopTracks")
def geo_top_tracks(call: Call) -> Tree:
    country, page = call.need("country"), _page(call)
    found = call.world.geo_tracks(country, call.now)
    if found is None:
        raise ApiError(6, 400, "country param invalid")
    rows = []
    for place, (number, listeners) in enumerate(page.cut(found), page.first()):
        row = _track_row(call, number)
        row["listeners"] = str(listeners)
        row["@attr"] = {"rank": str(place)}
        rows.append(row)
    attributes = page.attributes(len(found), country=country)
    return {"tracks": {"track": rows, "@attr": attributes}}


# -- tag.* ------------------------------------------------------------------
@method("tag.getInfo")
def tag_info(call: Call) -> Tree:
    tag = call.need("tag")
    # last.fm knows every tag, most of them with nothing.
    name, reach, taggings = tag, 0, 0
    for row in call.world.chart_tags(call.now):
        if row[0].casefold() == tag.casefold():
            name, reach, taggings = row
    summary = f' <a href="{tag_url(name)}">Read more on Last.fm</a>.'
    wiki = {"summary": summary, "content": ""}
    return {"tag": {"name": name, "total": taggings, "reach": reach, "wiki": wiki}}


@method("tag.getTopTags")
def tag_top_tags(call: Call) -> Tree:
    offset = call.number("offset", 0, 0, 1_000_000)
    count = call.number("num_res", 50, 1, 1000)
    tags = call.world.chart_tags(call.now)
    rows = [
        {"name": name, "count": taggings, "reach": reach}
        for name, reach, taggings in tags[offset : offset + count]
    ]
    attributes = {
        "offset": offset,
        "num_res": count,
        "total": CHART_TOTALS["tags"],
    }
    return {"toptags": {"@attr": attributes, "tag": rows}}


@method("tag.getTopArtists", static=True)
def tag_top_artists(call: Call) -> Tree:
    page, tag = _page(call), call.need("tag")
    found = call.world.tag_artists(tag, call.now)
    rows = []
    for place, index in enumerate(page.cut(found), page.first() + 1):
        row = _mbid_artist(call.world, index, call.now)
        row |= {"streamable": "0", "@attr": {"rank": str(place)}}
        rows.append(row)
    attributes = page.attributes(len(found), tag=tag)
    return {"topartists": {"artist": rows, "@attr": attributes}}


def _tag_tracks(call: Call, tag: str) -> list[int]:
    day = call.now // DAY_SECONDS
    return [
        number
        for index in call.world.tag_artists(tag, call.now)
        for number in call.world.artists[index].tracks[:3]
        if call.world.tracks[number].released_day <= day
    ]


@method("tag.getTopTracks", static=True)
def tag_top_tracks(call: Call) -> Tree:
    page, tag = _page(call), call.need("tag")
    found = _tag_tracks(call, tag)
    rows = []
    for place, number in enumerate(page.cut(found), page.first() + 1):
        row = _track_row(call, number)
        row["@attr"] = {"rank": str(place)}
        rows.append(row)
    attributes = page.attributes(len(found), tag=tag)
    return {"tracks": {"track": rows, "@attr": attributes}}


@method("tag.getTopAlbums", static=True)
def tag_top_albums(call: Call) -> Tree:
    page, tag, world = _page(call), call.need("tag"), call.world
    day = call.now // DAY_SECONDS
    found = [
        number
        for index in world.tag_artists(tag, call.now)
        for number in world.artists[index].albums[:2]
        if world.albums[number].released_day <= day
    ]
    rows = []
    for place, number in enumerate(page.cut(found), page.first() + 1):
        row = _album_row(call, number)
        row["@attr"] = {"rank": str(place)}
        rows.append(row)
    attributes = page.attributes(len(found), tag=tag)
    return {"albums": {"album": _one(rows), "@attr": attributes}}


# -- artist.* ---------------------------------------------------------------
def _tag_list(tags: Sequence[tuple[str, int]]) -> list[Tree]:
    return [{"name": tag, "url": tag_url(tag)} for tag, _ in tags]


@method("artist.getInfo")
def artist_info(call: Call) -> Tree:
    artist, world = _artist(call), call.world
    name = world.artist_name(artist.index, call.now)
    listeners, plays = world.artist_counters(artist.index, call.now)
    similar = []
    for index, _ in world.similar_artists(artist.index, call.now)[:5]:
        other = world.artist_name(index, call.now)
        similar.append({"name": other, "url": artist_url(other)})
    stats: Tree = {"listeners": str(listeners), "playcount": str(plays)}
    who = call.params.get("username") or call.session_listener
    if who:
        heard = world.listener(who, call.now)
        if heard is not None:
            own = world.top_artists(heard, 0, call.now)
            count = sum(p for n, _, p in own if n == name)
            stats["userplaycount"] = str(count)
    tree: Tree = {"name": name}
    if artist.mbid:
        tree["mbid"] = artist.mbid
    link = f'<a href="{artist_url(name)}">Read more on Last.fm</a>'
    tree |= {
        "url": artist_url(name),
        "image": images(),
        "streamable": "0",
        "ontour": "0",
        "stats": stats,
        "similar": {"artist": similar},
        "tags": {"tag": _tag_list(artist.tags[:5])},
        "bio": {
            "links": {
                "link": {
                    "#text": "",
                    "rel": "original",
                    "href": f"https://last.fm/music/{quote_plus(name)}/+wiki",
                }
            },
            "published": "01 Jan 1970, 00:00",
            "summary": f" {link}",
            "content": "",
        },
    }
    return {"artist": tree}


@method("artist.getTopTags", static=True)
def artist_top_tags(call: Call) -> Tree:
    artist = _artist(call)
    name = call.world.artist_name(artist.index, call.now)
    if not artist.tags:
        return {"toptags": {"#text": "\n", "artist": name}}
    rows: list[Tree] = [
        {"count": weight, "name": tag, "url": tag_url(tag)}
        for tag, weight in artist.tags
    ]
    return {"toptags": {"tag": _one(rows), "@attr": {"artist": name}}}


@method("artist.getSimilar", static=True)
def artist_similar(call: Call) -> Tree:
    artist, world = _artist(call), call.world
    limit = call.number("limit", 100, 1, 1000)
    rows = []
    for index, match in world.similar_artists(artist.index, call.now)[:limit]:
        row = _mbid_artist(world, index, call.now)
        row |= {"match": f"{match:.6f}" if match < 1 else "1", "streamable": "0"}
        rows.append(row)
    name = world.artist_name(artist.index, call.now)
    return {"similarartists": {"artist": rows, "@attr": {"artist": name}}}


@method("artist.getTopTracks")
def artist_top_tracks(call: Call) -> Tree:
    artist, page, world = _artist(call), _page(call), call.world
    name = world.artist_name(artist.index, call.now)
    found = world.artist_tracks(artist.index, call.now)
    rows = []
    for place, number in enumerate(page.cut(found), page.first() + 1):
        track = world.tracks[number]
        listeners, plays = world.track_counters(number, call.now)
        row: Tree = {
            "name": track.name,
            "playcount": str(plays),
            "listeners": str(listeners),
        }
        if track.mbid:
            row["mbid"] = track.mbid
        row |= {
            "url": track_url(name, track.name),
            "streamable": "0",
            "artist": _mbid_artist(world, artist.index, call.now),
            "@attr": {"rank": str(place)},
        }
        rows.append(row)
    attributes = page.attributes(len(found), artist=name)
    return {"toptracks": {"track": rows, "@attr": attributes}}


def _album_row(call: Call, number: int) -> Tree:
    world = call.world
    album = world.albums[number]
    artist = world.artist_name(album.artist, call.now)
    return {
        "name": album.name,
        "mbid": album.mbid,
        "url": album_url(artist, album.name),
        "artist": _mbid_artist(world, album.artist, call.now),
        "image": _cover(call, number),
    }


def _cover(call: Call, number: int) -> list[Tree]:
    """The album's pictures; an artist's new name leaves them as they are."""
    album = call.world.albums[number]
    return cover_images(call.world.artists[album.artist].name, album.name)


@method("artist.getTopAlbums")
def artist_top_albums(call: Call) -> Tree:
    artist, page, world = _artist(call), _page(call), call.world
    found = world.artist_albums(artist.index, call.now)
    rows = []
    for place, number in enumerate(page.cut(found), page.first() + 1):
        row = _album_row(call, number)
        row["playcount"] = world.album_counters(number, call.now)[1]
        if not row["mbid"]:
            del row["mbid"]
        if call.as_xml:
            row["@attr"] = {"rank": str(place)}
        rows.append(row)
    name = world.artist_name(artist.index, call.now)
    attributes = page.attributes(len(found), artist=name)
    return {"topalbums": {"album": rows, "@attr": attributes}}


@method("artist.getCorrection", static=True)
def artist_correction(call: Call) -> Tree:
    asked = call.need("artist")
    found = call.world.artist(asked, call.now)
    if found is None:
        return {"corrections": "\n                "}
    tree = _mbid_artist(call.world, found.index, call.now)
    # A name that is right is answered with itself, or with an empty list.
    if found.index % 2 and tree["name"] == asked:
        return {"corrections": {"correction": []}}
    return {"corrections": {"correction": {"artist": tree, "@attr": {"index": "0"}}}}


def _search(call: Call, what: str, names: list[tuple[int, str]]) -> tuple[Tree, Page]:
    """The frame of a search answer; the caller puts the matches in."""
    page = _page(call, 30)
    query = call.params[what]
    return {
        "opensearch:Query": {
            "#text": "",
            "role": "request",
            "searchTerms": query,
            "startPage": str(page.number),
        },
        "opensearch:totalResults": str(len(names)),
        "opensearch:startIndex": str(page.first()),
        "opensearch:itemsPerPage": str(page.limit),
    }, page


def _matches(query: str, names: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Exact, then beginning, then containing; in each by place in the world."""
    wanted = query.strip().casefold()
    ranked = []
    for index, name in names:
        key = name.casefold()
        if wanted in key:
            rank = 0 if key == wanted else 1 if key.startswith(wanted) else 2
            ranked.append((rank, index, name))
    return [(index, name) for _, index, name in sorted(ranked)]


def _found(call: Call, frame: Tree, kind: str, rows: list[Tree], query: str) -> Tree:
    plural = f"{kind}matches"
    frame[plural] = {kind: rows} if rows else "\n"
    frame["@attr"] = {"for": query}
    return {"results": frame}


@method("artist.search")
def artist_search(call: Call) -> Tree:
    query, world = call.need("artist"), call.world
    day = call.now // DAY_SECONDS
    known = [
        (a.index, world.artist_name(a.index, call.now))
        for a in world.artists
        if a.debut_day <= day and not (a.merged_into >= 0 and day >= a.merged_day)
    ]
    found = _matches(query, known)
    frame, page = _search(call, "artist", found)
    rows: list[Tree] = [
        {
            "name": name,
            "listeners": str(world.artist_counters(index, call.now)[0]),
            "mbid": world.artists[index].mbid,
            "url": artist_url(name),
            "streamable": "0",
            "image": images(),
        }
        for index, name in page.cut(found)
    ]
    return _found(call, frame, "artist", rows, query)


# -- album.* ----------------------------------------------------------------
def _album(call: Call) -> int:
    world = call.world
    if not call.params.get("album") and call.params.get("mbid"):
        for album in world.albums:
            if album.mbid == call.params["mbid"]:
                return album.index
        raise ApiError(6, 404, "Album not found")
    call.need("artist", "album")
    artist = world.artist(call.params["artist"], call.now)
    found = artist and world.album(artist.index, call.params["album"], call.now)
    if not found:
        raise ApiError(6, 404, "Album not found")
    return found.index


@method("album.getInfo")
def album_info(call: Call) -> Tree:
    world = call.world
    album = world.albums[_album(call)]
    artist = world.artist_name(album.artist, call.now)
    listeners, plays = world.album_counters(album.index, call.now)
    tree: Tree = {"artist": artist}
    if album.mbid:
        tree["mbid"] = album.mbid
    tags = _tag_list(world.artists[album.artist].tags[:5])
    tracks: list[Tree] = []
    for place, number in enumerate(album.tracks, 1):
        track = world.tracks[number]
        tracks.append(
            {
                "streamable": {"fulltrack": "0", "#text": "0"},
                "duration": track.duration_seconds or None,
                "url": f"{album_url(artist, album.name)}/{quote_plus(track.name)}",
                "name": track.name,
                "@attr": {"rank": place},
                "artist": _mbid_artist(world, album.artist, call.now),
            }
        )
    tree |= {
        "tags": {"tag": _one(tags)} if tags else "",
        "name": album.name,
        "image": _cover(call, album.index),
        "tracks": {"track": _one(tracks)},
        "listeners": str(listeners),
        "playcount": str(plays),
        "url": album_url(artist, album.name),
    }
    return {"album": tree}


@method("album.getTopTags", static=True)
def album_top_tags(call: Call) -> Tree:
    world = call.world
    album = world.albums[_album(call)]
    artist = world.artist_name(album.artist, call.now)
    tags = world.artists[album.artist].tags
    if not tags or album.index % 7 == 3:
        return {"toptags": {"#text": "\n", "artist": artist, "album": album.name}}
    rows: list[Tree] = [
        {"count": weight, "name": tag, "url": tag_url(tag)} for tag, weight in tags
    ]
    attributes = {"artist": artist, "album": album.name}
    return {"toptags": {"tag": _one(rows), "@attr": attributes}}


@method("album.search")
def album_search(call: Call) -> Tree:
    query, world = call.need("album"), call.world
    day = call.now // DAY_SECONDS
    known = [(a.index, a.name) for a in world.albums if a.released_day <= day]
    found = _matches(query, known)
    frame, page = _search(call, "album", found)
    rows: list[Tree] = []
    for index, name in page.cut(found):
        artist = world.artist_name(world.albums[index].artist, call.now)
        rows.append(
            {
                "name": name,
                "artist": artist,
                "url": album_url(artist, name),
                "image": _cover(call, index),
                "streamable": "0",
                "mbid": world.albums[index].mbid,
            }
        )
    return _found(call, frame, "album", rows, query)


# -- track.* ----------------------------------------------------------------
@method("track.getInfo")
def track_info(call: Call) -> Tree:
    world, track = call.world, _track(call)
    artist = world.artist_name(track.artist, call.now)
    listeners, plays = world.track_counters(track.index, call.now)
    tree: Tree = {"name": track.name}
    if track.mbid:
        tree["mbid"] = track.mbid
    tree |= {
        "url": track_url(artist, track.name),
        "duration": str(track.duration_seconds * 1000),
        "streamable": {"#text": "0", "fulltrack": "0"},
        "listeners": str(listeners),
        "playcount": str(plays),
        "artist": _mbid_artist(world, track.artist, call.now),
    }
    if track.album >= 0:
        album = world.albums[track.album]
        tree["album"] = {
            "artist": artist,
            "title": album.name,
            "url": album_url(artist, album.name),
            "image": _cover(call, album.index),
            "@attr": {"position": str(album.tracks.index(track.index) + 1)},
        }
        if album.mbid:
            tree["album"]["mbid"] = album.mbid
    tree["toptags"] = {"tag": _tag_list(world.artists[track.artist].tags[:5])}
    return {"track": tree}


@method("track.getCorrection", static=True)
def track_correction(call: Call) -> Tree:
    call.need("artist", "track")
    world = call.world
    artist = world.artist(call.params["artist"], call.now)
    track = artist and world.track(artist.index, call.params["track"], call.now)
    if not artist or not track:
        return {"corrections": "\n                "}
    name = world.artist_name(artist.index, call.now)
    attributes = {
        "index": "0",
        "artistcorrected": str(int(name != call.params["artist"])),
        "trackcorrected": str(int(track.name != call.params["track"])),
    }
    tree = {
        "name": track.name,
        "url": track_url(name, track.name),
        "artist": _mbid_artist(world, artist.index, call.now),
    }
    return {"corrections": {"correction": {"track": tree, "@attr": attributes}}}


@method("track.getSimilar")
def track_similar(call: Call) -> Tree:
    world, track = call.world, _track(call)
    limit = call.number("limit", 100, 1, 1000)
    artist = world.artist_name(track.artist, call.now)
    day = call.now // DAY_SECONDS
    pairs: list[tuple[float, int]] = [
        (0.99 - 0.03 * place, other)
        for place, other in enumerate(world.artists[track.artist].tracks[:8])
        if other != track.index and world.tracks[other].released_day <= day
    ]
    for index, match in world.similar_artists(track.artist, call.now)[:30]:
        for place, other in enumerate(world.artists[index].tracks[:2]):
            if world.tracks[other].released_day <= day:
                pairs.append((match * (0.9 - 0.1 * place), other))
    pairs.sort(key=lambda pair: (-pair[0], pair[1]))
    best = pairs[0][0] if pairs else 1.0
    rows = []
    for match, other in pairs[:limit]:
        row = _track_row(call, other)
        row["playcount"] = world.track_counters(other, call.now)[1]
        row["match"] = round(match / best, 3)
        row["duration"] = world.tracks[other].duration_seconds or None
        if not row["mbid"]:
            del row["mbid"]
        rows.append(row)
    attributes = {"artist": artist, "track": track.name}
    return {"similartracks": {"track": rows, "@attr": attributes}}


@method("track.getTopTags", static=True)
def track_top_tags(call: Call) -> Tree:
    world, track = call.world, _track(call)
    artist = world.artist_name(track.artist, call.now)
    tags = world.artists[track.artist].tags[:4] if track.index % 5 else ()
    rows = [{"count": w, "name": tag, "url": tag_url(tag)} for tag, w in tags]
    attributes = {"artist": artist, "track": track.name}
    return {"toptags": {"tag": rows, "@attr": attributes}}


@method("track.search")
def track_search(call: Call) -> Tree:
    query, world = call.need("track"), call.world
    day = call.now // DAY_SECONDS
    known = [(t.index, t.name) for t in world.tracks if t.released_day <= day]
    if call.params.get("artist"):
        artist = world.artist(call.params["artist"], call.now)
        own = set(artist.tracks) if artist else set()
        known = [(index, name) for index, name in known if index in own]
    found = _matches(query, known)
    frame, page = _search(call, "track", found)
    rows: list[Tree] = []
    for index, name in page.cut(found):
        by = world.artist_name(world.tracks[index].artist, call.now)
        rows.append(
            {
                "name": name,
                "artist": by,
                "url": track_url(by, name),
                "streamable": "FIXME",  # the word last.fm itself answers
                "listeners": str(world.track_counters(index, call.now)[0]),
                "image": images(),
                "mbid": world.tracks[index].mbid,
            }
        )
    return _found(call, frame, "track", rows, query)


# -- user.* -----------------------------------------------------------------
@method("user.getInfo")
def user_info(call: Call) -> Tree:
    listener, world = _listener(call), call.world
    artists, albums, tracks = world.distinct(listener, call.now)
    registered = listener.registered_uts
    return {
        "user": {
            "name": listener.name,
            "age": "0",
            "subscriber": "0",
            "realname": listener.real_name,
            "bootstrap": "0",
            "playcount": str(world.playcount(listener, call.now)),
            "artist_count": str(artists),
            "playlists": "0",
            "track_count": str(tracks),
            "album_count": str(albums),
            "image": images(),
            "registered": {"unixtime": str(registered), "#text": registered},
            "country": listener.country or "None",
            "gender": "n",
            "url": user_url(listener.name),
            "type": "user",
        }
    }


def scrobble_tree(variant: Variant, uts: int | None, *, extended: bool) -> Tree:
    """One row of recent tracks; without `uts` it is the one playing now."""
    artist: Tree = {"mbid": variant.artist_mbid, "#text": variant.artist_name}
    if extended:
        artist = {
            "url": artist_url(variant.artist_name),
            "name": variant.artist_name,
            "image": images(),
            "mbid": variant.artist_mbid,
        }
    tree: Tree = {
        "artist": artist,
        "streamable": "0",
        "mbid": variant.track_mbid,
        "album": {"mbid": variant.album_mbid, "#text": variant.album_name},
        "name": variant.track_name,
        "url": track_url(variant.artist_name, variant.track_name),
    }
    if extended:
        tree["loved"] = "0"
    if uts is None:
        tree["@attr"] = {"nowplaying": "true"}
    else:
        tree["date"] = {"uts": str(uts), "#text": date_text(uts)}
    return tree


def recent_window(call: Call, listener: Listener) -> tuple[list[int], list[int], int]:
    """(uts, variants) of the page, newest first, and the total of the window."""
    page = _page(call)
    start, end = call.uts("from") or 0, call.uts("to")
    shown = call.world.plays(listener).at(call.now)
    first, last = shown.window(start, min(call.now, end) if end else call.now)
    total = max(0, last - first)
    high = max(first, last - page.first())
    low = max(first, high - page.limit)
    uts = shown.uts[low:high]
    variants = shown.variants[low:high]
    uts.reverse()
    variants.reverse()
    return uts, variants, total


def playing_now(call: Call, listener: Listener) -> Variant | None:
    if call.now_playing is False:
        return None
    if call.now_playing:
        shown = call.world.plays(listener).at(call.now)
        if shown.variants:
            return call.world.variants[shown.variants[-1]]
    number = call.world.now_playing(listener, call.now)
    return None if number is None else call.world.variants[number]


@method("user.getRecentTracks")
def user_recent_tracks(call: Call) -> Tree:
    listener, page, world = _public_listener(call), _page(call), call.world
    extended = call.params.get("extended") == "1"
    uts, variants, total = recent_window(call, listener)
    loved: set[int] = set()
    if extended:
        loved = {world.variants[v].track for v, _ in world.loved(listener, call.now)}
    rows = []
    playing = playing_now(call, listener)
    if playing is not None:
        rows.append(scrobble_tree(playing, None, extended=extended))
    for at, number in zip(uts, variants, strict=True):
        variant = world.variants[number]
        row = scrobble_tree(variant, at, extended=extended)
        if extended and variant.track in loved:
            row["loved"] = "1"
        rows.append(row)
    attributes = page.attributes(total, user=listener.name)
    if not rows and not world.playcount(listener, call.now):
        return {"recenttracks": {"#text": "\n", **attributes}}
    return {"recenttracks": {"track": _one(rows), "@attr": attributes}}


def _open_fragment(tree: Tree) -> str:
    """The row as JSON without its last brace: what varies is put behind."""
    return json_bytes(tree).decode()[:-1]


def recent_tracks_json(call: Call) -> bytes:
    """user.getRecentTracks from ready-made rows: a page of 1000 in about 1 ms.

    Gives what `json_bytes(user_recent_tracks(call))` gives, the order of keys aside.
    """
    listener, page, world = _public_listener(call), _page(call), call.world
    uts, variants, total = recent_window(call, listener)
    playing = playing_now(call, listener)
    if len(uts) < 2 or playing is not None:
        return json_bytes(user_recent_tracks(call))
    fragments = world.fragments
    rows: list[str] = []
    for at, number in zip(uts, variants, strict=True):
        fragment = fragments.get(("scrobble", number))
        if fragment is None:
            tree = scrobble_tree(world.variants[number], None, extended=False)
            del tree["@attr"]
            fragment = _open_fragment(tree)
            fragments["scrobble", number] = fragment
        day, second = divmod(at, DAY_SECONDS)
        text = f"{day_text(day)}{second // 3600:02d}:{second // 60 % 60:02d}"
        rows.append(f'{fragment},"date":{{"uts":"{at}","#text":"{text}"}}}}')
    attributes = json_bytes(page.attributes(total, user=listener.name)).decode()
    joined = ",".join(rows)
    return f'{{"recenttracks":{{"track":[{joined}],"@attr":{attributes}}}}}'.encode()


@method("user.getTrackScrobbles")
def user_track_scrobbles(call: Call) -> Tree:
    listener, page, world = _public_listener(call), _page(call), call.world
    track = _track(call)
    shown = world.plays(listener).at(call.now)
    last = shown.window(0, call.now)[1]
    found = [
        (uts, number)
        for uts, number in zip(shown.uts[:last], shown.variants[:last], strict=True)
        if world.variants[number].track == track.index
    ]
    found.reverse()
    rows = [
        scrobble_tree(world.variants[number], uts, extended=False)
        for uts, number in page.cut(found)
    ]
    attributes = page.attributes(len(found), user=listener.name)
    return {"trackscrobbles": {"track": rows, "@attr": attributes}}


def _period(call: Call) -> tuple[str, int]:
    """The period's name and its first second."""
    period = call.params.get("period") or "overall"
    days = PERIOD_DAYS.get(period)
    if days is None:
        raise ApiError(6, 400, "Invalid period parameter")
    return period, call.now - days * DAY_SECONDS + 1 if days else 0


def _user_tops(
    call: Call, root: str, item: str, rows: list[Tree], total: int, page: Page
) -> Tree:
    listener = _listener(call)
    attributes = page.attributes(total, user=listener.name)
    if not total:
        old = {"user": listener.name, "type": _period(call)[0], **attributes}
        return {root: {"#text": "\n    ", **old}}
    return {root: {item: _one(rows), "@attr": attributes}}


@method("user.getTopArtists")
def user_top_artists(call: Call) -> Tree:
    listener, page = _listener(call), _page(call)
    _, start = _period(call)
    found = call.world.top_artists(listener, start, call.now)
    rows: list[Tree] = [
        {
            "streamable": "0",
            "mbid": mbid,
            "name": name,
            "url": artist_url(name),
            "playcount": str(plays),
            "@attr": {"rank": str(place)},
        }
        for place, (name, mbid, plays) in enumerate(page.cut(found), page.first() + 1)
    ]
    return _user_tops(call, "topartists", "artist", rows, len(found), page)


def _top_album(call: Call, number: int) -> Tree:
    variant = call.world.variants[number]
    return {
        "artist": {
            "url": artist_url(variant.artist_name),
            "name": variant.artist_name,
            "mbid": variant.artist_mbid,
        },
        "mbid": variant.album_mbid,
        "name": variant.album_name,
        "url": album_url(variant.artist_name, variant.album_name),
    }


def _top_track(call: Call, number: int) -> Tree:
    variant = call.world.variants[number]
    return {
        "streamable": {"fulltrack": "0", "#text": "0"},
        "mbid": variant.track_mbid,
        "name": variant.track_name,
        "artist": {
            "url": artist_url(variant.artist_name),
            "name": variant.artist_name,
            "mbid": variant.artist_mbid,
        },
        "url": track_url(variant.artist_name, variant.track_name),
        "duration": str(call.world.tracks[variant.track].duration_seconds),
    }


_TOP_ROWS = {"album": _top_album, "track": _top_track}


def _top(call: Call, kind: str) -> Tree:
    listener, page = _listener(call), _page(call)
    _, start = _period(call)
    found = call.world.ranked(kind, listener, start, call.now)
    rows = []
    for place, (number, plays) in enumerate(page.cut(found), page.first() + 1):
        row = _TOP_ROWS[kind](call, number)
        row |= {"playcount": str(plays), "@attr": {"rank": str(place)}}
        rows.append(row)
    return _user_tops(call, f"top{kind}s", kind, rows, len(found), page)


def _top_json(call: Call, kind: str) -> bytes:
    """What `_top` gives, from ready-made rows: these answers are long and many."""
    listener, page, fragments = _listener(call), _page(call), call.world.fragments
    _, start = _period(call)
    found = call.world.ranked(kind, listener, start, call.now)
    cut = page.cut(found)
    if len(cut) < 2:
        return json_bytes(_top(call, kind))
    rows: list[str] = []
    for place, (number, plays) in enumerate(cut, page.first() + 1):
        fragment = fragments.get((kind, number))
        if fragment is None:
            fragment = _open_fragment(_TOP_ROWS[kind](call, number))
            fragments[kind, number] = fragment
        rows.append(f'{fragment},"playcount":"{plays}","@attr":{{"rank":"{place}"}}}}')
    attributes = page.attributes(len(found), user=listener.name)
    written = json_bytes(attributes).decode()
    joined = ",".join(rows)
    return f'{{"top{kind}s":{{"{kind}":[{joined}],"@attr":{written}}}}}'.encode()


@method("user.getTopAlbums")
def user_top_albums(call: Call) -> Tree:
    return _top(call, "album")


@method("user.getTopTracks")
def user_top_tracks(call: Call) -> Tree:
    return _top(call, "track")


def top_albums_json(call: Call) -> bytes:
    return _top_json(call, "album")


def top_tracks_json(call: Call) -> bytes:
    return _top_json(call, "track")


# Methods whose JSON is put together from ready-made rows.
QUICK: dict[str, Callable[[Call], bytes]] = {
    "user.getRecentTracks": recent_tracks_json,
    "user.getTopAlbums": top_albums_json,
    "user.getTopTracks": top_tracks_json,
}


@method("user.getTopTags")
def user_top_tags(call: Call) -> Tree:
    listener = _listener(call)
    limit = call.number("limit", 50, 1, 1000)
    counts = Counter(tag.tag for tag in call.world.personal_tags(listener, call.now))
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:limit]
    rows = [{"name": t, "count": str(n), "url": tag_url(t)} for t, n in ranked]
    return {"toptags": {"tag": rows, "@attr": {"user": listener.name}}}


@method("user.getPersonalTags")
def user_personal_tags(call: Call) -> Tree:
    listener, page, world = _listener(call), _page(call), call.world
    tag = call.need("tag", "taggingtype")
    kind = call.params["taggingtype"]
    if kind not in ("artist", "album", "track"):
        raise ApiError(6, 400, "Invalid taggingtype parameter")
    found = [
        own
        for own in world.personal_tags(listener, call.now)
        if own.kind == kind and own.tag.casefold() == tag.casefold()
    ]
    rows = []
    for own in page.cut(found):
        if kind == "artist":
            row = _mbid_artist(world, own.item, call.now) | {"streamable": "0"}
        elif kind == "album":
            row = _album_row(call, own.item)
        else:
            row = _track_row(call, own.item)
        if world.dated_tags:
            row["date"] = {"uts": str(own.uts), "#text": date_text(own.uts)}
        rows.append(row)
    attributes = page.attributes(len(found), user=listener.name, tag=tag)
    return {"taggings": {f"{kind}s": {kind: rows}, "@attr": attributes}}


@method("user.getLovedTracks")
def user_loved_tracks(call: Call) -> Tree:
    listener, page, world = _listener(call), _page(call), call.world
    found = world.loved(listener, call.now)
    rows: list[Tree] = []
    for number, uts in page.cut(found):
        variant = world.variants[number]
        rows.append(
            {
                "artist": {
                    "url": artist_url(variant.artist_name),
                    "name": variant.artist_name,
                    "mbid": variant.artist_mbid,
                },
                "date": {"uts": str(uts), "#text": date_text(uts)},
                "mbid": variant.track_mbid,
                "url": track_url(variant.artist_name, variant.track_name),
                "name": variant.track_name,
                "streamable": {"fulltrack": "0", "#text": "0"},
            }
        )
    attributes = page.attributes(len(found), user=listener.name)
    return {"lovedtracks": {"track": _one(rows), "@attr": attributes}}


@method("user.getFriends")
def user_friends(call: Call) -> Tree:
    listener, page, world = _listener(call), _page(call), call.world
    found = [
        friend
        for name in listener.friends
        if (friend := world.listener(name, call.now)) is not None
    ]
    rows: list[Tree] = []
    for friend in page.cut(found):
        registered = friend.registered_uts
        rows.append(
            {
                "name": friend.name,
                "url": user_url(friend.name),
                "country": friend.country or "None",
                "playlists": "0",
                "playcount": str(world.playcount(friend, call.now)),
                "image": images(),
                "registered": {
                    "unixtime": str(registered),
                    "#text": f"{date_text(registered)}",
                },
                "realname": friend.real_name,
                "subscriber": "0",
                "bootstrap": "0",
                "type": "user",
            }
        )
    if not rows:
        raise ApiError(6, 400, "no such page")
    attributes = page.attributes(len(found), user=listener.name)
    return {"friends": {"user": _one(rows), "@attr": attributes}}


def _weeks(call: Call, listener: Listener) -> list[tuple[int, int]]:
    """The finished weeks since the listener's first, oldest first."""
    first = call.world.first_week(listener)
    start = first - (first - WEEK_ORIGIN) % WEEK_SECONDS
    return [
        (week, week + WEEK_SECONDS)
        for week in range(start, call.now - WEEK_SECONDS + 2, WEEK_SECONDS)
    ]


@method("user.getWeeklyChartList")
def user_weekly_chart_list(call: Call) -> Tree:
    listener = _listener(call)
    rows = [
        {"#text": "", "from": str(start), "to": str(end)}
        for start, end in _weeks(call, listener)
    ]
    return {"weeklychartlist": {"chart": rows, "@attr": {"user": listener.name}}}


def _week(call: Call, listener: Listener) -> tuple[int, int]:
    start, end = call.uts("from"), call.uts("to")
    if (start is None) != (end is None):
        raise ApiError(6, 400, "Invalid parameters - from and to go together")
    if start is not None and end is not None:
        return start, end
    weeks = _weeks(call, listener)
    if weeks:
        return weeks[-1]
    last = call.now - (call.now - WEEK_ORIGIN) % WEEK_SECONDS
    return last - WEEK_SECONDS, last


def _weekly(
    call: Call, listener: Listener, root: str, item: str, rows: list[Tree]
) -> Tree:
    start, end = _week(call, listener)
    attributes = {"user": listener.name, "from": str(start), "to": str(end)}
    return {root: {item: rows, "@attr": attributes}}


@method("user.getWeeklyArtistChart")
def user_weekly_artist_chart(call: Call) -> Tree:
    listener = _listener(call)
    start, end = _week(call, listener)
    limit = call.number("limit", 1000, 1, 1000)
    found = call.world.top_artists(listener, start, min(end - 1, call.now))[:limit]
    rows: list[Tree] = [
        {
            "name": name,
            "mbid": mbid,
            "playcount": str(plays),
            "url": artist_url(name),
            "@attr": {"rank": str(place)},
        }
        for place, (name, mbid, plays) in enumerate(found, 1)
    ]
    return _weekly(call, listener, "weeklyartistchart", "artist", rows)


@method("user.getWeeklyAlbumChart")
def user_weekly_album_chart(call: Call) -> Tree:
    listener = _listener(call)
    start, end = _week(call, listener)
    limit = call.number("limit", 1000, 1, 1000)
    found = call.world.ranked("album", listener, start, min(end - 1, call.now))[:limit]
    rows: list[Tree] = [
        {
            "artist": {"#text": variant.artist_name, "mbid": variant.artist_mbid},
            "name": variant.album_name,
            "mbid": variant.album_mbid,
            "playcount": str(plays),
            "url": album_url(variant.artist_name, variant.album_name),
            "@attr": {"rank": str(place)},
        }
        for place, (number, plays) in enumerate(found, 1)
        for variant in (call.world.variants[number],)
    ]
    return _weekly(call, listener, "weeklyalbumchart", "album", rows)


@method("user.getWeeklyTrackChart")
def user_weekly_track_chart(call: Call) -> Tree:
    listener = _listener(call)
    start, end = _week(call, listener)
    limit = call.number("limit", 1000, 1, 1000)
    found = call.world.ranked("track", listener, start, min(end - 1, call.now))[:limit]
    rows: list[Tree] = [
        {
            "artist": {"#text": variant.artist_name, "mbid": variant.artist_mbid},
            "name": variant.track_name,
            "mbid": variant.track_mbid,
            "playcount": str(plays),
            "url": track_url(variant.artist_name, variant.track_name),
            "@attr": {"rank": str(place)},
        }
        for place, (number, plays) in enumerate(found, 1)
        for variant in (call.world.variants[number],)
    ]
    return _weekly(call, listener, "weeklytrackchart", "track", rows)


# -- library.* --------------------------------------------------------------
@method("library.getArtists")
def library_artists(call: Call) -> Tree:
    listener, page = _listener(call), _page(call)
    found = call.world.top_artists(listener, 0, call.now)
    rows: list[Tree] = [
        {
            "tagcount": "0",
            "streamable": "0",
            "mbid": mbid,
            "name": name,
            "url": artist_url(name),
            "playcount": str(plays),
        }
        for name, mbid, plays in page.cut(found)
    ]
    attributes = page.attributes(len(found), user=listener.name)
    return {"artists": {"artist": rows, "@attr": attributes}}
