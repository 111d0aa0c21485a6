"""What a worker writes of itself: its log, as lines or as JSON, and failures to Sentry.

Secrets and folders are taken out before anything leaves the process.
"""

from __future__ import annotations

import logging
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from serve.settings import ServeSettings
from warehouse.errors import SettingsError
from warehouse.redact import RedactingFilter, redact


def configure(settings: ServeSettings) -> None:
    """Set up the log of this process, and Sentry where an address is given.

    Raises:
        SettingsError: Sentry is asked for and its library is not installed.
    """
    handler = logging.StreamHandler()
    handler.addFilter(RedactingFilter())
    if settings.log_format == "json":
        handler.setFormatter(_JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    if settings.sentry_dsn:
        _report_failures(settings.sentry_dsn)


class _JsonLines(JsonFormatter):
    """One JSON object a line, with `time`, `level`, `logger`, `message`, `error`."""

    def __init__(self) -> None:
        super().__init__(
            ("levelname", "name", "process", "message", "exc_info"),
            rename_fields={"levelname": "level", "name": "logger", "exc_info": "error"},
            timestamp="time",
        )

    def formatException(self, ei: Any) -> str:
        """The library makes this text anew, past the filter of the handler."""
        return redact(logging.Formatter.formatException(self, ei))


def _report_failures(address: str) -> None:
    try:
        import sentry_sdk
    except ImportError:
        raise SettingsError(
            "SERVE_SENTRY_DSN is set, but its library is missing: install the package"
            " with the extra `sentry`"
        ) from None
    sentry_sdk.init(
        address,
        include_local_variables=False,
        max_request_body_size="never",
        before_send=lambda event, _: _redacted(event),
    )


def _redacted(told: Any) -> Any:
    if isinstance(told, str):
        return redact(told)
    if isinstance(told, dict):
        return {key: _redacted(value) for key, value in told.items()}
    if isinstance(told, list):
        return [_redacted(value) for value in told]
    return told
