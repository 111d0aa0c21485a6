"""One run at a time, on any machine: a lease row with a heartbeat and a fencing number.

Owns who may work. A run takes the row, counts the fence up by one and renews the lease
while it works. A job that people start gives way to any run. A run that died is
replaced at once when it lived on this machine (the kernel dropped its lock on the alive
file), otherwise when its lease has run out on the database's clock. Whoever writes for
readers calls :meth:`Lease.check` in the same transaction, so a run that was frozen and
woken changes nothing.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO

from sqlalchemy import Connection, Engine, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from warehouse import fence, ops
from warehouse.errors import Busy, LeaseLost

NAME = "warehouse"
JOB = "job-"
"""How the names of holders begin that any run may replace while they work."""


def host_name() -> str:
    """This machine, distinct between machines that share a host name."""
    machine = Path("/etc/machine-id")
    identity = machine.read_text().strip()[:12] if machine.exists() else ""
    return f"{socket.gethostname()}/{identity}" if identity else socket.gethostname()


class Lease:
    """The held lease of one run; a context manager that renews it in a thread."""

    def __init__(
        self, engine: Engine, run_id: str, alive_dir: Path, seconds: float
    ) -> None:
        self.engine = engine
        self.run_id = run_id
        self.seconds = seconds
        self.fence = 0
        self.superseded: str | None = None
        alive_dir.mkdir(parents=True, exist_ok=True)
        self._alive_path = (alive_dir / f"{run_id}.alive").resolve()
        self._alive: IO[str] | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._renewed = 0.0
        self._lost: str | None = None

    def acquire(self) -> None:
        """Take the lease or say who holds it.

        Raises:
            Busy: another run works; the message names it and its machine.
        """
        self._alive = self._alive_path.open("w")
        fcntl.flock(self._alive, fcntl.LOCK_EX)
        try:
            with self.engine.begin() as connection:
                self._take(connection)
        except IntegrityError:
            self._drop_alive()
            raise Busy("another run took the lock at this moment") from None
        except BaseException:
            self._drop_alive()
            raise
        self._renewed = time.monotonic()
        self._thread = threading.Thread(target=self._renew, daemon=True, name="lease")
        self._thread.start()

    def _take(self, connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            self._free(connection)
        row = connection.execute(
            select(ops.lease).where(ops.lease.c.name == NAME).with_for_update()
        ).first()
        now = ops.database_now(connection)
        if row is None:
            connection.execute(insert(ops.lease).values(name=NAME, fence=0))
            previous, held = 0, False
        else:
            previous = int(row.fence)
            held = row.run_id is not None and row.expires_at > now
            gives_way = held and self._is_before(row.run_id)
            if held and not (gives_way or self._holder_died(row.host, row.alive_path)):
                raise Busy(
                    f"run {row.run_id} on {row.host} holds the lock (renewed"
                    f" {max(0.0, self.seconds - (row.expires_at - now)):.0f} s ago);"
                    " `scrobble status` shows what it is doing"
                )
            self.superseded = row.run_id
        self.fence = previous + 1
        connection.execute(
            update(ops.lease)
            .where(ops.lease.c.name == NAME, ops.lease.c.fence == previous)
            .values(
                fence=self.fence,
                run_id=self.run_id,
                host=host_name(),
                alive_path=str(self._alive_path),
                expires_at=now + self.seconds,
            )
        )

    def _free(self, connection: Connection) -> None:
        """End the transactions of a holder that is gone or frozen.

        One of them may have the lease's row locked, for as long as the process sleeps.
        """
        connection.exec_driver_sql("set local lock_timeout = '30s'")
        row = connection.execute(
            select(ops.lease).where(ops.lease.c.name == NAME)
        ).first()
        if row is None or row.run_id is None:
            return
        is_over = row.expires_at <= ops.database_now(connection)
        gives_way = self._is_before(row.run_id)
        if is_over or gives_way or self._holder_died(row.host, row.alive_path):
            fence.dismiss(connection, row.fence + 1)

    def _is_before(self, holder: str) -> bool:
        """Whether this is a run and the holder a job: a day does not wait for one."""
        return holder.startswith(JOB) and not self.run_id.startswith(JOB)

    @staticmethod
    def _holder_died(host: str, alive_path: str) -> bool:
        """Whether the holder lived here and its process is gone."""
        if host != host_name():
            return False
        # Without the file (another data folder or container) only the clock can tell.
        path = Path(alive_path)
        return path.exists() and not is_alive(path)

    def _renew(self) -> None:
        while not self._stop.wait(self.seconds / 6):
            try:
                with self._alone() as connection:
                    now = ops.database_now(connection)
                    renewed = connection.execute(
                        update(ops.lease)
                        .where(
                            ops.lease.c.name == NAME,
                            ops.lease.c.fence == self.fence,
                            ops.lease.c.run_id == self.run_id,
                        )
                        .values(expires_at=now + self.seconds)
                    ).rowcount
            except (SQLAlchemyError, self.engine.dialect.loaded_dbapi.Error):
                # The driver's own error comes when a connection is given back broken.
                continue  # check() notices when this goes on for too long
            if not renewed:
                self._lost = "another run has taken over"
                return
            self._renewed = time.monotonic()

    @contextmanager
    def _alone(self) -> Iterator[Connection]:
        """A connection on which, with PostgreSQL, each statement ends by itself.

        A renewal may wait for the row while this process is frozen. In a transaction it
        would then hold the row, and a run that takes over could not end it.
        """
        if self.engine.dialect.name != "postgresql":
            with self.engine.begin() as connection:
                yield connection
            return
        with self.engine.connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    def check(self, connection: Connection | None = None) -> None:
        """Make sure this run still holds the lease.

        Without a connection this is cheap and looks at the last renewal only. With one
        it locks and reads the lease row in that transaction: nobody can take the lease
        over before the transaction ends.

        Raises:
            LeaseLost: another run has the lease or the renewal stopped for too long.
        """
        if connection is not None:
            row = connection.execute(
                select(ops.lease.c.fence, ops.lease.c.run_id)
                .where(ops.lease.c.name == NAME)
                .with_for_update()
            ).one()
            if row.fence != self.fence or row.run_id != self.run_id:
                self._lost = f"run {row.run_id} has taken over (fence {row.fence})"
        elif time.monotonic() - self._renewed > self.seconds:
            self._lost = self._lost or f"no renewal for more than {self.seconds:.0f} s"
        if self._lost:
            raise LeaseLost(
                f"run {self.run_id} (fence {self.fence}) lost the lock: {self._lost};"
                " it stops and changes nothing more"
            )

    def release(self) -> None:
        """Give the lease back; harmless when it or the database was lost."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
        is_given_back = False
        try:
            with suppress(SQLAlchemyError):
                with self.engine.begin() as connection:
                    connection.execute(
                        update(ops.lease)
                        .where(
                            ops.lease.c.name == NAME,
                            ops.lease.c.fence == self.fence,
                            ops.lease.c.run_id == self.run_id,
                        )
                        .values(run_id=None, expires_at=None)
                    )
                is_given_back = True
        finally:
            # Where the row still names this run, a file nobody holds shows its end.
            self._drop_alive(keep=not is_given_back)

    def _drop_alive(self, keep: bool = False) -> None:
        if self._alive is not None:
            if not keep:
                self._alive_path.unlink(missing_ok=True)
            self._alive.close()
            self._alive = None

    def __enter__(self) -> Lease:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def is_alive(alive_path: Path) -> bool:
    """Whether a process still holds this alive file's lock."""
    if not alive_path.exists():
        return False
    descriptor = os.open(alive_path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def clear_dead_work(data_dir: Path) -> list[str]:
    """Remove the folders of this machine's runs that died; says of which."""
    cleared = []
    work = data_dir / "work"
    for folder in sorted(work.iterdir()) if work.exists() else []:
        alive = data_dir / "alive" / f"{folder.name}.alive"
        if not is_alive(alive):
            shutil.rmtree(folder, ignore_errors=True)
            alive.unlink(missing_ok=True)
            cleared.append(f"removed the unfinished work of run {folder.name}")
    return cleared
