"""Keeps secrets out of logs, messages and files, and folders out of what is served.

Owns the patterns of what must never be written. Must not decide what is logged.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path

# Query strings, JSON bodies, headers and database URLs all carry secrets in their text.
_NAMED = re.compile(
    r"(?i)(\b(?:api_key|api_sig|sk|token|shared_secret|lastfm_api_key|"
    r"lastfm_shared_secret|password|authorization)\b[\"']?\s*[=:]\s*[\"']?"
    r"(?:bearer\s+)?)([^\s\"'&,;}\])]+)"
)
_URL_PASSWORD = re.compile(r"(?P<head>[a-z][a-z0-9+.-]*://[^\s:/@]+:)[^\s@/]+(?=@)")

# A shorter word is no secret, and stands in many a name.
SHORTEST_SECRET = 6

_known: set[str] = set()
_folders: list[str] = []


def protect(*secrets: str | None) -> None:
    """Hide these exact values wherever :func:`redact` sees them from now on."""
    _known.update(
        secret for secret in secrets if secret and len(secret) >= SHORTEST_SECRET
    )


def hide_folders(*folders: Path) -> None:
    """Say nothing of where these lie on the machine from now on.

    What a service answers and logs goes to people who need not know; a command tells
    its operator.
    """
    found = {str(way) for folder in folders for way in (folder, folder.resolve())}
    # One name below the root, or none, hides nothing and would hit other texts.
    found = {way for way in found if way.startswith("/") and way.count("/") > 1}
    _folders[:] = sorted({*_folders, *found}, key=len, reverse=True)


def without_folders(text: str) -> str:
    """Return `text` with every path in a hidden folder cut to what is below it."""
    for folder in _folders:
        text = text.replace(f"{folder}/", "").replace(folder, Path(folder).name)
    return text


def redact(text: str) -> str:
    """Return `text` with every secret in it replaced by ``***``."""
    text = without_folders(text)
    text = _URL_PASSWORD.sub(r"\g<head>***", _NAMED.sub(r"\1***", text))
    for secret in _known:
        text = text.replace(secret, "***")
    return text


class RedactingFilter(logging.Filter):
    """Rewrites each record, its exception text included, before any handler sees it."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = redact(record.getMessage())
        record.args = ()
        if record.exc_info:
            text = record.exc_text or logging.Formatter().formatException(
                record.exc_info
            )
            record.exc_text = redact(text)
        return True
