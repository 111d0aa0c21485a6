"""Search: one way to look a name up, for all kinds of things.

Owns how a text is compared with names: by their stored keys, made by
:func:`warehouse.names.name_key`. So a name is found as it is shown, in any case and
width, whatever the database's locale. Where no name holds the text, the best known
names are compared with it letter by letter, so that a typing error is forgiven. Must
not fold text in SQL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from rapidfuzz import fuzz, process

from serve.store.contract import Reader, Result, among, in_lines
from serve.visibility import Named
from warehouse.names import name_key

Kind = Literal["artists", "tracks", "albums", "tags"]

#: Names of a kind that a mistyped one is compared with, the best known.
COMPARED_NAMES = 20_000
#: How alike two names are at least, in percent (Indel similarity of their letters).
ALIKE_PCT = 72


def in_key_order(column: str) -> str:
    """An order by a key that no collation changes."""
    return f'{column} collate "C"'


@dataclass(frozen=True)
class Search:
    """Names that hold `text`; every name where it is None."""

    text: str | None

    @property
    def binds(self) -> dict[str, Any]:
        """The values for :meth:`within`, :meth:`begins` and :meth:`relevance`."""
        key = name_key(self.text) if self.text else None
        escaped = None
        if key is not None:
            escaped = key.replace("!", "!!").replace("%", "!%").replace("_", "!_")
        return {
            "searched_key": key,
            "searched_prefix": None if escaped is None else f"{escaped}%",
            "searched_within": None if escaped is None else f"%{escaped}%",
        }

    @staticmethod
    def within(column: str) -> str:
        """The condition that the key in `column` holds the text."""
        return (
            "(cast(:searched_within as text) is null"
            f" or {column} like :searched_within escape '!')"
        )

    @staticmethod
    def begins(column: str) -> str:
        """The condition that the key in `column` begins with the text."""
        return (
            "(cast(:searched_prefix as text) is null"
            f" or {column} like :searched_prefix escape '!')"
        )

    @staticmethod
    def relevance(column: str) -> str:
        """The order of what was found: the same name, its beginning, the rest."""
        return (
            f"case when {column} = :searched_key then 0"
            f" when {column} like :searched_prefix escape '!' then 1 else 2 end"
        )


# Kind -> where its names stand: table, id, name, key, artist's name, best known first.
_NAMES: dict[str, tuple[str, str, str, str, str, str]] = {
    "artists": (
        "dim_artists",
        "artist_id",
        "artist_name",
        "name_key",
        "cast(null as text)",
        "listeners desc nulls last, scrobbles desc",
    ),
    "tracks": (
        "dim_tracks",
        "track_id",
        "track_name",
        "name_key",
        "artist_name",
        "scrobbles desc nulls last, playcount desc nulls last",
    ),
    "albums": (
        "dim_albums",
        "album_id",
        "album_name",
        "name_key",
        "artist_name",
        "scrobbles desc nulls last",
    ),
    "tags": (
        "dim_tags",
        "tag_id",
        "tag_name",
        "name_key",
        "cast(null as text)",
        "reach desc nulls last, artists desc nulls last",
    ),
}


def named(reader: Reader, *, kind: str, text: str, limit: int, offset: int) -> Result:
    """Things of a kind whose name holds `text`, best match and best known first."""
    table, entity_id, name, key, artist, order = _NAMES[kind]
    search = Search(text)
    return reader.query(
        f"""
        select {entity_id} as entity_id, {name} as name, {artist} as artist_name
        from marts.{table}
        where {search.within(key)}
        order by {search.relevance(key)}, {order}, {entity_id}
        limit :limit offset :offset
        """,
        {**search.binds, "limit": limit, "offset": offset},
    )


def resembling(reader: Reader, *, kind: str, text: str, limit: int) -> Result:
    """Things of a kind whose name is like `text` but for a typing error, nearest first.

    Of the :data:`COMPARED_NAMES` best known; of equally near ones the better known.
    """
    table, entity_id, name, key, artist, order = _NAMES[kind]
    memo = ("names", kind)
    if memo not in reader.memo:
        reader.memo[memo] = dict(
            reader.query(
                f"""
                select {entity_id}, {key} from marts.{table}
                order by {order}, {entity_id}
                limit {COMPARED_NAMES}
                """
            ).rows
        )
    near = process.extract(
        name_key(text),
        reader.memo[memo],
        scorer=fuzz.ratio,
        score_cutoff=ALIKE_PCT,
        limit=limit,
    )
    places = {found: place for place, (_, _, found) in enumerate(near)}
    result = reader.query(
        f"""
        select {entity_id} as entity_id, {name} as name, {artist} as artist_name
        from marts.{table}
        where {entity_id} in {among("near")}
        """,
        {"near": in_lines(places)},
    )
    rows = sorted(result.rows, key=lambda row: places[row[0]])
    return Result(result.columns, result.types, rows)


def listeners(reader: Reader, named_to_all: Named, *, text: str, limit: int) -> Result:
    """Listeners who may be named to everybody and whose name holds `text`."""
    search = Search(text)
    return reader.query(
        f"""
        select listener_id as entity_id, listener_name as name
        from marts.dim_listeners
        where {search.within("listener_id")} and {named_to_all.where("listener_id")}
        order by {search.relevance("listener_id")}, listener_id
        limit :limit
        """,
        {**search.binds, **named_to_all.binds, "limit": limit},
    )
