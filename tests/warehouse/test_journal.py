"""The journal tells what each run did and names the runs that died."""

from __future__ import annotations

import threading
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from warehouse import ops
from warehouse.interruption import let_go
from warehouse.journal import Journal, abandon_dead_runs, last_runs
from warehouse.settings import Settings

DAY = date(2026, 1, 1)


def test_a_run_and_its_steps_come_back_as_they_were_entered(
    ops_engine: Engine,
) -> None:
    journal = Journal(ops_engine, "r1")
    journal.open(1, "daily", DAY)
    journal.start("fetch")
    journal.finish("fetch", {"requests": 3})
    journal.start("load")
    journal.finish("load", {"error": "api_key=0123456789abcdef"}, state="failed")
    journal.close("failed", error="LoadFailed: sk=secretsecret")
    (run,) = last_runs(ops_engine, 5)
    assert (run["state"], run["step"], run["as_of_date"]) == ("failed", "load", DAY)
    assert "secretsecret" not in run["error"]
    assert [(step.step, step.state) for step in run["steps"]] == [
        ("fetch", "done"),
        ("load", "failed"),
    ]
    assert run["steps"][0].detail == {"requests": 3}
    assert "0123456789abcdef" not in str(run["steps"][1].detail)


def test_runs_that_died_are_named_with_their_step_once(ops_engine: Engine) -> None:
    for fence, run_id in ((1, "dead"), (2, "done"), (3, "now")):
        journal = Journal(ops_engine, run_id)
        journal.open(fence, "daily", DAY)
        journal.start("build")
        if run_id == "done":
            journal.close("done", "v")
    assert abandon_dead_runs(ops_engine, 3) == [
        "run dead (in build) did not finish; its work is discarded"
    ]
    assert abandon_dead_runs(ops_engine, 3) == []
    states = {run["run_id"]: run["state"] for run in last_runs(ops_engine, 5)}
    assert states == {"dead": "abandoned", "done": "done", "now": "running"}


def test_a_dead_run_that_wakes_up_cannot_close_itself_as_done(
    ops_engine: Engine,
) -> None:
    journal = Journal(ops_engine, "dead")
    journal.open(1, "daily", DAY)
    abandon_dead_runs(ops_engine, 2)
    journal.close("done", "v")
    assert last_runs(ops_engine, 1)[0]["state"] == "abandoned"


def test_times_are_the_databases_and_not_this_machines(
    ops_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ops, "utcnow", lambda: datetime(2001, 1, 1))
    with ops_engine.begin() as connection:
        before = ops.database_time(connection)
    journal = Journal(ops_engine, "r1")
    journal.open(1, "daily", DAY)
    journal.start("fetch")
    journal.finish("fetch", {})
    journal.close("done", "v")
    (run,) = last_runs(ops_engine, 1)
    times = (run["started_at"], run["finished_at"], run["steps"][0].finished_at)
    assert all(before <= time < before + timedelta(minutes=5) for time in times)


def test_a_run_stopped_inside_a_transaction_can_still_write_its_journal(
    tmp_path: Path,
) -> None:
    engine = ops.open_ops(Settings(data_dir=tmp_path))

    def step() -> None:
        connection = engine.connect()
        connection.begin()
        raise KeyboardInterrupt("stopped by signal 15")

    def write() -> None:
        with engine.begin():
            pass

    try:
        step()
    except KeyboardInterrupt as stopped:
        let_go(stopped)
        writing = threading.Thread(target=write, daemon=True)
        writing.start()
        writing.join(timeout=10)
        assert not writing.is_alive(), "the transaction still locks the file"
    engine.dispose()
