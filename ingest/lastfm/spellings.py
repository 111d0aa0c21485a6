"""Which columns of schema raw hold names of artists, albums, tracks and tags.

Derived from the columns' names, so that a new source's names reach the dimensions by
themselves: a column ``<thing>_name`` holds a name, ``<thing>_mbid`` beside it the
MusicBrainz id, ``artist_name`` the artist of an album or track. Must not know how names
are made into keys.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingest.lastfm.recipes import ROW_TABLES, RawTable, Thing

# Names of last.fm accounts and countries: they have keys, but no dimension of names.
ACCOUNT_COLUMNS = frozenset({"listener_name", "friend_name", "country"})
# Artists under other column names; what was asked for is an artist as well.
ARTIST_COLUMNS = (
    "artist_name",
    "similar_artist_name",
    "track_artist_name",
    "requested_name",
)

NAME_COLUMNS = frozenset(
    column
    for table in ROW_TABLES
    for column in table.column_names
    if column.endswith("_name") and column not in ACCOUNT_COLUMNS
)
"""Every column that holds a name of an artist, album, track or tag."""
KEYED_COLUMNS = NAME_COLUMNS | ACCOUNT_COLUMNS
"""Every column whose values get a key when they are loaded."""


@dataclass(frozen=True)
class Spelling:
    """One place of a raw table where names of a kind stand.

    expressions: SQL on a row of the table, in the order artist's name, own name, mbid
    (artists: name, mbid; tags: name); a name that is null there is none.
    uses: the columns with names that they read.
    playcount: SQL for last.fm's plays of the thing itself, null where another's stand
    there: of two pages under one key the larger one gives the name.
    """

    thing: Thing
    expressions: tuple[str, ...]
    is_official: bool
    uses: frozenset[str]
    playcount: str = "cast(null as bigint)"


def spellings(table: RawTable) -> tuple[Spelling, ...]:
    """The places of a raw table where names stand."""
    columns = set(table.column_names)
    found = [_artist(table, name) for name in ARTIST_COLUMNS if name in columns]
    works: tuple[Thing, ...] = ("album", "track") if "artist_name" in columns else ()
    found += [_work(table, each) for each in works if f"{each}_name" in columns]
    if "tag_name" in columns:
        is_official = "tag" in table.official
        found.append(
            Spelling("tag", ("tag_name",), is_official, frozenset({"tag_name"}))
        )
    if "item_name" in columns:
        found += _items()
    return tuple(found)


def _artist(table: RawTable, name: str) -> Spelling:
    is_official = "artist" in table.official and name == "artist_name"
    expressions = (_played(table, name), _mbid(table, name))
    playcount = _playcount(table, is_official)
    return Spelling("artist", expressions, is_official, frozenset({name}), playcount)


def _work(table: RawTable, thing: Thing) -> Spelling:
    """An album or a track with its artist."""
    name = f"{thing}_name"
    artist, uses = "artist_name", {"artist_name", name}
    if thing == "track" and "track_artist_name" in table.column_names:
        artist = "coalesce(track_artist_name, artist_name)"
        uses.add("track_artist_name")
    expressions = (_played(table, artist), f"nullif({name}, '')", _mbid(table, name))
    is_official = thing in table.official
    playcount = _playcount(table, is_official)
    return Spelling(thing, expressions, is_official, frozenset(uses), playcount)


def _items() -> list[Spelling]:
    """What a listener gave a tag: its type says what the item is."""
    uses = frozenset({"artist_name", "item_name"})
    things: tuple[Thing, ...] = ("artist", "album", "track")
    found = []
    for thing in things:
        item = f"case when tagging_type = '{thing}' then item_name end"
        of_artist = () if thing == "artist" else ("artist_name",)
        found.append(Spelling(thing, (*of_artist, item, "''"), False, uses))
    return found


def _played(table: RawTable, name: str) -> str:
    """The name, unless the row is about what plays just now: that is not a play yet."""
    if "is_now_playing" in table.column_names:
        return f"case when not is_now_playing then {name} end"
    return name


def _playcount(table: RawTable, is_official: bool) -> str:
    has_own = is_official and "playcount" in table.column_names
    return "playcount" if has_own else "cast(null as bigint)"


def _mbid(table: RawTable, name: str) -> str:
    mbid = name.removesuffix("_name") + "_mbid"
    return f"coalesce({mbid}, '')" if mbid in table.column_names else "''"
