"""Where the dbt project is, and which of its changes make every mart be built anew.

Owns the two hashes of its files: of all of them, for the parsed project, and of what
decides the marts' rows. Reads files only: importing dbt takes seconds.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from warehouse.marts import Meta

ROOT = Path(__file__).resolve().parent.parent
PROJECT = ROOT / "dbt_project"
PROFILE = ROOT / "profiles.yml.example"

# What dbt writes itself.
_WRITTEN = ("target", "logs")
# Tests judge rows and make none, and they run on every day, whatever was built; an
# analysis is asked by people.
_NO_MODELS = ("data_tests", "analyses")
# Keys of yml files that no row depends on.
_NO_ROWS = {
    *("access", "description", "docs", "exposures", "group", "groups"),
    *("data_tests", "tests", "unit_tests"),
    *("semantic_models", "metrics", "time_spine", "granularity"),
    *("freshness", "loaded_at_field", "loaded_at_query"),
    *("clean-targets", "flags", "require-dbt-version"),
}
_CODE = re.compile(
    r"(?P<string>'(?:[^']|'')*'|\"[^\"]*\")"
    r"|(?P<comment>\{#.*?#\}|/\*.*?\*/|--[^\n]*)"
    r"|(?P<space>\s+)",
    re.DOTALL,
)


@lru_cache(maxsize=1)
def variables(project: Path = PROJECT) -> Mapping[str, Any]:
    """The dbt variables with their defaults: one source of every constant."""
    found: Mapping[str, Any] = read_yaml(project / "dbt_project.yml")["vars"]
    return found


def mart_models() -> Iterator[dict[str, Any]]:
    """What the project's own files say of each mart, as it stands there."""
    for file in sorted((PROJECT / "models" / "marts").rglob("*.yml")):
        yield from read_yaml(file).get("models", [])


def read_yaml(path: Path) -> Any:
    """What a yml file of the project holds, by libyaml where PyYAML has it: quicker."""
    with path.open("rb") as file:
        return yaml.load(file, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def files_hash(project: Path = PROJECT) -> str:
    """A hash of every file of the project, to the byte."""
    return _hash((name, path.read_bytes()) for name, path in _files(project))


def project_hash(project: Path = PROJECT) -> str:
    """A hash of what decides the marts' rows: code, columns, types, configs, vars.

    Descriptions, comments, white space, tests, analyses, exposures, metrics and the
    `meta` of marts are left out: a change of these reaches the database without any
    model being built anew.
    """
    return _hash(
        (name, makes)
        for name, path in _files(project)
        if path.suffix != ".md" and Path(name).parts[0] not in _NO_MODELS
        if (makes := _what_makes_rows(path)) is not None
    )


def _files(project: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(project.rglob("*")):
        inside = path.relative_to(project)
        if path.is_file() and inside.parts[0] not in _WRITTEN:
            yield str(inside), path


def _hash(parts: Iterator[tuple[str, bytes]]) -> str:
    digest = hashlib.sha256()
    for name, content in parts:
        digest.update(name.encode() + b"\0" + content + b"\0")
    return digest.hexdigest()


def _what_makes_rows(path: Path) -> bytes | None:
    """What of a file decides rows; None where nothing does."""
    if path.suffix == ".sql":
        code = path.read_text(encoding="utf-8")
        return _CODE.sub(_without_comment, code).strip().encode()
    if path.suffix in (".yml", ".yaml"):
        kept = _without_text(read_yaml(path))
        if not set(kept) - {"version"}:
            return None
        return json.dumps(kept, sort_keys=True, default=str).encode()
    return path.read_bytes()


def _without_comment(found: re.Match[str]) -> str:
    """A string as it is, one space for white space and for a comment.

    A comment of SQL with Jinja in it is code: dbt renders it.
    """
    text = found[0]
    is_code = found["string"] or (text.startswith("--") and "{" in text)
    return text + "\n" * (not found["string"]) if is_code else " "


def _without_text(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_text(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {}
    for key, item in value.items():
        name = str(key).removeprefix("+")
        if name == "vars":
            kept[name] = item
        elif name == "meta" and isinstance(item, dict):
            kept[name] = {k: v for k, v in item.items() if k not in Meta.model_fields}
        elif name not in _NO_ROWS:
            kept[name] = _without_text(item)
    # A model that has no more than a description is no other than one without.
    return {key: item for key, item in kept.items() if item not in ({}, [])}
