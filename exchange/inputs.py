"""What a settlement takes from the warehouse: read once, handed on by value.

Owns the only queries of the exchange on marts, and the gates on single artists. Reads
the version about to be published: DuckDB's file or PostgreSQL's `marts_build`.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Gates:
    """When one artist is halted: the numbers behind the rules."""

    surprise: float = 6.0
    """|z| beyond this."""
    plays_jump: float = 5.0
    """Plays at this multiple of their 28-day median …"""
    listeners_calm: float = 1.5
    """… while new listeners stay under this multiple of theirs."""
    swap_surprise: float = 4.0
    """Two artists, both beyond this in opposite directions, …"""
    swap_tolerance: float = 0.05
    """… whose changes in plays cancel out within this."""


@dataclass(frozen=True)
class Flow:
    """One artist's day: flows, and the medians of the 28 days before."""

    artist_id: str
    surprise: float
    plays: float | None
    listeners: float | None
    usual_plays: float | None
    usual_listeners: float | None


def anomalies(flows: Sequence[Flow], gates: Gates) -> dict[str, str]:
    """The artists to halt, each with the reason. Pure."""
    reasons: dict[str, str] = {}
    for flow in flows:
        if abs(flow.surprise) > gates.surprise:
            reasons[flow.artist_id] = f"surprise of {flow.surprise:.1f} deviations"
        elif _jumps_alone(flow, gates):
            reasons[flow.artist_id] = "plays jumped without listeners"
    moved = [
        (flow, flow.plays - flow.usual_plays)
        for flow in flows
        if flow.plays is not None
        and flow.usual_plays is not None
        and abs(flow.surprise) > gates.swap_surprise
    ]
    rising = [(flow, change) for flow, change in moved if change > 0]
    for faller, loss in moved:
        if loss >= 0:
            continue
        for riser, gain in rising:
            if abs(gain + loss) <= gates.swap_tolerance * gain:
                for flow in (faller, riser):
                    reasons.setdefault(
                        flow.artist_id, "an equal and opposite jump elsewhere"
                    )
    return reasons


def _jumps_alone(flow: Flow, gates: Gates) -> bool:
    if not flow.plays or not flow.usual_plays or flow.listeners is None:
        return False
    jump = flow.plays / flow.usual_plays
    calm = flow.listeners <= gates.listeners_calm * max(flow.usual_listeners or 0, 5)
    return jump > gates.plays_jump and calm


def load(
    target: Target,
    day: date,
    version: str,
    priced_at: datetime,
    *,
    floor_plays: int = 0,
    gates: Gates | None = None,
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
    series: dict[str, list[tuple[date, float, float | None, float | None]]]
    series = defaultdict(list)
    for artist_id, value_date, price, plays, listeners in history:
        series[artist_id].append((value_date, price, plays, listeners))
    flows = [_flow(row, series[row[0]], day) for row in rows]
    halts = anomalies(flows, gates or Gates())
    usual = {flow.artist_id: flow.usual_plays for flow in flows}
    return SettlementInputs(
        settled_date=day,
        version=version,
        priced_at=priced_at,
        artists=[
            _value(row, series[row[0]], halts.get(row[0]), usual[row[0]], floor_plays)
            for row in rows
        ],
        new_number_ones=frozenset(row[0] for row in firsts),
        merged=frozenset(row[0] for row in merged),
    )


_VALUES = """
    select
        daily.artist_id,
        artists.artist_name,
        daily.fundamental_price,
        coalesce(daily.surprise_z, 0),
        daily.is_listed,
        artists.top_tag,
        coalesce(artists.listeners, 0),
        daily.plays_per_day,
        daily.new_listeners_per_day
    from {{schema}}.fct_artist_values daily
    inner join {{schema}}.dim_artists artists on artists.artist_id = daily.artist_id
    where daily.value_date = cast('{day}' as date)
        and daily.fundamental_price is not null
    order by daily.artist_id
"""
_HISTORY = """
    select
        artist_id, value_date, fundamental_price, plays_per_day, new_listeners_per_day
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


def _flow(
    row: tuple[Any, ...],
    series: list[tuple[date, float, float | None, float | None]],
    day: date,
) -> Flow:
    first = day - timedelta(days=28)
    before = [item for item in series if first <= item[0] < day]
    plays = [item[2] for item in before if item[2] is not None]
    listeners = [item[3] for item in before if item[3] is not None]
    return Flow(
        artist_id=row[0],
        surprise=float(row[3]),
        plays=row[7],
        listeners=row[8],
        usual_plays=median(plays) if plays else None,
        usual_listeners=median(listeners) if listeners else None,
    )


def _value(
    row: tuple[Any, ...],
    series: list[tuple[date, float, float | None, float | None]],
    halt: str | None,
    usual_plays: float | None,
    floor_plays: int,
) -> ArtistValue:
    artist_id, name, price, surprise, is_listed, top_tag, listeners = row[:7]
    units = min(_MAX_PRICE_UNITS, max(1, round(float(price) * UNITS_PER_CREDIT)))
    milli = round(float(surprise) * 1000)
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
    )


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
