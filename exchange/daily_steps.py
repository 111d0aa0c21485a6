"""The exchange in the daily run: close, settle, open.

`close` is called when the fetch begins, `settle` on the sealed candidate, `open` after
it was published. When the run fails in between (`failed`) the market takes orders only;
when it dies the next run opens it (`mend`, where the day is published already).
"""

import contextlib
import secrets
from datetime import date, datetime, timedelta
from urllib.parse import urlsplit

from sqlalchemy.exc import IntegrityError

from exchange import audit, cast, inputs, market, recovery, settlement
from exchange.clock import Clock, utc_now
from exchange.database import Database, sqlite_url
from exchange.errors import Refusal
from exchange.settings import ExchangeSettings, load_exchange_settings
from exchange.settlement import SettlementInputs
from exchange.value_formula import LISTING_FLOOR_PLAYS
from warehouse.errors import SettleFailed
from warehouse.plurals import plural
from warehouse.run import Run, StepResult
from warehouse.settings import Settings

_CAST_DAYS = 14
"""How much of the past a market with a cast begins with, at most."""
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def open_database(settings: Settings) -> Database:
    """The exchange of this installation, with its tables as this program needs them.

    PostgreSQL with the warehouse, SQLite in the data folder without one.

    Raises:
        Damaged: the file is missing, empty or no exchange, though days were settled.
    """
    if settings.warehouse_url is None:
        recovery.require_known(settings)
    return found_database(settings)


def found_database(settings: Settings) -> Database:
    """The same, made anew where there is none."""
    if settings.warehouse_url is not None:
        database = Database(settings.warehouse_url)
    else:
        database = Database(sqlite_url(settings.data_dir))
    database.upgrade()
    # Of two programs that start at once, the other may have written the rows first.
    with contextlib.suppress(IntegrityError):
        database.run(
            lambda connection: market.prepare(
                connection, utc_now, secrets.token_hex(32)
            )
        )
    return database


def close(run: Run) -> StepResult:
    """Close the market before the first call to last.fm."""
    database = open_database(run.settings)
    try:
        market.close_market(
            database, utc_now, load_exchange_settings(), fence=run.lease.fence
        )
    except Refusal as refusal:
        raise SettleFailed(str(refusal)) from refusal
    finally:
        database.dispose()
    return StepResult("the market is closed until the new prices are published", {})


def settle(run: Run, clock: Clock = utc_now) -> StepResult:
    """Settle every day due up to the run's, in order, each in one transaction."""
    database = open_database(run.settings)
    try:
        return settle_due(run, database, clock, load_exchange_settings())
    finally:
        database.dispose()


def settle_due(
    run: Run, database: Database, clock: Clock, rules: ExchangeSettings
) -> StepResult:
    """Settle what is due; a market that never had prices begins with the run's day.

    With a cast of simulated players it begins as early as its world had prices, so that
    there are boards, trades and an economy to look at.
    """
    fence = run.lease.fence
    done = []
    with database.read() as connection:
        state = market.read_state(connection)
    if state.state == "halted":
        return StepResult(
            f"nothing settled: the market is halted ({state.reason})", {"halted": True}
        )
    priced_at = state.closed_at or clock()
    players = cast_players(run.settings, rules)
    due = days_due(state.last_settled_date, run.as_of_date)
    if players and state.last_settled_date is None:
        due = inputs.priced_days(run.target, run.as_of_date, _CAST_DAYS) or due
    for day in due:
        if players:
            play_cast(database, clock, rules, day, players)
        given = inputs.load(
            run.target,
            day,
            run.version,
            priced_at if day == run.as_of_date else end_of(day),
            floor_plays=listing_floor(run.settings, rules),
        )
        done.append(settle_one(database, clock, rules, given, fence))
    if not done:
        return StepResult(f"{run.as_of_date} was settled before", {"days": 0})
    last = done[-1]
    return StepResult(
        f"{plural(len(done), 'day')} settled, {plural(last.players, 'player')},"
        f" {plural(sum(one.orders_filled for one in done), 'order')} filled",
        {
            "days": len(done),
            "rolled": sum(one.outcome == "rolled" for one in done),
            "players": last.players,
            "orders_filled": sum(one.orders_filled for one in done),
            "dividends_units": sum(one.dividends_units for one in done),
        },
    )


def play_cast(
    database: Database,
    clock: Clock,
    rules: ExchangeSettings,
    day: date,
    size: int,
) -> None:
    """Let the cast queue its orders for the close of a day."""
    moment = min(clock(), end_of(day))
    database.run(
        lambda connection: cast.play(connection, lambda: moment, rules, day, size)
    )


def settle_one(
    database: Database,
    clock: Clock,
    rules: ExchangeSettings,
    given: SettlementInputs,
    fence: int,
) -> settlement.Settled:
    """Settle one day; books that do not add up halt the market for a person."""
    try:
        return database.run(
            lambda connection: settlement.settle(
                connection, clock, rules, given, fence=fence
            )
        )
    except Refusal as refusal:
        if refusal.code == "violated":
            audit.halt(database, clock, "settlement", refusal.facts["violations"])
        raise SettleFailed(
            f"the exchange did not settle {given.settled_date}: {refusal.detail}"
        ) from refusal


def open_market(run: Run) -> StepResult:
    """Open the market on the version just published."""
    database = open_database(run.settings)
    try:
        opened = market.open_market(
            database, utc_now, fence=run.lease.fence, version=run.version
        )
    except Refusal as refusal:
        raise SettleFailed(str(refusal)) from refusal
    finally:
        database.dispose()
    if opened:
        return StepResult("the market is open", {})
    return StepResult(
        "the market stays shut; `scrobble market status` says why", {"halted": True}
    )


def failed(run: Run) -> StepResult:
    """A run that failed, or died, leaves the market to orders, on the prices there are.

    A run that was cut off between settling and publishing has made the day's already.
    """
    database = open_database(run.settings)
    try:
        if not market.leave_to_orders(database, utc_now, fence=run.lease.fence):
            return StepResult("", {})
        with database.read() as connection:
            day = market.read_state(connection).last_settled_date
    finally:
        database.dispose()
    return StepResult(
        f"the market takes orders only, on the prices of {day}; the next run opens it,"
        " or `scrobble market reopen --reason TEXT`",
        {},
    )


def mend(run: Run) -> StepResult:
    """Open a market that a run closed and could not open after it had published."""
    database = open_database(run.settings)
    try:
        with database.read() as connection:
            state = market.read_state(connection)
        settled = state.last_settled_date
        if (
            not market.was_left_by_a_run(state)
            or settled is None
            or settled < run.as_of_date
        ):
            return StepResult("", {})
        market.open_market(
            database, utc_now, fence=run.lease.fence, version=run.version
        )
    finally:
        database.dispose()
    return StepResult("the market was left closed by a run that died; it is open", {})


def days_due(last: date | None, until: date) -> list[date]:
    """The days still to be settled, in order."""
    if last is None:
        return [until]
    return [last + timedelta(days=n) for n in range(1, (until - last).days + 1)]


def end_of(day: date) -> datetime:
    """Midnight after a day: what prices of a missed day are of."""
    return datetime.combine(day + timedelta(days=1), datetime.min.time())


def listing_floor(settings: Settings, rules: ExchangeSettings) -> int:
    """Plays a day an artist needs; invented worlds on this machine have no floor."""
    if rules.listing_floor_plays is not None:
        return rules.listing_floor_plays
    if settings.lastfm_url is not None:
        host = urlsplit(settings.lastfm_url).hostname
        return 0 if host in _LOOPBACK else LISTING_FLOOR_PLAYS
    return LISTING_FLOOR_PLAYS if settings.lastfm_api_key is not None else 0


def cast_players(settings: Settings, rules: ExchangeSettings) -> int:
    """Simulated players; unless set, only where last.fm is the run's own invention."""
    if rules.cast_players is not None:
        return rules.cast_players
    is_invented = settings.lastfm_api_key is None and settings.lastfm_url is None
    return cast.PLAYERS if is_invented else 0
