"""``scrobble fit``: the constants of the artist value, from the published history.

Owns the reading of that history and the words of the command. What is chosen is landed
and loaded by the next run, which then makes every value anew.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import click

from exchange.value_fit import (
    Fit,
    Series,
    TooLittleHistory,
    constants_of,
    fit,
)
from exchange.value_formula import ValueFormula, value_formula
from warehouse import command_help, ops, store
from warehouse.errors import PublishFailed, SettingsError
from warehouse.hooks import FINDINGS
from warehouse.lease import Lease
from warehouse.published import query_published
from warehouse.settings import Settings, settings_options, take_settings

_ATTENTION = """
    select artist_id, value_date, log_attention
    from fct_artist_values
    where log_attention is not null
    order by artist_id, value_date
"""
_APPLY = "the next run makes every value anew with them; `scrobble publish` does it now"


@click.command(cls=command_help.Command)
@click.option("--defaults", is_flag=True, help="give the defaults back")
@click.option("--dry-run", is_flag=True, help="say what a fit finds; keep nothing")
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
@settings_options
def command(defaults: bool, dry_run: bool, as_json: bool, **options: Any) -> None:
    """Choose the constants of the artist value by the published history.

    The first 70 % of the days choose those with the least squared error of one day's
    forecast; the later days measure it. Nothing is kept that is no better there.
    """
    settings = take_settings(options)
    before = value_formula()
    if defaults:
        _land(settings, dict.fromkeys(constants_of(before)), {})
        click.echo(f"the defaults are noted: {_APPLY}")
        return
    first, panel = read_panel(settings)
    try:
        found = fit(panel, before)
    except TooLittleHistory as error:
        raise SettingsError(f"{error}; nothing is written") from error
    evidence = _evidence(found, first + timedelta(days=_length(panel) - found.days))
    constants = constants_of(found.formula)
    is_kept = found.is_better and not dry_run
    if is_kept:
        _land(settings, constants, evidence)
    if as_json:
        facts = {"constants": constants, **evidence, "is_kept": is_kept}
        click.echo(json.dumps(facts, default=str, indent=2))
        return
    for line in _lines(found, before, evidence):
        click.echo(line)
    if is_kept:
        click.echo(f"noted: {_APPLY}; `scrobble fit --defaults` goes back")
    elif dry_run:
        click.echo("nothing is written (--dry-run)")
    else:
        click.echo("no better than the defaults on these days: nothing is written")


def read_panel(settings: Settings) -> tuple[date, dict[str, Series]]:
    """The first day, and each artist's log attention of every day from it on."""
    _, rows = query_published(settings, _ATTENTION)
    if not rows:
        raise SettingsError(
            "no artist has a known flow yet, so there is nothing to fit; a fit needs"
            " snapshots of 60 days: run `make daily` on each of them"
        )
    first = min(row[1] for row in rows)
    days = (max(row[1] for row in rows) - first).days + 1
    panel: dict[str, list[float | None]] = {}
    for artist_id, value_date, log_attention in rows:
        series = panel.setdefault(artist_id, [None] * days)
        series[(value_date - first).days] = log_attention
    return first, dict(panel)


def _length(panel: Mapping[str, Series]) -> int:
    return max(len(series) for series in panel.values())


def _evidence(found: Fit, first: date) -> dict[str, Any]:
    """What is kept beside the constants; columns of `published__constants`."""
    return {
        "first_day": first,
        "split_day": first + timedelta(days=found.split - 1),
        "last_day": first + timedelta(days=found.days - 1),
        "artists": found.artists,
        "steps": found.error.steps,
        "error": found.error.step,
        "error_before": found.error_before.step,
        "outlook_error": found.error.outlook,
        "outlook_error_before": found.error_before.outlook,
    }


def _lines(
    found: Fit, before: ValueFormula, evidence: Mapping[str, Any]
) -> Sequence[str]:
    """The fit in words."""
    lines = [
        f"{found.artists} artists; chosen on {evidence['first_day']} to"
        f" {evidence['split_day']}, measured on the days to {evidence['last_day']}"
        f" ({found.error.steps:,} forecasts)"
    ]
    defaults = constants_of(before)
    lines += [
        f"  {name:<22} {value:8.4f}  (default {defaults[name]:.4f})"
        for name, value in constants_of(found.formula).items()
    ]
    rows = [("one day", found.error.step, found.error_before.step)]
    if found.error.outlook is not None and found.error_before.outlook is not None:
        rows.append(("28 days", found.error.outlook, found.error_before.outlook))
    return lines + [
        f"  error of {name:<13} {own:8.4f}  (default {default:.4f},"
        f" {own / default - 1:+.1%})"
        for name, own, default in rows
    ]


def _land(
    settings: Settings,
    constants: Mapping[str, float | None],
    evidence: Mapping[str, Any],
) -> None:
    """Land the constants for the next run; under the lease, as a run sweeps landing.

    Raises:
        Busy: a run is at work.
        PublishFailed: nothing is published that they could change.
    """
    land = FINDINGS.find("constants")
    if land is None:
        raise SettingsError(
            "no installed package lands constants; install the project: `make install`"
        )
    engine = ops.open_ops(settings)
    run_id = f"fit-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
    fitted_at = datetime.now(UTC).replace(tzinfo=None)
    rows = [
        {"constant": name, "value": value, "fitted_at": fitted_at, **evidence}
        for name, value in constants.items()
    ]
    try:
        with engine.begin() as connection:
            current = store.published_version(connection)
        if current is None:
            raise PublishFailed("nothing is published; run `make daily` first")
        alive = settings.data_dir / "alive"
        with Lease(engine, run_id, alive, settings.lease_seconds):
            landing_dir = settings.data_dir / "landing"
            land(engine, landing_dir, run_id, current.as_of_date, rows)
    finally:
        engine.dispose()
