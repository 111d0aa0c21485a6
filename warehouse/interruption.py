"""How SIGTERM and Ctrl-C end a run: at once, with the journal closed.

Owns what a signal may cut off and what it must let go of.
"""

from __future__ import annotations

import gc
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from traceback import clear_frames
from types import FrameType

import duckdb


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM and Ctrl-C end the run cleanly, with the journal closed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    stopped: list[KeyboardInterrupt] = []

    def stop(number: int, frame: FrameType | None) -> None:
        frames = []
        while frame is not None:
            frames.append(frame)
            frame = frame.f_back
        if any(
            one.f_globals.get("__name__", "").startswith("sqlalchemy.")
            for one in frames
        ):
            # Half begun or half ended, a transaction would keep its locks.
            again = threading.Timer(0.02, signal.raise_signal, [number])
            again.daemon = True
            again.start()
            return
        for one in frames:
            _interrupt_statements(one)
        stopped.append(
            KeyboardInterrupt(
                f"stopped by signal {number}: readers keep a whole version, and the"
                " next run goes on from what has landed"
            )
        )
        raise stopped[-1]

    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    except (RuntimeError, duckdb.InterruptException) as error:
        # DuckDB makes this of a signal that comes within a statement.
        if stopped:
            raise stopped[-1] from error
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt_statements(frame: FrameType) -> None:
    """Stop what DuckDB works on for a function.

    It leaves the statement as the handler raises, but waits for its threads, and they
    see nothing of the signal: without this, most statements go on to their end.
    """
    held = frame.f_locals
    for value in (*held.values(), *getattr(held.get("self"), "__dict__", {}).values()):
        if isinstance(value, duckdb.DuckDBPyConnection):
            value.interrupt()


def let_go(error: BaseException) -> None:
    """Release what the frames behind an interruption hold.

    It can come between the begin of a transaction and the block that would end it; the
    connection that is left in the traceback then locks the journal's SQLite file.
    """
    if isinstance(error, KeyboardInterrupt):
        clear_frames(error.__traceback__)
        gc.collect()  # a connection and its transaction hold each other
