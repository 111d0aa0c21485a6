"""The exposures in the dbt project are what the marts say of their pages and routes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from warehouse.exposures import EXPOSURES, exposures
from warehouse.marts import Mart


def test_the_exposures_are_those_of_the_marts(marts: dict[str, Mart]) -> None:
    written = EXPOSURES.read_text(encoding="utf-8")
    assert written == exposures(marts), "run `make exposures`"
    # The control: a page more is noticed.
    meta = marts["totals"].meta.model_copy(update={"pages": ("/", "/new")})
    changed = {**marts, "totals": replace(marts["totals"], meta=meta)}
    assert "name: page_new" in exposures(changed)
    assert written != exposures(changed)


def test_dbt_knows_which_marts_a_page_and_a_route_show(project: Any) -> None:
    read = {
        exposure.name: {key.split(".")[-1] for key in exposure.depends_on.nodes}
        for exposure in project.exposures.values()
    }
    assert read["page_about"] == {"freshness"}
    assert {"dim_artists", "fct_artist_values"} <= read["api_artists"]
    assert len(read) >= 25


def test_every_mart_that_has_a_route_or_page_is_exposed(
    project: Any, marts: dict[str, Mart]
) -> None:
    exposed = {
        key.split(".")[-1]
        for exposure in project.exposures.values()
        for key in exposure.depends_on.nodes
    }
    shown = {m.name for m in marts.values() if m.meta.pages or m.meta.routes}
    asked = {m.name for m in marts.values() if m.meta.questions}
    assert exposed == shown | asked and len(exposed) >= 25
