"""What the exchange's pages share: the frame, what a form sends, how a refusal is told.

Nothing here is cached: a page of the exchange is its reader's own.
"""

from __future__ import annotations

import secrets
from typing import Any, TypeVar

from flask import Response, request
from pydantic import BaseModel, ValidationError

from exchange.player_request import Answer
from exchange.views.pages import Frame
from serve.accounts import csrf_token, current_account
from serve.api import exchange_models as models
from serve.exchange_access import refusal_of
from serve.pages.exchange_figures import (
    money,
    moved,
    percent,
    rate,
    stock_link,
    when,
)
from serve.pages.private import own_page
from serve.problems import Problem

PARTS = (
    ("/exchange", "Market"),
    ("/exchange/portfolio", "Portfolio"),
    ("/exchange/orders", "Orders"),
    ("/exchange/boards", "Boards"),
    ("/exchange/profile", "Profile"),
    ("/exchange/economy", "Economy"),
    ("/exchange/tour", "First steps"),
)
Form = dict[str, Any]
"""What was typed into a form, to be shown again."""
Model = TypeVar("Model", bound=BaseModel)


def exchange_page(
    template: str, frame: Frame, code: int = 200, **given: Any
) -> Response:
    """A page, or a part of one, with the market's state and what templates call."""
    account = current_account()
    return own_page(
        template,
        code,
        parts=PARTS,
        status=frame.status,
        standing=frame.standing,
        account=account,
        csrf=csrf_token(account) if account else None,
        fresh_key=lambda: secrets.token_hex(16),
        money=money,
        percent=percent,
        rate=rate,
        moved=moved,
        when=when,
        stock_link=stock_link,
        **given,
    )


# What a form sends -----------------------------------------------------------


def form_key() -> str:
    """The form's Idempotency-Key; a form sent twice is answered once."""
    given = {"Idempotency-Key": request.form.get("key") or secrets.token_hex(16)}
    return valid(models.KeyHeader, **given).idempotency_key


def valid(model: type[Model], **given: Any) -> Model:
    """A form as what the API takes; a problem names the fields that do not fit."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        fields = "; ".join(
            f"{item['loc'][0]}: {item['msg']}"
            for item in error.errors(include_url=False)
        )
        raise Problem("invalid_body", f"This cannot be asked. {fields}") from None


def known_path(model: type[Model], missing: str, **given: str) -> Model:
    """A key in the address; a key of another form is of nothing that exists."""
    try:
        return model.model_validate(given)
    except ValidationError:
        raise Problem("not_found", missing) from None


def form_number(name: str) -> Any:
    """A whole number of a form; other text is left to the model to refuse."""
    text = request.form.get(name, "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else text


def form_terms(artist_id: str) -> Form:
    """Artist, side and shares as they were typed."""
    return {
        "artist_id": artist_id,
        "side": request.form.get("side", ""),
        "shares": form_number("shares"),
    }


def require_done(answer: Answer) -> None:
    """Raise a refused write as the problem it is."""
    if answer.status >= 400:
        raise refusal_of(answer)
