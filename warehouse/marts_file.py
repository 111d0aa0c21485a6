"""The published marts in one file at a path that stays, for tools that open a file.

Owns ``warehouse.duckdb`` in the data folder. Each publish replaces it as a whole: who
has the old one open keeps it, and whatever a tool writes into it harms no version. It
holds the marts as tables, with their descriptions and keys, and nothing else.
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
from warehouse.keys import Keys, create_table, in_order, read_keys
from warehouse.settings import Settings
from warehouse.version_file import reading

FILE = "warehouse.duckdb"


def bring(settings: Settings) -> str | None:
    """Make the file what is published, where it is not; returns what went wrong.

    Yesterday's file stays where there is no room for today's. Nothing is kept where
    nothing is published, or the setting says so. Rows that do not keep a key come
    without keys: an older version may hold what today's tests would refuse.
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
    trouble = None
    try:
        published = published_path(settings.data_dir)
        try:
            write(fresh, published, version, with_keys=True)
        except duckdb.ConstraintException as error:
            trouble = f"{path} declares no keys: {error}"
            write(fresh, published, version)
        with fresh.open("rb+") as file:
            os.fsync(file.fileno())
        fresh.replace(path)
    except (duckdb.Error, OSError, Damaged) as error:
        fresh.unlink(missing_ok=True)
        return f"{path} could not be written: {error}"
    return trouble


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
    *,
    with_keys: bool = False,
) -> None:
    """Write the marts of a version's file, and its name, into a new file.

    Args:
        conditions: the marts that are taken, each with the condition of its rows; all
            rows of all marts where None.
        with_keys: declare the keys, which needs all rows of all marts.

    Raises:
        duckdb.ConstraintException: the rows do not keep the keys.
    """
    fresh.unlink(missing_ok=True)
    texts: dict[str, dict[str, str]] = {}
    with reading(published) as file:
        for mart, column, comment in file.execute(DUCKDB_COMMENTS).fetchall():
            if conditions is None or mart in conditions:
                texts.setdefault(mart, {})[column] = comment
        keys: dict[str, Keys] = read_keys(file) if with_keys else {}
    with duckdb.connect(str(fresh)) as file:
        quoted = str(published).replace("'", "''")
        file.execute(f"attach '{quoted}' as published (read_only)")
        file.execute("create schema marts")
        for mart in in_order(sorted(texts), keys):
            source = f'published.marts."{mart}"'
            if conditions is None:
                create_table(file, mart, source, keys)
            else:
                rows = conditions[mart]
                table = f'create table marts."{mart}" as from {source} where {rows}'
                file.execute(table)
        kinds = dict.fromkeys(texts, "table")
        for statement in comment_statements("marts", kinds, texts, {}):
            file.execute(statement)
        file.execute("create schema about")
        file.execute("create table about.version as select ? as version", [version])
        file.execute("detach published")
