"""A run frozen inside a transaction is ended, if nobody waits for it any more."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from warehouse import ops
from warehouse.frozen import end_frozen_writer
from warehouse.lease import Lease
from warehouse.settings import load_settings

CHILD = """
    import os, signal, sys
    from pathlib import Path
    from warehouse import ops
    from warehouse.lease import Lease
    from warehouse.settings import load_settings
    folder = Path(sys.argv[1])
    engine = ops.open_ops(load_settings({"data_dir": str(folder)}))
    lease = Lease(engine, "frozen", folder / "alive", 1.0)
    lease.acquire()
    def freeze():
        print("frozen", flush=True)
        os.kill(os.getpid(), signal.SIGSTOP)
    if sys.argv[2] == "inside":
        with engine.begin() as connection:
            lease.check(connection)
            freeze()
    else:
        lease._stop.set()
        lease._thread.join()
        freeze()
"""


@contextmanager
def frozen(folder: Path, where: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(folder), where],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == "frozen\n"
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def is_locked(journal: Path) -> bool:
    with closing(sqlite3.connect(journal, timeout=0.2)) as connection:
        connection.isolation_level = None
        try:
            connection.execute("begin immediate")
        except sqlite3.OperationalError:
            return True
        return False


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="Linux says who locks")
def test_a_run_frozen_in_a_transaction_does_not_stop_the_next_one(
    tmp_path: Path,
) -> None:
    settings = load_settings({"data_dir": str(tmp_path)})
    journal = ops.journal_path(settings)
    with frozen(tmp_path, "inside") as process:
        assert end_frozen_writer(journal, 0.2) is None, "its lease still holds"
        time.sleep(1.2)
        assert process.poll() is None and is_locked(journal), "the control"
        said = end_frozen_writer(journal, 0.2)
        assert said is not None and f"process {process.pid} of run frozen" in said
        assert process.wait(timeout=5) == -signal.SIGKILL
        engine = ops.open_ops(settings)
        with Lease(engine, "next", tmp_path / "alive", 60.0) as lease:
            assert lease.superseded == "frozen" and lease.fence == 2
        engine.dispose()


def test_a_frozen_run_that_locks_nothing_is_left_alone(tmp_path: Path) -> None:
    settings = load_settings({"data_dir": str(tmp_path)})
    with frozen(tmp_path, "outside") as process:
        time.sleep(1.2)
        assert end_frozen_writer(ops.journal_path(settings), 0.2) is None
        os.kill(process.pid, signal.SIGCONT)
        assert process.wait(timeout=10) == 0, "it wakes and ends by itself"


def test_no_journal_or_an_empty_one_has_nobody(tmp_path: Path) -> None:
    assert end_frozen_writer(tmp_path / "ops.sqlite") is None
    (tmp_path / "ops.sqlite").touch()
    assert end_frozen_writer(tmp_path / "ops.sqlite") is None
