"""Numbers, days and names as people read them.

Owns the wording of values on the pages: thousands separators, units, UTC. Names of
artists, tracks and listeners are foreign text: they are escaped and isolated in `bdi`,
so that markup and writing direction in a name stay inside the name.
"""

from __future__ import annotations

import unicodedata
from datetime import date, datetime
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

from markupsafe import Markup

from warehouse import plurals

NOTHING = "–"

PERIODS = {
    "day": "daily",
    "week": "weekly",
    "month": "monthly",
    "quarter": "quarterly",
    "half_year": "half-yearly",
    "year": "yearly",
    "all_time": "all-time",
}
CHARTS = {
    "global_artists": "Artists worldwide",
    "global_tracks": "Tracks worldwide",
    "global_tags": "Tags worldwide",
    "country_artists": "Artists by country",
    "country_tracks": "Tracks by country",
    "tag_artists": "Artists by tag",
    "tag_tracks": "Tracks by tag",
    "panel_artists": "Artists of the panel",
    "panel_tracks": "Tracks of the panel",
    "panel_albums": "Albums of the panel",
    "panel_tags": "Tags of the panel",
}
MEASURES = {
    "score": "Score",
    "value": "Value",
    "fundamental_price": "Fundamental price",
    "listeners": "Listeners",
    "playcount": "Plays",
    "new_listeners_per_day": "New listeners a day",
    "plays_per_day": "Plays a day",
    "panel_scrobbles": "Panel scrobbles",
    "panel_listeners": "Panel listeners",
    "log_value": "Log value",
    "level": "Level",
    "transient": "Transient",
    "log_attention": "Log attention",
    "attention_share": "Share of attention",
    "value_low": "Outlook, low end",
    "value_high": "Outlook, high end",
    "surprise_z": "Surprise",
    "classic_base_price": "Classic base price",
    "classic_score": "Classic score",
    "classic_dividend": "Classic dividend",
}
UNITS = {
    "score": "0 to 100, the share of listed artists below",
    "value": "lasting attention in 24 hours",
    "fundamental_price": "index points; the mean of listed artists is 100",
    "listeners": "last.fm accounts, all time",
    "playcount": "last.fm plays, all time",
    "new_listeners_per_day": "last.fm accounts in 24 hours",
    "plays_per_day": "last.fm plays in 24 hours",
    "panel_scrobbles": "scrobbles of the panel that day",
    "panel_listeners": "listeners of the panel that day",
    "log_value": "natural logarithm",
    "level": "lasting log attention",
    "transient": "log attention that will pass",
    "log_attention": "natural logarithm, without the day's own factor",
    "attention_share": "part of all artists' attention that day",
    "value_low": "attention in 24 hours, mean of the next 28 days",
    "value_high": "attention in 24 hours, mean of the next 28 days",
    "surprise_z": "forecast error in robust standard deviations",
    "classic_base_price": "0.07 · plays / √listeners",
    "classic_score": "0.0005 · new plays + 0.05 · new listeners",
    "classic_dividend": "points",
}
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
RANGES = {
    "this_week": "this week",
    "this_month": "this month",
    "this_year": "this year",
    "week": "last week",
    "month": "last month",
    "quarter": "last quarter",
    "half_yearly": "last half-year",
    "year": "last year",
    "all_time": "all time",
}


def number(value: float | int | None, digits: int = 0) -> str:
    """1234567.8 as 1,234,568; None as a dash."""
    return NOTHING if value is None else f"{value:,.{digits}f}"


def exact(value: float | int | None) -> str:
    """A measure of any size with about four figures."""
    if value is None:
        return NOTHING
    size = abs(value)
    if value == int(value) or size >= 10_000:
        return f"{value:,.0f}"
    digits = next(
        n for n, least in enumerate((1e4, 1e3, 1e2, 10, 1, 0)) if size >= least
    )
    return f"{value:,.{min(digits, 4)}f}"


def short(value: float | int | None) -> str:
    """1234567 as 1.2 M: for axes and tight places."""
    if value is None:
        return NOTHING
    for size, unit in ((1e9, " bn"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= size:
            text = f"{value / size:.1f}" if abs(value) < 100 * size else ""
            return (text.removesuffix(".0") or f"{value / size:.0f}") + unit
    return f"{value:g}" if abs(value) < 1 else f"{value:.4g}"


def rough(value: int | None) -> str:
    """1234567 as `1.2 million`, for sentences."""
    if value is None:
        return "an unknown number of"
    for size, unit in ((10**9, "billion"), (10**6, "million"), (10**3, "thousand")):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:,}"


def signed(value: float | None, digits: int = 1) -> str:
    """A change with its sign (a real minus)."""
    if value is None:
        return NOTHING
    return f"{value:+,.{digits}f}".replace("-", "−")


def pct(value: float | None, digits: int = 1) -> str:
    """A percentage."""
    return NOTHING if value is None else f"{value:,.{digits}f} %"


def day(value: date | str | None) -> str:
    """14 March 2026."""
    if value is None:
        return NOTHING
    if isinstance(value, str):
        value = date.fromisoformat(value)
    return f"{value.day} {value:%B %Y}"


def short_day(value: date | None) -> str:
    """14 Mar 2026."""
    return NOTHING if value is None else f"{value.day} {value:%b %Y}"


def moment(value: datetime | None) -> str:
    """14 Mar 2026, 05:12 UTC."""
    return NOTHING if value is None else f"{local(value)} UTC"


def local(value: datetime) -> str:
    """14 Mar 2026, 05:12: by a clock that the page names."""
    return f"{value.day} {value:%b %Y, %H:%M}"


def length(seconds: int | None) -> str:
    """A track's length, 3:07."""
    return NOTHING if seconds is None else f"{seconds // 60}:{seconds % 60:02}"


def issue(period: str, start: date) -> str:
    """What an issue is called: `week of 9 March 2026`, `March 2026`, `2026`."""
    if period == "all_time":
        return "all time"
    if period == "year":
        return str(start.year)
    if period == "month":
        return f"{start:%B %Y}"
    if period == "quarter":
        return f"quarter {(start.month + 2) // 3} of {start.year}"
    if period == "half_year":
        return f"{'first' if start.month < 7 else 'second'} half of {start.year}"
    return f"week of {day(start)}" if period == "week" else day(start)


def short_issue(period: str, start: date) -> str:
    """The same for an axis: `9 Mar`, `Mar 26`, `2026`."""
    if period == "year":
        return str(start.year)
    return f"{start:%b %y}" if period == "month" else f"{start.day} {start:%b}"


def sentence(text: str) -> str:
    """The same text with a capital at its beginning; the rest stays."""
    return text[:1].upper() + text[1:]


def chart(name: str, scope: str = "") -> str:
    """The chart's name for people."""
    if scope and name.startswith(("country_", "tag_")):
        return f"{CHARTS[name].split(' by ')[0]}: {scope}"
    return CHARTS.get(name, name)


def plural(count: int | None, one: str, many: str | None = None) -> str:
    """`1 artist`, `1,234 artists`; what is not known has a mark for its number."""
    if count is None:
        return f"{NOTHING} {many or one + 's'}"
    return plurals.plural(count, one, many)


def named(name: str | None) -> Markup:
    """A foreign name: escaped, its writing direction kept inside."""
    return Markup("<bdi>{}</bdi>").format(name or "(no name)")


def clipped(name: str | None, length: int) -> str:
    """A name cut to the room of `length` letters; directions are isolated by marks.

    For SVG text, which has no `bdi`: first-strong isolate and its end.
    """
    text = " ".join((name or "").split())
    text = "".join(c for c in text if c.isprintable() or c == "\u200d")
    room = length
    for place, letter in enumerate(text):
        # East Asian letters take the room of two.
        room -= 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        if room < 0:
            text = text[: place - 1].rstrip() + "…"
            break
    return f"\u2068{text}\u2069"


def quoted(name: str) -> str:
    """A name as a part of a path."""
    return quote(name, safe="")


def link(address: str, name: str | None) -> Markup:
    """A link with a foreign name."""
    return Markup('<a href="{}">{}</a>').format(address, named(name))


def artist_link(artist_id: str | None, name: str | None) -> Markup:
    """A link to an artist's page."""
    if not artist_id:
        return named(name)
    return Markup('<a href="/artists/{}">{}</a>').format(artist_id, named(name))


def by_artist(artist_id: str | None, name: str | None) -> Markup:
    """The artist under a track's or an album's name."""
    if not name:
        return Markup("")
    return Markup(' <span class="by">{}</span>').format(artist_link(artist_id, name))


def tag_link(tag_id: str, name: str | None) -> Markup:
    """A link to a tag's page."""
    return Markup('<a href="/tags/{}">{}</a>').format(tag_id, named(name))


def track_link(track_id: str, name: str | None) -> Markup:
    """A link to a track's page."""
    return link(f"/tracks/{track_id}", name)


def listener_address(name: str) -> str:
    """The address of a listener's page."""
    return f"/listeners/{quoted(name)}"


def listener_link(name: str) -> Markup:
    """A link to a listener's page."""
    return link(listener_address(name), name)


def entity_link(
    kind: str, entity_id: str, name: str | None, artist_id: str | None
) -> Markup:
    """A link to where an entry of a chart leads."""
    address = entity_address(kind, entity_id, name, artist_id)
    return named(name) if address is None else link(address, name)


def entity_address(
    kind: str, entity_id: str, name: str | None, artist_id: str | None
) -> str | None:
    """The address of the page of an artist, a track, an album, a tag or a listener."""
    if kind == "listeners":
        return listener_address(name or entity_id)
    if kind in ("tracks", "albums", "tags"):
        return f"/{kind}/{entity_id}"
    return f"/artists/{artist_id}" if artist_id else None


def entry(kind: str, row: dict[str, Any]) -> Markup:
    """An entry of a list: its name with a link to where it leads."""
    linked = entity_link(kind, row["entity_id"], row["entity_name"], row["artist_id"])
    if kind in ("tracks", "albums"):
        return linked + by_artist(row["artist_id"], row["artist_name"])
    return linked


def lastfm(*parts: str) -> str:
    """The address of something on last.fm, for people to follow."""
    return "https://www.last.fm/" + "/".join(quote_plus(part) for part in parts)


def address(path: str, **given: Any) -> str:
    """A path with its query; what is None or empty is left out."""
    query = {
        name.rstrip("_"): value.isoformat() if isinstance(value, date) else value
        for name, value in given.items()
        if value is not None and value != ""
    }
    return f"{path}?{urlencode(query)}" if query else path


def movement(row: dict[str, Any]) -> Markup:
    """▲ 3, ▼ 2, =, NEW or RE, with words for a screen reader."""
    kind = row.get("movement")
    change = row.get("rank_change")
    if kind == "UP" and change is not None:
        return _moved("up", f"▲\u2009{change}", f"up {change}")
    if kind == "DOWN" and change is not None:
        return _moved("down", f"▼\u2009{-change}", f"down {-change}")
    if kind == "NEW":
        return _moved("new", "new", "new on the chart")
    if kind == "RE":
        return _moved("new", "back", "back on the chart")
    if kind == "SAME":
        return _moved("same", "=", "unchanged")
    return Markup('<span class="move same">{}</span>').format(NOTHING)


def _moved(kind: str, sign: str, words: str) -> Markup:
    return Markup(
        '<span class="move {}"><span aria-hidden="true">{}</span>'
        '<span class="unseen">{}</span></span>'
    ).format(kind, sign, words)
