"""The same landing files give the same marts on both engines, row by row."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sqlalchemy import create_engine, insert, text

from ingest.landing import landing_parts, list_parts
from ingest.landing import metadata as landing_metadata
from local_lastfm import LocalLastfm
from tests.daily_runs import FIRST_DAY, ROOT, SECOND_DAY, Daily, copy_of, make_daily
from tests.warehouse.small_marts import make_settings
from tests.warehouse.test_descriptions import duckdb_comments, postgres_comments
from warehouse import ops
from warehouse.settings import Settings

pytestmark = [pytest.mark.postgres, pytest.mark.long]
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
# Made from the exchange's own books, which are not in the landing files.
OF_THE_EXCHANGE = {
    "economy_days",
    "fct_account_days",
    "fct_artist_prices",
    "fct_trades",
}
# The moment of a load is not in the landing files either.
WHEN_LOADED = "restated_at"


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
                "select table_name from information_schema.tables"
                " where table_schema = 'marts'"
            ).fetchall()
        }
        views = set(
            post.execute(
                text("select viewname from pg_views where schemaname = 'marts'")
            ).scalars()
        )
        assert names == views
        assert duckdb_comments(duck) == postgres_comments(post)
        assert {name for name, _ in duckdb_comments(duck)} == names
        for name in sorted(names - OF_THE_EXCHANGE):
            described = duck.execute(f"describe marts.{name}").fetchall()
            there = post.execute(text(f"select * from marts.{name} limit 0"))
            assert [column for column, *_ in described] == list(there.keys()), name
            kinds = {col: kind for col, kind, *_ in described if col != WHEN_LOADED}
            # No mart has two rows that differ in doubles only.
            exact = [column for column, kind in kinds.items() if kind != "DOUBLE"]
            texts = [column for column in exact if kinds[column] == "VARCHAR"]
            select = f"select {', '.join(kinds)} from marts.{name} order by "
            by_bytes = [f'{c} collate "C"' if c in texts else c for c in exact]
            found[name] = (
                duck.execute(select + ", ".join(exact)).fetchall(),
                [
                    tuple(row)
                    for row in post.execute(text(select + ", ".join(by_bytes)))
                ],
            )
    engine.dispose()
    return found


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


def compare(embedded: Daily, server: Daily, url: str, day: date) -> None:
    """Build the day that DuckDB has published on PostgreSQL, and compare all marts."""
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
    marts = all_marts(embedded, url)
    odd = differences(marts)
    assert not odd, "\n".join(odd)
    assert sum(len(rows) for rows, _ in marts.values()) > 1000


def test_all_marts_are_equal_after_the_first_day_and_after_a_further_one(
    demo: LocalLastfm,
    first_day: Path,
    second_day: Path,
    postgres_url: str,
    tmp_path: Path,
) -> None:
    for made, day in ((first_day, FIRST_DAY), (second_day, SECOND_DAY)):
        embedded = copy_of(demo, made, tmp_path / made.name)
        server = on_postgres(embedded, postgres_url, tmp_path / "server")
        compare(embedded, server, postgres_url, day)
        # The control: covers are equal, and not because there are none.
        (version,) = sorted((made / "versions").glob("*.duckdb"))[-1:]
        with duckdb.connect(str(version), read_only=True) as connection:
            found = connection.execute(
                "select count(cover_id), count(*) from marts.dim_albums"
            ).fetchone()
        assert found is not None and 0 < found[0] < found[1]


def test_all_marts_of_real_listening_are_equal(
    lastfm_1k: Path, postgres_url: str, tmp_path: Path
) -> None:
    """Real archives have no clock: what would come on a further day is there."""
    embedded = make_daily(tmp_path / "embedded", "", ())
    shutil.copytree(lastfm_1k, embedded.data_dir)
    server = on_postgres(embedded, postgres_url, tmp_path / "server")
    compare(embedded, server, postgres_url, SECOND_DAY)


@pytest.mark.chaos
def test_all_marts_of_thirty_real_listeners_are_equal(
    shared_dir: Path, postgres_url: str, tmp_path: Path
) -> None:
    world = f"hetrec:{shared_dir / 'datasets' / 'hetrec2011-lastfm-2k'}"
    with LocalLastfm(world=world, today=SECOND_DAY) as lastfm:
        heard = lastfm.world.listeners[:30]
        embedded = make_daily(tmp_path / "embedded", lastfm.as_of_url, heard)
        # Nothing grows in an archive, not even over the days that are made up for.
        embedded.run("daily", "--as-of", str(SECOND_DAY), "--accept", "identical-day")
        server = on_postgres(embedded, postgres_url, tmp_path / "server")
        compare(embedded, server, postgres_url, SECOND_DAY)
