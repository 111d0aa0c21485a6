"""What the marts' descriptions say of the columns that the routes answer with.

A field of an answer that is a column of a mart is described once, beside the model; the
description of the API takes it from there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from serve.api.words import WORDS
from warehouse.project import mart_models

_ROOT = "/api/v1"
_REFERENCE = "#/components/schemas/"


@dataclass(frozen=True)
class Described:
    """A mart's columns with their descriptions, and the routes that read it."""

    columns: dict[str, str]
    routes: frozenset[str]


def read_marts() -> list[Described]:
    """The marts as the project's own files describe them."""
    return [_described(model) for model in mart_models()]


def _described(model: dict[str, Any]) -> Described:
    meta = model.get("config", {}).get("meta", {})
    routes = [*meta.get("routes", []), *(q["route"] for q in meta.get("questions", []))]
    return Described(
        {
            column["name"]: " ".join(column["description"].split())
            for column in model.get("columns", [])
            if column.get("description")
        },
        frozenset(route.partition("?")[0] for route in routes),
    )


def add(spec: dict[str, Any], marts: list[Described]) -> None:
    """Describe the fields of answers that have no words of their own yet.

    The marts of a route come first, then a column that means one thing in all marts,
    then `words.WORDS`.
    """
    schemas = spec["components"]["schemas"]
    everywhere: dict[str, set[str]] = defaultdict(set)
    for mart in marts:
        for column, told in mart.columns.items():
            everywhere[column].add(told)
    words: dict[str, dict[str, str]] = defaultdict(dict)
    for path, item in spec["paths"].items():
        route = path.removeprefix(_ROOT)
        read = [mart for mart in marts if route in mart.routes]
        for name in set(_schemas_of(item.get("get", {}).get("responses", {}), schemas)):
            for mart in read:
                words[name] = {**mart.columns, **words[name]}
    for operation in (o for item in spec["paths"].values() for o in item.values()):
        for parameter in operation.get("parameters", []):
            has_words = "description" in parameter.get("schema", {})
            if not has_words and (text := WORDS.get(parameter["name"])):
                parameter.setdefault("description", text)
    for name, schema in schemas.items():
        for field, about in schema.get("properties", {}).items():
            shared = everywhere[field] if len(everywhere[field]) == 1 else set()
            for sense in (words[name].get(field), *shared, WORDS.get(field)):
                if sense:
                    about.setdefault("description", sense)


def _schemas_of(
    part: Any, schemas: dict[str, Any], seen: frozenset[str] = frozenset()
) -> Iterator[str]:
    """The names of the schemas below a part of the description."""
    if isinstance(part, list):
        for one in part:
            yield from _schemas_of(one, schemas, seen)
    elif isinstance(part, dict):
        name = str(part.get("$ref", "")).removeprefix(_REFERENCE)
        if name in schemas and name not in seen:
            yield name
            yield from _schemas_of(schemas[name], schemas, seen | {name})
        for one in part.values():
            yield from _schemas_of(one, schemas, seen)
