"""Which pages and routes show which marts, written down for dbt as exposures.

Owns one file of the dbt project, made from what each mart's `meta` says of its routes
and pages. ``python -m warehouse.exposures`` (``make exposures``) writes it; a test
compares the two, another the `meta` with the routes of the service.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from warehouse.build import parsed_project
from warehouse.duckdb_store import FILE
from warehouse.marts import Mart, Marts, read_marts
from warehouse.project import PROJECT
from warehouse.run import Target

EXPOSURES = PROJECT / "models" / "marts" / "_exposures.yml"
PREFIX = "/api/v1"

_HEAD = """\
# Written by `make exposures` from the `meta` of the marts; change it there.
version: 2

exposures:
"""
_ENTRY = """\
  - name: {name}
    label: "{label}"
    type: {type}
    maturity: high
    description: "{description}"
    owner: {{name: "{owner}"}}
    depends_on:
{reads}
"""


def exposures(marts: Marts) -> str:
    """The file: an exposure a page, and one a subject of the API."""
    return _HEAD + "\n".join([*_pages(marts), *_subjects(marts)])


def _pages(marts: Marts) -> Iterator[str]:
    for page in sorted({page for mart in marts.values() for page in mart.meta.pages}):
        reads = [mart for mart in marts.values() if page in mart.meta.pages]
        yield _entry(
            f"page_{_word(page) or 'home'}",
            f"Page {page}",
            "dashboard",
            f"The page {page} of the service.",
            "maintainers of the pages",
            reads,
        )


def _subjects(marts: Marts) -> Iterator[str]:
    routes = {
        mart.name: {
            *mart.meta.routes,
            *(question.route.partition("?")[0] for question in mart.meta.questions),
        }
        for mart in marts.values()
    }
    every = set().union(*routes.values())
    for subject in sorted({route.split("/")[1] for route in every}):
        within = sorted(route for route in every if route.split("/")[1] == subject)
        yield _entry(
            f"api_{_word(subject)}",
            f"API {PREFIX}/{subject}",
            "application",
            "Routes of the service: "
            + ", ".join(f"{PREFIX}{route}" for route in within)
            + ".",
            "maintainers of the API",
            [mart for mart in marts.values() if routes[mart.name] & set(within)],
        )


def _entry(
    name: str, label: str, type_: str, description: str, owner: str, reads: list[Mart]
) -> str:
    listed = sorted(mart.name for mart in reads)
    return _ENTRY.format(
        name=name,
        label=label,
        type=type_,
        description=description,
        owner=owner,
        reads="\n".join(f"      - ref('{mart}')" for mart in listed),
    )


def _word(path: str) -> str:
    return re.sub(r"\W+", "_", path).strip("_").lower()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        project = parsed_project(Target(duckdb_path=folder / FILE), folder, folder)
        if project is None:
            raise SystemExit(f"error: dbt cannot parse {PROJECT}; see `scrobble build`")
        EXPOSURES.write_text(exposures(read_marts(project)), encoding="utf-8")
