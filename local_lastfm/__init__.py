"""A last.fm on loopback with a world of its own; other code knows only its URL."""

from local_lastfm.faults import Fault
from local_lastfm.local import LocalLastfm, LocalProcess, start_process

__all__ = ["Fault", "LocalLastfm", "LocalProcess", "start_process"]
