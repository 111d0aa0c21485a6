"""The ``scrobble`` command line.

Owns the commands about runs, versions and the published data; other packages add theirs
through the entry point group ``scrobble.commands``. Exit codes are those of
:mod:`warehouse.errors`.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from warehouse import backup as backups
from warehouse import command_help, gates, marts_file, ops, storage, store
from warehouse.daily import STEPS, outages_said_clearly
from warehouse.daily import daily as run_daily
from warehouse.duckdb_store import unpublished
from warehouse.engines import open_store
from warehouse.errors import Damaged, WarehouseError
from warehouse.hooks import COMMANDS
from warehouse.journal import last_runs
from warehouse.plurals import plural
from warehouse.published import query_published
from warehouse.recovery import recover
from warehouse.recovery import repair as repair_folder
from warehouse.redact import RedactingFilter, redact
from warehouse.report import drop_output
from warehouse.settings import (
    Settings,
    admin_option,
    settings_options,
    take_settings,
)


class _Commands(command_help.Group):
    """The built-in commands and those other packages plug in, loaded when called."""

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted({*COMMANDS.names(), *self.commands})

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        return self.commands.get(name) or COMMANDS.find(name)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="scrobble-warehouse", prog_name="scrobble")
def cli() -> None:
    """The Scrobble Warehouse: last.fm's data, fetched, tested and published daily."""


def main() -> None:
    """Run the command line; errors become one line and an exit code."""
    # Listening, keys and books are their owner's: nobody else here reads them.
    os.umask(0o077)
    logging.basicConfig(
        level=logging.WARNING, format="%(levelname)s %(name)s %(message)s"
    )
    for handler in logging.getLogger().handlers:
        handler.addFilter(RedactingFilter())
    sys.exit(_ended())


def _ended() -> int:
    """Run the command line; the exit code, with the reason said."""
    try:
        with outages_said_clearly():
            # What a command exits with, where it does not end by an error.
            code = cli(standalone_mode=False)
            sys.stdout.flush()
    except (click.exceptions.Abort, KeyboardInterrupt) as stopped:
        # click puts its own error around the one that says what happens next.
        click.echo(str(stopped.__cause__ or stopped) or "stopped", err=True)
        return 130
    except BrokenPipeError:
        drop_output()
        return 141
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except WarehouseError as error:
        click.echo(f"error: {redact(str(error))}", err=True)
        return error.exit_code
    except Exception as error:
        return _defect(error)
    return code if isinstance(code, int) else 0


def _defect(error: Exception) -> int:
    """What no error of ours describes: one sentence, and the details in a file."""
    details = redact("".join(traceback.format_exception(error)))
    with tempfile.NamedTemporaryFile(
        "w", prefix="scrobble-", suffix=".txt", delete=False
    ) as file:
        file.write(details)
    said = redact(" ".join(str(error).split())[:300])
    click.echo(
        f"error: {type(error).__name__}: {said}; nobody foresaw this: please report it"
        f" with {file.name}",
        err=True,
    )
    return 70


_as_of = click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d"]),
    help="the UTC day to bring the warehouse up to (default: today)",
)
_accept = click.option(
    "--accept",
    multiple=True,
    metavar="GATE",
    help="override this gate's verdict; may be repeated",
)
_force = click.option(
    "--force", is_flag=True, help="run although the day is published already"
)
_full = click.option("--full-refresh", is_flag=True, help="build every mart anew")


def _run(command: str, steps: tuple[str, ...], options: dict[str, Any]) -> None:
    as_of: datetime | None = options.pop("as_of")
    run_daily(
        take_settings(options),
        as_of=as_of.date() if as_of else None,
        command=command,
        steps=steps,
        **options,
    )


def _outcomes() -> str:
    """What ends a run, for its help: the gates, and the exit codes by their cause."""
    causes: dict[int, list[str]] = {}
    for error in WarehouseError.__subclasses__():
        if error.__module__ != WarehouseError.__module__:
            continue  # a package's own: it ends with 1
        reason = (error.__doc__ or "").partition(" (")[0].rstrip(".")
        causes.setdefault(error.exit_code, []).append(reason)
    codes = (f"  {code:>2}  {'; or '.join(causes[code])}." for code in sorted(causes))
    return "\n".join(
        (
            f"Gates that keep the last version: {', '.join(gates.GATES)}.",
            "",
            "\b",
            "Exit codes:",
            "   0  The day is published (or was already).",
            *codes,
        )
    )


@cli.command(epilog=_outcomes())
@_as_of
@_accept
@_force
@_full
@settings_options
def daily(**options: Any) -> None:
    """Fetch, load, build, check, settle and publish one day."""
    _run("daily", STEPS, options)


@cli.command()
@_as_of
@_force
@settings_options
def fetch(**options: Any) -> None:
    """Fetch a day's answers into landing; nothing else changes."""
    _run("fetch", ("fetch",), options)


@cli.command()
@_as_of
@settings_options
def load(**options: Any) -> None:
    """Try whether landing loads: into a candidate that is thrown away
    (on PostgreSQL the rows stay in schema raw)."""
    _run("load", ("load",), {**options, "force": True})


@cli.command()
@_as_of
@_full
@settings_options
def build(**options: Any) -> None:
    """Try whether what has landed builds and passes its tests, without publishing."""
    _run("build", ("load", "build", "check"), {**options, "force": True})


@cli.command()
@_as_of
@_accept
@_full
@settings_options
def publish(**options: Any) -> None:
    """Load, build, check and publish what has landed, without fetching."""
    _run("publish", STEPS[1:], {**options, "force": True})


@cli.command()
@click.option("--to", metavar="VERSION", help="default: the version before this one")
@settings_options
def rollback(to: str | None, **options: Any) -> None:
    """Point readers to an older version; the next daily run starts from there."""
    settings = take_settings(options)
    engine = ops.open_ops(settings)
    for mended in recover(settings, engine):
        click.echo(f"mended: {mended}")
    found = open_store(settings, engine)
    before, after = store.roll_back(found, engine, to)
    if trouble := marts_file.bring(settings):
        click.echo(f"warning: {trouble}", err=True)
    click.echo(f"readers now see {after.version} ({after.as_of_date})")
    if found.broken(before) is None:
        click.echo(f"back again: scrobble rollback --to {before.version}")


@cli.command()
@click.option(
    "--from-landing",
    is_flag=True,
    help="where no version is whole: the next run begins from landing",
)
@settings_options
def repair(from_landing: bool, **options: Any) -> None:
    """Bring journal, versions, pointer and landing together; loses nothing."""
    said = repair_folder(take_settings(options), from_landing=from_landing)
    for line in said or ["there is nothing to repair"]:
        click.echo(line)


_folder = click.Path(path_type=Path, file_okay=False)


@cli.command()
@click.argument("folder", type=_folder)
@admin_option
@settings_options
def backup(folder: Path, admin_url: str | None, **options: Any) -> None:
    """Copy everything, accounts and exchange too, into a new folder in FOLDER."""
    made, manifest = backups.back_up(take_settings(options), folder, admin_url)
    click.echo(f"{made}: {len(manifest.files)} files, {manifest.bytes / 1e6:,.1f} MB")


@cli.command()
@click.argument("folder", type=_folder)
@admin_option
@settings_options
def restore(folder: Path, admin_url: str | None, **options: Any) -> None:
    """Make a warehouse from the backup FOLDER, in an empty data folder or database."""
    manifest = backups.restore(take_settings(options), folder, admin_url)
    click.echo(
        f"restored as of {manifest.made_at}: {len(manifest.files)} files are as they"
        f" were written, published is {manifest.published or 'nothing'}"
    )
    click.echo("`scrobble market verify` checks the exchange's books")


@cli.command()
@click.option("--runs", default=5, type=click.IntRange(1, 100), help="runs to show")
@click.option("--json", "as_json", is_flag=True, help="machine-readable")
@settings_options
def status(runs: int, as_json: bool, **options: Any) -> None:
    """What is published, what the last runs did, how large everything is."""
    settings = take_settings(options)
    seen = _status(settings, runs)
    if as_json:
        click.echo(json.dumps(seen.as_dict(), default=str, indent=2))
    else:
        _print_status(seen, settings)
    if seen.damage:
        raise Damaged(seen.damage)


@dataclass(frozen=True)
class _Status:
    published: store.Version | None
    versions: list[store.Version]
    runs: list[dict[str, Any]]
    storage: storage.Storage
    warning: str | None
    dead_letters: int | None
    freshness: list[tuple[Any, ...]]
    damage: str | None

    def as_dict(self) -> dict[str, Any]:
        return {
            **self.__dict__,
            "storage": {
                **self.storage.__dict__,
                "total_bytes": self.storage.total_bytes,
            },
            "published": self.published and self.published.__dict__,
            "versions": [version.__dict__ for version in self.versions],
            "runs": [
                {**run, "steps": [step.__dict__ for step in run["steps"]]}
                for run in self.runs
            ],
        }


def _status(settings: Settings, runs: int) -> _Status:
    engine = ops.open_to_read(settings)
    with engine.begin() as connection:
        current = store.published_version(connection)
        kept = store.kept_versions(connection)
    dead, fresh, damage = None, [], None
    if current is not None:
        try:
            dead = int(query_published(settings, _OPEN_DEAD_LETTERS)[1][0][0])
            fresh = query_published(
                settings, _LAST_ANSWERS.format(current.built_through)
            )[1]
        except Damaged as error:
            damage = str(error)
    stored = storage.measure(settings, engine)
    return _Status(
        published=current,
        versions=kept,
        runs=last_runs(engine, runs),
        storage=stored,
        warning=stored.warning(settings),
        dead_letters=dead,
        freshness=fresh,
        damage=damage,
    )


def _print_status(seen: _Status, settings: Settings) -> None:
    if seen.published is None:
        click.echo(
            "nothing is published yet: run `make daily`"
            if settings.is_postgres
            else unpublished(settings.data_dir)
        )
    else:
        age = (datetime.now(UTC).date() - seen.published.as_of_date).days
        click.echo(
            f"published: {seen.published.version}, day {seen.published.as_of_date}"
            f" ({plural(age, 'day')} old),"
            f" {plural(sum(seen.published.row_counts.values()), 'row')}"
        )
    _print_rows(
        ("run", "command", "day", "state", "seconds"),
        [_run_row(run) for run in seen.runs],
    )
    for run in seen.runs[:1]:
        steps = (
            f"{step.step} {step.detail.get('seconds', step.state)}"
            for step in run["steps"]
        )
        click.echo(f"steps of {run['run_id']}: {', '.join(steps)}")
    for run in seen.runs:
        if run["error"]:
            click.echo(f"{run['run_id']}: {run['error']}")
    _print_rows(
        ("version", "day", "published", "MB", "rows"),
        [
            (
                version.version + (" ←" if version == seen.published else ""),
                str(version.as_of_date),
                f"{version.published_at:%Y-%m-%d %H:%M:%S}",
                f"{version.bytes / 1e6:,.1f}",
                f"{sum(version.row_counts.values()):,}",
            )
            for version in seen.versions
        ],
    )
    click.echo(f"storage: {seen.storage.summary()}")
    if seen.warning:
        click.echo(f"warning: {seen.warning}")
    if seen.freshness:
        click.echo(f"oldest source: {seen.freshness[0][0]}, {seen.freshness[0][1]}")
    if seen.dead_letters:
        click.echo(f"dead letters: {seen.dead_letters} (`scrobble dead-letters list`)")


def _run_row(run: dict[str, Any]) -> tuple[str, ...]:
    ended = run["finished_at"] or ops.utcnow()
    state = run["state"] if run["state"] == "done" else f"{run['state']} {run['step']}"
    seconds = (ended - run["started_at"]).total_seconds()
    return (
        run["run_id"],
        run["command"],
        str(run["as_of_date"]),
        state,
        f"{seconds:.1f}",
    )


def _print_rows(names: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """A table with whole values: lined up on a terminal, tabs between them in pipes."""
    lines = [names, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        if sys.stdout.isatty():
            cells = (f"{cell:<{size}}" for cell, size in zip(line, widths, strict=True))
            click.echo("  ".join(cells).rstrip())
        else:
            click.echo("\t".join(line))


_OPEN_DEAD_LETTERS = """
    select count(*) from raw.dead_letters as letters
    where not exists (
        select 1 from raw.dead_letter_decisions as decisions
        where decisions.dead_letter_id = letters.dead_letter_id
    )
"""


_LAST_ANSWERS = """
    select method, max(as_of_date) as last_date, max(fetched_at) as last_fetched_at
    from raw.lastfm__answers
    where outcome in ('rows', 'empty') and load_id <= {}
    group by method
    order by last_date, method
"""


@cli.command()
@click.option("--site", type=click.Path(path_type=Path), default=Path("site"))
@settings_options
def docs(site: Path, **options: Any) -> None:
    """Write the docs site of the tables as one page that opens without a network."""
    import tempfile

    from warehouse.build import write_docs
    from warehouse.duckdb_store import published_path
    from warehouse.run import Target

    settings = take_settings(options)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        target = Target(url=settings.warehouse_url)
        if settings.warehouse_url is None:
            import shutil

            # dbt opens its database for writing; a published file is never written.
            copy = work / "warehouse.duckdb"
            shutil.copyfile(published_path(settings.data_dir), copy)
            target = Target(duckdb_path=copy)
        page = write_docs(
            target, site=site, cache_dir=settings.parsed_dir, work_dir=work
        )
    click.echo(f"open {page}")
