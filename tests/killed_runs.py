"""Runs that are killed at a moment of one of their steps, on either engine.

Owns the trial itself: which moments are drawn, and what must be true after each kill
and after the run that mends.
"""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable, Mapping
from datetime import date

from tests.daily_runs import Daily, Shown

Kill = tuple[str, float]


def end(process: subprocess.Popen[str]) -> None:
    """Kill the process and wait until it has gone."""
    process.kill()
    process.communicate(timeout=30)


def drawn_kills(
    longest: Mapping[str, float], count: int, *, is_each_once: bool = False
) -> list[Kill]:
    """Random moments of random steps: the step, and seconds after its start.

    Args:
        longest: about how long each step takes, in the order of a run; so a kill may
            also come in the step after it.
        is_each_once: no step twice, and in the order of a run.
    """
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    draw = random.Random(seed)
    if is_each_once:
        steps = sorted(draw.sample(list(longest), count), key=list(longest).index)
    else:
        steps = draw.choices(list(longest), k=count)
    return [(step, draw.random() * longest[step]) for step in steps]


def differing(shown: Shown, expected: Shown) -> list[str]:
    """The marts that are not as expected."""
    return sorted(
        mart for mart in expected.marts if shown.marts[mart] != expected.marts[mart]
    )


def kill_and_mend(
    fresh: Callable[[], Daily], today: Daily, day: date, kills: list[Kill]
) -> None:
    """Kill a run of `day` at each of these moments; then one run must end like `today`.

    Args:
        fresh: a new copy of the warehouse that has published the day before.
        today: the same warehouse after a run that nobody disturbed.
    """
    daily = fresh()
    before, after = daily.shown(), today.shown()
    killed = 0
    for number, (step, delay) in enumerate(kills, start=1):
        newest = daily.newest_run()
        assert newest is not None
        process = daily.start("daily", "--as-of", str(day))
        try:
            # A run killed before had this step as well: only the new one counts.
            if daily.wait_for(step, process, after=newest[0]):
                time.sleep(delay)
            is_killed = process.poll() is None
        finally:
            end(process)
        killed += is_killed
        print(
            f"{'killed in' if is_killed else 'published before'} {step} + {delay:.3f}"
        )
        shown = daily.shown()
        if shown.version == before.version:
            assert is_killed, "a run that ended by itself has published"
            assert differing(shown, before) == []
            assert daily.market() in ("open", "closed")
        else:
            assert differing(shown, after) == []
            if number < len(kills):
                daily = fresh()
    # A run may be done just before the kill, but not often.
    assert killed >= 0.6 * len(kills)
    # A run killed after it had published leaves its folder to the next working run.
    daily.run("daily", "--as-of", str(day), "--force")
    assert differing(daily.shown(), after) == []
    assert daily.market() == "open"
    assert not list((daily.data_dir / "work").glob("*"))
    twice = daily.rows(
        "select count(*) - count(distinct (listener_id, scrobbled_at, track_id,"
        " album_id)) from marts.fct_scrobbles"
    )
    lost = daily.rows("select count(*) from raw.loads where items <> rows + dead")
    assert (twice, lost) == ([(0,)], [(0,)])
