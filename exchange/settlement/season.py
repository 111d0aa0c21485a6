"""The season at the close: which one runs, and its end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, insert, select, update

from exchange import boards, leagues, market, schema
from exchange.settlement.contract import Account, Close

_player = schema.players.c


@dataclass(frozen=True)
class Season:
    """The season a day belongs to."""

    number: int
    start_date: date


def find_season(connection: Connection, day: date) -> Season:
    """The season that runs; the first begins with the first day settled."""
    row = connection.execute(
        select(schema.seasons).where(schema.seasons.c.end_date.is_(None))
    ).first()
    if row is not None:
        return Season(row.season, row.start_date)
    connection.execute(insert(schema.seasons).values(season=1, start_date=day))
    return Season(1, day)


def end_season(
    connection: Connection, close: Close, season: Season, accounts: Sequence[Account]
) -> Mapping[str, leagues.Result]:
    """On the season's last day: results by player, promotions, new cohorts.

    Nothing on other days.
    """
    key = market.quote_key(connection)
    if not leagues.is_last_day(
        close.settings, key, season.number, season.start_date, close.day
    ):
        return {}
    standings = [
        leagues.Standing(
            account.day.player_id,
            account.day.league_tier,
            account.day.cohort,
            boards.return_ppm(account.day.wealth_index, account.season_index),
        )
        for account in accounts
    ]
    results = leagues.turn_season(
        connection, close.settings, key, season.number, close.day, standings
    )
    connection.execute(update(schema.players).values(season_index=_player.wealth_index))
    return {result.player_id: result for result in results}
