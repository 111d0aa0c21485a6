"""The file of public marts: nobody is in it, and a question reaches nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.serve.conftest import VERSION, publish_copy
from tests.serve.marts import World, make_world, publish, version_path, write_duckdb
from warehouse import public_marts
from warehouse.errors import WarehouseError
from warehouse.public_marts import Refused, ask, bring
from warehouse.settings import Settings


@pytest.fixture(scope="module")
def world() -> World:
    """A small world whose charts rank listeners too."""
    made = make_world(days=60)
    someone = made["dim_listeners"][0]
    made["top_charts"].append(
        made["top_charts"][0]
        | {
            "entity_type": "listener",
            "entity_id": someone["listener_id"],
            "entity_name": someone["listener_name"],
        }
    )
    return made


@pytest.fixture(scope="module")
def settings(world: World, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A data folder with the world published."""
    folder = tmp_path_factory.mktemp("world")
    write_duckdb(world, folder / "made.duckdb")
    publish_copy(folder / "data", folder / "made.duckdb", world)
    return Settings(data_dir=folder / "data")


@pytest.fixture(scope="module")
def file(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bring(settings, tmp_path_factory.mktemp("public"))


def cells(path: Path) -> Iterator[tuple[str, Any]]:
    """Every text in every table of a file, with its table."""
    with duckdb.connect(str(path), read_only=True) as database:
        tables = database.execute(
            "select table_name from duckdb_tables() where schema_name = 'marts'"
        ).fetchall()
        for (table,) in tables:
            for row in database.execute(f'from marts."{table}"').fetchall():
                for cell in row:
                    if isinstance(cell, str):
                        yield table, cell.casefold()


def people(world: World) -> set[str]:
    """How the world's listeners are called, whatever the case."""
    return {
        str(row[column]).casefold()
        for row in world["dim_listeners"]
        for column in ("listener_id", "listener_name")
    }


def test_nobody_is_named_in_what_everybody_may_see(world: World, file: Path) -> None:
    names = people(world)
    assert names
    found = {(table, cell) for table, cell in cells(file) if cell in names}
    assert found == set()


def test_control_without_its_condition_a_mart_does_name_them(
    world: World,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    everything = dict.fromkeys(public_marts.conditions(), "true")
    monkeypatch.setattr(public_marts, "conditions", lambda: everything)
    names = people(world)
    found = cells(bring(settings, tmp_path))
    assert {table for table, cell in found if cell in names} == {"top_charts"}


def test_no_public_mart_has_a_column_about_one_person(file: Path) -> None:
    personal = {"listener_id", "listener_name", "player_id", "account_id"}
    for mart, (_, columns) in public_marts.columns(file).items():
        assert not personal & {column.name for column in columns}, mart


def test_questions_are_answered_with_whole_values(world: World, file: Path) -> None:
    answer = ask(
        file,
        "with most as (from dim_artists order by scrobbles desc, artist_id limit 2)"
        " select artist_id, scrobbles, unnest(range(1)) as one from most",
        seconds=10,
        rows=10,
    )
    expected = sorted(
        world["dim_artists"], key=lambda row: (-row["scrobbles"], row["artist_id"])
    )
    assert answer.columns == ["artist_id", "scrobbles", "one"]
    assert answer.rows == [(r["artist_id"], r["scrobbles"], 0) for r in expected[:2]]
    assert not answer.is_cut
    assert ask(file, "from range(5)", seconds=10, rows=3).is_cut
    described = ask(file, "describe dim_artists", seconds=10, rows=100)
    assert any("artist_name" in row for row in described.rows)


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("select * from fct_scrobbles", "fct_scrobbles does not exist"),
        ("select * from listener_top", "listener_top does not exist"),
        ("select count(*) from range(1000000000000)", "longer than"),
        ("selec 1", "syntax error"),
        ("select 1; select 2", "one question"),
        ("", "one question"),
        ("create table x (i int)", "one question"),
        ("drop table dim_artists", "one question"),
        ("set memory_limit = '9GB'", "one question"),
        ("reset lock_configuration", "one question"),
        ("attach 'other.duckdb'", "one question"),
        ("copy dim_artists to 'out.csv'", "one question"),
        ("export database 'out'", "one question"),
        ("install httpfs", "one question"),
        ("from '{version}'", "disabled by configuration"),
        ("from read_text('/etc/passwd')", "not answered"),
        ("from read_csv('/etc/passwd')", "not answered"),
        ("from read_duckdb('{version}')", "not answered"),
        ("from read_blob('/etc/passwd')", "not answered"),
        ("from sniff_csv('/etc/passwd')", "not answered"),
        ("from glob('/*')", "not answered"),
        ("from query('select ' || '1')", "not answered"),
        ("from query_table('dim_artists')", "not answered"),
        ("from duckdb_settings()", "not answered"),
        ("from duckdb_databases", "not answered"),
        ("from pragma_database_list", "not answered"),
        ("from which_secret('a', 's3')", "not answered"),
        ("select current_setting('temp_directory')", "not answered"),
        ("select system.main.current_setting('threads')", "not answered"),
        ("select 'threads'.current_setting()", "not answered"),
        ("select pg_sleep(1)", "not answered"),
        ("select sleep_ms(1000)", "not answered"),
        ("select version(), current_user", "not answered"),
        ("select max(current_database()) over () from dim_artists", "not answered"),
        ("select write_log('x')", "not answered"),
        ("select get_block_size('x')", "not answered"),
        ("select (select max(name) from (from duckdb_settings()))", "not answered"),
        ("select repeat('x', 6000000)", "more than 5,000,000 characters"),
    ],
)
def test_nothing_else_is_reached_changed_or_told(
    settings: Settings, file: Path, statement: str, says: str
) -> None:
    version = version_path(settings.data_dir, VERSION)
    before = file.read_bytes()
    with pytest.raises(Refused) as refused:
        ask(file, statement.format(version=version), seconds=1, rows=10)
    assert says in str(refused.value), refused.value
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "statement",
    [
        "select count(*), count(distinct artist_id), sum(scrobbles) over (),"
        " max(scrobbles) filter (where true),"
        " string_agg(artist_name, ', ' order by artist_name)"
        " from dim_artists group by scrobbles having count(*) > 0",
        "select coalesce(null, 1), 1 + 2 * 3 - 4 / 5 % 6, 'a' || 'b',"
        " 'x' not like 'y%', 1 in (1, 2), 1 between 0 and 2, not true,"
        " case when true then 1 end, -1, cast('1' as integer),"
        " date_trunc('month', current_date), extract(year from date '2026-01-01'),"
        " date '2026-01-01' + interval 1 day, list_sum([1, 2]),"
        " row_number() over (order by 1), lag(1) over (), round(1.5, 1), lower('A'),"
        " regexp_matches('a', 'b'), [1, 2][1], {'a': 1}.a, median(1), nullif(1, 2)",
    ],
)
def test_what_depends_on_its_arguments_alone_is_answered(
    file: Path, statement: str
) -> None:
    assert ask(file, statement, seconds=10, rows=10).rows


def test_control_functions_that_wait_and_tell_are_told_apart() -> None:
    assert {
        "sum",
        "row_number",
        "date_trunc",
        "+",
        "list_sum",
    } <= public_marts.functions()
    telling = {"pg_sleep", "sleep_ms", "current_setting", "version", "write_log"}
    assert not telling & public_marts.functions()


def test_control_without_the_check_the_machine_is_told_of(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public_marts, "_check", lambda *_: None)
    told = ask(file, "from duckdb_databases()", seconds=10, rows=10)
    assert any(str(file) in map(str, row) for row in told.rows)
    # The second wall still stands.
    with pytest.raises(Refused, match="disabled by configuration"):
        ask(file, "from read_text('/etc/passwd')", seconds=10, rows=10)
    with pytest.raises(Refused, match="configuration has been locked"):
        ask(file, "set memory_limit = '9GB'", seconds=10, rows=10)


def test_each_version_has_its_file_and_who_holds_the_old_one_keeps_it(
    world: World, settings: Settings, tmp_path: Path
) -> None:
    shutil.copytree(settings.data_dir, tmp_path / "data")
    moved = Settings(data_dir=tmp_path / "data")
    folder = tmp_path / "public"
    first = bring(moved, folder)
    assert bring(moved, folder) == first
    with duckdb.connect(str(first), read_only=True) as held:
        newer = "20260314-000002"
        shutil.copy(
            version_path(moved.data_dir, VERSION), version_path(moved.data_dir, newer)
        )
        publish(moved.data_dir, newer, world.as_of)
        second = bring(moved, folder)
        assert newer in second.name
        assert {path.name for path in folder.glob("*.duckdb")} == {second.name}
        assert held.execute("select count(*) from marts.dim_artists").fetchall()


def test_where_nothing_is_published_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="make daily"):
        bring(Settings(data_dir=tmp_path), tmp_path / "public")


@pytest.mark.postgres
def test_the_file_of_a_server_is_that_of_the_embedded_engine(
    world: World, file: Path, postgres_url: str, tmp_path: Path
) -> None:
    from tests.serve.marts import write_postgres

    write_postgres(world, postgres_url)
    other = bring(Settings(warehouse_url=postgres_url), tmp_path)
    for mart in public_marts.conditions():
        statement = (
            f"select md5(string_agg(t::text, '' order by t::text)) from {mart} t"
        )
        assert (
            ask(other, statement, seconds=60, rows=1).rows
            == ask(file, statement, seconds=60, rows=1).rows
        ), mart
