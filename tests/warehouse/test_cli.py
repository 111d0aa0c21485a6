"""What a person reads when a file is damaged or a disk is not as it should be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import duckdb
import pytest

from tests.system import free_port
from tests.warehouse.test_duckdb_store import make_run, overwrite, publish
from warehouse import cli, ops
from warehouse.duckdb_store import DuckDBStore
from warehouse.interruption import interruptible
from warehouse.settings import Settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with two published versions."""
    settings = Settings(data_dir=tmp_path / "data", lease_seconds=30)
    engine = ops.open_ops(settings)
    files = DuckDBStore(settings, engine)
    for number in (1, 2):
        publish(files, make_run(settings, engine, f"r{number}"), number)
    engine.dispose()
    return settings.data_dir


def version(folder: Path) -> Path:
    return max((folder / "versions").iterdir())


def garbage(path: Path) -> None:
    for beside in path.parent.glob(f"{path.name}-*"):
        beside.unlink()
    path.write_text("garbage")


DAMAGES: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "version": (
        lambda folder: overwrite(version(folder), 12, b"\xff"),
        "sql",
        "`scrobble repair` goes on from the version before it",
    ),
    "version gone": (
        lambda folder: version(folder).unlink(),
        "sql",
        "is missing; `scrobble repair` goes on from the version before it",
    ),
    "pointer": (
        lambda folder: garbage(folder / "published.json"),
        "sql",
        "`scrobble repair` writes it again",
    ),
    "journal": (
        lambda folder: garbage(folder / "ops.sqlite"),
        "status",
        "`scrobble repair` moves it aside and makes it again",
    ),
    "exchange": (
        lambda folder: garbage(folder / "exchange.sqlite"),
        "market status",
        "restore it from a backup",
    ),
}


def ended(monkeypatch: pytest.MonkeyPatch, folder: Path, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["scrobble", *arguments])
    monkeypatch.setenv("DATA_DIR", str(folder))
    return cli._ended()


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_file_is_one_sentence_with_the_way_out(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    kind: str,
) -> None:
    damage, command, way_out = DAMAGES[kind]
    arguments = [*command.split(), *(["select 1"] if command == "sql" else [])]
    assert ended(monkeypatch, folder, *arguments) == 0
    damage(folder)
    capsys.readouterr()
    assert ended(monkeypatch, folder, *arguments) == 65
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1
    assert str(folder) in said and way_out in said


def test_the_status_is_shown_where_the_published_version_is_damaged(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    overwrite(version(folder), 12, b"\xff")
    assert ended(monkeypatch, folder, "status") == 65
    said, trouble = capsys.readouterr()
    assert "published: 20260101-000002" in " ".join(said.split())
    assert "is damaged" in trouble and "`scrobble repair`" in trouble


@pytest.mark.parametrize("is_lost", [True, False])
def test_a_way_back_is_offered_only_where_there_is_one(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    is_lost: bool,
) -> None:
    def leave(self: DuckDBStore) -> list[str]:
        return []

    monkeypatch.setattr(DuckDBStore, "repair", leave)
    if is_lost:
        version(folder).unlink()
    assert ended(monkeypatch, folder, "rollback") == 0
    said = capsys.readouterr().out
    assert "readers now see 20260101-000001" in said
    assert ("back again" in said) is not is_lost


@pytest.mark.parametrize(
    "command",
    [
        "daily",
        "status",
        "rollback",
        "sql select 1",
        "market status",
        "db check",
        "repair",
        "backup DIR",
    ],
)
def test_a_database_that_is_down_is_one_sentence_and_one_exit_code(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    url = f"postgresql://ann:hidden-word@127.0.0.1:{free_port()}/x"
    monkeypatch.setenv("WAREHOUSE_URL", url)
    words = command.replace("DIR", str(tmp_path / "backups")).split(" ", 1)
    words = words if words[0] == "sql" else command.split()
    assert ended(monkeypatch, tmp_path / "data", *words) == 69
    said = capsys.readouterr().err
    assert "Connection refused" in said and "hidden-word" not in said
    assert len(said.splitlines()) == 1, said


@pytest.mark.parametrize(
    ("lost", "command"), [("ops.sqlite", "status"), ("published.json", "sql")]
)
def test_where_the_pointer_is_lost_repair_is_named_and_finds_it(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    lost: str,
    command: str,
) -> None:
    arguments = [command, *(["select n from totals"] if command == "sql" else [])]
    for path in folder.glob(f"{lost}*"):
        path.unlink()
    ended(monkeypatch, folder, *arguments)
    said = "".join(capsys.readouterr())
    assert "scrobble repair" in said and "make daily" not in said
    assert ended(monkeypatch, folder, "repair") == 0
    assert ended(monkeypatch, folder, *arguments) == 0
    assert "scrobble repair" not in "".join(capsys.readouterr())


def test_repair_says_what_it_did_and_then_that_there_is_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    overwrite(version(folder), 12, b"\xff")
    assert ended(monkeypatch, folder, "repair") == 0
    assert "going on from version 20260101-000001" in capsys.readouterr().out
    assert ended(monkeypatch, folder, "repair") == 0
    assert capsys.readouterr().out == "there is nothing to repair\n"


def test_a_wrong_question_is_not_taken_for_damage(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for query in ("select nothing", "from 'absent.csv'"):
        assert ended(monkeypatch, folder, "sql", query) == 7
        assert "damaged" not in capsys.readouterr().err


def test_what_a_command_exits_with_is_the_exit_code(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = click.Command(
        "ends", callback=lambda: click.get_current_context().exit(3)
    )
    monkeypatch.setitem(cli.cli.commands, "ends", command)
    assert ended(monkeypatch, folder, "ends") == 3


@pytest.mark.parametrize("is_member", [False, True])
def test_a_signal_within_a_statement_stops_a_run_like_any_other(
    is_member: bool,
) -> None:
    class Holder:
        def __init__(self) -> None:
            self.connection = duckdb.connect()

        def ask(self) -> None:
            self.connection.execute("set threads = 2")
            self.connection.execute("select sum(range) from range(1000000000000)")

    def ask(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("set threads = 2")
        connection.execute("select sum(range) from range(1000000000000)")

    for _ in range(6):  # most went on to their end
        holder = Holder()
        late = threading.Timer(20, holder.connection.interrupt)
        late.start()
        began = time.monotonic()
        threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGTERM]).start()
        with (
            pytest.raises(KeyboardInterrupt, match="stopped by signal 15"),
            interruptible(),
        ):
            holder.ask() if is_member else ask(holder.connection)
        late.cancel()
        assert time.monotonic() - began < 20


def test_what_nobody_foresaw_is_one_sentence_and_the_details_are_in_a_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(cli, "_status", broken)
    assert ended(monkeypatch, folder, "status") == 70
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "Traceback" not in said
    details = Path(said.split()[-1])
    assert "ZeroDivisionError: by nothing" in details.read_text()
    details.unlink()


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "warehouse", *arguments],
        env={**os.environ, "DATA_DIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_pipe_that_nobody_reads_ends_in_silence(folder: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    for form in ("csv", "table"):
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "warehouse",
                "sql",
                "--format",
                form,
                "from range(9000)",
            ],
            env={**os.environ, "DATA_DIR": str(folder)},
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.stderr == ""
    os.close(writing)


@contextmanager
def mounted(folder: Path, *arguments: str) -> Iterator[None]:
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        ["mount", *arguments, str(folder)], capture_output=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"this machine mounts nothing: {done.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def test_a_folder_that_cannot_be_written_is_read_and_a_run_refused(
    folder: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "read-only"
    with mounted(kept, "--bind", str(folder)):
        subprocess.run(["mount", "-o", "remount,bind,ro", str(kept)], check=True)
        assert "20260101-000002" in run(kept, "status").stdout
        assert "2" in run(kept, "sql", "select n from totals").stdout
        refused = run(kept, "daily")
        assert refused.returncode == 73
        assert "cannot be written" in refused.stderr
        assert "Traceback" not in refused.stderr


def test_a_disk_that_is_full_from_the_start_is_told(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with mounted(disk, "-t", "tmpfs", "-o", "size=64k", "tmpfs"):
        (disk / "filler").write_bytes(bytes(60_000))
        refused = run(disk / "data", "daily")
        assert refused.returncode == 74
        assert "no room for the journal" in refused.stderr
        assert "Traceback" not in refused.stderr


def test_the_status_has_whole_values_and_tabs_where_it_is_piped(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    assert ended(monkeypatch, folder, "status") == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert ["version", "day", "published", "MB", "rows"] in lines
    assert any(line[0] == "20260101-000002 ←" and len(line) == 5 for line in lines)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert ended(monkeypatch, folder, "status") == 0
    said = capsys.readouterr().out
    assert "\t" not in said and "20260101-000002 ←" in said
