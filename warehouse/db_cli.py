"""``scrobble db``: make a PostgreSQL database ready, and say whether it still is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError

from warehouse import command_help, ops
from warehouse.errors import WarehouseError
from warehouse.roles import Change, bring_about, parse_login
from warehouse.settings import (
    admin_option,
    admin_url_of,
    settings_options,
    take_settings,
)


@click.group(cls=command_help.Group)
def db() -> None:
    """Schemas, roles and rights in PostgreSQL."""


@db.command()
@admin_option
@click.option(
    "--login",
    "logins",
    multiple=True,
    metavar="NAME=DUTY[,DUTY]",
    help="create a login user, e.g. daily=ingest,transform,job or web=serve",
)
@settings_options
def init(admin_url: str | None, logins: tuple[str, ...], **options: Any) -> None:
    """Create schemas, roles by duty and their rights; harmless to repeat.

    Everything happens in one transaction. Run it again after a new login or when
    `scrobble db check` says that something is missing.
    """
    asked = [parse_login(value) for value in logins]
    with _admin_transaction(admin_url, options) as connection:
        changes = bring_about(connection, asked)
    _say(changes)
    if not changes:
        click.echo("nothing to change")


@db.command()
@admin_option
@settings_options
def check(admin_url: str | None, **options: Any) -> None:
    """Say what `init` would change; exit code 1 if anything."""
    with _admin_transaction(admin_url, options) as connection:
        changes = bring_about(connection)
        connection.rollback()
    _say(changes)
    if changes:
        raise WarehouseError(
            f"{len(changes)} things are not as they should be; run `scrobble db init`"
        )
    click.echo("schemas, roles and rights are as they should be")


def _say(changes: list[Change]) -> None:
    for change in changes:
        click.echo(change.text)
        if change.secret:
            click.echo(f"  its password, shown this once: {change.secret}")


@contextmanager
def _admin_transaction(
    admin_url: str | None, options: dict[str, Any]
) -> Iterator[Connection]:
    engine = create_engine(admin_url_of(take_settings(options), admin_url))
    try:
        with engine.connect() as connection:
            # Tables change hands here; better to fail than to make readers queue.
            connection.exec_driver_sql("set local lock_timeout = '5s'")
            yield connection
            connection.commit()
    except DBAPIError as error:
        if ops.is_database_lost(error):
            raise ops.database_lost(error, engine) from error
        reason = str(error.orig).splitlines()[0]
        raise WarehouseError(
            f"{engine.url.render_as_string()}: {reason} (nothing was changed)"
        ) from error
    finally:
        engine.dispose()
