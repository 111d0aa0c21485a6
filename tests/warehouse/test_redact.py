"""No secret reaches a log, whatever shape it comes in."""

from __future__ import annotations

import io
import logging

import pytest

from warehouse.redact import RedactingFilter, protect, redact

KEY = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    "text",
    [
        f"GET https://host/2.0/?method=x&api_key={KEY}&format=json",
        f"sk={KEY}",
        f'{{"api_key": "{KEY}"}}',
        f"Authorization: Bearer {KEY}",
        f"password={KEY} host=db",
        f"postgresql+psycopg2://me:{KEY}@db:5432/x",
        f"api_sig={KEY}&token={KEY}",
    ],
)
def test_a_secret_is_replaced_in_every_shape_it_is_written_in(text: str) -> None:
    assert KEY in text
    assert KEY not in redact(text)
    assert "***" in redact(text)


def test_a_protected_value_is_hidden_even_where_nothing_names_it() -> None:
    secret = "f" * 31 + "1"
    assert secret in redact(f"odd {secret} place")
    protect(secret)
    assert secret not in redact(f"odd {secret} place")


def test_ordinary_text_is_left_alone() -> None:
    text = "artist.getInfo of 'Tokens & Keys' took 3.2 s; https://host/path?x=1"
    assert redact(text) == text


def test_the_filter_hides_secrets_in_arguments_and_in_exception_text() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactingFilter())
    logger = logging.getLogger("test_redact")
    logger.addHandler(handler)
    logger.propagate = False
    try:
        raise RuntimeError(f"cannot reach https://host/?api_key={KEY}")
    except RuntimeError:
        logger.exception("call failed: %s", f"sk={KEY}")
    assert "RuntimeError" in stream.getvalue()
    assert KEY not in stream.getvalue()
