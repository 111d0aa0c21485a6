"""The description (OpenAPI 3.1) and the service must say the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.config import (
    ChecksConfig,
    PositiveDataAcceptanceConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)
from schemathesis.core.failures import Failure, FailureGroup

from serve.api import mart_words, words
from serve.api.words import in_words
from serve.app import create_app
from tests.serve.conftest import bearer, close, make_settings, shared
from tests.serve.marts import World, key

# A description cannot say that `from` must not be after `to`, nor that `range` excludes
# both: these are answered by 400, everything else that is valid must be accepted.
ACCEPTED = ["2xx", "3xx", "400", "401", "403", "404", "409", "429"]


@pytest.fixture(scope="module")
def app(
    marts_file: Path, world: World, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Flask]:
    """One service for all generated requests; lists of the panel are public."""
    import shutil

    from tests.serve.marts import publish, version_path

    folder = tmp_path_factory.mktemp("described")
    path = version_path(folder, "20260314-000001")
    path.parent.mkdir(parents=True)
    shutil.copy(marts_file, path)
    publish(folder, "20260314-000001", world.as_of)
    made = create_app(make_settings(folder, public_panel=True), parts=())
    yield made
    close(made)


@pytest.fixture(scope="module")
def schema(app: Flask) -> Any:
    """The description as schemathesis reads it."""
    load_all_checks()
    checks = ChecksConfig(
        positive_data_acceptance=PositiveDataAcceptanceConfig(
            expected_statuses=ACCEPTED
        )
    )
    project = ProjectConfig(checks=checks)
    project.generation.update(modes=list(GenerationMode))
    config = SchemathesisConfig(projects=ProjectsConfig(default=project))
    return schemathesis.openapi.from_wsgi("/openapi.json", app, config=config)


def wordless(spec: dict[str, Any]) -> list[str]:
    """Operations, parameters and fields that nothing is said of."""
    operations = [
        operation for item in spec["paths"].values() for operation in item.values()
    ]
    found = [one["operationId"] for one in operations if not one.get("summary")]
    for one in operations:
        found += [
            f"{one['operationId']}?{parameter['name']}"
            for parameter in one.get("parameters", [])
            if not parameter.get("description")
        ]
    for name, schema in spec["components"]["schemas"].items():
        found += [
            f"{name}.{field}"
            for field, about in schema.get("properties", {}).items()
            if not about.get("description")
        ]
    return found


def test_everything_in_the_description_has_words_and_a_short_name(
    tmp_path: Path,
) -> None:
    made = create_app(make_settings(tmp_path))
    spec = made.test_client().get("/openapi.json").get_json()
    close(made)
    assert wordless(spec) == []
    names = [
        operation["operationId"]
        for item in spec["paths"].values()
        for operation in item.values()
    ]
    assert len(set(names)) == len(names) > 100
    assert max(map(len, names)) < 50
    # A column is told as its mart tells it.
    row = spec["components"]["schemas"]["PositionRow"]["properties"]
    assert row["rank"]["description"] != words.WORDS["rank"]


def test_words_are_the_route_s_marts_then_what_all_marts_say_then_the_list() -> None:
    def field(route: str, *told: mart_words.Described) -> Any:
        rows = {"$ref": "#/components/schemas/Row"}
        spec = {
            "paths": {f"/api/v1{route}": {"get": {"responses": {"200": rows}}}},
            "components": {"schemas": {"Row": {"properties": {"rank": {}}}}},
        }
        mart_words.add(spec, list(told))
        about: Any = spec["components"]["schemas"]["Row"]["properties"]["rank"]
        return about.get("description")

    one = mart_words.Described({"rank": "Of one."}, frozenset({"/one"}))
    two = mart_words.Described({"rank": "Of two."}, frozenset())
    assert field("/one", two, one) == "Of one."
    assert field("/other", two) == "Of two."
    assert field("/other", one, two) == words.WORDS["rank"]


def _failures(
    schema: Any, examples: int, headers: dict[str, str] | None
) -> dict[str, str]:
    """Each operation of the description, tried with valid and invalid values."""
    failures = {}
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 60
    for operation in operations:
        for mode in GenerationMode:
            try:
                _try(operation, mode, examples, headers)
            except (FailureGroup, Failure) as failure:
                text = "; ".join(map(str, getattr(failure, "exceptions", [failure])))
                failures[f"{operation.label} {mode.value}"] = text
            except Unsatisfiable:
                assert mode is GenerationMode.NEGATIVE
    return failures


def _try(
    operation: Any, mode: GenerationMode, examples: int, headers: dict[str, str] | None
) -> None:
    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )
    def check(case: schemathesis.Case) -> None:
        # The in-process transport does not unpack gzip.
        given = {"Accept-Encoding": "identity", **(headers or {})}
        case.call_and_validate(headers=given)

    check()


@pytest.mark.parametrize("examples", [3, pytest.param(60, marks=pytest.mark.chaos)])
def test_a_visitor_gets_documented_answers(schema: Any, examples: int) -> None:
    assert _failures(schema, examples, None) == {}


def test_a_listener_gets_documented_answers(
    schema: Any, headers: dict[str, str]
) -> None:
    assert _failures(schema, 3, headers) == {}


@pytest.fixture(scope="module")
def headers(app: Flask) -> dict[str, str]:
    """A token with all rights of an admin."""
    return bearer(app, "anna", "read", "write", "trade", "admin")


def test_the_checks_find_an_undocumented_answer(app: Flask, schema: Any) -> None:
    operation = schema["/api/v1/tags"]["GET"]
    case = operation.Case(query={"limit": 5})
    response = case.call()
    case.validate_response(response)
    response.status_code = 418
    with pytest.raises(FailureGroup):
        case.validate_response(response)


def test_page_and_assistant_say_of_a_parameter_what_may_stand_there() -> None:
    bounded = {"minimum": 1, "maximum": 1000, "default": 50}
    assert in_words("rows", bounded) == "rows; 1 to 1,000; 50 if not given"
    chosen = {"enum": ["asc", "desc"]}
    assert in_words("", chosen, is_required=True) == "one of asc, desc; required"
    # The control: what has no bounds says none.
    assert in_words("a name", {"type": "string"}) == "a name"


def test_every_route_below_api_is_described(app: Flask) -> None:
    described = set(app.api_doc["paths"])  # type: ignore[attr-defined]
    routes = {
        rule.rule.replace("<int:", "<").replace("<", "{").replace(">", "}")
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/") and not rule.rule.startswith("/api/docs")
    }
    assert routes - described == set()


def test_the_description_names_no_parameter_without_a_bound(app: Flask) -> None:
    unbound = []
    for path, item in app.api_doc["paths"].items():  # type: ignore[attr-defined]
        for operation in item.values():
            for parameter in operation.get("parameters", []):
                schema = parameter["schema"]
                is_bound = (
                    "enum" in schema
                    or "const" in schema
                    or schema.get("format") == "date"
                    or "pattern" in schema
                    or ("minimum" in schema and "maximum" in schema)
                )
                if not is_bound:
                    unbound.append((path, parameter["name"], schema))
    assert unbound == []


def test_the_page_of_the_description_asks_no_other_host(client: FlaskClient) -> None:
    page = client.get("/api/docs/try")
    assert page.status_code == 200
    assert "http" not in page.text.replace("http-equiv", "")
    assert "<script>" not in page.text
    for path in ("swagger/js/swagger-ui-bundle.js", "start.js"):
        with client.get(f"/api/docs/{path}") as found:
            assert found.status_code == 200
    assert "script-src 'self';" in page.headers["Content-Security-Policy"]


HOSTILE = [
    "",
    "'",
    "' or 1=1 --",
    '"; drop table marts.dim_artists; --',
    "\x00",
    "../../etc/passwd",
    "%00",
    "{{7*7}}",
    "<script>",
    "\u202e",
    "🎧" * 50,
    "x" * 5000,
    "9" * 400,
    "-1",
    "1e9",
    "NaN",
    "null",
    "0x10",
    "2026-02-30",
    "0000-00-00",
    "99999-01-01",
    "true\r\nX-Injected: 1",
    "\ud7ff\ufffe",
]


# What PostgreSQL itself might read otherwise than DuckDB; the rest never gets that far.
HOSTILE_TO_POSTGRES = [
    "' or 1=1 --",
    "\x00",
    "🎧" * 50,
    "x" * 5000,
    "9" * 400,
    "NaN",
    "0000-00-00",
    "\ud7ff\ufffe",
]


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_hostile_values_of_every_parameter_are_refused_or_harmless(
    app: Flask,
    engine: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    world: World,
) -> None:
    if engine == "postgres":
        from tests.serve.marts import write_postgres

        url = request.getfixturevalue("postgres_url")
        write_postgres(world, url)
        app = create_app(
            make_settings(
                tmp_path, public_panel=True, warehouse={"warehouse_url": url}
            ),
            parts=(),
        )
    client = app.test_client()
    hostile = HOSTILE if engine == "duckdb" else HOSTILE_TO_POSTGRES
    try:
        asked = turn = 0
        for path, item in app.api_doc["paths"].items():  # type: ignore[attr-defined]
            operation = item.get("get")
            if operation is None:
                continue
            for parameter in operation.get("parameters", []):
                # Every other value; the next parameter has the rest.
                for value in hostile[turn % 2 :: 2]:
                    _ask_hostile(client, path, operation, parameter, value)
                    asked += 1
                turn += 1
        assert asked > (1000 if engine == "duckdb" else 300)
    finally:
        if engine == "postgres":
            close(app)


GOOD: dict[str, str] = {
    "artist_id": key("Artist 00"),
    "entity_id": key("Artist 00"),
    "tag_id": key("rock"),
    "chart": "panel_artists",
    "entity": "artists",
    "grain": "month",
    "track_id": key("Artist 00\x1fSong 0"),
    "album_id": key("Artist 00\x1fAlbum"),
    "listener_name": "anna",
    "job_id": "0" * 32,
    "token_id": "1",
    "code": "not_found",
    "q": "art",
    "name": "Artist 00",
    "artists": key("Artist 00"),
}


def _ask_hostile(
    client: FlaskClient,
    path: str,
    operation: dict[str, Any],
    parameter: dict[str, Any],
    value: str,
) -> None:
    from urllib.parse import quote

    query = {
        other["name"]: GOOD[other["name"]]
        for other in operation["parameters"]
        if other["in"] == "query" and other.get("required")
    }
    places = {
        other["name"]: GOOD[other["name"]]
        for other in operation["parameters"]
        if other["in"] == "path"
    }
    if parameter["in"] == "query":
        query[parameter["name"]] = value
    else:
        places[parameter["name"]] = value
    for name, text in places.items():
        path = path.replace(f"{{{name}}}", quote(text, safe=""))
    response = client.get(path, query_string=query)
    assert response.status_code < 500, (path, parameter["name"], value, response.text)
    assert "X-Injected" not in response.headers
    if response.status_code >= 400:
        assert response.mimetype == "application/problem+json", (path, value)
        assert response.get_json()["code"]


def test_the_control_service_without_checks_fails_on_hostile_values(
    make_service: Callable[..., Flask],
) -> None:
    app = make_service()
    with shared(app).store.read() as reader, pytest.raises(Exception, match="limit"):
        from serve.queries import tags

        tags.tags(reader, text=None, sort="name", limit="x", offset=0)  # type: ignore[arg-type]
