"""Artists: /api/v1/artists."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from typing import Annotated, Any, Literal

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import Field, StringConstraints

from serve import answers
from serve.accounts import named_listeners
from serve.api.description import AS_TABLE, Row, listing, operation_id, single
from serve.api.parameters import (
    ArtistPath,
    Day,
    Flag,
    Key,
    Nothing,
    Page,
    Parameters,
    Text,
    Whole,
    is_true,
)
from serve.context import reading
from serve.problems import Problem
from serve.queries import artists as queries
from serve.queries import histories
from serve.ranges import of_days
from serve.store.contract import Published, Reader, Result

api = APIBlueprint(
    "artists",
    __name__,
    operation_id_callback=operation_id,
    url_prefix="/api/v1/artists",
    abp_tags=[Tag(name="artists", description="search, one artist, series, compare")],
)


class ArtistsQuery(Page):
    q: Text | None = Field(None, description="part of the name")
    tag: Key | None = Field(None, description="only artists with this tag_id")
    listed: Flag | None = Field(None, description="only those on the exchange, or not")
    rising: Flag | None = Field(None, description="only those that rise, or not")
    sort: queries.Sort = Field(
        "listeners", description="scrobbles, panel_listeners: by those that count"
    )


class ListQuery(Page):
    on: Day | None = Field(
        None, description="the list as it was on this day (UTC); default: today's"
    )


class CompletionQuery(Parameters):
    q: Text = Field(description="the beginning of a name")
    limit: Whole = Field(10, ge=1, le=50)


class CorrectionQuery(Parameters):
    name: Text = Field(description="any spelling")


class SeriesQuery(Parameters):
    measure: queries.Measure = "listeners"
    from_: Day | None = Field(None, alias="from")
    to: Day | None = None
    limit: Whole = Field(
        366,
        ge=1,
        le=3660,
        description="days; the newest are kept, `next` has more",
    )
    shape: Literal["rows", "columns"] = Field(
        "rows", description="columns: one array for each column (JSON only)"
    )


class CompareQuery(SeriesQuery):
    artists: Annotated[
        str, StringConstraints(pattern=r"^[0-9a-f]{32}(,[0-9a-f]{32}){0,4}$")
    ] = Field(description="up to five artist_id, separated by commas")


class ArtistRow(Row):
    artist_id: str
    artist_name: str
    artist_mbid: str | None
    top_tag: str | None
    listeners: int | None
    playcount: int | None
    scrobbles: int | None = Field(description="all plays of the panel")
    scrobbles_counted: int | None = Field(description="those that count on charts")
    panel_listeners: int | None
    panel_listeners_counted: int | None = Field(
        description="listeners with a play that counts"
    )
    score: float | None
    value: float | None
    fundamental_price: float | None
    stage: str | None
    growth: float | None = Field(
        description="28 days against 63, from the middle of the stage, in robust sd"
    )
    growth_label: str | None
    trend_words: str | None
    is_rising: bool = Field(
        description="growth high, trend rising, listed, nothing set aside in 28 days"
    )
    is_listed: bool


class CompletionRow(Row):
    artist_id: str
    artist_name: str
    listeners: int | None


class Correction(Row):
    artist_id: str
    artist_name: str
    is_alias: bool = Field(
        description="whether last.fm or an administrator corrected the spelling"
    )


class TagRow(Row):
    rank: int | None
    tag_id: str
    tag_name: str
    weight: int | None


class SimilarRow(Row):
    rank: int | None
    artist_id: str
    artist_name: str
    match: float | None
    listeners: int | None


class AnomalyRow(Row):
    anomaly_date: date
    kind: str = Field(description="merge, correction, stall, hole, burst, …")
    evidence: str
    listeners_change: int | None
    playcount_change: int | None
    usual_plays_per_day: float | None
    other_artist_name: str | None = Field(
        description="whose counters explain a merge or an opposite step"
    )
    other_playcount: int | None


class MbidRow(Row):
    mbid: str
    valid_from_date: date
    valid_to_date: date | None = Field(
        description="the first day with another one; null while it holds"
    )


class TrackRow(Row):
    rank: int | None = Field(description="last.fm's rank; null for the others")
    track_id: str
    track_name: str
    playcount: int | None = Field(description="null with `on`: not kept by day")
    listeners: int | None = Field(description="null with `on`: not kept by day")
    duration_seconds: int | None
    scrobbles: int | None = Field(description="null with `on`: not kept by day")
    scrobbles_counted: int | None = Field(
        description="those that count on charts; null with `on`"
    )


class AlbumRow(Row):
    rank: int | None
    album_id: str
    album_name: str
    playcount: int | None = Field(description="null with `on`: not kept by day")
    tracks: int | None
    scrobbles: int | None = Field(description="null with `on`: not kept by day")
    scrobbles_counted: int | None = Field(
        description="those that count on charts; null with `on`"
    )


class TopListenerRow(Row):
    rank: int
    listener_id: str
    listener_name: str
    scrobbles: int


class RankRow(Row):
    chart: str
    scope: str
    period: str
    issue_date: date
    rank: int
    movement: str | None
    peak_rank: int | None
    issues_on_chart: int | None


class Artist(Row):
    artist_id: str
    artist_name: str
    artist_mbid: str | None
    is_tracked: bool | None
    top_tag: str | None
    listeners: int | None
    playcount: int | None
    spellings: int | str | None
    first_seen_date: date | None
    scrobbles: int | None = Field(description="all plays of the panel")
    scrobbles_counted: int | None = Field(description="those that count on charts")
    panel_listeners: int | None
    panel_listeners_counted: int | None = Field(
        description="listeners with a play that counts"
    )
    flow: dict[str, Any] | None = Field(description="the last snapshot's daily flow")
    value: dict[str, Any] | None = Field(description="value, interval, stage, trend")
    aliases: list[str]
    tags: list[TagRow]
    similar: list[SimilarRow]
    top_tracks: list[TrackRow]
    top_listeners: list[TopListenerRow]
    ranks: list[RankRow]


class PointRow(Row):
    artist_id: str
    artist_name: str
    day: date
    value: float | None
    is_gap: bool = Field(description="no observation that day")


@api.get("", responses=listing(ArtistRow), openapi_extensions=AS_TABLE)
def list_artists(query: ArtistsQuery) -> Response:
    """Search: artists whose name holds the text, best match first."""
    with reading() as reader:
        result = queries.artists(
            reader,
            text=query.q,
            tag_id=query.tag,
            is_listed=is_true(query.listed),
            is_rising=is_true(query.rising),
            sort=query.sort,
            limit=query.limit + 1,
            offset=query.offset,
        )
        return answers.table(
            reader.published, result, limit=query.limit, offset=query.offset
        )


@api.get("/completion", responses=listing(CompletionRow), openapi_extensions=AS_TABLE)
def completion(query: CompletionQuery) -> Response:
    """Names that begin with the text, the best known first."""
    with reading() as reader:
        result = queries.completion(reader, text=query.q, limit=query.limit)
        return answers.table(reader.published, result)


@api.get("/correction", responses=single(Correction))
def correction(query: CorrectionQuery) -> Response:
    """The artist a spelling means."""
    with reading() as reader:
        found = queries.correction(reader, name=query.name)
        if found is None:
            raise Problem("not_found", "no artist is known under this spelling")
        return answers.document(reader.published, found)


@api.get(
    "/compare",
    responses=listing(PointRow, can_turn=True, measure=(str, ...)),
    openapi_extensions=AS_TABLE,
)
def compare(query: CompareQuery) -> Response:
    """One measure of up to five artists, day by day."""
    with reading() as reader:
        keys = list(dict.fromkeys(query.artists.split(",")))
        return _series(reader, keys, query)


@api.get("/<artist_id>", responses=single(Artist))
def artist(path: ArtistPath, query: Nothing) -> Response:
    """One artist: counters, flow, value, growth, trend, tags, similar, ranks."""
    with reading() as reader:
        found = queries.artist(reader, path.artist_id, named_listeners())
        if found is None:
            raise _unknown(path.artist_id)
        return answers.document(reader.published, found)


@api.get(
    "/<artist_id>/series",
    responses=listing(PointRow, can_turn=True, measure=(str, ...)),
    openapi_extensions=AS_TABLE,
)
def series(path: ArtistPath, query: SeriesQuery) -> Response:
    """One measure day by day; days without an observation are marked."""
    with reading() as reader:
        return _series(reader, [path.artist_id], query)


Question = Callable[..., Result]


def _part(path: ArtistPath, query: Page, question: Question) -> Response:
    with reading() as reader:
        result = question(
            reader, path.artist_id, limit=query.limit + 1, offset=query.offset
        )
        if not result.rows and not queries.artist_exists(reader, path.artist_id):
            raise _unknown(path.artist_id)
        return answers.table(
            reader.published, result, limit=query.limit, offset=query.offset
        )


def _list(
    path: ArtistPath, query: ListQuery, name: histories.ListName, today: Question
) -> Response:
    """A list of the artist, of today or of a past day."""
    on = query.on
    if on is None:
        return _part(path, query, today)

    def past(reader: Reader, artist_id: str, *, limit: int, offset: int) -> Result:
        return list_on(reader, artist_id, name, on=on, limit=limit, offset=offset)

    return _part(path, query, past)


def refuse_later(reader: Reader, on: date) -> None:
    """Refuse a day that is not published yet."""
    last = reader.published.as_of_date
    if on > last:
        raise Problem("not_found", f"on: {on} is after {last}, the last day")


def list_on(
    reader: Reader,
    artist_id: str,
    name: histories.ListName,
    *,
    on: date,
    limit: int,
    offset: int = 0,
) -> Result:
    """A list of the artist as it was on a day.

    Raises:
        Problem: the day is after the published one, or before the first answer.
    """
    refuse_later(reader, on)
    result = histories.on_day(
        reader, artist_id, name, on=on, limit=limit, offset=offset
    )
    if not result.rows:
        first = histories.first_day(reader, artist_id, name)
        if first is not None and on < first:
            raise Problem(
                "not_found", f"the first answer with the artist's {name} is of {first}"
            )
    return result


@api.get("/<artist_id>/tags", responses=listing(TagRow), openapi_extensions=AS_TABLE)
def artist_tags(path: ArtistPath, query: ListQuery) -> Response:
    """The artist's tags by weight."""
    return _list(path, query, "tags", queries.tags)


@api.get(
    "/<artist_id>/similar", responses=listing(SimilarRow), openapi_extensions=AS_TABLE
)
def artist_similar(path: ArtistPath, query: ListQuery) -> Response:
    """Similar artists."""
    return _list(path, query, "similar", queries.similar)


@api.get(
    "/<artist_id>/anomalies",
    responses=listing(AnomalyRow),
    openapi_extensions=AS_TABLE,
)
def artist_anomalies(path: ArtistPath, query: Page) -> Response:
    """Jumps of the artist's counters that are told apart, the newest first."""
    return _part(path, query, queries.anomalies)


@api.get(
    "/<artist_id>/tracks", responses=listing(TrackRow), openapi_extensions=AS_TABLE
)
def artist_tracks(path: ArtistPath, query: ListQuery) -> Response:
    """The artist's tracks; with `on` those that last.fm listed then."""
    return _list(path, query, "tracks", queries.tracks)


@api.get(
    "/<artist_id>/albums", responses=listing(AlbumRow), openapi_extensions=AS_TABLE
)
def artist_albums(path: ArtistPath, query: ListQuery) -> Response:
    """The artist's albums; with `on` those that last.fm listed then."""
    return _list(path, query, "albums", queries.albums)


@api.get("/<artist_id>/mbids", responses=listing(MbidRow), openapi_extensions=AS_TABLE)
def artist_mbids(path: ArtistPath, query: Page) -> Response:
    """The MusicBrainz ids that artist.getInfo gave, and since when."""
    return _part(path, query, histories.mbids)


@api.get(
    "/<artist_id>/listeners",
    responses=listing(TopListenerRow),
    openapi_extensions=AS_TABLE,
)
def artist_listeners(path: ArtistPath, query: Page) -> Response:
    """The panel's public listeners of the artist by plays."""
    return _part(path, query, partial(queries.listeners, named=named_listeners()))


@api.get("/<artist_id>/ranks", responses=listing(RankRow), openapi_extensions=AS_TABLE)
def artist_ranks(path: ArtistPath, query: Page) -> Response:
    """Where the artist stood last, chart by chart."""
    return _part(path, query, queries.ranks)


def _series(reader: Reader, keys: list[str], query: SeriesQuery) -> Response:
    first, last = _days(reader.published, query)
    result = queries.series(
        reader,
        artist_ids=keys,
        measure=query.measure,
        first=first,
        last=last,
        days=query.limit,
    )
    # The rows of one artist ascend, so its ends say as much as all of them.
    ends = result.rows if len(keys) > 1 else (*result.rows[:1], *result.rows[-1:])
    known = {row[0] for row in ends}
    for key in keys:
        if key not in known and not queries.artist_exists(reader, key):
            raise _unknown(key)
    cut = _last_before([row[2] for row in ends], query)
    before = None
    if cut is not None:
        rows = [row for row in result.rows if row[2] > cut]
        result = Result(result.columns, result.types, rows)
        before = {"to": cut.isoformat()}
    if query.shape == "columns":
        return answers.columns(
            reader.published, result, next_query=before, measure=query.measure
        )
    return answers.table(
        reader.published, result, next_query=before, measure=query.measure
    )


def _days(published: Published, query: SeriesQuery) -> tuple[date, date]:
    try:
        days = of_days(query.from_, query.to, published.as_of_date)
    except ValueError as error:
        raise Problem("invalid_range", str(error)) from None
    return days.first, days.last


def _last_before(days: list[date], query: SeriesQuery) -> date | None:
    """The last day that does not fit into `limit` days, when there is one."""
    if not days:
        return None
    cut = max(days) - timedelta(days=query.limit)
    return cut if min(days) <= cut else None


def _unknown(artist_id: str) -> Problem:
    return Problem("not_found", f"no artist {artist_id}; see /api/v1/artists?q=")
