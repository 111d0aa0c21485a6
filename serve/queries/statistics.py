"""Statistics of one's own listening: what each means, and how it is counted.

Owns :data:`STATISTICS`: a definition in one sentence, and the question. A day is a
local day of the zone asked for, and every play counts. Counts by day are asked once for
all that is made of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any

from serve.queries import listening as queries
from serve.queries.listening import Listening, next_start, period_sql
from serve.queries.windows import is_main_tag
from serve.ranges import Range, start_of
from serve.store.contract import Reader, Result, among, in_lines

#: Lists of statistics are no longer than this.
LONGEST = 25
SHOWN_LINES = 5
FAVOURITE_PLAYS = 10
FORGOTTEN_DAYS = 180
WONDER_PLAYS = 5
SESSION_PAUSE_MINUTES = 30
ANNIVERSARY_DAYS = 30
UNUSUAL_Z = 2.0
_FEWEST_WEEKS = 4
_LEAST_MILESTONES = (1, 100, 1_000, 5_000)
_MILESTONE_STEP = 10_000
_FARTHEST = 36_500  # days: what is expected later than that is never

Days = dict[date, int]
Rows = list[tuple[Any, ...]]


@dataclass
class Question:
    """A window of somebody's listening, and what several statistics are made of."""

    reader: Reader
    listening: Listening

    @cached_property
    def days(self) -> Days:
        """Plays by local day of the window; days without one are left out."""
        listening = self.listening
        if listening.zone.name == "UTC" and listening.entity is None:
            # The mart's days are UTC's, and a hundredth of the plays.
            return dict(
                self.reader.query(
                    f"""
                    select scrobbled_date, cast(sum(scrobbles) as bigint) as scrobbles
                    from {listening.days_mart}
                    where listener_id = :listener_id
                        and scrobbled_date between :first and :last
                    group by scrobbled_date
                    order by scrobbled_date
                    """,
                    listening.binds,
                ).rows
            )
        found = self.ask(
            "select local_date, cast(count(*) as bigint) as scrobbles from plays"
            " group by local_date order by local_date"
        )
        return dict(found.rows)

    @cached_property
    def end(self) -> date:
        """The window's last day of which plays can be known."""
        last = min(self.listening.days.last, self.listening.as_of)
        return max([last, *self.days])

    @cached_property
    def is_newest(self) -> bool:
        """Whether nothing was played after the window."""
        binds = self.listening.binds
        last = self.reader.query(
            "select max(last_scrobbled_at) as last_at"
            f" from {self.listening.artists_mart}"
            " where listener_id = :listener_id",
            binds,
        ).rows[0][0]
        return last is None or bool(last < binds["end_at"])

    @property
    def artists_sql(self) -> str:
        """SQL: each artist with plays and local first and last day to the window's end.

        From the mart but for artists that were played after it: a tenth of the time.
        """
        artists = f"""
            select artist_id, scrobbles, first_scrobbled_at, last_scrobbled_at
            from {self.listening.artists_mart}
            where listener_id = :listener_id
        """
        if not self.is_newest:
            artists = f"""
                select * from ({artists}) as before_the_end
                where last_scrobbled_at < :end_at
                union all
                select
                    artist_id, cast(count(*) as bigint) as scrobbles,
                    min(scrobbled_at) as first_scrobbled_at,
                    max(scrobbled_at) as last_scrobbled_at
                from plays
                where artist_id in (
                    select artist_id from ({artists}) as after_the_end
                    where last_scrobbled_at >= :end_at
                )
                group by artist_id
            """
        local = self.listening.whole.local_sql
        return f"""
            select
                artist_id, scrobbles,
                cast({local("first_scrobbled_at")} as date) as first_day,
                cast({local("last_scrobbled_at")} as date) as last_day
            from ({artists}) as utc
        """

    @cached_property
    def grain(self) -> str:
        """Day, week, month or year: by what a series of the window is drawn."""
        days = self.days
        span = (max(days) - min(days)).days if days else 0
        if span <= 31:
            return "day"
        if span <= 190:
            return "week"
        return "month" if span <= 3_700 else "year"

    @property
    def periods(self) -> list[date]:
        """The first days of the series' periods, from the first play to the end."""
        return _starts(self.grain, min(self.days, default=None), self.end)

    @property
    def parts_sql(self) -> str:
        """SQL: `parts`, plays by period of the series and artist; follows `plays`."""
        return f"""
            parts as (

                select
                    {period_sql(self.grain)} as period_start, artist_id,
                    count(*) as scrobbles
                from plays
                group by 1, 2

            )"""

    def ask(self, sql: str, listening: Listening | None = None, **binds: Any) -> Result:
        """The answer to `sql`, in which `plays` are those of the window."""
        listening = listening or self.listening
        found = self.reader.query(
            f"with plays as ({listening.sql}) {sql}", {**listening.binds, **binds}
        )
        return listening.rules.answered(found)


@dataclass(frozen=True)
class Statistic:
    """One statistic: its name, what it means, and the question."""

    title: str
    definition: str
    ask: Callable[[Question], Result]


def _result(names: str, kinds: str, rows: Iterable[Sequence[Any]]) -> Result:
    return Result(
        tuple(names.split()), tuple(kinds.split()), [tuple(row) for row in rows]
    )


# From the counts by day -----------------------------------------------------------


def calendar(question: Question) -> Result:
    """Every day from the window's first play to its end, with its plays."""
    counts = question.days
    rows = []
    day = min(counts, default=question.end + timedelta(days=1))
    while day <= question.end:
        rows.append((day, day.isoweekday(), counts.get(day, 0)))
        day += timedelta(days=1)
    return _result("day weekday scrobbles", "date integer integer", rows)


def streaks(question: Question) -> Result:
    """The longest runs of days with plays, and without."""
    counts, end = question.days, question.end
    found: list[tuple[str, date, date]] = []
    for day in sorted(counts):
        if found and found[-1][2] == day - timedelta(days=1):
            found[-1] = ("streak", found[-1][1], day)
            continue
        if found:
            quiet = found[-1][2] + timedelta(days=1)
            found.append(("gap", quiet, day - timedelta(days=1)))
        found.append(("streak", day, day))
    if found and found[-1][2] < end:
        found.append(("gap", found[-1][2] + timedelta(days=1), end))
    rows = [
        (
            kind,
            first,
            last,
            (last - first).days + 1,
            sum(counts.get(first + timedelta(days=n), 0) for n in _days(first, last)),
            last == end,
        )
        for kind, first, last in found
    ]
    # Streaks first, each kind from the longest; the older of two that are as long.
    rows.sort(key=lambda row: (row[0] == "gap", -row[3], row[1]))
    kept = [
        row
        for kind in ("streak", "gap")
        for row in [row for row in rows if row[0] == kind][:LONGEST]
    ]
    return _result(
        "kind first_day last_day days scrobbles is_current",
        "text date date integer integer boolean",
        kept,
    )


def _days(first: date, last: date) -> range:
    return range((last - first).days + 1)


def eddington(question: Question) -> Result:
    """For each number of plays, on how many days there were so many or more."""
    counts = sorted(question.days.values(), reverse=True)
    reached = sum(plays >= place for place, plays in enumerate(counts, 1))
    rows = [
        (number, sum(plays >= number for plays in counts), number <= reached)
        for number in range(1, reached + 11)
    ]
    return _result(
        "scrobbles days is_reached", "integer integer boolean", rows if counts else []
    )


def pace(question: Question) -> Result:
    """Plays a day in the window, and when the next milestone is due at that pace."""
    counts, end = question.days, question.end
    if not counts:
        return _result(_PACE, _PACE_KINDS, [])
    begun, library = _until(question)
    zone = question.listening.zone
    first = max(question.listening.first, zone.local(begun).date())
    days = (end - first).days + 1
    scrobbles = sum(counts.values())
    following = next_milestone(library)
    # In whole numbers: a date does not hang on the last bit of a quotient.
    due = -(-(following - library) * days // scrobbles)
    rows = [
        (
            first,
            end,
            days,
            scrobbles,
            scrobbles / days,
            library,
            following,
            end + timedelta(days=due) if due <= _FARTHEST else None,
        )
    ]
    return _result(_PACE, _PACE_KINDS, rows)


def _until(question: Question) -> tuple[datetime, int]:
    """The first play, and how many there were by the window's end."""
    until = question.listening.until
    if until.entity is not None:
        row = question.ask(
            "select min(scrobbled_at) as begun_at, cast(count(*) as bigint) as plays"
            " from plays",
            until,
        ).rows[0]
        return row[0], row[1]
    # The mart's days are UTC's: of the last one the plays before the end.
    found = question.ask(
        f"""
        select
            (
                select min(first_scrobbled_at)
                from {until.artists_mart}
                where listener_id = :listener_id
            ) as begun_at,
            (
                select cast(coalesce(sum(scrobbles), 0) as bigint)
                from {until.days_mart}
                where listener_id = :listener_id and scrobbled_date < :last_utc_day
            ) + (
                select count(*) from plays where scrobbled_date >= :last_utc_day
            ) as plays
        """,
        until,
        last_utc_day=until.binds["end_at"].date(),
    ).rows[0]
    return found[0], int(found[1])


_PACE = "first_day last_day days scrobbles scrobbles_per_day library_scrobbles"
_PACE += " next_milestone expected_date"
_PACE_KINDS = "date date integer integer double integer integer date"


def next_milestone(scrobbles: int) -> int:
    """The first milestone after so many plays."""
    for number in _LEAST_MILESTONES:
        if number > scrobbles:
            return number
    return (scrobbles // _MILESTONE_STEP + 1) * _MILESTONE_STEP


def milestones(question: Question) -> Result:
    """The plays with round numbers that fall into the window."""
    listening = question.listening
    by_day = question.reader.query(
        f"""
        select scrobbled_date, cast(sum(scrobbles) as bigint) as scrobbles
        from {listening.days_mart}
        where listener_id = :listener_id
        group by scrobbled_date
        order by scrobbled_date
        """,
        listening.binds,
    )
    # The play with a number is looked for on its day only: sorting a library costs
    # more than the rest of the page.
    wanted: dict[date, list[tuple[int, int]]] = {}
    played, number = 0, next_milestone(0)
    first, last = listening.first - timedelta(days=1), listening.last
    for day, scrobbles in by_day.rows:
        while number <= played + scrobbles:
            if first <= day <= last + timedelta(days=1):
                wanted.setdefault(day, []).append((number, number - played))
            number = next_milestone(number)
        played += scrobbles
    names = {f"day_{place}": day for place, day in enumerate(wanted)}
    if not names:
        return Result(_MILESTONE, _MILESTONE_KINDS, [])
    found = question.ask(
        _MILESTONES_SQL.format(days=", ".join(f":{name}" for name in names)),
        listening.whole,
        **names,
    )
    numbered = {(row[0], row[1]): row[2:] for row in found.rows}
    rows = [
        (number, *numbered[day, place])
        for day, places in wanted.items()
        for number, place in places
        if listening.first <= numbered[day, place][0].date() <= listening.last
    ]
    return Result(_MILESTONE, _MILESTONE_KINDS, _named(question, _MILESTONE, rows))


_MILESTONE = (
    "number",
    "played_at",
    "artist_id",
    "artist_name",
    "track_id",
    "track_name",
)
_MILESTONE_KINDS = ("integer", "timestamp", "text", "text", "text", "text")
_UNNAMED = """artist_id, cast(null as text) as artist_name, track_id,
        cast(null as text) as track_name"""
_MILESTONES_SQL = f"""
    select
        scrobbled_date as utc_date,
        row_number() over (
            partition by scrobbled_date order by scrobbled_at, scrobble_id
        ) as place,
        local_at, {_UNNAMED}
    from plays
    where scrobbled_date in ({{days}})
"""


def _named(question: Question, columns: Sequence[str], rows: Rows) -> Rows:
    """The rows with the names that lack, by the keys of their artists and tracks.

    Joined in the statement, all names there are would be read for a few rows.
    """
    made = [list(row) for row in rows]
    for thing in ("artist", "track"):
        key, name = columns.index(f"{thing}_id"), columns.index(f"{thing}_name")
        wanted = {row[key] for row in made if row[name] is None}
        if not wanted:
            continue
        found = question.reader.query(
            f"select {thing}_id, {thing}_name from marts.dim_{thing}s"
            f" where {thing}_id in {among('keys')}",
            {"keys": in_lines(sorted(wanted))},
        )
        names = dict(found.rows)
        for row in made:
            row[name] = names.get(row[key]) if row[name] is None else row[name]
    return [tuple(row) for row in made]


# From the plays -------------------------------------------------------------------


def unusual_weeks(question: Question) -> Result:
    """Whole weeks whose plays lie far from those of the window's other whole weeks.

    z = (plays - mean) / standard deviation, both of the other weeks alone: with its own
    plays among them no week of n could reach more than (n - 1) / sqrt(n). A week beside
    others that are all alike has no z.
    """
    days = question.days
    first = min(days, default=None)
    weeks = {
        start: sum(days.get(start + timedelta(days=day), 0) for day in range(7))
        for start in _starts("week", first, question.end - timedelta(days=6))
        if first is not None and start >= first
    }
    if len(weeks) < _FEWEST_WEEKS:
        weeks = {}
    rows = []
    others = len(weeks) - 1
    total, squares = sum(weeks.values()), sum(count**2 for count in weeks.values())
    for start, count in weeks.items():
        # Whole numbers: the difference of two large squares keeps its last digit.
        spread = others * (squares - count**2) - (total - count) ** 2
        if spread == 0:
            continue
        mean = (total - count) / others
        z = (count - mean) / (spread / (others * (others - 1))) ** 0.5
        if abs(z) >= UNUSUAL_Z:
            rows.append((start, count, mean, z))
    rows.sort(key=lambda row: (-abs(row[3]), row[0]))
    return _result(
        "week_start scrobbles mean_of_others z_score",
        "date integer double double",
        rows[:LONGEST],
    )


def activity(question: Question) -> Result:
    """The window beside the period before: plays, time, and how many different."""
    names = _ACTIVITY.split()
    now, before = (
        None if listening is None else amounts(question, listening)
        for listening in (question.listening, question.listening.earlier)
    )
    assert now is not None
    rows = []
    for name in names:
        value = now[name]
        earlier = None if before is None else before[name]
        change = 100.0 * (value - earlier) / earlier if earlier else None
        rows.append((name, value, earlier, change))
    return _result(
        "measure value previous_value change_pct", "text integer integer double", rows
    )


_ACTIVITY = "scrobbles listening_seconds artists albums tracks active_days new_artists"


def amounts(question: Question, listening: Listening) -> dict[str, Any]:
    """Totals of these days, and how many artists were heard for the first time."""
    new = question.ask(
        f"""
        select cast(count(*) as bigint) as new_artists
        from {listening.artists_mart}
        where listener_id = :listener_id
            and first_scrobbled_at >= :begin_at and first_scrobbled_at < :end_at
        """,
        listening,
    )
    is_own = listening is question.listening
    days = len(question.days) if is_own else None
    found = queries.totals(question.reader, listening, active_days=days)
    return {**found, "new_artists": new.rows[0][0]}


def week_hours(question: Question) -> Result:
    """168 rows: plays by weekday (1 is Monday) and hour of the local clock."""
    found = question.ask(
        """
        select
            cast(extract(isodow from local_at) as integer) as weekday,
            cast(extract(hour from local_at) as integer) as hour,
            cast(count(*) as bigint) as scrobbles
        from plays
        group by 1, 2
        """
    )
    counts = {(row[0], row[1]): row[2] for row in found.rows}
    rows = [
        (weekday, hour, counts.get((weekday, hour), 0))
        for weekday in range(1, 8)
        for hour in range(24)
    ]
    return Result(found.columns, ("integer",) * 3, rows)


def first_and_last(question: Question) -> Result:
    """The first and the last play of the window."""
    first_at, last_at = question.ask(
        "select min(scrobbled_at) as first_at, max(scrobbled_at) as last_at from plays"
    ).rows[0]
    found = question.ask(
        f"""
        select
            scrobbled_at = :first_at as is_first, scrobbled_at = :last_at as is_last,
            local_at as played_at, {_UNNAMED}
        from plays
        where scrobbled_at in (:first_at, :last_at)
        order by scrobbled_at, scrobble_id
        """,
        first_at=first_at,
        last_at=last_at,
    )
    rows = [("first", *row[2:]) for row in found.rows if row[0]][:1]
    rows += [("last", *row[2:]) for row in found.rows if row[1]][-1:]
    columns = ("kind", *found.columns[2:])
    return Result(columns, ("text", *found.types[2:]), _named(question, columns, rows))


def sessions(question: Question) -> Result:
    """The sittings with the most plays, and how many sittings there were."""
    return question.ask(
        f"""
        , spaced as (

            select
                scrobbled_at, local_at, listening_seconds,
                lag(scrobbled_at) over in_order as before_at,
                lag(listening_seconds) over in_order as before_seconds,
                lead(scrobbled_at) over in_order as after_at,
                row_number() over in_order as number,
                sum(listening_seconds) over in_order as seconds
            from plays
            window in_order as (
                order by scrobbled_at, listening_seconds
                rows between unbounded preceding and current row
            )

        ),

        -- The first and the last play of each sitting, which may be one: grouping all
        -- plays by sitting takes as long as all the rest.
        edges as (

            select
                scrobbled_at, local_at, listening_seconds, number, seconds,
                before_at is null
                    or scrobbled_at > {_open_until("before_at", "before_seconds")}
                    as is_begin,
                after_at is null
                    or after_at > {_open_until("scrobbled_at", "listening_seconds")}
                    as is_end
            from spaced

        ),

        sittings as (

            select
                scrobbled_at as begun_at, local_at as started_at, is_begin,
                case when is_end then local_at
                    else lead(local_at) over in_order end as last_played_at,
                case when is_end then number
                    else lead(number) over in_order end - number + 1 as scrobbles,
                case when is_end then seconds
                    else lead(seconds) over in_order end - seconds + listening_seconds
                    as listening_seconds
            from edges
            where is_begin or is_end
            window in_order as (order by number)

        )

        select
            started_at, last_played_at, scrobbles,
            cast(listening_seconds as bigint) as listening_seconds,
            cast(count(*) over () as bigint) as sessions,
            cast(sum(scrobbles) over () as double precision)
                / count(*) over () as scrobbles_per_session
        from sittings
        where is_begin
        order by scrobbles desc, listening_seconds desc, begun_at
        limit :longest
        """,
        longest=LONGEST,
    )


def _open_until(begun_at: str, seconds: str) -> str:
    """SQL: until when the next play belongs to the same sitting."""
    return (
        f"{begun_at} + {seconds} * interval '1 second'"
        f" + interval '{SESSION_PAUSE_MINUTES} minutes'"
    )


def discoveries(question: Question) -> Result:
    """Months of the window with the artists first heard in them."""
    local = question.listening.local_sql("first_scrobbled_at")
    found = question.ask(
        f"""
        select
            {period_sql("month", local)} as month_start,
            cast(count(*) as bigint) as new_artists
        from {question.listening.artists_mart}
        where listener_id = :listener_id
            and first_scrobbled_at >= :begin_at and first_scrobbled_at < :end_at
        group by 1
        order by 1
        """
    )
    known = {row[0]: row for row in found.rows}
    rows = [
        known.get(month, (month, 0))
        for month in _starts("month", min(question.days, default=None), question.end)
    ]
    return Result(found.columns, ("date", "integer"), rows)


def _starts(grain: str, first: date | None, last: date) -> list[date]:
    """The first days of all periods from `first` through `last`."""
    found: list[date] = []
    day = None if first is None else start_of(grain, first)
    while day is not None and day <= last:
        found.append(day)
        day = next_start(grain, day)
    return found


def forgotten(question: Question) -> Result:
    """Artists once played often and not at all in the days before the window's end."""
    found = question.ask(
        f"""
        , artists as (

            select * from ({question.artists_sql}) as own
            where scrobbles >= :least and last_day <= :since

        )

        select
            artists.artist_id, names.artist_name, artists.scrobbles,
            artists.first_day, artists.last_day
        from artists
        left join marts.dim_artists as names on names.artist_id = artists.artist_id
        order by artists.scrobbles desc, artists.last_day, artists.artist_id
        limit :longest
        """,
        question.listening.until,
        least=FAVOURITE_PLAYS,
        since=question.end - timedelta(days=FORGOTTEN_DAYS),
        longest=LONGEST,
    )
    return _with(found, "quiet_days", lambda row: (question.end - row[4]).days)


def _with(found: Result, name: str, value: Callable[[Sequence[Any]], int]) -> Result:
    return Result(
        (*found.columns, name),
        (*found.types, "integer"),
        [(*row, value(row)) for row in found.rows],
    )


def one_hit_wonders(question: Question) -> Result:
    """Artists of whom the window has one track only, played again and again."""
    return question.ask(
        """
        , artists as (

            select
                artist_id, min(track_id) as track_id,
                cast(count(*) as bigint) as scrobbles
            from plays
            group by artist_id
            having min(track_id) = max(track_id) and count(*) >= :least

        )

        select
            artists.artist_id, names.artist_name, artists.track_id, tracks.track_name,
            artists.scrobbles
        from artists
        left join marts.dim_artists as names on names.artist_id = artists.artist_id
        left join marts.dim_tracks as tracks on tracks.track_id = artists.track_id
        order by artists.scrobbles desc, artists.artist_id
        limit :longest
        """,
        least=WONDER_PLAYS,
        longest=LONGEST,
    )


def weekly(question: Question) -> Result:
    """The first of each week, its share, and how far it is before the second."""
    found = question.ask(_WEEKLY_SQL)
    weeks = {row[0]: row for row in found.rows}
    led: dict[str, int] = {}
    rows = []
    for week in _starts("week", min(weeks, default=None), question.end):
        row = weeks.get(week, (week, None, None, 0, 0, None, None, None))
        if row[1] is not None:
            led[row[1]] = led.get(row[1], 0) + 1
        rows.append((*row, led.get(row[1])))
    columns = " ".join((*found.columns, "weeks_at_1"))
    kinds = "date text text integer integer integer double double integer"
    return _result(columns, kinds, rows)


_WEEKLY_SQL = f"""
    , weeks as (

        select
            {period_sql("week")} as week_start, artist_id,
            count(*) as scrobbles, sum(listening_seconds) as seconds
        from plays
        group by 1, 2

    ),

    ranked as (

        select
            weeks.*,
            sum(scrobbles) over (partition by week_start) as week_scrobbles,
            rank() over (
                partition by week_start order by scrobbles desc, seconds desc
            ) as rank
        from weeks

    ),

    -- Keys are text, and dear to sort: only those of the first few are.
    placed as (

        select
            ranked.*,
            row_number() over (
                partition by week_start
                order by scrobbles desc, seconds desc, artist_id
            ) as place
        from ranked
        where rank <= 2

    ),

    -- The second beside the first without a join: PostgreSQL would compare each
    -- week with all the others.
    leaders as (

        select
            week_start,
            max(case when place = 1 then artist_id end) as artist_id,
            max(scrobbles) as scrobbles,
            max(week_scrobbles) as week_scrobbles,
            max(case when place = 2 then scrobbles end) as second_scrobbles
        from placed
        where place <= 2
        group by week_start

    )

    select
        leaders.week_start, leaders.artist_id, artists.artist_name,
        cast(leaders.scrobbles as bigint) as scrobbles,
        cast(leaders.week_scrobbles as bigint) as week_scrobbles,
        cast(leaders.second_scrobbles as bigint) as second_scrobbles,
        100.0 * cast(leaders.scrobbles as double precision)
            / leaders.week_scrobbles as share_pct,
        cast(leaders.scrobbles as double precision)
            / leaders.second_scrobbles as dominance
    from leaders
    left join marts.dim_artists as artists
        on artists.artist_id = leaders.artist_id
    order by leaders.week_start
"""


def evolution(question: Question) -> Result:
    """Plays and rank of the window's first artists, period by period."""
    found = question.ask(
        f"""
        , {question.parts_sql},

        ranked as (

            select
                parts.*,
                rank() over (partition by period_start order by scrobbles desc) as rank
            from parts

        ),

        leaders as (

            select artist_id, sum(scrobbles) as scrobbles
            from parts
            group by artist_id
            order by scrobbles desc, artist_id
            limit :lines

        )

        select
            ranked.period_start, leaders.artist_id, artists.artist_name,
            cast(ranked.scrobbles as bigint) as scrobbles,
            cast(ranked.rank as integer) as rank
        from leaders
        inner join ranked on ranked.artist_id = leaders.artist_id
        left join marts.dim_artists as artists
            on artists.artist_id = leaders.artist_id
        order by leaders.scrobbles desc, leaders.artist_id, ranked.period_start
        """,
        lines=SHOWN_LINES,
    )
    kinds = ("date", "text", "text", "integer", "integer")
    return Result(found.columns, kinds, _filled(question, found, (0, None)))


def _filled(
    question: Question, found: Result, empty: tuple[Any, ...]
) -> list[tuple[Any, ...]]:
    """Rows (period, id, name, …) with one for each period of the window and thing."""
    names = dict.fromkeys((row[1], row[2]) for row in found.rows)
    known = {(row[0], row[1]): row for row in found.rows}
    return [
        known.get((period, key), (period, key, name, *empty))
        for key, name in names
        for period in question.periods
    ]


def movers(question: Question) -> Result:
    """Artists whose plays changed most against the period before."""
    listening, earlier = question.listening, question.listening.earlier
    if earlier is None:
        return Result(_MOVER, _MOVER_KINDS, [])
    found = question.ask(
        """
        , artists as (

            select
                artist_id,
                count(*) filter (where local_date >= :now) as scrobbles,
                count(*) filter (where local_date <= :before) as previous_scrobbles
            from plays
            group by artist_id

        ),

        ranked as (

            select
                artists.*,
                rank() over (order by scrobbles desc) as rank,
                rank() over (order by previous_scrobbles desc) as previous_rank
            from artists

        ),

        changed as (

            select
                case when scrobbles > previous_scrobbles then 'climber' else 'faller'
                    end as kind,
                ranked.*,
                row_number() over (
                    partition by scrobbles > previous_scrobbles
                    order by abs(scrobbles - previous_scrobbles) desc, artist_id
                ) as place
            from ranked
            where scrobbles <> previous_scrobbles

        )

        select
            changed.kind, changed.artist_id, names.artist_name,
            cast(changed.scrobbles as bigint) as scrobbles,
            cast(changed.previous_scrobbles as bigint) as previous_scrobbles,
            cast(changed.scrobbles - changed.previous_scrobbles as bigint) as change,
            case when changed.scrobbles > 0 then cast(changed.rank as integer) end
                as rank,
            case when changed.previous_scrobbles > 0
                then cast(changed.previous_rank as integer) end as previous_rank
        from changed
        left join marts.dim_artists as names on names.artist_id = changed.artist_id
        where changed.place <= :longest
        order by changed.kind, changed.place
        """,
        listening.over(Range(earlier.first, listening.days.last)),
        now=listening.first,
        before=earlier.days.last,
        longest=10,
    )
    return Result(_MOVER, _MOVER_KINDS, found.rows)


_MOVER = (
    "kind",
    "artist_id",
    "artist_name",
    "scrobbles",
    "previous_scrobbles",
    "change",
    "rank",
    "previous_rank",
)
_MOVER_KINDS = ("text", "text", "text") + ("integer",) * 5


def tags_over_time(question: Question) -> Result:
    """The share of the window's first tags in the plays of each period."""
    found = question.ask(
        f"""
        , {question.parts_sql},

        wholes as (

            select period_start, sum(scrobbles) as scrobbles
            from parts
            group by period_start

        ),

        tagged as (

            select
                parts.period_start, tags.tag_id, max(tags.tag_name) as tag_name,
                sum(parts.scrobbles) as scrobbles
            from parts
            inner join marts.artist_tags as tags
                on tags.artist_id = parts.artist_id and {is_main_tag()}
            group by parts.period_start, tags.tag_id

        ),

        leaders as (

            select tag_id, max(tag_name) as tag_name, sum(scrobbles) as scrobbles
            from tagged
            group by tag_id
            order by scrobbles desc, tag_id
            limit :lines

        )

        select
            tagged.period_start, leaders.tag_id, leaders.tag_name,
            cast(tagged.scrobbles as bigint) as scrobbles,
            100.0 * cast(tagged.scrobbles as double precision) / wholes.scrobbles
                as share_pct
        from leaders
        inner join tagged on tagged.tag_id = leaders.tag_id
        inner join wholes on wholes.period_start = tagged.period_start
        order by leaders.scrobbles desc, leaders.tag_id, tagged.period_start
        """,
        lines=SHOWN_LINES,
    )
    kinds = ("date", "text", "text", "integer", "double")
    return Result(found.columns, kinds, _filled(question, found, (0, 0.0)))


def variety(question: Question) -> Result:
    """Different artists by period, and how many equal ones would be as varied."""
    found = question.ask(
        f"""
        , {question.parts_sql}

        select
            period_start, cast(sum(scrobbles) as bigint) as scrobbles,
            cast(count(*) as bigint) as artists,
            cast(sum(scrobbles) as double precision) * sum(scrobbles)
                / sum(scrobbles * scrobbles) as effective_artists
        from parts
        group by period_start
        order by period_start
        """
    )
    known = {row[0]: row for row in found.rows}
    rows = [known.get(period, (period, 0, 0, None)) for period in question.periods]
    return Result(found.columns, ("date", "integer", "integer", "double"), rows)


def anniversaries(question: Question) -> Result:
    """Artists first heard years ago on a day of the year that comes next."""
    end, listening = question.end, question.listening
    # Plays until the end are all but those after it: the fewer ones as a rule.
    following = listening.last + timedelta(days=1)
    last = max(following, listening.as_of + timedelta(days=1))
    found = question.ask(
        f"""
        , later as (

            select artist_id, cast(count(*) as bigint) as scrobbles
            from plays
            group by artist_id

        ),

        artists as (

            select
                own.artist_id, own.first_scrobbled_at,
                own.scrobbles - coalesce(later.scrobbles, 0) as scrobbles
            from (select * from {listening.artists_mart}) as own
            left join later on later.artist_id = own.artist_id
            where own.listener_id = :listener_id and own.first_scrobbled_at < :begin_at

        )

        select
            artists.artist_id, names.artist_name, artists.scrobbles,
            cast({listening.whole.local_sql("artists.first_scrobbled_at")} as date)
                as first_day
        from artists
        left join marts.dim_artists as names on names.artist_id = artists.artist_id
        where artists.scrobbles >= :least
        """,
        listening.over(Range(following, last)),
        least=FAVOURITE_PLAYS,
    )
    rows = []
    for row in found.rows:
        day = next_anniversary(row[3], end)
        years = day.year - row[3].year
        if years and (day - end).days < ANNIVERSARY_DAYS:
            rows.append((*row, day, years))
    rows.sort(key=lambda row: (row[4], -row[2], row[0]))
    return Result(
        (*found.columns, "anniversary_date", "years"),
        (*found.types, "date", "integer"),
        rows[:LONGEST],
    )


def next_anniversary(first: date, since: date) -> date:
    """The same day of the year from `since` on; 29 February is the 28th in others."""
    for year in (since.year, since.year + 1):
        try:
            day = first.replace(year=year)
        except ValueError:
            day = date(year, 2, 28)
        if day >= since:
            return day
    raise AssertionError(f"no year has {first}")  # the next year always has it


STATISTICS: dict[str, Statistic] = {
    "activity": Statistic(
        "Against the period before",
        "Plays, time and how many different, beside the period before: the calendar"
        " period before a named one (as many days of it while this one runs), else as"
        " many days before.",
        activity,
    ),
    "week-hours": Statistic(
        "In the week",
        "Plays by weekday and hour of the local clock.",
        week_hours,
    ),
    "calendar": Statistic(
        "Day by day",
        "Plays of each local day, from the first play of the window on.",
        calendar,
    ),
    "first-and-last": Statistic(
        "First and last play",
        "The earliest and the latest play of the window.",
        first_and_last,
    ),
    "streaks": Statistic(
        "Streaks and gaps",
        "A streak is a run of days in a row with a play; a gap is one without, between"
        " two plays or since the last.",
        streaks,
    ),
    "sessions": Statistic(
        "Sessions",
        "A session goes on while the next play begins no later than"
        f" {SESSION_PAUSE_MINUTES} minutes after the end of the track before.",
        sessions,
    ),
    "eddington": Statistic(
        "Eddington number",
        "The largest number E such that there were E days with at least E plays.",
        eddington,
    ),
    "milestones": Statistic(
        "Milestones",
        "The first, 100th, 1,000th, 5,000th and every 10,000th play.",
        milestones,
    ),
    "pace": Statistic(
        "Pace",
        "Plays a day from the window's first day, or the first play if that is later,"
        " and when the next milestone is due at that pace.",
        pace,
    ),
    "discoveries": Statistic(
        "Discoveries by month",
        "Artists by the month of their first play of all.",
        discoveries,
    ),
    "forgotten": Statistic(
        "Forgotten favourites",
        f"Artists with at least {FAVOURITE_PLAYS} plays, the last of them"
        f" {FORGOTTEN_DAYS} days or longer before the window's end.",
        forgotten,
    ),
    "one-hit-wonders": Statistic(
        "One-hit wonders",
        f"Artists with at least {WONDER_PLAYS} plays in the window, all of one track.",
        one_hit_wonders,
    ),
    "anniversaries": Statistic(
        "Anniversaries",
        f"Artists with at least {FAVOURITE_PLAYS} plays whose first play was on one of"
        f" the {ANNIVERSARY_DAYS} days of the year from the window's end on, in an"
        " earlier year.",
        anniversaries,
    ),
    "weekly": Statistic(
        "Number one of each week",
        "The artist with the most plays of a week from Monday (of equal ones the one"
        " with more time), its share of the week's plays, and its dominance: its plays"
        " over those of the second.",
        weekly,
    ),
    "evolution": Statistic(
        "Artists over time",
        f"The window's {SHOWN_LINES} most played artists: plays and rank among all"
        " artists, period by period.",
        evolution,
    ),
    "movers": Statistic(
        "Climbers and fallers",
        "Artists whose plays changed most against the period before.",
        movers,
    ),
    "tags": Statistic(
        "Tags over time",
        f"The window's {SHOWN_LINES} most played tags: the part of a period's plays"
        " whose artist has the tag among its first.",
        tags_over_time,
    ),
    "unusual-weeks": Statistic(
        "Weeks that stand out",
        f"Whole weeks whose plays lie {UNUSUAL_Z:g} standard deviations or more from"
        " the mean of the window's other whole weeks (z-score; the week itself is in"
        f" neither). From {_FEWEST_WEEKS} weeks on.",
        unusual_weeks,
    ),
    "variety": Statistic(
        "Variety",
        "Different artists by period, and their effective number: how many artists"
        " with equal plays would be as varied (one over the sum of squared shares).",
        variety,
    ),
}
