"""Every operation shows an answer that its own schema takes."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from serve.api.description import EXAMPLES
from serve.api.written import description
from serve.examples import short

MOST_BYTES = 120_000


@pytest.fixture(scope="module")
def spec() -> dict[str, Any]:
    """The description of all routes."""
    return description()


def shown(spec: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """By operation, the example of its answer (None without one) and its schema."""
    found = {}
    for item in spec["paths"].values():
        for operation in item.values():
            answers = [
                response["content"]["application/json"]
                for status, response in operation["responses"].items()
                if status.startswith("2")
                and "application/json" in response.get("content", {})
            ]
            if answers:
                example = next((a["example"] for a in answers if "example" in a), None)
                schema = next((a for a in answers if "example" in a), answers[0])
                found[operation["operationId"]] = (example, schema["schema"])
    return found


def wrong(spec: dict[str, Any], example: Any, schema: Any) -> list[str]:
    """What the schema says against an example."""
    whole = {**schema, "components": spec["components"]}
    return [error.message for error in Draft202012Validator(whole).iter_errors(example)]


def test_every_operation_has_an_example_that_its_schema_takes(
    spec: dict[str, Any],
) -> None:
    found = shown(spec)
    assert len(found) > 120
    assert [name for name, (example, _) in found.items() if example is None] == []
    failed = {
        name: problems
        for name, (example, schema) in found.items()
        if (problems := wrong(spec, example, schema))
    }
    assert failed == {}, "run `make examples` on a published demo world"


def test_the_control_a_field_that_changed_its_type_is_noticed(
    spec: dict[str, Any],
) -> None:
    example, schema = shown(spec)["artists_artist"]
    changed = deepcopy(example)
    changed["data"]["artist_id"] = 7
    assert wrong(spec, changed, schema)
    del changed["data"]["artist_id"]
    assert wrong(spec, changed, schema)


def test_examples_are_small_of_known_operations_and_name_no_place(
    spec: dict[str, Any],
) -> None:
    text = EXAMPLES.read_text(encoding="utf-8")
    assert len(text) < MOST_BYTES
    assert set(json.loads(text)) == set(shown(spec))
    for place in (str(Path.home()), "/tmp/", "127.0.0.1", "localhost"):
        assert place not in text, place


def test_most_examples_show_rows(spec: dict[str, Any]) -> None:
    empty = [n for n, (e, _) in shown(spec).items() if e["data"] in ([], {}, None)]
    assert len(empty) < 10, empty


def test_long_lists_and_secrets_are_cut() -> None:
    assert short({"a": [1, 2, 3], "b": "x" * 41}) == {"a": [1, 2], "b": "xxxxxxxx…"}
    kept = ["x" * 40, "a sentence " * 9, "/an/address/" * 9]
    assert [short(one) for one in kept] == kept
