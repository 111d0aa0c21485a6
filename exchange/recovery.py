"""What is known of an exchange outside its database.

Owns the evidence that days were settled, which keeps a lost file from being taken for
an exchange that has not begun, and the fence for a journal that is made again.
"""

import json
import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

from exchange.database import damaged
from warehouse.duckdb_store import published_path
from warehouse.errors import Damaged, PublishFailed
from warehouse.ops import is_damage, journal_path, sqlite_damage
from warehouse.run import Recovered, Recovery
from warehouse.settings import Settings
from warehouse.version_file import reading

_SETTLED = """
    select runs.as_of_date, run_steps.detail
    from run_steps inner join runs on runs.run_id = run_steps.run_id
    where run_steps.step = 'settle' and run_steps.state = 'done'
        and runs.version is not null
    order by runs.as_of_date desc
"""


def recover(recovery: Recovery) -> Recovered:
    """The newest run that had the market: later ones must have a higher fence."""
    row = _market_row(recovery.settings.data_dir / "exchange.sqlite")
    return Recovered(fence=int(row[0]) if row is not None else 0)


def require_known(settings: Settings) -> None:
    """Refuse to begin an exchange where one has been.

    Raises:
        Damaged: the file is missing, empty or damaged; the text says what to do.
    """
    path = settings.data_dir / "exchange.sqlite"
    if _market_row(path) is not None:
        return
    settled = last_settled(settings)
    if settled is not None:
        what = "has no market in it" if path.exists() else "is missing"
        raise Damaged(
            f"the exchange {path} {what}, but days were settled up to {settled}:"
            " restore it from a backup and run again; if there is none,"
            " `scrobble market found --reason TEXT` begins a new exchange"
        )


def look(settings: Settings) -> str:
    """Whether the exchange's file is there and whole, in a few words.

    Raises:
        Damaged: it is not, and what to do.
    """
    if settings.warehouse_url is not None:
        return "in the database"
    require_known(settings)
    path = settings.data_dir / "exchange.sqlite"
    if not path.exists():
        return "none yet: the first run founds one"
    if said := sqlite_damage(path):
        raise damaged(str(path), said)
    return str(path)


def has_market(settings: Settings) -> bool:
    """Whether the exchange's file is whole enough to say so."""
    try:
        return _market_row(settings.data_dir / "exchange.sqlite") is not None
    except Damaged:
        return False


def last_settled(settings: Settings) -> date | None:
    """The last day that the journal or the published version says was settled."""
    days = [_settled_by_version(settings), _settled_by_journal(settings)]
    return max((day for day in days if day is not None), default=None)


def last_session(settings: Settings) -> int:
    """The newest session of trades that the published version holds; 0 without."""
    found = _ask_version(settings, "exchange__trades", "max(session)")
    return found if isinstance(found, int) else 0


def _settled_by_version(settings: Settings) -> date | None:
    found = _ask_version(settings, "exchange__economy_days", "max(economy_date)")
    return found if isinstance(found, date) else None


def _ask_version(settings: Settings, table: str, what: str) -> Any:
    try:
        path = published_path(settings.data_dir)
    except (PublishFailed, Damaged):
        return None
    with reading(path) as version:
        there = version.execute(
            "select 1 from duckdb_tables() where schema_name = 'raw'"
            f" and table_name = '{table}'"
        ).fetchall()
        if not there:
            return None
        ((found,),) = version.execute(f"select {what} from raw.{table}").fetchall()
    return found


def _settled_by_journal(settings: Settings) -> date | None:
    path = journal_path(settings)
    if not path.exists():
        return None
    with closing(sqlite3.connect(path, timeout=30)) as journal:
        try:
            rows = journal.execute(_SETTLED).fetchall()
        except sqlite3.OperationalError:  # it has no tables yet
            return None
    for day, detail in rows:
        if "days" in json.loads(detail or "{}"):
            return date.fromisoformat(day)
    return None


def _market_row(path: Path) -> tuple[int] | None:
    """The market's fence in an exchange's file; None where it has no market."""
    if not path.exists():
        return None
    with closing(sqlite3.connect(path, timeout=30)) as exchange:
        try:
            found: tuple[int] | None = exchange.execute(
                "select fence from market"
            ).fetchone()
        except sqlite3.DatabaseError as error:
            if "no such table" in str(error):
                return None
            if not is_damage(error):
                raise
            raise damaged(str(path), str(error)) from error
    return found
