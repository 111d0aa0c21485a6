"""CSV, NDJSON, Parquet and JSON of one table hold the same."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pyarrow.parquet
import pytest
from flask.testing import FlaskClient

from serve import answers


def test_all_formats_hold_the_same_rows(client: FlaskClient) -> None:
    path, query = "/api/v1/artists", "?sort=name&limit=100"
    rows = client.get(path + query).get_json()["data"]
    assert client.get(f"{path}.json{query}").get_json()["data"] == rows
    lines = client.get(f"{path}.ndjson{query}").text.splitlines()
    found = [json.loads(line) for line in lines]
    assert all(row.pop("version") == "20260314-000001" for row in found)
    assert all(row.pop("as_of") == "2026-03-14" for row in found)
    assert found == rows
    parquet = pyarrow.parquet.read_table(
        io.BytesIO(client.get(f"{path}.parquet{query}").data)
    )
    assert parquet.to_pylist() == rows
    assert parquet.schema.metadata[b"version"] == b"20260314-000001"
    table = list(csv.DictReader(io.StringIO(client.get(f"{path}.csv{query}").text)))
    assert [row["artist_id"] for row in table] == [row["artist_id"] for row in rows]
    assert [row["listeners"] for row in table] == [str(r["listeners"]) for r in rows]


def test_a_cell_a_spreadsheet_would_run_is_quoted(client: FlaskClient) -> None:
    text = client.get("/api/v1/artists.csv?limit=100").text
    names = [row["artist_name"] for row in csv.DictReader(io.StringIO(text))]
    assert {"'=1+1", "'@home", "'-Low-"} <= set(names)
    assert not any(name.startswith(("=", "+", "-", "@")) for name in names)
    assert 'Say "Hi", ok; drop' in names


def test_files_say_their_type_and_name(client: FlaskClient) -> None:
    answer = client.get("/api/v1/charts/panel_artists.csv")
    assert answer.mimetype == "text/csv"
    assert "charts-panel_artists.csv" in answer.headers["Content-Disposition"]
    parquet = client.get("/api/v1/tags.parquet")
    assert parquet.mimetype == "application/vnd.apache.parquet"


def test_next_of_a_file_is_a_file(client: FlaskClient) -> None:
    answer = client.get("/api/v1/artists.csv?limit=5")
    assert answer.headers["Link"].startswith("</api/v1/artists.csv?limit=5&offset=5>")


def test_a_format_is_asked_for_by_a_parameter_or_by_the_suffix(
    client: FlaskClient,
) -> None:
    for kind in answers.MEDIA_TYPES:
        by_suffix = client.get(f"/api/v1/artists.{kind}?limit=5&sort=name")
        by_parameter = client.get(f"/api/v1/artists?format={kind}&limit=5&sort=name")
        assert by_parameter.mimetype == by_suffix.mimetype == answers.MEDIA_TYPES[kind]
        if kind != "json":
            assert by_parameter.data == by_suffix.data
    following = client.get("/api/v1/artists?limit=5&format=csv").headers["Link"]
    assert following.startswith("</api/v1/artists?limit=5&offset=5&format=csv>")
    # The whole walk: each page leads to the next one of the same format.
    address, seen = following.split(">")[0][1:], 1
    while address:
        answer = client.get(address)
        assert answer.mimetype == "text/csv"
        address = answer.headers.get("Link", "").split(">")[0][1:]
        seen += 1
    assert seen >= 6


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("/api/v1/artists?format=xml", "invalid_parameter"),
        ("/api/v1/artists?format=", "invalid_parameter"),
        ("/api/v1/artists.csv?format=csv", "unknown_parameter"),
        ("/api/v1/artists?format=csv&format=json", "invalid_parameter"),
        ("/api/v1/statistics?format=csv", "format_not_available"),
    ],
)
def test_a_format_that_is_none_or_asked_for_twice_is_refused(
    client: FlaskClient, address: str, code: str
) -> None:
    assert client.get(address).get_json()["code"] == code


def test_a_route_is_described_once_whatever_its_formats(client: FlaskClient) -> None:
    paths = client.get("/openapi.json").get_json()["paths"]
    assert [path for path in paths if "{format}" in path] == []
    tables = [
        operation
        for item in paths.values()
        for operation in item.values()
        if any(p["name"] == "format" for p in operation.get("parameters", []))
    ]
    assert len(tables) >= 35
    for operation in tables:
        assert set(operation["responses"]["200"]["content"]) >= set(
            answers.MEDIA_TYPES.values()
        )


def test_an_unknown_suffix_is_not_found(client: FlaskClient) -> None:
    assert client.get("/api/v1/artists.xml").status_code in (404, 422)
    assert client.get("/api/v1/charts.tar").status_code == 404


def test_markup_in_a_name_stays_data(client: FlaskClient) -> None:
    answer = client.get("/api/v1/artists?q=script")
    assert answer.mimetype == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.get_json()["data"][0]["artist_name"] == "<script>alert(1)</script>"


def test_other_sites_may_read_but_not_write(client: FlaskClient) -> None:
    foreign = {"Origin": "https://other.example"}
    answer = client.get("/api/v1/tags", headers=foreign)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    asked = client.options(
        "/api/v1/panel", headers={**foreign, "Access-Control-Request-Method": "POST"}
    )
    assert "POST" not in asked.headers.get("Access-Control-Allow-Methods", "")


def test_a_cell_that_a_spreadsheet_runs_is_quoted_in_any_width_and_disguise(
    shared_dir: Path,
) -> None:
    case = (shared_dir / "cases/11-csv-wide-equals.csv").read_text(encoding="utf-8")
    names = [*case.splitlines()[1:], "\u200b=1+1", "\n=1+1", "\ufeff+1", "  @x", "-1"]
    for name in names:
        assert answers.csv_cell(name) == f"'{name}", name
    # The controls: names that begin with other signs stay as they are.
    for name in ("Low", "(a)", "Åsa", "!!!", "\u202eevil", ""):
        assert answers.csv_cell(name) == name


@pytest.mark.parametrize(
    ("accepted", "is_packed"),
    [
        ("gzip;q=0", False),
        ("identity, gzip;q=0", False),
        ("*;q=0, identity", False),
        ("gzip", True),
        ("deflate, gzip;q=0.5", True),
    ],
)
def test_gzip_goes_to_those_who_take_it(
    client: FlaskClient, accepted: str, is_packed: bool
) -> None:
    for _ in range(2):  # a miss and a hit
        answer = client.get(
            "/api/v1/artists?limit=1000", headers={"Accept-Encoding": accepted}
        )
        assert (answer.headers.get("Content-Encoding") == "gzip") == is_packed


def test_days_to_come_have_no_plays_rather_than_none(client: FlaskClient) -> None:
    rows = client.get("/api/v1/trends/calendar?year=2028").get_json()["data"]
    assert len(rows) == 366 and {row["scrobbles"] for row in rows} == {None}
    rows = client.get("/api/v1/trends/calendar?year=2026").get_json()["data"]
    known = [row for row in rows if row["scrobbles"] is not None]
    assert [row["day"] for row in known][-1] == "2026-03-14"


def test_a_chart_is_not_ranked_by_what_last_fm_does_not_say(
    client: FlaskClient,
) -> None:
    path = "/api/v1/charts/country_artists?scope=Norway"
    refused = client.get(f"{path}&by=minutes")
    assert refused.status_code == 400 and "minutes" in refused.get_json()["detail"]
    assert client.get(f"{path}&by=listeners").status_code == 200
