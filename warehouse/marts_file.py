"""The published marts in one file at a path that stays, for tools that open a file.

Owns ``warehouse.duckdb`` in the data folder. Each publish replaces it as a whole: who
has the old one open keeps it, and whatever a tool writes into it harms no version. It
holds the marts as tables, with their descriptions, and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import duckdb

from warehouse.descriptions import DUCKDB_COMMENTS, comment_statements
from warehouse.duckdb_store import pointed_version, published_path
from warehouse.errors import Damaged
from warehouse.settings import Settings
from warehouse.version_file import reading

FILE = "warehouse.duckdb"


def bring(settings: Settings) -> str | None:
    """Make the file what is published, where it is not; returns why it could not.

    Yesterday's file stays where there is no room for today's. Nothing is kept where
    nothing is published, or the setting says so.
    """
    path = settings.data_dir / FILE
    version = pointed_version(settings.data_dir)
    if settings.is_postgres:
        return None
    if version is None or not settings.marts_file:
        path.unlink(missing_ok=True)
        return None
    if version_in(path) == version:
        return None
    fresh = path.with_suffix(".new")
    try:
        fresh.unlink(missing_ok=True)
        write(fresh, published_path(settings.data_dir), version)
        with fresh.open("rb+") as file:
            os.fsync(file.fileno())
        fresh.replace(path)
    except (duckdb.Error, OSError, Damaged) as error:
        fresh.unlink(missing_ok=True)
        return f"{path} could not be written: {error}"
    return None


def forget(settings: Settings) -> None:
    """Take the file away: it may hold who must not be in it any more."""
    (settings.data_dir / FILE).unlink(missing_ok=True)


def version_in(path: Path) -> str | None:
    """The version a file holds; None where there is none, or none that can be read."""
    if not path.exists():
        return None
    with suppress(duckdb.Error), duckdb.connect(str(path), read_only=True) as file:
        sql = "select version from about.version"
        return str(file.execute(sql).fetchall()[0][0])
    return None


def write(
    fresh: Path,
    published: Path,
    version: str,
    conditions: Mapping[str, str] | None = None,
) -> None:
    """Write the marts of a version's file, and its name, into a new file.

    Args:
        conditions: the marts that are taken, each with the condition of its rows; all
            rows of all marts where None.
    """
    texts: dict[str, dict[str, str]] = {}
    with reading(published) as file:
        for mart, column, comment in file.execute(DUCKDB_COMMENTS).fetchall():
            if conditions is None or mart in conditions:
                texts.setdefault(mart, {})[column] = comment
    with duckdb.connect(str(fresh)) as file:
        quoted = str(published).replace("'", "''")
        file.execute(f"attach '{quoted}' as published (read_only)")
        file.execute("create schema marts")
        for mart in sorted(texts):
            rows = "true" if conditions is None else conditions[mart]
            file.execute(
                f'create table marts."{mart}" as from published.marts."{mart}"'
                f" where {rows}"
            )
        kinds = dict.fromkeys(texts, "table")
        for statement in comment_statements("marts", kinds, texts, {}):
            file.execute(statement)
        file.execute("create schema about")
        file.execute("create table about.version as select ? as version", [version])
        file.execute("detach published")
