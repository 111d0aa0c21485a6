"""Artists: search, one artist, and a picture of any of its series for any page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, Literal

from flask import Blueprint, Response, redirect, request
from markupsafe import Markup
from pydantic import Field

from serve import answers
from serve.accounts import named_listeners
from serve.api.artists import ArtistsQuery, SeriesQuery, refuse_later
from serve.api.parameters import ArtistPath, Day, Whole
from serve.context import reading
from serve.pages import cards, covers, drawing, formatting
from serve.pages.site import Figure, Table, asked, page, pick, picture, table, takes
from serve.problems import Problem
from serve.queries import artists as queries
from serve.queries import charts, histories, tags
from serve.store.contract import Reader
from warehouse.names import name_key

SHOWN = (
    "score",
    "value",
    "fundamental_price",
    "listeners",
    "playcount",
    "new_listeners_per_day",
    "plays_per_day",
    "panel_scrobbles",
    "panel_listeners",
    "surprise_z",
    "classic_base_price",
    "classic_score",
)
SPANS = {"30": "30 days", "90": "90 days", "365": "a year", "3660": "all"}
_SORTS = {
    "listeners": "last.fm listeners",
    "playcount": "last.fm plays",
    "scrobbles": "panel scrobbles",
    "score": "score",
    "growth": "growth",
    "name": "name",
}
#: Counts are drawn from zero; levels and prices between their ends.
_FROM_ZERO = ("new_listeners_per_day", "plays_per_day", "panel_scrobbles", "score")


class ArtistQuery(SeriesQuery):
    measure: queries.Measure = "value"
    days: Whole = Field(365, ge=1, le=3660, description="days drawn, the newest last")


class ArtistPageQuery(ArtistQuery):
    on: Day | None = Field(None, description="the lists as they were on this day")


class PictureQuery(ArtistQuery):
    theme: Literal["light", "dark"] = "light"


def add_routes(pages: Blueprint) -> None:
    """`/artists`, `/artists/<id>` and its series as SVG."""
    pages.get("/artists")(search)
    pages.get("/artists/<artist_id>")(artist)
    pages.get("/artists/<artist_id>/series.svg")(series_picture)
    pages.get("/artists/<artist_id>/card.png")(card)


def _has_name(rows: list[dict[str, Any]], text: str) -> bool:
    """Whether an artist that last.fm was asked about has exactly this name."""
    wanted = name_key(text)
    return any(
        name_key(row["artist_name"]) == wanted and row["listeners"] is not None
        for row in rows
    )


@takes(ArtistsQuery, "go")
def search() -> Any:
    """Artists by name, tag and order."""
    query = asked(ArtistsQuery)
    with reading() as reader:
        corrected = None
        if query.q and request.args.get("go"):
            corrected = queries.correction(reader, name=query.q)
            if corrected is not None:
                return redirect(f"/artists/{corrected['artist_id']}", 303)
        limit = min(query.limit, 100)
        rows = queries.artists(
            reader,
            text=query.q,
            tag_id=query.tag,
            sort=query.sort,
            limit=limit + 1,
            offset=query.offset,
        ).records()
        tag = tags.tag(reader, query.tag) if query.tag else None
        wanted = None
        if query.q and not query.offset and not _has_name(rows, query.q):
            wanted = formatting.address("/me/artists", q=query.q)
        return page(
            "artists.html",
            reader.published,
            wanted=wanted,
            query=query,
            tag=tag,
            result=_result(rows[:limit], query, limit),
            sorts=pick(
                "/artists", "sort", _SORTS.items(), query.sort, q=query.q, tag=query.tag
            ),
            has_more=len(rows) > limit,
            more=formatting.address(
                "/artists",
                q=query.q,
                tag=query.tag,
                sort=query.sort,
                limit=limit,
                offset=query.offset + limit,
            ),
        )


def _result(rows: list[dict[str, Any]], query: ArtistsQuery, limit: int) -> Figure:
    measure = query.sort if query.sort not in ("name", "value") else "listeners"
    digits = 1 if measure in ("score", "growth") else 0
    summary = f"The bars show {_SORTS.get(measure, measure)}."
    return Figure(
        key="artists",
        title="Artists",
        summary=summary,
        picture=drawing.bars(
            "artists",
            f"Artists by {_SORTS.get(measure, measure)}",
            summary,
            [
                (
                    row["artist_name"],
                    max(row[measure] or 0, 0),
                    formatting.number(row[measure], digits),
                )
                for row in rows[:12]
                if row[measure] is not None
            ],
            links=[
                f"/artists/{row['artist_id']}"
                for row in rows[:12]
                if row[measure] is not None
            ],
        ),
        table=table(
            rows,
            (
                "Artist",
                lambda row: formatting.artist_link(
                    row["artist_id"], row["artist_name"]
                ),
                False,
            ),
            (
                "Tag",
                lambda row: formatting.named(row["top_tag"] or formatting.NOTHING),
                False,
            ),
            ("Listeners", lambda row: formatting.number(row["listeners"]), True),
            ("Plays", lambda row: formatting.number(row["playcount"]), True),
            (
                "Panel scrobbles",
                lambda row: formatting.number(row["scrobbles_counted"]),
                True,
            ),
            ("Score", lambda row: formatting.number(row["score"], 1), True),
            ("Growth", lambda row: row["growth_label"] or formatting.NOTHING, False),
        ),
        csv=formatting.address(
            "/api/v1/artists.csv",
            q=query.q,
            tag=query.tag,
            sort=query.sort,
            limit=limit,
            offset=query.offset or None,
        ),
        empty="No artist has this in its name. Try a shorter part of it."
        if query.q or query.tag
        else "No artist yet: the first daily run brings those of the charts.",
        has_open_table=True,
    )


@takes(ArtistPageQuery)
def artist(artist_id: str) -> Any:
    """One artist: counters, flow, value, growth, trend, tags, similar, ranks."""
    key = _key(artist_id)
    query = asked(ArtistPageQuery)
    with reading() as reader:
        found = queries.artist(reader, key, named_listeners())
        if found is None:
            raise Problem("not_found", "No artist has this key.")
        if found["artist_id"] != key:
            return redirect(f"/artists/{found['artist_id']}", 301)
        if query.on is not None:
            _put_back(reader, found, query.on)
        first, last = _days(reader, query)
        root = f"/api/v1/artists/{found['artist_id']}"
        heard = formatting.plural(found["panel_listeners"] or 0, "listener")
        rank_rows = [row for row in found["ranks"] if row["issues_on_chart"]]
        return page(
            "artist.html",
            reader.published,
            artist=found,
            value=found["value"] or dict.fromkeys(queries.VALUE_COLUMNS),
            query=query,
            tile=covers.tile(
                found["artist_name"], covers.of_artist(reader, key), covers.AT_HEAD
            ),
            lastfm=formatting.lastfm("music", found["artist_name"]),
            main=series_figure(reader, found, query.measure, first, last, "main"),
            flow=[
                series_figure(reader, found, measure, first, last, measure)
                for measure in ("new_listeners_per_day", "plays_per_day")
                if measure != query.measure
            ],
            measures=pick(
                f"/artists/{key}",
                "measure",
                ((name, formatting.MEASURES[name]) for name in SHOWN),
                query.measure,
                days=query.days if query.days != 365 else None,
                on=query.on,
            ),
            spans=pick(
                f"/artists/{key}",
                "days",
                SPANS.items(),
                str(query.days),
                measure=query.measure if query.measure != "value" else None,
                on=query.on,
            ),
            runs=chart_runs(
                reader, found["artist_id"], found["artist_name"], rank_rows
            ),
            ranks=ranks_figure(found["ranks"], f"{root}/ranks.csv", "artist"),
            tags=_as_it_was(_tags(found), query.on),
            anomalies=_anomalies(reader, found),
            similar=_as_it_was(_similar(found), query.on),
            tracks=_as_it_was(_tracks(found), query.on),
            listeners=listeners_figure(
                found["top_listeners"],
                f"By scrobbles of this artist. {heard} of the panel played it; named"
                " are those who are public.",
                f"{root}/listeners.csv",
                "artist",
            ),
        )


def _put_back(reader: Reader, found: dict[str, Any], on: date) -> None:
    """The artist's lists as they were on a day, in the place of today's."""
    refuse_later(reader, on)
    lists: dict[str, histories.ListName] = {
        "tags": "tags",
        "similar": "similar",
        "top_tracks": "tracks",
    }
    for shown, name in lists.items():
        found[shown] = histories.on_day(
            reader, found["artist_id"], name, on=on, limit=10
        ).records()


def _as_it_was(figure: Figure, on: date | None) -> Figure:
    """A figure of a list, said to be of a past day."""
    if on is None:
        return figure
    return replace(
        figure,
        title=f"{figure.title} on {formatting.day(on)}",
        summary="As last.fm's last answer until that day has it.",
        csv=formatting.address(figure.csv, on=on),
        empty="No answer of last.fm until that day has this list.",
    )


@takes(PictureQuery)
def series_picture(artist_id: str) -> Response:
    """One series of an artist as SVG, for other pages too."""
    key = _key(artist_id)
    query = asked(PictureQuery)
    with reading() as reader:
        found = queries.artist(reader, key)
        if found is None:
            raise Problem("not_found", "No artist has this key.")
        first, last = _days(reader, query)
        drawn = _drawn(
            reader, found, query.measure, first, last, "series", theme=query.theme
        )
        title, body = drawn[0], drawn[2]
        if not body:
            body = drawing.blank(
                "series", title, "There is no observation in these days.", query.theme
            )
        return picture(reader.published, str(body))


def card(artist_id: str) -> Response:
    """The picture that other sites show where somebody names the page."""
    key = _key(artist_id)
    with reading() as reader:
        found = queries.artist(reader, key)
        if found is None:
            raise Problem("not_found", "No artist has this key.")
        last = reader.published.as_of_date
        *_, points = _drawn(
            reader, found, "value", last - timedelta(days=364), last, "card"
        )
        value = found["value"] or dict.fromkeys(queries.VALUE_COLUMNS)
        facts = [
            (formatting.number(value["score"], 1), "score of 100"),
            (formatting.exact(value["value"]), "value"),
            (formatting.short(found["listeners"]), "listeners"),
            (formatting.short(found["playcount"]), "plays"),
        ]
        drawn = cards.artist(
            found["artist_name"],
            f"Value since {formatting.day(points[0][0])}" if points else "",
            [fact for fact in facts if fact[0] != formatting.NOTHING],
            [value for _, value, _ in points],
        )
        body = cards.png(drawn)
        return answers.plain(body, "image/png", reader.published)


def _key(artist_id: str) -> str:
    try:
        return ArtistPath.model_validate({"artist_id": artist_id}).artist_id
    except ValueError:
        raise Problem("not_found", "No artist has this key.") from None


def _days(reader: Reader, query: ArtistQuery) -> tuple[date, date]:
    last = query.to or reader.published.as_of_date
    first = query.from_ or last - timedelta(days=query.days - 1)
    if first > last:
        raise Problem("invalid_range", f"from {first} is after to {last}")
    return first, last


def _drawn(
    reader: Reader,
    found: dict[str, Any],
    measure: str,
    first: date,
    last: date,
    key: str,
    theme: str | None = None,
) -> tuple[str, str, Any, Sequence[tuple[date, float | None, bool]]]:
    """Title, description, picture and the points (day, value, is a gap)."""
    ids = [found["artist_id"]]
    rows = queries.series(
        reader, artist_ids=ids, measure=measure, first=first, last=last
    ).rows
    points = [(row[2], row[3], row[4]) for row in rows]
    band: list[tuple[date, float, float]] = []
    if measure == "value":
        low, high = (
            {
                row[2]: row[3]
                for row in queries.series(
                    reader, artist_ids=ids, measure=name, first=first, last=last
                ).rows
                if row[3] is not None
            }
            for name in ("value_low", "value_high")
        )
        band = [(day, low[day], high[day]) for day in low if day in high]
    name = formatting.clipped(found["artist_name"], 60)
    title = f"{formatting.MEASURES[measure]} of {name}"
    known = [value for _, value, _ in points if value is not None]
    says = f"{formatting.UNITS[measure]}, by day (UTC)."
    if known:
        says += (
            f" From {formatting.exact(known[0])} to {formatting.exact(known[-1])},"
            f" lowest {formatting.exact(min(known))},"
            f" highest {formatting.exact(max(known))}."
        )
    gaps = sum(is_gap for _, _, is_gap in points)
    if gaps:
        says += f" {formatting.plural(gaps, 'day')} without an observation, shaded."
    if band:
        says += " The band holds the mean of the next 28 days, 95 times of 100."
    says = says[0].upper() + says[1:]
    drawn = drawing.lines(
        key,
        title,
        says,
        [
            drawing.Line(
                formatting.MEASURES[measure],
                [(day, None if is_gap else value) for day, value, is_gap in points],
                band,
            )
        ],
        from_zero=measure in _FROM_ZERO,
        is_filled=measure in _FROM_ZERO and measure != "score",
        theme=theme,
    )
    return title, says, drawn, points


def series_figure(
    reader: Reader,
    found: dict[str, Any],
    measure: str,
    first: date,
    last: date,
    key: str,
) -> Figure:
    """One series as a figure."""
    _, says, drawn, points = _drawn(reader, found, measure, first, last, key)
    path = f"/artists/{found['artist_id']}/series.svg"
    days = (last - first).days + 1
    return Figure(
        key=key,
        title=formatting.MEASURES[measure],
        summary=says,
        picture=drawn,
        table=Table(
            ["Day", formatting.MEASURES[measure]],
            [
                [
                    formatting.short_day(day),
                    "no observation" if is_gap else formatting.exact(value),
                ]
                for day, value, is_gap in reversed(points)
            ],
            frozenset({1}),
            places_of([point[0] for point in points])[::-1],
        ),
        csv=formatting.address(
            f"/api/v1/artists/{found['artist_id']}/series.csv",
            measure=measure,
            from_=max(first, date(2002, 10, 1)),
            to=last,
            limit=min(days, 3660),
        ),
        embed=formatting.address(path, measure=measure),
        empty="No observation in these days. Counters come in once a day:"
        " flows need two days, values a few more.",
    )


def places_of(days: Sequence[date]) -> list[float]:
    """Where each day stands across a picture from the first to the last."""
    if not days:
        return []
    first, span = days[0], (days[-1] - days[0]).days
    if span == 0:
        return [0.5] * len(days)
    return [(day - first).days / span for day in days]


def chart_runs(
    reader: Reader, entity_id: str, name: str, ranks: list[dict[str, Any]]
) -> list[Figure]:
    """The run of an entry on the charts it stood on longest, at most two."""
    longest = sorted(ranks, key=lambda row: -row["issues_on_chart"])
    figures: list[Figure] = []
    for row in longest[:2]:
        rows = _run_rows(reader, entity_id, row)
        if len(rows) < 2:
            continue
        chart = formatting.chart(row["chart"], row["scope"])
        title = f"{chart}, {formatting.PERIODS[row['period']]}"
        best = min(entry["rank"] for entry in rows)
        says = (
            f"Rank by issue, 1 at the top: best {best}, now"
            f" {rows[0]['rank']}"
            f" ({formatting.issue(row['period'], rows[0]['issue_date'])});"
            f" {formatting.plural(row['issues_on_chart'], 'issue')} on the chart."
        )
        key = f"run-{len(figures)}"
        steps = _with_holes(rows, row["period"])
        figures.append(
            Figure(
                key=key,
                title=title,
                summary=says,
                picture=drawing.lines(
                    key,
                    f"Ranks of {formatting.clipped(name, 60)}: {title}",
                    says,
                    [drawing.Line("Rank", steps)],
                    height=220,
                    is_rank=True,
                ),
                table=table(
                    rows,
                    (
                        "Issue",
                        _issue_of(row["period"]),
                        False,
                    ),
                    ("Rank", lambda entry: formatting.number(entry["rank"]), True),
                    ("", formatting.movement, False),
                    ("Peak", lambda entry: formatting.number(entry["peak_rank"]), True),
                    places=places_of([entry["issue_date"] for entry in rows][::-1])[
                        ::-1
                    ],
                ),
                csv=formatting.address(
                    f"/api/v1/charts/{row['chart']}/runs/{entity_id}.csv",
                    scope=row["scope"],
                    period=row["period"],
                    limit=1000,
                ),
            )
        )
    return figures


def _issue_of(period: str) -> Callable[[dict[str, Any]], str]:
    return lambda entry: formatting.issue(period, entry["issue_date"])


def _run_rows(
    reader: Reader, artist_id: str, row: dict[str, Any]
) -> list[dict[str, Any]]:
    """The issues of one chart that had the artist in the chart itself, newest first."""
    rows = charts.run(
        reader,
        chart=row["chart"],
        scope=row["scope"],
        period=row["period"],
        entity_id=artist_id,
        limit=400,
        offset=0,
    ).records()
    return [entry for entry in rows if not entry["is_bubbling_under"]]


_STEP = {"day": 1, "week": 7, "month": 31, "quarter": 92, "half_year": 184, "year": 366}


def _with_holes(rows: list[dict[str, Any]], period: str) -> list[drawing.Point]:
    """Ranks oldest first; an issue without the artist opens the line."""
    steps: list[drawing.Point] = []
    for entry in reversed(rows):
        day = entry["issue_date"]
        if steps and (day - steps[-1][0]).days > _STEP.get(period, 366):
            steps.append((steps[-1][0] + timedelta(days=1), None))
        steps.append((day, entry["rank"]))
    return steps


def ranks_figure(rows: list[dict[str, Any]], csv: str, kind: str) -> Figure:
    """Where an entry stood last, chart by chart."""
    return Figure(
        key="ranks",
        title="On the charts now",
        summary=f"The last issue of each chart that had the {kind}.",
        picture=drawing.bars(
            "ranks",
            "Ranks by chart",
            "A longer bar is a better rank.",
            [
                (
                    f"{formatting.chart(row['chart'], row['scope'])},"
                    f" {formatting.PERIODS[row['period']]}",
                    1 / row["rank"],
                    f"# {row['rank']}",
                )
                for row in rows[:8]
            ],
            links=[_chart_address(row) for row in rows[:8]],
        ),
        table=table(
            rows,
            ("Chart", lambda row: _chart_link(row), False),
            (
                "Last issue",
                lambda row: formatting.issue(row["period"], row["issue_date"]),
                False,
            ),
            ("Rank", lambda row: formatting.number(row["rank"]), True),
            ("Peak", lambda row: formatting.number(row["peak_rank"]), True),
            ("Issues", lambda row: formatting.number(row["issues_on_chart"]), True),
        ),
        csv=csv,
        empty=f"This {kind} has not been on a chart yet.",
    )


def _chart_address(row: dict[str, Any]) -> str:
    return formatting.address(
        f"/charts/{row['chart']}", scope=row["scope"], period=row["period"]
    )


def _chart_link(row: dict[str, Any]) -> Markup:
    chart = formatting.chart(row["chart"], row["scope"])
    name = f"{chart}, {formatting.PERIODS[row['period']]}"
    return formatting.link(_chart_address(row), name)


def _tags(found: dict[str, Any]) -> Figure:
    rows = found["tags"]
    return Figure(
        key="tags",
        title="Tags",
        summary="By weight; 100 is the strongest.",
        picture=drawing.bars(
            "tags",
            "Tags by weight",
            "Weight from 0 to 100.",
            [
                (row["tag_name"], row["weight"] or 0, formatting.number(row["weight"]))
                for row in rows
            ],
            links=[f"/tags/{row['tag_id']}" for row in rows],
        ),
        table=table(
            rows,
            (
                "Tag",
                lambda row: formatting.tag_link(row["tag_id"], row["tag_name"]),
                False,
            ),
            ("Weight", lambda row: formatting.number(row["weight"]), True),
        ),
        csv=f"/api/v1/artists/{found['artist_id']}/tags.csv",
        empty="last.fm gave no tags for this artist.",
    )


def _anomalies(reader: Reader, found: dict[str, Any]) -> Figure:
    """The newest steps of the counters that are no plain day's attention."""
    rows = queries.anomalies(reader, found["artist_id"], limit=30, offset=0).records()
    return Figure(
        key="anomalies",
        title="Anomalies of the counters",
        summary="Steps that are set aside, or taken for more days than one, and why.",
        picture=Markup(""),
        table=table(
            rows,
            ("Day", lambda row: formatting.short_day(row["anomaly_date"]), False),
            ("What", lambda row: formatting.sentence(row["kind"]), False),
            ("Why", _why, False),
            ("Plays", lambda row: formatting.signed(row["playcount_change"], 0), True),
            (
                "Listeners",
                lambda row: formatting.signed(row["listeners_change"], 0),
                True,
            ),
            (
                "Usual plays a day",
                lambda row: formatting.number(row["usual_plays_per_day"]),
                True,
            ),
        ),
        csv=f"/api/v1/artists/{found['artist_id']}/anomalies.csv",
        empty="None: each look at the counters was a plain day's attention.",
        has_open_table=True,
    )


def _why(row: dict[str, Any]) -> str | Markup:
    if row["other_artist_name"] is None:
        return str(row["evidence"])
    name = formatting.named(row["other_artist_name"])
    return Markup("{}: {} ({})").format(
        row["evidence"], name, formatting.number(row["other_playcount"])
    )


def _similar(found: dict[str, Any]) -> Figure:
    rows = found["similar"]
    return Figure(
        key="similar",
        title="Similar artists",
        summary="As last.fm gives them; 100 % is the closest.",
        picture=drawing.bars(
            "similar",
            "Similar artists by match",
            "Match in percent.",
            [
                (
                    row["artist_name"],
                    row["match"] or 0,
                    formatting.pct(
                        None if row["match"] is None else 100 * row["match"], 0
                    ),
                )
                for row in rows
            ],
            links=[
                f"/artists/{row['artist_id']}" if row["listeners"] is not None else None
                for row in rows
            ],
        ),
        table=table(
            rows,
            (
                "Artist",
                lambda row: (
                    formatting.artist_link(row["artist_id"], row["artist_name"])
                    if row["listeners"] is not None
                    else formatting.named(row["artist_name"])
                ),
                False,
            ),
            ("Match", lambda row: formatting.number(row["match"], 3), True),
            ("Listeners", lambda row: formatting.number(row["listeners"]), True),
        ),
        csv=f"/api/v1/artists/{found['artist_id']}/similar.csv",
        empty="last.fm named no similar artists.",
    )


def _tracks(found: dict[str, Any]) -> Figure:
    rows = found["top_tracks"]
    return Figure(
        key="tracks",
        title="Top tracks",
        summary="last.fm's order first; the bars show last.fm plays.",
        picture=drawing.bars(
            "tracks",
            "Top tracks by plays on last.fm",
            "last.fm plays, all time.",
            [
                (
                    row["track_name"],
                    row["playcount"],
                    formatting.short(row["playcount"]),
                )
                for row in rows
                if row["playcount"] is not None
            ],
            links=[
                f"/tracks/{row['track_id']}"
                for row in rows
                if row["playcount"] is not None
            ],
        ),
        table=table(
            rows,
            ("#", lambda row: formatting.number(row["rank"]), True),
            (
                "Track",
                lambda row: formatting.track_link(row["track_id"], row["track_name"]),
                False,
            ),
            ("Plays", lambda row: formatting.number(row["playcount"]), True),
            ("Listeners", lambda row: formatting.number(row["listeners"]), True),
            (
                "Panel scrobbles",
                lambda row: formatting.number(row["scrobbles_counted"]),
                True,
            ),
            ("Length", lambda row: formatting.length(row["duration_seconds"]), True),
        ),
        csv=f"/api/v1/artists/{found['artist_id']}/tracks.csv",
        empty="No track of this artist is known.",
    )


def listeners_figure(
    rows: list[dict[str, Any]], summary: str, csv: str, kind: str
) -> Figure:
    """The listeners who may be named, by their plays of something."""
    return Figure(
        key="listeners",
        title="Top listeners of the panel",
        summary=summary,
        picture=drawing.bars(
            "listeners",
            "Listeners by scrobbles",
            f"Scrobbles of this {kind}.",
            [
                (
                    row["listener_name"],
                    row["scrobbles"],
                    formatting.number(row["scrobbles"]),
                )
                for row in rows
            ],
            links=[formatting.listener_address(row["listener_name"]) for row in rows],
        ),
        table=table(
            rows,
            ("#", lambda row: formatting.number(row["rank"]), True),
            (
                "Listener",
                lambda row: formatting.listener_link(row["listener_name"]),
                False,
            ),
            ("Scrobbles", lambda row: formatting.number(row["scrobbles"]), True),
            ("First", lambda row: formatting.moment(row["first_scrobbled_at"]), False),
            ("Last", lambda row: formatting.moment(row["last_scrobbled_at"]), False),
        ),
        csv=csv,
        empty=f"No listener of this {kind} is public.",
    )
