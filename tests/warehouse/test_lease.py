"""One run at a time: takeover of the dead, never of the living, and fencing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.exc import OperationalError

from warehouse import lease as lease_module
from warehouse import ops
from warehouse.errors import Busy, LeaseLost
from warehouse.lease import Lease
from warehouse.settings import Settings

HOLDER = """
import sys, time
from pathlib import Path
from warehouse.lease import Lease
from warehouse.ops import open_ops
from warehouse.settings import Settings
settings = Settings(data_dir=Path(sys.argv[1]), warehouse_url=sys.argv[2] or None)
lease = Lease(open_ops(settings), sys.argv[3], settings.data_dir / "alive",
              float(sys.argv[4]))
lease.acquire()
print(lease.fence, flush=True)
time.sleep(60)
"""


def make(engine: Engine, settings: Settings, run_id: str, seconds: float = 2) -> Lease:
    return Lease(engine, run_id, settings.data_dir / "alive", seconds)


def hold_elsewhere(settings: Settings, seconds: float) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", HOLDER, str(settings.data_dir)),
            *(settings.warehouse_url or "", "other", str(seconds)),
        ],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip().isdigit()
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait(timeout=10)
    if process.stdout is not None:
        process.stdout.close()


def test_a_second_run_is_told_who_holds_the_lock(
    ops_engine: Engine, ops_settings: Settings
) -> None:
    with (
        make(ops_engine, ops_settings, "first"),
        pytest.raises(Busy, match=r"run first on .* holds the lock"),
    ):
        make(ops_engine, ops_settings, "second").acquire()


def test_fences_only_rise(ops_engine: Engine, ops_settings: Settings) -> None:
    fences = []
    for number in range(3):
        with make(ops_engine, ops_settings, f"run{number}") as lease:
            fences.append(lease.fence)
    assert fences == [1, 2, 3]


def test_of_ten_starts_at_once_one_works(
    ops_engine: Engine, ops_settings: Settings
) -> None:
    barrier = threading.Barrier(10)
    release = threading.Event()

    def start(number: int) -> str:
        lease = make(ops_engine, ops_settings, f"run{number}", 30)
        barrier.wait()
        try:
            lease.acquire()
        except Busy:
            return "busy"
        release.wait(20)
        lease.release()
        return "worked"

    with ThreadPoolExecutor(10) as pool:
        futures = [pool.submit(start, number) for number in range(10)]
        deadline = time.monotonic() + 20
        while sum(f.done() for f in futures) < 9 and time.monotonic() < deadline:
            time.sleep(0.02)
        release.set()
        results = [future.result(timeout=20) for future in futures]
    assert sorted(results) == ["busy"] * 9 + ["worked"]


def test_a_killed_holder_on_this_machine_is_replaced_at_once(
    ops_engine: Engine, ops_settings: Settings
) -> None:
    process = hold_elsewhere(ops_settings, 3600)
    try:
        with pytest.raises(Busy):
            make(ops_engine, ops_settings, "next").acquire()
    finally:
        end(process)
    with make(ops_engine, ops_settings, "next") as lease:
        assert lease.fence == 2
        assert lease.superseded == "other"


def test_a_run_whose_database_went_away_is_replaced_at_once(
    ops_engine: Engine, ops_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_engine: Engine) -> None:
        raise OperationalError("update", {}, OSError("the server is gone"))

    first = make(ops_engine, ops_settings, "first", seconds=60)
    first.acquire()
    with monkeypatch.context() as without:
        without.setattr(type(ops_engine), "begin", gone)
        first.release()
    with make(ops_engine, ops_settings, "second") as second:
        assert second.superseded == "first"


def test_a_killed_holder_on_another_machine_is_replaced_when_its_lease_ran_out(
    ops_engine: Engine, ops_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = hold_elsewhere(ops_settings, 1.5)
    end(process)
    monkeypatch.setattr(lease_module, "host_name", lambda: "elsewhere")
    with pytest.raises(Busy):
        make(ops_engine, ops_settings, "next").acquire()
    time.sleep(1.7)
    with make(ops_engine, ops_settings, "next") as lease:
        assert lease.fence == 2


def test_a_holder_that_renews_is_never_replaced(
    ops_engine: Engine, ops_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = hold_elsewhere(ops_settings, 3)
    try:
        monkeypatch.setattr(lease_module, "host_name", lambda: "elsewhere")
        for _ in range(5):
            time.sleep(0.9)
            with pytest.raises(Busy):
                make(ops_engine, ops_settings, "next").acquire()
    finally:
        end(process)


def test_a_frozen_holder_is_replaced_and_finds_out_when_it_wakes(
    ops_engine: Engine, ops_settings: Settings
) -> None:
    source = (
        HOLDER.replace("print(lease.fence, flush=True)\ntime.sleep(60)", "")
        + """
print(lease.fence, flush=True)
sys.stdin.readline()
from warehouse.errors import LeaseLost
try:
    with lease.engine.begin() as connection:
        lease.check(connection)
    print("published", flush=True)
except LeaseLost as lost:
    print(f"stopped: {lost}", flush=True)
"""
    )
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", source, str(ops_settings.data_dir)),
            *(ops_settings.warehouse_url or "", "frozen", "0.8"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    try:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline().strip() == "1"
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(1.2)
        with make(ops_engine, ops_settings, "next") as lease:
            assert lease.fence == 2
            os.kill(process.pid, signal.SIGCONT)
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline().startswith("stopped: run frozen")
            lease.check()
        process.stdin.close()
    finally:
        end(process)


def test_the_control_without_a_fence_would_let_both_publish(
    ops_engine: Engine, ops_settings: Settings
) -> None:
    """The check looks at the fence: with the old one written back it passes."""
    with make(ops_engine, ops_settings, "first") as lease:
        with ops_engine.begin() as connection:
            connection.execute(update(ops.lease).values(fence=9, run_id="thief"))
        with pytest.raises(LeaseLost), ops_engine.begin() as connection:
            lease.check(connection)
        with ops_engine.begin() as connection:
            connection.execute(update(ops.lease).values(fence=1, run_id="first"))
        lease._lost = None
        with ops_engine.begin() as connection:
            lease.check(connection)


def test_a_run_that_could_not_renew_for_too_long_stops_itself(
    ops_engine: Engine, ops_settings: Settings
) -> None:
    with make(ops_engine, ops_settings, "first") as lease:
        lease.check()
        lease._renewed -= 10
        with pytest.raises(LeaseLost, match="no renewal"):
            lease.check()
