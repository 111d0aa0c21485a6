"""The OpenAPI 3.1 description, made from the code, and its page.

flask-openapi collects routes and models; what it cannot know is added here once:
problem documents, the formats of tables, conditional answers, security.
"""

from __future__ import annotations

from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, get_type_hints

import orjson
from flask import Blueprint, Response, current_app, request
from flask_openapi.models.info import Info
from flask_openapi.openapi import OpenAPI
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from serve.answers import MEDIA_TYPES
from serve.api import mart_words
from serve.problems import ProblemDocument, from_validation

#: Answers of a demo world by operation; `make examples` writes them.
EXAMPLES = Path(__file__).with_name("examples.json")
#: Marks in an operation's responses, read when the description is made.
TABLE = "x-table"
AS_TABLE = {TABLE: True}
PRIVATE = "x-private"


class Row(BaseModel):
    """Base of the rows and documents in answers; null means not known."""

    model_config = ConfigDict(extra="allow")


def listing(
    row: type[BaseModel], *, can_turn: bool = False, **members: Any
) -> dict[Any, Any]:
    """The responses of a route that answers with a table of `row`.

    `can_turn`: the route also has ``shape=columns``, one array for each column.
    """
    name = row.__name__
    data: Any = list[row]  # type: ignore[valid-type]
    if can_turn:
        data = data | dict[str, list[Any]]
        name = f"Turned{name}"
    model = create_model(
        f"{name}List",
        version=(str, Field(description="the published version all rows are of")),
        as_of=(date, Field(description="the last UTC day in that version")),
        final_through=(
            date,
            Field(description="days up to it are final, later ones provisional"),
        ),
        **members,
        next=(str | None, Field(description="address of the rows after, or null")),
        data=(data, ...),
    )
    return {200: model}


def single(
    row: type[BaseModel], members: dict[str, Any] | None = None
) -> dict[Any, Any]:
    """The responses of a route that answers with one thing of the warehouse."""
    model = create_model(
        f"{row.__name__}Document",
        version=(str, ...),
        as_of=(date, ...),
        final_through=(date, ...),
        **(members or {}),
        data=(row, ...),
    )
    return {200: model}


def own(row: Any, status: int = 200, name: str | None = None) -> dict[Any, Any]:
    """The responses of a route that answers with something of the accounts."""
    return {status: create_model(f"{name or row.__name__}Answer", data=(row, ...))}


def operation_id(bp_name: str, name: str, path: str, method: str) -> str:
    """``charts_issue`` for the function `issue` in `charts`: a client's method name."""
    del path, method
    return f"{bp_name}_{name}"


class Api(OpenAPI):
    """Flask with the description of its routes."""

    def __init__(self, import_name: str, **options: Any) -> None:
        super().__init__(
            import_name,
            info=Info(
                title="Scrobble Warehouse",
                version="1",
                description=DESCRIPTION,
            ),
            security_schemes={
                "bearer": {"type": "http", "scheme": "bearer"},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "scrobble_session",
                },
            },
            validation_error_callback=_refuse,
            doc_ui=False,
            **options,
        )
        self.openapi_version = "3.1.0"

    @cached_property
    def described(self) -> dict[str, Any]:
        """The description, made once: by then every route is there."""
        spec: dict[str, Any] = self.api_doc
        return spec

    def generate_spec_json(self) -> None:
        super().generate_spec_json()  # type: ignore[no-untyped-call]
        spec = self.spec_json
        schemas = spec["components"]["schemas"]
        for name in ("ValidationErrorModel", "UnprocessableEntity"):
            schemas.pop(name, None)
        problem = ProblemDocument.model_json_schema(
            ref_template="#/components/schemas/{model}", mode="serialization"
        )
        schemas.update(problem.pop("$defs", {}))
        problem["required"] = ["type", "title", "status", "code", "detail"]
        schemas["Problem"] = problem
        examples = orjson.loads(EXAMPLES.read_bytes())
        for path, item in spec["paths"].items():
            for method, operation in item.items():
                _complete(path, method, operation)
                _add_formats(operation)
                _add_example(operation, examples)
        mart_words.add(spec, mart_words.read_marts())


def _refuse(error: ValidationError) -> Response:
    return from_validation(error, _known_names())


def _known_names() -> list[str]:
    """The names that the route asked for takes in its query and its body."""
    view = current_app.view_functions[request.endpoint or ""]
    models = [
        model
        for name, model in get_type_hints(view).items()
        if name in ("query", "body") and hasattr(model, "model_fields")
    ]
    return [
        field.alias or name
        for model in models
        for name, field in model.model_fields.items()
    ]


_STATUS = {
    "304": "The answer has not changed (If-None-Match)",
    "400": "The request cannot be read, or parameters do not go together",
    "401": "Log in or send a token",
    "403": "Not yours, or a scope or CSRF token is missing",
    "404": "There is no such thing",
    "409": "The state forbids it",
    "413": "The body is too large",
    "415": "The body must be JSON",
    "422": "A parameter or the body cannot be accepted",
    "429": "Too many requests",
    "502": "last.fm did not confirm",
    "503": "The warehouse cannot be read now",
}


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    is_private = bool(operation.get("security"))
    if method == "get":
        statuses = ["400", "404", "422", "429", "503"]
        if not is_private and path.startswith("/api/v1/"):
            responses["304"] = {"description": _STATUS["304"]}
    else:
        statuses = ["400", "403", "404", "409", "413", "415", "422", "429", "503"]
    if is_private:
        statuses += ["401", "403"]
        if path.startswith("/api/v1/exchange"):
            statuses.append("409")  # the first visit joins, which may be refused
    for status in sorted(set(statuses)):
        known = responses.get(status)
        if known is None or "application/json" in known.get("content", {}):
            responses[status] = problem_response(status)
    operation.pop(PRIVATE, None)


def problem_response(status: str) -> dict[str, Any]:
    """A response of the description whose body is a problem document."""
    return {
        "description": _STATUS[status],
        "content": {
            "application/problem+json": {
                "schema": {"$ref": "#/components/schemas/Problem"}
            }
        },
    }


def _add_formats(operation: dict[str, Any]) -> None:
    """Describe that a table comes as CSV, NDJSON and Parquet as well, by `format`."""
    if not operation.pop(TABLE, False):
        return
    operation["parameters"] = [
        *operation.get("parameters", []),
        {
            "name": "format",
            "in": "query",
            "required": False,
            "schema": {"type": "string", "enum": list(MEDIA_TYPES), "default": "json"},
        },
    ]
    content = operation["responses"]["200"]["content"]
    content["text/csv"] = {"schema": {"type": "string"}}
    content["application/x-ndjson"] = {"schema": {"type": "string"}}
    content["application/vnd.apache.parquet"] = {
        "schema": {"type": "string", "format": "binary"}
    }


def _add_example(operation: dict[str, Any], examples: dict[str, Any]) -> None:
    """Show an answer; what is no JSON, as a feed, has none."""
    answer = examples.get(operation["operationId"])
    for status, response in operation["responses"].items():
        json = response.get("content", {}).get("application/json")
        if answer is not None and json is not None and status.startswith("2"):
            json["example"] = answer
            return


DESCRIPTION = """
Charts, artists, listeners and insights of the published version of the warehouse.

* Every body carries `version` and `as_of`; one answer is always of one version.
* Tables come as JSON, or by `format` as CSV, NDJSON and Parquet; an address that ends
  in `.csv`, `.ndjson`, `.parquet` or `.json` says the same.
* Ranges are `range` (ListenBrainz's words, as of the published day) or `from`/`to`.
* Lists have `limit`, `offset` and `next`; unknown parameters are refused.
* Errors are problem documents (RFC 9457) with a stable `code`.
* Answers carry an ETag made from the content; send it back in If-None-Match.

Data: last.fm. Powered by AudioScrobbler.
"""


def pages() -> Blueprint:
    """Swagger UI from its package, with no inline script and no foreign request."""
    import flask_openapi_swagger

    folder = flask_openapi_swagger.__path__[0]
    blueprint = Blueprint(
        "swagger",
        __name__,
        static_folder=f"{folder}/templates/swagger",
        static_url_path="/api/docs/swagger",
    )

    @blueprint.get("/api/docs/try")
    def docs() -> Response:
        return Response(_PAGE, mimetype="text/html")

    @blueprint.get("/api/docs/start.js")
    def start() -> Response:
        return Response(_START, mimetype="text/javascript")

    return blueprint


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API of the Scrobble Warehouse</title>
<link rel="icon" href="/api/docs/swagger/images/swagger.svg">
<link rel="stylesheet" href="/api/docs/swagger/css/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/api/docs/swagger/js/swagger-ui-bundle.js"></script>
<script src="/api/docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  presets: [SwaggerUIBundle.presets.apis],
  validatorUrl: null,
});
"""
