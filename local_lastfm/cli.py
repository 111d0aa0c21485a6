"""`scrobble local-lastfm` and `python -m local_lastfm`."""

from __future__ import annotations

import os
import sys
import threading
from datetime import datetime
from pathlib import Path

import click

from local_lastfm import faults as fault_rules
from local_lastfm.local import LocalLastfm
from local_lastfm.worlds import NAMES


@click.command("local-lastfm")
@click.option("--world", default="demo", show_default=True, help=", ".join(NAMES))
@click.option("--port", default=0, help="0: a free one, chosen by the system")
@click.option("--seed", default=1, show_default=True, help="of the demo world")
@click.option(
    "--today",
    type=click.DateTime(["%Y-%m-%d"]),
    help="freeze the clock at 20:00 UTC of this day",
)
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    help="the day of the first fetch of the demo world; histories begin 95 days before",
)
@click.option("--faults", help=f"JSON file or {', '.join(fault_rules.PRESETS)}")
@click.option("--latency-ms", default=0.0, help="added to every answer")
@click.option("--ready-file", type=click.Path(path_type=Path), help="gets the URL")
@click.option("--until-stdin-closes", is_flag=True, help="end with the parent process")
def command(
    world: str,
    port: int,
    seed: int,
    today: datetime | None,
    since: datetime | None,
    faults: str | None,
    latency_ms: float,
    ready_file: Path | None,
    until_stdin_closes: bool,
) -> None:
    """Run a last.fm on 127.0.0.1: its API, a login page, and faults on demand."""
    try:
        lastfm = LocalLastfm(
            world=world,
            today=today.date() if today else None,
            faults=faults,
            latency_ms=latency_ms,
            seed=seed,
            since=since.date() if since else None,
            port=port,
        )
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
    with lastfm:
        click.echo(lastfm.url)
        if ready_file is not None:
            # Written aside and moved: whoever waits for it never reads half a URL.
            part = ready_file.with_name(f"{ready_file.name}.part")
            part.write_text(f"{lastfm.url}\n")
            part.replace(ready_file)
        try:
            if until_stdin_closes:
                while os.read(sys.stdin.fileno(), 4096):
                    pass
            else:
                threading.Event().wait()
        except KeyboardInterrupt:
            click.echo("stopped", err=True)
