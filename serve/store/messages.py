"""Questions to PostgreSQL several to a message: libpq's pipeline mode.

Owns one connection's protocol: what is sent, what has not been read yet, and which
statements the server has prepared. A round trip costs both sides more processor time
than most questions: begin, question and rollback as three of them cost a chart of 100
rows a third more than as one and a half.
"""

from __future__ import annotations

import itertools
import select
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg import Connection, errors, pq
from psycopg.adapt import PyFormat, Transformer

# A statement, with `$1` and so on for its values.
Statement = tuple[str, Sequence[Any]]
# What is asked beyond these is parsed anew each time: plans take the server's memory.
_MOST_PREPARED = 200


class Session:
    """One connection, in pipeline mode from here on.

    `seconds` is how long to wait for the server's next word; without `can_prepare` (a
    pooler in between) every statement is parsed anew.
    """

    def __init__(
        self, connection: Connection[Any], seconds: float, can_prepare: bool
    ) -> None:
        self._pgconn = connection.pgconn
        self._transformer = Transformer(connection)
        self._milliseconds = int(seconds * 1000)
        self._most = _MOST_PREPARED if can_prepare else 0
        self._prepared: dict[tuple[str, tuple[int, ...]], bytes] = {}
        self._names = itertools.count()
        # Of the newest message: for each result, what it prepared.
        self._sent: list[tuple[str, tuple[int, ...]] | None] = []
        self._unread = 0
        self._pgconn.enter_pipeline_mode()

    def ask(self, *statements: Statement) -> list[pq.abc.PGresult]:
        """Send a message and wait for the result of each statement.

        Raises:
            psycopg.Error: the first statement that failed; those after it were not run.
        """
        self.send(*statements)
        return self._receive()

    def send(self, *statements: Statement) -> None:
        """Send a message; its results, and its error, are dropped by the next `ask`."""
        self._sent = []
        for text, values in statements:
            self._queue(text, values)
        self._pgconn.pipeline_sync()
        self._unread += 1
        while self._pgconn.flush():
            self._wait(select.POLLOUT)

    def rows(self, result: pq.abc.PGresult) -> list[tuple[Any, ...]]:
        """The rows of a result."""
        self._transformer.set_pgresult(result)
        return self._transformer.load_rows(0, result.ntuples, tuple)

    def _queue(self, text: str, values: Sequence[Any]) -> None:
        transformer, pgconn = self._transformer, self._pgconn
        dumped = transformer.dump_sequence(values, [PyFormat.AUTO] * len(values))
        types = transformer.types or ()
        formats, binary = transformer.formats, pq.Format.BINARY
        key = (text, types)
        name = self._prepared.get(key)
        if name is None and len(self._prepared) < self._most and not _cuts(values):
            name = self._prepared[key] = b"s%d" % next(self._names)
            pgconn.send_prepare(name, text.encode(), types)
            self._sent.append(key)
        if name is None:
            pgconn.send_query_params(text.encode(), dumped, types, formats, binary)
        else:
            pgconn.send_query_prepared(name, dumped, formats, binary)
        self._sent.append(None)

    def _receive(self) -> list[pq.abc.PGresult]:
        pgconn = self._pgconn
        found: list[pq.abc.PGresult] = []
        while self._unread:
            while pgconn.is_busy():
                self._wait(select.POLLIN)
                pgconn.consume_input()
            result = pgconn.get_result()
            if result is None:
                if pgconn.status != pq.ConnStatus.OK:
                    raise errors.OperationalError(pgconn.get_error_message())
            elif result.status == pq.ExecStatus.PIPELINE_SYNC:
                self._unread -= 1
                if self._unread:
                    found.clear()
            else:
                found.append(result)
        for result in found:
            if result.status == pq.ExecStatus.FATAL_ERROR:
                for key in self._sent:
                    if key is not None:
                        del self._prepared[key]
                raise errors.error_from_result(result)
        return [
            result for result, key in zip(found, self._sent, strict=True) if key is None
        ]

    def _wait(self, event: int) -> None:
        waiting = select.poll()
        waiting.register(self._pgconn.socket, event)
        if not waiting.poll(self._milliseconds):
            raise errors.OperationalError(
                f"the server said nothing for {self._milliseconds / 1000:g} s"
            )


def _cuts(values: Sequence[Any]) -> bool:
    """Whether a statement is cut by times, so that its plan hangs on which.

    What has been prepared is soon planned for any values: a month of one listener would
    be read as a library of unknown size is, in three times the time.
    """
    return any(isinstance(value, datetime) for value in values)
