"""`scrobble forget`: the operator deletes a listener, with or without an account."""

from __future__ import annotations

from typing import Any

import click
from sqlalchemy import Engine

from serve.accounts import forget_answers, store
from serve.accounts.database import utcnow, writing
from serve.app import create_app
from serve.context import Services
from serve.settings import load_serve_settings
from warehouse import command_help, daily, ops
from warehouse.forgetting import ask
from warehouse.names import name_key
from warehouse.settings import settings_options, take_settings
from warehouse.store import published_version


@click.command(cls=command_help.Command)
@click.argument("listener")
@settings_options
def command(listener: str, **options: Any) -> None:
    """Delete all that is kept of LISTENER, as if they had deleted their account.

    The account goes at once; what last.fm answered goes with a version that is
    published now, without a fetch. The next fetches leave the listener out, whatever
    setting names them.
    """
    settings = take_settings(options)
    app = create_app(load_serve_settings(settings))
    shared: Services = app.extensions["serve"]
    try:
        with app.app_context():
            _ask(shared, name_key(listener))
            forget_answers()
    finally:
        shared.store.close()
        shared.accounts.dispose()
    engine = ops.open_ops(settings)
    try:
        with engine.begin() as connection:
            current = published_version(connection)
    finally:
        engine.dispose()
    if current is None:
        click.echo("asked; nothing is published yet, so the next daily run deletes it")
        return
    daily.daily(
        settings,
        as_of=current.as_of_date,
        command="forget",
        steps=tuple(step for step in daily.STEPS if step != "fetch"),
        force=True,
    )


def _ask(shared: Services, listener_id: str) -> None:
    account = store.of_listener(shared.accounts, listener_id)
    if account is not None:
        store.delete_account(shared.accounts, account, shared.leaving)
        return
    engine: Engine = shared.accounts
    with writing(engine).begin() as connection:
        ask(connection, listener_id, utcnow())
