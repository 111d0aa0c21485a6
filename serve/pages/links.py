"""Signed links by which a listener shows one thing to whoever has the link, for days.

A link is of one purpose, of one account and until a day; it is the same all day, as a
page is. Who deletes the account takes the links along: an account that is made later
for the same listener is another one.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from itsdangerous import BadSignature

from serve.accounts import store
from serve.accounts.current import signer
from serve.accounts.store import Account
from serve.context import services
from serve.problems import Problem


def today() -> date:
    """The UTC day of now."""
    return datetime.now(UTC).date()


def until(days: int) -> date:
    """The last day of a link that is made now."""
    return today() + timedelta(days=days)


def seal(purpose: str, days: int, account: Account, *more: str) -> str:
    """A link's token: the account, what it shows, and its last day."""
    given = [account.account_id, account.listener_id, *more, until(days).isoformat()]
    return str(signer(purpose).dumps(given))


def opened(purpose: str, link: str, gone: Problem) -> list[str]:
    """The listener and what the link shows.

    Raises:
        Problem: `gone`; it is none of ours, is over, or its listener has gone.
    """
    try:
        account_id, listener_id, *more, last = signer(purpose).loads(link)
    except (BadSignature, ValueError):
        raise gone from None
    if date.fromisoformat(last) < today():
        raise gone
    account = store.of_listener(services().accounts, listener_id)
    if account is None or account.account_id != account_id:
        raise gone
    return [str(listener_id), *more]
