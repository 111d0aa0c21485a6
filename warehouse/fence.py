"""Keeps a run that has lost the lease from changing anything in PostgreSQL.

Owns two halves of one promise. Every transaction that writes for a run begins with
:func:`guard`: it notes the run's fence in a lock of that transaction and refuses when
another run holds the lease. A run that takes over calls :func:`dismiss`: it ends every
transaction that carries an older note (and every connection that bears an older name),
so what was guarded before the takeover can no longer commit after it. Nothing here
needs a session of its own, so a transaction pooler may stand in between.
"""

from __future__ import annotations

from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from warehouse.errors import LeaseLost, WarehouseError

# The first half of the two-part advisory lock; the second half is the fence.
LOCK_CLASS = 96516894
# A frozen client must not sit on locks for ever while its transaction waits for it.
IDLE_SECONDS = 300
_LOST = "has lost the lock and changes nothing more"

_OLDER = """
    select pid from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()
        and cast(substring(application_name from '^scrobble-([0-9]{1,18})$')
            as bigint) < :fence
    union
    select pid from pg_locks
    where locktype = 'advisory' and pid <> pg_backend_pid()
        and database = (select oid from pg_database where datname = current_database())
        and classid = :class and objsubid = 2 and cast(objid as bigint) < :fence
"""


def guard_sql(fence: int) -> str:
    """One statement that a run's writing transaction begins with.

    The lock is taken before the lease is read, in a statement of its own: a takeover
    either finds the lock or has already been read. `macros/fence_guard.sql` is the same
    text for dbt.
    """
    return f"""do $guard$
begin
    set local idle_in_transaction_session_timeout = '{IDLE_SECONDS}s';
    perform pg_advisory_xact_lock_shared({LOCK_CLASS}, {fence:d});
    if {fence:d} is distinct from (
        select fence from ops.lease where name = 'warehouse'
    ) then
        raise exception 'the run with fence {fence:d} {_LOST}';
    end if;
end
$guard$"""


def guard(connection: Connection, fence: int) -> None:
    """Begin a writing transaction of the run with this fence; free on other engines.

    Raises:
        LeaseLost: another run has the lease.
    """
    if connection.dialect.name != "postgresql" or not fence:
        return
    try:
        connection.exec_driver_sql(guard_sql(fence))
    except DBAPIError as error:
        if _LOST in str(error.orig):
            raise LeaseLost(str(error.orig).splitlines()[0]) from None
        raise


def dismiss(connection: Connection, fence: int) -> int:
    """End what runs older than this fence still do; returns how many backends.

    Raises:
        WarehouseError: one of them cannot be ended by this login.
    """
    try:
        ended = connection.execute(
            text(
                f"select pid, pg_terminate_backend(pid, 10000) from ({_OLDER}) as old"
            ),
            {"fence": fence, "class": LOCK_CLASS},
        ).all()
    except DBAPIError as error:
        raise WarehouseError(
            "an older run is still connected under another login and this one may not"
            f" end it ({str(error.orig).splitlines()[0]}); run as that login, or"
            " grant pg_signal_backend to this one"
        ) from error
    if stuck := [pid for pid, gone in ended if not gone]:
        raise WarehouseError(
            f"the server's backends {stuck} of an older run do not end; nothing was"
            " changed. Run again, or end them by hand"
        )
    return len(ended)


def named(url: str, fence: int) -> str:
    """The URL with the connection's name set to the run's, `scrobble-<fence>`."""
    bare = make_url(url).update_query_dict({"application_name": f"scrobble-{fence}"})
    return bare.render_as_string(hide_password=False)
