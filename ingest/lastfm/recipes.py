"""What the warehouse keeps of each last.fm answer: the raw tables and their recipes.

Owns the columns of schema raw (``TABLES``), the DDL made of them, and for every API
method where its items lie and where each column comes from (``RECIPES``). Data only:
it must not read files, parse answers or know how they are loaded.

Paths are written with slashes, as in a JSON pointer: ``artist/#text``. The XML answers
of last.fm are brought into the JSON shape before a recipe is applied, so one recipe
does for both.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

from ingest import corrections
from ingest.exchange.tables import EXCHANGE_TABLES
from ingest.exports import tables as exports
from ingest.published import tables as published

SCHEMA = "raw"

Kind = Literal["text", "bigint", "integer", "double", "boolean", "date", "timestamp"]
Dialect = Literal["duckdb", "postgres"]
Thing = Literal["artist", "album", "track", "tag"]


@dataclass(frozen=True)
class Column:
    """One column of a raw table; ``required`` means not null."""

    name: str
    kind: Kind
    required: bool = False


@dataclass(frozen=True)
class RawTable:
    """One table of schema raw.

    unique: the columns that identify a row.
    official: the kinds of things its answers are about, so that the name stands there
    as last.fm itself writes it; other answers mention names in passing.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    unique: tuple[str, ...] = ()
    official: frozenset[Thing] = frozenset()

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


@dataclass(frozen=True)
class Source:
    """Where a value comes from. The first place that holds something wins.

    item: paths inside the item; root: paths inside the object around the items
    (page attributes stand in ``@attr``; empty answers of before 2015 have them beside
    ``#text``); param: a parameter of the request; constant: a fixed text.
    is_asked: the parameter comes before the others: the row belongs to whom was asked
    for, under whatever name the answer stands.
    rule: ``heard`` makes milliseconds of seconds, and null of what is no number;
    ``cover`` makes the id of a picture of its address, and null of what is none.
    """

    item: tuple[str, ...] = ()
    root: tuple[str, ...] = ()
    param: str | None = None
    constant: str | None = None
    is_asked: bool = False
    rule: Literal[
        "plain", "position", "seconds", "milliseconds", "flag", "heard", "cover"
    ] = "plain"


@dataclass(frozen=True)
class Recipe:
    """How the items of one kind in the answers to ``method`` become rows of ``table``.

    roots: names of the object in the answer, in the order they are tried.
    items: path from there to the item or the list of items; empty when the root is it.
    needed: the root must be there; false for lists that lie inside another item.
    unless: (column, flag): the column may be null in rows where the flag is true.
    """

    method: str
    table: str
    roots: tuple[str, ...]
    items: str
    values: dict[str, Source] = field(default_factory=dict)
    unless: tuple[str, str] | None = None


def item(*paths: str) -> Source:
    return Source(item=paths)


def _asked(*root: str, param: str) -> Source:
    """A value that the page says of itself, or else that was asked for."""
    return Source(root=root, param=param)


_PAGE = (
    Column("load_id", "bigint", True),
    Column("call_id", "text", True),
    Column("as_of_date", "date", True),
    Column("fetched_at", "timestamp", True),
    Column("item_index", "integer", True),
)
PAGE_COLUMNS = tuple(column.name for column in _PAGE)


def _columns(words: str) -> tuple[Column, ...]:
    """Columns from words like ``artist_name! listeners:bigint``; text by default."""
    columns = []
    for word in words.split():
        name, _, kind = word.rstrip("!").partition(":")
        columns.append(Column(name, kind or "text", word.endswith("!")))  # type: ignore[arg-type]
    return tuple(columns)


def _rows(name: str, description: str, words: str, *official: Thing) -> RawTable:
    columns = _PAGE + _columns(words)
    return RawTable(
        f"lastfm__{name}", description, columns, official=frozenset(official)
    )


ROW_TABLES: tuple[RawTable, ...] = (
    _rows(
        "chart_top_artists",
        "One row per artist on the world chart in an answer.",
        "position:integer! artist_name! artist_mbid listeners:bigint! "
        "playcount:bigint!",
        "artist",
    ),
    _rows(
        "chart_top_tracks",
        "One row per track on the world chart in an answer.",
        "position:integer! track_name! track_mbid artist_name! artist_mbid "
        "duration_seconds:integer listeners:bigint! playcount:bigint!",
        "track",
    ),
    _rows(
        "chart_top_tags",
        "One row per tag on the world chart in an answer.",
        "position:integer! tag_name! reach:bigint taggings:bigint",
        "tag",
    ),
    _rows(
        "geo_top_artists",
        "One row per artist on a country's chart in an answer.",
        "country! position:integer! artist_name! artist_mbid listeners:bigint",
    ),
    _rows(
        "geo_top_tracks",
        "One row per track on a country's chart in an answer.",
        "country! position:integer! track_name! track_mbid artist_name! artist_mbid "
        "duration_seconds:integer listeners:bigint",
    ),
    _rows(
        "tag_top_artists",
        "One row per artist most used with a tag in an answer.",
        "tag_name! position:integer! artist_name! artist_mbid",
    ),
    _rows(
        "tag_top_tracks",
        "One row per track most used with a tag in an answer.",
        "tag_name! position:integer! track_name! track_mbid artist_name! artist_mbid "
        "duration_seconds:integer",
    ),
    _rows(
        "artist_infos",
        "One row per artist looked up, with last.fm's counters at that moment.",
        "requested_name artist_name! artist_mbid listeners:bigint! playcount:bigint!",
        "artist",
    ),
    _rows(
        "artist_top_tags",
        "One row per tag of an artist in an answer.",
        "artist_name! position:integer! tag_name! tag_count:bigint",
    ),
    _rows(
        "artist_similar",
        "One row per artist like another in an answer.",
        "artist_name! position:integer! similar_artist_name! similar_artist_mbid "
        "match:double",
    ),
    _rows(
        "artist_top_tracks",
        "One row per most heard track of an artist in an answer.",
        "artist_name! position:integer! track_name! track_mbid listeners:bigint "
        "playcount:bigint",
    ),
    _rows(
        "artist_top_albums",
        "One row per most heard album of an artist in an answer.",
        "artist_name! position:integer! album_name! album_mbid playcount:bigint "
        "cover_id",
        "album",
    ),
    _rows(
        "artist_corrections",
        "One row per spelling asked for, with the name that last.fm says is right.",
        "requested_name artist_name! artist_mbid",
        "artist",
    ),
    _rows(
        "album_infos",
        "One row per album looked up, with last.fm's counters at that moment.",
        "album_name! artist_name! album_mbid listeners:bigint playcount:bigint "
        "cover_id",
        "album",
    ),
    _rows(
        "album_tracks",
        "One row per track of an album looked up.",
        "album_name! artist_name! position:integer! track_name! track_artist_name "
        "duration_seconds:integer",
    ),
    _rows(
        "album_tags",
        "One row per tag of an album looked up.",
        "album_name! artist_name! position:integer! tag_name!",
    ),
    _rows(
        "track_infos",
        "One row per track looked up, with last.fm's counters at that moment.",
        "track_name! track_mbid artist_name! artist_mbid album_name "
        "duration_seconds:integer listeners:bigint playcount:bigint",
        "track",
    ),
    _rows(
        "track_tags",
        "One row per tag of a track looked up.",
        "track_name! artist_name! position:integer! tag_name!",
    ),
    _rows(
        "user_infos",
        "One row per listener looked up, with last.fm's counters at that moment.",
        "listener_name! country playcount:bigint! artists:bigint tracks:bigint "
        "albums:bigint registered_uts:bigint",
    ),
    _rows(
        "user_recent_tracks",
        "One row per scrobble as answered, now-playing rows included.",
        "listener_name! scrobbled_uts:bigint is_now_playing:boolean! artist_name! "
        "artist_mbid track_name! track_mbid album_name album_mbid",
    ),
    _rows(
        "scrobble_walks",
        "One row per answered page of a walk through a listener's scrobbles.",
        "listener_name! walk_id! walk_from_uts:bigint! walk_to_uts:bigint! "
        "pages:integer! page:integer! total:bigint",
    ),
    _rows(
        "user_top_artists",
        "One row per artist in a listener's top list of a period in an answer.",
        "listener_name! period! position:integer! artist_name! artist_mbid "
        "playcount:bigint!",
    ),
    _rows(
        "user_top_albums",
        "One row per album in a listener's top list of a period in an answer.",
        "listener_name! period! position:integer! album_name! album_mbid artist_name! "
        "artist_mbid playcount:bigint!",
    ),
    _rows(
        "user_top_tracks",
        "One row per track in a listener's top list of a period in an answer.",
        "listener_name! period! position:integer! track_name! track_mbid artist_name! "
        "artist_mbid duration_seconds:integer playcount:bigint!",
    ),
    _rows(
        "user_loved_tracks",
        "One row per track a listener loved in an answer.",
        "listener_name! loved_uts:bigint track_name! track_mbid artist_name! "
        "artist_mbid",
    ),
    _rows(
        "user_friends",
        "One row per friend of a listener in an answer.",
        "listener_name! friend_name! country registered_uts:bigint playcount:bigint",
    ),
    _rows(
        "user_top_tags",
        "One row per tag a listener uses in an answer.",
        "listener_name! position:integer! tag_name! tag_count:bigint",
    ),
    _rows(
        "user_personal_tags",
        "One row per thing a listener gave a tag, in an answer.",
        "listener_name! tag_name! tagging_type! item_name! artist_name mbid "
        "tagged_uts:bigint",
    ),
    RawTable(exports.TABLE, exports.DESCRIPTION, _PAGE + _columns(exports.COLUMNS)),
    RawTable(
        corrections.TABLE,
        corrections.DESCRIPTION,
        _PAGE + _columns(corrections.COLUMNS),
    ),
)

LEDGER_TABLES: tuple[RawTable, ...] = (
    RawTable(
        "lastfm__name_keys",
        "One row per spelling ever seen of an artist, track, album, tag, account or"
        " country.",
        _columns("load_id:bigint! name! name_key!"),
        ("name",),
    ),
    RawTable(
        "lastfm__answers",
        "One row per answer landed, the failed ones included.",
        _columns(
            "load_id:bigint! call_id! attempt:integer! run_id! as_of_date:date! "
            "fetched_at:timestamp! method! params context status:integer! "
            "bytes:bigint! error_code:integer error_message outcome! items:bigint! "
            "loaded:bigint! dead:bigint!"
        ),
    ),
    RawTable(
        "dead_letters",
        "One row per item that did not fit its row type, kept with its bytes.",
        _columns(
            "dead_letter_id! load_id:bigint! call_id! as_of_date:date! "
            "fetched_at:timestamp! method! table_name item_index:integer! item! "
            "encoding! path! error!"
        ),
        ("dead_letter_id",),
    ),
    RawTable(
        "dead_letter_decisions",
        "One row per dead letter that was replayed or waived.",
        _columns(
            "dead_letter_id! decision! reason decided_at:timestamp! load_id:bigint"
        ),
        ("dead_letter_id",),
    ),
    RawTable(
        "loads",
        "One row per load that was promoted.",
        _columns(
            "load_id:bigint! run_id! as_of_date:date! loaded_at:timestamp! "
            "answers:bigint! items:bigint! rows:bigint! dead:bigint!"
        ),
        ("load_id",),
    ),
    RawTable(
        "load_parts",
        "One row per landing file that is loaded.",
        _columns("load_id:bigint! part! bytes:bigint! answers:bigint!"),
        ("part",),
    ),
)

_EXCHANGE = tuple(
    RawTable(name, description, _columns(words), unique)
    for name, description, words, unique in EXCHANGE_TABLES
)
PUBLISHED_TABLES: tuple[RawTable, ...] = tuple(
    RawTable(f"published__{name}", description, _PAGE + _columns(words))
    for name, description, words in published.PUBLISHED_TABLES
)
TABLES: dict[str, RawTable] = {
    table.name: table
    for table in (*ROW_TABLES, *PUBLISHED_TABLES, *LEDGER_TABLES, *_EXCHANGE)
}

_ARTIST_TEXT = item("artist/name", "artist/#text", "artist")
_ARTIST_MBID = item("artist/mbid")
_POSITION = Source(rule="position")
_SECONDS = Source(item=("duration",), rule="seconds")
# All sizes of a picture have one id, so the first that is listed does.
_COVER = Source(item=("image/0/#text", "image/#text"), rule="cover")
_LISTENER = _asked("@attr/user", "user", "@attr/for", param="user")
_OF_ARTIST = Source(root=("@attr/artist", "artist"), param="artist", is_asked=True)
_OF_TAG = _asked("@attr/tag", "tag", param="tag")
_OF_COUNTRY = _asked("@attr/country", "country", param="country")
_PERIOD = Source(root=("@attr/type", "type"), param="period", constant="overall")
_ALBUM_OF_ROOT = {
    "album_name": Source(root=("name", "title")),
    "artist_name": Source(root=("artist/name", "artist/#text", "artist")),
}
_TRACK = {
    "track_name": item("name"),
    "track_mbid": item("mbid"),
    "artist_name": _ARTIST_TEXT,
    "artist_mbid": _ARTIST_MBID,
}
_ALBUM = {
    "album_name": item("name"),
    "album_mbid": item("mbid"),
    "artist_name": _ARTIST_TEXT,
    "artist_mbid": _ARTIST_MBID,
}
_ARTIST = {"artist_name": item("name"), "artist_mbid": item("mbid")}
_COUNTERS = {"listeners": item("listeners"), "playcount": item("playcount")}


def _personal_tags(kind: str) -> Recipe:
    of_artist = {} if kind == "artist" else {"artist_name": _ARTIST_TEXT}
    return Recipe(
        "user.getPersonalTags",
        "lastfm__user_personal_tags",
        ("taggings",),
        f"{kind}s/{kind}",
        {
            "listener_name": _LISTENER,
            "tag_name": _OF_TAG,
            "tagging_type": Source(constant=kind),
            "item_name": item("name"),
            "mbid": item("mbid"),
            "tagged_uts": item("date/uts"),
        }
        | of_artist,
    )


RECIPES: tuple[Recipe, ...] = (
    Recipe(
        "chart.getTopArtists",
        "lastfm__chart_top_artists",
        ("artists", "topartists"),
        "artist",
        {"position": _POSITION} | _ARTIST | _COUNTERS,
    ),
    Recipe(
        "chart.getTopTracks",
        "lastfm__chart_top_tracks",
        ("tracks", "toptracks"),
        "track",
        {"position": _POSITION, "duration_seconds": _SECONDS} | _TRACK | _COUNTERS,
    ),
    Recipe(
        "chart.getTopTags",
        "lastfm__chart_top_tags",
        ("tags", "toptags"),
        "tag",
        {
            "position": _POSITION,
            "tag_name": item("name"),
            "reach": item("reach"),
            "taggings": item("taggings", "count"),
        },
    ),
    Recipe(
        "geo.getTopArtists",
        "lastfm__geo_top_artists",
        ("topartists", "artists"),
        "artist",
        {
            "country": _OF_COUNTRY,
            "position": _POSITION,
            "listeners": item("listeners"),
        }
        | _ARTIST,
    ),
    Recipe(
        "geo.getTopTracks",
        "lastfm__geo_top_tracks",
        ("tracks", "toptracks"),
        "track",
        {
            "country": _OF_COUNTRY,
            "position": _POSITION,
            "duration_seconds": _SECONDS,
            "listeners": item("listeners"),
        }
        | _TRACK,
    ),
    Recipe(
        "tag.getTopArtists",
        "lastfm__tag_top_artists",
        ("topartists", "artists"),
        "artist",
        {"tag_name": _OF_TAG, "position": _POSITION} | _ARTIST,
    ),
    Recipe(
        "tag.getTopTracks",
        "lastfm__tag_top_tracks",
        ("tracks", "toptracks"),
        "track",
        {
            "tag_name": _OF_TAG,
            "position": _POSITION,
            "duration_seconds": _SECONDS,
        }
        | _TRACK,
    ),
    Recipe(
        "artist.getInfo",
        "lastfm__artist_infos",
        ("artist",),
        "",
        {
            "requested_name": Source(param="artist"),
            "listeners": item("stats/listeners"),
            "playcount": item("stats/playcount"),
        }
        | _ARTIST,
    ),
    Recipe(
        "artist.getTopTags",
        "lastfm__artist_top_tags",
        ("toptags",),
        "tag",
        {
            "artist_name": _OF_ARTIST,
            "position": _POSITION,
            "tag_name": item("name"),
            "tag_count": item("count"),
        },
    ),
    Recipe(
        "artist.getSimilar",
        "lastfm__artist_similar",
        ("similarartists",),
        "artist",
        {
            "artist_name": _OF_ARTIST,
            "position": _POSITION,
            "similar_artist_name": item("name"),
            "similar_artist_mbid": item("mbid"),
            "match": item("match"),
        },
    ),
    Recipe(
        "artist.getTopTracks",
        "lastfm__artist_top_tracks",
        ("toptracks",),
        "track",
        {
            "artist_name": _OF_ARTIST,
            "position": _POSITION,
            "track_name": item("name"),
            "track_mbid": item("mbid"),
        }
        | _COUNTERS,
    ),
    Recipe(
        "artist.getTopAlbums",
        "lastfm__artist_top_albums",
        ("topalbums",),
        "album",
        {
            "artist_name": _OF_ARTIST,
            "position": _POSITION,
            "album_name": item("name"),
            "album_mbid": item("mbid"),
            "playcount": item("playcount"),
            "cover_id": _COVER,
        },
    ),
    Recipe(
        "artist.getCorrection",
        "lastfm__artist_corrections",
        ("corrections",),
        # The answer is the item: an empty list in it says that the name is right.
        "",
        {
            "requested_name": Source(param="artist"),
            "artist_name": Source(
                item=("correction/artist/name", "correction/0/artist/name"),
                param="artist",
            ),
            "artist_mbid": item("correction/artist/mbid", "correction/0/artist/mbid"),
        },
    ),
    Recipe(
        "album.getInfo",
        "lastfm__album_infos",
        ("album",),
        "",
        {
            "album_name": item("name", "title"),
            "artist_name": _ARTIST_TEXT,
            "album_mbid": item("mbid"),
            "cover_id": _COVER,
        }
        | _COUNTERS,
    ),
    Recipe(
        "album.getInfo",
        "lastfm__album_tracks",
        ("album",),
        "tracks/track",
        {
            "position": _POSITION,
            "track_name": item("name"),
            "track_artist_name": _ARTIST_TEXT,
            "duration_seconds": _SECONDS,
        }
        | _ALBUM_OF_ROOT,
    ),
    # The tags of an album are `toptags` before 2018 and `tags` since; never both.
    Recipe(
        "album.getInfo",
        "lastfm__album_tags",
        ("album",),
        "tags/tag",
        {"position": _POSITION, "tag_name": item("name")} | _ALBUM_OF_ROOT,
    ),
    Recipe(
        "album.getInfo",
        "lastfm__album_tags",
        ("album",),
        "toptags/tag",
        {"position": _POSITION, "tag_name": item("name")} | _ALBUM_OF_ROOT,
    ),
    Recipe(
        "track.getInfo",
        "lastfm__track_infos",
        ("track",),
        "",
        {
            "album_name": item("album/title", "album/name", "album/#text"),
            "duration_seconds": Source(item=("duration",), rule="milliseconds"),
        }
        | _TRACK
        | _COUNTERS,
    ),
    Recipe(
        "track.getInfo",
        "lastfm__track_tags",
        ("track",),
        "toptags/tag",
        {
            "track_name": Source(root=("name",)),
            "artist_name": Source(root=("artist/name", "artist/#text", "artist")),
            "position": _POSITION,
            "tag_name": item("name"),
        },
    ),
    Recipe(
        "user.getInfo",
        "lastfm__user_infos",
        ("user",),
        "",
        {
            "listener_name": item("name"),
            "country": item("country"),
            "playcount": item("playcount"),
            "artists": item("artist_count"),
            "tracks": item("track_count"),
            "albums": item("album_count"),
            "registered_uts": item("registered/unixtime", "registered/#text"),
        },
    ),
    Recipe(
        "user.getRecentTracks",
        "lastfm__user_recent_tracks",
        ("recenttracks",),
        "track",
        {
            "listener_name": _LISTENER,
            "scrobbled_uts": item("date/uts"),
            "is_now_playing": Source(item=("@attr/nowplaying",), rule="flag"),
            "album_name": item("album/#text", "album/title", "album/name"),
            "album_mbid": item("album/mbid"),
        }
        | _TRACK,
        unless=("scrobbled_uts", "is_now_playing"),
    ),
    Recipe(
        "user.getTopArtists",
        "lastfm__user_top_artists",
        ("topartists",),
        "artist",
        {
            "listener_name": _LISTENER,
            "period": _PERIOD,
            "position": _POSITION,
            "playcount": item("playcount"),
        }
        | _ARTIST,
    ),
    Recipe(
        "user.getTopAlbums",
        "lastfm__user_top_albums",
        ("topalbums",),
        "album",
        {
            "listener_name": _LISTENER,
            "period": _PERIOD,
            "position": _POSITION,
            "playcount": item("playcount"),
        }
        | _ALBUM,
    ),
    Recipe(
        "user.getTopTracks",
        "lastfm__user_top_tracks",
        ("toptracks",),
        "track",
        {
            "listener_name": _LISTENER,
            "period": _PERIOD,
            "position": _POSITION,
            "duration_seconds": _SECONDS,
            "playcount": item("playcount"),
        }
        | _TRACK,
    ),
    Recipe(
        "user.getLovedTracks",
        "lastfm__user_loved_tracks",
        ("lovedtracks",),
        "track",
        {"listener_name": _LISTENER, "loved_uts": item("date/uts")} | _TRACK,
    ),
    Recipe(
        "user.getFriends",
        "lastfm__user_friends",
        ("friends",),
        "user",
        {
            # Inside `friends`, `user` is the list itself, never the listener.
            "listener_name": _asked("@attr/user", "@attr/for", "for", param="user"),
            "friend_name": item("name"),
            "country": item("country"),
            "registered_uts": item("registered/unixtime"),
            "playcount": item("playcount"),
        },
    ),
    Recipe(
        "user.getTopTags",
        "lastfm__user_top_tags",
        ("toptags",),
        "tag",
        {
            "listener_name": _LISTENER,
            "position": _POSITION,
            "tag_name": item("name"),
            "tag_count": item("count"),
        },
    ),
    _personal_tags("artist"),
    _personal_tags("album"),
    _personal_tags("track"),
)


# What each publish lands of itself is read like an answer, by recipes made of columns.
PUBLISHED_RECIPES: tuple[Recipe, ...] = tuple(
    Recipe(
        published.METHOD,
        table.name,
        ("published",),
        table.name.removeprefix("published__"),
        {
            column.name: item(column.name)
            for column in table.columns
            if column.name not in PAGE_COLUMNS
        },
    )
    for table in PUBLISHED_TABLES
)


# So is what people bring of their own: a file's pages, asked for by nobody.
IMPORT_RECIPE = Recipe(
    exports.METHOD,
    exports.TABLE,
    (exports.METHOD,),
    "play",
    {name: item(name) for name in exports.ITEM_COLUMNS}
    | {"listener_name": Source(param="user"), "file": Source(param="file")},
)


# And what administrators decide about names.
CORRECTION_RECIPE = Recipe(
    corrections.METHOD,
    corrections.TABLE,
    (corrections.METHOD,),
    "artist",
    {"requested_name": item("requested_name"), "artist_name": item("artist_name")},
)


SQL_TYPES: dict[Dialect, dict[Kind, str]] = {
    "duckdb": {
        "text": "varchar",
        "bigint": "bigint",
        "integer": "integer",
        "double": "double",
        "boolean": "boolean",
        "date": "date",
        "timestamp": "timestamp",
    },
    "postgres": {
        "text": "text",
        "bigint": "bigint",
        "integer": "integer",
        "double": "double precision",
        "boolean": "boolean",
        "date": "date",
        "timestamp": "timestamp",
    },
}


class Executes(Protocol):
    """What the DDL needs of a connection: DuckDB's has it, and psycopg2's cursor."""

    def execute(self, statement: str, /) -> object: ...


def raw_ddl(dialect: Dialect, schema: str = SCHEMA) -> Iterator[str]:
    """Statements that create schema raw and every table in it; safe to repeat."""
    types = SQL_TYPES[dialect]
    yield f"create schema if not exists {schema}"
    for table in TABLES.values():
        lines = [
            f'    "{column.name}" {types[column.kind]}'
            + (" not null" if column.required else "")
            for column in table.columns
        ]
        # A DuckDB index costs memory for every row and slows the copy of the file;
        # there the promotion checks uniqueness itself.
        if table.unique and dialect == "postgres":
            lines.append(f"    unique ({', '.join(table.unique)})")
        body = ",\n".join(lines)
        yield f"create table if not exists {schema}.{table.name} (\n{body}\n)"


def create_raw_tables(
    connection: Executes, dialect: Dialect, schema: str = SCHEMA
) -> None:
    """Create what is missing of schema raw; what is there stays as it is."""
    for statement in raw_ddl(dialect, schema):
        connection.execute(statement)
