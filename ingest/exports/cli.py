"""``scrobble import``: somebody's own history, from files of other services.

Owns the words of the command, and who may be imported for. What is landed is loaded,
built and published by the next run.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
from sqlalchemy import Engine

from ingest.exports.landing import is_landed, land, landed_zone
from ingest.exports.overlap import Published
from ingest.exports.plays import Taken
from ingest.exports.reading import Reading, read, readings
from warehouse import command_help, ops
from warehouse.errors import ImportRefused, PublishFailed, SettingsError
from warehouse.forgetting import left_out
from warehouse.lease import JOB, Lease
from warehouse.names import name_key
from warehouse.plurals import plural
from warehouse.published import query_published
from warehouse.settings import Settings, settings_options, take_settings

_NEXT = "the next run loads this; `scrobble publish` does it now"
# What the pages of listeners can be asked for; last.fm's names are all like this.
_NAME = re.compile(r"[A-Za-z0-9_:-]{1,64}")


@click.command("import", cls=command_help.Command)
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False, readable=True),
)
@click.option("--listener", required=True, help="whose history it is")
@click.option("--preview", is_flag=True, help="say what would be taken; land nothing")
@click.option(
    "--zone",
    default="UTC",
    show_default=True,
    help="time zone of files that state none, like Europe/Berlin",
)
@click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d"]),
    help="the UTC day to import on (default: today)",
)
@settings_options
def command(
    files: tuple[Path, ...],
    listener: str,
    preview: bool,
    zone: str,
    as_of: datetime | None,
    **options: Any,
) -> None:
    """Import listening histories: what a file is, is known by what stands in it.

    last.fm (CSV, JSON, TSV), ListenBrainz, Spotify, Apple Music, YouTube Music, Deezer,
    Maloja, Koito, Pano Scrobbler, Libre.fm, .scrobbler.log, Jellyfin; archives of them
    too. A play that last.fm has already, or another file, counts once.
    """
    settings = take_settings(options)
    named, where = _name(listener), _zone(zone)
    found = readings(files, where)
    engine = ops.open_ops(settings)
    try:
        if left_out(settings, engine)(named):
            raise ImportRefused(
                f"{named} asked to be deleted: nothing is imported for that name until"
                " they join again"
            )
        todo = []
        for reading in found:
            if is_landed(engine, named, reading):
                click.echo(_known(settings, engine, named, reading))
            else:
                todo.append(reading)
        if preview:
            _preview(settings, engine, named, todo)
        elif todo:
            _land(settings, engine, named, todo, as_of)
    finally:
        engine.dispose()


def _name(listener: str) -> str:
    """The listener's name.

    Raises:
        SettingsError: it can be nobody's.
    """
    if not _NAME.fullmatch(listener):
        raise SettingsError(
            f"--listener {listener!r} is no name: 1 to 64 letters, digits, _, : and -"
        )
    return listener


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SettingsError(
            f"--zone {name!r} is no time zone; it is written like Europe/Berlin"
        ) from error


def _known(settings: Settings, engine: Engine, listener: str, reading: Reading) -> str:
    """What to say of a file that was landed before: with another zone it stays so."""
    said = f"{reading.path.name}: imported before, nothing is new"
    zone = landed_zone(engine, settings.data_dir / "landing", listener, reading)
    if zone in (None, str(reading.zone)):
        return said
    return (
        f"{said}: times without a zone are taken as {zone}, as they were then, not as"
        f" {reading.zone}. To have it read anew: `scrobble forget {listener}` deletes"
        " everything of them; import it when they have joined again"
    )


def _preview(
    settings: Settings,
    engine: Engine,
    listener: str,
    todo: Sequence[Reading],
) -> None:
    """Say what the files hold and what of it is published already."""
    with engine.connect() as connection:
        now = ops.database_time(connection)
    published = _published(settings, listener)
    for reading in todo:
        there = 0
        for found in read(reading, now):
            if published and isinstance(found.row, Taken):
                there += published.has(found.row)
        for line in report(reading):
            click.echo(line)
        if published:
            new = reading.tally.taken - there
            click.echo(f"  published already: about {there:,}; new: about {new:,}")
        else:
            click.echo(f"  nothing is published of {listener} yet")
    click.echo("nothing is landed (--preview)")


def _published(settings: Settings, listener: str) -> Published | None:
    """The listener's plays in the published version; None where it has none."""
    key = name_key(listener).replace("'", "''")
    query = f"""
        select artists.artist_name, tracks.track_name,
            cast(extract(epoch from plays.scrobbled_at) as bigint)
        from fct_scrobbles as plays
        inner join dim_artists as artists on artists.artist_id = plays.artist_id
        inner join dim_tracks as tracks on tracks.track_id = plays.track_id
        where plays.listener_id = '{key}'
        order by plays.scrobbled_at
    """
    try:
        _, rows = query_published(settings, query)
    except PublishFailed:
        return None  # nothing is published yet
    if not rows:
        return None
    published = Published()
    for artist, track, started in rows:
        published.add(artist, track, started)
    return published


def _land(
    settings: Settings,
    engine: Engine,
    listener: str,
    todo: Sequence[Reading],
    as_of: datetime | None,
) -> None:
    """Land the files, each whole or not at all; under the lease, as runs sweep landing.

    Raises:
        Busy: a run is at work.
        LeaseLost: a run has begun meanwhile; the files before stay landed.
    """
    taken = 0
    with _lease(settings, engine) as lease:
        with engine.connect() as connection:
            now = ops.database_time(connection)
        for reading in todo:
            land(
                engine,
                settings.data_dir / "landing",
                listener,
                reading,
                read(reading, now),
                as_of=as_of.date() if as_of else now.date(),
                now=now,
                check=lease.check,
            )
            taken += reading.tally.taken
            for line in report(reading):
                click.echo(line)
    click.echo(f"{plural(taken, 'play')} of {listener} landed: {_NEXT}")


@contextmanager
def _lease(settings: Settings, engine: Engine) -> Iterator[Lease]:
    """The lease, as a job has it: a run that comes takes it, and this stops."""
    run_id = f"{JOB}import-{secrets.token_hex(6)}"
    lease = Lease(engine, run_id, settings.data_dir / "alive", settings.lease_seconds)
    lease.acquire()
    try:
        yield lease
    finally:
        lease.release()


def report(reading: Reading) -> Iterator[str]:
    """What became of a file that was read, a line each."""
    tally = reading.tally
    yield (
        f"{reading.path.name}: {plural(tally.rows, 'row')},"
        f" {plural(tally.taken, 'play')} taken,"
        f" {tally.duplicates:,} equal ones, {tally.aside.total():,} set aside"
    )
    for reason, rows in sorted(tally.aside.items(), key=lambda each: -each[1]):
        yield f"  set aside: {rows:,} {reason}"
    if tally.first is not None and tally.last is not None:
        first, last = (
            datetime.fromtimestamp(t, UTC) for t in (tally.first, tally.last)
        )
        yield f"  from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"
    for known in {each.format.name: each.format for each in reading.files}.values():
        yield f"  read as: {known.title}" + (f" ({known.note})" if known.note else "")
    if reading.ignored:
        yield f"  not read: {plural(len(reading.ignored), 'other file')} in the archive"
