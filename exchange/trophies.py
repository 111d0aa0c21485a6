"""Trophies: what players are remembered for, by rules, at the close of a day."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, insert, select

from exchange import schema
from exchange.settings import UNITS_PER_CREDIT

RULES = {
    "first_trade": "Traded for the first time",
    "net_worth_25": "Net worth of 25,000",
    "net_worth_50": "Net worth of 50,000",
    "net_worth_100": "Net worth of 100,000",
    "ten_artists": "Held ten artists at once",
    "ten_of_one_tag": "Held ten artists of one tag at once",
    "before_number_one": "Held a chart number 1 before it was one",
    "first_dividend": "Got a dividend",
    "faithful": "Held an artist for 90 days",
    "at_the_open": "Had an order for the open filled",
    "season_won": "Won a cohort's season",
    "promoted": "Went up a league",
}
_FAITHFUL_DAYS = 90
_WORTHS = {
    "net_worth_25": 25_000 * UNITS_PER_CREDIT,
    "net_worth_50": 50_000 * UNITS_PER_CREDIT,
    "net_worth_100": 100_000 * UNITS_PER_CREDIT,
}


@dataclass(frozen=True)
class Held:
    """One holding at the close."""

    artist_id: str
    top_tag: str | None
    shares_before: int
    days: int


@dataclass(frozen=True)
class Evidence:
    """What the rules look at, for one player and close."""

    player_id: str
    life: int
    worth_units: int
    has_traded: bool
    has_filled_order: bool
    dividends_units: int
    holdings: tuple[Held, ...]
    season_rank: int | None = None
    was_promoted: bool = False


def earned(
    evidence: Evidence, new_number_ones: frozenset[str]
) -> dict[str, str | None]:
    """The trophies the evidence earns, with the artist where there is one. Pure."""
    won: dict[str, str | None] = {}
    if evidence.has_traded:
        won["first_trade"] = None
    for trophy, worth in _WORTHS.items():
        if evidence.worth_units >= worth:
            won[trophy] = None
    if len(evidence.holdings) >= 10:
        won["ten_artists"] = None
    tags = Counter(held.top_tag for held in evidence.holdings if held.top_tag)
    if tags and max(tags.values()) >= 10:
        won["ten_of_one_tag"] = None
    for held in evidence.holdings:
        if held.artist_id in new_number_ones and held.shares_before > 0:
            won.setdefault("before_number_one", held.artist_id)
        if held.days >= _FAITHFUL_DAYS:
            won.setdefault("faithful", held.artist_id)
    if evidence.dividends_units > 0:
        won["first_dividend"] = None
    if evidence.has_filled_order:
        won["at_the_open"] = None
    if evidence.season_rank == 1:
        won["season_won"] = None
    if evidence.was_promoted:
        won["promoted"] = None
    return won


def award(
    connection: Connection,
    day: date,
    evidence: list[Evidence],
    new_number_ones: frozenset[str],
) -> int:
    """Give out what is new; a trophy is won once in a life. Tells how many."""
    had: dict[tuple[str, int], set[str]] = defaultdict(set)
    for row in connection.execute(select(schema.trophies)):
        had[row.player_id, row.life].add(row.trophy)
    fresh = [
        {
            "player_id": one.player_id,
            "life": one.life,
            "trophy": trophy,
            "won_date": day,
            "artist_id": artist_id,
        }
        for one in evidence
        for trophy, artist_id in earned(one, new_number_ones).items()
        if trophy not in had[one.player_id, one.life]
    ]
    if fresh:
        connection.execute(insert(schema.trophies), fresh)
    return len(fresh)
