"""Compare: one measure of up to five artists."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from flask import Blueprint, redirect
from pydantic import Field

from serve.api.artists import CompareQuery
from serve.api.parameters import Text, Whole
from serve.context import reading
from serve.pages import drawing, formatting
from serve.pages.artists import SHOWN, SPANS, places_of
from serve.pages.site import Figure, Table, asked, page, pick, takes
from serve.queries import artists as queries
from serve.store.contract import Reader

MOST = 5


class Asked(CompareQuery):
    artists: str = Field("", pattern=r"^([0-9a-f]{32}(,[0-9a-f]{32}){0,4})?$")
    measure: queries.Measure = "score"
    days: Whole = Field(365, ge=1, le=3660)
    add: Text | None = None


def add_routes(pages: Blueprint) -> None:
    """`/compare`."""
    pages.get("/compare")(compare)


@takes(Asked)
def compare() -> Any:
    """Lines of up to five artists, chosen by name."""
    query = asked(Asked)
    keys = [key for key in dict.fromkeys(query.artists.split(",")) if key]
    with reading() as reader:
        missed = None
        if query.add:
            found = queries.correction(reader, name=query.add) or _best(
                reader, query.add
            )
            if found is None:
                missed = query.add
            else:
                keys = list(dict.fromkeys([*keys, found["artist_id"]]))[-MOST:]
                address = formatting.address("/compare", **_kept(query, keys))
                return redirect(address, 303)
        chosen = [
            row
            for key in keys
            if (row := queries.artist(reader, key)) is not None
            and row["artist_id"] == key
        ]
        keys = [row["artist_id"] for row in chosen]
        for row in chosen:
            row["shown_value"] = row["value"] or dict.fromkeys(queries.VALUE_COLUMNS)
            others = [key for key in keys if key != row["artist_id"]]
            row["without"] = formatting.address("/compare", **_kept(query, others))
        last = reader.published.as_of_date
        first = last - timedelta(days=query.days - 1)
        return page(
            "compare.html",
            reader.published,
            query=query,
            keys=",".join(keys),
            chosen=chosen,
            missed=missed,
            most=MOST,
            suggestions=_suggestions(reader, query, keys) if len(keys) < 2 else [],
            figure=_figure(reader, chosen, query.measure, first, last),
            measures=pick(
                "/compare",
                "measure",
                ((name, formatting.MEASURES[name]) for name in SHOWN),
                query.measure,
                **{**_kept(query, keys), "measure": None},
            ),
            spans=pick(
                "/compare",
                "days",
                SPANS.items(),
                str(query.days),
                **{**_kept(query, keys), "days": None},
            ),
        )


def _kept(query: Asked, keys: list[str]) -> dict[str, Any]:
    return {
        "artists": ",".join(keys) or None,
        "measure": query.measure if query.measure != "score" else None,
        "days": query.days if query.days != 365 else None,
    }


def _best(reader: Reader, text: str) -> dict[str, Any] | None:
    """The best known artist with the text in its name."""
    return queries.artists(
        reader,
        text=text,
        tag_id=None,
        sort="listeners",
        limit=1,
        offset=0,
    ).first()


def _suggestions(reader: Reader, query: Asked, keys: list[str]) -> list[dict[str, Any]]:
    rows = queries.artists(
        reader,
        text=None,
        tag_id=None,
        sort="score",
        limit=8,
        offset=0,
    ).records()
    rows = [row for row in rows if row["artist_id"] not in keys]
    for row in rows:
        row["href"] = formatting.address(
            "/compare", **_kept(query, [*keys, row["artist_id"]])
        )
    return rows[:6]


def _figure(
    reader: Reader,
    chosen: list[dict[str, Any]],
    measure: str,
    first: date,
    last: date,
) -> Figure | None:
    if not chosen:
        return None
    keys = [row["artist_id"] for row in chosen]
    found = queries.series(
        reader, artist_ids=keys, measure=measure, first=first, last=last
    )
    values: dict[str, dict[date, float | None]] = {key: {} for key in keys}
    for artist_id, _, day, value, is_gap in found.rows:
        values[artist_id][day] = None if is_gap else value
    days = sorted({day for known in values.values() for day in known})
    names = [formatting.clipped(row["artist_name"], 40) for row in chosen]
    title = f"{formatting.MEASURES[measure]}: {', '.join(names)}"
    unit = formatting.UNITS[measure]
    says = f"{unit[0].upper()}{unit[1:]}, by day (UTC). A line breaks where no"
    says += " observation is known."
    drawn = [
        drawing.Line(row["artist_name"], sorted(values[row["artist_id"]].items()))
        for row in chosen
    ]
    return Figure(
        key="compared",
        title=formatting.MEASURES[measure],
        summary=says,
        picture=drawing.lines("compared", title, says, drawn, height=320),
        table=Table(
            ["Day", *(formatting.named(row["artist_name"]) for row in chosen)],
            [
                [
                    formatting.short_day(day),
                    *(formatting.exact(values[key].get(day)) for key in keys),
                ]
                for day in reversed(days)
            ],
            frozenset(range(1, len(keys) + 1)),
            places_of(days)[::-1],
        ),
        csv=formatting.address(
            "/api/v1/artists/compare.csv",
            artists=",".join(keys),
            measure=measure,
            from_=max(first, date(2002, 10, 1)),
            to=last,
            limit=min((last - first).days + 1, 3660),
        ),
        empty="None of these artists has an observation in these days.",
        legend=[
            (number, formatting.artist_link(row["artist_id"], row["artist_name"]))
            for number, row in enumerate(chosen)
        ],
    )
