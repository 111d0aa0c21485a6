"""What a settlement takes from the warehouse: read once, handed on by value.

Owns the only queries of the exchange on marts, and the gates on single artists. Reads
the version about to be published: DuckDB's file or PostgreSQL's `marts_build`.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

import duckdb
from sqlalchemy import create_engine, text

from exchange.settings import PPM, UNITS_PER_CREDIT
from exchange.settlement import ArtistValue, SettlementInputs
from exchange.value_formula import robust_spread
from warehouse.run import Target

_HISTORY_DAYS = 61
_MAX_SURPRISE_MILLI = 1_000_000
_MAX_PRICE_UNITS = 10**12

Query = Callable[[str], Sequence[tuple[Any, ...]]]
# Of one artist: day, fundamental price, plays a day.
_Series = list[tuple[date, float, float | None]]


_MOST_SURPRISE = 6.0
"""Beyond this many deviations an artist is halted, unless the day is explained."""
_UNCONFIRMED = 6
"""The flow state of a sudden step that the next day has to confirm."""


def halt_reason(
    surprise: float, flow_state: int | None, flow_reason: str | None
) -> str | None:
    """Why an artist is not traded after a day; None for the others. Pure.

    A surprise that the marts explain (a sudden step that was confirmed) halts nobody.
    """
    if flow_state == _UNCONFIRMED:
        return flow_reason
    if abs(surprise) > _MOST_SURPRISE and flow_reason is None:
        return f"surprise of {surprise:.1f} deviations"
    return None


def load(
    target: Target,
    day: date,
    version: str,
    priced_at: datetime,
    *,
    floor_plays: int = 0,
) -> SettlementInputs:
    """The settlement's inputs for one day; rolled where the marts have no such day.

    Args:
        floor_plays: artists whose 28-day median of plays a day is lower are not listed.
    """
    with _reading(target) as query:
        rows = query(_VALUES.format(day=day.isoformat()))
        history = query(
            _HISTORY.format(
                first=(day - timedelta(days=_HISTORY_DAYS)).isoformat(),
                day=day.isoformat(),
            )
        )
        firsts = query(_NEW_NUMBER_ONES.format(day=day.isoformat()))
        merged = query(_MERGED)
    if not rows:
        return SettlementInputs(
            day, version, priced_at, is_rolled=True, reason="no values for this day"
        )
    series: dict[str, _Series] = defaultdict(list)
    for artist_id, value_date, price, plays in history:
        series[artist_id].append((value_date, price, plays))
    return SettlementInputs(
        settled_date=day,
        version=version,
        priced_at=priced_at,
        artists=[
            _value(row, series[row[0]], _usual_plays(series[row[0]], day), floor_plays)
            for row in rows
        ],
        new_number_ones=frozenset(row[0] for row in firsts),
        merged=frozenset(row[0] for row in merged),
    )


def priced_days(target: Target, until: date, most: int) -> list[date]:
    """The last days up to `until` on which most of its artists had a price, in order.

    Empty where there is none on `until` itself.
    """
    first = until - timedelta(days=most - 1)
    with _reading(target) as query:
        rows = query(_LISTED.format(first=first.isoformat(), day=until.isoformat()))
    listed = {row[0]: int(row[1]) for row in rows}
    days: list[date] = []
    while listed.get(until, 0) > 0:
        day = until - timedelta(days=len(days))
        if 2 * listed.get(day, 0) < listed[until]:
            break
        days.append(day)
    return days[::-1]


_LISTED = """
    select value_date, count(*)
    from {{schema}}.fct_artist_values
    where value_date between cast('{first}' as date) and cast('{day}' as date)
        and is_listed and fundamental_price is not null
    group by value_date
"""
_VALUES = """
    select
        daily.artist_id,
        artists.artist_name,
        daily.fundamental_price,
        coalesce(daily.surprise_z, 0),
        daily.is_listed,
        artists.top_tag,
        coalesce(artists.listeners, 0),
        daily.flow_state,
        daily.flow_reason
    from {{schema}}.fct_artist_values daily
    inner join {{schema}}.dim_artists artists on artists.artist_id = daily.artist_id
    where daily.value_date = cast('{day}' as date)
        and daily.fundamental_price is not null
    order by daily.artist_id
"""
_HISTORY = """
    select artist_id, value_date, fundamental_price, plays_per_day
    from {{schema}}.fct_artist_values
    where value_date between cast('{first}' as date) and cast('{day}' as date)
        and fundamental_price > 0
    order by artist_id, value_date
"""
_NEW_NUMBER_ONES = """
    select distinct artist_id
    from {{schema}}.fct_chart_positions
    where chart = 'global_artists' and period = 'day'
        and issue_date = cast('{day}' as date)
        and rank = 1 and peak_first_date = issue_date
    order by artist_id
"""


_MERGED = """
    select alias_artist_id
    from {schema}.dim_artist_aliases
    where alias_artist_id <> artist_id
    order by alias_artist_id
"""


def _usual_plays(series: _Series, day: date) -> float | None:
    """Median of the plays a day in the 28 days before; None where none is known."""
    first = day - timedelta(days=28)
    plays = [item[2] for item in series if first <= item[0] < day]
    known = [count for count in plays if count is not None]
    return median(known) if known else None


def _value(
    row: tuple[Any, ...],
    series: _Series,
    usual_plays: float | None,
    floor_plays: int,
) -> ArtistValue:
    artist_id, name, price, surprise, is_listed, top_tag, listeners = row[:7]
    units = _units(price)
    before = series[-2] if len(series) > 1 else None
    milli = round(float(surprise) * 1000)
    halt = halt_reason(float(surprise), row[7], row[8])
    is_busy = usual_plays is not None and usual_plays >= floor_plays
    return ArtistValue(
        artist_id=artist_id,
        artist_name=name,
        fundamental_price_units=units,
        sigma_ppm=sigma_ppm([item[1] for item in series]),
        surprise_milli=max(-_MAX_SURPRISE_MILLI, min(_MAX_SURPRISE_MILLI, milli)),
        is_listed=bool(is_listed) and (is_busy or floor_plays == 0),
        is_halted=halt is not None,
        halt_reason=halt,
        top_tag=top_tag,
        listeners=int(listeners),
        previous_price_units=_units(before[1]) if before is not None else None,
    )


def _units(price: float) -> int:
    return min(_MAX_PRICE_UNITS, max(1, round(float(price) * UNITS_PER_CREDIT)))


def sigma_ppm(prices: Sequence[float]) -> int:
    """σ_a: 1.4826·MAD of the daily changes of ln F, in ppm; 0 under three days."""
    changes = [math.log(after / before) for before, after in pairwise(prices)]
    if len(changes) < 2:
        return 0
    return min(PPM, round(robust_spread(changes) * PPM))


@contextmanager
def _reading(target: Target) -> Iterator[Query]:
    if target.duckdb_path is not None:
        with duckdb.connect(str(target.duckdb_path), read_only=True) as connection:
            yield lambda sql: connection.execute(sql.format(schema="marts")).fetchall()
        return
    engine = create_engine(str(target.url))
    try:
        with engine.connect() as connection_:
            yield lambda sql: [
                tuple(row)
                for row in connection_.execute(text(sql.format(schema="marts_build")))
            ]
    finally:
        engine.dispose()
