"""Two libraries beside each other: what both play, and what only one of them does."""

from __future__ import annotations

from dataclasses import dataclass
from math import log1p, sqrt
from typing import Any

from serve.store.contract import Reader

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Comparison:
    """Rows have the artist, `mine` and `theirs` (plays of all time).

    `likeness` is the cosine of both libraries by the logarithm of their plays, 0 (no
    artist in common) to 1 (the same).
    """

    likeness: float
    both: Rows
    only_mine: Rows
    only_theirs: Rows
    shared_artists: int


def compare(reader: Reader, one: str, other: str, *, limit: int) -> Comparison:
    """The libraries of two listeners, by their ids.

    What both play is ordered by the smaller of both shares, so that neither library
    decides by its size; ties by the artist's key.
    """
    rows = reader.query(
        """
        select
            libraries.artist_id,
            artists.artist_name,
            cast(sum(case when libraries.listener_id = :one
                then libraries.scrobbles else 0 end) as bigint) as mine,
            cast(sum(case when libraries.listener_id = :other
                then libraries.scrobbles else 0 end) as bigint) as theirs
        from marts.listener_artists as libraries
        inner join marts.dim_artists as artists
            on artists.artist_id = libraries.artist_id
        where libraries.listener_id in (:one, :other)
        group by libraries.artist_id, artists.artist_name
        order by libraries.artist_id
        """,
        {"one": one, "other": other},
    ).records()
    mine = sum(row["mine"] for row in rows)
    theirs = sum(row["theirs"] for row in rows)
    both = [row for row in rows if row["mine"] and row["theirs"]]
    return Comparison(
        likeness=_cosine(rows),
        both=sorted(
            both, key=lambda row: -min(row["mine"] / mine, row["theirs"] / theirs)
        )[:limit],
        only_mine=_most([row for row in rows if not row["theirs"]], "mine")[:limit],
        only_theirs=_most([row for row in rows if not row["mine"]], "theirs")[:limit],
        shared_artists=len(both),
    )


def _most(rows: Rows, whose: str) -> Rows:
    return sorted(rows, key=lambda row: -row[whose])


def _cosine(rows: Rows) -> float:
    pairs = [(log1p(row["mine"]), log1p(row["theirs"])) for row in rows]
    lengths = [sqrt(sum(pair[side] ** 2 for pair in pairs)) for side in (0, 1)]
    if not all(lengths):
        return 0.0
    return sum(a * b for a, b in pairs) / (lengths[0] * lengths[1])
