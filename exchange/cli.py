"""The exchange's command: `scrobble market …`."""

import getpass
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click
from sqlalchemy import func, select

from exchange import audit, daily_steps, ledger, recovery, schema
from exchange import market as market_
from exchange.clock import iso, utc_now
from exchange.database import Database
from exchange.errors import Refusal
from exchange.settings import (
    UNITS_PER_CREDIT,
    load_exchange_settings,
)
from warehouse import command_help
from warehouse.aside import move_aside
from warehouse.plurals import plural
from warehouse.settings import (
    settings_options,
    take_settings,
)

Command = TypeVar("Command", bound=Callable[..., Any])


@contextmanager
def _opened(options: dict[str, Any]) -> Iterator[Database]:
    database = daily_steps.open_database(take_settings(options))
    try:
        yield database
    except Refusal as refusal:
        raise click.ClickException(refusal.detail) from refusal
    finally:
        database.dispose()


@click.group(cls=command_help.Group)
def market() -> None:
    """The exchange's market: status, found, close, halt, verify, reopen."""


@market.command()
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
@settings_options
def status(as_json: bool, **options: Any) -> None:
    """Say whether the market is open, and why not."""
    with _opened(options) as database, database.read() as connection:
        state = market_.read_state(connection)
        listed = schema.listings.c
        facts = {
            "state": market_.shown_state(state),
            "reason": state.reason,
            "version": state.version,
            "last_settled_date": state.last_settled_date
            and state.last_settled_date.isoformat(),
            "closed_at": iso(state.closed_at),
            "stale_since": iso(state.stale_since),
            "opened_at": iso(state.opened_at),
            "expected_open_at": iso(state.expected_open_at),
            "fence": state.fence,
            "players": connection.execute(
                select(func.count()).where(schema.players.c.left_at.is_(None))
            ).scalar_one(),
            "listed_artists": connection.execute(
                select(func.count()).where(listed.is_listed)
            ).scalar_one(),
            "halted_artists": connection.execute(
                select(func.count()).where(
                    listed.is_listed, listed.is_halted | listed.is_suspended
                )
            ).scalar_one(),
            "queued_orders": connection.execute(
                select(func.count()).where(schema.orders.c.state == "queued")
            ).scalar_one(),
            "money_supply": ledger.balances(connection)["cash_units"]
            / UNITS_PER_CREDIT,
        }
    if as_json:
        click.echo(json.dumps(facts))
        return
    for name, value in facts.items():
        click.echo(f"{name:<18} {'-' if value is None else value}")


@market.command()
@click.option("--reason", required=True, help="kept in the market's journal")
@settings_options
def found(reason: str, **options: Any) -> None:
    """Begin a new exchange where the old one is lost and has no backup."""
    settings = take_settings(options)
    if settings.warehouse_url is not None or recovery.has_market(settings):
        raise click.ClickException(
            "there is an exchange; a new one is only begun where its file is lost"
        )
    for end in ("", "-wal", "-shm"):
        path = settings.data_dir / f"exchange.sqlite{end}"
        if path.exists():
            click.echo(f"{path.name} is kept as {move_aside(settings.data_dir, path)}")
    session = recovery.last_session(settings) + 1
    database = daily_steps.found_database(settings)
    try:
        database.run(
            lambda connection: market_.begin_again(
                connection, utc_now, getpass.getuser(), reason, session
            )
        )
    finally:
        database.dispose()
    click.echo("a new exchange is founded; the next run gives it prices")


@market.command()
@click.option("--reason", default="closed by hand", show_default=True)
@settings_options
def close(reason: str, **options: Any) -> None:
    """Close the market; trades in flight are waited for."""
    with _opened(options) as database:
        market_.close_market(database, utc_now, load_exchange_settings(), reason=reason)
    click.echo("the market is closed")


@market.command()
@click.option("--reason", required=True, help="kept in the market's journal")
@click.option("--unverified", is_flag=True, help="open although the books are wrong")
@settings_options
def reopen(reason: str, unverified: bool, **options: Any) -> None:
    """Open a closed or halted market, after the books were verified."""
    with _opened(options) as database:
        with database.read() as connection:
            problems = ledger.violations(connection) + ledger.verify_chain(connection)
        if problems and not unverified:
            raise click.ClickException(
                "the books do not add up:\n  "
                + "\n  ".join(problems)
                + "\nmend them, or open with --unverified"
            )
        database.run(
            lambda connection: market_.reopen(
                connection, utc_now, getpass.getuser(), reason
            )
        )
    click.echo("the market is open")


@market.command()
@click.option("--reason", required=True, help="shown to players")
@click.option("--artist", "artist_id", help="halt one artist only")
@click.option("--lift", is_flag=True, help="with --artist: trade it again")
@settings_options
def halt(reason: str, artist_id: str | None, lift: bool, **options: Any) -> None:
    """Halt the market, or one artist, until a person lifts it."""
    actor = getpass.getuser()
    with _opened(options) as database:
        if artist_id is not None:
            database.run(
                lambda connection: market_.suspend_artist(
                    connection, utc_now, actor, artist_id, "" if lift else reason
                )
            )
            click.echo(f"{artist_id} is {'traded again' if lift else 'halted'}")
            return
        database.run(
            lambda connection: market_.halt(connection, utc_now, actor, reason)
        )
    click.echo("the market is halted; `scrobble market reopen` lifts it")


@market.command()
@settings_options
def verify(**options: Any) -> None:
    """Check the books and the hash chain; exit code 1 when they do not hold.

    Books that do not add up halt the market.
    """
    with _opened(options) as database:
        with database.read() as connection:
            broken = ledger.violations(connection)
            changed = ledger.verify_chain(connection)
            links = connection.execute(
                select(func.count()).select_from(schema.checkpoints)
            ).scalar_one()
        if broken or changed:
            audit.halt(database, utc_now, "verify", broken + changed)
    for line in broken + changed:
        click.echo(line)
    if broken or changed:
        click.echo("the market is halted")
        click.get_current_context().exit(1)
    click.echo(
        f"the books add up; {plural(links, 'checkpoint holds', 'checkpoints hold')}"
    )
