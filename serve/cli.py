"""``scrobble serve``: run the service, and what its operator does beside it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from serve.settings import METRICS, ServeSettings, load_serve_settings
from warehouse import command_help
from warehouse.errors import WarehouseError
from warehouse.hooks import LOGINS
from warehouse.ops import open_ops
from warehouse.settings import (
    group_options,
    settings_options,
    take_flags,
    take_settings,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@click.group(invoke_without_command=True, cls=command_help.Group)
@click.option(
    "--host", metavar="ADDRESS", help="to listen on; the same as --serve-host"
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    envvar="PORT",
    default=8000,
    show_default=True,
    help="to listen on",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=2,
    show_default=True,
    help="processes; each has one thread and a cache of its own",
)
@click.option(
    "--jobs/--no-jobs", default=True, help="also run the jobs people start (one worker)"
)
@settings_options
@group_options(ServeSettings)
@click.pass_context
def command(
    context: click.Context,
    /,
    host: str | None,
    port: int,
    workers: int,
    jobs: bool,
    **options: Any,
) -> None:
    """The read service and pages, on 127.0.0.1 unless SERVE_HOST says otherwise."""
    options["serve_host"] = host or options["serve_host"]
    given = {name: value for name, value in options.items() if value is not None}
    flags = take_flags(options, ServeSettings)
    settings = load_serve_settings(take_settings(options), flags)
    context.obj = settings
    if context.invoked_subcommand is not None:
        return
    # The processes below read their settings anew: what was a flag goes with them.
    os.environ.update({name.upper(): str(value) for name, value in given.items()})
    _serve(settings, port, workers, jobs)


@command.command()
@click.pass_obj
def invalidate(settings: ServeSettings) -> None:
    """Make all workers drop their cached answers."""
    from serve.accounts.database import ensure_tables, open_accounts
    from serve.store import open_store
    from serve.store.contract import StoreUnavailable

    try:
        if settings.database_url is not None:
            ensure_tables(open_accounts(settings))
        with contextlib.closing(open_store(settings)) as store:
            store.invalidate()
    except (StoreUnavailable, OSError) as error:
        raise WarehouseError(f"nothing was dropped: {error}") from error
    click.echo("cached answers are dropped")


def _serve(settings: ServeSettings, port: int, workers: int, jobs: bool) -> None:
    from granian.constants import Interfaces
    from granian.log import LogLevels
    from granian.server import Server

    _warn(settings)
    host = f"[{settings.host}]" if settings.host.version == 6 else str(settings.host)
    click.echo(f"http://{host}:{port}/  (API: /api/docs)")
    server = Server(
        "serve.wsgi:build",
        address=str(settings.host),
        port=port,
        interface=Interfaces.WSGI,
        factory=True,
        workers=workers,
        blocking_threads=1,
        websockets=False,
        log_level=LogLevels.warning,
        respawn_failed_workers=True,
        workers_kill_timeout=10,
    )
    with _run_dir(settings), _demo_login(settings), _job_worker(jobs):
        server.serve()


@contextmanager
def _run_dir(settings: ServeSettings) -> Iterator[None]:
    """Give the workers a folder for what they count together."""
    with tempfile.TemporaryDirectory(prefix="scrobble-serve-") as made:
        folder = settings.run_dir or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["SERVE_RUN_DIR"] = str(folder)
        if settings.metrics_token is not None:
            # The library takes every file in it for a count of a worker of now.
            shutil.rmtree(folder / METRICS, ignore_errors=True)
            (folder / METRICS).mkdir()
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder / METRICS)
        yield


@contextmanager
def _demo_login(settings: ServeSettings) -> Iterator[None]:
    """Let who has neither key nor server log in at the local last.fm.

    Never beside PostgreSQL, a public address or where others reach the service: there
    anybody is let in as anybody.
    """
    warehouse = settings.warehouse
    chosen = (
        warehouse.warehouse_url,
        warehouse.lastfm_api_key,
        warehouse.lastfm_url,
        settings.login_api_url,
        settings.public_url,
    )
    login = LOGINS.find("demo")
    if any(chosen) or login is None or not settings.host.is_loopback:
        yield
        return
    engine = open_ops(warehouse)
    try:
        with login(engine) as environment:
            os.environ.update(environment)
            click.echo("no key: people log in at the local last.fm, without a password")
            yield
    finally:
        engine.dispose()


@contextmanager
def _job_worker(is_wanted: bool) -> Iterator[None]:
    if not is_wanted:
        yield
        return
    process = subprocess.Popen([sys.executable, "-m", "serve.jobs.worker"])
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=10)


def _warn(settings: ServeSettings) -> None:
    from serve.store import open_store
    from serve.store.contract import StoreUnavailable

    store = open_store(settings)
    try:
        published = store.published()
        click.echo(f"version {published.version}, as of {published.as_of_date}")
    except StoreUnavailable as error:
        click.echo(f"warning: {error}", err=True)
    finally:
        store.close()
