"""The project's own materializations keep what dbt promises: comments and grants."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from dbt.cli.main import dbtRunner
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from warehouse.project import PROJECT

MODEL = "select 1 as n"
DESCRIPTIONS = {"": "It's one row; 100 % of it.", "n": "The number."}
COMMENTS = {
    "duckdb": "select table_name, '', comment from duckdb_tables()"
    " union all select view_name, '', comment from duckdb_views() where not internal"
    " union all select table_name, column_name, comment from duckdb_columns()"
    " where not internal",
    "postgres": "select relname, coalesce(attname, ''), description"
    " from pg_description join pg_class on pg_class.oid = objoid"
    " and classoid = 'pg_class'::regclass left join pg_attribute"
    " on attrelid = objoid and attnum = objsubid and objsubid > 0"
    " where relnamespace = 'public'::regnamespace",
}


@pytest.fixture
def small_project(tmp_path: Path) -> Path:
    """A project of a table and a view, with the materializations of this one."""
    folder = tmp_path / "small"
    (folder / "models").mkdir(parents=True)
    for macros in ("materializations", "portable"):
        shutil.copytree(PROJECT / "macros" / macros, folder / "macros" / macros)
    for name in ("a_table", "a_view"):
        (folder / "models" / f"{name}.sql").write_text(MODEL)
    return folder


def write(folder: Path, profile: dict[str, Any], **config: Any) -> None:
    """The project's files, with this configuration of all models."""
    models = [
        {
            "name": f"a_{kind}",
            "description": DESCRIPTIONS[""],
            "columns": [{"name": "n", "description": DESCRIPTIONS["n"]}],
            "config": {"materialized": kind},
        }
        for kind in ("table", "view")
    ]
    files: dict[str, Any] = {
        "dbt_project.yml": {
            "name": "small",
            "profile": "small",
            "models": {f"+{name}": value for name, value in config.items()},
            "flags": {"send_anonymous_usage_stats": False},
        },
        "profiles.yml": {"small": {"target": "t", "outputs": {"t": profile}}},
        "models/models.yml": {"models": models},
    }
    for name, content in files.items():
        (folder / name).write_text(yaml.safe_dump(content))


def run(folder: Path) -> None:
    paths = ["--project-dir", "--profiles-dir", "--log-path"]
    arguments = [word for path in paths for word in (path, str(folder))]
    arguments += ["--target-path", str(folder / "target"), "--log-level-file", "none"]
    result = dbtRunner().invoke(["--quiet", "run", *arguments])
    said = (str(node.message) for node in result.result or ())
    assert result.success, "\n".join(said) or result.exception


@pytest.fixture(params=["duckdb", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """The profile of an empty database, and a function that asks it."""
    if request.param == "duckdb":
        path = tmp_path / "one.duckdb"

        def ask_duckdb(sql: str) -> list[Any]:
            from dbt.adapters.duckdb.connections import DuckDBConnectionManager

            DuckDBConnectionManager.close_all_connections()
            with duckdb.connect(str(path)) as connection:
                return connection.execute(sql).fetchall()

        yield {"type": "duckdb", "path": str(path)}, ask_duckdb
        return
    url = make_url(request.getfixturevalue("postgres_url"))
    engine = create_engine(url)

    def ask_postgres(sql: str) -> list[Any]:
        with engine.begin() as connection:
            result = connection.execute(text(sql))
            return [tuple(row) for row in result] if result.returns_rows else []

    yield (
        {
            "type": "postgres",
            "host": url.host,
            "port": url.port,
            "user": url.username,
            "password": str(url.password),
            "dbname": url.database,
            "schema": "public",
        },
        ask_postgres,
    )
    engine.dispose()


def test_comments_are_written_where_the_project_asks_for_them(
    small_project: Path, database: Any
) -> None:
    profile, ask = database
    wanted = {
        (f"a_{kind}", column): text_
        for kind in ("table", "view")
        for column, text_ in DESCRIPTIONS.items()
    }
    write(small_project, profile)
    run(small_project)
    found = ask(COMMENTS[profile["type"]])
    assert not any(comment for _, _, comment in found), "the control: none by default"
    write(small_project, profile, persist_docs={"relation": True, "columns": True})
    for _ in range(2):  # made, and made again over what is there
        run(small_project)
        found = ask(COMMENTS[profile["type"]])
        assert {(t, c): comment for t, c, comment in found} == wanted


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
@pytest.mark.postgres
def test_grants_are_given_where_the_project_asks_for_them(
    small_project: Path, database: Any
) -> None:
    profile, ask = database
    ask("drop role if exists small_reader")
    ask("create role small_reader")
    may_read = (
        "select has_table_privilege('small_reader', 'a_table', 'select'),"
        " has_table_privilege('small_reader', 'a_view', 'select')"
    )
    write(small_project, profile)
    run(small_project)
    assert ask(may_read) == [(False, False)]
    write(small_project, profile, grants={"select": ["small_reader"]})
    for _ in range(2):
        run(small_project)
        assert ask(may_read) == [(True, True)]
    ask("drop owned by small_reader; drop role small_reader")


def test_a_model_with_another_column_than_its_table_is_refused(
    small_project: Path, database: Any
) -> None:
    profile, ask = database
    for macro in ("built_through.sql", "listening/is_partial_build.sql"):
        shutil.copy(PROJECT / "macros" / macro, small_project / "macros")
    config = "config(materialized='incremental', incremental_strategy='append',"
    config = f"{{{{ {config} on_schema_change='fail') }}}}\n"
    model = small_project / "models" / "grows.sql"
    model.write_text(config + MODEL)
    write(small_project, profile)
    table = "grows" if profile["type"] == "postgres" else "main.grows"
    for rows in (1, 2):  # made, and once more by hand over what is there: the control
        run(small_project)
        assert ask(f"select count(*) from {table}") == [(rows,)]
    model.write_text(config + f"{MODEL}, 2 as m")
    with pytest.raises(AssertionError, match="out of sync"):
        run(small_project)
    assert ask(f"select count(*) from {table}") == [(2,)]
