"""What the methods page shows of a version: constants, an example, measured quality.

Names no listener: what a number one is without its largest listener is said of many
weeks at once, and only of weeks in which five or more listened to it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from serve.store.contract import Reader, Result
from serve.visibility import LEAST_LISTENERS
from warehouse.project import variables

WEEKS = 15
OUTLOOKS_DAYS = 91
_STATE = (
    *("value_date", "new_listeners_per_day", "plays_per_day", "day_factor"),
    *("log_attention", "forecast_error", "level", "transient", "error_variance"),
    *("log_value", "value", "fundamental_price", "score", "value_low", "value_high"),
    *("history_days", "is_listed"),
)


def value_constants(reader: Reader) -> Result:
    """One row per constant of the value: used, by default, and what a fit found."""
    return reader.query(
        """
        select
            constant, symbol, meaning, unit, value, default_value, is_fitted,
            fitted_at, first_date, split_date, last_date, artists, steps,
            error, error_before, outlook_error, outlook_error_before
        from marts.value_constants
        order by constant
        """
    )


def example(reader: Reader) -> dict[str, Any] | None:
    """The newest day of the artist with the highest value that was observed then.

    Returns:
        The row with `before` (the row of the day before), the artist's name, and of all
        listed artists `mean_value`, `listed` and `lower`; None where no artist has two
        days yet.
    """
    after = ", ".join(f"today.{name}" for name in _STATE)
    before = ", ".join(f"eve.{name} as before_{name}" for name in _STATE)
    found = reader.query(
        f"""
        select today.artist_id, artists.artist_name, {after}, {before}
        from marts.fct_artist_values as today
        inner join marts.fct_artist_values as eve
            on eve.artist_id = today.artist_id and eve.value_date = cast(:eve as date)
        inner join marts.dim_artists as artists
            on artists.artist_id = today.artist_id
        where today.value_date = cast(:today as date) and today.is_observed
        order by today.value desc, today.artist_id
        limit 1
        """,
        {
            "today": reader.published.as_of_date,
            "eve": reader.published.as_of_date - timedelta(days=1),
        },
    ).first()
    if found is None:
        return None
    row = {name: found[name] for name in ("artist_id", "artist_name", *_STATE)}
    row["before"] = {name: found[f"before_{name}"] for name in _STATE}
    others = reader.query(
        """
        select
            avg(value) as mean_value,
            cast(count(*) as bigint) as listed,
            cast(count(*) filter (where value < :value) as bigint) as lower
        from marts.fct_artist_values
        where value_date = cast(:today as date) and is_listed
        """,
        {"today": reader.published.as_of_date, "value": row["value"]},
    ).first()
    return {**row, **(others or {})}


def forecasts(reader: Reader) -> dict[str, Any]:
    """How far forecasts of one day were off in the last 91 days, of grown artists.

    `error` and `naive` are roots of mean squared errors, of the forecast and of "as the
    day before"; `lag_1` is what is left to be said by the error before.
    """
    found = reader.query(
        """
        with

        days as (

            select
                value_date, history_days, is_observed, forecast_error,
                log_attention - lag(log_attention) over series as naive_error,
                lag(forecast_error) over series as error_before,
                lag(is_observed) over series as was_observed
            from marts.fct_artist_values
            window series as (partition by artist_id order by value_date)

        )

        select
            cast(count(*) as bigint) as steps,
            sqrt(avg(forecast_error * forecast_error)) as error,
            sqrt(avg(naive_error * naive_error)) as naive,
            corr(forecast_error, error_before) as lag_1
        from days
        where is_observed and was_observed and history_days > 28
            and value_date > cast(:first as date)
        """,
        {"first": reader.published.as_of_date - timedelta(days=OUTLOOKS_DAYS)},
    ).first()
    assert found is not None
    return found


def outlooks(reader: Reader) -> dict[str, Any]:
    """Outlooks of the last 91 days that are over, and how many held what came."""
    least = variables()["value"]["outlook_least_days"]
    found = reader.query(
        f"""
        with

        days as (

            select
                value_date, value_low, value_high, is_listed,
                avg(log_attention) over ahead as came,
                count(log_attention) over ahead as observed
            from marts.fct_artist_values
            where value_date > cast(:first as date)
            window ahead as (
                partition by artist_id
                order by value_date
                rows between 1 following and 28 following
            )

        )

        select
            cast(count(*) as bigint) as outlooks,
            cast(count(*) filter (
                where came between ln(value_low) and ln(value_high)
            ) as bigint) as held
        from days
        where is_listed and observed >= {int(least)}
            and value_date <= cast(:last as date)
        """,
        {
            "first": reader.published.as_of_date - timedelta(days=OUTLOOKS_DAYS + 28),
            "last": reader.published.as_of_date - timedelta(days=28),
        },
    ).first()
    assert found is not None
    return found


def flagged(reader: Reader) -> dict[str, Any]:
    """How many listeners and plays the flags leave out."""
    found = reader.query(
        """
        select
            (select cast(count(*) as bigint) from marts.dim_listeners) as listeners,
            (
                select cast(count(distinct listener_id) as bigint)
                from marts.listener_flags
            ) as flagged_listeners,
            cast(count(*) as bigint) as plays,
            cast(count(*) filter (where is_flagged) as bigint) as flagged_plays
        from marts.fct_scrobbles
        """
    ).first()
    assert found is not None
    return found


def anomalies(reader: Reader) -> Result:
    """How many anomalies of each kind there are, and of how many artists."""
    return reader.query(
        """
        select
            kind,
            cast(count(*) as bigint) as anomalies,
            cast(count(distinct artist_id) as bigint) as artists
        from marts.artist_anomalies
        group by kind
        order by anomalies desc, kind
        """
    )


def without_largest_listener(reader: Reader) -> Result:
    """One row per week: the number one without its largest listener.

    Of the last 15 whole weeks: `listeners` of the number one, its largest listener's
    `share`, and `place`, where the rest of its plays would stand.
    """
    as_of = reader.published.as_of_date
    last = as_of - timedelta(days=as_of.weekday() + 1)
    most = int(variables()["counted_scrobbles"]["week"])
    return reader.query(
        f"""
        with

        counted as (

            select
                cast(date_trunc('week', scrobbled_date) as date) as week,
                artist_id,
                listener_id,
                least(count(*), {most}) as plays
            from marts.fct_scrobbles
            where not is_flagged
                and scrobbled_date between cast(:first as date) and cast(:last as date)
            group by 1, 2, 3

        ),

        sums as (

            select
                week,
                artist_id,
                sum(plays) as plays,
                max(plays) as largest,
                count(*) as listeners
            from counted
            group by week, artist_id

        ),

        firsts as (

            select
                week, artist_id, plays, largest, listeners,
                row_number() over (
                    partition by week order by plays desc, listeners desc, artist_id
                ) as place
            from sums

        )

        select
            firsts.week,
            cast(firsts.listeners as bigint) as listeners,
            cast(firsts.largest as double precision) / firsts.plays as share,
            cast(1 + count(sums.artist_id) as bigint) as place
        from firsts
        left join sums
            on sums.week = firsts.week
            and sums.artist_id <> firsts.artist_id
            and sums.plays > firsts.plays - firsts.largest
        where firsts.place = 1 and firsts.listeners >= {LEAST_LISTENERS}
        group by firsts.week, firsts.listeners, firsts.largest, firsts.plays
        order by firsts.week
        """,
        {"first": last - timedelta(days=7 * WEEKS - 1), "last": last},
    )
