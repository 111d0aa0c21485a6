"""Secrets of our own that are made once: a file each in the data folder, mode 600."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def made_once(path: Path) -> str:
    """The secret in a file; where there is none it is made, by one process only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_urlsafe(48))
    try:
        os.link(fresh, path)  # fails where another process was first: its key counts
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return path.read_text(encoding="utf-8").strip()
