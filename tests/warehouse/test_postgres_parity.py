"""The same landing files give the same marts on both engines, row by row."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, insert, text

from ingest.landing import landing_parts, list_parts
from ingest.landing import metadata as landing_metadata
from ingest.local_lastfm import LocalLastfm
from tests.daily_runs import ROOT, Daily, make_daily
from tests.warehouse.small_marts import make_settings
from warehouse import ops
from warehouse.settings import Settings

pytestmark = [pytest.mark.postgres, pytest.mark.long]
TODAY = datetime.now(UTC).date()
# Sums of doubles in another order differ in the last digits.
CLOSE = 1e-9
# The market closes with the fetch, which is not repeated for the second engine.
WITHOUT_EXCHANGE = """
import sys
from datetime import date
from warehouse.daily import daily
from warehouse.settings import load_settings
steps = ("load", "build", "check", "publish")
day = date.fromisoformat(sys.argv[1])
accept = ("identical-day",)
daily(load_settings(), as_of=day, steps=steps, force=True, accept=accept)
"""
ARCHIVES = {
    "hetrec": "hetrec2011-lastfm-2k",
    "lastfm-1k": "lastfm-1k-sample/userid-timestamp-artid-artname-traid-traname.tsv",
}
# Made from the exchange's own books, which are not in the landing files.
OF_THE_EXCHANGE = {
    "economy_days",
    "fct_account_days",
    "fct_artist_prices",
    "fct_trades",
}
# The moment of a load is not in the landing files either.
WHEN_LOADED = "restated_at"
LISTENERS = {"demo": 6, "hetrec": 30, "lastfm-1k": 2}


@pytest.fixture(params=["demo", "hetrec", "lastfm-1k"])
def lastfm(request: pytest.FixtureRequest) -> Iterator[LocalLastfm]:
    world = str(request.param)
    if world != "demo":
        shared: Path = request.getfixturevalue("shared_dir")
        world = f"{world}:{shared / 'datasets' / ARCHIVES[world]}"
    with LocalLastfm(world=world, today=TODAY) as server:
        yield server


def on_postgres(daily: Daily, url: str, folder: Path) -> Daily:
    """A warehouse in this database that finds the same landing files."""
    return replace(
        daily,
        data_dir=folder,
        environment={
            **daily.environment,
            "WAREHOUSE_URL": url,
            "DATA_DIR": str(folder),
        },
    )


def hand_over_landing(embedded: Daily, server: Daily, url: str) -> None:
    """Copy the landing files and what the journal knows of them."""
    shutil.copytree(
        embedded.data_dir / "landing", server.data_dir / "landing", dirs_exist_ok=True
    )
    there = ops.open_ops(Settings(data_dir=embedded.data_dir))
    here = ops.open_ops(make_settings(url, server.data_dir))
    ops.ensure_tables(here, landing_metadata)
    with there.begin() as source, here.begin() as sink:
        known = {part.part for part in list_parts(sink)}
        for row in source.execute(landing_parts.select()).mappings():
            if row["part"] not in known:
                sink.execute(insert(landing_parts).values(**row))
    there.dispose()
    here.dispose()


def all_marts(embedded: Daily, url: str) -> dict[str, tuple[list[Any], list[Any]]]:
    """Every mart's columns and rows, on DuckDB and on PostgreSQL."""
    found = {}
    engine = create_engine(url)
    with embedded.open_published() as duck, engine.connect() as post:
        names = {
            name
            for (name,) in duck.execute(
                "select table_name from duckdb_tables() where schema_name = 'marts'"
            ).fetchall()
        }
        views = set(
            post.execute(
                text("select viewname from pg_views where schemaname = 'marts'")
            ).scalars()
        )
        assert names == views
        for name in sorted(names - OF_THE_EXCHANGE):
            cursor = duck.execute(f"select * from marts.{name} limit 0")
            columns = [column[0] for column in cursor.description]
            there = post.execute(text(f"select * from marts.{name} limit 0"))
            assert columns == list(there.keys()), name
            listed = ", ".join(
                f'"{column}"' for column in columns if column != WHEN_LOADED
            )
            cursor = duck.execute(f"select {listed} from marts.{name}")
            rows = post.execute(text(f"select {listed} from marts.{name}"))
            found[name] = (
                in_order(cursor.fetchall()),
                in_order([tuple(row) for row in rows]),
            )
    engine.dispose()
    return found


def in_order(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows in an order that doubles decide last and only roughly."""

    def key(row: tuple[Any, ...]) -> tuple[Any, ...]:
        exact = tuple(
            (value is None, "" if value is None else str(value))
            for value in row
            if not isinstance(value, float)
        )
        rough = tuple(
            (math.isnan(value), 0.0 if math.isnan(value) else float(f"{value:.6g}"))
            for value in row
            if isinstance(value, float)
        )
        return exact, rough

    return sorted(rows, key=key)


def same(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, float) and isinstance(theirs, float):
        return math.isclose(ours, theirs, rel_tol=CLOSE, abs_tol=CLOSE) or (
            math.isnan(ours) and math.isnan(theirs)
        )
    return bool(ours == theirs)


def differences(marts: dict[str, tuple[list[Any], list[Any]]]) -> list[str]:
    """What differs, one sentence a mart."""
    said = []
    for name, (ours, theirs) in marts.items():
        if len(ours) != len(theirs):
            said.append(f"{name}: {len(ours)} rows on DuckDB, {len(theirs)} here")
            continue
        odd = [
            (mine, other)
            for mine, other in zip(ours, theirs, strict=True)
            if not all(map(same, mine, other))
        ]
        if odd:
            said.append(f"{name}: {len(odd)} of {len(ours)} rows differ, {odd[0]}")
    return said


def test_all_marts_are_equal_after_the_first_day_and_after_a_further_one(
    lastfm: LocalLastfm, postgres_url: str, tmp_path: Path
) -> None:
    world = lastfm.world
    count = next(n for name, n in LISTENERS.items() if name in str(world.name))
    embedded = make_daily(
        tmp_path / "embedded", lastfm.as_of_url, world.listeners[:count]
    )
    server = on_postgres(embedded, postgres_url, tmp_path / "server")
    # Real archives have no clock: what would come on a further day is there already.
    days = (TODAY - timedelta(days=1), TODAY)
    for day in days if world.name == "demo" else days[1:]:
        run_both(embedded, server, postgres_url, day)
        marts = all_marts(embedded, postgres_url)
        odd = differences(marts)
        assert not odd, "\n".join(odd)
        assert sum(len(rows) for rows, _ in marts.values()) > 1000


def run_both(embedded: Daily, server: Daily, url: str, day: date) -> None:
    # Nothing grows in an archive, not even over the days that are made up for.
    embedded.run("daily", "--as-of", str(day), "--accept", "identical-day")
    hand_over_landing(embedded, server, url)
    process = subprocess.Popen(
        [sys.executable, "-c", WITHOUT_EXCHANGE, str(day)],
        cwd=ROOT,
        env=server.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0, said
