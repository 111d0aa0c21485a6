"""Monitoring: figures for who has the token, over all workers, and JSON log lines."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from serve import logs
from tests.serve.conftest import make_settings
from tests.serve.test_command import environment
from warehouse.errors import SettingsError

TOKEN = "monitoring-token-of-the-operator"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def figures(text: str) -> dict[str, float]:
    """Every sample of the text format, by name and labels."""
    return {
        sample.name + "".join(f"|{value}" for value in sample.labels.values()): float(
            sample.value
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_without_a_token_set_there_is_no_such_page(service: Flask) -> None:
    assert service.test_client().get("/metrics", headers=BEARER).status_code == 404


def test_only_who_has_the_token_reads_the_figures(
    make_service: Callable[..., Flask],
) -> None:
    client = make_service(metrics_token=TOKEN).test_client()
    assert client.get("/metrics").status_code == 401
    wrong = {"Authorization": f"Bearer {TOKEN}x"}
    assert client.get("/metrics", headers=wrong).status_code == 401
    assert client.get(f"/metrics?token={TOKEN}").status_code in (401, 422)
    for _ in range(3):
        client.get("/api/v1/tags")
    client.get("/api/v1/nothing")
    told = client.get("/metrics", headers=BEARER)
    assert told.status_code == 200
    assert "no-store" in told.headers["Cache-Control"]
    found = figures(told.text)
    assert found["scrobble_cache_total|hits"] == 2
    assert found["scrobble_answer_seconds_count|/api/v1/tags|2xx"] == 1
    assert found["scrobble_answer_seconds_count|none|4xx"] == 1
    assert found["scrobble_published_age_days"] > 0
    assert found["scrobble_storage_budget_bytes"] == 20_000_000_000
    assert found["scrobble_storage_bytes|versions"] > 0
    assert "anna" not in told.text, "nobody is named"


def test_what_cannot_be_read_is_counted_and_the_rest_is_told(
    make_service: Callable[..., Flask], data_dir: Path
) -> None:
    client = make_service(metrics_token=TOKEN).test_client()
    assert (
        figures(client.get("/metrics", headers=BEARER).text)[
            "scrobble_missing_measures"
        ]
        == 0
    )
    (data_dir / "published.json").unlink()
    found = figures(client.get("/metrics", headers=BEARER).text)
    assert found["scrobble_missing_measures"] == 1
    assert "scrobble_published_age_days" not in found
    assert "scrobble_storage_budget_bytes" in found


COUNTING = """
import json, sys
from serve.app import create_app
from serve.settings import load_serve_settings
client = create_app(load_serve_settings(), parts=()).test_client()
for _ in range(int(sys.argv[1])):
    client.get("/api/v1/tags")
head = {"Authorization": "Bearer " + sys.argv[2]}
print(client.get("/metrics", headers=head).text)
"""


def test_the_figures_are_of_all_workers(data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "run" / "metrics").mkdir(parents=True)
    shared = {
        **environment(data_dir),
        "SERVE_METRICS_TOKEN": TOKEN,
        "SERVE_RUN_DIR": str(tmp_path / "run"),
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "run" / "metrics"),
    }

    def worker(requests: int) -> dict[str, float]:
        done = subprocess.run(
            [sys.executable, "-c", COUNTING, str(requests), TOKEN],
            env=shared,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return figures(done.stdout)

    assert worker(3)["scrobble_cache_total|hits"] == 2
    assert worker(5)["scrobble_cache_total|hits"] == 2 + 4


def test_a_log_line_is_json_without_secrets(
    data_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", logging.WARNING)
    logs.configure(make_settings(data_dir, log_format="json"))
    try:
        raise ValueError("at https://x/?api_key=abcdef012345")
    except ValueError:
        logging.getLogger("serve").exception("failed with api_key=abcdef012345")
    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert (told["level"], told["logger"]) == ("ERROR", "serve")
    assert told["message"] == "failed with api_key=***"
    assert "ValueError" in told["error"] and "abcdef012345" not in line
    assert re.match(r"\d{4}-\d\d-\d\dT", told["time"])


def test_sentry_gets_no_secret_and_no_variable(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sentry_sdk

    sent: list[bytes] = []
    configured = sentry_sdk.init

    class Kept(sentry_sdk.transport.Transport):
        def capture_envelope(self, envelope: sentry_sdk.envelope.Envelope) -> None:
            sent.append(envelope.serialize())

    def kept(address: str, **given: object) -> object:
        return configured(address, transport=Kept, **given)

    monkeypatch.setattr(sentry_sdk, "init", kept)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    logs.configure(make_settings(data_dir, sentry_dsn="https://key@127.0.0.1:9/1"))
    try:
        hidden = "abcdef" + "012345"  # the lines of the source are told as well
        raise ValueError(f"at https://x/?api_key={hidden}")
    except ValueError as error:
        sentry_sdk.capture_exception(error)
    finally:
        sentry_sdk.flush(1)
        sentry_sdk.get_client().close()
    assert sent, "nothing was reported"
    told = b"".join(sent).decode()
    assert "ValueError" in told and "api_key=***" in told
    assert "abcdef012345" not in told


def test_sentry_without_its_library_is_refused(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    with pytest.raises(SettingsError, match="extra `sentry`"):
        logs.configure(make_settings(data_dir, sentry_dsn="https://key@127.0.0.1:9/1"))
