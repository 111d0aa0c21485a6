"""A listener of many years: fetched, imported, and every page and answer of theirs.

    python -m bench.library [--plays 300000] [--engine duckdb] [--rate 4] [--keep DIR]

A local last.fm holds `plays` scrobbles of one listener over twelve years, and three
times as many of nine others. Three things are shown, in this order:

- **Fetched**: `scrobble daily` at the rate last.fm allows, killed (-9) after a third
  and after two thirds of the time that its pages take; what the third run publishes is
  compared with the file the world was made of, row by row.
- **Imported**: the same plays as a CSV, for an account that nobody has fetched; the
  same plays, second by second.
- **Answered**: every route and page of the listener, for each window there is, none
  from a cache: milliseconds by the clock, median, 95 % and the slowest ten.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime
from itertools import accumulate
from pathlib import Path
from statistics import quantiles
from urllib.parse import quote

from flask import Flask
from flask.testing import FlaskClient

from local_lastfm import start_process
from serve.app import create_app
from serve.pages.statistics import PARTS
from serve.queries.statistics import STATISTICS
from serve.ranges import WORDS
from serve.settings import ServeSettings
from tests.daily_runs import Daily, make_daily
from tests.export_files import WRITERS, Played
from tests.system import start_postgres
from warehouse.settings import Settings

TODAY = date(2026, 11, 22)
NAME, COPY = "rememberer", "rememberer-imported"
OTHERS = 9
YEARS = 12
ARTISTS, TRACKS_EACH = 8_000, 12
RATE = 4.0
AIM_MS = 200.0
RUN_SECONDS = 3_600
ON = ("--as-of", str(TODAY))
DAILY = ("daily", *ON)


def write_world(file: Path, plays: int, seed: int = 1) -> None:
    """The rows of a `lastfm-1k:` world: listener, time, artist, track, ids empty.

    Artists are drawn by a power law that differs from year to year; sessions of 5 to
    40 plays fill the days unevenly, so that some days and weeks have none.
    """
    draw = random.Random(seed)
    end = datetime(TODAY.year, TODAY.month, TODAY.day, tzinfo=UTC)
    people = [(NAME, plays), *((f"other-{n}", plays // 3) for n in range(OTHERS))]
    with file.open("w", encoding="utf-8") as out:
        for name, wanted in people:
            for when, artist, track in _history(draw, end, wanted):
                said = datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                out.write(f"{name}\t{said}\t\tArtist {artist}\t\tSong {track}\n")


def _history(
    draw: random.Random, end: datetime, plays: int
) -> Iterator[tuple[int, int, int]]:
    span = YEARS * 365 * 86_400
    first = int(end.timestamp()) - span
    sessions = plays // 20
    starts = sorted(draw.sample(range(span // 60), sessions))
    weights = list(accumulate(1 / (place + 3) for place in range(ARTISTS)))
    left, last = plays, 0
    for number, start in enumerate(starts):
        size = left if number == sessions - 1 else min(left, draw.randint(5, 35))
        turn = 97 * (start * 60 // (365 * 86_400))
        when = max(first + start * 60, last)
        for place in draw.choices(range(ARTISTS), cum_weights=weights, k=size):
            when += draw.randint(31, 400)
            artist = (place + turn) % ARTISTS
            yield when, artist, min(int(draw.expovariate(0.4)), TRACKS_EACH - 1)
        left -= size
        last = when


def panel(folder: Path, url: str, rate: float, warehouse: str | None) -> Daily:
    """A warehouse that fetches this world's listeners from the server at `url`."""
    people = (NAME, *(f"other-{number}" for number in range(OTHERS)))
    daily = make_daily(folder / "data", url, people)
    daily.environment |= {
        "LASTFM_REQUESTS_PER_SECOND": str(rate),
        "LASTFM_TOP_ARTISTS": "50",
        "BACKFILL_DAYS": "1",
    }
    if warehouse is not None:
        daily.environment["WAREHOUSE_URL"] = warehouse
    return daily


def finished(daily: Daily, *words: str) -> float:
    """Run a command that must succeed to its end; returns seconds."""
    begun = time.perf_counter()
    process = daily.start(*words)
    said, _ = process.communicate(timeout=RUN_SECONDS)
    assert process.returncode == 0, said[-4_000:]
    return time.perf_counter() - begun


def fetched(daily: Daily, pages: int, rate: float) -> float:
    """Two runs killed (-9) in the fetch, and a third to its end; returns seconds."""
    begun = time.perf_counter()
    third = pages / rate / 3
    for number in (1, 2):
        process = daily.start(*DAILY)
        time.sleep(third)
        assert process.poll() is None, "the run had ended before it was killed"
        process.kill()
        process.communicate()
        print(f"killed run {number} after {third:.0f} s", flush=True)
        time.sleep(float(daily.environment["LEASE_SECONDS"]) + 1)
    finished(daily, *DAILY)
    return time.perf_counter() - begun


def plays_of(app: Flask, listener: str) -> list[tuple[str, str, str]]:
    """When, whom and what the published version has of a listener, in order."""
    with app.extensions["serve"].store.read() as reader:
        return [
            (row[0].isoformat() + "Z", row[1], row[2])
            for row in reader.query(
                """
                select plays.scrobbled_at, artists.artist_name, tracks.track_name
                from marts.fct_scrobbles as plays
                inner join marts.dim_artists as artists
                    on artists.artist_id = plays.artist_id
                inner join marts.dim_tracks as tracks
                    on tracks.track_id = plays.track_id
                where plays.listener_id = :listener_id
                order by plays.scrobbled_at
                """,
                {"listener_id": listener},
            ).rows
        ]


def true_plays(file: Path) -> list[tuple[str, str, str]]:
    """The same as the world's file has them of the listener."""
    with file.open(encoding="utf-8") as lines:
        rows = (line.rstrip("\n").split("\t") for line in lines)
        return sorted((row[1], row[3], row[5]) for row in rows if row[0] == NAME)


def imported(daily: Daily, plays: list[tuple[str, str, str]]) -> float:
    """The plays as a CSV of last.fm's tools, landed and published; returns seconds."""
    file = daily.data_dir.parent / "plays.csv"
    told = [
        Played(int(datetime.fromisoformat(when).timestamp()), artist, track, "")
        for when, artist, track in plays
    ]
    file.write_bytes(WRITERS["lastfm_csv"](told))
    landed = finished(daily, "import", str(file), "--listener", COPY, *ON)
    finished(daily, "publish", *ON)
    return landed


def addresses(app: Flask) -> Iterator[str]:
    """Every page and route of the listener, by every window where one can be given."""
    with app.extensions["serve"].store.read() as reader:
        found = reader.query(
            """
            select entity_type, entity_id from marts.listener_top
            where listener_id = :listener_id and period = 'all_time' and place = 3
            """,
            {"listener_id": NAME},
        )
    things = {f"{kind}s": key for kind, key in found.rows}
    lists = ("artists", "albums", "tracks", "tags")
    page, route = f"/listeners/{NAME}", f"/api/v1/listeners/{NAME}"
    windows = [
        *(f"range={word}" for word in WORDS),
        "range=all_time&tz=Europe/Oslo",
        "from=2018-03-10&to=2021-08-20&tz=America/New_York",
    ]
    yield from (page, f"{page}/next", f"{route}/development", f"{route}/neighbours")
    yield from (f"{route}/recommendations/{kind}" for kind in ("artists", "again"))
    yield from (f"{route}/trends/{grain}" for grain in ("week", "week-hours"))
    for window in windows:
        for kind in lists:
            for by in ("scrobbles", "minutes"):
                yield f"{route}/top/{kind}?by={by}&{window}"
            yield f"{page}/top/{kind}?{window}"
        for kind, key in things.items():
            yield f"{page}/{kind}/{quote(key, safe='')}?{window}"
        for root in (page, route):
            yield f"{root}/plays?{window}"
            yield f"{root}/plays?q=song 3&{window}"
        for name in STATISTICS:
            yield f"{route}/statistics/{name}?{window}"
        for part in PARTS:
            yield f"{page}/statistics/{part}?{window}"


def answered(app: Flask, rounds: int) -> list[tuple[float, str]]:
    """The fastest of so many answers of each address, in milliseconds.

    Raises:
        AssertionError: one of them is no answer.
    """
    client: FlaskClient = app.test_client()
    best: dict[str, float] = {}
    for _ in range(rounds):
        for address in addresses(app):
            begun = time.perf_counter()
            answer = client.get(address)
            took = (time.perf_counter() - begun) * 1_000
            assert answer.status_code == 200, (address, answer.text[:300])
            best[address] = min(best.get(address, took), took)
    return sorted(((took, address) for address, took in best.items()), reverse=True)


def report(engine: str, times: list[tuple[float, str]]) -> None:
    """Median and 95 % of pages, routes and windows, and the slowest."""
    for title, part in (
        ("all", ""),
        ("pages", "/listeners/"),
        ("routes", "/api/"),
        ("all time", "all_time"),
    ):
        begins = part.startswith("/")
        taken = [
            took
            for took, address in times
            if (address.startswith(part) if begins else part in address)
        ]
        cuts = quantiles(taken, n=20)
        aim = f"   aim {AIM_MS:.0f}" if not part else ""
        print(
            f"{engine}, {title:<9} {len(taken):4d} answers: median {cuts[9]:5.0f} ms,"
            f" 95 % {cuts[18]:5.0f} ms{aim}"
        )
    for took, address in times[:10]:
        print(f"  {took:7.0f} ms  {address}")


def trial(folder: Path, url: str, file: Path, chosen: argparse.Namespace) -> None:
    """All three, on one engine."""
    with ExitStack() as opened:
        warehouse = None
        if chosen.engine == "postgres":
            server = start_postgres()
            opened.callback(server.stop)
            warehouse = server.new_database()
        daily = panel(folder, url, chosen.rate, warehouse)
        truth = true_plays(file)
        pages = 2 * len(truth) // 500  # the listener's, and the others' as many again
        seconds = fetched(daily, pages, chosen.rate)
        app = create_app(service_settings(daily))
        found = plays_of(app, NAME)
        assert found == truth, (len(found), len(truth))
        print(f"fetched {len(found):,} plays, killed twice: {seconds:.0f} s, all there")
        landed = imported(daily, truth)
        app = create_app(service_settings(daily))
        assert plays_of(app, COPY) == truth
        print(f"imported the same: landed in {landed:.0f} s, all there", flush=True)
        report(chosen.engine, answered(app, chosen.rounds))


def service_settings(daily: Daily) -> ServeSettings:
    """The service on what those runs publish, everybody's lists open, no cache."""
    return ServeSettings(
        warehouse=Settings(
            data_dir=daily.data_dir,
            warehouse_url=daily.environment.get("WAREHOUSE_URL"),
        ),
        secret_key="k" * 40,
        public_panel=True,
        cache_bytes=0,
        rate_limit="1000000 per second",
    )


def main() -> None:
    """Make the world, serve it, and show all three."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--plays", type=int, default=300_000)
    options.add_argument("--engine", choices=("duckdb", "postgres"), default="duckdb")
    options.add_argument("--rate", type=float, default=RATE, help="requests a second")
    options.add_argument("--rounds", type=int, default=2)
    options.add_argument("--keep", type=Path, help="a folder that stays")
    chosen = options.parse_args()
    with ExitStack() as opened:
        folder = chosen.keep or Path(
            opened.enter_context(tempfile.TemporaryDirectory())
        )
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "plays.tsv"
        write_world(file, chosen.plays)
        url = opened.enter_context(start_process(f"lastfm-1k:{file}", TODAY)).as_of_url
        trial(folder, url, file, chosen)


if __name__ == "__main__":
    main()
