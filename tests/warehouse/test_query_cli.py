"""The analysts' shell and the export of the marts, on both engines."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import psycopg2
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from tests.mart_columns import mart_columns
from tests.serve.marts import (
    World,
    make_world,
    publish,
    version_path,
    write_duckdb,
    write_postgres,
)
from warehouse import rows_out
from warehouse.cli import cli
from warehouse.query_cli import _is_ended, _Shell
from warehouse.settings import Settings

VERSION = "20260314-000001"
NAMES = ("name", "n")
LONG = "a name that is far longer than a narrow terminal has columns for it"
ROWS = [(LONG, 182_433_719), ("tab\tand\nline", None), ("pipe | sign", 1)]


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


@pytest.fixture(scope="module")
def folder(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a version whose mart `totals` and a column are described."""
    made = tmp_path_factory.mktemp("analyst")
    path = version_path(made, VERSION)
    write_duckdb(world, path)
    with duckdb.connect(str(path)) as database:
        database.execute("comment on table marts.totals is 'Totals of the panel'")
        database.execute("comment on column marts.totals.scrobbles is 'plays'")
    publish(made, VERSION, world.as_of)
    return made


@pytest.fixture
def asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("DATA_DIR", str(folder))
    monkeypatch.setenv("SCROBBLE_CONFIG", str(folder / "none.toml"))
    return CliRunner()


def written(form: str, width: int = 0) -> str:
    out = io.StringIO()
    rows_out.FORMS[form](NAMES, ROWS, out, width)
    return out.getvalue()


@pytest.mark.parametrize("width", [0, 40, 80, 200])
@pytest.mark.parametrize("form", rows_out.FORMS)
def test_no_value_is_shortened_in_any_form(form: str, width: int) -> None:
    text = written(form, width)
    assert LONG in text and "182433719" in text


def test_a_table_that_is_too_wide_is_written_row_below_row() -> None:
    assert "-- row 1 --" in written("table", 40)
    assert "-- row 1 --" not in written("table", 200), "the control"


def test_a_row_is_a_line_for_other_programs() -> None:
    assert [line.split("\t") for line in written("tsv").splitlines()] == [
        ["name", "n"],
        [LONG, "182433719"],
        ["tab\\tand\\nline", ""],
        ["pipe | sign", "1"],
    ]
    assert [json.loads(line) for line in written("ndjson").splitlines()] == [
        dict(zip(NAMES, row, strict=True)) for row in ROWS
    ]
    assert json.loads(written("json"))[0]["n"] == 182_433_719
    assert written("markdown").splitlines()[4] == "| pipe \\| sign | 1 |"


def test_into_a_pipe_goes_tsv_and_a_text_may_hold_several_statements(
    asked: CliRunner,
) -> None:
    done = asked.invoke(cli, ["sql", "select 'a;b' as x;\nselect\n 1 as y;"])
    assert (done.exit_code, done.output) == (0, "x\na;b\ny\n1\n")


def test_statements_come_over_lines_from_a_file(asked: CliRunner) -> None:
    text = ".format csv\nselect 'one;\ntwo' as x\n, 2 as y;\nselect 3 as z"
    done = asked.invoke(cli, ["sql"], input=text)
    assert (done.exit_code, done.output) == (0, 'x,y\n"one;\ntwo",2\nz\n3\n')


def test_an_error_names_its_place_and_nothing_after_it_runs(asked: CliRunner) -> None:
    done = asked.invoke(cli, ["sql", "select 1 as x; select nowhere; select 2 as y"])
    assert done.exit_code != 0
    assert "nowhere" in str(done.exception) and "^" in str(done.exception)
    assert "y" not in done.output


def test_tables_and_columns_are_listed(asked: CliRunner) -> None:
    done = asked.invoke(cli, ["sql"], input=".tables\n.schema totals\n")
    assert "totals\n" in done.output and "scrobbles\tBIGINT" in done.output
    done = asked.invoke(cli, ["sql"], input=".schema nothing\n")
    assert "there is no mart nothing" in str(done.exception)


@pytest.mark.parametrize(
    ("text", "is_ended"),
    [
        ("select 1;\n", True),
        ("select 1", False),
        ("select ';", False),
        ("select '\n;\n", False),
        ("select ';';", True),
        ("select 1 -- a;\n", False),
    ],
)
def test_a_statement_ends_at_its_own_semicolon(text: str, is_ended: bool) -> None:
    assert _is_ended(text) is is_ended


def test_a_person_s_statements_go_on_after_an_error(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = "select\n1 as one;\nselect nowhere;\n.nothing\nselect 2 as two;\n.quit\n"
    with create_pipe_input() as keys:
        keys.send_text(typed.replace("\n", "\r"))
        with create_app_session(input=keys, output=DummyOutput()):
            _Shell(Settings(data_dir=folder), "csv", None).talk()
    told = capsys.readouterr()
    assert "one\n1\n" in told.out and "two\n2\n" in told.out
    assert "nowhere" in told.err and "'.nothing' is not known" in told.err
    history = (folder / "sql_history").read_text()
    assert "select nowhere;" in history


def test_the_words_are_the_marts_and_their_columns(folder: Path) -> None:
    words = _Shell(Settings(data_dir=folder), None, None)._words()
    assert {"totals", "top_charts", "scrobbles", "select"} <= set(words)


def test_an_answer_goes_into_a_file(asked: CliRunner, tmp_path: Path) -> None:
    file = tmp_path / "answer.parquet"
    arguments = ["sql", "select 7 as n, 'x' as t", "--format", "parquet"]
    assert "--output" in str(asked.invoke(cli, arguments).exception)
    assert asked.invoke(cli, [*arguments, "-o", str(file)]).exit_code == 0
    assert pq.read_table(file).to_pylist() == [{"n": 7, "t": "x"}]
    done = asked.invoke(cli, ["sql", "select 7 as n", "-o", str(tmp_path / "no/x")])
    assert "cannot be written" in str(done.exception)


# Parquet files ----------------------------------------------------------------


@pytest.fixture(params=["duckdb", "postgresql"])
def warehouse(
    request: pytest.FixtureRequest,
    folder: Path,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[None]:
    """The environment of a warehouse on this engine."""
    monkeypatch.setenv("DATA_DIR", str(folder))
    monkeypatch.setenv("SCROBBLE_CONFIG", str(folder / "none.toml"))
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
        write_postgres(world, url)
        connection = psycopg2.connect(url.replace("+psycopg2", ""))
        with connection, connection.cursor() as cursor:
            cursor.execute("comment on table marts.totals is 'Totals of the panel'")
            cursor.execute("comment on column marts.totals.scrobbles is 'plays'")
        connection.close()
        monkeypatch.setenv("WAREHOUSE_URL", url.replace("+psycopg2", ""))
    yield


def test_every_mart_is_one_file_with_its_rows_and_descriptions(
    warehouse: None, world: World, tmp_path: Path
) -> None:
    done = CliRunner().invoke(cli, ["export", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output + str(done.exception)
    files = {path.stem: path for path in (tmp_path / "out").glob("*")}
    assert files.keys() == mart_columns().keys()
    for mart, path in files.items():
        assert pq.read_metadata(path).num_rows == len(world[mart]), mart
    about = pq.read_schema(files["totals"])
    assert about.metadata[b"description"] == b"Totals of the panel"
    assert about.metadata[b"version"].decode() == VERSION
    described = about.field("scrobbles").metadata or {}
    assert described[b"description"] == b"plays"
    told = sorted(
        pq.read_table(files["totals"]).to_pylist(),
        key=lambda row: (row["period"], row["period_start"]),
    )
    wanted = sorted(
        world["totals"], key=lambda row: (row["period"], row["period_start"])
    )
    assert [row["scrobbles"] for row in told] == [row["scrobbles"] for row in wanted]


def test_one_mart_alone_and_one_that_is_not_there(
    warehouse: None, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = CliRunner().invoke(cli, ["export", str(out), "--mart", "totals"])
    assert [path.name for path in out.iterdir()] == ["totals.parquet"], done.output
    done = CliRunner().invoke(cli, ["export", str(out), "--mart", "nothing"])
    assert "there is no mart nothing" in str(done.exception)


def test_the_output_of_the_shell_is_a_table_on_a_terminal(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert _Shell(Settings(data_dir=folder), None, None)._form == "table"
    assert _Shell(Settings(data_dir=folder), None, folder / "x")._form == "tsv"
