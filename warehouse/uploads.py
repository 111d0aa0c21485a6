"""Files that people hand in, kept until a job has taken them in.

Owns where they lie: a folder for each listener, whose name is a hash of the listener's
key, readable by the owner of the process alone. Must not know what is in them.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

FOLDER = "uploads"
_UNFINISHED = ".part"


def folder_of(data_dir: Path, listener_id: str) -> Path:
    """Where the files of a listener (a name key) lie, whether there are any or not."""
    name = hashlib.sha256(listener_id.encode()).hexdigest()[:32]
    return data_dir / FOLDER / name


@contextmanager
def new_file(data_dir: Path, listener_id: str) -> Iterator[BinaryIO]:
    """A file to be written; it counts when the context has ended without an error."""
    folder = folder_of(data_dir, listener_id)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / secrets.token_hex(8)
    growing = path.with_suffix(_UNFINISHED)
    try:
        with growing.open("xb") as file:
            growing.chmod(0o600)
            yield file
        growing.rename(path)
    except BaseException:
        growing.unlink(missing_ok=True)
        raise


def waiting(data_dir: Path, listener_id: str) -> list[Path]:
    """The files of a listener that wait, the oldest first."""
    folder = folder_of(data_dir, listener_id)
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if path.suffix != _UNFINISHED]
    return sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name))


def discard(data_dir: Path, listener_ids: Collection[str]) -> None:
    """Delete what waits of these listeners."""
    for listener_id in listener_ids:
        shutil.rmtree(folder_of(data_dir, listener_id), ignore_errors=True)
