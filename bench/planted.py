"""Flags and anomalies on planted cases: how many are found, how many are right.

    python -m bench planted
    python -m bench.planted [--seeds 1,2,3]

Builds the models over worlds whose plan they do not know. Anomalies: a hundred cases
of each kind of step on random walks of flows, and as many true bursts. Flags: robots of
five kinds and people of six, of whom every number (plays, hours, days, what is cut
off) is drawn by lot from a range that is not that of the rules. Recall is the share of
the planted cases that were found, precision the share of what was found that was
planted.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from tests.dbt_project.project import RawWarehouse
from tests.dbt_project.test_flow_states import (
    KINDS,
    MODELS,
    ONE_OF_EACH,
    Plan,
    found_of,
    steps_of,
)

FIRST = date(2026, 3, 2)
LAST = FIRST + timedelta(days=40)
EACH = 12
"""Listeners of each kind."""
Play = tuple[datetime, str, int | None]
"""When, which track, and its length in seconds where anybody knows it."""


def _at(day: int, hour: float, second: float = 0) -> datetime:
    start = datetime.combine(FIRST + timedelta(days=day), time(0), UTC)
    return start + timedelta(seconds=3600 * hour + second)


def _stream(
    lot: random.Random, day: int, hour: float, plays: int, seconds: float
) -> Iterator[Play]:
    """Different tracks one after the other, a little unevenly."""
    for number in range(plays):
        late = seconds * number + lot.uniform(0, 0.2 * seconds)
        yield _at(day, hour, late), f"song {day} {number}", int(seconds)


def farm(lot: random.Random) -> Iterator[Play]:
    for day in range(lot.randint(2, 6)):
        plays = lot.randint(620, 1400)
        hours = lot.uniform(14, 23)
        yield from _stream(
            lot, day, lot.uniform(0, 23 - hours), plays, 3600 * hours / plays
        )


def never_off(lot: random.Random) -> Iterator[Play]:
    seconds = lot.uniform(140, 200)
    hours = lot.uniform(24, 60)
    yield from _stream(lot, 3, lot.uniform(0, 24), int(3600 * hours / seconds), seconds)


def always_there(lot: random.Random) -> Iterator[Play]:
    minutes = lot.uniform(20, 50)
    days = lot.uniform(8.5, 20)
    for number in range(int(days * 24 * 60 / minutes)):
        late = 60 * (minutes * number + lot.uniform(0, 8))
        yield _at(1, 5, late), f"song {number}", 210


def cut_short(lot: random.Random) -> Iterator[Play]:
    share = lot.uniform(0.4, 0.9)
    for day in range(lot.randint(1, 8)):
        moment = _at(day, lot.uniform(6, 12), 7)
        for number in range(lot.randint(120, 400)):
            yield moment, f"song {day} {number}", 200
            heard = lot.uniform(10, 80) if lot.random() < share else 205
            moment += timedelta(seconds=heard)


def one_track(lot: random.Random) -> Iterator[Play]:
    for day in range(lot.randint(2, 15)):
        plays = lot.randint(310, 500)
        for number in range(plays):
            late = 3600 * 17 * number / plays + lot.uniform(0, 20)
            yield _at(day, 5, late), "the song", 120


def ordinary(lot: random.Random) -> Iterator[Play]:
    for day in range(40):
        hour = lot.uniform(7, 19)
        yield from _stream(lot, day, hour, lot.randint(0, 70), lot.uniform(180, 260))


def long_saturday(lot: random.Random) -> Iterator[Play]:
    for day in (5, 12, 19):
        yield from _stream(lot, day, 8, lot.randint(180, 290), lot.uniform(195, 230))


def minute_precision(lot: random.Random) -> Iterator[Play]:
    for day in range(25):
        for number in range(lot.randint(30, 130)):
            yield (
                _at(day, 10, 300 * (number // lot.randint(1, 3))),
                f"song {number}",
                200,
            )


def an_album_all_day(lot: random.Random) -> Iterator[Play]:
    for number in range(lot.randint(90, 180)):
        yield _at(9, 9, 230 * number), f"song {number % 11}", 228


def impatient(lot: random.Random) -> Iterator[Play]:
    for day in range(20):
        moment = _at(day, 18, 11)
        for number in range(lot.randint(40, 110)):
            yield moment, f"song {day} {number}", 200
            moment += timedelta(seconds=40 if lot.random() < 0.15 else 207)


def mixes(lot: random.Random) -> Iterator[Play]:
    for day in range(20):
        for number in range(lot.randint(5, 60)):
            yield _at(day, 10, lot.uniform(260, 500) * number), f"mix {number}", 3600


ROBOTS = (farm, never_off, always_there, cut_short, one_track)
PEOPLE = (
    *(ordinary, long_saturday, minute_precision),
    *(an_album_all_day, impatient, mixes),
)


def flagged(seed: int, folder: Path) -> tuple[set[str], set[str]]:
    """The robots that were planted, and the listeners that the models flag."""
    lot = random.Random(seed)
    warehouse = RawWarehouse(folder)
    call = {"load_id": 1, "as_of_date": LAST}
    robots = set()
    for kind in (*ROBOTS, *PEOPLE):
        for number in range(EACH):
            name = f"{kind.__name__.replace('_', '-')}-{number}"
            if kind in ROBOTS:
                robots.add(name)
            _insert(warehouse, call, name, list(kind(lot)))
    loaded = {"loaded_at": datetime.combine(LAST, time(22)), "run_id": "run"}
    counts = dict.fromkeys(("answers", "items", "rows"), 1)
    warehouse.insert("loads", [{**call, **loaded, **counts, "dead": 0}])
    warehouse.build("+listener_flags")
    rows = warehouse.query("select distinct listener_id from marts.listener_flags")
    return robots, {name for (name,) in rows}


def _insert(
    warehouse: RawWarehouse, call: dict[str, Any], name: str, plays: Sequence[Play]
) -> None:
    warehouse.insert(
        "lastfm__user_recent_tracks",
        [
            {
                **call,
                "call_id": f"walk {name}",
                "item_index": index,
                "listener_name": name,
                "is_now_playing": False,
                "artist_name": f"Artist of {name}",
                "track_name": track,
                "scrobbled_uts": int(moment.timestamp()),
            }
            for index, (moment, track, _) in enumerate(plays)
        ],
    )
    lengths = {track: seconds for _, track, seconds in plays if seconds is not None}
    warehouse.insert(
        "lastfm__track_infos",
        [
            {
                **call,
                "call_id": f"tracks {name}",
                "item_index": index,
                "artist_name": f"Artist of {name}",
                "track_name": track,
                "duration_seconds": seconds,
            }
            for index, (track, seconds) in enumerate(lengths.items())
        ],
    )


def _print_flags(seed: int, robots: set[str], found: set[str]) -> None:
    right = len(robots & found)
    people = EACH * len(PEOPLE)
    print(
        f"flags, seed {seed}: recall {right / len(robots):.3f} of {len(robots)} robots,"
        f" precision {right / max(1, len(found)):.3f} of {len(found)} flagged"
        f" ({people} people)"
    )
    for title, names in (("missed", robots - found), ("wrong", found - robots)):
        kinds = Counter(name.rpartition("-")[0] for name in names)
        print(f"  {title}: {dict(kinds) or 'none'}", flush=True)


def _print_anomalies(seed: int, folder: Path) -> None:
    plan = Plan(random.Random(seed))
    for kind in KINDS:
        for number in range(ONE_OF_EACH):
            plan.plant(kind, number)
    warehouse = RawWarehouse(folder)
    warehouse.insert("lastfm__artist_infos", plan.rows())
    warehouse.insert("lastfm__artist_corrections", plan.corrections)
    warehouse.build(*MODELS)
    found = found_of(plan, steps_of(warehouse))
    cases = found.wanted.total()
    print(
        f"anomalies, seed {seed}: recall {found.hit.total() / cases:.3f} of {cases}"
        f" cases, precision {found.precision:.3f} of {found.said} steps set aside;"
        f" of {ONE_OF_EACH} true bursts {found.bursts['halted']} halted for a day,"
        f" {found.bursts['taken out']} taken out"
    )
    for kind, recall in sorted(found.recall.items()):
        print(f"  {kind:<12} recall {recall:.3f} of {found.wanted[kind]}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure flags and anomalies on worlds of these seeds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", default="1,2,3")
    given = parser.parse_args(arguments)
    for seed in (int(one) for one in given.seeds.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            robots, found = flagged(seed, Path(folder))
        _print_flags(seed, robots, found)
        with tempfile.TemporaryDirectory() as folder:
            _print_anomalies(seed, Path(folder))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
