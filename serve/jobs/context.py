"""What a running job sees of the service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from warehouse.settings import Settings


class Cancelled(Exception):
    """Raised by a job that stops because it was asked to."""


@dataclass(frozen=True)
class JobContext:
    """The job's listener, subject and settings, and how it tells what it has done.

    ``report(done, total, counts)`` stores the progress (total None: not known yet)
    and raises :class:`Cancelled` when the owner has cancelled; ``is_cancelled()``
    only asks.
    """

    job_id: str
    listener_name: str
    settings: Settings
    report: Callable[[int, int | None, dict[str, int]], None]
    is_cancelled: Callable[[], bool]
    subject: str | None = None
