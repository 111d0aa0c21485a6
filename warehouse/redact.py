"""Keeps secrets out of logs, messages and files.

Owns the patterns of what must never be written. Must not decide what is logged.
"""

from __future__ import annotations

import logging
import re

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


def protect(*secrets: str | None) -> None:
    """Hide these exact values wherever :func:`redact` sees them from now on."""
    _known.update(
        secret for secret in secrets if secret and len(secret) >= SHORTEST_SECRET
    )


def redact(text: str) -> str:
    """Return `text` with every secret in it replaced by ``***``."""
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
