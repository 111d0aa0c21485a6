"""The API's description as a page: every operation with parameters and an example."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import orjson
from flask import Blueprint, Response, current_app, render_template
from markupsafe import Markup, escape

from serve.api.description import DESCRIPTION
from serve.api.words import in_words

_JSON = "application/json"


@dataclass(frozen=True)
class Parameter:
    """A parameter of an operation, in words."""

    name: str
    place: str
    words: str
    is_required: bool


@dataclass(frozen=True)
class Operation:
    """An operation of the description, ready to be shown."""

    key: str
    method: str
    path: str
    summary: str
    more: str
    is_own: bool
    parameters: list[Parameter]
    example: str | None

    @property
    def can_be_opened(self) -> bool:
        """Whether its address answers a visitor as it stands."""
        needs = self.is_own or any(one.is_required for one in self.parameters)
        return self.method == "GET" and not needs


def add_routes(pages: Blueprint) -> None:
    """`/api/docs`."""
    pages.get("/api/docs")(api_docs)


def api_docs() -> Response:
    """All operations by subject; the same for everybody, with or without a version."""
    app: Any = current_app
    spec = app.described
    subjects = {tag["name"]: tag.get("description", "") for tag in spec["tags"]}
    found = [
        (operation["tags"][0], _operation(method.upper(), path, operation, spec))
        for path, item in spec["paths"].items()
        for method, operation in item.items()
    ]
    groups = [
        (name, subjects.get(name, ""), [one for _, one in rows])
        for name, rows in groupby(found, key=lambda one: one[0])
    ]
    lead, *rules = re.sub(r"\n +", " ", DESCRIPTION.strip()).split("\n* ")
    body = render_template(
        "api.html",
        published=None,
        is_private=False,
        lead=lead.strip(),
        rules=[_marked(rule.partition("\n\n")[0]) for rule in rules],
        groups=groups,
        count=len(found),
    )
    response = Response(body, mimetype="text/html")
    response.headers["Cache-Control"] = "public, max-age=300"
    return response


def _marked(text: str) -> Markup:
    """A sentence whose names stand between backticks."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _operation(
    method: str, path: str, operation: dict[str, Any], spec: dict[str, Any]
) -> Operation:
    bodies = operation.get("requestBody", {}).get("content", {})
    answers: dict[str, Any] = next(
        (
            told["content"]
            for status, told in operation["responses"].items()
            if status.startswith("2") and "content" in told
        ),
        {},
    )
    example = answers.get(_JSON, {}).get("example")
    return Operation(
        key=operation["operationId"],
        method=method,
        path=path,
        summary=operation["summary"],
        more=operation.get("description") or "",
        is_own=bool(operation.get("security")),
        parameters=[
            *map(_parameter, operation.get("parameters", ())),
            *_fields(bodies.get(_JSON, {}).get("schema", {}), spec),
        ],
        example=None
        if example is None
        else orjson.dumps(example, option=orjson.OPT_INDENT_2).decode(),
    )


def _parameter(parameter: dict[str, Any]) -> Parameter:
    return Parameter(
        parameter["name"],
        parameter["in"],
        in_words(parameter.get("description", ""), parameter["schema"]),
        bool(parameter.get("required")),
    )


def _fields(schema: dict[str, Any], spec: dict[str, Any]) -> list[Parameter]:
    """The members of a body that is sent."""
    if reference := schema.get("$ref"):
        schema = spec["components"]["schemas"][reference.rpartition("/")[2]]
    required = schema.get("required", ())
    return [
        Parameter(
            name, "body", in_words(told.get("description", ""), told), name in required
        )
        for name, told in schema.get("properties", {}).items()
    ]
