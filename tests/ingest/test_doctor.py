"""``scrobble doctor``: what can be wrong is named, and nothing is changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import insert, update

from ingest import doctor
from local_lastfm import LocalLastfm
from tests.system import free_port
from warehouse import ops
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
    engine = ops.open_ops(Settings(data_dir=tmp_path / "data"))
    now = datetime.now(UTC)
    with engine.begin() as connection:
        connection.execute(
            insert(ops.published).values(
                name="marts",
                version="v",
                fence=1,
                as_of_date=now.date() - timedelta(days=9),
                published_at=now.replace(tzinfo=None),
            )
        )
        connection.execute(
            insert(ops.versions).values(
                version="v",
                fence=1,
                run_id="r",
                as_of_date=now.date() - timedelta(days=9),
                published_at=now.replace(tzinfo=None),
                built_through=1,
                project_hash="x",
                bytes=1,
                row_counts="{}",
            )
        )
        held = {"run_id": "r", "host": "here", "expires_at": now.timestamp() + 60}
        changed = connection.execute(update(ops.lease).values(**held)).rowcount
        if not changed:
            connection.execute(insert(ops.lease).values(name="daily", fence=1, **held))
    engine.dispose()
    done = ask()
    assert done.exit_code == 0, done.output
    found = states(done)
    assert (found["lock"], found["published"]) == ("warning", "warning")
    assert "run r on here is at work" in done.output and "9 days ago" in done.output


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
