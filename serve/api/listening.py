"""One listener's own plays in any window: /api/v1/listeners/<name>.

Lists to any depth, one thing, the plays themselves, and statistics; days and hours are
those of a time zone. Who may read it is :func:`serve.api.listeners.allowed`'s to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Literal

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import Field

from serve import answers, own_rules
from serve.accounts import Account, current_account
from serve.api.description import AS_TABLE, Row, listing, operation_id, single
from serve.api.listeners import allowed
from serve.api.parameters import (
    Key,
    ListenerPath,
    LocalWindow,
    Page,
    Text,
    Whole,
    chosen_zone,
)
from serve.context import reading
from serve.problems import Problem
from serve.queries import listening as queries
from serve.queries import statistics
from serve.queries.listening import Listening
from serve.queries.own_rules import NO_RULES, Rules, prepared
from serve.ranges import Word
from serve.store.contract import Reader, Result
from serve.zones import Zone

api = APIBlueprint(
    "listening",
    __name__,
    operation_id_callback=operation_id,
    url_prefix="/api/v1/listeners",
    abp_tags=[Tag(name="listeners", description="a listener's own lists")],
    abp_security=[{"bearer": []}, {"session": []}],
)
#: Rows of one answer: a download of a library is a few of these.
MAX_ROWS = 100_000


class TopPath(ListenerPath):
    entity: queries.Entity


class ThingPath(TopPath):
    entity_id: Key = Field(description="key of the artist, album, track or tag")


class PlaysQuery(LocalWindow, Page):
    limit: Whole = Field(50, ge=1, le=MAX_ROWS, description="rows in this answer")
    q: Text | None = Field(None, description="in the artist's, album's or track's name")


class TopQuery(LocalWindow, Page):
    limit: Whole = Field(50, ge=1, le=MAX_ROWS, description="rows in this answer")
    by: queries.By = "scrobbles"


class PeriodQuery(LocalWindow):
    grain: queries.Grain = "month"


class ListenerTopRow(Row):
    rank: int
    entity_id: str
    entity_name: str | None
    artist_id: str | None
    artist_name: str | None
    scrobbles: int
    listening_seconds: int
    share_pct: float = Field(description="of the plays of all that the list holds")
    first_played_at: datetime = Field(description="local time")
    last_played_at: datetime = Field(description="local time")
    entities: int = Field(description="how many the whole list holds")


class OwnPlayRow(Row):
    scrobble_id: str
    scrobbled_at: datetime
    local_at: datetime = Field(description="local time")
    artist_id: str
    artist_name: str | None
    track_id: str
    track_name: str | None
    album_id: str | None
    album_name: str | None
    listening_seconds: int


class OwnTotals(Row):
    scrobbles: int
    listening_seconds: int
    artists: int
    albums: int
    tracks: int
    active_days: int
    first_played_at: datetime | None = Field(description="local time")
    last_played_at: datetime | None = Field(description="local time")


class OwnPeriodRow(Row):
    period_start: date
    scrobbles: int
    listening_seconds: int


#: What answers about a window say beside their rows.
MEMBERS: dict[str, Any] = {
    "from": (date, Field(description="first local day")),
    "to": (date, Field(description="last local day")),
    "tz": (str, Field(description="time zone of the days")),
}


def chosen_window(
    reader: Reader, listener_id: str, query: LocalWindow, default: Word = "all_time"
) -> Listening:
    """The window asked for, in the zone asked for, the owner's own or UTC.

    Raises:
        Problem: the days or the zone cannot be.
    """
    return Listening(
        listener_id,
        query.days(reader.published, default),
        reader.published.as_of_date,
        _zone(listener_id, query.tz),
        rules=_prepared(reader, listener_id),
    )


def rules_of_owner(listener_id: str) -> tuple[own_rules.Rule, ...]:
    """The rules of who asks, where it is the listener: others read the plays as told.

    So nobody can find out a rule by comparing two answers.
    """
    account = current_account()
    if account is None or account.listener_id != listener_id:
        return ()
    return tuple(own_rules.read(account.rules).values())


def _prepared(reader: Reader, listener_id: str) -> Rules:
    rules = rules_of_owner(listener_id)
    return prepared(reader, rules, _zone(listener_id, None)) if rules else NO_RULES


def account_zone(account: Account) -> Zone:
    """The zone that an account has chosen, else UTC."""
    try:
        return Zone(account.time_zone or "UTC")
    except ValueError:  # the time zone database has dropped what was chosen once
        return Zone()


def _zone(listener_id: str, asked: str | None) -> Zone:
    if asked is not None:
        return chosen_zone(asked)
    account = current_account()
    is_own = account is not None and account.listener_id == listener_id
    return account_zone(account) if account is not None and is_own else Zone()


def _members(listening: Listening) -> dict[str, Any]:
    return {
        "from": listening.days.first,
        "to": listening.days.last,
        "tz": listening.zone.name,
    }


@contextmanager
def _own(path: ListenerPath, query: LocalWindow) -> Iterator[tuple[Reader, Listening]]:
    """The window of a listener whose lists may be read, and a reader for it.

    Raises:
        Problem: they may not, or the days or the zone cannot be.
    """
    with reading() as reader:
        allowed(reader, path.listener_id)
        yield reader, chosen_window(reader, path.listener_id, query)


def _table(
    reader: Reader, listening: Listening, result: Result, page: Page | None = None
) -> Response:
    """Rows about the window; those of one page, where there are pages."""
    cut: dict[str, Any] = (
        {} if page is None else {"limit": page.limit, "offset": page.offset}
    )
    return answers.table(
        reader.published, result, is_private=True, **cut, **_members(listening)
    )


def thing(reader: Reader, listening: Listening, path: ThingPath) -> Listening:
    """The same window of one thing.

    Raises:
        Problem: 404, nothing has this key.
    """
    named = queries.name_of(reader, path.entity, path.entity_id, listening.rules)
    if named is None:
        raise Problem("not_found", f"none of the {path.entity} has this key")
    return replace(listening, entity=path.entity, entity_id=path.entity_id)


@api.get(
    "/<listener_name>/top/<entity>",
    responses=listing(ListenerTopRow, **MEMBERS),
    openapi_extensions=AS_TABLE,
)
def top(path: TopPath, query: TopQuery) -> Response:
    """The listener's top artists, albums, tracks or tags of any days."""
    with _own(path, query) as (reader, listening):
        result = queries.top(
            reader,
            listening,
            entity=path.entity,
            by=query.by,
            limit=query.limit + 1,
            offset=query.offset,
        )
        return _table(reader, listening, result, query)


@api.get(
    "/<listener_name>/plays",
    responses=listing(OwnPlayRow, **MEMBERS),
    openapi_extensions=AS_TABLE,
)
def plays(path: ListenerPath, query: PlaysQuery) -> Response:
    """The listener's plays, newest first; with q those with a name that has it."""
    with _own(path, query) as (reader, listening):
        return _plays(reader, listening, query)


@api.get(
    "/<listener_name>/<entity>/<entity_id>/plays",
    responses=listing(OwnPlayRow, **MEMBERS),
    openapi_extensions=AS_TABLE,
)
def plays_of_thing(path: ThingPath, query: PlaysQuery) -> Response:
    """The listener's plays of one artist, album, track or tag."""
    with _own(path, query) as (reader, listening):
        return _plays(reader, thing(reader, listening, path), query)


def _plays(reader: Reader, listening: Listening, query: PlaysQuery) -> Response:
    result = queries.plays(
        reader, listening, text=query.q, limit=query.limit + 1, offset=query.offset
    )
    return _table(reader, listening, result, query)


@api.get("/<listener_name>/totals", responses=single(OwnTotals, MEMBERS))
def totals(path: ListenerPath, query: LocalWindow) -> Response:
    """How much the listener played, of how many different things."""
    with _own(path, query) as (reader, listening):
        return answers.document(
            reader.published,
            queries.totals(reader, listening),
            is_private=True,
            members=_members(listening),
        )


@api.get(
    "/<listener_name>/<entity>/<entity_id>/periods",
    responses=listing(OwnPeriodRow, **MEMBERS),
    openapi_extensions=AS_TABLE,
)
def periods_of_thing(path: ThingPath, query: PeriodQuery) -> Response:
    """The listener's plays of one thing by day, week, month or year, zero-filled."""
    with _own(path, query) as (reader, listening):
        result = queries.by_period(
            reader, thing(reader, listening, path), grain=query.grain
        )
        return _table(reader, listening, result)


# Statistics -----------------------------------------------------------------------


class ActivityRow(Row):
    measure: Literal[
        "scrobbles",
        "listening_seconds",
        "artists",
        "albums",
        "tracks",
        "active_days",
        "new_artists",
    ]
    value: int
    previous_value: int | None = Field(description="null: there is no period before")
    change_pct: float | None


class OwnHourRow(Row):
    weekday: int = Field(description="1 is Monday")
    hour: int
    scrobbles: int


class OwnDayRow(Row):
    day: date
    weekday: int = Field(description="1 is Monday")
    scrobbles: int


class NamedPlayRow(Row):
    kind: Literal["first", "last"]
    played_at: datetime = Field(description="local time")
    artist_id: str
    artist_name: str | None
    track_id: str
    track_name: str | None


class StreakRow(Row):
    kind: Literal["streak", "gap"]
    first_day: date
    last_day: date
    days: int
    scrobbles: int
    is_current: bool = Field(description="it lasts to the window's end")


class SessionRow(Row):
    started_at: datetime = Field(description="local time of the first play")
    last_played_at: datetime = Field(description="local time of the last play")
    scrobbles: int
    listening_seconds: int
    sessions: int = Field(description="how many the window has")
    scrobbles_per_session: float


class EddingtonRow(Row):
    scrobbles: int
    days: int = Field(description="days with so many plays or more")
    is_reached: bool = Field(description="as many days as plays; the last is the E")


class MilestoneRow(Row):
    number: int
    played_at: datetime = Field(description="local time")
    artist_id: str
    artist_name: str | None
    track_id: str
    track_name: str | None


class PaceRow(Row):
    first_day: date
    last_day: date
    days: int
    scrobbles: int
    scrobbles_per_day: float
    library_scrobbles: int = Field(description="from the first play to the last day")
    next_milestone: int
    expected_date: date | None = Field(description="null: not in a hundred years")


class DiscoveryRow(Row):
    month_start: date
    new_artists: int


class ForgottenRow(Row):
    artist_id: str
    artist_name: str | None
    scrobbles: int
    first_day: date
    last_day: date
    quiet_days: int


class WonderRow(Row):
    artist_id: str
    artist_name: str | None
    track_id: str
    track_name: str | None
    scrobbles: int


class AnniversaryRow(Row):
    artist_id: str
    artist_name: str | None
    scrobbles: int
    first_day: date
    anniversary_date: date
    years: int


class OwnWeekRow(Row):
    week_start: date = Field(description="its Monday, by the clock of `tz`")
    artist_id: str | None = Field(description="null: a week without plays")
    artist_name: str | None
    scrobbles: int
    week_scrobbles: int
    second_scrobbles: int | None
    share_pct: float | None
    dominance: float | None = Field(description="plays over those of the second")
    weeks_at_1: int | None = Field(description="weeks at number one until then")


class EvolutionRow(Row):
    period_start: date
    artist_id: str
    artist_name: str | None
    scrobbles: int
    rank: int | None


class MoverRow(Row):
    kind: Literal["climber", "faller"]
    artist_id: str
    artist_name: str | None
    scrobbles: int
    previous_scrobbles: int
    change: int
    rank: int | None
    previous_rank: int | None


class TagPeriodRow(Row):
    period_start: date
    tag_id: str
    tag_name: str | None
    scrobbles: int
    share_pct: float


class VarietyRow(Row):
    period_start: date
    scrobbles: int
    artists: int
    effective_artists: float | None


class UnusualWeekRow(Row):
    week_start: date = Field(description="the week's Monday, by the local clock")
    scrobbles: int
    mean_of_others: float = Field(description="plays a week, of the other weeks")
    z_score: float = Field(description="standard deviations of the others from it")


ROWS: dict[str, type[Row]] = {
    "activity": ActivityRow,
    "week-hours": OwnHourRow,
    "calendar": OwnDayRow,
    "first-and-last": NamedPlayRow,
    "streaks": StreakRow,
    "sessions": SessionRow,
    "eddington": EddingtonRow,
    "milestones": MilestoneRow,
    "pace": PaceRow,
    "discoveries": DiscoveryRow,
    "forgotten": ForgottenRow,
    "one-hit-wonders": WonderRow,
    "anniversaries": AnniversaryRow,
    "weekly": OwnWeekRow,
    "evolution": EvolutionRow,
    "movers": MoverRow,
    "tags": TagPeriodRow,
    "variety": VarietyRow,
    "unusual-weeks": UnusualWeekRow,
}


def _statistic_view(name: str) -> Callable[..., Response]:
    statistic = statistics.STATISTICS[name]

    def view(path: ListenerPath, query: LocalWindow) -> Response:
        with _own(path, query) as (reader, listening):
            question = statistics.Question(reader, listening)
            return _table(reader, listening, statistic.ask(question))

    view.__name__ = name.replace("-", "_")
    view.__doc__ = statistic.definition
    return view


for _name, _row in ROWS.items():
    api.get(
        f"/<listener_name>/statistics/{_name}",
        responses=listing(_row, **MEMBERS),
        openapi_extensions=AS_TABLE,
    )(_statistic_view(_name))
