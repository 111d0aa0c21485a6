"""One million scrobbles from landing files into schema raw, beside plain DuckDB.

    python bench/load.py [--scrobbles N] [--postgres URL]

Each contender runs in a process of its own on the same files: the load (parse, dlt,
promote, all checks) and, as its peer, one DuckDB statement that reads the same files
into one typed table. With --postgres, the load into that database stands beside COPY of
the same rows. Prints seconds, rows a second, peak memory, processor time (which says
more than seconds where others use the machine) and the ratios.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import duckdb

from ingest.landing import PartWriter, Record
from warehouse.ops import utcnow

PAGE = 1000
PAGES_A_PART = 100
WRITERS = 2
# By the environment, since every step is a process of its own.
LISTENERS = int(os.environ.get("BENCH_LISTENERS", "50"))
FIRST = 1_600_000_000
# All scrobbles take three years, however many there are.
SPAN = 95_000_000
DAY = date(2026, 11, 22)
STAR = "https://lastfm.freetls.fastly.net/i/u/{}/2a96cbd8b46e442fc41c2b86b821562f.png"
IMAGES = [
    {"size": size, "#text": STAR.format(place)}
    for size, place in [
        ("small", "34s"),
        ("medium", "64s"),
        ("large", "174s"),
        ("extralarge", "300x300"),
    ]
]


TRACK_JSON = f"""
    '{{"artist":{{"mbid":"","#text":"Artist ' || artist || '"}},"streamable":"0",'
    || '"image":{json.dumps(IMAGES, separators=(",", ":"))},"mbid":"",'
    || '"album":{{"mbid":"","#text":"Album ' || artist || '-' || track % 3 || '"}},'
    || '"name":"Track ' || artist || '-' || track || '",'
    || '"url":"https://www.last.fm/music/Artist+' || artist || '/_/Track+' || track
    || '","date":{{"uts":"' || uts || '","#text":"25 Oct 2020, 10:36"}}}}'
"""
# Plays of a page follow each other; the listeners' pages cover the same time.
BODIES = f"""
    with plays as (
        select
            i // $size as page,
            -- Pareto's distribution: few artists have most of the plays.
            cast(
                least(floor(pow((hash(i, $name) % 1e9 + 1) / 1e9, -1 / 1.1)), 20000)
                as integer
            ) as artist,
            hash(i, $name, 'track') % 30 as track,
            $first + cast(
                (page // {LISTENERS} * {LISTENERS} * $size
                + i % $size * {LISTENERS} + page % {LISTENERS})
                * $span // $scrobbles as bigint
            ) as uts,
            i
        from range($from, $until) as numbers (i)
    )
    select
        page,
        '{{"recenttracks":{{"track":[' || string_agg({TRACK_JSON}, ',' order by i)
        || '],"@attr":{{"user":"listener' || page % {LISTENERS}
        || '","page":"' || page + 1 || '","perPage":"' || $size
        || '","totalPages":"' || $scrobbles // $size
        || '","total":"' || $scrobbles || '"}}}}}}'
    from plays
    group by page
    order by page
"""


def make(
    folder: Path,
    scrobbles: int,
    name: str = "bench",
    *,
    first: int = FIRST,
    span: int = SPAN,
    size: int = PAGE,
) -> None:
    """Write landing files of pages as last.fm writes them, and the list of the files.

    Every listener plays all the time. A further load needs a new name.

    Args:
        first: Unix second of the first scrobble.
        span: seconds between the first scrobble and the last one of all.
        size: scrobbles in a page; as many pages as are whole.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plan = {
        "name": name,
        "first": first,
        "span": span,
        "size": size,
        "scrobbles": scrobbles,
    }
    firsts = range(0, scrobbles // size, PAGES_A_PART)
    # Not in this process: a contender's peak memory begins with that of its parent.
    with ProcessPoolExecutor(WRITERS, get_context("spawn")) as pool:
        parts = list(pool.map(write_part, repeat(folder), repeat(plan), firsts))
    (folder / "parts.json").write_text(json.dumps(parts))


def write_part(folder: Path, plan: dict[str, Any], at: int) -> tuple[str, int, int]:
    """One landing file, from page `at` on: its name, its bytes, its pages."""
    name, size = plan["name"], plan["size"]
    until = min(at + PAGES_A_PART, plan["scrobbles"] // size)
    wanted = {**plan, "from": at * size, "until": until * size}
    with duckdb.connect(config={"threads": 1}) as database:
        database.execute("set enable_progress_bar = false")
        bodies = database.execute(BODIES, wanted).fetchall()
    with PartWriter(folder / "landing", DAY, f"{name}-{at}") as writer:
        for number, body in bodies:
            user = f"listener{number % LISTENERS}"
            record = Record(
                call_id=f"{name}-{number}",
                run_id=name,
                as_of_date=DAY,
                method="user.getRecentTracks",
                params={"user": user, "limit": str(size)},
                context=None,
                attempt=1,
                fetched_at=utcnow(),
                status=200,
                body=body.encode(),
            )
            writer.recorded(writer.append([record.to_line()]), 1)
        return writer.part, writer.bytes, until - at


def unpacked_bytes(path: Path) -> int:
    """How long a landing file is without compression."""
    with gzip.open(path) as file:
        return sum(len(line) for line in file)


def run_load(folder: Path, url: str | None) -> int:
    """The load itself."""
    from ingest.landing import Part
    from ingest.load.load import load
    from warehouse.run import Target

    target = Target(url=url)
    if url is None:
        target = Target(duckdb_path=folder / "loaded.duckdb")
    parts = [
        Part(name, "bench", DAY, size, answers, True)
        for name, size, answers in json.loads((folder / "parts.json").read_text())
    ]
    result = load(
        target,
        folder / "landing",
        parts,
        f"bench-{time.time_ns()}",
        DAY,
        folder / "work",
        lambda _connection: None,
    )
    return result.rows


TRACK = (
    '{"artist": {"#text": "VARCHAR", "mbid": "VARCHAR"}, "name": "VARCHAR",'
    ' "mbid": "VARCHAR", "album": {"#text": "VARCHAR", "mbid": "VARCHAR"},'
    ' "date": {"uts": "BIGINT"}, "@attr": {"nowplaying": "VARCHAR"}}'
)
PLAIN = f"""
    create table scrobbles as
    select
        call_id, as_of_date, fetched_at, listener_name,
        track.date.uts as scrobbled_uts,
        coalesce(track."@attr".nowplaying = 'true', false) as is_now_playing,
        track.artist."#text" as artist_name,
        nullif(track.artist.mbid, '') as artist_mbid,
        track.name as track_name,
        nullif(track.mbid, '') as track_mbid,
        track.album."#text" as album_name,
        nullif(track.album.mbid, '') as album_mbid
    from (
        select
            call_id, as_of_date, fetched_at,
            body.recenttracks."@attr"."user" as listener_name,
            unnest(body.recenttracks.track) as track
        from (
            select
                call_id, as_of_date, fetched_at,
                from_json(body, '{{"recenttracks": {{"@attr": {{"user": "VARCHAR"}},
                    "track": [{TRACK}]}}}}') as body
            from read_json(
                '$LANDING/*/*.jsonl.gz',
                format = 'newline_delimited',
                columns = {{call_id: 'varchar', as_of_date: 'date',
                    fetched_at: 'timestamp', body: 'varchar'}}
            )
        )
    )
"""


def run_plain(folder: Path, _url: str | None) -> int:
    """The peer: one statement, no checks."""
    with duckdb.connect(str(folder / "plain.duckdb")) as connection:
        connection.execute("set memory_limit = '800MB'")
        connection.execute("set preserve_insertion_order = false")
        connection.execute(PLAIN.replace("$LANDING", str(folder / "landing")))
        return int(
            connection.execute("select count(*) from scrobbles").fetchall()[0][0]
        )


def run_copy(folder: Path, url: str | None) -> int:
    """The peer on PostgreSQL: COPY of the same rows, from a CSV file made before."""
    import psycopg2
    from sqlalchemy import make_url

    assert url is not None
    plain = make_url(url).set(drivername="postgresql")
    connection = psycopg2.connect(plain.render_as_string(hide_password=False))
    with connection, connection.cursor() as cursor:
        cursor.execute("drop table if exists bench_scrobbles")
        cursor.execute(
            "create table bench_scrobbles (call_id text, as_of_date date, fetched_at"
            " timestamp, listener_name text, scrobbled_uts bigint, is_now_playing"
            " boolean, artist_name text, artist_mbid text, track_name text,"
            " track_mbid text, album_name text, album_mbid text)"
        )
        with (folder / "scrobbles.csv").open() as file:
            cursor.copy_expert("copy bench_scrobbles from stdin (format csv)", file)
            rows: int = cursor.rowcount
    connection.close()
    return rows


def write_csv(folder: Path) -> None:
    """The rows of the plain table as CSV."""
    with duckdb.connect(str(folder / "plain.duckdb")) as connection:
        connection.execute(
            f"copy scrobbles to '{folder / 'scrobbles.csv'}' (format csv, header false)"
        )


CONTENDERS: dict[str, Callable[[Path, str | None], int]] = {
    "load": run_load,
    "plain": run_plain,
    "copy": run_copy,
}


def child(name: str, folder: Path, url: str | None) -> None:
    """Run one contender and say what it took, start of the process included."""
    rows = CONTENDERS[name](folder, url)
    used = resource.getrusage(resource.RUSAGE_SELF)
    peak = used.ru_maxrss // 1024
    print(
        json.dumps({"rows": rows, "peak": peak, "busy": used.ru_utime + used.ru_stime})
    )


def measure(
    name: str, folder: Path, url: str | None, rounds: int
) -> tuple[float, int, int, float]:
    """The best of some rounds: seconds, rows, peak MB, processor seconds."""
    best = (float("inf"), 0, 0, 0.0)
    for _ in range(rounds):
        for left in (*folder.glob("loaded.duckdb*"), *folder.glob("plain.duckdb*")):
            if left.name.startswith("loaded" if name == "load" else "plain"):
                left.unlink()
        if url is not None and name == "load":
            drop_raw(url)
        command = [sys.executable, __file__, "--child", name, "--folder", str(folder)]
        started = time.perf_counter()
        done = subprocess.run(
            [*command, *(("--postgres", url) if url else ())],
            stdout=subprocess.PIPE,
            check=True,
            timeout=1800,
        )
        seconds = time.perf_counter() - started
        found = json.loads(done.stdout.splitlines()[-1])
        best = min(best, (seconds, found["rows"], found["peak"], found["busy"]))
    return best


def drop_raw(url: str) -> None:
    """Empty the bench database."""
    from sqlalchemy import create_engine

    engine = create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("drop schema if exists raw cascade")
    engine.dispose()


def main() -> None:
    """Make the files, let the contenders run, print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--scrobbles", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--postgres", metavar="URL")
    options.add_argument("--child", choices=CONTENDERS, help=argparse.SUPPRESS)
    options.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.child:
        child(chosen.child, chosen.folder, chosen.postgres)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, chosen.scrobbles)
        packed = sum(path.stat().st_size for path in folder.rglob("*.gz"))
        unpacked = sum(unpacked_bytes(path) for path in folder.rglob("*.gz"))
        print(
            f"{chosen.scrobbles:,} scrobbles in {chosen.scrobbles // PAGE:,} pages,"
            f" {unpacked / 1e6:,.0f} MB, {packed / 1e6:,.1f} MB packed;"
            f" best of {chosen.rounds}"
        )
        pairs = [("load", "plain", None)]
        if chosen.postgres:
            pairs.append(("load", "copy", chosen.postgres))
        for contender, peer, url in pairs:
            where = "PostgreSQL" if url else "DuckDB"
            # The peer first: COPY needs the file made of the plain table.
            theirs = measure(peer, folder, url, chosen.rounds)
            ours = measure(contender, folder, url, chosen.rounds)
            if not url and chosen.postgres:
                write_csv(folder)
            for label, (seconds, rows, peak, busy) in (
                (f"load into {where}", ours),
                (f"{peer}, {where}", theirs),
            ):
                print(
                    f"{label:<22} {seconds:6.2f} s {rows / seconds:>12,.0f} rows/s"
                    f" {peak:>6,} MB peak {busy:6.2f} s of processor"
                )
            print(
                f"{'ratio':<22} {ours[0] / theirs[0]:6.2f}"
                f" ({ours[3] / theirs[3]:.2f} of processor time)"
            )


if __name__ == "__main__":
    main()
