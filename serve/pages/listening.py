"""One listener's own plays in any window: lists, one thing, plays, statistics.

The window and its time zone stand in the address and in each link to the next page.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, get_args

from flask import Blueprint, Response
from markupsafe import Markup

from serve.accounts import Account
from serve.api.listening import (
    PlaysQuery,
    ThingPath,
    TopQuery,
    chosen_window,
    thing,
)
from serve.api.parameters import LocalWindow
from serve.pages import covers, drawing, formatting
from serve.pages.private import opened, private_page
from serve.pages.site import Figure, asked, pick, table, takes
from serve.pages.statistics import PARTS, statistic_figure
from serve.problems import Problem
from serve.queries import listeners
from serve.queries import listening as queries
from serve.queries.listening import Listening
from serve.queries.statistics import Question
from serve.store.contract import Reader

#: The address of a thing by entity and key.
Link = Callable[[str, str], str]
ENTITIES: tuple[str, ...] = get_args(queries.Entity)
_BY = {"scrobbles": "plays", "minutes": "minutes", "share": "share of plays"}
_SHOWN = 10
_MOST_ROWS = 100


def add_routes(pages: Blueprint) -> None:
    """The pages below `/listeners/<name>`."""
    root = "/listeners/<listener_name>"
    pages.get(f"{root}/top/<entity>")(listener_top)
    pages.get(f"{root}/plays")(listener_plays)
    pages.get(f"{root}/statistics/<part>")(listener_statistics)
    pages.get(f"{root}/<entity>/<entity_id>")(listener_thing)


def kept(query: LocalWindow) -> dict[str, Any]:
    """What of the address goes along to the next page: the window and its zone."""
    return {
        "range": query.range,
        "from_": query.from_,
        "to": query.to,
        "tz": query.tz,
    }


def own_link(name: str, entity: str, entity_id: str, query: LocalWindow) -> str:
    """The address of a listener's page of one thing, in the same window."""
    return formatting.address(f"{_root(name)}/{entity}/{entity_id}", **kept(query))


def own_links(name: str, query: LocalWindow) -> Link:
    """The addresses of a listener's pages of things, in the same window."""
    return partial(own_link, name, query=query)


def _root(name: str) -> str:
    return f"/listeners/{formatting.quoted(name)}"


def _api(name: str) -> str:
    return f"/api/v1/listeners/{formatting.quoted(name)}"


def in_words(listening: Listening, query: LocalWindow, default: str) -> str:
    """The window as people say it."""
    if query.from_ is None and query.to is None:
        return formatting.RANGES[query.range or default]
    first = formatting.day(listening.days.first)
    return f"{first} to {formatting.day(listening.days.last)}"


def window_controls(
    here: str, query: LocalWindow, listening: Listening, default: str, **rest: Any
) -> dict[str, Any]:
    """What the controls of a window show: words, days, and the zone."""
    chosen = query.range or (None if query.from_ or query.to else default)
    return {
        "here": here,
        "ranges": pick(
            here, "range", formatting.RANGES.items(), chosen, tz=query.tz, **rest
        ),
        "from": query.from_,
        "to": query.to,
        "tz": query.tz,
        "zone": listening.zone.name,
        "rest": {name: value for name, value in rest.items() if value is not None},
    }


def _closed(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise Problem("not_found", f"There is no {name} of this name.")
    return value


def given(reader: Reader, listener_id: str) -> dict[str, Any]:
    """The listener whose page is open."""
    found = listeners.listener(reader, listener_id)
    assert found is not None  # `opened` has looked
    return found


@takes(TopQuery)
def listener_top(listener_name: str, entity: str) -> Response:
    """A listener's list of any window, to any depth."""

    def view(reader: Reader, listener_id: str, owner: Account | None) -> Response:
        _closed("list", entity, ENTITIES)
        query = asked(TopQuery)
        query = query.model_copy(update={"limit": min(query.limit, _MOST_ROWS)})
        listening = chosen_window(reader, listener_id, query)
        found = given(reader, listener_id)
        name = found["listener_name"]
        here = f"{_root(name)}/top/{entity}"
        by = query.by if query.by != "scrobbles" else None
        figure, has_more, entities = _list(reader, listening, query, entity, name)
        return private_page(
            "listener_top.html",
            reader,
            listener=found,
            owner=owner,
            entity=entity,
            entities=entities,
            words=in_words(listening, query, "all_time"),
            lists=pick_pages(name, "top", ENTITIES, entity, by=by, **kept(query)),
            sorts=pick(here, "by", _BY.items(), query.by, **kept(query)),
            window=window_controls(here, query, listening, "all_time", by=by),
            figure=figure,
            has_more=has_more,
            offset=query.offset,
            more=formatting.address(
                here,
                **kept(query),
                by=by,
                limit=query.limit if query.limit != 50 else None,
                offset=query.offset + query.limit,
            ),
        )

    return opened(listener_name, view)


def pick_pages(
    name: str, part: str, choices: tuple[str, ...], chosen: str, **rest: Any
) -> list[dict[str, Any]]:
    """Links between pages of one kind, the window kept."""
    return [
        {
            "href": formatting.address(f"{_root(name)}/{part}/{choice}", **rest),
            "text": choice,
            "is_chosen": choice == chosen,
        }
        for choice in choices
    ]


def _list(
    reader: Reader, listening: Listening, query: TopQuery, entity: str, name: str
) -> tuple[Figure, bool, int]:
    """The figure of a list, whether more follows, and how long the whole is."""
    rows = queries.top(
        reader,
        listening,
        entity=entity,
        by=query.by,
        limit=query.limit + 1,
        offset=query.offset,
    ).records()
    has_more, rows = len(rows) > query.limit, rows[: query.limit]
    covers.add_to(reader, entity, rows)
    figure = top_figure(
        rows,
        entity,
        own_links(name, query),
        by=query.by,
        title=f"{entity.capitalize()} by {_BY[query.by]}",
    )
    csv = formatting.address(
        f"{_api(name)}/top/{entity}.csv", **kept(query), by=query.by, limit=100_000
    )
    return replace(figure, csv=csv), has_more, rows[0]["entities"] if rows else 0


def top_figure(
    rows: list[dict[str, Any]],
    entity: str,
    link: Link,
    *,
    csv: str = "",
    by: str = "scrobbles",
    title: str | None = None,
    has_open_table: bool = True,
) -> Figure:
    """A list as bars over a table; every name leads to the page that `link` gives."""
    measure = {"minutes": "listening_seconds", "share": "share_pct"}.get(
        by, "scrobbles"
    )
    says = f"The bars show {_BY[by]}."
    title = title or f"Top {entity}"
    key = f"top-{entity}"

    def named(row: dict[str, Any]) -> Markup:
        by_whom = Markup("")
        if entity in ("tracks", "albums") and row["artist_id"]:
            address = link("artists", row["artist_id"])
            by_whom = Markup(' <span class="by"><a href="{}">{}</a></span>').format(
                address, formatting.named(row["artist_name"])
            )
        address = link(entity, row["entity_id"])
        return covers.beside(
            row, formatting.link(address, row["entity_name"]) + by_whom
        )

    return Figure(
        key=key,
        title=title,
        summary=says,
        picture=drawing.bars(
            key,
            title,
            says,
            [(row["entity_name"], row[measure], _said(by, row)) for row in rows[:12]],
            links=[link(entity, row["entity_id"]) for row in rows[:12]],
        ),
        table=table(
            rows,
            ("#", lambda row: formatting.number(row["rank"]), True),
            (entity[:-1].capitalize(), named, False),
            ("Plays", lambda row: formatting.number(row["scrobbles"]), True),
            ("Share", lambda row: formatting.pct(row["share_pct"]), True),
            *(_MORE if rows and "listening_seconds" in rows[0] else ()),
        ),
        csv=csv,
        empty=f"No {entity} in this time. Choose a longer one.",
        has_open_table=has_open_table,
    )


#: Columns that a list counted from the plays has.
_MORE: tuple[tuple[str, Callable[[dict[str, Any]], str], bool], ...] = (
    ("Minutes", lambda row: formatting.number(row["listening_seconds"] / 60), True),
    (
        "Last played",
        lambda row: formatting.short_day(row["last_played_at"].date()),
        False,
    ),
)


def _said(by: str, row: dict[str, Any]) -> str:
    if by == "minutes":
        return formatting.plural(round(row["listening_seconds"] / 60), "minute")
    if by == "share":
        return formatting.pct(row["share_pct"])
    return formatting.number(row["scrobbles"])


@takes(PlaysQuery)
def listener_plays(listener_name: str) -> Response:
    """A listener's plays, newest first, and search in them."""

    def view(reader: Reader, listener_id: str, owner: Account | None) -> Response:
        query = asked(PlaysQuery)
        query = query.model_copy(update={"limit": min(query.limit, _MOST_ROWS)})
        listening = chosen_window(reader, listener_id, query)
        found = given(reader, listener_id)
        name = found["listener_name"]
        here = f"{_root(name)}/plays"
        figure, has_more = plays_figure(reader, listening, query, name)
        return private_page(
            "listener_plays.html",
            reader,
            listener=found,
            owner=owner,
            query=query,
            words=in_words(listening, query, "all_time"),
            window=window_controls(here, query, listening, "all_time", q=query.q),
            figure=figure,
            parquet=formatting.address(
                f"{_api(name)}/plays.parquet", **kept(query), q=query.q, limit=100_000
            ),
            has_more=has_more,
            offset=query.offset,
            more=formatting.address(
                here,
                **kept(query),
                q=query.q,
                limit=query.limit if query.limit != 50 else None,
                offset=query.offset + query.limit,
            ),
        )

    return opened(listener_name, view)


def plays_figure(
    reader: Reader, listening: Listening, query: PlaysQuery, name: str
) -> tuple[Figure, bool]:
    """Plays as a table, and whether more follow."""
    rows = queries.plays(
        reader, listening, text=query.q, limit=query.limit + 1, offset=query.offset
    ).records()
    has_more = len(rows) > query.limit
    thing_path = ""
    if listening.entity is not None:
        thing_path = f"/{listening.entity}/{listening.entity_id}"

    def linked(entity: str, key: str, row: dict[str, Any]) -> Markup:
        if row[f"{key}_id"] is None:
            return Markup(formatting.NOTHING)
        address = own_link(name, entity, row[f"{key}_id"], query)
        return formatting.link(address, row[f"{key}_name"])

    figure = Figure(
        key="plays",
        title="Plays",
        summary=f"Newest first, in local time of {listening.zone.name}.",
        picture=Markup(""),
        table=table(
            rows[: query.limit],
            ("Played", lambda row: formatting.local(row["local_at"]), False),
            ("Track", lambda row: linked("tracks", "track", row), False),
            ("Artist", lambda row: linked("artists", "artist", row), False),
            ("Album", lambda row: linked("albums", "album", row), False),
        ),
        csv=formatting.address(
            f"{_api(name)}{thing_path}/plays.csv",
            **kept(query),
            q=query.q,
            limit=100_000,
        ),
        empty="No play passes. Choose a longer time or another word.",
        has_open_table=True,
    )
    return figure, has_more


@takes(LocalWindow)
def listener_statistics(listener_name: str, part: str) -> Response:
    """Some of a listener's statistics of a window."""

    def view(reader: Reader, listener_id: str, owner: Account | None) -> Response:
        _closed("part", part, tuple(PARTS))
        query = asked(LocalWindow)
        listening = chosen_window(reader, listener_id, query, "this_year")
        found = given(reader, listener_id)
        name = found["listener_name"]
        here = f"{_root(name)}/statistics/{part}"
        question = Question(reader, listening)
        window = kept(query)
        if not (query.range or query.from_ or query.to):
            window["range"] = "this_year"
        shown = query.model_copy(update={"range": window["range"]})

        def link(entity: str, entity_id: str) -> str:
            return own_link(name, entity, entity_id, shown)

        return private_page(
            "listener_statistics.html",
            reader,
            listener=found,
            owner=owner,
            part=part,
            words=in_words(listening, query, "this_year"),
            parts=pick_pages(name, "statistics", tuple(PARTS), part, **kept(query)),
            window=window_controls(here, query, listening, "this_year"),
            figures=[
                statistic_figure(
                    question,
                    statistic,
                    link,
                    formatting.address(
                        f"{_api(name)}/statistics/{statistic}.csv", **window
                    ),
                )
                for statistic in PARTS[part]
            ],
        )

    return opened(listener_name, view)


#: What a page of one thing lists below it.
_BELOW = {
    "artists": ("tracks", "albums"),
    "albums": ("tracks",),
    "tracks": (),
    "tags": ("artists", "tracks"),
}


@takes(LocalWindow)
def listener_thing(listener_name: str, entity: str, entity_id: str) -> Response:
    """One artist, album, track or tag as the listener played it."""

    def view(reader: Reader, listener_id: str, owner: Account | None) -> Response:
        try:
            path = ThingPath.model_validate(
                {
                    "listener_name": listener_name,
                    "entity": entity,
                    "entity_id": entity_id,
                }
            )
        except ValueError:
            raise Problem("not_found", "Nothing has this key.") from None
        query = asked(LocalWindow)
        listening = thing(reader, chosen_window(reader, listener_id, query), path)
        named = queries.name_of(reader, entity, entity_id, listening.rules)
        assert named is not None  # `thing` has looked
        found = given(reader, listener_id)
        name = found["listener_name"]
        recent = PlaysQuery.model_validate(
            {"from" if key == "from_" else key: v for key, v in kept(query).items()}
            | {"limit": 20}
        )
        figure, has_more = plays_figure(reader, listening, recent, name)
        return private_page(
            "listener_thing.html",
            reader,
            listener=found,
            owner=owner,
            entity=entity,
            thing=named,
            totals=queries.totals(reader, listening),
            artist=None
            if entity in ("artists", "tags") or named["artist_id"] is None
            else formatting.link(
                own_link(name, "artists", named["artist_id"], query),
                named["artist_name"],
            ),
            up=formatting.address(f"{_root(name)}/top/{entity}", **kept(query)),
            public=f"/{entity}/{entity_id}",
            words=in_words(listening, query, "all_time"),
            window=window_controls(
                f"{_root(name)}/{entity}/{entity_id}", query, listening, "all_time"
            ),
            over_time=_over_time(reader, listening, name, query),
            below=[
                _below(reader, listening, other, name, query)
                for other in _BELOW[entity]
            ],
            plays=figure,
            has_more=has_more,
        )

    return opened(listener_name, view)


def _below(
    reader: Reader, listening: Listening, entity: str, name: str, query: LocalWindow
) -> Figure:
    rows = queries.top(
        reader, listening, entity=entity, by="scrobbles", limit=_SHOWN, offset=0
    ).records()
    covers.add_to(reader, entity, rows)
    plays = f"{_api(name)}/{listening.entity}/{listening.entity_id}/plays.csv"
    return top_figure(
        rows,
        entity,
        own_links(name, query),
        csv=formatting.address(plays, **kept(query), limit=100_000),
        has_open_table=False,
    )


def _over_time(
    reader: Reader, listening: Listening, name: str, query: LocalWindow
) -> Figure:
    """Plays of one thing by month, or by day where the window is short."""
    grain = "day" if listening.days.days <= 62 else "month"
    rows = queries.by_period(reader, listening, grain=grain).records()
    says = f"Plays by {grain}, local time of {listening.zone.name}."
    labels = [formatting.short_issue(grain, row["period_start"]) for row in rows]
    drawn = [
        (
            label,
            row["scrobbles"],
            f"{formatting.issue(grain, row['period_start'])}:"
            f" {formatting.plural(row['scrobbles'], 'play')}",
        )
        for label, row in zip(drawing.spread(labels), rows, strict=True)
    ]
    return Figure(
        key="time",
        title="Over time",
        summary=says,
        picture=drawing.columns("time", "Plays over time", says, drawn),
        table=table(
            rows[::-1],
            (
                grain.capitalize(),
                lambda row: formatting.issue(grain, row["period_start"]),
                False,
            ),
            ("Plays", lambda row: formatting.number(row["scrobbles"]), True),
            (
                "Minutes",
                lambda row: formatting.number(row["listening_seconds"] / 60),
                True,
            ),
        ),
        csv=formatting.address(
            f"{_api(name)}/{listening.entity}/{listening.entity_id}/periods.csv",
            **kept(query),
            grain=grain,
        ),
        empty="No play in this time. Choose a longer one.",
    )
