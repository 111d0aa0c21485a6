"""``scrobble dead-letters``: look at items that did not fit, replay or waive them.

Owns the words of these commands. A wish is noted at once; the run that follows carries
it out and publishes the result.
"""

import json
from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from ingest.load import dead_letters
from ingest.load.dead_letters import DeadLetter
from warehouse import command_help, ops, store
from warehouse.daily import STEPS
from warehouse.daily import daily as run_daily
from warehouse.duckdb_store import published_path
from warehouse.errors import SettingsError
from warehouse.run import Target
from warehouse.settings import Settings, settings_options, take_settings

_later = click.option(
    "--later", is_flag=True, help="leave the work to the next daily run"
)
_ids = click.argument("dead_letter_ids", metavar="[ID]...", nargs=-1)
_every = click.option("--all", "every", is_flag=True, help="every open dead letter")


@click.group("dead-letters", cls=command_help.Group)
def dead_letters_group() -> None:
    """Items that did not fit their row type: list, replay, waive."""


@dead_letters_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="machine-readable, with the item")
@click.option("--limit", default=50, type=click.IntRange(1), help="how many to show")
@settings_options
def list_command(as_json: bool, limit: int, **options: Any) -> None:
    """The open dead letters of the published version."""
    letters = _open(take_settings(options))
    if as_json:
        body = [letter.__dict__ for letter in letters[:limit]]
        click.echo(json.dumps(body, default=str, indent=2, ensure_ascii=False))
        return
    if not letters:
        click.echo("no open dead letters")
        return
    table = Table("id", "day", "method", "where", "error", "item")
    for letter in letters[:limit]:
        shown = letter.body[:200].decode("utf-8", "replace")
        table.add_row(
            letter.dead_letter_id[:8],
            str(letter.as_of_date),
            letter.method,
            letter.path or "the whole answer",
            letter.error,
            shown if len(shown) <= 60 else f"{shown[:59]}…",
        )
    Console(markup=False, highlight=False).print(table)
    click.echo(f"{len(letters)} open dead letters")


@dead_letters_group.command("replay")
@_ids
@_every
@_later
@settings_options
def replay_command(
    dead_letter_ids: tuple[str, ...], every: bool, later: bool, **options: Any
) -> None:
    """Parse dead letters again with today's recipes and publish what fits now."""
    settings = take_settings(options)
    _wish(settings, dead_letter_ids, every, "replayed", None, later)


@dead_letters_group.command("waive")
@_ids
@_every
@click.option("--reason", required=True, help="why nothing is lost; kept for good")
@_later
@settings_options
def waive_command(
    dead_letter_ids: tuple[str, ...],
    every: bool,
    reason: str,
    later: bool,
    **options: Any,
) -> None:
    """Say that dead letters are no loss, and why."""
    settings = take_settings(options)
    _wish(settings, dead_letter_ids, every, "waived", reason, later)


def _wish(
    settings: Settings,
    dead_letter_ids: Sequence[str],
    every: bool,
    decision: str,
    reason: str | None,
    later: bool,
) -> None:
    chosen = _choose(_open(settings), dead_letter_ids, every)
    engine = ops.open_ops(settings)
    try:
        ops.ensure_tables(engine, dead_letters.metadata)
        with engine.begin() as connection:
            dead_letters.wish(connection, chosen, decision, reason, ops.utcnow())
            current = store.published_version(connection)
    finally:
        engine.dispose()
    click.echo(f"noted: {len(chosen)} dead letters shall be {decision}")
    if later or current is None:
        click.echo("the next daily run carries it out")
        return
    run_daily(
        settings,
        as_of=current.as_of_date,
        command="dead-letters",
        steps=STEPS[1:],
        force=True,
    )


def _open(settings: Settings) -> list[DeadLetter]:
    if settings.warehouse_url is not None:
        target = Target(url=settings.warehouse_url)
    else:
        target = Target(duckdb_path=published_path(settings.data_dir))
    return dead_letters.open_dead_letters(target)


def _choose(
    letters: Sequence[DeadLetter], wanted: Sequence[str], every: bool
) -> list[str]:
    """The full ids; a beginning of an id is enough where it names only one.

    Raises:
        SettingsError: an id names no open dead letter, or several.
    """
    known = [letter.dead_letter_id for letter in letters]
    if every:
        return known
    if not wanted:
        raise SettingsError(
            "name dead letters by their ids (`scrobble dead-letters list` shows them)"
            " or say --all"
        )
    chosen = []
    for each in wanted:
        found = [identity for identity in known if identity.startswith(each)]
        if len(found) != 1:
            many = "no open dead letter" if not found else f"{len(found)} dead letters"
            raise SettingsError(f"{each!r} names {many}; see `dead-letters list`")
        chosen.append(found[0])
    return chosen
