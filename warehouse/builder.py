"""dbt in a process of its own, ready before there is anything to build.

Owns the life of that process. Importing dbt and reading the parsed project take seconds
of a processor, parsing it for a first run ten more, and a run has one idle while it
waits for last.fm. What is built, and what is said of it, is `warehouse.build`'s.
"""

from __future__ import annotations

import gc
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any

from warehouse.build import BuildResult, Progress, build, parsed_project
from warehouse.errors import BuildFailed
from warehouse.run import Target

# Seconds that dbt has to end its statements when a run is interrupted.
PATIENCE = 10


class Builder:
    """The process, from `with` on; it ends with the block or with this process.

    Args:
        target: a database of the same kind and name as the one to build in.
        cache_dir: where the parsed project is kept between runs.
    """

    def __init__(self, target: Target, cache_dir: Path) -> None:
        self._connection, there = Pipe()
        with there:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    # dbt's semaphores are given back by Python's tracker, with a word
                    # of warning where the process ends before dbt has begun.
                    *("-W", "ignore:resource_tracker:UserWarning"),
                    *("-m", "warehouse.builder", str(there.fileno())),
                ],
                pass_fds=[there.fileno()],
                stdin=subprocess.DEVNULL,
                # Ctrl-C is for the run, which says when to stop.
                start_new_session=True,
            )
        self._tell((target, cache_dir))

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def __enter__(self) -> Builder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()
        try:
            self._process.wait(timeout=2 * PATIENCE)
        finally:
            self._process.kill()
            self._process.wait()

    def build(self, progress: Progress, **what: Any) -> BuildResult:
        """:func:`warehouse.build.build` over there, with these arguments.

        Raises:
            BuildFailed: a model or a test failed, or the process died.
        """
        self._tell(what)
        while True:
            try:
                said = self._connection.recv()
            except (EOFError, OSError):
                code = self._process.wait()
                raise BuildFailed(
                    f"the process that runs dbt died (exit code {code}); the last"
                    " version stays published. Was it out of memory? Run again"
                ) from None
            if isinstance(said, BuildResult):
                return said
            if isinstance(said, BaseException):
                raise said
            progress(*said)

    def _tell(self, what: Any) -> None:
        # Who does not listen any more is found dead when it should answer.
        with suppress(OSError):
            self._connection.send(what)


def _serve(connection: Connection) -> None:
    """Get ready, wait for what to build, build it, and say how it ended."""
    target, cache_dir = connection.recv()
    jobs: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    try:
        with tempfile.TemporaryDirectory() as folder:
            threading.Thread(
                target=_listen, args=(connection, jobs, folder), daemon=True
            ).start()
            project = parsed_project(target, cache_dir, Path(folder))
            # The project stays: looking through it again and again is a twentieth too.
            gc.collect()
            gc.freeze()
            what = jobs.get()
        # dbt's threads all wait for the one interpreter: to change between them less
        # often takes a twentieth off a build.
        sys.setswitchinterval(0.05)
        answer: Any = build(
            project=project, progress=lambda *step: connection.send(step), **what
        )
    except Exception as error:
        answer = error
    gc.unfreeze()
    connection.send(answer)


def _listen(
    connection: Connection, jobs: queue.SimpleQueue[dict[str, Any]], folder: str
) -> None:
    """Hand on what to build; stop when the run is over, dbt's statements first."""
    try:
        jobs.put(connection.recv())
    except (EOFError, OSError):
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(0)
    with suppress(EOFError, OSError):
        connection.recv()
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(PATIENCE)
    os._exit(1)


if __name__ == "__main__":
    with suppress(EOFError, KeyboardInterrupt):
        _serve(Connection(int(sys.argv[1])))
    # The run closes the connection now, which must not interrupt an orderly end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
