"""One rate for all threads and processes, on the database's clock."""

from __future__ import annotations

import itertools
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, select

from ingest.lastfm.limiter import Limiter
from ingest.lastfm.queue import fetch_limits


@dataclass
class Clock:
    """A local clock and a database clock 1,000 s ahead, moved by sleeping."""

    now: float = 50.0
    slept: list[float] = field(default_factory=list)

    def local(self) -> float:
        return self.now

    def database(self, _connection: Connection) -> float:
        return self.now + 1000.0

    def wait(self, seconds: float) -> bool:
        self.slept.append(seconds)
        self.now += seconds
        return False


def limiter(engine: Engine, clock: Clock, rate: float = 4.0) -> Limiter:
    return Limiter(
        engine,
        "ws.test",
        rate,
        now=clock.local,
        wait=clock.wait,
        database_now=clock.database,
    )


def starts(limit: Limiter, clock: Clock, count: int) -> list[float]:
    found = []
    for _ in range(count):
        assert limit.acquire()
        found.append(clock.now)
    return found


def test_requests_start_a_quarter_of_a_second_apart(engine: Engine) -> None:
    clock = Clock()
    found = starts(limiter(engine, clock), clock, 9)
    gaps = [b - a for a, b in itertools.pairwise(found)]
    assert gaps == pytest.approx([0.25] * 8)


def test_time_nobody_used_is_not_saved_up(engine: Engine) -> None:
    clock = Clock()
    limit = limiter(engine, clock, rate=40.0)
    starts(limit, clock, 3)
    clock.now += 60
    found = starts(limit, clock, 60)
    assert found[-1] - found[0] >= 59 / 40 - 0.25


def test_two_limiters_on_one_database_share_the_rate(engine: Engine) -> None:
    clock = Clock()
    one, other = limiter(engine, clock), limiter(engine, clock)
    found = [starts(each, clock, 1)[0] for each in (one, other) * 10]
    assert found[-1] - found[0] == pytest.approx(19 / 4)


def test_servers_do_not_share_a_rate(engine: Engine) -> None:
    clock = Clock()
    one = limiter(engine, clock)
    other = Limiter(
        engine,
        "other.test",
        4.0,
        now=clock.local,
        wait=clock.wait,
        database_now=clock.database,
    )
    starts(one, clock, 1)
    before = clock.now
    starts(other, clock, 1)
    assert clock.now == before


def test_after_a_rate_limit_error_everybody_rests_and_goes_on_slower(
    engine: Engine,
) -> None:
    clock = Clock()
    one, other = limiter(engine, clock), limiter(engine, clock)
    starts(one, clock, 2)
    met = clock.now
    assert one.slow_down(sent_at=met) == pytest.approx(30.0)
    found = starts(other, clock, 3)
    assert found[0] - met >= 30.0
    assert found[1] - found[0] == pytest.approx(0.5)
    assert starts(one, clock, 1)[0] - met >= 30.0


def test_errors_of_requests_that_were_under_way_count_once(engine: Engine) -> None:
    clock = Clock()
    limit = limiter(engine, clock)
    sent = clock.now
    for _ in range(20):
        clock.now += 0.01
        limit.slow_down(sent_at=sent)
    with engine.connect() as connection:
        row = connection.execute(select(fetch_limits)).one()
    assert row.factor == 0.5
    assert row.blocked_until <= clock.database(None) + 30.0  # type: ignore[arg-type]


def test_the_rate_recovers_after_a_while_without_errors(engine: Engine) -> None:
    clock = Clock()
    limit = limiter(engine, clock)
    starts(limit, clock, 1)
    limit.slow_down(sent_at=clock.now)
    starts(limit, clock, 1)
    clock.now += 301
    found = starts(limit, clock, 4)
    assert found[-1] - found[-2] == pytest.approx(0.25)


def test_a_slot_taken_before_the_error_is_void(engine: Engine) -> None:
    clock = Clock()
    limit = limiter(engine, clock)
    starts(limit, clock, 1)

    def wait(seconds: float) -> bool:
        if not clock.slept:
            limit.slow_down(sent_at=clock.now)
        return clock.wait(seconds)

    limit._wait = wait
    met = clock.now
    assert starts(limit, clock, 1)[0] - met >= 30.0


def test_a_stopped_limiter_lets_its_threads_go(engine: Engine) -> None:
    limit = Limiter(engine, "ws.test", 0.01)
    assert limit.acquire()
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(limit.acquire()))
    thread.start()
    time.sleep(0.05)
    limit.stop()
    thread.join(timeout=5)
    assert found == [False]


def test_no_rate_is_refused(engine: Engine) -> None:
    with pytest.raises(ValueError, match="is none"):
        Limiter(engine, "ws.test", 0)


SHARED = """
    import sys, time
    from pathlib import Path
    from warehouse import ops
    from warehouse.settings import load_settings
    from ingest.lastfm.limiter import Limiter
    engine = ops.open_ops(load_settings({"data_dir": sys.argv[1]}))
    limit = Limiter(engine, "ws.test", 40.0)
    print("ready", flush=True)
    while not Path(sys.argv[1], "go").exists():
        time.sleep(0.01)
    for _ in range(60):
        limit.acquire()
        print(repr(time.time()), flush=True)
"""


def test_two_processes_keep_one_rate(engine: Engine, tmp_path: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(SHARED), str(tmp_path)]
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    (tmp_path / "go").touch()
    outputs = [process.communicate(timeout=60)[0].split() for process in processes]
    one, other = ([float(moment) for moment in moments] for moments in outputs)
    assert max(one[0], other[0]) < min(one[-1], other[-1]), "at the same time"
    both = sorted(one + other)
    # Late slots may be made up for within a quarter of a second, ten of them.
    assert both[-1] - both[0] >= (len(both) - 1 - 2 * 10) / 40
    busiest = max(
        sum(1 for moment in both if start <= moment < start + 1) for start in both
    )
    assert busiest <= 40 + 2 * 10 + 1


@pytest.mark.postgres
def test_the_rate_is_kept_on_postgresql_too(postgres_engine: Engine) -> None:
    limit = Limiter(postgres_engine, "ws.test", 50.0)
    other = Limiter(postgres_engine, "ws.test", 50.0)
    started = time.monotonic()
    for _ in range(25):
        assert limit.acquire() and other.acquire()
    assert time.monotonic() - started >= 49 / 50 - 0.5
    assert limit.slow_down(time.monotonic()) == pytest.approx(30.0, abs=0.1)
