"""``scrobble doctor``: whether a day could run here, before one is tried.

Owns the questions and what to do about each answer. It changes nothing and asks last.fm
two things: the time, and one small list that shows whether the key is good.
"""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import click
from sqlalchemy import Engine, create_engine, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError

from ingest import clocks
from ingest.lastfm.client import ROOT_URL, Action, Client, TransportFailed, judge
from ingest.lastfm.servers import LOOPBACK
from warehouse import command_help, hooks, ops, storage, store
from warehouse.errors import WarehouseError
from warehouse.plurals import plural
from warehouse.published import query_published
from warehouse.redact import redact
from warehouse.settings import Settings, config_path, settings_options, take_settings

State = Literal["ok", "warning", "wrong"]
_PACKAGES = ("dbt-core", "dlt", "duckdb", "sqlalchemy")


@dataclass(frozen=True)
class Finding:
    """One answer; `text` says what to do where the state is not ok."""

    state: State
    text: str


class Unfit(WarehouseError):
    """A day would not run; what was printed says why."""

    exit_code = 1


Question = Callable[[Settings], Iterator[Finding]]


@click.command(cls=command_help.Command)
@settings_options
def command(**options: Any) -> None:
    """Say whether a day could run here: key, network, database, disk, clock, lock.

    Nothing is changed. Exit code 1 if something is wrong.
    """
    settings = take_settings(options)
    wrong = 0
    has_database = True
    for name, question in QUESTIONS.items():
        if name in OF_THE_DATABASE and not has_database:
            continue
        for finding in answer(question, settings):
            wrong += finding.state == "wrong"
            has_database &= name != "database" or finding.state != "wrong"
            click.echo(f"{finding.state:<8} {name:<10} {finding.text}")
    if wrong:
        raise Unfit(f"{wrong} {'thing is' if wrong == 1 else 'things are'} wrong")


def answer(question: Question, settings: Settings) -> Iterator[Finding]:
    """What a question finds; an error it meets is what it finds."""
    try:
        yield from question(settings)
    except WarehouseError as error:
        yield Finding("wrong", str(error))
    except (SQLAlchemyError, OSError, sqlite3.Error) as error:
        said = str(getattr(error, "orig", error)).strip()
        yield Finding("wrong", redact(said.partition("\n")[0]))


def _versions(_: Settings) -> Iterator[Finding]:
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding(
        "ok", f"scrobble {version('scrobble-warehouse')}, Python {python}, {packages}"
    )


def _settings(settings: Settings) -> Iterator[Finding]:
    path = config_path()
    if not path.exists():
        yield Finding("ok", f"from the environment; there is no {path}")
    elif path.stat().st_mode & 0o077:
        yield Finding(
            "warning", f"{path} can be read by others: chmod 600, it may hold secrets"
        )
    else:
        yield Finding("ok", f"{path}, for its owner alone")


def _folder(settings: Settings) -> Iterator[Finding]:
    there: Path = settings.data_dir
    while not there.exists():
        there = there.parent
    if not os.access(there, os.W_OK | os.X_OK):
        yield Finding("wrong", f"{there} cannot be written: give this login the right")
        return
    free = shutil.disk_usage(there).free
    budget = settings.storage_budget_mb * storage.MEGABYTE
    said = f"{settings.data_dir}: {free / 1e9:,.1f} GB free"
    if free < budget // 10:
        yield Finding("warning", f"{said}: less than a tenth of STORAGE_BUDGET_MB")
    else:
        yield Finding("ok", said)


def _storage(settings: Settings) -> Iterator[Finding]:
    with _journal(settings) as journal:
        if journal is None:
            yield Finding("ok", "nothing is kept yet")
            return
        stored = storage.measure(settings, journal)
    warning = stored.warning(settings)
    yield Finding("warning", warning) if warning else Finding("ok", stored.summary())


@contextmanager
def _journal(settings: Settings) -> Iterator[Engine | None]:
    """The journal to read, or None where there is none yet; makes nothing."""
    if settings.warehouse_url is None:
        path = ops.journal_path(settings)
        url = f"sqlite:///file:{path}?mode=ro&uri=true" if path.exists() else None
    else:
        url = settings.warehouse_url
    if url is None:
        yield None
        return
    engine = create_engine(url)
    try:
        if settings.is_postgres:
            engine = engine.execution_options(schema_translate_map={None: "ops"})
        schema = "ops" if settings.is_postgres else None
        yield engine if inspect(engine).has_table("runs", schema=schema) else None
    finally:
        engine.dispose()


def _database(settings: Settings) -> Iterator[Finding]:
    if settings.warehouse_url is None:
        damage = ops.sqlite_damage(ops.journal_path(settings))
        if damage is not None:
            yield Finding("wrong", f"{damage}; `scrobble repair` makes it again")
        else:
            yield Finding("ok", "DuckDB files")
        return
    engine = create_engine(settings.warehouse_url)
    try:
        with engine.connect() as connection:
            began = time.perf_counter()
            server, encoding, collation = connection.execute(
                text(
                    "select current_setting('server_version'),"
                    " current_setting('server_encoding'), datcollate"
                    " from pg_database where datname = current_database()"
                )
            ).one()
            took = 1000 * (time.perf_counter() - began)
    finally:
        engine.dispose()
    said = f"PostgreSQL {server}, {encoding}, {collation}, {took:.0f} ms away"
    if encoding != "UTF8":
        yield Finding("wrong", f"{said}: names need a database with encoding UTF8")
    else:
        yield Finding("ok", said)


def _lock(settings: Settings) -> Iterator[Finding]:
    held: Sequence[Any] = ()
    with _journal(settings) as journal:
        if journal is not None:
            with journal.begin() as connection:
                now = ops.database_now(connection)
                held = connection.execute(
                    select(ops.lease).where(
                        ops.lease.c.run_id.is_not(None), ops.lease.c.expires_at > now
                    )
                ).all()
    for row in held:
        yield Finding(
            "warning",
            f"run {row.run_id} on {row.host} is at work; a second one ends with 75",
        )
    if not held:
        yield Finding("ok", "nobody is at work")


def _published(settings: Settings) -> Iterator[Finding]:
    found = None
    with _journal(settings) as journal:
        if journal is not None:
            with journal.begin() as connection:
                found = store.published_version(connection)
    if found is None:
        yield Finding("ok", "nothing yet: `scrobble daily` publishes the first version")
        return
    query_published(settings, "select 1")
    days = (datetime.now(UTC).date() - found.as_of_date).days
    said = f"version {found.version} of {found.as_of_date}, {plural(days, 'day')} ago"
    yield Finding("warning" if days > 2 else "ok", said)


def _plugged(settings: Settings) -> Iterator[Finding]:
    for look in hooks.LOOKS.all().values():
        yield Finding("ok", look(settings))


def _clock(settings: Settings) -> Iterator[Finding]:
    url = _url(settings)
    if url is None:
        yield Finding("ok", "no key: the local last.fm has this machine's clock")
        return
    # Without a database yet the machine's clock will be that of its files.
    database = create_engine(settings.warehouse_url or "sqlite://")
    try:
        today = datetime.now(UTC).date()
        clocks.check(Client(url, "").url_of(today), database, wait=0)
    finally:
        database.dispose()
    yield Finding("ok", "the database and last.fm agree on the day")


def _lastfm(settings: Settings) -> Iterator[Finding]:
    url = _url(settings)
    if url is None:
        yield Finding("ok", "no LASTFM_API_KEY: a day is of the invented world")
        return
    today = datetime.now(UTC).date()
    client = Client(url, settings.lastfm_api_key or "local")
    root = client.url_of(today)
    began = time.perf_counter()
    try:
        socket.getaddrinfo(root.host, root.port or 443)
    except OSError as error:
        yield Finding("wrong", f"{root.host} has no address here: {error.strerror}")
        return
    resolved = time.perf_counter() - began
    if settings.lastfm_api_key is None and root.host not in LOOPBACK:
        yield Finding("wrong", f"{root.host} wants a key: set LASTFM_API_KEY")
        return
    parameters = {"limit": "1"}
    with closing(client.connect()) as connection:
        try:
            found = connection.ask(today, "chart.getTopArtists", parameters)
        except TransportFailed as error:
            yield Finding("wrong", f"{root.host} does not answer: {error}")
            return
    verdict = judge(found, parameters)
    if verdict.action is Action.DATA:
        yield Finding(
            "ok",
            f"{root.host} takes the key; its name took {1000 * resolved:.0f} ms, an"
            f" answer {1000 * found.seconds:.0f} ms",
        )
    else:
        yield Finding(
            "wrong", f"{root.host} refuses: {verdict.reason} {verdict.message}".strip()
        )


def _url(settings: Settings) -> str | None:
    if settings.lastfm_url is not None:
        return settings.lastfm_url
    return ROOT_URL if settings.lastfm_api_key is not None else None


QUESTIONS: dict[str, Question] = {
    "versions": _versions,
    "settings": _settings,
    "folder": _folder,
    "database": _database,
    "storage": _storage,
    "lock": _lock,
    "published": _published,
    "exchange": _plugged,
    "clock": _clock,
    "last.fm": _lastfm,
}
OF_THE_DATABASE = ("storage", "lock", "published", "exchange", "clock")
