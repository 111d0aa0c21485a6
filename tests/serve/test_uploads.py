"""A listener hands in a file of their own history; a job lands it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from ingest import landing
from ingest.exports.cli import command
from ingest.jobs import import_history
from serve.accounts.current import COOKIE
from serve.api import accounts
from serve.jobs.queue import Jobs
from serve.pages import listeners
from tests.serve.conftest import csrf, log_in, shared
from warehouse import forgetting, ops, uploads
from warehouse.errors import Busy, ImportRefused
from warehouse.hooks import Job, JobHook, JobLost
from warehouse.lease import Lease

HISTORY = b"artist,track,uts\nLow,Fly,1700000000\nLow,Fly,1700000000\nLow\n"


@pytest.fixture
def service(open_market: Flask) -> Flask:
    """The whole service, with its pages."""
    return open_market


def hand_in(
    browser: FlaskClient, content: bytes | None = HISTORY, token: str | None = None
) -> int:
    """Send a file as the form on `/me` does; the status of the answer."""
    if token is None:
        token = csrf(browser)["X-CSRF-Token"]
    form: dict[str, Any] = {"csrf_token": token}
    if content is not None:
        form["history"] = (io.BytesIO(content), "my history.csv")
    return browser.post(
        "/me/import", data=form, content_type="multipart/form-data"
    ).status_code


def data_dir(app: Flask) -> Path:
    return shared(app).settings.warehouse.data_dir


def run_jobs(app: Flask, work: JobHook = import_history) -> None:
    services = shared(app)
    functions = {"import_history": work}
    Jobs(services.accounts, services.settings, functions, 0.05).run_queued()


def newest_job(browser: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = browser.get("/api/v1/jobs").get_json()["data"][0]
    return found


def test_a_file_is_kept_for_a_job_which_lands_it_for_its_owner(service: Flask) -> None:
    browser = log_in(service, "anna")
    assert hand_in(browser) == 303
    (kept,) = uploads.waiting(data_dir(service), "anna")
    assert kept.read_bytes() == HISTORY
    assert kept.stat().st_mode & 0o077 == 0
    # One at a time.
    assert hand_in(browser) == 409
    run_jobs(service)
    job = newest_job(browser)
    assert job["state"] == "done", job
    assert job["counts"] == {
        "rows": 3,
        "plays": 1,
        "equal": 1,
        "set aside: not the columns of the header": 1,
    }
    assert not uploads.waiting(data_dir(service), "anna")
    engine = ops.open_ops(shared(service).settings.warehouse)
    with engine.connect() as connection:
        parts = landing.list_parts(connection, complete_only=True)
        assert connection.execute(select(ops.lease.c.run_id)).scalar() is None
    engine.dispose()
    (record,) = [
        record
        for part in parts
        for record in landing.read_part(data_dir(service) / "landing", part)
        if record.method == "import"
    ]
    assert record.params["user"] == "anna"
    page = browser.get("/me").text
    assert "Import: <strong" in page and "set aside: not the columns" in page


def test_a_file_that_is_no_history_fails_its_job_and_is_deleted(service: Flask) -> None:
    browser = log_in(service, "anna")
    assert hand_in(browser, b"what is this?") == 303
    run_jobs(service)
    job = newest_job(browser)
    assert job["state"] == "failed"
    assert "the file: no listening history in a known format" in job["error"]
    assert not uploads.waiting(data_dir(service), "anna")


@pytest.mark.parametrize("when", ["it waits", "a run is at work", "it reads"])
def test_a_cancelled_import_lands_nothing_and_its_file_is_deleted(
    service: Flask, when: str
) -> None:
    browser = log_in(service, "anna")
    token = csrf(browser)
    assert hand_in(browser) == 303

    def cancel() -> None:
        path = f"/api/v1/jobs/{newest_job(browser)['job_id']}/cancel"
        assert browser.post(path, headers=token).status_code == 200

    def cancelled_at_once(job: Job) -> Mapping[str, int]:
        assert uploads.waiting(data_dir(service), "anna"), "it runs: the job's own"
        cancel()
        return import_history(job)

    engine = ops.open_ops(shared(service).settings.warehouse)
    ops.ensure_tables(engine, landing.metadata)
    lease = Lease(engine, "a-run", data_dir(service) / "alive", 30)
    if when == "a run is at work":
        lease.acquire()
    if when == "it waits":
        cancel()
    run_jobs(service, cancelled_at_once)
    assert newest_job(browser)["state"] == "cancelled"
    assert not uploads.waiting(data_dir(service), "anna")
    with engine.connect() as connection:
        assert not landing.list_parts(connection)
    engine.dispose()


@pytest.mark.parametrize(
    ("error", "state", "files"),
    [
        (OSError(), "failed", 0),
        (JobLost(), "running", 1),
        (KeyboardInterrupt(), "queued", 1),
    ],
)
def test_a_file_stays_where_its_job_is_taken_up_again_and_nowhere_else(
    service: Flask,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    state: str,
    files: int,
) -> None:
    browser = log_in(service, "anna")
    assert hand_in(browser) == 303

    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("ingest.jobs.land", fails)
    with suppress(KeyboardInterrupt):
        run_jobs(service)
    assert len(uploads.waiting(data_dir(service), "anna")) == files
    assert newest_job(browser)["state"] == state


@pytest.mark.parametrize("content", [None, HISTORY], ids=["no file", "no login"])
def test_nobody_else_hands_in_anything(service: Flask, content: bytes | None) -> None:
    browser = log_in(service, "anna")
    if content is None:
        assert hand_in(browser, None) == 422
    else:
        assert hand_in(browser, content, token="wrong") == 403
        browser.delete_cookie(COOKIE)
        assert hand_in(browser, content, token="wrong") in (401, 403)
    assert not (data_dir(service) / uploads.FOLDER).exists()


def test_a_file_has_a_size_and_a_stranger_none(
    service: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listeners, "LARGEST_UPLOAD_BYTES", 3000)
    service.config["MAX_CONTENT_LENGTH"] = 1000
    browser = log_in(service, "anna")
    assert hand_in(browser, HISTORY.ljust(4000)) == 413
    assert hand_in(browser, HISTORY.ljust(2000)) == 303, "more than others may send"
    assert hand_in(service.test_client(), HISTORY.ljust(2000), token="") in (401, 413)


def test_an_account_hands_in_so_many_files_a_day(
    service: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "IMPORTS_A_DAY", 2)
    anna, bert = log_in(service, "anna"), log_in(service, "bert")
    for _ in range(2):
        assert hand_in(anna) == 303
        run_jobs(service)
    assert hand_in(anna) == 409
    assert not uploads.waiting(data_dir(service), "anna")
    assert hand_in(bert) == 303, "each has their own"


def imported(app: Flask, path: Path, listener: str, *more: str) -> Result:
    """What the command says of a file."""
    environment = {
        "DATA_DIR": str(data_dir(app)),
        "SCROBBLE_CONFIG": str(path.parent / "none.toml"),
    }
    arguments = [str(path), "--listener", listener, *more]
    return CliRunner().invoke(command, arguments, env=environment)


def test_a_file_that_was_imported_with_another_zone_says_so_and_the_way_out(
    service: Flask, tmp_path: Path
) -> None:
    path = tmp_path / "history.csv"
    path.write_bytes(HISTORY)
    berlin = ("--zone", "Europe/Berlin")
    assert "1 play of Ana landed" in imported(service, path, "Ana").output
    said = imported(service, path, "Ana").output
    assert said == "history.csv: imported before, nothing is new\n"
    said = imported(service, path, "Ana", *berlin).output
    assert "taken as UTC, as they were then, not as Europe/Berlin" in said
    assert "`scrobble forget Ana`" in said
    assert "1 play of Bo landed" in imported(service, path, "Bo", *berlin).output
    said = imported(service, path, "bo").output
    assert "taken as Europe/Berlin, as they were then, not as UTC" in said


def test_the_command_gives_way_to_a_run_and_to_a_deletion(
    service: Flask, tmp_path: Path
) -> None:
    settings = shared(service).settings.warehouse
    path = tmp_path / "history.csv"
    path.write_bytes(HISTORY)

    def bring(listener: str) -> BaseException | None:
        return imported(service, path, listener).exception

    engine = ops.open_ops(settings)
    log_in(service, "anna")  # there are accounts, beside which deletions are noted
    forgetting.finish(settings, engine, ["anna"])
    assert isinstance(bring("Anna"), ImportRefused)
    lease = Lease(engine, "a-run", settings.data_dir / "alive", 30)
    lease.acquire()
    assert isinstance(bring("bert"), Busy)
    lease.release()
    assert bring("bert") is None
    engine.dispose()
