"""What is done with accounts: one function a use case, one transaction each.

Secrets (session ids, tokens, login states) are 256 random bits and stored as SHA-256
only. Comparison is by the hash's primary key, so no secret is ever compared in memory.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, delete, func, insert, select, update

from serve.accounts.database import (
    accounts,
    jobs,
    links,
    logins,
    requests,
    sessions,
    tokens,
    utcnow,
    writing,
)
from serve.visibility import Named
from warehouse.forgetting import ask
from warehouse.linked_accounts import link
from warehouse.names import name_key

SCOPES = ("read", "write", "trade", "admin")
#: Of tokens that stand in an address: each opens one feed of one's own, and nothing
#: else.
FEED_SCOPE = "feed"
WEEKLY_SCOPE = "weekly"
FEED_SCOPES = frozenset({FEED_SCOPE, WEEKLY_SCOPE})
TOKEN_PREFIX = "swt_"
MAX_TOKENS = 50
_STATE_SECONDS = 600
# How exactly it is kept when a session was used: not each request is a write.
_USED_AGAIN = timedelta(minutes=10)


@dataclass(frozen=True)
class Account:
    """Who asks. `scopes` are those of this request, `via` is cookie or token.

    `logged_in_at` is when the session was opened, or the token made. `time_zone` is the
    one of one's own pages, None for UTC; `rules` are the own rules as stored.
    """

    account_id: int
    listener_id: str
    listener_name: str
    is_public: bool
    scopes: frozenset[str]
    via: str
    secret_hash: str
    logged_in_at: datetime
    time_zone: str | None = None
    rules: str | None = field(default=None, repr=False)


def digest(secret: str) -> str:
    """The only form in which a secret is stored."""
    return hashlib.sha256(secret.encode()).hexdigest()


def begin_login(engine: Engine) -> str:
    """Make a state for one login and remember it; also forget the old ones."""
    state = secrets.token_urlsafe(32)
    now = utcnow()
    with writing(engine).begin() as connection:
        connection.execute(
            delete(logins).where(
                logins.c.created_at < now - timedelta(seconds=2 * _STATE_SECONDS)
            )
        )
        connection.execute(
            insert(logins).values(state_hash=digest(state), created_at=now)
        )
    return state


def use_login(engine: Engine, state: str) -> bool:
    """Use up a state: True exactly once, and only in its first ten minutes."""
    now = utcnow()
    with writing(engine).begin() as connection:
        used = connection.execute(
            update(logins)
            .where(
                logins.c.state_hash == digest(state),
                logins.c.used_at.is_(None),
                logins.c.created_at >= now - timedelta(seconds=_STATE_SECONDS),
            )
            .values(used_at=now)
        )
        return used.rowcount == 1


class NameReleased(Exception):
    """The last.fm name was registered anew: it is not the account's owner who asks."""


def log_in(
    engine: Engine,
    listener_name: str,
    *,
    days: int,
    registered_uts: int | None = None,
    ends: str | None = None,
) -> str:
    """Find or make the listener's account and open a session; gives its secret.

    Args:
        days: after which the session ends, however it is used.
        registered_uts: when last.fm says that the name was registered.
        ends: the secret of the session that the browser had until now.

    Raises:
        NameReleased: the account's owner had registered the name at another time.
    """
    now = utcnow()
    listener_id = name_key(listener_name)
    secret = secrets.token_urlsafe(32)
    with writing(engine).begin() as connection:
        row = connection.execute(
            select(accounts).where(accounts.c.listener_id == listener_id)
        ).first()
        if row is None:
            values = {
                "listener_id": listener_id,
                "listener_name": listener_name,
                "is_public": False,
                "created_at": now,
                "last_login_at": now,
                "registered_uts": registered_uts,
            }
            connection.execute(insert(accounts).values(values))
        else:
            known = row.registered_uts
            if None not in (known, registered_uts) and known != registered_uts:
                raise NameReleased(listener_name)
            connection.execute(
                update(accounts)
                .where(accounts.c.account_id == row.account_id)
                .values(
                    last_login_at=now,
                    listener_name=listener_name,
                    registered_uts=known if known is not None else registered_uts,
                )
            )
        account_id: int = connection.execute(
            select(accounts.c.account_id).where(accounts.c.listener_id == listener_id)
        ).scalar_one()
        is_over = sessions.c.expires_at < now
        if ends is not None:
            is_over |= sessions.c.session_hash == digest(ends)
        connection.execute(delete(sessions).where(is_over))
        connection.execute(
            insert(sessions).values(
                session_hash=digest(secret),
                account_id=account_id,
                created_at=now,
                expires_at=now + timedelta(days=days),
                last_used_at=now,
            )
        )
    return secret


def by_session(
    engine: Engine, secret: str, admins: Iterable[str], *, idle_days: int
) -> Account | None:
    """The account of a browser session, or None if it is over.

    Args:
        idle_days: without a request, after which a session is over.
    """
    key, now = digest(secret), utcnow()
    used_at = func.coalesce(sessions.c.last_used_at, sessions.c.created_at)
    with engine.begin() as connection:
        row = connection.execute(
            select(
                accounts,
                used_at.label("used_at"),
                sessions.c.created_at.label("logged_in_at"),
            )
            .join(sessions, sessions.c.account_id == accounts.c.account_id)
            .where(
                sessions.c.session_hash == key,
                sessions.c.expires_at > now,
                used_at > now - timedelta(days=idle_days),
            )
        ).first()
    if row is None:
        return None
    if now - row.used_at > _USED_AGAIN:
        with writing(engine).begin() as connection:
            connection.execute(
                update(sessions)
                .where(sessions.c.session_hash == key)
                .values(last_used_at=now)
            )
    scopes = set(SCOPES)
    if row.listener_id not in admins:
        scopes.discard("admin")
    return Account(
        row.account_id,
        row.listener_id,
        row.listener_name,
        bool(row.is_public),
        frozenset(scopes),
        "cookie",
        key,
        row.logged_in_at,
        row.time_zone,
        row.rules,
    )


def by_token(engine: Engine, token: str, admins: Iterable[str]) -> Account | None:
    """The account of a bearer token, or None if it is unknown, revoked or expired."""
    if not token.startswith(TOKEN_PREFIX) or len(token) > 100:
        return None
    key = digest(token)
    now = utcnow()
    with engine.begin() as connection:
        row = connection.execute(
            select(
                accounts,
                tokens.c.scopes,
                tokens.c.last_used_at,
                tokens.c.created_at.label("logged_in_at"),
            )
            .join(tokens, tokens.c.account_id == accounts.c.account_id)
            .where(
                tokens.c.token_hash == key,
                tokens.c.revoked_at.is_(None),
                tokens.c.expires_at > now,
            )
        ).first()
    if row is None:
        return None
    # Once a minute is enough to see whether a token is in use.
    if row.last_used_at is None or now - row.last_used_at > timedelta(minutes=1):
        with writing(engine).begin() as connection:
            connection.execute(
                update(tokens)
                .where(tokens.c.token_hash == key)
                .values(last_used_at=now)
            )
    scopes = set(row.scopes.split())
    if row.listener_id not in admins:
        scopes.discard("admin")
    return Account(
        row.account_id,
        row.listener_id,
        row.listener_name,
        bool(row.is_public),
        frozenset(scopes),
        "token",
        key,
        row.logged_in_at,
        row.time_zone,
        row.rules,
    )


def make_token(
    engine: Engine, account_id: int, *, name: str, scopes: Iterable[str], days: int
) -> dict[str, Any] | None:
    """Make a token; the only time its text is known. None when there are too many."""
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    now = utcnow()
    with writing(engine).begin() as connection:
        held = connection.execute(
            select(func.count())
            .select_from(tokens)
            .where(
                tokens.c.account_id == account_id,
                tokens.c.revoked_at.is_(None),
                tokens.c.expires_at > now,
            )
        ).scalar_one()
        if held >= MAX_TOKENS:
            return None
        known = (*SCOPES, *sorted(FEED_SCOPES))
        chosen = [scope for scope in known if scope in set(scopes)]
        made = connection.execute(
            insert(tokens).values(
                account_id=account_id,
                token_hash=digest(token),
                prefix=token[:12],
                name=name,
                scopes=" ".join(chosen),
                created_at=now,
                expires_at=now + timedelta(days=days),
            )
        )
        primary = made.inserted_primary_key
        assert primary is not None
        row = connection.execute(
            select(tokens).where(tokens.c.token_id == primary[0])
        ).one()
    return {**_token_row(row), "token": token}


def list_tokens(engine: Engine, account_id: int) -> list[dict[str, Any]]:
    """The account's tokens, newest first, without their secrets."""
    with engine.begin() as connection:
        rows = connection.execute(
            select(tokens)
            .where(tokens.c.account_id == account_id)
            .order_by(tokens.c.token_id.desc())
        ).all()
    return [_token_row(row) for row in rows]


def revoke_token(engine: Engine, account_id: int, token_id: int) -> bool:
    """Revoke one token of the account; False if it has no such token."""
    with writing(engine).begin() as connection:
        found = connection.execute(
            update(tokens)
            .where(tokens.c.account_id == account_id, tokens.c.token_id == token_id)
            .values(revoked_at=func.coalesce(tokens.c.revoked_at, utcnow()))
        )
        return found.rowcount == 1


def log_out(engine: Engine, account: Account) -> None:
    """End the session that asks."""
    with writing(engine).begin() as connection:
        connection.execute(
            delete(sessions).where(sessions.c.session_hash == account.secret_hash)
        )


def log_out_everywhere(engine: Engine, account_id: int) -> dict[str, int]:
    """End all sessions and revoke all tokens of the account."""
    with writing(engine).begin() as connection:
        ended = connection.execute(
            delete(sessions).where(sessions.c.account_id == account_id)
        ).rowcount
        revoked = connection.execute(
            update(tokens)
            .where(tokens.c.account_id == account_id, tokens.c.revoked_at.is_(None))
            .values(revoked_at=utcnow())
        ).rowcount
    return {"sessions_ended": ended, "tokens_revoked": revoked}


def set_public(engine: Engine, account_id: int, is_public: bool) -> None:
    """Let everybody read the listener's lists, or nobody else any more."""
    with writing(engine).begin() as connection:
        connection.execute(
            update(accounts)
            .where(accounts.c.account_id == account_id)
            .values(is_public=is_public)
        )


def set_time_zone(engine: Engine, account_id: int, time_zone: str | None) -> None:
    """Choose whose days and hours one's own pages show; None is UTC."""
    with writing(engine).begin() as connection:
        connection.execute(
            update(accounts)
            .where(accounts.c.account_id == account_id)
            .values(time_zone=time_zone)
        )


def set_linked(
    engine: Engine, account: Account, provider: str, name: str | None
) -> None:
    """Name one's account at another service, to be fetched; None takes it back."""
    listener = (account.listener_id, account.listener_name)
    with writing(engine).begin() as connection:
        link(connection, listener, provider, name, utcnow())


def linked(engine: Engine, listener_id: str, provider: str) -> str | None:
    """The account at another service that the listener named; None without one."""
    with engine.begin() as connection:
        name: str | None = connection.execute(
            select(links.c.account).where(
                links.c.listener_id == listener_id, links.c.provider == provider
            )
        ).scalar()
    return name


def visibility(engine: Engine, listener_id: str) -> tuple[int, bool] | None:
    """(account_id, is_public) of a listener with an account, else None.

    A listener who is to be deleted is private, and nobody's where the account is gone.
    """
    leaving = requests.c.listener_id == listener_id
    with engine.begin() as connection:
        row = connection.execute(
            select(accounts.c.account_id, accounts.c.is_public).where(
                accounts.c.listener_id == listener_id
            )
        ).first()
        if row is None:
            is_leaving = connection.execute(select(requests).where(leaving)).first()
            return None if is_leaving is None else (0, False)
    return row.account_id, bool(row.is_public)


def named_listeners(engine: Engine, *, public_panel: bool) -> Named:
    """Whom answers to everybody may name; `public_panel`: those without an account too.

    Read at every question: who takes consent back is named no more, nor is who is to
    be deleted.
    """
    listed = select(accounts.c.listener_id).where(
        accounts.c.is_public.is_(not public_panel)
    )
    query: Any = listed.union(select(requests.c.listener_id))
    if not public_panel:
        query = listed.where(accounts.c.listener_id.not_in(select(requests.c[0])))
    with engine.begin() as connection:
        rows = connection.execute(query).all()
    return Named(frozenset(row[0] for row in rows), is_except=public_panel)


def is_leaving(engine: Engine, listener_id: str) -> bool:
    """Whether the listener is to be deleted and is not yet."""
    with engine.begin() as connection:
        own = requests.c.listener_id == listener_id
        return connection.execute(select(requests).where(own)).first() is not None


def account_row(engine: Engine, account_id: int) -> dict[str, Any] | None:
    """The stored account."""
    with engine.begin() as connection:
        row = connection.execute(
            select(accounts).where(accounts.c.account_id == account_id)
        ).first()
    if row is None:
        return None
    return {
        "account_id": row.account_id,
        "listener_id": row.listener_id,
        "listener_name": row.listener_name,
        "is_public": bool(row.is_public),
        "time_zone": row.time_zone,
        "created_at": row.created_at,
        "last_login_at": row.last_login_at,
    }


def of_listener(engine: Engine, listener_id: str) -> Account | None:
    """The account of a listener, for the operator; it has no right of its own."""
    with engine.begin() as connection:
        row = connection.execute(
            select(accounts).where(accounts.c.listener_id == listener_id)
        ).first()
    if row is None:
        return None
    return Account(
        row.account_id,
        row.listener_id,
        row.listener_name,
        bool(row.is_public),
        frozenset(),
        "operator",
        "",
        row.last_login_at,
    )


def delete_account(
    engine: Engine, account: Account, leaving: Iterable[Callable[[Account], None]]
) -> None:
    """Delete the account, its sessions, tokens and jobs; first what others keep.

    What the warehouse holds of the listener is asked to be deleted with it: from here
    on nobody reads it, and the next run has nothing of it any more.
    """
    for let_go in leaving:
        let_go(account)
    with writing(engine).begin() as connection:
        ask(connection, account.listener_id, utcnow())
        for table in (sessions, tokens, jobs, accounts):
            connection.execute(
                delete(table).where(table.c.account_id == account.account_id)
            )


def _token_row(row: Any) -> dict[str, Any]:
    return {
        "token_id": row.token_id,
        "name": row.name,
        "prefix": row.prefix,
        "scopes": row.scopes.split(),
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "last_used_at": row.last_used_at,
        "revoked_at": row.revoked_at,
    }
