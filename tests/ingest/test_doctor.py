"""``scrobble doctor``: what can be wrong is named, and nothing is changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import insert, update

from exchange.daily_steps import found_database
from ingest import doctor
from local_lastfm import LocalLastfm
from tests.exchange.test_recovery import settle
from tests.system import free_port
from tests.warehouse.test_duckdb_store import make_run, overwrite, publish
from warehouse import ops
from warehouse.duckdb_store import DuckDBStore
from warehouse.settings import Settings

Ask = Callable[..., Result]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Runs the command with these settings and gives what it said."""
    for name in ("LASTFM_URL", "LASTFM_API_KEY", "WAREHOUSE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SCROBBLE_CONFIG", str(tmp_path / "scrobble.toml"))

    def run(**variables: str) -> Result:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return CliRunner().invoke(doctor.command, [])

    return run


def states(result: Result) -> dict[str, str]:
    lines = [line.split() for line in result.output.splitlines()]
    return {words[1]: words[0] for words in lines}


def test_an_empty_folder_is_fit_and_stays_empty(ask: Ask, tmp_path: Path) -> None:
    done = ask()
    assert done.exit_code == 0, done.output
    assert set(states(done)) == set(doctor.QUESTIONS)
    assert set(states(done).values()) == {"ok"}
    assert not (tmp_path / "data").exists()


def test_a_server_that_answers_takes_the_key(ask: Ask, demo: LocalLastfm) -> None:
    done = ask(LASTFM_URL=demo.as_of_url, LASTFM_API_KEY="f" * 32)
    assert "127.0.0.1 takes the key" in done.output
    assert states(done)["last.fm"] == "ok"


def test_a_wrong_key_is_named(ask: Ask, demo: LocalLastfm) -> None:
    demo.set_faults([{"kind": "error", "code": 10}])
    try:
        done = ask(LASTFM_URL=demo.as_of_url, LASTFM_API_KEY="f" * 32)
    finally:
        demo.clear_faults()
    assert isinstance(done.exception, doctor.Unfit)
    assert "127.0.0.1 refuses: error 10" in done.output


def test_a_server_that_is_down_and_a_name_without_address_are_named(ask: Ask) -> None:
    done = ask(LASTFM_URL=f"http://127.0.0.1:{free_port()}/2.0/")
    assert "127.0.0.1 does not answer" in done.output
    assert "cannot be reached" in done.output
    done = ask(LASTFM_URL="http://nowhere.invalid/2.0/", LASTFM_API_KEY="f" * 32)
    assert "nowhere.invalid has no address here" in done.output
    assert done.exit_code == 1


def test_a_database_that_is_down_is_told_once_without_its_password(ask: Ask) -> None:
    done = ask(WAREHOUSE_URL="postgresql://ann:hidden-word@127.0.0.1:9/x")
    assert [name for name, state in states(done).items() if state == "wrong"] == [
        "database"
    ]
    assert "hidden-word" not in done.output


@pytest.mark.postgres
def test_a_database_is_described_and_gets_no_table(ask: Ask, postgres_url: str) -> None:
    done = ask(WAREHOUSE_URL=postgres_url.replace("+psycopg2", ""))
    assert "UTF8, C" in done.output and states(done)["database"] == "ok"
    again = ask()
    assert "nothing is kept yet" in again.output


def test_who_is_at_work_and_an_old_version_are_warnings(
    ask: Ask, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    engine = ops.open_ops(settings)
    now = datetime.now(UTC)
    files = DuckDBStore(settings, engine)
    publish(files, make_run(settings, engine, "first"), 1)
    with engine.begin() as connection:
        held = {"run_id": "r", "host": "here", "expires_at": now.timestamp() + 60}
        changed = connection.execute(update(ops.lease).values(**held)).rowcount
        if not changed:
            connection.execute(insert(ops.lease).values(name="daily", fence=1, **held))
    engine.dispose()
    done = ask()
    assert done.exit_code == 0, done.output
    found = states(done)
    assert (found["lock"], found["published"]) == ("warning", "warning")
    assert "run r on here is at work" in done.output
    assert "version 20260101-000001 of 2026-01-01, " in done.output
    (whole,) = (settings.data_dir / "versions").iterdir()
    overwrite(whole, 12, b"\xff")
    damaged = ask()
    assert states(damaged)["published"] == "wrong", damaged.output
    assert "`scrobble repair` goes on from" in damaged.output


def test_an_exchange_that_is_lost_or_damaged_is_named(ask: Ask, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    engine = ops.open_ops(settings)
    settle(engine, "20260101-000001")
    engine.dispose()
    lost = ask()
    assert states(lost)["exchange"] == "wrong"
    assert "restore it from a backup" in lost.output
    (settings.data_dir / "exchange.sqlite").write_text("garbage")
    assert "exchange.sqlite is damaged" in ask().output
    (settings.data_dir / "exchange.sqlite").unlink()
    found_database(settings).dispose()
    assert states(ask())["exchange"] == "ok"


def test_a_journal_that_cannot_be_opened_is_an_answer_and_the_rest_is_asked(
    ask: Ask, tmp_path: Path
) -> None:
    (tmp_path / "data" / "ops.sqlite").mkdir(parents=True)
    done = ask()
    assert isinstance(done.exception, doctor.Unfit)
    assert states(done)["database"] == "wrong" and states(done)["last.fm"] == "ok"


def test_a_damaged_journal_and_an_open_settings_file_are_named(
    ask: Ask, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ops.sqlite").write_text("garbage")
    config = tmp_path / "scrobble.toml"
    config.write_text("")
    config.chmod(0o644)
    done = ask()
    assert states(done)["settings"] == "warning"
    assert "`scrobble repair` makes it again" in done.output
    config.chmod(0o600)
    assert states(ask())["settings"] == "ok"
