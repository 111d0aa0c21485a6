"""Accounts: who asks, with which right. For every part that has something private.

Usage inside a request::

    from serve.accounts import Account, current_account, require

    account = require("trade")      # or 401/403 as a problem document
    account = current_account()     # None for a visitor

    @bp.post("/orders")
    def order(body: Order) -> Response:
        account = require("trade")
        ...use account.account_id (int, never reused) and account.listener_name

`require(scope)` also checks the CSRF token (header ``X-CSRF-Token`` or form field
``csrf_token``; templates get it from :func:`csrf_token`) of an unsafe request that came
with the session cookie; a bearer token needs none. ``required(scope)`` is the same as a
decorator, ``require_in_person(scope)`` refuses every token, and
``require_fresh(scope, back)`` every login that is older than some minutes too: for what
cannot be taken back, and for making private things public. What another part does
before an account is deleted it appends to ``Services.leaving``, and what it keeps of an
account it tells by ``Services.kept``.

Scopes: ``read`` (own lists), ``write`` (own settings, panel, jobs), ``trade`` (the
exchange), ``admin`` (drop caches; only for accounts the operator named). A browser
session has all scopes the account may have, a token those it was made with.

The tables are ``accounts``, ``account_sessions``, ``account_tokens``,
``account_logins``, ``jobs`` and ``serve_state``: on PostgreSQL in schema ``exchange``,
embedded in a SQLite file of their own, ``accounts.sqlite`` (the exchange's file hands
its writers a queue lock; a login must not wait there). Written by SQLAlchemy Core.
"""

from __future__ import annotations

from serve.accounts.current import (
    change_visibility,
    csrf_token,
    current_account,
    forget_answers,
    named_listeners,
    require,
    require_fresh,
    require_in_person,
    required,
)
from serve.accounts.store import SCOPES, Account

__all__ = [
    "SCOPES",
    "Account",
    "change_visibility",
    "csrf_token",
    "current_account",
    "forget_answers",
    "named_listeners",
    "require",
    "require_fresh",
    "require_in_person",
    "required",
]
