"""Everything that is kept about one person, as one JSON document.

Owns how the parts are put together: the account's own tables, what the version that is
published holds of the listener, and what other parts of the service keep
(``Services.kept``). The document is written to a temporary file first, because a slow
reader must hold no transaction and an error must still be an error.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import IO, Any

import orjson
from sqlalchemy import ColumnElement, Table, select

from serve.accounts.database import accounts, jobs, links, sessions, tokens, utcnow
from serve.accounts.store import Account
from serve.context import Services
from serve.queries import export
from serve.store.contract import StoreUnavailable

MEMORY_BYTES = 4 * 2**20
PIECE_BYTES = 2**16
_OPTIONS = orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z
# What the tables keep of secrets is of use to nobody but a thief.
_HIDDEN = frozenset({"session_hash", "token_hash"})

Tables = Iterable[tuple[str, Iterator[dict[str, Any]]]]


def write(shared: Services, account: Account) -> IO[bytes]:
    """The document in a temporary file that is gone when it is closed.

    Raises:
        StoreUnavailable: the warehouse cannot be read now.
    """
    file = tempfile.SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115
    try:
        file.write(b'{"data":{"made_at":' + _json(utcnow()))
        file.write(b',"account":')
        _write_tables(file, _of_account(shared, account))
        for name, kept in shared.kept.items():
            file.write(b"," + _json(name) + b":")
            with kept(account) as tables:
                _write_tables(file, tables)
        file.write(b',"listening":')
        _write_listening(file, shared, account.listener_id)
        file.write(b',"answers_kept_days":')
        file.write(_json(shared.settings.warehouse.keep_landing_days))
        file.write(b"}}")
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def chunks(file: IO[bytes]) -> Iterator[bytes]:
    """The file in pieces; closes it after the last one."""
    with file:
        while piece := file.read(PIECE_BYTES):
            yield piece


def _of_account(shared: Services, account: Account) -> Tables:
    with shared.accounts.begin() as connection:
        own: dict[Table, ColumnElement[bool]] = {
            table: table.c.account_id == account.account_id
            for table in (accounts, sessions, tokens, jobs)
        }
        own[links] = links.c.listener_id == account.listener_id
        for table, is_own in own.items():
            rows = connection.execute(select(table).where(is_own)).mappings()
            yield (
                table.name,
                iter(
                    [{k: v for k, v in row.items() if k not in _HIDDEN} for row in rows]
                ),
            )


def _write_listening(file: Any, shared: Services, listener_id: str) -> None:
    try:
        with shared.store.read() as reader:
            published = reader.published
            facts = {"version": published.version, "as_of": published.as_of_date}
            file.write(_json(facts)[:-1] + b',"tables":')
            _write_tables(file, export.tables(reader, listener_id))
            file.write(b"}")
    except StoreUnavailable as error:
        if error.code != "nothing_published":
            raise
        file.write(b"null")


def _write_tables(file: Any, tables: Tables) -> None:
    file.write(b"{")
    for number, (name, rows) in enumerate(tables):
        file.write((b"," if number else b"") + _json(name) + b":[")
        for count, row in enumerate(rows):
            # SQLAlchemy's names of columns are texts of its own kind.
            plain = {str(column): value for column, value in row.items()}
            file.write((b"," if count else b"") + _json(plain))
        file.write(b"]")
    file.write(b"}")


def _json(value: Any) -> bytes:
    return orjson.dumps(value, default=_plain, option=_OPTIONS)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON")
