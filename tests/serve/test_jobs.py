"""Background jobs: progress, errors, cancel, and a worker that dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from serve.accounts import store as accounts
from serve.accounts.database import jobs as table
from serve.accounts.database import utcnow
from serve.jobs import store
from serve.jobs.context import JobContext
from serve.jobs.queue import Jobs
from tests.serve.conftest import csrf, log_in, shared
from tests.serve.marts import key
from warehouse.hooks import JobLost


def worker(
    app: Flask, function: Callable[[JobContext], Mapping[str, int] | None]
) -> Jobs:
    """A worker on the service's database whose one job is `function`."""
    services = shared(app)
    return Jobs(
        services.accounts,
        services.settings,
        {"fetch_listener": function},
        beat_seconds=0.05,
    )


def start(app: Flask, name: str = "anna") -> tuple[Any, dict[str, Any]]:
    """A browser and the job it has started."""
    browser = log_in(app, name)
    answer = browser.post("/api/v1/panel", headers=csrf(browser))
    assert answer.status_code == 202
    assert answer.headers["Location"].startswith("/api/v1/jobs/")
    return browser, answer.get_json()["data"]


def look(browser: Any, job: dict[str, Any]) -> dict[str, Any]:
    """The job as its owner sees it."""
    found: dict[str, Any] = browser.get(f"/api/v1/jobs/{job['job_id']}").get_json()
    return found["data"]  # type: ignore[no-any-return]


def test_a_job_runs_to_its_end_with_progress_and_counts(service: Flask) -> None:
    browser, job = start(service)
    assert job["state"] == "queued" and job["progress_pct"] is None
    seen: list[dict[str, Any]] = []

    def fetch(context: JobContext) -> Mapping[str, int]:
        assert context.listener_name == "anna"
        assert context.settings is shared(service).settings.warehouse
        context.report(1, 4, {"pages": 1})
        seen.append(look(browser, job))
        return {"scrobbles": 200}

    worker(service, fetch).run_queued()
    assert seen[0]["state"] == "running" and seen[0]["progress_pct"] == 25.0
    done = look(browser, job)
    assert done["state"] == "done" and done["progress_pct"] == 100.0
    assert done["counts"] == {"pages": 1, "scrobbles": 200}
    assert done["finished_at"]


def test_asking_twice_gives_the_same_job(service: Flask) -> None:
    browser, job = start(service)
    again = browser.post("/api/v1/panel", headers=csrf(browser))
    assert again.status_code == 200
    assert again.get_json()["data"]["job_id"] == job["job_id"]


def test_a_failed_job_says_why_without_secrets(service: Flask) -> None:
    browser, job = start(service)

    def fail(context: JobContext) -> None:
        raise RuntimeError("GET http://x/?api_key=abcdef123456&sk=verysecret failed")

    worker(service, fail).run_queued()
    failed = look(browser, job)
    assert failed["state"] == "failed"
    assert "RuntimeError" in failed["error"]
    assert "abcdef123456" not in failed["error"] and "verysecret" not in failed["error"]


def test_a_job_nobody_provides_fails_by_name(service: Flask) -> None:
    browser, job = start(service)
    services = shared(service)
    with services.accounts.begin() as connection:
        connection.execute(update(table).values(kind="make_tea"))
    Jobs(services.accounts, services.settings).run_queued()
    assert "make_tea" in look(browser, job)["error"]


def test_a_waiting_job_is_cancelled_at_once(service: Flask) -> None:
    browser, job = start(service)
    path = f"/api/v1/jobs/{job['job_id']}/cancel"
    assert browser.post(path).status_code == 403
    cancelled = browser.post(path, headers=csrf(browser)).get_json()["data"]
    assert cancelled["state"] == "cancelled"
    worker(service, lambda context: pytest.fail("it ran")).run_queued()
    assert look(browser, job)["state"] == "cancelled"


def test_a_running_job_stops_at_its_next_report(service: Flask) -> None:
    browser, job = start(service)
    token = csrf(browser)

    def fetch(context: JobContext) -> None:
        for page in range(1, 1000):
            if page == 3:
                path = f"/api/v1/jobs/{job['job_id']}/cancel"
                assert browser.post(path, headers=token).status_code == 200
                assert context.is_cancelled()
            context.report(page, 1000, {"pages": page})
        pytest.fail("it went on")

    worker(service, fetch).run_queued()
    stopped = look(browser, job)
    assert stopped["state"] == "cancelled" and stopped["counts"] == {"pages": 3}


def test_a_silent_workers_job_is_taken_up_and_the_old_worker_can_end_nothing(
    service: Flask,
) -> None:
    browser, job = start(service)
    services = shared(service)
    assert store.claim(services.accounts, job["job_id"], "dead") is not None
    jobs = worker(service, lambda context: {"scrobbles": 1})
    jobs.recover()
    assert look(browser, job)["state"] == "running"
    with services.accounts.begin() as connection:
        connection.execute(
            update(table).values(heartbeat_at=utcnow() - timedelta(minutes=5))
        )
    jobs.recover()
    assert look(browser, job)["state"] == "queued"
    jobs.run_queued()
    assert look(browser, job)["state"] == "done"
    assert not store.finish(services.accounts, job["job_id"], "dead", "failed")
    assert store.beat(services.accounts, job["job_id"], "dead") == "lost"


def test_a_worker_that_lost_its_job_hears_so_and_ends_nothing(service: Flask) -> None:
    browser, job = start(service)
    heard: list[str] = []

    def fetch(context: JobContext) -> None:
        with shared(service).accounts.begin() as connection:
            connection.execute(update(table).values(worker="another"))
        with pytest.raises(JobLost):
            context.report(1, None, {})
        heard.append(context.job_id)
        context.report(1, None, {})

    worker(service, fetch).run_queued()
    assert heard == [job["job_id"]]
    assert look(browser, job)["state"] == "running"


def test_a_worker_that_ends_in_order_has_not_failed_at_its_job(service: Flask) -> None:
    browser, job = start(service)

    def stopped(context: JobContext) -> None:
        raise KeyboardInterrupt

    for _ in range(store.MAX_ATTEMPTS + 1):
        with pytest.raises(KeyboardInterrupt):
            worker(service, stopped).run_queued()
        assert look(browser, job)["state"] == "queued"
    worker(service, lambda context: {"pages": 1}).run_queued()
    assert look(browser, job)["state"] == "done"


def test_a_job_that_kills_every_worker_is_given_up(service: Flask) -> None:
    browser, job = start(service)
    services = shared(service)
    for _ in range(store.MAX_ATTEMPTS):
        assert store.claim(services.accounts, job["job_id"], "dead") is not None
        with services.accounts.begin() as connection:
            connection.execute(
                update(table).values(heartbeat_at=utcnow() - timedelta(minutes=5))
            )
        store.recover(services.accounts)
    failed = look(browser, job)
    assert failed["state"] == "failed" and "died" in failed["error"]


def test_two_workers_never_run_one_job_twice(service: Flask) -> None:
    _, job = start(service)
    ran: list[str] = []
    barrier = threading.Barrier(4)

    def fetch(context: JobContext) -> None:
        ran.append(context.job_id)
        time.sleep(0.05)

    def work() -> None:
        jobs = worker(service, fetch)
        barrier.wait()
        jobs.run(job["job_id"])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ran == [job["job_id"]]


WORKER = """
    import sys, time
    from pathlib import Path
    from serve.accounts.database import open_accounts
    from serve.jobs import queue, store
    from serve.jobs.worker import main
    from datetime import timedelta
    store.SILENT = timedelta(seconds=1)
    folder = Path(sys.argv[1])

    def fetch(context):
        for page in range(1, 7):
            context.report(page, 6, {"pages": page})
            with (folder / "pages").open("a") as file:
                file.write(f"{page}\\n")
            time.sleep(0.3)
        return {"scrobbles": 6}

    class Jobs:
        def find(self, kind):
            return fetch

    queue.JOBS = Jobs()
    import serve.jobs.worker
    serve.jobs.worker._RECOVER_SECONDS = 0.5
    main()
"""


def test_a_job_survives_the_kill_of_its_worker(
    service: Flask, data_dir: Path, tmp_path: Path
) -> None:
    browser, job = start(service)
    program = tmp_path / "worker.py"
    program.write_text(textwrap.dedent(WORKER))
    environment = {
        **os.environ,
        "DATA_DIR": str(data_dir),
        "SERVE_SECRET_KEY": "k" * 40,
    }

    def run() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, str(program), str(tmp_path)],
            env=environment,
            stderr=subprocess.DEVNULL,
        )

    def wait(condition: Callable[[dict[str, Any]], bool], seconds: float = 20) -> None:
        until = time.monotonic() + seconds
        while not condition(look(browser, job)):
            assert time.monotonic() < until, look(browser, job)
            time.sleep(0.05)

    first = run()
    try:
        wait(lambda found: found["done"] >= 2)
        first.send_signal(signal.SIGKILL)
        first.wait(timeout=10)
    finally:
        first.kill()
        first.wait(timeout=10)
    assert look(browser, job)["state"] == "running"
    second = run()
    try:
        wait(lambda found: found["state"] == "done")
    finally:
        second.terminate()
        second.wait(timeout=20)
    done = look(browser, job)
    assert done["attempts"] == 2 and done["counts"] == {"pages": 6, "scrobbles": 6}


def test_an_account_at_listenbrainz_is_named_shown_exported_and_taken_back(
    open_market: Flask,
) -> None:
    browser = log_in(open_market, "anna")
    token = csrf(browser)["X-CSRF-Token"]

    def name(account: str) -> Any:
        form = {"csrf_token": token, "account": account}
        return browser.post("/me/listenbrainz", data=form)

    assert name("  Änna LB ").status_code == 303
    (job,) = browser.get("/api/v1/jobs").get_json()["data"]
    assert (job["kind"], job["subject"]) == ("fetch_listens", "Änna LB")
    assert 'value="Änna LB"' in browser.get("/me").text
    account = browser.get("/api/v1/account").get_json()["data"]
    assert account["listenbrainz_account"] == "Änna LB"
    exported = browser.get("/api/v1/account/export").get_json()["data"]["account"]
    assert [row["account"] for row in exported["linked_accounts"]] == ["Änna LB"]
    # Nobody else's; and without the form's token nothing changes.
    other = log_in(open_market, "ben")
    assert (
        other.get("/api/v1/account").get_json()["data"]["listenbrainz_account"] is None
    )
    assert "Änna LB" not in open_market.test_client().get("/listeners/anna").text
    bare = browser.post("/me/listenbrainz", data={"account": "x"})
    assert bare.status_code in (400, 403)
    assert name("a\0b").status_code == 422 and name("x" * 129).status_code == 422
    kept = browser.get("/api/v1/account").get_json()["data"]
    assert kept["listenbrainz_account"] == "Änna LB"
    # By the API as well; empty takes it back and starts nothing.
    body = {"listenbrainz_account": ""}
    answer = browser.patch("/api/v1/account", json=body, headers=csrf(browser))
    assert answer.get_json()["data"]["listenbrainz_account"] is None
    assert len(browser.get("/api/v1/jobs").get_json()["data"]) == 1
    # Ten accounts a day are fetched, no more.
    for number in range(9):
        assert name(f"account {number}").status_code == 303
    assert name("one too many").status_code == 409
    assert 'value="account 8"' in browser.get("/me").text
    # It goes with the account.
    services = shared(open_market)
    owner = accounts.of_listener(services.accounts, "anna")
    assert owner is not None
    accounts.delete_account(services.accounts, owner, ())
    assert accounts.linked(services.accounts, "anna", "listenbrainz") is None


def ask_for(browser: Any, artist: str) -> Any:
    return browser.post(
        "/api/v1/account/artists", json={"artist": artist}, headers=csrf(browser)
    )


def test_an_artist_that_nobody_has_listed_can_be_asked_for(service: Flask) -> None:
    browser = log_in(service, "anna")
    answer = ask_for(browser, "  Nobody   Heard ")
    assert answer.status_code == 202
    job = answer.get_json()["data"]
    assert (job["kind"], job["subject"]) == ("fetch_artist", "Nobody Heard")
    seen: list[tuple[str, str | None]] = []

    def fetch(context: JobContext) -> None:
        seen.append((context.listener_name, context.subject))

    services = shared(service)
    # Twice for one name is one job; another name is another.
    assert ask_for(browser, "Nobody Heard").status_code == 200
    assert ask_for(browser, "Somebody Else").status_code == 202
    Jobs(services.accounts, services.settings, {"fetch_artist": fetch}).run_queued()
    assert seen == [("anna", "Nobody Heard"), ("anna", "Somebody Else")]
    assert look(browser, job)["state"] == "done"
    # Who is followed already is not asked for; nor is a name that is none.
    known = ask_for(browser, "ARTIST 01")
    assert known.status_code == 409
    assert f"/artists/{key('Artist 01')}" in known.get_json()["detail"]
    assert ask_for(browser, " ").status_code == 400
    assert (
        service.test_client()
        .post("/api/v1/account/artists", json={"artist": "X"})
        .status_code
        == 401
    )


def test_an_account_asks_for_so_many_artists_a_day(service: Flask) -> None:
    most = shared(service).settings.artist_requests
    browser = log_in(service, "anna")
    for number in range(most):
        assert ask_for(browser, f"Number {number}").status_code == 202
    refused = ask_for(browser, "One More")
    assert refused.status_code == 409 and "ask again later" in refused.text
    assert ask_for(browser, "Number 0").status_code == 200  # is not another
    assert ask_for(log_in(service, "bert"), "One More").status_code == 202
    # The control: what was asked a day ago does not count.
    with shared(service).accounts.begin() as connection:
        day_ago = utcnow() - timedelta(days=1, seconds=1)
        connection.execute(update(table).values(created_at=day_ago))
    assert ask_for(browser, "One More").status_code == 202
