"""``scrobble lastfm artist|correction|search|user NAME``: last.fm, asked at once.

Owns the words of the command. What is asked is :mod:`ingest.lastfm.ask`'s.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import click

from ingest.lastfm.ask import Lastfm, asking
from warehouse import command_help
from warehouse.errors import SettingsError
from warehouse.settings import settings_options, take_settings

QUESTIONS: dict[str, Callable[[Lastfm, str], Any]] = {
    "artist": Lastfm.artist,
    "correction": Lastfm.correction,
    "search": Lastfm.search,
    "user": Lastfm.user,
}


@click.command("lastfm", cls=command_help.Command)
@click.argument("question", type=click.Choice(list(QUESTIONS)))
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="print JSON")
@settings_options
def command(question: str, name: str, as_json: bool, **options: Any) -> None:
    """Ask last.fm about an artist, a correction, a search or a user, at once.

    Nothing is stored and no database is needed. Without LASTFM_API_KEY the local
    last.fm answers from its invented world.
    """
    settings = take_settings(options)
    if not name.strip():
        raise SettingsError("NAME is empty: name an artist or a listener")
    with asking(settings, lambda line: click.echo(line, err=True)) as lastfm:
        found = QUESTIONS[question](lastfm, name.strip())
    rows = [asdict(one) for one in (found if isinstance(found, tuple) else (found,))]
    if as_json:
        shown: Any = rows if isinstance(found, tuple) else rows[0]
        click.echo(json.dumps(shown, ensure_ascii=False, default=str, indent=2))
        return
    if not rows:
        click.echo(f"last.fm finds no artist like {name!r}")
    for row in rows:
        for title, value in row.items():
            click.echo(f"{title.replace('_', ' ') + ':':<15}{_said(value)}")
        if len(rows) > 1:
            click.echo()


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, tuple):
        return ", ".join(value) or "-"
    return "-" if value is None else str(value)
