"""A frozen run must not keep the embedded journal locked.

Owns the one case that neither the lease nor SQLite can end: a process that was stopped
(SIGSTOP, a suspended terminal) inside a transaction holds the journal's write lock for
as long as it sleeps. PostgreSQL ends such a transaction itself. Must not touch a
process that runs, that holds no lock, or whose lease has not run out: what it does when
it wakes is refused by the lease.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from warehouse.lease import NAME, host_name, is_alive

LOCKED_SECONDS = 2.0
STOPPED = ("T", "t")


def end_frozen_writer(journal: Path, patience: float = LOCKED_SECONDS) -> str | None:
    """End the process that is frozen in a transaction of the journal, if there is one.

    Its lease has run out, so the caller may take over; what it had not committed is
    undone, as after any kill. Returns what was done; None where there is nothing to do.

    Args:
        patience: seconds for which the journal has to be locked.
    """
    if not journal.exists():
        return None
    holder = _expired_holder(journal)
    if holder is None:
        return None
    run_id, alive_path = holder
    pid = _process_of(alive_path)
    if pid is None or not _is_stopped(pid) or not _is_locked(journal, patience):
        return None
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while is_alive(alive_path) and time.monotonic() < deadline:
        time.sleep(0.01)
    return (
        f"ended process {pid} of run {run_id}: it was stopped in the middle of a"
        " transaction, kept the journal locked, and its lease had run out"
    )


def _expired_holder(journal: Path) -> tuple[str, Path] | None:
    """The run that has the lease of this machine though it has run out."""
    # Reading works beside a writer that has the lock. A damaged file is not ours to
    # judge here, nor one without tables.
    with suppress(sqlite3.Error):
        path = f"file:{journal}?mode=ro"
        with closing(sqlite3.connect(path, uri=True, timeout=1)) as connection:
            row = connection.execute(
                "select run_id, host, alive_path, expires_at from lease where name = ?",
                (NAME,),
            ).fetchone()
        if row is None or row[0] is None or row[1] != host_name():
            return None
        if row[3] <= time.time():
            return str(row[0]), Path(row[2])
    return None


def _process_of(alive_path: Path) -> int | None:
    """The process that holds the lock of an alive file, as the kernel says.

    None where it cannot be told: no such process, or no Linux.
    """
    with suppress(OSError):
        inode = alive_path.stat().st_ino
        for line in Path("/proc/locks").read_text().splitlines():
            words = line.split()
            if "FLOCK" not in words or words[-3].rpartition(":")[2] != str(inode):
                continue
            # An inode is one disk's; the process must have this very file open.
            for opened in Path(f"/proc/{words[-4]}/fd").iterdir():
                if opened.resolve() == alive_path:
                    return int(words[-4])
    return None


def _is_stopped(pid: int) -> bool:
    with suppress(OSError):
        said = Path(f"/proc/{pid}/stat").read_text()
        # The name in brackets may hold anything, brackets as well.
        return said.rpartition(")")[2].split()[0] in STOPPED
    return False


def _is_locked(journal: Path, patience: float) -> bool:
    with closing(sqlite3.connect(journal, timeout=patience)) as connection:
        connection.isolation_level = None
        try:
            connection.execute("begin immediate")
        except sqlite3.OperationalError as error:
            return "locked" in str(error)
        connection.execute("rollback")
    return False
