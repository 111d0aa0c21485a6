"""What a run says while it works: bars on a terminal, plain lines otherwise.

Owns the look of progress. Must not decide what happens.
"""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from warehouse.redact import redact


def drop_output() -> None:
    """Let what is still written to the output go nowhere, without a word."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


class Reporter:
    """Reports steps; safe to call from several threads."""

    def __init__(self, quiet: bool = False) -> None:
        self.console = Console(
            stderr=False, highlight=False, soft_wrap=True, markup=False, quiet=quiet
        )
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._step = ""
        self._started = 0.0
        if sys.stdout.isatty() and not quiet:
            self._progress = Progress(
                SpinnerColumn(),
                TextColumn("{task.description:<10}"),
                BarColumn(),
                TaskProgressColumn(),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[info]}"),
                console=self.console,
                transient=True,
            )

    def line(self, text: str) -> None:
        """Say one line; where nobody reads any more the run goes on in silence."""
        try:
            self.console.print(redact(text))
        except SystemExit:  # how rich ends a program whose pipe is broken
            drop_output()

    def start(self, step: str) -> None:
        """A step begins."""
        self._step, self._started = step, time.monotonic()
        if self._progress is not None:
            self._progress.start()
            self._task = self._progress.add_task(step, total=None, info="")

    def advance(self, done: int, total: int | None, info: str = "") -> None:
        """The step has done `done` of `total` (None while that is not known)."""
        if self._progress is not None and self._task is not None:
            self._progress.update(
                self._task, completed=done, total=total, info=redact(info)
            )

    def finish(self, text: str) -> float:
        """The step ended well; returns its seconds."""
        seconds = time.monotonic() - self._started
        self._drop_bar()
        self.line(f"{self._step + ':':<9} {text} ({seconds:.1f} s)")
        return seconds

    def fail(self) -> None:
        """The step ended badly; the error is said by whoever handles it."""
        self._drop_bar()

    def _drop_bar(self) -> None:
        if self._progress is not None and self._task is not None:
            self._progress.remove_task(self._task)
            self._progress.stop()
            self._task = None

    def __enter__(self) -> Reporter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._drop_bar()
