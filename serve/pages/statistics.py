"""Pictures of the statistics of one's own listening, each with its definition.

Owns which statistic stands on which page and how it is drawn. What it means and how it
is counted is :mod:`serve.queries.statistics`'s to say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from markupsafe import Markup

from serve.pages import drawing, formatting
from serve.pages.site import Cell, Figure, Table, table
from serve.queries.statistics import STATISTICS, Question
from serve.store.contract import Result

#: Page -> what stands on it. What costs much is spread over the pages.
PARTS: dict[str, tuple[str, ...]] = {
    "activity": (
        "activity",
        "calendar",
        "week-hours",
        "first-and-last",
        "pace",
        "unusual-weeks",
    ),
    "records": ("streaks", "eddington", "milestones", "sessions", "anniversaries"),
    "discoveries": ("discoveries", "forgotten", "one-hit-wonders"),
    "charts": ("weekly", "evolution", "movers"),
    "tastes": ("tags", "variety"),
}
_MEASURES = {
    "scrobbles": "Plays",
    "listening_seconds": "Minutes",
    "artists": "Artists",
    "albums": "Albums",
    "tracks": "Tracks",
    "active_days": "Days with a play",
    "new_artists": "New artists",
}
_CALENDAR_DAYS = 371  # 53 weeks: more would be too narrow to see
_SHOWN = 10
_FEW = 7  # rows of a table that is shown at once

Row = dict[str, Any]
#: The address of a thing of the listener, by entity and key.
Link = Callable[[str, str], str]
Bar = tuple[str, float, str]


@dataclass(frozen=True)
class Drawn:
    """A picture, its table, and what it says beside the definition."""

    picture: Markup
    table: Table
    says: str = ""
    legend: Sequence[tuple[int, str]] = ()


@dataclass(frozen=True)
class Canvas:
    """What a picture needs beside its rows."""

    question: Question
    link: Link
    key: str
    title: str
    says: str

    def bars(self, given: Sequence[Bar], links: Sequence[str | None] = ()) -> Markup:
        """Lying bars under this title."""
        return drawing.bars(self.key, self.title, self.says, given, links=links)

    def columns(self, given: Sequence[Bar]) -> Markup:
        """Upright bars under this title."""
        return drawing.columns(self.key, self.title, self.says, given)

    def lines(self, given: Sequence[drawing.Line]) -> Markup:
        """Lines under this title, from zero."""
        return drawing.lines(self.key, self.title, self.says, given, from_zero=True)

    def named(self, entity: str, key: str, row: Row) -> Markup:
        """A name that leads to the listener's page of the thing."""
        if row[f"{key}_id"] is None:
            return Markup(formatting.NOTHING)
        address = self.link(entity, row[f"{key}_id"])
        return formatting.link(address, row[f"{key}_name"])

    def artist(self, row: Row) -> Markup:
        """The row's artist."""
        return self.named("artists", "artist", row)

    def track(self, row: Row) -> Markup:
        """The row's track."""
        return self.named("tracks", "track", row)


def statistic_figure(question: Question, name: str, link: Link, csv: str) -> Figure:
    """One statistic of the window as a figure."""
    statistic = STATISTICS[name]
    found = statistic.ask(question)
    key = f"statistic-{name}"
    canvas = Canvas(question, link, key, statistic.title, statistic.definition)
    drawn = _DRAW[name](canvas, found)
    summary = f"{statistic.definition} {drawn.says}".strip()
    return Figure(
        key=key,
        title=statistic.title,
        summary=summary,
        picture=drawn.picture,
        table=drawn.table,
        has_open_table=0 < len(found.rows) <= _FEW,
        csv=csv,
        empty="Nothing of this kind in this time. Choose a longer one.",
        legend=drawn.legend,
    )


def _activity(canvas: Canvas, found: Result) -> Drawn:
    rows = found.records()

    def value(row: Row, column: str) -> str:
        number = row[column]
        if number is not None and row["measure"] == "listening_seconds":
            number = number / 60
        return formatting.number(number)

    plays = rows[0]
    given: list[Bar] = [("This time", plays["value"], value(plays, "value"))]
    if plays["previous_value"] is not None:
        before = value(plays, "previous_value")
        given.append(("The time before", plays["previous_value"], f"{before} plays"))
    shown = table(
        rows,
        ("Measure", lambda row: _MEASURES[row["measure"]], False),
        ("This time", lambda row: value(row, "value"), True),
        ("Before", lambda row: value(row, "previous_value"), True),
        (
            "Change",
            lambda row: (
                formatting.signed(row["change_pct"])
                + (" %" if row["change_pct"] is not None else "")
            ),
            True,
        ),
    )
    return Drawn(canvas.bars(given), shown)


def _calendar(canvas: Canvas, found: Result) -> Drawn:
    rows = found.rows[-_CALENDAR_DAYS:]
    if not rows:
        return Drawn(Markup(""), Table([], []))
    monday = rows[0][0] - timedelta(days=rows[0][0].weekday())
    days = [
        (day, (day - monday).days // 7, weekday, count) for day, weekday, count in rows
    ]
    quiet = sum(count == 0 for _, _, count in found.rows)
    best = max(found.rows, key=lambda row: row[2])
    says = (
        f"Most on {formatting.day(best[0])}: {formatting.plural(best[2], 'play')};"
        f" {formatting.plural(quiet, 'day')} without any."
    )
    if len(found.rows) > len(rows):
        says += f" Drawn are the last {_CALENDAR_DAYS} days."
    picture = drawing.calendar(canvas.key, canvas.title, canvas.says, days)
    shown = table(
        rows[::-1],
        ("Day", lambda row: formatting.short_day(row[0]), False),
        ("Plays", lambda row: formatting.number(row[2]), True),
    )
    return Drawn(picture, shown, says)


def _week_hours(canvas: Canvas, found: Result) -> Drawn:
    cells = [(int(row[0]), int(row[1]), int(row[2])) for row in found.rows]
    zone = canvas.question.listening.zone.name
    counts = {(weekday, hour): count for weekday, hour, count in cells}
    if not sum(counts.values()):
        return Drawn(Markup(""), Table([], []))
    picture = drawing.week_hours(canvas.key, canvas.title, canvas.says, cells, zone)
    shown = Table(
        [f"Hour ({zone})", *formatting.WEEKDAYS],
        [
            [
                f"{hour:02}",
                *(formatting.number(counts[day, hour]) for day in range(1, 8)),
            ]
            for hour in range(24)
        ],
        frozenset(range(1, 8)),
    )
    return Drawn(picture, shown)


def _first_and_last(canvas: Canvas, found: Result) -> Drawn:
    months: dict[date, int] = {}
    for day, count in canvas.question.days.items():
        months[day.replace(day=1)] = months.get(day.replace(day=1), 0) + count
    starts = sorted(months)
    given = [
        (label, months[start], f"{start:%B %Y}: {months[start]:,} plays")
        for start, label in zip(
            starts, drawing.spread([f"{day:%b %y}" for day in starts]), strict=True
        )
    ]
    shown = table(
        found.records(),
        ("Play", lambda row: row["kind"], False),
        ("Played", lambda row: formatting.local(row["played_at"]), False),
        ("Track", canvas.track, False),
        ("Artist", canvas.artist, False),
    )
    says = "Between them the picture shows the months with a play." if given else ""
    return Drawn(canvas.columns(given), shown, says)


def _pace(canvas: Canvas, found: Result) -> Drawn:
    rows = found.records()
    if not rows:
        return Drawn(Markup(""), Table([], []))
    row = rows[0]
    played = row["library_scrobbles"] - row["scrobbles"]
    points: list[drawing.Point] = []
    for day, count in canvas.question.days.items():
        played += count
        points.append((day, float(played)))
    says = f"{formatting.number(row['scrobbles_per_day'], 1)} plays a day;"
    says += f" play {formatting.number(row['next_milestone'])} is due "
    says += (
        f"on {formatting.day(row['expected_date'])}."
        if row["expected_date"]
        else "not within a hundred years."
    )
    shown = table(
        rows,
        ("From", lambda row: formatting.short_day(row["first_day"]), False),
        ("To", lambda row: formatting.short_day(row["last_day"]), False),
        ("Plays", lambda row: formatting.number(row["scrobbles"]), True),
        ("A day", lambda row: formatting.number(row["scrobbles_per_day"], 2), True),
        ("Library", lambda row: formatting.number(row["library_scrobbles"]), True),
    )
    line = drawing.Line("plays", points)
    return Drawn(
        drawing.lines(canvas.key, canvas.title, canvas.says, [line]), shown, says
    )


def _streaks(canvas: Canvas, found: Result) -> Drawn:
    rows = found.records()
    is_now = canvas.question.end >= canvas.question.listening.as_of
    drawn = [
        (
            f"{row['kind'].capitalize()}: {formatting.short_day(row['first_day'])} to"
            f" {formatting.short_day(row['last_day'])}",
            row["days"],
            formatting.plural(row["days"], "day")
            + (" so far" if row["is_current"] and is_now else ""),
        )
        for kind in ("streak", "gap")
        for row in [row for row in rows if row["kind"] == kind][:5]
    ]
    shown = table(
        rows,
        ("Kind", lambda row: row["kind"], False),
        ("From", lambda row: formatting.short_day(row["first_day"]), False),
        ("To", lambda row: formatting.short_day(row["last_day"]), False),
        ("Days", lambda row: formatting.number(row["days"]), True),
        ("Plays", lambda row: formatting.number(row["scrobbles"]), True),
    )
    return Drawn(canvas.bars(drawn), shown)


def _eddington(canvas: Canvas, found: Result) -> Drawn:
    rows = found.records()
    reached = [row for row in rows if row["is_reached"]]
    number = reached[-1]["scrobbles"] if reached else 0
    says = ""
    if rows:
        more = number + 1 - rows[number]["days"]
        says = (
            f"It is {number}; {formatting.plural(more, 'more day')} of {number + 1}"
            " plays make it one more."
        )
    labels = drawing.spread([str(row["scrobbles"]) for row in rows])
    drawn = [
        (
            label,
            row["days"],
            f"{formatting.plural(row['days'], 'day')} with"
            f" {formatting.plural(row['scrobbles'], 'play')} or more",
        )
        for label, row in zip(labels, rows, strict=True)
    ]
    shown = table(
        rows,
        ("Plays or more", lambda row: formatting.number(row["scrobbles"]), True),
        ("Days", lambda row: formatting.number(row["days"]), True),
        ("Reached", lambda row: "yes" if row["is_reached"] else "no", False),
    )
    return Drawn(canvas.columns(drawn), shown, says)


def _milestones(canvas: Canvas, found: Result) -> Drawn:
    rows = found.records()
    points: list[drawing.Point] = [
        (row["played_at"].date(), float(row["number"])) for row in rows
    ]
    shown = table(
        rows[::-1],
        ("Play", lambda row: formatting.number(row["number"]), True),
        ("Played", lambda row: formatting.local(row["played_at"]), False),
        ("Track", canvas.track, False),
        ("Artist", canvas.artist, False),
    )
    line = drawing.Line("plays", points)
    picture = drawing.lines(canvas.key, canvas.title, canvas.says, [line])
    return Drawn(picture, shown)


def _sessions(canvas: Canvas, found: Result) -> Drawn:
    rows = found.records()
    says = ""
    if rows:
        says = (
            f"There were {formatting.number(rows[0]['sessions'])}, with"
            f" {formatting.number(rows[0]['scrobbles_per_session'], 1)} plays in the"
            " mean; shown are the longest."
        )
    drawn = [
        (
            f"{row['started_at']:%-d %b %Y, %H:%M}",
            row["scrobbles"],
            formatting.plural(row["scrobbles"], "play"),
        )
        for row in rows[:_SHOWN]
    ]
    shown = table(
        rows,
        ("Began", lambda row: formatting.local(row["started_at"]), False),
        ("Last play", lambda row: formatting.local(row["last_played_at"]), False),
        ("Plays", lambda row: formatting.number(row["scrobbles"]), True),
        ("Minutes", lambda row: formatting.number(row["listening_seconds"] / 60), True),
    )
    return Drawn(canvas.bars(drawn), shown, says)


def _anniversaries(canvas: Canvas, found: Result) -> Drawn:
    return _of_artists(
        canvas,
        found.records(),
        "years",
        lambda row: (
            f"{formatting.plural(row['years'], 'year')} on"
            f" {formatting.short_day(row['anniversary_date'])}"
        ),
        ("First heard", lambda row: formatting.short_day(row["first_day"]), False),
        ("Day", lambda row: formatting.short_day(row["anniversary_date"]), False),
        ("Years", lambda row: formatting.number(row["years"]), True),
        ("Plays", lambda row: formatting.number(row["scrobbles"]), True),
    )


def _of_artists(
    canvas: Canvas,
    rows: list[Row],
    measure: str,
    says: Callable[[Row], str],
    *columns: tuple[str, Callable[[Row], Cell], bool],
) -> Drawn:
    """Bars of artists by a measure over a table that names them first."""
    drawn: list[Bar] = [
        (row["artist_name"], abs(row[measure]), says(row)) for row in rows[:_SHOWN]
    ]
    links = [canvas.link("artists", row["artist_id"]) for row in rows[:_SHOWN]]
    shown = table(rows, ("Artist", canvas.artist, False), *columns)
    return Drawn(canvas.bars(drawn, links), shown)


def _discoveries(canvas: Canvas, found: Result) -> Drawn:
    rows = found.records()
    labels = drawing.spread([f"{row['month_start']:%b %y}" for row in rows])
    drawn = [
        (
            label,
            row["new_artists"],
            f"{row['month_start']:%B %Y}:"
            f" {formatting.plural(row['new_artists'], 'new artist')}",
        )
        for label, row in zip(labels, rows, strict=True)
    ]
    shown = table(
        rows[::-1],
        ("Month", lambda row: f"{row['month_start']:%B %Y}", False),
        ("New artists", lambda row: formatting.number(row["new_artists"]), True),
    )
    return Drawn(canvas.columns(drawn), shown)


def _forgotten(canvas: Canvas, found: Result) -> Drawn:
    return _of_artists(
        canvas,
        found.records(),
        "scrobbles",
        lambda row: (
            f"{formatting.plural(row['scrobbles'], 'play')}, the last on"
            f" {formatting.short_day(row['last_day'])}"
        ),
        ("Plays", lambda row: formatting.number(row["scrobbles"]), True),
        ("First", lambda row: formatting.short_day(row["first_day"]), False),
        ("Last", lambda row: formatting.short_day(row["last_day"]), False),
        ("Days since", lambda row: formatting.number(row["quiet_days"]), True),
    )


def _wonders(canvas: Canvas, found: Result) -> Drawn:
    return _of_artists(
        canvas,
        found.records(),
        "scrobbles",
        lambda row: formatting.plural(row["scrobbles"], "play"),
        ("Track", canvas.track, False),
        ("Plays", lambda row: formatting.number(row["scrobbles"]), True),
    )


def _weekly(canvas: Canvas, found: Result) -> Drawn:
    rows = found.records()
    labels = drawing.spread([f"{row['week_start']:%b %y}" for row in rows])
    drawn = [
        (
            label,
            row["share_pct"] or 0.0,
            f"{formatting.issue('week', row['week_start'])}:"
            f" {row['artist_name'] or 'no play'}"
            f" {formatting.pct(row['share_pct'])}",
        )
        for label, row in zip(labels, rows, strict=True)
    ]
    shown = table(
        rows[::-1],
        ("Week", lambda row: formatting.short_day(row["week_start"]), False),
        ("Number one", canvas.artist, False),
        ("Plays", lambda row: formatting.number(row["scrobbles"]), True),
        ("Share", lambda row: formatting.pct(row["share_pct"]), True),
        ("Dominance", lambda row: formatting.number(row["dominance"], 2), True),
        ("Weeks at 1", lambda row: formatting.number(row["weeks_at_1"]), True),
    )
    return Drawn(canvas.columns(drawn), shown, "The bars show the share.")


def _series(
    canvas: Canvas, rows: list[Row], entity: str, key: str, measure: str
) -> tuple[Markup, list[tuple[int, str]]]:
    """A line for each thing over the periods, and a legend of links."""
    things: dict[str, list[Row]] = {}
    for row in rows:
        things.setdefault(row[f"{key}_id"], []).append(row)
    lines = [
        drawing.Line(
            own[0][f"{key}_name"] or "",
            [(row["period_start"], float(row[measure])) for row in own],
        )
        for own in things.values()
    ]
    legend: list[tuple[int, str]] = [
        (number, canvas.named(entity, key, own[0]))
        for number, own in enumerate(things.values())
    ]
    return (canvas.lines(lines) if lines else Markup("")), legend


def _evolution(canvas: Canvas, found: Result) -> Drawn:
    rows, grain = found.records(), canvas.question.grain
    picture, legend = _series(canvas, rows, "artists", "artist", "scrobbles")
    shown = table(
        rows,
        ("Artist", canvas.artist, False),
        ("Time", lambda row: formatting.issue(grain, row["period_start"]), False),
        ("Plays", lambda row: formatting.number(row["scrobbles"]), True),
        ("Rank", lambda row: formatting.number(row["rank"]), True),
    )
    return Drawn(picture, shown, f"The lines show plays by {grain}.", legend)


def _movers(canvas: Canvas, found: Result) -> Drawn:
    rows = found.records()
    # Five of each are drawn, and the table has all in the same order.
    order = {"climber": 0, "faller": 0}
    for row in rows:
        order[row["kind"]] += 1
        row["is_drawn"] = order[row["kind"]] <= _SHOWN // 2
    rows.sort(key=lambda row: not row["is_drawn"])
    drawn = _of_artists(
        canvas,
        rows,
        "change",
        lambda row: formatting.signed(row["change"], 0),
        ("Plays", lambda row: formatting.number(row["scrobbles"]), True),
        ("Before", lambda row: formatting.number(row["previous_scrobbles"]), True),
        ("Change", lambda row: formatting.signed(row["change"], 0), True),
        ("Rank", lambda row: formatting.number(row["rank"]), True),
        ("Rank before", lambda row: formatting.number(row["previous_rank"]), True),
    )
    if canvas.question.listening.earlier is None:
        return replace(drawn, says="There is no time before all time.")
    return drawn


def _tags(canvas: Canvas, found: Result) -> Drawn:
    rows, grain = found.records(), canvas.question.grain
    picture, legend = _series(canvas, rows, "tags", "tag", "share_pct")
    shown = table(
        rows,
        ("Tag", lambda row: canvas.named("tags", "tag", row), False),
        ("Time", lambda row: formatting.issue(grain, row["period_start"]), False),
        ("Plays", lambda row: formatting.number(row["scrobbles"]), True),
        ("Share", lambda row: formatting.pct(row["share_pct"]), True),
    )
    return Drawn(picture, shown, f"The lines show percent by {grain}.", legend)


def _variety(canvas: Canvas, found: Result) -> Drawn:
    rows, grain = found.records(), canvas.question.grain
    lines = [
        drawing.Line(name, [(row["period_start"], _maybe(row[column])) for row in rows])
        for name, column in (
            ("different artists", "artists"),
            ("effective number", "effective_artists"),
        )
    ]
    shown = table(
        rows[::-1],
        ("Time", lambda row: formatting.issue(grain, row["period_start"]), False),
        ("Plays", lambda row: formatting.number(row["scrobbles"]), True),
        ("Artists", lambda row: formatting.number(row["artists"]), True),
        (
            "Effective number",
            lambda row: formatting.number(row["effective_artists"], 1),
            True,
        ),
    )
    legend = list(enumerate(line.label for line in lines))
    return Drawn(canvas.lines(lines) if rows else Markup(""), shown, "", legend)


def _unusual_weeks(canvas: Canvas, found: Result) -> Drawn:
    rows = found.records()
    shown = table(
        rows,
        ("Week", lambda row: formatting.issue("week", row["week_start"]), False),
        ("Plays", lambda row: formatting.number(row["scrobbles"]), True),
        (
            "Mean of the others",
            lambda row: formatting.number(row["mean_of_others"], 1),
            True,
        ),
        ("z-score", lambda row: formatting.signed(row["z_score"], 1), True),
    )
    bars = [
        (
            formatting.issue("week", row["week_start"]),
            row["scrobbles"],
            f"{formatting.number(row['scrobbles'])}"
            f" ({formatting.signed(row['z_score'], 1)})",
        )
        for row in rows[:_SHOWN]
    ]
    return Drawn(canvas.bars(bars) if rows else Markup(""), shown)


def _maybe(value: float | None) -> float | None:
    return None if value is None else float(value)


_DRAW: dict[str, Callable[[Canvas, Result], Drawn]] = {
    "activity": _activity,
    "week-hours": _week_hours,
    "calendar": _calendar,
    "first-and-last": _first_and_last,
    "streaks": _streaks,
    "sessions": _sessions,
    "eddington": _eddington,
    "milestones": _milestones,
    "pace": _pace,
    "discoveries": _discoveries,
    "forgotten": _forgotten,
    "one-hit-wonders": _wonders,
    "anniversaries": _anniversaries,
    "weekly": _weekly,
    "evolution": _evolution,
    "movers": _movers,
    "tags": _tags,
    "variety": _variety,
    "unusual-weeks": _unusual_weeks,
}
