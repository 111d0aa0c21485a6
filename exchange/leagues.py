"""Leagues in cohorts, the turn of the season, and leagues among friends."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, Select, delete, func, insert, select, update

from exchange import schema
from exchange.clock import Clock, new_id
from exchange.errors import Refusal
from exchange.player_request import PlayerRequest
from exchange.settings import LEAGUES, ExchangeSettings

#: Leagues among friends that one player may have founded, and be in.
MOST_FOUNDED = 10
MOST_JOINED = 50
#: How the account of a simulated player begins; no account of the service does.
SIMULATED = "simulated:"
_player = schema.players.c
_CODE = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def cohort_for_newcomer(connection: Connection, settings: ExchangeSettings) -> int:
    """The smallest bronze cohort with room, or a new one."""
    rows = connection.execute(
        select(_player.cohort, func.count().label("players"))
        .where(_player.league_tier == 0, _player.left_at.is_(None))
        .group_by(_player.cohort)
        .order_by(_player.cohort)
    ).all()
    with_room = [row for row in rows if row.players < settings.cohort_players]
    if with_room:
        return int(min(with_room, key=lambda row: (row.players, row.cohort)).cohort)
    return max((int(row.cohort) for row in rows), default=0) + 1


def is_last_day(
    settings: ExchangeSettings, key: bytes, season: int, start: date, day: date
) -> bool:
    """Whether the season ends with this day's close.

    A season of 28 days ends at a moment drawn inside its final 24 hours. Worth is
    measured at the closes, so the draw decides whether the 27th or the 28th close was
    the last before it. Nobody without the exchange's key can foresee it; a second run
    draws the same.
    """
    number = (day - start).days + 1
    if number >= settings.season_days:
        return True
    drawn = hmac.new(key, f"season {season}".encode(), hashlib.sha256).digest()[0]
    return number == settings.season_days - 1 and drawn < 128


@dataclass(frozen=True)
class Standing:
    """A player at the end of a season; the return is over the season, in ppm."""

    player_id: str
    tier: int
    cohort: int
    return_ppm: int


@dataclass(frozen=True)
class Result:
    player_id: str
    tier: int
    cohort: int
    rank: int
    return_ppm: int
    movement: str
    next_tier: int


def judge(settings: ExchangeSettings, standings: list[Standing]) -> list[Result]:
    """Rank each cohort by return; the best go up, the worst go down. Pure."""
    cohorts: dict[tuple[int, int], list[Standing]] = {}
    for standing in standings:
        cohorts.setdefault((standing.tier, standing.cohort), []).append(standing)
    results = []
    for (tier, cohort), members in sorted(cohorts.items()):
        members.sort(key=lambda s: (-s.return_ppm, s.player_id))
        moving = len(members) * settings.promotion_pct // 100
        rank = 0
        for place, member in enumerate(members, start=1):
            if place == 1 or member.return_ppm != members[place - 2].return_ppm:
                rank = place
            movement, next_tier = "stays", tier
            if place <= moving and tier < len(LEAGUES) - 1:
                movement, next_tier = "promoted", tier + 1
            elif place > len(members) - moving and tier > 0:
                movement, next_tier = "relegated", tier - 1
            results.append(
                Result(
                    member.player_id,
                    tier,
                    cohort,
                    rank,
                    member.return_ppm,
                    movement,
                    next_tier,
                )
            )
    return results


def deal_cohorts(
    settings: ExchangeSettings, key: bytes, season: int, tiers: dict[str, int]
) -> dict[str, tuple[int, int]]:
    """Shuffle each league into cohorts of nearly equal size. Pure."""
    dealt = {}
    for tier in range(len(LEAGUES)):
        members = [player for player, own in tiers.items() if own == tier]
        members.sort(
            key=lambda player: hmac.new(
                key, f"{season} {player}".encode(), hashlib.sha256
            ).digest()
        )
        cohorts = max(1, round(len(members) / settings.cohort_players))
        for place, player in enumerate(members):
            dealt[player] = (tier, place % cohorts + 1)
    return dealt


def turn_season(
    connection: Connection,
    settings: ExchangeSettings,
    key: bytes,
    season: int,
    day: date,
    standings: list[Standing],
) -> list[Result]:
    """End a season: results, promotions, new cohorts, the next season's row."""
    results = judge(settings, standings)
    if results:
        connection.execute(
            insert(schema.season_results),
            [
                {
                    "season": season,
                    "player_id": result.player_id,
                    "league_tier": result.tier,
                    "cohort": result.cohort,
                    "rank": result.rank,
                    "return_ppm": result.return_ppm,
                    "movement": result.movement,
                }
                for result in results
            ],
        )
        dealt = deal_cohorts(
            settings, key, season + 1, {r.player_id: r.next_tier for r in results}
        )
        for player_id, (tier, cohort) in dealt.items():
            connection.execute(
                update(schema.players)
                .where(_player.player_id == player_id)
                .values(league_tier=tier, cohort=cohort)
            )
    connection.execute(
        update(schema.seasons)
        .where(schema.seasons.c.season == season)
        .values(end_date=day)
    )
    connection.execute(
        insert(schema.seasons).values(
            season=season + 1, start_date=day + timedelta(days=1)
        )
    )
    return results


def found_friends_league(
    request: PlayerRequest, clock: Clock, name: str
) -> dict[str, Any]:
    """A league of one's own, joined by its code."""
    cleaned = " ".join(name.split())
    if not 1 <= len(cleaned) <= 60 or not cleaned.isprintable():
        raise Refusal("invalid_request", "a league's name has 1 to 60 characters")
    league, player_id = schema.friend_leagues.c, request.player.player_id
    _check_quota(
        request,
        select(func.count()).where(league.owner_id == player_id),
        MOST_FOUNDED,
        "founded",
    )
    now = clock()
    league_id = new_id(now)
    code = "".join(secrets.choice(_CODE) for _ in range(10))
    request.connection.execute(
        insert(schema.friend_leagues).values(
            league_id=league_id,
            league_name=cleaned,
            code=code,
            owner_id=request.player.player_id,
            created_at=now,
        )
    )
    _add_member(request, clock, league_id)
    return {"league_id": league_id, "league_name": cleaned, "code": code}


def join_friends_league(
    request: PlayerRequest, clock: Clock, code: str
) -> dict[str, Any]:
    """Join by code; joining twice changes nothing."""
    league = request.connection.execute(
        select(schema.friend_leagues).where(
            schema.friend_leagues.c.code == code.strip().upper()
        )
    ).first()
    if league is None:
        raise Refusal("unknown_league", "There is no league with this code.")
    members = schema.friend_league_members
    if not request.connection.execute(
        select(members.c.player_id).where(
            members.c.league_id == league.league_id,
            members.c.player_id == request.player.player_id,
        )
    ).first():
        _check_quota(
            request,
            select(func.count()).where(members.c.player_id == request.player.player_id),
            MOST_JOINED,
            "joined",
        )
        _add_member(request, clock, league.league_id)
    return {"league_id": league.league_id, "league_name": league.league_name}


def leave_friends_league(request: PlayerRequest, league_id: str) -> dict[str, Any]:
    """Leave a league; when its founder leaves, it ends."""
    members = schema.friend_league_members
    league = request.connection.execute(
        select(schema.friend_leagues)
        .join(members, members.c.league_id == schema.friend_leagues.c.league_id)
        .where(
            schema.friend_leagues.c.league_id == league_id,
            members.c.player_id == request.player.player_id,
        )
    ).first()
    if league is None:
        raise Refusal("unknown_league", "You are in no such league.")
    mine = members.c.league_id == league_id
    if league.owner_id == request.player.player_id:
        request.connection.execute(delete(members).where(mine))
        request.connection.execute(
            delete(schema.friend_leagues).where(
                schema.friend_leagues.c.league_id == league_id
            )
        )
        return {"league_id": league_id, "state": "ended"}
    request.connection.execute(
        delete(members).where(mine, members.c.player_id == request.player.player_id)
    )
    return {"league_id": league_id, "state": "left"}


def _check_quota(
    request: PlayerRequest, count: Select[Any], most: int, done: str
) -> None:
    """Refuse one more league than a player may have founded, or be in."""
    if request.connection.execute(count).scalar_one() >= most:
        raise Refusal(
            "limit_reached",
            f"You have {done} {most} leagues, which is as many as one may; leave one"
            " first.",
            limit="leagues",
        )


def _add_member(request: PlayerRequest, clock: Clock, league_id: str) -> None:
    request.connection.execute(
        insert(schema.friend_league_members).values(
            league_id=league_id, player_id=request.player.player_id, joined_at=clock()
        )
    )


def is_simulated(account_id: str | None) -> bool:
    """Whether a player of this account is one of the cast."""
    return account_id is not None and account_id.startswith(SIMULATED)


def count_simulated(connection: Connection) -> int:
    """How many players are of the cast."""
    return connection.execute(
        select(func.count()).where(
            _player.account_id.startswith(SIMULATED, autoescape=True)
        )
    ).scalar_one()


def simulated_code(connection: Connection) -> str | None:
    """The code of the league of simulated players, which everybody may join."""
    league, owner = schema.friend_leagues.c, schema.players.c
    code: str | None = connection.execute(
        select(league.code)
        .join(schema.players, owner.player_id == league.owner_id)
        .where(owner.account_id.startswith(SIMULATED, autoescape=True))
        .order_by(league.league_id)
    ).scalar()
    return code
